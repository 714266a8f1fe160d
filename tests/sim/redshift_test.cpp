// Artificial redshifting: distances, and the laws of flux, size, surface brightness, identity and composition.
#include <doctest/doctest.h>
#include <d16/sim/psf.hpp>
#include <d16/sim/redshift.hpp>

#include <numbers>

using namespace d16;

namespace {
/// A Gaussian source of `sigma` pixels seen through a Gaussian PSF of `fwhm` pixels, with total flux 1000, off the centre.
Tensor blob(int64_t h, int64_t w, double sigma, double fwhm) {
  double total = sigma * sigma + fwhm * fwhm / (8 * std::log(2.0));
  Tensor x = empty({h, w});
  for (int64_t k = 0; k < h * w; ++k) {
    double dy = double(k / w) - double(h - 1) / 2, dx = double(k % w) - double(w - 1) / 2 - 1.3;
    x.data<float>()[k] = float(1000 / (2 * std::numbers::pi * total) * std::exp(-(dx * dx + dy * dy) / (2 * total)));
  }
  return x;
}
/// A Gaussian PSF sampled at the middles of its pixels: what blob() has.
Tensor psf(int64_t side, double fwhm) {
  double variance = fwhm * fwhm / (8 * std::log(2.0));
  Tensor x = empty({side, side});
  for (int64_t k = 0; k < side * side; ++k) {
    double dy = double(k / side) - double(side / 2), dx = double(k % side) - double(side / 2);
    x.data<float>()[k] = float(std::exp(-(dx * dx + dy * dy) / (2 * variance)));
  }
  return x;
}
struct Moments {
  double flux = 0, x = 0, variance = 0;
};
Moments moments(Tensor const& image) {
  Moments m;
  int64_t w = image.dim(1);
  double middle = double(w - 1) / 2;
  for (int64_t k = 0; k < image.numel(); ++k) {
    double v = double(image.data<float>()[k]), dx = double(k % w) - middle;
    m.flux += v, m.x += v * dx, m.variance += v * dx * dx;
  }
  m.x /= m.flux, m.variance = m.variance / m.flux - m.x * m.x;
  return m;
}
double worst(Tensor const& a, Tensor const& b) {
  double out = 0;
  for (int64_t k = 0; k < a.numel(); ++k)
    out = std::max(out, std::abs(double(a.data<float>()[k] - b.data<float>()[k])));
  return out;
}
double peak(Tensor const& a) {
  double out = 0;
  for (float v : a.host<float>()) out = std::max(out, double(v));
  return out;
}
}  // namespace

TEST_CASE("distances are those of astropy 6.1.7: FlatLambdaCDM(H0, Om0, Tcmb0=0)") {
  struct Golden {
    double hubble, matter, z, comoving, angular, luminosity;
  };
  constexpr Golden cases[] = {{70, 0.3, 0.01, 42.73092581, 42.30784734, 43.15823507},
                              {70, 0.3, 0.3, 1194.39687, 918.7668229, 1552.715931},
                              {70, 0.3, 0.769, 2702.054381, 1527.447361, 4779.9342},
                              {70, 0.3, 1, 3303.828806, 1651.914403, 6607.657612},
                              {70, 0.3, 2, 5179.862074, 1726.620691, 15539.58622},
                              {70, 0.3, 3.5, 6796.149818, 1510.255515, 30582.67418},
                              {70, 0.3, 8, 8943.205187, 993.6894652, 80488.84668},
                              {70, 0.3, 12, 9817.831496, 755.2178074, 127631.8095},
                              {67.66, 0.3111, 0.769, 2780.392974, 1571.731472, 4918.51517},
                              {67.66, 0.3111, 3.5, 6952.965113, 1545.103358, 31288.34301},
                              {67.66, 0.3111, 12, 10023.54067, 771.0415903, 130306.0288}};
  for (Golden const& g : cases) {  // the golden values have ten digits
    sim::Cosmology c{g.hubble, g.matter};
    CHECK(c.comoving(g.z) == doctest::Approx(g.comoving).epsilon(2e-9));
    CHECK(c.angular(g.z) == doctest::Approx(g.angular).epsilon(2e-9));
    CHECK(c.luminosity(g.z) == doctest::Approx(g.luminosity).epsilon(2e-9));
  }
  CHECK(sim::Cosmology{}.comoving(0) == 0);
  CHECK_THROWS_AS(sim::Cosmology{}.comoving(-0.1), ValueError);
  CHECK_THROWS_AS(sim::Cosmology({.matter = 2}).comoving(1), ValueError);
}

