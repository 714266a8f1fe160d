// Equivariance, measured: how far f(g x) is from g f(x), for every layer of a network, every element of its group and the
// angles in between; and which layers break the symmetries of the pixel grid, with the reason.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "../core/random.hpp"
#include "../ops/group_action.hpp"
#include "classifiers.hpp"

namespace d16::nn {

// ---------------------------------------------------------------------------------------------------------------------
// The layers of a network, one after the other.

struct Layer {
  std::string name;  ///< "convs.0" as in a file of weights; without weights "blur_pool 2", the second of its kind
  io::Json about;    ///< its description; null for a lambda or a module of one's own
  std::function<Tensor(Tensor)> call;

  /// "group_conv2d 3x3, stride 2".
  std::string what() const {
    if (!about.is_object()) return "function";
    std::string out = about.string("type");
    if (about.has("kernel")) out += text(" ", about.integer("kernel"), "x", about.integer("kernel"));
    if (about.has("stride") && about.integer("stride") > 1) out += text(", stride ", about.integer("stride"));
    return out;
  }
};

namespace detail {

/// Takes networks apart: a Sequential into its stages, a class with visit_layers() into its layers, any other is one.
class LayerList {
 public:
  explicit LayerList(Module* network) {
    if (!network) return;
    Walk walk;
    walk.module = [&](Module& m) { paths_[&m] = walk.path.substr(0, walk.path.size() - !walk.path.empty()); };
    walk.visit("", *network);
  }

  template <class L> void add(L&& layer) {
    using Kind = std::decay_t<L>;
    if constexpr (std::is_same_v<Kind, Sequential>) {
      std::string path = paths_[&layer];
      for (size_t i = 0; i < layer.size(); ++i) add(layer[i], text(path, path.empty() ? "" : ".", i));
    } else if constexpr (requires { layer.visit_layers([](auto&&) {}); }) {
      layer.visit_layers([this](auto&& inner) { this->add(std::forward<decltype(inner)>(inner)); });
    } else if constexpr (std::is_base_of_v<Module, Kind>) {
      layers.push_back({paths_[&layer], layer.describe(), [&layer](Tensor x) { return layer(std::move(x)); }});
    } else {
      io::Json about = Stage(Kind(layer)).describe();
      std::string type = about.is_object() ? about.string("type") : "function";
      layers.push_back({text(type, " ", ++seen_[type]), about, Kind(layer)});
    }
  }
  void add(Stage& stage, std::string name) {
    if (auto* net = stage.as<Sequential>()) return add(*net);
    if (auto* net = stage.as<EquivariantClassifier>()) return add(*net);
    if (auto* net = stage.as<PlainCnn>()) return add(*net);
    layers.push_back({std::move(name), stage.describe(), [&stage](Tensor x) { return stage(std::move(x)); }});
  }

  std::vector<Layer> layers;

