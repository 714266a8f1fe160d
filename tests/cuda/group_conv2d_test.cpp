// The launchers of the equivariant convolution for GPUs, run by the emulator: paths, what follows the sums, moments,
// norm, bias gradient, equivariance.
#include <doctest/doctest.h>

#include "group.hpp"

using namespace d16;
using namespace d16::testing;

namespace {

constexpr Sides every_side[] = {Sides::regular, Sides::lifting, Sides::projecting};

/// x moved by a rotation of 90 degrees, counter-clockwise as all elements turn, on a square image: pixels go round, and
/// element h goes to `element` h. Exact on the grid.
std::vector<float> turned(std::vector<float> const& x, int side, int fields, Group group, int element) {
  std::vector<float> out(x.size());
  int const G = group.order();
  for (int i = 0; i < side; ++i)
    for (int j = 0; j < side; ++j)
      for (int c = 0; c < fields; ++c)
        for (int h = 0; h < G; ++h) {
          int const to_i = side - 1 - j, to_j = i, to_h = group.product(element, h);
          out[size_t(((to_i * side + to_j) * fields + c) * G + to_h)] =
              x[size_t(((i * side + j) * fields + c) * G + h)];
        }
  return out;
}

}  // namespace

TEST_CASE("cuda group_conv2d: the expanded path, all sides") {
  for (Group group : {D16, cyclic(3), dihedral(2), cyclic(1)})
    for (Sides sides : every_side) {
      GroupCase<float> c({.group = group, .sides = sides, .N = 2, .H = 5, .W = 4, .Ci = 2, .Co = 3, .stride = 2});
      auto const expected = c.reference();
      c.a.path = Path::expanded;
      INFO(c.text());
      auto const got = c.launched();
      double const taps = 9.0 * c.a.Ci * group.order() + c.a.V;  // sums over dense taps instead
      CHECK(error(got.y, expected.y, taps) <= 1);
      CHECK(error(got.dx, expected.dx, 2 * taps) <= 1);
      CHECK(error(got.dw, expected.dw, 9.0 * group.order() * group.order() + c.pixels()) <= 1);
    }
}

TEST_CASE("cuda group_conv2d: automatic takes the factored path from order 4 on, in double too") {
  for (Group group : {cyclic(2), dihedral(4), dihedral(6)})
    for (Sides sides : every_side) {
      GroupCase<double> c({.group = group, .sides = sides, .H = 3, .W = 4, .Ci = 2, .Co = 2});
      auto const expected = c.reference();
      c.a.path = Path::automatic;
      CHECK(kernels::fourier::chosen(c.a) == (group.order() >= 4));
      auto const got = c.launched();
      double const terms = c.terms(2) + 9.0 * 2 * group.order();
      CHECK(error(got.y, expected.y, terms) <= 1);
      CHECK(error(got.dx, expected.dx, terms) <= 1);
      CHECK(error(got.dw, expected.dw, c.terms(1, c.pixels()) + 9.0 * group.order()) <= 1);
    }
}

TEST_CASE("cuda group_conv2d: scale, bias and ReLU follow the sums, on every path") {
  for (Sides sides : every_side)
    for (Path path : {Path::fourier, Path::expanded}) {
      GroupCase<float> c({.group = dihedral(4), .sides = sides, .H = 5, .W = 3, .Ci = 2, .Co = 3});
      std::vector<float> const scale{0.5f, -2, 3};
      c.a.scale = scale.data(), c.a.relu = true;
      auto const expected = c.reference();
      c.a.path = path;
      double const terms = 3 * (c.terms(2) + 9.0 * 2 * 8);  // a scale of three
      CHECK(error(c.launched().y, expected.y, terms) <= 1);
      CHECK(std::count(expected.y.begin(), expected.y.end(), 0.0f) > 5);
    }
}

TEST_CASE("cuda group_conv2d: moments of the result") {
  for (Sides sides : every_side)
    for (Path path : {Path::fourier, Path::expanded}) {
      GroupCase<float> c({.group = D16, .sides = sides, .N = 2, .H = 3, .W = 4, .Ci = 2, .Co = 3});
      Results<float> r;
      std::vector<double> moments(6, NAN), expected(6);
      GroupConv2d<float> with = c.arguments(r);
      with.path = path, with.moments = moments.data();
      Work work(kernels::group_conv2d_work_bytes(with));
      with.work = work.data();
      CHECK(kernels::group_conv2d(with) == kernels::ok);
      with.moments = expected.data();
      kernels::reference::detail::moments(with);  // of the same y
      CHECK(error(moments, expected, 2.0 * c.pixels() * 16) <= 1);
    }
}

