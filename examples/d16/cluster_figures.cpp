// Pictures of a t-SNE map: by redshift, by cluster, by what a forest confuses, bimodal objects circled.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numbers>

#include <d16/io/html.hpp>
#include <d16/io/png.hpp>
#include <d16/sim/survey_sheet.hpp>

#include "cluster.hpp"

namespace tool {

using d16::Tensor;
using d16::text;
using d16::sim::detail::Canvas;
using d16::sim::detail::Ink;

namespace {

constexpr int64_t side = 900, margin = 20;
constexpr Ink grey{0.78f, 0.78f, 0.78f}, dark{0.1f, 0.1f, 0.12f}, right_ink{0.55f, 0.68f, 0.80f},
    wrong_ink{0.86f, 0.30f, 0.10f}, yes_ink{0.10f, 0.36f, 0.66f}, no_ink{0.85f, 0.52f, 0.18f};

/// Dark violet over green to yellow: even steps for the eye, also without colours.
Ink ramp(double t) {
  constexpr double stops[5][3] = {
      {0.27, 0.00, 0.33}, {0.23, 0.32, 0.55}, {0.13, 0.57, 0.55}, {0.37, 0.79, 0.38}, {0.99, 0.91, 0.14}};
  double at = std::clamp(t, 0.0, 1.0) * 4;
  int low = std::min(3, int(at));
  Ink out{};
  for (size_t c = 0; c < 3; ++c) out[c] = float(stops[low][c] + (at - low) * (stops[low + 1][c] - stops[low][c]));
  return out;
}
/// Colours that neighbours in number do not share: hues a golden section apart.
Ink hue(int64_t number) {
  double h = std::fmod(double(number) * 0.6180339887 + 0.58, 1.0);
  double light = number % 3 == 0 ? 0.85 : number % 3 == 1 ? 0.65 : 0.95;
  Ink out{};
  for (size_t c = 0; c < 3; ++c) {
    double wave = std::cos(2 * std::numbers::pi * (h - double(c) / 3));
    out[c] = float(std::clamp(light * (0.5 + 0.42 * wave), 0.0, 1.0));
  }
  return out;
}
std::string css(Ink ink) {
  char buffer[8];
  std::snprintf(buffer, sizeof buffer, "#%02x%02x%02x", int(255 * ink[0]), int(255 * ink[1]), int(255 * ink[2]));
  return buffer;
}
std::string legend_entry(Ink ink, std::string const& words) {
  return "<span><i style=\"background:" + css(ink) + "\"></i>" + words + "</span>";
}
std::string legend(std::string const& entries) { return "<div class=\"legend\">" + entries + "</div>"; }

/// The map on a square of paper.
class MapPicture {
 public:
  explicit MapPicture(ClusterResults const& r) : r_(r), canvas_(side, side, {1, 1, 1}) {
    float const* y = r.map.data<float>();
    for (int64_t i = 0; i < r.map.dim(0); ++i)
      for (size_t c = 0; c < 2; ++c) {
        low_[c] = std::min(low_[c], double(y[2 * i + int64_t(c)])),
        high_[c] = std::max(high_[c], double(y[2 * i + int64_t(c)]));
      }
    dot_ = r.map.dim(0) > 30000 ? 2 : r.map.dim(0) > 5000 ? 3 : 5;
  }
  void dot(size_t row, Ink ink, int64_t larger = 0) {
    auto [top, left] = place(row);
    int64_t const width = dot_ + larger;
    canvas_.fill(top - width / 2, left - width / 2, width, width, ink);
  }
  /// A ring with a light one about it, that it be seen in a crowd.
  void circle(size_t row, Ink ink) {
    for (double radius : {6.5, 5.0}) ring(row, radius, radius > 6 ? Ink{1, 1, 1} : ink);
  }
  /// Colours from left to right below the map, with numbers at both ends.
  void scale(std::string const& low, std::string const& high) {
    constexpr int64_t width = 240, height = 10, top = side - margin;
    int64_t const left = margin + 4 + 8 * int64_t(low.size());
    canvas_.write(top, margin, low, dark);
    for (int64_t x = 0; x < width; ++x) canvas_.fill(top, left + x, height, 1, ramp(double(x) / double(width)));
    canvas_.write(top, left + width + 6, high, dark);
  }
  /// The number of a cluster in the middle of its rows.
  void name_clusters() {
    for (int64_t k = 0; k < r_.count; ++k) {
      int64_t top = 0, left = 0, n = 0;
      for (size_t i = 0; i < r_.cluster.size(); ++i)
        if (r_.cluster[i] == k) {
          auto [y, x] = place(i);
          top += y, left += x, ++n;
        }
      if (n == 0) continue;
      std::string words = std::to_string(k);
      auto width = int64_t(words.size()) * 12;
      canvas_.fill(top / n - 9, left / n - width / 2 - 3, 21, width + 3, {1, 1, 1});
      canvas_.write(top / n - 6, left / n - width / 2, words, dark, 3);
    }
  }
  Tensor picture() const { return canvas_.picture(); }

