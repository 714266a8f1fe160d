// What `train` and `evaluate` share: bodies of training.hpp.
#include "training.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <d16/data/image_folder.hpp>
#include <d16/data/loader.hpp>
#include <d16/io/jpeg.hpp>
#include <d16/io/png.hpp>
#include <d16/vision/filter.hpp>
#include <d16/vision/quality.hpp>

namespace tool {

using d16::Tensor;
using d16::data::Dataset;
namespace data = d16::data;
namespace learn = d16::learn;
namespace vision = d16::vision;

namespace {

bool is_number(std::string const& id) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), value);
  return error == std::errc() && end == id.data() + id.size() && value > 0;
}

/// The side of the first picture below a folder; 0 when none can be read: image_folder says why.
int64_t first_side(std::string const& folder) {
  for (auto const& [stem, path] : data::detail::files_by_stem(folder)) try {
      Tensor picture = d16::io::read_image(path);
      return std::min(picture.dim(0), picture.dim(1));
    } catch (d16::FileError const&) {
      continue;
    }
  return 0;
}

Dataset first_items(Dataset const& all, int64_t limit) {
  std::vector<int64_t> items;
  for (int64_t i = 0; i < limit; ++i) items.push_back(i);
  return all.subset(items);
}

double mean_psnr(Tensor const& images, Tensor const& clean) {
  double sum = 0;
  for (int64_t i = 0; i < clean.dim(0); ++i) sum += vision::psnr(images.select(0, i), clean.select(0, i));
  return sum / double(clean.dim(0));
}

/// Mean quality with errors: "PSNR", "SSIM", "MSE".
std::vector<Score> score_quality(Quality const& q, Dataset const& set, uint64_t seed) {
  std::vector<int64_t> fields = fields_of(set);
  auto score = [&](char const* name, std::vector<double> const& values) {
    return bootstrap_score(name, fields, seed, [&](std::vector<int64_t> const& items) {
      double sum = 0;
      for (int64_t i : items) sum += values[size_t(i)];
      return sum / double(items.size());
    });
  };
  return {score("PSNR", q.psnr), score("SSIM", q.ssim), score("MSE", q.mse)};
}

/// The widths with the best PSNR on the first hundred pairs.
void choose_filters(DenoisePairs const& pair, DenoiserScores& best) {
  int64_t n = std::min<int64_t>(100, pair.noisy.dim(0));
  Tensor noisy = pair.noisy.slice(0, 0, n), clean = pair.clean.slice(0, 0, n);
  double psnr = -1e9;
  for (double sigma : {1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0})
    if (double p = mean_psnr(vision::gaussian_filter(noisy, sigma), clean); p > psnr) psnr = p, best.sigma = sigma;
  psnr = -1e9;
  for (int64_t size : {3, 5, 7, 9, 13, 17, 21, 25})
    if (double p = mean_psnr(vision::median_filter(noisy, size), clean); p > psnr) psnr = p, best.window = size;
}

Tensor in_batches(std::function<Tensor(Tensor)> const& network, Tensor const& images) {
  Tensor out = d16::empty(images.shape());
  int64_t one = images.numel() / images.dim(0);
  for (int64_t i = 0; i < images.dim(0); i += 32) {
    Tensor y = network(images.slice(0, i, std::min(images.dim(0), i + 32))).contiguous();
    std::copy_n(y.data<float>(), y.numel(), out.data<float>() + i * one);
  }
  return out;
}

}  // namespace

int64_t usual_crop(std::string const& folder, int64_t size) {
  int64_t side = first_side(folder);
  return side >= 3 * size ? (side * 45 + 50) / 100 : 0;
}

