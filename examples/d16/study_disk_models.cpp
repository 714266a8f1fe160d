// The classifiers of d16 study disk: bodies of study_disk_models.hpp.
#include "study_disk_models.hpp"

#include <algorithm>
#include <cmath>
#include <ctime>

#include <d16/core/parallel.hpp>
#include <d16/io/checkpoint.hpp>
#include <d16/learn/calibration.hpp>
#include <d16/nn/cost.hpp>
#include <d16/nn/unet_vae.hpp>
#include <d16/ops/concat.hpp>
#include <d16/ops/losses.hpp>
#include <d16/optim/adam.hpp>
#include <d16/optim/schedule.hpp>
#include <d16/optim/trainer.hpp>
#include <d16/vision/views.hpp>

#include "sha256.hpp"
#include "training.hpp"

namespace tool {

using d16::DType;
using d16::Random;
using d16::require;
using d16::Tensor;
using d16::text;
namespace learn = d16::learn;
namespace nn = d16::nn;
namespace optim = d16::optim;
namespace vision = d16::vision;

namespace {

constexpr double label_smoothing = 0.02, weight_decay = 1e-4;

using Input = nn::ClassifierInput;
using Make = std::function<Json(Input const&)>;
constexpr Input usual_input{.size = int(disk_side), .channels = 1, .classes = 2};

int64_t weights_of(Json const& network) { return nn::build(network).module()->weight_count(); }
int64_t cost_of(Json const& network) { return nn::multiply_adds(network, int(disk_side), int(disk_side)); }

Make equivariant(d16::Group group, std::vector<int> widths) {
  return [=](Input const& input) {
    return nn::EquivariantClassifier(
               {.input = input, .group = group, .widths = widths, .pool_after = {2, 3}, .first_stride = 2})
        .describe();
  };
}
/// Levels in the ratio 1:2:3:4, as the fields of the equivariant network.
Make plain(int scale) {
  return [=](Input const& input) {
    return nn::PlainCnn({.input = input, .widths = {scale, 2 * scale, 3 * scale, 4 * scale}}).describe();
  };
}
/// Fields in the same ratio as far as whole numbers allow.
Make order_32(int scale) {
  std::vector<int> widths;
  for (int k = 1; k < 5; ++k) widths.push_back(std::max(1, int(std::lround(k * scale / 8.0))));
  return equivariant(d16::dihedral(16), widths);
}
/// The scale whose network costs as much as wanted.
template <class Family, class Cost> Make equal(Family const& family, Cost const& cost, int64_t wanted) {
  return family(nn::scale_of_equal_cost([&](int k) { return cost(family(k)(usual_input)); }, double(wanted)));
}

/// One batch: rows of the training view and how each is turned and mirrored.
struct Step {
  std::vector<int64_t> rows;
  std::vector<int> element;
};

/// The rows of an epoch. Of a part of the pictures as many steps are made as of all.
std::vector<Step> steps_of(std::vector<int64_t> const& rows, int64_t count, DiskTraining const& t, int epoch) {
  Random random(t.seed * 1000003 + uint64_t(epoch), 0xd15c);
  std::vector<int64_t> order;
  while (int64_t(order.size()) < count) {
    std::vector<int64_t> round = rows;
    for (size_t i = round.size() - 1; i > 0; --i) std::swap(round[i], round[size_t(random.integer(int64_t(i + 1)))]);
    order.insert(order.end(), round.begin(), round.end());
  }
  order.resize(size_t(count));
  std::vector<Step> steps;
  int64_t batch = std::min(t.batch, count);
  for (int64_t at = 0; at + batch <= count; at += batch) {
    Step step{{order.begin() + at, order.begin() + at + batch}, {}};
    for (int64_t i = 0; i < batch; ++i) step.element.push_back(int(random.integer(8)));
    steps.push_back(std::move(step));
  }
  return steps;
}

/// A square picture turned by element % 4 quarters, then mirrored when element > 3.
void turn(float const* in, int64_t side, int64_t channels, int element, float* out) {
  for (int64_t i = 0; i < side; ++i)
    for (int64_t j = 0; j < side; ++j, out += channels) {
      int64_t y = i, x = element > 3 ? side - 1 - j : j;
      for (int quarter = element % 4; quarter > 0; --quarter) {
        int64_t before = y;
        y = x, x = side - 1 - before;
      }
      std::copy_n(in + (y * side + x) * channels, channels, out);
    }
}

Tensor batch_of(Tensor const& view, Step const& step) {
  int64_t side = view.dim(1), C = view.dim(3), values = side * side * C;
  Tensor out = d16::empty({int64_t(step.rows.size()), side, side, C});
  d16::parallel_tasks(out.dim(0), [&](int64_t n) {
    turn(view.data<float>() + step.rows[size_t(n)] * values, side, C, step.element[size_t(n)],
         out.data<float>() + n * values);
  });
  return out;
}

/// What is trained on: labels, some of them wrong on purpose, and rows.
struct Lesson {
  std::vector<int64_t> label, rows;
};

Lesson lesson_of(DiskSet const& set, DiskTraining const& t) {
  using Kind = DiskQuestion::Kind;
  Lesson out;
  Random random(t.seed, 0x1e55);
  for (int64_t i = 0; i < set.size(); ++i) {
    int64_t label = t.question.kind == Kind::classes ? set.kind.data<int64_t>()[i] : int64_t(set.is_disk(i));
    double chance = random.uniform();
    if (t.question.kind == Kind::labels && chance < t.question.value) label = 1 - label;
    out.label.push_back(label);
    bool left_out = t.question.kind == Kind::size && chance >= t.question.value;
    if (!left_out) out.rows.push_back(i);
  }
  return out;
}

/// Of the pictures the half whose light fills most of the frame: those in which an eye sees structure.
void keep_large(Tensor const& clean, Lesson& lesson) {
  std::vector<std::pair<double, int64_t>> order;
  int64_t values = clean.numel() / clean.dim(0);
  for (int64_t i : lesson.rows) {
    int64_t bright = 0;
    for (int64_t k = 0; k < values; ++k) bright += clean.data<float>()[i * values + k] > 0.25f;
    order.push_back({double(bright), i});
  }
  std::sort(order.rbegin(), order.rend());
  lesson.rows.clear();
  for (size_t i = 0; i < order.size() / 2; ++i) lesson.rows.push_back(order[i].second);
  std::sort(lesson.rows.begin(), lesson.rows.end());
}

double cpu_now() { return double(std::clock()) / CLOCKS_PER_SEC; }

/// A view of the training pictures as a regime sees it.
Tensor view_of(DiskData const& data, DiskTraining const& t, int64_t view, int64_t side) {
  if (t.regime != "a") return disk_seen(data.load(t.question.part(text("train-", view))), t.regime, side);
  DiskSet clean{data.clean_view(view), {}};
  return disk_seen(clean, "a", side);
}

double auc_of(Tensor const& logits, DiskSet const& set) {
  std::vector<double> margin;
  for (int64_t i = 0; i < logits.dim(0); ++i) {
    float const* z = logits.data<float>() + i * logits.dim(1);
    margin.push_back(double(*std::max_element(z + 1, z + logits.dim(1))) - double(z[0]));
  }
  return learn::roc_auc(d16::from(margin, {int64_t(margin.size())}), disk_labels(set));
}

}  // namespace

std::vector<DiskModel> disk_models() {
  std::vector<DiskModel> out;
  auto add = [&](char const* name, char const* what, Make make, bool all_regimes = false) {
    Json const network = make(usual_input);
    out.push_back({name, what, std::move(make), weights_of(network), cost_of(network), all_regimes});
  };
  add("d16", "D16, order 16", equivariant(d16::dihedral(8), {8, 16, 24, 32}), true);
  int64_t const weights = out[0].weights, cost = out[0].multiply_adds;
  add("d32", "D16, order 32, of equal weights", equal(order_32, weights_of, weights));
  add("cnn", "CNN of equal weights", equal(plain, weights_of, weights), true);
  add("cnn-macs", "CNN of equal executed multiply-adds", equal(plain, cost_of, cost));
  add("resnet18", "ResNet-18, 16 channels wide",
      [](Input const& input) { return nn::resnet({.input = input, .width = 16}).describe(); });
  add("vgg", "VGG-like, 8 channels wide", [](Input const& input) {
    // hidden layers with dropout of so few features learnt nothing: validation AUC 0.5 at every rate
    return nn::vgg_like({.input = input, .width = 8, .convs = {2, 2, 3, 3, 3}, .pooled = 1, .hidden = {}}).describe();
  });
  add("densenet", "DenseNet-like, growth 8", [](Input const& input) {
    return nn::densenet_like({.input = input, .width = 16, .growth = 8, .layers = {4, 6, 8, 6}}).describe();
  });
  return out;
}

std::string use_disk_denoiser(std::string const& path, DiskData& data) {
  auto loaded = std::make_shared<d16::LoadedNetwork>(d16::load_network(path));
  nn::UNetVae* net = loaded->net.as<nn::UNetVae>();
  require<d16::WeightsError>(net && net->options().channels == 1, path, ": is no denoiser of one channel");
  std::string sha = sha256_of_file(path);
  data.set_denoiser(
      [loaded](Tensor const& x) {
        d16::NoGrad off;
        return loaded->net(x);
      },
      sha);
  return sha;
}

DiskModel disk_model(std::string const& name) {
  std::string names;
  for (DiskModel const& model : disk_models()) {
    if (model.name == name) return model;
    names += text(names.empty() ? "" : ", ", model.name);
  }
  throw d16::ValueError(text("study disk: \"", name, "\" is no classifier; there are ", names));
}

std::string DiskQuestion::name() const {
  constexpr char const* names[] = {"", "size", "labels", "patch", "classes", "selection", "channels", "epochs"};
  return kind == Kind::none ? "" : value > 0 ? text(names[int(kind)], "-", value) : names[int(kind)];
}

Tensor disk_labels(DiskSet const& set) {
  std::vector<int64_t> out;
  for (int64_t i = 0; i < set.size(); ++i) out.push_back(set.is_disk(i));
  return d16::from(out, {set.size()});
}

std::vector<double> disk_probabilities(Tensor const& logits, double temperature) {
  Tensor p = learn::TemperatureCalibration{temperature}(logits);
  std::vector<double> out;
  for (int64_t i = 0; i < p.dim(0); ++i) out.push_back(1 - p.data<double>()[i * p.dim(1)]);
  return out;
}

DiskRule fit_disk_rule(Tensor const& logits, DiskSet const& validation) {
  Tensor disk = disk_labels(validation);
  DiskRule rule{learn::fit_temperature(logits, logits.dim(1) == 2 ? disk : validation.kind).temperature};
  std::vector<double> p = disk_probabilities(logits, rule.temperature);
  rule.threshold = learn::best_threshold(d16::from(p, {int64_t(p.size())}), disk).value;
  return rule;
}

Tensor disk_seen(DiskSet const& set, std::string const& regime, int64_t side) {
  auto full = [&](Tensor const& x) {
    Tensor y = x.cast(DType::f32).contiguous();
    return side == disk_side ? y : vision::resize(y, side, side);
  };
  require<d16::ValueError>(regime == "a" || regime == "b" || set.denoised.defined(), "study disk: regime ", regime,
                           " needs denoised pictures");
  if (regime == "d" || regime == "c") return full(set.denoised);
  if (regime == "e") return d16::concat({full(set.noisy), full(set.denoised)}, d16::axis::C).contiguous();
  return full(regime == "a" && set.clean.defined() ? set.clean : set.noisy);
}

Tensor disk_logits(nn::Stage& net, Tensor const& seen, bool views) {
  d16::NoGrad off;
  net.module()->eval();
  Tensor out;
  for (int64_t i = 0; i < seen.dim(0); i += 64) {
    Tensor x = seen.slice(0, i, std::min(seen.dim(0), i + 64)).contiguous(), y;
    if (!views) {
      y = net(x);
    } else {
      for (Tensor const& view : vision::dihedral_views(x)) {
        Tensor one = net(view) / 16.0;
        y = y.defined() ? y + one : one;
      }
    }
    y = y.contiguous();
    if (!out.defined()) out = d16::empty({seen.dim(0), y.dim(1)});
    std::copy_n(y.data<float>(), y.numel(), out.data<float>() + i * y.dim(1));
    check_interrupted();
  }
  return out;
}

DiskClassifier train_disk_unit(DiskModel const& model, DiskData const& data, std::string const& folder,
                               DiskTraining const& t) {
  using Kind = DiskQuestion::Kind;
  Stopwatch watch;
  double cpu = cpu_now();
  int64_t side = t.question.kind == Kind::patch ? int64_t(t.question.value) : disk_side;
  Lesson lesson = lesson_of(data.load("train-0"), t);
  Tensor view = view_of(data, t, 0, side);
  if (t.question.kind == Kind::selection) keep_large(data.clean_view(0).cast(DType::f32).contiguous(), lesson);
  auto [mean, deviation] = moments(view);
  Input const input{.size = int(side),
                    .channels = int(view.dim(3)),
                    .classes = t.question.kind == Kind::classes ? 3 : 2,
                    .mean = mean,
                    .deviation = deviation};
  d16::manual_seed(t.seed);
  DiskClassifier out{std::make_shared<nn::Stage>(nn::build(model.network(input)))};
  nn::Module& module = *out.net->module();
  optim::AdamW optimiser(module.parameters(), {.lr = t.lr, .weight_decay = weight_decay});
  optim::TrainerOptions o;
  o.epochs = int(t.epochs), o.out = folder, o.resume = true, o.progress = nullptr;
  o.schedule = optim::CosineSchedule{.epochs = double(t.epochs), .warmup = 1, .floor = 0.01};
  o.on_step = [](int, int64_t, int64_t, double) { check_interrupted(); };
  optim::Trainer trainer(module, optimiser, o);
  DiskSet validation = data.load(t.question.part(t.regime == "a" ? "validation-clean" : "validation"));
  Tensor shown = disk_seen(validation, t.regime, side);
  optim::TrainingReport report = trainer.fit(
      [&](int epoch) {
        view = view_of(data, t, epoch - 1, side);
        return steps_of(lesson.rows, view.dim(0), t, epoch);
      },
      [&](Step const& step) {
        std::vector<int64_t> label;
        for (int64_t row : step.rows) label.push_back(lesson.label[size_t(row)]);
        return d16::cross_entropy((*out.net)(batch_of(view, step)), d16::from(label, {int64_t(label.size())}),
                                  {.label_smoothing = label_smoothing});
      },
      [&] {  // only the last epoch counts
        bool last = int64_t(trainer.report().epochs.size()) + 1 == t.epochs;
        return last ? auc_of(disk_logits(*out.net, shown), validation) : 0.0;
      });
  module.eval();
  out.validation_auc = report.epochs.back().metric, out.loss = report.epochs.back().loss;
  for (optim::Epoch const& epoch : report.epochs) out.wall_seconds += epoch.seconds;
  out.cpu_seconds = cpu_now() - cpu;
  return out;
}

}  // namespace tool
