// Appearance-level degradation: its signal to noise, sizes, correlations and contaminants, and that seeds repeat.
#include <doctest/doctest.h>
#include <d16/sim/appearance.hpp>

#include <algorithm>

using namespace d16;

namespace {
/// A round exponential galaxy of scale length `scale` with centre 0.6, as a picture with softness 0.1.
Tensor galaxy(int64_t side, double scale, int64_t channels = 1) {
  Tensor x = empty({side, side, channels});
  for (int64_t k = 0; k < side * side; ++k) {
    double r = std::hypot(double(k % side) - double(side - 1) / 2, double(k / side) - double(side - 1) / 2);
    double picture = std::asinh(0.6 * std::exp(-r / scale) / 0.1) / std::asinh(10.0);
    std::fill_n(x.data<float>() + k * channels, channels, float(picture));
  }
  return x;
}
bool same(Tensor const& a, Tensor const& b) { return std::ranges::equal(a.host<float>(), b.host<float>()); }
double count(Tensor const& segment) {
  double sum = 0;
  for (uint8_t v : segment.host<uint8_t>()) sum += v;
  return sum;
}
double sum_of(Tensor const& x) {
  double sum = 0;
  for (float v : x.host<float>()) sum += double(v);
  return sum;
}
}  // namespace

TEST_CASE("degrade_appearance: the S/N inside the segment is the wanted one, by its formula") {
  Tensor picture = galaxy(64, 4);
  for (double wanted : {5.0, 40.0}) {
    Random random(3);
    sim::Degraded d = sim::degrade_appearance(picture, {.snr = wanted}, random);
    CHECK(d.snr[0] == doctest::Approx(wanted).epsilon(1e-9));
    Tensor noisy = d.stretch[0].invert(d.noisy), clean = d.stretch[0].invert(d.clean);
    double light = 0, squares = 0;
    int64_t n = 0;
    for (int64_t k = 0; k < clean.numel(); ++k) {
      double truth = double(clean.data<float>()[k]), noise = double(noisy.data<float>()[k]) - truth;
      if (d.segment.data<uint8_t>()[k]) light += truth;
      if (d.noisy.data<float>()[k] > 0 && d.noisy.data<float>()[k] < 1) squares += noise * noise, ++n;  // not cut off
    }
    double snr = light / (std::sqrt(count(d.segment)) * std::sqrt(squares / double(n)));
    // the scatter of a standard deviation of 4096 numbers is 1 / sqrt(2 * 4096) = 1.1 %; five times that
    CHECK(std::abs(snr / wanted - 1) < 0.055);
  }
}

TEST_CASE(
    "degrade_appearance: shrinking divides the segment's area and the light by the square, and R_e / FWHM follows") {
  Tensor picture = galaxy(96, 6);
  Random random(1);
  sim::Degraded one = sim::degrade_appearance(picture, {.fwhm = 0.5}, random);
  sim::Degraded two = sim::degrade_appearance(picture, {.shrink = 2, .fwhm = 0.5}, random);
  // exponential: R_e = 1.678 scale; the rim of the segment is uncertain by half a pixel
  double radius = std::sqrt(count(one.segment) / std::numbers::pi);
  CHECK(std::abs(radius - 1.678 * 6) < 0.5);
  CHECK(count(one.segment) / count(two.segment) == doctest::Approx(4).epsilon(0.1));
  double light = sum_of(one.stretch[0].invert(one.clean)), quarter = sum_of(two.stretch[0].invert(two.clean));
  CHECK(light / quarter == doctest::Approx(4).epsilon(0.05));  // wings outside of the first frame
  CHECK(two.re_over_fwhm[0] == doctest::Approx(radius / 2 / 0.5).epsilon(0.05));
  sim::Degraded wanted = sim::degrade_appearance(picture, {.re_over_fwhm = 1.5, .fwhm = 2}, random);
  CHECK(wanted.re_over_fwhm[0] == doctest::Approx(1.5));
  CHECK(wanted.shrink[0] == doctest::Approx(radius / 3).epsilon(0.05));
  CHECK(sim::degrade_appearance(picture, {.re_over_fwhm = 100}, random).shrink[0] == 1);  // never larger than it was
}

TEST_CASE("degrade_appearance: a larger input gives surroundings; reframing brings the size back") {
  Random random(1);
  Tensor wide = galaxy(128, 8);
  wide.data<float>()[(64 * 128 + 10) * 1] = 1;  // a star 54 pixels left of the centre
  sim::Degraded d = sim::degrade_appearance(wide, {.shrink = 2, .fwhm = 0}, random, {.size = 64});
  CHECK(d.clean.shape() == Shape{64, 64, 1});
  Tensor light = d.stretch[0].invert(d.clean);
  CHECK(light.data<float>()[32 * 64 + 5] > 0.2f);  // it is 27 pixels left now, one of four pixels of an area of light 1
  sim::Degraded same_size = sim::degrade_appearance(galaxy(64, 8), {.fwhm = 0}, random);
  sim::Degraded back = sim::degrade_appearance(galaxy(64, 8), {.shrink = 2, .fwhm = 0, .enlarge = 2}, random);
  CHECK(count(back.segment) / count(same_size.segment) == doctest::Approx(1).epsilon(0.1));
}

