// The levels of each band by sorting its pixels: the specification.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "../band_levels.hpp"

namespace d16::kernels::reference {

namespace detail {

inline double quantile(std::vector<double> const& sorted, double q) {
  double const position = q * double(sorted.size() - 1);
  auto const k = size_t(position);
  double const part = position - double(k);
  return part > 0 ? sorted[k] + part * (sorted[k + 1] - sorted[k]) : sorted[k];
}
inline double deviation(std::vector<double> const& values) {
  double mean = 0, squares = 0;
  for (double v : values) mean += v / double(values.size());
  for (double v : values) squares += (v - mean) * (v - mean);
  return std::sqrt(squares / double(values.size()));
}

inline Levels levels(std::vector<double> values, double q, double clip, int rounds) {
  if (values.empty()) return {0, NAN, NAN, NAN, NAN, NAN};
  std::sort(values.begin(), values.end());
  Levels l{double(values.size()), values.front(), values.back(), quantile(values, q), quantile(values, 0.5),
           deviation(values)};
  for (int round = 0; round < rounds; ++round) {
    size_t const gone =
        std::erase_if(values, [&](double v) { return v < l.median - clip * l.std || v > l.median + clip * l.std; });
    if (gone == 0 || values.empty()) break;
    l.median = quantile(values, 0.5), l.std = deviation(values);
  }
  return l;
}

}  // namespace detail

template <class T> int band_levels(BandLevels<T> const& a) {
  auto const x = View(a.x, a.N, a.pixels, a.C);
  for (int64_t n = 0; n < a.N; ++n)
    for (int c = 0; c < a.C; ++c) {
      std::vector<double> values;
      for (int64_t p = 0; p < a.pixels; ++p)
        if (double const v = double(x(n, p, c)); std::isfinite(v)) values.push_back(v);
      a.levels[n * a.C + c] = detail::levels(std::move(values), a.quantile, a.clip, a.rounds);
    }
  return ok;
}

}  // namespace d16::kernels::reference