TEST_CASE("cuda group_conv2d: x read through the norm before it") {
  for (int n : {8, 6}) {  // fused, and in four kernels
    GroupCase<float> c({.group = dihedral(n), .H = 4, .W = 3, .Ci = 3, .Co = 2});
    std::vector<float> const norm{0.1f, -0.2f, 0.3f, 2, 0.5f, -1, 0.3f, 0.1f, -0.1f};
    GroupCase<float> read = c;
    int const G = c.a.group.order();
    for (size_t i = 0; i < read.x.size(); ++i) {
      size_t const field = i / size_t(G) % 3;
      read.x[i] = std::max(0.0f, (c.x[i] - norm[field]) * norm[3 + field] + norm[6 + field]);
    }
    auto const expected = read.reference();
    c.a.norm = norm.data();
    auto const got = c.launched();
    CHECK(error(got.y, expected.y, c.terms(3)) <= 1);
    CHECK(error(got.dw, expected.dw, c.terms(1, c.pixels())) <= 1);
  }
}

TEST_CASE("cuda group_conv2d: the gradient of the bias") {
  for (Sides sides : every_side) {
    GroupCase<float> c({.group = dihedral(3), .sides = sides, .N = 3, .H = 30, .W = 19, .Ci = 1, .Co = 5});
    Results<float> r;
    std::vector<float> got(5, NAN), expected(5);
    GroupConv2d<float> with = c.arguments(r);
    Work work(kernels::group_conv2d_db_work_bytes(with));
    with.work = work.data(), with.db = got.data();
    CHECK(kernels::group_conv2d_db(with) == kernels::ok);
    with.db = expected.data();
    CHECK(kernels::reference::group_conv2d_db(with) == kernels::ok);
    CHECK(error(got, expected, terms_in_double<float>(1)) <= 1);
  }
}

TEST_CASE("cuda group_conv2d: bf16 by the launchers; what there is no kernel for is unsupported") {
  GroupCase<float> c({.group = D16, .H = 5, .W = 6, .Ci = 9, .Co = 3});
  auto const expected = c.reference();
  c.a.precision = Precision::bfloat16;
  auto const got = c.launched();
  double const tolerance = std::sqrt(3) * 0x1p-8;  // three roundings, as in fourier_conv2d_test.cpp
  CHECK(relative_rms(got.y, expected.y) <= tolerance);
  CHECK(relative_rms(got.y, expected.y) > tolerance / 50);
  CHECK(relative_rms(got.dx, expected.dx) <= tolerance);
  CHECK(error(got.dw, expected.dw, c.terms(1, c.pixels())) <= 1);  // in float32 whatever the precision
  Results<float> r;
  auto bare = c.arguments(r);
  bare.path = Path::expanded;
  CHECK(kernels::group_conv2d(bare) == kernels::unsupported);
  bare = c.arguments(r), bare.sides = Sides::lifting;
  CHECK(kernels::group_conv2d(bare) == kernels::unsupported);
  c.a.precision = Precision::tf32;
  auto const tf32 = c.launched();
  CHECK(relative_rms(tf32.y, expected.y) <= std::sqrt(2) * 0x1p-11);
  CHECK(relative_rms(tf32.dx, expected.dx) <= std::sqrt(2) * 0x1p-11);
}

