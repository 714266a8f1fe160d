// The report's pieces: harmless whatever the text, well-formed, and numbers where they belong.
#include <doctest/doctest.h>

#include <cmath>

#include <d16/io/plot.hpp>

#include "bad_input.hpp"

using namespace bad_input;
using namespace d16;
namespace html = d16::io::html;

/// What is wrong with the tags of a piece: a small parser of its own. Empty when every tag is closed in order.
static std::string tag_fault(std::string_view s) {
  std::vector<std::string> open;
  while (true) {
    size_t begin = s.find('<');
    if (begin == s.npos) break;
    size_t end = s.find('>', begin);
    if (end == s.npos) return "a tag is not closed";
    std::string_view tag = s.substr(begin + 1, end - begin - 1);
    s.remove_prefix(end + 1);
    std::string name(tag.substr(0, tag.find_first_of(" \n/", 1)));
    if (name[0] == '!' || tag.back() == '/' || name == "img" || name == "meta") continue;
    if (name == "style") s.remove_prefix(s.find("</style"));
    if (name[0] != '/') open.push_back(name);
    else if (open.empty() || "/" + open.back() != name) return "unexpected <" + name + ">";
    else open.pop_back();
  }
  return open.empty() ? "" : "<" + open.back() + "> stays open";
}

static int occurrences(std::string_view s, std::string_view piece) {
  int n = 0;
  for (size_t at = s.find(piece); at != s.npos; at = s.find(piece, at + 1)) ++n;
  return n;
}

/// All values of an attribute, as numbers.
static std::vector<double> values(std::string_view s, std::string const& attribute) {
  std::vector<double> out;
  std::string key = " " + attribute + "=\"";
  for (size_t at = s.find(key); at != s.npos; at = s.find(key, at + 1))
    out.push_back(std::strtod(s.data() + at + key.size(), nullptr));
  return out;
}

static std::string const hostile = "<script>alert('x')</script> & \"q\" \xFF\n";

TEST_CASE("html: text is harmless") {
  CHECK(html::escape(hostile) == "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;q&quot; \uFFFD ");
  CHECK(html::escape("H\u03B1 café") == "H\u03B1 café");
}

TEST_CASE("html: numbers for people") {
  CHECK(html::number(-0.125, 2) == "−0.12");
  CHECK(html::number(-0.001, 2) == "0.00");
  CHECK(html::number(NAN, 2) == "–");
  CHECK(html::number(-INFINITY, 2) == "−∞");
  CHECK(html::significant(0.012345) == "0.0123");
  CHECK(html::significant(17736) == "17736");
  CHECK(html::significant(1.25e9) == "1.25e9");
  CHECK(html::significant(-3e-7, 2) == "−3.0e−7");
  CHECK(html::significant(0) == "0");
  CHECK(html::significant(1000) == "1000");
  CHECK(html::significant(5e-324).ends_with("e−324"));
  CHECK(html::significant(1e308) == "1.00e308");
  CHECK(html::count(17736) == "17,736");
  CHECK(html::count(-1234567) == "−1,234,567");
  CHECK(html::count(999) == "999");
}

TEST_CASE("html: every piece is well-formed, hostile text or not") {
  std::string png = "\x89PNG\r\n\x1A\n...";
  io::Table t;
  t.column(hostile, std::vector<std::string>{hostile, ""}, {.unit = hostile, .comment = hostile})
      .column("x", std::vector<double>{NAN, -1.5});
  t.column("ra", std::vector<double>{214.98547, 1}, {.unit = "deg", .comment = ""})
      .column("p", std::vector<float>{0.97f, 0.08f})
      .column("ok", std::vector<bool>{true, false});
  std::string body = html::tiles({{"6", hostile, hostile}}) + html::notice(hostile, html::Tone::bad) +
                     html::meter(NAN, hostile) + html::meter(7, "p") +
                     html::gallery({{.title = hostile,
                                     .badge = html::badge(hostile, html::Tone::good),
                                     .pictures = {{png, hostile}},
                                     .below = html::paragraph(hostile)}}) +
                     html::section(hostile, hostile, html::table(t)) +
                     html::confusion_matrix({hostile, "b"}, {1, 2, 0, 0}) + html::figure("x", hostile) +
                     html::grid({html::plot({{.name = hostile, .x = {1, 2}, .y = {3, NAN}}},
                                            {.title = hostile, .x = {hostile}, .y = {hostile}})});
  std::string page = html::page(hostile, hostile, body, hostile);
  CHECK(tag_fault(page) == "");
  CHECK(!contains(page, "<script"));
  CHECK(!contains(page, "nan"));
  CHECK(contains(page, "<td>–</td><td>214.98547</td><td>0.9700</td><td class=\"text\">true</td>"));
  CHECK(contains(page, "<td>−1.500</td><td>1.00000</td><td>0.0800</td>"));
  CHECK(contains(page, "width:100%"));
  CHECK(contains(page, "src=\"data:image/png;base64,iVBORw0KGgo"));
  CHECK(contains(error_of<ValueError>([] { html::image("nothing", ""); }), "7 bytes that are no picture"));
  CHECK(contains(error_of<ShapeError>([] {
                   html::confusion_matrix({"a", "b"}, {1, 2, 3});
                 }),
                 "3 counts for 2 classes; 4 are needed"));
}

