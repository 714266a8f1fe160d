// d16 simulate appearance: pictures of galaxies made to look fainter, smaller and contaminated; no flux is meant.
#include "simulate_appearance.hpp"

#include <algorithm>
#include <cmath>

#include <d16/data/image_folder.hpp>
#include <d16/io/csv.hpp>
#include <d16/io/jpeg.hpp>
#include <d16/io/png.hpp>
#include <d16/sim/appearance.hpp>

#include "simulate.hpp"

namespace tool {

using d16::Tensor;
using d16::text;
namespace sim = d16::sim;
namespace io = d16::io;

namespace {

/// Rows of the table.
struct Row {
  std::string id, file, contaminants;
  double snr = 0, sigma = 0, re_over_fwhm = 0, shrink = 1, correlation = 0;
};

io::Table table_of(std::vector<Row> const& rows) {
  io::Table t;
  auto texts = [&](char const* name, auto const& value) {
    std::vector<std::string> list;
    for (Row const& r : rows) list.push_back(value(r));
    t.column(name, std::move(list));
  };
  auto numbers = [&](char const* name, auto const& value) {
    std::vector<double> list;
    for (Row const& r : rows) list.push_back(std::isfinite(value(r)) ? value(r) : NAN);
    t.column(name, std::move(list));
  };
  texts("id", [](Row const& r) { return r.id; });
  texts("file", [](Row const& r) { return r.file; });
  numbers("appearance_snr", [](Row const& r) { return r.snr; });
  numbers("appearance_sigma", [](Row const& r) { return r.sigma; });
  numbers("re_over_fwhm", [](Row const& r) { return r.re_over_fwhm; });
  numbers("shrink", [](Row const& r) { return r.shrink; });
  numbers("correlation", [](Row const& r) { return r.correlation; });
  texts("contaminant_kinds", [](Row const& r) { return r.contaminants; });
  return t;
}

/// For the eye: a column for each of the first pictures, as it was and then its variants.
Tensor sheet(std::vector<std::vector<Tensor>> const& columns) {
  int64_t side = columns[0][0].dim(0), C = columns[0][0].dim(2), step = side + 2, W = step * int64_t(columns.size());
  Tensor out = d16::full({step * int64_t(columns[0].size()), W, C}, 1.0);
  for (size_t j = 0; j < columns.size(); ++j)
    for (size_t i = 0; i < columns[j].size(); ++i)
      for (int64_t y = 0; y < side; ++y)
        std::copy_n(columns[j][i].data<float>() + y * side * C, side * C,
                    out.data<float>() + ((int64_t(i) * step + 1 + y) * W + int64_t(j) * step + 1) * C);
  return out;
}

}  // namespace

Json simulate_appearance(SimulateAppearanceOptions const& o) {
  Range snr = parse_range("--snr", o.snr), shrink = parse_range("--shrink", o.shrink),
        correlation = parse_range("--correlation", o.correlation);
  sim::AppearanceRange range{.least_snr = snr.low, .most_snr = snr.high};
  range.least_shrink = shrink.low, range.most_shrink = shrink.high, range.fwhm = o.fwhm;
  range.least_correlation = correlation.low, range.most_correlation = correlation.high;
  range.contaminants = sim::scheme_named(o.contaminants);
  // surroundings up to half of the side, where the pictures have them
  d16::data::Dataset all =
      d16::data::image_folder(o.input, {.size = o.size, .crop = double(o.crop), .margin = 0.5, .channels = o.channels});
  int64_t count = o.limit > 0 ? std::min(o.limit, all.size()) : all.size(), wide = all.images.dim(1);
  OutputFolder out(o.out);
  Progress progress("simulate appearance", count);
  std::vector<Row> rows;
  std::vector<std::vector<Tensor>> shown;
  for (int64_t i = 0; i < count; ++i) {
    Tensor picture = all.images.select(0, i).cast(d16::DType::f32).contiguous().clone();
    for (float& v : picture.host<float>()) v /= 255;
    std::string id = all.ids[size_t(i)];
    std::vector<Tensor> column{picture.slice(0, (wide - o.size) / 2, (wide + o.size) / 2)
                                   .slice(1, (wide - o.size) / 2, (wide + o.size) / 2)
                                   .contiguous()};
    for (int64_t k = 0; k < o.variants; ++k) {
      d16::Random random(o.seed, hash(id) + uint64_t(k));
      sim::Appearance look = sim::draw_appearance(random, range);
      if (o.reframe) look.enlarge = look.shrink;
      sim::Degraded d = sim::degrade_appearance(picture, look, random, {.size = o.size});
      std::string name = o.variants > 1 ? text(id, "_v", k + 1) : id, kinds;
      for (sim::Contaminant const& c : d.contaminants[0])
        kinds += (kinds.empty() ? "" : ";") + std::string(name_of(c.kind));
      out.write(name + ".png", [&](std::string const& path) { io::write_png(path, d.noisy); });
      out.write("clean/" + name + "_clean.png", [&](std::string const& path) { io::write_png(path, d.clean); });
      rows.push_back(
          {name, name + ".png", kinds, d.snr[0], d.sigma[0], d.re_over_fwhm[0], d.shrink[0], look.correlation});
      column.push_back(d.noisy);
    }
    if (shown.size() < 8) shown.push_back(std::move(column));
    progress.step();
  }
  out.write("appearance.csv", [&](std::string const& path) { io::write_csv(path, table_of(rows)); });
  out.commit();
  if (!o.sheet.empty()) io::write_png(o.sheet, sheet(shown));
  say(text(o.out, ": ", rows.size(), " pictures of ", count, " galaxies, degraded at the level of appearance, ",
           all.flagged.size(), " left out; appearance.csv"));
  return Json::object({{"out", o.out},
                       {"pictures", int64_t(rows.size())},
                       {"left_out", int64_t(all.flagged.size())},
                       {"level", "appearance"},
                       {"simulated", true}});
}

}  // namespace tool
