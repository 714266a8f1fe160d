// The objects of a run: bodies of sample.hpp.
#include "sample.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <d16/io/csv.hpp>
#include <d16/io/fits.hpp>
#include <d16/io/survey_catalog.hpp>

#include "beyond_data.hpp"

namespace tool {

using d16::FileError;
using d16::require;
using d16::text;
namespace io = d16::io;

namespace {

/// The first column of these names, whatever their case.
io::Column const* find_column(io::Table const& table, std::vector<std::string> const& names) {
  for (std::string const& name : names)
    for (io::Column const& column : table.columns())
      if (lower(column.name) == name) return &column;
  return nullptr;
}

std::vector<double> numbers_of(io::Table const& table, std::vector<std::string> const& names) {
  io::Column const* column = find_column(table, names);
  if (!column) return {};
  std::vector<double> values = table.numbers(column->name);
  for (double& v : values)
    if (io::detail::is_sentinel(v)) v = nan;
  return values;
}

bool is_compressed(std::string const& path) {
  return ends_with(lower(path), ".gz") || ends_with(lower(path), ".bz2") || ends_with(lower(path), ".z");
}

/// What a mosaic is by the words of its name.
Role mosaic_role(std::string const& name) {
  std::set<std::string> words;
  std::string word;
  for (char c : lower(name) + ".") {
    if (std::isalnum(static_cast<unsigned char>(c))) word += c;
    else words.insert(std::exchange(word, ""));
  }
  auto any = [&](std::initializer_list<char const*> list) {
    return std::any_of(list.begin(), list.end(), [&](char const* w) { return words.count(w) > 0; });
  };
  if (any({"psf", "exp", "var", "con", "ctx", "model", "bkg", "dq", "mask"})) return Role::other;
  if (any({"seg", "segm", "segmap", "segmentation"})) return Role::segments;
  if (any({"err", "rms", "sigma", "unc"})) return Role::sigma;
  if (any({"wht", "weight", "ivar"})) return Role::weight;
  return Role::science;
}

}  // namespace

/// The images of a field.
struct Sample::Mosaics {
  struct Image {
    std::string band, file;
    Role role;
    io::TangentWcs wcs;
    int64_t W, H;
    std::string hdu, unit;
    io::PixelScale scale;
    bool reals;  // not whole numbers

    /// Equal in size, and on the sky to a tenth of a pixel; without coordinates of its own in size alone.
    bool shares_grid(Image const& science) const {
      if (W != science.W || H != science.H || wcs.scale() == 0) return W == science.W && H == science.H;
      for (auto [x, y] : {std::pair(0.0, 0.0), std::pair(double(W - 1), double(H - 1))}) {
        auto [ra, dec] = science.wcs.sky(x, y);
        auto at = wcs.pixel(ra, dec);
        if (!at || !(std::hypot((*at)[0] - x, (*at)[1] - y) < 0.1)) return false;
      }
      return true;
    }
    /// Whether this sigma, weight or segmentation is of that image.
    bool belongs_to(Image const& science) const {
      bool own = role == Role::segments || lower(band) == lower(science.band);
      return role != Role::science && science.role == Role::science && own && shares_grid(science);
    }
  };
  /// A square of pixels around a place.
  struct Window {
    int64_t left, top, size;
  };
  std::vector<Image> images;

  explicit Mosaics(std::string const& place) {
    std::vector<std::string> files;
    if (is_file(place)) files.push_back(place);
    else
      for (std::string const& name : list_folder(place))
        if (lower(name).find(".fits") != std::string::npos) files.push_back(join(place, name));
    for (std::string const& file : files) add(file);
    bool any = std::any_of(images.begin(), images.end(), [](Image const& i) { return i.role == Role::science; });
    require<FileError>(any, place,
                       ": no mosaic in it; FITS images with sky coordinates are needed, named by their band");
    for (Image const& image : images)
      if (image.role != Role::science) check_owner(image);
  }

  /// `side` arcseconds around a place; nothing where the mosaic does not reach.
  static std::optional<Window> window_of(Image const& image, double ra, double dec, double side) {
    auto centre = image.wcs.pixel(ra, dec);
    bool near = centre && std::abs((*centre)[0]) < 1e9 && std::abs((*centre)[1]) < 1e9;
    if (!near) return {};
    int64_t half = std::max<int64_t>(8, int64_t(std::ceil(side / image.scale.arcsec / 2)));
    Window w{std::llround((*centre)[0]) - half, std::llround((*centre)[1]) - half, 2 * half + 1};
    bool inside = w.left < image.W && w.top < image.H && w.left + w.size > 0 && w.top + w.size > 0;
    return inside ? std::optional(w) : std::nullopt;
  }

