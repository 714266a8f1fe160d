// Constant tensors of a network, such as masks: made once for each device and kept there.
#pragma once
#include <map>
#include <mutex>
#include <string>

#include "../ops/views.hpp"

namespace d16::nn::detail {

/// What make() gave for this name, on a device. Kept to the end of the process: a captured step finds it where it was.
template <class Make> Tensor kept_tensor(std::string const& name, Device device, Make const& make) {
  static std::mutex& mutex = *new std::mutex;
  static auto& kept = *new std::map<std::string, Tensor>;  // outlives networks with static storage
  std::lock_guard lock(mutex);
  Tensor& x = kept[name + " on " + device.text()];
  if (!x.defined()) {
    NoGrad off;
    x = make().to(device);
  }
  return x;
}

}  // namespace d16::nn::detail
