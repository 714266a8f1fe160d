// Conformance runners of the optimiser steps.
#pragma once
#include <d16/optim/adam.hpp>
#include <d16/optim/sgd.hpp>

#include "case.hpp"
#include "layout.hpp"

namespace d16::conform {

/// adam_step and adamw_step take the same arguments but other options.
template <class Options> Op adam(void (*step)(Tensor, Tensor, Tensor, Tensor, Options const&, int64_t)) {
  return {[step](Run& r) {
    auto betas = list<double>(r.attrs(), "betas");
    require<ValueError>(betas.size() == 2, "attribute betas has ", betas.size(), " numbers; it needs 2");
    Options o{.lr = r.attrs().number("lr"),
              .betas = {betas[0], betas[1]},
              .eps = number(r.attrs(), "eps", 1e-8),
              .weight_decay = number(r.attrs(), "weight_decay", 0)};
    Tensor param = r.in("param"), m = r.in("m"), v = r.in("v");
    step(param, r.in("grad"), m, v, o, r.attrs().integer("step"));
    return Outcome{{{"param", param}, {"m", m}, {"v", v}}};
  }};
}

inline Outcome run_sgd_step(Run& r) {
  optim::SgdOptions o{.lr = r.attrs().number("lr"),
                      .momentum = number(r.attrs(), "momentum", 0),
                      .nesterov = boolean(r.attrs(), "nesterov", false),
                      .weight_decay = number(r.attrs(), "weight_decay", 0)};
  Tensor param = r.in("param"), momentum = r.in("momentum");
  optim::sgd_step(param, r.in("grad"), momentum, o, r.attrs().integer("step"));
  return {{{"param", param}, {"momentum", momentum}}};
}

inline OpTable optim_ops() {
  return {{"adam_step", adam(optim::adam_step)}, {"adamw_step", adam(optim::adamw_step)}, {"sgd_step", {run_sgd_step}}};
}

}  // namespace d16::conform
