// The report of d16 study disk.
#include "study_disk_models.hpp"
namespace tool {
Json study_disk_report(StudyDiskOptions const&) { return {}; }
}
