// Losses: fast against reference, values by hand, saturating inputs, laws and errors.
#include <d16/ops/losses.hpp>
#include <d16/ops/softmax.hpp>

#include "compare.hpp"

using namespace d16;
using namespace d16::testing;

TEST_CASE("losses: fast against reference over several pieces") {
  manual_seed(17);
  for (int64_t n : {1, 1023, 40009}) {
    Tensor x = 3 * normal({n}), t = uniform({n}), p = 0.98 * uniform({n}) + 0.01;
    double few = 16, all = few + double(n);  // roundings of one term; the terms are added up in double
    for (Reduction r : {Reduction::mean, Reduction::sum}) {
      check_devices([=](auto in) { return bce(in[0], in[1], r); }, {p, t}, few, all);
      check_devices([=](auto in) { return bce_with_logits(in[0], in[1], r); }, {x, t}, few, all);
      check_devices([=](auto in) { return mse(in[0], in[1], r); }, {x, t}, few, all);
      check_devices([=](auto in) { return l1(in[0], in[1], r); }, {x, t}, few, all);
      check_devices([=](auto in) { return kl_standard_normal(in[0], in[1], r); }, {x, t}, few, all);
    }
  }
}

TEST_CASE("cross_entropy: fast against reference") {
  manual_seed(18);
  for (Shape const& s : {Shape{1, 1}, Shape{7, 3}, Shape{5001, 10}, Shape{3, 1009}}) {
    Tensor x = 4 * normal(s), weight = uniform({s[1]}) + 0.1;
    std::vector<int64_t> labels;
    Random random(1);
    for (int64_t n = 0; n < s[0]; ++n) labels.push_back(random.integer(s[1]));
    for (double smoothing : {0.0, 0.1, 1.0})
      for (bool weighted : {false, true})
        check_devices(
            [=](auto t) {
              Tensor target = from(labels, {s[0]}, {.device = t[0].device()});
              Tensor w = weighted ? weight.cast(t[0].dtype()).to(t[0].device()) : Tensor();
              return cross_entropy(t[0], target, {.weight = w, .label_smoothing = smoothing});
            },
            {x}, 16, 2 * double(s[1]) + double(s[0]) + 16);
  }
}

TEST_CASE("losses: values by hand") {
  auto one = [](double v) { return full({1}, v, {.dtype = DType::f64}); };
  CHECK(bce(one(0.25), one(1)).item() == doctest::Approx(std::log(4.0)).epsilon(1e-14));
  CHECK(bce_with_logits(one(0), one(0.3)).item() == doctest::Approx(std::log(2.0)).epsilon(1e-14));
  CHECK(mse(one(3), one(5)).item() == 4);
  CHECK(l1(one(3), one(5)).item() == 2);
  CHECK(kl_standard_normal(one(2), one(0)).item() == 2);
  CHECK(kl_standard_normal(one(0), one(0)).item() == 0);
  CHECK(kl_standard_normal(one(0), one(std::log(4.0))).item() ==
        doctest::Approx(0.5 * (3 - std::log(4.0))).epsilon(1e-14));
  Tensor logits = zeros({2, 4}, {.dtype = DType::f64});
  CHECK(cross_entropy(logits, from(std::vector<int64_t>{0, 3}, {2})).item() ==
        doctest::Approx(std::log(4.0)).epsilon(1e-14));
  Tensor x = from(std::vector<double>{0, std::log(3.0)}, {1, 2}), w = from(std::vector<double>{2, 5}, {2});
  Tensor target = from(std::vector<int64_t>{1}, {1});
  // p = (1/4, 3/4); smoothing 0.2 of two classes: 0.8 w1 (-log p1) + 0.1 (w0 (-log p0) + w1 (-log p1)), over w1
  double expected = (0.8 * 5 * std::log(4 / 3.0) + 0.1 * (2 * std::log(4.0) + 5 * std::log(4 / 3.0))) / 5;
  CHECK(cross_entropy(x, target, {.weight = w, .label_smoothing = 0.2}).item() ==
        doctest::Approx(expected).epsilon(1e-14));
  CHECK(cross_entropy(x, target, {.weight = w, .label_smoothing = 0.2, .reduction = Reduction::sum}).item() ==
        doctest::Approx(5 * expected).epsilon(1e-14));
}

