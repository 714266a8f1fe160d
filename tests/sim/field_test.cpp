// Simulated galaxies, stars, trails, contaminated pictures and whole cutouts: flux, truth, repeatability.
#include <doctest/doctest.h>
#include <d16/sim/field.hpp>

#include <algorithm>

using namespace d16;

namespace {
std::array<double, 3> sums(Tensor const& image) {
  std::array<double, 3> out{};
  auto v = image.host<float>();
  for (size_t i = 0; i < v.size(); ++i) out[i % 3] += v[i];
  return out;
}
double mean_sum(Tensor const& image) {
  auto s = sums(image);
  return (s[0] + s[1] + s[2]) / 3;
}
bool same(Tensor const& a, Tensor const& b) { return std::ranges::equal(a.host<float>(), b.host<float>()); }
}  // namespace

TEST_CASE("a galaxy has the flux, the place and the colour it was given") {
  for (sim::Kind kind : {sim::Kind::elliptical, sim::Kind::disk}) {
    sim::Galaxy g =
        kind == sim::Kind::disk
            ? sim::Galaxy{.kind = kind, .bulge_fraction = 0.3, .bulge_n = 2, .bulge_r = 2, .disk_r = 6, .disk_q = 0.5}
            : sim::Galaxy{.kind = kind, .bulge_n = 2.5, .bulge_r = 4};
    g.flux = 1000, g.x0 = 60.3, g.y0 = 50.8, g.theta = 0.7;
    Tensor image = zeros({101, 121, 3});
    sim::add_galaxy(image, g);
    auto s = sums(image);
    // the frame cuts light beyond 12 r_eff: 1 % at n = 2.5; the grid of points near the cusp is off by as much
    for (size_t k = 0; k < 3; ++k) {
      double colour = g.bulge_fraction * g.bulge_colour[k] + (1 - g.bulge_fraction) * g.disk_colour[k];
      CHECK(s[k] == doctest::Approx(1000 * colour).epsilon(0.02));
    }
    auto v = image.host<float>();
    int64_t brightest = std::max_element(v.begin(), v.end()) - v.begin();
    CHECK(brightest / 3 / 121 == 51);
    CHECK(brightest / 3 % 121 == 60);
  }
  Tensor wrong = zeros({5, 5});
  CHECK_THROWS_AS(sim::add_galaxy(wrong, {}), ShapeError);
}

TEST_CASE("arms are brighter and darker than the disk, turn with the sign of winding, and keep the light") {
  sim::Galaxy g{
      .kind = sim::Kind::disk, .flux = 1000, .x0 = 50, .y0 = 50, .bulge_fraction = 0, .disk_r = 12, .disk_q = 1};
  Tensor smooth = zeros({101, 101, 3}), spiral = zeros({101, 101, 3}), mirrored = zeros({101, 101, 3});
  sim::add_galaxy(smooth, g);
  g.arms = 2, g.arm_strength = 0.8, g.winding = 0.4;
  sim::add_galaxy(spiral, g);
  g.winding = -0.4;
  sim::add_galaxy(mirrored, g);
  CHECK(mean_sum(spiral) == doctest::Approx(mean_sum(smooth)).epsilon(0.02));
  auto a = smooth.host<float>(), b = spiral.host<float>(), c = mirrored.host<float>();
  double least = 1, most = 1;
  for (size_t i = 0; i < a.size(); ++i)
    least = std::min(least, double(b[i] / a[i])), most = std::max(most, double(b[i] / a[i]));
  CHECK(least < 0.5);
  CHECK(most > 1.8);
  double worst = 0;  // y -> -y turns one sense into the other (phase 0)
  for (size_t i = 0; i < 101; ++i)
    for (size_t j = 0; j < 303; ++j) worst = std::max(worst, double(std::abs(b[i * 303 + j] - c[(100 - i) * 303 + j])));
  CHECK(worst < 1e-5 * double(*std::max_element(b.begin(), b.end())));
  CHECK_FALSE(same(spiral, mirrored));
}

TEST_CASE("random galaxies are of their kind") {
  Random random(8);
  int with_arms = 0;
  for (int i = 0; i < 50; ++i) {
    sim::Galaxy e = sim::random_galaxy(random, sim::Kind::elliptical, 5),
                d = sim::random_galaxy(random, sim::Kind::disk, 5);
    REQUIRE((e.n() >= 2.5 && e.bulge_fraction == 1 && e.arms == 0 && e.q() >= 0.55));
    REQUIRE((d.n() == 1 && d.bulge_fraction <= 0.35 && d.q() >= 0.15 && d.q() <= 1 && d.r_eff() == 5));
    with_arms += d.arms > 0;
  }
  CHECK(with_arms > 10);
  CHECK(with_arms < 50);
}

