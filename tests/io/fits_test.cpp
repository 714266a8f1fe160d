// FITS: images and tables of every kind in and out, judged against bytes made by hand, and damage refused.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include <d16/io/fits.hpp>

#include "bad_input.hpp"

using namespace bad_input;
using namespace d16;
using namespace d16::io;

// ---- FITS made by hand: an oracle that shares no code with the reader ----

static std::string padded(std::string bytes, char with = '\0') {
  return bytes.append((2880 - bytes.size() % 2880) % 2880, with);
}

static std::string header_of(std::vector<std::string> cards) {
  std::string out;
  cards.push_back("END");
  for (std::string& card : cards) out += card.append(80 - card.size(), ' ');
  return padded(out, ' ');
}

/// A number as FITS has it: big-endian.
template <class T> static std::string big(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  std::reverse(bytes.begin(), bytes.end());
  return bytes;
}
template <class T> static std::string big(std::vector<T> const& values) {
  std::string out;
  for (T value : values) out += big(value);
  return out;
}

static std::string card(std::string key, int64_t value) {
  return key.append(8 - key.size(), ' ') + "= " + std::to_string(value);
}

static std::string image_hdu(bool primary, int bitpix, std::vector<int64_t> sizes, std::string data,
                             std::vector<std::string> more = {}) {
  std::vector<std::string> cards{primary ? "SIMPLE  =                    T" : "XTENSION= 'IMAGE   '",
                                 card("BITPIX", bitpix), card("NAXIS", int64_t(sizes.size()))};
  for (size_t i = 0; i < sizes.size(); ++i) cards.push_back(card("NAXIS" + std::to_string(i + 1), sizes[i]));
  if (!primary) cards.insert(cards.end(), {card("PCOUNT", 0), card("GCOUNT", 1)});
  cards.insert(cards.end(), more.begin(), more.end());
  return header_of(cards) + padded(std::move(data));
}

static std::vector<float> pixels(FitsImage const& image) {
  return {image.pixels.data<float>(), image.pixels.data<float>() + image.pixels.numel()};
}
using V = std::vector<float>;

static std::string name_of_sci = "EXTNAME = 'SCI     '";

TEST_CASE("fits image: every BITPIX, row 0 first, BSCALE, BZERO, BLANK, NaN") {
  TemporaryFolder folder;
  auto read = [&](std::string const& bytes) { return read_fits(folder.file("a.fits", bytes)); };
  V const six{1, 2, 3, 4, 5, 6};
  FitsImage f = read(image_hdu(true, -32, {3, 2}, big<float>(six), {"BUNIT   = 'MJy/sr  '"}));
  CHECK(f.pixels.shape() == Shape{2, 3});
  CHECK(pixels(f) == six);
  CHECK(f.unit == "MJy/sr");
  CHECK(f.hdu.name == "PRIMARY");
  CHECK(pixels(read(image_hdu(true, -64, {3, 2}, big<double>({1, 2, 3, 4, 5, 6})))) == six);
  CHECK(pixels(read(image_hdu(true, 8, {3, 2}, "\1\2\3\4\5\6"))) == six);
  CHECK(pixels(read(image_hdu(true, 16, {3, 2}, big<int16_t>({1, 2, 3, 4, 5, 6})))) == six);
  CHECK(pixels(read(image_hdu(true, 32, {3, 2}, big<int32_t>({1, 2, 3, 4, 5, 6})))) == six);
  CHECK(pixels(read(image_hdu(true, 64, {3, 2}, big<int64_t>({1, 2, 3, 4, 5, 6})))) == six);
  CHECK(pixels(read(image_hdu(true, 16, {3, 1}, big<int16_t>({-32768, 0, 32767}), {"BZERO   = 32768.0"}))) ==
        V{0, 32768, 65535});
  V scaled = pixels(read(image_hdu(true, 16, {4, 1}, big<int16_t>({-1, 0, 10, -99}),
                                   {"BSCALE  = 0.5", "BZERO   = 2.0", "BLANK   = -99"})));
  CHECK(V(scaled.begin(), scaled.end() - 1) == V{1.5, 2, 7});
  CHECK(std::isnan(scaled[3]));
  V with_nan = pixels(read(image_hdu(true, -32, {2, 1}, big<float>({NAN, -1}))));
  CHECK(std::isnan(with_nan[0]));
  CHECK(with_nan[1] == -1);
  CHECK(pixels(read(image_hdu(true, -32, {3, 2, 1, 1}, big<float>(six)))) == six);
}

