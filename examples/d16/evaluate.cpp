// d16 evaluate: scores of weights on the test split, with errors from fields drawn with replacement.
#include "commands.hpp"
#include "training.hpp"

namespace tool {

using d16::FileError;
using d16::require;
using d16::Tensor;
using d16::text;
namespace data = d16::data;

namespace {

void say_scores(std::vector<Score> const& scores) {
  for (Score const& s : scores) say("  " + s.name + ": " + s.text());
}

/// The same pictures judged by the weights of --against.
Json compare(EvaluateOptions const& o, DiskPredictions const& mine, std::vector<Tensor> const& lights,
             data::Dataset const& test, int size) {
  require<d16::ValueError>(task_of(o.against) == Task::disk, "evaluate: --against ", o.against, " is no classifier");
  Network other(Task::disk, o.against, o.device);
  require<d16::ValueError>(other.size() == size, "evaluate: ", o.against, " sees ", other.size(), " pixels, ",
                           o.weights, " ", size, "; a paired comparison needs the same pictures");
  Json rows = Json::array({});
  say(text("better than ", o.against, " by (95 % of ", 1000, " samples of whole fields, the same for both):"));
  for (PairedScore const& s : compare_disk(mine, {other.disk(lights), other.threshold()}, test, o.seed)) {
    say(text("  ", s.difference.name, ": ", s.difference.text(), ", ", decimals(s.low, 3), " to ",
             decimals(s.high, 3)));
    rows.push_back(Json::object({{"name", s.difference.name},
                                 {"difference", s.difference.value},
                                 {"error", s.difference.error},
                                 {"low", s.low},
                                 {"high", s.high}}));
  }
  return rows;
}

Json evaluate_disk(EvaluateOptions const& o, Network& network, data::Dataset const& test) {
  double threshold = network.threshold();
  Tensor pictures = pictures_of(test);
  std::vector<Tensor> lights;
  for (int64_t i = 0; i < test.size(); ++i) lights.push_back(light_of(pictures.select(0, i)));
  DiskPredictions const mine{network.disk(lights), threshold};
  DiskScores scores = score_disk(mine.probabilities, test, threshold, o.seed);
  auto const& c = scores.confusion;
  say(text("test set: ", test.size(), " (", test.class_counts_text(), "), threshold ", decimals(threshold, 3)));
  say_scores(scores.scores);
  say(text("  ellipticals: ", c[0], " right, ", c[1], " called disk; disks: ", c[3], " right, ", c[2],
           " called elliptical"));
  Json out = Json::object({{"task", "disk"},
                           {"weights", o.weights},
                           {"test", test.class_counts_text()},
                           {"threshold", threshold},
                           {"scores", json_of(scores.scores)},
                           {"confusion", Json(c)}});
  if (!o.against.empty()) out["against"] = compare(o, mine, lights, test, network.size());
  return out;
}

Json evaluate_denoiser(EvaluateOptions const& o, Network& network, data::ThreeParts const& parts) {
  DenoiserScores scores =
      score_denoiser([&](Tensor x) { return network(x); }, parts, denoise_setup(network.about()), o.seed);
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
  Task task = task_of(o.weights);
  Network network(task, o.weights, o.device);
  require<d16::ValueError>(task == Task::denoise || !o.labels.empty(), "evaluate: --labels is needed for a classifier");
  Json const& about = network.about();
  int64_t crop = about.is_object() && about.has("crop") ? about.integer("crop") : 0;
  data::ThreeParts parts = split(load_pictures({o.data, o.labels, network.size(), crop, o.limit}, crop));
  require<FileError>(parts.test.size() > 0 && parts.validation.size() > 0, o.data, ": the split is ", split_text(parts),
                     "; more pictures are needed");
  return task == Task::disk ? evaluate_disk(o, network, parts.test) : evaluate_denoiser(o, network, parts);
}

}  // namespace tool
