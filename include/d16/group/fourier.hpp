// The Fourier transform on cyclic and dihedral groups: there a convolution over the group is one small matrix product
// for each irrep.
#pragma once
#include <complex>
#include <span>
#include <vector>

#include "irreps.hpp"

namespace d16 {

/// The transform as a matrix: coefficients = Phi f. Row: one entry rho(h)_ij, in the order of irreps(); column: h.
inline std::vector<double> fourier_matrix(Group group) {
  int G = group.order();
  std::vector<double> phi(size_t(G) * G), column(static_cast<size_t>(G));
  for (int h = 0; h < G; ++h) {
    for (Irrep const& rho : irreps(group)) rho.set_block(column.data(), rho.matrix(h));
    for (int c = 0; c < G; ++c) phi[size_t(c) * G + h] = column[size_t(c)];
  }
  return phi;
}

/// Its inverse. The rows of Phi are orthogonal (Schur), with square length |G|/d: f = Phi^T (d/|G|) coefficients.
inline std::vector<double> inverse_fourier_matrix(Group group) {
  int G = group.order();
  std::vector<double> phi = fourier_matrix(group), out(phi.size());
  for (Irrep const& rho : irreps(group))
    for (int c = rho.first; c < rho.first + rho.coefficients(); ++c)
      for (int h = 0; h < G; ++h) out[size_t(h) * G + c] = phi[size_t(c) * G + h] * rho.d / G;
  return out;
}

namespace detail {

using Complex = std::complex<double>;

/// e^(2 pi i j / n), without rounding for quarter turns.
inline Complex unit_root(int j, int n) {
  Group::Matrix turn = cyclic(n).matrix(j % n);
  return {turn.m[0], turn.m[2]};
}

/// A_k = sum over r < n of f[stride r] e^(2 pi i k r / n) for k = 0 .. n/2; f is real, so A_-k is its conjugate.
/// Even n: the r that are even and those that are odd are two transforms of half the size, and one "butterfly" makes
/// A_k and A_(n/2-k) of what both have at k. n = 8 is done after three rounds: 8 log2(8) instead of 8 x 8 operations.
/// Odd n: the sum as it stands.
inline std::vector<Complex> cyclic_fourier(double const* f, int n, int stride) {
  std::vector<Complex> A(size_t(n / 2 + 1));
  if (n % 2) {
    for (int k = 0; k <= n / 2; ++k)
      for (int r = 0; r < n; ++r) A[size_t(k)] += f[stride * r] * unit_root(k * r, n);
    return A;
  }
  int half = n / 2;
  auto even = cyclic_fourier(f, half, 2 * stride), odd = cyclic_fourier(f + stride, half, 2 * stride);
  for (int k = 0; 2 * k <= half; ++k) {
    Complex turned = unit_root(k, n) * odd[size_t(k)];
    A[size_t(k)] = even[size_t(k)] + turned;
    A[size_t(half - k)] = std::conj(even[size_t(k)] - turned);
  }
  return A;
}

/// The same steps backwards.
inline void inverse_cyclic_fourier(std::vector<Complex> const& A, int n, double* f, int stride) {
  if (n % 2) {
    for (int r = 0; r < n; ++r) {
      double sum = A[0].real();
      for (int k = 1; k <= n / 2; ++k) sum += 2 * (A[size_t(k)] * std::conj(unit_root(k * r, n))).real();
      f[stride * r] = sum / n;
    }
    return;
  }
  int half = n / 2;
  std::vector<Complex> even(size_t(half / 2 + 1)), odd = even;
  for (int k = 0; 2 * k <= half; ++k) {
    Complex a = A[size_t(k)], b = std::conj(A[size_t(half - k)]);
    even[size_t(k)] = (a + b) / 2.0;
    odd[size_t(k)] = std::conj(unit_root(k, n)) * (a - b) / 2.0;
  }
  inverse_cyclic_fourier(even, half, f, 2 * stride);
  inverse_cyclic_fourier(odd, half, f + stride, 2 * stride);
}

inline void check_group_values(char const* op, Group group, size_t values) {
  require<ShapeError>(values == size_t(group.order()), op, ": ", values, " values; ", group, " needs ", group.order());
}

}  // namespace detail

/// Group Fourier transform: F(rho) = sum over h of f[h] rho(h), a d x d matrix for each irrep.
/// With A the transform of the rotations' values and B of the reflections', each a complex number a + ib at frequency
/// k, M(a + ib) = [a -b; b a] and D = diag(1,-1):   d = 2: M(A_k) + M(B_k) D   d = 1: A_k + B_k and A_k - B_k.
/// Shapes   f (G), result (G) coefficients in the order of irreps().      Units  those of f.
/// Cost     O(G log n) for n = 2^m, O(G n) for odd n.                 Deterministic  yes.
/// Errors   d16::GroupError without a group; ShapeError unless there is one value for each element.
/// Source   Diaconis 1988, Group Representations in Probability and Statistics; Cooley & Tukey 1965.
inline std::vector<double> fourier_transform(Group group, std::span<double const> f) {
  detail::check_group_values("fourier_transform", group, f.size());
  int n = group.n;
  auto A = detail::cyclic_fourier(f.data(), n, 1), B = std::vector<detail::Complex>(A.size());
  if (group.mirrored()) B = detail::cyclic_fourier(f.data() + n, n, 1);
  std::vector<double> F(f.size());
  for (Irrep const& rho : irreps(group)) {
    detail::Complex a = A[size_t(rho.k)], b = B[size_t(rho.k)];
    if (rho.d == 1) F[size_t(rho.first)] = a.real() + rho.sign * b.real();
    else
      rho.set_block(F.data(),
                    {{{a.real() + b.real(), b.imag() - a.imag()}, {a.imag() + b.imag(), a.real() - b.real()}}});
  }
  return F;
}

/// The way back: f[h] = sum over rho of d/|G| tr(F(rho) rho(h)^T), of complex type half of that.
inline std::vector<double> inverse_fourier_transform(Group group, std::span<double const> F) {
  detail::check_group_values("inverse_fourier_transform", group, F.size());
  int n = group.n;
  std::vector<detail::Complex> A(size_t(n / 2 + 1)), B = A;
  double share = group.mirrored() ? 0.5 : 1;  // A = (F+ + F-) / 2, or A = F where there are no reflections
  for (Irrep const& rho : irreps(group)) {
    IrrepMatrix const F_k = rho.block(F.data());
    auto const& m = F_k.m;
    if (rho.d == 1) {
      A[size_t(rho.k)] += share * m[0][0];
      B[size_t(rho.k)] += share * rho.sign * m[0][0];
    } else {
      A[size_t(rho.k)] = {(m[0][0] + m[1][1]) / 2, (m[1][0] - m[0][1]) / 2};
      B[size_t(rho.k)] = {(m[0][0] - m[1][1]) / 2, (m[1][0] + m[0][1]) / 2};
    }
  }
  std::vector<double> f(F.size());
  detail::inverse_cyclic_fourier(A, n, f.data(), 1);
  if (group.mirrored()) detail::inverse_cyclic_fourier(B, n, f.data() + n, 1);
  return f;
}

/// out(rho) += F(rho) W(rho) for each irrep: all that is left of a convolution over the group.
/// Cost     d^3 multiply-adds for each irrep (complex type 4, Gauss would need 3): 28 for dihedral(8) instead of 256.
inline void add_product(Group group, std::span<double const> F, std::span<double const> W, std::span<double> out) {
  for (Irrep const& rho : irreps(group)) {
    IrrepMatrix sum = rho.block(out.data()), product = rho.block(F.data()) * rho.block(W.data());
    for (int i = 0; i < 2; ++i)
      for (int j = 0; j < 2; ++j) sum.m[i][j] += product.m[i][j];
    rho.set_block(out.data(), sum);
  }
}

/// F(rho)^T for each irrep: the coefficients of h -> f[h^-1], because rho(h^-1) = rho(h)^T.
inline std::vector<double> transposed(Group group, std::span<double const> F) {
  std::vector<double> out(F.size());
  for (Irrep const& rho : irreps(group)) rho.set_block(out.data(), rho.block(F.data()).transposed());
  return out;
}

/// The convolution of the textbooks, (f * w)[g] = sum over h of f[h] w[h^-1 g], by its definition. Its coefficients are
/// F(rho) W(rho). The networks' sum over h of w[g^-1 h] f[h] is f * (h -> w[h^-1]), so F(rho) W(rho)^T.
inline std::vector<double> group_convolution(Group group, std::span<double const> f, std::span<double const> w) {
  detail::check_group_values("group_convolution", group, f.size());
  detail::check_group_values("group_convolution", group, w.size());
  std::vector<double> out(f.size(), 0.0);
  for (int g = 0; g < group.order(); ++g)
    for (int h = 0; h < group.order(); ++h)
      out[size_t(g)] += f[size_t(h)] * w[size_t(group.product(group.inverse(h), g))];
  return out;
}

}  // namespace d16
