// Dropout and reparameterisation: the same bits for a seed, the right rates, gradients that know the mask.
#include <d16/ops/dropout.hpp>

#include "compare.hpp"

using namespace d16;
using namespace d16::testing;

namespace {
Tensor seeded_dropout(Tensor x, double p) {
  manual_seed(21);
  return dropout(x, p);
}
}  // namespace

TEST_CASE("dropout: a seed fixes the mask, on both devices, for any number of threads") {
  Tensor x = ones({3, 40009});
  check_devices([](auto t) { return seeded_dropout(t[0], 0.3); }, {x}, 1);
  CHECK(same_bits(seeded_dropout(x, 0.3), seeded_dropout(x, 0.3)));
  manual_seed(21);
  Tensor first = dropout(x, 0.3), second = dropout(x, 0.3);
  CHECK_FALSE(same_bits(first, second));
}

TEST_CASE("dropout: the share of zeros is p, what is kept is scaled up") {
  for (double p : {0.1, 0.5, 0.9}) {
    int64_t n = 1 << 18, zero = 0;
    for (double v : values(seeded_dropout(ones({n}), p))) {
      if (v == 0) ++zero;
      else CHECK(v == doctest::Approx(1 / (1 - p)).epsilon(1e-6));
    }
    double spread = std::sqrt(p * (1 - p) / double(n));  // of the share, binomial
    CHECK_LE(std::abs(double(zero) / double(n) - p), 5 * spread);
  }
}

TEST_CASE("dropout: the gradient has the mask of the result") {
  Tensor x = ones({1001}).set_requires_grad();
  Tensor y = seeded_dropout(x, 0.4);
  y.backward(ones({1001}));
  CHECK(same_bits(x.grad(), y));
}

TEST_CASE("dropout: the identity outside training, and errors") {
  Tensor x = ones({5});
  CHECK(dropout(x, 0.5, false).same_memory(x));
  CHECK(message_of<ValueError>([&] { dropout(x, 1); }) == "dropout: p is 1; it needs 0 <= p < 1");
  CHECK_THROWS_AS(dropout(x, -0.1), ValueError);
}

TEST_CASE("reparameterise: mean and variance of the sample") {
  manual_seed(22);
  int64_t n = 1 << 16;
  Tensor mu = full({n}, 3).set_requires_grad(), logvar = full({n}, std::log(4.0)).set_requires_grad();
  Tensor z = reparameterise(mu, logvar);
  double mean = 0, variance = 0;
  for (double v : values(z)) mean += v / double(n);
  for (double v : values(z)) variance += (v - mean) * (v - mean) / double(n);
  CHECK_LE(std::abs(mean - 3), 5 * 2 / std::sqrt(double(n)));
  CHECK_LE(std::abs(variance - 4), 5 * 4 * std::sqrt(2 / double(n)));
  z.backward(ones({n}));
  CHECK(values(mu.grad())[7] == 1);
  CHECK(values(logvar.grad())[7] == doctest::Approx((values(z)[7] - 3) / 2).epsilon(1e-5));
  CHECK_THROWS_AS(reparameterise(zeros({2}), zeros({3})), ShapeError);
}
