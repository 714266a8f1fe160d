// The dense kernels of the library d16::compiled, for float32 and float64.
#include <d16/compiled.hpp>

namespace d16 {
D16_DENSE_OPS(D16_COMPILED_HERE)
namespace optim {
D16_OPTIMISER_OPS(D16_COMPILED_HERE)
}
}  // namespace d16
