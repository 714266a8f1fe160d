// Pooling over the group, antialiased pooling and batch norm, for tests/cuda/mutations.sh.
#include <d16/kernels/cuda/antialiased_avg_pool.cuh>
#include <d16/kernels/cuda/batch_norm.cuh>
#include <d16/kernels/cuda/group_pool.cuh>
#include <d16/kernels/reference/antialiased_avg_pool.hpp>
#include <d16/kernels/reference/batch_norm.hpp>
#include <d16/kernels/reference/group_pool.hpp>

#include "suite.hpp"

using namespace d16;
using namespace d16::mutants;
namespace gpu = kernels::gpu;
namespace pooling = kernels::pooling;
namespace reference = kernels::reference;

namespace {

/// Rows with maxima that occur twice, and one with two NaN.
std::vector<float> rows_with_ties(int64_t rows, int G) {
  auto x = whole_numbers(rows * G, 1);
  x[20] = x[24] = NAN;
  return x;
}

void group_pool() {
  kernels::GroupPool<float> a{.rows = 300, .G = 16};  // tiles of 128 rows
  auto const x = rows_with_ties(a.rows, a.G), dy = whole_numbers(a.rows, 2);
  a.x = x.data(), a.dy = dy.data();
  auto both = [&](char const* name, auto forward, auto reference_forward, auto backward, auto reference_backward) {
    auto y = unwritten(300), expected = y, dx = unwritten(x.size()), dx_expected = dx;
    a.y = y.data(), a.dx = dx.data(), forward(a), backward(a);
    a.y = expected.data(), a.dx = dx_expected.data(), reference_forward(a), reference_backward(a);
    compare(name, y, expected), compare(name, dx, dx_expected);
  };
  both("group_max_pool", kernels::group_max_pool<float>, reference::group_max_pool<float>,
       kernels::group_max_pool_dx<float>, reference::group_max_pool_dx<float>);
  both("group_mean_pool", kernels::group_mean_pool<float>, reference::group_mean_pool<float>,
       kernels::group_mean_pool_dx<float>, reference::group_mean_pool_dx<float>);
}

/// One block takes tile after tile, as on shapes with more tiles than a grid has blocks.
void group_pool_tiles() {
  kernels::GroupPool<float> a{.rows = 75, .G = 5};
  auto const x = rows_with_ties(a.rows, a.G), dy = whole_numbers(a.rows, 2);
  auto y = unwritten(75), expected = y, dx = unwritten(x.size()), dx_expected = dx;
  kernels::RowTile<float> tile(a.G);
  tile.rows = 32;
  size_t const bytes = tile.bytes();
  kernels::dim3 const one(1), threads(64);
  gpu::launch(pooling::pool_rows<float, pooling::Over::maximum>, one, threads, bytes, nullptr, tile, a.rows, a.G,
              x.data(), y.data());
  gpu::launch(pooling::pool_max_dx<float>, one, threads, bytes + gpu::Smem::bytes<int>(size_t(tile.rows)), nullptr,
              tile, a.rows, a.G, x.data(), dy.data(), dx.data());
  a.x = x.data(), a.dy = dy.data(), a.y = expected.data(), a.dx = dx_expected.data();
  reference::group_max_pool(a), reference::group_max_pool_dx(a);
  compare("group_max_pool, tile by tile", y, expected), compare("group_max_pool_dx, tile by tile", dx, dx_expected);
}

void blur(kernels::AntialiasedAvgPool<float> a) {
  int64_t const outputs = a.N * a.out(a.H) * a.out(a.W) * a.C;
  auto const x = whole_numbers(a.N * a.H * a.W * a.C, 1), dy = whole_numbers(outputs, 2);
  auto y = unwritten(dy.size()), expected = y, dx = unwritten(x.size()), dx_expected = dx;
  a.x = x.data(), a.dy = dy.data();
  a.y = y.data(), a.dx = dx.data();
  kernels::antialiased_avg_pool(a), kernels::antialiased_avg_pool_dx(a);
  a.y = expected.data(), a.dx = dx_expected.data();
  reference::antialiased_avg_pool(a), reference::antialiased_avg_pool_dx(a);
  compare("blur", y, expected, 1e-5), compare("blur_dx", dx, dx_expected, 1e-5);  // values up to 4, 16 additions
}
void antialiased() {
  blur({.N = 2, .H = 7, .W = 5, .C = 3});
  blur({.N = 1, .H = 8, .W = 9, .C = 2, .sigma = 1.2, .kernel = 3, .stride = 3, .padding = 0});
  blur({.N = 1, .H = 4, .W = 5, .C = 2, .kernel = 7, .stride = 1, .padding = 3});
}

/// The same arguments for the kernels and for the reference, with results of their own.
struct NormResults {
  std::vector<float> y, dx, dw, db, running_mean, running_var;
  std::vector<double> mean, inv_std;

