// A simulated survey as files: a catalogue with its truth, cutouts, and a text that says that it is simulated.
// Needs CFITSIO.
#pragma once
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "../io/fits.hpp"
#include "../io/safetensors.hpp"
#include "survey.hpp"

namespace d16::sim {

/// One row of the catalogue.
struct SurveyRow {
  SurveyTruth truth;
  Survey::Photometry photometry;  ///< measured on the noisy cutout
  double ra = 0, dec = 0;         ///< degrees, invented
};

/// An invented place on the sky for object i, so that tools which match positions have something to match.
inline std::pair<double, double> invented_place(int64_t i) {
  return {53.1 + double(i % 1000) * 0.001, -27.9 + double(i / 1000) * 0.001};
}

/// The header cards that every file of a simulated survey has.
inline std::vector<io::FitsCard> survey_cards(SurveyOptions const& o, Split split) {
  return {{"SIMUL", true, "SIMULATED data: no telescope saw this"},
          {"SIMSEED", int64_t(o.seed), "seed of the simulation"},
          {"SIMSET", std::string(name_of(o.set)), "set of objects"},
          {"SIMSPLIT", std::string(name_of(split)), "part of the set"},
          {"THRESHZ", o.threshold, "redshift from which on high_z begins"}};
}

/// The catalogue: columns as those of JADES (ID, RA, DEC, F444W_CIRC2, F444W_CIRC2_e ...: aperture of radius 0.15
/// arcsec, corrected to a point's total, nJy; negative fluxes are kept), sizes in F444W, the truth in columns TRUE_...
inline io::Table survey_table(std::vector<SurveyRow> const& rows) {
  io::Table table;
  auto add = [&]<class T>(std::string const& name, T, auto const& value, std::string unit, std::string comment) {
    std::vector<T> values;
    for (SurveyRow const& row : rows) values.push_back(T(value(row)));
    table.column(name, std::move(values), {std::move(unit), std::move(comment)});
  };
  using Row = SurveyRow const&;
  std::string const text;
  add(
      "ID", text, [](Row r) { return r.truth.id; }, "", "name of the simulated object and of its cutout");
  add(
      "RA", 0.0, [](Row r) { return r.ra; }, "deg", "invented");
  add(
      "DEC", 0.0, [](Row r) { return r.dec; }, "deg", "invented");
  for (size_t b = 0; b < survey_bands.size(); ++b) {
    std::string name = std::string(survey_bands[b]) + "_CIRC2";
    add(
        name, 0.0f, [b](Row r) { return r.photometry.flux[b]; }, "nJy",
        "SIMULATED flux, radius 0.15 arcsec, corrected");
    add(
        name + "_e", 0.0f, [b](Row r) { return r.photometry.error[b]; }, "nJy", "its error, of the dark sky");
  }
  add(
      "F444W_RHALF", 0.0f, [](Row r) { return r.photometry.half_light; }, "arcsec",
      "SIMULATED half-light radius in F444W within 0.3 arcsec, not corrected for the PSF");
  add(
      "F444W_COMPACT", 0.0f, [](Row r) { return r.photometry.compactness; }, "",
      "SIMULATED flux in a diameter of 0.32 over that in 0.16 arcsec, F444W");
  auto truth = [&](std::string const& name, auto type, auto const& value, std::string unit, std::string comment) {
    add(
        "TRUE_" + name, type, [&](Row r) { return value(r.truth); }, std::move(unit), "SIMULATED truth: " + comment);
  };
  using Truth = SurveyTruth const&;
  truth(
      "CLASS", text, [](Truth t) { return std::string(name_of(t.label)); }, "", "low_z, high_z or brown_dwarf");
  truth(
      "Z", 0.0f, [](Truth t) { return t.z; }, "", "redshift; NaN for brown dwarfs");
  for (size_t b = 0; b < survey_bands.size(); ++b)
    truth(
        survey_bands[b], 0.0f, [b](Truth t) { return t.flux[b]; }, "nJy", "total flux");
  truth(
      "MAG", 0.0f, [](Truth t) { return t.magnitude; }, "mag",
      "detection magnitude: F444W, radius 0.15 arcsec, corrected, AB");
  truth(
      "SNR", 0.0f, [](Truth t) { return t.snr; }, "", "of the flux in that aperture");
  truth(
      "X", 0.0f, [](Truth t) { return t.shape.x0; }, "pixel", "centre in the cutout, from 0");
  truth(
      "Y", 0.0f, [](Truth t) { return t.shape.y0; }, "pixel", "centre in the cutout, from 0");
  truth(
      "R_EFF", 0.0f, [](Truth t) { return t.shape.r_eff; }, "arcsec", "effective radius, major axis; 0 is a point");
  truth(
      "SERSIC", 0.0f, [](Truth t) { return t.shape.n; }, "", "Sersic index");
  truth(
      "Q", 0.0f, [](Truth t) { return t.shape.q; }, "", "minor to major axis");
  truth(
      "THETA", 0.0f, [](Truth t) { return t.shape.theta * 180 / std::numbers::pi; }, "deg", "major axis, +x to +y");
  truth(
      "CENTRE", 0.0f, [](Truth t) { return t.centre_fraction; }, "", "light in an unresolved centre");
  truth(
      "SOURCE", text, [](Truth t) { return t.source; }, "", "set of templates or library of brown dwarfs");
  truth(
      "TEMPLATES", text, [](Truth t) { return t.templates; }, "", "shares of the light at 5500 Angstrom");
  truth(
      "A_V", 0.0f, [](Truth t) { return t.a_v; }, "mag", "dust");
  truth(
      "IGM", 0.0f, [](Truth t) { return t.igm_factor; }, "", "optical depth over its mean");
  truth(
      "TEFF", 0.0f, [](Truth t) { return t.teff; }, "K", "of brown dwarfs");
  truth(
      "LOGG", 0.0f, [](Truth t) { return t.logg; }, "", "of brown dwarfs, log of cm/s^2");
  truth(
      "MET", 0.0f, [](Truth t) { return t.metallicity; }, "", "of brown dwarfs, [M/H]");
  truth(
      "DISTANCE", 0.0f, [](Truth t) { return t.distance_pc; }, "pc", "of brown dwarfs");
  truth(
      "PSF", text, [](Truth t) { return t.psf; }, "", "set of PSFs");
  truth(
      "FLAGS", int32_t(0), [](Truth t) { return t.flags; }, "",
      "1 bimodal, 2 bright centre, 4 background, 8 neighbour, 16 little red dot, 32 compact");
  truth(
      "PAIR", int64_t(0), [](Truth t) { return t.pair; }, "", "number of the bimodal pair, or -1");
  return table;
}

/// Writes one object: extensions F090W to F444W with the pixels (BUNIT nJy, BAND, sky coordinates) and F090W_ERR to
/// F444W_ERR with their standard deviations, sky and photons of what is seen.
inline void write_survey_object(std::string const& path, SurveyObject const& object, SurveyOptions const& o,
                                std::vector<io::FitsCard> const& cards, double ra, double dec) {
  constexpr double centre = (cutout_side + 1) / 2.0, step = cutout_pixel / 3600;
  std::vector<io::FitsPlane> planes;
  for (int b = 0; b < survey_band_count; ++b) {
    std::vector<io::FitsCard> all{{"BUNIT", "nJy", "per pixel; AB magnitude = 31.4 - 2.5 log10"},
                                  {"BAND", std::string(survey_bands[size_t(b)]), "NIRCam filter that is simulated"},
                                  {"OBJECT", object.truth.id},
                                  {"CTYPE1", "RA---TAN"},
                                  {"CTYPE2", "DEC--TAN"},
                                  {"CRPIX1", centre},
                                  {"CRPIX2", centre},
                                  {"CRVAL1", ra, "deg, invented"},
                                  {"CRVAL2", dec, "deg, invented"},
                                  {"CD1_1", -step, "deg per pixel"},
                                  {"CD1_2", 0.0},
                                  {"CD2_1", 0.0},
                                  {"CD2_2", step, "deg per pixel"}};
    all.insert(all.end(), cards.begin(), cards.end());
    Tensor pixels = object.image.select(2, b).contiguous(), error = empty_like(pixels);
    double sigma = double(object.error[size_t(b)]);
    for (int64_t i = 0; i < pixels.numel(); ++i)
      error.data<float>()[i] =
          float(std::sqrt(sigma * sigma + std::max(0.0, double(pixels.data<float>()[i])) / o.photons));
    planes.push_back({survey_bands[size_t(b)], pixels, all});
    planes.push_back({std::string(survey_bands[size_t(b)]) + "_ERR", error, all});
  }
  io::write_fits(path, planes);
}

/// What the folder holds, for README.txt. `command` and `version` are those of the program that wrote it.
inline std::string survey_readme(Survey const& survey, Split split, int64_t count, std::string const& command,
                                 std::string const& version) {
  SurveyOptions const& o = survey.options();
  std::string sets;
  for (std::string const& name : survey.psf_names(split)) sets += (sets.empty() ? "" : ", ") + name;
  std::string out = text(
      "SIMULATED DATA. No telescope saw any of this; scores on it are scores on a simulation.\n\n", "made by    ",
      version, "\ncommand    ", command, "\nseed       ", o.seed, "\nset        ", name_of(o.set), ", split ",
      name_of(split), ", ", count, " objects\nhigh_z     from z = ", o.threshold, "\nPSF sets   ", sets,
      "\nheld out   templates ", o.heldout_templates, ", brown dwarfs ", o.heldout_library, ", PSFs ", o.heldout_psf,
      "\n\nband    5 sigma depth (AB, point source, radius 0.15 arcsec)   noise of a pixel (nJy)\n");
  for (size_t b = 0; b < survey_bands.size(); ++b)
    out += text(survey_bands[b], "   ", o.depth[b], "   ", survey.sigma()[b], "\n");
  return out + text("\nNoise of neighbouring pixels is correlated by ", o.noise_correlation,
                    ". Pixels are 0.03 arcsec wide. There is no PSF of F090W: that of\nF115W is used, narrower by the "
                    "ratio of the wavelengths. All classes have one distribution of detection "
                    "magnitude\n(F444W, radius 0.15 arcsec); low-z and high-z galaxies have one of size. Brown dwarfs "
                    "are points; ",
                    std::round(100 * o.compact_fraction), " % of the galaxies are smaller than a pixel.\n");
}

/// All cutouts as one file: "image" (N,64,64,7) float32 in nJy, "error" (N,7), "label" (N) int64, "z" (N).
inline io::TensorFile survey_tensors(std::vector<SurveyObject> const& objects, SurveyOptions const& o, Split split) {
  int64_t n = int64_t(objects.size()), pixels = int64_t(cutout_side) * cutout_side * survey_band_count;
  Tensor image = empty({n, cutout_side, cutout_side, survey_band_count}, vision::host_tensor());
  Tensor error = empty({n, survey_band_count}, vision::host_tensor()), z = empty({n}, vision::host_tensor());
  Tensor label = empty({n}, vision::host_tensor(DType::i64));
  for (int64_t i = 0; i < n; ++i) {
    SurveyObject const& object = objects[size_t(i)];
    std::copy_n(object.image.data<float>(), pixels, image.data<float>() + i * pixels);
    std::copy(object.error.begin(), object.error.end(), error.data<float>() + i * survey_band_count);
    label.data<int64_t>()[i] = int64_t(object.truth.label), z.data<float>()[i] = float(object.truth.z);
  }
  return {.metadata = {{"simulated", "true"},
                       {"seed", std::to_string(o.seed)},
                       {"set", name_of(o.set)},
                       {"split", name_of(split)},
                       {"unit", "nJy"},
                       {"classes", "low_z,high_z,brown_dwarf"}},
          .tensors = {{"image", image}, {"error", error}, {"label", label}, {"z", z}}};
}

}  // namespace d16::sim
