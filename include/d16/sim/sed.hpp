// Spectra of galaxies to fluxes in bands: mixtures of templates, dust, redshift, intergalactic absorption.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "filters.hpp"
#include "igm.hpp"

namespace d16::sim {

/// A_lambda / A_V of star-forming galaxies, R_V = 4.05. Below 1200 Angstrom the ultraviolet formula goes on, beyond 2.2
/// micron the infrared one, until it reaches 0.
/// Source   Calzetti et al. 2000, ApJ 533, 682, eq. 4.
inline double calzetti(double rest_wavelength) {
  double u = 1e4 / rest_wavelength;  // 1 / micron
  double k =
      u < 1 / 0.63 ? 2.659 * (-1.857 + 1.040 * u) : 2.659 * (-2.156 + 1.509 * u - 0.198 * u * u + 0.011 * u * u * u);
  return std::max(0.0, (k + 4.05) / 4.05);
}

/// Spectra that belong together: "fsps", "jades" ...
struct TemplateSet {
  std::string name = {};
  std::vector<Curve> templates = {};  ///< rest wavelength, F_lambda in any unit
};

namespace detail {

/// Means of a curve over the cells of a logarithmic grid of wavelengths, whose neighbours are a factor exp(step) apart:
/// a narrow emission line keeps its flux.
inline std::vector<double> cell_means(Curve const& c, std::span<double const> wavelengths, double step) {
  std::vector<double> total(1, 0.0);
  for (size_t i = 1; i < c.wavelength.size(); ++i)
    total.push_back(total.back() + (c.wavelength[i] - c.wavelength[i - 1]) * (c.value[i] + c.value[i - 1]) / 2);
  auto up_to = [&](double x) {
    if (x <= c.wavelength.front()) return 0.0;
    if (x >= c.wavelength.back()) return total.back();
    size_t i = size_t(std::upper_bound(c.wavelength.begin(), c.wavelength.end(), x) - c.wavelength.begin()) - 1;
    return total[i] + (x - c.wavelength[i]) * (c.value[i] + value_at(c, x)) / 2;
  };
  std::vector<double> out;
  for (double x : wavelengths) {
    double low = x * std::exp(-step / 2), high = x * std::exp(step / 2);
    out.push_back((up_to(high) - up_to(low)) / (high - low));
  }
  return out;
}

}  // namespace detail

/// The spectrum of one galaxy: up to three templates with weights (shares of the light at 5500 Angstrom), seen through
/// dust and hydrogen.
struct Mixture {
  std::array<int, 3> member{};     ///< which templates of the Templates
  std::array<double, 3> weight{};  ///< not negative; 0: not used
  double z = 0;
  double a_v = 0;         ///< dust, magnitudes at 5500 Angstrom
  double igm_factor = 1;  ///< of the mean optical depth, on this line of sight
};

/// Templates on one logarithmic grid of wavelengths, where a redshift is a shift, and the filters on the same grid.
class Templates {
 public:
  static constexpr double first = 350, step = 0.002;  // Angstrom; of the logarithm: 600 km/s
  static constexpr int points = 2540;                 // to 5.6 micron

  /// Errors   ValueError for no template, another number of filters than bands, or a template without light at 5500
  /// Angstrom.
  Templates(std::vector<Curve> const& filters, std::vector<TemplateSet> const& sets) {
    require<ValueError>(filters.size() == size_t(survey_band_count), "Templates: ", filters.size(), " filters; ",
                        survey_band_count, " are needed");
    for (int k = 0; k < points; ++k) wavelength_[size_t(k)] = first * std::exp(step * k);
    for (int k = 0; k < points; ++k) dust_.push_back(calzetti(wavelength_[size_t(k)]) * std::log(10.0) / 2.5);
    for (size_t b = 0; b < filters.size(); ++b) add_filter(b, filters[b]);
    for (TemplateSet const& set : sets) {
      int begin = int(spectra_.size());
      for (Curve const& curve : set.templates) add_template(curve);
      sets_.push_back({set.name, {begin, int(spectra_.size())}});
    }
    require<ValueError>(!spectra_.empty(), "Templates: there is no template; one or more are needed");
  }

  using Range = std::pair<int, int>;
  /// The members of a set, from the first to before the last. Errors   ValueError for an unknown name.
  Range range(std::string const& set) const {
    std::string names;
    for (auto const& [name, members] : sets_) {
      if (name == set) return members;
      names += (names.empty() ? "" : ", ") + name;
    }
    throw ValueError(text("Templates: no set \"", set, "\"; there are ", names));
  }
  int size() const { return int(spectra_.size()); }
  std::string const& name(int member) const { return spectra_[size_t(member)].name; }
  /// f_nu at 4150 over f_nu at 3550 Angstrom, 100 Angstrom wide: 1 for young stars, more for old ones.
  double balmer_break(int member) const { return spectra_[size_t(member)].balmer_break; }

