// Drives every op of the list: finite differences, fast against reference kernels, threads, strided inputs, completeness.
#include "op_list.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <set>
#include <stamp.hpp>

#include <d16/autograd/gradcheck.hpp>
#include <d16/compiled.hpp>
#include <d16/cuda/use.hpp>

#include "op_draw.hpp"

using namespace d16;
using namespace d16::testing;

namespace {

/// Each op sees inputs of its own: the name seeds the numbers.
uint64_t seed_of(OpCase const& op) {
  uint64_t seed = 16;
  for (char letter : op.name) seed = 31 * seed + uint64_t(letter);
  return seed;
}

Inputs draw(OpCase const& op) {
  Random random(seed_of(op));
  Inputs inputs;
  for (Input const& input : op.inputs) inputs.push_back(draw(input, random));
  return inputs;
}

/// The same values with gaps in memory: every second element of something larger.
Tensor strided(Tensor const& x) {
  Shape one = x.shape(), two = x.shape();
  one.push_back(1), two.push_back(2);
  return x.reshape(one).expand(two).contiguous().select(-1, 0);
}

enum class Layout { contiguous, strided };

struct Result {
  Tensor output;
  std::vector<Tensor> gradients;  ///< undefined where an input has none
};

/// Calls the op once, and its gradient with a fixed random upstream gradient.
Result evaluate(OpCase const& op, DType dtype, Device device, Layout layout = Layout::contiguous) {
  INFO(op.name);
  Inputs inputs = draw(op);
  for (size_t i = 0; i < inputs.size(); ++i) {
    Tensor& x = inputs[i];
    if (op.inputs[i].classes == 0) x = x.cast(dtype);
    x = x.to(device);
    if (layout == Layout::strided) x = strided(x);
    x = x.detach();
    if (op.inputs[i].differentiable && op.differentiable) x.set_requires_grad();
  }
  Result result{op.run(inputs), {}};
  CHECK_MESSAGE(result.output.device() == device, op.name, " left its device");
  if (op.differentiable) {
    Random random(seed_of(op), 1);
    Tensor upstream = draw(Input(result.output.shape()), random);
    result.output.backward(upstream.cast(result.output.dtype()).to(device).with_group(result.output.group()));
    for (Tensor const& x : inputs) result.gradients.push_back(x.grad());
  }
  return result;
}

std::vector<double> values_of(Tensor x) {
  Tensor wide = x.detach().to("cpu").cast(DType::f64).contiguous();
  auto span = wide.host<double>();
  return {span.begin(), span.end()};
}

double largest(std::vector<double> const& values) {
  double most = 0;
  for (double value : values) most = std::max(most, std::abs(value));
  return most;
}

/// Unless the case knows better: as many terms as there are elements, and eight roundings of the formula around them.
double terms_of(OpCase const& op, Tensor const& output) {
  if (op.terms > 0) return op.terms;
  int64_t most = output.numel();
  for (Input const& input : op.inputs) most = std::max(most, input.shape.numel());
  return double(most) + 8;
}

void check_close(std::string const& what, Tensor got, Tensor expected, double relative) {
  INFO(what);
  REQUIRE(got.defined() == expected.defined());
  if (!got.defined()) return;
  REQUIRE(got.shape() == expected.shape());
  REQUIRE(got.group() == expected.group());
  std::vector<double> a = values_of(got), b = values_of(expected);
  double error = 0, bound = relative * largest(b);
  for (size_t i = 0; i < a.size(); ++i) error = std::isfinite(a[i]) ? std::max(error, std::abs(a[i] - b[i])) : INFINITY;
  CHECK_LE(error, bound);
}

void check_close(OpCase const& op, Result const& got, Result const& expected, double epsilon) {
  double relative = terms_of(op, expected.output) * epsilon;
  check_close(op.name, got.output, expected.output, relative);
  for (size_t i = 0; i < got.gradients.size(); ++i)
    check_close(op.name + ": gradient of input " + std::to_string(i), got.gradients[i], expected.gradients[i],
                relative);
}

bool same_bits(Tensor const& a, Tensor const& b) {
  if (!a.defined() || !b.defined()) return a.defined() == b.defined();
  Tensor x = a.contiguous(), y = b.contiguous();
  if (!(x.shape() == y.shape()) || x.dtype() != y.dtype()) return false;
  return for_dtype(x.dtype(), [&]<class T>(T) {
    return std::memcmp(x.data<T>(), y.data<T>(), size_t(x.numel() * size_of(x.dtype()))) == 0;
  });
}

void check_same_bits(OpCase const& op, Result const& a, Result const& b) {
  CHECK_MESSAGE(same_bits(a.output, b.output), op.name);
  for (size_t i = 0; i < a.gradients.size(); ++i)
    CHECK_MESSAGE(same_bits(a.gradients[i], b.gradients[i]), op.name, ": gradient of input ", i);
}

constexpr double epsilon32 = std::numeric_limits<float>::epsilon(), epsilon64 = std::numeric_limits<double>::epsilon();

/// Kernels of the CPU that CUDA devices do not have, and why. A new kernel that is in neither place fails a test.
std::map<std::string, std::string> const without_cuda_kernel{};

template <class Run> void check_cuda_kernel(std::string const& name, Run run) {
  bool const excused = without_cuda_kernel.count(name);
  CHECK_MESSAGE((run != nullptr) != excused, name,
                excused ? " has a CUDA kernel and a reason to have none" : " has no CUDA kernel");
}

/// The public functions that include/d16/ops declares: lines "inline Tensor name(", outside of namespace detail.
/// Gradients (name_dx ...) are reached through the op, methods of Tensor (views) count as functions.
std::set<std::string> declared_ops() {
  std::set<std::string> names;
  for (auto const& file : std::filesystem::directory_iterator(std::string(stamp::source_dir) + "/include/d16/ops")) {
    std::ifstream in(file.path());
    bool hidden = false;
    for (std::string line; std::getline(in, line);) {
      if (line.rfind("namespace detail", 0) == 0) hidden = true;
      if (line.rfind("}  // namespace detail", 0) == 0) hidden = false;
      std::string start = "inline Tensor ";
      if (hidden || line.rfind(start, 0) != 0) continue;
      std::string name = line.substr(start.size(), line.find('(') - start.size());
      if (name.rfind("Tensor::", 0) == 0) name = name.substr(8);
      size_t underscore = name.rfind("_d");
      bool gradient = underscore != name.npos && name.size() - underscore <= 3;
      if (!gradient) names.insert(name);
    }
  }
  return names;
}

}  // namespace

