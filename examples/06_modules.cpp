// Lesson 6: modules of one's own. Members are values; one macro names the weights, and a forgotten member is an error.
#include <cstdio>
#include <cstdlib>
#include <d16/d16.hpp>

using namespace d16;

static void check(bool condition, char const* what) {
  std::printf("  %s %s\n", condition ? "yes:" : "NO: ", what);
  if (!condition) std::exit(1);
}

struct Residual : nn::Module {
  nn::GroupConv2d conv1, conv2;
  nn::InnerBatchNorm norm1, norm2;
  Residual(Group g, int c) : conv1(g, c, c), conv2(g, c, c), norm1(c), norm2(c) {}
  Tensor operator()(Tensor x) { return relu(x + norm2(conv2(relu(norm1(conv1(x)))))); }
  D16_MEMBERS(conv1, conv2, norm1, norm2)
};

struct SqueezeExcite : nn::Module {  // Hu et al. 2018, arXiv:1709.01507
  nn::Linear fc1, fc2;
  SqueezeExcite(int c, int r) : fc1(c, c / r), fc2(c / r, c) {}
  Tensor operator()(Tensor x) { return x * sigmoid(fc2(relu(fc1(mean(x, {axis::H, axis::W}))))); }
  D16_MEMBERS(fc1, fc2)
};

struct Up : nn::Module {  // one step of a U-Net's decoder
  nn::ConvTranspose2d up;
  nn::Conv2d conv;
  Up(int in, int out) : up(in, out), conv(2 * out, out) {}
  Tensor operator()(Tensor x, Tensor skip) { return relu(conv(concat({up(x), skip}, axis::C))); }
  D16_MEMBERS(up, conv)
};

struct Forgetful : nn::Module {
  nn::Linear first, second;
  Forgetful() : first(2, 2), second(2, 2) {}
  Tensor operator()(Tensor x) { return second(first(x)); }
  D16_MEMBERS(first)
};

int main() {
  std::printf("Modules of one's own are stages like any other.\n");
  nn::Sequential net{nn::LiftConv2d(D16, 3, 4), Residual(D16, 4), group_max_pool, SqueezeExcite(4, 2), global_avg_pool};
  for (nn::Named const& named : net.named_parameters())
    std::printf("  %-18s %lld\n", named.name.c_str(), static_cast<long long>(named.tensor.numel()));
  check(net.named_parameters()[2].name == "1.conv1.weight", "names are paths through the members");
  check(net(uniform({2, 8, 8, 3})).shape() == Shape{2, 4}, "the network runs");

  std::printf("A module may take more than one tensor.\n");
  Up up(8, 4);
  check(up(uniform({1, 4, 4, 8}), uniform({1, 8, 8, 4})).shape() == Shape{1, 8, 8, 4}, "up(x, skip)");

  std::printf("A forgotten member would never be trained:\n");
  try {
    optim::AdamW opt(Forgetful().parameters());
    check(false, "that should have thrown");
  } catch (ValueError const& error) {
    std::printf("  %s\n", error.what());
  }
}
