// The counter: memory that it knows, the accesses of each CUDA thread, and what they are together.
#include "callbacks.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <unordered_map>

#include <d16/kernels/cuda/emulator.hpp>

namespace emulator = d16::kernels::emulated::emulator;

namespace d16::traffic {

int64_t OpTraffic::launches() const {
  int64_t sum = 0;
  for (KernelTraffic const& k : kernels) sum += k.launches;
  return sum;
}
int64_t OpTraffic::requested() const {
  int64_t sum = 0;
  for (KernelTraffic const& k : kernels) sum += k.requested;
  return sum;
}
int64_t OpTraffic::by_blocks() const {
  int64_t sum = 0;
  for (KernelTraffic const& k : kernels) sum += k.by_blocks;
  return sum;
}
int64_t OpTraffic::touched() const {
  int64_t sum = 0;
  for (KernelTraffic const& k : kernels) sum += k.touched;
  return sum;
}

namespace {

template <class T> T* reserve(size_t count) {
  void* const memory =
      mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  return static_cast<T*>(memory);
}

constexpr uintptr_t sector_bytes = 32, word_bytes = 4, banks = 32;

/// The memory of all tensors: what lies in it is global memory of a GPU.
struct Region {
  static constexpr size_t bytes = size_t(1) << 30;
  uintptr_t begin = reinterpret_cast<uintptr_t>(reserve<char>(bytes));
  size_t used = 0;

  bool has(uintptr_t at) const { return at - begin < bytes; }
  void* take(size_t size) {
    constexpr size_t alignment = 256;  // as a GPU's
    size_t const at = (used + alignment - 1) / alignment * alignment;
    if (at + size > bytes) return nullptr;
    used = at + size;
    return reinterpret_cast<void*>(begin + at);
  }
};
Region& region() {
  static Region& all = *new Region;
  return all;
}

struct Access {
  uintptr_t at;
  void const* instruction;
  unsigned bytes;
  Kind kind;
  Space space;
};

/// What the lanes of a warp ask at one visit of an instruction.
struct Request {
  void const* instruction;
  Kind kind;
  Space space;
  unsigned bytes, lanes = 0;
  std::array<uintptr_t, 32> at{};

  template <class Use> void for_each_lane(unsigned among, Use const& use) const {
    for (unsigned left = lanes & among; left; left &= left - 1) use(at[size_t(std::countr_zero(left))]);
  }
};

/// The numbers of all units of `unit` bytes that a request's lanes among a mask touch, each once, into `found`.
unsigned units(Request const& r, unsigned among, uintptr_t unit, std::array<uintptr_t, 1024>& found) {
  unsigned count = 0;
  r.for_each_lane(among, [&](uintptr_t at) {
    for (uintptr_t u = at / unit; u <= (at + r.bytes - 1) / unit && count < found.size(); ++u) found[count++] = u;
  });
  std::sort(found.begin(), found.begin() + count);
  return unsigned(std::unique(found.begin(), found.begin() + count) - found.begin());
}

Requests sectors(Request const& r) {
  std::array<uintptr_t, 1024> found;
  unsigned const moved = units(r, ~0u, sector_bytes, found);
  unsigned const pieces = units(r, ~0u, std::min<uintptr_t>(r.bytes, word_bytes), found);
  uintptr_t const wanted = pieces * std::min<uintptr_t>(r.bytes, word_bytes);
  return {1, moved, int64_t((wanted + sector_bytes - 1) / sector_bytes)};
}

/// A wavefront reads one word of each bank. Lanes with 8 bytes go by halves of a warp, with 16 by quarters; the same
/// word counts once, except for atomics, which come one after another.
Requests wavefronts(Request const& r, uintptr_t base) {
  unsigned const together = r.bytes <= 4 ? 32 : r.bytes <= 8 ? 16 : 8;
  Requests sum{1, 0, 0};
  for (unsigned first = 0; first < 32; first += together) {
    unsigned const among = unsigned(((uint64_t(1) << together) - 1) << first);
    if (!(r.lanes & among)) continue;
    std::array<int64_t, banks> of_bank{};
    if (r.kind == Kind::atomic) {
      r.for_each_lane(among, [&](uintptr_t at) { ++of_bank[(at - base) / word_bytes % banks]; });
    } else {
      std::array<uintptr_t, 1024> words;
      unsigned const count = units(r, among, word_bytes, words);
      for (unsigned i = 0; i < count; ++i) ++of_bank[(words[i] - base / word_bytes) % banks];
    }
    sum.moved += *std::max_element(of_bank.begin(), of_bank.end());
    sum.ideal += 1;
  }
  return sum;
}

/// What the compiler has made of one assignment of a small struct: neighbours written by instructions next to each
/// other, in all lanes aligned to the whole. nvcc writes them at once.
bool continues(Request const& a, Request const& b) {
  constexpr uintptr_t near = 64, most = 16;
  uintptr_t const whole = a.bytes + b.bytes;
  uintptr_t const between = uintptr_t(b.instruction) - uintptr_t(a.instruction);
  if (a.kind != Kind::write || b.kind != Kind::write || a.space != b.space || a.lanes != b.lanes) return false;
  if (between == 0 || between > near || whole > most || b.bytes > word_bytes) return false;
  bool neighbours = true;
  for (size_t lane = 0; lane < 32; ++lane)
    if (a.lanes >> lane & 1)
      neighbours = neighbours && b.at[lane] == a.at[lane] + a.bytes && a.at[lane] % std::bit_ceil(whole) == 0;
  return neighbours;
}

/// Which words an op has read and written, for its floor, and who saw a sector or a word last.
class Shadow {
 public:
  void begin_op() { ++op_, floor_ = 0; }
  void begin_launch() { ++launch_; }
  void begin_block() { ++block_; }
  int64_t floor() const { return floor_; }

