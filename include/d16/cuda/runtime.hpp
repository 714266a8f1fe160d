// The GPUs of this machine for programs that link d16::cuda: what they are, their streams, events and memory.
#pragma once
#include <string>
#include <vector>

#include "../core/tensor.hpp"

namespace d16::cuda {

struct DeviceInfo {
  std::string name;
  int major = 0, minor = 0;  ///< compute capability
  int multiprocessors = 0;
  size_t memory_bytes = 0, free_bytes = 0;
};
/// One for each GPU, in the order of "cuda:0", "cuda:1", ...
/// Errors   DeviceError as use_cuda().
std::vector<DeviceInfo> devices();

/// Waits for everything that was asked of a GPU. Errors   DeviceError: what went wrong in a kernel since the last wait.
void synchronise(int index = 0);

/// When on, each op waits for its kernel, so that an error names the op in which it happened. For finding bugs; also
/// switched on by the environment, D16_CUDA_SYNC=1.
void set_synchronous(bool on);

/// Memory of tensors and scratch on one GPU, and how to give what is cached back to the system. What a captured step
/// computes in stays until the step is gone.
MemoryUse memory_use(int index = 0);
void trim_memory(int index = 0);

class Event;

/// A queue of kernels and copies: those of one stream run in order, those of two may overlap.
///   Stream side;
///   { StreamScope scope(side); y = conv2d(x, w); }
///   Event().record(side).wait(Stream::main());
/// A tensor belongs to the stream that was current when it was made. Where another one reads it, an Event has to say
/// that it is finished.
class Stream {
 public:
  explicit Stream(int index = 0);
  ~Stream();  ///< waits for its end
  Stream(Stream const&) = delete;
  Stream& operator=(Stream const&) = delete;
  void synchronise() const;
  /// The stream of a GPU that is current where no scope is open.
  static Stream& main(int index = 0);
  int index() const { return index_; }

 private:
  friend class Event;
  friend class StreamScope;
  Stream(int index, void* handle) : index_(index), handle_(handle) {}
  int index_ = 0;
  void* handle_ = nullptr;
};

/// Makes a stream the current one of this thread, for its GPU, until the scope ends.
class StreamScope {
 public:
  explicit StreamScope(Stream const& stream);
  ~StreamScope();
  StreamScope(StreamScope const&) = delete;
  StreamScope& operator=(StreamScope const&) = delete;

 private:
  int index_;
  void* before_;
};

/// A mark in a stream: others can wait for it, and two of one GPU tell the time between. Before it is recorded there is
/// nothing to wait for.
class Event {
 public:
  Event() = default;
  ~Event();
  Event(Event const&) = delete;
  Event& operator=(Event const&) = delete;
  Event& record(Stream const& stream);
  /// What is asked of `stream` from now on runs after the mark.
  Event& wait(Stream const& stream);
  void synchronise() const;
  double milliseconds_since(Event const& start) const;

 private:
  void drop() noexcept;
  int index_ = 0;  ///< an event belongs to the GPU of the stream in which it is recorded
  void* handle_ = nullptr;
};

/// A tensor in page-locked memory of the host, uninitialised: copies between it and a GPU need no staging. Scarce: for
/// the few buffers of a loader.
Tensor pinned_empty(Shape shape, DType dtype = DType::f32);

}  // namespace d16::cuda
