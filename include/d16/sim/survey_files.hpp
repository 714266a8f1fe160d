// Reads what a simulated survey is made from: filter curves, templates, brown-dwarf models, PSFs. Needs CFITSIO.
#pragma once
#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "../io/csv.hpp"
#include "../io/fits.hpp"
#include "survey.hpp"

namespace d16::sim {

namespace detail {

/// All spectra of a folder with one ending, sorted by name.
inline TemplateSet read_template_set(std::string name, std::string const& folder, std::string const& ending) {
  TemplateSet set{std::move(name), {}};
  std::vector<std::filesystem::path> paths;
  for (auto const& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ending) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (auto const& path : paths) set.templates.push_back(read_spectrum(path.string(), path.stem().string()));
  require<FileError>(!set.templates.empty(), folder, ": no *", ending, " in it; the templates are needed");
  return set;
}

inline Curve read_fits_spectrum(std::string const& path, std::string name) {
  io::Table table = io::read_fits_table(path, {.columns = {"wave", "flux"}});
  std::vector<double> wave = table.numbers("wave"), flux = table.numbers("flux");
  Curve curve{std::move(name), {}, {}};
  for (size_t i = 0; i < wave.size(); ++i) {
    if (!curve.wavelength.empty() && wave[i] <= curve.wavelength.back()) continue;
    curve.wavelength.push_back(wave[i]), curve.value.push_back(flux[i]);
  }
  check_curve(curve, path);
  return curve;
}

inline Psf read_psf(std::string const& path, double pixel) {
  Tensor image = io::read_fits(path).pixels;
  require<FileError>(image.dim(0) == image.dim(1) && image.dim(0) % 2 == 1, path, ": is ", image.shape(),
                     "; a square with an odd side is needed");
  Psf psf{int(image.dim(0)), pixel, {image.data<float>(), image.data<float>() + image.numel()}};
  double sum = 0;
  for (float v : psf.light) sum += double(v);
  require<FileError>(sum > 0 && std::isfinite(sum), path, ": the light of this PSF is ", sum);
  for (float& v : psf.light) v = float(double(v) / sum);
  return psf;
}

/// The PSF sets of psf_map.csv (object, band, psf_file): objects with the same files share a set, which is named after
/// the first of them. Short-wave images have 0.02, long-wave ones 0.04 arcsec a pixel.
inline std::vector<PsfSet> read_psf_sets(std::string const& folder, double f090w_scale) {
  io::Table table = io::read_csv(folder + "/psf_map.csv");
  std::vector<std::string> object = table.strings("object"), band = table.strings("band");
  std::vector<std::string> file = table.strings("psf_file");
  std::map<std::string, std::map<std::string, std::string>> files;  // of each object, by band
  for (size_t i = 0; i < object.size(); ++i) files[object[i]][band[i]] = file[i];
  std::vector<PsfSet> sets;
  std::vector<std::map<std::string, std::string>> seen;
  for (auto const& [name, by_band] : files) {
    if (std::count(seen.begin(), seen.end(), by_band)) continue;
    seen.push_back(by_band);
    PsfSet set{name, {}};
    for (size_t b = 1; b < survey_bands.size(); ++b) {
      std::string key = survey_bands[b];
      key[0] = 'f', key.back() = 'w';
      auto found = by_band.find(key);
      require<FileError>(found != by_band.end(), folder, "/psf_map.csv: object ", name, " has no PSF for ", key);
      set.psf[b] = read_psf(folder + "/" + found->second, b < 4 ? 0.02 : 0.04);
    }
    set.psf[0] = set.psf[1].widened(f090w_scale);
    sets.push_back(std::move(set));
  }
  return sets;
}

}  // namespace detail

/// Reads the folders nircam_filters_jades_seds, sed_templates_eazy, brown_dwarf_photometry and jwst_ceers_nircam.
/// Template sets: jades (16, Hainline et al. 2024), larson (3, Larson et al. 2023), fsps (12, eazy-photoz). There is no
/// PSF of F090W: that of F115W is taken, narrower by the ratio of the wavelengths.
/// Errors   FileError: what is missing or damaged.
inline SurveyData read_survey_data(std::string const& folder) {
  for (char const* part :
       {"nircam_filters_jades_seds", "sed_templates_eazy", "brown_dwarf_photometry", "jwst_ceers_nircam"})
    require<FileError>(std::filesystem::is_directory(folder + "/" + part), folder, ": no folder ", part,
                       " in it; a survey is made from filter curves, templates, brown-dwarf models and PSFs");
  std::string nircam = folder + "/nircam_filters_jades_seds/configs", eazy = folder + "/sed_templates_eazy/templates";
  SurveyData data;
  data.filters = read_filters(nircam + "/jwst_nircam_FILTER.RES", {survey_bands.begin(), survey_bands.end()});
  data.templates.push_back(detail::read_template_set("jades", nircam + "/EAZY_templates/templates/jades", ".sed"));
  data.templates.push_back(
      detail::read_template_set("larson", nircam + "/EAZY_templates/templates/LarsonTemplates", ".dat"));
  data.templates.push_back(detail::read_template_set("fsps", eazy + "/fsps_full", ".dat"));
  data.little_red_dot = detail::read_fits_spectrum(eazy + "/sfhz/j0647agn+torus.fits", "j0647agn+torus");
  data.dwarfs = read_brown_dwarfs(folder + "/brown_dwarf_photometry/bd_photometry_nircam8.csv");
  double ratio = pivot_wavelength(data.filters[0]) / pivot_wavelength(data.filters[1]);
  data.psfs = detail::read_psf_sets(folder + "/jwst_ceers_nircam", ratio);
  return data;
}

}  // namespace d16::sim
