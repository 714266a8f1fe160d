// Calibration by its laws. Against scikit-learn and SciPy: tests/golden/.
#include <doctest/doctest.h>

#include <d16/learn/calibration.hpp>

#include "table.hpp"

using namespace d16;
using namespace d16::learn;

namespace {
double const epsilon = std::numeric_limits<double>::epsilon();
Tensor labels_of(std::vector<int64_t> const& l) { return from(l, {int64_t(l.size())}); }
Tensor list(std::vector<double> const& v) { return from(v, {int64_t(v.size())}); }

struct Drawn {
  std::vector<double> scores;
  std::vector<int64_t> labels;
};
/// Labels that are 1 with the chance 1 / (1 + exp(a s + b)).
Drawn drawn(int64_t n, double a, double b, uint64_t seed) {
  Random random(seed);
  Drawn d;
  for (int64_t i = 0; i < n; ++i) {
    d.scores.push_back(2 * random.normal());
    d.labels.push_back(random.uniform() < 1 / (1 + std::exp(a * d.scores.back() + b)));
  }
  return d;
}
}  // namespace

TEST_CASE("sigmoid: finds the truth, whatever the unit of the scores, and stays finite when they part the classes") {
  Drawn d = drawn(20000, -1.5, 0.7, 1);
  SigmoidCalibration c = fit_sigmoid(list(d.scores), labels_of(d.labels));
  // error of the maximum likelihood: the information per item is about 0.1 for b and 0.2 for a
  CHECK(std::abs(c.a + 1.5) < 5 / std::sqrt(0.2 * 20000));
  CHECK(std::abs(c.b - 0.7) < 5 / std::sqrt(0.1 * 20000));
  std::vector<double> scaled;
  for (double s : d.scores) scaled.push_back(1e9 * s + 5e9);
  SigmoidCalibration same = fit_sigmoid(list(scaled), labels_of(d.labels));
  CHECK(std::abs(same(1e9 * 0.3 + 5e9) - c(0.3)) < 1e-9);  // 1e9 s + 5e9 keeps 2^-53 x 5e9 / 1e9 of s
  SigmoidCalibration parted = fit_sigmoid(list({1, 2, 3, 4}), labels_of({0, 0, 1, 1}));
  CHECK(parted(1) > 0.01);  // Platt's targets are 1/4 and 3/4
  CHECK(parted(1) < 0.3);
  CHECK(parted(2.5) == doctest::Approx(0.5).epsilon(1e-9));
  SigmoidCalibration flat = fit_sigmoid(list({5, 5, 5, 5}), labels_of({0, 1, 1, 1}));
  CHECK(flat(5) == doctest::Approx((3 * 4.0 / 5 + 1.0 / 3) / 4).epsilon(1e-6));  // the mean target
  CHECK(SigmoidCalibration{-1, 0}(1e300) == 1);
  CHECK(SigmoidCalibration{-1, 0}(-1e300) == 0);
}

TEST_CASE("sigmoid: the slope of the loss is zero at the fit, with weights") {
  Drawn d = drawn(300, 0.8, -0.2, 2);
  std::vector<double> w;
  Random random(3);
  double up = 0, down = 0, slope[2] = {}, size = 0;
  for (int64_t label : d.labels) w.push_back(random.uniform()), (label ? up : down) += w.back();
  SigmoidCalibration c = fit_sigmoid(list(d.scores), labels_of(d.labels), list(w));
  for (size_t i = 0; i < w.size(); ++i) {
    double target = d.labels[i] ? (up + 1) / (up + 2) : 1 / (down + 2);
    double term = w[i] * (target - c(d.scores[i]));
    slope[0] += term, slope[1] += term * d.scores[i], size += std::abs(term * d.scores[i]);
  }
  // the last Newton step began with a fall of 1e-8 of the weights or less; its square is what is left
  CHECK(std::abs(slope[0]) < 1e-7 * size);
  CHECK(std::abs(slope[1]) < 1e-7 * size);
}

