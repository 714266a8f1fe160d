// FITS images and tables by CFITSIO: what telescopes write and what TOPCAT, DS9 and astropy open. Link cfitsio.
// Threads may read different files at once when CFITSIO was built reentrant, as distributions do.
#pragma once
#include <fitsio.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "../core/tensor.hpp"
#include "../ops/views.hpp"
#include "atomic_file.hpp"
#include "fits_header.hpp"
#include "read_file.hpp"
#include "table.hpp"

namespace d16::io {

/// What one HDU is, for listings and messages.
struct FitsHdu {
  int index = 0;     ///< 0 is the primary HDU, as astropy counts
  std::string name;  ///< EXTNAME; PRIMARY or the index where there is none
  enum class Kind { image, table } kind = Kind::image;
  std::vector<int64_t> sizes;  ///< of an image, slowest axis first: {H,W}; of a table {rows, columns}

  bool has_data() const { return !sizes.empty() && std::count(sizes.begin(), sizes.end(), 0) == 0; }
};

/// Columns x0 <= x < x1 and rows y0 <= y < y1 of an image, counted from 0; y grows from the first row of the file.
struct FitsSection {
  int64_t x0 = 0, x1 = 0, y0 = 0, y1 = 0;
};

struct FitsReadOptions {
  std::string hdu = {};                     ///< name or index; empty: SCI, or else the first image with data
  std::optional<FitsSection> section = {};  ///< only this part is read from the disk
  int plane = -1;                           ///< which plane of a cube, from 0
  DType dtype = DType::f32;                 ///< or f64
  int64_t max_pixels = int64_t(1) << 30;    ///< larger ones are refused before memory is taken
};

struct FitsImage {
  Tensor pixels;       ///< (H,W); row 0 is the first row of the file, so y points up on the sky plot
  FitsHeader header;   ///< of this HDU
  FitsHeader primary;  ///< of the primary HDU, where instruments keep FILTER, EXPTIME ...
  FitsHdu hdu;
  std::string unit;  ///< BUNIT; empty when missing
  PixelScale scale;

  std::optional<double> number(std::string_view key) const {
    auto own = header.number(key);
    return own ? own : primary.number(key);
  }
  std::optional<std::string> string(std::string_view key) const {
    auto own = header.string(key);
    return own ? own : primary.string(key);
  }
};

/// One image to write.
struct FitsPlane {
  std::string name = {};  ///< EXTNAME
  Tensor pixels = {};     ///< (H,W) or (H,W,1), float32, float64, int64 or uint8; row 0 becomes the first row
  std::vector<FitsCard> cards = {};
};

namespace detail {

/// The open file, and the only place that knows CFITSIO's ways of failing.
class FitsFile {
 public:
  /// Opens for reading. The name is literal: CFITSIO's own syntax ("a.fits[1]", "!a.fits", "~/a.fits") is kept out.
  explicit FitsFile(std::string path) : path_(std::move(path)) {
    look_at_first_bytes();
    std::string literal = path_[0] == '~' || path_[0] == '-' ? "./" + path_ : path_;
    require<FileError>(literal.size() < FLEN_FILENAME, path_, ": CFITSIO takes no path of ", literal.size(),
                       " bytes; use a shorter one");
    int status = 0;
    fits_open_diskfile(&file_, literal.c_str(), READONLY, &status);
    check(status, "cannot be read as FITS");
  }
  /// A new file in memory; take_bytes() ends it.
  static FitsFile in_memory(std::string path) { return FitsFile(std::move(path), Memory()); }
  FitsFile(FitsFile const&) = delete;
  FitsFile& operator=(FitsFile const&) = delete;
  ~FitsFile() {
    int status = 0;
    if (file_) fits_close_file(file_, &status);
    std::free(memory_);
    fits_clear_errmsg();
  }

  fitsfile* get() const { return file_; }
  std::string const& path() const { return path_; }

  /// One line that names the file, what we wanted, and CFITSIO's own reason.
  void check(int status, std::string const& what) const {
    if (status == 0) return;
    char reason[FLEN_STATUS] = {}, detail[FLEN_ERRMSG] = {}, line[FLEN_ERRMSG] = {};
    fits_get_errstatus(status, reason);
    while (fits_read_errmsg(line))
      if (!path_.ends_with(line)) std::snprintf(detail, sizeof detail, "%s", line);
    std::string message = d16::text(path_, ": ", what, ": ", reason, " (CFITSIO ", status, detail[0] ? ": " : "",
                                    detail, ')', memory_ ? "" : "; it is truncated or damaged, fetch it again");
    for (char& c : message)
      if (static_cast<unsigned char>(c) < ' ') c = ' ';
    throw FileError(message);
  }

