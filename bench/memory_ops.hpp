// The ops that memory bounds, on any device: what to call, and how many bytes it has to move at least.
#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <d16/d16.hpp>

namespace d16::bench {

/// `forward` and `backward`: values that a pass reads and writes at least, as multiples of those of x, the first input;
/// the backward pass reads dy and what it needs of the inputs. 0: there is no such pass.
struct MemoryOp {
  std::string name;  ///< the op's, as in tests/op_list; operators by words; a remark may follow
  std::function<std::vector<Tensor>(Device)> inputs;
  std::function<Tensor(std::vector<Tensor> const&)> run;
  double forward, backward;

  std::string op() const { return name.substr(0, name.find(' ')); }
};

namespace detail {

inline std::vector<Tensor> uniform_inputs(std::vector<Shape> const& shapes, Device device, Group group = {}) {
  std::vector<Tensor> inputs;
  for (Shape const& shape : shapes) {
    Tensor x = uniform(shape) * 0.8 + 0.1;  // probabilities too
    inputs.push_back((shape.rank() == 5 ? x.with_group(group) : x).to(device).detach());
  }
  return inputs;
}
inline Tensor labels_for(Shape const& logits, Device device) {
  std::vector<int64_t> labels;
  for (int64_t n = 0; n < logits[0]; ++n) labels.push_back(n * 7 % logits[1]);
  return from(labels, {logits[0]}).to(device);
}

}  // namespace detail

/// Images (batch,64,64,32), features of D_8 (batch,32,32,8,16), and logits; all of the same number of values.
inline std::vector<MemoryOp> memory_ops(int64_t batch) {
  using In = std::vector<Tensor> const&;
  Shape const image{batch, 64, 64, 32}, feature{batch, 32, 32, 8, 16}, row{batch * 4096, 32};
  std::vector<MemoryOp> ops;
  auto add = [&](std::string name, std::vector<Shape> shapes, auto run, double forward, double backward) {
    auto inputs = [shapes](Device device) { return detail::uniform_inputs(shapes, device, dihedral(8)); };
    ops.push_back({std::move(name), inputs, run, forward, backward});
  };
  auto unary = [&](char const* name, auto f) {
    add(
        name, {image}, [f](In t) { return f(t[0]); }, 2, 3);
  };
  auto binary = [&](char const* name, auto f, double backward) {
    add(
        name, {image, image}, [f](In t) { return f(t[0], t[1]); }, 3, backward);
  };
  auto label_loss = [&](char const* name, auto f) {
    auto inputs = [row](Device device) {
      std::vector<Tensor> all = detail::uniform_inputs({row}, device);
      all.push_back(detail::labels_for(row, device));
      return all;
    };
    ops.push_back({name, inputs, [f](In t) { return f(t[0], t[1]); }, 2, 0});  // its gradient is made forwards
  };
  auto pair_loss = [&](char const* name, auto f) {
    add(
        name, {image, image}, [f](In t) { return f(t[0], t[1], Reduction::mean); }, 4, 0);
  };

  unary("relu", [](Tensor x) { return relu(x); });
  unary("elu", [](Tensor x) { return elu(x); });
  unary("sigmoid", [](Tensor x) { return sigmoid(x); });
  unary("silu", [](Tensor x) { return silu(x); });
  unary("tanh", [](Tensor x) { return tanh(x); });
  unary("softplus", [](Tensor x) { return softplus(x); });
  unary("exp", [](Tensor x) { return exp(x); });
  unary("log", [](Tensor x) { return log(x); });
  unary("sqrt", [](Tensor x) { return sqrt(x); });
  unary("square", [](Tensor x) { return square(x); });
  unary("abs", [](Tensor x) { return abs(x); });
  unary("asinh", [](Tensor x) { return asinh(x); });
  unary("clamp", [](Tensor x) { return clamp(x, 0.2, 0.7); });
  unary("neg", [](Tensor x) { return neg(x); });
  unary("dropout", [](Tensor x) { return dropout(x, 0.5); });
  unary("spatial_dropout", [](Tensor x) { return spatial_dropout(x, 0.5); });
  binary(
      "add", [](Tensor a, Tensor b) { return a + b; }, 0);  // dy is both gradients
  binary(
      "subtract", [](Tensor a, Tensor b) { return a - b; }, 2);
  binary(
      "multiply", [](Tensor a, Tensor b) { return a * b; }, 5);
  binary(
      "divide", [](Tensor a, Tensor b) { return a / b; }, 5);
  binary(
      "maximum", [](Tensor a, Tensor b) { return maximum(a, b); }, 5);
  binary(
      "minimum", [](Tensor a, Tensor b) { return minimum(a, b); }, 5);
  binary(
      "reparameterise", [](Tensor mu, Tensor logvar) { return reparameterise(mu, logvar); }, 3);

  add(
      "sum", {image}, [](In t) { return sum(t[0]); }, 1, 1);
  add(
      "mean rows", {image}, [](In t) { return mean(t[0], axis::C); }, 1 + 1. / 32, 1 + 1. / 32);
  add(
      "max", {image}, [](In t) { return max(t[0]); }, 1, 1);
  add(
      "max rows", {image}, [](In t) { return max(t[0], axis::C); }, 1 + 3. / 32, 1 + 3. / 32);
  add(
      "argmax", {row}, [](In t) { return argmax(t[0], 1); }, 1 + 2. / 32, 0);
  add(
      "sum_to", {image}, [](In t) { return sum_to(t[0], {32}); }, 1, 1);
  add(
      "global_avg_pool", {image}, [](In t) { return global_avg_pool(t[0]); }, 1, 1);
  add(
      "softmax", {row}, [](In t) { return softmax(t[0], 1); }, 2, 3);
  add(
      "log_softmax", {row}, [](In t) { return log_softmax(t[0], 1); }, 2, 3);

  add(
      "concat", {image, image},
      [](In t) {
        return concat({t[0], t[1]}, axis::C);
      },
      4, 4);
  add(
      "contiguous", {image},
      [](In t) {
        return t[0].permute({0, 2, 1, 3}).contiguous();
      },
      2, 2);
  add(
      "clone", {image}, [](In t) { return t[0].clone(); }, 2, 0);
  add(
      "cast", {image}, [](In t) { return t[0].cast(DType::bf16); }, 1.5, 1.5);
  add(
      "to", {image}, [](In t) { return t[0].to(t[0].device() == Device("cpu") ? "reference" : "cpu"); }, 2, 0);

  add(
      "max_pool2d", {image}, [](In t) { return max_pool2d(t[0]); }, 1.25, 2.25);
  add(
      "max_pool2d 3x3", {image}, [](In t) { return max_pool2d(t[0], {.kernel = 3, .stride = 2, .padding = 1}); }, 1.25,
      2.25);
  add(
      "avg_pool2d", {image}, [](In t) { return avg_pool2d(t[0]); }, 1.25, 1.25);
  add(
      "adaptive_avg_pool2d", {image}, [](In t) { return adaptive_avg_pool2d(t[0], 4); }, 1, 1);
  add(
      "upsample", {image}, [](In t) { return upsample(t[0]); }, 5, 5);
  add(
      "upsample bilinear", {image}, [](In t) { return upsample(t[0], {.mode = Upsample::bilinear}); }, 5, 5);
  add(
      "pad2d", {image}, [](In t) { return pad2d(t[0], 2, PaddingMode::circular); }, 1 + 68. * 68 / 4096,
      1 + 68. * 68 / 4096);
  add(
      "antialiased_avg_pool", {feature}, [](In t) { return antialiased_avg_pool(t[0]); }, 1.25, 1.25);
  add(
      "group_max_pool", {feature}, [](In t) { return group_max_pool(t[0]); }, 1 + 1. / 16, 2 + 1. / 16);
  add(
      "group_mean_pool", {feature}, [](In t) { return group_mean_pool(t[0]); }, 1 + 1. / 16, 1 + 1. / 16);
  add(
      "act", {feature}, [](In t) { return act(dihedral(8), 6, t[0]); }, 2, 2);
  add(
      "turn", {image}, [](In t) { return turn(t[0], {20}); }, 2, 2);

  add(
      "linear", {row, {32, 32}, {32}}, [](In t) { return linear(t[0], t[1], t[2]); }, 2, 3);
  add(
      "conv_transpose2d", {image, {32, 8, 2, 2}, {8}},
      [](In t) { return conv_transpose2d(t[0], t[1], t[2], {.stride = 2}); }, 2, 3);
  add(
      "lift_conv2d", {{batch, 64, 64, 1}, {2, 1, 6}},
      [](In t) { return lift_conv2d(dihedral(8), t[0], t[1], {}, {.padding = 1}); }, 33, 33);
  add(
      "project_conv2d", {feature, {1, 8, 6}},
      [](In t) { return project_conv2d(dihedral(8), t[0], t[1], {}, {.padding = 1}); }, 1 + 1. / 128, 2 + 1. / 128);

  Shape const channel{32}, field{8};
  add(
      "batch_norm2d", {image, channel, channel},
      [](In t) { return batch_norm2d(t[0], t[1], t[2], {}, {}, {.training = true}); }, 3, 5);
  add(
      "inner_batch_norm", {feature, field, field},
      [](In t) { return inner_batch_norm(t[0], t[1], t[2], {}, {}, {.training = true}); }, 3, 5);
  add(
      "group_norm", {image, channel, channel}, [](In t) { return group_norm(t[0], t[1], t[2], {.groups = 8}); }, 3, 5);
  add(
      "squeeze_excitation", {image, {8, 32}, {8}, {32, 8}, {32}},
      [](In t) { return squeeze_excitation(t[0], t[1], t[2], t[3], t[4]); }, 3, 4);

  pair_loss("bce", [](auto... a) { return bce(a...); });
  pair_loss("bce_with_logits", [](auto... a) { return bce_with_logits(a...); });
  pair_loss("mse", [](auto... a) { return mse(a...); });
  pair_loss("l1", [](auto... a) { return l1(a...); });
  pair_loss("kl_standard_normal", [](auto... a) { return kl_standard_normal(a...); });
  label_loss("cross_entropy", [](Tensor x, Tensor t) { return cross_entropy(x, t); });
  label_loss("focal_loss", [](Tensor x, Tensor t) { return focal_loss(x, t); });
  return ops;
}

}  // namespace d16::bench
