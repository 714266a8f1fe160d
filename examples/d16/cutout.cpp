// Reading one object: pictures, NumPy arrays, FITS files with one or many images, FITS files that belong together.
#include "cutout.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <d16/io/band_cutout.hpp>
#include <d16/io/fits.hpp>
#include <d16/io/jpeg.hpp>
#include <d16/io/npy.hpp>
#include <d16/io/png.hpp>

#include "common.hpp"

namespace tool {

using d16::FileError;
using d16::require;
using d16::Tensor;
using d16::text;
namespace io = d16::io;

namespace {

constexpr int64_t max_pixels = 4096 * 4096;  // larger images are mosaics and not cutouts

/// The (H,W) values of channel `c` as a plane; what is not finite becomes NaN.
Plane plane_of(Tensor const& image, int64_t c = 0) {
  Tensor x = image.cast(d16::DType::f32).contiguous();
  int64_t channels = x.rank() == 3 ? x.dim(2) : 1;
  Plane p{x.dim(0), x.dim(1), std::vector<float>(size_t(x.dim(0) * x.dim(1)))};
  for (size_t i = 0; i < p.values.size(); ++i) {
    float value = x.data<float>()[int64_t(i) * channels + c];
    p.values[i] = std::isfinite(value) ? value : NAN;
  }
  return p;
}

bool any_finite(Plane const& p) {
  return std::any_of(p.values.begin(), p.values.end(), [](float v) { return std::isfinite(v); });
}

/// Any equatorial projection: over a cutout all of them are flat.
Wcs wcs_of(io::FitsHeader const& h) {
  if (!h.string("CTYPE1").value_or("").starts_with("RA--")) return {};
  auto plane = io::detail::plane_of(h);
  return plane ? Wcs{*plane, true} : Wcs{};
}

std::vector<std::string> words_of(std::string const& name) {
  std::vector<std::string> words(1);
  for (char c : name) {
    if (c == '_' || c == '-' || c == ' ') words.emplace_back();
    else words.back() += c;
  }
  return words;
}

/// What an HDU is by one word of its name.
Role role_of(std::string const& word) {
  static constexpr struct {
    char const* word;
    Role role;
  } known[] = {{"err", Role::sigma},     {"rms", Role::sigma},     {"sigma", Role::sigma},   {"unc", Role::sigma},
               {"std", Role::sigma},     {"wht", Role::weight},    {"weight", Role::weight}, {"ivar", Role::weight},
               {"invvar", Role::weight}, {"mask", Role::mask},     {"dq", Role::mask},       {"flag", Role::mask},
               {"sci", Role::science},   {"image", Role::science}, {"seg", Role::segments},  {"segmap", Role::segments},
               {"psf", Role::psf},       {"var", Role::other},     {"con", Role::other},     {"model", Role::other},
               {"area", Role::other}};
  for (auto const& k : known)
    if (lower(word) == k.word) return k.role;
  return Role::single;
}

/// Role and band of an image by EXTNAME, IMAGETYP, BAND and FILTER.
Part part_of_hdu(io::FitsImage const& image, int64_t number) {
  Part part;
  std::string name = image.header.string("EXTNAME").value_or("");
  for (std::string const& word : words_of(name)) {
    Role role = role_of(word);
    if (role != Role::single) part.role = role;
    else part.band += (part.band.empty() ? "" : "_") + word;
  }
  if (Role role = role_of(image.header.string("IMAGETYP").value_or("")); role != Role::single) part.role = role;
  if (part.role == Role::single) part.role = Role::science;
  auto filter = image.header.string("BAND");
  if (!filter) filter = image.string("FILTER");
  if (filter && !filter->empty()) part.band = *filter;
  if (part.band.empty()) part.band = std::to_string(number);
  return part;
}

/// Weights (inverse variances) as sigmas; a weight of zero is a pixel without data.
Plane sigma_of_weight(Plane p) {
  for (float& value : p.values) value = value > 0 ? 1 / std::sqrt(value) : NAN;
  return p;
}

/// Puts a sigma, weight, mask, segmentation or PSF beside the image of its band.
void attach(Band& band, Role role, Plane plane, std::string const& file) {
  if (role == Role::psf) {
    band.psf = std::move(plane);
    return;
  }
  require<FileError>(plane.h == band.image.h && plane.w == band.image.w, file, ": is ", plane.w, "x", plane.h,
                     " pixels, the image of band ", band.name, " is ", band.image.w, "x", band.image.h,
                     "; they must be equal");
  if (role == Role::mask) band.mask = std::move(plane);
  else if (role == Role::sigma) band.sigma = std::move(plane);
  else if (role == Role::segments) band.segments = std::move(plane);
  else if (role == Role::weight) band.sigma = sigma_of_weight(std::move(plane));
}

Band band_of(io::FitsImage const& image, std::string name) {
  Band band{std::move(name), plane_of(image.pixels), {}, {}, wcs_of(image.header), image.unit};
  band.arcsec = image.scale.arcsec;
  return band;
}

Band* find_band(Cutout& cutout, std::string const& name) {
  for (Band& band : cutout.bands)
    if (lower(band.name) == lower(name)) return &band;
  return nullptr;
}

/// The bands that a cube became.
struct Cube {
  size_t begin = 0, end = 0;
};

/// An image, or the planes of a cube: science becomes bands. All else belongs to the band of its name; without one, plane
/// by plane to the bands of the last cube, an image to the last band, which behind a cube are all of its bands.
void add_hdu(Cutout& cutout, std::string const& path, io::FitsHdu const& hdu, Cube& last_cube) {
  size_t before = cutout.bands.size(), axes = hdu.sizes.size();
  int planes = axes > 2 ? int(hdu.sizes[axes - 3]) : 1;
  for (int k = 0; k < planes; ++k) {
    io::FitsImage image =
        io::read_fits(path, {.hdu = std::to_string(hdu.index), .section = {}, .plane = k, .max_pixels = max_pixels});
    Part part = part_of_hdu(image, int64_t(before) + 1);
    if (planes > 1) part.band = io::cube_band(image.header, k).value_or(std::to_string(k + 1));
    cutout.simulated |= image.header.has("SIMULATD");
    if (part.role == Role::science) cutout.bands.push_back(band_of(image, part.band));
    else if (part.role == Role::other || before == 0) return;
    else {
      size_t first = planes > 1 ? std::min(last_cube.begin + size_t(k), before - 1) : before - 1, end = first + 1;
      if (planes == 1 && last_cube.end == before) first = last_cube.begin;
      if (Band* band = find_band(cutout, part.band)) first = size_t(band - cutout.bands.data()), end = first + 1;
      for (size_t b = first; b < end; ++b)
        attach(cutout.bands[b], part.role, plane_of(image.pixels), path + ": HDU " + hdu.name);
    }
  }
  if (planes > 1 && cutout.bands.size() > before) last_cube = {before, cutout.bands.size()};
}

/// All images of one FITS file.
void add_fits(Cutout& cutout, std::string const& path) {
  Cube last_cube;
  for (io::FitsHdu const& hdu : io::list_fits(path))
    if (hdu.kind == io::FitsHdu::Kind::image && hdu.has_data() && hdu.sizes.size() >= 2)
      add_hdu(cutout, path, hdu, last_cube);
  require<FileError>(!cutout.bands.empty(), path, ": no image with data; give FITS images, not tables");
}

void add_picture(Cutout& cutout, std::string const& path) {
  Tensor image = io::read_image(path, {.max_side = 4096});
  cutout.picture = true;
  static constexpr char const* colours[] = {"red", "green", "blue"};
  for (int64_t c = 0; c < image.dim(2); ++c)
    cutout.bands.push_back({image.dim(2) == 1 ? "grey" : colours[c], plane_of(image, c), {}, {}, {}});
}

Plane read_array(std::string const& path) {
  Tensor image = io::read_npy(path);
  require<FileError>(image.rank() == 2 && image.numel() > 0 && image.numel() <= max_pixels, path, ": is an array ",
                     image.shape(), "; an image (H,W) of at most 4096x4096 pixels is needed");
  return plane_of(image);
}

/// Files that belong together by their names: first the images, then what lies beside them.
void add_parts(Cutout& cutout, std::vector<std::string> const& files) {
  for (std::string const& path : files) {
    Part part = part_of(path);
    if (part.role != Role::science) continue;
    bool array = ends_with(lower(path), ".npy");
    if (array) {
      cutout.bands.push_back({part.band, read_array(path), {}, {}, {}});
      continue;
    }
    io::FitsImage image = io::read_fits(path, {.section = {}, .max_pixels = max_pixels});
    cutout.simulated |= image.header.has("SIMULATD");
    cutout.bands.push_back(band_of(image, part.band));
  }
  for (std::string const& path : files) {
    Part part = part_of(path);
    Band* band = find_band(cutout, part.band);
    if (!band || part.role == Role::science || part.role == Role::other) continue;
    bool array = ends_with(lower(path), ".npy");
    attach(*band, part.role,
           array ? read_array(path) : plane_of(io::read_fits(path, {.section = {}, .max_pixels = max_pixels}).pixels),
           path);
  }
}

/// What a file is by its first bytes, so that a wrong ending does no harm.
bool starts_as_picture(std::string const& path) {
  io::InputFile file(path);
  char bytes[4] = {};
  file.read(bytes, std::min<int64_t>(file.size(), 4));
  return std::string(bytes, 4) == "\x89PNG" || std::string(bytes, 3) == "\xFF\xD8\xFF";
}

/// Bands without a finite pixel go; the note says so.
void drop_empty_bands(Cutout& cutout) {
  std::string dropped;
  std::erase_if(cutout.bands, [&](Band const& band) {
    bool empty = !any_finite(band.image);
    if (empty) dropped += (dropped.empty() ? "" : ", ") + band.name;
    return empty;
  });
  require<FileError>(!cutout.bands.empty(), cutout.file, ": has no finite pixel in ", dropped,
                     "; cut it out where there are data");
  if (!dropped.empty()) cutout.note = "no finite pixel in " + dropped;
}

}  // namespace

d16::Tensor tensor_of(Plane const& p) {
  d16::Tensor out = d16::empty({p.h, p.w}, {.device = d16::Device()});
  std::copy(p.values.begin(), p.values.end(), out.data<float>());
  return out;
}

Cutout read_cutout(Source const& source) {
  Cutout cutout{.id = source.id, .file = source.path};
  std::string const& first = source.files.front();
  std::string name = lower(first);
  if (source.files.size() > 1 || part_of(first).role != Role::single) add_parts(cutout, source.files);
  else if (starts_as_picture(first) || ends_with(name, ".png") || ends_with(name, ".jpg") || ends_with(name, ".jpeg"))
    add_picture(cutout, first);
  else if (ends_with(name, ".npy")) cutout.bands.push_back({"1", read_array(first), {}, {}, {}});
  else add_fits(cutout, first);
  require<FileError>(!cutout.bands.empty(), cutout.file, ": has no science image; BAND_sci.fits is needed");
  drop_empty_bands(cutout);
  return cutout;
}

void set_scales(Cutout& cutout, std::vector<std::string> const& scales) {
  for (std::string const& scale : scales) {
    size_t cut = scale.find('=');
    std::string band = cut == scale.npos ? "" : scale.substr(0, cut), number = scale.substr(cut + 1);  // npos + 1 is 0
    double arcsec = 0;
    auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), arcsec);
    require<d16::ValueError>(error == std::errc() && end == number.data() + number.size() && arcsec > 0, "--pixscale ",
                             scale, ": arcseconds such as 0.04, or BAND=0.04, are needed");
    for (Band& b : cutout.bands) {
      if (!band.empty() && lower(b.name) != lower(band)) continue;
      double factor = arcsec / b.wcs.scale();
      for (double& c : b.wcs.cd) c *= b.wcs.known ? factor : 1;
      b.arcsec = arcsec;
    }
  }
}

}  // namespace tool
