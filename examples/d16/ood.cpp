// Out of distribution: bodies of ood.hpp.
#include "ood.hpp"

#include <algorithm>
#include <cmath>

#include <d16/io/atomic_file.hpp>
#include <d16/io/checkpoint.hpp>
#include <d16/io/read_file.hpp>
#include <d16/nn/classifiers.hpp>

#include "sha256.hpp"
#include "training.hpp"

namespace tool {

using d16::require;
using d16::Tensor;
using d16::text;
using d16::WeightsError;
namespace io = d16::io;
namespace nn = d16::nn;

namespace {

using Rows = std::vector<std::vector<double>>;

/// The features of a classifier before its last layer.
class Features {
 public:
  explicit Features(std::string const& path) : loaded_(d16::load_network(path)) {
    net_ = loaded_.net.as<nn::EquivariantClassifier>();
    require<WeightsError>(net_, path, ": holds ", loaded_.network.string("type"),
                          "; features are taken from an equivariant_classifier");
  }
  Rows operator()(std::vector<Tensor> const& lights) {
    Rows rows;
    d16::NoGrad off;
    constexpr size_t batch = 16;
    for (size_t begin = 0; begin < lights.size(); begin += batch) {
      std::vector<Tensor> inputs;
      for (size_t i = begin; i < std::min(begin + batch, lights.size()); ++i)
        inputs.push_back(classifier_input(lights[i], net_->options().input.channels));
      Tensor y = net_->pooled(stack(inputs)).contiguous();
      int64_t width = y.numel() / y.dim(0);
      for (int64_t i = 0; i < y.dim(0); ++i)
        rows.emplace_back(y.data<float>() + i * width, y.data<float>() + (i + 1) * width);
    }
    return rows;
  }

 private:
  d16::LoadedNetwork loaded_;
  nn::EquivariantClassifier* net_;
};

/// A Gaussian: its mean and the lower triangle L of its covariance, L L^T.
struct Gaussian {
  std::vector<double> mean, triangle;

