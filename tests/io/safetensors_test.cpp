// safetensors: exact round trips, other people's files, and every hostile header refused with a reason.
#include <doctest/doctest.h>

#include <cstring>

#include <d16/io/safetensors.hpp>

#include "bad_input.hpp"

using namespace bad_input;
using namespace d16;
using io::read_safetensors;
using io::TensorFile;
using io::write_safetensors;

/// The bytes of a file with this header and `data` bytes after it.
static std::string bytes_of(std::string_view header, size_t data) {
  uint64_t length = header.size();
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  return out.append(header).append(data, '\1');
}

static TensorFile some_tensors() {
  TensorFile file;
  file.metadata = {{"op", "conv2d"}, {"attrs", R"({"stride":[1,1],"text":"é"})"}};
  file.tensors.emplace_back("mask", from(std::vector<uint8_t>{1, 2, 3}, {3}));
  file.tensors.emplace_back("conv.weight", from(std::vector<float>{0.1f, -2, 3e38f, 0, 1e-45f, 5}, {2, 3}));
  file.tensors.emplace_back("step", from(std::vector<int64_t>{587722952767439450}, {1}));
  file.tensors.emplace_back("half", ones({7}).cast(DType::bf16));
  file.tensors.emplace_back("loss", from(std::vector<double>{0.1}, Shape{}));
  file.tensors.emplace_back("none", zeros({0, 4}));
  file.tensors.emplace_back("flags", full({2, 1}, 1, {.dtype = DType::boolean}));
  return file;
}

static bool same_bytes(Tensor const& a, Tensor const& b) {
  if (!(a.shape() == b.shape()) || a.dtype() != b.dtype()) return false;
  return for_dtype(
      a.dtype(), [&]<class T>(T) { return std::memcmp(a.data<T>(), b.data<T>(), size_t(a.numel()) * sizeof(T)) == 0; });
}

TEST_CASE("safetensors: every type comes back bit by bit, in order, aligned") {
  TemporaryFolder folder;
  std::string path = folder / "w.safetensors";
  TensorFile file = some_tensors();
  write_safetensors(path, file);
  TensorFile back = read_safetensors(path);
  CHECK(back.metadata == file.metadata);
  REQUIRE(back.tensors.size() == file.tensors.size());
  for (size_t i = 0; i < file.tensors.size(); ++i) {
    CHECK(back.tensors[i].first == file.tensors[i].first);
    CHECK(same_bytes(back.tensors[i].second, file.tensors[i].second));
  }
  CHECK(folder.count() == 1);
  std::string bytes = io::read_file(path);
  uint64_t length;
  std::memcpy(&length, bytes.data(), 8);
  CHECK(length % 8 == 0);
  io::Json header = io::parse_json(std::string_view(bytes).substr(8, length), "header");
  for (auto const& [name, tensor] : file.tensors)
    CHECK(header.at(name).at("data_offsets").array()[0].integer() % size_of(tensor.dtype()) == 0);
}

TEST_CASE("safetensors: strided views are written as what they show") {
  TemporaryFolder folder;
  TensorFile file;
  file.tensors.emplace_back("t", arange(6).reshape({2, 3}).permute({1, 0}));
  write_safetensors(folder / "t.safetensors", file);
  Tensor back = read_safetensors(folder / "t.safetensors").at("t");
  CHECK(same_bytes(back, from(std::vector<float>{0, 3, 1, 4, 2, 5}, {3, 2})));
}

TEST_CASE("safetensors: a file made by hand") {
  TemporaryFolder folder;
  std::string header =
      R"({"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]},"a":{"shape":[],"data_offsets":[0,1],"dtype":"BOOL"}}  )";
  TensorFile file = read_safetensors(folder.file("hand", bytes_of(header, 3)));
  CHECK(file.tensors[0].first == "b");
  CHECK(file.at("a").item() == 1);
  CHECK(file.at("b").data<uint8_t>()[1] == 1);
  CHECK(contains(error_of([&] { file.at("c"); }), "hand: no tensor \"c\"; it has 2 tensors, the first is \"b\""));
  CHECK(read_safetensors(folder.file("none", bytes_of("{}", 0))).tensors.empty());
}

