// Module: what a layer or a network is, how its weights get their names, and the check that none was forgotten.
#pragma once
#include <cctype>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../autograd/tape.hpp"
#include "../io/json.hpp"
#include "../kernels/precision.hpp"

namespace d16::nn {

namespace detail {

/// Knows where it lives: every module, parameter and buffer is one, so that D16_MEMBERS can tell which of them lie
/// inside an object but were not listed.
class Part {
 public:
  Part() {
    edit([this](auto& all) { all.insert(this); });
  }
  Part(Part const&) : Part() {}
  Part& operator=(Part const&) { return *this; }
  ~Part() {
    edit([this](auto& all) { all.erase(this); });
  }

  /// All parts whose address is in [begin, end).
  static std::vector<void const*> between(void const* begin, void const* end) {
    std::vector<void const*> found;
    edit([&](auto& all) { found.assign(all.lower_bound(begin), all.lower_bound(end)); });
    return found;
  }

 private:
  struct Registry {
    std::mutex mutex;
    std::set<void const*> all;
  };
  static Registry& registry() {
    static Registry& parts = *new Registry;  // outlives networks with static storage
    return parts;
  }
  template <class F> static void edit(F const& change) {
    std::lock_guard lock(registry().mutex);
    change(registry().all);
  }
};

}  // namespace detail

/// A weight that an optimiser may change: a tensor that requires a gradient. Undefined when a layer does without it.
class Parameter : public Tensor, private detail::Part {
 public:
  Parameter() = default;
  Parameter(Tensor values) { *this = std::move(values); }
  Parameter(Parameter&& other) : Tensor(std::move(other)) {}
  Parameter& operator=(Parameter&& other) { return Tensor::operator=(std::move(other)), *this; }
  Parameter& operator=(Tensor values) {
    Tensor::operator=(values.defined() ? values.detach() : values);
    if (defined()) set_requires_grad();
    return *this;
  }
  detail::Part const* part() const { return this; }
};

/// Numbers that are saved with the weights but have no gradient: running statistics.
class Buffer : public Tensor, private detail::Part {
 public:
  Buffer() = default;
  Buffer(Tensor values) : Tensor(std::move(values)) {}
  Buffer(Buffer&& other) : Tensor(std::move(other)) {}
  Buffer& operator=(Buffer&& other) { return Tensor::operator=(std::move(other)), *this; }
  Buffer& operator=(Tensor values) { return Tensor::operator=(std::move(values)), *this; }
  detail::Part const* part() const { return this; }
};

class Module;

/// A walk over a tree of modules: what to do with each module and with each parameter or buffer, by its path.
struct Walk {
  std::function<void(Module&)> module = [](Module&) {};
  std::function<void(std::string const& path, Tensor&, bool trainable)> tensor = [](std::string const&, Tensor&, bool) {
  };
  std::string path{};  ///< of the module being visited, with a dot at its end

  void visit(std::string_view name, Module& m);
  void visit(std::string_view name, Parameter& p) { leaf(name, p, true); }
  void visit(std::string_view name, Buffer& b) { leaf(name, b, false); }
  template <class M> void visit(std::string_view name, std::optional<M>& m) {
    if (m) visit(name, *m);
  }

 private:
  void leaf(std::string_view name, Tensor& t, bool trainable) {
    if (t.defined()) tensor(path + std::string(name), t, trainable);
  }
};

/// A tensor and its path in a network, as in "encoder.conv1.weight".
struct Named {
  std::string name;
  Tensor tensor;
};

/// Base of layers and networks. Members are values; any operator(); one macro gives the weights their names:
///   struct Residual : nn::Module {
///     nn::Conv2d conv1, conv2;
///     explicit Residual(int c) : conv1(c, c), conv2(c, c) {}
///     Tensor operator()(Tensor x) { return relu(x + conv2(relu(conv1(x)))); }
///     D16_MEMBERS(conv1, conv2)  // "conv1.weight"
///   };
/// Members may be modules, Parameter, Buffer, std::optional of these and nn::List. A member that is not listed is an
/// error when the tree is first walked, that is when an optimiser, save or load asks for the weights; a class without
/// D16_MEMBERS does not compile. Move-only: a copied network would share its weights unseen.
class Module : private detail::Part {
 public:
  Module() = default;
  Module(Module&&) = default;
  Module& operator=(Module&&) = default;
  virtual ~Module() = default;

  /// Written by D16_MEMBERS.
  virtual void visit_members(Walk& walk) = 0;
  /// The group of the features that this very layer makes or takes; none for layers that work with any.
  virtual Group layer_group() const { return {}; }

  /// How nn::build makes this module again (without its weights); null when it cannot.
  virtual io::Json describe() const { return {}; }

  /// What an optimiser needs: all parameters that require a gradient, in the order of the members.
  std::vector<Tensor> parameters() {
    std::vector<Tensor> out;
    for (Named const& p : named_parameters())
      if (p.tensor.requires_grad()) out.push_back(p.tensor);
    return out;
  }
  std::vector<Named> named_parameters() { return collect(true, false); }
  std::vector<Named> named_buffers() { return collect(false, true); }
  std::vector<Named> named_tensors() { return collect(true, true); }  ///< both: what a file of weights holds

  int64_t weight_count() {
    int64_t count = 0;
    for (Named const& p : named_parameters()) count += p.tensor.numel();
    return count;
  }

  /// In training, batch norms use the batch and dropout drops; in evaluation neither. A new module is in training.
  void train(bool on = true) {
    walk([on](Module& m) { m.training_ = on; });
  }
  void eval() { train(false); }
  bool training() const { return training_; }

