// The subcommands of the tool: what each may be told, and the function that does it.
// Each says its result in words (say) and returns it as JSON for --json.
#pragma once
#include <string>
#include <vector>

#include "classify_highz.hpp"
#include "common.hpp"

namespace tool {

struct InfoOptions : Common {
  std::string file;
};
struct SimulateOptions : Common {
  std::string out;
  int64_t count = 24, size = 64;
  std::string format = "fits";
};
struct TrainOptions : Common {
  std::string data, labels, out;
  std::string model = "equivariant", group = "D4";
  std::vector<int64_t> widths;
  int64_t size = 64, crop = 0, epochs = 20, batch = 64, latent = 16, limit = 0;
  double lr = 1e-3, weight_decay = 1e-4, beta = 0.01, minutes = 0;
  bool resume = false, recompute = false;
  std::string precision = "float32";
  int64_t accumulate = 1;
};
struct EvaluateOptions : Common {
  std::string weights, data, labels, against;
  int64_t limit = 0;
};
/// What `classify`, `denoise` and `run` share.
struct InputOptions : Common {
  std::string input, out;
  std::vector<std::string> bands;
  double zoom = 1;
};
struct DenoiseOptions : InputOptions {
  std::string weights;
};
struct ClassifyOptions : InputOptions {
  std::string weights, system = "disk";
  HighzChoices highz = {};  ///< for the system highz only
};
struct RunOptions : InputOptions {
  std::string denoiser, classifier;
  bool raw = false;  ///< p_disk is that of the raw image
};
struct CheckOptions : Common {
  std::string weights, input, out;
  int64_t size = 0;  ///< 0: as the network was trained
};

Json info(InfoOptions const& o);
Json simulate(SimulateOptions const& o);
Json train_disk(TrainOptions const& o);
Json train_denoise(TrainOptions const& o);
Json evaluate(EvaluateOptions const& o);
Json denoise(DenoiseOptions const& o);
Json classify(ClassifyOptions const& o);
Json run(RunOptions const& o);
Json check_equivariance(CheckOptions const& o);

}  // namespace tool
