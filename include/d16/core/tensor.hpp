// Tensor: a handle to shared, strided memory with a type, a device, a group tag and a place in the gradient graph.
#pragma once
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "../group/group.hpp"
#include "dtype.hpp"
#include "machine.hpp"
#include "parallel.hpp"
#include "random.hpp"
#include "shape.hpp"

namespace d16 {

class Tensor;
struct Node;  // autograd/tape.hpp

/// The device of new tensors: cpu until set_default_device().
inline Device& default_device_slot() {
  static Device device;
  return device;
}
inline Device default_device() { return default_device_slot(); }
inline void set_default_device(Device device) { default_device_slot() = device; }

struct TensorOptions {
  DType dtype = DType::f32;
  Device device = default_device();
  Group group = {};
};

namespace detail {

/// The memory itself. `version` counts changes in place, so that backward can tell when a saved tensor was changed.
struct Storage {
  void* data = nullptr;
  size_t bytes = 0;
  Device device = {};
  bool borrowed = false;
  std::function<void(void*)> fill = {};  ///< of memory that nobody has read yet, and that is not there yet
  std::shared_ptr<std::atomic<uint32_t>> version = std::make_shared<std::atomic<uint32_t>>(0);

  Storage(size_t size, Device where) : data(allocate_on(where, size)), bytes(size), device(where) {}
  Storage(void* memory, size_t size) : data(memory), bytes(size), borrowed(true) {}
  /// Of host memory that `later` fills when it is first read; never, when nobody does.
  Storage(size_t size, std::function<void(void*)> later) : bytes(size), fill(std::move(later)) {}
  Storage(Storage const&) = delete;
  Storage& operator=(Storage const&) = delete;
  ~Storage() {
    if (data && !borrowed) release_on(device, data, bytes);
  }
  void* memory() {
    if (!fill) return data;
    void* filled = host_arena().allocate(bytes);
    try {
      fill(filled);
    } catch (...) {  // still to be filled
      host_arena().release(filled, bytes);
      throw;
    }
    data = filled, fill = nullptr;
    return data;
  }
};

}  // namespace detail

/// N-dimensional array. Copying a Tensor copies the handle; views share memory; clone() copies the elements.
/// Ops are free functions that return new tensors. Images are (N,H,W,C), group features (N,H,W,C,G).
class Tensor {
 public:
  Tensor() = default;  ///< no tensor: defined() is false, as for an absent bias

  bool defined() const { return body_ != nullptr; }
  Shape const& shape() const { return body().shape; }
  Shape const& strides() const { return body().strides; }
  int rank() const { return shape().rank(); }
  int64_t dim(int axis) const { return shape()[axis_index(axis)]; }
  int64_t numel() const { return body().numel; }
  DType dtype() const { return body().dtype; }
  Device device() const { return body().device; }
  Group group() const { return body().group; }
  /// dtype, device and group: for a new tensor that is like this one.
  TensorOptions like() const { return {dtype(), device(), group()}; }
  bool is_contiguous() const {
    if (numel() == 0) return true;
    int64_t step = 1;
    for (int i = rank() - 1; i >= 0; --i) {
      if (shape()[i] != 1 && strides()[i] != step) return false;
      step *= shape()[i];
    }
    return true;
  }
  /// A negative axis counts from the end.
  int axis_index(int axis) const {
    int index = axis < 0 ? axis + rank() : axis;
    require<ShapeError>(index >= 0 && index < rank(), "axis ", axis, " of a tensor of shape ", shape());
    return index;
  }

  // Views and copies, differentiable; bodies in ops/views.hpp.
  Tensor slice(int axis, int64_t begin, int64_t end) const;  ///< elements begin .. end-1 of one axis
  Tensor select(int axis, int64_t index) const;              ///< one index of an axis; the axis goes
  Tensor permute(std::initializer_list<int> order) const;    ///< axis i of the result is axis order[i]
  Tensor expand(Shape shape) const;                          ///< axes of size 1 repeated; no memory
  Tensor reshape(Shape shape) const;                         ///< one size may be -1; copies only when it must
  Tensor contiguous() const;                                 ///< itself, or a row-major copy
  Tensor clone() const;
  Tensor cast(DType dtype) const;
  Tensor to(Device device) const;

  /// The same memory outside the gradient graph.
  Tensor detach() const { return view(shape(), strides(), 0); }
  /// The same memory read as features of another group: (N,H,W,C*G) <-> (N,H,W,C,G) reshapes use it. Keeps the graph.
  Tensor with_group(Group group) const;

