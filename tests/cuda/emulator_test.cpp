// The CUDA emulator: right kernels give right values in every order of threads, wrong ones are found and named.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <d16/kernels/cuda/mma.hpp>

namespace d16::kernels {
namespace emulated {
namespace {

using emulator::settings;
using emulator::Settings;

/// Runs f under every order of threads, with copies that land late and early.
void in_all_orders(std::function<void()> const& f) {
  Settings const before = settings();
  for (auto order : {Settings::Order::forward, Settings::Order::reverse, Settings::Order::random})
    for (bool late : {true, false}) {
      settings().order = order, settings().late = late;
      INFO("order ", int(order), ", late ", late);
      f();
    }
  settings() = before;
}

/// The message of the error with which a launch ends; empty when it does not.
template <class K, class... A> std::string fault(K kernel, int threads, size_t shared, A... args) {
  try {
    gpu::launch(kernel, dim3(1), dim3(unsigned(threads)), shared, nullptr, args...);
  } catch (DeviceError const& error) {
    return error.what();
  }
  return "";
}
bool has(std::string const& text, std::string const& part) { return text.find(part) != text.npos; }

__global__ void reverse(int const* x, int* y, bool with_barrier) {
  gpu::Smem smem;
  int* const a = smem.take<int>(64);
  int const t = int(threadIdx.x);
  a[t] = x[t];
  if (with_barrier) __syncthreads();
  y[t] = a[63 - t];
}

__global__ void divergent(int* y) {
  if (threadIdx.x < 40) __syncthreads();
  else {
    y[threadIdx.x] = 1;
    __syncthreads();
  }
}
__global__ void barrier_against_shuffle(int* y) {
  if (threadIdx.x < 48) __syncthreads();
  else y[0] = __shfl_sync(~0u, 1, 0);
}
__global__ void early_return(int* y) {
  if (threadIdx.x >= 40) return;
  __syncthreads();
  y[threadIdx.x] = 1;
}
__global__ void two_operations(int* y) {
  int value = int(threadIdx.x);
  if (value % 2) value = __shfl_xor_sync(~0u, value, 1);
  else value = int(__ballot_sync(~0u, 1));
  y[threadIdx.x] = value;
}
__global__ void takes_too_much(int* y) {
  gpu::Smem smem;
  y[threadIdx.x] = smem.take<int>(65) != nullptr;
}
__global__ void asks_an_absent_lane(int* y) { y[threadIdx.x] = __shfl_sync(0xffu, 1, int(8)); }
__global__ void copies_to_odd_address(float const* x) {
  gpu::Smem smem;
  gpu::cp_async16(smem.take<float>(8) + 1, x);
}
__global__ void copies_to_global(float const* x, float* y) { gpu::cp_async16(y, x); }

__global__ void forgets_to_wait(float const* x, float* y) {
  gpu::Smem smem;
  float* const a = smem.take<float>(128);
  gpu::cp_async16(a + 4 * threadIdx.x, x + 4 * threadIdx.x);
  gpu::cp_async_commit();
  __syncthreads();
  y[threadIdx.x] = a[127 - threadIdx.x];
}
__global__ void fails_in_one_block(int* y) {
  gpu::Smem smem;
  if (blockIdx.x == 5) smem.take<int>(1000);
  if (threadIdx.x == 0) y[blockIdx.x] = 1;
}

struct Shuffles {
  int from[32], up[32], down[32], across[32], any[32], all[32];
  unsigned ballot[32];
};
__global__ void shuffles(Shuffles* out) {
  int const lane = int(threadIdx.x);
  out->from[lane] = __shfl_sync(~0u, lane, 5, 8);
  out->up[lane] = __shfl_up_sync(~0u, lane, 3, 16);
  out->down[lane] = __shfl_down_sync(~0u, lane, 3, 16);
  out->across[lane] = __shfl_xor_sync(~0u, lane, 6);
  out->ballot[lane] = __ballot_sync(~0u, lane % 3 == 0);
  out->any[lane] = __any_sync(~0u, lane == 7);
  out->all[lane] = __all_sync(~0u, lane == 7);
}

__global__ void count_visits(int* visits, int* total) {
  dim3 const& g = gridDim;
  dim3 const& b = blockDim;
  unsigned const block = (blockIdx.z * g.y + blockIdx.y) * g.x + blockIdx.x;
  unsigned const thread = (threadIdx.z * b.y + threadIdx.y) * b.x + threadIdx.x;
  visits[block * b.x * b.y * b.z + thread] += 1;
  atomicAdd(total, 1);
}

/// The first warp makes numbers, the second doubles them: they meet at barriers 1 and 2, twice.
__global__ void hand_over(int* y) {
  gpu::Smem smem;
  int* const box = smem.take<int>(32);
  int const lane = int(threadIdx.x % 32);
  for (int round = 0; round < 2; ++round)
    if (threadIdx.x < 32) {
      box[31 - lane] = lane + round;
      gpu::named_barrier(1, 64);
      gpu::named_barrier(2, 64);
    } else {
      gpu::named_barrier(1, 64);
      y[32 * round + lane] = 2 * box[lane];
      gpu::named_barrier(2, 64);
    }
}

constexpr int M = 32, N = 16, K = 16;

/// One warp, D (32,16) = A (32,16) B (16,16), A and B in shared memory, row-major: two by two tiles.
__global__ void multiply_bf16(bf16 const* A, bf16 const* B, float* D, bool in_pairs) {
  gpu::Smem smem;
  bf16* const a_shared = smem.take<bf16>(M * K);
  bf16* const b_shared = smem.take<bf16>(K * N);
  int const lane = int(threadIdx.x);
  for (int i = lane; i < M * K / 8; i += 32) gpu::cp_async16(a_shared + 8 * i, A + 8 * i);
  for (int i = lane; i < K * N / 4; i += 32) gpu::cp_async<8>(b_shared + 4 * i, B + 4 * i);
  gpu::cp_async_commit();
  gpu::cp_async_wait<0>();
  __syncwarp();
  uint32_t a[2][4], b[2][2];
  float d[2][2][4] = {};
  for (int i = 0; i < 2; ++i) gpu::ldmatrix_x4(a[i], a_shared + (16 * i + lane % 16) * K + lane / 16 * 8);
  if (in_pairs) {
    uint32_t both[4];
    gpu::ldmatrix_x4_trans(both, b_shared + lane % 16 * N + lane / 16 * 8);
    b[0][0] = both[0], b[0][1] = both[1], b[1][0] = both[2], b[1][1] = both[3];
  } else {
    for (int j = 0; j < 2; ++j) gpu::ldmatrix_x2_trans(b[j], b_shared + lane % 16 * N + 8 * j);
  }
  gpu::mma_bf16_tile(d, a, b);
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 2; ++j)
      for (int q = 0; q < 4; ++q) D[(16 * i + lane / 4 + q / 2 * 8) * N + 8 * j + lane % 4 * 2 + q % 2] = d[i][j][q];
}
/// One warp, D (16,8) = A (16,8) B (8,8), tf32.
__global__ void multiply_tf32(float const* A, float const* B, float* D) {
  int const g = int(threadIdx.x) / 4, q = int(threadIdx.x) % 4;
  uint32_t const a[4] = {gpu::to_tf32(A[g * 8 + q]), gpu::to_tf32(A[(g + 8) * 8 + q]), gpu::to_tf32(A[g * 8 + q + 4]),
                         gpu::to_tf32(A[(g + 8) * 8 + q + 4])};
  uint32_t const b[2] = {gpu::to_tf32(B[q * 8 + g]), gpu::to_tf32(B[(q + 4) * 8 + g])};
  float d[4] = {};
  gpu::mma_tf32(d, a, b);
  for (int i = 0; i < 4; ++i) D[(g + i / 2 * 8) * 8 + 2 * q + i % 2] = d[i];
}
/// The fragments of two 8 x 8 matrices that follow each other in memory.
__global__ void read_fragments(uint16_t const* x, uint32_t* plain, uint32_t* transposed) {
  gpu::Smem smem;
  uint16_t* const a = smem.take<uint16_t>(128);
  for (int i = int(threadIdx.x); i < 128; i += 32) a[i] = x[i];
  __syncwarp();
  uint32_t r[2];
  gpu::ldmatrix_x2(r, a + threadIdx.x % 16 * 8);
  plain[2 * threadIdx.x] = r[0], plain[2 * threadIdx.x + 1] = r[1];
  gpu::ldmatrix_x2_trans(r, a + threadIdx.x % 16 * 8);
  transposed[2 * threadIdx.x] = r[0], transposed[2 * threadIdx.x + 1] = r[1];
}

}  // namespace
}  // namespace emulated
}  // namespace d16::kernels

