// d16 evaluate: scores of weights on the test split, with errors from fields drawn with replacement.
#include <d16/io/checkpoint.hpp>
#include <d16/learn/evaluate.hpp>

#include "commands.hpp"
#include "training.hpp"

namespace tool {

using d16::FileError;
using d16::require;
using d16::Tensor;
using d16::text;
namespace data = d16::data;

namespace {

std::string string_or(Json const& about, char const* key, std::string otherwise) {
  return about.is_object() && about.has(key) ? about.string(key) : otherwise;
}
double number_or(Json const& about, char const* key, double otherwise) {
  return about.is_object() && about.has(key) ? about.number(key) : otherwise;
}

void say_scores(std::vector<Score> const& scores) {
  for (Score const& s : scores) say("  " + s.name + ": " + s.text());
}

Json evaluate_disk(EvaluateOptions const& o, d16::LoadedNetwork& loaded, data::Dataset const& test) {
  Tensor p = d16::learn::probabilities(d16::learn::logits(loaded.net, test));
  std::vector<double> disk;
  for (int64_t i = 0; i < test.size(); ++i) disk.push_back(double(p.data<float>()[2 * i + 1]));
  double threshold = number_or(loaded.about, "threshold", 0.5);
  DiskScores scores = score_disk(disk, test, threshold, o.seed);
  auto const& c = scores.confusion;
  say(text("test set: ", test.size(), " (", test.class_counts_text(), "), threshold ", decimals(threshold, 3)));
  say_scores(scores.scores);
  say(text("  ellipticals: ", c[0], " right, ", c[1], " called disk; disks: ", c[3], " right, ", c[2], " called elliptical"));
  return Json::object({{"task", "disk"}, {"weights", o.weights}, {"test", test.class_counts_text()}, {"threshold", threshold},
                       {"scores", json_of(scores.scores)}, {"confusion", Json(c)}});
}

Json evaluate_denoiser(EvaluateOptions const& o, d16::LoadedNetwork& loaded, data::ThreeParts const& parts) {
  d16::NoGrad off;
  DenoiserScores scores = score_denoiser([&](Tensor x) { return loaded.net(std::move(x)); }, parts, o.seed);
  say(text("test set: ", parts.test.size(), " pictures, spoilt with seed ", o.seed));
  say(scores.table());
  Json out = scores.json();
  out["task"] = "denoise";
  out["weights"] = o.weights;
  out["test"] = parts.test.size();
  return out;
}

}  // namespace

Json evaluate(EvaluateOptions const& o) {
  d16::LoadedNetwork loaded = d16::load_network(o.weights);
  bool denoiser = loaded.network.string("type") == "unet_vae";
  std::string task = string_or(loaded.about, "task", denoiser ? "denoise" : "disk");
  require<d16::WeightsError>(task == "disk" || task == "denoise", o.weights, ": is for the task \"", task, "\"; disk or denoise is needed");
  require<d16::ValueError>(task == "denoise" || !o.labels.empty(), "evaluate: --labels is needed for a classifier");
  int64_t crop = int64_t(number_or(loaded.about, "crop", 0)), size = int64_t(number_or(loaded.network, "size", 64));
  data::ThreeParts parts = split(load_pictures({o.data, o.labels, size, crop, o.limit}, crop));
  require<FileError>(parts.test.size() > 0 && parts.validation.size() > 0, o.data, ": the split is ", split_text(parts),
                     "; more pictures are needed");
  return task == "disk" ? evaluate_disk(o, loaded, parts.test) : evaluate_denoiser(o, loaded, parts);
}

}  // namespace tool
