// The tables of the factored group convolution: which coefficient goes where, and how weights become coefficients.
//
// The method is in docs/fourier-convolution.md; this is its real form. For an element flip * n + r let
//   A_k = sum over r of f[r] exp(2 pi i k r / n),   B_k the same over the reflections,
//   M(z) = [[Re z, -Im z], [Im z, Re z]],   D = diag(1, -1),   J = M(i).
// D_n  has blocks F_k = M(A_k) + M(B_k) D, and F_0 (F_n/2) = diag(F+, F-), two one-dimensional irreps.
// C_n  has blocks F_k = A_k, complex, of which A_0 (A_n/2) is real.
// A function R(r) exp(i m phi) of the basis, correlated with the image, is T = C + i S. Turning it into the frame of an
// element moves frequencies: the features of target block k are
//   minus  y = J^odd M(T) D^mirror F_t,        t = k - m        odd: m is odd and the group has reflections
//   plus   y = J^odd M(conj T) D^mirror F_t,   t = k + m        mirror: t folded back from the other half, F_-t
// and the output is O_k = sum over features of y What, a product of 2 x 2 matrices (D_n) or complex numbers (C_n), with
//   What = D^mirror J^-odd (Psi_c^T -+ J Psi_s^T) / 2,   Psi the transform of the weights over the group,
// Psi^T for m = 0. A one-dimensional irrep takes only minus, twice, and the diagonal of the product.
#pragma once
#include <array>
#include <vector>

#include "../group_conv2d.hpp"

namespace d16::kernels::cpu::detail {

/// One ring and frequency of the basis; v is the index of its cosine, v + 1 that of its sine when m > 0.
struct Harmonic {
  int m, v;
};

/// A block of the transform: coefficients first .. first + size - 1 for frequency k.
///   dim 1  one irrep (C_n) or two (D_n: signs + and -), each a real number
///   dim 2  a complex number re, im (C_n) or a matrix 00, 01, 10, 11 (D_n)
struct Block {
  int k, first, dim, size;
};

/// A column (a, b) of a block: the coefficients that a harmonic turns into each other. -1: zero.
struct Column {
  int a, b;
};

/// What is computed from a column (a, b) and a harmonic C, S: u = M(T)(a, b), d = M(conj T)(a, b).
///   0  u0 = C a - S b     1  u1 = S a + C b     2  d0 = C a + S b     3  d1 = C b - S a
/// For m = 0, S is zero and only u is used.
struct Feature {
  int harmonic, value, panel, slot;  ///< it goes to that slot of that panel of coefficients
  int sign;
};

/// entry[slot] += factor * psi(v, q): psi is coefficient q of weights v, or the weight itself where q is -1.
struct Term {
  int entry, slot, v, q;
  double factor;
};

/// One matrix product: the left operand is panel p + sign * panel q.
struct Product {
  int p, q, sign;
};
/// A product's right operand, and a coefficient of the result, are sums of entries or products.
struct Part {
  int of, sign;
};

/// Strassen's seven products of 2 x 2 matrices, entries numbered 00, 01, 10, 11 (Strassen 1969), and Gauss's three of
/// complex numbers, entries re, im.
struct Bilinear {
  int count;
  Product left[7];
  std::array<Part, 2> right[7];   ///< sign 0: no second part
  std::array<Part, 4> result[4];  ///< for each entry of the product
};
inline constexpr Bilinear strassen{7,
                                   {{0, 3, 1}, {2, 3, 1}, {0, 0, 0}, {3, 3, 0}, {0, 1, 1}, {2, 0, -1}, {1, 3, -1}},
                                   {{{{0, 1}, {3, 1}}},
                                    {{{0, 1}, {0, 0}}},
                                    {{{1, 1}, {3, -1}}},
                                    {{{2, 1}, {0, -1}}},
                                    {{{3, 1}, {0, 0}}},
                                    {{{0, 1}, {1, 1}}},
                                    {{{2, 1}, {3, 1}}}},
                                   {{{{0, 1}, {3, 1}, {4, -1}, {6, 1}}},
                                    {{{2, 1}, {4, 1}, {0, 0}, {0, 0}}},
                                    {{{1, 1}, {3, 1}, {0, 0}, {0, 0}}},
                                    {{{0, 1}, {1, -1}, {2, 1}, {5, 1}}}}};
inline constexpr Bilinear gauss{3,
                                {{0, 1, 1}, {0, 0, 0}, {1, 1, 0}},
                                {{{{0, 1}, {0, 0}}}, {{{1, 1}, {0, -1}}}, {{{0, 1}, {1, 1}}}},
                                {{{{0, 1}, {2, -1}, {0, 0}, {0, 0}}}, {{{0, 1}, {1, 1}, {0, 0}, {0, 0}}}}};

/// A 2 x 2 matrix whose entries are sums of at most two weight coefficients.
class FormalMatrix {
 public:
  struct Sum {
    std::array<Term, 2> term{};
    int count = 0;
    void add(int v, int q, double factor) { term[count++] = {0, 0, v, q, factor}; }
    void scale(double factor) {
      for (Term& t : term) t.factor *= factor;
    }
  };
  Sum at[2][2];

