// Fits of Sersic profiles: simulated truth comes back within the errors, and failures say that they are.
#include <doctest/doctest.h>
#include <d16/core/random.hpp>
#include <d16/sim/psf.hpp>
#include <d16/vision/sersic_fit.hpp>

#include <cmath>
#include <numbers>
#include <vector>

using namespace d16;
using vision::SersicFit;

namespace {

/// As the fit sees galaxies: means over pixels, through the PSF.
Tensor observed(int64_t side, sim::Sersic const& s, Tensor const& psf, double sky, double sigma, uint64_t seed) {
  Tensor image = sim::sersic_profile(side, side, s, 15);
  if (psf.defined()) image = sim::convolve(image, psf);
  Random random(seed);
  for (int64_t i = 0; i < image.numel(); ++i) image.data<float>()[i] += float(sky + sigma * random.normal());
  return image;
}

sim::Sersic rough(int64_t side) {
  double middle = double(side - 1) / 2;
  return {.r_eff = 4, .n = 2, .q = 0.8, .theta = 0.2, .x0 = middle, .y0 = middle};
}

/// The angle between two axes.
double between(double a, double b) { return std::remainder(a - b, std::numbers::pi); }

}  // namespace

TEST_CASE("SersicImage: derivatives are those of differences") {
  sim::Sersic s{.r_eff = 3.2, .n = 1.7, .q = 0.6, .theta = 0.9, .x0 = 9.3, .y0 = 10.1};
  for (bool with_psf : {false, true}) {
    vision::SersicFitOptions o{.psf = with_psf ? sim::gaussian_psf(9, 2.5) : Tensor(), .oversample = 5};
    vision::detail::SersicImage make(21, 20, s, o);
    vision::detail::SersicVector p = vision::detail::sersic_vector(s, 100, 0);
    auto planes = make(p);
    double const h = with_psf ? 1e-3 : 1e-5;  // the FFT has 24 bits
    for (size_t k = 0; k < vision::detail::at_sky; ++k) {
      auto up = p, down = p;
      up[k] += h, down[k] -= h;
      auto above = make(up), below = make(down);
      double worst = 0, largest = 0;
      for (size_t i = 0; i < 420; ++i) {
        double slope = (above[2][i] - below[2][i]) / (2 * h);
        worst = std::max(worst, std::abs(slope - planes[k][i])), largest = std::max(largest, std::abs(slope));
      }
      CHECK(worst < (with_psf ? 1e-3 : 1e-6) * largest);  // h^2, and rounding over h
    }
  }
}

TEST_CASE("fit_sersic: without noise the truth to many digits, through a PSF too") {
  for (double n : {0.6, 1.0, 2.5, 4.0}) {
    sim::Sersic truth{.amplitude = 2, .r_eff = 5, .n = n, .q = 0.55, .theta = -0.7, .x0 = 31.4, .y0 = 32.7};
    Tensor psf = sim::moffat_psf(21, 2.6);
    SersicFit fit = vision::fit_sersic(observed(64, truth, psf, 0.3, 0, 1), rough(64),
                                       {.psf = psf, .sigma = 1e-3, .oversample = 15});
    CHECK_MESSAGE(fit.converged, fit.reason);
    CHECK(fit.limits == 0);
    // Light of the profile beyond the image that the PSF would bring back is the same in both. Pixels are float32.
    double cusp = n > 3 ? 6e-3 : 2e-3;  // the fit rounds it off between the points of its grid, the truth does not
    CHECK(std::abs(fit.profile.n / n - 1) < cusp);
    CHECK(std::abs(fit.profile.r_eff / 5 - 1) < cusp);
    CHECK(std::abs(fit.flux / truth.total_flux() - 1) < cusp);
    CHECK(std::abs(fit.profile.q - 0.55) < 1e-3);
    CHECK(std::abs(between(fit.profile.theta, -0.7)) < 1e-3);
    CHECK(std::hypot(fit.profile.x0 - 31.4, fit.profile.y0 - 32.7) < 1e-3);
    CHECK(std::abs(fit.sky - 0.3) < 2e-3);
  }
}

