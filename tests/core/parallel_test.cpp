// Loops over threads: every index once, exceptions, nesting, and a split that does not depend on the threads.
#include <doctest/doctest.h>
#include <d16/core/error.hpp>
#include <d16/core/parallel.hpp>

#include <atomic>
#include <vector>

using namespace d16;

TEST_CASE("every index is visited once") {
  int before = threads();
  for (int count : {1, 2, 5}) {
    set_threads(count);
    CHECK(threads() == count);
    for (int64_t n : {0, 1, 4095, 4097, 100003}) {
      std::vector<std::atomic<int>> seen(static_cast<size_t>(n));
      parallel_for(n, [&](int64_t i) { ++seen[size_t(i)]; });
      bool once = true;
      for (auto& s : seen) once = once && s == 1;
      CHECK(once);
    }
  }
  set_threads(before);
}

TEST_CASE("an exception in a task reaches the caller and the pool goes on") {
  CHECK_THROWS_AS(parallel_tasks(100, [](int64_t i) { require<ValueError>(i != 37, "task ", i); }), ValueError);
  std::atomic<int> count{0};
  parallel_tasks(100, [&](int64_t) { ++count; });
  CHECK(count == 100);
}

TEST_CASE("a loop inside a loop runs") {
  std::atomic<int> count{0};
  parallel_tasks(8, [&](int64_t) { parallel_tasks(8, [&](int64_t) { ++count; }); });
  CHECK(count == 64);
}

TEST_CASE("the split depends on n and grain only") {
  int before = threads();
  for (int count : {1, 4}) {
    set_threads(count);
    std::vector<int64_t> begins(4, -1);
    parallel_chunks(10, 3, [&](int64_t begin, int64_t end) {
      begins[size_t(begin / 3)] = begin;
      CHECK(end == std::min<int64_t>(10, begin + 3));
    });
    CHECK(begins == std::vector<int64_t>{0, 3, 6, 9});
  }
  set_threads(before);
}