TEST_CASE("html: a long table says what it leaves out") {
  io::Table t;
  t.column("x", std::vector<int32_t>(1234, 7));
  std::string s = html::table(t, {.max_rows = 34, .rest_is_in = "catalog.csv"});
  CHECK(occurrences(s, "<tr>") == 35);
  CHECK(contains(s, "1,200 more rows in catalog.csv."));
}

TEST_CASE("plot: points lie where the axes say") {
  std::string s = html::plot(
      {{.name = "", .x = {0, 10, 5, NAN, 5}, .y = {0, 100, 50, 1, INFINITY}, .mark = html::Series::Mark::points}});
  std::vector<double> cx = values(s, "cx"), cy = values(s, "cy");
  REQUIRE(cx.size() == 3);                                              // what is not finite is not drawn
  CHECK(cx[2] == doctest::Approx((cx[0] + cx[1]) / 2).epsilon(0.001));  // coordinates are rounded to 0.1
  CHECK(cy[2] == doctest::Approx((cy[0] + cy[1]) / 2).epsilon(0.001));
  CHECK(cx[1] > cx[0]);
  CHECK(cy[1] < cy[0]);  // up is up
  for (char const* label : {">0</text>", ">2</text>", ">10</text>", ">20</text>", ">100</text>"})
    CHECK(contains(s, label));
}

TEST_CASE("plot: logarithmic axes, gaps, steps, error bars") {
  std::string s =
      html::plot({{.name = "", .x = {1, 2, 3, 4}, .y = {0.01, 1, -5, 100}, .mark = html::Series::Mark::points}},
                 {.y = {"flux", NAN, NAN, true}});
  std::vector<double> cy = values(s, "cy");
  REQUIRE(cy.size() == 3);
  CHECK(cy[1] == doctest::Approx((cy[0] + cy[2]) / 2).epsilon(0.001));
  std::string gap = html::plot({{.name = "", .x = {1, 2, 3, 4, 5}, .y = {1, 2, NAN, 2, 1}}});
  CHECK(occurrences(gap, "M") == 2);
  CHECK(occurrences(gap, "L") == 2);
  CHECK(occurrences(html::plot({{.name = "", .x = {1, 2}, .y = {1, 2}, .mark = html::Series::Mark::steps}}), "L") == 2);
  CHECK(occurrences(html::reliability({0.1, 0.5, 0.9}, {0.1, 0.4, 0.9}, {10, 0, 10}), "<circle") == 2);
  CHECK(contains(html::roc_curve({0, 1}, {0, 1}, 0.9731), "area 0.973"));
  std::string bars =
      html::plot({{.name = "", .x = {1, 2, 3}, .y = {1, 2, 3}, .low = {0.5, NAN, 3}, .high = {1.5, NAN, 3}}});
  CHECK(occurrences(bars, "<path") == 3);  // the line and two bars: nothing is known of the second error
  CHECK(occurrences(bars, "<circle") == 3);
  CHECK(!contains(bars, "nan"));
}

