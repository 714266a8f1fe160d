// The simulated survey: the same object from the same numbers, classes that differ in colour only, parts that share
// nothing, fluxes that can be measured back.
#include <doctest/doctest.h>
#include <d16/sim/survey_files.hpp>
#include <d16/sim/survey_sheet.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "tiny_survey.hpp"

using namespace d16;
using sim::Split;
using sim::SurveyClass;
using sim::SurveySet;

namespace {

sim::SurveyData const& tiny_data() {
  static sim::SurveyData const made = tiny::data();
  return made;
}
bool same(Tensor const& a, Tensor const& b) { return std::ranges::equal(a.host<float>(), b.host<float>()); }

/// The largest difference of the cumulative distributions of two samples.
double kolmogorov(std::vector<double> a, std::vector<double> b) {
  std::sort(a.begin(), a.end()), std::sort(b.begin(), b.end());
  double worst = 0;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    double at = std::min(a[i], b[j]);
    while (i < a.size() && a[i] == at) ++i;
    while (j < b.size() && b[j] == at) ++j;
    worst = std::max(worst, std::abs(double(i) / double(a.size()) - double(j) / double(b.size())));
  }
  return worst;
}
/// Exceeded by one in ten thousand pairs of samples of n from one distribution.
double kolmogorov_bound(double n) { return std::sqrt(-std::log(1e-4 / 2) / 2) * std::sqrt(2 / n); }

}  // namespace

TEST_CASE("an object follows from seed, split and index: not from the order, the threads or the survey object") {
  sim::Survey survey(tiny_data(), tiny::options()), twin(tiny_data(), tiny::options());
  sim::SurveyOptions other = tiny::options();
  other.seed = 17;
  sim::Survey another(tiny_data(), other);
  std::vector<sim::SurveyObject> forward(12);
  for (size_t i = 0; i < 12; ++i) forward[i] = survey.object(Split::train, int64_t(i));
  int before = threads();
  set_threads(3);
  std::vector<sim::SurveyObject> backward(12);
  parallel_tasks(12, [&](int64_t i) { backward[size_t(11 - i)] = twin.object(Split::train, 11 - i); });
  set_threads(before);
  for (size_t i = 0; i < 12; ++i) {
    REQUIRE(forward[i].image.shape() == Shape{64, 64, 7});
    CHECK(same(forward[i].image, backward[i].image));
    CHECK(forward[i].truth.flux == backward[i].truth.flux);
    CHECK(forward[i].truth.flux == survey.truth(Split::train, int64_t(i)).flux);
    CHECK_FALSE(same(forward[i].image, another.object(Split::train, int64_t(i)).image));
    CHECK_FALSE(same(forward[i].image, survey.object(Split::test, int64_t(i)).image));
    CHECK_FALSE(same(forward[i].image, survey.object(Split::train, int64_t(i) + 12).image));
  }
  CHECK_THROWS_AS(survey.truth(Split::train, -1), ValueError);
  CHECK_THROWS_AS(survey.truth(Split::train, int64_t(1) << 48), ValueError);
}

TEST_CASE("classes are matched in detection magnitude, galaxies in size, shape and total light") {
  sim::SurveyOptions o = tiny::options();
  o.red_dot_fraction = 0;  // they are small on purpose
  sim::Survey survey(tiny_data(), o);
  std::vector<double> magnitude[3], size[3], index[3], axis[3], total[3];
  int const n = 1500;
  for (int i = 0; i < 3 * n; ++i) {
    sim::SurveyTruth t = survey.truth(Split::train, i);
    size_t k = size_t(t.label);
    magnitude[k].push_back(t.magnitude), size[k].push_back(t.shape.r_eff), index[k].push_back(t.shape.n);
    axis[k].push_back(t.shape.q), total[k].push_back(sim::ab_magnitude(t.flux[sim::f444w]));
    REQUIRE(t.snr == doctest::Approx(5 * std::pow(10, 0.4 * (29.7 - t.magnitude))).epsilon(1e-6));
    REQUIRE(t.snr >= 5 * (1 - 1e-9));
  }
  double bound = kolmogorov_bound(n);
  CHECK(kolmogorov(magnitude[0], magnitude[1]) < bound);
  CHECK(kolmogorov(magnitude[0], magnitude[2]) < bound);
  CHECK(kolmogorov(size[0], size[1]) < bound);
  CHECK(kolmogorov(index[0], index[1]) < bound);
  CHECK(kolmogorov(axis[0], axis[1]) < bound);
  CHECK(kolmogorov(total[0], total[1]) < bound);
  CHECK(*std::max_element(size[2].begin(), size[2].end()) == 0);
  // the counter-test: sizes of points and of galaxies differ, and the bound sees it
  CHECK(kolmogorov(size[0], size[2]) > bound);
  auto small = std::count_if(size[0].begin(), size[0].end(), [](double r) { return r < sim::cutout_pixel; });
  CHECK(std::abs(double(small) - 0.3 * n) < 5 * std::sqrt(0.21 * n));
}

