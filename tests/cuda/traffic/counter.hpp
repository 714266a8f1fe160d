// Counts what kernels on the emulator do to memory, request by request, as a GPU would see it. Needs a build with
// D16_EMULATOR_COUNTING whose kernels are compiled with -fsanitize=thread and linked without its runtime.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace d16::traffic {

enum class Kind : uint8_t { read, write, atomic, copy };  ///< copy: what cp.async writes to shared memory
enum class Space : uint8_t { global, shared };

/// A request is what the lanes of a warp ask with one instruction. It moves sectors of 32 bytes of global memory, or
/// takes wavefronts (cycles of the 32 banks) of shared memory; `ideal` is the least for the bytes that it asks.
struct Requests {
  int64_t count = 0, moved = 0, ideal = 0;
  void add(Requests const& r) { count += r.count, moved += r.moved, ideal += r.ideal; }
  double per_request() const { return count ? double(moved) / double(count) : 0; }
  double ideal_per_request() const { return count ? double(ideal) / double(count) : 0; }
};

/// An instruction of a kernel.
struct Instruction {
  void const* address;  ///< behind the call that reported it
  Kind kind;
  Space space;
  unsigned bytes;  ///< of a lane
  Requests sum{};
};

/// All launches of one kernel in one op. Bytes of global memory:
struct KernelTraffic {
  std::string kernel;
  int64_t launches = 0;
  Requests reads{}, writes{}, atomics{}, shared{};
  int64_t requested = 0;  ///< the sectors of all requests: what is moved without any cache
  int64_t by_blocks = 0;  ///< with a perfect cache for each block, and none behind it
  int64_t touched = 0;    ///< with a perfect cache for each launch
  std::map<std::pair<void const*, Space>, Instruction> instructions{};
};

struct OpTraffic {
  std::vector<KernelTraffic> kernels;  ///< by their first launches
  /// What a single perfect kernel would move: what the op reads before it has written it, once, and what it writes and
  /// does not read again, once. In bytes; counted in words of four.
  int64_t floor = 0;
  int64_t launches() const;
  int64_t requested() const;
  int64_t by_blocks() const;
  int64_t touched() const;
};

/// Counts the launches of its lifetime; one at a time, with one thread of the host.
class Count {
 public:
  Count();
  ~Count();
  Count(Count const&) = delete;
  Count& operator=(Count const&) = delete;
  OpTraffic const& result() const;
};

}  // namespace d16::traffic
