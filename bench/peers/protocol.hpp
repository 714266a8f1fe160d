// The dialogue between compare.py and a program that it times: one request per line of stdin, one JSON line in answer.
#pragma once
#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <d16/io/json.hpp>

namespace d16::bench {

/// One measurement; compare.py says which ops, variants and sizes there are. Order 1 is an ordinary convolution.
struct Request {
  std::string op, variant;
  int in, out, size, order, batch, threads;
  double seconds;  ///< the measurement is repeated for so long

  explicit Request(io::Json const& line)
      : op(line.string("op")),
        variant(line.string("variant")),
        in(int(line.integer("in"))),
        out(int(line.integer("out"))),
        size(int(line.integer("size"))),
        order(int(line.integer("order"))),
        batch(int(line.integer("batch"))),
        threads(int(line.integer("threads"))),
        seconds(line.number("seconds")) {}

  std::string setting() const { return text(op, ' ', in, ' ', out, ' ', size, ' ', order, ' ', batch, ' ', threads); }
};

/// What a program makes of a request, once; the program runs it again whenever the same request comes back.
struct Measured {
  std::function<double()> seconds;  ///< one run, and how long its timed part took
  double error;                     ///< against float64, as a part of the largest value; NaN: unknown
  std::function<io::Json()> more = [] { return io::Json(); };  ///< further members of the answer, asked after the runs
};

template <class F> double seconds_of(F&& run) {
  auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The median over as many runs as fit into the time, one at least.
inline double median_ms(std::function<double()> const& run, double seconds) {
  std::vector<double> times;
  for (double spent = 0; times.empty() || spent < seconds; spent += times.back()) times.push_back(run());
  std::nth_element(times.begin(), times.begin() + std::ptrdiff_t(times.size() / 2), times.end());
  return 1e3 * times[times.size() / 2];
}

/// |got - expected| at its largest, as a part of the largest |expected|; both are read by index.
template <class Got, class Expected> double relative_error(int64_t count, Got const& got, Expected const& expected) {
  double error = 0, largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    error = std::max(error, std::abs(double(got(i)) - double(expected(i))));
    largest = std::max(largest, std::abs(double(expected(i))));
  }
  return error / largest;
}

/// Answers until stdin ends. `stamp` (peer, version, ...) is part of every answer; what prepare(request) throws becomes
/// the reason of "skipped". Memory is kept for the variants of one setting only.
template <class Prepare> void serve(io::Json const& stamp, Prepare const& prepare) {
  std::map<std::string, Measured> ready;
  std::string setting;
  for (std::string line; std::getline(std::cin, line);) {
    io::Json answer = io::parse_json(line, "request");
    Request const request(answer);
    if (request.setting() != setting) ready.clear();
    setting = request.setting();
    for (auto const& [name, value] : stamp.object()) answer[name] = value;
    try {
      auto found = ready.find(request.variant);
      if (found == ready.end()) found = ready.emplace(request.variant, prepare(request)).first;
      Measured const& measured = found->second;
      answer["median_ms"] = median_ms(measured.seconds, request.seconds);
      answer["error"] = std::isnan(measured.error) ? io::Json() : io::Json(measured.error);
      io::Json const more = measured.more();
      if (more.is_object())
        for (auto const& [name, value] : more.object()) answer[name] = value;
    } catch (std::exception const& problem) {
      answer["skipped"] = problem.what();
    }
    std::cout << answer.dump() << std::endl;
  }
}

}  // namespace d16::bench
