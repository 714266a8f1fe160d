// Little galaxies for tests: ellipticals (label 0) are smooth, spirals (label 1) have two arms.
#pragma once
#include <d16/core/tensor.hpp>

namespace toy {

struct Batch {
  d16::Tensor images;  ///< (N,S,S,1) in [0,1]
  d16::Tensor labels;  ///< (N) int64
};

inline Batch galaxies(int64_t count, int64_t side, uint64_t seed) {
  Batch batch{d16::empty({count, side, side, 1}), d16::empty({count}, {.dtype = d16::DType::i64})};
  d16::Random random(seed);
  float* pixel = batch.images.data<float>();
  for (int64_t n = 0; n < count; ++n) {
    bool spiral = n % 2 == 1;
    batch.labels.data<int64_t>()[n] = spiral;
    double turn = random.uniform(0, 6.28), radius = 0.22 * double(side), middle = 0.5 * double(side - 1);
    double winding = (random.integer(2) ? 1 : -1) * 0.8;
    for (int64_t i = 0; i < side; ++i)
      for (int64_t j = 0; j < side; ++j) {
        double x = double(j) - middle, y = middle - double(i), r = std::hypot(x, y) / radius;
        double arms = spiral ? 0.5 + 0.5 * std::cos(2 * (std::atan2(y, x) - turn) + 2 * winding * r) : 0.5;
        *pixel++ = float(std::clamp(1.2 * std::exp(-r) * (r < 0.6 ? 0.5 : arms) + 0.02 * random.normal(), 0.0, 1.0));
      }
  }
  return batch;
}

}  // namespace toy
