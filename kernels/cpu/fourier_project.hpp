// From planes of coefficients to features: the steerable basis, applied in the frame of every element at once.
#pragma once
#include "fourier_stages.hpp"

namespace d16::kernels::cpu::detail {

/// The six functions of the plain 3 x 3 basis at one plane; cosine and sine of frequency 2 without its corner value,
/// the ring with its centre.
template <class T, int L> struct Plain3 {
  using V = Vector<T, L>;
  V point, ring, c1, s1, c2, s2;

  D16_INLINE void fill(T const* f, int64_t const* offset, T centre, T corner, T diagonal) {
    V nw, n, ne, w, e, sw, s, se;
    load(nw, f + offset[0]), load(n, f + offset[1]), load(ne, f + offset[2]);
    load(w, f + offset[3]), load(point, f + offset[4]), load(e, f + offset[5]);
    load(sw, f + offset[6]), load(s, f + offset[7]), load(se, f + offset[8]);
    V const west = nw + sw, west_up = nw - sw, east = ne + se, east_up = ne - se;
    V const across = e + w, along = n + s;
    ring = across + along + corner * (east + west) + centre * point;
    c1 = (e - w) + diagonal * (east - west);
    s1 = (n - s) + diagonal * (east_up + west_up);
    c2 = across - along;
    s2 = corner * (east_up - west_up);
  }
};

/// The plan of a column, with the numbers that project_pair and project_single give the features; empty when a value has
/// no place or several, as in tiny groups.
template <class T> ColumnPlan<T> plan_column(FourierTables const& t, int column, int width, int64_t panel) {
  Column const source = t.columns[size_t(column)];
  bool const pair = source.a >= 0 && source.b >= 0;
  ColumnPlan<T> plan;
  int const count = pair ? 12 : 6;
  auto const& features = t.features[size_t(column)];
  if (int(features.size()) != count) return plan;
  int found = 0;
  for (Feature const& f : features) {
    int i = 0, sign = f.sign;
    if (pair) {
      i = f.harmonic < 2 ? 2 * f.harmonic + f.value : 4 * (f.harmonic - 1) + f.value;
    } else if (f.harmonic < 2) {
      i = f.harmonic;
    } else {
      bool const sine = source.b < 0 ? f.value % 2 == 1 : f.value % 2 == 0;
      if (f.value == (source.b < 0 ? 3 : 0)) sign = -sign;
      i = 2 * (f.harmonic - 1) + sine;
    }
    plan.to[i] = f.panel * panel + f.slot * width;
    plan.sign[i] = T(sign);
    found |= 1 << i;
  }
  plan.count = found == (1 << count) - 1 ? count : 0;
  return plan;
}

/// A column with both members: point 0 1, ring 0 1, then u0 u1 d0 d1 of frequency 1 and of frequency 2.
template <class T, int L>
D16_INLINE void project_pair(ProjectArgs<T> const& a, Column source, ColumnPlan<T> const& plan) {
  using V = Vector<T, L>;
  T* to[12];
  for (int i = 0; i < 12; ++i) to[i] = a.panels + plan.to[i] + a.slot * 2 * L;
  T const* const sign = plan.sign;
  T const *fa = a.planes + source.a * a.plane, *fb = a.planes + source.b * a.plane;
  for (int v = 0; v < a.vectors; ++v) {
    int64_t const at = v / 2 * a.group_size + v % 2 * L;
    Plain3<T, L> x, y;
    x.fill(fa + a.start[v], a.offset, a.centre, a.corner, a.diagonal);
    save(to[0] + at, x.point), save(to[2] + at, x.ring);
    y.fill(fb + a.start[v], a.offset, a.centre, a.corner, a.diagonal);
    save(to[1] + at, y.point), save(to[3] + at, y.ring);
    V const u0 = sign[4] * (x.c1 - y.s1), u1 = sign[5] * (x.s1 + y.c1), d0 = sign[6] * (x.c1 + y.s1),
            d1 = sign[7] * (y.c1 - x.s1);
    save(to[4] + at, u0), save(to[5] + at, u1), save(to[6] + at, d0), save(to[7] + at, d1);
    V const v0 = sign[8] * (x.c2 - y.s2), v1 = sign[9] * (x.s2 + y.c2), w0 = sign[10] * (x.c2 + y.s2),
            w1 = sign[11] * (y.c2 - x.s2);
    save(to[8] + at, v0), save(to[9] + at, v1), save(to[10] + at, w0), save(to[11] + at, w1);
  }
}

/// A column with one member: point, ring, cosine and sine of frequency 1 and of frequency 2.
template <class T, int L>
D16_INLINE void project_single(ProjectArgs<T> const& a, Column source, ColumnPlan<T> const& plan) {
  using V = Vector<T, L>;
  T* to[6];
  for (int i = 0; i < 6; ++i) to[i] = a.panels + plan.to[i] + a.slot * 2 * L;
  T const* const sign = plan.sign;
  T const* f = a.planes + std::max(source.a, source.b) * a.plane;
  for (int v = 0; v < a.vectors; ++v) {
    int64_t const at = v / 2 * a.group_size + v % 2 * L;
    Plain3<T, L> x;
    x.fill(f + a.start[v], a.offset, a.centre, a.corner, a.diagonal);
    V const c1 = sign[2] * x.c1, s1 = sign[3] * x.s1, c2 = sign[4] * x.c2, s2 = sign[5] * x.s2;
    save(to[0] + at, x.point), save(to[1] + at, x.ring), save(to[2] + at, c1);
    save(to[3] + at, s1), save(to[4] + at, c2), save(to[5] + at, s2);
  }
}

/// Sums of the taps that the mirrors x -> -x and y -> -y map to each other: for each (i, j) with 0 <= i, j <= radius,
/// even or odd in x, and in y; a harmonic needs those of one parity only.
template <class T, int L>
D16_INLINE void fold_taps(T const* f, int64_t const* offset, int radius, Vector<T, L>* folded) {
  using V = Vector<T, L>;
  int const side = radius + 1, kernel = 2 * radius + 1, square = side * side;
  auto tap = [&](V & v, int up, int right) __attribute__((always_inline)) {
    load(v, f + offset[(radius - up) * kernel + radius + right]);
  };
  for (int i = 0; i < side; ++i)
    for (int j = 0; j < side; ++j) {
      V* out = folded + i * side + j;  // even-even, then odd in x, odd in y, odd in both
      V ne, nw, se, sw;
      tap(ne, i, j);
      if (i == 0 && j == 0) {
        out[0] = ne;
        out[square] = out[2 * square] = out[3 * square] = V{};
      } else if (i == 0) {
        tap(nw, 0, -j);
        out[0] = ne + nw, out[square] = ne - nw;
        out[2 * square] = out[3 * square] = V{};
      } else if (j == 0) {
        tap(se, -i, 0);
        out[0] = ne + se, out[2 * square] = ne - se;
        out[square] = out[3 * square] = V{};
      } else {
        tap(nw, i, -j), tap(se, -i, j), tap(sw, -i, -j);
        V const up = ne + nw, up_x = ne - nw, down = se + sw, down_x = se - sw;
        out[0] = up + down, out[square] = up_x + down_x;
        out[2 * square] = up - down, out[3 * square] = up_x - down_x;
      }
    }
}

/// C and S of every harmonic at one plane.
template <class T, int L> D16_INLINE void correlate(ProjectArgs<T> const& a, T const* f, Vector<T, L>* c_and_s) {
  using V = Vector<T, L>;
  V folded[4 * (most_radius + 1) * (most_radius + 1)];
  fold_taps<T, L>(f, a.offset, a.kernel / 2, folded);
  int const functions = 2 * int(a.tables->harmonics.size());
  for (int i = 0; i < functions; ++i) {
    V sum{};
    for (int tap = a.tap_begin[i]; tap < a.tap_begin[i + 1]; ++tap)
      sum += T(a.taps[tap].factor) * folded[a.taps[tap].at];
    c_and_s[i] = sum;
  }
}

template <class T, int L> D16_INLINE void project_any(ProjectArgs<T> const& a, int column) {
  using V = Vector<T, L>;
  FourierTables const& t = *a.tables;
  auto const& features = t.features[size_t(column)];
  if (features.empty()) return;
  Column const source = t.columns[size_t(column)];
  constexpr int width = 2 * L;
  int const harmonics = int(t.harmonics.size());
  V x[2 * most_harmonics], y[2 * most_harmonics], value[4 * most_harmonics];
  for (int v = 0; v < a.vectors; ++v) {
    if (source.a >= 0) correlate<T, L>(a, a.planes + source.a * a.plane + a.start[v], x);
    if (source.b >= 0) correlate<T, L>(a, a.planes + source.b * a.plane + a.start[v], y);
    for (int h = 0; h < harmonics; ++h) {
      V const c = x[2 * h], s = x[2 * h + 1], e = y[2 * h], f = y[2 * h + 1];
      V* out = value + 4 * h;
      if (source.b < 0) out[0] = c, out[1] = s, out[2] = c, out[3] = -s;
      else if (source.a < 0) out[0] = -f, out[1] = e, out[2] = f, out[3] = e;
      else out[0] = c - f, out[1] = s + e, out[2] = c + f, out[3] = e - s;
    }
    T* to = a.panels + v / 2 * a.group_size + v % 2 * L;
    for (Feature const& f : features) {
      V const scaled = T(f.sign) * value[4 * f.harmonic + f.value];
      save(to + f.panel * a.panel + (a.slot + f.slot) * width, scaled);
    }
  }
}

template <class T, int L> D16_INLINE void project_tile(ProjectArgs<T> const& a) {
  for (int column = 0; column < int(a.tables->columns.size()); ++column) {
    Column const source = a.tables->columns[size_t(column)];
    ColumnPlan<T> const& plan = a.plan[column];
    if (plan.count == 12) project_pair<T, L>(a, source, plan);
    else if (plan.count == 6) project_single<T, L>(a, source, plan);
    else project_any<T, L>(a, column);
  }
}

}  // namespace d16::kernels::cpu::detail
