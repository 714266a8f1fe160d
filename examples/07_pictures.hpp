// The two pictures of lesson 7 as SVG: the basis in the frames of the elements, and a matrix before and after.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <d16/group/irreps.hpp>
#include <d16/group/steerable_basis.hpp>
#include <string>
#include <vector>

namespace pictures {

using d16::text;

/// A number with two decimals at most.
inline std::string number(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.2f", value);
  std::string s = buffer;
  while (s.back() == '0') s.pop_back();
  if (s.back() == '.') s.pop_back();
  return s == "-0" ? "0" : s;
}

/// -1 blue, 0 white, 1 red.
inline std::string colour(double value) {
  double const blue[3] = {33, 102, 172}, red[3] = {178, 24, 43}, *full = value < 0 ? blue : red;
  std::string out = "rgb(";
  for (int i = 0; i < 3; ++i)
    out += text(i ? "," : "", std::lround(255 + std::min(1.0, std::abs(value)) * (full[i] - 255)));
  return out + ")";
}

inline std::string words(double x, double y, std::string const& what, char const* anchor = "middle", int size = 13) {
  return text("<text x='", number(x), "' y='", number(y), "' text-anchor='", anchor, "' font-size='", size, "'>", what,
              "</text>\n");
}
inline std::string square(double x, double y, double size, std::string const& look) {
  return text("<rect x='", number(x), "' y='", number(y), "' width='", number(size), "' height='", number(size), "' ",
              look, "/>\n");
}
inline std::string page(double width, double height, std::string const& body) {
  std::string w = number(width), h = number(height);
  return text("<svg xmlns='http://www.w3.org/2000/svg' width='", w, "' height='", h, "' viewBox='0 0 ", w, " ", h,
              "' font-family='Helvetica, Arial, sans-serif' fill='#222'>\n<rect width='100%' height='100%' "
              "fill='#fff'/>\n",
              body, "</svg>\n");
}

/// A ring of opacity exp(-(r - radius)^2 / 2 sigma^2) out to `reach`.
inline std::string fading_ring(std::string const& id, double radius, double sigma, double reach,
                               std::string const& colour) {
  std::string out =
      text("<radialGradient id='", id, "' gradientUnits='userSpaceOnUse' cx='0' cy='0' r='", number(reach), "'>");
  for (int i = 0; i <= 24; ++i) {
    double z = (reach * i / 24 - radius) / sigma;
    out += text("<stop offset='", number(i / 24.0), "' stop-color='", colour, "' stop-opacity='",
                number(std::exp(-z * z / 2)), "'/>");
  }
  return out + "</radialGradient>\n";
}

/// One function of the basis around the origin as a drawing of its own, in units of pixels: a red and a blue ring, cut
/// into wedges that are as opaque as the cosine or sine of their angle is large.
inline std::string drawing_of(std::string const& id, double radius, double sigma, int m, bool sine) {
  double const reach = 1.8, pi = 3.14159265358979323846;
  int const wedges = m == 0 ? 4 : 72;
  sigma = std::max(sigma, 0.12);  // the centre is a point; a dot can be seen
  std::string out = fading_ring(id + "plus", radius, sigma, reach, colour(1)) +
                    fading_ring(id + "minus", radius, sigma, reach, colour(-1)) +
                    text("<g id='", id, "' shape-rendering='crispEdges'>\n");
  auto at = [&](double angle) {  // y points up, the picture's down
    return number(reach * std::cos(angle)) + " " + number(-reach * std::sin(angle));
  };
  for (int i = 0; i < wedges; ++i) {
    double width = 2 * pi / wedges, angle = m * (i + 0.5) * width, value = sine ? std::sin(angle) : std::cos(angle);
    out += text("<path d='M0 0L", at(i * width), "A", number(reach), " ", number(reach), " 0 0 0 ", at((i + 1) * width),
                "z' fill='url(#", id, value > 0 ? "plus" : "minus", ")' opacity='", number(std::abs(value)), "'/>\n");
  }
  return out + "</g>\n";
}

/// The drawing `id` at x, y, moved by an element of the group. The picture's y points down.
inline std::string drawn(std::string const& id, d16::Group::Matrix const& by, double x, double y, double scale) {
  double const m[4] = {by.m[0], -by.m[2], -by.m[1], by.m[3]};
  std::string out = text("<use href='#", id, "' transform='matrix(");
  for (double entry : m) out += number(scale * entry) + " ";
  return out + number(x) + " " + number(y) + ")'/>\n";
}

/// What is drawn many times: the functions b0, b1 .., a flag that shows how an element lies, the 3 x 3 pixels.
struct Drawings {
  std::string svg;
  std::vector<std::string> names;

