// How a group acts on images and features: pixels turn, elements of the group are exchanged. Exact where the pixel grid
// has the symmetry, interpolated for all other angles.
#pragma once
#include <array>
#include <cmath>
#include <vector>

#include "../autograd/tape.hpp"
#include "../core/dispatch.hpp"
#include "../kernels/cpu/group_action.hpp"
#include "../kernels/reference/group_action.hpp"
#include "linear.hpp"
#include "views.hpp"

namespace d16 {

/// A motion of the plane about the middle of an image, in this order: a mirror (x to -x), a counter-clockwise turn.
struct Turn {
  double degrees = 0;
  bool mirror = false;
};

/// What an element of a group does to the plane.
inline Turn turn_of(Group group, int element) {
  return {360.0 * group.rotation(element) / group.n, group.flip(element) == 1};
}

/// Whether an element maps the pixel grid to itself: quarter turns and their products with the mirror do.
constexpr bool keeps_grid(Group group, int element) { return 4 * group.rotation(element) % group.n == 0; }

template <class T> constinit Slot<kernels::GroupAction<T>> group_action_slot{
    "group_action", {kernels::cpu::group_action<T>}, {kernels::reference::group_action<T>}, {}, {}};
template <class T> constinit Slot<kernels::GroupAction<T>> group_action_dx_slot{
    "group_action_dx", {kernels::cpu::group_action_dx<T>}, {kernels::reference::group_action_dx<T>}, {}, {}};

namespace detail {

/// Where every pixel of the result comes from, and every element of the group.
struct GroupAction {
  int taps = 1;
  std::vector<int64_t> source;
  std::vector<double> weight;
  std::vector<int64_t> element;  ///< empty: they stay
};

/// Its tables in the memory of a device.
struct PlacedAction {
  int taps;
  Tensor source, weight, element, readers, first_reader;

