// Pictures that Python draws alike, and the numbers that scipy, scikit-image and astropy gave for them. They were made
// with numpy 2, scipy 1.16, scikit-image 0.26:  i, j = np.mgrid[:13, :11].astype(float)
//   a = ((i*37 + j*61 + i*j*13) % 101) / 100;  b = ((i*17 + j*29 + i*j*7) % 97) / 96 * 0.3 + 0.7 * a
#pragma once
#include <d16/core/tensor.hpp>

namespace d16::testing {

inline Tensor picture_a(TensorOptions o = {.dtype = DType::f64}) {
  Tensor x = empty({13, 11}, o);
  for_float(o.dtype, [&]<class T>(T) {
    for (int64_t i = 0; i < 13; ++i)
      for (int64_t j = 0; j < 11; ++j) x.data<T>()[i * 11 + j] = T(double((i * 37 + j * 61 + i * j * 13) % 101) / 100);
  });
  return x;
}
inline Tensor picture_b() {
  Tensor a = picture_a(), x = empty({13, 11}, {.dtype = DType::f64});
  for (int64_t i = 0; i < 13; ++i)
    for (int64_t j = 0; j < 11; ++j) {
      double own = double((i * 17 + j * 29 + i * j * 7) % 97) / 96;
      x.data<double>()[i * 11 + j] = own * 0.3 + 0.7 * a.data<double>()[i * 11 + j];
    }
  return x;
}

inline double pixel(Tensor const& x, int64_t i, int64_t j) {
  return for_float(x.dtype(), [&]<class T>(T) { return double(x.data<T>()[i * x.dim(1) + j]); });
}

}  // namespace d16::testing
