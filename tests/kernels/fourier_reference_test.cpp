// The two reference paths of the equivariant convolution, by its definition and by irreps, are the same map.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <d16/core/random.hpp>
#include <d16/kernels/reference/group_conv2d.hpp>

using namespace d16;
using kernels::GroupConv2d;
using kernels::Path;
namespace reference = kernels::reference;

namespace {

using Values = std::vector<double>;

Values random_values(int64_t n, uint64_t seed) {
  Random random(seed);
  Values values(static_cast<size_t>(n));
  for (double& v : values) v = random.uniform(-1, 1);
  return values;
}
double difference(Values const& a, Values const& b) {
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    double d = std::abs(a[i] - b[i]);
    most = d >= most ? d : std::isnan(d) ? INFINITY : most;
  }
  return most;
}
/// No less than 1, the size of a product: a result may be small because its terms cancel, which rounding does not see.
double magnitude(Values const& a) { return std::max(1.0, difference(a, Values(a.size()))); }
double dot(Values const& a, Values const& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// Arguments with random numbers behind them.
struct Case {
  GroupConv2d<double> a;
  Values basis, x, dy, w, b;

  explicit Case(GroupConv2d<double> sizes) : a(sizes) {
    auto shared = shared_basis(a.group, a.kernel);
    basis = shared->values, a.V = shared->V;
    x = random_values(int64_t(a.N) * a.H * a.W * a.Ci * a.rule().in_order(), 1);
    dy = random_values(int64_t(a.N) * a.out(a.H) * a.out(a.W) * a.Co * a.rule().out_order(), 2);
    w = random_values(int64_t(a.Co) * a.Ci * a.V * a.rule().slots(), 3);
    b = random_values(a.Co, 4);
  }
  struct Results {
    Values y, dx, dw;
  };
  Results run(Path path) const {
    GroupConv2d<double> with = a;
    Results r{dy, x, w};
    with.basis = basis.data(), with.x = x.data(), with.dy = dy.data(), with.w = w.data(), with.bias = b.data();
    with.y = r.y.data(), with.dx = r.dx.data(), with.dw = r.dw.data(), with.path = path;
    CHECK(reference::group_conv2d(with) == kernels::ok);
    CHECK(reference::group_conv2d_dx(with) == kernels::ok);
    CHECK(reference::group_conv2d_dw(with) == kernels::ok);
    return r;
  }
  std::string text() const {
    return d16::text(a.group, " sides ", int(a.sides), " N ", a.N, " H ", a.H, " W ", a.W, " Ci ", a.Ci, " Co ", a.Co,
                     " kernel ", a.kernel, " stride ", a.stride, " padding ", a.padding, " dilation ", a.dilation);
  }
};

/// Both paths sum the same products in another order: by definition V for a tap, then taps, fields and elements; by
/// irreps taps, then two transforms of sums of G, right to (8 + G) epsilon (fourier_test.cpp), fields and functions,
/// and a third transform.
double relative(GroupConv2d<double> const& a, int fields, double pixels = 0) {
  double taps = a.kernel * a.kernel, G = a.group.order();
  double direct = a.V + 1 + taps * fields * G, factored = taps + 2.0 * fields * a.V + 3 * (8 + G);
  return 2.3e-16 * (direct + factored + 2 * pixels);
}

/// For `by_irreps` with the same numbers as `c`, or with a mistake in them.
bool agree(Case const& c, Case const& by_irreps) {
  auto direct = c.run(Path::expanded), factored = by_irreps.run(Path::fourier);
  double pixels = double(c.a.N) * c.a.out(c.a.H) * c.a.out(c.a.W);
  return difference(direct.y, factored.y) <= relative(c.a, c.a.Ci) * magnitude(direct.y) &&
         difference(direct.dx, factored.dx) <= relative(c.a, c.a.Co) * magnitude(direct.dx) &&
         difference(direct.dw, factored.dw) <= relative(c.a, 1, pixels) * magnitude(direct.dw);
}

constexpr Sides every_side[] = {Sides::regular, Sides::lifting, Sides::projecting};

}  // namespace

TEST_CASE("group_conv2d: by irreps as by definition, on random shapes") {
  Group const groups[] = {D16,       cyclic(8),   dihedral(4), cyclic(4),    dihedral(3), cyclic(5),   dihedral(1),
                          cyclic(1), dihedral(2), cyclic(2),   dihedral(16), cyclic(16),  dihedral(7), cyclic(6)};
  Random random(7);
  auto pick = [&](int from, int to) { return from + int(random.integer(to - from + 1)); };
  for (Group group : groups)
    for (Sides sides : every_side)
      for (int repeat = 0; repeat < 3; ++repeat) {
        GroupConv2d<double> a{.group = group, .sides = sides, .N = pick(1, 2)};
        a.Ci = pick(1, 3), a.Co = pick(1, 3);
        a.kernel = 2 * pick(0, group.order() > 16 ? 1 : 2) + 1, a.stride = pick(1, 3), a.dilation = pick(1, 2);
        a.padding = pick(0, a.kernel);
        int reach = std::max(1, a.dilation * (a.kernel - 1) + 1 - 2 * a.padding);
        a.H = pick(reach, reach + 2), a.W = pick(reach, reach + 3);
        Case c(a);
        CHECK_MESSAGE(agree(c, c), c.text());
      }
}

