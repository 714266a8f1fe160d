// A layer of the factored path: tables, the folded basis, packed weights, and the weights of the adjoint.
#pragma once
#include <d16/core/parallel.hpp>
#include <d16/group/fourier.hpp>

#include "fourier_split.hpp"
#include "fourier_tile.hpp"
#include "fourier_tiling.hpp"

namespace d16::kernels::cpu::detail {

/// What a layer is made for: convolutions, or the gradient of its weights, which packs none.
enum class Purpose { convolution, gradient };

/// A layer: tables, and how its weights are cut and packed.
template <class T> struct FourierLayer {
  FourierTables tables;
  FourierStages<T> const& stages;
  GroupStages<T> const& group;
  ProductTile<T> const& tile;
  SplitTables split_tables;
  SplitStages split;  ///< parts is 0 where products are those of vectors
  int Ci, Co, V, in_order, out_order, slots;
  int chunk, chunks;         ///< fields of the input in a chunk, and chunks
  int blocks, rows, padded;  ///< blocks of rows output fields, and how many fields they hold
  int64_t depth, block_size, panel_size;
  std::vector<T> matrix, unit;  ///< of the transform; of each function
  std::vector<WeightTerm<T>> weight_terms;
  std::vector<int> weight_begin, tap_begin;
  std::vector<FoldedTap> taps;
  std::vector<int64_t> right_at;  ///< on the matrix unit: where each right operand begins in a chunk
  bool plain3 = false;
  T centre = 0, corner = 0, diagonal = 0;

  FourierLayer(GroupConv2d<T> const& a, Sides sides, int in, int out, Purpose purpose = Purpose::convolution)
      : tables(a.group, sides, a.V, a.rings, a.max_freqs),
        stages(fourier_stages<T>(best_isa())),
        group(stages.stages_of(a.group)),
        tile(stages.tile_for(out)),
        split_tables(tables),
        split(split_stages_of(a, sides, out, purpose)),
        Ci(in),
        Co(out),
        V(a.V) {
    FilterRule const rule{a.group, sides};
    in_order = rule.in_order(), out_order = rule.out_order(), slots = rule.slots();
    if (split.parts) cut_for_matrix_unit();
    else cut_for_vectors();
    padded = blocks * rows;
    depth = int64_t(chunk) * V;
    panel_size = blocks * block_size;
    for (double x : fourier_matrix(a.group)) matrix.push_back(T(x));
    basis(a);
    sum_terms();
  }

  /// The plain side of a convolution has nothing to transform.
  auto group_transform() const { return in_order > 1 ? group.transform : stages.group[0].transform; }
  auto group_transform_of_gradient() const { return out_order > 1 ? group.transform : stages.group[0].transform; }
  auto group_finish() const { return out_order > 1 ? group.finish : stages.group[0].finish; }
  /// What a tile's products are added up in.
  int64_t sums() const { return split.parts ? tables.outputs : int64_t(tables.products.size()); }
  /// Panels of weights that pack writes: of the products, or of entries that are still to be split.
  int64_t weight_panels() const { return int64_t(weight_begin.size() - 1) / V; }
  int64_t packed_size() const { return split.parts ? panel_size : weight_panels() * panel_size; }  ///< of a chunk
  int64_t packed_count() const { return chunks * packed_size(); }
  /// Scratch memory of each thread in pack_weights.
  int64_t pack_scratch() const { return int64_t(V) * slots * 16 + (split.parts ? weight_panels() * entry_panel() : 0); }
  int64_t right_size(int right) const { return (right_at[size_t(right) + 1] - right_at[size_t(right)]) / blocks; }
  int64_t entry_panel() const { return round_up(depth * rows + 16, 16); }
  T const* transform_matrix(int order) const { return order > 1 ? matrix.data() : nullptr; }
  int fields_of(int c) const { return std::min(chunk, Ci - c * chunk); }
  int pairs_of(int c) const { return split_pairs_of(fields_of(c), V); }

 private:
  /// In float32 the matrix unit pays when the features, which have to be split, meet many output fields. In the gradient
  /// of the weights operands of complex irreps would have to change sign.
  static SplitStages split_stages_of(GroupConv2d<T> const& a, Sides sides, int out, Purpose purpose) {
    if constexpr (std::is_same_v<T, float>)
      if (best_isa() >= Isa::amx && sides == Sides::regular) {
        if (purpose == Purpose::gradient) return a.group.mirrored() && out >= 16 ? split_stages<3>() : SplitStages{};
        if (a.precision == Precision::bfloat16) return split_stages<1>();
        if (out >= 40) return split_stages<3>();
      }
    return {};
  }

  /// Deep enough to be worth reading and writing the sums once, shallow enough for tiles of some 100 pixels.
  void cut_for_vectors() {
    constexpr int chunk_depth = 72;
    int const most = std::max(1, chunk_depth / V * 16 / std::max(16, tables.panels));
    chunks = (Ci + most - 1) / most;
    chunk = (Ci + chunks - 1) / chunks;
    rows = tile.rows;
    blocks = (Co + rows - 1) / rows;
    block_size = round_up(int64_t(chunk) * V * rows + 16, 16);
  }

  /// The same; of the chunks that are possible those that fill blocks of 32 best.
  void cut_for_matrix_unit() {
    constexpr int chunk_depth = 48;
    int const most = std::max(2, chunk_depth / V), least = (Ci + most - 1) / most;
    auto fields = [&](int count) { return (Ci + count - 1) / count; };
    auto cost = [&](int count) {
      double total = 0;
      for (auto const& p : split_tables.products)
        total += split_depth(split_pairs_of(fields(count), V), split_tables.lefts[size_t(p.left)].count) + 0.3;
      return total * count;
    };
    chunks = least;
    for (int count = least + 1; count <= std::min(2 * least, Ci); ++count)
      if (cost(count) < cost(chunks)) chunks = count;
    chunk = fields(chunks);
    chunks = (Ci + chunk - 1) / chunk;
    blocks = (Co + 15) / 16;
    rows = (Co + blocks - 1) / blocks;
    right_at = {0};
    for (auto const& right : split_tables.rights)
      right_at.push_back(right_at.back() + split_depth(pairs_of(0), right.count) * split.parts * split_tile * blocks);
    block_size = right_at.back() / 2 / blocks;
  }

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
    std::vector<std::vector<Part>> entries;
    for (auto const& right : split_tables.rights)
      for (int i = 0; i < right.count; ++i) entries.push_back({right.entry[i]});
    for (std::vector<Part> const& right : split.parts ? entries : tables.rights)
      for (int slot = 0; slot < V; ++slot) {
        for (Part const& part : right)
          for (Term const* t : terms[size_t(part.of * V + slot)])
            weight_terms.push_back(
                {t->q < 0 ? t->v : t->v * slots + t->q, T(part.sign * t->factor * double(unit[size_t(slot)]))});
        weight_begin.push_back(int(weight_terms.size()));
      }
  }
};

