// The 3 x 3 convolution of stride one by Winograd's F(4x4,3x3): a quarter of the multiplications. Blocks of tiles go
// through all stages while they are in the cache.
#pragma once
#include <algorithm>
#include <type_traits>

#include "../conv2d.hpp"
#include "gemm.hpp"
#include "winograd_tile.hpp"

namespace d16::kernels::cpu {
namespace detail {

/// A convolution in tiles of 4 x 4 outputs, numbered through all images.
struct WinogradShape {
  int N, H, W, in, P, Q, out, up, left;  // output (p,q) sees the inputs from (p - up, q - left) on

  int tiles_y() const { return int(divide_up(P, 4)); }
  int tiles_x() const { return int(divide_up(Q, 4)); }
  int64_t tiles() const { return int64_t(N) * tiles_y() * tiles_x(); }

  /// The pixels of a tile of an image (N,height,width,channels), a square that starts at (4 ty + top, 4 tx + side);
  /// `outside` for those beyond the border.
  template <int size, class U> void locate(int64_t tile, U* image, int height, int width, int channels, int top,
                                           int side, U* outside, U** pixel) const {
    int const h = int(tile / tiles_x() % tiles_y()) * 4 + top, w = int(tile % tiles_x()) * 4 + side;
    int64_t const n = tile / tiles_x() / tiles_y();
    U* const image_n = image + n * height * width * channels;
    for (int i = 0; i < size; ++i) {
      bool const inside = unsigned(h + i) < unsigned(height);
      U* const line = image_n + int64_t(h + i) * width * channels;
      for (int j = 0; j < size; ++j)
        pixel[i * size + j] = inside && unsigned(w + j) < unsigned(width) ? line + int64_t(w + j) * channels : outside;
    }
  }
};

template <class T> WinogradShape winograd_forward(Conv2d<T> const& a) {
  return {a.N, a.H, a.W, a.Ci, a.P(), a.Q(), a.Co, a.pad_h, a.pad_w};
}
/// The gradient dx is the convolution of dy with the weights turned by half.
template <class T> WinogradShape winograd_backward(Conv2d<T> const& a) {
  return {a.N, a.P(), a.Q(), a.Co, a.H, a.W, a.Ci, 2 - a.pad_h, 2 - a.pad_w};
}

/// The convolutions that it computes.
template <class T> bool winograd_takes(Conv2d<T> const& a) {
  return std::is_same_v<T, float> && a.kh == 3 && a.kw == 3 && a.stride_h == 1 && a.stride_w == 1 &&
         a.dilation_h == 1 && a.dilation_w == 1 && a.groups == 1 && std::min(a.Ci, a.Co) >= 16;
}

/// Whether to compute a pass so: where it is faster, if the choice is free. Measured, the transforms make 36
/// multiplications a tile as dear as 48, against 9 a pixel, and those of the weights as dear as 3 `overhead` more.
template <class T> bool by_winograd(Conv2d<T> const& a, WinogradShape const& s, int overhead) {
  if (a.algorithm != Conv2dAlgorithm::automatic) return a.algorithm == Conv2dAlgorithm::winograd;
  return winograd_takes(a) && 3 * int64_t(s.N) * s.P * s.Q > 16 * s.tiles() + overhead;
}
constexpr int winograd_overhead = 600, winograd_dw_overhead = 100;

/// The size of a matrix, a whole and odd number of cache lines: the 36 points fall into different cache sets.
constexpr int64_t winograd_pitch(int64_t size) { return (divide_up(size, 16) | 1) * 16; }

/// Tiles go through the stages in multiples of this, a multiple of the rows of every product.
constexpr int winograd_rows = 12;

/// How many tiles go through the stages together: few enough for the threads and for a second-level cache. Weights that
/// fill the cache by themselves are read again for every block, so that then larger blocks pay, up to `most` bytes.
inline int winograd_block(WinogradShape const& s) {
  constexpr int64_t least = 600 << 10, most = 2400 << 10;
  int64_t const bytes = winograd_points * int64_t(sizeof(float)), out = round_up(s.out, 16);
  int64_t const budget = std::clamp(bytes * s.in * out, least, most), each = bytes * (s.in + out);
  return int(std::clamp<int64_t>(budget / each / winograd_rows, 1, divide_up(s.tiles(), 8 * winograd_rows))) *
         winograd_rows;
}

/// The convolution itself, which dx is too.
class WinogradForward {
 public:
  WinogradForward(WinogradStages<float> const& stages, WinogradShape const& shape)
      : g(stages),
        s(shape),
        width(2 * stages.lanes),
        columns(int(round_up(shape.out, stages.lanes))),
        block(winograd_block(shape)),
        weights_pitch(winograd_pitch(int64_t(s.in) * columns)),
        image_pitch(winograd_pitch(int64_t(block) * s.in)),
        product_pitch(winograd_pitch(int64_t(block) * columns)),
        scratch(winograd_points * (image_pitch + product_pitch) + round_up(s.in, 16)) {}

