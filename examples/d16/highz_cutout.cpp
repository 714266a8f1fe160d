// Cutouts in seven bands: bodies of highz_cutout.hpp.
#include "highz_cutout.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <new>

#include <d16/io/band_cutout.hpp>
#include <d16/io/fits.hpp>
#include <d16/io/flux_unit.hpp>
#include <d16/io/survey_catalog.hpp>
#include <d16/io/wcs.hpp>
#include <d16/vision/statistics.hpp>

#include "highz_grid.hpp"

namespace tool {

using d16::FileError;
using d16::require;
using d16::Tensor;
using d16::text;
namespace io = d16::io;
namespace vision = d16::vision;

namespace {

constexpr int64_t side = highz_side, bands = highz_bands;
constexpr double pixel = 0.03;                  // arcsec
constexpr char const* assumed_unit = "MJy/sr";  // of JWST images; colours come out right for any size of pixels
constexpr int64_t max_pixels = 4096 * 4096;     // larger images are mosaics and not cutouts

/// "a.b_sci.fits.gz" -> "a.b_sci"; empty for a file that is not named as FITS files are.
std::string stem(std::string const& name) {
  std::string small = lower(name);
  for (std::string end : {".fits.gz", ".fit.gz", ".fits.fz", ".fits", ".fit", ".fts"})
    if (ends_with(small, end)) return name.substr(0, name.size() - end.size());
  return {};
}

/// Whether a word of a name says that this is no image of the sky and no error of one.
bool is_other_image(std::string const& name) {
  std::string word;
  for (char c : lower(name) + "_") {
    if (std::isalnum(static_cast<unsigned char>(c))) {
      word += c;
      continue;
    }
    for (char const* other :
         {"wht", "weight", "ivar", "invvar", "mask", "dq",  "flag", "seg",     "segm",   "segmap", "psf",
          "var", "con",    "ctx",  "model",  "area", "exp", "bkg",  "poisson", "rnoise", "flat"})
      if (word == other) return true;
    word.clear();
  }
  return false;
}
bool is_error_image(std::string const& name) {
  std::string small = "_" + lower(name) + "_";
  for (char const* word : {"_err_", "_rms_", "_sigma_", "_unc_", "_err.", "_rms.", "_sigma.", "_unc."})
    if (small.find(word) != small.npos) return true;
  return false;
}

int64_t band_number(std::string const& band) {
  auto const& known = io::nircam_bands();
  auto found = std::find(known.begin(), known.end(), band);
  return found == known.end() ? -1 : found - known.begin();
}

/// One image of the file system: where it is, and what it is by its names.
struct Place {
  std::string file;
  io::FitsHdu hdu;
  int plane = -1;
  std::string where() const { return text(file, ": HDU ", hdu.name, plane < 0 ? "" : text(", plane ", plane)); }
};

io::FitsImage read(Place const& place) {
  return io::read_fits(
      place.file,
      {.hdu = std::to_string(place.hdu.index), .section = {}, .plane = place.plane, .max_pixels = max_pixels});
}

/// Collects the images of an object, then puts them into it.
class Assembly {
 public:
  Assembly(HighzCutout& out, HighzReading const& reading) : out_(out), reading_(reading) {
    out_.object.image = d16::full({side, side, bands}, nan, vision::host_tensor());
    out_.object.error.fill(float(nan));
  }

  /// All images of one file.
  void add_file(std::string const& file) {
    for (io::FitsHdu const& hdu : io::list_fits(file)) {
      if (hdu.kind != io::FitsHdu::Kind::image || !hdu.has_data() || hdu.sizes.size() < 2) continue;
      if (is_other_image(hdu.name)) continue;
      Place place{file, hdu};
      int64_t planes = hdu.sizes.size() > 2 ? hdu.sizes[hdu.sizes.size() - 3] : 1;
      if (planes > 1) add_cube(place, int(std::min<int64_t>(planes, 1000)));
      else add_image(place, read(place));
    }
  }

  void finish(std::string const& path) {
    require<FileError>(std::count(seen_.begin(), seen_.end(), "") < bands, path, ": no image of ",
                       io::nircam_bands().front(), " to ", io::nircam_bands().back(),
                       "; bands are known by the name of the file, EXTNAME, FILTER, BAND or BAND1 .. of a cube");
    std::vector<Tensor> own;  // images of the grid's pixels
    for (Science const& s : science_)
      if (same_grid(s.arcsec)) own.push_back(s.pixels);
    HighzGrid const grid(own);
    for (Science const& s : science_) put(s, grid);
    for (Noise const& n : noise_)
      if (same_grid(n.arcsec) && grid.aligned(n.pixels)) put(n);
  }

