// For tests of the dense CUDA kernels on the emulator: rounded numbers, tolerances, every order of the threads.
#pragma once
#include <cstring>

#include <d16/core/dtype.hpp>
#include <d16/kernels/precision.hpp>

#include "../kernels/isas.hpp"

namespace d16::testing {

using kernels::Precision;

/// What a factor becomes: to bfloat16 ties go to even, to tf32 away from zero.
inline float rounded(float value, Precision precision) {
  if (precision == Precision::bfloat16) return float(bf16(value));
  if (precision == Precision::float32) return value;
  uint32_t word;
  std::memcpy(&word, &value, sizeof word);
  word = (word + 0x1000u) & 0xffffe000u;
  std::memcpy(&value, &word, sizeof word);
  return value;
}
template <class T> std::vector<T> rounded(std::vector<T> values, Precision precision) {
  if constexpr (std::is_same_v<T, float>)
    for (T& value : values) value = rounded(value, precision);
  return values;
}
inline std::vector<bf16> to_bf16(std::vector<float> const& values) { return {values.begin(), values.end()}; }
inline std::vector<float> to_float(std::vector<bf16> const& values) { return {values.begin(), values.end()}; }

/// As `error`, for results that are stored as bf16: besides, each is rounded by at most 2^-8 of its magnitude.
inline double error_of_bf16(std::vector<bf16> const& got, std::vector<float> const& expected, double terms) {
  double const unit = std::numeric_limits<float>::epsilon();
  return error(to_float(got), expected, terms + 1 / (256 * unit));
}
/// For a product whose factors were rounded to `precision` against one of the numbers as they are. Each factor is off by
/// at most u = 2^-11 or 2^-8 of itself, so each of the `terms` products of numbers below one by 2 u: of random sign, so
/// that they add up as a root; six times that is not met by chance.
inline double rounding(Precision precision, double terms) {
  if (precision == Precision::float32) return 0;
  return 6 * 2 * (precision == Precision::tf32 ? 0x1p-11 : 0x1p-8) * std::sqrt(terms);
}
inline double difference(std::vector<float> const& a, std::vector<float> const& b) {
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(double(a[i]) - double(b[i])));
  return most;
}

/// Runs `check` with every order of the threads and with early and late arrival of asynchronous copies.
template <class Check> void in_every_order(Check const& check) {
  using Settings = kernels::emulator::Settings;
  Settings const before = kernels::emulator::settings();
  for (auto order : {Settings::Order::forward, Settings::Order::reverse, Settings::Order::random})
    for (bool late : {true, false}) {
      INFO("order ", int(order), " late ", late);
      kernels::emulator::settings().order = order, kernels::emulator::settings().late = late;
      check();
    }
  kernels::emulator::settings() = before;
}
/// Runs `check` as on a card of compute capability 8.6, 8.9 or 12.0, whose blocks have 99 KB of shared memory.
template <class Check> void with_little_shared_memory(Check const& check) {
  auto& settings = kernels::emulator::settings();
  size_t const before = std::exchange(settings.most_shared_bytes, size_t(99) << 10);
  check();
  settings.most_shared_bytes = before;
}

}  // namespace d16::testing
