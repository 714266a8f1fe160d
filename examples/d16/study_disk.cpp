// d16 study disk: classifiers side by side on clean, noisy and denoised pictures, in units that can be resumed.
#include "study_disk.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <stamp.hpp>

#include <d16/io/checkpoint.hpp>
#include <d16/learn/intervals.hpp>
#include <d16/nn/unet_vae.hpp>
#include <d16/optim/adam.hpp>
#include <d16/optim/schedule.hpp>
#include <d16/optim/trainer.hpp>
#include <d16/vision/quality.hpp>
#include <d16/vision/segment.hpp>

#include "sha256.hpp"
#include "study_disk_mnist.hpp"

namespace tool {

using d16::DType;
using d16::require;
using d16::Tensor;
using d16::text;
namespace fs = std::filesystem;
namespace io = d16::io;
namespace learn = d16::learn;
namespace nn = d16::nn;
namespace optim = d16::optim;
namespace vision = d16::vision;

namespace {

constexpr double learning_rates[] = {1e-3, 3e-3, 1e-2};
constexpr double beta = 0.01,
                 average = 0.998;  ///< of the denoiser's KL and of the mean of its weights, as of `train denoise`

/// One training with its tests, or one measurement.
struct Unit {
  enum class Kind { tune, main, speed, digits, exposure };
  Kind kind = Kind::main;
  std::string model, regime;
  int64_t seed = 0;
  double lr = 0;  ///< of tune units; others take the best of these
  DiskQuestion question = {};

  std::string name() const {
    if (kind == Kind::speed) return text("speed-", model);
    if (kind == Kind::digits) return text("digits-", model);
    if (kind == Kind::exposure) return text("exposure-", model, "-", regime);
    if (kind == Kind::tune) return text("tune-", model, "-", lr);
    std::string asked = question.name();
    return text(model, "-", regime, asked.empty() ? "" : "-", asked, "-", seed);
  }
};

void add_main(std::vector<Unit>& out, std::string const& model, std::string const& regime, int64_t seed,
              DiskQuestion question = {}) {
  out.push_back({Unit::Kind::main, model, regime, seed, 0, question});
}

/// In the order of worth: what is compared with each other stands together, seed by seed.
std::vector<Unit> units_of(StudyDiskOptions const& o) {
  std::vector<Unit> tune_first, tune_others, first, others, last, questions;
  std::vector<DiskModel> models = disk_models();
  for (DiskModel const& m : models)
    for (double lr : learning_rates)
      (m.all_regimes ? tune_first : tune_others).push_back({Unit::Kind::tune, m.name, "b", 0, lr, {}});
  for (int64_t seed = 0; seed < o.seeds; ++seed)
    for (char const* regime : {"b", "d", "e", "a"})
      for (DiskModel const& m : models) {
        bool b_or_d = *regime == 'b' || *regime == 'd';
        if (m.all_regimes) add_main(seed < 3 ? first : last, m.name, regime, seed);
        else if (b_or_d && seed < 3) add_main(others, m.name, regime, seed);
      }
  using Kind = DiskQuestion::Kind;
  for (char const* model : {"d16", "cnn"}) {
    for (int64_t seed = 0; seed < std::min(o.seeds, longer_seeds); ++seed)
      for (char const* regime : {"b", "d"}) add_main(questions, model, regime, seed, {Kind::epochs, longer_epochs});
    for (double share : {0.5, 0.25, 0.125}) add_main(questions, model, "b", 0, {Kind::size, share});
    for (double share : {0.05, 0.1, 0.2, 0.4}) add_main(questions, model, "b", 0, {Kind::labels, share});
    for (double side : {32.0, 48.0}) add_main(questions, model, "b", 0, {Kind::patch, side});
    add_main(questions, model, "b", 0, {Kind::classes, 0});
    add_main(questions, model, "b", 0, {Kind::selection, 0});
    add_main(questions, model, "b", 0, {Kind::channels, 3});
    for (char const* regime : {"b", "d", "e"}) questions.push_back({Unit::Kind::exposure, model, regime, 0, 0, {}});
  }
  for (DiskModel const& m : models) questions.push_back({Unit::Kind::speed, m.name, "", 0, 0, {}});
  if (has_digits(o))
    for (char const* model : {"d16", "d32", "cnn"}) questions.push_back({Unit::Kind::digits, model, "", 0, 0, {}});
  std::vector<Unit> out = tune_first;
  for (auto const* list : {&first, &tune_others, &others, &last}) out.insert(out.end(), list->begin(), list->end());
  if (o.questions) out.insert(out.end(), questions.begin(), questions.end());
  auto unwanted = [&](Unit const& u) {  // no training goes without its learning rates
    bool whole = o.only.empty() || u.model == o.only, tunes = u.kind == Unit::Kind::tune;
    return !whole && !(tunes ? o.only.starts_with(u.model + "/") : text(u.model, "/", u.regime) == o.only);
  };
  std::erase_if(out, unwanted);
  return out;
}

/// The learning rate with the best AUC on validation among those tried.
double best_rate(std::vector<Json> const& results, std::string const& model) {
  double best = -1, rate = 0;
  for (Json const& line : results)
    if (line.string("kind") == "tune" && line.string("model") == model && line.number("validation_auc") > best)
      best = line.number("validation_auc"), rate = line.number("lr");
  require<d16::ValueError>(rate > 0, "study disk: no learning rate was tried for ", model,
                           "; run its units of tuning first");
  return rate;
}

// --- the denoiser ------------------------------------------------------------------------------------------------------

/// Trained on the same views of the training pictures as the classifiers. It ends as OUT/denoiser.safetensors.
class Denoiser {
 public:
  Denoiser(StudyDiskOptions const& o, DiskData& data) : o_(o), path_(join(o.out, "denoiser.safetensors")) {
    if (!is_file(path_)) train(data);
    sha_ = use_disk_denoiser(path_, data);
  }
  std::string const& sha256() const { return sha_; }

