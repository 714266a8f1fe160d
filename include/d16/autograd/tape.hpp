// The gradient graph: what ops record, and the walk back through it.
#pragma once
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "../core/tensor.hpp"

namespace d16 {

Tensor operator+(Tensor a, Tensor b);  // ops/arithmetic.hpp: sums gradients

/// While one of these lives, ops on this thread record nothing.
class NoGrad {
 public:
  NoGrad() : before_(off()) { off() = true; }
  ~NoGrad() { off() = before_; }
  NoGrad(NoGrad const&) = delete;
  NoGrad& operator=(NoGrad const&) = delete;
  static bool& off() {
    static thread_local bool flag = false;
    return flag;
  }

 private:
  bool before_;
};

/// From dy, which is contiguous, the gradients of all inputs, which may be views. An undefined tensor stands for zero;
/// where needed[i] is false it is ignored.
using Pullback = std::function<std::vector<Tensor>(Tensor dy, std::vector<bool> const& needed)>;

struct Node;

/// A result that is relu((x - mean) scale + shift), field by field: whoever reads it may read x instead.
struct Rectified {
  Tensor x, norm;  ///< norm (3,C): means, scales, shifts
};

/// Where the gradient of an input goes: to the node that made it, or to a leaf. The values of an input are not kept here:
/// a pullback that needs them captures them.
struct Edge {
  Shape shape;
  std::shared_ptr<Node> node;
  Tensor leaf;
};

/// One recorded op. Nodes are numbered in the order of recording, so falling order is a valid order of the way back.
struct Node {
  uint64_t number;
  char const* name;
  std::vector<Edge> inputs;
  std::vector<bool> needed;
  Pullback pullback;
  std::function<Tensor()> again;               ///< the result once more, where computing it is cheaper than keeping it
  std::shared_ptr<Rectified const> rectified;  ///< and what it is made of, where it is that
  /// The version counters of inputs and result, and what they were.
  std::vector<std::pair<std::shared_ptr<std::atomic<uint32_t>>, uint32_t>> versions;
};

/// The part of autograd that may see inside a Tensor.
struct Tape {
  static std::shared_ptr<Node> const& node(Tensor const& x) { return x.body().node; }
  static void attach(Tensor& y, std::shared_ptr<Node> node) { y.body().node = std::move(node); }
  /// Of any type: a bfloat16 feature has a gradient on its way to the weights.
  static void want_gradient(Tensor& x, bool on) { x.body().requires_grad = on; }
  static auto version(Tensor const& x) { return x.body().storage->version; }
  static void accumulate(Tensor const& leaf, Tensor const& gradient) {
    Tensor before = leaf.grad();
    leaf.body().grad = (before.defined() ? before + gradient : gradient.contiguous().detach()).body_;
  }
  static Edge edge(Tensor const& x) { return {x.shape(), node(x), node(x) ? Tensor() : x}; }
  /// Ops that need y on the way back will call again() instead of keeping it.
  static void recompute(Tensor const& y, std::function<Tensor()> again, std::shared_ptr<Rectified const> made_of = {}) {
    if (!node(y)) return;
    node(y)->again = std::move(again);
    node(y)->rectified = std::move(made_of);
  }
  /// What x is made of, or null.
  static std::shared_ptr<Rectified const> rectified(Tensor const& x) { return node(x) ? node(x)->rectified : nullptr; }
  static uint64_t next_number() {
    static std::atomic<uint64_t> count{0};
    return ++count;
  }
};

/// An input as a pullback keeps it: the tensor, or how its op computes it again.
class Saved {
 public:
  explicit Saved(Tensor const& x) {
    if (x.defined() && Tape::node(x) && Tape::node(x)->again) again_ = Tape::node(x)->again;
    else x_ = x;
  }
  Tensor operator()() const { return again_ ? again_() : x_; }

