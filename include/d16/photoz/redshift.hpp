// Photometric redshifts: chi^2 of the best mixture of templates at every redshift, and what follows from it.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "../core/parallel.hpp"
#include "dwarf_models.hpp"
#include "magnitude_prior.hpp"
#include "nnls.hpp"
#include "template_grid.hpp"

namespace d16::photoz {

/// Fluxes of a catalogue: flux[band][row] and its error in one unit, NaN where there is no measurement.
struct FluxTable {
  std::vector<std::vector<double>> flux = {}, error = {};

  size_t rows() const { return flux.empty() ? 0 : flux[0].size(); }
};

struct FitOptions {
  int least_bands = 3;       ///< rows with fewer have no redshift
  double valley = 2;         ///< modes of P(z) are apart where chi^2 between them is higher than at both by so much
  double alias_slack = 0.1;  ///< relative, of the ratio of 1 + z that Balmer-Lyman aliasing has
  /// Below which redshift a nearer solution is looked for, from which redshift on: EPOCHS fits with z <= 4 and z <= 6.
  double low_z[2][2] = {{4.5, 4}, {6.5, 6}};
  MagnitudePrior const* prior = nullptr;  ///< none: flat; it has to outlive the fits
};

constexpr double not_known = std::numeric_limits<double>::quiet_NaN();

/// What is known of one object. All NaN when too few bands are measured, or no template can be brighter than nothing.
struct RedshiftFit {
  int bands = 0;  ///< measured
  double z_a =
      not_known;  ///< of the highest P(z), between grid points by a parabola: without a prior of the least chi^2
  double chi2 = not_known;                                                                             ///< there
  double z_l95 = not_known, z_l68 = not_known, z_m = not_known, z_u68 = not_known, z_u95 = not_known;  ///< of P(z)
  double near = not_known;      ///< probability within 10 % of z_a
  double z_2 = not_known;       ///< middle of the second mode; NaN when there is one only
  double second = 0;            ///< probability of the second mode over that of the first: the bimodality
  double chi2_2 = not_known;    ///< at z_2
  bool alias = false;           ///< the two modes are where Balmer and Lyman break change places
  double chi2_low = not_known;  ///< least at low redshift, FitOptions::low_z; NaN where that is not looked for
  int best_template = -1;       ///< with most light at z_a
  DwarfModels::Match dwarf = {};
  double chi2_beside_dwarf = not_known;  ///< of the best mixture at z_a over the bands that the dwarf is compared in
  double rank = not_known;               ///< probability below the true redshift, where that is known

  bool known() const { return std::isfinite(z_a); }
  /// chi^2 over bands - 1: one number, the brightness, is fitted for certain.
  double reduced_chi2() const { return bands > 1 ? chi2 / (bands - 1) : not_known; }
};

namespace detail {

/// P(z) on the grid of an object and what is read off it. Of chi^2, or of chi^2 - 2 ln of a prior.
class RedshiftPdf {
 public:
  RedshiftPdf(TemplateGrid const& grid, std::vector<double> const& chi2) : grid_(grid), chi2_(chi2) {
    best_ = int(std::min_element(chi2.begin(), chi2.end()) - chi2.begin());
    double sum = 0;
    for (int k = 0; k < grid.redshifts(); ++k) {
      p_.push_back(std::exp(-(chi2[size_t(k)] - chi2[size_t(best_)]) / 2));
      sum += p_.back() * grid.width(k);
    }
    for (double& p : p_) p /= sum;
    cumulative_.push_back(0);
    for (size_t k = 1; k < p_.size(); ++k)
      cumulative_.push_back(cumulative_.back() + (p_[k] + p_[k - 1]) / 2 * (grid.z()[k] - grid.z()[k - 1]));
  }

