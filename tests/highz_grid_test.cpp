// Bands of one object on one grid.
#include <doctest/doctest.h>
#include <cmath>

#include "highz_grid.hpp"

using d16::Tensor;

namespace {

/// A round blob in the middle of an image whose pixels are `size` of the grid's.
Tensor blob(int64_t side, double size = 1) {
  Tensor out = d16::empty({side, side}, d16::vision::host_tensor());
  auto at = [&](int64_t i) { return (double(i) + 0.5 - double(side) / 2) * size; };
  for (int64_t i = 0; i < side; ++i)
    for (int64_t j = 0; j < side; ++j)
      out.data<float>()[i * side + j] = float(std::exp(-(at(i) * at(i) + at(j) * at(j)) / 18));
  return out;
}

/// Where the light is, the same by rows and columns.
double centre(Tensor const& image) {
  double sum = 0, rows = 0, columns = 0;
  for (int64_t i = 0; i < 64; ++i)
    for (int64_t j = 0; j < 64; ++j)
      if (double v = double(image.data<float>()[i * 64 + j]); std::isfinite(v))
        sum += v, rows += v * (double(i) + 0.5), columns += v * (double(j) + 0.5);
  CHECK(rows / sum == doctest::Approx(columns / sum));
  return rows / sum;
}

}  // namespace

TEST_CASE("highz grid: bands of odd and even sides, of finer and coarser pixels lie at one place") {
  for (bool odd : {false, true}) {
    Tensor const most = blob(odd ? 65 : 66), other = blob(odd ? 64 : 63);
    tool::HighzGrid const grid({most, most, other});
    double const place = odd ? 32.5 : 32;
    CHECK(grid.aligned(most));
    CHECK_FALSE(grid.aligned(other));
    CHECK(centre(tool::HighzGrid::middle(most)) == doctest::Approx(place));
    CHECK(centre(grid.resampled(other, 1)) == doctest::Approx(place).epsilon(1e-3));
    CHECK(centre(grid.resampled(blob(33, 2), 0.5)) == doctest::Approx(place).epsilon(1e-3));
    CHECK(centre(grid.resampled(blob(131, 0.5), 2)) == doctest::Approx(place).epsilon(1e-3));
  }
  CHECK(centre(tool::HighzGrid::middle(blob(63))) == centre(tool::HighzGrid::middle(blob(65))));  // either side of 64
  CHECK(tool::HighzGrid({}).aligned(blob(64)));
}
