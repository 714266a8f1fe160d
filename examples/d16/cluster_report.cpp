// The report of d16 cluster: maps, features, clusters and what they know of redshifts and labels.
#include <algorithm>
#include <cmath>
#include <map>

#include <d16/io/html.hpp>
#include <d16/io/plot.hpp>
#include <d16/learn/intervals.hpp>
#include <d16/vision/statistics.hpp>

#include "cluster.hpp"

namespace tool {

using d16::Tensor;
using d16::text;
namespace io = d16::io;
namespace html = d16::io::html;
namespace learn = d16::learn;

namespace {

std::string percent(double share) { return html::number(100 * share, 1) + " %"; }

std::string tiles_of(ClusterResults const& r) {
  std::vector<html::Tile> tiles{
      {html::count(int64_t(r.features.rows.size())), "rows", text(r.features.names.size(), " features")},
      {html::count(r.count), "clusters", percent(r.noise) + " of the rows are noise"},
      {html::number(r.silhouette_map, 2), "silhouette on the map",
       text(html::number(r.silhouette_features, 2), " on the features; noise left out")},
      {duration(r.tsne_seconds), "t-SNE",
       text("KL ", html::number(r.divergence, 3), ", perplexity ", r.options.perplexity)}};
  if (r.forest_confusion.defined())
    tiles.push_back({html::number(learn::balanced_accuracy(r.forest_confusion), 3), "redshift bins by a forest",
                     "balanced accuracy, rows it did not see"});
  if (r.labelled)
    tiles.push_back({html::number(r.auc.value, 3), "AUC of " + r.options.positive,
                     text("± ", html::number(r.auc.error, 3), ", five folds")});
  return html::tiles(tiles);
}

std::string maps(std::vector<ClusterPicture> const& pictures) {
  std::vector<std::string> figures;
  for (ClusterPicture const& p : pictures)
    figures.push_back(html::figure(p.legend + html::image(p.png, p.caption), p.caption));
  return html::section("Map", "Axes of a t-SNE map have no unit, and distances between clusters mean little.",
                       html::grid(figures));
}

std::string features(ClusterResults const& r) {
  ClusterFeatures const& f = r.features;
  io::Table t;
  t.column("feature", f.names)
      .column("median", f.median)
      .column("spread", f.spread, {"", "1.4826 MAD, or else the standard deviation: the unit"});
  t.column("median error", f.error, {"", "what the errors of the fluxes make of it"});
  t.column("missing", f.missing).column("limits", f.limits, {"", "S/N below 2 in a band"});
  t.column("beyond 5", f.clipped, {"", "drawn in to 5 spreads"});
  if (r.importance.size() == f.names.size())
    t.column("importance", r.importance, {"", "for the clusters, in a forest"});
  std::string lead =
      "Each feature less its median, over its spread, at most 5 from 0. Magnitudes are asinh magnitudes (Lupton et al. "
      "1999) softened at the median error: a limit is a number, the magnitude of what is not seen. A missing value is "
      "the median. Where the error is as large as the spread, a feature is noise.";
  return html::section("Features", lead, html::table(t));
}

std::string cluster_table(ClusterResults const& r) {
  std::vector<int64_t> size(size_t(r.count), 0), bimodal = size;
  std::vector<std::vector<double>> z(static_cast<size_t>(r.count));
  for (size_t k = 0; k < r.cluster.size(); ++k) {
    if (r.cluster[k] < 0) continue;
    auto c = size_t(r.cluster[k]);
    size_t i = r.features.rows[k];
    ++size[c], bimodal[c] += r.catalogue.bimodal[i];
    if (std::isfinite(r.catalogue.z[i])) z[c].push_back(r.catalogue.z[i]);
  }
  std::vector<int64_t> number;
  std::vector<double> low, middle, high;
  for (size_t c = 0; c < size.size(); ++c) {
    number.push_back(int64_t(c));
    bool any = !z[c].empty();
    low.push_back(any ? d16::vision::quantile(z[c], 0.16) : std::nan(""));
    middle.push_back(any ? d16::vision::quantile(z[c], 0.5) : std::nan(""));
    high.push_back(any ? d16::vision::quantile(z[c], 0.84) : std::nan(""));
  }
  io::Table t;
  t.column("cluster", number).column("rows", size).column("bimodal", bimodal);
  if (!r.catalogue.z_column.empty()) t.column("z 16 %", low).column("z median", middle).column("z 84 %", high);
  return html::table(t, {.max_rows = 60, .rest_is_in = "catalog.fits"});
}

std::string confusion(std::vector<std::string> const& names, Tensor const& counts) {
  std::vector<int64_t> list(counts.data<int64_t>(), counts.data<int64_t>() + counts.numel());
  return html::confusion_matrix(names, list);
}

std::string clusters(ClusterResults const& r) {
  if (r.count == 0) return html::section("Clusters", "HDBSCAN found none; a smaller --min-cluster may.", "");
  std::string body = cluster_table(r);
  if (r.cluster_confusion.defined()) {
    body +=
        html::notice(text("A random forest gives back ", percent(r.cluster_accuracy),
                          " of the cluster labels. That is circular: the labels were made from the same columns, so "
                          "it says how sharp the clusters are, not that they mean anything."));
    std::vector<std::string> names;
    for (int64_t k = 0; k < r.count; ++k) names.push_back(std::to_string(k));
    if (r.count <= 12) body += confusion(names, r.cluster_confusion);
  }
  auto noisy = [&](bool bimodal) {
    int64_t n = 0, noise = 0;
    for (size_t k = 0; k < r.cluster.size(); ++k)
      if (r.catalogue.bimodal[r.features.rows[k]] == bimodal) ++n, noise += r.cluster[k] < 0;
    return learn::fraction(noise, n);
  };
  learn::Fraction b = noisy(true), o = noisy(false);
  if (b.n > 0)
    body += html::paragraph(text("Of the ", b.n, " rows with a bimodal redshift ", percent(b.value), " (",
                                 percent(b.interval.low), " to ", percent(b.interval.high),
                                 ") are noise, of the others ", percent(o.value), "."));
  return html::section("Clusters", "Columns of redshift: 16, 50 and 84 % of the rows of a cluster lie below.", body);
}

std::string redshifts(ClusterResults const& r) {
  if (!r.forest_confusion.defined()) return "";
  std::vector<std::string> names = bin_names(r.options.z_edges);
  std::string body = "<h3>Forest on the features, rows that it did not see</h3>" + confusion(names, r.forest_confusion);
  if (r.majority_confusion.defined()) {
    body += "<h3>The most frequent bin of the row's cluster</h3>" + confusion(names, r.majority_confusion);
    io::Table t;
    t.column("redshift", names).column("best cluster", r.best_cluster);
    t.column("completeness", r.best_share, {"", "share of the bin that is in it"});
    t.column("purity", r.best_purity, {"", "share of it that is in the bin"});
    body += html::table(t);
  }
  return html::section("Clusters and forest against redshift",
                       text("Truth: ", r.catalogue.z_column, r.catalogue.rows.simulated ? " (simulated)." : "."), body);
}

/// Fraction of a label in bins of redshift with Wilson intervals.
std::string label_against_redshift(ClusterResults const& r) {
  std::vector<std::pair<double, bool>> rows;
  for (size_t i = 0; i < r.catalogue.rows.size(); ++i) {
    std::string const& word = r.catalogue.label[i];
    bool counted = r.options.negatives.empty()
                       ? !word.empty()
                       : word == r.options.positive ||
                             std::count(r.options.negatives.begin(), r.options.negatives.end(), word) > 0;
    if (counted && std::isfinite(r.catalogue.z[i])) rows.emplace_back(r.catalogue.z[i], word == r.options.positive);
  }
  if (rows.size() < 20) return "";
  html::Series interval{.name = "95 % interval (Wilson)", .mark = html::Series::Mark::line},
      fraction{.name = "fraction", .mark = html::Series::Mark::points};
  std::vector<std::string> names;
  std::vector<int64_t> n, yes;
  std::vector<double> low, high, value;
  struct Bin {
    int64_t all = 0, positive = 0;
    double sum = 0;
  };
  std::map<double, Bin> bins;
  for (auto const& [z, is] : rows) {
    Bin& bin = bins[std::floor(z)];
    ++bin.all, bin.positive += is, bin.sum += z;
  }
  for (auto const& [from, bin] : bins) {
    auto const [all, positive, sum] = bin;
    learn::Fraction f = learn::fraction(positive, all);
    names.push_back(text(from, " - ", from + 1)), n.push_back(all), yes.push_back(positive);
    value.push_back(f.value), low.push_back(f.interval.low), high.push_back(f.interval.high);
    double x = sum / double(all);
    fraction.x.push_back(x), fraction.y.push_back(f.value);
    interval.x.insert(interval.x.end(), 3, x);
    interval.y.insert(interval.y.end(), {f.interval.low, f.interval.high, std::nan("")});  // and lifts the pen
  }
  io::Table t;
  t.column("z", names).column("rows", n).column(r.options.positive, yes).column("fraction", value);
  t.column("95 % from", low).column("to", high);
  return "<h3>Fraction of " + html::escape(r.options.positive) + " against " + html::escape(r.catalogue.z_column) +
         "</h3>" +
         html::grid({html::plot({interval, fraction}, {.title = "Bins of 1, at their mean redshift",
                                                       .x = {r.catalogue.z_column},
                                                       .y = {"fraction of " + r.options.positive, 0, 1}}),
                     html::table(t)});
}

std::string labels(ClusterResults const& r) {
  if (!r.labelled) return "";
  io::Table t;
  t.column("feature", r.features.names).column("importance", r.label_importance);
  std::string body = html::paragraph(text(r.label_rows, " rows with a label, ", r.label_positive, " of them ",
                                          r.options.positive, ". AUC ", html::number(r.auc.value, 3), " ± ",
                                          html::number(r.auc.error, 3), " (mean of five folds and its error)."));
  if (r.confident_rows)
    body += html::paragraph(text("On the ", r.confident_rows,
                                 " rows marked as confident: ", html::number(r.auc_confident.value, 3), " ± ",
                                 html::number(r.auc_confident.error, 3), "."));
  html::Sample yes{r.options.positive, {}}, no{"other", {}};
  for (size_t k = 0; k < r.features.rows.size(); ++k) {
    if (std::isnan(r.label_probability[k])) continue;
    bool is = r.catalogue.label[r.features.rows[k]] == r.options.positive;
    (is ? yes : no).values.push_back(r.label_probability[k]);
  }
  body += html::grid(
      {html::histogram(
           {yes, no}, {.title = "Forest's probability", .x = {"p(" + r.options.positive + ")", 0, 1}, .density = true}),
       html::table(t)});
  return html::section("Label: " + r.options.label, "Each row is judged by a forest that did not see it.",
                       body + label_against_redshift(r));
}

}  // namespace

std::string cluster_report(ClusterResults const& r, std::vector<ClusterPicture> const& pictures) {
  std::string body;
  if (r.catalogue.rows.simulated) body += html::notice("SIMULATED data: no telescope saw this");
  body += tiles_of(r);
  for (std::string const& note : r.catalogue.notes) body += html::paragraph(note);
  for (std::string const& note : r.features.notes) body += html::paragraph(note);
  body += maps(pictures) + clusters(r) + redshifts(r) + labels(r) + features(r);
  return html::page("Clusters of a catalogue", base_name(r.options.photometry.catalog), body, made_by());
}

}  // namespace tool
