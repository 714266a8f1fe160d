// Non-negative least squares for few columns, exactly: which mixture of templates comes nearest to the fluxes.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "../core/error.hpp"

namespace d16::photoz {

/// Minimises sum_b v_b (y_b - sum_t a_bt x_t)^2 over x >= 0, by active sets: the columns with x > 0 are solved for
/// without the bound, one column joins where the sum falls fastest, columns that would turn negative leave. It ends
/// where the conditions of Karush, Kuhn and Tucker hold to 1e-9: x is the minimum, not near it. Columns that the others
/// make up already (to 1e-10 of their square) do not join. One object works for one thread, with memory of its own.
/// Cost     columns x rows for each column that joins, two to five of them as a rule.   Deterministic  yes.
/// Source   Lawson & Hanson 1974, Solving Least Squares Problems, algorithm NNLS (23.10).
class Nnls {
 public:
  /// Errors   ValueError unless both numbers are positive.
  Nnls(int columns, int rows) : columns_(columns), rows_(rows) {
    require<ValueError>(columns > 0 && rows > 0, "Nnls: ", columns, " columns and ", rows,
                        " rows; one of each at least is needed");
    most_ = size_t(std::min(columns, rows));
    factor_.resize(most_ * most_);
    for (auto* list : {&solution_, &right_, &forward_}) list->resize(most_);
    slope_.resize(size_t(columns)), square_.resize(size_t(columns));
    residual_.resize(size_t(rows)), scaled_.resize(size_t(rows));
    state_.resize(size_t(columns));
  }

  /// a (rows,columns) row-major, v (rows) from 0 up, y (rows); gives the least sum. Rows with v = 0 do not count.
  /// `warm`: begins at the columns of the last answer, which is right where the problem is a neighbour's. The answer is
  /// the same up to rounding.
  double solve(double const* a, double const* v, double const* y, bool warm = false) {
    a_ = a, v_ = v, y_ = y;
    state_.assign(size_t(columns_), State::out);
    if (!warm) passive_.clear();
    measure_columns();
    before_ = passive_;
    rebuild(before_);
    drop_until_positive();
    double sum = residual();
    for (int t; (t = steepest()) >= 0;) {
      before_ = passive_;
      if (join(t)) {
        state_[size_t(t)] = State::in;
        walk_to_minimum();
        if (double now = residual(); now < sum) {
          sum = now;
          for (State& state : state_)  // what could not help before may now
            if (state == State::barred) state = State::out;
          continue;
        }
        rebuild(before_);  // rounding led uphill
        sum = residual();
      }
      state_[size_t(t)] = State::barred;
    }
    return sum;
  }

  /// The columns with x > 0 and their x; all others are 0.
  std::vector<int> const& passive() const { return passive_; }
  double value(size_t k) const { return solution_[k]; }
  /// sum_t a_bt x_t of a row.
  double model(int row) const { return y_[row] - residual_[size_t(row)]; }

 private:
  enum class State { out, in, barred };
  static constexpr double dependent = 1e-10, tolerance = 1e-9;

  double product(int s, int t) const {
    double sum = 0;
    for (int b = 0; b < rows_; ++b) sum += v_[b] * a_[b * columns_ + s] * a_[b * columns_ + t];
    return sum;
  }
  /// Squares of each column and of y, which the tolerances refer to.
  void measure_columns() {
    std::fill(square_.begin(), square_.end(), 0.0);
    data_square_ = 0;
    for (int b = 0; b < rows_; ++b) {
      for (int t = 0; t < columns_; ++t) square_[size_t(t)] += v_[b] * a_[b * columns_ + t] * a_[b * columns_ + t];
      data_square_ += v_[b] * y_[b] * y_[b];
    }
  }

