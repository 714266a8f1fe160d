// Values as bins: the order is kept, equal values stay together, thresholds lie between neighbours.
#include <doctest/doctest.h>

#include <d16/learn/codes.hpp>

using namespace d16;
using learn::detail::Codes;

namespace {
learn::detail::Matrix column(std::vector<float> const& values) {
  return learn::detail::matrix("test", from(values, {int64_t(values.size()), 1}));
}
}  // namespace

TEST_CASE("codes: one bin per value, in order, missing behind the last") {
  float nan = std::numeric_limits<float>::quiet_NaN();
  Codes<uint32_t> codes(column({3, -1, nan, 3, 0, -0.0f, 1e30f, -1e30f}), 0);
  REQUIRE(codes.bins(0) == 5);  // -1e30, -1, 0 and -0, 3, 1e30
  std::vector<uint32_t> expected{3, 1, 5, 3, 2, 2, 4, 0};
  for (size_t i = 0; i < expected.size(); ++i) CHECK(codes.column(0)[i] == expected[i]);
  CHECK(codes.threshold(0, 2, 3) == 1.5f);
  CHECK(codes.threshold(0, 4, 5) == std::numeric_limits<float>::max());
}

TEST_CASE("codes: a threshold between two neighbouring floats is the lower one") {
  for (float low : {1.0f, 1.0000001f, -1.0f, 1e-45f, 3e38f}) {
    float high = std::nextafter(low, std::numeric_limits<float>::infinity());
    Codes<uint8_t> codes(column({low, high}), 255);
    CHECK(codes.threshold(0, 0, 1) == low);
  }
}

TEST_CASE("codes: few bins share the items evenly, equal values are never parted") {
  Random random(1);
  for (int64_t bins : {2, 7, 255}) {
    std::vector<float> values;
    for (int i = 0; i < 4001; ++i) values.push_back(float(random.normal()));
    Codes<uint8_t> codes(column(values), bins);
    REQUIRE(codes.bins(0) == bins);
    std::vector<int64_t> counts(size_t(bins), 0);
    for (size_t i = 0; i < values.size(); ++i) {
      ++counts[codes.column(0)[i]];
      for (size_t j = 0; j < values.size(); j += 97)
        if (values[j] < values[i]) REQUIRE(codes.column(0)[j] <= codes.column(0)[i]);
    }
    auto [least, most] = std::minmax_element(counts.begin(), counts.end());
    CHECK(*most - *least <= 1);
  }
  std::vector<float> steps;
  for (int i = 0; i < 1000; ++i) steps.push_back(i < 900 ? 5.0f : float(i));  // one value holds nine tenths
  Codes<uint8_t> codes(column(steps), 10);
  CHECK(codes.bins(0) == 10);
  for (int i = 1; i < 900; ++i) REQUIRE(codes.column(0)[i] == codes.column(0)[0]);
}

TEST_CASE("codes: a column without any value, one row") {
  float nan = std::numeric_limits<float>::quiet_NaN();
  Codes<uint8_t> nothing(column({nan, nan}), 255), one(column({2}), 255);
  CHECK(nothing.bins(0) == 0);
  CHECK(nothing.column(0)[1] == 0);
  CHECK(one.bins(0) == 1);
}
