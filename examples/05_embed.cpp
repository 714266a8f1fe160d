// Lesson 5: embedding. A file of weights is all that a program needs: network, sizes and notes are in it.
#include <cstdio>
#include <cstdlib>
#include <d16/d16.hpp>

using namespace d16;

static void check(bool condition, char const* what) {
  std::printf("  %s %s\n", condition ? "yes:" : "NO: ", what);
  if (!condition) std::exit(1);
}

int main() {
  char const* folder = std::getenv("TMPDIR");
  std::string path =
      text(folder ? folder : "/tmp", "/d16-lesson-5-", reinterpret_cast<uintptr_t>(&folder), ".safetensors");

  std::printf("Somebody trains a network and saves it.\n");
  {
    manual_seed(5);
    nn::EquivariantClassifier net({.input = {.size = 32, .channels = 3}, .group = dihedral(4), .widths = {4, 8}});
    save(net, path, io::Json::object({{"classes", io::Json::array({"elliptical", "disk"})}, {"threshold", 0.5}}));
    std::printf("  %s\n", net.describe().dump().c_str());
  }

  std::printf("Somebody else has the file only.\n");
  Predictor predict(path, {.batch = 1, .threads = 1});
  std::printf("  input %s, output %s, classes %s\n", predict.input().text().c_str(), predict.output().text().c_str(),
              predict.about().at("classes").dump().c_str());
  static float image[32 * 32 * 3];  // N,H,W,C
  float score[2];
  for (int i = 0; i < 32 * 32 * 3; ++i) image[i] = float(i % 97) / 97;
  predict(image, score);
  std::printf("  elliptical %.3f, disk %.3f\n", score[0], score[1]);
  check(score[0] + score[1] > 0.99999f && score[0] + score[1] < 1.00001f, "scores are probabilities");

  std::printf("Once warm, it asks the system for no memory.\n");
  size_t before = host_arena().use().requests;
  for (int i = 0; i < 10; ++i) predict(image, score);
  check(host_arena().use().requests == before, "ten more calls, no request");

  std::printf("Weights of another network are refused:\n");
  nn::EquivariantClassifier other({.input = {.size = 32, .channels = 3}, .group = cyclic(8), .widths = {4, 8}});
  try {
    load(other, path);
    check(false, "that should have thrown");
  } catch (WeightsError const& error) {
    std::printf("  %s\n", error.what());
  }
  std::remove(path.c_str());
}
