// The factored group convolution and its gradients: tiles of pixels, chunks of input fields, one product per irrep.
#pragma once
#include "denormals.hpp"
#include "fourier_layer.hpp"

namespace d16::kernels::cpu::detail {

/// Forward pass over all tiles: scale (Co), shift (Co), packed weights.
template <class T> class FourierForward {
 public:
  FourierForward(FourierLayer<T> const& layer, ConvShape const& shape)
      : l(layer),
        s(shape),
        t(shape, layer.stages.lanes, most_positions(layer)),
        width(2 * layer.stages.lanes),
        groups((t.vectors + 1) / 2) {
    panel = (l.split.parts ? l.V : l.depth) * width;
    group_size = panel * l.tables.panels;
    if (l.split.parts)
      for (int last = 0; last < 2; ++last) {
        int64_t at = 0;
        for (auto const& left : l.split_tables.lefts) {
          split_left_at[last].push_back(at);
          at += split_depth(l.pairs_of(last ? l.chunks - 1 : 0), left.count) * l.split.parts * 2 * split_tile;
        }
        split_group = std::max(split_group, at);
      }
    for (int column = 0; column < int(l.tables.columns.size()); ++column)
      plan.push_back(l.plain3 ? plan_column<T>(l.tables, column, width, panel) : ColumnPlan<T>());
    product_size = int64_t(groups) * l.padded * width + width;  // products begin in different cache sets
  }

  struct Memory {
    T const** source;
    T *planes, *panels;
    uint16_t* split;  ///< features for the matrix unit; panels are those of two fields and a group then
    T* products;
    T** target;
    int* start;
    T *valid, *sums;  ///< which positions are outputs; sums of each output field and of its squares, a vector each
  };
  Memory carve(Carver& c) const {
    Memory m;
    m.source = c.take<T const*>(t.plane);
    m.planes = c.take<T>(l.chunk * l.in_order * t.plane);
    m.panels = c.take<T>(group_size * (l.split.parts ? 2 : groups));
    m.split = c.take<uint16_t>(split_group * groups);
    m.products = c.take<T>(product_size * l.sums());
    m.target = c.take<T*>(int64_t(groups) * width);
    m.start = c.take<int>(t.vectors);
    m.valid = c.take<T>(int64_t(groups) * width);
    m.sums = c.take<T>(int64_t(l.Co) * width);
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
    l.group_transform()({.pixel = m.source,
                         .positions = t.plane,
                         .channel = int64_t(c) * l.chunk * l.in_order,
                         .fields = l.fields_of(c),
                         .order = l.in_order,
                         .matrix = l.transform_matrix(l.in_order),
                         .planes = m.planes,
                         .plane = t.plane});
    for (int v = 0; v < vectors; ++v) m.start[v] = int(t.start(v, l.stages.lanes));
    ProjectArgs<T> p{.tables = &l.tables,
                     .kernel = s.kernel,
                     .offset = t.offset,
                     .taps = l.taps.data(),
                     .tap_begin = l.tap_begin.data(),
                     .plan = plan.data(),
                     .centre = l.centre,
                     .corner = l.corner,
                     .diagonal = l.diagonal,
                     .planes = m.planes,
                     .plane = t.plane,
                     .panels = m.panels,
                     .panel = panel,
                     .group_size = group_size,
                     .slot = 0,
                     .vectors = vectors,
                     .start = m.start};
    if constexpr (std::is_same_v<T, float>)
      if (l.split.parts) return split_features(m, c, p);
    for (int i = 0; i < l.fields_of(c); ++i, p.planes += int64_t(l.in_order) * t.plane, p.slot += l.V)
      l.stages.project(p);
  }

  /// The same for the matrix unit: two fields at a time, which stay in the first-level cache until they are split.
  void split_features(Memory const& m, int c, ProjectArgs<float> p) const {
    int const vectors = p.vectors;
    for (int v = 0; v < vectors; v += 2) {
      p.vectors = std::min(2, vectors - v);
      p.start = m.start + v;
      uint16_t* const to = m.split + v / 2 * split_group;
      l.split.clear(l.split_tables, l.pairs_of(c), to);
      for (int i = 0; i < l.fields_of(c); i += 2) {
        bool const alone = i + 1 == l.fields_of(c);
        for (int j = 0; j < (alone ? 1 : 2); ++j) {
          p.planes = m.planes + int64_t(i + j) * l.in_order * t.plane;
          p.panels = m.panels + j * group_size;
          l.stages.project(p);
        }
        l.split.features({.tables = &l.split_tables,
                          .panels = m.panels,
                          .panel = panel,
                          .field = group_size,
                          .V = l.V,
                          .pair = i / 2,
                          .pairs = l.pairs_of(c),
                          .alone = alone,
                          .vectors = p.vectors,
                          .to = to});
      }
    }
  }

  /// Adds up what chunk c contributes to the tile.
  void products(Memory const& m, T const* packed, int c, int vectors) const {
    T const* const weights = packed + c * l.packed_size();
    if constexpr (std::is_same_v<T, float>)
      if (l.split.parts) return split_products(m, weights, c, vectors);
    ProductArgs<T> p{.depth = l.fields_of(c) * l.V,
                     .a = nullptr,
                     .b = nullptr,
                     .b2 = nullptr,
                     .sign = 0,
                     .c = nullptr,
                     .accumulate = c > 0};
    for (int64_t i = 0; i < l.sums(); ++i) {
      Product const& product = l.tables.products[size_t(i)];
      p.sign = T(product.sign);
      for (int g = 0; 2 * g < vectors; ++g) {
        bool const pair = 2 * g + 1 < vectors;
        p.b = m.panels + g * group_size + product.p * panel;
        p.b2 = m.panels + g * group_size + product.q * panel;
        p.a = weights + i * l.panel_size;
        p.c = m.products + i * product_size + int64_t(g) * l.padded * width;
        auto const run = l.tile.run[pair][product.sign != 0];
        for (int b = 0; b < l.blocks; ++b, p.a += l.block_size, p.c += l.rows * width) run(p);
      }
    }
  }

  /// The same on the matrix unit: weights of one right operand stay in the first-level cache.
  void split_products(Memory const& m, float const* weights, int c, int vectors) const {
    MatrixUnit const unit(l.rows, split_row_tiles(l.blocks));
    auto const* const a = reinterpret_cast<uint16_t const*>(weights);
    std::vector<int64_t> const& left_at = split_left_at[size_t(c == l.chunks - 1)];
    auto const& list = l.split_tables.products;
    for (size_t i = 0, end = 0; i < list.size(); i = end) {
      while (end < list.size() && list[end].right == list[i].right) ++end;
      int64_t const size = l.right_size(list[i].right);
      uint16_t const* from = a + l.right_at[size_t(list[i].right)];
      for (int block = 0, count; block < l.blocks; block += count, from += count * size) {
        count = split_together(l.blocks - block);
        for (int g = 0; 2 * g < vectors; ++g)
          for (size_t j = i; j < end; ++j) {
            int const depth = split_depth(l.pairs_of(c), l.split_tables.lefts[size_t(list[j].left)].count);
            l.split.product(
                {.depth = depth,
                 .rows = l.rows,
                 .vectors = std::min(2, vectors - 2 * g),
                 .a = from,
                 .b = m.split + g * split_group + left_at[size_t(list[j].left)],
                 .a_block = size,
                 .c = m.products + list[j].result * product_size + (int64_t(g) * l.padded + block * l.rows) * width,
                 .accumulate = c > 0},
                count);
          }
      }
    }
  }

  /// Where sums (tiles of all images, Co, 2) are given, they become those of the result and of its squares.
  void run(T const* x, T const* packed, T* y, T const* scale, T const* shift, bool relu, double* sums,
           void* work) const {
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
        products(m, packed, c, vectors);
      }
      locate_outputs(y, n, ty, tx, m.target);
      if (sums) {
        for (int i = 0; i < t.vectors * l.stages.lanes; ++i) m.valid[i] = m.target[i] ? T(1) : T(0);
        std::fill_n(m.sums, int64_t(l.Co) * width, T(0));
      }
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
                        .plain = l.split.parts > 0,
                        .pixel = m.target,
                        .valid = sums ? m.valid : nullptr,
                        .sums = m.sums});
      if (sums) add_lanes(m.sums, sums + task * l.Co * 2);
      if (streamed) finish_streams();
    });
  }
  /// The vectors of a tile's sums to one number each.
  void add_lanes(T const* lanes, double* sums) const {
    for (int i = 0; i < 2 * l.Co; ++i) {
      sums[i] = 0;
      for (int lane = 0; lane < l.stages.lanes; ++lane) sums[i] += double(lanes[i * l.stages.lanes + lane]);
    }
  }
  size_t work_bytes() const {
    Carver one;
    carve(one);
    return one.used() * size_t(threads());
  }

  static int64_t most_positions(FourierLayer<T> const& l) {
    constexpr int64_t budget = 1200 << 10;  // of a second-level cache, with room for the weights that stream through
    int64_t const feature = l.split.parts ? 2 * l.split.parts : int64_t(sizeof(T));
    int64_t const each = l.tables.panels * l.depth * feature + l.sums() * l.padded * int64_t(sizeof(T));
    return std::clamp<int64_t>(budget / each, 2 * l.stages.lanes, 256);
  }

  FourierLayer<T> const& l;
  ConvShape s;
  Tiling t;
  int width, groups;
  int64_t panel, group_size, product_size, split_group = 0;
  std::vector<int64_t> split_left_at[2];  ///< of each left operand in a group; of the last chunk
  std::vector<ColumnPlan<T>> plan;
};

