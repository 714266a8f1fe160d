// d16 simulate survey: a survey in the seven wide NIRCam bands with a known truth, as files.
#include <cstdio>
#include <filesystem>
#include <stamp.hpp>

#include <d16/io/png.hpp>
#include <d16/sim/survey_files.hpp>
#include <d16/sim/survey_sheet.hpp>
#include <d16/sim/write_survey.hpp>

#include "simulate_survey.hpp"

namespace tool {

using d16::text;
namespace sim = d16::sim;
namespace io = d16::io;

namespace {

/// Objects for the picture: the first four of each class, and of the little red dots.
std::vector<int64_t> examples_of(sim::Survey const& survey, sim::Split split, int64_t first, int64_t count) {
  std::vector<int64_t> groups[4], out;
  for (int64_t i = first; i < first + std::min<int64_t>(count, 2000); ++i) {
    sim::SurveyTruth t = survey.truth(split, i);
    std::vector<int64_t>& group = groups[t.flags & sim::survey_little_red_dot ? 3 : int(t.label)];
    if (group.size() < 4) group.push_back(i);
  }
  for (std::vector<int64_t> const& group : groups) out.insert(out.end(), group.begin(), group.end());
  return out;
}

}  // namespace

Json simulate_survey(SimulateSurveyOptions const& o) {
  sim::SurveyOptions options{.seed = o.seed, .set = sim::survey_set(o.set), .threshold = o.threshold};
  sim::Split split = sim::survey_split(o.split);
  d16::require<d16::FileError>(std::filesystem::is_directory(o.data), o.data,
                               ": no such folder; --data is the folder with nircam_filters_jades_seds, "
                               "sed_templates_eazy, brown_dwarf_photometry and jwst_ceers_nircam");
  sim::SurveyData data = sim::read_survey_data(o.data);
  sim::Survey survey(data, options);
  int64_t count = o.count > 0 ? o.count : options.set == sim::SurveySet::poster ? sim::Survey::poster_size : 300;
  OutputFolder out(o.out);
  Progress progress("simulate survey", count);
  std::vector<sim::SurveyRow> rows;
  std::vector<sim::SurveyObject> kept;
  std::vector<io::FitsCard> cards = sim::survey_cards(options, split);
  for (int64_t i = 0; i < count; ++i) {
    sim::SurveyObject object = survey.object(split, o.first + i);
    std::pair<double, double> place = sim::invented_place(o.first + i);
    rows.push_back({object.truth, survey.measure(object.image.data<float>(), object.truth), place.first, place.second});
    if (o.format == "fits")
      out.write("cutouts/" + object.truth.id + ".fits", [&](std::string const& path) {
        sim::write_survey_object(path, object, options, cards, place.first, place.second);
      });
    else if (o.format == "safetensors") kept.push_back(std::move(object));
    progress.step();
  }
  if (o.format == "safetensors")
    out.write("cutouts.safetensors",
              [&](std::string const& path) { io::write_safetensors(path, sim::survey_tensors(kept, options, split)); });
  std::string version = text("d16 ", d16::stamp::version, " (", d16::stamp::commit, ")");
  cards.push_back({"HISTORY", version + ": " + command_line()});
  out.write("catalog.fits",
            [&](std::string const& path) { io::write_fits_table(path, sim::survey_table(rows), "SIMULATED", cards); });
  out.write("examples.png", [&](std::string const& path) {
    io::write_png(path, sim::survey_sheet(survey, data.filters, split, examples_of(survey, split, o.first, count)));
  });
  out.write("README.txt", [&](std::string const& path) {
    io::write_file(path, sim::survey_readme(survey, split, count, command_line(), version));
  });
  out.commit();
  say(text(o.out, ": ", count, " simulated objects, set ", o.set, ", split ", o.split,
           ": catalog.fits, examples.png, README.txt", o.format == "none" ? "" : " and cutouts (" + o.format + ")"));
  return Json::object({{"out", o.out},
                       {"count", count},
                       {"set", o.set},
                       {"split", o.split},
                       {"seed", o.seed},
                       {"threshold", o.threshold},
                       {"simulated", true},
                       {"catalog", join(o.out, "catalog.fits")}});
}

}  // namespace tool
