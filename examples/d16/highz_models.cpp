// The classifiers of the second system: bodies of highz_models.hpp.
#include "highz_models.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <numeric>
#include <stamp.hpp>

#include <d16/data/ahead.hpp>
#include <d16/io/checkpoint.hpp>
#include <d16/learn/boosted_trees.hpp>
#include <d16/learn/calibration.hpp>
#include <d16/learn/curves.hpp>
#include <d16/learn/evaluate.hpp>
#include <d16/learn/intervals.hpp>
#include <d16/ops/losses.hpp>
#include <d16/optim/adam.hpp>
#include <d16/optim/schedule.hpp>
#include <d16/optim/trainer.hpp>
#include <d16/photoz/colours.hpp>
#include <d16/sim/survey_files.hpp>
#include <d16/vision/augment_bands.hpp>

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
namespace sim = d16::sim;
namespace vision = d16::vision;

namespace {

constexpr int64_t bands = highz_bands;
constexpr double wanted_purity = 0.96, wanted_precision = 0.65;  // on validation: a margin above what is asked for
constexpr int64_t evaluation_batch = 256;

// --- objects ---------------------------------------------------------------------------------------------------------

struct Member {
  char const* name;
  Tensor HighzSet::*tensor;
};
constexpr Member members[] = {{"image", &HighzSet::image}, {"detection", &HighzSet::detection},
                              {"valid", &HighzSet::valid}, {"table", &HighzSet::table},
                              {"flux", &HighzSet::flux},   {"label", &HighzSet::label},
                              {"truth", &HighzSet::truth}, {"flags", &HighzSet::flags}};

/// Renders and prepares some objects of a survey.
HighzSet prepare_part(sim::Survey const& survey, sim::Split split, int64_t first, int64_t count, int64_t side) {
  std::vector<BandObject> objects(static_cast<size_t>(count));
  HighzSet out;
  out.label = d16::empty({count}, vision::host_tensor(DType::i64));
  out.truth = d16::empty({count, 3}, vision::host_tensor(DType::f64));
  out.flags = d16::empty({count, 2}, vision::host_tensor(DType::i64));
  d16::parallel_tasks(count, [&](int64_t i) {
    sim::SurveyObject o = survey.object(split, first + i);
    out.label.data<int64_t>()[i] = int64_t(o.truth.label);
    double* truth = out.truth.data<double>() + 3 * i;
    truth[0] = o.truth.z, truth[1] = o.truth.magnitude, truth[2] = o.truth.snr;
    out.flags.data<int64_t>()[2 * i] = o.truth.flags;
    objects[size_t(i)] = {std::move(o.image), o.error};
  });
  HighzInputs inputs = prepare_highz(objects);
  out.image = highz_middle(inputs.image, side).cast(DType::bf16);
  out.detection = highz_middle(inputs.detection, highz_hog_side).cast(DType::bf16);
  out.valid = inputs.valid, out.table = inputs.table;
  out.flux = d16::empty({count, bands, 2}, vision::host_tensor(DType::f64));
  for (int64_t i = 0; i < count; ++i) {
    out.flags.data<int64_t>()[2 * i + 1] = inputs.flags[size_t(i)];
    for (int64_t b = 0; b < bands; ++b) {
      double* flux = out.flux.data<double>() + (i * bands + b) * 2;
      flux[0] = inputs.flux[size_t(i)][size_t(b)], flux[1] = inputs.flux_error[size_t(i)][size_t(b)];
    }
  }
  return out;
}

HighzSet joined(std::vector<HighzSet> const& parts) {
  HighzSet out;
  for (Member const& m : members) {
    std::vector<int64_t> counts;
    d16::Shape shape = (parts[0].*m.tensor).shape();
    shape[0] = 0;
    for (HighzSet const& part : parts) shape[0] += (part.*m.tensor).dim(0);
    Tensor all = d16::empty(shape, (parts[0].*m.tensor).like());
    d16::for_dtype(all.dtype(), [&]<class T>(T) {
      T* to = all.data<T>();
      for (HighzSet const& part : parts)
        to = std::copy_n((part.*m.tensor).template data<T>(), (part.*m.tensor).numel(), to);
    });
    out.*m.tensor = all;
  }
  return out;
}

HighzSet first_rows(HighzSet const& set, int64_t count) {
  HighzSet out;
  for (Member const& m : members) out.*m.tensor = (set.*m.tensor).slice(0, 0, count).contiguous();
  return out;
}

BandNumbers numbers_of(HighzSet const& set, int64_t i, int which) {
  BandNumbers out;
  for (size_t b = 0; b < out.size(); ++b) out[b] = set.flux.data<double>()[(size_t(i * bands) + b) * 2 + size_t(which)];
  return out;
}

/// The image of object i (side,side,7), with only some bands; `valid` (7) is told or not.
void copy_image(HighzSet const& set, int64_t i, BandsShown shown, float* image, float* valid) {
  int64_t count = set.image.numel() / set.size();
  d16::bf16 const* from = set.image.data<d16::bf16>() + i * count;
  BandNumbers flux = highz_raw(numbers_of(set, i, 0)), error = highz_raw(numbers_of(set, i, 1));
  double before = highz_scale(flux, error);
  for (size_t b = 0; b < flux.size(); ++b) {
    valid[b] = set.valid.data<float>()[i * bands + int64_t(b)];
    if (shown.mask >> b & 1) continue;
    flux[b] = nan;
    if (shown.told) valid[b] = 0;
  }
  for (int64_t k = 0; k < count; ++k) image[k] = shown.mask >> (k % bands) & 1 ? float(from[k]) : 0.0f;
  float factor = float(before / highz_scale(flux, error));
  if (!shown.told || factor == 1) return;
  float unit = float(std::asinh(1 / highz_softness));
  for (int64_t k = 0; k < count; ++k)
    if (image[k] != 0) image[k] = std::asinh(factor * std::sinh(image[k] * unit)) / unit;
}

// --- networks --------------------------------------------------------------------------------------------------------

Tensor hog_of(HighzSet const& set, std::vector<int64_t> const& rows) {
  constexpr int64_t pixels = int64_t(highz_hog_side) * highz_hog_side;
  Tensor detection = d16::empty({int64_t(rows.size()), highz_hog_side, highz_hog_side, 1}, vision::host_tensor());
  for (size_t k = 0; k < rows.size(); ++k)
    for (int64_t p = 0; p < pixels; ++p)
      detection.data<float>()[int64_t(k) * pixels + p] = float(set.detection.data<d16::bf16>()[rows[k] * pixels + p]);
  return highz_hog(detection);
}

nn::BandInputs inputs_of(HighzSet const& set, std::vector<int64_t> const& rows, BandsShown shown, bool hog) {
  auto n = int64_t(rows.size()), side = set.image.dim(1);
  nn::BandInputs in{.image = d16::empty({n, side, side, bands}, vision::host_tensor()),
                    .valid = d16::empty({n, bands}, vision::host_tensor())};
  d16::parallel_tasks(n, [&](int64_t k) {
    copy_image(set, rows[size_t(k)], shown, in.image.data<float>() + k * side * side * bands,
               in.valid.data<float>() + k * bands);
  });
  if (hog) in.features = hog_of(set, rows);
  return in;
}

/// The objects of one step, and which of all steps it is.
struct Step {
  std::vector<int64_t> rows;
  int64_t first;  ///< number of its first object in the whole run: the stream of its random numbers
};

std::vector<Step> steps_of(int64_t size, HighzTraining const& o, int epoch) {
  std::vector<int64_t> order(static_cast<size_t>(size));
  std::iota(order.begin(), order.end(), 0);
  d16::Random random(o.seed, uint64_t(epoch));
  for (size_t i = order.size() - 1; i > 0; --i) std::swap(order[i], order[size_t(random.integer(int64_t(i + 1)))]);
  std::vector<Step> steps;
  for (int64_t at = 0; at + std::min(o.batch, size) <= size; at += o.batch)
    steps.push_back({{order.begin() + at, order.begin() + std::min(size, at + o.batch)}, (epoch - 1) * size + at});
  return steps;
}

/// The objects of a step mirrored and turned by quarters, bands taken away at random; HOG of the turned picture.
nn::BandInputs augmented(HighzSet const& set, Step const& step, HighzVariant const& variant, HighzTraining const& o) {
  auto n = int64_t(step.rows.size()), side = set.image.dim(1);
  constexpr int64_t small = highz_hog_side;
  nn::BandInputs in{.image = d16::empty({n, side, side, bands}, vision::host_tensor()),
                    .valid = d16::empty({n, bands}, vision::host_tensor())};
  Tensor detection = d16::empty({n, small, small, 1}, vision::host_tensor());
  vision::AugmentBandsOptions options{.seed = o.seed};
  d16::parallel_tasks(n, [&](int64_t k) {
    int64_t row = step.rows[size_t(k)], number = step.first + k;
    d16::Random random(~o.seed, uint64_t(number));
    BandsShown shown{.mask = 0};
    for (int b = 0; b < bands; ++b) shown.mask |= uint32_t(random.uniform() >= o.drop) << b;
    if (!(shown.mask &= variant.bands)) shown.mask = variant.bands;
    vision::BandImage image{d16::empty({side, side, bands}, vision::host_tensor()),
                            d16::empty({bands}, vision::host_tensor())};
    copy_image(set, row, shown, image.image.data<float>(), image.valid.data<float>());
    vision::BandImage turned = vision::augment_bands(image, number, options);
    std::copy_n(turned.image.data<float>(), turned.image.numel(), in.image.data<float>() + k * side * side * bands);
    std::copy_n(turned.valid.data<float>(), bands, in.valid.data<float>() + k * bands);
    if (variant.network.features == 0) return;
    vision::BandImage seen{set.detection.select(0, row).contiguous().cast(DType::f32), d16::ones({1})};
    turned = vision::augment_bands(seen, number, options);  // the same number: the same motion
    std::copy_n(turned.image.data<float>(), small * small, detection.data<float>() + k * small * small);
  });
  if (variant.network.features > 0) in.features = highz_hog(detection);
  return in;
}

nn::BandInputs on_device(nn::BandInputs in, d16::Device device) {
  for (Tensor* x : {&in.image, &in.features, &in.valid})
    if (x->defined()) *x = x->to(device);
  return in;
}

Tensor labels_of(HighzSet const& set, std::vector<int64_t> const& rows) {
  Tensor out = d16::empty({int64_t(rows.size())}, vision::host_tensor(DType::i64));
  for (size_t k = 0; k < rows.size(); ++k) out.data<int64_t>()[k] = set.label.data<int64_t>()[rows[k]];
  return out;
}

/// What a network is shown of the objects of a step, and their classes.
struct HighzBatch {
  nn::BandInputs in = {};
  Tensor label = {};