  int best() const { return best_; }
  std::vector<double> const& p() const { return p_; }
  /// The probability below z.
  double below(double z) const {
    std::vector<double> const& grid = grid_.z();
    if (z <= grid.front()) return 0;
    if (z >= grid.back()) return 1;
    size_t k = size_t(std::upper_bound(grid.begin(), grid.end(), z) - grid.begin());
    double t = (z - grid[k - 1]) / (grid[k] - grid[k - 1]);
    return (cumulative_[k - 1] + t * (cumulative_[k] - cumulative_[k - 1])) / cumulative_.back();
  }
  double quantile(double q) const {
    double wanted = q * cumulative_.back();
    size_t k = size_t(std::lower_bound(cumulative_.begin() + 1, cumulative_.end() - 1, wanted) - cumulative_.begin());
    double low = cumulative_[k - 1], high = cumulative_[k];
    double t = high > low ? (wanted - low) / (high - low) : 0.5;
    return grid_.z()[k - 1] + t * (grid_.z()[k] - grid_.z()[k - 1]);
  }
  /// The redshift of the least chi^2: a parabola in ln(1 + z) through the three points around it.
  double peak(int k) const {
    if (k == 0 || k + 1 == grid_.redshifts()) return grid_.z()[size_t(k)];
    double left = chi2_[size_t(k - 1)], middle = chi2_[size_t(k)], right = chi2_[size_t(k + 1)];
    double bend = left - 2 * middle + right,
           step = std::log1p(grid_.z()[size_t(k + 1)]) - std::log1p(grid_.z()[size_t(k)]);
    double shift = bend > 0 ? std::clamp((left - right) / (2 * bend), -0.5, 0.5) : 0;
    return std::expm1(std::log1p(grid_.z()[size_t(k)]) + shift * step);
  }

  struct Mode {
    int peak;      // grid point of its least chi^2
    double share;  // of the probability
  };
  /// Peaks of P(z) with valleys deeper than `valley` in chi^2 between them, the most probable first.
  std::vector<Mode> modes(double valley) const {
    struct Piece {
      int begin, end, peak;
    };
    std::vector<Piece> pieces;  // between neighbouring maxima of chi^2
    int last = grid_.redshifts() - 1, begin = 0;
    for (int k = 1; k <= last; ++k) {
      bool top = k < last && chi2_[size_t(k)] >= chi2_[size_t(k - 1)] && chi2_[size_t(k)] > chi2_[size_t(k + 1)];
      if (!top && k < last) continue;
      auto least = std::min_element(chi2_.begin() + begin, chi2_.begin() + k + 1);
      pieces.push_back({begin, k, int(least - chi2_.begin())});
      begin = k;
    }
    auto depth = [&](size_t i) {  // of the valley of P between a piece and the next
      double peaks = std::max(chi2_[size_t(pieces[i].peak)], chi2_[size_t(pieces[i + 1].peak)]);
      return chi2_[size_t(pieces[i].end)] - peaks;
    };
    while (pieces.size() > 1) {
      size_t shallow = 0;
      for (size_t i = 1; i + 1 < pieces.size(); ++i)
        if (depth(i) < depth(shallow)) shallow = i;
      if (depth(shallow) >= valley) break;
      Piece &left = pieces[shallow], &right = pieces[shallow + 1];
      left.end = right.end;
      if (chi2_[size_t(right.peak)] < chi2_[size_t(left.peak)]) left.peak = right.peak;
      pieces.erase(pieces.begin() + std::ptrdiff_t(shallow) + 1);
    }
    std::vector<Mode> out;
    for (Piece const& piece : pieces)
      out.push_back(
          {piece.peak, (cumulative_[size_t(piece.end)] - cumulative_[size_t(piece.begin)]) / cumulative_.back()});
    std::stable_sort(out.begin(), out.end(), [](Mode const& a, Mode const& b) { return a.share > b.share; });
    return out;
  }

 private:
  TemplateGrid const& grid_;
  std::vector<double> const& chi2_;
  std::vector<double> p_, cumulative_;
  int best_ = 0;
};

}  // namespace detail

/// Whether two redshifts can be taken for each other because one object's Lyman break lies where the other's Balmer
/// (3646 Angstrom) or 4000 Angstrom break would: 1216 (1 + high) = 3646 .. 4000 (1 + low), with some slack.
inline bool is_balmer_alias(double low, double high, double slack) {
  double ratio = (1 + std::max(low, high)) / (1 + std::min(low, high));
  return ratio >= 3646 / sim::lyman_alpha * (1 - slack) && ratio <= 4000 / sim::lyman_alpha * (1 + slack);
}

/// Fits objects one by one; keeps the memory for it. One for each thread.
class RedshiftFitter {
 public:
  RedshiftFitter(TemplateGrid const& grid, DwarfModels const& dwarfs, FitOptions const& o = {})
      : grid_(grid), dwarfs_(dwarfs), o_(o), nnls_(grid.templates(), grid.bands()), chi2_(grid.z().size()) {
    for (auto* list : {&flux_, &inverse_, &error_}) list->resize(size_t(grid.bands()));
  }

