// One program that holds the cpu, the emulator and CUDA: computes with each, and says so where there is no GPU.
#include <cstdio>
#include <vector>

#include "../../../src/gpu/machine.hpp"

namespace d16::kernels {
namespace emulated {
char const* square_and_sum(int64_t n, float const* x, float* y, float* total);
}
namespace cuda {
char const* square_and_sum(int64_t n, float const* x, float* y, float* total);
}
}  // namespace d16::kernels

using namespace d16;

namespace {

constexpr int64_t n = 1000;
constexpr float expected = 332833500;  // the sum of squares below 1000; float32 rounds it to 332833504
constexpr float tolerance = 32;        // one unit in the last place of a float of this size

std::vector<float> numbers() {
  std::vector<float> x;
  for (int64_t i = 0; i < n; ++i) x.push_back(float(i));
  return x;
}
bool right(char const* device, std::vector<float> const& y, float total) {
  bool ok = total - expected <= tolerance && expected - total <= tolerance;
  for (int64_t i = 0; i < n; ++i) ok = ok && y[size_t(i)] == float(i * i);
  std::printf("%s: %s\n", device, ok ? "right" : "WRONG");
  return ok;
}
bool emulated_is_right() {
  std::vector<float> const x = numbers();
  std::vector<float> y(n);
  float total = 0;
  return !kernels::emulated::square_and_sum(n, x.data(), y.data(), &total) && right("cuda_emulated", y, total);
}
bool cuda_is_right(Machine const& gpu) {
  std::vector<float> const x = numbers();
  std::vector<float> y(n);
  float total = 0;
  Device const device("cuda");
  auto* const memory = static_cast<float*>(gpu.allocate(0, (2 * n + 1) * sizeof(float)));
  gpu.copy(device, memory, {}, x.data(), n * sizeof(float));
  gpu.before(0, "square_and_sum");
  char const* const error = kernels::cuda::square_and_sum(n, memory, memory + n, memory + 2 * n);
  gpu.after(0, "square_and_sum");
  gpu.copy({}, y.data(), device, memory + n, n * sizeof(float));
  gpu.copy({}, &total, device, memory + 2 * n, sizeof(float));
  gpu.release(0, memory, (2 * n + 1) * sizeof(float));
  return !error && right("cuda", y, total);
}
/// Without a driver: a launch must not look as if it had worked.
bool cuda_complains() {
  float memory[3] = {1, 2, 3};
  char const* const error = kernels::cuda::square_and_sum(1, memory, memory + 1, memory + 2);
  std::printf("cuda: a launch %s\n", error ? error : "WENT THROUGH WITHOUT A DRIVER");
  return error && memory[1] == 2;
}

}  // namespace

int main() {
  bool ok = emulated_is_right();
  try {
    ok = cuda_is_right(cuda::machine()) && ok;
  } catch (DeviceError const& error) {
    std::printf("%s\n", error.what());
    ok = cuda_complains() && ok;
  }
  return ok && emulated_is_right() ? 0 : 1;
}
