// Precision as ops and layers ask for it, and tensors in bfloat16 through a small network, on CUDA devices.
#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <d16/cuda/use.hpp>
#include <d16/nn/dense.hpp>
#include <d16/ops/arithmetic.hpp>
#include <d16/ops/pool2d.hpp>
#include <d16/ops/reduce.hpp>
#include <d16/ops/spatial_dropout.hpp>
#include <d16/ops/unary.hpp>

using namespace d16;
using kernels::Precision;

namespace {

constexpr Precision roundings[] = {Precision::tf32, Precision::bfloat16};

std::vector<Device> gpu_devices() {
  use_cuda_emulated();
  std::vector<Device> devices{"cuda_emulated"};
  try {
    use_cuda();
    devices.push_back("cuda");
  } catch (DeviceError const&) {  // runtime_test.cpp says why
  }
  return devices;
}

/// The largest difference as a part of the largest expected value.
double difference(Tensor const& got, Tensor const& expected) {
  REQUIRE(got.shape() == expected.shape());
  auto on_cpu = [](Tensor const& x) { return x.detach().to("cpu").cast(DType::f64); };
  return max(abs(on_cpu(got) - on_cpu(expected))).item() / max(abs(on_cpu(expected))).item();
}

/// y and the gradients of all inputs of f, for a seed of random numbers.
std::vector<Tensor> with_gradients(std::function<Tensor(std::vector<Tensor> const&)> const& f,
                                   std::vector<Tensor> const& inputs, Device device) {
  std::vector<Tensor> there, out;
  for (Tensor const& x : inputs) there.push_back(x.detach().to(device).set_requires_grad());
  Tensor const y = f(there);
  manual_seed(9);
  y.backward(normal(y.shape()).to(device).cast(y.dtype()));
  out.push_back(y);
  for (Tensor const& x : there) out.push_back(x.grad());
  return out;
}

/// The layers that take a precision, as functions of x, w, b.
using Layer = std::function<Tensor(std::vector<Tensor> const&, Precision)>;
struct LayerCase {
  char const* name;
  Layer layer;
  std::vector<Tensor> inputs;
};
std::vector<LayerCase> layers() {
  manual_seed(4);
  auto conv = [](std::vector<Tensor> const& t, Precision p) {
    return conv2d(t[0], t[1], t[2], {.padding = 1, .precision = p});
  };
  auto transposed = [](std::vector<Tensor> const& t, Precision p) {
    return conv_transpose2d(t[0], t[1], t[2], {.stride = 2, .precision = p});
  };
  auto full = [](std::vector<Tensor> const& t, Precision p) { return linear(t[0], t[1], t[2], {.precision = p}); };
  return {{"conv2d", conv, {normal({2, 5, 7, 8}), normal({6, 8, 3, 3}), normal({6})}},
          {"conv_transpose2d", transposed, {normal({2, 3, 4, 8}), normal({8, 6, 2, 2}), normal({6})}},
          {"linear", full, {normal({9, 40}), normal({12, 40}), normal({12})}}};
}

}  // namespace

TEST_CASE("precision: ops hand it to the kernels of a GPU, forward and backward; a cpu computes in float32") {
  for (LayerCase const& c : layers())
    for (Precision precision : roundings) {
      auto run = [&](Precision p, Device device) {
        return with_gradients([&](std::vector<Tensor> const& t) { return c.layer(t, p); }, c.inputs, device);
      };
      auto const exact = run(Precision::float32, "cpu"), here = run(precision, "cpu");
      // Each factor is off by at most this part of it: so is the result, of its largest value, since signs are random.
      double const unit = 2 * (precision == Precision::tf32 ? 0x1p-11 : 0x1p-8);
      for (Device device : gpu_devices()) {
        auto const there = run(precision, device);
        for (size_t i = 0; i < exact.size(); ++i) {
          INFO(c.name, ", ", name_of(precision), ", ", device.text(), ", result ", i);
          CHECK(difference(here[i], exact[i]) == 0);
          CHECK(difference(there[i], exact[i]) <= unit);
          if (i < 3) CHECK(difference(there[i], exact[i]) > unit / 100);  // y, dx and dw are rounded, db has no factors
        }
      }
    }
}

