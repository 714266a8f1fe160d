// From the axes and attributes of a case's file to those of the engine and back; all steps are differentiable.
#pragma once
#include <vector>

#include <d16/core/tensor.hpp>
#include <d16/io/json.hpp>
#include <d16/ops/pair.hpp>
#include <d16/ops/views.hpp>

namespace d16::conform {

/// N,C,H,W -> N,H,W,C and back.
inline Tensor to_engine(Tensor x) { return x.permute({0, 2, 3, 1}); }
inline Tensor to_file(Tensor y) { return y.permute({0, 3, 1, 2}); }

/// N,(C G),H,W -> N,H,W,C,G with the group's tag, and back.
inline Tensor to_features(Tensor x, Group group) {
  require<ShapeError>(x.rank() == 4 && x.dim(1) % group.order() == 0, "x is ", x.shape(), ", not fields of ", group);
  Shape split{x.dim(0), x.dim(2), x.dim(3), x.dim(1) / group.order(), group.order()};
  return to_engine(x).contiguous().reshape(split).with_group(group);
}
inline Tensor from_features(Tensor y) {
  Shape joined{y.dim(0), y.dim(1), y.dim(2), y.dim(3) * y.dim(4)};
  return to_file(y.contiguous().with_group({}).reshape(joined));
}

/// An attribute [h,w], or one number for both.
inline Pair pair(io::Json const& attrs, char const* key, int otherwise) {
  io::Json const* value = attrs.find(key);
  if (!value) return {otherwise, otherwise};
  if (value->is_number()) return {int(value->integer()), int(value->integer())};
  require<ValueError>(value->array().size() == 2, "attribute ", key, " is ", value->dump(), "; it must be [h,w]");
  return {int(value->array()[0].integer()), int(value->array()[1].integer())};
}
inline double number(io::Json const& attrs, char const* key, double otherwise) {
  return attrs.has(key) ? attrs.number(key) : otherwise;
}
inline bool boolean(io::Json const& attrs, char const* key, bool otherwise) {
  return attrs.has(key) ? attrs.boolean(key) : otherwise;
}
template <class T> std::vector<T> list(io::Json const& attrs, char const* key) {
  std::vector<T> values;
  for (io::Json const& value : attrs.at(key).array()) values.push_back(T(value.number()));
  return values;
}

inline Group group(io::Json const& attrs) {
  std::string const& kind = attrs.string("group");
  require<ValueError>(kind == "C" || kind == "D", "attribute group is \"", kind, "\"; it must be \"C\" or \"D\"");
  int n = int(attrs.integer("n"));
  return kind == "C" ? cyclic(n) : dihedral(n);
}

}  // namespace d16::conform
