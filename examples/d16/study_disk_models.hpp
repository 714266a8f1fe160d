// The classifiers of d16 study disk: their networks, how one is trained in a regime, and what it says of every part.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <d16/io/safetensors.hpp>
#include <d16/nn/build.hpp>

#include "study_disk_data.hpp"

namespace tool {

struct DiskModel {
  std::string name, what;
  std::function<Json(d16::nn::ClassifierInput const&)> network;  ///< what d16::nn::build() takes
  int64_t weights = 0, multiply_adds = 0;                        ///< for one channel of 64 x 64 pixels and two classes
  bool all_regimes = false;                                      ///< else in b and d only
};
/// Order 16 and 32, the CNN of as many weights and that of as many executed multiply-adds, ResNet-18, VGG-like,
/// DenseNet-like. The widths of the CNNs and of order 32 are searched.
std::vector<DiskModel> disk_models();
/// Errors   ValueError that lists them all.
DiskModel disk_model(std::string const& name);

/// a: trained clean (and tested noisy and, as c, denoised); b: noisy; d: denoised; e: noisy and denoised.
constexpr char const* disk_regimes[] = {"a", "b", "d", "e"};

/// How many times as many epochs b has in the open question: for D16 as long as the training of denoiser and classifier.
constexpr int longer_epochs = 3;
constexpr int64_t longer_seeds = 3;

/// What is changed for an open question.
struct DiskQuestion {
  enum class Kind { none, size, labels, patch, classes, selection, channels, epochs };
  Kind kind = Kind::none;
  double value = 0;  ///< size: share of the training pictures; labels: share of wrong ones; patch: pixels of the side;
                     ///< channels: how many; epochs: how many times as many
  std::string name() const;
  /// The part of the data that is taken in place of this one.
  std::string part(std::string const& name) const { return kind == Kind::channels ? "colour-" + name : name; }
};

struct DiskTraining {
  std::string regime = "b";
  int64_t epochs = 16, batch = 32;
  double lr = 3e-3;
  uint64_t seed = 16;
  DiskQuestion question = {};
};

/// From now on parts are denoised by the U-Net VAE of one channel in this file. Returns its sha256.
/// Errors   WeightsError for another network.
std::string use_disk_denoiser(std::string const& path, DiskData& data);

/// A trained classifier.
struct DiskClassifier {
  std::shared_ptr<d16::nn::Stage> net;
  double validation_auc = 0, wall_seconds = 0, cpu_seconds = 0, loss = 0;
};

/// Trains in `folder`, where it goes on from the last checkpoint, to the same bits as without an interruption. The last
/// epoch counts, not the best: nothing is chosen but the learning rate.
DiskClassifier train_disk_unit(DiskModel const& model, DiskData const& data, std::string const& folder,
                               DiskTraining const& training);

/// What a classifier sees of a set in a regime, (N,side,side,channels) float32.
d16::Tensor disk_seen(DiskSet const& set, std::string const& regime, int64_t side = disk_side);
/// Logits (N,classes) float32. views: mean over the eight quarter turns and mirrors of the picture, and of the picture
/// turned by 45 degrees.
d16::Tensor disk_logits(d16::nn::Stage& net, d16::Tensor const& seen, bool views = false);

/// 1 for disks. Shape (N) int64.
d16::Tensor disk_labels(DiskSet const& set);

/// How logits become a decision: fitted on validation pictures that are shown to the classifier as those of the test.
struct DiskRule {
  double temperature = 1, threshold = 0.5;
};
/// The temperature of the least log-loss, and the threshold of the best balanced accuracy.
DiskRule fit_disk_rule(d16::Tensor const& logits, DiskSet const& validation);
/// The calibrated probability of a disk: 1 - that of class 0.
std::vector<double> disk_probabilities(d16::Tensor const& logits, double temperature);

}  // namespace tool
