// Rotated MNIST: bodies of study_disk_mnist.hpp.
#include "study_disk_mnist.hpp"

#include <d16/data/loader.hpp>
#include <d16/data/mnist.hpp>
#include <d16/learn/evaluate.hpp>
#include <d16/ops/losses.hpp>
#include <d16/optim/adam.hpp>
#include <d16/optim/schedule.hpp>
#include <d16/optim/trainer.hpp>

namespace tool {

namespace data = d16::data;
namespace learn = d16::learn;
namespace nn = d16::nn;
namespace optim = d16::optim;

namespace {

constexpr int epochs = 4;

std::string folder_of(StudyDiskOptions const& o) { return join(o.shared, "mnist_10k"); }

data::Dataset digits(StudyDiskOptions const& o, char const* part, uint64_t turned_by) {
  std::string name = join(folder_of(o), part);
  data::Dataset upright = data::mnist(name + "-images-idx3-ubyte.gz", name + "-labels-idx1-ubyte.gz");
  return turned_by ? data::turned_at_random(upright, turned_by) : upright;
}

double accuracy_of(DiskModel const& model, double lr, data::Dataset const& train, data::Dataset const& test,
                   StudyDiskOptions const& o) {
  d16::manual_seed(o.seed);
  nn::Stage net = nn::build(model.network({.size = int(train.height()),
                                           .channels = 1,
                                           .classes = int(train.classes.size()),
                                           .mean = 0.13,
                                           .deviation = 0.31}));
  nn::Module& module = *net.module();
  optim::AdamW optimiser(module.parameters(), {.lr = lr, .weight_decay = 1e-4});
  optim::TrainerOptions t;
  t.epochs = epochs, t.progress = nullptr;
  t.schedule = optim::CosineSchedule{.epochs = epochs, .warmup = 0.5, .floor = 0.01};
  t.on_step = [](int, int64_t, int64_t, double) { check_interrupted(); };
  data::Loader loader(train, {.batch = o.batch, .seed = o.seed});
  optim::Trainer(module, optimiser, t)
      .fit(
          loader, [&](data::Batch const& batch) { return d16::cross_entropy(net(batch.image), batch.label); },
          [] { return 0.0; });
  module.eval();
  return learn::accuracy(net, test);
}

}  // namespace

bool has_digits(StudyDiskOptions const& o) { return is_folder(folder_of(o)); }

RotatedDigits rotated_digits(DiskModel const& model, double lr, StudyDiskOptions const& o) {
  constexpr uint64_t train_turns = 1, test_turns = 2;
  data::Dataset test = digits(o, "t10k", test_turns), train = digits(o, "train10k", train_turns);
  RotatedDigits out{.train = train.size(), .test = test.size()};
  out.turned = accuracy_of(model, lr, train, test, o);
  out.upright = accuracy_of(model, lr, digits(o, "train10k", 0), test, o);
  return out;
}

}  // namespace tool
