// d16 cluster: maps, clusters and forests of a catalogue; writes its folder.
#include "cluster.hpp"

#include <algorithm>
#include <cmath>

#include <d16/io/atomic_file.hpp>
#include <d16/io/fits.hpp>
#include <d16/learn/hdbscan.hpp>
#include <d16/learn/metrics.hpp>
#include <d16/learn/silhouette.hpp>
#include <d16/learn/tsne.hpp>

namespace tool {

using d16::FileError;
using d16::require;
using d16::Tensor;
using d16::text;
namespace io = d16::io;
namespace learn = d16::learn;

namespace {

constexpr int64_t most_scored = 5000;  // rows whose silhouette is computed: the mean is known to 0.01 then

Tensor integers(std::vector<int64_t> const& values) { return d16::from(values, {int64_t(values.size())}); }

/// Rows of a matrix.
Tensor take_rows(Tensor const& x, std::vector<size_t> const& rows) {
  int64_t F = x.dim(1);
  Tensor out = d16::empty({int64_t(rows.size()), F}, {.dtype = d16::DType::f32, .device = d16::Device()});
  for (size_t i = 0; i < rows.size(); ++i)
    std::copy_n(x.data<float>() + int64_t(rows[i]) * F, F, out.data<float>() + int64_t(i) * F);
  return out;
}

void make_map(ClusterResults& r) {
  Stopwatch watch;
  Progress progress("t-SNE", (250 + r.options.iterations) / 50);
  learn::TsneOptions t{.perplexity = r.options.perplexity, .iterations = r.options.iterations, .seed = r.options.seed};
  t.progress = [&](learn::TsneProgress const& p) {
    progress.step(text("KL ", decimals(p.divergence, 3)));
    return true;
  };
  learn::TsneMap map = learn::tsne(r.features.x.to(r.options.device), t);
  r.map = map.y.to("cpu"), r.divergence = map.divergence, r.tsne_seconds = watch.seconds();
}

void find_clusters(ClusterResults& r) {
  Stopwatch watch;
  auto rows = int64_t(r.features.rows.size());
  int64_t least = r.options.min_cluster > 0 ? r.options.min_cluster : std::max<int64_t>(10, rows / 100);
  learn::Clusters found = learn::hdbscan(r.map, {.min_cluster_size = least});
  int64_t const* labels = found.labels.data<int64_t>();
  double const* deep = found.probabilities.data<double>();
  r.cluster.assign(labels, labels + rows), r.probability.assign(deep, deep + rows);
  r.count = found.count, r.noise = found.noise_fraction, r.hdbscan_seconds = watch.seconds();
  r.silhouette_map = r.silhouette_features = nan;
  if (r.count < 2) return;
  learn::SilhouetteOptions some{.sample = rows > most_scored ? most_scored : 0, .seed = r.options.seed};
  r.silhouette_map = learn::silhouette(r.map, found.labels, some).value;
  r.silhouette_features = learn::silhouette(r.features.x, found.labels, some).value;
}

/// A forest's class of each row by the trees that did not see it; -1 where every tree did.
std::vector<int64_t> out_of_bag(Tensor const& x, std::vector<int64_t> const& labels, int64_t classes,
                                ClusterResults const& r, std::vector<double>* importance = nullptr) {
  learn::RandomForest forest = learn::fit_random_forest(
      {.x = x, .labels = integers(labels), .classes = classes, .names = r.features.names},
      {.trees = r.options.trees, .min_samples_leaf = 3, .out_of_bag = true, .seed = r.options.seed});
  if (importance) *importance = forest.importance;
  std::vector<int64_t> out;
  float const* p = forest.out_of_bag_probabilities.data<float>();
  for (size_t i = 0; i < labels.size(); ++i, p += classes)
    out.push_back(std::isnan(p[0]) ? -1 : std::max_element(p, p + classes) - p);
  return out;
}

/// The confusion of rows for which both are known.
Tensor confusion(std::vector<int64_t> const& truth, std::vector<int64_t> const& called, int64_t classes) {
  std::vector<int64_t> t, c;
  for (size_t i = 0; i < truth.size(); ++i)
    if (truth[i] >= 0 && called[i] >= 0) t.push_back(truth[i]), c.push_back(called[i]);
  if (t.empty()) return d16::zeros({classes, classes}, {.dtype = d16::DType::i64, .device = d16::Device()});
  return learn::confusion_matrix(integers(t), integers(c), classes);
}

/// Values of some rows, and back into a list of all rows.
template <class T> std::vector<T> gather(std::vector<T> const& all, std::vector<size_t> const& rows) {
  std::vector<T> out;
  for (size_t i : rows) out.push_back(all[i]);
  return out;
}
std::vector<int64_t> scatter(std::vector<int64_t> const& values, std::vector<size_t> const& rows, size_t size) {
  std::vector<int64_t> out(size, -1);
  for (size_t k = 0; k < rows.size(); ++k) out[rows[k]] = values[k];
  return out;
}
std::vector<size_t> where_known(std::vector<int64_t> const& labels) {
  std::vector<size_t> out;
  for (size_t i = 0; i < labels.size(); ++i)
    if (labels[i] >= 0) out.push_back(i);
  return out;
}

void learn_clusters(ClusterResults& r) {
  r.forest_cluster.assign(r.cluster.size(), -1);
  if (r.count < 2) return;
  std::vector<size_t> rows = where_known(r.cluster);
  std::vector<int64_t> called =
      out_of_bag(take_rows(r.features.x, rows), gather(r.cluster, rows), r.count, r, &r.importance);
  r.forest_cluster = scatter(called, rows, r.cluster.size());
  r.cluster_confusion = confusion(r.cluster, r.forest_cluster, r.count);
  r.cluster_accuracy = learn::accuracy(r.cluster_confusion);
}

/// The bin that most rows of a cluster are in; of a cluster without redshifts -1.
std::vector<int64_t> majorities(ClusterResults const& r, int64_t bins) {
  std::vector<std::vector<int64_t>> votes(size_t(r.count), std::vector<int64_t>(size_t(bins), 0));
  for (size_t i = 0; i < r.cluster.size(); ++i)
    if (r.cluster[i] >= 0 && r.z_bin[i] >= 0) ++votes[size_t(r.cluster[i])][size_t(r.z_bin[i])];
  std::vector<int64_t> out;
  for (auto const& v : votes) {
    auto best = std::max_element(v.begin(), v.end());
    out.push_back(*best > 0 ? best - v.begin() : -1);
  }
  return out;
}

void best_clusters(ClusterResults& r, int64_t bins) {
  for (int64_t bin = 0; bin < bins; ++bin) {
    std::vector<int64_t> inside(size_t(r.count), 0), all(size_t(r.count), 0);
    int64_t total = 0;
    for (size_t i = 0; i < r.cluster.size(); ++i) {
      total += r.z_bin[i] == bin;
      if (r.cluster[i] < 0 || r.z_bin[i] < 0) continue;
      inside[size_t(r.cluster[i])] += r.z_bin[i] == bin, ++all[size_t(r.cluster[i])];
    }
    auto best = std::max_element(inside.begin(), inside.end());
    bool any = best != inside.end() && *best > 0;
    size_t at = any ? size_t(best - inside.begin()) : 0;
    r.best_cluster.push_back(any ? int64_t(at) : -1);
    r.best_share.push_back(any ? double(*best) / double(total) : 0);
    r.best_purity.push_back(any ? double(*best) / double(all[at]) : nan);
  }
}

void learn_redshifts(ClusterResults& r) {
  auto bins = int64_t(r.options.z_edges.size()) + 1;
  for (size_t i : r.features.rows) r.z_bin.push_back(bin_of(r.catalogue.z[i], r.options.z_edges));
  std::vector<size_t> rows = where_known(r.z_bin);
  std::vector<int64_t> truth = gather(r.z_bin, rows);
  bool two = std::any_of(truth.begin(), truth.end(), [&](int64_t b) { return b != truth[0]; });
  r.forest_bin.assign(r.z_bin.size(), -1), r.cluster_bin.assign(r.z_bin.size(), -1);
  if (!two) return;
  r.forest_bin = scatter(out_of_bag(take_rows(r.features.x, rows), truth, bins, r), rows, r.z_bin.size());
  r.forest_confusion = confusion(r.z_bin, r.forest_bin, bins);
  if (r.count == 0) return;
  std::vector<int64_t> majority = majorities(r, bins);
  for (size_t i = 0; i < r.cluster.size(); ++i)
    if (r.cluster[i] >= 0) r.cluster_bin[i] = majority[size_t(r.cluster[i])];
  if (where_known(r.cluster_bin).empty()) return;  // no cluster has a row with a redshift
  r.majority_confusion = confusion(r.z_bin, r.cluster_bin, bins);
  best_clusters(r, bins);
}

/// 1 positive, 0 negative, -1 neither, for the rows of the features.
std::vector<int64_t> label_of(ClusterResults const& r) {
  std::vector<int64_t> out;
  ClusterOptions const& o = r.options;
  for (size_t i : r.features.rows) {
    std::string const& word = r.catalogue.label[i];
    bool negative = o.negatives.empty() ? !word.empty() && word != o.positive
                                        : std::count(o.negatives.begin(), o.negatives.end(), word) > 0;
    out.push_back(word == o.positive ? 1 : negative ? 0 : -1);
  }
  return out;
}

constexpr int64_t folds = 5;

/// Mean of the folds and its error; NaN where a fold has one class only.
Score mean_of(std::vector<double> const& values) {
  double mean = 0, squares = 0, n = double(values.size());
  for (double v : values) mean += v / n;
  for (double v : values) squares += (v - mean) * (v - mean);
  return {mean, std::sqrt(squares / (n - 1) / n)};
}

double auc_of(std::vector<size_t> const& rows, std::vector<double> const& p, std::vector<int64_t> const& label) {
  std::vector<double> scores = gather(p, rows);
  std::vector<int64_t> labels = gather(label, rows);
  if (std::adjacent_find(labels.begin(), labels.end(), std::not_equal_to<>()) == labels.end()) return nan;
  return learn::roc_auc(d16::from(scores, {int64_t(scores.size())}), integers(labels));
}

/// Five forests, each judged on the fifth of the rows that it did not see.
void learn_label(ClusterResults& r) {
  r.label_probability.assign(r.features.rows.size(), nan);
  if (r.options.label.empty()) return;
  std::vector<int64_t> label = label_of(r);
  std::vector<size_t> rows = where_known(label);
  r.label_rows = int64_t(rows.size());
  r.label_positive = std::count(label.begin(), label.end(), 1);
  require<FileError>(r.label_positive >= folds && r.label_rows - r.label_positive >= folds,
                     r.options.photometry.catalog, ": ", r.label_positive, " of ", r.label_rows,
                     " labelled rows are \"", r.options.positive, "\"; five of each kind are needed");
  r.labelled = true;
  std::vector<int64_t> fold(label.size(), -1), seen(2, 0);
  std::vector<size_t> mixed = rows;
  std::stable_sort(mixed.begin(), mixed.end(), [&](size_t a, size_t b) {  // an order that knows nothing of the rows
    return hash(text(r.options.seed, ':', a)) < hash(text(r.options.seed, ':', b));
  });
  for (size_t i : mixed) fold[i] = seen[size_t(label[i])]++ % folds;  // as many of each kind in each
  std::vector<double> all, sure;
  r.label_importance.assign(r.features.names.size(), 0.0);
  for (int64_t k = 0; k < folds; ++k) {
    std::vector<size_t> train, test, confident;
    for (size_t i : rows) (fold[i] == k ? test : train).push_back(i);
    learn::RandomForest forest = learn::fit_random_forest(
        {.x = take_rows(r.features.x, train),
         .labels = integers(gather(label, train)),
         .classes = 2,
         .names = r.features.names},
        {.trees = 3 * r.options.trees, .min_samples_leaf = 3, .seed = r.options.seed + uint64_t(k)});
    Tensor p = forest.probabilities(take_rows(r.features.x, test));
    for (size_t j = 0; j < test.size(); ++j) r.label_probability[test[j]] = double(p.data<float>()[2 * j + 1]);
    for (size_t f = 0; f < forest.importance.size(); ++f) r.label_importance[f] += forest.importance[f] / folds;
    all.push_back(auc_of(test, r.label_probability, label));
    for (size_t i : test)
      if (!r.catalogue.confident.empty() && r.catalogue.confident[r.features.rows[i]]) confident.push_back(i);
    r.confident_rows += int64_t(confident.size());
    sure.push_back(confident.empty() ? nan : auc_of(confident, r.label_probability, label));
  }
  r.auc = mean_of(all), r.auc_confident = mean_of(sure);
}

io::Table results_table(ClusterResults const& r) {
  size_t all = r.catalogue.rows.size();
  std::vector<float> x(all, float(nan)), y = x, deep = x, label = x;
  std::vector<int32_t> cluster(all, -2), forest(all, -2), z(all, -1);
  for (size_t k = 0; k < r.features.rows.size(); ++k) {
    size_t i = r.features.rows[k];
    x[i] = r.map.data<float>()[2 * k], y[i] = r.map.data<float>()[2 * k + 1];
    cluster[i] = int32_t(r.cluster[k]), forest[i] = int32_t(r.forest_cluster[k]);
    deep[i] = float(r.probability[k]), z[i] = int32_t(r.forest_bin[k]);
    label[i] = float(r.label_probability[k]);
  }
  io::Table t;
  t.column("tsne_x", x, {"", "place in the t-SNE map; NaN: left out"})
      .column("tsne_y", y, {"", "place in the t-SNE map"});
  t.column("cluster", cluster, {"", "HDBSCAN on the map; -1 noise, -2 left out"});
  t.column("cluster_p", deep, {"", "how deep in its cluster: 1 in the middle, 0 noise"});
  t.column("cluster_forest", forest,
           {"", "cluster by a random forest that did not see the row; -1 noise, -2 left out"});
  if (!r.catalogue.z_column.empty())
    t.column("z_bin_forest", z, {"", "redshift bin by a random forest that did not see the row; -1 unknown"});
  if (r.labelled)
    t.column("p_label", label,
             {"", text("probability of \"", r.options.positive, "\" by a forest that did not see it")});
  return t;
}

std::vector<io::FitsCard> cards_of(ClusterResults const& r) {
  std::vector<io::FitsCard> cards{{"CLPERPL", r.options.perplexity, "perplexity of the t-SNE map"},
                                  {"CLKL", r.divergence, "its Kullback-Leibler divergence"},
                                  {"CLCOUNT", r.count, "clusters"},
                                  {"CLNOISE", r.noise, "fraction of rows in none"}};
  if (std::isfinite(r.silhouette_map)) cards.push_back({"CLSILH", r.silhouette_map, "silhouette on the map, no noise"});
  for (std::string const& note : r.catalogue.notes) cards.push_back({"HISTORY", note});
  for (std::string const& note : r.features.notes) cards.push_back({"HISTORY", note});
  cards.push_back({"HISTORY", made_by()});
  return cards;
}

Json numbers(Tensor const& matrix) {
  Json rows = Json::array({});
  if (!matrix.defined()) return rows;
  for (int64_t i = 0; i < matrix.dim(0); ++i) {
    Json row = Json::array({});
    for (int64_t j = 0; j < matrix.dim(1); ++j) row.push_back(matrix.data<int64_t>()[i * matrix.dim(1) + j]);
    rows.push_back(std::move(row));
  }
  return rows;
}

Json answer_of(ClusterResults const& r) {
  Json out = Json::object({{"out", r.options.out},
                           {"rows", int64_t(r.features.rows.size())},
                           {"features", r.features.names},
                           {"clusters", r.count},
                           {"noise_fraction", r.noise},
                           {"silhouette_map", known(r.silhouette_map)},
                           {"silhouette_features", known(r.silhouette_features)},
                           {"kl_divergence", r.divergence},
                           {"tsne_seconds", r.tsne_seconds},
                           {"hdbscan_seconds", r.hdbscan_seconds},
                           {"forest_seconds", r.forest_seconds},
                           {"simulated", r.catalogue.rows.simulated}});
  if (r.count > 1) out["forest_on_clusters"] = r.cluster_accuracy;
  if (r.forest_confusion.defined()) {
    out["redshift"] = r.catalogue.z_column;
    out["redshift_bins"] = bin_names(r.options.z_edges);
    out["forest_on_redshift"] = learn::balanced_accuracy(r.forest_confusion);
    out["forest_confusion"] = numbers(r.forest_confusion);
    if (r.majority_confusion.defined()) out["clusters_on_redshift"] = learn::balanced_accuracy(r.majority_confusion);
  }
  if (r.labelled) {
    out["auc"] = known(r.auc.value), out["auc_error"] = known(r.auc.error);
    out["label_rows"] = r.label_rows, out["label_positive"] = r.label_positive;
    if (r.confident_rows)
      out["auc_confident"] = known(r.auc_confident.value), out["auc_confident_error"] = known(r.auc_confident.error);
  }
  return out;
}

void say_results(ClusterResults const& r) {
  for (std::string const& note : r.catalogue.notes) say(note);
  for (std::string const& note : r.features.notes) say(note);
  say(text(r.options.out, ": ", r.features.rows.size(), " rows, ", r.features.names.size(), " features, ", r.count,
           " clusters, ", decimals(100 * r.noise, 1), " % noise, silhouette ", decimals(r.silhouette_map, 2),
           " on the map, ", decimals(r.silhouette_features, 2), " on the features (noise left out)"));
  say(text("t-SNE ", duration(r.tsne_seconds), ", HDBSCAN ", decimals(r.hdbscan_seconds, 1), " s, forests ",
           duration(r.forest_seconds)));
  if (r.count > 1)
    say(text("a forest gives back ", decimals(100 * r.cluster_accuracy, 1),
             " % of the cluster labels: circular, they were made from the same columns"));
  if (r.forest_confusion.defined())
    say(text("against ", r.catalogue.z_column, ", balanced accuracy over ", r.options.z_edges.size() + 1,
             " bins: forest on the features ", decimals(learn::balanced_accuracy(r.forest_confusion), 3),
             r.majority_confusion.defined()
                 ? text(", majority of the cluster ", decimals(learn::balanced_accuracy(r.majority_confusion), 3))
                 : std::string()));
  if (r.labelled)
    say(text(r.options.label, " = ", r.options.positive, ": AUC ", decimals(r.auc.value, 3), " +- ",
             decimals(r.auc.error, 3), " in five folds of ", r.label_rows, " rows",
             r.confident_rows
                 ? text("; ", decimals(r.auc_confident.value, 3), " +- ", decimals(r.auc_confident.error, 3),
                        " on the ", r.confident_rows, " confident ones")
                 : std::string()));
}

}  // namespace

int64_t bin_of(double z, std::vector<double> const& edges) {
  if (!std::isfinite(z)) return -1;
  return std::upper_bound(edges.begin(), edges.end(), z) - edges.begin();
}

std::vector<std::string> bin_names(std::vector<double> const& edges) {
  std::vector<std::string> out{text("z < ", edges.front())};
  for (size_t i = 1; i < edges.size(); ++i) out.push_back(text(edges[i - 1], " - ", edges[i]));
  out.push_back(text("z >= ", edges.back()));
  return out;
}

Json cluster(ClusterOptions const& o) {
  require<d16::ValueError>(std::is_sorted(o.z_edges.begin(), o.z_edges.end()) && !o.z_edges.empty(),
                           "--z-edges: rising numbers are needed");
  require<d16::ValueError>(o.columns.empty() || o.min_snr <= 0,
                           "--min-snr: that is of the photometry, and --columns takes none");
  ClusterCatalogue catalogue = read_cluster_catalogue(o);
  ClusterFeatures features = cluster_features(catalogue, o);
  OutputFolder out(o.out);
  ClusterResults r{o, catalogue, features};
  make_map(r);
  check_interrupted();
  find_clusters(r);
  check_interrupted();
  Stopwatch watch;
  learn_clusters(r);
  learn_redshifts(r);
  learn_label(r);
  r.forest_seconds = watch.seconds();

  io::Table results = rename_taken(results_table(r), catalogue.rows.names);
  out.write("catalog.fits",
            [&](std::string const& path) { write_highz_fits(path, catalogue.rows, results, cards_of(r)); });
  std::vector<ClusterPicture> pictures = cluster_pictures(r);
  for (ClusterPicture const& picture : pictures)
    out.write(picture.name, [&](std::string const& path) { io::write_file(path, picture.png); });
  out.write("report.html", [&](std::string const& path) { io::write_file(path, cluster_report(r, pictures)); });
  out.commit();
  say_results(r);
  return answer_of(r);
}

}  // namespace tool