  std::vector<Tensor*> tensors() {
    std::vector<Tensor*> all;
    for (Tensor* x : {&in.image, &in.features, &in.valid, &label})
      if (x->defined()) all.push_back(x);
    return all;
  }
};

/// The batches of one epoch on the device of the training.
class Batches : public d16::data::Prefetched<HighzBatch> {
 public:
  Batches(std::vector<Step> const& steps, std::function<HighzBatch(Step const&)> make, d16::Device device)
      : Prefetched(
            [=, at = size_t(0)](HighzBatch& batch) mutable {
              if (at == steps.size()) return false;
              batch = make(steps[at++]);
              return true;
            },
            device),
        count_(int64_t(steps.size())) {}
  int64_t batches() const { return count_; }

 private:
  int64_t count_;
};

Tensor without_priors(Tensor logits, std::array<double, 3> const& priors) {
  logits = logits.cast(DType::f64).contiguous();
  for (int64_t i = 0; i < logits.numel(); ++i) logits.data<double>()[i] -= std::log(priors[size_t(i % 3)]);
  return logits;
}

Tensor network_logits(nn::BandNetwork& net, HighzVariant const& variant, HighzSet const& set, BandsShown shown) {
  d16::NoGrad off;
  bool was_training = net.training();
  d16::Device const device = net.parameters()[0].device();
  net.eval();
  shown.mask &= variant.bands;
  Tensor out = d16::empty({set.size(), 3}, vision::host_tensor());
  for (int64_t at = 0; at < set.size(); at += evaluation_batch) {
    std::vector<int64_t> rows(size_t(std::min(evaluation_batch, set.size() - at)));
    std::iota(rows.begin(), rows.end(), at);
    nn::BandInputs in = on_device(inputs_of(set, rows, shown, variant.network.features > 0), device);
    Tensor y = net(in).to(out.device()).contiguous();
    std::copy_n(y.data<float>(), y.numel(), out.data<float>() + 3 * at);
  }
  net.train(was_training);
  return out;
}

double mean_loss(Tensor const& logits, Tensor const& label) {
  d16::NoGrad off;
  return d16::cross_entropy(logits.cast(DType::f64), label).item();
}

HighzClassifier train_network(HighzVariant const& variant, HighzSet const& train, HighzSet const& validation,
                              std::string const& folder, HighzTraining const& o) {
  d16::manual_seed(o.seed);
  auto net = std::make_shared<nn::BandNetwork>(variant.network);
  d16::Device const device(o.device);
  net->to(device);
  net->compute_in(o.precision);
  optim::Adam optimiser(net->parameters(), {.lr = o.lr});
  optim::TrainerOptions t;
  t.epochs = int(o.epochs), t.out = folder, t.resume = true, t.higher_is_better = false;
  t.schedule = optim::CosineSchedule{.epochs = double(o.epochs), .warmup = 0.5, .floor = 0.01};
  t.progress = o.quiet ? nullptr : stdout;
  t.accumulate = int(o.accumulate);
  t.capture = is_gpu(o.device);  // small networks: the GPU would wait for the host between its kernels
  t.on_step = [](int, int64_t, int64_t, double) { check_interrupted(); };
  optim::Trainer trainer(*net, optimiser, t);
  auto make = [&](Step const& step) {
    return HighzBatch{augmented(train, step, variant, o), labels_of(train, step.rows)};
  };
  optim::TrainingReport report =
      trainer.fit([&](int epoch) { return Batches(steps_of(train.size(), o, epoch), make, device); },
                  [&](HighzBatch const& batch) { return d16::cross_entropy((*net)(batch.in), batch.label); },
                  [&] {
                    Tensor y = network_logits(*net, variant, validation, {});
                    return mean_loss(without_priors(y, o.priors), validation.label);
                  });
  d16::load(*net, join(folder, "best.safetensors"));
  HighzClassifier out{
      .validation_loss = report.best_metric, .weights = net->weight_count(), .best_epoch = report.best_epoch};
  for (optim::Epoch const& epoch : report.epochs) out.seconds += epoch.seconds;
  out.logits = [net, variant, o](HighzSet const& set, BandsShown shown) {
    return without_priors(network_logits(*net, variant, set, shown), o.priors);
  };
  out.save = [net](std::string const& path, Json const& about) { d16::save(*net, path, about); };
  return out;
}

// --- trees -----------------------------------------------------------------------------------------------------------

Tensor columns_of(HighzSet const& set, bool sizes) {
  return set.table.slice(1, 0, sizes ? set.table.dim(1) : highz_flux_columns()).contiguous();
}

HighzClassifier train_trees(HighzVariant const& variant, HighzSet const& train, HighzSet const& validation,
                            HighzTraining const& o) {
  Stopwatch watch;
  std::vector<std::string> names = highz_table_names();
  names.resize(size_t(columns_of(train, variant.sizes).dim(1)));
  learn::BoostOptions options{.rounds = 600,
                              .eta = 0.08,
                              .max_depth = 5,
                              .min_child_weight = 2,
                              .subsample = 0.7,
                              .colsample = 0.5,
                              .patience = 40,
                              .seed = o.seed};
  auto model = std::make_shared<learn::BoostedTrees>(learn::fit_boosted_trees(
      {.x = columns_of(train, variant.sizes), .labels = train.label, .classes = 3, .names = names}, options,
      {.x = columns_of(validation, variant.sizes), .labels = validation.label, .classes = 3, .names = names}));
  HighzClassifier out{.seconds = watch.seconds(), .best_epoch = int(model->rounds())};
  for (learn::Tree const& tree : model->trees) out.weights += int64_t(tree.nodes.size());
  out.logits = [model, variant, o](HighzSet const& set, BandsShown) {
    return without_priors(model->margins(columns_of(set, variant.sizes)), o.priors);
  };
  out.save = [model](std::string const& path, Json const& about) {
    Json json = learn::boosted_trees_to_json(*model);
    json["about"] = about;
    io::write_file(path, json.dump());
  };
  out.validation_loss = mean_loss(out.logits(validation, {}), validation.label);
  return out;
}

// --- templates and cuts ----------------------------------------------------------------------------------------------

/// Fluxes of all models on the grid, of each class apart.
using ModelGrid = std::array<std::vector<std::array<float, size_t(bands)>>, 3>;

void add_model(std::vector<std::array<float, size_t(bands)>>& list, sim::Fluxes flux) {
  double most = *std::max_element(flux.begin(), flux.end());
  std::array<float, size_t(bands)> model;
  for (size_t b = 0; b < flux.size(); ++b) model[b] = float(flux[b] / most);
  list.push_back(model);
}

/// Every template alone, four amounts of dust, redshifts in steps of 0.02 (1 + z); brown dwarfs of the libraries that
/// are not held out, every third model.
ModelGrid model_grid(sim::SurveyData const& data, sim::Survey const& survey) {
  sim::SurveyOptions const& o = survey.options();
  sim::Templates const& templates = survey.templates();
  auto heldout = templates.range(o.heldout_templates);
  ModelGrid grid;
  for (double z = o.least_z; z <= o.most_z; z += 0.02 * (1 + z))
    for (int member = 0; member < templates.size(); ++member) {
      if (member >= heldout.first && member < heldout.second) continue;
      for (double a_v : {0.0, 0.4, 1.0, 2.0})
        add_model(grid[z >= o.threshold],
                  templates.fluxes({.member = {member, 0, 0}, .weight = {1, 0, 0}, .z = z, .a_v = a_v}));
    }
  for (size_t i = 0; i < data.dwarfs.size(); i += 3) {
    sim::DwarfModel const& model = data.dwarfs[i];
    if (model.library != o.heldout_library && model.teff >= o.dwarfs.least_teff && model.teff <= o.dwarfs.most_teff)
      add_model(grid[2], model.flux);
  }
  return grid;
}

/// The least chi square of a class: sum of (f - a m)^2 / (error^2 + (0.05 f)^2) with the best amplitude a >= 0.
double best_chi2(std::vector<std::array<float, size_t(bands)>> const& models, BandNumbers const& flux,
                 BandNumbers const& error) {
  std::array<float, size_t(bands)> f{}, weight{};
  float ff = 0, best = std::numeric_limits<float>::max();
  for (size_t b = 0; b < f.size(); ++b) {
    if (!std::isfinite(flux[b])) continue;
    f[b] = float(flux[b]);
    weight[b] = float(1 / (error[b] * error[b] + 0.0025 * flux[b] * flux[b]));
    ff += weight[b] * f[b] * f[b];
  }
  for (auto const& m : models) {
    float fm = 0, mm = 0;
    for (size_t b = 0; b < f.size(); ++b) fm += weight[b] * f[b] * m[b], mm += weight[b] * m[b] * m[b];
    if (fm > 0 && mm > 0) best = std::min(best, ff - fm * fm / mm);
  }
  return double(std::min(best, ff));
}

HighzClassifier fit_templates(HighzCache const& cache, HighzSet const& validation) {
  Stopwatch watch;
  auto grid = std::make_shared<ModelGrid>(model_grid(cache.data(), cache.survey("test")));
  HighzClassifier out{.seconds = watch.seconds()};
  for (auto const& list : *grid) out.weights += int64_t(list.size());
  out.logits = [grid](HighzSet const& set, BandsShown) {
    Tensor y = d16::empty({set.size(), 3}, vision::host_tensor(DType::f64));
    d16::parallel_tasks(set.size(), [&](int64_t i) {
      BandNumbers flux = numbers_of(set, i, 0), error = numbers_of(set, i, 1);
      for (size_t k = 0; k < 3; ++k) y.data<double>()[3 * i + int64_t(k)] = -best_chi2((*grid)[k], flux, error) / 2;
    });
    return y;
  };
  out.validation_loss = mean_loss(out.logits(validation, {}), validation.label);
  return out;
}

/// T dwarfs by F115W - F277W < -0.8 and F277W - F444W > 1.1: high logit for those, none for others.
HighzClassifier colour_cuts(HighzSet const& validation) {
  HighzClassifier out;
  out.logits = [](HighzSet const& set, BandsShown) {
    Tensor y = d16::zeros({set.size(), 3}, vision::host_tensor(DType::f64));
    for (int64_t i = 0; i < set.size(); ++i) {
      BandNumbers flux = numbers_of(set, i, 0);
      y.data<double>()[3 * i + 2] = d16::photoz::is_dwarf_by_colour(flux[1], flux[4], flux[6]) ? 5 : -5;
    }
    return y;
  };
  out.validation_loss = mean_loss(out.logits(validation, {}), validation.label);
  return out;
}

// --- rules -----------------------------------------------------------------------------------------------------------

std::vector<double> column(Tensor const& p, int64_t k, std::vector<int64_t> const& rows) {
  std::vector<double> out;
  for (int64_t i : rows) out.push_back(p.data<double>()[3 * i + k]);
  return out;
}

Tensor chosen(Tensor const& label, std::vector<int64_t> const& rows) {
  std::vector<int64_t> out;
  for (int64_t i : rows) out.push_back(label.data<int64_t>()[i]);
  return d16::from(out, {int64_t(out.size())});
}

/// The threshold for a purity of one class at 722:722:11, or that of the best F1.
double threshold_of(std::vector<double> const& scores, Tensor const& label, int64_t positive, double purity) {
  Tensor s = d16::from(scores, {int64_t(scores.size())}), is = learn::one_against_rest(label, positive);
  Tensor weight = learn::prevalence_weights(label, {highz_prevalence.begin(), highz_prevalence.end()});
  if (auto found = learn::threshold_for_purity(s, is, purity, weight)) return found->value;
  double best = 0, value = 0.5;
  for (auto const& point : learn::precision_recall_curve(s, is, weight)) {
    double f1 = 2 * point.precision * point.recall / std::max(1e-12, point.precision + point.recall);
    if (f1 > best) best = f1, value = point.threshold;
  }
  return value;
}

double auc_of(std::vector<double> const& scores, Tensor const& label, int64_t positive) {
  int64_t there = 0;
  for (int64_t l : label.host<int64_t>()) there += l == positive;
  if (there == 0 || there == label.numel()) return nan;
  return learn::roc_auc(d16::from(scores, {label.numel()}), learn::one_against_rest(label, positive));
}

/// Precision and recall of a class at 722:722:11, from the rows of a confusion matrix. NaN when a class is missing.
std::pair<double, double> at_prevalence(Tensor const& confusion, int64_t k) {
  double called = 0, right = 0, recall = nan;
  for (int64_t t = 0; t < 3; ++t) {
    double all = 0;
    for (int64_t p = 0; p < 3; ++p) all += double(confusion.data<int64_t>()[3 * t + p]);
    double rate = double(confusion.data<int64_t>()[3 * t + k]) / all;  // NaN for a class that is not there
    called += highz_prevalence[size_t(t)] * rate;
    if (t == k) right = highz_prevalence[size_t(t)] * rate, recall = rate;
  }
  return {right / called, recall};
}

Json number_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(); }

}  // namespace