TEST_CASE("plot: bars end where they are said to") {
  html::Series s{.name = "three of three", .mark = html::Series::Mark::points};
  s.add(1, 1, 0.44, 1);
  std::string bar = html::plot({s}, {.y = {"share", 0, 1}});  // from 274 at 0 up to 10 at 1
  CHECK(contains(bar, "V10\""));
  CHECK(contains(bar, text(" ", 274 - 0.44 * 264, "V").substr(0, 5)));
  CHECK(contains(html::plot({s}), ">0.4</text>"));  // a free axis has room for them
  s.low = {-1};                                     // below a logarithmic axis: down to its edge
  CHECK(contains(html::plot({s}, {.y = {"share", 0.1, 1, true}}), " 274V10\""));
  s.low.clear();
  CHECK(contains(error_of<ShapeError>([&] { html::plot({s}); }), "1 x, 1 y, 0 low, 1 high"));
}

TEST_CASE("plot: odd data give a drawing without nan, inside its box") {
  using V = std::vector<double>;
  for (V const& v : {V{}, V{0}, V{5}, V{NAN}, V{-1e300, 1e300}, V{1e-320, 2e-320}, V{1e9, 1e9 + 1}, V{INFINITY, 1},
                     V{-3, -3, -3}, V{1.7e308, -1.7e308}, V{1e299, -1e299}, V{3e-300, 1}})
    for (bool log : {false, true})
      for (auto mark : {html::Series::Mark::line, html::Series::Mark::points, html::Series::Mark::steps}) {
        std::string s = html::plot({{.name = "s", .x = v, .y = v, .mark = mark}},
                                   {.x = {"x", NAN, NAN, log}, .y = {"y", NAN, NAN, log}, .diagonal = true});
        s += html::histogram({{"h", v}}, {.x = {"x", NAN, NAN, log}, .bins = 5});
        CAPTURE(s);
        CHECK(tag_fault(s) == "");
        CHECK(!contains(s, "nan"));
        CHECK(!contains(s, "inf"));
        for (double x : values(s, "cx")) CHECK((x >= 0 && x <= 480));
        for (double y : values(s, "cy")) CHECK((y >= 0 && y <= 320));
      }
  std::string narrow = html::plot({{.name = "", .x = {1e9, 1e9 + 1}, .y = {1e-7, 3e-7}}});
  CHECK(contains(narrow, ">1.0000000002e9</text>"));
  CHECK(contains(narrow, ">1.5e−7</text>"));
  CHECK(contains(error_of<ShapeError>([] { html::plot({{.name = "s", .x = {1}, .y = {}}}); }),
                 "series \"s\" has 1 x, 0 y"));
}

TEST_CASE("plot: long series are thinned, spikes stay, points say so") {
  std::vector<double> x(100'000), y(100'000, 0.0);
  for (size_t i = 0; i < x.size(); ++i) x[i] = double(i);
  y[33'333] = 1;
  y[33'335] = -1;  // in the same stretch, after the other
  std::string line = html::plot({{.name = "", .x = x, .y = y}}, {.y = {"", -1, 1}});
  CHECK(line.size() < 60'000);
  size_t top = line.find(" 10L"), bottom = line.find(" 274L");  // the edges of the frame
  CHECK(top < bottom);
  CHECK(bottom < line.size());
  std::string points =
      html::plot({{.name = "s", .x = x, .y = y, .mark = html::Series::Mark::points}}, {.max_points = 1000});
  CHECK(occurrences(points, "<circle") == 1000);
  CHECK(contains(points, "s (1,000 of 100,000 drawn)"));
}

TEST_CASE("histogram: every value is in one bar") {
  std::string s = html::histogram({{"", {0.05, 0.15, 0.15, 0.95, 1.0, 7, -3, NAN}}}, {.x = {"p", 0, 1}, .bins = 10});
  double total = 0;
  for (size_t at = s.find("<title>"); at != s.npos; at = s.find("<title>", at + 1))
    total += std::strtod(s.data() + at + 7, nullptr);
  CHECK(total == 7);
  CHECK(occurrences(s, "<rect") == 3);
  CHECK(contains(s, "1 without a value"));
  CHECK(contains(html::histogram({{"a", {1, 2, 2, 2}}}, {.bins = 2, .density = true}), "<title>0.7500</title>"));
  CHECK(contains(error_of<ValueError>([] { html::histogram({{"a", {1}}}, {.x = {}, .bins = 0}); }), "0 bins"));
}
