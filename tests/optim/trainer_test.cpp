// Trainer: a run that was killed and resumed ends with the same bits; logs, checkpoints, time limit, bad losses.
#include <doctest/doctest.h>

#include <cmath>
#include <d16/cuda/use.hpp>
#include <d16/data/loader.hpp>
#include <d16/ops/losses.hpp>
#include <d16/optim/adam.hpp>
#include <d16/optim/schedule.hpp>
#include <d16/optim/sgd.hpp>
#include <d16/optim/trainer.hpp>

#include "io/bad_input.hpp"
#include "nn/toy_galaxies.hpp"

using namespace d16;
using bad_input::error_of;
using bad_input::TemporaryFolder;

namespace {

nn::Sequential net_with_all_kinds_of_state() {
  return nn::Sequential{nn::LiftConv2d(dihedral(2), 1, 3),
                        nn::InnerBatchNorm(3),
                        relu,
                        nn::BlurPool(),
                        nn::Dropout(0.3),
                        group_max_pool,
                        global_avg_pool,
                        nn::Linear(3, 2)};
}

struct Killed {};

/// One program run: fresh network from the seed, then training; kill_at throws in that epoch, before its last step.
std::vector<std::vector<float>> run(std::string const& out, bool resume, int kill_at = 0, double average = 0) {
  manual_seed(11);
  nn::Sequential net = net_with_all_kinds_of_state();
  optim::AdamW opt(net.parameters(), {.lr = 1e-2});
  toy::Batch data = toy::galaxies(12, 8, 5);
  optim::Trainer trainer(net, opt,
                         {.epochs = 4,
                          .out = out,
                          .resume = resume,
                          .schedule = optim::CosineSchedule{4},
                          .average = average,
                          .progress = nullptr});
  auto batches = [&](int epoch) {
    std::vector<std::pair<int64_t, int64_t>> slices;
    for (int64_t i = 0; i < 3; ++i) slices.emplace_back((i + epoch) % 3 * 4, epoch);
    return slices;
  };
  auto loss = [&](std::pair<int64_t, int64_t> slice) {
    if (kill_at && slice.second == kill_at && opt.steps() % 3 == 2) throw Killed();
    return cross_entropy(net(data.images.slice(0, slice.first, slice.first + 4)),
                         data.labels.slice(0, slice.first, slice.first + 4));
  };
  auto validate = [&] { return -cross_entropy(net(data.images), data.labels).item(); };
  trainer.fit(batches, loss, validate);
  std::vector<std::vector<float>> weights;
  for (nn::Named& named : net.named_tensors()) {
    auto values = named.tensor.host<float>();
    weights.emplace_back(values.begin(), values.end());
  }
  return weights;
}

std::string text_of(std::string const& path) { return io::read_file(path); }
/// The log without the column that is never twice the same.
std::vector<std::string> log_without_seconds(std::string const& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
    lines.push_back(text.substr(at, text.find("\"seconds\"", at) - at));
  return lines;
}

}  // namespace

TEST_CASE("a run that was killed and resumed ends with the same bits as one that was not") {
  TemporaryFolder folder;
  auto straight = run(folder / "straight", false);
  CHECK_THROWS_AS(run(folder / "killed", false, 3), Killed);
  CHECK(text_of(folder / "killed/log.jsonl").find("\"epoch\":3") == std::string::npos);
  auto resumed = run(folder / "killed", true);
  CHECK(resumed == straight);
  CHECK(log_without_seconds(text_of(folder / "killed/log.jsonl")) ==
        log_without_seconds(text_of(folder / "straight/log.jsonl")));
  auto without_files = run("", false);
  CHECK(without_files == straight);
  auto again = run(folder / "straight", false, 0);
  CHECK(again == straight);
}

TEST_CASE("a Loader that takes its seed from the default generator resumes to the same bits") {
  TemporaryFolder folder;
  toy::Batch toys = toy::galaxies(12, 8, 5);
  data::Dataset const set{toys.images, toys.labels, std::vector<std::string>(12), {"a", "b"}};
  auto run = [&](std::string const& out, bool resume, int kill_at, bool loader_first) {
    manual_seed(11);
    nn::Sequential net = net_with_all_kinds_of_state();
    optim::AdamW opt(net.parameters(), {.lr = 1e-2});
    std::optional<data::Loader> loader;
    auto make_loader = [&] { loader.emplace(set, data::LoaderOptions{.batch = 4, .augment = true}); };
    if (loader_first) make_loader();
    optim::Trainer trainer(net, opt, {.epochs = 4, .out = folder / out, .resume = resume, .progress = nullptr});
    if (!loader_first) make_loader();
    trainer.fit(
        *loader,
        [&](data::Batch const& batch) {
          if (kill_at && loader->state().epoch + 1 == kill_at) throw Killed();
          return cross_entropy(net(batch.image), batch.label);
        },
        [] { return 1; });
    std::vector<float> weights;
    for (Tensor const& p : net.parameters()) {
      auto const values = p.host<float>();
      weights.insert(weights.end(), values.begin(), values.end());
    }
    return std::pair(weights, default_generator().draws.load());
  };
  for (bool loader_first : {true, false}) {
    auto const straight = run("straight", false, 0, loader_first);
    CHECK_THROWS_AS(run("killed", false, 3, loader_first), Killed);
    CHECK(run("killed", true, 0, loader_first) == straight);
  }
}

