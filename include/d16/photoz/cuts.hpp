// Quality cuts of a photometric catalogue: which rows are sound, and what was wrong with the others.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "../sim/igm.hpp"
#include "redshift.hpp"

namespace d16::photoz {

/// Bits: the cuts that a row fails.
enum Cut : int32_t {
  cut_no_redshift = 1,  ///< too few bands, or no light
  cut_detection = 2,    ///< not detected in the first bands redward of Lyman alpha
  cut_dropout = 4,      ///< detected in a band blueward of it
  cut_pdf = 8,          ///< P(z) is wide
  cut_fit = 16,         ///< no mixture of templates fits
  cut_low_z = 32,       ///< a solution at low redshift fits about as well
  cut_dwarf = 64,       ///< a brown dwarf fits better
  cut_size = 128,       ///< smaller than anything real: a hot pixel
};

/// The numbers of the EPOCHS selection, as the public code of that survey has them (github.com/duncanaustin98/galfind,
/// EPOCHS_Selector; Conselice et al. 2024, arXiv:2407.14973): 5 sigma in two bands redward of Lyman alpha, below 2 sigma
/// blueward, 60 % of P(z) within 10 %, reduced chi^2 below 3, chi^2 of the low solution larger by 4, 45 milliarcsec. The
/// comparison with dwarfs is ours. NaN switches a cut off.
struct CutOptions {
  double detection = 5;
  int detection_bands = 2;
  double non_detection = 2;
  double near = 0.6;
  double reduced_chi2 = 3;
  double low_z = 4;
  double dwarf = 0;               ///< chi^2 of the galaxy less that of the dwarf, over the same bands, must be below
  int dwarf_bands = 3;            ///< in fewer anything fits, and the cut is passed
  double least_size = not_known;  ///< in the unit of the sizes; EPOCHS: 0.045 arcsec
};

/// The cuts that row `row` fails. `size` may be NaN: then that cut is passed.
inline int32_t failed_cuts(TemplateGrid const& grid, FluxTable const& table, size_t row, RedshiftFit const& fit,
                           double size, CutOptions const& o = {}) {
  if (!fit.known()) return cut_no_redshift;
  int32_t failed = 0;
  auto fails = [&](Cut cut, bool bad) { failed |= bad ? int32_t(cut) : 0; };
  double edge = sim::lyman_alpha * (1 + fit.z_a);
  std::vector<std::pair<double, double>> red;  // pivot wavelength, S/N
  for (int b = 0; b < grid.bands(); ++b) {
    double snr = table.flux[size_t(b)][row] / table.error[size_t(b)][row];
    if (!std::isfinite(snr) || !(table.error[size_t(b)][row] > 0)) continue;
    if (grid.red_edge(b) < edge) fails(cut_dropout, snr >= o.non_detection);
    if (grid.blue_edge(b) > edge) red.emplace_back(grid.pivot(b), snr);
  }
  std::sort(red.begin(), red.end());
  auto wanted = size_t(o.detection_bands);
  fails(cut_detection, red.size() < wanted && !std::isnan(o.detection));
  for (size_t i = 0; i < std::min(wanted, red.size()); ++i) fails(cut_detection, red[i].second < o.detection);
  fails(cut_pdf, fit.near < o.near);
  fails(cut_fit, fit.reduced_chi2() >= o.reduced_chi2);
  fails(cut_low_z, fit.chi2_low - fit.chi2 < o.low_z);
  fails(cut_dwarf, fit.dwarf.bands >= o.dwarf_bands && fit.chi2_beside_dwarf - fit.dwarf.chi2 >= o.dwarf);
  fails(cut_size, size < o.least_size);
  return failed;
}

struct CutCount {
  Cut cut;
  std::string name, asks;
  int64_t fail, left;  ///< that fail this one; that pass it and all above
};
/// How many rows each cut takes, in order.
inline std::vector<CutCount> count_cuts(std::vector<int32_t> const& failed, CutOptions const& o = {}) {
  std::vector<CutCount> out{
      {cut_no_redshift, "redshift", "three bands and light in them", 0, 0},
      {cut_detection, "detection",
       text("S/N of ", o.detection, " in the first ", o.detection_bands, " bands redward of Lyman alpha"), 0, 0},
      {cut_dropout, "dropout", text("S/N below ", o.non_detection, " in all bands blueward of Lyman alpha"), 0, 0},
      {cut_pdf, "P(z) width", text(100 * o.near, " % of P(z) within 10 % of z_a"), 0, 0},
      {cut_fit, "fit", text("chi2 / (bands - 1) below ", o.reduced_chi2), 0, 0},
      {cut_low_z, "low solution",
       std::isnan(o.low_z) ? "not applied: it needs redshifts below 4"
                           : text("chi2 at low z higher by ", o.low_z, ", for z_a from 4.5 on"),
       0, 0},
      {cut_dwarf, "brown dwarf",
       text("chi2 of the galaxy below that of the best dwarf model plus ", o.dwarf, ", over the same bands"), 0, 0},
      {cut_size, "morphology", text("radius of ", o.least_size, " or more"), 0, 0}};
  for (int32_t bits : failed) {
    bool in = true;
    for (CutCount& count : out) {
      count.fail += (bits & count.cut) != 0;
      in = in && (bits & count.cut) == 0;
      count.left += in;
    }
  }
  return out;
}

/// Two modes of P(z), the second with `share` of the first's probability at least, where Balmer and Lyman break change
/// places: the bimodal set of the second source, whose criterion is not published; the numbers are ours.
inline bool is_bimodal(RedshiftFit const& fit, double share = 0.1) { return fit.alias && fit.second >= share; }

}  // namespace d16::photoz
