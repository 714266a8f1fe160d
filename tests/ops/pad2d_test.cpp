// Padding: fast against reference, the definitions written out, adjoints, symmetries of the margins, and errors.
#include <d16/ops/concat.hpp>
#include <d16/ops/conv2d.hpp>
#include <d16/ops/pad2d.hpp>

#include "compare.hpp"

using namespace d16;
using namespace d16::testing;

namespace {

constexpr PaddingMode zeros_mode = PaddingMode::zeros, circular = PaddingMode::circular, reflect = PaddingMode::reflect;

/// x moved by `by` places along an axis; what leaves on one side comes in on the other.
Tensor shifted(Tensor x, int axis, int64_t by) {
  int64_t const size = x.dim(axis), cut = (size - by % size) % size;
  return concat({x.slice(axis, cut, size), x.slice(axis, 0, cut)}, axis);
}

/// x with an axis read backwards.
Tensor reversed(Tensor x, int axis) {
  std::vector<Tensor> lines;
  for (int64_t i = x.dim(axis); i-- > 0;) lines.push_back(x.slice(axis, i, i + 1));
  return concat(lines, axis);
}

/// The definitions on the whole line of integers: circular has the period n, reflect the period 2 (n - 1), in which it
/// goes up and down; -1 where there is nothing.
int64_t line_at(int64_t i, int64_t n, PaddingMode mode) {
  auto modulo = [](int64_t a, int64_t b) { return (a % b + b) % b; };
  if (mode == circular) return modulo(i, n);
  if (mode == reflect) return n == 1 ? 0 : n - 1 - std::abs(n - 1 - modulo(i, 2 * (n - 1)));
  return i < 0 || i >= n ? -1 : i;
}

}  // namespace

TEST_CASE("pad2d: values by hand") {
  Tensor x = arange(6).reshape({1, 2, 3, 1});  // 0 1 2 / 3 4 5
  using Values = std::vector<double>;
  CHECK(values(pad2d(x, {.top = 1, .left = 1, .right = 2})) ==
        Values{0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 3, 4, 5, 0, 0});
  CHECK(values(pad2d(x, {.bottom = 1, .left = 1, .right = 2}, circular)) ==
        Values{2, 0, 1, 2, 0, 1, 5, 3, 4, 5, 3, 4, 2, 0, 1, 2, 0, 1});
  CHECK(values(pad2d(x, {.top = 1, .left = 2, .right = 1}, reflect)) ==
        Values{5, 4, 3, 4, 5, 4, 2, 1, 0, 1, 2, 1, 5, 4, 3, 4, 5, 4});
  CHECK(values(pad2d(x, 1)) == values(pad2d(x, {1, 1, 1, 1})));
  CHECK(pad2d(x, {.top = 1, .bottom = 2, .left = 3, .right = 4}).shape() == Shape{1, 5, 10, 1});
}

TEST_CASE("pad2d: gradients by hand") {
  auto gradient = [](Margins m, PaddingMode mode) {
    Tensor x = zeros({1, 1, 3, 1}).set_requires_grad();
    Tensor y = pad2d(x, m, mode);
    y.backward(arange(y.numel()).reshape(y.shape()) + 1.0);  // 1 2 3 4 5 6
    return values(x.grad());
  };
  Margins m{.left = 2, .right = 1};
  CHECK(gradient(m, zeros_mode) == std::vector<double>{3, 4, 5});
  CHECK(gradient(m, circular) == std::vector<double>{3 + 6, 1 + 4, 2 + 5});  // y = b c a b c a
  CHECK(gradient(m, reflect) == std::vector<double>{3, 2 + 4 + 6, 1 + 5});   // y = c b a b c b
}

TEST_CASE("pad2d: the definitions written out") {
  manual_seed(18);
  struct Case {
    Shape x;
    Margins m;
  };
  for (Case const& c : {Case{{2, 5, 7, 3}, {4, 1, 6, 0}}, Case{{1, 4, 3, 1}, {0, 3, 2, 2}},
                        Case{{1, 1, 6, 17}, {0, 0, 5, 3}}, Case{{3, 13, 2, 2, 4}, {2, 12, 1, 1}}})
    for (PaddingMode mode : {zeros_mode, circular, reflect}) {
      INFO(c.x.text(), " mode ", int(mode));
      Tensor x = normal(c.x), y = pad2d(x, c.m, mode);
      REQUIRE(y.dim(1) == c.x[1] + c.m.top + c.m.bottom);
      REQUIRE(y.dim(2) == c.x[2] + c.m.left + c.m.right);
      int wrong = 0;
      for (int64_t p = 0; p < y.dim(1); ++p)
        for (int64_t q = 0; q < y.dim(2); ++q) {
          int64_t const row = line_at(p - c.m.top, c.x[1], mode), column = line_at(q - c.m.left, c.x[2], mode);
          Tensor pixel = y.select(2, q).select(1, p);
          Tensor expected = row < 0 || column < 0 ? zeros_like(pixel) : x.select(2, column).select(1, row);
          wrong += !same_bits(pixel, expected);
        }
      CHECK(wrong == 0);
    }
}