 private:
  struct Science {
    int64_t band;
    Tensor pixels;
    double arcsec, factor;
  };
  struct Noise {
    int64_t band;
    Place place;
    Tensor pixels;
    std::string unit;
    double arcsec;
  };

  void add_cube(Place place, int planes) {
    for (place.plane = 0; place.plane < planes; ++place.plane) {
      io::FitsImage image = read(place);
      auto name = io::cube_band(image.header, int(place.plane));
      require<FileError>(name || planes == bands, place.file, ": ", planes, " planes without cards BAND1 .., and ",
                         bands, " bands; add the cards");
      int64_t band = name ? band_number(io::detail::upper(*name)) : place.plane;
      if (band >= 0) add_science(place, image, band);
    }
  }

  void add_image(Place const& place, io::FitsImage const& image) {
    std::string band = nircam_band_in(place.hdu.name);
    for (char const* key : {"BAND", "FILTER"})
      if (band.empty()) band = nircam_band_in(image.string(key).value_or(""));
    if (band.empty()) band = nircam_band_in(base_name(place.file));
    int64_t number = band_number(band);
    if (number < 0) return;
    if (is_error_image(place.hdu.name) || is_error_image(base_name(place.file)))
      noise_.push_back({number, place, image.pixels, image.unit, scale_of(image)});
    else add_science(place, image, number);
  }

  /// Arcseconds on a side of the image's pixels.
  double scale_of(io::FitsImage const& image) {
    if (reading_.pixel_arcsec > 0) return reading_.pixel_arcsec;
    if (!image.scale.known() || image.scale.doubtful) suspect(highz_wcs_suspect, "pixel scale: " + image.scale.how);
    return image.scale.known() ? image.scale.arcsec : pixel;
  }
  double factor_of(Place const& place, std::string unit, double arcsec) {
    if (!reading_.unit.empty()) unit = reading_.unit;
    if (unit.empty()) {
      unit = assumed_unit;
      suspect(highz_units_assumed, text("no BUNIT: ", unit, " assumed"));
    }
    try {
      return io::nanojansky_in(io::detail::ascii(unit), arcsec);
    } catch (d16::ValueError const& fault) {
      throw FileError(place.where() + ": " + fault.what());
    }
  }
  /// Sets a flag and says why, once for the object.
  void suspect(int32_t flag, std::string const& why) {
    if (!(out_.flags & flag)) out_.note += (out_.note.empty() ? "" : "; ") + why;
    out_.flags |= flag;
  }

  void add_science(Place const& place, io::FitsImage const& image, int64_t band) {
    std::string& seen = seen_[size_t(band)];
    require<FileError>(seen.empty(), place.where(), ": a second image of ", io::nircam_bands()[size_t(band)],
                       ", after ", seen, "; leave one of them");
    seen = place.where();
    double arcsec = scale_of(image);
    science_.push_back({band, image.pixels, arcsec, factor_of(place, image.unit, arcsec)});
    unit_[size_t(band)] = image.unit;
    if (std::isnan(out_.ra)) locate(image);
  }

  void put(Science const& s, HighzGrid const& grid) {
    double const step = same_grid(s.arcsec) ? 1 : pixel / s.arcsec;
    Tensor cut =
        same_grid(s.arcsec) && grid.aligned(s.pixels) ? HighzGrid::middle(s.pixels) : grid.resampled(s.pixels, step);
    for (int64_t i = 0; i < side * side; ++i) {
      double value = double(cut.data<float>()[i]) * step * step * s.factor;
      out_.object.image.data<float>()[i * bands + s.band] = std::isfinite(float(value)) ? float(value) : float(nan);
    }
  }

  /// The noise of a dark pixel is the median of the error image: most pixels of a cutout are dark. An image that says
  /// no unit has that of its band.
  void put(Noise const& n) {
    std::vector<double> values = vision::finite_values(HighzGrid::middle(n.pixels));
    std::erase_if(values, [](double v) { return !(v > 0); });
    if (values.empty()) return;
    std::string const& unit = n.unit.empty() ? unit_[size_t(n.band)] : n.unit;
    out_.object.error[size_t(n.band)] = float(vision::median(std::move(values)) * factor_of(n.place, unit, n.arcsec));
  }

