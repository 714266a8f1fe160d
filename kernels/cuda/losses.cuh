// The losses on a GPU: terms, gradients and sums in one pass. Sums are in double, by blocks that are a number of the
// shape, and a last block that adds theirs up in order.
#pragma once
#include <cmath>

#include "../losses.hpp"
#include "lines.cuh"
#include "reduce.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace losses {

/// The sum of one value from each thread: of all blocks in `partial`, or of the only block, the loss.
template <class T> __device__ void write_sum(double value, double* of_warp, double* partial, T* loss) {
  double const sum = block_sum(value, of_warp);
  if (threadIdx.x > 0) return;
  if (partial) partial[blockIdx.x] = sum;
  else loss[0] = T(sum);
}
/// The loss from the sums of the blocks, where there are several.
template <class T> int finish(int64_t parts, double const* partial, T* loss) {
  if (parts == 1) return ok;
  return gpu::launch(sum_kernel<double, T>, dim3(1), dim3(reduce_threads), gpu::Smem::bytes<double>(reduce_warps),
                     gpu::current_stream(), parts, int64_t(1), 1.0, partial, loss);
}
constexpr int64_t most_parts = 1024;
inline int64_t parts_of(int64_t items, int64_t of_block) {
  int64_t const parts = (items + of_block - 1) / of_block;
  return parts < 1 ? 1 : parts < most_parts ? parts : most_parts;
}

template <class T> struct Term { T value, dx, dt; };
/// A NaN stays one.
template <class T> __device__ __forceinline__ T log_above(T x) {
  T const y = std::log(x);
  return y < T(-100) ? T(-100) : y;
}
template <class T> __device__ Term<T> term(LossOp op, T x, T t) {
  T const d = x - t;
  switch (op) {
    case LossOp::bce: {
      T const log_x = log_above(x), log_rest = log_above(1 - x), spread = x * (1 - x);
      return {-(t * log_x + (1 - t) * log_rest), d / (spread < T(1e-12) ? T(1e-12) : spread), log_rest - log_x};
    }
    case LossOp::bce_with_logits:
      return {(x < 0 ? T(0) : x) - x * t + std::log1p(std::exp(-std::abs(x))), 1 / (1 + std::exp(-x)) - t, -x};
    case LossOp::mse: return {d * d, 2 * d, -2 * d};
    case LossOp::l1: {
      T const sign = T((x > t) - (x < t));
      return {std::abs(d), sign, -sign};
    }
    case LossOp::kl: break;
  }
  T const growth = std::expm1(t);  // (e^t - 1 - t) would lose its digits near t = 0
  return {T(0.5) * (x * x + (growth - t)), x, T(0.5) * growth};
}

/// Pack i. Returns the sum of its terms.
template <class T, int width> __device__ double terms(PairLoss<T> const& a, int64_t i) {
  auto const x = read_pack<width>(a.x, i), t = read_pack<width>(a.t, i);
  Pack<T, width> dx, dt;
  double sum = 0;
#pragma unroll
  for (int e = 0; e < width; ++e) {
    Term<T> const one = term(a.op, x.value[e], t.value[e]);
    sum += double(one.value);
    dx.value[e] = T(a.scale) * one.dx, dt.value[e] = T(a.scale) * one.dt;
  }
  if (a.dx) write_pack<width>(a.dx, i, dx);
  if (a.dt) write_pack<width>(a.dt, i, dt);
  return sum;
}
constexpr int64_t elements_of_block = 8192;
template <class T, int width> __global__ void __launch_bounds__(reduce_threads)
    pairs(PairLoss<T> const a, double* partial) {
  gpu::Smem smem;
  double* const of_warp = smem.take<double>(reduce_warps);
  int64_t const packs = a.n / width, rest = packs * width + gpu::this_thread();
  double sum = 0;
  for (int64_t i = gpu::this_thread(); i < packs; i += gpu::all_threads()) sum += terms<T, width>(a, i);
  if (width > 1 && rest < a.n) sum += terms<T, 1>(a, rest);
  write_sum(a.scale * sum, of_warp, partial, a.loss);
}

// ---- losses of logits with labels ----

