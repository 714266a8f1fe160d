// Pictures as tensors: what PNG and JPEG share, and read_image(), which looks at a file's first bytes and not its name.
// Needs the standard library only. Include png.hpp or jpeg.hpp as well to make read_image() able to read those.
#pragma once
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "../core/error.hpp"
#include "../core/tensor.hpp"
#include "../ops/views.hpp"
#include "read_file.hpp"

namespace d16::io {

/// Pictures beyond this are refused before memory is taken: a file of kilobytes can claim gigabytes.
struct ImageLimits {
  int64_t max_side = 16384;
};

/// A kind of picture that this program can decode.
struct ImageFormat {
  std::string_view name, first_bytes;
  Tensor (*decode)(std::string_view bytes, std::string const& name, ImageLimits limits);
};

/// The kinds that were compiled in: png.hpp and jpeg.hpp add theirs before main() begins.
inline std::vector<ImageFormat>& image_formats() {
  static std::vector<ImageFormat> formats;
  return formats;
}

/// Decodes a picture; `name` is for messages.
/// Shapes   (H,W,C) float32 with C = 1 (grey) or 3 (red, green, blue); row 0 is the top row.   Units  [0,1] as stored.
/// Errors   FileError: not a picture, a kind this program has no decoder for, damaged, larger than the limits.
inline Tensor decode_image(std::string_view bytes, std::string const& name, ImageLimits limits = {}) {
  for (ImageFormat const& format : image_formats())
    if (bytes.starts_with(format.first_bytes)) return format.decode(bytes, name, limits);
  struct Known {
    std::string_view first_bytes, what;
  };
  static constexpr Known known[] = {
      {"\x89PNG", "a PNG picture, and this program cannot read those; include d16/io/png.hpp and link libpng"},
      {"\xFF\xD8\xFF", "a JPEG picture, and this program cannot read those; include d16/io/jpeg.hpp and link libjpeg"},
      {"SIMPLE  =", "a FITS file; read it with read_fits of d16/io/fits.hpp"},
      {"\x93NUMPY", "a NumPy array; read it with read_npy of d16/io/npy.hpp"},
      {"GIF8", "a GIF picture; convert it to PNG"},
      {"II*", "a TIFF picture; convert it to PNG"},
      {"MM", "perhaps a TIFF picture; convert it to PNG"}};
  for (Known const& k : known) require<FileError>(!bytes.starts_with(k.first_bytes), name, ": is ", k.what);
  require<FileError>(!bytes.empty(), name, ": is empty; fetch the file again");
  throw FileError(text(name, ": does not begin as a PNG or JPEG picture; it is damaged or something else"));
}

inline Tensor read_image(std::string const& path, ImageLimits limits = {}) {
  return decode_image(read_file(path), path, limits);
}

namespace detail {

inline void check_image_size(std::string const& name, int64_t width, int64_t height, ImageLimits limits) {
  require<FileError>(width > 0 && height > 0 && width <= limits.max_side && height <= limits.max_side, name, ": ",
                     width, "x", height, " pixels; from 1 to ", limits.max_side,
                     " a side are read (ImageLimits::max_side)");
}

/// Eight-bit pixels, rows from the top, channels innermost.
struct Pixels {
  int64_t height = 0, width = 0, channels = 0;
  std::vector<unsigned char> bytes;
};

/// Brings (H,W), (H,W,1) or (H,W,3) in [0,1] to 0..255, rounded; what is outside is clamped, NaN is black.
inline Pixels to_pixels(Tensor const& image, char const* op) {
  int rank = image.rank();
  int64_t channels = rank == 3 ? image.dim(2) : 1;
  require<ShapeError>((rank == 2 || rank == 3) && (channels == 1 || channels == 3) && image.numel() > 0, op,
                      ": the image is ", image.shape(), "; (H,W), (H,W,1) or (H,W,3) without empty axes is needed");
  Pixels out{image.dim(0), image.dim(1), channels, std::vector<unsigned char>(size_t(image.numel()))};
  Tensor host = image.detach().to(Device()).contiguous();
  for_float(host.dtype(), [&]<class T>(T) {
    T const* in = host.data<T>();
    for (size_t i = 0; i < out.bytes.size(); ++i)
      out.bytes[i] = in[i] > 0 ? static_cast<unsigned char>(std::min<T>(in[i], 1) * 255 + T(0.5)) : 0;
  });
  return out;
}

}  // namespace detail

}  // namespace d16::io
