// Adam, AdamW and gradient descent against their formulas in double, their state, and the schedules.
#include <doctest/doctest.h>

#include <d16/cuda/use.hpp>
#include <d16/nn/dense.hpp>
#include <d16/optim/adam.hpp>
#include <d16/optim/schedule.hpp>
#include <d16/optim/sgd.hpp>

using namespace d16;

namespace {

/// The textbook form of Adam on one number.
struct AdamOnOne {
  double p, m = 0, v = 0;
  void step(double g, int t, double lr, double b1, double b2, double eps, double decay, bool decoupled) {
    if (!decoupled) g += decay * p;
    m = b1 * m + (1 - b1) * g;
    v = b2 * v + (1 - b2) * g * g;
    double m_hat = m / (1 - std::pow(b1, t)), v_hat = v / (1 - std::pow(b2, t));
    p = p - (decoupled ? lr * decay * p : 0) - lr * m_hat / (std::sqrt(v_hat) + eps);
  }
};

std::vector<Device> all_devices() {
  use_cuda_emulated();
  return {"cpu", "reference", "cuda_emulated"};
}

double gradient(int i, int t) { return std::sin(1.7 * i + 0.9 * t) + 0.1; }

}  // namespace

TEST_CASE("Adam and AdamW follow their formulas for several steps, on every device and type") {
  // lr / eps < 1: where g passes through zero the step changes by at most lr / eps times the rounding of g
  double lr = 0.02, b1 = 0.8, b2 = 0.95, eps = 0.1, decay = 0.3;
  for (Device device : all_devices())
    for (DType dtype : {DType::f32, DType::f64})
      for (bool decoupled : {false, true})
        for (int n : {1, 7, 40013}) {
          CAPTURE(n);
          std::vector<AdamOnOne> expected;
          for (int i = 0; i < n; ++i) expected.push_back({std::cos(i)});
          TensorOptions o{.dtype = dtype, .device = device};
          Tensor p = empty({n}, o), g = empty({n}, o), m = zeros({n}, o), v = zeros({n}, o);
          for_float(dtype, [&]<class T>(T) {
            for (int i = 0; i < n; ++i) p.data<T>()[i] = T(std::cos(i));
            for (int t = 1; t <= 4; ++t) {
              for (int i = 0; i < n; ++i) g.data<T>()[i] = T(gradient(i, t));
              if (decoupled) optim::adamw_step(p, g, m, v, {lr, {b1, b2}, eps, decay}, t);
              else optim::adam_step(p, g, m, v, {lr, {b1, b2}, eps, decay}, t);
              for (int i = 0; i < n; ++i)
                expected[size_t(i)].step(gradient(i, t), t, lr, b1, b2, eps, decay, decoupled);
            }
            double worst = 0;
            for (int i = 0; i < n; ++i)
              worst = std::max(worst, std::abs(double(p.data<T>()[i]) - expected[size_t(i)].p));
            // four steps of about ten roundings each of values near 1
            CHECK(worst < 40 * double(std::numeric_limits<T>::epsilon()));
          });
        }
}

TEST_CASE("gradient descent: momentum, Nesterov, decay, and no memory of the past at the first step") {
  double lr = 0.1, friction = 0.9, decay = 0.05;
  for (Device device : all_devices())
    for (bool nesterov : {false, true}) {
      TensorOptions o{.dtype = DType::f64, .device = device};
      Tensor p = full({3}, 2, o), b = full({3}, 99, o);
      double x = 2, y = 0;
      for (int t = 1; t <= 3; ++t) {
        optim::sgd_step(p, full({3}, gradient(0, t), o), b, {lr, friction, nesterov, decay}, t);
        double g = gradient(0, t) + decay * x;
        y = t == 1 ? g : friction * y + g;
        x -= lr * (nesterov ? g + friction * y : y);
      }
      CHECK(std::abs(p.data<double>()[2] - x) < 30 * 2.3e-16);
      CHECK(std::abs(b.data<double>()[2] - y) < 30 * 2.3e-16);
    }
}

TEST_CASE("step() applies gradients, clears them, and leaves parameters without one alone") {
  nn::Linear used(2, 1), unused(2, 1);
  auto parameters = used.parameters();
  for (Tensor const& p : unused.parameters()) parameters.push_back(p);
  optim::Sgd opt(parameters, {.lr = 0.5, .momentum = 0});
  float before = used.weight.data<float>()[1], other = unused.weight.data<float>()[1];
  CHECK_THROWS_AS(opt.step(), ValueError);
  sum(used(full({1, 2}, 3))).backward();
  opt.step();
  CHECK(used.weight.data<float>()[1] == before - 0.5f * 3);
  CHECK(unused.weight.data<float>()[1] == other);
  CHECK(!used.weight.grad().defined());
  CHECK_THROWS_AS(opt.step(), ValueError);
}

TEST_CASE("a graph recorded before step() cannot be walked after it") {
  nn::Linear layer(2, 2, {.bias = false});
  optim::Adam opt(layer.parameters());
  Tensor x = ones({1, 2}).set_requires_grad();
  Tensor kept = sum(layer(x));
  sum(layer(x)).backward();
  opt.step();
  CHECK_THROWS_AS(kept.backward(), GradError);
}

TEST_CASE("the state of an optimiser moves to another one of its kind only") {
  nn::Linear layer(3, 2);
  auto train = [&](optim::Optimiser& opt, int steps) {
    for (int i = 0; i < steps; ++i) {
      sum(square(layer(ones({1, 3})))).backward();
      opt.step();
    }
  };
  optim::AdamW first(layer.parameters()), second(layer.parameters());
  train(first, 3);
  second.restore(first.state(), first.steps());
  CHECK(second.steps() == 3);
  CHECK(second.state().size() == 4);
  CHECK(second.state()[3].name == "v.1");
  CHECK(second.state()[3].tensor.data<float>()[1] == first.state()[3].tensor.data<float>()[1]);
  CHECK(!second.state()[3].tensor.same_memory(first.state()[3].tensor));
  optim::Sgd other(layer.parameters());
  CHECK_THROWS_AS(other.restore(first.state(), 3), WeightsError);
  nn::Linear wider(4, 2);
  optim::AdamW third(wider.parameters());
  CHECK_THROWS_AS(third.restore(first.state(), 3), WeightsError);
}

TEST_CASE("an optimiser needs parameters that want gradients") {
  CHECK_THROWS_AS(optim::Adam(std::vector<Tensor>()), ValueError);
  CHECK_THROWS_AS(optim::Adam(std::vector<Tensor>{ones({2})}), ValueError);
}

TEST_CASE("schedules") {
  optim::StepSchedule step{{2, 5}, 0.1};
  CHECK(step(0) == 1);
  CHECK(step(1.99) == 1);
  CHECK(step(2) == 0.1);
  CHECK(std::abs(step(7) - 0.01) < 1e-15);
  optim::CosineSchedule cosine{.epochs = 10, .warmup = 2, .floor = 0.1};
  CHECK((cosine(0) > 0 && cosine(0) < 0.01));
  CHECK(std::abs(cosine(2) - 1) < 1e-12);
  CHECK(std::abs(cosine(6) - 0.55) < 1e-12);
  CHECK(std::abs(cosine(10) - 0.1) < 1e-12);
  CHECK(std::abs(cosine(11) - 0.1) < 1e-12);
}