Dataset load_pictures(PictureOptions const& o, int64_t& crop) {
  if (crop == 0) crop = usual_crop(o.data, o.size);
  data::ImageFolderOptions options{.labels = o.labels, .size = o.size, .crop = double(crop)};
  if (!o.labels.empty()) {
    options.class_column = "class";
    options.classes = {{"elliptical", 0},           {"disk", 1},   {"spiral", 1}, {"spiral_clockwise", 1},
                       {"spiral_anticlockwise", 1}, {"edge_on", 1}};
    options.class_names = {"elliptical", "disk"};
    if (o.kinds) {
      options.classes = {
          {"elliptical", 0}, {"spiral", 1}, {"spiral_clockwise", 1}, {"spiral_anticlockwise", 1}, {"edge_on", 2}};
      options.class_names = {"elliptical", "spiral", "edge_on"};
    }
  }
  Dataset all = data::image_folder(o.data, options);
  for (size_t i = 0; i < all.flagged.size() && i < 3; ++i)
    say("left out: " + all.flagged[i].id + ": " + all.flagged[i].reason);
  if (all.flagged.size() > 3) say("left out: " + std::to_string(all.flagged.size() - 3) + " more pictures");
  return o.limit > 0 && o.limit < all.size() ? first_items(all, o.limit) : all;
}

int part_of_id(std::string const& id) { return is_number(id) ? data::field_part(id) : int(data::crc32(id) % 5); }

int64_t field_of(std::string const& id) { return is_number(id) ? data::sdss_field(id) : int64_t(hash(id) >> 1); }

std::vector<int64_t> disk_labels(Dataset const& set) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < set.size(); ++i) labels.push_back(set.label(i) > 0);
  return labels;
}

std::vector<int64_t> fields_of(Dataset const& set) {
  std::vector<int64_t> fields;
  for (std::string const& id : set.ids) fields.push_back(field_of(id));
  return fields;
}

data::ThreeParts split(Dataset const& all, int test) {
  std::vector<int64_t> parts[3];
  for (int64_t i = 0; i < all.size(); ++i)
    parts[std::min((part_of_id(all.ids[size_t(i)]) + 5 - test) % 5, 2)].push_back(i);
  return {all.subset(parts[2]), all.subset(parts[1]), all.subset(parts[0])};
}

Tensor pictures_of(Dataset const& set) {
  data::Loader loader(set, {.batch = std::max<int64_t>(1, set.size()), .shuffle = false, .seed = 0});
  for (auto& [image, label] : loader) return image;
  return {};
}

std::vector<Tensor> lights_of(Dataset const& set) {
  Tensor pictures = pictures_of(set);
  std::vector<Tensor> lights;
  for (int64_t i = 0; i < set.size(); ++i) lights.push_back(light_of(pictures.select(0, i)));
  return lights;
}

Tensor classifier_inputs(Tensor const& pictures, d16::Random* random) {
  int64_t N = pictures.dim(0), H = pictures.dim(1), W = pictures.dim(2);
  uint64_t seed = random ? uint64_t(random->next()) << 32 | random->next() : 0;
  Tensor out = d16::empty({N, H, W, 1});
  d16::parallel_tasks(N, [&](int64_t n) {
    Tensor light = light_of(pictures.select(0, n));
    d16::Random own(seed, uint64_t(n));
    if (random && own.uniform() < 0.5) light = vision::gaussian_filter(light, own.uniform(0.3, 1.2));
    if (random && own.uniform() < 0.5) {
      double level = std::exp(own.uniform(std::log(0.001), std::log(0.02)));
      for (float& value : light.host<float>()) value += float(level * own.normal());
    }
    Tensor x = classifier_input(light, 1);
    std::copy_n(x.data<float>(), H * W, out.data<float>() + n * H * W);
  });
  return out;
}

std::pair<double, double> moments(Tensor const& x) {
  double sum = 0, squares = 0, count = double(x.numel());
  for (float value : x.host<float>()) sum += double(value), squares += double(value) * double(value);
  double average = sum / count;
  return {average, std::sqrt(squares / count - average * average)};
}

std::string Score::text(int places) const {
  return decimals(value, places) + (std::isnan(error) ? "" : " ± " + decimals(error, places));
}

Json json_of(std::vector<Score> const& scores) {
  Json out = Json::Object();
  auto number = [](double v) { return std::isfinite(v) ? Json(v) : Json(); };
  for (Score const& s : scores) out[s.name] = Json::object({{"value", number(s.value)}, {"error", number(s.error)}});
  return out;
}

std::string table_of(std::vector<Score> const& scores, int places) {
  std::string out = "| score | value |\n|---|---|\n";
  for (Score const& s : scores) out += "| " + s.name + " | " + s.text(places) + " |\n";
  return out;
}