  double distance(std::vector<double> const& x) const {
    size_t n = mean.size();
    std::vector<double> y(n);
    double square = 0;
    for (size_t i = 0; i < n; ++i) {
      double sum = x[i] - mean[i];
      for (size_t k = 0; k < i; ++k) sum -= triangle[i * n + k] * y[k];
      y[i] = sum / triangle[i * n + i];
      square += y[i] * y[i];
    }
    return std::sqrt(square);
  }
};

/// With a thousandth of the mean variance added to each, so that features that never change do no harm.
Gaussian fit_gaussian(Rows const& rows) {
  size_t n = rows[0].size();
  Gaussian g{std::vector<double>(n), std::vector<double>(n * n)};
  for (auto const& row : rows)
    for (size_t i = 0; i < n; ++i) g.mean[i] += row[i] / double(rows.size());
  std::vector<double> covariance(n * n);
  double trace = 0;
  for (size_t i = 0; i < n; ++i)
    for (size_t k = 0; k <= i; ++k) {
      for (auto const& row : rows)
        covariance[i * n + k] += (row[i] - g.mean[i]) * (row[k] - g.mean[k]) / double(rows.size() - 1);
      if (i == k) trace += covariance[i * n + i];
    }
  for (size_t i = 0; i < n; ++i) covariance[i * n + i] += 1e-3 * trace / double(n);
  for (size_t i = 0; i < n; ++i)
    for (size_t k = 0; k <= i; ++k) {
      double sum = covariance[i * n + k];
      for (size_t m = 0; m < k; ++m) sum -= g.triangle[i * n + m] * g.triangle[k * n + m];
      g.triangle[i * n + k] = i == k ? std::sqrt(sum) : sum / g.triangle[k * n + k];
    }
  return g;
}

std::vector<double> numbers(Json const& list) {
  std::vector<double> out;
  for (Json const& item : list.array()) out.push_back(item.number());
  return out;
}

std::vector<Tensor> lights_of(d16::data::Dataset const& set) {
  Tensor pictures = pictures_of(set);
  std::vector<Tensor> lights;
  for (int64_t i = 0; i < set.size(); ++i) lights.push_back(light_of(pictures.select(0, i)));
  return lights;
}

}  // namespace

struct OodScore::Body {
  std::string path;
  Features features;
  Gaussian gaussian;
  std::vector<double> validation;  // distances, rising
};

OodScore::OodScore(std::string path, std::string const& weights) {
  Json json = io::parse_json(io::read_file(path), path);
  try {
    require<d16::ValueError>(json.string("weights_sha256") == sha256_of_file(weights),
                             "it was made for other weights than ", weights, "; d16 train ood makes it anew");
    body_.reset(new Body{path,
                         Features(weights),
                         {numbers(json.at("mean")), numbers(json.at("triangle"))},
                         numbers(json.at("validation"))});
    size_t n = body_->gaussian.mean.size();
    require<d16::ValueError>(n > 0 && body_->gaussian.triangle.size() == n * n && !body_->validation.empty() &&
                                 std::is_sorted(body_->validation.begin(), body_->validation.end()),
                             "its lists do not fit together");
  } catch (d16::ValueError const& error) {
    throw WeightsError(path + ": " + error.what());
  }
}
OodScore::~OodScore() = default;
OodScore::OodScore(OodScore&&) noexcept = default;
std::string const& OodScore::path() const { return body_->path; }

std::vector<double> OodScore::operator()(std::vector<Tensor> const& lights) {
  std::vector<double> out;
  auto const& known = body_->validation;
  for (auto const& row : body_->features(lights)) {
    require<WeightsError>(row.size() == body_->gaussian.mean.size(), body_->path, ": for ", body_->gaussian.mean.size(),
                          " features; the weights have ", row.size());
    double distance = body_->gaussian.distance(row);
    double below = double(std::lower_bound(known.begin(), known.end(), distance) - known.begin());
    out.push_back(std::isfinite(distance) ? below / double(known.size()) : double(NAN));
  }
  return out;
}

Json train_ood(TrainOodOptions const& o) {
  require<d16::FileError>(ends_with(o.out, ".json"), o.out, ": distances are written as NAME.json");
  Network network(Task::disk, o.weights, "cpu");
  Json const& about = network.about();
  int64_t crop = about.is_object() && about.has("crop") ? about.integer("crop") : 0;
  d16::data::ThreeParts parts = split(load_pictures({o.data, o.labels, network.size(), crop}, crop));
  require<d16::FileError>(parts.train.size() > 100 && parts.validation.size() > 20, o.data, ": the split is ",
                          split_text(parts), "; more pictures are needed");
  Features features(o.weights);
  Gaussian gaussian = fit_gaussian(features(lights_of(parts.train)));
  std::vector<double> distances;
  for (auto const& row : features(lights_of(parts.validation))) distances.push_back(gaussian.distance(row));
  std::sort(distances.begin(), distances.end());
  for (double& d : distances) d = std::round(d * 1e4) / 1e4;
  for (auto* list : {&gaussian.mean, &gaussian.triangle})
    for (double& v : *list) v = double(float(v));
  Json json = Json::object({{"format", "d16 feature distance"},
                            {"weights", base_name(o.weights)},
                            {"weights_sha256", sha256_of_file(o.weights)},
                            {"command", command_line()},
                            {"split", split_text(parts)},
                            {"mean", gaussian.mean},
                            {"triangle", gaussian.triangle},
                            {"validation", distances}});
  io::write_file(o.out, json.dump());
  double middle = distances[distances.size() / 2], far = distances[size_t(0.99 * double(distances.size() - 1))];
  say(text(o.out, ": distances of ", distances.size(), " validation pictures: median ", decimals(middle, 2),
           ", 99 % below ", decimals(far, 2)));
  return Json::object({{"out", o.out}, {"validation", distances.size()}, {"median", middle}, {"far", far}});
}

}  // namespace tool
