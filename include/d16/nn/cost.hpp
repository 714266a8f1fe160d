// How much a network computes: the multiply-adds of one image, from its description.
#pragma once
#include <algorithm>
#include <cstdint>
#include <string>

#include "../group/irreps.hpp"
#include "../group/steerable_basis.hpp"
#include "build.hpp"

namespace d16::nn {

namespace detail {

/// Walks through a description with the size of the image at hand.
class CostWalk {
 public:
  CostWalk(int64_t height, int64_t width) : h_(height), w_(width) {}
  int64_t sum() const { return sum_; }

  void visit(io::Json const& d) {
    std::string const& type = d.string("type");
    if (type == "sequential") {
      for (io::Json const& stage : d.at("stages").array()) visit(stage);
    } else if (type == "conv2d") {
      move(d.integer("kernel"), d.integer("stride"), d.integer("padding"), d.integer("dilation"));
      sum_ += h_ * w_ * d.integer("in") * d.integer("out") * d.integer("kernel") * d.integer("kernel") /
              d.integer("groups");
    } else if (type == "linear") {
      sum_ += d.integer("in") * d.integer("out");
    } else if (type == "max_pool" || type == "avg_pool" || type == "blur_pool") {
      move(d.integer("kernel"), d.integer("stride"), d.integer("padding"), 1);
    } else if (type == "adaptive_avg_pool") {
      h_ = d.integer("height"), w_ = d.integer("width");
    } else if (type == "spatial_residual_block") {
      residual(d);
    } else if (type == "dense_block") {
      dense(d);
    } else if (type == "plain_cnn") {
      plain(d);
    } else if (type == "equivariant_classifier") {
      equivariant(d);
    } else {
      require<ValueError>(is_pointwise(type), "multiply_adds: a network with a stage \"", type,
                          "\"; it counts classifiers of conv2d, linear, pools, residual, dense and group blocks only");
    }
  }

 private:
  static bool is_pointwise(std::string const& type) {
    for (char const* name : {"rescale", "batch_norm2d", "batch_norm1d", "relu", "elu", "dropout", "spatial_dropout",
                             "flatten", "global_avg_pool", "disk_mask"})
      if (type == name) return true;
    return false;
  }
  void move(int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
    int64_t reach = dilation * (kernel - 1) + 1, pad = padding == same ? reach / 2 : padding;
    h_ = (h_ + 2 * pad - reach) / stride + 1, w_ = (w_ + 2 * pad - reach) / stride + 1;
  }
  void conv(int64_t in, int64_t out, int64_t kernel, int64_t stride = 1) {
    move(kernel, stride, same, 1);
    sum_ += h_ * w_ * in * out * kernel * kernel;
  }
  void residual(io::Json const& d) {
    int64_t in = d.integer("in"), out = d.integer("out");
    bool strides = d.string("down") == "stride";
    conv(in, out, 3, strides ? 2 : 1);
    conv(out, out, 3);
    if (in != out || strides) sum_ += h_ * w_ * in * out;  // the shortcut
    if (d.string("down") == "max_pool") move(2, 2, 0, 1);
  }
  void dense(io::Json const& d) {
    int64_t in = d.integer("in"), growth = d.integer("growth"), wide = growth * d.integer("bottleneck");
    for (int64_t i = 0; i < d.integer("layers"); ++i) conv(in + i * growth, wide, 1), conv(wide, growth, 3);
  }
  void plain(io::Json const& d) {
    PlainCnnOptions o = plain_cnn_options(d);
    int64_t in = o.input.channels;
    for (int width : o.widths) {
      for (int i = 0; i < o.convs; ++i, in = width) conv(in, width, 3);
      move(2, 2, 0, 1);
    }
    sum_ += in * o.input.classes;
  }
  /// Group convolutions by irreps: every field in is projected on the V basis functions in the frames of all elements,
  /// k^2 V |G|; every pair of fields costs V times the products of the blocks. Lifting is counted as the expanded filter.
  void equivariant(io::Json const& d) {
    EquivariantClassifierOptions o = equivariant_classifier_options(d);
    int64_t in = o.input.channels, products = 0, order = o.group.order();
    for (Irrep const& rho : irreps(o.group)) products += rho.products();
    for (size_t i = 0; i < o.widths.size(); ++i) {
      int kernel = o.kernels[std::min(i, o.kernels.size() - 1)];
      int64_t out = o.widths[i], area = int64_t(kernel) * kernel, V = default_rings(kernel).functions();
      move(kernel, i == 0 ? o.first_stride : 1, i == 0 ? o.first_padding : same, 1);
      int64_t pixel = i == 0 ? area * order * in * out : area * V * order * in + V * products * in * out;
      sum_ += h_ * w_ * pixel;
      in = out;
      if (std::find(o.pool_after.begin(), o.pool_after.end(), int(i) + 1) != o.pool_after.end()) move(5, 2, 2, 1);
    }
    int64_t features = in * (o.flatten ? h_ * w_ : 1);
    for (int width : o.hidden) sum_ += features * width, features = width;
    sum_ += features * o.input.classes;
  }

  int64_t h_, w_, sum_ = 0;
};

}  // namespace detail

/// The multiply-adds of convolutions and linear layers for one image of height x width, as they are executed: group
/// convolutions by irreps. Norms, pools and other pointwise work are not counted.
/// Errors   ValueError for a network with other stages than classifiers have.
inline int64_t multiply_adds(io::Json const& network, int height, int width) {
  detail::CostWalk walk(height, width);
  walk.visit(network);
  return walk.sum();
}

/// The whole scale s >= 1 at which cost(s), which must rise with s, comes nearest to what is wanted, as a ratio.
/// Errors   ValueError when even s = 1 costs more than twice that.
template <class Cost> int scale_of_equal_cost(Cost const& cost, double wanted) {
  require<ValueError>(double(cost(1)) <= 2 * wanted, "scale_of_equal_cost: the smallest network costs ", cost(1),
                      ", wanted is ", wanted);
  int high = 1;
  while (double(cost(high)) < wanted) {
    require<ValueError>(high < 1 << 20, "scale_of_equal_cost: nothing costs as much as ", wanted);
    high *= 2;
  }
  int low = high / 2;
  while (high - low > 1) {
    int middle = (low + high) / 2;
    (double(cost(middle)) < wanted ? low : high) = middle;
  }
  if (low < 1) return high;
  double below = wanted / double(cost(low)), above = double(cost(high)) / wanted;
  return below <= above ? low : high;
}

}  // namespace d16::nn
