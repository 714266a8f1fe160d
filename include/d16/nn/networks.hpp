// Networks of the literature to compare with, built from stages: ResNet, VGG, DenseNet, of any width and channels.
#pragma once
#include "blocks.hpp"
#include "classifiers.hpp"

namespace d16::nn {

namespace detail {

/// What ImageNet networks begin with: a convolution that halves the image and a maximum that does so again. For small
/// images one 3x3 convolution that keeps the size.
inline void add_stem(Sequential& net, ClassifierInput const& input, int width, bool small) {
  net.set_input({input.size, input.size, input.channels});
  net.add(Rescale{input.mean, input.deviation});
  net.add(Conv2d(input.channels, width, {.kernel = small ? 3 : 7, .stride = small ? 1 : 2, .bias = false}));
  net.add(BatchNorm2d(width));
  net.add(relu);
  if (!small) net.add(MaxPool{3, 2, 1});
}
inline void add_classifier(Sequential& net, int features, double dropout, int classes) {
  net.add(global_avg_pool);
  if (dropout > 0) net.add(Dropout(dropout));
  net.add(Linear(features, classes));
}

}  // namespace detail

struct ResNetOptions {
  ClassifierInput input = {.size = 224, .classes = 1000};
  int width = 64;                          ///< channels of the first level; each level doubles them
  std::vector<int> blocks = {2, 2, 2, 2};  ///< residual blocks of each level; {3, 4, 6, 3} is ResNet-34
  bool small_images = false;               ///< the stem keeps the size of the image
  double dropout = 0;                      ///< before the last Linear
};

/// Stem, levels of SpatialResidualBlock of which all but the first halve the image, average over the image, Linear. The
/// defaults are ResNet-18 for ImageNet, with 11,689,512 weights.
/// Shapes   x (N,H,W,channels), y (N,classes).
/// Source   He et al. 2015, arXiv:1512.03385, table 1.
inline Sequential resnet(ResNetOptions o = {}) {
  require<ValueError>(o.width > 0 && !o.blocks.empty(), "resnet: width ", o.width, ", ", o.blocks.size(),
                      " levels; it needs a width and a level");
  Sequential net;
  detail::add_stem(net, o.input, o.width, o.small_images);
  int in = o.width;
  for (size_t level = 0; level < o.blocks.size(); ++level)
    for (int i = 0, out = o.width << level; i < o.blocks[level]; ++i, in = out)
      net.add(SpatialResidualBlock(
          in, out, {.dropout = 0, .down = level > 0 && i == 0 ? Downsample::stride : Downsample::none}));
  detail::add_classifier(net, in, o.dropout, o.input.classes);
  return net;
}
inline Sequential resnet18(ClassifierInput input = {.size = 224, .classes = 1000}, int width = 64) {
  return resnet({.input = input, .width = width});
}

struct VggOptions {
  ClassifierInput input = {.size = 224, .classes = 1000};
  int width = 64;                            ///< channels of the first level; they double up to eight times as many
  std::vector<int> convs = {2, 2, 3, 3, 3};  ///< convolutions of each level: VGG-16
  bool batch_norm = true;                    ///< after each convolution; the paper is older than batch norm
  int pooled = 7;                            ///< pixels of the side to which the last level is averaged
  std::vector<int> hidden = {4096, 4096};    ///< widths of Linear, ReLU, dropout before the last Linear
  double dropout = 0.5;
};

/// [[convolution 3x3, (batch norm), ReLU]*, MaxPool]*, adaptive average, [Linear, ReLU, Dropout]*, Linear.
/// Shapes   x (N,H,W,channels), y (N,classes).
/// Source   Simonyan & Zisserman 2015, arXiv:1409.1556, table 1, configuration D.
inline Sequential vgg_like(VggOptions o = {}) {
  require<ValueError>(o.width > 0 && !o.convs.empty(), "vgg_like: width ", o.width, ", ", o.convs.size(),
                      " levels; it needs a width and a level");
  Sequential net;
  net.set_input({o.input.size, o.input.size, o.input.channels});
  net.add(Rescale{o.input.mean, o.input.deviation});
  int in = o.input.channels;
  for (size_t level = 0; level < o.convs.size(); ++level) {
    for (int i = 0, out = o.width << std::min<size_t>(level, 3); i < o.convs[level]; ++i, in = out) {
      net.add(Conv2d(in, out, {.bias = !o.batch_norm}));
      if (o.batch_norm) net.add(BatchNorm2d(out));
      net.add(relu);
    }
    net.add(MaxPool());
  }
  net.add(AdaptiveAvgPool{o.pooled, o.pooled});
  net.add(Flatten());
  int features = in * o.pooled * o.pooled;
  for (int width : o.hidden) {
    net.add(Linear(features, width));
    net.add(relu);
    net.add(Dropout(o.dropout));
    features = width;
  }
  net.add(Linear(features, o.input.classes));
  return net;
}

struct DenseNetOptions {
  ClassifierInput input = {.size = 224, .classes = 1000};
  int width = 64;                             ///< channels of the stem
  int growth = 32;                            ///< channels that each layer adds
  std::vector<int> layers = {6, 12, 24, 16};  ///< of each dense block: DenseNet-121
  int bottleneck = 4;
  double compression = 0.5;   ///< share of the channels that a transition keeps
  bool small_images = false;  ///< the stem keeps the size of the image
  double dropout = 0;         ///< of what each layer adds
};

/// Stem, dense blocks with transitions [batch norm, ReLU, convolution 1x1, AvgPool] between them, batch norm, ReLU,
/// average over the image, Linear. The defaults are DenseNet-121 for ImageNet, with 7,978,856 weights.
/// Shapes   x (N,H,W,channels), y (N,classes).
/// Source   Huang et al. 2017, arXiv:1608.06993, table 1 (DenseNet-BC).
inline Sequential densenet_like(DenseNetOptions o = {}) {
  require<ValueError>(o.width > 0 && !o.layers.empty() && o.compression > 0 && o.compression <= 1,
                      "densenet_like: width ", o.width, ", ", o.layers.size(), " blocks, compression ", o.compression,
                      "; it needs a width, a block, and a compression in (0, 1]");
  Sequential net;
  detail::add_stem(net, o.input, o.width, o.small_images);
  int channels = o.width;
  for (size_t i = 0; i < o.layers.size(); ++i) {
    DenseBlock block(channels,
                     {.layers = o.layers[i], .growth = o.growth, .bottleneck = o.bottleneck, .dropout = o.dropout});
    channels = block.channels();
    net.add(std::move(block));
    net.add(BatchNorm2d(channels));
    net.add(relu);
    if (i + 1 == o.layers.size()) break;
    int const kept = std::max(1, int(double(channels) * o.compression));
    net.add(Conv2d(channels, kept, {.kernel = 1, .bias = false}));
    net.add(AvgPool());
    channels = kept;
  }
  detail::add_classifier(net, channels, 0, o.input.classes);
  return net;
}

}  // namespace d16::nn
