// The two networks of the tool behind one small class: weights in, answers for frames out.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "calibrated.hpp"
#include "frame.hpp"

namespace tool {

/// What a file of weights is for.
enum class Task { disk, denoise };
/// By the description in the file. Errors   WeightsError when it is for neither.
Task task_of(std::string const& path);

/// A trained network of one task, or several denoisers as an ensemble: their mean, and beside the variance that they
/// predict that of their images.
/// Errors   WeightsError when a file holds a network for another task, or one that sees other images than the first;
///          FileError for a damaged file.
class Network {
 public:
  Network(Task task, std::string path, std::string const& device);
  Network(std::vector<std::string> const& denoisers, std::string const& device);
  ~Network();
  Network(Network&&) noexcept;

  std::string const& path() const;                ///< of the first
  std::vector<std::string> const& paths() const;  ///< of all
  int64_t size() const;                           ///< pixels on a side that it takes
  std::string summary() const;                    ///< "equivariant_classifier dihedral(4), widths 8 16 24"
  Json const& about(size_t member = 0) const;     ///< what training wrote beside the weights
  double threshold() const;                       ///< disk: probabilities from here up are called a disk

  /// disk: chooses among the calibrations that the weights carry the one for pictures that are shown like that; `denoiser`
  /// is the sha256 of its weights.
  void prepare_for(Shown shown, std::string const& denoiser = {});
  std::optional<DiskCalibration> const& calibration() const;  ///< nothing where the weights carry none
  /// p with it, where disks have the frequency `prior`, 0: that of the validation set; NaN without calibration.
  double calibrated(double p, double snr, double prior = 0) const;

  /// A batch (N,size,size,channels) straight through the network: probabilities (N,2) or images.
  d16::Tensor operator()(d16::Tensor const& batch);
  int64_t channels() const;
  /// denoise: images and their standard deviations as the network gives them, undefined where one predicts none.
  struct Prediction {
    d16::Tensor image, std;
  };
  Prediction predict(d16::Tensor const& images);

  /// disk: the probability of a disk for each of some lights (size,size,3).
  std::vector<double> disk(std::vector<d16::Tensor> const& lights);
  /// denoise: light without noise and neighbours for each frame, in the frame's units, its standard deviation (68 % of the
  /// errors on the validation set were smaller) where the network predicts one, and the stretch between light and what the network saw. A network of one channel takes the
  /// bands one after the other. A frame that cannot be stretched gives no light, and the reason.
  struct Denoised {
    d16::Tensor light, std;
    d16::vision::Stretch stretch;
    std::string problem;
  };
  std::vector<Denoised> denoise(std::vector<Frame> const& frames);

 private:
  Prediction predict_by(size_t member, d16::Tensor const& images);
  struct Body;
  std::unique_ptr<Body> body_;
};

/// Images (H,W,C) of the same size as one batch (N,H,W,C).
d16::Tensor stack(std::vector<d16::Tensor> const& images);

/// How light becomes the input of a denoiser: scaled by its noise, and nothing bright is cut off.
constexpr d16::vision::StretchOptions denoiser_stretch{.softness = 5, .white_quantile = 1, .least_white = 20};

}  // namespace tool
