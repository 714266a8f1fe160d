// Shapes of galaxies: exact profiles against integrals over them, and what must not change with brightness and place.
#include <doctest/doctest.h>
#include <d16/core/random.hpp>
#include <d16/sim/sersic.hpp>
#include <d16/vision/filter.hpp>
#include <d16/vision/morphology.hpp>

#include <chrono>
#include <cmath>
#include <numbers>
#include <vector>

using namespace d16;
using std::numbers::pi;
using vision::GrowthCurve;
using vision::Morphology;

namespace {

Tensor sersic(int64_t side, sim::Sersic const& s) {
  return sim::sersic_profile(side, side, s, 5, {.dtype = DType::f64, .device = Device()});
}

/// A galaxy without symmetry: a disk, a bulge and two clumps.
Tensor lopsided(int64_t side, double x, double y) {
  Tensor image = sersic(side, {.amplitude = 1, .r_eff = 7, .n = 1, .q = 0.6, .theta = 0.5, .x0 = x, .y0 = y});
  for (auto const& clump : {sim::Sersic{.amplitude = 3, .r_eff = 1.5, .n = 0.5, .x0 = x + 6, .y0 = y + 2},
                            sim::Sersic{.amplitude = 2, .r_eff = 2, .n = 0.5, .x0 = x - 3, .y0 = y - 5}})
    image = image + sersic(side, clump);
  return image;
}

Tensor above(Tensor const& image, double level) {
  Tensor segment = empty(image.shape(), {.dtype = DType::f64});
  for (int64_t i = 0; i < image.numel(); ++i) segment.data<double>()[i] = image.data<double>()[i] > level;
  return segment;
}

Tensor noise(int64_t side, double sigma, uint64_t seed) {
  Random random(seed);
  Tensor out = empty({side, side}, {.dtype = DType::f64});
  for (int64_t i = 0; i < out.numel(); ++i) out.data<double>()[i] = sigma * random.normal();
  return out;
}

/// The light of a Sersic profile of r_eff 1 and amplitude 1 within r, by Simpson's rule in the fourth root of the radius.
double light_within(double n, double r, double power) {
  double b = sim::sersic_b(n), top = std::pow(r, 0.25), sum = 0;
  int const steps = 4000;
  for (int k = 0; k <= steps; ++k) {
    double t = top * k / steps, s = t * t * t * t;
    double f = 2 * pi * std::pow(s, 1 + power) * std::exp(-b * (std::pow(s, 1 / n) - 1)) * 4 * t * t * t;
    sum += f * (k == 0 || k == steps ? 1 : k % 2 ? 4 : 2);
  }
  return sum * top / steps / 3;
}

double solve(auto const& f, double low, double high) {
  for (int k = 0; k < 60; ++k) {
    double middle = (low + high) / 2;
    (f(middle) > 0 ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace

TEST_CASE("ellipse_overlap: a circle's is that of circle_overlap, an ellipse's pixels add up to its area") {
  for (auto [x, y, r] : {std::array{0.3, 0.2, 0.4}, std::array{1.1, 0.4, 1.2}, std::array{2.0, -1.5, 2.6},
                         std::array{-0.6, 0.1, 0.35}, std::array{5.0, 5.0, 7.0}, std::array{0.0, 0.0, 20.0}})
    CHECK(std::abs(vision::ellipse_overlap(x, y, r, 1, 0.4) - vision::circle_overlap(x, y, r)) < 1e-12);
  for (auto [a, q, theta] : {std::array{0.4, 0.5, 0.3}, std::array{6.0, 0.2, -1.1}, std::array{9.5, 0.9, 2.0}}) {
    double sum = 0;
    for (int i = -12; i <= 12; ++i)
      for (int j = -12; j <= 12; ++j) sum += vision::ellipse_overlap(j - 0.21, i + 0.4, a, q, theta);
    CHECK(std::abs(sum - pi * a * a * q) < 1e-11);  // 100 rim pixels, each good to about 1e-14 a^2
  }
}

TEST_CASE("GrowthCurve: the light of circles is that of aperture_photometry, whatever is masked") {
  Tensor image = noise(23, 1, 5);
  std::vector<double> value(image.data<double>(), image.data<double>() + image.numel());
  value[7 * 23 + 9] = value[11 * 23 + 11] = NAN;
  image.data<double>()[7 * 23 + 9] = image.data<double>()[11 * 23 + 11] = NAN;
  GrowthCurve growth(value, 23, 10.3, 11.8);
  for (double r : {0.2, 0.9, 3.0, 7.77, 14.0, 40.0}) {
    vision::ApertureFlux flux = vision::aperture_flux(image, 10.3, 11.8, r);
    CHECK(std::abs(growth.within(r).area - flux.area) < 1e-10);
    if (flux.area > 0) CHECK(std::abs(growth.within(r).sum - flux.flux) < 1e-10);
  }
}

TEST_CASE("first_crossing: the first root of several, none when there is none") {
  auto wave = [](double x) { return std::cos(x); };
  CHECK(std::abs(vision::first_crossing(wave, 0, 20, 1) - pi / 2) < 1e-6);
  CHECK(std::isnan(vision::first_crossing(wave, 0, 1.5, 1)));
  CHECK(std::isnan(vision::first_crossing(wave, 2, 20, 1)));
  CHECK(std::isnan(vision::first_crossing([](double) { return NAN; }, 0, 20, 1)));
}

TEST_CASE("measure_morphology: Sersic profiles have the radii, C, G and M20 that their integrals say") {
  for (double n : {0.5, 1.0, 2.5}) {
    double r_eff = 12, r_petro = r_eff * solve(
                                             [&](double r) {
                                               double w = 0.5 / r_eff,
                                                      ring = (light_within(n, r + w, 0) - light_within(n, r - w, 0)) /
                                                             (4 * pi * r * w);
                                               return ring - 0.2 * light_within(n, r, 0) / (pi * r * r);
                                             },
                                             0.5, 8);
    auto radius = [&](double fraction) {
      double total = light_within(n, 1.5 * r_petro / r_eff, 0);
      return r_eff * solve([&](double r) { return fraction * total - light_within(n, r, 0); }, 1e-3, 8);
    };
    Tensor image = sersic(201, {.r_eff = r_eff, .n = n, .x0 = 100.2, .y0 = 99.7});
    Morphology m = vision::measure_morphology(image, {.segment = above(image, 0.02), .sky_sigma = 0.01});
    // Pixels of a twelfth of r_eff smear a profile of second derivative I'' by I''/24, some 1e-3 of it; n = 2.5 has a cusp.
    double pixel = n > 2 ? 6e-3 : 2e-3;
    CHECK(std::abs(m.r_petro / r_petro - 1) < pixel);
    CHECK(std::abs(m.a_petro / r_petro - 1) < pixel);
    CHECK(std::abs(m.r50 / radius(0.5) - 1) < pixel);
    CHECK(std::abs(m.concentration - 5 * std::log10(radius(0.8) / radius(0.2))) < 5 * pixel);
    CHECK(std::abs(m.asymmetry) < 3 * pixel);  // bilinear interpolation smears too; there is no noise
    CHECK(std::hypot(m.x_asymmetry - 100.2, m.y_asymmetry - 99.7) < 0.02);
    CHECK(m.ellipticity < 1e-2);
    CHECK(m.flags == 0);

    double edge = std::sqrt(double(m.pixels) / pi) / r_eff, all = light_within(n, edge, 0);
    double fifth = solve([&](double r) { return 0.2 * all - light_within(n, r, 0); }, 1e-3, edge);
    double m20 = std::log10(light_within(n, fifth, 2) / light_within(n, edge, 2));
    CHECK(std::abs(m.m20 - m20) < 0.02);  // the brightest fifth are some 60 pixels: one more or less is 2 %
    // Gini: brightness falls outwards, so that the share of the faintest pixels is one minus the light within.
    double lorenz = 0;
    int const steps = 2000;
    for (int k = 0; k < steps; ++k)
      lorenz += (1 - light_within(n, edge * std::sqrt((k + 0.5) / steps), 0) / all) / steps;
    CHECK(std::abs(m.gini - (1 - 2 * lorenz)) < pixel);
  }
}

TEST_CASE("measure_morphology: nothing changes with brightness; lengths and places follow turns and mirrors") {
  Tensor image = lopsided(97, 47.6, 48.3), segment = above(image, 0.02);
  Morphology m = vision::measure_morphology(image, {.segment = segment});
  CHECK(m.asymmetry > 0.1);
  CHECK(m.smoothness > 0.02);
  auto shape = [](Morphology const& o) {
    return std::vector{o.r_petro,   o.a_petro,    o.r20,  o.r50, o.r80,        o.concentration,
                       o.asymmetry, o.smoothness, o.gini, o.m20, o.ellipticity};
  };
  auto near = [&](Morphology const& other, double tolerance) {
    std::vector<double> a = shape(m), b = shape(other);
    for (size_t i = 0; i < a.size(); ++i) CHECK(std::abs(a[i] - b[i]) <= tolerance * (1 + std::abs(a[i])));
    CHECK(other.pixels == m.pixels);
  };
  near(vision::measure_morphology(image * 1024.0, {.segment = segment}), 0);  // a power of two changes no digit
  near(vision::measure_morphology(image + 3.0, {.segment = segment, .background = 3}), 1e-10);
  // The search for the centre sees the same numbers in another order: 1e-3 pixels, of profiles that change by 1/7 a pixel.
  auto turned = [](Tensor const& x) { return vision::flip_horizontal(x.permute({1, 0}).contiguous()); };
  near(vision::measure_morphology(turned(image), {.segment = turned(segment)}), 1e-3);
  near(vision::measure_morphology(turned(turned(image)), {.segment = turned(turned(segment))}), 1e-3);
  near(vision::measure_morphology(vision::flip_horizontal(image), {.segment = vision::flip_horizontal(segment)}), 1e-3);
}

TEST_CASE("measure_morphology: noise adds to the sums of a symmetric galaxy, and is taken away again") {
  Tensor clean = sersic(129, {.r_eff = 9, .n = 1, .q = 0.7, .theta = 0.3, .x0 = 64, .y0 = 64}),
         segment = above(clean, 0.02);
  Morphology quiet = vision::measure_morphology(clean, {.segment = segment});
  double asymmetry = 0, smoothness = 0, uncorrected = 0;
  int const runs = 12;
  for (int k = 0; k < runs; ++k) {
    Tensor noisy = clean + noise(129, 0.1, uint64_t(k));
    Morphology measured = vision::measure_morphology(noisy, {.segment = segment}),
               told = vision::measure_morphology(noisy, {.sky_sigma = 0.1}), raw = vision::measure_morphology(noisy);
    asymmetry += measured.asymmetry / runs, smoothness += measured.smoothness / runs,
        uncorrected += raw.asymmetry / runs;
    CHECK((raw.flags & vision::morphology_no_sky) != 0);
    CHECK((told.flags & vision::morphology_no_sky) == 0);
    CHECK(std::abs(told.asymmetry - measured.asymmetry) < 0.05);
  }
  CHECK(uncorrected > 0.2);
  // The least of many centres lies below the mean; that is what remains.
  CHECK(std::abs(asymmetry) < 0.05);
  CHECK(std::abs(smoothness - quiet.smoothness) < 0.02);
}

TEST_CASE("measure_morphology: a masked neighbour does not count; without light there are no shapes") {
  Tensor clean = sersic(97, {.r_eff = 6, .n = 1, .x0 = 48, .y0 = 48}), image = clean.clone();
  Tensor mask = zeros({97, 97}, {.dtype = DType::boolean}), segment = above(clean, 0.02);
  for (int64_t i = 60; i < 66; ++i)
    for (int64_t j = 60; j < 66; ++j) mask.data<bool>()[i * 97 + j] = true, image.data<double>()[i * 97 + j] = 50;
  Morphology alone = vision::measure_morphology(clean, {.segment = segment, .mask = mask}),
             beside = vision::measure_morphology(image, {.segment = segment, .mask = mask});
  CHECK(alone.asymmetry == beside.asymmetry);
  CHECK(alone.r_petro == beside.r_petro);
  CHECK(alone.gini == beside.gini);
  CHECK(alone.smoothness == beside.smoothness);
  Morphology none = vision::measure_morphology(zeros({20, 20}, {.dtype = DType::f64}));
  CHECK(none.flags == vision::morphology_no_radius);
  CHECK(std::isnan(none.gini));
  Morphology cut = vision::measure_morphology(sersic(15, {.r_eff = 9, .n = 1, .x0 = 7, .y0 = 7}));
  CHECK((cut.flags & vision::morphology_no_radius) != 0);
  CHECK_THROWS_AS(vision::measure_morphology(clean, {.segment = zeros({3, 3})}), ShapeError);
  CHECK_THROWS_AS(vision::measure_morphology(clean, {.eta = 1.5}), ValueError);
}

TEST_CASE("measure_morphology: 64x64 pixels in milliseconds") {
  Tensor image = lopsided(64, 31.2, 32.4), segment = above(image, 0.02);
  auto start = std::chrono::steady_clock::now();
  int const runs = 20;
  for (int k = 0; k < runs; ++k) vision::measure_morphology(image, {.segment = segment});
  double each = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count() / runs;
  MESSAGE("64x64: ", each, " ms");
}
