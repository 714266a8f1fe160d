// d16 simulate field: galaxies with a known truth, seen through a telescope, with one to three other objects in the way.
#include "simulate.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <d16/io/csv.hpp>
#include <d16/io/fits.hpp>
#include <d16/io/png.hpp>
#include <d16/sim/field.hpp>

#include "commands.hpp"
#include "frame.hpp"

namespace tool {

using d16::Random;
using d16::Tensor;
using d16::text;
using d16::ValueError;
namespace sim = d16::sim;
namespace io = d16::io;

Range parse_range(char const* option, std::string const& words) {
  Range r;
  char const *end = words.data() + words.size(), *at = words.data();
  auto number = [&](double& value) {
    auto [next, error] = std::from_chars(at, end, value);
    d16::require<ValueError>(error == std::errc() && std::isfinite(value), option, ": \"", words,
                             "\"; a number or LOW:HIGH is needed");
    at = next;
  };
  number(r.low);
  r.high = r.low;
  if (at != end && *at == ':') ++at, number(r.high);
  d16::require<ValueError>(at == end && r.low <= r.high, option, ": \"", words, "\"; a number or LOW:HIGH is needed");
  return r;
}

namespace {

constexpr double arcsec_per_pixel = 0.04;
// A detector of our own in an exposure of unit length: an empty pixel has a noise of about 2 nJy. Sky and light grow with
// the exposure, read noise does not.
constexpr sim::NoiseModel detector{.sky = 400, .read_noise = 5, .gain = 10, .correlation = 0.4};

struct Simulated {
  std::string id, galaxy;  ///< the galaxy's id is that of its clean image
  sim::Cutout cutout;
  double ra = 0, dec = 0;
};

sim::CutoutOptions cutout_options(SimulateOptions const& o) {
  Range snr = parse_range("--snr", o.snr), shear = parse_range("--shear", o.shear),
        fwhm = parse_range("--fwhm", o.fwhm), number = parse_range("--number", o.number);
  sim::CutoutOptions out{.size = o.size, .channels = o.channels, .least_r = 0.07, .most_r = 0.14};
  out.least_snr = snr.low, out.most_snr = snr.high, out.least_shear = shear.low, out.most_shear = shear.high;
  out.least_fwhm = fwhm.low, out.most_fwhm = fwhm.high;
  if (!o.psf.empty()) out.psf = io::read_fits(o.psf).pixels;
  out.noise = {detector.sky * o.exposure, detector.read_noise, detector.gain * o.exposure, o.correlation};
  out.contamination.scheme = sim::scheme_named(o.contaminants);
  out.contamination.least = int(number.low), out.contamination.most = int(number.high);
  out.contamination.spikes = int(o.spikes);
  return out;
}

/// The noise that the detector makes of these means.
Tensor sigma_of(Tensor const& light, sim::NoiseModel const& m) {
  Tensor out = d16::empty_like(light);
  for (int64_t i = 0; i < light.numel(); ++i) {
    double electrons = m.sky + m.read_noise * m.read_noise + m.gain * std::fmax(0, light.data<float>()[i]);
    out.data<float>()[i] = float(std::sqrt(electrons) / m.gain);
  }
  return out;
}

/// All variants of galaxy number i: everything about them follows from the seed and i.
std::vector<Simulated> simulate_one(SimulateOptions const& o, sim::CutoutOptions const& cutout, int64_t i) {
  Random random(o.seed, uint64_t(i));
  char name[32], variant[32] = "";
  std::snprintf(name, sizeof name, "sim_%05lld", static_cast<long long>(i + 1));
  std::vector<Simulated> out;
  for (sim::Cutout& c : sim::simulate_variants(random, cutout, o.variants)) {
    if (o.variants > 1) std::snprintf(variant, sizeof variant, "_v%02zu", out.size() + 1);
    out.push_back({std::string(name) + variant, name, std::move(c), 150.1 + double(i % 100) * 0.002,
                   2.2 + double(i / 100) * 0.002});
  }
  return out;
}

/// The usual keywords: north up, east left, the centre of the image at (ra, dec); and the truth.
std::vector<io::FitsCard> cards_of(Simulated const& s, std::string const& band, int64_t size) {
  double centre = double(size + 1) / 2, step = arcsec_per_pixel / 3600, degree = std::numbers::pi / 180;
  sim::Truth const& t = s.cutout.truth;
  std::vector<io::FitsCard> cards{{"BUNIT", "nJy", "per pixel; AB magnitude = 31.4 - 2.5 log10"},
                                  {"BAND", band, "simulated: no real filter"},
                                  {"CTYPE1", "RA---TAN"},
                                  {"CTYPE2", "DEC--TAN"},
                                  {"CRPIX1", centre},
                                  {"CRPIX2", centre},
                                  {"CRVAL1", s.ra, "deg, invented"},
                                  {"CRVAL2", s.dec, "deg, invented"},
                                  {"CD1_1", -step, "deg per pixel"},
                                  {"CD1_2", 0.0},
                                  {"CD2_1", 0.0},
                                  {"CD2_2", step, "deg per pixel"},
                                  {"SIMULATD", true, "all of it"},
                                  {"SIMCLASS", name_of(t.galaxy.kind), "truth: elliptical or disk"},
                                  {"SIMBT", t.galaxy.bulge_fraction, "truth: bulge to total light"},
                                  {"SIMSNR", t.snr, "truth: S/N of the light inside r_eff"},
                                  {"SIMREFW", t.re_over_fwhm(), "truth: r_eff / FWHM of the PSF"}};
  if (t.galaxy.kind == sim::Kind::disk)
    cards.push_back({"SIMINCL", t.galaxy.inclination() / degree, "deg, truth: of the disk, 0 face-on"});
  return cards;
}

std::vector<std::string> band_names(int64_t channels) {
  return channels == 1 ? std::vector<std::string>{"GREY"} : std::vector<std::string>{"RED", "GREEN", "BLUE"};
}

/// Each band of an image as an HDU, with its noise where that is given.
void write_bands(std::string const& path, Simulated const& s, Tensor const& image, Tensor const& sigma) {
  std::vector<io::FitsPlane> planes;
  std::vector<std::string> names = band_names(image.dim(2));
  for (size_t k = 0; k < names.size(); ++k) {
    auto cards = cards_of(s, names[k], image.dim(0));
    planes.push_back({names[k], image.select(2, int64_t(k)).contiguous(), cards});
    if (sigma.defined()) planes.push_back({names[k] + "_ERR", sigma.select(2, int64_t(k)).contiguous(), cards});
  }
  io::write_fits(path, planes);
}

/// Grey as three equal bands, as pictures have them.
Tensor coloured(Tensor const& x) { return x.dim(2) == 3 ? x : x.expand({x.dim(0), x.dim(1), 3}).contiguous(); }

void write_object(OutputFolder& out, Simulated const& s, SimulateOptions const& o, sim::NoiseModel const& noise,
                  bool first) {
  sim::Cutout const& c = s.cutout;
  std::string file = s.id + "." + o.format, clean = "clean/" + s.galaxy + "_clean." + o.format;
  if (o.format == "fits") {
    out.write(file, [&](std::string const& path) { write_bands(path, s, c.noisy, sigma_of(c.contaminated, noise)); });
    if (first) out.write(clean, [&](std::string const& path) { write_bands(path, s, c.clean, {}); });
    return;
  }
  auto stretch = fit_picture(coloured(c.noisy));
  out.write(file, [&](std::string const& path) { io::write_png(path, stretch.apply(coloured(c.noisy))); });
  if (first) out.write(clean, [&](std::string const& path) { io::write_png(path, stretch.apply(coloured(c.clean))); });
}

/// For the eye: a column for each of the first galaxies with noise, with contaminants alone, clean.
class ExampleSheet {
 public:
  explicit ExampleSheet(int64_t size) : size_(size) {}
  void add(sim::Cutout const& c) {
    if (columns_.size() == 8) return;
    auto stretch = fit_picture(coloured(c.noisy));
    std::vector<Tensor> rows;
    for (Tensor const& x : {c.noisy, c.contaminated, c.clean}) rows.push_back(stretch.apply(coloured(x)));
    columns_.push_back(std::move(rows));
  }
  Tensor picture() const {
    int64_t step = size_ + 2, W = step * int64_t(columns_.size());
    Tensor out = d16::full({3 * step, W, 3}, 1.0);
    for (size_t column = 0; column < columns_.size(); ++column)
      for (int64_t row = 0; row < 3; ++row)
        for (int64_t i = 0; i < size_; ++i)  // FITS rows count from below
          std::copy_n(columns_[column][size_t(row)].data<float>() + (size_ - 1 - i) * size_ * 3, size_ * 3,
                      out.data<float>() + ((row * step + 1 + i) * W + int64_t(column) * step + 1) * 3);
    return out;
  }

