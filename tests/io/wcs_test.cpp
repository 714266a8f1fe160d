// The gnomonic projection: there and back, known directions, and headers without one.
#include <doctest/doctest.h>
#include <d16/io/wcs.hpp>

#include <cmath>

using namespace d16;

TEST_CASE("TangentWcs: there and back, at the pole and across 0 hours too") {
  for (double dec : {-89.9, -30.4, 0.0, 52.8, 89.99})
    for (double ra : {0.0, 3.5, 214.9, 359.999}) {
      double c = std::cos(0.7), s = std::sin(0.7), scale = 0.04 / 3600;
      io::TangentWcs w{511.5, 300.2, ra, dec, {-scale * c, scale * s, scale * s, scale * c}};
      CHECK(w.scale() == doctest::Approx(0.04).epsilon(1e-12));
      for (auto [x, y] : {std::array{0.0, 0.0}, std::array{511.5, 300.2}, std::array{-20000.0, 33000.0}}) {
        auto sky = w.sky(x, y);
        CHECK(sky[0] >= 0);
        CHECK(sky[0] < 360);
        auto back = w.pixel(sky[0], sky[1]);
        REQUIRE(back);
        // An angle of 360 degrees has 6e-14 degrees of rounding; a pixel is 1.1e-5 degrees, times 1 / cos(dec).
        double tolerance = 1e-7 / std::max(std::cos(dec * 0.017453292519943295), 1e-4);
        CHECK(std::abs((*back)[0] - x) < tolerance);
        CHECK(std::abs((*back)[1] - y) < tolerance);
      }
      CHECK(!w.pixel(ra + 180, -dec));
    }
}

TEST_CASE("TangentWcs: a step north and a step east go where they should") {
  io::TangentWcs w{0, 0, 150, 40, {-1.0 / 3600, 0, 0, 1.0 / 3600}};
  auto north = w.sky(0, 100), east = w.sky(-100, 0);
  CHECK(north[0] == doctest::Approx(150).epsilon(1e-12));
  // tan of the angle is the distance in the plane: 100 arcsec to (100 arcsec)^3 / 3 = 8e-6 arcsec
  CHECK(std::abs((north[1] - 40) * 3600 - 100) < 1e-5);
  CHECK((east[0] - 150) * 3600 * std::cos(40 * 0.017453292519943295) == doctest::Approx(100).epsilon(1e-5));
}

TEST_CASE("tangent_wcs: reads CD and PC with CDELT, and says when the rotation was lost") {
  auto header = [](std::vector<io::FitsCard> cards) {
    cards.insert(cards.end(), {{"CTYPE1", std::string("RA---TAN")},
                               {"CTYPE2", std::string("DEC--TAN")},
                               {"CRPIX1", 10.0},
                               {"CRPIX2", 20.0},
                               {"CRVAL1", 214.9},
                               {"CRVAL2", 52.8}});
    return io::FitsHeader{cards};
  };
  auto w = io::tangent_wcs(header({{"CD1_1", -1e-5}, {"CD1_2", 2e-6}, {"CD2_1", 3e-6}, {"CD2_2", 1.1e-5}}));
  REQUIRE(w);
  CHECK(w->x == 9);
  CHECK(w->y == 19);
  CHECK(w->cd[1] == 2e-6);
  CHECK(!w->doubtful);
  auto lost =
      io::tangent_wcs(header({{"CDELT1", 5.5555556e-6}, {"CDELT2", 5.5555556e-6}, {"PC1_1", -0.65}, {"PC2_2", 0.65}}));
  REQUIRE(lost);
  CHECK(lost->doubtful);
  CHECK(lost->scale() == doctest::Approx(0.02).epsilon(1e-6));
  CHECK(!io::tangent_wcs(header({})));
  io::FitsHeader galactic = header({{"CD1_1", -1e-5}, {"CD2_2", 1e-5}});
  galactic.cards[2].value = std::string("GLON-TAN");
  CHECK(!io::tangent_wcs(galactic));
}
