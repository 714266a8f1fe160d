// The D16 convolution by the Fourier path, pooling and batch norm, for tests/cuda/mutations.sh.
#include <d16/group/steerable_basis.hpp>
#include <d16/kernels/cuda/batch_norm.cuh>
#include <d16/kernels/cuda/group_conv2d.cuh>
#include <d16/kernels/cuda/group_pool.cuh>
#include <d16/kernels/reference/batch_norm.hpp>
#include <d16/kernels/reference/group_conv2d.hpp>
#include <d16/kernels/reference/group_pool.hpp>

#include "suite.hpp"

using namespace d16;
using namespace d16::mutants;

namespace {

void convolution(Group group, kernels::Path path) {
  auto const basis = shared_basis(group, 3);
  kernels::GroupConv2d<float> a{.group = group, .N = 1, .H = 5, .W = 9, .Ci = 5, .Co = 3, .V = basis->V};
  if (kernels::emulator::tsan) a.H = a.W = 3, a.Ci = 2, a.Co = 1;  // half a millisecond for each CUDA thread there
  a.basis = basis->values.data(), a.path = path;
  a.rings = int(basis->rings.max_freqs.size()), a.max_freqs = basis->rings.max_freqs.data();
  size_t const pixels = size_t(a.H * a.W), order = size_t(group.order()), Ci = size_t(a.Ci), Co = size_t(a.Co);
  auto const x = whole_numbers<float>(pixels * Ci * order, 1), dy = whole_numbers<float>(pixels * Co * order, 2);
  auto const w = whole_numbers<float>(Ci * Co * size_t(basis->V) * order, 3), b = whole_numbers<float>(Co, 4);
  std::vector<float> y(dy.size(), NAN), dx(x.size(), NAN), dw(w.size(), NAN);
  std::vector<float> y_expected = y, dx_expected = dx, dw_expected = dw;
  a.x = x.data(), a.w = w.data(), a.bias = b.data(), a.dy = dy.data();
  a.y = y_expected.data(), a.dx = dx_expected.data(), a.dw = dw_expected.data();
  kernels::reference::group_conv2d(a), kernels::reference::group_conv2d_dx(a), kernels::reference::group_conv2d_dw(a);
  a.y = y.data(), a.dx = dx.data(), a.dw = dw.data();
  auto launch = [&](int (*kernel)(kernels::GroupConv2d<float> const&), size_t bytes) {
    Work work(bytes);
    a.work = work.data();
    kernel(a);
  };
  launch(kernels::group_conv2d<float>, kernels::group_conv2d_work_bytes(a));
  launch(kernels::group_conv2d_dx<float>, kernels::group_conv2d_dx_work_bytes(a));
  launch(kernels::group_conv2d_dw<float>, kernels::group_conv2d_dw_work_bytes(a));
  // Some thousand terms of up to 16 each, with a few roundings of eps = 6e-8 and partial sums below 1e4: below 5e-2;
  // what a planted bug changes is a term, at least 0.1 in some element.
  compare("group_conv2d", y, y_expected, 5e-2);
  compare("group_conv2d_dx", dx, dx_expected, 5e-2);
  compare("group_conv2d_dw", dw, dw_expected, 5e-2);
}

void pooling() {
  kernels::GroupPool<float> a{.rows = 37, .G = 16};
  auto const x = whole_numbers<float>(37 * 16, 1), dy = whole_numbers<float>(37, 2);
  std::vector<float> y(37, NAN), expected = y, dx(x.size(), NAN), dx_expected = dx;
  a.x = x.data(), a.dy = dy.data();
  a.y = y.data(), a.dx = dx.data();
  kernels::group_max_pool(a), kernels::group_max_pool_dx(a);
  a.y = expected.data(), a.dx = dx_expected.data();
  kernels::reference::group_max_pool(a), kernels::reference::group_max_pool_dx(a);
  compare("group_max_pool", y, expected), compare("group_max_pool_dx", dx, dx_expected);
}

void norm() {
  kernels::BatchNorm<float> a{.rows = 261, .C = 3, .G = 5, .training = true};
  auto const x = whole_numbers<float>(261 * 15, 1);
  std::vector<float> y(x.size(), NAN), expected = y;
  std::vector<double> mean(3), inv_std(3);
  a.x = x.data(), a.mean = mean.data(), a.inv_std = inv_std.data();
  a.y = expected.data();
  Work reference_work(1 << 16), work(kernels::batch_norm_work_bytes(a));
  a.work = reference_work.data(), kernels::reference::batch_norm(a);
  a.y = y.data(), a.work = work.data(), kernels::batch_norm(a);
  compare("batch_norm", y, expected, 1e-5);  // values of some units, a few roundings
}

}  // namespace

int main() {
  return run([] {
    convolution(dihedral(8), kernels::Path::fourier);
    convolution(cyclic(4), kernels::Path::expanded);
    pooling();
    norm();
  });
}
