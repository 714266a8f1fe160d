// Strided copy and conversion: both kernels against plain loops for every element size, on nests that copy rows, tiles
// and single elements; conversions at the edges of each type.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <d16/core/random.hpp>
#include <d16/kernels/cpu/cast.hpp>
#include <d16/kernels/cpu/copy.hpp>
#include <d16/kernels/reference/cast.hpp>
#include <d16/kernels/reference/copy.hpp>

using namespace d16;
using namespace d16::kernels;

namespace {

struct Axis {
  int64_t size, y_stride, x_stride;
};

/// The copy written down once more, without a nest.
void copy_plainly(std::vector<Axis> const& axes, size_t bytes, unsigned char* y, unsigned char const* x,
                  size_t axis = 0) {
  if (axis == axes.size()) {
    std::memcpy(y, x, bytes);
    return;
  }
  for (int64_t i = 0; i < axes[axis].size; ++i)
    copy_plainly(axes, bytes, y + i * axes[axis].y_stride * int64_t(bytes),
                 x + i * axes[axis].x_stride * int64_t(bytes), axis + 1);
}

/// Both kernels from the same random bytes into arrays of the same filling.
void compare(std::vector<Axis> const& axes, int element_bytes) {
  int64_t x_size = 1, y_size = 1;
  Copy a;
  a.element_bytes = element_bytes;
  for (Axis axis : axes) {
    a.nest.push(axis.size, {axis.y_stride, axis.x_stride});
    x_size += (axis.size - 1) * axis.x_stride, y_size += (axis.size - 1) * axis.y_stride;
  }
  Random random(3);
  std::vector<unsigned char> x(size_t(x_size * element_bytes)), y(size_t(y_size * element_bytes), 7), z = y,
                                                                                                      expected = y;
  for (auto& byte : x) byte = static_cast<unsigned char>(random.next());
  copy_plainly(axes, size_t(element_bytes), expected.data(), x.data());
  a.x = x.data(), a.y = y.data();
  CHECK(cpu::copy(a) == ok);
  CHECK(y == expected);
  a.y = z.data();
  CHECK(reference::copy(a) == ok);
  CHECK(z == expected);
}

}  // namespace

TEST_CASE("copy: rows, tiles, repetitions and gaps") {
  for (int bytes : {1, 2, 4, 8}) {
    CAPTURE(bytes);
    compare({{1, 1, 1}}, bytes);
    compare({{40009, 1, 1}}, bytes);                              // one row in several pieces
    compare({{40009, 1, 3}}, bytes);                              // gathered
    compare({{40009, 2, 0}}, bytes);                              // repeated, scattered
    compare({{37, 11, 0}, {11, 1, 1}}, bytes);                    // rows repeated
    compare({{37, 11, 1}, {11, 1, 0}}, bytes);                    // elements repeated
    compare({{67, 35, 1}, {35, 1, 67}}, bytes);                   // transposed, tiles and edges
    compare({{131, 5, 1}, {5, 1, 131}}, bytes);                   // transposed into short rows
    compare({{3, 4099, 1}, {4099, 1, 3}}, bytes);                 // transposed from short rows
    compare({{2, 1155, 1155}, {33, 35, 1}, {35, 1, 33}}, bytes);  // a batch of transposed
    compare({{3, 200, 5}, {5, 40, 1}, {7, 5, 90}, {4, 1, 15}}, bytes);
    compare({{3, 1, 1}, {17, 3, 5}}, bytes);  // y strided
    compare({{5, 9, 11}, {7, 1, 1}}, bytes);  // rows with gaps on both sides
    compare({{3, 0, 0}, {0, 1, 1}}, bytes);   // nothing
  }
  Copy odd;
  odd.element_bytes = 3;
  CHECK(cpu::copy(odd) == unsupported);
}

TEST_CASE("cast: fast against reference, between all types") {
  // numbers that round, saturate, and vanish
  std::vector<double> numbers{0,          -0.0,       1,
                              -1,         0.5,        -0.5,
                              2.7,        -2.7,       254.9,
                              255,        256,        300,
                              1e10,       -1e10,      1e30,
                              -1e30,      1e300,      INFINITY,
                              -INFINITY,  NAN,        3.14159265358979,
                              1.00390625, 1.01171875, 9007199254740993.0};
  int64_t n = 33001;  // several blocks
  for (DType from : {DType::f32, DType::f64, DType::bf16, DType::i64, DType::u8, DType::boolean})
    for (DType to : {DType::f32, DType::f64, DType::bf16, DType::i64, DType::u8, DType::boolean}) {
      CAPTURE(name_of(from));
      CAPTURE(name_of(to));
      std::vector<char> x(size_t(n * size_of(from))), y(size_t(n * size_of(to))), expected = y;
      for_dtype(from, [&]<class T>(T) {
        for (int64_t i = 0; i < n; ++i) {
          T value = reference::converted<T>(numbers[size_t(i) % numbers.size()]);
          std::memcpy(x.data() + i * int64_t(sizeof value), &value, sizeof value);
        }
      });
      Cast a;
      a.n = n, a.from = from, a.to = to, a.x = x.data(), a.y = y.data();
      CHECK(cpu::cast(a) == ok);
      a.y = expected.data();
      CHECK(reference::cast(a) == ok);
      CHECK(y == expected);
    }
}

TEST_CASE("cast: known values") {
  CHECK(reference::converted<int64_t>(-2.7) == -2);
  CHECK(reference::converted<int64_t>(1e30) == std::numeric_limits<int64_t>::max());
  CHECK(reference::converted<int64_t>(NAN) == 0);
  CHECK(reference::converted<uint8_t>(-1) == 0);
  CHECK(reference::converted<uint8_t>(255.9) == 255);
  CHECK(reference::converted<bool>(-0.5) == true);
  CHECK(float(reference::converted<bf16>(1.00390625)) == 1);          // a tie, to the even neighbour below
  CHECK(float(reference::converted<bf16>(1.01171875)) == 1.015625f);  // a tie, to the even neighbour above
}
