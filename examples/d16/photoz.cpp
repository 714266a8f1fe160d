// d16 photoz: reads fluxes, fits templates at every redshift, applies cuts, writes the catalogue.
#include "photoz.hpp"

#include <algorithm>
#include <cmath>

#include <d16/io/atomic_file.hpp>
#include <d16/io/blank_table.hpp>
#include <d16/io/csv.hpp>
#include <d16/io/fits.hpp>

namespace tool {

using d16::FileError;
using d16::require;
using d16::text;
namespace io = d16::io;
namespace sim = d16::sim;
using namespace d16::photoz;

namespace {

constexpr size_t block = 4096;  // rows between two looks at the progress

FluxTable slice(FluxTable const& table, size_t begin, size_t end) {
  FluxTable out;
  auto cut = [&](std::vector<double> const& v) {
    return std::vector<double>(v.begin() + std::ptrdiff_t(begin), v.begin() + std::ptrdiff_t(end));
  };
  for (auto const& band : table.flux) out.flux.push_back(cut(band));
  for (auto const& band : table.error) out.error.push_back(cut(band));
  return out;
}

/// Fits all rows; with `density`, keeps P(z) of each.
void fit_all(PhotozResults& r, std::vector<float>* density) {
  Stopwatch watch;
  size_t rows = r.catalogue.rows.size();
  FitOptions const options{.prior = r.prior.empty() ? nullptr : &r.prior};
  Progress progress("photoz", int64_t((rows + block - 1) / block));
  for (size_t begin = 0; begin < rows; begin += block) {
    size_t end = std::min(rows, begin + block);
    std::vector<double> truth;
    if (!r.catalogue.truth.empty())
      truth.assign(r.catalogue.truth.begin() + std::ptrdiff_t(begin), r.catalogue.truth.begin() + std::ptrdiff_t(end));
    std::vector<float> piece;
    std::vector<RedshiftFit> fits = fit_redshifts(r.grid, slice(r.catalogue.fluxes, begin, end), r.dwarfs, options,
                                                  truth, density ? &piece : nullptr);
    r.fits.insert(r.fits.end(), fits.begin(), fits.end());
    if (density) density->insert(density->end(), piece.begin(), piece.end());
    progress.step();
  }
  r.seconds = watch.seconds();
}

void set_flags(PhotozResults& r) {
  auto bands = int(r.catalogue.filters.size());
  double first = r.grid.z().front(), last = r.grid.z().back();
  for (size_t i = 0; i < r.fits.size(); ++i) {
    RedshiftFit const& fit = r.fits[i];
    int32_t flags = fit.bands < bands ? photoz_missing_band : 0;
    if (!fit.known()) flags |= fit.bands < FitOptions{}.least_bands ? photoz_few_bands : photoz_no_light;
    if (fit.known() && (fit.z_a <= first || fit.z_a >= last)) flags |= photoz_edge;
    if (is_bimodal(fit, r.options.bimodal)) flags |= photoz_bimodal;
    if (r.catalogue.approximate_filters) flags |= photoz_filters_guess;
    r.flags.push_back(flags);
    r.snr.push_back(total_snr(r.catalogue.fluxes, i));
  }
}

void apply_cuts(PhotozResults& r) {
  CutOptions cuts{.least_size = r.options.least_size};
  if (r.grid.z().front() > FitOptions{}.low_z[0][1]) cuts.low_z = not_known;
  for (size_t i = 0; i < r.fits.size(); ++i) {
    double size = r.catalogue.size.empty() ? not_known : r.catalogue.size[i];
    r.failed.push_back(failed_cuts(r.grid, r.catalogue.fluxes, i, r.fits[i], size, cuts));
  }
  r.counts = count_cuts(r.failed, cuts);
  if (std::isnan(cuts.least_size) || r.catalogue.size.empty())
    r.counts.back().asks = "not applied: it needs a column of radii and --least-size";
}

io::Table results_table(PhotozResults const& r) {
  io::Table t;
  auto add = [&](char const* name, auto value, std::string unit, std::string comment) {
    std::vector<float> values;
    for (RedshiftFit const& fit : r.fits) values.push_back(float(value(fit)));
    t.column(name, std::move(values), {std::move(unit), std::move(comment)});
  };
  using F = RedshiftFit const&;
  add(
      "z_a", [](F f) { return f.z_a; }, "",
      r.prior.empty() ? "photometric redshift: of the least chi2" : "photometric redshift: of the highest P(z)");
  add(
      "z_l95", [](F f) { return f.z_l95; }, "", "2.5 % of P(z) lies below");
  add(
      "z_l68", [](F f) { return f.z_l68; }, "", "16 % of P(z) lies below");
  add(
      "z_m", [](F f) { return f.z_m; }, "", "median of P(z)");
  add(
      "z_u68", [](F f) { return f.z_u68; }, "", "84 % of P(z) lies below");
  add(
      "z_u95", [](F f) { return f.z_u95; }, "", "97.5 % of P(z) lies below");
  add(
      "p_near", [](F f) { return f.near; }, "", "probability within 10 % of z_a");
  add(
      "chi2", [](F f) { return f.chi2; }, "", "of the best mixture of templates at z_a");
  add(
      "chi2_red", [](F f) { return f.reduced_chi2(); }, "", "chi2 over bands - 1");
  add(
      "z_2", [](F f) { return f.z_2; }, "", "middle of the second mode of P(z); NaN: there is one mode");
  add(
      "bimodality", [](F f) { return f.known() ? f.second : not_known; }, "",
      "probability of the second mode over that of the first");
  add(
      "chi2_2", [](F f) { return f.chi2_2; }, "", "chi2 at z_2");
  add(
      "chi2_low", [](F f) { return f.chi2_low; }, "", "least chi2 at z < 4 (z_a > 4.5), z < 6 (z_a > 6.5)");
  if (!r.dwarfs.empty()) {
    add(
        "chi2_bd", [](F f) { return f.dwarf.chi2; }, "", "of the best brown-dwarf model, with the same errors");
    add(
        "chi2_z_bd", [](F f) { return f.chi2_beside_dwarf; }, "",
        "of the galaxy at z_a over the bands that the brown-dwarf models have");
    add(
        "teff_bd", [&](F f) { return f.dwarf.model < 0 ? not_known : r.dwarfs.teff(f.dwarf.model); }, "K",
        "temperature of that model");
  }
  add(
      "snr_bands", [&, i = size_t(0)](F) mutable { return r.snr[i++]; }, "", "S/N of all bands together, by 1/sigma^2");
  std::vector<int32_t> bands;
  std::vector<std::string> best;
  for (F fit : r.fits) {
    bands.push_back(fit.bands);
    best.push_back(fit.best_template < 0 ? "" : r.grid.template_name(fit.best_template));
  }
  t.column("bands", bands, {"", "bands with a flux"});
  t.column("template", best, {"", "with most light at z_a"});
  t.column("photoz_flags", r.flags,
           {"",
            "1 too few bands, 2 no light, 4 a band is missing, 8 end of the grid, 16 bimodal, 32 filters "
            "approximated"});
  if (!r.failed.empty())
    t.column("cuts", r.failed,
             {"",
              "cuts failed: 1 no redshift, 2 detection, 4 dropout, 8 P(z) width, 16 fit, 32 low solution, 64 brown "
              "dwarf, 128 morphology; 0 passes all"});
  return t;
}

std::vector<io::FitsCard> cards_of(PhotozResults const& r) {
  std::string sets, bands, dust;
  for (double a_v : r.options.dust) dust += (dust.empty() ? "" : ",") + io::Table::text_of(a_v);
  for (std::string const& name : r.options.templates) sets += (sets.empty() ? "" : ",") + base_name(name);
  for (std::string const& name : r.catalogue.bands()) bands += (bands.empty() ? "" : ",") + name;
  std::vector<io::FitsCard> cards{
      {"PZTEMPL", sets, "templates"},
      {"PZDUST", dust, "A_V of each template, magnitudes"},
      {"PZNTEMPL", int64_t(r.grid.templates()), "number of templates"},
      {"PZBANDS", bands, "bands that were fitted"},
      {"PZFILT", std::string(r.catalogue.approximate_filters ? "APPROXIMATE top hats" : "curves"), "filters"},
      {"PZZMIN", r.grid.z().front(), "least redshift"},
      {"PZZMAX", r.grid.z().back(), "largest redshift"},
      {"PZNZ", int64_t(r.grid.redshifts()), "redshifts of the grid"},
      {"PZTERR", r.options.template_error, "relative template error"},
      {"PZPRIOR", r.prior.empty() ? std::string("flat in z") : base_name(r.options.prior),
       "P(z) ~ exp(-chi2 / 2) prior"}};
  if (!r.prior.empty())
    cards.push_back({"PZPRBAND", r.grid.band_name(r.prior.band()), "band of the prior's magnitudes"});
  for (std::string const& note : r.catalogue.notes) cards.push_back({"HISTORY", note});
  for (CutCount const& count : r.counts)
    cards.push_back(
        {"HISTORY", text("cut ", count.name, " (", count.asks, "): ", count.fail, " fail, ", count.left, " left")});
  cards.push_back({"HISTORY", made_by()});
  return cards;
}

void write_density(std::string const& path, PhotozResults const& r, std::vector<float> const& density) {
  int64_t rows = int64_t(r.fits.size()), n = r.grid.redshifts();
  d16::Tensor p = d16::empty({rows, n}, {.dtype = d16::DType::f32, .device = d16::Device()});
  d16::Tensor z = d16::empty({1, n}, {.dtype = d16::DType::f32, .device = d16::Device()});
  std::copy(density.begin(), density.end(), p.data<float>());
  for (int64_t k = 0; k < n; ++k) z.data<float>()[k] = float(r.grid.z()[size_t(k)]);
  io::write_fits(path, {{"PZ", p, {{"CONTENT", "P(z) of each row of the catalogue, per unit of redshift"}}},
                        {"Z", z, {{"CONTENT", "redshifts of the columns"}}}});
}

Json scores_json(RedshiftScores const& s) {
  return Json::object({{"n", s.n},
                       {"sigma_nmad", known(s.sigma_nmad)},
                       {"sigma_nmad_error", known(s.sigma_error)},
                       {"bias", known(s.bias)},
                       {"outlier_fraction", known(s.outliers.value)},
                       {"outlier_low", known(s.outliers.interval.low)},
                       {"outlier_high", known(s.outliers.interval.high)},
                       {"inside_68", known(s.in68.value)},
                       {"inside_95", known(s.in95.value)}});
}

void say_scores(PhotozResults const& r, std::vector<PhotozBin> const& bins) {
  if (bins.empty()) return;
  say(text("against ", r.catalogue.truth_column, ":        n   sigma_NMAD    outliers (> 0.15)      in 68 %  in 95 %"));
  for (PhotozBin const& bin : bins) {
    RedshiftScores const& s = bin.scores;
    if (s.n == 0) continue;
    char line[200];
    std::snprintf(line, sizeof line, "%18s %7lld   %.4f+-%.4f  %.3f [%.3f, %.3f]   %.3f    %.3f", bin.name.c_str(),
                  static_cast<long long>(s.n), s.sigma_nmad, s.sigma_error, s.outliers.value, s.outliers.interval.low,
                  s.outliers.interval.high, s.in68.value, s.in95.value);
    say(line);
  }
}

Json answer_of(PhotozResults const& r, std::vector<PhotozBin> const& bins) {
  auto count = [&](int32_t flag) {
    return int64_t(std::count_if(r.flags.begin(), r.flags.end(), [=](int32_t f) { return (f & flag) != 0; }));
  };
  auto redshifts = std::count_if(r.fits.begin(), r.fits.end(), [](RedshiftFit const& f) { return f.known(); });
  Json scores = Json::array({}), cuts = Json::array({}), notes = Json::array({});
  for (PhotozBin const& bin : bins)
    if (bin.scores.n > 0) {
      Json one = scores_json(bin.scores);
      one["rows"] = bin.name;
      scores.push_back(std::move(one));
    }
  for (CutCount const& c : r.counts)
    cuts.push_back(Json::object({{"cut", c.name}, {"asks", c.asks}, {"fail", c.fail}, {"left", c.left}}));
  for (std::string const& note : r.catalogue.notes) notes.push_back(note);
  return Json::object({{"out", r.options.out},
                       {"rows", int64_t(r.fits.size())},
                       {"redshifts", int64_t(redshifts)},
                       {"bands", r.catalogue.bands()},
                       {"templates", int64_t(r.grid.templates())},
                       {"seconds", r.seconds},
                       {"objects_per_second", double(r.fits.size()) / r.seconds},
                       {"bimodal", count(photoz_bimodal)},
                       {"approximate_filters", r.catalogue.approximate_filters},
                       {"simulated", r.catalogue.rows.simulated},
                       {"scores", std::move(scores)},
                       {"cuts", std::move(cuts)},
                       {"notes", std::move(notes)}});
}

void write_all(PhotozResults const& r, std::vector<float> const& density) {
  io::Table results = rename_taken(results_table(r), r.catalogue.rows.names);
  std::string const& out = r.options.out;
  if (ends_with(lower(out), ".csv")) write_highz_csv(out, r.catalogue.rows, results);
  else write_highz_fits(out, r.catalogue.rows, results, cards_of(r));
  if (!r.options.pdf.empty()) write_density(r.options.pdf, r, density);
  if (!r.options.report.empty()) io::write_file(r.options.report, photoz_report(r));
}

MagnitudePrior read_prior(PhotozOptions const& o, TemplateGrid const& grid, Photometry const& catalogue) {
  if (o.prior.empty()) return {};
  for (int b = 0; b < grid.bands(); ++b)
    if (lower(grid.band_name(b)) == lower(o.prior_band)) return {io::read_blank_table(o.prior), grid, b};
  std::string bands;
  for (std::string const& name : catalogue.bands()) bands += (bands.empty() ? "" : ", ") + name;
  throw d16::ValueError(text("--prior-band is \"", o.prior_band, "\"; one of ", bands,
                             " is needed, that in which the prior has its magnitudes"));
}

}  // namespace

std::vector<PhotozBin> photoz_bins(PhotozResults const& r) {
  if (r.catalogue.truth.empty()) return {};
  std::vector<PhotozBin> out;
  auto add = [&](std::string name, auto const& wanted) {
    std::vector<RedshiftFit> fits;
    std::vector<double> truth;
    for (size_t i = 0; i < r.fits.size(); ++i)
      if (wanted(i)) fits.push_back(r.fits[i]), truth.push_back(r.catalogue.truth[i]);
    out.push_back({std::move(name), redshift_scores(fits, truth)});
  };
  add("all", [](size_t) { return true; });
  constexpr double edges[] = {-INFINITY, 5, 10, 20, 50, INFINITY};
  constexpr char const* names[] = {"S/N < 5", "5 - 10", "10 - 20", "20 - 50", "> 50"};
  for (size_t k = 0; k < 5; ++k)
    add(names[k], [&](size_t i) { return r.snr[i] >= edges[k] && r.snr[i] < edges[k + 1]; });
  if (!r.failed.empty()) add("pass the cuts", [&](size_t i) { return r.failed[i] == 0; });
  return out;
}

Json photoz(PhotozOptions const& o) {
  check_catalogue_name(o.out);
  Photometry catalogue = read_photometry(o.photometry);
  GridOptions grid_options{.least_z = o.least_z,
                           .most_z = o.most_z,
                           .step = o.step,
                           .template_error = o.template_error,
                           .error_scale = o.error_scale};
  if (!o.error_curve.empty()) grid_options.error_curve = sim::read_spectrum(o.error_curve, "template error");
  TemplateGrid grid(catalogue.filters, read_templates(o.templates, o.photometry.data, o.dust), grid_options);
  DwarfModels dwarfs;
  std::string models = o.dwarfs.empty() ? dwarf_models_of(o.photometry.data) : o.dwarfs;
  bool same_bands = std::any_of(catalogue.filters.begin(), catalogue.filters.end(),
                                [](sim::Curve const& f) { return lower(f.name) == "f444w"; });
  if (o.dwarfs.empty() && !same_bands) {
    catalogue.notes.push_back("no comparison with brown dwarfs: their models are in bands of NIRCam");
  } else if (o.dwarfs != "none") dwarfs = DwarfModels(io::read_csv(models), catalogue.bands());

  MagnitudePrior const prior = read_prior(o, grid, catalogue);
  PhotozResults r{o, catalogue, grid, dwarfs, prior};
  std::vector<float> density;
  fit_all(r, o.pdf.empty() ? nullptr : &density);
  set_flags(r);
  if (o.cuts) apply_cuts(r);
  std::vector<PhotozBin> bins = photoz_bins(r);
  write_all(r, density);

  for (std::string const& note : catalogue.notes) say(note);
  say(text(o.out, ": ", r.fits.size(), " rows, ", grid.templates(), " templates at ", grid.redshifts(), " redshifts, ",
           int64_t(double(r.fits.size()) / r.seconds), " objects/s"));
  for (CutCount const& count : r.counts)
    say(text("cut ", count.name, ": ", count.asks, ": ", count.fail, " fail, ", count.left, " left"));
  say_scores(r, bins);
  return answer_of(r, bins);
}

}  // namespace tool