HighzPart highz_part(std::string const& name) {
  using sim::Split, sim::SurveySet;
  struct Named {
    char const* name;
    HighzPart part;
  };
  static constexpr Named parts[] = {{"train", {SurveySet::balanced, Split::train}},
                                    {"train_poster", {SurveySet::poster, Split::train}},
                                    {"validation", {SurveySet::balanced, Split::validation}},
                                    {"test", {SurveySet::balanced, Split::test}},
                                    {"heldout", {SurveySet::balanced, Split::heldout}},
                                    {"heldout_templates", {SurveySet::balanced, Split::heldout_templates}},
                                    {"heldout_library", {SurveySet::balanced, Split::heldout_library}},
                                    {"heldout_psf", {SurveySet::balanced, Split::heldout_psf}},
                                    {"red_dots", {SurveySet::little_red_dots, Split::test}},
                                    {"bimodal", {SurveySet::bimodal, Split::test}},
                                    {"stress", {SurveySet::stress, Split::test}}};
  std::string names;
  for (Named const& part : parts) {
    if (name == part.name) return part.part;
    names += text(names.empty() ? "" : ", ", part.name);
  }
  throw d16::ValueError(text("highz_part: \"", name, "\" is none of ", names));
}

HighzCache::HighzCache(std::string data, std::string folder, sim::SurveyOptions options, int64_t side)
    : data_path_(std::move(data)), folder_(std::move(folder)), options_(std::move(options)), side_(side) {
  require<d16::ValueError>(side >= highz_hog_side && side <= highz_side && side % 2 == 0, "--side ", side,
                           "; an even number from ", highz_hog_side, " to ", highz_side, " is needed");
  require<d16::FileError>(fs::is_directory(data_path_), data_path_,
                          ": no such folder; --data is the folder with nircam_filters_jades_seds, "
                          "sed_templates_eazy, brown_dwarf_photometry and jwst_ceers_nircam");
  std::error_code error;
  fs::create_directories(folder_, error);
  require<d16::FileError>(!error && is_folder(folder_), folder_, ": cannot make this folder: ", error.message(),
                          "; choose another --out");
}

