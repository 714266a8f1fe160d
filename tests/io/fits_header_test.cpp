// The pixel scale of headers that telescopes, cutout tools and simulators really write.
#include <doctest/doctest.h>

#include <d16/io/fits_header.hpp>

#include "bad_input.hpp"

using namespace bad_input;
using d16::io::FitsCard;
using d16::io::FitsHeader;
using d16::io::pixel_scale;
using d16::io::PixelScale;

/// A header with sky coordinates and these numbers.
static FitsHeader sky(std::vector<FitsCard> cards) {
  cards.insert(cards.begin(), {{"CTYPE1", "RA---TAN"}, {"CTYPE2", "DEC--TAN"}});
  return {cards};
}
static double const degree = 1 / 3600.;

TEST_CASE("fits header: typed getters") {
  FitsHeader h{{{"FILTER", "F444W"}, {"EXPTIME", 100.5, "seconds"}, {"N", int64_t(3)}, {"OK", true}}};
  CHECK(h.string("FILTER") == "F444W");
  CHECK(h.number("EXPTIME") == 100.5);
  CHECK(h.number("N") == 3.0);
  CHECK(!h.number("FILTER"));
  CHECK(!h.string("N"));
  CHECK(!h.number("OK"));
  CHECK(!h.has("filter"));
}

TEST_CASE("pixel scale: CDELT, CD, PC, rotated or not") {
  auto scale = [](std::vector<FitsCard> cards) {
    PixelScale s = pixel_scale(sky(std::move(cards)));
    CHECK(!s.doubtful);
    return s.arcsec;
  };
  double c = std::cos(0.9), s = std::sin(0.9), d = 0.03 * degree;
  CHECK(scale({{"CDELT1", -d}, {"CDELT2", d}}) == doctest::Approx(0.03));
  CHECK(scale({{"CDELT1", -d}, {"CDELT2", d}, {"CROTA2", 40.0}}) == doctest::Approx(0.03));
  CHECK(scale({{"CD1_1", -d}, {"CD2_2", d}}) == doctest::Approx(0.03));
  CHECK(scale({{"CD1_1", -d * c}, {"CD1_2", d * s}, {"CD2_1", d * s}, {"CD2_2", d * c}}) == doctest::Approx(0.03));
  CHECK(scale({{"CDELT1", d}, {"CDELT2", d}, {"PC1_1", -c}, {"PC1_2", s}, {"PC2_1", s}, {"PC2_2", c}}) ==
        doctest::Approx(0.03));
  CHECK(scale({{"PC1_1", -d}, {"PC2_2", d}}) == doctest::Approx(0.03));  // astropy puts the scale here
  CHECK(scale({{"PC1_1", -d}, {"PC2_2", d}, {"CDELT1", 1.0}, {"CDELT2", int64_t(1)}}) == doctest::Approx(0.03));
  CHECK(scale({{"CD1_1", -d}, {"CD2_2", d}, {"CDELT1", 1.0}, {"CDELT2", 1.0}}) == doctest::Approx(0.03));
  CHECK(scale({{"CDELT1", -0.03}, {"CDELT2", 0.03}, {"CUNIT1", "arcsec"}}) == doctest::Approx(0.03));
  CHECK(scale({{"CD1_1", -0.2}, {"CD2_2", 0.2}, {"CUNIT1", "arcmin"}}) == doctest::Approx(12));
  CHECK(contains(pixel_scale(sky({{"CDELT1", d}, {"CDELT2", 2 * d}})).how, "not square, 0.5 to 1"));
}

TEST_CASE("wcs matrix: CROTA2 turns CDELT, unless PC or CD say it all") {
  using d16::io::detail::wcs_matrix;
  std::vector<FitsCard> turned{{"CDELT1", -2.0}, {"CDELT2", 1.0}, {"CROTA2", 30.0}};
  double c = std::sqrt(0.75), s = 0.5;
  std::array<double, 4> const expected{-2 * c, -s, -2 * s, c};  // CD1_2 = -CDELT2 sin, CD2_1 = CDELT1 sin
  for (size_t i = 0; i < 4; ++i) CHECK(wcs_matrix(sky(turned)).m[i] == doctest::Approx(expected[i]).epsilon(1e-14));
  CHECK(!wcs_matrix(sky(turned)).doubtful);
  turned.insert(turned.end(), {{"PC1_1", 0.0}, {"PC1_2", -1.0}, {"PC2_1", 1.0}, {"PC2_2", 0.0}});
  CHECK(wcs_matrix(sky(turned)).m == std::array{-0.0, 2.0, 1.0, 0.0});
  turned.insert(turned.end(), {{"CD1_1", -1.0}, {"CD2_2", 1.0}});
  CHECK(wcs_matrix(sky(turned)).m == std::array{-1.0, 0.0, 0.0, 1.0});
}

TEST_CASE("pixel scale: a rotation that lost its sines keeps the scale of CDELT and says so") {
  PixelScale s = pixel_scale(sky({{"PC1_1", -0.64594511254689},
                                  {"PC2_2", 0.64594511254689},
                                  {"CDELT1", 5.5555555555555e-6},
                                  {"CDELT2", 5.5555555555555e-6}}));
  CHECK(s.arcsec == doctest::Approx(0.02));  // the naive product is 0.013
  CHECK(s.doubtful);
  CHECK(contains(s.how, "CDELT alone: PC1_1 is -0.645945 and PC1_2, PC2_1 are missing"));
}

TEST_CASE("pixel scale: contradictions are doubtful") {
  double d = 0.03 * degree;
  PixelScale s = pixel_scale(sky({{"CDELT1", d}, {"CDELT2", d}, {"PC1_1", 2.0}, {"PC1_2", 0.1}, {"PC2_2", 2.0}}));
  CHECK(s.arcsec == doctest::Approx(0.06));
  CHECK(s.doubtful);
  s = pixel_scale(sky({{"CD1_1", d}, {"CD2_2", d}, {"PIXAR_A2", 0.04 * 0.04}}));
  CHECK(s.arcsec == doctest::Approx(0.03));
  CHECK(s.doubtful);
  CHECK(contains(s.how, "PIXAR_A2 says 0.04"));
  CHECK(!pixel_scale(sky({{"CD1_1", d}, {"CD2_2", d}, {"PIXAR_A2", 0.03 * 0.03}})).doubtful);
}

TEST_CASE("pixel scale: what the header does not say stays unknown") {
  for (FitsHeader const& h :
       {FitsHeader{}, FitsHeader{{{"CDELT1", 0.03}, {"CDELT2", 0.03}}}, sky({}), sky({{"CD1_1", 0.1}, {"CD2_2", 0.0}}),
        sky({{"CDELT1", 1.0}, {"CDELT2", 1.0}, {"CUNIT1", "um"}}),
        FitsHeader{{{"CTYPE1", "LINEAR"}, {"CD1_1", 1.0}, {"CD2_2", 1.0}}}}) {
    CHECK(!pixel_scale(h).known());
    CHECK(!pixel_scale(h).how.empty());
  }
  CHECK(contains(pixel_scale(FitsHeader{{{"CTYPE1", "LINEAR"}, {"CD1_1", 1.0}}}).how, "LINEAR, not sky"));
  CHECK(pixel_scale({{{"PIXAR_A2", 0.0009}}}).arcsec == doctest::Approx(0.03));
  CHECK(pixel_scale({{{"PIXELSCL", 0.031}}}).arcsec == 0.031);
}
