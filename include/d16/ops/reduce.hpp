// Sums, means and maxima over axes.
#pragma once
#include <initializer_list>

#include "../kernels/cpu/reduce.hpp"
#include "../kernels/reference/reduce.hpp"
#include "forward.hpp"

namespace d16 {

/// One axis or a list of them: sum(x, axis::C), sum(x, {axis::H, axis::W}). Negative axes count from the end.
class Axes {
 public:
  Axes(int axis) : list_{axis} {}
  Axes(std::initializer_list<int> axes) : count_(0) {
    require<ShapeError>(axes.size() <= size_t(Shape::max_rank), axes.size(), " axes; a tensor has at most ",
                        int(Shape::max_rank));
    for (int axis : axes) list_[count_++] = axis;
  }
  int const* begin() const { return list_; }
  int const* end() const { return list_ + count_; }

 private:
  int list_[Shape::max_rank] = {};
  int count_ = 1;
};

template <class T> constinit Slot<kernels::Reduce<T>> sum_slot{
    "sum", {kernels::cpu::sum<T>, kernels::cpu::reduce_work_bytes<T>}, {kernels::reference::sum<T>}, {}, {}};
template <class T>
constinit Slot<kernels::Reduce<T>> max_slot{"max", {kernels::cpu::max<T>}, {kernels::reference::max<T>}, {}, {}};
template <class T> constinit Slot<kernels::Reduce<T>> max_dx_slot{
    "max_dx", {kernels::cpu::max_dx<T>}, {kernels::reference::max_dx<T>}, {}, {}};

// bfloat16 features: for CUDA devices; the reference says what is right.
template <>
constinit inline Slot<kernels::Reduce<bf16>> sum_slot<bf16>{"sum", {}, {kernels::reference::sum<bf16>}, {}, {}};

namespace detail {

/// Which axes of x are reduced, as a mask of bits.
inline unsigned axis_mask(Tensor const& x, Axes const& axes) {
  unsigned mask = 0;
  for (int axis : axes) mask |= 1u << x.axis_index(axis);
  return mask;
}
inline Shape kept_shape(Shape shape, unsigned mask) {
  for (int i = 0; i < shape.rank(); ++i)
    if (mask >> i & 1) shape[i] = 1;
  return shape;
}
inline Shape dropped_shape(Shape const& shape, unsigned mask) {
  Shape result;
  for (int i = 0; i < shape.rank(); ++i)
    if (!(mask >> i & 1)) result.push_back(shape[i]);
  if (result.rank() == 0) result.push_back(1);
  return result;
}
/// A result without elements along G is no group feature any more.
inline TensorOptions reduced_like(Tensor const& x, unsigned mask) {
  TensorOptions o = x.like();
  if (mask >> axis::G & 1) o.group = {};
  return o;
}

/// The reduction of the axes first .. last-1 of a contiguous x as (outer, reduced, inner).
template <class T> kernels::Reduce<T> reduce_args(Shape const& shape, int first, int last) {
  kernels::Reduce<T> a;
  for (int i = 0; i < shape.rank(); ++i) (i < first ? a.outer : i < last ? a.reduced : a.inner) *= shape[i];
  return a;
}

/// Sums times scale; reduced axes have size 1 in the result. Not recorded.
inline Tensor sum_axes(Tensor x, unsigned mask, double scale = 1) {
  x = x.detach().contiguous();
  int remaining =
      0;  // runs of neighbouring axes, each one pass of the kernel; the first run first, as it is the longest
  for (int i = 0; i < x.rank(); ++i) remaining += (mask >> i & 1) && !(i + 1 < x.rank() && mask >> (i + 1) & 1);
  for (int first = 0; first < x.rank(); ++first) {
    if (!(mask >> first & 1)) continue;
    int last = first;
    while (last < x.rank() && mask >> last & 1) ++last;
    unsigned run_mask = (1u << last) - (1u << first);
    Tensor y = empty(kept_shape(x.shape(), run_mask), reduced_like(x, run_mask));
    for_any_float(x.dtype(), [&]<class T>(T) {
      auto a = reduce_args<T>(x.shape(), first, last);
      a.scale = --remaining == 0 ? scale : 1;
      a.x = x.data<T>(), a.y = y.data<T>();
      run(sum_slot<T>, x.device(), a);
    });
    x = y;
    first = last;
  }
  return x;
}

inline Tensor recorded_sum(char const* name, Tensor x, unsigned mask, bool keep, double scale) {
  Shape kept = kept_shape(x.shape(), mask), shape = keep ? kept : dropped_shape(x.shape(), mask);
  Tensor y = mask ? sum_axes(x, mask, scale).reshape(shape) : copied(x);
  return record(name, y, wrt(x, [=, s = x.shape(), group = x.group()](Tensor dy) {
                  Tensor scaled = scale == 1 ? dy : dy * scale;
                  return scaled.reshape(kept).expand(s).contiguous().with_group(group);
                }));
}

/// The maximum over the axes first .. last-1, which keep size 1.
inline Tensor max_run(Tensor x, int first, int last) {
  x = x.contiguous();
  unsigned mask = (1u << last) - (1u << first);
  Shape shape = kept_shape(x.shape(), mask);
  Tensor y = empty(shape, reduced_like(x, mask)), at = empty(shape, {DType::i64, x.device()});
  for_float(x.dtype(), [&]<class T>(T) {
    auto a = reduce_args<T>(x.shape(), first, last);
    a.x = x.data<T>(), a.y = y.data<T>(), a.at = at.data<int64_t>();
    run(max_slot<T>, x.device(), a);
  });
  return record("max", y, wrt(x, [=, s = x.shape(), o = x.like()](Tensor dy) {
                  dy = dy.contiguous();
                  Tensor dx = empty(s, o);
                  for_float(dy.dtype(), [&]<class T>(T) {
                    auto a = reduce_args<T>(s, first, last);
                    a.dy = dy.data<T>(), a.dx = dx.data<T>(), a.at = at.data<int64_t>();
                    run(max_dx_slot<T>, dy.device(), a);
                  });
                  return dx;
                }));
}

inline unsigned all_axes(Tensor const& x) { return (1u << x.rank()) - 1; }
inline double count(Tensor const& x, unsigned mask) {
  double n = 1;
  for (int i = 0; i < x.rank(); ++i)
    if (mask >> i & 1) n *= double(x.dim(i));
  return n;
}

}  // namespace detail

/// Sum over axes: y = sum of x over `axes`. float32 and bfloat16 are added up in float64.
/// Shapes   x any, y as x with the axes of size 1, or without them when keep is false.
/// Cost     one pass over x for each run of neighbouring axes.   Deterministic  yes, for any number of threads.
/// Gradient dy repeated.
/// Errors   ShapeError for an axis that x does not have.
inline Tensor sum(Tensor x, Axes axes, bool keep = true) {
  return detail::recorded_sum("sum", x, detail::axis_mask(x, axes), keep, 1);
}
/// Sum over all elements, of shape (1).
inline Tensor sum(Tensor x) { return detail::recorded_sum("sum", x, detail::all_axes(x), false, 1); }

/// Mean over axes: as sum, divided by the number of elements that go into one.
inline Tensor mean(Tensor x, Axes axes, bool keep = true) {
  unsigned mask = detail::axis_mask(x, axes);
  return detail::recorded_sum("mean", x, mask, keep, 1 / detail::count(x, mask));
}
/// Mean over all elements, of shape (1).
inline Tensor mean(Tensor x) {
  return detail::recorded_sum("mean", x, detail::all_axes(x), false, 1 / double(x.numel()));
}

/// Maximum over axes: y = max of x over `axes`; NaN where one of them is NaN.
/// Shapes   as sum.
/// Gradient to the first maximum in row-major order.
/// Errors   ShapeError for an axis that x does not have, or when there is nothing to take the maximum of.
inline Tensor max(Tensor x, Axes axes, bool keep = true) {
  unsigned mask = detail::axis_mask(x, axes);
  require<ShapeError>(detail::count(x, mask) > 0, "max: x is ", x.shape(), "; the maximum over no elements");
  Tensor y = x;
  for (int last = x.rank(); last > 0; --last) {  // the last run first: then ties go to the first in memory
    if (!(mask >> (last - 1) & 1)) continue;
    int first = last - 1;
    while (first > 0 && mask >> (first - 1) & 1) --first;
    y = detail::max_run(y, first, last);
    last = first + 1;
  }
  return keep ? y : y.reshape(detail::dropped_shape(x.shape(), mask));
}
/// Maximum of all elements, of shape (1).
inline Tensor max(Tensor x) {
  require<ShapeError>(x.numel() > 0, "max: x is ", x.shape(), "; the maximum over no elements");
  return detail::max_run(x, 0, x.rank()).reshape({1});
}

/// Position of the first maximum along one axis, int64. The axis goes.
/// Errors   ShapeError for an axis that x does not have or that is empty.
inline Tensor argmax(Tensor x, int axis) {
  axis = x.axis_index(axis);
  require<ShapeError>(x.dim(axis) > 0, "argmax: axis ", axis, " of ", x.shape(), " is empty");
  x = x.detach().contiguous();
  Shape shape = detail::dropped_shape(x.shape(), 1u << axis);
  Tensor y = empty(shape, {x.dtype(), x.device()}), at = empty(shape, {DType::i64, x.device()});
  for_float(x.dtype(), [&]<class T>(T) {
    auto a = detail::reduce_args<T>(x.shape(), axis, axis + 1);
    a.x = x.data<T>(), a.y = y.data<T>(), a.at = at.data<int64_t>();
    run(max_slot<T>, x.device(), a);
  });
  return at;
}

/// x summed until it has `shape`: the adjoint of broadcasting `shape` to that of x.
/// Errors   ShapeError unless `shape` repeats into that of x.
inline Tensor sum_to(Tensor x, Shape shape) {
  if (x.shape() == shape) return x;
  int lead = x.rank() - shape.rank();
  bool fits = lead >= 0;
  unsigned mask = 0;
  for (int i = 0; fits && i < x.rank(); ++i) {
    bool summed = i < lead || (shape[i - lead] == 1 && x.dim(i) != 1);
    if (summed) mask |= 1u << i;
    fits = summed || x.dim(i) == shape[i - lead];
  }
  require<ShapeError>(fits, "sum_to: ", x.shape(), " is no repetition of ", shape);
  return detail::recorded_sum("sum_to", x, mask, true, 1).reshape(shape);
}

/// Mean over the image: y[n,c] = mean over h, w of x[n,h,w,c].
/// Shapes   x (N,H,W,C), y (N,C).        Units  those of x.
/// Gradient dy / (H W) at each pixel.
/// Errors   ShapeError unless rank 4.
inline Tensor global_avg_pool(Tensor x) {
  require<ShapeError>(x.rank() == 4, "global_avg_pool: x is ", x.shape(), "; it needs (N,H,W,C)");
  return mean(x, {axis::H, axis::W}, false);
}

}  // namespace d16

#include "arithmetic.hpp"
#include "views.hpp"
