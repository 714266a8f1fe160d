// Lesson 7: the group convolution by irreps. The same map in a tenth of the multiply-adds; docs/fourier-convolution.md.
// With a folder as argument it also draws the page's two pictures into it.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <d16/d16.hpp>

#include "07_pictures.hpp"

using namespace d16;
using Values = std::vector<double>;

static void check(bool condition, char const* what) {
  std::printf("  %s %s\n", condition ? "yes:" : "NO: ", what);
  if (!condition) std::exit(1);
}

Values random_values(size_t count, uint64_t seed) {
  Random random(seed);
  Values values(count);
  for (double& v : values) v = random.normal();
  return values;
}
double distance(Values const& a, Values const& b) {
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

/// C[g,h] = w[g^-1 h]: how a layer connects the elements of two fields, out = C f.
Values layer_matrix(Group group, Values const& w) {
  size_t G = size_t(group.order());
  Values C(G * G);
  for (size_t g = 0; g < G; ++g)
    for (size_t h = 0; h < G; ++h) C[g * G + h] = w[size_t(group.product(group.inverse(int(g)), int(h)))];
  return C;
}
Values product(Values const& a, Values const& b, size_t n) {
  Values out(n * n);
  for (size_t i = 0; i < n; ++i)
    for (size_t k = 0; k < n; ++k)
      for (size_t j = 0; j < n; ++j) out[i * n + j] += a[i * n + k] * b[k * n + j];
  return out;
}

/// Multiply-adds for each pixel and pair of fields: of the expanded filter; of the blocks; and of the blocks with
/// Strassen's seven products for a 2 x 2 matrix and Gauss's three for a complex number.
struct Costs {
  int dense, blocks, fewest, functions;
  Costs(Group group, int kernel)
      : dense(kernel * kernel * group.order() * group.order()), functions(default_rings(kernel).functions()) {
    int all = 0, few = 0;
    for (Irrep const& rho : irreps(group)) {
      all += rho.products();
      few += rho.d == 1 ? 1 : rho.complex_type() ? 3 : 7;
    }
    blocks = functions * all, fewest = functions * few;
  }
};

/// Features of 2 fields to 3 by both paths of the reference kernel, which need nothing but pointers.
double difference_of_paths() {
  auto basis = shared_basis(D16, 3);
  kernels::GroupConv2d<double> a{.group = D16, .H = 7, .W = 7, .Ci = 2, .Co = 3, .V = basis->V};
  Values x = random_values(7 * 7 * 2 * 16, 1), w = random_values(3 * 2 * 6 * 16, 2), by_definition(7 * 7 * 3 * 16),
         by_irreps = by_definition;
  a.x = x.data(), a.w = w.data(), a.basis = basis->values.data();
  a.y = by_definition.data(), a.path = kernels::Path::expanded;
  kernels::reference::group_conv2d(a);
  a.y = by_irreps.data(), a.path = kernels::Path::fourier;
  kernels::reference::group_conv2d(a);
  return distance(by_definition, by_irreps) / distance(by_definition, Values(by_definition.size()));
}

void print_irreps(Group g) {
  std::printf("%s has %zu irreps: small matrices that multiply like its elements.\n", g.text().c_str(),
              irreps(g).size());
  std::printf("  frequency  size   mirror  coefficients\n");
  for (Irrep const& rho : irreps(g)) {
    char const* mirror = rho.d == 2 ? "D" : rho.sign > 0 ? "+1" : "-1";
    std::printf("  k = %d      %d x %d  %-6s  %d .. %d\n", rho.k, rho.d, rho.d, mirror, rho.first,
                rho.first + rho.coefficients() - 1);
  }
}

void print_costs() {
  std::printf(
      "\nMultiply-adds for each pixel and pair of fields:\n\n"
      "| group | order | kernel | functions V | expanded | by irreps | ratio | with Strassen, Gauss | ratio |\n"
      "|---|---|---|---|---|---|---|---|---|\n");
  for (Group group : {cyclic(4), cyclic(8), cyclic(16), dihedral(4), dihedral(8), dihedral(16)})
    for (int kernel : {1, 3, 5, 7, 9}) {
      Costs c(group, kernel);
      std::printf("| %s_%d | %d | %d | %d | %d | %d | %.1f | %d | %.1f |\n", group.mirrored() ? "D" : "C", group.n,
                  group.order(), kernel, c.functions, c.dense, c.blocks, double(c.dense) / c.blocks, c.fewest,
                  double(c.dense) / c.fewest);
    }
  int const fields = 48, kernel = 3;
  Costs c(D16, kernel);
  std::printf(
      "\nThe projection, k^2 V |G| = %d for each field in, serves all fields out: with %d of them it adds %.0f %%.\n",
      kernel * kernel * c.functions * D16.order(), fields,
      100.0 * kernel * kernel * c.functions * D16.order() / fields / c.blocks);
}

int main(int count, char** arguments) {
  constexpr Group g = D16;
  size_t G = size_t(g.order());
  print_irreps(g);

  std::printf("A convolution over the group becomes a product for each irrep.\n");
  Values f = random_values(G, 3), w = random_values(G, 4), by_irreps(G);
  add_product(g, fourier_transform(g, f), fourier_transform(g, w), by_irreps);
  double error = distance(inverse_fourier_transform(g, by_irreps), group_convolution(g, f, w));
  std::printf("  largest difference %.1e\n", error);
  check(error < 1e-13, "f * w = inverse(F(f) F(w))");
  Values other(G);
  add_product(g, fourier_transform(g, w), fourier_transform(g, f), other);
  check(distance(other, by_irreps) > 0.1, "the order matters, as it does for turns and mirrors");

  std::printf("The matrix that connects the elements of two fields falls into blocks.\n");
  Values before = layer_matrix(g, w),
         after = product(product(fourier_matrix(g), before, G), inverse_fourier_matrix(g), G);
  auto nonzero = [](Values const& m) {
    return m.size() - size_t(std::count_if(m.begin(), m.end(), pictures::vanishes));
  };
  std::printf("  %d products before, %d after\n", int(nonzero(before)), int(nonzero(after)));
  check(nonzero(after) == 28, "4 of 1 x 1, and 3 of 2 x 2 that are each used twice: 4 + 3 * 2 * 4");

  std::printf("Expanded filter and irreps are the same layer.\n");
  double relative = difference_of_paths();
  std::printf("  largest difference of a 3 x 3 layer, relative to its largest output: %.1e\n", relative);
  check(relative < 1e-13, "both reference kernels agree");

  print_costs();
  if (count > 1) {
    std::string folder = arguments[1];
    io::write_file(folder + "/fourier_frames.svg", pictures::basis_in_frames(g, default_rings(3)));
    io::write_file(folder + "/fourier_blocks.svg", pictures::block_diagonal(g, before, after));
    std::printf("two pictures in %s\n", folder.c_str());
  }
}
