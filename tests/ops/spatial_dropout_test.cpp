// Dropout of channels: whole channels go, at the right rate, by the seed, and the gradient knows which.
#include <d16/ops/spatial_dropout.hpp>

#include "compare.hpp"

using namespace d16;
using namespace d16::testing;

namespace {
Tensor seeded(Tensor x, double p) {
  manual_seed(41);
  return spatial_dropout(x, p);
}
}  // namespace

TEST_CASE("spatial_dropout: a channel of a sample goes as a whole, or is scaled as a whole") {
  Tensor y = seeded(ones({5, 4, 3, 37}), 0.4);
  auto v = values(y);
  int dropped = 0;
  for (size_t n = 0; n < 5; ++n)
    for (size_t c = 0; c < 37; ++c) {
      double first = v[n * 12 * 37 + c];
      dropped += first == 0;
      CHECK((first == 0 || std::abs(first - 1 / 0.6) < 2e-7));
      for (size_t pixel = 1; pixel < 12; ++pixel) CHECK(v[(n * 12 + pixel) * 37 + c] == first);
    }
  CHECK(dropped > 0);
  auto channels = [&](int64_t n) { return values(y.slice(axis::N, n, n + 1)); };
  CHECK(channels(0) != channels(1));  // each sample has its own mask
  Tensor features = seeded(ones({2, 3, 3, 5, 16}, {.group = D16}), 0.5);
  CHECK(features.group() == D16);
  for (int64_t g = 1; g < 16; ++g) CHECK(same_bits(features.select(axis::G, g), features.select(axis::G, 0)));
}

TEST_CASE("spatial_dropout: the share of dropped channels is p") {
  for (double p : {0.1, 0.5, 0.9}) {
    int64_t n = 1 << 17, zero = 0;
    for (double v : values(seeded(ones({n / 64, 1, 1, 64}), p))) zero += v == 0;
    CHECK_LE(std::abs(double(zero) / double(n) - p), 5 * std::sqrt(p * (1 - p) / double(n)));  // binomial
  }
}

TEST_CASE("spatial_dropout: a seed fixes the mask on both devices, for any number of threads; the gradient has it") {
  Tensor x = ones({3, 40, 41, 19});
  check_devices([](auto t) { return seeded(t[0], 0.3); }, {x}, 1);
  x.set_requires_grad();
  Tensor y = seeded(x, 0.3);
  y.backward(ones(x.shape()));
  CHECK(same_bits(x.grad(), y));
  manual_seed(41);
  Tensor first = spatial_dropout(x, 0.3), second = spatial_dropout(x, 0.3);
  CHECK(same_bits(first, y));
  CHECK_FALSE(same_bits(first, second));
}

TEST_CASE("spatial_dropout: the identity outside training, and errors") {
  Tensor x = ones({1, 2, 2, 5});
  CHECK(spatial_dropout(x, 0.5, false).same_memory(x));
  CHECK(message_of<ValueError>([&] { spatial_dropout(x, 1); }) == "spatial_dropout: p is 1; it needs 0 <= p < 1");
  CHECK_THROWS_AS(spatial_dropout(ones({5, 4}), 0.5), ShapeError);
}