 private:
  int64_t size_;
  std::vector<std::vector<Tensor>> columns_;
};

template <class T, class F> std::vector<T> column(std::vector<Simulated> const& all, F const& value) {
  std::vector<T> out;
  for (Simulated const& s : all) out.push_back(T(value(s)));
  return out;
}

/// "star;disk": what is in the way.
std::string kinds_of(sim::Truth const& t) {
  std::string out;
  for (sim::Contaminant const& c : t.contaminants) out += (out.empty() ? "" : ";") + std::string(name_of(c.kind));
  if (t.trail) out += out.empty() ? "trail" : ";trail";
  return out;
}

io::Table truth_table(std::vector<Simulated> const& all, std::string const& format) {
  using S = Simulated const&;
  constexpr double degree = std::numbers::pi / 180;
  io::Table t;
  auto number = [&](char const* name, char const* unit, auto const& value) {
    t.column(name, column<float>(all, [&](S s) { return value(s.cutout.truth); }), {.unit = unit});
  };
  using T = sim::Truth const&;
  t.column("id", column<std::string>(all, [](S s) { return s.id; }));
  t.column("class", column<std::string>(all, [](S s) { return name_of(s.cutout.truth.galaxy.kind); }));
  t.column("file", column<std::string>(all, [&](S s) { return s.id + "." + format; }));
  t.column("ra", column<double>(all, [](S s) { return s.ra; }));
  t.column("dec", column<double>(all, [](S s) { return s.dec; }));
  number("x", "pix", [](T t) { return t.galaxy.x0; });
  number("y", "pix", [](T t) { return t.galaxy.y0; });
  number("flux_njy", "nJy", [](T t) { return t.galaxy.flux; });
  number("snr", "", [](T t) { return t.snr; });
  number("r_eff_px", "pix", [](T t) { return t.galaxy.r_eff(); });
  number("fwhm_px", "pix", [](T t) { return t.fwhm; });
  number("re_over_fwhm", "", [](T t) { return t.re_over_fwhm(); });
  number("sersic_n", "", [](T t) { return t.galaxy.n(); });
  number("bulge_to_total", "", [](T t) { return t.galaxy.bulge_fraction; });
  number("axis_ratio", "", [](T t) { return t.galaxy.q(); });
  number("apparent_axis_ratio", "", [](T t) { return t.galaxy.apparent_q(); });
  number("inclination_deg", "deg",
         [](T t) { return t.galaxy.kind == sim::Kind::disk ? t.galaxy.inclination() / degree : NAN; });
  number("theta_deg", "deg", [](T t) { return t.galaxy.theta / degree; });
  number("shear1", "", [](T t) { return t.galaxy.shear1; });
  number("shear2", "", [](T t) { return t.galaxy.shear2; });
  number("bar_to_disk", "", [](T t) { return t.galaxy.bar_fraction; });
  t.column("arms", column<int32_t>(all, [](S s) { return s.cutout.truth.galaxy.arms; }));
  t.column("clumps", column<int32_t>(all, [](S s) { return s.cutout.truth.galaxy.clumps; }));
  t.column("contaminants", column<int32_t>(all, [](S s) {
             return int64_t(s.cutout.truth.contaminants.size()) + s.cutout.truth.trail;
           }));
  t.column("contaminant_kinds", column<std::string>(all, [](S s) { return kinds_of(s.cutout.truth); }));
  return t;
}

}  // namespace

Json simulate(SimulateOptions const& o) {
  sim::CutoutOptions options = cutout_options(o);
  OutputFolder out(o.out);
  Progress progress("simulate", o.count);
  std::vector<Simulated> truth;
  ExampleSheet examples(o.size);
  for (int64_t i = 0; i < o.count; ++i) {
    std::vector<Simulated> variants = simulate_one(o, options, i);
    for (Simulated& s : variants) {
      bool first = &s == &variants[0];
      if (first) examples.add(s.cutout);
      write_object(out, s, o, options.noise, first);
      s.cutout = {{}, {}, {}, s.cutout.truth};
      truth.push_back(std::move(s));
    }
    progress.step();
  }
  out.write("truth.csv", [&](std::string const& path) { io::write_csv(path, truth_table(truth, o.format)); });
  out.commit();
  if (!o.sheet.empty()) io::write_png(o.sheet, examples.picture());
  say(text(o.out, ": ", o.count, " galaxies", o.variants > 1 ? text(", ", o.variants, " variants of each") : "", " (",
           o.format, "), the same without noise and neighbours in clean/, truth.csv"));
  return Json::object({{"out", o.out},
                       {"count", o.count},
                       {"variants", o.variants},
                       {"size", o.size},
                       {"seed", o.seed},
                       {"format", o.format},
                       {"contaminants", o.contaminants},
                       {"simulated", true},
                       {"truth", join(o.out, "truth.csv")}});
}

}  // namespace tool
