// What the kernels of the factored group convolution look up: routes, products, taps and the sums behind a weight.
#pragma once
#include <algorithm>
#include <cstring>

#include <d16/group/fourier.hpp>

#include "../cpu/fourier_tables.hpp"
#include "../group_conv2d.hpp"
#include "kept.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace fourier {

/// Two coefficients that a harmonic turns into each other; -1: none. `single`: they belong to two one-dimensional
/// irreps, which share a column only to be read together.
struct Column {
  int a, b, single;
};
/// output += sign * panel * entry: one matrix product over fields and slots.
struct Product {
  int output, panel, entry, sign;
};
/// A summand of entry[slot], factor * psi(v, q): psi is coefficient q of the transform of weights v, or the weight
/// itself where q is -1.
template <class T> struct Term {
  int entry, slot, v, q;
  T factor;
};

/// A route: 0 leads nowhere; otherwise its magnitude less one is panel * 256 + slot, negative for a change of sign.
constexpr int slots_per_panel = 256;

/// Device pointers of the tables of one layer, and its sizes. The method is in kernels/cpu/fourier_tables.hpp.
template <class T> struct Tables {
  int order, in_order, out_order, slots, V, kernel, harmonics, columns, panels, outputs, n;
  Column const* column;             // (columns)
  int const* route;                 // (columns, harmonics, 4)
  int const* harmonic;              // (harmonics, 2): m and the slot of the cosine
  Product const *products, *users;  // by output; by entry
  int const *product_begin, *user_begin;
  Term<T> const *terms, *readers;  // by entry and slot; by v and q (q = -1: 0)
  int const *term_begin, *reader_begin;
  T const* phi;   // (in_order or out_order)^2, the transform; 1 on a plain side
  T const* taps;  // (harmonics + 4, kernel^2, 2): cosine and sine in the frame of the identity; zeros after the last
  T const* root;  // (n, 2): cosine and sine of 2 pi r / n
};

/// What the tables of a layer depend on.
struct Layer {
  Group group;
  Sides sides;
  int V, kernel, rings;
  int const* max_freqs;
  double const* basis;  // that of the identity is enough: (V,kernel,kernel)

  template <class E> Layer(GroupConv2d<E> const& a, Sides s)
      : group(a.group), sides(s), V(a.V), kernel(a.kernel), rings(a.rings), max_freqs(a.max_freqs), basis(a.basis) {}
};