TEST_CASE("op list: gradients agree with finite differences in float64") {
  // gradcheck's own error is about 1e-9 relative to the largest slope (its step is 1e-5); a wrong gradient is off by 1e-2.
  for (OpCase const& op : op_list()) {
    if (!op.differentiable) continue;
    INFO(op.name);
    Inputs all = draw(op), varied;
    for (size_t i = 0; i < all.size(); ++i)
      if (op.inputs[i].differentiable) varied.push_back(all[i]);
    auto f = [&](Inputs const& wanted) {
      Inputs inputs;
      size_t next = 0;
      for (size_t i = 0; i < all.size();
           ++i)  // what is not differentiable may be changed by the op: running statistics
        inputs.push_back(op.inputs[i].differentiable ? wanted[next++] : all[i].clone());
      return op.run(inputs);
    };
    CHECK_MESSAGE(gradcheck_inputs(f, varied) <= 1e-6, op.name);
  }
}

TEST_CASE("op list: the fast float32 kernels agree with the reference kernels") {
  for (OpCase const& op : op_list())
    check_close(op, evaluate(op, DType::f32, "cpu"), evaluate(op, DType::f32, "reference"), epsilon32);
}

TEST_CASE("op list: the fast float64 kernels agree with the reference kernels") {
  for (OpCase const& op : op_list())
    check_close(op, evaluate(op, DType::f64, "cpu"), evaluate(op, DType::f64, "reference"), epsilon64);
}

TEST_CASE("op list: the CUDA kernels, on the emulator, agree with the reference kernels") {
  use_cuda_emulated();
  for (OpCase const& op : op_list()) try {
      for (auto [dtype, epsilon] : {std::pair(DType::f32, epsilon32), std::pair(DType::f64, epsilon64)})
        check_close(op, evaluate(op, dtype, "cuda_emulated"), evaluate(op, dtype, "reference"), epsilon);
    } catch (NoKernelError const& error) {
      FAIL_CHECK(op.name, ": ", error.what());
    }
}

TEST_CASE("op list: every kernel has a CUDA kernel, or a reason why not") {
  use_cuda_emulated();
#define D16_CHECK(op)                                         \
  check_cuda_kernel(#op, op##_slot<float>.cuda_emulated.run); \
  check_cuda_kernel(#op, op##_slot<double>.cuda_emulated.run);
  D16_CONVOLUTION_OPS(D16_CHECK)
  D16_GROUP_OPS(D16_CHECK)
  D16_POINTWISE_OPS(D16_CHECK)
  D16_DENSE_OPS(D16_CHECK)
#undef D16_CHECK
  check_cuda_kernel("copy", copy_slot.cuda_emulated.run);
  check_cuda_kernel("cast", cast_slot.cuda_emulated.run);
}

TEST_CASE("op list: results do not depend on the number of threads") {
  int before = threads();
  for (OpCase const& op : op_list()) {
    set_threads(1);
    Result one = evaluate(op, DType::f32, "cpu");
    set_threads(3);
    check_same_bits(op, one, evaluate(op, DType::f32, "cpu"));
  }
  set_threads(before);
}

TEST_CASE("op list: strided inputs give what contiguous inputs give") {
  for (OpCase const& op : op_list())
    check_same_bits(op, evaluate(op, DType::f32, "cpu"), evaluate(op, DType::f32, "cpu", Layout::strided));
}

TEST_CASE("op list: every public function of include/d16/ops has a case") {
  std::set<std::string> listed, declared = declared_ops();
  for (OpCase const& op : op_list()) listed.insert(op.op());
  CHECK(declared.size() >= 40);  // fewer: the headers were not read as they are written
  for (std::string const& name : declared) CHECK_MESSAGE(listed.count(name), name, " has no case in tests/op_list");
}
