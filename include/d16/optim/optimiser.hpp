// What all optimisers share: parameters, the step counter, and a state that a checkpoint can keep.
#pragma once
#include <cmath>
#include <string>
#include <vector>

#include "../autograd/tape.hpp"
#include "../ops/reduce.hpp"
#include "../ops/unary.hpp"

namespace d16::optim {

/// The length of all gradients as one vector; where it is longer than `longest`, they are scaled to that length.
/// Cost     one pass in float64.     Deterministic  yes.     Aliasing  none: the gradients are replaced.
/// Errors   ValueError unless longest > 0 and the length is finite.
/// Source   Pascanu et al. 2013, arXiv:1211.5063.
inline double clip_grad_norm(std::vector<Tensor> const& parameters, double longest) {
  require<ValueError>(longest > 0, "clip_grad_norm: the longest is ", longest, "; it must be positive");
  NoGrad off;
  double squares = 0;
  for (Tensor const& p : parameters)
    if (p.grad().defined()) squares += sum(square(p.grad().cast(DType::f64))).item();
  double const length = std::sqrt(squares);
  require<ValueError>(std::isfinite(length), "clip_grad_norm: the gradient's length is ", length,
                      "; lower the learning rate or look for NaN in the data");
  if (length <= longest) return length;
  for (Tensor const& p : parameters)
    if (p.grad().defined()) {
      Tensor scaled = p.grad() * (longest / length);  // not in place: two gradients may share memory
      p.zero_grad();
      Tape::accumulate(p, scaled);
    }
  return length;
}

/// Base of the optimisers. After loss.backward(), step() applies the gradients and clears them.
class Optimiser {
 public:
  explicit Optimiser(std::vector<Tensor> parameters) : parameters_(std::move(parameters)) {
    require<ValueError>(!parameters_.empty(), "optimiser: no parameters; give net.parameters()");
    for (Tensor const& p : parameters_)
      require<ValueError>(p.requires_grad() && p.is_contiguous(), "optimiser: a tensor of shape ", p.shape(),
                          " does not require a gradient or is a view; give net.parameters()");
  }
  Optimiser(Optimiser&&) = default;
  virtual ~Optimiser() = default;

  /// Applies the gradients, then clears them. A parameter without a gradient stays as it is.
  /// Errors   ValueError when no parameter has one.
  void step() {
    NoGrad off;
    if (longest_gradient_ > 0) clip_grad_norm(parameters_, longest_gradient_);
    ++steps_;
    bool any = false;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      Tensor& p = parameters_[i];
      if (!p.grad().defined()) continue;
      any = true;
      update(i, p, p.grad().contiguous());
      p.mark_changed();
      p.zero_grad();
    }
    require<ValueError>(any, "optimiser: step() without gradients; call loss.backward() first");
  }
  void zero_grad() {
    for (Tensor& p : parameters_) p.zero_grad();
  }

  /// From now on each step() begins with clip_grad_norm(parameters(), longest); 0: as the gradients are.
  /// Errors   ValueError below 0.
  void clip(double longest) {
    require<ValueError>(longest >= 0, "optimiser: clip(", longest, "); it needs 0 or more");
    longest_gradient_ = longest;
  }

  virtual double lr() const = 0;
  virtual void set_lr(double lr) = 0;
  int64_t steps() const { return steps_; }
  std::vector<Tensor> const& parameters() const { return parameters_; }

  /// The running averages, "m.0", "v.0", "m.1", ...: with steps(), all that the next step depends on.
  struct State {
    std::string name;
    Tensor tensor;
  };
  virtual std::vector<State> state() const = 0;
  /// Copies of a state taken from an optimiser of the same kind and parameters.
  /// Errors   WeightsError when a name or shape differs.
  void restore(std::vector<State> const& saved, int64_t steps) {
    NoGrad off;
    std::vector<State> mine = state();
    require<WeightsError>(saved.size() == mine.size(), "optimiser: the state has ", saved.size(),
                          " tensors, this one needs ", mine.size(),
                          "; resume with the optimiser and network of the first run");
    for (size_t i = 0; i < mine.size(); ++i) {
      Tensor const& from = saved[i].tensor;
      Tensor to = mine[i].tensor;
      bool same = saved[i].name == mine[i].name && from.shape() == to.shape() && from.dtype() == to.dtype();
      require<WeightsError>(same, "optimiser: the state has ", saved[i].name, " ", from.shape(), " where ",
                            mine[i].name, " ", to.shape(),
                            " is needed; resume with the optimiser and network of the first run");
      for_dtype(to.dtype(), [&]<class T>(T) {
        auto source = from.host<T>(), target = to.host<T>();
        std::copy(source.begin(), source.end(), target.begin());
      });
    }
    steps_ = steps;
  }

 protected:
  virtual void update(size_t index, Tensor& parameter, Tensor gradient) = 0;
  /// One tensor of zeros for each parameter.
  std::vector<Tensor> zeros_like_parameters() const {
    std::vector<Tensor> out;
    for (Tensor const& p : parameters_) out.push_back(zeros_like(p));
    return out;
  }
  static void append(std::vector<State>& out, std::string const& name, std::vector<Tensor> const& tensors) {
    for (size_t i = 0; i < tensors.size(); ++i) out.push_back({name + "." + std::to_string(i), tensors[i]});
  }

 private:
  std::vector<Tensor> parameters_;
  int64_t steps_ = 0;
  double longest_gradient_ = 0;
};

}  // namespace d16::optim
