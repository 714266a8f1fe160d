// A survey from tables small enough to be written here: box filters, three-piece spectra, two libraries of dwarfs.
#pragma once
#include <unistd.h>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <d16/io/atomic_file.hpp>
#include <d16/sim/survey.hpp>
#include <filesystem>
#include <string>
#include <vector>

namespace tiny {

namespace fs = std::filesystem;
namespace sim = d16::sim;
using d16::text;

/// A folder that is gone at the end.
struct Folder {
  fs::path path;
  Folder() {
    static int serial = 0;
    path = fs::temp_directory_path() / text("d16-survey-", int64_t(getpid()), "-", ++serial);
    fs::create_directories(path);
  }
  Folder(Folder const&) = delete;
  ~Folder() { fs::remove_all(path); }
  std::string operator/(std::string const& name) const { return (path / name).string(); }
  std::string write(std::string const& name, std::string const& words) const {
    d16::io::write_file(*this / name, words);
    return *this / name;
  }
};

/// The edges of the simulated bands, Angstrom: those of NIRCam, rounded.
inline constexpr double edges[7][2] = {{8000, 10000},  {10100, 12800}, {13300, 16700}, {17500, 22300},
                                       {24200, 31300}, {31400, 39800}, {38900, 49900}};

/// Filters in EAZY's format: boxes of 21 points, with narrow flanks. Another filter comes first, to be passed over.
inline std::string filters_text() {
  std::string out = "2 other_filter lambda_c= 1.5e3\n1 1000 1\n2 2000 1\n";
  for (int b = 0; b < 7; ++b) {
    double low = edges[b][0], high = edges[b][1];
    sim::Curve box{"", {low - 1}, {0}};
    for (int i = 0; i <= 20; ++i) box.wavelength.push_back(low + (high - low) * i / 20), box.value.push_back(0.5);
    box.wavelength.push_back(high + 1), box.value.push_back(0);
    out += text("23 jwst_nircam_f", std::string(sim::survey_bands[size_t(b)]).substr(1, 3),
                "w v1 lambda_c= ", sim::pivot_wavelength(box), "\n");
    for (size_t i = 0; i < box.value.size(); ++i)
      out += text("   ", i + 1, "  ", box.wavelength[i], "  ", box.value[i], "\n");
  }
  return out;
}

/// F_lambda = (lambda / 5000)^slope, weaker by `jump` blueward of 3700 Angstrom, with a line of that width at
/// 5007 Angstrom.
inline std::string spectrum_text(double slope, double jump, double width) {
  std::string out = "# wavelength flux\n";
  for (int k = 0; k <= 1400; ++k) {
    double x = 300 * std::pow(300.0, k / 1400.0), f = std::pow(x / 5000, slope) * (x < 3700 ? jump : 1);
    char line[64];
    std::snprintf(line, sizeof line, "%.6e %.6e\n", x, f);
    if (x > 4990 && x < 5030) continue;  // room for the line
    out += line;
    if (x < 4990 && 300 * std::pow(300.0, (k + 1) / 1400.0) >= 4990)
      out += text("5001 1\n5003 ", 1 + width / 8, "\n5011 ", 1 + width / 8, "\n5013 1\n");
  }
  return out;
}

/// Colours that grow redder as the temperature falls, in units that differ between the libraries.
inline std::string dwarfs_text() {
  std::string out = "library,teff_K,logg,met,F090W,F115W,F150W,F200W,F277W,F356W,F410M,F444W\n";
  for (char const* library : {"warm", "cold", "apart"})
    for (int teff : {400, 700, 1000, 1500}) {
      out += text(library, ",", teff, ",4.5,", *library == 'c' ? "" : "0.0");
      double unit = (*library == 'a' ? 1e-5 : 1) * std::pow(teff / 1000.0, 3);
      for (double share : {0.02, 0.4, 0.2, 0.15, 0.1, 0.3, 1.1, 1.0})
        out += text(",", unit * std::pow(share, 1000.0 / teff));
      out += "\n";
    }
  return out;
}

/// Written to files and read back, as the real ones are.
inline sim::SurveyData data() {
  Folder folder;
  sim::SurveyData out;
  std::string path = folder.write("filters.res", filters_text());
  out.filters = sim::read_filters(path, {sim::survey_bands.begin(), sim::survey_bands.end()});
  struct Kind {
    char const *set, *name;
    double slope, jump, width;
  };
  for (Kind k : {Kind{"a", "young", -2.2, 1, 300}, Kind{"a", "middle", -1.5, 0.6, 30}, Kind{"a", "old", 0, 0.2, 0},
                 Kind{"b", "blue", -2.5, 1, 0}, Kind{"b", "red", 0.5, 0.15, 0}}) {
    if (out.templates.empty() || out.templates.back().name != k.set) out.templates.push_back({k.set, {}});
    path = folder.write(text(k.name, ".dat"), spectrum_text(k.slope, k.jump, k.width));
    out.templates.back().templates.push_back(sim::read_spectrum(path, k.name));
  }
  out.little_red_dot = sim::read_spectrum(folder.write("dot.dat", spectrum_text(2, 3, 500)), "dot");
  out.dwarfs = sim::read_brown_dwarfs(folder.write("dwarfs.csv", dwarfs_text()));
  for (char const* name : {"north", "south", "far"}) {
    sim::PsfSet set{name, {}};
    double wider = *name == 'n' ? 1 : *name == 's' ? 1.1 : 1.3;
    for (size_t b = 0; b < 7; ++b) set.psf[b] = sim::gaussian_survey_psf(81, 0.02, wider * (0.06 + 0.014 * double(b)));
    out.psfs.push_back(set);
  }
  return out;
}

inline sim::SurveyOptions options(sim::SurveySet set = sim::SurveySet::balanced) {
  sim::SurveyOptions o;
  o.set = set, o.heldout_templates = "b", o.heldout_library = "apart", o.heldout_psf = "far";
  return o;
}

}  // namespace tiny