sim::SurveyData const& HighzCache::data() const {
  if (!data_) data_ = std::make_unique<sim::SurveyData>(sim::read_survey_data(data_path_));
  return *data_;
}
sim::Survey const& HighzCache::survey(std::string const& part) const {
  auto& slot = surveys_[part];
  if (!slot) {
    sim::SurveyOptions o = options_;
    o.set = highz_part(part).set;
    slot = std::make_unique<sim::Survey>(data(), o);
  }
  return *slot;
}

/// The objects first .. first + count - 1 from their file; it is made, or made anew where it has fewer.
HighzSet HighzCache::chunk_of(std::string const& part, int64_t first, int64_t count) const {
  std::string path = join(folder_, text(part, "-", first / chunk, ".safetensors"));
  std::string made = text("threshold ", options_.threshold, ", seed ", options_.seed, ", side ", side_, ", inputs 2");
  HighzSet set;
  if (is_file(path)) {
    io::TensorFile file = io::read_safetensors(path);
    require<d16::FileError>(file.metadata["made"] == made, path, ": holds objects of \"", file.metadata["made"],
                            "\", this run needs \"", made, "\"; choose another --out or remove the folder");
    for (Member const& m : members) set.*m.tensor = file.at(m.name);
  }
  if (set.size() >= count) return set.size() == count ? set : first_rows(set, count);
  set = prepare_part(survey(part), highz_part(part).split, first, count, side_);
  io::TensorFile file{.metadata = {{"made", made}, {"simulated", "true"}}};
  for (Member const& m : members) file.tensors.emplace_back(m.name, set.*m.tensor);
  io::write_safetensors(path, file);
  check_interrupted();
  return set;
}

