// How far a classifier's probabilities can be believed: bodies of calibrated.hpp.
#include "calibrated.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include <d16/core/parallel.hpp>
#include <d16/io/safetensors.hpp>
#include <d16/learn/calibration.hpp>
#include <d16/learn/curves.hpp>
#include <d16/sim/field.hpp>

#include "design_effect.hpp"
#include "sha256.hpp"
#include "shape.hpp"
#include "study.hpp"
#include "training.hpp"
#include "uncertainty.hpp"

namespace tool {

using d16::Random;
using d16::require;
using d16::Tensor;
using d16::text;
using d16::WeightsError;
namespace io = d16::io;
namespace learn = d16::learn;
namespace sim = d16::sim;

namespace {

constexpr size_t sure_bin = size_t(sure_disk * double(Tally::bins) + 0.5);
constexpr char const* shown_names[] = {"clean", "noisy", "denoised"};

double logit(double p) { return std::log(std::max(p, 1e-7) / std::max(1 - p, 1e-7)); }
double from_logit(double z) { return 1 / (1 + std::exp(-z)); }

Shown shown_named(std::string const& name) {
  for (Shown shown : {Shown::clean, Shown::noisy, Shown::denoised})
    if (name == name_of(shown)) return shown;
  throw d16::ValueError("pictures are not shown as \"" + name + "\"");
}

Tensor vector_of(std::vector<double> const& v) { return d16::from(v, {int64_t(v.size())}); }
Tensor vector_of(std::vector<int64_t> const& v) { return d16::from(v, {int64_t(v.size())}); }

Json rounded(std::vector<double> const& values) {
  Json out = Json::array({});
  for (double v : values) out.push_back(std::round(v * 1e3) / 1e3);
  return out;
}
std::vector<double> numbers_in(Json const& list) {
  std::vector<double> out;
  for (Json const& item : list.array()) out.push_back(item.number());
  return out;
}

/// One for each of `count` numbers; weights that were calibrated before fields were kept have none.
std::vector<int64_t> fields_in(Json const& json, char const* key, size_t count) {
  std::vector<int64_t> out;
  if (!json.has(key)) return out;
  for (Json const& item : json.at(key).array()) out.push_back(item.integer());
  require<d16::ValueError>(out.size() == count, key, " are ", out.size(), ", not ", count);
  return out;
}

std::array<int64_t, Tally::bins> counts_in(Json const& list) {
  std::array<int64_t, Tally::bins> out{};
  require<d16::ValueError>(list.array().size() == out.size(), "a tally has ", list.array().size(), " counts, not ",
                           out.size());
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = list.array()[i].integer();
    require<d16::ValueError>(out[i] >= 0, "a tally has the count ", out[i]);
  }
  return out;
}

DiskCalibration calibration_in(Json const& json) {
  DiskCalibration c;
  c.shown = shown_named(json.string("shown")), c.denoiser = json.string("denoiser_sha256");
  for (Json const& scale : json.at("scales").array())
    c.scales.push_back({scale.number("slope"), scale.number("shift")});
  c.disks = numbers_in(json.at("disks")), c.others = numbers_in(json.at("others"));
  c.disk_fields = fields_in(json, "disk_fields", c.disks.size());
  c.other_fields = fields_in(json, "other_fields", c.others.size());
  bool good = c.scales.size() == 1 || c.scales.size() == size_t(snr_bins);
  for (DiskCalibration::Scale const& scale : c.scales) good = good && scale.slope >= 0;
  require<d16::ValueError>(good && !c.disks.empty() && !c.others.empty(), c.scales.size(), " scales, ", c.disks.size(),
                           " disks and ", c.others.size(), " others; slopes that are not negative and both are needed");
  return c;
}

/// f() with the file's name in front of what it says of bad numbers.
template <class F> auto read_about(std::string const& path, F const& f) {
  try {
    return f();
  } catch (d16::ValueError const& error) {
    throw WeightsError(text(path, ": its calibration is damaged: ", error.what(), "; d16 train calibration makes it"));
  }
}

// --- simulated cutouts -------------------------------------------------------------------------------------------------

/// What is drawn for each picture: from hardly seen to as good as noiseless.
constexpr sim::AppearanceRange any_look{.least_snr = 3,
                                        .most_snr = 300,
                                        .least_re_over_fwhm = 0.6,
                                        .most_re_over_fwhm = 4,
                                        .contaminants = sim::Scheme::all};

/// A galaxy as a telescope might see it, and the truth.
struct Look {
  Tensor light;  ///< (H,W,1)
  double sigma, re_over_fwhm;
  bool is_disk;
  int64_t field;
};

/// What the networks made of it.
struct Judged {
  double noisy, denoised, snr, re_over_fwhm;
  bool is_disk;
  int64_t field;
};

Cutout cutout_of(Look const& look) {
  Plane image{look.light.dim(0), look.light.dim(1), {}};
  image.values.assign(look.light.data<float>(), look.light.data<float>() + look.light.numel());
  Plane sigma{image.h, image.w, std::vector<float>(image.values.size(), float(look.sigma))};
  Cutout out{.id = "simulated", .file = "simulated"};
  out.bands.push_back({"grey", std::move(image), std::move(sigma), {}, {}});
  return out;
}

/// Cutouts through the tool, as d16 run takes them.
std::vector<Judged> judge(Network& denoiser, Network& classifier, std::vector<Look> const& looks) {
  std::vector<Frame> frames(looks.size());
  std::vector<Judged> out(looks.size());
  d16::parallel_tasks(int64_t(looks.size()), [&](int64_t n) {
    Look const& look = looks[size_t(n)];
    Cutout cutout = cutout_of(look);
    Shape shape = measure_shape(cutout, {.fit = false});
    frames[size_t(n)] = frame_of(cutout, shape, {.size = classifier.size()});
    out[size_t(n)] = {nan, nan, frames[size_t(n)].snr, look.re_over_fwhm, look.is_disk, look.field};
  });
  std::vector<Tensor> lights;
  for (Frame const& frame : frames) lights.push_back(frame.light);
  std::vector<Network::Denoised> denoised = denoiser.denoise(frames);
  for (size_t i = 0; i < frames.size(); ++i)
    lights.push_back(denoised[i].light.defined() ? denoised[i].light.contiguous() : frames[i].light);
  std::vector<double> p = classifier.disk(lights);
  for (size_t i = 0; i < out.size(); ++i) out[i].noisy = p[i], out[i].denoised = p[frames.size() + i];
  return out;
}

/// Makes looks and judges them, some at a time: make(i) for i from 0.
template <class Make> std::vector<Judged> judge_all(Network& denoiser, Network& classifier, int64_t count,
                                                    Progress& progress, Make const& make) {
  constexpr int64_t chunk = 64;
  std::vector<Judged> all;
  for (int64_t begin = 0; begin < count; begin += chunk) {
    std::vector<Look> looks = make(begin, std::min(count, begin + chunk));
    for (Judged const& one : judge(denoiser, classifier, looks)) all.push_back(one), progress.step();
  }
  return all;
}

/// Pictures of a set over and over, each time with another look.
std::vector<Judged> judge_pictures(Network& denoiser, Network& classifier, d16::data::Dataset const& set, int64_t count,
                                   uint64_t seed, Progress& progress) {
  Tensor pictures = pictures_of(set);
  std::vector<int64_t> fields = fields_of(set);
  DenoiseSetup setup{.channels = 1, .range = any_look};
  return judge_all(denoiser, classifier, count, progress, [&](int64_t begin, int64_t end) {
    std::vector<Tensor> some;
    for (int64_t i = begin; i < end; ++i) some.push_back(pictures.select(0, i % set.size()).contiguous());
    Random random(seed, uint64_t(begin));
    DenoisePairs pairs = spoil(stack(some), random, setup);
    std::vector<Look> looks;
    for (int64_t i = begin; i < end; ++i) {
      auto k = size_t(i - begin);
      Tensor light = pairs.stretch[k].invert(pairs.noisy.select(0, i - begin).contiguous());
      looks.push_back({light, std::max(pairs.sigma[k], 1e-6), pairs.re_over_fwhm[k], set.label(i % set.size()) == 1,
                       fields[size_t(i % set.size())]});
    }
    return looks;
  });
}

/// Galaxies of d16 simulate field, half of them disks, one sky field each.
std::vector<Judged> judge_simulated(Network& denoiser, Network& classifier, int64_t side, int64_t count, uint64_t seed,
                                    Progress& progress) {
  sim::CutoutOptions o{.size = side, .channels = 1, .least_r = 0.047, .most_r = 0.093};
  o.least_snr = any_look.least_snr, o.most_snr = any_look.most_snr;
  o.least_fwhm = 2, o.most_fwhm = 8;
  o.noise = {.sky = 400, .read_noise = 5, .gain = 10, .correlation = 0.4};  // the detector of d16 simulate field
  return judge_all(denoiser, classifier, count, progress, [&](int64_t begin, int64_t end) {
    std::vector<Look> looks(size_t(end - begin));
    d16::parallel_tasks(end - begin, [&](int64_t k) {
      Random random(seed, uint64_t(begin + k));
      sim::Cutout c = sim::simulate_cutout(random, o);
      looks[size_t(k)] = {c.noisy, o.noise.sigma(), c.truth.re_over_fwhm(), c.truth.galaxy.kind == sim::Kind::disk,
                          begin + k};
    });
    return looks;
  });
}

// --- fits and curves ---------------------------------------------------------------------------------------------------

DiskAnswers answers_of(std::vector<Judged> const& all, Shown shown) {
  DiskAnswers out;
  for (Judged const& j : all) {
    out.p.push_back(shown == Shown::noisy ? j.noisy : j.denoised);
    out.is_disk.push_back(j.is_disk), out.fields.push_back(j.field), out.snr.push_back(j.snr);
  }
  return out;
}
DiskAnswers answers_on(Network& classifier, d16::data::Dataset const& set) {
  return {classifier.disk(lights_of(set)), disk_labels(set), fields_of(set)};
}

/// Pictures as those of the training have no shift to be undone, and one number is fitted better than two.
DiskCalibration::Scale temperature(std::vector<double> const& z, std::vector<int64_t> const& is_disk) {
  Tensor logits = d16::zeros({int64_t(z.size()), 2}, {.dtype = d16::DType::f64, .device = d16::Device()});
  for (size_t i = 0; i < z.size(); ++i) logits.data<double>()[2 * i + 1] = z[i];
  return {1 / learn::fit_temperature(logits, vector_of(is_disk)).temperature, 0};
}

/// The scale that makes the labels likeliest.
DiskCalibration::Scale fit_scale(std::vector<double> const& z, std::vector<int64_t> const& is_disk) {
  learn::SigmoidCalibration fit = learn::fit_sigmoid(vector_of(z), vector_of(is_disk));
  if (fit.a <= 0) return {-fit.a, -fit.b};
  // the likelihood is concave: of slopes that do not turn the order round, the best is then 0
  double disks = double(std::count(is_disk.begin(), is_disk.end(), 1));
  return {0, logit(disks / double(is_disk.size()))};
}

/// A picture of the curves with its calibrated probability.
struct Counted {
  double p;
  bool is_disk;
  int64_t field;
};

TallyEffects effects_of(std::vector<Counted> const& pictures) {
  std::vector<Answer> called, disks, others;
  std::vector<std::vector<Answer>> bins(Tally::bins);
  for (Counted const& c : pictures) {
    size_t bin = Tally::bin_of(c.p);
    bool sure = bin >= sure_bin;
    if (sure) called.push_back({c.field, c.is_disk});
    (c.is_disk ? disks : others).push_back({c.field, sure});
    bins[bin].push_back({c.field, c.is_disk});
  }
  TallyEffects out{design_effect(called), design_effect(disks), design_effect(others)};
  for (size_t bin = 0; bin < bins.size(); ++bin) out.observed[bin] = design_effect(bins[bin]);
  return out;
}

void add_cells(Curves& curves, char const* source, DiskCalibration const& c, std::vector<Judged> const& all) {
  for (int snr = -1; snr < snr_bins; ++snr)
    for (int size = -1; size < size_bins; ++size) {
      std::vector<Counted> pictures;
      for (Judged const& j : all) {
        bool here = (snr < 0 || snr_bin(j.snr) == snr) && (size < 0 || size_bin(j.re_over_fwhm) == size);
        double p = c(c.shown == Shown::noisy ? j.noisy : j.denoised, j.snr, c.prior());
        if (here && !std::isnan(p)) pictures.push_back({p, j.is_disk, j.field});
      }
      if (pictures.empty()) continue;
      curves.effects.push_back({source, c.shown, snr, size, effects_of(pictures)});
      Tally tally;
      for (Counted const& one : pictures) tally.add(one.p, one.is_disk);
      if (snr >= 0 && size >= 0) curves.cells.push_back({source, c.shown, snr, size, tally});
    }
}

Json json_of(Curves::Effects const& e) {
  return Json::object({{"source", e.source},
                       {"shown", name_of(e.shown)},
                       {"snr", e.snr},
                       {"size", e.size},
                       {"purity", e.effects.purity},
                       {"completeness", e.effects.completeness},
                       {"false_disks", e.effects.false_disks},
                       {"observed", rounded(e.effects.observed)}});
}
Curves::Effects effects_in(Json const& json) {
  Curves::Effects e{json.string("source"),
                    shown_named(json.string("shown")),
                    int(json.integer("snr")),
                    int(json.integer("size")),
                    {json.number("purity"), json.number("completeness"), json.number("false_disks"),
                     numbers_in(json.at("observed"))}};
  std::vector<double> all = e.effects.observed;
  require<d16::ValueError>(all.size() == Tally::bins, all.size(), " effects of bins, not ", Tally::bins);
  all.insert(all.end(), {e.effects.purity, e.effects.completeness, e.effects.false_disks});
  for (double effect : all) require<d16::ValueError>(effect >= 1, "the effect ", effect, " is below 1");
  return e;
}

Json json_of(Curves const& curves) {
  Json cells = Json::array({}), effects = Json::array({});
  for (Curves::Effects const& e : curves.effects) effects.push_back(json_of(e));
  for (Curves::Cell const& c : curves.cells)
    cells.push_back(Json::object({{"source", c.source},
                                  {"shown", name_of(c.shown)},
                                  {"snr", c.snr},
                                  {"size", c.size},
                                  {"disks", std::vector<int64_t>(c.tally.disks.begin(), c.tally.disks.end())},
                                  {"others", std::vector<int64_t>(c.tally.others.begin(), c.tally.others.end())}}));
  return Json::object(
      {{"denoiser_sha256", curves.denoiser}, {"command", curves.command}, {"cells", cells}, {"effects", effects}});
}

/// Purity and completeness at p >= 0.7 by S/N, as a table for people.
void say_curves(Curves const& curves) {
  for (std::string const& source : curves.sources()) {
    say(text("\n| ", source, " | shown | purity at p >= ", sure_disk, " | completeness | others called disks |"));
    say("|---|---|---|---|---|");
    for (int snr = 0; snr < snr_bins; ++snr)
      for (Shown shown : {Shown::noisy, Shown::denoised}) {
        Tally t = curves.sum(source, shown, snr);
        say(text("| ", snr_bin_name(snr), " | ", name_of(shown), " | ", with_interval(t.purity()), " | ",
                 with_interval(t.completeness()), " | ", with_interval(t.false_disks()), " |"));
      }
  }
}

/// The weights of one file in another, which says more about them.
void write_with_about(std::string const& from, std::string const& to, Json const& about) {
  io::TensorFile file = io::read_safetensors(from);
  file.metadata["about"] = about.dump();
  io::write_safetensors(to, file);
}

}  // namespace

