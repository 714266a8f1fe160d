// Columns of a table as small integers that keep the order: what trees are grown from.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "../core/parallel.hpp"
#include "examples.hpp"

namespace d16::learn::detail {

/// A float32 as an integer of the same order; -0 and 0 are one number.
inline uint32_t ordered_bits(float value) {
  uint32_t bits;
  value += 0.0f;  // -0 + 0 = 0
  std::memcpy(&bits, &value, sizeof bits);
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}

/// Each value as the number of its bin: 0 .. bins(f)-1 in the order of the values, bins(f) where it is missing.
/// `max_bins` 0 gives every distinct value a bin of its own; otherwise bins hold about equal numbers of rows, and equal
/// values always share one.
/// Cost     a sort per column.   Deterministic  yes.
template <class Code> class Codes {
 public:
  Codes(Matrix const& x, int64_t max_bins)
      : rows_(x.rows), codes_(size_t(x.rows * x.columns)), ends_(size_t(x.columns)) {
    parallel_tasks(x.columns, [&](int64_t f) { encode(x, f, max_bins); });
  }

  int64_t rows() const { return rows_; }
  int64_t features() const { return int64_t(ends_.size()); }
  Code const* column(int64_t f) const { return codes_.data() + f * rows_; }
  int64_t bins(int64_t f) const { return int64_t(ends_[size_t(f)].size()); }

  /// A value between two bins, so that x <= threshold says on which side x is; after the last bin, the largest number.
  float threshold(int64_t f, int64_t below, int64_t above) const {
    auto const& ends = ends_[size_t(f)];
    if (above >= int64_t(ends.size())) return std::numeric_limits<float>::max();
    float low = ends[size_t(below)].high, high = ends[size_t(above)].low;
    double middle = (double(low) + double(high)) / 2;
    float rounded = float(middle);  // down: a float x is <= it exactly when it is <= middle
    return double(rounded) > middle ? std::nextafter(rounded, low) : rounded;
  }

 private:
  struct Ends {
    float low, high;
  };

  void encode(Matrix const& x, int64_t f, int64_t max_bins) {
    std::vector<uint64_t> order;  // value, then row
    order.reserve(size_t(rows_));
    for (int64_t i = 0; i < rows_; ++i)
      if (float v = x.row(i)[f]; !std::isnan(v)) order.push_back(uint64_t(ordered_bits(v)) << 32 | uint32_t(i));
    std::sort(order.begin(), order.end());
    auto same = [](uint64_t a, uint64_t b) { return a >> 32 == b >> 32; };
    int64_t distinct = 0, count = int64_t(order.size());
    for (int64_t i = 0; i < count; ++i) distinct += i == 0 || !same(order[size_t(i)], order[size_t(i - 1)]);
    bool each = max_bins == 0 || distinct <= max_bins;

    Code* codes = codes_.data() + f * rows_;
    auto& ends = ends_[size_t(f)];
    auto value = [&](int64_t i) { return x.row(int64_t(uint32_t(order[size_t(i)])))[f]; };
    for (int64_t begin = 0, end; begin < count; begin = end) {
      int64_t left = max_bins - int64_t(ends.size());  // bins that are still to be filled
      end = each ? begin + 1 : left == 1 ? count : begin + std::max<int64_t>(1, (count - begin) / left);
      while (end < count && same(order[size_t(end)], order[size_t(end - 1)])) ++end;
      for (int64_t i = begin; i < end; ++i) codes[uint32_t(order[size_t(i)])] = Code(ends.size());
      ends.push_back({value(begin), value(end - 1)});
    }
    for (int64_t i = 0; i < rows_; ++i)
      if (std::isnan(x.row(i)[f])) codes[i] = Code(ends.size());
  }

  int64_t rows_;
  std::vector<Code> codes_;
  std::vector<std::vector<Ends>> ends_;
};

}  // namespace d16::learn::detail
