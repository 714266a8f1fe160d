// Scenes through PSFs: the Fourier transform, point sources, Sersic galaxies, their flux and place.
#include <doctest/doctest.h>
#include <d16/core/random.hpp>
#include <d16/sim/survey_galaxy.hpp>

#include <complex>
#include <vector>

using namespace d16;

namespace {

sim::PsfSet gaussians(double fwhm) {
  sim::PsfSet set{"round", {}};
  for (size_t b = 0; b < 7; ++b) set.psf[b] = sim::gaussian_survey_psf(101, 0.02, fwhm * (1 + 0.1 * double(b)));
  return set;
}
std::vector<float> observe(sim::Optics const& optics, sim::Scene const& scene, sim::Fluxes const& flux) {
  static sim::Optics::Planes planes;
  sim::Optics::transform(scene, planes);
  std::vector<float> image(64 * 64 * 7);
  optics.observe({{&planes, flux}}, image.data());
  return image;
}
struct Sums {
  double flux = 0, x = 0, y = 0;
};
Sums sums(std::vector<float> const& image, int band) {
  Sums s;
  for (int k = 0; k < 64 * 64; ++k) {
    double v = double(image[size_t(k * 7 + band)]);
    s.flux += v, s.x += v * (k % 64), s.y += v * (k / 64);
  }
  return {s.flux, s.x / s.flux, s.y / s.flux};
}
constexpr sim::Fluxes white{1, 1, 1, 1, 1, 1, 1};

}  // namespace

TEST_CASE("the transform of a pair of images is the sum of its definition, and comes back") {
  constexpr int n = 32;
  sim::detail::Plane<n> p;
  Random random(4);
  for (float& v : p.re) v = float(random.uniform(-1, 1));
  for (float& v : p.im) v = float(random.uniform(-1, 1));
  auto before = p;
  sim::HalfSpectrum<n> a, b;
  sim::transform_pair(p, n, a, b);
  double worst = 0;
  for (int u = 0; u <= n / 2; u += 3)
    for (int v = 0; v < n; v += 5) {
      std::complex<double> sa, sb;
      for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j) {
          auto wave = std::polar(1.0, -2 * std::numbers::pi * (u * j + v * i) / n);
          sa += wave * double(before.re[size_t(i * n + j)]), sb += wave * double(before.im[size_t(i * n + j)]);
        }
      size_t at = size_t(u * n + v);
      worst = std::max({worst, std::abs(sa - std::complex<double>(double(a.re[at]), double(a.im[at]))),
                        std::abs(sb - std::complex<double>(double(b.re[at]), double(b.im[at])))});
    }
  // ten rounds of additions on values that grow as the root of 1024: 10 * 32 * 2^-24, twice for the second image
  CHECK(worst < 2 * 10 * 32 * 0x1p-24);
  sim::detail::Plane<n> back;
  sim::inverse_pair(a, b, back, n);
  for (size_t i = 0; i < back.re.size(); ++i) {
    REQUIRE(std::abs(back.re[i] - before.re[i]) < 20 * 0x1p-23f);
    REQUIRE(std::abs(back.im[i] - before.im[i]) < 20 * 0x1p-23f);
  }
}

TEST_CASE("an image is the sum over the pixels of the scene, for PSFs as sharp as a pixel too") {
  sim::PsfSet set = gaussians(0.02);
  for (size_t b = 0; b < 7; ++b) set.psf[b].light[size_t(40 * 101 + 60)] += 0.3f;  // neither round nor centred
  sim::Optics optics(set);
  struct Light {
    int i, j;
    float value;
  } const lights[] = {{64, 63, 1}, {65, 70, -0.5f}, {3, 2, 2}, {127, 90, 1.5f}};
  sim::Scene scene;
  for (Light const& l : lights) scene.at(l.i, l.j) = l.value;
  auto image = observe(optics, scene, {2, 2, 2, 2, 2, 2, 2});
  double worst = 0, most = 0;
  for (int i = 0; i < 64; ++i)
    for (int j = 0; j < 64; ++j) {
      double sum = 0;
      for (Light const& l : lights) {
        double dx = (j - (l.j - 0.5) / 2) * 0.03, dy = (i - (l.i - 0.5) / 2) * 0.03;
        sum += 2 * 0.03 * 0.03 * double(l.value) * set.psf[4].density(dx, dy);
      }
      worst = std::max(worst, std::abs(sum - double(image[size_t((i * 64 + j) * 7 + 4)])));
      most = std::max(most, std::abs(sum));
    }
  CHECK(worst < 4 * 14 * 0x1p-23 * most * 8);  // four transforms of 14 rounds on 8 numbers of that size
}

TEST_CASE("a point is the PSF around its place, between pixels too") {
  sim::PsfSet set = gaussians(0.1);
  sim::Optics optics(set);
  for (double x0 : {31.0, 30.37, 29.75}) {
    sim::Scene scene;
    scene.add_point(2 * x0 + 0.5, 2 * 33.2 + 0.5, 3);
    auto image = observe(optics, scene, {1, 2, 3, 4, 5, 6, 7});
    for (int b : {0, 3, 6}) {
      double sigma = 0.1 * (1 + 0.1 * b) / 0.03 / std::sqrt(8 * std::log(2.0)), worst = 0;
      for (int i = 0; i < 64; ++i)
        for (int j = 0; j < 64; ++j) {
          double r2 = (j - x0) * (j - x0) + (i - 33.2) * (i - 33.2);
          double light = 3 * (b + 1) * std::exp(-r2 / (2 * sigma * sigma)) / (2 * std::numbers::pi * sigma * sigma);
          worst = std::max(worst, std::abs(light - double(image[size_t((i * 64 + j) * 7 + b)])));
        }
      // cubics between points 0.5 of the width sigma apart are off by (0.5)^4 / 100 of the peak, twice (both axes) for
      // the PSF at 0.47 sigma and as much for the point at 0.35 sigma
      double peak = 3 * (b + 1) / (2 * std::numbers::pi * sigma * sigma);
      CHECK(worst < 0.01 * peak);
      Sums s = sums(image, b);
      CHECK(s.flux == doctest::Approx(3 * (b + 1)).epsilon(2e-3));
      CHECK(std::abs(s.x - x0) < 0.01);
      CHECK(std::abs(s.y - 33.2) < 0.01);
    }
  }
}

