// The convolution for GPUs and its gradients, run by the emulator: precisions, strides, paddings, dilations, groups,
// epilogues, against loops in double; orders of threads.
#include <doctest/doctest.h>

#include <tuple>

#include <d16/kernels/cuda/conv2d.cuh>
#include <d16/kernels/reference/conv2d.hpp>

#include "dense.hpp"

using namespace d16;
using namespace d16::testing;
using kernels::Conv2d;

namespace {

template <class T> struct Results { std::vector<T> y, dx, dw, db; };

template <class T> struct Case {
  Conv2d<T> a;
  std::vector<T> x, w, bias, dy;

  explicit Case(Conv2d<float> const& s) {
    a = {.N = s.N, .H = s.H, .W = s.W, .Ci = s.Ci, .Co = s.Co, .kh = s.kh, .kw = s.kw};
    a.stride_h = s.stride_h, a.stride_w = s.stride_w, a.pad_h = s.pad_h, a.pad_w = s.pad_w;
    a.dilation_h = s.dilation_h, a.dilation_w = s.dilation_w, a.groups = s.groups, a.precision = s.precision;
    x = random_values<T>(int64_t(a.N) * a.H * a.W * a.Ci, 1);
    dy = random_values<T>(int64_t(a.N) * a.P() * a.Q() * a.Co, 2);
    w = random_values<T>(int64_t(a.Co) * (a.Ci / a.groups) * a.kh * a.kw, 3), bias = random_values<T>(a.Co, 4);
  }
  Conv2d<T> call(Results<T>& r) const {
    r = {std::vector<T>(dy.size()), std::vector<T>(x.size()), std::vector<T>(w.size()), std::vector<T>(bias.size())};
    Conv2d<T> c = a;
    c.x = x.data(), c.w = w.data(), c.bias = bias.data(), c.dy = dy.data();
    c.y = r.y.data(), c.dx = r.dx.data(), c.dw = r.dw.data(), c.db = r.db.data();
    return c;
  }
  /// The reference with rounded factors: their products are exact in float32. The kernel for each channel by itself
  /// rounds none.
  Results<T> expected() const {
    Results<T> r;
    Precision const precision = kernels::dense::is_depthwise(a) ? Precision::float32 : a.precision;
    auto const x_ = rounded(x, precision), w_ = rounded(w, precision), dy_ = rounded(dy, precision);
    Conv2d<T> c = call(r);
    kernels::reference::conv2d_db(c);
    c.x = x_.data(), c.w = w_.data(), c.dy = dy_.data();
    kernels::reference::conv2d(c), kernels::reference::conv2d_dx(c), kernels::reference::conv2d_dw(c);
    return r;
  }
  Results<T> got() const {
    Results<T> r;
    Conv2d<T> c = call(r);
    auto run = [&c](size_t (*bytes)(Conv2d<T> const&), int (*kernel)(Conv2d<T> const&)) {
      Work work(bytes(c));
      c.work = work.data();
      CHECK(kernel(c) == kernels::ok);
    };
    run(kernels::conv2d_work_bytes<T>, kernels::conv2d<T>);
    run(kernels::conv2d_dx_work_bytes<T>, kernels::conv2d_dx<T>);
    run(kernels::conv2d_dw_work_bytes<T>, kernels::conv2d_dw<T>);
    run(kernels::conv2d_db_work_bytes<T>, kernels::conv2d_db<T>);
    return r;
  }
};

std::string text(Conv2d<float> const& a) {
  std::string s = name_of(a.precision);
  for (int n : {a.N, a.H, a.W, a.Ci, a.Co, a.kh, a.kw, a.stride_h, a.pad_h, a.dilation_h, a.groups})
    s += " " + std::to_string(n);
  return s;
}

template <class T> void compare(Conv2d<float> const& s) {
  INFO("precision N H W Ci Co kh kw stride pad dilation groups: ", text(s));
  Case<T> const c(s);
  Results<T> const got = c.got(), expected = c.expected();
  double const taps = s.kh * s.kw, pixels = double(s.N) * s.P() * s.Q();
  CHECK(error(got.y, expected.y, taps * (s.Ci / s.groups) + 1) <= 1);
  CHECK(error(got.dx, expected.dx, taps * (s.Co / s.groups)) <= 1);
  CHECK(error(got.dw, expected.dw, pixels) <= 1);
  CHECK(error(got.db, expected.db, terms_in_double<T>(pixels)) <= 1);
}

Conv2d<float> sized(Conv2d<float> a, int N, int H, int W, int Ci, int Co, int groups) {
  a.N = N, a.H = H, a.W = W, a.Ci = Ci, a.Co = Co, a.groups = groups;
  return a;
}
Conv2d<float> strided(Conv2d<float> a, int stride_h, int stride_w) {
  a.stride_h = stride_h, a.stride_w = stride_w;
  return a;
}
Conv2d<float> dilated(Conv2d<float> a, int dilation_h, int dilation_w) {
  a.dilation_h = dilation_h, a.dilation_w = dilation_w;
  return a;
}
Conv2d<float> const same3{.kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1};
Conv2d<float> const uneven{.kh = 2, .kw = 5, .pad_h = 4, .pad_w = 5};

std::vector<Conv2d<float>> all_sizes() {
  return {
      {},
      sized({}, 2, 7, 7, 19, 4, 1),
      sized(same3, 2, 9, 11, 3, 5, 1),
      sized(same3, 1, 6, 5, 16, 24, 1),  // chunks of 16 bytes everywhere
      sized(strided(same3, 2, 2), 1, 8, 8, 4, 6, 1),
      sized(strided(dilated(uneven, 2, 3), 3, 2), 2, 13, 7, 5, 24, 1),
      sized(strided({.kh = 2}, 3, 4), 1, 11, 17, 2, 3, 1),                  // pixels that no tap sees
      sized(strided(dilated(same3, 2, 4), 4, 6), 1, 11, 17, 1, 2, 1),       // stride and dilation share a factor
      sized({.kh = 9, .kw = 9, .pad_h = 5, .pad_w = 4}, 1, 1, 2, 7, 1, 1),  // a kernel wider than the image
      sized(same3, 1, 5, 5, 40, 70, 1),                                     // two tiles of channels
      sized(same3, 2, 7, 6, 20, 40, 2),                                     // groups one by one
      sized(same3, 2, 5, 6, 34, 68, 34),                                    // seventeen together
      sized(same3, 2, 5, 6, 34, 34, 34),                                    // each channel by itself
      sized(same3, 2, 33, 18, 8, 8, 8),                                     // in packs of 16 bytes, dw in two parts
      sized(strided(dilated(uneven, 2, 3), 3, 2), 2, 13, 7, 40, 40, 40),    // more taps than dw has in registers
      sized(strided({.kh = 3, .kw = 2}, 2, 1), 1, 5, 6, 14, 21, 7),         // all together
  };
}

constexpr Precision precisions[] = {Precision::float32, Precision::tf32, Precision::bfloat16};

/// Images in bf16, weights in float32, which tensor cores get rounded to bf16.
struct Bf16Case {
  Case<float> right;
  Conv2d<bf16> a;
  std::vector<bf16> x, dy, y, dx;
  std::vector<float> w, dw, db;

