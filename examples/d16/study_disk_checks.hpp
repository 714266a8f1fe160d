// What d16 study disk tells beside the tables of the plan: further tables, checks that were added later, limits.
#pragma once
#include <string>

#include "study_disk_tables.hpp"

namespace tool {

/// Not planned: how well the grain of the noise alone, in the border of the test pictures, tells the classes apart, and
/// the verdict without the level where it does so best.
std::string grain_text(DiskStudy& study);
/// Of the test ellipticals at one level, with one kind of contaminants each: how many have p > 0.7.
std::string schemes_table(DiskStudy& study, std::string const& model);
/// What has to be known before the numbers are believed, as a list.
std::string limits_text(DiskStudy& study);

std::string purity_table(DiskStudy& study, std::string const& model, std::string const& regime);
std::string number_table(DiskStudy& study, std::string const& model);
std::string parts_table(DiskStudy& study, std::string const& model);
std::string denoiser_text(DiskStudy const& study);
std::string questions_table(DiskStudy const& study);
std::string exposure_table(DiskStudy const& study);
std::string digits_table(DiskStudy const& study);
std::string speed_table(DiskStudy const& study);

}  // namespace tool
