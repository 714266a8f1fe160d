// What the callbacks of the instrumentation tell the counter.
#pragma once
#include <cstddef>

#include "counter.hpp"

namespace d16::traffic {

void note_access(void const* at, unsigned bytes, Kind kind, void const* instruction);
/// Memory of tensors; null when there is none left. Never given back.
void* take_global_memory(size_t bytes);
bool is_global_memory(void const* at);

}  // namespace d16::traffic
