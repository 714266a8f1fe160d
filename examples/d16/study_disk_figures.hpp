// Plots and pictures of the report of `d16 study disk`, as HTML.
#pragma once
#include <string>
#include <vector>

#include "study_disk_tables.hpp"

namespace tool {

/// Above a piece of a section.
std::string heading(std::string const& title);
/// Balanced accuracy against S/N, a plot for each R_e/FWHM, a line for each regime.
std::string level_plots(DiskStudy& study, DiskModel const& model);
/// Against S/N, how often what is no disk has p > 0.7.
std::string false_plots(DiskStudy& study, DiskModel const& model);
std::string reliability_plots(DiskStudy& study, std::vector<DiskModel> const& models);
/// The first test pictures at one level: raw, denoised, sigma, residual / sigma, the truth.
std::string examples(DiskStudy& study, double snr);
/// p against S/N of the real galaxies made fainter.
std::string fading_plots(DiskStudy& study);
/// The most confident wrong answers, as they were seen and as they were.
std::string error_pictures(DiskStudy& study, size_t count);

}  // namespace tool
