// BandNetwork: a classifier of cutouts in several bands, by what each pixel's spectrum is and by where light lies.
#pragma once
#include "attention.hpp"
#include "blocks.hpp"
#include "classifiers.hpp"
#include "kept_tensor.hpp"

namespace d16::nn {

/// When spectra and shapes meet: late, all spectral blocks at full resolution and then all spatial ones; or early, one
/// spectral block before each spatial one.
enum class Fusion { late, early };
inline char const* name_of(Fusion fusion) { return fusion == Fusion::late ? "late" : "early"; }

/// What a pixel is told of its place: nothing, its distance from the centre, or that and its coordinates.
enum class Position { none, radius, full };
inline char const* name_of(Position position) {
  return position == Position::none ? "none" : position == Position::radius ? "radius" : "full";
}

struct BandNetworkOptions {
  ClassifierInput input = {.size = 64, .channels = 7, .classes = 3};
  std::vector<int> spectral = {16, 16};     ///< channels after each spectral block
  std::vector<int> spatial = {16, 32, 64};  ///< channels (with a group: fields) after each spatial block
  Fusion fusion = Fusion::late;
  int reduction = 4;                     ///< of the channel attention
  bool spatial_attention = false;        ///< gates for pixels too, after the channel attention
  Downsample down = Downsample::stride;  ///< of each spatial block; with a group, a stride is a BlurPool before it
  Position position = Position::none;
  Group group = {};                ///< of the spatial blocks; none: ordinary convolutions
  bool mask = false;               ///< it is told which bands are valid, as further channels
  int features = 0;                ///< numbers for each object beside its image, such as HOG; 0: none
  int feature_width = 32;          ///< to which they are reduced before they join
  std::vector<int> hidden = {32};  ///< widths of Linear, batch norm, ReLU before the last Linear
  double spectral_dropout = 0.1, spatial_dropout = 0.1, dropout = 0.2;  ///< the last before the last Linear
};

/// What it takes beside the image. Missing bands: any finite number in the image, 0 in valid.
struct BandInputs {
  Tensor image;          ///< (N,H,W,channels)
  Tensor features = {};  ///< (N,options.features)
  Tensor valid = {};     ///< (N,channels), 1 for a band that was observed, 0 for one that was not; undefined: all are
};

/// Spectral residual blocks (1x1), channel attention, spatial residual blocks (3x3), average over the image, [features
/// beside it,] dense head. With a group the spatial blocks are its convolutions, and a maximum over its elements
/// follows: the answer then does not change when the image is turned or mirrored. It is exact under quarter turns and
/// mirrors where each halving keeps the grid's symmetry (`down` max_pool for sizes with enough factors 2, stride for
/// 2^k m + 1), and up to sampling elsewhere. All weights begin He-normal.
/// Shapes   image (N,H,W,channels), y (N,classes).
/// Errors   ShapeError, ValueError when the inputs are not those that the options name.
/// Source   the sequence of blocks is that of the poster by Roberts & Conselice; widths, reduction, dropout, the places
///          of attention and the way in which features enter are our choices, since it states none.
class BandNetwork : public Module {
 public:
  explicit BandNetwork(BandNetworkOptions o = {}) : options_(std::move(o)) {
    check_options();
    build_trunk();
    int joined = options_.spatial.back();
    if (options_.features > 0) {
      embed_.add(Linear(options_.features, options_.feature_width, {.bias = false}));
      embed_.add(BatchNorm1d(options_.feature_width));
      embed_.add(relu);
      joined += options_.feature_width;
    }
    for (int width : options_.hidden) {
      head_.add(Linear(joined, width, {.bias = false}));
      head_.add(BatchNorm1d(width));
      head_.add(relu);
      joined = width;
    }
    if (options_.dropout > 0) head_.add(Dropout(options_.dropout));
    head_.add(Linear(joined, options_.input.classes));
  }

  Tensor operator()(Tensor image) { return (*this)(BandInputs{.image = std::move(image)}); }
  Tensor operator()(BandInputs const& in) {
    check(in);
    Tensor x = from_features(trunk_(as_features(planes(in))));
    if (options_.features > 0) x = concat({x, embed_(in.features)}, 1);
    return head_(x);
  }

  BandNetworkOptions const& options() const { return options_; }
  io::Json describe() const override;
  D16_MEMBERS(trunk_, embed_, head_)

