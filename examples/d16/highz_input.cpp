// What the seven-band classifiers see of an object: bodies of highz_input.hpp.
#include "highz_input.hpp"

#include <algorithm>
#include <cmath>

#include <d16/core/parallel.hpp>
#include <d16/sim/drizzle_noise.hpp>
#include <d16/sim/filters.hpp>
#include <d16/vision/background.hpp>
#include <d16/vision/hog.hpp>
#include <d16/vision/photometry.hpp>
#include <d16/vision/segment.hpp>
#include <d16/vision/stretch.hpp>

namespace tool {

using d16::require;
using d16::Tensor;
using d16::text;
namespace vision = d16::vision;

namespace {

constexpr int64_t side = highz_side, bands = highz_bands, pixels = side * side;
constexpr double pixel = 0.03;  // arcsec
constexpr double radius = highz_aperture / pixel;
constexpr int first_red = 4;             // F277W, F356W, F444W: where all three classes shine
constexpr double correlation = 0.45;     // of neighbouring pixels of drizzled images, as the survey has it
constexpr double point_compactness = 2;  // F(0.32") / F(0.16") in F444W: 1.80 to 1.96 for simulated points of S/N > 30
vision::SegmentOptions const segment_options{.threshold = 1.5, .min_area = 5};
constexpr vision::HogOptions hog_options{.orientations = 9, .pixels_per_cell = 8, .cells_per_block = 2};

/// How much larger the error of the aperture's sum is than that of independent pixels.
double error_factor() {
  static double const factor = [] {
    std::vector<double> weight = d16::sim::aperture_weights(side, side, 31, 31, radius);
    double squares = 0;
    for (double w : weight) squares += w * w;
    return d16::sim::DrizzleNoise(correlation).sum_sigma(weight, side, side) / std::sqrt(squares);
  }();
  return factor;
}

/// One object on its way.
struct Work {
  Tensor image;                     // (64,64,7), background off, 0 where there are no data
  BandNumbers sigma{};              // NaN: the band is missing
  BandNumbers flux{}, error{};      // corrected to all light of a point
  Tensor detection;                 // (64,64)
  vision::DetectedSource source{};  // the object, or a point in the middle
  int32_t flags = 0;

