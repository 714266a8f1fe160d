// cuDNN's convolutions as comparators.
#include <cudnn.h>

#include <memory>
#include <stdexcept>

#include "comparators.hpp"
#include "machine.hpp"

namespace d16::bench {

namespace {

void check(cudnnStatus_t status, char const* what) {
  if (status != CUDNN_STATUS_SUCCESS)
    throw std::runtime_error(std::string("cuDNN, ") + what + ": " + cudnnGetErrorString(status));
}

cudnnHandle_t handle() {
  static cudnnHandle_t const made = [] {
    cudnnHandle_t h;
    check(cudnnCreate(&h), "its handle");
    check(cudnnSetStream(h, static_cast<cudaStream_t>(machine_stream())), "its stream");
    return h;
  }();
  return made;
}

/// Descriptors, the algorithm and its workspace; kept by the call that uses them.
struct Convolution {
  cudnnTensorDescriptor_t x, y;
  cudnnFilterDescriptor_t w;
  cudnnConvolutionDescriptor_t conv;
  void* work = nullptr;
  size_t work_bytes = 0;
  int algorithm = 0;

  Convolution(ConvShape const& s, Number number) {
    check(cudnnCreateTensorDescriptor(&x), "a descriptor");
    check(cudnnCreateTensorDescriptor(&y), "a descriptor");
    check(cudnnCreateFilterDescriptor(&w), "a descriptor");
    check(cudnnCreateConvolutionDescriptor(&conv), "a descriptor");
    cudnnDataType_t const type = number == Number::bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
    check(cudnnSetTensor4dDescriptor(x, CUDNN_TENSOR_NHWC, type, s.N, s.Ci, s.size, s.size), "x");
    check(cudnnSetTensor4dDescriptor(y, CUDNN_TENSOR_NHWC, type, s.N, s.Co, s.out(), s.out()), "y");
    check(cudnnSetFilter4dDescriptor(w, type, CUDNN_TENSOR_NHWC, s.Co, s.Ci, s.k, s.k), "w");
    check(cudnnSetConvolution2dDescriptor(conv, s.k / 2, s.k / 2, s.stride, s.stride, 1, 1, CUDNN_CROSS_CORRELATION,
                                          CUDNN_DATA_FLOAT),
          "the convolution");
    set_math(number == Number::float32 ? CUDNN_FMA_MATH : CUDNN_TENSOR_OP_MATH);
  }
  ~Convolution() {
    release(work);
    cudnnDestroyConvolutionDescriptor(conv);
    cudnnDestroyFilterDescriptor(w);
    cudnnDestroyTensorDescriptor(y);
    cudnnDestroyTensorDescriptor(x);
  }
  Convolution(Convolution const&) = delete;
  Convolution& operator=(Convolution const&) = delete;

  void set_math(cudnnMathType_t math) { check(cudnnSetConvolutionMathType(conv, math), "the math type"); }

  /// The fastest of those that ran; cuDNN sorts them. Returns what is printed about it.
  template <class Found> std::string take(Found const& found, int count) {
    if (count == 0 || found[0].status != CUDNN_STATUS_SUCCESS)
      throw std::runtime_error("cuDNN has no algorithm for this convolution");
    algorithm = int(found[0].algo), work_bytes = found[0].memory;
    set_math(found[0].mathType);
    work = allocate(work_bytes);
    return "algorithm " + std::to_string(algorithm) + " of " + std::to_string(count) + ", workspace " +
           std::to_string(work_bytes >> 20) + " MiB";
  }
};

constexpr int most = 16;  // algorithms
constexpr float one = 1, zero = 0;

Comparator forward(std::shared_ptr<Convolution> const& c) {
  cudnnConvolutionFwdAlgoPerf_t found[most];
  int count = 0;
  check(cudnnFindConvolutionForwardAlgorithm(handle(), c->x, c->w, c->conv, c->y, most, &count, found), "a search");
  std::string const about = c->take(found, count);
  return {
      [c](void const* x, void const* w, void* y) {
        check(cudnnConvolutionForward(handle(), &one, c->x, x, c->w, w, c->conv,
                                      cudnnConvolutionFwdAlgo_t(c->algorithm), c->work, c->work_bytes, &zero, c->y, y),
              "forward");
      },
      about};
}
Comparator data_gradient(std::shared_ptr<Convolution> const& c) {
  cudnnConvolutionBwdDataAlgoPerf_t found[most];
  int count = 0;
  check(cudnnFindConvolutionBackwardDataAlgorithm(handle(), c->w, c->y, c->conv, c->x, most, &count, found),
        "a search");
  std::string const about = c->take(found, count);
  return {[c](void const* dy, void const* w, void* dx) {
            check(cudnnConvolutionBackwardData(handle(), &one, c->w, w, c->y, dy, c->conv,
                                               cudnnConvolutionBwdDataAlgo_t(c->algorithm), c->work, c->work_bytes,
                                               &zero, c->x, dx),
                  "the data gradient");
          },
          about};
}
Comparator weight_gradient(std::shared_ptr<Convolution> const& c) {
  cudnnConvolutionBwdFilterAlgoPerf_t found[most];
  int count = 0;
  check(cudnnFindConvolutionBackwardFilterAlgorithm(handle(), c->x, c->y, c->conv, c->w, most, &count, found),
        "a search");
  std::string const about = c->take(found, count);
  return {[c](void const* x, void const* dy, void* dw) {
            check(cudnnConvolutionBackwardFilter(handle(), &one, c->x, x, c->y, dy, c->conv,
                                                 cudnnConvolutionBwdFilterAlgo_t(c->algorithm), c->work, c->work_bytes,
                                                 &zero, c->w, dw),
                  "the weight gradient");
          },
          about};
}

}  // namespace

Comparator cudnn_convolution(ConvShape const& shape, Pass pass, Number number) {
  auto const c = std::make_shared<Convolution>(shape, number);
  if (pass == Pass::forward) return forward(c);
  return pass == Pass::data_gradient ? data_gradient(c) : weight_gradient(c);
}

std::string cudnn_version() {
  size_t const v = cudnnGetVersion();
  return std::to_string(v / 10000) + "." + std::to_string(v / 100 % 100) + "." + std::to_string(v % 100);
}

}  // namespace d16::bench
