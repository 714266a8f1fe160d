// Out of distribution: how far an object lies from what a classifier was trained on, in its last layer of features.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include <d16/core/tensor.hpp>

#include "common.hpp"

namespace tool {

/// Mahalanobis distance to the training set in the features before the last layer, as a share of the validation set:
/// 0.99 is further out than 99 % of it.
/// Source   Lee et al. 2018, arXiv:1807.03888, with one Gaussian for all classes.
class OodScore {
 public:
  /// Reads what `d16 train ood` wrote for these weights.
  /// Errors   FileError, WeightsError: no such file, or it belongs to other weights.
  OodScore(std::string path, std::string const& weights);
  ~OodScore();
  OodScore(OodScore&&) noexcept;
  /// For lights (size,size,3); NaN for one whose features are not finite.
  std::vector<double> operator()(std::vector<d16::Tensor> const& lights);
  std::string const& path() const;

 private:
  struct Body;
  std::unique_ptr<Body> body_;
};

struct TrainOodOptions : Common {
  std::string weights, data, labels, out;
};
/// d16 train ood: mean and covariance from the training set, distances of the validation set, as JSON.
Json train_ood(TrainOodOptions const& o);

}  // namespace tool
