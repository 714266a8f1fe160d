// Random changes of a batch of pictures, value by value in double: the specification.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include <d16/core/random.hpp>

#include "../augment.hpp"

namespace d16::kernels::reference {

namespace detail {

/// What happens to a picture: turned by an angle after it was mirrored, scaled, moved down and to the right.
struct Turn {
  double angle = 0, scale = 1, down = 0, right = 0;
  bool mirror = false;
};

inline Turn turn_of_item(Augment const& a, uint64_t stream, int64_t n) {
  Random random(a.seed, (stream << 32 | (a.first + uint64_t(n))) | uint64_t(1) << 63);
  Turn t;
  double const angle = random.uniform() * 6.283185307179586;
  t.angle = a.any_angle ? angle : 0;
  t.mirror = random.uniform() < 0.5 && a.mirror;
  t.scale = 1 + random.uniform(-a.zoom, a.zoom);
  t.down = random.uniform(-a.shift, a.shift), t.right = random.uniform(-a.shift, a.shift);
  return t;
}
inline Turn turn_of_bands(Augment const& a, uint64_t index) {
  Random motion(a.seed, 4 * index), place(a.seed, 4 * index + 1);
  Turn t;
  t.mirror = motion.uniform() < 0.5 && a.mirror;
  int64_t quarters = motion.integer(4) * a.quarter_turns;
  if (a.P != a.Q) quarters -= quarters % 2;
  double const angle = motion.uniform() * 6.283185307179586;
  t.angle = a.any_angle ? angle : double(quarters) * 1.5707963267948966;
  t.down = place.uniform(-a.shift, a.shift), t.right = place.uniform(-a.shift, a.shift);
  return t;
}

inline int64_t continued(int64_t i, int64_t n) {  // d c b a | a b c d | d c b a
  i = (i % (2 * n) + 2 * n) % (2 * n);
  return i < n ? i : 2 * n - 1 - i;
}

/// Value (i, j, c) of picture n of y, without noise.
template <class In> double turned(Augment const& a, In const* from, Turn const& t, int64_t n, int64_t i, int64_t j,
                                  int64_t c) {
  auto const x = View(from, a.N, a.H, a.W, a.C);
  auto middle = [&](int64_t in, int64_t out) {
    return a.whole_pixels() ? double((in - out) / 2) + double(out - 1) / 2 : double(in - 1) / 2;
  };
  double const dy = double(i) - double(a.P - 1) / 2 - t.down, dx = double(j) - double(a.Q - 1) / 2 - t.right;
  double const cosine = std::cos(t.angle) / t.scale, sine = std::sin(t.angle) / t.scale;
  double const v = middle(a.H, a.P) + cosine * dy + sine * dx;
  double const u = middle(a.W, a.Q) + (t.mirror ? -1 : 1) * (cosine * dx - sine * dy);
  if (a.whole_pixels()) return double(a.unit) * double(x(n, std::llround(v), std::llround(u), c));
  auto const top = int64_t(std::floor(v)), left = int64_t(std::floor(u));
  double const ty = v - std::floor(v), tx = u - std::floor(u);
  auto pixel = [&](int64_t row, int64_t column) {
    return double(x(n, continued(row, a.H), continued(column, a.W), c));
  };
  double const above = (1 - tx) * pixel(top, left) + tx * pixel(top, left + 1);
  double const below = (1 - tx) * pixel(top + 1, left) + tx * pixel(top + 1, left + 1);
  return double(a.unit) * ((1 - ty) * above + ty * below);
}

/// Which bands of those that are valid stay: the others are left out, in a random order, as long as `keep` stay.
inline std::vector<bool> bands_that_stay(Augment const& a, uint64_t index, std::vector<bool> valid) {
  if (!(a.drop > 0)) return valid;
  Random random(a.seed, 4 * index + 3);
  std::vector<size_t> order;
  for (size_t c = 0; c < valid.size(); ++c) {
    order.push_back(c);
    std::swap(order.back(), order[size_t(random.integer(int64_t(c) + 1))]);
  }
  auto left = std::count(valid.begin(), valid.end(), true);
  for (size_t c : order)
    if (random.uniform() < a.drop && valid[c] && left > a.keep) valid[c] = false, --left;
  return valid;
}

template <class In> void augment(Augment const& a) {
  uint64_t const stream = a.stream + (a.offset ? *a.offset : 0);
  for (int64_t n = 0; n < a.N; ++n) {
    uint64_t const index = stream + a.first + uint64_t(n);
    Turn const turn = a.rule == AugmentRule::items ? turn_of_item(a, stream, n) : turn_of_bands(a, index);
    std::vector<bool> valid(size_t(a.C), true);
    for (int64_t c = 0; a.valid && c < a.C; ++c) valid[size_t(c)] = a.valid[n * a.C + c] != 0;
    std::vector<bool> const stays = bands_that_stay(a, index, valid);
    Random noise(a.seed, 4 * index + 2);
    for (int64_t k = 0; k < a.P * a.Q * a.C; ++k) {
      auto const c = size_t(k % a.C);
      double value = turned(a, static_cast<In const*>(a.x), turn, n, k / a.C / a.Q, k / a.C % a.Q, k % a.C);
      if (double const normal = a.noise ? noise.normal() : 0; a.noise && valid[c]) value += a.noise[c] * normal;
      a.y[n * a.P * a.Q * a.C + k] = valid[c] && !stays[c] ? 0.0f : float(value);
    }
    for (int64_t c = 0; a.valid && c < a.C; ++c) a.valid_out[n * a.C + c] = stays[size_t(c)];
  }
}

}  // namespace detail

inline int augment(Augment const& a) {
  if (a.pixels == DType::f32) detail::augment<float>(a);
  else if (a.pixels == DType::bf16) detail::augment<bf16>(a);
  else if (a.pixels == DType::u8) detail::augment<uint8_t>(a);
  else return unsupported;
  return ok;
}

}  // namespace d16::kernels::reference