  void mirror() {  // D M
    at[1][0].scale(-1), at[1][1].scale(-1);
  }
  void turn_back() {  // J^-1 M
    std::swap(at[0][0], at[1][0]), std::swap(at[0][1], at[1][1]);
    mirror();
  }
};

class FourierTables {
 public:
  Group group;
  Sides sides;
  int V, order;  ///< functions of the basis, elements of the group
  std::vector<Harmonic> harmonics;
  std::vector<Block> blocks;                   ///< of the regular side, or of the output when lifting
  std::vector<Column> columns;                 ///< of the input
  std::vector<std::vector<Feature>> features;  ///< of each column
  std::vector<Term> terms;                     ///< of every entry, a right operand before Strassen and Gauss
  std::vector<Product> products;
  std::vector<std::vector<Part>> rights;   ///< of each product: the sum of entries
  std::vector<std::vector<Part>> results;  ///< of each output coefficient: the sum of products
  int panels, outputs;                     ///< left operands; output coefficients (order, or 1)

  FourierTables(Group g, Sides s, int functions, int rings, int const* max_freqs)
      : group(g), sides(s), V(functions), order(g.order()) {
    for (int ring = 0, v = 0; ring < rings; v += 2 * max_freqs[ring++] + 1)
      for (int m = 0; m <= max_freqs[ring]; ++m) harmonics.push_back({m, m == 0 ? v : v + 2 * m - 1});
    make_blocks();
    make_columns();
    panels = s == Sides::regular ? order : 1;
    outputs = s == Sides::projecting ? 1 : order;
    if (s == Sides::lifting) lift();
    else project();
    make_products();
  }

  /// Coefficients that belong to one-dimensional irreps; they come first.
  int real_coefficients() const {
    int count = 0;
    for (Block const& b : blocks) count += b.dim == 1 ? b.size : 0;
    return count;
  }
  bool factored() const { return sides == Sides::regular; }
  /// Whether the transform of the weights comes before the terms.
  bool transformed_weights() const { return sides == Sides::regular; }

 private:
  bool mirrored() const { return group.mirrored(); }

  void make_blocks() {
    int first = 0;
    auto add = [&](int k, int dim, int size) {
      blocks.push_back({k, first, dim, size});
      first += size;
    };
    add(0, 1, mirrored() ? 2 : 1);
    if (group.n % 2 == 0) add(group.n / 2, 1, mirrored() ? 2 : 1);
    for (int k = 1; 2 * k < group.n; ++k) add(k, 2, mirrored() ? 4 : 2);
  }

  void make_columns() {
    if (sides == Sides::lifting) {
      columns.push_back({0, -1});
    } else {
      for (Block const& b : blocks)
        if (b.dim == 2) {
          for (int j = 0; j < b.size / 2; ++j) columns.push_back({b.first + j, b.first + b.size / 2 + j});
        } else {
          columns.push_back({b.first, -1});
          if (mirrored()) columns.push_back({-1, b.first + 1});
        }
    }
    features.resize(columns.size());
  }
  int column(Block const& b, int j) const {
    for (size_t c = 0; c < columns.size(); ++c) {
      Column const& x = columns[c];
      if (b.dim == 2 ? x.a == b.first + j : j == 0 ? x.a == b.first : x.b == b.first + 1) return int(c);
    }
    return -1;
  }

  /// Where t comes from: its block, and whether it is the mirror image of that.
  struct Source {
    Block const* block;
    bool mirror;
  };
  Source source(int t) const {
    t = ((t % group.n) + group.n) % group.n;
    bool const mirror = 2 * t > group.n;
    if (mirror) t = group.n - t;
    for (Block const& b : blocks)
      if (b.k == t) return {&b, mirror};
    return {nullptr, false};
  }

