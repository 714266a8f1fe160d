// Tables that stay in device memory: made by the first call on each device, read by all others.
#pragma once
#include <memory>
#include <mutex>
#include <vector>

#include "gpu.hpp"

namespace d16::kernels {
namespace D16_GPU {

/// One table, on each device where it was asked for. Kept to the end of the process, so graphs may have captured it.
class Kept {
 public:
  /// Its copy on the current device. Null, and the error noted, where it cannot be made.
  void const* on_device(void const* host, size_t bytes) const {
    auto const device = size_t(gpu::current_device());
    std::lock_guard lock(mutex_);
    if (of_device_.size() <= device) of_device_.resize(device + 1, nullptr);
    if (!of_device_[device]) of_device_[device] = gpu::keep(host, bytes, gpu::current_stream());
    return of_device_[device];
  }

 private:
  mutable std::mutex mutex_;
  mutable std::vector<void*> of_device_;
};

/// Numbers on the current device, made once for each list of them.
template <class T> T const* kept_numbers(std::vector<T> const& values) {
  struct Made {
    std::vector<T> values;
    Kept kept;
    explicit Made(std::vector<T> const& v) : values(v) {}
  };
  static std::mutex mutex;
  static auto& made = *new std::vector<std::unique_ptr<Made const>>;  // outlives what is destroyed at exit
  std::lock_guard lock(mutex);
  size_t i = 0;
  while (i < made.size() && made[i]->values != values) ++i;
  if (i == made.size()) made.push_back(std::make_unique<Made const>(values));
  return static_cast<T const*>(made[i]->kept.on_device(values.data(), values.size() * sizeof(T)));
}

}  // namespace D16_GPU
}  // namespace d16::kernels