 private:
  std::map<void const*, std::string> paths_;
  std::map<std::string, int> seen_;
};

}  // namespace detail

/// The layers of a network; run one after the other they are the network. They refer to it and must not outlive it.
template <class Model> std::vector<Layer> layers_of(Model& model) {
  if constexpr (std::is_same_v<Model, Stage>) {
    detail::LayerList list(model.module());
    list.add(model, "network");
    return list.layers;
  } else {
    detail::LayerList list(&model);
    list.add(model);
    if (list.layers.size() == 1 && list.layers[0].name.empty()) list.layers[0].name = "network";
    return list.layers;
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Where the pixels that a layer takes lie.

namespace detail {

/// Windows of k pixels, every s-th, on a side of L pixels with p of padding: they start at 0, s, 2 s .. of 0 .. span.
struct Windows {
  int64_t kernel, stride, padding, dilation;

  /// None for layers that look at each pixel alone, or at all of them.
  static std::optional<Windows> of(io::Json const& about) {
    if (!about.is_object() || !about.has("kernel") || about.string("type") == "conv_transpose2d") return {};
    auto number = [&](char const* key, int64_t otherwise) { return about.has(key) ? about.integer(key) : otherwise; };
    return Windows{about.integer("kernel"), number("stride", 1), number("padding", 0), number("dilation", 1)};
  }
  int64_t span(int64_t side) const { return side + 2 * padding - dilation * (kernel - 1) - 1; }
  bool symmetric(int64_t side) const { return span(side) >= 0 && span(side) % stride == 0; }
  int64_t out(int64_t side) const { return span(side) / stride + 1; }
};

/// Why a layer cannot keep the symmetries of a grid of this size, as far as its description tells.
inline std::string reason_of(io::Json const& about, Shape const& in, bool group_layers) {
  std::string type = about.is_object() ? about.string("type") : "";
  auto windows = Windows::of(about);
  if (windows && in.rank() >= 4 && !windows->symmetric(in[axis::H])) {
    int64_t side = in[axis::H], span = windows->span(side), below = side, above = side;
    while (below > 0 && !windows->symmetric(below)) --below;
    while (!windows->symmetric(above)) ++above;
    return text(side, " + 2*", windows->padding, " - ", side + 2 * windows->padding - span, " = ", span,
                " is no multiple of the stride ", windows->stride, ", so its windows leave out ",
                span % windows->stride, span % windows->stride == 1 ? " row" : " rows",
                " at the bottom and as many columns at the right, none at the top and left; sides of ",
                below > 0 ? text(below, " or ") : "", above, " pixels keep it");
  }
  if (type == "conv2d" || type == "conv_transpose2d")
    return "it is an ordinary convolution, whose filters do not turn with the image";
  if (type == "flatten")
    return text("it keeps ", in[axis::H], " x ", in[axis::W],
                " pixels apart: turning the image exchanges them, and the weights that follow differ from place to "
                "place; average over the image, or pool to one pixel");
  return group_layers ? "its description does not tell why"
                      : "it is made of ordinary layers, which do not turn with the image";
}

}  // namespace detail

// ---------------------------------------------------------------------------------------------------------------------
// Measuring.

/// One picture (N,H,W,C), H = W, as it looks after any turn; TurnedImage(Turn{}) is the picture itself.
using TurnedImage = std::function<Tensor(Turn)>;

/// A picture that is given as pixels: exact for quarter turns and mirrors, else interpolated, with zeros around it.
inline TurnedImage turned(Tensor x) {
  return [x](Turn t) {
    double quarters = t.degrees / 90;
    if (quarters != std::round(quarters)) return turn(x, t);
    return act(dihedral(4), dihedral(4).element(int(quarters) % 4, t.mirror), x);
  };
}

/// A smooth picture in [0,1] without any symmetry: Gaussian spots with sigmas of 4 to 6 % of the side, none near the
/// border, drawn anew for each turn, so that no interpolation stands between it and its turned self.
inline TurnedImage smooth_image(int64_t side, int64_t channels, uint64_t seed = 16) {
  struct Spot {
    double x, y, sigma, height;
  };
  constexpr int64_t count = 12;
  std::vector<Spot> spots;
  Random random(seed);
  for (int64_t i = 0; i < count * channels; ++i) {
    double radius = 0.25 * double(side) * std::sqrt(random.uniform()), angle = random.uniform(0, 6.283185307179586);
    double sigma = double(side) * random.uniform(0.04, 0.06);
    spots.push_back({radius * std::cos(angle), radius * std::sin(angle), sigma, random.uniform(0.2, 0.5)});
  }
  return [=](Turn t) {
    double c = std::cos(t.degrees * 0.017453292519943295), s = std::sin(t.degrees * 0.017453292519943295);
    Tensor x = empty({1, side, side, channels}, {.device = Device()});
    for (int64_t i = 0; i < x.numel(); ++i) {
      double px = double(i / channels % side) - double(side - 1) / 2;
      double py = double(side - 1) / 2 - double(i / channels / side);
      double u = (t.mirror ? -1 : 1) * (c * px + s * py), v = c * py - s * px, sum = 0;
      for (int64_t k = 0; k < count; ++k) {
        Spot const& spot = spots[size_t(i % channels * count + k)];
        double dx = (u - spot.x) / spot.sigma, dy = (v - spot.y) / spot.sigma;
        sum += spot.height * std::exp(-0.5 * (dx * dx + dy * dy));
      }
      x.data<float>()[i] = float(1 - std::exp(-sum));  // below 1 where spots overlap
    }
    return x.to(default_device());
  };
}

/// What was found out about a layer. All errors are max |f(g x) - g f(x)| / max |f(x)|; NaN where nothing was measured.
struct LayerEquivariance {
  static constexpr double none = std::numeric_limits<double>::quiet_NaN();
  std::string name, what;
  Shape input, output;
  double alone = 0;          ///< under the symmetries of the grid, this layer by itself
  double rounding = 0;       ///< what the sums of this layer may differ by when their order changes
  double grid = 0;           ///< under the symmetries of the grid, the network up to here
  double elements = none;    ///< under the other elements of the group, up to here; within the disk
  double between = none;     ///< under the angles in between, up to here; within the disk
  double resampling = none;  ///< of its features alone, turned by 22.5 degrees and back: what interpolation costs twice
  std::string reason = {};   ///< why it breaks the symmetries of the grid; empty when it keeps them

  bool broken() const { return !(alone <= rounding); }
};

/// The errors of one turn.
struct TurnEquivariance {
  Turn turn;
  int element = -1;            ///< of the group; -1 for an angle in between
  bool exact = false;          ///< a symmetry of the pixel grid
  std::vector<double> errors;  ///< of the network up to each layer
  double network = 0;          ///< of the network as it runs, some of its layers perhaps in one step
};

struct EquivarianceReport {
  Group group;                  ///< whose elements were tried
  bool by_construction = true;  ///< false: the network has no group layers
  std::vector<LayerEquivariance> layers;
  LayerEquivariance network;  ///< as it runs; alone and grid are the same here
  std::vector<TurnEquivariance> turns;
  int64_t better_side = 0;  ///< the nearest size of images at which all windows lie symmetrically; 0: none or no need

  bool keeps_grid() const {
    return std::none_of(layers.begin(), layers.end(), [](auto const& layer) { return layer.broken(); }) &&
           !network.broken();
  }
  /// One sentence for each layer that breaks the symmetries of the grid.
  std::vector<std::string> warnings() const {
    std::vector<std::string> out;
    for (LayerEquivariance const& layer : layers)
      if (layer.broken()) out.push_back(text(layer.name, " (", layer.what, ") breaks the grid: ", layer.reason));
    if (out.empty() && network.broken())
      return {"the network breaks the grid, though none of its layers does by itself: it runs them differently"};
    if (!out.empty() && better_side)
      out.push_back(text("images of ", better_side, " x ", better_side, " pixels keep the grid in all these layers"));
    return out;
  }
};

struct EquivarianceOptions {
  double step = 7.5;        ///< degrees between the angles, or less: they include the rotations of the group
  Group dense_group = D16;  ///< whose elements are tried on a network without a group
  double disk = 0.8;        ///< radius, in half sides, within which other turns than those of the grid are compared
  std::function<void(int64_t done, int64_t total)> progress = {};  ///< called after each turn
};

namespace detail {

constexpr double everywhere = std::numeric_limits<double>::infinity();

/// max |a - b| / max |a| over the pixels within `radius` half sides of the middle, or over all of a tensor without
/// pixels; 0 when a is 0 and b too, infinite with a NaN.
inline double relative_difference(Tensor a, Tensor b, double radius) {
  require<ShapeError>(a.shape() == b.shape(), "check_equivariance: ", a.shape(), " turned became ", b.shape());
  a = a.to(Device()).contiguous(), b = b.to(Device()).contiguous();
  bool pixels = a.rank() >= 4;
  int64_t H = pixels ? a.dim(axis::H) : 1, W = pixels ? a.dim(axis::W) : 1;
  int64_t N = a.dim(0), values = a.numel() / (N * H * W);
  double error = 0, largest = 0;
  for_float(a.dtype(), [&]<class T>(T) {
    T const *pa = a.data<T>(), *pb = b.data<T>();
    for (int64_t p = 0; p < N * H * W; ++p) {
      double y = 2 * double(p / W % H) - double(H - 1), x = 2 * double(p % W) - double(W - 1);
      if (pixels && std::hypot(x, y) > radius * double(H)) continue;
      for (int64_t i = p * values; i < (p + 1) * values; ++i) {
        double difference = std::abs(double(pa[i]) - double(pb[i]));
        error = std::isnan(difference) ? everywhere : std::max(error, difference);
        largest = std::max(largest, std::abs(double(pa[i])));
      }
    }
  });
  return error == 0 ? 0 : error / largest;
}

/// The turns to try: every element of the group, and the angles in between.
inline std::vector<TurnEquivariance> turns_of(Group group, double step) {
  std::vector<TurnEquivariance> out;
  for (int e = 0; e < group.order(); ++e) out.push_back({turn_of(group, e), e, keeps_grid(group, e), {}});
  int between = int(std::ceil(360.0 / group.n / step - 1e-9));
  for (int k = 0; k < group.n * between; ++k)
    if (k % between != 0) out.push_back({{360.0 * k / (group.n * between), false}, -1, false, {}});
  return out;
}

/// Layers that look at each value alone.
inline bool pointwise(io::Json const& about) {
  if (!about.is_object()) return false;
  for (char const* type : {"rescale", "disk_mask", "relu", "sigmoid", "silu", "tanh", "softplus", "elu", "dropout",
                           "batch_norm1d", "batch_norm2d", "inner_batch_norm"})
    if (about.string("type") == type) return true;
  return false;
}

/// How far both sides of the comparison may differ by rounding: terms x epsilon, with the terms that are added for one
/// value of the result (the taps of a steerable filter are sums too; all values of the image for layers not known) and
/// eight of the formula around the sum. A partial sum is rounded by half an epsilon of itself, and there are two sides.
inline double rounding_of(io::Json const& about, Tensor const& x) {
  double values = double(x.numel()) / double(x.dim(0)), terms = pointwise(about) ? 0 : values;
  if (auto windows = Windows::of(about)) {
    double taps = double(windows->kernel * windows->kernel);
    terms = taps * (1 + values / double(x.dim(axis::H) * x.dim(axis::W)));
  }
  return (terms + 8) * (x.dtype() == DType::f64 ? 2.3e-16 : 1.2e-7);
}

/// The nearest side to `side` at which the windows of all layers lie symmetrically; 0 when there is none within it.
inline int64_t symmetric_side(std::vector<Layer> const& layers, int64_t side) {
  auto fits = [&](int64_t s) {
    for (Layer const& layer : layers) {
      if (auto windows = Windows::of(layer.about)) {
        if (!windows->symmetric(s)) return false;
        s = windows->out(s);
      } else if (layer.about.is_object() && layer.about.has("scale")) {
        s *= layer.about.integer("scale");
      }
    }
    return true;
  };
  for (int64_t away = 0; away < side; ++away)
    for (int64_t s : {side + away, side - away})
      if (fits(s)) return s;
  return 0;
}

/// Measures a network and the chain of its layers on one picture.
class EquivarianceCheck {
 public:
  EquivarianceCheck(std::function<Tensor(Tensor)> network, std::vector<Layer> layers, Group group,
                    EquivarianceOptions o)
      : network_(std::move(network)), layers_(std::move(layers)), options_(std::move(o)) {
    report_.by_construction = bool(group);
    report_.group = group ? group : options_.dense_group;
  }

  EquivarianceReport run(TurnedImage const& image) {
    NoGrad off;
    run_straight(image({}));
    report_.turns = turns_of(report_.group, options_.step);
    for (size_t i = 0; i < report_.turns.size(); ++i) {
      run_turned(image(report_.turns[i].turn), report_.turns[i]);
      if (options_.progress) options_.progress(int64_t(i + 1), int64_t(report_.turns.size()));
    }
    conclude();
    return std::move(report_);
  }

 private:
  void run_straight(Tensor x) {
    require<ShapeError>(x.rank() == 4 && x.dim(axis::H) == x.dim(axis::W), "check_equivariance: the image is ",
                        x.shape(), "; a square one (N,H,W,C) is needed");
    states_ = {x};
    result_ = network_(x);
    report_.network = {"network", "network", x.shape(), result_.shape()};
    for (Layer const& layer : layers_) {
      Tensor y = layer.call(x);
      LayerEquivariance out{layer.name, layer.what(), x.shape(), y.shape()};
      out.rounding = rounding_of(layer.about, x);
      out.resampling = resampling_of(y);
      report_.network.rounding += out.rounding;
      report_.layers.push_back(std::move(out));
      states_.push_back(x = y);
    }
    report_.network.resampling = resampling_of(result_);
  }

  void run_turned(Tensor x, TurnEquivariance& t) {
    t.network = compare(moved(result_, t), network_(x), t);
    note(report_.network, t, t.network);
    if (t.exact) report_.network.alone = std::max(report_.network.alone, t.network);
    for (size_t i = 0; i < layers_.size(); ++i) {
      LayerEquivariance& layer = report_.layers[i];
      Tensor expected = moved(states_[i + 1], t);
      if (t.exact) layer.alone = std::max(layer.alone, compare(expected, layers_[i].call(moved(states_[i], t)), t));
      x = layers_[i].call(x);
      t.errors.push_back(compare(expected, x, t));
      note(layer, t, t.errors.back());
    }
  }

  double resampling_of(Tensor const& y) const {
    if (y.rank() < 4) return LayerEquivariance::none;
    return relative_difference(y, turn(turn(y, {22.5}), {-22.5}), options_.disk);
  }
  double compare(Tensor const& a, Tensor const& b, TurnEquivariance const& t) const {
    return relative_difference(a, b, t.exact ? everywhere : options_.disk);
  }
  static void note(LayerEquivariance& layer, TurnEquivariance const& t, double error) {
    double& worst = t.exact ? layer.grid : t.element >= 0 ? layer.elements : layer.between;
    worst = std::fmax(worst, error);  // NaN until now: nothing was measured
  }

  /// g y for what a layer gave; vectors have no pixels and do not change.
  Tensor moved(Tensor const& y, TurnEquivariance const& t) const {
    if (y.rank() < 4) return y;
    return t.exact ? act(report_.group, t.element, y) : turn(y, t.turn);
  }

  void conclude() {
    int windows_broken = 0, others_broken = 0;
    for (size_t i = 0; i < layers_.size(); ++i) {
      LayerEquivariance& layer = report_.layers[i];
      if (!layer.broken()) continue;
      layer.reason = reason_of(layers_[i].about, layer.input, report_.by_construction);
      auto windows = Windows::of(layers_[i].about);
      ++(windows && !windows->symmetric(layer.input[axis::H]) ? windows_broken : others_broken);
    }
    if (windows_broken && !others_broken)
      report_.better_side = symmetric_side(layers_, report_.layers[0].input[axis::H]);
  }

  std::function<Tensor(Tensor)> network_;
  std::vector<Layer> layers_;
  EquivarianceOptions options_;
  EquivarianceReport report_;
  std::vector<Tensor> states_;  ///< the picture, and what each layer makes of it
  Tensor result_;               ///< what the network makes of it
};

}  // namespace detail

/// Measures max |f(g x) - g f(x)| / max |f(x)| of a network and of each of its layers, for every element g of its group
/// and the angles in between. On features g turns the pixels and acts on the axis G (ops/group_action.hpp), on vectors
/// such as scores it does nothing: there the error is that of invariance.
///   symmetries of the pixel grid   compared everywhere; what is more than rounding is broken, and the report says why
///   other turns                    f(x) is interpolated, so that even a perfect network shows what sampling costs:
///                                  compared within a disk, beside the cost of resampling the same features
/// A network without group layers is measured under options.dense_group.
///   nn::EquivarianceReport r = nn::check_equivariance(net, nn::smooth_image(65, 3));
///   for (std::string const& w : r.warnings()) puts(w.c_str());
/// Shapes   image (N,H,W,C) with H = W.     Cost  3 passes for each turn; memory for all features of one pass.
/// Deterministic  yes.
/// Errors   ShapeError unless the image is square; ValueError for a network in training.
template <class Model>
EquivarianceReport check_equivariance(Model& model, TurnedImage const& image, EquivarianceOptions o = {}) {
  Module* module = nullptr;
  if constexpr (std::is_same_v<Model, Stage>) module = model.module();
  else module = &model;
  require<ValueError>(!module || !module->training(),
                      "check_equivariance: the network is in training, where batch norms change; call eval() first");
  auto network = [&model](Tensor x) { return model(std::move(x)); };
  return detail::EquivarianceCheck(network, layers_of(model), module ? module->group() : Group{}, std::move(o))
      .run(image);
}

/// The same for a picture given as pixels.
template <class Model> EquivarianceReport check_equivariance(Model& model, Tensor x, EquivarianceOptions o = {}) {
  return check_equivariance(model, turned(std::move(x)), std::move(o));
}

}  // namespace d16::nn
