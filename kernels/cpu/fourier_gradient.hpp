// The gradient of the weights of the factored group convolution: one product over all pixels per irrep.
#pragma once
#include "fourier_forward.hpp"

namespace d16::kernels::cpu::detail {

/// The gradient of the weights: per entry of the right operands one product over all pixels, features times the
/// transform of dy, then the transposes of the weights' own transforms.
template <class T> class FourierGradient {
 public:
  FourierGradient(FourierLayer<T> const& layer, ConvShape const& shape)
      : l(layer),
        lanes(layer.stages.lanes),
        outputs(int(round_up(layer.Co, lanes))),
        f(layer, shape, most_positions()) {
    pixels = int64_t(f.t.vectors) * lanes;
    coefficient_size = l.split.parts ? 2 * outputs + 16 : pixels * outputs + 16;  // begin in different cache sets
    row_blocks = int(l.depth + 15) / 16;
    rows = int(l.depth + row_blocks - 1) / row_blocks;
    entry_size = (l.split.parts ? row_blocks * rows : l.depth) * outputs;
    partial_size = l.chunks * l.tables.outputs * entry_size;
    tiles = int64_t(shape.N) * f.t.tiles();
    // By shape alone, so that the sum does not depend on the number of threads.
    partials = int(
        std::clamp<int64_t>((int64_t(16) << 20) / partial_size, 2, std::max<int64_t>(2, std::min<int64_t>(16, tiles))));
    for (int e = 0; e < l.tables.outputs; ++e) add_parts(e);
  }

  void read_through(T const* fields) { f.read_through(fields); }

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
    T* coefficients;  ///< of dy: [q][pixel][output field]; on the matrix unit of two pixels only
    uint16_t *split_rows, *split_outputs;
    T const** fields;
    T* weights;  ///< scratch of unpack
    T** targets;
  };
  ThreadMemory carve_thread(Carver& c) const {
    ThreadMemory m;
    m.forward = f.carve(c);
    m.coefficients = c.take<T>(l.tables.outputs * coefficient_size);
    int64_t const tiles_of_group = l.split.parts * int64_t(f.groups) * split_tile;
    m.split_rows = c.take<uint16_t>(l.tables.panels * row_blocks * tiles_of_group);
    m.split_outputs = c.take<uint16_t>(l.tables.outputs * output_pairs() * 2 * tiles_of_group);
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
    f.locate_outputs(dy, n, ty, tx, const_cast<T const**>(m.forward.target));
    f.locate(x, n, ty, tx, m.forward.source);
    if constexpr (std::is_same_v<T, float>)
      if (l.split.parts) return add_split_tile(m, vectors, sum);
    transform_gradient(m, 0, int64_t(vectors) * lanes, int64_t(vectors) * lanes);
    for (int c = 0; c < l.chunks; ++c) {
      f.features(m.forward, c, vectors);
      for (int e = 0; e < l.tables.outputs; ++e)
        for (GradientPart const& part : parts[size_t(e)])
          multiply(m, part, int64_t(vectors) * lanes, l.fields_of(c) * l.V,
                   sum + (c * l.tables.outputs + e) * entry_size);
    }
  }

  int output_pairs() const { return (outputs / 16 + 1) / 2; }

  /// The same on the matrix unit: pixels are the depth of its products.
  void add_split_tile(ThreadMemory const& m, int vectors, float* sum) const {
    int const groups = (vectors + 1) / 2;
    for (int pair = 0; pair < groups * 16; ++pair) {
      transform_gradient(m, 2 * pair, 2, int64_t(vectors) * lanes);
      l.split.outputs({.values = m.coefficients,
                       .plane = coefficient_size,
                       .count = l.tables.outputs,
                       .fields = outputs,
                       .groups = groups,
                       .pair = pair,
                       .to = m.split_outputs});
    }
    for (int c = 0; c < l.chunks; ++c) {
      f.transform(m.forward, c, vectors);
      for (int g = 0; g < groups; ++g)
        for (int i = 0; i < l.fields_of(c); ++i) {
          int const here = std::min(2, vectors - 2 * g);
          f.project(m.forward, i, 1, 2 * g, here);
          l.split.rows({.panels = m.forward.panels,
                        .panel = f.panel,
                        .count = l.tables.panels,
                        .V = l.V,
                        .first = i * l.V,
                        .rows = rows,
                        .blocks = row_blocks,
                        .groups = groups,
                        .group = g,
                        .vectors = here,
                        .to = m.split_rows});
        }
      split_multiply(m, groups, c, sum + int64_t(c) * l.tables.outputs * entry_size);
    }
  }

  void split_multiply(ThreadMemory const& m, int groups, int c, float* sum) const {
    int const blocks = (l.fields_of(c) * l.V + rows - 1) / rows;
    MatrixUnit const unit(rows, split_row_tiles(blocks));
    int64_t const block = int64_t(groups) * l.split.parts * split_tile;
    for (int e = 0; e < l.tables.outputs; ++e, sum += entry_size) {
      auto const& sides = parts[size_t(e)];
      for (int r = 0, count; r < blocks; r += count) {
        count = split_together(blocks - r);
        for (int o = 0; o < outputs; o += 32) {
          SplitProduct p{.depth = groups,
                         .rows = rows,
                         .vectors = std::min(2, (outputs - o) / 16),
                         .sides = int(sides.size()),
                         .a = {},
                         .b = {},
                         .a_block = block,
                         .c = sum + int64_t(r) * rows * outputs + o,
                         .c_row = outputs,
                         .accumulate = true};
          for (size_t i = 0; i < sides.size(); ++i) {
            p.a[i] = m.split_rows + (sides[i].panel * row_blocks + r) * block;
            p.b[i] = m.split_outputs + (sides[i].q * output_pairs() + o / 32) * 2 * block;
          }
          l.split.product(p, count);
        }
      }
    }
  }

  /// Coefficients of dy at `count` positions from `first` on; zeros where there is no output, and from `end` on.
  void transform_gradient(ThreadMemory const& m, int64_t first, int64_t count, int64_t end) const {
    T const* const* const pixel = const_cast<T const* const*>(m.forward.target) + first;
    std::fill_n(m.fields, outputs, nullptr);
    for (int64_t p = 0; p < count; ++p) {
      T* const to = m.coefficients + p * outputs;
      if (first + p >= end || !pixel[p]) {
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
                                       .plane = coefficient_size,
                                       .mean = nullptr,
                                       .scale = nullptr,
                                       .shift = nullptr});
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
      l.group.unpack({.entries = sum + c / l.chunk * l.tables.outputs * entry_size + c % l.chunk * l.V * outputs + o,
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

  int64_t most_positions() const {
    if (!l.split.parts) return FourierForward<T>::most_positions(l);
    int64_t const each = (l.tables.panels * l.depth + l.tables.outputs * outputs) * 2 * l.split.parts;
    return std::clamp<int64_t>(FourierForward<T>::cache_budget / each, 2 * lanes, 256);
  }

  FourierLayer<T> const& l;
  int lanes, outputs, partials, row_blocks, rows;
  FourierForward<T> f;
  int64_t pixels, coefficient_size, entry_size, partial_size, tiles;
  std::vector<std::vector<GradientPart>> parts;
};

}  // namespace d16::kernels::cpu::detail