TEST_CASE("fit_sersic: errors cover the truth as often as they say") {
  int const runs = 60;
  int within_one[8] = {}, within_two[8] = {}, converged = 0;
  double chi2 = 0;
  Tensor psf = sim::gaussian_psf(13, 2.5);
  Random random(7);
  for (int k = 0; k < runs; ++k) {
    sim::Sersic truth{.r_eff = 3 + 3 * random.uniform(),
                      .n = 0.8 + 2 * random.uniform(),
                      .q = 0.3 + 0.5 * random.uniform(),
                      .theta = 3 * random.uniform(),
                      .x0 = 19 + random.uniform(),
                      .y0 = 19 + random.uniform()};
    truth = truth.with_flux(1500);
    SersicFit fit = vision::fit_sersic(observed(40, truth, psf, 0.5, 1, uint64_t(k) + 100), rough(40), {.psf = psf});
    CHECK_MESSAGE(fit.converged, fit.reason);
    converged += fit.converged, chi2 += fit.reduced_chi2() / runs;
    double pulls[8] = {(fit.profile.x0 - truth.x0) / fit.error.x0,
                       (fit.profile.y0 - truth.y0) / fit.error.y0,
                       (fit.flux - 1500) / fit.error.flux,
                       (fit.profile.r_eff - truth.r_eff) / fit.error.r_eff,
                       (fit.profile.n - truth.n) / fit.error.n,
                       (fit.profile.q - truth.q) / fit.error.q,
                       between(fit.profile.theta, truth.theta) / fit.error.theta,
                       (fit.sky - 0.5) / fit.error.sky};
    for (int i = 0; i < 8; ++i) within_one[i] += std::abs(pulls[i]) < 1, within_two[i] += std::abs(pulls[i]) < 2;
  }
  CHECK(converged == runs);
  CHECK(std::abs(chi2 - 1) < 0.02);  // 60 x 1592 degrees of freedom: 0.0046 is one sigma
  for (int i = 0; i < 8; ++i) {
    CHECK(within_one[i] >= 30);  // 41 of 60 with sigma 3.6: three sigma
    CHECK(within_one[i] <= 52);
    CHECK(within_two[i] >= 50);  // 57 with sigma 1.6: the normal law of large samples holds nearly
  }
}

TEST_CASE("fit_sersic: masks and errors of pixels count") {
  sim::Sersic truth{.amplitude = 5, .r_eff = 4, .n = 1, .q = 0.7, .theta = 0.4, .x0 = 20, .y0 = 21};
  Tensor image = observed(41, truth, {}, 0, 0.05, 3), mask = zeros(image.shape()), error = full(image.shape(), 0.05);
  for (int64_t i = 26; i < 32; ++i)
    for (int64_t j = 8; j < 14; ++j) image.data<float>()[i * 41 + j] += 40, mask.data<float>()[i * 41 + j] = 1;
  SersicFit masked = vision::fit_sersic(image, rough(41), {.error = error, .mask = mask});
  CHECK(masked.converged);
  CHECK(std::abs(masked.profile.n - 1) < 5 * masked.error.n);
  CHECK(masked.degrees == 41 * 41 - 36 - 8);
  for (int64_t i = 0; i < image.numel(); ++i)
    if (mask.data<float>()[i] != 0) error.data<float>()[i] = 1e6f;
  SersicFit weighed = vision::fit_sersic(image, rough(41), {.error = error});
  CHECK(std::abs(weighed.profile.n - masked.profile.n) < 1e-3);
  SersicFit fooled = vision::fit_sersic(image, rough(41), {.sigma = 0.05});
  CHECK(std::abs(fooled.profile.n - 1) > 0.1);
  for (int64_t i = 0; i < image.numel(); ++i)
    if (mask.data<float>()[i] != 0) image.data<float>()[i] = NAN;
  CHECK(vision::fit_sersic(image, rough(41), {.sigma = 0.05}).profile.n ==
        doctest::Approx(masked.profile.n).epsilon(1e-3));
}

TEST_CASE("fit_sersic: says when it did not converge, and what ended at a limit") {
  sim::Sersic truth{.amplitude = 5, .r_eff = 4, .n = 1, .q = 0.7, .theta = 0.4, .x0 = 20, .y0 = 21};
  Tensor image = observed(41, truth, {}, 0, 0.05, 3);
  SersicFit early = vision::fit_sersic(image, rough(41), {.sigma = 0.05, .most_steps = 1});
  CHECK(!early.converged);
  CHECK(early.reason.find("1 steps") != std::string::npos);
  SersicFit cusp = vision::fit_sersic(image, rough(41), {.sigma = 0.05, .least_n = 1.5});
  CHECK((cusp.limits & vision::sersic_limit_n) != 0);
  CHECK(cusp.profile.n == doctest::Approx(1.5));
  CHECK(cusp.converged);
  CHECK_THROWS_AS(vision::fit_sersic(image, {.r_eff = -1}), ValueError);
  CHECK_THROWS_AS(vision::fit_sersic(image, rough(41), {.psf = zeros({4, 4})}), ShapeError);
  CHECK_THROWS_AS(vision::fit_sersic(image, rough(41), {.mask = full(image.shape(), 1)}), ValueError);
}