 private:
  Tensor x_;
  std::function<Tensor()> again_;
};

/// One input of an op and how its gradient follows from dy, where it wants one. Without gradient it still has to stay as
/// it is until the way back: the other pullbacks may need its values.
struct Wrt {
  Tensor input;
  std::function<Tensor(Tensor)> pull;
};
template <class F> Wrt wrt(Tensor const& input, F pull) {
  if (NoGrad::off()) return {};
  if (!input.requires_grad()) return {input, {}};
  return {input, std::move(pull)};
}

/// Records a joint pullback: for ops that compute the gradients of several inputs in one pass.
/// Capture shapes, inputs or y.detach(), never y: a node that holds its own result would never be freed.
inline Tensor record(char const* name, Tensor y, std::vector<Tensor> inputs, Pullback pullback) {
  std::vector<bool> needed;
  bool any = false;
  for (Tensor const& input : inputs) {
    needed.push_back(!NoGrad::off() && input.requires_grad());
    any = any || needed.back();
  }
  if (!any) return y;
  auto node = std::make_shared<Node>();
  node->number = Tape::next_number();
  node->name = name;
  node->needed = std::move(needed);
  node->pullback = std::move(pullback);
  for (Tensor const& input : inputs)
    if (input.defined()) node->versions.emplace_back(Tape::version(input), Tape::version(input)->load());
  node->versions.emplace_back(Tape::version(y), Tape::version(y)->load());
  for (size_t i = 0; i < inputs.size(); ++i) node->inputs.push_back(node->needed[i] ? Tape::edge(inputs[i]) : Edge{});
  Tape::attach(y, std::move(node));
  return y;
}

/// Records one pullback per input: record("conv2d", y, wrt(x, ...), wrt(w, ...)).
template <class... More> Tensor record(char const* name, Tensor y, Wrt first, More... more) {
  std::vector<Tensor> inputs;
  std::vector<std::function<Tensor(Tensor)>> pulls;
  for (Wrt* w : {&first, &more...})
    if (w->input.defined()) {
      inputs.push_back(std::move(w->input));
      pulls.push_back(std::move(w->pull));
    }
  return record(name, y, std::move(inputs), [pulls = std::move(pulls)](Tensor dy, std::vector<bool> const& needed) {
    std::vector<Tensor> gradients;
    for (size_t i = 0; i < pulls.size(); ++i) gradients.push_back(needed[i] ? pulls[i](dy) : Tensor());
    return gradients;
  });
}

inline void Tensor::backward(Tensor seed) const {
  require<GradError>(requires_grad(),
                     "backward: nothing was recorded; no input required a gradient, or NoGrad was alive. "
                     "Second derivatives are not supported");
  if (!seed.defined()) {
    require<GradError>(numel() == 1, "backward: from a tensor of shape ", shape(), " a seed of that shape is needed");
    seed = ones(shape(), like());
  }
  require<ShapeError>(seed.shape() == shape(), "backward: seed is ", seed.shape(), ", the tensor is ", shape());
  NoGrad off;
  using Pending = std::pair<std::shared_ptr<Node>, Tensor>;
  std::map<uint64_t, Pending, std::greater<>> pending;  // the youngest node first
  auto deliver = [&](Edge const& input, Tensor gradient) {
    require<GradError>(gradient.shape() == input.shape, "backward: a gradient is ", gradient.shape(),
                       " for an input of ", input.shape);
    if (!input.node) return Tape::accumulate(input.leaf, gradient);
    Pending& slot = pending[input.node->number];
    slot.first = input.node;
    slot.second = slot.second.defined() ? slot.second + gradient : std::move(gradient);
  };
  deliver(Tape::edge(*this), std::move(seed));
  while (!pending.empty()) {
    auto [node, dy] = std::move(pending.begin()->second);
    pending.erase(pending.begin());
    require<GradError>(node->pullback != nullptr, "backward: the graph of ", node->name,
                       " was freed by an earlier backward");
    if (!dy.is_contiguous()) dy = dy.contiguous();  // a slice that no other gradient was added to
    for (auto const& [version, recorded] : node->versions)
      require<GradError>(*version == recorded, "backward: a tensor that ", node->name, " needs was changed in place");
    std::vector<Tensor> gradients = node->pullback(std::move(dy), node->needed);
    for (size_t i = 0; i < gradients.size(); ++i)
      if (node->needed[i] && gradients[i].defined()) deliver(node->inputs[i], std::move(gradients[i]));
    node->pullback = nullptr, node->again = nullptr, node->rectified = nullptr;  // frees what was saved
    node->inputs.clear();
  }
}

inline Tensor Tensor::with_group(Group group) const {
  Tensor y = view(shape(), strides(), 0);
  y.body().group = group;
  Group before = this->group();
  return record("with_group", y, wrt(*this, [before](Tensor dy) { return dy.with_group(before); }));
}

}  // namespace d16