using namespace d16::kernels;
using d16::bf16;

TEST_CASE("emulator: a kernel with a barrier is right in every order, without it wrong in some") {
  std::vector<int> x(64), y(64);
  for (int i = 0; i < 64; ++i) x[size_t(i)] = 3 * i;
  auto wrong = [&](bool with_barrier) {
    std::fill(y.begin(), y.end(), -1);
    gpu::launch(reverse, dim3(1), dim3(64), gpu::Smem::bytes<int>(64), nullptr, x.data(), y.data(), with_barrier);
    int count = 0;
    for (int i = 0; i < 64; ++i) count += y[size_t(i)] != 3 * (63 - i);
    return count;
  };
  int found = 0;
  in_all_orders([&] {
    CHECK(wrong(true) == 0);
    if constexpr (!emulator::tsan) found += wrong(false) != 0;
  });
  if constexpr (!emulator::tsan) CHECK(found == 6);
}

TEST_CASE("emulator: what no GPU allows ends the launch with an error that says where each thread was") {
  std::vector<int> y(64);
  std::vector<float> x(64);
  in_all_orders([&] {
    std::string const text = fault(divergent, 64, 0, y.data());
    CHECK(has(text, "divergent __syncthreads"));
    CHECK(has(text, "emulator_test.cpp:"));
    CHECK(has(fault(barrier_against_shuffle, 64, 0, y.data()), "deadlock"));
    CHECK(has(fault(two_operations, 32, 0, y.data()), "divergent warp operation"));
    CHECK(has(fault(takes_too_much, 32, 256, y.data()), "less dynamic shared memory"));
    CHECK(has(fault(asks_an_absent_lane, 8, 0, y.data()), "takes no part"));
    CHECK(has(fault(copies_to_odd_address, 1, 64, x.data()), "multiple of the size"));
    CHECK(has(fault(copies_to_global, 1, 64, x.data(), x.data()), "outside of dynamic shared memory"));
  });
  CHECK(has(fault(reverse, 0, 0, y.data(), y.data(), true), "invalid launch"));
  CHECK(has(fault(reverse, 1025, 0, y.data(), y.data(), true), "invalid launch"));
  CHECK(has(fault(reverse, 64, 300000, y.data(), y.data(), true), "invalid launch"));
}