Score bootstrap_score(std::string name, std::vector<int64_t> const& fields, uint64_t seed,
                      std::function<double(std::vector<int64_t> const&)> const& statistic) {
  auto b = learn::bootstrap(int64_t(fields.size()), statistic, {.samples = 1000, .seed = seed, .groups = fields});
  return {std::move(name), b.value, b.sigma};
}

namespace {

/// Scores of probabilities of class 1 on some items of a set; NaN where these are of one class only.
class DiskStatistics {
 public:
  using Items = std::vector<int64_t>;
  DiskStatistics(std::vector<double> const& p, std::vector<int64_t> labels) : p_(p), labels_(std::move(labels)) {}

  Tensor confusion(Items const& items, double threshold) const {
    Tensor counts = d16::zeros({2, 2}, {.dtype = d16::DType::i64});
    for (int64_t i : items) ++counts.data<int64_t>()[2 * labels_[size_t(i)] + (p_[size_t(i)] >= threshold)];
    return counts;
  }
  double accuracy(Items const& items, double threshold) const { return learn::accuracy(confusion(items, threshold)); }
  double balanced(Items const& items, double threshold) const {
    return both_classes(items) ? learn::balanced_accuracy(confusion(items, threshold)) : nan;
  }
  double auc(Items const& items) const {
    if (!both_classes(items)) return nan;
    std::vector<double> scores;
    std::vector<int64_t> truth;
    for (int64_t i : items) scores.push_back(p_[size_t(i)]), truth.push_back(labels_[size_t(i)]);
    int64_t n = int64_t(items.size());
    return learn::roc_auc(d16::from(scores, {n}), d16::from(truth, {n}));
  }
  double confident(Items const& items) const {
    std::vector<double> p;
    std::vector<int64_t> labels;
    for (int64_t i : items) p.push_back(p_[size_t(i)]), labels.push_back(labels_[size_t(i)]);
    return confident_accuracy(p, labels);
  }
  bool both_classes(Items const& items) const {
    int64_t disks = 0;
    for (int64_t i : items) disks += labels_[size_t(i)];
    return disks > 0 && disks < int64_t(items.size());
  }

 private:
  std::vector<double> const& p_;
  std::vector<int64_t> labels_;
};

}  // namespace

double confident_accuracy(std::vector<double> const& p, std::vector<int64_t> const& is_disk) {
  std::vector<std::pair<double, bool>> answers;  // distance from 0.5, right or wrong
  for (size_t i = 0; i < p.size(); ++i) answers.push_back({std::abs(p[i] - 0.5), (p[i] >= 0.5) == (is_disk[i] == 1)});
  std::stable_sort(answers.begin(), answers.end(), [](auto const& a, auto const& b) { return a.first > b.first; });
  answers.resize(std::max<size_t>(1, 7 * answers.size() / 10));
  auto right = std::count_if(answers.begin(), answers.end(), [](auto const& one) { return one.second; });
  return double(right) / double(answers.size());
}

DiskScores score_disk(std::vector<double> const& p, Dataset const& set, double threshold, uint64_t seed) {
  DiskStatistics const statistics(p, disk_labels(set));
  std::vector<int64_t> all, fields = fields_of(set);
  for (int64_t i = 0; i < set.size(); ++i) all.push_back(i);
  d16::require<d16::ValueError>(statistics.both_classes(all), "the test set has ", set.class_counts_text(),
                                "; both classes are needed to score");
  auto score = [&](char const* name, auto const& f) { return bootstrap_score(name, fields, seed, f); };
  using Items = std::vector<int64_t> const&;
  DiskScores out;
  out.scores.push_back(score("accuracy", [&](Items i) { return statistics.accuracy(i, threshold); }));
  out.scores.push_back(score("balanced accuracy", [&](Items i) { return statistics.balanced(i, threshold); }));
  out.scores.push_back(score("AUC", [&](Items i) { return statistics.auc(i); }));
  out.scores.push_back(score("accuracy at 0.5", [&](Items i) { return statistics.accuracy(i, 0.5); }));
  out.scores.push_back(score("balanced accuracy at 0.5", [&](Items i) { return statistics.balanced(i, 0.5); }));
  out.scores.push_back(
      score("accuracy at 0.5 of the most confident 70 %", [&](Items i) { return statistics.confident(i); }));
  Tensor counts = statistics.confusion(all, threshold);
  out.confusion.assign(counts.data<int64_t>(), counts.data<int64_t>() + 4);
  return out;
}

