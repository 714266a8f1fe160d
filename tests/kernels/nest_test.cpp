// Loop nests: which axes merge, and where rows start.
#include <doctest/doctest.h>

#include <d16/kernels/nest.hpp>

using d16::kernels::Nest;

TEST_CASE("nest: contiguous axes become one") {
  Nest<1> nest;
  nest.push(3, {35}), nest.push(1, {999}), nest.push(5, {7}), nest.push(7, {1});
  CHECK(nest.rank == 1);
  CHECK(nest.size[0] == 105);
  CHECK(nest.contiguous(0));
  CHECK(nest.rows() == 1);
}

TEST_CASE("nest: a broadcast axis stays apart, repeated ones merge") {
  Nest<2> nest;  // a bias along the last of three axes
  nest.push(3, {35, 0}), nest.push(5, {7, 0}), nest.push(7, {1, 1});
  CHECK(nest.rank == 2);
  CHECK(nest.size[0] == 15);
  CHECK(nest.inner() == 7);
  CHECK(nest.contiguous(0));
  CHECK_FALSE(nest.contiguous(1));
  CHECK(nest.row_offset(0, 4) == 28);
  CHECK(nest.row_offset(1, 4) == 0);
}

TEST_CASE("nest: rows with gaps stay apart") {
  Nest<2> nest;
  nest.push(5, {7, 9}), nest.push(7, {1, 1});
  CHECK(nest.rank == 2);
  CHECK(nest.contiguous(0));
  CHECK_FALSE(nest.contiguous(1));
}

TEST_CASE("nest: leading axes of one element, no axes, no elements") {
  Nest<2> nest;
  nest.push(1, {5, 0}), nest.push(1, {5, 3}), nest.push(4, {1, 2});
  CHECK(nest.rank == 1);
  CHECK(nest.inner_stride(1) == 2);
  Nest<1> scalar;
  CHECK(scalar.numel() == 1);
  CHECK(scalar.inner() == 1);
  CHECK(scalar.rows() == 1);
  CHECK(scalar.contiguous(0));
  Nest<1> none;
  none.push(3, {0}), none.push(0, {1});
  CHECK(none.numel() == 0);
  CHECK(none.rows() == 0);
}
