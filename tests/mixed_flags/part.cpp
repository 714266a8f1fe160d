// Compiled several times with different flags and -D PART=name: each object has a function that uses the engine.
#include <cstdio>
#include <d16/d16.hpp>

using namespace d16;

/// A training step of every kind of kernel; the sum of its results.
extern "C" double PART() {
  manual_seed(16);
  Tensor x = normal({2, 9, 9, 3}), w = normal({5, 3, 3, 3}).set_requires_grad(), b = zeros({5});
  Tensor y = conv2d(x, w, b, {.padding = 1});
  Tensor f = lift_conv2d(dihedral(4), relu(y), normal({2, 5, 6}));
  Tensor logits = linear(global_avg_pool(group_max_pool(f)), normal({3, 2}));
  cross_entropy(logits, zeros({2}, {.dtype = DType::i64})).backward();
  return sum(y).item() + sum(w.grad()).item();
}