  explicit Bf16Case(Conv2d<float> const& s) : right(s) {
    x = to_bf16(right.x), dy = to_bf16(right.dy), w = right.w;
    right.x = to_float(x), right.dy = to_float(dy);
    if (!kernels::dense::is_depthwise(s)) right.w = rounded(w, Precision::bfloat16);
    a = {.N = s.N, .H = s.H, .W = s.W, .Ci = s.Ci, .Co = s.Co, .kh = s.kh, .kw = s.kw};
    a.stride_h = s.stride_h, a.stride_w = s.stride_w, a.pad_h = s.pad_h, a.pad_w = s.pad_w;
    a.dilation_h = s.dilation_h, a.dilation_w = s.dilation_w, a.groups = s.groups;
    y.resize(dy.size()), dx.resize(x.size()), dw.resize(w.size()), db.resize(right.bias.size());
  }
  void run() {
    a.x = x.data(), a.w = w.data(), a.bias = right.bias.data(), a.dy = dy.data();
    a.y = y.data(), a.dx = dx.data(), a.dw = dw.data(), a.db = db.data();
    auto call = [this](size_t (*bytes)(Conv2d<bf16> const&), int (*kernel)(Conv2d<bf16> const&)) {
      Work work(bytes(a));
      a.work = work.data();
      CHECK(kernel(a) == kernels::ok);
    };
    call(kernels::conv2d_work_bytes<bf16>, kernels::conv2d<bf16>);
    call(kernels::conv2d_dx_work_bytes<bf16>, kernels::conv2d_dx<bf16>);
    call(kernels::conv2d_dw_work_bytes<bf16>, kernels::conv2d_dw<bf16>);
    call(kernels::conv2d_db_work_bytes<bf16>, kernels::conv2d_db<bf16>);
  }
};

}  // namespace

