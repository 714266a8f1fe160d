// Photometric redshifts: laws that hold for any templates, and the numbers on a catalogue made of them.
#include <doctest/doctest.h>
#include <cmath>
#include <string>
#include <vector>

#include <d16/core/random.hpp>
#include <d16/io/blank_table.hpp>
#include <d16/io/csv.hpp>
#include <d16/photoz/redshift.hpp>

using namespace d16;
using namespace d16::photoz;

namespace {

/// F_lambda of a power law with a Balmer break and an emission line.
sim::Curve spectrum(std::string name, double slope, double balmer_break, double line) {
  sim::Curve c{std::move(name), {}, {}};
  for (double x = 200; x < 60000; x *= 1.001) {
    double f = std::pow(x / 5500, slope) * (x < 3646 ? 1 / balmer_break : 1);
    c.wavelength.push_back(x), c.value.push_back(f + line * std::exp(-std::pow((x - 5007) / 15, 2)));
  }
  return c;
}
std::vector<sim::Curve> templates() {
  return {spectrum("young", -2.3, 1.05, 3), spectrum("middle", -1.5, 1.8, 1), spectrum("old", 0.3, 4, 0)};
}
std::vector<sim::Curve> filters() {
  std::vector<sim::Curve> out;
  double pivots[] = {9000, 11500, 15000, 19900, 27600, 35700, 44000};
  for (double pivot : pivots) out.push_back(top_hat("B" + std::to_string(int(pivot)), pivot, 0.25 * pivot));
  return out;
}

/// Template `t` at grid point k with an error of a share of its brightest band.
void add_row(FluxTable& table, TemplateGrid const& grid, int t, int k, double brightness, double share) {
  table.flux.resize(size_t(grid.bands())), table.error.resize(size_t(grid.bands()));
  double most = 0;
  for (int b = 0; b < grid.bands(); ++b) most = std::max(most, grid.flux(k)[b * grid.templates() + t]);
  for (size_t b = 0; b < table.flux.size(); ++b) {
    double f = grid.flux(k)[b * size_t(grid.templates()) + size_t(t)];
    table.flux[b].push_back(brightness * f), table.error[b].push_back(brightness * share * most);
  }
}

TemplateGrid const& grid() {
  static TemplateGrid const one(filters(), templates(), {.template_error = 0.02});
  return one;
}

}  // namespace

TEST_CASE("photoz: an exact template gives its redshift back") {
  FluxTable table;
  std::vector<double> truth;
  for (int t = 0; t < 3; ++t)
    for (int k = 4; k < grid().redshifts(); k += 13)
      if (grid().z()[size_t(k)] < 15) add_row(table, grid(), t, k, 100, 0.003), truth.push_back(grid().z()[size_t(k)]);
  std::vector<RedshiftFit> fits = fit_redshifts(grid(), table, {}, {}, truth);
  for (size_t i = 0; i < fits.size(); ++i) {
    REQUIRE(fits[i].known());
    // The least chi^2 is 0 and lies on the grid; the parabola through its neighbours moves it by half a step at most.
    double half_step = 0.5 * 0.01 * (1 + truth[i]) * 1.01;
    CHECK(std::abs(fits[i].z_a - truth[i]) <= half_step);
    CHECK(fits[i].chi2 < 1e-6);
    CHECK(fits[i].z_l68 <= fits[i].z_m);
    CHECK(fits[i].z_l95 <= truth[i]);
    CHECK(fits[i].z_u95 >= truth[i]);
    CHECK(fits[i].rank >= 0);
    CHECK(fits[i].rank <= 1);
  }
}

