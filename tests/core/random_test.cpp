// Philox against its published known answers; moments, bias, state, independence of the number of threads.
#include <doctest/doctest.h>
#include <d16/core/tensor.hpp>

#include <cmath>
#include <vector>

using namespace d16;

TEST_CASE("philox 4x32-10 known answers") {  // Random123, kat_vectors
  CHECK(philox(0, 0, 0) == std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox(~0ull, ~0ull, ~0ull) == std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e) ==
        std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("moments of uniform, normal, poisson") {
  Random random(7);
  int const n = 200000;
  double u = 0, uu = 0, z = 0, zz = 0;
  for (int i = 0; i < n; ++i) {
    double a = random.uniform(), b = random.normal();
    u += a, uu += a * a, z += b, zz += b * b;
  }
  double bound = 5 / std::sqrt(n);  // five standard errors of a unit-variance mean
  CHECK(std::abs(u / n - 0.5) < bound * std::sqrt(1. / 12));
  CHECK(std::abs(uu / n - 1. / 3) < bound * std::sqrt(4. / 45));
  CHECK(std::abs(z / n) < bound);
  CHECK(std::abs(zz / n - 1) < bound * std::sqrt(2));
  for (double mean : {0.3, 4.0, 29.0, 31.0, 500.0}) {
    double sum = 0;
    for (int i = 0; i < 20000; ++i) sum += double(random.poisson(mean));
    CHECK(std::abs(sum / 20000 - mean) < 5 * std::sqrt(mean / 20000) + (mean > 30 ? 0.01 : 0));
  }
}

TEST_CASE("integers are in range and even") {
  Random random(3);
  std::vector<int> count(7);
  for (int i = 0; i < 70000; ++i) ++count[size_t(random.integer(7))];
  for (int c : count) CHECK(std::abs(c - 10000) < 5 * std::sqrt(10000 * 6. / 7));
  CHECK_THROWS_AS(random.integer(0), ValueError);
}

TEST_CASE("a restored state continues the sequence") {
  Random random(5, 2);
  for (int i = 0; i < 6; ++i) random.next();
  auto state = random.state();
  uint32_t a = random.next(), b = random.next(), c = random.next();
  Random other;
  other.restore(state);
  CHECK(other.next() == a);
  CHECK(other.next() == b);
  CHECK(other.next() == c);
}

TEST_CASE("a state taken between the two normals of a pair restores the second") {
  Random random(5), other;
  random.normal();
  other.restore(random.state());
  for (int i = 0; i < 5; ++i) CHECK(other.normal() == random.normal());
}

TEST_CASE("random tensors do not depend on the number of threads") {
  int before = threads();
  std::vector<float> runs[2];
  for (int i : {0, 1}) {
    set_threads(i ? 3 : 1);
    manual_seed(11);
    Tensor x = normal({10007});
    runs[i].assign(x.host<float>().begin(), x.host<float>().end());
  }
  set_threads(before);
  CHECK(runs[0] == runs[1]);
  manual_seed(12);
  Tensor other = normal({10007});
  CHECK(other.host<float>()[0] != runs[0][0]);
}