TEST_CASE("precision: layers have it among their options") {
  for (Device device : gpu_devices())
    for (Precision precision : roundings) {
      manual_seed(7);
      nn::Conv2d conv(8, 6, {.precision = precision});
      nn::ConvTranspose2d transposed(8, 6, {.precision = precision});
      nn::Linear full(8, 6, {.precision = precision});
      Tensor const x = normal({2, 5, 7, 8}).to(device);
      conv.to(device), transposed.to(device), full.to(device);
      CHECK(difference(conv(x), conv2d(x, conv.weight, conv.bias, {.padding = 1, .precision = precision})) == 0);
      CHECK(difference(transposed(x), conv_transpose2d(x, transposed.weight, transposed.bias,
                                                       {.stride = 2, .precision = precision})) == 0);
      CHECK(difference(full(x), linear(x, full.weight, full.bias, {.precision = precision})) == 0);
      CHECK(difference(conv(x), conv2d(x, conv.weight, conv.bias, {.padding = 1})) > 0);
      CHECK(difference(transposed(x), conv_transpose2d(x, transposed.weight, transposed.bias, {.stride = 2})) > 0);
      CHECK(difference(full(x), linear(x, full.weight, full.bias)) > 0);
    }
}

TEST_CASE("bfloat16 tensors: each layer as the reference computes it, gradients of weights in float32") {
  for (LayerCase const& c : layers()) {
    std::vector<Tensor> inputs = c.inputs;
    inputs[1] = inputs[1].cast(DType::bf16).cast(DType::f32);  // the reference does not round weights, tensor cores do
    auto in_bf16 = [&](std::vector<Tensor> const& t) {
      return c.layer({t[0].cast(DType::bf16), t[1], t[2]}, Precision::float32);
    };
    auto const right = with_gradients(in_bf16, inputs, "reference");
    for (Device device : gpu_devices()) {
      auto const got = with_gradients(in_bf16, inputs, device);
      CHECK(got[0].dtype() == DType::bf16);
      for (size_t i = 0; i < right.size(); ++i) {
        INFO(c.name, ", ", device.text(), ", result ", i);
        // y and dx are bfloat16: sums that differ in their last bits may be rounded to neighbours, 2^-7 apart.
        // Gradients of weights are sums in float32 of at most 200 exact products.
        CHECK(difference(got[i], right[i]) <= (i < 2 ? 0x1p-7 : 200 * 0x1p-23));
        if (i > 1) CHECK(got[i].dtype() == DType::f32);
      }
    }
  }
}

TEST_CASE("bfloat16 tensors: a network of convolutions, its weights in float32, near the same in float32") {
  manual_seed(2);
  // stem, depthwise, strided, back up, head; without kinks, on whose other side a rounded number may be
  std::vector<Tensor> const inputs{normal({2, 9, 8, 3}),          normal({16, 3, 3, 3}) * 0.27,
                                   normal({16, 1, 3, 3}) * 0.47,  normal({24, 16, 3, 3}) * 0.12,
                                   normal({24, 16, 2, 2}) * 0.29, normal({5, 16}) * 0.35};
  auto network = [](std::vector<Tensor> const& t, DType dtype) {
    Tensor x = silu(conv2d(t[0].cast(dtype), t[1], {}, {.padding = 1}));
    x = x + silu(conv2d(x, t[2], {}, {.padding = 1, .groups = 16}));
    Tensor const small = d16::tanh(conv2d(x, t[3], {}, {.stride = 2, .padding = 1}) * 0.9);
    x = x.slice(1, 0, 8) * conv_transpose2d(small.slice(1, 0, 4), t[4], {}, {.stride = 2});
    return linear(mean(x, {axis::H, axis::W}, false), t[5]).cast(DType::f32);
  };
  auto in = [&](DType dtype) { return [&network, dtype](std::vector<Tensor> const& t) { return network(t, dtype); }; };
  auto const exact = with_gradients(in(DType::f32), inputs, "cpu");
  for (Device device : gpu_devices()) {
    auto const got = with_gradients(in(DType::bf16), inputs, device);
    for (size_t i = 0; i < exact.size(); ++i) {
      INFO(device.text(), ", result ", i);
      // Some twelve roundings of 2^-8, of random sign, on the way to each number and back.
      CHECK(difference(got[i], exact[i]) <= 12 * 0x1p-8);
      CHECK(difference(got[i], exact[i]) > 0x1p-14);
      CHECK(got[i].dtype() == DType::f32);
    }
  }
}

