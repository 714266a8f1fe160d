// How good denoisers and filters are, for each range of S/N; and whether a denoiser knows how wrong it is.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "denoise_data.hpp"
#include "training.hpp"
#include "uncertainty.hpp"

namespace tool {

/// A way to take noise away: one picture (H,W,C) on the scale of its stretch, and the noise of its sky on that scale.
struct DenoiseMethod {
  std::string name;
  std::function<d16::Tensor(d16::Tensor const& noisy, double sigma)> one;
};
/// The noise of the sky of a stretched picture.
double stretched_noise(d16::vision::Stretch const& stretch);

/// Gaussian, median, non-local means and wavelet filter, each with the parameters that give the best mean PSNR on the
/// first 60 validation pairs.
std::vector<DenoiseMethod> choose_filters(DenoisePairs const& validation);

/// The scores of methods on pairs: PSNR, SSIM, MSE, MAE over the frame and inside the segment of the galaxy, bias of the
/// light there, whiteness of what was taken away; the power of that at four ranges of wavelength over the power of what
/// should be taken away (noise and objects; below 1: some stayed, above 1: light of the galaxy went too); and bias of R_e, n, C, A, Gini and M20 against the clean picture,
/// for the first 25 pictures of each range of S/N. Errors are from fields drawn with replacement.
struct DenoiseReport {
  struct Row {
    std::string method;
    std::vector<Score> light, spectrum, shape;
  };
  struct Bin {
    std::string name;
    int64_t pictures = 0, measured = 0;
    std::vector<Row> rows;
  };
  std::vector<Bin> bins;
  std::string table() const;  ///< Markdown
  Json json() const;
};
struct JudgedImages {
  std::string name;
  d16::Tensor images;  ///< (N,H,W,C) on the scale of the pairs
};
DenoiseReport report_denoising(std::vector<JudgedImages> const& methods, DenoisePairs const& pairs,
                               std::vector<int64_t> const& fields, uint64_t seed);

/// The share of pixels whose error lies within the intervals of 68 and 95 %, over the frame and in the galaxy's half-light
/// segment: that of the denoised picture, with pictures ranged by the S/N that is seen there, as whoever has the picture
/// can do; and that of the clean one, ranged by the true S/N. The scales were made for the first. Which pixels of a faint
/// galaxy are truly bright nobody can see: there the intervals may fail, and the table says so.
struct Coverage {
  struct Bin {
    std::string name;
    int64_t pictures = 0;
    Score frame68, frame95, segment68, segment95;
    bool frame_within(double points) const;    ///< both are at most so many percent off
    bool segment_within(double points) const;  ///< the same in the segment
  };
  Uncertainty uncertainty;
  std::vector<Bin> seen, truth;
  std::string table() const;  ///< Markdown, and a loud line when it does not hold
  Json json() const;
};
/// `std` as the network predicts it.
Coverage measure_coverage(d16::Tensor const& image, d16::Tensor const& std, Uncertainty const& u,
                          DenoisePairs const& pairs, std::vector<int64_t> const& fields, uint64_t seed);

}  // namespace tool
