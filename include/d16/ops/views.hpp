// Views and copies of tensors, with their gradients: slice, select, permute, expand, reshape, contiguous, cast, ...
#pragma once
#include "../kernels/cpu/cast.hpp"
#include "../kernels/cpu/copy.hpp"
#include "../kernels/reference/cast.hpp"
#include "../kernels/reference/copy.hpp"
#include "forward.hpp"

namespace d16 {

inline constinit Slot<kernels::Copy> copy_slot{"copy", {kernels::cpu::copy}, {kernels::reference::copy}, {}, {}};
inline constinit Slot<kernels::Cast> cast_slot{"cast", {kernels::cpu::cast}, {kernels::reference::cast}, {}, {}};

namespace detail {

/// Copies x into y: same shape, type and device, any strides.
inline void copy_into(Tensor const& x, Tensor const& y) {
  kernels::Copy a;
  a.element_bytes = int(size_of(x.dtype()));
  for (int i = 0; i < x.rank(); ++i) a.nest.push(x.dim(i), {y.strides()[i], x.strides()[i]});
  for_dtype(x.dtype(), [&]<class T>(T) { a.x = x.data<T>(), a.y = y.data<T>(); });
  run(copy_slot, x.device(), a);
}
inline Tensor copied(Tensor const& x) {
  Tensor y = empty_like(x);
  copy_into(x, y);
  return y;
}

// Views outside the gradient graph.
inline Tensor slice_view(Tensor const& x, int axis, int64_t begin, int64_t end) {
  Shape shape = x.shape();
  shape[axis] = end - begin;
  return x.view(shape, x.strides(), begin * x.strides()[axis]);
}
inline Tensor select_view(Tensor const& x, int axis, int64_t index) {
  Shape shape, strides;
  for (int i = 0; i < x.rank(); ++i)
    if (i != axis) shape.push_back(x.dim(i)), strides.push_back(x.strides()[i]);
  return x.view(shape, strides, index * x.strides()[axis]);
}
inline Tensor permute_view(Tensor const& x, Shape order) {
  Shape shape, strides;
  for (int64_t axis : order) shape.push_back(x.dim(int(axis))), strides.push_back(x.strides()[int(axis)]);
  return x.view(shape, strides, 0);
}
inline Tensor expand_view(Tensor const& x, Shape const& shape) {
  Shape strides = shape;
  for (int i = 0, lead = shape.rank() - x.rank(); i < shape.rank(); ++i)
    strides[i] = i < lead || (x.dim(i - lead) == 1 && shape[i] != 1) ? 0 : x.strides()[i - lead];
  return x.view(shape, strides, 0);
}

/// The strides under which x can be seen as `shape`, without a copy; false when there are none.
inline bool reshape_strides(Tensor const& x, Shape const& shape, Shape& strides) {
  strides = shape.strides();
  if (x.is_contiguous() || x.numel() == 0) return true;
  kernels::Nest<1> nest;
  for (int i = 0; i < x.rank(); ++i) nest.push(x.dim(i), {x.strides()[i]});
  int axis = shape.rank() - 1;
  for (int k = nest.rank - 1; k >= 0; --k) {
    int64_t left = nest.size[k], step = nest.stride[0][k];
    for (; axis >= 0 && left > 1 && left % shape[axis] == 0; --axis) {
      strides[axis] = step;
      step *= shape[axis];
      left /= shape[axis];
    }
    if (left > 1) return false;
  }
  return true;
}

}  // namespace detail

/// y = x[..., begin:end, ...] along one axis: a view.
/// Shapes   y as x, axis shortened to end - begin.
/// Gradient dy in its place in a tensor of zeros.
/// Errors   ShapeError unless 0 <= begin <= end <= size.
inline Tensor Tensor::slice(int axis, int64_t begin, int64_t end) const {
  axis = axis_index(axis);
  require<ShapeError>(0 <= begin && begin <= end && end <= dim(axis), "slice: ", begin, " to ", end, " of axis ", axis,
                      " of ", shape());
  return record("slice", detail::slice_view(*this, axis, begin, end), wrt(*this, [=, s = shape()](Tensor dy) {
                  Tensor dx = zeros(s, dy.like());
                  detail::copy_into(dy, detail::slice_view(dx, axis, begin, end));
                  return dx;
                }));
}

/// y = x[..., index, ...]: one index of an axis, which disappears: a view. Without axis G there is no group tag.
/// Gradient dy in its place in a tensor of zeros.
/// Errors   ShapeError unless 0 <= index < size.
inline Tensor Tensor::select(int axis, int64_t index) const {
  axis = axis_index(axis);
  require<ShapeError>(0 <= index && index < dim(axis), "select: index ", index, " of axis ", axis, " of ", shape());
  Tensor y = detail::select_view(*this, axis, index);
  if (axis == axis::G) y = y.with_group({});
  return record("select", y, wrt(*this, [=, s = shape(), group = group()](Tensor dy) {
                  Tensor dx = zeros(s, {dy.dtype(), dy.device(), group});
                  detail::copy_into(dy, detail::select_view(dx, axis, index));
                  return dx;
                }));
}

/// Axis i of the result is axis order[i] of x: a view.
/// Gradient the opposite permutation.
/// Errors   ShapeError unless order names each axis once.
inline Tensor Tensor::permute(std::initializer_list<int> order) const {
  require<ShapeError>(int(order.size()) == rank(), "permute: ", order.size(), " axes for shape ", shape());
  Shape forward = shape(), inverse = shape();
  std::fill_n(&inverse[0], rank(), -1);
  int i = 0;
  for (int axis : order) {
    forward[i] = axis_index(axis);
    inverse[int(forward[i])] = i;
    ++i;
  }
  require<ShapeError>(std::find(inverse.begin(), inverse.end(), -1) == inverse.end(), "permute: an axis of ", shape(),
                      " is named twice");
  return record("permute", detail::permute_view(*this, forward),
                wrt(*this, [=](Tensor dy) { return detail::permute_view(dy, inverse).contiguous(); }));
}

/// Axes of size 1, and missing leading axes, repeated: a view.
/// Gradient the sum over what was repeated.
/// Errors   ShapeError when another size differs.
inline Tensor Tensor::expand(Shape shape) const {
  int lead = shape.rank() - rank();
  bool fits = lead >= 0;
  for (int i = 0; fits && i < rank(); ++i) fits = dim(i) == 1 || dim(i) == shape[lead + i];
  require<ShapeError>(fits, "expand: ", this->shape(), " does not repeat into ", shape, "; sizes must be equal or 1");
  return record("expand", detail::expand_view(*this, shape),
                wrt(*this, [s = this->shape()](Tensor dy) { return sum_to(dy, s); }));
}

/// The same elements in row-major order under other sizes; one size may be -1. A view where strides allow it.
/// Gradient dy in the old shape.
/// Errors   ShapeError when the number of elements differs.
inline Tensor Tensor::reshape(Shape shape) const {
  int64_t known = 1;
  int open = -1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] != -1) known *= shape[i];
    else {
      require<ShapeError>(open < 0, "reshape: ", shape, " has more than one -1");
      open = i;
    }
  }
  if (open >= 0 && known > 0 && numel() % known == 0) shape[open] = numel() / known;
  bool fits = (open < 0 || shape[open] >= 0) && shape.numel() == numel();
  require<ShapeError>(fits, "reshape: ", this->shape(), " has ", numel(), " elements, which do not fill ", shape);
  Shape strides;
  bool possible = detail::reshape_strides(*this, shape, strides);
  Tensor y = possible ? view(shape, strides, 0) : detail::copied(*this).view(shape, shape.strides(), 0);
  return record("reshape", y, wrt(*this, [s = this->shape()](Tensor dy) { return dy.reshape(s); }));
}

