// Plots as inline SVG for html.hpp's pages: lines, points, histograms, ROC and reliability. Standard library only.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "../core/error.hpp"
#include "html.hpp"

namespace d16::io::html {

struct Axis {
  std::string label = {};
  double low = std::numeric_limits<double>::quiet_NaN();  ///< NaN: from the data
  double high = std::numeric_limits<double>::quiet_NaN();
  bool log = false;  ///< values that are not positive are left out
};

struct Series {
  enum class Mark { line, points, steps };
  std::string name = {};
  std::vector<double> x = {}, y = {};
  Mark mark = Mark::line;
  std::vector<double> low = {}, high = {};  ///< ends of a vertical bar at each point, of lines too; may be empty

  void add(double at, double value, double from, double to) {
    x.push_back(at), y.push_back(value), low.push_back(from), high.push_back(to);
  }
};

struct PlotOptions {
  std::string title = {};
  Axis x = {}, y = {};
  bool diagonal = false;  ///< a dashed line y = x
  int width = 480, height = 320;
  int64_t max_points = 5000;  ///< of one series of points; more are thinned out evenly, and the legend says so
};

struct Sample {
  std::string name = {};
  std::vector<double> values = {};
};

struct HistogramOptions {
  std::string title = {};
  Axis x = {};
  int bins = 30;
  bool density = false;  ///< fractions instead of counts, for samples of different size
};

namespace detail {

/// An axis with its range, the places of its labels, and where a value lies on the picture.
class Scale {
 public:
  Scale(Axis const& axis, std::vector<double> const& values, double from, double to)
      : log_(axis.log), from_(from), to_(to) {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (double v : values)
      if (shows(v)) low = std::min(low, v), high = std::max(high, v);
    if (!(low <= high)) low = log_ ? 0.1 : 0, high = 1;
    bool fixed_low = std::isfinite(axis.low), fixed_high = std::isfinite(axis.high);
    if (fixed_low) low = axis.low;
    if (fixed_high) high = axis.high;
    if (!(high - low > 1e-300 && high - low > 1e-12 * std::abs(high))) widen(low, high);
    if (log_) log_ticks(low, high, fixed_low, fixed_high);
    else linear_ticks(low, high, fixed_low, fixed_high);
  }

  /// Values that are not finite, or too extreme to compute with, are not drawn.
  bool shows(double v) const { return std::abs(v) < 1e300 && (!log_ || v > 1e-300); }
  /// Where v lies; what is outside the range is drawn on its edge.
  double at(double v) const {
    double t = log_ ? std::log(v / low_) / std::log(high_ / low_) : (v - low_) / (high_ - low_);
    return from_ + (to_ - from_) * std::clamp(t, 0.0, 1.0);
  }
  double low() const { return low_; }
  double high() const { return high_; }
  std::vector<double> const& ticks() const { return ticks_; }
  std::string label(double tick) const {
    if (log_) return significant(tick, 1);
    double largest = std::max(std::abs(low_), std::abs(high_));
    int digits = int(std::floor(std::log10(largest) + 1e-9) - std::floor(std::log10(step_) + 1e-9)) + 1;
    if (largest >= 1e6 || step_ < 1e-5) return significant(tick, digits);
    return number(tick, std::max(0, int(std::ceil(-std::log10(step_) - 1e-9))));
  }
  size_t longest_label() const {
    size_t longest = 1;
    for (double tick : ticks_) longest = std::max(longest, label(tick).size());
    return longest;
  }

 private:
  void widen(double& low, double& high) const {
    double half = log_ ? 0 : std::max(std::abs(low) * 0.1, 0.5);
    high = log_ ? low * 2 : low + half;
    low = log_ ? low / 2 : low - half;
  }
  /// Steps of 1, 2 or 5 times a power of ten, four to eight of them; free ends go to the next step.
  void linear_ticks(double low, double high, bool fixed_low, bool fixed_high) {
    double rough = (high - low) / 5, power = std::pow(10.0, std::floor(std::log10(rough)));
    step_ = power * (rough / power < 1.5 ? 1 : rough / power < 3.5 ? 2 : rough / power < 7.5 ? 5 : 10);
    low_ = fixed_low ? low : std::floor(low / step_ + 1e-9) * step_;
    high_ = fixed_high ? high : std::ceil(high / step_ - 1e-9) * step_;
    for (double k = std::ceil(low_ / step_ - 1e-9); k * step_ <= high_ + 1e-9 * step_ && ticks_.size() < 20; ++k)
      ticks_.push_back(k * step_);
  }
  void log_ticks(double low, double high, bool fixed_low, bool fixed_high) {
    double first = std::floor(std::log10(low) + 1e-9), last = std::max(first + 1, std::ceil(std::log10(high) - 1e-9));
    low_ = fixed_low ? low : std::pow(10.0, first);
    high_ = fixed_high ? high : std::pow(10.0, last);
    double every = std::max(1.0, std::ceil((last - first) / 6));
    for (double k = first; k <= last; k += every)
      if (std::pow(10.0, k) >= low_ * (1 - 1e-9) && std::pow(10.0, k) <= high_ * (1 + 1e-9))
        ticks_.push_back(std::pow(10.0, k));
  }

