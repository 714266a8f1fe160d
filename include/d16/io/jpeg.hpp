// JPEG pictures by libjpeg. Including this makes read_image() able to read them; link jpeg.
#pragma once
#include <cstdio>  // jpeglib.h needs FILE

#include <jerror.h>
#include <jpeglib.h>

#include <csetjmp>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "atomic_file.hpp"
#include "image.hpp"

namespace d16::io {

namespace detail {

/// libjpeg's default is to print and exit(). Here errors jump back to the function that called the library. As in
/// png.hpp, functions with setjmp have nothing with a destructor in their frame and return whether all went well.
struct JpegErrors {
  jpeg_error_mgr manager;  // first: the library hands back a pointer to it
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];

  jpeg_error_mgr* start() {
    jpeg_std_error(&manager);
    message[0] = '\0';
    manager.error_exit = [](j_common_ptr info) { fail(info); };
    manager.output_message = [](j_common_ptr) {};
    // A warning is about pixels that were lost and filled with grey, except for three that only the curious care about.
    manager.emit_message = [](j_common_ptr info, int level) {
      int code = info->err->msg_code;
      if (level < 0 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_ADOBE_XFORM && code != JWRN_JFIF_MAJOR) fail(info);
    };
    return &manager;
  }
  [[noreturn]] static void fail(j_common_ptr info) {
    auto* self = reinterpret_cast<JpegErrors*>(info->err);
    info->err->format_message(info, self->message);
    std::longjmp(self->jump, 1);
  }
};

class JpegReader {
 public:
  explicit JpegReader(std::string_view bytes) : bytes_(bytes) { info_.err = errors_.start(); }
  JpegReader(JpegReader const&) = delete;
  JpegReader& operator=(JpegReader const&) = delete;
  ~JpegReader() { jpeg_destroy_decompress(&info_); }

  char const* message() const { return errors_.message; }
  int64_t width() const { return info_.image_width; }
  int64_t height() const { return info_.image_height; }
  int channels() const { return info_.jpeg_color_space == JCS_GRAYSCALE ? 1 : 3; }
  bool is_cmyk() const { return info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK; }

  bool read_header() {
    if (setjmp(errors_.jump)) return false;
    jpeg_create_decompress(&info_);
    progress_.progress_monitor = [](j_common_ptr info) {
      // A picture of many tiny scans would keep the library busy for hours.
      if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > 100) ERREXIT(info, JERR_BAD_PROGRESSION);
    };
    info_.progress = &progress_;
    jpeg_mem_src(&info_, reinterpret_cast<unsigned char const*>(bytes_.data()),
                 static_cast<unsigned long>(bytes_.size()));
    jpeg_read_header(&info_, TRUE);
    return true;
  }
  bool start() {
    if (setjmp(errors_.jump)) return false;
    info_.out_color_space = channels() == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_start_decompress(&info_);
    return true;
  }
  bool read_row(unsigned char* row) {
    if (setjmp(errors_.jump)) return false;
    return jpeg_read_scanlines(&info_, &row, 1) == 1;
  }
  bool finish() {
    if (setjmp(errors_.jump)) return false;
    return jpeg_finish_decompress(&info_);
  }

 private:
  std::string_view bytes_;
  jpeg_decompress_struct info_{};
  jpeg_progress_mgr progress_{};
  JpegErrors errors_{};
};

class JpegWriter {
 public:
  JpegWriter() { info_.err = errors_.start(); }
  JpegWriter(JpegWriter const&) = delete;
  JpegWriter& operator=(JpegWriter const&) = delete;
  ~JpegWriter() {
    jpeg_destroy_compress(&info_);
    std::free(memory_);
  }

