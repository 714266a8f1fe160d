// U-Net VAE: a denoiser that squeezes the image through a noisy latent code and rebuilds it with the help of skips.
#pragma once
#include "../autograd/recompute.hpp"
#include "../ops/dropout.hpp"
#include "../ops/losses.hpp"
#include "conv_norm_relu.hpp"
#include "stages.hpp"

namespace d16::nn {

struct UNetVaeOptions {
  int size = 64, channels = 3;
  std::vector<int> widths = {16, 32, 64, 128};  ///< channels of each level; its number is the depth
  int latent = 16;                              ///< channels of the latent code, on the grid of the lowest level
  bool skips = true;
  bool variance = false;   ///< says how sure it is of each pixel too: see UNetVae::predict
  bool recompute = false;  ///< in training what is inside of a block is computed again on the way back: memory for time
};

/// Convolution 3x3, batch norm, ReLU, twice.
struct ConvBlock : Module {
  Conv2d conv1, conv2;
  BatchNorm2d norm1, norm2;

  ConvBlock(int in, int out)
      : conv1(in, out, {.bias = false}), conv2(out, out, {.bias = false}), norm1(out), norm2(out) {}
  Tensor operator()(Tensor x) { return conv_norm_relu(conv2, norm2, conv_norm_relu(conv1, norm1, x)); }
  D16_MEMBERS(conv1, conv2, norm1, norm2)
};

/// Encoder: [ConvBlock, MaxPool] per level, ConvBlock on the lowest. Latent code: 1x1 convolutions give mean and log
/// variance at every pixel of the lowest level; in training z is drawn from them, in evaluation z is the mean.
/// Decoder: [transposed convolution, the encoder's features of that level beside it, ConvBlock] per level, 1x1
/// convolution, sigmoid. Without skips the code has to carry everything.
/// With `variance` a second head, [convolution 3x3, ReLU, convolution 1x1], gives the log variance of each pixel of the
/// image. It looks at the decoder's last features, but its gradient ends there: it learns how wrong the image is and
/// cannot make the image worse. Samples of the code alone would say too little, since the skips pass by it.
/// Shapes   x and image (N,H,W,channels) in [0,1]; H, W multiples of 2^(depth-1); mu, logvar (N,h,w,latent).
/// Source   Ronneberger et al. 2015, arXiv:1505.04597; Kingma & Welling 2014, arXiv:1312.6114; Stirn et al.
///          2023, arXiv:2212.09184 (a variance that does not disturb the mean). The widths, the latent size and the
///          spatial code are ours: the papers on galaxies that use such a network do not state theirs.
class UNetVae : public Module {
 public:
  explicit UNetVae(UNetVaeOptions o = {})
      : options_(std::move(o)),
        bottom_(width(-2), width(-1)),
        mu_(width(-1), options_.latent, {.kernel = 1}),
        logvar_(width(-1), options_.latent, {.kernel = 1}),
        from_latent_(options_.latent, width(-1), {.kernel = 1}),
        last_(options_.widths.front(), options_.channels, {.kernel = 1}) {
    auto const& w = options_.widths;
    int skip = options_.skips ? 2 : 1;
    for (size_t i = 0; i + 1 < w.size(); ++i) down_.add(i == 0 ? options_.channels : w[i - 1], w[i]);
    for (size_t i = w.size() - 1; i > 0; --i) {
      up_.add(w[i], w[i - 1]);
      merge_.add(skip * w[i - 1], w[i - 1]);
    }
    for (float& value : logvar_.weight.host<float>()) value *= 0.1f;  // begins near variance 1 everywhere
    if (!options_.variance) return;
    spread_.add(w.front(), w.front());
    spread_.add(w.front(), options_.channels, ConvOptions{.kernel = 1});
    for (float& value : spread_[1].bias.host<float>()) value = -5;  // a standard deviation of 0.08 of the whole range
  }

  /// `logits` is the image before its sigmoid, which the loss takes; `spread` the log variance of the image, undefined
  /// without options().variance.
  struct Output {
    Tensor logits, mu, logvar, spread = {};
  };
  Output encode_decode(Tensor x) {
    check(x);
    x = as_features(x);
    std::vector<Tensor> levels;
    for (ConvBlock& block : down_) {
      levels.push_back(run(block, x));
      x = MaxPool()(levels.back());
    }
    x = run(bottom_, x);
    Tensor mu = from_features(mu_(x)), logvar = clamp(from_features(logvar_(x)), -10, 10);
    x = relu(from_latent_(as_features(training() ? reparameterise(mu, logvar) : mu)));
    for (size_t i = 0; i < up_.size(); ++i) {
      x = up_[i].rectified(x, options_.skips ? levels[levels.size() - 1 - i] : Tensor());
      x = run(merge_[i], x);
    }
    return {from_features(last_(x)), mu, logvar, options_.variance ? spread_of(x) : Tensor()};
  }
  /// The denoised image.
  Tensor operator()(Tensor x) { return sigmoid(encode_decode(std::move(x)).logits); }

  struct Prediction {
    Tensor image, std;  ///< std: the standard deviation of each pixel, undefined without options().variance
  };
  Prediction predict(Tensor x) {
    Output out = encode_decode(std::move(x));
    return {sigmoid(out.logits), out.spread.defined() ? exp(out.spread * 0.5) : Tensor()};
  }

