// Plots and pictures of the report of `d16 study disk`: bodies of study_disk_figures.hpp.
#include "study_disk_figures.hpp"

#include <algorithm>
#include <cmath>

#include <d16/io/html.hpp>
#include <d16/io/plot.hpp>
#include <d16/io/png.hpp>

namespace tool {

using d16::DType;
using d16::Tensor;
using d16::text;
namespace html = d16::io::html;
namespace io = d16::io;
namespace learn = d16::learn;

std::string level_plots(DiskStudy& study, std::string const& model) {
  std::vector<std::string> pieces;
  for (double size : disk_sizes) {
    std::vector<html::Series> series;
    for (char const* regime : {"a", "b", "c", "d", "e"}) {
      html::Series s{.name = regime};
      auto const& runs = study.runs(model, regime);
      if (runs.empty()) continue;
      for (double snr : disk_snr) {
        std::vector<double> list;
        DiskTruth const& t = study.truth(disk_part(snr, size));
        for (DiskRun const& run : runs) {
          std::vector<int64_t> all, calls;
          for (double p : run.p(disk_part(snr, size)))
            all.push_back(int64_t(all.size())), calls.push_back(p >= run.rule.threshold);
          list.push_back(balanced(all, t.label, calls));
        }
        learn::Spread spread = learn::spread_of_runs(list);
        double error = std::isfinite(spread.sigma) ? spread.sigma : 0;
        s.add(snr, spread.mean, spread.mean - error, spread.mean + error);
      }
      series.push_back(std::move(s));
    }
    if (!series.empty())
      pieces.push_back(html::plot(series, {.title = text(model, ", R_e/FWHM ", size),
                                           .x = {.label = "S/N", .log = true},
                                           .y = {.label = "balanced accuracy", .low = 0.5, .high = 1}}));
  }
  return html::grid(pieces);
}

std::string false_plots(DiskStudy& study, std::string const& model) {
  std::vector<std::string> pieces;
  for (NullKind const& kind : null_kinds) {
    std::vector<html::Series> series;
    for (char const* regime : {"b", "d", "e"}) {
      html::Series s{.name = regime};
      for (double snr : disk_snr) {
        learn::Fraction f = sure_disks(study, study.runs(model, regime), null_part(kind, snr), kind.label);
        if (f.n) s.add(snr, f.value, f.interval.low, f.interval.high);
      }
      if (!s.x.empty()) series.push_back(std::move(s));
    }
    if (!series.empty())
      pieces.push_back(html::plot(series, {.title = text(model, ": ", kind.name),
                                           .x = {.label = "S/N", .log = true},
                                           .y = {.label = "share with p > 0.7", .low = 0}}));
  }
  return html::grid(pieces);
}

std::string reliability_plots(DiskStudy& study) {
  std::vector<std::string> pieces;
  for (char const* model : {"d16", "cnn"}) {
    std::vector<html::Series> series;
    for (char const* regime : {"b", "d", "e"}) {
      auto const& runs = study.runs(model, regime);
      if (runs.empty()) continue;
      std::vector<double> p;
      std::vector<int64_t> label;
      for (std::string const& part : disk_ladder()) {
        std::vector<double> some = runs[0].p(part);
        DiskTruth const& t = study.truth(part);
        p.insert(p.end(), some.begin(), some.end()), label.insert(label.end(), t.label.begin(), t.label.end());
      }
      int64_t n = int64_t(p.size());
      html::Series s{.name = regime};
      for (auto const& bin : learn::reliability_bins(d16::from(p, {n}), d16::from(label, {n}))) {
        if (!bin.count) continue;
        double error = std::sqrt(bin.fraction * (1 - bin.fraction) / double(bin.count));
        s.add(bin.mean_probability, bin.fraction, bin.fraction - error, bin.fraction + error);
      }
      series.push_back(std::move(s));
    }
    if (!series.empty())
      pieces.push_back(html::plot(series, {.title = text(model, ", all levels"),
                                           .x = {"calibrated p of a disk", 0, 1},
                                           .y = {"share that are disks", 0, 1},
                                           .diagonal = true}));
  }
  return html::grid(pieces);
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
  DiskPairs pairs = study.data.pairs(part);
  DiskSet set = study.data.load(part);
  std::vector<html::Card> cards;
  if (!study.has_denoiser()) return html::paragraph("The denoiser has not been trained yet.");
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
  return html::gallery(cards);
}

std::string fading(DiskStudy& study) {
  if (!study.data.has_ceers()) return html::paragraph("There is no jwst_ceers_nircam in --shared.");
  std::vector<std::string> pieces;
  constexpr double levels[] = {100, 30, 10, 3};
  for (char const* regime : {"b", "d", "e"}) {
    auto const& runs = study.runs("d16", regime);
    if (runs.empty() || !runs[0].has("ceers-1")) continue;
    for (int shrink : {1, 2, 4}) {
      std::string part = text("ceers-", shrink);
      DiskTruth const& t = study.truth(part);
      std::vector<html::Series> series;
      for (size_t first = 0; first < t.item.size(); first += 12) {
        html::Series s{.name = text(t.field[first])};
        for (size_t level = 0; level < 4; ++level) {
          std::vector<double> list;
          for (DiskRun const& run : runs) {
            std::vector<double> p = run.p(part);
            for (size_t copy = 0; copy < 3; ++copy) list.push_back(p[first + 3 * level + copy]);
          }
          learn::Spread spread = learn::spread_of_runs(list);
          s.add(levels[level], spread.mean, spread.mean - spread.sigma, spread.mean + spread.sigma);
        }
        series.push_back(std::move(s));
      }
      pieces.push_back(html::plot(series, {.title = text("d16, regime ", regime, ", shrunk ", shrink, " times"),
                                           .x = {.label = "S/N", .log = true},
                                           .y = {"p of a disk", 0, 1}}));
    }
  }
  return pieces.empty() ? html::paragraph(not_run) : html::grid(pieces);
}

std::string worst_errors(DiskStudy& study, size_t count) {
  auto const& runs = study.runs("d16", "b");
  if (runs.empty()) return html::paragraph(not_run);
  struct Error {
    double doubt;
    std::string part;
    int64_t at;
    double p;
  };
  std::vector<Error> errors;
  for (double size : disk_sizes)
    for (double snr : {15.0, 35.0, 100.0}) {
      std::string part = disk_part(snr, size);
      std::vector<double> p = runs[0].p(part);
      DiskTruth const& t = study.truth(part);
      for (size_t i = 0; i < p.size(); ++i) errors.push_back({t.label[i] ? p[i] : 1 - p[i], part, int64_t(i), p[i]});
    }
  std::sort(errors.begin(), errors.end(), [](Error const& a, Error const& b) { return a.doubt < b.doubt; });
  std::vector<html::Card> cards;
  std::map<int64_t, bool> seen;
  for (Error const& e : errors) {
    if (cards.size() == count) break;
    int64_t item = study.truth(e.part).item[size_t(e.at)];
    if (std::exchange(seen[item], true)) continue;
    DiskSet set = study.data.load(e.part);
    cards.push_back(
        {study.data.id(item),
         html::badge(set.is_disk(e.at) ? "disk" : "elliptical"),
         {{grey_png(set.noisy.select(0, e.at)), "as seen"}, {io::encode_png(study.data.picture(item)), "as it was"}},
         html::meter(e.p, "p of a disk") + html::paragraph(e.part)});
  }
  return html::gallery(cards);
}

}  // namespace tool
