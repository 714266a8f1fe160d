// Conformance runners of tables: trees, boosting, calibration, precision and recall. Plain functions of the host.
#pragma once
#include <d16/learn/boosted_trees.hpp>
#include <d16/learn/calibration.hpp>
#include <d16/learn/curves.hpp>
#include <d16/learn/decision_tree.hpp>

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
  return table;
}

}  // namespace d16::conform
