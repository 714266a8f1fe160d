// The spatial basis of equivariant filters: circular harmonics on Gaussian rings, seen from the frame of each element.
#pragma once
#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "group.hpp"

namespace d16 {

/// The rings of a steerable basis: radius in pixels, Gaussian width sigma, highest angular frequency of each.
struct Rings {
  std::vector<double> rings, sigmas;
  std::vector<int> max_freqs;

  bool empty() const { return rings.empty(); }
  /// V: a ring has its Gaussian (m = 0) and a cosine and a sine for each m up to its highest frequency.
  int functions() const {
    int count = 0;
    for (int m : max_freqs) count += 2 * m + 1;
    return count;
  }
  friend bool operator==(Rings const&, Rings const&) = default;
};

/// The rings that escnn takes by default, for any odd kernel: radii 0, 1 .. k/2; sigma .005 at the centre, .4 on the
/// outermost ring, .6 between; frequencies up to 0, up to 2, and up to what ring r can hold, 2r or 2r - 1.
/// k = 1, 3, 5, 7, 9 have V = 1, 6, 11, 18, 31.
inline Rings default_rings(int kernel) {
  require<ValueError>(kernel > 0 && kernel % 2 == 1, "steerable_basis: kernel is ", kernel,
                      "; needs an odd one, whose middle pixel the group can turn about");
  Rings out;
  for (int r = 0, last = kernel / 2; r <= last; ++r) {
    out.rings.push_back(r);
    out.sigmas.push_back(r == 0 ? 0.005 : r == last ? 0.4 : 0.6);
    out.max_freqs.push_back(r == 0 ? 0 : r == last ? 2 : 2 * r - (r + 1) % 2);
  }
  return out;
}

/// values[h,v,i,j] = B_v(h^-1 x) at the pixel x = (j - k/2, k/2 - i), x to the right, y up.
struct SteerableBasis {
  Group group;
  int kernel = 1;
  Rings rings;
  int V = 0;                   ///< functions
  std::vector<double> values;  ///< (G,V,K,K)

  double operator()(int h, int v, int i, int j) const {
    return values[((size_t(h) * V + v) * kernel + i) * kernel + j];
  }
};

namespace detail {
inline void check_basis(Group group, int kernel, Rings const& rings) {
  require<GroupError>(group && group.n > 0, "steerable_basis: group is ", group, " with n = ", group.n,
                      "; needs cyclic(n) or dihedral(n), n > 0");
  require<ValueError>(kernel > 0 && kernel % 2 == 1, "steerable_basis: kernel is ", kernel,
                      "; needs an odd one, whose middle pixel the group can turn about");
  size_t count = rings.rings.size();
  require<ValueError>(rings.sigmas.size() == count && rings.max_freqs.size() == count, "steerable_basis: ", count,
                      " rings, ", rings.sigmas.size(), " sigmas, ", rings.max_freqs.size(),
                      " max_freqs; needs one of each for every ring");
  for (size_t i = 0; i < count; ++i)
    require<ValueError>(rings.rings[i] >= 0 && rings.sigmas[i] > 0 && rings.max_freqs[i] >= 0, "steerable_basis: ring ",
                        i, " has radius ", rings.rings[i], ", sigma ", rings.sigmas[i], ", max_freq ",
                        rings.max_freqs[i], "; needs radius >= 0, sigma > 0, max_freq >= 0");
  constexpr double most = 1 << 24;  // 128 MiB, a hundred times what networks take: a damaged description asks for more
  double values = double(group.order()) * rings.functions() * kernel * kernel;
  require<ValueError>(values <= most, "steerable_basis: ", rings.functions(), " functions on ", kernel, "x", kernel,
                      " pixels for ", group, " are ", values, " values; ", most, " are the most");
}
}  // namespace detail

/// Circular harmonics on Gaussian rings: exp(-(|x|-R)^2 / 2 s^2) times 1, cos m t, sin m t with t the angle of x.
/// Order of v: ring, then m, cosine before sine. Not normalised. Terms with m > 0 are zero at the origin, where they
/// have no angle.
/// Shapes   values (G,V,K,K), K odd; empty rings mean default_rings(kernel).      Units  pixels.
/// Cost     G V K^2 exponentials: below a millisecond up to order 32, k = 9.       Deterministic  yes.
/// Errors   d16::ValueError for an even kernel or rings that do not fit; GroupError without a group.
/// Source   Weiler & Cesa 2019, arXiv:1911.08251; rings and widths as escnn's R2Conv.
inline SteerableBasis steerable_basis(Group group, int kernel, Rings rings = {}) {
  if (rings.empty()) rings = default_rings(kernel);
  detail::check_basis(group, kernel, rings);
  SteerableBasis basis{group, kernel, rings, rings.functions(), {}};
  basis.values.resize(size_t(group.order()) * basis.V * kernel * kernel);
  size_t pixels = size_t(kernel) * kernel;
  for (int h = 0; h < group.order(); ++h) {
    Group::Matrix back = group.matrix(group.inverse(h));
    for (int i = 0; i < kernel; ++i)
      for (int j = 0; j < kernel; ++j) {
        double px = j - kernel / 2, py = kernel / 2 - i;
        double x = back.m[0] * px + back.m[1] * py, y = back.m[2] * px + back.m[3] * py;
        double radius = std::hypot(x, y), angle = std::atan2(y, x);
        bool origin = i == kernel / 2 && j == kernel / 2;
        double* out = &basis.values[size_t(h) * basis.V * pixels + size_t(i) * kernel + j];
        auto put = [&](double value) { *out = value, out += pixels; };
        for (size_t ring = 0; ring < rings.rings.size(); ++ring) {
          double z = (radius - rings.rings[ring]) / rings.sigmas[ring], gauss = std::exp(-0.5 * z * z);
          put(gauss);
          for (int m = 1; m <= rings.max_freqs[ring]; ++m) {
            put(origin ? 0 : gauss * std::cos(m * angle));
            put(origin ? 0 : gauss * std::sin(m * angle));
          }
        }
      }
  }
  return basis;
}

/// The same table, made once for each (group, kernel, rings) and shared by all layers of that kind. Thread-safe.
inline std::shared_ptr<SteerableBasis const> shared_basis(Group group, int kernel, Rings rings = {}) {
  if (rings.empty()) rings = default_rings(kernel);
  static std::mutex mutex;
  static auto& made = *new std::vector<std::shared_ptr<SteerableBasis const>>;  // outlives layers with static storage
  std::lock_guard lock(mutex);
  auto fits = [&](auto const& b) { return b->group == group && b->kernel == kernel && b->rings == rings; };
  auto found = std::find_if(made.begin(), made.end(), fits);
  if (found != made.end()) return *found;
  made.push_back(std::make_shared<SteerableBasis const>(steerable_basis(group, kernel, std::move(rings))));
  return made.back();
}

}  // namespace d16
