// What d16 study disk trains and tests on: views of pictures, degraded, denoised and clean, made once and kept in files.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <d16/core/tensor.hpp>
#include <d16/sim/appearance.hpp>

#include "study_disk.hpp"

namespace tool {

/// Classes of single pictures; "disk" is spiral or edge-on.
enum class DiskClass : int64_t { elliptical, spiral, edge_on, merger, none };

constexpr int64_t disk_side = 64;  ///< pixels that networks see
/// The levels of the test set: every S/N with every R_e / FWHM.
inline constexpr double disk_snr[] = {3, 7, 15, 35, 100};
inline constexpr double disk_sizes[] = {0.75, 1.5, 3};
/// Times of exposure-TIMES: the S/N of the first exposure is 3 to 30.
inline constexpr double disk_exposures[] = {0.0625, 0.25, 1, 4, 16};
/// "test-7-1.5".
std::string disk_part(double snr, double size);
/// All levels, without the clean one.
std::vector<std::string> disk_ladder();

/// One part: what classifiers see of its pictures, (N,side,side,1) bfloat16 in [0, 1].
struct DiskSet {
  d16::Tensor noisy, denoised;        ///< of colour parts noisy has three channels, and nothing was denoised
  d16::Tensor clean = {};             ///< of training views: without degradation
  d16::Tensor kind = {}, field = {};  ///< (N) int64: DiskClass, sky field
  d16::Tensor item = {};              ///< (N) int64: number of the picture; of null tests a number of their own
  int64_t size() const { return noisy.dim(0); }
  bool is_disk(int64_t i) const {
    auto k = DiskClass(kind.data<int64_t>()[i]);
    return k == DiskClass::spiral || k == DiskClass::edge_on;
  }
};

/// The pictures that went in and came out of the denoiser, on its scale and as light.
struct DiskPairs {
  d16::Tensor seen,
      target;  ///< (N,side,side,1) bfloat16: degraded; as small and blurred, but without noise and objects
  std::vector<d16::vision::Stretch> stretch;
};

/// Files of parts in a folder. A part is made when it is asked for the first time; which one is a function of its name,
/// the data and the seed alone.
///   train-K              view K of the training pictures: moved at random, any levels
///   validation           two copies of the validation pictures, any levels;  validation-clean
///   test-SNR-SIZE, test-clean
///   scheme-NAME          the test pictures at S/N 15, R_e/FWHM 1.5 with other contaminants
///   field-other          the same with another PSF and uncorrelated noise
///   mergers, mergers-clean
///   stars-SNR, spheroids-SNR, noise
///   arms-SNR             disks seen from above: first without, then the same with faint arms, in the same noise
///   ceers-SHRINK         six real galaxies, at each S/N in turn; needs shared/jwst_ceers_nircam
///   colour-PART          train, validation and test parts in colour: the same looks, the S/N that of the mean
///   exposure-TIMES       simulated galaxies with real fluxes, the same ones exposed so many times as long
class DiskData {
 public:
  explicit DiskData(StudyDiskOptions const& o);
  ~DiskData();

  /// Every part on which classifiers of clean, noisy and denoised pictures are tested.
  std::vector<std::string> tested() const;
  bool has_ceers() const;

  DiskSet load(std::string const& part) const;  ///< denoised is undefined before there was a denoiser
  d16::Tensor clean_view(int64_t view) const;   ///< (N,side,side,1) of train-VIEW without degradation
  DiskPairs pairs(std::string const& part) const;
  int64_t pictures(int part) const;  ///< 0 test, 1 validation, 2 training
  /// "train 2378 (elliptical 1692, disk 686), ...".
  std::string split_text() const;
  /// The picture of an item as it was read, (H,W,3), for reports.
  d16::Tensor picture(int64_t item) const;
  std::string id(int64_t item) const;

  using Denoise = std::function<d16::Tensor(d16::Tensor const&)>;
  /// From now on parts are denoised; what another denoiser made is made anew. `name` tells denoisers apart.
  void set_denoiser(Denoise denoise, std::string name);
  /// Pictures on the denoiser's scale through it, (N,side,side,1) float32.
  d16::Tensor denoise(d16::Tensor const& seen) const;

 private:
  struct Body;
  std::unique_ptr<Body> body_;
};

/// Pictures on the denoiser's scale as light, each by its own stretch. Shapes (N,side,side,1) float32.
d16::Tensor disk_light(d16::Tensor const& stretched, std::vector<d16::vision::Stretch> const& stretch);
/// What d16's classifiers see of light (N,side,side,1): each picture brought to the same levels.
d16::Tensor disk_inputs(d16::Tensor const& light);

}  // namespace tool
