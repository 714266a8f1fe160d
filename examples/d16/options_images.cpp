// The options of the commands for images: info, evaluate, denoise, classify, measure, run, check.
#include "options.hpp"

#include "calibrated.hpp"

namespace tool {

namespace {

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

}  // namespace

std::vector<Command> make_images(CLI::App& parent) {
  std::vector<Command> out;
  for (auto make_one : {make_info, make_evaluate, make_denoise, make_classify, make_measure, make_run})
    out.push_back(make_one(parent));
  for (Command& command : make_check(parent)) out.push_back(command);
  return out;
}

}  // namespace tool