void HighzCache::for_chunks(std::string const& part, int64_t count,
                            std::function<void(HighzSet const&, int64_t)> const& f) const {
  for (int64_t at = 0; at < count; at += chunk) f(chunk_of(part, at, std::min(chunk, count - at)), at);
}

HighzSet HighzCache::load(std::string const& part, int64_t count) const {
  std::vector<HighzSet> parts;
  for_chunks(part, count, [&](HighzSet const& set, int64_t) { parts.push_back(set); });
  require<d16::ValueError>(!parts.empty(), part, ": no objects were asked for; one or more are needed");
  return joined(parts);
}

std::vector<HighzVariant> highz_variants(int64_t side) {
  using Kind = HighzVariant::Kind;
  nn::BandNetworkOptions main{.input = {.size = int(side), .channels = int(bands), .classes = 3, .deviation = 0.2},
                              .spectral = {24, 24},
                              .mask = true,
                              .features = int(highz_hog_size()),
                              .spectral_dropout = 0.02,
                              .spatial_dropout = 0.02,
                              .dropout = 0};
  nn::BandNetworkOptions plain = main;
  plain.features = 0;
  nn::BandNetworkOptions early = main, position = main, d16_branch = plain;
  early.fusion = nn::Fusion::early;
  position.position = nn::Position::radius;
  d16_branch.group = d16::dihedral(8);
  d16_branch.spatial = {2, 4, 6};
  std::vector<HighzVariant> out{
      {"trees-flux", "boosted trees on fluxes and colours", Kind::trees},
      {"trees-size", "boosted trees on fluxes, colours and sizes", Kind::trees, {}, 0x7f, true},
      {"templates", "least chi square over templates, dust and redshifts, and brown-dwarf models", Kind::templates},
      {"cuts", "published colour cuts for T dwarfs (arXiv:2306.02663); no high-z cut", Kind::cuts},
      {"main", "the network: late fusion, channel attention, HOG", Kind::network, main},
      {"no-hog", "the network without HOG", Kind::network, plain},
      {"early", "early fusion", Kind::network, early},
      {"position", "told the distance of each pixel from the centre", Kind::network, position},
      {"d16", "spatial blocks equivariant under D16 (8 turns and mirrors), without HOG", Kind::network, d16_branch}};
  for (int b = 0; b < bands; ++b)
    out.push_back({text("without-", sim::survey_bands[size_t(b)]),
                   text("no-hog, trained without ", sim::survey_bands[size_t(b)]), Kind::network, plain,
                   0x7fu & ~(1u << b)});
  out.push_back({"only-F444W", "no-hog, trained with F444W alone", Kind::network, plain, 1u << 6});
  return out;
}
HighzVariant highz_variant(std::string const& name, int64_t side) {
  std::string names;
  for (HighzVariant const& variant : highz_variants(side)) {
    if (variant.name == name) return variant;
    names += text(names.empty() ? "" : ", ", variant.name);
  }
  throw d16::ValueError(text("\"", name, "\" is no variant; there are ", names));
}

