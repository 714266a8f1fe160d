// Finding objects: which files of a folder belong together, by their names.
#include <algorithm>
#include <map>
#include <set>

#include <d16/core/error.hpp>

#include "common.hpp"
#include "cutout.hpp"

namespace tool {

namespace {

constexpr struct {
  char const* suffix;
  Role role;
} suffixes[] = {{"_sci", Role::science}, {"_drz", Role::science}, {"fitim", Role::science},  {"_im", Role::science},
                {"_err", Role::sigma},   {"_rms", Role::sigma},   {"_sig", Role::sigma},     {"_sigma", Role::sigma},
                {"sigma", Role::sigma},  {"_wht", Role::weight},  {"_weight", Role::weight}, {"_ivar", Role::weight},
                {"_mask", Role::mask},   {"mskim", Role::mask},   {"_seg", Role::segments},  {"segim", Role::segments},
                {"_psf", Role::psf},     {"psfim", Role::psf},    {"_dq", Role::other}};

/// "a_sci.fits.gz" -> "a_sci"; empty for a file that holds no image.
std::string image_stem(std::string const& name) {
  std::string small = lower(name);
  for (char const* end : {".fits.gz", ".fit.gz", ".fits.fz", ".fits", ".fit", ".fts", ".jpeg", ".jpg", ".png", ".npy"})
    if (ends_with(small, end)) return name.substr(0, name.size() - std::string(end).size());
  return {};
}

/// Filters of space telescopes are written in capitals: f444w -> F444W.
std::string filter_name(std::string band) {
  bool numbered = band.size() > 3 && band[0] == 'f' && !std::isnan(wavelength(band));
  for (char& c : band)
    if (numbered && c >= 'a' && c <= 'z') c = char(c - 'a' + 'A');
  return band;
}

/// The sources of the files of one folder; `name` is the id of files that have none of their own.
std::vector<Source> sources_of_files(std::string const& folder, std::string const& name) {
  std::map<std::string, Source> groups;
  std::vector<Source> singles;
  for (std::string const& file : list_folder(folder)) {
    std::string stem = image_stem(file), path = join(folder, file);
    if (stem.empty() || is_folder(path)) continue;
    Part part = part_of(path);
    if (part.role == Role::single) {
      singles.push_back({stem, path, {path}});
      continue;
    }
    std::string id = part.id.empty() ? name : part.id;
    Source& group = groups[id];
    group.id = id, group.path = part.id.empty() ? folder : join(folder, part.id);
    group.files.push_back(path);
  }
  std::vector<Source> sources;
  for (auto& [id, group] : groups) {
    auto science = [](std::string const& file) { return part_of(file).role == Role::science; };
    if (std::any_of(group.files.begin(), group.files.end(), science)) sources.push_back(std::move(group));
  }
  sources.insert(sources.end(), singles.begin(), singles.end());
  return sources;
}

/// Whether a folder holds one object or several as BAND_sci.fits files.
bool has_science(std::string const& folder) {
  for (std::string const& file : list_folder(folder))
    if (!image_stem(file).empty() && part_of(file).role == Role::science) return true;
  return false;
}

void make_ids_unique(std::vector<Source>& sources) {
  std::set<std::string> seen;
  for (Source& source : sources)
    if (!seen.insert(source.id).second) source.id = base_name(source.path), seen.insert(source.id);
}

}  // namespace

Part part_of(std::string const& path) {
  std::string stem = image_stem(base_name(path)), small = lower(stem);
  for (auto const& s : suffixes) {
    if (!ends_with(small, s.suffix) || stem.size() == std::string(s.suffix).size()) continue;
    Part part{s.role, {}, stem.substr(0, stem.size() - std::string(s.suffix).size())};
    size_t cut = part.band.rfind('_');
    std::string last = part.band.substr(cut + 1);  // npos + 1 is 0
    bool is_band = s.suffix[0] == '_' && (cut != part.band.npos || !std::isnan(wavelength(last)));
    if (!is_band) return {s.role, part.band, "1"};
    return {s.role, cut == part.band.npos ? "" : part.band.substr(0, cut), filter_name(last)};
  }
  return {Role::single, stem, {}};
}

std::vector<Source> find_sources(std::string const& input) {
  d16::require<d16::FileError>(is_folder(input) || is_file(input), input,
                               ": no such file or folder; give cutouts as d16 run --help describes");
  if (is_file(input)) {
    std::string stem = image_stem(base_name(input));
    return {{stem.empty() ? base_name(input) : stem, input, {input}}};
  }
  std::vector<Source> sources = sources_of_files(input, base_name(input));
  for (std::string const& name : list_folder(input)) {
    std::string folder = join(input, name);
    if (!is_folder(folder) || !has_science(folder)) continue;
    std::vector<Source> more = sources_of_files(folder, name);
    sources.insert(sources.end(), more.begin(), more.end());
  }
  if (sources.empty() && is_folder(join(input, "images"))) return find_sources(join(input, "images"));
  d16::require<d16::FileError>(!sources.empty(), input,
                               ": no FITS, PNG, JPEG or .npy cutouts in this folder; d16 run --help says what is read");
  make_ids_unique(sources);
  return sources;
}

}  // namespace tool
