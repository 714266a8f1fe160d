// Fluxes of one object against tables of models of one free size each: brown dwarfs, stars, whatever has no redshift.
#pragma once
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "../io/table.hpp"

namespace d16::photoz {

/// Model photometry, a row each; bands that the table does not have are not compared.
class DwarfModels {
 public:
  struct Match {
    int model = -1;  ///< -1: no band in common, or no model with positive size
    double chi2 = std::numeric_limits<double>::quiet_NaN();
    int bands = 0;  ///< compared
  };

  DwarfModels() = default;
  /// Columns named by the bands (whatever the case): fluxes per frequency in one unit for a row, any unit. "library" and
  /// "teff_K" name a model where they are there.
  /// Errors   FileError: none of the bands, no rows, a flux that is not positive.
  DwarfModels(io::Table const& table, std::vector<std::string> const& bands) {
    rows_ = table.rows();
    require<FileError>(rows_ > 0, table.source(), ": has no rows; one for each model is needed");
    std::vector<double> brightest(size_t(rows_), 0.0);
    for (std::string const& band : bands) {
      std::vector<float> column;
      std::string name = name_in(table, band);
      if (!name.empty())
        for (double f : table.numbers(name)) {
          require<FileError>(f > 0 && std::isfinite(f), table.source(), " ", table.where(int64_t(column.size())), ": ",
                             name, " is ", f, "; a positive flux is needed");
          brightest[column.size()] = std::max(brightest[column.size()], f);
          column.push_back(float(f));
        }
      flux_.push_back(std::move(column));
    }
    bool any = std::any_of(flux_.begin(), flux_.end(), [](auto const& column) { return !column.empty(); });
    require<FileError>(any, table.source(), ": no column for any of the ", bands.size(), " bands; it has ",
                       table.names());
    for (auto& column : flux_)
      for (size_t i = 0; i < column.size(); ++i) column[i] /= float(brightest[i]);
    library_ = table.has("library") ? table.strings("library") : std::vector<std::string>(size_t(rows_));
    teff_ = table.has("teff_K") ? table.numbers("teff_K") : std::vector<double>(size_t(rows_), NAN);
  }

  bool empty() const { return rows_ == 0; }
  bool has(size_t band) const { return !flux_[band].empty(); }
  int64_t size() const { return rows_; }
  std::string const& library(int model) const { return library_[size_t(model)]; }
  double teff(int model) const { return teff_[size_t(model)]; }

  /// The model with the least sum_b v_b (f_b - c m_b)^2, c >= 0. v (bands) is 0 where a band is missing.
  /// Cost     4 operations a model and band.       Deterministic  yes.
  Match best(double const* flux, double const* v, std::vector<float>& work) const {
    Match out;
    auto n = size_t(rows_);
    work.assign(2 * n, 0.0f);
    float *cross = work.data(), *square = cross + n;
    for (size_t b = 0; b < flux_.size(); ++b) {
      if (flux_[b].empty() || v[b] == 0) continue;
      ++out.bands;
      auto w = float(v[b]), wf = float(v[b] * flux[b]);
      float const* m = flux_[b].data();
      for (size_t i = 0; i < n; ++i) cross[i] += wf * m[i], square[i] += w * m[i] * m[i];
    }
    float most = 0;  // of what a model takes off the sum
    for (size_t i = 0; i < n; ++i) {
      float gain = cross[i] > 0 ? cross[i] * cross[i] / square[i] : 0.0f;
      if (gain > most) most = gain, out.model = int(i);
    }
    if (out.model < 0) return out;
    double c = double(cross[out.model]) / double(square[out.model]), chi2 = 0;  // in double: no cancellation
    for (size_t b = 0; b < flux_.size(); ++b)
      if (!flux_[b].empty() && v[b] != 0) {
        double r = flux[b] - c * double(flux_[b][size_t(out.model)]);
        chi2 += v[b] * r * r;
      }
    out.chi2 = chi2;
    return out;
  }

 private:
  static std::string name_in(io::Table const& table, std::string const& band) {
    auto same = [](char a, char b) {
      return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
    };
    for (io::Column const& column : table.columns())
      if (std::equal(column.name.begin(), column.name.end(), band.begin(), band.end(), same)) return column.name;
    return {};
  }

  int64_t rows_ = 0;
  std::vector<std::vector<float>> flux_;  // [band][model], the brightest band 1; empty: not in the table
  std::vector<std::string> library_;
  std::vector<double> teff_;
};

}  // namespace d16::photoz