  void touch(Request const& r, KernelTraffic& to) {
    bool const writes = r.kind != Kind::read, reads = r.kind != Kind::write;
    std::array<uintptr_t, 1024> found;
    unsigned count = units(r, ~0u, sector_bytes, found);
    for (unsigned i = 0; i < count; ++i)
      for (int way : {0, 1})
        if (way ? writes : reads)
          to.by_blocks += first(sector_[way][found[i] - region().begin / sector_bytes], block_) ? sector_bytes : 0;
    count = units(r, ~0u, word_bytes, found);
    for (unsigned i = 0; i < count; ++i) {
      uintptr_t const word = found[i] - region().begin / word_bytes;
      for (int way : {0, 1})
        if (way ? writes : reads) to.touched += first(word_[way][word], launch_) ? word_bytes : 0;
      if (reads) read(state_[word]);
      if (writes) write(state_[word]);
    }
  }

 private:
  static bool first(uint32_t& seen, uint32_t now) { return std::exchange(seen, now) != now; }
  /// A word that this op has met has the op's number, and in its last bit whether it holds what nobody has read yet.
  void read(uint32_t& state) {
    if (state / 2 != op_) state = 2 * op_, floor_ += word_bytes;
    else if (state % 2) --state, floor_ -= word_bytes;
  }
  void write(uint32_t& state) {
    if (state != 2 * op_ + 1) state = 2 * op_ + 1, floor_ += word_bytes;
  }

  uint32_t op_ = 0, launch_ = 0, block_ = 0;
  int64_t floor_ = 0;
  uint32_t* sector_[2] = {reserve<uint32_t>(Region::bytes / sector_bytes),
                          reserve<uint32_t>(Region::bytes / sector_bytes)};
  uint32_t* word_[2] = {reserve<uint32_t>(Region::bytes / word_bytes), reserve<uint32_t>(Region::bytes / word_bytes)};
  uint32_t* state_ = reserve<uint32_t>(Region::bytes / word_bytes);
};

/// The arguments of a kernel do not tell it from others: what is in brackets outside of <> goes.
std::string without_arguments(std::string const& text) {
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    depth += text[i] == '<' ? 1 : text[i] == '>' ? -1 : 0;
    if (text[i] == '(' && depth == 0) return text.substr(0, i);
  }
  return text;
}
std::string name_of(void const* kernel) {
  Dl_info info{};
  if (!dladdr(kernel, &info) || !info.dli_sname) return "a kernel without a name: link with -rdynamic";
  std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(info.dli_sname, nullptr, nullptr, nullptr),
                                              std::free);
  std::string text = without_arguments(name ? name.get() : info.dli_sname);
  if (text.starts_with("void ")) text.erase(0, 5);
  for (std::string_view part : {"d16::kernels::emulated::", "d16::"})
    for (size_t at; (at = text.find(part)) != text.npos;) text.erase(at, part.size());
  return text;
}

class Counter {
 public:
  bool on = false;
  int own = 0;  ///< how many Uncounted there are

  void begin() {
    traffic_ = {};
    shadow_.begin_op();
    on = true;
  }
  void end() { on = false; }
  OpTraffic const& result() {
    traffic_.floor = shadow_.floor();
    return traffic_;
  }

  void launch_begins(void const* kernel) {
    if (!on) return;
    std::string const name = name_of(kernel);
    auto& all = traffic_.kernels;
    auto found = std::find_if(all.begin(), all.end(), [&](KernelTraffic const& k) { return k.kernel == name; });
    if (found == all.end()) found = all.insert(all.end(), KernelTraffic{.kernel = name});
    kernel_ = &*found;
    ++kernel_->launches;
    shadow_.begin_launch(), shadow_.begin_block();
  }
  void launch_ends() { kernel_ = nullptr; }
  void block_ends() {
    for (unsigned warp = 0; warp < emulator::Worker::max_warps; ++warp) lanes_meet(warp, ~0u);
    shadow_.begin_block();
  }

