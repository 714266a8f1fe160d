// How much wider the interval of a share is when several of its items are looks of one galaxy, and so alike.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <vector>

#include <d16/learn/intervals.hpp>

namespace tool {

/// One item that a share is made of: is it among the right ones?
struct Answer {
  int64_t group;  ///< items of one group are not independent: looks of one galaxy, galaxies of one field
  bool right;
};

/// The variance of the share of right ones when whole groups are drawn, over that of as many independent items; 1 where
/// every group is one item, and never less. Where all are right or none, nothing can be seen of it: a group then counts
/// as one item.
/// Source   Kish 1965, Survey Sampling, 5.4 and 8.2; the variance is that of a ratio, to first order what a bootstrap over
///          groups gives.
inline double design_effect(std::vector<Answer> const& answers) {
  struct Group {
    double right = 0, all = 0;
  };
  std::map<int64_t, Group> groups;
  for (Answer const& a : answers) groups[a.group].right += a.right, groups[a.group].all += 1;
  double n = double(answers.size()), m = double(groups.size()), right = 0, squares = 0, between = 0;
  for (auto const& [name, g] : groups) right += g.right, squares += g.all * g.all;
  if (groups.empty()) return 1;
  if (right == 0 || right == n || m == 1) return squares / n;
  double p = right / n;
  for (auto const& [name, g] : groups) between += (g.right - p * g.all) * (g.right - p * g.all);
  return std::max(1.0, between / (n * p * (1 - p)) * (m / (m - 1)) * ((n - 1) / n));
}

/// A share with the Wilson interval of n / effect independent items: in it z^2 and n stand as z^2 / n alone.
inline d16::learn::Fraction share(int64_t right, int64_t n, double effect) {
  return d16::learn::fraction(right, n, 1.959963984540054 * std::sqrt(effect));
}

}  // namespace tool