TEST_CASE("photoz: the unit of the fluxes does not matter, a missing band is a band less") {
  FluxTable table, scaled, missing, seven;
  Random random(3, 0);
  for (int i = 0; i < 40; ++i) {
    int k = int(random.integer(200));
    add_row(table, grid(), i % 3, k, 10, 0.05), add_row(scaled, grid(), i % 3, k, 10 * 4096, 0.05);
    for (size_t b = 0; b < 7; ++b) {
      double noise = 1 + 0.1 * random.normal();
      table.flux[b].back() *= noise, scaled.flux[b].back() *= noise;
    }
  }
  seven = missing = table;
  for (double& f : missing.flux[3]) f = not_known;
  for (double& e : seven.error[3]) e = -1;  // an error that is none says the same
  std::vector<sim::Curve> six = filters();
  six.erase(six.begin() + 3);
  TemplateGrid without(six, templates(), {.template_error = 0.02});
  FluxTable less = table;
  less.flux.erase(less.flux.begin() + 3), less.error.erase(less.error.begin() + 3);
  std::vector<RedshiftFit> a = fit_redshifts(grid(), table), b = fit_redshifts(grid(), scaled),
                           c = fit_redshifts(grid(), missing), d = fit_redshifts(without, less),
                           e = fit_redshifts(grid(), seven);
  for (size_t i = 0; i < a.size(); ++i) {
    // Scaling by a power of two changes no digit of the fit but where 1e-9 decides; sums of 7 squares otherwise agree.
    CHECK(std::abs(a[i].chi2 - b[i].chi2) <= 1e-8 * (1 + a[i].chi2));
    CHECK(std::abs(a[i].z_a - b[i].z_a) <= 1e-6);
    CHECK(std::abs(a[i].z_u68 - b[i].z_u68) <= 1e-6);
    CHECK(c[i].bands == 6);
    CHECK(e[i].z_a == c[i].z_a);
    CHECK(std::abs(c[i].chi2 - d[i].chi2) <= 1e-8 * (1 + c[i].chi2));
    CHECK(std::abs(c[i].z_m - d[i].z_m) <= 1e-6);
  }
}

TEST_CASE("photoz: rows that say nothing have no redshift") {
  FluxTable table;
  for (int i = 0; i < 4; ++i) add_row(table, grid(), 0, 100, 1, 0.1);
  for (size_t b = 0; b < 7; ++b) {
    table.flux[b][1] = not_known;                    // nothing measured
    table.flux[b][2] = -std::abs(table.flux[b][2]);  // nothing that could shine
    if (b >= 2) table.error[b][3] = 0;               // two bands
  }
  std::vector<float> density;
  std::vector<RedshiftFit> fits = fit_redshifts(grid(), table, {}, {}, {}, &density);
  CHECK(fits[0].known());
  for (size_t i = 1; i < 4; ++i) {
    CHECK_FALSE(fits[i].known());
    CHECK(std::isnan(fits[i].chi2));
    CHECK(std::isnan(fits[i].z_u68));
  }
  CHECK(fits[1].bands == 0);
  CHECK(fits[3].bands == 2);
  auto n = size_t(grid().redshifts());
  double sum = 0;
  for (size_t k = 0; k < n; ++k) sum += double(density[k]) * grid().width(int(k));
  CHECK(std::abs(sum - 1) < 304 * 6e-8 * 2);  // float32 values of a density whose integral is 1
  for (size_t k = n; k < 4 * n; ++k) CHECK(density[k] == 0.0f);
}

TEST_CASE("photoz: P(z) holds the truth as often as it says, whatever the number of threads") {
  FluxTable table;
  std::vector<double> truth;
  Random random(11, 0);
  for (int i = 0; i < 600; ++i) {
    // Uniform in z, which is the prior of P(z): a grid point with probability proportional to its width.
    double z = 0.2 + 11.8 * random.uniform();
    int k = int(std::lower_bound(grid().z().begin(), grid().z().end(), z) - grid().z().begin());
    add_row(table, grid(), int(random.integer(3)), k, 1, 0.1), truth.push_back(grid().z()[size_t(k)]);
    for (size_t b = 0; b < 7; ++b) table.flux[b].back() += table.error[b].back() * random.normal();
  }
  set_threads(1);
  std::vector<RedshiftFit> one = fit_redshifts(grid(), table, {}, {}, truth);
  set_threads(3);
  std::vector<RedshiftFit> three = fit_redshifts(grid(), table, {}, {}, truth);
  set_threads(0);
  int in68 = 0, in95 = 0;
  for (size_t i = 0; i < one.size(); ++i) {
    CHECK(one[i].z_a == three[i].z_a);
    CHECK(one[i].chi2 == three[i].chi2);
    in68 += one[i].z_l68 <= truth[i] && truth[i] <= one[i].z_u68;
    in95 += one[i].z_l95 <= truth[i] && truth[i] <= one[i].z_u95;
  }
  // Binomial errors of 600: 0.019 and 0.009. Mixtures of three templates are fitted to one: P(z) is a little too wide.
  CHECK(in68 >= 600 * (0.68 - 4 * 0.019));
  CHECK(in68 <= 600 * (0.68 + 7 * 0.019));
  CHECK(in95 >= 600 * (0.95 - 4 * 0.009));
}

