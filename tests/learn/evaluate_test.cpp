// Running a stand-in for a network over a data set.
#include <doctest/doctest.h>
#include <d16/learn/evaluate.hpp>

using namespace d16;

namespace {
/// Says class 1 when the mean of an image is above one half; remembers the mode it was asked in.
struct Brightness {
  bool training_ = true, asked_in_training = false;
  int64_t largest_batch = 0;
  void train(bool on = true) { training_ = on; }
  void eval() { train(false); }
  bool training() const { return training_; }
  Tensor operator()(Tensor x) {
    asked_in_training = asked_in_training || training_;
    largest_batch = std::max(largest_batch, x.dim(0));
    Tensor y = zeros({x.dim(0), 2});
    int64_t each = x.numel() / x.dim(0);
    for (int64_t n = 0; n < x.dim(0); ++n)
      for (int64_t i = 0; i < each; ++i)
        y.data<float>()[2 * n + 1] += (x.data<float>()[n * each + i] - 0.5f) / float(each);
    return y;
  }
};

data::Dataset dark_and_bright(int64_t n) {
  data::Dataset d{zeros({n, 4, 4, 1}, {.dtype = DType::u8}), zeros({n}, {.dtype = DType::i64}), {}, {"dark", "bright"}};
  for (int64_t i = 0; i < n; ++i) {
    d.labels.data<int64_t>()[i] = i % 3 == 0;
    std::fill_n(d.images.data<uint8_t>() + i * 16, 16, uint8_t(i % 3 == 0 ? 200 : 20));
    d.ids.push_back(std::to_string(i));
  }
  return d;
}
}  // namespace

TEST_CASE("accuracy runs in evaluation mode, in batches, and leaves the mode as it was") {
  data::Dataset d = dark_and_bright(150);
  Brightness net;
  CHECK(learn::accuracy(net, d) == 1);
  CHECK_FALSE(net.asked_in_training);
  CHECK(net.training());
  CHECK(net.largest_batch == 64);
  for (int64_t i = 0; i < 30; ++i) d.labels.data<int64_t>()[i] ^= 1;
  CHECK(learn::accuracy(net, d) == 0.8);
  net.eval();
  learn::accuracy(net, d);
  CHECK_FALSE(net.training());
}

TEST_CASE("logits come in the order of the data set; any callable will do") {
  data::Dataset d = dark_and_bright(7);
  auto first_pixel = [](Tensor x) {
    Tensor y = empty({x.dim(0), 3});
    for (int64_t n = 0; n < x.dim(0); ++n)
      for (int64_t k = 0; k < 3; ++k) y.data<float>()[3 * n + k] = x.data<float>()[16 * n] * float(k);
    return y;
  };
  Tensor y = learn::logits(first_pixel, d, 3);
  REQUIRE(y.shape() == Shape{7, 3});
  for (int64_t n = 0; n < 7; ++n)
    CHECK(y.data<float>()[3 * n + 2] == doctest::Approx(2 * (n % 3 == 0 ? 200 : 20) / 255.0));
  auto wrong = [](Tensor x) { return x; };
  CHECK_THROWS_AS(learn::logits(wrong, d), ShapeError);
}

TEST_CASE("probabilities are a softmax that does not overflow") {
  Tensor p = learn::probabilities(from(std::vector<float>{0, 0, 1000, 0, -1, 1}, {3, 2}));
  CHECK(p.data<float>()[0] == 0.5f);
  CHECK(p.data<float>()[2] == 1);
  CHECK(p.data<float>()[3] == 0);
  CHECK(p.data<float>()[5] == doctest::Approx(1 / (1 + std::exp(-2.0))));
}
