// Launches of the GPU benches' own kernels: random operands, and loops that find a card's ceilings.
#pragma once
#include <cstddef>
#include <cstdint>

#include <d16/core/dtype.hpp>

namespace d16::bench {

/// to[i] = random_number(seed, i), for bf16 rounded to it.
void fill_with_random(float* to, int64_t count, uint64_t seed);
void fill_with_random(bf16* to, int64_t count, uint64_t seed);

/// Copies a multiple of 16 bytes: as many are read as written.
void probe_copy(void* to, void const* from, size_t bytes);

/// Arithmetic on registers alone, by enough warps for every card; `sink` takes 4 bytes. Each returns its operations.
double probe_fma(float* sink, int steps);    ///< float32 multiply-adds
double probe_dfma(double* sink, int steps);  ///< the same in double
double probe_tf32(float* sink, int steps);   ///< mma.sync, tf32
double probe_bf16(float* sink, int steps);   ///< mma.sync, bfloat16

/// The stream of all launches of this thread from now on, those of the kernels under test too.
void set_stream(void* stream);
/// What went wrong in a launch since the last call, or null.
char const* launch_error();

}  // namespace d16::bench
