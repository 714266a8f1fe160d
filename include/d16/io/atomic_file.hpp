// Writing a file whole or not at all: every writer of this library ends here.
#pragma once
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "../core/error.hpp"

namespace d16::io {

/// A file that appears under its name only when commit() succeeds: written beside it, synced to the disk, renamed.
/// Whatever happens before (full disk, exception, crash, kill -9), a file that was there stays as it was. On Linux the
/// bytes go to an unnamed file, so that even kill -9 leaves nothing behind; elsewhere and on file systems that have no
/// unnamed files, to ".name.PID-N.tmp" in the same folder, removed unless the process is killed outright.
/// Errors   FileError: the file, the system's reason, what to do.
class AtomicFile {
 public:
  /// `unnamed` false takes the other way even where unnamed files exist: tests need both.
  explicit AtomicFile(std::string path, bool unnamed = true) : path_(std::move(path)), target_(path_) {
    resolve_target();
    size_t slash = target_.rfind('/');
    folder_ = slash == target_.npos ? "." : slash == 0 ? "/" : target_.substr(0, slash);
    if (unnamed) open_unnamed();
    if (descriptor_ < 0) make_temporary();
  }
  AtomicFile(AtomicFile const&) = delete;
  AtomicFile& operator=(AtomicFile const&) = delete;
  ~AtomicFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (named_) ::unlink(temporary_.c_str());
  }

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t count = ::write(descriptor_, bytes.data(), std::min(bytes.size(), size_t(1) << 30));
      if (count < 0 && errno == EINTR) continue;
      check(count > 0);
      bytes.remove_prefix(size_t(count));
    }
  }
  void write(void const* data, size_t bytes) { write(std::string_view(static_cast<char const*>(data), bytes)); }

  /// Puts the file under its name, in place of an older one.
  void commit() {
    check(::fsync(descriptor_) == 0);
    if (!named_) make_temporary();
    int descriptor = descriptor_;
    descriptor_ = -1;
    check(::close(descriptor) == 0);
    check(::rename(temporary_.c_str(), target_.c_str()) == 0);
    named_ = false;
    sync_folder();
  }

 private:
  /// A link to a file keeps being a link; a folder or a device must not be replaced by a file.
  void resolve_target() {
    require<FileError>(!path_.empty() && path_.back() != '/', "\"", path_, "\": the name of a file to write is needed");
    struct stat info {};
    if (::stat(path_.c_str(), &info) != 0) return;
    require<FileError>(S_ISREG(info.st_mode), path_, ": cannot write: it is a ",
                       S_ISDIR(info.st_mode) ? "folder" : "device", "; give the name of a file");
    require<FileError>(::access(path_.c_str(), W_OK) == 0, path_, ": cannot write: the file is there and protected (",
                       std::strerror(errno), "); remove it or choose another name");
    char real[PATH_MAX];
    if (::realpath(path_.c_str(), real)) target_ = real;
  }

  /// The file beside the target, or a name there for the unnamed one. What a killed run of the same process number left
  /// is passed over.
  void make_temporary() {
    static std::atomic<int> serial{0};
    std::string const name = target_.substr(target_.rfind('/') + 1, 100);  // npos + 1 is 0
    for (int tries = 0; !named_ && tries < 100; ++tries) {
      temporary_ = d16::text(folder_, "/.", name, ".", getpid(), "-", ++serial, ".tmp");
      if (descriptor_ >= 0) {
        named_ = ::linkat(AT_FDCWD, own_link().c_str(), AT_FDCWD, temporary_.c_str(), AT_SYMLINK_FOLLOW) == 0;
      } else {
        descriptor_ = ::open(temporary_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
        named_ = descriptor_ >= 0;
      }
      if (!named_ && errno != EEXIST) break;
    }
    check(named_);
  }
  std::string own_link() const { return "/proc/self/fd/" + std::to_string(descriptor_); }
  void open_unnamed() {
#ifdef O_TMPFILE
    if (::access("/proc/self/fd", X_OK) == 0)
      descriptor_ = ::open(folder_.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
#endif
  }
  void sync_folder() const {  // some file systems cannot sync a folder: the file itself is safe already
    int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    ::fsync(folder);
    ::close(folder);
  }

  void check(bool condition) const {
    if (condition) return;
    int reason = errno;
    throw FileError(d16::text(path_, ": cannot write: ", std::strerror(reason), "; ", remedy(reason)));
  }
  std::string remedy(int reason) const {
    switch (reason) {
      case ENOSPC:
      case EDQUOT:
      case EFBIG: return "free some space or choose another folder";
      case EACCES:
      case EPERM:
      case EROFS: return d16::text("choose a folder that you may write to, not ", folder_);
      case ENOENT:
      case ENOTDIR: return d16::text("make the folder ", folder_, " first");
      case ENAMETOOLONG: return "choose a shorter name";
      default: return "choose another folder";
    }
  }

  std::string path_, target_, folder_, temporary_;
  int descriptor_ = -1;
  bool named_ = false;
};

/// Writes `bytes` to a file, whole or not at all.
inline void write_file(std::string const& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace d16::io