/// The gradient of the weights: per entry of the right operands one product over all pixels, features times the
/// transform of dy, then the transposes of the weights' own transforms.
template <class T> class FourierGradient {
 public:
  FourierGradient(FourierLayer<T> const& layer, ConvShape const& shape)
      : l(layer), f(layer, shape), lanes(layer.stages.lanes), outputs(int(round_up(layer.Co, lanes))) {
    pixels = int64_t(f.t.vectors) * lanes;
    coefficient_size = pixels * outputs + 16;  // coefficients begin in different cache sets
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
    m.coefficients = c.take<T>(l.tables.outputs * coefficient_size);
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
        for (int q = 0; q < l.tables.outputs; ++q) std::fill_n(to + q * coefficient_size, outputs, T(0));
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
                                       .plane = coefficient_size});
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
      g.b = m.coefficients + part.q * coefficient_size + o;
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
  int64_t pixels, coefficient_size, entry_size, partial_size, tiles;
  std::vector<std::vector<GradientPart>> parts;
};

/// bfloat16 is for the products between group features, and for processors that multiply such numbers.
template <class T> bool precision_supported(GroupConv2d<T> const& a) {
  return a.precision == Precision::float32 ||
         (std::is_same_v<T, float> && a.sides == Sides::regular && best_isa() >= Isa::amx);
}