TEST_CASE("cuda conv2d: forward and gradients, every precision") {
  for (auto sizes : all_sizes()) {
    for (auto precision : precisions) {
      sizes.precision = precision;
      compare<float>(sizes);
    }
    compare<double>(sizes);
  }
}

TEST_CASE("cuda conv2d: dw in many parts") {
  for (auto precision : precisions) {
    Conv2d<float> sizes = sized(same3, 2, 33, 30, 3, 8, 1);
    sizes.precision = precision;
    compare<float>(sizes);
  }
}

TEST_CASE("cuda conv2d: bf16 images, float32 weights and their gradients") {
  for (auto const& s : all_sizes()) {
    INFO(text(s));
    Bf16Case c(s);
    c.run();
    Results<float> const expected = c.right.expected();
    double const taps = s.kh * s.kw, pixels = double(s.N) * s.P() * s.Q();
    CHECK(error_of_bf16(c.y, expected.y, taps * (s.Ci / s.groups) + 1) <= 1);
    CHECK(error_of_bf16(c.dx, expected.dx, taps * (s.Co / s.groups)) <= 1);
    CHECK(error(c.dw, expected.dw, pixels) <= 1);
    CHECK(error(c.db, expected.db, 1) <= 1);
  }
}

TEST_CASE("cuda conv2d: rounded factors stay as near to the exact result as their bits allow") {
  for (Precision precision : {Precision::tf32, Precision::bfloat16}) {
    Conv2d<float> sizes = sized(same3, 2, 9, 11, 16, 12, 1);
    Results<float> const exact = Case<float>(sizes).got();
    sizes.precision = precision;
    Results<float> const r = Case<float>(sizes).got();
    INFO(name_of(precision));
    for (auto const& [got, expected, terms] :
         {std::tuple(&r.y, &exact.y, 9.0 * 16), {&r.dx, &exact.dx, 9.0 * 12}, {&r.dw, &exact.dw, 2.0 * 9 * 11}}) {
      CHECK(difference(*got, *expected) <= rounding(precision, terms));
      CHECK(difference(*got, *expected) > rounding(precision, terms) / 1000);  // and they are rounded
    }
  }
}

TEST_CASE("cuda conv2d: what follows a convolution of bf16 images, by 16 bytes and one by one") {
  for (int Co : {40, 36, 32})
    for (int groups : {1, 2, 32}) {
      if (Co % groups) continue;
      Bf16Case c(sized(same3, 2, 5, 6, 32, Co, groups));
      c.run();
      auto const scale = random_values<float>(Co, 5), shift = random_values<float>(Co, 6);
      auto const residual = to_bf16(random_values<float>(int64_t(c.dy.size()), 7));
      kernels::dense::Fused<bf16> const f{scale.data(), shift.data(), residual.data(), true};
      Work work(kernels::conv2d_work_bytes(c.a));
      c.a.work = work.data();
      CHECK(kernels::conv2d_fused(c.a, f) == kernels::ok);
      std::vector<float> expected = c.right.expected().y;
      for (size_t i = 0; i < expected.size(); ++i) {
        size_t const o = i % size_t(Co);
        expected[i] = std::max(expected[i] * scale[o] + shift[o] + float(residual[i]), 0.0f);
      }
      INFO("Co ", Co, " groups ", groups);
      CHECK(error_of_bf16(c.y, expected, 9.0 * 32 / groups + 4) <= 1);
    }
}