 private:
  void train(DiskData const& data) const {
    Stopwatch watch;
    d16::manual_seed(o_.seed);
    auto net = o_.denoiser.empty()
                   ? nn::Stage(nn::UNetVae({.size = int(disk_side), .channels = 1, .widths = {8, 16, 32, 64}}))
                   : std::move(d16::load_network(o_.denoiser).net);
    nn::UNetVae* vae = net.as<nn::UNetVae>();
    require<d16::WeightsError>(vae && vae->options().channels == 1, o_.denoiser,
                               ": a U-Net VAE of one channel (d16 train denoise) is needed");
    require<d16::ValueError>(o_.denoiser_epochs > 0 || !o_.denoiser.empty(),
                             "study disk: a denoiser with fresh weights needs training; give --denoiser or epochs");
    if (o_.denoiser_epochs > 0) fit(*vae, data);
    vae->eval();
    auto [before, after] = psnr_of(*vae, data.pairs("validation"));
    Json about = Json::object({{"task", "denoise"},
                               {"size", disk_side},
                               {"simulated", "noise and objects, at the level of appearance"},
                               {"split", data.split_text()},
                               {"began_with", o_.denoiser.empty() ? std::string() : sha256_of_file(o_.denoiser)},
                               {"psnr_noisy", before},
                               {"psnr_denoised", after},
                               {"command", command_line()},
                               {"d16", text(d16::stamp::version, " ", d16::stamp::commit)}});
    d16::save(*vae, path_, about);
    say(text("denoiser: ", duration(watch.seconds()), ", PSNR on validation ", decimals(before, 2), " -> ",
             decimals(after, 2), " dB"));
  }
  void fit(nn::UNetVae& vae, DiskData const& data) const {
    optim::AdamW optimiser(vae.parameters(), {.lr = 1e-3, .weight_decay = 1e-4});
    optim::TrainerOptions t;
    t.epochs = int(o_.denoiser_epochs), t.out = join(join(o_.out, "units"), "denoiser.training"), t.resume = true;
    t.average = average, t.progress = nullptr;
    t.schedule = optim::CosineSchedule{.epochs = double(o_.denoiser_epochs), .warmup = 0.5, .floor = 0.01};
    t.on_step = [](int, int64_t, int64_t, double) { check_interrupted(); };
    optim::Trainer trainer(vae, optimiser, t);
    DiskPairs view;
    trainer.fit(
        [&](int epoch) {
          view = data.pairs(text("train-", epoch - 1));
          return rows_of(view.seen.dim(0), epoch);
        },
        [&](std::vector<int64_t> const& rows) {
          return nn::vae_loss(vae.encode_decode(gathered(view.seen, rows)), gathered(view.target, rows), beta);
        },
        [&] { return psnr_of(vae, data.pairs("validation")).second; });
  }
  std::vector<std::vector<int64_t>> rows_of(int64_t count, int epoch) const {
    d16::Random random(o_.seed * 7919 + uint64_t(epoch), 0xde);
    std::vector<int64_t> order;
    for (int64_t i = 0; i < count; ++i) order.push_back(i);
    for (size_t i = order.size() - 1; i > 0; --i) std::swap(order[i], order[size_t(random.integer(int64_t(i + 1)))]);
    std::vector<std::vector<int64_t>> out;
    for (int64_t at = 0, n = std::min(o_.batch, count); at + n <= count; at += n)
      out.emplace_back(order.begin() + at, order.begin() + at + n);
    return out;
  }
  static Tensor gathered(Tensor const& x, std::vector<int64_t> const& rows) {
    Tensor out = d16::empty({int64_t(rows.size()), x.dim(1), x.dim(2), x.dim(3)}, x.like());
    int64_t values = x.numel() / x.dim(0);
    for (size_t i = 0; i < rows.size(); ++i)
      std::copy_n(x.data<d16::bf16>() + rows[i] * values, values, out.data<d16::bf16>() + int64_t(i) * values);
    return out.cast(DType::f32);
  }
  /// Mean over the first of the pictures, of noisy and of denoised.
  static std::pair<double, double> psnr_of(nn::UNetVae& net, DiskPairs const& pairs) {
    d16::NoGrad off;
    double before = 0, after = 0;
    int64_t n = std::min<int64_t>(256, pairs.seen.dim(0));
    for (int64_t at = 0; at < n; at += 32) {
      std::vector<int64_t> rows;
      for (int64_t i = at; i < std::min(n, at + 32); ++i) rows.push_back(i);
      Tensor seen = gathered(pairs.seen, rows), target = gathered(pairs.target, rows), out = net(seen);
      for (int64_t i = 0; i < seen.dim(0); ++i) {
        before += vision::psnr(seen.select(0, i), target.select(0, i)) / double(n);
        after += vision::psnr(out.select(0, i), target.select(0, i)) / double(n);
      }
    }
    return {before, after};
  }