TEST_CASE("pad2d: fast against reference") {
  manual_seed(19);
  struct Case {
    Shape x;
    Margins m;
  };
  for (Case const& c : {Case{{1, 1, 1, 1}, {0, 0, 0, 0}}, Case{{2, 13, 11, 19}, {12, 3, 10, 10}},
                        Case{{1, 2, 90, 67}, {1, 1, 5, 89}}, Case{{3, 200, 3, 1}, {7, 199, 0, 2}},
                        Case{{2, 5, 7, 2, 16}, {1, 2, 3, 4}}, Case{{5, 64, 64, 3}, {2, 2, 2, 2}}}) {
    INFO(c.x.text());
    Tensor x = normal(c.x);
    double const copies = 9;  // of one pixel, at most: above, below, left, right, at four corners and its own
    for (PaddingMode mode : {zeros_mode, circular, reflect})
      check_devices([=](auto t) { return pad2d(t[0], c.m, mode); }, {x}, copies);
  }
  Tensor small = normal({2, 1, 2, 5});  // margins that are larger than x, or as large
  check_devices([=](auto t) { return pad2d(t[0], {4, 3, 5, 9}); }, {small}, 1);
  check_devices([=](auto t) { return pad2d(t[0], {1, 1, 2, 2}, circular); }, {small}, 9);
}

TEST_CASE("pad2d: the gradient is the adjoint") {
  manual_seed(20);
  for (PaddingMode mode : {zeros_mode, circular, reflect})
    for (Margins m : {Margins{}, Margins{1, 1, 1, 1}, Margins{2, 0, 1, 3}, Margins{2, 2, 3, 3}}) {
      check_adjoint([=](Tensor t) { return pad2d(t, m, mode); }, normal({2, 3, 4, 5}));
      check_adjoint([=](Tensor t) { return pad2d(t, m, mode); }, normal({1, 5, 4, 1, 8}));
    }
}

TEST_CASE("pad2d: padding commutes with transposition and reversal, sides exchanged") {
  Tensor x = normal({2, 5, 4, 3});
  Margins m{.top = 1, .bottom = 3, .left = 2, .right = 0};
  for (PaddingMode mode : {zeros_mode, circular, reflect}) {
    Tensor y = pad2d(x, m, mode);
    Margins across{m.left, m.right, m.top, m.bottom}, upside_down{m.bottom, m.top, m.left, m.right};
    CHECK(same_bits(pad2d(x.permute({0, 2, 1, 3}), across, mode), y.permute({0, 2, 1, 3})));
    CHECK(same_bits(pad2d(reversed(x, axis::H), upside_down, mode), reversed(y, axis::H)));
  }
}

TEST_CASE("pad2d: on the torus a convolution commutes with shifts; with zeros it does not") {
  manual_seed(21);
  int const channels = 3;
  Tensor x = normal({2, 7, 6, channels}, {.dtype = DType::f64});
  Tensor w = normal({4, channels, 5, 3}, {.dtype = DType::f64});
  auto apply = [&](Tensor t, PaddingMode mode) { return conv2d(pad2d(t, {2, 2, 1, 1}, mode), w); };
  auto broken_by = [&](int64_t down, int64_t right, PaddingMode mode) {
    auto move = [=](Tensor t) { return shifted(shifted(t, axis::H, down), axis::W, right); };
    return difference(apply(move(x), mode), move(apply(x, mode)));
  };
  double const terms = 5 * 3 * channels;  // each of `terms` products meets at most `terms` roundings, on either side
  double const rounding = 2 * terms * terms * epsilon(DType::f64) * largest(x) * largest(w);
  for (int64_t down : {0, 1, 3, 6})
    for (int64_t right : {0, 2, 5}) {
      INFO(down, " down, ", right, " to the right");
      CHECK_LE(broken_by(down, right, circular), rounding);
      if (down + right > 0) CHECK(broken_by(down, right, zeros_mode) > 0.1);
    }
}

TEST_CASE("pad2d: tags and errors") {
  CHECK(pad2d(zeros({1, 2, 2, 1, 16}, {.group = D16}), 1, circular).group() == D16);
  Tensor x = zeros({1, 4, 3, 2});
  CHECK_THROWS_AS(pad2d(zeros({4, 3}), 1), ShapeError);
  CHECK(message_of<ValueError>([=] { pad2d(x, {.left = -1}); }) ==
        "pad2d: left is -1; it must be 0 or more, slice() makes x smaller");
  CHECK(message_of<ShapeError>([=] { pad2d(x, {.bottom = 5}, circular); }) ==
        "pad2d: x is (N=1,H=4,W=3,C=2), bottom is 5; circular repeats x once: take at most H, or zeros");
  CHECK(message_of<ShapeError>([=] { pad2d(x, {.right = 3}, reflect); }) ==
        "pad2d: x is (N=1,H=4,W=3,C=2), right is 3; reflect mirrors all but the edge: take less than W, or zeros");
  CHECK_NOTHROW(pad2d(x, {4, 4, 3, 3}, circular));
  CHECK_NOTHROW(pad2d(x, {3, 3, 2, 2}, reflect));
  CHECK_NOTHROW(pad2d(x, 9));
}
