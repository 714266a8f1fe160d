// d16 train separator, d16 separate: libraries made to look like the catalogue, trees on their colours, and their use.
#include "separator.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <stamp.hpp>

#include <d16/core/random.hpp>
#include <d16/io/csv.hpp>
#include <d16/learn/intervals.hpp>
#include <d16/learn/metrics.hpp>
#include <d16/photoz/separator.hpp>

namespace tool {

using d16::FileError;
using d16::Random;
using d16::require;
using d16::Tensor;
using d16::text;
namespace io = d16::io;
namespace sim = d16::sim;
namespace learn = d16::learn;
using namespace d16::photoz;

namespace {

/// One object of a class: fluxes in all bands, any unit.
using Draw = std::function<std::vector<double>(Random&)>;
struct ClassDraws {
  std::string name;
  Draw train, heldout;  ///< heldout: from what training has not seen; empty: there is nothing
  bool claimed;         ///< scores mean something: the library is not the user's own
};

/// One to three templates with exponential weights at one redshift, uniform in ln(1 + z) from 0.1 to 15: our choice.
Draw galaxies(std::shared_ptr<TemplateGrid> grid) {
  return [grid](Random& random) {
    int k = int(random.integer(grid->redshifts())), members = 1 + int(random.integer(3));
    std::vector<double> flux(size_t(grid->bands()), 0.0);
    for (int i = 0; i < members; ++i) {
      int t = int(random.integer(grid->templates()));
      double weight = -std::log(1 - random.uniform());
      for (int b = 0; b < grid->bands(); ++b)
        flux[size_t(b)] += weight * grid->flux(k)[size_t(b * grid->templates() + t)];
    }
    return flux;
  };
}

/// Rows of a table of model photometry.
struct Library {
  std::vector<std::vector<double>> flux;  // [row][band]
  std::vector<std::string> name;
  std::vector<double> teff;
};
Library read_library(std::string const& path, std::vector<std::string> const& bands) {
  io::Table table = io::read_csv(path);
  Library out;
  out.flux.resize(size_t(table.rows()));
  for (std::string const& band : bands) {
    io::Column const* column = find_any(table, {band});
    require<FileError>(column, path, ": no column \"", band, "\"; it has ", table.names(),
                       "; leave the band out with --bands");
    std::vector<double> values = table.numbers(column->name);
    for (size_t i = 0; i < values.size(); ++i) {
      require<FileError>(values[i] > 0, path, " ", table.where(int64_t(i)), ": ", column->name, " is ", values[i],
                         "; a positive flux is needed");
      out.flux[i].push_back(values[i]);
    }
  }
  require<FileError>(!out.flux.empty(), path, ": has no rows; one for each model is needed");
  out.name = table.has("library") ? table.strings("library") : std::vector<std::string>(out.flux.size(), "all");
  out.teff = table.has("teff_K") ? table.numbers("teff_K") : std::vector<double>(out.flux.size(), 0.0);
  return out;
}

/// Any library that is wanted, then any temperature that it has, then any model of that temperature.
Draw dwarfs(std::shared_ptr<Library> library, std::function<bool(std::string const&)> const& wanted) {
  std::map<std::string, std::map<double, std::vector<size_t>>> sorted;
  for (size_t i = 0; i < library->flux.size(); ++i)
    if (wanted(library->name[i])) sorted[library->name[i]][library->teff[i]].push_back(i);
  if (sorted.empty()) return {};
  return [library, sorted](Random& random) {
    auto any = [&](auto const& map) {
      return std::next(map.begin(), std::ptrdiff_t(random.integer(int64_t(map.size()))));
    };
    std::vector<size_t> const& alike = any(any(sorted)->second)->second;
    return library->flux[alike[size_t(random.integer(int64_t(alike.size())))]];
  };
}
/// Every fifth row is kept for the test.
Draw rows_of(std::shared_ptr<Library> library, bool heldout) {
  std::vector<size_t> rows;
  for (size_t i = 0; i < library->flux.size(); ++i)
    if ((i % 5 == 0) == heldout) rows.push_back(i);
  if (rows.empty()) return {};
  return [library, rows](Random& random) { return library->flux[rows[size_t(random.integer(int64_t(rows.size())))]]; };
}

/// Rows of the catalogue that can lend brightness and errors: the reddest band that is seen with 3 sigma.
struct Lenders {
  std::vector<size_t> row, band;
};
Lenders lenders_of(FluxTable const& table) {
  Lenders out;
  for (size_t i = 0; i < table.rows(); ++i)
    for (size_t b = table.flux.size(); b-- > 0;)
      if (table.error[b][i] > 0 && table.flux[b][i] >= 3 * table.error[b][i]) {
        out.row.push_back(i), out.band.push_back(b);
        break;
      }
  return out;
}

/// Objects of all classes in turn, as bright as rows of the catalogue, with their errors and missing bands.
SeparatorData make_data(std::vector<Draw> const& draws, std::vector<int64_t> const& classes, FluxTable const& table,
                        Lenders const& lenders, int64_t count, uint64_t seed) {
  SeparatorData out;
  out.fluxes.flux.resize(table.flux.size()), out.fluxes.error.resize(table.flux.size());
  for (int64_t i = 0; i < count; ++i) {
    Random random(seed, uint64_t(i));
    auto k = size_t(i) % draws.size();
    std::vector<double> flux = draws[k](random);
    auto lender = size_t(random.integer(int64_t(lenders.row.size())));
    size_t row = lenders.row[lender], reference = lenders.band[lender];
    if (!(flux[reference] > 0)) continue;  // no light there: it would not be in the catalogue
    double scale = table.flux[reference][row] / flux[reference];
    for (size_t b = 0; b < flux.size(); ++b) {
      double e = table.error[b][row];
      out.fluxes.error[b].push_back(e);
      out.fluxes.flux[b].push_back(e > 0 ? scale * flux[b] + e * random.normal() : not_known);
    }
    out.label.push_back(classes[k]);
  }
  return out;
}

std::vector<ClassDraws> class_draws(TrainSeparatorOptions const& o, Photometry const& catalogue) {
  std::vector<std::string> bands = catalogue.bands();
  GridOptions grid{.least_z = 0.1, .most_z = 15};
  auto make_grid = [&](std::vector<std::string> const& names) {
    return std::make_shared<TemplateGrid>(catalogue.filters, read_templates(names, o.photometry.data, o.dust), grid);
  };
  std::vector<ClassDraws> out{{"galaxy", galaxies(make_grid(o.templates)), {}, true}};
  if (!o.test_templates.empty()) out[0].heldout = galaxies(make_grid(o.test_templates));
  std::string models = o.dwarfs.empty() ? dwarf_models_of(o.photometry.data) : o.dwarfs;
  auto library = std::make_shared<Library>(read_library(models, bands));
  Draw common = dwarfs(library, [&](std::string const& name) { return name != o.heldout; });
  require<FileError>(common != nullptr, models, ": all of its rows are of the library ", o.heldout,
                     ", which is held out; name another with --heldout");
  out.push_back(
      {"brown_dwarf", common, dwarfs(library, [&](std::string const& name) { return name == o.heldout; }), true});
  for (std::string const& entry : o.libraries) {
    size_t equal = entry.find('=');
    require<d16::ValueError>(equal != entry.npos && equal > 0, "--library: \"", entry, "\"; NAME=FILE.csv is needed");
    auto rows = std::make_shared<Library>(read_library(entry.substr(equal + 1), bands));
    Draw train = rows_of(rows, false);
    require<FileError>(train != nullptr, entry.substr(equal + 1), ": has one row; two at least are needed");
    out.push_back({entry.substr(0, equal), train, rows_of(rows, true), false});
  }
  return out;
}

struct SeparatorScores {
  std::vector<learn::ClassScore> scores;
  Tensor confusion;
};
SeparatorScores judge(Separator const& s, SeparatorData const& data) {
  Tensor p = s.probabilities(data.fluxes);
  std::vector<int64_t> truth, called;
  auto K = int64_t(s.classes.size());
  for (int64_t i = 0; i < p.dim(0); ++i) {
    double const* row = p.data<double>() + i * K;
    if (std::isnan(row[0])) continue;
    truth.push_back(data.label[size_t(i)]), called.push_back(std::max_element(row, row + K) - row);
  }
  auto integers = [](std::vector<int64_t> const& v) { return d16::from(v, {int64_t(v.size())}); };
  Tensor confusion = learn::confusion_matrix(integers(truth), integers(called), K);
  return {learn::class_scores(confusion), confusion};
}

Json scores_json(Separator const& s, SeparatorScores const& scores, std::vector<ClassDraws> const& draws) {
  Json out = Json::object({});
  for (size_t k = 0; k < s.classes.size(); ++k) {
    if (!draws[k].claimed) continue;
    out[s.classes[k]] = Json::object({{"recall", known(scores.scores[k].recall.value)},
                                      {"precision", known(scores.scores[k].precision.value)},
                                      {"n", scores.scores[k].recall.n}});
  }
  return out;
}

void say_scores(std::string const& what, Separator const& s, SeparatorScores const& scores,
                std::vector<ClassDraws> const& draws) {
  for (size_t k = 0; k < s.classes.size(); ++k) {
    learn::ClassScore const& c = scores.scores[k];
    if (!draws[k].claimed) say(text(what, ": ", s.classes[k], ": not claimed, its library is the user's own"));
    else
      say(text(what, ": ", s.classes[k], ": recall ", decimals(c.recall.value, 3), " [",
               decimals(c.recall.interval.low, 3), ", ", decimals(c.recall.interval.high, 3),
               "], precision at equal frequency ", decimals(c.precision.value, 3)));
  }
}

}  // namespace

Json train_separator(TrainSeparatorOptions const& o) {
  require<FileError>(ends_with(lower(o.out), ".json"), o.out, ": weights of a separator are a .json file");
  Photometry catalogue = read_photometry(o.photometry);
  Lenders lenders = lenders_of(catalogue.fluxes);
  require<FileError>(lenders.row.size() >= 10, o.photometry.catalog, ": ", lenders.row.size(),
                     " rows are seen with 3 sigma in a band; ten at least are needed to lend brightness and errors");
  std::vector<ClassDraws> draws = class_draws(o, catalogue);
  Stopwatch watch;
  std::vector<Draw> common, heldout;
  std::vector<int64_t> all, held;
  std::vector<std::string> names;
  for (size_t k = 0; k < draws.size(); ++k) {
    names.push_back(draws[k].name), common.push_back(draws[k].train), all.push_back(int64_t(k));
    if (draws[k].heldout) heldout.push_back(draws[k].heldout), held.push_back(int64_t(k));
  }
  auto data = [&](std::vector<Draw> const& from, std::vector<int64_t> const& classes, uint64_t stream, int64_t count) {
    return make_data(from, classes, catalogue.fluxes, lenders, count, 4 * o.seed + stream);
  };
  SeparatorOptions how{.rounds = o.rounds, .depth = o.depth, .seed = o.seed};
  Separator separator = d16::photoz::train_separator(catalogue.bands(), names, data(common, all, 0, o.count),
                                                     data(common, all, 1, o.count / 2), how);
  SeparatorScores same = judge(separator, data(common, all, 2, o.count / 2));
  say_scores("fresh draws", separator, same, draws);
  Json tests = Json::object({{"fresh_draws", scores_json(separator, same, draws)}});
  if (!heldout.empty()) {
    SeparatorScores other = judge(separator, data(heldout, held, 3, o.count / 2));
    std::string what;
    for (std::string const& name : o.test_templates) what += (what.empty() ? "" : ",") + base_name(name);
    say_scores(text("held out (", what, ", ", o.heldout, ")"), separator, other, draws);
    tests["held_out"] = scores_json(separator, other, draws);
  }
  separator.trained_on = Json::object({{"catalogue", base_name(o.photometry.catalog)},
                                       {"rows_lending_errors", int64_t(lenders.row.size())},
                                       {"simulated_errors", catalogue.rows.simulated},
                                       {"objects", o.count},
                                       {"templates", o.templates},
                                       {"held_out", o.heldout},
                                       {"seed", int64_t(o.seed)},
                                       {"version", std::string(d16::stamp::version)},
                                       {"tests", tests}});
  save_separator(o.out, separator);
  say(text(o.out, ": ", separator.classes.size(), " classes, ", separator.trees.features, " colours of ",
           separator.bands.size(), " bands, ", separator.trees.rounds(), " rounds, ", duration(watch.seconds())));
  return Json::object({{"out", o.out},
                       {"classes", separator.classes},
                       {"bands", separator.bands},
                       {"rounds", separator.trees.rounds()},
                       {"seconds", watch.seconds()},
                       {"tests", tests}});
}

namespace {

/// A band's flux of each row; NaN without the band.
std::vector<double> flux_in(Photometry const& c, std::string const& band) {
  for (size_t b = 0; b < c.filters.size(); ++b)
    if (lower(c.filters[b].name) == lower(band)) return c.fluxes.flux[b];
  return std::vector<double>(c.rows.size(), not_known);
}

io::Table separated(Photometry const& c, Separator const& s, Tensor const& p, SeparateOptions const& o) {
  io::Table t;
  auto K = int64_t(s.classes.size());
  std::vector<std::string> called;
  for (int64_t k = 0; k < K; ++k) {
    std::vector<float> column;
    for (int64_t i = 0; i < p.dim(0); ++i) column.push_back(float(p.data<double>()[i * K + k]));
    t.column("p_" + s.classes[size_t(k)], column, {"", "probability by its colours; NaN without any colour"});
  }
  for (int64_t i = 0; i < p.dim(0); ++i) {
    double const* row = p.data<double>() + i * K;
    called.push_back(std::isnan(row[0]) ? "" : s.classes[size_t(std::max_element(row, row + K) - row)]);
  }
  t.column("class_colours", called, {"", "the most probable class; empty without any colour"});
  std::vector<double> blue = flux_in(c, "F115W"), middle = flux_in(c, "F277W"), red = flux_in(c, "F444W");
  std::vector<double> compactness = measured(c.rows.table, find_any(c.rows.table, {"compactness", "F444W_COMPACT"}));
  std::vector<bool> cut, compact;
  for (size_t i = 0; i < blue.size(); ++i) {
    cut.push_back(is_dwarf_by_colour(blue[i], middle[i], red[i]));
    compact.push_back(compactness[i] < o.compact);
  }
  t.column("bd_colour_cut", cut, {"", "F115W-F277W < -0.8 and F277W-F444W > 1.1, AB (arXiv:2306.02663)"});
  t.column("compact", compact,
           {"", text("F(0.32 arcsec) / F(0.16 arcsec) below ", o.compact, "; false where unknown")});
  return t;
}

/// How the trees and the cuts do where the class is known by simulation.
void say_truth(Photometry const& c, io::Table const& results, Json& answer) {
  io::Column const* truth = find_any(c.rows.table, {"TRUE_CLASS"});
  if (!truth) return;
  std::vector<std::string> classes = c.rows.table.strings(truth->name);
  auto scores = [&](std::string const& what, auto const& is_dwarf) {
    int64_t there = 0, found = 0, called = 0;
    for (size_t i = 0; i < classes.size(); ++i) {
      bool dwarf = classes[i] == "brown_dwarf", says = is_dwarf(i);
      there += dwarf, called += says, found += dwarf && says;
    }
    learn::Fraction recall = learn::fraction(found, there), precision = learn::fraction(found, called);
    say(text("simulated truth: brown dwarfs by ", what, ": recall ", decimals(recall.value, 3), " of ", there,
             ", precision ", decimals(precision.value, 3), " of ", called));
    answer[what] =
        Json::object({{"recall", known(recall.value)}, {"precision", known(precision.value)}, {"called", called}});
  };
  std::vector<std::string> called = results.strings("class_colours");
  std::vector<int64_t> cut = results.integers("bd_colour_cut"), compact = results.integers("compact");
  scores("trees", [&](size_t i) { return called[i] == "brown_dwarf"; });
  scores("colour cut", [&](size_t i) { return cut[i] != 0; });
  scores("trees and compact", [&](size_t i) { return called[i] == "brown_dwarf" && compact[i]; });
  scores("colour cut and compact", [&](size_t i) { return cut[i] && compact[i]; });
}

}  // namespace

Json separate(SeparateOptions const& o) {
  check_catalogue_name(o.out);
  Separator s = load_separator(o.weights);
  PhotometryOptions how = o.photometry;
  how.bands = s.bands, how.names_only = how.as_asked = true;
  Photometry catalogue = read_photometry(how);
  Tensor p = s.probabilities(catalogue.fluxes, o.prior);
  io::Table table = separated(catalogue, s, p, o);
  io::Table results = rename_taken(table, catalogue.rows.names);
  std::vector<io::FitsCard> cards{{"SEPWGHT", base_name(o.weights), "separator"}};
  cards.push_back({"HISTORY", made_by()});
  if (ends_with(lower(o.out), ".csv")) write_highz_csv(o.out, catalogue.rows, results);
  else write_highz_fits(o.out, catalogue.rows, results, cards);
  Json counts = Json::object({}), answer = Json::object({{"out", o.out}, {"rows", int64_t(catalogue.rows.size())}});
  std::vector<std::string> called = table.strings("class_colours");
  std::string words;
  for (std::string const& name : s.classes) {
    int64_t n = std::count(called.begin(), called.end(), name);
    counts[name] = n, words += text(words.empty() ? "" : ", ", n, " ", name);
  }
  answer["called"] = std::move(counts);
  say(text(o.out, ": ", catalogue.rows.size(), " rows: ", words));
  say_truth(catalogue, table, answer);
  return answer;
}

}  // namespace tool