/// Itself when row-major without gaps, otherwise a copy that is.
inline Tensor Tensor::contiguous() const {
  if (is_contiguous()) return *this;
  return record("contiguous", detail::copied(*this), wrt(*this, [](Tensor dy) { return dy; }));
}

/// A row-major copy of the elements.
inline Tensor Tensor::clone() const {
  return record("clone", detail::copied(*this), wrt(*this, [](Tensor dy) { return dy; }));
}

/// The elements as another type. To an integer: towards zero, saturating, NaN to 0. To bool: x != 0.
/// Gradient dy in the old type, between floating types.
inline Tensor Tensor::cast(DType to) const {
  DType from = dtype();
  if (from == to) return *this;
  Tensor x = contiguous(), y = empty(shape(), {to, device(), group()});
  kernels::Cast a;
  a.n = numel(), a.from = from, a.to = to;
  for_dtype(from, [&]<class T>(T) { a.x = x.data<T>(); });
  for_dtype(to, [&]<class T>(T) { a.y = y.data<T>(); });
  run(cast_slot, device(), a);
  bool differentiable = to == DType::f32 || to == DType::f64 || to == DType::bf16;
  if (!differentiable) return y;
  return record("cast", y, wrt(x, [=](Tensor dy) { return dy.cast(from); }));
}

/// The elements in the memory of another device; itself when it is there already.
/// Errors   DeviceError for a device that this program has not linked.
inline Tensor Tensor::to(Device device) const {
  if (this->device() == device) return *this;
  Tensor x = contiguous(), y = empty(shape(), {dtype(), device, group()});
  for_dtype(dtype(), [&]<class T>(T) {
    copy_bytes(device, y.data<T>(), this->device(), x.data<T>(), size_t(numel()) * sizeof(T));
  });
  return record("to", y, wrt(x, [from = this->device()](Tensor dy) { return dy.to(from); }));
}

}  // namespace d16

#include "reduce.hpp"