TEST_CASE("photoz: two modes where the Balmer break can be the Lyman break") {
  CHECK(is_balmer_alias(3.3, 12, 0.1));  // 1216 x 13 = 15808 = 3676 x 4.3
  CHECK(is_balmer_alias(12, 3.3, 0.1));
  CHECK_FALSE(is_balmer_alias(3.3, 5, 0.1));
  FluxTable table;
  int k = int(std::lower_bound(grid().z().begin(), grid().z().end(), 11.0) - grid().z().begin());
  add_row(table, grid(), 0, k, 1, 0.25);  // a young galaxy at z = 11, faint: an old one at z = 3 is not excluded
  RedshiftFit fit = fit_redshifts(grid(), table)[0];
  CHECK(fit.second > 0.01);
  CHECK(fit.alias);
  CHECK(std::isfinite(fit.chi2_low));
  CHECK(fit.chi2_low >= fit.chi2);
  table = {};
  add_row(table, grid(), 0, k, 1, 0.002);  // bright: no doubt
  fit = fit_redshifts(grid(), table)[0];
  CHECK(fit.second < 1e-3);
  CHECK(fit.near > 0.99);
}

TEST_CASE("photoz: a prior weighs P(z) by the brightness, and leaves chi^2 as it is") {
  // z = 1 for bright galaxies, 10 for faint ones, 5 where the grid of the table is coarse
  std::string file = "# z 20 26\n";
  for (double z : {0.0, 0.9, 1.0, 1.1, 9.9, 10.0, 10.1, 12.0})
    file += text(z, " ", z == 1 ? 3 : 0, " ", z == 10 ? 7 : 0, "\n");
  auto read = [&](std::string const& words) {
    return MagnitudePrior(io::parse_blank_table(words, "prior"), grid(), 2);
  };
  MagnitudePrior const prior = read(file);
  FluxTable table;
  add_row(table, grid(), 1, 120, 1, 5);  // all noise: nothing but the prior speaks
  for (size_t b = 0; b < 7; ++b)
    table.flux[b].insert(table.flux[b].end(), 2, table.flux[b][0]), table.error[b].resize(3, table.error[b][0]);
  double const bright = ab_zero * std::pow(10, -0.4 * 19), faint = ab_zero * std::pow(10, -0.4 * 23);
  for (size_t row = 0; row < 2; ++row)
    for (size_t b = 0; b < 7; ++b) {
      double const scale = (row == 0 ? bright : faint) / table.flux[2][2];
      table.flux[b][row] *= scale, table.error[b][row] *= scale * 1e3;
    }
  table.error[2][0] = bright, table.error[2][1] = faint;  // of the magnitudes
  table.error[2][2] = NAN;
  std::vector<float> density, plain;
  std::vector<RedshiftFit> fits = fit_redshifts(grid(), table, {}, {.prior = &prior}, {}, &density);
  std::vector<RedshiftFit> flat = fit_redshifts(grid(), table, {}, {}, {}, &plain);
  auto between = [&](size_t row, double low, double high) {
    double sum = 0;
    for (int k = 0; k < grid().redshifts(); ++k)
      if (double const z = grid().z()[size_t(k)]; z > low && z < high)
        sum += double(density[row * size_t(grid().redshifts()) + size_t(k)]) * grid().width(k);
    return sum;
  };
  CHECK(between(0, 0.88, 1.12) > 0.95);                                // beyond its magnitudes: those of its end
  CHECK(between(1, 0.88, 1.12) == doctest::Approx(0.5).epsilon(0.1));  // in the middle of them
  CHECK(between(1, 9.8, 10.2) == doctest::Approx(0.5).epsilon(0.1));
  CHECK(std::abs(fits[0].z_a - 1) < 0.02);
  auto const there = density.begin() + 2 * grid().redshifts();  // the band is missing: no prior
  CHECK(std::equal(there, density.end(), plain.begin() + 2 * grid().redshifts()));
  CHECK(fits[0].chi2 >= flat[0].chi2);
  CHECK(fits[2].chi2 == flat[2].chi2);
  CHECK_THROWS_WITH_AS(read("# z 20 faint\n0 1 1\n2 1 1\n"),
                       "prior: column \"faint\"; a magnitude is its name, beside z", FileError);
  CHECK_THROWS_AS(read("# z 20 19\n0 1 1\n2 1 1\n"), FileError);
  CHECK_THROWS_AS(read("# z 20\n1 1\n0.5 1\n3 1\n"), FileError);
  CHECK_THROWS_AS(read("# z 20\n0 1\n1 -1\n"), FileError);
  CHECK_THROWS_AS(read("# z 20\n1 0\n2 0\n"), FileError);
}