HighzClassifier train_highz_run(HighzVariant const& variant, HighzSet const& train, HighzSet const& validation,
                                HighzCache const& cache, std::string const& folder, HighzTraining const& o) {
  switch (variant.kind) {
    case HighzVariant::Kind::network: return train_network(variant, train, validation, folder, o);
    case HighzVariant::Kind::trees: return train_trees(variant, train, validation, o);
    case HighzVariant::Kind::templates: return fit_templates(cache, validation);
    case HighzVariant::Kind::cuts: break;
  }
  return colour_cuts(validation);
}

std::vector<int64_t> highz_rows(std::vector<double> const& snr, double low, double high) {
  std::vector<int64_t> rows;
  for (size_t i = 0; i < snr.size(); ++i)
    if (snr[i] >= low && snr[i] < high) rows.push_back(int64_t(i));
  return rows;
}

Tensor highz_probabilities(Tensor const& logits, double temperature, std::array<double, 3> const& prior) {
  Tensor out = d16::empty(logits.shape(), vision::host_tensor(DType::f64));
  for (int64_t i = 0; i < logits.dim(0); ++i) {
    double const* z = logits.data<double>() + 3 * i;
    double* p = out.data<double>() + 3 * i;
    double highest = std::max({z[0], z[1], z[2]}), sum = 0;
    for (size_t k = 0; k < 3; ++k) sum += p[k] = prior[k] * std::exp((z[k] - highest) / temperature);
    for (size_t k = 0; k < 3; ++k) p[k] /= sum;
  }
  return out;
}