/// How many lanes of a warp share a sample: a power of two that holds its classes, so that few classes waste few lanes.
inline int lanes_for(int64_t K) {
  int lanes = 1;
  while (lanes < 32 && lanes < K) lanes *= 2;
  return lanes;
}
__device__ inline double lanes_sum(double value, int lanes) {
  for (int distance = lanes / 2; distance; distance /= 2) value += __shfl_xor_sync(~0u, value, distance);
  return value;
}
__device__ inline double lanes_max(double value, int lanes) {
  for (int distance = lanes / 2; distance; distance /= 2) {
    double const other = __shfl_xor_sync(~0u, value, distance);
    if (other > value) value = other;
  }
  return value;
}

/// One sample as the lanes that share it see it; they come to the same numbers. In double, as class scores are few.
template <class T> struct Sample {
  T const *x, *weight;
  T* dx;
  int K, target, lane, lanes;

  __device__ double of(int k) const { return double(x[k]); }
  __device__ double weight_of(int k) const { return weight ? double(weight[k]) : 1.0; }
  /// The sum of value(k) over the classes.
  template <class Value> __device__ double sum(Value const& value) const {
    double total = 0;
    for (int k = lane; k < K; k += lanes) total += value(k);
    return lanes_sum(total, lanes);
  }
  __device__ double largest() const {
    double most = of(lane < K ? lane : 0);
    for (int k = lane + lanes; k < K; k += lanes)
      if (of(k) > most) most = of(k);
    return lanes_max(most, lanes);
  }
  /// gradient(k) into dx, unless nobody wants it or the sample does not exist.
  template <class Gradient> __device__ void write(bool exists, Gradient const& gradient) const {
    for (int k = lane; exists && dx && k < K; k += lanes) dx[k] = T(gradient(k));
  }
};

/// The term times scale, and dx: the same formulas as kernels/cpu/losses.hpp.
template <class T>
__device__ double sample_loss(CrossEntropy<T> const& a, Sample<T> const& s, bool exists, double scale) {
  double const on = 1 - a.smoothing, off = a.smoothing / s.K, largest = s.largest();
  double const norm = largest + std::log(s.sum([&](int k) { return std::exp(s.of(k) - largest); }));
  double weighted = 0, weights = 0;
  if (off != 0) {
    weighted = s.sum([&](int k) { return s.weight_of(k) * (s.of(k) - norm); });
    weights = s.sum([&](int k) { return s.weight_of(k); });
  }
  double const of_target = on * s.weight_of(s.target), mass = of_target + off * weights;
  s.write(exists, [&](int k) {
    double const share = off * s.weight_of(k) + (k == s.target ? of_target : 0);
    return scale * (mass * std::exp(s.of(k) - norm) - share);
  });
  return scale * (-of_target * (s.of(s.target) - norm) - off * weighted);
}
template <class T> __device__ double sample_loss(FocalLoss<T> const& a, Sample<T> const& s, bool exists, double scale) {
  double const largest = s.largest();
  double const others = s.sum([&](int k) { return k == s.target ? 0 : std::exp(s.of(k) - largest); });
  double const exps = others + std::exp(s.of(s.target) - largest), q = others / exps;  // q is 1 - p
  double const log_p = q < 0.5 ? std::log1p(-q) : s.of(s.target) - largest - std::log(exps);
  double const focus = std::pow(q, a.gamma), ratio = q > 0 ? log_p / q : -1, weight = s.weight_of(s.target) * scale;
  double const slope = weight * (a.gamma * (1 - q) * focus * ratio - focus);
  s.write(exists, [&](int k) { return slope * (k == s.target ? q : -std::exp(s.of(k) - largest) / exps); });
  return -weight * focus * log_p;
}

/// total[0] = the sum of the weights of all targets. Grid: one block.
template <class T> __global__ void __launch_bounds__(reduce_threads)
    sum_weights(int64_t N, int64_t K, int64_t const* target, T const* weight, double* total) {
  gpu::Smem smem;
  double* const of_warp = smem.take<double>(reduce_warps);
  double sum = 0;
  for (int64_t n = threadIdx.x; n < N; n += reduce_threads)
    sum += target[n] >= 0 && target[n] < K ? double(weight[target[n]]) : 0;
  sum = block_sum(sum, of_warp);
  if (threadIdx.x == 0) total[0] = sum;
}

