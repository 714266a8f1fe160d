// The convolution kernels of the library d16::compiled, for float32 and float64.
#include <d16/compiled.hpp>

namespace d16 {
D16_CONVOLUTION_OPS(D16_COMPILED_HERE)
}