  void go_to(int index) const {
    int status = 0;
    fits_movabs_hdu(file_, index + 1, nullptr, &status);
    check(status, "HDU " + std::to_string(index));
  }

  FitsHdu describe() const {
    FitsHdu hdu;
    int status = 0, type = 0;
    fits_get_hdu_num(file_, &hdu.index);
    --hdu.index;
    fits_get_hdu_type(file_, &type, &status);
    check(status, "HDU " + std::to_string(hdu.index));
    char name[FLEN_VALUE] = {};
    if (fits_read_key_str(file_, "EXTNAME", name, nullptr, &status)) name[0] = '\0';
    fits_clear_errmsg();
    hdu.name = name[0] ? name : hdu.index ? std::to_string(hdu.index) : "PRIMARY";
    if (type == IMAGE_HDU) return with_image_size(hdu);
    hdu.kind = FitsHdu::Kind::table;
    LONGLONG rows = 0;
    int columns = status = 0;
    fits_get_num_rowsll(file_, &rows, &status);
    fits_get_num_cols(file_, &columns, &status);
    check(status, "HDU " + hdu.name);
    hdu.sizes = {rows, columns};
    return hdu;
  }

  /// All HDUs up to the end of the file or the first damaged one; in that case `damage` says what is wrong with it.
  std::vector<FitsHdu> list(std::string& damage) const {
    std::vector<FitsHdu> hdus;
    for (int i = 0;; ++i) {
      int status = 0;
      damage = i ? next_header_fault() : "";
      if (!damage.empty()) return hdus;
      if (fits_movabs_hdu(file_, i + 1, nullptr, &status) == 0) {
        hdus.push_back(describe());
        continue;
      }
      char reason[FLEN_STATUS] = {};
      fits_get_errstatus(status, reason);
      fits_clear_errmsg();
      if (status != END_OF_FILE) damage = reason;
      return hdus;
    }
  }

  FitsHeader header() const {
    int status = 0, count = 0;
    fits_get_hdrspace(file_, &count, nullptr, &status);
    check(status, "header");
    FitsHeader out;
    for (int i = 1; i <= count; ++i)
      if (auto card = read_card(i)) out.cards.push_back(std::move(*card));
    fits_clear_errmsg();
    return out;
  }

  /// For a plain file, whether the data of this HDU are all there: before memory is taken for them.
  void check_complete(FitsHdu const& hdu, int64_t bytes) const {
    LONGLONG start = 0;
    int status = 0;
    fits_get_hduaddrll(file_, nullptr, &start, nullptr, &status);
    check(status, "HDU " + hdu.name);
    require<FileError>(!plain_ || bytes <= size_ - start, path_, ": HDU ", hdu.name, " needs ", bytes,
                       " bytes of data, the file has ", std::max<int64_t>(size_ - start, 0),
                       "; it is truncated, fetch it again");
  }

  std::string take_bytes() {
    LONGLONG end = 0;
    int status = 0;
    fits_flush_file(file_, &status);
    fits_get_hduaddrll(file_, nullptr, nullptr, &end, &status);  // of the last HDU, where writing ended
    check(status, "cannot be finished");
    fits_close_file(std::exchange(file_, nullptr), &status);
    check(status, "cannot be finished");
    return {static_cast<char const*>(memory_), size_t(end)};
  }

 private:
  struct Memory {};
  FitsFile(std::string path, Memory) : path_(std::move(path)) {
    int status = 0;
    memory_bytes_ = 2880;
    memory_ = std::malloc(memory_bytes_);
    require<OutOfMemory>(memory_, path_, ": no memory left to write it");
    fits_create_memfile(&file_, &memory_, &memory_bytes_, size_t(1) << 20, std::realloc, &status);
    check(status, "cannot be made");
  }

  void look_at_first_bytes() {
    InputFile file(path_);
    size_ = file.size();
    require<FileError>(size_ > 0, path_, ": is empty; fetch the file again");
    std::string start(size_t(std::min<int64_t>(size_, 9)), '\0');
    file.read(start.data(), int64_t(start.size()));
    plain_ = start == "SIMPLE  =";
    bool compressed = start.starts_with("\x1F\x8B") || start.starts_with("\x1F\x9D") || start.starts_with("BZh");
    require<FileError>(plain_ || compressed, path_,
                       ": does not begin as FITS (SIMPLE = T) nor as gzip; it is damaged or something else");
  }

