// The forward pass of the factored group convolution: tiles of pixels, chunks of input fields, one product per irrep.
#pragma once
#include "denormals.hpp"
#include "fourier_layer.hpp"

namespace d16::kernels::cpu::detail {

/// Forward pass over all tiles: scale (Co), shift (Co), packed weights.
template <class T> class FourierForward {
 public:
  FourierForward(FourierLayer<T> const& layer, ConvShape const& shape)
      : FourierForward(layer, shape, most_positions(layer)) {}
  /// With tiles of about `most` positions.
  FourierForward(FourierLayer<T> const& layer, ConvShape const& shape, int64_t most)
      : l(layer),
        s(shape),
        t(shape, layer.stages.lanes, most),
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

  /// x is to be read through a norm (3,Ci). Some values behind each list are read and not used.
  void read_through(T const* fields) {
    if (!fields) return;
    int64_t const step = int64_t(l.Ci) * l.in_order + l.stages.lanes;
    norm.assign(size_t(3 * step), T(0));
    for (int which = 0; which < 3; ++which)
      for (int c = 0; c < l.Ci; ++c)
        std::fill_n(norm.data() + which * step + c * l.in_order, l.in_order, fields[which * l.Ci + c]);
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
    transform(m, c, vectors);
    if constexpr (std::is_same_v<T, float>)
      if (l.split.parts) return split_features(m, c, vectors);
    project(m, 0, l.fields_of(c), 0, vectors);
  }

  /// The fields of chunk c to planes of coefficients.
  void transform(Memory const& m, int c, int vectors) const {
    l.group_transform()({.pixel = m.source,
                         .positions = t.plane,
                         .channel = int64_t(c) * l.chunk * l.in_order,
                         .fields = l.fields_of(c),
                         .order = l.in_order,
                         .matrix = l.transform_matrix(l.in_order),
                         .planes = m.planes,
                         .plane = t.plane,
                         .mean = norm.empty() ? nullptr : norm.data(),
                         .scale = norm.data() + norm.size() / 3,
                         .shift = norm.data() + norm.size() / 3 * 2});
    for (int v = 0; v < vectors; ++v) m.start[v] = int(t.start(v, l.stages.lanes));
  }

  /// Planes of `count` fields from `field` on to features, for `vectors` from `first` on. On the matrix unit panels are
  /// those of a group of two vectors, one set of them for each field; otherwise those of the tile, fields in a row.
  void project(Memory const& m, int field, int count, int first, int vectors) const {
    ProjectArgs<T> p{.tables = &l.tables,
                     .kernel = s.kernel,
                     .offset = t.offset,
                     .taps = l.taps.data(),
                     .tap_begin = l.tap_begin.data(),
                     .plan = plan.data(),
                     .centre = l.centre,
                     .corner = l.corner,
                     .diagonal = l.diagonal,
                     .planes = m.planes + int64_t(field) * l.in_order * t.plane,
                     .plane = t.plane,
                     .panels = m.panels,
                     .panel = panel,
                     .group_size = group_size,
                     .slot = 0,
                     .vectors = vectors,
                     .start = m.start + first};
    for (int i = 0; i < count; ++i, p.planes += int64_t(l.in_order) * t.plane) {
      l.stages.project(p);
      if (l.split.parts) p.panels += group_size;
      else p.slot += l.V;
    }
  }

  /// The same for the matrix unit: two fields at a time, which stay in the first-level cache until they are split.
  void split_features(Memory const& m, int c, int vectors) const {
    for (int v = 0; v < vectors; v += 2) {
      int const here = std::min(2, vectors - v);
      uint16_t* const to = m.split + v / 2 * split_group;
      l.split.clear(l.split_tables, l.pairs_of(c), to);
      for (int i = 0; i < l.fields_of(c); i += 2) {
        bool const alone = i + 1 == l.fields_of(c);
        project(m, i, alone ? 1 : 2, v, here);
        l.split.features({.tables = &l.split_tables,
                          .panels = m.panels,
                          .panel = panel,
                          .field = group_size,
                          .V = l.V,
                          .pair = i / 2,
                          .pairs = l.pairs_of(c),
                          .alone = alone,
                          .vectors = here,
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
                 .sides = 1,
                 .a = {from, nullptr},
                 .b = {m.split + g * split_group + left_at[size_t(list[j].left)], nullptr},
                 .a_block = size,
                 .c = m.products + list[j].result * product_size + (int64_t(g) * l.padded + block * l.rows) * width,
                 .c_row = width,
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

  /// Of a second-level cache, with room for the weights that stream through.
  static constexpr int64_t cache_budget = 1200 << 10;
  static int64_t most_positions(FourierLayer<T> const& l) {
    int64_t const feature = l.split.parts ? 2 * l.split.parts : int64_t(sizeof(T));
    int64_t const each = l.tables.panels * l.depth * feature + l.sums() * l.padded * int64_t(sizeof(T));
    return std::clamp<int64_t>(cache_budget / each, 2 * l.stages.lanes, 256);
  }

  FourierLayer<T> const& l;
  ConvShape s;
  Tiling t;
  int width, groups;
  int64_t panel, group_size, product_size, split_group = 0;
  std::vector<int64_t> split_left_at[2];  ///< of each left operand in a group; of the last chunk
  std::vector<ColumnPlan<T>> plan;
  std::vector<T> norm;  ///< of each channel of x: means, scales, shifts; or empty
};

}  // namespace d16::kernels::cpu::detail
