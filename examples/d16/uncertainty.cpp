// Predicted standard deviations made right: bodies of uncertainty.hpp.
#include "uncertainty.hpp"

#include <algorithm>
#include <cmath>

namespace tool {

using d16::Tensor;
using d16::text;
namespace vision = d16::vision;

namespace {

/// Errors over predicted standard deviations in one range of S/N, inside or outside of the segment.
struct Ratios {
  std::vector<std::pair<float, float>> list;  ///< ratio, weight
  double weight = 0;
  void add(std::vector<float> const& picture) {  // each picture weighs the same, be its segment small or large
    for (float ratio : picture) list.emplace_back(ratio, 1 / float(picture.size()));
    weight += !picture.empty();
  }
  /// That so much of the weight stays below, in an ordered list.
  double quantile(double share) const {
    double below = 0;
    for (auto const& [ratio, own] : list)
      if ((below += double(own)) >= share * weight) return double(ratio);
    return double(list.back().first);
  }
};

constexpr double normal68 = 0.6826894921370859;  // of a normal distribution within one sigma

}  // namespace

SeenGalaxy look_at(Tensor const& image, vision::Stretch const& stretch) {
  int64_t H = image.dim(0), W = image.dim(1), C = image.dim(2);
  Tensor light = stretch.invert(image);
  auto galaxy = d16::sim::detail::half_light(light.data<float>(), H, W, C);
  double variance = 0;  // of the mean of the bands
  for (vision::BandScale const& band : stretch.bands) variance += band.sigma * band.sigma / double(C * C);
  double snr = galaxy.light / std::sqrt(variance * double(galaxy.pixels.size()));
  SeenGalaxy out{snr_bin(galaxy.found ? snr : 0), std::vector<uint8_t>(size_t(H * W))};
  for (int64_t pixel : galaxy.pixels) out.inside[size_t(pixel)] = 1;
  return out;
}

int snr_bin(double snr) {
  int bin = 0;
  while (bin + 1 < snr_bins && snr >= snr_edges[bin + 1]) ++bin;
  return bin;
}
std::string snr_bin_name(int bin) {
  if (bin == 0) return text("S/N below ", snr_edges[1]);
  if (bin + 1 == snr_bins) return text("S/N ", snr_edges[bin], " and more");
  return text("S/N ", snr_edges[bin], " to ", snr_edges[bin + 1]);
}

Uncertainty::Maps Uncertainty::maps(Tensor const& image, vision::Stretch const& stretch) const {
  auto map = [&] { return d16::empty({image.dim(0), image.dim(1)}); };
  Maps out{look_at(image, stretch), map(), map()};
  for (int64_t i = 0; i < out.scale68.numel(); ++i) {
    Scales const& s = by_snr[size_t(out.seen.bin)][size_t(out.seen.inside[size_t(i)])];
    out.scale68.data<float>()[i] = float(s.scale68), out.scale95.data<float>()[i] = float(s.scale95);
  }
  return out;
}

Json json_of(Uncertainty const& u) {
  Json list = Json::array({});
  for (int bin = 0; bin < snr_bins; ++bin)
    for (int inside : {0, 1}) {
      Uncertainty::Scales const& s = u.by_snr[size_t(bin)][size_t(inside)];
      list.push_back(Json::object({{"seen", snr_bin_name(bin)},
                                   {"where", inside ? "segment" : "outside"},
                                   {"scale68", s.scale68},
                                   {"scale95", s.scale95}}));
    }
  return list;
}

Uncertainty uncertainty_from(Json const& json) {
  Uncertainty out;
  auto const& list = json.array();
  d16::require<d16::WeightsError>(list.size() == size_t(2 * snr_bins), "denoiser: its uncertainty has ", list.size(),
                                  " entries, ", 2 * snr_bins, " are needed; train it again");
  for (size_t k = 0; k < list.size(); ++k)
    out.by_snr[k / 2][k % 2] = {list[k].number("scale68"), list[k].number("scale95")};
  return out;
}

Uncertainty uncertainty_of(Network const& network) {
  size_t const count = network.paths().size();
  Uncertainty mean;
  for (size_t k = 0; k < count; ++k) {
    Json const& about = network.about(k);
    d16::require<d16::WeightsError>(about.is_object() && about.has("uncertainty"), network.paths()[k],
                                    ": does not say how its uncertainty is scaled; train it again");
    Uncertainty one = uncertainty_from(about.at("uncertainty"));
    for (size_t bin = 0; bin < snr_bins; ++bin)
      for (size_t inside : {0, 1}) {
        Uncertainty::Scales &sum = mean.by_snr[bin][inside], &term = one.by_snr[bin][inside];
        if (k == 0) sum = {0, 0};
        sum.scale68 += term.scale68 / double(count), sum.scale95 += term.scale95 / double(count);
      }
  }
  return mean;
}

Uncertainty fit_uncertainty(Tensor const& image, Tensor const& std, DenoisePairs const& validation) {
  Ratios ratios[snr_bins][2];
  int64_t N = image.dim(0), values = image.numel() / N, C = image.dim(3);
  for (int64_t n = 0; n < N; ++n) {
    SeenGalaxy seen = look_at(image.select(0, n).contiguous(), validation.stretch[size_t(n)]);
    std::vector<float> own[2];
    for (int64_t i = 0; i < values; ++i) {
      float error = std::abs(image.data<float>()[n * values + i] - validation.clean.data<float>()[n * values + i]);
      own[seen.inside[size_t(i / C)]].push_back(error / std.data<float>()[n * values + i]);
    }
    for (int inside : {0, 1}) ratios[seen.bin][inside].add(own[inside]);
  }
  Uncertainty out;
  for (int inside : {0, 1})
    for (int bin = snr_bins - 1; bin >= 0; --bin) {
      Ratios& group = ratios[bin][inside];
      Uncertainty::Scales& scales = out.by_snr[size_t(bin)][size_t(inside)];
      std::sort(group.list.begin(), group.list.end());
      if (group.list.size() >= 1000) scales = {group.quantile(normal68), group.quantile(0.95)};
      else if (bin + 1 < snr_bins) scales = out.by_snr[size_t(bin + 1)][size_t(inside)];
    }
  return out;
}

}  // namespace tool
