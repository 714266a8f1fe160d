// Ahead gives the batches of its loader, bit for bit, and passes on errors, early ends and positions.
#include <d16/cuda/use.hpp>
#include <d16/data/ahead.hpp>

#include "ops/compare.hpp"

using namespace d16;
using namespace d16::testing;

namespace {

data::Dataset pictures(int64_t count) {
  manual_seed(2);
  data::Dataset d;
  d.images = uniform({count, 9, 9, 2});
  d.labels = arange(count, {.dtype = DType::i64});
  for (int64_t i = 0; i < count; ++i) d.ids.push_back(std::to_string(i));
  d.classes.resize(size_t(count));
  return d;
}

}  // namespace

TEST_CASE("ahead: the batches of the loader, on the device, epoch by epoch") {
  use_cuda_emulated();
  data::Dataset const set = pictures(23);
  data::LoaderOptions const o{.batch = 5, .augment = true, .seed = 4};
  for (Device device : {Device("cpu"), Device("cuda_emulated")}) {
    data::Loader plain(set, o), loader(set, o);
    data::Ahead ahead(loader, device);
    CHECK(ahead.batches() == 5);
    for (int epoch = 0; epoch < 2; ++epoch) {
      std::vector<data::Batch> expected;
      for (data::Batch const& batch : plain) expected.push_back(batch);
      size_t i = 0;
      for (data::Batch const& batch : ahead) {
        CHECK(batch.image.device() == device);
        REQUIRE(i < expected.size());
        CHECK(same_bits(batch.image, expected[i].image));
        CHECK(same_bits(batch.label, expected[i].label));
        CHECK(ahead.state().position == std::min<int64_t>(23, 5 * int64_t(i + 1)));
        ++i;
      }
      CHECK(i == 5);
    }
  }
}

TEST_CASE("ahead: a loop that is left early, and one that goes on from a position") {
  data::Dataset const set = pictures(40);
  data::Loader loader(set, {.batch = 4, .seed = 1}), plain(set, {.batch = 4, .seed = 1});
  data::Ahead ahead(loader, "cpu");
  data::Loader::State third;
  int count = 0;
  for (data::Batch const& batch : ahead) {
    static_cast<void>(batch);
    third = ahead.state();
    if (++count == 3) break;
  }
  CHECK(third.position == 12);
  ahead.restore(third);
  plain.restore(third);
  auto expected = plain.begin();
  for (data::Batch const& batch : ahead) {
    REQUIRE(expected != plain.end());
    CHECK(same_bits(batch.image, (*expected).image));
    ++expected;
  }
  CHECK(expected == plain.end());
}

TEST_CASE("ahead: an error of the loader comes out of the loop") {
  data::Dataset set = pictures(8);
  data::Loader loader(set, {.batch = 4, .seed = 1});
  set.images = set.images.cast(DType::f64);  // which the loader does not read
  data::Ahead ahead(loader, "cpu");
  auto loop = [&] {
    for (data::Batch const& batch : ahead) static_cast<void>(batch);
  };
  CHECK_THROWS_AS(loop(), DTypeError);
  set.images = set.images.cast(DType::f32);
  loop();
}

TEST_CASE(
    "ahead: batches are prepared before they are sent, each told which one it is, on a device by another thread") {
  use_cuda_emulated();
  data::Dataset const set = pictures(12);
  for (Device device : {Device("cpu"), Device("cuda_emulated")}) {
    data::Loader plain(set, {.batch = 4, .seed = 1}), loader(set, {.batch = 4, .seed = 1});
    std::thread::id maker;
    data::Ahead ahead(loader, device, [&](data::Batch const& batch, data::Loader::State state) {
      maker = std::this_thread::get_id();
      return data::Batch{batch.image * double(state.position), batch.label};
    });
    auto expected = plain.begin();
    int64_t position = 0;
    for (data::Batch const& batch : ahead) {
      position += 4;
      CHECK(ahead.state().position == position);
      CHECK(same_bits(batch.image, (*expected).image * double(position)));
      ++expected;
    }
    CHECK(position == 12);
    CHECK((maker == std::this_thread::get_id()) == (device == Device("cpu")));
  }
}

TEST_CASE("prefetched: batches of any kind with all of their tensors on the device, until make() says false") {
  use_cuda_emulated();
  struct Three {
    Tensor a = {}, b = {}, c = {};
    std::vector<Tensor*> tensors() { return {&a, &b, &c}; }
  };
  for (Device device : {Device("cpu"), Device("cuda_emulated")}) {
    int made = 0, seen = 0;
    auto make = [&](Three& three) {
      three = {full({2}, made), full({3}, -made), full({1}, 10 * made)};
      return made++ < 5;
    };
    data::Prefetched<Three> all(make, device);
    for (Three& three : all) {
      for (Tensor* x : three.tensors()) CHECK(x->device() == device);
      CHECK(sum(three.a).item() == 2 * seen);
      CHECK(sum(three.b).item() == -3 * seen);
      CHECK(three.c.item() == 10 * seen);
      ++seen;
    }
    CHECK(seen == 5);
    CHECK(made == 6);
  }
}
