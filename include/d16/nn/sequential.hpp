// Sequential: stages one after the other, where a stage is anything that makes a tensor from a tensor.
#pragma once
#include <memory>
#include <typeinfo>

#include "../ops/group_pool.hpp"
#include "../ops/reduce.hpp"
#include "../ops/softmax.hpp"
#include "../ops/unary.hpp"
#include "module.hpp"

namespace d16::nn {

namespace detail {
using PlainFunction = Tensor (*)(Tensor);
struct NamedFunction {
  char const* name;
  PlainFunction call;
};
/// The functions that a description can name.
inline std::vector<NamedFunction> const& known_functions() {
  static std::vector<NamedFunction> const known{{"relu", relu},
                                                {"sigmoid", sigmoid},
                                                {"silu", silu},
                                                {"tanh", tanh},
                                                {"softplus", softplus},
                                                {"group_max_pool", group_max_pool},
                                                {"group_mean_pool", group_mean_pool},
                                                {"global_avg_pool", global_avg_pool}};
  return known;
}
}  // namespace detail

/// Any callable Tensor -> Tensor, owned: a module, a layer without weights, a function, a lambda. A network made from a
/// description (nn/build.hpp) is one too.
class Stage {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Stage>) Stage(F&& callable)
      : held_(std::make_unique<Holder<std::decay_t<F>>>(std::forward<F>(callable))) {}

  Tensor operator()(Tensor x) { return held_->call(std::move(x)); }
  /// The module that it is, or null for a stage without weights.
  Module* module() { return held_->module(); }
  io::Json describe() const { return held_->describe(); }
  /// The callable as what it was, or null when it is of another type: stage.as<nn::UNetVae>().
  template <class F> F* as() {
    auto* holder = dynamic_cast<Holder<F>*>(held_.get());
    return holder ? &holder->callable : nullptr;
  }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual Tensor call(Tensor x) = 0;
    virtual Module* module() = 0;
    virtual io::Json describe() const = 0;
  };
  template <class F> struct Holder final : Base {
    F callable;
    template <class A> explicit Holder(A&& a) : callable(std::forward<A>(a)) {}
    Tensor call(Tensor x) override { return callable(std::move(x)); }
    Module* module() override {
      if constexpr (std::is_base_of_v<Module, F>) return &callable;
      else return nullptr;
    }
    io::Json describe() const override {
      if constexpr (std::is_same_v<F, detail::PlainFunction>) {
        for (auto const& known : detail::known_functions())
          if (known.call == callable) return io::Json::object({{"type", known.name}});
        return {};
      } else if constexpr (requires { callable.describe(); }) {
        return callable.describe();
      } else {
        return {};
      }
    }
  };
  std::unique_ptr<Base> held_;
};

/// nn::Sequential net{nn::Conv2d(3, 8), relu, nn::MaxPool(), global_avg_pool, nn::Linear(8, 2)};
/// Weights are named by the number of their stage, as in PyTorch: "0.weight", "4.bias".
class Sequential : public Module {
 public:
  Sequential() = default;
  Sequential(Sequential&&) = default;
  Sequential& operator=(Sequential&&) = default;
  template <class... F>
  requires(sizeof...(F) > 1 || (... && !std::is_same_v<std::remove_cvref_t<F>, Sequential>)) Sequential(F&&... stages) {
    (add(std::forward<F>(stages)), ...);
  }

  template <class F> void add(F&& stage) { stages_.emplace_back(std::forward<F>(stage)); }
  size_t size() const { return stages_.size(); }
  Stage& operator[](size_t i) { return stages_[i]; }

  /// The size H, W, C of images that it is for; also learnt from each image that it sees.
  void set_input(std::vector<int64_t> size) { input_ = std::move(size); }

  Tensor operator()(Tensor x) {
    if (x.rank() == 4) input_ = {x.dim(1), x.dim(2), x.dim(3)};
    for (Stage& stage : stages_) x = stage(std::move(x));
    return x;
  }

  void visit_members(Walk& walk) override {
    for (size_t i = 0; i < stages_.size(); ++i)
      if (Module* m = stages_[i].module()) walk.visit(std::to_string(i), *m);
  }
  /// The stages, and the size of its images; null when a stage is a lambda or a module of one's own.
  io::Json describe() const override {
    io::Json list = io::Json::Array();
    for (Stage const& stage : stages_) {
      list.push_back(stage.describe());
      if (list.array().back().is_null()) return {};
    }
    io::Json out = io::Json::object({{"type", "sequential"}, {"stages", std::move(list)}});
    if (!input_.empty()) out["input"] = input_;
    return out;
  }

 private:
  std::vector<Stage> stages_;
  std::vector<int64_t> input_;  ///< H, W, C
};

}  // namespace d16::nn