  /// What is wrong with the sizes of the table that follows the HDU we are at. CFITSIO 4.2 takes memory for a random
  /// number of columns when it meets a bad size before TFIELDS, so that it must not see such a header.
  std::string next_header_fault() const {
    LONGLONG next = 0;
    int status = 0;
    fits_get_hduaddrll(file_, nullptr, nullptr, &next, &status);
    if (status || !plain_ || next <= 0 || next > size_ - 2880) return "";
    InputFile file(path_);
    std::string block(2880, '\0');
    file.seek(next);
    file.read(block.data(), 2880);
    bool table = block.starts_with("XTENSION= 'TABLE   '") || block.starts_with("XTENSION= 'BINTABLE'");
    constexpr std::pair<int, std::string_view> sizes[] = {
        {3, "NAXIS1  ="}, {4, "NAXIS2  ="}, {5, "PCOUNT  ="}, {7, "TFIELDS ="}};
    for (auto [place, key] : sizes) {  // the standard fixes the order of the first eight cards
      std::string_view card = std::string_view(block).substr(size_t(place) * 80, 80), digits = card.substr(9);
      digits.remove_prefix(std::min(digits.size(), digits.find_first_not_of(' ')));
      int64_t value = -1;
      std::from_chars(digits.data(), digits.data() + digits.size(), value);
      if (table && (!card.starts_with(key) || value < 0))
        return d16::text("a table without a valid ", key.substr(0, 7));
    }
    return "";
  }

  FitsHdu with_image_size(FitsHdu hdu) const {
    int status = 0, axes = 0;
    fits_get_img_dim(file_, &axes, &status);
    std::vector<LONGLONG> sizes(size_t(std::max(axes, 0)));
    fits_get_img_sizell(file_, axes, sizes.data(), &status);
    check(status, "HDU " + hdu.name);
    hdu.sizes.assign(sizes.rbegin(), sizes.rend());
    return hdu;
  }

  /// Card number i, or nothing where it has no value (blank, END, undefined, damaged).
  std::optional<FitsCard> read_card(int i) const {
    char key[FLEN_KEYWORD] = {}, value[FLEN_VALUE] = {}, comment[FLEN_COMMENT] = {}, type = 0;
    int status = 0;
    fits_read_keyn(file_, i, key, value, comment, &status);
    if (status || !key[0]) return {};
    std::string name = key;
    if (name == "COMMENT" || name == "HISTORY") return FitsCard{name, std::string(comment), ""};
    if (name == "CONTINUE" || !value[0]) return {};
    fits_get_keytype(value, &type, &status);
    if (status) return {};
    if (type == 'C') return FitsCard{name, read_string(name, value), comment};
    if (type == 'L') return FitsCard{name, value[0] == 'T', comment};
    std::string digits = value[0] == '+' ? value + 1 : value;
    std::replace(digits.begin(), digits.end(), 'D', 'E');
    char const* end = digits.data() + digits.size();
    int64_t integer = 0;
    double real = 0;
    if (auto r = std::from_chars(digits.data(), end, integer); type == 'I' && r.ec == std::errc() && r.ptr == end)
      return FitsCard{name, integer, comment};
    if (auto r = std::from_chars(digits.data(), end, real); r.ec == std::errc() && r.ptr == end)
      return FitsCard{name, real, comment};
    return {};
  }
  std::string read_string(std::string const& key, std::string const& quoted) const {
    int status = 0;
    if (quoted.ends_with("&'")) {
      char* whole = nullptr;
      fits_read_key_longstr(file_, key.c_str(), &whole, nullptr, &status);
      std::string out = status == 0 ? whole : quoted;
      int ignored = 0;
      if (whole) fits_free_memory(whole, &ignored);
      return out;
    }
    std::string out;
    for (size_t i = 1; i + 1 < quoted.size(); ++i) {
      out += quoted[i];
      if (quoted[i] == '\'' && quoted[i + 1] == '\'') ++i;
    }
    return out.substr(0, out.find_last_not_of(' ') + 1);
  }

  std::string path_;
  fitsfile* file_ = nullptr;
  int64_t size_ = 0;
  bool plain_ = false;
  void* memory_ = nullptr;
  size_t memory_bytes_ = 0;
};

inline std::string fits_names(std::vector<FitsHdu> const& hdus) {
  std::string out;
  for (size_t i = 0; i < hdus.size(); ++i) {
    if (i == 20) return out + ", ...";
    out += (i ? ", " : "") + hdus[i].name;
  }
  return out;
}

inline bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::toupper(x) == std::toupper(y); });
}

/// The HDU that the user means: by name, by index, or by `otherwise` when nothing was said.
template <class Otherwise>
FitsHdu find_hdu(FitsFile const& file, std::string const& wanted, Otherwise otherwise, char const* what) {
  std::string damage;
  std::vector<FitsHdu> hdus = file.list(damage);
  if (!damage.empty()) damage = "; what follows is damaged: " + damage;
  FitsHdu const* found = nullptr;
  if (wanted.empty()) {
    found = otherwise(hdus);
    require<FileError>(found, file.path(), ": no ", what, " with data; it has ", fits_names(hdus), damage);
  }
  for (FitsHdu const& hdu : hdus)
    if (!found && same_name(hdu.name, wanted)) found = &hdu;
  for (FitsHdu const& hdu : hdus)
    if (!found && std::to_string(hdu.index) == wanted) found = &hdu;
  require<FileError>(found, file.path(), ": no HDU \"", wanted, "\"; it has ", fits_names(hdus), damage);
  file.go_to(found->index);
  return *found;
}