/// Whether the factored path takes these arguments at all.
template <class T> bool fourier_supported(GroupConv2d<T> const& a) {
  int64_t harmonics = 0;
  for (int i = 0; i < a.rings; ++i) harmonics += a.max_freqs[i] + 1;
  return a.rings > 0 && a.group.order() <= most_elements && harmonics <= most_harmonics &&
         a.kernel <= 2 * most_radius + 1 && precision_supported(a);
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
  double* sums;
  T *scale, *shift, *packed, *scratch, *adjoint;
  char* rest;
  size_t bytes;

  FourierWork(FourierLayer<T> const& l, FourierForward<T> const& f, bool pack, int64_t adjoint_count, bool summed,
              void* work) {
    Carver c(work);
    sums = c.take<double>(summed ? int64_t(f.s.N) * f.t.tiles() * l.Co * 2 : 0);
    scale = c.take<T>(l.Co), shift = c.take<T>(l.Co);
    packed = c.take<T>(pack ? l.packed_count() : 0);
    scratch = c.take<T>(pack ? l.pack_scratch() * threads() : 0);
    adjoint = c.take<T>(adjoint_count);
    bytes = c.used() + f.work_bytes();
    rest = c.take<char>(int64_t(f.work_bytes()));
  }
};

/// Mean and variance of every field from the sums of the tiles, before the bias, which only moves the mean.
template <class T> void moments_of(GroupConv2d<T> const& a, double const* sums, int64_t tiles) {
  double const count = double(a.N) * a.out(a.H) * a.out(a.W) * a.rule().out_order();
  for (int o = 0; o < a.Co; ++o) {
    double sum = 0, squares = 0;
    for (int64_t tile = 0; tile < tiles; ++tile) {
      sum += sums[(tile * a.Co + o) * 2];
      squares += sums[(tile * a.Co + o) * 2 + 1];
    }
    double const mean = sum / count;
    a.moments[o] = mean + (a.bias ? double(a.bias[o]) : 0);
    a.moments[a.Co + o] = std::max(0.0, squares / count - mean * mean);
  }
}

