// crc32, the rule of the test set, subsets and splits.
#include <doctest/doctest.h>
#include <d16/data/dataset.hpp>

#include <set>

using namespace d16;

namespace {
data::Dataset numbered(int64_t n) {
  data::Dataset d{zeros({n, 2, 3, 1}), zeros({n}, {.dtype = DType::i64}), {}, {"even", "odd"}};
  for (int64_t i = 0; i < n; ++i) {
    d.labels.data<int64_t>()[i] = i % 2;
    std::fill_n(d.images.data<float>() + i * 6, 6, float(i));
    d.ids.push_back(std::to_string(i));
  }
  return d;
}
}  // namespace

TEST_CASE("crc32 as zlib") {
  CHECK(data::crc32("") == 0);
  CHECK(data::crc32("123456789") == 0xCBF43926u);
  CHECK(data::crc32("8967940563468") == 2688289479u);  // zlib.crc32(b"8967940563468")
}

TEST_CASE("the part of an object follows from its SDSS field") {
  CHECK(data::sdss_field("587722952767439450") == 8967940563468);
  CHECK(data::field_part("587722952767439450") == int(2688289479u % 5));
  CHECK_THROWS_WITH_AS(data::sdss_field("m31"), "sdss_field: \"m31\" is no SDSS objID; a positive integer is needed",
                       ValueError);
  CHECK_THROWS_AS(data::sdss_field(""), ValueError);
  CHECK_THROWS_AS(data::sdss_field("99999999999999999999"), ValueError);
}

TEST_CASE("a random split loses nothing, repeats nothing and follows its seed") {
  data::Dataset d = numbered(103);
  auto [train, test] = d.split(0.2);
  CHECK(test.size() == 21);
  CHECK(train.size() == 82);
  std::set<std::string> all(train.ids.begin(), train.ids.end());
  all.insert(test.ids.begin(), test.ids.end());
  CHECK(all.size() == 103);
  for (int64_t i = 0; i < test.size(); ++i) {
    CHECK(std::to_string(int64_t(test.images.data<float>()[i * 6 + 5])) == test.ids[size_t(i)]);
    CHECK(test.label(i) == std::stoll(test.ids[size_t(i)]) % 2);
  }
  CHECK(d.split(0.2).second.ids == test.ids);
  CHECK(d.split(0.2, 1).second.ids != test.ids);
  CHECK(d.split(0).second.size() == 0);
  CHECK(d.split(1).first.size() == 0);
  CHECK_THROWS_AS(d.split(1.5), ValueError);
  CHECK(test.classes == d.classes);
}

TEST_CASE("a split by field keeps fields together") {
  data::Dataset d = numbered(200);
  for (int64_t i = 0; i < 200; ++i) d.ids[size_t(i)] = std::to_string(((i / 2 + 1000) << 16) + i);
  auto parts = d.split_by_field();
  CHECK(parts.train.size() + parts.validation.size() + parts.test.size() == 200);
  std::set<int64_t> fields[3];
  data::Dataset const* sets[] = {&parts.test, &parts.validation, &parts.train};
  for (int k = 0; k < 3; ++k) {
    CHECK(sets[k]->size() > 0);
    for (std::string const& id : sets[k]->ids) {
      CHECK(std::min(data::field_part(id), 2) == k);
      fields[k].insert(data::sdss_field(id));
    }
  }
  CHECK(fields[0].size() + fields[1].size() + fields[2].size() == 100);
}

TEST_CASE("subsets, counts and their text") {
  data::Dataset d = numbered(5), few = d.subset({4, 1, 4});
  CHECK(few.ids == std::vector<std::string>{"4", "1", "4"});
  CHECK(few.images.data<float>()[0] == 4);
  CHECK(d.class_counts() == std::vector<int64_t>{3, 2});
  CHECK(d.class_counts_text() == "even 3, odd 2");
  CHECK_THROWS_AS(d.subset({5}), ValueError);
  CHECK(data::Dataset{}.size() == 0);
}

TEST_CASE("strided and device memory is refused, not read as if it were rows") {
  data::Dataset d = numbered(4);
  d.images = zeros({4, 1, 2, 3}).permute({0, 2, 3, 1});
  CHECK_NOTHROW(d.subset({1}));  // one channel: in the same order
  d.images = zeros({4, 2, 2, 3}).permute({0, 2, 3, 1});
  CHECK_THROWS_AS(d.subset({1}), ShapeError);
  CHECK_THROWS_AS(d.split(0.5), ShapeError);
  d = numbered(4);
  d.labels = zeros({4, 2}, {.dtype = DType::i64}).select(1, 1);
  CHECK_THROWS_AS(d.label(1), ShapeError);
  CHECK_THROWS_AS(d.class_counts(), ShapeError);
  int64_t elsewhere = 0;
  d.labels = wrap(&elsewhere, {1}, {.device = "cuda"});
  CHECK_THROWS_AS(d.label(0), DeviceError);
}
