// The variance head of UNetVae, and the losses that teach it: by their formulas, their gradients, and what they may touch.
#include <doctest/doctest.h>
#include <d16/nn/build.hpp>
#include <d16/optim/adam.hpp>

#include <cmath>

using namespace d16;

namespace {
nn::UNetVae small_net() {
  return nn::UNetVae({.size = 8, .channels = 2, .widths = {3, 4}, .latent = 2, .variance = true});
}
double at(Tensor const& x, int64_t i) { return double(x.data<float>()[i]); }
}  // namespace

TEST_CASE("a network with variance gives a standard deviation of each value, one without gives none") {
  manual_seed(1);
  nn::UNetVae net = small_net();
  net.eval();
  Tensor x = uniform({3, 8, 8, 2});
  NoGrad off;
  nn::UNetVae::Prediction p = net.predict(x);
  CHECK(p.image.shape() == x.shape());
  REQUIRE(p.std.shape() == x.shape());
  for (float v : p.std.host<float>()) REQUIRE(v > 0);
  nn::UNetVae plain({.size = 8, .channels = 2, .widths = {3, 4}, .latent = 2});
  CHECK_FALSE(plain.predict(x).std.defined());
  CHECK(nn::build(net.describe()).describe() == net.describe());
  CHECK(net.weight_count() > plain.weight_count());
}

TEST_CASE("the losses are their formulas") {
  // one image of two values: logits 0 and ln 3 (image 1/2, 3/4), log variances 0 and -1; no code
  Tensor logits = from(std::vector<float>{0, std::log(3.0f)}, {1, 1, 1, 2});
  Tensor spread = from(std::vector<float>{0, -1}, {1, 1, 1, 2});
  Tensor target = from(std::vector<float>{0.25f, 1}, {1, 1, 1, 2}), zero = zeros({1, 1, 1, 1});
  nn::UNetVae::Output out{logits, zero, zero, spread};
  double bce[] = {std::log(2.0), -std::log(0.75)};
  double likelihood[] = {0.5 * 0.0625, 0.5 * (-1 + 0.0625 * std::exp(1.0))};
  double const bound = 8 * 1.2e-7;  // a handful of float operations on numbers near 1
  CHECK(std::abs(nn::vae_loss(out, target).item() - (bce[0] + bce[1] + likelihood[0] + likelihood[1]) / 2) < bound);
  nn::VaeLossOptions gaussian{.image = nn::ImageLoss::gaussian};
  CHECK(std::abs(nn::vae_loss(out, target, gaussian).item() - (likelihood[0] + likelihood[1]) / 2) < bound);
  Tensor weight = from(std::vector<float>{1, 3}, {1, 1, 1, 2});
  nn::VaeLossOptions weighted{.weight = weight};
  double expected = (bce[0] + likelihood[0] + 3 * (bce[1] + likelihood[1])) / 4;
  CHECK(std::abs(nn::vae_loss(out, target, weighted).item() - expected) < bound);
  out.spread = {};
  CHECK_THROWS_AS(nn::vae_loss(out, target, gaussian), ValueError);
  CHECK_THROWS_AS(nn::vae_loss(out, target, {.weight = zeros({2})}), ShapeError);
}

TEST_CASE("values with weight 0 teach nothing") {
  manual_seed(2);
  Tensor target = uniform({2, 8, 8, 2}), other = target.clone(), weight = full({2, 8, 8, 2}, 1);
  for (int64_t i = 0; i < 20; ++i) weight.data<float>()[7 * i] = 0, other.data<float>()[7 * i] = 1;
  nn::UNetVae net = small_net();
  net.eval();  // the code is its mean
  Tensor x = uniform({2, 8, 8, 2});
  std::vector<Tensor> gradients;
  for (Tensor const& t : {target, other}) {
    for (Tensor& p : net.parameters()) p.zero_grad();
    nn::vae_loss(net.encode_decode(x), t, {.weight = weight}).backward();
    for (Tensor& p : net.parameters()) gradients.push_back(p.grad().clone().contiguous());
  }
  size_t half = gradients.size() / 2;
  for (size_t k = 0; k < half; ++k)
    for (int64_t i = 0; i < gradients[k].numel(); ++i) REQUIRE(at(gradients[k], i) == at(gradients[half + k], i));
}

TEST_CASE("the variance learns from the image's errors, and the image learns nothing from the variance") {
  manual_seed(3);
  nn::UNetVae net = small_net();
  net.eval();
  Tensor x = uniform({2, 8, 8, 2}), target = uniform({2, 8, 8, 2});
  nn::UNetVae::Output out = net.encode_decode(x);
  // the likelihood alone: its weight on the cross-entropy's gradient must be nothing
  Tensor loss = nn::vae_loss(out, target, {.beta = 0}) - bce_with_logits(out.logits, target);
  loss.backward();
  double head = 0, rest = 0;
  for (nn::Named const& p : net.named_parameters()) {
    if (!p.tensor.grad().defined()) continue;
    Tensor g = p.tensor.grad().contiguous();
    for (float v : g.host<float>()) {
      double& largest = p.name.starts_with("spread") ? head : rest;
      largest = std::max(largest, std::abs(double(v)));
    }
  }
  CHECK(head > 1e-3);
  CHECK(rest < 1e-6);  // the two cross-entropies cancel up to rounding
}

