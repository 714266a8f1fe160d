// Matrix products, convolutions and what is made of them, in every precision, for tests/cuda/mutations.sh.
#include <d16/kernels/cuda/conv_transpose2d.cuh>
#include <d16/kernels/cuda/linear.cuh>
#include <d16/kernels/reference/conv2d.hpp>
#include <d16/kernels/reference/conv_transpose2d.hpp>
#include <d16/kernels/reference/gemm.hpp>
#include <d16/kernels/reference/linear.hpp>

#include "suite.hpp"

using namespace d16;
using namespace d16::mutants;
using kernels::Conv2d;
using kernels::Gemm;
using kernels::Precision;
namespace gpu = kernels::gpu;
namespace reference = kernels::reference;

namespace {

constexpr Precision every_precision[] = {Precision::float32, Precision::tf32, Precision::bfloat16};

void product(Gemm<float> g, std::vector<float> const& a, std::vector<float> const& b) {
  auto const bias = whole_numbers(g.N, 3), before = whole_numbers(int64_t(g.M) * g.N, 4);
  auto c = before, expected = before;
  g.a = a.data(), g.b = b.data(), g.bias = g.accumulate ? nullptr : bias.data();
  g.c = expected.data(), reference::gemm(g);
  g.c = c.data(), with_work(kernels::gemm<float>, kernels::gemm_work_bytes<float>, g);
  compare("gemm", c, expected);
}
void product(Gemm<float> const& g) {
  product(g, whole_numbers(int64_t(g.M) * g.K, 1), whole_numbers(int64_t(g.K) * g.N, 2));
}
void gemm() {
  for (Precision precision : every_precision) {
    product({.M = 37, .N = 29, .K = 45, .precision = precision});
    product({.M = 130,
             .N = 30,
             .K = 45,
             .trans_a = true,
             .accumulate = true,
             .precision = precision});  // all rows of a tile
    product({.M = 37, .N = 29, .K = 45, .trans_a = true, .trans_b = true, .precision = precision});
    product({.M = 40, .N = 66, .K = 600, .trans_b = true, .precision = precision});  // a split sum
  }
}
void gemm_bands() { product({.M = 1160, .N = 70, .K = 3}); }

/// Factors between two numbers of tf32: three quarters of a step above the lower one.
void gemm_rounding() {
  Gemm<float> g{.M = 5, .N = 6, .K = 7, .precision = Precision::tf32};
  auto a = whole_numbers(35, 1), rounded = a;
  auto const b = whole_numbers(42, 2);
  for (size_t i = 0; i < a.size(); ++i) {
    float const step = a[i] == 0 ? 0 : std::ldexp(1.0f, std::ilogb(a[i]) - 10);
    a[i] += std::copysign(0.75f * step, a[i]), rounded[i] += std::copysign(step, rounded[i]);
  }
  auto c = unwritten(30), expected = c;
  g.b = b.data();
  g.a = rounded.data(), g.c = expected.data(), reference::gemm(g);
  g.a = a.data(), g.c = c.data(), with_work(kernels::gemm<float>, kernels::gemm_work_bytes<float>, g);
  compare("gemm of rounded factors", c, expected);
}

/// The large tiles, which products take from some million results on.
template <class Tiles> void large_tile(Tiles) {
  using E = typename Tiles::Element;
  constexpr int M = 130, N = 104, K = 40;
  auto const a = whole_numbers<E>(M * K, 1), b = whole_numbers<E>(N * K, 2);
  auto c = unwritten(M * N), expected = c;
  kernels::dense::Matrix<E, true> const x{a.data(), K, 0, M, true}, y{b.data(), K, 0, N, true};
  kernels::dense::launch_product<typename Tiles::Large>(x, y, kernels::dense::Finish<float>::matrix(c.data(), M, N, N),
                                                        {.M = M, .N = N, .K = K, .per_split = 64});
  std::vector<float> const wide_a(a.begin(), a.end()), wide_b(b.begin(), b.end());
  reference::gemm(Gemm<float>{
      .M = M, .N = N, .K = K, .trans_b = true, .a = wide_a.data(), .b = wide_b.data(), .c = expected.data()});
  compare("large tile", c, expected);
}
void large_tiles() {
  large_tile(kernels::dense::Exact<float>());
  large_tile(kernels::dense::TensorCores<float>());
  large_tile(kernels::dense::TensorCores<bf16>());
}

void convolution(Conv2d<float> a) {
  auto const x = whole_numbers(int64_t(a.N) * a.H * a.W * a.Ci, 1), bias = whole_numbers(a.Co, 4);
  auto const w = whole_numbers(int64_t(a.Co) * (a.Ci / a.groups) * a.kh * a.kw, 2);
  auto const dy = whole_numbers(int64_t(a.N) * a.P() * a.Q() * a.Co, 3);
  auto y = unwritten(dy.size()), dx = unwritten(x.size()), dw = unwritten(w.size()), db = unwritten(bias.size());
  auto y_expected = y, dx_expected = dx, dw_expected = dw, db_expected = db;
  a.x = x.data(), a.w = w.data(), a.bias = bias.data(), a.dy = dy.data();
  a.y = y_expected.data(), a.dx = dx_expected.data(), a.dw = dw_expected.data(), a.db = db_expected.data();
  reference::conv2d(a), reference::conv2d_dx(a), reference::conv2d_dw(a), reference::conv2d_db(a);
  a.y = y.data(), a.dx = dx.data(), a.dw = dw.data(), a.db = db.data();
  with_work(kernels::conv2d<float>, kernels::conv2d_work_bytes<float>, a);
  with_work(kernels::conv2d_dx<float>, kernels::conv2d_dx_work_bytes<float>, a);
  with_work(kernels::conv2d_dw<float>, kernels::conv2d_dw_work_bytes<float>, a);
  with_work(kernels::conv2d_db<float>, kernels::conv2d_db_work_bytes<float>, a);
  compare("conv2d", y, y_expected), compare("conv2d_dx", dx, dx_expected);
  compare("conv2d_dw", dw, dw_expected), compare("conv2d_db", db, db_expected);
}
Conv2d<float> with(Precision precision, Conv2d<float> a) { return a.precision = precision, a; }

void conv() {
  for (Precision precision : every_precision)
    convolution(with(precision, {.N = 2, .H = 7, .W = 9, .Ci = 8, .Co = 10, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1}));
}
/// More images than a tile has rows, so that one begins in the middle of a tile.
void conv_images() {
  convolution({.N = 3, .H = 9, .W = 7, .Ci = 3, .Co = 3, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1});
}
void conv_strided() {
  for (Precision precision : {Precision::float32, Precision::bfloat16})
    convolution(with(precision, {.N = 2,
                                 .H = 11,
                                 .W = 12,
                                 .Ci = 5,
                                 .Co = 7,
                                 .kh = 3,
                                 .kw = 4,
                                 .stride_h = 2,
                                 .stride_w = 3,
                                 .pad_h = 2,
                                 .pad_w = 3,
                                 .dilation_h = 2,
                                 .dilation_w = 1}));
}
/// Two narrow groups that are computed together, then two that are not, with a sum over pixels in parts.
void conv_groups() {
  convolution({.N = 1, .H = 4, .W = 5, .Ci = 6, .Co = 4, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1, .groups = 2});
  convolution({.N = 3, .H = 9, .W = 10, .Ci = 32, .Co = 34, .kh = 1, .kw = 1, .groups = 2});
}

/// Results in chunks of 16 bytes.
void conv_chunks() {
  for (Precision precision : every_precision)
    convolution(with(precision, {.N = 1, .H = 7, .W = 9, .Ci = 8, .Co = 12, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1}));
}
/// The sums of each image beside its result, which are whole numbers: of tiles with several images, the last one not
/// full; of images in two chunks, in two groups; of images that no tile's rows divide.
void sums_of(Conv2d<float> a) {
  auto const x = whole_numbers(int64_t(a.N) * a.H * a.W * a.Ci, 1), bias = whole_numbers(a.Co, 4);
  auto const w = whole_numbers(int64_t(a.Co) * (a.Ci / a.groups) * a.kh * a.kw, 2);
  auto y = unwritten(size_t(a.N) * size_t(a.P() * a.Q() * a.Co)), y_expected = y;
  auto sums = unwritten<double>(size_t(a.N) * size_t(a.Co) * 2), expected = sums;
  a.x = x.data(), a.w = w.data(), a.bias = bias.data();
  a.y = y_expected.data(), a.sums = expected.data(), reference::conv2d(a);
  a.y = y.data(), a.sums = sums.data();
  with_work(kernels::conv2d<float>, kernels::conv2d_work_bytes<float>, a);
  compare("conv2d with sums", y, y_expected), compare("sums of conv2d", sums, expected);
}
void conv_sums() {
  for (Precision precision : every_precision)
    sums_of(with(precision, {.N = 3, .H = 4, .W = 4, .Ci = 5, .Co = 6, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1}));
  sums_of({.N = 1, .H = 8, .W = 32, .Ci = 32, .Co = 34, .groups = 2});
  sums_of({.N = 2, .H = 3, .W = 5, .Ci = 2, .Co = 3});
}
/// Each channel by itself: in packs of 16 bytes with a sum over pixels in parts; one by one with more than nine taps.
void conv_depthwise() {
  convolution({.N = 1, .H = 33, .W = 33, .Ci = 4, .Co = 4, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1, .groups = 4});
  convolution({.N = 2,
               .H = 7,
               .W = 9,
               .Ci = 5,
               .Co = 5,
               .kh = 9,  // 27 taps: more than a brick of weights has
               .kw = 3,
               .stride_h = 2,
               .stride_w = 3,
               .pad_h = 5,
               .pad_w = 1,
               .dilation_w = 2,
               .groups = 5});
}
/// Images in bf16. Sums of whole numbers are exact; both sides round them alike.
void conv_bf16() {
  Conv2d<bf16> a{.N = 1, .H = 6, .W = 7, .Ci = 8, .Co = 16, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1};
  auto const x = whole_numbers<bf16>(42 * 8, 1), dy = whole_numbers<bf16>(42 * 16, 2);
  auto const w = whole_numbers(16 * 8 * 9, 3), bias = whole_numbers(16, 4);
  std::vector<bf16> y(dy.size(), bf16(NAN)), dx(x.size(), bf16(NAN)), y_expected = y, dx_expected = dx;
  auto dw = unwritten(w.size()), dw_expected = dw;
  a.x = x.data(), a.w = w.data(), a.bias = bias.data(), a.dy = dy.data();
  a.y = y_expected.data(), a.dx = dx_expected.data(), a.dw = dw_expected.data();
  reference::conv2d(a), reference::conv2d_dx(a), reference::conv2d_dw(a);
  a.y = y.data(), a.dx = dx.data(), a.dw = dw.data();
  with_work(kernels::conv2d<bf16>, kernels::conv2d_work_bytes<bf16>, a);
  with_work(kernels::conv2d_dx<bf16>, kernels::conv2d_dx_work_bytes<bf16>, a);
  with_work(kernels::conv2d_dw<bf16>, kernels::conv2d_dw_work_bytes<bf16>, a);
  auto wide = [](std::vector<bf16> const& values) { return std::vector<float>(values.begin(), values.end()); };
  compare("conv2d in bf16", wide(y), wide(y_expected)), compare("conv2d_dx in bf16", wide(dx), wide(dx_expected));
  compare("conv2d_dw in bf16", dw, dw_expected);
}

/// relu(scale (convolution + bias) + shift + residual), by chunks of 16 bytes and one by one.
void conv_fused(Precision precision, int Co) {
  Conv2d<float> a{.N = 1, .H = 5, .W = 6, .Ci = 8, .Co = Co, .precision = precision};
  auto const x = whole_numbers(30 * 8, 1), w = whole_numbers(Co * 8, 2), bias = whole_numbers(Co, 3);
  auto const scale = whole_numbers(Co, 4), shift = whole_numbers(Co, 5), residual = whole_numbers(30 * Co, 6);
  auto y = unwritten(residual.size()), expected = y;
  a.x = x.data(), a.w = w.data(), a.bias = bias.data();
  a.y = expected.data(), reference::conv2d(a);
  for (size_t i = 0; i < expected.size(); ++i) {
    size_t const o = i % size_t(Co);
    expected[i] = std::max(0.0f, expected[i] * scale[o] + shift[o] + residual[i]);
  }
  a.y = y.data();
  Work work(kernels::conv2d_work_bytes(a));
  a.work = work.data();
  kernels::conv2d_fused(a, {scale.data(), shift.data(), residual.data(), true});
  compare("conv2d_fused", y, expected);
}
void conv_fused() {
  for (Precision precision : every_precision) conv_fused(precision, 6), conv_fused(precision, 8);
}

void transposed(kernels::ConvTranspose2d<float> a) {
  auto const x = whole_numbers(int64_t(a.N) * a.H * a.W * a.Ci, 1), bias = whole_numbers(a.Co, 4);
  auto const w = whole_numbers(int64_t(a.Ci) * a.Co * a.kh * a.kw, 2);
  auto const dy = whole_numbers(int64_t(a.N) * a.P() * a.Q() * a.Co, 3);
  auto y = unwritten(dy.size()), dx = unwritten(x.size()), dw = unwritten(w.size()), db = unwritten(bias.size());
  auto y_expected = y, dx_expected = dx, dw_expected = dw, db_expected = db;
  a.x = x.data(), a.w = w.data(), a.bias = bias.data(), a.dy = dy.data();
  a.y = y_expected.data(), a.dx = dx_expected.data(), a.dw = dw_expected.data(), a.db = db_expected.data();
  reference::conv_transpose2d(a), reference::conv_transpose2d_dx(a);
  reference::conv_transpose2d_dw(a), reference::conv_transpose2d_db(a);
  a.y = y.data(), a.dx = dx.data(), a.dw = dw.data(), a.db = db.data();
  with_work(kernels::conv_transpose2d<float>, kernels::conv_transpose2d_work_bytes<float>, a);
  with_work(kernels::conv_transpose2d_dx<float>, kernels::conv_transpose2d_dx_work_bytes<float>, a);
  with_work(kernels::conv_transpose2d_dw<float>, kernels::conv_transpose2d_dw_work_bytes<float>, a);
  with_work(kernels::conv_transpose2d_db<float>, kernels::conv_transpose2d_db_work_bytes<float>, a);
  compare("conv_transpose2d", y, y_expected), compare("conv_transpose2d_dx", dx, dx_expected);
  compare("conv_transpose2d_dw", dw, dw_expected), compare("conv_transpose2d_db", db, db_expected);
}
/// The positive part, in the first channels of a wider image, whose others stay as they are: by pixels of 16 bytes, one by
/// one, and of one channel.
void beside(kernels::ConvTranspose2d<float> a, int others) {
  auto const x = whole_numbers(int64_t(a.N) * a.H * a.W * a.Ci, 1), bias = whole_numbers(a.Co, 4);
  auto const w = whole_numbers(int64_t(a.Ci) * a.Co * a.kh * a.kw, 2);
  a.x = x.data(), a.w = w.data(), a.bias = bias.data(), a.relu = true, a.y_pitch = a.Co + others;
  std::vector<float> y(size_t(a.N) * size_t(a.P() * a.Q()) * size_t(a.y_pitch), 99), expected = y;
  a.y = expected.data(), reference::conv_transpose2d(a);
  a.y = y.data(), with_work(kernels::conv_transpose2d<float>, kernels::conv_transpose2d_work_bytes<float>, a);
  compare("conv_transpose2d beside others", y, expected);
}
void transpose() {
  beside({.N = 1, .H = 3, .W = 4, .Ci = 8, .Co = 4, .kh = 2, .kw = 2, .stride_h = 2, .stride_w = 2}, 4);
  beside({.N = 2, .H = 3, .W = 4, .Ci = 3, .Co = 5, .kh = 2, .kw = 2, .stride_h = 2, .stride_w = 2}, 2);
  beside({.N = 1, .H = 3, .W = 4, .kh = 2, .kw = 2, .stride_h = 2, .stride_w = 2}, 1);
  transposed({.N = 2,
              .H = 5,
              .W = 3,
              .Ci = 5,
              .Co = 4,
              .kh = 4,
              .kw = 3,
              .stride_h = 3,
              .stride_w = 2,
              .pad_h = 1,
              .pad_w = 1,
              .output_pad_h = 2,
              .output_pad_w = 1});
  transposed({.N = 1, .H = 3, .W = 4, .Ci = 2, .Co = 3, .kh = 1, .kw = 2, .stride_h = 3, .stride_w = 4});
}

void linear() {
  kernels::Linear<float> a{.rows = 21, .I = 13, .O = 10};
  auto const x = whole_numbers(21 * 13, 1), w = whole_numbers(13 * 10, 2), bias = whole_numbers(10, 3);
  auto const dy = whole_numbers(21 * 10, 4);
  auto y = unwritten(dy.size()), dx = unwritten(x.size()), dw = unwritten(w.size()), db = unwritten(bias.size());
  auto y_expected = y, dx_expected = dx, dw_expected = dw, db_expected = db;
  a.x = x.data(), a.w = w.data(), a.bias = bias.data(), a.dy = dy.data();
  a.y = y_expected.data(), a.dx = dx_expected.data(), a.dw = dw_expected.data(), a.db = db_expected.data();
  reference::linear(a), reference::linear_dx(a), reference::linear_dw(a), reference::linear_db(a);
  a.y = y.data(), a.dx = dx.data(), a.dw = dw.data(), a.db = db.data();
  with_work(kernels::linear<float>, kernels::linear_work_bytes<float>, a);
  with_work(kernels::linear_dx<float>, kernels::linear_dx_work_bytes<float>, a);
  with_work(kernels::linear_dw<float>, kernels::linear_dw_work_bytes<float>, a);
  with_work(kernels::linear_db<float>, kernels::linear_db_work_bytes<float>, a);
  compare("linear", y, y_expected), compare("linear_dx", dx, dx_expected);
  compare("linear_dw", dw, dw_expected), compare("linear_db", db, db_expected);
}

void sum_rows() {
  constexpr int rows = 1100, C = 35;  // three chunks, two blocks of columns
  auto const x = whole_numbers(rows * C, 1);
  auto got = unwritten(C), expected = std::vector<float>(C, 0);
  for (size_t i = 0; i < x.size(); ++i) expected[i % C] += x[i];
  Work work(kernels::dense::sum_rows_work(rows, C));
  kernels::dense::sum_rows(x.data(), rows, C, got.data(), work.data());
  compare("sum_rows", got, expected);
}

}  // namespace

int main(int count, char** words) {
  return run(count, words,
             {{"gemm", gemm},
              {"gemm_bands", gemm_bands},
              {"gemm_rounding", gemm_rounding},
              {"large_tiles", large_tiles},
              {"conv", conv},
              {"conv_images", conv_images},
              {"conv_strided", conv_strided},
              {"conv_groups", conv_groups},
              {"conv_chunks", conv_chunks},
              {"conv_sums", conv_sums},
              {"conv_depthwise", conv_depthwise},
              {"conv_bf16", conv_bf16},
              {"conv_fused", [] { conv_fused(); }},
              {"transpose", transpose},
              {"linear", linear},
              {"sum_rows", sum_rows}});
}
