// The command-line tool d16: reads the arguments, calls a subcommand, turns errors into one line and an exit code.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Validators.hpp>
#include <cstdio>
#include <functional>
#include <new>
#include <optional>
#include <stamp.hpp>

#include <d16/core/profile.hpp>

#include "calibrated.hpp"
#include "cas.hpp"
#include "cluster.hpp"
#include "commands.hpp"
#include "ood.hpp"
#include "photoz.hpp"
#include "separator.hpp"
#include "simulate_appearance.hpp"
#include "simulate_redshift.hpp"
#include "simulate_survey.hpp"
#include "study_disk.hpp"
#include "study_highz.hpp"
#include "train_highz.hpp"

namespace {

using namespace tool;

/// A subcommand under construction: its CLI11 half, and what to call when it was named.
struct Command {
  CLI::App* app;
  std::function<Json()> call;
};

/// Where a command can compute: those with networks also on a GPU, or on the emulator of one.
enum class Devices { cpu, all };

void add_common(CLI::App* app, Common& o, Devices devices = Devices::cpu) {
  app->add_option("--seed", o.seed, "start of all random numbers")->capture_default_str();
  app->add_option("--threads", o.threads, "threads; 0: one for each core. Results do not depend on it")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  std::vector<std::string> names{"cpu", "reference"};
  std::string what = "cpu (fast) or reference (plain loops in double)";
  if (devices == Devices::all) {
    names.insert(names.end(), {"cuda", "cuda_emulated"});
    what += ", cuda (a GPU) or cuda_emulated (its kernels on the cpu: slow)";
  }
  app->add_option("--device", o.device, what)->check(CLI::IsMember(names))->capture_default_str();
  app->add_flag("--profile", o.profile, "print how often each op ran and how long it took");
  app->add_flag("--json", o.json, "print the answer as one JSON object and nothing else");
}

void add_input(CLI::App* app, InputOptions& o) {
  app->add_option(
         "--input", o.input,
         "a FITS, PNG or JPEG file; a folder of them; or a folder with BAND_sci.fits files (and _err, _mask), in it "
         "or in one sub-folder for each object")
      ->required();
  app->add_option("--bands", o.bands,
                  "three bands for red, green and blue, or one: F444W,F277W,F150W. Default: chosen by "
                  "wavelength from what is there")
      ->delimiter(',')
      ->expected(1, 3);
  app->add_option("--zoom", o.zoom, "enlarges (above 1) or shrinks the galaxy in its frame")
      ->check(CLI::Range(0.1, 10.0))
      ->capture_default_str();
  add_common(app, o, Devices::all);
}

std::string examples(std::initializer_list<char const*> lines) {
  std::string out = "Examples:";
  for (char const* line : lines) out += std::string("\n  d16 ") + line;
  return out;
}

/// The options live as long as the program: CLI11 writes into them when it parses.
template <class Options, class Add> Command make(CLI::App& parent, char const* name, char const* what,
                                                 Json (*call)(Options const&), Add add,
                                                 std::initializer_list<char const*> lines) {
  auto options = std::make_shared<Options>();
  CLI::App* app = parent.add_subcommand(name, what);
  app->footer(examples(lines));
  app->set_help_flag("-h,--help", "print this help");
  add(app, *options);
  return {app, [options, call] {
            apply(*options);
            std::optional<d16::Profile> profile;
            if (options->profile) profile.emplace();
            Json answer = call(*options);
            if (profile) say(profile->table());
            return answer;
          }};
}

Command make_info(CLI::App& parent) {
  auto add = [](CLI::App* app, InfoOptions& o) {
    app->add_option(
        "FILE", o.file,
        "weights, FITS, picture, catalogue, HDF5, idx or folder; without it: this program and this machine");
    add_common(app, o);
  };
  return make<InfoOptions>(parent, "info", "what this program, this machine or a file is", info, add,
                           {"info", "info galaxy.fits", "info weights/disk.safetensors --json"});
}

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

Command make_simulate(CLI::App& parent) {
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

/// How a network is trained, of whatever kind it is.
template <class Options> void add_step(CLI::App* app, Options& o) {
  app->add_option("--precision", o.precision,
                  "float32; on a GPU also tf32, or bfloat16 for features; weights, losses and optimiser stay float32")
      ->check(CLI::IsMember({"float32", "tf32", "bfloat16"}))
      ->capture_default_str();
  app->add_option("--accumulate", o.accumulate, "batches whose mean gradient makes one step")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
}

void add_training(CLI::App* app, TrainOptions& o) {
  app->add_option("--data", o.data, "folder of images")->required();
  app->add_option("--labels", o.labels,
                  "CSV: the first column names the images, the column \"class\" has elliptical, spiral_*, "
                  "edge_on or disk; other classes are left out");
  app->add_option("--out", o.out,
                  "weights to write: NAME.safetensors; beside them NAME.md, the model card, and NAME.training/ with "
                  "log.jsonl and checkpoints")
      ->required();
  app->add_option("--widths", o.widths, "channels of the stages: 8,16,32")->delimiter(',');
  app->add_option("--size", o.size, "pixels on a side that the network sees")
      ->check(CLI::Range(16, 512))
      ->capture_default_str();
  app->add_option(
         "--crop", o.crop,
         "side of the central square that is used, in pixels; 0: 45 % of the side of large images, all of small ones")
      ->capture_default_str();
  app->add_option("--epochs", o.epochs, "passes over the training images")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app->add_option("--batch", o.batch, "images per step")->check(CLI::Range(1, 4096))->capture_default_str();
  app->add_option("--lr", o.lr, "largest learning rate")->check(CLI::PositiveNumber)->capture_default_str();
  app->add_option("--weight-decay", o.weight_decay, "of AdamW")->check(CLI::NonNegativeNumber)->capture_default_str();
  app->add_option("--minutes", o.minutes, "stop after the last epoch that fits; 0: no limit")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app->add_option("--limit", o.limit, "use the first so many images only; 0: all")->capture_default_str();
  add_step(app, o);
  app->add_flag("--resume", o.resume, "go on from the last checkpoint, in the .training folder beside --out");
  add_common(app, o, Devices::all);
}

Command make_train_disk(CLI::App& parent) {
  auto add = [](CLI::App* app, TrainOptions& o) {
    add_training(app, o);
    app->add_option("--model", o.model, "equivariant or plain")
        ->check(CLI::IsMember({"equivariant", "plain"}))
        ->capture_default_str();
    app->add_option("--group", o.group, "of the equivariant network: C4, C8, D4, D8 ...")->capture_default_str();
  };
  return make<TrainOptions>(
      parent, "disk", "a classifier: disk-like (spiral_*, edge_on) or elliptical", train_disk, add,
      {"train disk --data gz/images --labels gz/labels.csv --out weights/disk.safetensors --group D4",
       "train disk --data gz/images --labels gz/labels.csv --out plain.safetensors --model plain"});
}

Command make_train_denoise(CLI::App& parent) {
  auto add = [](CLI::App* app, TrainOptions& o) {
    add_training(app, o);
    app->add_flag("--recompute", o.recompute,
                  "keep less of each block for the way back: a third more time, less memory");
    app->add_option("--latent", o.latent, "channels of the latent grid")
        ->check(CLI::Range(1, 4096))
        ->capture_default_str();
    app->add_option("--beta", o.beta, "weight of the Kullback-Leibler term")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app->add_option("--anneal", o.denoise.anneal, "epochs in which beta grows from 0")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app->add_option("--channels", o.denoise.channels, "3: colours; 1: the mean of their light")
        ->check(CLI::IsMember({1, 3}))
        ->capture_default_str();
    auto range = [&](char const* name, std::vector<double>& value, char const* what) {
      app->add_option(name, value, what)
          ->delimiter(',')
          ->expected(2)
          ->check(CLI::Range(0.1, 10000.0))
          ->capture_default_str();
    };
    range("--snr", o.denoise.snr, "least and most S/N of the galaxies, drawn for each picture");
    range("--sharpness", o.denoise.sharpness, "least and most R_e / FWHM of the galaxies, drawn for each picture");
    app->add_option("--contaminants", o.denoise.contaminants, "what lies in the way")
        ->check(CLI::IsMember({"none", "stars", "neighbours", "trails", "all"}))
        ->capture_default_str();
    app->add_option("--loss", o.denoise.loss,
                    "bce: cross-entropy, and the variance learns from what is left; gaussian: likelihood with the "
                    "predicted variance")
        ->check(CLI::IsMember({"bce", "gaussian"}))
        ->capture_default_str();
    app->add_option("--self-supervised", o.denoise.self_supervised,
                    "noise2self: learns from noisy pictures alone, by hidden pixels; noise2noise: from pairs with "
                    "different noise; in both neighbours stay")
        ->check(CLI::IsMember({"none", "noise2self", "noise2noise"}))
        ->capture_default_str();
    app->add_option("--form", o.denoise.form,
                    "blend: the image is blended of means of the noisy one and of what is drawn; plain: all is drawn")
        ->check(CLI::IsMember({"blend", "plain"}))
        ->capture_default_str();
    app->add_option("--average", o.denoise.average,
                    "decay of the running mean of the weights that is judged and kept; 0: the weights themselves")
        ->check(CLI::Range(0.0, 0.999999))
        ->capture_default_str();
    app->add_flag("--masked", o.denoise.masked, "pixels that are white in the survey's picture teach nothing");
  };
  return make<TrainOptions>(
      parent, "denoise", "a U-Net VAE that takes noise and neighbours away", train_denoise, add,
      {"train denoise --data gz/images --labels gz/labels.csv --out weights/denoise.safetensors",
       "train denoise --data gz/images --out grey.safetensors --channels 1 --snr 3,100 --anneal 3"});
}

/// What `train highz` and `study highz` have in common.
template <class Options> void add_highz_survey(CLI::App* app, Options& o) {
  app->add_option("--data", o.data, "folder with filter curves, templates, models and PSFs")->capture_default_str();
  app->add_option("--runs", o.runs, "independent runs")->check(CLI::Range(1, 1000))->capture_default_str();
  app->add_option("--epochs", o.epochs, "of networks")->check(CLI::Range(1, 10000))->capture_default_str();
  app->add_option("--batch", o.batch, "of networks")->check(CLI::Range(2, 4096))->capture_default_str();
  app->add_option("--side", o.side, "pixels of the middle that networks see")
      ->check(CLI::Range(32, 64))
      ->capture_default_str();
  app->add_option("--validation", o.validation, "objects that choose epochs, temperatures and thresholds")
      ->check(CLI::Range(30, 1000000))
      ->capture_default_str();
  app->add_option("--test", o.test, "objects of the test set")->check(CLI::Range(30, 1000000))->capture_default_str();
  app->add_option("--threshold", o.threshold, "redshift from which on high_z begins")
      ->check(CLI::Range(1.0, 14.0))
      ->capture_default_str();
  add_common(app, o, Devices::all);
}

Command make_train_highz(CLI::App& parent) {
  auto add = [](CLI::App* app, TrainHighzOptions& o) {
    app->add_option("--out", o.out, "weights to write: NAME.safetensors for networks, NAME.json for trees")->required();
    app->add_option("--variant", o.variant, "which classifier: docs/highz.md lists them")->capture_default_str();
    app->add_option("--set", o.set, "of the simulated survey to train on")
        ->check(CLI::IsMember({"balanced", "poster"}))
        ->capture_default_str();
    app->add_option("--count", o.count, "training objects; 0: 9000 of the balanced set, 1455 of the poster's")
        ->check(CLI::Range(0, 1000000))
        ->capture_default_str();
    add_step(app, o);
    add_highz_survey(app, o);
  };
  return make<TrainHighzOptions>(
      parent, "highz", "low-z, high-z or brown dwarf, on a simulated survey; resumes what was interrupted", train_highz,
      add, {"train highz --data ../shared/data --out highz.json --variant trees-size --runs 3"});
}

Command make_study_highz(CLI::App& parent) {
  auto add = [](CLI::App* app, StudyHighzOptions& o) {
    app->add_option("--out", o.out, "folder for results.jsonl, report.md, report.html and pictures")->required();
    app->add_option("--only", o.only, "one variant; default: all");
    app->add_option("--minutes", o.minutes, "begin no run after so many; 0: no limit")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app->add_option("--train", o.train, "training objects")->check(CLI::Range(30, 1000000))->capture_default_str();
    app->add_option("--extra", o.extra, "objects of each further part: held out, bimodal, little red dots, stress")
        ->check(CLI::Range(30, 1000000))
        ->capture_default_str();
    add_highz_survey(app, o);
  };
  return make<StudyHighzOptions>(
      parent, "highz", "every classifier of the seven-band system on one split; goes on where it was interrupted",
      study_highz, add, {"study highz --data ../shared/data --out study"});
}

Command make_study_disk(CLI::App& parent) {
  auto add = [](CLI::App* app, StudyDiskOptions& o) {
    app->add_option("--out", o.out, "folder for results.jsonl, report.md, report.html and pictures")->required();
    app->add_option("--data", o.data, "folder of pictures; not needed where --out has them already");
    app->add_option("--labels", o.labels, "CSV with the class of each: elliptical, spiral, edge_on, merger");
    app->add_option("--only", o.only, "MODEL or MODEL/REGIME, as d16 or cnn/b; default: everything");
    app->add_option("--seeds", o.seeds, "of the two classifiers with all regimes; of the others three at most")
        ->check(CLI::Range(1, 100))
        ->capture_default_str();
    app->add_option("--denoiser", o.denoiser, "weights of one channel that the denoiser's training begins with");
    app->add_option("--shared", o.shared, "folder with jwst_ceers_nircam, for real galaxies made fainter")
        ->capture_default_str();
    app->add_option("--epochs", o.epochs, "of classifiers")->check(CLI::Range(1, 1000))->capture_default_str();
    app->add_option("--tune-epochs", o.tune_epochs, "of classifiers, for each learning rate tried")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    app->add_option("--denoiser-epochs", o.denoiser_epochs, "of the denoiser; 0: --denoiser as it is")
        ->check(CLI::Range(0, 1000))
        ->capture_default_str();
    app->add_option("--batch", o.batch, "pictures of a step")->check(CLI::Range(2, 4096))->capture_default_str();
    app->add_option("--limit", o.limit, "use so many pictures; 0: all")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app->add_option("--minutes", o.minutes, "begin no unit after so many; 0: no limit")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app->add_flag("--report", o.report, "train nothing: only write the report of what is there");
    add_common(app, o);
  };
  return make<StudyDiskOptions>(
      parent, "disk", "disk or elliptical: clean, noisy and denoised, every classifier on one split; can be resumed",
      study_disk, add,
      {"study disk --data gz/images --labels gz/labels.csv --out study --threads 1",
       "study disk --out study --report"});
}

std::vector<Command> make_study(CLI::App& parent) {
  CLI::App* study = parent.add_subcommand("study", "compare classifiers: d16 study disk, d16 study highz");
  study->require_subcommand(1);
  return {make_study_disk(*study), make_study_highz(*study)};
}

Command make_train_cas(CLI::App& parent) {
  auto add = [](CLI::App* app, TrainCasOptions& o) {
    app->add_option("--data", o.data, "folder with aggregated_classifications.csv and morphology_morfometryka.csv")
        ->required();
    app->add_option("--out", o.out, "forest to write: NAME.json")->required();
    app->add_option("--trees", o.trees, "how many")->check(CLI::Range(1, 10000))->capture_default_str();
    app->add_option("--leaf", o.leaf, "galaxies in a leaf, at least")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    add_common(app, o);
  };
  return make<TrainCasOptions>(parent, "cas", "p_disk_cas: a disk or not by C, A, Gini, M20, n and q", train_cas, add,
                               {"train cas --data ../shared/data/ceers_epochs_morphology --out weights/cas.json"});
}

Command make_train_calibration(CLI::App& parent) {
  auto add = [](CLI::App* app, TrainCalibrationOptions& o) {
    app->add_option("--weights", o.weights, "the classifier that it is for")->required();
    app->add_option("--denoiser", o.denoiser, "the denoiser that it will stand behind")->required();
    app->add_option("--data", o.data, "folder of the images that it was trained on")->required();
    app->add_option("--labels", o.labels, "CSV as for training")->required();
    app->add_option("--out", o.out, "the same weights, calibrated: NAME.safetensors, may be --weights itself")
        ->required();
    app->add_option("--pictures", o.pictures, "simulated pictures for the curves, at least")
        ->check(CLI::Range(1, 10000000))
        ->capture_default_str();
    app->add_option("--limit", o.limit, "use the first so many images only; 0: all")->capture_default_str();
    add_common(app, o, Devices::all);
  };
  return make<TrainCalibrationOptions>(
      parent, "calibration", "p_disk_cal, and how pure and complete disks are among simulated pictures",
      train_calibration, add,
      {"train calibration --weights weights/disk.safetensors --denoiser weights/denoise.safetensors --data gz/images "
       "--labels gz/labels.csv --out weights/disk.safetensors"});
}

Command make_train_ood(CLI::App& parent) {
  auto add = [](CLI::App* app, TrainOodOptions& o) {
    app->add_option("--weights", o.weights, "the classifier that it is for")->required();
    app->add_option("--data", o.data, "folder of the images that it was trained on")->required();
    app->add_option("--labels", o.labels, "CSV as for training");
    app->add_option("--out", o.out,
                    "features and distances to write: beside the weights NAME.ood.safetensors, where d16 run finds it")
        ->required();
    app->add_option("--outliers", o.outliers,
                    "folders of objects that are told from the test set, and choose nothing: cutouts of other surveys")
        ->delimiter(',');
    add_common(app, o);
  };
  return make<TrainOodOptions>(parent, "ood", "p_ood: how far an object lies from the training set", train_ood, add,
                               {"train ood --weights weights/disk.safetensors --data gz/images --labels gz/labels.csv "
                                "--out weights/disk.ood.safetensors"});
}

/// What the commands that read a catalogue in any bands share.
void add_photometry(CLI::App* app, PhotometryOptions& o) {
  app->add_option("--catalog", o.catalog, "FITS, CSV or blank-separated table with fluxes and errors in bands")
      ->required();
  app->add_option("--bands", o.bands,
                  "of the catalogue to use: F115W,F150W ...; default: all that there are filters for")
      ->delimiter(',');
  app->add_option("--unit", o.unit, "of the fluxes, whatever the file says: nJy, \"10 nJy\", uJy ...");
  app->add_option("--aperture", o.aperture, "of columns such as F444W_CIRC1: CIRC1, CIRC2, KRON ...");
  app->add_option("--data", o.data, "folder with filter curves, templates and models")->capture_default_str();
  app->add_option("--filters", o.filters, "filter curves in EAZY's format; default: those of NIRCam in --data");
  app->add_option("--passbands", o.passbands,
                  "CSV band,pivot,width in Angstrom: filters approximated as top hats, and said to be");
  app->add_option("--redshift", o.redshift, "column of true redshifts to judge by; default: z_spec or TRUE_Z if there");
  app->add_option("--size", o.size, "column of radii; default: flux_radius, F444W_RHALF, half_light if there");
}

Command make_train_separator(CLI::App& parent) {
  auto add = [](CLI::App* app, TrainSeparatorOptions& o) {
    add_photometry(app, o.photometry);
    app->add_option("--out", o.out, "weights to write: NAME.json")->required();
    app->add_option(
        "--library", o.libraries,
        "NAME=FILE.csv: a further class, a row for each model, a column of fluxes for each band (stars, white "
        "dwarfs ...); may be given several times");
    app->add_option("--templates", o.templates, "of galaxies: jades, larson, fsps, eazy or folders")
        ->delimiter(',')
        ->capture_default_str();
    app->add_option("--test-templates", o.test_templates, "of galaxies that only the test sees")
        ->delimiter(',')
        ->capture_default_str();
    app->add_option("--dust", o.dust, "A_V that each template is taken with")->delimiter(',')->capture_default_str();
    app->add_option("--dwarfs", o.dwarfs, "CSV of brown-dwarf models; default: that of --data");
    app->add_option("--heldout", o.heldout, "library of them that only the test sees")->capture_default_str();
    app->add_option("--count", o.count, "objects to train on")->check(CLI::Range(200, 10000000))->capture_default_str();
    app->add_option("--rounds", o.rounds, "of boosting, at most")->check(CLI::Range(1, 100000))->capture_default_str();
    app->add_option("--depth", o.depth, "of the trees; 1: stumps")->check(CLI::Range(1, 12))->capture_default_str();
    add_common(app, o);
  };
  return make<TrainSeparatorOptions>(
      parent, "separator",
      "stars, brown dwarfs and galaxies by their colours, for the filters and errors of a catalogue", train_separator,
      add,
      {"train separator --catalog jades.fits --out separator.json --data ../shared/data",
       "train separator --catalog jades.fits --library star=stars.csv --out separator.json"});
}

std::vector<Command> make_train(CLI::App& parent) {
  CLI::App* train =
      parent.add_subcommand("train", "train: d16 train disk, denoise, highz, cas, calibration, ood or separator");
  train->require_subcommand(1);
  train->footer(
      "disk, denoise: fields with crc32(objid >> 16) % 5 = 0 are the test set and never seen, those with 1 choose the "
      "best epoch.");
  return {make_train_disk(*train),     make_train_denoise(*train),     make_train_highz(*train),
          make_train_cas(*train),      make_train_calibration(*train), make_train_ood(*train),
          make_train_separator(*train)};
}

Command make_evaluate(CLI::App& parent) {
  auto add = [](CLI::App* app, EvaluateOptions& o) {
    app->add_option("--weights", o.weights, "weights to judge; of several denoisers (a,b,c) the ensemble")
        ->delimiter(',')
        ->required();
    app->add_option("--data", o.data, "folder of images")->required();
    app->add_option("--labels", o.labels, "CSV as for training; needed for a classifier");
    app->add_option("--against", o.against,
                    "other weights for the same job: of a classifier the paired difference of the scores, of a "
                    "denoiser its own row");
    app->add_flag("--uncertainty", o.uncertainty,
                  "of a denoiser: do 68 and 95 % intervals hold so many of the errors?");
    app->add_option("--limit", o.limit, "use the first so many images only; 0: all")->capture_default_str();
    add_common(app, o, Devices::all);
  };
  return make<EvaluateOptions>(parent, "evaluate", "scores of weights on the test split, with bootstrap errors",
                               evaluate, add,
                               {"evaluate --weights weights/disk.safetensors --data gz/images --labels gz/labels.csv",
                                "evaluate --weights weights/denoise.safetensors --data gz/images --json",
                                "evaluate --weights grey.safetensors --data gz/images --uncertainty"});
}

Command make_denoise(CLI::App& parent) {
  auto add = [](CLI::App* app, DenoiseOptions& o) {
    app->add_option("--weights", o.weights,
                    "a denoiser, or several (a,b,c) whose mean is taken; default: denoise.safetensors of this program")
        ->delimiter(',');
    app->add_option("--out", o.out, "folder for the denoised images")->required();
    add_input(app, o);
  };
  return make<DenoiseOptions>(parent, "denoise", "images without noise and neighbours: FITS for FITS, PNG for pictures",
                              denoise, add, {"denoise --input cutouts --out clean"});
}

void add_highz(CLI::App* app, HighzChoices& h) {
  auto add = [&](char const* name, auto& value, char const* what) {
    return app->add_option(name, value, what)->group("For --system highz");
  };
  add("--cutouts", h.cutouts, "folder with the cutouts of a catalogue's rows, named by their ids");
  add("--trees", h.trees, "trees for rows with fluxes only; default: highz.json of this program");
  add("--prior", h.prior,
      "class frequencies of low-z, high-z, brown dwarf for the probabilities; the classes stay; default: those of the "
      "weights")
      ->delimiter(',')
      ->expected(3);
  add("--threshold", h.thresholds,
      "probabilities, at --prior, that make a high-z, a brown dwarf; default: those of the weights, at their own "
      "frequencies")
      ->delimiter(',')
      ->expected(2);
  add("--unit", h.unit, "of a catalogue's fluxes, whatever the file says: nJy, \"10 nJy\", uJy ...");
  add("--aperture", h.aperture, "of columns such as F444W_CIRC1: CIRC1, CIRC2, KRON ...");
  add("--pixel-unit", h.pixel_unit, "of the cutouts, whatever BUNIT says: nJy, MJy/sr ...");
  add("--pixel-scale", h.pixel_arcsec, "arcsec on a side of a pixel, whatever the headers say")
      ->check(CLI::Range(0.001, 10.0));
}

Command make_classify(CLI::App& parent) {
  auto add = [](CLI::App* app, ClassifyOptions& o) {
    app->add_option("--system", o.system,
                    "disk: disk or not, from pictures; highz: low-z, high-z or brown dwarf, from cutouts in the seven "
                    "wide NIRCam bands or a catalogue of fluxes (docs/highz-catalogue.md)")
        ->check(CLI::IsMember({"disk", "highz"}))
        ->capture_default_str();
    app->add_option("--weights", o.weights, "a classifier; default: that of this program for the system");
    app->add_option("--out", o.out, "catalogue to write: .csv or .fits; highz: or a folder for both and a report")
        ->required();
    add_input(app, o);
    add_highz(app, o.highz);
  };
  return make<ClassifyOptions>(
      parent, "classify", "the probability of a disk, or of low-z, high-z and brown dwarf", classify, add,
      {"classify --input cutouts --out catalog.fits", "classify --input galaxy.jpg --out one.csv",
       "classify --system highz --input survey --out results",
       "classify --system highz --input jades.fits --aperture CIRC2 --out catalog.fits"});
}

Command make_run(CLI::App& parent) {
  auto add = [](CLI::App* app, RunOptions& o) {
    app->add_option("--out", o.out, "folder for catalog.csv, catalog.fits and report.html")->required();
    app->add_option("--denoiser", o.denoiser, "default: denoise.safetensors of this program");
    app->add_option("--classifier", o.classifiers,
                    "default: disk.safetensors of this program; several, trained from other seeds: the first decides, "
                    "their spread is p_err_seed")
        ->delimiter(',');
    app->add_flag("--raw", o.raw, "p_disk from the raw image; default: from the denoised one");
    add_input(app, o);
    app->get_option("--input")->required(false);
    app->add_option("--catalog", o.catalog, "FITS or CSV with id, for --mosaic also ra and dec: its columns are kept");
    app->add_option("--mosaic", o.mosaic,
                    "a FITS mosaic, or a folder of them, instead of --input: cut around --catalog");
    app->add_option("--side", o.side, "arcsec of such a cutout")->check(CLI::Range(0.5, 120.0))->capture_default_str();
    app->add_option("--psf", o.psf, "FITS file of the PSF, or a folder with one for each band");
    app->add_option("--forest", o.forest, "trees for p_disk_cas; default: cas.json of this program");
    app->add_option("--pixscale", o.pixscale, "arcsec of a pixel, whatever headers say: 0.04 or F277W=0.04,F115W=0.02")
        ->delimiter(',');
    app->add_option("--prior", o.prior,
                    "how frequent disks are, for p_disk_cal; default: as among the validation pictures")
        ->check(CLI::Range(0.001, 0.999));
    app->add_option(
           "--purity", o.purity,
           "mark in_sample: p_disk_cal above the threshold that makes validation pictures so pure, such as 0.9")
        ->check(CLI::Range(0.0, 1.0));
    app->add_flag("--no-errors", o.no_errors, "leave out p_err_posterior and p_err_orbit, which take most of the time");
    app->add_option(
        "--truth", o.truth,
        "column of --catalog with the true class (elliptical, disk, spiral, edge_on): the report scores, and "
        "shows the clean images that d16 simulate left");
    app->add_option("--fade", o.fade, "make so many objects fainter in the report: p against S/N")
        ->check(CLI::Range(0, 100));
    app->add_flag("--images", o.images, "write denoised/ID.fits: SCI, ERR, DENOISED, STD, RESID_SIGMA, MASK");
  };
  return make<RunOptions>(
      parent, "run", "the whole job: denoise, classify, catalogue, report", run, add,
      {"run --input cutouts --out results", "run --input jwst --out results --bands F444W,F277W,F150W",
       "run --mosaic images --catalog sources.fits --out results --purity 0.9 --images",
       "run --input field --catalog field/truth.csv --truth class --out results"});
}

Command make_measure(CLI::App& parent) {
  auto add = [](CLI::App* app, MeasureOptions& o) {
    app->add_option("--input", o.input, "cutouts, as for d16 run; their _seg and _psf files are used")->required();
    app->add_option("--out", o.out, "catalogue to write: .csv or .fits")->required();
    app->add_option("--bands", o.bands, "the band to measure; default: F277W, or else the reddest")->expected(1);
    app->add_option("--psf", o.psf, "FITS file of the PSF, or a folder with one for each band");
    app->add_option("--forest", o.forest, "trees for p_disk_cas; default: cas.json of this program");
    app->add_option("--pixscale", o.pixscale, "arcsec of a pixel, whatever headers say: 0.04 or F277W=0.04,F115W=0.02")
        ->delimiter(',');
    app->add_flag("--no-fit", o.no_fit, "leave out the Sersic fit, which takes most of the time");
    add_common(app, o);
  };
  return make<MeasureOptions>(parent, "measure",
                              "shapes: radii, concentration, asymmetry, smoothness, Gini, M20, Sersic fit, p_disk_cas",
                              measure, add, {"measure --input cutouts --out shapes.fits"});
}

Command make_check_equivariance(CLI::App& parent) {
  auto add = [](CLI::App* app, CheckOptions& o) {
    app->add_option("--weights", o.weights, "the network to check")->required();
    app->add_option("--input", o.input,
                    "a galaxy: FITS, PNG or JPEG, or a folder, whose first object is taken. Default: a smooth test "
                    "picture, drawn anew for each angle from --seed");
    app->add_option("--size", o.size, "pixels on a side of the picture; default: as the network was trained")
        ->check(CLI::Range(8, 1024));
    app->add_option("--out", o.out, "folder for report.html: filters, feature maps, errors as tables and plots");
    add_common(app, o, Devices::all);
  };
  return make<CheckOptions>(parent, "equivariance",
                            "how far f(g x) is from g f(x): each layer, each element of the group, angles in between",
                            check_equivariance, add,
                            {"check equivariance --weights weights/disk.safetensors --size 65",
                             "check equivariance --weights weights/disk.safetensors --input galaxy.jpg --out report"});
}

std::vector<Command> make_check(CLI::App& parent) {
  CLI::App* check = parent.add_subcommand("check", "measure what a network promises: d16 check equivariance");
  check->require_subcommand(1);
  return {make_check_equivariance(*check)};
}

Command make_photoz(CLI::App& parent) {
  auto add = [](CLI::App* app, PhotozOptions& o) {
    add_photometry(app, o.photometry);
    app->add_option("--out", o.out, "catalogue to write: .fits or .csv")->required();
    app->add_option("--pdf", o.pdf, "FITS file for P(z) of each row");
    app->add_option("--report", o.report, "HTML page with scores, cuts and plots");
    app->add_option("--templates", o.templates, "jades, larson, fsps, eazy, or folders of *.sed, *.dat")
        ->delimiter(',')
        ->capture_default_str();
    app->add_option("--dust", o.dust, "A_V that each template is taken with: 0,1,2")
        ->delimiter(',')
        ->check(CLI::Range(0.0, 10.0))
        ->capture_default_str();
    app->add_option("--z-min", o.least_z, "least redshift")->check(CLI::Range(0.0, 25.0))->capture_default_str();
    app->add_option("--z-max", o.most_z, "largest redshift")->check(CLI::Range(0.0, 25.0))->capture_default_str();
    app->add_option("--z-step", o.step, "of ln(1 + z), a multiple of 0.002")
        ->check(CLI::Range(0.002, 0.5))
        ->capture_default_str();
    app->add_option("--template-error", o.template_error, "relative, in all bands")
        ->check(CLI::Range(0.0, 10.0))
        ->capture_default_str();
    app->add_option("--error-curve", o.error_curve,
                    "relative error over rest wavelength, two columns, added in squares: TEMPLATE_ERROR.eazy_v1.0");
    app->add_option("--error-scale", o.error_scale, "of that curve")
        ->check(CLI::Range(0.0, 10.0))
        ->capture_default_str();
    app->add_option("--prior", o.prior, "p(z) for each magnitude, as EAZY has it: prior_F160W_TAO.dat; default: flat");
    app->add_option("--prior-band", o.prior_band, "band of the catalogue whose magnitudes these are; mind --unit");
    app->add_option("--dwarfs", o.dwarfs, "CSV of brown-dwarf models, a column for each band; none: no comparison");
    app->add_flag("--cuts", o.cuts, "apply the quality cuts (docs/photoz.md) and count what each takes");
    app->add_option("--least-size", o.least_size, "radius that a real source has at least, in the unit of its column");
    app->add_option("--bimodal", o.bimodal, "share of the first mode's probability that makes a second one count")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    add_common(app, o);
  };
  return make<PhotozOptions>(
      parent, "photoz", "photometric redshifts with P(z), quality cuts, and chi2 against brown dwarfs", photoz, add,
      {"photoz --catalog jades.fits --aperture CIRC2 --out z.fits --cuts --report z.html",
       "photoz --catalog hdfn_fs99_eazy.cat --passbands docs/passbands/hdfn.csv --templates eazy --out z.fits"});
}

Command make_separate(CLI::App& parent) {
  auto add = [](CLI::App* app, SeparateOptions& o) {
    add_photometry(app, o.photometry);
    app->add_option("--weights", o.weights, "a separator of d16 train separator")->required();
    app->add_option("--out", o.out, "catalogue to write: .fits or .csv")->required();
    app->add_option("--prior", o.prior, "frequencies of the classes, in their order; default: equal")->delimiter(',');
    app->add_option("--compact", o.compact, "F(0.32 arcsec) / F(0.16 arcsec) below which a source is called compact")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    add_common(app, o);
  };
  return make<SeparateOptions>(parent, "separate", "stars, brown dwarfs and galaxies by their colours", separate, add,
                               {"separate --catalog jades.fits --weights separator.json --out classes.fits"});
}

Command make_cluster(CLI::App& parent) {
  auto add = [](CLI::App* app, ClusterOptions& o) {
    add_photometry(app, o.photometry);
    app->add_option("--out", o.out, "folder for catalog.fits, report.html and the maps as PNG")->required();
    app->add_option("--features", o.features, "magnitudes, size, colours")
        ->delimiter(',')
        ->check(CLI::IsMember({"magnitudes", "size", "colours"}))
        ->capture_default_str();
    app->add_option("--columns", o.columns, "columns of the catalogue to cluster in place of its photometry")
        ->delimiter(',');
    app->add_option("--min-snr", o.min_snr, "leave out rows whose bands together have less")
        ->check(CLI::NonNegativeNumber);
    app->add_flag("--sound", o.sound, "only rows that pass the cuts of d16 photoz --cuts");
    app->add_option("--limit", o.limit, "use so many rows, evenly spread; 0: all")->check(CLI::NonNegativeNumber);
    app->add_option("--perplexity", o.perplexity, "of t-SNE: neighbours that count, about")
        ->check(CLI::Range(2.0, 1000.0))
        ->capture_default_str();
    app->add_option("--iterations", o.iterations, "of t-SNE after the first 250")
        ->check(CLI::Range(50, 100000))
        ->capture_default_str();
    app->add_option("--min-cluster", o.min_cluster, "rows of the smallest cluster; 0: a hundredth of all, 10 at least")
        ->check(CLI::NonNegativeNumber);
    app->add_option("--trees", o.trees, "of the forests")->check(CLI::Range(10, 10000))->capture_default_str();
    app->add_option("--z-edges", o.z_edges, "between the bins of redshift that are scored")
        ->delimiter(',')
        ->capture_default_str();
    app->add_option("--label", o.label, "column of labels to classify, five-fold");
    app->add_option("--positive", o.positive, "the label that is looked for")->capture_default_str();
    app->add_option("--negative", o.negatives, "labels it is told from; default: all others")->delimiter(',');
    app->add_option("--confident", o.confident, "column that marks labels as certain (true, 1)");
    app->add_option("--join", o.join.table, "CSV with more columns for the same --key");
    app->add_option("--key", o.join.key, "column that both tables have");
    app->add_option("--match", o.join.match, "CSV with ra and dec: columns of the nearest place");
    app->add_option("--within", o.join.within, "arcsec, for --match")
        ->check(CLI::Range(0.001, 60.0))
        ->capture_default_str();
    app->add_option("--where", o.join.where, "COLUMN=VALUE: rows of --match that may be partners");
    add_common(app, o, Devices::all);
  };
  return make<ClusterOptions>(
      parent, "cluster", "t-SNE, HDBSCAN and forests on magnitudes, radii and colours, or on any columns", cluster, add,
      {"cluster --catalog z.fits --out clusters --redshift z_a",
       "cluster --catalog morphology.csv --columns C1,C2,A0,S3,G,M20 --label class --positive disk --out clusters"});
}

std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\n' || c == '\r') c = ' ';
  return text;
}

int fail(int code, std::string const& message) {
  std::fflush(stdout);
  std::fprintf(stderr, "d16: error: %s\n", one_line(message).c_str());
  return code;
}

int usage_error(CLI::App const& app, CLI::ParseError const& error) {
  std::string command = "d16";
  for (CLI::App const* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands()[0];
    command += " " + at->get_name();
  }
  return fail(2, std::string(error.what()) + "; see " + command + " --help");
}

int dispatch(std::vector<Command> const& commands) {
  for (Command const& command : commands) {
    if (!command.app->parsed()) continue;
    Json answer = command.call();
    bool json = command.app->get_option("--json")->as<bool>();
    if (json) std::printf("%s\n", answer.dump(2).c_str());
    bool written = std::fflush(stdout) == 0 && !std::ferror(stdout);
    return written ? 0 : fail(1, "standard output: cannot write; free some space or redirect it elsewhere");
  }
  return 0;
}

int guarded_main(int argc, char** argv) {
  CLI::App app("d16: denoises galaxy images and tells disks from ellipticals", "d16");
  app.set_version_flag("--version", std::string("d16 ") + d16::stamp::version + " (" + d16::stamp::commit + ")");
  app.set_help_flag("-h,--help", "print this help");
  app.require_subcommand(1);
  app.footer("d16 COMMAND --help says more and shows examples. The main job: d16 run --input CUTOUTS --out RESULTS");
  Command simulate_command = make_simulate(app);
  std::vector<Command> commands{make_info(app),
                                make_simulate_field(*simulate_command.app),
                                make_simulate_redshift(*simulate_command.app),
                                make_simulate_appearance(*simulate_command.app),
                                make_simulate_survey(*simulate_command.app),
                                simulate_command};
  for (Command& command : make_train(app)) commands.push_back(command);
  for (auto make_one : {make_evaluate, make_denoise, make_classify, make_measure, make_run})
    commands.push_back(make_one(app));
  for (auto make_one : {make_photoz, make_separate, make_cluster}) commands.push_back(make_one(app));
  for (Command& command : make_check(app)) commands.push_back(command);
  for (Command& command : make_study(app)) commands.push_back(command);
  try {
    app.parse(argc, argv);
  } catch (CLI::ParseError const& error) {
    return error.get_exit_code() == 0 ? app.exit(error) : usage_error(app, error);
  }
  return dispatch(commands);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    remember_command_line(argc, argv);
    catch_signals();
    return guarded_main(argc, argv);
  } catch (Interrupted const&) {
    return fail(130, "interrupted; nothing was written");
  } catch (std::bad_alloc const&) {
    return fail(1, "out of memory; use fewer or smaller images");
  } catch (std::exception const& error) {
    return fail(1, error.what());
  } catch (...) {
    return fail(1, "an unknown error; please report it with the command");
  }
}
