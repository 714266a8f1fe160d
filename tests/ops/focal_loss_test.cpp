// Focal loss: fast against reference, cross-entropy at gamma 0, values by hand, saturation, errors.
#include <d16/ops/losses.hpp>

#include "compare.hpp"

using namespace d16;
using namespace d16::testing;

namespace {
Tensor labels(std::vector<int64_t> v, Device device = {}) { return from(v, {int64_t(v.size())}, {.device = device}); }
}  // namespace

TEST_CASE("focal_loss: fast against reference") {
  manual_seed(42);
  for (Shape const& s : {Shape{1, 2}, Shape{7, 3}, Shape{5001, 10}, Shape{3, 1009}}) {
    Tensor x = 4 * normal(s), weight = uniform({s[1]}) + 0.1;
    std::vector<int64_t> target;
    Random random(1);
    for (int64_t n = 0; n < s[0]; ++n) target.push_back(random.integer(s[1]));
    for (double gamma : {0.0, 0.5, 2.0, 5.0})
      for (bool weighted : {false, true})
        check_devices(
            [=](auto t) {
              Tensor w = weighted ? weight.cast(t[0].dtype()).to(t[0].device()) : Tensor();
              return focal_loss(t[0], labels(target, t[0].device()), {.gamma = gamma, .weight = w});
            },
            // the sums over classes and samples; a power has 5 + gamma roundings
            {x}, 16, 2 * double(s[1]) + double(s[0]) + 32);
  }
}

TEST_CASE("focal_loss: gamma 0 is cross-entropy, value and gradient, weighted or not") {
  manual_seed(43);
  TensorOptions o{.dtype = DType::f64};
  Tensor x = 3 * normal({19, 4}, o), w = uniform({4}, o) + 0.1;
  std::vector<int64_t> target;
  for (int64_t n = 0; n < 19; ++n) target.push_back(n % 4);
  for (Tensor weight : {Tensor(), w})
    for (Reduction r : {Reduction::mean, Reduction::sum}) {
      auto focal = forward_and_back(
          [=](auto t) { return focal_loss(t[0], labels(target), {.gamma = 0, .weight = weight, .reduction = r}); }, {x},
          "cpu");
      auto plain = forward_and_back(
          [=](auto t) { return cross_entropy(t[0], labels(target), {.weight = weight, .reduction = r}); }, {x}, "cpu");
      for (size_t i = 0; i < 2; ++i)
        CHECK_LE(difference(focal[i], plain[i]), 30 * epsilon(DType::f64) * largest(plain[i]));
    }
}

TEST_CASE("focal_loss: values by hand") {
  Tensor x = from(std::vector<double>{0, std::log(3.0)}, {1, 2}), w = from(std::vector<double>{2, 5}, {2});
  double log4 = std::log(4.0), log43 = std::log(4 / 3.0);  // p = (1/4, 3/4)
  CHECK(focal_loss(x, labels({0})).item() == doctest::Approx(9 / 16.0 * log4).epsilon(1e-14));
  CHECK(focal_loss(x, labels({1}), {.gamma = 1}).item() == doctest::Approx(log43 / 4).epsilon(1e-14));
  CHECK(focal_loss(x, labels({1}), {.weight = w}).item() == doctest::Approx(log43 / 16).epsilon(1e-14));
  CHECK(focal_loss(x, labels({1}), {.weight = w, .reduction = Reduction::sum}).item() ==
        doctest::Approx(5 * log43 / 16).epsilon(1e-14));
}

TEST_CASE("focal_loss: what is right weighs less the larger gamma is, so that the gradient turns to what is wrong") {
  Tensor x = from(std::vector<double>{3, 0, 0, 3}, {2, 2}).set_requires_grad();  // the first right, the second wrong
  auto ratio = [&](double gamma) {
    x.zero_grad();
    focal_loss(x, labels({0, 0}), {.gamma = gamma}).backward();
    return std::abs(values(x.grad())[0] / values(x.grad())[2]);
  };
  CHECK(ratio(0) > 3 * ratio(1));
  CHECK(ratio(1) > 3 * ratio(2));
}

TEST_CASE("focal_loss: logits that saturate stay finite, also where the slope of a power of 0 is infinite") {
  for (Device device : {Device("cpu"), Device("reference")})
    for (double gamma : {0.0, 0.5, 2.0}) {
      Tensor x = from(std::vector<float>{1000, 0, -1000, 1000, 0, 0}, {2, 3}, {.device = device}).set_requires_grad();
      Tensor loss = focal_loss(x, labels({0, 1}, device), {.gamma = gamma, .reduction = Reduction::sum});
      CHECK(loss.item() == 1000);  // p = 1 adds nothing, p = 0 its distance
      loss.backward();
      // at p = 0 the slope is that of cross-entropy, -log p being gamma-free there
      CHECK(values(x.grad()) == std::vector<double>{0, 0, 0, 1, -1, 0});
    }
}

TEST_CASE("focal_loss: errors") {
  Tensor logits = zeros({3, 2});
  CHECK(message_of<ValueError>([&] {
          focal_loss(logits, labels({0, 1, 2}));
        }) == "focal_loss: target[2] is 2; labels are 0 to 1");
  CHECK(message_of<ValueError>([&] {
          focal_loss(logits, labels({0, 1, 1}), {.gamma = -1});
        }) == "focal_loss: gamma is -1; it needs gamma >= 0");
  CHECK_THROWS_AS(focal_loss(logits, labels({0})), ShapeError);
  CHECK_THROWS_AS(focal_loss(logits, zeros({3})), DTypeError);
  CHECK_THROWS_AS(focal_loss(logits, labels({0, 0, 0}), {.weight = ones({3})}), ShapeError);
}
