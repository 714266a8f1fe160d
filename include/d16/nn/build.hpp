// Networks from their description in JSON, as it lies beside the weights in a file, and back.
#pragma once
#include <map>

#include "band_network.hpp"
#include "classifiers.hpp"
#include "group_norm.hpp"
#include "networks.hpp"
#include "unet_vae.hpp"

namespace d16::nn {

/// "dihedral(8)" -> dihedral(8), as Group::text() writes it; also "cyclic(8)" and "none".
inline Group parse_group(std::string_view text) {
  for (Group::Kind kind : {Group::Kind::none, Group::Kind::cyclic, Group::Kind::dihedral})
    for (int n = 1; n <= (kind == Group::Kind::none ? 1 : 64); ++n)
      if (Group g{kind, n}; g.text() == text) return g;
  throw ValueError(d16::text("group \"", text, "\": it is written cyclic(8) or dihedral(8), with n from 1 to 64"));
}

namespace detail {

/// The members of a description with their default when absent, and a range that keeps a damaged file from asking for
/// the whole memory.
struct Fields {
  io::Json const& json;
  Fields(io::Json const& description) : json(description) {}

  int integer(std::string_view key, int otherwise, int low, int high = 1 << 16) const {
    if (!json.has(key)) return otherwise;
    int64_t value = json.integer(key);
    require<ValueError>(value >= low && value <= high, "network: ", key, " is ", value, "; ", low, " to ", high,
                        " is needed");
    return int(value);
  }
  double number(std::string_view key, double otherwise) const { return json.has(key) ? json.number(key) : otherwise; }
  bool boolean(std::string_view key, bool otherwise) const { return json.has(key) ? json.boolean(key) : otherwise; }
  std::vector<int> list(std::string_view key, std::vector<int> otherwise) const {
    if (!json.has(key)) return otherwise;
    std::vector<int> out;
    for (io::Json const& item : json.at(key).array()) {
      int64_t value = item.integer();
      require<ValueError>(value > 0 && value <= 1 << 16, "network: ", key, " has ", value, "; 1 to 65536 is needed");
      out.push_back(int(value));
    }
    return out;
  }
  int in() const { return required("in"); }
  int out() const { return required("out"); }
  int required(std::string_view key) const {
    json.at(key);
    return integer(key, 0, 1);
  }
  Group group() const { return parse_group(json.string("group")); }
  /// One of some values that have names, as name_of() writes them.
  template <class E> E choice(std::string_view key, E otherwise, std::initializer_list<E> values) const {
    if (!json.has(key)) return otherwise;
    std::string names;
    for (E value : values) {
      if (json.string(key) == name_of(value)) return value;
      names += (names.empty() ? "" : ", ") + std::string(name_of(value));
    }
    throw ValueError(d16::text("network: ", key, " is \"", json.string(key), "\"; it is one of ", names));
  }
};

inline ConvOptions conv_options(Fields f) {
  return {.kernel = f.integer("kernel", 3, 1, 99),
          .stride = f.integer("stride", 1, 1, 99),
          .padding = f.integer("padding", same, same, 99),
          .dilation = f.integer("dilation", 1, 1, 99),
          .groups = f.integer("groups", 1, 1),
          .bias = f.boolean("bias", true)};
}
inline ConvTransposeOptions conv_transpose_options(Fields f) {
  return {.kernel = f.integer("kernel", 2, 1, 99),
          .stride = f.integer("stride", 2, 1, 99),
          .padding = f.integer("padding", 0, 0, 99),
          .output_padding = f.integer("output_padding", 0, 0, 99),
          .bias = f.boolean("bias", true)};
}
inline PaddingMode padding_mode(Fields f) {
  if (!f.json.has("padding_mode")) return PaddingMode::zeros;
  std::string const wanted = f.json.string("padding_mode");
  for (PaddingMode mode : {PaddingMode::zeros, PaddingMode::circular, PaddingMode::reflect})
    if (wanted == kernels::name_of(mode)) return mode;
  throw ValueError(text("network: padding_mode is \"", wanted, "\"; zeros, circular or reflect is needed"));
}
/// [[ring, sigma, highest frequency], ...]
inline Rings rings(Fields f) {
  Rings out;
  if (!f.json.has("rings")) return out;
  for (io::Json const& ring : f.json.at("rings").array()) {
    auto const& item = ring.array();
    require<ValueError>(item.size() == 3 && out.rings.size() < 64, "network: rings has ", item.size(),
                        " numbers for a ring; up to 64 times radius, width, highest frequency are needed");
    double const radius = item[0].number(), sigma = item[1].number();
    int64_t const highest = item[2].integer();
    require<ValueError>(radius >= 0 && radius < 99 && sigma > 0 && sigma < 99 && highest >= 0 && highest <= 64,
                        "network: a ring is ", radius, ", ", sigma, ", ", highest,
                        "; radius 0 to 99, width up to 99, frequency 0 to 64 is needed");
    out.rings.push_back(radius), out.sigmas.push_back(sigma), out.max_freqs.push_back(int(highest));
  }
  return out;
}
inline GroupConvOptions group_conv_options(Fields f) {
  return {.kernel = f.integer("kernel", 3, 1, 31),
          .stride = f.integer("stride", 1, 1, 99),
          .padding = f.integer("padding", same, same, 99),
          .dilation = f.integer("dilation", 1, 1, 99),
          .bias = f.boolean("bias", true),
          .padding_mode = padding_mode(f),
          .rings = rings(f)};
}
inline NormOptions norm_options(Fields f) {
  return {.eps = f.number("eps", 1e-5), .momentum = f.number("momentum", 0.1)};
}

inline ClassifierInput classifier_input(Fields f) {
  ClassifierInput o;
  return {.size = f.integer("size", o.size, 1),
          .channels = f.integer("channels", o.channels, 1),
          .classes = f.integer("classes", o.classes, 1),
          .mean = f.number("mean", o.mean),
          .deviation = f.number("deviation", o.deviation)};
}
inline io::Json describe_input(char const* type, ClassifierInput const& o) {
  return io::Json::object({{"type", type},
                           {"size", o.size},
                           {"channels", o.channels},
                           {"classes", o.classes},
                           {"mean", o.mean},
                           {"deviation", o.deviation}});
}

inline EquivariantClassifierOptions equivariant_classifier_options(Fields f) {
  EquivariantClassifierOptions o;
  return {.input = classifier_input(f),
          .group = f.json.has("group") ? f.group() : o.group,
          .widths = f.list("widths", o.widths),
          .kernels = f.list("kernels", o.kernels),
          .pool_after = f.list("pool_after", o.pool_after),
          .first_stride = f.integer("first_stride", o.first_stride, 1, 99),
          .first_padding = f.integer("first_padding", o.first_padding, same, 99),
          .disk_mask = f.boolean("disk_mask", o.disk_mask),
          .flatten = f.boolean("flatten", o.flatten),
          .hidden = f.list("hidden", o.hidden),
          .dropout = f.number("dropout", o.dropout)};
}
inline PlainCnnOptions plain_cnn_options(Fields f) {
  PlainCnnOptions o;
  return {.input = classifier_input(f),
          .widths = f.list("widths", o.widths),
          .convs = f.integer("convs", o.convs, 1, 99),
          .dropout = f.number("dropout", o.dropout)};
}
inline UNetVaeOptions unet_vae_options(Fields f) {
  UNetVaeOptions o;
  return {.size = f.integer("size", o.size, 1),
          .channels = f.integer("channels", o.channels, 1),
          .widths = f.list("widths", o.widths),
          .latent = f.integer("latent", o.latent, 1),
          .skips = f.boolean("skips", o.skips),
          .variance = f.boolean("variance", o.variance),
          .bilinear = f.boolean("bilinear", o.bilinear),
          .blend = f.boolean("blend", o.blend)};
}

inline Downsample downsample(Fields f, Downsample otherwise) {
  return f.choice("down", otherwise, {Downsample::none, Downsample::stride, Downsample::max_pool});
}
inline DenseBlockOptions dense_block_options(Fields f) {
  DenseBlockOptions o;
  return {.layers = f.integer("layers", o.layers, 1, 999),
          .growth = f.integer("growth", o.growth, 1),
          .bottleneck = f.integer("bottleneck", o.bottleneck, 1, 99),
          .dropout = f.number("dropout", o.dropout)};
}
inline GroupBlock group_block(Fields f) {
  std::string const& from = f.json.string("from");
  require<ValueError>(from == "image" || from == "features", "network: from is \"", from,
                      "\"; it is \"image\" or \"features\"");
  return GroupBlock(f.group(), from == "image" ? GroupBlock::From::image : GroupBlock::From::features, f.in(), f.out(),
                    {.kernel = f.integer("kernel", 3, 1, 31), .dropout = f.number("dropout", 0)});
}
inline BandNetworkOptions band_network_options(Fields f) {
  BandNetworkOptions o;
  return {.input = {.size = f.integer("size", o.input.size, 1),
                    .channels = f.integer("channels", o.input.channels, 1),
                    .classes = f.integer("classes", o.input.classes, 1),
                    .mean = f.number("mean", o.input.mean),
                    .deviation = f.number("deviation", o.input.deviation)},
          .spectral = f.list("spectral", o.spectral),
          .spatial = f.list("spatial", o.spatial),
          .fusion = f.choice("fusion", o.fusion, {Fusion::late, Fusion::early}),
          .reduction = f.integer("reduction", o.reduction, 1),
          .spatial_attention = f.boolean("spatial_attention", o.spatial_attention),
          .down = downsample(f, o.down),
          .position = f.choice("position", o.position, {Position::none, Position::radius, Position::full}),
          .group = f.json.has("group") ? f.group() : o.group,
          .mask = f.boolean("mask", o.mask),
          .features = f.integer("features", o.features, 0),
          .feature_width = f.integer("feature_width", o.feature_width, 1),
          .hidden = f.list("hidden", o.hidden),
          .spectral_dropout = f.number("spectral_dropout", o.spectral_dropout),
          .spatial_dropout = f.number("spatial_dropout", o.spatial_dropout),
          .dropout = f.number("dropout", o.dropout)};
}

}  // namespace detail

inline io::Json BandNetwork::describe() const {
  io::Json out = detail::describe_input("band_network", options_.input);
  out["spectral"] = options_.spectral;
  out["spatial"] = options_.spatial;
  out["fusion"] = name_of(options_.fusion);
  out["reduction"] = options_.reduction;
  out["spatial_attention"] = options_.spatial_attention;
  out["down"] = name_of(options_.down);
  out["position"] = name_of(options_.position);
  out["group"] = options_.group.text();
  out["mask"] = options_.mask;
  out["features"] = options_.features;
  out["feature_width"] = options_.feature_width;
  out["hidden"] = options_.hidden;
  out["spectral_dropout"] = options_.spectral_dropout;
  out["spatial_dropout"] = options_.spatial_dropout;
  out["dropout"] = options_.dropout;
  return out;
}

inline io::Json EquivariantClassifier::describe() const {
  io::Json out = detail::describe_input("equivariant_classifier", options_.input);
  out["group"] = options_.group.text();
  out["widths"] = options_.widths;
  out["kernels"] = options_.kernels;
  out["pool_after"] = options_.pool_after;
  out["first_stride"] = options_.first_stride;
  out["first_padding"] = options_.first_padding;
  out["disk_mask"] = options_.disk_mask;
  out["flatten"] = options_.flatten;
  out["hidden"] = options_.hidden;
  out["dropout"] = options_.dropout;
  return out;
}

inline io::Json PlainCnn::describe() const {
  io::Json out = detail::describe_input("plain_cnn", options_.input);
  out["widths"] = options_.widths;
  out["convs"] = options_.convs;
  out["dropout"] = options_.dropout;
  return out;
}

inline io::Json UNetVae::describe() const {
  return io::Json::object({{"type", "unet_vae"},
                           {"size", options_.size},
                           {"channels", options_.channels},
                           {"widths", options_.widths},
                           {"latent", options_.latent},
                           {"skips", options_.skips},
                           {"variance", options_.variance},
                           {"bilinear", options_.bilinear},
                           {"blend", options_.blend}});
}

Stage build(io::Json const& description);

using Builder = std::function<Stage(io::Json const&)>;

/// From the "type" of a description to what makes it. Add one's own: nn::builders()["residual"] = ...
inline std::map<std::string, Builder>& builders() {
  using detail::Fields;
  static auto& table = *new std::map<std::string, Builder>{
      {"linear", [](Fields f) { return Linear(f.in(), f.out(), {.bias = f.boolean("bias", true)}); }},
      {"conv2d", [](Fields f) { return Conv2d(f.in(), f.out(), detail::conv_options(f)); }},
      {"conv_transpose2d",
       [](Fields f) { return ConvTranspose2d(f.in(), f.out(), detail::conv_transpose_options(f)); }},
      {"lift_conv2d", [](Fields f) { return LiftConv2d(f.group(), f.in(), f.out(), detail::group_conv_options(f)); }},
      {"group_conv2d", [](Fields f) { return GroupConv2d(f.group(), f.in(), f.out(), detail::group_conv_options(f)); }},
      {"project_conv2d",
       [](Fields f) { return ProjectConv2d(f.group(), f.in(), f.out(), detail::group_conv_options(f)); }},
      {"batch_norm2d", [](Fields f) { return BatchNorm2d(f.required("channels"), detail::norm_options(f)); }},
      {"batch_norm1d", [](Fields f) { return BatchNorm1d(f.required("channels"), detail::norm_options(f)); }},
      {"inner_batch_norm", [](Fields f) { return InnerBatchNorm(f.required("channels"), detail::norm_options(f)); }},
      {"blur_pool",
       [](Fields f) {
         return BlurPool{f.number("sigma", 0.66), f.integer("kernel", 5, 1, 99), f.integer("stride", 2, 1, 99),
                         f.integer("padding", 2, 0, 99)};
       }},
      {"max_pool",
       [](Fields f) {
         return MaxPool{f.integer("kernel", 2, 1, 99), f.integer("stride", 2, 1, 99), f.integer("padding", 0, 0, 99)};
       }},
      {"avg_pool",
       [](Fields f) {
         return AvgPool{f.integer("kernel", 2, 1, 99), f.integer("stride", 2, 1, 99), f.integer("padding", 0, 0, 99),
                        f.boolean("count_include_pad", true)};
       }},
      {"upsample",
       [](Fields f) {
         return Upsample{f.integer("scale", 2, 1, 99), f.boolean("bilinear", false)};
       }},
      {"rescale",
       [](Fields f) {
         return Rescale{f.number("mean", 0), f.number("deviation", 1)};
       }},
      {"flatten", [](Fields) { return Flatten(); }},
      {"elu", [](Fields f) { return Elu{f.number("alpha", 1)}; }},
      {"dropout", [](Fields f) { return Dropout(f.number("p", 0.5)); }},
      {"group_norm",
       [](Fields f) {
         return GroupNorm(f.required("groups"), f.required("channels"), f.number("eps", 1e-5));
       }},
      {"spatial_dropout", [](Fields f) { return SpatialDropout(f.number("p", 0.1)); }},
      {"adaptive_avg_pool",
       [](Fields f) {
         return AdaptiveAvgPool{f.integer("height", 1, 1), f.integer("width", 1, 1)};
       }},
      {"channel_attention",
       [](Fields f) { return ChannelAttention(f.required("channels"), f.integer("reduction", 4, 1)); }},
      {"spatial_attention", [](Fields f) { return SpatialAttention(f.integer("kernel", 7, 1, 99)); }},
      {"spectral_residual_block",
       [](Fields f) {
         return SpectralResidualBlock(f.in(), f.out(), {.dropout = f.number("dropout", 0.1)});
       }},
      {"spatial_residual_block",
       [](Fields f) {
         return SpatialResidualBlock(
             f.in(), f.out(),
             {.dropout = f.number("dropout", 0.1),
              .down = detail::downsample(f, Downsample::none),
              .reduction = f.integer("reduction", 0, 0)});
       }},
      {"dense_block", [](Fields f) { return DenseBlock(f.in(), detail::dense_block_options(f)); }},
      {"group_block", [](Fields f) { return detail::group_block(f); }},
      {"band_network", [](Fields f) { return BandNetwork(detail::band_network_options(f)); }},
      {"disk_mask",
       [](Fields f) {
         return DiskMask{f.number("margin", 1), f.number("sigma", 2)};
       }},
      {"sequential",
       [](Fields f) {
         Sequential net;
         for (io::Json const& stage : f.json.at("stages").array()) net.add(build(stage));
         std::vector<int> input = f.list("input", {});
         net.set_input({input.begin(), input.end()});
         return net;
       }},
      {"equivariant_classifier",
       [](Fields f) { return EquivariantClassifier(detail::equivariant_classifier_options(f)); }},
      {"plain_cnn", [](Fields f) { return PlainCnn(detail::plain_cnn_options(f)); }},
      {"unet_vae", [](Fields f) { return UNetVae(detail::unet_vae_options(f)); }}};
  return table;
}

namespace detail {
/// A member that the stage does not have would silently change what the network computes: a newer file, or a typing
/// error. Those of the second list are left out of descriptions where they have their default.
inline void require_known_members(io::Json const& description, io::Json const& described) {
  if (described.is_null()) return;
  for (auto const& [key, value] : description.object())
    require<ValueError>(
        described.has(key) || key == "dilation" || key == "padding_mode" || key == "rings" || key == "input",
        "network: ", description.string("type"), " has no \"", key, "\"; look for a typing error, or for a newer d16");
}
}  // namespace detail

/// A network or stage as `description` says, with fresh weights: {"type": "unet_vae", "widths": [16, 32, 64]}. What is
/// absent takes the default of the options struct.
/// Errors   ValueError for an unknown type or member, or a value out of range.
inline Stage build(io::Json const& description) {
  std::string const& type = description.string("type");
  for (auto const& known : detail::known_functions())
    if (type == known.name) return known.call;
  auto found = builders().find(type);
  std::string names;
  for (auto const& [name, builder] : builders()) names += (names.empty() ? "" : ", ") + name;
  require<ValueError>(found != builders().end(), "network: type \"", type, "\" is unknown; known are ", names,
                      " and functions such as relu");
  Stage stage = found->second(description);
  detail::require_known_members(description, stage.describe());
  return stage;
}

}  // namespace d16::nn
