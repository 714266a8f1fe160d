// The convolution and its gradients, direct and by Winograd's algorithm, on every instruction set against loops in
// double; adjointness; threads.
#include <doctest/doctest.h>

#include <cstring>

#include <d16/kernels/cpu/conv2d.hpp>
#include <d16/kernels/reference/conv2d.hpp>

#include "isas.hpp"

using namespace d16;
using namespace d16::testing;
using kernels::Conv2d;
using kernels::Conv2dAlgorithm;

namespace {

template <class T> struct Case {
  Conv2d<T> a;
  std::vector<T> x, w, bias, dy, y, dx, dw, db;

  explicit Case(Conv2d<T> sizes) : a(sizes) {
    int64_t const pixels_in = int64_t(a.N) * a.H * a.W, pixels_out = int64_t(a.N) * a.P() * a.Q();
    x = random_values<T>(pixels_in * a.Ci, 1), dy = random_values<T>(pixels_out * a.Co, 2);
    w = random_values<T>(int64_t(a.Co) * (a.Ci / a.groups) * a.kh * a.kw, 3), bias = random_values<T>(a.Co, 4);
    y.resize(dy.size()), dx.resize(x.size()), dw.resize(w.size()), db.resize(bias.size());
    a.x = x.data(), a.w = w.data(), a.bias = bias.data(), a.dy = dy.data();
    a.y = y.data(), a.dx = dx.data(), a.dw = dw.data(), a.db = db.data();
  }
  void run_reference() {
    kernels::reference::conv2d(a), kernels::reference::conv2d_dx(a);
    kernels::reference::conv2d_dw(a), kernels::reference::conv2d_db(a);
  }
  void run_cpu(kernels::cpu::Isa isa) {
    namespace cpu = kernels::cpu;
    Work work(cpu::conv2d_work_bytes(a)), work_dx(cpu::conv2d_dx_work_bytes(a));
    Work work_dw(cpu::conv2d_dw_work_bytes(a)), work_db(cpu::conv2d_db_work_bytes(a));
    a.work = work.data(), cpu::detail::conv2d_on(isa, a);
    a.work = work_dx.data(), cpu::detail::conv2d_dx_on(isa, a, {.pitch = a.Ci});
    a.work = work_dw.data(), cpu::detail::conv2d_dw_on(isa, a);
    a.work = work_db.data(), cpu::conv2d_db(a);
  }
};

template <class T> Conv2d<T> as(Conv2d<float> const& a) {
  return {.N = a.N,
          .H = a.H,
          .W = a.W,
          .Ci = a.Ci,
          .Co = a.Co,
          .kh = a.kh,
          .kw = a.kw,
          .stride_h = a.stride_h,
          .stride_w = a.stride_w,
          .pad_h = a.pad_h,
          .pad_w = a.pad_w,
          .dilation_h = a.dilation_h,
          .dilation_w = a.dilation_w,
          .groups = a.groups,
          .algorithm = a.algorithm};
}

template <class T> void compare(kernels::cpu::Isa isa, Conv2d<float> const& sizes) {
  INFO(name(isa), " ", sizes.H, " x ", sizes.W, " ", sizes.Ci, " -> ", sizes.Co, " kernel ", sizes.kh, " x ", sizes.kw,
       " groups ", sizes.groups);
  Case<T> fast(as<T>(sizes)), right(as<T>(sizes));
  right.run_reference();
  fast.run_cpu(isa);
  double const taps = sizes.kh * sizes.kw, pixels = double(sizes.N) * sizes.P() * sizes.Q();
  CHECK(error(fast.y, right.y, taps * (sizes.Ci / sizes.groups) + 1) <= 1);
  CHECK(error(fast.dx, right.dx, taps * (sizes.Co / sizes.groups)) <= 1);
  CHECK(error(fast.dw, right.dw, pixels) <= 1);
  CHECK(error(fast.db, right.db, terms_in_double<T>(pixels)) <= 1);
}

std::vector<Conv2d<float>> all_sizes() {
  Conv2d<float> const same3{.kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1, .algorithm = Conv2dAlgorithm::direct};
  auto sized = [](Conv2d<float> a, int N, int H, int W, int Ci, int Co, int groups) {
    a.N = N, a.H = H, a.W = W, a.Ci = Ci, a.Co = Co, a.groups = groups;
    return a;
  };
  auto strided = [](Conv2d<float> a, int stride_h, int stride_w) {
    a.stride_h = stride_h, a.stride_w = stride_w;
    return a;
  };
  auto dilated = [](Conv2d<float> a, int dilation_h, int dilation_w) {
    a.dilation_h = dilation_h, a.dilation_w = dilation_w;
    return a;
  };
  Conv2d<float> const uneven{.kh = 2, .kw = 5, .pad_h = 4, .pad_w = 5}, same5{.kh = 5, .kw = 5, .pad_h = 2, .pad_w = 2};
  return {
      {},
      sized({}, 2, 7, 7, 19, 4, 1),
      sized(same3, 2, 9, 11, 3, 5, 1),
      sized(strided(same3, 2, 2), 1, 8, 8, 4, 6, 1),
      sized(strided(dilated(uneven, 2, 3), 3, 2), 2, 13, 7, 5, 24, 1),
      sized(strided({.kh = 2}, 3, 4), 1, 11, 17, 2, 3, 1),                  // pixels that no tap sees
      sized(strided(dilated(same3, 2, 4), 4, 6), 1, 11, 17, 1, 2, 1),       // stride and dilation share a factor
      sized({.kh = 9, .kw = 9, .pad_h = 5, .pad_w = 4}, 1, 1, 2, 7, 1, 1),  // a kernel wider than the image
      sized({.kh = 3, .pad_h = 1}, 2, 20, 20, 33, 49, 1),
      sized(same5, 2, 24, 33, 24, 12, 1),
      sized(same3, 1, 6, 6, 150, 70, 1),  // many parts of dw
      sized(same3, 3, 40, 41, 3, 8, 1),   // many chunks of dw
      sized(dilated(same5, 2, 2), 1, 12, 10, 4, 8, 2),
      sized(same3, 2, 7, 6, 40, 80, 2),                              // groups one by one
      sized(same3, 2, 5, 6, 34, 34, 34),                             // seventeen together
      sized(strided({.kh = 3, .kw = 2}, 2, 1), 1, 5, 6, 14, 21, 7),  // all together
  };
}

/// For Winograd's algorithm: images smaller than a tile, clipped tiles, many; channels that do not fill vectors, several
/// pieces of them in dw.
std::vector<Conv2d<float>> winograd_sizes() {
  auto sized = [](int N, int H, int W, int Ci, int Co, int pad_h, int pad_w) {
    Conv2d<float> a{.N = N, .H = H, .W = W, .Ci = Ci, .Co = Co, .kh = 3, .kw = 3, .pad_h = pad_h, .pad_w = pad_w};
    a.algorithm = Conv2dAlgorithm::winograd;
    return a;
  };
  return {
      sized(1, 1, 1, 16, 16, 1, 1),   sized(2, 3, 3, 17, 19, 0, 0),
      sized(1, 4, 5, 31, 16, 2, 2),   sized(2, 13, 1, 16, 37, 0, 1),
      sized(3, 7, 11, 53, 48, 1, 2),  sized(1, 6, 9, 64, 33, 3, 4),
      sized(2, 5, 6, 100, 210, 1, 1), sized(3, 40, 41, 19, 24, 1, 1),
      sized(2, 21, 26, 64, 48, 1, 1),  // several blocks in a part of dw
  };
}

/// Of the errors of a bilinear algorithm out = P ((Q u) (R v)) along one axis. `worst`: the largest sum of the
/// magnitudes of all terms behind a result, for |u|, |v| <= 1. `typical`: the same in the root mean square of
/// independent u, v of variance one. In two dimensions both are squared.
struct Amplification {
  double worst = 0, typical = 0;
};
using Matrix = std::vector<std::vector<double>>;

Matrix transposed(Matrix const& a) {
  Matrix out(a[0].size(), std::vector<double>(a.size()));
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < a[0].size(); ++j) out[j][i] = a[i][j];
  return out;
}

