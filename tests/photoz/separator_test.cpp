// Colours with noise and gaps, the separator of classes, the quality cuts, tables between blanks.
#include <doctest/doctest.h>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <d16/core/random.hpp>
#include <d16/io/blank_table.hpp>
#include <d16/photoz/cuts.hpp>
#include <d16/photoz/scores.hpp>
#include <d16/photoz/separator.hpp>

using namespace d16;
using namespace d16::photoz;

namespace {

/// Two classes with other colours in four bands; errors of a tenth; a fifth of the values is missing.
SeparatorData draw(uint64_t seed, int64_t count) {
  SeparatorData out;
  out.fluxes.flux.resize(4), out.fluxes.error.resize(4);
  for (int64_t i = 0; i < count; ++i) {
    Random random(seed, uint64_t(i));
    double size = std::exp(2 * random.normal()), colours[2][4] = {{1, 2, 3, 4}, {3, 1, 1, 5}};
    for (size_t b = 0; b < 4; ++b) {
      double flux = size * colours[i % 2][b], error = 0.1 * size;
      bool missing = random.uniform() < 0.2;
      out.fluxes.flux[b].push_back(missing ? not_known : flux + error * random.normal());
      out.fluxes.error[b].push_back(missing ? not_known : error);
    }
    out.label.push_back(i % 2);
  }
  return out;
}

std::vector<std::string> const bands{"a", "b", "c", "d"};

}  // namespace

TEST_CASE("colours: asinh magnitudes are those of the logarithm for bright, and finite for all") {
  AsinhMagnitude m{10};
  // asinh(x) = ln(2x) + 1/(4x^2) - ..: at f = 1000 b the two differ by 1.0857 / (4 x 500^2) = 1.1e-6.
  CHECK(std::abs(m(10000) - -2.5 * std::log10(10000 / ab_zero)) < 1.2e-6);
  CHECK(m(0) == doctest::Approx(-2.5 * std::log10(10 / ab_zero)));
  CHECK(m(-50) > m(0));
  CHECK(std::isfinite(m(-1e6)));
  CHECK(std::isnan(m(not_known)));
  double step = 1e-3;  // the error is the slope times sigma; central difference, curvature 1e-6
  CHECK(m.error(30, 1) == doctest::Approx(std::abs(m(30 + step) - m(30 - step)) / (2 * step)).epsilon(1e-6));
  CHECK(asinh_magnitude({3, not_known, 1, 2}).softening == 2);
}

TEST_CASE("colours: all pairs, missing where one band is not seen") {
  double flux[] = {1, 100, -5, 10}, error[] = {2, 1, 1, -1};
  float out[6];
  pairwise_colours(flux, error, 4, 1, out);
  for (float c : out) CHECK(std::isnan(c));  // the first is fainter than its error, the others negative or unknown
  error[0] = 0.5, error[3] = 1;
  pairwise_colours(flux, error, 4, 1, out);
  CHECK(out[0] == 5);                      // -2.5 log10(1 / 100)
  CHECK(out[2] == doctest::Approx(2.5));   // 1 and 10
  CHECK(out[4] == doctest::Approx(-2.5));  // 100 and 10
  CHECK(pair_names(bands) == std::vector<std::string>{"a-b", "a-c", "a-d", "b-c", "b-d", "c-d"});
  CHECK(is_dwarf_by_colour(10, 4, 20));  // -0.99 and 1.75
  CHECK_FALSE(is_dwarf_by_colour(10, 9, 20));
  CHECK_FALSE(is_dwarf_by_colour(not_known, 4, 20));
}