TEST_CASE("photoz: models without a redshift are found whatever their brightness") {
  std::string csv = "library,teff_K,B9000,b11500,B15000,B19900,B27600,B35700\n";
  csv += "a,500,1,9,2,5,1,8\na,900,2,7,3,3,2,4\nb,1500,5,8,7,6,4,3\n";
  std::vector<std::string> bands;
  for (sim::Curve const& filter : filters()) bands.push_back(filter.name);
  DwarfModels models(io::parse_csv(csv, "models.csv"), bands);
  double second[] = {200, 700, 300, 300, 200, 400, 12345}, v[] = {1, 1, 1, 1, 1, 1, 1},
         dark[] = {-1, -1, -1, -1, -1, -1, 5};
  std::vector<float> work;
  DwarfModels::Match match = models.best(second, v, work);
  CHECK(match.model == 1);
  CHECK(match.bands == 6);   // the table has no B44000
  CHECK(match.chi2 < 1e-6);  // float32 sizes of 1e2: (700 x 6e-8)^2 x 6
  CHECK(models.teff(1) == 900);
  CHECK(models.best(dark, v, work).model == -1);
  CHECK_THROWS_WITH_AS(DwarfModels(io::parse_csv("library,F1\na,1\n", "m.csv"), bands),
                       doctest::Contains("no column for any of the 7 bands"), FileError);
  CHECK_THROWS_WITH_AS(DwarfModels(io::parse_csv("B9000\n-1\n", "m.csv"), bands), doctest::Contains("line 2"),
                       FileError);
}

TEST_CASE("photoz: galaxy and dwarf are compared over the same bands") {
  std::vector<std::string> bands;
  for (sim::Curve const& filter : filters()) bands.push_back(filter.name);
  FluxTable table;
  add_row(table, grid(), 1, 230, 100, 0.02);
  table.flux[6][0] *= 3;  // no template has that, and the models know nothing of this band
  std::string names = "library", row = "near", all;
  for (size_t b = 0; b < 6; ++b)
    names += "," + bands[b], row += text(",", std::max(1.0, table.flux[b][0]) * (b % 2 ? 1.22 : 1));
  all = names + "," + bands[6] + "\n" + row + text(",", table.flux[6][0]) + "\n";
  DwarfModels const six(io::parse_csv(names + "\n" + row + "\n", "m.csv"), bands),
      seven(io::parse_csv(all, "m.csv"), bands);
  RedshiftFit const a = fit_redshifts(grid(), table, six)[0], b = fit_redshifts(grid(), table, seven)[0];
  CHECK(a.dwarf.bands == 6);
  CHECK(a.chi2 > a.dwarf.chi2);
  CHECK(a.chi2_beside_dwarf < a.dwarf.chi2);
  CHECK(a.chi2_beside_dwarf < a.chi2);
  CHECK(b.chi2_beside_dwarf == doctest::Approx(b.chi2));
}

