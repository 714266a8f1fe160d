// The sanity check of d16 study disk: a classifier on rotated MNIST, where it must not matter how digits are turned.
#pragma once
#include "study_disk_models.hpp"

namespace tool {

struct RotatedDigits {
  double upright = 0;  ///< accuracy on turned digits of a network trained on upright ones
  double turned = 0;   ///< of one trained on turned ones
  int64_t train = 0, test = 0;
};
bool has_digits(StudyDiskOptions const& o);
/// Trains twice on the 10,000 training digits of shared/mnist_10k, without augmentation, and tests on the others, turned.
RotatedDigits rotated_digits(DiskModel const& model, double lr, StudyDiskOptions const& o);

}  // namespace tool
