// The products of the factored group convolution on the matrix unit, which only knows bfloat16, in float32 all the same.
//
// A float32 number is the sum of three bfloat16 numbers, exactly: x = x1 + x2 + x3, each the rounded rest of what is
// before it, 8 bits of the 24 (Henry, Tang & Heinecke 2019). Of the nine products of two such sums the unit computes
//   x1 y1 + (x1 y2 + x2 y1) + (x1 y3 + x2 y2 + x3 y1),
// and what is left out is below 2^-24 |x y|, as much as rounding a product to float32 loses. Six multiplications on a
// unit that does sixteen times as many a cycle are faster than one on vectors, and so no Strassen: a 2 x 2 block is
// eight products, two of which meet in the same sum. With one part instead of three this is a bfloat16 product.
#pragma once
#include <utility>

#include "fourier_stages.hpp"
#include "matrix_unit.hpp"

namespace d16::kernels::cpu::detail {

/// What is multiplied: left operands are rows of a block of features (one panel, or two side by side), right operands
/// columns of a block of weights (signs: entries of a complex product).
struct SplitTables {
  struct Left {
    int panel[2], count;
  };
  struct Right {
    Part entry[2];
    int count;
  };
  struct Product {
    int left, right, result;
  };
  std::vector<Left> lefts;
  std::vector<Right> rights;
  std::vector<Product> products;  ///< those of one right operand together

