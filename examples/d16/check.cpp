// d16 check equivariance: how far f(g x) is from g f(x) for each layer, each element of the group and angles in between.
#include <cmath>
#include <cstring>

#include <d16/io/atomic_file.hpp>
#include <d16/io/checkpoint.hpp>
#include <d16/vision/statistics.hpp>

#include "commands.hpp"
#include "equivariance_report.hpp"
#include "predict.hpp"

namespace tool {

using d16::require;
using d16::Tensor;
using d16::text;
using d16::WeightsError;
namespace nn = d16::nn;

namespace {

/// The side and channels of the images that a network takes, as its file says.
struct Input {
  int64_t side, channels;
};
Input input_of(std::string const& path, Json const& network) {
  if (network.has("size") && network.has("channels")) return {network.integer("size"), network.integer("channels")};
  require<WeightsError>(network.has("input") && network.at("input").array().size() == 3, path,
                        ": does not say which images it was trained on; run the network once before save()");
  auto const& sizes = network.at("input").array();
  require<WeightsError>(sizes[0].integer() == sizes[1].integer(), path, ": takes images of ", sizes[0].integer(), " x ",
                        sizes[1].integer(), " pixels; only square ones turn into themselves");
  return {sizes[0].integer(), sizes[2].integer()};
}

std::string summary(Json const& network, d16::Group group) {
  return text(network.string("type"), group ? " " + group.text() : "");
}

/// The first object of the input as the network sees it, (1,side,side,channels).
Tensor read_galaxy(CheckOptions const& o, Input in, bool denoiser) {
  require<WeightsError>(in.channels == 1 || in.channels == 3, o.weights, ": takes ", in.channels,
                        " channels, a picture has 1 or 3; check it without --input");
  Source source = find_sources(o.input).at(0);
  try {
    Frame frame = make_frame(read_cutout(source), {.size = in.side});
    Tensor x = denoiser ? d16::vision::fit_stretch(frame.light, denoiser_stretch).apply(frame.light)
                        : classifier_input(frame.light, in.channels);
    return x.reshape({1, in.side, in.side, in.channels});
  } catch (d16::FileError const&) {
    throw;
  } catch (d16::Error const& error) {  // these do not know the file
    throw d16::FileError(source.path + ": " + error.what());
  }
}

/// 1 in the middle, 0 outside of the inscribed disk, smooth in between.
double disk(int64_t i, int64_t j, int64_t side) {
  double y = double(2 * i - (side - 1)), x = double(2 * j - (side - 1));
  double outside = std::clamp((std::hypot(x, y) / double(side) - 0.8) / 0.2, 0.0, 1.0);
  return 0.5 + 0.5 * std::cos(3.14159265358979323846 * outside);
}

/// A picture whose corners fade into its sky, so that nothing comes in or goes out when it turns.
nn::TurnedImage faded(Tensor const& picture) {
  int64_t side = picture.dim(1), channels = picture.dim(3);
  Tensor sky = d16::empty_like(picture), galaxy = d16::empty_like(picture);
  for (int64_t c = 0; c < channels; ++c) {
    std::vector<double> border;
    for (int64_t i = 0; i < side; ++i)
      for (int64_t at : {i, (side - 1) * side + i, i * side, i * side + side - 1})
        border.push_back(double(picture.data<float>()[at * channels + c]));
    auto level = float(d16::vision::median(border));
    for (int64_t p = 0; p < side * side; ++p) {
      sky.data<float>()[p * channels + c] = level;
      float above = picture.data<float>()[p * channels + c] - level;
      galaxy.data<float>()[p * channels + c] = above * float(disk(p / side, p % side, side));
    }
  }
  return [sky, turned = nn::turned(galaxy)](d16::Turn t) { return turned(t) + sky; };
}

// --- what is said -----------------------------------------------------------------------------------------------------

constexpr size_t layer_columns[] = {22, 30, 9, 9, 10, 9, 11, 0}, element_columns[] = {10, 22, 11, 9, 0};

/// One line of a table; the columns begin at fixed places.
void say_row(std::vector<std::string> const& cells, size_t const* widths) {
  std::string line;
  for (size_t i = 0, begin = 0; i < cells.size(); begin += widths[i++]) {
    auto shown = size_t(std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; }));  // UTF-8
    if (cells[i].empty()) continue;
    line += std::string(shown < begin ? begin - shown : shown > 0, ' ') + cells[i];
  }
  say(line);
}
std::string error_text(double error) {
  if (std::isnan(error)) return "-";
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.1e", error);
  return error == 0 ? "0" : buffer;
}

void say_layers(nn::EquivarianceReport const& r) {
  say_row({"layer", "", "alone", "grid", "elements", "between", "resampled"}, layer_columns);
  for (nn::LayerEquivariance const& layer : r.layers)
    say_row({layer.name, layer.what, error_text(layer.alone), error_text(layer.grid), error_text(layer.elements),
             error_text(layer.between), error_text(layer.resampling), layer.broken() ? "breaks the grid" : ""},
            layer_columns);
  say_row({"network", "as it runs", "", error_text(r.network.grid), error_text(r.network.elements),
           error_text(r.network.between), error_text(r.network.resampling)},
          layer_columns);
}