TEST_CASE("emulator: a thread that returns before a barrier is an error unless that is allowed") {
  std::vector<int> y(64);
  in_all_orders([&] {
    CHECK(has(fault(early_return, 64, 0, y.data()), "use a condition, not a return"));
    settings().strict = false;
    CHECK(fault(early_return, 64, 0, y.data()).empty());
    settings().strict = true;
  });
}

TEST_CASE("emulator: after an error, and beside it, other blocks and launches go on") {
  std::vector<int> y(64, 0);
  int const before = d16::threads();
  for (int threads : {1, 3}) {
    d16::set_threads(threads);
    CHECK_THROWS_AS(gpu::launch(fails_in_one_block, dim3(64), dim3(32), 16, nullptr, y.data()), d16::DeviceError);
    CHECK(y[0] == 1);
    CHECK(y[5] == 0);
    std::vector<int> x(64, 7), z(64);
    gpu::launch(reverse, dim3(1), dim3(64), 256, nullptr, x.data(), z.data(), true);
    CHECK(z == x);
  }
  d16::set_threads(before);
}

TEST_CASE("emulator: a forgotten wait shows when copies land late, and only then") {
  std::vector<float> x(128, 1), y(32);
  auto run = [&] {
    gpu::launch(forgets_to_wait, dim3(1), dim3(32), 512, nullptr, x.data(), y.data());
    return std::isnan(y[0]);
  };
  Settings const before = settings();
  settings().late = true;
  CHECK(run());
  settings().late = false;
  CHECK_FALSE(run());
  settings() = before;
}

TEST_CASE("emulator: shuffles and votes") {
  in_all_orders([] {
    Shuffles out;
    gpu::launch(shuffles, dim3(1), dim3(32), 0, nullptr, &out);
    for (int lane = 0; lane < 32; ++lane) {
      int const group = lane / 16 * 16;
      CHECK(out.from[lane] == lane / 8 * 8 + 5);
      CHECK(out.up[lane] == (lane - 3 < group ? lane : lane - 3));
      CHECK(out.down[lane] == (lane + 3 > group + 15 ? lane : lane + 3));
      CHECK(out.across[lane] == (lane ^ 6));
      CHECK(out.ballot[lane] == 0x49249249u);
      CHECK(out.any[lane] == 1);
      CHECK(out.all[lane] == 0);
    }
  });
}

