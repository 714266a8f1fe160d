// Blocks of convolutional networks: residual blocks over bands and over pixels, dense blocks, and one of a group.
#pragma once
#include "../ops/arithmetic.hpp"
#include "../ops/concat.hpp"
#include "../ops/dropout.hpp"
#include "conv_norm_relu.hpp"
#include "dense.hpp"
#include "norm.hpp"
#include "spatial_stages.hpp"
#include "stages.hpp"

namespace d16::nn {

/// How a block halves the image: not at all, by a stride in its first convolution, or by a maximum over its result.
enum class Downsample { none, stride, max_pool };
inline char const* name_of(Downsample down) {
  return down == Downsample::none ? "none" : down == Downsample::stride ? "stride" : "max_pool";
}

namespace detail {

/// relu(attention(norm2(conv2(drop(relu(norm1(conv1(x))))))) + shortcut(x)). Where size or channels change, the shortcut
/// is a 1x1 convolution and a norm; else it is x.
struct Residual : Module {
  Conv2d conv1, conv2;
  BatchNorm2d norm1, norm2;
  std::optional<Conv2d> shortcut;
  std::optional<BatchNorm2d> shortcut_norm;
  std::optional<ChannelAttention> attention;

  /// reduction: of the attention; 0 leaves it out.
  Residual(int in, int out, int kernel, int stride, int reduction = 0)
      : conv1(in, out, {.kernel = kernel, .stride = stride, .bias = false}),
        conv2(out, out, {.kernel = kernel, .bias = false}),
        norm1(out),
        norm2(out) {
    if (reduction) attention.emplace(out, reduction);
    if (in == out && stride == 1) return;
    shortcut.emplace(in, out, ConvOptions{.kernel = 1, .stride = stride, .bias = false});
    shortcut_norm.emplace(out);
  }
  D16_MEMBERS(conv1, conv2, norm1, norm2, shortcut, shortcut_norm, attention)

 protected:
  template <class Drop> Tensor call(Tensor x, Drop const& drop) {
    Tensor y = drop(conv_norm_relu(conv1, norm1, x));
    auto beside = [&] { return shortcut ? conv_norm(*shortcut, *shortcut_norm, x) : x; };
    if (attention) return conv_norm_attention(conv2, norm2, *attention, y, beside());
    y = conv_norm(conv2, norm2, y);
    return relu(y + beside());
  }
};

}  // namespace detail

struct SpectralBlockOptions {
  double dropout = 0.1;  ///< of single values, between the two convolutions
};

/// Residual block over bands: two 1x1 convolutions, each with batch norm, so that every pixel is a small network of its
/// spectrum and nothing is smeared. Shapes x (N,H,W,in), y (N,H,W,out).
/// Source   He et al. 2015, arXiv:1512.03385 (shortcut); Zagoruyko & Komodakis 2016, arXiv:1605.07146 (the place of the
///          dropout).
struct SpectralResidualBlock : detail::Residual {
  SpectralBlockOptions options;

  SpectralResidualBlock(int in, int out, SpectralBlockOptions o = {}) : Residual(in, out, 1, 1), options(o) {}
  Tensor operator()(Tensor x) {
    return call(x, [this](Tensor h) { return dropout(h, options.dropout, training()); });
  }
  io::Json describe() const override {
    return io::Json::object({{"type", "spectral_residual_block"},
                             {"in", conv1.weight.dim(1)},
                             {"out", conv1.weight.dim(0)},
                             {"dropout", options.dropout}});
  }
};

struct SpatialBlockOptions {
  double dropout = 0.1;  ///< of whole channels, between the two convolutions
  Downsample down = Downsample::none;
  int reduction = 0;  ///< of a squeeze and excitation before the shortcut is added; 0: none
};

/// Residual block over pixels: two 3x3 convolutions, each with batch norm. Shapes x (N,H,W,in), y (N,H',W',out) with
/// H' = H, or the half of it, rounded up for a stride and down for the maximum. Without dropout and with a stride it is
/// the block of ResNet-18; with a reduction that of SE-ResNet-18.
/// Source   He et al. 2015, arXiv:1512.03385, figure 2, with their projection (option B) where the shape changes; Hu et
///          al. 2018, arXiv:1709.01507, figure 3.
struct SpatialResidualBlock : detail::Residual {
  SpatialBlockOptions options;