TEST_CASE("safetensors: hostile and damaged files are refused with a reason") {
  TemporaryFolder folder;
  auto error = [&](std::string_view bytes) {
    return error_of([&] { read_safetensors(folder.file("x.safetensors", bytes)); });
  };
  auto refused = [&](std::string_view header, size_t data, std::string_view reason) {
    std::string message = error(bytes_of(header, data));
    CAPTURE(header);
    CHECK(contains(message, folder / "x.safetensors"));
    CHECK_MESSAGE(contains(message, reason), message);
  };
  CHECK(contains(error(""), "0 bytes; it is empty, truncated or not a safetensors file"));
  CHECK(contains(error("1234567"), "7 bytes"));
  std::string huge = bytes_of("{}", 1014);
  uint64_t length = 8'000'000'000'000'000'000;
  std::memcpy(huge.data(), &length, 8);
  CHECK(
      contains(error(huge),
               "header says 8000000000000000000 bytes, the file has 1024; it is truncated or not a safetensors file"));
  length = ~uint64_t(0);
  std::memcpy(huge.data(), &length, 8);
  CHECK(contains(error(huge), "it is truncated"));
  length = 1017;
  std::memcpy(huge.data(), &length, 8);
  CHECK(contains(error(huge), "header says 1017"));
  CHECK(contains(error("\x89PNG\r\n\x1A\n and a picture"), "it is truncated or not a safetensors file"));

  refused("", 0, "not JSON");
  refused("[]", 0, "not JSON");
  refused("{", 0, "header line 1 column 2");
  refused(R"({"a":1})", 0, "needs dtype, shape and data_offsets");
  refused(R"({"a":{"dtype":"U8","shape":[1]}})", 1, "needs dtype");
  refused(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":0}})", 1, "nothing else");
  refused(R"({"a":{"dtype":3,"shape":[1],"data_offsets":[0,1]}})", 1, "dtype must be a string");
  refused(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", 1, "two numbers");
  refused(R"({"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}})", 2,
          "dtype is F16; d16 reads F32 F64 BF16 I64 U8 BOOL");
  refused(R"({"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}})", 4, "dtype is I32");
  refused(R"({"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}})", 4, "dtype is f32");
  refused(R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", 1, "not a whole number");
  refused(R"({"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}})", 1, "not a whole number");
  refused(R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", 1, "9 axes; at most 8");
  refused(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0, "more than memory has");
  refused(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0, "more than memory has");
  refused(R"({"a":{"dtype":"F32","shape":[2305843009213693952],"data_offsets":[0,8]}})", 8, "more than memory has");
  refused(R"({"a":{"dtype":"U8","shape":[1e30],"data_offsets":[0,1]}})", 1, "not a whole number");
  refused(R"({"a":{"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,1]}})", 1, "not a whole number");
  refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,7]}})", 7, "hold 7 bytes; shape [2] of F32 needs 8");
  refused(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", 1, "out of order");
  refused(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[-1,1]}})", 1, "out of order");
  refused(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 3,
          "ends at byte 4 of the data, the file has 3; it is truncated");
  refused(R"({"a":{"dtype":"U8","shape":[1000000000000],"data_offsets":[0,1000000000000]}})", 3, "it is truncated");
  refused(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[9223372036854775806,9223372036854775807]}})", 1,
          "it is truncated");
  refused(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", 2, "after a hole");
  refused(
      R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})", 3,
      "inside another");
  refused(
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})", 3,
      "after a hole");
  refused(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 2, "1 bytes follow the last tensor");
  refused(
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", 2,
      "a key twice");
  refused(R"({"__metadata__":[]})", 0, "__metadata__ is not an object");
  refused(R"({"__metadata__":{"a":1}})", 0, "\"a\" is not a string");
  std::string flag = bytes_of(R"({"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}})", 1);
  flag.back() = 2;
  CHECK(contains(error(flag), "neither 0 nor 1"));
}

TEST_CASE("safetensors: a header beyond 100 MB is refused before it is read") {
  TemporaryFolder folder;
  std::string path = folder.file("big.safetensors", bytes_of("", 0));
  uint64_t length = 100'000'001;
  std::fstream(path, std::ios::in | std::ios::out | std::ios::binary).write(reinterpret_cast<char*>(&length), 8);
  std::filesystem::resize_file(path, 8 + length);  // sparse: no disk is used
  CHECK(contains(error_of([&] { read_safetensors(path); }), "a header has at most 100 MB"));
}

TEST_CASE("safetensors: a name given twice is not written") {
  TemporaryFolder folder;
  TensorFile file;
  file.tensors = {{"w", ones({1})}, {"w", ones({1})}};
  CHECK(contains(error_of<ValueError>([&] { write_safetensors(folder / "x", file); }), "tensor \"w\" is given twice"));
  file.tensors = {{"__metadata__", ones({1})}};
  CHECK(contains(error_of<ValueError>([&] { write_safetensors(folder / "x", file); }), "reserved"));
  CHECK(folder.count() == 0);
}

TEST_CASE("safetensors: every refusal names the file and what to do") {
  TensorFile file = some_tensors();
  CHECK(writer_fault([&](std::string const& path) { write_safetensors(path, file); }, "w.safetensors") == "");
}

TEST_CASE("safetensors: 2,000 mutations and noise throw FileError or read") {
  TemporaryFolder folder;
  write_safetensors(folder / "valid", some_tensors());
  std::string const valid = io::read_file(folder / "valid");
  Random random(4);
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string path = folder.file("mutated", i % 10 ? mutated(valid, random) : noise(200, random));
    try {
      for (auto const& [name, tensor] : read_safetensors(path).tensors) CHECK(tensor.defined());
    } catch (FileError const&) {
      ++refused;
    }
  }
  CHECK(refused > 1000);
}

TEST_CASE("safetensors: the files of the conformance set are read") {
  std::filesystem::path const shared = "../shared/conformance";
  if (!std::filesystem::exists(shared)) {
    MESSAGE("skipped: ../shared/conformance is not here");
    return;
  }
  int files = 0;
  for (auto const& entry : std::filesystem::directory_iterator(shared)) {
    if (entry.path().extension() != ".safetensors") continue;
    TensorFile file = read_safetensors(entry.path().string());
    CHECK(file.metadata.count("op") == 1);
    CHECK(io::parse_json(file.metadata.at("attrs"), entry.path().string()).is_object());
    ++files;
  }
  CHECK(files > 0);
}
