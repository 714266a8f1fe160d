// Conformance runners of the group ops.
#pragma once
#include <memory>

#include <d16/group/steerable_filter.hpp>
#include <d16/ops/antialiased_avg_pool.hpp>
#include <d16/ops/group_conv2d.hpp>
#include <d16/ops/group_pool.hpp>
#include <d16/ops/inner_batch_norm.hpp>

#include "case.hpp"
#include "layout.hpp"

namespace d16::conform {

inline std::vector<double> doubles(Tensor x) {
  Tensor wide = x.detach().to("cpu").cast(DType::f64).contiguous();
  auto values = wide.host<double>();
  return {values.begin(), values.end()};
}

inline bool regular(io::Json const& attrs, char const* key) {
  std::string const& name = attrs.string(key);
  require<ValueError>(name == "regular" || name == "trivial", "attribute ", key, " is ", name);
  return name == "regular";
}

/// The file holds the expanded filter: its weights are found by least squares, and the gradient of the weights becomes
/// that of the filter, projected on the equivariant filters: expand((A^T A)^+ dw).
inline Outcome run_group_conv2d(Run& r) {
  io::Json const& attrs = r.attrs();
  Group g = group(attrs);
  int kernel = int(attrs.integer("kernel"));
  bool from = regular(attrs, "in_repr"), to = regular(attrs, "out_repr");
  require<ValueError>(from || to, "a group convolution from trivial to trivial is an ordinary one");
  Sides sides = from && to ? Sides::regular : to ? Sides::lifting : Sides::projecting;
  Rings rings{list<double>(attrs, "rings"), list<double>(attrs, "sigmas"), list<int>(attrs, "max_freqs")};

  Tensor dense = r.in("filter");
  int Co = int(dense.dim(0)) / (to ? g.order() : 1), Ci = int(dense.dim(1)) / (from ? g.order() : 1);
  auto basis = shared_basis(g, kernel, rings);
  auto filter = std::make_shared<SteerableFilter>(basis, sides, Co, Ci);
  SteerableFilter::Fit fit = filter->fit(doubles(dense));
  require<ValueError>(fit.residual <= 1e-5 * fit.norm, "the filter is not equivariant: ", fit.residual, " of ",
                      fit.norm, " is outside of the span");
  Shape shape{Co, Ci, basis->V};
  if (sides == Sides::regular) shape.push_back(g.order());
  Tensor w = d16::from(fit.weights, shape).cast(DType::f32).to(r.device()).detach().set_requires_grad();

  GroupConv2dOptions o{.kernel = kernel,
                       .stride = int(attrs.integer("stride")),
                       .padding = int(attrs.integer("padding")),
                       .rings = rings,
                       .path = r.path()};
  Tensor x = from ? to_features(r.in("x"), g) : to_engine(r.in("x")), bias = r.optional("bias");
  Tensor y = sides == Sides::regular   ? from_features(group_conv2d(g, x, w, bias, o))
             : sides == Sides::lifting ? from_features(lift_conv2d(g, x, w, bias, o))
                                       : to_file(project_conv2d(g, x, w, bias, o));
  auto projected = [=] { return d16::from(filter->expand(filter->solve_gram(doubles(w.grad()))), dense.shape()); };
  return {{{"y", y}}, {{"filter", projected}}};
}

inline Outcome run_group_max_pool(Run& r) {
  return {{{"y", to_file(group_max_pool(to_features(r.in("x"), group(r.attrs()))))}}};
}
inline Outcome run_group_mean_pool(Run& r) {
  return {{{"y", to_file(group_mean_pool(to_features(r.in("x"), group(r.attrs()))))}}};
}

inline Outcome run_inner_batch_norm(Run& r) {
  Tensor mean = r.in("running_mean"), var = r.in("running_var");
  BatchNormOptions o{.training = r.attrs().boolean("training"),
                     .eps = number(r.attrs(), "eps", 1e-5),
                     .momentum = number(r.attrs(), "momentum", 0.1)};
  Tensor y = inner_batch_norm(to_features(r.in("x"), group(r.attrs())), r.in("weight"), r.in("bias"), mean, var, o);
  return {{{"y", from_features(y)}, {"running_mean", mean}, {"running_var", var}}};
}

inline Outcome run_antialiased_avg_pool(Run& r) {
  AntialiasedAvgPoolOptions o{.sigma = r.attrs().number("sigma"),
                              .kernel = int(r.attrs().integer("kernel")),
                              .stride = int(r.attrs().integer("stride")),
                              .padding = int(r.attrs().integer("padding"))};
  return {{{"y", to_file(antialiased_avg_pool(to_engine(r.in("x")), o))}}};
}

inline OpTable group_ops() {
  return {{"group_conv2d", {run_group_conv2d}},
          {"group_max_pool", {run_group_max_pool}},
          {"group_mean_pool", {run_group_mean_pool}},
          {"inner_batch_norm", {run_inner_batch_norm}},
          {"antialiased_avg_pool", {run_antialiased_avg_pool}}};
}

}  // namespace d16::conform
