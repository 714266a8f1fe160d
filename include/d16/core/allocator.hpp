// The caching arena behind every tensor: freed memory is kept for the next request.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
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

/// Blocks of some megabytes, cut from regions that the system gave: the smallest free one that is large enough serves a
/// request, what it does not need stays free, and free neighbours become one again.
class LargeBlocks {
 public:
  static constexpr size_t grain = size_t(64) << 10;

  /// Null when nothing free is large enough. `size` is a multiple of the grain.
  void* take(size_t size) {
    auto found = free_.lower_bound({size, nullptr});
    if (found == free_.end()) return nullptr;
    char* const at = found->second;
    free_.erase(found);
    Block& block = blocks_[at];
    block.free = false;
    if (block.size >= size + grain) {
      blocks_[at + size] = {block.size - size, true, false};
      free_.insert({block.size - size, at + size});
      block.size = size;
    }
    return at;
  }
  void add_region(char* at, size_t size) { blocks_[at] = {size, false, true}; }
  void give(char* at) {
    auto block = blocks_.find(at);
    auto next = std::next(block);
    if (next != blocks_.end() && next->second.free && !next->second.first) absorb(block, next);
    if (!block->second.first && std::prev(block)->second.free) {
      auto before = std::prev(block);
      free_.erase({before->second.size, before->first});
      before->second.size += block->second.size;
      blocks_.erase(block);
      block = before;
    }
    block->second.free = true;
    free_.insert({block->second.size, block->first});
  }
  /// Hands regions without a used block to `give_back` and returns how many bytes they have.
  template <class GiveBack> size_t trim(GiveBack const& give_back) {
    size_t bytes = 0;
    for (auto block = blocks_.begin(); block != blocks_.end();) {
      auto next = std::next(block);
      bool const whole = block->second.first && (next == blocks_.end() || next->second.first);
      if (whole && block->second.free) {
        bytes += block->second.size;
        free_.erase({block->second.size, block->first});
        give_back(block->first);
        blocks_.erase(block);
      }
      block = next;
    }
    return bytes;
  }

 private:
  struct Block {
    size_t size;
    bool free, first;  ///< first of its region
  };
  using Map = std::map<char*, Block>;

  void absorb(Map::iterator block, Map::iterator next) {
    free_.erase({next->second.size, next->first});
    block->second.size += next->second.size;
    blocks_.erase(next);
  }

  Map blocks_;
  std::set<std::pair<size_t, char*>> free_;
};

/// Where the host's arena gets its memory from.
struct HostMemory {
  void* allocate(size_t bytes) { return std::aligned_alloc(64, bytes); }  ///< null when there is none
  void release(void* block) noexcept { std::free(block); }
  std::string name() const { return "cpu"; }
  std::string left() const { return ""; }  ///< for the message of OutOfMemory: what is still free
};

/// Blocks of 64-byte alignment from a System such as HostMemory. Thread-safe. Small sizes are rounded up to an eighth
/// of a power of two and kept apart by size; large ones share regions, since a training step wants the same memory in
/// other pieces on its way back. Either way a step finds all its blocks here after the first iteration.
template <class System> class Arena {
 public:
  explicit Arena(System system = {}) : system_(std::move(system)) {}
  Arena(Arena const&) = delete;
  Arena& operator=(Arena const&) = delete;

  /// Never returns null; throws OutOfMemory with what was asked, after giving back what is cached.
  void* allocate(size_t bytes) {
    size_t const size = rounded(bytes);
    std::lock_guard lock(mutex_);
    void* block = is_large(size) ? large_.take(size) : take_small(size);
    if (block) use_.cached -= size;
    else block = ask(size);
    use_.used += size;
    use_.peak = std::max(use_.peak, use_.used);
    return block;
  }

  void release(void* block, size_t bytes) noexcept {
    size_t const size = rounded(bytes);
    std::lock_guard lock(mutex_);
    use_.used -= size;
    try {
      if (is_large(size)) large_.give(static_cast<char*>(block));
      else free_[size].push_back(block);
      use_.cached += size;
    } catch (...) {  // no memory to write down that memory is free: this block is lost, the process goes on
    }
  }

  /// Gives what is cached back to the system.
  void trim() {
    std::lock_guard lock(mutex_);
    give_back();
  }
  /// While it is held nothing goes back to the system: somebody, a captured graph, still uses what is free.
  void hold(bool on) {
    std::lock_guard lock(mutex_);
    held_ = on;
  }
  MemoryUse use() const {
    std::lock_guard lock(mutex_);
    return use_;
  }
  /// The arena keeps more than `bytes` live never; asking for more throws OutOfMemory. For tests and small machines.
  void set_limit(size_t bytes) { limit_ = bytes; }

  ~Arena() {
    held_ = false;
    give_back();
  }

  static bool is_large(size_t size) { return size >= 16 * LargeBlocks::grain; }
  static size_t rounded(size_t bytes) {
    size_t step = 64;
    while (step * 16 <= bytes && step < LargeBlocks::grain) step *= 2;
    return std::max<size_t>(64, (bytes + step - 1) / step * step);
  }

 private:
  void* take_small(size_t size) {
    auto& blocks = free_[size];
    if (blocks.empty()) return nullptr;
    void* const block = blocks.back();
    blocks.pop_back();
    return block;
  }
  void* ask(size_t size) {
    ++use_.requests;
    if (is_large(size) && 2 * use_.cached > size) trim_regions();  // all too small: better one of this size
    bool allowed = use_.used + size <= limit_;
    void* block = allowed ? system_.allocate(size) : nullptr;
    if (allowed && !block) {
      give_back();
      block = system_.allocate(size);
    }
    require<OutOfMemory>(block, system_.name(), ": ", double(size) / (1 << 20), " MiB asked, ",
                         double(use_.used) / (1 << 20), " MiB in use", system_.left(),
                         "; use a smaller batch or image");
    if (is_large(size)) large_.add_region(static_cast<char*>(block), size);
    return block;
  }
  void give_back() {
    if (held_) return;
    for (auto& [size, blocks] : free_) {
      for (void* block : blocks) system_.release(block);
      use_.cached -= size * blocks.size();
    }
    free_.clear();
    trim_regions();
  }
  void trim_regions() {
    if (held_) return;
    use_.cached -= large_.trim([this](char* region) { system_.release(region); });
  }

  mutable std::mutex mutex_;
  System system_;
  std::map<size_t, std::vector<void*>> free_;
  LargeBlocks large_;
  MemoryUse use_;
  size_t limit_ = SIZE_MAX / 2;
  bool held_ = false;
};
using HostArena = Arena<HostMemory>;

/// The arena of host memory. Never destroyed: tensors with static storage may outlive everything else.
inline HostArena& host_arena() {
  static HostArena& arena = *new HostArena;
  return arena;
}

}  // namespace d16
