// What the stages of the factored group convolution take, and the table of them that each instruction set fills.
//   transform  pixels of a field -> its coefficients, a plane each (the lanes of a vector are pixels from here on)
//   project    planes -> features, the left operands of the products
//   product    features times weights, both in panels
//   finish     products -> coefficients -> group elements, scaled, shifted, rectified, written out
//   pack       weights -> right operands          unpack, gradient  the same for the gradient of the weights
#pragma once
#include <cstring>

#include "fourier_tables.hpp"
#include "fourier_transform.hpp"

namespace d16::kernels::cpu::detail {

constexpr int most_elements = 64;   ///< order of the largest group that the factored path takes
constexpr int most_harmonics = 64;  ///< and the number of rings times frequencies
constexpr int most_radius = 7;      ///< and the kernel, 15 x 15

/// Pixels of an image (or a zero pixel) to planes of coefficients: F[(field * order + q) * plane + position].
template <class T> struct TransformArgs {
  T const* const* pixel;  ///< of each position, (fields, elements)
  int64_t positions;      ///< a multiple of the lanes
  int64_t channel;        ///< of the first field
  int fields, order;
  T const* matrix;  ///< of the transform, when there is no butterfly
  T* planes;
  int64_t plane;
  T const *mean, *scale, *shift;  ///< of each channel: x is read as relu((x - mean) scale + shift); null: as it is
};

/// A sparse row of the folded basis: sums over the taps that mirrors in x and y map to each other.
struct FoldedTap {
  int at;  ///< index among the folded sums
  double factor;
};

/// Where the features of a column of the plain 3 x 3 basis go: 12 of a pair, 6 of a single coefficient; 0 where the
/// general code is needed.
template <class T> struct ColumnPlan {
  int count = 0;
  int64_t to[12];  ///< from the field's first slot in the first panel
  T sign[12];
};

/// The planes of one field to features, for some vectors of output positions.
template <class T> struct ProjectArgs {
  FourierTables const* tables;
  int kernel;
  int64_t const* offset;       ///< of each tap, from an output's position
  FoldedTap const* taps;       ///< of every harmonic, cosine first
  int const* tap_begin;        ///< (2 harmonics + 1)
  ColumnPlan<T> const* plan;   ///< of each column
  T centre, corner, diagonal;  ///< of the ring, relative to its value at distance 1
  T const* planes;
  int64_t plane;
  T* panels;
  int64_t panel, group_size;  ///< distances of panels, and of groups of two vectors
  int64_t slot;               ///< first slot of the field
  int vectors;
  int const* start;  ///< the position of each vector's first output
};

/// C[rows][pixels] (+)= A[depth][rows]^T (B[depth][pixels] + sign B2[depth][pixels])
template <class T> struct ProductArgs {
  int depth;
  T const *a, *b, *b2;
  T sign;
  T* c;
  bool accumulate;
};

/// The coefficients of output fields to pixels.
template <class T> struct FinishArgs {
  FourierTables const* tables;
  T const* products;                 ///< [product][group of two vectors][field][pixel]
  int64_t product_size, group_size;  ///< distances
  int fields, vectors;
  T const *matrix, *scale, *shift;  ///< scale and shift of each field
  bool relu, stream;
  bool plain;       ///< products are coefficients as they are
  T* const* pixel;  ///< of each position, null where there is none
  T const* valid;   ///< of each position, 1 or 0; null where sums are not wanted
  T* sums;          ///< (fields, 2) vectors, added to: sums of values and squares
};

/// A sum of coefficients of the weights: factor times number `at`.
template <class T> struct WeightTerm {
  int at;
  T factor;
};

/// The weights of `rows` output fields and some input fields to the right operands of all products.
template <class T> struct PackArgs {
  T const* const* weights;  ///< of each output field (null: none), from the first input field on: (fields, V, slots)
  int rows, fields, V, slots, products;
  T const* matrix;
  WeightTerm<T> const* terms;
  int const* begin;  ///< (products, V) + 1
  T* coefficients;   ///< scratch, (V, slots) vectors
  T* panels;         ///< (fields, V, rows) of each product, overrun by less than a vector
  int64_t panel;
};

/// The reverse, for the gradient: right operands with the lanes along the output fields, to weights.
template <class T> struct UnpackArgs {
  T const* entries;     ///< [entry][slot][output field]: of one input field and from the first output field on
  int64_t entry, slot;  ///< distances
  int V, slots, count;  ///< how many lanes are output fields
  T const* matrix;
  Term const* terms;
  int term_count;
  T const* unit;  ///< of each function: the factor that its feature lacks
  T* coefficients;
  T* const* weights;  ///< of each output field: (V, slots) of the input field
};

/// C[rows][outputs] += sign * sum over pixels of A[rows][pixels] B[pixels][outputs]
template <class T> struct GradientArgs {
  int64_t pixels;
  T const* a;
  int64_t a_row, a_group;  ///< distances of rows, and of groups of two vectors of pixels
  T const* b;
  int64_t outputs;  ///< distance of pixels in b and of rows in c
  T* c;
  T sign;
};

/// One product tile.
template <class T> struct ProductTile {
  int rows;
  void (*run[2][2])(ProductArgs<T> const&);  ///< [vectors - 1][b2 is used]
};

/// transform and finish for a group; the first entry of each list is the general one.
template <class T> struct GroupStages {
  int n;
  bool mirrored;
  void (*transform)(TransformArgs<T> const&);
  void (*finish)(FinishArgs<T> const&);
  void (*pack)(PackArgs<T> const&);
  void (*unpack)(UnpackArgs<T> const&);
};

/// A tile of the weight gradient.
template <class T> struct GradientTile {
  int rows;
  void (*run[2])(GradientArgs<T> const&);  ///< [vectors - 1]
};

template <class T> struct FourierStages {
  int lanes;
  ProductTile<T> tiles[3];
  GradientTile<T> gradients[3];  ///< the last has one row
  void (*project)(ProjectArgs<T> const&);
  int groups;
  GroupStages<T> group[7];

  GroupStages<T> const& stages_of(Group g) const {
    for (int i = 1; i < groups; ++i)
      if (group[i].n == g.n && group[i].mirrored == g.mirrored()) return group[i];
    return group[0];
  }
  /// The tile that wastes least on `fields` rows.
  ProductTile<T> const& tile_for(int fields) const {
    int best = 0;
    auto padded = [&](int i) { return (fields + tiles[i].rows - 1) / tiles[i].rows * tiles[i].rows; };
    for (int i = 1; i < 3; ++i)
      if (padded(i) < padded(best)) best = i;
    return tiles[best];
  }
};

template <class V, class T> D16_INLINE void load(V& v, T const* from) { std::memcpy(&v, from, sizeof v); }
template <class V, class T> D16_INLINE void save(T* to, V const& v) { std::memcpy(to, &v, sizeof v); }
/// Around the caches, which a large output would only sweep. `to` is aligned.
template <class V, class T> D16_INLINE void stream(T* to, V const& v) {
#if defined(__clang__)
  __builtin_nontemporal_store(v, reinterpret_cast<V*>(to));
#elif defined(__x86_64__)
  if constexpr (sizeof(V) == 64) asm("vmovntps %1, %0" : "=m"(*reinterpret_cast<V*>(to)) : "v"(v));
  else if constexpr (sizeof(V) == 32) asm("vmovntps %1, %0" : "=m"(*reinterpret_cast<V*>(to)) : "x"(v));
  else save(to, v);
#else
  save(to, v);
#endif
}

/// Before another thread reads what was streamed.
inline void finish_streams() {
#if defined(__x86_64__)
  asm volatile("sfence" ::: "memory");
#endif
}

}  // namespace d16::kernels::cpu::detail