TEST_CASE("fits image: float64 on request, and values beyond float32 are no silent infinities") {
  TemporaryFolder folder;
  std::string path = folder.file("a.fits", image_hdu(true, -64, {2, 1}, big<double>({0.1, 1e300})));
  CHECK(contains(error_of([&] { read_fits(path); }),
                 "HDU PRIMARY has values that float32 cannot hold; read it as float64"));
  FitsImage image = read_fits(path, {.dtype = DType::f64});
  CHECK(image.pixels.data<double>()[0] == 0.1);
  CHECK(image.pixels.data<double>()[1] == 1e300);
  for (DType dtype : {DType::f32, DType::f64})
    CHECK(std::isnan(
        read_fits(folder.file("b.fits", image_hdu(true, -64, {1, 1}, big<double>(INFINITY))), {.dtype = dtype})
            .pixels.item()));
}

TEST_CASE("fits image: HDUs by name, by number, and the default") {
  TemporaryFolder folder;
  std::string empty_primary = image_hdu(true, 8, {}, "", {"FILTER  = 'F444W   '", "EXPTIME = 1.5D3"});
  std::string bytes = empty_primary + image_hdu(false, -32, {1, 1}, big<float>(V{7}), {"EXTNAME = 'ERR     '"}) +
                      image_hdu(false, -32, {1, 1}, big<float>(V{8}), {name_of_sci, "FILTER  = 'own     '"}) +
                      image_hdu(false, -32, {1, 1}, big<float>(V{9}));
  std::string path = folder.file("m31_f444w.fits", bytes);
  FitsImage sci = read_fits(path);
  CHECK(pixels(sci) == V{8});
  CHECK(sci.hdu.index == 2);
  CHECK(sci.string("FILTER") == "own");
  CHECK(sci.primary.string("FILTER") == "F444W");
  CHECK(sci.number("EXPTIME") == 1500.0);
  CHECK(!sci.number("ABSENT"));
  CHECK(pixels(read_fits(path, {.hdu = "err"})) == V{7});
  CHECK(pixels(read_fits(path, {.hdu = "1"})) == V{7});
  CHECK(pixels(read_fits(path, {.hdu = "3"})) == V{9});
  CHECK(error_of([&] { read_fits(path, {.hdu = "WHT"}); }) == path + ": no HDU \"WHT\"; it has PRIMARY, ERR, SCI, 3");
  CHECK(contains(error_of([&] { read_fits(path, {.hdu = "4"}); }), "no HDU \"4\""));
  CHECK(contains(error_of([&] { read_fits(path, {.hdu = "PRIMARY"}); }), "HDU PRIMARY has no image of two axes"));
  CHECK(pixels(read_fits(folder.file("b.fits", empty_primary + image_hdu(false, -32, {1, 1}, big<float>(V{9}))))) ==
        V{9});
  CHECK(contains(error_of([&] { read_fits(folder.file("c.fits", empty_primary)); }),
                 "no image with data; it has PRIMARY"));
  CHECK(list_fits(path).size() == 4);
  CHECK(list_fits(path)[2].sizes == std::vector<int64_t>{1, 1});
}

