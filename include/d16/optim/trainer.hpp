// Trainer: the loop over epochs, with its log, its checkpoints and the way back into an interrupted run.
#pragma once
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <type_traits>

#include "../cuda/captured_step.hpp"
#include "../io/checkpoint.hpp"
#include "../ops/concat.hpp"
#include "loss_meter.hpp"
#include "optimiser.hpp"
#include "progress.hpp"
#include "weight_mean.hpp"

namespace d16::optim {

struct TrainerOptions {
  int epochs = 20;
  std::string out = {};    ///< a folder for log.jsonl, last.safetensors, best.safetensors; empty: nothing is written
  bool resume = false;     ///< go on from out/last.safetensors if it is there
  double max_minutes = 0;  ///< stop after the last epoch that fits; 0: no limit
  bool higher_is_better = true;                       ///< of what validate() gives
  std::function<double(double epoch)> schedule = {};  ///< factor of the first learning rate: CosineSchedule, ...
  io::Json about = {};                                ///< kept in the files beside the weights
  int accumulate =
      1;  ///< the mean of the gradients of so many batches is one step; a rest at an epoch's end counts less
  double average = 0;    ///< above 0: validate() and best.safetensors see a running mean of the weights (WeightMean)
  bool capture = false;  ///< on cuda: from the second on a step is one CUDA graph (cuda/captured_step.hpp)
  std::FILE* progress = stderr;  ///< null: silent
  /// Called after each batch with the epoch (from 1), the batch in it (from 1), the batches of an epoch (0: unknown) and
  /// the mean loss of the epoch so far; on cuda that of the last time when progress was shown. What it throws ends the
  /// training; the last full epoch can be resumed.
  std::function<void(int epoch, int64_t step, int64_t steps, double loss)> on_step = {};
};

/// One epoch, as it stands in log.jsonl.
struct Epoch {
  int number = 0;
  int64_t steps = 0;
  double loss = 0, metric = 0, lr = 0, seconds = 0;

  io::Json json() const {
    return io::Json::object(
        {{"epoch", number}, {"steps", steps}, {"loss", loss}, {"metric", metric}, {"lr", lr}, {"seconds", seconds}});
  }
};

struct TrainingReport {
  std::vector<Epoch> epochs = {};  ///< all, those before a resume too
  int best_epoch = 0;
  double best_metric = 0;
  bool out_of_time = false;  ///< stopped by max_minutes
};

/// Trainer trainer(net, opt, {.epochs = 20, .out = "run"});
/// trainer.fit(data::Loader(train, {.batch = 64, .augment = true}),
///             [&](auto& batch) { return cross_entropy(net(batch.image), batch.label); },
///             [&] { return learn::accuracy(net, validation); });
///
/// After each epoch last.safetensors holds weights, running statistics, the optimiser's averages, the state of the
/// default generator and the history, and best.safetensors the weights of the best epoch. Files are replaced whole, so a
/// run may be killed at any time and resumed from its last full epoch, to the same bits as one that was not
/// interrupted, if the program begins as it did, with the same seed, and the batches depend on the seed, the epoch's
/// number and the default generator only. The generator goes on where it was when fit() begins, so that a Loader made
/// after the Trainer takes the seed that it had.
///
/// On cuda nothing waits for the GPU within an epoch: losses stay there until progress is shown or the epoch ends, and
/// only then a loss that is not finite ends the training, with the number of its step; the last checkpoint is from before.
/// After the first step no memory is asked from the system.
class Trainer {
 public:
  Trainer(nn::Module& net, Optimiser& optimiser, TrainerOptions o = {})
      : net_(net),
        optimiser_(optimiser),
        options_(std::move(o)),
        first_lr_(optimiser.lr()),
        progress_(options_.progress) {
    require<ValueError>(options_.epochs > 0, "Trainer: epochs is ", options_.epochs, "; it needs 1 or more");
    require<ValueError>(options_.accumulate > 0, "Trainer: accumulate is ", options_.accumulate,
                        "; it needs 1 or more");
    if (options_.average != 0) mean_.emplace(net_, options_.average);
    if (options_.out.empty()) require<ValueError>(!options_.resume, "Trainer: resume needs the folder `out`");
    else make_folder();
    if (options_.resume && ::access(path("last.safetensors").c_str(), F_OK) == 0) resume();
  }

