// d16 train highz: independent runs of a seven-band classifier on a simulated survey; keeps the best, writes its card.
#include "train_highz.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <d16/io/atomic_file.hpp>
#include <d16/io/read_file.hpp>
#include <d16/learn/intervals.hpp>

#include "highz_models.hpp"

namespace tool {

using d16::require;
using d16::Tensor;
using d16::text;
namespace fs = std::filesystem;
namespace io = d16::io;
namespace learn = d16::learn;

namespace {

/// highz.safetensors or highz.json; beside it highz.md, and highz.training/ with prepared objects, runs and checkpoints.
struct Places {
  std::string weights, ending, card, folder;
  Places(TrainHighzOptions const& o, HighzVariant const& v) : weights(o.out) {
    require<d16::ValueError>(v.kind == HighzVariant::Kind::network || v.kind == HighzVariant::Kind::trees, "--variant ",
                             v.name, ": has nothing to train; give a network or trees");
    ending = v.kind == HighzVariant::Kind::trees ? ".json" : ".safetensors";
    require<d16::FileError>(ends_with(o.out, ending) && o.out.size() > ending.size(), o.out, ": weights of ", v.name,
                            " are a ", ending, " file; give such a name");
    std::string stem = o.out.substr(0, o.out.size() - ending.size());
    card = stem + ".md", folder = stem + ".training";
    io::AtomicFile writable(weights);  // tells now and not after an hour that it cannot be written
  }
  std::string run(int64_t k) const { return join(folder, text("run-", k)); }
  std::string runs() const { return join(folder, "runs.jsonl"); }
};

/// All that the result depends on: a folder of another training must not be gone on with.
Json fixed(TrainHighzOptions const& o) {
  Json all = Json::object({{"set", o.set},
                           {"variant", o.variant},
                           {"count", o.count},
                           {"validation", o.validation},
                           {"test", o.test},
                           {"side", o.side},
                           {"epochs", o.epochs},
                           {"batch", o.batch},
                           {"threshold", o.threshold},
                           {"seed", o.seed}});
  if (o.accumulate > 1) all["accumulate"] = o.accumulate;
  if (o.precision != "float32") all["precision"] = o.precision;
  return all;
}

void check_folder(Places const& places, TrainHighzOptions const& o) {
  std::error_code error;
  fs::create_directories(places.folder, error);
  require<d16::FileError>(!error, places.folder, ": cannot make this folder: ", error.message(),
                          "; choose another --out");
  std::string path = join(places.folder, "options.json"), mine = fixed(o).dump();
  if (!is_file(path)) return io::write_file(path, mine);
  require<d16::FileError>(io::read_file(path) == mine, path, ": holds ", io::read_file(path), ", this run is ", mine,
                          "; repeat those options, choose another --out or remove ", places.folder);
}

std::vector<Json> lines_of(std::string const& path) {
  std::vector<Json> out;
  if (!is_file(path)) return out;
  std::string all = io::read_file(path);
  for (size_t at = 0, end; (end = all.find('\n', at)) != all.npos; at = end + 1)
    out.push_back(io::parse_json(all.substr(at, end - at), path));
  return out;
}

struct Objects {
  HighzSet train, validation, test;
};

/// One run, tested on objects of S/N >= 10; its line goes to runs.jsonl last, so that what has a line is complete.
void do_run(int64_t k, HighzVariant const& variant, Objects const& sets, HighzCache const& cache, Places const& places,
            TrainHighzOptions const& o) {
  HighzTraining training{.epochs = o.epochs, .batch = o.batch, .seed = o.seed * 1000 + uint64_t(k), .quiet = o.json};
  training.device = o.device, training.accumulate = o.accumulate;
  training.precision = precision_of(o.precision, o.device);
  if (o.set == "poster") training.priors = highz_prevalence;
  HighzClassifier classifier = train_highz_run(variant, sets.train, sets.validation, cache, places.run(k), training);
  HighzRule rule = fit_highz_rule(classifier.logits(sets.validation, {}), sets.validation);
  std::vector<double> snr;
  for (int64_t i = 0; i < sets.test.size(); ++i) snr.push_back(sets.test.snr(i));
  HighzScores scores = score_highz(classifier.logits(sets.test, {}), sets.test.label, highz_rows(snr, 10), rule);
  Json about = highz_about(variant, rule, training, o.threshold, o.side);
  about["set"] = o.set;
  about["scores"] = scores.json();
  about["remark"] = "trained and tested on a simulated survey: see the model card";
  classifier.save(places.run(k) + places.ending, about);
  Json line = Json::object({{"run", k},
                            {"seed", training.seed},
                            {"seconds", classifier.seconds},
                            {"weights", classifier.weights},
                            {"best_epoch", classifier.best_epoch},
                            {"validation_loss", classifier.validation_loss},
                            {"scores", scores.json()}});
  io::write_file(places.runs(), (is_file(places.runs()) ? io::read_file(places.runs()) : "") + line.dump() + "\n");
  say(text("run ", k, ": ", duration(classifier.seconds), ", validation loss ", decimals(classifier.validation_loss, 4),
           ", accuracy ", decimals(scores.accuracy, 3), ", high-z purity ", decimals(scores.purity, 3), " at ",
           decimals(scores.completeness, 3), ", dwarf precision ", decimals(scores.precision, 3), " at ",
           decimals(scores.recall, 3)));
}

/// A score of all runs; 0 where a class was never called.
std::vector<double> over_runs(std::vector<Json> const& runs, char const* name) {
  std::vector<double> out;
  for (Json const& run : runs) {
    Json const& value = run.at("scores").at(name);
    out.push_back(value.is_null() ? 0 : value.number());
  }
  return out;
}

struct Row {
  char const *name, *key;
};
constexpr Row rows[] = {{"balanced accuracy", "accuracy"},
                        {"AUC of high-z", "auc_high_z"},
                        {"AUC of brown dwarfs", "auc_dwarf"},
                        {"high-z purity at 722:722:11", "purity_high_z"},
                        {"high-z completeness", "completeness_high_z"},
                        {"brown-dwarf precision at 722:722:11", "precision_dwarf"},
                        {"brown-dwarf recall", "recall_dwarf"}};

std::string score_table(std::vector<Json> const& runs, size_t best) {
  std::string out = "| score | mean of " + std::to_string(runs.size()) +
                    " runs | spread | worst to best | this one |\n|---|---|---|---|---|\n";
  for (Row const& row : rows) {
    std::vector<double> values = over_runs(runs, row.key);
    learn::Spread s = learn::spread_of_runs(values);
    out += text("| ", row.name, " | ", decimals(s.mean, 4), " | ", decimals(s.sigma, 4), " | ", decimals(s.low, 4),
                " to ", decimals(s.high, 4), " | ", decimals(values[best], 4), " |\n");
  }
  return out;
}

/// Counts with the fraction of the row and its Wilson interval.
std::string confusion_table(Json const& counts) {
  std::vector<int64_t> list;
  for (Json const& count : counts.array()) list.push_back(count.integer());
  char const* names[] = {"low-z", "high-z", "brown dwarf"};
  std::string out = "| truth | called low-z | called high-z | called brown dwarf |\n|---|---|---|---|\n";
  auto fractions = learn::confusion_fractions(d16::from(list, {3, 3}));
  for (size_t t = 0; t < 3; ++t) {
    out += text("| ", names[t]);
    for (learn::Fraction const& f : fractions[t])
      out += text(" | ", f.successes, ": ", decimals(f.value, 4), " [", decimals(f.interval.low, 4), ", ",
                  decimals(f.interval.high, 4), "]");
    out += " |\n";
  }
  return out;
}

std::string how_trained(TrainHighzOptions const& o, HighzVariant const& variant) {
  if (variant.kind == HighzVariant::Kind::trees)
    return "each with other random parts of objects and columns for its trees; depth 5, eta 0.08, up to 600 rounds, "
           "ended when validation objects no longer gain";
  return text(
      "each with other first weights and in another order; He normal, Adam 5e-4 with a cosine schedule, "
      "cross-entropy, ",
      o.epochs, " epochs of batches of ", o.batch, o.accumulate > 1 ? text(", ", o.accumulate, " to a step") : "",
      o.precision == "float32" ? "" : text(", computed in ", o.precision),
      ", mirrored and turned by quarters, each band missing with probability ", decimals(HighzTraining().drop, 2));
}

std::string card(TrainHighzOptions const& o, HighzVariant const& variant, std::vector<Json> const& runs, size_t best) {
  Json const& scores = runs[best].at("scores");
  double seconds = 0;
  for (Json const& run : runs) seconds += run.number("seconds");
  return text(
      "# highz: low-z galaxy, high-z galaxy or brown dwarf, from seven NIRCam bands\n\n", variant.what,
      ". High-z means z >= ", o.threshold,
      ".\n\n**Simulated.** Trained and tested on a simulated survey; the numbers are about the simulation, not about "
      "the sky.\n\n## Data\n",
      o.count, " training objects of the set \"", o.set, "\", ", o.validation, " validation and ", o.test,
      " test objects (balanced), rendered by `d16 simulate survey` with its default options. Templates fsps, "
      "brown-dwarf "
      "library ATMO2020 and PSF set 6414 are in none of them. Networks see the middle ",
      o.side, "x", o.side, " pixels of 0.03 arcsec.\n\n## Training\n", runs.size(),
      " independent runs on the same objects; ", how_trained(o, variant),
      ". The run with the least "
      "cross-entropy on validation objects is kept (run ",
      runs[best].integer("run"), "); temperature and thresholds are from validation objects too. ",
      runs[best].integer("weights"), variant.kind == HighzVariant::Kind::trees ? " nodes, " : " weights, ",
      duration(seconds), " for all runs.\n\n```\n", command_line(), "\n```\n\n## Scores on ", scores.integer("n"),
      " test objects of S/N >= 10\n", score_table(runs, best),
      "\nThe run that is kept, largest probability at equal class frequencies, with 95 % Wilson intervals:\n\n",
      confusion_table(scores.at("confusion")), "\nThe same by its thresholds at 722:722:11:\n\n",
      confusion_table(scores.at("confusion_survey")));
}

}  // namespace

Json train_highz(TrainHighzOptions const& given) {
  TrainHighzOptions o = given;
  require<d16::ValueError>(o.set == "balanced" || o.set == "poster", "--set ", o.set, ": it is balanced or poster");
  if (o.count == 0) o.count = o.set == "poster" ? d16::sim::Survey::poster_size : 9000;
  HighzVariant variant = highz_variant(o.variant, o.side);
  bool const plain = o.precision == "float32" && o.accumulate == 1;
  require<d16::ValueError>(plain || variant.kind == HighzVariant::Kind::network, "--variant ", o.variant,
                           ": --precision and --accumulate are for networks");
  precision_of(o.precision, o.device);  // tells before the objects are made that the device has it not
  Places places(o, variant);
  HighzCache cache(o.data, join(places.folder, "objects"), {.threshold = o.threshold}, o.side);
  check_folder(places, o);
  Objects sets{cache.load(o.set == "poster" ? "train_poster" : "train", o.count),
               cache.load("validation", o.validation), cache.load("test", o.test)};
  for (int64_t k = 0; k < o.runs; ++k) {
    std::vector<Json> done = lines_of(places.runs());
    bool has = std::any_of(done.begin(), done.end(), [&](Json const& line) { return line.integer("run") == k; });
    if (!has) do_run(k, variant, sets, cache, places, o);
  }
  std::vector<Json> runs = lines_of(places.runs());
  size_t best = 0;
  for (size_t k = 1; k < runs.size(); ++k)
    if (runs[k].number("validation_loss") < runs[best].number("validation_loss")) best = k;
  io::write_file(places.weights, io::read_file(places.run(runs[best].integer("run")) + places.ending));
  io::write_file(places.card, card(o, variant, runs, best));
  say(text(places.weights, ", ", places.card, " and ", places.folder, "/ written"));
  Json answer = Json::object({{"weights", places.weights},
                              {"card", places.card},
                              {"runs", int64_t(runs.size())},
                              {"best_run", runs[best].integer("run")},
                              {"simulated", true},
                              {"scores", runs[best].at("scores")}});
  for (Row const& row : rows) {
    learn::Spread s = learn::spread_of_runs(over_runs(runs, row.key));
    answer["spread"][row.key] = Json::object({{"mean", s.mean}, {"low", s.low}, {"high", s.high}});
  }
  return answer;
}

}  // namespace tool