  char const* message() const { return errors_.message; }
  std::string bytes() const { return {reinterpret_cast<char const*>(memory_), size_}; }
  bool write(Pixels const& pixels, int quality) {
    if (setjmp(errors_.jump)) return false;
    jpeg_create_compress(&info_);
    jpeg_mem_dest(&info_, &memory_, &size_);
    info_.image_width = JDIMENSION(pixels.width);
    info_.image_height = JDIMENSION(pixels.height);
    info_.input_components = int(pixels.channels);
    info_.in_color_space = pixels.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&info_);
    jpeg_set_quality(&info_, quality, TRUE);
    jpeg_start_compress(&info_, TRUE);
    while (info_.next_scanline < info_.image_height) {
      auto* row = const_cast<unsigned char*>(pixels.bytes.data()) +
                  info_.next_scanline * size_t(pixels.width * pixels.channels);
      jpeg_write_scanlines(&info_, &row, 1);
    }
    jpeg_finish_compress(&info_);
    return true;
  }

 private:
  jpeg_compress_struct info_{};
  JpegErrors errors_{};
  unsigned char* memory_ = nullptr;
  unsigned long size_ = 0;
};

}  // namespace detail

/// Decodes a grey or colour JPEG. Its orientation tag (cameras write one, surveys do not) is not followed.
/// Shapes   (H,W,C) float32, C = 1 (grey) or 3; row 0 is the top row.   Units  [0,1]: v/255, gamma untouched.
/// Errors   FileError: not a JPEG, CMYK, damaged or truncated (libjpeg would fill with grey), larger than the limits.
inline Tensor decode_jpeg(std::string_view bytes, std::string const& name, ImageLimits limits = {}) {
  detail::JpegReader jpeg(bytes);
  auto check = [&](bool fine) {
    require<FileError>(fine, name, ": damaged JPEG: ", jpeg.message(), "; fetch the file again");
  };
  check(jpeg.read_header());
  int64_t width = jpeg.width(), height = jpeg.height();
  detail::check_image_size(name, width, height, limits);
  require<FileError>(!jpeg.is_cmyk(), name, ": is a CMYK picture, made for print; convert it to RGB");
  check(jpeg.start());
  int64_t row_size = width * jpeg.channels();
  Tensor out = empty({height, width, jpeg.channels()}, {.dtype = DType::f32, .device = Device(), .group = {}});
  float* pixels = out.data<float>();
  std::vector<unsigned char> row(static_cast<size_t>(row_size));
  for (int64_t y = 0; y < height; ++y) {
    check(jpeg.read_row(row.data()));
    for (int64_t i = 0; i < row_size; ++i) pixels[y * row_size + i] = float(row[size_t(i)]) / 255;
  }
  check(jpeg.finish());
  return out;
}

inline Tensor read_jpeg(std::string const& path, ImageLimits limits = {}) {
  return decode_jpeg(read_file(path), path, limits);
}

/// A JPEG of (H,W), (H,W,1) or (H,W,3) in [0,1]; what is outside is clamped, NaN is black; row 0 is the top row.
/// `quality` from 1 to 100: 90 is hard to tell from the original.
/// Errors   ShapeError, DTypeError; ValueError for a bad quality or a side beyond 65,500.
inline std::string encode_jpeg(Tensor const& image, int quality = 90) {
  require<ValueError>(quality >= 1 && quality <= 100, "encode_jpeg: quality is ", quality, "; 1 to 100 is needed");
  detail::Pixels pixels = detail::to_pixels(image, "encode_jpeg");
  detail::JpegWriter jpeg;
  bool fine = jpeg.write(pixels, quality);
  require<ValueError>(fine, "encode_jpeg: ", jpeg.message(), " for an image of ", image.shape());
  return jpeg.bytes();
}

inline void write_jpeg(std::string const& path, Tensor const& image, int quality = 90) {
  write_file(path, encode_jpeg(image, quality));
}

namespace detail {
inline bool const jpeg_is_known = (image_formats().push_back({"JPEG", "\xFF\xD8\xFF", decode_jpeg}), true);
}

}  // namespace d16::io
