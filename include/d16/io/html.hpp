// The pieces of a one-file HTML report: text, tiles, tables, cards with pictures, and the page around them.
// Everything is inline (style, SVG, data: URIs): the file can be mailed. Light and dark follow the reader's system.
// Standard library only; a piece is a std::string of HTML, and pieces are put together with +.
#pragma once
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "../core/error.hpp"
#include "base64.hpp"
#include "table.hpp"
#include "utf8.hpp"

namespace d16::io::html {

/// Text made harmless inside HTML and its attributes. Bytes that are not UTF-8 become U+FFFD, controls become spaces.
inline std::string escape(std::string_view s) {
  std::string out;
  while (!s.empty()) {
    size_t length = utf8_length(s);
    switch (s[0]) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default:
        if (length == 0) out += "\uFFFD";
        else if (static_cast<unsigned char>(s[0]) < ' ') out += ' ';
        else out += s.substr(0, length);
    }
    s.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

/// A number for people: `digits` after the point, a true minus sign, an en dash where there is none (NaN).
inline std::string number(double value, int digits) {
  if (std::isnan(value)) return "–";
  if (std::isinf(value)) return value > 0 ? "∞" : "−∞";
  char buffer[400];
  std::string s(buffer,
                std::to_chars(buffer, buffer + sizeof buffer, std::abs(value), std::chars_format::fixed, digits).ptr);
  bool zero = s.find_first_not_of("0.") == s.npos;
  return value < 0 && !zero ? "−" + s : s;
}

/// A number for people with about `digits` significant digits: 0.0123, 17736, 1.2e9.
inline std::string significant(double value, int digits = 3) {
  if (!std::isfinite(value) || value == 0) return number(value, 0);
  int exponent = int(std::floor(std::log10(std::abs(value)) + 1e-12));
  if (exponent >= -4 && exponent < 7) return number(value, std::max(0, digits - 1 - exponent));
  return number(value / std::pow(10.0, exponent), digits - 1) + "e" + (exponent < 0 ? "−" : "") +
         std::to_string(std::abs(exponent));
}

/// "17,736".
inline std::string count(int64_t value) {
  std::string s = std::to_string(std::abs(value));
  for (size_t at = s.size(); at > 3; at -= 3) s.insert(at - 3, ",");
  return value < 0 ? "−" + s : s;
}

/// What a badge, a notice or a meter wants to say.
enum class Tone { plain, good, warning, bad };

namespace detail {
inline char const* tone_class(Tone tone) {
  switch (tone) {
    case Tone::good: return "good";
    case Tone::warning: return "warning";
    case Tone::bad: return "bad";
    case Tone::plain: break;
  }
  return "plain";
}
}  // namespace detail

inline std::string paragraph(std::string_view words) { return "<p>" + escape(words) + "</p>\n"; }

inline std::string badge(std::string_view words, Tone tone = Tone::plain) {
  return text("<span class=\"badge ", detail::tone_class(tone), "\">", escape(words), "</span>");
}

/// A line that must not be overlooked.
inline std::string notice(std::string_view words, Tone tone = Tone::warning) {
  return text("<p class=\"notice ", detail::tone_class(tone), "\">", escape(words), "</p>\n");
}

/// A bar from 0 to 1 with its value.
inline std::string meter(double value, std::string_view label) {
  double shown = std::isnan(value) ? 0 : std::clamp(value, 0.0, 1.0);
  return text("<div class=\"meter\"><span>", escape(label), "</span><i><b style=\"width:", 100 * shown,
              "%\"></b></i><em>", number(value, 2), "</em></div>\n");
}

/// A chapter of the report; `lead` is one muted sentence below the title.
inline std::string section(std::string_view title, std::string_view lead, std::string_view body) {
  std::string below = lead.empty() ? "" : "<p class=\"lead\">" + escape(lead) + "</p>";
  return text("<section>\n<h2>", escape(title), "</h2>\n", below, "\n", body, "</section>\n");
}

/// Something with a caption below.
inline std::string figure(std::string_view content, std::string_view caption) {
  std::string below = caption.empty() ? "" : "<figcaption>" + escape(caption) + "</figcaption>";
  return text("<figure>", content, below, "</figure>\n");
}

/// Pieces side by side, as many as the window has room for.
inline std::string grid(std::vector<std::string> const& pieces) {
  std::string out = "<div class=\"grid\">\n";
  for (std::string const& piece : pieces) out += piece;
  return out + "</div>\n";
}

/// A large number with what it means.
struct Tile {
  std::string value, label;
  std::string note = {};
};
inline std::string tiles(std::vector<Tile> const& list) {
  std::string out = "<div class=\"tiles\">\n";
  for (Tile const& tile : list)
    out += text("<div><strong>", escape(tile.value), "</strong><span>", escape(tile.label), "</span><small>",
                escape(tile.note), "</small></div>\n");
  return out + "</div>\n";
}

/// A PNG or JPEG as an <img>; `alt` for those who cannot see it. Small cutouts are shown with square pixels.
/// Errors   ValueError for bytes that are neither.
inline std::string image(std::string_view encoded, std::string_view alt) {
  bool png = encoded.starts_with("\x89PNG"), jpeg = encoded.starts_with("\xFF\xD8\xFF");
  require<ValueError>(png || jpeg, "html::image: ", encoded.size(),
                      " bytes that are no picture; encode_png or encode_jpeg make one");
  return text("<img alt=\"", escape(alt), "\" src=\"", data_uri(png ? "image/png" : "image/jpeg", encoded), "\">");
}

/// One object of a gallery: its name, pictures side by side, and whatever HTML belongs below.
struct Picture {
  std::string encoded, caption;
};
struct Card {
  std::string title;
  std::string badge = {};  ///< HTML: html::badge(...)
  std::vector<Picture> pictures = {};
  std::string below = {};  ///< HTML: html::meter(...), html::paragraph(...)
};
inline std::string gallery(std::vector<Card> const& cards) {
  std::string out = "<div class=\"gallery\">\n";
  for (Card const& card : cards) {
    out +=
        text("<article><header><h3>", escape(card.title), "</h3>", card.badge, "</header>\n<div class=\"pictures\">");
    for (Picture const& picture : card.pictures)
      out += figure(image(picture.encoded, card.title + ", " + picture.caption), picture.caption);
    out += "</div>\n" + card.below + "</article>\n";
  }
  return out + "</div>\n";
}

struct TableStyle {
  int64_t max_rows = 200;
  int digits = 4;               ///< significant ones of the largest number of a column
  std::string rest_is_in = {};  ///< the file that has the rows beyond max_rows
};
namespace detail {

/// The real numbers of a column for people: all with the same decimals, unless that would hide the small ones. Degrees
/// get five decimals, which is 0.04 arcseconds.
inline std::vector<std::string> readable(std::vector<double> const& values, std::string const& unit, int digits) {
  double largest = 0, smallest = std::numeric_limits<double>::infinity();
  for (double v : values)
    if (std::isfinite(v) && v != 0)
      largest = std::max(largest, std::abs(v)), smallest = std::min(smallest, std::abs(v));
  int decimals = unit == "deg" ? 5 : largest > 0 ? std::max(0, digits - 1 - int(std::floor(std::log10(largest)))) : 0;
  bool alike = unit == "deg" || (largest < 1e7 && decimals <= 9 && smallest >= std::pow(10.0, -decimals));
  std::vector<std::string> out;
  for (double v : values) out.push_back(alike ? number(v, decimals) : significant(v, digits));
  return out;
}

}  // namespace detail

/// A table with units under the names and comments as tool tips; numbers are aligned at the right, NaN is an en dash.
inline std::string table(Table const& t, TableStyle const& style = {}) {
  std::vector<std::vector<std::string>> cells;
  std::string out = "<div class=\"scroll\"><table><thead><tr>";
  for (Column const& column : t.columns()) {
    bool is_text = std::holds_alternative<std::vector<std::string>>(column.values) ||
                   std::holds_alternative<std::vector<bool>>(column.values);
    bool is_real = std::holds_alternative<std::vector<double>>(column.values) ||
                   std::holds_alternative<std::vector<float>>(column.values);
    std::vector<std::string> list =
        is_real ? detail::readable(t.numbers(column.name), column.info.unit, style.digits) : t.strings(column.name);
    for (std::string& cell : list) cell = (is_text ? "<td class=\"text\">" : "<td>") + escape(cell) + "</td>";
    cells.push_back(std::move(list));
    out += text("<th", is_text ? " class=\"text\"" : "", " title=\"", escape(column.info.comment), "\">",
                escape(column.name), "<small>", escape(column.info.unit), "</small></th>");
  }
  out += "</tr></thead>\n<tbody>\n";
  int64_t shown = std::min(t.rows(), style.max_rows);
  for (size_t row = 0; row < size_t(shown); ++row) {
    out += "<tr>";
    for (auto const& column : cells) out += column[row];
    out += "</tr>\n";
  }
  out += "</tbody></table></div>\n";
  if (shown < t.rows())
    out += text("<p class=\"lead\">", count(t.rows() - shown), t.rows() - shown == 1 ? " more row" : " more rows",
                style.rest_is_in.empty() ? "" : " in " + escape(style.rest_is_in), ".</p>\n");
  return out;
}

/// How often each class (rows) was taken for each (columns); shading is the fraction of the row.
/// Errors   ShapeError unless counts is classes x classes, row-major.
inline std::string confusion_matrix(std::vector<std::string> const& classes, std::vector<int64_t> const& counts) {
  size_t n = classes.size();
  require<ShapeError>(counts.size() == n * n, "html::confusion_matrix: ", counts.size(), " counts for ", n,
                      " classes; ", n * n, " are needed");
  std::string out =
      "<div class=\"scroll\"><table class=\"confusion\"><thead><tr><td class=\"corner\">true \\ predicted</td>";
  for (std::string const& name : classes) out += "<th>" + escape(name) + "</th>";
  out += "<th class=\"total\">all</th></tr></thead>\n<tbody>\n";
  for (size_t i = 0; i < n; ++i) {
    int64_t total = 0;
    for (size_t j = 0; j < n; ++j) total += counts[i * n + j];
    out += "<tr><th class=\"text\">" + escape(classes[i]) + "</th>";
    for (size_t j = 0; j < n; ++j) {
      double fraction = total > 0 ? double(counts[i * n + j]) / double(total) : 0;
      out += text("<td", fraction > 0.55 ? " class=\"strong\"" : "", " style=\"--v:", fraction, "\">",
                  count(counts[i * n + j]), "<small>", number(100 * fraction, 1), " %</small></td>");
    }
    out += text("<td class=\"total\">", count(total), "</td></tr>\n");
  }
  return out + "</tbody></table></div>\n";
}

namespace detail {
inline constexpr char const* style = R"(
:root { color-scheme: light dark; --bg:#fafaf8; --card:#fff; --ink:#1c2126; --muted:#68717a; --line:#e4e5e3;
  --grid:#eeefed;
  --s1:#2f6db3; --s2:#d2691e; --s3:#2b8a68; --s4:#b0447a; --s5:#7159b0; --s6:#85682f; --heat:47 109 179;
  --good:#1f7a55; --warning:#9a6400; --bad:#b3372f; --good-bg:#e3f3ec; --warning-bg:#faf0da; --bad-bg:#f9e5e3; }
@media (prefers-color-scheme: dark) { :root { --bg:#131619; --card:#1a1e22; --ink:#e4e7ea; --muted:#929ca6;
  --line:#2b3138; --grid:#23282e;
  --s1:#7db0ee; --s2:#f0a05c; --s3:#68cda3; --s4:#e68ab6; --s5:#b5a2f0; --s6:#d2b47c; --heat:125 176 238;
  --good:#7fd6b0; --warning:#eebf66; --bad:#f2948c; --good-bg:#17332a; --warning-bg:#362b14; --bad-bg:#3a1f1d; } }
* { box-sizing: border-box; }
body { margin:0; background:var(--bg); color:var(--ink);
  font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif; }
main { max-width:1120px; margin:0 auto; padding:48px 28px 64px; }
h1 { font-size:30px; line-height:1.2; font-weight:650; letter-spacing:-.015em; margin:0 0 6px; }
.subtitle { color:var(--muted); font-size:16px; margin:0 0 32px; max-width:70ch; }
section { margin-top:44px; padding-top:26px; border-top:1px solid var(--line); }
h2 { font-size:20px; font-weight:620; letter-spacing:-.01em; margin:0 0 4px; }
h3 { font-size:15px; font-weight:600; margin:0; overflow-wrap:anywhere; }
p { margin:0 0 12px; max-width:75ch; }
.lead { color:var(--muted); margin:0 0 18px; max-width:none; }
footer { margin-top:56px; padding-top:18px; border-top:1px solid var(--line); color:var(--muted); font-size:13px;
  overflow-wrap:anywhere; }
.tiles { display:grid; grid-template-columns:repeat(auto-fit,minmax(150px,1fr)); gap:14px; margin:0 0 22px; }
.tiles div { background:var(--card); border:1px solid var(--line); border-radius:10px; padding:16px 18px 14px; }
.tiles strong { display:block; font-size:27px; line-height:1.15; font-weight:600; letter-spacing:-.02em;
  font-variant-numeric:tabular-nums; }
.tiles span { display:block; margin-top:4px; font-size:14px; }
.tiles small { color:var(--muted); font-size:12.5px; }
.grid { display:grid; grid-template-columns:repeat(auto-fit,minmax(min(380px,100%),1fr)); gap:18px;
  align-items:start; }
figure { margin:0; }
.grid > figure, .grid > .plot, .grid > .scroll { background:var(--card); border:1px solid var(--line);
  border-radius:10px; padding:18px; margin:0; }
figcaption { color:var(--muted); font-size:13px; margin-top:8px; }
.gallery { display:grid; grid-template-columns:repeat(auto-fill,minmax(min(330px,100%),1fr)); gap:18px; }
article { background:var(--card); border:1px solid var(--line); border-radius:10px; padding:14px 16px 12px;
  break-inside:avoid; }
article header { display:flex; justify-content:space-between; align-items:baseline; gap:10px; margin-bottom:10px; }
.pictures { display:grid; grid-template-columns:repeat(auto-fit,minmax(88px,1fr)); gap:8px; margin-bottom:10px; }
.pictures figcaption { text-align:center; margin-top:3px; font-size:12px; }
img { display:block; width:100%; border-radius:5px; image-rendering:pixelated; background:#000; }
article p { font-size:13.5px; color:var(--muted); margin:6px 0 0; }
.badge { font-size:12.5px; font-weight:550; white-space:nowrap; padding:1px 9px; border-radius:99px;
  border:1px solid var(--line); color:var(--muted); }
.badge.good { color:var(--good); background:var(--good-bg); border-color:transparent; }
.badge.warning { color:var(--warning); background:var(--warning-bg); border-color:transparent; }
.badge.bad { color:var(--bad); background:var(--bad-bg); border-color:transparent; }
.notice { border-left:3px solid var(--muted); padding:8px 14px; border-radius:0 6px 6px 0; background:var(--grid);
  max-width:none; }
.notice.good { border-color:var(--good); background:var(--good-bg); }
.notice.warning { border-color:var(--warning); background:var(--warning-bg); }
.notice.bad { border-color:var(--bad); background:var(--bad-bg); }
.meter { display:grid; grid-template-columns:auto 1fr auto; gap:10px; align-items:center; font-size:13.5px; }
.meter span { color:var(--muted); }
.meter i { height:7px; border-radius:9px; background:var(--grid); overflow:hidden; }
.meter b { display:block; height:100%; border-radius:9px; background:var(--s1); }
.meter em { font-style:normal; font-weight:600; font-variant-numeric:tabular-nums; }
.scroll { overflow-x:auto; margin-bottom:12px; }
table { border-collapse:collapse; font-size:13.5px; font-variant-numeric:tabular-nums; min-width:min(100%,320px); }
th, td { padding:6px 14px 6px 0; text-align:right; white-space:nowrap; border-bottom:1px solid var(--grid);
  vertical-align:baseline; }
th { font-weight:600; } thead th { border-bottom:1px solid var(--line); vertical-align:bottom; }
th small { display:block; font-weight:400; color:var(--muted); min-height:1.55em; }
td small { display:block; color:var(--muted); }
th.text, td.text { text-align:left; }
tbody tr:hover td { background:var(--grid); }
.confusion th, .confusion td { padding:9px 14px; text-align:center; border:0; }
.confusion th.text { text-align:right; padding-left:0; }
.confusion tbody td { background:rgb(var(--heat) / var(--v,0)); border:2px solid var(--card); border-radius:6px;
  min-width:86px; font-size:16px; }
.confusion tbody tr:hover td { background:rgb(var(--heat) / var(--v,0)); }
.confusion td small { color:inherit; font-size:12px; opacity:.8; }
.confusion td.strong { color:var(--card); }
.confusion .total { color:var(--muted); font-weight:400; min-width:0; }
.confusion .corner { color:var(--muted); font-size:12px; padding-left:0; }
.plot h3 { margin-bottom:6px; }
.legend { display:flex; flex-wrap:wrap; gap:2px 16px; font-size:13px; color:var(--muted); margin-bottom:6px; }
.legend i { display:inline-block; width:12px; height:12px; border-radius:3px; margin-right:6px; vertical-align:-1px; }
svg { display:block; width:100%; height:auto; }
svg text { fill:var(--muted); font-size:12px; font-variant-numeric:tabular-nums; }
svg .name { fill:var(--ink); }
svg .gridline { stroke:var(--grid); stroke-width:1; }
svg .axis { stroke:var(--line); stroke-width:1.2; }
svg .guide { stroke:var(--muted); stroke-width:1.2; stroke-dasharray:4 4; fill:none; opacity:.8; }
@media print { body { background:#fff; } main { padding:0; max-width:none; } section { break-inside:auto; } }
)";
}  // namespace detail

/// The whole document. `body` is HTML, the other arguments are text.
inline std::string page(std::string_view title, std::string_view subtitle, std::string_view body,
                        std::string_view footer = "") {
  std::string foot = footer.empty() ? "" : "<footer>" + escape(footer) + "</footer>\n";
  return text(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\">\n<title>",
      escape(title), "</title>\n<style>", detail::style, "</style>\n</head>\n<body>\n<main>\n<h1>", escape(title),
      "</h1>\n<p class=\"subtitle\">", escape(subtitle), "</p>\n", body, foot, "</main>\n</body>\n</html>\n");
}

}  // namespace d16::io::html
