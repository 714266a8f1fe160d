// CRC-32 as zlib and gzip have it: a hash that every language computes alike.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

namespace d16::data {

namespace detail {
constexpr std::array<uint32_t, 256> crc32_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value & 1 ? 0xEDB88320u ^ (value >> 1) : value >> 1;
    table[i] = value;
  }
  return table;
}
}  // namespace detail

/// crc32("123456789") is 0xCBF43926.
constexpr uint32_t crc32(std::string_view bytes) {
  constexpr std::array<uint32_t, 256> table = detail::crc32_table();
  uint32_t value = 0xFFFFFFFFu;
  for (char byte : bytes) value = table[(value ^ uint8_t(byte)) & 255] ^ (value >> 8);
  return ~value;
}

}  // namespace d16::data
