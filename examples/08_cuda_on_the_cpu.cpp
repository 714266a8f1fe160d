// Lesson 8: a CUDA kernel without a GPU. The emulator runs it, shows its threads to a debugger, and finds its bugs.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <d16/kernels/cuda/gpu.hpp>

using namespace d16::kernels;

static void check(bool condition, char const* what) {
  std::printf("  %s %s\n", condition ? "yes:" : "NO: ", what);
  if (!condition) std::exit(1);
}

constexpr int threads = 64;

/// What every CUDA course begins with: the threads of a block add up its numbers, half of them at a time.
/// To watch it:  gdb build/bin/lessons/08_cuda_on_the_cpu
///               break block_sum if threadIdx.x == 5 && blockIdx.x == 1
__global__ void block_sum(float const* x, float* sums, bool with_barriers) {
  gpu::Smem smem;
  float* const part = smem.take<float>(threads);
  int const t = int(threadIdx.x);
  part[t] = x[blockIdx.x * threads + threadIdx.x];
  for (int half = threads / 2; half > 0; half /= 2) {
    if (with_barriers) __syncthreads();  // part[t + half] was written by another thread
    if (t < half) part[t] += part[t + half];
  }
  if (t == 0) sums[blockIdx.x] = part[0];
}

/// A mistake of the second week: only some threads reach the barrier.
__global__ void barrier_for_some(float* x) {
  if (threadIdx.x < 10) __syncthreads();
  else x[threadIdx.x] = 1;
  __syncthreads();
}

int main() {
  constexpr int blocks = 3;
  std::vector<float> x(blocks * threads), sums(blocks);
  for (size_t i = 0; i < x.size(); ++i) x[i] = float(i);
  size_t const shared = gpu::Smem::bytes<float>(threads);
  auto right = [&](bool with_barriers) {
    gpu::launch(block_sum, dim3(blocks), dim3(threads), shared, gpu::current_stream(), x.data(), sums.data(),
                with_barriers);
    bool all = true;
    for (int b = 0; b < blocks; ++b) all = all && sums[size_t(b)] == float(threads * b * threads + 32 * 63);
    return all;
  };

  std::printf("The same source compiles with nvcc; here each CUDA thread is a fiber of this process.\n");
  check(right(true), "the sums of three blocks are right");

  std::printf("A kernel must not depend on the order of its threads. Without barriers this one does.\n");
  using Order = emulator::Settings::Order;
  emulator::settings().order = Order::forward;
  check(!right(false), "threads from the first to the last: it is wrong");
  emulator::settings().order = Order::reverse;
  check(right(false), "from the last to the first: right by luck, and nobody would have known");
  for (Order order : {Order::forward, Order::reverse, Order::random}) {
    emulator::settings().order = order;
    check(right(true), "with barriers it is right in every order");
  }
  emulator::settings().order = Order::forward;

  std::printf("What no GPU allows ends the launch, and the message says where each thread was.\n");
  std::string message;
  try {
    gpu::launch(barrier_for_some, dim3(1), dim3(threads), 0, gpu::current_stream(), x.data());
  } catch (d16::DeviceError const& error) {
    message = error.what();
  }
  check(message.find("divergent __syncthreads") != message.npos, "a barrier that only some threads reach is found");
  check(message.find("threads 0..9: in __syncthreads") != message.npos, "threads 0 to 9 wait at it");
}