char const* name_of(Shown shown) { return shown_names[size_t(shown)]; }

double DiskCalibration::operator()(double p, double snr, double prior_here) const {
  Scale const& scale = scales[scales.size() == 1 ? 0 : size_t(snr_bin(snr))];
  return std::isnan(p) ? nan : from_logit(scale.slope * logit(p) + scale.shift + logit(prior_here) - logit(prior()));
}

DiskCalibration fit_calibration(Shown shown, DiskAnswers const& validation) {
  DiskCalibration c;
  c.shown = shown;
  std::vector<double> all;
  for (double p : validation.p) all.push_back(logit(p));
  c.scales = {validation.snr.empty() ? temperature(all, validation.is_disk) : fit_scale(all, validation.is_disk)};
  if (!validation.snr.empty()) c.scales.resize(size_t(snr_bins), c.scales[0]);
  for (int bin = snr_bins - 1; bin >= 0 && !validation.snr.empty(); --bin) {
    std::vector<double> z;
    std::vector<int64_t> label;
    for (size_t i = 0; i < all.size(); ++i)
      if (snr_bin(validation.snr[i]) == bin) z.push_back(all[i]), label.push_back(validation.is_disk[i]);
    int64_t disks = std::count(label.begin(), label.end(), 1), others = int64_t(label.size()) - disks;
    if (std::min(disks, others) >= 20) c.scales[size_t(bin)] = fit_scale(z, label);
    else if (bin + 1 < snr_bins) c.scales[size_t(bin)] = c.scales[size_t(bin + 1)];
  }
  std::map<int64_t, int64_t> numbers;  // of the fields
  for (size_t i = 0; i < all.size(); ++i) {
    double snr = validation.snr.empty() ? nan : validation.snr[i];
    DiskCalibration::Scale const& scale = c.scales[c.scales.size() == 1 ? 0 : size_t(snr_bin(snr))];
    (validation.is_disk[i] ? c.disks : c.others).push_back(scale.slope * all[i] + scale.shift);
    int64_t field = numbers.try_emplace(validation.fields[i], int64_t(numbers.size())).first->second;
    (validation.is_disk[i] ? c.disk_fields : c.other_fields).push_back(field);
  }
  return c;
}