  bool valid(int64_t b) const { return std::isfinite(sigma[size_t(b)]); }
};

Tensor plane(Tensor const& image, int64_t b) { return image.select(2, b).contiguous(); }

void set_plane(Tensor& image, int64_t b, Tensor const& values) {
  for (int64_t i = 0; i < pixels; ++i) image.data<float>()[i * bands + b] = values.data<float>()[i];
}

/// The flags of pixels without data, and the noise of each band that has any.
void look(BandObject const& object, Work& w) {
  for (int64_t b = 0; b < bands; ++b) {
    int64_t holes = 0;
    bool middle = false;
    for (int64_t i = 0; i < pixels; ++i) {
      if (std::isfinite(w.image.data<float>()[i * bands + b])) continue;
      ++holes;
      middle = middle || std::hypot(double(i % side) - 31.5, double(i / side) - 31.5) < 3;
    }
    double sigma = double(object.error[size_t(b)]);
    if (holes < pixels / 2 && !(sigma > 0)) sigma = vision::mad_sigma(plane(w.image, b));
    bool missing = holes >= pixels / 2 || !(sigma > 0) || !std::isfinite(sigma);
    w.sigma[size_t(b)] = missing ? nan : sigma;
    if (missing) w.flags |= highz_missing_band;
    else if (middle) w.flags |= highz_saturated;
    else if (holes > 0) w.flags |= highz_edge;
  }
}

/// Takes the median off each band: near enough to find the sources.
void subtract_medians(Work& w) {
  for (int64_t b = 0; b < bands; ++b) {
    if (!w.valid(b)) continue;
    float level = float(vision::median(plane(w.image, b)));
    for (int64_t i = 0; i < pixels; ++i) w.image.data<float>()[i * bands + b] -= level;
  }
}

/// Takes a smooth background off each band; pixels of sources (mask) do not count.
void subtract_background(Work& w, Tensor const& mask) {
  vision::BackgroundOptions options{.box = 32, .filter = 1, .min_usable = 0.05};
  options.clip.maxiters = 2;  // the sources are out already
  for (int64_t b = 0; b < bands; ++b) {
    if (!w.valid(b)) continue;
    Tensor band = plane(w.image, b), level = vision::mesh_background(band, mask, options).level;
    for (int64_t i = 0; i < pixels; ++i) band.data<float>()[i] -= level.data<float>()[i];
    set_plane(w.image, b, band);
  }
}

/// The red bands together in units of their noise; of an object without red bands all that it has.
void detect(Work& w) {
  std::vector<int64_t> used;
  for (int64_t b = first_red; b < bands; ++b)
    if (w.valid(b)) used.push_back(b);
  for (int64_t b = 0; b < bands && used.empty(); ++b)
    if (w.valid(b)) used.push_back(b);
  Tensor chosen = d16::empty({side, side, int64_t(used.size())}, vision::host_tensor());
  std::vector<double> sigma;
  for (size_t k = 0; k < used.size(); ++k) {
    sigma.push_back(w.sigma[size_t(used[k])]);
    for (int64_t i = 0; i < pixels; ++i)
      chosen.data<float>()[i * int64_t(used.size()) + int64_t(k)] = w.image.data<float>()[i * bands + used[k]];
  }
  w.detection = vision::detection_image(chosen, sigma);
}

/// Where there is no source: a point in the middle without a size.
vision::DetectedSource middle_point() {
  vision::DetectedSource point{};
  point.x = point.y = double(side - 1) / 2;
  point.a = point.b = nan;
  return point;
}

/// The source in the middle is kept, the others become noise.
void segment(Work& w, vision::Segmentation const& s) {
  int64_t keep = vision::central_source(s);
  w.source = middle_point();
  if (keep > 0) w.source = s.sources[size_t(keep - 1)];
  else w.flags |= highz_no_detection;
  if (w.source.blended) w.flags |= highz_blended;
  if (s.sources.size() <= size_t(keep > 0)) return;
  std::vector<double> noise;
  for (double sigma : w.sigma) noise.push_back(std::isfinite(sigma) ? sigma : 0);
  w.image = vision::mask_neighbours(w.image, s, keep, {.grow = 2, .noise = noise}).image;
  w.flags |= highz_masked;
}

void zero_holes(Work& w) {
  for (int64_t i = 0; i < pixels * bands; ++i) {
    float& value = w.image.data<float>()[i];
    if (!std::isfinite(value) || !w.valid(i % bands)) value = 0;
  }
}

void measure(Work& w) {
  for (int64_t b = 0; b < bands; ++b) {
    w.flux[size_t(b)] = w.error[size_t(b)] = nan;
    if (!w.valid(b)) continue;
    vision::ApertureFlux f = vision::aperture_flux(plane(w.image, b), w.source.x, w.source.y, radius,
                                                   {.sigma = w.sigma[size_t(b)], .error_factor = error_factor()});
    w.flux[size_t(b)] = f.flux / highz_point_share[size_t(b)];
    w.error[size_t(b)] = f.error / highz_point_share[size_t(b)];
  }
}

/// Flux in units of its error, on a scale that is linear for noise and logarithmic for sources.
double asinh_magnitude(double flux, double error) { return -1.0857 * std::asinh(flux / (2 * error)); }

double compactness_of(Work const& w, int64_t b) {
  return w.valid(b) ? vision::compactness(plane(w.image, b), w.source.x, w.source.y, pixel) : nan;
}

/// What stands in row n of the results.
void fill(HighzInputs& out, int64_t n, Work& w) {
  double bright = highz_scale(highz_raw(w.flux), highz_raw(w.error));
  float* image = out.image.data<float>() + n * pixels * bands;
  float const unit = float(1 / std::asinh(1 / highz_softness)), factor = float(1 / (bright * highz_softness));
  for (int64_t i = 0; i < pixels * bands; ++i) image[i] = std::asinh(w.image.data<float>()[i] * factor) * unit;
  std::copy_n(w.detection.data<float>(), pixels, out.detection.data<float>() + n * pixels);
  for (int64_t b = 0; b < bands; ++b) out.valid.data<float>()[n * bands + b] = w.valid(b);

  vision::ApertureFlux found =
      vision::aperture_flux(w.detection, w.source.x, w.source.y, radius, {.sigma = 1, .error_factor = error_factor()});
  out.snr[size_t(n)] = found.snr();
  out.compactness[size_t(n)] = vision::compactness(w.detection, w.source.x, w.source.y, pixel);
  out.half_light_arcsec[size_t(n)] = pixel * vision::light_radius(w.detection, w.source.x, w.source.y, 16);
  out.flux[size_t(n)] = w.flux, out.flux_error[size_t(n)] = w.error;

  std::vector<double> row = highz_flux_row(w.flux, w.error);
  row.push_back(out.half_light_arcsec[size_t(n)]);
  row.push_back(out.compactness[size_t(n)]);
  for (int64_t b : {3, 4, 6}) row.push_back(compactness_of(w, b));
  row.push_back(w.source.b / w.source.a);
  row.push_back(w.source.pixels > 0 ? std::sqrt(double(w.source.pixels)) : nan);
  for (size_t k = 0; k < row.size(); ++k)
    out.table.data<float>()[n * int64_t(row.size()) + int64_t(k)] = std::isfinite(row[k]) ? float(row[k]) : float(nan);

  if (!(out.snr[size_t(n)] >= 5)) w.flags |= highz_low_snr;
  if (compactness_of(w, bands - 1) < point_compactness) w.flags |= highz_unresolved;
  out.flags[size_t(n)] = w.flags;
}

void prepare_one(BandObject const& object, HighzInputs& out, int64_t n) {
  require<d16::ShapeError>(object.image.shape() == d16::Shape{side, side, bands}, "prepare_highz: object ", n, " is ",
                           object.image.shape(), "; (64,64,7) is needed");
  Work w;
  w.image = object.image.cast(d16::DType::f32).clone();
  look(object, w);
  bool any = false;
  for (int64_t b = 0; b < bands; ++b) any = any || w.valid(b);
  if (any) {
    subtract_medians(w);
    detect(w);
    subtract_background(w, vision::segment(w.detection, 1.0, {}, segment_options).source_mask());
    detect(w);
    segment(w, vision::segment(w.detection, 1.0, {}, segment_options));
    zero_holes(w);
    detect(w);
  } else {
    w.image = d16::zeros({side, side, bands}), w.detection = d16::zeros({side, side});
    w.source = middle_point();
    w.flags |= highz_no_detection;
  }
  measure(w);
  fill(out, n, w);
}

}  // namespace

std::vector<double> highz_flux_row(BandNumbers const& flux, BandNumbers const& error) {
  std::vector<double> row;
  double const scale = highz_scale(flux, error);
  for (size_t b = 0; b < flux.size(); ++b) row.push_back(flux[b] / error[b]);
  for (size_t b = 0; b < flux.size(); ++b) row.push_back(flux[b] / scale);
  for (size_t a = 0; a < flux.size(); ++a)
    for (size_t b = a + 1; b < flux.size(); ++b)
      row.push_back(asinh_magnitude(flux[a], error[a]) - asinh_magnitude(flux[b], error[b]) +
                    2.5 * std::log10(error[b] / error[a]));
  return row;
}

std::string highz_flag_text() {
  return "EDGE=1 MASKED=2 BLENDED=4 SATURATED=8 MISSING_BAND=16 LOW_SNR=32 UNRESOLVED=64 WCS_SUSPECT=128 "
         "UNITS_ASSUMED=256 READ_ERROR=512 NO_DETECTION=1024";
}

std::vector<std::string> highz_table_names() {
  std::vector<std::string> names;
  auto const& band = d16::sim::survey_bands;
  for (auto const& b : band) names.push_back(text("snr_", b));
  for (auto const& b : band) names.push_back(text("flux_", b));
  for (size_t i = 0; i < band.size(); ++i)
    for (size_t k = i + 1; k < band.size(); ++k) names.push_back(text(band[i], "-", band[k]));
  for (char const* size : {"half_light", "compactness", "compactness_F200W", "compactness_F277W", "compactness_F444W",
                           "axis_ratio", "root_area"})
    names.push_back(size);
  return names;
}
int64_t highz_flux_columns() { return 2 * bands + bands * (bands - 1) / 2; }
int64_t highz_hog_size() { return vision::hog_shape(highz_hog_side, highz_hog_side, hog_options).numel(); }

double highz_scale(BandNumbers const& flux, BandNumbers const& error) {
  double scale = 0;
  for (size_t b = 0; b < flux.size(); ++b)
    if (std::isfinite(flux[b])) scale = std::max({scale, flux[b], 2 * error[b]});
  return scale > 0 ? scale : 1;
}

BandNumbers highz_raw(BandNumbers flux) {
  for (size_t b = 0; b < flux.size(); ++b) flux[b] *= highz_point_share[b];
  return flux;
}

Tensor highz_middle(Tensor const& images, int64_t wanted) {
  int64_t from = (images.dim(1) - wanted) / 2;
  return images.slice(1, from, from + wanted).slice(2, from, from + wanted).contiguous();
}

Tensor highz_hog(Tensor const& detection) { return vision::hog(highz_middle(detection, highz_hog_side), hog_options); }

HighzInputs prepare_highz(std::vector<BandObject> const& objects) {
  auto n = int64_t(objects.size()), columns = int64_t(highz_table_names().size());
  auto make = [](d16::Shape const& shape) { return d16::empty(shape, vision::host_tensor()); };
  HighzInputs out;
  out.image = make({n, side, side, bands}), out.detection = make({n, side, side, 1});
  out.valid = make({n, bands}), out.table = make({n, columns});
  for (auto* list : {&out.snr, &out.compactness, &out.half_light_arcsec}) list->resize(size_t(n));
  out.flux.resize(size_t(n)), out.flux_error.resize(size_t(n)), out.flags.resize(size_t(n));
  d16::parallel_tasks(n, [&](int64_t i) { prepare_one(objects[size_t(i)], out, i); });
  out.hog = n > 0 ? highz_hog(out.detection) : make({0, highz_hog_size()});
  return out;
}

}  // namespace tool
