// U-Net VAE: a denoiser that squeezes the image through a noisy latent code and rebuilds it with the help of skips.
#pragma once
#include "../autograd/recompute.hpp"
#include "../ops/antialiased_avg_pool.hpp"
#include "../ops/concat.hpp"
#include "../ops/dropout.hpp"
#include "../ops/losses.hpp"
#include "../ops/softmax.hpp"
#include "conv_norm_relu.hpp"
#include "stages.hpp"

namespace d16::nn {

struct UNetVaeOptions {
  int size = 64, channels = 3;
  std::vector<int> widths = {16, 32, 64, 128};  ///< channels of each level; its number is the depth
  int latent = 16;                              ///< channels of the latent code, on the grid of the lowest level
  bool skips = true;
  bool variance = false;   ///< says how sure it is of each pixel too: see UNetVae::predict
  bool bilinear = false;   ///< enlarges by interpolation: transposed convolutions leave a grid on bright galaxies
  bool blend = false;      ///< the image is a blend of means of the noisy one and of what is drawn: see BlendViews
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

/// The level of the background of each picture and channel: Tukey's biweight mean of the pixels, cut one level away from
/// it. On the scale of vision::fit_stretch, where sky - 5 sigma is 0, that is four to five sigma.
/// Shapes   x (N,H,W,C) in [0,1], result (N,1,1,C).      Cost  some 30 flops for each x.      Gradient  by its ops.
/// Source   Mosteller & Tukey 1977, by reweighting five times from the mean.
inline Tensor background_level(Tensor const& x) {
  constexpr double tiny = 1e-6;  // where no pixel counts the level stays as it is
  Tensor level = clamp(mean(x, {axis::H, axis::W}), 1e-3, 1);
  for (int round = 0; round < 5; ++round) {
    Tensor weight = square(relu(1.0 - square(x / level - 1.0)));
    level = (sum(weight * x, {axis::H, axis::W}) + level * tiny) / (sum(weight, {axis::H, axis::W}) + tiny);
  }
  return level;
}

/// What a blending network sees of a noisy picture, and what its image is blended of: the picture itself and its Gaussian
/// means of three widths, relative to the level m of the background, so that sky and noise look the same in all pictures
/// and beyond the border there is sky. The image is, in log odds l(p) = log(p / (1 - p)),
///   l(m) + sum over k of w_k (l(m (1 + r_k)) - l(m)) + w f
/// with the views r_k, weights w_k and w that sum to 1 for each pixel, and f drawn by the decoder. So an empty background
/// is flat where w = 1 and f = 0, a Gaussian filter is within reach, and a bright galaxy can be left as it is.
struct BlendViews {
  static constexpr double widths[] = {1, 2, 4};  ///< sigma, in pixels
  static constexpr int count = 4;                ///< the picture itself and one for each width

  Tensor level;                  ///< (N,1,1,C)
  std::vector<Tensor> relative;  ///< each (N,H,W,C)

  explicit BlendViews(Tensor const& x) : level(background_level(x)) {
    relative.push_back(x / level - 1.0);
    for (double sigma : widths) {
      int const reach = int(3 * sigma);
      relative.push_back(
          antialiased_avg_pool(relative[0], {.sigma = sigma, .kernel = 2 * reach + 1, .stride = 1, .padding = reach}));
    }
  }
  /// All channels beside each other, (N,H,W,count C).
  Tensor features() const { return concat(relative, axis::C); }
  /// The log odds of the image. head (N,H,W,C + count + 1): f, then what becomes the weights, w the last of them.
  Tensor blended(Tensor const& head) const {
    int64_t const C = level.dim(axis::C), parts = head.dim(axis::C);
    Tensor const weights = softmax(head.slice(axis::C, C, parts).contiguous(), axis::C), sky = log_odds(level);
    auto weight = [&](int64_t k) { return weights.slice(axis::C, k, k + 1); };
    Tensor out = sky + weight(count) * head.slice(axis::C, 0, C);
    for (int k = 0; k < count; ++k) out = out + weight(k) * (log_odds(level * (relative[size_t(k)] + 1.0)) - sky);
    return out;
  }

