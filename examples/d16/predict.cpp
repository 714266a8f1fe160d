// The two networks of the tool: bodies of predict.hpp.
#include "predict.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <d16/nn/predictor.hpp>

#include "uncertainty.hpp"

namespace tool {

using d16::require;
using d16::Shape;
using d16::Tensor;
using d16::text;
using d16::WeightsError;

struct Network::Body {
  std::vector<std::string> paths;
  d16::Device device;
  std::vector<std::unique_ptr<d16::Predictor>> members;
  std::optional<DiskCalibration> calibration = {};
  d16::Predictor& predict() const { return *members[0]; }
};

namespace {

constexpr int batch = 16;

// In training no neighbour lay nearer to the centre than this, in sides of the frame; twice as far nothing is guarded.
constexpr double guarded_radius = 0.12;

/// Cores of galaxies that are sharper or brighter than those of the training set look like stars to a network. Near the
/// centre, where no neighbour can be, it may change a pixel by its noise and a tenth of its light only.
void guard_centre(Tensor const& raw, d16::vision::Stretch const& stretch, Tensor& denoised) {
  int64_t H = raw.dim(0), W = raw.dim(1);
  for (int64_t i = 0; i < H * W; ++i) {
    double y = double(i / W) - double(H - 1) / 2, x = double(i % W) - double(W - 1) / 2;
    double trust = std::clamp(std::hypot(x, y) / (guarded_radius * double(W)) - 1, 0.0, 1.0);
    for (int64_t k = 0; k < 3 && trust < 1; ++k) {
      auto const& band = stretch.bands[size_t(k)];
      float before = raw.data<float>()[3 * i + k], &after = denoised.data<float>()[3 * i + k];
      double limit = 3 * band.sigma + 0.1 * std::abs(double(before) - band.sky);
      double change = double(after) - double(before), allowed = std::clamp(change, -limit, limit);
      after = float(double(before) + trust * change + (1 - trust) * allowed);
    }
  }
}

/// Errors   WeightsError unless the predictor does what the task needs.
void check_task(Task task, std::string const& path, d16::Predictor const& predict) {
  Shape in = predict.input(), out = predict.output();
  bool images_out = out.rank() == 4 && out == in, scores_out = out.rank() == 2 && (out[1] == 2 || out[1] == 3);
  char const* needed =
      task == Task::disk ? "a classifier of two or three classes (d16 train disk)" : "a denoiser (d16 train denoise)";
  require<WeightsError>(task == Task::disk ? scores_out : images_out, path, ": is a ", predict.network().string("type"),
                        ", ", in, " to ", out, "; ", needed, " is needed");
  require<WeightsError>(in[1] == in[2] && (in[3] == 3 || in[3] == 1), path, ": takes images ", in,
                        "; square ones of one or three channels are needed");
}

/// Errors   WeightsError unless both see the same of an image.
void check_alike(std::string const& path, d16::Predictor const& one, std::string const& first_path,
                 d16::Predictor const& first) {
  auto const a = denoise_setup(one.about()).stretch, b = denoise_setup(first.about()).stretch;
  bool same_scale = a.softness == b.softness && a.white_quantile == b.white_quantile && a.least_white == b.least_white;
  require<WeightsError>(one.input() == first.input() && same_scale, path, ": sees other images than ", first_path,
                        "; an ensemble has one size, number of channels and stretch");
}

std::string list_text(Json const& list) {
  std::string out;
  for (Json const& item : list.array()) out += " " + std::to_string(item.integer());
  return out;
}

}  // namespace

Task task_of(std::string const& path) {
  d16::io::TensorFile file = d16::io::read_safetensors(path);
  Json network = d16::detail::metadata_json(file, "network");
  std::string type = network.is_object() && network.has("type") ? network.string("type") : "no description";
  if (type == "unet_vae") return Task::denoise;
  bool classifier = type == "equivariant_classifier" || type == "plain_cnn";
  require<WeightsError>(classifier, path, ": holds ", type, "; weights made by d16 train are needed");
  return Task::disk;
}

Network::Network(Task task, std::string path, std::string const& device)
    : body_(new Body{{path}, d16::Device(device), {}, {}}) {
  body_->members.push_back(
      std::make_unique<d16::Predictor>(path, d16::PredictorOptions{.batch = batch, .device = body_->device}));
  check_task(task, path, body_->predict());
}
Network::Network(std::vector<std::string> const& denoisers, std::string const& device)
    : Network(Task::denoise, denoisers.at(0), device) {
  for (size_t k = 1; k < denoisers.size(); ++k) {
    Network one(Task::denoise, denoisers[k], device);
    check_alike(denoisers[k], one.body_->predict(), path(), body_->predict());
    body_->paths.push_back(denoisers[k]);
    body_->members.push_back(std::move(one.body_->members[0]));
  }
}
Network::~Network() = default;
Network::Network(Network&&) noexcept = default;

std::string const& Network::path() const { return body_->paths[0]; }
std::vector<std::string> const& Network::paths() const { return body_->paths; }
int64_t Network::size() const { return body_->predict().input()[1]; }

std::string Network::summary() const {
  Json const& n = body_->predict().network();
  std::string out = n.string("type");
  if (n.has("group")) out += " " + n.string("group");
  if (n.has("widths")) out += ", widths" + list_text(n.at("widths"));
  return out;
}

Json const& Network::about(size_t member) const { return body_->members.at(member)->about(); }
Tensor Network::operator()(Tensor const& images) { return body_->predict()(images).to(images.device()); }
int64_t Network::channels() const { return body_->predict().input()[3]; }

Network::Prediction Network::predict(Tensor const& images) {
  Prediction out = predict_by(0, images);
  size_t const count = body_->members.size();
  if (count == 1) return out;
  Tensor sum = out.image, squares = square(out.image), variance = out.std.defined() ? square(out.std) : Tensor();
  for (size_t k = 1; k < count; ++k) {
    Prediction one = predict_by(k, images);
    sum = sum + one.image, squares = squares + square(one.image);
    variance = variance.defined() && one.std.defined() ? variance + square(one.std) : Tensor();
  }
  double const share = 1 / double(count);
  out.image = sum * share;
  Tensor const between = relu(squares * share - square(out.image));  // not below 0 by rounding
  out.std = variance.defined() ? sqrt(variance * share + between) : Tensor();
  return out;
}

Network::Prediction Network::predict_by(size_t member, Tensor const& images) {
  auto* net = body_->members[member]->stage().as<d16::nn::UNetVae>();
  d16::Predictor& predict = *body_->members[member];
  if (!net || !net->options().variance) return {predict(images).to(images.device()), {}};
  d16::NoGrad off;
  Prediction all{d16::empty(images.shape()), d16::empty(images.shape())};
  int64_t values = images.numel() / images.dim(0);
  for (int64_t n = 0; n < images.dim(0); n += batch) {
    Tensor some = images.slice(0, n, std::min(images.dim(0), n + batch)).to(body_->device);
    auto [image, std] = net->predict(some);
    for (auto [from, to] : {std::pair(image, all.image), std::pair(std, all.std)}) {
      Tensor here = from.to(images.device()).contiguous();
      std::copy_n(here.data<float>(), here.numel(), to.data<float>() + n * values);
    }
  }
  return all;
}

void Network::prepare_for(Shown shown, std::string const& denoiser) {
  body_->calibration = choose_calibration(calibrations_in(about(), path()), shown, denoiser);
}
std::optional<DiskCalibration> const& Network::calibration() const { return body_->calibration; }
double Network::calibrated(double p, double snr, double prior) const {
  auto const& c = body_->calibration;
  return c ? (*c)(p, snr, prior > 0 ? prior : c->prior()) : nan;
}

double Network::threshold() const {
  Json const& about = body_->predict().about();
  return about.is_object() && about.has("threshold") ? about.number("threshold") : 0.5;
}

std::vector<double> Network::disk(std::vector<Tensor> const& lights) {
  std::vector<Tensor> inputs(lights.size());
  int64_t channels = body_->predict().input()[3];
  d16::parallel_tasks(int64_t(lights.size()),
                      [&](int64_t i) { inputs[size_t(i)] = classifier_input(lights[size_t(i)], channels); });
  size_t const classes = size_t(body_->predict().output()[1]);  // elliptical, then the kinds of disks
  std::vector<float> scores(classes * lights.size());
  Tensor x = stack(inputs);
  body_->predict()(x.host<float>(), scores);
  std::vector<double> out;
  for (size_t i = 0; i < scores.size(); i += classes) out.push_back(1 - double(scores[i]));
  return out;
}

namespace {

/// Light (H,W,C) as a network sees it, the bands of each entry together.
struct Stretched {
  size_t frame;
  int64_t first_band;
  d16::vision::Stretch stretch;
};

/// Bands `first` to `first + count` of images (H,W,C).
Tensor bands_of(Tensor const& images, int64_t first, int64_t count) {
  return images.slice(2, first, first + count).contiguous();
}
void put_bands(Tensor const& bands, int64_t first, Tensor& images) {
  int64_t C = images.dim(2), count = bands.dim(2);
  for (int64_t i = 0; i < bands.numel(); ++i)
    images.data<float>()[i / count * C + first + i % count] = bands.data<float>()[i];
}

/// Standard deviations of light from those of what was stretched, with the scales of u.
Tensor std_of_light(Tensor const& image, Tensor const& std, d16::vision::Stretch const& stretch, Uncertainty const& u) {
  Tensor out = d16::empty(image.shape()), scale = u.maps(image, stretch).scale68;
  int64_t C = image.dim(2);
  for (int64_t i = 0; i < image.numel(); ++i) {
    double slope = stretch.slope(double(image.data<float>()[i]), int(i % C));
    out.data<float>()[i] = float(double(std.data<float>()[i]) * double(scale.data<float>()[i / C]) * slope);
  }
  return out;
}

}  // namespace

std::vector<Network::Denoised> Network::denoise(std::vector<Frame> const& frames) {
  std::vector<Denoised> out(frames.size());
  DenoiseSetup const setup = denoise_setup(about());
  int64_t C = channels();
  std::vector<Tensor> inputs;
  std::vector<Stretched> parts;
  for (size_t i = 0; i < frames.size(); ++i) try {
      std::vector<Stretched> own;
      for (int64_t k = 0; k < 3; k += C)
        own.push_back({i, k, d16::vision::fit_stretch(bands_of(frames[i].light, k, C), setup.stretch)});
      out[i].stretch.softness = setup.stretch.softness;
      for (Stretched& part : own) {
        inputs.push_back(part.stretch.apply(bands_of(frames[i].light, part.first_band, C)));
        for (auto const& band : part.stretch.bands) out[i].stretch.bands.push_back(band);
        parts.push_back(std::move(part));
      }
      out[i].light = d16::empty(frames[i].light.shape());
    } catch (d16::ValueError const& error) {
      out[i].problem = error.what();
    }
  if (inputs.empty()) return out;
  Prediction y = predict(stack(inputs));
  Uncertainty u;
  if (y.std.defined()) u = uncertainty_of(*this);
  for (size_t k = 0; k < parts.size(); ++k) {
    Denoised& one = out[parts[k].frame];
    Tensor image = y.image.select(0, int64_t(k)).contiguous();
    put_bands(parts[k].stretch.invert(image), parts[k].first_band, one.light);
    if (!y.std.defined()) continue;
    if (!one.std.defined()) one.std = d16::empty(one.light.shape());
    put_bands(std_of_light(image, y.std.select(0, int64_t(k)).contiguous(), parts[k].stretch, u), parts[k].first_band,
              one.std);
  }
  for (size_t i = 0; i < frames.size(); ++i)
    if (out[i].light.defined()) guard_centre(frames[i].light, out[i].stretch, out[i].light);
  return out;
}

Tensor stack(std::vector<Tensor> const& images) {
  Tensor all = d16::empty({int64_t(images.size()), images[0].dim(0), images[0].dim(1), images[0].dim(2)});
  for (size_t i = 0; i < images.size(); ++i)
    std::memcpy(all.data<float>() + int64_t(i) * images[i].numel(), images[i].data<float>(),
                size_t(images[i].numel()) * sizeof(float));
  return all;
}

}  // namespace tool
