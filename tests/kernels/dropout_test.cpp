// The SIMD Philox gives the words of the scalar one; the mask of dropout is the same in both kernels.
#include <doctest/doctest.h>

#include <vector>

#include <d16/kernels/cpu/dropout.hpp>
#include <d16/kernels/reference/dropout.hpp>

using namespace d16;
using namespace d16::kernels;

TEST_CASE("philox: many blocks at once are the blocks one by one") {
  uint64_t key = 0x0123456789abcdef, stream = 0xfedcba9876543210;
  for (uint64_t first :
       {uint64_t(0), uint64_t(77), uint64_t(0xffffffe0)})  // the last crosses the low half of the counter
    for (int64_t count : {1, 63, 64, 65, 200}) {
      std::vector<uint32_t> words(size_t(4 * count) + 1, 42);
      cpu::philox_words(key, first, stream, count, words.data());
      for (int64_t i = 0; i < count; ++i)
        for (size_t k = 0; k < 4; ++k) CHECK(words[size_t(4 * i) + k] == philox(key, first + uint64_t(i), stream)[k]);
      CHECK(words.back() == 42);  // nothing beyond
    }
}

TEST_CASE_TEMPLATE("dropout: fast against reference", T, float, double) {
  for (int64_t n : {1, 5, 1023, 1025, 40003})
    for (double p : {0.1, 0.5, 0.999}) {
      std::vector<T> x(size_t(n), T(1)), y(x), expected(x);
      Dropout<T> a;
      a.n = n, a.p = p, a.seed = 9, a.stream = 4, a.x = x.data(), a.y = y.data();
      CHECK(cpu::dropout(a) == ok);
      a.y = expected.data();
      CHECK(reference::dropout(a) == ok);
      for (size_t i = 0; i < x.size(); ++i) CHECK(y[i] == doctest::Approx(expected[i]).epsilon(1e-6));
    }
}
