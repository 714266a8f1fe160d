// Lesson 4: training. An equivariant classifier learns spirals from ellipticals on simulated images, in seconds.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <d16/d16.hpp>

using namespace d16;

static void check(bool condition, char const* what) {
  std::printf("  %s %s\n", condition ? "yes:" : "NO: ", what);
  if (!condition) std::exit(1);
}

struct Galaxies {
  Tensor images, labels;  // (N,S,S,1) in [0,1]; 0 elliptical, 1 spiral
};

/// Exponential profiles with noise; spirals have two arms at a random angle, winding to the left or to the right.
Galaxies simulate(int64_t count, uint64_t seed) {
  int64_t const side = 24;
  Galaxies out{empty({count, side, side, 1}), empty({count}, {.dtype = DType::i64})};
  Random random(seed);
  float* pixel = out.images.data<float>();
  for (int64_t n = 0; n < count; ++n) {
    bool spiral = random.integer(2) == 1;
    out.labels.data<int64_t>()[n] = spiral;
    double turn = random.uniform(0, 6.28), winding = random.integer(2) ? 1.6 : -1.6, middle = 0.5 * (side - 1);
    for (int64_t i = 0; i < side; ++i)
      for (int64_t j = 0; j < side; ++j) {
        double x = double(j) - middle, y = middle - double(i), r = std::hypot(x, y) / (0.2 * side);
        double arms = spiral && r > 0.6 ? 1 + std::cos(2 * (std::atan2(y, x) - turn) + winding * r) : 1;
        *pixel++ = float(std::clamp(0.8 * std::exp(-r) * arms + 0.04 * random.normal(), 0.0, 1.0));
      }
  }
  return out;
}

double accuracy(nn::Sequential& net, Galaxies const& data) {
  NoGrad off;
  net.eval();
  Tensor predicted = argmax(net(data.images), 1);
  net.train();
  auto p = predicted.host<int64_t>(), truth = data.labels.host<int64_t>();
  double right = 0;
  for (size_t i = 0; i < p.size(); ++i) right += p[i] == truth[i];
  return right / double(p.size());
}

int main() {
  manual_seed(4);
  Galaxies train = simulate(160, 1), test = simulate(200, 2);
  constexpr Group g = dihedral(4);  // 4 turns, 4 mirrors
  nn::Sequential net{nn::LiftConv2d(g, 1, 4, {.kernel = 5}),
                     nn::InnerBatchNorm(4),
                     relu,
                     nn::BlurPool(),
                     nn::GroupConv2d(g, 4, 6),
                     nn::InnerBatchNorm(6),
                     relu,
                     group_max_pool,
                     global_avg_pool,
                     nn::Linear(6, 2)};
  std::printf("%lld weights, %lld training images.\n", static_cast<long long>(net.weight_count()),
              static_cast<long long>(train.images.dim(0)));

  optim::AdamW opt(net.parameters(), {.lr = 1e-2});
  int64_t const batch = 32;
  for (int epoch = 1; epoch <= 10; ++epoch) {
    double loss_sum = 0;
    for (int64_t i = 0; i < train.images.dim(0); i += batch) {
      Tensor loss = cross_entropy(net(train.images.slice(0, i, i + batch)), train.labels.slice(0, i, i + batch));
      loss_sum += loss.item();
      loss.backward();
      opt.step();  // applies the gradients, then clears them
    }
    if (epoch % 2 == 0)
      std::printf("  epoch %2d  loss %.3f  accuracy on new images %.3f\n", epoch, loss_sum / 5, accuracy(net, test));
  }
  check(accuracy(net, test) > 0.95, "more than 95 % of new galaxies are right");
}
