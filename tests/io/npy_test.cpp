// .npy: the arrays that surveys hand out, of either byte order; anything else is refused with a reason.
#include <doctest/doctest.h>

#include <cstring>

#include <d16/io/npy.hpp>

#include "bad_input.hpp"

using namespace bad_input;
using namespace d16;
using io::read_npy;

static std::string npy(std::string_view header, std::string_view data, int major = 1) {
  std::string out = "\x93NUMPY";
  out += char(major);
  out += '\0';
  size_t length = header.size();
  for (int i = 0; i < (major > 1 ? 4 : 2); ++i) out += char(length >> (8 * i));
  return out.append(header).append(data);
}

template <class T> static std::string raw(std::vector<T> const& values) {
  return {reinterpret_cast<char const*>(values.data()), values.size() * sizeof(T)};
}

TEST_CASE("npy: types, byte orders and versions") {
  TemporaryFolder folder;
  auto read = [&](std::string const& bytes) { return read_npy(folder.file("a.npy", bytes)); };
  Tensor f =
      read(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n", raw<float>({0, 1, 2, 3, 4, 5})));
  CHECK(f.dtype() == DType::f32);
  CHECK(f.shape() == Shape{2, 3});
  CHECK(f.data<float>()[5] == 5);
  CHECK(read(npy("{'shape': (1,), 'descr': '<f8', 'fortran_order': False}", raw<double>({0.1}), 2)).item() == 0.1);
  CHECK(read(npy("{\"shape\":(),\"descr\":\"<i8\",\"fortran_order\":False}\n", raw<int64_t>({-7}), 3)).item() == -7);
  CHECK(read(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (0, 5)}", "")).numel() == 0);
  CHECK(read(npy("{'descr': '|b1', 'fortran_order': False, 'shape': (1,)}", "\1")).dtype() == DType::boolean);
  std::string big = raw<double>({-1.5, 2e300});
  std::reverse(big.begin(), big.begin() + 8);
  std::reverse(big.begin() + 8, big.end());
  Tensor swapped = read(npy("{'descr': '>f8', 'fortran_order': False, 'shape': (2,)}", big));
  CHECK(swapped.data<double>()[0] == -1.5);
  CHECK(swapped.data<double>()[1] == 2e300);
}

TEST_CASE("npy: everything else is refused with a reason") {
  TemporaryFolder folder;
  auto refused = [&](std::string const& bytes, std::string_view reason) {
    std::string message = error_of([&] { read_npy(folder.file("a.npy", bytes)); });
    CHECK(contains(message, folder / "a.npy"));
    CHECK_MESSAGE(contains(message, reason), message);
  };
  auto header = [](std::string const& descr, std::string const& shape, std::string const& order = "False") {
    return "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
  };
  refused("", "empty, truncated or something else");
  refused("\x93NUMPY\1", "truncated");
  refused("SIMPLE  =                    T", "something else");
  refused(npy("", "", 9), "version 9");
  refused(npy("", "", 2).substr(0, 10), "could be read");
  refused(npy(header("'<f4'", "(1,)"), "1234").substr(0, 30), "header says");
  refused(npy(header("'<f4'", "(2,)"), "1234"), "needs 8 bytes of data, the file has 4; it is truncated");
  refused(npy(header("'<f4'", "(1,)"), "12345"), "needs 4 bytes of data, the file has 5");
  refused(npy(header("'<f4'", "(3,2)", "True"), std::string(24, 'x')), "Fortran order");
  refused(npy(header("'<f4'", "(3,2)", "0"), ""), "True or False");
  refused(npy(header("'<f2'", "(1,)"), "12"), "elements are '<f2'; d16 reads f4 f8 i8 u1 b1");
  refused(npy(header("'<c8'", "(1,)"), "12345678"), "elements are '<c8'");
  refused(npy(header("'|O'", "(1,)"), "12345678"), "elements are '|O'");
  refused(npy(header("''", "(1,)"), ""), "elements are ''");
  refused(npy(header("[('ra', '<f8')]", "(1,)"), "12345678"), "records");
  refused(npy(header("'<f4'", "(-1,)"), ""), "whole number");
  refused(npy(header("'<f4'", "(4294967296, 4294967296)"), ""), "more than memory has");
  refused(npy(header("'<f8'", "(2305843009213693952,)"), ""), "more than memory has");
  refused(npy(header("'<f4'", "(1,1,1,1,1,1,1,1,1)"), "1234"), "8 axes");
  refused(npy(header("'<f4'", "(1 1)"), "1234"), "',' or ')'");
  refused(npy(header("'|b1'", "(1,)"), "\2"), "neither 0 nor 1");
  refused(npy("{'descr': '<f4', 'shape': (1,)}", "1234"), "are needed");
  refused(npy("{'descr': '<f4', 'descr': '<f4'}", "1234"), "twice");
  refused(npy("{'descr': '<f4", ""), "not closed");
  refused(npy("import os", ""), "'{' is needed");
  refused(npy(header("'<f4'", "(1,)") + "x", "1234"), "after the closing brace");
  CHECK(contains(error_of([&] { read_npy(folder / "absent.npy"); }), "cannot open"));
  CHECK(contains(error_of([&] { read_npy(folder.path()); }), "is a folder"));
}

TEST_CASE("npy: 2,000 mutations and noise throw FileError or read") {
  TemporaryFolder folder;
  std::string const valid =
      npy("{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }   \n", raw<float>({0, 1, 2, 3, 4, 5}));
  Random random(5);
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = mutated(valid, random);
    if (i % 10 == 0) bytes = "\x93NUMPY\1" + std::string(1, '\0') + noise(80, random);
    try {
      Tensor x = read_npy(folder.file("a.npy", bytes));
      CHECK(x.defined());
    } catch (FileError const&) {
      ++refused;
    }
  }
  CHECK(refused > 1000);
}

TEST_CASE("npy: the cutouts of the HSC survey are read") {
  std::string const shared = "../shared/data/hsc_decals_cutouts/examples/examp_gals/";
  if (!std::filesystem::exists(shared)) {
    MESSAGE("skipped: ../shared/data is not here");
    return;
  }
  CHECK(read_npy(shared + "gal1_im.npy").shape() == Shape{121, 121});
  Tensor psf = read_npy(shared + "gal3_psf.npy");  // big-endian
  double total = 0;
  for (double value : psf.host<double>()) total += value;
  CHECK(total == doctest::Approx(1).epsilon(0.05));
}
