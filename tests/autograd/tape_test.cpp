// The gradient graph: accumulation, shared inputs, NoGrad, misuse, and freedom from leaks.
#include <doctest/doctest.h>
#include <d16/autograd/gradcheck.hpp>

#include <string>

using namespace d16;

TEST_CASE("a value used twice gets both gradients") {
  Tensor x = full({1}, 3).set_requires_grad();
  Tensor y = x * x + x * 2.0;  // dy/dx = 2x + 2
  y.backward();
  CHECK(x.grad().item() == 8);
  (x * 5.0).backward();  // gradients accumulate
  CHECK(x.grad().item() == 13);
  x.zero_grad();
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("a diamond is walked once, in falling order") {
  Tensor x = full({1}, 2).set_requires_grad();
  Tensor a = x * x, b = a + a * a;  // b = x^2 + x^4
  b.backward();
  CHECK(x.grad().item() == doctest::Approx(2 * 2 + 4 * 8));
}

TEST_CASE("nothing is recorded under NoGrad or without gradient") {
  Tensor x = full({1}, 2).set_requires_grad();
  Tensor y;
  {
    NoGrad off;
    y = x * x;
  }
  CHECK_FALSE(y.requires_grad());
  CHECK_THROWS_AS(y.backward(), GradError);
  CHECK((x * x).requires_grad());
  CHECK_FALSE((x.detach() * 2.0).requires_grad());
}

TEST_CASE("misuse is told apart") {
  Tensor x = ones({2, 2}).set_requires_grad();
  Tensor y = x * x;
  CHECK_THROWS_AS(y.backward(), GradError);            // no seed for four elements
  CHECK_THROWS_AS(y.backward(ones({4})), ShapeError);  // a seed of another shape
  y.backward(ones({2, 2}));
  CHECK_THROWS_AS(y.backward(ones({2, 2})), GradError);  // freed
  Tensor z = x * x;
  x.data<float>()[0] = 5;
  x.mark_changed();
  std::string message;
  try {
    z.backward(ones({2, 2}));
  } catch (GradError const& error) {
    message = error.what();
  }
  CHECK(message.find("changed in place") != std::string::npos);
}

TEST_CASE("an input without gradient that another's gradient needs may not change either") {
  Tensor w = full({1}, 3).set_requires_grad(), batch = full({1}, 2);
  Tensor y = w * batch;
  batch.assign(full({1}, 7));  // the next batch in the same memory: dy/dw would be 7
  CHECK_THROWS_AS(y.backward(), GradError);
  CHECK_FALSE(w.grad().defined());
  Tensor z = w * batch;
  z.backward();
  batch.assign(full({1}, 8));  // after the way back it may
  CHECK(w.grad().item() == 7);
}

TEST_CASE("the graph frees its memory after backward and when dropped") {
  size_t before = host_arena().use().used;
  for (bool walk : {true, false}) {
    Tensor x = ones({1000}).set_requires_grad();
    Tensor y = x;
    for (int i = 0; i < 10; ++i) y = y * y + x;
    if (walk) sum(y).backward();
  }
  CHECK(host_arena().use().used == before);
}

TEST_CASE("a result that can be computed again is not kept, and gives the same gradient") {
  size_t kept[2];
  std::vector<float> gradient[2];
  for (bool recompute : {false, true}) {
    Tensor leaf = arange(1000, {.dtype = DType::f32}).set_requires_grad();
    Tensor x = leaf.detach(), loss;
    size_t const before = host_arena().use().used;
    {
      Tensor y = record("twice", x * 2, wrt(leaf, [](Tensor dy) { return dy * 2; }));
      if (recompute) Tape::recompute(y, [x] { return x * 2; });
      loss = record("half the square", x, wrt(y, [y = Saved(y)](Tensor dy) { return dy * y(); }));
    }
    kept[recompute] = host_arena().use().used - before;
    loss.backward(ones({1000}));
    Tensor grad = leaf.grad();
    auto values = grad.host<float>();
    gradient[recompute].assign(values.begin(), values.end());
  }
  CHECK(kept[0] >= 4000);
  CHECK(kept[1] < 4000);
  CHECK(gradient[0] == gradient[1]);
  CHECK(gradient[1][3] == 2 * (2 * 3));
}

TEST_CASE("a joint pullback sees which inputs are needed") {
  Tensor a = full({1}, 2).set_requires_grad(), b = full({1}, 3);
  std::vector<bool> seen;
  Tensor y = record("joint", full({1}, 6), {a, b}, [&](Tensor dy, std::vector<bool> const& needed) {
    seen = needed;
    return std::vector<Tensor>{dy * 3.0, Tensor{}};
  });
  y.backward();
  CHECK(seen == std::vector<bool>{true, false});
  CHECK(a.grad().item() == 3);
}

TEST_CASE("gradcheck accepts a right gradient and sees a wrong one") {
  auto right = [](Tensor x, double a) { return x * x * a; };
  auto wrong = [](Tensor x, double a) {
    Tensor y = x.detach() * x.detach() * a;
    return record("wrong", y, wrt(x, [=](Tensor dy) { return dy * x.detach() * (1.99 * a); }));
  };
  manual_seed(1);
  Tensor x = normal({4, 5});
  CHECK(gradcheck(right, x, 3.0) < 1e-7);
  CHECK(gradcheck(wrong, x, 3.0) > 1e-3);
}
