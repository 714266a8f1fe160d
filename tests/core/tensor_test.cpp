// Tensor: shapes, types, memory, views, group tags and the messages of its errors.
#include <doctest/doctest.h>
#include <d16/core/tensor.hpp>
#include <d16/ops/views.hpp>

#include <string>

using namespace d16;

namespace {
template <class E, class F> std::string message_of(F f) {
  try {
    f();
  } catch (E const& error) {
    return error.what();
  }
  return "nothing was thrown";
}
}  // namespace

TEST_CASE("shapes name their axes and refuse overflow") {
  CHECK(Shape{8, 64, 64, 12, 16}.text() == "(N=8,H=64,W=64,C=12,G=16)");
  CHECK(Shape{3, 5}.text() == "(3,5)");
  CHECK(Shape{}.numel() == 1);
  CHECK(Shape{4, 0, 7}.numel() == 0);
  int64_t huge = int64_t(1) << 40;
  CHECK_THROWS_AS((Shape{huge, huge}.numel()), ShapeError);
  CHECK_THROWS_AS((Shape{-1}.numel()), ShapeError);
  CHECK_THROWS_AS(empty({int64_t(1) << 62}), ShapeError);  // elements fit, bytes do not
  CHECK_THROWS_AS((Shape{1, 1, 1, 1, 1, 1, 1, 1, 1}), ShapeError);
}

TEST_CASE("an empty shape with huge axes is no overflow") {
  int64_t huge = int64_t(1) << 62;
  Shape s{0, huge, huge};
  CHECK(s.numel() == 0);
  CHECK(s.strides()[2] == 1);
  CHECK(zeros({0, 3}).is_contiguous());
  CHECK(zeros({0, 4, 5}).permute({2, 1, 0}).is_contiguous());
}

TEST_CASE("memory that could not be filled is still to be filled") {
  int tries = 0;
  auto storage = std::make_shared<detail::Storage>(sizeof(float), [&](void* memory) {
    require<OutOfMemory>(++tries > 1, "no scratch");
    *static_cast<float*>(memory) = 5;
  });
  Tensor x = Tensor::make({1}, {}, storage);
  size_t before = host_arena().use().used;
  CHECK_THROWS_AS(x.item(), OutOfMemory);
  CHECK(host_arena().use().used == before);
  CHECK(x.item() == 5);
  CHECK(x.item() == 5);
  CHECK(tries == 2);
}

TEST_CASE("factories") {
  CHECK(zeros({2, 3}).dtype() == DType::f32);
  Tensor a = arange(5, {.dtype = DType::i64});
  CHECK(a.host<int64_t>()[4] == 4);
  Tensor f = full({3}, 2.5, {.dtype = DType::f64});
  CHECK(f.host<double>()[2] == 2.5);
  Tensor v = from(std::vector<float>{1, 2, 3, 4}, {2, 2});
  CHECK(v.host<float>()[3] == 4);
  CHECK_THROWS_AS(from(std::vector<float>{1, 2, 3}, {2, 2}), ShapeError);
  CHECK(full({1}, 7).item() == 7);
  CHECK_THROWS_AS(v.item(), ShapeError);
}

TEST_CASE("wrap borrows, clone copies") {
  float pixels[4] = {1, 2, 3, 4};
  Tensor borrowed = wrap(pixels, {2, 2}), copy = borrowed.clone();
  pixels[0] = 9;
  CHECK(borrowed.host<float>()[0] == 9);
  CHECK(copy.host<float>()[0] == 1);
  CHECK(copy.exclusive());
  CHECK_FALSE(borrowed.exclusive());
}

TEST_CASE("typed access is checked") {
  Tensor x = zeros({2, 3});
  CHECK(message_of<DTypeError>([&] { x.data<double>(); }) == "data<float64>() of a float32 tensor");
  CHECK(Tensor{}.data<float>() == nullptr);
  CHECK_THROWS_AS(Tensor{}.shape(), ValueError);
  CHECK_THROWS_AS(x.dim(2), ShapeError);
  CHECK(x.dim(-1) == 3);
  CHECK_THROWS_AS(zeros({2}, {.dtype = DType::i64}).set_requires_grad(), DTypeError);
}

TEST_CASE("views share memory and know when they are strided") {
  Tensor x = arange(24).reshape({2, 3, 4});
  Tensor t = x.permute({2, 0, 1});
  CHECK(t.shape() == Shape{4, 2, 3});
  CHECK(t.same_memory(x));
  CHECK_FALSE(t.is_contiguous());
  CHECK_THROWS_AS(t.host<float>(), ShapeError);
  Tensor c = t.contiguous();
  CHECK(c.host<float>()[1] == 4);  // x[0][1][0]
  Tensor s = x.slice(1, 1, 3).select(0, 1).contiguous();
  CHECK(s.shape() == Shape{2, 4});
  CHECK(s.host<float>()[0] == 16);
  CHECK(x.slice(1, 1, 1).numel() == 0);
  CHECK_THROWS_AS(x.slice(1, 2, 4), ShapeError);
  CHECK_THROWS_AS(x.select(0, 2), ShapeError);
  CHECK_THROWS_AS(x.reshape({5, -1}), ShapeError);
  CHECK(x.reshape({4, -1}).shape() == Shape{4, 6});
}

TEST_CASE("the group tag travels with like() and tells equal sizes apart") {
  Tensor x = zeros({1, 2, 2, 3, 16}, {.group = D16});
  CHECK(x.group() == dihedral(8));
  CHECK(zeros_like(x).group() == dihedral(8));
  CHECK_FALSE(x.group() == cyclic(16));
  CHECK(cyclic(16).order() == dihedral(8).order());
}

TEST_CASE("bf16 rounds to nearest even and keeps NaN") {
  CHECK(float(bf16(1.0f)) == 1.0f);
  CHECK(float(bf16(1.00390625f)) == 1.0f);       // a tie goes to the even neighbour
  CHECK(float(bf16(1.01171875f)) == 1.015625f);  // and up where that is even
  CHECK(std::isnan(float(bf16(NAN))));
  CHECK(std::isinf(float(bf16(3.4e38f))));
}

TEST_CASE("devices are named") {
  CHECK(Device("cuda:1").index == 1);
  CHECK(Device("cuda:1").text() == "cuda:1");
  CHECK(message_of<DeviceError>([] { Device("gpu"); }).find("cuda_emulated") != std::string::npos);
  CHECK_THROWS_AS(Device("cpu:0"), DeviceError);
  CHECK_THROWS_AS(Device("cuda:x"), DeviceError);
  CHECK(message_of<DeviceError>([] { zeros({2}, {.device = "cuda:0"}); }).find("use_cuda") != std::string::npos);
}