  /// sigma_b^2 = error_b^2 + (relative error of the templates x flux_b)^2. With a true redshift, its rank in P(z).
  /// Source   Brammer, van Dokkum & Coppi 2008, ApJ 686, 1503, eq. 1 to 4. P(z) ~ exp(-chi^2 / 2), times a prior.
  RedshiftFit fit(FluxTable const& table, size_t row, double true_z = not_known) {
    RedshiftFit out;
    out.bands = take(table, row);
    if (out.bands < o_.least_bands) return out;
    scan();
    weigh_by_prior();
    detail::RedshiftPdf pdf(grid_, posterior_);
    int best = pdf.best();
    if (!lit(best)) return out;
    read_off(pdf, out);
    out.best_template = heaviest(best);
    find_second(pdf, out);
    find_low(out);
    if (!dwarfs_.empty()) compare_with_dwarfs(best, out);
    if (std::isfinite(true_z)) out.rank = pdf.below(true_z);
    density_ = pdf.p();
    return out;
  }
  /// chi^2 of each redshift, and P(z), of the last object that has a redshift.
  std::vector<double> const& chi2() const { return chi2_; }
  std::vector<double> const& density() const { return density_; }

 private:
  int take(FluxTable const& table, size_t row) {
    int bands = 0;
    for (size_t b = 0; b < flux_.size(); ++b) {
      double f = table.flux[b][row], e = table.error[b][row];
      bool measured = std::isfinite(f) && std::isfinite(e) && e > 0;
      flux_[b] = measured ? f : 0, error_[b] = measured ? e : 0;
      bands += measured;
    }
    return bands;
  }
  void weigh(int k) {
    double const* error2 = grid_.error2(k);
    for (size_t b = 0; b < flux_.size(); ++b) {
      double e = error_[b];
      inverse_[b] = e > 0 ? 1 / (e * e + error2[b] * flux_[b] * flux_[b]) : 0;
    }
  }
  /// chi^2 everywhere.
  void scan() {
    for (int k = 0; k < grid_.redshifts(); ++k) {
      weigh(k);
      chi2_[size_t(k)] = nnls_.solve(grid_.flux(k), inverse_.data(), flux_.data(), k > 0);
    }
  }
  /// -2 ln P(z): a galaxy whose band is missing has the flat prior.
  void weigh_by_prior() {
    posterior_ = chi2_;
    if (!o_.prior || !(error_[size_t(o_.prior->band())] > 0)) return;
    o_.prior->penalty(flux_[size_t(o_.prior->band())], error_[size_t(o_.prior->band())], penalty_);
    for (size_t k = 0; k < chi2_.size(); ++k) posterior_[k] += penalty_[k];
  }
  bool lit(int k) {
    weigh(k);
    nnls_.solve(grid_.flux(k), inverse_.data(), flux_.data());
    return !nnls_.passive().empty();
  }
  /// Of the mixture that was fitted last, the template with most light in the bands.
  int heaviest(int k) const {
    int best = -1;
    double most = 0;
    for (size_t i = 0; i < nnls_.passive().size(); ++i) {
      int t = nnls_.passive()[i];
      double light = 0;
      for (int b = 0; b < grid_.bands(); ++b)
        light += nnls_.value(i) * grid_.flux(k)[size_t(b) * size_t(grid_.templates()) + size_t(t)];
      if (light > most) most = light, best = t;
    }
    return best;
  }
  void read_off(detail::RedshiftPdf const& pdf, RedshiftFit& out) const {
    out.z_a = pdf.peak(pdf.best()), out.chi2 = chi2_[size_t(pdf.best())];
    out.z_l95 = pdf.quantile(0.025), out.z_l68 = pdf.quantile(0.16), out.z_m = pdf.quantile(0.5);
    out.z_u68 = pdf.quantile(0.84), out.z_u95 = pdf.quantile(0.975);
    out.near = pdf.below(1.1 * out.z_a) - pdf.below(0.9 * out.z_a);
  }
  void find_second(detail::RedshiftPdf const& pdf, RedshiftFit& out) const {
    std::vector<detail::RedshiftPdf::Mode> modes = pdf.modes(o_.valley);
    if (modes.size() < 2) return;
    out.z_2 = pdf.peak(modes[1].peak), out.second = modes[1].share / modes[0].share;
    out.chi2_2 = chi2_[size_t(modes[1].peak)];
    out.alias = is_balmer_alias(pdf.peak(modes[0].peak), out.z_2, o_.alias_slack);
  }
  void find_low(RedshiftFit& out) const {
    for (auto const& [from, below] : o_.low_z) {
      if (out.z_a < from) continue;
      auto const end = std::upper_bound(grid_.z().begin(), grid_.z().end(), below) - grid_.z().begin();
      if (end > 0) out.chi2_low = *std::min_element(chi2_.begin(), chi2_.begin() + end);
    }
  }
  /// Both with the errors of the galaxy, and fitted to the same bands.
  void compare_with_dwarfs(int k, RedshiftFit& out) {
    weigh(k);
    for (size_t b = 0; b < inverse_.size(); ++b)
      if (!dwarfs_.has(b)) inverse_[b] = 0;
    out.dwarf = dwarfs_.best(flux_.data(), inverse_.data(), work_);
    out.chi2_beside_dwarf = nnls_.solve(grid_.flux(k), inverse_.data(), flux_.data());
  }

