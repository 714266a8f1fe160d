// Element types known at run time, and the bridge from a run-time type to a C++ type.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "error.hpp"

namespace d16 {

enum class DType : uint8_t { f32, f64, bf16, i64, u8, boolean };

/// bfloat16 storage: the upper half of a float32, rounded to nearest even. Arithmetic is done in float32.
struct bf16 {
  uint16_t bits = 0;
  bf16() = default;
  bf16(float value) {
    uint32_t wide;
    std::memcpy(&wide, &value, sizeof wide);
    bool nan = (wide & 0x7fffffffu) > 0x7f800000u;
    bits = nan ? uint16_t((wide >> 16) | 0x40) : uint16_t((wide + 0x7fffu + ((wide >> 16) & 1)) >> 16);
  }
  operator float() const {
    uint32_t wide = uint32_t(bits) << 16;
    float value;
    std::memcpy(&value, &wide, sizeof value);
    return value;
  }
};

constexpr int64_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f32: return 4;
    case DType::f64: return 8;
    case DType::bf16: return 2;
    case DType::i64: return 8;
    case DType::u8:
    case DType::boolean: return 1;
  }
  return 0;
}

constexpr char const* name_of(DType dtype) {
  switch (dtype) {
    case DType::f32: return "float32";
    case DType::f64: return "float64";
    case DType::bf16: return "bfloat16";
    case DType::i64: return "int64";
    case DType::u8: return "uint8";
    case DType::boolean: return "bool";
  }
  return "?";
}

template <class T> constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) return DType::f32;
  else if constexpr (std::is_same_v<T, double>) return DType::f64;
  else if constexpr (std::is_same_v<T, bf16>) return DType::bf16;
  else if constexpr (std::is_same_v<T, int64_t>) return DType::i64;
  else if constexpr (std::is_same_v<T, uint8_t>) return DType::u8;
  else {
    static_assert(std::is_same_v<T, bool>, "not an element type: float, double, bf16, int64_t, uint8_t, bool");
    return DType::boolean;
  }
}

/// Calls f(T{}) with the floating type of `dtype`: float32 or float64, the types that every op takes.
template <class F> decltype(auto) for_float(DType dtype, F&& f) {
  require<DTypeError>(dtype == DType::f32 || dtype == DType::f64, "the op takes float32 or float64, this is ",
                      name_of(dtype), "; cast it first");
  return dtype == DType::f32 ? f(float{}) : f(double{});
}

/// The same for ops that take bfloat16 too, whose kernels CUDA devices and the reference have.
template <class F> decltype(auto) for_any_float(DType dtype, F&& f) {
  return dtype == DType::bf16 ? f(bf16{}) : for_float(dtype, f);
}

/// The type of weights that meet features of `dtype`, and of their gradients: float32 for bfloat16, else the same.
constexpr DType weight_dtype(DType dtype) { return dtype == DType::bf16 ? DType::f32 : dtype; }

/// Calls f(T{}) with the C++ type of any `dtype`.
template <class F> decltype(auto) for_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32: return f(float{});
    case DType::f64: return f(double{});
    case DType::bf16: return f(bf16{});
    case DType::i64: return f(int64_t{});
    case DType::u8: return f(uint8_t{});
    case DType::boolean: break;
  }
  return f(bool{});
}

}  // namespace d16