 private:
  std::pair<int64_t, int64_t> place(size_t row) const {
    float const* y = r_.map.data<float>() + 2 * row;
    double width = std::max({high_[0] - low_[0], high_[1] - low_[1], 1e-9});
    auto at = [&](size_t c) {
      double middle = (low_[c] + high_[c]) / 2;
      return std::lround(side / 2.0 + (double(y[c]) - middle) / width * (side - 2 * margin));
    };
    return {side - 1 - at(1), at(0)};
  }
  void ring(size_t row, double radius, Ink ink) {
    auto [top, left] = place(row);
    for (int step = 0; step < 80; ++step) {
      double angle = step * 2 * std::numbers::pi / 80;
      for (double r : {radius, radius + 0.7})
        canvas_.dot(top + std::lround(r * std::sin(angle)), left + std::lround(r * std::cos(angle)), ink);
    }
  }
  ClusterResults const& r_;
  Canvas canvas_;
  double low_[2] = {1e300, 1e300}, high_[2] = {-1e300, -1e300};
  int64_t dot_ = 3;
};

/// log(1 + z) as a share of the range that is drawn.
struct RedshiftScale {
  double low = 0, high = 1;
  explicit RedshiftScale(ClusterResults const& r) {
    std::vector<double> z;
    for (size_t i : r.features.rows)
      if (std::isfinite(r.catalogue.z[i])) z.push_back(r.catalogue.z[i]);
    if (z.empty()) return;
    low = std::log1p(d16::vision::quantile(z, 0.01)),
    high = std::max(low + 1e-6, std::log1p(d16::vision::quantile(z, 0.99)));
  }
  double share(double z) const { return (std::log1p(z) - low) / (high - low); }
  double at(double share) const { return std::expm1(low + share * (high - low)); }
};

}  // namespace

Tensor map_by_redshift(ClusterResults const& r) {
  MapPicture picture(r);
  RedshiftScale scale(r);
  auto z_of = [&](size_t k) { return r.catalogue.z[r.features.rows[k]]; };
  size_t there = 0;
  for (size_t k = 0; k < r.features.rows.size(); ++k) there += std::isfinite(z_of(k));
  int64_t const larger = 10 * there < r.features.rows.size() ? 4 : 0;  // few would be lost among the others
  for (bool known : {false, true})
    for (size_t k = 0; k < r.features.rows.size(); ++k)
      if (std::isfinite(z_of(k)) == known)
        picture.dot(k, known ? ramp(scale.share(z_of(k))) : grey, known ? larger : 0);
  picture.scale("z=" + decimals(scale.at(0), 1), decimals(scale.at(1), 1));
  return picture.picture();
}

std::string redshift_legend(ClusterResults const& r) {
  RedshiftScale scale(r);
  std::string out;
  for (double share : {0.0, 0.25, 0.5, 0.75, 1.0})
    out += legend_entry(ramp(share), "z = " + decimals(scale.at(share), 1));
  return legend(out + legend_entry(grey, "no redshift"));
}

Tensor map_by_cluster(ClusterResults const& r) {
  MapPicture picture(r);
  for (bool inside : {false, true})
    for (size_t k = 0; k < r.cluster.size(); ++k)
      if ((r.cluster[k] >= 0) == inside) picture.dot(k, inside ? hue(r.cluster[k]) : grey);
  picture.name_clusters();
  return picture.picture();
}

namespace {

constexpr size_t most_circles = 300;  // more would hide the map

std::vector<size_t> bimodal_rows(ClusterResults const& r) {
  std::vector<size_t> out;
  for (size_t k = 0; k < r.features.rows.size(); ++k)
    if (r.catalogue.bimodal[r.features.rows[k]]) out.push_back(k);
  return out;
}

/// Rows in grey, in blue where two answers agree, in red where they do not; -1: no answer. Bimodal rows circled.
Tensor map_of_agreement(ClusterResults const& r, std::vector<int64_t> const& truth, std::vector<int64_t> const& said) {
  MapPicture picture(r);
  auto kind = [&](size_t k) { return truth[k] < 0 || said[k] < 0 ? 0 : truth[k] == said[k] ? 1 : 2; };
  for (int wanted : {0, 1, 2})
    for (size_t k = 0; k < truth.size(); ++k)
      if (kind(k) == wanted) picture.dot(k, wanted == 0 ? grey : wanted == 1 ? right_ink : wrong_ink);
  std::vector<size_t> bimodal = bimodal_rows(r);
  size_t drawn = std::min(bimodal.size(), most_circles);
  for (size_t k = 0; k < drawn; ++k) picture.circle(bimodal[k * bimodal.size() / drawn], dark);
  return picture.picture();
}

}  // namespace

Tensor map_by_confusion(ClusterResults const& r) { return map_of_agreement(r, r.cluster, r.forest_cluster); }
Tensor map_by_bins(ClusterResults const& r) { return map_of_agreement(r, r.z_bin, r.forest_bin); }

Tensor map_by_label(ClusterResults const& r) {
  MapPicture picture(r);
  for (bool known : {false, true})
    for (size_t k = 0; k < r.features.rows.size(); ++k) {
      if (std::isnan(r.label_probability[k]) == known) continue;
      bool const is = r.catalogue.label[r.features.rows[k]] == r.options.positive;
      picture.dot(k, !known ? grey : is ? yes_ink : no_ink);
    }
  return picture.picture();
}

std::vector<ClusterPicture> cluster_pictures(ClusterResults const& r) {
  auto png = [](Tensor const& picture) { return d16::io::encode_png(picture); };
  std::vector<ClusterPicture> out;
  if (!r.catalogue.z_column.empty())
    out.push_back({"tsne_redshift.png", png(map_by_redshift(r)), "t-SNE, coloured by " + r.catalogue.z_column,
                   redshift_legend(r)});
  std::string clusters = legend_entry(grey, "noise: in no cluster");
  out.push_back({"tsne_clusters.png", png(map_by_cluster(r)), "HDBSCAN clusters on the map, numbered in their middle",
                 legend(clusters)});
  size_t bimodal = bimodal_rows(r).size();
  std::string circles = text("circle: bimodal redshift, ", std::min(bimodal, most_circles), " of ", bimodal, " drawn");
  auto agreement = [&](std::string const& wrong, std::string const& none) {
    return legend(legend_entry(right_ink, "forest agrees") + legend_entry(wrong_ink, wrong) + legend_entry(grey, none) +
                  legend_entry(dark, circles));
  };
  out.push_back({"tsne_confusion.png", png(map_by_confusion(r)),
                 "Where a forest that did not see the row confuses clusters; bimodal objects circled",
                 agreement("forest says another cluster", "noise")});
  if (r.forest_confusion.defined())
    out.push_back({"tsne_bins.png", png(map_by_bins(r)),
                   "Where a forest that did not see the row confuses bins of " + r.catalogue.z_column +
                       "; bimodal objects circled",
                   agreement("forest says another bin", "no redshift")});
  if (r.labelled)
    out.push_back({"tsne_label.png", png(map_by_label(r)), "t-SNE, coloured by " + r.options.label,
                   legend(legend_entry(yes_ink, d16::io::html::escape(r.options.positive)) +
                          legend_entry(no_ink, "told from it") + legend_entry(grey, "neither"))});
  return out;
}

}  // namespace tool