TEST_CASE("redshifts lie on their side of the threshold, which can be moved") {
  for (double threshold : {4.5, 6.5, 8.0}) {
    sim::SurveyOptions o = tiny::options();
    o.threshold = threshold;
    sim::Survey survey(tiny_data(), o);
    for (int i = 0; i < 300; ++i) {
      sim::SurveyTruth t = survey.truth(Split::validation, i);
      if (t.label == SurveyClass::brown_dwarf) {
        REQUIRE(std::isnan(t.z));
        REQUIRE(t.teff > 0);
      } else {
        REQUIRE((t.z >= threshold) == (t.label == SurveyClass::high_z));
        REQUIRE((t.z > 0.05 && t.z <= 15));
      }
    }
  }
}

TEST_CASE("held-out parts are made of what no other part has seen") {
  sim::Survey survey(tiny_data(), tiny::options());
  std::map<std::string, std::set<std::string>> seen;
  for (Split split : {Split::train, Split::validation, Split::test, Split::heldout, Split::heldout_templates,
                      Split::heldout_library, Split::heldout_psf})
    for (int i = 0; i < 240; ++i) {
      sim::SurveyTruth t = survey.truth(split, i);
      std::string name = sim::name_of(split);
      if (t.flags & sim::survey_little_red_dot) continue;
      seen[name + (t.label == SurveyClass::brown_dwarf ? " dwarfs" : " templates")].insert(t.source);
      seen[name + " psf"].insert(t.psf);
    }
  using Names = std::set<std::string>;
  for (std::string part : {"train", "validation", "test"}) {
    CHECK(seen[part + " templates"] == Names{"a"});
    CHECK(seen[part + " dwarfs"] == Names{"warm", "cold"});
    CHECK(seen[part + " psf"] == Names{"north", "south"});
  }
  CHECK(seen["heldout templates"] == Names{"b"});
  CHECK(seen["heldout dwarfs"] == Names{"apart"});
  CHECK(seen["heldout psf"] == Names{"far"});
  CHECK(seen["heldout_templates templates"] == Names{"b"});
  CHECK(seen["heldout_templates dwarfs"] == Names{"warm", "cold"});
  CHECK(seen["heldout_library dwarfs"] == Names{"apart"});
  CHECK(seen["heldout_library psf"] == Names{"north", "south"});
  CHECK(seen["heldout_psf psf"] == Names{"far"});
  CHECK(seen["heldout_psf templates"] == Names{"a"});
  CHECK(survey.psf_names(Split::heldout) == std::vector<std::string>{"far"});
}

