// Random changes of a batch of pictures on a GPU, in one kernel, with the random numbers of the host.
//
// A block of threads has 1024 neighbouring values of one picture at a time. Its first thread draws how the picture is
// moved and which bands are left out (every block of a picture draws the same); all together make the noise, four values
// from four words of each thread, into shared memory; then each reads four pixels between four, a block's width apart, so
// that neighbours write neighbours. Positions are computed in double as on the host: a picture does not depend on where
// it is computed, up to the rounding of a float.
#pragma once
#include <cmath>
#include <type_traits>

#include "../augment.hpp"
#include "random.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace augmenting {

constexpr int threads = 256, values_each = 4, tile_values = threads * values_each, most_bands = 64;

/// The contract without pointers to the host.
struct Plan {
  int64_t pictures, tiles_each, values;  ///< values of a picture of y
  int H, W, C, P, Q;
  float unit;
  AugmentRule rule;
  uint64_t seed, stream, first;
  bool mirror, any_angle, quarter_turns, whole_pixels, noisy;
  double shift, zoom, drop;
  int keep;
  double noise[most_bands];

  explicit Plan(Augment const& a)
      : pictures(a.N),
        tiles_each((a.P * a.Q * a.C + tile_values - 1) / tile_values),
        values(a.P * a.Q * a.C),
        H(int(a.H)),
        W(int(a.W)),
        C(int(a.C)),
        P(int(a.P)),
        Q(int(a.Q)),
        unit(a.unit),
        rule(a.rule),
        seed(a.seed),
        stream(a.stream),
        first(a.first),
        mirror(a.mirror),
        any_angle(a.any_angle),
        quarter_turns(a.quarter_turns),
        whole_pixels(a.whole_pixels()),
        noisy(a.noise != nullptr),
        shift(a.shift),
        zoom(a.zoom),
        drop(a.drop),
        keep(a.keep),
        noise{} {
    for (int c = 0; noisy && c < C; ++c) noise[c] = a.noise[c];
  }
};

using Words = Pack<uint32_t, 4>;

/// Value (i, j) of y is read at row yy i + yx j + y0, column xy i + xx j + x0 of x.
struct Map {
  double yy, yx, y0, xy, xx, x0;
};

/// vision::Affine::about_centre; turns are of 360 degrees. Where whole pixels move, the middle of a picture that loses
/// an odd number of them is half a pixel further up and left.
__device__ inline Map map_of(Plan const& p, double turns, bool mirror, double scale, double down, double right) {
  double sine, cosine;
  sincospi(2 * turns, &sine, &cosine);
  double const c = cosine / scale, s = sine / scale, side = mirror ? -1 : 1;
  double const ci = 0.5 * (p.P - 1) + down, cj = 0.5 * (p.Q - 1) + right;
  double const y = p.whole_pixels ? (p.H - p.P) / 2 + 0.5 * (p.P - 1) : 0.5 * (p.H - 1);
  double const x = p.whole_pixels ? (p.W - p.Q) / 2 + 0.5 * (p.Q - 1) : 0.5 * (p.W - 1);
  Map m{c, s, 0, -side * s, side * c, 0};
  m.y0 = y - m.yy * ci - m.yx * cj;
  m.x0 = x - m.xy * ci - m.xx * cj;
  return m;
}

__device__ __forceinline__ double between(double low, double high, double u) { return low + (high - low) * u; }