  StudyDiskOptions const& o_;
  std::string path_, sha_;
};

// --- tests of a classifier -----------------------------------------------------------------------------------------------

struct Score {
  double auc, balanced;
  Json json() const { return Json::object({{"auc", auc}, {"balanced_accuracy", balanced}}); }
};
Score score_of(std::vector<double> const& p, std::vector<int64_t> const& label, double threshold) {
  std::vector<int64_t> calls;
  for (double v : p) calls.push_back(v >= threshold);
  int64_t n = int64_t(p.size());
  Tensor truth = d16::from(label, {n});
  return {learn::roc_auc(d16::from(p, {n}), truth),
          learn::balanced_accuracy(learn::confusion_matrix(truth, d16::from(calls, {n}), 2))};
}

/// How pictures are brought to a classifier in the tests of one regime.
struct Shown {
  std::string regime;      ///< as disk_seen() takes it
  std::string column;      ///< of the table: clean, a, b, c, d, e, views
  std::string validation;  ///< part that its rule is fitted on
  std::vector<std::string> parts;
  bool views = false;
};

std::vector<Shown> shown_in(Unit const& unit, DiskData const& data) {
  std::vector<std::string> all = data.tested(), clean, ladder = disk_ladder();
  for (std::string const& part : all)
    if (ends_with(part, "-clean")) clean.push_back(part);
  std::erase_if(all, [](std::string const& part) { return ends_with(part, "-clean"); });
  if (unit.question.kind != DiskQuestion::Kind::none) {
    ladder.push_back("mergers");
    std::erase_if(ladder, [&](std::string const& p) {
      return p == "mergers" && std::find(all.begin(), all.end(), p) == all.end();
    });
    for (std::string& part : ladder) part = part == "mergers" ? part : unit.question.part(part);
    if (unit.question.kind == DiskQuestion::Kind::channels) std::erase(ladder, "mergers");  // they are grey
    return {{unit.regime, unit.regime, unit.question.part("validation"), ladder}};
  }
  if (unit.regime == "a")
    return {{"b", "clean", "validation-clean", clean}, {"b", "a", "validation", all}, {"c", "c", "validation", all}};
  std::vector<Shown> out{{unit.regime, unit.regime, "validation", all}};
  if (unit.model == "cnn" && unit.regime != "e") out.push_back({unit.regime, "views", "validation", ladder, true});
  return out;
}

/// How single classes are told apart, all levels together, and what mergers are called, which were never trained on.
void add_classes(Json& scores, io::TensorFile const& file, Shown const& shown, DiskData const& data) {
  std::vector<int64_t> confusion(9), mergers(3);
  for (std::string const& part : shown.parts) {
    DiskSet set = data.load(part);
    Tensor calls = learn::argmax(file.at(shown.column + "/" + part));
    for (int64_t i = 0; i < set.size(); ++i) {
      int64_t kind = set.kind.data<int64_t>()[i], call = calls.data<int64_t>()[i];
      ++(DiskClass(kind) == DiskClass::merger ? mergers[size_t(call)] : confusion[size_t(3 * kind + call)]);
    }
  }
  scores["classes"] = Json::array({"elliptical", "spiral", "edge_on"});
  scores["confusion"] = confusion, scores["mergers_called"] = mergers;
}

/// Logits less the first of each picture, which changes no probability, to 1/1024: so they pack well, and whoever has
/// the file finds the same scores.
Tensor kept(Tensor const& logits) {
  Tensor out = d16::empty(logits.shape());
  int64_t classes = logits.dim(1);
  for (int64_t i = 0; i < logits.numel(); ++i) {
    float const *z = logits.data<float>(), above_first = z[i] - z[i - i % classes];
    out.data<float>()[i] = std::round(above_first * 1024) / 1024;
  }
  return out;
}

/// Runs the tests of one classifier: its logits go into a file, "COLUMN/PART" each.
Json test_classifier(DiskClassifier const& c, Unit const& unit, DiskData const& data, io::TensorFile& file) {
  Json out = Json::object({});
  int64_t side = unit.question.kind == DiskQuestion::Kind::patch ? int64_t(unit.question.value) : disk_side;
  for (Shown const& shown : shown_in(unit, data)) {
    DiskSet validation = data.load(shown.validation);
    Tensor logits = kept(disk_logits(*c.net, disk_seen(validation, shown.regime, side), shown.views));
    DiskRule rule = fit_disk_rule(logits, validation);
    std::vector<double> p;
    std::vector<int64_t> label;
    for (std::string const& part : shown.parts) {
      DiskSet set = data.load(part);
      Tensor y = kept(disk_logits(*c.net, disk_seen(set, shown.regime, side), shown.views));
      file.tensors.emplace_back(shown.column + "/" + part, y);
      if (part.find("test-") == part.npos) continue;
      std::vector<double> some = disk_probabilities(y, rule.temperature);
      p.insert(p.end(), some.begin(), some.end());
      for (int64_t i = 0; i < set.size(); ++i) label.push_back(set.is_disk(i));
    }
    Json scores = score_of(p, label, rule.threshold).json();
    if (unit.question.kind == DiskQuestion::Kind::classes) add_classes(scores, file, shown, data);
    scores["temperature"] = rule.temperature, scores["threshold"] = rule.threshold;
    out[shown.column] = scores;
  }
  return out;
}

// --- units -------------------------------------------------------------------------------------------------------------

Json line_of(Unit const& unit, DiskModel const& model, double lr, DiskTraining const& t, Denoiser const& denoiser) {
  constexpr char const* kinds[] = {"tune", "main", "speed", "digits", "exposure"};
  return Json::object({{"unit", unit.name()},
                       {"kind", unit.question.kind == DiskQuestion::Kind::none ? kinds[int(unit.kind)] : "question"},
                       {"model", unit.model},
                       {"regime", unit.regime},
                       {"question", unit.question.name()},
                       {"seed", t.seed},
                       {"run", unit.seed},
                       {"epochs", t.epochs},
                       {"lr", lr},
                       {"weights", model.weights},
                       {"multiply_adds", model.multiply_adds},
                       {"denoiser_sha256", denoiser.sha256()},
                       {"d16", text(d16::stamp::version, " ", d16::stamp::commit)}});
}

/// The classifier that this line tells of, where its weights lie in the folder: only its tests are done again then, as
/// after results.jsonl was removed because the test pictures have changed.
std::optional<DiskClassifier> trained_before(std::string const& weights, Json const& line) {
  if (!is_file(weights)) return {};
  d16::LoadedNetwork loaded = d16::load_network(weights);
  bool sees_noise_alone = line.string("regime") == "a" || line.string("regime") == "b";
  for (char const* key : {"unit", "seed", "epochs", "lr", "weights", "denoiser_sha256"}) {
    if (sees_noise_alone && std::string(key) == "denoiser_sha256") continue;
    if (!loaded.about.has(key) || loaded.about.at(key).dump() != line.at(key).dump()) return {};
  }
  DiskClassifier out{std::make_shared<nn::Stage>(std::move(loaded.net))};
  out.validation_auc = loaded.about.number("validation_auc"), out.loss = loaded.about.number("training_loss");
  out.wall_seconds = loaded.about.number("training_seconds"),
  out.cpu_seconds = loaded.about.number("training_cpu_seconds");
  return out;
}

void do_training(Unit const& unit, DiskData const& data, Denoiser const& denoiser, StudyDiskOptions const& o) {
  DiskModel model = disk_model(unit.model);
  bool tune = unit.kind == Unit::Kind::tune;
  int64_t longer = unit.question.kind == DiskQuestion::Kind::epochs ? int64_t(unit.question.value) : 1;
  DiskTraining t{.regime = unit.regime,
                 .epochs = tune ? o.tune_epochs : o.epochs * longer,
                 .batch = o.batch,
                 .lr = tune ? unit.lr : best_rate(study_results(o.out), unit.model),
                 .seed = o.seed * 1000 + uint64_t(unit.seed),
                 .question = unit.question};
  std::string place = join(join(o.out, "units"), unit.name());
  Stopwatch watch;
  Json line = line_of(unit, model, t.lr, t, denoiser);
  std::optional<DiskClassifier> before = trained_before(place + ".safetensors", line);
  DiskClassifier c = before ? *before : train_disk_unit(model, data, place + ".training", t);
  line["validation_auc"] = c.validation_auc, line["training_loss"] = c.loss;
  line["training_seconds"] = c.wall_seconds, line["training_cpu_seconds"] = c.cpu_seconds;
  std::string words;
  if (!tune) {
    io::TensorFile file{.metadata = {{"unit", unit.name()}}};
    line["scores"] = test_classifier(c, unit, data, file);
    io::write_safetensors(study_logits_path(o.out, unit.name()), file);
    for (auto const& [column, score] : line.at("scores").object())
      words += text(", ", column, ": balanced ", decimals(score.number("balanced_accuracy"), 3), " AUC ",
                    decimals(score.number("auc"), 3));
    d16::save(*c.net->module(), place + ".safetensors", line);
  }
  line["unit_seconds"] = watch.seconds();
  append_study_result(o.out, line);
  std::error_code ignored;
  fs::remove_all(place + ".training", ignored);
  say(text(unit.name(), ": ", duration(watch.seconds()), " (training ", duration(c.cpu_seconds),
           " of a core), validation AUC ", decimals(c.validation_auc, 4), words));
}

/// A pass over a batch again and again for a second: images per second, and the memory that it takes beyond what was
/// there, in MiB.
template <class Pass> Json measured(int64_t batch, Pass const& pass) {
  auto& arena = d16::host_arena();
  arena.trim();
  size_t before = arena.use().used;
  pass();
  size_t after = arena.use().used + arena.use().cached;  // the arena keeps what a pass took
  Stopwatch watch;
  int64_t images = 0;
  while (watch.seconds() < 1) pass(), images += batch;
  return Json::object(
      {{"images_per_second", double(images) / watch.seconds()}, {"memory_mib", double(after - before) / 1048576}});
}

/// Images per second and memory against the batch, in inference and in training.
void measure_speed(Unit const& unit, Denoiser const& denoiser, StudyDiskOptions const& o) {
  DiskModel model = disk_model(unit.model);
  nn::Stage net = nn::build(model.network({.size = int(disk_side), .channels = 1, .classes = 2}));
  Json line = line_of(unit, model, 0, {}, denoiser), rows = Json::array({});
  for (int64_t batch : {1, 8, 64, 256}) {
    Tensor x = d16::uniform({batch, disk_side, disk_side, 1});
    Tensor label = d16::zeros({batch}, {.dtype = DType::i64});
    net.module()->train();
    Json training = measured(batch, [&] {
      d16::cross_entropy(net(x), label).backward();
      net.module()->zero_grad();
    });
    net.module()->eval();
    d16::NoGrad off;
    Json row = measured(batch, [&] { net(x); });
    row["batch"] = batch, row["training"] = training;
    rows.push_back(row);
    check_interrupted();
  }
  line["speed"] = rows;
  line["threads"] = o.threads;
  append_study_result(o.out, line);
  say(text(unit.name(), ": ", decimals(rows.array().back().number("images_per_second"), 0), " images/s"));
}

/// A finished classifier on simulated galaxies that were exposed for longer and longer.
void measure_exposures(Unit const& unit, DiskData const& data, Denoiser const& denoiser, StudyDiskOptions const& o) {
  std::string of = text(unit.model, "-", unit.regime, "-0"), weights = join(join(o.out, "units"), of + ".safetensors");
  if (!is_file(weights)) return say(text(unit.name(), ": waits for ", of));
  DiskModel model = disk_model(unit.model);
  d16::LoadedNetwork loaded = d16::load_network(weights);
  Json const& rule = loaded.about.at("scores").at(unit.regime);
  Json line = line_of(unit, model, 0, {.regime = unit.regime}, denoiser), rows = Json::array({});
  io::TensorFile file{.metadata = {{"unit", unit.name()}}};
  for (double times : disk_exposures) {
    DiskSet set = data.load(text("exposure-", times));
    Tensor y = kept(disk_logits(loaded.net, disk_seen(set, unit.regime)));
    Tensor label = disk_labels(set);
    Score score = score_of(disk_probabilities(y, rule.number("temperature")),
                           {label.data<int64_t>(), label.data<int64_t>() + label.numel()}, rule.number("threshold"));
    Json row = score.json();
    row["exposure"] = times, row["pictures"] = set.size();
    rows.push_back(row);
    file.tensors.emplace_back(text(unit.regime, "/exposure-", times), y);
  }
  line["exposures"] = rows;
  io::write_safetensors(study_logits_path(o.out, unit.name()), file);
  append_study_result(o.out, line);
  say(text(unit.name(), ": balanced ", decimals(rows.array().front().number("balanced_accuracy"), 3), " to ",
           decimals(rows.array().back().number("balanced_accuracy"), 3)));
}

void do_digits(Unit const& unit, Denoiser const& denoiser, StudyDiskOptions const& o) {
  Stopwatch watch;
  DiskModel model = disk_model(unit.model);
  double lr = best_rate(study_results(o.out), unit.model);
  RotatedDigits r = rotated_digits(model, lr, o);
  Json line = line_of(unit, model, lr, {}, denoiser);
  line["trained_upright"] = r.upright, line["trained_turned"] = r.turned, line["train"] = r.train,
  line["test"] = r.test;
  line["unit_seconds"] = watch.seconds();
  append_study_result(o.out, line);
  say(text(unit.name(), ": ", duration(watch.seconds()), ", accuracy on turned digits ", decimals(r.turned, 4),
           ", trained on upright ones ", decimals(r.upright, 4)));
}

/// Pictures of a part as light before and after the denoiser, and without noise.
struct Lights {
  Tensor noisy, denoised, clean;
};
Lights lights_of(DiskData const& data, DiskPairs const& pairs) {
  Tensor seen = pairs.seen.cast(DType::f32);
  return {disk_light(seen, pairs.stretch), disk_light(data.denoise(seen), pairs.stretch),
          disk_light(pairs.target.cast(DType::f32), pairs.stretch)};
}

/// Sources above 3 sigma of the noise, in all frames together.
int64_t sources_in(Tensor const& light, DiskPairs const& pairs) {
  int64_t count = 0;
  for (int64_t n = 0; n < light.dim(0); ++n) {
    Tensor frame = (light.select(0, n) - pairs.stretch[size_t(n)].bands[0].sky).reshape({disk_side, disk_side});
    auto found = vision::segment(frame.contiguous(), pairs.stretch[size_t(n)].bands[0].sigma, {}, {.threshold = 3});
    count += int64_t(found.sources.size());
  }
  return count;
}

/// How much of what the second half of the pictures has and the first has not is left: of each pair of pictures, the
/// difference projected on the true one.
std::vector<double> left_of(Tensor const& light, Tensor const& clean) {
  std::vector<double> out;
  int64_t pairs = light.dim(0) / 2, values = light.numel() / light.dim(0);
  for (int64_t n = 0; n < pairs; ++n) {
    double along = 0, squares = 0;
    for (int64_t k = 0; k < values; ++k) {
      int64_t without = n * values + k, with = (pairs + n) * values + k;
      double truth = double(clean.data<float>()[with] - clean.data<float>()[without]);
      along += truth * double(light.data<float>()[with] - light.data<float>()[without]), squares += truth * truth;
    }
    if (squares > 0) out.push_back(along / squares);
  }
  return out;
}

double mean_psnr(Tensor const& seen, DiskPairs const& pairs) {
  double sum = 0;
  Tensor target = pairs.target.cast(DType::f32);
  for (int64_t n = 0; n < seen.dim(0); ++n) sum += vision::psnr(seen.select(0, n), target.select(0, n));
  return sum / double(seen.dim(0));
}

/// What the denoiser does to pictures, without a classifier: sources in frames of nothing, faint arms, PSNR.
void measure_denoiser(DiskData const& data, Denoiser const& denoiser, StudyDiskOptions const& o) {
  DiskPairs nothing = data.pairs("noise");
  Lights light = lights_of(data, nothing);
  Json levels = Json::array({});
  for (double snr : disk_snr) {
    DiskPairs arms = data.pairs(text("arms-", snr)), test = data.pairs(disk_part(snr, 1.5));
    Lights l = lights_of(data, arms);
    learn::Spread before = learn::spread_of_runs(left_of(l.noisy, l.clean)),
                  after = learn::spread_of_runs(left_of(l.denoised, l.clean));
    Tensor seen = test.seen.cast(DType::f32);
    levels.push_back(Json::object({{"snr", snr},
                                   {"arms_left_noisy", before.mean},
                                   {"arms_left_noisy_error", before.error_of_mean},
                                   {"arms_left_denoised", after.mean},
                                   {"arms_left_denoised_error", after.error_of_mean},
                                   {"psnr_noisy", mean_psnr(seen, test)},
                                   {"psnr_denoised", mean_psnr(data.denoise(seen), test)}}));
  }
  Json line = Json::object({{"unit", "denoiser"},
                            {"kind", "denoiser"},
                            {"denoiser_sha256", denoiser.sha256()},
                            {"frames_of_nothing", nothing.seen.dim(0)},
                            {"sources_noisy", sources_in(light.noisy, nothing)},
                            {"sources_denoised", sources_in(light.denoised, nothing)},
                            {"levels", levels},
                            {"d16", text(d16::stamp::version, " ", d16::stamp::commit)}});
  append_study_result(o.out, line);
  say(text("denoiser: ", line.integer("sources_noisy"), " sources above 3 sigma in ", nothing.seen.dim(0),
           " frames of nothing, ", line.integer("sources_denoised"), " after it"));
}

}  // namespace

Json study_disk(StudyDiskOptions const& o) {
  if (o.report) return study_disk_report(o);
  Stopwatch watch;
  std::vector<Unit> units = units_of(o);
  require<d16::ValueError>(!units.empty(), "--only ", o.only, ": no unit is called so; it is MODEL or MODEL/REGIME, ",
                           "as d16/b");
  for (DiskModel const& m : disk_models())
    say(text(m.name, ": ", m.what, ", ", m.weights, " weights, ", decimals(double(m.multiply_adds) / 1e6, 2),
             " million multiply-adds"));
  std::error_code error;
  fs::create_directories(join(o.out, "units"), error);
  StudyLock lock(o.out);
  DiskData data(o);
  say("data: " + data.split_text());
  Denoiser denoiser(o, data);
  say(text("prepared after ", duration(watch.seconds()), ", denoiser ", denoiser.sha256()));
  if (!is_study_unit_done(study_results(o.out), "denoiser")) measure_denoiser(data, denoiser, o);
  for (Unit const& unit : units) {
    if (is_study_unit_done(study_results(o.out), unit.name())) continue;
    if (o.minutes > 0 && watch.seconds() > 60 * o.minutes) break;
    if (unit.kind == Unit::Kind::speed) measure_speed(unit, denoiser, o);
    else if (unit.kind == Unit::Kind::digits) do_digits(unit, denoiser, o);
    else if (unit.kind == Unit::Kind::exposure) measure_exposures(unit, data, denoiser, o);
    else do_training(unit, data, denoiser, o);
  }
  return study_disk_report(o);
}

}  // namespace tool
