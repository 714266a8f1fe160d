// The options of d16 simulate.
#include "options.hpp"

#include "simulate_appearance.hpp"
#include "simulate_redshift.hpp"
#include "simulate_survey.hpp"

namespace tool {

namespace {

void add_simulate(CLI::App* app, SimulateOptions& o) {
  app->add_option("--out", o.out, "folder for the images, clean/ and truth.csv")->required();
  app->add_option("--sheet", o.sheet, "PNG to write too: some of the galaxies to look at; outside of --out");
  app->add_option("--count", o.count, "galaxies")->check(CLI::Range(1, 1000000))->capture_default_str();
  app->add_option("--variants", o.variants, "images of each, with other contaminants and noise")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app->add_option("--size", o.size, "pixels on a side")->check(CLI::Range(8, 1024))->capture_default_str();
  app->add_option("--channels", o.channels, "3: red, green, blue; 1: grey")
      ->check(CLI::IsMember({1, 3}))
      ->capture_default_str();
  app->add_option("--snr", o.snr, "LOW:HIGH, of the light inside the effective radius")->capture_default_str();
  app->add_option("--shear", o.shear, "LOW:HIGH, of a gravitational lens: 0.3 turns circles into ellipses of 7 to 13")
      ->capture_default_str();
  app->add_option("--contaminants", o.contaminants, "what lies in the way: none, stars, neighbours, trails or all")
      ->check(CLI::IsMember({"none", "stars", "neighbours", "trails", "all"}))
      ->capture_default_str();
  app->add_option("--number", o.number, "LOW:HIGH, of contaminants")->capture_default_str();
  app->add_option("--spikes", o.spikes, "of bright stars")->check(CLI::IsMember({0, 4, 6}))->capture_default_str();
  app->add_option("--fwhm", o.fwhm, "LOW:HIGH, of the Moffat PSF, pixels")->capture_default_str();
  app->add_option("--psf", o.psf, "FITS image of the PSF instead, odd sides, pixels as wide as those of the images");
  app->add_option("--exposure", o.exposure, "how many times longer: sky and light grow, read noise does not")
      ->check(CLI::Range(0.001, 1000.0))
      ->capture_default_str();
  app->add_option("--correlation", o.correlation,
                  "sigma in pixels of the smoothing that drizzling does to the noise; 0: none")
      ->check(CLI::Range(0.0, 5.0))
      ->capture_default_str();
  app->add_option("--format", o.format, "fits (units, sky coordinates, noise in ERR) or png (stretched)")
      ->check(CLI::IsMember({"fits", "png"}))
      ->capture_default_str();
  add_common(app, o);
}

Command make_simulate_alone(CLI::App& parent) {
  return make<SimulateOptions>(
      parent, "simulate", "galaxies with noise and one to three contaminants, and their truth", simulate, add_simulate,
      {"simulate --out field --count 24 --seed 16", "simulate --out pictures --count 100 --format png --size 128"});
}

/// The same by its full name.
Command make_simulate_field(CLI::App& simulate_app) {
  CLI::Option* out = simulate_app.get_option("--out");
  auto add = [out](CLI::App* app, SimulateOptions& o) {
    app->preparse_callback([out](size_t) { out->required(false); });  // that one is of `simulate` alone
    add_simulate(app, o);
  };
  return make<SimulateOptions>(
      simulate_app, "field", "single galaxies, contaminated and noisy, with their truth: what `simulate` does too",
      simulate, add,
      {"simulate field --out field --count 24 --variants 10 --snr 5:100",
       "simulate field --out lensed --shear 0.1:0.4 --contaminants stars --spikes 6 --channels 1",
       "simulate field --out jwst --psf ../shared/data/jwst_ceers_nircam/psf/F200W_hybrid_30c39249.fits"});
}

Command make_simulate_redshift(CLI::App& simulate_app) {
  CLI::Option* out = simulate_app.get_option("--out");
  auto add = [out](CLI::App* app, SimulateRedshiftOptions& o) {
    app->preparse_callback([out](size_t) { out->required(false); });  // that one is of `simulate` alone
    app->add_option("--input", o.input,
                    "linear images, never pictures: a FITS file (with --psf and --z-in), a folder with objects.csv and "
                    "psf_map.csv (with --band), or one of GalSim's real galaxies")
        ->required();
    app->add_option("--out", o.out, "folder for the images, redshifted.csv, redshifted.fits and examples/")->required();
    app->add_option("--z-out", o.z_out, "redshifts: 1,2,3")
        ->delimiter(',')
        ->check(CLI::Range(0.001, 20.0))
        ->capture_default_str();
    app->add_option("--psf-out", o.psf_out, "FITS image of the target's PSF");
    app->add_option("--fwhm-out", o.fwhm_out, "arcsec; a Gaussian target PSF instead")->check(CLI::Range(0.001, 10.0));
    app->add_option("--pixel-out", o.pixel_out, "arcsec, of the result")
        ->check(CLI::Range(0.001, 10.0))
        ->capture_default_str();
    app->add_option("--psf-pixel-out", o.psf_pixel_out, "arcsec, of --psf-out; default: --pixel-out")
        ->check(CLI::Range(0.001, 10.0));
    app->add_option("--size", o.size, "pixels on a side of the result; 0: all of the input")
        ->check(CLI::Range(0, 4096))
        ->capture_default_str();
    app->add_option("--noise", o.sigma, "nJy, of a pixel of the target field; 0: none is added")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app->add_option("--correlation", o.correlation, "of neighbouring pixels' noise")
        ->check(CLI::Range(0.0, 0.69))
        ->capture_default_str();
    app->add_option("--dimming", o.dimming,
                    "surface brightness falls as (1+z)^-this: 4 bolometric, 3 per frequency, 5 per wavelength")
        ->check(CLI::Range(3.0, 5.0))
        ->capture_default_str();
    app->add_option("--luminosity-evolution", o.luminosity_evolution, "magnitudes brighter for each unit of z")
        ->check(CLI::Range(-5.0, 5.0))
        ->capture_default_str();
    app->add_option("--size-evolution", o.size_evolution, "radii as (1+z)^-this")
        ->check(CLI::Range(-5.0, 5.0))
        ->capture_default_str();
    app->add_option("--hubble", o.hubble, "km/s/Mpc")->check(CLI::Range(1.0, 1000.0))->capture_default_str();
    app->add_option("--matter", o.matter, "Omega_m of a flat universe")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    app->add_option("--band", o.band, "band of the input: F814W, F200W ...");
    app->add_option("--unit", o.unit, "of the input's pixels, where BUNIT is missing or wrong: nJy, MJy/sr ...");
    app->add_option("--psf", o.psf, "FITS image of the PSF of a single image");
    app->add_option("--z-in", o.z_in, "redshift of a single image")->check(CLI::Range(0.0001, 20.0));
    app->add_option("--pixel-in", o.pixel_in, "arcsec, of the input; default: from its header")
        ->check(CLI::Range(0.001, 10.0));
    app->add_option("--limit", o.limit, "only the first galaxies; 0: all")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    add_common(app, o);
  };
  return make<SimulateRedshiftOptions>(
      simulate_app, "redshift", "real galaxies as they would look further away", simulate_redshift, add,
      {"simulate redshift --input ../shared/data/hst_cosmos_f814w/data/cosmos --out far --z-out 1,2,3 --fwhm-out 0.16 "
       "--noise 1",
       "simulate redshift --input ../shared/data/jwst_ceers_nircam --band F200W --unit MJy/sr --out far --z-out 2,4 "
       "--psf-out ../shared/data/jwst_ceers_nircam/psf/F444W_hybrid_30349030.fits"});
}

Command make_simulate_appearance(CLI::App& simulate_app) {
  CLI::Option* out = simulate_app.get_option("--out");
  auto add = [out](CLI::App* app, SimulateAppearanceOptions& o) {
    app->preparse_callback([out](size_t) { out->required(false); });  // that one is of `simulate` alone
    app->add_option("--input", o.input, "folder of pictures (JPEG, PNG)")->required();
    app->add_option("--out", o.out, "folder for the pictures, clean/ and appearance.csv")->required();
    app->add_option("--size", o.size, "pixels on a side of the results")
        ->check(CLI::Range(16, 512))
        ->capture_default_str();
    app->add_option("--crop", o.crop, "side of the central square that becomes these pixels; 0: the largest")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app->add_option("--channels", o.channels, "3: colours; 1: grey")
        ->check(CLI::IsMember({1, 3}))
        ->capture_default_str();
    app->add_option("--variants", o.variants, "pictures made of each")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    app->add_option("--snr", o.snr, "LOW:HIGH, of the half-light segment, uniform in the logarithm")
        ->capture_default_str();
    app->add_option("--shrink", o.shrink, "LOW:HIGH, how many times smaller")->capture_default_str();
    app->add_option("--fwhm", o.fwhm, "pixels, of the PSF laid over all; 0: none")
        ->check(CLI::Range(0.0, 20.0))
        ->capture_default_str();
    app->add_option("--correlation", o.correlation, "LOW:HIGH, of neighbouring pixels' noise")->capture_default_str();
    app->add_option("--contaminants", o.contaminants, "what lies in the way: none, stars, neighbours, trails or all")
        ->check(CLI::IsMember({"none", "stars", "neighbours", "trails", "all"}))
        ->capture_default_str();
    app->add_flag("--reframe", o.reframe, "enlarge what was shrunk, noise and all, to the size it had");
    app->add_option("--limit", o.limit, "only the first pictures; 0: all")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app->add_option("--sheet", o.sheet, "PNG to write too: eight of the pictures to look at; outside of --out");
    add_common(app, o);
  };
  return make<SimulateAppearanceOptions>(
      simulate_app, "appearance", "survey pictures made to look fainter, smaller and contaminated; no flux is meant",
      simulate_appearance, add,
      {"simulate appearance --input gz/images --crop 190 --out faint --snr 5:50 --shrink 1:3 --contaminants all"});
}

Command make_simulate_survey(CLI::App& simulate_app) {
  CLI::Option* out = simulate_app.get_option("--out");
  auto add = [out](CLI::App* app, SimulateSurveyOptions& o) {
    app->preparse_callback([out](size_t) { out->required(false); });  // that one is of `simulate` alone
    app->add_option("--out", o.out, "folder for catalog.fits, cutouts, examples.png and README.txt")->required();
    app->add_option("--data", o.data, "folder with filter curves, templates, models and PSFs")->capture_default_str();
    app->add_option("--set", o.set, "which objects")
        ->check(CLI::IsMember({"balanced", "poster", "bimodal", "stress", "little_red_dots"}))
        ->capture_default_str();
    app->add_option("--split", o.split,
                    "train, validation, test, or what no other split has: heldout, heldout_templates, "
                    "heldout_library, heldout_psf")
        ->capture_default_str();
    app->add_option("--count", o.count, "objects; 0: 1455 of the poster set, 300 of others")
        ->check(CLI::Range(0, 1000000))
        ->capture_default_str();
    app->add_option("--first", o.first, "number of the first object")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app->add_option("--threshold", o.threshold, "redshift from which on high_z begins")
        ->check(CLI::Range(1.0, 14.0))
        ->capture_default_str();
    app->add_option("--format", o.format, "fits, safetensors or none (the catalogue alone)")
        ->check(CLI::IsMember({"fits", "safetensors", "none"}))
        ->capture_default_str();
    add_common(app, o);
  };
  return make<SimulateSurveyOptions>(
      simulate_app, "survey", "a survey in seven NIRCam bands with its truth", simulate_survey, add,
      {"simulate survey --out field --set balanced --count 300 --seed 16 --data ../shared/data"});
}

}  // namespace

std::vector<Command> make_simulate(CLI::App& parent) {
  Command const alone = make_simulate_alone(parent);
  return {make_simulate_field(*alone.app), make_simulate_redshift(*alone.app), make_simulate_appearance(*alone.app),
          make_simulate_survey(*alone.app), alone};
}

}  // namespace tool