TEST_CASE("stars keep their flux and have as many rays as told; trails are straight") {
  Tensor image = zeros({81, 81, 3});
  sim::Star star{
      .flux = 100, .x0 = 40, .y0 = 40, .colour = {1.2, 1, 0.8}, .spikes = 4, .spike_fraction = 0.5, .spike_length = 6};
  sim::add_star(image, star);
  auto s = sums(image);
  // a ray ends after six lengths: exp(-6) of its light is missing, and steps of 1/12 length add as little
  for (size_t k = 0; k < 3; ++k) CHECK(s[k] == doctest::Approx(100 * star.colour[k]).epsilon(0.5 * 4 * std::exp(-6)));
  auto at = [&](int64_t row, int64_t column) { return image.data<float>()[(row * 81 + column) * 3 + 1]; };
  CHECK(at(40, 50) > 0);
  CHECK(at(30, 40) == doctest::Approx(at(40, 50)));
  CHECK(at(33, 47) == 0);
  Tensor trail = zeros({9, 9, 2});
  sim::add_trail(trail, {.brightness = 2, .x0 = 4, .y0 = 4, .angle = std::numbers::pi / 4, .sigma = 0.5});
  for (int64_t i = 0; i < 9; ++i) CHECK(trail.data<float>()[(i * 9 + i) * 2] == doctest::Approx(2));
  CHECK(trail.data<float>()[(0 * 9 + 8) * 2] < 1e-6f);
}

TEST_CASE("contaminants: as many as told, none in the middle, light is only added") {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    Tensor image = zeros({64, 64, 3});
    auto list = sim::add_contaminants(image, random, 100, {.least = 2, .most = 3, .inner = 0.3, .outer = 0.5});
    REQUIRE((list.size() == 2 || list.size() == 3));
    for (sim::Contaminant const& c : list) {
      double distance = std::hypot(c.x0 - 31.5, c.y0 - 31.5);
      REQUIRE((distance >= 0.3 * 64 && distance <= 0.5 * 64));
      REQUIRE((c.flux >= 8 && c.flux <= (c.kind == sim::Kind::star ? 300 : 100)));
    }
    for (float v : image.host<float>()) REQUIRE(v >= 0);
  }
  Random random(1);
  Tensor image = zeros({16, 16, 3});
  CHECK(sim::add_contaminants(image, random, 1, {.least = 0, .most = 0}).empty());
  CHECK_THROWS_AS(sim::add_contaminants(image, random, 1, {.least = 3, .most = 1}), ValueError);
}

TEST_CASE("contaminate gives pairs in [0, 1], the same for a seed and any number of threads") {
  Tensor pictures = zeros({3, 32, 32, 3});
  for (int64_t n = 0; n < 3; ++n)
    for (int64_t p = 0; p < 32 * 32; ++p) {
      double r = std::hypot(double(p % 32) - 15.5, double(p / 32) - 15.5);
      for (int64_t c = 0; c < 3; ++c)
        pictures.data<float>()[(n * 1024 + p) * 3 + c] = float(0.03 + 0.7 * std::exp(-r / double(n + 2)));
    }
  int before = threads();
  set_threads(1);
  Random a(7), b(7), c(8);
  auto one = sim::contaminate(pictures, a);
  set_threads(3);
  auto two = sim::contaminate(pictures, b), other = sim::contaminate(pictures, c);
  set_threads(before);
  CHECK(one.noisy.shape() == pictures.shape());
  CHECK(same(one.noisy, two.noisy));
  CHECK(same(one.clean, two.clean));
  CHECK_FALSE(same(one.noisy, other.noisy));
  for (Tensor const& t : {one.noisy, one.clean})
    for (float v : t.host<float>()) REQUIRE((v >= 0 && v <= 1));
  CHECK_FALSE(same(one.noisy, one.clean));
  // without objects, blur and (almost) noise, the noisy one is the clean one
  sim::PictureContaminationOptions nothing{.objects = {.least = 0, .most = 0, .trail_probability = 0},
                                           .most_blur = 0,
                                           .least_noise = 1e-6,
                                           .most_noise = 1e-6,
                                           .photons = 1e12,
                                           .most_correlation = 0};
  auto pair = sim::contaminate(pictures, a, nothing);
  auto u = pair.noisy.host<float>(), v = pair.clean.host<float>();
  double worst = 0;
  for (size_t i = 0; i < u.size(); ++i) worst = std::max(worst, double(std::abs(u[i] - v[i])));
  CHECK(worst < 0.02);
  CHECK_THROWS_AS(sim::contaminate(full({8, 8, 3}, 1.5), a), ValueError);
  CHECK_THROWS_AS(sim::contaminate(zeros({8, 8}), a), ShapeError);
}