TEST_CASE("fits image: sections and planes") {
  TemporaryFolder folder;
  std::vector<int16_t> values;
  for (int16_t i = 0; i < 5 * 4 * 3; ++i) values.push_back(i);
  std::string path = folder.file("cube.fits", image_hdu(true, 16, {5, 4, 3}, big<int16_t>(values)));
  CHECK(error_of([&] { read_fits(path); }) ==
        path + ": HDU PRIMARY is a cube of 3 planes of 5x4; choose a plane from 0 to 2");
  CHECK(contains(error_of([&] { read_fits(path, {.plane = 3}); }), "choose a plane"));
  CHECK(pixels(read_fits(path, {.plane = 2}))[0] == 40);
  FitsImage part = read_fits(path, {.section = FitsSection{1, 3, 2, 4}, .plane = 1});
  CHECK(part.pixels.shape() == Shape{2, 2});
  CHECK(pixels(part) == V{31, 32, 36, 37});
  for (FitsSection s : {FitsSection{0, 6, 0, 1}, FitsSection{-1, 2, 0, 1}, FitsSection{2, 2, 0, 1},
                        FitsSection{0, 1, 3, 2}, FitsSection{0, 1, 0, 5}})
    CHECK(contains(error_of([&] { read_fits(path, {.section = s, .plane = 0}); }), "is empty or not inside"));
  std::string four = folder.file("four.fits", image_hdu(true, 16, {5, 2, 3, 2}, big<int16_t>(values)));
  CHECK(contains(error_of([&] { read_fits(four, {.plane = 0}); }), "4 axes; at most a cube"));
  std::string line = folder.file("line.fits", image_hdu(true, 16, {60}, big<int16_t>(values)));
  CHECK(contains(error_of([&] { read_fits(line); }), "no image with data"));
  CHECK(contains(error_of([&] { read_fits(path, {.plane = 0, .max_pixels = 19}); }),
                 "5x4 pixels, more than 19; read a section"));
}

TEST_CASE("fits image: headers") {
  TemporaryFolder folder;
  std::vector<std::string> cards{"TEXT    = 'it''s  '           / a quote",
                                 "PLUS    = +1.5E+1",
                                 "BIG     = 587722952767439450",
                                 "YES     = T",
                                 "UNDEF   =",
                                 "HISTORY first",
                                 "HISTORY second",
                                 "LONG    = 'The quick brown fox jumps over the lazy dog and runs &'",
                                 "CONTINUE  'home.'",
                                 "HIERARCH ESO DET ID = 'chip 3'"};
  FitsHeader h = read_fits(folder.file("h.fits", image_hdu(true, 8, {1, 1}, "\1", cards))).header;
  CHECK(h.string("TEXT") == "it's");
  CHECK(h.find("TEXT")->comment == "a quote");
  CHECK(h.number("PLUS") == 15.0);
  CHECK(std::get<int64_t>(h.find("BIG")->value) == 587722952767439450);
  CHECK(std::get<bool>(h.find("YES")->value));
  CHECK(!h.has("UNDEF"));
  CHECK(h.string("LONG") == "The quick brown fox jumps over the lazy dog and runs home.");
  CHECK(h.string("ESO DET ID") == "chip 3");
  CHECK(std::count_if(h.cards.begin(), h.cards.end(), [](FitsCard const& c) { return c.key == "HISTORY"; }) == 2);
}

TEST_CASE("fits image: file names are literal") {
  TemporaryFolder folder;
  std::string bytes = image_hdu(true, 8, {1, 1}, "\5");
  for (char const* name : {"a[1].fits", "!a.fits", "a b.fits", "a(b).fits", "*.fits", "a+1", "x.fits.gz"})
    CHECK(pixels(read_fits(folder.file(name, bytes))) == V{5});
  CHECK(contains(error_of([&] { read_fits(folder / "x.fits"); }), "cannot open"));  // CFITSIO would take x.fits.gz
  for (char const* name : {"~tilde.fits", "-", "-.gz"}) {
    std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::current_path(folder.path());
    folder.file(name, bytes);
    CHECK(error_of([&] { CHECK(pixels(read_fits(name)) == V{5}); }) == "no exception");
    std::filesystem::current_path(before);
  }
  for (char const* name : {"new[1].fits", "!new.fits", "new.fits.gz", "mem:"}) {
    write_fits(folder / name, ones({1, 1}));
    CHECK(pixels(read_fits(folder / name)) == V{1});
  }
}

