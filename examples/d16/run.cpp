// d16 run: the whole job. Cutouts or mosaics in; catalog.csv, catalog.fits and report.html out, all or none of them.
#include <algorithm>
#include <cmath>
#include <memory>
#include <new>

#include <d16/core/random.hpp>
#include <d16/io/atomic_file.hpp>
#include <d16/sim/drizzle_noise.hpp>
#include <d16/vision/views.hpp>

#include "corner_noise.hpp"
#include "ood.hpp"
#include "report.hpp"
#include "sample.hpp"
#include "sha256.hpp"
#include "shape.hpp"

namespace tool {

using d16::FileError;
using d16::require;
using d16::Tensor;
using d16::text;
namespace io = d16::io;

namespace {

constexpr size_t draws = 6;  // of noise, for the spread of the denoised image
constexpr double far_out = 0.99, high_residual = 2;

/// One object and all that is found out about it.
struct Finding {
  Object object;
  Shape shape;
  Tensor sigma, mask;  // of the frame, (size,size)
  Tensor std;          // of the denoised image
  bool simulated = false;
  double correlation = nan;  // of the noise of neighbouring pixels of the frame
  double redshift = nan, posterior = nan, orbit = nan, seed = nan, ood = nan, residual = nan;
  bool readable() const { return object.readable(); }
};

/// What the networks are asked with.
struct Tools {
  RunOptions const& options;
  Sample const& sample;
  Network& denoiser;
  std::vector<Network>& classifiers;
  OodScore* ood;
  int64_t size;
  std::optional<PureSample> pure = {};  ///< of --purity
};

void add_note(std::string& note, std::string const& more) {
  if (!more.empty()) note += (note.empty() ? "" : "; ") + more;
}

/// Which pixels of the frame are filled, and the errors of the others.
void add_planes(Band const& band, Finding& f) {
  Plane bad{band.image.h, band.image.w, std::vector<float>(band.image.values.size())};
  for (size_t i = 0; i < bad.values.size(); ++i)
    bad.values[i] = !std::isfinite(band.image.values[i]) || (!band.mask.empty() && band.mask.values[i] != 0);
  Frame const& frame = f.object.frame;
  f.mask = tensor_of(cut_like(bad, frame));
  for (int64_t i = 0; i < f.mask.numel(); ++i) f.mask.data<float>()[i] = !(f.mask.data<float>()[i] == 0);
  if (band.sigma.empty()) return;
  double averaged = std::max(1.0, frame.side / double(frame.size));  // pixels of the input on a side of one
  f.sigma = tensor_of(cut_like(band.sigma, frame)) / averaged;
}

/// The noise of neighbouring pixels of the frame, as it is in the corners of its whole cutout, drawn on the same grid.
double noise_correlation(Band const& band, Frame const& frame) {
  Frame whole = frame;
  double pixel = frame.side / double(frame.size), least = double(std::min(band.image.h, band.image.w));
  whole.size = int64_t(least / pixel), whole.side = double(whole.size) * pixel;
  whole.x = double(band.image.w - 1) / 2, whole.y = double(band.image.h - 1) / 2;
  return corner_correlation(cut_like(unmasked(band), whole));
}

void give_up(Finding& f, std::string const& why) {
  f.object.frame = Frame();
  f.object.frame.flags = flag_unreadable, f.object.frame.note = why;
  f.shape.flags = shape_not_found;
}

/// The catalogue knows where the object is: a header that says another place is wrong.
void check_place(Tools const& t, size_t i, Frame& frame) {
  double ra = t.sample.ra(i), dec = t.sample.dec(i);
  double away =
      std::hypot(std::remainder(frame.ra - ra, 360) * std::cos(dec * 0.017453292519943295), frame.dec - dec) * 3600;
  if (!(away > 1)) return;
  frame.flags |= flag_wcs;
  add_note(frame.note, text("the header says ", decimals(away, 1), " arcsec from the catalogue's place"));
}

Finding read_finding(Tools const& t, size_t i) {
  RunOptions const& o = t.options;
  Finding f;
  f.object.id = t.sample.id(i), f.object.file = t.sample.file(i), f.redshift = t.sample.redshift(i);
  try {
    Cutout cutout = t.sample.read(i);
    f.simulated = cutout.simulated;
    ShapeOptions wanted{.band = o.bands.empty() ? "" : o.bands[0], .redshift = f.redshift, .psf = o.psf};
    f.shape = measure_shape(cutout, wanted);
    f.object.frame = frame_of(cutout, f.shape, {t.size, o.bands, o.zoom});
    Frame& frame = f.object.frame;
    add_note(frame.note, f.shape.note);
    check_place(t, i, frame);
    std::string const& reference = frame.bands[0];
    auto band =
        std::find_if(cutout.bands.begin(), cutout.bands.end(), [&](Band const& b) { return b.name == reference; });
    add_planes(*band, f);
    if (o.fade > 0) f.correlation = noise_correlation(*band, frame);
  } catch (FileError const& error) {
    give_up(f, error.what());
  } catch (d16::Error const& error) {  // these do not know the file
    give_up(f, f.object.file + ": " + error.what());
  } catch (std::bad_alloc const&) {
    give_up(f, f.object.file + ": not enough memory for it; make smaller cutouts");
  }
  return f;
}

/// The frame with noise of its own errors added once more.
Frame noisy(Finding const& f, uint64_t seed, size_t draw) {
  Frame frame = f.object.frame;
  frame.light = frame.light.clone();
  d16::Random random(seed ^ hash(f.object.id), draw);
  bool one = frame.bands[0] == frame.bands[1] && frame.bands[1] == frame.bands[2];
  for (int64_t i = 0; i < frame.size * frame.size; ++i) {
    bool known = f.sigma.defined() && one && std::isfinite(f.sigma.data<float>()[i]);
    auto noise = for_each_band(frame.bands, [&](size_t k) {
      return random.normal() * (known ? double(f.sigma.data<float>()[i]) : f.object.stretch.bands[k].sigma);
    });
    for (size_t k = 0; k < 3; ++k) frame.light.data<float>()[3 * i + int64_t(k)] += float(noise[k]);
  }
  return frame;
}

double spread(std::vector<double> const& values) {
  double mean = 0, squares = 0, n = double(values.size());
  for (double v : values) mean += v / n;
  for (double v : values) squares += (v - mean) * (v - mean);
  return n > 1 ? std::sqrt(squares / (n - 1)) : nan;
}

/// Images that the network deems as likely as its best one: the best and its standard deviation, where it predicts one;
/// else what it makes of the frame with noise added again. In both, bands that are one band have one noise.
std::vector<Tensor> draw_denoised(Tools const& t, Finding const& f) {
  std::vector<Tensor> lights;
  size_t count = t.options.no_errors ? 0 : draws;
  if (f.object.std.defined()) {
    for (size_t k = 0; k < count; ++k) {
      d16::Random random(t.options.seed ^ hash(f.object.id), k);
      Tensor light = f.object.denoised.clone();
      for (int64_t i = 0; i < light.numel(); i += 3) {
        auto noise = for_each_band(f.object.frame.bands, [&](size_t) { return random.normal(); });
        for (int64_t c = 0; c < 3; ++c)
          light.data<float>()[i + c] += float(noise[size_t(c)]) * f.object.std.data<float>()[i + c];
      }
      lights.push_back(light);
    }
    return lights;
  }
  std::vector<Frame> frames;
  for (size_t k = 0; k < count; ++k) frames.push_back(noisy(f, t.options.seed, k));
  if (frames.empty()) return lights;
  for (Network::Denoised const& one : t.denoiser.denoise(frames))
    if (one.light.defined()) lights.push_back(one.light);
  return lights;
}

/// Denoised light, its standard deviation (first band), and chi^2 of the residual where nothing was filled.
std::vector<Tensor> denoise_finding(Tools const& t, Finding& f) {
  std::vector<Network::Denoised> first = t.denoiser.denoise({f.object.frame});
  f.object.denoised = first[0].light, f.object.stretch = first[0].stretch;
  if (first[0].std.defined()) f.object.std = first[0].std.contiguous();
  add_note(f.object.frame.note, first[0].problem);
  if (!f.object.denoised.defined()) return {};
  f.object.denoised = f.object.denoised.contiguous();
  std::vector<Tensor> lights = draw_denoised(t, f);
  int64_t size = t.size;
  f.std = d16::empty({size, size}, {.device = d16::Device()});
  double chi2 = 0, count = 0;
  for (int64_t i = 0; i < size * size; ++i) {
    std::vector<double> values;
    for (Tensor const& light : lights) values.push_back(double(light.data<float>()[3 * i]));
    f.std.data<float>()[i] = f.object.std.defined() ? f.object.std.data<float>()[3 * i] : float(spread(values));
    double sigma = f.sigma.defined() ? double(f.sigma.data<float>()[i]) : f.object.stretch.bands[0].sigma;
    double r = double(f.object.frame.light.data<float>()[3 * i]) - double(f.object.denoised.data<float>()[3 * i]);
    if (f.mask.data<float>()[i] != 0 || !(sigma > 0) || !std::isfinite(sigma)) continue;
    chi2 += r * r / (sigma * sigma), count += 1;
  }
  f.residual = count > 0 ? chi2 / count : nan;
  return lights;
}

void classify_finding(Tools const& t, std::vector<Tensor> const& drawn, Finding& f) {
  bool denoised = f.object.denoised.defined(), use_raw = t.options.raw || !denoised;
  Tensor const& base = use_raw ? f.object.frame.light : f.object.denoised;
  std::vector<Tensor> lights{base};
  if (!t.options.no_errors) lights = d16::vision::dihedral_views(base);
  size_t views = lights.size();
  lights.push_back(f.object.frame.light);
  if (denoised) lights.push_back(f.object.denoised);
  lights.insert(lights.end(), drawn.begin(), drawn.end());
  std::vector<double> p = t.classifiers[0].disk(lights);
  f.orbit = spread({p.begin(), p.begin() + int64_t(views)});
  f.object.p_raw = p[views];
  if (denoised) f.object.p_denoised = p[views + 1];
  f.posterior = spread({p.begin() + int64_t(views + 1 + denoised), p.end()});
  std::vector<double> seeds{p[0]};
  for (size_t k = 1; k < t.classifiers.size(); ++k) seeds.push_back(t.classifiers[k].disk({base})[0]);
  f.seed = spread(seeds);
  if (t.ood) f.ood = (*t.ood)({base})[0];
}

/// A real object with noise added until its S/N is 30, 10 and 3: uncorrelated noise would be easier to see through, so
/// it is correlated as that of its cutout.
Faded fade(Tools const& t, Finding const& f) {
  Frame const& frame = f.object.frame;
  int64_t size = frame.size;
  d16::sim::DrizzleNoise drizzled(std::isfinite(f.correlation) ? std::clamp(f.correlation, 0.0, 0.69) : 0);
  Faded out{f.object.id, {}, {}, {}};
  auto ask = [&](double snr, std::vector<Frame> const& frames) {
    std::vector<Tensor> lights;
    for (Frame const& one : frames) lights.push_back(one.light);
    for (Network::Denoised const& one : t.denoiser.denoise(frames))
      lights.push_back(one.light.defined() ? one.light.contiguous() : frames[0].light);
    std::vector<double> p = t.classifiers[0].disk(lights);
    double sums[2] = {};
    for (size_t i = 0; i < p.size(); ++i) sums[i / frames.size()] += p[i] / double(frames.size());
    out.snr.push_back(snr), out.raw.push_back(sums[0]), out.denoised.push_back(sums[1]);
  };
  for (double snr : {3.0, 10.0, 30.0}) {
    if (snr >= frame.snr) break;
    std::vector<Frame> frames;
    for (size_t draw = 0; draw < 3; ++draw) {
      d16::Random random(t.options.seed ^ hash(f.object.id + text(snr)), draw);
      frames.push_back(frame);
      Tensor& light = frames.back().light = frame.light.clone();
      double times = std::sqrt((frame.snr / snr) * (frame.snr / snr) - 1);
      for (size_t k = 0; k < 3; ++k) {
        size_t first = first_channel(frame.bands, k);
        double sigma = f.object.stretch.bands[k].sigma * times;
        if (first == k) drizzled.add(light.data<float>() + k, size, size, 3, sigma, 1e30, random);
        for (size_t i = 0; first < k && i < size_t(3 * size * size); i += 3)
          light.data<float>()[i + k] += light.data<float>()[i + first] - frame.light.data<float>()[i + first];
      }
    }
    ask(snr, frames);
  }
  ask(frame.snr, {frame});
  return out;
}

/// Flags that need the networks' answers.
void flag_finding(Tools const& t, Finding& f) {
  double threshold = t.classifiers[0].threshold();
  int32_t& flags = f.object.frame.flags;
  if (f.ood > far_out) flags |= flag_ood;
  if (f.residual > high_residual) flags |= flag_residual;
  bool both = std::isfinite(f.object.p_raw) && std::isfinite(f.object.p_denoised);
  if (both && (f.object.p_raw >= threshold) != (f.object.p_denoised >= threshold)) flags |= flag_changed;
}

/// The first band of the frame, before and after; undefined where there is no denoised image.
ProductPlanes planes_of(Finding const& f) {
  if (!f.object.denoised.defined()) return {};
  int64_t size = f.object.frame.size;
  auto first = [](Tensor const& x) { return x.select(2, 0).contiguous().to(d16::Device()); };
  ProductPlanes planes{.raw = first(f.object.frame.light),
                       .error = f.sigma,
                       .denoised = first(f.object.denoised),
                       .std = f.std,
                       .residual = {},
                       .mask = f.mask.cast(d16::DType::u8)};
  if (!planes.error.defined())
    planes.error = d16::full({size, size}, f.object.stretch.bands[0].sigma, {.device = d16::Device()});
  planes.residual = (planes.raw - planes.denoised) / planes.error;
  return planes;
}

/// The galaxy alone, as the frame shows it: simulations leave it in clean/, without the number of the variant. Undefined
/// where there is none.
Tensor clean_light(RunOptions const& o, Finding const& f) {
  std::string id = f.object.id;
  if (size_t at = id.rfind("_v"); at != id.npos && at + 4 == id.size()) id.resize(at);
  for (char const* end : {"_clean.fits", "_clean.png"}) {
    std::string path = join(join(o.input, "clean"), id + end);
    if (!is_file(path)) continue;
    Cutout clean = read_cutout({id, path, {path}});
    Frame const& frame = f.object.frame;
    Tensor out = d16::empty({frame.size, frame.size, 3}, {.device = d16::Device()});
    for (size_t k = 0; k < 3; ++k) {
      auto band = std::find_if(clean.bands.begin(), clean.bands.end(),
                               [&](Band const& b) { return lower(b.name) == lower(frame.bands[k]); });
      if (band == clean.bands.end()) return {};
      Plane plane = cut_like(band->image, frame);
      for (size_t i = 0; i < plane.values.size(); ++i)
        out.data<float>()[3 * i + k] = std::isfinite(plane.values[i]) ? plane.values[i] : 0.0f;
    }
    return frame.picture ? light_of(out) : out;
  }
  return {};
}

/// True classes of the rows: a disk or not; nothing for other words.
std::vector<std::optional<bool>> truth_of(Sample const& sample, std::string const& column) {
  std::vector<std::optional<bool>> out(sample.size());
  if (column.empty()) return out;
  require<d16::ValueError>(sample.has_catalogue(), "--truth ", column, ": is a column of --catalog, which is missing");
  std::vector<std::string> words = sample.rows().table.strings(column);
  for (size_t i = 0; i < out.size(); ++i) {
    std::string word = lower(words[i]);
    if (word == "disk" || word == "edge_on" || word.starts_with("spiral")) out[i] = true;
    if (word == "elliptical" || word == "spheroid") out[i] = false;
  }
  return out;
}

/// What --prior and --purity need, before any work is done.
std::optional<PureSample> wanted_sample(Network const& network, RunOptions const& o) {
  auto const& c = network.calibration();
  require<d16::WeightsError>(
      c || (o.prior == 0 && o.purity == 0), network.path(),
      ": carries no calibration, which --prior and --purity need; d16 train calibration adds it");
  if (!c) say(network.path() + " carries no calibration: p_disk_cal is left out; d16 train calibration adds it");
  if (c && c->shown == Shown::clean)
    say(network.path() + " is calibrated on clean pictures alone; d16 train calibration does it for this denoiser");
  if (o.purity == 0) return {};
  PureSample sample = pure_sample(*c, o.purity, o.prior > 0 ? o.prior : c->prior(), o.seed);
  say(sample.text());
  return sample;
}

template <class F> std::vector<float> numbers(std::vector<Finding> const& all, F const& value) {
  std::vector<float> out;
  for (Finding const& f : all) out.push_back(float(value(f)));
  return out;
}

/// The columns of a run behind those of the input.
Described results(Tools const& t, Report const& report, Networks const& networks, std::vector<Finding> const& all) {
  using F = Finding const&;
  Described out;
  auto ucd = [](std::string const& name) {
    if (name == "id") return "meta.id;meta.main";
    if (name == "ra") return "pos.eq.ra;meta.main";
    if (name == "dec") return "pos.eq.dec;meta.main";
    if (name.starts_with("p_disk")) return "stat.probability;src.morph.type";
    if (name == "disk") return "src.morph.type";
    if (name == "snr") return "stat.snr";
    if (name.starts_with("size")) return "phys.angSize;src";
    if (name == "flags") return "meta.code.qual";
    return name == "note" ? "meta.note" : "";
  };
  io::Table base = catalog(report.rows, networks, t.options.raw);
  for (io::Column const& c : base.columns()) {
    std::string name = c.name == "p_disk_denoised" ? "p_disk_den" : c.name;
    if (name == "id" && t.sample.has_catalogue()) continue;
    std::visit([&](auto const& values) { out.add(name, values, c.info.unit, c.info.comment, ucd(name)); }, c.values);
  }
  auto add = [&](char const* name, auto const& value, char const* unit, std::string what, char const* word) {
    out.add(name, numbers(all, value), unit, std::move(what), word);
  };
  add(
      "p_err_seed", [](F f) { return f.seed; }, "", "spread of p_disk over the classifiers; NaN with one",
      "stat.error");
  add(
      "p_err_posterior", [](F f) { return f.posterior; }, "",
      text("spread of p_disk_den over ", draws, " draws: by the predicted STD, or of noise, denoised again"),
      "stat.error");
  add(
      "p_err_orbit", [](F f) { return f.orbit; }, "", "spread of p_disk over 16 turned and mirrored views",
      "stat.error");
  add(
      "p_ood", [](F f) { return f.ood; }, "", "share of the validation set that lies nearer to the training set",
      "stat.likelihood");
  add(
      "resid_chi2", [](F f) { return f.residual; }, "", "mean ((raw - denoised) / sigma)^2 of the frame, unmasked",
      "stat.fit.chi2");
  add(
      "redshift_used", [](F f) { return f.redshift; }, "", "of the catalogue; it chooses band_used", "src.redshift");
  add(
      "lambda_rest", [](F f) { return wavelength(f.shape.band) / (1 + f.redshift); }, "um",
      "rest-frame wavelength of band_used", "em.wl.effective");
  std::vector<Shape> shapes;
  for (F f : all) shapes.push_back(f.shape);
  add_shape_columns(out, shapes);
  if (t.pure) {
    std::vector<bool> in;
    for (Row const& row : report.rows) in.push_back(row.p_cal >= t.pure->threshold);
    out.add("in_sample", in, "", t.pure->text(), "meta.code");
  }
  return out;
}

/// The columns of the catalogue that was given, and the results behind them.
void write_results(std::string const& path, Sample const& sample, Described const& found,
                   std::vector<io::FitsCard> cards) {
  if (!sample.has_catalogue()) return write_described(path, found, std::move(cards));
  HighzRows const& rows = sample.rows();
  io::Table renamed = rename_taken(found.table, rows.names);
  if (!ends_with(path, ".fits")) return write_highz_csv(path, rows, renamed);
  for (size_t i = 0; i < found.ucds.size(); ++i)
    if (!found.ucds[i].empty()) cards.push_back({"TUCD" + std::to_string(rows.names.size() + i + 1), found.ucds[i]});
  write_highz_fits(path, rows, renamed, cards);
}

/// Circles of r90 for DS9: green for disks, red for the others; boxes where nothing was found.
std::string regions(std::vector<Row> const& rows, double threshold) {
  std::string out = "# Region file format: DS9\nicrs\n";
  for (Row const& r : rows) {
    if (std::isnan(r.ra) || std::isnan(r.dec)) continue;
    double radius = r.r90 * r.scale;
    std::string label = r.id;
    std::erase_if(label, [](char c) { return c == '{' || c == '}'; });
    out += text("circle(", decimals(r.ra, 7), ",", decimals(r.dec, 7), ",", decimals(radius > 0 ? radius : 0.5, 3),
                "\") # color=",
                r.p_disk >= threshold  ? "green"
                : std::isnan(r.p_disk) ? "yellow"
                                       : "red",
                " text={", label, " ", decimals(r.p_disk, 2), "}\n");
  }
  return out;
}

/// The distances that belong to the classifier, where they are: NAME.ood.safetensors beside NAME.safetensors.
std::unique_ptr<OodScore> find_ood(std::string const& weights) {
  std::string path = weights.substr(0, weights.rfind('.')) + ".ood.safetensors";
  if (is_file(path)) return std::make_unique<OodScore>(path, weights);
  say(path + " is not there: p_ood is left out; d16 train ood makes it");
  return nullptr;
}

}  // namespace

Json run(RunOptions const& o) {
  OutputFolder out(o.out);
  Network denoiser(Task::denoise, find_weights(o.denoiser, "denoise.safetensors"), o.device);
  std::vector<Network> classifiers;
  for (std::string const& path : o.classifiers.empty() ? std::vector<std::string>{""} : o.classifiers)
    classifiers.emplace_back(Task::disk, find_weights(path, "disk.safetensors"), o.device);
  Network& classifier = classifiers[0];
  std::string const denoiser_sha256 = sha256_of_file(denoiser.path());
  classifier.prepare_for(o.raw ? Shown::noisy : Shown::denoised, denoiser_sha256);
  Networks networks{&denoiser, &classifier};
  std::optional<CasForest> forest = find_forest(o.forest);
  std::unique_ptr<OodScore> ood = find_ood(classifier.path());
  std::vector<std::string> weights{denoiser.path()};
  for (Network const& c : classifiers) weights.push_back(c.path());
  if (forest) weights.push_back(forest->path());
  if (ood) weights.push_back(ood->path());
  std::vector<io::FitsCard> made = provenance(weights, o.seed);

  Stopwatch watch;
  Sample sample(o);
  std::vector<std::optional<bool>> truth = truth_of(sample, o.truth);
  Tools tools{o, sample, denoiser, classifiers, ood.get(), networks.size(), wanted_sample(classifier, o)};
  Report report{.input = o.input.empty() ? o.mosaic : o.input, .raw = o.raw, .zoom = o.zoom};
  report.has_truth = std::any_of(truth.begin(), truth.end(), [](auto const& known) { return known.has_value(); });
  report.take_curves(curves_in(classifier.about(), classifier.path()), denoiser_sha256);
  if (tools.pure) report.sample = tools.pure->text();
  for (std::string const& path : weights) report.hashes.push_back(base_name(path) + ": sha256 " + sha256_of_file(path));
  std::vector<Finding> all;
  Progress progress("objects", int64_t(sample.size()));
  int64_t readable = 0;
  std::string problem;
  for (size_t i = 0; i < sample.size(); ++i) {
    Finding f = read_finding(tools, i);
    if (f.readable()) {
      std::vector<Tensor> drawn = denoise_finding(tools, f);
      classify_finding(tools, drawn, f);
      flag_finding(tools, f);
      bool fades = int64_t(report.faded.size()) < o.fade && f.object.frame.snr > 30 && f.object.denoised.defined();
      if (fades) report.faded.push_back(fade(tools, f));
      if (o.images && f.object.denoised.defined())
        out.write("denoised/" + f.object.id + ".fits",
                  [&](std::string const& path) { write_products(path, f.object, planes_of(f), made); });
      ++readable;
    } else {
      if (problem.empty()) problem = f.object.frame.note;
      say(f.object.id + ": flagged: " + f.object.frame.note);
    }
    report.rows.push_back(row_of(f.object, o.raw, classifier, o.prior));
    Row& row = report.rows.back();
    row.redshift = f.redshift, row.re_over_fwhm = f.shape.re() / f.shape.fwhm, row.truth = truth[i];
    report.simulated += f.simulated;
    if (f.readable()) report.show([&] { return exhibit_of(f.object, planes_of(f), clean_light(o, f), i); });
    f.shape.own = f.shape.neighbours = {}, f.shape.fit.model = {}, f.sigma = f.mask = f.std = {};
    f.object.denoised = f.object.std = f.object.frame.light = {};  // the numbers stay
    all.push_back(std::move(f));
    progress.step();
  }
  require<FileError>(readable > 0 || sample.size() > 1, problem);
  require<FileError>(readable > 0, report.input, ": none of its ", sample.size(),
                     " objects could be read; the first: ", problem);
  std::vector<Shape> shapes;
  for (Finding& f : all) shapes.push_back(f.shape);
  if (forest) add_cas(*forest, shapes);
  for (size_t i = 0; i < all.size(); ++i) all[i].shape.p_disk_cas = shapes[i].p_disk_cas;
  report.seconds = watch.seconds();

  std::vector<io::FitsCard> cards = made;
  cards.push_back({"HISTORY", "flags: " + flag_legend()});
  for (Network const* n : {&denoiser, &classifier})
    cards.push_back({"HISTORY", base_name(n->path()) + ": " + n->summary()});
  Described found = results(tools, report, networks, all);
  for (char const* name : {"catalog.csv", "catalog.fits"})
    out.write(name, [&](std::string const& path) { write_results(path, sample, found, cards); });
  out.write("catalog.reg",
            [&](std::string const& path) { io::write_file(path, regions(report.rows, classifier.threshold())); });
  out.write("report.html", [&](std::string const& path) { io::write_file(path, report_html(report, networks)); });
  check_interrupted();
  out.commit();

  int64_t bad = 0, disks = 0;
  for (Row const& row : report.rows)
    bad += (row.flags & flag_unreadable) != 0, disks += row.p_disk >= classifier.threshold();
  int64_t count = int64_t(report.rows.size());
  std::vector<Row const*> all_rows;
  for (Row const& row : report.rows) all_rows.push_back(&row);
  Expected const expected = expected_disks(all_rows);
  say(text(o.out, "/catalog.csv, catalog.fits, catalog.reg, report.html: ", count, " objects, ", disks, " disk-like, ",
           count - bad - disks, " not, ", bad, " unreadable"));
  if (classifier.calibration())
    say(text("expected disks: ", decimals(expected.sum, 1), " ± ", decimals(expected.half(), 1), ", ", expected.sure,
             " with p_disk_cal >= ", sure_disk));
  return Json::object({{"out", o.out},
                       {"objects", count},
                       {"disk_like", disks},
                       {"unreadable", bad},
                       {"expected_disks", classifier.calibration() ? Json(expected.sum) : Json()},
                       {"sample", tools.pure ? json_of(*tools.pure) : Json()},
                       {"seconds", watch.seconds()},
                       {"catalog", join(o.out, "catalog.fits")},
                       {"report", join(o.out, "report.html")},
                       {"denoiser", denoiser.path()},
                       {"classifier", classifier.path()},
                       {"forest", forest ? Json(forest->path()) : Json()},
                       {"ood", ood ? Json(ood->path()) : Json()}});
}

}  // namespace tool