  size_t work_bytes() const {
    return size_t(winograd_points * weights_pitch + threads() * scratch) * sizeof(float) + cache_line;
  }

  /// Weights with element (k, n, tap) at k step_k + n step_n + tap.
  void run(float const* x, float const* w, int64_t step_k, int64_t step_n, bool flipped, float const* bias, float* y,
           void* work) const {
    float* const packed = align<float>(work);
    float* const all_scratch = packed + winograd_points * weights_pitch;
    pack(w, step_k, step_n, flipped, packed);
    parallel_chunks(s.tiles(), block, [&](int64_t begin, int64_t end) {
      FlushDenormals flush;
      float* const image = all_scratch + thread_index() * scratch;
      float* const products = image + winograd_points * image_pitch;
      transform(x, begin, end, image, products + winograd_points * product_pitch);
      multiply(int(end - begin), packed, image, products);
      finish(begin, end, products, bias, y);
    });
  }

 private:
  void pack(float const* w, int64_t step_k, int64_t step_n, bool flipped, float* packed) const {
    parallel_chunks(s.in, std::max<int64_t>(1, 4096 / columns), [&](int64_t begin, int64_t end) {
      FlushDenormals flush;
      for (int n = 0; n < columns; n += g.lanes) {
        int const panel = n / width * width, panel_width = std::min(width, columns - panel);
        for (int64_t k = begin; k < end; ++k)
          g.weights({.data = w + k * step_k + n * step_n,
                     .step_n = step_n,
                     .flipped = flipped,
                     .count = std::min(g.lanes, s.out - n),
                     .to = packed + int64_t(panel) * s.in + k * panel_width + (n - panel),
                     .point = weights_pitch});
      }
    });
  }

  void transform(float const* x, int64_t begin, int64_t end, float* image, float* zeros) const {
    std::fill(zeros, zeros + s.in, 0.0f);
    float const* pixel[36];
    for (int64_t tile = begin; tile < end; ++tile) {
      s.locate<6>(tile, x, s.H, s.W, s.in, -s.up, -s.left, static_cast<float const*>(zeros), pixel);
      g.image({pixel, s.in, image + (tile - begin) * s.in, image_pitch});
    }
  }

  void multiply(int tiles, float const* packed, float const* image, float* products) const {
    for (int point = 0; point < winograd_points; ++point)
      for (int n = 0; n < columns; n += width) {
        int const panel_width = std::min(width, columns - n);
        auto const run = g.product.run[panel_width > g.lanes];
        for (int row = 0; row < tiles; row += g.product.rows)
          run({.depth = s.in,
               .a = image + point * image_pitch + int64_t(row) * s.in,
               .step = s.in,
               .b = packed + point * weights_pitch + int64_t(n) * s.in,
               .b_step = panel_width,
               .c = products + point * product_pitch + int64_t(row) * columns + n,
               .c_step = columns,
               .accumulate = false});
      }
  }

  void finish(int64_t begin, int64_t end, float const* products, float const* bias, float* y) const {
    float* pixel[16];
    for (int64_t tile = begin; tile < end; ++tile) {
      s.locate<4>(tile, y, s.P, s.Q, s.out, 0, 0, static_cast<float*>(nullptr), pixel);
      g.result({products + (tile - begin) * columns, product_pitch, s.out, bias, pixel});
    }
  }

  WinogradStages<float> const& g;
  WinogradShape s;
  int width, columns, block;
  int64_t weights_pitch, image_pitch, product_pitch, scratch;
};

/// The gradient of the weights: for each point the sum over tiles of image^T gradient. Every task adds up some of the
/// tiles for some of the input channels, whose sums stay in the cache; the shape alone decides which.
class WinogradGradient {
 public:
  WinogradGradient(WinogradStages<float> const& stages, WinogradShape const& shape)
      : g(stages), s(shape), width(2 * stages.lanes), columns(int(round_up(shape.out, stages.lanes))) {
    constexpr int64_t cached = 1200 << 10, tasks = 16, least_tiles = 48;
    int64_t const bytes = winograd_points * int64_t(sizeof(float)), out = round_up(s.out, 16);
    int64_t const most = std::max<int64_t>(48, cached / (bytes * out));
    piece = int(round_up(divide_up(s.in, divide_up(s.in, most)), 16));
    pieces = int(divide_up(s.in, piece));
    parts = int(std::clamp<int64_t>(s.tiles() / least_tiles, 1, divide_up(tasks, pieces)));
    int64_t const tiles = divide_up(s.tiles(), parts), each = bytes * (piece + out);
    block = int(divide_up(tiles, divide_up(tiles, std::max<int64_t>(32, cached / each))));
    image_pitch = winograd_pitch(int64_t(block) * piece), gradient_pitch = winograd_pitch(int64_t(block) * columns);
    sum_pitch = winograd_pitch(int64_t(piece) * columns);
    scratch = winograd_points * (image_pitch + gradient_pitch) + round_up(std::max(s.in, s.out), 16);
  }

