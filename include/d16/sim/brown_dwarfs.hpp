// Brown dwarfs of the Galaxy from tables of model photometry: which ones a survey meets at a given brightness.
#pragma once
#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "../core/random.hpp"
#include "../io/csv.hpp"
#include "../vision/statistics.hpp"
#include "filters.hpp"

namespace d16::sim {

/// One atmosphere of a library of models.
struct DwarfModel {
  std::string library = {};  ///< "sonora_bobcat", "ATMO2020" ...
  double teff = 0;           ///< K
  double logg = 0;           ///< of cm/s^2
  double metallicity = 0;    ///< [M/H]; NaN where the library does not tell
  Fluxes flux{};             ///< f_nu, in a unit of the library
};

/// Reads library, teff_K, logg, met and the seven bands; colours count, the unit of a library does not.
/// Errors   FileError: a missing column, no rows, a flux or temperature that is not positive.
inline std::vector<DwarfModel> read_brown_dwarfs(std::string const& path) {
  io::Table table = io::read_csv(path);
  std::vector<std::string> library = table.strings("library");
  std::vector<double> teff = table.numbers("teff_K"), logg = table.numbers("logg"), met = table.numbers("met");
  std::vector<DwarfModel> models;
  for (size_t i = 0; i < library.size(); ++i) models.push_back({library[i], teff[i], logg[i], met[i], {}});
  for (size_t b = 0; b < survey_bands.size(); ++b) {
    std::vector<double> flux = table.numbers(survey_bands[b]);
    for (size_t i = 0; i < flux.size(); ++i) {
      require<FileError>(flux[i] > 0 && teff[i] > 0, path, " ", table.where(int64_t(i)), ": ", survey_bands[b], " is ",
                         flux[i], ", teff_K ", teff[i], "; positive numbers are needed");
      models[i].flux[b] = flux[i];
    }
  }
  require<FileError>(!models.empty(), path, ": has no rows; one for each model is needed");
  return models;
}

/// Which brown dwarfs there are. All are choices of ours; the mix of types that a survey meets follows from them.
struct DwarfPrior {
  double least_teff = 300, most_teff = 2400;  ///< K
  double teff_slope = 0;                      ///< numbers per kelvin go as T^slope: 0 is flat
  double scale_height = 350;                  ///< of the disc, pc: density exp(-d sin|b| / scale_height)
  double latitude = 54;                       ///< |b| of the field, degrees: GOODS-South
};

/// The models of some libraries, drawn as a survey of a given magnitude meets them: a library and a temperature with
/// probability p(T) rho(d) d^3, d the distance at which a dwarf of that temperature has the asked flux (the volume of a
/// shell of one magnitude grows as d^3), then any model of that temperature.
class BrownDwarfs {
 public:
  /// Errors   ValueError when no model of these libraries lies inside the prior.
  BrownDwarfs(std::vector<DwarfModel> models, std::vector<std::string> const& libraries, DwarfPrior const& prior = {})
      : prior_(prior) {
    std::map<std::string, std::map<double, std::vector<int>>> sorted;
    for (DwarfModel& model : models) {
      bool wanted = std::count(libraries.begin(), libraries.end(), model.library) > 0;
      if (!wanted || model.teff < prior.least_teff || model.teff > prior.most_teff) continue;
      sorted[model.library][model.teff].push_back(int(models_.size()));
      models_.push_back(std::move(model));
    }
    require<ValueError>(!models_.empty(), "BrownDwarfs: no model of the ", libraries.size(), " libraries has ",
                        prior.least_teff, " to ", prior.most_teff, " K; give other libraries or a wider prior");
    for (auto const& [name, by_teff] : sorted) add_library(by_teff);
  }

  struct Draw {
    DwarfModel const* model;
    double distance;  ///< pc
  };
  /// A dwarf with this flux in F444W. Units   nJy.
  Draw draw(Random& random, double flux) const {
    std::vector<double> share;
    double total = 0;
    for (Bin const& bin : bins_) share.push_back(total += bin.width * density(distance(bin.surface, flux)));
    size_t i = 0;
    for (double u = random.uniform() * total; i + 1 < share.size() && share[i] <= u;) ++i;
    std::vector<int> const& alike = bins_[i].models;
    DwarfModel const& model = models_[size_t(alike[size_t(random.integer(int64_t(alike.size())))])];
    return {&model, distance(model.flux[f444w] * bins_[i].unit, flux)};
  }
  std::vector<DwarfModel> const& models() const { return models_; }

 private:
  /// The models of one library and temperature.
  struct Bin {
    double width;    ///< of the temperatures that it stands for, times their prior
    double surface;  ///< median flux at the surface in F444W, nJy
    double unit;     ///< surface flux in nJy per unit of the library
    std::vector<int> models;
  };

  /// Flux of a black body at its surface in F444W, nJy: pi B_nu.
  static double black_body(double teff) {
    constexpr double nu = 2.99792458e8 / 4.4037e-6, h = 6.62607015e-34, k = 1.380649e-23, c = 2.99792458e8;
    double planck = 2 * h * nu * nu * nu / (c * c) / std::expm1(h * nu / (k * teff));  // W / (m^2 Hz sr)
    return 3.14159265358979 * planck * 1e26 * 1e9;
  }

  /// Libraries come in units of their own. A black body, right within a factor of a few, sets one unit for each.
  void add_library(std::map<double, std::vector<int>> const& by_teff) {
    std::vector<double> ratios, teff;
    auto median_flux = [&](std::vector<int> const& members) {
      std::vector<double> flux;
      for (int i : members) flux.push_back(models_[size_t(i)].flux[f444w]);
      return vision::median(std::move(flux));
    };
    for (auto const& [temperature, members] : by_teff) {
      ratios.push_back(black_body(temperature) / median_flux(members));
      teff.push_back(temperature);
    }
    double unit = vision::median(std::move(ratios));
    for (size_t i = 0; i < teff.size(); ++i) {
      std::vector<int> const& members = by_teff.at(teff[i]);
      double width = teff.size() > 1 ? (teff[std::min(i + 1, teff.size() - 1)] - teff[i - (i > 0)]) / 2 : 1;
      bins_.push_back({width * std::pow(teff[i], prior_.teff_slope), median_flux(members) * unit, unit, members});
    }
  }

  /// Where a ball as large as Jupiter with this surface flux has the asked flux, pc.
  static double distance(double surface, double flux) {
    constexpr double jupiter_in_parsec = 7.1492e7 / 3.0856775814913673e16;
    return jupiter_in_parsec * std::sqrt(surface / flux);
  }
  /// Numbers per magnitude at a distance.
  double density(double d) const {
    double height = d * std::sin(prior_.latitude * 3.14159265358979 / 180);
    return d * d * d * std::exp(-height / prior_.scale_height);
  }

  DwarfPrior prior_;
  std::vector<DwarfModel> models_;
  std::vector<Bin> bins_;
};

}  // namespace d16::sim