TEST_CASE("cuda conv2d: a batch norm, a residual and relu on the way to memory") {
  for (auto precision : precisions)
    for (int groups : {1, 2, 36}) {  // 36 columns are chunks of 16 bytes, 18 are not; each channel by itself
      Conv2d<float> sizes = sized(same3, 2, 5, 6, 36, 36, groups);
      sizes.precision = precision;
      Case<float> const c(sizes);
      auto const scale = random_values<float>(sizes.Co, 5), shift = random_values<float>(sizes.Co, 6);
      auto const residual = random_values<float>(int64_t(c.dy.size()), 7);
      Results<float> r;
      Conv2d<float> a = c.call(r);
      Work work(kernels::conv2d_work_bytes(a));
      a.work = work.data();
      for (int parts = 0; parts < 8; ++parts) {
        INFO(name_of(precision), " groups ", groups, " parts ", parts);
        kernels::dense::Fused<float> f;
        if (parts & 1) f.scale = scale.data(), f.shift = shift.data();
        if (parts & 2) f.residual = residual.data();
        f.relu = parts & 4;
        CHECK(kernels::conv2d_fused(a, f) == kernels::ok);
        std::vector<float> expected = c.expected().y;
        for (size_t i = 0; i < expected.size(); ++i) {
          size_t const o = i % size_t(sizes.Co);
          if (f.scale) expected[i] = expected[i] * scale[o] + shift[o];
          if (f.residual) expected[i] += residual[i];
          if (f.relu) expected[i] = std::max(expected[i], 0.0f);
        }
        CHECK(error(r.y, expected, 9.0 * sizes.Ci / groups + 4) <= 1);  // bias, scale, shift, residual
      }
    }
}

namespace {

/// The sums beside a result against those of that result. A thread adds up to 16 differences from a value, all rounded, in
/// float32, so that they are right to a few roundings of the largest square; the rest is in double.
template <class T> void check_sums(Conv2d<float> const& s, double from_zero = 0) {
  INFO("precision N H W Ci Co kh kw stride pad dilation groups: ", text(s));
  Case<T> c(s);
  for (T& b : c.bias) b += T(from_zero);
  Results<T> r;
  Conv2d<T> a = c.call(r);
  std::vector<double> sums(size_t(a.N) * size_t(a.Co) * 2, NAN), expected = sums;
  a.sums = sums.data();
  Work work(kernels::conv2d_work_bytes(a));
  a.work = work.data();
  CHECK(kernels::conv2d(a) == kernels::ok);
  kernels::ImageSums<T> right = kernels::sums_of_result(a);
  right.sums = expected.data(), kernels::reference::image_sums(right);
  double largest = 0;  // the bias aside, which all values share
  for (T y : r.y) largest = std::max(largest, std::abs(double(y) - from_zero));
  double const count = double(right.pixels), unit = std::numeric_limits<T>::epsilon();
  for (size_t i = 0; i < sums.size(); i += 2) {
    CHECK(std::abs(sums[i] - expected[i]) <= count * 20 * unit * largest + 1e-15 * std::abs(expected[i]) * count);
    // of squares about zero those about the mean are what a norm wants: no digit of them is lost
    double const about = sums[i + 1] - sums[i] * sums[i] / count,
                 right_about = expected[i + 1] - expected[i] * expected[i] / count;
    CHECK(std::abs(about - right_about) <=
          count * 80 * unit * largest * largest + 4e-16 * count * std::abs(expected[i + 1]));
  }
}

}  // namespace

TEST_CASE("cuda conv2d: the sums of its result over each image") {
  for (Precision precision : precisions)
    for (auto s : {sized(same3, 3, 4, 4, 5, 6, 1),     // eight images in a tile, five of which there are
                   sized(same3, 1, 16, 16, 8, 72, 1),  // two chunks of an image, two tiles of channels
                   sized(same3, 2, 8, 8, 34, 68, 34),  // groups together
                   sized(same3, 2, 4, 8, 40, 80, 2),   // and apart
                   sized(same3, 2, 5, 7, 3, 5, 1),     // a pass of its own
                   sized(same3, 2, 8, 8, 8, 8, 8)}) {  // each channel by itself
      s.precision = precision;
      check_sums<float>(s);
    }
  check_sums<float>(sized({}, 1, 16, 32, 70, 140, 1), 1000);  // far from zero
  check_sums<double>(sized(same3, 3, 4, 4, 5, 6, 1));
  in_every_order([] { check_sums<float>(sized({}, 3, 4, 4, 5, 6, 1)); });
}

TEST_CASE("cuda conv2d: large tiles with sums, which not every card has the shared memory for") {
  for (Precision precision : precisions) {
    Conv2d<float> s = sized({}, 1, 128, 132, 8, 128, 1);
    s.precision = precision;
    CHECK(kernels::dense::takes_large<kernels::dense::Exact<float>>({.M = 128 * 132, .N = s.Co, .K = s.Ci}));
    check_sums<float>(s);
    with_little_shared_memory([&] { check_sums<float>(s); });
  }
}