  /// The pixels of a window that is not outside, NaN beyond the edges.
  static Plane cut(Image const& image, Window const& w) {
    io::FitsSection s{std::max<int64_t>(0, w.left), std::min(image.W, w.left + w.size), std::max<int64_t>(0, w.top),
                      std::min(image.H, w.top + w.size)};
    io::FitsImage part = io::read_fits(image.file, {.hdu = image.hdu, .section = s});
    Plane out{w.size, w.size, std::vector<float>(size_t(w.size * w.size), NAN)};
    for (int64_t y = s.y0; y < s.y1; ++y)
      for (int64_t x = s.x0; x < s.x1; ++x) {
        float v = part.pixels.data<float>()[(y - s.y0) * (s.x1 - s.x0) + x - s.x0];
        out.at(y - w.top, x - w.left) = std::isfinite(v) ? v : NAN;
      }
    if (image.role == Role::science && image.reals) drop_zeros(out);
    return out;
  }

  /// One band of each name: of the tiles that reach there the one with the most data.
  Cutout read(std::string const& id, double ra, double dec, double side) const {
    struct Tile {
      Image const* image;
      Window window;
      Plane plane;
      int64_t known;
    };
    std::vector<Tile> best;
    for (Image const& image : images) {
      auto window = image.role == Role::science ? window_of(image, ra, dec, side) : std::nullopt;
      if (!window) continue;
      Tile tile{&image, *window, cut(image, *window), 0};
      tile.known = count_known(tile.plane);
      if (tile.known == 0) continue;
      auto other = std::find_if(best.begin(), best.end(),
                                [&](Tile const& t) { return lower(t.image->band) == lower(image.band); });
      if (other == best.end()) best.push_back(std::move(tile));
      else if (tile.known > other->known) *other = std::move(tile);
    }
    Cutout out{.id = id, .file = id};
    for (Tile& tile : best) out.bands.push_back(band_of(*tile.image, tile.window, std::move(tile.plane)));
    require<FileError>(!out.bands.empty(), id, ": no mosaic has data at ra ", ra, ", dec ", dec);
    return out;
  }

 private:
  /// A window of a mosaic and what belongs to it.
  Band band_of(Image const& image, Window const& window, Plane plane) const {
    Band band{image.band, std::move(plane), {}, {}, {image.wcs, true}, image.unit};
    band.wcs.x -= double(window.left), band.wcs.y -= double(window.top), band.arcsec = image.scale.arcsec;
    for (Image const& other : images) {
      if (!other.belongs_to(image)) continue;
      (other.role == Role::segments ? band.segments : band.sigma) = cut(other, window);
      if (other.role == Role::weight)
        for (float& v : band.sigma.values) v = v > 0 ? 1 / std::sqrt(v) : NAN;
    }
    return band;
  }

  /// Sigma, weight and segments lie on the grid of an image. Without coordinates they must not fit two different grids.
  void check_owner(Image const& image) const {
    Image const* owner = nullptr;
    for (Image const& science : images) {
      if (!image.belongs_to(science)) continue;
      require<FileError>(!owner || science.shares_grid(*owner), image.file, ": has no coordinates, and may belong to ",
                         owner ? base_name(owner->file) : "", " or to ", base_name(science.file),
                         "; give it the coordinates of its image");
      owner = &science;
    }
    if (!owner) say(image.file + ": not used: no image of its band has its size and coordinates");
  }

