// All ops that conformance cases ask for, with their runners. A new family adds its include and its name here.
#pragma once
#include "bands.hpp"
#include "dense.hpp"
#include "group.hpp"
#include "layers.hpp"
#include "learn.hpp"
#include "losses.hpp"
#include "network.hpp"
#include "optim.hpp"
#include "tensor_ops.hpp"
#include "vision.hpp"

namespace d16::conform {

inline OpTable op_table() {
  OpTable table;
  for (OpTable const& part : {dense_ops(), layer_ops(), loss_ops(), group_ops(), network_ops(), optim_ops(),
                              vision_ops(), bands_ops(), learn_ops(), tensor_ops()})
    table.insert(part.begin(), part.end());
  return table;
}

}  // namespace d16::conform
