// Calls the parts that were compiled with different flags: they agree, up to how each compiler rounds.
#include <cmath>
#include <cstdio>

extern "C" double baseline();
extern "C" double avx2();
extern "C" double native();

int main() {
  double expected = baseline(), others[] = {avx2(), native()};
  std::printf("%.9g %.9g %.9g\n", expected, others[0], others[1]);
  // Sums of about 2000 float32 values: 2000 x 1.2e-7 x the magnitude of the largest, below 10.
  for (double other : others)
    if (!(std::abs(other - expected) <= 2000 * 1.2e-7 * 10)) return 1;
}
