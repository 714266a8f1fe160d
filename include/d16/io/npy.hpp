// NumPy's .npy arrays, read only: some surveys hand out their cutouts so.
#pragma once
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "../core/error.hpp"
#include "../core/tensor.hpp"
#include "read_file.hpp"
#include "read_tensor.hpp"

namespace d16::io {

namespace detail {

struct NpyHeader {
  std::string descr;
  bool fortran_order = false;
  Shape shape;
};

/// The one Python dictionary that a .npy header is: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class NpyHeaderParser {
 public:
  NpyHeaderParser(std::string_view text, std::string_view path) : text_(text), path_(path) {}

  NpyHeader parse() {
    NpyHeader header;
    int seen = 0;
    expect('{');
    while (!take('}')) {
      std::string key = quoted();
      expect(':');
      int bit = key == "descr" ? 1 : key == "fortran_order" ? 2 : key == "shape" ? 4 : 0;
      check(bit != 0 && (seen & bit) == 0, "a key is unknown or given twice");
      seen |= bit;
      if (bit == 1) header.descr = quoted();
      else if (bit == 2) header.fortran_order = boolean();
      else header.shape = tuple();
      if (!take(',')) check(peek() == '}', "',' or '}' is needed");
    }
    check(seen == 7, "descr, fortran_order and shape are needed");
    check(peek() == '\0', "text after the closing brace");
    return header;
  }

 private:
  void check(bool condition, char const* what) const {
    require<FileError>(condition, path_, ": header: ", what, "; it is damaged or not a .npy file");
  }
  char peek() {
    at_ = std::min(text_.size(), text_.find_first_not_of(" \n\t", at_));
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char c) {
    bool same = peek() == c && at_ < text_.size();
    at_ += same;
    return same;
  }
  void expect(char c) {
    char what[] = "'?' is needed";
    what[1] = c;
    check(take(c), what);
  }
  std::string quoted() {
    check(peek() == '\'' || peek() == '"', "a plain string is needed; arrays of records are not read");
    size_t end = text_.find(text_[at_], at_ + 1);
    check(end != text_.npos, "a string is not closed");
    std::string out(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return out;
  }
  bool boolean() {
    peek();
    for (std::string_view word : {"True", "False"})
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return word == "True";
      }
    check(false, "True or False is needed");
    return false;
  }
  Shape tuple() {
    Shape shape;
    expect('(');
    while (!take(')')) {
      int64_t size = 0;
      peek();
      auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), size);
      check(error == std::errc() && size >= 0, "a size in shape is not a whole number from 0 up");
      at_ = size_t(end - text_.data());
      check(shape.rank() < Shape::max_rank, "more than 8 axes");
      shape.push_back(size);
      if (!take(',')) check(peek() == ')', "',' or ')' is needed");
    }
    return shape;
  }

  std::string_view text_, path_;
  size_t at_ = 0;
};

}  // namespace detail

/// Reads a .npy array of float32, float64, int64, uint8 or bool, of either byte order, in C order.
/// Shapes   as in the file, at most 8 axes; images are (H,W).   Units  those of the file.   Device  cpu.
/// Errors   FileError: not a .npy file, another type, Fortran order, sizes that overflow, truncated, bytes left over.
inline Tensor read_npy(std::string const& path) {
  InputFile file(path);
  unsigned char start[12] = {};
  file.read(start, std::min<int64_t>(file.size(), 10));
  require<FileError>(file.size() >= 10 && std::string_view(reinterpret_cast<char*>(start), 6) == "\x93NUMPY", path,
                     ": does not begin as a .npy file; it is empty, truncated or something else");
  int major = start[6];
  require<FileError>(major >= 1 && major <= 3, path, ": .npy version ", major, "; 1, 2 and 3 are read");
  if (major > 1) file.read(start + 10, 2);
  int64_t length = start[8] | start[9] << 8 | int64_t(start[10]) << 16 | int64_t(start[11]) << 24;
  int64_t before_data = (major > 1 ? 12 : 10) + length;
  require<FileError>(before_data <= file.size() && length <= 65536, path, ": header says ", length,
                     " bytes, the file has ", file.size(), "; it is truncated or damaged");
  std::string text(size_t(length), '\0');
  file.read(text.data(), length);
  detail::NpyHeader header = detail::NpyHeaderParser(text, path).parse();

  static constexpr std::pair<std::string_view, DType> types[] = {
      {"f4", DType::f32}, {"f8", DType::f64}, {"i8", DType::i64}, {"u1", DType::u8}, {"b1", DType::boolean}};
  std::string_view name = std::string_view(header.descr).substr(header.descr.empty() ? 0 : 1);
  auto type = std::find_if(std::begin(types), std::end(types), [&](auto const& t) { return t.first == name; });
  bool known = type != std::end(types) && std::string_view("<>|=").find(header.descr[0]) != std::string_view::npos;
  require<FileError>(known, path, ": elements are '", header.descr,
                     "'; d16 reads f4 f8 i8 u1 b1: save it with .astype('f4')");
  require<FileError>(!header.fortran_order, path, ": is in Fortran order; save it with numpy.ascontiguousarray");
  int64_t bytes = size_of(type->second);
  for (int64_t size : header.shape)
    require<FileError>(!__builtin_mul_overflow(bytes, size, &bytes), path, ": shape ", header.shape,
                       " is more than memory has; the file is damaged");
  require<FileError>(before_data + bytes == file.size(), path, ": shape ", header.shape, " needs ", bytes,
                     " bytes of data, the file has ", file.size() - before_data, "; it is truncated or damaged");

  Tensor out = detail::read_tensor(file, "the array", type->second, header.shape);
  if (header.descr[0] == '>')
    for_dtype(out.dtype(), [&]<class T>(T) {
      auto* raw = reinterpret_cast<unsigned char*>(out.data<T>());
      for (int64_t i = 0; i < out.numel(); ++i)
        std::reverse(raw + i * int64_t(sizeof(T)), raw + (i + 1) * int64_t(sizeof(T)));
    });
  return out;
}

}  // namespace d16::io