TEST_CASE("redshift: flux, size, place and surface brightness follow their laws") {
  Random random(1);
  Tensor image = blob(81, 75, 5, 3);
  for (double dimming : {3.0, 4.0, 5.0})
    for (double evolution : {0.0, 1.0}) {
      sim::RedshiftOptions o{.z_in = 0.3, .z_out = 1.5, .pixel_in = 0.05, .pixel_out = 0.04, .psf_in = psf(31, 3)};
      o.psf_out = psf(31, 4), o.dimming = dimming;
      o.luminosity_evolution = evolution, o.size_evolution = 0.5 * evolution, o.wavelength_in = 0.8;
      sim::Redshifted r = sim::redshift_galaxy(image, o, random);
      sim::Cosmology c;
      double a = c.angular(0.3) / c.angular(1.5) * std::pow(2.5 / 1.3, -0.5 * evolution);
      // (1 + z)^-dimming of surface brightness times the area, and 1.2 magnitudes of evolution
      double shrunk = c.angular(0.3) / c.angular(1.5);
      double flux = std::pow(1.3 / 2.5, dimming) * shrunk * shrunk * std::pow(10, 0.4 * 1.2 * evolution);
      Moments before = moments(image), after = moments(r.image);
      CHECK(r.angular == doctest::Approx(a));
      CHECK(r.flux == doctest::Approx(flux));
      // float32 sums of 1e4 pixels, and the damping of 1e-6 at frequency 0
      CHECK(after.flux / before.flux == doctest::Approx(flux).epsilon(1e-4));
      CHECK(after.x * 0.04 == doctest::Approx(before.x * 0.05 * a).epsilon(1e-3));
      double expected = std::pow(5 * 0.05 * a / 0.04, 2) + 16 / (8 * std::log(2.0));
      CHECK(after.variance == doctest::Approx(expected).epsilon(2e-3));  // damped waves: (1e-3 / 0.05)^2
      CHECK(r.rest_wavelength == doctest::Approx(0.8 / 1.3));
      CHECK(r.wavelength_out == doctest::Approx(0.8 * 2.5 / 1.3));
      o.per_area = true;
      Tensor area = sim::redshift_galaxy(image, o, random).image;
      CHECK(peak(area) * 0.64 == doctest::Approx(peak(r.image)).epsilon(1e-5));  // (0.04 / 0.05)^2
    }
}

TEST_CASE("redshift: the same redshift, PSF and pixels give the same image") {
  Random random(1);
  for (auto [h, w] : {std::pair(64, 64), std::pair(61, 48)}) {
    Tensor image = blob(h, w, 4, 3);
    sim::RedshiftOptions o{.z_in = 0.7, .z_out = 0.7, .pixel_in = 0.05, .pixel_out = 0.05, .psf_in = psf(25, 3)};
    o.psf_out = o.psf_in;
    sim::Redshifted r = sim::redshift_galaxy(image, o, random);
    REQUIRE(r.image.shape() == image.shape());
    CHECK(r.flux == doctest::Approx(1));
    // waves that the PSF passes by p are damped by 1e-6 / p^2; those of the blob have p > 0.03 where they are above 1e-4
    CHECK(worst(r.image, image) < 1.2e-3 * peak(image));
  }
}

TEST_CASE("redshift: two steps are as good as one") {
  Random random(1);
  Tensor image = blob(96, 96, 6, 2.5), middle = psf(35, 3), last = psf(35, 4);
  sim::RedshiftOptions direct{.z_in = 0.2, .z_out = 2, .pixel_in = 0.05, .pixel_out = 0.04, .psf_in = psf(25, 2.5)};
  direct.psf_out = last, direct.size = 48, direct.luminosity_evolution = 0.5, direct.size_evolution = 0.3;
  sim::RedshiftOptions first = direct, second = direct;
  first.z_out = 0.6, first.psf_out = middle, first.size = 80;
  second.z_in = 0.6, second.pixel_in = 0.04, second.psf_in = middle;
  Tensor one = sim::redshift_galaxy(image, direct, random).image;
  Tensor two = sim::redshift_galaxy(sim::redshift_galaxy(image, first, random).image, second, random).image;
  CHECK(worst(one, two) < 3e-3 * peak(one));
}

TEST_CASE("redshift: noise of the target field, deterministic; nothing that is not finite") {
  Tensor image = blob(60, 60, 3, 3);
  image.data<float>()[7] = NAN, image.data<float>()[8] = INFINITY;
  sim::RedshiftOptions o{.z_in = 0.5, .z_out = 3, .pixel_in = 0.05, .pixel_out = 0.05, .psf_in = psf(25, 3)};
  o.psf_out = psf(25, 4), o.size = 128, o.sigma = 0.5, o.correlation = 0.45;
  Random a(4), b(4);
  sim::Redshifted r = sim::redshift_galaxy(image, o, a);
  CHECK(r.filled == 2);
  double sum = 0;
  for (int64_t k = 0; k < 128 * 20; ++k) sum += std::pow(double(r.image.data<float>()[k]), 2);
  CHECK(std::abs(std::sqrt(sum / (128 * 20)) / 0.5 - 1) < 5 * std::sqrt(3.7 / (2 * 128.0 * 20)));
  CHECK(sim::autocorrelation(r.image, 0, 1) == doctest::Approx(0.45).epsilon(0.15));
  CHECK(worst(r.image, sim::redshift_galaxy(image, o, b).image) == 0);
}

TEST_CASE("redshift refuses what cannot be: a sharper PSF, a nearer universe of nonsense") {
  Random random(1);
  Tensor image = blob(40, 40, 3, 3);
  sim::RedshiftOptions o{.z_in = 0.5, .z_out = 0.5, .pixel_in = 0.05, .pixel_out = 0.05, .psf_in = psf(25, 3)};
  o.psf_out = psf(25, 2);
  CHECK_THROWS_AS(sim::redshift_galaxy(image, o, random), ValueError);
  o.psf_out = psf(25, 3), o.z_out = 0.1;  // nearer: larger, and its PSF with it
  CHECK_THROWS_AS(sim::redshift_galaxy(image, o, random), ValueError);
  o.z_out = 1;
  CHECK_NOTHROW(sim::redshift_galaxy(image, o, random));
  o.psf_out = zeros({5, 5});
  CHECK_THROWS_AS(sim::redshift_galaxy(image, o, random), ValueError);
  o.psf_out = {};
  CHECK_THROWS_AS(sim::redshift_galaxy(image, o, random), ShapeError);
  o.psf_out = psf(25, 3), o.z_in = 0;
  CHECK_THROWS_AS(sim::redshift_galaxy(image, o, random), ValueError);
}