  static bool same_grid(double arcsec) { return std::abs(arcsec / pixel - 1) < 2e-3; }

  /// Where the middle of the image is on the sky.
  void locate(io::FitsImage const& image) {
    auto wcs = io::tangent_wcs(image.header);
    if (!wcs) return;
    auto [ra, dec] = wcs->sky(double(image.pixels.dim(1) - 1) / 2, double(image.pixels.dim(0) - 1) / 2);
    out_.ra = ra, out_.dec = dec;
  }

  HighzCutout& out_;
  HighzReading const& reading_;
  std::vector<Science> science_;
  std::vector<Noise> noise_;
  std::array<std::string, size_t(bands)> unit_{};  // of the science images
  std::array<std::string, size_t(bands)> seen_;
};

/// The objects whose files lie in one folder; `name` is the id of files without one.
void add_sources(std::map<std::string, HighzSource>& out, std::string const& folder, std::string const& name) {
  for (std::string const& file : list_folder(folder)) {
    std::string path = join(folder, file), own = stem(file), before;
    if (own.empty() || is_other_image(own) || is_folder(path)) continue;
    std::string band = nircam_band_in(own, &before);
    std::string id = band.empty() ? own : before.empty() ? name : before;
    HighzSource& source = out[id];
    source.id = id, source.path = band.empty() ? path : before.empty() ? folder : join(folder, before);
    source.files.push_back(path);
  }
}

}  // namespace

std::string nircam_band_in(std::string const& name, std::string* before) {
  auto is_word = [&](size_t i) { return i < name.size() && std::isalnum(static_cast<unsigned char>(name[i])); };
  auto is_digit = [&](size_t i) { return std::isdigit(static_cast<unsigned char>(name[i])) != 0; };
  for (size_t i = 0; i + 5 <= name.size(); ++i) {
    bool filter = (name[i] == 'F' || name[i] == 'f') && is_digit(i + 1) && is_digit(i + 2) && is_digit(i + 3) &&
                  std::string("WwMmNn").find(name[i + 4]) != std::string::npos;
    if (!filter || is_word(i + 5) || (i > 0 && is_word(i - 1))) continue;
    if (before) *before = name.substr(0, i ? i - 1 : 0);
    return io::detail::upper(name.substr(i, 5));
  }
  return {};
}

std::vector<HighzSource> find_highz_sources(std::string const& input) {
  std::string name = base_name(input);
  if (is_file(input)) return {{stem(name).empty() ? name : stem(name), input, {input}}};
  std::map<std::string, HighzSource> found;
  add_sources(found, input, name);
  for (std::string const& entry : list_folder(input)) {
    std::string folder = join(input, entry);
    if (!is_folder(folder) || is_other_image(entry) || found.count(entry)) continue;
    std::map<std::string, HighzSource> inside;
    add_sources(inside, folder, entry);
    HighzSource whole{entry, folder, {}};  // one object, whatever stands before the bands in its files' names
    for (auto const& [id, source] : inside)
      whole.files.insert(whole.files.end(), source.files.begin(), source.files.end());
    if (!whole.files.empty()) found[entry] = std::move(whole);
  }
  require<FileError>(!found.empty(), input,
                     ": no FITS files in it, nor in its folders; d16 classify --help says what is read");
  std::vector<HighzSource> out;
  for (auto& [id, source] : found) out.push_back(std::move(source));
  return out;
}

HighzCutout read_highz_cutout(HighzSource const& source, HighzReading const& reading) {
  HighzCutout out{.object = {}, .ra = nan, .dec = nan};
  auto give_up = [&](std::string const& why) {
    out.object.image = Tensor(), out.flags = highz_read_error, out.note = why;
  };
  try {
    Assembly assembly(out, reading);
    for (std::string const& file : source.files) assembly.add_file(file);
    assembly.finish(source.path);
  } catch (FileError const& error) {
    give_up(error.what());
  } catch (d16::Error const& error) {  // these do not know the file
    give_up(source.path + ": " + error.what());
  } catch (std::bad_alloc const&) {
    give_up(source.path + ": not enough memory for it; make smaller cutouts");
  }
  return out;
}

}  // namespace tool