Amplification amplification(Matrix const& P, Matrix const& Q, Matrix const& R) {
  auto sums = [](std::vector<double> const& row) {
    Amplification sum;
    for (double x : row) sum.worst += std::abs(x), sum.typical += x * x;
    return sum;
  };
  Amplification out;
  for (auto const& row : P) {
    Amplification one;
    for (size_t e = 0; e < row.size(); ++e) {
      one.worst += std::abs(row[e]) * sums(Q[e]).worst * sums(R[e]).worst;
      one.typical += row[e] * row[e] * sums(Q[e]).typical * sums(R[e]).typical;
    }
    out.worst = std::max(out.worst, one.worst), out.typical = std::max(out.typical, std::sqrt(one.typical));
  }
  return out;
}

/// F(4,3): B^T, G and A^T of Toom's algorithm with the points 0, a, -a, b, -b and infinity.
struct Winograd {
  Matrix image, weights, result;
  Winograd(double a, double b) {
    double const points[] = {0, a, -a, b, -b};
    result.assign(4, std::vector<double>(6));
    for (double p : points) {
      std::vector<double> product{1};  // of (x - q) over the other points, lowest power first
      double scale = 1;
      for (double q : points) {
        if (q == p) continue;
        product.push_back(0);
        for (size_t i = product.size() - 1; i > 0; --i) product[i] = product[i - 1] - q * product[i];
        product[0] *= -q;
        scale *= p - q;
      }
      product.push_back(0);
      for (size_t i = 0; i < 4; ++i) result[i][image.size()] = std::pow(p, double(i));
      image.push_back(product), weights.push_back({1 / scale, p / scale, p * p / scale});
    }
    image.push_back({0, a * a * b * b, 0, -a * a - b * b, 0, 1}), weights.push_back({0, 0, 1});
    result[3][5] = 1;
  }
  Amplification forward() const { return amplification(result, weights, image); }
  Amplification gradient() const { return amplification(transposed(weights), image, transposed(result)); }
};

