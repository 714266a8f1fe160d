// d16 classify --system highz: reads rows and cutouts, asks the classifiers, writes catalogue and report.
#include "classify_highz.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <stamp.hpp>

#include <d16/core/parallel.hpp>
#include <d16/io/atomic_file.hpp>

#include "highz_report.hpp"

namespace tool {

using d16::FileError;
using d16::require;
using d16::text;
namespace io = d16::io;

namespace {

constexpr size_t chunk = 64;         // objects in memory at a time
constexpr double faint = 5;          // S/N below which LOW_SNR is set
constexpr int32_t fewest_bands = 2;  // one flux has no colour

/// The classifiers of a job: of cutouts, and of catalogue fluxes. Either may be absent.
struct Classifiers {
  std::unique_ptr<HighzPredictor> pixels, own_fluxes;
  HighzPredictor* fluxes = nullptr;  // own_fluxes, or pixels where those are trees

  std::vector<HighzPredictor const*> list() const {
    std::vector<HighzPredictor const*> out;
    if (pixels) out.push_back(pixels.get());
    if (own_fluxes) out.push_back(own_fluxes.get());
    return out;
  }
};

/// The first of these weights that this program has; the error of the last when it has none.
std::string find_first(std::vector<std::string> const& names) {
  for (size_t i = 0; i + 1 < names.size(); ++i) try {
      return find_weights("", names[i]);
    } catch (FileError const&) {  // the next one may be there
    }
  return find_weights("", names.back());
}

std::unique_ptr<HighzPredictor> load(std::string const& path, ClassifyHighzOptions const& o) {
  return std::make_unique<HighzPredictor>(path, o.device, o.choices.prior, o.choices.thresholds);
}

Classifiers load_classifiers(HighzRows const& rows, ClassifyHighzOptions const& o) {
  Classifiers out;
  auto with_files =
      std::count_if(rows.cutout.begin(), rows.cutout.end(), [](auto const& c) { return !c.files.empty(); });
  bool some = with_files > 0, others = with_files < int64_t(rows.size()) && !rows.flux.empty();
  if (some) out.pixels = load(o.weights.empty() ? find_first({"highz.safetensors", "highz.json"}) : o.weights, o);
  if (!others) return out;
  std::string trees = o.choices.trees;
  if (trees.empty() && out.pixels && out.pixels->trees()) out.fluxes = out.pixels.get();
  else if (trees.empty() && !o.weights.empty() && !some) trees = o.weights;
  else if (trees.empty()) try {
      trees = find_weights("", "highz.json");
    } catch (FileError const&) {
      if (!some) throw;  // else the rows without a cutout are flagged
    }
  if (trees.empty()) return out;
  out.own_fluxes = load(trees, o);
  require<d16::WeightsError>(out.own_fluxes->trees(), trees,
                             ": is a network, which needs images; give --cutouts, or "
                             "trees (.json) for a catalogue of fluxes");
  out.fluxes = out.own_fluxes.get();
  return out;
}

/// The numbers of one job.
struct Job {
  ClassifyHighzOptions const& options;
  HighzRows const& rows;
  Classifiers classifiers;
  std::vector<HighzResult> results;
  HighzExhibits exhibits;
};

void remember(HighzResult& result, std::string const& note) {
  if (!note.empty()) result.note += (result.note.empty() ? "" : "; ") + note;
}

/// The answer of a classifier, unless the row has too little for one.
void decide(HighzResult& result, HighzAnswer const& answer, char const* used) {
  bool hopeless = result.flags & (highz_read_error | highz_no_detection);
  if (result.n_bands < fewest_bands) remember(result, text(result.n_bands, " bands; two or more are needed"));
  HighzProbabilities const& p = answer.p;
  if (hopeless || result.n_bands < fewest_bands || !std::isfinite(p[0] + p[1] + p[2])) return;
  result.p = p, result.call = answer.call, result.used = used;
}

/// Objects prepared together, or one by one when one of them cannot be; that one gives no inputs but the reason.
struct Prepared {
  std::vector<size_t> which;  // rows
  HighzInputs inputs;
};
std::vector<Prepared> prepare(std::vector<size_t> const& which, std::vector<BandObject> const& objects,
                              std::vector<HighzResult>& results) {
  try {
    return {{which, prepare_highz(objects)}};
  } catch (d16::Error const&) {  // of one of them: the others go on
  }
  std::vector<Prepared> out;
  for (size_t k = 0; k < which.size(); ++k) try {
      out.push_back({{which[k]}, prepare_highz({objects[k]})});
    } catch (d16::Error const& error) {
      results[which[k]].flags |= highz_read_error;
      remember(results[which[k]], error.what());
    }
  return out;
}

void take_over(Job& job, Prepared const& prepared, std::vector<BandObject const*> const& objects) {
  HighzInputs const& in = prepared.inputs;
  std::vector<HighzAnswer> answers = job.classifiers.pixels->of_objects(in);
  for (size_t k = 0; k < prepared.which.size(); ++k) {
    HighzResult& result = job.results[prepared.which[k]];
    result.flags |= in.flags[k];
    result.snr = in.snr[k], result.compactness = in.compactness[k], result.half_light = in.half_light_arcsec[k];
    result.flux = in.flux[k], result.error = in.flux_error[k];
    for (int64_t b = 0; b < highz_bands; ++b)
      result.n_bands += in.valid.data<float>()[int64_t(k) * highz_bands + b] > 0;
    decide(result, answers[k], "pixels");
    job.exhibits.offer(result, {prepared.which[k], objects[k]->image, in.image.select(0, int64_t(k)).clone()});
  }
}

void classify_cutouts(Job& job, std::vector<size_t> const& which) {
  HighzReading reading{job.options.choices.pixel_unit, job.options.choices.pixel_arcsec};
  std::vector<HighzCutout> cutouts(which.size());
  d16::parallel_tasks(int64_t(which.size()), [&](int64_t k) {
    cutouts[size_t(k)] = read_highz_cutout(job.rows.cutout[which[size_t(k)]], reading);
  });
  std::vector<size_t> good;
  std::vector<BandObject> objects;
  for (size_t k = 0; k < which.size(); ++k) {
    HighzResult& result = job.results[which[k]];
    result.flags |= cutouts[k].flags, result.ra = cutouts[k].ra, result.dec = cutouts[k].dec;
    remember(result, cutouts[k].note);
    if (!cutouts[k].readable()) continue;
    good.push_back(which[k]), objects.push_back(cutouts[k].object);
  }
  if (good.empty()) return;
  for (Prepared const& prepared : prepare(good, objects, job.results)) {
    std::vector<BandObject const*> own;
    for (size_t row : prepared.which)
      own.push_back(&objects[size_t(std::find(good.begin(), good.end(), row) - good.begin())]);
    take_over(job, prepared, own);
  }
}

/// S/N of the mean flux, each band weighted by 1 / error^2: as that of a detection image of all bands.
double flux_snr(BandNumbers const& flux, BandNumbers const& error) {
  double sum = 0, weights = 0;
  for (size_t b = 0; b < flux.size(); ++b)
    if (std::isfinite(flux[b])) sum += flux[b] / (error[b] * error[b]), weights += 1 / (error[b] * error[b]);
  return weights > 0 ? sum / std::sqrt(weights) : nan;
}

void classify_fluxes(Job& job, std::vector<size_t> const& which) {
  std::vector<BandNumbers> flux, error;
  for (size_t row : which) flux.push_back(job.rows.flux[row]), error.push_back(job.rows.error[row]);
  std::vector<HighzAnswer> answers = job.classifiers.fluxes->of_fluxes(flux, error);
  for (size_t k = 0; k < which.size(); ++k) {
    HighzResult& result = job.results[which[k]];
    result.flux = flux[k], result.error = error[k], result.snr = flux_snr(flux[k], error[k]);
    result.n_bands = int32_t(std::count_if(flux[k].begin(), flux[k].end(), [](double f) { return std::isfinite(f); }));
    if (result.n_bands < highz_bands) result.flags |= highz_missing_band;
    if (result.snr < faint) result.flags |= highz_low_snr;
    if (job.rows.units_assumed) result.flags |= highz_units_assumed;
    decide(result, answers[k], "fluxes");
    job.exhibits.offer(result, {which[k], {}, {}});
  }
}

void classify_rows(Job& job) {
  Progress progress("rows", int64_t(job.rows.size()));
  job.results.resize(job.rows.size());
  for (size_t begin = 0; begin < job.rows.size(); begin += chunk) {
    size_t end = std::min(begin + chunk, job.rows.size());
    std::vector<size_t> with_cutout, with_fluxes;
    for (size_t row = begin; row < end; ++row) {
      if (!job.rows.cutout[row].files.empty()) with_cutout.push_back(row);
      else if (job.classifiers.fluxes) with_fluxes.push_back(row);
      else
        job.results[row].flags |= highz_read_error,
            remember(job.results[row], "no cutout for this id, and no trees for its fluxes");
    }
    if (!with_cutout.empty()) classify_cutouts(job, with_cutout);
    if (!with_fluxes.empty()) classify_fluxes(job, with_fluxes);
    for (size_t row = begin; row < end; ++row) progress.step();
  }
}

template <class T, class F> std::vector<T> column(std::vector<HighzResult> const& results, F const& value) {
  std::vector<T> out;
  for (HighzResult const& result : results) out.push_back(T(value(result)));
  return out;
}

io::Table result_table(Job const& job) {
  using R = HighzResult const&;
  std::vector<HighzResult> const& results = job.results;
  io::Table t;
  std::string priors = highz_frequencies(job.classifiers.list()[0]->prior());
  std::string const meaning[3] = {"galaxy below the threshold redshift", "galaxy from the threshold redshift on",
                                  "brown dwarf"};
  char const* names[3] = {"p_lowz", "p_highz", "p_bd"};
  std::string rule;
  for (HighzPredictor const* c : job.classifiers.list())
    rule += (rule.empty() ? "" : "; from fluxes: ") + highz_rule_text(*c);
  for (size_t k = 0; k < 3; ++k)
    t.column(names[k], column<float>(results, [k](R r) { return r.p[k]; }),
             {"", text("probability: ", meaning[k], "; for class frequencies ", priors, "; NaN: see flags")});
  t.column("class", column<std::string>(results, [](R r) { return r.classified() ? highz_classes[r.call] : ""; }),
           {"", rule});
  t.column("n_bands", column<int32_t>(results, [](R r) { return r.n_bands; }), {"", "bands with data, of seven"});
  t.column("snr", column<float>(results, [](R r) { return r.snr; }),
           {"", "signal to noise: F277W+F356W+F444W in 0.15 arcsec, or all fluxes of the catalogue"});
  t.column("compactness", column<float>(results, [](R r) { return r.compactness; }),
           {"", "flux in a diameter of 0.32 over that in 0.16 arcsec, F277W+F356W+F444W"});
  t.column("half_light", column<float>(results, [](R r) { return r.half_light; }),
           {"arcsec", "radius with half of the light, F277W+F356W+F444W, not corrected for the PSF"});
  t.column("flags", column<int32_t>(results, [](R r) { return r.flags; }), {"", "sum of " + highz_flag_text()});
  t.column("used", column<std::string>(results, [](R r) { return r.used; }),
           {"", "what the probabilities are from: pixels or fluxes"});
  t.column("note", column<std::string>(results, [](R r) { return r.note; }), {"", "what went wrong or was assumed"});
  if (job.rows.fits.empty() && job.rows.flux.empty()) {
    t.column("ra", column<double>(results, [](R r) { return r.ra; }),
             {"deg", "middle of the cutout by its header, ICRS"});
    t.column("dec", column<double>(results, [](R r) { return r.dec; }),
             {"deg", "middle of the cutout by its header, ICRS"});
  }
  return rename_taken(t, job.rows.names);
}

/// How the catalogue was made, for its header.
std::vector<io::FitsCard> cards_of(Job const& job) {
  std::vector<io::FitsCard> cards{{"D16VERS", text("d16 ", d16::stamp::version, " ", d16::stamp::commit), "program"}};
  for (HighzPredictor const* c : job.classifiers.list()) {
    std::string which = c == job.classifiers.pixels.get() ? "1" : "2";
    cards.push_back(
        {"D16WGHT" + which, base_name(c->path()), which == "1" ? "weights for pixels" : "weights for fluxes"});
    cards.push_back({"D16SHA" + which, c->sha256()});
    cards.push_back({"D16SIM" + which, c->simulated(), "those weights were trained on SIMULATED data"});
    if (std::isfinite(c->redshift()))
      cards.push_back({"D16Z" + which, c->redshift(), "redshift from which high_z begins"});
    cards.push_back({"D16PRI" + which, highz_frequencies(c->prior()), "class frequencies low_z:high_z:brown_dwarf"});
    cards.push_back({"D16THZ" + which, c->thresholds().high_z, "threshold of high_z"});
    cards.push_back({"D16TBD" + which, c->thresholds().brown_dwarf, "threshold of brown_dwarf"});
    cards.push_back({"D16PRT" + which, highz_frequencies(c->threshold_prior()), "frequencies of the thresholds"});
  }
  cards.push_back({"HISTORY", command_line()});
  cards.push_back({"HISTORY", "flags: " + highz_flag_text()});
  for (HighzPredictor const* c : job.classifiers.list()) {
    if (c->simulated()) cards.push_back({"HISTORY", base_name(c->path()) + " was trained on SIMULATED data"});
    if (std::string words = c->expectation(); !words.empty())
      cards.push_back({"HISTORY", text("to be expected of ", base_name(c->path()), ": ", words)});
  }
  if (job.rows.simulated) cards.push_back({"HISTORY", "the input is SIMULATED data"});
  return cards;
}

bool is_catalogue_name(std::string const& out) {
  return ends_with(lower(out), ".fits") || ends_with(lower(out), ".csv");
}

void write_catalogue(std::string const& path, Job const& job, io::Table const& table) {
  if (ends_with(lower(path), ".fits")) write_highz_fits(path, job.rows, table, cards_of(job));
  else write_highz_csv(path, job.rows, table);
}

void check(ClassifyHighzOptions const& o) {
  auto bad = [](double v) { return !(v >= 0) || !std::isfinite(v); };
  auto const& [prior, t] = std::pair(o.choices.prior, o.choices.thresholds);
  bool good_prior = prior.empty() || (prior.size() == 3 && std::none_of(prior.begin(), prior.end(), bad) &&
                                      prior[0] + prior[1] + prior[2] > 0);
  require<d16::ValueError>(good_prior,
                           "--prior: three frequencies, of low-z, high-z and brown dwarf, are needed, such as "
                           "722,722,11");
  require<d16::ValueError>(t.empty() || (t.size() == 2 && std::none_of(t.begin(), t.end(), bad)),
                           "--threshold: two probabilities, of high-z and brown dwarf, are needed, such as 0.9,0.6");
}

/// The file or the folder of the answer, refused before the work when it cannot be written.
class Destination {
 public:
  explicit Destination(std::string const& out) : out_(out) {
    if (is_catalogue_name(out)) io::AtomicFile probe(out);
    else folder_.emplace(out);
  }
  void write(Job const& job, io::Table const& table, HighzReport const& report) {
    if (!folder_) {
      write_catalogue(out_, job, table);
      return;
    }
    for (char const* name : {"catalog.fits", "catalog.csv"})
      folder_->write(name, [&](std::string const& path) { write_catalogue(path, job, table); });
    folder_->write("report.html", [&](std::string const& path) { io::write_file(path, highz_report_html(report)); });
    folder_->commit();
  }
  std::string catalogue() const { return folder_ ? join(out_, "catalog.fits") : out_; }

