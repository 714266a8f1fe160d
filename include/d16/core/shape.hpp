// The sizes of a tensor's axes, always named N,H,W,C,G in messages.
#pragma once
#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>

#include "error.hpp"

namespace d16 {

/// The axes of images (N,H,W,C) and of group features (N,H,W,C,G).
namespace axis {
enum : int { N = 0, H = 1, W = 2, C = 3, G = 4 };
}

/// Up to eight axis sizes, by value. Also used for strides (in elements).
class Shape {
 public:
  static constexpr int max_rank = 8;

  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) : Shape(std::span<int64_t const>(sizes.begin(), sizes.size())) {}
  explicit Shape(std::span<int64_t const> sizes) : rank_(int(sizes.size())) {
    require<ShapeError>(sizes.size() <= max_rank, "shape of rank ", sizes.size(), ": at most ", int(max_rank), " axes");
    std::copy(sizes.begin(), sizes.end(), sizes_);
  }

  int rank() const { return rank_; }
  int64_t operator[](int i) const { return sizes_[i]; }
  int64_t& operator[](int i) { return sizes_[i]; }
  int64_t const* begin() const { return sizes_; }
  int64_t const* end() const { return sizes_ + rank_; }
  int64_t back() const { return sizes_[rank_ - 1]; }
  void push_back(int64_t size) {
    require<ShapeError>(rank_ < max_rank, "shape ", *this, ": at most ", int(max_rank), " axes");
    sizes_[rank_++] = size;
  }

  /// The number of elements; throws when it does not fit 63 bits or a size is negative.
  int64_t numel() const {
    int64_t product = 1;
    for (int64_t size : *this) {
      bool bad = size < 0 || __builtin_mul_overflow(product, size, &product);
      require<ShapeError>(!bad, "shape ", *this, ": negative or more elements than memory has");
    }
    return product;
  }

  /// Row-major strides in elements.
  Shape strides() const {
    Shape s = *this;
    int64_t step = 1;
    for (int i = rank_ - 1; i >= 0; --i) {
      s[i] = step;
      bool bad = __builtin_mul_overflow(step, std::max<int64_t>(sizes_[i], 1), &step);
      if (bad) step = 0;  // an axis further on is empty, or numel() has thrown
    }
    return s;
  }

  /// "(N=8,H=64,W=64,C=12,G=16)" for rank 4 and 5, "(8,64)" otherwise.
  std::string text() const {
    static constexpr char const* names[] = {"N=", "H=", "W=", "C=", "G="};
    std::string out = "(";
    for (int i = 0; i < rank_; ++i) {
      if (i) out += ',';
      if (rank_ == 4 || rank_ == 5) out += names[i];
      out += std::to_string(sizes_[i]);
    }
    return out + ")";
  }

  friend bool operator==(Shape const& a, Shape const& b) {
    return a.rank_ == b.rank_ && std::equal(a.begin(), a.end(), b.begin());
  }

 private:
  int64_t sizes_[max_rank] = {};
  int rank_ = 0;
};

}  // namespace d16
