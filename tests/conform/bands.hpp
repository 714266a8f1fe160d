// Conformance runners of preprocessing: HOG, and aperture photometry, shapes of galaxies and the mesh background, functions of the host.
#pragma once
#include <string>
#include <vector>

#include <d16/vision/background.hpp>
#include <d16/vision/hog.hpp>
#include <d16/vision/morphology.hpp>
#include <d16/vision/photometry.hpp>
#include <d16/vision/sersic_fit.hpp>

#include "case.hpp"
#include "layout.hpp"

namespace d16::conform {

inline Outcome run_hog(Run& r) {
  io::Json const& a = r.attrs();
  vision::HogOptions o{.orientations = int(a.integer("orientations")),
                       .pixels_per_cell = pair(a, "pixels_per_cell", 8),
                       .cells_per_block = pair(a, "cells_per_block", 3),
                       .block_norm = vision::block_norm_of(a.has("block_norm") ? a.string("block_norm") : "L2-Hys"),
                       .transform_sqrt = boolean(a, "transform_sqrt", false)};
  return {{{"features", vision::hog(r.in("image"), o)}}};
}

inline Outcome run_photometry_aperture(Run& r) {
  std::string method = r.attrs().has("method") ? r.attrs().string("method") : "exact";
  if (method != "exact") throw Skip{"there is no aperture method " + method};
  Tensor positions = r.in("positions").cast(DType::f64).contiguous();
  std::vector<std::array<double, 2>> xy;
  for (int64_t i = 0; i < positions.dim(0); ++i)
    xy.push_back({positions.data<double>()[2 * i], positions.data<double>()[2 * i + 1]});
  std::vector<double> fluxes;
  for (auto const& f : vision::aperture_photometry(r.in("image"), xy, r.attrs().number("r"))) fluxes.push_back(f.flux);
  return {{{"flux", from(fluxes, {int64_t(fluxes.size())})}}};
}

inline Outcome run_background_mesh(Run& r) {
  vision::BackgroundOptions o{.box = pair(r.attrs(), "box", 64), .filter = int(number(r.attrs(), "filter", 3))};
  vision::Background b = vision::mesh_background(r.in("image"), r.has("mask") ? r.in("mask") : Tensor(), o);
  return {{{"level", b.level}, {"rms", b.rms}}};
}

inline Outcome run_morphology(Run& r) {
  vision::Morphology m = vision::measure_morphology(r.in("image"), {.segment = r.in("segment"), .mask = r.in("mask")});
  auto one = [](double number) { return full({1}, number, {.dtype = DType::f64, .device = "cpu"}); };
  return {{{"x", one(m.x)},
           {"y", one(m.y)},
           {"ellipticity", one(m.ellipticity)},
           {"theta", one(m.theta)},
           {"r_petro", one(m.r_petro)},
           {"a_petro", one(m.a_petro)},
           {"r20", one(m.r20)},
           {"r50", one(m.r50)},
           {"r80", one(m.r80)},
           {"concentration", one(m.concentration)},
           {"asymmetry", one(m.asymmetry)},
           {"smoothness", one(m.smoothness)},
           {"gini", one(m.gini)},
           {"m20", one(m.m20)}}};
}

inline Outcome run_sersic_fit(Run& r) {
  Tensor image = r.in("image");
  sim::Sersic start{.r_eff = 4, .n = 2, .q = 0.8, .x0 = double(image.dim(1)) / 2, .y0 = double(image.dim(0)) / 2};
  vision::SersicFit f = vision::fit_sersic(
      image, start,
      {.psf = r.in("psf"), .sigma = r.attrs().number("sigma"), .oversample = int(r.attrs().integer("oversample"))});
  auto one = [](double number) { return full({1}, number, {.dtype = DType::f64, .device = "cpu"}); };
  return {{{"flux", one(f.flux)},
           {"r_eff", one(f.profile.r_eff)},
           {"n", one(f.profile.n)},
           {"x0", one(f.profile.x0)},
           {"y0", one(f.profile.y0)},
           {"q", one(f.profile.q)},
           {"theta", one(f.profile.theta)},
           {"sky", one(f.sky)},
           {"error_flux", one(f.error.flux)},
           {"error_r_eff", one(f.error.r_eff)},
           {"error_n", one(f.error.n)},
           {"error_x0", one(f.error.x0)},
           {"error_y0", one(f.error.y0)},
           {"error_q", one(f.error.q)},
           {"error_theta", one(f.error.theta)},
           {"error_sky", one(f.error.sky)},
           {"chi2", one(f.chi2)}}};
}

inline OpTable bands_ops() {
  OpTable table;
  auto add = [&](char const* name, Runner run) { table[name] = {run, false}; };
  table["hog"] = {run_hog};
  add("photometry_aperture", run_photometry_aperture);
  add("background_mesh", run_background_mesh);
  add("morphology", run_morphology);
  add("sersic_fit", run_sersic_fit);
  return table;
}

}  // namespace d16::conform
