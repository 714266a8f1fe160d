// Batches: every item once, the same for a seed, resumable, balanced, turned without losing the galaxy.
#include <doctest/doctest.h>
#include <d16/data/loader.hpp>

#include <algorithm>
#include <set>

using namespace d16;

namespace {
/// Image i is i/255 everywhere; one item in five is of class 1.
data::Dataset levels(int64_t n, int64_t side = 4, int64_t visible = 0) {
  data::Dataset d{
      zeros({n, side, side, 3}, {.dtype = DType::u8}), zeros({n}, {.dtype = DType::i64}), {}, {"many", "few"}, visible};
  for (int64_t i = 0; i < n; ++i) {
    std::fill_n(d.images.data<uint8_t>() + i * side * side * 3, side * side * 3, uint8_t(i));
    d.labels.data<int64_t>()[i] = i % 5 == 0;
    d.ids.push_back(std::to_string(i));
  }
  return d;
}
std::vector<float> everything(data::Loader& loader) {
  std::vector<float> all;
  for (auto& [image, label] : loader) {
    auto v = image.host<float>();
    all.insert(all.end(), v.begin(), v.end());
    for (int64_t l : label.host<int64_t>()) all.push_back(float(l));
  }
  return all;
}
}  // namespace

TEST_CASE("one loop gives every item once, with its own label, and another order in the next") {
  data::Dataset d = levels(103);
  data::Loader loader(d, {.batch = 10, .seed = 3});
  CHECK(loader.batches() == 11);
  std::vector<int64_t> first;
  for (auto& [image, label] : loader) {
    REQUIRE(image.shape() == Shape{std::min<int64_t>(10, 103 - int64_t(first.size())), 4, 4, 3});
    for (int64_t i = 0; i < image.dim(0); ++i) {
      int64_t item = std::lround(image.data<float>()[i * 48] * 255);
      CHECK(item == loader.items()[size_t(i)]);
      CHECK(label.data<int64_t>()[i] == (item % 5 == 0));
      first.push_back(item);
    }
  }
  CHECK(std::set<int64_t>(first.begin(), first.end()).size() == 103);
  std::vector<int64_t> second;
  for ([[maybe_unused]] auto& batch : loader) second.insert(second.end(), loader.items().begin(), loader.items().end());
  CHECK(first != second);
  std::sort(second.begin(), second.end());
  CHECK(second.size() == 103);
  CHECK(second[102] == 102);
  int64_t batches = 0;
  for (auto& [image, label] : data::Loader(d, {.batch = 10, .drop_last = true})) batches += image.dim(0) == 10;
  CHECK(batches == 10);
  std::vector<int64_t> in_order;
  data::Loader plain(d, {.batch = 50, .shuffle = false});
  for ([[maybe_unused]] auto& batch : plain)
    in_order.insert(in_order.end(), plain.items().begin(), plain.items().end());
  CHECK(std::is_sorted(in_order.begin(), in_order.end()));
}

TEST_CASE("seed and epoch determine every bit, whatever the number of threads") {
  data::Dataset d = levels(40, 12, 8);
  for (int64_t i = 0; i < d.images.numel(); ++i) d.images.data<uint8_t>()[i] = uint8_t(i * 7919 % 251);
  data::LoaderOptions o{.batch = 7, .augment = true, .zoom = 0.1, .seed = 11};
  int before = threads();
  set_threads(1);
  data::Loader one(d, o);
  std::vector<float> a = everything(one), next = everything(one);
  set_threads(4);
  data::Loader four(d, o);
  CHECK(everything(four) == a);
  CHECK(everything(four) == next);
  set_threads(before);
  CHECK(a != next);
  o.seed = 12;
  data::Loader other(d, o);
  CHECK(everything(other) != a);
  manual_seed(5);
  o.seed.reset();
  data::Loader u(d, o), v(d, o);
  std::vector<float> from_u = everything(u);
  CHECK(from_u != everything(v));  // each takes its own draw of the default generator
  manual_seed(5);
  data::Loader w(d, o);
  CHECK(everything(w) == from_u);
}

TEST_CASE("a run that was cut goes on with the next batch") {
  data::Dataset d = levels(30);
  data::LoaderOptions o{.batch = 4, .augment = true, .seed = 2};
  std::vector<std::vector<int64_t>> all;
  data::Loader whole(d, o);
  for (int epoch = 0; epoch < 3; ++epoch)
    for ([[maybe_unused]] auto& batch : whole) all.push_back(whole.items());
  for (size_t cut : {size_t(3), size_t(8), size_t(13)}) {  // 8: at the end of the first epoch
    data::Loader before(d, o), after(d, {.batch = 4, .augment = true, .seed = 99});
    everything(after);  // a loader that was used already is restored as well
    std::vector<std::vector<int64_t>> seen;
    for (int epoch = 0; epoch < 3 && seen.size() < cut; ++epoch)
      for ([[maybe_unused]] auto& batch : before) {
        seen.push_back(before.items());
        if (seen.size() == cut) break;
      }
    after.restore(before.state());
    while (seen.size() < all.size())
      for ([[maybe_unused]] auto& batch : after) seen.push_back(after.items());
    CHECK(seen == all);
  }
}

TEST_CASE("a loop that was left by break starts a new epoch") {
  data::Dataset d = levels(30);
  data::Loader loader(d, {.batch = 4, .seed = 2});
  for ([[maybe_unused]] auto& batch : loader) break;
  int64_t items = 0;
  for (auto& [image, label] : loader) items += image.dim(0);
  CHECK(items == 30);
  CHECK(loader.state().epoch == 1);
}