TEST_CASE("a running mean of the weights is judged and kept, resumes to the same bits, and disturbs no step") {
  TemporaryFolder folder;
  auto plain = run(folder / "plain", false);
  CHECK(run(folder / "mean", false, 0, 0.9) == plain);
  CHECK_THROWS_AS(run(folder / "killed", false, 3, 0.9), Killed);
  run(folder / "killed", true, 0, 0.9);
  io::TensorFile straight = io::read_safetensors(folder / "mean/last.safetensors"),
                 resumed = io::read_safetensors(folder / "killed/last.safetensors"),
                 best = io::read_safetensors(folder / "mean/best.safetensors");
  int means = 0;
  for (auto const& [name, tensor] : straight.tensors) {
    if (!name.starts_with("weight_mean.")) continue;
    auto const values = tensor.host<float>();
    CHECK(std::ranges::equal(values, resumed.at(name).host<float>()));
    CHECK_FALSE(std::ranges::equal(values, straight.at(name.substr(12)).host<float>()));
    ++means;
  }
  CHECK(means == int(best.tensors.size()));
  CHECK(text_of(folder / "mean/log.jsonl") != text_of(folder / "plain/log.jsonl"));
  CHECK_THROWS_AS(run(folder / "plain", true, 0, 0.9), WeightsError);  // it has no mean to go on with
  // 1, then 3/12 of 1 and 9/12 of 5, which is 4, then 4/13 of that and 9/13 of 5
  nn::Linear net(1, 1, {.bias = false});
  NoGrad off;
  net.weight.assign(full({1, 1}, 1));
  optim::WeightMean mean(net, 0.5);
  net.weight.assign(full({1, 1}, 5));
  mean.follow(2);
  mean.follow(3);
  mean.swap();
  CHECK(std::abs(net.weight.item() - (4.0 * 4 + 9 * 5) / 13) < 8 * 1.2e-7 * 5);
  mean.swap();
  CHECK(net.weight.item() == 5);
  CHECK_THROWS_AS(optim::WeightMean(net, 1), ValueError);
}

TEST_CASE("resuming a finished run changes nothing; resume without a checkpoint starts anew") {
  TemporaryFolder folder;
  auto first = run(folder / "run", true);
  CHECK(run(folder / "run", true) == first);
}

TEST_CASE("the log has a line per epoch, the best epoch has its own file") {
  TemporaryFolder folder;
  nn::Sequential net{nn::Linear(2, 1)};
  optim::Sgd opt(net.parameters(), {.lr = 0.1, .momentum = 0});
  std::vector<double> metrics{0.3, 0.8, 0.5};
  size_t next = 0;
  float at_best = 0;
  optim::Trainer trainer(
      net, opt,
      {.epochs = 3, .out = folder / "run", .about = io::Json::object({{"threshold", 0.5}}), .progress = nullptr});
  auto report = trainer.fit(
      [](int) {
        return std::vector<int>{1, 2};
      },
      [&](int factor) {
        return mean(square(net(full({1, 2}, factor))));
      },
      [&] {
        CHECK(!net.training());
        if (next == 1) at_best = net.named_tensors()[0].tensor.host<float>()[0];
        return metrics[next++];
      });
  CHECK(report.best_epoch == 2);
  CHECK(report.best_metric == 0.8);
  CHECK(report.epochs.size() == 3);
  CHECK(report.epochs[0].steps == 2);
  auto lines = text_of(folder / "run/log.jsonl");
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 3);
  io::Json second = io::parse_json(
      lines.substr(lines.find('\n') + 1, lines.find('\n', lines.find('\n') + 1) - lines.find('\n') - 1), "log");
  CHECK(second.integer("epoch") == 2);
  CHECK(second.number("metric") == 0.8);
  LoadedNetwork best = load_network(folder / "run/best.safetensors");
  CHECK(best.net.module()->named_tensors()[0].tensor.host<float>()[0] == at_best);
  CHECK(best.about.number("threshold") == 0.5);
  CHECK(load_network(folder / "run/last.safetensors").net.module()->weight_count() == 3);
}

