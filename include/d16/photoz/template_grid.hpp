// Fluxes of galaxy templates through filters at every redshift of a grid: computed once for all objects.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "../core/parallel.hpp"
#include "../sim/filters.hpp"
#include "../sim/igm.hpp"
#include "../sim/sed.hpp"

namespace d16::photoz {

struct GridOptions {
  double least_z = 0.01, most_z = 20;
  double step = 0.01;  ///< of ln(1 + z); rounded to a multiple of 0.002, the grid of the spectra
  bool igm = true;     ///< absorption by intergalactic hydrogen, its mean: sim/igm.hpp

  double template_error = 0.05;  ///< relative, in all bands: templates and zero points are never right
  sim::Curve error_curve = {};   ///< relative error over rest wavelength, added in squares; empty: none
  double error_scale = 0.5;      ///< of that curve
};

/// flux(z)[band, template], the same fluxes per frequency as photon-counting AB photometry has, each template with
/// f_nu = 1 at 5500 Angstrom or, where it is dark there, at its brightest point.
class TemplateGrid {
 public:
  static constexpr double cell = 0.002;  ///< of ln(wavelength): 600 km/s
  static constexpr double half = 0.5;    ///< of the largest throughput: where a band begins and ends

  /// Cost     redshifts x templates x the points of the filters, some 0.2 s on two cores for 300 x 19 x 7.
  /// Errors   ValueError: no filter, no template, redshifts that do not rise within [0, 25], errors below 0.
  TemplateGrid(std::vector<sim::Curve> const& filters, std::vector<sim::Curve> const& templates,
               GridOptions const& o = {}) {
    require<ValueError>(!filters.empty() && !templates.empty(), "TemplateGrid: ", filters.size(), " filters and ",
                        templates.size(), " templates; one of each at least is needed");
    require<ValueError>(o.least_z >= 0 && o.least_z < o.most_z && o.most_z <= 25 && o.step > 0, "TemplateGrid: z from ",
                        o.least_z, " to ", o.most_z, " in steps of ", o.step,
                        "; rising numbers from 0 to 25 and a positive step are needed");
    require<ValueError>(o.template_error >= 0 && o.error_scale >= 0, "TemplateGrid: template errors are ",
                        o.template_error, " and ", o.error_scale, "; numbers from 0 up are needed");
    set_redshifts(o);
    set_wavelengths(filters);
    for (sim::Curve const& filter : filters) add_filter(filter);
    for (sim::Curve const& spectrum : templates) add_template(spectrum);
    fill(o);
  }

  std::vector<double> const& z() const { return z_; }
  int redshifts() const { return int(z_.size()); }
  int bands() const { return int(bands_.size()); }
  int templates() const { return int(names_.size()); }
  std::string const& template_name(int t) const { return names_[size_t(t)]; }
  std::string const& band_name(int b) const { return bands_[size_t(b)].name; }
  /// Where a band begins and ends, and its middle, Angstrom.
  double blue_edge(int b) const { return bands_[size_t(b)].blue; }
  double red_edge(int b) const { return bands_[size_t(b)].red; }
  double pivot(int b) const { return bands_[size_t(b)].pivot; }

  /// (bands, templates), row-major.
  double const* flux(int k) const { return &flux_[size_t(k) * bands_.size() * names_.size()]; }
  /// The square of the relative error of the templates in each band.
  double const* error2(int k) const { return &error2_[size_t(k) * bands_.size()]; }
  /// dz of each redshift, for integrals over the grid by trapezoids.
  double width(int k) const {
    int last = redshifts() - 1;
    return (z_[size_t(std::min(k + 1, last))] - z_[size_t(std::max(k - 1, 0))]) / 2;
  }

 private:
  struct Band {
    std::string name;
    double blue, red, pivot;
    int begin, end;              // cells
    std::vector<double> weight;  // turns F_lambda of a cell into its share of f_nu
  };

  void set_redshifts(GridOptions const& o) {
    stride_ = std::max(1, int(std::lround(o.step / cell)));
    first_ = int(std::ceil(std::log1p(o.least_z) / cell - 1e-9));
    for (int shift = first_; shift * cell <= std::log1p(o.most_z) + 1e-9; shift += stride_)
      z_.push_back(std::expm1(shift * cell));
    require<ValueError>(z_.size() > 2, "TemplateGrid: ", z_.size(), " redshifts from ", o.least_z, " to ", o.most_z,
                        "; three at least are needed");
  }
  /// From 300 Angstrom, below which hydrogen leaves nothing, to the end of the reddest filter.
  void set_wavelengths(std::vector<sim::Curve> const& filters) {
    double last = 0;
    for (sim::Curve const& filter : filters) last = std::max(last, filter.wavelength.back());
    for (double x = 300; x < last * std::exp(cell); x *= std::exp(cell)) wavelength_.push_back(x);
  }