inline FitsHdu const* first_image(std::vector<FitsHdu> const& hdus) {
  auto is_image = [](FitsHdu const& hdu) {
    return hdu.kind == FitsHdu::Kind::image && hdu.has_data() && hdu.sizes.size() >= 2;
  };
  for (FitsHdu const& hdu : hdus)
    if (is_image(hdu) && same_name(hdu.name, "SCI")) return &hdu;
  auto found = std::find_if(hdus.begin(), hdus.end(), is_image);
  return found == hdus.end() ? nullptr : &*found;
}

inline FitsHdu const* first_table(std::vector<FitsHdu> const& hdus) {
  auto found =
      std::find_if(hdus.begin(), hdus.end(), [](FitsHdu const& hdu) { return hdu.kind == FitsHdu::Kind::table; });
  return found == hdus.end() ? nullptr : &*found;
}

/// The first and last pixel to read, in FITS's order of axes (x first), counted from 1.
struct PixelRange {
  long first[Shape::max_rank] = {}, last[Shape::max_rank] = {};
};

inline PixelRange pixel_range(std::string const& path, FitsHdu const& hdu, FitsReadOptions const& o) {
  size_t axes = hdu.sizes.size();
  require<FileError>(hdu.kind == FitsHdu::Kind::image && hdu.has_data() && axes >= 2, path, ": HDU ", hdu.name,
                     hdu.kind == FitsHdu::Kind::table ? " is a table" : " has no image of two axes",
                     "; name the HDU of an image");
  int64_t W = hdu.sizes[axes - 1], H = hdu.sizes[axes - 2], planes = axes > 2 ? hdu.sizes[axes - 3] : 1;
  for (size_t i = 0; i + 3 < axes; ++i)
    require<FileError>(hdu.sizes[i] == 1 && axes <= size_t(Shape::max_rank), path, ": HDU ", hdu.name, " has ", axes,
                       " axes; at most a cube is read");
  require<FileError>(o.plane < planes && (o.plane >= 0 || planes == 1), path, ": HDU ", hdu.name, " is a cube of ",
                     planes, " planes of ", W, "x", H, "; choose a plane from 0 to ", planes - 1);
  FitsSection s = o.section.value_or(FitsSection{0, W, 0, H});
  require<FileError>(0 <= s.x0 && s.x0 < s.x1 && s.x1 <= W && 0 <= s.y0 && s.y0 < s.y1 && s.y1 <= H, path, ": HDU ",
                     hdu.name, " has x 0 to ", W, ", y 0 to ", H, "; the section x ", s.x0, " to ", s.x1, ", y ", s.y0,
                     " to ", s.y1, " is empty or not inside");
  int64_t pixels = 0;
  bool too_many = __builtin_mul_overflow(s.x1 - s.x0, s.y1 - s.y0, &pixels) || pixels > o.max_pixels;
  require<FileError>(!too_many, path, ": HDU ", hdu.name, " gives ", s.x1 - s.x0, "x", s.y1 - s.y0,
                     " pixels, more than ", o.max_pixels, "; read a section");
  PixelRange range;
  std::fill(range.first, range.first + axes, 1);
  std::fill(range.last, range.last + axes, 1);
  range.first[0] = s.x0 + 1, range.last[0] = s.x1, range.first[1] = s.y0 + 1, range.last[1] = s.y1;
  if (axes > 2) range.first[2] = range.last[2] = std::max(o.plane, 0) + 1;
  return range;
}

/// Bytes of all pixels of the image that the file is at, as stored; 0 for a tile-compressed one: not known.
inline int64_t stored_bytes(FitsFile const& file, FitsHdu const& hdu) {
  int status = 0, bitpix = 0;
  if (fits_is_compressed_image(file.get(), &status)) return 0;
  fits_get_img_type(file.get(), &bitpix, &status);
  file.check(status, "HDU " + hdu.name);
  int64_t bytes = std::abs(bitpix) / 8;
  for (int64_t size : hdu.sizes)
    if (__builtin_mul_overflow(bytes, size, &bytes)) return std::numeric_limits<int64_t>::max();
  return bytes;
}

}  // namespace detail

/// The HDUs of a file, up to the first that is damaged.
inline std::vector<FitsHdu> list_fits(std::string const& path) {
  std::string damage;
  return detail::FitsFile(path).list(damage);
}

