// What a long job says while it runs: one refreshed line on a terminal, plain lines elsewhere.
#pragma once
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>

#include "../core/allocator.hpp"
#include "../core/error.hpp"

namespace d16::optim {

/// Seconds since it was made, by a clock that is never set back.
class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// "48 s", "3 min 20 s", "2 h 05 min".
inline std::string duration_text(double seconds) {
  auto whole = static_cast<long long>(seconds + 0.5);
  char buffer[48];
  if (whole < 60) std::snprintf(buffer, sizeof buffer, "%lld s", whole);
  else if (whole < 3600) std::snprintf(buffer, sizeof buffer, "%lld min %02lld s", whole / 60, whole % 60);
  else std::snprintf(buffer, sizeof buffer, "%lld h %02lld min", whole / 3600, whole / 60 % 60);
  return buffer;
}

/// The most memory that tensors ever took: "312 MiB".
inline std::string peak_memory_text() { return text(double(host_arena().use().peak >> 20), " MiB"); }

/// update() shows where the job stands, line() what is worth keeping. Null: says nothing.
class Progress {
 public:
  explicit Progress(std::FILE* out) : out_(out), terminal_(out && isatty(fileno(out))) {}
  Progress(Progress const&) = delete;
  Progress& operator=(Progress const&) = delete;
  ~Progress() { clear(); }

  /// Whether update() would show something now.
  bool due() const { return out_ && watch_.seconds() >= next_; }
  /// On a terminal replaces the last such line, at most ten times a second; elsewhere prints one every 30 s.
  void update(std::string const& status) {
    if (!due()) return;
    next_ = watch_.seconds() + (terminal_ ? 0.1 : 30);
    std::fprintf(out_, terminal_ ? "\r\033[K%s" : "%s\n", status.c_str());
    std::fflush(out_);
    shown_ = terminal_;
  }
  void line(std::string const& text) {
    if (!out_) return;
    clear();
    std::fprintf(out_, "%s\n", text.c_str());
    std::fflush(out_);
  }

 private:
  void clear() {
    if (shown_) std::fputs("\r\033[K", out_);
    shown_ = false;
  }

  std::FILE* out_;
  bool terminal_, shown_ = false;
  Stopwatch watch_;
  double next_ = 0.5;
};

}  // namespace d16::optim