  /// The first element; null when there is no tensor. Throws when T is not the element type.
  template <class T> T* data() const {
    if (!body_) return nullptr;
    require<DTypeError>(dtype() == dtype_of<T>(), "data<", name_of(dtype_of<T>()), ">() of a ", name_of(dtype()),
                        " tensor");
    return static_cast<T*>(raw());
  }
  /// All elements of a contiguous host tensor, in row-major order.
  template <class T> std::span<T> host() const& {
    require<DeviceError>(device().is_host(), "host() of a tensor on ", device(), "; use to(\"cpu\") first");
    require<ShapeError>(is_contiguous(), "host() of a strided view of shape ", shape(), "; use contiguous() first");
    if (device().kind == Device::Kind::cuda_emulated)
      not_in_a_captured_step("host()", "keep the tensor and read it after the step has returned");
    return {data<T>(), size_t(numel())};
  }
  template <class T> std::span<T> host() && = delete;  // the memory may die with the temporary

  /// The only element, as a double.
  double item() const {
    require<ShapeError>(numel() == 1, "item() of a tensor of shape ", shape(), ": it needs exactly one element");
    not_in_a_captured_step("item()", "keep the tensor and read it after the step has returned");
    return for_dtype(dtype(), [&]<class T>(T) {
      if (device().is_host()) return double(*data<T>());
      T value{};
      copy_bytes({}, &value, device(), data<T>(), sizeof value);
      return double(value);
    });
  }

  // Gradients; bodies in autograd/tape.hpp.
  bool requires_grad() const { return body_ && (body_->requires_grad || body_->node); }
  Tensor& set_requires_grad(bool on = true) {
    require<DTypeError>(!on || dtype() == DType::f32 || dtype() == DType::f64, "a ", name_of(dtype()),
                        " tensor has no gradient; only float32 and float64 have");
    body_->requires_grad = on;
    return *this;
  }
  Tensor grad() const { return body().grad ? Tensor(body().grad) : Tensor(); }
  void zero_grad() const { body_->grad = nullptr; }
  /// Adds d this / d leaf to the gradient of every leaf that wants one. `seed` is d loss / d this (1 for one element).
  void backward(Tensor seed = {}) const;

  /// Copies the elements of a contiguous tensor of this shape and type, on any device, into this contiguous one.
  void assign(Tensor const& from) const {
    require<ShapeError>(shape() == from.shape() && dtype() == from.dtype() && is_contiguous() && from.is_contiguous(),
                        "assign: from a ", name_of(from.dtype()), " tensor ", from.shape(), " to a ", name_of(dtype()),
                        " tensor ", shape(), "; both must be alike, and contiguous");
    for_dtype(dtype(), [&]<class T>(T) {
      copy_bytes(device(), data<T>(), from.device(), from.data<T>(), size_t(numel()) * sizeof(T));
    });
    mark_changed();
  }
  /// To be called after changing elements in place.
  void mark_changed() const {
    ++*body().storage->version;
    if (Capture* capture = Capture::active()) capture->changed.push_back(body().storage->version);
  }
  /// Counts those changes, of this memory and of all views of it.
  uint64_t version() const { return *body().storage->version; }
  /// Nobody else has this tensor or its memory.
  bool exclusive() const {
    return body_.use_count() == 1 && body().storage.use_count() == 1 && !body().storage->borrowed;
  }
  bool same_memory(Tensor const& other) const { return body().storage == other.body().storage; }

  /// A view of this memory with other sizes; `offset` in elements from the first element of this tensor.
  /// It is outside the gradient graph: the views above record themselves.
  Tensor view(Shape shape, Shape strides, int64_t offset) const {
    auto b = std::make_shared<Body>();
    b->storage = body().storage;
    b->shape = shape, b->strides = strides, b->offset = body().offset + offset, b->numel = shape.numel();
    b->dtype = dtype(), b->device = device(), b->group = group();
    return Tensor(b);
  }

  static Tensor make(Shape shape, TensorOptions o, std::shared_ptr<detail::Storage> storage) {
    auto b = std::make_shared<Body>();
    b->storage = std::move(storage);
    b->shape = shape, b->strides = shape.strides(), b->numel = shape.numel();
    b->dtype = o.dtype, b->device = o.device, b->group = o.group;
    return Tensor(b);
  }

 private:
  struct Body {
    std::shared_ptr<detail::Storage> storage;
    Shape shape, strides;
    int64_t offset = 0, numel = 0;
    DType dtype = DType::f32;
    Device device;
    Group group;
    bool requires_grad = false;
    std::shared_ptr<Body> grad;
    std::shared_ptr<Node> node;
  };
  friend struct Tape;

  explicit Tensor(std::shared_ptr<Body> b) : body_(std::move(b)) {}
  Body& body() const {
    require<ValueError>(body_ != nullptr, "an undefined tensor (Tensor{}) was used");
    return *body_;
  }
  void* raw() const { return static_cast<char*>(body_->storage->memory()) + body_->offset * size_of(body_->dtype); }

