// The devices cuda and cuda_emulated as programs see them: tensors, pointwise kernels, memory, profile, errors.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <d16/core/profile.hpp>
#include <d16/cuda/stream_arenas.hpp>
#include <d16/cuda/use.hpp>
#include <d16/ops/arithmetic.hpp>
#include <d16/ops/reduce.hpp>
#include <d16/ops/softmax.hpp>
#include <d16/ops/unary.hpp>

using namespace d16;

namespace {

constexpr double epsilon32 = std::numeric_limits<float>::epsilon();

/// The devices that this machine has besides the cpu.
std::vector<Device> gpu_devices() {
  std::vector<Device> devices{"cuda_emulated"};
  use_cuda_emulated();
  try {
    use_cuda();
    devices.push_back("cuda");
  } catch (DeviceError const& error) {
    static bool told = false;
    if (!std::exchange(told, true)) MESSAGE("skipped: ", std::string(error.what()));
  }
  return devices;
}

std::vector<double> values_of(Tensor const& x) {
  Tensor const wide = x.detach().to("cpu").cast(DType::f64).contiguous();
  auto const span = wide.host<double>();
  return {span.begin(), span.end()};
}

/// The largest difference, NaN against NaN being none, in units of the largest finite magnitude.
double difference(Tensor const& got, Tensor const& expected) {
  REQUIRE(got.shape() == expected.shape());
  std::vector<double> const a = values_of(got), b = values_of(expected);
  double most = 0, magnitude = 1e-30;
  for (double value : b)
    if (std::isfinite(value)) magnitude = std::max(magnitude, std::abs(value));
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    most = std::isfinite(a[i] - b[i]) ? std::max(most, std::abs(a[i] - b[i])) : INFINITY;
  }
  return most / magnitude;
}

template <class E, class F> std::string message_of(F const& f) {
  try {
    f();
  } catch (E const& error) {
    return error.what();
  }
  return "";
}
bool has(std::string const& text, std::string const& part) { return text.find(part) != text.npos; }

/// A system that has `left` bytes and remembers what is out.
struct Bank {
  size_t left = size_t(64) << 20;
  std::map<void*, size_t> out;
};
struct BankMemory {
  Bank* bank;
  void* allocate(size_t bytes) {
    if (bytes > bank->left) return nullptr;
    void* const block = std::aligned_alloc(64, bytes);
    bank->left -= bytes;
    bank->out[block] = bytes;
    return block;
  }
  void release(void* block) noexcept {
    bank->left += bank->out[block];
    bank->out.erase(block);
    std::free(block);
  }
  std::string name() const { return "bank"; }
  std::string left() const { return text(", ", double(bank->left) / (1 << 20), " MiB free"); }
};

}  // namespace

TEST_CASE("runtime: the functions of one variable and their gradients") {
  std::vector<float> numbers{-INFINITY, -90, -3.5f, -1, -1e-3f, -0.0f, 0, 1e-3f, 0.5f, 1, 2.25f, 88, INFINITY, NAN};
  for (int i = 0; i < 1000; ++i) numbers.push_back(float(i - 500) / 97);
  Tensor const x = from(numbers, {int64_t(numbers.size())});
  using Function = Tensor (*)(Tensor);
  Function const functions[] = {relu,      [](Tensor t) { return elu(t, 0.7); },
                                sigmoid,   silu,
                                d16::tanh, softplus,
                                d16::exp,  d16::log,
                                d16::sqrt, square,
                                d16::abs,  d16::asinh,
                                neg,       [](Tensor t) { return clamp(t, -1, 0.25); }};
  for (Device device : gpu_devices())
    for (DType dtype : {DType::f32, DType::f64})
      for (size_t k = 0; k < std::size(functions); ++k) {
        INFO(device.text(), ", ", name_of(dtype), ", function ", k);
        Tensor there = x.cast(dtype).to(device).set_requires_grad(), here = x.cast(dtype).to("reference");
        here.set_requires_grad();
        Tensor const y = functions[k](there), expected = functions[k](here);
        CHECK(y.device() == device);
        // Each value is a few roundings of numbers no larger than the largest one.
        double const bound = 8 * (dtype == DType::f32 ? epsilon32 : std::numeric_limits<double>::epsilon());
        CHECK(difference(y, expected) <= bound);
        y.backward(ones(y.shape(), y.like()));
        expected.backward(ones(expected.shape(), expected.like()));
        CHECK(difference(there.grad(), here.grad()) <= bound);
      }
}