std::vector<PairedScore> compare_disk(DiskPredictions const& one, DiskPredictions const& other, Dataset const& set,
                                      uint64_t seed) {
  DiskStatistics const a(one.probabilities, disk_labels(set)), b(other.probabilities, disk_labels(set));
  std::vector<int64_t> fields = fields_of(set);
  std::vector<PairedScore> out;
  auto add = [&](char const* name, std::function<double(std::vector<int64_t> const&)> const& difference) {
    auto const r = learn::bootstrap(int64_t(fields.size()), difference, {.seed = seed, .groups = fields});
    out.push_back({{name, r.value, r.sigma}, r.interval.low, r.interval.high});
  };
  using Items = std::vector<int64_t> const&;
  add("balanced accuracy", [&](Items i) { return a.balanced(i, one.threshold) - b.balanced(i, other.threshold); });
  add("AUC", [&](Items i) { return a.auc(i) - b.auc(i); });
  return out;
}

DenoisePairs spoil(Dataset const& set, uint64_t seed, DenoiseSetup const& setup) {
  d16::Random random(seed, 0x5701);
  return spoil(pictures_of(set), random, setup);
}

double mean(std::vector<double> const& values) {
  double sum = 0;
  for (double v : values) sum += v;
  return sum / double(values.size());
}

Quality quality_of(Tensor const& images, Tensor const& clean) {
  Quality q;
  for (int64_t i = 0; i < clean.dim(0); ++i) {
    Tensor a = images.select(0, i), b = clean.select(0, i);
    q.psnr.push_back(vision::psnr(a, b));
    q.ssim.push_back(vision::ssim(a, b));
    q.mse.push_back(vision::mse(a, b));
  }
  return q;
}

DenoiserScores score_denoiser(std::function<Tensor(Tensor)> const& network, data::ThreeParts const& parts,
                              DenoiseSetup const& setup, uint64_t seed) {
  DenoiserScores out;
  choose_filters(spoil(parts.validation, seed, setup), out);
  DenoisePairs pair = spoil(parts.test, seed + 1, setup);
  auto score = [&](Tensor const& images) { return score_quality(quality_of(images, pair.clean), parts.test, seed); };
  out.noisy = score(pair.noisy);
  out.gaussian = score(vision::gaussian_filter(pair.noisy, out.sigma));
  out.median = score(vision::median_filter(pair.noisy, out.window));
  out.network = score(in_batches(network, pair.noisy));
  return out;
}

std::string DenoiserScores::table() const {
  std::string out = "| | PSNR [dB] | SSIM | MSE |\n|---|---|---|---|\n";
  auto row = [&](std::string const& name, std::vector<Score> const& s) {
    out += "| " + name + " | " + s[0].text(2) + " | " + s[1].text(4) + " | " + s[2].text(6) + " |\n";
  };
  row("noisy", noisy);
  row(d16::text("Gaussian filter, sigma ", sigma, " px"), gaussian);
  row(d16::text("median filter, ", window, "x", window, " px"), median);
  row("this network", network);
  return out;
}

std::string DenoiserScores::line() const {
  return "PSNR " + network[0].text(2) + " dB (noisy " + noisy[0].text(2) + ", Gaussian " + gaussian[0].text(2) +
         ", median " + median[0].text(2) + "), SSIM " + network[1].text(4) + " (noisy " + noisy[1].text(4) + ")";
}

Json DenoiserScores::json() const {
  return Json::object({{"noisy", json_of(noisy)},
                       {"gaussian", json_of(gaussian)},
                       {"gaussian_sigma", sigma},
                       {"median", json_of(median)},
                       {"median_window", window},
                       {"network", json_of(network)}});
}

std::string split_text(data::ThreeParts const& parts) {
  auto one = [](char const* name, Dataset const& set) {
    std::string counts = set.classes.empty() ? "" : " (" + set.class_counts_text() + ")";
    return std::string(name) + " " + std::to_string(set.size()) + counts;
  };
  return one("train", parts.train) + ", " + one("validation", parts.validation) + ", " + one("test", parts.test);
}

}  // namespace tool