TEST_CASE("separator: tells classes apart through noise and gaps, whatever the zero points; survives its file") {
  SeparatorData train = draw(1, 2000), validation = draw(2, 1000), test = draw(3, 1000);
  Separator s = train_separator(bands, {"x", "y"}, train, validation, {.rounds = 60});
  Tensor p = s.probabilities(test.fluxes);
  int right = 0, known = 0, sure = 0, sure_right = 0;
  for (int64_t i = 0; i < 1000; ++i) {
    double const* row = p.data<double>() + 2 * i;
    if (std::isnan(row[0])) continue;
    CHECK(std::abs(row[0] + row[1] - 1) < 1e-12);
    ++known, right += (row[1] > 0.5) == (test.label[size_t(i)] == 1);
    if (std::abs(row[1] - 0.5) > 0.4) ++sure, sure_right += (row[1] > 0.5) == (test.label[size_t(i)] == 1);
  }
  CHECK(known > 950);
  CHECK(right > 0.97 * known);
  CHECK(sure_right >= 0.9 * sure);  // what is said with 90 % is right as often
  for (auto const& prior : std::vector<std::vector<double>>{{0, 0}, {1, -1}, {1}, {1, not_known}, {1, INFINITY}})
    CHECK_THROWS_WITH_AS(s.probabilities(test.fluxes, prior), doctest::Contains("2 finite ones from 0 up"), ValueError);
  CHECK_NOTHROW(s.probabilities(test.fluxes, {1, 0}));
  // Other zero points: a factor for each band moves each colour by a constant. Colours are float32, so that a value may
  // change its side of a threshold only where it is 1e-6 from it.
  double const zero[4] = {2, 0.5, 3, 1};
  auto shifted = [&](SeparatorData data) {
    for (size_t b = 0; b < 4; ++b)
      for (size_t i = 0; i < data.label.size(); ++i)
        data.fluxes.flux[b][i] *= zero[b], data.fluxes.error[b][i] *= zero[b];
    return data;
  };
  Separator v = train_separator(bands, {"x", "y"}, shifted(train), shifted(validation), {.rounds = 60});
  Tensor q = v.probabilities(shifted(test).fluxes);
  int other = 0;
  for (int64_t i = 0; i < 2000; ++i)
    other += !(std::abs(p.data<double>()[i] - q.data<double>()[i]) < 1e-3) && !std::isnan(p.data<double>()[i]);
  CHECK(other <= 4);

  std::string file = (std::filesystem::temp_directory_path() / "d16_separator_test.json").string();
  save_separator(file, s);
  Separator again = load_separator(file);
  Tensor r = again.probabilities(test.fluxes);
  bool same = true;
  for (int64_t i = 0; i < 2000; ++i)
    same &= p.data<double>()[i] == r.data<double>()[i] || std::isnan(p.data<double>()[i]);
  CHECK(same);
  again.bands.pop_back();
  save_separator(file, again);
  CHECK_THROWS_WITH_AS(load_separator(file), doctest::Contains("do not belong together"), WeightsError);
  io::write_file(file, "{\"format\": \"d16 boosted trees\"}");
  CHECK_THROWS_AS(load_separator(file), WeightsError);
  std::filesystem::remove(file);
}