  /// Regular input: features and terms of every target block, or of the trivial irrep only.
  void project() {
    for (Block const& target : blocks) {
      if (sides == Sides::projecting && target.k != 0) continue;
      for (int h = 0; h < int(harmonics.size()); ++h) {
        add_feature(target, h, false);
        if (harmonics[size_t(h)].m > 0 && target.dim == 2) add_feature(target, h, true);
      }
    }
  }

  void add_feature(Block const& target, int h, bool plus) {
    auto const [m, v] = harmonics[size_t(h)];
    auto const [block, mirror] = source(plus ? target.k + m : target.k - m);
    bool const odd = m % 2 == 1 && mirrored();
    for (int j = 0; j < (mirrored() ? 2 : 1); ++j)
      for (int i = 0; i < 2; ++i) {
        int row = odd ? 1 - i : i, sign = odd && i == 0 ? -1 : 1;  // row of M(..) D^mirror F; J moves it to i
        bool const conjugate = plus != mirror;                     // M(T) D = D M(conj T)
        if (mirror && row == 1) sign = -sign;
        Feature f{h, (conjugate ? 2 : 0) + row, target.first, v, sign};
        if (m == 0) f.value = row;
        if (!place(target, m, plus, i, j, f)) continue;
        features[size_t(column(*block, j))].push_back(f);
      }
    add_terms(target, m, v, plus, mirror, odd);
  }

  /// Panel and slot of row i, column j of a feature; false when it is zero or not needed.
  bool place(Block const& target, int m, bool plus, int i, int j, Feature& f) const {
    if (target.dim == 2) {
      f.panel += mirrored() ? 2 * i + j : i;
      f.slot += plus;
      return true;
    }
    if (sides == Sides::projecting && mirrored() && i > 0) return false;
    if (mirrored()) {
      f.panel += i;
      f.slot += m == 0 ? 0 : j;
      return m > 0 || i == j;
    }
    f.slot += m == 0 ? 0 : i;
    return m > 0 || i == 0;
  }

  void add(int entry, int slot, FormalMatrix::Sum const& sum) {
    for (int i = 0; i < sum.count; ++i)
      terms.push_back({entry, slot, sum.term[i].v, sum.term[i].q, sum.term[i].factor});
  }

  void add_terms(Block const& target, int m, int v, bool plus, bool mirror, bool odd) {
    double const scale = (m == 0 || target.dim == 1 ? 1.0 : 0.5) * target.dim / order;
    int const first = target.first;
    if (sides == Sides::projecting) return add_projecting_terms(m, v, mirror, odd);
    if (!mirrored()) return add_cyclic_terms(target, m, v, plus, scale);
    FormalMatrix w;  // Psi_c^T -+ J Psi_s^T
    double const s = plus ? scale : -scale;
    auto psi = [&](int i, int j) { return target.dim == 2 ? first + 2 * i + j : i == j ? first + i : -1; };
    for (int j = 0; j < 2; ++j)
      for (int c = 0; c < 2; ++c) {
        if (int q = psi(c, j); q >= 0) w.at[j][c].add(v, q, scale);
        if (int q = psi(c, 1 - j); m > 0 && q >= 0) w.at[j][c].add(v + 1, q, j == 0 ? -s : s);
      }
    if (odd) w.turn_back();
    if (mirror) w.mirror();
    for (int j = 0; j < 2; ++j)
      for (int c = 0; c < 2; ++c)
        if (target.dim == 2) add(first + 2 * j + c, v + plus, w.at[j][c]);
        else if (m > 0) add(first + c, v + j, w.at[j][c]);
        else if (j == c) add(first + c, v, w.at[j][c]);
  }

  /// (conj Psi_c -+ i conj Psi_s), a complex number; a real irrep has Psi_c for the real and Psi_s for the imaginary
  /// part of its feature.
  void add_cyclic_terms(Block const& target, int m, int v, bool plus, double scale) {
    int const re = target.first, im = re + 1, slot = v + plus;
    double const s = plus ? scale : -scale;
    if (target.dim == 1) {
      terms.push_back({re, v, v, re, scale});
      if (m > 0) terms.push_back({re, v + 1, v + 1, re, scale});
      return;
    }
    terms.push_back({re, slot, v, re, scale});
    terms.push_back({im, slot, v, im, -scale});
    if (m == 0) return;
    terms.push_back({re, slot, v + 1, im, s});
    terms.push_back({im, slot, v + 1, re, s});
  }

