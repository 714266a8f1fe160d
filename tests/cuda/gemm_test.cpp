// The matrix product for GPUs, run by the emulator: all transpositions, precisions, tiles and remainders against
// loops in double; orders of threads.
#include <doctest/doctest.h>

#include <d16/kernels/cuda/gemm.cuh>
#include <d16/kernels/reference/gemm.hpp>

#include "dense.hpp"

using namespace d16;
using namespace d16::testing;
using kernels::Gemm;

namespace {

struct Sizes {
  int M, N, K;
};
struct Options {
  bool trans_a = false, trans_b = false, bias = false, accumulate = false;
  int gap = 0;  // rows have that many more elements in memory than they need
  Precision precision = Precision::float32;
};

template <class T> struct Case {
  Gemm<T> g;
  std::vector<T> a, b, row, c;

  Case(Sizes s, Options o) {
    g = {.M = s.M, .N = s.N, .K = s.K, .trans_a = o.trans_a, .trans_b = o.trans_b};
    g.lda = int(g.row_of_a()) + o.gap, g.ldb = int(g.row_of_b()) + o.gap, g.ldc = s.N + o.gap;
    g.accumulate = o.accumulate, g.precision = o.precision;
    a = random_values<T>(int64_t(o.trans_a ? s.K : s.M) * g.lda, 1);
    b = random_values<T>(int64_t(o.trans_b ? s.N : s.K) * g.ldb, 2);
    row = random_values<T>(s.N, 3), c = random_values<T>(int64_t(s.M) * g.ldc, 4);
    g.bias = o.bias ? row.data() : nullptr;
  }
  /// The product of the rounded factors, by the reference.
  std::vector<T> expected() const {
    auto x = rounded(a, g.precision), y = rounded(b, g.precision), out = c;
    Gemm<T> r = g;
    r.a = x.data(), r.b = y.data(), r.c = out.data();
    CHECK(kernels::reference::gemm(r) == kernels::ok);
    return out;
  }
  std::vector<T> got() const {
    std::vector<T> out = c;
    Gemm<T> r = g;
    r.a = a.data(), r.b = b.data(), r.c = out.data();
    Work work(kernels::gemm_work_bytes(r));
    r.work = work.data();
    CHECK(kernels::gemm(r) == kernels::ok);
    return out;
  }
};

/// Rounded factors have exact products in float32, so that only the sum's K + 1 roundings are left. The gaps between
/// rows are compared too: nobody may write there.
template <class T> void compare(Sizes s, Options o) {
  INFO("M ", s.M, " N ", s.N, " K ", s.K, " transposed ", o.trans_a, o.trans_b, " gap ", o.gap, " ",
       name_of(o.precision));
  Case<T> const c(s, o);
  CHECK(error(c.got(), c.expected(), s.K + 1) <= 1);
}

constexpr Precision precisions[] = {Precision::float32, Precision::tf32, Precision::bfloat16};
// one element, less than a tile, whole narrow tiles, remainders, a deep sum in parts, no sum at all
constexpr Sizes all_sizes[] = {{1, 1, 1},    {3, 5, 7},  {128, 64, 64}, {131, 67, 37},
                               {7, 3, 2003}, {5, 31, 0}, {1, 100, 100}};

}  // namespace

TEST_CASE("cuda gemm: every transposition, precision and remainder") {
  for (Sizes s : all_sizes)
    for (int i = 0; i < 4; ++i) {
      bool const trans_a = i & 1, trans_b = i & 2;
      for (auto precision : precisions)
        compare<float>(s, {trans_a, trans_b, i == 0, i == 1, i % 2 ? 4 * i : i, precision});
      compare<double>(s, {trans_a, trans_b, i == 3, i == 2, 7 - i});
    }
}

TEST_CASE("cuda gemm: large tiles") {
  Sizes const s{1300, 1410, 40};
  CHECK(kernels::dense::takes_large<kernels::dense::Exact<float>>({.M = s.M, .N = s.N, .K = s.K}));
  for (auto precision : precisions)
    compare<float>(s, {.trans_b = precision == Precision::tf32, .precision = precision});
}

