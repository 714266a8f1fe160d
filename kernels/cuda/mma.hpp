// Matrix instructions and asynchronous copies: PTX under nvcc, the same fragments computed by the emulator elsewhere.
#pragma once
#include "gpu.hpp"

// Fragments, as the PTX ISA lays them out ("Matrix fragments for mma.m16n8k16" and "m16n8k8"), with g = lane / 4 and
// q = lane % 4:
//   A (16 x 16, bf16)  a[0]: row g,   columns 2q, 2q+1     a[1]: row g+8;   a[2], a[3]: the same rows, columns + 8
//   B (16 x 8, bf16)   b[0]: rows 2q, 2q+1, column g       b[1]: rows + 8
//   A (16 x 8, tf32)   a[0]: row g, column q   a[1]: row g+8   a[2]: row g, column q+4   a[3]: row g+8, column q+4
//   B (8 x 8, tf32)    b[0]: row q, column g   b[1]: row q+4
//   D (16 x 8, f32)    d[0], d[1]: row g, columns 2q, 2q+1   d[2], d[3]: row g+8

namespace d16::kernels {
namespace D16_GPU {

#if !defined(__CUDACC__)
namespace emulator {

struct Words4 {
  uint32_t word[4];
};
inline float low_half(uint32_t pair) { return std::bit_cast<float>(pair << 16); }
inline float high_half(uint32_t pair) { return std::bit_cast<float>(pair & 0xffff0000u); }

/// Lane l names row l % 8 of matrix l / 8; lane t gets of each matrix row t / 4, columns 2(t % 4) and + 1, or with
/// `transposed` column t / 4, rows 2(t % 4) and + 1.
template <int count, bool transposed> void combine_ldmatrix(Thread* lanes, unsigned present) {
  if (present != ~0u) fail("ldmatrix with lanes that have returned");
  Uncounted uncounted;  // each lane's row was counted where it was asked for
  uint16_t matrix[count][8][8];
  for (int i = 0; i < 8 * count; ++i) {
    void const* row;
    std::memcpy(&row, lanes[i].in, sizeof row);
    std::memcpy(matrix[i / 8][i % 8], row, sizeof matrix[0][0]);
  }
  for (int t = 0; t < 32; ++t) {
    Words4 out{};
    int const g = t / 4, q = 2 * (t % 4);
    for (int i = 0; i < count; ++i) {
      uint16_t const first = transposed ? matrix[i][q][g] : matrix[i][g][q];
      uint16_t const second = transposed ? matrix[i][q + 1][g] : matrix[i][g][q + 1];
      out.word[i] = uint32_t(first) | uint32_t(second) << 16;
    }
    std::memcpy(lanes[t].out, &out, sizeof out);
  }
}
template <int count, bool transposed>
__forceinline__ void load_matrices(uint32_t (&r)[count], void const* row, Place place) {
  if (int(lane()) < 8 * count) {
    if (reinterpret_cast<uintptr_t>(row) % 16) fail("ldmatrix: the address of a row is not a multiple of 16");
    check_shared(row, 16, "ldmatrix: a row is outside of dynamic shared memory");
    note_read(row, 16);  // the read below is the emulator's own
    count_matrix_row(row);
  }
  auto const out = warp_operation<Words4>(~0u, Wait::ldmatrix, place, row, combine_ldmatrix<count, transposed>);
  for (int i = 0; i < count; ++i) r[i] = out.word[i];
}

/// Where a lane keeps its fragments of a tile of MT x NT products: registers on a GPU, its stack here.
struct Fragments {
  float* d;
  uint32_t const *a, *b;
};
/// A product's shape: rows 16, columns 8, depth K; how a word of a fragment unpacks into the matrix.
struct Bf16Shape {
  static constexpr int depth = 16;
  static void put_a(float (*A)[depth], uint32_t word, int g, int q, int part) {
    float* const at = &A[g + 8 * (part & 1)][2 * q + 8 * (part >> 1)];
    at[0] = low_half(word), at[1] = high_half(word);
  }
  static void put_b(float (*B)[8], uint32_t word, int g, int q, int part) {
    B[2 * q + 8 * part][g] = low_half(word), B[2 * q + 1 + 8 * part][g] = high_half(word);
  }
};
struct Tf32Shape {
  static constexpr int depth = 8;
  static float rounded(uint32_t word) { return std::bit_cast<float>(word & 0xffffe000u); }  // 10 bits of fraction count
  static void put_a(float (*A)[depth], uint32_t word, int g, int q, int part) {
    A[g + 8 * (part & 1)][q + 4 * (part >> 1)] = rounded(word);
  }
  static void put_b(float (*B)[8], uint32_t word, int g, int q, int part) { B[q + 4 * part][g] = rounded(word); }
};
template <class S, int MT, int NT> void combine_mma(Thread* lanes, unsigned present) {
  if (present != ~0u) fail("mma with lanes that have returned");
  typedef float Row __attribute__((vector_size(8 * sizeof(float))));
  constexpr int K = S::depth;
  float A[16 * MT][K];
  alignas(32) float B[NT][K][8];
  Fragments of_lane[32];
  for (int t = 0; t < 32; ++t) {
    std::memcpy(&of_lane[t], lanes[t].in, sizeof of_lane[t]);
    for (int i = 0; i < MT; ++i)
      for (int part = 0; part < 4; ++part) S::put_a(A + 16 * i, of_lane[t].a[4 * i + part], t / 4, t % 4, part);
    for (int j = 0; j < NT; ++j)
      for (int part = 0; part < 2; ++part) S::put_b(B[j], of_lane[t].b[2 * j + part], t / 4, t % 4, part);
  }
  for (int j = 0; j < NT; ++j)
    for (int row = 0; row < 16 * MT; ++row) {
      Row sum = {}, b;
      for (int k = 0; k < K; ++k) {
        std::memcpy(&b, B[j][k], sizeof b);
        sum += A[row][k] * b;
      }
      float const* const d = reinterpret_cast<float const*>(&sum);
      for (int q = 0; q < 4; ++q) {
        float* const to = of_lane[row % 8 * 4 + q].d + (row / 16 * NT + j) * 4 + row % 16 / 8 * 2;
        to[0] += d[2 * q], to[1] += d[2 * q + 1];
      }
    }
}
template <class S, int MT, int NT> void multiply(float* d, uint32_t const* a, uint32_t const* b, Place place) {
  warp_operation<int>(~0u, Wait::mma, place, Fragments{d, a, b}, combine_mma<S, MT, NT>);
}

}  // namespace emulator
#endif

namespace gpu {

#if defined(__CUDACC__)
__device__ __forceinline__ uint32_t shared_address(void const* p) { return uint32_t(__cvta_generic_to_shared(p)); }

/// d += A B for one 16 x 8 tile: bf16 with depth 16, tf32 with depth 8; float accumulation.
__device__ __forceinline__ void mma_bf16(float (&d)[4], uint32_t const (&a)[4], uint32_t const (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void mma_tf32(float (&d)[4], uint32_t const (&a)[4], uint32_t const (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
/// The same for a warp's tile of MT x NT products. Kernels call these: on the emulator the lanes then meet once for
/// all.
template <int MT, int NT> __device__ __forceinline__ void mma_bf16_tile(float (&d)[MT][NT][4],
                                                                        uint32_t const (&a)[MT][4],
                                                                        uint32_t const (&b)[NT][2]) {
#pragma unroll
  for (int i = 0; i < MT; ++i)
#pragma unroll
    for (int j = 0; j < NT; ++j) mma_bf16(d[i][j], a[i], b[j]);
}
template <int MT, int NT> __device__ __forceinline__ void mma_tf32_tile(float (&d)[MT][NT][4],
                                                                        uint32_t const (&a)[MT][4],
                                                                        uint32_t const (&b)[NT][2]) {
#pragma unroll
  for (int i = 0; i < MT; ++i)
#pragma unroll
    for (int j = 0; j < NT; ++j) mma_tf32(d[i][j], a[i], b[j]);
}
/// The float with 10 bits of fraction that is nearest, ties away from zero.
__device__ __forceinline__ uint32_t to_tf32(float x) {
  uint32_t word;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(word) : "f"(x));
  return word;
}

/// 8 x 8 matrices of 16-bit elements from shared memory. Lane l gives the address of row l % 8 of matrix l / 8, a
/// multiple of 16 bytes; each matrix lands as a fragment: row g, columns 2q and 2q+1, or transposed.
__device__ __forceinline__ void ldmatrix_x4(uint32_t (&r)[4], void const* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3},[%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
__device__ __forceinline__ void ldmatrix_x4_trans(uint32_t (&r)[4], void const* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3},[%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
__device__ __forceinline__ void ldmatrix_x2(uint32_t (&r)[2], void const* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1},[%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(row))
               : "memory");
}
__device__ __forceinline__ void ldmatrix_x2_trans(uint32_t (&r)[2], void const* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1},[%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(row))
               : "memory");
}

/// Copies 4, 8 or 16 bytes from global to shared memory without a register; zeros when not valid (`from` is then not
/// read, but must be an address). Both addresses are multiples of the size. The data is there for this thread after a
/// cp_async_wait, for others after a barrier behind it.
template <int bytes> __device__ __forceinline__ void cp_async(void* to, void const* from, bool valid = true) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16);
  if constexpr (bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from),
                 "r"(valid ? 16 : 0)
                 : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(to)), "l"(from), "n"(bytes),
                 "r"(valid ? bytes : 0)
                 : "memory");
}
/// The first `count` of 16 bytes, a multiple of 2; zeros for the others.
__device__ __forceinline__ void cp_async_first(void* to, void const* from, int count) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(count)
               : "memory");
}
__device__ __forceinline__ void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/// Waits until at most the `keep` youngest groups of this thread are on their way.
template <int keep> __device__ __forceinline__ void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(keep) : "memory");
}
#else
inline void mma_bf16(float (&d)[4], uint32_t const (&a)[4], uint32_t const (&b)[2], Place place = Place::here()) {
  emulator::multiply<emulator::Bf16Shape, 1, 1>(d, a, b, place);
}
inline void mma_tf32(float (&d)[4], uint32_t const (&a)[4], uint32_t const (&b)[2], Place place = Place::here()) {
  emulator::multiply<emulator::Tf32Shape, 1, 1>(d, a, b, place);
}
template <int MT, int NT> void mma_bf16_tile(float (&d)[MT][NT][4], uint32_t const (&a)[MT][4],
                                             uint32_t const (&b)[NT][2], Place place = Place::here()) {
  emulator::multiply<emulator::Bf16Shape, MT, NT>(&d[0][0][0], &a[0][0], &b[0][0], place);
}
template <int MT, int NT> void mma_tf32_tile(float (&d)[MT][NT][4], uint32_t const (&a)[MT][4],
                                             uint32_t const (&b)[NT][2], Place place = Place::here()) {
  emulator::multiply<emulator::Tf32Shape, MT, NT>(&d[0][0][0], &a[0][0], &b[0][0], place);
}
inline uint32_t to_tf32(float x) { return x != x ? 0x7fffe000u : (__float_as_uint(x) + 0x1000u) & 0xffffe000u; }
__forceinline__ void ldmatrix_x4(uint32_t (&r)[4], void const* row, Place place = Place::here()) {
  emulator::load_matrices<4, false>(r, row, place);
}
__forceinline__ void ldmatrix_x4_trans(uint32_t (&r)[4], void const* row, Place place = Place::here()) {
  emulator::load_matrices<4, true>(r, row, place);
}
__forceinline__ void ldmatrix_x2(uint32_t (&r)[2], void const* row, Place place = Place::here()) {
  emulator::load_matrices<2, false>(r, row, place);
}
__forceinline__ void ldmatrix_x2_trans(uint32_t (&r)[2], void const* row, Place place = Place::here()) {
  emulator::load_matrices<2, true>(r, row, place);
}
template <int bytes> __forceinline__ void cp_async(void* to, void const* from, bool valid = true) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16);
  emulator::async_copy(to, from, bytes, valid ? bytes : 0);
}
__forceinline__ void cp_async_first(void* to, void const* from, int count) {
  emulator::async_copy(to, from, 16, unsigned(count));
}
inline void cp_async_commit() { emulator::async_commit(); }
template <int keep> void cp_async_wait() { emulator::async_wait(keep); }
#endif
__device__ __forceinline__ void cp_async16(void* to, void const* from, bool valid = true) {
  cp_async<16>(to, from, valid);
}

}  // namespace gpu
}  // namespace D16_GPU
}  // namespace d16::kernels
