// PNG pictures by libpng. Including this makes read_image() able to read them; link png.
#pragma once
#include <png.h>

#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "atomic_file.hpp"
#include "image.hpp"

namespace d16::io {

namespace detail {

/// libpng reports errors by longjmp. Each function here that calls setjmp has no object with a destructor in its frame
/// and calls nothing but libpng, so the jump passes over C frames only; callers look at the returned bool.
class PngReader {
 public:
  explicit PngReader(std::string_view bytes) : rest_(bytes) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fail, [](png_structp, png_const_charp) {});
    if (png_) info_ = png_create_info_struct(png_);
  }
  PngReader(PngReader const&) = delete;
  PngReader& operator=(PngReader const&) = delete;
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  char const* message() const { return message_; }
  int64_t width() const { return png_get_image_width(png_, info_); }
  int64_t height() const { return png_get_image_height(png_, info_); }
  int channels() const { return png_get_channels(png_, info_); }
  bool sixteen_bits() const { return png_get_bit_depth(png_, info_) == 16; }
  int passes() const { return passes_; }
  size_t row_bytes() const { return png_get_rowbytes(png_, info_); }

  bool read_header() {
    if (!info_) return false;
    if (setjmp(png_jmpbuf(png_))) return false;
    png_set_read_fn(png_, this, feed);
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // ours come with a better message
    png_read_info(png_, info_);
    return true;
  }
  /// Palettes and small bit depths become 8 bits, transparency an alpha channel.
  bool start() {
    if (setjmp(png_jmpbuf(png_))) return false;
    png_set_expand(png_);
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }
  bool read_row(unsigned char* row) {
    if (setjmp(png_jmpbuf(png_))) return false;
    png_read_row(png_, row, nullptr);
    return true;
  }
  bool finish() {
    if (setjmp(png_jmpbuf(png_))) return false;
    png_read_end(png_, nullptr);
    return true;
  }

 private:
  [[noreturn]] static void fail(png_structp png, png_const_charp what) {
    auto* self = static_cast<PngReader*>(png_get_error_ptr(png));
    std::snprintf(self->message_, sizeof self->message_, "%s", what);
    png_longjmp(png, 1);
  }
  static void feed(png_structp png, png_bytep into, size_t count) {
    auto* self = static_cast<PngReader*>(png_get_io_ptr(png));
    if (count > self->rest_.size()) png_error(png, "the file ends early");
    std::memcpy(into, self->rest_.data(), count);
    self->rest_.remove_prefix(count);
  }

  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::string_view rest_;
  int passes_ = 1;
  char message_[200] = "libpng could not start";
};

/// One decoded row to floats. Alpha is composed over black, as the sky is: colour times alpha.
inline void png_row_to_float(unsigned char const* row, float* out, int64_t width, int channels, bool sixteen) {
  int colours = channels < 3 ? 1 : 3;
  bool alpha = channels != colours;
  auto value = [&](int64_t i) {
    return sixteen ? float(row[2 * i] << 8 | row[2 * i + 1]) / 65535 : float(row[i]) / 255;
  };
  for (int64_t x = 0; x < width; ++x)
    for (int c = 0; c < colours; ++c)
      out[x * colours + c] = value(x * channels + c) * (alpha ? value(x * channels + colours) : 1);
}

}  // namespace detail

/// Decodes a PNG of any bit depth and colour type.
/// Shapes   (H,W,C) float32, C = 1 (grey) or 3; row 0 is the top row.   Units  [0,1]: v/255 or v/65535, gamma kept.
/// Alpha    composed over black.
/// Errors   FileError: not a PNG, damaged, truncated, larger than the limits.
inline Tensor decode_png(std::string_view bytes, std::string const& name, ImageLimits limits = {}) {
  detail::PngReader png(bytes);
  auto check = [&](bool fine) {
    require<FileError>(fine, name, ": damaged PNG: ", png.message(), "; fetch the file again");
  };
  check(png.read_header());
  int64_t width = png.width(), height = png.height();
  detail::check_image_size(name, width, height, limits);
  check(png.start());
  int channels = png.channels(), colours = channels < 3 ? 1 : 3;
  Tensor out = empty({height, width, colours}, {.dtype = DType::f32, .device = Device(), .group = {}});
  float* pixels = out.data<float>();
  // An interlaced picture comes in passes over all rows; any other needs one row, and fails early when truncated.
  int64_t kept_rows = png.passes() > 1 ? height : 1;
  std::vector<unsigned char> rows(png.row_bytes() * size_t(kept_rows));
  for (int pass = 0; pass < png.passes(); ++pass)
    for (int64_t y = 0; y < height; ++y) {
      unsigned char* row = rows.data() + size_t(kept_rows > 1 ? y : 0) * png.row_bytes();
      check(png.read_row(row));
      if (pass + 1 == png.passes())
        detail::png_row_to_float(row, pixels + y * width * colours, width, channels, png.sixteen_bits());
    }
  check(png.finish());
  return out;
}

inline Tensor read_png(std::string const& path, ImageLimits limits = {}) {
  return decode_png(read_file(path), path, limits);
}

/// An 8-bit PNG of (H,W), (H,W,1) or (H,W,3) in [0,1]; what is outside is clamped, NaN is black; row 0 is the top row.
/// Errors   ShapeError, DTypeError; ValueError when libpng refuses.
inline std::string encode_png(Tensor const& image) {
  detail::Pixels pixels = detail::to_pixels(image, "encode_png");
  png_image png{};  // libpng's simple interface: it reports by return value and never jumps
  png.version = PNG_IMAGE_VERSION;
  png.width = png_uint_32(pixels.width);
  png.height = png_uint_32(pixels.height);
  png.format = pixels.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  std::string out(size, '\0');
  int fine = png_image_write_to_memory(&png, out.data(), &size, 0, pixels.bytes.data(), 0, nullptr);
  require<ValueError>(fine, "encode_png: ", png.message, " for an image of ", image.shape());
  out.resize(size);
  return out;
}

inline void write_png(std::string const& path, Tensor const& image) { write_file(path, encode_png(image)); }

namespace detail {
inline bool const png_is_known = (image_formats().push_back({"PNG", "\x89PNG\r\n\x1A\n", decode_png}), true);
}

}  // namespace d16::io