TEST_CASE("bfloat16 tensors: arithmetic, functions and sums are rounded once") {
  manual_seed(5);
  for (Device device : gpu_devices())
    for (Shape shape : {Shape{3, 64}, Shape{3, 5, 7}, Shape{3}, Shape{2, 3000, 8}}) {
      INFO(device.text(), ", ", shape.text());
      Tensor const a = normal(shape).cast(DType::bf16), b = normal(shape).cast(DType::bf16);
      auto both = [&](auto f) {
        Tensor const got = f(a.to(device), b.to(device)), right = f(a.to("reference"), b.to("reference"));
        CHECK(got.dtype() == DType::bf16);
        CHECK(difference(got, right) <= 0x1p-7);  // neighbours, where float32 and float64 are rounded differently
      };
      both([](Tensor x, Tensor y) { return x + y; });
      both([](Tensor x, Tensor y) { return x * y; });
      both([](Tensor x, Tensor y) { return x / (y * y + 1.0); });
      both([](Tensor x, Tensor y) { return maximum(x, y); });
      both([](Tensor x, Tensor) { return x * 0.1; });  // a scalar is no bfloat16
      both([](Tensor x, Tensor) { return 1.0 - x; });
      both([](Tensor x, Tensor) { return x - mean(x, {0}); });
      both([](Tensor x, Tensor) { return silu(x); });
      both([](Tensor x, Tensor) { return elu(x, 0.7); });
      both([](Tensor x, Tensor) { return sum(x * x); });
      both([](Tensor x, Tensor) { return sum(x * x, {0}); });
    }
}

TEST_CASE("bfloat16 tensors: poolings and dropout as the reference computes them, forward and backward") {
  using Op = std::function<Tensor(Tensor)>;
  std::pair<char const*, Op> const ops[] = {
      {"max_pool2d", [](Tensor x) { return max_pool2d(x); }},
      {"max_pool2d 3x3", [](Tensor x) { return max_pool2d(x, {.kernel = 3, .stride = 2, .padding = 1}); }},
      {"avg_pool2d", [](Tensor x) { return avg_pool2d(x, {.kernel = 3, .stride = 2, .padding = 1}); }},
      {"avg_pool2d, inside",
       [](Tensor x) { return avg_pool2d(x, {.kernel = 3, .stride = 2, .padding = 1, .count_include_pad = false}); }},
      {"dropout", [](Tensor x) { return dropout(x, 0.3); }},
      {"spatial_dropout", [](Tensor x) { return spatial_dropout(x, 0.3); }}};
  for (Device device : gpu_devices())
    for (Shape shape : {Shape{2, 8, 6, 16}, Shape{1, 7, 5, 3}})  // whole packs of channels, and single ones
      for (auto const& [name, op] : ops) {
        manual_seed(6);
        std::vector<Tensor> const inputs{normal(shape)};
        auto in_bf16 = [&op = op](std::vector<Tensor> const& t) {
          manual_seed(8);
          return op(t[0].cast(DType::bf16));
        };
        auto const got = with_gradients(in_bf16, inputs, device), right = with_gradients(in_bf16, inputs, "reference");
        CHECK(got[0].dtype() == DType::bf16);
        for (size_t i = 0; i < right.size(); ++i) {
          INFO(name, ", ", shape.text(), ", ", device.text(), ", result ", i);
          CHECK(difference(got[i], right[i]) <=
                0x1p-7);  // neighbours, where float32 and float64 are rounded differently
        }
      }
}

TEST_CASE("bfloat16 tensors: what is asked for wrongly says so") {
  Tensor const x = normal({2, 4, 4, 8}).cast(DType::bf16), w = normal({8, 8, 3, 3});
  auto message = [](auto const& f) -> std::string {
    try {
      f();
    } catch (Error const& error) {
      return error.what();
    }
    return "";
  };
  CHECK(message([&] { conv2d(x, w); }) ==
        "conv2d: no kernel for cpu in this program; bfloat16 is for CUDA devices: cast to float32");
  CHECK(message([&] { conv2d(x, w.cast(DType::bf16)); }) == "conv2d: x is bfloat16, w is bfloat16; needs float32");
  CHECK(message([&] { max(x, {0}); }) == "the op takes float32 or float64, this is bfloat16; cast it first");
}
