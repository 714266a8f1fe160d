// d16 study highz: every classifier of the second system on the same simulated survey, in units that can be resumed.
#include "study_highz.hpp"

#include <filesystem>

#include <d16/io/safetensors.hpp>

#include "highz_models.hpp"

namespace tool {

using d16::Tensor;
using d16::text;
namespace fs = std::filesystem;
namespace io = d16::io;
namespace sim = d16::sim;

namespace {

struct Unit {
  HighzVariant variant;
  int64_t run;
  std::string name() const { return text(variant.name, "-", run); }
};

int64_t runs_of(HighzVariant const& v, StudyHighzOptions const& o) {
  bool random = v.kind == HighzVariant::Kind::network || v.kind == HighzVariant::Kind::trees;
  return v.name == "main" ? o.runs : random ? std::min<int64_t>(o.runs, 3) : 1;
}

/// What is quick first, then three runs of the main network, the other networks, and the rest of the main ones.
std::vector<Unit> units_of(StudyHighzOptions const& o) {
  std::vector<Unit> quick, first, others, last;
  for (int64_t run = 0; run < o.runs; ++run)
    for (HighzVariant const& v : highz_variants(o.side)) {
      if (run >= runs_of(v, o) || (!o.only.empty() && v.name != o.only)) continue;
      bool network = v.kind == HighzVariant::Kind::network;
      (!network ? quick : v.name != "main" ? others : run < 3 ? first : last).push_back({v, run});
    }
  for (auto const* list : {&first, &others, &last}) quick.insert(quick.end(), list->begin(), list->end());
  return quick;
}

/// Logits of all parts, float32.
io::TensorFile test(HighzClassifier const& classifier, Unit const& unit, HighzCache const& cache,
                    StudyHighzOptions const& o) {
  io::TensorFile file{.metadata = {{"unit", unit.name()}}};
  auto run = [&](std::string const& part, std::string const& name, int64_t count, BandsShown shown) {
    Tensor all = d16::empty({count, 3}, {.device = d16::Device()});
    cache.for_chunks(part, count, [&](HighzSet const& set, int64_t at) {
      Tensor y = classifier.logits(set, shown).cast(d16::DType::f32).contiguous();
      std::copy_n(y.data<float>(), y.numel(), all.data<float>() + 3 * at);
      check_interrupted();
    });
    file.tensors.emplace_back(name, all);
  };
  for (std::string const& part : study_parts()) run(part, part, study_count(o, part), {});
  if (unit.variant.name != "no-hog") return file;
  for (uint32_t b = 0; b < uint32_t(highz_bands); ++b)
    for (bool told : {false, true})
      run("test", text(told ? "missing-" : "zeroed-", sim::survey_bands[b]), study_zeroed_count(o),
          {.mask = 0x7fu & ~(1u << b), .told = told});
  return file;
}

HighzScores scores_of(io::TensorFile const& file, Tensor const& label, std::vector<double> const& snr,
                      HighzRule const& rule, double low, double high) {
  return score_highz(file.at("test").cast(d16::DType::f64), label, highz_rows(snr, low, high), rule);
}

struct Truth {
  Tensor label;
  std::vector<double> snr;
};
Truth truth_of(HighzCache const& cache, std::string const& part, int64_t count) {
  Truth out;
  std::vector<int64_t> label;
  cache.for_chunks(part, count, [&](HighzSet const& set, int64_t) {
    for (int64_t i = 0; i < set.size(); ++i)
      label.push_back(set.label.data<int64_t>()[i]), out.snr.push_back(set.snr(i));
  });
  out.label = d16::from(label, {int64_t(label.size())});
  return out;
}

void do_unit(Unit const& unit, HighzCache const& cache, HighzSet const& train, HighzSet const& validation,
             Truth const& truth, StudyHighzOptions const& o) {
  Stopwatch watch;
  HighzTraining training{
      .epochs = o.epochs, .batch = o.batch, .seed = o.seed * 1000 + uint64_t(unit.run), .quiet = true};
  training.device = o.device;
  std::string place = join(join(o.out, "units"), unit.name());
  HighzClassifier classifier = train_highz_run(unit.variant, train, validation, cache, place + ".training", training);
  HighzRule rule = fit_highz_rule(classifier.logits(validation, {}), validation);
  io::TensorFile file = test(classifier, unit, cache, o);
  HighzScores good = scores_of(file, truth.label, truth.snr, rule, 10, 1e300);
  HighzScores faint = scores_of(file, truth.label, truth.snr, rule, 5, 10);
  if (classifier.save) {
    Json about = highz_about(unit.variant, rule, training, o.threshold, o.side);
    about["scores"] = good.json();
    classifier.save(place + (unit.variant.kind == HighzVariant::Kind::trees ? ".json" : ".safetensors"), about);
  }
  io::write_safetensors(study_logits_path(o.out, unit.name()), file);
  append_study_result(o.out, Json::object({{"unit", unit.name()},
                                           {"variant", unit.variant.name},
                                           {"what", unit.variant.what},
                                           {"run", unit.run},
                                           {"seed", training.seed},
                                           {"train", train.size()},
                                           {"training_seconds", classifier.seconds},
                                           {"unit_seconds", watch.seconds()},
                                           {"weights", classifier.weights},
                                           {"best_epoch", classifier.best_epoch},
                                           {"validation_loss", classifier.validation_loss},
                                           {"temperature", rule.temperature},
                                           {"threshold_high_z", rule.high_z},
                                           {"threshold_dwarf", rule.brown_dwarf},
                                           {"snr_10", good.json()},
                                           {"snr_5_10", faint.json()}}));
  std::error_code ignored;
  fs::remove_all(place + ".training", ignored);
  say(text(unit.name(), ": training ", duration(classifier.seconds), ", validation loss ",
           decimals(classifier.validation_loss, 4), ", S/N >= 10: accuracy ", decimals(good.accuracy, 3),
           ", high-z purity ", decimals(good.purity, 3), " at ", decimals(good.completeness, 3), ", dwarf precision ",
           decimals(good.precision, 3), " at ", decimals(good.recall, 3)));
}

}  // namespace

std::vector<std::string> study_parts() {
  return {"validation", "test",    "heldout", "heldout_templates", "heldout_library", "heldout_psf",
          "red_dots",   "bimodal", "stress"};
}
int64_t study_count(StudyHighzOptions const& o, std::string const& part) {
  return part == "train" ? o.train : part == "validation" ? o.validation : part == "test" ? o.test : o.extra;
}
int64_t study_zeroed_count(StudyHighzOptions const& o) { return std::min<int64_t>(o.test, 3000); }
Json study_highz(StudyHighzOptions const& o) {
  Stopwatch watch;
  if (!o.only.empty()) highz_variant(o.only, o.side);  // an unknown name is told now
  sim::SurveyOptions survey{.threshold = o.threshold};
  HighzCache cache(o.data, join(o.out, "cache"), survey, o.side);
  fs::create_directories(join(o.out, "units"));
  HighzSet train = cache.load("train", o.train), validation = cache.load("validation", o.validation);
  Truth truth = truth_of(cache, "test", o.test);
  for (std::string const& part : study_parts())
    cache.for_chunks(part, study_count(o, part), [](HighzSet const&, int64_t) {});
  say(text("prepared: ", o.train, " training, ", o.validation, " validation, ", o.test, " test objects, ", o.extra,
           " of each further part; ", duration(watch.seconds())));
  for (Unit const& unit : units_of(o)) {
    if (is_study_unit_done(study_results(o.out), unit.name())) continue;
    if (o.minutes > 0 && watch.seconds() > 60 * o.minutes) break;
    do_unit(unit, cache, train, validation, truth, o);
  }
  return study_highz_report(o);
}

}  // namespace tool