  TemplateGrid const& grid_;
  DwarfModels const& dwarfs_;
  FitOptions o_;
  Nnls nnls_;
  std::vector<double> flux_, inverse_, error_, chi2_, penalty_, posterior_, density_;
  std::vector<float> work_;
};

/// All rows, on all threads. `truth`: true redshifts, or empty. `density`: if given, P(z) of each row on the grid goes
/// there, (rows, redshifts) row-major, zeros where there is no redshift.
/// Cost     some 1 ms a row and core for 300 redshifts, 19 templates, 7 bands.
/// Deterministic  yes, whatever the number of threads.
/// Errors   ShapeError unless the table has as many bands as the grid, of equal length.
inline std::vector<RedshiftFit> fit_redshifts(TemplateGrid const& grid, FluxTable const& table,
                                              DwarfModels const& dwarfs = {}, FitOptions const& o = {},
                                              std::vector<double> const& truth = {},
                                              std::vector<float>* density = nullptr) {
  require<ShapeError>(int(table.flux.size()) == grid.bands() && int(table.error.size()) == grid.bands(),
                      "fit_redshifts: fluxes in ", table.flux.size(), " bands, errors in ", table.error.size(),
                      "; the grid has ", grid.bands());
  for (size_t b = 0; b < table.flux.size(); ++b)
    require<ShapeError>(table.flux[b].size() == table.rows() && table.error[b].size() == table.rows(),
                        "fit_redshifts: band ", b, " has ", table.flux[b].size(), " fluxes and ", table.error[b].size(),
                        " errors; ", table.rows(), " of each are needed");
  require<ShapeError>(truth.empty() || truth.size() == table.rows(), "fit_redshifts: ", truth.size(),
                      " true redshifts for ", table.rows(), " rows");
  std::vector<RedshiftFit> out(table.rows());
  auto redshifts = size_t(grid.redshifts());
  if (density) density->assign(table.rows() * redshifts, 0.0f);
  parallel_chunks(int64_t(table.rows()), 64, [&](int64_t begin, int64_t end) {
    RedshiftFitter fitter(grid, dwarfs, o);
    for (auto i = size_t(begin); i < size_t(end); ++i) {
      out[i] = fitter.fit(table, i, truth.empty() ? not_known : truth[i]);
      if (density && out[i].known())
        std::copy(fitter.density().begin(), fitter.density().end(), density->begin() + std::ptrdiff_t(i * redshifts));
    }
  });
  return out;
}

}  // namespace d16::photoz
