// The report of `d16 study disk`: the tables of its plan in report.md, plots and pictures in report.html.
#include <stamp.hpp>

#include <set>

#include <d16/io/atomic_file.hpp>
#include <d16/io/html.hpp>

#include "study_disk_checks.hpp"
#include "study_disk_figures.hpp"
#include "study_disk_galaxies.hpp"

namespace tool {

using d16::text;
namespace html = d16::io::html;
namespace io = d16::io;

namespace {

constexpr size_t errors_shown = 24;

// --- words of both -------------------------------------------------------------------------------------------------------

constexpr char const* what_is_real =
    "SIMULATED: noise, PSF, contaminants, spheroids, stars and arms, at the level of appearance, and the galaxies of "
    "the exposure test. REAL: the galaxies of Galaxy Zoo and the six of CEERS. Labels mean featured or edge-on "
    "against smooth.";
constexpr char const* no_redshifts = "No redshifts are known for these pictures, so nothing is shown by z.";
constexpr char const* regimes_text =
    "(a) trained clean, tested noisy; (b) trained and tested noisy; (c) trained clean, tested denoised; (d) trained "
    "and tested denoised; (e) noisy and denoised as two channels.";
constexpr char const* errors_text =
    "D16, order 16, first seed: the most confident wrong answers of regime b at S/N 15 and more, one level of each "
    "galaxy. p is calibrated; d and e say how the other two regimes answered.";
constexpr char const* fading_text =
    "Six galaxies of JWST (CEERS, F277W), D16 of order 16: mean p of a disk ± standard deviation over seeds and "
    "three realisations of the noise, which is as correlated as measured. By eye, 13347 and 6978 are disks, 10766 is "
    "a spheroid with an edge-on neighbour, 40 is lenticular, 6414 compact, 10735 disturbed.";
constexpr char const* reliability_text =
    "First seed, all levels together, bins of 0.1. Pictures of one galaxy or one sky field are not independent: the "
    "Wilson intervals take n² / Σ n_f² for n, with n_f pictures of field f in the bin.";

/// "11,535 test pictures of 769 galaxies ...".
std::string counted(DiskStudy& study) {
  int64_t pictures = 0, disks = 0, galaxies = study.data.pictures(0);
  for (std::string const& part : disk_ladder()) pictures += int64_t(study.truth(part).label.size());
  for (int64_t label : study.truth(disk_ladder()[0]).label) disks += label;
  return text(html::count(pictures), " test pictures of ", html::count(galaxies), " galaxies (", disks, " disks, ",
              galaxies - disks, " ellipticals), each at ", disk_ladder().size(), " levels of S/N and R_e/FWHM.");
}

/// Of the units that were run.
int64_t epochs_run(DiskStudy const& study, std::string const& kind, int64_t otherwise) {
  for (Json const& line : study.lines)
    if (line.string("kind") == kind) return line.integer("epochs");
  return otherwise;
}

std::string method_text(DiskStudy& study) {
  StudyDiskOptions const& o = study.options;
  return text(
      "**What was changed since.** The denoiser was replaced by a better one before any classifier had seen a "
      "denoised picture. Then a review found that the first runs (three seeds of two classifiers, in which d and b "
      "differed by less than 0.012 in balanced accuracy) were not what the plan says: the denoiser had never seen "
      "pictures enlarged as these are; \"another PSF\" was as wide as the usual one in the end; a disk with arms and "
      "the same without had different noise; the noise of the CEERS galaxies was as correlated as their light. All "
      "of that was mended. Then the study was run whole, and a review of it found that galaxies were enlarged, noise "
      "and all, as much as they had been reduced: the grain of the noise told their size, and with it their class; and "
      "that no training saw a satellite trail. Now all galaxies of a level are enlarged alike, training has trails, "
      "and everything was trained anew on such pictures, except the classifiers of a and c, which see clean ones; what "
      "the flawed run found stands in the plan.\n\n"
      "**Question.** Does a denoiser in front of a classifier find disk-like galaxies in noisy pictures better than "
      "the same classifier that was trained on noisy pictures? A denoiser adds no information: it can only beat a "
      "badly trained baseline, so the verdict compares with regime b, never with regime a.\n\n"
      "**Data.** Galaxy Zoo 1, pictures of SDSS as 64 x 64 grey pixels. Mergers and unknown are left out of training "
      "and scores. Galaxies: ",
      study.data.split_text(),
      ". The split is by sky field: crc32 of the decimal `objid >> 16` mod 5 is 0 for test, 1 for validation. "
      "Denoiser, classifiers and calibration share it. ",
      no_redshifts,
      "\n\n**Degradation** is at the level of appearance: the pictures are stretched and scaled and have no flux. A "
      "PSF brings each galaxy to a wanted R_e/FWHM, noise to a wanted S/N; one to three contaminants are added, and to "
      "8 % of the pictures a satellite trail. In the end all is enlarged until R_e is 8 pixels, as cutouts are that a "
      "galaxy should fill. S/N 3 to 100 and R_e/FWHM 0.6 to 4 in training, the levels of the tables in the "
      "test.\n\n**Regimes.** ",
      regimes_text, " a and c are one training. All see the same augmented views, ",
      epochs_run(study, "main", o.epochs),
      " epochs; the learning rate of each classifier is the one of three with the best validation AUC in regime b "
      "after ",
      epochs_run(study, "tune", o.tune_epochs),
      " epochs. Thresholds and temperatures are from validation pictures. Nothing is chosen on the test set.\n\n"
      "**Tests.** 1: d − b and e − b in balanced accuracy, all levels together. 2: the same in each of the ",
      disk_ladder().size(),
      " bins of S/N and R_e/FWHM, with Holm's correction; AUC stands beside it and decides nothing. 3: D16 of order "
      "16 minus each other classifier. 4: false disks, the share of what is no disk with a calibrated p > 0.7. A "
      "claim needs p < 0.05.\n\n"
      "**Errors.** ± is the standard deviation over seeds; it does not cover the choice of the galaxies. Brackets "
      "are 95 % intervals: of differences from a paired bootstrap over sky fields and seeds, 2000 samples, two-sided "
      "p; of counts Wilson's. The p of different rows are not corrected for each other.\n");
}

constexpr char const* planned_commands[] = {
    "d16 study disk --data ../shared/data/galaxy_zoo1_sdss/images --labels "
    "../shared/data/galaxy_zoo1_sdss/labels.csv --out study --denoiser weights/denoise.safetensors --threads 1",
    "d16 study disk --out study --report"};

/// "learning rates in b".
std::string units_name(Json const& line) {
  std::string kind = line.string("kind"), regime = line.has("regime") ? line.string("regime") : "";
  std::string name = kind == "tune"       ? "learning rates"
                     : kind == "main"     ? "classifiers"
                     : kind == "question" ? "open questions"
                                          : kind;
  return regime.empty() ? name : name + " in " + regime;
}

std::string hashes_text(DiskStudy const& study) {
  struct Units {
    int64_t count = 0;
    std::set<std::string> names = {};
  };
  std::map<std::pair<std::string, std::string>, Units> made;
  std::set<std::string> denoisers;
  for (Json const& line : study.lines) {
    Units& units = made[{line.string("d16"), line.string("denoiser_sha256")}];
    ++units.count, units.names.insert(units_name(line)), denoisers.insert(line.string("denoiser_sha256"));
  }
  std::string out;
  for (auto const& [by, units] : made) {
    out += text("- ", units.count, units.count == 1 ? " unit" : " units", " by d16 ", by.first,
                ", denoiser of sha256 `", by.second, "`:");
    for (std::string const& name : units.names) out += text(name == *units.names.begin() ? " " : ", ", name);
    out += "\n";
  }
  out += text("- this page by d16 ", d16::stamp::version, " ", d16::stamp::commit, ": `", command_line(), "`\n");
  if (denoisers.size() > 1)
    out += "\nTraining in regime b sees no denoised picture: the denoiser does not matter there.\n";
  return out;
}

/// Those with all regimes, whose tables go by level.
std::vector<DiskModel> main_models(std::vector<DiskModel> models) {
  std::erase_if(models, [](DiskModel const& m) { return !m.all_regimes; });
  return models;
}

/// What was found and what is no warning.
std::vector<std::string> found(DiskStudy& study, std::vector<DiskModel> const& models) {
  std::vector<std::string> out = verdict_words(study);
  for (std::string const& words : test_words(study)) out.push_back(words);
  for (DiskModel const& m : models)
    for (std::string const& words : fewer_false_disks(study, m.name)) out.push_back(words);
  return out;
}
std::vector<std::string> warnings(DiskStudy& study, std::vector<DiskModel> const& models) {
  std::vector<std::string> out;
  for (DiskModel const& m : models)
    for (std::string const& words : false_disk_warnings(study, m.name)) out.push_back(words);
  return out;
}

// --- report.md -----------------------------------------------------------------------------------------------------------

std::string markdown(DiskStudy& study) {
  std::vector<DiskModel> const &models = study.models, both = main_models(models);
  std::string const order_16 = study.what("d16");
  std::string out = text("# Denoise, then classify: the study\n\n", counted(study), " ", what_is_real, "\n\n");
  for (std::string const& words : found(study, both)) out += "- " + words + "\n";
  for (std::string const& words : warnings(study, both)) out += "- **" + words + "**\n";
  auto part = [&](std::string const& title, std::string const& body) { out += "\n" + title + "\n\n" + body; };
  part("## How it was done",
       text("Rows, columns and tests were committed before the first run, in [the plan](disk-study-plan.md); what was "
            "added afterwards is marked as not planned. A cell that says \"",
            not_run, "\" waits for its run.\n\n```\n", planned_commands[0], "\n", planned_commands[1], "\n```\n\n",
            method_text(study)));
  part("## Verdict", verdict_table(study, models));
  part("## Against regime b trained longer (not planned)", longer_table(study, both));
  part("## Balanced accuracy, all levels together", scores_table(study, models, &DiskRun::balanced));
  part("## AUC, all levels together", scores_table(study, models, &DiskRun::auc));
  part("## D16 against the others", rivals_table(study, models));
  part("## Clean, held-out, grey", clean_table(study));
  for (DiskModel const& m : both) part("## By level: " + m.what, bins_table(study, m.name));
  part("## Grain of the noise (not planned)", grain_text(study));
  for (DiskModel const& m : both) {
    part("## False disks (p > 0.7): " + m.what, false_table(study, m.name));
    part("### By contaminants", schemes_table(study, m.name));
    part("### Other tests", parts_table(study, m.name));
  }
  part("## Reliability: " + order_16, text(reliability_text, "\n\n", reliability_table(study, "d16")));
  for (char const* regime : {"b", "d"})
    part(text("## Purity and completeness: ", order_16, ", regime ", regime, ", first seed, at its threshold"),
         purity_table(study, "d16", regime));
  for (DiskModel const& m : both)
    part("## Expected number of disks of the test set, R_e/FWHM 1.5: " + m.what, number_table(study, m.name));
  part("## The denoiser alone", denoiser_text(study));
  part("## Real galaxies made fainter", text(fading_text, "\n\n", fading_table(study)));
  part(text("## The worst ", errors_shown, " errors"), text(errors_text, "\n\n", errors_table(study, errors_shown)));
  part("## Open questions (regime b)", questions_table(study));
  part("## Exposure: balanced accuracy on simulated galaxies, first seed", exposure_table(study));
  part("## Sanity: accuracy on 10,000 turned digits (rotated MNIST)", digits_table(study));
  part("## Images per second, and memory of the tensors, against the batch", speed_table(study));
  part("## Limits", limits_text(study));
  part("## Versions and hashes", hashes_text(study));
  return out;
}

// --- report.html ---------------------------------------------------------------------------------------------------------

void replace_all(std::string& s, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = s.find(from, at)) != s.npos; at += to.size()) s.replace(at, from.size(), to);
}