HighzRule fit_highz_rule(Tensor const& logits, HighzSet const& validation) {
  HighzRule rule{.temperature = learn::fit_temperature(logits, validation.label).temperature};
  std::vector<double> snr;
  for (int64_t i = 0; i < validation.size(); ++i) snr.push_back(validation.snr(i));
  std::vector<int64_t> rows = highz_rows(snr, 10);
  Tensor p = highz_probabilities(logits, rule.temperature, highz_prevalence), label = chosen(validation.label, rows);
  rule.high_z = threshold_of(column(p, 1, rows), label, 1, wanted_purity);
  rule.brown_dwarf = threshold_of(column(p, 2, rows), label, 2, wanted_precision);
  return rule;
}

Tensor highz_calls(Tensor const& logits, HighzRule const& rule) {
  Tensor p = highz_probabilities(logits, rule.temperature, highz_prevalence);
  Tensor out = d16::empty({logits.dim(0)}, vision::host_tensor(DType::i64));
  for (int64_t i = 0; i < out.numel(); ++i) {
    double const* row = p.data<double>() + 3 * i;
    out.data<int64_t>()[i] = row[2] >= rule.brown_dwarf ? 2 : row[1] >= rule.high_z ? 1 : 0;
  }
  return out;
}

HighzScores score_highz(Tensor const& logits, Tensor const& label, std::vector<int64_t> const& rows,
                        HighzRule const& rule) {
  HighzScores out{.n = int64_t(rows.size())};
  Tensor all_calls = highz_calls(logits, rule), p = highz_probabilities(logits, rule.temperature, {1, 1, 1});
  Tensor truth = chosen(label, rows), calls = chosen(all_calls, rows), first = chosen(learn::argmax(p), rows);
  out.balanced = learn::confusion_matrix(truth, first, 3);
  out.survey = learn::confusion_matrix(truth, calls, 3);
  out.accuracy = learn::balanced_accuracy(out.balanced);
  out.auc_high_z = auc_of(column(p, 1, rows), truth, 1);
  out.auc_dwarf = auc_of(column(p, 2, rows), truth, 2);
  std::tie(out.purity, out.completeness) = at_prevalence(out.survey, 1);
  std::tie(out.precision, out.recall) = at_prevalence(out.survey, 2);
  return out;
}

