// Equivariant convolution: the fast kernels against the reference, all sides, odd shapes, no Tensor.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

#include <d16/core/random.hpp>
#include <d16/kernels/cpu/group_conv2d.hpp>
#include <d16/kernels/reference/group_conv2d.hpp>

using namespace d16;
using kernels::GroupConv2d;
using kernels::Path;

namespace {

template <class T> std::vector<T> random_values(int64_t n, uint64_t seed) {
  Random random(seed);
  std::vector<T> values(static_cast<size_t>(n));
  for (T& v : values) v = T(random.uniform(-1, 1));
  return values;
}
template <class T> double difference(std::vector<T> const& a, std::vector<T> const& b) {
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    double d = std::abs(double(a[i]) - double(b[i]));
    most = d >= most ? d : std::isnan(d) ? INFINITY : most;
  }
  return most;
}
template <class T> double largest(std::vector<T> const& a) { return difference(a, std::vector<T>(a.size())); }

/// A kernel with the scratch memory that it asks for, filled with NaN: what it does not write first, it must not read.
template <class T>
void call(int (*kernel)(GroupConv2d<T> const&), size_t (*work_bytes)(GroupConv2d<T> const&), GroupConv2d<T> a) {
  std::vector<T> work(work_bytes(a) / sizeof(T) + 1, std::numeric_limits<T>::quiet_NaN());
  a.work = work.data();
  CHECK(kernel(a) == kernels::ok);
}

/// The weights packed beforehand must give the same bits.
template <class T> void compare_packed(GroupConv2d<T> a) {
  int64_t count = 0;
  a.packed_count = &count;
  CHECK(kernels::cpu::group_conv2d_pack(a) == kernels::ok);
  a.packed_count = nullptr;
  CHECK((count > 0) == (a.path == Path::fourier));
  if (count == 0) return;
  std::vector<T> packed(size_t(count), std::numeric_limits<T>::quiet_NaN()),
      before(a.y, a.y + a.N * a.out(a.H) * a.out(a.W) * a.Co * a.rule().out_order());
  a.packed = packed.data();
  call<T>(kernels::cpu::group_conv2d_pack<T>, kernels::cpu::group_conv2d_pack_work_bytes<T>, a);
  call<T>(kernels::cpu::group_conv2d<T>, kernels::cpu::group_conv2d_work_bytes<T>, a);
  CHECK(std::equal(before.begin(), before.end(), a.y));
}

template <class T> void compare_path(GroupConv2d<T> a) {
  char const* path = a.path == Path::fourier ? "fourier " : "expanded ";
  INFO(path, a.group.text(), " sides ", int(a.sides), " H ", a.H, " W ", a.W, " Ci ", a.Ci, " Co ", a.Co, " k ",
       a.kernel);
  auto basis = shared_basis(a.group, a.kernel);
  a.V = basis->V;
  a.basis = basis->values.data();
  a.rings = int(basis->rings.max_freqs.size()), a.max_freqs = basis->rings.max_freqs.data();
  int64_t in = int64_t(a.N) * a.H * a.W * a.Ci * a.rule().in_order();
  int64_t out = int64_t(a.N) * a.out(a.H) * a.out(a.W) * a.Co * a.rule().out_order();
  int64_t weights = int64_t(a.Co) * a.Ci * a.V * a.rule().slots();
  auto x = random_values<T>(in, 1), dy = random_values<T>(out, 2), w = random_values<T>(weights, 3),
       b = random_values<T>(a.Co, 4);
  auto y = dy, y2 = dy, dx = x, dx2 = x, dw = w, dw2 = w, db = b, db2 = b;
  a.x = x.data(), a.dy = dy.data(), a.w = w.data(), a.bias = b.data();
  a.y = y.data(), a.dx = dx.data(), a.dw = dw.data(), a.db = db.data();
  std::vector<double> moments(2 * size_t(a.Co)), moments2 = moments;
  if (!a.scale) a.moments = moments.data();
  namespace cpu = kernels::cpu;
  call<T>(cpu::group_conv2d<T>, cpu::group_conv2d_work_bytes<T>, a);
  call<T>(cpu::group_conv2d_dx<T>, cpu::group_conv2d_dx_work_bytes<T>, a);
  call<T>(cpu::group_conv2d_dw<T>, cpu::group_conv2d_dw_work_bytes<T>, a);
  call<T>(cpu::group_conv2d_db<T>, cpu::group_conv2d_db_work_bytes<T>, a);
  compare_packed(a);
  a.y = y2.data(), a.dx = dx2.data(), a.dw = dw2.data(), a.db = db2.data();
  a.path = Path::expanded;
  if (a.moments) a.moments = moments2.data();
  kernels::reference::group_conv2d(a), kernels::reference::group_conv2d_dx(a);
  kernels::reference::group_conv2d_dw(a), kernels::reference::group_conv2d_db(a);
  // products of a tap (a sum of V terms) over the window, its fields and elements; for dw over all pixels, then over
  // the G uses of a weight and the taps
  double epsilon = std::numeric_limits<T>::epsilon(), taps = double(a.kernel) * a.kernel;
  double pixels = double(a.N) * a.out(a.H) * a.out(a.W);
  CHECK_LE(difference(y, y2), epsilon * (a.V + 1 + taps * a.Ci * a.rule().in_order()) * largest(y2));
  double const large = largest(y2);  // the sums of y and its squares come from values as inexact as y
  for (size_t i = 0; i < moments.size(); ++i)
    CHECK_LE(std::abs(moments[i] - moments2[i]), 2 * epsilon * (a.V + 1 + taps * a.Ci * a.rule().in_order()) *
                                                     (i < size_t(a.Co) ? large : 2 * large * large));
  CHECK_LE(difference(dx, dx2), epsilon * (a.V + 1 + taps * a.Co * a.rule().out_order()) * largest(dx2));
  CHECK_LE(difference(dw, dw2), epsilon * (pixels + taps * a.group.order()) * largest(dw2));
  CHECK_LE(difference(db, db2), epsilon * (pixels + a.group.order()) * largest(db2));
}