/// CFITSIO itself makes a compressed copy.
static void compress(std::string const& from, std::string const& to) {
  fitsfile *in = nullptr, *out = nullptr;
  int status = 0;
  fits_open_diskfile(&in, from.c_str(), READONLY, &status);
  fits_create_file(&out, to.c_str(), &status);
  fits_copy_file(in, out, 1, 1, 1, &status);
  fits_close_file(in, &status);
  fits_close_file(out, &status);
  REQUIRE(status == 0);
}

TEST_CASE("fits image: gzipped and tile-compressed") {
  TemporaryFolder folder;
  std::vector<int32_t> values;
  for (int i = 0; i < 70 * 50; ++i) values.push_back(i % 97 * 11);
  std::string plain =
      folder.file("a.fits", image_hdu(true, 32, {70, 50}, big<int32_t>(values), {"BUNIT   = 'adu     '"}));
  V expected(values.begin(), values.end());
  for (std::string name : {"b.fits.gz", "c.fits[compress R]"}) {
    compress(plain, folder / name);
    std::string path = folder / name.substr(0, name.find('['));
    FitsImage image = read_fits(path);
    CHECK(pixels(image) == expected);
    CHECK(image.unit == "adu");
    CHECK(pixels(read_fits(path, {.section = FitsSection{3, 5, 7, 8}})) == V{float(values[493]), float(values[494])});
    std::string bytes = read_file(path);
    std::string cut = folder.file("cut", std::string_view(bytes).substr(0, bytes.size() / 2));
    CHECK(contains(error_of([&] { read_fits(cut); }), cut));
  }
}

TEST_CASE("fits image: damage is refused with the name of the file") {
  TemporaryFolder folder;
  std::string good = image_hdu(true, -32, {40, 30}, std::string(4800, '\0'), {name_of_sci});
  auto error = [&](std::string_view bytes) { return error_of([&] { read_fits(folder.file("bad.fits", bytes)); }); };
  CHECK(contains(error(""), "bad.fits: is empty"));
  CHECK(contains(error("\xFF\xD8\xFF\xE0 a JPEG"), "does not begin as FITS"));
  CHECK(contains(error("SIMPLE"), "does not begin as FITS"));
  CHECK(contains(error("\x1F\x8B nothing"), "bad.fits"));
  Random random(7);
  CHECK(contains(error(noise(6000, random)), "does not begin as FITS"));
  CHECK(contains(error("SIMPLE  =" + noise(6000, random)), "bad.fits"));
  CHECK(contains(error(good.substr(0, 1000)), "bad.fits"));
  CHECK(contains(error(good.substr(0, 2880)), "needs 4800 bytes of data, the file has 0; it is truncated"));
  CHECK(contains(error(good.substr(0, 2880 + 4799)), "needs 4800 bytes of data, the file has 4799; it is truncated"));
  CHECK(contains(error(image_hdu(true, -32, {1000000, 1000000}, "1234")), "more than 1073741824; read a section"));
  CHECK(contains(error(image_hdu(true, -32, {30000, 30000}, "1234")), "needs 3600000000 bytes of data"));
  CHECK(contains(error(image_hdu(true, -64, {3037000500, 3037000500}, "")), "bad.fits"));
  CHECK(contains(error(image_hdu(true, -32, {0, 5}, "")), "no image with data"));
  CHECK(contains(error(image_hdu(true, -32, {-5, 5}, "")), "bad.fits"));
  CHECK(contains(error(image_hdu(true, 17, {1, 1}, "12")), "bad.fits"));
  CHECK(contains(error(image_hdu(true, 8, {1, 1, 1, 1, 1, 1, 1, 1, 1}, "1")), "9 axes; at most a cube"));
  CHECK(contains(error_of([&] { read_fits(folder.path()); }), "is a folder"));
  CHECK(contains(error_of([&] { read_fits(folder / "absent.fits"); }), "cannot open"));
}

