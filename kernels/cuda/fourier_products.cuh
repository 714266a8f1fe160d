// How the fused group convolution multiplies: bf16 or tf32 on tensor cores, or float32 multiply-adds; one layout.
#pragma once
#include "fourier_transform.cuh"
#include "mma.hpp"

namespace d16::kernels {
namespace D16_GPU {
namespace fourier {

/// A warp's tile: 32 pixels (two times 16) by 24 output fields (three times 8) by a unit of four coefficients.
struct WarpTile {
  static constexpr int rows = 2, columns = 3, pixels = 16 * rows, fields = 8 * columns;
};
/// sum[i]: coefficient i of the unit, as the mma instructions lay it out (mma.hpp).
using Sums = float[4][WarpTile::rows][WarpTile::columns][4];

/// What a unit of four coefficients is: output i += sign * panel j * entry m, for these.
struct UnitProduct {
  int output, panel, entry;
  bool negative;
};
struct Unit {
  int count;
  UnitProduct products[8];
};
/// Four one-dimensional irreps; a 2 x 2 block; two real ones and a complex number; two complex numbers.
__host__ __device__ constexpr Unit unit(bool mirrored, bool first) {
  if (mirrored && first) return {4, {{0, 0, 0, 0}, {1, 1, 1, 0}, {2, 2, 2, 0}, {3, 3, 3, 0}}};
  if (mirrored)
    return {8,
            {{0, 0, 0, 0},
             {0, 1, 2, 0},
             {1, 0, 1, 0},
             {1, 1, 3, 0},
             {2, 2, 0, 0},
             {2, 3, 2, 0},
             {3, 2, 1, 0},
             {3, 3, 3, 0}}};
  if (first) return {6, {{0, 0, 0, 0}, {1, 1, 1, 0}, {2, 2, 2, 0}, {2, 3, 3, 1}, {3, 2, 3, 0}, {3, 3, 2, 0}}};
  return {
      8,
      {{0, 0, 0, 0}, {0, 1, 1, 1}, {1, 0, 1, 0}, {1, 1, 0, 0}, {2, 2, 2, 0}, {2, 3, 3, 1}, {3, 2, 3, 0}, {3, 3, 2, 0}}};
}

template <bool mirrored, bool first> struct UnitOf {
  static constexpr int count = unit(mirrored, first).count;
  static __host__ __device__ constexpr UnitProduct product(int i) { return unit(mirrored, first).products[i]; }
};

/// The layout. A panel holds a coefficient's features as planes, one for each slot; a plane has 16 bytes for each
/// pixel: four words, of one field each (float) or of two (bf16). A step multiplies two planes: depth 16 in bf16, 8 in
/// float. Weights of a step, unit and block of 24 fields: 768 words, two planes x four words x four entries x 24
/// fields.
constexpr int words_per_pixel = 4, words_per_step = 2 * words_per_pixel * 4 * WarpTile::fields;

/// Two fields as a value while they are computed with.
struct Pair {
  float x, y;
  friend __device__ __forceinline__ Pair operator+(Pair a, Pair b) { return {a.x + b.x, a.y + b.y}; }
  friend __device__ __forceinline__ Pair operator-(Pair a, Pair b) { return {a.x - b.x, a.y - b.y}; }
  friend __device__ __forceinline__ Pair operator-(Pair a) { return {-a.x, -a.y}; }
};
__device__ __forceinline__ Pair multiply_add(float c, Pair a, Pair b) { return {c * a.x + b.x, c * a.y + b.y}; }
__device__ __forceinline__ float multiply_add(float c, float a, float b) { return c * a + b; }
__device__ __forceinline__ Pair unpack_bf16(uint32_t word) {
  return {__uint_as_float(word << 16), __uint_as_float(word & 0xffff0000u)};
}

/// What tensor cores share. Operand A comes by ldmatrix, B from global memory, where it lies as the fragments want it.
template <class Self> struct TensorProducts {
  /// Where the word `word` of plane `plane` of a step is, for entry `entry` and field `field` of the block.
  static __host__ __device__ constexpr int weight_word(int plane, int word, int entry, int field) {
    int const lane = field % 8 * 4 + word;
    return ((entry * WarpTile::columns + field / 8) * 32 + lane) * 2 + plane;
  }
  struct Weights {
    uint32_t word[4][WarpTile::columns][2];
  };
  static __device__ __forceinline__ void load(Weights& b, uint32_t const* step, int lane) {
    unrolled<4>([&](auto m) {
      unrolled<WarpTile::columns>([&](auto j) {
        uint2 const two = __ldg(reinterpret_cast<uint2 const*>(step) + (m * WarpTile::columns + j) * 32 + lane);
        b.word[m][j][0] = two.x, b.word[m][j][1] = two.y;
      });
    });
  }
  /// panel: the step's two planes of the unit's first coefficient at the warp's first pixel, in words.
  template <bool mirrored, bool first>
  static __device__ __forceinline__ void multiply(Sums& sum, Weights const& b, uint32_t const*, uint32_t const* panel,
                                                  int panel_pitch, int plane_pitch, int lane) {
    using U = UnitOf<mirrored, first>;
    uint32_t a[4][WarpTile::rows][4];
    unrolled<4>([&](auto p) {
      unrolled<WarpTile::rows>([&](auto i) {
        gpu::ldmatrix_x4(a[p][i],
                         panel + p * panel_pitch + lane / 16 * plane_pitch + (i * 16 + lane % 16) * words_per_pixel);
      });
    });
    unrolled<U::count>([&](auto i) {
      constexpr UnitProduct product = U::product(decltype(i)::value);
      constexpr int output = product.output, p = product.panel, m = product.entry;
      if constexpr (product.negative) {
        uint32_t negative[WarpTile::columns][2];
        unrolled<WarpTile::columns>([&](auto j) {
          negative[j][0] = b.word[m][j][0] ^ Self::signs;
          negative[j][1] = b.word[m][j][1] ^ Self::signs;
        });
        Self::tile(sum[output], a[p], negative);
      } else {
        Self::tile(sum[output], a[p], b.word[m]);
      }
    });
  }
};

struct Bf16Products : TensorProducts<Bf16Products> {
  using Value = Pair;
  static constexpr int fields = 2;  ///< of a word
  static constexpr uint32_t signs = 0x80008000u;
  static __device__ __forceinline__ Value load_word(uint32_t w) { return unpack_bf16(w); }
  static __device__ __forceinline__ uint32_t coefficient(Value v) { return gpu::pack_bf16(v.x, v.y); }
  static __device__ __forceinline__ uint32_t operand(Value v) { return gpu::pack_bf16(v.x, v.y); }
  static __device__ __forceinline__ void tile(float (&d)[2][3][4], uint32_t const (&a)[2][4],
                                              uint32_t const (&b)[3][2]) {
    gpu::mma_bf16_tile(d, a, b);
  }
};

/// One field in a word, kept as it is until it becomes an operand.
struct FloatWords {
  using Value = float;
  static constexpr int fields = 1;
  static constexpr uint32_t signs = 0x80000000u;
  static __device__ __forceinline__ Value load_word(uint32_t w) { return __uint_as_float(w); }
  static __device__ __forceinline__ uint32_t coefficient(Value v) { return __float_as_uint(v); }
};
struct Tf32Products : FloatWords, TensorProducts<Tf32Products> {
  static __device__ __forceinline__ uint32_t operand(Value v) { return gpu::to_tf32(v); }
  static __device__ __forceinline__ void tile(float (&d)[2][3][4], uint32_t const (&a)[2][4],
                                              uint32_t const (&b)[3][2]) {
    gpu::mma_tf32_tile(d, a, b);
  }
};

/// Multiply-adds in float32. A thread has the same sums as it would have of an mma: 4 pixels by 6 fields.
struct ExactProducts : FloatWords {
  static __device__ __forceinline__ uint32_t operand(Value v) { return __float_as_uint(v); }
  static __host__ __device__ constexpr int weight_word(int plane, int word, int entry, int field) {
    return ((plane * words_per_pixel + word) * 4 + entry) * WarpTile::fields + field;
  }
  struct Weights {};
  static __device__ __forceinline__ void load(Weights&, uint32_t const*, int) {}

