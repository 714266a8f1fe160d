// Out of distribution: bodies of ood.hpp.
#include "ood.hpp"

#include <algorithm>
#include <cmath>

#include <d16/data/image_folder.hpp>
#include <d16/io/checkpoint.hpp>
#include <d16/learn/nearest_neighbours.hpp>
#include <d16/nn/classifiers.hpp>

#include "sha256.hpp"
#include "shape.hpp"
#include "training.hpp"

namespace tool {

using d16::require;
using d16::Tensor;
using d16::text;
using d16::WeightsError;
namespace io = d16::io;
namespace learn = d16::learn;
namespace nn = d16::nn;

namespace {

using Lights = std::vector<Tensor>;

/// The features of a classifier before its last layer.
class Features {
 public:
  explicit Features(std::string const& path) : loaded_(d16::load_network(path)) {
    net_ = loaded_.net.as<nn::EquivariantClassifier>();
    require<WeightsError>(net_, path, ": holds ", loaded_.network.string("type"),
                          "; features are taken from an equivariant_classifier");
  }
  /// (N,F) float32.
  Tensor operator()(Lights const& lights) {
    d16::NoGrad off;
    constexpr size_t batch = 16;
    std::vector<Tensor> parts;
    for (size_t begin = 0; begin < lights.size(); begin += batch) {
      std::vector<Tensor> inputs;
      for (size_t i = begin; i < std::min(begin + batch, lights.size()); ++i)
        inputs.push_back(classifier_input(lights[i], net_->options().input.channels));
      Tensor y = net_->pooled(stack(inputs));
      parts.push_back(y.reshape({y.dim(0), -1}).contiguous());
    }
    return d16::concat(parts, 0).contiguous();
  }

 private:
  d16::LoadedNetwork loaded_;
  nn::EquivariantClassifier* net_;
};

/// A Gaussian: its mean and the lower triangle L of its covariance, L L^T.
struct Gaussian {
  std::vector<double> mean, triangle;

