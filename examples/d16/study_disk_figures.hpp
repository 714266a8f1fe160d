// Plots and pictures of the report of `d16 study disk`, as HTML.
#pragma once
#include <string>

#include "study_disk_tables.hpp"

namespace tool {

/// Balanced accuracy against S/N, a plot for each R_e/FWHM, a line for each regime.
std::string level_plots(DiskStudy& study, std::string const& model);
/// Against S/N, how often what is no disk has p > 0.7.
std::string false_plots(DiskStudy& study, std::string const& model);
std::string reliability_plots(DiskStudy& study);
/// The first test pictures at one level: raw, denoised, sigma, residual / sigma, the truth.
std::string examples(DiskStudy& study, double snr);
/// p against S/N of the real galaxies made fainter.
std::string fading(DiskStudy& study);
/// The surest wrong answers of one run at S/N from 15 up.
std::string worst_errors(DiskStudy& study, size_t count);

}  // namespace tool