 private:
  int position_channels() const {
    return options_.position == Position::none ? 0 : options_.position == Position::radius ? 1 : 3;
  }
  void build_trunk() {
    int in = options_.input.channels * (options_.mask ? 2 : 1) + position_channels();
    bool const late = options_.fusion == Fusion::late;
    size_t const spectral = options_.spectral.size(), spatial = options_.spatial.size();
    auto add_spectral = [&](size_t i) {
      trunk_.add(SpectralResidualBlock(in, options_.spectral[i], {.dropout = options_.spectral_dropout}));
      in = options_.spectral[i];
    };
    for (size_t i = 0; i < (late ? spectral : std::min<size_t>(spectral, 1)); ++i) add_spectral(i);
    trunk_.add(ChannelAttention(in, options_.reduction));
    if (options_.spatial_attention) trunk_.add(SpatialAttention());
    for (size_t i = 0; i < spatial; ++i) {
      bool const mix = !late && i > 0 && i < spectral;
      if (options_.group) {
        if (mix) add_group_block(in, options_.spectral[i], 1, GroupBlock::From::features);
        if (options_.down == Downsample::stride) trunk_.add(BlurPool());
        add_group_block(in, options_.spatial[i], 3, i == 0 ? GroupBlock::From::image : GroupBlock::From::features);
        if (options_.down == Downsample::max_pool) trunk_.add(MaxPool());
      } else {
        if (mix) add_spectral(i);
        trunk_.add(SpatialResidualBlock(in, options_.spatial[i],
                                        {.dropout = options_.spatial_dropout, .down = options_.down}));
        in = options_.spatial[i];
      }
    }
    if (options_.group) trunk_.add(group_max_pool);
    trunk_.add(global_avg_pool);
  }
  void add_group_block(int& in, int out, int kernel, GroupBlock::From from) {
    trunk_.add(GroupBlock(options_.group, from, in, out, {.kernel = kernel, .dropout = options_.spatial_dropout}));
    in = out;
  }

  /// The bands, what is known of them, and what is known of the place, as channels of one image.
  Tensor planes(BandInputs const& in) const {
    Tensor x = Rescale{options_.input.mean, options_.input.deviation}(in.image);
    Shape every = x.shape();
    std::vector<Tensor> parts{x};
    if (options_.mask) {
      TensorOptions like{x.dtype(), x.device()};
      Tensor valid = in.valid.defined() ? in.valid : ones({x.dim(0), x.dim(axis::C)}, like);
      valid = valid.reshape({x.dim(0), 1, 1, x.dim(axis::C)});
      parts = {x * valid, valid.expand(every)};
    }
    if (options_.position != Position::none) {
      every[axis::C] = position_channels();
      int64_t const H = x.dim(axis::H), W = x.dim(axis::W);
      Tensor where =
          detail::kept_tensor(text("places ", H, "x", W, ", ", position_channels(), ", ", name_of(x.dtype())),
                              x.device(), [&] { return places(H, W).cast(x.dtype()); });
      parts.push_back(where.expand(every));
    }
    return parts.size() == 1 ? x : concat(parts, axis::C);
  }
  /// r, and x to the right and y up; -1 to 1 from edge to edge. Shape (1,H,W,1 or 3).
  Tensor places(int64_t height, int64_t width) const {
    Tensor out = empty({1, height, width, position_channels()}, {.device = Device()});
    float* to = out.data<float>();
    for (int64_t i = 0; i < height; ++i)
      for (int64_t j = 0; j < width; ++j) {
        double x = double(2 * j + 1) / double(width) - 1, y = 1 - double(2 * i + 1) / double(height);
        *to++ = float(std::hypot(x, y));
        if (options_.position == Position::full) *to++ = float(x), *to++ = float(y);
      }
    return out;
  }

  void check_options() const {
    BandNetworkOptions const& o = options_;
    require<ValueError>(!o.spatial.empty() && o.features >= 0, "BandNetwork: ", o.spatial.size(),
                        " spatial blocks, features ", o.features, "; it needs a block, and features from 0 up");
    require<ValueError>(!o.group || o.position != Position::full, "BandNetwork: position full with ", o.group,
                        "; x and y turn with the image, use radius");
    require<ValueError>(o.fusion == Fusion::late || o.spectral.size() <= o.spatial.size(),
                        "BandNetwork: early fusion of ", o.spectral.size(), " spectral blocks with ", o.spatial.size(),
                        " spatial ones; each of the former needs one of the latter");
  }
  void check(BandInputs const& in) const {
    Tensor const& x = in.image;
    require<ShapeError>(x.rank() == 4 && x.dim(axis::C) == options_.input.channels, "BandNetwork: image is ", x.shape(),
                        "; it needs (N,H,W,", options_.input.channels, ")");
    auto beside = [&](char const* what, Tensor const& t, bool wanted, bool needed, int64_t width) {
      require<ValueError>(wanted || !t.defined(), "BandNetwork: ", what, " were given to a network made without them");
      require<ValueError>(!needed || t.defined(), "BandNetwork: no ", what, "; this network needs (N,", width, ")");
      if (t.defined())
        require<ShapeError>(t.shape() == Shape{x.dim(0), width}, "BandNetwork: ", what, " are ", t.shape(),
                            " for an image of ", x.shape(), "; it needs (", x.dim(0), ",", width, ")");
    };
    beside("features", in.features, options_.features > 0, options_.features > 0, options_.features);
    beside("valid bands", in.valid, options_.mask, false, options_.input.channels);
  }

  BandNetworkOptions options_;
  Sequential trunk_, embed_, head_;
};

}  // namespace d16::nn
