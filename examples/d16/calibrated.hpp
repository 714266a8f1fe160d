// How far a classifier's probabilities can be believed: calibrated on validation pictures, and how pure and complete its
// disks are among simulated ones. Weights carry both in what they say about themselves.
#pragma once
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include <d16/learn/intervals.hpp>

#include "common.hpp"

namespace tool {

constexpr double sure_disk = 0.7;  ///< from this calibrated probability up an object is counted as a disk

/// How pictures come before a classifier: as those of its training, as a telescope sees them, or through a denoiser.
enum class Shown { clean, noisy, denoised };
char const* name_of(Shown shown);

/// What a probability means: p_cal = 1 / (1 + exp(-(slope logit(p) + shift))), where disks are as frequent as prior().
/// Noise makes a classifier surer than it may be, so that noisy and denoised pictures have a slope and a shift in each
/// range of S/N (snr_bin()); clean ones have one.
/// Source   Platt 1999; with shift 0 the temperature 1 / slope of Guo et al. 2017, arXiv:1706.04599.
struct DiskCalibration {
  struct Scale {
    double slope = 1, shift = 0;  ///< slope is not negative: 0 where the classifier knows nothing
  };
  Shown shown = Shown::clean;
  std::string denoiser = {};          ///< sha256 of the weights that it was fitted behind; of `denoised` only
  std::vector<Scale> scales = {};     ///< one, or one of each range of S/N
  std::vector<double> disks, others;  ///< logit(p_cal) of the validation pictures
  /// The sky field of each, by a number: looks of one galaxy are in one. Empty: not known, in older weights.
  std::vector<int64_t> disk_fields = {}, other_fields = {};

  double prior() const { return double(disks.size()) / double(disks.size() + others.size()); }
  /// The probability where disks have the frequency `prior`; NaN stays NaN, an S/N of NaN is the lowest.
  /// Source   Saerens, Latinne & Decaestecker 2002, Neural Computation 14, 21, eq. 2.4.
  double operator()(double p, double snr, double prior) const;
};

/// Which objects make a sample of disks of the wanted purity, by validation pictures at a frequency of disks. The
/// choice of the threshold is not in the intervals.
struct PureSample {
  double wanted, prior;
  double threshold;   ///< of the calibrated probability
  bool whole_fields;  ///< in the intervals; else each picture counts as a galaxy of its own
  d16::learn::Bootstrap purity, completeness;
  /// "p_disk_cal >= 0.71 for a purity of 0.9: on validation pictures purity 0.90 [..], completeness ...".
  std::string text() const;
};
/// Errors   ValueError where no threshold reaches it.
PureSample pure_sample(DiskCalibration const& c, double purity, double prior, uint64_t seed);
Json json_of(PureSample const& sample);

/// What a classifier said of labelled pictures.
struct DiskAnswers {
  std::vector<double> p;
  std::vector<int64_t> is_disk, fields;
  std::vector<double> snr = {};  ///< empty: of clean pictures
};
/// From validation pictures that came before the classifier in this way. A range of S/N with less than twenty of both
/// classes has the scale of the one above it, the uppermost that of all pictures.
/// Errors   ValueError where all are of one class.
DiskCalibration fit_calibration(Shown shown, DiskAnswers const& validation);

constexpr size_t tally_bins = 20;

/// How much larger than those of independent pictures the variances of a tally's shares are (design_effect.hpp): several
/// looks of one galaxy are alike.
struct TallyEffects {
  double purity = 1, completeness = 1, false_disks = 1;
  std::vector<double> observed = std::vector<double>(tally_bins, 1.0);
};

/// How often disks and others were given which calibrated probability, in twenty equal bins.
struct Tally {
  static constexpr size_t bins = tally_bins;
  std::array<int64_t, bins> disks{}, others{};
  TallyEffects effects = {};  ///< in the intervals of what follows

  static size_t bin_of(double p) { return std::min(bins - 1, size_t(p * double(bins))); }
  void add(double p, bool is_disk);
  void add(Tally const& other);  ///< the counts
  int64_t all_disks() const;
  int64_t all() const;
  // at p >= sure_disk
  d16::learn::Fraction purity() const;
  d16::learn::Fraction completeness() const;
  d16::learn::Fraction false_disks() const;  ///< share of the others
  /// What was true in a bin; its middle is what was said, to 0.025.
  d16::learn::Fraction observed(size_t bin) const;
};

constexpr double size_edges[] = {0, 0.75, 1.5, 3};  ///< of R_e / FWHM; the last range has no end
constexpr int size_bins = 4;
int size_bin(double re_over_fwhm);
/// "R_e/FWHM 0.75 to 1.5".
std::string size_bin_name(int bin);

/// Simulated pictures, taken through the whole tool: what was said of them by S/N (snr_bin()) and R_e / FWHM.
struct Curves {
  struct Cell {
    std::string source;  ///< what was degraded
    Shown shown;
    int snr, size;
    Tally tally;
  };
  /// Of sums of cells: a range of S/N or of size is every one where it is -1.
  struct Effects {
    std::string source;
    Shown shown;
    int snr, size;
    TallyEffects effects;
  };
  std::vector<Cell> cells = {};
  std::vector<Effects> effects = {};  ///< empty: not known, in older weights
  std::string denoiser = {}, command = {};

  bool empty() const { return cells.empty(); }
  /// What intervals of these curves are, for people.
  std::string intervals_text() const;
  int64_t pictures(std::string const& source) const;
  std::vector<std::string> sources() const;
  /// All cells of a source, of one range of S/N or of size (-1: of every one), with their effects.
  Tally sum(std::string const& source, Shown shown, int snr = -1, int size = -1) const;
};

/// What weights carry. Errors   WeightsError where it is damaged.
std::vector<DiskCalibration> calibrations_in(Json const& about, std::string const& path);
Curves curves_in(Json const& about, std::string const& path);
/// Of the calibrations the one for pictures that are shown like that, else the one for clean pictures; none: nothing.
std::optional<DiskCalibration> choose_calibration(std::vector<DiskCalibration> const& list, Shown shown,
                                                  std::string const& denoiser);

/// The calibration error of probabilities on test pictures, before and after, each with its error from whole fields.
struct CalibrationTest {
  double before, before_error, after, after_error;
  int64_t pictures;
  std::string text() const;
};
CalibrationTest test_calibration(DiskCalibration const& c, DiskAnswers const& test, uint64_t seed);
/// As it stands beside weights.
Json json_of(DiskCalibration const& c, CalibrationTest const& test);
/// "clean: temperature 1.08, shift -0.04; calibration error on test 0.031 ± 0.006 -> 0.018 ± 0.005 (769 pictures)".
std::string words_of(DiskCalibration const& c, CalibrationTest const& test);

struct TrainCalibrationOptions : Common {
  std::string weights, denoiser, data, labels, out;
  int64_t pictures = 20000, limit = 0;
};
/// d16 train calibration: copies weights, with calibrations for clean, noisy and denoised pictures and the curves of at
/// least `pictures` simulated ones.
Json train_calibration(TrainCalibrationOptions const& o);

}  // namespace tool
