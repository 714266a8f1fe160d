// Distances in a flat universe of matter and a cosmological constant.
#pragma once
#include <cmath>

#include "../core/error.hpp"

namespace d16::sim {

/// Flat, without radiation: E(z)^2 = matter (1 + z)^3 + 1 - matter.     Units  distances in Mpc.
/// Source   Hogg 1999, astro-ph/9905116, equations 14 to 21.
struct Cosmology {
  double hubble = 70;   ///< H0, km/s/Mpc
  double matter = 0.3;  ///< Omega_m

  /// c / H0 times the integral of 1 / E from 0 to z, by Simpson's rule on 256 steps of ln(1 + z): right to 1e-9.
  /// Errors   ValueError unless 0 <= z <= 1000, H0 > 0 and 0 <= Omega_m <= 1.
  double comoving(double z) const {
    require<ValueError>(z >= 0 && z <= 1000 && hubble > 0 && matter >= 0 && matter <= 1, "Cosmology: z is ", z, ", H0 ",
                        hubble, ", Omega_m ", matter, "; 0 <= z <= 1000, H0 > 0 and 0 <= Omega_m <= 1 are needed");
    constexpr int steps = 256;
    double end = std::log1p(z), sum = 0;
    for (int k = 0; k <= steps; ++k) {
      double a = std::exp(end * k / steps), weight = k == 0 || k == steps ? 1 : k % 2 ? 4 : 2;
      sum += weight * a / std::sqrt(matter * a * a * a + 1 - matter);
    }
    constexpr double light = 299792.458;  // km/s
    return light / hubble * sum * end / (3 * steps);
  }
  double angular(double z) const { return comoving(z) / (1 + z); }
  double luminosity(double z) const { return comoving(z) * (1 + z); }
};

}  // namespace d16::sim
