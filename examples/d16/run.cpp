// d16 run: the whole job. Cutouts or mosaics in; catalog.csv, catalog.fits and report.html out, all or none of them.
#include <algorithm>
#include <cmath>
#include <memory>
#include <new>

#include <d16/core/random.hpp>
#include <d16/io/atomic_file.hpp>
#include <d16/vision/filter.hpp>

#include "ood.hpp"
#include "products.hpp"
#include "report.hpp"
#include "sample.hpp"
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
  double redshift = nan, posterior = nan, orbit = nan, seed = nan, ood = nan, residual = nan, p_cal = nan;
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
};

void add_note(std::string& note, std::string const& more) {
  if (!more.empty()) note += (note.empty() ? "" : "; ") + more;
}

/// One plane of the frame as a tensor.
Tensor tensor_of(Plane const& p) {
  Tensor out = d16::empty({p.h, p.w}, {.device = d16::Device()});
  std::copy(p.values.begin(), p.values.end(), out.data<float>());
  return out;
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

void give_up(Finding& f, std::string const& why) {
  f.object.frame = Frame();
  f.object.frame.flags = flag_unreadable, f.object.frame.note = why;
  f.shape.flags = shape_not_found;
}

/// The catalogue knows where the object is: a header that says another place is wrong.
void check_place(Tools const& t, size_t i, Frame& frame) {
  double ra = t.sample.ra(i), dec = t.sample.dec(i);
  double away = std::hypot((frame.ra - ra) * std::cos(dec * 0.017453292519943295), frame.dec - dec) * 3600;
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
  } catch (FileError const& error) {
    give_up(f, error.what());
  } catch (d16::Error const& error) {  // these do not know the file
    give_up(f, f.object.file + ": " + error.what());
  } catch (std::bad_alloc const&) {
    give_up(f, f.object.file + ": not enough memory for it; make smaller cutouts");
  }
  return f;
}

