// d16 in the comparison: layers on both paths, the dense convolution, and the whole classifier.
#include <limits>

#include <d16/kernels/cpu/isa.hpp>
#include <stamp.hpp>

#include "../network.hpp"
#include "protocol.hpp"

using namespace d16;
using bench::Measured, bench::Request;

namespace {

Measured layer(Request const& r) {
  using bench::Pass;
  static std::map<std::string, Pass> const passes{{"forward", Pass::forward},
                                                  {"data_gradient", Pass::data_gradient},
                                                  {"weight_gradient", Pass::weight_gradient},
                                                  {"training", Pass::training}};
  static std::map<std::string, kernels::Path> const paths{{"default", kernels::Path::automatic},
                                                          {"expanded", kernels::Path::expanded},
                                                          {"fourier", kernels::Path::fourier},
                                                          {"fourier_unpacked", kernels::Path::fourier}};
  Pass pass = passes.at(r.op);
  bench::Layer::Sizes const sizes{r.in, r.out, r.size, r.order, r.batch};
  auto layer = std::make_shared<bench::Layer>(sizes, paths.at(r.variant), r.variant != "fourier_unpacked");
  layer->run(pass);
  return {[=] { return layer->run(pass); }, layer->error(pass)};
}

Measured evaluation(Request const& r) {
  auto network = std::make_shared<bench::Network>(r.order, r.size, r.batch);
  network->evaluate();
  double error = network->error();
  return {[=] { return bench::seconds_of([&] { network->evaluate(); }); }, error};
}

Measured training_step(Request const& r) {
  auto network = std::make_shared<bench::Network>(r.order, r.size, r.batch);
  network->train();
  return {[=] { return bench::seconds_of([&] { network->train(); }); }, std::numeric_limits<double>::quiet_NaN(),
          [] {
            return io::Json::object({{"peak_mb", bench::peak_memory()}});
          }};
}

Measured prepare(Request const& r) {
  set_threads(r.threads);
  if (r.op == "classifier") return evaluation(r);
  if (r.op == "training_step") return training_step(r);
  return layer(r);
}

}  // namespace

int main() {
  char const* isa = kernels::cpu::isa_name(kernels::cpu::best_isa());
  bench::serve(io::Json::object({{"peer", "d16"},
                                 {"version", text(stamp::version, " ", stamp::commit)},
                                 {"compiler", text(stamp::compiler, " ", stamp::flags)},
                                 {"isa", isa}}),
               prepare);
}
