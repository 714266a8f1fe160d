// Conformance runners of group norm, adaptive pooling, squeeze and excitation, and the focal loss.
#pragma once
#include <d16/ops/adaptive_avg_pool2d.hpp>
#include <d16/ops/group_norm.hpp>
#include <d16/ops/losses.hpp>
#include <d16/ops/squeeze_excitation.hpp>

#include "case.hpp"
#include "layout.hpp"

namespace d16::conform {

inline Outcome run_group_norm(Run& r) {
  GroupNormOptions o{.groups = int(r.attrs().integer("groups")), .eps = number(r.attrs(), "eps", 1e-5)};
  return {{{"y", to_file(group_norm(to_engine(r.in("x")), r.optional("weight"), r.optional("bias"), o))}}};
}

inline Outcome run_adaptive_avg_pool2d(Run& r) {
  return {{{"y", to_file(adaptive_avg_pool2d(to_engine(r.in("x")), pair(r.attrs(), "out", 1)))}}};
}

inline Outcome run_squeeze_excitation(Run& r) {
  Tensor y = squeeze_excitation(to_engine(r.in("x")), r.in("fc1.weight"), r.optional("fc1.bias"), r.in("fc2.weight"),
                                r.optional("fc2.bias"));
  return {{{"y", to_file(y)}}};
}

inline Outcome run_focal_loss(Run& r) {
  FocalLossOptions o{.gamma = number(r.attrs(), "gamma", 2), .weight = r.optional("weight")};
  return {{{"loss", focal_loss(r.in("logits"), r.in("target"), o)}}};
}

inline OpTable layer_ops() {
  return {{"group_norm", {run_group_norm}},
          {"adaptive_avg_pool2d", {run_adaptive_avg_pool2d}},
          {"squeeze_excitation", {run_squeeze_excitation}},
          {"focal_loss", {run_focal_loss}}};
}

}  // namespace d16::conform