  explicit SplitTables(FourierTables const& t) {
    for (Block const& b : t.blocks) {
      int const f = b.first, left = int(lefts.size()), right = int(rights.size());
      if (b.dim == 1) {
        for (int i = 0; i < b.size; ++i) {
          lefts.push_back({{f + i, 0}, 1});
          rights.push_back({{{f + i, 1}, {}}, 1});
          products.push_back({left + i, right + i, f + i});
        }
      } else if (b.size == 4) {
        for (int i = 0; i < 2; ++i) {
          lefts.push_back({{f + 2 * i, f + 2 * i + 1}, 2});
          rights.push_back({{{f + i, 1}, {f + 2 + i, 1}}, 2});
        }
        for (int j = 0; j < 2; ++j)
          for (int i = 0; i < 2; ++i) products.push_back({left + i, right + j, f + 2 * i + j});
      } else {
        lefts.push_back({{f, f + 1}, 2});
        rights.push_back({{{f, 1}, {f + 1, -1}}, 2});
        rights.push_back({{{f + 1, 1}, {f, 1}}, 2});
        for (int j = 0; j < 2; ++j) products.push_back({left, right + j, f + j});
      }
    }
  }
};

/// Rows of pairs in a panel: two neighbouring fields are a pair, and there is one for each function of the basis.
constexpr int split_pairs_of(int fields, int V) { return (fields + 1) / 2 * V; }
/// Depth of an operand of `count` panels side by side, in blocks of 16 pairs.
constexpr int split_depth(int pairs, int count) { return (count * pairs + 15) / 16; }

constexpr int split_tile = 512;  ///< bfloat16 numbers in a tile

/// Takes the next part off x, as a float32 whose lower half is zero: the last part is what is left, 8 bits as it is.
template <bool last> D16_INLINE void take_part(Vector<float, 16>& x, Vector<uint32_t, 16>& bits) {
  bits = Vector<uint32_t, 16>(x);
  if constexpr (!last) bits += 0x8000u;
  bits &= 0xffff0000u;
  if constexpr (!last) x -= Vector<float, 16>(bits);
}

/// The parts of x and y, lane by lane, x in the lower half of each pair.
template <int parts, int part = 0>
D16_INLINE void split_pairs(Vector<float, 16>& x, Vector<float, 16>& y, uint16_t* to, int64_t step) {
  Vector<uint32_t, 16> x1, y1;
  take_part<part == 2>(x, x1), take_part<part == 2>(y, y1);
  x1 = x1 >> 16 | y1;
  save(to, x1);
  if constexpr (part + 1 < parts) split_pairs<parts, part + 1>(x, y, to + step, step);
}

/// The parts of 32 numbers in a row.
template <int parts, int part = 0>
D16_INLINE void split_row(Vector<float, 16>& x, Vector<float, 16>& y, uint16_t* to, int64_t step) {
  using H = Vector<uint16_t, 32>;
  Vector<uint32_t, 16> x1, y1;
  take_part<part == 2>(x, x1), take_part<part == 2>(y, y1);
  H const row = __builtin_shufflevector(H(x1), H(y1), 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35,
                                        37, 39, 41, 43, 45, 47, 49, 51, 53, 55, 57, 59, 61, 63);
  save(to, row);
  if constexpr (part + 1 < parts) split_row<parts, part + 1>(x, y, to + step, step);
}

/// Features of two fields and up to two vectors of pixels, panels [field][panel][function][32 pixels], to their rows of
/// the tiles [left][block of 16 pairs][part][vector][pair][pixel][2].
struct SplitFeatures {
  SplitTables const* tables;
  float const* panels;
  int64_t panel, field;  ///< distances
  int V, pair, pairs;    ///< functions; number of this pair of fields; pairs in a panel
  bool alone;            ///< there is no second field
  int vectors;
  uint16_t* to;
};
template <int parts> D16_TARGET_AVX512 void split_features_avx512(SplitFeatures const& a) {
  constexpr int block = parts * 2 * split_tile;
  uint16_t* to = a.to;
  for (SplitTables::Left const& left : a.tables->lefts) {
    for (int side = 0; side < left.count; ++side) {
      float const* from = a.panels + left.panel[side] * a.panel;
      for (int row = side * a.pairs + a.pair * a.V, end = row + a.V; row < end; ++row, from += 32)
        for (int v = 0; v < a.vectors; ++v) {
          Vector<float, 16> x, y{};
          load(x, from + v * 16);
          if (!a.alone) load(y, from + a.field + v * 16);
          split_pairs<parts>(x, y, to + row / 16 * block + v * split_tile + row % 16 * 32, 2 * split_tile);
        }
    }
    to += split_depth(a.pairs, left.count) * block;
  }
}

/// Zeros to the rows of the tiles that no pair has.
template <int parts> void clear_padding(SplitTables const& tables, int pairs, uint16_t* to) {
  constexpr int block = parts * 2 * split_tile;
  for (SplitTables::Left const& left : tables.lefts) {
    int const depth = split_depth(pairs, left.count), used = left.count * pairs - (depth - 1) * 16;
    for (int tile = 0; tile < parts * 2; ++tile)
      std::memset(to + (depth - 1) * block + tile * split_tile + used * 32, 0, size_t(16 - used) * 64);
    to += depth * block;
  }
}

/// Weights of a block of output fields: panels [right operand's entry][field][function][rows] to tiles
/// [block of 16 pairs][part][row][32] of each right operand.
struct SplitWeights {
  SplitTables const* tables;
  float const* panels;
  int64_t panel;
  int fields, V, rows, block, blocks;
  uint16_t* to;
  int64_t const* right_at;  ///< where each right operand begins, and the last ends
};
template <int parts> D16_TARGET_AVX512 void split_weights_avx512(SplitWeights const& a) {
  using V = Vector<float, 16>;
  int const pairs = split_pairs_of(a.fields, a.V);
  float const* panels = a.panels;
  for (size_t r = 0; r < a.tables->rights.size(); ++r) {
    int const count = a.tables->rights[r].count, depth = split_depth(pairs, count);
    uint16_t* to = a.to + a.right_at[r] + (a.right_at[r + 1] - a.right_at[r]) / a.blocks * a.block;
    for (int k = 0; k < depth; ++k, to += parts * split_tile) {
      V x[32];
      for (int i = 0; i < 32; ++i) {
        int const row = k * 16 + i / 2, side = row / pairs, field = row % pairs / a.V * 2 + i % 2;
        x[i] = V{};
        if (side < count && field < a.fields)
          load(x[i], panels + side * a.panel + (field * a.V + row % pairs % a.V) * a.rows);
      }
      transpose<float, 16>(x);
      transpose<float, 16>(x + 16);
      for (int row = 0; row < a.rows; ++row) split_row<parts>(x[row], x[16 + row], to + row * 32, split_tile);
    }
    panels += count * a.panel;
  }
}

/// For the gradient of the weights: features of one field and up to two vectors of pixels, panels
/// [panel][function][32 pixels], to their rows of the tiles [panel][block of rows][group][part][row][32 pixels].
struct SplitRows {
  float const* panels;
  int64_t panel;
  int count, V, first;  ///< panels; functions; row of the first function
  int rows, blocks, groups, group, vectors;
  uint16_t* to;
};
template <int parts> D16_TARGET_AVX512 void split_rows_avx512(SplitRows const& a) {
  for (int panel = 0; panel < a.count; ++panel)
    for (int v = 0; v < a.V; ++v) {
      int const row = a.first + v;
      float const* from = a.panels + panel * a.panel + v * 32;
      Vector<float, 16> x, y{};
      load(x, from);
      if (a.vectors == 2) load(y, from + 16);
      int64_t const tile = (int64_t(panel * a.blocks + row / a.rows) * a.groups + a.group) * parts;
      split_row<parts>(x, y, a.to + tile * split_tile + row % a.rows * 32, split_tile);
    }
}

/// And the coefficients of dy at two neighbouring pixels, [coefficient][2 pixels][output field], to their row of the
/// tiles [coefficient][32 fields][group][part][16 fields][pair of pixels][field][2].
struct SplitOutputs {
  float const* values;
  int64_t plane;  ///< distance of coefficients
  int count, fields, groups, pair;
  uint16_t* to;
};
template <int parts> D16_TARGET_AVX512 void split_outputs_avx512(SplitOutputs const& a) {
  constexpr int tile = parts * 2 * split_tile;
  int const halves = a.fields / 16, pairs = (halves + 1) / 2;
  for (int q = 0; q < a.count; ++q)
    for (int i = 0; i < halves; ++i) {
      float const* from = a.values + q * a.plane + i * 16;
      Vector<float, 16> x, y;
      load(x, from), load(y, from + a.fields);
      uint16_t* const to = a.to + (int64_t(q * pairs + i / 2) * a.groups + a.pair / 16) * tile;
      split_pairs<parts>(x, y, to + i % 2 * split_tile + a.pair % 16 * 32, 2 * split_tile);
    }
}

/// C [block][rows][32 columns] (+)= A B over `depth` blocks of 32, for one pair of operands or the sum of two. In the
/// forward pass A are weights and B features; in the gradient of the weights A are features and B the gradient of y.
struct SplitProduct {
  int depth, rows, vectors, sides;
  uint16_t const *a[2], *b[2];
  int64_t a_block;  ///< distance of blocks of rows in a
  float* c;
  int64_t c_row;  ///< distance of rows in c
  bool accumulate;
};

/// `blocks` tiles of A times `vectors` tiles of B. Those of B are in two slots where there is room, so that only one of
/// the six products has to load again.
template <int parts, int blocks, int vectors> class SplitTile {
  static constexpr int sums = blocks * vectors, a_first = blocks == 1 ? 2 : blocks == 2 ? 4 : 3;
  static constexpr int b_first = blocks == 1 ? 3 : 6, slots = (8 - b_first) / vectors;
  template <int n> using Count = std::make_integer_sequence<int, n>;

  template <int... i> static D16_INLINE void begin(SplitProduct const& p, std::integer_sequence<int, i...>) {
    if (p.accumulate) (tile_load<i>(p.c + i / vectors * p.rows * p.c_row + i % vectors * 16, p.c_row * 4), ...);
    else (tile_zero<i>(), ...);
  }
  template <int... i> static D16_INLINE void end(SplitProduct const& p, std::integer_sequence<int, i...>) {
    (tile_store<i>(p.c + i / vectors * p.rows * p.c_row + i % vectors * 16, p.c_row * 4), ...);
  }
  template <int... i> static D16_INLINE void load_a(uint16_t const* a, int64_t step, std::integer_sequence<int, i...>) {
    (tile_load<a_first + i>(a + i * step, 64), ...);
  }
  template <int slot, int... i> static D16_INLINE void load_b(uint16_t const* b, std::integer_sequence<int, i...>) {
    (tile_load<b_first + slot * vectors + i>(b + i * split_tile, 64), ...);
  }
  template <int slot, int... i> static D16_INLINE void multiply(std::integer_sequence<int, i...>) {
    (tile_multiply<i, a_first + i / vectors, b_first + slot * vectors + i % vectors>(), ...);
  }

 public:
  static void run(SplitProduct const& p) {
    begin(p, all);
    for (int side = 0; side < p.sides; ++side) {
      uint16_t const *a = p.a[side], *b = p.b[side];
      for (int k = 0; k < p.depth; ++k, a += parts * split_tile, b += parts * 2 * split_tile) step(a, p.a_block, b);
    }
    end(p, all);
  }

 private:
  static constexpr Count<blocks> of_a{};
  static constexpr Count<vectors> of_b{};
  static constexpr Count<sums> all{};
  static constexpr int other = slots > 1;

  static D16_INLINE void step(uint16_t const* a, int64_t a_block, uint16_t const* b) {
    load_a(a, a_block, of_a);
    if constexpr (parts == 3) {
      load_b<0>(b + 4 * split_tile, of_b), multiply<0>(all);          // x1 y3, the smallest first
      load_b<other>(b + 2 * split_tile, of_b), multiply<other>(all);  // x1 y2
    }
    load_b<0>(b, of_b), multiply<0>(all);  // x1 y1
    if constexpr (parts == 3) {
      load_a(a + 2 * split_tile, a_block, of_a), multiply<0>(all);  // x3 y1
      load_a(a + split_tile, a_block, of_a), multiply<0>(all);      // x2 y1
      if constexpr (!other) load_b<0>(b + 2 * split_tile, of_b);
      multiply<other>(all);  // x2 y2
    }
  }
};

/// Up to three blocks of rows; three leave no room for a second vector of columns.
template <int parts> void split_product(SplitProduct const& p, int blocks) {
  if (blocks == 3) {
    SplitProduct one = p;
    for (int v = 0; v < p.vectors; ++v, one.c += 16) {
      SplitTile<parts, 3, 1>::run(one);
      for (uint16_t const*& b : one.b) b += split_tile;
    }
  } else if (blocks == 2) {
    p.vectors == 2 ? SplitTile<parts, 2, 2>::run(p) : SplitTile<parts, 2, 1>::run(p);
  } else {
    p.vectors == 2 ? SplitTile<parts, 1, 2>::run(p) : SplitTile<parts, 1, 1>::run(p);
  }
}

/// How many of the remaining blocks go together: one only where it is the only one.
constexpr int split_together(int remaining) { return remaining > 4 || remaining == 3 ? 3 : std::min(remaining, 2); }

/// Registers 0 to this one hold sums and weights.
constexpr int split_row_tiles(int blocks) { return blocks == 1 ? 2 : 5; }

/// The stages for some number of parts.
struct SplitStages {
  int parts;
  void (*features)(SplitFeatures const&);
  void (*clear)(SplitTables const&, int pairs, uint16_t* to);
  void (*weights)(SplitWeights const&);
  void (*rows)(SplitRows const&);
  void (*outputs)(SplitOutputs const&);
  void (*product)(SplitProduct const&, int blocks);
};
template <int parts> SplitStages split_stages() {
  return {parts,
          split_features_avx512<parts>,
          clear_padding<parts>,
          split_weights_avx512<parts>,
          split_rows_avx512<parts>,
          split_outputs_avx512<parts>,
          split_product<parts>};
}

}  // namespace d16::kernels::cpu::detail
