// Out of distribution: how far an object lies from what a classifier was trained on, in its last layer of features.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include <d16/core/tensor.hpp>

#include "common.hpp"

namespace tool {

/// A distance to the training set in the features before the last layer, as a share of the validation set: 0.99 is
/// further out than 99 % of it. Which distance, outliers made of the validation pictures chose.
/// Source   Mahalanobis: Lee et al. 2018, arXiv:1807.03888, with one Gaussian for all classes. The k-th nearest
///          neighbour, of features of length 1 too: Sun et al. 2022, arXiv:2204.06507.
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
  std::vector<std::string> outliers;  ///< folders of objects that are judged only, to be told from the test set
};
/// d16 train ood: features of the training set and the distances of the validation set. Says how well each distance tells
/// outliers from the validation set, by which one is chosen, and from the test set, by which none is.
Json train_ood(TrainOodOptions const& o);

}  // namespace tool
