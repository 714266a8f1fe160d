// Objects of a simulated survey as a data set in memory, for the loader.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "../sim/survey.hpp"
#include "dataset.hpp"

namespace d16::data {

/// Rendered objects with what only a simulation knows.
struct SurveyDataset {
  Dataset data;                         ///< images (N,64,64,7) in nJy per pixel; labels 0 low-z, 1 high-z, 2 dwarfs
  Tensor error;                         ///< (N,7) float32: standard deviation of a dark pixel, nJy
  std::vector<sim::SurveyTruth> truth;  ///< of each item
};

/// Renders the objects begin .. begin + count - 1 of a split, on all threads, and keeps them: the cache of a training.
/// bfloat16 halves the memory and rounds pixels to 3 digits, well below their noise where it matters.
/// Shapes   see SurveyDataset.    Cost   a millisecond of one core and 112 KiB (float32) for each object.
/// Deterministic  for the seed of the survey, any number of threads.
/// Errors   ValueError for a negative count; DTypeError unless float32 or bfloat16.
inline SurveyDataset survey_dataset(sim::Survey const& survey, sim::Split split, int64_t begin, int64_t count,
                                    DType dtype = DType::f32) {
  require<ValueError>(begin >= 0 && count >= 0, "survey_dataset: ", count, " objects from ", begin,
                      "; numbers from 0 are needed");
  require<DTypeError>(dtype == DType::f32 || dtype == DType::bf16, "survey_dataset: images of ", d16::name_of(dtype),
                      "; float32 or bfloat16 is needed");
  constexpr int64_t side = sim::cutout_side, bands = sim::survey_band_count, pixels = side * side * bands;
  SurveyDataset out;
  out.data.images = empty({count, side, side, bands}, vision::host_tensor(dtype));
  out.data.labels = empty({count}, vision::host_tensor(DType::i64));
  out.error = empty({count, bands}, vision::host_tensor());
  out.truth.resize(size_t(count));
  for (int k = 0; k < 3; ++k) out.data.classes.push_back(sim::name_of(sim::SurveyClass(k)));
  parallel_tasks(count, [&](int64_t i) {
    static thread_local std::vector<float> image;
    image.resize(size_t(pixels));
    sim::SurveyTruth t = survey.render(split, begin + i, image.data());
    if (dtype == DType::f32) std::copy_n(image.data(), pixels, out.data.images.data<float>() + i * pixels);
    else std::copy_n(image.data(), pixels, out.data.images.data<bf16>() + i * pixels);
    auto error = survey.error_of(t);
    std::copy(error.begin(), error.end(), out.error.data<float>() + i * bands);
    out.data.labels.data<int64_t>()[i] = int64_t(t.label);
    out.truth[size_t(i)] = std::move(t);
  });
  for (sim::SurveyTruth const& t : out.truth) out.data.ids.push_back(t.id);
  return out;
}

}  // namespace d16::data
