// Cyclic and dihedral groups: elements as indices, product, inverse, and how an element acts on the plane.
#pragma once
#include <cmath>
#include <string>

namespace d16 {

/// A finite group of rotations, with or without reflections; also the tag that group features carry.
///   cyclic(n)    C_n: n rotations by 2 pi / n.                     Order n.
///   dihedral(n)  D_n: the same and their products with a mirror.   Order 2 n.
/// An element is its index on axis G: index = flip * n + k acts on the plane (x right, y up) as
/// R(2 pi k / n) F^flip, where R turns counter-clockwise and F maps x to -x (the order of escnn).
/// Group{} is no group at all: plain image features.
struct Group {
  enum class Kind { none, cyclic, dihedral };
  Kind kind = Kind::none;
  int n = 1;

  constexpr int order() const { return kind == Kind::dihedral ? 2 * n : n; }
  constexpr bool mirrored() const { return kind == Kind::dihedral; }
  constexpr explicit operator bool() const { return kind != Kind::none; }
  friend constexpr bool operator==(Group const&, Group const&) = default;

  constexpr int rotation(int element) const { return element % n; }
  constexpr int flip(int element) const { return element / n; }
  constexpr int element(int rotation, int flip) const { return flip * n + ((rotation % n) + n) % n; }

  /// The element that acts as b first, then a. F R(t) = R(-t) F, so a flip in a turns b the other way.
  constexpr int product(int a, int b) const {
    int turn = flip(a) ? -rotation(b) : rotation(b);
    return element(rotation(a) + turn, flip(a) ^ flip(b));
  }
  constexpr int inverse(int a) const { return flip(a) ? a : element(-rotation(a), 0); }

  /// The 2x2 matrix of an element, rows first: (x, y) -> (m[0] x + m[1] y, m[2] x + m[3] y).
  struct Matrix {
    double m[4];
  };
  Matrix matrix(int element) const {
    double angle = 2 * 3.14159265358979323846 * rotation(element) / n, c = std::cos(angle), s = std::sin(angle);
    if (4 * rotation(element) % n == 0) {  // a multiple of 90 degrees: a symmetry of the pixel grid, without rounding
      c = std::round(c);
      s = std::round(s);
    }
    double mirror = flip(element) ? -1 : 1;
    return {{mirror * c, -s, mirror * s, c}};
  }

  /// "cyclic(8)", "dihedral(8)", "none".
  std::string text() const {
    if (kind == Kind::none) return "none";
    return (kind == Kind::cyclic ? "cyclic(" : "dihedral(") + std::to_string(n) + ")";
  }
};

constexpr Group cyclic(int n) { return {Group::Kind::cyclic, n}; }
constexpr Group dihedral(int n) { return {Group::Kind::dihedral, n}; }

/// The group this project is named after: eight rotations and eight reflections, order 16.
/// Others call the dihedral group of order 32 "D16": that one is dihedral(16).
inline constexpr Group D16 = dihedral(8);

}  // namespace d16