TEST_CASE("group_conv2d: by irreps at large kernels and one pixel") {
  for (Sides sides : every_side) {
    Case wide({.group = cyclic(3), .sides = sides, .H = 3, .W = 2, .kernel = 9, .padding = 4});
    Case point({.group = D16, .sides = sides, .H = 1, .W = 1, .Ci = 5, .Co = 2, .kernel = 1, .padding = 0});
    CHECK_MESSAGE(agree(wide, wide), wide.text());
    CHECK_MESSAGE(agree(point, point), point.text());
  }
}

TEST_CASE("group_conv2d: by irreps in float32, rounded once") {
  Case c({.group = D16, .H = 4, .W = 3, .Ci = 2, .Co = 2});
  auto narrow = [](Values const& v) { return std::vector<float>(v.begin(), v.end()); };
  auto x = narrow(c.x), w = narrow(c.w), b = narrow(c.b), y = narrow(c.dy);
  c.x = Values(x.begin(), x.end()), c.w = Values(w.begin(), w.end()), c.b = Values(b.begin(), b.end());
  GroupConv2d<float> a{.group = D16, .H = 4, .W = 3, .Ci = 2, .Co = 2, .x = x.data(), .w = w.data(), .bias = b.data()};
  a.basis = c.basis.data(), a.y = y.data(), a.path = Path::fourier;
  CHECK(reference::group_conv2d(a) == kernels::ok);
  auto exact = c.run(Path::expanded).y;
  CHECK_LE(difference(Values(y.begin(), y.end()), exact), (0x1p-24 + relative(c.a, 2)) * magnitude(exact));
}

TEST_CASE("group_conv2d: scale, bias and ReLU follow the convolution, on both paths") {
  for (Sides sides : every_side) {
    Case c({.group = dihedral(3), .sides = sides, .H = 4, .W = 3, .Ci = 2, .Co = 3});
    Case plain = c;
    plain.b.assign(3, 0.0);
    Values scale{0.5, -2, 3}, sums = plain.run(Path::expanded).y, expected = sums;
    size_t elements = size_t(c.a.rule().out_order());
    for (size_t i = 0; i < sums.size(); ++i) {
      size_t o = i / elements % 3;
      expected[i] = std::max(0.0, scale[o] * sums[i] + c.b[o]);
    }
    c.a.scale = scale.data(), c.a.relu = true;
    double tolerance = 3 * relative(c.a, 2) * magnitude(sums);
    CHECK_LE(difference(c.run(Path::expanded).y, expected), tolerance);
    CHECK_LE(difference(c.run(Path::fourier).y, expected), tolerance);
    CHECK(difference(sums, expected) > 0.1);
  }
}

TEST_CASE("group_conv2d: gradients by irreps are adjoint") {
  for (Group group : {D16, cyclic(5), dihedral(3)})
    for (Sides sides : every_side) {
      Case c({.group = group, .sides = sides, .N = 2, .H = 5, .W = 4, .Ci = 2, .Co = 3, .stride = 2});
      c.b.assign(c.b.size(), 0.0);
      auto r = c.run(Path::fourier);
      double both = dot(r.y, c.dy), bound = double(r.y.size()) * relative(c.a, 3, double(r.y.size())) * magnitude(r.y);
      CHECK(std::abs(dot(r.dx, c.x) - both) <= bound);
      CHECK(std::abs(dot(r.dw, c.w) - both) <= bound);
      CHECK(std::abs(both) > 1e-3);
    }
}

TEST_CASE("group_conv2d: paths with an element exchanged, the other sense of u or of turning do not agree") {
  for (Group group : {D16, cyclic(5), dihedral(3)}) {
    for (Sides sides : every_side) {
      Case c({.group = group, .sides = sides, .H = 3, .W = 3}), exchanged = c, mirrored = c;
      size_t frame = size_t(c.a.V) * 9, G = size_t(group.order());
      std::swap_ranges(exchanged.basis.begin() + long(frame), exchanged.basis.begin() + long(2 * frame),
                       exchanged.basis.begin() + long(2 * frame));  // what elements 1 and 2 see
      for (size_t h = 0; h < G; ++h)
        std::copy_n(c.basis.begin() + long(frame) * group.inverse(int(h)), frame,
                    mirrored.basis.begin() + long(frame * h));
      CHECK_FALSE(agree(c, exchanged));
      CHECK_FALSE(agree(c, mirrored));
      if (sides != Sides::regular) continue;
      Case turned = c;
      for (size_t row = 0; row < c.w.size(); row += G)
        for (size_t u = 0; u < G; ++u) turned.w[row + u] = c.w[row + size_t(group.inverse(int(u)))];
      CHECK_FALSE(agree(c, turned));
    }
  }
}
