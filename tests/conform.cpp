// d16-conform: runs conformance cases, files made by other tools, on every backend. The format is in docs/conformance.md.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "conform/case.hpp"
#include "conform/table.hpp"

#include <d16/cuda/use.hpp>

using namespace d16;
using namespace d16::conform;
namespace fs = std::filesystem;

namespace {

constexpr char const* usage =
    "usage: d16-conform [--backend cpu|reference|emulated|cuda|all] [--path expanded|fourier|all] [--strict] "
    "FILE|DIR...\n"
    "Runs conformance cases (.safetensors): one line for each tensor,\n"
    "  case  op  backend  tensor  max_abs_err  tolerance  ok|FAIL|skipped\n"
    "then the ops whose cases were skipped, and the number of cases last. Exit status 1 on a failure (--strict: also "
    "on\n"
    "a skipped case), 2 when a file cannot be read.\n";

enum class Verdict { skipped, passed, failed };

void print_line(Case const& c, std::string const& backend, std::string const& tensor, double error, double tolerance,
                bool ok) {
  std::printf("%s  %s  %s  %s  %.3g  %.3g  %s\n", c.name.c_str(), c.op.c_str(), backend.c_str(), tensor.c_str(), error,
              tolerance, ok ? "ok" : "FAIL");
}
void print_line(Case const& c, std::string const& backend, std::string const& tensor, char const* verdict,
                std::string const& why) {
  std::printf("%s  %s  %s  %s  -  -  %s  %s\n", c.name.c_str(), c.op.c_str(), backend.c_str(), tensor.c_str(), verdict,
              why.c_str());
}

Tensor on_host(Tensor x, DType dtype) { return x.detach().to("cpu").cast(dtype).contiguous(); }

/// Scalars are one element, whether written with one axis or none.
bool same_shape(Tensor const& a, Tensor const& b) {
  return a.shape() == b.shape() || (a.rank() <= 1 && b.rank() <= 1 && a.numel() == 1 && b.numel() == 1);
}

struct Comparison {
  double error = 0, tolerance = 0;
  bool ok = true;
};

Comparison compare_integers(Tensor const& got, Tensor const& expected) {
  Comparison result;
  if (got.dtype() != DType::i64) return {INFINITY, 0, false};
  Tensor a = on_host(got, DType::i64), b = on_host(expected, DType::i64);
  auto x = a.host<int64_t>(), y = b.host<int64_t>();
  for (size_t i = 0; i < x.size(); ++i) result.error = std::max(result.error, std::abs(double(x[i]) - double(y[i])));
  result.ok = std::equal(x.begin(), x.end(), y.begin());
  return result;
}

/// max |got - expected| <= atol + rtol max |expected|, with equal infinities equal and no NaN anywhere.
Comparison compare(Case const& c, Tensor const& got, Tensor const& expected) {
  if (expected.dtype() == DType::i64) return compare_integers(got, expected);
  Tensor a = on_host(got, DType::f64), b = on_host(expected, DType::f64);
  auto x = a.host<double>(), y = b.host<double>();
  Comparison result;
  double magnitude = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i]) || std::isnan(y[i])) return {NAN, c.atol, false};
    if (std::isfinite(y[i])) magnitude = std::max(magnitude, std::abs(y[i]));
    if (x[i] != y[i]) result.error = std::max(result.error, std::abs(x[i] - y[i]));
  }
  result.tolerance = c.atol + c.rtol * magnitude;
  result.ok = result.error <= result.tolerance;
  return result;
}

bool check(Case const& c, std::string const& backend, std::string const& name, Tensor const& got) {
  Tensor expected = c.tensor(name);
  if (!got.defined()) return print_line(c, backend, name, "FAIL", "the op does not give it"), false;
  if (!same_shape(got, expected))
    return print_line(c, backend, name, "FAIL", text("shape ", got.shape(), ", expected ", expected.shape())), false;
  Comparison result = compare(c, got, expected);
  print_line(c, backend, name, result.error, result.tolerance, result.ok);
  return result.ok;
}

/// From the output that the file names in cot.*, backwards; gradients then lie at the inputs.
void go_back(Case const& c, Run& run, Outcome const& outcome) {
  for (auto const& [name, cotangent] : c.file.tensors) {
    if (!name.starts_with("cot.")) continue;
    auto found = outcome.outputs.find(name.substr(4));
    if (found == outcome.outputs.end()) continue;
    Tensor y = found->second;
    y.backward(cotangent.to(run.device()).reshape(y.shape()));
  }
}

Verdict run_on(Case const& c, Op const& op, Backend const& backend, kernels::Path path) {
  bool ok = true;
  try {
    Run run(c, backend.device, path);
    Outcome outcome = op.run(run);
    bool gradients = false;
    for (auto const& [name, expected] : c.file.tensors) {
      gradients = gradients || name.starts_with("grad.");
      if (!name.starts_with("out.")) continue;
      auto found = outcome.outputs.find(name.substr(4));
      ok = check(c, backend.name, name, found == outcome.outputs.end() ? Tensor() : found->second) && ok;
    }
    if (gradients) go_back(c, run, outcome);
    for (auto const& [name, expected] : c.file.tensors) {
      if (!name.starts_with("grad.")) continue;
      std::string input = name.substr(5);
      auto found = outcome.gradients.find(input);
      ok =
          check(c, backend.name, name, found == outcome.gradients.end() ? run.in(input).grad() : found->second()) && ok;
    }
  } catch (Skip const& skip) {
    print_line(c, backend.name, "-", "skipped", skip.reason);
    return Verdict::skipped;
  } catch (NoKernelError const& error) {
    print_line(c, backend.name, "-", "skipped", error.what());
    return Verdict::skipped;
  } catch (std::exception const& error) {
    print_line(c, backend.name, "-", "FAIL", error.what());
    return Verdict::failed;
  }
  return ok ? Verdict::passed : Verdict::failed;
}

