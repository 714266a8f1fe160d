// The report of `d16 check equivariance`: bodies of equivariance_report.hpp.
#include "equivariance_report.hpp"

#include <algorithm>
#include <cmath>
#include <stamp.hpp>

#include <d16/io/html.hpp>
#include <d16/io/plot.hpp>
#include <d16/io/png.hpp>
#include <d16/vision/statistics.hpp>

#include "common.hpp"

namespace tool {

using d16::Group;
using d16::NoGrad;
using d16::Tensor;
using d16::text;
using d16::Turn;
namespace html = d16::io::html;
namespace io = d16::io;
namespace nn = d16::nn;

namespace {

std::string error_text(double error) { return html::significant(error, 2); }

std::string degrees_text(double degrees) { return html::number(degrees, degrees == std::round(degrees) ? 0 : 1) + "°"; }

/// White pictures have a line around them, and no dark ground behind their round corners.
constexpr char const* style = "<style>.pale img { background:none; box-shadow:0 0 0 1px var(--line); }</style>\n";

/// Pictures in rows of `columns`, none wider than 112 pixels on the screen.
std::string strip(std::vector<std::string> const& pictures, int columns) {
  std::string out = text("<div style=\"display:grid;gap:8px;margin:0 0 18px;grid-template-columns:repeat(", columns,
                         ",minmax(0,112px))\">\n");
  for (std::string const& picture : pictures) out += picture;
  return out + "</div>\n";
}

// --- colours ----------------------------------------------------------------------------------------------------------

using Colour = std::array<float, 3>;

/// Blue below zero, white, orange above.
Colour signed_colour(double v) {
  Colour const end = v < 0 ? Colour{0.14f, 0.36f, 0.62f} : Colour{0.80f, 0.38f, 0.08f};
  auto part = float(std::min(std::abs(v), 1.0));
  return {1 - part * (1 - end[0]), 1 - part * (1 - end[1]), 1 - part * (1 - end[2])};
}

/// Black, blue, orange, white.
Colour heat_colour(double v) {
  constexpr Colour stops[] = {{0.03f, 0.04f, 0.08f}, {0.13f, 0.28f, 0.52f}, {0.87f, 0.49f, 0.16f}, {1, 0.98f, 0.9f}};
  double at = 3 * std::clamp(v, 0.0, 1.0);
  auto low = std::min(size_t(at), size_t(2));
  auto part = float(at - double(low));
  Colour out;
  for (size_t k = 0; k < 3; ++k) out[k] = stops[low][k] * (1 - part) + stops[low + 1][k] * part;
  return out;
}

/// A picture of the values (H,W), `full` being the end of the colours.
std::string drawn(Tensor const& values, double full, Colour (*colour)(double), std::string const& alt) {
  Tensor rgb = d16::empty({values.dim(0), values.dim(1), 3}, {.device = d16::Device()});
  for (int64_t i = 0; i < values.numel(); ++i) {
    Colour c = colour(full > 0 ? double(values.data<float>()[i]) / full : 0);
    std::copy(c.begin(), c.end(), rgb.data<float>() + 3 * i);
  }
  return text("<div class=\"", colour == signed_colour ? "pale" : "", "\">", html::image(io::encode_png(rgb), alt),
              "</div>");
}

double largest(Tensor const& x) {
  double most = 0;
  for (int64_t i = 0; i < x.numel(); ++i) most = std::max(most, std::abs(double(x.data<float>()[i])));
  return most;
}

/// The end of the colours for some maps: all but the brightest half percent lie below it.
double bright(std::vector<Tensor> const& maps) {
  std::vector<double> values;
  for (Tensor const& map : maps)
    for (int64_t i = 0; i < map.numel(); ++i) values.push_back(std::abs(double(map.data<float>()[i])));
  double full = d16::vision::quantile(values, 0.995);
  return full > 0 ? full : values.back();
}

// --- filters ----------------------------------------------------------------------------------------------------------

/// kappa[g] of one field and channel 0, (K,K) each, on a grid `fine` times as fine as the pixels. Rings narrower than a
/// quarter of a pixel are drawn that wide, or they would not be seen.
std::vector<Tensor> filters_of(nn::LiftConv2d& lift, int64_t field, int fine) {
  d16::Rings rings = d16::default_rings(lift.options.kernel);
  int side = lift.options.kernel * fine;
  if (fine > 1) {
    side += 1 - side % 2;
    for (double& r : rings.rings) r *= fine;
    for (double& s : rings.sigmas) s = std::max(s, 0.25) * fine;
  }
  d16::SteerableBasis basis = d16::steerable_basis(lift.acting, side, rings);
  Tensor w = lift.weight.detach().to(d16::Device()).select(0, field).select(0, 0).contiguous();
  std::vector<Tensor> out;
  for (int g = 0; g < lift.acting.order(); ++g) {
    Tensor kappa = d16::zeros({side, side}, {.device = d16::Device()});
    for (int i = 0; i < side; ++i)
      for (int j = 0; j < side; ++j)
        for (int v = 0; v < basis.V; ++v)
          kappa.data<float>()[i * side + j] += w.data<float>()[v] * float(basis(g, v, i, j));
    out.push_back(kappa);
  }
  return out;
}

/// The field whose weights are largest.
int64_t strongest_field(nn::LiftConv2d& lift) {
  Tensor w = lift.weight.detach().to(d16::Device()).contiguous();
  int64_t best = 0, size = w.numel() / w.dim(0);
  double most = -1;
  for (int64_t o = 0; o < w.dim(0); ++o) {
    double sum = 0;
    for (int64_t i = 0; i < size; ++i) sum += std::pow(double(w.data<float>()[o * size + i]), 2);
    if (sum > most) most = sum, best = o;
  }
  return best;
}

std::string filter_strip(std::vector<Tensor> const& filters, Group group, bool names) {
  double full = 0;
  for (Tensor const& f : filters) full = std::max(full, largest(f));
  std::vector<std::string> pictures;
  for (int g = 0; g < group.order(); ++g)
    pictures.push_back(html::figure(drawn(filters[size_t(g)], full, signed_colour, "filter " + element_name(group, g)),
                                    names ? element_name(group, g) : ""));
  return strip(pictures, group.n);
}

std::string filters(nn::Stage& net) {
  nn::LiftConv2d* lift = nullptr;
  net.module()->walk([&](nn::Module& m) {
    if (!lift) lift = dynamic_cast<nn::LiftConv2d*>(&m);
  });
  if (!lift) return "";
  int64_t field = strongest_field(*lift);
  Group group = lift->acting;
  int k = lift->options.kernel;
  return html::section(
      "One filter in every orientation",
      text("Field ", field, " of the first layer: one set of weights, seen by each of the ", group.order(),
           " elements of ", group.text(), ". Orange adds, blue subtracts."),
      html::paragraph("The function of the plane that the weights stand for. An element of the group turns it, and "
                      "mirrors it first where its name has an m:") +
          filter_strip(filters_of(*lift, field, 16), group, true) +
          html::paragraph(text("What the ", k, " × ", k,
                               " pixels of the image see of it. Quarter turns and mirrors permute these numbers; other "
                               "elements sample the function anew:")) +
          filter_strip(filters_of(*lift, field, 1), group, false));
}

// --- feature maps -----------------------------------------------------------------------------------------------------

/// One layer of the network, and the field of it that is shown.
class Shown {
 public:
  Shown(nn::Stage& net, nn::EquivarianceReport const& report) : layers_(nn::layers_of(net)), group_(report.group) {
    for (size_t i = 0; i < report.layers.size(); ++i) {
      nn::LayerEquivariance const& layer = report.layers[i];
      bool spatial = layer.output.rank() >= 4 && layer.output[d16::axis::H] >= 24;
      bool better = layer.what == "relu" || report.layers[index_].what != "relu";
      if (spatial && better) index_ = i;
    }
  }

