// The caching arena behind every tensor: freed blocks are kept for the next request of that size.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

#include "error.hpp"

namespace d16 {

/// What an arena holds, in bytes.
struct MemoryUse {
  size_t used = 0;      ///< in live tensors
  size_t peak = 0;      ///< the most there ever was in live tensors
  size_t cached = 0;    ///< freed, kept for reuse
  size_t requests = 0;  ///< calls that had to ask the system
};

/// Host memory in blocks of 64-byte alignment. Thread-safe. Sizes are rounded up to an eighth of a power of two, so
/// that a training step finds all its blocks here after the first iteration.
class HostArena {
 public:
  /// Never returns null; throws OutOfMemory with what was asked, after giving back what is cached.
  void* allocate(size_t bytes) {
    size_t size = rounded(bytes);
    std::lock_guard lock(mutex_);
    void* block = nullptr;
    auto& free_blocks = free_[size];
    if (!free_blocks.empty()) {
      block = free_blocks.back();
      free_blocks.pop_back();
      use_.cached -= size;
    } else {
      block = ask(size);
    }
    use_.used += size;
    use_.peak = std::max(use_.peak, use_.used);
    return block;
  }

  void release(void* block, size_t bytes) noexcept {
    size_t size = rounded(bytes);
    std::lock_guard lock(mutex_);
    use_.used -= size;
    try {
      free_[size].push_back(block);
      use_.cached += size;
    } catch (...) {
      std::free(block);
    }
  }

  /// Gives all cached blocks back to the system.
  void trim() {
    std::lock_guard lock(mutex_);
    give_back();
  }
  MemoryUse use() const {
    std::lock_guard lock(mutex_);
    return use_;
  }
  /// The arena keeps more than `bytes` live never; asking for more throws OutOfMemory. For tests and small machines.
  void set_limit(size_t bytes) { limit_ = bytes; }

  ~HostArena() { give_back(); }

  static size_t rounded(size_t bytes) {
    size_t step = 64;
    while (step * 16 <= bytes) step *= 2;
    return std::max<size_t>(64, (bytes + step - 1) / step * step);
  }

 private:
  void* ask(size_t size) {
    ++use_.requests;
    bool allowed = use_.used + size <= limit_;
    void* block = allowed ? std::aligned_alloc(64, size) : nullptr;
    if (allowed && !block) {
      give_back();
      block = std::aligned_alloc(64, size);
    }
    require<OutOfMemory>(block, "cpu: ", double(size) / (1 << 20), " MiB asked, ", double(use_.used) / (1 << 20),
                         " MiB in use; use a smaller batch or image");
    return block;
  }
  void give_back() {
    for (auto& [size, blocks] : free_)
      for (void* block : blocks) std::free(block);
    free_.clear();
    use_.cached = 0;
  }

  mutable std::mutex mutex_;
  std::map<size_t, std::vector<void*>> free_;
  MemoryUse use_;
  size_t limit_ = SIZE_MAX / 2;
};

/// The arena of host memory. Never destroyed: tensors with static storage may outlive everything else.
inline HostArena& host_arena() {
  static HostArena& arena = *new HostArena;
  return arena;
}

}  // namespace d16
