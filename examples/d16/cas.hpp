// p_disk_cas: the probability of a disk from measured shapes alone, by a forest that learned from visual classes.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <vector>

#include <d16/learn/random_forest.hpp>

#include "common.hpp"

namespace tool {

/// What the forest looks at: C, A, Gini, M20, Sersic index and axis ratio. NaN where one is unknown.
using CasFeatures = std::array<double, 6>;
std::vector<std::string> const& cas_names();

/// A forest made by `d16 train cas`.
class CasForest {
 public:
  /// Errors   FileError, WeightsError when the file is no such forest.
  explicit CasForest(std::string path);
  /// The probability of a disk for each row; NaN for a row without any number.
  std::vector<double> operator()(std::vector<CasFeatures> const& rows) const;
  std::string const& path() const { return path_; }
  Json const& about() const { return about_; }

 private:
  std::string path_;
  d16::learn::RandomForest forest_;
  Json about_;
};

/// The forest that was given; else cas.json where weights are, and nothing, said to the user, where it is not.
std::optional<CasForest> find_forest(std::string const& given);

struct TrainCasOptions : Common {
  std::string data, out;
  int64_t trees = 50, leaf = 20;
};
/// d16 train cas: the forest from the CEERS tables, with the AUC of five folds.
Json train_cas(TrainCasOptions const& o);

}  // namespace tool
