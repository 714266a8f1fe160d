// The three networks of the two systems, small, with their losses and batches: what tests of training on a CUDA device train.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include <d16/nn/band_network.hpp>
#include <d16/nn/classifiers.hpp>
#include <d16/nn/unet_vae.hpp>
#include <d16/ops/losses.hpp>

namespace d16::testing {

using Inputs = std::vector<Tensor>;

/// One of the networks, its loss, and a batch for each step, made on the host.
struct Case {
  std::shared_ptr<nn::Module> net;
  std::function<Tensor(Inputs const&)> loss;
  std::function<Inputs(int step)> batch;
  double terms;         ///< of the longest sum: the gradient of a weight, over all pixels of the batch
  double decision = 0;  ///< the part of a gradient that hangs on which of two values is the larger
};
using MakeCase = Case (*)();

inline Tensor numbers(Random& random, Shape shape, double low, double high) {
  std::vector<float> values;
  for (int64_t i = 0; i < shape.numel(); ++i) values.push_back(float(random.uniform(low, high)));
  return from(values, shape);
}
inline Tensor labels(Random& random, int64_t count, int64_t classes) {
  std::vector<int64_t> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(random.integer(classes));
  return from(values, {count});
}

/// That of Pandya et al. 2023 at order 16, with fewer layers and fields: disk mask, stride 2 and padding 2 in the lifting
/// convolution, blur pools, group maximum, all pixels, two hidden layers.
inline Case classifier() {
  auto net = std::make_shared<nn::EquivariantClassifier>(
      nn::EquivariantClassifierOptions{.input = {.size = 31, .channels = 3, .classes = 10},
                                       .group = dihedral(8),
                                       .widths = {2, 3, 4, 4},
                                       .kernels = {3},
                                       .pool_after = {2, 4},
                                       .first_stride = 2,
                                       .first_padding = 2,
                                       .disk_mask = true,
                                       .flatten = true,
                                       .hidden = {12, 8}});
  return {net, [net = net.get()](Inputs const& in) { return cross_entropy((*net)(in[0]), in[1]); },
          [](int step) {
            Random random(31, uint64_t(step));
            return Inputs{numbers(random, {4, 31, 31, 3}, 0, 1), labels(random, 4, 10)};
          },
          4 * 17 * 17 * 16,
          1.0 / (4 * 5 * 5)};  // a group maximum hands the gradient of one of so many pixels to another element
}

inline Case denoiser() {
  auto net = std::make_shared<nn::UNetVae>(nn::UNetVaeOptions{.size = 16, .widths = {6, 8, 12}, .latent = 3});
  return {net, [net = net.get()](Inputs const& in) { return nn::vae_loss(net->encode_decode(in[0]), in[1], 0.1); },
          [](int step) {
            Random random(32, uint64_t(step));
            Tensor clean = numbers(random, {4, 16, 16, 3}, 0, 1);
            return Inputs{clean + numbers(random, {4, 16, 16, 3}, -0.1, 0.1), clean};
          },
          4 * 16 * 16};
}

inline Case seven_bands() {
  auto net =
      std::make_shared<nn::BandNetwork>(nn::BandNetworkOptions{.input = {.size = 16, .channels = 7, .classes = 3},
                                                               .spectral = {8, 8},
                                                               .spatial = {8, 12},
                                                               .spatial_attention = true,
                                                               .position = nn::Position::radius,
                                                               .mask = true,
                                                               .features = 5,
                                                               .feature_width = 6,
                                                               .hidden = {8}});
  return {net,
          [net = net.get()](Inputs const& in) {
            return cross_entropy((*net)({.image = in[0], .features = in[1], .valid = in[2]}), in[3]);
          },
          [](int step) {
            Random random(33, uint64_t(step));
            Tensor valid = numbers(random, {6, 7}, 0, 1);
            for (float& v : valid.host<float>()) v = v < 0.9f ? 1.0f : 0.0f;
            return Inputs{numbers(random, {6, 16, 16, 7}, -1, 1), numbers(random, {6, 5}, -1, 1), valid,
                          labels(random, 6, 3)};
          },
          6 * 16 * 16};
}

}  // namespace d16::testing
