// The CUDA emulator: runs a kernel, compiled by a host compiler, block by block; each CUDA thread is a fiber.
#pragma once
#if defined(__CUDACC__)
#error "emulator.hpp is for host compilers; a kernel includes gpu.hpp"
#endif
#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <d16/core/error.hpp>
#include <d16/core/parallel.hpp>

#include "emulator_counting.hpp"
#include "emulator_fiber.hpp"
#include "emulator_types.hpp"

namespace d16::kernels {
namespace emulated {
namespace emulator {

/// How a launch is run. What is right on a GPU is right under every setting; tests run them all.
struct Settings {
  enum class Order { forward, reverse, random };
  Order order =
      Order::forward;  ///< in which threads that can go on are picked: D16_EMULATOR_ORDER, random:7 with a seed
  uint64_t seed = 1;
  bool late = true;    ///< cp.async data lands when it is waited for, not when asked for: D16_EMULATOR_ASYNC=late|early
  bool strict = true;  ///< a thread that has left a block which still meets at barriers is an error:
                       ///< D16_EMULATOR_STRICT=0 allows it
  size_t most_shared_bytes = 227 << 10;  ///< of a block, as a GPU of compute capability 9.0 has it; 99 << 10: 8.6, 8.9
};

inline Settings settings_of_environment() {
  auto word = [](char const* name) {
    char const* value = std::getenv(name);
    return std::string_view(value ? value : "");
  };
  Settings s;
  std::string_view order = word("D16_EMULATOR_ORDER");
  if (order.starts_with("reverse")) s.order = Settings::Order::reverse;
  else if (order.starts_with("random")) s.order = Settings::Order::random;
  else
    require<ValueError>(order.empty() || order == "forward", "D16_EMULATOR_ORDER is ", order,
                        "; it is one of forward, reverse, random, random:SEED");
  if (size_t colon = order.find(':'); colon != order.npos)
    s.seed = std::strtoull(std::string(order.substr(colon + 1)).c_str(), nullptr, 10);
  std::string_view async = word("D16_EMULATOR_ASYNC"), strict = word("D16_EMULATOR_STRICT");
  require<ValueError>(async.empty() || async == "late" || async == "early", "D16_EMULATOR_ASYNC is ", async,
                      "; it is late or early");
  s.late = async != "early";
  s.strict = strict != "0";
  return s;
}
/// Of the whole process; not to be changed while a kernel runs.
inline Settings& settings() {
  static Settings s = settings_of_environment();
  return s;
}

/// Where a barrier or warp operation stands in the kernel's source.
struct Place {
  char const* file = "";
  unsigned line = 0;
  static constexpr Place here(char const* f = __builtin_FILE(), unsigned l = __builtin_LINE()) { return {f, l}; }
  bool operator==(Place const& other) const { return line == other.line && std::strcmp(file, other.file) == 0; }
};

enum class Wait : unsigned char { none, block_barrier, named_barrier, warp_barrier, shuffle, vote, ldmatrix, mma };
inline char const* name_of(Wait wait) {
  constexpr char const* names[] = {"runnable or not started",
                                   "__syncthreads",
                                   "a named barrier",
                                   "__syncwarp",
                                   "a shuffle",
                                   "ballot/any/all",
                                   "ldmatrix",
                                   "mma"};
  return names[int(wait)];
}

struct AsyncCopy {
  void* to;
  void const* from;
  unsigned bytes, valid;  ///< what lies beyond `valid` becomes 0
};

/// A CUDA thread. `in` and `out` are its mailbox in operations of the whole warp.
struct Thread {
  static constexpr size_t mail_bytes = 32;
  alignas(16) unsigned char in[mail_bytes], out[mail_bytes];
  Fiber* fiber = nullptr;
  uint3 index{};
  unsigned id = 0;
  bool done = false;
  Wait wait = Wait::none;
  Place place{};
  std::vector<AsyncCopy> pending;
  std::vector<unsigned> groups;  ///< how many of the pending copies each committed group has
};

/// What the last lane to arrive does for all lanes of a warp operation: from their `in` to their `out`.
using Combine = void (*)(Thread* lanes, unsigned present);

struct Meeting {
  unsigned arrived = 0, mask = 0;
  Wait wait{};
  Place place{};
  Combine combine = nullptr;
  unsigned turn = 0;  ///< how often they have met
};
struct Barrier {
  unsigned arrived = 0, turn = 0;
  Place place{};
  std::vector<Thread*> waiting;
};

/// The block in flight on one OS thread.
struct Worker {
  static constexpr unsigned max_threads = 1024, max_warps = 32, max_barriers = 16;

