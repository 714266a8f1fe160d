// Names of weights, the forgotten member, training and evaluation, freezing, moving.
#include <doctest/doctest.h>

#include <d16/nn/build.hpp>

#include "io/bad_input.hpp"

using namespace d16;
using bad_input::error_of;

namespace {

struct Leaf : nn::Module {
  nn::Parameter weight, bias;
  nn::Buffer seen;
  explicit Leaf(bool with_bias = true) : weight(ones({2, 3})), seen(zeros({3})) {
    if (with_bias) bias = zeros({2});
  }
  D16_MEMBERS(weight, bias, seen)
};
struct Tree : nn::Module {
  Leaf first;
  std::optional<Leaf> maybe, never;
  nn::List<Leaf> leaves_;
  Tree() : first(false), maybe(std::in_place) {
    leaves_.add();
    leaves_.add(false);
  }
  D16_MEMBERS(first, maybe, never, leaves_)
};
struct ForgotModule : nn::Module {
  Leaf listed, forgotten;
  D16_MEMBERS(listed)
};
struct ForgotParameter : nn::Module {
  nn::Parameter listed = ones({1}), forgotten = ones({1});
  D16_MEMBERS(listed)
};
struct ForgotList : nn::Module {
  Leaf listed;
  nn::List<Leaf> forgotten;
  D16_MEMBERS(listed)
};
struct ForgotDeep : nn::Module {
  nn::List<ForgotModule> inner;
  D16_MEMBERS(inner)
};

std::string names(std::vector<nn::Named> const& list) {
  std::string out;
  for (nn::Named const& named : list) out += named.name + " ";
  return out;
}

}  // namespace

TEST_CASE("members give the weights their paths, absent ones none") {
  Tree tree;
  CHECK(names(tree.named_parameters()) ==
        "first.weight maybe.weight maybe.bias leaves.0.weight leaves.0.bias leaves.1.weight ");
  CHECK(names(tree.named_buffers()) == "first.seen maybe.seen leaves.0.seen leaves.1.seen ");
  CHECK(tree.named_tensors().size() == 10);
  CHECK(tree.weight_count() == 4 * 6 + 2 * 2);
  CHECK(tree.parameters().size() == 6);
}

TEST_CASE("a sequential names its weights by the number of the stage") {
  nn::Sequential net{
      nn::Conv2d(3, 4), nn::BatchNorm2d(4), relu, nn::Sequential{nn::MaxPool(), nn::Conv2d(4, 4, {.bias = false})},
      global_avg_pool,  nn::Linear(4, 2)};
  CHECK(names(net.named_tensors()) ==
        "0.weight 0.bias 1.weight 1.bias 1.running_mean 1.running_var 3.1.weight 5.weight 5.bias ");
}

TEST_CASE("a member that is not listed is an error when the weights are asked for") {
  CHECK(error_of<ValueError>([] { ForgotModule().parameters(); }).find("D16_MEMBERS(listed)") != std::string::npos);
  CHECK(error_of<ValueError>([] { ForgotParameter().parameters(); }).find("list it") != std::string::npos);
  CHECK(error_of<ValueError>([] { ForgotList().parameters(); }).find("list it") != std::string::npos);
  ForgotDeep deep;
  CHECK(deep.parameters().empty());
  deep.inner.add();
  CHECK_THROWS_AS(deep.parameters(), ValueError);
}

TEST_CASE("modules still know their members after a move") {
  std::vector<Tree> trees;
  for (int i = 0; i < 5; ++i) trees.emplace_back();  // the vector moves them as it grows
  for (Tree& tree : trees) CHECK(tree.named_tensors().size() == 10);
  Tree moved = std::move(trees[2]);
  CHECK(moved.weight_count() == 28);
  CHECK(moved.first.weight.requires_grad());
}

TEST_CASE("training and evaluation reach every module") {
  nn::Sequential net{nn::Conv2d(1, 2), nn::Sequential{nn::BatchNorm2d(2), nn::Dropout(0.5)}};
  auto count = [&](bool on) {
    int n = 0;
    net.walk([&](nn::Module& m) { n += m.training() == on; });
    return n;
  };
  CHECK(count(true) == 5);
  net.eval();
  CHECK(count(false) == 5);
  net.train();
  CHECK(count(true) == 5);
}

TEST_CASE("frozen parameters are named but not given to an optimiser") {
  nn::Sequential net{nn::Linear(3, 4), nn::Linear(4, 2)};
  net[0].module()->freeze();
  CHECK(net.named_parameters().size() == 4);
  CHECK(net.parameters().size() == 2);
  sum(net(ones({1, 3}))).backward();
  CHECK(!net.named_parameters()[0].tensor.grad().defined());
  CHECK(net.named_parameters()[2].tensor.grad().defined());
}

TEST_CASE("a network moves to another device with its weights") {
  nn::Sequential net{nn::Conv2d(1, 2), nn::BatchNorm2d(2)};
  Tensor x = uniform({2, 4, 4, 1}), before = net(x);
  net.to("reference");
  for (nn::Named const& named : net.named_tensors()) CHECK(named.tensor.device() == Device("reference"));
  CHECK(net.parameters().size() == 4);
  Tensor after = net(x.to("reference")).to("cpu");
  CHECK(max(abs(after - before)).item() < 1e-5);
}

TEST_CASE("the group of a network is that of its layers") {
  nn::Sequential plain{nn::Conv2d(1, 2)};
  CHECK(!plain.group());
  nn::Sequential equivariant{nn::LiftConv2d(cyclic(4), 1, 2), nn::GroupConv2d(cyclic(4), 2, 2)};
  CHECK(equivariant.group() == cyclic(4));
  nn::Sequential mixed{nn::LiftConv2d(cyclic(4), 1, 2), nn::GroupConv2d(dihedral(2), 2, 2)};
  CHECK_THROWS_AS(mixed.group(), GroupError);
}