TEST_CASE("cuda conv2d: the sums of bf16 images are those of what is written") {
  Bf16Case c(sized(same3, 2, 4, 8, 8, 16, 1));
  std::vector<double> sums(2 * 16 * 2, NAN), expected = sums;
  c.a.sums = sums.data();
  c.run();
  kernels::ImageSums<bf16> right = kernels::sums_of_result(c.a);
  right.sums = expected.data(), kernels::reference::image_sums(right);
  double largest = 0;
  for (double v : expected) largest = std::max(largest, std::abs(v));
  // 32 rounded values, which float32 holds and adds up: eight of them to a thread
  for (size_t i = 0; i < sums.size(); ++i) CHECK(std::abs(sums[i] - expected[i]) <= 20 * 1.2e-7 * largest);
}

TEST_CASE("cuda conv2d: the same bits in every order of the threads") {
  for (auto precision : precisions) {
    Conv2d<float> sizes = sized(strided(same3, 2, 1), 2, 17, 16, 8, 12, 1);  // more pixels than a tile, dw in parts
    sizes.precision = precision;
    Case<float> const c(sizes);
    Results<float> const first = c.got();
    in_every_order([&] {
      Results<float> const again = c.got();
      CHECK(again.y == first.y);
      CHECK(again.dx == first.dx);
      CHECK(again.dw == first.dw);
      CHECK(again.db == first.db);
    });
  }
}

TEST_CASE("cuda conv2d: the same bits in every order, bf16 images and each channel by itself") {
  for (int groups : {1, 8}) {
    Bf16Case first(sized(strided(same3, 2, 1), 2, 33, 34, 8, 8, groups));
    first.run();
    in_every_order([&] {
      Bf16Case again(sized(strided(same3, 2, 1), 2, 33, 34, 8, 8, groups));
      again.run();
      CHECK(to_float(again.y) == to_float(first.y));
      CHECK(to_float(again.dx) == to_float(first.dx));
      CHECK(again.dw == first.dw);
      CHECK(again.db == first.db);
    });
  }
}

TEST_CASE("cuda conv2d: dx and dw are adjoint to the forward map") {
  auto dot = [](std::vector<double> const& a, std::vector<double> const& b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
  };
  for (auto const& sizes : all_sizes()) {
    INFO(text(sizes));
    Case<double> c(sizes);
    for (double& b : c.bias) b = 0;
    Results<double> const r = c.got();
    double const forward = dot(r.y, c.dy), by_x = dot(c.x, r.dx), by_w = dot(c.w, r.dw);
    // as many terms as multiply-adds, each below one in magnitude; rounding errors of random sign add as a root
    double const terms = double(r.y.size()) * sizes.kh * sizes.kw * (sizes.Ci / sizes.groups);
    double const tolerance = 8 * terms * std::numeric_limits<double>::epsilon();
    CHECK(std::abs(forward - by_x) <= tolerance);
    CHECK(std::abs(forward - by_w) <= tolerance);
    CHECK(std::abs(forward) > tolerance);  // which maps to zero would fail
  }
}

TEST_CASE("cuda conv2d: a NaN reaches the pixels whose kernel covers it and no others") {
  for (auto precision : precisions) {
    Conv2d<float> sizes = sized(same3, 2, 9, 10, 3, 5, 1);
    sizes.precision = precision;
    Case<float> c(sizes);
    c.x[((1 * 9 + 4) * 10 + 9) * 3 + 1] = NAN;  // image 1, pixel (4,9), at the border
    Results<float> const r = c.got();
    for (int n = 0; n < 2; ++n)
      for (int p = 0; p < 9; ++p)
        for (int q = 0; q < 10; ++q)
          for (int o = 0; o < 5; ++o) {
            bool const covered = n == 1 && p >= 3 && p <= 5 && q >= 8;
            CHECK(std::isnan(r.y[size_t(((n * 9 + p) * 10 + q) * 5 + o)]) == covered);
          }
  }
}

TEST_CASE("cuda conv2d: Winograd's algorithm is not for GPUs") {
  Conv2d<float> a = sized(same3, 1, 8, 8, 16, 16, 1);
  a.algorithm = kernels::Conv2dAlgorithm::winograd;
  CHECK(kernels::conv2d(a) == kernels::unsupported);
  CHECK(kernels::conv2d_dx(a) == kernels::unsupported);
  CHECK(kernels::conv2d_dw(a) == kernels::unsupported);
}