TEST_CASE("degrade_appearance: the grain of enlarged noise does not tell how large the galaxy was") {
  // Without objects the same seed draws the same noise for both galaxies, but for its strength.
  auto noise_of = [](double scale, double enlarge) {
    Random random(5);
    sim::Degraded d = sim::degrade_appearance(galaxy(96, scale), {.snr = 4, .re_over_fwhm = 1.5, .enlarge = enlarge},
                                              random, {.size = 64});
    CHECK(d.re_over_fwhm[0] == doctest::Approx(1.5));
    Tensor noisy = d.stretch[0].invert(d.noisy), clean = d.stretch[0].invert(d.clean);
    std::vector<double> out;  // NaN where the stretch cuts off
    for (int64_t k = 0; k < clean.numel(); ++k) {
      float y = d.noisy.data<float>()[k];
      bool inside = y > 0 && y < 1;
      out.push_back(inside ? double(noisy.data<float>()[k] - clean.data<float>()[k]) / d.sigma[0] : std::nan(""));
    }
    return std::pair(out, d.shrink[0]);
  };
  auto distance = [](std::vector<double> const& a, std::vector<double> const& b) {
    double most = 0;
    for (size_t k = 0; k < a.size(); ++k)
      if (std::isfinite(a[k]) && std::isfinite(b[k])) most = std::max(most, std::abs(a[k] - b[k]));
    return most;
  };
  auto [small, small_shrink] = noise_of(4, 3);
  auto [large, large_shrink] = noise_of(7, 3);
  CHECK(large_shrink / small_shrink > 1.5);
  // sigma is 1 here; pixels in [0, 1] have 24 bits, and the stretch has some 30 sigma per unit where noise is
  CHECK(distance(small, large) < 1e-3);
  CHECK(distance(noise_of(4, small_shrink).first, noise_of(7, large_shrink).first) >
        1);  // as large as it was: it tells
}

TEST_CASE("degrade_appearance: a trail is drawn as often as told") {
  Random random(6);
  Tensor one = galaxy(48, 4), pictures = empty({400, 48, 48, 1});
  for (int64_t n = 0; n < 400; ++n)
    std::copy_n(one.data<float>(), one.numel(), pictures.data<float>() + n * one.numel());
  for (double wanted : {0.0, 0.1, 1.0}) {
    sim::Degraded d = sim::degrade_appearance(pictures, {.snr = 50, .trail = wanted}, random);
    double trails = 0;
    for (auto const& list : d.contaminants)
      for (sim::Contaminant const& c : list) trails += c.kind == sim::Kind::trail;
    CHECK(std::abs(trails / 400 - wanted) <= 5 * std::sqrt(wanted * (1 - wanted) / 400));
  }
  CHECK_THROWS_AS(sim::degrade_appearance(one, {.trail = 1.5}, random), ValueError);
  CHECK_THROWS_AS(sim::degrade_appearance(one, {.enlarge = 0.5}, random), ValueError);
}

TEST_CASE("degrade_appearance: noise is correlated as told and independent in the channels") {
  Tensor dark = zeros({128, 128, 3});
  Random random(9);
  sim::Degraded d = sim::degrade_appearance(dark, {.snr = 1, .correlation = 0.45}, random);
  CHECK(std::isnan(d.snr[0]));  // there is no galaxy
  Tensor noise = d.stretch[0].invert(d.noisy);
  double var = 0, lag = 0, channels = 0, mean = 0;
  for (int64_t i = 0; i < 128; ++i)
    for (int64_t j = 0; j < 127; ++j) {
      float const* at = noise.data<float>() + (i * 128 + j) * 3;
      var += double(at[0] * at[0]), lag += double(at[0] * at[3]), channels += double(at[0] * at[1]);
      mean += std::pow(double(at[0] + at[1] + at[2]) / 3, 2);
    }
  double bound = 5 * std::sqrt(2 * 3.7 / (128.0 * 127));  // as in the test of DrizzleNoise
  CHECK(std::abs(lag / var - 0.45) < bound);
  CHECK(std::abs(channels / var) < bound);
  CHECK(std::abs(std::sqrt(mean / (128 * 127)) / d.sigma[0] - 1) < bound);
}

