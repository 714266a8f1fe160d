// Pictures: PNG and JPEG of every kind in, 8 bits out, damage and bombs refused; base64 and data: URIs.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include <d16/io/base64.hpp>
#include <d16/io/jpeg.hpp>
#include <d16/io/png.hpp>

#include "bad_input.hpp"

using namespace bad_input;
using namespace d16;

/// A PNG as libpng writes it from raw samples: any colour type, depth and interlacing.
static std::string raw_png(int width, int height, int depth, int colour, std::string samples,
                           int interlace = PNG_INTERLACE_NONE) {
  std::string out;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  auto append = [](png_structp p, png_bytep data, size_t n) {
    static_cast<std::string*>(png_get_io_ptr(p))->append(reinterpret_cast<char*>(data), n);
  };
  png_set_write_fn(png, &out, append, nullptr);
  png_set_IHDR(png, info, png_uint_32(width), png_uint_32(height), depth, colour, interlace,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_color palette[2] = {{255, 0, 0}, {0, 0, 255}};
  png_byte alpha[2] = {255, 51};
  if (colour == PNG_COLOR_TYPE_PALETTE) {
    png_set_PLTE(png, info, palette, 2);
    png_set_tRNS(png, info, alpha, 2, nullptr);
  }
  std::vector<png_bytep> rows;
  for (int y = 0; y < height; ++y)
    rows.push_back(reinterpret_cast<png_bytep>(samples.data()) + size_t(y) * (samples.size() / size_t(height)));
  png_write_info(png, info);
  png_write_image(png, rows.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return out;
}

/// A JPEG as libjpeg writes it from raw samples in any colour space.
static std::string raw_jpeg(int width, int height, int components, J_COLOR_SPACE space, std::string samples) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_width = JDIMENSION(width), info.image_height = JDIMENSION(height);
  info.input_components = components, info.in_color_space = space;
  jpeg_set_defaults(&info);
  jpeg_start_compress(&info, TRUE);
  for (int y = 0; y < height; ++y) {
    auto* row = reinterpret_cast<unsigned char*>(samples.data()) + y * width * components;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  std::string out(reinterpret_cast<char*>(memory), size);
  jpeg_destroy_compress(&info);
  std::free(memory);
  return out;
}

static Tensor ramp(Shape shape) {
  Tensor x = empty(shape);
  for (int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = float(i * 37 % 256) / 255;
  return x;
}

static double largest_difference(Tensor const& a, Tensor const& b) {
  REQUIRE(a.numel() == b.numel());
  double worst = 0;
  for (int64_t i = 0; i < a.numel(); ++i)
    worst = std::max(worst, std::abs(double(a.data<float>()[i]) - b.data<float>()[i]));
  return worst;
}

TEST_CASE("base64: the vectors of RFC 4648") {
  std::pair<char const*, char const*> const vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (auto [plain, coded] : vectors) CHECK(io::base64(plain) == coded);
  CHECK(io::base64("\xFF\xFE\xFD") == "//79");
  CHECK(io::data_uri("image/png", "foo") == "data:image/png;base64,Zm9v");
}

TEST_CASE("png: what is written reads back exactly") {
  for (Shape shape : {Shape{1, 1}, Shape{7, 5}, Shape{3, 17, 1}, Shape{13, 11, 3}}) {
    Tensor x = ramp(shape);
    Tensor back = io::decode_png(io::encode_png(x), "x.png");
    CHECK(back.shape() == Shape{shape[0], shape[1], shape.rank() == 3 ? shape[2] : 1});
    CHECK(largest_difference(back, x) == 0);
  }
  Tensor wide = ramp({4, 6, 3});
  Tensor part = io::decode_png(io::encode_png(wide.slice(1, 2, 5)), "x.png");  // a strided view
  CHECK(largest_difference(part, wide.slice(1, 2, 5).contiguous()) == 0);
}

TEST_CASE("pictures: values outside are clamped, NaN is black, halves are rounded") {
  Tensor x = from(std::vector<float>{-1, 2, NAN, INFINITY, -INFINITY, 0.5f}, {1, 6});
  Tensor y = io::decode_png(io::encode_png(x), "x.png");
  std::vector<float> expected{0, 1, 0, 1, 0, 128 / 255.f};
  for (int i = 0; i < 6; ++i) CHECK(y.data<float>()[i] == expected[size_t(i)]);
  CHECK(io::decode_png(io::encode_png(x.cast(DType::f64)), "x.png").data<float>()[1] == 1);
}

TEST_CASE("png: 16 bits, palettes, small depths, transparency, interlacing") {
  auto values = [](std::string const& png) {
    Tensor x = io::decode_png(png, "x.png");
    std::vector<float> out(x.data<float>(), x.data<float>() + x.numel());
    return out;
  };
  using V = std::vector<float>;
  std::string const two_words("\x01\x02\xFF\xFE", 4);
  CHECK(values(raw_png(2, 1, 16, PNG_COLOR_TYPE_GRAY, two_words)) == V{258 / 65535.f, 65534 / 65535.f});
  CHECK(values(raw_png(4, 1, 1, PNG_COLOR_TYPE_GRAY, "\xA0")) == V{1, 0, 1, 0});
  CHECK(values(raw_png(2, 1, 4, PNG_COLOR_TYPE_GRAY, "\x3F")) == V{51 / 255.f, 1});
  // transparency is composed over black
  CHECK(values(raw_png(1, 1, 8, PNG_COLOR_TYPE_GRAY_ALPHA, "\xFF\x33")) == V{51 / 255.f});
  CHECK(values(raw_png(1, 1, 8, PNG_COLOR_TYPE_RGB_ALPHA, std::string("\xFF\x00\x33\xFF", 4))) == V{1, 0, 51 / 255.f});
  CHECK(values(raw_png(1, 1, 16, PNG_COLOR_TYPE_RGB_ALPHA, std::string("\xFF\xFF\0\0\0\0\x33\x33", 8))) ==
        V{13107 / 65535.f, 0, 0});
  CHECK(values(raw_png(2, 1, 1, PNG_COLOR_TYPE_PALETTE, "\x40")) == V{1, 0, 0, 0, 0, 51 / 255.f});
  std::string samples(9 * 11 * 3, '\0');
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = char(i * 7);
  CHECK(values(raw_png(9, 11, 8, PNG_COLOR_TYPE_RGB, samples, PNG_INTERLACE_ADAM7)) ==
        values(raw_png(9, 11, 8, PNG_COLOR_TYPE_RGB, samples)));
  CHECK(values(raw_png(9, 11, 8, PNG_COLOR_TYPE_RGB, samples))[100] ==
        float(static_cast<unsigned char>(samples[100])) / 255);
}

TEST_CASE("jpeg: a smooth picture survives") {
  for (Shape shape : {Shape{1, 1, 3}, Shape{19, 23, 1}, Shape{40, 33, 3}}) {
    Tensor x = empty(shape);
    int64_t W = shape[1], C = shape[2];
    for (int64_t i = 0; i < x.numel(); ++i)
      x.data<float>()[i] = float(0.5 + 0.3 * std::sin(double(i / (W * C)) / 9) * std::cos(double(i / C % W) / 7));
    Tensor back = io::decode_jpeg(io::encode_jpeg(x, 100), "x.jpg");
    CHECK(back.shape() == shape);
    // Quality 100 has quantiser steps of 1: half a step in each of 64 coefficients adds up to at most 4 in the mean
    // square, and colour conversion rounds twice more: 4 + 2 of 255.
    CHECK(largest_difference(back, x) < 6 / 255.);
  }
  CHECK(io::encode_jpeg(ramp({32, 32, 3}), 20).size() < io::encode_jpeg(ramp({32, 32, 3}), 95).size());
  CHECK(contains(error_of<ValueError>([] { io::encode_jpeg(ramp({2, 2}), 0); }), "quality is 0; 1 to 100"));
}

TEST_CASE("pictures: read_image goes by the bytes and not by the name") {
  TemporaryFolder folder;
  Tensor x = ramp({5, 7, 3});
  CHECK(largest_difference(io::read_image(folder.file("a.jpg", io::encode_png(x))), x) == 0);
  CHECK(io::read_image(folder.file("a.png", io::encode_jpeg(x))).shape() == Shape{5, 7, 3});
  auto error = [&](std::string_view bytes) { return error_of([&] { io::read_image(folder.file("a.png", bytes)); }); };
  CHECK(contains(error(""), "a.png: is empty"));
  CHECK(contains(error("SIMPLE  =                    T"), "a.png: is a FITS file; read it with read_fits"));
  CHECK(contains(error("GIF89a"), "convert it to PNG"));
  CHECK(contains(error("hello"), "does not begin as a PNG or JPEG"));
  auto formats = std::exchange(io::image_formats(), {});
  CHECK(contains(error(io::encode_png(x)), "this program cannot read those; include d16/io/png.hpp"));
  CHECK(contains(error(io::encode_jpeg(x)), "this program cannot read those; include d16/io/jpeg.hpp"));
  io::image_formats() = formats;
}

TEST_CASE("pictures: shapes that are no picture are refused") {
  for (Shape shape : {Shape{4}, Shape{4, 4, 2}, Shape{4, 4, 4}, Shape{1, 4, 4, 3}, Shape{0, 4}, Shape{4, 0, 3}}) {
    CHECK(contains(error_of<ShapeError>([&] { io::encode_png(zeros(shape)); }),
                   "encode_png: the image is " + shape.text()));
    CHECK(contains(error_of<ShapeError>([&] { io::encode_jpeg(zeros(shape)); }),
                   "encode_jpeg: the image is " + shape.text()));
  }
  CHECK(contains(error_of<DTypeError>([] { io::encode_png(zeros({2, 2}, {.dtype = DType::u8})); }), "float32"));
}

TEST_CASE("pictures: any cut of a file is refused") {
  std::string png = io::encode_png(ramp({9, 10, 3})), jpeg = io::encode_jpeg(ramp({33, 20, 3}));
  for (size_t n = 1; n < png.size(); ++n) {
    CAPTURE(n);
    CHECK(
        contains(error_of([&] { io::decode_png(std::string_view(png).substr(0, n), "x.png"); }), "x.png: damaged PNG"));
  }
  for (size_t n = 1; n + 2 < jpeg.size(); ++n) {  // the last two bytes are the end marker, which libjpeg does not miss
    CAPTURE(n);
    CHECK(contains(error_of([&] { io::decode_jpeg(std::string_view(jpeg).substr(0, n), "x.jpg"); }),
                   "x.jpg: damaged JPEG"));
  }
  CHECK(contains(error_of([] { io::decode_png("", "x.png"); }), "damaged PNG"));
  CHECK(contains(error_of([] { io::decode_jpeg("", "x.jpg"); }), "damaged JPEG"));
  CHECK(contains(error_of([&] { io::decode_png(jpeg, "x.png"); }), "damaged PNG"));
  CHECK(contains(error_of([&] { io::decode_jpeg(png, "x.jpg"); }), "damaged JPEG"));
}

TEST_CASE("pictures: bombs and print colours are refused before memory is taken") {
  std::string png = io::encode_png(ramp({3, 3}));
  png[16] = png[20] = '\x7F';  // width and height of two thousand million; the checksum is put right
  uint32_t crc = 0xFFFFFFFF;
  for (size_t i = 12; i < 29; ++i) {
    crc ^= static_cast<unsigned char>(png[i]);
    for (int k = 0; k < 8; ++k) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
  }
  for (int k = 0; k < 4; ++k) png[size_t(29 + k)] = char(~crc >> (24 - 8 * k));
  CHECK(contains(error_of([&] { io::decode_png(png, "x.png"); }),
                 "x.png: 2130706435x2130706435 pixels; from 1 to 16384 a side"));
  CHECK(contains(error_of([] {
                   io::decode_png(io::encode_png(ramp({5, 9})), "x.png", {.max_side = 8});
                 }),
                 "9x5 pixels"));
  CHECK(contains(error_of([] {
                   io::decode_jpeg(io::encode_jpeg(ramp({9, 5})), "x.jpg", {.max_side = 8});
                 }),
                 "5x9 pixels"));
  CHECK(contains(error_of([] { io::decode_jpeg(raw_jpeg(2, 2, 4, JCS_CMYK, std::string(16, 'x')), "x.jpg"); }),
                 "CMYK picture"));
}

TEST_CASE("pictures: every refusal names the file and what to do") {
  Tensor x = ramp({9, 9, 3});
  CHECK(writer_fault([&](std::string const& path) { io::write_png(path, x); }, "x.png") == "");
  CHECK(writer_fault([&](std::string const& path) { io::write_jpeg(path, x); }, "x.jpg") == "");
}

TEST_CASE("pictures: 2,000 mutations throw FileError or decode") {
  std::string const png = io::encode_png(ramp({8, 9, 3})), jpeg = io::encode_jpeg(ramp({24, 17, 3}));
  Random random(6);
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = mutated(i % 2 ? png : jpeg, random);
    try {
      Tensor x = i % 2 ? io::decode_png(bytes, "x") : io::decode_jpeg(bytes, "x", {.max_side = 2000});
      CHECK(x.rank() == 3);
    } catch (FileError const&) {
      ++refused;
    }
  }
  CHECK(refused > 1000);
}
