// Two image classifiers: one whose answer does not change when the image is turned or mirrored, and a plain one.
#pragma once
#include "conv_norm_relu.hpp"
#include "dense.hpp"
#include "group_conv.hpp"
#include "norm.hpp"
#include "sequential.hpp"
#include "stages.hpp"

namespace d16::nn {

/// What both classifiers share: images (N,size,size,channels) in, one score (logit) per class out.
struct ClassifierInput {
  int size = 64, channels = 3, classes = 2;
  double mean = 0, deviation = 1;  ///< the image enters as (x - mean) / deviation
};

struct EquivariantClassifierOptions {
  ClassifierInput input = {};
  Group group = dihedral(8);
  std::vector<int> widths = {8, 16, 24, 32};   ///< fields after each convolution; each has group.order() channels
  std::vector<int> kernels = {5, 3};           ///< of each convolution; the last is repeated
  std::vector<int> pool_after = {1, 2, 3};     ///< numbers of the convolutions (from 1) that a BlurPool follows
  int first_stride = 1, first_padding = same;  ///< of the first convolution
  bool disk_mask = false;                      ///< multiply the image by DiskMask first
  bool flatten = false;                        ///< false: average over the image; true: keep every pixel
  std::vector<int> hidden = {};                ///< widths of Linear, batch norm, ELU before the last Linear
  double dropout = 0;                          ///< before the last Linear
};

/// [convolution, inner batch norm, ReLU, (BlurPool)]*, group max pool, average over the image, Linear.
/// Invariant: exactly under the quarter turns and mirrors of the pixel grid, up to sampling under the other elements.
/// Shapes   x (N,H,W,channels), y (N,classes).
/// Source   Pandya et al. 2023, arXiv:2311.01500; their network is galaxy_morphology_options().
class EquivariantClassifier : public Module {
 public:
  explicit EquivariantClassifier(EquivariantClassifierOptions o = {}) : options_(std::move(o)) {
    check();
    auto const& w = options_.widths;
    for (size_t i = 0; i < w.size(); ++i) {
      GroupConvOptions conv{.kernel = kernel(i), .bias = false};  // the norm after it has a bias
      if (i == 0) {
        conv.stride = options_.first_stride, conv.padding = options_.first_padding;
        lift_.emplace(options_.group, options_.input.channels, w[0], conv);
      } else {
        convs_.add(options_.group, w[i - 1], w[i], conv);
      }
      norms_.add(w[i]);
    }
    int64_t pixels = options_.flatten ? int64_t(final_side()) * final_side() : 1;
    int features = int(pixels * w.back());
    for (int width : options_.hidden) {
      head_.add(Linear(features, width, {.bias = false}));
      head_.add(BatchNorm1d(width));
      head_.add(Elu());
      features = width;
    }
    if (options_.dropout > 0) head_.add(Dropout(options_.dropout));
    head_.add(Linear(features, options_.input.classes));
  }

  Tensor operator()(Tensor x) { return head_(pooled(std::move(x))); }

  /// The invariant features before the head: (N, widths.back()), or (N, everything) when options().flatten.
  Tensor pooled(Tensor x) {
    auto run = [&](auto&& layer) { x = layer(std::move(x)); };
    visit_input(run);
    x = as_features(x);
    bool const keep = keeps_coefficients_ && !training() && NoGrad::off();
    for (size_t i = 0; i < options_.widths.size(); ++i) {
      Coefficients const kept{.x = keep && i > 0, .y = keep && i + 1 < options_.widths.size()};
      x = i == 0 ? conv_norm_relu(*lift_, norms_[0], x, kept) : conv_norm_relu(convs_[i - 1], norms_[i], x, kept);
      if (pooled_after(i)) run(BlurPool());
    }
    visit_pooling(run);
    return from_features(x);
  }

  /// Calls visit(layer) for each layer in the order in which operator() runs them, though it takes convolution, norm
  /// and ReLU in one step.
  template <class Visit> void visit_layers(Visit const& visit) {
    visit_input(visit);
    for (size_t i = 0; i < options_.widths.size(); ++i) {
      if (i == 0) visit(*lift_);
      else visit(convs_[i - 1]);
      visit(norms_[i]);
      visit(relu);
      if (pooled_after(i)) visit(BlurPool());
    }
    visit_pooling(visit);
    visit(head_);
  }

  /// Whether features stay Fourier coefficients from one convolution to the next, pooling included. In inference, which
  /// then needs a CUDA device; the result is the same up to rounding.
  void keep_coefficients(bool on) { keeps_coefficients_ = on; }

  EquivariantClassifierOptions const& options() const { return options_; }
  io::Json describe() const override;

  D16_MEMBERS(lift_, convs_, norms_, head_)

