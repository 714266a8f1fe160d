// The whole equivariant classifier as the benches time it: evaluation, and training steps with AdamW.
#pragma once
#include <sys/resource.h>

#include <algorithm>

#include <d16/d16.hpp>
#include <d16/nn/classifiers.hpp>
#include <d16/optim/adam.hpp>

#include "layer.hpp"

namespace d16::bench {

/// The network of Pandya et al. 2023 (arXiv:2311.01500) for 10 classes, with random images.
class Network {
 public:
  Network(int order, int size, int batch)
      : net_(options(order, size)), optimiser_(net_.parameters(), {.lr = 1e-2, .weight_decay = 1e-4}) {
    images_ = uniform({batch, size, size, 3});
    labels_ = arange(batch, {.dtype = DType::i64});
  }

  void evaluate() {
    NoGrad off;
    net_.eval();
    logits_ = net_(images_);
  }
  void train() {
    net_.train();
    cross_entropy(net_(images_), labels_).backward();
    optimiser_.step();
  }

  /// Of the last evaluation, against the same network in float64.
  double error() {
    Tensor got = logits_;
    cast(DType::f64);
    NoGrad off;
    Tensor expected = net_(images_.cast(DType::f64));
    cast(DType::f32);
    return Layer::relative_error(got.cast(DType::f64), expected);
  }

 private:
  static nn::EquivariantClassifierOptions options(int order, int size) {
    nn::EquivariantClassifierOptions o = nn::galaxy_morphology_options(dihedral(order / 2), 10);
    o.input.size = size;
    return o;
  }
  void cast(DType dtype) {
    NoGrad off;
    nn::Walk walk;
    walk.tensor = [dtype](std::string const&, Tensor& t, bool trainable) {
      t = t.cast(dtype);
      t.set_requires_grad(trainable);
    };
    walk.visit("", net_);
  }

  nn::EquivariantClassifier net_;
  optim::AdamW optimiser_;
  Tensor images_, labels_, logits_;
};

/// The most memory that this process has had, in MB (10^6 bytes).
inline double peak_memory() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return double(use.ru_maxrss) * 1024e-6;
}

}  // namespace d16::bench