TEST_CASE("fits image: an image of nothing but NaN is read: what to make of it is for the caller") {
  TemporaryFolder folder;
  for (float value : pixels(read_fits(folder.file("nan.fits", image_hdu(true, -32, {2, 2}, big<float>(V(4, NAN)))))))
    CHECK(std::isnan(value));
}

TEST_CASE("fits image: what is written reads back, in the bytes of the standard") {
  TemporaryFolder folder;
  Tensor x = from(V{1, 2, NAN, 4, 5, -6e-30f}, {2, 3});
  std::vector<FitsCard> cards{{"FILTER", "F444W", "band"},
                              {"CRVAL1", 214.98547123456789, "deg"},
                              {"TENTH", 0.1},
                              {"N", int64_t(3)},
                              {"OK", true},
                              {"LONGTEXT", std::string(150, 'x')},
                              {"HISTORY", "denoised"},
                              {"BITPIX", int64_t(16)},
                              {"BZERO", 32768.0},
                              {"NAXIS1", int64_t(9)}};
  write_fits(folder / "x.fits", x, cards);
  std::string bytes = read_file(folder / "x.fits");
  CHECK(bytes.size() % 2880 == 0);
  CHECK(contains(bytes, "TENTH   =                  0.1"));
  size_t data = bytes.size() - 2880;
  CHECK(bytes.substr(data, 8) == big<float>(V{1, 2}));
  CHECK(bytes.substr(data + 12, 12) == big<float>(V{4, 5, -6e-30f}));
  FitsImage back = read_fits(folder / "x.fits");
  CHECK(std::isnan(back.pixels.data<float>()[2]));
  CHECK(back.pixels.data<float>()[5] == -6e-30f);
  CHECK(back.header.number("CRVAL1") == 214.98547123456789);
  CHECK(back.header.string("LONGTEXT") == std::string(150, 'x'));
  CHECK(back.header.number("BITPIX") == -32.0);
  CHECK(!back.header.has("BZERO"));

  write_fits(folder / "x.fits", {{"SCI", x, back.header.cards},
                                 {"SEG", from(std::vector<int64_t>{1 << 30}, {1, 1}), {}},
                                 {"MASK", from(std::vector<uint8_t>{1}, {1, 1, 1}), {}},
                                 {"VAR", from(std::vector<double>{0.1}, {1, 1}), {}}});
  CHECK(io::detail::fits_names(list_fits(folder / "x.fits")) == "PRIMARY, SCI, SEG, MASK, VAR");
  CHECK(read_fits(folder / "x.fits").header.string("FILTER") == "F444W");
  CHECK(pixels(read_fits(folder / "x.fits", {.hdu = "SEG"})) == V{1 << 30});
  CHECK(read_fits(folder / "x.fits", {.hdu = "VAR", .dtype = DType::f64}).pixels.item() == 0.1);
  CHECK(folder.count() == 1);

  CHECK(contains(error_of<ShapeError>([&] {
                   write_fits(folder / "y.fits", ones({2, 2, 3}));
                 }),
                 "(H,W) without empty axes"));
  CHECK(contains(error_of<ShapeError>([&] {
                   write_fits(folder / "y.fits", zeros({0, 3}));
                 }),
                 "(H,W) without empty axes"));
  CHECK(contains(error_of<DTypeError>([&] {
                   write_fits(folder / "y.fits", ones({1, 1}).cast(DType::bf16));
                 }),
                 "bfloat16"));
  CHECK(contains(error_of<ValueError>([&] {
                   write_fits(folder / "y.fits", x, {{"SEEING", NAN}});
                 }),
                 "card SEEING is nan"));
  CHECK(contains(error_of<ValueError>([&] {
                   write_fits(folder / "y.fits", x, {{"b\tad", 1.0}});
                 }),
                 "y.fits: \"b?ad\" is no key for a FITS card"));
  CHECK(folder.count() == 1);
}

