// Tensors joined along one axis.
#pragma once
#include "../kernels/cpu/join.hpp"
#include "../kernels/reference/join.hpp"
#include "views.hpp"

namespace d16 {

template <class T> constinit Slot<kernels::ReluJoin<T>> relu_join_slot{
    "relu_join", {kernels::cpu::relu_join<T>}, {kernels::reference::relu_join<T>}, {}, {}};
template <class T> constinit Slot<kernels::ReluJoin<T>> relu_join_dx_slot{
    "relu_join_dx", {kernels::cpu::relu_join_dx<T>}, {kernels::reference::relu_join_dx<T>}, {}, {}};

// bfloat16 features: for CUDA devices; the reference says what is right.
template <> constinit inline Slot<kernels::ReluJoin<bf16>> relu_join_slot<bf16>{
    "relu_join", {}, {kernels::reference::relu_join<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::ReluJoin<bf16>> relu_join_dx_slot<bf16>{
    "relu_join_dx", {}, {kernels::reference::relu_join_dx<bf16>}, {}, {}};

struct ConcatOptions {
  std::vector<bool> relu;  ///< of which parts the positive part is taken, from the first on; the others as they are
};

namespace detail {

/// Where a part lies in the whole: lines of `length` elements, `pitch` apart, the first one `begin` elements in.
struct Joint {
  int64_t rows = 1, length = 1, pitch = 1, begin = 0;
  Joint(Shape const& whole, Shape const& part, int axis, int64_t start) {
    int64_t inner = 1;
    for (int i = 0; i < whole.rank(); ++i) (i < axis ? rows : i > axis ? inner : length) *= part[i];
    length *= inner, pitch = whole[axis] * inner, begin = start * inner;
  }
  template <class T> kernels::ReluJoin<T> args() const {
    kernels::ReluJoin<T> a;
    a.rows = rows, a.length = length, a.pitch = pitch;
    return a;
  }
};

inline void relu_into(Tensor y, Tensor x, Joint const& at) {
  x = x.contiguous();
  for_any_float(x.dtype(), [&]<class T>(T) {
    auto a = at.args<T>();
    a.x = x.data<T>(), a.y = y.data<T>() + at.begin;
    run(relu_join_slot<T>, x.device(), a);
  });
}
/// dy of the whole; y is the whole result.
inline Tensor relu_out_of(Tensor dy, Tensor y, Shape const& part, Joint const& at) {
  dy = dy.contiguous();
  Tensor dx = empty(part, y.like());
  for_any_float(y.dtype(), [&]<class T>(T) {
    auto a = at.args<T>();
    a.y = y.data<T>() + at.begin, a.dy = dy.data<T>() + at.begin, a.dx = dx.data<T>();
    run(relu_join_dx_slot<T>, y.device(), a);
  });
  return dx;
}

}  // namespace detail

/// The tensors one after the other along `axis`. What the options name is cut off below 0 on its way, so that the ReLU
/// in front of a join writes to its place: relu and concat in one pass over memory instead of two.
/// Shapes   equal but for that axis, whose sizes add up.
/// Cost     one copy.   Deterministic  yes.   Aliasing  none: the result is new.
/// Gradient the slices of dy; of a ReLU 0 where the result is 0.
/// Errors   ShapeError when another axis differs, ValueError without tensors or with more options than tensors;
///          DTypeError (a ReLU needs float32, float64, or bfloat16 as relu does), DeviceError, GroupError.
inline Tensor concat(std::vector<Tensor> parts, int axis, ConcatOptions options = {}) {
  require<ValueError>(!parts.empty(), "concat: no tensors");
  require<ValueError>(options.relu.size() <= parts.size(), "concat: relu is given for ", options.relu.size(), " of ",
                      parts.size(), " tensors");
  std::vector<bool> relu = options.relu;
  relu.resize(parts.size());
  Tensor const& first = parts[0];
  axis = first.axis_index(axis);
  Shape shape = first.shape();
  shape[axis] = 0;
  std::vector<int64_t> starts;
  for (Tensor const& part : parts) {
    Shape expected = first.shape();
    if (part.rank() == first.rank()) expected[axis] = part.dim(axis);
    require<ShapeError>(part.shape() == expected, "concat: ", part.shape(), " does not join ", first.shape(),
                        " along axis ", axis);
    require<DTypeError>(part.dtype() == first.dtype(), "concat: ", name_of(part.dtype()), " and ",
                        name_of(first.dtype()));
    require<DeviceError>(part.device() == first.device(), "concat: ", part.device(), " and ", first.device());
    require<GroupError>(part.group() == first.group(), "concat: ", part.group(), " features and ", first.group(),
                        " features");
    starts.push_back(shape[axis]);
    shape[axis] += part.dim(axis);
  }
  Tensor y = empty(shape, first.like());
  std::vector<Shape> shapes;
  bool any = false;
  for (size_t i = 0; i < parts.size(); ++i) {
    shapes.push_back(parts[i].shape());
    if (relu[i]) detail::relu_into(y, parts[i], {shape, shapes[i], axis, starts[i]});
    else detail::copy_into(parts[i], detail::slice_view(y, axis, starts[i], starts[i] + parts[i].dim(axis)));
    any = any || relu[i];
  }
  starts.push_back(shape[axis]);
  Tensor result = any ? y.detach() : Tensor();
  return record("concat", y, parts, [=](Tensor dy, std::vector<bool> const& needed) {
    std::vector<Tensor> gradients;
    for (size_t i = 0; i < needed.size(); ++i) {
      if (!needed[i]) gradients.emplace_back();
      else if (relu[i])
        gradients.push_back(detail::relu_out_of(dy, result, shapes[i], {shape, shapes[i], axis, starts[i]}));
      else gradients.push_back(dy.slice(axis, starts[i], starts[i + 1]));
    }
    return gradients;
  });
}

}  // namespace d16