  /// out = Re(conj(w_c + i w_s) X) for the trivial irrep, X = y D^mirror J^-odd.
  void add_projecting_terms(int m, int v, bool mirror, bool odd) {
    if (m == 0) return terms.push_back({0, v, v, -1, 1});
    if (!mirrored()) {
      terms.push_back({0, v, v, -1, 1});
      return terms.push_back({0, v + 1, v + 1, -1, 1});
    }
    FormalMatrix right;  // the identity; column 0 meets w_c, column 1 meets -w_s
    right.at[0][0].add(v, -1, 1);
    right.at[1][1].add(v + 1, -1, -1);
    if (odd) right.turn_back();
    if (mirror) right.mirror();
    for (int j = 0; j < 2; ++j)
      for (int c = 0; c < 2; ++c) add(0, v + j, right.at[j][c]);
  }

  /// From an image: out[g] = Re(conj(w_c + i w_s) B(g^-1 .) * f) has the frequencies +-m only.
  void lift() {
    for (int h = 0; h < int(harmonics.size()); ++h) {
      int const m = harmonics[size_t(h)].m, v = harmonics[size_t(h)].v;  // clang 14 cannot capture bindings
      features[0].push_back({h, 0, 0, v, 1});
      if (m > 0) features[0].push_back({h, 1, 0, v + 1, 1});
      auto const [block, mirror] = source(m);
      double const turn = mirror ? -1 : 1, sigma = m % 2 ? -1 : 1, scale = mirrored() ? 0.5 : 1;
      // sign * (w_c C + w_s S) and so on, in one coefficient
      auto cosines = [&](int q, double c, double s) {
        if (c != 0) terms.push_back({q, v, v, -1, c * scale});
        if (s != 0 && m > 0) terms.push_back({q, v + 1, v + 1, -1, s * scale});
      };
      auto sines = [&](int q, double cs, double sc) {  // cs: w_c S,  sc: w_s C
        if (m == 0) return;
        if (cs != 0) terms.push_back({q, v + 1, v, -1, cs * scale});
        if (sc != 0) terms.push_back({q, v, v + 1, -1, sc * scale});
      };
      int const q = block->first;
      if (!mirrored()) {
        cosines(q, 1, 1);
        if (block->dim == 2) sines(q + 1, turn, -turn);
      } else if (block->dim == 1) {
        cosines(q, 1 + sigma, 1 - sigma);
        cosines(q + 1, 1 - sigma, 1 + sigma);
      } else {
        cosines(q, 1 + sigma, 1 - sigma);                      // Re A + Re B
        sines(q + 1, turn * (sigma - 1), turn * (sigma + 1));  // Im B - Im A
        sines(q + 2, turn * (1 + sigma), turn * (sigma - 1));  // Im A + Im B
        cosines(q + 3, 1 - sigma, 1 + sigma);                  // Re A - Re B
      }
    }
  }

  void make_products() {
    results.resize(size_t(outputs));
    std::vector<bool> used(size_t(outputs), false);
    for (Term const& t : terms) used[size_t(t.entry)] = true;
    auto direct = [&](int q) {
      if (!used[size_t(q)]) return;
      results[size_t(q)] = {{int(products.size()), 1}};
      products.push_back({factored() ? q : 0, 0, 0});
      rights.push_back({{q, 1}});
    };
    if (sides == Sides::projecting) return direct(0);
    for (Block const& b : blocks) {
      if (!factored() || b.dim == 1) {
        for (int i = 0; i < b.size; ++i) direct(b.first + i);
        continue;
      }
      Bilinear const& scheme = mirrored() ? strassen : gauss;
      int const base = int(products.size());
      for (int i = 0; i < scheme.count; ++i) {
        Product const& l = scheme.left[i];
        products.push_back({b.first + l.p, b.first + l.q, l.sign});
        rights.push_back(parts(scheme.right[i].data(), 2, b.first));
      }
      for (int i = 0; i < b.size; ++i) results[size_t(b.first + i)] = parts(scheme.result[i].data(), 4, base);
    }
  }
  static std::vector<Part> parts(Part const* list, int count, int base) {
    std::vector<Part> out;
    for (int i = 0; i < count; ++i)
      if (list[i].sign) out.push_back({base + list[i].of, list[i].sign});
    return out;
  }
};

}  // namespace d16::kernels::cpu::detail