PureSample pure_sample(DiskCalibration const& c, double purity, double prior, uint64_t seed) {
  std::vector<double> p;
  std::vector<int64_t> label, call;
  for (auto const* list : {&c.disks, &c.others})
    for (double z : *list) {
      p.push_back(from_logit(z + logit(prior) - logit(c.prior())));
      label.push_back(list == &c.disks);
    }
  std::vector<double> const frequencies{1 - prior, prior};
  Tensor scores = vector_of(p), labels = vector_of(label);
  auto found = learn::threshold_for_purity(scores, labels, purity, learn::prevalence_weights(labels, frequencies));
  require<d16::ValueError>(found.has_value(), "--purity ", purity,
                           ": no threshold makes the validation pictures so pure; ask for less");
  for (double v : p) call.push_back(v >= found->value);
  learn::BootstrapOptions o{.samples = 400, .seed = seed, .groups = c.disk_fields};
  o.groups.insert(o.groups.end(), c.other_fields.begin(), c.other_fields.end());
  auto score = learn::scores_at_prevalence(labels, vector_of(call), frequencies, o)[1];
  return {purity, prior, found->value, !o.groups.empty(), score.precision, score.recall};
}
std::string PureSample::text() const {
  return d16::text(
      "p_disk_cal >= ", decimals(threshold, 4), " for a purity of ", wanted, " where ", decimals(100 * prior, 1),
      " % are disks: on validation pictures purity ", with_interval(purity), ", completeness ",
      with_interval(completeness),
      whole_fields ? "" : " (intervals too narrow: older weights do not say which pictures are of one galaxy)");
}
Json json_of(PureSample const& s) {
  auto one = [](learn::Bootstrap const& b) {
    return Json::object({{"value", b.value}, {"low", b.interval.low}, {"high", b.interval.high}});
  };
  return Json::object({{"purity_wanted", s.wanted},
                       {"prior", s.prior},
                       {"threshold", s.threshold},
                       {"whole_fields", s.whole_fields},
                       {"purity", one(s.purity)},
                       {"completeness", one(s.completeness)}});
}