/// Reads an image, or a section of one, of any BITPIX, plain, gzipped or tile-compressed. BSCALE and BZERO are applied;
/// BLANK and infinities become NaN. The file name is literal.
/// Shapes   (H,W), H = NAXIS2, W = NAXIS1; row 0 is the first row of the file (y up).   Units  BUNIT, untouched.
/// Errors   FileError: not FITS, truncated, no such HDU (the message lists them), a table, a cube without a plane,
///          a section outside, more pixels than max_pixels, values beyond float32.
inline FitsImage read_fits(std::string const& path, FitsReadOptions const& o = {}) {
  detail::FitsFile file(path);
  FitsImage image;
  image.hdu = detail::find_hdu(file, o.hdu, detail::first_image, "image");
  detail::PixelRange range = detail::pixel_range(path, image.hdu, o);
  file.check_complete(image.hdu, detail::stored_bytes(file, image.hdu));
  image.pixels = empty({range.last[1] - range.first[1] + 1, range.last[0] - range.first[0] + 1},
                       {.dtype = o.dtype, .device = Device(), .group = {}});
  for_float(o.dtype, [&]<class T>(T) {
    long step[Shape::max_rank];
    std::fill(std::begin(step), std::end(step), 1);
    T blank = std::numeric_limits<T>::quiet_NaN();
    int status = 0, any_blank = 0;
    fits_read_subset(file.get(), sizeof(T) == 4 ? TFLOAT : TDOUBLE, range.first, range.last, step, &blank,
                     image.pixels.data<T>(), &any_blank, &status);
    // Infinities of the file come as NaN, so that those which are there now are doubles beyond the range of T.
    auto infinite = [](T x) { return std::isinf(x); };
    bool overflow = std::any_of(image.pixels.data<T>(), image.pixels.data<T>() + image.pixels.numel(), infinite);
    require<FileError>(!overflow && status != NUM_OVERFLOW, path, ": HDU ", image.hdu.name, " has values that ",
                       name_of(o.dtype), " cannot hold; read it as float64");
    file.check(status, "HDU " + image.hdu.name + ", pixels");
  });
  image.header = file.header();
  image.unit = image.header.string("BUNIT").value_or("");
  image.scale = pixel_scale(image.header);
  if (image.hdu.index == 0) image.primary = image.header;
  else {
    file.go_to(0);
    image.primary = file.header();
  }
  return image;
}

namespace detail {

/// Keywords that CFITSIO writes itself; copying them from the header of another image would contradict the new data.
inline bool is_structural(std::string key) {
  key.resize(80, ' ');
  int kind = fits_get_keyclass(key.data());
  return kind <= TYP_NULL_KEY || kind == TYP_CKSUM_KEY || key.starts_with("EXTNAME ");
}

/// FITS strings are ASCII: anything else becomes '?', as many as the character has bytes.
inline std::string ascii(std::string s) {
  for (char& c : s)
    if (c < ' ' || c > '~') c = '?';
  return s;
}

/// The fewest significant digits that read back as the same double.
inline int digits_of(double value) {
  char buffer[40];
  std::string_view s(
      buffer, size_t(std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr - buffer));
  s = s.substr(0, s.find('e'));
  return int(std::count_if(s.begin(), s.end(), [](unsigned char c) { return std::isdigit(c); }));
}

inline void write_card(FitsFile& file, FitsCard const& card) {
  bool good_key = !card.key.empty() && card.key == ascii(card.key) && card.key.find('=') == card.key.npos;
  require<ValueError>(good_key, file.path(), ": \"", ascii(card.key),
                      "\" is no key for a FITS card; use letters, digits, - and _");
  fitsfile* f = file.get();
  std::string note = ascii(card.comment);
  char const *key = card.key.c_str(), *comment = note.empty() ? nullptr : note.c_str();
  int status = 0;
  if (auto value = std::get_if<std::string>(&card.value)) {
    std::string text = ascii(*value);
    if (card.key == "COMMENT") fits_write_comment(f, text.c_str(), &status);
    else if (card.key == "HISTORY") fits_write_history(f, text.c_str(), &status);
    else if (text.size() > 68) fits_write_key_longstr(f, key, text.c_str(), comment, &status);
    else fits_write_key_str(f, key, text.c_str(), comment, &status);
  } else if (auto real = std::get_if<double>(&card.value)) {
    require<ValueError>(std::isfinite(*real), file.path(), ": card ", card.key, " is ", *real,
                        "; FITS headers have finite numbers only");
    fits_write_key_dbl(f, key, *real, -digits_of(*real), comment, &status);
  } else if (auto integer = std::get_if<int64_t>(&card.value)) fits_write_key_lng(f, key, *integer, comment, &status);
  else fits_write_key_log(f, key, std::get<bool>(card.value), comment, &status);
  file.check(status, "card " + card.key + " cannot be written");
}

inline void write_cards(FitsFile& file, std::string const& name, std::vector<FitsCard> const& cards) {
  if (!name.empty()) write_card(file, {"EXTNAME", name, "name of this HDU"});
  for (FitsCard const& card : cards)
    if (!is_structural(card.key)) write_card(file, card);
}

inline void write_plane(FitsFile& file, FitsPlane const& plane) {
  Tensor image = plane.pixels.detach().to(Device()).contiguous();
  bool flat = image.rank() == 2 || (image.rank() == 3 && image.dim(2) == 1);
  require<ShapeError>(flat && image.numel() > 0, "write_fits: the image is ", image.shape(),
                      "; (H,W) without empty axes is needed");
  int bitpix = 0, type = 0, status = 0;
  switch (image.dtype()) {
    case DType::f32: bitpix = FLOAT_IMG, type = TFLOAT; break;
    case DType::f64: bitpix = DOUBLE_IMG, type = TDOUBLE; break;
    case DType::i64: bitpix = LONGLONG_IMG, type = TLONGLONG; break;
    case DType::u8: bitpix = BYTE_IMG, type = TBYTE; break;
    default:
      throw DTypeError(
          text("write_fits: the image is ", name_of(image.dtype()), "; float32, float64, int64 or uint8 is needed"));
  }
  long sizes[2] = {long(image.dim(1)), long(image.dim(0))}, first[2] = {1, 1};
  fits_create_img(file.get(), bitpix, 2, sizes, &status);
  file.check(status, "HDU " + plane.name + " cannot be made");
  write_cards(file, plane.name, plane.cards);
  for_dtype(image.dtype(),
            [&]<class T>(T) { fits_write_pix(file.get(), type, first, image.numel(), image.data<T>(), &status); });
  file.check(status, "HDU " + plane.name + ", pixels cannot be written");
}

}  // namespace detail