TEST_CASE("cuda gemm: bf16 matrices, at addresses of every alignment") {
  for (Sizes s : {Sizes{33, 24, 40}, Sizes{17, 65, 71}})
    for (int i = 0; i < 4; ++i)
      for (int offset : {0, 1}) {
        INFO("M ", s.M, " N ", s.N, " K ", s.K, " transposed ", i, " offset ", offset);
        auto const a = to_bf16(random_values<float>(s.M * s.K + 1, 1)), b = to_bf16(random_values<float>(s.K * s.N, 2));
        auto const wide_a = to_float(a), wide_b = to_float(b);
        std::vector<bf16> c(size_t(s.M) * s.N);
        std::vector<float> expected(c.size());
        Gemm<bf16> g{.M = s.M, .N = s.N, .K = s.K, .trans_a = bool(i & 1), .trans_b = bool(i & 2)};
        g.a = a.data() + offset, g.b = b.data(), g.c = c.data();
        Work work(kernels::gemm_work_bytes(g));
        g.work = work.data();
        CHECK(kernels::gemm(g) == kernels::ok);
        Gemm<float> r{.M = s.M, .N = s.N, .K = s.K, .trans_a = g.trans_a, .trans_b = g.trans_b};
        r.a = wide_a.data() + offset, r.b = wide_b.data(), r.c = expected.data();
        kernels::reference::gemm(r);
        CHECK(error_of_bf16(c, expected, s.K + 1) <= 1);
      }
}

TEST_CASE("cuda gemm: a product of bf16 and float32, which is rounded, and one of bf16 with a float32 result") {
  for (int N : {24, 22, 21})
    for (int K : {40, 1500}) {  // the sum in one piece and in parts
      int const M = 33;
      INFO("N ", N, " K ", K);
      auto const a = to_bf16(random_values<float>(M * K, 1)), b = to_bf16(random_values<float>(K * N, 2));
      auto const w = random_values<float>(K * N, 3), bias = random_values<float>(N, 4);
      auto const wide_a = to_float(a), wide_b = to_float(b), wide_w = rounded(w, Precision::bfloat16);
      std::vector<bf16> y(size_t(M) * N);
      std::vector<float> c(y.size()), expected(y.size());
      auto run = [](auto g) {
        Work work(kernels::gemm_work_bytes(g));
        g.work = work.data();
        CHECK(kernels::gemm(g) == kernels::ok);
      };
      Gemm<float> r{.M = M, .N = N, .K = K, .a = wide_a.data(), .b = wide_w.data(), .bias = bias.data()};
      r.c = expected.data();
      kernels::reference::gemm(r);
      run(Gemm<bf16, float>{.M = M, .N = N, .K = K, .a = a.data(), .b = w.data(), .bias = bias.data(), .c = y.data()});
      CHECK(error_of_bf16(y, expected, K + 1) <= 1);
      r.b = wide_b.data(), r.bias = nullptr;
      kernels::reference::gemm(r);
      run(Gemm<bf16, bf16, float>{.M = M, .N = N, .K = K, .a = a.data(), .b = b.data(), .c = c.data()});
      CHECK(error(c, expected, K) <= 1);
    }
}

TEST_CASE("cuda gemm: what cannot be transposed first is unsupported, not computed from something else") {
  int const N = 65535 * 32 + 1;
  std::vector<float> const a{2}, b(size_t(N), 3);
  std::vector<float> c(size_t(N), NAN);
  Gemm<float> g{.M = 1, .N = N, .K = 1, .trans_a = true, .trans_b = true};
  g.a = a.data(), g.b = b.data(), g.c = c.data();
  Work work(kernels::gemm_work_bytes(g));
  g.work = work.data();
  CHECK(kernels::gemm(g) == kernels::unsupported);
}

TEST_CASE("cuda gemm: the same bits in every order of the threads") {
  for (auto precision : precisions)
    for (bool trans_a : {false, true}) {
      Case<float> const c({130, trans_a ? 66 : 68, 600}, {.trans_a = trans_a, .precision = precision});
      auto const first = c.got();
      in_every_order([&] { CHECK(c.got() == first); });
    }
}

TEST_CASE("cuda gemm: an infinity or NaN of a spoils its own row only, one of b its own column") {
  for (auto precision : precisions) {
    Case<float> c({31, 53, 40}, {.precision = precision});
    c.a[17 * 40 + 39] = NAN, c.b[5 * 53 + 50] = INFINITY;
    auto const out = c.got();
    for (int m = 0; m < 31; ++m)
      for (int n = 0; n < 53; ++n) CHECK(std::isfinite(out[size_t(m * 53 + n)]) == (m != 17 && n != 50));
  }
}
