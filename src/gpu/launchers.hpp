// The ops that have CUDA kernels, by family: what d16::cuda and d16::cuda_emulated compile and put into their slots.
#pragma once
#include <cstddef>

#include <d16/kernels/adam.hpp>
#include <d16/kernels/adaptive_avg_pool2d.hpp>
#include <d16/kernels/antialiased_avg_pool.hpp>
#include <d16/kernels/augment.hpp>
#include <d16/kernels/band_levels.hpp>
#include <d16/kernels/batch_norm.hpp>
#include <d16/kernels/binary.hpp>
#include <d16/kernels/cast.hpp>
#include <d16/kernels/conv2d.hpp>
#include <d16/kernels/conv_transpose2d.hpp>
#include <d16/kernels/copy.hpp>
#include <d16/kernels/dropout.hpp>
#include <d16/kernels/group_action.hpp>
#include <d16/kernels/group_conv2d.hpp>
#include <d16/kernels/group_norm.hpp>
#include <d16/kernels/group_pool.hpp>
#include <d16/kernels/hog.hpp>
#include <d16/kernels/image_sums.hpp>
#include <d16/kernels/join.hpp>
#include <d16/kernels/linear.hpp>
#include <d16/kernels/losses.hpp>
#include <d16/kernels/meter.hpp>
#include <d16/kernels/pad2d.hpp>
#include <d16/kernels/pool2d.hpp>
#include <d16/kernels/reduce.hpp>
#include <d16/kernels/reparameterise.hpp>
#include <d16/kernels/sgd.hpp>
#include <d16/kernels/softmax.hpp>
#include <d16/kernels/squeeze_excitation.hpp>
#include <d16/kernels/stretch.hpp>
#include <d16/kernels/tsne.hpp>
#include <d16/kernels/unary.hpp>
#include <d16/kernels/upsample.hpp>

// A new op is one line here: each(op, contract), or work(op, contract) when it has scratch memory. Its launchers in
// kernels/cuda are op<T>(Contract<T> const&) and op_work_bytes<T>(Contract<T> const&), its slot is op_slot<T>.
// clang-format off
#define D16_GPU_POINTWISE(each, work) \
  each(unary, Unary) each(unary_dx, Unary) each(binary, Binary) \
  work(sum, Reduce) work(max, Reduce) each(max_dx, Reduce) \
  each(softmax, Softmax) each(softmax_dx, Softmax) each(relu_join, ReluJoin) each(relu_join_dx, ReluJoin)
#define D16_GPU_DENSE(each, work) \
  work(conv2d, Conv2d) work(conv2d_dx, Conv2d) work(conv2d_dw, Conv2d) work(conv2d_db, Conv2d) \
  work(conv_transpose2d, ConvTranspose2d) work(conv_transpose2d_dx, ConvTranspose2d) \
  work(conv_transpose2d_dw, ConvTranspose2d) work(conv_transpose2d_db, ConvTranspose2d) \
  work(linear, Linear) work(linear_dx, Linear) work(linear_dw, Linear) work(linear_db, Linear)
#define D16_GPU_GROUP(each, work) \
  work(group_conv2d, GroupConv2d) work(group_conv2d_dx, GroupConv2d) work(group_conv2d_dw, GroupConv2d) \
  work(group_conv2d_db, GroupConv2d) each(group_conv2d_pack, GroupConv2d) \
  each(group_max_pool, GroupPool) each(group_max_pool_dx, GroupPool) \
  each(group_mean_pool, GroupPool) each(group_mean_pool_dx, GroupPool) \
  each(antialiased_avg_pool, AntialiasedAvgPool) each(antialiased_avg_pool_dx, AntialiasedAvgPool) \
  work(batch_norm, BatchNorm) each(batch_norm_apply, BatchNorm) work(batch_norm_dw, BatchNorm) \
  each(batch_norm_dx, BatchNorm)
#define D16_GPU_LAYERS(each, work) \
  each(max_pool2d, Pool2d) each(max_pool2d_dx, Pool2d) each(avg_pool2d, Pool2d) each(avg_pool2d_dx, Pool2d) \
  each(adaptive_avg_pool2d, AdaptivePool2d) each(adaptive_avg_pool2d_dx, AdaptivePool2d) \
  each(upsample, Upsample) each(upsample_dx, Upsample) each(pad2d, Pad2d) each(pad2d_dx, Pad2d) \
  each(dropout, Dropout) each(reparameterise, Reparameterise) each(reparameterise_dx, Reparameterise) \
  each(group_action, GroupAction) each(group_action_dx, GroupAction)
