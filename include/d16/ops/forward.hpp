// What the gradients of the basic ops need of one another. views.hpp, unary.hpp, arithmetic.hpp and reduce.hpp declare
// through this header and include each other at their ends, so that each of them can be included alone.
#pragma once
#include "../autograd/tape.hpp"
#include "../core/dispatch.hpp"
#include "../core/tensor.hpp"

namespace d16 {

inline Tensor operator-(Tensor x);            // unary.hpp
inline Tensor operator*(Tensor x, double s);  // arithmetic.hpp
inline Tensor sum_to(Tensor x, Shape shape);  // reduce.hpp

namespace detail {
inline Tensor copied(Tensor const& x);                           // views.hpp
inline Tensor expand_view(Tensor const& x, Shape const& shape);  // views.hpp
}  // namespace detail

}  // namespace d16