template <class T> void compare(GroupConv2d<T> a) {
  for (Path path : {Path::expanded, Path::fourier}) {
    a.path = path;
    compare_path(a);
    auto scale = random_values<T>(a.Co, 5);
    a.scale = scale.data(), a.relu = true;
    compare_path(a);
    a.scale = nullptr, a.relu = false;
  }
}

}  // namespace

TEST_CASE_TEMPLATE("group_conv2d: fast against reference", T, float, double) {
  for (Sides sides : {Sides::regular, Sides::lifting, Sides::projecting}) {
    compare<T>({.group = D16, .sides = sides, .N = 1, .H = 5, .W = 4, .Ci = 2, .Co = 3});
    compare<T>({.group = cyclic(5),
                .sides = sides,
                .N = 2,
                .H = 7,
                .W = 6,
                .Ci = 3,
                .Co = 1,
                .kernel = 5,
                .stride = 2,
                .padding = 0});
    compare<T>({.group = dihedral(3),
                .sides = sides,
                .N = 1,
                .H = 9,
                .W = 8,
                .Ci = 1,
                .Co = 2,
                .stride = 3,
                .padding = 2,
                .dilation = 2});
    compare<T>(
        {.group = cyclic(1), .sides = sides, .N = 1, .H = 1, .W = 1, .Ci = 1, .Co = 1, .kernel = 1, .padding = 0});
    compare<T>(
        {.group = dihedral(4), .sides = sides, .N = 1, .H = 3, .W = 2, .Ci = 5, .Co = 2, .kernel = 1, .padding = 0});
    compare<T>(
        {.group = dihedral(1), .sides = sides, .N = 1, .H = 4, .W = 7, .Ci = 2, .Co = 2, .kernel = 7, .padding = 3});
  }
}

// On a processor with a matrix unit, layers of 40 fields and more are products on it: one block of output fields or
// several, pairs of input fields with one left over, the last chunk smaller, complex and real irreps.
TEST_CASE("group_conv2d: many fields, fast against reference") {
  if (kernels::cpu::best_isa() < kernels::cpu::Isa::amx) MESSAGE("skipped: this machine has no matrix unit");
  for (auto [group, Ci, Co, kernel] : std::vector<std::tuple<Group, int, int, int>>{
           {dihedral(8), 11, 48, 3}, {cyclic(8), 5, 41, 3}, {dihedral(3), 17, 97, 3}, {dihedral(4), 7, 64, 5}})
    for (int stride : {1, 2})
      compare_path<float>({.group = group,
                           .N = 1,
                           .H = 5,
                           .W = 7,
                           .Ci = Ci,
                           .Co = Co,
                           .kernel = kernel,
                           .stride = stride,
                           .padding = kernel / 2,
                           .path = Path::fourier});
}

TEST_CASE("group_conv2d: bfloat16 products are within their rounding, and the precision is refused elsewhere") {
  GroupConv2d<float> a{.group = dihedral(8), .N = 1, .H = 6, .W = 5, .Ci = 5, .Co = 7};
  a.precision = kernels::Precision::bfloat16;
  auto basis = shared_basis(a.group, a.kernel);
  a.V = basis->V, a.basis = basis->values.data();
  a.rings = int(basis->rings.max_freqs.size()), a.max_freqs = basis->rings.max_freqs.data();
  auto x = random_values<float>(6 * 5 * 5 * 16, 1), dy = random_values<float>(6 * 5 * 7 * 16, 2),
       w = random_values<float>(7 * 5 * a.V * 16, 3), y = dy, y2 = dy, dx = x, dx2 = x;
  a.x = x.data(), a.w = w.data(), a.dy = dy.data(), a.y = y.data(), a.dx = dx.data();
  namespace cpu = kernels::cpu;
  if (cpu::best_isa() < cpu::Isa::amx) {
    MESSAGE("skipped: this machine has no matrix unit");
    CHECK(cpu::group_conv2d(a) == kernels::unsupported);
    return;
  }
  call<float>(cpu::group_conv2d<float>, cpu::group_conv2d_work_bytes<float>, a);
  call<float>(cpu::group_conv2d_dx<float>, cpu::group_conv2d_dx_work_bytes<float>, a);
  GroupConv2d<float> exact = a;
  exact.precision = kernels::Precision::float32, exact.y = y2.data(), exact.dx = dx2.data();
  kernels::reference::group_conv2d(exact), kernels::reference::group_conv2d_dx(exact);
  // Rounding errors add up as random numbers do: each of relative size 2^-9 / sqrt(3) in both factors, so sqrt(2/3) 2^-9
  // of the root mean square of y, and five standard deviations of that for the worst of some thousand values.
  double const bound = 5 * std::sqrt(2.0 / 3) / 512;
  CHECK_LE(difference(y, y2), bound * largest(y2));
  CHECK_LE(difference(dx, dx2), bound * largest(dx2));
  CHECK_GT(difference(y, y2), 1e-5 * largest(y2));  // it is bfloat16
  a.sides = Sides::lifting;
  CHECK(cpu::group_conv2d(a) == kernels::unsupported);
}