/// The frame with noise of its own errors added once more; bands that are one band have one noise.
Frame noisy(Finding const& f, uint64_t seed, size_t draw) {
  Frame frame = f.object.frame;
  frame.light = frame.light.clone();
  d16::Random random(seed ^ hash(f.object.id), draw);
  bool one = frame.bands[0] == frame.bands[1] && frame.bands[1] == frame.bands[2];
  for (int64_t i = 0; i < frame.size * frame.size; ++i) {
    double noise = random.normal();
    for (int64_t k = 0; k < 3; ++k) {
      if (k > 0 && !one) noise = random.normal();
      auto const& stretch = f.object.stretch.bands[size_t(k)];
      bool known = f.sigma.defined() && one && std::isfinite(f.sigma.data<float>()[i]);
      double sigma = known ? double(f.sigma.data<float>()[i]) : stretch.sigma;
      frame.light.data<float>()[3 * i + k] += float(sigma * noise);
    }
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
/// else what it makes of the frame with noise added again.
std::vector<Tensor> draw_denoised(Tools const& t, Finding const& f) {
  std::vector<Tensor> lights;
  size_t count = t.options.no_errors ? 0 : draws;
  if (f.object.std.defined()) {
    for (size_t k = 0; k < count; ++k) {
      d16::Random random(t.options.seed ^ hash(f.object.id), k);
      Tensor light = f.object.denoised.clone();
      for (int64_t i = 0; i < light.numel(); ++i)
        light.data<float>()[i] += float(random.normal()) * f.object.std.data<float>()[i];
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

/// The sixteen views of the dihedral group of order 16: turns by 45 degrees and their mirror images.
std::vector<Tensor> views_of(Tensor const& light, bool all) {
  if (!all) return {light};
  std::vector<Tensor> views;
  for (Tensor const& start : {light, d16::vision::flip_horizontal(light)})
    for (int k = 0; k < 8; ++k) views.push_back(k ? d16::vision::rotate(start, 45.0 * k) : start);
  return views;
}

void classify_finding(Tools const& t, std::vector<Tensor> const& drawn, Finding& f) {
  bool denoised = f.object.denoised.defined(), use_raw = t.options.raw || !denoised;
  Tensor const& base = use_raw ? f.object.frame.light : f.object.denoised;
  std::vector<Tensor> lights = views_of(base, !t.options.no_errors);
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

/// Flags that need the networks' answers.
void flag_finding(Tools const& t, Finding& f) {
  double threshold = t.classifiers[0].threshold();
  int32_t& flags = f.object.frame.flags;
  if (f.ood > far_out) flags |= flag_ood;
  if (f.residual > high_residual) flags |= flag_residual;
  bool both = std::isfinite(f.object.p_raw) && std::isfinite(f.object.p_denoised);
  if (both && (f.object.p_raw >= threshold) != (f.object.p_denoised >= threshold)) flags |= flag_changed;
}

void write_images(OutputFolder& out, Finding const& f, std::vector<io::FitsCard> const& made) {
  if (!f.object.denoised.defined()) return;
  int64_t size = f.object.frame.size;
  auto first = [](Tensor const& x) { return x.select(2, 0).contiguous(); };
  ProductPlanes planes{.raw = first(f.object.frame.light),
                       .error = f.sigma,
                       .denoised = first(f.object.denoised),
                       .std = f.std,
                       .residual = {},
                       .mask = f.mask.cast(d16::DType::u8)};
  if (!planes.error.defined()) planes.error = d16::full({size, size}, f.object.stretch.bands[0].sigma);
  planes.residual = (planes.raw - planes.denoised) / planes.error;
  out.write("denoised/" + f.object.id + ".fits",
            [&](std::string const& path) { write_products(path, f.object, planes, made); });
}

/// The share of disks in the training set, as training wrote it: "train 2378 (elliptical 1692, disk 686), ...".
double trained_prior(Network const& network) {
  Json const& about = network.about();
  std::string split = about.is_object() && about.has("split") ? about.string("split") : "";
  long long all = 0, others = 0, disks = 0;
  bool known = std::sscanf(split.c_str(), "train %lld (elliptical %lld, disk %lld)", &all, &others, &disks) == 3;
  return known && disks > 0 && disks < all ? double(disks) / double(all) : nan;
}

/// Probabilities with the temperature of the weights, at the frequency of disks that the user gave.
double calibrated(double p, double temperature, double odds) {
  if (std::isnan(p)) return nan;
  double z = std::log(std::max(p, 1e-7) / std::max(1 - p, 1e-7)) / temperature + std::log(odds);
  return 1 / (1 + std::exp(-z));
}
void calibrate(Network const& network, RunOptions const& o, std::vector<Finding>& all) {
  Json const& about = network.about();
  double temperature = about.is_object() && about.has("temperature") ? about.number("temperature") : 1;
  double odds = 1, trained = trained_prior(network);
  if (o.prior > 0) {
    require<d16::WeightsError>(trained > 0, network.path(),
                               ": does not say how frequent disks were in training, which --prior needs");
    odds = o.prior / (1 - o.prior) * (1 - trained) / trained;
  }
  for (Finding& f : all)
    f.p_cal =
        calibrated(o.raw || std::isnan(f.object.p_denoised) ? f.object.p_raw : f.object.p_denoised, temperature, odds);
}

/// The largest set of the surest objects whose mean p_disk_cal, its expected purity, is what was asked for.
std::vector<bool> pure_sample(std::vector<Finding> const& all, double purity) {
  std::vector<size_t> order;
  for (size_t i = 0; i < all.size(); ++i)
    if (std::isfinite(all[i].p_cal)) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return all[a].p_cal > all[b].p_cal; });
  std::vector<bool> in(all.size());
  double sum = 0;
  for (size_t n = 0; n < order.size() && (sum += all[order[n]].p_cal) >= purity * double(n + 1); ++n)
    in[order[n]] = true;
  return in;
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
      "p_disk_cal", [](F f) { return f.p_cal; }, "",
      "p_disk with the temperature of the weights, at the frequency of disks of --prior",
      "stat.probability;src.morph.type");
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
  if (t.options.purity > 0)
    out.add("in_sample", pure_sample(all, t.options.purity), "",
            text("of the largest sample with mean p_disk_cal of at least ", t.options.purity), "meta.code");
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

/// The distances that belong to the classifier, where they are: NAME.ood.json beside NAME.safetensors.
std::unique_ptr<OodScore> find_ood(std::string const& weights) {
  std::string path = weights.substr(0, weights.rfind('.')) + ".ood.json";
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
  Tools tools{o, sample, denoiser, classifiers, ood.get(), networks.size()};
  Report report{
      .input = o.input.empty() ? o.mosaic : o.input, .rows = {}, .exhibits = {}, .raw = o.raw, .zoom = o.zoom};
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
      if (o.images) write_images(out, f, made);
      ++readable;
    } else {
      if (problem.empty()) problem = f.object.frame.note;
      say(f.object.id + ": flagged: " + f.object.frame.note);
    }
    report.rows.push_back(row_of(f.object, o.raw));
    if (f.readable() && report.exhibits.size() < most_exhibits)
      report.exhibits.push_back(exhibit_of(f.object, report.rows.size() - 1));
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
  calibrate(classifier, o, all);
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
  say(text(o.out, "/catalog.csv, catalog.fits, catalog.reg, report.html: ", count, " objects, ", disks, " disk-like, ",
           count - bad - disks, " not, ", bad, " unreadable"));
  return Json::object({{"out", o.out},
                       {"objects", count},
                       {"disk_like", disks},
                       {"unreadable", bad},
                       {"seconds", watch.seconds()},
                       {"catalog", join(o.out, "catalog.fits")},
                       {"report", join(o.out, "report.html")},
                       {"denoiser", denoiser.path()},
                       {"classifier", classifier.path()},
                       {"forest", forest ? Json(forest->path()) : Json()},
                       {"ood", ood ? Json(ood->path()) : Json()}});
}

}  // namespace tool