  SpatialResidualBlock(int in, int out, SpatialBlockOptions o = {})
      : Residual(in, out, 3, o.down == Downsample::stride ? 2 : 1, o.reduction), options(o) {}
  Tensor operator()(Tensor x) {
    Tensor y = call(x, [this](Tensor h) { return spatial_dropout(h, options.dropout, training()); });
    return options.down == Downsample::max_pool ? max_pool2d(y) : y;
  }
  io::Json describe() const override {
    return io::Json::object({{"type", "spatial_residual_block"},
                             {"in", conv1.weight.dim(1)},
                             {"out", conv1.weight.dim(0)},
                             {"dropout", options.dropout},
                             {"down", name_of(options.down)},
                             {"reduction", options.reduction}});
  }
};

struct DenseBlockOptions {
  int layers = 6, growth = 32;  ///< each layer adds `growth` channels to what it was given
  int bottleneck = 4;           ///< the 1x1 convolution before the 3x3 one makes bottleneck * growth channels
  double dropout = 0;           ///< of what a layer adds
};

/// Dense block: every layer sees the results of all before it. Shapes x (N,H,W,in), y (N,H,W,in + layers growth), the
/// first channels being x itself.
/// Source   Huang et al. 2017, arXiv:1608.06993: DenseNet-B, norm and ReLU before each convolution.
class DenseBlock : public Module {
 public:
  explicit DenseBlock(int in, DenseBlockOptions o = {}) : options_(o), in_(in) {
    require<ValueError>(o.layers > 0 && o.growth > 0 && o.bottleneck > 0, "DenseBlock: layers ", o.layers, ", growth ",
                        o.growth, ", bottleneck ", o.bottleneck, "; all must be positive");
    for (int i = 0; i < o.layers; ++i) layers_.add(in + i * o.growth, o);
  }
  Tensor operator()(Tensor x) {
    for (Layer& layer : layers_) x = concat({x, layer(x)}, axis::C);
    return x;
  }
  int channels() const { return in_ + options_.layers * options_.growth; }  ///< of the result
  io::Json describe() const override {
    return io::Json::object({{"type", "dense_block"},
                             {"in", in_},
                             {"layers", options_.layers},
                             {"growth", options_.growth},
                             {"bottleneck", options_.bottleneck},
                             {"dropout", options_.dropout}});
  }
  D16_MEMBERS(layers_)

 private:
  struct Layer : Module {
    BatchNorm2d norm1, norm2;
    Conv2d conv1, conv2;
    double p;

    Layer(int in, DenseBlockOptions const& o)
        : norm1(in),
          norm2(o.bottleneck * o.growth),
          conv1(in, o.bottleneck * o.growth, {.kernel = 1, .bias = false}),
          conv2(o.bottleneck * o.growth, o.growth, {.bias = false}),
          p(o.dropout) {}
    Tensor operator()(Tensor x) {
      x = conv_norm_relu(conv1, norm2, norm1.rectified(x));
      return dropout(conv2(x), p, training());
    }
    D16_MEMBERS(norm1, norm2, conv1, conv2)
  };

  DenseBlockOptions options_;
  int in_;
  List<Layer> layers_;
};

struct GroupBlockOptions {
  int kernel = 3;
  double dropout = 0;  ///< of whole fields
};

/// Convolution of a group, inner batch norm and ReLU, from an image (lifting) or from features. Shapes x (N,H,W,in) or
/// (N,H,W,in,G), y (N,H,W,out,G). Dropping a field drops all its elements, so that the block stays equivariant.
class GroupBlock : public Module {
 public:
  enum class From { image, features };

  GroupBlock(Group group, From from, int in, int out, GroupBlockOptions o = {}) : from_(from), options_(o), norm_(out) {
    GroupConvOptions conv{.kernel = o.kernel, .bias = false};  // the norm after it has a bias
    if (from == From::image) lift_.emplace(group, in, out, conv);
    else conv_.emplace(group, in, out, conv);
  }
  Tensor operator()(Tensor x) {
    Tensor y = lift_ ? conv_norm_relu(*lift_, norm_, x) : conv_norm_relu(*conv_, norm_, x);
    return spatial_dropout(y, options_.dropout, training());
  }
  io::Json describe() const override {
    Tensor const& weight = lift_ ? lift_->weight : conv_->weight;
    return io::Json::object({{"type", "group_block"},
                             {"group", (lift_ ? lift_->acting : conv_->acting).text()},
                             {"from", from_ == From::image ? "image" : "features"},
                             {"in", weight.dim(1)},
                             {"out", weight.dim(0)},
                             {"kernel", options_.kernel},
                             {"dropout", options_.dropout}});
  }
  D16_MEMBERS(lift_, conv_, norm_)

 private:
  From from_;
  GroupBlockOptions options_;
  std::optional<LiftConv2d> lift_;
  std::optional<GroupConv2d> conv_;
  InnerBatchNorm norm_;
};

}  // namespace d16::nn
