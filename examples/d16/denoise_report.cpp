// How good denoisers and filters are: bodies of denoise_report.hpp.
#include "denoise_report.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include <d16/core/parallel.hpp>
#include <d16/vision/filter.hpp>
#include <d16/vision/morphology.hpp>
#include <d16/vision/non_local_means.hpp>
#include <d16/vision/quality.hpp>
#include <d16/vision/sersic_fit.hpp>
#include <d16/vision/wavelet.hpp>

namespace tool {

using d16::Tensor;
using d16::text;
namespace vision = d16::vision;

namespace {

constexpr char const* light_names[] = {"PSNR",         "SSIM",        "MSE",         "MAE",       "segment PSNR",
                                       "segment SSIM", "segment MSE", "segment MAE", "flux bias", "whiteness"};
constexpr char const* shape_names[] = {"R_e", "n", "C", "A", "Gini", "M20"};
constexpr char const* scale_names[] = {"16 px and more", "8 to 16 px", "4 to 8 px", "2 to 4 px"};
constexpr size_t lights = 10, scales = 4, shapes = 6;
using Light = std::vector<double>;
using Shape = std::vector<double>;

Tensor picture_at(Tensor const& images, int64_t n) { return images.select(0, n).contiguous(); }

/// The mean of the bands (H,W,C) -> (H,W).
Tensor grey(Tensor const& x) {
  int64_t C = x.dim(2);
  Tensor out = d16::empty({x.dim(0), x.dim(1)});
  for (int64_t i = 0; i < out.numel(); ++i) {
    double sum = 0;
    for (int64_t c = 0; c < C; ++c) sum += double(x.data<float>()[i * C + c]);
    out.data<float>()[i] = float(sum / double(C));
  }
  return out;
}

/// The mean of f(a - b) over the pixels of the segment and all bands.
template <class F> double segment_mean(Tensor const& a, Tensor const& b, uint8_t const* segment, F const& f) {
  int64_t C = a.dim(2);
  double sum = 0, count = 0;
  for (int64_t i = 0; i < a.numel(); ++i)
    if (segment[i / C]) sum += f(double(a.data<float>()[i]) - double(b.data<float>()[i])), count += 1;
  return sum / count;
}

/// The mean of the SSIM of the windows around the pixels of the segment; those at the edge have none.
double segment_ssim(Tensor const& a, Tensor const& b, uint8_t const* segment) {
  Tensor map = vision::ssim_map(a, b);
  int64_t W = a.dim(1), C = a.dim(2), border = (a.dim(0) - map.dim(0)) / 2, w = map.dim(1);
  double sum = 0, count = 0;
  for (int64_t i = 0; i < map.numel(); ++i) {
    int64_t y = i / C / w + border, x = i / C % w + border;
    if (segment[y * W + x]) sum += map.data<double>()[i], count += 1;
  }
  return count > 0 ? sum / count : nan;
}

double sum_in(Tensor const& light, uint8_t const* segment) {
  double sum = 0;
  for (int64_t i = 0; i < light.numel(); ++i)
    if (segment[i]) sum += double(light.data<float>()[i]);
  return sum;
}

/// The power of x at wavelengths of at least 16, 8, 4 and 2 pixels, each range without the one before.
std::array<double, scales> power_by_scale(Tensor const& x) {
  std::array<double, scales> out{};
  std::vector<double> const rings = vision::ring_power(x);
  double const side = double(std::min(x.dim(0), x.dim(1)));
  for (size_t k = 0; k < rings.size(); ++k) {
    double const length = side / double(k + 1);
    out[length >= 16  ? 0
        : length >= 8 ? 1
        : length >= 4 ? 2
                      : 3] += rings[k] * double(k + 1);  // more waves farther out
  }
  return out;
}

Light judge_light(Tensor const& image, DenoisePairs const& pairs, int64_t n) {
  Tensor clean = picture_at(pairs.clean, n), noisy = picture_at(pairs.noisy, n);
  uint8_t const* segment = pairs.segment.data<uint8_t>() + n * clean.dim(0) * clean.dim(1);
  vision::Stretch const& stretch = pairs.stretch[size_t(n)];
  double truth = sum_in(grey(stretch.invert(clean)), segment), seen = sum_in(grey(stretch.invert(image)), segment);
  Tensor const residual = grey(noisy) - grey(image);
  auto const taken = power_by_scale(residual), wanted = power_by_scale(grey(noisy) - grey(clean));
  double inside = segment_mean(image, clean, segment, [](double d) { return d * d; });
  double tiny = 1e-12;  // an image equal to the clean one would have an infinite PSNR
  Light out{10 * std::log10(1 / std::max(tiny, vision::mse(image, clean))),
            vision::ssim(image, clean),
            vision::mse(image, clean),
            vision::mae(image, clean),
            10 * std::log10(1 / std::max(tiny, inside)),
            segment_ssim(image, clean, segment),
            inside,
            segment_mean(image, clean, segment, [](double d) { return std::abs(d); }),
            truth != 0 ? seen / truth - 1 : nan,
            vision::spectral_flatness(residual)};
  for (size_t k = 0; k < scales; ++k) out.push_back(wanted[k] > 0 ? taken[k] / wanted[k] : nan);
  return out;
}

/// R_e and n of a Sersic profile (without the PSF: as the galaxy looks), C, A, Gini, M20; NaN where nothing is found.
Shape measure_shape(Tensor const& image, DenoisePairs const& pairs, int64_t n) {
  Tensor light = grey(pairs.stretch[size_t(n)].invert(image));
  double sigma = pairs.sigma[size_t(n)];
  Tensor segment = pairs.segment.select(0, n).cast(d16::DType::f32).contiguous();
  vision::Morphology m = vision::measure_morphology(light, {.segment = segment, .sky_sigma = sigma});
  Shape out{nan, nan, m.concentration, m.asymmetry, m.gini, m.m20};
  if (!(m.r50 > 0)) return out;
  d16::sim::Sersic start{.r_eff = m.r50, .n = 1.5, .q = std::clamp(1 - m.ellipticity, 0.1, 1.0), .theta = m.theta};
  start.x0 = m.x_asymmetry, start.y0 = m.y_asymmetry;
  vision::SersicFit fit = vision::fit_sersic(light, start, {.sigma = sigma, .most_steps = 40});
  if (fit.converged) out[0] = fit.profile.r_eff * std::sqrt(fit.profile.q), out[1] = fit.profile.n;
  return out;
}

/// Of R_e the relative difference, of the others the difference.
Shape shape_bias(Shape const& seen, Shape const& truth) {
  Shape out;
  for (size_t k = 0; k < shapes; ++k) out.push_back(k == 0 ? seen[k] / truth[k] - 1 : seen[k] - truth[k]);
  return out;
}

/// Statistics of the finite values of some items; bootstraps leave out samples without any.
double mean_of(std::vector<double> const& values, std::vector<int64_t> const& items) {
  double sum = 0, count = 0;
  for (int64_t i : items)
    if (std::isfinite(values[size_t(i)])) sum += values[size_t(i)], count += 1;
  return count > 0 ? sum / count : nan;
}
double median_of(std::vector<double> const& values, std::vector<int64_t> const& items) {
  std::vector<double> finite;
  for (int64_t i : items)
    if (std::isfinite(values[size_t(i)])) finite.push_back(values[size_t(i)]);
  return finite.empty() ? nan : vision::median(std::move(finite));
}

using Statistic = double (*)(std::vector<double> const&, std::vector<int64_t> const&);

/// Column k of rows with its error. Fewer than three finite values have no error.
Score score_column(char const* name, std::vector<std::vector<double>> const& rows, size_t k,
                   std::vector<int64_t> const& fields, uint64_t seed, Statistic statistic) {
  std::vector<double> values;
  std::vector<int64_t> all;
  for (auto const& row : rows) all.push_back(int64_t(values.size())), values.push_back(row[k]);
  int64_t finite = std::count_if(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
  if (finite < 3) return {name, statistic(values, all), nan};
  return bootstrap_score(name, fields, seed,
                         [&](std::vector<int64_t> const& items) { return statistic(values, items); });
}

/// The pictures of each range of S/N.
std::vector<std::vector<int64_t>> items_by_snr(DenoisePairs const& pairs) {
  std::vector<std::vector<int64_t>> out(snr_bins);
  for (size_t n = 0; n < pairs.snr.size(); ++n)
    if (std::isfinite(pairs.snr[n])) out[size_t(snr_bin(pairs.snr[n]))].push_back(int64_t(n));
  return out;
}

template <class T> std::vector<T> chosen(std::vector<T> const& all, std::vector<int64_t> const& items) {
  std::vector<T> out;
  for (int64_t i : items) out.push_back(all[size_t(i)]);
  return out;
}

DenoiseReport::Row judge(JudgedImages const& method, DenoisePairs const& pairs, std::vector<int64_t> const& items,
                         std::vector<Shape> const& truths, std::vector<int64_t> const& fields, uint64_t seed) {
  DenoiseReport::Row row{method.name, {}, {}, {}};
  std::vector<Light> light(items.size());
  std::vector<Shape> shape(truths.size());
  d16::parallel_tasks(int64_t(items.size()), [&](int64_t i) {
    Tensor image = picture_at(method.images, items[size_t(i)]);
    light[size_t(i)] = judge_light(image, pairs, items[size_t(i)]);
    if (i < int64_t(truths.size()))
      shape[size_t(i)] = shape_bias(measure_shape(image, pairs, items[size_t(i)]), truths[size_t(i)]);
  });
  std::vector<int64_t> own = chosen(fields, items), few(own.begin(), own.begin() + std::ptrdiff_t(truths.size()));
  for (size_t k = 0; k < lights; ++k)
    row.light.push_back(score_column(light_names[k], light, k, own, seed, k == 8 ? median_of : mean_of));
  for (size_t k = 0; k < scales; ++k)
    row.spectrum.push_back(score_column(scale_names[k], light, lights + k, own, seed, mean_of));
  for (size_t k = 0; k < shapes; ++k) row.shape.push_back(score_column(shape_names[k], shape, k, few, seed, median_of));
  return row;
}

/// The best of some methods on pairs, by the mean PSNR over the frame.
DenoiseMethod best_of(std::vector<DenoiseMethod> const& methods, DenoisePairs const& pairs) {
  int64_t count = std::min<int64_t>(60, pairs.noisy.dim(0));
  double best = -1e9;
  DenoiseMethod chosen_one;
  for (DenoiseMethod const& method : methods) {
    std::vector<double> psnr(static_cast<size_t>(count));
    d16::parallel_tasks(count, [&](int64_t n) {
      Tensor image = method.one(picture_at(pairs.noisy, n), stretched_noise(pairs.stretch[size_t(n)]));
      psnr[size_t(n)] = vision::psnr(image, picture_at(pairs.clean, n));
    });
    if (double p = mean(psnr); p > best) best = p, chosen_one = method;
  }
  return chosen_one;
}

}  // namespace

double stretched_noise(vision::Stretch const& stretch) {
  return stretch.bands[0].sigma / stretch.slope(stretch.sky_level(0), 0);
}

std::vector<DenoiseMethod> choose_filters(DenoisePairs const& validation) {
  std::vector<DenoiseMethod> gaussian, median, non_local, wavelet;
  for (double width : {1.0, 1.5, 2.0, 3.0, 4.0, 6.0})
    gaussian.push_back({text("Gaussian filter, sigma ", width, " px"),
                        [=](Tensor const& x, double) { return vision::gaussian_filter(x, width); }});
  for (int64_t size : {3, 5, 7, 9, 13, 17})
    median.push_back({text("median filter, ", size, "x", size, " px"),
                      [=](Tensor const& x, double) { return vision::median_filter(x, size); }});
  for (double h : {0.5, 0.8, 1.2, 2.0, 3.0})
    non_local.push_back({text("non-local means, h ", h, " sigma"), [=](Tensor const& x, double sigma) {
                           return vision::non_local_means(x, {.h = h * sigma, .sigma = sigma});
                         }});
  for (double factor : {1.0, 1.5, 2.0, 3.0, 5.0})
    wavelet.push_back({text("wavelets (BayesShrink), ", factor, " sigma"), [=](Tensor const& x, double sigma) {
                         return vision::wavelet_filter(x, {.sigma = factor * sigma, .levels = 4, .shifts = 3});
                       }});
  std::vector<DenoiseMethod> out;
  for (auto const* kind : {&gaussian, &median, &non_local, &wavelet}) out.push_back(best_of(*kind, validation));
  return out;
}

DenoiseReport report_denoising(std::vector<JudgedImages> const& methods, DenoisePairs const& pairs,
                               std::vector<int64_t> const& fields, uint64_t seed) {
  constexpr size_t most_shapes = 25;  // a Sersic fit takes a hundred times as long as all the rest
  DenoiseReport out;
  std::vector<std::vector<int64_t>> by_snr = items_by_snr(pairs);
  for (int bin = 0; bin < snr_bins; ++bin) {
    std::vector<int64_t> const& items = by_snr[size_t(bin)];
    DenoiseReport::Bin one{snr_bin_name(bin), int64_t(items.size()), 0, {}};
    if (items.size() < 3) continue;
    std::vector<Shape> truths(std::min(most_shapes, items.size()));
    d16::parallel_tasks(int64_t(truths.size()), [&](int64_t i) {
      truths[size_t(i)] = measure_shape(picture_at(pairs.clean, items[size_t(i)]), pairs, items[size_t(i)]);
    });
    one.measured = int64_t(truths.size());
    for (JudgedImages const& method : methods) one.rows.push_back(judge(method, pairs, items, truths, fields, seed));
    out.bins.push_back(std::move(one));
  }
  return out;
}

std::string DenoiseReport::table() const {
  std::string out;
  for (Bin const& bin : bins) {
    out += text("**", bin.name, "**, ", bin.pictures, " pictures; shapes of ", bin.measured, "\n\n");
    out +=
        "| | PSNR [dB] | SSIM | MSE | MAE | segment PSNR [dB] | segment SSIM | segment MSE | segment MAE | flux bias | "
        "whiteness |\n|---|---|---|---|---|---|---|---|---|---|---|\n";
    constexpr int places[lights] = {2, 3, 6, 4, 2, 3, 6, 4, 3, 3};
    for (Row const& row : bin.rows) {
      out += "| " + row.method;
      for (size_t k = 0; k < lights; ++k) out += " | " + row.light[k].text(places[k]);
      out += " |\n";
    }
    out += "\n| power taken away, over what should be";
    for (char const* name : scale_names) out += text(" | ", name);
    out += " |\n|---|---|---|---|---|\n";
    for (Row const& row : bin.rows) {
      out += "| " + row.method;
      for (Score const& s : row.spectrum) out += " | " + s.text(3);
      out += " |\n";
    }
    out += "\n| bias of | R_e (relative) | n | C | A | Gini | M20 |\n|---|---|---|---|---|---|---|\n";
    for (Row const& row : bin.rows) {
      out += "| " + row.method;
      for (Score const& s : row.shape) out += " | " + s.text(3);
      out += " |\n";
    }
    out += "\n";
  }
  return out;
}

Json DenoiseReport::json() const {
  Json list = Json::array({});
  for (Bin const& bin : bins) {
    Json methods = Json::Object();
    for (Row const& row : bin.rows)
      methods[row.method] = Json::object(
          {{"light", json_of(row.light)}, {"power_taken", json_of(row.spectrum)}, {"shape_bias", json_of(row.shape)}});
    list.push_back(Json::object(
        {{"bin", bin.name}, {"pictures", bin.pictures}, {"measured", bin.measured}, {"methods", std::move(methods)}}));
  }
  return list;
}

namespace {

/// The shares of values of picture n within 68 and 95 % intervals: over the frame, and over the segment (H W).
std::vector<double> covered(Tensor const& image, Tensor const& std, Uncertainty::Maps const& maps, Tensor const& clean,
                            int64_t n, uint8_t const* segment) {
  int64_t values = image.numel() / image.dim(0), C = image.dim(3), first = n * values;
  double all[2] = {}, inside[2] = {}, pixels = 0;
  for (int64_t i = 0; i < values; ++i) {
    float error = std::abs(image.data<float>()[first + i] - clean.data<float>()[first + i]);
    float sigma = std.data<float>()[first + i];
    pixels += segment[i / C];
    for (int k : {0, 1}) {
      bool within = error <= (k ? maps.scale95 : maps.scale68).data<float>()[i / C] * sigma;
      all[k] += within, inside[k] += within && segment[i / C];
    }
  }
  return {all[0] / double(values), all[1] / double(values), inside[0] / pixels, inside[1] / pixels};
}

/// Of the pictures of each range of S/N.
std::vector<Coverage::Bin> coverage_bins(std::vector<std::vector<double>> const& shares,
                                         std::vector<std::vector<int64_t>> const& by_snr,
                                         std::vector<int64_t> const& fields, uint64_t seed) {
  std::vector<Coverage::Bin> out;
  for (int bin = 0; bin < snr_bins; ++bin) {
    std::vector<int64_t> const& items = by_snr[size_t(bin)];
    if (items.size() < 3) continue;
    std::vector<std::vector<double>> rows;
    for (int64_t i : items) rows.push_back(shares[size_t(i)]);
    std::vector<int64_t> own = chosen(fields, items);
    auto score = [&](char const* name, size_t k) { return score_column(name, rows, k, own, seed, mean_of); };
    out.push_back({snr_bin_name(bin), int64_t(items.size()), score("frame 68", 0), score("frame 95", 1),
                   score("segment 68", 2), score("segment 95", 3)});
  }
  return out;
}

}  // namespace

namespace {
bool close_to_wanted(Score const& s68, Score const& s95, double points) {
  return std::abs(s68.value - 0.68) <= points / 100 && std::abs(s95.value - 0.95) <= points / 100;
}
}  // namespace

bool Coverage::Bin::frame_within(double points) const { return close_to_wanted(frame68, frame95, points); }
bool Coverage::Bin::segment_within(double points) const { return close_to_wanted(segment68, segment95, points); }

Coverage measure_coverage(Tensor const& image, Tensor const& std, Uncertainty const& u, DenoisePairs const& pairs,
                          std::vector<int64_t> const& fields, uint64_t seed) {
  int64_t N = image.dim(0), pixels = image.dim(1) * image.dim(2);
  std::vector<std::vector<double>> seen(static_cast<size_t>(N)), truth(static_cast<size_t>(N));
  std::vector<int> bin(static_cast<size_t>(N));
  d16::parallel_tasks(N, [&](int64_t n) {
    auto at = size_t(n);
    Uncertainty::Maps maps = u.maps(picture_at(image, n), pairs.stretch[at]);
    bin[at] = maps.seen.bin;
    seen[at] = covered(image, std, maps, pairs.clean, n, maps.seen.inside.data());
    truth[at] = covered(image, std, maps, pairs.clean, n, pairs.segment.data<uint8_t>() + n * pixels);
  });
  std::vector<std::vector<int64_t>> by_seen(snr_bins);
  for (int64_t n = 0; n < N; ++n) by_seen[size_t(bin[size_t(n)])].push_back(n);
  return {u, coverage_bins(seen, by_seen, fields, seed), coverage_bins(truth, items_by_snr(pairs), fields, seed)};
}

namespace {

std::string coverage_table(std::vector<Coverage::Bin> const& bins, char const* where) {
  std::string out =
      "| | pictures | frame, 68 % | frame, 95 % | segment, 68 % | segment, 95 % |\n|---|---|---|---|---|---|\n";
  std::string frame, segment;
  for (Coverage::Bin const& b : bins) {
    out += text("| ", b.name, " | ", b.pictures, " | ", b.frame68.text(), " | ", b.frame95.text(), " | ",
                b.segment68.text(), " | ", b.segment95.text(), " |\n");
    if (!b.frame_within(5)) frame += (frame.empty() ? "" : ", ") + b.name;
    if (!b.segment_within(5)) segment += (segment.empty() ? "" : ", ") + b.name;
  }
  auto verdict = [](std::string const& what, std::string const& off) {
    return off.empty() ? text("\n", what, ": all within 5 points.\n")
                       : text("\n**", what, ": NOT WITHIN 5 POINTS at ", off, ".**\n");
  };
  return out + verdict("Frame", frame) + verdict(text("Segment of the ", where, " galaxy"), segment);
}

Json bins_json(std::vector<Coverage::Bin> const& bins) {
  Json list = Json::array({});
  for (Coverage::Bin const& b : bins)
    list.push_back(Json::object({{"bin", b.name},
                                 {"pictures", b.pictures},
                                 {"coverage", json_of({b.frame68, b.frame95, b.segment68, b.segment95})},
                                 {"frame_within_5_points", b.frame_within(5)},
                                 {"segment_within_5_points", b.segment_within(5)}}));
  return list;
}

}  // namespace

std::string Coverage::table() const {
  return text("By what is seen, the S/N and the segment of the denoised picture:\n\n", coverage_table(seen, "denoised"),
              "\nBy the truth, which a simulation alone knows, the S/N and the segment of the clean picture:\n\n",
              coverage_table(truth, "clean"));
}

Json Coverage::json() const {
  return Json::object({{"fit", json_of(uncertainty)}, {"seen", bins_json(seen)}, {"bins", bins_json(truth)}});
}

}  // namespace tool