  PlacedAction(GroupAction const& action, Device device) : taps(action.taps) {
    auto const taps_in_all = int64_t(action.source.size()), pixels = taps_in_all / taps;
    std::vector<int64_t> first(size_t(pixels) + 1, 0), order(action.source.size());
    for (int64_t s : action.source) ++first[size_t(s) + 1];
    for (size_t s = 0; s < size_t(pixels); ++s) first[s + 1] += first[s];
    std::vector<int64_t> next(first.begin(), first.end() - 1);
    for (int64_t tap = 0; tap < taps_in_all; ++tap) order[size_t(next[size_t(action.source[size_t(tap)])]++)] = tap;
    source = from(action.source, {taps_in_all}, {.device = device});
    weight = from(action.weight, {taps_in_all}, {.device = device});
    readers = from(order, {taps_in_all}, {.device = device});
    first_reader = from(first, {pixels + 1}, {.device = device});
    if (!action.element.empty()) element = from(action.element, {int64_t(action.element.size())}, {.device = device});
  }
  template <class T> kernels::GroupAction<T> args(Shape const& x) const {
    kernels::GroupAction<T> a{.N = x[axis::N], .P = x[axis::H] * x[axis::W], .C = x[axis::C]};
    a.G = x.rank() == 5 ? int(x[axis::G]) : 1, a.taps = taps;
    a.source = source.data<int64_t>(), a.weight = weight.data<double>(), a.element = element.data<int64_t>();
    a.readers = readers.data<int64_t>(), a.first_reader = first_reader.data<int64_t>();
    return a;
  }
};

inline Tensor moved(char const* op, Tensor x, GroupAction const& action) {
  x = x.contiguous();
  Tensor y = empty_like(x);
  PlacedAction const placed(action, x.device());
  for_float(x.dtype(), [&]<class T>(T) {
    auto a = placed.args<T>(x.shape());
    a.x = x.data<T>(), a.y = y.data<T>();
    run(group_action_slot<T>, x.device(), a);
  });
  return record(op, y, wrt(x, [placed, s = x.shape(), like = x.like()](Tensor dy) {
                  dy = dy.contiguous();
                  Tensor dx = empty(s, like);
                  for_float(like.dtype, [&]<class T>(T) {
                    auto a = placed.args<T>(s);
                    a.dy = dy.data<T>(), a.dx = dx.data<T>();
                    run(group_action_dx_slot<T>, like.device, a);
                  });
                  return dx;
                }));
}

inline void check_action(char const* op, Tensor const& x) {
  require<ShapeError>(x.rank() == 4 || x.rank() == 5, op, ": x is ", x.shape(),
                      "; it needs an image (N,H,W,C) or group features (N,H,W,C,G)");
  require<GroupError>(x.rank() == 4 || (x.group() && x.group().order() == x.dim(axis::G)), op, ": x is ", x.shape(),
                      " with the tag ", x.group(), "; features need the tag of their group, see with_group()");
}

/// Pixel p reads pixel s^-1 p, element g reads s^-1 g: (s x)[s p, s g] = x[p, g].
inline GroupAction grid_action(Group group, int s, Shape const& x) {
  GroupAction out;
  Group::Matrix m = group.matrix(group.inverse(s));
  int64_t H = x[axis::H], W = x[axis::W];
  for (int64_t i = 0; i < H; ++i)
    for (int64_t j = 0; j < W; ++j) {
      double px = double(2 * j - (W - 1)), py = double(H - 1 - 2 * i);  // twice the place: whole at even sizes too
      auto column = (int64_t(m.m[0] * px + m.m[1] * py) + W - 1) / 2;
      auto row = (H - 1 - int64_t(m.m[2] * px + m.m[3] * py)) / 2;
      out.source.push_back(row * W + column);
    }
  out.weight.assign(out.source.size(), 1.0);
  for (int g = 0; x.rank() == 5 && g < group.order(); ++g) out.element.push_back(group.product(group.inverse(s), g));
  return out;
}

/// Weights of the pixels -1, 0, 1, 2 for a place t in [0, 1) between 0 and 1: cubic convolution, exact for parabolas.
/// Source   Keys 1981, doi:10.1109/TASSP.1981.1163711 (a = -1/2).
inline std::array<double, 4> cubic_weights(double t) {
  return {t * (-0.5 + t * (1 - 0.5 * t)), 1 + t * t * (-2.5 + 1.5 * t), t * (0.5 + t * (2 - 1.5 * t)),
          t * t * (-0.5 + 0.5 * t)};
}

/// Sixteen taps for each pixel; those outside of the image weigh nothing.
inline GroupAction cubic_rotation(double radians, Shape const& x) {
  GroupAction out;
  out.taps = 16;
  int64_t H = x[axis::H], W = x[axis::W];
  double c = std::cos(radians), s = std::sin(radians), middle_x = double(W - 1) / 2, middle_y = double(H - 1) / 2;
  for (int64_t p = 0; p < H * W; ++p) {
    double px = double(p % W) - middle_x, py = middle_y - double(p / W);
    double column = middle_x + c * px + s * py, row = middle_y + s * px - c * py;
    auto left = int64_t(std::floor(column)), top = int64_t(std::floor(row));
    std::array<double, 4> wx = cubic_weights(column - double(left)), wy = cubic_weights(row - double(top));
    for (int64_t i = 0; i < 4; ++i)
      for (int64_t j = 0; j < 4; ++j) {
        int64_t r = top + i - 1, q = left + j - 1;
        bool inside = r >= 0 && r < H && q >= 0 && q < W;
        out.source.push_back(inside ? r * W + q : p);
        out.weight.push_back(inside ? wy[size_t(i)] * wx[size_t(j)] : 0);
      }
  }
  return out;
}

/// The matrix (G,G) that turns the axis G by any angle: a shift of both halves by degrees / (360 / n) places, between
/// whole places by the trigonometric polynomial through the n values.
inline std::vector<double> element_rotation(Group group, double degrees) {
  int n = group.n, G = group.order();
  double shift = degrees * n / 360, tau = 2 * 3.14159265358979323846;
  std::vector<double> out(size_t(G) * size_t(G), 0.0);
  for (int to = 0; to < G; ++to)
    for (int from = 0; from < G; ++from) {
      if (group.flip(to) != group.flip(from)) continue;
      double place = group.rotation(to) - group.rotation(from) - shift, sum = 1;
      for (int m = 1; 2 * m < n; ++m) sum += 2 * std::cos(tau * m * place / n);
      if (n % 2 == 0) sum += std::cos(tau * place / 2);
      out[size_t(to) * size_t(G) + size_t(from)] = sum / n;
    }
  return out;
}

}  // namespace detail

/// The action of a symmetry of the pixel grid, exact: y[s p, c, s g] = x[p, c, g] with p the place of a pixel from the
/// middle of the image. An image has no g; features transform by the regular representation.
/// Shapes   x, y (N,H,W,C), or (N,H,W,C,G) tagged with the group; H = W for odd quarter turns.
/// Cost     8 bytes per value.      Deterministic  yes.      Aliasing  none.      Gradient  the inverse action.
/// Errors   ShapeError; GroupError for features of another group; ValueError for an element between the quarter turns:
///          see turn().
inline Tensor act(Group group, int element, Tensor x) {
  detail::check_action("act", x);
  require<GroupError>(x.rank() == 4 || x.group() == group, "act: x holds ", x.group(), " features, the element is of ",
                      group);
  require<ValueError>(group && element >= 0 && element < group.order(), "act: element ", element, " of ", group,
                      "; 0 to ", group.order() - 1, " of a cyclic or dihedral group is needed");
  require<ValueError>(keeps_grid(group, element), "act: element ", element, " of ", group, " turns by ",
                      turn_of(group, element).degrees, " degrees, no symmetry of the pixel grid; turn() interpolates");
  bool sideways = 4 * group.rotation(element) / group.n % 2 == 1;
  require<ShapeError>(!sideways || x.dim(axis::H) == x.dim(axis::W), "act: x is ", x.shape(),
                      "; a quarter turn needs a square image");
  return detail::moved("act", x, detail::grid_action(group, element, x.shape()));
}

/// The same for any angle, interpolated: pixels by cubic convolution, zero outside of the image; the axis G by the
/// trigonometric polynomial, which is the permutation of act() when the angle belongs to the group.
/// Shapes   x, y (N,H,W,C), or (N,H,W,C,G) tagged with the group.
/// Cost     32 + 2 G flops per value.      Deterministic  yes.      Aliasing  none.      Gradient  the exact adjoint.
/// Errors   ShapeError; GroupError for features without a tag, or for a mirror of features of a cyclic group.
inline Tensor turn(Tensor x, Turn t) {
  detail::check_action("turn", x);
  bool features = x.rank() == 5;
  Group group = features ? x.group() : dihedral(1);
  require<GroupError>(!t.mirror || group.mirrored(), "turn: x holds ", group,
                      " features, which no mirror acts on; dihedral(", group.n, ") has one");
  if (t.mirror) x = act(group, group.element(0, 1), x);
  x = detail::moved("turn", x, detail::cubic_rotation(t.degrees * 3.14159265358979323846 / 180, x.shape()));
  if (!features) return x;
  Tensor matrix = from(detail::element_rotation(group, t.degrees), {group.order(), group.order()});
  return linear(x, matrix.cast(x.dtype()).to(x.device())).with_group(group);
}

}  // namespace d16