TEST_CASE("a lower metric can be the better one") {
  nn::Sequential net{nn::Linear(1, 1)};
  optim::Sgd opt(net.parameters());
  double metric = 5;
  optim::Trainer trainer(net, opt, {.epochs = 4, .higher_is_better = false, .progress = nullptr});
  auto report = trainer.fit([](int) { return std::vector<int>{1}; },
                            [&](int) {
                              return mean(square(net(ones({1, 1}))));
                            },
                            [&] { return std::abs(--metric - 3); });
  CHECK(report.best_epoch == 2);
  CHECK(report.best_metric == 0);
}

TEST_CASE("a loss that is not a number ends the training and leaves the last good checkpoint") {
  TemporaryFolder folder;
  nn::Sequential net{nn::Linear(1, 1)};
  optim::Sgd opt(net.parameters());
  auto train = [&](int bad_epoch) {
    optim::Trainer trainer(net, opt, {.epochs = 3, .out = folder / "run", .progress = nullptr});
    trainer.fit(
        [&](int epoch) {
          return std::vector<double>{1, epoch == bad_epoch ? NAN : 2};
        },
        [&](double x) {
          return mean(square(net(full({1, 1}, x))));
        },
        [] { return 1; });
  };
  std::string message = error_of<ValueError>([&] { train(2); });
  CHECK(message.find("loss is nan in epoch 2, step 2") != std::string::npos);
  CHECK(std::isfinite(load_network(folder / "run/last.safetensors").net.module()->named_tensors()[0].tensor.item()));
}

TEST_CASE("the time limit ends the training after a full epoch, and the rest can be resumed") {
  TemporaryFolder folder;
  auto train = [&](double minutes, bool resume) {
    nn::Sequential net{nn::Linear(1, 1)};
    optim::Sgd opt(net.parameters());
    optim::Trainer trainer(
        net, opt, {.epochs = 3, .out = folder / "run", .resume = resume, .max_minutes = minutes, .progress = nullptr});
    return trainer.fit([](int) { return std::vector<int>{1}; },
                       [&](int) {
                         return mean(square(net(ones({1, 1}))));
                       },
                       [] { return 1; });
  };
  auto report = train(1e-9, false);
  CHECK(report.out_of_time);
  CHECK(report.epochs.size() <= 1);
  auto rest = train(0, true);
  CHECK(!rest.out_of_time);
  CHECK(rest.epochs.size() == 3);
}

TEST_CASE("a checkpoint of another network or optimiser cannot be resumed") {
  TemporaryFolder folder;
  auto train = [&](auto net, auto make_optimiser, bool resume) {
    auto opt = make_optimiser(net.parameters());
    optim::Trainer trainer(net, opt, {.epochs = 1, .out = folder / "run", .resume = resume, .progress = nullptr});
    trainer.fit([](int) { return std::vector<int>{1}; },
                [&](int) {
                  return mean(square(net(ones({1, 2}))));
                },
                [] { return 1; });
  };
  auto adam = [](std::vector<Tensor> p) { return optim::Adam(p); };
  auto sgd = [](std::vector<Tensor> p) { return optim::Sgd(p); };
  train(nn::Sequential{nn::Linear(2, 1)}, adam, false);
  CHECK_THROWS_AS(train(nn::Sequential{nn::Linear(2, 2)}, adam, true), WeightsError);
  CHECK_THROWS_AS(train(nn::Sequential{nn::Linear(2, 1)}, sgd, true), WeightsError);
}

namespace {

struct ToyBatch {
  Tensor image, label;
  std::vector<Tensor*> tensors() { return {&image, &label}; }
};
/// Batches of four toy galaxies, flattened, with one-hot labels.
std::vector<ToyBatch> toy_batches(int count, Device device) {
  toy::Batch const data = toy::galaxies(4 * count, 8, 3);
  std::vector<ToyBatch> out;
  for (int i = 0; i < count; ++i) {
    Tensor image = data.images.slice(0, 4 * i, 4 * i + 4).reshape({4, 64}), label = zeros({4, 2});
    for (int k = 0; k < 4; ++k) label.data<float>()[2 * k + data.labels.data<int64_t>()[4 * i + k]] = 1;
    out.push_back({image.contiguous().to(device), label.to(device)});
  }
  return out;
}

struct Trained {
  std::vector<double> losses;
  std::vector<float> weights;
  size_t requests;  ///< of memory, after the second step
};

Trained train_on(Device device, optim::TrainerOptions o) {
  use_cuda_emulated();
  manual_seed(4);
  nn::Sequential net{nn::Linear(64, 8, {.bias = false}), nn::BatchNorm1d(8), relu, nn::Linear(8, 2)};
  net.to(device);
  optim::AdamW opt(net.parameters(), {.lr = 0.01});
  std::vector<ToyBatch> const batches = toy_batches(6, device);
  Trained out;
  size_t after_two = 0;
  o.epochs = 2, o.progress = nullptr, o.schedule = optim::CosineSchedule{2};
  o.on_step = [&](int epoch, int64_t step, int64_t, double) {
    if (epoch == 1 && step == 2) after_two = host_arena().use().requests;
    if (epoch == 1 && step == 6) out.requests = host_arena().use().requests - after_two;
  };
  optim::Trainer trainer(net, opt, o);
  auto report =
      trainer.fit([&](int) { return batches; }, [&](ToyBatch const& b) { return mean(square(net(b.image) - b.label)); },
                  [&] { return mean(square(net(batches[0].image) - batches[0].label)).item(); });
  for (optim::Epoch const& epoch : report.epochs) out.losses.push_back(epoch.loss), out.losses.push_back(epoch.metric);
  for (nn::Named const& named : net.named_tensors()) {
    Tensor const here = named.tensor.detach().to("cpu");
    auto const values = here.host<float>();
    out.weights.insert(out.weights.end(), values.begin(), values.end());
  }
  return out;
}

}  // namespace