TEST_CASE("a simulated cutout: shapes, truth, flux, and the same bits from its recorded state") {
  int disks = 0;
  for (uint64_t stream = 0; stream < 40; ++stream) {
    Random random(11, stream);
    sim::Cutout c = sim::simulate_cutout(random);
    sim::Truth const& t = c.truth;
    disks += t.galaxy.kind == sim::Kind::disk;
    REQUIRE(c.clean.shape() == Shape{64, 64, 3});
    REQUIRE(c.noisy.shape() == Shape{64, 64, 3});
    REQUIRE((t.contaminants.size() >= 1 && t.contaminants.size() <= 3));
    REQUIRE((t.snr >= 30 && t.snr <= 400));
    REQUIRE(t.galaxy.r_eff() / 64 >= 0.07);
    REQUIRE(std::abs(t.galaxy.x0 - 31.5) <= 1);
    // wings outside the frame (n up to 6), dust and arms take from the flux
    REQUIRE(mean_sum(c.clean) > 0.4 * t.galaxy.flux);
    REQUIRE(mean_sum(c.clean) < 1.3 * t.galaxy.flux);
    auto clean = c.clean.host<float>(), all = c.contaminated.host<float>();
    for (size_t i = 0; i < clean.size(); ++i) REQUIRE(all[i] >= clean[i] - 1e-3f * std::abs(clean[i]));
    if (stream % 10) continue;
    Random again;
    again.restore(t.random);
    sim::Cutout d = sim::simulate_cutout(again);
    CHECK(same(c.noisy, d.noisy));
    CHECK(same(c.clean, d.clean));
  }
  CHECK(disks > 8);
  CHECK(disks < 32);
  Random random(1);
  CHECK_THROWS_AS(sim::simulate_cutout(random, {.size = 4}), ValueError);
  CHECK_THROWS_AS(sim::simulate_cutout(random, {.least_snr = 9, .most_snr = 3}), ValueError);
}

TEST_CASE("the signal to noise of the truth is that of the pixels") {
  // f electrons inside r_eff over a sky of variance v per pixel: f / sqrt(f + area v) = snr
  sim::NoiseModel m{.sky = 50, .read_noise = 3, .gain = 2};
  double flux = sim::detail::flux_for_snr(25, 80, m), electrons = flux / 2 * m.gain;
  CHECK(electrons / std::sqrt(electrons + 80 * (50 + 9)) == doctest::Approx(25));
}

TEST_CASE("bars keep the flux of their disk and lie where they were told") {
  sim::Galaxy g{
      .kind = sim::Kind::disk, .flux = 1000, .x0 = 60, .y0 = 60, .bulge_fraction = 0, .disk_r = 10, .disk_q = 0.7};
  g.bar_fraction = 0.4, g.bar_r = 5, g.bar_q = 0.25, g.bar_angle = 0.9, g.theta = 0.4;
  g.bulge_colour = g.disk_colour = {1, 1, 1};
  Tensor barred = zeros({121, 121, 1}), plain = zeros({121, 121, 1});
  sim::add_galaxy(barred, g);
  g.bar_fraction = 0;
  sim::add_galaxy(plain, g);
  double total = 0, along = 0, across = 0;
  for (int64_t k = 0; k < barred.numel(); ++k) total += double(barred.data<float>()[k]);
  // 99.9 % of an exponential disk is within 5.5 r_eff; the table of the profile is good to 1e-3
  CHECK(total == doctest::Approx(1000).epsilon(0.004));
  for (int64_t k = 0; k < barred.numel(); ++k) {  // what the bar added, in the plane of the disk
    double dx = double(k % 121) - 60, dy = double(k / 121) - 60, c = std::cos(0.4), s = std::sin(0.4);
    double u = dx * c + dy * s, w = (dy * c - dx * s) / 0.7;
    double added = double(barred.data<float>()[k]) - 0.6 * double(plain.data<float>()[k]);
    along += added * std::pow(u * std::cos(0.9) + w * std::sin(0.9), 2);
    across += added * std::pow(w * std::cos(0.9) - u * std::sin(0.9), 2);
  }
  // pixels spread the light by up to 1/12 (1 / 0.7)^2 = 0.17 square pixels, of across = (0.25 * 4.25)^2 = 1.1
  CHECK(std::sqrt(across / along) == doctest::Approx(0.25).epsilon(0.1));
}