 private:
  std::string out_;
  std::optional<OutputFolder> folder_;
};

Json answer(Job const& job, std::string const& catalogue) {
  Json counts = Json::Object(), weights = Json::Array();
  for (int k = 0; k < 3; ++k)
    counts[highz_classes[k]] =
        std::count_if(job.results.begin(), job.results.end(), [k](auto& r) { return r.call == k; });
  for (HighzPredictor const* c : job.classifiers.list())
    weights.push_back(Json::object({{"file", c->path()},
                                    {"sha256", c->sha256()},
                                    {"simulated", c->simulated()},
                                    {"threshold_high_z", c->thresholds().high_z},
                                    {"threshold_brown_dwarf", c->thresholds().brown_dwarf},
                                    {"expectation", c->expectation()}}));
  auto count = [&](auto const& what) { return int64_t(std::count_if(job.results.begin(), job.results.end(), what)); };
  return Json::object({{"catalog", catalogue},
                       {"rows", job.results.size()},
                       {"classes", counts},
                       {"not_classified", count([](HighzResult const& r) { return !r.classified(); })},
                       {"unreadable", count([](HighzResult const& r) { return (r.flags & highz_read_error) != 0; })},
                       {"weights", weights}});
}

}  // namespace

Json classify_highz(ClassifyHighzOptions const& o) {
  Stopwatch watch;
  check(o);
  HighzRows rows = list_highz({o.input, o.choices.cutouts, o.choices.unit, o.choices.aperture});
  Classifiers classifiers = load_classifiers(rows, o);
  Job job{o, rows, std::move(classifiers), {}, {}};
  Destination destination(o.out);
  classify_rows(job);
  auto readable = [](HighzResult const& r) { return !(r.flags & highz_read_error); };
  if (std::none_of(job.results.begin(), job.results.end(), readable)) {
    require<FileError>(job.results.size() > 1, job.results[0].note);
    throw FileError(text(o.input, ": none of its ", job.results.size(),
                         " objects could be read; the first: ", job.results[0].note));
  }
  io::Table table = result_table(job);
  destination.write(
      job, table,
      {rows, job.results, table, job.exhibits, job.classifiers.list(), o.input, highz_flag_text(), watch.seconds()});
  for (std::string const& note : rows.notes) say("note: " + note);
  for (HighzPredictor const* c : job.classifiers.list())
    if (std::string words = c->expectation(); !o.choices.prior.empty() && !words.empty())
      say(text(base_name(c->path()), " at ", highz_frequencies(c->prior()), ", to be expected: ", words));
  Json out = answer(job, destination.catalogue());
  if (rows.size() <= 20)
    for (size_t i = 0; i < rows.size(); ++i) {
      HighzResult const& r = job.results[i];
      say(text(rows.id[i], ": ", r.classified() ? highz_classes[r.call] : "not classified", "  p_lowz ",
               decimals(r.p[0], 3), "  p_highz ", decimals(r.p[1], 3), "  p_bd ", decimals(r.p[2], 3), "  flags ",
               r.flags, r.note.empty() ? "" : "  " + r.note));
    }
  say(text(destination.catalogue(), ": ", rows.size(), " rows, ", out.integer("not_classified"),
           " of them not classified"));
  return out;
}

}  // namespace tool