 private:
  template <class Visit> void visit_input(Visit const& visit) {
    visit(Rescale{options_.input.mean, options_.input.deviation});
    if (options_.disk_mask) visit(DiskMask());
  }
  template <class Visit> void visit_pooling(Visit const& visit) {
    visit(group_max_pool);
    if (options_.flatten) visit(Flatten());
    else visit(global_avg_pool);
  }
  int kernel(size_t i) const { return options_.kernels[std::min(i, options_.kernels.size() - 1)]; }
  bool pooled_after(size_t i) const {
    auto const& list = options_.pool_after;
    return std::find(list.begin(), list.end(), int(i) + 1) != list.end();
  }
  int final_side() const {
    int side = options_.input.size;
    for (size_t i = 0; i < options_.widths.size(); ++i) {
      int k = kernel(i), stride = i == 0 ? options_.first_stride : 1;
      int padding = i == 0 && options_.first_padding != same ? options_.first_padding : k / 2;
      side = (side + 2 * padding - k) / stride + 1;
      if (pooled_after(i)) side = (side - 1) / 2 + 1;
    }
    return side;
  }
  void check() const {
    require<GroupError>(bool(options_.group), "EquivariantClassifier: no group; give cyclic(n) or dihedral(n)");
    require<ValueError>(!options_.widths.empty() && !options_.kernels.empty(),
                        "EquivariantClassifier: widths and kernels need at least one entry each");
  }

  EquivariantClassifierOptions options_;
  std::optional<LiftConv2d> lift_;
  List<GroupConv2d> convs_;
  List<InnerBatchNorm> norms_;
  Sequential head_;
  bool keeps_coefficients_ = false;
};

/// The network of Pandya et al. 2023 for images of 255 x 255 pixels; theirs has order 32 (dihedral(16)) or 16.
inline EquivariantClassifierOptions galaxy_morphology_options(Group group, int classes) {
  return {.input = {.size = 255, .classes = classes},
          .group = group,
          .widths = {12, 24, 48, 48, 48, 48, 96, 96, 96, 112, 192},
          .kernels = {3},
          .pool_after = {2, 4, 7, 9, 11},
          .first_stride = 2,
          .first_padding = 2,
          .disk_mask = true,
          .flatten = true,
          .hidden = {64, 32}};
}

struct PlainCnnOptions {
  ClassifierInput input = {};
  std::vector<int> widths = {16, 32, 64, 128};  ///< channels of each level; the image is halved after each
  int convs = 1;                                ///< convolutions per level
  double dropout = 0.2;                         ///< before the Linear
};

/// [[convolution 3x3, batch norm, ReLU]*convs, MaxPool]*, average over the image, dropout, Linear.
/// Shapes   x (N,H,W,channels), y (N,classes).
class PlainCnn : public Module {
 public:
  explicit PlainCnn(PlainCnnOptions o = {})
      : options_(std::move(o)), dropout_(options_.dropout), head_(last_width(), options_.input.classes) {
    int in = options_.input.channels;
    for (int width : options_.widths)
      for (int i = 0; i < options_.convs; ++i, in = width) {
        convs_.add(in, width, ConvOptions{.bias = false});
        norms_.add(width);
      }
  }

  Tensor operator()(Tensor x) {
    auto run = [&](auto&& layer) { x = layer(std::move(x)); };
    visit_input(run);
    x = as_features(x);
    visit_convolutions(run);
    x = from_features(x);
    visit_head(run);
    return x;
  }

  /// Calls visit(layer) for each layer in the order in which operator() runs them.
  template <class Visit> void visit_layers(Visit const& visit) {
    visit_input(visit);
    visit_convolutions(visit);
    visit_head(visit);
  }

  PlainCnnOptions const& options() const { return options_; }
  io::Json describe() const override;
  D16_MEMBERS(convs_, norms_, dropout_, head_)

 private:
  template <class Visit> void visit_input(Visit const& visit) {
    visit(Rescale{options_.input.mean, options_.input.deviation});
  }
  template <class Visit> void visit_convolutions(Visit const& visit) {
    for (size_t i = 0; i < convs_.size(); ++i) {
      visit(convs_[i]);
      visit(norms_[i]);
      visit(relu);
      if ((i + 1) % size_t(options_.convs) == 0) visit(MaxPool());
    }
    visit(global_avg_pool);
  }
  template <class Visit> void visit_head(Visit const& visit) {
    visit(dropout_);
    visit(head_);
  }
  int last_width() const {
    require<ValueError>(!options_.widths.empty() && options_.convs > 0,
                        "PlainCnn: widths needs at least one entry and convs at least 1");
    return options_.widths.back();
  }

  PlainCnnOptions options_;
  List<Conv2d> convs_;
  List<BatchNorm2d> norms_;
  Dropout dropout_;
  Linear head_;
};

}  // namespace d16::nn
