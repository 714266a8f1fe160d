// Without cuDNN: says so.
#include <stdexcept>

#include "comparators.hpp"

namespace d16::bench {

Comparator cudnn_convolution(ConvShape const&, Pass, Number) {
  throw std::runtime_error("skipped: built without cuDNN");
}
std::string cudnn_version() { return "none"; }

}  // namespace d16::bench
