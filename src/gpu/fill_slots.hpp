// Puts the launchers of one machine, namespace D16_GPU, into the slots of the ops.
#pragma once
#include <d16/compiled.hpp>
#include <d16/learn/tsne_device.hpp>
#include <d16/vision/augment.hpp>
#include <d16/vision/hog.hpp>
#include <d16/vision/stretch.hpp>

#include "launchers.hpp"

namespace d16::kernels {
namespace D16_GPU {

#define D16_GPU_DECLARE(op, Contract) template <class T> int op(Contract<T> const& a);
#define D16_GPU_DECLARE_WITH_WORK(op, Contract) \
  D16_GPU_DECLARE(op, Contract)                 \
  template <class T> size_t op##_work_bytes(Contract<T> const& a);

D16_GPU_OPS(D16_GPU_DECLARE, D16_GPU_DECLARE_WITH_WORK)
int launch_copy(Copy const& a);
int launch_cast(Cast const& a);
int launch_augment(Augment const& a);

}  // namespace D16_GPU
}  // namespace d16::kernels

namespace d16 {

/// For example fill_slots([](auto& slot) -> auto& { return slot.cuda; }).
template <class Entry> void fill_slots(Entry entry) {
  using namespace optim;  // whose slots are in the list too
#define D16_GPU_FILL(op, Contract)                         \
  entry(op##_slot<float>) = {kernels::D16_GPU::op<float>}; \
  entry(op##_slot<double>) = {kernels::D16_GPU::op<double>};
#define D16_GPU_FILL_WITH_WORK(op, Contract)                                                         \
  entry(op##_slot<float>) = {kernels::D16_GPU::op<float>, kernels::D16_GPU::op##_work_bytes<float>}; \
  entry(op##_slot<double>) = {kernels::D16_GPU::op<double>, kernels::D16_GPU::op##_work_bytes<double>};
#define D16_GPU_FILL_BF16(op, Contract) entry(op##_slot<bf16>) = {kernels::D16_GPU::op<bf16>};
#define D16_GPU_FILL_BF16_WITH_WORK(op, Contract) \
  entry(op##_slot<bf16>) = {kernels::D16_GPU::op<bf16>, kernels::D16_GPU::op##_work_bytes<bf16>};

  D16_GPU_OPS(D16_GPU_FILL, D16_GPU_FILL_WITH_WORK)
  D16_GPU_OPS_BF16(D16_GPU_FILL_BF16, D16_GPU_FILL_BF16_WITH_WORK)
  entry(copy_slot) = {kernels::D16_GPU::launch_copy};
  entry(cast_slot) = {kernels::D16_GPU::launch_cast};
  entry(augment_slot) = {kernels::D16_GPU::launch_augment};
}

}  // namespace d16
