// A layer of the factored path: tables, the folded basis, packed weights, and the weights of the adjoint.
#pragma once
#include <d16/core/parallel.hpp>
#include <d16/group/fourier.hpp>

#include "fourier_tile.hpp"
#include "fourier_tiling.hpp"

namespace d16::kernels::cpu::detail {

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
    block_size = round_up(depth * tile.rows + 16, 16);
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

}  // namespace d16::kernels::cpu::detail
