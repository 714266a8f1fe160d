// The idx files of MNIST and its relatives: arrays of bytes, plain or gzipped. Link zlib (d16::png brings it).
#pragma once
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "../core/error.hpp"
#include "../core/tensor.hpp"
#include "read_file.hpp"

namespace d16::io {

/// What is inside gzipped bytes; `name` is for messages.
/// Errors   FileError: damaged, cut off, or more than max_bytes inside: a file of kilobytes can hold gigabytes.
inline std::string gunzip(std::string_view bytes, std::string const& name, int64_t max_bytes = int64_t(1) << 30) {
  z_stream stream{};
  require<OutOfMemory>(inflateInit2(&stream, 15 + 16) == Z_OK, name, ": no memory left to unpack it");  // 16: gzip
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = uInt(bytes.size());
  std::string out;
  int status = Z_OK;
  while (status == Z_OK && int64_t(out.size()) <= max_bytes) {
    char block[65536];
    stream.next_out = reinterpret_cast<Bytef*>(block), stream.avail_out = sizeof block;
    status = inflate(&stream, Z_NO_FLUSH);
    out.append(block, sizeof block - stream.avail_out);
  }
  inflateEnd(&stream);
  require<FileError>(int64_t(out.size()) <= max_bytes, name, ": unpacks to more than ", max_bytes, " bytes");
  require<FileError>(status == Z_STREAM_END, name, ": cannot be unpacked; it is truncated or damaged, fetch it again");
  return out;
}

inline bool is_idx(std::string_view bytes) { return bytes.starts_with(std::string_view("\0\0\x08", 3)); }

/// Reads an idx file of unsigned bytes, plain or gzipped: two zeros, 8 for bytes, the number of axes, their sizes as
/// big-endian 32-bit numbers, the elements.
/// Shapes   as in the file, uint8; images of MNIST are (N,28,28), labels (N).
/// Errors   FileError: not idx, elements other than bytes, truncated, bytes left over.
inline Tensor read_idx(std::string const& path) {
  std::string bytes = read_file(path);
  if (bytes.starts_with("\x1F\x8B")) bytes = gunzip(bytes, path);
  auto byte = [&](size_t k) { return int64_t(static_cast<unsigned char>(bytes[k])); };
  require<FileError>(bytes.size() >= 4 && byte(0) == 0 && byte(1) == 0, path,
                     ": does not begin as an idx file; it is empty, damaged or something else");
  require<FileError>(byte(2) == 8, path, ": holds idx elements of type ", byte(2), "; unsigned bytes (8) are read");
  size_t axes = size_t(byte(3)), header = 4 + 4 * axes;
  require<FileError>(axes >= 1 && axes <= size_t(Shape::max_rank) && bytes.size() >= header, path, ": says ", axes,
                     " axes in ", bytes.size(), " bytes; it is truncated or damaged");
  Shape shape;
  int64_t count = 1;
  for (size_t k = 0; k < axes; ++k) {
    size_t at = 4 + 4 * k;
    int64_t size = byte(at) << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3);
    shape.push_back(size);
    require<FileError>(!__builtin_mul_overflow(count, size, &count), path, ": shape ", shape,
                       " is more than memory has; the file is damaged");
  }
  require<FileError>(int64_t(bytes.size() - header) == count, path, ": shape ", shape, " needs ", count,
                     " bytes of data, the file has ", bytes.size() - header, "; it is truncated or damaged");
  Tensor out = empty(shape, {.dtype = DType::u8, .device = Device(), .group = {}});
  std::copy_n(reinterpret_cast<uint8_t const*>(bytes.data()) + header, count, out.data<uint8_t>());
  return out;
}

}  // namespace d16::io
