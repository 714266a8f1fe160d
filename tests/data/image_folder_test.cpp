// Folders of pictures and their labels: crops, classes, bad files; and the Galaxy Zoo folder when it is there.
#include <doctest/doctest.h>
#include <unistd.h>
#include <d16/data/efigi.hpp>
#include <d16/data/image_folder.hpp>
#include <d16/io/jpeg.hpp>
#include <d16/io/png.hpp>

#include <cmath>
#include <fstream>

using namespace d16;
namespace fs = std::filesystem;

namespace {
/// A folder that goes when the test ends.
struct Folder {
  fs::path path = fs::temp_directory_path() / ("d16-image-folder-" + std::to_string(getpid()));
  Folder() {
    fs::remove_all(path);
    fs::create_directories(path / "images");
  }
  ~Folder() { fs::remove_all(path); }
  void write(std::string const& name, std::string const& bytes) const {
    std::ofstream(path / name, std::ios::binary) << bytes;
  }
  void picture(std::string const& name, Tensor const& pixels) const { io::write_png((path / name).string(), pixels); }
};

/// Column over width in red, row over height in green, 0.2 in blue.
Tensor ramp(int64_t height, int64_t width) {
  Tensor x = empty({height, width, 3});
  for (int64_t i = 0; i < height; ++i)
    for (int64_t j = 0; j < width; ++j) {
      float* p = x.data<float>() + (i * width + j) * 3;
      p[0] = float((double(j) + 0.5) / double(width)), p[1] = float((double(i) + 0.5) / double(height)), p[2] = 0.2f;
    }
  return x;
}
}  // namespace

TEST_CASE("image_folder crops the centre and shrinks by area") {
  Folder f;
  f.picture("images/a.png", ramp(60, 80));
  f.write("labels.csv", "id,class\na,x\n");
  data::Dataset d = data::image_folder(f.path.string(), {.labels = "labels.csv", .size = 4, .crop = 40, .margin = 0});
  REQUIRE(d.images.shape() == Shape{1, 4, 4, 3});
  uint8_t const* p = d.images.data<uint8_t>();
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) {  // columns 20 to 60 of 80, rows 10 to 50 of 60; half a level is lost twice
      CHECK(std::abs(p[(i * 4 + j) * 3] - 255 * (20 + 10 * (j + 0.5)) / 80) <= 1);
      CHECK(std::abs(p[(i * 4 + j) * 3 + 1] - 255 * (10 + 10 * (i + 0.5)) / 60) <= 1);
      CHECK(p[(i * 4 + j) * 3 + 2] == 51);
    }
  CHECK(d.visible == 4);
  // a margin of one half: two pixels more on each side, of the same scale; rows are reflected at the edge of the
  // picture
  data::Dataset wide =
      data::image_folder(f.path.string(), {.labels = "labels.csv", .size = 4, .crop = 40, .margin = 0.5});
  REQUIRE(wide.images.shape() == Shape{1, 8, 8, 3});
  CHECK(wide.height() == 4);
  uint8_t const* q = wide.images.data<uint8_t>();
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 12; ++j) CHECK(q[((i + 2) * 8 + 2) * 3 + j] == p[i * 12 + j]);
  CHECK(std::abs(q[(0 * 8 + 4) * 3 + 1] - 255 * 5.0 / 60) <= 1);  // rows -10 to 0 show rows 10 to 0
  CHECK(std::abs(q[(2 * 8 + 0) * 3 + 0] - 255 * 5.0 / 80) <= 1);
}

