// The options of d16 train and d16 study.
#include "options.hpp"

#include "calibrated.hpp"
#include "cas.hpp"
#include "ood.hpp"
#include "separator.hpp"
#include "study_disk.hpp"
#include "study_highz.hpp"
#include "train_highz.hpp"

namespace tool {

namespace {

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
  app->add_option("--average", o.average,
                  "decay of the running mean of the weights that is judged and kept; 0: the weights themselves")
      ->check(CLI::Range(0.0, 0.999999))
      ->capture_default_str();
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
    app->add_option(
           "--first-stride", o.first_stride,
           "2: the first convolution of the equivariant network moves by two pixels and the first pool is left "
           "out: a quarter of the work")
        ->check(CLI::Range(1, 2))
        ->capture_default_str();
    app->add_flag("--kinds", o.kinds,
                  "spiral_* and edge_on are learned as two classes; the probability of a disk is the sum of both. "
                  "Pictures that say disk are left out");
    app->add_flag("--cross-validate", o.cross_validate,
                  "train four more with the other fifths as test sets; their scores stand in the model card");
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
    app->add_flag("--questions,!--no-questions", o.questions, "the open questions too, after the table of the plan");
    app->add_flag("--report", o.report, "train nothing: only write the report of what is there");
    add_common(app, o);
  };
  return make<StudyDiskOptions>(
      parent, "disk", "disk or elliptical: clean, noisy and denoised, every classifier on one split; can be resumed",
      study_disk, add,
      {"study disk --data gz/images --labels gz/labels.csv --out study --threads 1",
       "study disk --out study --report"});
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

}  // namespace

std::vector<Command> make_study(CLI::App& parent) {
  CLI::App* study = parent.add_subcommand("study", "compare classifiers: d16 study disk, d16 study highz");
  study->require_subcommand(1);
  return {make_study_disk(*study), make_study_highz(*study)};
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

}  // namespace tool