  template <bool mirrored, bool first>
  static __device__ __forceinline__ void multiply(Sums& sum, Weights const&, uint32_t const* step,
                                                  uint32_t const* panel, int panel_pitch, int plane_pitch, int lane) {
    using U = UnitOf<mirrored, first>;
    float const* const weights = reinterpret_cast<float const*>(step) + lane % 4 * 2;
#pragma unroll 1
    for (int plane = 0; plane < 2; ++plane)
      unrolled<U::count>([&](auto i) {
        constexpr UnitProduct product = U::product(decltype(i)::value);
        constexpr int output = product.output, p = product.panel, m = product.entry;
        constexpr bool negative = product.negative;
        float4 a[WarpTile::rows][2];
        unrolled<WarpTile::rows>([&](auto row) {
          unrolled<2>([&](auto e) {
            a[row][e] = *reinterpret_cast<float4 const*>(panel + p * panel_pitch + plane * plane_pitch +
                                                         (row * 16 + e * 8 + lane / 4) * words_per_pixel);
          });
        });
        unrolled<words_per_pixel>([&](auto word) {
          float const* const b = weights + weight_word(plane, word, m, 0);
          unrolled<WarpTile::columns>([&](auto j) {
            float2 const w = __ldg(reinterpret_cast<float2 const*>(b + j * 8));
            unrolled<WarpTile::rows>([&](auto row) {
              unrolled<2>([&](auto e) {
                float const value = negative ? -component<decltype(word)::value>(a[row][e])
                                             : component<decltype(word)::value>(a[row][e]);
                float(&d)[4] = sum[output][row][j];
                d[2 * e] += value * w.x, d[2 * e + 1] += value * w.y;
              });
            });
          });
        });
      });
  }

 private:
  template <int i> static __device__ __forceinline__ float component(float4 v) {
    return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
  }
};

}  // namespace fourier
}  // namespace D16_GPU
}  // namespace d16::kernels