TEST_CASE("galaxies keep their flux and place whatever their size and cusp") {
  sim::Optics optics(gaussians(0.07));
  for (double r_eff : {0.05, 0.2, 1.0, 3.0, 8.0})
    for (double n : {0.5, 1.0, 2.5, 4.0}) {
      sim::Scene scene;
      sim::add_sersic(scene, {1, r_eff, n, 0.6, 0.8, 62.8, 63.9}, 100);
      auto image = observe(optics, scene, white);
      Sums s = sums(image, 2);
      CAPTURE(r_eff);
      CAPTURE(n);
      // what lies outside of the frame, 62 pixels of the scene from the centre along the major axis, is lost
      double inside = sim::sersic_enclosed(n, sim::sersic_b(n), 62 / r_eff);
      CHECK(s.flux > 100 * inside - 0.3);
      CHECK(s.flux < 100 + 0.3);
      CHECK(std::abs(s.x - (62.8 - 0.5) / 2) < 0.03);
      CHECK(std::abs(s.y - (63.9 - 0.5) / 2) < 0.03);
    }
  sim::Scene scene;
  CHECK_THROWS_AS(sim::add_sersic(scene, {1, 0, 1, 1, 0, 3, 3}, 1), ValueError);
  CHECK_THROWS_AS(sim::add_sersic(scene, {1, 2, 1, 1.2, 0, 3, 3}, 1), ValueError);
}

TEST_CASE("the drawing agrees with the profile, pixel by pixel, and lies along its axis") {
  sim::Sersic s{1, 14, 1.7, 0.5, 0.6, 60.2, 65.1};
  s = s.with_flux(1000);
  sim::SersicLight light(s);
  sim::Scene scene;
  sim::add_sersic(scene, s, 1000);
  for (int i = 0; i < 128; i += 7)
    for (int j = 0; j < 128; j += 5) {
      double distance = std::hypot(j - s.x0, i - s.y0);
      if (distance < 8) continue;
      // straight pieces over 1/32 of r^2: (1/32)^2 / 8 times the second derivative, below 20
      CHECK(double(scene.at(i, j)) == doctest::Approx(light(j, i)).epsilon(20.0 / 32 / 32 / 8));
    }
  CHECK(sim::sersic_enclosed(1.7, sim::sersic_b(1.7), 1) == doctest::Approx(0.5).epsilon(1e-9));
  CHECK(sim::sersic_enclosed(1, sim::sersic_b(1), 1e6) == 1);
  CHECK(sim::sersic_enclosed(4, sim::sersic_b(4), 0) == 0);
}

TEST_CASE("sources add, each with its own colour; light at one edge does not come back at the other") {
  sim::Optics optics(gaussians(0.1));
  static sim::Optics::Planes left, right;
  sim::Scene scene;
  scene.add_point(2 * 3 + 0.5, 2 * 30 + 0.5, 1);
  sim::Optics::transform(scene, left);
  scene.clear();
  scene.add_point(2 * 50 + 0.5, 2 * 30 + 0.5, 1);
  sim::Optics::transform(scene, right);
  std::vector<float> both(64 * 64 * 7), one(64 * 64 * 7), two(64 * 64 * 7);
  sim::Fluxes a{1, 2, 3, 4, 5, 6, 7}, b{7, 0, 5, 0, 3, 2, 0};
  optics.observe({{&left, a}, {&right, b}}, both.data());
  optics.observe({{&left, a}}, one.data());
  optics.observe({{&right, b}}, two.data());
  for (size_t k = 0; k < both.size(); ++k) REQUIRE(std::abs(both[k] - one[k] - two[k]) < 1e-5f);
  for (int i = 0; i < 64; ++i) REQUIRE(std::abs(one[size_t((i * 64 + 60) * 7 + 6)]) < 1e-5f);
}

TEST_CASE("a wider PSF keeps its light, and encircles less of it") {
  sim::Psf psf = sim::gaussian_survey_psf(101, 0.02, 0.1), wide = psf.widened(1.5);
  // a Gaussian holds half of its light inside half of its width
  CHECK(psf.encircled(0.05) == doctest::Approx(0.5).epsilon(0.03));
  CHECK(wide.encircled(0.075) == doctest::Approx(0.5).epsilon(0.03));
  CHECK(wide.encircled(0.05) < psf.encircled(0.05));
  CHECK(psf.encircled(1) == doctest::Approx(1).epsilon(1e-5));
  CHECK(psf.density(0, 0) / wide.density(0, 0) == doctest::Approx(1.5 * 1.5));
  CHECK_THROWS_AS(sim::gaussian_survey_psf(4, 0.02, 0.1), ValueError);
  CHECK_THROWS_AS(sim::Optics(sim::PsfSet{"none", {}}), ValueError);
}