TEST_CASE("runtime: arithmetic with broadcasting, scalars and views") {
  manual_seed(16);
  Tensor const a = normal({3, 5, 7}), b = normal({5, 1}), c = normal({7, 3, 5}).permute({1, 2, 0});
  for (Device device : gpu_devices()) {
    INFO(device.text());
    Tensor const x = a.to(device), y = b.to(device), z = normal({1}).to(device);
    auto same = [](Tensor const& got, Tensor const& expected) { CHECK(difference(got, expected) <= 2 * epsilon32); };
    same(x + y, a + b);
    same(x - c.to(device), a - c);
    same(x * y * 3.0, a * b * 3.0);
    same(1.0 / (y * y + 1.0), 1.0 / (b * b + 1.0));
    same(maximum(x, y), maximum(a, b));
    same(minimum(x, y), minimum(a, b));
    same(x.permute({2, 0, 1}).contiguous(), a.permute({2, 0, 1}));
    same(x.slice(1, 1, 4).select(2, 3).contiguous(), a.slice(1, 1, 4).select(2, 3));
    CHECK(z.item() == z.to("cpu").item());
    Tensor u = x.clone().set_requires_grad(), v = a.clone().set_requires_grad();
    (u * y).slice(0, 1, 2).backward(ones({1, 5, 7}, u.like()));
    (v * b).slice(0, 1, 2).backward(ones({1, 5, 7}, v.like()));
    same(u.grad(), v.grad());
  }
}

TEST_CASE("runtime: new tensors hold the same numbers on every device") {
  for (Device device : gpu_devices()) {
    INFO(device.text());
    auto both = [&](auto make) {
      manual_seed(5);
      Tensor const there = make(TensorOptions{.device = device});
      manual_seed(5);
      CHECK(difference(there, make(TensorOptions{.device = "cpu"})) == 0);
      CHECK(there.device() == device);
    };
    both([](TensorOptions o) { return uniform({3, 7}, o); });
    both([](TensorOptions o) { return normal({3, 7}, o); });
    both([](TensorOptions o) { return full({5}, 2.5, o); });
    both([](TensorOptions o) { return zeros({5}, o); });
    both([](TensorOptions o) { return arange(9, o); });
    both([](TensorOptions o) { return from(std::vector<int64_t>{3, 1, 2}, {3}, o); });
    both([](TensorOptions o) { return from(std::vector<bool>{true, false}, {2}, o); });
  }
}

TEST_CASE("runtime: every conversion of element types") {
  std::vector<double> const numbers{-1e300, -1e10, -129.5, -1.5, -0.0, 0.3, 1.0 + 0x1p-9, 255.7, 256, 3e38, NAN};
  Tensor const wide = from(numbers, {int64_t(numbers.size())});
  constexpr DType all[] = {DType::f32, DType::f64, DType::bf16, DType::i64, DType::u8, DType::boolean};
  for (Device device : gpu_devices())
    for (DType first : all)
      for (DType second : all) {
        INFO(device.text(), ": ", name_of(first), " to ", name_of(second));
        Tensor const expected = wide.to("reference").cast(first).cast(second);
        CHECK(difference(wide.to(device).cast(first).cast(second), expected) == 0);
      }
}

TEST_CASE("runtime: sums and maxima over any axes") {
  manual_seed(3);
  for (Device device : gpu_devices())
    for (Shape shape : {Shape{1, 1, 1}, Shape{3, 5, 40}, Shape{2, 9000, 3}, Shape{700, 37, 2}, Shape{1, 20011, 1}})
      for (int axis : {0, 1, 2}) {
        INFO(device.text(), ": ", shape.text(), ", axis ", axis);
        Tensor const x = normal(shape), there = x.to(device).set_requires_grad();
        Tensor const reference = x.to("reference").set_requires_grad();
        // Sums are made in double: only the result is rounded, in units of the largest sum of all.
        CHECK(difference(sum(there, {axis}), sum(reference, {axis})) <= epsilon32);
        Tensor const y = d16::max(there, {axis}), z = d16::max(reference, {axis});
        CHECK(difference(y, z) == 0);
        y.backward(ones(y.shape(), y.like()));
        z.backward(ones(z.shape(), z.like()));
        CHECK(difference(there.grad(), reference.grad()) == 0);
        CHECK(difference(sum(there), sum(reference)) <= 2 * epsilon32 * std::sqrt(double(x.numel())));
      }
}

TEST_CASE("runtime: softmax, its logarithm and their gradients") {
  manual_seed(11);
  for (Device device : gpu_devices())
    for (int axis : {0, 1, 2})
      for (bool log : {false, true}) {
        INFO(device.text(), ", axis ", axis, ", log ", log);
        Tensor const numbers = normal({5, 3, 7}) * 20.0, dy = normal({5, 3, 7});
        Tensor x = numbers.to(device).set_requires_grad(), z = numbers.to("reference").set_requires_grad();
        Tensor const y = log ? log_softmax(x, axis) : softmax(x, axis);
        Tensor const expected = log ? log_softmax(z, axis) : softmax(z, axis);
        // Differences of numbers up to 80 in an exponent, then at most 7 terms: 80 + 7 roundings.
        CHECK(difference(y, expected) <= 87 * epsilon32);
        y.backward(dy.to(device)), expected.backward(dy.to("reference"));
        CHECK(difference(x.grad(), z.grad()) <= 87 * 7 * epsilon32);
      }
}