template <class T> size_t fourier_work_bytes(GroupConv2d<T> const& a) {
  FourierLayer<T> const l(a, a.sides, a.Ci, a.Co);
  FourierForward<T> const f(l, forward_shape(a));
  return FourierWork<T>(l, f, !a.packed, 0, a.moments, nullptr).bytes;
}
template <class T> int fourier_conv2d(GroupConv2d<T> const& a) {
  FourierLayer<T> const l(a, a.sides, a.Ci, a.Co);
  FourierForward<T> const f(l, forward_shape(a));
  FourierWork<T> const w(l, f, !a.packed, 0, a.moments, a.work);
  for (int o = 0; o < a.Co; ++o) {
    w.scale[o] = a.scale ? a.scale[o] : T(1);
    w.shift[o] = a.bias ? a.bias[o] : T(0);
  }
  if (!a.packed) pack_weights(l, a.w, w.packed, w.scratch);
  f.run(a.x, a.packed ? a.packed : w.packed, a.y, w.scale, w.shift, a.relu, a.moments ? w.sums : nullptr, w.rest);
  if (a.moments) moments_of(a, w.sums, int64_t(a.N) * f.t.tiles());
  return ok;
}

template <class T> size_t fourier_dx_work_bytes(GroupConv2d<T> const& a) {
  FourierLayer<T> const l(a, adjoint_sides(a.sides), a.Co, a.Ci);
  FourierForward<T> const f(l, adjoint_shape(a));
  return FourierWork<T>(l, f, true, int64_t(a.Co) * a.Ci * a.V * l.slots, false, nullptr).bytes;
}
template <class T> int fourier_conv2d_dx(GroupConv2d<T> const& a) {
  FourierLayer<T> const l(a, adjoint_sides(a.sides), a.Co, a.Ci);
  FourierForward<T> const f(l, adjoint_shape(a));
  FourierWork<T> const w(l, f, true, int64_t(a.Co) * a.Ci * a.V * l.slots, false, a.work);
  std::fill_n(w.scale, a.Ci, T(1));
  std::fill_n(w.shift, a.Ci, T(0));
  adjoint_weights(a, l.tables, a.w, w.adjoint);
  pack_weights(l, w.adjoint, w.packed, w.scratch);
  f.run(a.dy, w.packed, a.dx, w.scale, w.shift, false, nullptr, w.rest);
  return ok;
}

template <class T> size_t fourier_dw_work_bytes(GroupConv2d<T> const& a) {
  FourierLayer<T> const l(a, a.sides, a.Ci, a.Co, false);
  return FourierGradient<T>(l, forward_shape(a)).work_bytes();
}
template <class T> int fourier_conv2d_dw(GroupConv2d<T> const& a) {
  FourierLayer<T> const l(a, a.sides, a.Ci, a.Co, false);
  FourierGradient<T>(l, forward_shape(a)).run(a.x, a.dy, a.dw, a.work);
  return ok;
}

}  // namespace d16::kernels::cpu::detail
