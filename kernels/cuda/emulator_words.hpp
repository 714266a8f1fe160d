// CUDA's device functions for the emulator: barriers, shuffles, votes, atomics and short mathematics.
#pragma once
#include <atomic>
#include <bit>
#include <cmath>
#include <type_traits>

#include "emulator.hpp"

namespace d16::kernels {
namespace emulated {

using emulator::Place;

inline void __syncthreads(Place place = Place::here()) {
  emulator::block_barrier(0, 0, emulator::Wait::block_barrier, place);
}
inline void __syncwarp(unsigned mask = ~0u, Place place = Place::here()) {
  void* const order = emulator::warp_order(mask);
  emulator::release(order);
  emulator::warp_operation<int>(mask, emulator::Wait::warp_barrier, place, 0, nullptr);
  emulator::acquire(order);
}

template <class T> T __shfl_sync(unsigned mask, T value, int source, int width = 32, Place place = Place::here()) {
  int const lane = int(emulator::lane());
  return emulator::shuffle(mask, value, (lane & ~(width - 1)) | (source & (width - 1)), place);
}
template <class T> T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, Place place = Place::here()) {
  int const lane = int(emulator::lane()), source = lane ^ bits;
  return emulator::shuffle(mask, value, source > (lane | (width - 1)) ? lane : source, place);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned distance, int width = 32, Place place = Place::here()) {
  int const lane = int(emulator::lane()), source = lane + int(distance);
  return emulator::shuffle(mask, value, source > (lane | (width - 1)) ? lane : source, place);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned distance, int width = 32, Place place = Place::here()) {
  int const lane = int(emulator::lane()), source = lane - int(distance);
  return emulator::shuffle(mask, value, source < (lane & ~(width - 1)) ? lane : source, place);
}
inline unsigned __ballot_sync(unsigned mask, int vote, Place place = Place::here()) {
  return emulator::warp_operation<unsigned>(mask, emulator::Wait::vote, place, vote, emulator::combine_ballot);
}
inline int __any_sync(unsigned mask, int vote, Place place = Place::here()) {
  return __ballot_sync(mask, vote, place) != 0;
}
inline int __all_sync(unsigned mask, int vote, Place place = Place::here()) {
  return __ballot_sync(mask, !vote, place) == 0;
}
inline void __threadfence() { std::atomic_thread_fence(std::memory_order_seq_cst); }

// Atomics order nothing, as on a GPU.
template <class T> T atomicAdd(T* at, std::type_identity_t<T> value) {
  return std::atomic_ref<T>(*at).fetch_add(value, std::memory_order_relaxed);
}
template <class T> T atomicExch(T* at, std::type_identity_t<T> value) {
  return std::atomic_ref<T>(*at).exchange(value, std::memory_order_relaxed);
}
template <class T> T atomicCAS(T* at, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  std::atomic_ref<T>(*at).compare_exchange_strong(expected, value, std::memory_order_relaxed);
  return expected;
}
template <class T> T atomicMax(T* at, std::type_identity_t<T> value) {
  std::atomic_ref<T> cell(*at);
  T old = cell.load(std::memory_order_relaxed);
  while (old < value && !cell.compare_exchange_weak(old, value, std::memory_order_relaxed)) {}
  return old;
}
template <class T> T atomicMin(T* at, std::type_identity_t<T> value) {
  std::atomic_ref<T> cell(*at);
  T old = cell.load(std::memory_order_relaxed);
  while (value < old && !cell.compare_exchange_weak(old, value, std::memory_order_relaxed)) {}
  return old;
}

template <class T> T __ldg(T const* at) { return *at; }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline void sincospi(double x, double* sine, double* cosine) {
  *sine = std::sin(3.141592653589793 * x), *cosine = std::cos(3.141592653589793 * x);
}
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(unsigned(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
template <class T> constexpr T min(T a, std::type_identity_t<T> b) { return b < a ? b : a; }
template <class T> constexpr T max(T a, std::type_identity_t<T> b) { return a < b ? b : a; }

}  // namespace emulated
}  // namespace d16::kernels