void Tally::add(double p, bool is_disk) {
  if (std::isnan(p)) return;
  ++(is_disk ? disks : others)[bin_of(p)];
}
void Tally::add(Tally const& other) {
  for (size_t i = 0; i < bins; ++i) disks[i] += other.disks[i], others[i] += other.others[i];
}

namespace {
int64_t sum_of(std::array<int64_t, Tally::bins> const& counts, size_t first = 0) {
  return std::accumulate(counts.begin() + std::ptrdiff_t(first), counts.end(), int64_t(0));
}
}  // namespace

int64_t Tally::all_disks() const { return sum_of(disks); }
int64_t Tally::all() const { return sum_of(disks) + sum_of(others); }
learn::Fraction Tally::purity() const {
  int64_t right = sum_of(disks, sure_bin);
  return share(right, right + sum_of(others, sure_bin), effects.purity);
}
learn::Fraction Tally::completeness() const {
  return share(sum_of(disks, sure_bin), sum_of(disks), effects.completeness);
}
learn::Fraction Tally::false_disks() const {
  return share(sum_of(others, sure_bin), sum_of(others), effects.false_disks);
}
learn::Fraction Tally::observed(size_t bin) const {
  return share(disks[bin], disks[bin] + others[bin], effects.observed[bin]);
}

