// Predicted standard deviations made right: how they have to be scaled, from validation pictures.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "denoise_data.hpp"

namespace tool {

/// The ranges of S/N that pictures are told apart by; the last one has no end.
constexpr double snr_edges[] = {0, 5, 10, 20, 50};
constexpr int snr_bins = 5;
int snr_bin(double snr);
/// "S/N 5 to 10".
std::string snr_bin_name(int bin);

/// The galaxy as it is seen in a denoised picture: its range of S/N, and which pixels lie in its half-light segment.
struct SeenGalaxy {
  int bin;
  std::vector<uint8_t> inside;  ///< (H W)
};
/// image (H,W,C) on the scale of `stretch`.
SeenGalaxy look_at(d16::Tensor const& image, d16::vision::Stretch const& stretch);

/// 68 % of the errors are within scale68 predicted standard deviations, 95 % within scale95. They differ for pictures
/// whose galaxy, as it is after denoising, is faint or bright, and for its half-light segment and the rest: a network
/// takes its own word for a faint galaxy too seriously, and that of the sky not enough.
struct Uncertainty {
  struct Scales {
    double scale68 = 1, scale95 = 1.96;
  };
  std::array<std::array<Scales, 2>, snr_bins> by_snr = {};  ///< of each range: outside, inside of the segment

  /// The scales of each pixel of a denoised picture, (H,W) both, and the galaxy seen in it that they go by.
  struct Maps {
    SeenGalaxy seen;
    d16::Tensor scale68, scale95;
  };
  /// image (H,W,C) on the scale of `stretch`.
  Maps maps(d16::Tensor const& image, d16::vision::Stretch const& stretch) const;
};
Json json_of(Uncertainty const& u);
/// Errors   WeightsError for a file that says something else.
Uncertainty uncertainty_from(Json const& json);

/// That of weights whose training measured it; of an ensemble the mean of all.
/// Errors   WeightsError where one says nothing.
Uncertainty uncertainty_of(Network const& network);

/// From denoised validation pictures (N,H,W,C) and their predicted standard deviations. A group without a thousand
/// pixels has the scales of its neighbour of higher S/N.
Uncertainty fit_uncertainty(d16::Tensor const& image, d16::Tensor const& std, DenoisePairs const& validation);

}  // namespace tool