TEST_CASE("isotonic: rises, keeps the mean of every block, pools exactly what falls") {
  IsotonicCalibration c =
      fit_isotonic(list({1, 2, 3, 4, 5, 6}), labels_of({0, 1, 0, 0, 1, 1}));  // 2 3 4 are one block of 1/3
  CHECK(c(1) == 0);
  for (double s : {2.0, 3.0, 4.0}) CHECK(c(s) == doctest::Approx(1.0 / 3).epsilon(4 * epsilon));
  CHECK(c(4.5) == doctest::Approx(2.0 / 3).epsilon(4 * epsilon));
  CHECK(c(5) == 1);
  CHECK(c(-9) == 0);
  CHECK(c(99) == 1);
  CHECK(fit_isotonic(list({1, 1, 1, 2}), labels_of({0, 1, 1, 1}))(1) == doctest::Approx(2.0 / 3).epsilon(4 * epsilon));
  Drawn d = drawn(500, -2, 0, 4);
  IsotonicCalibration fit = fit_isotonic(list(d.scores), labels_of(d.labels));
  CHECK(std::is_sorted(fit.values.begin(), fit.values.end()));
  double said = 0, true_sum = 0;
  for (size_t i = 0; i < 500; ++i) said += fit(d.scores[i]), true_sum += double(d.labels[i]);
  CHECK(std::abs(said - true_sum) < 500 * 500 * epsilon);
  IsotonicCalibration falling = fit_isotonic(list({1, 2, 3, 4}), labels_of({1, 1, 0, 0}));
  CHECK(falling(2.5) == 0.5);
}

TEST_CASE("temperature: finds the truth; a factor on the logits is a factor on the temperature") {
  Random random(5);
  std::vector<double> z;
  std::vector<int64_t> l;
  for (int i = 0; i < 8000; ++i) {
    double row[3], p[3], sum = 0;
    for (double& value : row) value = 3 * random.normal();
    for (int k = 0; k < 3; ++k) sum += p[k] = std::exp(row[k] / 2.5);
    double u = random.uniform() * sum;
    l.push_back(u < p[0] ? 0 : u < p[0] + p[1] ? 1 : 2);
    z.insert(z.end(), row, row + 3);
  }
  Tensor logits = from(z, {8000, 3});
  TemperatureCalibration c = fit_temperature(logits, labels_of(l));
  CHECK(std::abs(c.temperature / 2.5 - 1) < 5 / std::sqrt(0.3 * 8000));  // information on log T per item: about 0.3
  for (double& value : z) value *= 16;
  CHECK(fit_temperature(from(z, {8000, 3}), labels_of(l)).temperature / (16 * c.temperature) ==
        doctest::Approx(1).epsilon(1e-12));
  Tensor p = c(logits);
  CHECK(argmax(p).data<int64_t>()[7] == argmax(logits).data<int64_t>()[7]);
  CHECK(fit_temperature(from(std::vector<float>{9, 0, 0, 9}, {2, 2}), labels_of({0, 1})).temperature < 1.001e-3);
}

TEST_CASE("calibration brings down the calibration error") {
  Drawn d = drawn(4000, -0.5, 0.3, 6), test = drawn(4000, -0.5, 0.3, 7);
  auto error = [&](auto const& map) {
    return calibration_error(reliability_bins(map(list(test.scores)), labels_of(test.labels)));
  };
  double raw = error(SigmoidCalibration{-2, 0});  // four times too sure
  CHECK(raw > 0.15);
  // bins of 400 items: sigma of a bin 0.025, mean of its size 0.02
  CHECK(error(fit_sigmoid(list(d.scores), labels_of(d.labels))) < 0.04);
  CHECK(error(fit_isotonic(list(d.scores), labels_of(d.labels))) < 0.05);
}

