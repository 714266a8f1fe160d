// Which channels of a frame have a noise of their own.
#include <doctest/doctest.h>

#include "frame.hpp"

TEST_CASE("frames: what is one band has one noise, shown twice or three times") {
  using Values = std::array<double, 3>;
  auto drawn = [](tool::BandNames const& bands) {
    double next = 0;
    return tool::for_each_band(bands, [&](size_t) { return ++next; });
  };
  CHECK(drawn({"r", "g", "b"}) == Values{1, 2, 3});
  CHECK(drawn({"grey", "grey", "grey"}) == Values{1, 1, 1});
  CHECK(drawn({"a", "b", "b"}) == Values{1, 2, 2});
  CHECK(drawn({"a", "a", "b"}) == Values{1, 1, 2});
  CHECK(drawn({"a", "b", "a"}) == Values{1, 2, 1});
  auto channel = [](size_t k) { return double(k); };
  CHECK(tool::for_each_band({"a", "b", "c"}, channel) == Values{0, 1, 2});  // each its own sigma
}
