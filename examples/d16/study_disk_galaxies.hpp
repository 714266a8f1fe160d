// What the report of `d16 study disk` says of single galaxies: how reliable p is, real galaxies made fainter, the worst
// errors. Numbers for its plots, and tables in Markdown.
#pragma once
#include <string>
#include <vector>

#include "study_disk_tables.hpp"

namespace tool {

/// Pictures of all levels whose p lies in one bin of width 0.1.
struct ReliabilityRow {
  double mean_p;
  d16::learn::Fraction disks;  ///< the interval knows that pictures of one sky field are no independent ones
};
/// Of the first seed; empty when it was not run.
std::vector<ReliabilityRow> reliability_rows(DiskStudy& study, std::string const& model, std::string const& regime);
std::string reliability_table(DiskStudy& study, std::string const& model);

/// p of one real galaxy at one S/N, over seeds and three realisations of the noise.
struct FadedGalaxy {
  int64_t id;
  double snr;
  d16::learn::Spread p;
};
/// By galaxy, then from S/N 100 to 3; empty when it was not run.
std::vector<FadedGalaxy> faded_galaxies(DiskStudy& study, std::string const& regime, int shrink);
inline constexpr int faded_shrinks[] = {1, 2, 4};
/// "not shrunk", "shrunk 2 times".
std::string shrunk_text(int shrink);
std::string fading_table(DiskStudy& study);

/// A wrong answer of D16 of order 16, first seed.
struct DiskError {
  double snr, size;
  int64_t at, item;  ///< number in its part, and of its picture
  bool is_disk;
  double p_b, p_d, p_e;  ///< NaN: that regime was not run
  std::string part() const { return disk_part(snr, size); }
  std::string level() const { return d16::text("S/N ", snr, ", R_e/FWHM ", size); }
};
/// The most confident ones of regime b at S/N from 15 up, one level of each galaxy.
std::vector<DiskError> worst_errors(DiskStudy& study, size_t count);
std::string errors_table(DiskStudy& study, size_t count);

}  // namespace tool