TEST_CASE("photoz: without redshifts below 4 no low solution is known") {
  TemplateGrid const high(filters(), templates(), {.least_z = 5, .template_error = 0.02});
  FluxTable table;
  for (double z : {5.5, 9.0}) {
    int k = int(std::lower_bound(high.z().begin(), high.z().end(), z) - high.z().begin());
    add_row(table, high, 1, k, 100, 0.01);
  }
  std::vector<RedshiftFit> const fits = fit_redshifts(high, table);
  CHECK(std::isnan(fits[0].chi2_low));
  CHECK(fits[1].chi2_low > fits[1].chi2 + 4);  // between 5 and 6
  CHECK(std::isfinite(fits[1].chi2_low));
}

TEST_CASE("photoz: hydrogen takes the light blueward of Lyman alpha; top hats have their pivot") {
  TemplateGrid clear(filters(), templates(), {.igm = false});
  int k = 0;
  while (grid().z()[size_t(k)] < 9.0) ++k;  // Lyman alpha at 12157 Angstrom: the first band is dark
  CHECK(grid().flux(k)[0] < 1e-3 * clear.flux(k)[0]);
  CHECK(grid().flux(k)[6 * 3] == clear.flux(k)[6 * 3]);
  for (sim::Curve const& filter : filters())  // edges of 1e-4 of the width
    CHECK(std::abs(sim::pivot_wavelength(filter) / std::stod(filter.name.substr(1)) - 1) < 1e-6);
  CHECK(std::abs(grid().blue_edge(0) / (9000 - 1125) - 1) < 0.01);
  CHECK_THROWS_AS(top_hat("x", 1000, 3000), ValueError);
  CHECK_THROWS_AS(TemplateGrid({}, templates()), ValueError);
  CHECK_THROWS_AS(TemplateGrid(filters(), templates(), {.least_z = 5, .most_z = 2}), ValueError);
  CHECK_THROWS_WITH_AS(TemplateGrid({top_hat("uv", 100, 10)}, templates()), doctest::Contains("below 300"), ValueError);
  FluxTable short_one;
  CHECK_THROWS_AS(fit_redshifts(grid(), short_one), ShapeError);
}

TEST_CASE("photoz: the grid has the fluxes of the spectrum itself, moved to its redshift") {
  sim::Curve bump{"bump", {}, {}};
  for (double x = 250; x < 60000; x *= 1.0005) {
    bump.wavelength.push_back(x);
    bump.value.push_back(0.01 + std::exp(-0.5 * std::pow(std::log(x / 5000) / 0.12, 2)));
  }
  TemplateGrid one(filters(), {bump}, {.step = 0.1, .igm = false});
  for (int k = 4; k < one.redshifts(); k += 4) {
    double z = one.z()[size_t(k)];
    sim::Curve moved = bump;
    for (double& x : moved.wavelength) x *= 1 + z;
    double sum = 0;
    std::vector<double> flux;
    for (sim::Curve const& filter : filters()) flux.push_back(sim::ab_flux(moved, filter)), sum += flux.back();
    double of_grid = 0;
    for (int b = 0; b < 7; ++b) of_grid += one.flux(k)[b];
    // Cells of 0.002 are sums by rectangles of a band whose edges lie inside a cell: 0.002 / 0.25 of a band's width, times
    // how much brighter than the mean the edge is, at most 10 here. A shift by one cell would change fluxes by up to 5 %.
    for (int b = 0; b < 7; ++b) CHECK(std::abs(one.flux(k)[b] / of_grid - flux[size_t(b)] / sum) < 2e-3);
  }
}
