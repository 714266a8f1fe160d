// What `train` and `evaluate` share: pictures with labels, the split by sky field, scores with their errors.
#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <d16/data/dataset.hpp>
#include <d16/learn/metrics.hpp>

#include "common.hpp"
#include "denoise_data.hpp"
#include "predict.hpp"

namespace tool {

struct PictureOptions {
  std::string data, labels;  ///< labels empty: no classes
  int64_t size = 64, crop = 0, limit = 0;
  bool kinds = false;  ///< two classes of disks, spiral (1) and edge_on (2); pictures that say "disk" are left out then
};

/// The pictures of a folder with the labels 0 (elliptical) and 1 (disk: spiral_*, edge_on, disk), or without labels.
/// crop 0: of pictures of at least 3 * size pixels the central 45 %, all of smaller ones.
/// Errors   FileError: no such folder, no column "class", no usable picture.
d16::data::Dataset load_pictures(PictureOptions const& o, int64_t& crop);
/// The side of the middle that is taken of the pictures below a folder: 45 % of those of at least 3 * size pixels, 0
/// (everything) of smaller ones.
int64_t usual_crop(std::string const& folder, int64_t size);

/// The sky field of an object: objid >> 16 for SDSS ids, else its own.
int64_t field_of(std::string const& id);
/// 0: of the test set, 1: of validation, 2 to 4: of training; see split().
int part_of_id(std::string const& id);

/// Whether each item is a disk (0 or 1), of whatever kind.
std::vector<int64_t> disk_labels(d16::data::Dataset const& set);
/// The sky field of each item.
std::vector<int64_t> fields_of(d16::data::Dataset const& set);

/// Test, validation and training set: crc32 of the decimal field mod 5 is 0, 1, 2 to 4; of the id when it is no number.
/// `test`: the part (0 to 4) that is tested instead of 0; the next one is validation, the rest training.
d16::data::ThreeParts split(d16::data::Dataset const& all, int test = 0);

/// All pictures of a set as networks see them, (N,size,size,3).
d16::Tensor pictures_of(d16::data::Dataset const& set);

/// The same as light, one by one: what Network::disk() takes.
std::vector<d16::Tensor> lights_of(d16::data::Dataset const& set);

/// What the classifier sees of pictures (N,H,W,3): (N,H,W,1). With `random`, as other telescopes might have seen them:
/// half of them blurred, half with more noise.
d16::Tensor classifier_inputs(d16::Tensor const& pictures, d16::Random* random = nullptr);

/// Mean and standard deviation of all elements.
std::pair<double, double> moments(d16::Tensor const& x);

/// A score and its standard deviation over 1000 samples of whole fields.
struct Score {
  std::string name;
  double value = nan, error = nan;
  std::string text(int places = 3) const;
};
Json json_of(std::vector<Score> const& scores);
std::string table_of(std::vector<Score> const& scores, int places = 3);

/// The statistic of the drawn items, with the error from fields drawn with replacement.
Score bootstrap_score(std::string name, std::vector<int64_t> const& fields, uint64_t seed,
                      std::function<double(std::vector<int64_t> const&)> const& statistic);

/// At 0.5, of the 70 % whose probabilities are farthest from it.
double confident_accuracy(std::vector<double> const& p, std::vector<int64_t> const& is_disk);

/// How well probabilities of a disk tell the labels: accuracy, balanced accuracy (at 0.5 and at the threshold), AUC, and
/// confident_accuracy().
struct DiskScores {
  std::vector<Score> scores;
  std::vector<int64_t> confusion;  ///< truth elliptical: called elliptical, disk; truth disk: elliptical, disk
};
DiskScores score_disk(std::vector<double> const& probabilities, d16::data::Dataset const& set, double threshold,
                      uint64_t seed);

/// How much better one classifier is than another on the same pictures: the difference of a score with its error and
/// the interval of 95 %, both from the same fields drawn for both.
struct PairedScore {
  Score difference;
  double low, high;
};
struct DiskPredictions {
  std::vector<double> probabilities;
  double threshold;
};
std::vector<PairedScore> compare_disk(DiskPredictions const& one, DiskPredictions const& other,
                                      d16::data::Dataset const& set, uint64_t seed);

/// Pictures of a set, spoilt the same way for a seed.
DenoisePairs spoil(d16::data::Dataset const& set, uint64_t seed, DenoiseSetup const& setup);

/// PSNR, SSIM and MSE against the clean images, for each image.
struct Quality {
  std::vector<double> psnr, ssim, mse;
};
Quality quality_of(d16::Tensor const& images, d16::Tensor const& clean);
double mean(std::vector<double> const& values);

/// A denoiser and the filters it has to beat, on the test set; the widths of the filters are chosen on validation.
struct DenoiserScores {
  std::vector<Score> noisy, gaussian, median, network;  ///< PSNR, SSIM, MSE each
  double sigma = 1;
  int64_t window = 3;
  std::string table() const;
  std::string line() const;
  Json json() const;
};
DenoiserScores score_denoiser(std::function<d16::Tensor(d16::Tensor)> const& network,
                              d16::data::ThreeParts const& parts, DenoiseSetup const& setup, uint64_t seed);

/// "train 2361 (elliptical 1674, disk 687), validation ..., test ...".
std::string split_text(d16::data::ThreeParts const& parts);

}  // namespace tool
