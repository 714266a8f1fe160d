// For programs of many source files: with this header and the library d16::compiled, the kernels are compiled once, in
// the library, and not in every file that calls an op. Nothing else changes; without it the headers do all by themselves.
#pragma once
#include "d16.hpp"

// clang-format off
// The ops by family; src/compiled/<family>.cpp compiles each.
#define D16_CONVOLUTION_OPS(each) each(conv2d) each(conv2d_dx) each(conv2d_dw) each(conv2d_db) \
  each(conv_transpose2d) each(conv_transpose2d_dx) each(conv_transpose2d_dw) each(conv_transpose2d_db) \
  each(linear) each(linear_dx) each(linear_dw) each(linear_db)
#define D16_GROUP_OPS(each) each(group_conv2d) each(group_conv2d_pack) each(group_conv2d_dx) each(group_conv2d_dw) each(group_conv2d_db) \
  each(group_max_pool) each(group_max_pool_dx) each(group_mean_pool) each(group_mean_pool_dx) \
  each(antialiased_avg_pool) each(antialiased_avg_pool_dx) each(batch_norm) \
  each(batch_norm_apply) each(batch_norm_dx) each(batch_norm_dw) each(group_action) each(group_action_dx)
#define D16_POINTWISE_OPS(each) each(unary) each(unary_dx) each(binary) each(sum) each(max) each(max_dx) \
  each(softmax) each(softmax_dx) each(relu_join) each(relu_join_dx) each(dropout) each(reparameterise) each(reparameterise_dx)
#define D16_DENSE_OPS(each) each(avg_pool2d) each(avg_pool2d_dx) each(max_pool2d) each(max_pool2d_dx) \
  each(pad2d) each(pad2d_dx) each(upsample) each(upsample_dx) each(pair_loss) each(cross_entropy) each(focal_loss) \
  each(group_norm) each(group_norm_dx) each(group_norm_dw) each(adaptive_avg_pool2d) each(adaptive_avg_pool2d_dx) \
  each(squeeze_excitation) each(squeeze_excitation_dx) each(image_sums)
#define D16_OPTIMISER_OPS(each) each(begin_step) each(adam) each(sgd) each(meter)  // in namespace optim
// clang-format on

#define D16_ELSEWHERE(op)                                      \
  extern template decltype(op##_slot<float>) op##_slot<float>; \
  extern template decltype(op##_slot<double>) op##_slot<double>;
#define D16_COMPILED_HERE(op)                           \
  template decltype(op##_slot<float>) op##_slot<float>; \
  template decltype(op##_slot<double>) op##_slot<double>;

namespace d16 {
D16_CONVOLUTION_OPS(D16_ELSEWHERE)
D16_GROUP_OPS(D16_ELSEWHERE)
D16_POINTWISE_OPS(D16_ELSEWHERE)
D16_DENSE_OPS(D16_ELSEWHERE)
namespace optim {
D16_OPTIMISER_OPS(D16_ELSEWHERE)
}
}  // namespace d16
