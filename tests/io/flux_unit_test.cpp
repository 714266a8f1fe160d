// Units of flux: what surveys write, in nanojansky.
#include <doctest/doctest.h>
#include <d16/io/flux_unit.hpp>

#include <limits>

using namespace d16;
using io::nanojansky_in;

TEST_CASE("flux units: surveys' zero points and names agree") {
  double const close = 16 * std::numeric_limits<double>::epsilon();
  auto same = [&](double got, double expected) { return std::abs(got / expected - 1) <= close; };
  CHECK(nanojansky_in("nJy") == 1);
  CHECK(same(nanojansky_in("10 nJy"), 10));
  CHECK(same(nanojansky_in("10*nJy"), 10));
  CHECK(same(nanojansky_in("1e-8 Jy"), 10));
  CHECK(same(nanojansky_in("uJy"), 1000));
  CHECK(same(nanojansky_in("\xC2\xB5Jy"), 1000));
  CHECK(same(nanojansky_in("microJy"), 1000));
  CHECK(same(nanojansky_in("mJy"), 1e6));
  CHECK(same(nanojansky_in(" Jy "), 1e9));
  CHECK(same(io::nanojansky_of_zero_point(31.4), 1));
  CHECK(same(io::nanojansky_of_zero_point(28.9), 10));
  CHECK(same(io::nanojansky_of_zero_point(23.9), 1000));
  CHECK(same(nanojansky_in("nanomaggy"), io::nanojansky_of_zero_point(22.5)));
  // Zero points of MJy/sr images as JWST users quote them, to four digits behind the point.
  CHECK(std::abs(nanojansky_in("MJy/sr", 0.03) / io::nanojansky_of_zero_point(28.0865) - 1) <= 5e-5);
  CHECK(std::abs(nanojansky_in("MJy/sr", 0.04) / io::nanojansky_of_zero_point(27.4620) - 1) <= 5e-4);
  CHECK(std::abs(nanojansky_in("MJy/sr", 0.04) - 37.6071) <= 1e-3);
  CHECK(std::abs(io::ab_magnitude(1) - 31.4) <= close * 32);
  CHECK(std::abs(io::ab_magnitude(100) - 26.4) <= close * 32);
  CHECK(std::isnan(io::ab_magnitude(0)));
  CHECK(std::isnan(io::ab_magnitude(-3)));
}

TEST_CASE("flux units: what is not known is not guessed") {
  for (char const* unit : {"", "counts", "DN/s", "MJy", "Jy/beam", "erg", "mag", "1e-8", "nJy/sr", "mjy/sr"})
    CHECK_THROWS_AS(nanojansky_in(unit, 0.04), ValueError);
  CHECK_THROWS_AS(nanojansky_in("0 nJy"), ValueError);
  CHECK_THROWS_AS(nanojansky_in("-1 nJy"), ValueError);
  CHECK_THROWS_WITH_AS(
      nanojansky_in("MJy/sr"),
      "flux unit \"MJy/sr\": the size of a pixel is nan arcsec; it must be known to turn brightness into flux",
      ValueError);
}
