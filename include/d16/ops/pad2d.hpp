// Continuing an image beyond its edges: what a convolution without padding then sees there.
#pragma once
#include "../kernels/cpu/pad2d.hpp"
#include "../kernels/reference/pad2d.hpp"
#include "forward.hpp"
#include "views.hpp"

namespace d16 {

using kernels::PaddingMode;  ///< zeros, circular, reflect

/// How many pixels are added on each side.
struct Margins {
  int top = 0, bottom = 0, left = 0, right = 0;
};

template <class T>
constinit Slot<kernels::Pad2d<T>> pad2d_slot{"pad2d", {kernels::cpu::pad2d<T>}, {kernels::reference::pad2d<T>}, {}, {}};
template <class T> constinit Slot<kernels::Pad2d<T>> pad2d_dx_slot{
    "pad2d_dx", {kernels::cpu::pad2d_dx<T>}, {kernels::reference::pad2d_dx<T>}, {}, {}};

namespace detail {

template <class T> kernels::Pad2d<T> pad2d_args(Shape const& x, Margins const& m, PaddingMode mode) {
  kernels::Pad2d<T> a;
  a.N = x[axis::N], a.H = x[axis::H], a.W = x[axis::W];
  for (int i = axis::C; i < x.rank(); ++i) a.C *= x[i];
  a.top = m.top, a.bottom = m.bottom, a.left = m.left, a.right = m.right;
  a.mode = mode;
  return a;
}

/// Whether x has what the margin on one side, along the axis H or W, copies.
inline void check_margin(Shape const& x, char const* side, int margin, int along, PaddingMode mode) {
  char const* size = along == axis::H ? "H" : "W";
  require<ValueError>(margin >= 0, "pad2d: ", side, " is ", margin, "; it must be 0 or more, slice() makes x smaller");
  require<ShapeError>(mode != PaddingMode::circular || margin <= x[along], "pad2d: x is ", x, ", ", side, " is ",
                      margin, "; circular repeats x once: take at most ", size, ", or zeros");
  require<ShapeError>(mode != PaddingMode::reflect || margin == 0 || margin < x[along], "pad2d: x is ", x, ", ", side,
                      " is ", margin, "; reflect mirrors all but the edge: take less than ", size, ", or zeros");
}

inline Shape pad2d_shape(Shape x, Margins const& m, PaddingMode mode) {
  require<ShapeError>(x.rank() == 4 || x.rank() == 5, "pad2d: x is ", x, "; it needs (N,H,W,C) or (N,H,W,C,G)");
  check_margin(x, "top", m.top, axis::H, mode);
  check_margin(x, "bottom", m.bottom, axis::H, mode);
  check_margin(x, "left", m.left, axis::W, mode);
  check_margin(x, "right", m.right, axis::W, mode);
  x[axis::H] += int64_t(m.top) + m.bottom, x[axis::W] += int64_t(m.left) + m.right;
  return x;
}

}  // namespace detail

/// The image with margins: y[p,q] = x[p - top, q - left], continued beyond the edges by 0 (zeros), by x again as on a
/// torus (circular), or by the mirror image of x in its outermost pixels, which are not repeated (reflect).
/// Shapes   x (N,H,W,C) or (N,H,W,C,G), y (N,top + H + bottom,left + W + right,...); the tag of a group is kept.
/// Cost     4 bytes (x + y), one pass.   Deterministic  yes.   Aliasing  none: y is new.
/// Gradient the exact adjoint: a pixel gets the sum over its copies.
/// Errors   ShapeError for another rank, for circular margins larger than the size of x, for reflect margins that are
///          not smaller; ValueError for a negative margin.
/// Source   torch.nn.functional.pad, modes constant, circular, reflect.
inline Tensor pad2d(Tensor x, Margins margins, PaddingMode mode = PaddingMode::zeros) {
  Tensor y = empty(detail::pad2d_shape(x.shape(), margins, mode), x.like());
  x = x.contiguous();
  for_float(x.dtype(), [&]<class T>(T) {
    auto a = detail::pad2d_args<T>(x.shape(), margins, mode);
    a.x = x.data<T>(), a.y = y.data<T>();
    run(pad2d_slot<T>, x.device(), a);
  });
  return record("pad2d", y, wrt(x, [=, s = x.shape(), like = x.like()](Tensor dy) {
                  dy = dy.contiguous();
                  Tensor dx = empty(s, like);
                  for_float(dy.dtype(), [&]<class T>(T) {
                    auto a = detail::pad2d_args<T>(s, margins, mode);
                    a.dy = dy.data<T>(), a.dx = dx.data<T>();
                    run(pad2d_dx_slot<T>, dy.device(), a);
                  });
                  return dx;
                }));
}

/// The same margin on all four sides.
inline Tensor pad2d(Tensor x, int all, PaddingMode mode = PaddingMode::zeros) {
  return pad2d(x, Margins{all, all, all, all}, mode);
}

}  // namespace d16