  size_t index() const { return index_; }
  std::string const& name() const { return layers_[index_].name; }
  bool spatial(nn::EquivarianceReport const& report) const { return report.layers[index_].output.rank() >= 4; }

  Tensor features(Tensor x) const {
    NoGrad off;
    for (size_t i = 0; i <= index_; ++i) x = layers_[i].call(x);
    return x;
  }
  /// (H,W) of one field and one element.
  static Tensor map(Tensor const& x, int64_t field, int64_t element) {
    Tensor out = x.to(d16::Device()).select(0, 0).select(2, field);
    return (x.rank() == 5 ? out.select(2, element) : out).contiguous();
  }
  /// g f(x), by interpolation where the grid does not have the symmetry.
  Tensor moved(Tensor const& x, Turn t) const {
    double quarters = t.degrees / 90;
    if (quarters != std::round(quarters) || (x.rank() == 5 && group_.n % 4 != 0)) return d16::turn(x, t);
    Group g = x.rank() == 5 ? group_ : d16::dihedral(4);
    return d16::act(g, g.element(int(quarters) * (g.n / 4), t.mirror), x);
  }

 private:
  std::vector<nn::Layer> layers_;
  Group group_;
  size_t index_ = 0;
};

/// The field that depends most on the orientation, or on the place where there are no orientations.
int64_t liveliest_field(Tensor x) {
  x = x.to(d16::Device()).contiguous();
  int64_t fields = x.dim(3), elements = x.rank() == 5 ? x.dim(4) : 1, best = 0;
  double most = -1;
  for (int64_t c = 0; c < fields; ++c) {
    double score = 0, sum = 0, squares = 0;
    for (int64_t p = 0; p < x.dim(1) * x.dim(2); ++p) {
      float const* value = x.data<float>() + (p * fields + c) * elements;
      for (int64_t g = 0; g < elements; ++g) sum += double(value[g]), squares += double(value[g]) * double(value[g]);
      score += double(*std::max_element(value, value + elements) - *std::min_element(value, value + elements));
    }
    if (elements == 1) score = squares - sum * sum / double(x.dim(1) * x.dim(2));
    if (score > most) most = score, best = c;
  }
  return best;
}

/// The image as a person sees it: grey or coloured, from its darkest to its brightest value.
std::string image_of(Tensor x, std::string const& alt) {
  x = x.to(d16::Device()).select(0, 0).contiguous();
  if (x.dim(2) != 3) x = x.slice(2, 0, 1).contiguous();
  auto values = x.host<float>();
  auto [low, high] = std::minmax_element(values.begin(), values.end());
  float from = *low, range = std::max(*high - *low, 1e-20f);
  Tensor shown = d16::empty_like(x);
  for (int64_t i = 0; i < x.numel(); ++i) shown.data<float>()[i] = (values[size_t(i)] - from) / range;
  return html::image(io::encode_png(shown), alt);
}

/// All maps of one field, an element each.
std::string element_strip(Tensor const& features, int64_t field, Group group, double full) {
  std::vector<std::string> pictures;
  for (int g = 0; g < group.order(); ++g)
    pictures.push_back(
        html::figure(drawn(Shown::map(features, field, g), full, heat_colour, "features of " + element_name(group, g)),
                     element_name(group, g)));
  return strip(pictures, group.n);
}

/// A turn, the same in four pictures: the galaxy, its features, what they should be, and what is between.
html::Card turn_card(EquivarianceSubject const& subject, Shown const& shown, nn::TurnEquivariance const& t,
                     Tensor const& straight, int64_t field, double full) {
  Tensor x = subject.image(t.turn), found = Shown::map(shown.features(x), field, 0);
  Tensor expected = Shown::map(shown.moved(straight, t.turn), field, 0), difference = d16::empty_like(found);
  for (int64_t i = 0; i < found.numel(); ++i)
    difference.data<float>()[i] = found.data<float>()[i] - expected.data<float>()[i];
  std::string name = turn_name(t.turn);
  double error = t.errors[shown.index()];
  html::Card card{name, html::badge(error_text(error), error < 1e-4 ? html::Tone::good : html::Tone::plain)};
  card.below = "<div class=\"pictures\">" + html::figure(image_of(x, "the picture, " + name), "g x") +
               html::figure(drawn(found, full, heat_colour, "its features"), "f(g x)") +
               html::figure(drawn(expected, full, heat_colour, "features of the picture, turned"), "g f(x)") +
               html::figure(drawn(difference, full, signed_colour, "difference"), "difference") + "</div>";
  return card;
}

/// The measured turn that is nearest to what is wished for.
nn::TurnEquivariance const& nearest_turn(nn::EquivarianceReport const& r, double degrees, bool mirror) {
  return *std::min_element(r.turns.begin(), r.turns.end(), [&](auto const& a, auto const& b) {
    auto distance = [&](auto const& t) { return std::abs(t.turn.degrees - degrees) + (t.turn.mirror != mirror) * 1e3; };
    return distance(a) < distance(b);
  });
}

constexpr char const* two_columns =
    "<div style=\"display:grid;gap:18px;grid-template-columns:repeat(auto-fit,minmax(min(480px,100%),1fr))\">\n";

std::string feature_maps(EquivarianceSubject const& subject, nn::EquivarianceReport const& r) {
  Shown shown(*subject.net, r);
  if (!shown.spatial(r)) return "";
  Tensor x = subject.image({}), straight = shown.features(x);
  int64_t field = liveliest_field(straight);
  Group group = r.group;
  bool features = straight.rank() == 5;
  std::vector<Tensor> maps;
  for (int g = 0; g < (features ? group.order() : 1); ++g) maps.push_back(Shown::map(straight, field, g));
  double full = bright(maps);
  std::string strips;
  if (features) {
    Turn step = d16::turn_of(group, 1 % group.n);
    strips =
        html::paragraph(text("Field ", field, " of ", shown.name(), " has ", group.order(),
                             " maps, one for each element of the group. Those of the picture as it is:")) +
        element_strip(straight, field, group, full) +
        html::paragraph("And those of the picture turned by " + degrees_text(step.degrees) +
                        ", the element r: each map has turned, and moved one place to the right, the last one to the "
                        "front. That is how the group acts on features:") +
        element_strip(shown.features(subject.image(step)), field, group, full);
  }
  std::string cards = two_columns;
  auto show = [&](double degrees, bool mirror) {
    cards += html::gallery({turn_card(subject, shown, nearest_turn(r, degrees, mirror), straight, field, full)});
  };
  show(90, false);
  if (group.mirrored()) show(0, true);
  show(45, false);
  show(22.5, false);
  cards += "</div>\n";
  return html::section("Feature maps of a picture that turns",
                       text("x is ", subject.picture, "; f is the network up to ", shown.name(), "."),
                       strips +
                           html::paragraph(text("The features of the turned picture against the turned features",
                                                features ? " (element e of the same field)" : "",
                                                ", on the same scale, with the relative error of the layer:")) +
                           cards);
}

// --- tables and plots -------------------------------------------------------------------------------------------------

std::string tiles(nn::EquivarianceReport const& r) {
  int64_t broken = 0;
  for (auto const& layer : r.layers) broken += layer.broken();
  return html::tiles({{r.keeps_grid() ? "kept" : "broken", "symmetries of the grid",
                       broken ? text("by ", broken, broken == 1 ? " layer" : " layers") : "by all layers, to rounding"},
                      {error_text(r.network.grid), "error, quarter turns", r.group.mirrored() ? "and mirrors" : ""},
                      {error_text(r.network.elements), "error, other elements", "of " + r.group.text()},
                      {error_text(r.network.between), "error, angles between", "of the whole network"}});
}

std::string notices(nn::EquivarianceReport const& r) {
  std::string out;
  if (!r.by_construction)
    out += html::notice(
        "This network is not equivariant by construction: it has no group layers. What is measured is how far it is "
        "from it, under the elements of " +
            r.group.text() + ".",
        html::Tone::plain);
  for (std::string const& warning : r.warnings())
    out += html::notice(warning, r.by_construction ? html::Tone::warning : html::Tone::plain);
  return out;
}

/// The errors of a layer, or of the network, against the angle, without mirrors. What is 0 is drawn at the lower edge.
html::Series series(nn::EquivarianceReport const& r, std::optional<size_t> layer, std::string name) {
  std::vector<std::pair<double, double>> points;
  for (auto const& t : r.turns)
    if (!t.turn.mirror) points.emplace_back(t.turn.degrees, std::max(layer ? t.errors[*layer] : t.network, 1e-8));
  points.emplace_back(360, points[0].second);
  std::sort(points.begin(), points.end());
  html::Series out{.name = std::move(name)};
  for (auto [degrees, error] : points) out.x.push_back(degrees), out.y.push_back(error);
  return out;
}

std::string plot(EquivarianceSubject const& subject, nn::EquivarianceReport const& r) {
  std::vector<html::Series> lines;
  Shown shown(*subject.net, r);
  size_t last = r.layers.size() - 1, first = 0;
  while (first < last && r.layers[first].what.find("conv") == std::string::npos) ++first;
  if (first < last) lines.push_back(series(r, first, r.layers[first].name));
  if (shown.index() != first && shown.index() < last) lines.push_back(series(r, shown.index(), shown.name()));
  lines.push_back(series(r, {}, "whole network"));
  double cost = r.layers[shown.index()].resampling;
  if (!std::isnan(cost))
    lines.push_back({.name = "resampling " + shown.name() + " there and back", .x = {0, 360}, .y = {cost, cost}});
  return html::section("Error against the angle",
                       "max |f(g x) − g f(x)| / max |f(x)|, logarithmic. Zero is drawn at the lower edge.",
                       html::plot(lines, {.x = {"angle in degrees, counter-clockwise", 0, 360},
                                          .y = {"relative error", 1e-8, nan, true},
                                          .width = 1000,
                                          .height = 380}));
}

std::string layer_table(nn::EquivarianceReport const& r) {
  std::vector<std::string> name, what, output, alone, grid, elements, between, resampling, kept;
  std::vector<nn::LayerEquivariance> rows = r.layers;
  rows.push_back(r.network);
  for (auto const& layer : rows) {
    name.push_back(layer.name), what.push_back(&layer == &rows.back() ? "as it runs" : layer.what);
    std::string sizes;
    for (int64_t size : layer.output) sizes += (sizes.empty() ? "" : "×") + std::to_string(size);
    output.push_back(sizes);
    alone.push_back(error_text(layer.alone)), grid.push_back(error_text(layer.grid));
    elements.push_back(error_text(layer.elements)), between.push_back(error_text(layer.between));
    resampling.push_back(error_text(layer.resampling)), kept.push_back(layer.broken() ? "broken" : "kept");
  }
  io::Table t;
  t.column("layer", name).column("what it is", what).column("gives", output);
  t.column("grid", alone, {"alone", "quarter turns and mirrors, this layer by itself"});
  t.column("grid ", grid, {"up to here", "quarter turns and mirrors, the network up to this layer"});
  t.column("elements", elements, {"up to here", "the other elements of the group, interpolated"});
  t.column("between", between, {"up to here", "angles in between, interpolated"});
  t.column("resampled", resampling,
           {"there and back", "the features turned by 22.5° and back: twice an interpolation"});
  t.column("the grid is", kept);
  return html::section("Layer by layer", "Relative errors, the worst of all turns of a kind.", html::table(t));
}

std::string element_table(nn::EquivarianceReport const& r) {
  std::vector<std::string> names;
  for (auto const& layer : r.layers) names.push_back(layer.name);
  names.push_back("network");
  io::Table t;
  t.column("layer", names);
  for (auto const& turn : r.turns) {
    if (turn.element < 0) continue;
    std::vector<std::string> errors;
    for (double error : turn.errors) errors.push_back(error_text(error));
    errors.push_back(error_text(turn.network));
    t.column(element_name(r.group, turn.element), errors,
             {degrees_text(turn.turn.degrees), turn_name(turn.turn) + (turn.exact ? ", exact" : ", interpolated")});
  }
  return html::section("Element by element", "Relative errors of the network up to each layer.",
                       html::table(t, {.max_rows = 500}));
}

std::string meaning(EquivarianceSubject const& subject, nn::EquivarianceReport const& r) {
  std::string group = r.group.text();
  return html::section(
      "What these numbers mean", "",
      html::paragraph("f is equivariant when f(g x) = g f(x): turn the picture, and the features turn with it. On "
                      "features g turns the pixels and moves each map to the place of its new orientation; on scores "
                      "it does nothing, there the error is that of invariance.") +
          html::paragraph(
              "Quarter turns and mirrors map the pixel grid to itself. There nothing is interpolated, and a "
              "layer that is equivariant shows rounding only, about 1e−7. It stays so when every stride and "
              "pool takes pixels that lie symmetrically: see docs/equivariance.md for the sizes.") +
          html::paragraph("For all other angles no network on pixels is exact. The filters are sampled on the grid, "
                          "the axis of orientations has " +
                          std::to_string(r.group.n) +
                          " places on the circle, ReLU makes waves finer than both, and what comes from beyond the "
                          "border turns with nothing. f(x) itself must be interpolated to be turned: cubic between "
                          "pixels, trigonometric between orientations. The column “resampled” says what that costs, "
                          "twice, for features that are turned there and back. An error of that size is as good as "
                          "sampling allows. Compared is within 0.8 of the half side.") +
          html::paragraph(
              subject.picture.find("test picture") == std::string::npos
                  ? "The picture was given as pixels: its corners fade into the sky, and it is interpolated "
                    "itself for all other angles, which adds to their errors."
                  : "The test picture is a sum of Gaussians, drawn anew for each angle: it is turned without "
                    "interpolation."));
}

}  // namespace

std::string element_name(Group group, int element) {
  int k = group.rotation(element);
  std::string turn = k == 0 ? "" : k == 1 ? "r" : "r" + std::to_string(k), mirror = group.flip(element) ? "m" : "";
  return turn.empty() && mirror.empty() ? "e" : turn + mirror;
}

std::string turn_name(Turn turn) {
  if (turn.degrees == 0) return turn.mirror ? "mirror" : "as it is";
  return turn.mirror ? "mirror, then " + degrees_text(turn.degrees) : degrees_text(turn.degrees);
}

std::string equivariance_html(EquivarianceSubject const& subject, nn::EquivarianceReport const& r) {
  std::string body = style + tiles(r) + notices(r) + filters(*subject.net) + feature_maps(subject, r) +
                     plot(subject, r) + layer_table(r) + element_table(r) + meaning(subject, r);
  std::string footer = text(command_line(), " · d16 ", d16::stamp::version, " (", d16::stamp::commit, ") · ",
                            html::number(subject.seconds, 1), " s, peak memory ", int64_t(peak_memory()), " MiB");
  return html::page("Does it turn with the galaxy? " + base_name(subject.weights),
                    subject.network + ", measured on " + subject.picture + ".", body, footer);
}

}  // namespace tool
