// MNIST's idx files, plain and gzipped, hostile ones, and pictures turned at random; folders in EFIGI's form.
#include <doctest/doctest.h>
#include <unistd.h>
#include <zlib.h>
#include <d16/data/efigi.hpp>
#include <d16/data/mnist.hpp>
#include <d16/io/png.hpp>

#include <cmath>
#include <fstream>

using namespace d16;
namespace fs = std::filesystem;

namespace {
/// A folder that goes when the test ends.
struct Folder {
  fs::path path = fs::temp_directory_path() / ("d16-mnist-" + std::to_string(getpid()));
  Folder() {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
  std::string write(std::string const& name, std::string const& bytes) const {
    std::ofstream(path / name, std::ios::binary) << bytes;
    return (path / name).string();
  }
  std::string zipped(std::string const& name, std::string const& bytes) const {
    std::string file = (path / name).string();
    gzFile out = gzopen(file.c_str(), "wb");
    gzwrite(out, bytes.data(), unsigned(bytes.size()));
    gzclose(out);
    return file;
  }
};
std::string idx(std::vector<uint32_t> const& sizes, std::string const& data, char type = 8) {
  std::string out{0, 0, type, char(sizes.size())};
  for (uint32_t s : sizes)
    for (int shift : {24, 16, 8, 0}) out += char(s >> shift & 255);
  return out + data;
}
std::string bytes_of(size_t count) {
  std::string out;
  for (size_t k = 0; k < count; ++k) out += char(k * 11 % 256);
  return out;
}
}  // namespace

TEST_CASE("idx files: shapes and bytes, plain and gzipped") {
  Folder f;
  std::string data = bytes_of(3 * 5 * 4);
  for (std::string const& file :
       {f.write("a-idx3-ubyte", idx({3, 5, 4}, data)), f.zipped("a.gz", idx({3, 5, 4}, data))}) {
    Tensor x = io::read_idx(file);
    REQUIRE(x.shape() == Shape{3, 5, 4});
    for (size_t k = 0; k < data.size(); ++k) REQUIRE(x.data<uint8_t>()[k] == uint8_t(data[k]));
  }
  data::Dataset d = data::mnist((f.path / "a.gz").string(), f.write("l", idx({3}, std::string{7, 0, 9})));
  CHECK(d.images.shape() == Shape{3, 5, 4, 1});
  CHECK((d.label(0) == 7 && d.label(1) == 0 && d.label(2) == 9));
  CHECK(d.classes[9] == "9");
  CHECK(d.ids[2] == "00003");
}

TEST_CASE("idx files that are hostile: one clear error each") {
  Folder f;
  std::string good = idx({2, 3, 3}, bytes_of(18));
  for (size_t length = 0; length < good.size(); ++length)
    CHECK_THROWS_AS(io::read_idx(f.write("cut", good.substr(0, length))), FileError);
  CHECK_THROWS_AS(io::read_idx(f.write("more", good + "x")), FileError);
  CHECK_THROWS_AS(io::read_idx(f.write("text", "this is a letter")), FileError);
  CHECK_THROWS_AS(io::read_idx(f.write("floats", idx({1}, "abcd", 0x0D))), FileError);
  CHECK_THROWS_AS(io::read_idx(f.write("huge", idx({0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, "abcd"))), FileError);
  CHECK_THROWS_AS(io::read_idx(f.write("axes", idx(std::vector<uint32_t>(20, 1), "a"))), FileError);
  std::string whole = f.zipped("whole.gz", good), packed;
  std::ifstream in(whole, std::ios::binary);
  packed.assign(std::istreambuf_iterator<char>(in), {});
  CHECK_THROWS_AS(io::read_idx(f.write("cut.gz", packed.substr(0, packed.size() - 3))), FileError);
  packed[packed.size() / 2] = char(packed[packed.size() / 2] ^ 0xFF);
  CHECK_THROWS_AS(io::read_idx(f.write("flip.gz", packed)), FileError);
  CHECK_THROWS_AS(io::gunzip(io::read_file(f.zipped("bomb.gz", std::string(1 << 20, 'a'))), "bomb.gz", 1000),
                  FileError);
  std::string images = f.write("i", good);
  CHECK_THROWS_AS(data::mnist(images, f.write("l3", idx({3}, "\1\2\3"))), FileError);
  CHECK_THROWS_AS(data::mnist(images, f.write("l10", idx({2}, "\1\12"))), FileError);
  CHECK_THROWS_AS(data::mnist(f.write("flat", idx({2}, "\1\2")), f.write("l2", idx({2}, "\1\2"))), FileError);
}

TEST_CASE("turned_at_random: by all angles, about the centre, never mirrored, the same for a seed and any threads") {
  int64_t const n = 60, side = 29;
  data::Dataset d{zeros({n, side, side, 1}, {DType::u8}), zeros({n}, {DType::i64})};
  for (int64_t i = 0; i < n; ++i) {
    d.ids.push_back(std::to_string(i));
    auto spot = [&](int64_t y, int64_t x, uint8_t light) {  // bright at 10 to the right, dimmer at 5 above the centre
      for (int64_t a = -1; a <= 1; ++a)
        for (int64_t b = -1; b <= 1; ++b) d.images.data<uint8_t>()[(i * side + y + a) * side + x + b] = light;
    };
    spot(14, 24, 240), spot(9, 14, 100);
  }
  int before = threads();
  set_threads(1);
  data::Dataset one = data::turned_at_random(d, 3);
  set_threads(3);
  data::Dataset two = data::turned_at_random(d, 3), other = data::turned_at_random(d, 4);
  set_threads(before);
  auto equal = [](data::Dataset const& a, data::Dataset const& b) {
    return std::equal(a.images.host<uint8_t>().begin(), a.images.host<uint8_t>().end(),
                      b.images.host<uint8_t>().begin());
  };
  CHECK(equal(one, two));
  CHECK_FALSE(equal(one, other));
  int quadrants[4] = {};
  for (int64_t i = 0; i < n; ++i) {
    double bright[3] = {}, dim[3] = {};
    for (int64_t k = 0; k < side * side; ++k) {
      double v = one.images.data<uint8_t>()[i * side * side + k];
      double y = 14 - double(k / side), x = double(k % side) - 14;  // y upwards
      double* to = std::hypot(x, y) > 7.5 ? bright : dim;
      to[0] += v, to[1] += v * x, to[2] += v * y;
    }
    double a = std::atan2(bright[2], bright[1]), b = std::atan2(dim[2], dim[1]);
    CHECK(std::hypot(bright[1], bright[2]) / bright[0] == doctest::Approx(10).epsilon(0.05));
    CHECK(std::sin(b - a) > 0.8);  // the dim one is 90 degrees on, counter-clockwise: mirrored it would be behind
    ++quadrants[int(std::floor((a + std::numbers::pi) / (std::numbers::pi / 2))) % 4];
  }
  for (int q : quadrants) CHECK(q > 4);  // of 15; less with probability 1e-3
}

TEST_CASE("the shared MNIST is there as its README says") {
  std::string folder = "../shared/data/mnist_10k/";
  if (!fs::exists(folder)) {
    MESSAGE("skipped: no " << folder);
    return;
  }
  data::Dataset d = data::mnist(folder + "t10k-images-idx3-ubyte.gz", folder + "t10k-labels-idx1-ubyte.gz");
  CHECK(d.images.shape() == Shape{10000, 28, 28, 1});
  std::vector<int64_t> counts = d.class_counts();
  CHECK(*std::min_element(counts.begin(), counts.end()) > 800);
}

TEST_CASE("EFIGI: types and inclinations become classes by the stated rule") {
  CHECK(data::efigi_class(-5, 0) == "elliptical");
  CHECK(data::efigi_class(11, 0) == "elliptical");
  CHECK(data::efigi_class(-3, 0) == "lenticular");
  CHECK(data::efigi_class(0, 1) == "lenticular");
  CHECK(data::efigi_class(1, 0.5) == "spiral");
  CHECK(data::efigi_class(9, 0.75) == "edge_on");
  CHECK(data::efigi_class(10, 1) == "irregular");
  for (double none : {-7.0, 12.0, 2.5, double(NAN)}) CHECK(data::efigi_class(none, 0) == "");
  Folder f;
  std::string rows = "PGCname,T,T_inf,T_sup,Inclination,Bar_Length\n";
  double types[] = {-5, 4, 6, -1, 10, 3};
  for (int i = 0; i < 6; ++i) {
    std::string name = "PGC000" + std::to_string(i);
    if (i != 5) io::write_png((f.path / (name + ".png")).string(), full({8, 8, 3}, 0.1 * i));
    rows += name + "," + std::to_string(types[i]) + ",0,0," + (i == 2 ? "1" : "0.25") + ",0\n";
  }
  f.write("EFIGI_attributes.csv", rows);
  data::Dataset d = data::efigi_folder(f.path.string(), {.pictures = {.size = 4, .margin = 0}});
  CHECK(d.ids == std::vector<std::string>{"PGC0000", "PGC0001", "PGC0002"});
  CHECK((d.label(0) == 0 && d.label(1) == 1 && d.label(2) == 1));
  CHECK(d.classes == std::vector<std::string>{"elliptical", "disk"});
  CHECK(d.left_out.at("lenticular") == 1);
  CHECK(d.left_out.at("irregular") == 1);
  REQUIRE(d.flagged.size() == 1);
  CHECK(d.flagged[0].id == "PGC0005");
  data::Dataset edge = data::efigi_folder(f.path.string(), {.classes = {{"spiral", 0}, {"edge_on", 1}},
                                                            .class_names = {"spiral", "edge_on"},
                                                            .pictures = {.size = 4, .margin = 0}});
  CHECK((edge.label(0) == 0 && edge.label(1) == 1));
  CHECK_THROWS_AS(data::efigi_folder(f.path.string(), {.type_column = "Type"}), FileError);
  CHECK_THROWS_AS(data::efigi_folder(f.path.string(), {.classes = {{"spiral", 2}}}), ValueError);
}
