// Convolutions that commute with a group of rotations and reflections: image -> features -> features -> image.
#pragma once
#include <memory>
#include <numeric>

#include "../autograd/tape.hpp"
#include "../core/dispatch.hpp"
#include "../group/steerable_basis.hpp"
#include "../kernels/cpu/group_conv2d.hpp"
#include "../kernels/reference/group_conv2d.hpp"
#include "pad2d.hpp"
#include "views.hpp"

namespace d16 {

struct GroupConv2dOptions {
  int kernel = 3, stride = 1, padding = 0, dilation = 1;
  PaddingMode padding_mode =
      PaddingMode::zeros;  ///< what lies beyond the image: zeros, its other end, its mirror image
  Rings rings = {};        ///< of the steerable basis; none means default_rings(kernel)
  kernels::Path path = kernels::Path::automatic;
  /// bfloat16 rounds what is multiplied on the fourier path to 8 bits, on processors with a matrix unit for it: errors of
  /// some 1e-3 of the largest value, forward and in the gradient of x. tf32 to 11 bits, on CUDA devices. For features in
  /// float32; those in bfloat16 meet weights in bfloat16 anyway.
  kernels::Precision precision = kernels::Precision::float32;
  Tensor moments = {};  ///< (2,Co) float64, written: mean and variance of the result for each field, for a batch norm
  // For inference. What follows the convolution is done while its result is written, y = relu(scale y + b).
  Tensor scale = {};  ///< (Co)
  bool relu = false;
  Tensor packed = {};  ///< the weights as pack_group_weights() gives them, instead of being packed in every call
  /// On CUDA devices layers in a row can leave features as their Fourier coefficients, in the order of irreps(group):
  /// then there is one transform for each value instead of one for each tile and block of fields that reads it. Such a
  /// tensor has the shape of features and no group tag, so that no other op takes it for them.
  bool x_coefficients = false, y_coefficients = false;
};

template <class T> constinit Slot<kernels::GroupConv2d<T>> group_conv2d_slot{
    "group_conv2d",
    {kernels::cpu::group_conv2d<T>, kernels::cpu::group_conv2d_work_bytes<T>},
    {kernels::reference::group_conv2d<T>},
    {},
    {}};
template <class T> constinit Slot<kernels::GroupConv2d<T>> group_conv2d_pack_slot{
    "group_conv2d_pack",
    {kernels::cpu::group_conv2d_pack<T>, kernels::cpu::group_conv2d_pack_work_bytes<T>},
    {},
    {},
    {}};
template <class T> constinit Slot<kernels::GroupConv2d<T>> group_conv2d_dx_slot{
    "group_conv2d_dx",
    {kernels::cpu::group_conv2d_dx<T>, kernels::cpu::group_conv2d_dx_work_bytes<T>},
    {kernels::reference::group_conv2d_dx<T>},
    {},
    {}};
template <class T> constinit Slot<kernels::GroupConv2d<T>> group_conv2d_dw_slot{
    "group_conv2d_dw",
    {kernels::cpu::group_conv2d_dw<T>, kernels::cpu::group_conv2d_dw_work_bytes<T>},
    {kernels::reference::group_conv2d_dw<T>},
    {},
    {}};
template <class T> constinit Slot<kernels::GroupConv2d<T>> group_conv2d_db_slot{
    "group_conv2d_db",
    {kernels::cpu::group_conv2d_db<T>, kernels::cpu::group_conv2d_db_work_bytes<T>},
    {kernels::reference::group_conv2d_db<T>},
    {},
    {}};

// bfloat16 features: for CUDA devices; the reference says what is right.
template <> constinit inline Slot<kernels::GroupConv2d<bf16>> group_conv2d_slot<bf16>{
    "group_conv2d", {}, {kernels::reference::group_conv2d<bf16>}, {}, {}};
template <>
constinit inline Slot<kernels::GroupConv2d<bf16>> group_conv2d_pack_slot<bf16>{"group_conv2d_pack", {}, {}, {}, {}};
template <> constinit inline Slot<kernels::GroupConv2d<bf16>> group_conv2d_dx_slot<bf16>{
    "group_conv2d_dx", {}, {kernels::reference::group_conv2d_dx<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::GroupConv2d<bf16>> group_conv2d_dw_slot<bf16>{
    "group_conv2d_dw", {}, {kernels::reference::group_conv2d_dw<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::GroupConv2d<bf16>> group_conv2d_db_slot<bf16>{
    "group_conv2d_db", {}, {kernels::reference::group_conv2d_db<bf16>}, {}, {}};

namespace detail {

using kernels::Wide;

/// What forward and gradients share: sizes, options and the basis.
struct GroupConv {
  char const* name;
  Group group;
  Sides sides;
  GroupConv2dOptions o;
  std::shared_ptr<SteerableBasis const> basis;
  Shape x, w, y;
  TensorOptions x_like, w_like;

  template <class T> kernels::GroupConv2d<T> args() const {
    kernels::GroupConv2d<T> a{.group = group, .sides = sides, .N = int(x[axis::N]), .H = int(x[axis::H])};
    a.W = int(x[axis::W]), a.Ci = int(x[axis::C]), a.Co = int(w[0]), a.V = basis->V;
    a.kernel = o.kernel, a.stride = o.stride, a.padding = o.padding, a.dilation = o.dilation, a.path = o.path;
    a.precision = o.precision, a.x_coefficients = o.x_coefficients, a.y_coefficients = o.y_coefficients;
    a.basis = basis->values.data();
    a.rings = int(basis->rings.max_freqs.size()), a.max_freqs = basis->rings.max_freqs.data();
    return a;
  }
  Tensor dx(Tensor dy, Tensor weight) const {
    dy = dy.contiguous();
    Tensor dx = empty(x, x_like);
    for_any_float(x_like.dtype, [&]<class T>(T) {
      auto a = args<T>();
      a.dy = dy.data<T>(), a.w = weight.data<Wide<T>>(), a.dx = dx.data<T>();
      run(group_conv2d_dx_slot<T>, x_like.device, a);
    });
    return dx;
  }
  /// The input of the forward pass: x, or what x is the rectified norm of.
  template <class T> void read(kernels::GroupConv2d<T>& a, Tensor const& input, Rectified const* made_of) const {
    a.x = made_of ? made_of->x.data<T>() : input.data<T>();
    a.norm = made_of ? made_of->norm.data<Wide<T>>() : nullptr;
  }
  Tensor dw(Tensor dy, Tensor input, Rectified const* made_of) const {
    dy = dy.contiguous();
    Tensor dw = empty(w, w_like);
    for_any_float(x_like.dtype, [&]<class T>(T) {
      auto a = args<T>();
      read(a, input, made_of);
      a.dy = dy.data<T>(), a.dw = dw.data<Wide<T>>();
      run(group_conv2d_dw_slot<T>, x_like.device, a);
    });
    return dw;
  }
  Tensor db(Tensor dy) const {
    dy = dy.contiguous();
    Tensor db = empty({w[0]}, w_like);
    for_any_float(x_like.dtype, [&]<class T>(T) {
      auto a = args<T>();
      a.dy = dy.data<T>(), a.db = db.data<Wide<T>>();
      run(group_conv2d_db_slot<T>, x_like.device, a);
    });
    return db;
  }
};

/// "(5,3,6,16)": the axes of weights are not N,H,W,C.
inline std::string weight_sizes(Shape const& s) {
  std::string out = "(";
  for (int i = 0; i < s.rank(); ++i) {
    if (i) out += ',';
    out += std::to_string(s[i]);
  }
  out += ')';
  return out;
}

/// Coefficients have the shape of features and no tag.
inline void check_group_coefficients(char const* op, Group group, Sides sides, Tensor const& x,
                                     GroupConv2dOptions const& o) {
  if (!o.x_coefficients && !o.y_coefficients) return;
  Device::Kind const kind = x.device().kind;
  require<DeviceError>(kind == Device::Kind::cuda || kind == Device::Kind::cuda_emulated, op,
                       ": coefficients between layers are for CUDA devices; x is on ", x.device());
  require<ValueError>((!o.x_coefficients || sides != Sides::lifting) &&
                          (!o.y_coefficients || (sides != Sides::projecting && !o.moments.defined())) &&
                          o.path != kernels::Path::expanded,
                      op, ": coefficients are of group features, without moments, and not for path expanded");
  require<GroupError>(!o.x_coefficients || !x.group(), op, ": x holds ", x.group(),
                      " features; x_coefficients needs what a layer with y_coefficients has made, which has no group");
  require<ShapeError>(!o.x_coefficients || (x.rank() == 5 && x.dim(axis::G) == group.order()), op, ": x is ", x.shape(),
                      "; coefficients are (N,H,W,C,G=", group.order(), ")");
}

inline void check_group_input(char const* op, Group group, Sides sides, Tensor const& x) {
  if (sides == Sides::lifting) {
    require<ShapeError>(x.rank() == 4, op, ": x is ", x.shape(), "; needs an image (N,H,W,C)");
    return;
  }
  require<ShapeError>(x.rank() == 5, op, ": x is ", x.shape(), "; needs group features (N,H,W,C,G)");
  require<ShapeError>(x.dim(axis::G) == group.order(), op, ": x is ", x.shape(), ", ", group,
                      " needs G=", group.order());
  require<GroupError>(bool(x.group()), op, ": x has no group; say which with x.with_group(", group, ")");
  require<GroupError>(x.group() == group, op, ": x holds ", x.group(), " features, this layer is ", group,
                      ": same size, other meaning");
}

inline void check_group_weights(GroupConv const& c, Tensor const& x, Tensor const& w, Tensor const& b) {
  bool regular = c.sides == Sides::regular;
  bool fits = w.rank() == (regular ? 4 : 3) && w.dim(1) == x.dim(axis::C) && w.dim(2) == c.basis->V && w.dim(0) > 0 &&
              (!regular || w.dim(3) == c.group.order());
  require<ShapeError>(fits, c.name, ": w is ", weight_sizes(w.shape()), ", x is ", x.shape(), "; needs (Co,",
                      x.dim(axis::C), ",", c.basis->V, regular ? text(",", c.group.order()) : "",
                      "): fields out, fields in, ", c.basis->V, " functions of the ", c.o.kernel, " x ", c.o.kernel,
                      " basis", regular ? ", elements" : "");
  require<ShapeError>(!b.defined() || b.shape() == Shape{w.dim(0)}, c.name, ": bias is ",
                      b.defined() ? b.shape() : Shape{}, "; needs (", w.dim(0), "), one value for each field");
  for (Tensor const& other : {w, b})
    if (other.defined()) {
      require<DTypeError>(other.dtype() == weight_dtype(x.dtype()), c.name, ": x is ", name_of(x.dtype()),
                          ", the weights are ", name_of(other.dtype()), "; needs ", name_of(weight_dtype(x.dtype())));
      require<DeviceError>(other.device() == x.device(), c.name, ": x is on ", x.device(), ", the weights are on ",
                           other.device());
    }
}

inline void check_precision(char const* op, Sides sides, Tensor const& x, GroupConv2dOptions const& o) {
  using kernels::cpu::Isa;
  if (o.precision == kernels::Precision::float32) return;
  require<ValueError>(sides == Sides::regular && o.path != kernels::Path::expanded, op, ": precision is ",
                      name_of(o.precision),
                      ", for convolutions between group features on the fourier path; use float32");
  bool const as_stored = x.dtype() == DType::bf16 && o.precision == kernels::Precision::bfloat16;
  require<DTypeError>(x.dtype() == DType::f32 || as_stored, op, ": precision is ", name_of(o.precision), " and x is ",
                      name_of(x.dtype()), "; needs float32 features");
  Device::Kind const kind = x.device().kind;
  require<DeviceError>(
      kind != Device::Kind::reference && (kind != Device::Kind::cpu || kernels::cpu::best_isa() >= Isa::amx), op,
      ": precision is ", name_of(o.precision), ", for a GPU or a cpu with a matrix unit (amx); this is ", x.device(),
      " with ", kernels::cpu::isa_name(kernels::cpu::best_isa()), ": use float32");
}

inline void check_group_options(char const* op, Sides sides, Tensor const& x, GroupConv2dOptions const& o,
                                SteerableBasis const& basis) {
  check_precision(op, sides, x, o);
  require<ValueError>(o.stride > 0 && o.padding >= 0 && o.dilation > 0, op, ": stride ", o.stride, ", padding ",
                      o.padding, ", dilation ", o.dilation, "; needs stride, dilation > 0 and padding >= 0");
  require<ShapeError>(x.numel() > 0, op, ": x is ", x.shape(), ": no elements");
  int64_t const harmonics = std::accumulate(basis.rings.max_freqs.begin(), basis.rings.max_freqs.end(),
                                            int64_t(basis.rings.max_freqs.size()));
  require<ValueError>(
      o.path != kernels::Path::fourier || (basis.group.order() <= 64 && o.kernel <= 15 && harmonics <= 64), op,
      ": path is fourier, for groups up to order 64, kernels up to 15 and bases of up to 64 rings and "
      "frequencies; ",
      basis.group, ", kernel ", o.kernel, " with ", harmonics, " needs path expanded");
  int64_t reach = int64_t(o.dilation) * (o.kernel - 1) + 1,
          shorter = std::min(x.dim(axis::H), x.dim(axis::W)) + 2 * o.padding;
  require<ShapeError>(shorter >= reach, op, ": x is ", x.shape(), " with padding ", o.padding, "; a kernel of ",
                      o.kernel, " with dilation ", o.dilation, " needs at least ", reach, " pixels");
}

/// What goes with a convolution besides bias: for the norm after it, and what only inference has.
inline void check_group_inference(GroupConv const& c, Tensor const& x, Tensor const& w, Tensor const& b) {
  Tensor const& scale = c.o.scale;
  Tensor const& moments = c.o.moments;
  require<ShapeError>(!moments.defined() || (moments.shape() == Shape{2, w.dim(0)} && moments.is_contiguous()), c.name,
                      ": moments is ", moments.defined() ? moments.shape() : Shape{}, "; needs (2,", w.dim(0), ")");
  require<ValueError>(!moments.defined() || !(scale.defined() || c.o.relu), c.name,
                      ": moments are those of the convolution and its bias; not with scale or relu");
  require<ShapeError>(!scale.defined() || scale.shape() == Shape{w.dim(0)}, c.name, ": scale is ",
                      scale.defined() ? scale.shape() : Shape{}, "; needs (", w.dim(0), "), one value for each field");
  for (Tensor const& t : {scale, c.o.packed})
    if (t.defined())
      require<DTypeError>(t.dtype() == weight_dtype(x.dtype()), c.name, ": x is ", name_of(x.dtype()),
                          ", scale or packed is ", name_of(t.dtype()), "; needs ", name_of(weight_dtype(x.dtype())));
  bool const recorded =
      !NoGrad::off() && (x.requires_grad() || w.requires_grad() || (b.defined() && b.requires_grad()));
  bool const only_forward =
      scale.defined() || c.o.relu || c.o.packed.defined() || c.o.x_coefficients || c.o.y_coefficients;
  require<ValueError>(!recorded || !only_forward, c.name,
                      ": scale, relu, packed and coefficients have no gradient; use them under NoGrad");
}

template <class T> int64_t packed_count(kernels::GroupConv2d<T> a, Device device) {
  int64_t count = 0;
  a.packed_count = &count;
  run(group_conv2d_pack_slot<T>, device, a);
  return count;
}

/// All three convolutions; they differ in which sides carry the group.
inline Tensor group_conv(char const* op, Group group, Sides sides, Tensor x, Tensor w, Tensor b, GroupConv2dOptions o) {
  check_group_coefficients(op, group, sides, x, o);
  if (!o.x_coefficients) check_group_input(op, group, sides, x);
  if (o.padding_mode != PaddingMode::zeros && o.padding > 0) {
    x = pad2d(x, o.padding, o.padding_mode);
    o.padding = 0;
  }
  auto c = std::make_shared<GroupConv>(
      GroupConv{op, group, sides, o, shared_basis(group, o.kernel, o.rings), {}, {}, {}, {}, {}});
  check_group_options(op, sides, x, o, *c->basis);
  check_group_weights(*c, x, w, b);
  check_group_inference(*c, x, w, b);
  x = x.contiguous();
  w = w.contiguous();
  if (b.defined()) b = b.contiguous();
  c->x = x.shape(), c->w = w.shape(), c->x_like = x.like(), c->w_like = w.like();
  auto sizes = c->args<float>();
  c->y = {x.dim(axis::N), sizes.out(sizes.H), sizes.out(sizes.W), w.dim(0)};
  TensorOptions y_like = x.like();
  y_like.group = sides == Sides::projecting || o.y_coefficients ? Group{} : group;
  if (sides != Sides::projecting) c->y.push_back(group.order());
  Tensor y = empty(c->y, y_like);
  std::shared_ptr<Rectified const> made_of = Tape::rectified(x);
  bool const on_cpu = x.device().kind == Device::Kind::cpu;
  auto takes_norm = [&]<class T>(T) { return kernels::cpu::group_conv2d_takes_norm(c->args<T>()); };
  if (made_of && !(on_cpu && for_float(x.dtype(), takes_norm))) made_of = nullptr;
  for_any_float(x.dtype(), [&]<class T>(T) {
    auto a = c->args<T>();
    c->read(a, x, made_of.get());
    a.w = w.data<Wide<T>>(), a.bias = b.data<Wide<T>>(), a.y = y.data<T>();
    a.scale = c->o.scale.data<Wide<T>>(), a.relu = c->o.relu, a.moments = c->o.moments.data<double>();
    if (c->o.packed.defined() && x.device().kind != Device::Kind::reference) {
      int64_t const needed = packed_count(a, x.device());
      require<ShapeError>(c->o.packed.numel() == needed, op, ": packed has ", c->o.packed.numel(), " values; weights ",
                          weight_sizes(w.shape()), " need ", needed, ": pack them with the same options");
      a.packed = c->o.packed.data<Wide<T>>();
    }
    run(group_conv2d_slot<T>, x.device(), a);
  });
  return record(op, y, wrt(x, [c, w](Tensor dy) { return c->dx(dy, w); }),
                wrt(w, [c, made_of, x = Saved(x)](Tensor dy) { return c->dw(dy, x(), made_of.get()); }),
                wrt(b, [c](Tensor dy) { return c->db(dy); }));
}

}  // namespace detail

/// The weights of a convolution as its factored path multiplies them: transformed over the group and laid out for the
/// machine, for options.packed. Undefined where there is nothing to keep: on the expanded path and on the reference.
/// features: what they will meet, float32, float64 or bfloat16.
/// Shapes   w (Co,Ci,V,G), or (Co,Ci,V) for lifting and projecting.      Cost  12 w.numel() bytes.
/// Errors   d16::ShapeError when w does not fit the basis of the options; DTypeError when it does not fit the features.
inline Tensor pack_group_weights(Group group, Sides sides, Tensor w, GroupConv2dOptions o, DType features) {
  NoGrad off;
  detail::GroupConv c{
      "pack_group_weights", group, sides, o, shared_basis(group, o.kernel, o.rings), {}, w.shape(), {}, {}, {}};
  bool const regular = sides == Sides::regular;
  require<ShapeError>(
      w.rank() == (regular ? 4 : 3) && w.dim(2) == c.basis->V && (!regular || w.dim(3) == group.order()), c.name,
      ": w is ", detail::weight_sizes(w.shape()), "; needs (Co,Ci,", c.basis->V,
      regular ? text(",", group.order()) : "", ")");
  require<DTypeError>(w.dtype() == weight_dtype(features), c.name, ": w is ", name_of(w.dtype()), ", features are ",
                      name_of(features), "; they need weights in ", name_of(weight_dtype(features)));
  if (w.device().kind == Device::Kind::reference) return {};
  c.x = {1, o.kernel, o.kernel, w.dim(1)};
  w = w.contiguous();
  Tensor packed;
  for_any_float(features, [&]<class T>(T) {
    auto a = c.args<T>();
    int64_t const count = detail::packed_count(a, w.device());
    if (count == 0) return;
    packed = empty({count}, {.dtype = w.dtype(), .device = w.device()});
    a.w = w.data<kernels::Wide<T>>(), a.packed = packed.data<kernels::Wide<T>>();
    run(group_conv2d_pack_slot<T>, w.device(), a);
  });
  return packed;
}
inline Tensor pack_group_weights(Group group, Sides sides, Tensor w, GroupConv2dOptions o) {
  return pack_group_weights(group, sides, w, o, w.dtype());
}

/// Lifting convolution: an image meets the filter in every orientation of the group.
///   y[n,p,q,o,g] = b[o] + sum over c, taps of kappa_oc[g](taps) x[n, p stride + .., q stride + .., c],
///   kappa[g](x) = sum over v of w[v] B_v(g^-1 x), B = steerable_basis(group, kernel, rings)
/// Shapes   x (N,H,W,Ci), w (Co,Ci,V), b (Co) or undefined, y (N,P,Q,Co,G) tagged with the group;
///          P = (H + 2 padding - dilation (kernel-1) - 1) / stride + 1.        Units  w: those of y / x.
/// Cost     at most 2 N P Q Co G Ci V flops.   Deterministic  yes.   Aliasing  none.   Gradient  to x, w and b.
/// Types    float32 or float64; on CUDA devices x and y also bfloat16, with w and b in float32.
/// Errors   d16::ShapeError, DTypeError, DeviceError; ValueError for options, among them an even kernel.
/// Source   Weiler & Cesa 2019, arXiv:1911.08251. Exact for multiples of 90 degrees and mirrors at odd sizes; other
///          elements as well as the pixel grid samples the basis.
inline Tensor lift_conv2d(Group group, Tensor x, Tensor w, Tensor b = {}, GroupConv2dOptions o = {}) {
  return detail::group_conv("lift_conv2d", group, Sides::lifting, x, w, b, o);
}

/// Group convolution: features to features.
///   y[n,p,q,o,g] = b[o] + sum over c, h, taps of kappa_oc[g,h](taps) x[n, p stride + .., q stride + .., c, h],
///   kappa[g,h](x) = sum over v of w[v, g^-1 h] B_v(h^-1 x), B = steerable_basis(group, kernel, rings)
/// Shapes   x (N,H,W,Ci,G) tagged with the group, w (Co,Ci,V,G), b (Co) or undefined, y (N,P,Q,Co,G) tagged;
///          P = (H + 2 padding - dilation (kernel-1) - 1) / stride + 1.        Units  w: those of y / x.
/// Cost     about 2 N P Q Co Ci V S flops, S = sum of d^3 over the irreps: 25 for dihedral(8), 53 for dihedral(16),
///          with 16 N H W Ci G for the transforms; 2 N P Q Co Ci G^2 kernel^2 on the expanded path.
/// Deterministic  yes.   Aliasing  none.   Gradient  to x, w and b.
/// Types    float32 or float64; on CUDA devices x and y also bfloat16, with w and b in float32.
/// Errors   d16::ShapeError, DTypeError, DeviceError; GroupError when x holds features of another group;
///          ValueError for options, among them an even kernel.
/// Source   Weiler & Cesa 2019, arXiv:1911.08251.
inline Tensor group_conv2d(Group group, Tensor x, Tensor w, Tensor b = {}, GroupConv2dOptions o = {}) {
  return detail::group_conv("group_conv2d", group, Sides::regular, x, w, b, o);
}

/// Projecting convolution: features to an image that turns with them, as a picture made by the network must.
///   y[n,p,q,o] = b[o] + sum over c, h, taps of kappa_oc[h](taps) x[n, p stride + .., q stride + .., c, h],
///   kappa[h](x) = sum over v of w[v] B_v(h^-1 x), B = steerable_basis(group, kernel, rings)
/// Shapes   x (N,H,W,Ci,G) tagged with the group, w (Co,Ci,V), b (Co) or undefined, y (N,P,Q,Co) without tag;
///          P = (H + 2 padding - dilation (kernel-1) - 1) / stride + 1.        Units  w: those of y / x.
/// Cost     2 N P Q Co Ci G kernel^2 flops.   Deterministic  yes.   Aliasing  none.   Gradient  to x, w and b.
/// Types    float32 or float64; on CUDA devices x and y also bfloat16, with w and b in float32.
/// Errors   d16::ShapeError, DTypeError, DeviceError; GroupError when x holds features of another group;
///          ValueError for options, among them an even kernel.
/// Source   Weiler & Cesa 2019, arXiv:1911.08251.
inline Tensor project_conv2d(Group group, Tensor x, Tensor w, Tensor b = {}, GroupConv2dOptions o = {}) {
  return detail::group_conv("project_conv2d", group, Sides::projecting, x, w, b, o);
}

}  // namespace d16
