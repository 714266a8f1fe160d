// What denoisers learn from: bodies of denoise_data.hpp.
#include "denoise_data.hpp"

#include <algorithm>

#include <d16/core/parallel.hpp>

namespace tool {

using d16::require;
using d16::Tensor;
namespace sim = d16::sim;
namespace vision = d16::vision;

namespace {

/// The mean of the bands' light, on the scale of pictures. (N,H,W,1)
Tensor grey_pictures(Tensor const& pictures) {
  Tensor light = light_of(pictures), out = d16::empty({pictures.dim(0), pictures.dim(1), pictures.dim(2), 1});
  double unit = std::asinh(1 / picture_softness);
  d16::parallel_for(out.numel(), [&](int64_t i) {
    float const* p = light.data<float>() + 3 * i;
    double mean = (double(p[0]) + double(p[1]) + double(p[2])) / 3;
    out.data<float>()[i] = float(std::clamp(std::asinh(mean / picture_softness) / unit, 0.0, 1.0));
  });
  return out;
}

/// Segment and S/N of the galaxy in a pair that sim::contaminate made.
void find_galaxy(DenoisePairs& pairs, int64_t n) {
  vision::Extent e = vision::extent_of("find_galaxy", pairs.clean.shape());
  vision::Stretch const& stretch = pairs.stretch[size_t(n)];
  Tensor light = stretch.invert(pairs.clean.select(0, n).contiguous());
  sim::detail::HalfLight galaxy = sim::detail::half_light(light.data<float>(), e.H, e.W, e.C);
  double variance = 0;  // of the mean of the channels
  for (vision::BandScale const& band : stretch.bands) variance += band.sigma * band.sigma / double(e.C * e.C);
  pairs.sigma[size_t(n)] = std::sqrt(variance);
  double noise = std::sqrt(variance * double(galaxy.pixels.size()));
  pairs.snr[size_t(n)] = galaxy.found ? galaxy.light / noise : nan;
  for (int64_t pixel : galaxy.pixels) pairs.segment.data<uint8_t>()[n * e.pixels() + pixel] = 1;
}

/// As the first weights learned.
DenoisePairs spoil_as_they_are(Tensor const& pictures, d16::Random& random, DenoiseSetup const& setup) {
  sim::PictureContaminationOptions o;
  o.softness = picture_softness;
  o.least_noise = 0.003;
  o.stretch = setup.stretch;
  sim::ContaminatedPair pair = sim::contaminate(pictures, random, o);
  DenoisePairs out;
  int64_t N = pictures.dim(0);
  out.noisy = pair.noisy, out.clean = pair.clean, out.stretch = pair.stretches;
  out.snr.resize(size_t(N)), out.sigma.resize(size_t(N));
  out.segment = d16::zeros({N, pictures.dim(1), pictures.dim(2)}, {.dtype = d16::DType::u8});
  d16::parallel_tasks(N, [&](int64_t n) { find_galaxy(out, n); });
  return out;
}

/// The mean of the eight neighbours of a value of channel c, edges continued by reflection.
float mean_of_neighbours(float const* picture, vision::Extent const& e, int64_t i, int64_t j, int64_t c) {
  float sum = 0;
  for (int64_t di = -1; di <= 1; ++di)
    for (int64_t dj = -1; dj <= 1; ++dj)
      if (di || dj) sum += picture[vision::reflect(i + di, e.H) * e.row() + vision::reflect(j + dj, e.W) * e.C + c];
  return sum / 8;
}

}  // namespace

Json json_of(DenoiseSetup const& s) {
  sim::AppearanceRange const& r = s.range;
  Json range = Json::object({{"least_snr", r.least_snr},
                             {"most_snr", r.most_snr},
                             {"least_re_over_fwhm", r.least_re_over_fwhm},
                             {"most_re_over_fwhm", r.most_re_over_fwhm},
                             {"fwhm", r.fwhm},
                             {"least_correlation", r.least_correlation},
                             {"most_correlation", r.most_correlation},
                             {"contaminants", sim::name_of(r.contaminants)}});
  Json stretch = Json::object({{"formula",
                                "y = (asinh((x - sky) / s) + z) / (asinh(white / s) + z), s = softness sigma, "
                                "z = asinh(5 / softness): sky - 5 sigma becomes 0, sky + white 1"},
                               {"softness", s.stretch.softness},
                               {"white_quantile", s.stretch.white_quantile},
                               {"least_white", s.stretch.least_white}});
  return Json::object({{"channels", s.channels}, {"range", std::move(range)}, {"stretch", std::move(stretch)}});
}

DenoiseSetup denoise_setup(Json const& about) {
  DenoiseSetup s;
  if (!about.is_object() || !about.has("setup")) return s;
  Json const &from = about.at("setup"), &range = from.at("range"), &stretch = from.at("stretch");
  s.channels = from.integer("channels");
  sim::AppearanceRange& r = s.range;
  r.least_snr = range.number("least_snr"), r.most_snr = range.number("most_snr");
  r.least_re_over_fwhm = range.number("least_re_over_fwhm"), r.most_re_over_fwhm = range.number("most_re_over_fwhm");
  r.fwhm = range.number("fwhm");
  r.least_correlation = range.number("least_correlation"), r.most_correlation = range.number("most_correlation");
  r.contaminants = sim::scheme_named(range.string("contaminants"));
  s.stretch.softness = stretch.number("softness");
  s.stretch.white_quantile = stretch.number("white_quantile");
  s.stretch.least_white = stretch.number("least_white");
  bool fits = (s.channels == 1 || s.channels == 3) && s.stretch.softness > 0 && s.stretch.least_white > 0 &&
              s.stretch.white_quantile > 0 && s.stretch.white_quantile <= 1;
  require<d16::WeightsError>(fits, "denoiser: its setup is ", from.dump(), ", which is out of range; train it again");
  return s;
}

DenoisePairs spoil(Tensor const& pictures, d16::Random& random, DenoiseSetup const& setup, bool twice) {
  if (setup.range.most_snr == 0) return spoil_as_they_are(pictures, random, setup);
  std::vector<sim::Appearance> each;
  for (int64_t n = 0; n < pictures.dim(0); ++n) each.push_back(sim::draw_appearance(random, setup.range));
  sim::AppearanceOptions o{.softness = picture_softness, .stretch = setup.stretch, .twice = twice};
  return sim::degrade_appearances(setup.channels == 1 ? grey_pictures(pictures) : pictures, each, random, o);
}

DenoiseExample hide_pixels(Tensor const& noisy, d16::Random& random) {
  constexpr int64_t step = 4;
  vision::Extent e = vision::extent_of("hide_pixels", noisy.shape());
  Tensor target = noisy.contiguous(), seen = target.clone(), weight = d16::zeros(noisy.shape());
  for (int64_t n = 0; n < e.N; ++n) {
    float const* picture = target.data<float>() + n * e.picture();
    int64_t top = random.integer(step), left = random.integer(step);
    for (int64_t i = top; i < e.H; i += step)
      for (int64_t j = left; j < e.W; j += step)
        for (int64_t c = 0; c < e.C; ++c) {
          int64_t at = n * e.picture() + i * e.row() + j * e.C + c;
          seen.data<float>()[at] = mean_of_neighbours(picture, e, i, j, c);
          weight.data<float>()[at] = 1;
        }
  }
  return {seen, d16::concat({target, weight}, d16::axis::C)};
}

DenoiseExample other_noise(DenoisePairs const& pairs) { return {pairs.noisy, pairs.second}; }

DenoiseExample with_weight(DenoisePairs const& pairs, Tensor const& weight) {
  Tensor wide = weight.expand(pairs.clean.shape()).contiguous();
  return {pairs.noisy, d16::concat({pairs.clean, wide}, d16::axis::C)};
}

Tensor unsaturated(Tensor const& pictures, std::vector<double> const& shrink) {
  constexpr float white = 254.5f / 255;  // of bytes
  constexpr float rounding = 1e-5f;      // of the shares below
  vision::Extent e = vision::extent_of("unsaturated", pictures.shape());
  Tensor in = pictures.contiguous(), out = d16::empty({e.N, e.H, e.W, 1});
  d16::parallel_tasks(e.N, [&](int64_t n) {
    Tensor saturated = d16::empty({e.H, e.W, 1});
    for (int64_t i = 0; i < e.pixels(); ++i) {
      float const* p = in.data<float>() + n * e.picture() + 3 * i;
      saturated.data<float>()[i] = std::max({p[0], p[1], p[2]}) >= white;
    }
    auto map = [&](int64_t size) {  // as the picture was shrunk
      double middle = double(size) / 2, reach = middle * (shrink.empty() ? 1 : shrink[size_t(n)]);
      return sim::detail::dark_window(size, middle - reach, middle + reach, size);
    };
    Tensor share = vision::apply("unsaturated", map(e.H), map(e.W), saturated);
    for (int64_t i = 0; i < e.pixels(); ++i) out.data<float>()[n * e.pixels() + i] = share.data<float>()[i] < rounding;
  });
  return out;
}

Tensor denoise_loss(d16::nn::UNetVae& net, DenoiseExample const& batch, double beta, d16::nn::ImageLoss image) {
  int64_t channels = net.options().channels;
  bool weighted = batch.label.dim(d16::axis::C) > channels;
  Tensor target = weighted ? batch.label.slice(d16::axis::C, 0, channels).contiguous() : batch.label, weight;
  if (weighted) weight = batch.label.slice(d16::axis::C, channels, 2 * channels).contiguous();
  return d16::nn::vae_loss(net.encode_decode(batch.image), target, {.beta = beta, .image = image, .weight = weight});
}

}  // namespace tool