TEST_CASE("the sets: counts of the poster, pairs that alias, bright centres, little red dots") {
  sim::Survey poster(tiny_data(), tiny::options(SurveySet::poster));
  for (int64_t start : {0, 1455}) {
    int64_t counts[3] = {}, early[3] = {};
    for (int64_t i = 0; i < 1455; ++i) ++counts[int(poster.class_of(start + i))];
    for (int64_t i = 0; i < 300; ++i) ++early[int(poster.class_of(start + i))];
    CHECK(counts[0] == 722);
    CHECK(counts[1] == 722);
    CHECK(counts[2] == 11);
    CHECK((early[0] > 120 && early[1] > 120 && early[2] > 0));
  }
  sim::Survey bimodal(tiny_data(), tiny::options(SurveySet::bimodal));
  for (int64_t i = 0; i < 60; i += 2) {
    sim::SurveyTruth high = bimodal.truth(Split::test, i), low = bimodal.truth(Split::test, i + 1);
    REQUIRE((high.label == SurveyClass::high_z && low.label == SurveyClass::low_z));
    CHECK(1215.67 * (1 + high.z) == doctest::Approx(3646 * (1 + low.z)));
    CHECK(high.magnitude == low.magnitude);
    CHECK(high.shape.r_eff == low.shape.r_eff);
    CHECK((high.pair == i / 2 && low.pair == i / 2));
    CHECK((high.flags & low.flags & sim::survey_bimodal) != 0);
    CHECK(low.templates.find("old") != std::string::npos);  // the only member with a strong break
  }
  sim::SurveyOptions near = tiny::options(SurveySet::bimodal);
  near.threshold = 3, near.high_z_scale = 10;
  sim::Survey below(tiny_data(), near);  // at the usual redshifts partners would lie above it
  for (int64_t i = 0; i < 60; i += 2) {
    CHECK(below.truth(Split::test, i).z >= 3);
    CHECK(below.truth(Split::test, i + 1).z < 3);
  }
  sim::Survey stress(tiny_data(), tiny::options(SurveySet::stress)), plain(tiny_data(), tiny::options());
  for (int64_t i = 0; i < 20; ++i) {
    sim::SurveyObject o = stress.object(Split::test, i);
    CHECK((o.truth.centre_fraction >= 0.3 && o.truth.noise_factor >= 1.5));
    CHECK(o.error[3] > 1.4f * plain.object(Split::test, i).error[3]);
    CHECK(o.truth.label != SurveyClass::brown_dwarf);
  }
  sim::Survey dots(tiny_data(), tiny::options(SurveySet::little_red_dots));
  for (int64_t i = 0; i < 20; ++i) {
    sim::SurveyTruth t = dots.truth(Split::test, i);
    CHECK((t.flags & sim::survey_little_red_dot) != 0);
    CHECK((t.flags & sim::survey_compact) != 0);
    CHECK((t.z >= 6.5) == (i % 2 == 1));
  }
  CHECK(sim::survey_set("stress") == SurveySet::stress);
  CHECK(sim::survey_split("heldout_psf") == Split::heldout_psf);
  CHECK_THROWS_WITH_AS(sim::survey_set("nonsense"), doctest::Contains("bimodal"), ValueError);
  CHECK_THROWS_AS(sim::survey_split("nonsense"), ValueError);
}

TEST_CASE("aperture photometry of the cutouts gives the truth back, with the errors it claims") {
  sim::SurveyOptions o = tiny::options();
  o.neighbour_probability = 0, o.photons = 1e12;
  sim::Survey survey(tiny_data(), o);
  int const n = 250;
  double chi[7] = {}, squares[7] = {}, detection = 0;
  int points = 0;
  for (int i = 0; i < 3 * n; ++i) {
    sim::SurveyObject object = survey.object(Split::train, i);
    auto seen = survey.measure(object.image.data<float>(), object.truth);
    double pull = (seen.flux[6] - sim::njy_of(object.truth.magnitude)) / seen.error[6];
    // the second set of PSFs puts a few per cent less into the aperture than the first, which sets the correction
    if (object.truth.snr < 20) detection += pull;
    if (object.truth.label != SurveyClass::brown_dwarf || object.truth.psf != "north") continue;
    ++points;
    for (size_t b = 0; b < 7; ++b) {
      double p = (seen.flux[b] - object.truth.flux[b]) / std::hypot(seen.error[b], 0.01 * object.truth.flux[b]);
      chi[b] += p, squares[b] += p * p;
    }
  }
  REQUIRE(points > 60);
  for (int b = 0; b < 7; ++b) {
    CAPTURE(b);
    CHECK(std::abs(chi[b] / points) < 5 / std::sqrt(double(points)));
    CHECK(std::abs(squares[b] / points - 1) < 5 * std::sqrt(2.0 / points));
  }
  CHECK(std::abs(detection / (3 * n)) < 0.3);
}

TEST_CASE("dropouts: blueward of the break there is only noise, and noise is on both sides of zero") {
  sim::SurveyOptions o = tiny::options();
  o.neighbour_probability = 0, o.brightest = 26;
  sim::Survey survey(tiny_data(), o);
  int seen = 0, negative = 0, pixels = 0;
  for (int i = 0; i < 600; ++i) {
    sim::SurveyTruth t = survey.truth(Split::test, i);
    if (t.label != SurveyClass::high_z || t.z < 9.6 || t.flags & sim::survey_little_red_dot) continue;
    sim::SurveyObject object = survey.object(Split::test, i);
    auto m = survey.measure(object.image.data<float>(), object.truth);
    for (size_t b : {0, 1}) {  // Lyman alpha lies redward of 12800 Angstrom
      CHECK(t.flux[b] < 1e-2 * t.flux[2] + 1e-9);
      CHECK(std::abs(m.flux[b]) < 5 * m.error[b] + 0.02 * t.flux[2]);
    }
    Tensor bluest = object.image.select(2, 0).contiguous();
    for (float v : bluest.host<float>()) negative += v < 0, ++pixels;
    ++seen;
  }
  REQUIRE(seen > 20);
  CHECK(std::abs(double(negative) / pixels - 0.5) < 0.02);
}