/// Writes images: a single one without a name into the primary HDU; otherwise each into an extension of its own after
/// an empty primary HDU. Cards may be those of an image that was read: what describes the old pixels is left out.
/// Errors   FileError when it cannot be written; ShapeError, DTypeError, ValueError (a card that is not finite).
inline void write_fits(std::string const& path, std::vector<FitsPlane> const& planes) {
  detail::FitsFile file = detail::FitsFile::in_memory(path);
  if (planes.size() != 1 || !planes[0].name.empty()) {
    int status = 0;
    fits_create_img(file.get(), BYTE_IMG, 0, nullptr, &status);
    file.check(status, "primary HDU cannot be made");
  }
  for (FitsPlane const& plane : planes) detail::write_plane(file, plane);
  write_file(path, file.take_bytes());
}

inline void write_fits(std::string const& path, Tensor const& pixels, std::vector<FitsCard> cards = {}) {
  write_fits(path, {FitsPlane{.name = "", .pixels = pixels, .cards = std::move(cards)}});
}

struct FitsTableOptions {
  std::string hdu = {};                   ///< name or index; empty: the first table
  std::vector<std::string> columns = {};  ///< only these; empty: all
  int64_t max_rows = 50'000'000;
};

namespace detail {

/// One column of the table that the file is at.
struct FitsColumn {
  int number = 0, type = 0;
  int64_t repeat = 1, width = 1, rows = 0;
  std::string name;
  ColumnInfo info;

