// Predictor: a file of weights as a function from images to scores, for programs that embed d16.
#pragma once
#include <span>

#include "../io/checkpoint.hpp"
#include "../ops/softmax.hpp"

namespace d16 {

struct PredictorOptions {
  int batch = 1;    ///< images per pass
  int threads = 0;  ///< of the whole process; 0 leaves the number as it is
  Device device = {};
  int height = 0, width = 0;  ///< of the images; 0: as the file says
};

/// Predictor predict("disk.safetensors", {.batch = 1, .threads = 1});
/// predict(images, scores);  // spans of float32, N,H,W,C in [0,1]
/// A classifier gives probabilities (N,classes), a denoiser images (N,H,W,C). The constructor runs one batch of black
/// images, so that a call takes no memory from the system that an earlier one has not taken already.
/// One per thread. Errors   as load_network(); ShapeError for spans of a wrong size.
class Predictor {
 public:
  explicit Predictor(std::string const& path, PredictorOptions o = {}) : loaded_(load_network(path)), options_(o) {
    if (o.threads > 0) set_threads(o.threads);
    require<ValueError>(o.batch > 0, "Predictor: batch is ", o.batch, "; it needs 1 or more");
    input_ = input_shape(path);
    if (o.device != Device()) loaded_.net.module()->to(o.device);
    output_ = run(zeros(input_, {.device = o.device})).shape();
  }

  /// (batch, H, W, C) and (batch, classes) or (batch, H, W, C).
  Shape input() const { return input_; }
  Shape output() const { return output_; }
  io::Json const& about() const { return loaded_.about; }
  io::Json const& network() const { return loaded_.network; }
  /// The network itself, in evaluation and on the device, for what only some can do: stage().as<nn::UNetVae>().
  nn::Stage& stage() { return loaded_.net; }

  /// Any number of images; the sizes of the spans must agree.
  void operator()(std::span<float const> images, std::span<float> scores) {
    int64_t in = input_.numel() / input_[0], out = output_.numel() / output_[0], count = int64_t(images.size()) / in;
    require<ShapeError>(count > 0 && count * in == int64_t(images.size()), "Predictor: ", images.size(),
                        " values in; a multiple of ", in, " is needed, an image is (", input_[1], ",", input_[2], ",",
                        input_[3], ")");
    require<ShapeError>(count * out == int64_t(scores.size()), "Predictor: room for ", scores.size(), " values out; ",
                        count, " images give ", count * out);
    for (int64_t first = 0; first < count; first += options_.batch) {
      Shape shape = input_;
      shape[0] = std::min<int64_t>(options_.batch, count - first);
      // the ops only read it
      Tensor x = wrap(const_cast<float*>(images.data()) + first * in, shape);
      Tensor y = run(x.to(options_.device)).to(Device()).contiguous();
      auto values = y.host<float>();
      std::copy(values.begin(), values.end(), scores.begin() + first * out);
    }
  }
  /// The same for a tensor (N,H,W,C).
  Tensor operator()(Tensor images) { return run(images.to(options_.device)); }

 private:
  Tensor run(Tensor x) {
    NoGrad off;
    Tensor y = loaded_.net(x);
    return y.rank() == 2 ? softmax(y, 1) : y;
  }
  Shape input_shape(std::string const& path) const {
    nn::detail::Fields network(loaded_.network);
    std::vector<int> trained = network.list("input", {});  // H, W, C
    if (trained.empty() && network.json.has("size"))
      trained = {network.required("size"), network.required("size"), network.required("channels")};
    require<WeightsError>(trained.size() == 3, path,
                          ": does not say which images it was trained on; run the network once before save()");
    Shape shape{options_.batch, options_.height ? options_.height : trained[0],
                options_.width ? options_.width : trained[1], trained[2]};
    require<ValueError>(shape[1] > 0 && shape[2] > 0, "Predictor: height ", shape[1], ", width ", shape[2],
                        "; both must be positive");
    require<WeightsError>(shape.numel() / options_.batch <= int64_t(1) << 28, path, ": is for images of ", shape[1],
                          " x ", shape[2], " x ", shape[3], " values, more than any picture has");
    return shape;
  }

  LoadedNetwork loaded_;
  PredictorOptions options_;
  Shape input_, output_;
};

}  // namespace d16
