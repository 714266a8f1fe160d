// The matrix product on every instruction set against three loops in double, and its independence of threads.
#include <doctest/doctest.h>

#include <cstring>

#include <d16/kernels/cpu/gemm.hpp>
#include <d16/kernels/cpu/sum_rows.hpp>
#include <d16/kernels/reference/gemm.hpp>

#include "isas.hpp"

using namespace d16;
using namespace d16::testing;
using kernels::Gemm;

namespace {

struct Sizes {
  int M, N, K;
};
// one tile, less than one, whole tiles, remainders of a few columns, several blocks of k, long k for a small c, nothing
constexpr Sizes all_sizes[] = {{1, 1, 1},     {3, 5, 7},       {24, 48, 256}, {25, 49, 257}, {13, 8, 600},
                               {100, 24, 33}, {7, 17, 29},     {1, 100, 100}, {241, 3, 19},  {64, 96, 3000},
                               {7, 3, 5003},  {30, 400, 2100}, {129, 37, 1},  {5, 31, 0},    {49, 113, 97}};

/// One call on an instruction set and by the reference. Rows have `gap` more elements in memory than they need.
template <class T>
void compare(kernels::cpu::Isa isa, Sizes s, bool trans_a, bool trans_b, bool bias, bool accumulate, int gap) {
  INFO(name(isa), " M ", s.M, " N ", s.N, " K ", s.K, " transposed ", trans_a, trans_b, " accumulate ", accumulate,
       " gap ", gap);
  Gemm<T> g{.M = s.M, .N = s.N, .K = s.K, .trans_a = trans_a, .trans_b = trans_b};
  g.lda = int(g.row_of_a()) + gap, g.ldb = int(g.row_of_b()) + gap, g.ldc = s.N + gap;
  auto a = random_values<T>(int64_t(trans_a ? s.K : s.M) * g.lda, 1),
       b = random_values<T>(int64_t(trans_b ? s.N : s.K) * g.ldb, 2);
  auto row = random_values<T>(s.N, 3), c = random_values<T>(int64_t(s.M) * g.ldc, 4), expected = c;
  g.a = a.data(), g.b = b.data(), g.bias = bias ? row.data() : nullptr, g.accumulate = accumulate;
  g.c = expected.data();
  CHECK(kernels::reference::gemm(g) == kernels::ok);
  Work work(kernels::cpu::gemm_work_bytes(g));
  g.c = c.data(), g.work = work.data();
  CHECK(kernels::cpu::gemm_on(isa, g) == kernels::ok);
  CHECK(error(c, expected, s.K + 1) <= 1);  // the gaps between rows are compared too: nobody may write there
}

}  // namespace

TEST_CASE("gemm: every instruction set, transposition and remainder") {
  for (auto isa : isas())
    for (Sizes s : all_sizes)
      for (int i = 0; i < 4; ++i) {
        compare<float>(isa, s, i & 1, i & 2, i == 0, i == 1, 3 * i);
        compare<double>(isa, s, i & 1, i & 2, i == 3, i == 2, 7 - i);
      }
}

TEST_CASE("gemm: the same bits on one, two and three threads") {
  for (Sizes s : {Sizes{300, 200, 300}, {64, 200, 9000}, {40, 1000, 100}}) {
    auto a = random_values<float>(int64_t(s.M) * s.K, 1), b = random_values<float>(int64_t(s.K) * s.N, 2);
    std::vector<float> c(size_t(s.M) * s.N), first;
    Gemm<float> g{.M = s.M, .N = s.N, .K = s.K, .a = a.data(), .b = b.data(), .c = c.data()};
    for (int count : {1, 2, 3}) {
      set_threads(count);
      Work work(kernels::cpu::gemm_work_bytes(g));
      g.work = work.data();
      kernels::cpu::gemm(g);
      if (count == 1) first = c;
      CHECK(std::memcmp(c.data(), first.data(), c.size() * sizeof(float)) == 0);
    }
    set_threads(0);
  }
}

TEST_CASE("gemm: an infinity or NaN of a spoils its own row only, one of b its own column") {
  int const M = 31, N = 53, K = 40;
  for (auto isa : isas()) {
    INFO(name(isa));
    auto a = random_values<float>(M * K, 1), b = random_values<float>(K * N, 2);
    a[17 * K + 39] = NAN, b[5 * N + 50] = INFINITY;
    std::vector<float> c(M * N);
    Gemm<float> g{.M = M, .N = N, .K = K, .a = a.data(), .b = b.data(), .c = c.data()};
    Work work(kernels::cpu::gemm_work_bytes(g));
    g.work = work.data();
    kernels::cpu::gemm_on(isa, g);
    for (int m = 0; m < M; ++m)
      for (int n = 0; n < N; ++n) CHECK(std::isfinite(c[m * N + n]) == (m != 17 && n != 50));
  }
}

TEST_CASE("sum_rows: in double over chunks, whatever their number") {
  for (int64_t rows : {1, 255, 257, 20000})
    for (int C : {1, 3, 19}) {
      auto x = random_values<float>(rows * C, 5);
      std::vector<float> got(static_cast<size_t>(C)), expected(static_cast<size_t>(C));
      for (int c = 0; c < C; ++c) {
        double sum = 0;
        for (int64_t r = 0; r < rows; ++r) sum += x[size_t(r * C + c)];
        expected[size_t(c)] = float(sum);
      }
      Work work(kernels::cpu::detail::sum_rows_work(rows, C));
      kernels::cpu::detail::sum_rows(x.data(), rows, C, got.data(), work.data());
      CHECK(error(got, expected, terms_in_double<float>(double(rows))) <= 1);
    }
}