TEST_CASE("lensing shear keeps the flux, stretches a round disk to (1 - g) / (1 + g), and turns with its direction") {
  sim::Galaxy g{
      .kind = sim::Kind::disk, .flux = 1000, .x0 = 60, .y0 = 60, .bulge_fraction = 0, .disk_r = 6, .disk_q = 1};
  g.shear1 = 0.3 * std::cos(1.0), g.shear2 = 0.3 * std::sin(1.0);
  Tensor image = zeros({121, 121, 1});
  sim::add_galaxy(image, g);
  double total = 0, xx = 0, yy = 0, xy = 0;
  for (int64_t k = 0; k < image.numel(); ++k) {
    double v = double(image.data<float>()[k]), dx = double(k % 121) - 60, dy = double(k / 121) - 60;
    total += v, xx += v * dx * dx, yy += v * dy * dy, xy += v * dx * dy;
  }
  CHECK(total == doctest::Approx(1000).epsilon(0.005));  // light beyond 60 pixels, 5.5 r_eff along the major axis
  double root = std::hypot((xx - yy) / 2, xy), mean = (xx + yy) / 2;
  CHECK(std::sqrt((mean - root) / (mean + root)) == doctest::Approx(0.7 / 1.3).epsilon(0.01));
  CHECK(0.5 * std::atan2(2 * xy, xx - yy) == doctest::Approx(0.5).epsilon(0.02));  // half of the angle of (g1, g2)
  CHECK(g.apparent_q() == doctest::Approx(0.7 / 1.3));
  g.shear1 = 1;
  CHECK_THROWS_AS(sim::add_galaxy(image, g), ValueError);
  sim::Galaxy tilted{.kind = sim::Kind::disk, .theta = 0.7, .bulge_fraction = 0.1, .disk_q = 0.4};
  CHECK(tilted.apparent_q() == doctest::Approx(0.4));
  CHECK(std::cos(tilted.inclination()) == doctest::Approx(std::sqrt((0.16 - 0.0225) / (1 - 0.0225))));
}

TEST_CASE("variants share the galaxy and nothing else; grey, a PSF of one's own and shear") {
  Random random(3);
  Tensor psf = sim::gaussian_psf(15, 4);
  for (float& v : psf.host<float>()) v *= 7;  // any sum
  sim::CutoutOptions o{.size = 40, .channels = 1, .psf = psf, .least_shear = 0.2, .most_shear = 0.3};
  o.contamination.scheme = sim::Scheme::stars;
  auto variants = sim::simulate_variants(random, o, 4);
  REQUIRE(variants.size() == 4);
  for (sim::Cutout const& c : variants) {
    CHECK(c.clean.shape() == Shape{40, 40, 1});
    CHECK(same(c.clean, variants[0].clean));
    CHECK(c.truth.fwhm == doctest::Approx(4).epsilon(0.05));
    CHECK(std::hypot(c.truth.galaxy.shear1, c.truth.galaxy.shear2) >= 0.2);
    CHECK_FALSE(c.truth.trail);
    for (sim::Contaminant const& k : c.truth.contaminants) CHECK(k.kind == sim::Kind::star);
  }
  CHECK_FALSE(same(variants[0].noisy, variants[1].noisy));
  CHECK_FALSE(same(variants[0].contaminated, variants[1].contaminated));
  o.contamination.scheme = sim::Scheme::none;
  sim::Cutout alone = sim::simulate_cutout(random, o);
  CHECK(same(alone.clean, alone.contaminated));
  CHECK(alone.truth.contaminants.empty());
  o.psf = zeros({15, 15});
  CHECK_THROWS_AS(sim::simulate_cutout(random, o), ValueError);
  o.psf = full({4, 5}, 1.0);
  CHECK_THROWS_AS(sim::simulate_cutout(random, o), ShapeError);
}