TEST_CASE("group_conv2d: without a bias") {
  auto basis = shared_basis(D16, 3);
  GroupConv2d<float> a{.group = D16, .N = 1, .H = 3, .W = 3, .Ci = 1, .Co = 1, .V = basis->V};
  auto x = random_values<float>(9 * 16, 1), w = random_values<float>(6 * 16, 2), zero = std::vector<float>(1);
  std::vector<float> with(9 * 16), without(9 * 16);
  a.basis = basis->values.data(), a.x = x.data(), a.w = w.data();
  a.y = without.data();
  call<float>(kernels::cpu::group_conv2d<float>, kernels::cpu::group_conv2d_work_bytes<float>, a);
  a.y = with.data(), a.bias = zero.data();
  call<float>(kernels::cpu::group_conv2d<float>, kernels::cpu::group_conv2d_work_bytes<float>, a);
  CHECK(with == without);
}

TEST_CASE("group_conv2d: minus infinity stays what it is behind a scale, and ReLU cuts it") {
  auto basis = shared_basis(D16, 3);
  GroupConv2d<float> a{.group = D16, .N = 1, .H = 3, .W = 3, .Ci = 1, .Co = 1, .V = basis->V};
  auto x = random_values<float>(9 * 16, 1), w = random_values<float>(6 * 16, 2);
  float const scale = 2, bias = -INFINITY;
  std::vector<float> y(9 * 16);
  a.basis = basis->values.data(), a.x = x.data(), a.w = w.data(), a.scale = &scale, a.bias = &bias, a.y = y.data();
  a.rings = int(basis->rings.max_freqs.size()), a.max_freqs = basis->rings.max_freqs.data();
  for (Path path : {Path::expanded, Path::fourier})
    for (bool relu : {false, true}) {
      a.path = path, a.relu = relu;
      call<float>(kernels::cpu::group_conv2d<float>, kernels::cpu::group_conv2d_work_bytes<float>, a);
      CHECK(y == std::vector<float>(y.size(), relu ? 0 : -INFINITY));
    }
}

TEST_CASE("group_conv2d: a NaN or infinity of one filter gradient stays in its own weights") {
  // registers reach past the nine taps of a filter into the next one, whose values must not leak
  auto basis = shared_basis(cyclic(4), 3);
  GroupConv2d<float> a{
      .group = cyclic(4), .sides = Sides::lifting, .N = 1, .H = 3, .W = 3, .Ci = 2, .Co = 2, .V = basis->V};
  auto x = random_values<float>(9 * 2, 1), dy = random_values<float>(9 * 2 * 4, 2);
  std::vector<float> dw(2 * 2 * 6);
  for (int i = 0; i < 9; ++i) x[size_t(i * 2 + 1)] = INFINITY;  // field 1
  a.basis = basis->values.data(), a.x = x.data(), a.dy = dy.data(), a.dw = dw.data();
  call<float>(kernels::cpu::group_conv2d_dw<float>, kernels::cpu::group_conv2d_dw_work_bytes<float>, a);
  for (int o = 0; o < 2; ++o)
    for (int v = 0; v < 6; ++v) {
      CHECK(std::isfinite(dw[size_t((o * 2 + 0) * 6 + v)]));
      CHECK(!std::isfinite(dw[size_t((o * 2 + 1) * 6 + v)]));
    }
}

TEST_CASE("group_conv2d: groups and kernels that the factored path does not have are refused by it") {
  int const ring[] = {0};
  GroupConv2d<float> a{.group = dihedral(40), .H = 20, .W = 20, .rings = 1, .max_freqs = ring, .path = Path::fourier};
  for (int kernel : {3, 17}) {
    a.kernel = kernel;
    CHECK(kernels::cpu::group_conv2d(a) == kernels::unsupported);
    CHECK(kernels::cpu::group_conv2d_dx(a) == kernels::unsupported);
    CHECK(kernels::cpu::group_conv2d_dw(a) == kernels::unsupported);
    CHECK(kernels::cpu::group_conv2d_pack(a) == kernels::unsupported);
    a.group = D16;
  }
}