TEST_CASE("losses: inputs that saturate stay finite") {
  for (Device device : {Device("cpu"), Device("reference")}) {
    TensorOptions o{.device = device};
    auto numbers = [&](std::vector<float> v) {
      Tensor x = from(v, {int64_t(v.size())}, o);
      return x.set_requires_grad();
    };
    Tensor p = numbers({0, 1, 0, 1}), t = from(std::vector<float>{0, 1, 1, 0}, {4}, o);
    Tensor loss = bce(p, t, Reduction::sum);
    CHECK(loss.item() == 200);  // the logarithms stop at -100
    loss.backward();
    CHECK(difference(p.grad(), from(std::vector<float>{0, 0, -1e12f, 1e12f}, {4})) <= 1e5);
    Tensor x = numbers({1000, -1000, 1000, -1000}), u = from(std::vector<float>{1, 0, 0, 1}, {4}, o);
    loss = bce_with_logits(x, u, Reduction::sum);
    CHECK(loss.item() == 2000);
    loss.backward();
    CHECK(values(x.grad()) == std::vector<double>{0, 0, 1, -1});
    Tensor logits = from(std::vector<float>{1e30f, 0, -1e30f, 0, 1000, 0}, {2, 3}, o).set_requires_grad();
    loss = cross_entropy(logits, from(std::vector<int64_t>{0, 2}, {2}, o));
    CHECK(loss.item() == 500);
    loss.backward();
    CHECK(values(logits.grad()) == std::vector<double>{0, 0, 0, 0, 0.5, -0.5});
  }
}

TEST_CASE("losses: the logits' losses are the probabilities' losses") {
  manual_seed(19);
  TensorOptions o{.dtype = DType::f64};
  Tensor x = normal({50}, o), t = uniform({50}, o);
  CHECK(bce_with_logits(x, t).item() == doctest::Approx(bce(sigmoid(x), t).item()).epsilon(1e-13));
  Tensor logits = normal({6, 4}, o);
  std::vector<int64_t> labels{0, 1, 2, 3, 0, 1};
  double expected = 0;
  for (int64_t n = 0; n < 6; ++n)
    expected -= log_softmax(logits, 1).select(0, n).select(0, labels[size_t(n)]).item() / 6;
  CHECK(cross_entropy(logits, from(labels, {6})).item() == doctest::Approx(expected).epsilon(1e-13));
}

TEST_CASE("losses: the gradient of a scaled loss is scaled") {
  Tensor x = full({3}, 2).set_requires_grad();
  (mse(x, zeros({3}), Reduction::sum) * 5).backward();
  CHECK(values(x.grad()) == std::vector<double>{20, 20, 20});
}

TEST_CASE("losses: errors") {
  Tensor logits = zeros({3, 2});
  auto labels = [](std::vector<int64_t> v) { return from(v, {int64_t(v.size())}); };
  CHECK(message_of<ValueError>([&] {
          cross_entropy(logits, labels({0, 1, 2}));
        }) == "cross_entropy: target[2] is 2; labels are 0 to 1");
  CHECK(message_of<ValueError>([&] {
          cross_entropy(logits, labels({0, -1, 0}));
        }) == "cross_entropy: target[1] is -1; labels are 0 to 1");
  CHECK(message_of<ShapeError>([&] { cross_entropy(logits, labels({0})); }) ==
        "cross_entropy: logits are (3,2), target is (1); it needs (N,K) and (N)");
  CHECK_THROWS_AS(cross_entropy(logits, zeros({3})), DTypeError);
  CHECK_THROWS_AS(cross_entropy(zeros({0, 2}), labels({})), ValueError);
  CHECK_THROWS_AS(cross_entropy(logits, labels({0, 0, 0}), {.weight = ones({3})}), ShapeError);
  CHECK_THROWS_AS(cross_entropy(logits, labels({0, 0, 0}), {.label_smoothing = 1.5}), ValueError);
  CHECK(message_of<ShapeError>([] { mse(zeros({2}), zeros({3})); }) == "mse: (2) and (3); both inputs need one shape");
  CHECK_THROWS_AS(l1(zeros({2}), zeros({2}, {.dtype = DType::f64})), DTypeError);
  CHECK_THROWS_AS(bce(zeros({2}), zeros({2}, {.device = "reference"})), DeviceError);
}