TEST_CASE("priors: Bayes' rule, there and back") {
  Tensor p = from(std::vector<double>{0.2, 0.3, 0.5, 1, 0, 0}, {2, 3});
  Tensor q = reweight_priors(p, {1, 1, 1}, {722, 722, 11});
  double all = 0.2 * 722 + 0.3 * 722 + 0.5 * 11;
  CHECK(q.data<double>()[0] == doctest::Approx(0.2 * 722 / all).epsilon(8 * epsilon));
  CHECK(q.data<double>()[2] == doctest::Approx(0.5 * 11 / all).epsilon(8 * epsilon));
  CHECK(q.data<double>()[3] == 1);
  CHECK(table::largest_difference(reweight_priors(q, {722, 722, 11}, {1, 1, 1}), p) < 8 * epsilon);
  CHECK_THROWS_AS(reweight_priors(p, {1, 1}, {1, 1}), ShapeError);
  CHECK_THROWS_AS(reweight_priors(p, {1, 0, 1}, {1, 1, 1}), ValueError);
  CHECK_THROWS_AS(reweight_priors(p, {1, 1, 1}, {0, 1, 1}), ValueError);  // the second item is of the first class
}

TEST_CASE("top label: the first choice and whether it is right") {
  TopLabel top = top_label(from(std::vector<float>{0.5, 0.25, 0.25, 0.125, 0.125, 0.75}, {2, 3}), labels_of({0, 1}));
  CHECK(top.confidence.data<double>()[0] == 0.5);
  CHECK(top.confidence.data<double>()[1] == 0.75);
  CHECK(top.right.data<int64_t>()[0] == 1);
  CHECK(top.right.data<int64_t>()[1] == 0);
}

TEST_CASE("calibrations through JSON; errors") {
  Drawn d = drawn(100, -1, 0, 8);
  Tensor s = list(d.scores), l = labels_of(d.labels);
  auto again = [](auto const& c) {
    return std::decay_t<decltype(c)>::from_json(io::parse_json(c.to_json().dump(), "calibration"));
  };
  CHECK(table::same(fit_sigmoid(s, l)(s), again(fit_sigmoid(s, l))(s)));
  CHECK(table::same(fit_isotonic(s, l)(s), again(fit_isotonic(s, l))(s)));
  CHECK(again(TemperatureCalibration{1.75}).temperature == 1.75);
  CHECK_THROWS_AS(TemperatureCalibration::from_json(io::Json::object({{"temperature", 0}})), ValueError);
  auto isotonic = [](std::vector<double> const& a, std::vector<double> const& b) {
    return IsotonicCalibration::from_json(io::Json::object({{"scores", a}, {"values", b}}));
  };
  CHECK(isotonic({1, 2}, {0, 1})(1.5) == 0.5);
  CHECK_THROWS_AS(isotonic({1, 1}, {0, 1}), ValueError);
  CHECK_THROWS_AS(isotonic({1, 2}, {1, 0}), ValueError);
  CHECK_THROWS_AS(isotonic({1}, {0, 1}), ValueError);
  CHECK_THROWS_AS(isotonic({}, {}), ValueError);
  CHECK_THROWS_WITH_AS(fit_sigmoid(s, zeros({100}, {.dtype = DType::i64})),
                       "fit_sigmoid: all 100 labels are 0; both classes are needed", ValueError);
  CHECK_THROWS_AS(fit_isotonic(s, labels_of({0, 1})), ShapeError);
  CHECK_THROWS_AS(fit_sigmoid(list({1, std::nan("")}), labels_of({0, 1})), ValueError);
  CHECK_THROWS_AS(fit_sigmoid(list({1, INFINITY}), labels_of({0, 1})), ValueError);
  CHECK_THROWS_AS(fit_isotonic(list({1, 2}), labels_of({0, 1}), list({1, -1})), ValueError);
  CHECK_THROWS_AS(fit_temperature(zeros({2, 3}), labels_of({0, 3})), ValueError);
  CHECK_THROWS_AS(fit_temperature(zeros({2, 1}), labels_of({0, 0})), ShapeError);
  CHECK_THROWS_AS(IsotonicCalibration()(1.0), ValueError);
}
