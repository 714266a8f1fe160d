// Cases of the op list: losses.
#pragma once
#include <d16/ops/losses.hpp>

#include "../op_case.hpp"

namespace d16::testing {

inline std::vector<OpCase> loss_cases() {
  Input probability = between(0.1, 0.9, {3, 7, 11}), target = between(0, 1, {3, 7, 11}),
        any = between(-5, 5, {3, 7, 11});
  Reduction all = Reduction::sum;
  return {
      {"bce", {probability, target}, [](Inputs t) { return bce(t[0], t[1]); }},
      {"bce sum", {probability, target}, [=](Inputs t) { return bce(t[0], t[1], all); }},
      {"bce_with_logits", {any, target}, [](Inputs t) { return bce_with_logits(t[0], t[1]); }},
      {"bce_with_logits sum", {any, target}, [=](Inputs t) { return bce_with_logits(t[0], t[1], all); }},
      {"mse", {any, target}, [](Inputs t) { return mse(t[0], t[1]); }},
      {"mse sum", {{1}, {1}}, [=](Inputs t) { return mse(t[0], t[1], all); }},
      {"l1", {separated({3, 5}), separated(between(-0.9, 0.8, {3, 5}))}, [](Inputs t) { return l1(t[0], t[1]); }},
      {"l1 sum", {separated({17}), separated(between(-0.9, 0.8, {17}))}, [=](Inputs t) { return l1(t[0], t[1], all); }},
      {"kl_standard_normal",
       {any, between(-3, 3, {3, 7, 11})},
       [](Inputs t) { return kl_standard_normal(t[0], t[1]); }},
      {"kl_standard_normal sum", {{5}, {5}}, [=](Inputs t) { return kl_standard_normal(t[0], t[1], all); }},
      {"cross_entropy", {between(-3, 3, {13, 5}), labels(5, {13})}, [](Inputs t) { return cross_entropy(t[0], t[1]); }},
      {"cross_entropy weighted",
       {between(-3, 3, {13, 5}), labels(5, {13}), constant(between(0.2, 2, {5}))},
       [](Inputs t) { return cross_entropy(t[0], t[1], {.weight = t[2]}); }},
      {"cross_entropy smooth",
       {between(-3, 3, {7, 3}), labels(3, {7}), constant(between(0.2, 2, {3}))},
       [](Inputs t) { return cross_entropy(t[0], t[1], {.weight = t[2], .label_smoothing = 0.1}); }},
      {"cross_entropy sum",
       {between(-3, 3, {1, 2}), labels(2, {1})},
       [](Inputs t) { return cross_entropy(t[0], t[1], {.reduction = Reduction::sum}); }},
      {"focal_loss", {between(-3, 3, {13, 5}), labels(5, {13})}, [](Inputs t) { return focal_loss(t[0], t[1]); }},
      {"focal_loss weighted, gamma below 1",
       {between(-3, 3, {11, 3}), labels(3, {11}), constant(between(0.2, 2, {3}))},
       [](Inputs t) { return focal_loss(t[0], t[1], {.gamma = 0.7, .weight = t[2]}); }},
      {"focal_loss sum, gamma 0",
       {between(-3, 3, {7, 2}), labels(2, {7})},
       [](Inputs t) { return focal_loss(t[0], t[1], {.gamma = 0, .reduction = Reduction::sum}); }},
  };
}

}  // namespace d16::testing