  /// Why this column is not one value per row of a kind that Table has; empty when it is.
  std::string obstacle() const {
    if (type < 0) return "lists of varying length";
    if (type == TSTRING) return repeat == width || repeat == 1 ? "" : "several strings per row";
    if (type == TBIT || type == TCOMPLEX || type == TDBLCOMPLEX) return "bits or complex numbers";
    return repeat == 1 ? "" : text(repeat, " values per row");
  }
};

inline std::string table_key(FitsFile const& file, char const* root, int number) {
  std::string key = root + std::to_string(number);
  char* value = nullptr;
  int status = 0;
  fits_read_key_longstr(file.get(), key.c_str(), &value, nullptr, &status);
  std::string out = status == 0 && value ? value : "";
  int ignored = 0;
  if (value) fits_free_memory(value, &ignored);
  fits_clear_errmsg();
  return out.substr(0, out.find_last_not_of(' ') + 1);
}

inline std::vector<FitsColumn> fits_columns(FitsFile const& file, FitsHdu const& hdu) {
  std::vector<FitsColumn> columns;
  for (int i = 1; i <= int(hdu.sizes[1]); ++i) {
    FitsColumn column{.number = i, .rows = hdu.sizes[0], .name = table_key(file, "TTYPE", i), .info = {}};
    LONGLONG repeat = 0, width = 0;
    int status = 0;
    fits_get_eqcoltypell(file.get(), i, &column.type, &repeat, &width, &status);
    file.check(status, "HDU " + hdu.name + ", column " + std::to_string(i));
    column.repeat = repeat, column.width = width;
    if (column.name.empty()) column.name = "col" + std::to_string(i);
    column.info.unit = table_key(file, "TUNIT", i);
    column.info.comment = table_key(file, "TCOMM", i);
    columns.push_back(std::move(column));
  }
  return columns;
}

template <class T> std::vector<T> read_values(FitsFile const& file, FitsColumn const& column, int type,
                                              std::vector<char>* missing = nullptr) {
  std::vector<T> values(size_t(column.rows));
  T blank{};
  if constexpr (std::is_floating_point_v<T>) blank = std::numeric_limits<T>::quiet_NaN();
  int status = 0, any = 0;
  if (missing) {
    missing->assign(values.size(), 0);
    fits_read_colnull(file.get(), type, column.number, 1, 1, column.rows, values.data(), missing->data(), &any,
                      &status);
    if (!any) missing->clear();
  } else fits_read_col(file.get(), type, column.number, 1, 1, column.rows, &blank, values.data(), &any, &status);
  file.check(status, "column " + column.name);
  return values;
}

/// Integers, or doubles with NaN where the table says that a value is missing.
template <class T> void add_integers(Table& table, FitsFile const& file, FitsColumn const& column, int type) {
  std::vector<char> missing;
  std::vector<T> values = read_values<T>(file, column, type, &missing);
  if (missing.empty()) {
    table.column(column.name, std::move(values), column.info);
    return;
  }
  std::vector<double> reals(values.begin(), values.end());
  for (size_t i = 0; i < reals.size(); ++i)
    if (missing[i]) reals[i] = std::numeric_limits<double>::quiet_NaN();
  table.column(column.name, std::move(reals), column.info);
}

inline std::vector<std::string> read_strings(FitsFile const& file, FitsColumn const& column) {
  size_t step = size_t(column.width) + 1, rows = size_t(column.rows);
  std::vector<char> letters(step * rows + 1);
  std::vector<char*> starts(rows);
  for (size_t i = 0; i < rows; ++i) starts[i] = letters.data() + i * step;
  char blank[] = "";
  int status = 0, any = 0;
  fits_read_col_str(file.get(), column.number, 1, 1, column.rows, blank, starts.data(), &any, &status);
  file.check(status, "column " + column.name);
  std::vector<std::string> out(starts.begin(), starts.end());
  for (std::string& s : out) s.resize(s.find_last_not_of(' ') + 1);
  return out;
}

inline void add_column(Table& table, FitsFile const& file, FitsColumn const& column) {
  switch (column.type) {
    case TSTRING: table.column(column.name, read_strings(file, column), column.info); return;
    case TFLOAT: table.column(column.name, read_values<float>(file, column, TFLOAT), column.info); return;
    case TDOUBLE: table.column(column.name, read_values<double>(file, column, TDOUBLE), column.info); return;
    case TLOGICAL: {
      std::vector<char> values = read_values<char>(file, column, TLOGICAL);
      table.column(column.name, std::vector<bool>(values.begin(), values.end()), column.info);
      return;
    }
    case TBYTE:
    case TSBYTE:
    case TSHORT:
    case TUSHORT:
    case TINT:
    case TLONG: add_integers<int32_t>(table, file, column, TINT); return;
    default: add_integers<int64_t>(table, file, column, TLONGLONG);
  }
}

}  // namespace detail

/// Reads a binary or ASCII table with its units (TUNITn) and comments (TCOMMn). Scaled columns are scaled; missing
/// integers turn their column into doubles with NaN; an undefined logical is false. Columns of several values per row
/// are named in Table::left_out(), and are an error when asked for by name.
/// Errors   FileError: not FITS, truncated, no such HDU or column (the message lists them), more rows than max_rows.
inline Table read_fits_table(std::string const& path, FitsTableOptions const& o = {}) {
  detail::FitsFile file(path);
  FitsHdu hdu = detail::find_hdu(file, o.hdu, detail::first_table, "table");
  require<FileError>(hdu.kind == FitsHdu::Kind::table, path, ": HDU ", hdu.name,
                     " is an image; name the HDU of a table");
  require<FileError>(hdu.sizes[0] <= o.max_rows, path, ": HDU ", hdu.name, " has ", hdu.sizes[0], " rows, more than ",
                     o.max_rows, " (FitsTableOptions::max_rows)");
  int status = 0;
  long row_bytes = 0;
  fits_read_key_lng(file.get(), "NAXIS1", &row_bytes, nullptr, &status);
  file.check(status, "HDU " + hdu.name);
  int64_t bytes = 0;
  bool too_many = __builtin_mul_overflow(row_bytes, hdu.sizes[0], &bytes);
  file.check_complete(hdu, too_many ? std::numeric_limits<int64_t>::max() : bytes);
  std::vector<detail::FitsColumn> columns = detail::fits_columns(file, hdu);
  Table all, table;
  for (detail::FitsColumn const& column : columns) {  // names only: for its message about a missing one
    require<FileError>(!all.has(column.name), path, ": two columns are named \"", column.name, "\"; rename one");
    all.column(column.name, std::vector<bool>());
  }
  all.set_source(path + ": HDU " + hdu.name);
  for (std::string const& name : o.columns) all.at(name);
  for (detail::FitsColumn const& column : columns) {
    bool by_name = std::count(o.columns.begin(), o.columns.end(), column.name) > 0;
    if (!o.columns.empty() && !by_name) continue;
    std::string obstacle = column.obstacle();
    require<FileError>(obstacle.empty() || !by_name, path, ": column \"", column.name, "\" holds ", obstacle,
                       "; one value per row is needed");
    if (obstacle.empty()) detail::add_column(table, file, column);
    else table.leave_out(column.name + ": " + obstacle);
  }
  table.set_source(path);
  return table;
}

