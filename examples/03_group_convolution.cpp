// Lesson 3: the group convolution. Turn the image, and the features turn along: the same numbers at other places.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <d16/d16.hpp>

using namespace d16;

static void check(bool condition, char const* what) {
  std::printf("  %s %s\n", condition ? "yes:" : "NO: ", what);
  if (!condition) std::exit(1);
}

/// Images (N,S,S,C) turned counter-clockwise by 90 degrees: out[i,j] = in[j, S-1-i].
Tensor quarter_turn(Tensor const& x) {
  int64_t S = x.dim(axis::H), C = x.dim(axis::C);
  Tensor y = empty_like(x);
  auto in = x.host<float>(), out = y.host<float>();
  for (int64_t i = 0; i < S; ++i)
    for (int64_t j = 0; j < S; ++j)
      for (int64_t c = 0; c < C; ++c) out[size_t((i * S + j) * C + c)] = in[size_t((j * S + S - 1 - i) * C + c)];
  return y;
}
/// What that turn does to features (1,S,S,C,G): it moves the pixels as above, and element h of the group to turn * h.
Tensor quarter_turn_of_features(Tensor const& f, int turn) {
  Group g = f.group();
  int64_t S = f.dim(axis::H), C = f.dim(axis::C);
  Tensor moved = quarter_turn(f.reshape({1, S, S, C * g.order()}).with_group({}));
  Tensor y = empty_like(f);
  auto in = moved.host<float>(), out = y.host<float>();
  for (int64_t pixel_channel = 0; pixel_channel < S * S * C; ++pixel_channel)
    for (int h = 0; h < g.order(); ++h)
      out[size_t(pixel_channel * g.order() + g.product(turn, h))] = in[size_t(pixel_channel * g.order() + h)];
  return y;
}

int main() {
  constexpr Group g = D16;
  std::printf("D16 = %s has %d elements: 8 turns by 45 degrees, and each with a mirror.\n", g.text().c_str(),
              g.order());
  check(g.product(g.inverse(3), 3) == 0, "element 3 undone is element 0, which does nothing");

  std::printf("A lifting convolution looks at the image with its filter in all %d positions.\n", g.order());
  manual_seed(16);
  nn::LiftConv2d lift(g, 1, 4, {.kernel = 5});
  nn::GroupConv2d conv(g, 4, 4);
  NoGrad off;
  Tensor image = uniform({1, 21, 21, 1});
  Tensor features = conv(relu(lift(image)));
  std::printf("  features %s of %s\n", features.shape().text().c_str(), features.group().text().c_str());

  std::printf("Turn the image by 90 degrees (element 2), or turn the features: the result is the same.\n");
  Tensor of_turned = conv(relu(lift(quarter_turn(image))));
  double difference = max(abs(of_turned - quarter_turn_of_features(features, 2))).item(),
         size = max(abs(features)).item();
  std::printf("  largest difference %.1e, largest feature %.2f\n", difference, size);
  check(difference < 1e-5 * size, "features(turn(image)) = turn(features(image))");
  double wrong = max(abs(of_turned - quarter_turn_of_features(features, 1))).item();
  check(wrong > 0.1 * size, "that is no accident: the turn by 45 degrees does not fit");

  std::printf("Forget the position on the axis G, then the place: what is left does not see the turn at all.\n");
  Tensor a = global_avg_pool(group_max_pool(features)), b = global_avg_pool(group_max_pool(of_turned));
  check(max(abs(a - b)).item() < 1e-5 * size, "the pooled features of both images are equal");

  std::printf("Weights: a free convolution between the same channels has many more.\n");
  nn::Conv2d free_conv(4 * g.order(), 4 * g.order());
  std::printf("  %lld against %lld\n", static_cast<long long>(conv.weight_count()),
              static_cast<long long>(free_conv.weight_count()));
  check(conv.weight_count() * 20 < free_conv.weight_count(), "less than a twentieth of the weights");
}
