// Histograms of oriented gradients on a GPU: gradients, histograms and the norms of blocks in one kernel.
//
// A block of threads has a tile of blocks of cells, for pictures of some 128 pixels the whole of one picture:
//   1. a team of threads, one for each column of a cell, votes: each thread runs down its column with a histogram of its
//      own in shared memory, so that nobody waits and no order of additions depends on who comes first;
//   2. the team adds its histograms, each member the bins that are its;
//   3. a warp for each block of cells reads their histograms from shared memory, sums, scales and writes them.
// Everything is in double, as on the host: float32 gradients would fall into other bins at ties. An H200 has 17 million
// million of these operations a second, and a pixel takes about 90.
#pragma once
#include <cmath>

#include "../hog.hpp"
#include "gpu.hpp"

namespace d16::kernels {
namespace D16_GPU {
namespace oriented {

constexpr int most_threads = 256, most_bins = 128;
constexpr int64_t most_votes = 6 << 10, usual_bins = 4 << 10, most_cell_bins = 12 << 10;  // doubles in shared memory

/// How pictures are cut into tiles, and what all threads know. A tile is as large as its cells fit into shared memory:
/// neighbouring tiles count the cells between them twice.
struct Plan {
  int H, W, C, blocks_down, blocks_across;
  int bins, cell_h, cell_w, block_h, block_w;
  BlockNorm norm;
  bool root;
  int tile_h, tile_w;  ///< blocks of cells
  int tiles_down, tiles_across;
  int threads = most_threads, team, top;  ///< of a block of threads; of a cell; the power of two below bins
  double begin[most_bins] = {};           ///< cotangents of the angles where bins begin, falling