TEST_CASE("runtime: an op without a kernel says so") {
  struct Nothing {};
  for (Device device : gpu_devices()) {
    Slot<Nothing> const slot{"nothing", {}, {}, {}, {}};
    auto const ask = [&] { run(slot, device, Nothing{}); };
    CHECK(has(message_of<NoKernelError>(ask), "nothing: no kernel for " + device.text()));
    CHECK(has(message_of<NoKernelError>(ask), "to(\"cpu\")"));
  }
}

TEST_CASE("runtime: a profile counts kernels, and none when it has ended") {
  gpu_devices();
  Tensor const x = ones({300, 300}), there = x.to("cuda_emulated");
  std::vector<Profile::Row> rows;
  {
    Profile profile;
    CHECK_THROWS_AS(Profile(), ValueError);
    for (int i = 0; i < 3; ++i) relu(x);
    sum(there, {0, 1});
    rows = profile.rows();
    CHECK(has(profile.table(), "cuda_emulated"));
    CHECK(has(profile.table(), "scratch MiB"));
  }
  relu(x);
  REQUIRE(rows.size() == 2);
  for (Profile::Row const& row : rows) {
    CHECK(row.milliseconds > 0);
    CHECK(row.calls == (row.op == "unary" ? 3 : 1));
    CHECK((row.op == "unary" || row.op == "sum"));
    if (row.op == "sum") CHECK(row.scratch_bytes == 300 * 300 / 4096 * sizeof(double));
    CHECK(row.device == (row.op == "unary" ? "cpu" : "cuda_emulated"));
  }
}

TEST_CASE("stream arenas: a stream gets its own blocks back at once, another stream's are waited for") {
  Bank bank;
  std::vector<std::pair<int, int>> waits;
  auto const order = [&](int from, int to) noexcept { waits.push_back({from, to}); };
  cuda::StreamArenas<BankMemory, int, decltype(order)> arenas(BankMemory{&bank}, order);

  void* const a = arenas.allocate(1, 3000);
  arenas.release(1, a, 3000);
  CHECK(arenas.allocate(1, 3000) == a);
  CHECK(waits.empty());
  void* const b = arenas.allocate(2, 3000);
  CHECK(b != a);  // what stream 1 gave back would not be free for stream 2
  arenas.release(2, a, 3000);
  REQUIRE(waits.size() == 1);
  CHECK(waits[0] == std::pair(2, 1));  // stream 1 waits for stream 2
  CHECK(arenas.allocate(1, 3000) == a);
  CHECK(arenas.use().used == 2 * HostArena::rounded(3000));
  CHECK(arenas.use().requests == 2);
  arenas.release(1, a, 3000);
  arenas.release(2, b, 3000);
  arenas.trim();
  CHECK(bank.out.empty());
}

TEST_CASE("stream arenas: what other streams have cached is given back before memory is short") {
  Bank bank;
  auto const order = [](int, int) noexcept {};
  cuda::StreamArenas<BankMemory, int, decltype(order)> arenas(BankMemory{&bank}, order);
  size_t const most = size_t(48) << 20;
  void* const a = arenas.allocate(1, most);
  auto const ask = [&] { arenas.allocate(2, most); };
  std::string const message = message_of<OutOfMemory>(ask);
  CHECK(has(message, "bank: 48 MiB asked"));
  CHECK(has(message, "16 MiB free"));
  arenas.release(1, a, most);
  void* const b = arenas.allocate(2, most);  // after an error all goes on
  CHECK(arenas.use().used == most);
  arenas.release(2, b, most);
}

TEST_CASE("stream arenas: the memory of a stream that is held is given to no other, and not to the system") {
  Bank bank;
  auto const order = [](int, int) noexcept {};
  cuda::StreamArenas<BankMemory, int, decltype(order)> arenas(BankMemory{&bank}, order);
  size_t const most = size_t(48) << 20;
  void* const a = arenas.allocate(1, most);
  arenas.release(1, a, most);
  arenas.hold(1, true);
  CHECK_THROWS_AS(arenas.allocate(2, most), OutOfMemory);
  arenas.trim();
  CHECK(bank.out.count(a) == 1);
  CHECK(arenas.allocate(1, most) == a);
  arenas.release(1, a, most);
  arenas.hold(1, false);
  void* const b = arenas.allocate(2, most);
  CHECK(bank.out.size() == 1);
  arenas.release(2, b, most);
}
