// Conformance runners of tables: trees, boosting, calibration, precision and recall, neighbours, clusters, t-SNE. All but
// the divergence of t-SNE are plain functions of the host.
#pragma once
#include <d16/learn/boosted_trees.hpp>
#include <d16/learn/calibration.hpp>
#include <d16/learn/curves.hpp>
#include <d16/learn/decision_tree.hpp>
#include <d16/learn/hdbscan.hpp>
#include <d16/learn/kmeans.hpp>
#include <d16/learn/silhouette.hpp>
#include <d16/learn/tsne.hpp>

#include "case.hpp"
#include "layout.hpp"

namespace d16::conform {

inline Tensor numbers(std::vector<double> const& values) { return from(values, {int64_t(values.size())}); }

inline learn::TreeOptions tree_options(io::Json const& attrs, learn::Criterion criterion) {
  return {.criterion = criterion,
          .max_depth = attrs.integer("max_depth"),
          .min_samples_leaf = attrs.integer("min_samples_leaf")};
}

inline Outcome run_decision_tree(Run& r) {
  std::string const& criterion = r.attrs().string("criterion");
  require<ValueError>(criterion == "gini" || criterion == "entropy", r.file(), ": criterion is ", criterion,
                      "; gini or entropy is needed");
  auto o = tree_options(r.attrs(), criterion == "gini" ? learn::Criterion::gini : learn::Criterion::entropy);
  learn::DecisionTree tree =
      learn::fit_decision_tree({.x = r.in("x"), .labels = r.in("labels"), .weights = r.optional("weights")}, o);
  return {{{"probabilities", tree.probabilities(r.in("query"))}, {"importance", numbers(tree.importance)}}};
}

inline Outcome run_regression_tree(Run& r) {
  learn::RegressionTree tree = learn::fit_regression_tree(r.in("x"), r.in("targets"), r.optional("weights"),
                                                          tree_options(r.attrs(), learn::Criterion::mse));
  return {{{"prediction", tree.predict(r.in("query"))}, {"importance", numbers(tree.importance)}}};
}

/// The loss after each round is that of the validation set, so there is one fit for each set.
inline Outcome run_boosted_trees(Run& r) {
  io::Json const& a = r.attrs();
  learn::BoostOptions o{.rounds = a.integer("rounds"),
                        .eta = a.number("eta"),
                        .max_depth = a.integer("max_depth"),
                        .lambda = a.number("lambda"),
                        .gamma = a.number("gamma"),
                        .min_child_weight = a.number("min_child_weight"),
                        .from_prior = false};
  learn::Examples train{.x = r.in("x"), .labels = r.in("labels"), .weights = r.optional("weights")};
  learn::BoostedTrees model = learn::fit_boosted_trees(train, o, train);
  Outcome outcome{{{"train_loss", numbers(model.validation_loss)}, {"probabilities", model.probabilities(train.x)}}};
  if (r.has("valid_x")) {
    learn::Examples valid{.x = r.in("valid_x"), .labels = r.in("valid_labels")};
    outcome.outputs["valid_loss"] = numbers(learn::fit_boosted_trees(train, o, valid).validation_loss);
  }
  return outcome;
}

inline Outcome run_sigmoid_calibration(Run& r) {
  return {
      {{"probabilities", learn::fit_sigmoid(r.in("scores"), r.in("labels"), r.optional("weights"))(r.in("query"))}}};
}
inline Outcome run_isotonic_calibration(Run& r) {
  return {
      {{"probabilities", learn::fit_isotonic(r.in("scores"), r.in("labels"), r.optional("weights"))(r.in("query"))}}};
}
inline Outcome run_temperature_calibration(Run& r) {
  return {{{"probabilities", learn::fit_temperature(r.in("logits"), r.in("labels"))(r.in("query"))}}};
}

inline Outcome run_average_precision(Run& r) {
  return {{{"value", numbers({learn::average_precision(r.in("scores"), r.in("labels"), r.optional("weights"))})}}};
}

/// Clusters have no order: each takes the number that its first row has in the file, if no other cluster took it.
inline Tensor renamed(Tensor const& labels, Tensor const& as) {
  require<ShapeError>(labels.shape() == as.shape(), "labels are ", labels.shape(), ", expected ", as.shape());
  std::map<int64_t, int64_t> name{{-1, -1}}, taken{{-1, -1}};
  Tensor out = labels.clone();
  for (int64_t i = 0; i < labels.numel(); ++i) {
    int64_t const ours = labels.data<int64_t>()[i], wanted = as.data<int64_t>()[i];
    if (!name.contains(ours)) {
      name[ours] = taken.contains(wanted) ? 1000 + ours : wanted;
      taken[name[ours]] = ours;
    }
    out.data<int64_t>()[i] = name[ours];
  }
  return out;
}

inline void require_euclidean(Run& r) {
  if (r.attrs().has("metric") && r.attrs().string("metric") != "euclidean")
    throw Skip{"the metric is " + r.attrs().string("metric")};
}

inline Outcome run_hdbscan(Run& r) {
  require_euclidean(r);
  std::string const& selection = r.attrs().string("cluster_selection_method");
  require<ValueError>(selection == "eom" || selection == "leaf", r.file(), ": cluster_selection_method is ", selection,
                      "; eom or leaf is needed");
  learn::Clusters c = learn::hdbscan(
      r.in("points"),
      {.min_cluster_size = r.attrs().integer("min_cluster_size"),
       .min_samples = r.attrs().integer("min_samples"),
       .selection = selection == "eom" ? learn::ClusterSelection::excess_of_mass : learn::ClusterSelection::leaf,
       .epsilon = r.attrs().has("cluster_selection_epsilon") ? r.attrs().number("cluster_selection_epsilon") : 0});
  return {{{"labels", renamed(c.labels, r.expected("labels"))}, {"probabilities", c.probabilities}}};
}
inline Outcome run_silhouette(Run& r) {
  require_euclidean(r);
  return {{{"value", numbers({learn::silhouette(r.in("points"), r.in("labels")).value})}}};
}
inline Outcome run_kmeans(Run& r) {
  learn::KMeans k = learn::kmeans(r.in("points"), {.centres = r.in("centres")});
  return {{{"labels", k.labels}, {"centres", k.centres}, {"inertia", numbers({k.inertia})}}};
}
inline Outcome run_nearest_neighbours(Run& r) {
  int64_t const k = r.attrs().integer("k");
  learn::Neighbours n = r.has("queries") ? learn::nearest_neighbours(r.in("points"), r.in("queries"), k)
                                         : learn::nearest_neighbours(r.in("points"), k);
  return {{{"index", n.index}, {"distance", n.distance}}};
}
inline Outcome run_tsne_divergence(Run& r) {
  learn::TsneDivergence d = learn::tsne_divergence(r.in("x"), r.in("y"), r.attrs().number("perplexity"));
  return {{{"value", numbers({d.value})}, {"gradient", d.gradient}}};
}

inline OpTable learn_ops() {
  OpTable table;
  auto add = [&](char const* name, Runner run) { table[name] = {run, false}; };
  add("decision_tree", run_decision_tree);
  add("regression_tree", run_regression_tree);
  add("boosted_trees", run_boosted_trees);
  add("sigmoid_calibration", run_sigmoid_calibration);
  add("isotonic_calibration", run_isotonic_calibration);
  add("temperature_calibration", run_temperature_calibration);
  add("average_precision", run_average_precision);
  add("hdbscan", run_hdbscan);
  add("silhouette", run_silhouette);
  add("kmeans", run_kmeans);
  add("nearest_neighbours", run_nearest_neighbours);
  table["tsne_divergence"] = {run_tsne_divergence};
  return table;
}

}  // namespace d16::conform