int size_bin(double re_over_fwhm) {
  int bin = 0;
  while (bin + 1 < size_bins && re_over_fwhm >= size_edges[bin + 1]) ++bin;
  return bin;
}
std::string size_bin_name(int bin) {
  if (bin == 0) return text("R_e/FWHM below ", size_edges[1]);
  if (bin + 1 == size_bins) return text("R_e/FWHM ", size_edges[bin], " and more");
  return text("R_e/FWHM ", size_edges[bin], " to ", size_edges[bin + 1]);
}

int64_t Curves::pictures(std::string const& source) const { return sum(source, Shown::noisy).all(); }
std::vector<std::string> Curves::sources() const {
  std::vector<std::string> out;
  for (Cell const& c : cells)
    if (std::find(out.begin(), out.end(), c.source) == out.end()) out.push_back(c.source);
  return out;
}
Tally Curves::sum(std::string const& source, Shown shown, int snr, int size) const {
  Tally out;
  for (Cell const& c : cells)
    if (c.source == source && c.shown == shown && (snr < 0 || c.snr == snr) && (size < 0 || c.size == size))
      out.add(c.tally);
  for (Effects const& e : effects)
    if (e.source == source && e.shown == shown && e.snr == snr && e.size == size) out.effects = e.effects;
  return out;
}
std::string Curves::intervals_text() const {
  return effects.empty() ? "95 % binomial intervals, too narrow: these weights do not say which pictures are of one "
                           "galaxy (d16 train calibration writes curves that do)"
                         : "95 % intervals in which looks of one galaxy do not count as independent";
}

