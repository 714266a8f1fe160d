// What the tests of readers and writers share: a folder that goes away, errors as text, a full disk, hostile bytes.
#pragma once
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <d16/core/error.hpp>
#include <d16/core/random.hpp>

namespace bad_input {

/// A new empty folder, removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "d16-io-XXXXXX").string();
    if (!mkdtemp(name.data())) throw d16::FileError("no temporary folder for the tests: " + name);
    path_ = name;
  }
  TemporaryFolder(TemporaryFolder const&) = delete;
  TemporaryFolder& operator=(TemporaryFolder const&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }
  std::string const& path() const { return path_; }
  /// A file with these bytes; its path.
  std::string file(std::string_view name, std::string_view bytes) const {
    std::string path = *this / name;
    std::ofstream(path, std::ios::binary).write(bytes.data(), std::streamsize(bytes.size()));
    return path;
  }
  /// How many files are there, hidden ones too.
  int count() const {
    int n = 0;
    for (auto const& entry : std::filesystem::directory_iterator(path_)) n += entry.exists();
    return n;
  }

 private:
  std::string path_;
};

/// The message of the E that `action` throws; what happened instead, when it does not.
template <class E = d16::FileError, class Action> std::string error_of(Action&& action) {
  try {
    action();
  } catch (E const& error) {
    return error.what();
  } catch (std::exception const& error) {
    return std::string("another exception: ") + error.what();
  }
  return "no exception";
}

inline bool contains(std::string_view text, std::string_view piece) { return text.find(piece) != text.npos; }

/// While it lives no file of this process can grow beyond `bytes`: a disk that is full.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  FullDisk(FullDisk const&) = delete;
  FullDisk& operator=(FullDisk const&) = delete;
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

/// Every way in which a writer is refused: one FileError that names the file and what to do, and nothing left behind.
/// `write` is called with a path; it has to write at least two bytes.
template <class Write> std::string writer_fault(Write write, std::string const& name) {
  TemporaryFolder folder;
  auto fault = [&](std::string const& path, std::string_view remedy) -> std::string {
    std::string message = error_of([&] { write(path); });
    bool good = contains(message, path) && contains(message, remedy) && !contains(message, "\n");
    return good ? "" : path + " gave: " + message;
  };
  std::string out = fault(folder / "absent" + "/" + name, "make the folder");
  std::string plain = folder.file("plain", "x");
  if (out.empty()) out = fault(plain + "/" + name, "make the folder");
  if (out.empty()) out = fault(folder.path(), "it is a folder");
  if (out.empty()) out = fault("/dev/full", "it is a device");
  if (out.empty()) out = fault("/proc/" + name, "make the folder");
  if (out.empty()) {
    FullDisk disk(1);
    out = fault(folder / name, "free some space");
  }
  if (out.empty() && folder.count() != 1) out = "something was left behind";
  std::string kept = folder.file(name, "the older file");
  if (out.empty()) {
    FullDisk disk(1);
    out = fault(kept, "free some space");
  }
  std::string content;
  std::getline(std::ifstream(kept), content);
  if (out.empty() && content != "the older file") out = "the older file was touched";
  if (out.empty() && folder.count() != 2) out = "something was left behind an older file";
  return out;
}

/// `bytes` with one to four random changes: a byte, a bit, a piece cut out, repeated or put elsewhere, an end cut off.
inline std::string mutated(std::string bytes, d16::Random& random) {
  auto place = [&] { return size_t(random.integer(std::max<int64_t>(1, int64_t(bytes.size())))); };
  for (int64_t changes = 1 + random.integer(4); changes > 0 && !bytes.empty(); --changes) {
    size_t at = place(), length = size_t(random.integer(16)) + 1;
    switch (random.integer(6)) {
      case 0: bytes[at] = char(random.integer(256)); break;
      case 1: bytes[at] = char(bytes[at] ^ (1 << random.integer(8))); break;
      case 2: bytes.erase(at, length); break;
      case 3: bytes.insert(place(), bytes.substr(at, length)); break;
      case 4: bytes[at] = "09-,:\"'[]{}()\n\\e."[random.integer(17)]; break;
      default: bytes.resize(at);
    }
  }
  return bytes;
}

/// Random bytes.
inline std::string noise(size_t count, d16::Random& random) {
  std::string bytes(count, '\0');
  for (char& c : bytes) c = char(random.integer(256));
  return bytes;
}

}  // namespace bad_input
