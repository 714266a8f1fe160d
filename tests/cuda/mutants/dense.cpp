// Matrix products and convolutions in every precision, for tests/cuda/mutations.sh.
#include <d16/kernels/cuda/conv2d.cuh>
#include <d16/kernels/cuda/gemm.cuh>
#include <d16/kernels/reference/conv2d.hpp>
#include <d16/kernels/reference/gemm.hpp>

#include "suite.hpp"

using namespace d16;
using namespace d16::mutants;
using kernels::Precision;

namespace {

void product(Precision precision, int M, int N, int K, bool trans_b) {
  auto const a = whole_numbers<float>(size_t(M * K), 1), b = whole_numbers<float>(size_t(K * N), 2);
  std::vector<float> c(size_t(M * N), NAN), expected = c;
  kernels::Gemm<float> g;
  g.M = M, g.N = N, g.K = K, g.trans_b = trans_b, g.a = a.data(), g.b = b.data(), g.precision = precision;
  Work work(kernels::gemm_work_bytes(g));
  g.work = work.data(), g.c = c.data();
  kernels::gemm(g);
  g.c = expected.data();
  kernels::reference::gemm(g);
  compare("gemm", c, expected);
}

void convolution(Precision precision) {
  kernels::Conv2d<float> a;
  a.N = kernels::emulator::tsan ? 1 : 2, a.H = 7, a.W = kernels::emulator::tsan ? 5 : 9, a.Ci = 8, a.Co = 10,
  a.kh = a.kw = 3, a.pad_h = a.pad_w = 1, a.precision = precision;
  auto const x = whole_numbers<float>(size_t(a.N * a.H * a.W * a.Ci), 1), w = whole_numbers<float>(10 * 8 * 9, 2);
  auto const dy = whole_numbers<float>(size_t(a.N * a.H * a.W * a.Co), 3);
  std::vector<float> y(dy.size(), NAN), dx(x.size(), NAN), dw(w.size(), NAN);
  std::vector<float> y_expected = y, dx_expected = dx, dw_expected = dw;
  a.x = x.data(), a.w = w.data(), a.dy = dy.data();
  a.y = y_expected.data(), a.dx = dx_expected.data(), a.dw = dw_expected.data();
  kernels::reference::conv2d(a), kernels::reference::conv2d_dx(a), kernels::reference::conv2d_dw(a);
  a.y = y.data(), a.dx = dx.data(), a.dw = dw.data();
  auto launch = [&](int (*kernel)(kernels::Conv2d<float> const&), size_t bytes) {
    Work work(bytes);
    a.work = work.data();
    kernel(a);
  };
  launch(kernels::conv2d<float>, kernels::conv2d_work_bytes(a));
  launch(kernels::conv2d_dx<float>, kernels::conv2d_dx_work_bytes(a));
  launch(kernels::conv2d_dw<float>, kernels::conv2d_dw_work_bytes(a));
  compare("conv2d", y, y_expected), compare("conv2d_dx", dx, dx_expected), compare("conv2d_dw", dw, dw_expected);
}

}  // namespace

int main() {
  return run([] {
    product(Precision::float32, 37, 29, 45, false);
    convolution(Precision::bfloat16);
    if (kernels::emulator::tsan) return;  // half a millisecond for each CUDA thread there
    for (Precision precision : {Precision::float32, Precision::tf32, Precision::bfloat16}) {
      product(precision, 37, 29, 45, false);
      product(precision, 66, 40, 1100, true);  // a split sum
      convolution(precision);
    }
  });
}
