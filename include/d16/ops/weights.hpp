// Checks that all ops with weights share.
#pragma once
#include <limits>
#include <string>

#include "../core/tensor.hpp"

namespace d16::detail {

/// "(5,3,3,3)": the axes of weights are not N,H,W,C, as Shape::text() would call them.
inline std::string sizes_text(Shape const& shape) {
  std::string out = "(";
  for (int i = 0; i < shape.rank(); ++i) out += (i ? "," : "") + std::to_string(shape[i]);
  return out + ")";
}

/// Weights and bias must be of the type that x asks for, float32 for bfloat16, and where x is; a bias has one value for
/// each output channel.
inline void check_weights(char const* op, Tensor const& x, Tensor const& w, Tensor const& b, int64_t channels) {
  for (Tensor const& other : {w, b})
    if (other.defined()) {
      char const* name = other.same_memory(w) ? "w" : "bias";
      require<DTypeError>(other.dtype() == weight_dtype(x.dtype()), op, ": x is ", name_of(x.dtype()), ", ", name,
                          " is ", name_of(other.dtype()),
                          x.dtype() == DType::bf16 ? "; needs float32" : "; cast one of them");
      require<DeviceError>(other.device() == x.device(), op, ": x is on ", x.device(), ", ", name, " is on ",
                           other.device(), "; use to()");
    }
  if (b.defined())
    require<ShapeError>(b.shape() == Shape{channels}, op, ": bias is ", sizes_text(b.shape()), "; needs (", channels,
                        "), one value for each output channel");
}

/// Kernels count in int: sizes beyond it are refused here rather than wrapped there.
inline int checked_int(char const* op, char const* what, int64_t size) {
  require<ShapeError>(size >= 0 && size <= std::numeric_limits<int>::max(), op, ": ", what, " is ", size, "; at most ",
                      std::numeric_limits<int>::max());
  return int(size);
}

}  // namespace d16::detail
