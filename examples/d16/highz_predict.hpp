// A trained seven-band classifier behind one small class: a network on pixels, or trees on photometry.
#pragma once
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "highz_input.hpp"

namespace tool {

/// Probabilities of low-z, high-z, brown dwarf, in this order everywhere.
using HighzProbabilities = std::array<double, 3>;
constexpr char const* highz_classes[3] = {"low_z", "high_z", "brown_dwarf"};

struct HighzThresholds {
  double high_z = 0.5, brown_dwarf = 0.5;
};
/// What a classifier says of one object.
struct HighzAnswer {
  HighzProbabilities p;
  int call;  ///< index into highz_classes
};

/// Errors   WeightsError when the file holds something else; FileError for a damaged file.
class HighzPredictor {
 public:
  /// A network (.safetensors) or trees (.json), as d16 train highz writes them. `prior`: class frequencies where it is
  /// used; empty: those that the weights name. `thresholds`: of high-z and brown dwarf, at `prior`; empty: those of the
  /// weights, at the frequencies of the weights whatever `prior` is, so that the same evidence is asked for.
  HighzPredictor(std::string path, std::string const& device, std::vector<double> const& prior,
                 std::vector<double> const& thresholds = {});
  ~HighzPredictor();

  std::string const& path() const;
  std::string const& sha256() const;
  Json const& about() const;    ///< what training wrote beside the weights
  std::string summary() const;  ///< "band_network, 12345 weights" or "boosted trees, 300 rounds on 49 columns"
  bool trees() const;
  bool simulated() const;            ///< trained on simulated data
  double redshift() const;           ///< from which on high_z begins; NaN when the weights do not say
  HighzProbabilities prior() const;  ///< the frequencies that its answers are for; they sum to 1
  /// From which probability on an object is called a brown dwarf, or else high-z; else it is low-z. A class of frequency
  /// 0 is never called.
  HighzThresholds thresholds() const;
  HighzProbabilities threshold_prior() const;  ///< the frequencies of the probabilities that the thresholds are for
  /// "high_z purity 0.95 at completeness 0.93, brown_dwarf ...": by the confusion matrix that the weights have of their
  /// test objects, at these frequencies. Empty without one, and for thresholds that are not those of the weights.
  std::string expectation() const;

  std::vector<HighzAnswer> of_objects(HighzInputs const& inputs);
  /// Trees only. Fluxes and errors in nJy, NaN where missing; sizes count as missing.
  std::vector<HighzAnswer> of_fluxes(std::vector<BandNumbers> const& flux, std::vector<BandNumbers> const& error);

 private:
  std::vector<HighzAnswer> answers(d16::Tensor const& scores) const;
  struct Body;
  std::unique_ptr<Body> body_;
};
/// "0.4962:0.4962:0.0076".
std::string highz_frequencies(HighzProbabilities const& prior);
/// "brown_dwarf where p_bd >= ..., else high_z where ..., else low_z, at class frequencies ...".
std::string highz_rule_text(HighzPredictor const& classifier);

}  // namespace tool