  /// `batches` is a data::Loader or a function from the epoch's number (from 1) to a range of batches, loss(batch) gives
  /// a scalar tensor on the device of the network, validate() a number to watch. With capture, batches can be copied and
  /// have tensors(), pointers to all of their tensors, as data::Batch has; loss is called with those of the graph.
  /// Errors   ValueError when a loss or the metric is not finite; FileError when a file cannot be written.
  template <class Batches, class Loss, class Validate>
  TrainingReport fit(Batches&& batches, Loss const& loss, Validate const& validate) {
    continue_draws();
    double longest = 0;
    captured_ = nullptr;  // it would call the loss of an earlier fit()
    while (int(report_.epochs.size()) < options_.epochs) {
      bool fits = options_.max_minutes <= 0 || watch_.seconds() + longest <= 60 * options_.max_minutes;
      report_.out_of_time = !fits;
      if (!fits) break;
      Stopwatch epoch_watch;
      Epoch epoch = train_epoch(batches, loss);
      if (mean_) mean_->swap();
      epoch.metric = measure(validate);
      epoch.seconds = epoch_watch.seconds();
      longest = std::max(longest, epoch.seconds);
      bool const best = note(epoch);
      if (best && !options_.out.empty()) save(net_, path("best.safetensors"), options_.about);
      if (mean_) mean_->swap();
      if (!options_.out.empty()) write_checkpoint(), write_log();
    }
    if (report_.out_of_time)
      progress_.line(text("stopped: the next epoch would end after ", options_.max_minutes, " minutes"));
    return report_;
  }

  TrainingReport const& report() const { return report_; }

 private:
  std::string path(char const* name) const { return options_.out + "/" + name; }
  void make_folder() {
    bool made = ::mkdir(options_.out.c_str(), 0777) == 0 || errno == EEXIST;
    require<FileError>(made, options_.out, ": cannot make this folder: ", std::strerror(errno),
                       "; make its parent first");
  }

  /// The batches of one epoch; a loader is told which epoch it is, since a resumed one begins to count at the first.
  template <class Batches> static decltype(auto) batches_of(Batches& batches, int number) {
    if constexpr (requires { batches(number); }) {
      return batches(number);
    } else {
      auto state = batches.state();
      state.epoch = number - 1, state.position = 0;
      batches.restore(state);
      return (batches);
    }
  }

  /// The batches of a step that is to be captured, as far as they have come.
  template <class B> static constexpr bool can_be_captured = requires(B batch) { B(batch).tensors(); };
  struct NoBatches {};
  template <class B> using Waiting = std::conditional_t<can_be_captured<B>, std::vector<B>, NoBatches>;

  /// The loss of a batch, and a step when it was the last of one.
  template <class B, class Loss>
  void learn(B&& batch, Loss const& loss, Waiting<std::decay_t<B>>& waiting, LossMeter& meter, Epoch const& epoch) {
    if (captures()) {
      if constexpr (can_be_captured<std::decay_t<B>>) waiting.push_back(batch);
      else throw ValueError("Trainer: capture needs batches with tensors(), as data::Loader gives them");
    } else {
      Tensor value = loss(batch);
      meter.add(value.detach());
      if (!on_gpu()) require_finite(meter.read(), epoch);
      share(value).backward();
    }
    if ((epoch.steps + 1) % options_.accumulate == 0) end_step(waiting, loss, meter);
  }
  /// What a batch's loss counts in its step.
  Tensor share(Tensor loss) const { return options_.accumulate == 1 ? loss : loss / double(options_.accumulate); }