  bool log_;
  double from_, to_, low_ = 0, high_ = 1, step_ = 1;
  std::vector<double> ticks_;
};

/// Coordinates with a tenth of a unit are finer than a screen.
inline std::string coordinate(double v) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, std::round(v * 10) / 10).ptr};
}

inline std::string colour(size_t series) { return text("var(--s", series % 6 + 1, ")"); }

inline std::string line(double x1, double y1, double x2, double y2, char const* kind) {
  return text("<line class=\"", kind, "\" x1=\"", coordinate(x1), "\" y1=\"", coordinate(y1), "\" x2=\"",
              coordinate(x2), "\" y2=\"", coordinate(y2), "\"/>");
}

/// The frame of a plot: both scales, grid, labels; what is drawn inside comes between open() and close().
struct Frame {
  PlotOptions options;
  Scale y, x;

  Frame(PlotOptions const& o, std::vector<double> const& xs, std::vector<double> const& ys)
      : options(o), y(o.y, ys, o.height - 46, 10), x(o.x, xs, left_margin(), o.width - 14) {}

  double left_margin() const { return (options.y.label.empty() ? 14 : 32) + 7.0 * double(y.longest_label()); }
  double bottom() const { return options.height - 46; }

  std::string open() const {
    std::string out =
        text("<svg viewBox=\"0 0 ", options.width, " ", options.height, "\" role=\"img\" aria-label=\"",
             escape(options.title.empty() ? options.y.label + " against " + options.x.label : options.title), "\">\n");
    double left = left_margin(), right = options.width - 14;
    for (double tick : y.ticks()) {
      out += line(left, y.at(tick), right, y.at(tick), "gridline");
      out += text("<text x=\"", coordinate(left - 7), "\" y=\"", coordinate(y.at(tick) + 4), "\" text-anchor=\"end\">",
                  y.label(tick), "</text>\n");
    }
    for (double tick : x.ticks())
      out += text("<text x=\"", coordinate(x.at(tick)), "\" y=\"", coordinate(bottom() + 18),
                  "\" text-anchor=\"middle\">", x.label(tick), "</text>\n");
    return out;
  }
  std::string close() const {
    double left = left_margin(), right = options.width - 14, middle = (10 + bottom()) / 2;
    std::string out = line(left, bottom(), right, bottom(), "axis");
    if (!options.x.label.empty())
      out += text("<text class=\"name\" x=\"", coordinate((left + right) / 2), "\" y=\"", options.height - 6,
                  "\" text-anchor=\"middle\">", escape(options.x.label), "</text>\n");
    if (!options.y.label.empty())
      out += text("<text class=\"name\" transform=\"translate(13 ", coordinate(middle),
                  ") rotate(-90)\" text-anchor=\"middle\">", escape(options.y.label), "</text>\n");
    return out + "</svg>\n";
  }
};

/// A title and, for more than one series, a legend above a drawing.
inline std::string framed(std::string const& title, std::vector<std::string> const& names, std::string const& svg) {
  std::string out = "<div class=\"plot\">";
  if (!title.empty()) out += "<h3>" + escape(title) + "</h3>";
  bool any = std::any_of(names.begin(), names.end(), [](std::string const& name) { return !name.empty(); });
  if (any) out += "<div class=\"legend\">";
  for (size_t i = 0; any && i < names.size(); ++i)
    out += text("<span><i style=\"background:", colour(i), "\"></i>", escape(names[i]), "</span>");
  if (any) out += "</div>";
  return out + "\n" + svg + "</div>\n";
}

