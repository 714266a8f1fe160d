// CapturedStep: a training step that a GPU runs as one CUDA graph, instead of being told each kernel by the host.
#pragma once
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "../core/tensor.hpp"
#include "../ops/views.hpp"

namespace d16::cuda {

struct CapturedStepOptions {
  int most_shapes = 4;  ///< of inputs: each combination has a graph and memory of its own
};

/// CapturedStep step("cuda", [&](std::vector<Tensor> const& in) {
///   Tensor loss = cross_entropy(net(in[0]), in[1]);
///   loss.backward();
///   optimiser.step();
///   return loss;
/// });
/// for (auto& [image, label] : loader) meter.add(step({image, label}));
///
/// With inputs of given shapes the first call runs the step op by op; the second captures it, and this and all later
/// calls replay the graph: one launch, no allocation, and the same numbers as op by op. What changes from step to step
/// lies in memory of the device: inputs (copied into tensors of the graph), the number of the step and the learning rate
/// of an optimiser, the streams of random numbers. Everything else is as it was when it was captured: shapes, options,
/// which parameters have gradients, whether the network is in training.
///
/// The step may do on its device what ops with kernels do, and nothing else. DeviceError says so for item(), host(),
/// copies from or to another device, ops on another device, random numbers made by the host, set_lr(), and for freeing
/// tensors that were made before the step. The host reads what a step returns after it has returned.
///
/// On cuda_emulated a graph is the list of launches with their arguments, replayed by the emulator: whatever a graph would
/// not see does not happen there either. On cpu and reference there are no graphs: each call runs the step.
///
/// Errors   DeviceError as above; ValueError for more shapes of inputs than options.most_shapes; what the step throws.
class CapturedStep {
 public:
  using Step = std::function<Tensor(std::vector<Tensor> const& inputs)>;

  CapturedStep(Device device, Step step, CapturedStepOptions o = {})
      : device_(device), step_(std::move(step)), options_(o) {
    require<ValueError>(o.most_shapes > 0, "CapturedStep: most_shapes is ", o.most_shapes, "; it needs 1 or more");
  }
  CapturedStep(CapturedStep const&) = delete;
  CapturedStep& operator=(CapturedStep const&) = delete;

  /// What the step returns: a loss, on its device. The next call with inputs of these shapes writes over it. Inputs may
  /// be on any device; labels of int64 too.
  Tensor operator()(std::vector<Tensor> const& inputs) {
    if (!machine_of(device_).new_graph) return run(on_device(inputs));
    Plan& plan = plan_for(inputs);
    Entered entered(plan);
    for (size_t i = 0; i < inputs.size(); ++i) plan.inputs[i].assign(inputs[i].detach().contiguous());
    if (plan.calls++ == 0) return plan.output = run(plan.inputs);
    if (plan.stale()) capture(plan);
    else follow(plan);
    machine_of(device_).replay(plan.graph.get());
    return plan.output;
  }

  /// How many graphs there are: one for each combination of shapes that was seen twice.
  int graphs() const {
    int count = 0;
    for (auto const& plan : plans_) count += plan->captured;
    return count;
  }

 private:
  struct FreeGraph {
    Device device;
    void operator()(void* graph) const noexcept { machine_of(device).free_graph(graph); }
  };
  /// For inputs of some shapes: the graph, and what belongs to it. Tensors go before the graph whose memory they have.
  struct Plan {
    std::unique_ptr<void, FreeGraph> graph;
    std::vector<Tensor> inputs;
    Tensor output, random_offset;
    std::vector<std::shared_ptr<std::atomic<uint32_t>>> changed;
    uint64_t seed = 0, first_draw = 0, draws = 0;
    int64_t calls = 0;
    bool captured = false;