struct Arguments {
  std::string backend = "all", path = "all";
  bool strict = false;
  std::vector<std::string> inputs;
};

/// The backends of this machine that were asked for. "all" leaves the emulator out: it takes a thousand times longer.
std::vector<Backend> backends(std::string const& asked) {
  std::vector<Backend> chosen;
  for (Backend const& backend : {Backend{"cpu", "cpu"}, Backend{"reference", "reference"}})
    if (asked == "all" || asked == backend.name) chosen.push_back(backend);
  if (asked == "emulated") {
    use_cuda_emulated();
    chosen.push_back({"emulated", "cuda_emulated"});
  }
  if (asked == "all" || asked == "cuda") try {
      use_cuda();
      chosen.push_back({"cuda", "cuda"});
    } catch (DeviceError const& error) {
      if (asked == "cuda") std::fprintf(stderr, "d16-conform: %s\n", error.what());
    }
  return chosen;
}

/// The paths to take, and what they add to the name of the backend: group convolutions, alone or in networks, have two.
std::vector<std::pair<kernels::Path, std::string>> paths(Case const& c, std::string const& asked) {
  if (c.op != "group_conv2d" && c.op != "network_io") return {{kernels::Path::automatic, ""}};
  std::vector<std::pair<kernels::Path, std::string>> chosen;
  if (asked != "fourier") chosen.push_back({kernels::Path::expanded, "/expanded"});
  if (asked != "expanded") chosen.push_back({kernels::Path::fourier, "/fourier"});
  return chosen;
}

Verdict run_case(Case const& c, OpTable const& table, std::vector<Backend> const& chosen, Arguments const& arguments) {
  auto op = table.find(c.op);
  auto skip = [&](std::string const& why) {
    print_line(c, "-", "-", "skipped", why);
    return Verdict::skipped;
  };
  if (op == table.end()) return skip("there is no op " + c.op);
  if (chosen.empty()) return skip("no kernels of the backend " + arguments.backend + " in this program");
  Verdict verdict = Verdict::skipped;
  for (Backend const& backend : chosen)
    if (op->second.on_devices || backend.device == Device("cpu")) {
      for (auto [path, suffix] : paths(c, arguments.path))
        verdict = std::max(verdict, run_on(c, op->second, {backend.name + suffix, backend.device}, path));
    } else if (chosen.size() == 1) {
      return skip("scores, statistics, simulation and tables stay on the cpu by design; use --backend cpu");
    }
  return verdict;
}

std::optional<Arguments> parse(int count, char** words) {
  Arguments arguments;
  auto choice = [&](int& i, std::string& value, std::vector<std::string> const& allowed) {
    if (++i == count) return false;
    value = words[i];
    return std::find(allowed.begin(), allowed.end(), value) != allowed.end();
  };
  for (int i = 1; i < count; ++i) {
    std::string word = words[i];
    if (word == "--strict") arguments.strict = true;
    else if (word == "--backend") {
      if (!choice(i, arguments.backend, {"cpu", "reference", "emulated", "cuda", "all"})) return {};
    } else if (word == "--path") {
      if (!choice(i, arguments.path, {"expanded", "fourier", "all"})) return {};
    } else if (word.starts_with("-")) return {};
    else arguments.inputs.push_back(word);
  }
  if (arguments.inputs.empty()) return {};
  return arguments;
}

/// A file as it is; a folder's .safetensors files by name, without the weights that lie beside a case.
std::vector<std::string> files_of(std::string const& input) {
  if (!fs::is_directory(input)) return {input};
  std::vector<std::string> files;
  for (fs::directory_entry const& entry : fs::directory_iterator(input)) {
    std::string name = entry.path().filename().string();
    if (name.ends_with(".safetensors") && !name.ends_with(".weights.safetensors"))
      files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  require<FileError>(!files.empty(), input, ": no .safetensors file in this folder");
  return files;
}

}  // namespace

int main(int count, char** words) {
  if (count == 2 && std::string(words[1]) == "--help") return std::fputs(usage, stdout), 0;
  std::optional<Arguments> arguments = parse(count, words);
  if (!arguments) return std::fputs(usage, stderr), 2;

  OpTable table = op_table();
  std::vector<Backend> const chosen = backends(arguments->backend);
  int cases[3] = {0, 0, 0}, unreadable = 0;
  std::map<std::string, int> skipped_ops;
  auto complain = [&](std::exception const& error) {
    std::fprintf(stderr, "d16-conform: %s\n", error.what());
    ++unreadable;
  };
  for (std::string const& input : arguments->inputs) try {
      for (std::string const& file : files_of(input)) try {
          Case const c = load_case(file);
          Verdict const verdict = run_case(c, table, chosen, *arguments);
          ++cases[int(verdict)];
          if (verdict == Verdict::skipped) ++skipped_ops[c.op];
        } catch (std::exception const& error) {
          complain(error);
        }
    } catch (std::exception const& error) {
      complain(error);
    }
  if (!skipped_ops.empty()) std::printf("skipped ops:");
  for (auto const& [op, count] : skipped_ops) std::printf(" %s (%d)", op.c_str(), count);
  if (!skipped_ops.empty()) std::printf("\n");
  int passed = cases[int(Verdict::passed)], failed = cases[int(Verdict::failed)],
      skipped = cases[int(Verdict::skipped)];
  std::printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
  if (unreadable) return 2;
  return failed || (arguments->strict && skipped) ? 1 : 0;
}