  /// Puts a column behind the passive ones and its row below the Cholesky factor, and solves. False: it depends on them.
  bool join(int t) {
    size_t n = passive_.size();
    if (n == most_ || !(square_[size_t(t)] > 0)) return false;
    double* row = &factor_[n * most_];
    double pivot = square_[size_t(t)];
    for (size_t i = 0; i < n; ++i) {
      double const* other = &factor_[i * most_];
      double g = product(passive_[i], t);
      for (size_t k = 0; k < i; ++k) g -= other[k] * row[k];
      row[i] = g / other[i];
      pivot -= row[i] * row[i];
    }
    if (!(pivot > dependent * square_[size_t(t)])) return false;
    row[n] = std::sqrt(pivot);
    right_[n] = 0;
    for (int b = 0; b < rows_; ++b) right_[n] += v_[b] * a_[b * columns_ + t] * y_[b];
    passive_.push_back(t);
    return true;
  }
  /// These columns and no others, with their free minimum.
  void rebuild(std::vector<int> const& columns) {
    for (State& state : state_)
      if (state == State::in) state = State::out;
    passive_.clear();
    for (int t : columns)
      if (join(t)) state_[size_t(t)] = State::in;
    solve_passive();
    std::copy(target_.begin(), target_.end(), solution_.begin());
  }
  /// The least squares of the passive columns, without the bound.
  void solve_passive() {
    size_t n = passive_.size();
    target_.resize(n);
    for (size_t i = 0; i < n; ++i) {
      double sum = right_[i];
      for (size_t k = 0; k < i; ++k) sum -= factor_[i * most_ + k] * forward_[k];
      forward_[i] = sum / factor_[i * most_ + i];
    }
    for (size_t i = n; i-- > 0;) {
      double sum = forward_[i];
      for (size_t k = i + 1; k < n; ++k) sum -= factor_[k * most_ + i] * target_[k];
      target_[i] = sum / factor_[i * most_ + i];
    }
  }
  /// A warm start: columns that would be negative go, until none is.
  void drop_until_positive() {
    while (std::any_of(target_.begin(), target_.end(), [](double x) { return !(x > 0); })) {
      kept_.clear();
      for (size_t i = 0; i < passive_.size(); ++i)
        if (target_[i] > 0) kept_.push_back(passive_[i]);
      rebuild(kept_);
    }
  }
  /// From the last solution, with the new column at 0, towards the free minimum as far as all stay positive; the column
  /// that stopped it leaves, and so on.
  void walk_to_minimum() {
    solution_[passive_.size() - 1] = 0;
    for (;;) {
      solve_passive();
      double step = 1;
      size_t stopped = passive_.size();
      for (size_t i = 0; i < passive_.size(); ++i) {
        if (target_[i] > 0) continue;
        double reach = solution_[i] / (solution_[i] - target_[i]);
        if (!(reach >= 0)) reach = 0;
        if (stopped == passive_.size() || reach < step) step = reach, stopped = i;
      }
      if (stopped == passive_.size()) break;
      kept_.clear(), values_.clear();
      for (size_t i = 0; i < passive_.size(); ++i) {
        double x = solution_[i] + step * (target_[i] - solution_[i]);
        if (i == stopped || !(x > 0)) continue;
        kept_.push_back(passive_[i]), values_.push_back(x);
      }
      rebuild(kept_);
      if (values_.size() == passive_.size()) std::copy(values_.begin(), values_.end(), solution_.begin());
      if (passive_.empty()) return;
    }
    std::copy(target_.begin(), target_.end(), solution_.begin());
  }

  /// The sum of squares at the solution.
  double residual() {
    double sum = 0;
    for (int b = 0; b < rows_; ++b) {
      double r = y_[b];
      for (size_t k = 0; k < passive_.size(); ++k) r -= a_[b * columns_ + passive_[k]] * solution_[k];
      residual_[size_t(b)] = r;
      scaled_[size_t(b)] = v_[b] * r;
      sum += scaled_[size_t(b)] * r;
    }
    return sum;
  }
  /// The column along which the sum falls fastest, in units of its length; -1 where none falls.
  int steepest() {
    std::fill(slope_.begin(), slope_.end(), 0.0);
    for (int b = 0; b < rows_; ++b)
      for (int t = 0; t < columns_; ++t) slope_[size_t(t)] += scaled_[size_t(b)] * a_[b * columns_ + t];
    int best = -1;
    double most = 0;
    for (int t = 0; t < columns_; ++t) {
      double g = slope_[size_t(t)];
      if (g <= 0 || state_[size_t(t)] != State::out) continue;
      double relative = g * g / square_[size_t(t)];
      if (relative > most) most = relative, best = t;
    }
    return most > tolerance * tolerance * data_square_ ? best : -1;
  }

  int columns_, rows_;
  size_t most_ = 0;  // columns that can be independent
  double const *a_ = nullptr, *v_ = nullptr, *y_ = nullptr;
  std::vector<double> factor_, solution_, right_, forward_, target_, slope_, square_, residual_, scaled_, values_;
  std::vector<State> state_;
  std::vector<int> passive_, before_, kept_;
  double data_square_ = 0;
};

}  // namespace d16::photoz