/// The tables of a layer on the host, and on each device that has asked for them.
template <class T> class Plan {
 public:
  static constexpr int most_elements = 64, most_harmonics = 64, most_kernel = 15;

  /// Whether the factored path takes these arguments at all.
  template <class E> static bool takes(GroupConv2d<E> const& a) {
    int64_t harmonics = 0;
    for (int i = 0; i < a.rings; ++i) harmonics += a.max_freqs[i] + 1;
    return a.rings > 0 && a.group.order() <= most_elements && harmonics <= most_harmonics && a.kernel <= most_kernel;
  }

  explicit Plan(Layer const& a) : host_(a.group, a.sides, a.V, a.rings, a.max_freqs) {
    FilterRule const rule{a.group, a.sides};
    t_.order = a.group.order(), t_.n = a.group.n, t_.V = a.V, t_.kernel = a.kernel;
    t_.in_order = rule.in_order(), t_.out_order = rule.out_order(), t_.slots = rule.slots();
    t_.harmonics = int(host_.harmonics.size()), t_.panels = host_.panels, t_.outputs = host_.outputs;
    make_columns();
    make_products(a.group);
    make_terms();
    make_numbers(a);
  }

  Tables<T> const& sizes() const { return t_; }  ///< its pointers are null
  std::vector<cpu::detail::Harmonic> const& harmonics() const { return host_.harmonics; }

  /// The tables in memory of the current device. Without them, `order` is 0 and the error noted.
  Tables<T> on_device() const {
    void const* const to = kept_.on_device(bytes_.data(), bytes_.size());
    if (!to) return {};
    Tables<T> t = t_;
    auto at = [&](auto const*& pointer, size_t offset) {
      pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(static_cast<char const*>(to) + offset);
    };
    at(t.column, column_), at(t.route, route_), at(t.harmonic, harmonic_);
    at(t.products, products_), at(t.users, users_), at(t.product_begin, product_begin_), at(t.user_begin, user_begin_);
    at(t.terms, terms_), at(t.readers, readers_), at(t.term_begin, term_begin_), at(t.reader_begin, reader_begin_);
    at(t.phi, phi_), at(t.taps, taps_), at(t.root, root_);
    return t;
  }

 private:
  template <class E> size_t append(std::vector<E> const& list) {
    size_t const offset = bytes_.size();
    bytes_.resize(offset + (list.size() * sizeof(E) + 15) / 16 * 16);
    std::memcpy(bytes_.data() + offset, list.data(), list.size() * sizeof(E));
    return offset;
  }
  /// The list ordered by key(element) < count, and where each key begins.
  template <class E, class Key>
  void append_by(std::vector<E> list, int count, Key const& key, size_t& elements, size_t& begins) {
    std::vector<int> begin(size_t(count) + 1, 0);
    for (E const& e : list) ++begin[size_t(key(e)) + 1];
    for (int k = 0; k < count; ++k) begin[size_t(k) + 1] += begin[size_t(k)];
    std::stable_sort(list.begin(), list.end(), [&](E const& a, E const& b) { return key(a) < key(b); });
    elements = append(list), begins = append(begin);
  }

  /// The columns of the host tables, one-dimensional ones in pairs, and where what is computed from them goes.
  void make_columns() {
    std::vector<Column> columns;
    std::vector<int> routes, of_harmonic;
    int open = -1;  // a column that has room for another one-dimensional irrep
    for (size_t i = 0; i < host_.columns.size(); ++i) {
      int const a = host_.columns[i].a, b = host_.columns[i].b;
      bool const single = a < 0 || b < 0, joins = single && open >= 0;
      if (joins) {
        columns[size_t(open)].b = std::max(a, b);
      } else {
        columns.push_back({single ? std::max(a, b) : a, single ? -1 : b, single});
        routes.resize(columns.size() * size_t(t_.harmonics) * 4, 0);
      }
      int const c = joins ? open : int(columns.size()) - 1;
      for (cpu::detail::Feature const& f : host_.features[i]) {
        int value = f.value, sign = f.sign;
        if (single) {  // a: C a, S a, C a, -S a; b: -S b, C b, S b, C b
          bool const sine = a >= 0 ? value % 2 == 1 : value % 2 == 0;
          if (value == (a >= 0 ? 3 : 0)) sign = -sign;
          value = 2 * joins + sine;
        }
        routes[size_t((c * t_.harmonics + f.harmonic) * 4 + value)] = sign * (f.panel * slots_per_panel + f.slot + 1);
      }
      if (single) open = joins ? -1 : c;
    }
    for (auto const& h : host_.harmonics) of_harmonic.push_back(h.m), of_harmonic.push_back(h.v);
    t_.columns = int(columns.size());
    column_ = append(columns), route_ = append(routes), harmonic_ = append(of_harmonic);
  }

  /// Products of blocks as products of their entries: 1, 4 (complex) or 8 (2 x 2) of them.
  void make_products(Group group) {
    std::vector<Product> list;
    std::vector<bool> used(size_t(t_.outputs), false);
    for (auto const& term : host_.terms) used[size_t(term.entry)] = true;
    if (host_.sides != Sides::regular) {
      for (int q = 0; q < t_.outputs; ++q)
        if (used[size_t(q)]) list.push_back({q, 0, q, 1});
    } else {
      for (auto const& block : host_.blocks) {
        int const f = block.first;
        if (block.dim == 1) {
          for (int i = 0; i < block.size; ++i) list.push_back({f + i, f + i, f + i, 1});
        } else if (group.mirrored()) {
          for (int i = 0; i < 2; ++i)
            for (int c = 0; c < 2; ++c)
              for (int j = 0; j < 2; ++j) list.push_back({f + 2 * i + c, f + 2 * i + j, f + 2 * j + c, 1});
        } else {
          list.insert(list.end(), {{f, f, f, 1}, {f, f + 1, f + 1, -1}, {f + 1, f, f + 1, 1}, {f + 1, f + 1, f, 1}});
        }
      }
    }
    append_by(
        list, t_.outputs, [](Product const& p) { return p.output; }, products_, product_begin_);
    append_by(
        list, t_.outputs, [](Product const& p) { return p.entry; }, users_, user_begin_);
  }

  void make_terms() {
    std::vector<Term<T>> list;
    for (auto const& t : host_.terms) list.push_back({t.entry, t.slot, t.v, t.q, T(t.factor)});
    int const V = t_.V, slots = t_.slots;
    auto of_entry = [V](Term<T> const& t) { return t.entry * V + t.slot; };
    auto of_weight = [slots](Term<T> const& t) { return t.v * slots + std::max(t.q, 0); };
    append_by(list, t_.outputs * V, of_entry, terms_, term_begin_);
    append_by(list, V * slots, of_weight, readers_, reader_begin_);
  }

  void make_numbers(Layer const& a) {
    std::vector<T> phi, taps, root;
    for (double x : fourier_matrix(a.group)) phi.push_back(T(x));
    int const pixels = a.kernel * a.kernel;
    for (auto const& h : host_.harmonics)
      for (int p = 0; p < pixels; ++p) {
        taps.push_back(T(a.basis[h.v * pixels + p]));
        taps.push_back(h.m > 0 ? T(a.basis[(h.v + 1) * pixels + p]) : T(0));
      }
    taps.resize(taps.size() + size_t(8 * pixels), T(0));
    for (int r = 0; r < a.group.n; ++r) {
      Group::Matrix const turn = cyclic(a.group.n).matrix(r);
      root.push_back(T(turn.m[0])), root.push_back(T(turn.m[2]));
    }
    phi_ = append(phi), taps_ = append(taps), root_ = append(root);
  }

  cpu::detail::FourierTables host_;
  Tables<T> t_{};
  std::vector<char> bytes_;
  Kept kept_;
  size_t column_, route_, harmonic_, products_, product_begin_, users_, user_begin_, terms_, term_begin_, readers_,
      reader_begin_, phi_, taps_, root_;
};