/// Errors of results that add `terms` products of transformed numbers, all below one, in units of their bounds. On its
/// way a number meets at most 12 roundings in each of three transforms (per axis: three products and sums, and their
/// constants), one in the product, `terms` in the sum. Each is at most epsilon / 2 of what it rounds, and that at most
/// `terms` times the amplification; where signs are random both add as roots (uniform numbers in (-1,1) have variance
/// 1/3). The products behind partial sums are counted at their full number.
void check_rounding(std::vector<float> const& got, std::vector<float> const& expected, Amplification one_axis,
                    double terms) {
  double const roundings = terms + 37, unit = std::numeric_limits<float>::epsilon() / 2;
  double const worst = one_axis.worst * one_axis.worst, typical = one_axis.typical * one_axis.typical / 3;
  double largest = 0, squares = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    double const difference = std::abs(double(got[i]) - double(expected[i]));
    largest = difference >= 0 ? std::max(largest, difference) : INFINITY;
    squares += difference * difference;
  }
  CHECK(largest <= roundings * unit * terms * worst);
  CHECK(std::sqrt(squares / double(got.size())) <= std::sqrt(roundings * terms) * unit * typical);
}

double dot(std::vector<double> const& a, std::vector<double> const& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

TEST_CASE("conv2d: every instruction set, forward and gradients") {
  for (auto isa : isas())
    for (auto const& sizes : all_sizes()) {
      compare<float>(isa, sizes);
      compare<double>(isa, sizes);
    }
}

TEST_CASE("conv2d: Winograd's algorithm on every instruction set, forward and gradients") {
  Winograd const algorithm(2.0 / 3, 1.5);
  for (auto isa : isas())
    for (auto const& sizes : winograd_sizes()) {
      INFO(name(isa), " ", sizes.N, " x ", sizes.H, " x ", sizes.W, " ", sizes.Ci, " -> ", sizes.Co, " pad ",
           sizes.pad_h, " ", sizes.pad_w);
      Case<float> fast(sizes), right(sizes);
      right.run_reference();
      fast.run_cpu(isa);
      double const tiles = double(sizes.N) * ((sizes.P() + 3) / 4) * ((sizes.Q() + 3) / 4);
      check_rounding(fast.y, right.y, algorithm.forward(), sizes.Ci + 1);
      check_rounding(fast.dx, right.dx, algorithm.forward(), sizes.Co);
      check_rounding(fast.dw, right.dw, algorithm.gradient(), tiles);
    }
}

TEST_CASE("conv2d: the points of Winograd's algorithm lose less than the usual ones") {
  auto loss = [](double a, double b) { return Winograd(a, b).forward().worst; };
  CHECK(loss(1, 2) == doctest::Approx(48));
  CHECK(loss(2.0 / 3, 1.5) < 23.3);  // squared: 540 times the epsilon of a direct sum at worst, not 2304
}

TEST_CASE("conv2d: dx by Winograd's algorithm adds the bias of the transposed convolution") {
  for (auto isa : isas()) {
    Case<float> plain(winograd_sizes()[4]), shifted(winograd_sizes()[4]);
    plain.run_cpu(isa);
    std::vector<float> const bias = random_values<float>(plain.a.Ci, 5);
    Work work(kernels::cpu::conv2d_dx_work_bytes(shifted.a));
    shifted.a.work = work.data();
    CHECK(kernels::cpu::detail::conv2d_dx_on(isa, shifted.a, {.bias = bias.data(), .pitch = shifted.a.Ci}) ==
          kernels::ok);
    for (size_t i = 0; i < plain.dx.size(); ++i) CHECK(shifted.dx[i] == plain.dx[i] + bias[i % bias.size()]);
  }
}

TEST_CASE("conv2d: Winograd's algorithm is taken where it pays, for float32") {
  Conv2d<float> large{.N = 2, .H = 32, .W = 32, .Ci = 32, .Co = 32, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1};
  auto run = [](auto sizes, Conv2dAlgorithm algorithm) {
    sizes.algorithm = algorithm;
    Case c(sizes);
    c.run_cpu(kernels::cpu::best_isa());
    return c;
  };
  auto same = [&](auto const& sizes, Conv2dAlgorithm algorithm) {
    auto const chosen = run(sizes, Conv2dAlgorithm::automatic), forced = run(sizes, algorithm);
    return chosen.y == forced.y && chosen.dx == forced.dx && chosen.dw == forced.dw;
  };
  CHECK(same(large, Conv2dAlgorithm::winograd));
  CHECK(!same(large, Conv2dAlgorithm::direct));
  CHECK(same(as<double>(large), Conv2dAlgorithm::direct));
  Conv2d<float> small = large, strided = large;
  small.N = 1, small.H = small.W = 4;
  CHECK(same(small, Conv2dAlgorithm::direct));
  strided.stride_h = 2;
  CHECK(same(strided, Conv2dAlgorithm::direct));
  strided.algorithm = Conv2dAlgorithm::winograd;
  CHECK(kernels::cpu::conv2d(strided) == kernels::unsupported);
  CHECK(kernels::cpu::conv2d_dx(strided) == kernels::unsupported);
  CHECK(kernels::cpu::conv2d_dw(strided) == kernels::unsupported);
}

TEST_CASE("conv2d: dx and dw are adjoint to the forward map") {
  for (auto isa : isas())
    for (auto const& sizes : all_sizes()) {
      INFO(name(isa), " ", sizes.H, " x ", sizes.W, " ", sizes.Ci, " -> ", sizes.Co);
      Case<double> c(as<double>(sizes));
      c.a.bias = nullptr;
      c.run_cpu(isa);
      double forward = dot(c.y, c.dy), by_x = dot(c.x, c.dx), by_w = dot(c.w, c.dw);
      // as many terms as multiply-adds, each below one in magnitude; rounding errors of random sign add as a root
      double terms = double(c.y.size()) * sizes.kh * sizes.kw * (sizes.Ci / sizes.groups);
      double tolerance = 8 * terms * std::numeric_limits<double>::epsilon();
      CHECK(std::abs(forward - by_x) <= tolerance);
      CHECK(std::abs(forward - by_w) <= tolerance);
      CHECK(std::abs(forward) > tolerance);  // which maps to zero would fail
    }
}

TEST_CASE("conv2d: the same bits on one, two and three threads") {
  Conv2d<float> const large{.N = 3, .H = 33, .W = 30, .Ci = 19, .Co = 24, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1};
  Conv2d<float> const small{
      .N = 1, .H = 8, .W = 8, .Ci = 70, .Co = 100, .kh = 3, .kw = 3, .stride_h = 2, .stride_w = 2};
  for (auto const& sizes : {large, small, winograd_sizes()[6], winograd_sizes()[7], winograd_sizes()[8]}) {
    set_threads(1);
    Case<float> first(sizes);
    first.run_cpu(kernels::cpu::best_isa());
    for (int count : {2, 3}) {
      set_threads(count);
      Case<float> other(sizes);
      other.run_cpu(kernels::cpu::best_isa());
      for (auto result : {&Case<float>::y, &Case<float>::dx, &Case<float>::dw, &Case<float>::db})
        CHECK(std::memcmp((first.*result).data(), (other.*result).data(), (first.*result).size() * sizeof(float)) == 0);
    }
    set_threads(0);
  }
}

TEST_CASE("conv2d: a NaN reaches the pixels whose kernel covers it and no others") {
  Conv2d<float> const sizes{.N = 2, .H = 9, .W = 10, .Ci = 3, .Co = 5, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1};
  for (auto isa : isas()) {
    Case<float> c(sizes);
    c.x[((1 * 9 + 4) * 10 + 9) * 3 + 1] = NAN;  // image 1, pixel (4,9), at the border
    c.run_cpu(isa);
    for (int n = 0; n < 2; ++n)
      for (int p = 0; p < 9; ++p)
        for (int q = 0; q < 10; ++q)
          for (int o = 0; o < 5; ++o) {
            bool covered = n == 1 && p >= 3 && p <= 5 && q >= 8;
            CHECK(std::isnan(c.y[size_t(((n * 9 + p) * 10 + q) * 5 + o)]) == covered);
          }
  }
}

TEST_CASE("conv2d: by Winograd's algorithm a NaN stays in the tiles whose patches hold it") {
  Conv2d<float> sizes{.N = 2, .H = 9, .W = 10, .Ci = 16, .Co = 17, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1};
  sizes.algorithm = Conv2dAlgorithm::winograd;
  for (auto isa : isas()) {
    Case<float> c(sizes);
    c.x[((1 * 9 + 4) * 10 + 9) * 16 + 1] = NAN;  // image 1, pixel (4,9): rows of tiles 0 and 1, column 2
    c.run_cpu(isa);
    for (int n = 0; n < 2; ++n)
      for (int p = 0; p < 9; ++p)
        for (int q = 0; q < 10; ++q)
          for (int o = 0; o < 17; ++o) {
            bool const covered = n == 1 && p >= 3 && p <= 5 && q >= 8, near = n == 1 && p < 8 && q >= 8;
            bool const is_nan = std::isnan(c.y[size_t(((n * 9 + p) * 10 + q) * 17 + o)]);
            CHECK((is_nan ? near : !covered));
          }
  }
}
