// Lesson 1: tensors. Axes have names, views share memory, ops return new tensors, errors say what is wrong.
#include <cstdio>
#include <cstdlib>
#include <d16/d16.hpp>

using namespace d16;

/// Every lesson checks what it says.
static void check(bool condition, char const* what) {
  std::printf("  %s %s\n", condition ? "yes:" : "NO: ", what);
  if (!condition) std::exit(1);
}

int main() {
  std::printf("A batch of 2 images, 4 x 4 pixels, 3 channels, filled with 0, 1, 2, ...\n");
  Tensor x = arange(2 * 4 * 4 * 3).reshape({2, 4, 4, 3});
  std::printf("  shape %s, %s, on %s\n", x.shape().text().c_str(), name_of(x.dtype()), x.device().text().c_str());
  check(x.dim(axis::C) == 3, "the channel is the last axis: N,H,W,C");

  std::printf("A view has no memory of its own.\n");
  Tensor left = x.slice(axis::W, 0, 2);
  check(left.shape() == Shape{2, 4, 2, 3} && left.same_memory(x), "the left half of each image is a view");
  x.host<float>()[0] = 100;
  check(left.data<float>()[0] == 100, "what changes in x changes in the view");

  std::printf("Ops are functions; reductions keep their axes, so that results still fit.\n");
  Tensor brightness = mean(x, {axis::H, axis::W});
  check(brightness.shape() == Shape{2, 1, 1, 3}, "the mean over H and W is (2,1,1,3)");
  Tensor flat = x / brightness;
  check(std::abs(mean(flat).item() - 1) < 1e-6, "dividing by it broadcasts: every channel has mean 1 now");

  std::printf("Memory of one's own can be borrowed.\n");
  float pixels[6] = {1, 2, 3, 4, 5, 6};
  Tensor borrowed = wrap(pixels, {1, 2, 3, 1});
  pixels[5] = 60;
  check(sum(borrowed).item() == 75, "wrap() does not copy");

  std::printf("Errors have the numbers in them:\n");
  try {
    conv2d(x, normal({8, 5, 3, 3}));
    check(false, "that should have thrown");
  } catch (ShapeError const& error) {
    std::printf("  %s\n", error.what());
  }
}
