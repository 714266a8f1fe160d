// The kernel tests of tests/cuda on a GPU, unchanged. They give kernels pointers to std::vectors: here these are in
// page-locked memory, which a GPU reaches at the same addresses, and every launch waits for its end.
#define DOCTEST_CONFIG_IMPLEMENT
#include <cuda_runtime_api.h>
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>

namespace {

/// Memory of `new` while the tests run. A large block is one of CUDA's own, so that compute-sanitizer sees a kernel step
/// over its end; small ones are cut from slabs.
class PageLocked {
 public:
  static constexpr size_t header = 64, small = 4096, slab = 1 << 20;

  /// Null when CUDA gives none.
  void* allocate(size_t bytes) {
    std::lock_guard lock(mutex_);
    if (bytes > small) return block(bytes);
    size_t const rounded = (bytes + 63) / 64 * 64 + header;
    if (rounded > left_) {
      next_ = static_cast<char*>(block(slab));
      left_ = next_ ? slab : 0;
      if (!next_) return nullptr;
    }
    char* const at = next_;
    next_ += rounded, left_ -= rounded;
    return at;
  }
  void release(void* block) { static_cast<void>(cudaFreeHost(block)); }

 private:
  static void* block(size_t bytes) {
    void* at = nullptr;
    return cudaHostAlloc(&at, bytes, cudaHostAllocDefault) == cudaSuccess ? at : nullptr;
  }
  std::mutex mutex_;
  char* next_ = nullptr;
  size_t left_ = 0;
};

enum class Origin : size_t { heap, slab, own_block };
constinit PageLocked page_locked;
bool active = false;               // from the start of the tests to their end
thread_local bool inside = false;  // CUDA may call new itself

void* allocate(size_t bytes) {
  char* at = nullptr;
  Origin origin = bytes + PageLocked::header > PageLocked::small ? Origin::own_block : Origin::slab;
  if (active && !inside) {
    inside = true;
    at = static_cast<char*>(page_locked.allocate(bytes + PageLocked::header));
    inside = false;
  }
  if (!at) {
    origin = Origin::heap;
    at = static_cast<char*>(std::aligned_alloc(64, (bytes + PageLocked::header + 63) / 64 * 64));
  }
  if (!at) throw std::bad_alloc();
  *reinterpret_cast<Origin*>(at) = origin;
  return at + PageLocked::header;
}
void release(void* memory) {
  if (!memory) return;
  char* const at = static_cast<char*>(memory) - PageLocked::header;
  Origin const origin = *reinterpret_cast<Origin*>(at);
  if (origin == Origin::heap) std::free(at);
  else if (origin == Origin::own_block && active) page_locked.release(at);  // those of slabs go with the process
}

}  // namespace

void* operator new(size_t bytes) { return allocate(bytes); }
void* operator new[](size_t bytes) { return allocate(bytes); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, size_t) noexcept { release(memory); }
void operator delete[](void* memory, size_t) noexcept { release(memory); }

int main(int count, char** words) {
  setenv("CUDA_LAUNCH_BLOCKING", "1", 1);  // before CUDA looks
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::puts("skipped: no CUDA device");
    return 77;  // what scripts take for skipped
  }
  static_cast<void>(cudaFree(nullptr));
  active = true;
  int failed = 0;
  {
    doctest::Context context(count, words);
    failed = context.run();
  }
  active = false;
  cudaError_t const error = cudaDeviceSynchronize();
  if (error != cudaSuccess) std::printf("FAILED: the GPU reports: %s\n", cudaGetErrorString(error));
  if (error != cudaSuccess) return 1;
  return failed;
}
