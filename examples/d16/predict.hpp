// The two networks of the tool behind one small class: weights in, predictions for frames out.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include <d16/core/tensor.hpp>
#include <d16/io/json.hpp>

namespace tool {

using d16::Tensor;

enum class Task { disk, denoise };

/// A trained network of the given task.
/// Errors   WeightsError when the file holds a network for another task.
class Network {
 public:
  Network(Task task, std::string path);
  ~Network();
  Network(Network&&) noexcept;
  std::string const& path() const;
  int64_t size() const;              ///< pixels on a side that it takes
  std::string summary() const;       ///< "EquivariantClassifier D4, 21,302 weights"
  /// disk: probabilities of a disk, (N). denoise: images (N,size,size,3).
  Tensor operator()(Tensor const& images);

 private:
  struct Body;
  std::unique_ptr<Body> body_;
};

}  // namespace tool