  template <class T> explicit Plan(Hog<T> const& a)
      : H(int(a.H)),
        W(int(a.W)),
        C(int(a.C)),
        blocks_down(int(a.blocks_down())),
        blocks_across(int(a.blocks_across())),
        bins(a.bins),
        cell_h(a.cell_h),
        cell_w(a.cell_w),
        block_h(a.block_h),
        block_w(a.block_w),
        norm(a.norm),
        root(a.root) {
    int height = blocks_down, width = blocks_across;
    while (cell_bins(height, width) > usual_bins && height * width > 1)
      (height >= width ? height : width) = ((height >= width ? height : width) + 1) / 2;
    tile_h = height, tile_w = width;
    tiles_down = (blocks_down + height - 1) / height, tiles_across = (blocks_across + width - 1) / width;
    while (threads > 32 && threads * bins > most_votes) threads /= 2;
    team = cell_w < threads ? cell_w : threads;
    for (top = 1; 2 * top < bins;) top *= 2;
    for (int i = 0; i < bins; ++i) begin[i] = hog_begin(i, bins);
  }
  /// Of the cells under a tile.
  int64_t cell_bins(int64_t height, int64_t width) const {
    return (height + block_h - 1) * (width + block_w - 1) * bins;
  }
  size_t shared_bytes() const {
    return gpu::Smem::bytes<double>(size_t(bins)) + gpu::Smem::bytes<double>(size_t(cell_bins(tile_h, tile_w))) +
           gpu::Smem::bytes<double>(size_t(threads * bins));
  }
};

struct Gradient {
  double cotangent, length;
};

template <class T> __device__ __forceinline__ double pixel(T const* x, bool root) {
  double const v = double(*x);
  return root ? std::sqrt(v) : v;
}

/// Of pixel (i, j): central differences, 0 across the border, of several channels the first that is steepest. What is
/// not finite in any channel makes the length NaN. Angles closer to 180 degrees than a double can tell round up:
/// scikit-image then puts those from above (y >= 0) into bin 0 and leaves out those from below.
template <class T> __device__ Gradient gradient(Plan const& p, T const* picture, int i, int j) {
  T const* here = picture + (i * p.W + j) * p.C;
  int const row = p.W * p.C;
  bool const between_columns = j > 0 && j + 1 < p.W, between_rows = i > 0 && i + 1 < p.H;
  double gx = 0, gy = 0, steepest = -1, fault = 0;
  for (int c = 0; c < p.C; ++c, ++here) {
    double const x = between_columns ? pixel(here + p.C, p.root) - pixel(here - p.C, p.root) : 0;
    double const y = between_rows ? pixel(here + row, p.root) - pixel(here - row, p.root) : 0;
    double const wide = std::abs(x), high = std::abs(y);
    double const longer = wide < high ? high : wide, shorter = wide < high ? wide : high;
    double const square = longer * longer + shorter * shorter;  // the same bits for (x, y) and (y, x)
    fault += square * 0;
    if (square > steepest) gx = x, gy = y, steepest = square;
  }
  gy += 0;  // -0 becomes 0
  Gradient g{gx / gy, std::sqrt(steepest) + fault};
  bool const below = gy < 0;
  double const limit = below ? 1 / 2.48e-16 : 1 / 3.44e-16;  // 1 / half the spacing of doubles at 180 and at pi
  if (g.cotangent + limit < 0) {
    g.cotangent = -g.cotangent;
    if (below) g.length = fault;
  }
  return g;
}

/// The last bin that begins at an angle not above this one, by halves. Neighbouring threads look at different numbers,
/// which are in different banks for up to 16 bins.
__device__ __forceinline__ int bin_of(Plan const& p, double const* begin, double cotangent) {
  int bin = 0;
  for (int step = p.top; step > 0; step /= 2)
    if (bin + step < p.bins && !(cotangent > begin[bin + step])) bin += step;
  return bin;
}

/// The histograms of `rows` x `columns` cells of a picture, from cell (top, left) on, into cells (rows, columns, bins).
template <class T> __device__ void histograms(Plan const& p, T const* picture, int top, int left, int rows, int columns,
                                              double const* begin, double* votes, double* cells) {
  int const thread = int(threadIdx.x), threads = int(blockDim.x);
  int const at_once = threads / p.team, mine = thread / p.team, member = thread % p.team, count = rows * columns;
  double const scale = 1 / (double(p.cell_h) * p.cell_w);
  for (int first = 0; first < count; first += at_once) {
    int const cell = first + mine;
    bool const busy = mine < at_once && cell < count;
    for (int bin = 0; bin < p.bins; ++bin) votes[bin * threads + thread] = 0;
    if (busy) {
      int const i = (top + cell / columns) * p.cell_h, j = (left + cell % columns) * p.cell_w;
      for (int u = 0; u < p.cell_h; ++u)
        for (int v = member; v < p.cell_w; v += p.team) {
          Gradient const g = gradient(p, picture, i + u, j + v);
          votes[bin_of(p, begin, g.cotangent) * threads + thread] += g.length;
        }
    }
    __syncthreads();  // the votes are complete
    if (busy)
      for (int bin = member; bin < p.bins; bin += p.team) {
        double const* const of_bin = votes + bin * threads + mine * p.team;
        double sum = 0;
        for (int k = 0, at = member; k < p.team; ++k, at = at + 1 < p.team ? at + 1 : 0)
          sum += of_bin[at];  // each member begins at its own column: different banks
        cells[cell * p.bins + bin] = sum * scale;
      }
    __syncthreads();  // the votes may be overwritten, and the cells read
  }
}

__device__ __forceinline__ double warp_sum(double value) {
  for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(~0u, value, distance);
  return value;
}

/// One block of cells, by a warp: its histograms, `columns` cells in a row of them, scaled into y.
template <class T> __device__ void scale_block(Plan const& p, double const* corner, int columns, T* y) {
  constexpr double eps = 1e-5, most = 0.2;
  int const lane = int(threadIdx.x) % 32, run = p.block_w * p.bins, count = p.block_h * run;
  bool const lengths = p.norm == BlockNorm::l1 || p.norm == BlockNorm::l1_sqrt;
  double sum = 0;
  for (int k = lane; k < count; k += 32) {
    double const v = corner[k / run * columns * p.bins + k % run];
    sum += lengths ? v : v * v;
  }
  sum = warp_sum(sum);
  double const scale = lengths ? 1 / (sum + eps) : 1 / std::sqrt(sum + eps * eps);
  double again = 1;
  if (p.norm == BlockNorm::l2_hys) {
    sum = 0;
    for (int k = lane; k < count; k += 32) {
      double const v = corner[k / run * columns * p.bins + k % run] * scale, cut = v > most ? most : v;
      sum += cut * cut;
    }
    again = 1 / std::sqrt(warp_sum(sum) + eps * eps);
  }
  for (int k = lane; k < count; k += 32) {
    double v = corner[k / run * columns * p.bins + k % run] * scale;
    if (p.norm == BlockNorm::l1_sqrt) v = std::sqrt(v);
    if (p.norm == BlockNorm::l2_hys) v = (v > most ? most : v) * again;
    y[k] = T(v);
  }
}

template <class T> __global__ void __launch_bounds__(most_threads, 2)
    hog_kernel(Plan const p, int64_t tiles, T const* x, T* y) {
  gpu::Smem smem;
  double* const begin = smem.take<double>(size_t(p.bins));
  double* const cells = smem.take<double>(size_t((p.tile_h + p.block_h - 1) * (p.tile_w + p.block_w - 1) * p.bins));
  double* const votes = smem.take<double>(size_t(p.bins) * blockDim.x);
  for (int i = int(threadIdx.x); i < p.bins; i += int(blockDim.x)) begin[i] = p.begin[i];
  int const warp = int(threadIdx.x) / 32, warps = int(blockDim.x) / 32;
  int64_t const block_values = int64_t(p.block_h) * p.block_w * p.bins;
  for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    int64_t const n = tile / (int64_t(p.tiles_down) * p.tiles_across);
    int const top = int(tile / p.tiles_across % p.tiles_down) * p.tile_h, left = int(tile % p.tiles_across) * p.tile_w;
    int const rows = min(p.blocks_down - top, p.tile_h), columns = min(p.blocks_across - left, p.tile_w);
    __syncthreads();  // the bounds of the bins are there, and the cells of the tile before are read
    histograms(p, x + n * p.H * p.W * p.C, top, left, rows + p.block_h - 1, columns + p.block_w - 1, begin, votes,
               cells);
    for (int b = warp; b < rows * columns; b += warps) {
      int const i = b / columns, j = b % columns, pitch = columns + p.block_w - 1;
      int64_t const place = (n * p.blocks_down + top + i) * p.blocks_across + left + j;
      scale_block(p, cells + (i * pitch + j) * p.bins, pitch, y + place * block_values);
    }
  }
}

}  // namespace oriented

/// Floor: x read once, y written once; with scikit-image's usual options y is 0.7 times as many values as x has pixels.
/// The pixels around a tile are read by its neighbours too, from L2. For up to 128 bins, and blocks whose cells fit into
/// shared memory: 12,000 bins together, fewer on cards with less of it; for pictures of up to 2^31 values.
template <class T> int hog(Hog<T> const& a) {
  if (a.bins > oriented::most_bins || a.H * a.W * a.C >= int64_t(1) << 31) return unsupported;
  oriented::Plan const p(a);
  bool const fits = p.shared_bytes() <= gpu::most_shared_bytes();
  if (!fits || p.cell_bins(p.tile_h, p.tile_w) > oriented::most_cell_bins) return unsupported;
  int64_t const tiles = a.N * p.tiles_down * p.tiles_across;
  if (tiles <= 0) return ok;
  return gpu::launch(oriented::hog_kernel<T>, gpu::blocks_for(tiles, 1, 16 * gpu::multiprocessors()),
                     dim3(unsigned(p.threads)), p.shared_bytes(), gpu::current_stream(), p, tiles, a.x, a.y);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
