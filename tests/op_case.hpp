// One entry of the op list: how to call an op and how to draw its inputs; the driver (op_list_test.cpp) does the rest.
#pragma once
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <d16/core/tensor.hpp>
#include <d16/group/group.hpp>

namespace d16::testing {

using Inputs = std::vector<Tensor>;

/// One input of an op and what its values may be. A bare shape draws uniformly from [-1, 1) and is differentiable.
///   {2, 9, 9, 3}                          a bare shape
///   features({2, 5, 5, 3, 16}, D16)       carries the tag of a group
///   between(0.1, 2, {3, 4})               another range
///   separated({2, 7, 7, 3})               all values distinct, none near zero: away from the kinks of max, relu, abs
///   constant({4})                         no gradient: running statistics, targets
///   labels(5, {7})                        int64 in [0, 5)
struct Input {
  Shape shape;
  double low = -1, high = 1;
  Group group{};
  bool differentiable = true;
  bool distinct = false;
  int64_t classes = 0;  ///< positive: int64 labels below it

  Input(std::initializer_list<int64_t> sizes) : shape(sizes) {}
  Input(Shape s) : shape(s) {}
};

inline Input features(Input input, Group group) { return input.group = group, input; }
inline Input between(double low, double high, Input input) { return input.low = low, input.high = high, input; }
inline Input separated(Input input) { return input.distinct = true, input; }
inline Input constant(Input input) { return input.differentiable = false, input; }
inline Input labels(int64_t classes, Input input) { return input.classes = classes, constant(input); }

/// Made as OpCase{"conv2d stride 2", {{2, 9, 7, 3}, {5, 3, 3, 3}, {5}}, [](Inputs t) { return conv2d(t[0], t[1], t[2]); }}.
/// The driver calls run in float64 and float32, on the devices cpu and reference, with 1 and more threads, and with
/// inputs that are views; run must give the same result each time (an op that draws numbers seeds itself first).
struct OpCase {
  std::string name;           ///< the op's function name; a remark may follow after a space: "conv2d stride 2"
  std::vector<Input> inputs;  ///< shapes with 1, primes, non-multiples of the vector width
  std::function<Tensor(Inputs)> run;
  /// How many rounded terms the longest sum behind one value of the output or of a gradient has; the float32
  /// tolerance is terms x epsilon x magnitude. 0: eight more than the largest number of elements
  /// among inputs and output.
  double terms = 0;
  /// A false value leaves out the gradient check (an output that is integer or constant), nothing else.
  bool differentiable = true;

  std::string op() const { return name.substr(0, name.find(' ')); }
};

/// Each family gives its cases in tests/op_list/<family>.hpp, in namespace d16::testing:
///   inline std::vector<OpCase> convolution_cases() { return {OpCase{...}, ...}; }
/// tests/op_list.hpp includes every such file and joins them.

}  // namespace d16::testing