/// Which points of a long line to draw: of every stretch the lowest and the highest, so that no spike is lost.
inline std::vector<size_t> line_points(std::vector<double> const& y) {
  std::vector<size_t> kept;
  size_t stretch = std::max<size_t>(1, y.size() / 500);
  for (size_t begin = 0; begin < y.size(); begin += stretch) {
    size_t low = begin, high = begin;
    for (size_t i = begin; i < std::min(y.size(), begin + stretch); ++i) {
      if (y[i] < y[low]) low = i;
      if (y[i] > y[high]) high = i;
    }
    kept.push_back(std::min(low, high));
    if (low != high) kept.push_back(std::max(low, high));
  }
  if (!kept.empty() && kept.back() + 1 != y.size()) kept.push_back(y.size() - 1);
  return kept;
}

inline std::string draw_line(Frame const& frame, Series const& s, size_t index) {
  std::string path;
  bool pen_down = false;
  double last_y = 0;
  for (size_t i : line_points(s.y)) {
    if (!frame.x.shows(s.x[i]) || !frame.y.shows(s.y[i])) {
      pen_down = false;  // a gap where there is no value
      continue;
    }
    double x = frame.x.at(s.x[i]), y = frame.y.at(s.y[i]);
    if (pen_down && s.mark == Series::Mark::steps) path += text("L", coordinate(x), " ", coordinate(last_y));
    path += text(pen_down ? "L" : "M", coordinate(x), " ", coordinate(y));
    pen_down = true;
    last_y = y;
  }
  return text("<path d=\"", path, "\" fill=\"none\" stroke=\"", colour(index),
              "\" stroke-width=\"2\" stroke-linejoin=\"round\" stroke-linecap=\"round\"/>\n");
}

inline std::string draw_points(Frame const& frame, Series const& s, size_t index, int64_t max_points) {
  std::string out = text("<g fill=\"", colour(index), "\" stroke=\"", colour(index), "\">\n");
  size_t n = s.x.size(), drawn = std::min(n, size_t(max_points));
  double radius = drawn > 500 ? 1.8 : drawn > 60 ? 2.6 : 3.6, opacity = drawn > 500 ? 0.45 : 0.85;
  for (size_t k = 0; k < drawn; ++k) {
    size_t i = k * n / drawn;
    if (!frame.x.shows(s.x[i]) || !frame.y.shows(s.y[i])) continue;
    std::string x = coordinate(frame.x.at(s.x[i]));
    if (!s.low.empty() && frame.y.shows(s.high[i]) && std::isfinite(s.low[i]))
      out += text("<path d=\"M", x, " ", coordinate(frame.y.at(std::max(s.low[i], frame.y.low()))), "V",
                  coordinate(frame.y.at(s.high[i])), "\" stroke-width=\"1.3\" opacity=\".6\"/>");
    out += text("<circle cx=\"", x, "\" cy=\"", coordinate(frame.y.at(s.y[i])), "\" r=\"", radius,
                "\" stroke=\"none\" opacity=\"", opacity, "\"/>\n");
  }
  return out + "</g>\n";
}

}  // namespace detail

/// Lines, steps and points over two axes. Values that are not finite leave gaps.
/// Errors   ShapeError when x and y (and low and high, if given) of a series differ in length.
inline std::string plot(std::vector<Series> const& series, PlotOptions const& o = {}) {
  std::vector<double> xs, ys;
  std::vector<std::string> names;
  for (Series const& s : series) {
    size_t n = s.x.size(), bars = s.low.size();
    require<ShapeError>(n == s.y.size() && bars == s.high.size() && (bars == 0 || bars == n), "html::plot: series \"",
                        s.name, "\" has ", n, " x, ", s.y.size(), " y, ", bars, " low, ", s.high.size(),
                        " high; as many of each are needed");
    xs.insert(xs.end(), s.x.begin(), s.x.end());
    ys.insert(ys.end(), s.y.begin(), s.y.end());
    ys.insert(ys.end(), s.low.begin(), s.low.end());
    ys.insert(ys.end(), s.high.begin(), s.high.end());
    bool thinned = s.mark == Series::Mark::points && int64_t(s.x.size()) > o.max_points;
    names.push_back(thinned ? text(s.name, " (", count(o.max_points), " of ", count(int64_t(s.x.size())), " drawn)")
                            : s.name);
  }
  detail::Frame frame(o, xs, ys);
  std::string svg = frame.open();
  double low = std::max(frame.x.low(), frame.y.low()), high = std::min(frame.x.high(), frame.y.high());
  if (o.diagonal && low < high)
    svg += detail::line(frame.x.at(low), frame.y.at(low), frame.x.at(high), frame.y.at(high), "guide");
  for (size_t i = 0; i < series.size(); ++i) {
    bool points = series[i].mark == Series::Mark::points;
    if (!points) svg += detail::draw_line(frame, series[i], i);
    if (points || !series[i].low.empty()) svg += detail::draw_points(frame, series[i], i, o.max_points);
  }
  return detail::framed(o.title, names, svg + frame.close());
}