#define D16_GPU_LAYERS_SUMS(each, work) \
  work(pair_loss, PairLoss) work(cross_entropy, CrossEntropy) work(focal_loss, FocalLoss) \
  work(group_norm, GroupNorm) work(group_norm_dw, GroupNorm) work(group_norm_dx, GroupNorm) \
  work(squeeze_excitation, SqueezeExcitation) work(squeeze_excitation_dx, SqueezeExcitation) \
  work(image_sums, ImageSums)
#define D16_GPU_OPTIM(each, work) work(begin_step, BeginStep) work(adam, Adam) work(sgd, Sgd) each(meter, Meter)
#define D16_GPU_LEARN(each, work) work(tsne_gradient, TsneGradient) work(tsne_step, TsneStep)
#define D16_GPU_VISION(each, work) \
  each(hog, Hog) each(stretch, Stretch) each(stretch_dx, Stretch) each(band_levels, BandLevels)
// Those of them that also take bfloat16 features; their slots have an entry for it, op_slot<bf16>.
#define D16_GPU_POINTWISE_BF16(each, work) \
  each(unary, Unary) each(unary_dx, Unary) each(binary, Binary) work(sum, Reduce) \
  each(relu_join, ReluJoin) each(relu_join_dx, ReluJoin)
#define D16_GPU_DENSE_BF16(each, work) D16_GPU_DENSE(each, work)
#define D16_GPU_GROUP_BF16(each, work) D16_GPU_GROUP(each, work)
#define D16_GPU_LAYERS_BF16(each, work) \
  each(max_pool2d, Pool2d) each(max_pool2d_dx, Pool2d) each(avg_pool2d, Pool2d) each(avg_pool2d_dx, Pool2d) \
  each(dropout, Dropout)
#define D16_GPU_LAYERS_SUMS_BF16(each, work) \
  work(squeeze_excitation, SqueezeExcitation) work(squeeze_excitation_dx, SqueezeExcitation) \
  work(image_sums, ImageSums)
#define D16_GPU_OPS_BF16(each, work) \
  D16_GPU_POINTWISE_BF16(each, work) D16_GPU_DENSE_BF16(each, work) D16_GPU_GROUP_BF16(each, work) \
  D16_GPU_LAYERS_BF16(each, work) D16_GPU_LAYERS_SUMS_BF16(each, work)
#define D16_GPU_OPS(each, work) \
  D16_GPU_POINTWISE(each, work) D16_GPU_DENSE(each, work) D16_GPU_GROUP(each, work) D16_GPU_LAYERS(each, work) \
  D16_GPU_LAYERS_SUMS(each, work) D16_GPU_OPTIM(each, work) D16_GPU_LEARN(each, work) \
  D16_GPU_VISION(each, work)
// clang-format on

// The instances that a family's file compiles: D16_GPU_POINTWISE(D16_GPU_COMPILE, D16_GPU_COMPILE_WITH_WORK), and of
// bfloat16 D16_GPU_POINTWISE_BF16(D16_GPU_COMPILE_BF16, D16_GPU_COMPILE_BF16_WITH_WORK).
#define D16_GPU_COMPILE(op, Contract)             \
  template int op<float>(Contract<float> const&); \
  template int op<double>(Contract<double> const&);
#define D16_GPU_COMPILE_WITH_WORK(op, Contract)                   \
  D16_GPU_COMPILE(op, Contract)                                   \
  template size_t op##_work_bytes<float>(Contract<float> const&); \
  template size_t op##_work_bytes<double>(Contract<double> const&);
#define D16_GPU_COMPILE_BF16(op, Contract) template int op<bf16>(Contract<bf16> const&);
#define D16_GPU_COMPILE_BF16_WITH_WORK(op, Contract) \
  D16_GPU_COMPILE_BF16(op, Contract)                 \
  template size_t op##_work_bytes<bf16>(Contract<bf16> const&);