  std::shared_ptr<Body> body_;
};

/// Uninitialised elements.
inline Tensor empty(Shape shape, TensorOptions o = {}) {
  int64_t bytes = 0;
  bool too_large = __builtin_mul_overflow(shape.numel(), size_of(o.dtype), &bytes);
  require<ShapeError>(!too_large, "shape ", shape, ": more bytes than memory has");
  return Tensor::make(shape, o, std::make_shared<detail::Storage>(size_t(bytes), o.device));
}

namespace detail {
/// element(i) for every flat index of a new tensor of type T.
template <class T, class F> void generate(Tensor const& x, F const& element) {
  not_in_a_captured_step("numbers that the host makes (uniform, normal, arange, from)",
                         "make them before, or use an op with a kernel: dropout, reparameterise");
  if (!x.device().is_host()) {  // made here and sent there: the same numbers on every device
    Tensor here = empty(x.shape(), {.dtype = x.dtype(), .device = Device(), .group = {}});
    generate<T>(here, element);
    return copy_bytes(x.device(), x.data<T>(), here.device(), here.data<T>(), size_t(x.numel()) * sizeof(T));
  }
  T* out = x.data<T>();
  parallel_for(x.numel(), [&](int64_t i) { out[i] = T(element(i)); });
}
}  // namespace detail

inline Tensor full(Shape shape, double value, TensorOptions o = {}) {
  Tensor x = empty(shape, o);
  for_dtype(o.dtype, [&]<class T>(T) {
    T const element = T(value);
    auto const fill = machine_of(o.device).fill;
    if (fill) fill(o.device.index, x.data<T>(), x.numel(), &element, int(sizeof element));
    else detail::generate<T>(x, [=](int64_t) { return element; });
  });
  return x;
}
inline Tensor zeros(Shape shape, TensorOptions o = {}) {
  Tensor x = empty(shape, o);
  for_dtype(o.dtype, [&]<class T>(T) { clear_bytes(o.device, x.data<T>(), size_t(x.numel() * size_of(o.dtype))); });
  return x;
}
inline Tensor ones(Shape shape, TensorOptions o = {}) { return full(shape, 1, o); }
inline Tensor empty_like(Tensor const& x) { return empty(x.shape(), x.like()); }
inline Tensor zeros_like(Tensor const& x) { return zeros(x.shape(), x.like()); }

/// 0, 1, ..., n-1.
inline Tensor arange(int64_t n, TensorOptions o = {}) {
  Tensor x = empty({n}, o);
  for_dtype(o.dtype, [&]<class T>(T) { detail::generate<T>(x, [](int64_t i) { return double(i); }); });
  return x;
}
/// Uniform in [0, 1). Takes one draw of the default generator; element i does not depend on the number of threads.
inline Tensor uniform(Shape shape, TensorOptions o = {}) {
  Tensor x = empty(shape, o);
  auto draw = default_generator().next();
  for_float(o.dtype, [&]<class T>(T) {
    detail::generate<T>(
        x, [=](int64_t i) { return unit_interval(philox(draw.seed, uint64_t(i) / 4, draw.stream)[i % 4]); });
  });
  return x;
}
/// Standard normal. Takes one draw of the default generator; element i does not depend on the number of threads.
inline Tensor normal(Shape shape, TensorOptions o = {}) {
  Tensor x = empty(shape, o);
  auto draw = default_generator().next();
  for_float(o.dtype, [&]<class T>(T) {
    detail::generate<T>(x, [=](int64_t i) {
      auto words = philox(draw.seed, uint64_t(i) / 4, draw.stream);
      int pair = int(i % 4) & 2;
      return normal_pair(words[pair], words[pair + 1])[i % 2];
    });
  });
  return x;
}

/// Copies a vector into a new tensor.
template <class T> Tensor from(std::vector<T> const& values, Shape shape, TensorOptions o = {}) {
  require<ShapeError>(int64_t(values.size()) == shape.numel(), "from: ", values.size(), " values for shape ", shape);
  o.dtype = dtype_of<T>();
  Tensor x = empty(shape, o);
  if (o.device.is_host()) {
    std::copy(values.begin(), values.end(), x.data<T>());
  } else {
    Tensor here = from(values, shape, {.device = Device()});
    copy_bytes(o.device, x.data<T>(), here.device(), here.data<T>(), values.size() * sizeof(T));
  }
  return x;
}
/// Borrows memory of the device in the options: the caller keeps it alive and unmoved as long as the tensor and its
/// views live.
template <class T> Tensor wrap(T* memory, Shape shape, TensorOptions o = {}) {
  o.dtype = dtype_of<T>();
  return Tensor::make(shape, o, std::make_shared<detail::Storage>(memory, size_t(shape.numel()) * sizeof(T)));
}

}  // namespace d16
