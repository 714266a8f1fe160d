// The report of `d16 study disk`: the tables of docs/disk-study.md in report.md, plots and pictures in report.html.
#include <stamp.hpp>

#include <d16/io/atomic_file.hpp>
#include <d16/io/html.hpp>

#include "study_disk_figures.hpp"

namespace tool {

using d16::text;
namespace html = d16::io::html;
namespace io = d16::io;

namespace {

std::string markdown(DiskStudy& study, std::vector<DiskModel> const& models) {
  StudyDiskOptions const& o = study.options;
  std::string out = text(
      "# Denoise, then classify: the study\n\nRows, columns and tests were committed before the first run. \"", not_run,
      "\" is what it says. All degradation is simulated, at the level of appearance; the galaxies are real (SDSS).\n\n",
      "```\n", command_line(), "\n```\n\n",
      "**Question.** Does a denoiser in front of a classifier find disk-like galaxies in noisy pictures better than "
      "the "
      "same classifier that was trained on noisy pictures? A denoiser adds no information: it can only beat a badly "
      "trained baseline, so the verdict compares with regime b.\n\n",
      "**Data.** Galaxy Zoo 1 pictures as 64 x 64 grey pixels; labels mean featured or edge-on against smooth. ",
      study.data.split_text(),
      ", by sky field: crc32 of the decimal `objid >> 16` mod 5 is 0 for test, 1 for validation. S/N 3 to 100 and "
      "R_e/FWHM 0.6 to 4 in training, the levels of the tables in the test, one to three contaminants.\n\n",
      "**Regimes.** (a) trained clean, tested noisy; (b) trained and tested noisy; (c) trained clean, tested denoised; "
      "(d) trained and tested denoised; (e) noisy and denoised as two channels. The same augmented views for all, ",
      o.epochs, " epochs, the learning rate of each classifier from three by validation AUC in regime b after ",
      o.tune_epochs, " epochs. Thresholds and temperatures are from validation pictures.\n\n",
      "± is the standard deviation over seeds, brackets are 95 % intervals: paired bootstrap over sky fields and "
      "seeds, "
      "2000 samples, two-sided p; Wilson for counts. A claim needs p < 0.05.\n\n## Verdict\n\n");
  for (std::string const& words : verdict_words(study)) out += "- " + words + "\n";
  for (char const* model : {"d16", "cnn"})
    for (std::string const& words : false_disk_warnings(study, model)) out += "- **" + words + "**\n";
  out += text("\n", verdict_table(study, models), "\n## Balanced accuracy, all levels together\n\n",
              scores_table(study, models, &DiskRun::balanced), "\n## AUC, all levels together\n\n",
              scores_table(study, models, &DiskRun::auc), "\n## D16 against the others\n\n",
              rivals_table(study, models), "\n## Clean, held-out, grey\n\n", clean_table(study));
  for (char const* model : {"d16", "cnn"})
    out += text("\n## By level: ", model, "\n\n", bins_table(study, model), "\n### False disks (p > 0.7)\n\n",
                false_table(study, model), "\n### Expected number of disks of the test set, R_e/FWHM 1.5\n\n",
                number_table(study, model), "\n### Other tests\n\n", parts_table(study, model));
  for (char const* regime : {"b", "d"})
    out += text("\n## Purity and completeness of d16 in ", regime, ", first seed, at its threshold\n\n",
                purity_table(study, "d16", regime));
  return out + "\n## The denoiser alone\n\n" + denoiser_text(study) + "\n## Open questions (regime b)\n\n" +
         questions_table(study) + "\n## Exposure: balanced accuracy on simulated galaxies, first seed\n\n" +
         exposure_table(study) + "\n## Sanity: accuracy on 10,000 turned digits (rotated MNIST)\n\n" +
         digits_table(study) + "\n## Images per second, and memory of the tensors, against the batch\n\n" +
         speed_table(study);
}

std::string page(DiskStudy& study, std::vector<DiskModel> const& models) {
  std::string box = html::notice(
      "SIMULATED: noise, PSF, contaminants, spheroids, stars and arms, at the level of appearance. REAL: the galaxies "
      "of "
      "Galaxy Zoo and the six of CEERS. Labels mean featured or edge-on against smooth.");
  for (std::string const& words : verdict_words(study)) box += html::notice(words, html::Tone::plain);
  for (char const* model : {"d16", "cnn"})
    for (std::string const& words : false_disk_warnings(study, model)) box += html::notice(words, html::Tone::bad);
  std::string by_level, false_disks, numbers, purity;
  for (char const* model : {"d16", "cnn"}) {
    by_level += level_plots(study, model) + html_of_markdown(bins_table(study, model));
    false_disks += false_plots(study, model) + html_of_markdown(false_table(study, model));
    numbers += html::paragraph(model) + html_of_markdown(number_table(study, model));
  }
  for (char const* regime : {"b", "d"})
    purity += html::paragraph(text("d16 in ", regime, ", first seed:")) +
              html_of_markdown(purity_table(study, "d16", regime));
  std::string hashes;
  for (Json const& line : study.lines)
    hashes += html::paragraph(text(line.string("unit"), ": d16 ", line.string("d16"), ", denoiser ",
                                   line.string("denoiser_sha256").substr(0, 16)));
  return box +
         html::section("Noise-augmented against denoised", "Bars: standard deviation over seeds.",
                       html_of_markdown(verdict_table(study, models)) +
                           html_of_markdown(scores_table(study, models, &DiskRun::balanced)) +
                           html_of_markdown(rivals_table(study, models)) + by_level) +
         html::section("False disks", "What is no disk and has p > 0.7.",
                       false_disks + html_of_markdown(denoiser_text(study))) +
         html::section("Reliability, purity, completeness",
                       "By S/N and R_e/FWHM; these pictures have no redshift. First seed.",
                       reliability_plots(study) + purity + html_of_markdown(clean_table(study))) +
         html::section("Expected number of disks", "Sum of p with 95 % interval beside the count at p > 0.7.",
                       numbers) +
         html::section("Redshift", "",
                       html::paragraph("Galaxy Zoo's pictures are of z < 0.3: there is no histogram of "
                                       "z > 3 here. d16 run makes it from a catalogue.")) +
         html::section("Pictures", "The first test pictures at R_e/FWHM 1.5: S/N 35, then 7.",
                       examples(study, 35) + examples(study, 7)) +
         html::section("Real galaxies made fainter", "Mean p over seeds and three realisations of noise.",
                       fading(study)) +
         html::section("The worst errors", "d16 in regime b, first seed, S/N from 15 up; one level of each galaxy.",
                       worst_errors(study, 24)) +
         html::section("Open questions", "",
                       html_of_markdown(parts_table(study, "d16")) + html_of_markdown(questions_table(study)) +
                           html_of_markdown(exposure_table(study)) + html_of_markdown(digits_table(study)) +
                           html_of_markdown(speed_table(study))) +
         html::section("How it was made", command_line(), hashes);
}

}  // namespace

Json study_disk_report(StudyDiskOptions const& o) {
  DiskStudy study(o);
  d16::require<d16::ValueError>(!study.lines.empty(), o.out, ": has no results yet; run d16 study disk first");
  std::vector<DiskModel> models = disk_models();
  io::write_file(join(o.out, "report.md"), markdown(study, models));
  io::write_file(join(o.out, "report.html"),
                 html::page("Denoise, then classify", "Disk or elliptical in clean, noisy and denoised pictures.",
                            page(study, models),
                            text(command_line(), " · d16 ", d16::stamp::version, " (", d16::stamp::commit, ")")));
  Json verdict = Json::array({});
  for (std::string const& words : verdict_words(study)) say(words), verdict.push_back(words);
  for (char const* model : {"d16", "cnn"})
    for (std::string const& words : false_disk_warnings(study, model)) say(words), verdict.push_back(words);
  say(text(join(o.out, "report.md"), " and report.html written"));
  return Json::object({{"out", o.out}, {"units", int64_t(study.lines.size())}, {"verdict", verdict}});
}

}  // namespace tool