std::string inline_html(std::string const& markdown) {
  std::string out = html::escape(markdown);
  for (auto const& [mark, tag] : {std::pair<std::string, std::string>("**", "b"), {"`", "code"}})
    for (size_t at = 0, n = 0; (at = out.find(mark, at)) != out.npos; ++n)
      out.replace(at, mark.size(), (n % 2 ? "</" : "<") + tag + ">");
  return out;
}

/// Paragraphs, lists and tables. Headings and names of rows are broken where a table would be wider than the page.
std::string html_of(std::string const& markdown) {
  std::string out;
  for (size_t at = 0, end; at < markdown.size(); at = end + 2) {
    end = std::min(markdown.find("\n\n", at), markdown.size());
    std::string block = markdown.substr(at, end - at);
    if (block.ends_with("\n")) block.pop_back();
    if (block.starts_with("|")) {
      std::string table = html_of_markdown(block + "\n");
      constexpr char const* broken = "style=\"white-space:normal\"";
      replace_all(table, "<th>", text("<th ", broken, ">"));
      for (char const* names : {"<th class", "<td class"})
        replace_all(table, names, text(std::string(names, 3), " ", broken, " class"));
      out += table;
    } else if (block.starts_with("- ")) {
      out += "<ul>";
      for (size_t from = 2, to; from < block.size(); from = to + 3) {
        to = std::min(block.find("\n- ", from), block.size());
        out += "<li>" + inline_html(block.substr(from, to - from)) + "</li>\n";
      }
      out += "</ul>\n";
    } else if (!block.empty()) {
      out += "<p>" + inline_html(block) + "</p>\n";
    }
  }
  return out;
}

