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

#include "commands.hpp"
#include "simulate_survey.hpp"
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
    app->add_option("FILE", o.file, "weights, FITS, picture or catalogue; without it: this program and this machine");
    add_common(app, o);
  };
  return make<InfoOptions>(parent, "info", "what this program, this machine or a file is", info, add,
                           {"info", "info galaxy.fits", "info weights/disk.safetensors --json"});
}

Command make_simulate(CLI::App& parent) {
  auto add = [](CLI::App* app, SimulateOptions& o) {
    app->add_option("--out", o.out, "folder for the images, clean/ and truth.csv")->required();
    app->add_option("--count", o.count, "galaxies")->check(CLI::Range(1, 1000000))->capture_default_str();
    app->add_option("--size", o.size, "pixels on a side")->check(CLI::Range(8, 1024))->capture_default_str();
    app->add_option("--format", o.format, "fits (three bands, units, noise in ERR) or png (stretched)")
        ->check(CLI::IsMember({"fits", "png"}))
        ->capture_default_str();
    add_common(app, o);
  };
  return make<SimulateOptions>(
      parent, "simulate", "galaxies with noise and one to three contaminants, and their truth", simulate, add,
      {"simulate --out field --count 24 --seed 16", "simulate --out pictures --count 100 --format png --size 128"});
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
  };
  return make<TrainOptions>(
      parent, "denoise", "a U-Net VAE that takes noise and neighbours away", train_denoise, add,
      {"train denoise --data gz/images --labels gz/labels.csv --out weights/denoise.safetensors"});
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

std::vector<Command> make_study(CLI::App& parent) {
  CLI::App* study = parent.add_subcommand("study", "compare classifiers: d16 study highz");
  study->require_subcommand(1);
  return {make_study_highz(*study)};
}

std::vector<Command> make_train(CLI::App& parent) {
  CLI::App* train = parent.add_subcommand("train", "train: d16 train disk, d16 train denoise, d16 train highz");
  train->require_subcommand(1);
  train->footer(
      "disk, denoise: fields with crc32(objid >> 16) % 5 = 0 are the test set and never seen, those with 1 choose the "
      "best epoch.");
  return {make_train_disk(*train), make_train_denoise(*train), make_train_highz(*train)};
}

Command make_evaluate(CLI::App& parent) {
  auto add = [](CLI::App* app, EvaluateOptions& o) {
    app->add_option("--weights", o.weights, "weights to judge")->required();
    app->add_option("--data", o.data, "folder of images")->required();
    app->add_option("--labels", o.labels, "CSV as for training; needed for a classifier");
    app->add_option("--against", o.against, "other weights of a classifier: the difference of the scores, paired");
    app->add_option("--limit", o.limit, "use the first so many images only; 0: all")->capture_default_str();
    add_common(app, o, Devices::all);
  };
  return make<EvaluateOptions>(parent, "evaluate", "scores of weights on the test split, with bootstrap errors",
                               evaluate, add,
                               {"evaluate --weights weights/disk.safetensors --data gz/images --labels gz/labels.csv",
                                "evaluate --weights weights/denoise.safetensors --data gz/images --json"});
}

Command make_denoise(CLI::App& parent) {
  auto add = [](CLI::App* app, DenoiseOptions& o) {
    app->add_option("--weights", o.weights, "a denoiser; default: denoise.safetensors of this program");
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
    app->add_option("--classifier", o.classifier, "default: disk.safetensors of this program");
    app->add_flag("--raw", o.raw, "p_disk from the raw image; default: from the denoised one");
    add_input(app, o);
  };
  return make<RunOptions>(
      parent, "run", "the whole job: denoise, classify, catalogue, report", run, add,
      {"run --input cutouts --out results", "run --input jwst --out results --bands F444W,F277W,F150W"});
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
  std::vector<Command> commands{make_info(app), make_simulate_survey(*simulate_command.app), simulate_command};
  for (Command& command : make_train(app)) commands.push_back(command);
  for (auto make_one : {make_evaluate, make_denoise, make_classify, make_run}) commands.push_back(make_one(app));
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
