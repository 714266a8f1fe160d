// Conformance runners of the asinh stretch, and of simulation, statistics and scores, plain functions of the host.
#pragma once
#include <d16/learn/metrics.hpp>
#include <d16/sim/sersic.hpp>
#include <d16/vision/non_local_means.hpp>
#include <d16/vision/quality.hpp>
#include <d16/vision/statistics.hpp>
#include <d16/vision/stretch.hpp>
#include <d16/vision/wavelet.hpp>

#include "case.hpp"
#include "layout.hpp"

namespace d16::conform {

inline Tensor value(double number) { return full({1}, number, {.dtype = DType::f64, .device = "cpu"}); }

inline Outcome run_psnr(Run& r) {
  return {{{"value", value(vision::psnr(r.in("a"), r.in("b"), r.attrs().number("data_range")))}}};
}

inline Outcome run_ssim(Run& r) {
  vision::SsimOptions o{.data_range = r.attrs().number("data_range"),
                        .gaussian_weights = boolean(r.attrs(), "gaussian_weights", false),
                        .sigma = number(r.attrs(), "sigma", 1.5),
                        .win_size = int(number(r.attrs(), "win_size", 0)),
                        .use_sample_covariance = boolean(r.attrs(), "use_sample_covariance", true)};
  return {{{"value", value(vision::ssim(r.in("a"), r.in("b"), o))}}};
}

inline Outcome run_roc_auc(Run& r) { return {{{"value", value(learn::roc_auc(r.in("scores"), r.in("labels")))}}}; }

inline Outcome run_confusion_matrix(Run& r) {
  return {{{"matrix", learn::confusion_matrix(r.in("labels"), r.in("predictions"), r.attrs().integer("classes"))}}};
}

inline Outcome run_asinh_stretch(Run& r) {
  return {{{"y", vision::asinh_stretch(r.in("image"), r.attrs().number("a"))}}};
}
inline Outcome run_mad_sigma(Run& r) { return {{{"value", value(vision::mad_sigma(r.in("image")))}}}; }

inline Outcome run_sigma_clipped_stats(Run& r) {
  vision::ClippedStats s = vision::sigma_clipped_stats(
      r.in("image"), {.sigma = number(r.attrs(), "sigma", 3), .maxiters = int(number(r.attrs(), "maxiters", 5))});
  return {{{"mean", value(s.mean)}, {"median", value(s.median)}, {"std", value(s.std)}}};
}

inline Outcome run_sersic_profile(Run& r) {
  io::Json const& a = r.attrs();
  sim::Sersic s{.amplitude = a.number("amplitude"),
                .r_eff = a.number("r_eff"),
                .n = a.number("n"),
                .q = a.number("q"),
                .theta = a.number("theta"),
                .x0 = a.number("x0"),
                .y0 = a.number("y0")};
  Pair size = pair(a, "size", 1);
  int oversample = int(number(a, "oversample", 1));
  return {{{"image", sim::sersic_profile(size.h, size.w, s, oversample, {.dtype = DType::f64, .device = "cpu"})}}};
}

inline Outcome run_non_local_means(Run& r) {
  io::Json const& a = r.attrs();
  vision::NonLocalMeansOptions o{.patch = a.integer("patch_size"),
                                 .reach = a.integer("patch_distance"),
                                 .h = a.number("h"),
                                 .sigma = number(a, "sigma", 0)};
  return {{{"y", vision::non_local_means(r.in("image"), o)}}};
}
inline Outcome run_wavelet_filter(Run& r) {
  vision::WaveletOptions o{.sigma = number(r.attrs(), "sigma", 0),
                           .levels = int(number(r.attrs(), "wavelet_levels", 0)),
                           .shifts = int64_t(number(r.attrs(), "max_shifts", 0))};
  return {{{"y", vision::wavelet_filter(r.in("image"), o)}}};
}

inline OpTable vision_ops() {
  OpTable table;
  auto add = [&](char const* name, Runner run) { table[name] = {run, false}; };
  table["asinh_stretch"] = {run_asinh_stretch};
  add("psnr", run_psnr);
  add("ssim", run_ssim);
  add("sersic_profile", run_sersic_profile);
  add("roc_auc", run_roc_auc);
  add("confusion_matrix", run_confusion_matrix);
  add("mad_sigma", run_mad_sigma);
  add("sigma_clipped_stats", run_sigma_clipped_stats);
  add("non_local_means", run_non_local_means);
  add("wavelet_filter", run_wavelet_filter);
  return table;
}

}  // namespace d16::conform