    bool stale() const { return !captured || seed != default_generator().seed; }
  };
  /// The memory and the stream of a graph, for new tensors and kernels.
  struct Entered {
    Plan& plan;
    explicit Entered(Plan& p) : plan(p) { machine_of(plan.graph.get_deleter().device).enter_graph(plan.graph.get()); }
    ~Entered() { machine_of(plan.graph.get_deleter().device).leave_graph(plan.graph.get()); }
    Entered(Entered const&) = delete;
    Entered& operator=(Entered const&) = delete;
  };
  /// Ends a capture that an exception leaves.
  struct Recording {
    Machine const& machine;
    void* graph;
    bool finished = false;
    Recording(Device device, void* g, Capture& capture) : machine(machine_of(device)), graph(g) {
      machine.begin_capture(graph);
      Capture::active() = &capture;
    }
    void finish() {
      Capture::active() = nullptr;
      finished = true;
      machine.end_capture(graph);
    }
    ~Recording() {
      if (finished) return;
      Capture::active() = nullptr;
      machine.abandon_capture(graph);
    }
    Recording(Recording const&) = delete;
    Recording& operator=(Recording const&) = delete;
  };

  static bool fits(Plan const& plan, std::vector<Tensor> const& inputs) {
    if (plan.inputs.size() != inputs.size()) return false;
    for (size_t i = 0; i < inputs.size(); ++i)
      if (!(plan.inputs[i].shape() == inputs[i].shape()) || plan.inputs[i].dtype() != inputs[i].dtype() ||
          !(plan.inputs[i].group() == inputs[i].group()))
        return false;
    return true;
  }
  Plan& plan_for(std::vector<Tensor> const& inputs) {
    for (auto const& plan : plans_)
      if (fits(*plan, inputs)) return *plan;
    require<ValueError>(int(plans_.size()) < options_.most_shapes, "CapturedStep: inputs of ", plans_.size() + 1,
                        " shapes, at most ", options_.most_shapes,
                        " have a graph; leave batches out that are not full, or raise most_shapes");
    auto plan = std::make_unique<Plan>();
    plan->graph = {machine_of(device_).new_graph(device_.index), FreeGraph{device_}};
    Entered entered(*plan);
    for (Tensor const& x : inputs) plan->inputs.push_back(empty(x.shape(), {x.dtype(), device_, x.group()}));
    plan->random_offset = zeros({1}, {.dtype = DType::i64, .device = device_});
    plans_.push_back(std::move(plan));
    return *plans_.back();
  }

  std::vector<Tensor> on_device(std::vector<Tensor> const& inputs) const {
    std::vector<Tensor> there;
    for (Tensor const& x : inputs) there.push_back(x.to(device_));
    return there;
  }
  Tensor run(std::vector<Tensor> const& inputs) const {
    Tensor output = step_(inputs);
    return output.defined() ? output.detach() : output;
  }

  /// Records what the step asks for. The draws of random numbers go on as if it had run.
  void capture(Plan& plan) {
    Generator& random = default_generator();
    plan.captured = false;
    plan.output = {};
    plan.seed = random.seed, plan.first_draw = random.draws;
    tell_offset(plan, 0);
    Capture capture{.device = device_, .random_offset = offset_of(plan)};
    Recording recording(device_, plan.graph.get(), capture);
    Tensor output = run(plan.inputs);
    recording.finish();
    plan.output = output;
    plan.changed = std::move(capture.changed);
    plan.draws = random.draws - plan.first_draw;
    plan.captured = true;
  }
  /// Brings everything that a replay does not touch to where running the step would have brought it.
  void follow(Plan& plan) {
    Generator& random = default_generator();
    tell_offset(plan, random.draws - plan.first_draw);
    random.draws += plan.draws;
    for (auto const& version : plan.changed) ++*version;
  }
  static uint64_t* offset_of(Plan const& plan) {
    return reinterpret_cast<uint64_t*>(plan.random_offset.data<int64_t>());
  }
  void tell_offset(Plan& plan, uint64_t offset) { store_bytes(device_, offset_of(plan), &offset, sizeof offset); }

  Device device_;
  Step step_;
  CapturedStepOptions options_;
  std::vector<std::unique_ptr<Plan>> plans_;
};

}  // namespace d16::cuda