TEST_CASE("balanced: classes come equally often") {
  data::Dataset d = levels(200);
  int64_t few = 0, all = 0;
  std::set<int64_t> seen;
  data::Loader loader(d, {.batch = 32, .balanced = true, .seed = 1});
  for (int epoch = 0; epoch < 5; ++epoch)
    for (auto& [image, label] : loader) {
      for (int64_t l : label.host<int64_t>()) few += l, ++all;
      seen.insert(loader.items().begin(), loader.items().end());
    }
  CHECK(all == 1000);
  CHECK(seen.size() > 190);  // an item of the larger class, drawn with 5 / 8 in an epoch, is missed with (3 / 8)^5
  CHECK(std::abs(double(few) - 500) < 5 * std::sqrt(250));
}

TEST_CASE("only the central square is seen; augmentation keeps what is round") {
  data::Dataset d = levels(6, 12, 8);
  for (int64_t n = 0; n < 6; ++n)
    for (int64_t i = 0; i < 144; ++i) {
      double r = std::hypot(double(i / 12) - 5.5, double(i % 12) - 5.5);
      for (int64_t c = 0; c < 3; ++c)
        d.images.data<uint8_t>()[(n * 144 + i) * 3 + c] = uint8_t(250 * std::exp(-r * r / 18));
    }
  data::Loader plain(d, {.batch = 6, .shuffle = false});
  for (auto& [image, label] : plain) {
    REQUIRE(image.shape() == Shape{6, 8, 8, 3});
    for (int64_t i = 0; i < 8; ++i)
      for (int64_t j = 0; j < 24; ++j)
        REQUIRE(std::abs(image.data<float>()[i * 24 + j] - d.images.data<uint8_t>()[(i + 2) * 36 + 6 + j] / 255.0f) <=
                0x1p-23f);
  }
  data::Loader turned(d, {.batch = 6, .augment = true, .shift = 0, .seed = 4});
  std::vector<float> straight = everything(plain);
  for (auto& [image, label] : turned) {
    double worst = 0;  // bilinear: an eighth of the second derivative, 2 * 250/255 / 9, and two roundings to bytes
    for (int64_t i = 0; i < image.numel(); ++i)
      worst = std::max(worst, double(std::abs(image.data<float>()[i] - straight[size_t(i)])));
    CHECK(worst < 2 * (0.125 * 2.0 / 9 + 1.0 / 255));
    CHECK(worst > 0);
  }
}

TEST_CASE("augmentation turns by any angle and mirrors about half of the images") {
  data::Dataset d = levels(64, 12, 8);
  for (int64_t n = 0; n < 64; ++n)
    for (int64_t i = 0; i < 144;
         ++i) {  // brightness grows with the angle, so that its sense and its start can be read off
      double angle = std::atan2(double(i / 12) - 5.5, double(i % 12) - 5.5) / (2 * std::numbers::pi) + 0.5;
      for (int64_t c = 0; c < 3; ++c) d.images.data<uint8_t>()[(n * 144 + i) * 3 + c] = uint8_t(250 * angle);
    }
  int growing = 0, quadrant[4] = {};
  for (auto& [image, label] : data::Loader(d, {.batch = 64, .augment = true, .shift = 0, .seed = 6}))
    for (int64_t n = 0; n < 64; ++n) {
      std::vector<float> ring;
      for (int k = 0; k < 16; ++k) {
        double angle = 2 * std::numbers::pi * k / 16;
        int64_t row = std::lround(3.5 + 3 * std::sin(angle)), column = std::lround(3.5 + 3 * std::cos(angle));
        ring.push_back(image.data<float>()[(n * 64 + row * 8 + column) * 3]);
      }
      int up = 0;
      for (size_t k = 0; k < 16; ++k) up += ring[(k + 1) % 16] > ring[k];
      growing += up > 8;
      ++quadrant[(std::max_element(ring.begin(), ring.end()) - ring.begin()) / 4];
    }
  CHECK(std::abs(growing - 32) < 5 * 4);  // sigma of 64 tosses is 4
  for (int count : quadrant) CHECK(std::abs(count - 16) < 5 * std::sqrt(12));
}

TEST_CASE("float images pass unchanged; empty sets and bad options are refused") {
  data::Dataset d{full({3, 2, 2, 1}, 7.5), zeros({3}, {.dtype = DType::i64}), {"a", "b", "c"}, {"x"}};
  for (auto& [image, label] : data::Loader(d, {.batch = 2, .shuffle = false})) CHECK(image.data<float>()[0] == 7.5f);
  CHECK_THROWS_AS(data::Loader(d, {.batch = 0}), ValueError);
  data::Dataset none;
  CHECK_THROWS_AS(data::Loader(none, {}), ValueError);
}

TEST_CASE("a data set that cannot be read as rows of host memory is refused, with what to do") {
  data::Dataset const good = levels(6);
  auto refusal = [](data::Dataset const& d) {
    try {
      data::Loader loader(d, {.batch = 2, .seed = 1});
    } catch (Error const& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(refusal(good) == "");
  data::Dataset d = good;
  d.images = zeros({6, 3, 4, 4}, {.dtype = DType::u8}).permute({0, 2, 3, 1});  // as files with the channels first
  CHECK(refusal(d).find("images are a strided view of shape (6,4,4,3); use contiguous() first") != std::string::npos);
  d.images = d.images.contiguous();
  CHECK(refusal(d) == "");
  d.images = good.images.slice(0, 0, 5);
  CHECK(refusal(d).find("(N,H,W,C) and (N) are needed") != std::string::npos);
  d = good;
  d.images = wrap(good.images.data<uint8_t>(), good.images.shape(), {.device = "cuda"});
  CHECK(refusal(d).find("the images are on cuda") != std::string::npos);
  d = good;
  d.labels = zeros({6, 2}, {.dtype = DType::i64}).select(1, 0);
  CHECK(refusal(d).find("labels are a strided view") != std::string::npos);
}
