// Features that stay Fourier coefficients between layers: what is written, what is read, and both in a row.
#include <doctest/doctest.h>

#include <d16/group/fourier.hpp>

#include "group.hpp"

using namespace d16;
using namespace d16::testing;

namespace {

/// Each field of values to its coefficients.
template <class T> std::vector<T> transformed(std::vector<T> const& values, Group group) {
  size_t const order = size_t(group.order());
  std::vector<T> out(values.size());
  for (size_t at = 0; at < values.size(); at += order) {
    auto const begin = values.begin() + std::ptrdiff_t(at);
    auto const f = fourier_transform(group, std::vector<double>(begin, begin + std::ptrdiff_t(order)));
    for (size_t q = 0; q < order; ++q) out[at + q] = T(float(f[q]));
  }
  return out;
}

/// The convolution by its launcher, with coefficients where they are asked for.
template <class T> std::vector<T> convolved(GroupCase<T> const& c, bool x_coefficients, bool y_coefficients) {
  Results<T> r;
  GroupConv2d<T> with = c.arguments(r);
  with.x_coefficients = x_coefficients, with.y_coefficients = y_coefficients;
  Work work(kernels::group_conv2d_work_bytes(with));
  with.work = work.data();
  CHECK(kernels::group_conv2d(with) == kernels::ok);
  return r.y;
}

std::vector<float> const scale{0.5f, -2, 3};

GroupCase<float> layer(Group group, Sides sides) {
  GroupCase<float> c({.group = group, .sides = sides, .H = 5, .W = 9, .Ci = 2, .Co = 3});
  c.a.scale = scale.data(), c.a.relu = true;
  return c;
}

}  // namespace

TEST_CASE("cuda coefficients: written, they are the transform of the result") {
  for (Group group : {D16, dihedral(4), dihedral(16), cyclic(4), cyclic(16), dihedral(3), cyclic(1)})
    for (Sides sides : {Sides::regular, Sides::lifting}) {
      GroupCase<float> const c = layer(group, sides);
      INFO(c.text());
      auto const expected = transformed(convolved(c, false, false), group);
      double const terms = 2.0 * group.order() * c.terms(2);  // sums of `order` values, each with its own rounding
      CHECK(error(convolved(c, false, true), expected, terms) <= 1);
    }
}

TEST_CASE("cuda coefficients: read, they give what features give") {
  for (Group group : {D16, dihedral(4), dihedral(16), cyclic(4), cyclic(16), dihedral(3), cyclic(1)})
    for (Sides sides : {Sides::regular, Sides::projecting}) {
      GroupCase<float> const c = layer(group, sides);
      INFO(c.text());
      GroupCase<float> transformed_x = c;
      transformed_x.x = transformed(c.x, group);
      auto const expected = convolved(c, false, false), got = convolved(transformed_x, true, false);
      CHECK(error(got, expected, 3 * (c.terms(2) + group.order())) <= 1);  // a scale of three
    }
}

TEST_CASE("cuda coefficients: a layer that leaves them and one that takes them, in float32") {
  for (Group group : {D16, cyclic(8), dihedral(3)}) {
    GroupCase<float> const first = layer(group, Sides::regular);
    GroupCase<float> second({.group = group, .H = 5, .W = 9, .Ci = 3, .Co = 2}), between = second;
    second.x = convolved(first, false, false), between.x = convolved(first, false, true);
    auto const expected = convolved(second, false, false), got = convolved(between, true, false);
    CHECK(error(got, expected, 2 * (first.terms(2) + second.terms(3))) <= 1);
    // coefficients taken for features are wrong, and not a little
    CHECK(relative_rms(convolved(between, false, false), expected) > 0.1);
  }
}

TEST_CASE("cuda coefficients: in bf16 they are rounded once, as the products round them anyway") {
  GroupCase<float> const first = layer(D16, Sides::regular);
  GroupCase<float> second({.group = D16, .H = 5, .W = 9, .Ci = 3, .Co = 2});
  second.x = convolved(first, false, false);
  auto const expected = convolved(second, false, false);
  GroupCase<bf16> const half = converted<bf16>(first);
  GroupCase<bf16> between = converted<bf16>(second);
  between.x = convolved(half, false, true);
  // first: input, coefficients, features, weights; second: coefficients, features, weights, result
  CHECK(relative_rms(to_float(convolved(between, true, false)), expected) <= std::sqrt(8) * 0x1p-8);
}

TEST_CASE("cuda coefficients: every order of the threads") {
  GroupCase<float> const c = layer(D16, Sides::regular);
  auto const both = convolved(c, true, true);
  in_every_order([&] { CHECK(convolved(c, true, true) == both); });
}

TEST_CASE("cuda coefficients: where there are none they are unsupported") {
  auto refused = [](Sides sides, auto const& change) {
    GroupCase<float> const c({.group = D16, .sides = sides, .H = 3, .W = 3});
    Results<float> r;
    std::vector<double> moments(2);
    std::vector<float> const norm(3);
    GroupConv2d<float> with = c.arguments(r);
    change(with, moments.data(), norm.data());
    CHECK(kernels::group_conv2d(with) == kernels::unsupported);
  };
  refused(Sides::lifting, [](auto& a, auto*, auto*) { a.x_coefficients = true; });
  refused(Sides::projecting, [](auto& a, auto*, auto*) { a.y_coefficients = true; });
  refused(Sides::regular, [](auto& a, auto* moments, auto*) { a.y_coefficients = true, a.moments = moments; });
  refused(Sides::regular, [](auto& a, auto*, auto* norm) { a.x_coefficients = true, a.norm = norm; });
  refused(Sides::regular, [](auto& a, auto*, auto*) { a.x_coefficients = true, a.path = Path::expanded; });
}
