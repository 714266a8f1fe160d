// Lesson 2: gradients. backward(), and how to give an op of one's own its derivative.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <d16/autograd/gradcheck.hpp>
#include <d16/d16.hpp>

using namespace d16;

static void check(bool condition, char const* what) {
  std::printf("  %s %s\n", condition ? "yes:" : "NO: ", what);
  if (!condition) std::exit(1);
}

/// The stretch with which astronomers look at faint and bright pixels together. The loop is the value, the lambda the
/// derivative: dx = dy * d asinh(x/a) / dx.
Tensor my_stretch(Tensor x, double a) {
  Tensor y = empty_like(x);
  for_float(x.dtype(), [&]<class T>(T) {
    auto in = x.host<T>(), out = y.host<T>();
    parallel_for(x.numel(), [=](int64_t i) { out[size_t(i)] = T(std::asinh(in[size_t(i)] / a) / std::asinh(1 / a)); });
  });
  return record("my_stretch", y,
                wrt(x, [=](Tensor dy) { return dy / (sqrt(1 + square(x / a)) * (a * std::asinh(1 / a))); }));
}

int main() {
  std::printf("The gradient of sum(x^2) is 2x.\n");
  Tensor x = normal({3, 4}).set_requires_grad();
  sum(square(x)).backward();
  check(max(abs(x.grad() - 2 * x.detach())).item() < 1e-6, "x.grad() is 2x");
  sum(square(x)).backward();
  check(max(abs(x.grad() - 4 * x.detach())).item() < 1e-6, "a second backward() adds to it");

  std::printf("An op of one's own is as good as any: compare with finite differences in float64.\n");
  double worst = gradcheck(my_stretch, normal({4, 5}), 0.3);
  std::printf("  largest relative error %.1e\n", worst);
  check(worst < 1e-6, "the derivative fits the value");

  std::printf("Fit a line to points by gradient descent.\n");
  Tensor t = arange(20) / 20.0, points = 3 * t + 0.5;
  Tensor slope = zeros({1}).set_requires_grad(), offset = zeros({1}).set_requires_grad();
  for (int i = 0; i < 500; ++i) {
    mean(square(slope * t + offset - points)).backward();
    for (Tensor* p : {&slope, &offset}) {
      *p->data<float>() -= 0.5f * float(p->grad().item());
      p->mark_changed();  // so that a graph which still needs the old value says so
      p->zero_grad();
    }
  }
  std::printf("  y = %.3f x + %.3f\n", slope.item(), offset.item());
  check(std::abs(slope.item() - 3) < 1e-3 && std::abs(offset.item() - 0.5) < 1e-3, "the line is y = 3x + 0.5");

  std::printf("Where no gradient is needed, nothing is recorded.\n");
  NoGrad off;
  check(!square(x).requires_grad(), "NoGrad stops recording as long as it lives");
}
