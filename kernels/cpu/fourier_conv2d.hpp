// The factored group convolution and its gradients: tiles of pixels, chunks of input fields, one product per irrep.
#pragma once
#include <algorithm>
#include <cstddef>

#include <d16/core/parallel.hpp>
#include <d16/group/fourier.hpp>

#include "denormals.hpp"
#include "fourier_tile.hpp"

namespace d16::kernels::cpu::detail {

constexpr int64_t round_to(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

/// Pieces of scratch memory, in whole cache lines. Without memory it only counts.
class Carver {
 public:
  explicit Carver(void* memory = nullptr) : base_(static_cast<char*>(memory)) {}
  template <class T> T* take(int64_t count) {
    size_t const at = used_;
    used_ += size_t(round_to(count * int64_t(sizeof(T)), 64));
    return base_ ? reinterpret_cast<T*>(base_ + at) : nullptr;
  }
  size_t used() const { return used_; }

 private:
  char* base_;
  size_t used_ = 0;
};

/// The correlation to compute: output (p,q) reads input p stride + i dilation - padding, of an input that has up - 1
/// zeros between its pixels (up > 1 in the gradient of a strided convolution).
struct ConvShape {
  int N, H, W, P, Q, kernel, stride, padding, dilation, up;

  /// The pixel at that place of one axis, or -1.
  static int pixel(int place, int up, int size) {
    return place >= 0 && place % up == 0 && place / up < size ? place / up : -1;
  }
};

/// How outputs are cut into tiles, and where things lie in a plane. A tap is a constant distance from the output, so a
/// vector of outputs may run over the end of a row; rows of whole vectors keep to themselves. A strided convolution
/// reads a plane for each phase of the stride.
struct Tiling {
  int rows, columns, tiles_y, tiles_x;  ///< of outputs in a tile, and of tiles in an image
  int phases, phase[most_radius * 2 + 1], phase_of_tap[most_radius * 2 + 1], shift_of_tap[most_radius * 2 + 1];
  int low, reach;  ///< lowest shift of a tap, and highest minus lowest
  int pitch, plane_rows, vectors;
  int vectors_of_row;  ///< 0: vectors run on from row to row
  int64_t positions, plane;
  int64_t offset[(most_radius * 2 + 1) * (most_radius * 2 + 1)];

  Tiling(ConvShape const& s, int lanes, int64_t most_positions) {
    phases = 0, low = 0;
    int high = 0;
    for (int i = 0; i < s.kernel; ++i) {
      int const at = i * s.dilation - s.padding, p = ((at % s.stride) + s.stride) % s.stride;
      shift_of_tap[i] = (at - p) / s.stride;
      low = i ? std::min(low, shift_of_tap[i]) : shift_of_tap[i];
      high = i ? std::max(high, shift_of_tap[i]) : shift_of_tap[i];
      int known = 0;
      while (known < phases && phase[known] != p) ++known;
      if (known == phases) phase[phases++] = p;
      phase_of_tap[i] = known;
    }
    reach = high - low;
    choose(s, lanes, most_positions);
    layout(s, lanes);
  }

  int64_t tiles() const { return int64_t(tiles_y) * tiles_x; }
  int64_t start(int vector, int lanes) const {
    if (!vectors_of_row) return int64_t(vector) * lanes;
    return int64_t(vector / vectors_of_row) * pitch + vector % vectors_of_row * lanes;
  }
  /// The vectors that hold the first `height` rows.
  int vectors_of(int height, int lanes) const { return vectors_for(height, columns, lanes, pitch); }

 private:
  int shared_columns(ConvShape const& s, int width) const {  // zeros at both ends of a row that can be the same ones
    if (width < s.Q) return 0;
    int left = 0, right = 0, last = width - 1 + reach, end = (s.W - 1) * s.up;
    int const most = *std::max_element(phase, phase + phases), least = *std::min_element(phase, phase + phases);
    while (left < reach && (left + low) * s.stride + most < 0) ++left;
    while (right < reach && (last - right + low) * s.stride + least > end) ++right;
    return std::min(left, right);
  }
  int pitch_of(ConvShape const& s, int lanes, int width) const {
    int const least = width + reach - shared_columns(s, width);
    return width % lanes == 0 ? int(round_to(least, lanes)) : least;
  }
  int vectors_for(int height, int width, int lanes, int row) const {
    return width % lanes == 0 ? height * width / lanes : int(round_to((height - 1) * row + width, lanes)) / lanes;
  }

  /// Rows and columns with the least waste: whole pairs of vectors of outputs, plus a share for the pixels around them.
  void choose(ConvShape const& s, int lanes, int64_t most) {
    double best = 0;
    for (int parts = 1; parts == 1 || (s.Q + parts - 1) / parts >= lanes; ++parts) {
      int const width = (s.Q + parts - 1) / parts, row = pitch_of(s, lanes, width);
      if (parts > 1 && row < most / 4 && best > 0) break;
      if (width > most && width > lanes) continue;
      for (int height = 1; height <= s.P; ++height) {
        if (height > 1 && vectors_for(height, width, lanes, row) * lanes > most) break;
        auto cost = [&](int h) {
          int const count = vectors_for(h, width, lanes, row);
          return (count + 0.5 * (count % 2)) * lanes + 0.08 * (h + reach) * row * phases * phases + 4;
        };
        int const whole = s.P / height, rest = s.P % height;
        double const total = parts * (whole * cost(height) + (rest ? cost(rest) : 0));
        if (best > 0 && total >= best * 0.999) continue;
        best = total;
        rows = height, columns = width;
      }
    }
    tiles_y = (s.P + rows - 1) / rows;
    tiles_x = (s.Q + columns - 1) / columns;
  }

  void layout(ConvShape const& s, int lanes) {
    pitch = pitch_of(s, lanes, columns);
    plane_rows = rows + reach;
    vectors_of_row = columns % lanes == 0 ? columns / lanes : 0;
    vectors = vectors_for(rows, columns, lanes, pitch);
    int64_t farthest = 0;
    for (int i = 0; i < s.kernel; ++i)
      for (int j = 0; j < s.kernel; ++j) {
        int64_t const sub = int64_t(phase_of_tap[i] * phases + phase_of_tap[j]) * plane_rows + shift_of_tap[i] - low;
        offset[i * s.kernel + j] = sub * pitch + shift_of_tap[j] - low;
        farthest = std::max(farthest, offset[i * s.kernel + j]);
      }
    positions = int64_t(phases) * phases * plane_rows * pitch;
    plane = round_to(std::max(positions, start(vectors - 1, lanes) + lanes + farthest), lanes) + lanes;
    if (plane / lanes % 2 == 0) plane += lanes;  // planes begin in different cache sets
  }
};

/// A layer: tables, and how its weights are cut and packed.
template <class T> struct FourierLayer {
  FourierTables tables;
  FourierStages<T> const& stages;
  GroupStages<T> const& group;
  ProductTile<T> const& tile;
  int Ci, Co, V, in_order, out_order, slots;
  int chunk, chunks;   ///< fields of the input in a chunk, and chunks
  int blocks, padded;  ///< blocks of tile.rows output fields, and how many fields they hold
  int64_t depth, block_size, panel_size;
  std::vector<T> matrix, unit;  ///< of the transform; of each function
  std::vector<WeightTerm<T>> weight_terms;
  std::vector<int> weight_begin, tap_begin;
  std::vector<FoldedTap> taps;
  static constexpr int chunk_depth = 72;
  bool plain3 = false;
  T centre = 0, corner = 0, diagonal = 0;

  FourierLayer(GroupConv2d<T> const& a, Sides sides, int in, int out)
      : tables(a.group, sides, a.V, a.rings, a.max_freqs),
        stages(fourier_stages<T>(best_isa())),
        group(stages.stages_of(a.group)),
        tile(stages.tile_for(out)),
        Ci(in),
        Co(out),
        V(a.V) {
    FilterRule const rule{a.group, sides};
    in_order = rule.in_order(), out_order = rule.out_order(), slots = rule.slots();
    // Deep enough to be worth reading and writing the sums once, shallow enough for tiles of some 100 pixels.
    int const most = std::max(1, chunk_depth / V * 16 / std::max(16, tables.panels));
    chunks = (Ci + most - 1) / most;
    chunk = (Ci + chunks - 1) / chunks;
    blocks = (Co + tile.rows - 1) / tile.rows;
    padded = blocks * tile.rows;
    depth = int64_t(chunk) * V;
    block_size = round_to(depth * tile.rows + 16, 16);
    panel_size = blocks * block_size;
    for (double x : fourier_matrix(a.group)) matrix.push_back(T(x));
    basis(a);
    sum_terms();
  }

  /// The plain side of a convolution has nothing to transform.
  auto group_transform() const { return in_order > 1 ? group.transform : stages.group[0].transform; }
  auto group_transform_of_gradient() const { return out_order > 1 ? group.transform : stages.group[0].transform; }
  auto group_finish() const { return out_order > 1 ? group.finish : stages.group[0].finish; }
  int64_t products() const { return int64_t(tables.products.size()); }
  int64_t packed_count() const { return chunks * products() * panel_size; }
  T const* transform_matrix(int order) const { return order > 1 ? matrix.data() : nullptr; }
  int fields_of(int c) const { return std::min(chunk, Ci - c * chunk); }

 private:
  /// The basis in the identity's frame, folded by the mirrors of the pixel grid; every function divided by its unit.
  void basis(GroupConv2d<T> const& a) {
    int const k = a.kernel, r = k / 2, side = r + 1;
    auto at = [&](int v, int up, int right) { return a.basis[(v * k + r - up) * k + r + right]; };
    unit.assign(size_t(V), T(1));
    auto const& h = tables.harmonics;
    plain3 = k == 3 && h.size() == 4 && h[0].m == 0 && h[1].m == 0 && h[2].m == 1 && h[3].m == 2 && at(0, 0, 0) > 0 &&
             at(0, 0, 1) == 0 && at(0, 1, 1) == 0 && at(1, 0, 1) > 0;
    std::vector<double> scale(h.size(), 1.0);
    if (plain3) {
      scale = {at(0, 0, 0), at(1, 0, 1), at(1, 0, 1), at(1, 0, 1)};
      centre = T(at(1, 0, 0) / scale[1]);
      corner = T(at(1, 1, 1) / scale[1]);
      diagonal = T(at(2, 1, 1) / scale[1]);
    }
    tap_begin.assign(1, 0);
    for (size_t i = 0; i < h.size(); ++i)
      for (int sine = 0; sine < 2; ++sine) {
        auto const [m, v] = h[i];
        bool const odd_x = (m + sine) % 2 == 1, odd_y = sine == 1;
        if (sine == 0 || m > 0) {
          unit[size_t(v + sine)] = T(scale[i]);
          for (int up = odd_y; up < side; ++up)
            for (int right = odd_x; right < side; ++right)
              if (double const b = at(v + sine, up, right); b != 0)
                taps.push_back({((odd_y * 2 + odd_x) * side + up) * side + right, b / scale[i]});
        }
        tap_begin.push_back(int(taps.size()));
      }
  }

  /// For each product and slot: which coefficients of the weights it is the sum of.
  void sum_terms() {
    std::vector<std::vector<Term const*>> terms(size_t(tables.outputs * V));
    for (Term const& t : tables.terms) terms[size_t(t.entry * V + t.slot)].push_back(&t);
    weight_begin.assign(1, 0);
    for (std::vector<Part> const& right : tables.rights)
      for (int slot = 0; slot < V; ++slot) {
        for (Part const& part : right)
          for (Term const* t : terms[size_t(part.of * V + slot)])
            weight_terms.push_back(
                {t->q < 0 ? t->v : t->v * slots + t->q, T(part.sign * t->factor * double(unit[size_t(slot)]))});
        weight_begin.push_back(int(weight_terms.size()));
      }
  }
};

/// Weights (Co,Ci,V,slots) to panels [chunk][product][block of outputs][input field, function][output].
template <class T> void pack_weights(FourierLayer<T> const& l, T const* w, T* packed, T* scratch) {
  int64_t const scratch_size = int64_t(l.V) * l.slots * 16;
  parallel_tasks(int64_t(l.chunks) * l.blocks, [&](int64_t task) {
    int const c = int(task / l.blocks), block = int(task % l.blocks);
    T const* rows[16] = {};
    for (int i = 0; i < l.tile.rows; ++i) {
      int const o = block * l.tile.rows + i;
      if (o < l.Co) rows[i] = w + (int64_t(o) * l.Ci + c * l.chunk) * l.V * l.slots;
    }
    T* const panels = packed + c * l.products() * l.panel_size + block * l.block_size;
    l.group.pack({.weights = rows,
                  .rows = l.tile.rows,
                  .fields = l.fields_of(c),
                  .V = l.V,
                  .slots = l.slots,
                  .products = int(l.products()),
                  .matrix = l.matrix.data(),
                  .terms = l.weight_terms.data(),
                  .begin = l.weight_begin.data(),
                  .coefficients = scratch + thread_index() * scratch_size,
                  .panels = panels,
                  .panel = l.panel_size});
  });
}

/// The weights of the adjoint, which is a convolution of the same kind: W'[v',u] = sum over v of
/// (-1)^m W[v,u^-1] D_vv'(u), where B_v(u x) = sum over v' of D_vv'(u) B_v'(x). Input (Co,Ci,V,slots), output
/// (Ci,Co,V,slots).
template <class T> void adjoint_weights(GroupConv2d<T> const& a, FourierTables const& t, T const* w, T* out) {
  int const slots = a.rule().slots();
  struct Element {
    int inverse;
    double angle, flip;
  };
  std::vector<Element> element;
  for (int u = 0; u < slots; ++u)
    element.push_back({a.group.inverse(u), 2 * pi * a.group.rotation(u) / a.group.n, a.group.flip(u) ? -1.0 : 1.0});
  std::vector<T> cosine, sine;  // (harmonic, u)
  for (Harmonic const& h : t.harmonics)
    for (Element const& e : element) {
      cosine.push_back(T(std::cos(h.m * e.angle)));
      sine.push_back(T(std::sin(h.m * e.angle)));
    }
  parallel_tasks(a.Co, [&](int64_t o) {
    for (int64_t c = 0; c < a.Ci; ++c) {
      T const* from = w + (o * a.Ci + c) * a.V * slots;
      T* to = out + (c * a.Co + o) * a.V * slots;
      for (size_t i = 0; i < t.harmonics.size(); ++i) {
        auto const [m, v] = t.harmonics[i];
        T const *cos_u = &cosine[i * size_t(slots)], *sin_u = &sine[i * size_t(slots)], sigma = T(m % 2 ? -1 : 1);
        T const *wc = from + v * slots, *ws = wc + slots;
        T *qc = to + v * slots, *qs = qc + slots;
        for (int u = 0; u < slots; ++u) {
          Element const& e = element[size_t(u)];
          if (m == 0) {
            qc[u] = wc[e.inverse];
            continue;
          }
          T const x = wc[e.inverse], y = ws[e.inverse], flip = T(e.flip);
          T const turn = slots == 1 ? sigma : e.flip > 0 ? sigma : T(1);
          qc[u] = turn * (x * cos_u[u] + y * sin_u[u]);
          qs[u] = flip * turn * (y * cos_u[u] - x * sin_u[u]);
        }
      }
    }
  });
}

/// Forward pass over all tiles: scale (Co), shift (Co), packed weights.
template <class T> class FourierForward {
 public:
  FourierForward(FourierLayer<T> const& layer, ConvShape const& shape)
      : l(layer),
        s(shape),
        t(shape, layer.stages.lanes, most_positions(layer)),
        width(2 * layer.stages.lanes),
        groups((t.vectors + 1) / 2),
        together(std::max(1, layer.stages.lanes / std::max(1, layer.in_order))) {
    panel = l.depth * width;
    group_size = panel * l.tables.panels;
    product_size = int64_t(groups) * l.padded * width;
  }

  struct Memory {
    T const** source;
    T *planes, *panels, *products;
    T** target;
    int* start;
  };
  Memory carve(Carver& c) const {
    Memory m;
    m.source = c.take<T const*>(t.plane);
    m.planes = c.take<T>(together * l.in_order * t.plane);
    m.panels = c.take<T>(group_size * groups);
    m.products = c.take<T>(product_size * l.products());
    m.target = c.take<T*>(int64_t(groups) * width);
    m.start = c.take<int>(t.vectors);
    return m;
  }

  /// The source pixel of every position of a tile.
  void locate(T const* x, int64_t n, int ty, int tx, T const** source) const {
    int const channels = l.Ci * l.in_order;
    T const** out = source;
    for (int a = 0; a < t.phases; ++a)
      for (int b = 0; b < t.phases; ++b)
        for (int r = 0; r < t.plane_rows; ++r) {
          int const h = ConvShape::pixel((ty * t.rows + r + t.low) * s.stride + t.phase[a], s.up, s.H);
          for (int c = 0; c < t.pitch; ++c, ++out) {
            int const w = ConvShape::pixel((tx * t.columns + c + t.low) * s.stride + t.phase[b], s.up, s.W);
            *out = h < 0 || w < 0 ? nullptr : x + ((n * s.H + h) * s.W + w) * channels;
          }
        }
    std::fill(out, source + t.plane, nullptr);
  }

  /// The output pixel of every position of a tile, null beyond the end of a row.
  template <class U> void locate_outputs(U* y, int64_t n, int ty, int tx, U** target) const {
    int const channels = l.Co * l.out_order, lanes = l.stages.lanes;
    for (int v = 0; v < t.vectors; ++v)
      for (int i = 0; i < lanes; ++i) {
        int const at = int(t.start(v, lanes)) + i, r = at / t.pitch, c = at % t.pitch;
        int const p = ty * t.rows + r, q = tx * t.columns + c;
        bool const inside = r < t.rows && c < t.columns && p < s.P && q < s.Q;
        target[v * lanes + i] = inside ? y + ((n * s.P + p) * s.Q + q) * channels : nullptr;
      }
  }

  /// The vectors of a tile that hold outputs: fewer in the last row of tiles.
  int vectors_of(int ty) const { return t.vectors_of(std::min(t.rows, s.P - ty * t.rows), l.stages.lanes); }

  /// The left operands of chunk c.
  void features(Memory const& m, int c, int vectors) const {
    int const fields = l.fields_of(c);
    ProjectArgs<T> p{.tables = &l.tables,
                     .kernel = s.kernel,
                     .offset = t.offset,
                     .taps = l.taps.data(),
                     .tap_begin = l.tap_begin.data(),
                     .plain3 = l.plain3,
                     .centre = l.centre,
                     .corner = l.corner,
                     .diagonal = l.diagonal,
                     .planes = nullptr,
                     .plane = t.plane,
                     .panels = m.panels,
                     .panel = panel,
                     .group_size = group_size,
                     .slot = 0,
                     .vectors = vectors,
                     .start = m.start};
    for (int v = 0; v < vectors; ++v) m.start[v] = int(t.start(v, l.stages.lanes));
    for (int f = 0; f < fields; f += together) {
      int const count = std::min(together, fields - f);
      l.group_transform()({.pixel = m.source,
                           .positions = t.plane,
                           .channel = int64_t(c * l.chunk + f) * l.in_order,
                           .fields = count,
                           .order = l.in_order,
                           .matrix = l.transform_matrix(l.in_order),
                           .planes = m.planes,
                           .plane = t.plane});
      for (int i = 0; i < count; ++i) {
        p.planes = m.planes + int64_t(i) * l.in_order * t.plane;
        p.slot = int64_t(f + i) * l.V;
        l.stages.project(p);
      }
    }
  }

  void products(Memory const& m, T const* weights, int fields, int vectors, bool accumulate) const {
    ProductArgs<T> p{.depth = fields * l.V,
                     .a = nullptr,
                     .b = nullptr,
                     .b2 = nullptr,
                     .sign = 0,
                     .c = nullptr,
                     .accumulate = accumulate};
    for (int64_t i = 0; i < l.products(); ++i) {
      Product const& product = l.tables.products[size_t(i)];
      p.sign = T(product.sign);
      for (int g = 0; 2 * g < vectors; ++g) {
        bool const pair = 2 * g + 1 < vectors;
        p.b = m.panels + g * group_size + product.p * panel;
        p.b2 = m.panels + g * group_size + product.q * panel;
        p.a = weights + i * l.panel_size;
        p.c = m.products + i * product_size + int64_t(g) * l.padded * width;
        auto const run = l.tile.run[pair][product.sign != 0];
        for (int b = 0; b < l.blocks; ++b, p.a += l.block_size, p.c += l.tile.rows * width) run(p);
      }
    }
  }

  void run(T const* x, T const* packed, T* y, T const* scale, T const* shift, bool relu, void* work) const {
    Carver one;
    carve(one);
    size_t const bytes = one.used();
    // An output that the caches will not hold until it is read again.
    int64_t const written = int64_t(s.N) * s.P * s.Q * l.Co * l.out_order * int64_t(sizeof(T));
    bool const streamed = written > (8 << 20) && reinterpret_cast<uintptr_t>(y) % 64 == 0;
    parallel_tasks(int64_t(s.N) * t.tiles(), [&](int64_t task) {
      FlushDenormals flush;
      Carver carver(static_cast<char*>(work) + size_t(thread_index()) * bytes);
      Memory const m = carve(carver);
      int64_t const n = task / t.tiles();
      int const ty = int(task % t.tiles()) / t.tiles_x, tx = int(task % t.tiles()) % t.tiles_x;
      int const vectors = vectors_of(ty);
      locate(x, n, ty, tx, m.source);
      for (int c = 0; c < l.chunks; ++c) {
        features(m, c, vectors);
        products(m, packed + c * l.products() * l.panel_size, l.fields_of(c), vectors, c > 0);
      }
      locate_outputs(y, n, ty, tx, m.target);
      l.group_finish()({.tables = &l.tables,
                        .products = m.products,
                        .product_size = product_size,
                        .group_size = int64_t(l.padded) * width,
                        .fields = l.Co,
                        .vectors = vectors,
                        .matrix = l.transform_matrix(l.out_order),
                        .scale = scale,
                        .shift = shift,
                        .relu = relu,
                        .stream = streamed,
                        .pixel = m.target});
    });
#if defined(__x86_64__)
    if (streamed) asm volatile("sfence" ::: "memory");
#endif
  }
  size_t work_bytes() const {
    Carver one;
    carve(one);
    return one.used() * size_t(threads());
  }

  static int64_t most_positions(FourierLayer<T> const& l) {
    constexpr int64_t budget = 1200 << 10;  // of a second-level cache, with room for the weights that stream through
    int64_t const each = (l.tables.panels * l.depth + l.products() * l.padded) * int64_t(sizeof(T));
    return std::clamp<int64_t>(budget / each, 2 * l.stages.lanes, 256);
  }

  FourierLayer<T> const& l;
  ConvShape s;
  Tiling t;
  int width, groups, together;
  int64_t panel, group_size, product_size;
};

/// The gradient of the weights: per entry of the right operands one product over all pixels, features times the
/// transform of dy, then the transposes of the weights' own transforms.
template <class T> class FourierGradient {
 public:
  FourierGradient(FourierLayer<T> const& layer, ConvShape const& shape)
      : l(layer), f(layer, shape), lanes(layer.stages.lanes), outputs(int(round_to(layer.Co, lanes))) {
    pixels = int64_t(f.t.vectors) * lanes;
    entry_size = l.depth * outputs;
    partial_size = l.chunks * l.tables.outputs * entry_size;
    tiles = int64_t(shape.N) * f.t.tiles();
    // By shape alone, so that the sum does not depend on the number of threads.
    partials = int(
        std::clamp<int64_t>((int64_t(16) << 20) / partial_size, 2, std::max<int64_t>(2, std::min<int64_t>(16, tiles))));
    for (int e = 0; e < l.tables.outputs; ++e) add_parts(e);
  }

  size_t work_bytes() const {
    Carver c;
    c.take<T>(partials * partial_size);
    size_t const shared = c.used();
    Carver each;
    carve_thread(each);
    return shared + each.used() * size_t(threads());
  }

  void run(T const* x, T const* dy, T* dw, void* work) const {
    Carver c(work);
    T* const partial = c.take<T>(partials * partial_size);
    char* const rest = static_cast<char*>(work) + c.used();
    Carver one;
    carve_thread(one);
    size_t const bytes = one.used();
    parallel_tasks(partials, [&](int64_t i) {
      FlushDenormals flush;
      Carver carver(rest + size_t(thread_index()) * bytes);
      ThreadMemory const m = carve_thread(carver);
      T* const sum = partial + i * partial_size;
      std::fill_n(sum, partial_size, T(0));
      for (int64_t tile = i * tiles / partials; tile < (i + 1) * tiles / partials; ++tile)
        add_tile(m, x, dy, tile, sum);
    });
    parallel_chunks(partial_size, 1 << 14, [&](int64_t begin, int64_t end) {
      for (int i = 1; i < partials; ++i) {
        T const* from = partial + i * partial_size;
        simd_for(
            begin, end, [=](int64_t k) __attribute__((always_inline)) { partial[k] += from[k]; });
      }
    });
    unpack(partial, dw, rest, bytes);
  }

 private:
  /// a += sign * (features of panel p)^T (coefficient q of dy)
  struct GradientPart {
    int panel, q, sign;
  };
  struct ThreadMemory {
    typename FourierForward<T>::Memory forward;
    T* coefficients;  ///< of dy: [q][pixel][output field]
    T const** fields;
    T* weights;  ///< scratch of unpack
    T** targets;
  };
  ThreadMemory carve_thread(Carver& c) const {
    ThreadMemory m;
    m.forward = f.carve(c);
    m.coefficients = c.take<T>(l.tables.outputs * pixels * outputs);
    m.fields = c.take<T const*>(outputs);
    m.weights = c.take<T>(int64_t(l.V) * l.slots * lanes);
    m.targets = c.take<T*>(lanes);
    return m;
  }

  /// The transpose of "entry e multiplies ... and goes to ...": what the products of the forward pass do before Strassen.
  void add_parts(int e) {
    parts.emplace_back();
    auto& out = parts.back();
    if (!l.tables.factored()) return out.push_back({0, e, 1});
    for (Block const& b : l.tables.blocks) {
      if (e < b.first || e >= b.first + b.size) continue;
      int const i = e - b.first, first = b.first;
      if (b.dim == 1) out.push_back({e, e, 1});
      else if (b.size == 4)
        for (int row = 0; row < 2; ++row) out.push_back({first + 2 * row + i / 2, first + 2 * row + i % 2, 1});
      else if (i == 0) out = {{first, first, 1}, {first + 1, first + 1, 1}};  // Re(conj(y) dO)
      else out = {{first, first + 1, 1}, {first + 1, first, -1}};             // Im
    }
  }

  void add_tile(ThreadMemory const& m, T const* x, T const* dy, int64_t tile, T* sum) const {
    int64_t const n = tile / f.t.tiles();
    int const ty = int(tile % f.t.tiles()) / f.t.tiles_x, tx = int(tile % f.t.tiles()) % f.t.tiles_x;
    int const vectors = f.vectors_of(ty);
    transform_gradient(m, dy, n, ty, tx, int64_t(vectors) * lanes);
    f.locate(x, n, ty, tx, m.forward.source);
    for (int c = 0; c < l.chunks; ++c) {
      f.features(m.forward, c, vectors);
      for (int e = 0; e < l.tables.outputs; ++e)
        for (GradientPart const& part : parts[size_t(e)])
          multiply(m, part, int64_t(vectors) * lanes, l.fields_of(c) * l.V,
                   sum + (c * l.tables.outputs + e) * entry_size);
    }
  }

  void transform_gradient(ThreadMemory const& m, T const* dy, int64_t n, int ty, int tx, int64_t count) const {
    T const** const pixel = const_cast<T const**>(m.forward.target);
    f.locate_outputs(dy, n, ty, tx, pixel);
    std::fill_n(m.fields, outputs, nullptr);
    for (int64_t p = 0; p < count; ++p) {
      T* const to = m.coefficients + p * outputs;
      if (!pixel[p]) {
        for (int q = 0; q < l.tables.outputs; ++q) std::fill_n(to + q * pixels * outputs, outputs, T(0));
        continue;
      }
      for (int o = 0; o < l.Co; ++o) m.fields[o] = pixel[p] + int64_t(o) * l.out_order;
      l.group_transform_of_gradient()({.pixel = m.fields,
                                       .positions = outputs,
                                       .channel = 0,
                                       .fields = 1,
                                       .order = l.out_order,
                                       .matrix = l.transform_matrix(l.out_order),
                                       .planes = to,
                                       .plane = pixels * outputs});
    }
  }

  void multiply(ThreadMemory const& m, GradientPart const& part, int64_t count, int rows, T* sum) const {
    GradientArgs<T> g{.pixels = count,
                      .a = nullptr,
                      .a_row = f.width,
                      .a_group = f.group_size,
                      .b = nullptr,
                      .outputs = outputs,
                      .c = nullptr,
                      .sign = T(part.sign)};
    for (int o = 0; o < outputs;) {
      int const wide = outputs - o >= 2 * lanes;
      g.b = m.coefficients + part.q * pixels * outputs + o;
      for (int r = 0; r < rows;) {
        GradientTile<T> const* tile = l.stages.gradients;
        while (tile->rows > rows - r) ++tile;
        g.a = m.forward.panels + part.panel * f.panel + int64_t(r) * f.width;
        g.c = sum + int64_t(r) * outputs + o;
        tile->run[wide](g);
        r += tile->rows;
      }
      o += (1 + wide) * lanes;
    }
  }

  void unpack(T const* sum, T* dw, char* rest, size_t bytes) const {
    parallel_tasks(int64_t(l.Ci) * (outputs / lanes), [&](int64_t task) {
      Carver carver(rest + size_t(thread_index()) * bytes);
      ThreadMemory const m = carve_thread(carver);
      int const c = int(task % l.Ci), o = int(task / l.Ci) * lanes, count = std::min(lanes, l.Co - o);
      for (int i = 0; i < count; ++i) m.targets[i] = dw + (int64_t(o + i) * l.Ci + c) * l.V * l.slots;
      l.group.unpack({.entries = sum + (c / l.chunk * l.tables.outputs * l.depth + c % l.chunk * l.V) * outputs + o,
                      .entry = entry_size,
                      .slot = outputs,
                      .V = l.V,
                      .slots = l.slots,
                      .count = count,
                      .matrix = l.matrix.data(),
                      .terms = l.tables.terms.data(),
                      .term_count = int(l.tables.terms.size()),
                      .unit = l.unit.data(),
                      .coefficients = m.weights,
                      .weights = m.targets});
    });
  }

  FourierLayer<T> const& l;
  FourierForward<T> f;
  int lanes, outputs, partials;
  int64_t pixels, entry_size, partial_size, tiles;
  std::vector<std::vector<GradientPart>> parts;
};

/// Whether the factored path takes these arguments at all.
template <class T> bool fourier_supported(GroupConv2d<T> const& a) {
  int64_t harmonics = 0;
  for (int i = 0; i < a.rings; ++i) harmonics += a.max_freqs[i] + 1;
  return a.rings > 0 && a.group.order() <= most_elements && harmonics <= most_harmonics &&
         a.kernel <= 2 * most_radius + 1;
}

template <class T> ConvShape forward_shape(GroupConv2d<T> const& a) {
  return {a.N, a.H, a.W, a.out(a.H), a.out(a.W), a.kernel, a.stride, a.padding, a.dilation, 1};
}
template <class T> ConvShape adjoint_shape(GroupConv2d<T> const& a) {
  return {a.N,        a.out(a.H), a.out(a.W), a.H, a.W, a.kernel, 1, a.dilation * (a.kernel - 1) - a.padding,
          a.dilation, a.stride};
}
inline Sides adjoint_sides(Sides s) {
  return s == Sides::lifting ? Sides::projecting : s == Sides::projecting ? Sides::lifting : s;
}

/// Scratch memory of a forward pass, in the order in which it is used.
template <class T> struct FourierWork {
  T *scale, *shift, *packed, *scratch, *adjoint;
  char* rest;
  size_t bytes;

  FourierWork(FourierLayer<T> const& l, FourierForward<T> const& f, bool pack, int64_t adjoint_count, void* work) {
    Carver c(work);
    scale = c.take<T>(l.Co), shift = c.take<T>(l.Co);
    packed = c.take<T>(pack ? l.packed_count() : 0);
    scratch = c.take<T>(pack ? int64_t(l.V) * l.slots * 16 * threads() : 0);
    adjoint = c.take<T>(adjoint_count);
    rest = static_cast<char*>(work) + c.used();
    bytes = c.used() + f.work_bytes();
  }
};

template <class T> size_t fourier_work_bytes(GroupConv2d<T> const& a) {
  FourierLayer<T> const l(a, a.sides, a.Ci, a.Co);
  FourierForward<T> const f(l, forward_shape(a));
  return FourierWork<T>(l, f, !a.packed, 0, nullptr).bytes;
}
template <class T> int fourier_conv2d(GroupConv2d<T> const& a) {
  FourierLayer<T> const l(a, a.sides, a.Ci, a.Co);
  FourierForward<T> const f(l, forward_shape(a));
  FourierWork<T> const w(l, f, !a.packed, 0, a.work);
  for (int o = 0; o < a.Co; ++o) {
    w.scale[o] = a.scale ? a.scale[o] : T(1);
    w.shift[o] = a.bias ? a.bias[o] : T(0);
  }
  if (!a.packed) pack_weights(l, a.w, w.packed, w.scratch);
  f.run(a.x, a.packed ? a.packed : w.packed, a.y, w.scale, w.shift, a.relu, w.rest);
  return ok;
}

template <class T> size_t fourier_dx_work_bytes(GroupConv2d<T> const& a) {
  FourierLayer<T> const l(a, adjoint_sides(a.sides), a.Co, a.Ci);
  FourierForward<T> const f(l, adjoint_shape(a));
  return FourierWork<T>(l, f, true, int64_t(a.Co) * a.Ci * a.V * l.slots, nullptr).bytes;
}
template <class T> int fourier_conv2d_dx(GroupConv2d<T> const& a) {
  FourierLayer<T> const l(a, adjoint_sides(a.sides), a.Co, a.Ci);
  FourierForward<T> const f(l, adjoint_shape(a));
  FourierWork<T> const w(l, f, true, int64_t(a.Co) * a.Ci * a.V * l.slots, a.work);
  std::fill_n(w.scale, a.Ci, T(1));
  std::fill_n(w.shift, a.Ci, T(0));
  adjoint_weights(a, l.tables, a.w, w.adjoint);
  pack_weights(l, w.adjoint, w.packed, w.scratch);
  f.run(a.dy, w.packed, a.dx, w.scale, w.shift, false, w.rest);
  return ok;
}

template <class T> size_t fourier_dw_work_bytes(GroupConv2d<T> const& a) {
  FourierLayer<T> const l(a, a.sides, a.Ci, a.Co);
  return FourierGradient<T>(l, forward_shape(a)).work_bytes();
}
template <class T> int fourier_conv2d_dw(GroupConv2d<T> const& a) {
  FourierLayer<T> const l(a, a.sides, a.Ci, a.Co);
  FourierGradient<T>(l, forward_shape(a)).run(a.x, a.dy, a.dw, a.work);
  return ok;
}

}  // namespace d16::kernels::cpu::detail
