// Typed exceptions whose message says what is wrong and what to do, and the text builder behind them.
#pragma once
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace d16 {

// clang-format off
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct ShapeError : Error { using Error::Error; };    ///< sizes that do not fit together
struct DTypeError : Error { using Error::Error; };    ///< an element type that the op does not take
struct GroupError : Error { using Error::Error; };    ///< features of another group
struct DeviceError : Error { using Error::Error; };   ///< no kernel or no machine for it
struct ValueError : Error { using Error::Error; };    ///< an argument out of range
struct GradError : Error { using Error::Error; };     ///< a graph that cannot be differentiated
struct OutOfMemory : Error { using Error::Error; };   ///< says what was asked and what was free
struct FileError : Error { using Error::Error; };     ///< a file that cannot be read or written as asked
struct WeightsError : Error { using Error::Error; };  ///< weights of another network
// clang-format on

namespace detail {
inline void append(std::string& out, std::string_view piece) { out += piece; }
inline void append(std::string& out, double piece) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.6g", piece);
  out += buffer;
}
template <class T> void append_any(std::string& out, T const& piece) {
  if constexpr (std::is_same_v<T, bool>) out += piece ? "true" : "false";
  else if constexpr (std::is_same_v<T, char>) out += piece;
  else if constexpr (std::is_integral_v<T>) out += std::to_string(piece);
  else if constexpr (requires { piece.text(); }) out += piece.text();
  else append(out, piece);
}
}  // namespace detail

/// Joins its arguments into one string: text("x is ", 3, " wide"). Anything with a text() member works too.
template <class... Pieces> std::string text(Pieces const&... pieces) {
  std::string out;
  (detail::append_any(out, pieces), ...);
  return out;
}

/// Throws E with the joined pieces unless the condition holds.
template <class E, class... Pieces> void require(bool condition, Pieces const&... pieces) {
  if (!condition) [[unlikely]]
    throw E(text(pieces...));
}

}  // namespace d16
