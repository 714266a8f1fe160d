// What intergalactic hydrogen takes from the light of a galaxy: the mean optical depth of Inoue et al. (2014).
#pragma once
#include <array>
#include <cmath>
#include <cstddef>

namespace d16::sim {

inline constexpr double lyman_alpha = 1215.67, lyman_limit = 911.8;  ///< Angstrom

namespace detail {

/// Wavelength in Angstrom and the first coefficients of the forest (LAF) and of the damped systems (DLA). The paper's
/// other coefficients follow, because its power laws meet where they change: A2 = A1 2.2^-2.5, A3 = A2 5.7^-1.8 (LAF),
/// A2 = A1 / 3 (DLA).
struct LymanLine {
  double wavelength, forest, damped;
};
/// Source   Inoue et al. 2014, MNRAS 442, 1805, table 2.
inline constexpr LymanLine lyman_series[] = {
    {1215.670, 1.68976e-2, 1.61698e-4}, {1025.720, 4.69229e-3, 1.54539e-4}, {972.537, 2.23898e-3, 1.49767e-4},
    {949.743, 1.31901e-3, 1.46031e-4},  {937.803, 8.70656e-4, 1.42893e-4},  {930.748, 6.17843e-4, 1.40159e-4},
    {926.226, 4.60924e-4, 1.37714e-4},  {923.150, 3.56887e-4, 1.35495e-4},  {920.963, 2.84278e-4, 1.33452e-4},
    {919.352, 2.31771e-4, 1.31561e-4},  {918.129, 1.92348e-4, 1.29785e-4},  {917.181, 1.62155e-4, 1.28117e-4},
    {916.429, 1.38498e-4, 1.26540e-4},  {915.824, 1.19611e-4, 1.25041e-4},  {915.329, 1.04314e-4, 1.23614e-4},
    {914.919, 9.17397e-5, 1.22248e-4},  {914.576, 8.12784e-5, 1.20938e-4},  {914.286, 7.25069e-5, 1.19681e-4},
    {914.039, 6.50549e-5, 1.18469e-4},  {913.826, 5.86816e-5, 1.17298e-4},  {913.641, 5.31918e-5, 1.16167e-4},
    {913.480, 4.84261e-5, 1.15071e-4},  {913.339, 4.42740e-5, 1.14011e-4},  {913.215, 4.06311e-5, 1.12983e-4},
    {913.104, 3.73821e-5, 1.11972e-4},  {913.006, 3.45377e-5, 1.11002e-4},  {912.918, 3.19891e-5, 1.10051e-4},
    {912.839, 2.97110e-5, 1.09125e-4},  {912.768, 2.76635e-5, 1.08220e-4},  {912.703, 2.58178e-5, 1.07337e-4},
    {912.645, 2.41479e-5, 1.06473e-4},  {912.592, 2.26347e-5, 1.05629e-4},  {912.543, 2.12567e-5, 1.04802e-4},
    {912.499, 1.99967e-5, 1.03991e-4},  {912.458, 1.88476e-5, 1.03198e-4},  {912.420, 1.77928e-5, 1.02420e-4},
    {912.385, 1.68222e-5, 1.01657e-4},  {912.353, 1.59286e-5, 1.00908e-4},  {912.324, 1.50996e-5, 1.00168e-4}};
inline constexpr size_t lyman_lines = std::size(lyman_series);

/// Each coefficient over its wavelength to the power that it goes with: then a line costs one multiplication.
struct LymanPowers {
  std::array<std::array<double, 3>, lyman_lines> forest{};
  std::array<std::array<double, 2>, lyman_lines> damped{};
  LymanPowers() {
    double second = std::pow(2.2, -2.5), third = second * std::pow(5.7, -1.8);
    for (size_t j = 0; j < lyman_lines; ++j) {
      auto [x, A, D] = lyman_series[j];
      forest[j] = {A * std::pow(x, -1.2), A * second * std::pow(x, -3.7), A * third * std::pow(x, -5.5)};
      damped[j] = {D * std::pow(x, -2.0), D / 3 * std::pow(x, -3.0)};
    }
  }
};

/// The lines of the series: eq. 21 (forest) and 22 (damped systems).
inline double lyman_series_depth(double wavelength, double z) {
  static LymanPowers const powers;
  double forest[3] = {std::pow(wavelength, 1.2), std::pow(wavelength, 3.7), std::pow(wavelength, 5.5)};
  double damped[2] = {wavelength * wavelength, wavelength * wavelength * wavelength}, depth = 0;
  for (size_t j = 0; j < lyman_lines; ++j) {
    double x = wavelength / lyman_series[j].wavelength;
    if (x <= 1 || x >= 1 + z) continue;
    size_t part = x < 2.2 ? 0 : x < 5.7 ? 1 : 2, damped_part = x < 3 ? 0 : 1;
    depth += powers.forest[j][part] * forest[part] + powers.damped[j][damped_part] * damped[damped_part];
  }
  return depth;
}

/// The continuum of the forest, x = wavelength / 911.8 Angstrom below 1 + z: eq. 25, 26, 27.
inline double forest_continuum_depth(double x, double z) {
  double a = std::pow(x, 1.2), b = std::pow(x, 2.1), c = std::pow(x, 3.7);
  if (z < 1.2) return 0.3248 * (a - std::pow(1 + z, -0.9) * b);
  if (z < 4.7) {
    double far = 2.545e-2 * std::pow(1 + z, 1.6) * b;
    return x < 2.2 ? far + 0.3248 * a - 0.2496 * b : far - 2.545e-2 * c;
  }
  double far = 5.221e-4 * std::pow(1 + z, 3.4) * b;
  if (x < 2.2) return far + 0.3248 * a - 3.140e-2 * b;
  return x < 5.7 ? far + 0.2182 * b - 2.545e-2 * c : far - 5.221e-4 * std::pow(x, 5.5);
}

/// The continuum of the damped systems: eq. 28, 29.
inline double damped_continuum_depth(double x, double z) {
  double fall = std::pow(x, -0.3), square = x * x;
  if (z < 2) return 0.2113 * std::pow(1 + z, 2) - 7.661e-2 * std::pow(1 + z, 2.3) * fall - 0.1347 * square;
  double far = 4.696e-2 * std::pow(1 + z, 3) - 1.779e-2 * std::pow(1 + z, 3.3) * fall;
  return x < 3 ? far + 0.6340 - 0.1347 * square - 0.2905 * fall : far - 2.916e-2 * square * x;
}

}  // namespace detail

/// The mean optical depth at an observed wavelength towards a source at redshift z: Lyman series and Lyman continuum of
/// the forest and of intervening damped systems; 0 redward of Lyman alpha. The damping wing of a neutral surrounding
/// and a damped system of the galaxy itself are not in it.
/// Units    Angstrom.    Cost   8 powers and 39 lines.
/// Source   Inoue et al. 2014, MNRAS 442, 1805, eq. 20 to 29.
inline double igm_optical_depth(double observed_wavelength, double z) {
  if (observed_wavelength >= lyman_alpha * (1 + z)) return 0;
  double depth = detail::lyman_series_depth(observed_wavelength, z), x = observed_wavelength / lyman_limit;
  if (x < 1 + z && x > 1) depth += detail::forest_continuum_depth(x, z) + detail::damped_continuum_depth(x, z);
  return depth < 0 ? 0 : depth;
}

/// exp(-factor * optical depth). The factor is that of one line of sight: the survey draws exp(s n) with a standard
/// normal n, our choice for the scatter that the paper averages over.
inline double igm_transmission(double observed_wavelength, double z, double factor = 1) {
  return std::exp(-factor * igm_optical_depth(observed_wavelength, z));
}

}  // namespace d16::sim