std::vector<DiskCalibration> calibrations_in(Json const& about, std::string const& path) {
  std::vector<DiskCalibration> out;
  if (!about.is_object() || !about.has("calibration")) return out;
  return read_about(path, [&] {
    for (Json const& one : about.at("calibration").array()) out.push_back(calibration_in(one));
    return out;
  });
}
Curves curves_in(Json const& about, std::string const& path) {
  Curves out;
  if (!about.is_object() || !about.has("curves")) return out;
  return read_about(path, [&] {
    Json const& json = about.at("curves");
    out.denoiser = json.string("denoiser_sha256"), out.command = json.string("command");
    for (Json const& c : json.at("cells").array())
      out.cells.push_back({c.string("source"),
                           shown_named(c.string("shown")),
                           int(c.integer("snr")),
                           int(c.integer("size")),
                           {counts_in(c.at("disks")), counts_in(c.at("others"))}});
    if (json.has("effects"))
      for (Json const& e : json.at("effects").array()) out.effects.push_back(effects_in(e));
    return out;
  });
}

std::optional<DiskCalibration> choose_calibration(std::vector<DiskCalibration> const& list, Shown shown,
                                                  std::string const& denoiser) {
  for (Shown wanted : {shown, Shown::clean})
    for (DiskCalibration const& c : list)
      if (c.shown == wanted && (wanted != Shown::denoised || c.denoiser == denoiser)) return c;
  return {};
}

std::string CalibrationTest::text() const {
  return d16::text(decimals(before, 3), " ± ", decimals(before_error, 3), " -> ", decimals(after, 3), " ± ",
                   decimals(after_error, 3), " (", pictures, " pictures)");
}

CalibrationTest test_calibration(DiskCalibration const& c, DiskAnswers const& test, uint64_t seed) {
  std::vector<double> after;
  for (size_t i = 0; i < test.p.size(); ++i)
    after.push_back(c(test.p[i], test.snr.empty() ? nan : test.snr[i], c.prior()));
  auto score = [&](std::vector<double> const& probabilities) {
    return bootstrap_score("calibration error", test.fields, seed, [&](std::vector<int64_t> const& items) {
      std::vector<double> some;
      std::vector<int64_t> truth;
      for (int64_t i : items) some.push_back(probabilities[size_t(i)]), truth.push_back(test.is_disk[size_t(i)]);
      return learn::calibration_error(learn::reliability_bins(vector_of(some), vector_of(truth)));
    });
  };
  Score one = score(test.p), other = score(after);
  return {one.value, one.error, other.value, other.error, int64_t(test.p.size())};
}