TEST_CASE("degrade_appearance: schemes bring what their names say") {
  std::vector<Tensor> many;
  Tensor pictures = empty({12, 48, 48, 3});
  Tensor one = galaxy(48, 4, 3);
  for (int64_t n = 0; n < 12; ++n)
    std::copy_n(one.data<float>(), one.numel(), pictures.data<float>() + n * one.numel());
  for (char const* name : sim::scheme_names) {
    sim::Scheme scheme = sim::scheme_named(name);
    CHECK(std::string(name_of(scheme)) == name);
    Random random(4);
    sim::Degraded d = sim::degrade_appearance(pictures, {.snr = 50, .contaminants = scheme}, random);
    std::array<int, 4> kinds{};
    for (auto const& list : d.contaminants) {
      CHECK(list.size() == std::clamp<size_t>(list.size(), scheme != sim::Scheme::none, 3));
      for (sim::Contaminant const& c : list) ++kinds[size_t(c.kind)];
    }
    int galaxies = kinds[0] + kinds[1], stars = kinds[2], trails = kinds[3];
    CHECK((galaxies > 0) == (scheme == sim::Scheme::neighbours || scheme == sim::Scheme::all));
    CHECK((stars > 0) == (scheme == sim::Scheme::stars || scheme == sim::Scheme::all));
    CHECK((trails > 0) == (scheme == sim::Scheme::trails));
    if (scheme != sim::Scheme::none) CHECK(sum_of(d.noisy) > 1.02 * sum_of(d.clean));
  }
  CHECK_THROWS_AS(sim::scheme_named("planets"), ValueError);
}

TEST_CASE("degrade_appearance: the same for a seed and any number of threads, and each picture its own") {
  Tensor pictures = empty({5, 33, 33, 1});
  Tensor one = galaxy(33, 3);
  for (int64_t n = 0; n < 5; ++n) std::copy_n(one.data<float>(), one.numel(), pictures.data<float>() + n * one.numel());
  std::vector<sim::Appearance> each;
  Random draw(2);
  for (int n = 0; n < 5; ++n)
    each.push_back(sim::draw_appearance(draw, {.least_snr = 5, .most_snr = 6, .contaminants = sim::Scheme::all}));
  for (sim::Appearance const& a : each) CHECK((a.snr >= 5 && a.snr <= 6 && a.shrink >= 1 && a.shrink <= 4));
  int before = threads();
  set_threads(1);
  Random a(7), b(7);
  sim::Degraded first = sim::degrade_appearances(pictures, each, a);
  set_threads(3);
  sim::Degraded second = sim::degrade_appearances(pictures, each, b);
  set_threads(before);
  CHECK(same(first.noisy, second.noisy));
  CHECK(same(first.clean, second.clean));
  CHECK_FALSE(same(first.noisy.slice(0, 0, 1).contiguous(), first.noisy.slice(0, 1, 2).contiguous()));
  for (Tensor const& t : {first.noisy, first.clean})
    for (float v : t.host<float>()) REQUIRE((v >= 0 && v <= 1));
}

TEST_CASE("degrade_appearance: noise drawn twice is independent, of the same size, and changes nothing else") {
  Tensor pictures = empty({4, 64, 64, 1});
  Tensor one = galaxy(64, 4);
  for (int64_t n = 0; n < 4; ++n) std::copy_n(one.data<float>(), one.numel(), pictures.data<float>() + n * one.numel());
  sim::Appearance const how{.snr = 8};
  Random a(5), b(5);
  sim::Degraded once = sim::degrade_appearance(pictures, how, a);
  sim::Degraded twice = sim::degrade_appearance(pictures, how, b, {.twice = true});
  CHECK_FALSE(once.second.defined());
  CHECK(same(once.noisy, twice.noisy));
  CHECK(same(once.clean, twice.clean));
  double product = 0, first = 0, second = 0, n = 0;
  for (int64_t k = 0; k < twice.clean.numel(); ++k) {
    double sky = twice.stretch[size_t(k / 4096)].sky_level(0), u = double(twice.noisy.data<float>()[k]) - sky,
           v = double(twice.second.data<float>()[k]) - sky;
    if (double(twice.clean.data<float>()[k]) - sky > 0.02) continue;  // galaxy
    product += u * v, first += u * u, second += v * v, n += 1;
  }
  CHECK(n > 8000);
  // both are the noise of some 10,000 pixels: 1 %; faint wings are in both, a few hundredths of its variance
  CHECK(std::abs(second / first - 1) < 0.05);
  CHECK(std::abs(product / first) < 0.1);
}

TEST_CASE("degrade_appearance: one clear error for bad input") {
  Random random(1);
  CHECK_THROWS_AS(sim::degrade_appearance(zeros({16, 16}), {.snr = 5}, random), ShapeError);
  CHECK_THROWS_AS(sim::degrade_appearance(zeros({16, 16, 2}), {.snr = 5}, random), ShapeError);
  CHECK_THROWS_AS(sim::degrade_appearance(full({16, 16, 1}, 1.5), {.snr = 5}, random), ValueError);
  CHECK_THROWS_AS(sim::degrade_appearance(galaxy(16, 2), {.snr = 0}, random), ValueError);
  CHECK_THROWS_AS(sim::degrade_appearance(galaxy(16, 2), {.shrink = 0.5}, random), ValueError);
  CHECK_THROWS_AS(sim::degrade_appearance(galaxy(16, 2), {.correlation = 0.9}, random), ValueError);
  CHECK_THROWS_AS(sim::degrade_appearances(galaxy(16, 2), std::vector<sim::Appearance>(2), random), ShapeError);
}
