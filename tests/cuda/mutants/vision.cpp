// HOG, the asinh stretch, levels of bands and augmentation, for tests/cuda/mutations.sh.
#include <d16/kernels/cuda/augment.cuh>
#include <d16/kernels/cuda/band_levels.cuh>
#include <d16/kernels/cuda/hog.cuh>
#include <d16/kernels/cuda/stretch.cuh>
#include <d16/kernels/reference/augment.hpp>
#include <d16/kernels/reference/band_levels.hpp>
#include <d16/kernels/reference/hog.hpp>
#include <d16/kernels/reference/stretch.hpp>

#include "suite.hpp"

using namespace d16;
using namespace d16::mutants;

namespace {

/// Pictures for more blocks than a launch has: some have a second one. The thread sanitizer takes half a millisecond for
/// each CUDA thread, and gets less.
constexpr int64_t pictures = kernels::emulator::tsan ? 3 : 70;

/// 56 cells of 4 x 5 pixels, 51 of which a block of threads counts at once; several bins for each member of a team.
void gradients() {
  kernels::Hog<float> a{.N = pictures, .H = 33, .W = 35, .cell_h = 4, .cell_w = 5, .block_h = 2, .block_w = 2};
  std::vector<float> x(size_t(pictures) * 33 * 35);
  Random random(1);  // whole numbers that repeat have gradients that do, which a norm hides
  for (float& v : x) v = float(random.uniform());
  std::vector<float> y(size_t(pictures * a.features()), NAN), expected = y;
  a.x = x.data();
  a.y = y.data(), kernels::hog(a);
  a.y = expected.data(), kernels::reference::hog(a);
  compare("hog", y, expected, 1e-6);  // values below 1, rounded to float32
}

void stretches() {
  std::vector<kernels::StretchBand> const bands{{1, 2, 0.5, 3}, {-1, 1, 0.25, 2}, {0, 3, 1, 4}};
  auto const x = whole_numbers<float>(8200, 1);
  std::vector<float> y(x.size(), NAN), expected = y;
  kernels::Stretch<float> a{.n = 8200, .C = 3, .bands = bands.data(), .x = x.data()};
  a.y = y.data(), kernels::stretch(a);
  a.y = expected.data(), kernels::reference::stretch(a);
  compare("stretch", y, expected, 1e-6);  // eight roundings of numbers of order 1
}

void levels() {
  kernels::BandLevels<float> a{.pixels = 1300, .C = 2};
  auto x = whole_numbers<float>(2600, 1);
  for (size_t i = 0; i < x.size(); i += 91) x[i] = 50;
  std::vector<kernels::Levels> got(2), expected(2);
  a.x = x.data();
  a.levels = got.data(), kernels::band_levels(a);
  a.levels = expected.data(), kernels::reference::band_levels(a);
  for (size_t c = 0; c < 2; ++c) {
    kernels::Levels const &l = got[c], &e = expected[c];
    compare("band_levels", std::vector{l.count, l.lowest, l.highest, l.bright, l.median, l.std},
            {e.count, e.lowest, e.highest, e.bright, e.median, e.std}, 1e-10);  // a thousand terms in double
  }
}

void augmentation(kernels::AugmentRule rule) {
  kernels::Augment a{.N = pictures, .H = 21, .W = 21, .C = 3, .P = 20, .Q = 20};
  std::vector<double> const sigma{0.5, 1, 2};
  a.rule = rule, a.seed = 7, a.shift = 1.5, a.zoom = 0.1;
  if (rule == kernels::AugmentRule::bands) a.noise = sigma.data(), a.drop = 0.5, a.zoom = 0;
  auto const x = whole_numbers<float>(size_t(a.N * a.H * a.W * a.C), 1);
  std::vector<float> const valid(size_t(a.N * a.C), 1.0f);
  std::vector<float> y(size_t(a.N * a.P * a.Q * a.C), NAN), expected = y, stays(valid.size(), NAN),
                                                            stays_expected = stays;
  a.x = x.data(), a.valid = valid.data();
  a.y = y.data(), a.valid_out = stays.data(), kernels::augment(a);
  a.y = expected.data(), a.valid_out = stays_expected.data(), kernels::reference::augment(a);
  compare("augment", y, expected, 1e-5);  // a dozen roundings of pixels below 5 and noise below 14
  compare("augment: bands", stays, stays_expected);
}

}  // namespace

int main(int count, char** words) {
  return run(count, words,
             {{"hog", gradients},
              {"stretch", stretches},
              {"levels", levels},
              {"items", [] { augmentation(kernels::AugmentRule::items); }},
              {"bands", [] { augmentation(kernels::AugmentRule::bands); }}});
}
