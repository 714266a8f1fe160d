// What denoisers learn from: bodies of denoise_data.hpp.
#include "denoise_data.hpp"

#include <algorithm>

#include <d16/core/parallel.hpp>
#include <d16/sim/contamination.hpp>

namespace tool {

using d16::require;
using d16::Tensor;
namespace vision = d16::vision;

namespace {

/// The mean of the bands' light as a picture with three equal bands.
Tensor grey_picture(Tensor const& picture) {
  Tensor light = light_of(picture), out = d16::empty(picture.shape());
  double unit = std::asinh(1 / picture_softness);
  for (int64_t i = 0; i < light.numel(); i += 3) {
    float const* p = light.data<float>() + i;
    double mean = (double(p[0]) + double(p[1]) + double(p[2])) / 3;
    std::fill_n(out.data<float>() + i, 3, float(std::asinh(mean / picture_softness) / unit));
  }
  return out;
}

/// One band of a pair on a scale of its own: the middle one, in which stars have their mean colour.
void take_middle_band(d16::sim::ContaminatedPair const& pair, int64_t n, DenoiseSetup const& setup, DenoisePairs& out) {
  vision::Stretch const& of_three = pair.stretches[size_t(n)];
  auto band = [&](Tensor const& images) {
    return of_three.invert(images.select(0, n).contiguous()).slice(2, 1, 2).contiguous();
  };
  Tensor noisy = band(pair.noisy), clean = band(pair.clean);
  vision::Stretch stretch = vision::fit_stretch(noisy, setup.stretch);
  Tensor stretched[] = {stretch.apply(noisy), stretch.apply(clean)};
  int64_t values = noisy.numel();
  std::copy_n(stretched[0].data<float>(), values, out.noisy.data<float>() + n * values);
  std::copy_n(stretched[1].data<float>(), values, out.clean.data<float>() + n * values);
  out.stretches[size_t(n)] = stretch;
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
  return Json::object({{"channels", s.channels},
                       {"least_noise", s.least_noise},
                       {"most_noise", s.most_noise},
                       {"stretch", Json::object({{"formula",
                                                  "y = (asinh((x - sky) / s) + z) / (asinh(white / s) + z), "
                                                  "s = softness sigma, z = asinh(5 / softness)"},
                                                 {"softness", s.stretch.softness},
                                                 {"white_quantile", s.stretch.white_quantile},
                                                 {"least_white", s.stretch.least_white}})}});
}

DenoiseSetup denoise_setup(Json const& about) {
  DenoiseSetup s;
  if (!about.is_object() || !about.has("setup")) return s;
  Json const &from = about.at("setup"), &stretch = from.at("stretch");
  s.channels = from.integer("channels");
  s.least_noise = from.number("least_noise"), s.most_noise = from.number("most_noise");
  s.stretch.softness = stretch.number("softness");
  s.stretch.white_quantile = stretch.number("white_quantile");
  s.stretch.least_white = stretch.number("least_white");
  bool fits = (s.channels == 1 || s.channels == 3) && s.least_noise > 0 && s.most_noise >= s.least_noise &&
              s.stretch.softness > 0 && s.stretch.least_white > 0 && s.stretch.white_quantile > 0 &&
              s.stretch.white_quantile <= 1;
  require<d16::WeightsError>(fits, "denoiser: its setup is ", from.dump(), ", which is out of range; train it again");
  return s;
}

DenoisePairs spoil(Tensor const& pictures, d16::Random& random, DenoiseSetup const& setup) {
  d16::sim::PictureContaminationOptions o;
  o.softness = picture_softness;
  o.least_noise = setup.least_noise, o.most_noise = setup.most_noise;
  o.stretch = setup.stretch;
  if (setup.channels == 3) {
    d16::sim::ContaminatedPair pair = d16::sim::contaminate(pictures, random, o);
    return {pair.noisy, pair.clean, pair.stretches};
  }
  int64_t N = pictures.dim(0), H = pictures.dim(1), W = pictures.dim(2);
  Tensor grey = d16::empty(pictures.shape());
  d16::parallel_tasks(N, [&](int64_t n) {
    Tensor one = grey_picture(pictures.select(0, n));
    std::copy_n(one.data<float>(), one.numel(), grey.data<float>() + n * one.numel());
  });
  d16::sim::ContaminatedPair pair = d16::sim::contaminate(grey, random, o);
  DenoisePairs out{d16::empty({N, H, W, 1}), d16::empty({N, H, W, 1}), std::vector<vision::Stretch>(size_t(N))};
  d16::parallel_tasks(N, [&](int64_t n) { take_middle_band(pair, n, setup, out); });
  return out;
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

DenoiseExample with_weight(DenoisePairs const& pairs, Tensor const& weight) {
  Tensor wide = weight.expand(pairs.clean.shape()).contiguous();
  return {pairs.noisy, d16::concat({pairs.clean, wide}, d16::axis::C)};
}

Tensor unsaturated(Tensor const& pictures) {
  constexpr float white = 254.5f / 255;  // of bytes
  Tensor in = pictures.contiguous(), out = d16::empty({in.dim(0), in.dim(1), in.dim(2), 1});
  for (int64_t i = 0; i < out.numel(); ++i) {
    float const* p = in.data<float>() + 3 * i;
    out.data<float>()[i] = std::max({p[0], p[1], p[2]}) < white;
  }
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