/// How often values fall into equal bins; several samples lie over each other. Values beyond the axis count in its
/// outer bins; those that are not finite are left out, and the legend says how many.
inline std::string histogram(std::vector<Sample> const& samples, HistogramOptions const& o = {}) {
  require<ValueError>(o.bins >= 1 && o.bins <= 1000, "html::histogram: ", o.bins, " bins; 1 to 1000 are needed");
  std::vector<double> all;
  for (Sample const& s : samples) all.insert(all.end(), s.values.begin(), s.values.end());
  detail::Scale range(o.x, all, 0, o.bins);
  std::vector<std::vector<double>> heights;
  std::vector<std::string> names;
  std::vector<double> ys{0};
  for (Sample const& s : samples) {
    std::vector<double> height(size_t(o.bins), 0.0);
    int64_t counted = 0;
    for (double v : s.values)
      if (range.shows(v)) ++height[std::min(size_t(range.at(v)), size_t(o.bins - 1))], ++counted;
    for (double& h : height) h /= o.density && counted ? double(counted) : 1;
    ys.push_back(*std::max_element(height.begin(), height.end()));
    heights.push_back(std::move(height));
    int64_t left_out = int64_t(s.values.size()) - counted;
    names.push_back(left_out ? text(s.name, s.name.empty() ? "" : ", ", count(left_out), " without a value") : s.name);
  }
  PlotOptions p{.title = o.title, .x = o.x, .y = {.label = o.density ? "fraction" : "count", .low = 0}};
  p.x.low = range.low(), p.x.high = range.high();
  detail::Frame frame(p, all, ys);
  std::string svg = frame.open();
  double left = frame.x.at(range.low()), width = (frame.x.at(range.high()) - left) / o.bins, floor = frame.bottom();
  for (size_t i = 0; i < heights.size(); ++i) {
    svg += text("<g fill=\"", detail::colour(i), "\" opacity=\"", samples.size() > 1 ? 0.6 : 0.9, "\">\n");
    for (size_t bin = 0; bin < heights[i].size(); ++bin) {
      if (heights[i][bin] <= 0) continue;
      double top = frame.y.at(heights[i][bin]);
      svg += text("<rect x=\"", detail::coordinate(left + double(bin) * width + 0.5), "\" y=\"",
                  detail::coordinate(top), "\" width=\"", detail::coordinate(std::max(0.5, width - 1)), "\" height=\"",
                  detail::coordinate(floor - top), "\"><title>", significant(heights[i][bin], 4), "</title></rect>\n");
    }
    svg += "</g>\n";
  }
  return detail::framed(o.title, names, svg + frame.close());
}

/// A ROC curve: true against false positive rate, with the area below it in the legend.
inline std::string roc_curve(std::vector<double> const& false_positive, std::vector<double> const& true_positive,
                             double area, std::string_view title = "ROC") {
  return plot({{.name = text("area ", number(area, 3)), .x = false_positive, .y = true_positive}},
              {.title = std::string(title),
               .x = {"false positive rate", 0, 1},
               .y = {"true positive rate", 0, 1},
               .diagonal = true});
}

/// A reliability curve: in each bin the fraction that was true against the mean predicted probability, with the
/// binomial error of the fraction. Empty bins (count 0) are left out.
inline std::string reliability(std::vector<double> const& predicted, std::vector<double> const& observed,
                               std::vector<int64_t> const& counts, std::string_view title = "Reliability") {
  require<ShapeError>(predicted.size() == observed.size() && counts.size() == observed.size(),
                      "html::reliability: ", predicted.size(), " predicted, ", observed.size(), " observed, ",
                      counts.size(), " counts; as many of each are needed");
  Series s{.name = "observed", .mark = Series::Mark::points};
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    double error = std::sqrt(std::max(0.0, observed[i] * (1 - observed[i])) / double(counts[i]));
    s.add(predicted[i], observed[i], observed[i] - error, observed[i] + error);
  }
  return plot({s}, {.title = std::string(title),
                    .x = {"predicted probability", 0, 1},
                    .y = {"fraction true", 0, 1},
                    .diagonal = true});
}

}  // namespace d16::io::html