TEST_CASE("on a device the losses are those of the cpu, and no memory is asked for after the first steps") {
  Trained const here = train_on("cpu", {}), there = train_on("cuda_emulated", {});
  CHECK(there.requests == 0);
  REQUIRE(there.losses.size() == 4);
  for (size_t i = 0; i < 4; ++i) CHECK(there.losses[i] == doctest::Approx(here.losses[i]).epsilon(1e-4));
  Trained const captured = train_on("cuda_emulated", {.capture = true});
  CHECK(captured.losses == there.losses);
  CHECK(captured.weights == there.weights);
  CHECK(captured.requests == 0);
  CHECK(train_on("cpu", {.capture = true}).weights == here.weights);
}

TEST_CASE("accumulate: a captured step has the bits of its batches one by one, and a graph for the rest of an epoch") {
  Trained const eager = train_on("cuda_emulated", {.accumulate = 4});
  Trained const captured = train_on("cuda_emulated", {.accumulate = 4, .capture = true});
  CHECK(captured.losses == eager.losses);
  CHECK(captured.weights == eager.weights);
  CHECK(captured.weights != train_on("cuda_emulated", {.accumulate = 3, .capture = true}).weights);
}

TEST_CASE("on a device a loss that is not a number ends the epoch, with the number of its step") {
  use_cuda_emulated();
  nn::Sequential net{nn::Linear(1, 1)};
  net.to("cuda_emulated");
  optim::Sgd opt(net.parameters());
  int seen = 0;
  optim::Trainer trainer(net, opt, {.progress = nullptr});
  std::string message = error_of<ValueError>([&] {
    trainer.fit(
        [](int) {
          return std::vector<double>{1, 2, NAN, 3};
        },
        [&](double x) {
          ++seen;
          return mean(square(net(full({1, 1}, x, {.device = "cuda_emulated"}))));
        },
        [] { return 1; });
  });
  CHECK(message.find("loss is nan in epoch 1, step 3") != std::string::npos);
  CHECK(seen == 4);
}

TEST_CASE("accumulate: the mean of some batches is one step, the rest of an epoch another") {
  auto train = [](int accumulate, std::vector<double> const& batches) {
    manual_seed(1);
    nn::Sequential net{nn::Linear(1, 1, {.bias = false})};
    optim::Sgd opt(net.parameters(), {.lr = 0.1, .momentum = 0});
    optim::Trainer trainer(net, opt, {.epochs = 1, .accumulate = accumulate, .progress = nullptr});
    trainer.fit([&](int) { return batches; }, [&](double x) { return mean(net(full({1, 1}, x))); }, [] { return 1; });
    return std::pair(net.named_tensors()[0].tensor.item(), opt.steps());
  };
  double const first = train(1, {0}).first;  // its gradient is 0
  auto const [two, steps_of_two] = train(2, {1, 3, 5, 7, 8});
  CHECK(steps_of_two == 3);
  CHECK(two == doctest::Approx(first - 0.1 * (2 + 6 + 4)).epsilon(1e-5));
  CHECK_THROWS_AS(train(0, {1}), ValueError);
}

TEST_CASE("capture needs batches that name their tensors") {
  use_cuda_emulated();
  nn::Sequential net{nn::Linear(1, 1)};
  net.to("cuda_emulated");
  optim::Sgd opt(net.parameters());
  optim::Trainer trainer(net, opt, {.capture = true, .progress = nullptr});
  auto fit = [&] {
    trainer.fit([](int) { return std::vector<int>{1}; },
                [&](int) {
                  return mean(net(ones({1, 1})));
                },
                [] { return 1; });
  };
  CHECK(error_of<ValueError>(fit).find("batches with tensors()") != std::string::npos);
}
