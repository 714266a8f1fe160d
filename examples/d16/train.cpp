// d16 train disk | denoise: trains a network on pictures; writes weights, log, checkpoints and a model card.
#include <stamp.hpp>

#include <d16/data/ahead.hpp>
#include <d16/io/checkpoint.hpp>
#include <d16/nn/build.hpp>
#include <d16/optim/adam.hpp>
#include <d16/optim/schedule.hpp>
#include <d16/optim/trainer.hpp>

#include "commands.hpp"
#include "denoise_report.hpp"
#include "training.hpp"

namespace tool {

using d16::FileError;
using d16::require;
using d16::Tensor;
using d16::text;
namespace data = d16::data;
namespace learn = d16::learn;
namespace nn = d16::nn;
namespace optim = d16::optim;

namespace {

/// Where everything about one training lies: disk.safetensors, disk.md, and disk.training/ with log and checkpoints.
struct Places {
  std::string weights, card, folder;
  explicit Places(std::string const& out) : weights(out) {
    std::string end = ".safetensors";
    require<FileError>(ends_with(out, end) && out.size() > end.size(), out,
                       ": weights are a .safetensors file; give such a name");
    std::string stem = out.substr(0, out.size() - end.size());
    card = stem + ".md", folder = stem + ".training";
    d16::io::AtomicFile writable(weights);  // tells now and not after an hour that it cannot be written
  }
  std::string best() const { return join(folder, "best.safetensors"); }
};

/// "D4" -> dihedral(4), "C8" -> cyclic(8).
d16::Group group_of(std::string const& name) {
  int n = std::atoi(name.c_str() + 1);
  bool good =
      name.size() > 1 && name.size() < 4 && name.find_first_not_of("0123456789", 1) == name.npos && n >= 1 && n <= 32;
  require<d16::ValueError>(good && (name[0] == 'C' || name[0] == 'D'), "--group ", name,
                           ": it is C or D and a number up to 32, as in D4");
  return name[0] == 'C' ? d16::cyclic(n) : d16::dihedral(n);
}

std::vector<int> ints(std::vector<int64_t> const& values, std::vector<int> otherwise) {
  return values.empty() ? otherwise : std::vector<int>(values.begin(), values.end());
}

optim::TrainerOptions trainer_options(TrainOptions const& o, std::string const& folder, Json const& about) {
  optim::TrainerOptions t;
  t.epochs = int(o.epochs), t.out = folder, t.resume = o.resume, t.max_minutes = o.minutes, t.about = about;
  t.schedule = optim::CosineSchedule{.epochs = double(o.epochs), .warmup = 1, .floor = 0.01};
  t.progress = o.json ? nullptr : stdout;
  t.accumulate = int(o.accumulate), t.average = o.average;
  t.capture = is_gpu(o.device);  // small networks: the GPU would wait for the host between its kernels
  t.on_step = [](int, int64_t, int64_t, double) { check_interrupted(); };
  return t;
}

/// Any angle, mirrored or not, moved and zoomed a little. The batches follow from seed and epoch.
data::LoaderOptions loading(TrainOptions const& o, data::Dataset const& set) {
  return {
      .batch = o.batch, .augment = true, .shift = 3, .zoom = 0.15, .drop_last = set.size() > o.batch, .seed = o.seed};
}
/// Random numbers of what is done to a batch further on.
d16::Random random_of(data::Loader::State const& state) {
  return d16::Random(~state.seed, uint64_t(state.epoch) << 32 | uint64_t(state.position));
}

/// What every file of weights says about itself.
Json about_training(TrainOptions const& o, char const* task, int64_t crop, data::ThreeParts const& parts) {
  return Json::object({{"task", task},
                       {"size", o.size},
                       {"crop", crop},
                       {"split", split_text(parts)},
                       {"seed", o.seed},
                       {"command", command_line()},
                       {"d16", text(d16::stamp::version, " ", d16::stamp::commit)},
                       {"remark", "first weights, trained for minutes: see the model card"}});
}

void require_parts(data::ThreeParts const& parts, std::string const& folder) {
  for (auto const* part : {&parts.train, &parts.validation, &parts.test})
    require<FileError>(part->size() > 0, folder, ": the split is ", split_text(parts), "; more pictures are needed");
}

void require_classes(data::ThreeParts const& parts, std::string const& labels) {
  for (auto const* part : {&parts.train, &parts.validation, &parts.test})
    for (int64_t count : part->class_counts())
      require<FileError>(count > 0, labels, ": the split is ", split_text(parts),
                         "; each part needs all classes: take more pictures");
}

data::Dataset load(TrainOptions const& o, int64_t& crop) {
  crop = o.crop;
  return load_pictures({o.data, o.labels, o.size, crop, o.limit, o.kinds}, crop);
}

/// Splits and reports the data of a training.
data::ThreeParts parts_of(TrainOptions const& o, data::Dataset const& all) {
  data::ThreeParts parts = split(all);
  require_parts(parts, o.data);
  say("data: " + split_text(parts));
  return parts;
}

struct Card {
  std::string title, what, scores, extra;
};

/// The model card beside the weights.
void write_card(Places const& places, Card const& card, Json const& about, optim::TrainingReport const& report,
                nn::Module& net, TrainOptions const& o) {
  int64_t weights = 0;
  for (nn::Named const& p : net.named_parameters()) weights += p.tensor.numel();
  double seconds = 0;
  for (optim::Epoch const& epoch : report.epochs) seconds += epoch.seconds;
  std::string md =
      "# " + card.title + "\n\n" + card.what + "\n\n" +
      "**First weights.** Trained for minutes on a few thousand pictures of one survey, to show that the path works. "
      "They have not been tested on other surveys: do not draw scientific conclusions from them.\n\n"
      "## Data\nGalaxy pictures in `" +
      base_name(o.data) + "`" + (o.labels.empty() ? "" : " with the classes of `" + base_name(o.labels) + "`") +
      text(", the central ", about.integer("crop") ? text(about.integer("crop"), " pixels") : "square", " shrunk to ",
           o.size, "x", o.size, ".\n") +
      "Split by sky field, so that overlapping cutouts stay together: crc32 of the decimal `objid >> 16`, mod 5; 0 is "
      "the test "
      "set, which was never trained on or chosen by, 1 validation, the rest training.\n\n" +
      about.string("split") + ".\n\n## Training\n" +
      text("Network: `", net.describe().dump(), "`, ", weights, " weights. ", report.epochs.size(),
           " epochs, the best (", report.best_epoch, ") by the validation set is kept; ", duration(seconds), " on ",
           d16::threads(), " threads; seed ", o.seed, "; d16 ", d16::stamp::version, " (", d16::stamp::commit,
           ").\n\n") +
      "```\n" + command_line() + "\n```\n\n## Scores on the test set\n" + card.scores +
      "\nErrors are standard deviations over 1000 samples of whole fields, drawn with replacement.\n" + card.extra;
  d16::io::write_file(places.card, md);
}

/// The probability of a disk, of whatever kind, for each input (N,H,W,1): what is left beside class 0.
template <class Net> std::vector<double> disk_probabilities(Net& net, Tensor const& inputs, d16::Device device) {
  d16::NoGrad off;
  std::vector<double> out;
  for (int64_t i = 0; i < inputs.dim(0); i += 64) {
    Tensor x = inputs.slice(0, i, std::min(inputs.dim(0), i + 64)).to(device);
    Tensor p = d16::softmax(net(x), 1).to(inputs.device());
    for (int64_t k = 0; k < p.dim(0); ++k) out.push_back(1 - double(p.data<float>()[k * p.dim(1)]));
  }
  return out;
}

double auc_of(std::vector<double> const& p, data::Dataset const& set) {
  return learn::roc_auc(d16::from(p, {set.size()}), d16::from(disk_labels(set), {set.size()}));
}

/// A trained classifier judged: on validation, which sets its threshold and temperature, and on the test set.
struct DiskFit {
  optim::TrainingReport report = {};
  double threshold = 0.5;
  DiskCalibration calibration = {};
  CalibrationTest tested = {};
  DiskScores scores = {};
};

/// Trains any classifier; the folder keeps its log and checkpoints.
template <class Net> DiskFit fit_disk(TrainOptions const& o, Net& net, data::ThreeParts const& parts,
                                      std::string const& folder, Json const& about) {
  d16::Device const device(o.device);
  net.to(device);
  net.compute_in(precision_of(o.precision, o.device));
  optim::AdamW optimiser(net.parameters(), {.lr = o.lr, .weight_decay = o.weight_decay});
  optim::Trainer trainer(net, optimiser, trainer_options(o, folder, about));
  Tensor validation = classifier_inputs(pictures_of(parts.validation));
  auto prepare = [](data::Batch const& batch, data::Loader::State state) {
    d16::Random random = random_of(state);
    return data::Batch{classifier_inputs(batch.image, &random), batch.label};
  };
  data::Loader loader(parts.train, loading(o, parts.train));
  data::Ahead batches(loader, device, prepare);
  DiskFit fit;
  fit.report = trainer.fit(
      batches,
      [&](data::Batch const& batch) {
        return d16::cross_entropy(net(batch.image), batch.label, {.label_smoothing = 0.02});
      },
      [&] { return auc_of(disk_probabilities(net, validation, device), parts.validation); });
  d16::load(net, join(folder, "best.safetensors"));
  net.eval();
  DiskAnswers const seen{disk_probabilities(net, validation, device), disk_labels(parts.validation),
                         fields_of(parts.validation)};
  fit.calibration = fit_calibration(Shown::clean, seen);
  int64_t const n = parts.validation.size();
  fit.threshold = learn::best_threshold(d16::from(seen.p, {n}), d16::from(seen.is_disk, {n})).value;
  std::vector<double> p = disk_probabilities(net, classifier_inputs(pictures_of(parts.test)), device);
  fit.scores = score_disk(p, parts.test, fit.threshold, o.seed);
  fit.tested = test_calibration(fit.calibration, {p, disk_labels(parts.test), fields_of(parts.test)}, o.seed);
  return fit;
}

/// Four more networks, so that each sky field is tested once by one that never saw it. The table of all five; `about`
/// keeps its numbers.
template <class Make> std::string cross_validate(TrainOptions const& o, Make const& make, Places const& places,
                                                 data::Dataset const& all, DiskFit const& first, Json& about) {
  std::string table =
      "| test part | galaxies | accuracy | balanced accuracy | AUC | calibration error |\n"
      "|---|---|---|---|---|---|\n";
  constexpr char const* names[] = {"accuracy", "balanced accuracy", "AUC", "calibration error"};
  std::vector<double> columns[4];
  about["cross_validation"] = Json::Array();
  for (int part = 0; part < 5; ++part) {
    data::ThreeParts const parts = split(all, part);
    require_parts(parts, o.data);
    require_classes(parts, o.labels);
    auto train_another = [&] {
      say(text("test part ", part, ": ", split_text(parts)));
      d16::manual_seed(o.seed);
      auto net = make(parts);
      return fit_disk(o, net, parts, join(places.folder, text("part-", part)), about);
    };
    DiskFit const fit = part == 0 ? first : train_another();
    std::vector<Score> const& s = fit.scores.scores;
    Score const row[] = {s[0], s[1], s[2], {names[3], fit.tested.after, fit.tested.after_error}};
    Json line = Json::object({{"test_part", part}, {"galaxies", parts.test.size()}});
    table += text("| ", part, " | ", parts.test.size());
    for (size_t k = 0; k < 4; ++k)
      table += " | " + row[k].text(), line[names[k]] = row[k].value, columns[k].push_back(row[k].value);
    table += " |\n", about["cross_validation"].push_back(line);
  }
  table += text("| mean of five | ", all.size());
  for (std::vector<double> const& column : columns) {
    learn::Spread const spread = learn::spread_of_runs(column);
    table += " | " + Score{"", spread.mean, spread.error_of_mean}.text();
  }
  return "\n## Each field tested once\nFive networks trained alike: part k (crc32 mod 5) is the test set, the next one "
         "validation, the rest training. The weights are those of part 0. ± in the last line is the standard error of "
         "the mean.\n\n" +
         table + " |\n";
}

/// Trains what make(parts) gives, and writes what comes out of it.
template <class Make> Json publish_disk(TrainOptions const& o, Make const& make) {
  Places places(o.out);
  int64_t crop = 0;
  data::Dataset const all = load(o, crop);
  data::ThreeParts const parts = parts_of(o, all);
  require_classes(parts, o.labels);
  Json about = about_training(o, "disk", crop, parts);
  about["classes"] = o.kinds ? Json::array({"elliptical", "spiral", "edge_on"}) : Json::array({"elliptical", "disk"});
  auto net = make(parts);
  DiskFit const fit = fit_disk(o, net, parts, places.folder, about);
  about["threshold"] = fit.threshold;
  about["calibration"] = Json::array({json_of(fit.calibration, fit.tested)});
  about["scores"] = json_of(fit.scores.scores);
  std::string const folds = o.cross_validate ? cross_validate(o, make, places, all, fit, about) : "";
  d16::save(net, places.weights, about);
  auto const& c = fit.scores.confusion;
  write_card(places,
             {"disk: disk-like or elliptical",
              "The probability that a galaxy is disk-like (spiral or edge-on) and not elliptical, from a grey picture "
              "whose levels are normalised.",
              table_of(fit.scores.scores),
              text("\nThreshold ", decimals(fit.threshold, 3), " (best balanced accuracy on validation). Of ",
                   c[0] + c[1], " ellipticals ", c[1], " are called disks; of ", c[2] + c[3], " disks ", c[2],
                   " are called ellipticals.\nCalibration, fitted on validation: ",
                   words_of(fit.calibration, fit.tested), ".\n", folds)},
             about, fit.report, net, o);
  auto const& scores = fit.scores.scores;
  say(text("test: accuracy ", scores[0].text(), ", balanced ", scores[1].text(), ", AUC ", scores[2].text()));
  say(words_of(fit.calibration, fit.tested));
  say(text(places.weights, ", ", places.card, " and ", places.folder, "/ written"));
  Json out = Json::object({{"weights", places.weights},
                           {"card", places.card},
                           {"best_epoch", fit.report.best_epoch},
                           {"threshold", fit.threshold},
                           {"calibration_error_before", fit.tested.before},
                           {"calibration_error_after", fit.tested.after},
                           {"split", about.string("split")},
                           {"scores", json_of(scores)},
                           {"confusion", Json(fit.scores.confusion)}});
  if (o.cross_validate) out["cross_validation"] = about.at("cross_validation");
  return out;
}

/// Mean PSNR of a denoiser on pairs, in batches.
double validate_denoiser(std::function<Tensor(Tensor)> const& net, DenoisePairs const& pairs, int64_t batch) {
  std::vector<double> psnr;
  int64_t count = pairs.noisy.dim(0);
  for (int64_t i = 0; i < count; i += batch) {
    Tensor images = net(pairs.noisy.slice(0, i, std::min(count, i + batch)));
    for (int64_t k = 0; k < images.dim(0); ++k)
      psnr.push_back(d16::vision::psnr(images.select(0, k), pairs.clean.select(0, i + k)));
  }
  return mean(psnr);
}

DenoiseSetup setup_of(TrainOptions const& o) {
  DenoiseTraining const& d = o.denoise;
  bool ordered = d.snr.at(0) <= d.snr.at(1) && d.sharpness.at(0) <= d.sharpness.at(1);
  require<d16::ValueError>(ordered, "train denoise: --snr ", d.snr[0], ",", d.snr[1], " --sharpness ", d.sharpness[0],
                           ",", d.sharpness[1], ": the least comes first");
  DenoiseSetup setup;
  setup.channels = d.channels;
  setup.range.least_snr = d.snr[0], setup.range.most_snr = d.snr[1];
  setup.range.least_re_over_fwhm = d.sharpness[0], setup.range.most_re_over_fwhm = d.sharpness[1];
  setup.range.contaminants = d16::sim::scheme_named(d.contaminants);
  return setup;
}

/// How the predicted standard deviations have to be scaled.
Uncertainty calibrate(nn::UNetVae& net, DenoisePairs const& validation, d16::Device device) {
  int64_t count = validation.noisy.dim(0);
  Tensor image = d16::empty(validation.clean.shape()), std = d16::empty(validation.clean.shape());
  int64_t values = image.numel() / count;
  for (int64_t n = 0; n < count; n += 32) {
    nn::UNetVae::Prediction p = net.predict(validation.noisy.slice(0, n, std::min(count, n + 32)).to(device));
    for (auto [from, to] : {std::pair(p.image, image), std::pair(p.std, std)}) {
      Tensor here = from.to(image.device()).contiguous();
      std::copy_n(here.data<float>(), here.numel(), to.data<float>() + n * values);
    }
  }
  return fit_uncertainty(image, std, validation);
}

/// What a denoiser learns from a batch of pictures.
data::Batch denoise_example(TrainOptions const& o, DenoiseSetup const& setup, Tensor const& pictures,
                            d16::Random& random) {
  std::string const& teacher = o.denoise.self_supervised;
  DenoisePairs pairs = spoil(pictures, random, setup, teacher == "noise2noise");
  if (teacher != "none") {
    DenoiseExample example = teacher == "noise2self" ? hide_pixels(pairs.noisy, random) : other_noise(pairs);
    return {example.image, example.label};
  }
  if (!o.denoise.masked) return {pairs.noisy, pairs.clean};
  DenoiseExample weighted = with_weight(pairs, unsaturated(pictures, pairs.shrink));
  return {weighted.image, weighted.label};
}

}  // namespace

Json train_disk(TrainOptions const& o) {
  require<d16::ValueError>(!o.labels.empty(), "train disk: --labels is needed");
  auto input_of = [&](data::ThreeParts const& parts) {
    auto [average, deviation] = moments(classifier_inputs(pictures_of(parts.train)));
    return nn::ClassifierInput{
        .size = int(o.size), .channels = 1, .classes = o.kinds ? 3 : 2, .mean = average, .deviation = deviation};
  };
  if (o.model == "plain")
    return publish_disk(o, [&](data::ThreeParts const& parts) {
      return nn::PlainCnn({.input = input_of(parts), .widths = ints(o.widths, {16, 32, 64, 128})});
    });
  d16::Group const group = group_of(o.group);
  std::vector<int> widths = ints(o.widths, {8, 16, 24, 32}), pools;
  // a first convolution that moves by two pixels takes the place of the first pool
  for (size_t i = size_t(o.first_stride); i < widths.size(); ++i) pools.push_back(int(i));
  return publish_disk(o, [&](data::ThreeParts const& parts) {
    return nn::EquivariantClassifier({.input = input_of(parts),
                                      .group = group,
                                      .widths = widths,
                                      .pool_after = pools,
                                      .first_stride = int(o.first_stride)});
  });
}

Json train_denoise(TrainOptions const& o) {
  Places places(o.out);
  require<d16::ValueError>(o.denoise.self_supervised == "none" || !o.denoise.masked,
                           "train denoise: --masked is for clean targets; leave it out with --self-supervised");
  int64_t crop = 0;
  data::ThreeParts const parts = parts_of(o, load(o, crop));
  DenoiseSetup const setup = setup_of(o);
  Json about = about_training(o, "denoise", crop, parts);
  about["setup"] = json_of(setup);
  about["teacher"] = o.denoise.self_supervised == "none" ? "clean" : o.denoise.self_supervised;
  nn::UNetVae net({.size = int(o.size),
                   .channels = int(setup.channels),
                   .widths = ints(o.widths, {16, 32, 64, 128}),
                   .latent = int(o.latent),
                   .variance = true,
                   .bilinear = o.denoise.form == "blend",
                   .blend = o.denoise.form == "blend",
                   .recompute = o.recompute});
  d16::Device const device(o.device);
  net.to(device);
  net.compute_in(precision_of(o.precision, o.device));
  optim::AdamW optimiser(net.parameters(), {.lr = o.lr, .weight_decay = o.weight_decay});
  optim::TrainerOptions options = trainer_options(o, places.folder, about);
  options.capture = options.capture && o.denoise.anneal == 0;  // a captured step keeps the beta of its first time
  optim::Trainer trainer(net, optimiser, options);
  DenoisePairs const validation = spoil(parts.validation, o.seed, setup);
  auto prepare = [&](data::Batch const& batch, data::Loader::State state) {
    d16::Random random = random_of(state);
    return denoise_example(o, setup, batch.image, random);
  };
  data::Loader loader(parts.train, loading(o, parts.train));
  data::Ahead batches(loader, device, prepare);
  auto denoise = [&](Tensor x) { return net(x.to(device)).to(x.device()); };
  nn::ImageLoss const image = o.denoise.loss == "bce" ? nn::ImageLoss::bce : nn::ImageLoss::gaussian;
  auto beta = [&] {
    double const epochs_done = double(trainer.report().epochs.size());
    return o.denoise.anneal > 0 ? o.beta * std::min(1.0, epochs_done / o.denoise.anneal) : o.beta;
  };
  auto report = trainer.fit(
      batches,
      [&](data::Batch const& batch) {
        return denoise_loss(net, {batch.image, batch.label}, beta(), image);
      },
      [&] { return validate_denoiser(denoise, validation, o.batch); });
  d16::load(net, places.best());
  d16::NoGrad off;
  net.eval();
  about["uncertainty"] = json_of(calibrate(net, validation, device));
  DenoiserScores scores = score_denoiser(denoise, parts, setup, o.seed);
  about["scores"] = json_of(scores.network);
  d16::save(net, places.weights, about);
  write_card(
      places,
      {"denoise: a U-Net VAE that takes noise and neighbours away",
       "A galaxy picture with noise and one to three other objects in; the galaxy alone out.", scores.table(),
       "\nPictures of the test set were spoilt by `sim::degrade_appearances` with a fixed seed. They are on the "
       "scale of `vision::fit_stretch`. The widths of the filters were chosen on the validation set. What is taken "
       "as clean is the survey's own picture, as small and blurred, with its own noise.\n"},
      about, report, net, o);
  say("test: " + scores.line());
  say(text(places.weights, ", ", places.card, " and ", places.folder, "/ written"));
  Json answer = scores.json();
  answer["weights"] = places.weights;
  answer["card"] = places.card;
  answer["best_epoch"] = report.best_epoch;
  answer["split"] = about.string("split");
  return answer;
}

}  // namespace tool