void say_elements(nn::EquivarianceReport const& r) {
  say_row({"element", "", "any layer", "network"}, element_columns);
  double between = 0;
  for (nn::TurnEquivariance const& t : r.turns) {
    double worst = *std::max_element(t.errors.begin(), t.errors.end());
    if (t.element < 0) between = std::max(between, worst);
    else
      say_row({element_name(r.group, t.element), turn_name(t.turn), error_text(worst), error_text(t.network),
               t.exact ? "" : "interpolated"},
              element_columns);
  }
  say_row({"between", text("every ", 360 - r.turns.back().turn.degrees, "°"), error_text(between),
           error_text(r.network.between), "interpolated"},
          element_columns);
}

void say_report(EquivarianceSubject const& subject, nn::EquivarianceReport const& r) {
  say(subject.weights + ": " + subject.network + ", on " + subject.picture);
  if (!r.by_construction)
    say("not equivariant by construction: it has no group layers; tried with the elements of " + r.group.text());
  say("");
  say("max |f(g x) - g f(x)| / max |f(x)|. alone: the layer by itself, symmetries of the pixel grid; from there on "
      "the");
  say("network up to the layer: grid, other elements of the group, angles in between. resampled: its features turned "
      "by");
  say("22.5 degrees and back, what interpolation costs twice.");
  say("");
  say_layers(r);
  say("");
  say_elements(r);
  say("");
  if (r.by_construction && r.keeps_grid()) say("all layers keep the symmetries of the pixel grid, to rounding");
  for (std::string const& warning : r.warnings()) say((r.by_construction ? "warning: " : "note: ") + warning);
}

// --- the answer as JSON -----------------------------------------------------------------------------------------------

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json json_of(nn::LayerEquivariance const& layer) {
  return Json::object({{"name", layer.name},
                       {"what", layer.what},
                       {"output", Json(std::vector<int64_t>(layer.output.begin(), layer.output.end()))},
                       {"alone", number(layer.alone)},
                       {"rounding", number(layer.rounding)},
                       {"grid", number(layer.grid)},
                       {"elements", number(layer.elements)},
                       {"between", number(layer.between)},
                       {"resampling", number(layer.resampling)},
                       {"keeps_grid", !layer.broken()}});
}

Json json_of(nn::TurnEquivariance const& t, d16::Group group) {
  Json errors = Json::Array();
  for (double error : t.errors) errors.push_back(number(error));
  return Json::object({{"element", t.element < 0 ? Json() : Json(element_name(group, t.element))},
                       {"degrees", t.turn.degrees},
                       {"mirror", t.turn.mirror},
                       {"exact", t.exact},
                       {"network", number(t.network)},
                       {"layers", errors}});
}

Json json_of(EquivarianceSubject const& subject, nn::EquivarianceReport const& r) {
  Json layers = Json::Array(), turns = Json::Array();
  for (auto const& layer : r.layers) layers.push_back(json_of(layer));
  for (auto const& t : r.turns) turns.push_back(json_of(t, r.group));
  return Json::object({{"weights", subject.weights},
                       {"network", subject.network},
                       {"picture", subject.picture},
                       {"group", r.group.text()},
                       {"equivariant_by_construction", r.by_construction},
                       {"keeps_grid", r.keeps_grid()},
                       {"grid", number(r.network.grid)},
                       {"elements", number(r.network.elements)},
                       {"between", number(r.network.between)},
                       {"better_size", r.better_side ? Json(r.better_side) : Json()},
                       {"warnings", Json(r.warnings())},
                       {"layers", layers},
                       {"turns", turns}});
}

nn::EquivarianceReport measure(nn::Stage& net, EquivarianceSubject const& subject, int64_t side) try {
  std::unique_ptr<Progress> progress;
  auto step = [&](int64_t, int64_t total) {
    if (!progress) progress = std::make_unique<Progress>("turns", total);
    progress->step();
  };
  return nn::check_equivariance(net, subject.image, {.progress = step});
} catch (d16::ShapeError const& error) {
  throw WeightsError(text(subject.weights, ": does not take images of ", side, " x ", side, " pixels: ", error.what()));
}

}  // namespace

Json check_equivariance(CheckOptions const& o) {
  d16::LoadedNetwork loaded = d16::load_network(o.weights);
  Input in = input_of(o.weights, loaded.network);
  if (o.size) in.side = o.size;
  nn::Module& net = *loaded.net.module();
  net.to(d16::Device(o.device));
  EquivarianceSubject subject;
  subject.weights = o.weights, subject.network = summary(loaded.network, net.group()), subject.net = &loaded.net;
  std::string size = text(in.side, " × ", in.side, " pixels");
  subject.picture = o.input.empty() ? text("a smooth test picture of ", size, ", seed ", int64_t(o.seed))
                                    : text(base_name(o.input), ", ", size);
  nn::TurnedImage const image = o.input.empty()
                                    ? nn::smooth_image(in.side, in.channels, o.seed)
                                    : faded(read_galaxy(o, in, loaded.network.string("type") == "unet_vae"));
  subject.image = [image, device = d16::Device(o.device)](d16::Turn turn) { return image(turn).to(device); };
  std::unique_ptr<OutputFolder> out;
  if (!o.out.empty()) out = std::make_unique<OutputFolder>(o.out);
  Stopwatch watch;
  nn::EquivarianceReport report = measure(loaded.net, subject, in.side);
  subject.seconds = watch.seconds();
  say_report(subject, report);
  Json answer = json_of(subject, report);
  if (out) {
    out->write("report.html",
               [&](std::string const& path) { d16::io::write_file(path, equivariance_html(subject, report)); });
    out->commit();
    say(join(o.out, "report.html") + ": filters, feature maps, errors");
    answer["report"] = join(o.out, "report.html");
  }
  return answer;
}

}  // namespace tool
