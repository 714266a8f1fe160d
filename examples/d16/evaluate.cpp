// d16 evaluate: scores of weights on the test split, with errors from fields drawn with replacement.
#include "commands.hpp"
#include "denoise_report.hpp"
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
                           o.weights[0], " ", size, "; a paired comparison needs the same pictures");
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
  network.prepare_for(Shown::clean);
  double threshold = network.threshold();
  std::vector<Tensor> const lights = lights_of(test);
  DiskPredictions const mine{network.disk(lights), threshold};
  DiskScores scores = score_disk(mine.probabilities, test, threshold, o.seed);
  auto const& c = scores.confusion;
  say(text("test set: ", test.size(), " (", test.class_counts_text(), "), threshold ", decimals(threshold, 3)));
  say_scores(scores.scores);
  say(text("  ellipticals: ", c[0], " right, ", c[1], " called disk; disks: ", c[3], " right, ", c[2],
           " called elliptical"));
  Json out = Json::object({{"task", "disk"},
                           {"weights", o.weights[0]},
                           {"test", test.class_counts_text()},
                           {"threshold", threshold},
                           {"scores", json_of(scores.scores)},
                           {"confusion", Json(c)}});
  if (auto const& c = network.calibration()) {
    CalibrationTest tested = test_calibration(*c, {mine.probabilities, disk_labels(test), fields_of(test)}, o.seed);
    say("  " + words_of(*c, tested));
    out["calibration_error_before"] = tested.before, out["calibration_error_after"] = tested.after;
  }
  if (!o.against.empty()) out["against"] = compare(o, mine, lights, test, network.size());
  return out;
}

/// "a.safetensors + b.safetensors".
std::string names_of(std::vector<std::string> const& weights) {
  std::string out;
  for (std::string const& path : weights) out += (out.empty() ? "" : " + ") + base_name(path);
  return out;
}

/// What a filter makes of all pairs.
Tensor filtered(DenoiseMethod const& filter, DenoisePairs const& pairs) {
  Tensor out = d16::empty(pairs.noisy.shape());
  int64_t values = out.numel() / out.dim(0);
  d16::parallel_tasks(out.dim(0), [&](int64_t n) {
    Tensor noisy = pairs.noisy.select(0, n).contiguous();
    Tensor image = filter.one(noisy, stretched_noise(pairs.stretch[size_t(n)]));
    std::copy_n(image.data<float>(), values, out.data<float>() + n * values);
  });
  return out;
}

/// The coverage of the network's intervals, said and as JSON.
Json evaluate_uncertainty(EvaluateOptions const& o, Network const& network, Network::Prediction const& test,
                          DenoisePairs const& pairs, std::vector<int64_t> const& fields) {
  require<d16::ValueError>(test.std.defined(), "evaluate: ", names_of(o.weights),
                           " predicts no uncertainty; train it again with this version");
  Coverage coverage = measure_coverage(test.image, test.std, uncertainty_of(network), pairs, fields, o.seed);
  say("Coverage of the intervals on the test set:\n");
  say(coverage.table());
  return coverage.json();
}

Json evaluate_denoiser(EvaluateOptions const& o, Network& network, data::ThreeParts const& parts) {
  DenoiseSetup const setup = denoise_setup(network.about());
  DenoisePairs const pairs = spoil(parts.test, o.seed + 1, setup);
  std::vector<int64_t> const fields = fields_of(parts.test);
  Network::Prediction const test = network.predict(pairs.noisy);
  say(text("test set: ", parts.test.size(), " pictures, spoilt with seed ", o.seed + 1));
  Json out = Json::object({{"task", "denoise"}, {"weights", Json(o.weights)}, {"test", parts.test.size()}});
  if (o.uncertainty) {
    out["uncertainty"] = evaluate_uncertainty(o, network, test, pairs, fields);
    return out;
  }
  std::vector<JudgedImages> methods{{"noisy", pairs.noisy}};
  for (DenoiseMethod const& filter : choose_filters(spoil(parts.validation, o.seed, setup)))
    methods.push_back({filter.name, filtered(filter, pairs)});
  methods.push_back({names_of(o.weights), test.image});
  if (!o.against.empty()) {
    require<d16::ValueError>(task_of(o.against) == Task::denoise, "evaluate: --against ", o.against, " is no denoiser");
    Network other(Task::denoise, o.against, o.device);
    require<d16::ValueError>(other.size() == network.size() && other.channels() == network.channels(),
                             "evaluate: ", o.against, " sees other pictures than ", names_of(o.weights),
                             "; they must be of one size");
    methods.push_back({base_name(o.against), other.predict(pairs.noisy).image});
  }
  methods.push_back({"clean", pairs.clean});
  DenoiseReport const report = report_denoising(methods, pairs, fields, o.seed);
  say(report.table());
  out["bins"] = report.json();
  return out;
}

}  // namespace

Json evaluate(EvaluateOptions const& o) {
  Task task = task_of(o.weights[0]);
  require<d16::ValueError>(task == Task::denoise || o.weights.size() == 1, "evaluate: --weights has ", o.weights.size(),
                           " files; of classifiers only one can be judged");
  Network network = task == Task::disk ? Network(task, o.weights[0], o.device) : Network(o.weights, o.device);
  require<d16::ValueError>(task == Task::denoise || !o.labels.empty(), "evaluate: --labels is needed for a classifier");
  Json const& about = network.about();
  int64_t crop = about.is_object() && about.has("crop") ? about.integer("crop") : 0;
  data::ThreeParts parts = split(load_pictures({o.data, o.labels, network.size(), crop, o.limit}, crop));
  require<FileError>(parts.test.size() > 0 && parts.validation.size() > 0, o.data, ": the split is ", split_text(parts),
                     "; more pictures are needed");
  return task == Task::disk ? evaluate_disk(o, network, parts.test) : evaluate_denoiser(o, network, parts);
}

}  // namespace tool