TEST_CASE("fits: every refusal names the file and what to do") {
  Table t;
  t.column("x", std::vector<double>{1});
  CHECK(writer_fault([](std::string const& path) { write_fits(path, ones({3, 3})); }, "x.fits") == "");
  CHECK(writer_fault([&](std::string const& path) { write_fits_table(path, t); }, "catalog.fits") == "");
}

static Table some_table() {
  Table t;
  t.column("id", std::vector<int64_t>{587722952767439450, -1, 0}, {.unit = "", .comment = "SDSS DR7 object"});
  t.column("ra", std::vector<double>{214.9, 0.1, NAN}, {.unit = "deg", .comment = std::string(120, 'c')});
  t.column("flux", std::vector<float>{0.1f, NAN, -3e38f}, {.unit = "nJy", .comment = ""});
  t.column("n", std::vector<int32_t>{1, -2, 2147483647});
  t.column("good", std::vector<bool>{true, false, true});
  t.column("file", std::vector<std::string>{"a.fits", "", "caf\xC3\xA9.fits"});
  return t;
}

TEST_CASE("fits table: what is written reads back, with units and comments") {
  TemporaryFolder folder;
  std::string path = folder / "catalog.fits";
  write_fits_table(path, some_table(), "CATALOG", {{"SEED", int64_t(7), "random seed"}});
  Table t = read_fits_table(path);
  CHECK(t.names() == "id, ra, flux, n, good, file");
  CHECK(t.rows() == 3);
  CHECK(t.integers("id")[0] == 587722952767439450);
  CHECK(t.numbers("ra")[1] == 0.1);
  CHECK(std::isnan(t.numbers("ra")[2]));
  CHECK(std::get<std::vector<float>>(t.at("flux").values)[0] == 0.1f);
  CHECK(std::isnan(t.numbers("flux")[1]));
  CHECK(std::get<std::vector<int32_t>>(t.at("n").values) == std::vector<int32_t>{1, -2, 2147483647});
  CHECK(std::get<std::vector<bool>>(t.at("good").values) == std::vector<bool>{true, false, true});
  CHECK(t.strings("file") == std::vector<std::string>{"a.fits", "", "caf??.fits"});
  CHECK(t.at("ra").info.unit == "deg");
  CHECK(t.at("ra").info.comment == std::string(120, 'c'));
  CHECK(t.at("id").info.comment == "SDSS DR7 object");
  CHECK(contains(read_file(path), "TTYPE1  = 'id      '           / SDSS DR7 object"));
  CHECK(list_fits(path)[1].name == "CATALOG");
  CHECK(error_of([&] { t.at("class"); }) == path + ": no column \"class\"; it has id, ra, flux, n, good, file");

  Table few = read_fits_table(path, {.hdu = "catalog", .columns = {"flux", "id"}});
  CHECK(few.names() == "id, flux");
  CHECK(error_of([&] { read_fits_table(path, {.columns = {"dec"}}); }) ==
        path + ": HDU CATALOG: no column \"dec\"; it has id, ra, flux, n, good, file");
  CHECK(contains(error_of([&] { read_fits_table(path, {.hdu = "PRIMARY"}); }), "HDU PRIMARY is an image"));
  CHECK(contains(error_of([&] { read_fits_table(path, {.max_rows = 2}); }), "3 rows, more than 2"));
  CHECK(contains(error_of([&] { read_fits(path, {.hdu = "1"}); }), "HDU CATALOG is a table"));
  CHECK(contains(error_of<ValueError>([&] { write_fits_table(path, Table()); }), "without columns"));

  Table none;
  none.column("x", std::vector<double>{}).column("s", std::vector<std::string>{});
  write_fits_table(path, none);
  CHECK(read_fits_table(path).rows() == 0);
}