  UNetVaeOptions const& options() const { return options_; }
  io::Json describe() const override;
  D16_MEMBERS(down_, bottom_, mu_, logvar_, from_latent_, up_, merge_, last_, spread_)

 private:
  Tensor spread_of(Tensor const& features) {
    Tensor x = from_features(spread_[1](relu(spread_[0](features.detach()))));
    return clamp(x, -16, 2);  // standard deviations from 3e-4 to 2.7
  }
  Tensor run(ConvBlock& block, Tensor x) const {
    if (!options_.recompute || !block.training()) return block(x);
    return d16::recompute([&block](Tensor t) { return block(t); }, x, block.parameters());
  }
  int width(int from_end) const {
    require<ValueError>(options_.widths.size() > 1, "UNetVae: widths has ", options_.widths.size(),
                        " entries; two levels are the least");
    return options_.widths[size_t(int(options_.widths.size()) + from_end)];
  }
  void check(Tensor const& x) const {
    int64_t step = int64_t(1) << (options_.widths.size() - 1);
    bool fits = x.rank() == 4 && x.dim(axis::C) == options_.channels && x.dim(axis::H) % step == 0 &&
                x.dim(axis::W) % step == 0;
    require<ShapeError>(fits, "UNetVae: x is ", x.shape(), "; ", options_.channels,
                        " channels and a height and width that are multiples of ", step, " are needed");
  }

  UNetVaeOptions options_;
  List<ConvBlock> down_;
  ConvBlock bottom_;
  Conv2d mu_, logvar_, from_latent_;
  List<ConvTranspose2d> up_;
  List<ConvBlock> merge_;
  Conv2d last_;
  List<Conv2d> spread_;
};

enum class ImageLoss {
  bce,      ///< binary cross-entropy, as the papers on galaxies
  gaussian  ///< negative log-likelihood of a normal distribution with the predicted variance
};

struct VaeLossOptions {
  double beta = 1;  ///< of KL; 1 is the variational bound, a smaller one lets the code carry more
  ImageLoss image = ImageLoss::bce;
  Tensor weight = {};  ///< (N,H,W,C) like the target: how much each value counts; undefined: all the same
};

namespace detail {
/// Mean of x, weighted.
inline Tensor weighted_mean(Tensor const& x, Tensor const& weight) {
  return weight.defined() ? sum(x * weight) / (sum(weight) + 1e-12) : mean(x);
}
/// Mean of log variance / 2 + (target - image)^2 / (2 variance): the constant of the normal distribution is left out.
inline Tensor normal_likelihood(Tensor const& image, Tensor const& spread, Tensor const& target, Tensor const& weight) {
  return weighted_mean((spread + square(target - image) * exp(-spread)) * 0.5, weight);
}
}  // namespace detail

/// Negative evidence lower bound per pixel value: image term + beta * KL / (pixel values per image), where KL is that of
/// the code from a standard normal, summed over the code and averaged over the batch. The image term is the (weighted)
/// mean of BCE(logits, target), and when there is a predicted variance v, plus that of log v / 2 + (target - image)^2 /
/// 2 v, from which only v learns; or with ImageLoss::gaussian of the latter alone, from which both learn. A value with
/// weight 0 teaches nothing: that is how bad pixels are left out, and how Noise2Self learns from noisy targets.
/// Shapes   target (N,H,W,C) in [0,1]; the loss {1}.
/// Errors   ValueError for the Gaussian term of a network without variance; ShapeError when shapes differ.
/// Source   Kingma & Welling 2014, arXiv:1312.6114; beta: Higgins et al. 2017 (beta-VAE); Nix & Weigend 1994 (variance).
inline Tensor vae_loss(UNetVae::Output const& out, Tensor target, VaeLossOptions const& o) {
  require<ValueError>(o.image == ImageLoss::bce || out.spread.defined(),
                      "vae_loss: the Gaussian term needs a predicted variance; make the network with variance = true");
  require<ShapeError>(!o.weight.defined() || o.weight.shape() == target.shape(), "vae_loss: the weight is ",
                      o.weight.defined() ? o.weight.shape() : Shape(), ", the target ", target.shape(),
                      "; they must be equal");
  double values = double(target.numel());  // of the whole batch: the sum of KL over the batch is divided by it
  Tensor loss = kl_standard_normal(out.mu, out.logvar, Reduction::sum) * (o.beta / values);
  if (o.image == ImageLoss::gaussian)
    return loss + detail::normal_likelihood(sigmoid(out.logits), out.spread, target, o.weight);
  loss = loss + (o.weight.defined() ? detail::weighted_mean(softplus(out.logits) - target * out.logits, o.weight)
                                    : bce_with_logits(out.logits, target));
  if (!out.spread.defined()) return loss;
  return loss + detail::normal_likelihood(sigmoid(out.logits.detach()), out.spread, target, o.weight);
}
inline Tensor vae_loss(UNetVae::Output const& out, Tensor target, double beta = 1) {
  return vae_loss(out, std::move(target), VaeLossOptions{.beta = beta});
}

}  // namespace d16::nn
