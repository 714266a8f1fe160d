// Opening a file for reading, with an error that says which file, what is wrong and what to do.
#pragma once
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "../core/error.hpp"

namespace d16::io {

/// A regular file of known size, read from front to back.
/// Errors   FileError: no such file, a folder or device, no permission, shorter than what is asked of it.
class InputFile {
 public:
  explicit InputFile(std::string path) : path_(std::move(path)), file_(std::fopen(path_.c_str(), "rb")) {
    require<FileError>(file_ != nullptr, path_, ": cannot open: ", std::strerror(errno),
                       "; check the name and your rights");
    struct stat info {};
    bool known = fstat(fileno(file_.get()), &info) == 0;
    require<FileError>(known && S_ISREG(info.st_mode), path_, ": is a ",
                       known && S_ISDIR(info.st_mode) ? "folder" : "device", "; the name of a file is needed");
    size_ = int64_t(info.st_size);
  }

  std::string const& path() const { return path_; }
  int64_t size() const { return size_; }

  void read(void* into, int64_t bytes) {
    if (bytes == 0) return;
    size_t got = std::fread(into, 1, size_t(bytes), file_.get());
    require<FileError>(int64_t(got) == bytes, path_, ": ",
                       std::ferror(file_.get()) ? std::strerror(errno) : "ends early", ": ", got, " of ", bytes,
                       " bytes could be read; fetch the file again");
  }
  void seek(int64_t position) {
    require<FileError>(fseeko(file_.get(), off_t(position), SEEK_SET) == 0, path_, ": cannot seek to ", position, ": ",
                       std::strerror(errno));
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  int64_t size_ = 0;
};

/// All bytes of a file of at most `max_bytes` (default 1 GiB).
inline std::string read_file(std::string const& path, int64_t max_bytes = int64_t(1) << 30) {
  InputFile file(path);
  require<FileError>(file.size() <= max_bytes, path, ": ", file.size(), " bytes; at most ", max_bytes,
                     " are read at once");
  std::string bytes(size_t(file.size()), '\0');
  file.read(bytes.data(), file.size());
  return bytes;
}

}  // namespace d16::io