TEST_CASE("cuts: each takes what it says, and the counts add up") {
  std::vector<sim::Curve> filters{top_hat("F090W", 8900, 2000), top_hat("F115W", 11500, 2500),
                                  top_hat("F200W", 20000, 4500)};
  sim::Curve flat{"flat", {300, 60000}, {1, 1}};
  TemplateGrid grid(filters, {flat}, {.step = 0.1});
  FluxTable table;
  for (int b = 0; b < 3; ++b) table.flux.push_back({0.5, 10, 10}), table.error.push_back({1, 1, 1});
  table.flux[1] = {10, 10, 10}, table.flux[2] = {10, 10, 4};
  RedshiftFit high, low;
  for (RedshiftFit* fit : {&high, &low}) {
    fit->bands = 3, fit->chi2 = 1, fit->near = 0.9;
    fit->chi2_beside_dwarf = 1, fit->dwarf.chi2 = 5, fit->dwarf.bands = 3;
  }
  high.z_a = 7.2, high.chi2_low = 9;  // Lyman alpha at 9968: below F115W, above F090W
  low.z_a = 1;
  CHECK(failed_cuts(grid, table, 0, high, 1) == 0);
  CHECK(failed_cuts(grid, table, 1, high, 1) == cut_dropout);  // seen blueward of Lyman alpha
  CHECK(failed_cuts(grid, table, 1, low, 1) == 0);
  CHECK(failed_cuts(grid, table, 2, high, 1) == (cut_dropout | cut_detection));
  RedshiftFit inside = high;
  inside.z_a = 6.4;  // Lyman alpha at 8996, in the middle of F090W: that band may have light
  CHECK(failed_cuts(grid, table, 1, inside, 1) == 0);
  RedshiftFit bad = high;
  bad.near = 0.5, bad.chi2 = 8, bad.chi2_beside_dwarf = 6;
  CutOptions size{.least_size = 2};
  CHECK(failed_cuts(grid, table, 0, bad, 1, size) == (cut_pdf | cut_fit | cut_low_z | cut_dwarf | cut_size));
  CHECK(failed_cuts(grid, table, 0, RedshiftFit{}, 1) == cut_no_redshift);
  RedshiftFit few = high;
  few.chi2_beside_dwarf = 6;
  CHECK(failed_cuts(grid, table, 0, few, 1) == cut_dwarf);
  few.dwarf.bands = 2;  // nothing is compared in two bands
  CHECK(failed_cuts(grid, table, 0, few, 1) == 0);
  std::vector<CutCount> counts = count_cuts({0, cut_dropout, cut_dropout | cut_pdf, cut_no_redshift});
  CHECK(counts[0].fail == 1);
  CHECK(counts[0].left == 3);
  CHECK(counts[2].fail == 2);
  CHECK(counts.back().left == 1);
  CHECK(count_cuts({}, {.low_z = not_known})[5].asks == "not applied: it needs redshifts below 4");
  RedshiftFit two = high;
  two.alias = true, two.second = 0.2;
  CHECK(is_bimodal(two));
  CHECK_FALSE(is_bimodal(two, 0.3));
  CHECK_FALSE(is_bimodal(high));
}

TEST_CASE("photoz scores: scatter, outliers and coverage by hand") {
  std::vector<RedshiftFit> fits(5);
  std::vector<double> truth{1, 1, 1, 1, not_known}, d{0.01, -0.01, 0.03, 1};
  for (size_t i = 0; i < 4; ++i) {
    fits[i].z_a = 1 + 2 * d[i];
    fits[i].z_l68 = fits[i].z_a - 0.03, fits[i].z_u68 = fits[i].z_a + 0.03;
    fits[i].z_l95 = fits[i].z_a - 0.07, fits[i].z_u95 = fits[i].z_a + 0.07;
  }
  RedshiftScores s = redshift_scores(fits, truth);
  CHECK(s.n == 4);
  CHECK(s.outliers.successes == 1);
  CHECK(s.bias == doctest::Approx(0.02));  // the middle of 0.01 and 0.03
  // Distances from 0.02: 0.01, 0.03, 0.01, 0.98; their median is 0.02.
  CHECK(s.sigma_nmad == doctest::Approx(1.482602218505602 * 0.02));
  CHECK(s.in68.successes == 2);
  CHECK(s.in95.successes == 3);
}

TEST_CASE("blank tables: names in a comment, one clear error each") {
  io::Table t = io::parse_blank_table("# id  f_a e_a\n# id F1 E1\n\n 1   2.5e0 1\n7 -1 0.5\n", "x.cat");
  CHECK(t.rows() == 2);
  CHECK(t.numbers("f_a") == std::vector<double>{2.5, -1});
  CHECK(t.where(1) == "line 5");
  CHECK(io::parse_blank_table("#id f\n1 2\n", "x").has("id"));
  auto fails = [](char const* text, char const* words) {
    CHECK_THROWS_WITH_AS(io::parse_blank_table(text, "x.cat"), doctest::Contains(words), FileError);
  };
  fails("1 2\n", "line 1: no line with the names");
  fails("# a b\n1 2\n1\n", "line 3: 1 words; there are 2 columns");
  fails("# a b\n", "has no rows");
  fails("# a a\n1 2\n", "two columns are named");
}