  size_t work_bytes() const {
    return size_t(pieces * parts * sum_size() + threads() * scratch) * sizeof(float) + cache_line;
  }

  void run(float const* x, float const* dy, float* dw, void* work) const {
    float* const sums = align<float>(work);
    float* const all_scratch = sums + pieces * parts * sum_size();
    parallel_tasks(int64_t(pieces) * parts, [&](int64_t task) {
      FlushDenormals flush;
      int64_t const part = task % parts, begin = part * s.tiles() / parts, end = (part + 1) * s.tiles() / parts;
      int const first = first_of(int(task / parts)), channels = std::min(piece, s.in - first);
      float* const image = all_scratch + thread_index() * scratch;
      float* const gradient = image + winograd_points * image_pitch;
      for (int64_t b = begin; b < end; b += block) {
        int64_t const stop = std::min(end, b + block);
        transform(x + first, channels, dy, b, stop, image, gradient);
        multiply(int(stop - b), channels, image, gradient, sums + task * sum_size(), b > begin);
      }
    });
    collect(sums, dw);
  }

 private:
  /// The first channel of a piece. The last one overlaps its neighbour: vectors need channels enough.
  int first_of(int i) const { return std::max(0, std::min(i * piece, s.in - piece)); }
  int64_t sum_size() const { return winograd_points * sum_pitch; }

  void transform(float const* x, int channels, float const* dy, int64_t begin, int64_t end, float* image,
                 float* gradient) const {
    float* const zeros = gradient + winograd_points * gradient_pitch;
    float const* const outside = zeros;
    std::fill(zeros, zeros + std::max(s.in, s.out), 0.0f);
    float const* pixel[36];
    for (int64_t t = begin; t < end; ++t) {
      s.locate<6>(t, x, s.H, s.W, s.in, -s.up, -s.left, outside, pixel);
      g.image({pixel, channels, image + (t - begin) * piece, image_pitch});
      s.locate<4>(t, dy, s.P, s.Q, s.out, 0, 0, outside, pixel);
      g.gradient({pixel, s.out, gradient + (t - begin) * columns, gradient_pitch});
    }
  }

  void multiply(int tiles, int channels, float const* image, float const* gradient, float* sums,
                bool accumulate) const {
    for (int point = 0; point < winograd_points; ++point)
      for (int n = 0; n < columns; n += width) {
        auto const run = g.across.run[columns - n > g.lanes];
        for (int row = 0; row < channels; row += g.across.rows)
          run({.depth = tiles,
               .a = image + point * image_pitch + row,
               .step = piece,
               .b = gradient + point * gradient_pitch + n,
               .b_step = columns,
               .c = sums + point * sum_pitch + int64_t(row) * columns + n,
               .c_step = columns,
               .accumulate = accumulate});
      }
  }

  void collect(float const* sums, float* dw) const {
    parallel_chunks(s.in, std::max<int64_t>(1, 1024 / columns), [&](int64_t begin, int64_t end) {
      FlushDenormals flush;
      for (int64_t c = begin; c < end; ++c)
        for (int n = 0; n < s.out; n += g.lanes)
          g.collect({.from = sums + c / piece * parts * sum_size() + (c - first_of(int(c / piece))) * columns + n,
                     .point = sum_pitch,
                     .part = sum_size(),
                     .parts = parts,
                     .count = std::min(g.lanes, s.out - n),
                     .dw = dw + (int64_t(n) * s.in + c) * 9,
                     .step_n = int64_t(s.in) * 9});
    });
  }

  WinogradStages<float> const& g;
  WinogradShape s;
  int width, columns, pieces, piece, block, parts;  // of input channels; of tiles
  int64_t image_pitch, gradient_pitch, sum_pitch, scratch;
};

}  // namespace detail
}  // namespace d16::kernels::cpu