  explicit Drawings(d16::Rings const& rings) {
    for (size_t ring = 0; ring < rings.rings.size(); ++ring)
      for (int m = 0; m <= rings.max_freqs[ring]; ++m)
        for (bool sine : {false, true}) {
          if (m == 0 && sine) continue;
          svg += drawing_of(text("b", names.size()), rings.rings[ring], rings.sigmas[ring], m, sine);
          std::string what = m == 0 ? (rings.rings[ring] == 0 ? "centre" : "ring")
                                    : text(sine ? "sin " : "cos ", m == 1 ? "" : text(m), "θ");
          names.push_back(text("B", names.size() + 1, ": ", what));
        }
    svg += "<path id='flag' d='M-.5 1V-1H.7M-.5-.1H.4' fill='none' stroke='#222' stroke-width='.28'/>\n";
    svg += "<g id='pixels' fill='#222' opacity='.55'>";
    for (int i = -1; i <= 1; ++i)
      for (int j = -1; j <= 1; ++j) svg += text("<circle cx='", i, "' cy='", j, "' r='.08'/>");
    svg = "<defs>\n" + svg + "</g>\n</defs>\n";
  }
};

/// Columns: the elements h. Rows: B_v(h^-1 x), over the pixels of a 3 x 3 filter.
inline std::string basis_in_frames(d16::Group group, d16::Rings const& rings) {
  double const left = 92, top = 74, step = 50, scale = 13;
  Drawings const drawings(rings);
  auto column = [&](int h) { return left + step * (h + 0.5) + (h >= group.n ? 14 : 0); };
  auto row = [&](size_t v) { return top + step * (double(v) + 0.5); };
  auto middle = [&](int from) { return (column(from) + column(from + group.n - 1)) / 2; };
  std::string body = drawings.svg + words(middle(0), 20, text("rotations, by h · ", 360 / group.n, "°")) +
                     words(left - 10, 56, "element h", "end");
  if (group.mirrored()) body += words(middle(group.n), 20, "the same after a mirror, x to −x");
  for (size_t v = 0; v < drawings.names.size(); ++v) body += words(left - 10, row(v) + 4, drawings.names[v], "end");
  for (int h = 0; h < group.order(); ++h) {
    body += words(column(h), 38, text(h), "middle", 11) + drawn("flag", group.matrix(h), column(h), 52, 8);
    for (size_t v = 0; v < drawings.names.size(); ++v)
      body += drawn(text("b", v), group.matrix(h), column(h), row(v), scale) +
              drawn("pixels", group.matrix(0), column(h), row(v), scale);
  }
  return page(left + step * group.order() + 26, top + step * double(drawings.names.size()) + 10, body);
}

/// Zero but for rounding.
inline bool vanishes(double value) { return std::abs(value) < 1e-9; }

/// A square matrix, its largest value in full colour.
inline std::string matrix(std::vector<double> const& values, int n, double left, double top, double cell) {
  double largest = 0;
  for (double v : values) largest = std::max(largest, std::abs(v));
  std::string out;
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) {
      double v = values[size_t(i * n + j)];
      if (!vanishes(v)) out += square(left + j * cell, top + i * cell, cell, "fill='" + colour(v / largest) + "'");
    }
  return out + square(left, top, n * cell, "fill='none' stroke='#888'");
}

/// The irreps' names beside a matrix between coefficients, and a frame around each block.
inline std::string irreps_of(d16::Group group, double left, double top, double cell) {
  std::string out;
  for (d16::Irrep const& rho : d16::irreps(group)) {
    char const* sign = rho.d == 2 || !group.mirrored() ? "" : rho.sign > 0 ? " +" : " −";
    double middle = rho.first + rho.coefficients() / 2.0;
    out += words(left - 8, top + middle * cell + 4, text("k = ", rho.k, sign), "end", 12);
    for (int row = 0; row < rho.columns(); ++row) {  // each row of the coefficients has the block for itself
      double at = (rho.first + row * rho.d) * cell;
      out += square(left + at, top + at, rho.d * cell, "fill='none' stroke='#222' stroke-width='1.5'");
    }
  }
  return out;
}

/// Left: which weight connects which elements. Right: the same map between Fourier coefficients.
inline std::string block_diagonal(d16::Group group, std::vector<double> const& before,
                                  std::vector<double> const& after) {
  int const G = group.order();
  double const left = 60, top = 62, cell = 20, size = G * cell, right = left + size + 150, middle = top + size / 2;
  auto products = [](std::vector<double> const& m) {
    return m.size() - size_t(std::count_if(m.begin(), m.end(), vanishes));
  };
  std::string body =
      words(left + size / 2, 22, text("between elements: ", products(before), " products"), "middle", 16) +
      words(right + size / 2, 22, text("between Fourier coefficients: ", products(after), " products"), "middle", 16) +
      words(left + size / 2, top - 24, "of element h", "middle", 12) + matrix(before, G, left, top, cell) +
      matrix(after, G, right, top, cell) + irreps_of(group, right, top, cell);
  for (int h = 0; h < G; ++h)
    body += words(left + (h + 0.5) * cell, top - 8, text(h), "middle", 11) +
            words(left - 8, top + (h + 0.5) * cell + 4, text(h), "end", 11);
  body += text("<text transform='translate(24 ", number(middle),
               ") rotate(-90)' text-anchor='middle' font-size='12'>to element g</text>\n");
  body += words(left + size + 40, middle - 14, "Φ · Φ⁻¹");
  body += text("<path d='M", number(left + size + 18), " ", number(middle),
               "h44m-8-6l8 6l-8 6' fill='none' stroke='#222' stroke-width='2'/>\n");
  return page(right + size + 30, top + size + 20, body);
}

}  // namespace pictures