TEST_CASE("image_folder: grey and colour, whole pictures of any size") {
  Folder f;
  f.picture("b.png", full({5, 9}, 0.6));
  f.picture("a.png", ramp(8, 8));
  f.write("l.csv", "id,class\nb,grey\na,colour\n");
  data::Dataset d = data::image_folder(f.path.string(), {.labels = "l.csv", .size = 2, .margin = 0});
  CHECK(d.ids == std::vector<std::string>{"b", "a"});
  CHECK(d.classes == std::vector<std::string>{"colour", "grey"});  // alphabetical
  CHECK(d.label(0) == 1);
  CHECK(d.images.data<uint8_t>()[2] == 153);
  data::Dataset grey = data::image_folder(f.path.string(), {.labels = "l.csv", .size = 2, .margin = 0, .channels = 1});
  CHECK(grey.images.shape() == Shape{2, 2, 2, 1});
  CHECK(std::abs(grey.images.data<uint8_t>()[4] - 255 * (0.25 + 0.25 + 0.2) / 3) <= 1);
  data::Dataset unlabelled = data::image_folder(f.path.string(), {.size = 2});
  CHECK(unlabelled.ids == std::vector<std::string>{"a", "b"});
  CHECK(unlabelled.label(0) == -1);
}

TEST_CASE("classes are mapped; others are left out and counted") {
  Folder f;
  for (char const* name : {"1.png", "2.png", "3.png", "4.png"}) f.picture(name, ramp(4, 4));
  f.write("l.csv", "name,vote,type\n1.png,0.5,cw\n2.png,0.5,acw\n3.png,1,smooth\n4.png,1,star\n");
  data::ImageFolderOptions o{
      .labels = "l.csv", .class_column = "type", .classes = {{"cw", 1}, {"acw", 1}, {"smooth", 0}}, .size = 2};
  data::Dataset d = data::image_folder(f.path.string(), o);
  CHECK(d.size() == 3);
  CHECK(d.class_counts_text() == "smooth 1, acw+cw 2");
  CHECK(d.left_out == std::map<std::string, int64_t>{{"star", 1}});
  o.class_names = {"elliptical", "disk"};
  CHECK(data::image_folder(f.path.string(), o).class_counts_text() == "elliptical 1, disk 2");
  o.class_names = {"one"};
  CHECK_THROWS_AS(data::image_folder(f.path.string(), o), ValueError);
}

TEST_CASE("a dot in an id is no ending, unless it is one of pictures") {
  Folder f;
  for (char const* name : {"J123456.78+012345.6.png", "10.1.png", "10.2.PNG", "10.png", "plain.png"})
    f.picture(name, ramp(4, 4));
  f.write("l.csv", "id,class\nJ123456.78+012345.6,a\n10.2,b\n10.1.png,a\n10.2.PNG,b\nplain,a\n10.3,b\n");
  data::Dataset d = data::image_folder(f.path.string(), {.labels = "l.csv", .size = 2});
  CHECK(d.ids == std::vector<std::string>{"J123456.78+012345.6", "10.2", "10.1", "10.2", "plain"});
  REQUIRE(d.flagged.size() == 1);
  CHECK(d.flagged[0].id == "10.3");  // not the picture 10.png
  f.write("EFIGI_attributes.csv", "PGCname,T,Inclination\n10.1,-5,0\n10.2.PNG,3,0.25\n10.3,3,0.25\n");
  data::Dataset efigi = data::efigi_folder(f.path.string(), {.pictures = {.size = 2}});
  CHECK(efigi.ids == std::vector<std::string>{"10.1", "10.2"});
  CHECK(efigi.flagged.size() == 1);
}

