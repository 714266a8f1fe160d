// Cases of the op list: functions of one and two variables, softmax, and the random ops.
#pragma once
#include <d16/ops/arithmetic.hpp>
#include <d16/ops/dropout.hpp>
#include <d16/ops/softmax.hpp>
#include <d16/ops/unary.hpp>

#include "../op_case.hpp"

namespace d16::testing {

inline std::vector<OpCase> pointwise_cases() {
  // exp, log and their relatives are within 2 ulp; a slope adds at most six roundings to that
  double few = 8;
  Input odd = separated({3, 7, 11});
  auto seeded = [](auto f) {
    return [f](Inputs t) {
      manual_seed(5);
      return f(t);
    };
  };
  return {
      {"relu", {features(separated({1, 3, 5, 2, 16}), D16)}, [](Inputs t) { return relu(t[0]); }, few},
      {"elu", {odd}, [](Inputs t) { return elu(t[0], 0.7); }, few},
      {"sigmoid", {between(-6, 6, odd)}, [](Inputs t) { return sigmoid(t[0]); }, few},
      {"silu", {between(-6, 6, odd)}, [](Inputs t) { return silu(t[0]); }, few},
      {"tanh", {between(-3, 3, odd)}, [](Inputs t) { return tanh(t[0]); }, few},
      {"softplus", {between(-6, 6, odd)}, [](Inputs t) { return softplus(t[0]); }, few},
      {"exp", {between(-3, 3, odd)}, [](Inputs t) { return exp(t[0]); }, few},
      {"log", {between(0.1, 3, odd)}, [](Inputs t) { return log(t[0]); }, few},
      {"sqrt", {between(0.1, 3, odd)}, [](Inputs t) { return sqrt(t[0]); }, few},
      {"square", {odd}, [](Inputs t) { return square(t[0]); }, few},
      {"abs", {odd}, [](Inputs t) { return abs(t[0]); }, few},
      {"asinh", {between(-5, 5, odd)}, [](Inputs t) { return asinh(t[0]); }, few},
      {"clamp", {odd}, [](Inputs t) { return clamp(t[0], -0.4321, 0.5678); }, few},
      {"neg", {odd}, [](Inputs t) { return neg(t[0]); }, few},
      {"relu of one", {separated({1})}, [](Inputs t) { return relu(t[0]); }, few},

      {"operator+", {{3, 7, 11}, {3, 7, 11}}, [](Inputs t) { return t[0] + t[1]; }, few},
      {"operator+ bias",
       {features({2, 3, 1, 5, 16}, D16), {5, 1}},
       [](Inputs t) { return t[0] + t[1]; },
       2 * 3 * 16 + few},
      {"operator- leading", {{7, 11}, {3, 1, 1}}, [](Inputs t) { return t[0] - t[1]; }, 77 + few},
      {"operator- unary", {odd}, [](Inputs t) { return -t[0]; }, few},
      {"operator* excitation", {{2, 3, 5, 7}, {2, 1, 1, 7}}, [](Inputs t) { return t[0] * t[1]; }, 15 + few},
      {"operator* outer", {{13, 1}, {1, 17}}, [](Inputs t) { return t[0] * t[1]; }, 17 + few},
      {"operator/ last", {{3, 5, 2}, between(0.5, 2, {3, 5, 1})}, [](Inputs t) { return t[0] / t[1]; }, 2 + few},
      {"operator+ number", {odd}, [](Inputs t) { return 1.5 + (t[0] + 0.25); }, few},
      {"operator- number", {odd}, [](Inputs t) { return 1.5 - (t[0] - 0.25); }, few},
      {"operator* number", {odd}, [](Inputs t) { return 1.5 * (t[0] * 0.3); }, few},
      {"operator/ number", {between(0.5, 2, {23})}, [](Inputs t) { return 1.5 / (t[0] / 0.3); }, few},
      {"maximum",
       {separated({3, 5, 7}), separated(between(-0.9, 0.8, {3, 1, 7}))},
       [](Inputs t) { return maximum(t[0], t[1]); },
       5 + few},
      {"minimum",
       {separated({3, 5, 7}), separated(between(-0.9, 0.8, {5, 1}))},
       [](Inputs t) { return minimum(t[0], t[1]); },
       21 + few},
      {"maximum number", {odd}, [](Inputs t) { return maximum(0.1234, t[0]); }, few},
      {"minimum number", {odd}, [](Inputs t) { return minimum(t[0], 0.1234); }, few},

      {"softmax", {between(-3, 3, {5, 19})}, [](Inputs t) { return softmax(t[0], -1); }, 19 + few},
      {"softmax middle", {between(-3, 3, {2, 7, 67})}, [](Inputs t) { return softmax(t[0], 1); }, 7 + few},
      {"softmax of one class", {{5, 1}}, [](Inputs t) { return softmax(t[0], 1); }, few},
      {"log_softmax", {between(-3, 3, {71, 3})}, [](Inputs t) { return log_softmax(t[0], 1); }, 3 + few},
      {"log_softmax first", {between(-3, 3, {11, 2, 5})}, [](Inputs t) { return log_softmax(t[0], 0); }, 11 + few},

      {"dropout", {{3, 7, 11}}, seeded([](Inputs t) { return dropout(t[0], 0.3); }), few},
      {"dropout eval", {{3, 7, 11}}, [](Inputs t) { return dropout(t[0], 0.3, false); }, few},
      {"reparameterise", {{5, 7}, {5, 7}}, seeded([](Inputs t) { return reparameterise(t[0], t[1]); }), few},
  };
}

}  // namespace d16::testing