  void note(void const* pointer, unsigned bytes, Kind kind, void const* instruction) {
    if (!kernel_ || own || !emulator::worker) return;
    uintptr_t const at = reinterpret_cast<uintptr_t>(pointer);
    Space space = Space::global;
    if (!region().has(at)) {
      if (at - reinterpret_cast<uintptr_t>(emulator::worker->shared) >= emulator::worker->shared_bytes) return;
      space = Space::shared;
    }
    of_thread_[emulator::worker->current->id].push_back({at, instruction, bytes, kind, space});
  }

  void lanes_meet(unsigned warp, unsigned lanes) {
    if (!kernel_) return;
    for (unsigned left = lanes; left; left &= left - 1) gather(warp, unsigned(std::countr_zero(left)));
    if (requests_.empty()) return;
    for (size_t i = 0; i < requests_.size();) {
      Request r = requests_[i++];
      while (i < requests_.size() && continues(r, requests_[i])) r.bytes += requests_[i++].bytes;
      account(r);
    }
    requests_.clear();
    for (auto& [key, visits] : visits_) visits.requests.clear();
  }

 private:
  struct Visits {
    std::vector<size_t> requests;  ///< by the number of the visit
    unsigned lane = 0, visit = 0;  ///< of the lane that is being gathered
  };

  /// The n-th visit of each lane to an instruction is one request, for what lanes have done since they last met.
  void gather(unsigned warp, unsigned lane) {
    std::vector<Access>& accesses = of_thread_[warp * 32 + lane];
    ++gathered_;
    for (Access const& a : accesses) {
      Visits& visits = visits_[uintptr_t(a.instruction) * 2 + uintptr_t(a.space)];
      if (visits.lane != gathered_) visits.lane = gathered_, visits.visit = 0;
      if (visits.visit == visits.requests.size()) {
        visits.requests.push_back(requests_.size());
        requests_.push_back({a.instruction, a.kind, a.space, a.bytes});
      }
      Request& r = requests_[visits.requests[visits.visit++]];
      r.lanes |= 1u << lane, r.at[lane] = a.at, r.bytes = std::max(r.bytes, a.bytes);
    }
    accesses.clear();
  }

  void account(Request const& r) {
    bool const global = r.space == Space::global;
    Requests const sum = global ? sectors(r) : wavefronts(r, reinterpret_cast<uintptr_t>(emulator::worker->shared));
    Requests& of_kind = !global                 ? kernel_->shared
                        : r.kind == Kind::read  ? kernel_->reads
                        : r.kind == Kind::write ? kernel_->writes
                                                : kernel_->atomics;
    of_kind.add(sum);
    Instruction& instruction = kernel_->instructions[{r.instruction, r.space}];
    instruction = {r.instruction, r.kind, r.space, std::max(instruction.bytes, r.bytes), instruction.sum};
    instruction.sum.add(sum);
    if (!global) return;
    kernel_->requested += sum.moved * int64_t(sector_bytes);
    shadow_.touch(r, *kernel_);
  }

  OpTraffic traffic_;
  KernelTraffic* kernel_ = nullptr;
  Shadow shadow_;
  std::array<std::vector<Access>, emulator::Worker::max_threads> of_thread_;
  std::unordered_map<uintptr_t, Visits> visits_;
  std::vector<Request> requests_;
  unsigned gathered_ = 0;
};
Counter& counter() {
  static Counter& one = *new Counter;
  return one;
}

}  // namespace

Count::Count() { counter().begin(); }
Count::~Count() { counter().end(); }
OpTraffic const& Count::result() const { return counter().result(); }

void note_access(void const* at, unsigned bytes, Kind kind, void const* instruction) {
  counter().note(at, bytes, kind, instruction);
}
void* take_global_memory(size_t bytes) { return region().take(bytes); }
bool is_global_memory(void const* at) { return region().has(reinterpret_cast<uintptr_t>(at)); }

}  // namespace d16::traffic

namespace d16::kernels::emulated::emulator {

using d16::traffic::counter;
using d16::traffic::Kind;

void launch_begins(void const* kernel) { counter().launch_begins(kernel); }
void launch_ends() { counter().launch_ends(); }
void block_ends() { counter().block_ends(); }
void lanes_meet(unsigned warp, unsigned lanes) { counter().lanes_meet(warp, lanes); }
void count_copy(void const* to, void const* from, unsigned bytes, unsigned valid) {
  void const* const instruction = __builtin_return_address(0);
  if (valid) counter().note(from, valid, Kind::read, instruction);
  counter().note(to, bytes, Kind::copy, instruction);
}
void count_matrix_row(void const* row) { counter().note(row, 16, Kind::read, __builtin_return_address(0)); }
Uncounted::Uncounted() { ++counter().own; }
Uncounted::~Uncounted() { --counter().own; }

}  // namespace d16::kernels::emulated::emulator
