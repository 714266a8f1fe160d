// What all optimisers share: parameters, the numbers of a step on the device, and a state that a checkpoint can keep.
#pragma once
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "../autograd/tape.hpp"
#include "../core/dispatch.hpp"
#include "../kernels/cpu/optimiser.hpp"
#include "../kernels/reference/optimiser.hpp"
#include "../ops/reduce.hpp"
#include "../ops/unary.hpp"

namespace d16::optim {

template <class T> constinit Slot<kernels::BeginStep<T>> begin_step_slot{
    "begin_step",
    {kernels::cpu::begin_step<T>, kernels::cpu::begin_step_work_bytes<T>},
    {kernels::reference::begin_step<T>},
    {},
    {}};

namespace detail {

/// The numbers of StepState as a tensor of a device.
constexpr int64_t state_size = sizeof(kernels::StepState) / sizeof(double);
static_assert(state_size * sizeof(double) == sizeof(kernels::StepState));

inline Tensor state_tensor(kernels::StepState const& s, Device device) {
  std::vector<double> numbers(static_cast<size_t>(state_size));
  std::memcpy(numbers.data(), &s, sizeof s);
  return from(numbers, {state_size}, {.device = device});
}
/// Of a GPU the host waits for it.
inline kernels::StepState read_state(Tensor const& state) {
  kernels::StepState s;
  copy_bytes(Device(), &s, state.device(), state.data<double>(), sizeof s);
  return s;
}
inline kernels::StepState* at(Tensor const& state) {
  return reinterpret_cast<kernels::StepState*>(state.data<double>());
}

/// The state of step `step`, gradients as they are.
inline kernels::StepState state_of_step(int64_t step, double lr, double beta1, double beta2) {
  kernels::StepState s{.lr = lr, .step = double(step - 1)};
  kernels::reference::begin_step(s, beta1, beta2, 0, 0);
  return s;
}

/// Parameters as kernels see them. Undefined averages are null; `kept` holds the gradients as long as this lives.
template <class T> struct ParameterList {
  std::vector<kernels::Parameter<T>> list;
  std::vector<Tensor> kept;

  void add(Tensor const& value, Tensor const& gradient, Tensor const& first = {}, Tensor const& second = {}) {
    kept.push_back(gradient.contiguous());
    list.push_back({kept.back().data<T>(), value.data<T>(), first.data<T>(), second.data<T>(), value.numel()});
  }
  template <class Args> Args& give(Args& a) const {
    a.parameters = list.data(), a.count = int(list.size());
    return a;
  }
};

/// All tensors of one optimiser are worked on together: they have to be in one place and of one type.
inline void check_together(char const* who, std::vector<Tensor> const& parameters) {
  for (Tensor const& p : parameters) {
    Tensor const& first = parameters[0];
    require<DeviceError>(p.device() == first.device(), who, ": parameters on ", first.device(), " and ", p.device(),
                         "; move the whole network by to()");
    require<DTypeError>(p.dtype() == first.dtype(), who, ": parameters of ", name_of(first.dtype()), " and ",
                        name_of(p.dtype()), "; make an optimiser for each type");
  }
}

inline std::string no_length(double length) {
  return text("clip_grad_norm: the gradient's length is ", length,
              "; lower the learning rate or look for NaN in the data");
}

}  // namespace detail

/// The length of all gradients as one vector; where it is longer than `longest`, they are scaled to that length.
/// Cost     one pass in float64; of a GPU the host waits for the length.     Deterministic  yes.
/// Aliasing none: the gradients are replaced.
/// Errors   ValueError unless longest > 0 and the length is finite; DeviceError, DTypeError for parameters of several
///          devices or types.
/// Source   Pascanu et al. 2013, arXiv:1211.5063.
inline double clip_grad_norm(std::vector<Tensor> const& parameters, double longest) {
  require<ValueError>(longest > 0, "clip_grad_norm: the longest is ", longest, "; it must be positive");
  detail::check_together("clip_grad_norm", parameters);
  NoGrad off;
  if (parameters.empty()) return 0;
  Tensor const state = detail::state_tensor({}, parameters[0].device());
  for_float(parameters[0].dtype(), [&]<class T>(T) {
    detail::ParameterList<T> all;
    for (Tensor const& p : parameters)
      if (p.grad().defined()) all.add(p, p.grad());
    kernels::BeginStep<T> a{.longest = longest, .state = detail::at(state)};
    run(begin_step_slot<T>, parameters[0].device(), all.give(a));
  });
  kernels::StepState const measured = detail::read_state(state);
  require<ValueError>(std::isfinite(measured.scale), detail::no_length(measured.length));
  if (measured.scale == 1) return measured.length;
  for (Tensor const& p : parameters)
    if (p.grad().defined()) {
      Tensor scaled = p.grad() * measured.scale;  // not in place: two gradients may share memory
      p.zero_grad();
      Tape::accumulate(p, scaled);
    }
  return measured.length;
}

/// Base of the optimisers. After loss.backward(), step() applies the gradients and clears them. The number of the step,
/// the learning rate and the length of the gradients lie on the device of the parameters: a step there waits for nothing,
/// and can be captured (cuda/captured_step.hpp).
class Optimiser {
 public:
  explicit Optimiser(std::vector<Tensor> parameters, double lr) : parameters_(std::move(parameters)), lr_(lr) {
    require<ValueError>(!parameters_.empty(), "optimiser: no parameters; give net.parameters()");
    for (Tensor const& p : parameters_)
      require<ValueError>(p.requires_grad() && p.is_contiguous(), "optimiser: a tensor of shape ", p.shape(),
                          " does not require a gradient or is a view; give net.parameters()");
    detail::check_together("optimiser", parameters_);
    state_ = detail::state_tensor({.lr = lr}, device());
  }
  Optimiser(Optimiser&&) = default;
  virtual ~Optimiser() = default;

