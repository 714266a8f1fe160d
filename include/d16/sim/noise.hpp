// Noise of a simulated detector: photons of source and sky, read-out, and the correlation that resampling leaves.
#pragma once
#include <algorithm>
#include <cmath>

#include "../core/random.hpp"
#include "../core/tensor.hpp"
#include "../vision/filter.hpp"

namespace d16::sim {

struct NoiseModel {
  double sky = 100;        ///< electrons a pixel, subtracted again after they made their noise
  double read_noise = 5;   ///< electrons
  double gain = 1;         ///< electrons per unit of the image: longer exposures have more
  double correlation = 0;  ///< sigma in pixels of the smoothing that drizzling does to the noise (its variance stays)

  /// The noise of an empty pixel, in units of the image.
  double sigma() const { return std::sqrt(sky + read_noise * read_noise) / gain; }
};

/// Smooths noise as drizzling does, and scales it so that its variance stays.
inline Tensor correlated(Tensor const& noise, double sigma) {
  Tensor out = vision::gaussian_filter(noise, sigma);
  double squares = 0;  // smoothing multiplies the standard deviation by the sum of squared weights of one axis
  for (double w : vision::gaussian_kernel(sigma, int64_t(4 * sigma + 0.5))) squares += w * w;
  for (float& value : out.host<float>()) value = float(value / squares);
  return out;
}

/// image + noise, of the detector described: Poisson numbers of (image * gain + sky) electrons, plus read noise, minus
/// the sky, per gain.
/// Shapes   image (H,W) or (H,W,C) float32, result as image.    Units  those of the image.
/// Deterministic  for the state of `random`.    Errors  ValueError unless gain > 0 and the others are not negative.
inline Tensor add_noise(Tensor const& image, Random& random, NoiseModel const& m) {
  require<ValueError>(m.gain > 0 && m.sky >= 0 && m.read_noise >= 0 && m.correlation >= 0, "add_noise: gain ", m.gain,
                      ", sky ", m.sky, ", read_noise ", m.read_noise, ", correlation ", m.correlation,
                      "; gain > 0 and no negative number are needed");
  Tensor in = vision::on_host("add_noise", image), noise = empty(in.shape(), in.like());
  auto x = in.host<float>(), n = noise.host<float>();
  for (size_t i = 0; i < x.size(); ++i) {
    double mean = std::max(0.0, double(x[i]) * m.gain + m.sky);
    n[i] = float((double(random.poisson(mean)) - mean + m.read_noise * random.normal()) / m.gain);
  }
  if (m.correlation > 0) noise = correlated(noise, m.correlation);
  Tensor out = noise.clone();
  for (size_t i = 0; i < x.size(); ++i) out.data<float>()[i] += x[i];
  return out;
}

}  // namespace d16::sim
