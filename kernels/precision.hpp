// What the factors of a matrix product or a convolution are rounded to.
#pragma once

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

}  // namespace d16::kernels
