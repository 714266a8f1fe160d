// A trained seven-band classifier: bodies of highz_predict.hpp.
#include "highz_predict.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include <d16/io/checkpoint.hpp>
#include <d16/learn/boosted_trees.hpp>
#include <d16/learn/calibration.hpp>
#include <d16/nn/band_network.hpp>

#include "sha256.hpp"

namespace tool {

using d16::require;
using d16::Tensor;
using d16::text;
using d16::WeightsError;
namespace learn = d16::learn;
namespace nn = d16::nn;

struct HighzPredictor::Body {
  std::string path, sha;
  Json about;
  d16::Device device;
  std::optional<d16::LoadedNetwork> loaded = {};  // one of the two
  std::optional<learn::BoostedTrees> trees = {};
  double temperature = 1;
  std::vector<double> trained_prior = {1, 1, 1}, prior = {}, threshold_prior = {};
  HighzThresholds thresholds = {};
  std::vector<int64_t> confusion = {};  // of test objects by the weights' own thresholds; empty: not known, or not used

  nn::BandNetwork& network() { return *loaded->net.as<nn::BandNetwork>(); }
};

namespace {

/// Three numbers of the weights; `otherwise` when they have none.
std::vector<double> three_numbers(Json const& about, char const* key, std::vector<double> otherwise) {
  if (!about.is_object() || !about.has(key)) return otherwise;
  std::vector<double> out;
  for (Json const& value : about.at(key).array()) out.push_back(value.number());
  bool good = out.size() == 3 && *std::min_element(out.begin(), out.end()) > 0;
  require<d16::ValueError>(good, key, " has ", out.size(), " numbers; three that are positive are needed");
  return out;
}

HighzProbabilities normalised(std::vector<double> const& p) {
  double sum = p[0] + p[1] + p[2];
  return {p[0] / sum, p[1] / sum, p[2] / sum};
}

/// The thresholds of the weights, on probabilities at the frequencies that the weights name.
HighzThresholds thresholds_of(Json const& about) {
  HighzThresholds out;
  if (!about.is_object() || !about.has("thresholds")) return out;
  Json const& t = about.at("thresholds");
  out = {t.number("high_z"), t.number("brown_dwarf")};
  require<d16::ValueError>(out.high_z >= 0 && out.brown_dwarf >= 0, "thresholds are ", out.high_z, " and ",
                           out.brown_dwarf, "; numbers from 0 up are needed");
  return out;
}

/// How the test objects of each class (rows) were called; empty when the weights do not say or a class has none.
std::vector<int64_t> confusion_of(Json const& about) {
  std::vector<int64_t> out;
  if (!about.is_object() || !about.has("scores") || !about.at("scores").has("confusion_survey")) return out;
  for (Json const& count : about.at("scores").at("confusion_survey").array()) out.push_back(count.integer());
  bool good = out.size() == 9 && *std::min_element(out.begin(), out.end()) >= 0;
  require<d16::ValueError>(good, "confusion_survey has ", out.size(), " numbers; nine counts are needed");
  for (size_t k = 0; k < 3; ++k)
    if (out[3 * k] + out[3 * k + 1] + out[3 * k + 2] == 0) return {};
  return out;
}

void check_network(nn::BandNetwork const* network, std::string const& path, std::string const& type) {
  require<WeightsError>(network, path, ": holds ", type, "; a band_network made by d16 train highz is needed");
  nn::BandNetworkOptions const& o = network->options();
  require<WeightsError>(o.input.size <= highz_side && o.input.channels == highz_bands && o.input.classes == 3, path,
                        ": takes ", o.input.size, "x", o.input.size, " pixels in ", o.input.channels, " bands, gives ",
                        o.input.classes, " classes; up to ", highz_side, " pixels, ", highz_bands,
                        " bands and 3 classes are needed");
  require<WeightsError>(o.features == 0 || o.features == highz_hog_size(), path, ": takes ", o.features,
                        " features beside the image; 0 or the ", highz_hog_size(), " of HOG are needed");
}

void check_trees(learn::BoostedTrees const& trees, std::string const& path) {
  std::vector<std::string> names = highz_table_names();
  bool fits = trees.features == highz_flux_columns() || trees.features == int64_t(names.size());
  require<WeightsError>(fits && trees.classes == 3, path, ": trees on ", trees.features, " columns for ", trees.classes,
                        " classes; ", highz_flux_columns(), " or ", names.size(), " columns and 3 classes are needed");
  bool same = trees.names.empty() || std::equal(trees.names.begin(), trees.names.end(), names.begin());
  require<WeightsError>(same, path, ": its columns are not those of this program; train it again");
}

}  // namespace

HighzPredictor::HighzPredictor(std::string path, std::string const& device, std::vector<double> const& prior,
                               std::vector<double> const& thresholds)
    : body_(new Body{.path = path, .sha = sha256_of_file(path), .about = {}, .device = d16::Device(device)}) {
  Body& b = *body_;
  if (ends_with(lower(path), ".json")) {
    Json json = d16::io::parse_json(d16::io::read_file(path), path);
    try {
      b.trees = learn::boosted_trees_from_json(json);
    } catch (d16::ValueError const& error) {
      throw WeightsError(path + ": " + error.what());
    }
    if (json.has("about")) b.about = json.at("about");
    check_trees(*b.trees, path);
  } else {
    b.loaded = d16::load_network(path);
    b.about = b.loaded->about;
    check_network(b.loaded->net.as<nn::BandNetwork>(), path, b.loaded->network.string("type"));
    if (b.device != d16::Device()) b.network().to(b.device);
  }
  try {
    if (b.about.is_object() && b.about.has("temperature")) b.temperature = b.about.number("temperature");
    require<WeightsError>(b.temperature > 0, path, ": the temperature is ", b.temperature, "; it must be positive");
    b.trained_prior = three_numbers(b.about, "trained_priors", {1, 1, 1});
    std::vector<double> own = three_numbers(b.about, "priors", b.trained_prior);
    b.prior = prior.empty() ? own : prior;
    if (thresholds.empty()) {
      b.thresholds = thresholds_of(b.about), b.threshold_prior = own, b.confusion = confusion_of(b.about);
    } else b.thresholds = {thresholds[0], thresholds[1]}, b.threshold_prior = b.prior;
  } catch (d16::ValueError const& error) {
    throw WeightsError(path + ": " + error.what());
  }
}
HighzPredictor::~HighzPredictor() = default;

std::string const& HighzPredictor::path() const { return body_->path; }
std::string const& HighzPredictor::sha256() const { return body_->sha; }
Json const& HighzPredictor::about() const { return body_->about; }
bool HighzPredictor::trees() const { return body_->trees.has_value(); }

std::string HighzPredictor::summary() const {
  if (trees())
    return text("boosted trees, ", body_->trees->rounds(), " rounds on ", body_->trees->features, " columns");
  int64_t weights = 0;
  for (nn::Named const& p : body_->network().named_parameters()) weights += p.tensor.numel();
  return text("band_network, ", weights, " weights");
}

bool HighzPredictor::simulated() const {
  Json const& about = body_->about;
  return about.is_object() && about.has("simulated") && about.at("simulated").is_boolean() &&
         about.boolean("simulated");
}
double HighzPredictor::redshift() const {
  Json const& about = body_->about;
  bool known = about.is_object() && about.has("redshift_threshold") && about.at("redshift_threshold").is_number();
  return known ? about.number("redshift_threshold") : nan;
}
HighzProbabilities HighzPredictor::prior() const { return normalised(body_->prior); }
HighzThresholds HighzPredictor::thresholds() const { return body_->thresholds; }
HighzProbabilities HighzPredictor::threshold_prior() const { return normalised(body_->threshold_prior); }

std::string HighzPredictor::expectation() const {
  std::vector<int64_t> const& c = body_->confusion;
  if (c.empty()) return "";
  HighzProbabilities prior = this->prior();
  std::string out;
  for (size_t k : {1, 2}) {
    if (prior[k] <= 0) continue;
    double called = 0, right = 0;  // shares of all objects, and of the class
    for (size_t t = 0; t < 3; ++t) {
      double rate = double(c[3 * t + k]) / double(c[3 * t] + c[3 * t + 1] + c[3 * t + 2]);
      called += prior[t] * rate;
      if (t == k) right = rate;
    }
    out += text(out.empty() ? "" : ", ", highz_classes[k], " purity ", decimals(prior[k] * right / called, 3),
                " at completeness ", decimals(right, 3));
  }
  return out + ", by its test objects of S/N >= 10";
}

std::string highz_frequencies(HighzProbabilities const& p) {
  return text(decimals(p[0], 4), ":", decimals(p[1], 4), ":", decimals(p[2], 4));
}

std::string highz_rule_text(HighzPredictor const& classifier) {
  HighzThresholds t = classifier.thresholds();
  char words[128];
  std::snprintf(words, sizeof words, "brown_dwarf where p_bd >= %.4g, else high_z where p_highz >= %.4g, else low_z",
                t.brown_dwarf, t.high_z);
  return text(words, ", at class frequencies ", highz_frequencies(classifier.threshold_prior()));
}

namespace {

/// Scores (N,3) as probabilities for other class frequencies than those of the training. The temperature was fitted on
/// scores for equal frequencies.
std::vector<HighzProbabilities> probabilities(Tensor const& scores, double temperature, std::vector<double> const& from,
                                              std::vector<double> const& to) {
  Tensor z = scores.cast(d16::DType::f64).contiguous().clone();
  for (int64_t i = 0; i < z.numel(); ++i) z.data<double>()[i] -= std::log(from[size_t(i % 3)]);
  Tensor p = learn::reweight_priors(learn::TemperatureCalibration{temperature}(z), {1, 1, 1}, to);
  std::vector<HighzProbabilities> out(size_t(p.dim(0)));
  for (size_t i = 0; i < out.size(); ++i)
    for (size_t k = 0; k < 3; ++k) out[i][k] = p.data<double>()[3 * i + k];
  return out;
}

Tensor columns(Tensor const& table, int64_t count) { return table.slice(1, 0, count).contiguous(); }

/// The columns of prepare_highz()'s table from fluxes alone: those of sizes are missing.
Tensor flux_table(std::vector<BandNumbers> const& flux, std::vector<BandNumbers> const& error) {
  auto n = int64_t(flux.size()), width = int64_t(highz_table_names().size());
  Tensor table = d16::full({n, width}, nan, {.device = d16::Device()});
  for (size_t i = 0; i < flux.size(); ++i) {
    std::vector<double> const row = highz_flux_row(flux[i], error[i]);
    std::copy(row.begin(), row.end(), table.data<float>() + int64_t(i) * width);
  }
  return table;
}

}  // namespace

std::vector<HighzAnswer> HighzPredictor::answers(Tensor const& scores) const {
  Body const& b = *body_;
  auto said = probabilities(scores, b.temperature, b.trained_prior, b.prior);
  auto judged = probabilities(scores, b.temperature, b.trained_prior, b.threshold_prior);
  std::vector<HighzAnswer> out;
  for (size_t i = 0; i < said.size(); ++i) {
    int otherwise = b.prior[0] > 0 ? 0 : said[i][1] >= said[i][2] ? 1 : 2;
    bool dwarf = b.prior[2] > 0 && judged[i][2] >= b.thresholds.brown_dwarf,
         high_z = b.prior[1] > 0 && judged[i][1] >= b.thresholds.high_z;
    out.push_back({said[i], dwarf ? 2 : high_z ? 1 : otherwise});
  }
  return out;
}

std::vector<HighzAnswer> HighzPredictor::of_objects(HighzInputs const& in) {
  Body& b = *body_;
  d16::NoGrad off;
  Tensor scores;
  if (trees()) scores = b.trees->margins(columns(in.table, b.trees->features));
  else {
    nn::BandNetwork& network = b.network();
    nn::BandNetworkOptions const& o = network.options();
    nn::BandInputs x{.image = highz_middle(in.image, o.input.size).to(b.device)};
    if (o.features > 0) x.features = in.hog.to(b.device);
    if (o.mask) x.valid = in.valid.to(b.device);
    scores = network(x).to(d16::Device());
  }
  return answers(scores);
}

std::vector<HighzAnswer> HighzPredictor::of_fluxes(std::vector<BandNumbers> const& flux,
                                                   std::vector<BandNumbers> const& error) {
  Body& b = *body_;
  require<WeightsError>(trees(), b.path, ": is a network; fluxes without images need trees (.json)");
  return answers(b.trees->margins(columns(flux_table(flux, error), b.trees->features)));
}

}  // namespace tool
