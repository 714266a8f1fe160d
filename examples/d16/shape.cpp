// Shapes of objects without a network: bodies of shape.hpp.
#include "shape.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include <d16/io/fits.hpp>
#include <d16/sim/psf.hpp>
#include <d16/vision/background.hpp>
#include <d16/vision/filter.hpp>
#include <d16/vision/segment.hpp>

#include "highz_cutout.hpp"

namespace tool {

using d16::require;
using d16::Tensor;
using d16::text;
namespace io = d16::io;
namespace vision = d16::vision;

namespace {

constexpr struct {
  int32_t bit;
  char const *name, *meaning;
} flag_table[] = {{shape_not_found, "not_found", "no source at the middle"},
                  {shape_masked, "masked", "a neighbour or bad pixels left out"},
                  {shape_blended, "blended", "cut off a neighbour that it touches"},
                  {shape_edge, "edge", "reaches beyond the data"},
                  {shape_saturated, "saturated", "no data at its centre"},
                  {shape_unresolved, "unresolved", "R_e below half of the PSF's width"},
                  {shape_low_snr, "low_snr", "snr_seg below 10 or 2.5 a pixel"},
                  {shape_no_sky, "no_sky", "asymmetry and smoothness not corrected for the sky"},
                  {shape_psf_assumed, "psf_assumed", "a Gaussian of the telescope's width"},
                  {shape_no_psf, "no_psf", "sizes and n are of the blurred image"},
                  {shape_not_converged, "not_converged", "Sersic fit at a limit or not at rest"},
                  {shape_near_bcg, "near_bcg", "a neighbour with 20 times its light"},
                  {shape_arc, "arc", "long, thin and bent"},
                  {shape_picture, "picture", "no flux: not measured"}};

Plane plane_of_bools(Tensor const& mask) {
  Plane p{mask.dim(0), mask.dim(1), std::vector<float>(size_t(mask.numel()))};
  for (size_t i = 0; i < p.values.size(); ++i) p.values[i] = mask.data<bool>()[i];
  return p;
}

/// One band ready to be measured: sky subtracted, its noise, and which pixels are good.
struct Prepared {
  Tensor image, bad, sigma;  // sigma: (H,W), or undefined
  double noise = 0;
};

/// Level and noise of the pixels outside of sources, which a first look with all pixels finds.
Prepared prepare(Band const& band) {
  Prepared p{tensor_of(band.image), d16::zeros({band.image.h, band.image.w}, {.device = d16::Device()}), {}, 0};
  for (int64_t i = 0; i < p.image.numel(); ++i) {
    bool masked = !band.mask.empty() && band.mask.values[size_t(i)] != 0;
    p.bad.data<float>()[i] = masked || !std::isfinite(p.image.data<float>()[i]);
  }
  vision::SkyLevel sky{};
  Tensor left_out = p.bad.clone();
  for (int round = 0; round < 2; ++round) {
    std::vector<double> values;
    for (int64_t i = 0; i < p.image.numel(); ++i)
      if (left_out.data<float>()[i] == 0) values.push_back(double(p.image.data<float>()[i]));
    require<d16::ValueError>(!values.empty(), "band ", band.name, " has no pixel of sky");
    sky = vision::sky_level(std::move(values));
    if (round == 1 || !(sky.rms > 0)) break;
    vision::Segmentation sources = vision::segment(p.image - sky.level, sky.rms, p.bad, {.threshold = 2});
    for (int64_t i = 0; i < p.image.numel(); ++i)
      if (sources.labels.data<int64_t>()[i] != 0) left_out.data<float>()[i] = 1;
    auto kept = std::count(left_out.data<float>(), left_out.data<float>() + left_out.numel(), 0.0f);
    if (kept < 64) break;
  }
  p.image = p.image - sky.level, p.noise = sky.rms;
  if (!band.sigma.empty()) {
    p.sigma = tensor_of(band.sigma);
    for (int64_t i = 0; i < p.sigma.numel(); ++i)
      if (float s = p.sigma.data<float>()[i]; !(s > 0) || !std::isfinite(s)) p.bad.data<float>()[i] = 1;
  }
  return p;
}

/// The segmentation of the file, its sources numbered from 1.
vision::Segmentation given_segments(Plane const& labels, Tensor const& image) {
  vision::Segmentation out{d16::zeros({labels.h, labels.w}, {.dtype = d16::DType::i64, .device = d16::Device()}), {}};
  std::map<float, int64_t> number;
  for (size_t i = 0; i < labels.values.size(); ++i) {
    float label = labels.values[i];
    if (!(label > 0)) continue;
    auto [at, added] = number.emplace(label, int64_t(number.size()) + 1);
    if (added) out.sources.push_back({at->second, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    vision::DetectedSource& source = out.sources[size_t(at->second - 1)];
    double value = double(image.data<float>()[i]), x = double(int64_t(i) % labels.w), y = double(int64_t(i) / labels.w);
    if (std::isfinite(value)) source.flux += value;
    source.x += x, source.y += y, ++source.pixels;
    source.truncated = source.truncated || x == 0 || y == 0 || x == double(labels.w - 1) || y == double(labels.h - 1);
    out.labels.data<int64_t>()[i] = at->second;
  }
  for (vision::DetectedSource& source : out.sources)
    source.x /= double(source.pixels), source.y /= double(source.pixels);
  return out;
}

/// Whether pixels lie along a bow: four times as long as they are wide, and bent by more than their width.
bool is_arc(Plane const& own, vision::Morphology const& m) {
  double c = std::cos(m.theta), s = std::sin(m.theta), n = 0, u2 = 0, u4 = 0, v0 = 0, v2 = 0, square = 0;
  for (size_t i = 0; i < own.values.size(); ++i) {
    if (own.values[i] == 0) continue;
    double dx = double(int64_t(i) % own.w) - m.x, dy = double(int64_t(i) / own.w) - m.y;
    double u = dx * c + dy * s, v = dy * c - dx * s;
    n += 1, u2 += u * u, u4 += u * u * u * u, v0 += v, v2 += u * u * v, square += v * v;
  }
  double determinant = n * u4 - u2 * u2;
  if (!(determinant > 0)) return false;
  double bend = (n * v2 - u2 * v0) / determinant, level = (v0 - bend * u2) / n;
  double width = std::sqrt(std::max(square - bend * v2 - level * v0, 0.0) / n + 1.0 / 12), length = std::sqrt(u2 / n);
  return length > 4 * width && std::abs(bend) * 3 * length * length > 2 * width;  // ends at 1.7 length
}

/// The light of the segment over the errors of its pixels.
void measure_noise(Prepared const& p, Shape& shape) {
  double variance = 0;
  for (int64_t i = 0; i < p.image.numel(); ++i) {
    if (shape.own.values[size_t(i)] == 0 || shape.neighbours.values[size_t(i)] != 0) continue;
    double sigma = p.sigma.defined() ? double(p.sigma.data<float>()[i]) : p.noise;
    variance += sigma * sigma;
  }
  shape.flux_error = std::sqrt(variance), shape.snr = shape.light.flux / shape.flux_error;
}

/// Segment, neighbours and light of the object in the middle.
bool find_object(Band const& band, Prepared const& p, Shape& shape) {
  vision::Segmentation found = band.segments.empty()
                                   ? vision::segment(p.image, p.noise, p.bad, {.threshold = 1.5, .min_area = 8})
                                   : given_segments(band.segments, p.image);
  int64_t own = vision::central_source(found, std::max(5.0, double(std::min(band.image.h, band.image.w)) / 10));
  if (own == 0) return false;
  Tensor mask = vision::mask_neighbours(p.image, found, own, {.grow = 2}).mask;
  shape.own = {band.image.h, band.image.w, std::vector<float>(band.image.values.size())};
  double flux = 0, brightest = 0;
  for (int64_t i = 0; i < p.image.numel(); ++i) {
    if (p.bad.data<float>()[i] != 0) mask.data<bool>()[i] = true;
    shape.own.values[size_t(i)] = found.labels.data<int64_t>()[i] == own;
    if (shape.own.values[size_t(i)] != 0 && !mask.data<bool>()[i]) flux += double(p.image.data<float>()[i]);
  }
  shape.neighbours = plane_of_bools(mask);
  vision::DetectedSource const& source = found.sources[size_t(own - 1)];
  for (vision::DetectedSource const& other : found.sources)
    if (other.label != own) brightest = std::max(brightest, other.flux);
  auto set = [&](ShapeFlag flag, bool on) { shape.flags |= on ? flag : 0; };
  set(shape_masked,
      std::any_of(shape.neighbours.values.begin(), shape.neighbours.values.end(), [](float v) { return v != 0; }));
  set(shape_blended, source.blended), set(shape_edge, source.truncated);
  set(shape_near_bcg, flux > 0 && brightest > 20 * flux);
  return true;
}

/// Light on one side only, far out, is a neighbour that no valley parts from the object: an edge-on galaxy that looks out
/// of a halo. In the smoothed image less itself turned by 180 degrees, 4 sigma of noise and 15 % of the light opposite;
/// 30 pixels; beyond 4 R_e, so that mergers and lopsided disks stay whole. It goes from the object to the neighbours.
bool mask_one_sided(Prepared const& p, Shape& shape) {
  vision::Morphology const& m = shape.light;
  if (!(m.r50 > 0)) return false;
  int64_t H = p.image.dim(0), W = p.image.dim(1);
  Tensor filled = p.image.clone(), error = d16::empty({H, W}, {.device = d16::Device()});
  for (int64_t i = 0; i < H * W; ++i)
    if (shape.neighbours.values[size_t(i)] != 0) filled.data<float>()[i] = 0;
  Tensor smooth = vision::gaussian_filter(filled, 1.5), surplus = smooth.clone();
  double noise = 0.25 * p.noise;  // of the smoothed image: 0.19 for white noise, more where drizzling correlates it
  int64_t up = std::llround(2 * m.y_asymmetry), left = std::llround(2 * m.x_asymmetry);
  for (int64_t i = 0; i < H * W; ++i) {
    int64_t y = up - i / W, x = left - i % W;
    double opposite = y >= 0 && x >= 0 && y < H && x < W ? double(smooth.data<float>()[y * W + x]) : 0;
    surplus.data<float>()[i] -= float(opposite);
    error.data<float>()[i] = float(std::sqrt(2 * noise * noise + 0.0225 * opposite * opposite));
  }
  vision::Segmentation found =
      vision::segment(surplus, error, {}, {.threshold = 4, .min_area = 30, .deblend_contrast = 1});
  std::vector<bool> far(found.sources.size() + 1);
  for (vision::DetectedSource const& s : found.sources)
    far[size_t(s.label)] = std::hypot(s.x - m.x_asymmetry, s.y - m.y_asymmetry) > 4 * m.r50;
  for (int64_t i = 0; i < H * W; ++i)
    if (!far[size_t(found.labels.data<int64_t>()[i])]) found.labels.data<int64_t>()[i] = 0;
  Tensor mask = vision::mask_neighbours(surplus, found, 0, {.grow = 2}).mask;
  bool any = false;
  for (int64_t i = 0; i < H * W; ++i) {
    if (!mask.data<bool>()[i]) continue;
    any = any || shape.own.values[size_t(i)] != 0;
    shape.own.values[size_t(i)] = 0, shape.neighbours.values[size_t(i)] = 1;
  }
  if (any) shape.flags |= shape_masked | shape_blended;
  return any;
}

/// The file of a band in a folder of PSFs, or the one file.
std::string psf_file(std::string const& place, std::string const& band) {
  if (!is_folder(place)) return place;
  for (std::string const& name : list_folder(place))
    if (lower(nircam_band_in(name)) == lower(band) || lower(name).starts_with(lower(band) + "."))
      return join(place, name);
  return {};
}

/// The PSF with odd sides: of the object, of --psf, or a Gaussian as wide as NIRCam's.
Tensor psf_of(Band const& band, ShapeOptions const& o, Shape& shape) {
  Tensor psf;
  if (!band.psf.empty()) psf = tensor_of(band.psf);
  else if (std::string file = o.psf.empty() ? "" : psf_file(o.psf, band.name); !file.empty())
    psf = io::read_fits(file, {.section = {}}).pixels;
  if (psf.defined()) {
    int64_t h = psf.dim(0) - 1 + psf.dim(0) % 2, w = psf.dim(1) - 1 + psf.dim(1) % 2;  // an even side loses its end
    return psf.slice(0, 0, h).slice(1, 0, w).contiguous();
  }
  // 6.5 m of diffraction: lambda / D, in arcseconds 0.0317 for each micrometre.
  double fwhm = is_nircam(band.name) ? 0.0317 * wavelength(band.name) / shape.arcsec : nan;
  shape.flags |= fwhm > 0 ? shape_psf_assumed : shape_no_psf;
  if (!(fwhm > 0)) return {};
  return d16::sim::gaussian_psf(2 * int64_t(std::ceil(2 * fwhm)) + 1, fwhm);
}

/// The full width at half maximum of the Gaussian that fits a PSF best; its R_e is half of it. NaN for fewer than 3x3
/// pixels.
double width_of(Tensor const& psf) {
  double y = double(psf.dim(0) / 2), x = double(psf.dim(1) / 2);
  int64_t reach = std::min<int64_t>({psf.dim(0) / 2, psf.dim(1) / 2, 12}), side = 2 * reach + 1;
  Tensor core =
      psf.slice(0, int64_t(y) - reach, int64_t(y) + reach + 1).slice(1, int64_t(x) - reach, int64_t(x) + reach + 1);
  std::vector<double> values = vision::finite_values(core);
  double peak = vision::quantile(values, 1);
  if (!(peak > 0) || reach == 0) return nan;
  core = core.contiguous();
  // The width at half of the peak is asked for, so wings are left out; never the middle 3x3 pixels, which a fit needs.
  Tensor wings = d16::zeros(core.shape(), {.device = d16::Device()});
  for (int64_t i = 0; i < core.numel(); ++i) {
    bool middle = std::abs(i / side - reach) <= 1 && std::abs(i % side - reach) <= 1;
    wings.data<float>()[i] = !middle && core.data<float>()[i] < 0.2f * float(peak);
  }
  vision::SersicFit fit =
      vision::fit_sersic(core, {.r_eff = 1.5, .n = 0.5, .q = 0.9, .x0 = double(reach), .y0 = double(reach)},
                         {.sigma = 0.01 * peak, .mask = wings, .fit_sky = false, .least_n = 0.4999, .most_n = 0.5001});
  return 2 * fit.profile.r_eff * std::sqrt(fit.profile.q);
}

/// A square part of an image around the object.
struct Box {
  int64_t top, left, bottom, right;
  Tensor of(Tensor const& x) const { return x.slice(0, top, bottom).slice(1, left, right).contiguous(); }
};

void fit_shape(Prepared const& p, Tensor const& mask, Tensor const& psf, Shape& shape) {
  vision::Morphology const& m = shape.light;
  int64_t reach = std::clamp<int64_t>(int64_t(std::ceil(3 * m.r_petro)), 16, 80);
  int64_t y = std::llround(m.y_asymmetry), x = std::llround(m.x_asymmetry);
  Box box{std::max<int64_t>(0, y - reach), std::max<int64_t>(0, x - reach), std::min(p.image.dim(0), y + reach + 1),
          std::min(p.image.dim(1), x + reach + 1)};
  double q = std::clamp(1 - m.ellipticity, 0.1, 0.95);
  d16::sim::Sersic start{.r_eff = std::max(m.r50, 0.5) / std::sqrt(q),
                         .n = 1.5,
                         .q = q,
                         .theta = m.theta,
                         .x0 = m.x_asymmetry - double(box.left),
                         .y0 = m.y_asymmetry - double(box.top)};
  vision::SersicFitOptions o{.psf = psf, .sigma = p.noise, .mask = box.of(mask)};
  if (p.sigma.defined()) o.error = box.of(p.sigma);
  shape.fit = vision::fit_sersic(box.of(p.image), start, o), shape.fitted = true;
  shape.fit.profile.x0 += double(box.left), shape.fit.profile.y0 += double(box.top);
  if (shape.fit.converged && shape.fit.limits == 0) return;
  shape.flags |= shape_not_converged;
  std::string why = shape.fit.converged ? "a parameter is at the end of its range" : shape.fit.reason;
  shape.note += (shape.note.empty() ? "" : "; ") + ("Sersic fit: " + why);
}

void set_flags(Band const& band, Prepared const& p, Shape& shape) {
  vision::Morphology const& m = shape.light;
  auto set = [&](ShapeFlag flag, bool on) { shape.flags |= on ? flag : 0; };
  set(shape_edge, (m.flags & vision::morphology_edge) != 0 || std::isnan(m.r_petro));
  set(shape_no_sky, (m.flags & vision::morphology_no_sky) != 0);
  set(shape_low_snr, shape.snr < 10 || m.snr_per_pixel < 2.5);
  set(shape_unresolved, shape.re() < 0.5 * shape.fwhm);
  set(shape_arc, is_arc(shape.own, m));
  double limit = 1.5 * m.r_petro, lost = 0, all = 0, core = 0;
  for (int64_t i = 0; i < p.image.numel(); ++i) {
    double r = std::hypot(double(i % band.image.w) - m.x_asymmetry, double(i / band.image.w) - m.y_asymmetry);
    if (r <= limit) all += 1, lost += shape.neighbours.values[size_t(i)] != 0;
    if (r <= 2) core += !std::isfinite(band.image.values[size_t(i)]);
  }
  shape.mask_frac = all > 0 ? lost / all : nan;
  set(shape_saturated, core > 0);
}

/// Neighbours and bad pixels of the measured band are masked in all bands on its grid.
void mask_neighbours(Cutout& cutout, Shape const& shape) {
  for (Band& band : cutout.bands) {
    if (band.image.h != shape.neighbours.h || band.image.w != shape.neighbours.w) continue;
    if (band.mask.empty()) band.mask = shape.neighbours;
    else
      for (size_t i = 0; i < band.mask.values.size(); ++i)
        band.mask.values[i] = band.mask.values[i] != 0 || shape.neighbours.values[i] != 0;
  }
}

int32_t frame_flags(Shape const& shape) {
  static constexpr struct {
    ShapeFlag shape;
    Flag frame;
  } pairs[] = {{shape_masked, flag_masked},         {shape_blended, flag_blended},   {shape_saturated, flag_saturated},
               {shape_unresolved, flag_unresolved}, {shape_near_bcg, flag_near_bcg}, {shape_arc, flag_arc}};
  int32_t out = 0;
  for (auto const& pair : pairs)
    if (shape.flags & pair.shape) out |= pair.frame;
  if (!(shape.flags & (shape_not_found | shape_picture)) && shape.unit.empty()) out |= flag_units;
  return out;
}

/// A column of what was measured, NaN elsewhere.
template <class F> std::vector<float> numbers(std::vector<Shape> const& shapes, F const& value) {
  std::vector<float> out;
  for (Shape const& s : shapes) out.push_back(s.flags & (shape_not_found | shape_picture) ? NAN : float(value(s)));
  return out;
}
template <class F> std::vector<float> fitted(std::vector<Shape> const& shapes, F const& value) {
  return numbers(shapes, [&](Shape const& s) { return s.fitted ? double(value(s)) : nan; });
}

}  // namespace

std::string shape_flag_legend() {
  std::string out;
  for (auto const& f : flag_table) out += text(out.empty() ? "" : "; ", f.bit, " ", f.name, ": ", f.meaning);
  return out;
}

CasFeatures Shape::features() const {
  if (flags & (shape_not_found | shape_picture)) return {nan, nan, nan, nan, nan, nan};
  return {light.concentration,
          light.asymmetry,
          light.gini,
          light.m20,
          fitted ? fit.profile.n : nan,
          fitted ? fit.profile.q : 1 - light.ellipticity};
}

size_t shape_band(Cutout const& cutout, ShapeOptions const& o) {
  std::vector<Band> const& bands = cutout.bands;
  auto named = [&](std::string const& name) {
    return size_t(
        std::find_if(bands.begin(), bands.end(), [&](Band const& b) { return lower(b.name) == lower(name); }) -
        bands.begin());
  };
  if (!o.band.empty()) {
    size_t at = named(o.band);
    require<d16::ValueError>(at < bands.size(), "no band \"", o.band, "\" in this object");
    return at;
  }
  size_t best = named("F277W");
  if (!(o.redshift >= 0)) return best < bands.size() ? best : choose_bands(cutout, {})[0];
  double target = 0.55 * (1 + o.redshift), nearest = std::numeric_limits<double>::infinity();
  bool nircam = std::any_of(bands.begin(), bands.end(), [](Band const& b) { return is_nircam(b.name); });
  for (size_t i = 0; i < bands.size(); ++i) {
    double distance = std::abs(std::log(wavelength(bands[i].name) / target));
    if (distance < nearest && is_nircam(bands[i].name) == nircam) nearest = distance, best = i;
  }
  return best < bands.size() ? best : choose_bands(cutout, {})[0];
}

Shape measure_shape(Cutout const& cutout, ShapeOptions const& o) {
  Shape shape;
  if (cutout.picture) {
    shape.flags = shape_picture;
    return shape;
  }
  Band const& band = cutout.bands[shape_band(cutout, o)];
  shape.band = band.name, shape.unit = band.unit, shape.arcsec = band.arcsec;
  try {
    Prepared p = prepare(band);
    if (!(p.noise > 0) || !find_object(band, p, shape)) {
      shape.flags = shape_not_found;
      return shape;
    }
    auto look = [&] {
      shape.light = vision::measure_morphology(
          p.image, {.segment = tensor_of(shape.own), .mask = tensor_of(shape.neighbours), .sky_sigma = p.noise});
      measure_noise(p, shape);
    };
    look();
    if (mask_one_sided(p, shape)) look();
    Tensor mask = tensor_of(shape.neighbours);
    Tensor psf = psf_of(band, o, shape);
    if (psf.defined()) shape.fwhm = width_of(psf);
    if (o.fit && std::isfinite(shape.light.r50)) fit_shape(p, mask, psf, shape);
    set_flags(band, p, shape);
  } catch (d16::ValueError const& error) {  // too few pixels for what was asked
    shape.note = error.what();
    shape.flags |= shape_not_found;
  }
  return shape;
}

Frame frame_of(Cutout& cutout, Shape const& shape, FrameOptions o) {
  if (!shape.neighbours.empty()) mask_neighbours(cutout, shape);
  bool one = o.bands.empty() && is_nircam(shape.band);  // colours break with redshift
  if (one) o.bands = {shape.band};
  Frame frame = make_frame(cutout, o);
  if (one) frame.flags &= ~flag_few_bands;
  frame.flags |= frame_flags(shape);
  if (shape.flags & (shape_not_found | shape_picture)) return frame;
  Place centre = place_of(cutout.bands[shape_band(cutout, {.band = shape.band})].wcs, shape.light.x, shape.light.y);
  frame.ra = centre.ra, frame.dec = centre.dec;
  return frame;
}

void add_cas(CasForest const& forest, std::vector<Shape>& shapes) {
  std::vector<CasFeatures> rows;
  for (Shape const& shape : shapes) rows.push_back(shape.features());
  std::vector<double> p = forest(rows);
  for (size_t i = 0; i < shapes.size(); ++i) shapes[i].p_disk_cas = p[i];
}

void add_shape_columns(Described& out, std::vector<Shape> const& shapes) {
  using S = Shape const&;
  auto add = [&](char const* name, auto const& value, char const* unit, char const* what, char const* ucd) {
    out.add(name, numbers(shapes, value), unit, what, ucd);
  };
  auto fit = [&](char const* name, auto const& value, char const* unit, char const* what, char const* ucd) {
    out.add(name, fitted(shapes, value), unit, what, ucd);
  };
  std::vector<std::string> bands, units;
  std::vector<int32_t> flags;
  for (S s : shapes) bands.push_back(s.band), units.push_back(s.unit), flags.push_back(s.flags);
  out.add("band_used", bands, "", "band that was measured", "meta.id;instr.filter");
  out.add("flux_unit", units, "", "of flux_seg and sersic_flux: BUNIT; empty where the file does not say", "meta.unit");
  add(
      "pixel_arcsec", [](S s) { return s.arcsec; }, "arcsec", "side of a pixel of that band", "instr.pixel");
  add(
      "x", [](S s) { return s.light.x; }, "pixel", "centre of light, first column is 0", "pos.cartesian.x;instr.det");
  add(
      "y", [](S s) { return s.light.y; }, "pixel", "centre of light, first row is 0", "pos.cartesian.y;instr.det");
  add(
      "flux_seg", [](S s) { return s.light.flux; }, "", "light of the segment, in flux_unit x pixel", "phot.flux");
  add(
      "flux_seg_err", [](S s) { return s.flux_error; }, "", "its 1 sigma error, pixels independent",
      "stat.error;phot.flux");
  add(
      "snr_seg", [](S s) { return s.snr; }, "", "flux_seg over its error", "stat.snr");
  add(
      "snr_pixel", [](S s) { return s.light.snr_per_pixel; }, "", "mean over the pixels of Gini", "stat.snr");
  add(
      "mask_frac", [](S s) { return s.mask_frac; }, "", "part of the circle of 1.5 Petrosian radii that is masked", "");
  add(
      "r_petro", [](S s) { return s.light.r_petro * s.arcsec; }, "arcsec", "Petrosian radius, eta = 0.2",
      "phys.angSize;src");
  add(
      "r50", [](S s) { return s.light.r50 * s.arcsec; }, "arcsec", "half of the light within 1.5 r_petro, with the PSF",
      "phys.angSize;src");
  add(
      "r_petro_px", [](S s) { return s.light.r_petro; }, "pixel", "Petrosian radius", "phys.angSize;src");
  add(
      "r50_px", [](S s) { return s.light.r50; }, "pixel", "half-light radius", "phys.angSize;src");
  add(
      "concentration", [](S s) { return s.light.concentration; }, "", "C = 5 log10(r80 / r20)", "src.morph.param");
  add(
      "asymmetry", [](S s) { return s.light.asymmetry; }, "", "A, Conselice 2003, sky subtracted", "src.morph.param");
  add(
      "smoothness", [](S s) { return s.light.smoothness; }, "", "S, Lotz et al. 2004: without Conselice's factor of 10",
      "src.morph.param");
  add(
      "gini", [](S s) { return s.light.gini; }, "", "Gini coefficient, Lotz et al. 2004", "src.morph.param");
  add(
      "m20", [](S s) { return s.light.m20; }, "", "M20, Lotz et al. 2004", "src.morph.param");
  add(
      "ellipticity", [](S s) { return s.light.ellipticity; }, "", "1 - b/a of the segment's second moments",
      "src.ellipticity");
  add(
      "theta", [](S s) { return s.light.theta * 180 / std::numbers::pi; }, "deg", "major axis, from +x towards +y",
      "pos.posAng");
  fit(
      "sersic_flux", [](S s) { return s.fit.flux; }, "", "light of the whole Sersic profile, in flux_unit x pixel",
      "phot.flux");
  fit(
      "sersic_flux_err", [](S s) { return s.fit.error.flux; }, "", "1 sigma", "stat.error;phot.flux");
  fit(
      "sersic_re", [](S s) { return s.fit.profile.r_eff * s.arcsec; }, "arcsec",
      "half axis of the ellipse with half of it, PSF removed", "phys.angSize;src");
  fit(
      "sersic_re_err", [](S s) { return s.fit.error.r_eff * s.arcsec; }, "arcsec", "1 sigma",
      "stat.error;phys.angSize;src");
  fit(
      "sersic_re_px", [](S s) { return s.fit.profile.r_eff; }, "pixel", "the same in pixels", "phys.angSize;src");
  fit(
      "sersic_n", [](S s) { return s.fit.profile.n; }, "", "Sersic index", "src.morph.param");
  fit(
      "sersic_n_err", [](S s) { return s.fit.error.n; }, "", "1 sigma", "stat.error;src.morph.param");
  fit(
      "sersic_q", [](S s) { return s.fit.profile.q; }, "", "minor over major axis", "src.morph.param");
  fit(
      "sersic_q_err", [](S s) { return s.fit.error.q; }, "", "1 sigma", "stat.error;src.morph.param");
  fit(
      "sersic_theta", [](S s) { return s.fit.profile.theta * 180 / std::numbers::pi; }, "deg",
      "major axis, from +x towards +y", "pos.posAng");
  fit(
      "sersic_chi2", [](S s) { return s.fit.reduced_chi2(); }, "", "chi^2 per degree of freedom", "stat.fit.chi2");
  add(
      "psf_fwhm", [](S s) { return s.fwhm * s.arcsec; }, "arcsec", "width of the PSF; NaN: not known",
      "phys.angSize;instr.det.psf");
  add(
      "re_over_fwhm", [](S s) { return s.re() / s.fwhm; }, "", "sersic_re, or r50 without a fit, over psf_fwhm", "");
  add(
      "p_disk_cas", [](S s) { return s.p_disk_cas; }, "",
      "probability of a disk from C, A, Gini, M20, n and q, by a forest trained on visual classes of CEERS",
      "stat.probability;src.morph.type");
  out.add("shape_flags", flags, "", "sum of " + shape_flag_legend(), "meta.code.qual");
}

}  // namespace tool
