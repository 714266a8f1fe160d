// Ten lines that use d16 from outside; test.sh builds them in three ways and runs them.
#include <cstdio>
#include <d16/d16.hpp>
#include <d16/kernels/view.hpp>

int main() {
  d16::Tensor x = d16::ones({2, 3}).set_requires_grad();
  sum(square(x)).backward();
  std::printf("sum of d sum(x^2) / dx = %g\n", sum(x.grad()).item());
  return sum(x.grad()).item() == 12 ? 0 : 1;
}
