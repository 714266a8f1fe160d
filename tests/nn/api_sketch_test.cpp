// The programs of the design's sketch as a user writes them: train, save, embed, an op and modules of one's own.
#include <doctest/doctest.h>

#include <d16/autograd/gradcheck.hpp>
#include <d16/data/loader.hpp>
#include <d16/learn/evaluate.hpp>
#include <d16/nn/predictor.hpp>
#include <d16/ops/losses.hpp>
#include <d16/optim/adam.hpp>

#include "io/bad_input.hpp"
#include "nn/toy_galaxies.hpp"

using namespace d16;

TEST_CASE("train, save, embed") {
  bad_input::TemporaryFolder folder;
  manual_seed(1);
  toy::Batch toys = toy::galaxies(64, 16, 9);
  data::Dataset all;
  all.images = toys.images, all.labels = toys.labels;
  all.ids.assign(64, "toy"), all.classes = {"elliptical", "spiral"};
  auto [train, test] = all.split(0.25);

  constexpr Group g = dihedral(4);
  nn::Sequential net{// stage: any callable Tensor -> Tensor
                     nn::LiftConv2d(g, 1, 4, {.kernel = 5}),
                     nn::InnerBatchNorm(4),
                     relu,
                     nn::BlurPool(),
                     nn::GroupConv2d(g, 4, 6),
                     nn::InnerBatchNorm(6),
                     relu,
                     nn::BlurPool(),
                     group_max_pool,
                     global_avg_pool,
                     nn::Linear(6, 2)};
  optim::AdamW opt(net.parameters(), {.lr = 1e-2});
  for (int epoch = 0; epoch < 25; ++epoch)
    for (auto& [image, label] : data::Loader(train, {.batch = 16})) {
      cross_entropy(net(image), label).backward();
      opt.step();  // applies the gradients, then clears them
    }
  CHECK(learn::accuracy(net, test) > 0.95);
  save(net, folder / "disk.safetensors");

  Predictor predict(folder / "disk.safetensors", {.batch = 1, .threads = 1});
  set_threads(0);
  float image[16 * 16 * 1]{}, score[2];  // N,H,W,C
  predict(image, score);
  CHECK(std::abs(score[0] + score[1] - 1) < 1e-6);
}

namespace {

Tensor sketch_stretch(Tensor x, double a) {
  Tensor y = empty_like(x);
  for_float(x.dtype(), [&]<class T>(T) {
    auto in = x.host<T>(), out = y.host<T>();
    parallel_for(x.numel(), [=](int64_t i) { out[size_t(i)] = T(std::asinh(in[size_t(i)] / a) / std::asinh(1 / a)); });
  });
  return record("sketch_stretch", y,
                wrt(x, [=](Tensor dy) { return dy / (a * std::asinh(1 / a) * sqrt(1 + square(x / a))); }));
}

struct Residual : nn::Module {
  nn::GroupConv2d conv1, conv2;
  nn::InnerBatchNorm norm1, norm2;
  Residual(Group g, int c) : conv1(g, c, c), conv2(g, c, c), norm1(c), norm2(c) {}
  Tensor operator()(Tensor x) { return relu(x + norm2(conv2(relu(norm1(conv1(x)))))); }
  D16_MEMBERS(conv1, conv2, norm1, norm2)
};
struct SqueezeExcite : nn::Module {
  nn::Linear fc1, fc2;
  SqueezeExcite(int c, int r) : fc1(c, c / r), fc2(c / r, c) {}
  Tensor operator()(Tensor x) { return x * sigmoid(fc2(relu(fc1(mean(x, {axis::H, axis::W}))))); }
  D16_MEMBERS(fc1, fc2)
};
struct Up : nn::Module {
  nn::ConvTranspose2d up;
  nn::Conv2d conv;
  Up(int in, int out) : up(in, out), conv(2 * out, out) {}
  Tensor operator()(Tensor x, Tensor skip) { return relu(conv(concat({up(x), skip}, axis::C))); }
  D16_MEMBERS(up, conv)
};

}  // namespace

TEST_CASE("an op of one's own passes the gradient check") {
  CHECK(gradcheck(sketch_stretch, normal({4, 5}), 3.0) < 1e-6);
}

TEST_CASE("modules of one's own run and learn") {
  Residual residual(D16, 2);
  CHECK(residual.named_parameters()[0].name == "conv1.weight");
  Tensor features = normal({2, 5, 5, 2, 16}, {.group = D16});
  Tensor y = residual(features);
  CHECK(y.shape() == features.shape());
  CHECK(y.group() == D16);
  SqueezeExcite squeeze(6, 2);
  CHECK(squeeze(uniform({2, 5, 5, 6})).shape() == Shape{2, 5, 5, 6});
  Up up(4, 2);
  CHECK(up(uniform({1, 3, 3, 4}), uniform({1, 6, 6, 2})).shape() == Shape{1, 6, 6, 2});

  optim::AdamW opt(residual.parameters());
  double first = 0, last = 0;
  for (int i = 0; i < 10; ++i) {
    Tensor loss = mean(square(residual(features)));
    (i == 0 ? first : last) = loss.item();
    loss.backward();
    opt.step();
  }
  CHECK(last < first);
}
