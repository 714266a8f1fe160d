// Weights in files: what comes back is the same, and every way not to fit has its own message.
#include <doctest/doctest.h>

#include <d16/io/checkpoint.hpp>

#include "io/bad_input.hpp"

using namespace d16;
using bad_input::error_of;
using bad_input::TemporaryFolder;

namespace {

nn::Sequential small_net(int width = 4) {
  return nn::Sequential{nn::Conv2d(1, width), nn::BatchNorm2d(width), relu, global_avg_pool, nn::Linear(width, 2)};
}
bool same_weights(nn::Module& a, nn::Module& b) {
  auto x = a.named_tensors(), y = b.named_tensors();
  bool same = x.size() == y.size();
  for (size_t i = 0; same && i < x.size(); ++i) {
    auto p = x[i].tensor.host<float>(), q = y[i].tensor.host<float>();
    same = x[i].name == y[i].name && std::equal(p.begin(), p.end(), q.begin(), q.end());
  }
  return same;
}
bool contains(std::string const& text, char const* part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("weights and running statistics come back bit for bit") {
  TemporaryFolder folder;
  manual_seed(1);
  nn::Sequential net = small_net(), other = small_net();
  net(uniform({2, 8, 8, 1}));  // moves the running statistics
  save(net, folder / "net.safetensors");
  CHECK(!same_weights(net, other));
  load(other, folder / "net.safetensors");
  CHECK(same_weights(net, other));
  CHECK(other.parameters().size() == 6);
}

TEST_CASE("a file alone gives the network, in evaluation, with what was kept beside it") {
  TemporaryFolder folder;
  NoGrad off;
  manual_seed(2);
  nn::EquivariantClassifier net(
      {.input = {.size = 8, .channels = 2}, .group = dihedral(4), .widths = {2, 3}, .dropout = 0.5});
  Tensor x = uniform({3, 8, 8, 2});
  save(net, folder / "net.safetensors",
       io::Json::object({{"classes", io::Json::array({"elliptical", "disk"})}, {"threshold", 0.4}}));
  LoadedNetwork loaded = load_network(folder / "net.safetensors");
  REQUIRE(loaded.net.as<nn::EquivariantClassifier>());
  CHECK(loaded.net.as<nn::PlainCnn>() == nullptr);
  CHECK(loaded.about.number("threshold") == 0.4);
  CHECK(loaded.about.at("classes").array()[1].string() == "disk");
  CHECK(!loaded.net.module()->training());
  net.eval();
  CHECK(max(abs(net(x) - loaded.net(x))).item() == 0);
}

TEST_CASE("weights of another network are refused, and nothing is copied") {
  TemporaryFolder folder;
  std::string path = folder / "disk.safetensors";
  manual_seed(3);
  nn::Sequential net = small_net(), before = small_net();
  save(net, path);
  auto message = [&](nn::Sequential other) {
    std::string text = error_of<WeightsError>([&] { load(other, path); });
    CHECK(contains(text, "disk.safetensors"));
    return text;
  };
  CHECK(contains(message(small_net(5)), "\"0.weight\" is (4,1,3,3), this net needs (5,1,3,3)"));
  nn::Sequential longer = small_net();
  longer.add(nn::Linear(2, 2));
  CHECK(contains(message(std::move(longer)), "no \"5.weight\" and 1 more, which this net needs"));
  CHECK(
      contains(message(nn::Sequential{nn::Conv2d(1, 4)}), "has \"1.weight\" and 5 more, which this net does not have"));

  nn::Sequential target = small_net();
  auto weight = target.named_tensors()[0].tensor.clone();
  nn::Sequential wrong{nn::Conv2d(1, 4), nn::BatchNorm2d(4), relu, global_avg_pool, nn::Linear(4, 3)};
  CHECK_THROWS_AS(load(wrong, path), WeightsError);
  CHECK(max(abs(target.named_tensors()[0].tensor - weight)).item() == 0);
}

TEST_CASE("a group of the same order is not the same group") {
  TemporaryFolder folder;
  std::string path = folder / "disk.safetensors";
  auto net = [](Group g) { return nn::Sequential{nn::LiftConv2d(g, 1, 2), nn::GroupConv2d(g, 2, 2)}; };
  nn::Sequential cyclic16 = net(cyclic(16)), d16_net = net(D16), d4_net = net(dihedral(4));
  save(cyclic16, path);
  CHECK(contains(error_of<WeightsError>([&] { load(d16_net, path); }),
                 "disk.safetensors is for cyclic(16), this net is dihedral(8): same shapes, other meaning"));
  std::string other_shapes = error_of<WeightsError>([&] { load(d4_net, path); });
  CHECK(contains(other_shapes, "is for cyclic(16), this net is dihedral(4)"));
  CHECK(!contains(other_shapes, "same shapes"));
}

TEST_CASE("files that say nothing or nonsense about their network") {
  TemporaryFolder folder;
  std::string path = folder / "net.safetensors";
  nn::Sequential lambda{nn::Linear(2, 2), [](Tensor x) { return x; }};
  save(lambda, path);
  CHECK(contains(error_of<WeightsError>([&] { load_network(path); }), "does not say which network"));
  load(lambda, path);

  auto with_description = [&](std::string const& text) {
    io::TensorFile file;
    file.metadata["network"] = text;
    file.tensors.emplace_back("other", zeros({100}));
    io::write_safetensors(path, file);
    return error_of<Error>([&] { load_network(path); });
  };
  CHECK(contains(with_description("{\"type\": \"oracle\"}"), "net.safetensors: network: type \"oracle\" is unknown"));
  CHECK(contains(with_description("{\"type\": \"linear\", \"in\": 2, \"out\": 2}"),
                 "no \"weight\" and 1 more, which this net needs; it has \"other\""));
  CHECK(contains(with_description("{\"type\": \"relu\"}"), "without weights"));
  CHECK(contains(with_description("{\"type\": 3}"), "net.safetensors"));
  CHECK(contains(with_description("nonsense"), "net.safetensors"));
  CHECK_THROWS_AS(load_network(folder / "absent.safetensors"), FileError);
}

TEST_CASE("weights of another type are refused, counters of other libraries are skipped") {
  TemporaryFolder folder;
  std::string path = folder / "net.safetensors";
  nn::Sequential net{nn::BatchNorm2d(2)};
  io::TensorFile file;
  for (char const* name : {"0.weight", "0.bias", "0.running_mean", "0.running_var"})
    file.tensors.emplace_back(name, full({2}, 3));
  file.tensors.emplace_back("0.num_batches_tracked", full({1}, 7, {.dtype = DType::i64}));
  io::write_safetensors(path, file);
  load(net, path);
  CHECK(net.named_tensors()[3].tensor.host<float>()[1] == 3);
  file.tensors[0].second = full({2}, 3, {.dtype = DType::f64});
  io::write_safetensors(path, file);
  CHECK(contains(error_of<WeightsError>([&] { load(net, path); }), "\"0.weight\" is float64, this net needs float32"));
}

TEST_CASE("a file that cannot be written leaves the old one as it was") {
  TemporaryFolder folder;
  std::string path = folder / "net.safetensors";
  nn::Sequential net = small_net();
  save(net, path);
  auto size = std::filesystem::file_size(path);
  CHECK_THROWS_AS(save(net, folder / "no/such/folder.safetensors"), FileError);
  CHECK(std::filesystem::file_size(path) == size);
  CHECK(folder.count() == 1);
}

TEST_CASE("a description that asks for more weights than the file has does not get the memory") {
  TemporaryFolder folder;
  io::TensorFile file;
  file.tensors.emplace_back("weight", zeros({4, 4}));
  size_t peak = host_arena().use().peak;
  for (char const* network :
       {R"({"type": "linear", "in": 65536, "out": 65536})", R"({"type": "batch_norm2d", "channels": 65536})",
        R"({"type": "group_norm", "groups": 1, "channels": 65536})"}) {
    file.metadata["network"] = network;
    io::write_safetensors(folder / "bomb.safetensors", file);
    CHECK(contains(error_of<WeightsError>([&] { load_network(folder / "bomb.safetensors"); }), "more than there are"));
  }
  CHECK(host_arena().use().peak < peak + (1 << 20));
}

TEST_CASE("a basis that no network needs is refused before it fills the memory") {
  CHECK_THROWS_AS(steerable_basis(dihedral(64), 63), ValueError);
  CHECK(steerable_basis(dihedral(16), 15).V > 0);
}
