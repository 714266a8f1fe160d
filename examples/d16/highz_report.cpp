// The report of the seven-band classifier: bodies of highz_report.hpp.
#include "highz_report.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stamp.hpp>

#include <d16/core/parallel.hpp>
#include <d16/io/html.hpp>
#include <d16/io/plot.hpp>

#include "cutout.hpp"
#include "highz_figures.hpp"

namespace tool {

using d16::text;
namespace io = d16::io;
namespace html = d16::io::html;

HighzResult::HighzResult() : snr(nan), compactness(nan), half_light(nan), ra(nan), dec(nan) {
  p.fill(nan), flux.fill(nan), error.fill(nan);
}

void HighzExhibits::insert(std::vector<Ranked>& list, size_t most, double rank, HighzExhibit const& exhibit) {
  auto at = std::find_if(list.begin(), list.end(), [&](Ranked const& r) { return rank < r.rank; });
  if (at == list.end() && list.size() == most) return;
  list.insert(at, {rank, exhibit});
  if (list.size() > most) list.pop_back();
}
void HighzExhibits::offer(HighzResult const& result, HighzExhibit exhibit) {
  if (!result.classified()) return;
  insert(lists_[size_t(result.call)], surest, -result.p[size_t(result.call)], exhibit);
  insert(lists_[3], doubtful, *std::max_element(result.p.begin(), result.p.end()), exhibit);
}
std::vector<HighzExhibit> HighzExhibits::exhibits(std::vector<Ranked> const& list) {
  std::vector<HighzExhibit> out;
  for (Ranked const& ranked : list) out.push_back(ranked.exhibit);
  return out;
}

namespace {

constexpr char const* titles[3] = {"Low-z galaxies", "High-z galaxies", "Brown dwarfs"};

// --- sections ---------------------------------------------------------------------------------------------------------

std::string flag_badges(int32_t flags, std::string const& words) {
  std::string out;
  for (size_t begin = 0; begin < words.size();) {  // "EDGE=1 MASKED=2 ..."
    size_t end = std::min(words.find(' ', begin), words.size()), equal = words.find('=', begin);
    if (flags & std::stoi(words.substr(equal + 1)))
      out += html::badge(words.substr(begin, equal - begin), html::Tone::warning) + " ";
    begin = end + 1;
  }
  return out;
}

std::string article(HighzReport const& report, HighzExhibit const& e) {
  HighzResult const& r = report.results[e.row];
  std::string const& id = report.rows.id[e.row];
  std::string meters;
  for (size_t k = 0; k < 3; ++k) meters += html::meter(r.p[k], std::string("p ") + highz_classes[k]);
  std::string words =
      text("row ", e.row + 1, " · from ", r.used, " · ", r.n_bands, " bands · S/N ", html::significant(r.snr));
  if (e.image.defined())
    words += text(" · compactness ", html::number(r.compactness, 2), " · half of the light within ",
                  html::number(r.half_light, 2), "″");
  std::string right = meters + html::paragraph(words) + "<p>" + flag_badges(r.flags, report.flag_text) + "</p>";
  if (!r.note.empty()) right += html::paragraph(r.note);
  std::string pictures;
  if (e.image.defined())
    pictures = "<p></p><div class=\"pictures\">" + highz_colours(e.image, e.prepared, id) + highz_strip(e.image, id) +
               "</div>\n";
  return text("<article style=\"margin-bottom:18px\"><header><h3>", html::escape(id), "</h3>",
              html::badge(highz_classes[r.call], html::Tone::good), "</header>\n",
              html::grid({highz_spectrum_plot({r.flux, r.error}), html::figure(right, "")}), pictures, "</article>\n");
}

std::string gallery(HighzReport const& report, std::string const& title, std::string const& lead,
                    std::vector<HighzExhibit> const& exhibits) {
  std::string body;
  for (HighzExhibit const& e : exhibits) body += article(report, e);
  return html::section(title, lead, body.empty() ? html::paragraph("None.") : body);
}

std::array<int64_t, 4> counts_of(std::vector<HighzResult> const& results) {
  std::array<int64_t, 4> counts{};
  for (HighzResult const& r : results) ++counts[r.classified() ? size_t(r.call) : 3];
  return counts;
}

std::string tiles(HighzReport const& report) {
  auto counts = counts_of(report.results);
  std::vector<html::Tile> list{{html::count(int64_t(report.results.size())), "rows", ""}};
  HighzPredictor const& c = *report.classifiers[0];
  HighzThresholds t = c.thresholds();
  std::string at = c.threshold_prior() == c.prior() ? "" : " at " + highz_frequencies(c.threshold_prior());
  std::string const rules[3] = {"the rest", "p ≥ " + html::significant(t.high_z) + at,
                                "p ≥ " + html::significant(t.brown_dwarf) + at};
  for (size_t k = 0; k < 3; ++k) list.push_back({html::count(counts[k]), highz_classes[k], rules[k]});
  list.push_back({html::count(counts[3]), "not classified", "NaN and a flag"});
  return html::tiles(list);
}

std::string histograms(HighzReport const& report) {
  std::vector<std::string> plots;
  for (size_t k = 0; k < 3; ++k) {
    html::Sample sample;
    for (HighzResult const& r : report.results)
      if (r.classified()) sample.values.push_back(r.p[k]);
    plots.push_back(html::histogram(
        {sample}, {.title = std::string("p ") + highz_classes[k], .x = {"probability", 0, 1}, .bins = 20}));
  }
  return html::section("Probabilities", "Of all rows that were classified.", html::grid(plots));
}

std::string failures(HighzReport const& report) {
  constexpr int most = 50;
  std::string list;
  int shown = 0;
  for (size_t i = 0; i < report.results.size() && shown < most; ++i) {
    HighzResult const& r = report.results[i];
    if (r.classified()) continue;
    ++shown;
    list += text("<p><b>", html::escape(report.rows.id[i]), "</b> ", flag_badges(r.flags, report.flag_text),
                 html::escape(r.note), "</p>\n");
  }
  if (list.empty()) return "";
  return html::section("Not classified", shown == most ? text("The first ", most, " of them.") : "", list);
}

std::string how(HighzReport const& report) {
  std::string out;
  for (HighzPredictor const* c : report.classifiers) {
    auto prior = c->prior();
    out += html::paragraph(text(c->trees() ? "Trees" : "Network", ": ", base_name(c->path()), ", ", c->summary(),
                                ", sha256 ", c->sha256(), ". High-z begins at z = ", html::significant(c->redshift()),
                                ". Probabilities are for class frequencies ", html::significant(prior[0]), ", ",
                                html::significant(prior[1]), ", ", html::significant(prior[2]),
                                ". An object is called ", highz_rule_text(*c), "."));
    if (std::string words = c->expectation(); !words.empty()) out += html::paragraph("To be expected: " + words + ".");
    if (c->simulated())
      out +=
          html::notice(base_name(c->path()) + " was trained on SIMULATED data: its scores are scores on a simulation.");
  }
  if (report.rows.simulated) out += html::notice("The input is SIMULATED data: no telescope saw these objects.");
  for (std::string const& note : report.rows.notes) out += html::paragraph(note + ".");
  return html::section("How it was made", "", out + html::paragraph("Flags are sums of " + report.flag_text + "."));
}

/// What the rows are called, and then the results.
io::Table named(HighzReport const& report) {
  io::Table out;
  out.column("id", report.rows.id, {"", "of the row, by the input"});
  for (io::Column const& column : report.table.columns())
    std::visit([&](auto const& values) { out.column(column.name, values, column.info); }, column.values);
  return out;
}

}  // namespace

std::string highz_report_html(HighzReport const& report) {
  std::string body = tiles(report);
  for (int k : {1, 2, 0})
    body += gallery(report, titles[k], text("The surest ", HighzExhibits::surest, " of them."),
                    report.exhibits.of_class(k));
  body += gallery(report, "Least sure", "Where the largest probability is smallest.", report.exhibits.least_sure());
  body += histograms(report) +
          html::section("Catalogue", "catalog.fits and catalog.csv beside this file have all columns of the input too.",
                        html::table(named(report), {.max_rows = 300, .rest_is_in = "catalog.csv"})) +
          failures(report) + how(report);
  std::string footer =
      text(command_line(), " · d16 ", d16::stamp::version, " (", d16::stamp::commit, ") · ", d16::threads(),
           " threads · ", html::number(report.seconds, 1), " s, peak memory ", int64_t(peak_memory()), " MiB");
  return html::page("Low-z, high-z or brown dwarf: " + base_name(report.input),
                    "Objects in the seven wide NIRCam bands, classified by d16.", body, footer);
}

}  // namespace tool