  template <class Batches, class Loss> void end_step(Batches& waiting, Loss const& loss, LossMeter& meter) {
    take_step(waiting, loss, meter);
    if (mean_) mean_->follow(++steps_);
  }
  template <class Batches, class Loss> void take_step(Batches& waiting, Loss const& loss, LossMeter& meter) {
    if (!captures()) return optimiser_.step();
    if constexpr (!std::is_same_v<Batches, NoBatches>) {
      std::vector<Tensor> inputs;
      for (auto& batch : waiting)
        for (Tensor* x : batch.tensors()) inputs.push_back(*x);
      if (!captured_)
        captured_ = std::make_unique<cuda::CapturedStep>(
            optimiser_.device(),
            [this, &loss, one = waiting[0]](std::vector<Tensor> const& in) { return whole_step(one, in, loss); });
      Tensor const losses = (*captured_)(inputs);
      for (int64_t i = 0; i < losses.numel(); ++i) meter.add(losses.slice(0, i, i + 1));
      waiting.clear();
    }
  }
  /// Forward and back with each batch, whose tensors follow one another in `in`, and a step. The losses of all batches.
  template <class B, class Loss> Tensor whole_step(B batch, std::vector<Tensor> const& in, Loss const& loss) {
    std::vector<Tensor> losses;
    for (auto x = in.begin(); x != in.end();) {
      for (Tensor* of_batch : batch.tensors()) *of_batch = *x++;
      Tensor value = loss(batch);
      losses.push_back(value.detach());
      share(value).backward();
    }
    optimiser_.step();
    return concat(losses, 0);
  }
  bool on_gpu() const { return machine_of(optimiser_.device()).new_graph != nullptr; }
  bool captures() const { return options_.capture && on_gpu(); }
  void require_finite(LossMeter::Reading const& losses, Epoch const& epoch) const {
    require<ValueError>(losses.bad == 0, "training: the loss is ", losses.first_value, " in epoch ", epoch.number,
                        ", step ", losses.first_bad, "; lower the learning rate (", optimiser_.lr(),
                        ") or look for NaN in the images");
  }

  template <class Batches, class Loss> Epoch train_epoch(Batches& batches, Loss const& loss) {
    int number = int(report_.epochs.size()) + 1;
    net_.train();
    auto&& range = batches_of(batches, number);
    int64_t total = size_of_range(range);
    Epoch epoch{.number = number};
    LossMeter meter(optimiser_.device());
    Waiting<std::decay_t<decltype(*range.begin())>> waiting{};
    for (auto&& batch : range) {
      double done = total ? double(epoch.steps) / double(total) : 0;
      if (options_.schedule) optimiser_.set_lr(first_lr_ * options_.schedule(number - 1 + done));
      learn(batch, loss, waiting, meter, epoch);
      ++epoch.steps;
      if (!on_gpu() || progress_.due()) epoch.loss = loss_so_far(meter, epoch);
      show(epoch, total);
      if (options_.on_step) options_.on_step(number, epoch.steps, total, epoch.loss);
    }
    require<ValueError>(epoch.steps > 0, "training: epoch ", number, " has no batches; look at the data");
    if (epoch.steps % options_.accumulate) end_step(waiting, loss, meter);
    epoch.loss = loss_so_far(meter, epoch);
    optimiser_.check();
    epoch.lr = optimiser_.lr();
    return epoch;
  }
  double loss_so_far(LossMeter const& meter, Epoch const& epoch) const {
    LossMeter::Reading const losses = meter.read();
    require_finite(losses, epoch);
    return losses.mean();
  }
  template <class Range> static int64_t size_of_range(Range const& range) {
    if constexpr (requires { range.batches(); }) return range.batches();
    else if constexpr (requires { range.size(); }) return int64_t(range.size());
    else return 0;
  }

  template <class Validate> double measure(Validate const& validate) {
    NoGrad off;
    net_.eval();
    double metric = double(validate());
    net_.train();
    require<ValueError>(std::isfinite(metric), "training: the validation metric is ", metric,
                        "; lower the learning rate or look for NaN in the images");
    return metric;
  }

  void show(Epoch const& epoch, int64_t total) {
    if (!progress_.due()) return;
    double done = epoch.number - 1 + (total ? double(epoch.steps) / double(total) : 0),
           before = double(resumed_epochs_);
    double left = done > before ? watch_.seconds() * (options_.epochs - done) / (done - before) : 0;
    progress_.update(text("epoch ", epoch.number, "/", options_.epochs, "  step ", epoch.steps,
                          total ? text("/", total) : "", "  loss ", epoch.loss,
                          left > 0 ? text("  ", duration_text(left), " left") : "", "  peak ", peak_memory_text()));
  }

