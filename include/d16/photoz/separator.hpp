// Stars, brown dwarfs and galaxies told apart by their colours: boosted trees, calibrated, in one JSON file.
#pragma once
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "../io/atomic_file.hpp"
#include "../io/json.hpp"
#include "../io/read_file.hpp"
#include "../learn/boosted_trees.hpp"
#include "../learn/calibration.hpp"
#include "colours.hpp"
#include "redshift.hpp"

namespace d16::photoz {

/// Rows of fluxes in known bands with their class.
struct SeparatorData {
  FluxTable fluxes = {};
  std::vector<int64_t> label = {};
};

struct SeparatorOptions {
  double least_snr = 1;  ///< a band that is fainter has no colour: a missing value, which trees have a branch for
  int64_t rounds = 400, depth = 1, patience = 30;
  double eta = 0.3;
  uint64_t seed = 16;
};

/// All pairwise colours, trees of depth 1 as a rule, a sigmoid for each class.
/// Source   the recipe of SESHAT, arXiv:2510.07747: stumps on all pairs, missing values, noise of the real catalogue,
///          sigmoid calibration, training for the filters at hand.
struct Separator {
  std::vector<std::string> bands = {}, classes = {};
  double least_snr = 1;
  learn::BoostedTrees trees = {};
  std::vector<learn::SigmoidCalibration> calibration = {};  ///< of each class, of the logit of its probability
  io::Json trained_on = {};                                 ///< whatever the trainer wants to keep

  /// (rows, pairs), NaN where a colour is missing.
  Tensor colours(FluxTable const& table) const {
    auto rows = table.rows(), B = bands.size(), pairs = B * (B - 1) / 2;
    require<ShapeError>(table.flux.size() == B, "Separator: fluxes in ", table.flux.size(), " bands; ", B,
                        " are needed");
    Tensor out = empty({int64_t(rows), int64_t(pairs)}, {.dtype = DType::f32, .device = Device()});
    std::vector<double> flux(B), error(B);
    for (size_t i = 0; i < rows; ++i) {
      for (size_t b = 0; b < B; ++b) flux[b] = table.flux[b][i], error[b] = table.error[b][i];
      pairwise_colours(flux.data(), error.data(), B, least_snr, out.data<float>() + i * pairs);
    }
    return out;
  }
  /// (rows, classes) float64. NaN for a row without any colour. `prior`: frequencies of the classes, equal when empty.
  /// Errors   ShapeError; ValueError: a prior that is none.
  Tensor probabilities(FluxTable const& table, std::vector<double> const& prior = {}) const {
    Tensor x = colours(table), raw = trees.probabilities(x);
    auto K = int64_t(classes.size()), pairs = x.dim(1);
    auto frequency = [](double f) { return f >= 0 && std::isfinite(f); };
    bool const some = std::any_of(prior.begin(), prior.end(), [](double f) { return f > 0; });
    require<ValueError>(
        prior.empty() || (int64_t(prior.size()) == K && some && std::all_of(prior.begin(), prior.end(), frequency)),
        "Separator: ", prior.size(), " prior frequencies; ", K,
        " finite ones from 0 up, one for each class and not all 0, are needed");
    Tensor out = empty({x.dim(0), K}, {.dtype = DType::f64, .device = Device()});
    for (int64_t i = 0; i < x.dim(0); ++i) {
      float const* colour = x.data<float>() + i * pairs;
      bool any = std::any_of(colour, colour + pairs, [](float c) { return !std::isnan(c); });
      double sum = 0, *p = out.data<double>() + i * K;
      for (int64_t k = 0; k < K; ++k) {
        double const weight = prior.empty() ? 1 : prior[size_t(k)];
        sum += p[k] = weight * calibration[size_t(k)](logit(raw.data<float>()[i * K + k]));
      }
      for (int64_t k = 0; k < K; ++k) p[k] = any ? p[k] / sum : not_known;
    }
    return out;
  }