__device__ inline Map item_map(Plan const& p, uint64_t stream) {
  Words const a = philox_words(p.seed, 0, stream), b = philox_words(p.seed, 1, stream);
  Words const c = philox_words(p.seed, 2, stream);
  double const turns = uniform_of(a.value[0], a.value[1]),
               scale = 1 + between(-p.zoom, p.zoom, uniform_of(b.value[0], b.value[1]));
  bool const mirror = uniform_of(a.value[2], a.value[3]) < 0.5 && p.mirror;
  return map_of(p, p.any_angle ? turns : 0, mirror, scale,
                between(-p.shift, p.shift, uniform_of(b.value[2], b.value[3])),
                between(-p.shift, p.shift, uniform_of(c.value[0], c.value[1])));
}
__device__ inline Map bands_map(Plan const& p, uint64_t stream) {
  Words const a = philox_words(p.seed, 0, stream), b = philox_words(p.seed, 1, stream);
  bool const mirror = uniform_of(a.value[0], a.value[1]) < 0.5 && p.mirror;
  int quarters = p.quarter_turns ? int(a.value[2] >> 30) : 0;  // integer(4)
  if (p.P != p.Q) quarters &= 2;
  double const turns = p.any_angle ? uniform_of(a.value[3], b.value[0]) : 0.25 * quarters;
  if (p.whole_pixels) return map_of(p, turns, mirror, 1, 0, 0);
  Words const c = philox_words(p.seed, 0, stream + 1);
  return map_of(p, turns, mirror, 1, between(-p.shift, p.shift, uniform_of(c.value[0], c.value[1])),
                between(-p.shift, p.shift, uniform_of(c.value[2], c.value[3])));
}

enum Band : int { left_out, seen, never_seen };

/// What becomes of each band, by one thread: in a random order bands are left out as long as `keep` are valid.
__device__ inline void choose_bands(Plan const& p, uint64_t stream, float const* valid, int* order, int* band) {
  int left = 0;
  for (int c = 0; c < p.C; ++c) {
    band[c] = !valid || valid[c] != 0 ? seen : never_seen;
    left += band[c] == seen;
  }
  if (!(p.drop > 0)) return;
  Sequence random(p.seed, stream);
  for (int c = 0; c < p.C; ++c) {
    int const other = random.integer(uint32_t(c + 1));
    order[c] = c;
    order[c] = order[other], order[other] = c;
  }
  for (int k = 0; k < p.C; ++k) {
    bool const drop = random.uniform() < p.drop;
    if (!drop || left <= p.keep || band[order[k]] != seen) continue;
    band[order[k]] = left_out;
    --left;
  }
}

/// Standard normals of the values of a tile: value e has number e of the stream. Pairs lie so that neither those who
/// write them, nor those who read value after value, meet in a bank.
struct Noise {
  static constexpr int pitch = threads + 4;  // pairs
  static constexpr int pairs = 2 * pitch;
  double2* pair;

  __device__ void make(uint64_t seed, uint64_t stream, int64_t first) const {
    int const thread = int(threadIdx.x);
    Words const w = philox_words(seed, uint64_t(first / 4 + thread), stream);
    pair[thread] = normals(w.value[0], w.value[1]);
    pair[pitch + thread] = normals(w.value[2], w.value[3]);
  }
  __device__ double operator()(int value) const {
    double2 const& p = pair[value % 4 / 2 * pitch + value / 4];
    return value % 2 ? p.y : p.x;
  }
};

/// Where index i of a line of n lands when the line is continued by its mirror image.
__device__ __forceinline__ int64_t reflected(int64_t i, int64_t n) {
  i %= 2 * n;
  if (i < 0) i += 2 * n;
  return i < n ? i : 2 * n - 1 - i;
}

template <class In> __device__ __forceinline__ float pixel(In x) {
  if constexpr (std::is_same_v<In, uint8_t>) return float(x);
  else return gpu::to_float(x);
}

/// Channel c at the place of (i, j), between four pixels.
template <class In> __device__ float sample(Plan const& p, Map const& m, In const* x, int i, int j, int c) {
  double const v = m.yy * i + m.yx * j + m.y0, u = m.xy * i + m.xx * j + m.x0;
  if (p.whole_pixels) return p.unit * pixel(x[(int64_t(v) * p.W + int64_t(u)) * p.C + c]);
  double const fv = std::floor(v), fu = std::floor(u);
  int64_t top = int64_t(fv), left = int64_t(fu), bottom = top + 1, right = left + 1;
  if (top < 0 || left < 0 || bottom >= p.H || right >= p.W) {
    top = reflected(top, p.H), bottom = reflected(bottom, p.H);
    left = reflected(left, p.W), right = reflected(right, p.W);
  }
  float const ty = float(v - fv), tx = float(u - fu);
  float const wa = (1 - ty) * (1 - tx) * p.unit, wb = (1 - ty) * tx * p.unit;
  float const wc = ty * (1 - tx) * p.unit, wd = ty * tx * p.unit;
  return wa * pixel(x[(top * p.W + left) * p.C + c]) + wb * pixel(x[(top * p.W + right) * p.C + c]) +
         wc * pixel(x[(bottom * p.W + left) * p.C + c]) + wd * pixel(x[(bottom * p.W + right) * p.C + c]);
}