Json json_of(DiskCalibration const& c, CalibrationTest const& test) {
  Json scales = Json::array({});
  for (DiskCalibration::Scale const& s : c.scales)
    scales.push_back(Json::object({{"slope", s.slope}, {"shift", s.shift}}));
  return Json::object({{"shown", name_of(c.shown)},
                       {"denoiser_sha256", c.denoiser},
                       {"scales", scales},
                       {"test_error_before", test.before},
                       {"test_error_after", test.after},
                       {"test_pictures", test.pictures},
                       {"disks", rounded(c.disks)},
                       {"others", rounded(c.others)},
                       {"disk_fields", c.disk_fields},
                       {"other_fields", c.other_fields}});
}

std::string words_of(DiskCalibration const& c, CalibrationTest const& test) {
  std::string temperatures, shifts;
  for (DiskCalibration::Scale const& s : c.scales) {
    temperatures += (temperatures.empty() ? "" : ", ") + decimals(1 / s.slope, 2);
    shifts += (shifts.empty() ? "" : ", ") + decimals(s.shift, 2);
  }
  return text(name_of(c.shown), c.scales.size() > 1 ? ", from low S/N to high" : "", ": temperature ", temperatures,
              ", shift ", shifts, "; calibration error on test ", test.text());
}

Json train_calibration(TrainCalibrationOptions const& o) {
  require<d16::FileError>(ends_with(o.out, ".safetensors"), o.out,
                          ": weights are a .safetensors file; give such a name");
  Network classifier(Task::disk, o.weights, o.device), denoiser(Task::denoise, o.denoiser, o.device);
  require<WeightsError>(classifier.size() == denoiser.size(), o.weights, ": takes ", classifier.size(), " pixels, ",
                        o.denoiser, " ", denoiser.size(), "; give two networks of one size");
  Json about = classifier.about();
  require<WeightsError>(about.is_object(), o.weights,
                        ": does not say how it was trained; d16 train disk makes weights");
  int64_t crop = about.has("crop") ? about.integer("crop") : 0, size = classifier.size(), wide = size + size / 2;
  d16::data::ThreeParts parts = split(load_pictures({o.data, o.labels, size, crop, o.limit}, crop));
  require<d16::FileError>(parts.test.size() > 0 && parts.validation.size() > 0, o.data, ": the split is ",
                          split_text(parts), "; more pictures are needed");
  Json list = Json::array({});
  auto add = [&](DiskCalibration const& c, DiskAnswers const& test) {
    CalibrationTest t = test_calibration(c, test, o.seed);
    list.push_back(json_of(c, t));
    say(words_of(c, t));
  };
  add(fit_calibration(Shown::clean, answers_on(classifier, parts.validation)), answers_on(classifier, parts.test));
  if (crop > 0) {  // telescopes see what is around a galaxy too
    int64_t wide_crop = crop + crop / 2;
    parts = split(load_pictures({o.data, o.labels, wide, wide_crop, o.limit}, wide_crop));
  }
  int64_t copies = 2, real = (3 * o.pictures / 4 + parts.test.size() - 1) / parts.test.size() * parts.test.size();
  int64_t simulated = std::max<int64_t>(0, o.pictures - real);
  Progress progress("pictures", copies * parts.validation.size() + real + simulated);
  std::vector<Judged> fitted = judge_pictures(denoiser, classifier, parts.validation, copies * parts.validation.size(),
                                              hash(text("validation/", o.seed)), progress);
  std::vector<Judged> tested =
      judge_pictures(denoiser, classifier, parts.test, real, hash(text("test/", o.seed)), progress);
  std::vector<Judged> fields =
      judge_simulated(denoiser, classifier, wide, simulated, hash(text("fields/", o.seed)), progress);
  Curves curves{.denoiser = sha256_of_file(o.denoiser), .command = command_line()};
  for (Shown shown : {Shown::noisy, Shown::denoised}) {
    DiskCalibration c = fit_calibration(shown, answers_of(fitted, shown));
    if (shown == Shown::denoised) c.denoiser = curves.denoiser;
    add(c, answers_of(tested, shown));
    add_cells(curves, "real galaxies, degraded", c, tested);
    add_cells(curves, "simulated galaxies", c, fields);
  }
  say_curves(curves);
  about["calibration"] = list, about["curves"] = json_of(curves);
  write_with_about(o.weights, o.out, about);
  say(text(o.out, ": the weights of ", o.weights, ", with their calibration and ", real, " + ", simulated,
           " simulated pictures"));
  return Json::object({{"weights", o.out}, {"calibration", list}, {"real", real}, {"simulated", simulated}});
}

}  // namespace tool