static std::string table_hdu(int64_t row_bytes, int64_t rows, std::vector<std::string> columns, std::string data,
                             int64_t heap = 0) {
  std::vector<std::string> cards{"XTENSION= 'BINTABLE'",    card("BITPIX", 8),    card("NAXIS", 2),
                                 card("NAXIS1", row_bytes), card("NAXIS2", rows), card("PCOUNT", heap),
                                 card("GCOUNT", 1)};
  int64_t count = 0;
  for (std::string const& c : columns) count += c.starts_with("TFORM");
  cards.push_back(card("TFIELDS", count));
  cards.insert(cards.end(), columns.begin(), columns.end());
  return image_hdu(true, 8, {}, "") + header_of(cards) + padded(std::move(data));
}

TEST_CASE("fits table: tables of other makers") {
  TemporaryFolder folder;
  std::vector<std::string> columns{"TTYPE1  = 'u16     '", "TFORM1  = 'I       '", "TZERO1  = 32768",
                                   "TTYPE2  = 'scaled  '", "TFORM2  = 'I       '", "TSCAL2  = 0.5",
                                   "TTYPE3  = 'holes   '", "TFORM3  = 'J       '", "TNULL3  = -9",
                                   "TFORM4  = 'B       '", "TTYPE5  = 'vector  '", "TFORM5  = '2E      '",
                                   "TTYPE6  = 'name    '", "TFORM6  = '4A      '", "TUNIT2  = 'mag     '"};
  std::string row = big<int16_t>(-32768) + big<int16_t>(3) + big<int32_t>(-9) + "\7" + big<float>(V{1, 2}) + "ab  ";
  std::string row2 =
      big<int16_t>(32767) + big<int16_t>(-3) + big<int32_t>(5) + "\xFF" + big<float>(V{1, 2}) + std::string("a\0bc", 4);
  std::string path = folder.file("t.fits", table_hdu(21, 2, columns, row + row2));
  Table t = read_fits_table(path);
  CHECK(t.names() == "u16, scaled, holes, col4, name");
  CHECK(t.left_out() == std::vector<std::string>{"vector: 2 values per row"});
  CHECK(t.integers("u16") == std::vector<int64_t>{0, 65535});
  CHECK(t.numbers("scaled") == std::vector<double>{1.5, -1.5});
  CHECK(t.at("scaled").info.unit == "mag");
  CHECK(std::isnan(t.numbers("holes")[0]));
  CHECK(t.numbers("holes")[1] == 5);
  CHECK(t.integers("col4") == std::vector<int64_t>{7, 255});
  CHECK(t.strings("name") == std::vector<std::string>{"ab", "a"});
  CHECK(contains(error_of([&] { read_fits_table(path, {.columns = {"vector"}}); }),
                 "column \"vector\" holds 2 values per row; one value per row is needed"));
  CHECK(contains(error_of([&] {
                   read_fits_table(folder.file("i.fits", image_hdu(true, 8, {1, 1}, "1")));
                 }),
                 "no table with data; it has PRIMARY"));
}

