// Predictor: the same numbers as the network, no memory from the system after the first call, errors for wrong sizes.
#include <doctest/doctest.h>

#include <d16/nn/predictor.hpp>

#include "io/bad_input.hpp"

using namespace d16;
using bad_input::TemporaryFolder;

TEST_CASE("a saved sequential becomes a predictor that gives its probabilities") {
  TemporaryFolder folder;
  manual_seed(1);
  nn::Sequential net{nn::LiftConv2d(dihedral(4), 3, 4),
                     nn::InnerBatchNorm(4),
                     relu,
                     nn::BlurPool(),
                     group_max_pool,
                     global_avg_pool,
                     nn::Linear(4, 2)};
  Tensor x = uniform({5, 12, 10, 3});
  net(x);
  save(net, folder / "disk.safetensors");
  net.eval();
  NoGrad off;
  Tensor expected = softmax(net(x), 1);
  for (int batch : {1, 2, 8}) {
    CAPTURE(batch);
    Predictor predict(folder / "disk.safetensors", {.batch = batch});
    CHECK(predict.input() == Shape{batch, 12, 10, 3});
    CHECK(predict.output() == Shape{batch, 2});
    std::vector<float> scores(10);
    predict(x.host<float>(), scores);
    // float32 probabilities of at most 1; the split in batches may change how sums are blocked
    for (size_t i = 0; i < 10; ++i) CHECK(std::abs(scores[i] - expected.data<float>()[i]) < 100 * 6e-8);
  }
}

TEST_CASE("the predictor takes plain arrays and asks the system for memory in its first call only") {
  TemporaryFolder folder;
  manual_seed(2);
  nn::EquivariantClassifier net(
      {.input = {.size = 16, .channels = 1}, .group = dihedral(4), .widths = {3, 4}, .kernels = {3}});
  save(net, folder / "disk.safetensors");
  Predictor predict(folder / "disk.safetensors", {.batch = 1, .threads = 1});
  set_threads(0);
  float image[16 * 16 * 1]{}, score[2];
  predict(image, score);
  size_t asked = host_arena().use().requests, used = host_arena().use().used;
  for (int i = 0; i < 10; ++i) {
    image[17 * i] = 1;
    predict(image, score);
  }
  CHECK(host_arena().use().requests == asked);
  CHECK(host_arena().use().used == used);
  CHECK(std::abs(score[0] + score[1] - 1) < 1e-6);
}

TEST_CASE("a denoiser gives images") {
  TemporaryFolder folder;
  nn::UNetVae net({.size = 8, .channels = 2, .widths = {3, 4}, .latent = 2});
  save(net, folder / "denoiser.safetensors");
  Predictor predict(folder / "denoiser.safetensors", {.batch = 3});
  CHECK(predict.output() == Shape{3, 8, 8, 2});
  std::vector<float> images(4 * 128, 0.5f), clean(4 * 128);
  predict(images, clean);
  CHECK(std::equal(clean.begin(), clean.begin() + 128, clean.begin() + 384));
  CHECK((clean[0] > 0 && clean[0] < 1));
}

TEST_CASE("wrong sizes and unknown sizes are errors") {
  TemporaryFolder folder;
  std::string path = folder / "net.safetensors";
  nn::Sequential net{nn::Conv2d(1, 2), global_avg_pool, nn::Linear(2, 2)};
  save(net, path);
  CHECK_THROWS_AS(Predictor{path}, WeightsError);  // has never seen an image
  net(ones({1, 4, 4, 1}));
  save(net, path);
  Predictor predict(path);
  std::vector<float> image(16), score(2);
  CHECK_THROWS_AS(predict(std::span(image).first(15), score), ShapeError);
  CHECK_THROWS_AS(predict(std::span(image).first(0), std::span(score).first(0)), ShapeError);
  CHECK_THROWS_AS(predict(image, std::span(score).first(1)), ShapeError);
  CHECK_THROWS_AS(Predictor(path, {.batch = 0}), ValueError);
  Predictor larger(path, {.height = 6, .width = 5});
  CHECK(larger.input() == Shape{1, 6, 5, 1});
}
