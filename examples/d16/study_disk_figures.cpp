// Plots and pictures of the report of `d16 study disk`: bodies of study_disk_figures.hpp.
#include "study_disk_figures.hpp"

#include <algorithm>
#include <cmath>

#include <d16/io/html.hpp>
#include <d16/io/plot.hpp>
#include <d16/io/png.hpp>

#include "study_disk_galaxies.hpp"

namespace tool {

using d16::DType;
using d16::Tensor;
using d16::text;
namespace html = d16::io::html;
namespace io = d16::io;
namespace learn = d16::learn;

namespace {

/// Plots side by side, with room below them.
std::string plots(std::vector<std::string> const& pieces) {
  return pieces.empty() ? "" : "<div style=\"margin-bottom:24px\">" + html::grid(pieces) + "</div>\n";
}

/// Regimes that were not run keep their colours. Nothing when none was run.
void add_plot(std::vector<std::string>& pieces, std::vector<html::Series> series, html::PlotOptions const& o) {
  bool any = false;
  for (html::Series& s : series)
    if (s.x.empty()) s.name += text(" (", not_run, ")");
    else any = true;
  if (any) pieces.push_back(html::plot(series, o));
}

/// Over the seeds of a regime.
learn::Spread balanced_at(DiskStudy& study, std::vector<DiskRun> const& runs, std::string const& part) {
  std::vector<double> list;
  for (DiskRun const& run : runs) list.push_back(balanced_on(study, run, part));
  return learn::spread_of_runs(list);
}

}  // namespace

std::string heading(std::string const& title) {
  return "<h3 style=\"margin:26px 0 10px\">" + html::escape(title) + "</h3>\n";
}

std::string level_plots(DiskStudy& study, DiskModel const& model) {
  std::vector<std::string> pieces;
  for (double size : disk_sizes) {
    std::vector<html::Series> series;
    for (char const* regime : {"b", "d", "e", "a", "c"}) {
      html::Series& s = series.emplace_back(html::Series{.name = regime});
      auto const& runs = study.runs(model.name, regime);
      if (runs.empty()) continue;
      for (double snr : disk_snr) {
        learn::Spread spread = balanced_at(study, runs, disk_part(snr, size));
        double error = std::isfinite(spread.sigma) ? spread.sigma : 0;
        s.add(snr, spread.mean, spread.mean - error, spread.mean + error);
      }
    }
    add_plot(pieces, std::move(series),
             {.title = text(model.what, ", R_e/FWHM ", size),
              .x = {.label = "S/N", .log = true},
              .y = {.label = "balanced accuracy", .low = 0.4, .high = 1}});
  }
  return plots(pieces);
}

std::string false_plots(DiskStudy& study, DiskModel const& model) {
  std::vector<std::string> pieces;
  for (NullKind const& kind : null_kinds) {
    std::vector<html::Series> series;
    for (char const* regime : {"b", "d", "e"}) {
      html::Series& s = series.emplace_back(html::Series{.name = regime});
      for (double snr : disk_snr) {
        learn::Fraction f = sure_disks(study, study.runs(model.name, regime), null_parts(kind, snr), kind.label);
        if (f.n) s.add(snr, f.value, f.interval.low, f.interval.high);
      }
    }
    add_plot(pieces, std::move(series),
             {.title = text(model.what, ": ", kind.name),
              .x = {.label = "S/N", .log = true},
              .y = {.label = "share with p > 0.7", .low = 0}});
  }
  return plots(pieces);
}

std::string reliability_plots(DiskStudy& study, std::vector<DiskModel> const& models) {
  std::vector<std::string> pieces;
  for (DiskModel const& model : models) {
    std::vector<html::Series> series;
    for (char const* regime : {"b", "d", "e"}) {
      html::Series& s = series.emplace_back(html::Series{.name = regime});
      for (ReliabilityRow const& row : reliability_rows(study, model.name, regime))
        if (row.disks.n) s.add(row.mean_p, row.disks.value, row.disks.interval.low, row.disks.interval.high);
    }
    add_plot(pieces, std::move(series),
             {.title = text(model.what, ", all levels"),
              .x = {"calibrated p of a disk", 0, 1},
              .y = {"share that are disks", 0, 1},
              .diagonal = true});
  }
  return plots(pieces);
}

namespace {

/// A plane (side,side,1) as a picture in grey.
std::string grey_png(Tensor const& plane) {
  Tensor x = plane.cast(DType::f32).contiguous();
  Tensor out = d16::empty({x.dim(0), x.dim(1), 3});
  for (int64_t k = 0; k < x.numel(); ++k)
    std::fill_n(out.data<float>() + 3 * k, 3, std::clamp(x.data<float>()[k], 0.0f, 1.0f));
  return io::encode_png(out);
}

/// Standard deviation of the denoised light (1,side,side,1) over six draws of noise, added once more.
Tensor spread_by_noise(DiskStudy const& study, Tensor const& noisy, d16::vision::Stretch const& stretch,
                       uint64_t stream) {
  constexpr int64_t draws = 6;
  d16::Random random(16, stream);
  std::vector<d16::vision::Stretch> const same(size_t(draws), stretch);
  Tensor seen = d16::empty({draws, disk_side, disk_side, 1}), out = d16::empty(noisy.shape());
  for (int64_t k = 0; k < draws; ++k) {
    Tensor light = noisy.select(0, 0).clone();
    for (float& v : light.host<float>()) v += float(stretch.bands[0].sigma * random.normal());
    Tensor y = stretch.apply(light);
    std::copy_n(y.data<float>(), y.numel(), seen.data<float>() + k * y.numel());
  }
  Tensor light = disk_light(study.data.denoise(seen), same);
  for (int64_t i = 0; i < out.numel(); ++i) {
    std::vector<double> values;
    for (int64_t k = 0; k < draws; ++k) values.push_back(double(light.data<float>()[k * out.numel() + i]));
    out.data<float>()[i] = float(learn::spread_of_runs(values).sigma);
  }
  return out;
}

}  // namespace

std::string examples(DiskStudy& study, double snr) {
  std::string part = disk_part(snr, 1.5);
  if (!study.has_denoiser()) return html::paragraph("The denoiser has not been trained yet.");
  DiskPairs pairs = study.data.pairs(part);
  DiskSet set = study.data.load(part);
  std::vector<html::Card> cards;
  for (int64_t i = 0; i < std::min<int64_t>(8, set.size()); ++i) {
    std::vector<d16::vision::Stretch> const stretch{pairs.stretch[size_t(i)]};
    Tensor seen = pairs.seen.slice(0, i, i + 1).cast(DType::f32).contiguous();
    Tensor noisy = disk_light(seen, stretch), denoised = disk_light(study.data.denoise(seen), stretch);
    Tensor clean = disk_light(pairs.target.slice(0, i, i + 1).cast(DType::f32).contiguous(), stretch);
    double sigma = stretch[0].bands[0].sigma;
    Tensor spread = spread_by_noise(study, noisy, stretch[0], uint64_t(i));
    cards.push_back({text(study.data.id(set.item.data<int64_t>()[i])),
                     html::badge(set.is_disk(i) ? "disk" : "elliptical"),
                     {{grey_png(set.noisy.select(0, i)), "raw"},
                      {grey_png(disk_inputs(denoised).select(0, 0)), "denoised"},
                      {grey_png((spread / sigma).select(0, 0)), "σ, white: that of the noise"},
                      {grey_png(((noisy - denoised) / (10 * sigma) + 0.5).select(0, 0)), "residual / σ, ±5"},
                      {grey_png(disk_inputs(clean).select(0, 0)), "truth"}},
                     ""});
  }
  return heading(text("S/N ", snr, ", R_e/FWHM 1.5")) + html::gallery(cards);
}

std::string fading_plots(DiskStudy& study) {
  std::vector<std::string> pieces;
  for (char const* regime : {"b", "d", "e"})
    for (int shrink : faded_shrinks) {
      std::vector<html::Series> series;
      for (FadedGalaxy const& g : faded_galaxies(study, regime, shrink)) {
        if (series.empty() || series.back().name != text(g.id)) series.push_back({.name = text(g.id)});
        series.back().add(g.snr, g.p.mean, g.p.mean - g.p.sigma, g.p.mean + g.p.sigma);
      }
      if (!series.empty())
        pieces.push_back(html::plot(series, {.title = text("Regime ", regime, ", ", shrunk_text(shrink)),
                                             .x = {.label = "S/N", .log = true},
                                             .y = {"p of a disk", 0, 1}}));
    }
  return pieces.empty() ? html::paragraph(not_run) : plots(pieces);
}

std::string error_pictures(DiskStudy& study, size_t count) {
  std::vector<html::Card> cards;
  for (DiskError const& e : worst_errors(study, count)) {
    DiskSet set = study.data.load(e.part());
    std::string below = html::meter(e.p_b, "p in b");
    if (std::isfinite(e.p_d)) below += html::meter(e.p_d, "p in d");
    if (std::isfinite(e.p_e)) below += html::meter(e.p_e, "p in e");
    cards.push_back(
        {study.data.id(e.item),
         html::badge(e.is_disk ? "disk" : "elliptical"),
         {{grey_png(set.noisy.select(0, e.at)), "as seen"}, {io::encode_png(study.data.picture(e.item)), "as it was"}},
         below + html::paragraph(e.level())});
  }
  return cards.empty() ? html::paragraph(not_run) : html::gallery(cards);
}

}  // namespace tool
