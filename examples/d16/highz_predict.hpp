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
/// 2 where the probability of a brown dwarf reaches its threshold, else 1 where that of high-z does, else 0.
int highz_call(HighzProbabilities const& p, HighzThresholds const& t);

/// Errors   WeightsError when the file holds something else; FileError for a damaged file.
class HighzPredictor {
 public:
  /// A network (.safetensors) or trees (.json), as d16 train highz writes them. `prior`: class frequencies where it is
  /// used; empty: those that the weights name.
  HighzPredictor(std::string path, std::string const& device, std::vector<double> const& prior);
  ~HighzPredictor();

  std::string const& path() const;
  std::string const& sha256() const;
  Json const& about() const;    ///< what training wrote beside the weights
  std::string summary() const;  ///< "band_network, 12345 weights" or "boosted trees, 300 rounds on 49 columns"
  bool trees() const;
  bool simulated() const;            ///< trained on simulated data
  double redshift() const;           ///< from which on high_z begins; NaN when the weights do not say
  HighzProbabilities prior() const;  ///< the frequencies that its answers are for; they sum to 1
  /// From which probability on an object is called a brown dwarf, or else high-z.
  HighzThresholds thresholds() const;

  std::vector<HighzProbabilities> of_objects(HighzInputs const& inputs);
  /// Trees only. Fluxes and errors in nJy, NaN where missing; sizes count as missing.
  std::vector<HighzProbabilities> of_fluxes(std::vector<BandNumbers> const& flux,
                                            std::vector<BandNumbers> const& error);

 private:
  struct Body;
  std::unique_ptr<Body> body_;
};

}  // namespace tool
