// Stream-ordered memory: an arena for each stream, whose blocks are free as soon as the stream has got that far.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "../core/allocator.hpp"

namespace d16::cuda {

/// Memory of one device. A block that is released can be given to the same stream at once, although kernels may still
/// use it: what takes it next runs after them. Released while another stream is current, order(from, to) makes the
/// block's own stream wait for that one. Thread-safe. System is as in Arena; Stream any handle; Order a function of two
/// streams.
template <class System, class Stream, class Order> class StreamArenas {
 public:
  StreamArenas(System system, Order order) : system_(std::move(system)), order_(std::move(order)) {}

  /// Errors   OutOfMemory, after everything that any stream has cached, and that is not held, was given back.
  void* allocate(Stream stream, size_t bytes) {
    std::lock_guard lock(mutex_);
    void* const block = allocate_or_trim(arena(stream), bytes);
    owner_[block] = stream;
    return block;
  }
  void release(Stream current, void* block, size_t bytes) noexcept {
    std::lock_guard lock(mutex_);
    auto const found = owner_.find(block);
    Stream const stream = found->second;
    owner_.erase(found);
    if (!(stream == current)) order_(current, stream);
    arenas_.find(stream)->second->release(block, bytes);
  }
  void trim() {
    std::lock_guard lock(mutex_);
    for (auto& [stream, arena] : arenas_) arena->trim();
  }
  /// While a graph that was captured on a stream lives, it uses memory that is free for the stream.
  void hold(Stream stream, bool on) {
    std::lock_guard lock(mutex_);
    arena(stream).hold(on);
  }
  /// Of all streams together; the peak is the sum of their peaks.
  MemoryUse use() const {
    std::lock_guard lock(mutex_);
    MemoryUse sum;
    for (auto const& [stream, arena] : arenas_) {
      MemoryUse const part = arena->use();
      sum.used += part.used, sum.peak += part.peak, sum.cached += part.cached, sum.requests += part.requests;
    }
    return sum;
  }

 private:
  Arena<System>& arena(Stream stream) {
    auto& slot = arenas_[stream];
    if (!slot) slot = std::make_unique<Arena<System>>(system_);
    return *slot;
  }
  void* allocate_or_trim(Arena<System>& arena, size_t bytes) try {
    return arena.allocate(bytes);
  } catch (OutOfMemory const&) {
    for (auto& [stream, other] : arenas_) other->trim();
    return arena.allocate(bytes);
  }

  mutable std::mutex mutex_;
  System system_;
  Order order_;
  std::map<Stream, std::unique_ptr<Arena<System>>> arenas_;
  std::unordered_map<void*, Stream> owner_;
};

}  // namespace d16::cuda