/// A label that is no class makes the loss and the sample's gradient NaN.
template <class T, class Loss> __global__ void __launch_bounds__(reduce_threads, 3)
    labels(Loss const a, int lanes, double scale, double const* total, double* partial) {
  gpu::Smem smem;
  double* const of_warp = smem.take<double>(reduce_warps);
  int const samples = reduce_threads / lanes;  // of the block at once
  double sum = 0;
  if (total) scale = 1 / total[0];
  for (int64_t first = int64_t(blockIdx.x) * samples; first < a.N; first += int64_t(gridDim.x) * samples) {
    int64_t const n = first + int(threadIdx.x) / lanes;
    bool const exists = n < a.N;
    int64_t const row = exists ? n : a.N - 1, label = a.target[row];
    bool const known = label >= 0 && label < a.K;
    Sample<T> const s{
        a.x + row * a.K,          a.weight, a.dx ? a.dx + row * a.K : nullptr, int(a.K), known ? int(label) : 0,
        int(threadIdx.x) % lanes, lanes};
    double const value = sample_loss(a, s, exists, known ? scale : NAN);
    if (exists && s.lane == 0) sum += value;
  }
  write_sum(sum, of_warp, partial, a.loss);
}

template <class Loss> int64_t parts_of(Loss const& a) { return parts_of(a.N, 4 * reduce_threads / lanes_for(a.K)); }
/// The total weight, then a sum for each block.
template <class Loss> size_t work_bytes(Loss const& a) { return size_t(1 + parts_of(a)) * sizeof(double); }

template <class T, class Loss> int launch_labels(Loss const& a) {
  if (!Lines::fit(a.K, 0)) return unsupported;
  int64_t const parts = parts_of(a);
  double *const total = static_cast<double*>(a.work), *const partial = total + 1;
  bool const weighted = a.mean && a.weight;
  size_t const shared = gpu::Smem::bytes<double>(reduce_warps);
  if (weighted)
    gpu::launch(sum_weights<T>, dim3(1), dim3(reduce_threads), shared, gpu::current_stream(), a.N, a.K, a.target,
                a.weight, total);
  gpu::launch(labels<T, Loss>, dim3(unsigned(parts)), dim3(reduce_threads), shared, gpu::current_stream(), a,
              lanes_for(a.K), a.mean ? 1 / double(a.N) : 1.0, weighted ? total : nullptr,
              parts > 1 ? partial : nullptr);
  return finish(parts, partial, a.loss);
}

}  // namespace losses

template <class T> size_t pair_loss_work_bytes(PairLoss<T> const& a) {
  return size_t(losses::parts_of(a.n, losses::elements_of_block)) * sizeof(double);
}
template <class T> size_t cross_entropy_work_bytes(CrossEntropy<T> const& a) { return losses::work_bytes(a); }
template <class T> size_t focal_loss_work_bytes(FocalLoss<T> const& a) { return losses::work_bytes(a); }

/// Floor: x and t read once, the gradients that are wanted written once.
template <class T> int pair_loss(PairLoss<T> const& a) {
  int64_t const parts = losses::parts_of(a.n, losses::elements_of_block);
  auto* const partial = static_cast<double*>(a.work);
  bool const aligned = in_whole_packs(0, a.x, a.t, a.dx, a.dt);
  gpu::launch(aligned ? losses::pairs<T, whole_pack<T>> : losses::pairs<T, 1>, dim3(unsigned(parts)),
              dim3(reduce_threads), gpu::Smem::bytes<double>(reduce_warps), gpu::current_stream(), a,
              parts > 1 ? partial : nullptr);
  return losses::finish(parts, partial, a.loss);
}
/// Floor: logits read once, their gradient written once; the later passes over a row find it in L1.
template <class T> int cross_entropy(CrossEntropy<T> const& a) { return losses::launch_labels<T>(a); }
template <class T> int focal_loss(FocalLoss<T> const& a) { return losses::launch_labels<T>(a); }

}  // namespace D16_GPU
}  // namespace d16::kernels