  double distance(float const* x) const {
    size_t n = mean.size();
    std::vector<double> y(n);
    double square = 0;
    for (size_t i = 0; i < n; ++i) {
      double sum = double(x[i]) - mean[i];
      for (size_t k = 0; k < i; ++k) sum -= triangle[i * n + k] * y[k];
      y[i] = sum / triangle[i * n + i];
      square += y[i] * y[i];
    }
    return std::sqrt(square);
  }
};

/// With a thousandth of the mean variance added to each, so that features that never change do no harm.
Gaussian fit_gaussian(Tensor const& rows) {
  auto n = size_t(rows.dim(1));
  auto row = [&](int64_t i) { return rows.data<float>() + i * int64_t(n); };
  Gaussian g{std::vector<double>(n), std::vector<double>(n * n)};
  for (int64_t r = 0; r < rows.dim(0); ++r)
    for (size_t i = 0; i < n; ++i) g.mean[i] += double(row(r)[i]) / double(rows.dim(0));
  std::vector<double> covariance(n * n);
  double trace = 0;
  for (size_t i = 0; i < n; ++i)
    for (size_t k = 0; k <= i; ++k) {
      for (int64_t r = 0; r < rows.dim(0); ++r)
        covariance[i * n + k] +=
            (double(row(r)[i]) - g.mean[i]) * (double(row(r)[k]) - g.mean[k]) / double(rows.dim(0) - 1);
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

/// "mahalanobis"; "neighbours": to the k-th nearest in features of variance 1; "directions": in features of length 1.
struct Measure {
  std::string name;
  int64_t k = 0;
  std::string text() const { return k ? d16::text(name, ", k = ", k) : name; }
};
std::vector<Measure> all_measures() {
  std::vector<Measure> out{{"mahalanobis"}};
  for (char const* name : {"neighbours", "directions"})
    for (int64_t k : {1, 5, 20, 50}) out.push_back({name, k});
  return out;
}

/// Distances of features to those of a training set.
class Distances {
 public:
  explicit Distances(Tensor train) : gaussian_(fit_gaussian(train)), train_(std::move(train)) {
    auto n = size_t(train_.dim(1));
    deviation_.resize(n);
    for (size_t i = 0; i < n; ++i) {
      double squares = 1e-12;
      for (int64_t r = 0; r < train_.dim(0); ++r) {
        double d = double(train_.data<float>()[r * int64_t(n) + int64_t(i)]) - gaussian_.mean[i];
        squares += d * d / double(train_.dim(0));
      }
      deviation_[i] = std::sqrt(squares);
    }
    scaled_ = scaled(train_), directions_ = directions(train_);
  }
  int64_t features() const { return train_.dim(1); }

  /// Of each row of x (M,F); NaN of one that is not finite.
  std::vector<double> operator()(Tensor const& x, Measure const& measure) const {
    int64_t F = features();
    std::vector<double> out(size_t(x.dim(0)), nan);
    std::vector<int64_t> good;
    for (int64_t i = 0; i < x.dim(0); ++i) {
      float const* row = x.data<float>() + i * F;
      if (std::all_of(row, row + F, [](float v) { return std::isfinite(v); })) good.push_back(i);
    }
    if (good.empty()) return out;
    if (measure.k == 0) {
      for (int64_t i : good) out[size_t(i)] = gaussian_.distance(x.data<float>() + i * F);
      return out;
    }
    Tensor finite = d16::empty({int64_t(good.size()), F}, {.device = d16::Device()});
    for (size_t i = 0; i < good.size(); ++i)
      std::copy_n(x.data<float>() + good[i] * F, F, finite.data<float>() + int64_t(i) * F);
    bool scale = measure.name == "neighbours";
    int64_t k = std::min(measure.k, train_.dim(0));
    Tensor d = learn::nearest_neighbours(scale ? scaled_ : directions_, scale ? scaled(finite) : directions(finite), k)
                   .distance;
    for (size_t i = 0; i < good.size(); ++i) out[size_t(good[i])] = double(d.data<float>()[int64_t(i) * k + k - 1]);
    return out;
  }

 private:
  Tensor scaled(Tensor const& x) const {
    Tensor out = x.clone();
    for (int64_t i = 0; i < out.numel(); ++i) out.data<float>()[i] /= float(deviation_[size_t(i % features())]);
    return out;
  }
  Tensor directions(Tensor const& x) const {
    Tensor out = x.clone();
    for (int64_t r = 0; r < x.dim(0); ++r) {
      double squares = 1e-24;
      for (int64_t i = 0; i < features(); ++i) squares += std::pow(double(x.data<float>()[r * features() + i]), 2);
      for (int64_t i = 0; i < features(); ++i) out.data<float>()[r * features() + i] /= float(std::sqrt(squares));
    }
    return out;
  }

  Gaussian gaussian_;
  Tensor train_, scaled_, directions_;
  std::vector<double> deviation_;
};

// --- outliers ------------------------------------------------------------------------------------------------------------

struct Outliers {
  std::string name;
  Lights lights;
};

/// Noise alone, as bright as a faint galaxy.
Tensor noise_frame(int64_t size, d16::Random& random) {
  Tensor out = d16::empty({size, size, 3}, {.device = d16::Device()});
  for (float& v : out.host<float>()) v = float(0.02 * random.normal());
  return out;
}
/// A star of FWHM 3 pixels.
Tensor star(int64_t size, d16::Random& random) {
  Tensor out = noise_frame(size, random);
  double y0 = double(size) / 2 + random.uniform(-1, 1), x0 = double(size) / 2 + random.uniform(-1, 1);
  for (int64_t i = 0; i < size * size; ++i) {
    double r2 = std::pow(double(i / size) - y0, 2) + std::pow(double(i % size) - x0, 2);
    for (int64_t k = 0; k < 3; ++k) out.data<float>()[3 * i + k] += float(std::exp(-r2 / 3.25));
  }
  return out;
}
/// The sixteen tiles of a picture in another order.
Tensor shuffled(Tensor const& light, d16::Random& random) {
  int64_t tile = light.dim(0) / 4, size = light.dim(1);
  std::vector<int64_t> order;
  for (int64_t i = 0; i < 16; ++i) order.push_back(i);
  for (size_t i = 15; i > 0; --i) std::swap(order[i], order[size_t(random.integer(int64_t(i + 1)))]);
  Tensor out = light.clone();
  for (int64_t i = 0; i < 16; ++i)
    for (int64_t y = 0; y < tile; ++y) {
      int64_t from = order[size_t(i)];
      std::copy_n(light.data<float>() + ((from / 4 * tile + y) * size + from % 4 * tile) * 3, tile * 3,
                  out.data<float>() + ((i / 4 * tile + y) * size + i % 4 * tile) * 3);
    }
  return out;
}
/// Two galaxies that overlap, each a tenth of the side away from the middle.
Tensor pair_of(Tensor const& one, Tensor const& other) {
  int64_t size = one.dim(0), away = size / 10;
  Tensor out = d16::zeros({size, size, 3}, {.device = d16::Device()});
  for (int64_t y = 0; y < size; ++y)
    for (int64_t x = 0; x < size; ++x)
      for (int64_t k = 0; k < 3; ++k) {
        auto at = [&](Tensor const& t, int64_t shift) {
          return t.data<float>()[(y * size + std::clamp<int64_t>(x + shift, 0, size - 1)) * 3 + k];
        };
        out.data<float>()[(y * size + x) * 3 + k] = at(one, away) + at(other, -away);
      }
  return out;
}

/// Outliers made of pictures.
std::vector<Outliers> made_outliers(Lights const& lights, uint64_t seed) {
  std::vector<Outliers> out{{"noise", {}}, {"stars", {}}, {"shuffled tiles", {}}, {"two galaxies", {}}};
  for (size_t i = 0; i < lights.size(); ++i) {
    d16::Random random(seed, i);
    int64_t size = lights[i].dim(0);
    out[0].lights.push_back(noise_frame(size, random)), out[1].lights.push_back(star(size, random));
    out[2].lights.push_back(shuffled(lights[i], random));
    out[3].lights.push_back(pair_of(lights[i], lights[(i + 1 + size_t(random.integer(16))) % lights.size()]));
  }
  return out;
}

/// Galaxies of a class that the classifier was not trained on; of any sky field.
Outliers mergers_of(TrainOodOptions const& o, int64_t size, int64_t crop) {
  d16::data::ImageFolderOptions options{.labels = o.labels, .class_column = "class", .size = size};
  options.crop = double(crop), options.classes = {{"merger", 0}}, options.class_names = {"merger"};
  try {
    return {"mergers", lights_of(d16::data::image_folder(o.data, options))};
  } catch (d16::FileError const&) {  // no picture of that class
    return {"mergers", {}};
  }
}

/// Each object of a folder in each of its bands, framed as d16 run frames it.
Outliers objects_in(std::string const& folder, int64_t size) {
  Outliers out{base_name(folder), {}};
  for (Source const& source : find_sources(folder)) {
    Cutout whole = read_cutout(source);
    for (Band const& band : whole.bands) {
      Cutout one{.id = whole.id, .file = whole.file, .picture = whole.picture, .bands = {band}};
      out.lights.push_back(frame_of(one, measure_shape(one, {.fit = false}), {.size = size}).light);
    }
  }
  return out;
}

/// How well a distance tells outliers from others: the chance that an outlier is further away.
double separation(std::vector<double> inliers, std::vector<double> const& outliers) {
  std::vector<int64_t> label(inliers.size(), 0);
  inliers.insert(inliers.end(), outliers.begin(), outliers.end());
  label.resize(inliers.size(), 1);
  for (double& d : inliers) d = std::isnan(d) ? 1e30 : d;
  int64_t n = int64_t(label.size());
  return learn::roc_auc(d16::from(inliers, {n}), d16::from(label, {n}));
}

/// A table: rows are distances, columns kinds of outliers. Returns the mean of each row.
std::vector<double> judge_measures(Distances const& distances, char const* of, Tensor const& inliers,
                                   std::vector<std::pair<std::string, Tensor>> const& outliers, Json& rows) {
  std::string head = text("\n| AUC against the ", of, " set"), line = "|---";
  for (auto const& [name, features] : outliers) head += text(" | ", name, " (", features.dim(0), ")"), line += "|---";
  say(head + " | mean |\n" + line + "|---|");
  std::vector<double> means;
  for (Measure const& measure : all_measures()) {
    std::vector<double> own = distances(inliers, measure);
    std::string words = "| " + measure.text();
    Json row = Json::object({{"distance", measure.text()}, {"against", of}});
    means.push_back(0);
    for (auto const& [name, features] : outliers) {
      double auc = separation(own, distances(features, measure));
      means.back() += auc / double(outliers.size());
      words += " | " + decimals(auc, 3), row[name] = auc;
    }
    say(words + " | " + decimals(means.back(), 3) + " |");
    rows.push_back(row);
  }
  return means;
}

}  // namespace

struct OodScore::Body {
  std::string path;
  Features features;
  Distances distances;
  Measure measure;
  std::vector<double> validation;  // distances, rising
};

OodScore::OodScore(std::string path, std::string const& weights) {
  io::TensorFile file = io::read_safetensors(path);
  auto word = [&](char const* key) {
    auto found = file.metadata.find(key);
    require<WeightsError>(found != file.metadata.end(), path, ": has no \"", key, "\"; d16 train ood makes it");
    return found->second;
  };
  require<WeightsError>(word("weights_sha256") == sha256_of_file(weights), path,
                        ": it was made for other weights than ", weights, "; d16 train ood makes it anew");
  Tensor train = file.at("train").cast(d16::DType::f32).contiguous(), known = file.at("validation");
  std::vector<Measure> all = all_measures();
  auto measure = std::find_if(all.begin(), all.end(), [&](Measure const& m) { return m.text() == word("distance"); });
  bool fits = train.rank() == 2 && train.dim(0) > 1 && measure != all.end() && known.dtype() == d16::DType::f32 &&
              known.rank() == 1 && known.numel() > 0;
  require<WeightsError>(fits, path, ": its tensors do not fit together; d16 train ood makes it anew");
  body_.reset(new Body{path, Features(weights), Distances(train), *measure, {}});
  Tensor rising = known.contiguous();
  for (float v : rising.host<float>()) body_->validation.push_back(double(v));
  require<WeightsError>(std::is_sorted(body_->validation.begin(), body_->validation.end()), path,
                        ": its distances do not rise; d16 train ood makes it anew");
}
OodScore::~OodScore() = default;
OodScore::OodScore(OodScore&&) noexcept = default;
std::string const& OodScore::path() const { return body_->path; }

std::vector<double> OodScore::operator()(std::vector<Tensor> const& lights) {
  std::vector<double> out;
  auto const& known = body_->validation;
  Tensor features = body_->features(lights);
  require<WeightsError>(features.dim(1) == body_->distances.features(), body_->path, ": for ",
                        body_->distances.features(), " features; the weights have ", features.dim(1));
  for (double distance : body_->distances(features, body_->measure)) {
    double below = double(std::lower_bound(known.begin(), known.end(), float(distance)) - known.begin());
    out.push_back(std::isfinite(distance) ? below / double(known.size()) : nan);
  }
  return out;
}

Json train_ood(TrainOodOptions const& o) {
  require<d16::FileError>(ends_with(o.out, ".safetensors"), o.out, ": distances are written as NAME.safetensors");
  Network network(Task::disk, o.weights, "cpu");
  Json const& about = network.about();
  int64_t crop = about.is_object() && about.has("crop") ? about.integer("crop") : 0, size = network.size();
  d16::data::ThreeParts parts = split(load_pictures({o.data, o.labels, size, crop}, crop));
  require<d16::FileError>(parts.train.size() >= 20 && parts.validation.size() >= 5 && parts.test.size() >= 5, o.data,
                          ": the split is ", split_text(parts), "; more pictures are needed");
  Features features(o.weights);
  Tensor train = features(lights_of(parts.train)).cast(d16::DType::bf16);  // as it will be read
  Distances distances(train.cast(d16::DType::f32).contiguous());
  Lights const seen = lights_of(parts.validation), unseen = lights_of(parts.test);
  Tensor validation = features(seen), test = features(unseen);
  Json rows = Json::array({});
  auto featured = [&](std::vector<Outliers> const& list) {
    std::vector<std::pair<std::string, Tensor>> out;
    for (Outliers const& one : list)
      if (!one.lights.empty()) out.push_back({one.name, features(one.lights)});
    return out;
  };
  std::vector<double> means =
      judge_measures(distances, "validation", validation, featured(made_outliers(seen, o.seed)), rows);
  size_t best = size_t(std::max_element(means.begin(), means.end()) - means.begin());
  Measure measure = all_measures()[best];
  std::vector<Outliers> strangers = made_outliers(unseen, o.seed + 1);
  strangers.push_back(mergers_of(o, size, crop));
  for (std::string const& folder : o.outliers) strangers.push_back(objects_in(folder, size));
  judge_measures(distances, "test", test, featured(strangers), rows);
  std::vector<double> known = distances(validation, measure);
  std::sort(known.begin(), known.end());
  io::TensorFile file{.metadata = {{"format", "d16 feature distance"},
                                   {"distance", measure.text()},
                                   {"weights", base_name(o.weights)},
                                   {"weights_sha256", sha256_of_file(o.weights)},
                                   {"command", command_line()},
                                   {"split", split_text(parts)}}};
  file.tensors.emplace_back("train", train);
  file.tensors.emplace_back("validation",
                            d16::from(std::vector<float>(known.begin(), known.end()), {int64_t(known.size())}));
  io::write_safetensors(o.out, file);
  say(text("\n", o.out, ": ", measure.text(), ", the best on validation; 99 % of its ", known.size(),
           " pictures lie within ", decimals(known[size_t(0.99 * double(known.size() - 1))], 2)));
  return Json::object({{"out", o.out}, {"distance", measure.text()}, {"validation", known.size()}, {"auc", rows}});
}

}  // namespace tool
