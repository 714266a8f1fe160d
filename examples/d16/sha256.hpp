// SHA-256, so that a catalogue names the very file of weights that it was made with.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <string>

#include <d16/io/read_file.hpp>

namespace tool {

namespace detail {

constexpr bool is_prime(uint32_t n) {
  for (uint32_t d = 2; d * d <= n; ++d)
    if (n % d == 0) return false;
  return n > 1;
}

/// floor(2^32 * fraction of the `root`-th root of p): whole numbers only, so that no rounding is in it.
constexpr uint32_t root_bits(uint32_t p, int root) {
  __extension__ using Wide = unsigned __int128;
  Wide x = 0;  // the largest with x^root <= p * 2^(32 root)
  for (int bit = 36; bit >= 0; --bit) {
    Wide next = x | Wide(1) << bit, power = next;
    for (int i = 1; i < root; ++i) power *= next;
    if (power <= Wide(p) << (32 * root)) x = next;
  }
  return uint32_t(x);
}
template <size_t N> constexpr std::array<uint32_t, N> sha_constants(int root) {
  std::array<uint32_t, N> out{};
  uint32_t p = 1;
  for (uint32_t& value : out) {
    do ++p;
    while (!is_prime(p));
    value = root_bits(p, root);
  }
  return out;
}

/// One block of 64 bytes.
inline void sha_round(std::array<uint32_t, 8>& state, unsigned char const* block) {
  static constexpr auto constants = sha_constants<64>(3);
  std::array<uint32_t, 64> w{};
  for (size_t i = 0; i < 16; ++i)
    for (size_t k = 0; k < 4; ++k) w[i] = w[i] << 8 | block[4 * i + k];
  for (size_t i = 16; i < 64; ++i) {
    uint32_t a = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ w[i - 15] >> 3;
    uint32_t b = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + a + w[i - 7] + b;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (size_t i = 0; i < 64; ++i) {
    uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25), choice = (e & f) ^ (~e & g);
    uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22), most = (a & b) ^ (a & c) ^ (b & c);
    uint32_t t1 = h + s1 + choice + constants[i] + w[i], t2 = s0 + most;
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  uint32_t const added[8] = {a, b, c, d, e, f, g, h};
  for (size_t i = 0; i < 8; ++i) state[i] += added[i];
}

}  // namespace detail

/// sha256("abc") is "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".
/// Source   FIPS 180-4, section 6.2.
inline std::string sha256(std::string bytes) {
  uint64_t bits = 8 * uint64_t(bytes.size());
  bytes += '\x80';
  bytes.resize((bytes.size() + 8 + 63) / 64 * 64 - 8, '\0');
  for (int shift = 56; shift >= 0; shift -= 8) bytes += char(bits >> shift);
  auto state = detail::sha_constants<8>(2);
  for (size_t i = 0; i < bytes.size(); i += 64)
    detail::sha_round(state, reinterpret_cast<unsigned char const*>(bytes.data()) + i);
  std::string out;
  for (uint32_t word : state)
    for (int shift = 28; shift >= 0; shift -= 4) out += "0123456789abcdef"[word >> shift & 15];
  return out;
}

inline std::string sha256_of_file(std::string const& path) { return sha256(d16::io::read_file(path)); }

}  // namespace tool
