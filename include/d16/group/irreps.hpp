// The irreducible representations of cyclic and dihedral groups as small real matrices, and the regular representation.
#pragma once
#include <vector>

#include "../core/error.hpp"
#include "group.hpp"

namespace d16 {

/// A d x d matrix, d = 1 or 2, rows first. With d = 1 all but m[0][0] is zero: products and transposes of 2 x 2
/// matrices are then right for both.
struct IrrepMatrix {
  double m[2][2] = {};

  friend IrrepMatrix operator*(IrrepMatrix const& a, IrrepMatrix const& b) {
    IrrepMatrix out;
    for (int i = 0; i < 2; ++i)
      for (int j = 0; j < 2; ++j) out.m[i][j] = a.m[i][0] * b.m[0][j] + a.m[i][1] * b.m[1][j];
    return out;
  }
  IrrepMatrix transposed() const { return {{{m[0][0], m[1][0]}, {m[0][1], m[1][1]}}}; }
};

/// An irreducible representation over the real numbers: rho(a b) = rho(a) rho(b), and no direction that all rho(a) keep
/// within itself. The element (rotation r, flip) becomes
///   d = 1   cos(2 pi k r / n) sign^flip       k = 0, and k = n/2 for even n, where the cosine is (-1)^r;
///   d = 2   R(2 pi k r / n) D^flip            0 < k < n/2; R turns counter-clockwise, D = diag(1,-1).
/// For dihedral(n), d = 2 is of real type: only multiples of 1 commute with all its matrices. For cyclic(n) it is of
/// complex type: it is the complex number e^(2 pi i k r / n) as a 2 x 2 matrix [a -b; b a]; over the complex numbers it
/// would fall apart into k and -k. Any sum of its matrices is such a number too, so its first column says everything.
struct Irrep {
  Group group;
  int k = 0, d = 1, sign = 1;
  int first = 0;  ///< where its coefficients begin among the |G| Fourier coefficients

  constexpr bool complex_type() const { return d == 2 && !group.mirrored(); }
  /// Columns of a block that are kept, and the coefficients in them. They add up to |G| over all irreps.
  constexpr int columns() const { return complex_type() ? 1 : d; }
  constexpr int coefficients() const { return d * columns(); }
  /// Multiply-adds of one product of two blocks: d^3, of complex type 4.
  constexpr int products() const { return d * coefficients(); }

  /// rho(element); without rounding for quarter turns.
  IrrepMatrix matrix(int element) const {
    Group::Matrix turn = cyclic(group.n).matrix(k * group.rotation(element) % group.n);
    bool mirrored = group.flip(element) != 0;
    if (d == 1) return {{{mirrored ? sign * turn.m[0] : turn.m[0], 0}, {0, 0}}};
    double mirror = mirrored ? -1 : 1;
    return {{{turn.m[0], mirror * turn.m[1]}, {turn.m[2], mirror * turn.m[3]}}};
  }

  /// Its block within all |G| coefficients, and back: row-major, of complex type the first column only.
  IrrepMatrix block(double const* all) const {
    double const* c = all + first;
    if (d == 1) return {{{c[0], 0}, {0, 0}}};
    if (complex_type()) return {{{c[0], -c[1]}, {c[1], c[0]}}};
    return {{{c[0], c[1]}, {c[2], c[3]}}};
  }
  void set_block(double* all, IrrepMatrix const& block) const {
    for (int i = 0; i < 2; ++i)
      for (int j = 0; j < 2; ++j)
        if (i < d && j < columns()) all[first + i * columns() + j] = block.m[i][j];
  }
};

/// All of them, in the order in which Fourier coefficients lie in memory:
///   dihedral(n)   k = 0: sign +, -;   for even n k = n/2: +, -;   then k = 1, 2 ..: blocks 00 01 10 11
///   cyclic(n)     k = 0;              for even n k = n/2;         then k = 1, 2 ..: cosine part, sine part
/// dihedral(8): four of d = 1 and three of d = 2, 4 + 3 * 4 = 16 coefficients.
/// Errors   d16::GroupError without a group.
/// Source   Serre 1977, Linear Representations of Finite Groups, chapter 5; real types in chapter 13.
inline std::vector<Irrep> irreps(Group group) {
  require<GroupError>(group && group.n > 0, "irreps: group is ", group, "; needs cyclic(n) or dihedral(n), n > 0");
  std::vector<Irrep> out;
  int first = 0;
  auto add = [&](int k, int d, int sign) {
    out.push_back({group, k, d, sign, first});
    first += out.back().coefficients();
  };
  auto add_signs = [&](int k) {
    add(k, 1, 1);
    if (group.mirrored()) add(k, 1, -1);
  };
  add_signs(0);
  if (group.n % 2 == 0) add_signs(group.n / 2);
  for (int k = 1; 2 * k < group.n; ++k) add(k, 2, 1);
  return out;
}

/// How an element a moves functions on the group: (a f)[h] = f[a^-1 h], as a G x G matrix, rows first. All irreps are
/// in it, of real type d times, of complex type once: the Fourier transform is the change of basis that shows them.
inline std::vector<double> regular_representation(Group group, int a) {
  int G = group.order();
  std::vector<double> out(size_t(G) * G, 0.0);
  for (int h = 0; h < G; ++h) out[size_t(group.product(a, h)) * G + h] = 1;
  return out;
}

}  // namespace d16