/// The plan of a layer, made once for each group, sides and basis and kept: making one takes longer than many a kernel.
template <class T> Plan<T> const& plan_of(Layer const& a) {
  struct Made {
    Group group;
    Sides sides;
    std::vector<int> max_freqs;
    std::vector<double> basis;
    std::unique_ptr<Plan<T> const> plan;
  };
  static std::mutex mutex;
  static auto& made = *new std::vector<Made>;  // outlives what is destroyed at exit
  std::lock_guard lock(mutex);
  size_t const values = size_t(a.V) * size_t(a.kernel * a.kernel), rings = size_t(a.rings);
  for (Made const& m : made)
    if (m.group == a.group && m.sides == a.sides && m.basis.size() == values && m.max_freqs.size() == rings &&
        std::equal(m.basis.begin(), m.basis.end(), a.basis) &&
        std::equal(m.max_freqs.begin(), m.max_freqs.end(), a.max_freqs))
      return *m.plan;
  made.push_back({a.group,
                  a.sides,
                  {a.max_freqs, a.max_freqs + rings},
                  {a.basis, a.basis + values},
                  std::make_unique<Plan<T> const>(a)});
  return *made.back().plan;
}

}  // namespace fourier
}  // namespace D16_GPU
}  // namespace d16::kernels