TEST_CASE("fits table: damage is refused with the name of the file") {
  TemporaryFolder folder;
  std::vector<std::string> x{"TTYPE1  = 'x       '", "TFORM1  = 'D       '"};
  auto error = [&](std::string_view bytes) {
    return error_of([&] { read_fits_table(folder.file("bad.fits", bytes)); });
  };
  CHECK(contains(error(table_hdu(8, 1000, x, "1234")), "needs 8000 bytes of data, the file has 2880; it is truncated"));
  CHECK(contains(error(table_hdu(8, int64_t(1) << 60, x, "1234")), "rows, more than 50000000"));
  CHECK(contains(error(table_hdu(9, 1, x, "123456789")),
                 "no table with data; it has PRIMARY; what follows is damaged: "));
  CHECK(contains(error(table_hdu(8, -1, x, "12345678")), "what follows is damaged: a table without a valid NAXIS2"));
  CHECK(contains(error(table_hdu(8, 1, {"TTYPE1  = 'x       '", "TFORM1  = 'Q?      '"}, "12345678")),
                 "what follows is damaged"));
  CHECK(contains(
      error(table_hdu(2, 1,
                      {"TTYPE1  = 'x       '", "TFORM1  = 'B       '", "TTYPE2  = 'x       '", "TFORM2  = 'B       '"},
                      "12")),
      "two columns are named \"x\""));
  std::string good = table_hdu(8, 1, x, "12345678");
  CHECK(error(good) == "no exception");
  CHECK(contains(error(good + "trailing bytes that are no HDU"), "no exception"));
  CHECK(contains(error_of([&] { read_fits_table(folder.file("bad.fits", good + padded("garbage")), {.hdu = "SCI"}); }),
                 "no HDU \"SCI\"; it has PRIMARY, 1"));
}

TEST_CASE("fits: 2,000 mutations of an image and a table throw d16::Error or read") {
  TemporaryFolder folder;
  write_fits_table(folder / "t.fits", some_table());
  std::string const table = read_file(folder / "t.fits"),
                    image = image_hdu(true, 16, {5, 4}, std::string(40, '\3'), {"BSCALE  = 0.5", name_of_sci});
  Random random(8);
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string path = folder.file("mutated", mutated(i % 2 ? table : image, random));
    try {
      bool read =
          i % 2 ? read_fits_table(path).rows() >= 0 : read_fits(path, {.max_pixels = 1 << 20}).pixels.rank() == 2;
      CHECK(read);
    } catch (Error const&) {
      ++refused;
    }
  }
  CHECK(refused > 300);
}

TEST_CASE("fits: the cutouts of JWST, HST, KiDS and DECaLS are read") {
  std::string const data = "../shared/data/";
  if (!std::filesystem::exists(data)) {
    MESSAGE("skipped: ../shared/data is not here");
    return;
  }
  FitsImage jwst = read_fits(data + "jwst_ceers_nircam/40/f444w_sci.fits");
  CHECK(jwst.pixels.shape() == Shape{125, 125});
  CHECK(jwst.scale.arcsec == doctest::Approx(0.04));
  CHECK(jwst.scale.doubtful);
  CHECK(read_fits(data + "jwst_ceers_nircam/40/f115w_err.fits").scale.arcsec == doctest::Approx(0.02));
  FitsImage hst = read_fits(data + "hst_cosmos_f814w/data/cosmos/real_galaxy_images_extension.fits", {.hdu = "99"});
  CHECK(hst.hdu.index == 99);
  CHECK(!hst.scale.known());
  FitsImage decals = read_fits(data + "hsc_decals_cutouts/examples/examp_gals/cutout_59.1067_-30.4848.fits");
  CHECK(decals.pixels.shape() == Shape{256, 256});
  CHECK(decals.scale.arcsec == doctest::Approx(0.262).epsilon(0.001));
  Table hst_table =
      read_fits_table(data + "hst_cosmos_f814w/data/cosmos/real_galaxy_catalog_26_extension_example.fits");
  CHECK(hst_table.rows() == 100);
  int images = 0;
  for (auto const& entry : std::filesystem::directory_iterator(data + "kids_sdss_segmented/inst/extdata/KiDS"))
    if (entry.path().extension() == ".fits") images += read_fits(entry.path().string()).pixels.numel() > 0;
  CHECK(images == 50);
}