TEST_CASE("options out of range and missing data are named") {
  auto with = [](auto change) {
    sim::SurveyOptions o = tiny::options();
    change(o);
    return sim::Survey(tiny_data(), o);
  };
  using O = sim::SurveyOptions&;
  CHECK_THROWS_AS(with([](O o) { o.threshold = 20; }), ValueError);
  CHECK_THROWS_AS(with([](O o) { o.compact_fraction = 2; }), ValueError);
  CHECK_THROWS_AS(with([](O o) { o.photons = 0; }), ValueError);
  CHECK_THROWS_AS(with([](O o) { o.brightest = 31; }), ValueError);
  CHECK_THROWS_AS(with([](O o) { o.noise_correlation = 0.9; }), ValueError);
  CHECK_THROWS_WITH_AS(with([](O o) { o.heldout_psf = "x"; }), doctest::Contains("\"x\""), ValueError);
  CHECK_THROWS_AS(with([](O o) { o.heldout_library = "x"; }), ValueError);
  CHECK_THROWS_AS(with([](O o) { o.heldout_templates = "x"; }), ValueError);
  CHECK_THROWS_AS(with([](O o) { o.set = SurveySet::bimodal, o.threshold = 2, o.least_z = 1; }), ValueError);
  tiny::Folder empty;
  CHECK_THROWS_WITH_AS(sim::read_survey_data(empty.path.string()), doctest::Contains("nircam_filters_jades_seds"),
                       FileError);
}

TEST_CASE("the sheet has a line for each object") {
  sim::Survey survey(tiny_data(), tiny::options());
  Tensor sheet = sim::survey_sheet(survey, tiny_data().filters, Split::test, {0, 1, 2});
  CHECK(sheet.shape() == Shape{366, 1032, 3});
  for (float v : sheet.host<float>()) REQUIRE((v >= 0 && v <= 1));
  sim::Curve galaxy = survey.spectrum(Split::test, 1);
  CHECK(galaxy.wavelength.size() > 500);
  CHECK(survey.spectrum(Split::test, 2).wavelength.empty());
  // the spectrum is in the units of the fluxes: a flat stretch of it is as high as the flux of the band
  sim::SurveyTruth t = survey.truth(Split::test, 1);
  double in_band = 0;
  int count = 0;
  for (size_t i = 0; i < galaxy.wavelength.size(); ++i)
    if (galaxy.wavelength[i] > 38900 && galaxy.wavelength[i] < 49900) in_band += galaxy.value[i], ++count;
  CHECK(in_band / count == doctest::Approx(t.flux[6]).epsilon(0.25));  // scatter of templates, slope over the band
  CHECK_THROWS_AS(sim::survey_sheet(survey, tiny_data().filters, Split::test, {}), ValueError);
}

TEST_CASE("the survey from the real tables: parts, held-out names, colours that make sense, time") {
  if (!std::filesystem::exists("../shared/data/jwst_ceers_nircam")) {
    MESSAGE("skipped: no ../shared/data");
    return;
  }
  sim::SurveyData real = sim::read_survey_data("../shared/data");
  CHECK(real.templates.size() == 3);
  CHECK(real.dwarfs.size() == 11924);
  CHECK(real.psfs.size() == 3);
  sim::Survey survey(real);
  CHECK(survey.psf_names(Split::train) == std::vector<std::string>{"10735", "13347"});
  std::clock_t start = std::clock();
  int const n = 120;
  for (int i = 0; i < n; ++i) {
    sim::SurveyObject o = survey.object(Split::test, i);
    sim::SurveyTruth const& t = o.truth;
    for (float v : o.image.host<float>()) REQUIRE(std::isfinite(v));
    for (double f : t.flux) REQUIRE(f >= 0);
    if (t.label == SurveyClass::high_z && t.z > 10) CHECK(t.flux[0] < 0.01 * t.flux[3]);
    if (t.label == SurveyClass::brown_dwarf) CHECK(t.source != "ATMO2020");
    else CHECK(t.source != "fsps");
  }
  double each = 1000 * double(std::clock() - start) / CLOCKS_PER_SEC / n;
  MESSAGE(each << " ms of one core for an object");
  CHECK(survey.truth(Split::heldout, 2).source == "ATMO2020");
}
