// How likely a redshift is for a galaxy of some brightness, before its colours are looked at.
#pragma once
#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <vector>

#include "../io/table.hpp"
#include "colours.hpp"
#include "template_grid.hpp"

namespace d16::photoz {

/// p(z | m) = (1 - flat) of a table + flat of the same density everywhere: galaxies that whoever made the table has not
/// seen exist too. Between its magnitudes densities are interpolated, beyond them those of its ends count.
/// Source   the way of Benitez 2000, ApJ 536, 571, and of EAZY (Brammer et al. 2008), whose files it reads.
class MagnitudePrior {
 public:
  static constexpr double flat = 0.01;

  MagnitudePrior() = default;
  /// A column "z" and one for each magnitude, which is its name: densities over z in any unit. `band`: of the grid, whose
  /// fluxes make the magnitudes.
  /// Errors   FileError: no column z, other names than rising numbers, redshifts that do not rise, a density below 0, a
  ///          column without any on the grid.
  MagnitudePrior(io::Table const& table, TemplateGrid const& grid, int band) : band_(band) {
    std::vector<double> const z = table.numbers("z");
    for (size_t i = 1; i < z.size(); ++i)
      require<FileError>(z[i] > z[i - 1], table.source(), " ", table.where(int64_t(i)), ": z is ", z[i],
                         "; redshifts that rise are needed");
    for (io::Column const& column : table.columns()) {
      if (column.name == "z") continue;
      magnitudes_.push_back(magnitude(table, column.name));
      size_t const n = magnitudes_.size();
      require<FileError>(n < 2 || magnitudes_[n - 1] > magnitudes_[n - 2], table.source(), ": column \"", column.name,
                         "\"; magnitudes that rise are needed");
      add(table, column.name, z, grid);
    }
    require<FileError>(!magnitudes_.empty(), table.source(), ": no column but z; one for each magnitude is needed");
  }

  bool empty() const { return magnitudes_.empty(); }
  int band() const { return band_; }

  /// -2 ln p(z | m) on the grid, for the flux of the band in nJy; of fluxes below their error those of the error.
  void penalty(double flux, double error, std::vector<double>& out) const {
    double const m = -2.5 * std::log10(std::max(flux, error) / ab_zero);
    size_t const n = magnitudes_.size();
    size_t const after = size_t(std::upper_bound(magnitudes_.begin(), magnitudes_.end(), m) - magnitudes_.begin());
    size_t const low = after == 0 ? 0 : after - 1, high = std::min(after, n - 1);
    double const t = high > low ? (m - magnitudes_[low]) / (magnitudes_[high] - magnitudes_[low]) : 0;
    out.resize(density_[0].size());
    for (size_t k = 0; k < out.size(); ++k) out[k] = -2 * std::log((1 - t) * density_[low][k] + t * density_[high][k]);
  }

 private:
  static double magnitude(io::Table const& table, std::string const& name) {
    double value = 0;
    auto const [end, error] = std::from_chars(name.data(), name.data() + name.size(), value);
    require<FileError>(error == std::errc() && end == name.data() + name.size(), table.source(), ": column \"", name,
                       "\"; a magnitude is its name, beside z");
    return value;
  }
  /// A column on the grid: its density and the flat one, each with a sum of 1.
  void add(io::Table const& table, std::string const& name, std::vector<double> const& z, TemplateGrid const& grid) {
    std::vector<double> const p = table.numbers(name);
    for (size_t i = 0; i < p.size(); ++i)
      require<FileError>(p[i] >= 0 && std::isfinite(p[i]), table.source(), " ", table.where(int64_t(i)), ": ", name,
                         " is ", p[i], "; a density from 0 up is needed");
    std::vector<double> out;
    double sum = 0, range = 0;
    for (int k = 0; k < grid.redshifts(); ++k) {
      out.push_back(value_at(z, p, grid.z()[size_t(k)]));
      sum += out.back() * grid.width(k), range += grid.width(k);
    }
    require<FileError>(sum > 0, table.source(), ": column \"", name, "\" is 0 from z = ", grid.z().front(), " to ",
                       grid.z().back());
    for (double& value : out) value = (1 - flat) * value / sum + flat / range;
    density_.push_back(std::move(out));
  }
  static double value_at(std::vector<double> const& z, std::vector<double> const& p, double at) {
    if (at < z.front() || at > z.back()) return 0;
    size_t const i = std::max<size_t>(1, size_t(std::lower_bound(z.begin(), z.end(), at) - z.begin()));
    if (i == z.size()) return p.back();
    double const t = (at - z[i - 1]) / (z[i] - z[i - 1]);
    return (1 - t) * p[i - 1] + t * p[i];
  }

  int band_ = -1;
  std::vector<double> magnitudes_;
  std::vector<std::vector<double>> density_;  ///< [magnitude][redshift of the grid]
};

}  // namespace d16::photoz