TEST_CASE("cuda group_conv2d: bf16 features by the launchers") {
  for (Group group : {D16, dihedral(3), cyclic(2)})  // fused, in four kernels, and not on the dense path
    for (Sides sides : every_side) {
      GroupCase<bf16> c =
          converted<bf16>(GroupCase<float>({.group = group, .sides = sides, .N = 2, .H = 5, .W = 6, .Ci = 9, .Co = 3}));
      auto const expected = converted<float>(c).reference();
      INFO(c.text());
      c.a.path = Path::automatic;
      auto const got = c.launched();
      bool const rounded = group == D16 && sides == Sides::regular;
      double const tolerance = std::sqrt(rounded ? 4 : 1) * 0x1p-8;
      CHECK(relative_rms(to_float(got.y), expected.y) <= tolerance);
      CHECK(relative_rms(to_float(got.dx), expected.dx) <= tolerance);
      if (rounded) CHECK(relative_rms(got.dw, expected.dw) <= std::sqrt(3) * 0x1p-8);  // it is float32
      else CHECK(error(got.dw, expected.dw, c.terms(1, c.pixels())) <= 1);
      Results<bf16> r;
      auto dense = c.arguments(r);
      dense.path = Path::expanded;
      CHECK(kernels::group_conv2d(dense) == kernels::unsupported);
      CHECK(kernels::group_conv2d_dx(dense) == kernels::unsupported);
      CHECK(kernels::group_conv2d_dw(dense) == kernels::unsupported);
    }
}

TEST_CASE("cuda group_conv2d: packed weights are those of the call") {
  auto check = [](auto c) {
    using T = std::decay_t<decltype(c.x[0])>;
    INFO(c.text(), " bytes ", sizeof(T));
    Results<T> r, by_itself;
    auto with = c.arguments(r), other = c.arguments(by_itself);
    int64_t count = 0;
    with.packed_count = &count;
    CHECK(kernels::group_conv2d_pack(with) == kernels::ok);
    CHECK(count > 0);
    std::vector<Wide<T>> packed(size_t(count), NAN);
    with.packed_count = nullptr, with.packed = packed.data();
    CHECK(kernels::group_conv2d_pack(with) == kernels::ok);
    Work work(kernels::group_conv2d_work_bytes(with)), more(kernels::group_conv2d_work_bytes(other));
    with.work = work.data(), with.w = nullptr, other.work = more.data();
    CHECK(kernels::group_conv2d(with) == kernels::ok);
    CHECK(kernels::group_conv2d(other) == kernels::ok);
    CHECK(std::vector<float>(r.y.begin(), r.y.end()) == std::vector<float>(by_itself.y.begin(), by_itself.y.end()));
    with.path = Path::expanded, with.packed_count = &count;
    CHECK(kernels::group_conv2d_pack(with) == kernels::ok);
    CHECK(count == 0);
    CHECK(kernels::group_conv2d(with) == kernels::unsupported);
  };
  for (Precision precision : {Precision::float32, Precision::tf32, Precision::bfloat16}) {
    GroupCase<float> c({.group = D16, .H = 3, .W = 4, .Ci = 9, .Co = 25});
    c.a.precision = precision;
    check(c);
  }
  for (Sides sides : every_side) {
    GroupCase<float> const c({.group = dihedral(3), .sides = sides, .H = 3, .W = 4, .Ci = 2, .Co = 3});
    check(c), check(converted<double>(c)), check(converted<bf16>(c));
  }
  check(converted<bf16>(GroupCase<float>({.group = D16, .H = 3, .W = 4, .Ci = 9, .Co = 3})));
}

TEST_CASE("cuda group_conv2d: packed weights meet an input at any address") {
  auto check = [](auto c) {
    using T = std::decay_t<decltype(c.x[0])>;
    INFO(c.text(), " bytes ", sizeof(T), " ", std::string(name_of(c.a.precision)));
    auto const expected = c.launched().y;
    Results<T> r;
    auto with = c.arguments(r);
    std::vector<T> shifted(c.x.size() + 1);
    std::copy(c.x.begin(), c.x.end(), shifted.begin() + 1);
    with.x = shifted.data() + 1;
    int64_t count = 0;
    with.packed_count = &count;
    CHECK(kernels::group_conv2d_pack(with) == kernels::ok);  // what an op asks, which knows its input
    std::vector<Wide<T>> packed(size_t(count), NAN);
    auto alone = c.a;
    alone.w = with.w, alone.packed = packed.data();
    CHECK(kernels::group_conv2d_pack(alone) == kernels::ok);
    CHECK(
        std::none_of(packed.begin(), packed.end(), [](Wide<T> w) { return std::memcmp(&w, "\0\0\xc0\x7f", 4) == 0; }));
    with.packed_count = nullptr, with.packed = packed.data(), with.w = nullptr;
    Work work(kernels::group_conv2d_work_bytes(with));
    with.work = work.data();
    CHECK(kernels::group_conv2d(with) == kernels::ok);
    CHECK(std::vector<float>(r.y.begin(), r.y.end()) == std::vector<float>(expected.begin(), expected.end()));
  };
  GroupCase<float> c({.group = D16, .H = 3, .W = 4, .Ci = 8, .Co = 24});  // as many weights in either order
  for (Precision precision : {Precision::float32, Precision::tf32, Precision::bfloat16}) {
    c.a.precision = precision;
    check(c);
  }
  check(converted<bf16>(c));
  for (Sides sides : every_side) {
    GroupCase<float> const any({.group = dihedral(3), .sides = sides, .H = 3, .W = 4, .Ci = 2, .Co = 3});
    check(any), check(converted<double>(any));
  }
}

