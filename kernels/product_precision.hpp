// What the factors of a matrix product or a convolution are rounded to.
#pragma once

namespace d16::kernels {

/// Sums are float32 (double for double) always. Processors without the units for a rounding compute in float32.
///   float32   the numbers as they are
///   tf32      rounded to 11 bits: an error of at most 2^-11 of each factor
///   bfloat16  rounded to 8 bits: an error of at most 2^-8 of each factor
enum class ProductPrecision { float32, tf32, bfloat16 };

}  // namespace d16::kernels