  Fiber main;
  std::vector<Fiber*> idle;
  std::vector<Thread> threads{max_threads};
  std::vector<Thread*> ready;
  size_t head = 0;  ///< of `ready`
  unsigned size = 0, started = 0, live = 0;
  Thread* current = nullptr;
  unsigned alive[max_warps] = {};
  Meeting meetings[max_warps][32];  ///< by warp and first lane of the mask
  Barrier barriers[max_barriers];
  /// Only the addresses count: TSan orders by them. New for each block, or blocks would be ordered. Two for each meeting,
  /// in turn, or a thread that has gone on to the next one would be ordered before those that have not left this one.
  struct Orders {
    char barrier[max_barriers][2] = {}, warp[max_warps][32][2] = {};
  };
  std::unique_ptr<Orders> orders = std::make_unique<Orders>();
  char launch_order = 0, exit_order = 0;
  void (*call)(void*) = nullptr;
  void* job = nullptr;
  unsigned char* shared = nullptr;
  size_t shared_bytes = 0, shared_room = 0;
  uint64_t random = 1;
  unsigned rotation = 0;
  std::string failure;

  ~Worker() {
    for (Fiber* fiber : idle) free_fiber(fiber);
  }
};
inline constinit thread_local Worker* worker = nullptr;

/// Each OS thread keeps its worker, and so its warm stacks, from launch to launch.
inline Worker& own_worker() {
  static thread_local std::unique_ptr<Worker> own = std::make_unique<Worker>();
  return *own;
}

inline std::string where_everybody_is() {
  std::string out;
  for (unsigned i = 0; i < worker->size;) {
    Thread const& a = worker->threads[i];
    unsigned end = i;
    auto same = [&](Thread const& b) {
      return b.done == a.done && (a.done || (b.wait == a.wait && b.place == a.place));
    };
    while (end < worker->size && same(worker->threads[end])) ++end;
    out += text("\n  threads ", i, "..", end - 1, ": ");
    if (a.done) out += "exited";
    else if (a.wait == Wait::none) out += name_of(a.wait);
    else out += text("in ", name_of(a.wait), " at ", a.place.file, ":", a.place.line);
    i = end;
  }
  return out;
}

/// Ends the block from inside one of its threads: the launch throws DeviceError with `what` and where each thread was.
[[noreturn]] inline void fail(std::string_view what) {
  Quiet quiet;
  worker->failure = text("cuda_emulated: ", what, "\n  block (", blockIdx.x, ",", blockIdx.y, ",", blockIdx.z,
                         "), thread (", threadIdx.x, ",", threadIdx.y, ",", threadIdx.z, ") of (", blockDim.x, ",",
                         blockDim.y, ",", blockDim.z, ")", where_everybody_is());
  release(&worker->exit_order);
  switch_fiber(worker->current->fiber, &worker->main, true);
  std::abort();  // nobody switches back
}

inline void activate(Thread* thread) {
  worker->current = thread;
  threadIdx = thread->index;
}
inline uint64_t random_word() {
  uint64_t& x = worker->random;
  x ^= x << 13, x ^= x >> 7, x ^= x << 17;
  return x;
}
/// A thread that can go on, or null.
inline Thread* take_ready() {
  auto& ready = worker->ready;
  if (worker->head == ready.size()) {
    ready.clear();
    worker->head = 0;
    return nullptr;
  }
  if (settings().order == Settings::Order::reverse) {
    Thread* const last = ready.back();
    ready.pop_back();
    return last;
  }
  if (settings().order == Settings::Order::random)
    std::swap(ready[worker->head], ready[worker->head + random_word() % (ready.size() - worker->head)]);
  return ready[worker->head++];
}
/// A thread that has not begun, or null. Which one depends on the order.
inline Thread* take_new() {
  if (worker->started == worker->size) return nullptr;
  unsigned k = worker->started++;
  if (settings().order == Settings::Order::reverse) k = worker->size - 1 - k;
  if (settings().order == Settings::Order::random) k = (k + worker->rotation) % worker->size;
  return &worker->threads[k];
}

void thread_entry();
inline Fiber* take_fiber() {
  if (worker->idle.empty()) return new_fiber(thread_entry);
  Fiber* const fiber = worker->idle.back();
  worker->idle.pop_back();
  return fiber;
}

/// The current thread cannot go on: another one runs until somebody has made this one ready and picked it.
inline void wait_here(Thread* me) {
  Thread* next = take_ready();
  if (next != me) {
    if (!next) {
      next = take_new();
      if (!next) fail("deadlock: no thread of the block can go on (divergent barrier or warp operation?)");
      next->fiber = take_fiber();
    }
    release(&worker->exit_order);  // in case that another thread ends the block and this one never goes on
    activate(next);
    switch_fiber(me->fiber, next->fiber);
  }
  me->wait = Wait::none;
}

/// All warps of the barrier have met there.
inline void end_requests(Barrier const& barrier) {
  unsigned warps = 1u << worker->current->id / 32;
  for (Thread const* thread : barrier.waiting) warps |= 1u << thread->id / 32;
  for (; warps; warps &= warps - 1) lanes_meet(unsigned(std::countr_zero(warps)), ~0u);
}
inline void open(Barrier& barrier) {
  if constexpr (counting) end_requests(barrier);
  for (Thread* thread : barrier.waiting) worker->ready.push_back(thread);
  barrier.waiting.clear();
  barrier.arrived = 0;
  barrier.turn++;
}
inline void conclude(unsigned warp, Meeting& meeting, Thread* me) {
  Thread* const lanes = worker->threads.data() + warp * 32;
  unsigned const present = std::exchange(meeting.arrived, 0);
  lanes_meet(warp, present);
  for (unsigned left = present; left; left &= left - 1)
    if (Thread* lane = lanes + std::countr_zero(left); lane != me) worker->ready.push_back(lane);
  meeting.turn++;
  if (meeting.combine) meeting.combine(lanes, present);
}

inline void leave_block() {
  Thread* const me = worker->current;
  unsigned const warp = me->id / 32;
  Barrier& barrier = worker->barriers[0];
  if (barrier.arrived && settings().strict)
    fail("a thread has returned while others wait at __syncthreads: use a condition, not a return");
  me->done = true;
  worker->live--;
  worker->alive[warp] &= ~(1u << me->id % 32);
  me->pending.clear();
  me->groups.clear();
  if (barrier.arrived && barrier.arrived >= worker->live) open(barrier);
  for (Meeting& meeting : worker->meetings[warp])
    if (meeting.arrived && meeting.arrived == (meeting.mask & worker->alive[warp])) conclude(warp, meeting, nullptr);
  release(&worker->exit_order);
}

/// After the current thread has ended: who runs next, and on which fiber. Without barriers all threads run on one.
inline Fiber* fiber_after_exit(Fiber* mine) {
  if (Thread* next = take_ready()) {
    activate(next);
    return next->fiber;
  }
  if (Thread* next = take_new()) {
    activate(next);
    return next->fiber = tsan ? take_fiber() : mine;
  }
  if (worker->live != 0) fail("deadlock: the remaining threads wait for threads that have returned");
  return &worker->main;
}

inline void thread_entry() {
#ifdef D16_EMULATOR_ASAN
  void const* bottom;
  size_t size;
  __sanitizer_finish_switch_fiber(nullptr, &bottom, &size);
  if (!worker->main.bottom) worker->main.bottom = bottom, worker->main.size = size;
#endif
  for (;;) {
    acquire(&worker->launch_order);
    worker->call(worker->job);
    Fiber *mine, *next;
    {
      Quiet quiet;
      leave_block();
      mine = worker->current->fiber;
      next = fiber_after_exit(mine);
      if (next == mine) continue;
      worker->idle.push_back(mine);
    }
    switch_fiber(mine, next);
  }
}

/// Shared memory of a block: new, and full of NaN, so that reading what was never written shows. Smem::take() opens it.
inline void give_shared_memory(size_t bytes) {
  constexpr size_t alignment = 1024, room_for_red_zones = asan ? 8192 : 0;
  worker->shared_bytes = bytes;
  worker->shared_room = (bytes + room_for_red_zones + alignment - 1) / alignment * alignment;
  if (!bytes) return;
  worker->shared = static_cast<unsigned char*>(std::aligned_alloc(alignment, worker->shared_room));
  if (!worker->shared) throw std::bad_alloc();
  std::memset(worker->shared, 0xFF, worker->shared_room);
  poison(worker->shared, worker->shared_room);
}
inline void take_shared_memory_back() {
  if (!worker->shared) return;
  unpoison(worker->shared, worker->shared_room);
  std::free(std::exchange(worker->shared, nullptr));
}

inline void set_up_block(dim3 block) {
  Worker& w = *worker;
  w.size = w.live = block.x * block.y * block.z;
  w.started = 0, w.head = 0;
  w.ready.clear();
  for (unsigned i = 0; i < Worker::max_warps; ++i) {
    unsigned const first = i * 32;
    w.alive[i] = first >= w.size ? 0 : w.size - first >= 32 ? ~0u : (1u << (w.size - first)) - 1;
  }
  for (unsigned i = 0; i < w.size; ++i) {
    Thread& t = w.threads[i];
    t.fiber = nullptr, t.done = false, t.wait = Wait::none;
    t.id = i, t.index = {i % block.x, i / block.x % block.y, i / (block.x * block.y)};
  }
  blockDim = block;
  w.random = settings().seed * 0x9E3779B97F4A7C15ull + blockIdx.x * 7919 + blockIdx.y * 104729 + 1;
  for (int i = 0; i < 4; ++i) w.rotation = unsigned(random_word() >> 33);
}

/// After a failure: the stacks of threads that will never end, and what they had begun.
inline void abandon_block() {
  Worker& w = *worker;
  std::vector<Fiber*> lost{w.current->fiber};
  for (unsigned i = 0; i < w.size; ++i) {
    Thread& t = w.threads[i];
    if (!t.done && t.fiber && t.fiber != w.current->fiber) lost.push_back(t.fiber);
    t.pending.clear();
    t.groups.clear();
  }
  for (Fiber* fiber : lost) free_fiber(fiber, false);
  for (auto& of_warp : w.meetings)
    for (Meeting& meeting : of_warp) meeting.arrived = 0;
  for (Barrier& barrier : w.barriers) barrier.arrived = 0, barrier.waiting.clear();
}

inline void run_block(dim3 block, size_t shared_bytes) {
  Worker& w = *worker;
  set_up_block(block);
  give_shared_memory(shared_bytes);
  if (tsan) {
    w.orders = std::make_unique<Worker::Orders>();
    // Here, since a fiber that a CUDA thread made would be ordered after that thread
    while (w.idle.size() < w.size) w.idle.push_back(new_fiber(thread_entry));
    std::rotate(w.idle.begin(), w.idle.begin() + 1, w.idle.end());  // thread 0 of two blocks is two threads of TSan's
  }
  Thread* const first = take_new();
  first->fiber = take_fiber();
  activate(first);
  switch_fiber(&w.main, first->fiber);
  acquire(&w.exit_order);
  block_ends();
  if (!w.failure.empty()) abandon_block();
  take_shared_memory_back();
  if (!w.failure.empty()) throw DeviceError(std::exchange(w.failure, {}));
}

inline void check_launch(dim3 grid, dim3 block, size_t shared_bytes) {
  constexpr unsigned max_grid_yz = 65535, max_grid_x = 0x7fffffff, max_block_z = 64;
  size_t const max_shared = settings().most_shared_bytes;
  size_t const threads = size_t(block.x) * block.y * block.z;
  bool const fits = threads > 0 && threads <= Worker::max_threads && block.z <= max_block_z && grid.x > 0 &&
                    grid.y > 0 && grid.z > 0 && grid.x <= max_grid_x && grid.y <= max_grid_yz &&
                    grid.z <= max_grid_yz && shared_bytes <= max_shared;
  require<DeviceError>(fits, "cuda_emulated: invalid launch: grid (", grid.x, ",", grid.y, ",", grid.z, "), block (",
                       block.x, ",", block.y, ",", block.z, "), ", shared_bytes,
                       " bytes of shared memory; a block has 1 to 1024 threads and at most ", max_shared, " bytes");
}

/// Makes this OS thread the worker of a launch, for the lifetime of the object.
struct AtWork {
  AtWork(void (*call)(void*), void* job, dim3 grid) {
    worker = &own_worker();
    gridDim = grid;
    worker->call = call, worker->job = job;
#ifdef D16_EMULATOR_TSAN
    worker->main.tsan_fiber = __tsan_get_current_fiber();
#endif
    release(&worker->launch_order);  // CUDA threads come after earlier launches, not after earlier blocks of their own
  }
  ~AtWork() { worker = nullptr; }
  Quiet quiet;
};

inline uint3 block_number(size_t k, size_t blocks, dim3 grid) {
  if (settings().order == Settings::Order::reverse) k = blocks - 1 - k;
  if (settings().order == Settings::Order::random) k = (k + settings().seed * 7919) % blocks;
  return {unsigned(k % grid.x), unsigned(k / grid.x % grid.y), unsigned(k / (size_t(grid.x) * grid.y))};
}

/// Runs all blocks of kernel(args...), spread over the threads of core/parallel.hpp, and returns when they have ended.
/// Errors   DeviceError: an invalid launch, or what a thread did that no GPU allows, with the place of every thread.
template <class... P, class... A>
void launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes, A&&... args) {
  check_launch(grid, block, shared_bytes);
  struct Job {
    void (*kernel)(P...);
    std::tuple<std::decay_t<P>...> args;
  } job{kernel, {static_cast<std::decay_t<P>>(args)...}};
  auto call = [](void* p) {
    auto* const j = static_cast<Job*>(p);
    auto own_args = j->args;  // parameters of a CUDA thread are its own
    std::apply(j->kernel, own_args);
  };
  size_t const blocks = size_t(grid.x) * grid.y * grid.z;
  std::atomic<size_t> next{0};
  launch_begins(reinterpret_cast<void const*>(kernel));
  parallel_tasks(int64_t(std::min(blocks, size_t(threads()))), [&](int64_t) {
    AtWork at_work(call, &job, grid);
    for (size_t k; (k = next.fetch_add(1)) < blocks;) try {
        blockIdx = block_number(k, blocks, grid);
        run_block(block, shared_bytes);
      } catch (...) {
        next = blocks;
        throw;
      }
  });
  launch_ends();
}

/// All threads of the block, or `count` of them at barrier `id`, meet here; what they wrote before is seen after.
inline void block_barrier(unsigned id, unsigned count, Wait wait, Place place) {
  Barrier& barrier = worker->barriers[id];
  void* const order = &worker->orders->barrier[id][barrier.turn % 2];
  release(order);
  {
    Quiet quiet;
    Thread* const me = worker->current;
    me->wait = wait, me->place = place;
    if (barrier.arrived == 0) barrier.place = place;
    else if (id == 0 && !(barrier.place == place))
      fail("divergent __syncthreads: threads of one block wait at different barriers");
    if (id == 0 && settings().strict && worker->live != worker->size)
      fail("__syncthreads after some threads have returned: use a condition, not a return");
    if (++barrier.arrived >= (count ? count : worker->live)) {
      open(barrier);
      me->wait = Wait::none;
    } else {
      barrier.waiting.push_back(me);
      wait_here(me);
    }
  }
  acquire(order);
}

/// Each lane of the mask gives `in`; the last one to arrive combines for all; each reads its own `out`.
template <class Out, class In>
Out warp_operation(unsigned mask, Wait wait, Place place, In const& in, Combine combine) {
  static_assert(sizeof(In) <= Thread::mail_bytes && sizeof(Out) <= Thread::mail_bytes);
  Quiet quiet;
  Thread* const me = worker->current;
  unsigned const warp = me->id / 32, bit = 1u << me->id % 32;
  me->wait = wait, me->place = place;
  if (!(mask & bit)) fail("warp operation: the calling lane is not in the mask");
  Meeting& meeting = worker->meetings[warp][std::countr_zero(mask)];
  std::memcpy(me->in, &in, sizeof in);
  bool const by_place = wait >= Wait::ldmatrix;
  if (!meeting.arrived) meeting = {0, mask, wait, place, combine, meeting.turn};
  else if (meeting.mask != mask || meeting.wait != wait || (by_place && !(meeting.place == place)))
    fail("divergent warp operation: lanes of one mask meet in different operations");
  meeting.arrived |= bit;
  if (meeting.arrived == (mask & worker->alive[warp])) {
    conclude(warp, meeting, me);
    me->wait = Wait::none;
  } else {
    wait_here(me);
  }
  Out out;
  std::memcpy(&out, me->out, sizeof out);
  return out;
}

inline unsigned lane() { return worker->current->id % 32; }
/// What orders the lanes of a mask that meet now.
inline void* warp_order(unsigned mask) {
  unsigned const warp = worker->current->id / 32, first = unsigned(std::countr_zero(mask)) % 32;
  return &worker->orders->warp[warp][first][worker->meetings[warp][first].turn % 2];
}

inline void check_shared(void const* at, size_t bytes, std::string_view what) {
  auto const p = static_cast<unsigned char const*>(at);
  size_t const room = asan ? worker->shared_room : worker->shared_bytes;
  if (p < worker->shared || p + bytes > worker->shared + room) fail(what);
}

inline void land(AsyncCopy const& copy) {
  Uncounted uncounted;
  note_write(copy.to, copy.bytes);  // the compiler may expand memcpy in place, and TSan would not see it
  if (copy.valid) note_read(copy.from, copy.valid);
  std::memcpy(copy.to, copy.from, copy.valid);
  std::memset(static_cast<char*>(copy.to) + copy.valid, 0, copy.bytes - copy.valid);
}
__forceinline__ void async_copy(void* to, void const* from, unsigned bytes, unsigned valid) {
  count_copy(to, from, bytes, valid);
  Uncounted uncounted;
  uintptr_t const address = reinterpret_cast<uintptr_t>(to) | (valid ? reinterpret_cast<uintptr_t>(from) : 0);
  if (address % bytes) fail("cp.async: an address is not a multiple of the size");
  check_shared(to, bytes, "cp.async: the destination is outside of dynamic shared memory");
  note_write(to, bytes);
  AsyncCopy const copy{to, from, bytes, valid};
  if (!settings().late) return land(copy);
  std::memset(to, 0xFF, bytes);
  Quiet quiet;
  worker->current->pending.push_back(copy);
}
inline void async_commit() {
  Quiet quiet;
  Thread& me = *worker->current;
  size_t committed = 0;
  for (unsigned group : me.groups) committed += group;
  me.groups.push_back(unsigned(me.pending.size() - committed));
}
/// Completes all groups but the `keep` youngest.
inline void async_wait(unsigned keep) {
  Thread& me = *worker->current;
  size_t copies = 0, groups = 0;
  for (; me.groups.size() - groups > keep; ++groups) copies += me.groups[groups];
  for (size_t i = 0; i < copies; ++i) land(me.pending[i]);
  Quiet quiet;
  me.pending.erase(me.pending.begin(), me.pending.begin() + int64_t(copies));
  me.groups.erase(me.groups.begin(), me.groups.begin() + int64_t(groups));
}

struct Shuffle {
  uint64_t value;
  int source;
};
inline void combine_shuffle(Thread* lanes, unsigned present) {
  for (unsigned left = present; left; left &= left - 1) {
    Thread& to = lanes[std::countr_zero(left)];
    Shuffle wanted, found;
    std::memcpy(&wanted, to.in, sizeof wanted);
    if (!(present >> wanted.source & 1)) fail("shuffle reads a lane that takes no part in it");
    std::memcpy(&found, lanes[wanted.source].in, sizeof found);
    std::memcpy(to.out, &found.value, sizeof found.value);
  }
}
template <class T> T shuffle(unsigned mask, T value, int source, Place place) {
  static_assert(sizeof(T) <= sizeof(uint64_t) && std::is_trivially_copyable_v<T>);
  Shuffle in{0, source};
  std::memcpy(&in.value, &value, sizeof value);
  uint64_t const out = warp_operation<uint64_t>(mask, Wait::shuffle, place, in, combine_shuffle);
  std::memcpy(static_cast<void*>(&value), &out, sizeof value);
  return value;
}
inline void combine_ballot(Thread* lanes, unsigned present) {
  unsigned votes = 0;
  for (unsigned left = present; left; left &= left - 1) {
    int const lane = std::countr_zero(left);
    int vote;
    std::memcpy(&vote, lanes[lane].in, sizeof vote);
    if (vote) votes |= 1u << lane;
  }
  for (unsigned left = present; left; left &= left - 1)
    std::memcpy(lanes[std::countr_zero(left)].out, &votes, sizeof votes);
}

}  // namespace emulator
}  // namespace emulated
}  // namespace d16::kernels