template <class In> __global__ void __launch_bounds__(threads, 3)
    augment_kernel(Plan const p, In const* x, float const* valid, uint64_t const* offset, float* y, float* valid_out) {
  gpu::Smem smem;
  Map* const map = smem.take<Map>(1);
  double* const sigma = smem.take<double>(size_t(p.C));
  int* const order = smem.take<int>(size_t(p.C));
  int* const band = smem.take<int>(size_t(p.C));
  Noise const noise{smem.take<double2>(p.noisy ? Noise::pairs : 0)};
  int const thread = int(threadIdx.x);
  for (int c = thread; p.noisy && c < p.C; c += threads) sigma[c] = p.noise[c];
  uint64_t const stream = p.stream + (offset ? *offset : 0);
  for (int64_t tile = blockIdx.x; tile < p.pictures * p.tiles_each; tile += gridDim.x) {
    int64_t const n = tile / p.tiles_each, first = tile % p.tiles_each * tile_values;
    uint64_t const number = p.first + uint64_t(n), index = 4 * (stream + number);
    __syncthreads();  // the tile before is done
    if (thread == 0) {
      *map =
          p.rule == AugmentRule::items ? item_map(p, stream << 32 | number | uint64_t(1) << 63) : bands_map(p, index);
      choose_bands(p, index + 3, valid ? valid + n * p.C : nullptr, order, band);
    }
    if (p.noisy) noise.make(p.seed, index + 2, first);
    __syncthreads();  // the motion, the bands and the noise are known
    Map const m = *map;
    for (int k = thread; k < tile_values && first + k < p.values; k += threads) {
      int const value = int(first) + k, c = value % p.C, place = value / p.C;
      float shade = sample(p, m, x + n * p.H * p.W * p.C, place / p.Q, place % p.Q, c);
      if (p.noisy && band[c] == seen) shade += float(sigma[c] * noise(k));
      y[n * p.values + value] = band[c] == left_out ? 0.0f : shade;
    }
    for (int c = thread; valid && first == 0 && c < p.C; c += threads) valid_out[n * p.C + c] = band[c] == seen;
  }
}

template <class In> int launch(Plan const& p, Augment const& a) {
  size_t const bands = size_t(p.C);
  size_t const bytes = gpu::Smem::bytes<Map>(1) + gpu::Smem::bytes<double>(bands) + 2 * gpu::Smem::bytes<int>(bands) +
                       gpu::Smem::bytes<double2>(p.noisy ? Noise::pairs : 0);
  dim3 const blocks = gpu::blocks_for(p.pictures * p.tiles_each, 1, 16 * gpu::multiprocessors());
  return gpu::launch(augment_kernel<In>, blocks, dim3(threads), bytes, gpu::current_stream(), p,
                     static_cast<In const*>(a.x), a.valid, a.offset, a.y, a.valid_out);
}

}  // namespace augmenting

/// Floor: x read once, y written once; what neighbours read again comes from L1. With noise, arithmetic in double binds:
/// some fifty operations a value. For up to 64 bands with noise, 1024 without, pictures of up to 2^31 values.
inline int augment(Augment const& a) {
  constexpr int64_t most = int64_t(1) << 31;
  if (a.C > (a.noise ? augmenting::most_bands : 1024)) return unsupported;
  if (a.H * a.W * a.C >= most || a.P * a.Q * a.C >= most) return unsupported;
  if (a.rule == AugmentRule::items && (a.noise || a.drop > 0)) return unsupported;
  if (a.N * a.P * a.Q * a.C <= 0) return ok;
  augmenting::Plan const p(a);
  switch (a.pixels) {
    case DType::f32: return augmenting::launch<float>(p, a);
    case DType::bf16: return augmenting::launch<bf16>(p, a);
    case DType::u8: return augmenting::launch<uint8_t>(p, a);
    default: return unsupported;
  }
}

}  // namespace D16_GPU
}  // namespace d16::kernels
