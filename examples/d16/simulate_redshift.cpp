// d16 simulate redshift: galaxies of linear FITS images as they would look further away.
#include "simulate_redshift.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <d16/io/csv.hpp>
#include <d16/io/fits.hpp>
#include <d16/io/flux_unit.hpp>
#include <d16/io/png.hpp>
#include <d16/io/wcs.hpp>
#include <d16/sim/psf.hpp>
#include <d16/sim/redshift.hpp>

#include "cutout.hpp"
#include "frame.hpp"

namespace tool {

using d16::FileError;
using d16::require;
using d16::Tensor;
using d16::text;
using d16::ValueError;
namespace sim = d16::sim;
namespace io = d16::io;

namespace {

/// A galaxy to be moved, in nJy per pixel.
struct RealGalaxy {
  std::string id = {}, band = {};
  double z = 0, pixel = 0, ra = nan, dec = nan;  ///< the middle of the image
  double micrometres = 0;                        ///< of the band; 0: unknown
  Tensor image = {}, psf = {};
  std::optional<io::TangentWcs> wcs = {};
};

double micrometres_of(std::string const& band) {
  double known = band.empty() ? nan : wavelength(band);
  return std::isnan(known) ? 0 : known;
}

/// Pixels in nJy. Without a unit in the file or on the command line there is no flux to move.
void to_nanojansky(RealGalaxy& s, std::string const& unit, std::string const& file) {
  require<FileError>(!unit.empty(), file, ": has no BUNIT; give the unit of its pixels with --unit, such as MJy/sr");
  double factor = io::nanojansky_in(unit, s.pixel);
  for (float& v : s.image.host<float>()) v = float(double(v) * factor);
}

RealGalaxy read_one(SimulateRedshiftOptions const& o, std::string const& file, std::string const& psf,
                    std::string const& id, double z) {
  io::FitsImage image = io::read_fits(file);
  RealGalaxy s{.id = id, .band = o.band, .z = z, .pixel = o.pixel_in > 0 ? o.pixel_in : image.scale.arcsec};
  require<FileError>(s.pixel > 0, file, ": the size of a pixel is not known (", image.scale.how,
                     "); give it with --pixel-in, in arcsec");
  if (s.band.empty()) s.band = image.string("FILTER").value_or(image.string("BAND").value_or(""));
  s.ra = image.number("CRVAL1").value_or(nan), s.dec = image.number("CRVAL2").value_or(nan);
  s.wcs = io::tangent_wcs(image.header);
  if (s.wcs) {  // cutouts of mosaics keep a reference that is far away
    auto middle = s.wcs->sky(double(image.pixels.dim(1) - 1) / 2, double(image.pixels.dim(0) - 1) / 2);
    s.ra = middle[0], s.dec = middle[1];
  }
  s.micrometres = micrometres_of(s.band);
  s.image = image.pixels, s.psf = io::read_fits(psf).pixels;
  to_nanojansky(s, o.unit.empty() ? image.unit : o.unit, file);
  return s;
}

/// A folder of objects with objects.csv (object, ra, dec, z...) and psf_map.csv (object, band, file).
std::vector<RealGalaxy> read_objects(SimulateRedshiftOptions const& o) {
  require<ValueError>(!o.band.empty(), o.input, ": say which band of its objects with --band, such as F200W");
  io::Table objects = io::read_csv(join(o.input, "objects.csv")), psfs = io::read_csv(join(o.input, "psf_map.csv"));
  std::vector<std::string> ids = objects.strings("object"), owner = psfs.strings("object"), band = psfs.strings("band"),
                           file = psfs.strings("psf_file");
  std::vector<double> z = objects.numbers("z_used_in_fit");
  std::vector<RealGalaxy> out;
  for (size_t i = 0; i < ids.size() && (o.limit == 0 || int64_t(out.size()) < o.limit); ++i) {
    size_t k = 0;
    while (k < owner.size() && !(owner[k] == ids[i] && lower(band[k]) == lower(o.band))) ++k;
    require<FileError>(k < owner.size(), psfs.source(), ": no PSF of object ", ids[i], " in band ", o.band);
    std::string image = join(join(o.input, ids[i]), lower(o.band) + "_sci.fits");
    out.push_back(read_one(o, image, join(o.input, file[k]), ids[i], z[i]));
  }
  return out;
}

/// GalSim's catalogue of real galaxies: images and PSFs in HDUs, magnitudes that set the flux, photometric redshifts in
/// the table beside it.
std::vector<RealGalaxy> read_cosmos(SimulateRedshiftOptions const& o) {
  std::string main, fits;
  for (std::string const& name : list_folder(o.input))
    if (name.starts_with("real_galaxy_catalog") && ends_with(name, ".fits"))
      (ends_with(name, "_fits.fits") ? fits : main) = join(o.input, name);
  require<FileError>(
      !main.empty() && !fits.empty(), o.input,
      ": has neither objects.csv and psf_map.csv nor real_galaxy_catalog*.fits with its *_fits.fits; give "
      "such a folder, or a FITS file with --psf and --z-in");
  io::Table table = io::read_fits_table(main), redshifts = io::read_fits_table(fits);
  std::vector<int64_t> hdu = table.integers("GAL_HDU"), psf_hdu = table.integers("PSF_HDU"),
                       id = table.integers("IDENT");
  std::vector<std::string> file = table.strings("GAL_FILENAME"), psf_file = table.strings("PSF_FILENAME"),
                           band = table.strings("BAND");
  std::vector<double> mag = table.numbers("MAG"), pixel = table.numbers("PIXEL_SCALE"),
                      flux = table.numbers("stamp_flux"), ra = table.numbers("RA"), dec = table.numbers("DEC"),
                      z = redshifts.numbers("ZPHOT");
  require<FileError>(z.size() == mag.size(), fits, ": ", z.size(), " rows, ", main, " has ", mag.size());
  std::vector<RealGalaxy> out;
  for (size_t i = 0; i < mag.size() && (o.limit == 0 || int64_t(out.size()) < o.limit); ++i) {
    RealGalaxy s{std::to_string(id[i]), band[i], z[i], pixel[i], ra[i], dec[i], micrometres_of(band[i]), {}, {}};
    s.image = io::read_fits(join(o.input, file[i]), {.hdu = std::to_string(hdu[i])}).pixels;
    s.psf = io::read_fits(join(o.input, psf_file[i]), {.hdu = std::to_string(psf_hdu[i])}).pixels;
    require<FileError>(flux[i] > 0, main, " ", table.where(int64_t(i)), ": stamp_flux is ", flux[i]);
    double unit = io::nanojansky_of_zero_point(mag[i]) / flux[i];  // the stamp has the flux of the magnitude
    for (float& v : s.image.host<float>()) v = float(double(v) * unit);
    out.push_back(std::move(s));
  }
  return out;
}

std::vector<RealGalaxy> read_sources(SimulateRedshiftOptions const& o) {
  if (is_folder(o.input)) return is_file(join(o.input, "objects.csv")) ? read_objects(o) : read_cosmos(o);
  require<ValueError>(!o.psf.empty() && o.z_in > 0, o.input, ": a single image needs --psf and --z-in");
  std::string name = base_name(o.input);
  return {read_one(o, o.input, o.psf, name.substr(0, name.rfind('.')), o.z_in)};
}

/// One result.
struct Moved {
  std::string id, file, band, note;
  double z_in = 0, z_out = 0, ra = nan, dec = nan;
  sim::Redshifted result;
};

sim::RedshiftOptions options_of(SimulateRedshiftOptions const& o, RealGalaxy const& s, double z,
                                Tensor const& psf_out) {
  sim::RedshiftOptions r{.z_in = s.z, .z_out = z, .pixel_in = s.pixel, .pixel_out = o.pixel_out, .psf_in = s.psf};
  r.psf_out = psf_out, r.psf_pixel_out = o.psf_out.empty() ? 0 : o.psf_pixel_out, r.size = o.size,
  r.dimming = o.dimming;
  r.luminosity_evolution = o.luminosity_evolution, r.size_evolution = o.size_evolution;
  r.sigma = o.sigma, r.correlation = o.correlation, r.wavelength_in = s.micrometres;
  r.cosmology = {o.hubble, o.matter};
  return r;
}

/// Wide NIRCam band whose wavelength is next to the one that the image is of.
std::string nearest_band(double micrometres) {
  constexpr char const* bands[] = {"F090W", "F115W", "F150W", "F200W", "F277W", "F356W", "F444W"};
  std::string best;
  if (micrometres <= 0) return best;
  for (char const* band : bands)
    if (best.empty() || std::abs(wavelength(band) / micrometres - 1) < std::abs(wavelength(best) / micrometres - 1))
      best = band;
  return best;
}

/// The input's plane with other pixels about the same middle; north is up where the input's orientation is not known.
io::TangentWcs plane_of(SimulateRedshiftOptions const& o, RealGalaxy const& s, Tensor const& image) {
  double step = o.pixel_out / 3600;
  io::TangentWcs out{double(image.dim(1) - 1) / 2, double(image.dim(0) - 1) / 2, s.ra, s.dec, {-step, 0, 0, step}};
  if (s.wcs && !s.wcs->doubtful)
    for (size_t i = 0; i < out.cd.size(); ++i) out.cd[i] = s.wcs->cd[i] * (o.pixel_out / s.wcs->scale());
  return out;
}

std::vector<io::FitsCard> cards_of(SimulateRedshiftOptions const& o, RealGalaxy const& s, Moved const& m) {
  sim::Redshifted const& r = m.result;
  std::vector<io::FitsCard> cards{{"BUNIT", "nJy", "per pixel"},
                                  {"SIMULATD", true, "artificially redshifted"},
                                  {"OBJECT", s.id},
                                  {"BANDIN", s.band, "band of the input"},
                                  {"ZIN", m.z_in, "redshift of the input"},
                                  {"ZOUT", m.z_out, "redshift of this image"},
                                  {"LAMREST", r.rest_wavelength, "um, of the galaxy's light; 0: unknown"},
                                  {"LAMOBS", r.wavelength_out, "um, where it is seen; no K-correction"},
                                  {"BANDOUT", nearest_band(r.wavelength_out), "next wide NIRCam band"},
                                  {"HUBBLE", o.hubble, "km/s/Mpc"},
                                  {"OMEGAM", o.matter, "flat universe"},
                                  {"DIMMING", o.dimming, "surface brightness as (1+z)^-DIMMING"},
                                  {"LUMEVOL", o.luminosity_evolution, "mag brighter for each unit of z"},
                                  {"SIZEEVOL", o.size_evolution, "radii as (1+z)^-SIZEEVOL"},
                                  {"ANGFACT", r.angular, "sizes on the sky, this / input"},
                                  {"FLUXFACT", r.flux, "total flux, this / input"},
                                  {"PSFGAIN", r.gain, "largest transfer of the PSF kernel"},
                                  {"NOISE", o.sigma, "nJy, of a pixel; 0: none was added"},
                                  {"NOISECOR", o.correlation, "of neighbouring pixels' noise"},
                                  {"OWNNOISE", r.own_sigma, "nJy, of the input, left in this image"},
                                  {"NFILLED", r.filled, "input pixels that were not finite"}};
  bool placed = std::isfinite(s.ra) && std::isfinite(s.dec);
  for (io::FitsCard const& card : io::wcs_cards(plane_of(o, s, r.image)))
    if (placed || !card.key.starts_with("CRVAL")) cards.push_back(card);
  cards.push_back({"HISTORY", made_by()});
  return cards;
}

void write_image(std::string const& path, SimulateRedshiftOptions const& o, RealGalaxy const& s, Moved const& m) {
  std::vector<io::FitsCard> cards = cards_of(o, s, m);
  std::vector<io::FitsPlane> planes{{"SCI", m.result.image, cards}};
  double sigma = std::max(o.sigma, m.result.own_sigma);
  if (sigma > 0) planes.push_back({"ERR", d16::full(m.result.image.shape(), sigma), cards});
  io::write_fits(path, planes);
}

io::Table table_of(std::vector<Moved> const& all) {
  io::Table t;
  auto texts = [&](char const* name, char const* comment, auto const& value) {
    std::vector<std::string> list;
    for (Moved const& m : all) list.push_back(value(m));
    t.column(name, std::move(list), {.comment = comment});
  };
  auto numbers = [&](char const* name, char const* unit, char const* comment, auto const& value) {
    std::vector<double> list;
    for (Moved const& m : all) list.push_back(value(m));
    t.column(name, std::move(list), {.unit = unit, .comment = comment});
  };
  texts("id", "", [](Moved const& m) { return m.id; });
  texts("file", "", [](Moved const& m) { return m.file; });
  numbers("ra", "deg", "of the input", [](Moved const& m) { return m.ra; });
  numbers("dec", "deg", "of the input", [](Moved const& m) { return m.dec; });
  texts("band_in", "", [](Moved const& m) { return m.band; });
  numbers("z_in", "", "", [](Moved const& m) { return m.z_in; });
  numbers("z_out", "", "", [](Moved const& m) { return m.z_out; });
  numbers("lambda_rest", "um", "of the galaxy's light", [](Moved const& m) { return m.result.rest_wavelength; });
  numbers("lambda_obs", "um", "where it is seen; no K-correction",
          [](Moved const& m) { return m.result.wavelength_out; });
  texts("band_out", "next wide NIRCam band", [](Moved const& m) { return nearest_band(m.result.wavelength_out); });
  numbers("angular_factor", "", "sizes, out / in", [](Moved const& m) { return m.result.angular; });
  numbers("flux_factor", "", "total flux, out / in", [](Moved const& m) { return m.result.flux; });
  numbers("psf_gain", "", "largest transfer", [](Moved const& m) { return m.result.gain; });
  numbers("own_noise_njy", "nJy", "of the input, left", [](Moved const& m) { return m.result.own_sigma; });
  texts("note", "why there is no image", [](Moved const& m) { return m.note; });
  return t;
}

/// The first galaxies at each redshift, a row each, stretched alike.
Tensor sheet(std::vector<std::vector<Tensor>> const& rows) {
  constexpr int64_t tile = 96;
  int64_t columns = 0, step = tile + 2;
  for (auto const& row : rows) columns = std::max(columns, int64_t(row.size()));
  Tensor out = d16::full({step * int64_t(rows.size()), step * columns}, 1.0);
  for (size_t i = 0; i < rows.size(); ++i)
    for (size_t j = 0; j < rows[i].size(); ++j) {
      Tensor shown = d16::vision::fit_stretch(rows[i][j]).apply(rows[i][j]);
      shown = d16::vision::resize(shown, tile, tile);
      for (int64_t y = 0; y < tile; ++y)  // FITS rows count from below
        std::copy_n(shown.data<float>() + (tile - 1 - y) * tile, tile,
                    out.data<float>() + (int64_t(i) * step + 1 + y) * step * columns + int64_t(j) * step + 1);
    }
  return out;
}

/// The PSF of the target: an image of one, or a Gaussian on the pixels of the result.
Tensor target_psf(SimulateRedshiftOptions const& o) {
  require<ValueError>(o.psf_out.empty() != (o.fwhm_out == 0),
                      "simulate redshift: ", o.psf_out.empty() ? "no target PSF" : "two target PSFs",
                      "; give --psf-out or --fwhm-out");
  if (!o.psf_out.empty()) return io::read_fits(o.psf_out).pixels;
  double fwhm = o.fwhm_out / o.pixel_out;
  return sim::gaussian_psf(2 * int64_t(std::ceil(2 * fwhm)) + 1, fwhm);
}

}  // namespace

Json simulate_redshift(SimulateRedshiftOptions const& o) {
  Tensor psf_out = target_psf(o);
  std::vector<RealGalaxy> sources = read_sources(o);
  OutputFolder out(o.out);
  Progress progress("simulate redshift", int64_t(sources.size() * o.z_out.size()));
  std::vector<Moved> moved;
  std::vector<std::vector<Tensor>> shown;
  int64_t written = 0;
  for (RealGalaxy const& s : sources) {
    if (shown.size() < 8) shown.push_back({s.image});
    for (double z : o.z_out) {
      char redshift[32];
      std::snprintf(redshift, sizeof redshift, "%.2f", z);
      Moved m{s.id, s.id + "_z" + redshift + ".fits", s.band, "", s.z, z, s.ra, s.dec, {}};
      d16::Random random(o.seed, hash(m.file));
      try {
        m.result = sim::redshift_galaxy(s.image, options_of(o, s, z, psf_out), random);
        out.write(m.file, [&](std::string const& path) { write_image(path, o, s, m); });
        if (&s - sources.data() < 8) shown[size_t(&s - sources.data())].push_back(m.result.image);
        ++written;
      } catch (ValueError const& error) {  // one that cannot be moved there does not stop the others
        if (sources.size() * o.z_out.size() == 1) throw;
        m.file = "", m.note = error.what();
      }
      m.result.image = Tensor();
      moved.push_back(std::move(m));
      progress.step();
    }
  }
  require<ValueError>(written > 0, o.input, ": none of ", moved.size(),
                      " images can be made; the first: ", moved[0].note);
  io::Table table = table_of(moved);
  out.write("redshifted.csv", [&](std::string const& path) { io::write_csv(path, table); });
  out.write("redshifted.fits", [&](std::string const& path) {
    io::write_fits_table(path, table, "REDSHIFTED", {{"SIMULATD", true, "artificially redshifted"}});
  });
  out.write("examples/examples.png", [&](std::string const& path) { io::write_png(path, sheet(shown)); });
  out.commit();
  say(text(o.out, ": ", written, " images of ", sources.size(), " galaxies, ", int64_t(moved.size()) - written,
           " could not be made; redshifted.csv, redshifted.fits, examples/examples.png"));
  return Json::object({{"out", o.out},
                       {"galaxies", int64_t(sources.size())},
                       {"written", written},
                       {"left_out", int64_t(moved.size()) - written},
                       {"simulated", true}});
}

}  // namespace tool
