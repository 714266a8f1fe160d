// Running a network over a data set: logits, probabilities, accuracy.
#pragma once
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "../autograd/tape.hpp"
#include "../data/loader.hpp"
#include "metrics.hpp"

namespace d16::learn {

namespace detail {
/// Evaluation mode while it lives, for networks that have one.
template <class Net> class Evaluating {
 public:
  explicit Evaluating(Net& net) : net_(net) {
    if constexpr (requires { net.training(); }) {
      was_training_ = net.training();
      net.eval();
    }
  }
  Evaluating(Evaluating const&) = delete;
  Evaluating& operator=(Evaluating const&) = delete;
  ~Evaluating() {
    if constexpr (requires(Net & n) { n.training(); }) net_.train(was_training_);
  }

 private:
  Net& net_;
  bool was_training_ = false;
};
}  // namespace detail

/// What a network says of each item, in order, without augmentation and without gradients.
/// Shapes   net: (N,H,W,C) -> (N,K); result (all items, K) float32 on the host.
template <class Net> Tensor logits(Net& net, data::Dataset const& dataset, int64_t batch = 64) {
  detail::Evaluating<Net> evaluating(net);
  NoGrad off;
  Tensor out;
  data::Loader loader(dataset, {.batch = batch, .shuffle = false, .seed = 0});
  int64_t done = 0;
  for (auto& [image, label] : loader) {
    Tensor y = net(image).to(Device()).contiguous();
    require<ShapeError>(y.rank() == 2 && y.dim(0) == image.dim(0), "logits: the network gives ", y.shape(),
                        " for images ", image.shape(), "; (N,K) is needed");
    if (!out.defined()) out = empty({dataset.size(), y.dim(1)}, {.dtype = DType::f32, .device = Device()});
    require<ShapeError>(y.dim(1) == out.dim(1), "logits: the network gives ", y.dim(1), " classes after ", out.dim(1));
    std::copy_n(y.template data<float>(), y.numel(), out.template data<float>() + done * y.dim(1));
    done += y.dim(0);
  }
  return out;
}

/// Softmax along the last axis of logits (N,K), in double, rounded once.
inline Tensor probabilities(Tensor const& logits) {
  require<ShapeError>(logits.rank() == 2 && logits.dim(1) > 0, "probabilities: logits are ", logits.shape(),
                      "; (N,K) is needed");
  std::vector<double> values = detail::numbers("probabilities", logits);
  int64_t K = logits.dim(1);
  Tensor out = empty(logits.shape(), {.dtype = DType::f32, .device = Device()});
  for (int64_t i = 0; i < logits.dim(0); ++i) {
    double *row = values.data() + i * K, highest = *std::max_element(row, row + K), sum = 0;
    for (int64_t k = 0; k < K; ++k) sum += row[k] = std::exp(row[k] - highest);
    for (int64_t k = 0; k < K; ++k) out.data<float>()[i * K + k] = float(row[k] / sum);
  }
  return out;
}

/// The fraction of items whose largest logit is that of their class.
/// Errors   ShapeError when the network does not give (N,K); ValueError for an item without label.
template <class Net> double accuracy(Net& net, data::Dataset const& dataset) {
  Tensor y = logits(net, dataset);
  return accuracy(confusion_matrix(dataset.labels, argmax(y), y.dim(1)));
}

}  // namespace d16::learn