 private:
  static Tensor log_odds(Tensor const& p) {
    Tensor inside = clamp(p, 1e-4, 1 - 1e-4);
    return log(inside) - log(1.0 - inside);
  }
};

/// Encoder: [ConvBlock, MaxPool] per level, ConvBlock on the lowest. Latent code: 1x1 convolutions give mean and log
/// variance at every pixel of the lowest level; in training z is drawn from them, in evaluation z is the mean.
/// Decoder: [transposed convolution, the encoder's features of that level beside it, ConvBlock] per level, 1x1
/// convolution, sigmoid. Without skips the code has to carry everything. With `bilinear` a 1x1 convolution and bilinear
/// interpolation stand for the transposed one. With `blend` the network sees BlendViews and says how to blend them.
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
        last_(options_.widths.front(), options_.channels + (options_.blend ? BlendViews::count + 1 : 0),
              {.kernel = 1}) {
    auto const& w = options_.widths;
    int skip = options_.skips ? 2 : 1, seen = options_.channels * (options_.blend ? BlendViews::count : 1);
    for (size_t i = 0; i + 1 < w.size(); ++i) down_.add(i == 0 ? seen : w[i - 1], w[i]);
    for (size_t i = w.size() - 1; i > 0; --i) {
      if (options_.bilinear) narrow_.add(w[i], w[i - 1], ConvOptions{.kernel = 1});
      else up_.add(w[i], w[i - 1]);
      merge_.add(skip * w[i - 1], w[i - 1]);
    }
    for (float& value : logvar_.weight.host<float>()) value *= 0.1f;  // begins near variance 1 everywhere
    if (options_.blend)
      for (float& value : last_.weight.host<float>()) value *= 0.1f;  // begins near the mean of the views
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
    if (!options_.blend) {
      auto [features, mu, logvar] = decode(x);
      return {from_features(last_(features)), mu, logvar, options_.variance ? spread_of(features) : Tensor()};
    }
    BlendViews const views(x);
    auto [features, mu, logvar] = decode(views.features());
    Output out{views.blended(from_features(last_(features))), mu, logvar};
    // a standard deviation relative to the level, as the views are
    if (options_.variance) out.spread = clamp(spread_of(features) + log(views.level) * 2.0, -16, 2);
    return out;
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
  D16_MEMBERS(down_, bottom_, mu_, logvar_, from_latent_, up_, narrow_, merge_, last_, spread_)

 private:
  struct Decoded {
    Tensor features, mu, logvar;
  };
  /// The last features of the decoder and the code, from what the encoder sees.
  Decoded decode(Tensor x) {
    x = as_features(x);
    std::vector<Tensor> levels;
    for (ConvBlock& block : down_) {
      levels.push_back(run(block, x));
      x = MaxPool()(levels.back());
    }
    x = run(bottom_, x);
    Tensor mu = from_features(mu_(x)), logvar = clamp(from_features(logvar_(x)), -10, 10);
    x = relu(from_latent_(as_features(training() ? reparameterise(mu, logvar) : mu)));
    for (size_t i = 0; i < merge_.size(); ++i) {
      x = enlarged(i, x, options_.skips ? levels[levels.size() - 1 - i] : Tensor());
      x = run(merge_[i], x);
    }
    return {x, mu, logvar};
  }
  /// Twice the size behind a ReLU, and the encoder's features of that level beside it.
  Tensor enlarged(size_t i, Tensor x, Tensor skip) {
    if (!options_.bilinear) return up_[i].rectified(std::move(x), std::move(skip));
    x = as_features(Upsample{.bilinear = true}(from_features(narrow_[i](x))));
    return skip.defined() ? concat({x, skip}, axis::C, {.relu = {true}}) : relu(x);
  }
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
  List<Conv2d> narrow_;
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
