// A simulated survey on disk: what a reader finds in it, and that it says what it is.
#include <doctest/doctest.h>
#include <d16/sim/write_survey.hpp>

#include "tiny_survey.hpp"

using namespace d16;

TEST_CASE("catalogue, cutouts and text are marked as simulated and hold the truth") {
  tiny::Folder f;
  sim::SurveyData data = tiny::data();
  sim::SurveyOptions o = tiny::options();
  sim::Survey survey(data, o);
  sim::Split split = sim::Split::test;
  std::vector<sim::SurveyRow> rows;
  std::vector<sim::SurveyObject> objects;
  for (int64_t i = 0; i < 6; ++i) {
    objects.push_back(survey.object(split, i));
    auto [ra, dec] = sim::invented_place(i);
    rows.push_back(
        {objects.back().truth, survey.measure(objects.back().image.data<float>(), objects.back().truth), ra, dec});
  }
  auto cards = sim::survey_cards(o, split);
  io::write_fits_table(f / "c.fits", sim::survey_table(rows), "SIMULATED", cards);
  io::Table table = io::read_fits_table(f / "c.fits");
  CHECK(table.rows() == 6);
  CHECK(table.strings("ID")[4] == "sim_test_4");
  CHECK(table.strings("TRUE_CLASS") ==
        std::vector<std::string>{"low_z", "high_z", "brown_dwarf", "low_z", "high_z", "brown_dwarf"});
  CHECK(table.numbers("TRUE_Z")[1] == doctest::Approx(objects[1].truth.z));
  CHECK(std::isnan(table.numbers("TRUE_Z")[2]));
  CHECK(table.numbers("TRUE_F444W")[0] == doctest::Approx(objects[0].truth.flux[6]));
  CHECK(table.numbers("F444W_CIRC2")[3] == doctest::Approx(rows[3].photometry.flux[6]));
  CHECK(table.at("F090W_CIRC2_e").info.unit == "nJy");
  CHECK(table.at("TRUE_Z").info.comment.find("SIMULATED") == 0);

  sim::write_survey_object(f / "o.fits", objects[1], o, cards, 53.1, -27.9);
  auto hdus = io::list_fits(f / "o.fits");
  REQUIRE(hdus.size() == 15);
  CHECK(hdus[1].name == "F090W");
  CHECK(hdus[14].name == "F444W_ERR");
  io::FitsImage image = io::read_fits(f / "o.fits", {.hdu = "F277W"});
  CHECK(image.unit == "nJy");
  CHECK(image.scale.arcsec == doctest::Approx(0.03));
  CHECK(*image.header.string("BAND") == "F277W");
  CHECK(image.header.find("SIMUL") != nullptr);
  for (int64_t k = 0; k < 64 * 64; ++k)
    REQUIRE(image.pixels.data<float>()[k] == objects[1].image.data<float>()[k * 7 + 4]);
  Tensor error = io::read_fits(f / "o.fits", {.hdu = "F277W_ERR"}).pixels;
  for (float v : error.host<float>()) REQUIRE(v >= objects[1].error[4] * 0.9999f);

  io::write_safetensors(f / "all.safetensors", sim::survey_tensors(objects, o, split));
  io::TensorFile all = io::read_safetensors(f / "all.safetensors");
  CHECK(all.at("image").shape() == Shape{6, 64, 64, 7});
  CHECK(all.at("label").data<int64_t>()[5] == 2);
  CHECK(all.metadata.at("simulated") == "true");

  std::string words = sim::survey_readme(survey, split, 6, "d16 simulate survey --out x", "d16 1.2");
  for (char const* part : {"SIMULATED", "d16 simulate survey --out x", "d16 1.2", "seed       16", "F115W", "apart"})
    CHECK(words.find(part) != std::string::npos);
}
