// The fast expansion of weights into a filter and its adjoint, against their definition in double.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <d16/core/random.hpp>
#include <d16/kernels/cpu/expand_filter.hpp>

using namespace d16;
namespace cpu = kernels::cpu::detail;

namespace {

constexpr int guard = 16;  // elements behind the filter, one register of float

template <class T> void compare(Group group, Sides sides, int Co, int Ci, int kernel) {
  INFO(group.text(), " sides ", int(sides), " ", Ci, " -> ", Co, " k ", kernel);
  auto basis = shared_basis(group, kernel);
  SteerableFilter exact(basis, sides, Co, Ci);
  Random random(1);
  std::vector<T> weights(size_t(exact.weight_count())), collapsed(weights.size());
  std::vector<T> filter(size_t(exact.filter_count()) + guard, T(7));
  for (T& w : weights) w = T(random.uniform(-1, 1));

  kernels::GroupConv2d<T> a{.group = group, .sides = sides, .Ci = Ci, .Co = Co, .V = basis->V, .kernel = kernel};
  a.basis = basis->values.data();
  cpu::FilterTables<T> tables(a);
  std::vector<T> memory(tables.bytes() / sizeof(T));
  tables.fill(a, memory.data());
  cpu::expand_filter(tables, weights.data(), filter.data());

  double epsilon = std::numeric_limits<T>::epsilon(), worst = 0;
  std::vector<double> expected = exact.expand({weights.begin(), weights.end()});
  for (size_t i = 0; i < expected.size(); ++i) worst = std::max(worst, std::abs(double(filter[i]) - expected[i]));
  CHECK_LE(worst, basis->V * basis->V * epsilon);  // V products below 1
  for (size_t i = expected.size(); i < filter.size(); ++i) CHECK(filter[i] == 7);

  std::fill(filter.end() - guard, filter.end(), std::numeric_limits<T>::quiet_NaN());
  cpu::collapse_filter(tables, filter.data(), collapsed.data());
  std::vector<double> gradient = exact.collapse({filter.begin(), filter.end() - guard});
  double terms = double(group.order()) * kernel * kernel, largest = 0;
  for (double value : expected) largest = std::max(largest, std::abs(value));
  worst = 0;
  for (size_t i = 0; i < gradient.size(); ++i) {
    double error = std::abs(double(collapsed[i]) - gradient[i]);
    worst = error >= worst ? error : std::isnan(error) ? INFINITY : worst;
  }
  CHECK_LE(worst, terms * epsilon * terms * largest / 4);  // the basis is below 1 and mostly small: a quarter at most
}

}  // namespace

TEST_CASE_TEMPLATE("expand_filter: fast against double, nothing written or read behind the filter", T, float, double) {
  for (Sides sides : {Sides::regular, Sides::lifting, Sides::projecting})
    for (int kernel : {1, 3, 5, 9}) {
      compare<T>(D16, sides, 2, 3, kernel);
      compare<T>(cyclic(5), sides, 3, 1, kernel);
      compare<T>(dihedral(1), sides, 1, 2, kernel);
      compare<T>(cyclic(1), sides, 1, 1, kernel);
    }
}
