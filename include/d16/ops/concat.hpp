// Tensors joined along one axis.
#pragma once
#include "views.hpp"

namespace d16 {

/// The tensors one after the other along `axis`.
/// Shapes   equal but for that axis, whose sizes add up.
/// Cost     one copy.   Deterministic  yes.   Aliasing  none: the result is new.
/// Gradient the slices of dy.
/// Errors   ShapeError when another axis differs, ValueError without tensors; DTypeError, DeviceError, GroupError.
inline Tensor concat(std::vector<Tensor> parts, int axis) {
  require<ValueError>(!parts.empty(), "concat: no tensors");
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
  for (size_t i = 0; i < parts.size(); ++i)
    detail::copy_into(parts[i], detail::slice_view(y, axis, starts[i], starts[i] + parts[i].dim(axis)));
  starts.push_back(shape[axis]);
  return record("concat", y, parts, [=](Tensor dy, std::vector<bool> const& needed) {
    std::vector<Tensor> gradients;
    for (size_t i = 0; i < needed.size(); ++i)
      gradients.push_back(needed[i] ? dy.slice(axis, starts[i], starts[i + 1]).contiguous() : Tensor());
    return gradients;
  });
}

}  // namespace d16