  /// Fluxes per frequency in all bands, up to one factor that all bands share (the distance is left out).
  /// Cost     about 1000 points, some 50 microseconds at high redshift.
  /// Errors   ValueError for a redshift outside of [0, 25].
  Fluxes fluxes(Mixture const& m) const {
    require<ValueError>(m.z >= 0 && m.z <= 25, "Templates: z is ", m.z, "; 0 to 25 is needed");
    double shift = std::log1p(m.z) / step;
    int whole = int(shift);
    float part = float(shift - whole);
    Fluxes out{};
    for (int k = lowest_; k < highest_; ++k) {
      int rest = k - whole;
      if (rest < 1 || rest >= points) continue;
      double light = rest_light(m, rest, part);
      if (light == 0) continue;
      double x = wavelength_[size_t(k)];
      light *= std::exp(-m.a_v * dust_[size_t(rest)]);
      if (x < lyman_alpha * (1 + m.z)) light *= igm_transmission(x, m.z, m.igm_factor);
      for (size_t b = 0; b < out.size(); ++b)
        if (k >= range_[b].first && k < range_[b].second) out[b] += light * weight_[b][size_t(k - range_[b].first)];
    }
    return out;
  }

  /// f_nu of the observed spectrum on the grid, in the units of fluxes(): for plots.
  Curve spectrum(Mixture const& m) const {
    double shift = std::log1p(m.z) / step;
    int whole = int(shift);
    Curve out{"f_nu", {}, {}};
    for (int k = std::max(lowest_, whole + 1); k < std::min(highest_, points + whole); ++k) {
      double x = wavelength_[size_t(k)], light = rest_light(m, k - whole, float(shift - whole));
      light *= std::exp(-m.a_v * dust_[size_t(k - whole)]) * igm_transmission(x, m.z, m.igm_factor) * x * x;
      out.wavelength.push_back(x), out.value.push_back(light);
    }
    return out;
  }

 private:
  struct OnGrid {
    std::string name;
    double balmer_break = 1;
    std::vector<float> light;  ///< F_lambda at each point, mean over the cell around it, f_nu = 1 at 5500 Angstrom
  };

  double rest_light(Mixture const& m, int rest, float part) const {
    double light = 0;
    for (size_t i = 0; i < m.member.size(); ++i) {
      if (m.weight[i] == 0) continue;
      float const* f = spectra_[size_t(m.member[i])].light.data() + rest;
      light += m.weight[i] * double(f[0] + part * (f[-1] - f[0]));
    }
    return light;
  }

  void add_filter(size_t b, Curve const& filter) {
    std::vector<double> throughput = detail::cell_means(filter, wavelength_, step);
    double most = *std::max_element(throughput.begin(), throughput.end()), sum = 0;
    int begin = points, end = 0;
    for (int k = 0; k < points; ++k) {
      if (throughput[size_t(k)] < 1e-4 * most) continue;  // what leaks below that is not worth its time
      begin = std::min(begin, k), end = k + 1;
      sum += throughput[size_t(k)];
    }
    require<ValueError>(begin < end, "Templates: filter ", filter.name, " lies outside of ", first, " to ",
                        wavelength_.back(), " Angstrom");
    for (int k = begin; k < end; ++k)
      weight_[b].push_back(throughput[size_t(k)] * wavelength_[size_t(k)] * wavelength_[size_t(k)] / sum);
    range_[b] = {begin, end};
    lowest_ = std::min(lowest_, begin), highest_ = std::max(highest_, end);
  }

  void add_template(Curve const& curve) {
    std::vector<double> mean = detail::cell_means(curve, wavelength_, step);
    auto f_nu = [&](double centre, double width) {
      double sum = 0;
      int count = 0;
      for (size_t k = 0; k < mean.size(); ++k)
        if (std::abs(wavelength_[k] - centre) <= width / 2) sum += mean[k] * wavelength_[k] * wavelength_[k], ++count;
      return sum / std::max(1, count);
    };
    double unit = f_nu(5500, 500), blue = f_nu(3550, 100);
    require<ValueError>(unit > 0, "Templates: \"", curve.name, "\" has no light at 5500 Angstrom; leave it out");
    OnGrid out{curve.name, blue > 0 ? f_nu(4150, 100) / blue : 1e9, {}};
    for (double value : mean) out.light.push_back(float(std::max(0.0, value / unit)));
    spectra_.push_back(std::move(out));
  }

  std::array<double, size_t(points)> wavelength_{};
  std::vector<double> dust_;
  std::vector<OnGrid> spectra_;
  std::vector<std::pair<std::string, Range>> sets_;
  std::array<std::vector<double>, size_t(survey_band_count)> weight_;
  std::array<Range, size_t(survey_band_count)> range_;
  int lowest_ = points, highest_ = 0;
};

}  // namespace d16::sim