  static double logit(float p) {
    double q = std::clamp(double(p), 1e-6, 1 - 1e-6);
    return std::log(q / (1 - q));
  }
};

/// Trains on one set, stops and calibrates on another.
/// Errors   ShapeError, ValueError: a class without rows, other bands.
inline Separator train_separator(std::vector<std::string> bands, std::vector<std::string> classes,
                                 SeparatorData const& train, SeparatorData const& validation,
                                 SeparatorOptions const& o = {}) {
  Separator out{std::move(bands), std::move(classes), o.least_snr, {}, {}, {}};
  auto integers = [](std::vector<int64_t> const& v) { return from(v, {int64_t(v.size())}); };
  auto K = int64_t(out.classes.size());
  learn::Examples examples{
      .x = out.colours(train.fluxes), .labels = integers(train.label), .classes = K, .names = pair_names(out.bands)};
  examples.class_weights = learn::balanced_class_weights(examples.labels, K);
  learn::Examples held{.x = out.colours(validation.fluxes), .labels = integers(validation.label), .classes = K};
  held.class_weights = learn::balanced_class_weights(held.labels, K);
  learn::BoostOptions boost{
      .rounds = o.rounds, .eta = o.eta, .max_depth = o.depth, .patience = o.patience, .seed = o.seed};
  out.trees = learn::fit_boosted_trees(examples, boost, held);
  Tensor p = out.trees.probabilities(held.x);
  for (int64_t k = 0; k < K; ++k) {
    std::vector<double> scores, weights;
    std::vector<int64_t> is;
    for (int64_t i = 0; i < p.dim(0); ++i) {
      scores.push_back(Separator::logit(p.data<float>()[i * K + k]));
      is.push_back(validation.label[size_t(i)] == k);
      weights.push_back(held.class_weights[size_t(validation.label[size_t(i)])]);
    }
    out.calibration.push_back(learn::fit_sigmoid(from(scores, {p.dim(0)}), integers(is), from(weights, {p.dim(0)})));
  }
  return out;
}

/// {"format": "d16 separator", "version": 1, "bands", "classes", "least_snr", "calibration", "trained_on", "trees"}.
inline void save_separator(std::string const& path, Separator const& s) {
  io::Json calibration = io::Json::array({});
  for (learn::SigmoidCalibration const& c : s.calibration) calibration.push_back(c.to_json());
  io::write_file(path, io::Json::object({{"format", "d16 separator"},
                                         {"version", 1},
                                         {"bands", s.bands},
                                         {"classes", s.classes},
                                         {"least_snr", s.least_snr},
                                         {"calibration", std::move(calibration)},
                                         {"trained_on", s.trained_on},
                                         {"trees", learn::boosted_trees_to_json(s.trees)}})
                           .dump());
}

/// Errors   FileError: no file, no JSON; WeightsError: the JSON is no separator.
inline Separator load_separator(std::string const& path) {
  io::Json json = io::parse_json(io::read_file(path), path);
  try {
    bool right = json.is_object() && json.has("format") && json.at("format").is_string() &&
                 json.string("format") == "d16 separator";
    require<ValueError>(right, "this JSON does not hold a separator of d16; d16 train separator makes one");
    require<ValueError>(json.integer("version") == 1, "version ", json.integer("version"),
                        " of the format; this program reads version 1");
    Separator s;
    for (io::Json const& band : json.at("bands").array()) s.bands.push_back(band.string());
    for (io::Json const& name : json.at("classes").array()) s.classes.push_back(name.string());
    s.least_snr = json.number("least_snr");
    s.trees = learn::boosted_trees_from_json(json.at("trees"));
    for (io::Json const& c : json.at("calibration").array())
      s.calibration.push_back(learn::SigmoidCalibration::from_json(c));
    s.trained_on = json.at("trained_on");
    size_t pairs = s.bands.size() * (s.bands.size() - 1) / 2;
    require<ValueError>(s.bands.size() >= 2 && size_t(s.trees.features) == pairs &&
                            size_t(s.trees.classes) == s.classes.size() && s.calibration.size() == s.classes.size(),
                        s.bands.size(), " bands, ", s.classes.size(), " classes, ", s.trees.features, " colours, ",
                        s.calibration.size(), " calibrations; they do not belong together");
    return s;
  } catch (ValueError const& error) {
    throw WeightsError(text(path, ": ", error.what()));
  }
}

}  // namespace d16::photoz
