// Folders of FITS cutouts in many bands as a data set: flux, places, labels, and what cannot be read.
#include <doctest/doctest.h>
#include <unistd.h>
#include <d16/data/cutout_folder.hpp>

#include <fstream>

using namespace d16;
namespace fs = std::filesystem;

namespace {
struct Folder {
  fs::path path = fs::temp_directory_path() / ("d16-cutouts-" + std::to_string(getpid()));
  Folder() {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
  /// A cutout of `side` pixels of `light` nJy with one pixel of 100 beside the middle.
  void write(std::string const& object, std::string const& file, int64_t side, double light) const {
    fs::create_directories(path / object);
    Tensor x = full({side, side}, light);
    x.data<float>()[side / 2 * side + side / 2 + 1] = 100, x.data<float>()[0] = NAN;
    io::write_fits((path / object / file).string(), x, {{"BUNIT", "nJy"}, {"PIXSCALE", 0.04}});
  }
};
}  // namespace

TEST_CASE("cutout_folder: bands in their order, the middle, zeros where nothing is, labels and flags") {
  Folder f;
  f.write("a", "f200w_sci.fits", 9, 2), f.write("a", "F444W_sci.fits", 9, 3);
  f.write("b", "f444w_sci.fits", 5, 4);
  fs::create_directories(f.path / "c");
  std::ofstream(f.path / "c" / "f200w_sci.fits") << "this is a letter";
  std::ofstream(f.path / "labels.csv") << "id,class\nb,disk\na,elliptical\nc,disk\nd,disk\ne,star\n";
  data::CutoutFolderOptions o{.cutout = {.bands = {"F200W", "F444W"}}, .size = 7};
  o.listing.labels = "labels.csv", o.listing.classes = {{"elliptical", 0}, {"disk", 1}};
  data::Dataset d = data::cutout_folder(f.path.string(), o);
  REQUIRE(d.images.shape() == Shape{2, 7, 7, 2});
  CHECK(d.ids == std::vector<std::string>{"b", "a"});
  CHECK((d.label(0) == 1 && d.label(1) == 0));
  CHECK(d.left_out.at("star") == 1);
  REQUIRE(d.flagged.size() == 2);
  CHECK(d.flagged[0].reason.find("f200w_sci.fits") != std::string::npos);
  CHECK(d.flagged[1].reason.find("no such sub-folder") == 0);
  auto at = [&](int64_t n, int64_t y, int64_t x, int64_t c) {
    return d.images.data<float>()[((n * 7 + y) * 7 + x) * 2 + c];
  };
  CHECK((at(1, 3, 4, 0) == 100 && at(1, 3, 4, 1) == 100));  // beside the middle of 7
  CHECK((at(1, 2, 2, 0) == 2 && at(1, 2, 2, 1) == 3));
  CHECK((at(0, 3, 4, 1) == 100 && at(0, 3, 4, 0) == 0));                       // b has no F200W
  CHECK((at(0, 0, 0, 1) == 0 && at(0, 1, 1, 1) == 0 && at(0, 1, 2, 1) == 4));  // smaller than 7; its corner is NaN
  o.listing.labels = "";
  CHECK(data::cutout_folder(f.path.string(), o).size() == 2);
  CHECK_THROWS_AS(data::cutout_folder((f.path / "none").string(), o), FileError);
  o.cutout.bands = {"F090W"};
  CHECK_THROWS_WITH_AS(data::cutout_folder(f.path.string(), o), doctest::Contains("F090W"), FileError);
}

TEST_CASE("cutout_folder: dots in the names of sub-folders") {
  Folder f;
  f.write("obj.12", "f200w_sci.fits", 5, 2), f.write("a.png", "f200w_sci.fits", 5, 2);
  std::ofstream(f.path / "labels.csv") << "id,class\nobj.12,disk\na.png,disk\n";
  data::CutoutFolderOptions o{.cutout = {.bands = {"F200W"}}, .size = 5};
  o.listing.labels = "labels.csv";
  CHECK(data::cutout_folder(f.path.string(), o).ids == std::vector<std::string>{"obj.12", "a.png"});
}

TEST_CASE("the shared CEERS cutouts as a data set") {
  std::string folder = "../shared/data/jwst_ceers_nircam";
  if (!fs::exists(folder)) {
    MESSAGE("skipped: no " << folder);
    return;
  }
  data::CutoutFolderOptions o{.cutout = {.bands = {"F200W", "F277W", "F444W"}, .unit = "MJy/sr"}, .size = 64};
  data::Dataset d = data::cutout_folder(folder, o);
  CHECK(d.size() == 6);
  CHECK(d.images.shape() == Shape{6, 64, 64, 3});
}
