// Noise of a simulated detector: photons of source and sky, read-out, and the correlation that resampling leaves.
#pragma once
#include <cmath>
#include <vector>

#include "../core/random.hpp"
#include "../core/tensor.hpp"
#include "../vision/filter.hpp"

namespace d16::sim {

struct NoiseModel {
  double sky = 100;         ///< electrons a pixel, subtracted again after they made their noise
  double read_noise = 5;    ///< electrons
  double gain = 1;          ///< electrons per unit of the image: longer exposures have more
  double correlation = 0;   ///< sigma in pixels of the smoothing that drizzling does to the noise (its variance stays)

  /// The noise of an empty pixel, in units of the image.
  double sigma() const { return std::sqrt(sky + read_noise * read_noise) / gain; }
};

/// image + noise, of the detector described. Poisson numbers of (image * gain + sky) electrons, plus read noise, minus
/// the sky. With correlation, noise is smoothed and scaled so that the variance of an empty pixel stays.
/// Shapes   image (H,W) or (H,W,C) float32, result as image.    Units  those of the image.
/// Deterministic  for the state of `random`.    Errors  ValueError unless gain > 0 and the others are not negative.
inline Tensor add_noise(Tensor const& image, Random& random, NoiseModel const& m) {
  require<ValueError>(m.gain > 0 && m.sky >= 0 && m.read_noise >= 0 && m.correlation >= 0, "add_noise: gain ", m.gain, ", sky ",
                      m.sky, ", read_noise ", m.read_noise, ", correlation ", m.correlation, "; none may be negative");
  Tensor in = image.detach().contiguous(), noise = empty(in.shape(), in.like()), out = empty(in.shape(), in.like());
  float const* x = in.data<float>();
  float* n = noise.data<float>();
  for (int64_t i = 0; i < in.numel(); ++i) {
    double mean = std::max(0.0, double(x[i]) * m.gain + m.sky);
    n[i] = float((double(random.poisson(mean)) - mean + m.read_noise * random.normal()) / m.gain);
  }
  if (m.correlation > 0) {
    noise = vision::gaussian_filter(noise, m.correlation);
    double squares = 0;  // the variance that smoothing leaves is the square of the sum of squared weights of one axis
    for (double w : vision::gaussian_kernel(m.correlation, int64_t(4 * m.correlation + 0.5))) squares += w * w;
    n = noise.data<float>();
    for (int64_t i = 0; i < in.numel(); ++i) n[i] = float(n[i] / squares);
  }
  for (int64_t i = 0; i < in.numel(); ++i) out.data<float>()[i] = x[i] + n[i];
  return out;
}

}  // namespace d16::sim
