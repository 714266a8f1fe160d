// Ops and layers of group features on CUDA devices: features in bf16, weights packed once, coefficients between layers.
#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include <d16/cuda/use.hpp>
#include <d16/nn/classifiers.hpp>
#include <d16/ops/group_pool.hpp>
#include <d16/ops/reduce.hpp>

using namespace d16;

namespace {

std::vector<double> values_of(Tensor const& x) {
  Tensor const wide = x.detach().to("cpu").cast(DType::f64).contiguous();
  auto const span = wide.host<double>();
  return {span.begin(), span.end()};
}
/// Root mean square of the difference in units of that of the values that are expected; infinite for NaN.
double relative_rms(Tensor const& got, Tensor const& expected) {
  REQUIRE(got.shape() == expected.shape());
  std::vector<double> const a = values_of(got), b = values_of(expected);
  double difference = 0, square = 0;
  for (size_t i = 0; i < a.size(); ++i) difference += (a[i] - b[i]) * (a[i] - b[i]), square += b[i] * b[i];
  double const ratio = std::sqrt(difference / square);
  return ratio >= 0 ? ratio : INFINITY;
}

/// Convolution, norm, antialiased pooling and the mean over the group, and the gradients of all that is learnt.
struct Step {
  Tensor y, x, w, b, scale, shift;
  Step(Device device, DType dtype, Group group) {
    manual_seed(3);
    int const V = shared_basis(group, 3)->V, G = group.order();
    auto parameter = [&](Shape shape) { return normal(shape).to(device).set_requires_grad(); };
    Tensor const values = normal({2, 6, 7, 4, G}, {.group = group});
    x = values.cast(DType::bf16).cast(DType::f32).to(device).set_requires_grad();
    w = parameter({3, 4, V, G}), b = parameter({3}), scale = parameter({3}), shift = parameter({3});
    Tensor mean = zeros({3}).to(device), var = ones({3}).to(device);
    Tensor features = group_conv2d(group, x.cast(dtype), w, b, {.padding = 1});
    features = inner_batch_norm(features, scale, shift, mean, var, {.training = true});
    y = group_mean_pool(antialiased_avg_pool(features));
    weighted(y.cast(DType::f32)).backward();
  }
  /// A sum in which no value counts like another.
  static Tensor weighted(Tensor y) {
    return sum(y * (arange(y.numel()).cast(DType::f32) * 0.01).reshape(y.shape()).to(y.device()));
  }
};

}  // namespace

TEST_CASE("cuda group ops: a step with features in bf16, weights and their gradients in float32") {
  use_cuda_emulated();
  for (Group group : {D16, dihedral(3)}) {
    INFO(text(group));
    Step const half("cuda_emulated", DType::bf16, group), full("cuda_emulated", DType::f32, group);
    CHECK(half.y.dtype() == DType::bf16);
    CHECK(half.w.grad().dtype() == DType::f32);
    // Forward: coefficients, features and weights of the convolution, then four results; backward as many again. Errors
    // are independent of each other and of the values, so they add up in squares.
    CHECK(relative_rms(half.y, full.y) <= std::sqrt(7) * 0x1p-8);
    double const both_ways = std::sqrt(14) * 0x1p-8;
    for (Tensor Step::*of : {&Step::w, &Step::x, &Step::scale, &Step::shift})
      CHECK(relative_rms((half.*of).grad(), (full.*of).grad()) <= both_ways);
    CHECK(relative_rms(half.y, full.y) > 0x1p-12);  // something has been rounded
  }
}

TEST_CASE("cuda group ops: what does not go together in bf16 is said") {
  use_cuda_emulated();
  Tensor const x = zeros({1, 4, 4, 2, 16}, {.group = D16}).cast(DType::bf16), w = zeros({3, 2, 6, 16});
  CHECK_THROWS_WITH_AS(group_conv2d(D16, x.to("cuda_emulated"), w.cast(DType::bf16).to("cuda_emulated")),
                       doctest::Contains("the weights are bfloat16; needs float32"), DTypeError);
  CHECK_THROWS_AS(group_conv2d(D16, x, w), DeviceError);  // the cpu has no such kernel
  CHECK_THROWS_AS(pack_group_weights(D16, Sides::regular, w, {}, DType::f64), DTypeError);
}