/// Weights (Co,Ci,V,slots) to panels [chunk][product][block of outputs][input field, function][output], or to tiles
/// [chunk][right operand][block of outputs] of the matrix unit. scratch: pack_scratch() for each thread.
template <class T> void pack_weights(FourierLayer<T> const& l, T const* w, T* packed, T* scratch) {
  parallel_tasks(int64_t(l.chunks) * l.blocks, [&](int64_t task) {
    int const c = int(task / l.blocks), block = int(task % l.blocks);
    T const* rows[16] = {};
    for (int i = 0; i < l.rows; ++i) {
      int const o = block * l.rows + i;
      if (o < l.Co) rows[i] = w + (int64_t(o) * l.Ci + c * l.chunk) * l.V * l.slots;
    }
    T* const coefficients = scratch + thread_index() * l.pack_scratch();
    T* const to = packed + c * l.packed_size() + (l.split.parts ? 0 : block * l.block_size);
    T* const panels = l.split.parts ? coefficients + int64_t(l.V) * l.slots * 16 : to;
    int64_t const panel = l.split.parts ? l.entry_panel() : l.panel_size;
    l.group.pack({.weights = rows,
                  .rows = l.rows,
                  .fields = l.fields_of(c),
                  .V = l.V,
                  .slots = l.slots,
                  .products = int(l.weight_panels()),
                  .matrix = l.matrix.data(),
                  .terms = l.weight_terms.data(),
                  .begin = l.weight_begin.data(),
                  .coefficients = coefficients,
                  .panels = panels,
                  .panel = panel});
    if constexpr (std::is_same_v<T, float>)
      if (l.split.parts)
        l.split.weights({.tables = &l.split_tables,
                         .panels = panels,
                         .panel = panel,
                         .fields = l.fields_of(c),
                         .V = l.V,
                         .rows = l.rows,
                         .block = block,
                         .blocks = l.blocks,
                         .to = reinterpret_cast<uint16_t*>(to),
                         .right_at = l.right_at.data()});
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

}  // namespace d16::kernels::cpu::detail
