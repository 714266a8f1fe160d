// The classifiers of the second system: objects prepared once and kept on disk, variants by name, one run of each.
#pragma once
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <d16/nn/band_network.hpp>
#include <d16/sim/survey.hpp>

#include "highz_input.hpp"

namespace tool {

/// Prepared objects with what is true of them. Rows in the order of the survey.
struct HighzSet {
  d16::Tensor image;      ///< (N,side,side,7) bfloat16, as HighzInputs::image
  d16::Tensor detection;  ///< (N,32,32,1) bfloat16, what HOG is made from
  d16::Tensor valid;      ///< (N,7) float32
  d16::Tensor table;      ///< (N,K) float32
  d16::Tensor flux;       ///< (N,7,2) float64: aperture flux and its error, nJy; NaN where missing
  d16::Tensor label;      ///< (N) int64: 0 low-z, 1 high-z, 2 brown dwarf
  d16::Tensor truth;      ///< (N,3) float64: redshift (NaN for dwarfs), detection magnitude, S/N of that
  d16::Tensor flags;      ///< (N,2) int64: SurveyFlag, HighzFlag

  int64_t size() const { return label.defined() ? label.numel() : 0; }
  double snr(int64_t i) const { return truth.data<double>()[3 * i + 2]; }
};

/// The parts of a study by name: train, validation, test, heldout, heldout_templates, heldout_library, heldout_psf, and
/// of the test split red_dots, bimodal and stress.
struct HighzPart {
  d16::sim::SurveySet set;
  d16::sim::Split split;
};
/// Errors   ValueError that lists them all.
HighzPart highz_part(std::string const& name);

/// Simulated objects, prepared as highz_input.hpp does and kept in files of `chunk` objects; what was prepared before
/// is read back, also after kill -9.
class HighzCache {
 public:
  static constexpr int64_t chunk = 1500;
  /// `train_set` is the set that train comes from. Errors   FileError: no data, a folder that cannot be written.
  HighzCache(std::string data, std::string folder, d16::sim::SurveyOptions options, int64_t side);
  /// The first `count` objects of a part, chunk by chunk: f(objects, index of the first).
  void for_chunks(std::string const& part, int64_t count, std::function<void(HighzSet const&, int64_t)> const& f) const;
  /// All of them at once.
  HighzSet load(std::string const& part, int64_t count) const;
  /// The survey that a part is taken from, and what it was made from.
  d16::sim::Survey const& survey(std::string const& part) const;
  d16::sim::SurveyData const& data() const;
  int64_t side() const { return side_; }

 private:
  HighzSet chunk_of(std::string const& part, int64_t first, int64_t count) const;
  std::string data_path_, folder_;
  d16::sim::SurveyOptions options_;
  int64_t side_;
  mutable std::unique_ptr<d16::sim::SurveyData> data_;
  mutable std::map<std::string, std::unique_ptr<d16::sim::Survey>> surveys_;
};

/// Which bands a classifier is shown, and whether it is told that the others are missing. Told, the image is scaled by
/// the brightest band that is left, as an object without the others would be; untold, the bands are 0 and no more.
struct BandsShown {
  uint32_t mask = 0x7f;
  bool told = true;
};

/// A classifier of the study.
struct HighzVariant {
  enum class Kind { network, trees, templates, cuts };
  std::string name, what;
  Kind kind = Kind::network;
  d16::nn::BandNetworkOptions network = {};
  uint32_t bands = 0x7f;  ///< that it is shown, in training and in tests
  bool sizes = false;     ///< trees: sizes too, not only fluxes and colours
};
std::vector<HighzVariant> highz_variants(int64_t side);
/// Errors   ValueError that lists them all.
HighzVariant highz_variant(std::string const& name, int64_t side);

/// A trained classifier as a function: logits (N,3) float64 of objects, for equal class frequencies.
struct HighzClassifier {
  std::function<d16::Tensor(HighzSet const&, BandsShown)> logits = {};
  std::function<void(std::string const& path, Json const& about)> save = {};  ///< null for what has no weights
  double validation_loss = 0, seconds = 0;
  int64_t weights = 0;
  int best_epoch = 0;
};

struct HighzTraining {
  int64_t epochs = 10, batch = 16, accumulate = 1;
  double lr = 5e-4;
  double drop = 0.03;  ///< probability of each band to go missing in training
  uint64_t seed = 16;
  std::array<double, 3> priors{1, 1, 1};  ///< class frequencies of the training set
  d16::kernels::Precision precision = d16::kernels::Precision::float32;
  std::string device = "cpu";  ///< where networks are trained and used; trees stay on the cpu
  bool quiet = false;
};

/// Trains one run of a variant. A network keeps its checkpoints in `folder` and goes on from the last one that is there,
/// to the same bits as a run that was not interrupted. Thresholds and temperatures are not fitted here.
HighzClassifier train_highz_run(HighzVariant const& variant, HighzSet const& train, HighzSet const& validation,
                                HighzCache const& cache, std::string const& folder, HighzTraining const& o);

/// How logits become a decision; everything in it is fitted on validation objects.
struct HighzRule {
  double temperature = 1;
  double high_z = 0.5, brown_dwarf = 0.5;  ///< thresholds on the probabilities at 722:722:11
};
inline constexpr std::array<double, 3> highz_prevalence{722, 722, 11};

/// Temperature on all objects; thresholds on those of S/N >= 10: the greatest completeness with the wanted purity at
/// 722:722:11, or, where no threshold is so pure, the best F1.
HighzRule fit_highz_rule(d16::Tensor const& logits, HighzSet const& validation);
/// softmax(logits / T) at the given class frequencies, (N,3) float64.
d16::Tensor highz_probabilities(d16::Tensor const& logits, double temperature, std::array<double, 3> const& prior);
/// The classes at 722:722:11: a brown dwarf where that probability reaches its threshold, else high-z where that one
/// does, else low-z. Shape (N) int64.
d16::Tensor highz_calls(d16::Tensor const& logits, HighzRule const& rule);

/// How good it is on some objects.
struct HighzScores {
  int64_t n = 0;
  d16::Tensor balanced = {},
              survey = {};  ///< confusion (3,3) int64: largest probability at equal frequencies; by the rule
  double accuracy = 0;      ///< mean recall of the classes that are there, at equal frequencies
  double auc_high_z = 0, auc_dwarf = 0;  ///< NaN where one side is empty
  double purity = 0, completeness = 0;   ///< of high-z at 722:722:11
  double precision = 0, recall = 0;      ///< of brown dwarfs at 722:722:11
  Json json() const;
};
/// `rows` are the objects that count.
HighzScores score_highz(d16::Tensor const& logits, d16::Tensor const& label, std::vector<int64_t> const& rows,
                        HighzRule const& rule);
/// The rows with an S/N in [low, high).
std::vector<int64_t> highz_rows(std::vector<double> const& snr, double low, double high = 1e300);

/// What every file of weights says about itself: see docs/highz.md.
Json highz_about(HighzVariant const& variant, HighzRule const& rule, HighzTraining const& o, double threshold,
                 int64_t side);

}  // namespace tool