TEST_CASE("cuda group_conv2d: packed weights and a result that the fused kernel cannot write are refused") {
  GroupCase<float> const c({.group = D16, .H = 3, .W = 4, .Ci = 8, .Co = 24});
  Results<float> r;
  auto with = c.arguments(r);
  std::vector<float> packed(8 * 24 * 6 * 16), y(r.y.size() + 1);
  with.packed = packed.data(), with.y = y.data() + 1;
  Work work(kernels::group_conv2d_work_bytes(with));
  with.work = work.data();
  CHECK(kernels::group_conv2d(with) == kernels::unsupported);
}

TEST_CASE("cuda group_conv2d: on cards with little shared memory") {
  for (int kernel : {3, 5})
    for (Group group : {D16, cyclic(4), dihedral(16)}) {
      GroupCase<float> c({.group = group, .H = 5, .W = 9, .Ci = 5, .Co = 3, .kernel = kernel, .padding = kernel / 2});
      INFO(c.text());
      auto const expected = c.reference();
      with_little_shared_memory([&] {
        using Exact = kernels::fourier::Fused<kernels::fourier::ExactProducts, float>;
        if (kernel == 3) CHECK(Exact(c.a, false).fits());
        auto const got = c.launched();
        CHECK(error(got.y, expected.y, c.terms(5)) <= 1);
        CHECK(error(got.dx, expected.dx, c.terms(3)) <= 1);
        CHECK(error(got.dw, expected.dw, c.terms(1, c.pixels())) <= 1);
      });
    }
}

TEST_CASE("cuda group_conv2d: what is kept on the device is made once") {
  std::vector<float> const one{1, 2, 3}, two{1, 2, 4};
  float const* const kept = kernels::kept_numbers(one);
  CHECK(kept != kernels::kept_numbers(two));
  CHECK(kept == kernels::kept_numbers(std::vector<float>{1, 2, 3}));
  GroupCase<float> const c({.group = D16, .H = 3, .W = 4});
  auto tables = [&] { return kernels::fourier::plan_of<float>({c.a, Sides::regular}).on_device(); };
  CHECK(tables().order == 16);
  CHECK(tables().taps == tables().taps);
}

TEST_CASE("cuda group_conv2d: a turned image has a turned result, and elements exchanged break it") {
  int const side = 7;
  for (Group group : {D16, cyclic(8), dihedral(4), cyclic(4)})
    for (Precision precision : {Precision::float32, Precision::bfloat16}) {
      GroupCase<float> c({.group = group, .H = side, .W = side, .Ci = 3, .Co = 2});
      c.a.precision = precision;
      int const quarter = group.n / 4;
      auto const straight = c.launched().y;
      GroupCase<float> moved = c;
      moved.x = turned(c.x, side, 3, group, quarter);
      auto const got = moved.launched().y;
      // bf16: both sides are rounded, three times each
      double const tolerance = precision == Precision::float32 ? c.terms(3) * 1.2e-7 : std::sqrt(6) * 0x1p-8;
      CHECK(relative_rms(got, turned(straight, side, 2, group, quarter)) <= tolerance);
      CHECK(relative_rms(got, turned(straight, side, 2, group, group.inverse(quarter))) > 0.1);
      CHECK(relative_rms(got, turned(straight, side, 2, group, 0)) > 0.1);
    }
}