  void zero_grad() {
    for (Named const& p : named_parameters()) p.tensor.zero_grad();
  }
  /// Frozen: no gradient is computed for the parameters, no optimiser sees them.
  void freeze(bool on = true) {
    for (Named& p : named_parameters()) p.tensor.set_requires_grad(!on);
  }
  /// Moves the weights; give them to an optimiser afterwards only.
  void to(Device device) {
    NoGrad off;
    Walk walk;
    walk.tensor = [device](std::string const&, Tensor& t, bool trainable) {
      bool wanted = trainable && t.requires_grad();
      t = t.detach().to(device);
      t.set_requires_grad(wanted);
    };
    walk.visit("", *this);
  }

  /// In which numbers the network computes from now on; weights, their gradients, statistics, losses and optimisers stay
  /// float32 in any case.
  ///   float32   nothing is rounded
  ///   tf32      what layers multiply is rounded, where the device has units for that (kernels/precision.hpp)
  ///   bfloat16  the networks of this library store their features so, from behind the input to the head, which is
  ///             float32 again: for CUDA devices and the reference
  /// A network of one's own casts its features itself: layers compute in what they are given.
  void compute_in(kernels::Precision p) {
    using kernels::Precision;
    walk([p](Module& m) {
      m.features_ = p == Precision::bfloat16 ? DType::bf16 : DType::f32;
      m.round_factors(p == Precision::tf32 ? p : Precision::float32);
    });
  }

  /// The group of the features in the network; none when it has no group layer.
  /// Errors   GroupError when its layers are of more than one.
  Group group() {
    Group found;
    walk([&](Module& m) {
      Group g = m.layer_group();
      require<GroupError>(!g || !found || g == found, "network: one layer is ", found, ", another ", g,
                          "; all layers need one group");
      if (g) found = g;
    });
    return found;
  }

  /// Calls f(Module&) for this module and all inside it.
  void walk(std::function<void(Module&)> f) {
    Walk walk;
    walk.module = std::move(f);
    walk.visit("", *this);
  }

  detail::Part const* part() const { return this; }

 protected:
  /// Layers with products round what they multiply.
  virtual void round_factors(kernels::Precision) {}
  /// Between input and head, as compute_in() says; float64 stays as it is.
  Tensor as_features(Tensor x) const { return x.dtype() == DType::f32 ? x.cast(features_) : x; }
  /// For a head, or a loss.
  static Tensor from_features(Tensor x) { return x.cast(weight_dtype(x.dtype())); }

 private:
  std::vector<Named> collect(bool parameters, bool buffers) {
    std::vector<Named> out;
    Walk walk;
    walk.tensor = [&](std::string const& path, Tensor& t, bool trainable) {
      if (trainable ? parameters : buffers) out.push_back({path, t});
    };
    walk.visit("", *this);
    return out;
  }

  bool training_ = true;
  DType features_ = DType::f32;
};

inline void Walk::visit(std::string_view name, Module& m) {
  size_t length = path.size();
  if (!name.empty()) path.append(name).append(1, '.');
  module(m);
  m.visit_members(*this);
  path.resize(length);
}

/// Modules of one type, as many as wanted: "blocks.0.conv.weight".
template <class M> class List : public Module {
 public:
  List() = default;
  template <class... A> M& add(A&&... arguments) { return items_.emplace_back(std::forward<A>(arguments)...); }
  M& operator[](size_t i) { return items_[i]; }
  size_t size() const { return items_.size(); }
  auto begin() { return items_.begin(); }
  auto end() { return items_.end(); }
  void visit_members(Walk& walk) override {
    for (size_t i = 0; i < items_.size(); ++i) walk.visit(std::to_string(i), items_[i]);
  }

 private:
  std::vector<M> items_;
};

namespace detail {

struct Span {
  void const *begin, *end;
  bool holds(void const* p) const { return !std::less<>()(p, begin) && std::less<>()(p, end); }
};

/// "conv1, norm_" -> the first name; the rest stays. A trailing underscore is not part of a path.
inline std::string next_name(std::string_view& names) {
  std::string name(names.substr(0, names.find(',')));
  names.remove_prefix(std::min(names.size(), name.size() + 1));
  std::erase_if(name, [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; });
  while (!name.empty() && name.back() == '_') name.pop_back();
  return name;
}

/// Visits the listed members; throws when a part that lies inside the object belongs to none of them.
template <class Self, class... Members>
void visit_members(Walk& walk, Self& self, char const* list, Members&... members) {
  std::vector<Span> listed{{&members, &members + 1}...};
  char const* begin = reinterpret_cast<char const*>(&self);
  for (void const* part : Part::between(begin, begin + sizeof(Self))) {
    bool covered = part == self.part();
    for (Span const& span : listed) covered = covered || span.holds(part);
    require<ValueError>(covered, "D16_MEMBERS(", list, "): this ", sizeof(Self), "-byte object has another module, ",
                        "parameter or buffer at byte ", static_cast<char const*>(part) - begin,
                        ", which would not be trained or saved; list it");
  }
  [[maybe_unused]] std::string_view names = list;
  (walk.visit(next_name(names), members), ...);
}

}  // namespace detail
}  // namespace d16::nn

/// Lists the members of a module that hold weights: D16_MEMBERS(conv1, norm1). Write D16_MEMBERS() when it has none.
#define D16_MEMBERS(...)                                                                     \
  void visit_members(::d16::nn::Walk& walk_) override {                                      \
    ::d16::nn::detail::visit_members(walk_, *this, #__VA_ARGS__ __VA_OPT__(, ) __VA_ARGS__); \
  }
