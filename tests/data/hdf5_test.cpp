// HDF5 files and Galaxy10: values as h5py wrote them, parts, and damaged files.
#include <doctest/doctest.h>
#include <unistd.h>
#include <d16/data/galaxy10.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

using namespace d16;
namespace fs = std::filesystem;

namespace {
constexpr char const* golden = "tests/data/golden/galaxy10_small.h5";  // by make_hdf5.py beside it
constexpr int64_t n = 12, side = 8;

uint8_t value(int64_t index) { return uint8_t(index * 7 % 251); }

/// A file that goes when the test ends.
struct Scratch {
  std::string path = (fs::temp_directory_path() / ("d16-hdf5-" + std::to_string(getpid()) + ".h5")).string();
  ~Scratch() { fs::remove(path); }
  void write(std::string const& bytes) const { std::ofstream(path, std::ios::binary) << bytes; }
};

std::string message(std::string const& path) {
  try {
    io::Hdf5File file(path);
    for (io::Hdf5Dataset const& d : file.datasets())
      if (d.shape.rank() > 0) file.read(d.name);
  } catch (FileError const& error) {
    return error.what();
  }
  return "";
}
}  // namespace

TEST_CASE("HDF5: datasets of numbers, in groups too, as h5py wrote them") {
  io::Hdf5File file(golden);
  std::string names;
  for (io::Hdf5Dataset const& d : file.datasets()) names += d.name + " ";
  CHECK(names == "ans group/count group/redshift images number ra ");  // neither text nor what lies in other files
  Tensor images = file.read("images");
  REQUIRE(images.shape() == Shape{n, side, side, 3});
  REQUIRE(images.dtype() == DType::u8);
  for (int64_t k = 0; k < images.numel(); ++k) REQUIRE(images.data<uint8_t>()[k] == value(k));
  Tensor part = file.read("images", 3, 5);  // across chunks
  REQUIRE(part.shape() == Shape{5, side, side, 3});
  for (int64_t k = 0; k < part.numel(); ++k) REQUIRE(part.data<uint8_t>()[k] == value(k + 3 * side * side * 3));
  CHECK(file.read("images", 12).numel() == 0);
  Tensor count = file.read("group/count"), ra = file.read("ra"), redshift = file.read("group/redshift");
  for (int64_t k = 0; k < n; ++k) {
    CHECK(count.data<int64_t>()[k] == k - 4);
    CHECK(ra.data<double>()[k] == doctest::Approx(10 + 10.0 * double(k) / 11).epsilon(1e-15));
    CHECK(redshift.data<float>()[k] == doctest::Approx(0.01 + 0.09 * double(k) / 11).epsilon(1e-6));
  }
  CHECK_THROWS_WITH_AS(file.read("pictures"), doctest::Contains("group/redshift"), FileError);
  CHECK_THROWS_AS(file.read("images", 5, 8), ValueError);
  CHECK_THROWS_AS(file.read("number"), FileError);
  CHECK_THROWS_AS(io::Hdf5File(golden, {.max_bytes = 1000}).read("images"), FileError);
}

TEST_CASE("HDF5: what is damaged or no HDF5 is one clear error that names the file") {
  std::ifstream in(golden, std::ios::binary);
  std::string whole((std::istreambuf_iterator<char>(in)), {});
  REQUIRE(whole.size() > 5000);
  Scratch scratch;
  for (size_t length :
       {size_t(0), size_t(5), size_t(8), size_t(100), whole.size() / 3, whole.size() / 2, whole.size() - 1}) {
    scratch.write(whole.substr(0, length));
    std::string said = message(scratch.path);
    CHECK(said.find(scratch.path) == 0);
    CHECK(said.find('\n') == said.npos);
  }
  std::string text(3000, 'x');
  scratch.write(text);
  CHECK(message(scratch.path).find("does not begin as HDF5") != std::string::npos);
  std::string spoilt = whole;  // the compressed pictures: a checksum or their length tells
  for (size_t k = spoilt.size() / 2; k < spoilt.size(); ++k) spoilt[k] = char(spoilt[k] ^ 0x5A);
  scratch.write(spoilt);
  CHECK(message(scratch.path).find(scratch.path) == 0);
  CHECK(message("no/such/file.h5").find("no/such/file.h5") == 0);
  CHECK(message("tests").find("tests") == 0);
}

TEST_CASE("Galaxy10: pictures shrunk, colours averaged, labels and classes") {
  data::Dataset d = data::galaxy10(golden, {.size = 4, .crop = 8});
  REQUIRE(d.images.shape() == Shape{n, 4, 4, 3});
  CHECK(d.classes.size() == 10);
  CHECK(d.ids[11] == "galaxy10_00012");
  for (int64_t i = 0; i < n; ++i) {
    CHECK(d.label(i) == i * 3 % 10);
    for (int64_t k = 0; k < 48; ++k) {
      int64_t c = k % 3, x = k / 3 % 4, y = k / 12;
      double sum = 0;
      for (int64_t b = 0; b < 4; ++b) sum += value(((i * side + 2 * y + b / 2) * side + 2 * x + b % 2) * 3 + c);
      REQUIRE(std::abs(double(d.images.data<uint8_t>()[i * 48 + k]) - sum / 4) <= 0.51);  // rounded
    }
  }
  data::Dataset grey = data::galaxy10(golden, {.size = 8, .channels = 1, .limit = 5});
  REQUIRE(grey.images.shape() == Shape{5, 8, 8, 1});
  double mean = (value(3 * 9) + value(3 * 9 + 1) + value(3 * 9 + 2)) / 3.0;
  CHECK(std::abs(double(grey.images.data<uint8_t>()[9]) - mean) <= 0.51);
  CHECK_THROWS_AS(data::galaxy10(golden, {.size = 0}), ValueError);
}