TEST_CASE("emulator: every thread of every block runs once, atomics lose nothing") {
  int const before = d16::threads();
  d16::set_threads(3);
  in_all_orders([] {
    std::vector<int> visits(3 * 2 * 5 * 4 * 3 * 2, 0);
    int total = 0;
    gpu::launch(count_visits, dim3(3, 2, 5), dim3(4, 3, 2), 0, nullptr, visits.data(), &total);
    CHECK(visits == std::vector<int>(visits.size(), 1));
    CHECK(total == int(visits.size()));
  });
  d16::set_threads(before);
}

TEST_CASE("emulator: named barriers") {
  in_all_orders([] {
    std::vector<int> y(64);
    gpu::launch(hand_over, dim3(1), dim3(64), gpu::Smem::bytes<int>(32), nullptr, y.data());
    for (int i = 0; i < 64; ++i) CHECK(y[size_t(i)] == 2 * (31 - i % 32 + i / 32));
  });
}

TEST_CASE("emulator: matrix instructions multiply matrices") {  // small integers: exact
  std::vector<bf16> A(M * K), B(K * N);
  for (size_t i = 0; i < A.size(); ++i) A[i] = bf16(float(int(i * 37 % 11) - 5));
  for (size_t i = 0; i < B.size(); ++i) B[i] = bf16(float(int(i * 29 % 13) - 6));
  std::vector<float> D(M * N), F(128), G(64), E(128);
  for (size_t i = 0; i < F.size(); ++i) F[i] = float(int(i * 37 % 11) - 5);
  for (size_t i = 0; i < G.size(); ++i) G[i] = float(int(i * 29 % 13) - 6);
  size_t const shared = gpu::Smem::bytes<bf16>(M * K) + gpu::Smem::bytes<bf16>(K * N);
  in_all_orders([&] {
    for (bool in_pairs : {false, true}) {
      gpu::launch(multiply_bf16, dim3(1), dim3(32), shared, nullptr, A.data(), B.data(), D.data(), in_pairs);
      for (int i = 0; i < M; ++i)
        for (int j = 0; j < N; ++j) {
          float sum = 0;
          for (int k = 0; k < K; ++k) sum += float(A[size_t(i * K + k)]) * float(B[size_t(k * N + j)]);
          CHECK(D[size_t(i * N + j)] == sum);
        }
    }
    gpu::launch(multiply_tf32, dim3(1), dim3(32), 0, nullptr, F.data(), G.data(), E.data());
    for (int i = 0; i < 16; ++i)
      for (int j = 0; j < 8; ++j) {
        float sum = 0;
        for (int k = 0; k < 8; ++k) sum += F[size_t(i * 8 + k)] * G[size_t(k * 8 + j)];
        CHECK(E[size_t(i * 8 + j)] == sum);
      }
  });
}

TEST_CASE("emulator: fragments of ldmatrix, plain and transposed") {
  std::vector<uint16_t> x(128);
  for (size_t i = 0; i < x.size(); ++i) x[i] = uint16_t(i);
  std::vector<uint32_t> plain(64), transposed(64);
  gpu::launch(read_fragments, dim3(1), dim3(32), 256, nullptr, x.data(), plain.data(), transposed.data());
  for (uint32_t lane = 0; lane < 32; ++lane)
    for (uint32_t matrix = 0; matrix < 2; ++matrix) {
      uint32_t const g = lane / 4, q = lane % 4 * 2, base = 64 * matrix;
      CHECK(plain[2 * lane + matrix] == ((base + 8 * g + q) | (base + 8 * g + q + 1) << 16));
      CHECK(transposed[2 * lane + matrix] == ((base + 8 * q + g) | (base + 8 * (q + 1) + g) << 16));
    }
}

TEST_CASE("emulator: tf32 keeps 10 bits, bfloat16 rounds to nearest even") {
  CHECK(gpu::to_tf32(1.0f + 0x1p-11f) == __float_as_uint(1.0f + 0x1p-10f));  // a tie goes away from zero
  CHECK(gpu::to_tf32(1.0f + 0x1p-12f) == __float_as_uint(1.0f));
  CHECK(gpu::pack_bf16(1.0f + 0x1p-8f, -2.0f) == 0xC0003F80u);
  CHECK(gpu::pack_bf16(1.0f + 3 * 0x1p-8f, 0.0f) == 0x00003F82u);
}