TEST_CASE("cuda group ops: in evaluation weights are packed once, and again when they or the features change") {
  use_cuda_emulated();
  manual_seed(5);
  NoGrad off;
  nn::GroupConv2d conv(D16, 3, 2);
  conv.to("cuda_emulated");
  Tensor const x = normal({1, 4, 5, 3, 16}, {.group = D16}).to("cuda_emulated");
  Tensor const trained = conv(x);
  conv.eval();
  CHECK(relative_rms(conv(x), trained) == 0);
  CHECK(relative_rms(conv(x), trained) == 0);
  Tensor const half = conv(x.cast(DType::bf16));
  CHECK(half.dtype() == DType::bf16);
  CHECK(relative_rms(half, trained) <= std::sqrt(5) * 0x1p-8);  // input, coefficients, features, weights, result
  CHECK(relative_rms(conv(x), trained) == 0);
  detail::copy_into(conv.weight * 2.0, conv.weight), conv.weight.mark_changed();
  CHECK(relative_rms(conv(x), trained) > 0.3);
}

TEST_CASE("cuda group ops: coefficients between layers, in evaluation") {
  use_cuda_emulated();
  manual_seed(7);
  NoGrad off;
  nn::LiftConv2d lift(D16, 3, 4);
  nn::GroupConv2d first(D16, 4, 5), second(D16, 5, 3);
  nn::InnerBatchNorm norms[] = {nn::InnerBatchNorm(4), nn::InnerBatchNorm(5), nn::InnerBatchNorm(3)};
  auto each = [&](auto const& visit) {
    visit(lift), visit(first), visit(second);
    for (auto& norm : norms) visit(norm);
  };
  each([](auto& layer) { layer.to("cuda_emulated"), layer.eval(); });
  Tensor const image = normal({1, 9, 8, 3}).to("cuda_emulated");
  auto network = [&](DType dtype, bool kept) {
    nn::Coefficients const none, begin{.y = kept}, middle{.x = kept, .y = kept}, end{.x = kept};
    Tensor x = nn::conv_norm_relu(lift, norms[0], image.cast(dtype), begin);
    CHECK(bool(x.group()) == !kept);
    x = nn::conv_norm_relu(first, norms[1], nn::BlurPool()(x), middle);
    x = nn::conv_norm_relu(second, norms[2], x, end);
    CHECK(x.group() == D16);
    return x;
  };
  Tensor const expected = network(DType::f32, false);
  // a sum of 16 more numbers on each way, whose errors are those of the layers themselves: some hundred roundings
  CHECK(relative_rms(network(DType::f32, true), expected) <= 200 * 0x1p-24);
  // in bf16 twelve roundings either way: three layers of four
  CHECK(relative_rms(network(DType::bf16, false), expected) <= std::sqrt(13) * 0x1p-8);
  CHECK(relative_rms(network(DType::bf16, true), expected) <= std::sqrt(13) * 0x1p-8);
}

TEST_CASE("cuda group ops: a classifier that keeps coefficients gives the same answers") {
  use_cuda_emulated();
  manual_seed(9);
  nn::EquivariantClassifier network(
      {.input = {.size = 12, .classes = 3}, .group = dihedral(4), .widths = {3, 4, 5}, .pool_after = {1}});
  Tensor const image = normal({2, 12, 12, 3});
  network.to("cuda_emulated"), network.eval();
  NoGrad off;
  Tensor const there = image.to("cuda_emulated"), expected = network.pooled(there);
  network.keep_coefficients(true);
  // three layers of sums whose errors are those of the layers themselves, as in the test above
  CHECK(relative_rms(network.pooled(there), expected) <= 200 * 0x1p-24);
  network.to("cpu");
  CHECK_THROWS_AS(network.pooled(image), DeviceError);
}

TEST_CASE("cuda group ops: coefficients are no features, and need inference on a CUDA device") {
  use_cuda_emulated();
  Tensor const x = zeros({1, 4, 4, 2, 16}, {.group = D16}), w = zeros({3, 2, 6, 16});
  CHECK_THROWS_AS(group_conv2d(D16, x, w, {}, {.y_coefficients = true}), DeviceError);
  Tensor const there = x.to("cuda_emulated"), weights = w.to("cuda_emulated");
  NoGrad off;
  Tensor const kept = group_conv2d(D16, there, weights, {}, {.padding = 1, .y_coefficients = true});
  CHECK_THROWS_AS(group_conv2d(D16, kept, zeros({1, 3, 6, 16}).to("cuda_emulated")), GroupError);
  CHECK_THROWS_AS(group_conv2d(D16, there, weights, {}, {.x_coefficients = true}), GroupError);
  CHECK_THROWS_AS(group_conv2d(D16, there, weights, {}, {.path = kernels::Path::expanded, .y_coefficients = true}),
                  ValueError);
  nn::GroupConv2d conv(D16, 2, 2);
  nn::InnerBatchNorm norm(2);
  CHECK_THROWS_AS(nn::conv_norm_relu(conv, norm, x, {.y = true}), ValueError);  // training
}
