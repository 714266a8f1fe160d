// What denoisers learn from: pictures with and without noise and neighbours, and what a loss sees of them.
#pragma once
#include <string>
#include <vector>

#include <d16/core/random.hpp>
#include <d16/nn/unet_vae.hpp>
#include <d16/sim/appearance.hpp>

#include "common.hpp"
#include "predict.hpp"

namespace tool {

/// How pictures are spoilt for a denoiser, and how light becomes what it sees. Kept beside the weights, so that
/// `evaluate` spoils as training did, and `denoise` stretches as training did.
struct DenoiseSetup {
  int64_t channels = 3;  ///< 3: colours; 1: the mean of the bands' light
  /// Bounds of what is drawn for each picture; with most_snr 0 pictures are spoilt by sim::contaminate instead, without
  /// a wanted S/N and at the size they have, as those of the first weights were.
  d16::sim::AppearanceRange range = {.most_snr = 0};
  d16::vision::StretchOptions stretch = denoiser_stretch;
};
Json json_of(DenoiseSetup const& setup);
/// From what training wrote beside the weights; the first weights say nothing and have the defaults.
/// Errors   WeightsError for numbers out of range.
DenoiseSetup denoise_setup(Json const& about);

/// Pictures with noise and neighbours, and without, on the scale of a stretch that was fitted to each noisy one, with the
/// segment and S/N of the galaxy.
using DenoisePairs = d16::sim::Degraded;

/// Spoils pictures (N,H,W,3); `twice` also with other noise, for Noise2Noise. Deterministic for the state of `random`.
DenoisePairs spoil(d16::Tensor const& pictures, d16::Random& random, DenoiseSetup const& setup, bool twice = false);

/// What a network sees, and what it should answer. The channels of `label` are the target and, when there are twice as
/// many as the network has, the weight of each value: one tensor, since captured steps take two.
struct DenoiseExample {
  d16::Tensor image, label;
};

/// Every fourth pixel of each row and column, from a place drawn for each picture, is hidden: the network sees the mean
/// of its eight neighbours there, and only there the loss looks at the noisy picture. What a pixel's surroundings tell
/// of it is its light and not its noise, as far as the noise of neighbours is independent; neighbouring galaxies stay.
/// Shapes   noisy (N,H,W,C); label (N,H,W,2C).      Source   Batson & Royer 2019, arXiv:1901.11365.
DenoiseExample hide_pixels(d16::Tensor const& noisy, d16::Random& random);

/// The noisy picture of pairs that were spoilt `twice`, and as the answer the same with other noise. The mean of all such
/// answers is the picture without noise, as far as the stretch is linear: a few sigma around the sky. What both have in
/// common stays: neighbours, the picture's own noise.
/// Source   Lehtinen et al. 2018, arXiv:1803.04189.
DenoiseExample other_noise(DenoisePairs const& pairs);

/// The pairs as examples; with `masked` (N,H,W,1) values count by it.
DenoiseExample with_weight(DenoisePairs const& pairs, d16::Tensor const& weight);

/// The mask of pairs that were spoilt from a survey's pictures (N,H,W,3): 0 where a white pixel (in any band), of which
/// nobody knows how bright it was, went into the pair's pixel; else 1, so beyond the picture too. `shrink` is that of the
/// pairs, which were not reframed; empty: none is smaller. (N,H,W,1)
d16::Tensor unsaturated(d16::Tensor const& pictures, std::vector<double> const& shrink);

/// The loss of a batch of such examples.
d16::Tensor denoise_loss(d16::nn::UNetVae& net, DenoiseExample const& batch, double beta, d16::nn::ImageLoss image);

}  // namespace tool