TEST_CASE("bad pictures are flagged with the reason and the rest goes on") {
  Folder f;
  f.picture("good.png", ramp(6, 6));
  f.picture("small.png", ramp(3, 9));
  f.write("noise.png", "this is not a picture");
  f.write("empty.png", "");
  std::string cut = io::encode_png(ramp(30, 30));
  f.write("cut.png", cut.substr(0, cut.size() / 2));
  f.write("l.csv", "id,class\nnoise,a\ngood,b\nempty,a\nabsent,a\nsmall,a\ncut,b\n");
  data::Dataset d = data::image_folder(f.path.string(), {.labels = "l.csv", .size = 2, .crop = 5});
  CHECK(d.ids == std::vector<std::string>{"good"});
  CHECK(d.classes == std::vector<std::string>{"a", "b"});
  REQUIRE(d.flagged.size() == 5);
  CHECK(d.flagged[0].id == "noise");
  CHECK(d.flagged[0].reason.find("noise.png") != std::string::npos);
  CHECK(d.flagged[2].reason.find("no such picture") != std::string::npos);
  CHECK(d.flagged[3].reason == "is 3x9 pixels, smaller than the crop of 5");
  f.write("bad.csv", "id,class\nnoise,a\nempty,a\n");
  CHECK_THROWS_AS(data::image_folder(f.path.string(), {.labels = "bad.csv"}), FileError);
}

TEST_CASE("image_folder says what is missing") {
  Folder f;
  f.picture("a.png", ramp(4, 4));
  f.write("l.csv", "id,class\na,x\n");
  f.write("one.csv", "id\na\n");
  std::string folder = f.path.string();
  CHECK_THROWS_AS(data::image_folder(folder + "/nowhere"), FileError);
  CHECK_THROWS_AS(data::image_folder(folder, {.labels = "absent.csv"}), FileError);
  CHECK_THROWS_AS(data::image_folder(folder, {.labels = "one.csv"}), FileError);
  CHECK_THROWS_AS(data::image_folder(folder, {.labels = "l.csv", .class_column = "type"}), FileError);
  CHECK_THROWS_AS(data::image_folder(folder, {.labels = "l.csv", .classes = {{"other", 0}}}), FileError);
  CHECK_THROWS_AS(data::image_folder(folder + "/images"), FileError);
  CHECK_THROWS_AS(data::image_folder(folder, {.size = 0}), ValueError);
}

TEST_CASE("the Galaxy Zoo folder: counts of the README, the agreed test set, pictures with a galaxy in the middle") {
  std::string folder = "../shared/data/galaxy_zoo1_sdss";
  if (!fs::exists(folder + "/labels.csv")) {
    MESSAGE("skipped: no " << folder);
    return;
  }
  data::ImageFolderOptions o{
      .labels = "labels.csv",
      .classes = {{"elliptical", 0}, {"spiral_clockwise", 1}, {"spiral_anticlockwise", 1}, {"edge_on", 1}},
      .class_names = {"elliptical", "disk"},
      .crop = 212};
  data::detail::Listing all = data::detail::read_listing(folder, o);
  CHECK(all.ids.size() == 2801 + 269 + 266 + 605);
  CHECK(all.left_out == std::map<std::string, int64_t>{{"merger", 73}, {"unknown", 33}});
  int64_t test[2] = {};
  for (size_t i = 0; i < all.ids.size(); ++i) test[all.labels[i]] += data::field_part(all.ids[i]) == 0;
  CHECK(test[0] == 537);
  CHECK(test[1] == 232);
  Folder f;
  std::string few = "objid,class\n";
  for (int i = 0; i < 40; ++i) few += all.ids[size_t(i) * 97] + ",elliptical\n";
  f.write("few.csv", few);
  o.labels = (f.path / "few.csv").string();
  data::Dataset d = data::image_folder(folder, o);
  REQUIRE(d.images.shape() == Shape{40, 96, 96, 3});
  CHECK(d.flagged.empty());
  double middle = 0, border = 0;
  for (int64_t n = 0; n < 40; ++n)
    for (int64_t i = 0; i < 10; ++i)
      for (int64_t j = 0; j < 30; ++j) {
        middle += d.images.data<uint8_t>()[((n * 96 + 43 + i) * 96 + 43) * 3 + j] / 12000.0;
        border += d.images.data<uint8_t>()[((n * 96 + i) * 96 + 43) * 3 + j] / 12000.0;
      }
  CHECK(middle > 4 * border);
}
