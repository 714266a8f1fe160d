// Conformance runners of pointwise functions, arithmetic, reductions, views, padding, random ops and group actions.
#pragma once
#include <d16/ops/arithmetic.hpp>
#include <d16/ops/concat.hpp>
#include <d16/ops/group_action.hpp>
#include <d16/ops/pad2d.hpp>
#include <d16/ops/reduce.hpp>
#include <d16/ops/spatial_dropout.hpp>
#include <d16/ops/unary.hpp>

#include "case.hpp"
#include "dense.hpp"
#include "layout.hpp"

namespace d16::conform {

inline Outcome run_clamp(Run& r) {
  return {{{"y", clamp(r.in("x"), r.attrs().number("low"), r.attrs().number("high"))}}};
}

/// a op b, where either may be a number among the attributes.
template <class F> Op binary_op(F op) {
  return {[op](Run& r) {
    if (!r.has("a")) return Outcome{{{"y", op(r.attrs().number("a"), r.in("b"))}}};
    if (!r.has("b")) return Outcome{{{"y", op(r.in("a"), r.attrs().number("b"))}}};
    return Outcome{{{"y", op(r.in("a"), r.in("b"))}}};
  }};
}
inline Outcome run_minus(Run& r) {
  if (!r.has("b") && !r.attrs().has("b")) return {{{"y", -r.in("a")}}};
  return binary_op([](auto a, auto b) { return a - b; }).run(r);
}

/// over(x, axes, keep), or all(x) without axes.
template <class Over, class All> Op reduction_op(Over over, All all) {
  return {[=](Run& r) {
    if (!r.attrs().has("axes")) return Outcome{{{"y", all(r.in("x"))}}};
    auto const axes = list<int>(r.attrs(), "axes");
    require<ValueError>(axes.size() == 1 || axes.size() == 2, "attribute axes has ", axes.size(),
                        " numbers, not 1 or 2");
    Axes const chosen = axes.size() == 1 ? Axes(axes[0]) : Axes({axes[0], axes[1]});
    return Outcome{{{"y", over(r.in("x"), chosen, r.attrs().boolean("keep"))}}};
  }};
}
inline Outcome run_argmax(Run& r) { return {{{"y", argmax(r.in("x"), int(r.attrs().integer("axis")))}}}; }

inline Shape shape_of(io::Json const& attrs) {
  Shape shape;
  for (int64_t size : list<int64_t>(attrs, "shape")) shape.push_back(size);
  return shape;
}
inline Outcome run_sum_to(Run& r) { return {{{"y", sum_to(r.in("x"), shape_of(r.attrs()))}}}; }
inline Outcome run_global_avg_pool(Run& r) { return {{{"y", global_avg_pool(to_engine(r.in("x")))}}}; }

/// The inputs a, b, c ... as far as there are such.
inline Outcome run_concat(Run& r) {
  std::vector<Tensor> parts;
  for (char name = 'a'; r.has(std::string(1, name)); ++name) parts.push_back(r.in(std::string(1, name)));
  return {{{"y", concat(parts, int(r.attrs().integer("axis")))}}};
}
inline Outcome run_slice(Run& r) {
  io::Json const& a = r.attrs();
  return {{{"y", r.in("x").slice(int(a.integer("axis")), a.integer("begin"), a.integer("end"))}}};
}
inline Outcome run_select(Run& r) {
  return {{{"y", r.in("x").select(int(r.attrs().integer("axis")), r.attrs().integer("index"))}}};
}
inline Outcome run_permute(Run& r) {
  auto const order = list<int>(r.attrs(), "order");
  require<ValueError>(order.size() == 4, "attribute order has ", order.size(), " numbers; it needs 4");
  return {{{"y", r.in("x").permute({order[0], order[1], order[2], order[3]})}}};
}
/// A permuted view made contiguous.
inline Outcome run_contiguous(Run& r) {
  Tensor const view = run_permute(r).outputs.at("y");
  return {{{"y", view.contiguous()}}};
}
inline Outcome run_expand(Run& r) { return {{{"y", r.in("x").expand(shape_of(r.attrs()))}}}; }
inline Outcome run_reshape(Run& r) { return {{{"y", r.in("x").reshape(shape_of(r.attrs()))}}}; }
inline Outcome run_cast(Run& r) {
  std::string const& name = r.attrs().string("dtype");
  require<ValueError>(name == "bfloat16" || name == "int64", "attribute dtype is ", name);
  return {{{"y", r.in("x").cast(name == "bfloat16" ? DType::bf16 : DType::i64)}}};
}

inline Outcome run_pad2d(Run& r) {
  io::Json const& a = r.attrs();
  auto side = [&](char const* name) { return int(a.integer(name)); };
  Margins const margins{side("top"), side("bottom"), side("left"), side("right")};
  for (PaddingMode mode : {PaddingMode::zeros, PaddingMode::circular, PaddingMode::reflect})
    if (a.string("mode") == kernels::name_of(mode))
      return {{{"y", to_file(pad2d(to_engine(r.in("x")), margins, mode))}}};
  throw ValueError("attribute mode is " + a.string("mode"));
}

// The random ops take the first draw after a seed.
inline void seed(Run& r) { manual_seed(uint64_t(r.attrs().integer("seed"))); }
inline Outcome run_dropout(Run& r) {
  seed(r);
  return {{{"y", dropout(r.in("x"), r.attrs().number("p"))}}};
}
inline Outcome run_spatial_dropout(Run& r) {
  seed(r);
  return {{{"y", to_file(spatial_dropout(to_engine(r.in("x")), r.attrs().number("p")))}}};
}
inline Outcome run_reparameterise(Run& r) {
  seed(r);
  return {{{"y", reparameterise(r.in("mu"), r.in("logvar"))}}};
}

inline Outcome run_act(Run& r) {
  Group const g = group(r.attrs());
  int const element = int(r.attrs().integer("element"));
  if (r.attrs().string("repr") == "trivial") return {{{"y", to_file(act(g, element, to_engine(r.in("x"))))}}};
  return {{{"y", from_features(act(g, element, to_features(r.in("x"), g)))}}};
}
/// Of group features where the case names a group.
inline Outcome run_turn(Run& r) {
  Turn const t{r.attrs().number("degrees"), r.attrs().boolean("mirror")};
  if (!r.attrs().has("group")) return {{{"y", to_file(turn(to_engine(r.in("x")), t))}}};
  return {{{"y", from_features(turn(to_features(r.in("x"), group(r.attrs())), t))}}};
}

inline OpTable tensor_ops() {
  return {{"tanh", pointwise([](Tensor x) { return tanh(x); })},
          {"exp", pointwise([](Tensor x) { return exp(x); })},
          {"log", pointwise([](Tensor x) { return log(x); })},
          {"sqrt", pointwise([](Tensor x) { return sqrt(x); })},
          {"square", pointwise([](Tensor x) { return square(x); })},
          {"abs", pointwise([](Tensor x) { return abs(x); })},
          {"asinh", pointwise([](Tensor x) { return asinh(x); })},
          {"neg", pointwise([](Tensor x) { return neg(x); })},
          {"clamp", {run_clamp}},
          {"add", binary_op([](auto a, auto b) { return a + b; })},
          {"subtract", {run_minus}},
          {"multiply", binary_op([](auto a, auto b) { return a * b; })},
          {"divide", binary_op([](auto a, auto b) { return a / b; })},
          {"maximum", binary_op([](auto a, auto b) { return maximum(a, b); })},
          {"minimum", binary_op([](auto a, auto b) { return minimum(a, b); })},
          {"sum", reduction_op([](Tensor x, Axes axes, bool keep) { return sum(x, axes, keep); },
                               [](Tensor x) { return sum(x); })},
          {"mean", reduction_op([](Tensor x, Axes axes, bool keep) { return mean(x, axes, keep); },
                                [](Tensor x) { return mean(x); })},
          {"max", reduction_op([](Tensor x, Axes axes, bool keep) { return max(x, axes, keep); },
                               [](Tensor x) { return max(x); })},
          {"argmax", {run_argmax}},
          {"sum_to", {run_sum_to}},
          {"global_avg_pool", {run_global_avg_pool}},
          {"concat", {run_concat}},
          {"slice", {run_slice}},
          {"select", {run_select}},
          {"permute", {run_permute}},
          {"contiguous", {run_contiguous}},
          {"clone", {[](Run& r) {
             return Outcome{{{"y", r.in("x").clone()}}};
           }}},
          {"expand", {run_expand}},
          {"reshape", {run_reshape}},
          {"cast", {run_cast}},
          {"pad2d", {run_pad2d}},
          {"dropout", {run_dropout}},
          {"spatial_dropout", {run_spatial_dropout}},
          {"reparameterise", {run_reparameterise}},
          {"act", {run_act}},
          {"turn", {run_turn}}};
}

}  // namespace d16::conform