std::string headed(std::string const& title, std::string const& body) { return heading(title) + body; }

std::string page(DiskStudy& study) {
  std::vector<DiskModel> const &models = study.models, both = main_models(models);
  std::string const order_16 = study.what("d16");
  std::string box = html::notice(what_is_real);
  for (std::string const& words : found(study, both)) box += html::notice(words, html::Tone::plain);
  for (std::string const& words : warnings(study, both)) box += html::notice(words, html::Tone::bad);
  std::string by_level, false_disks, numbers, purity, others;
  for (DiskModel const& m : both) {
    by_level += headed("By level: " + m.what, level_plots(study, m) + html_of(bins_table(study, m.name)));
    false_disks += headed(
        m.what, false_plots(study, m) + html_of(false_table(study, m.name)) + html_of(schemes_table(study, m.name)));
    numbers += headed(m.what, html_of(number_table(study, m.name)));
    others += headed("Other tests: " + m.what, html_of(parts_table(study, m.name)));
  }
  for (char const* regime : {"b", "d"})
    purity += headed(text("Purity and completeness: ", order_16, ", regime ", regime, ", first seed, at its threshold"),
                     html_of(purity_table(study, "d16", regime)));
  return box +
         html::section("Noise-augmented against denoised", regimes_text,
                       html_of(verdict_table(study, models)) +
                           headed("Against regime b trained longer (not planned)", html_of(longer_table(study, both))) +
                           headed("Balanced accuracy, all levels together",
                                  html_of(scores_table(study, models, &DiskRun::balanced))) +
                           headed("AUC, all levels together", html_of(scores_table(study, models, &DiskRun::auc))) +
                           headed("D16 against the others", html_of(rivals_table(study, models))) + by_level) +
         html::section("Grain of the noise (not planned)", "", html_of(grain_text(study))) +
         html::section("False disks", "What is no disk and has p > 0.7.",
                       false_disks + headed("The denoiser alone", html_of(denoiser_text(study)))) +
         html::section("Reliability, purity, completeness", reliability_text,
                       reliability_plots(study, both) + html_of(reliability_table(study, "d16")) + purity +
                           headed("Clean, held-out, grey", html_of(clean_table(study)))) +
         html::section("Expected number of disks", "Test set at R_e/FWHM 1.5.", numbers) +
         html::section("Redshift", "",
                       html::paragraph(text(no_redshifts, " d16 run draws a histogram of z > 3 from a catalogue."))) +
         html::section("Pictures", "The first test pictures.", examples(study, 35) + examples(study, 7)) +
         html::section("Real galaxies made fainter", fading_text, fading_plots(study)) +
         html::section(text("The worst ", errors_shown, " errors"), errors_text, error_pictures(study, errors_shown)) +
         html::section("Open questions", "",
                       others + headed("In regime b", html_of(questions_table(study))) +
                           headed("Exposure: balanced accuracy on simulated galaxies, first seed",
                                  html_of(exposure_table(study))) +
                           headed("Accuracy on 10,000 turned digits (rotated MNIST)", html_of(digits_table(study))) +
                           headed("Images per second, and memory of the tensors, against the batch",
                                  html_of(speed_table(study)))) +
         html::section("Limits", "", html_of(limits_text(study))) +
         html::section("How it was made", counted(study),
                       html_of(text(method_text(study), "\n- `", planned_commands[0], "`\n- `", planned_commands[1],
                                    "`\n\n", hashes_text(study))));
}

}  // namespace

Json study_disk_report(StudyDiskOptions const& o) {
  DiskStudy study(o);
  d16::require<d16::ValueError>(!study.lines.empty(), o.out, ": has no results yet; run d16 study disk first");
  io::write_file(join(o.out, "report.md"), markdown(study));
  io::write_file(join(o.out, "report.html"),
                 html::page("Denoise, then classify", counted(study), page(study),
                            text(command_line(), " · d16 ", d16::stamp::version, " (", d16::stamp::commit, ")")));
  Json verdict = Json::array({});
  std::vector<DiskModel> const both = main_models(study.models);
  for (auto const& list : {found(study, both), warnings(study, both)})
    for (std::string const& words : list) say(words), verdict.push_back(words);
  say(text(join(o.out, "report.md"), " and report.html written"));
  return Json::object({{"out", o.out}, {"units", int64_t(study.lines.size())}, {"verdict", verdict}});
}

}  // namespace tool