  explicit NormResults(kernels::BatchNorm<float>& a) {
    size_t const count = size_t(a.rows * a.C * a.G), C = size_t(a.C);
    y = dx = unwritten(count), dw = db = unwritten(C), mean = inv_std = unwritten<double>(C);
    running_mean = whole_numbers(a.C, 5), running_var.assign(C, 2);
    a.y = y.data(), a.dx = dx.data(), a.dw = dw.data(), a.db = db.data();
    a.mean = mean.data(), a.inv_std = inv_std.data();
    a.running_mean = running_mean.data(), a.running_var = running_var.data();
  }
};

void norm(kernels::BatchNorm<float> a, float offset = 0, int64_t images = 0) {
  int64_t const count = a.rows * a.C * a.G;
  auto x = whole_numbers(count, 1);
  auto const dy = whole_numbers(count, 2), weight = whole_numbers(a.C, 3), bias = whole_numbers(a.C, 4);
  for (float& value : x) value += offset;
  a.x = x.data(), a.dy = dy.data(), a.weight = weight.data(), a.bias = bias.data();
  std::vector<double> sums(size_t(images * a.C * 2), 0);
  for (int64_t i = 0; i < count && images; ++i) {
    double const value = double(x[size_t(i)]);
    double* const of = &sums[size_t((i / (count / images) * a.C + i % a.C) * 2)];
    of[0] += value, of[1] += value * value;
  }
  if (images) a.sums = sums.data(), a.images = images;
  NormResults got(a);
  Work work(kernels::batch_norm_work_bytes(a));
  a.work = work.data();
  kernels::batch_norm(a), kernels::batch_norm_dw(a), kernels::batch_norm_dx(a);
  NormResults expected(a);
  a.work = nullptr;
  reference::batch_norm(a), reference::batch_norm_dw(a), reference::batch_norm_dx(a);
  // y and dx up to 20, with a few roundings of 6e-8 each; sums of some thousand terms are double until the last step
  compare("batch_norm", got.y, expected.y, 1e-5), compare("batch_norm_dx", got.dx, expected.dx, 1e-4);
  compare("batch_norm_dw", got.dw, expected.dw, 1e-2), compare("batch_norm_db", got.db, expected.db, 1e-2);
  double const rounding = 1e-9 + std::abs(offset) * 1e-13;  // of some hundred additions in double
  compare("mean", got.mean, expected.mean, rounding), compare("inv_std", got.inv_std, expected.inv_std, rounding);
  compare("running_mean", got.running_mean, expected.running_mean, 1e-6 + std::abs(offset) * 6e-8);
  compare("running_var", got.running_var, expected.running_var, 1e-6);
}
void norms() {
  norm({.rows = 1100, .C = 3, .G = 7, .training = true});              // three chunks of rows
  norm({.rows = 9, .C = 7, .G = 16, .training = true, .relu = true});  // four blocks of columns
  norm({.rows = 9, .C = 7, .G = 1, .training = false, .relu = true});
  norm({.rows = 45, .C = 5, .training = true}, 0, 3);             // the sums of three images are known
  norm({.rows = 40, .C = 9, .G = 4, .training = true}, 1 << 20);  // where float32 has steps of 1/8
}

void moments() {
  constexpr int rows = 700, C = 3, G = 4;
  auto const x = whole_numbers(rows * C * G, 1);
  std::vector<double> got(2 * C, NAN), expected(2 * C, 0);
  Work work(kernels::norm::sums_bytes(rows, C * G));
  kernels::norm::moments(x.data(), rows, C, G, got.data(), work.data());
  auto each = [&](auto const& add) {
    for (int i = 0; i < rows * C * G; ++i) add(i / G % C, double(x[size_t(i)]));
  };
  each([&](int c, double value) { expected[size_t(c)] += value / (rows * G); });
  each([&](int c, double value) { expected[size_t(C + c)] += std::pow(value - expected[size_t(c)], 2) / (rows * G); });
  compare("moments", got, expected, 1e-9);
}

}  // namespace

int main(int count, char** words) {
  return run(count, words,
             {{"group_pool", group_pool},
              {"group_pool_tiles", group_pool_tiles},
              {"antialiased", antialiased},
              {"norm", norms},
              {"moments", moments}});
}
