// A simulated survey as a data set: the same pixels, labels and truth, in float32 and bfloat16, through the loader.
#include <doctest/doctest.h>
#include <d16/data/loader.hpp>
#include <d16/data/survey_dataset.hpp>

#include "../sim/tiny_survey.hpp"

using namespace d16;

TEST_CASE("objects of a survey in memory, whole or rounded to bfloat16, in batches") {
  sim::SurveyData tables = tiny::data();
  sim::Survey survey(tables, tiny::options());
  data::SurveyDataset full = data::survey_dataset(survey, sim::Split::train, 30, 9);
  data::SurveyDataset half = data::survey_dataset(survey, sim::Split::train, 30, 9, DType::bf16);
  REQUIRE(full.data.images.shape() == Shape{9, 64, 64, 7});
  CHECK(full.data.class_counts_text() == "low_z 3, high_z 3, brown_dwarf 3");
  CHECK(full.data.ids[4] == "sim_train_34");
  int64_t const pixels = 64 * 64 * 7;
  for (int64_t i = 0; i < 9; ++i) {
    sim::SurveyObject o = survey.object(sim::Split::train, 30 + i);
    CHECK(full.data.label(i) == int64_t(o.truth.label));
    CHECK(full.truth[size_t(i)].flux == o.truth.flux);
    CHECK(full.error.data<float>()[i * 7 + 2] == o.error[2]);
    for (int64_t k = 0; k < pixels; ++k) {
      float whole = full.data.images.data<float>()[i * pixels + k];
      float rounded = float(half.data.images.data<bf16>()[i * pixels + k]);
      REQUIRE(whole == o.image.data<float>()[k]);
      REQUIRE(std::abs(rounded - whole) <= std::abs(whole) * 0x1p-8f);  // 8 bits of mantissa, to nearest
    }
  }
  int64_t seen = 0;
  for (auto& [image, label] : data::Loader(full.data, {.batch = 4, .seed = 1})) {
    CHECK(image.dim(3) == 7);
    seen += label.numel();
  }
  CHECK(seen == 9);
  CHECK_THROWS_AS(data::survey_dataset(survey, sim::Split::train, 0, -1), ValueError);
  CHECK_THROWS_AS(data::survey_dataset(survey, sim::Split::train, 0, 1, DType::f64), DTypeError);
}
