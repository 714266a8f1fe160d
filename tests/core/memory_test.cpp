// The arena: reuse, accounting, and out of memory as an exception that leaves the process usable.
#include <doctest/doctest.h>
#include <d16/core/tensor.hpp>

#include <string>

using namespace d16;

TEST_CASE("a freed block serves the next request of its size") {
  HostArena arena;
  void* first = arena.allocate(1000);
  arena.release(first, 1000);
  CHECK(arena.use().used == 0);
  CHECK(arena.use().cached >= 1000);
  CHECK(arena.allocate(1000) == first);
  CHECK(arena.use().requests == 1);
  arena.release(first, 1000);
  arena.trim();
  CHECK(arena.use().cached == 0);
}

TEST_CASE("sizes round up by at most an eighth, never down") {
  for (size_t bytes = 1; bytes < 1 << 20; bytes = bytes * 5 / 4 + 1) {
    size_t size = HostArena::rounded(bytes);
    CHECK(size >= bytes);
    CHECK(size % 64 == 0);
    CHECK(size <= bytes + bytes / 8 + 64);
    CHECK(HostArena::rounded(size) == size);
  }
}

TEST_CASE("out of memory says what was asked and can be survived") {
  HostArena arena;
  arena.set_limit(1 << 20);
  void* block = arena.allocate(512 << 10);
  std::string message;
  try {
    arena.allocate(600 << 10);
  } catch (OutOfMemory const& error) {
    message = error.what();
  }
  CHECK(message.find("MiB asked") != std::string::npos);
  arena.release(block, 512 << 10);
  block = arena.allocate(600 << 10);
  CHECK(block != nullptr);
  arena.release(block, 600 << 10);
}

TEST_CASE("large blocks share regions: what is left over serves smaller ones, and neighbours join again") {
  HostArena arena;
  size_t const MB = size_t(1) << 20;
  char* whole = static_cast<char*>(arena.allocate(8 * MB));
  arena.release(whole, 8 * MB);
  void *a = arena.allocate(2 * MB), *b = arena.allocate(3 * MB), *c = arena.allocate(3 * MB);
  CHECK(a == whole);
  CHECK(b == whole + 2 * MB);
  CHECK(c == whole + 5 * MB);
  CHECK(arena.use().requests == 1);
  CHECK(arena.use().cached == 0);
  void* other = arena.allocate(2 * MB);  // no room left
  CHECK(arena.use().requests == 2);
  void* big = arena.allocate(9 * MB);
  arena.release(big, 9 * MB);
  big = arena.allocate(10 * MB);  // 9 MB are free and too small: they are given back first
  CHECK(arena.use().cached == 0);
  CHECK(arena.use().requests == 4);
  arena.release(big, 10 * MB);
  CHECK(arena.allocate(10 * MB) == big);
  arena.release(big, 10 * MB);
  arena.trim();
  arena.release(a, 2 * MB), arena.release(c, 3 * MB);
  CHECK(arena.allocate(2 * MB) == a);  // the smallest that fits
  arena.release(a, 2 * MB);
  arena.trim();  // a region with a used block stays
  CHECK(arena.use().cached == 5 * MB);
  arena.release(b, 3 * MB);
  CHECK(arena.allocate(8 * MB) == whole);
  arena.release(whole, 8 * MB), arena.release(other, 2 * MB);
  arena.trim();
  CHECK(arena.use().cached == 0);
  CHECK(arena.use().used == 0);
}

TEST_CASE("what a held arena has free stays there, until it is let go") {
  HostArena arena;
  size_t const MB = size_t(1) << 20;
  void *const small = arena.allocate(1000), *const large = arena.allocate(8 * MB);
  arena.release(small, 1000), arena.release(large, 8 * MB);
  arena.hold(true);
  arena.trim();
  void* const larger = arena.allocate(9 * MB);  // 8 MB are free and too small
  CHECK(arena.use().cached == 8 * MB + HostArena::rounded(1000));
  CHECK(arena.allocate(1000) == small);
  CHECK(arena.allocate(8 * MB) == large);
  arena.release(small, 1000), arena.release(large, 8 * MB), arena.release(larger, 9 * MB);
  arena.hold(false);
  arena.trim();
  CHECK(arena.use().cached == 0);
}

TEST_CASE("tensors give their memory back") {
  size_t before = host_arena().use().used;
  {
    Tensor x = zeros({100, 100}), y = x;
    CHECK(host_arena().use().used == before + HostArena::rounded(40000));
  }
  CHECK(host_arena().use().used == before);
}
