// Profile: how often each op ran, how long its kernels took, and how much scratch memory they had.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <ctime>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "device.hpp"
#include "machine.hpp"

namespace d16 {

/// Watches the kernels of all ops, on every device, from its construction to its end; one at a time.
///   Profile profile;
///   ...
///   std::puts(profile.table().c_str());
/// On a GPU each kernel is then waited for: its own time is exact, the program's is longer.
class Profile {
 public:
  struct Row {
    std::string op, device;
    int64_t calls = 0;
    double milliseconds = 0;
    size_t scratch_bytes = 0;  ///< the most that one call had
  };

  Profile() {
    Profile* none = nullptr;
    require<ValueError>(active_slot().compare_exchange_strong(none, this), "Profile: another one is active");
  }
  ~Profile() { active_slot() = nullptr; }
  Profile(Profile const&) = delete;
  Profile& operator=(Profile const&) = delete;

  /// The profile that is watching, or null.
  static Profile* active() { return active_slot().load(std::memory_order_relaxed); }

  void add(char const* op, Device device, double milliseconds, size_t scratch_bytes) {
    std::lock_guard lock(mutex_);
    Row& row = rows_[{op, device.text()}];
    ++row.calls;
    row.milliseconds += milliseconds;
    row.scratch_bytes = std::max(row.scratch_bytes, scratch_bytes);
  }
  /// The longest first.
  std::vector<Row> rows() const {
    std::lock_guard lock(mutex_);
    std::vector<Row> rows;
    for (auto const& [key, row] : rows_) {
      rows.push_back(row);
      rows.back().op = key.first, rows.back().device = key.second;
    }
    std::stable_sort(rows.begin(), rows.end(),
                     [](Row const& a, Row const& b) { return a.milliseconds > b.milliseconds; });
    return rows;
  }
  /// One line for each op and device, and the sum.
  std::string table() const {
    std::string out = line("op", "device", "calls", "ms", "share", "scratch MiB");
    double total = 0;
    int64_t calls = 0;
    for (Row const& row : rows()) total += row.milliseconds, calls += row.calls;
    for (Row const& row : rows())
      out += line(row.op, row.device, std::to_string(row.calls), number("%.2f", row.milliseconds),
                  number("%.1f %%", total > 0 ? 100 * row.milliseconds / total : 0),
                  number("%.1f", double(row.scratch_bytes) / (1 << 20)));
    return out + line("all", "", std::to_string(calls), number("%.2f", total), "", "");
  }

 private:
  static std::atomic<Profile*>& active_slot() {
    static constinit std::atomic<Profile*> slot{nullptr};
    return slot;
  }
  static std::string number(char const* format, double value) {
    char buffer[48];
    std::snprintf(buffer, sizeof buffer, format, value);
    return buffer;
  }
  static std::string line(std::string const& op, std::string const& device, std::string const& calls,
                          std::string const& ms, std::string const& share, std::string const& scratch) {
    char buffer[256];
    std::snprintf(buffer, sizeof buffer, "%-26.60s %-14.20s %9.20s %12.20s %8.20s %12.20s\n", op.c_str(),
                  device.c_str(), calls.c_str(), ms.c_str(), share.c_str(), scratch.c_str());
    return buffer;
  }

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, Row> rows_;
};

namespace detail {

inline double clock_milliseconds() {
  std::timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return double(now.tv_sec) * 1e3 + double(now.tv_nsec) * 1e-6;
}

/// Times the kernel that runs while it lives, when a profile is active. What is captured does not run yet.
class Watch {
 public:
  Watch(char const* op, Device device, size_t scratch_bytes)
      : profile_(Capture::active() ? nullptr : Profile::active()),
        op_(op),
        device_(device),
        scratch_bytes_(scratch_bytes) {
    if (profile_) [[unlikely]]
      start();
  }
  ~Watch() {
    if (profile_) [[unlikely]]
      stop();
  }
  Watch(Watch const&) = delete;
  Watch& operator=(Watch const&) = delete;

 private:
  void start() { device_.is_host() ? void(began_ = clock_milliseconds()) : cuda_machine.start_clock(device_.index); }
  void stop() noexcept try {
    double const ms = device_.is_host() ? clock_milliseconds() - began_ : cuda_machine.stop_clock(device_.index);
    profile_->add(op_, device_, ms, scratch_bytes_);
  } catch (...) {  // the op itself says what is wrong
  }

  Profile* profile_;
  char const* op_;
  Device device_;
  size_t scratch_bytes_;
  double began_ = 0;
};

}  // namespace detail

}  // namespace d16