TEST_CASE("trained on errors of a known size, the predicted standard deviation is that size") {
  manual_seed(4);
  nn::UNetVae net({.size = 8, .channels = 1, .widths = {4, 6}, .latent = 2, .variance = true});
  optim::Adam adam(net.parameters(), {.lr = 1e-2});
  Tensor x = full({8, 8, 8, 1}, 0.5);
  auto noisy_target = [&] { return 0.5 + 0.1 * normal(x.shape()); };
  for (int step = 0; step < 150; ++step) {
    for (Tensor& p : net.parameters()) p.zero_grad();
    nn::vae_loss(net.encode_decode(x), noisy_target(), {.beta = 1e-3}).backward();
    adam.step();
  }
  net.eval();
  NoGrad off;
  nn::UNetVae::Prediction p = net.predict(x);
  double sum = 0;
  for (float v : p.std.host<float>()) sum += double(v) / double(p.std.numel());
  // 0.1 and what the image is wrong by; a step of the optimiser changes the log variance by about 0.02
  CHECK(sum > 0.09);
  CHECK(sum < 0.12);
}

TEST_CASE("the level of the background is that of the sky, whatever shines on it") {
  Tensor x = full({2, 20, 20, 2}, 0.25);
  for (int64_t i = 0; i < 80; ++i) x.data<float>()[2 * i] = 0.9f;  // a fifth of channel 0 of picture 0
  Tensor level = nn::background_level(x);
  CHECK(level.shape() == Shape{2, 1, 1, 2});
  // sums of 400 terms in double, then a handful of roundings to float
  for (float v : level.host<float>()) CHECK(std::abs(double(v) - 0.25) < 8 * 1.2e-7);
  CHECK(nn::background_level(zeros({1, 8, 8, 1})).item() == doctest::Approx(1e-3));
  // noise of a fifth of the level, as fit_stretch makes it: five times the error of a mean of 10,000 pixels
  manual_seed(5);
  Tensor noisy = clamp(0.3 + normal({1, 100, 100, 1}) * 0.06, 0, 1);
  CHECK(std::abs(nn::background_level(noisy).item() - 0.3) < 5 * 0.06 / 100);
}

TEST_CASE("a blend can be each of its views, and its background flat") {
  manual_seed(6);
  Tensor x = clamp(0.3 + normal({2, 16, 16, 1}) * 0.06, 0, 1);
  for (int64_t i = 100; i < 110; ++i) x.data<float>()[i] = 0.95f;
  nn::BlendViews views(x);
  REQUIRE(views.features().shape() == Shape{2, 16, 16, 4});
  auto image = [&](int chosen) {  // its weight is 1 - 4 e^-50, what is drawn 0
    Tensor head = zeros({2, 16, 16, 6});
    for (int64_t i = 0; i < 2 * 256; ++i) head.data<float>()[6 * i + 1 + chosen] = 50;
    return sigmoid(views.blended(head));
  };
  // log odds up to 9 of float precision, a quarter of that in the image
  double const bound = 4 * 9 * 1.2e-7;
  Tensor same = image(0), mean = image(2), flat = image(4);
  for (int64_t i = 0; i < x.numel(); ++i) {
    if (at(x, i) > 1e-4) REQUIRE(std::abs(at(same, i) - at(x, i)) < bound);
    REQUIRE(std::abs(at(flat, i) - at(views.level, i / 256)) < bound);
  }
  double sum_x = 0, sum_mean = 0, squares_x = 0, squares_mean = 0;
  for (int64_t i = 256; i < 512; ++i) {  // the second picture is sky: its mean over 2 pixels has little noise
    sum_x += at(x, i), sum_mean += at(mean, i);
    squares_x += at(x, i) * at(x, i), squares_mean += at(mean, i) * at(mean, i);
  }
  CHECK(std::abs(sum_x - sum_mean) / 256 < 0.01);
  auto variance = [](double sum, double squares) { return squares / 256 - sum * sum / 256 / 256; };
  // a Gaussian of 2 pixels takes the mean of some 4 pi 2^2 = 50 pixels
  CHECK(variance(sum_mean, squares_mean) < variance(sum_x, squares_x) / 20);
}

TEST_CASE("a blending network with interpolation has a description, learns, and computes in bfloat16") {
  manual_seed(7);
  nn::UNetVae net(
      {.size = 16, .channels = 1, .widths = {3, 4, 5}, .latent = 2, .variance = true, .bilinear = true, .blend = true});
  CHECK(nn::build(net.describe()).describe() == net.describe());
  Tensor clean = full({4, 16, 16, 1}, 0.3);
  for (int64_t i = 0; i < 4; ++i) clean.data<float>()[i * 256 + 136] = 0.8f;
  optim::Adam adam(net.parameters(), {.lr = 1e-2});
  auto noisy = [&] { return clamp(clean + normal(clean.shape()) * 0.06, 0, 1); };
  for (int step = 0; step < 80; ++step) {
    nn::vae_loss(net.encode_decode(noisy()), clean, 1e-3).backward();
    adam.step();
  }
  net.eval();
  NoGrad off;
  Tensor x = noisy();
  nn::UNetVae::Prediction p = net.predict(x);
  CHECK(mean(square(p.image - clean)).item() < 0.2 * mean(square(x - clean)).item());
  // half as bright, level and noise: the network sees the same, to the rounding of a few dozen sums, and says half
  Tensor half = net.predict(x * 0.5).std;
  for (int64_t i = 0; i < x.numel(); ++i) REQUIRE(at(half, i) == doctest::Approx(0.5 * at(p.std, i)).epsilon(1e-3));
  net.to("reference");
  net.compute_in(kernels::Precision::bfloat16);
  Tensor rounded = net(x.to("reference")).to("cpu");
  // features of 8 bits: a few hundredths of the log odds
  for (int64_t i = 0; i < x.numel(); ++i) REQUIRE(std::abs(at(rounded, i) - at(p.image, i)) < 0.05);
}
