// d16 simulate: galaxies with a known truth, seen through a telescope, with one to three other objects in the way.
#include <cmath>

#include <d16/io/csv.hpp>
#include <d16/io/fits.hpp>
#include <d16/io/png.hpp>
#include <d16/sim/contamination.hpp>

#include "commands.hpp"
#include "frame.hpp"

namespace tool {

using d16::Random;
using d16::Tensor;
using d16::text;
namespace sim = d16::sim;
namespace io = d16::io;

namespace {

constexpr double arcsec_per_pixel = 0.04;
constexpr char const* band_names[3] = {"RED", "GREEN", "BLUE"};
constexpr int64_t margin = 8;  // simulated beyond the edges, so that the PSF brings in light from there
// A detector of our own: an empty pixel has a noise of about 2 nJy.
constexpr sim::NoiseModel detector{.sky = 400, .read_noise = 5, .gain = 10, .correlation = 0.4};

struct Simulated {
  std::string id;
  sim::Galaxy galaxy;
  double snr = 0, ra = 0, dec = 0;
  int64_t contaminants = 0;
  Tensor clean, noisy, sigma;
};

Tensor inner(Tensor const& canvas) {
  int64_t n = canvas.dim(0);
  return canvas.slice(0, margin, n - margin).slice(1, margin, n - margin).contiguous();
}

/// The noise that the detector makes of these means.
Tensor sigma_of(Tensor const& light) {
  Tensor out = d16::empty_like(light);
  for (int64_t i = 0; i < light.numel(); ++i) {
    double electrons =
        detector.sky + detector.read_noise * detector.read_noise + detector.gain * std::fmax(0, light.data<float>()[i]);
    out.data<float>()[i] = float(std::sqrt(electrons) / detector.gain);
  }
  return out;
}

/// Object number i: everything about it follows from the seed and i.
Simulated simulate_one(SimulateOptions const& o, int64_t i) {
  Random random(o.seed, uint64_t(i));
  Simulated s;
  char name[32];
  std::snprintf(name, sizeof name, "sim_%05lld", static_cast<long long>(i + 1));
  s.id = name;
  sim::Kind kind = random.uniform() < 0.5 ? sim::Kind::elliptical : sim::Kind::disk;
  double r_eff = double(o.size) * random.uniform(0.07, 0.14);
  s.galaxy = sim::random_galaxy(random, kind, r_eff);
  s.snr = std::exp(random.uniform(std::log(30.0), std::log(400.0)));
  s.galaxy.flux = s.snr * detector.sigma() * std::sqrt(3.14159265 * 4 * r_eff * r_eff);
  int64_t side = o.size + 2 * margin;
  s.galaxy.x0 = double(side - 1) / 2 + random.uniform(-1, 1),
  s.galaxy.y0 = double(side - 1) / 2 + random.uniform(-1, 1);
  Tensor psf = sim::moffat_psf(11, random.uniform(1.6, 2.6));
  Tensor alone = d16::zeros({side, side, 3});
  sim::add_galaxy(alone, s.galaxy);
  Tensor crowded = alone.clone();
  s.contaminants = int64_t(sim::add_contaminants(crowded, random, s.galaxy.flux, {}, margin).size());
  s.clean = inner(sim::convolve(alone, psf));
  Tensor light = inner(sim::convolve(crowded, psf));
  s.noisy = sim::add_noise(light, random, detector);
  s.sigma = sigma_of(light);
  s.galaxy.x0 -= margin, s.galaxy.y0 -= margin;
  s.ra = 150.1 + double(i % 100) * 0.002, s.dec = 2.2 + double(i / 100) * 0.002;
  return s;
}

/// The usual keywords: north up, east left, the centre of the image at (ra, dec).
std::vector<io::FitsCard> cards_of(Simulated const& s, std::string const& band, int64_t size) {
  double centre = double(size + 1) / 2, step = arcsec_per_pixel / 3600;
  return {{"BUNIT", "nJy", "per pixel; AB magnitude = 31.4 - 2.5 log10"},
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
          {"CD2_2", step, "deg per pixel"}};
}

void write_bands(std::string const& path, Simulated const& s, Tensor const& image, bool with_sigma) {
  std::vector<io::FitsPlane> planes;
  for (int k = 0; k < 3; ++k) {
    auto cards = cards_of(s, band_names[k], image.dim(0));
    planes.push_back({band_names[k], image.select(2, k).contiguous(), cards});
    if (with_sigma) planes.push_back({std::string(band_names[k]) + "_ERR", s.sigma.select(2, k).contiguous(), cards});
  }
  io::write_fits(path, planes);
}

void write_object(OutputFolder& out, Simulated const& s, std::string const& format) {
  std::string file = s.id + "." + format, clean = "clean/" + s.id + "_clean." + format;
  if (format == "fits") {
    out.write(file, [&](std::string const& path) { write_bands(path, s, s.noisy, true); });
    out.write(clean, [&](std::string const& path) { write_bands(path, s, s.clean, false); });
    return;
  }
  auto stretch = fit_picture(s.noisy);
  out.write(file, [&](std::string const& path) { io::write_png(path, stretch.apply(s.noisy)); });
  out.write(clean, [&](std::string const& path) { io::write_png(path, stretch.apply(s.clean)); });
}

template <class T, class F> std::vector<T> column(std::vector<Simulated> const& all, F const& value) {
  std::vector<T> out;
  for (Simulated const& s : all) out.push_back(T(value(s)));
  return out;
}

io::Table truth_table(std::vector<Simulated> const& all, std::string const& format) {
  using S = Simulated const&;
  io::Table t;
  t.column("id", column<std::string>(all, [](S s) { return s.id; }));
  t.column("class", column<std::string>(all, [](S s) { return name_of(s.galaxy.kind); }));
  t.column("file", column<std::string>(all, [&](S s) { return s.id + "." + format; }));
  t.column("ra", column<double>(all, [](S s) { return s.ra; }));
  t.column("dec", column<double>(all, [](S s) { return s.dec; }));
  t.column("x", column<float>(all, [](S s) { return s.galaxy.x0; }));
  t.column("y", column<float>(all, [](S s) { return s.galaxy.y0; }));
  t.column("flux_njy", column<float>(all, [](S s) { return s.galaxy.flux; }));
  t.column("snr", column<float>(all, [](S s) { return s.snr; }));
  t.column("r_eff_px", column<float>(all, [](S s) { return s.galaxy.r_eff(); }));
  t.column("sersic_n", column<float>(all, [](S s) { return s.galaxy.n(); }));
  t.column("axis_ratio", column<float>(all, [](S s) { return s.galaxy.q(); }));
  t.column("theta_deg", column<float>(all, [](S s) { return s.galaxy.theta * 180 / 3.14159265358979; }));
  t.column("contaminants", column<int32_t>(all, [](S s) { return s.contaminants; }));
  return t;
}

}  // namespace

Json simulate(SimulateOptions const& o) {
  OutputFolder out(o.out);
  Progress progress("simulate", o.count);
  std::vector<Simulated> truth;
  for (int64_t i = 0; i < o.count; ++i) {
    Simulated s = simulate_one(o, i);
    write_object(out, s, o.format);
    s.clean = s.noisy = s.sigma = Tensor();
    truth.push_back(std::move(s));
    progress.step();
  }
  out.write("truth.csv", [&](std::string const& path) { io::write_csv(path, truth_table(truth, o.format)); });
  out.commit();
  say(text(o.out, ": ", o.count, " galaxies (", o.format,
           "), the same without noise and neighbours in clean/, truth.csv"));
  return Json::object({{"out", o.out},
                       {"count", o.count},
                       {"size", o.size},
                       {"seed", o.seed},
                       {"format", o.format},
                       {"truth", join(o.out, "truth.csv")}});
}

}  // namespace tool