  void add_filter(sim::Curve const& filter) {
    std::vector<double> throughput = sim::detail::cell_means(filter, wavelength_, cell);
    double most = 0, sum = 0;
    for (double value : throughput) most = std::max(most, value);
    require<ValueError>(most > 0, "TemplateGrid: filter ", filter.name, " lies below 300 Angstrom");
    Band band{filter.name, 0, 0, sim::pivot_wavelength(filter), 0, 0, {}};
    auto above = [&](double share) { return [=](double v) { return v > 0 && v >= share * most; }; };
    auto begin_of = [&](double share) {
      return int(std::find_if(throughput.begin(), throughput.end(), above(share)) - throughput.begin());
    };
    auto end_of = [&](double share) {
      return int(throughput.rend() - std::find_if(throughput.rbegin(), throughput.rend(), above(share)));
    };
    band.begin = begin_of(1e-4), band.end = end_of(1e-4);  // what leaks below that is not worth its time
    band.blue = wavelength_[size_t(begin_of(half))], band.red = wavelength_[size_t(end_of(half) - 1)];
    for (int k = band.begin; k < band.end; ++k) sum += throughput[size_t(k)];
    for (int k = band.begin; k < band.end; ++k)
      band.weight.push_back(throughput[size_t(k)] * wavelength_[size_t(k)] * wavelength_[size_t(k)] / sum);
    bands_.push_back(std::move(band));
  }
  void add_template(sim::Curve const& spectrum) {
    std::vector<double> light = sim::detail::cell_means(spectrum, wavelength_, cell);
    double unit = 0, brightest = 0;
    for (size_t k = 0; k < light.size(); ++k) {
      double f_nu = light[k] * wavelength_[k] * wavelength_[k];
      if (std::abs(wavelength_[k] / 5500 - 1) <= cell) unit = std::max(unit, f_nu);
      brightest = std::max(brightest, f_nu);
    }
    require<ValueError>(brightest > 0, "TemplateGrid: template \"", spectrum.name, "\" has no light from 300 to ",
                        wavelength_.back(), " Angstrom; leave it out");
    for (double& f : light) f = std::max(0.0, f) / (unit > 0 ? unit : brightest);
    light_.push_back(std::move(light));
    names_.push_back(spectrum.name);
  }

  void fill(GridOptions const& o) {
    size_t B = bands_.size(), T = names_.size();
    flux_.assign(z_.size() * B * T, 0.0), error2_.assign(z_.size() * B, 0.0);
    parallel_tasks(redshifts(), [&](int64_t k) {
      double z = z_[size_t(k)];
      int shift = first_ + int(k) * stride_;
      for (size_t b = 0; b < B; ++b) {
        Band const& band = bands_[b];
        double curve =
            o.error_curve.wavelength.empty() ? 0 : o.error_scale * sim::value_at(o.error_curve, band.pivot / (1 + z));
        error2_[size_t(k) * B + b] = o.template_error * o.template_error + curve * curve;
        double* out = &flux_[(size_t(k) * B + b) * T];
        for (int cell_number = std::max(band.begin, shift); cell_number < band.end; ++cell_number) {
          double x = wavelength_[size_t(cell_number)];
          double weight = band.weight[size_t(cell_number - band.begin)];
          if (o.igm && x < sim::lyman_alpha * (1 + z)) weight *= sim::igm_transmission(x, z);
          if (weight == 0) continue;
          for (size_t t = 0; t < T; ++t) out[t] += weight * light_[t][size_t(cell_number - shift)];
        }
      }
    });
  }

  std::vector<double> z_, wavelength_;
  int first_ = 0, stride_ = 1;
  std::vector<Band> bands_;
  std::vector<std::string> names_;
  std::vector<std::vector<double>> light_;
  std::vector<double> flux_, error2_;
};

/// A filter of which only the middle and the width are known: everything within half a width of the pivot wavelength
/// goes through. An approximation: real edges lean, and a red leak is missing.
/// Units    Angstrom.      Errors   ValueError unless 0 < width < 2 pivot.
inline sim::Curve top_hat(std::string name, double pivot, double width) {
  require<ValueError>(pivot > 0 && width > 0 && width < 2 * pivot, "top_hat: ", name, " has its pivot at ", pivot,
                      " and is ", width, " wide; 0 < width < 2 pivot is needed, in Angstrom");
  // int x dx / int dx/x = pivot^2 for edges a, b means (b^2 - a^2) / (2 ln(b/a)) = pivot^2 with b - a = width.
  double middle = pivot;
  for (int i = 0; i < 50; ++i) {
    double a = middle - width / 2, b = middle + width / 2;
    middle += pivot - std::sqrt((b * b - a * a) / (2 * std::log(b / a)));
  }
  double a = middle - width / 2, edge = 1e-4 * width;
  sim::Curve out{std::move(name), {a - edge}, {0}};
  constexpr int points = 200;  // trapezoids between them integrate 1/x to 1e-6
  for (int i = 0; i <= points; ++i) {
    out.wavelength.push_back(a + edge + (width - 2 * edge) * i / points);
    out.value.push_back(1);
  }
  out.wavelength.push_back(a + width + edge), out.value.push_back(0);
  return out;
}

}  // namespace d16::photoz
