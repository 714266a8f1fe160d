// Every step of the group ladder computes the same convolution, in every order of the threads.
#include <doctest/doctest.h>

#include <d16/kernels/ladder/group.hpp>

#include "group.hpp"

using namespace d16;
using namespace d16::testing;
using kernels::ladder::GroupStep;

namespace {

std::vector<float> result(GroupStep const& step, GroupCase<float> const& c) {
  Results<float> r;
  GroupConv2d<float> with = c.arguments(r);
  Work work(step.work_bytes(with));
  with.work = work.data();
  CHECK(step.run(with) == kernels::ok);
  return r.y;
}

}  // namespace

TEST_CASE("group ladder: every step") {
  for (Group group : {D16, cyclic(4)})
    for (GroupConv2d<float> const& sizes :
         {GroupConv2d<float>{.group = group, .N = 2, .H = 5, .W = 7, .Ci = 5, .Co = 3},
          GroupConv2d<float>{.group = group, .H = 6, .W = 5, .Ci = 2, .Co = 1, .kernel = 5, .stride = 2, .padding = 2},
          GroupConv2d<float>{.group = group, .H = 1, .W = 1, .Ci = 1, .Co = 1, .kernel = 1, .padding = 0}}) {
      GroupCase<float> const c(sizes);
      auto const expected = c.reference().y;
      double const taps = double(c.a.kernel) * c.a.kernel * c.a.Ci * group.order();
      for (GroupStep const& step : kernels::ladder::group_steps) {
        INFO(step.name, ": ", c.text());
        auto const got = result(step, c);
        if (step.roundings == 0) CHECK(error(got, expected, c.terms(c.a.Ci) + taps) <= 1);
        else CHECK(relative_rms(got, expected) <= std::sqrt(step.roundings) * step.unit);
      }
    }
}

TEST_CASE("group ladder: the same bits in every order of the threads") {
  GroupCase<float> const c({.group = D16, .H = 3, .W = 2, .Ci = 5, .Co = 2});
  for (GroupStep const& step : kernels::ladder::group_steps) {
    INFO(step.name);
    auto const first = result(step, c);
    in_every_order([&] { CHECK(result(step, c) == first); });
  }
}

TEST_CASE("group ladder: what the steps do not do is left to the launchers") {
  GroupCase<float> const lifting({.group = D16, .sides = Sides::lifting, .H = 3, .W = 3});
  GroupCase<float> const other({.group = cyclic(6), .H = 3, .W = 3});
  Results<float> r;
  for (GroupStep const& step : kernels::ladder::group_steps)
    CHECK(step.run(lifting.arguments(r)) == kernels::unsupported);
  for (int fused : {3, 4, 5})
    CHECK(kernels::ladder::group_steps[fused].run(other.arguments(r)) == kernels::unsupported);
}