  /// Applies the gradients, then clears them. A parameter without a gradient stays as it is.
  /// Errors   ValueError when no parameter has one, or, with clip(), when their length is not finite: on cuda and
  ///          cuda_emulated such a step does nothing and check() tells of it later.
  void step() {
    NoGrad off;
    std::vector<size_t> used;
    for (size_t i = 0; i < parameters_.size(); ++i)
      if (parameters_[i].grad().defined()) used.push_back(i);
    require<ValueError>(!used.empty(), "optimiser: step() without gradients; call loss.backward() first");
    update(used);
    for (size_t i : used) {
      parameters_[i].mark_changed();
      parameters_[i].zero_grad();
    }
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
  /// Errors   ValueError when a step since the last check() did nothing, because its gradients had no finite length.
  void check() {
    double const idle = detail::read_state(state_).idle;
    double const since = idle - std::exchange(idle_, idle);
    require<ValueError>(since == 0, "optimiser: in ", since,
                        " steps the gradient's length was not finite, and they changed nothing; lower the learning "
                        "rate or look for NaN in the data");
  }

  double lr() const { return lr_; }
  /// Not inside of a captured step: before it.
  void set_lr(double lr) {
    if (lr == lr_) return;
    store_bytes(device(), &detail::at(state_)->lr, &lr, sizeof lr);
    lr_ = lr;
  }
  /// Of a GPU the host waits for it.
  int64_t steps() const { return int64_t(detail::read_state(state_).step); }
  Device device() const { return parameters_[0].device(); }
  std::vector<Tensor> const& parameters() const { return parameters_; }

  /// The running averages, "m.0", "v.0", "m.1", ...: with steps(), all that the next step depends on.
  struct State {
    std::string name;
    Tensor tensor;
  };
  virtual std::vector<State> state() const = 0;
  /// Copies of a state taken from an optimiser of the same kind and parameters, on any device.
  /// Errors   WeightsError when a name or shape differs.
  void restore(std::vector<State> const& saved, int64_t steps) {
    NoGrad off;
    std::vector<State> mine = state();
    require<WeightsError>(saved.size() == mine.size(), "optimiser: the state has ", saved.size(),
                          " tensors, this one needs ", mine.size(),
                          "; resume with the optimiser and network of the first run");
    for (size_t i = 0; i < mine.size(); ++i) {
      Tensor const& from = saved[i].tensor;
      Tensor const& to = mine[i].tensor;
      bool same = saved[i].name == mine[i].name && from.shape() == to.shape() && from.dtype() == to.dtype();
      require<WeightsError>(same, "optimiser: the state has ", saved[i].name, " ", from.shape(), " where ",
                            mine[i].name, " ", to.shape(),
                            " is needed; resume with the optimiser and network of the first run");
      to.assign(from);
    }
    double const step = double(steps);
    store_bytes(device(), &detail::at(state_)->step, &step, sizeof step);
  }

 protected:
  /// The step of the parameters with these numbers, in two calls of kernels: begin() and its own.
  virtual void update(std::vector<size_t> const& used) = 0;

  template <class T> void begin(detail::ParameterList<T> const& all, double beta1 = 0, double beta2 = 0) {
    kernels::BeginStep<T> a{.beta1 = beta1, .beta2 = beta2, .longest = longest_gradient_, .state = detail::at(state_)};
    run(begin_step_slot<T>, device(), all.give(a));
    state_.mark_changed();
    bool const here = device().kind == Device::Kind::cpu || device().kind == Device::Kind::reference;
    if (!here || std::isfinite(detail::at(state_)->scale)) return;
    kernels::StepState& s = *detail::at(state_);
    s.step -= 1, s.idle -= 1;
    throw ValueError(detail::no_length(s.length));
  }
  kernels::StepState const* numbers() const { return detail::at(state_); }
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
  double lr_;
  Tensor state_;
  double longest_gradient_ = 0, idle_ = 0;
};

}  // namespace d16::optim
