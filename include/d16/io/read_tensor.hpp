// The raw bytes of a file as a tensor: what .safetensors and .npy share.
#pragma once
#include <algorithm>
#include <bit>
#include <string>

#include "../core/tensor.hpp"
#include "read_file.hpp"

namespace d16::io::detail {

static_assert(std::endian::native == std::endian::little,
              "the formats read here are little-endian, and so is the host");

/// Reads the next elements of a file into a new tensor on the cpu; `what` names it in messages.
/// Errors   FileError: too few bytes, a boolean that is neither 0 nor 1 (to C++ that would be no bool at all).
inline Tensor read_tensor(InputFile& file, std::string const& what, DType dtype, Shape shape) {
  Tensor tensor = empty(shape, {.dtype = dtype, .device = Device(), .group = {}});
  for_dtype(dtype, [&]<class T>(T) {
    auto* bytes = reinterpret_cast<unsigned char*>(tensor.data<T>());
    int64_t count = tensor.numel() * int64_t(sizeof(T));
    file.read(bytes, count);
    bool valid =
        dtype != DType::boolean || std::all_of(bytes, bytes + count, [](unsigned char byte) { return byte <= 1; });
    require<FileError>(valid, file.path(), ": ", what, " is of type bool and has bytes that are neither 0 nor 1");
  });
  return tensor;
}

}  // namespace d16::io::detail
