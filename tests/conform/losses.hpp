// Conformance runners of the losses.
#pragma once
#include <d16/ops/losses.hpp>

#include "case.hpp"

namespace d16::conform {

inline Reduction reduction(Run& r) {
  std::string const& name = r.attrs().string("reduction");
  require<ValueError>(name == "mean" || name == "sum", "attribute reduction is ", name);
  return name == "mean" ? Reduction::mean : Reduction::sum;
}

inline Outcome run_cross_entropy(Run& r) {
  double smoothing = r.attrs().has("label_smoothing") ? r.attrs().number("label_smoothing") : 0;
  CrossEntropyOptions o{.weight = r.optional("weight"), .label_smoothing = smoothing};
  return {{{"loss", cross_entropy(r.in("logits"), r.in("target"), o)}}};
}

/// A loss of x and a target of the same shape.
inline Op against_target(Tensor (*loss)(Tensor, Tensor, Reduction)) {
  return {[loss](Run& r) { return Outcome{{{"loss", loss(r.in("x"), r.in("target"), reduction(r))}}}; }};
}

inline Outcome run_kl_standard_normal(Run& r) {
  return {{{"loss", kl_standard_normal(r.in("mu"), r.in("logvar"), reduction(r))}}};
}

inline OpTable loss_ops() {
  return {{"cross_entropy", {run_cross_entropy}},
          {"bce", against_target(bce)},
          {"bce_with_logits", against_target(bce_with_logits)},
          {"mse", against_target(mse)},
          {"l1", against_target(l1)},
          {"kl_standard_normal", {run_kl_standard_normal}}};
}

}  // namespace d16::conform
