// The report of `d16 classify --system highz`: one HTML file with spectra, cutouts, probabilities and how it was made.
#pragma once
#include <string>
#include <vector>

#include "highz_catalog.hpp"
#include "highz_predict.hpp"

namespace tool {

/// What was found out about one row. NaN and "" where nothing was.
struct HighzResult {
  HighzProbabilities p;
  int call = -1;  ///< index into highz_classes; -1: none
  int32_t n_bands = 0, flags = 0;
  double snr, compactness, half_light, ra, dec;
  std::string used, note;  ///< used: "pixels" or "fluxes"
  BandNumbers flux, error;

  HighzResult();
  bool classified() const { return call >= 0; }
};

/// A row with its pictures.
struct HighzExhibit {
  size_t row = 0;
  d16::Tensor image, prepared;  ///< (64,64,7) as it came, and as the classifier sees it; undefined without a cutout
};

/// The rows worth a picture: of each class the surest, and of all the least sure. Others are forgotten as they come.
class HighzExhibits {
 public:
  static constexpr size_t surest = 6, doubtful = 6;
  void offer(HighzResult const& result, HighzExhibit exhibit);
  std::vector<HighzExhibit> of_class(int call) const { return exhibits(lists_[size_t(call)]); }
  std::vector<HighzExhibit> least_sure() const { return exhibits(lists_[3]); }

 private:
  struct Ranked {
    double rank;  // low is good
    HighzExhibit exhibit;
  };
  static std::vector<HighzExhibit> exhibits(std::vector<Ranked> const& list);
  static void insert(std::vector<Ranked>& list, size_t most, double rank, HighzExhibit const& exhibit);
  std::vector<Ranked> lists_[4];
};

struct HighzReport {
  HighzRows const& rows;
  std::vector<HighzResult> const& results;
  d16::io::Table const& table;  ///< of the results
  HighzExhibits const& exhibits;
  std::vector<HighzPredictor const*> classifiers;
  std::string input, flag_text;
  double seconds = 0;
};
std::string highz_report_html(HighzReport const& report);

}  // namespace tool