  void add(std::string const& file) {
    Role role = mosaic_role(base_name(file));
    if (role == Role::other) return;
    require<FileError>(!is_compressed(file), file,
                       ": a compressed mosaic would have to be unpacked in memory; unpack it on disk first");
    std::vector<io::FitsHdu> hdus = io::list_fits(file);
    io::FitsHdu const* found = io::detail::first_image(hdus);
    if (!found) return;
    std::string hdu = std::to_string(found->index);
    io::FitsImage corner = io::read_fits(file, {.hdu = hdu, .section = io::FitsSection{0, 1, 0, 1}});
    auto wcs = io::tangent_wcs(corner.header);
    require<FileError>(wcs.has_value() || role != Role::science, file,
                       ": has no tangent-plane coordinates (CTYPE RA---TAN); objects cannot be found in it");
    std::string band = nircam_band_in(base_name(file));
    if (band.empty()) band = corner.string("FILTER").value_or(corner.string("BAND").value_or("1"));
    double bitpix = corner.header.number("ZBITPIX").value_or(corner.header.number("BITPIX").value_or(0));
    size_t axes = found->sizes.size();
    images.push_back({band, file, role, wcs.value_or(io::TangentWcs{}), found->sizes[axes - 1], found->sizes[axes - 2],
                      hdu, corner.unit, corner.scale, bitpix < 0});
  }
};

void Sample::read_catalogue(std::string const& path) {
  if (ends_with(lower(path), ".csv")) rows_.table = io::read_csv(path);
  else {
    std::vector<io::FitsHdu> hdus = io::list_fits(path);
    io::FitsHdu const* table = io::detail::first_table(hdus);
    require<FileError>(table, path, ": no table in it; give a catalogue");
    rows_.fits = path, rows_.hdu = table->index;
    rows_.table = io::read_fits_table(path, {.hdu = std::to_string(table->index)});
    for (std::string const& column : rows_.table.left_out())
      rows_.names.push_back(column.substr(0, column.rfind(": ")));
  }
  for (io::Column const& column : rows_.table.columns()) rows_.names.push_back(column.name);
  io::Column const* id = find_column(rows_.table, {"id", "source_id", "objid", "number", "unique_id", "object"});
  require<FileError>(id && rows_.table.rows() > 0, path, ": no rows or no column id; it has ", rows_.table.names());
  rows_.id = rows_.table.strings(id->name), catalogue_ = true;
  ra_ = numbers_of(rows_.table, {"ra", "alpha_j2000", "ra_deg"});
  dec_ = numbers_of(rows_.table, {"dec", "delta_j2000", "dec_deg"});
  redshift_ = numbers_of(rows_.table, {"z_spec", "z", "redshift", "z_phot", "zbest", "z_used_in_fit"});
  redshift_ = io::detail::redshifts(std::move(redshift_));
}

Sample::Sample(RunOptions const& o)
    : input_(o.mosaic.empty() ? o.input : o.mosaic), scales_(o.pixscale), side_(o.side) {
  require<d16::ValueError>(o.mosaic.empty() != o.input.empty(),
                           "run: give --input CUTOUTS or --mosaic IMAGES, one of them");
  if (!o.catalog.empty()) read_catalogue(o.catalog);
  if (!o.mosaic.empty()) {
    require<FileError>(catalogue_ && !ra_.empty() && !dec_.empty(), o.mosaic,
                       ": --mosaic needs a --catalog with columns id, ra, dec");
    require<FileError>(is_folder(o.mosaic) || is_file(o.mosaic), o.mosaic, ": no such file or folder");
    mosaics_ = std::make_unique<Mosaics>(o.mosaic);
    return;
  }
  std::vector<Source> found = find_sources(o.input);
  if (!catalogue_) {
    for (Source const& source : found) rows_.id.push_back(source.id);
    sources_ = std::move(found);
    return;
  }
  std::map<std::string, Source> by_id;
  for (Source& source : found) by_id[source.id] = std::move(source);
  size_t matched = 0;
  for (std::string const& id : rows_.id) {
    auto at = by_id.find(id);
    sources_.push_back(at == by_id.end() ? Source{id, o.input, {}} : at->second);
    matched += at != by_id.end();
  }
  require<FileError>(matched > 0, o.input, ": none of its ", by_id.size(), " objects, such as \"", by_id.begin()->first,
                     "\", has an id of the catalogue, such as \"", rows_.id[0], "\"");
}
Sample::~Sample() = default;

std::string Sample::file(size_t i) const {
  if (mosaics_) return base_name(input_);
  std::string folder = join(input_, ""), path = sources_[i].path;
  return path.starts_with(folder) ? path.substr(folder.size()) : base_name(path);
}

Cutout Sample::read(size_t i) const {
  Cutout cutout;
  if (mosaics_) {
    require<FileError>(std::isfinite(ra(i)) && std::isfinite(dec(i)), id(i), ": its position is not known");
    cutout = mosaics_->read(id(i), ra(i), dec(i), side_);
  } else {
    require<FileError>(!sources_[i].files.empty(), id(i), ": no cutout of this name");
    cutout = read_cutout(sources_[i]);
  }
  set_scales(cutout, scales_);
  return cutout;
}

}  // namespace tool
