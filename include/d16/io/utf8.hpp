// What valid UTF-8 is: shared by everything that writes text for other programs (JSON, HTML).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace d16::io {

/// The length (1 to 4) of the valid UTF-8 sequence at the start of `s`, or 0 when it starts with anything else:
/// a stray continuation, an overlong form, a surrogate, beyond U+10FFFF, cut short, nothing at all.
inline size_t utf8_length(std::string_view s) {
  if (s.empty()) return 0;
  auto byte = [&](size_t i) { return uint32_t(static_cast<unsigned char>(s[i])); };
  uint32_t first = byte(0);
  if (first < 0x80) return 1;
  size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || s.size() < length) return 0;
  uint32_t code = first & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3F);
  }
  static constexpr uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return code < smallest[length] || code > 0x10FFFF || surrogate ? 0 : length;
}

/// Appends one code point as UTF-8.
inline void append_utf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += char(code);
    return;
  }
  int tail = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  out += char((0xFFu << (7 - tail) & 0xFF) | code >> (6 * tail));
  while (tail-- > 0) out += char(0x80 | (code >> (6 * tail) & 0x3F));
}

}  // namespace d16::io
