// Without cuBLAS: says so.
#include <stdexcept>

#include "comparators.hpp"

namespace d16::bench {

Comparator cublas_product(int, int, int, bool, Number) { throw std::runtime_error("skipped: built without cuBLAS"); }
std::string cublas_version() { return "none"; }

}  // namespace d16::bench