namespace detail {

inline void write_values(FitsFile& file, int number, Column const& column) {
  fitsfile* f = file.get();
  LONGLONG rows = column.rows();
  int status = 0;
  auto write = [&](int type, auto const& values) {
    fits_write_col(f, type, number, 1, 1, rows, const_cast<void*>(static_cast<void const*>(values.data())), &status);
  };
  if (auto v = std::get_if<std::vector<float>>(&column.values)) write(TFLOAT, *v);
  else if (auto v = std::get_if<std::vector<double>>(&column.values)) write(TDOUBLE, *v);
  else if (auto v = std::get_if<std::vector<int32_t>>(&column.values)) write(TINT, *v);
  else if (auto v = std::get_if<std::vector<int64_t>>(&column.values)) write(TLONGLONG, *v);
  else if (auto v = std::get_if<std::vector<bool>>(&column.values))
    write(TLOGICAL, std::vector<char>(v->begin(), v->end()));
  else {
    std::vector<std::string> texts = std::get<std::vector<std::string>>(column.values);
    std::vector<char*> starts;
    for (std::string& s : texts) starts.push_back((s = ascii(s)).data());
    fits_write_col_str(f, number, 1, 1, rows, starts.data(), &status);
  }
  file.check(status, "column " + column.name + " cannot be written");
}

/// TFORMn: one value of the type of the column, strings as wide as the longest.
inline std::string table_form(Column const& column) {
  static constexpr char const* forms[] = {"1E", "1D", "1J", "1K", "1L"};  // the order of Column::Values
  if (column.values.index() < 5) return forms[column.values.index()];
  size_t width = 1;
  for (std::string const& s : std::get<std::vector<std::string>>(column.values)) width = std::max(width, s.size());
  return std::to_string(width) + "A";
}

}  // namespace detail

/// Writes a binary table as the first extension. Units go to TUNITn; comments to TCOMMn, which TOPCAT shows, and beside
/// TTYPEn, which people see in the header. NaN stays NaN. Text is ASCII in FITS: other characters become '?'.
/// Errors   FileError when it cannot be written; ValueError for a table without columns or a card that is not finite.
inline void write_fits_table(std::string const& path, Table const& table, std::string const& name = "CATALOG",
                             std::vector<FitsCard> const& cards = {}) {
  require<ValueError>(!table.columns().empty(), path, ": a table without columns cannot be written");
  detail::FitsFile file = detail::FitsFile::in_memory(path);
  std::vector<std::string> names, forms, units;
  for (Column const& column : table.columns()) {
    names.push_back(detail::ascii(column.name));
    forms.push_back(detail::table_form(column));
    units.push_back(detail::ascii(column.info.unit));
  }
  auto pointers = [](std::vector<std::string>& list) {
    std::vector<char*> out;
    for (std::string& s : list) out.push_back(s.data());
    return out;
  };
  int status = 0;
  fits_create_tbl(file.get(), BINARY_TBL, table.rows(), int(names.size()), pointers(names).data(),
                  pointers(forms).data(), pointers(units).data(), name.c_str(), &status);
  file.check(status, "table cannot be made");
  for (size_t i = 0; i < names.size(); ++i) {
    std::string comment = detail::ascii(table.columns()[i].info.comment), number = std::to_string(i + 1);
    if (comment.empty()) continue;
    fits_modify_comment(file.get(), ("TTYPE" + number).c_str(), comment.c_str(), &status);
    file.check(status, "comment of column " + names[i]);
    detail::write_card(file, {"TCOMM" + number, comment});
  }
  detail::write_cards(file, "", cards);
  for (size_t i = 0; i < names.size(); ++i) detail::write_values(file, int(i) + 1, table.columns()[i]);
  write_file(path, file.take_bytes());
}

}  // namespace d16::io
