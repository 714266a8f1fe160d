// The asinh stretch for GPUs, run by the emulator, against the reference.
#include <doctest/doctest.h>

#include <d16/kernels/cuda/stretch.cuh>
#include <d16/kernels/reference/stretch.hpp>

#include "dense.hpp"

using namespace d16;
using namespace d16::testing;
using kernels::Stretch;
using kernels::StretchBand;
using kernels::StretchOp;

namespace {

/// A sky of some hundred times the noise, as in a survey.
std::vector<StretchBand> bands(int count) {
  std::vector<StretchBand> all;
  for (int c = 0; c < count; ++c)
    all.push_back({.sky = 300.0 + c, .s = 2.5 + 0.1 * c, .zero = 0.9, .range = 4 + 0.1 * c});
  return all;
}

/// What an op is for: pixels from the sky to a thousand times the noise, or stretched ones.
template <class T> std::vector<T> inputs(StretchOp op, int64_t n) {
  auto x = random_values<T>(n, 1);
  if (op == StretchOp::asinh || op == StretchOp::apply)
    for (T& v : x) v = T(300) + T(std::sinh(7 * double(v)));
  return x;
}

template <class T> double largest(std::vector<T> const& values) {
  double most = 0;
  for (T v : values) most = std::max(most, std::abs(double(v)));
  return most;
}

template <class T> void check(StretchOp op, int C, int64_t n) {
  auto const scale = bands(C);
  auto const x = inputs<T>(op, n), dy = random_values<T>(n, 2);
  std::vector<T> y(size_t(n), T(NAN)), dx = y, expected = y, expected_dx = y;
  Stretch<T> a{.op = op, .n = n, .C = C, .bands = scale.data(), .x = x.data(), .dy = dy.data()};
  INFO("op ", int(op), " C ", C, " n ", n);
  a.y = y.data(), a.dx = dx.data();
  CHECK(kernels::stretch(a) == kernels::ok);
  a.y = expected.data(), a.dx = expected_dx.data();
  kernels::reference::stretch(a);
  // Eight roundings: the argument, three of asinh (its largest error on a GPU), the zero, the sum, the range, the
  // quotient; of a sum of which the zero, 0.9 of 4, is a part. sinh makes those of its argument, up to 14, absolute ones
  // of its own relative size.
  double const size = largest(expected) + (op == StretchOp::invert ? 14 * largest(expected) : 0.25);
  double difference = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    double const d = std::abs(double(y[i]) - double(expected[i]));
    difference = d <= difference ? difference : std::isnan(d) ? INFINITY : d;
  }
  CHECK(difference <= 8 * std::numeric_limits<T>::epsilon() * size);
  if (op != StretchOp::asinh) return;
  a.dx = dx.data();
  CHECK(kernels::stretch_dx(a) == kernels::ok);
  a.dx = expected_dx.data();
  kernels::reference::stretch_dx(a);
  CHECK(error(dx, expected_dx, 8) <= 1);  // two roundings of arguments, three of hypot, two products, one quotient
}

template <class T> void check_all() {
  for (StretchOp op : {StretchOp::asinh, StretchOp::apply, StretchOp::invert, StretchOp::black_sky}) {
    check<T>(op, 1, 1);
    check<T>(op, 1, 1031);
    check<T>(op, 3, 9000);  // a thread has several pixels, of different bands
    check<T>(op, 7, 9001);
    check<T>(op, 64, 2113);
  }
}

}  // namespace

TEST_CASE("cuda stretch: every op, bands, sizes that nothing divides, and the gradient of asinh") {
  check_all<float>();
  check_all<double>();
}

TEST_CASE("cuda stretch: what is not finite counts as sky where pixels are made ready, and stays elsewhere") {
  auto const scale = bands(1);
  std::vector<float> const x{NAN, INFINITY, -INFINITY, 300};
  std::vector<float> y(4);
  Stretch<float> a{.op = StretchOp::apply, .n = 4, .bands = scale.data(), .x = x.data()};
  a.y = y.data();
  CHECK(kernels::stretch(a) == kernels::ok);
  for (float v : y) CHECK(v == y[3]);
  CHECK(std::abs(double(y[3]) - scale[0].sky_level()) <= 0x1p-24);
  a.op = StretchOp::asinh;
  CHECK(kernels::stretch(a) == kernels::ok);
  CHECK(std::isnan(y[0]));
  CHECK(y[1] == INFINITY);
  CHECK(y[2] == -INFINITY);
}

TEST_CASE("cuda stretch: every order of the threads; more than 64 bands are unsupported") {
  in_every_order([] { check<float>(StretchOp::apply, 3, 1000); });
  auto const scale = bands(65);
  Stretch<float> a{.n = 65, .C = 65, .bands = scale.data()};
  CHECK(kernels::stretch(a) == kernels::unsupported);
  CHECK(kernels::stretch_dx(a) == kernels::unsupported);
  a.C = 1, a.op = StretchOp::apply;
  CHECK(kernels::stretch_dx(a) == kernels::unsupported);
}