Json HighzScores::json() const {
  auto counts = [](Tensor const& t) { return Json(std::vector<int64_t>(t.data<int64_t>(), t.data<int64_t>() + 9)); };
  return Json::object({{"n", n},
                       {"accuracy", number_or_null(accuracy)},
                       {"auc_high_z", number_or_null(auc_high_z)},
                       {"auc_dwarf", number_or_null(auc_dwarf)},
                       {"purity_high_z", number_or_null(purity)},
                       {"completeness_high_z", number_or_null(completeness)},
                       {"precision_dwarf", number_or_null(precision)},
                       {"recall_dwarf", number_or_null(recall)},
                       {"confusion", counts(balanced)},
                       {"confusion_survey", counts(survey)}});
}

Json highz_about(HighzVariant const& variant, HighzRule const& rule, HighzTraining const& o, double threshold,
                 int64_t side) {
  Json names = Json::Array();
  for (auto const& band : sim::survey_bands) names.push_back(text(band));
  return Json::object({{"task", "highz"},
                       {"variant", variant.name},
                       {"classes", Json::array({"low_z", "high_z", "brown_dwarf"})},
                       {"bands", names},
                       {"redshift_threshold", threshold},
                       {"side", side},
                       {"hog", variant.network.features > 0},
                       {"columns", variant.kind == HighzVariant::Kind::trees
                                       ? (variant.sizes ? int64_t(highz_table_names().size()) : highz_flux_columns())
                                       : int64_t(0)},
                       {"trained_priors", Json::array({o.priors[0], o.priors[1], o.priors[2]})},
                       {"temperature", rule.temperature},
                       {"priors", Json::array({highz_prevalence[0], highz_prevalence[1], highz_prevalence[2]})},
                       {"thresholds", Json::object({{"high_z", rule.high_z}, {"brown_dwarf", rule.brown_dwarf}})},
                       {"seed", o.seed},
                       {"simulated", true},
                       {"command", command_line()},
                       {"d16", text(d16::stamp::version, " ", d16::stamp::commit)}});
}

}  // namespace tool
