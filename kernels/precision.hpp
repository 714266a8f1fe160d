// What the factors of a matrix product or a convolution are rounded to.
#pragma once
#include <type_traits>

#include <d16/core/dtype.hpp>

namespace d16::kernels {

/// Of the products of float32 numbers, whose sums are float32 always; float64 is computed in float64, bf16 numbers are
/// as they are. Each contract says where it has no units for a rounding, and what happens then.
///   float32   the numbers as they are
///   tf32      rounded to 11 bits: an error of at most 2^-11 of each factor
///   bfloat16  rounded to 8 bits: an error of at most 2^-8 of each factor
enum class Precision { float32, tf32, bfloat16 };

constexpr char const* name_of(Precision precision) {
  return precision == Precision::float32 ? "float32" : precision == Precision::tf32 ? "tf32" : "bfloat16";
}

/// What numbers of T are computed in: float for bf16, T itself else. Weights that meet features of T, their biases and
/// the gradients of both are kept in it too: they are small, and an optimiser changes them by less than bf16 can tell.
template <class T> using Wide = std::conditional_t<std::is_same_v<T, bf16>, float, T>;

}  // namespace d16::kernels