  /// Into the history, and said. Whether it is the best so far.
  bool note(Epoch const& epoch) {
    bool first = report_.epochs.empty();
    bool better =
        first || (options_.higher_is_better ? epoch.metric > report_.best_metric : epoch.metric < report_.best_metric);
    report_.epochs.push_back(epoch);
    if (better) report_.best_epoch = epoch.number, report_.best_metric = epoch.metric;
    double left =
        watch_.seconds() / double(int(report_.epochs.size()) - resumed_epochs_) * (options_.epochs - epoch.number);
    progress_.line(text("epoch ", epoch.number, "/", options_.epochs, "  loss ", epoch.loss, "  metric ", epoch.metric,
                        better ? " (best)" : "", "  lr ", epoch.lr, "  ", duration_text(epoch.seconds), "  ",
                        duration_text(left), " left  peak ", peak_memory_text()));
    return better;
  }

  void write_checkpoint() {
    io::TensorFile file = d16::detail::weights_file(net_, options_.about);
    for (auto const& [name, tensor] : optimiser_.state()) file.tensors.emplace_back("optimiser." + name, tensor);
    if (mean_)
      for (auto const& [name, tensor] : mean_->tensors()) file.tensors.emplace_back("weight_mean." + name, tensor);
    io::Json epochs = io::Json::Array();
    for (Epoch const& epoch : report_.epochs) epochs.push_back(epoch.json());
    auto& generator = default_generator();
    file.metadata["trainer"] = io::Json::object({{"epochs", std::move(epochs)},
                                                 {"best_epoch", report_.best_epoch},
                                                 {"best_metric", report_.best_metric},
                                                 {"steps", optimiser_.steps()},
                                                 {"seed", int64_t(generator.seed.load())},
                                                 {"draws", int64_t(generator.draws.load())}})
                                   .dump();
    io::write_safetensors(path("last.safetensors"), file);
  }
  void write_log() const {
    std::string lines;
    for (Epoch const& epoch : report_.epochs) lines += epoch.json().dump() + "\n";
    io::write_file(path("log.jsonl"), lines);
  }

  void resume() {
    std::string source = path("last.safetensors");
    io::TensorFile file = io::read_safetensors(source);
    io::Json state = d16::detail::metadata_json(file, "trainer");
    require<WeightsError>(!state.is_null(), source, ": is not a checkpoint of a training; start without resume");
    d16::detail::copy_weights(file, net_);
    std::vector<Optimiser::State> averages;
    for (auto const& [name, tensor] : file.tensors)
      if (name.starts_with("optimiser.")) averages.push_back({name.substr(std::strlen("optimiser.")), tensor});
    optimiser_.restore(averages, state.integer("steps"));
    steps_ = state.integer("steps");
    if (mean_)
      for (auto const& [name, tensor] : mean_->tensors()) {
        Tensor const* saved = file.find("weight_mean." + name);
        require<WeightsError>(saved != nullptr, source, ": holds no mean of the weights; resume with the `average` of ",
                              "the first run, or start without resume");
        tensor.assign(*saved);
      }
    for (io::Json const& e : state.at("epochs").array())
      report_.epochs.push_back({int(e.integer("epoch")), e.integer("steps"), e.number("loss"), e.number("metric"),
                                e.number("lr"), e.number("seconds")});
    report_.best_epoch = int(state.integer("best_epoch"));
    report_.best_metric = state.number("best_metric");
    resumed_epochs_ = int(report_.epochs.size());
    draws_ = {uint64_t(state.integer("seed")), uint64_t(state.integer("draws"))};
    progress_.line(text("resumed after epoch ", resumed_epochs_, " of ", options_.epochs, " from ", source));
  }
  /// Where the checkpoint says, once.
  void continue_draws() {
    if (!draws_) return;
    default_generator().seed = draws_->seed, default_generator().draws = draws_->count;
    draws_.reset();
  }

  /// Of the default generator.
  struct Draws {
    uint64_t seed, count;
  };

  nn::Module& net_;
  Optimiser& optimiser_;
  TrainerOptions options_;
  double first_lr_;
  Progress progress_;
  Stopwatch watch_;
  TrainingReport report_;
  int resumed_epochs_ = 0;
  std::optional<Draws> draws_;  ///< of the run that is resumed, until fit() begins
  std::optional<WeightMean> mean_;
  int64_t steps_ = 0;
  std::unique_ptr<cuda::CapturedStep> captured_;
};

}  // namespace d16::optim
