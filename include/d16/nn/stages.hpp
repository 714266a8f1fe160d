// Layers without weights: pooling, upsampling, dropout, scaling and masking of the input.
#pragma once
#include <cmath>

#include "../ops/antialiased_avg_pool.hpp"
#include "../ops/dropout.hpp"
#include "../ops/pool2d.hpp"
#include "../ops/unary.hpp"
#include "../ops/upsample.hpp"
#include "kept_tensor.hpp"
#include "module.hpp"

namespace d16::nn {

/// Antialiased pooling: a Gaussian, then every stride-th pixel. For images (N,H,W,C) and features (N,H,W,C,G): a shift
/// or a turn of the input moves the result without aliasing, which plain pooling breaks.
/// Source   Zhang 2019, arXiv:1904.11486; sigma .66 as in Weiler & Cesa 2019.
struct BlurPool {
  double sigma = 0.66;
  int kernel = 5, stride = 2, padding = 2;

  Tensor operator()(Tensor x) const {
    return antialiased_avg_pool(x, {.sigma = sigma, .kernel = kernel, .stride = stride, .padding = padding});
  }
  io::Json describe() const {
    return io::Json::object(
        {{"type", "blur_pool"}, {"sigma", sigma}, {"kernel", kernel}, {"stride", stride}, {"padding", padding}});
  }
};

/// The largest value of each window, for images and features.
struct MaxPool {
  int kernel = 2, stride = 2, padding = 0;

  Tensor operator()(Tensor x) const { return max_pool2d(x, {.kernel = kernel, .stride = stride, .padding = padding}); }
  io::Json describe() const {
    return io::Json::object({{"type", "max_pool"}, {"kernel", kernel}, {"stride", stride}, {"padding", padding}});
  }
};

/// The mean of each window, for images and features; count_include_pad says whether the zeros beyond the border count.
struct AvgPool {
  int kernel = 2, stride = 2, padding = 0;
  bool count_include_pad = true;

  Tensor operator()(Tensor x) const {
    return avg_pool2d(x,
                      {.kernel = kernel, .stride = stride, .padding = padding, .count_include_pad = count_include_pad});
  }
  io::Json describe() const {
    return io::Json::object({{"type", "avg_pool"},
                             {"kernel", kernel},
                             {"stride", stride},
                             {"padding", padding},
                             {"count_include_pad", count_include_pad}});
  }
};

/// Repeats pixels, or interpolates between them.
struct Upsample {
  int scale = 2;
  bool bilinear = false;

  Tensor operator()(Tensor x) const {
    return upsample(x, {.scale = scale, .mode = bilinear ? d16::Upsample::bilinear : d16::Upsample::nearest});
  }
  io::Json describe() const {
    return io::Json::object({{"type", "upsample"}, {"scale", scale}, {"bilinear", bilinear}});
  }
};

/// (x - mean) / deviation with one number each: brings images in [0,1] near mean 0 and variance 1.
struct Rescale {
  double mean = 0, deviation = 1;

  Tensor operator()(Tensor x) const { return mean == 0 && deviation == 1 ? x : (x - mean) * (1 / deviation); }
  io::Json describe() const {
    return io::Json::object({{"type", "rescale"}, {"mean", mean}, {"deviation", deviation}});
  }
};

/// (N, ...) -> (N, everything else).
struct Flatten {
  Tensor operator()(Tensor x) const { return x.reshape({x.dim(0), -1}).with_group({}); }
  io::Json describe() const { return io::Json::object({{"type", "flatten"}}); }
};

/// x for x > 0, alpha (e^x - 1) below.
struct Elu {
  double alpha = 1;

  Tensor operator()(Tensor x) const { return elu(x, alpha); }
  io::Json describe() const { return io::Json::object({{"type", "elu"}, {"alpha", alpha}}); }
};

/// In training, sets each value to zero with probability p and scales the others by 1 / (1 - p).
struct Dropout : Module {
  double p;

  explicit Dropout(double probability = 0.5) : p(probability) {}
  Tensor operator()(Tensor x) { return dropout(x, p, training()); }
  io::Json describe() const override { return io::Json::object({{"type", "dropout"}, {"p", p}}); }
  D16_MEMBERS()
};

/// Multiplies an image, or features, by a disk: 1 within r0 = c (1 - margin / 100) of the centre, c half the smaller
/// side, and exp(-(r^2 - r0^2) / sigma^2) beyond. Corners leave the image when it turns; without them it turns into
/// itself.
struct DiskMask {
  double margin = 1, sigma = 2;

  Tensor operator()(Tensor x) const {
    int64_t const H = x.dim(axis::H), W = x.dim(axis::W);
    Tensor m = detail::kept_tensor(text("disk ", H, "x", W, ", ", margin, ", ", sigma, ", ", name_of(x.dtype())),
                                   x.device(), [&] { return mask(H, W).cast(x.dtype()); });
    return x * (x.rank() == 5 ? m.reshape({1, m.dim(axis::H), m.dim(axis::W), 1, 1}) : m);
  }
  Tensor mask(int64_t height, int64_t width) const {
    Tensor m = empty({1, height, width, 1}, {.device = Device()});
    double c = 0.5 * double(std::min(height, width) - 1), inner = c * (1 - margin / 100);
    float* out = m.data<float>();
    for (int64_t i = 0; i < height; ++i)
      for (int64_t j = 0; j < width; ++j) {
        double y = double(i) - 0.5 * double(height - 1), x = double(j) - 0.5 * double(width - 1);
        double beyond = x * x + y * y - inner * inner;
        *out++ = float(beyond > 0 ? std::exp(-beyond / (sigma * sigma)) : 1);
      }
    return m;
  }
  io::Json describe() const { return io::Json::object({{"type", "disk_mask"}, {"margin", margin}, {"sigma", sigma}}); }
};

}  // namespace d16::nn
