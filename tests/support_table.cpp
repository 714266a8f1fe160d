// Prints docs/ops.md: what supports each op. scripts/support_table.sh builds and runs it.
//   d16-support GOLDEN BENCHMARKS     a folder of conformance cases; a file with the names of all benchmarks, one a line
// A column is filled by running the op's cases of tests/op_list.hpp on that device. A golden case belongs to the op that
// it names in its "op"; a benchmark to the op whose name, or whose gradient's name (conv2d_dx), its own name begins with,
// up to the first of / < , and space. For operators both may also say add, subtract, multiply, divide.
// Exit status 1 when a cell is empty that `by_design` has no reason for, or not empty although it has one.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include <d16/cuda/use.hpp>

#include "conform/table.hpp"
#include "op_draw.hpp"
#include "op_list.hpp"

using namespace d16;

namespace {

enum class Column { reference, cpu, cuda_emulated, backward, golden, benchmark };

struct Reason {
  char const* op;
  Column column;
  char const* why;
};
constexpr char const* is_view = "a view: no kernel runs";
constexpr Reason by_design[] = {
    {"hog", Column::backward, "features of images: nothing is trained through them"},
    {"argmax", Column::backward, "the result is a whole number"},
    {"pack_group_weights", Column::golden, "the order of packed weights is d16's own; its cases are group_conv2d's"},
    {"slice", Column::benchmark, is_view},
    {"select", Column::benchmark, is_view},
    {"expand", Column::benchmark, is_view},
    {"reshape", Column::benchmark, is_view},
    {"permute", Column::benchmark, is_view},
    {"to", Column::golden, "a copy between devices"},
};
char const* reason_for(std::string const& op, Column column) {
  for (Reason const& r : by_design)
    if (op == r.op && column == r.column) return r.why;
  return nullptr;
}

/// Where an op runs, of the three devices.
constexpr char const* devices[] = {"reference", "cpu", "cuda_emulated"};
struct Runs {
  bool forward[3] = {true, true, true}, backward[3] = {true, true, true};
  bool differentiable = false;
};

/// Fails for any error but a missing kernel: then the op is broken, not unsupported.
void run(testing::OpCase const& c, int device, Runs& runs) {
  manual_seed(5);
  Random random(1);
  testing::Inputs inputs;
  for (testing::Input const& input : c.inputs) {
    Tensor x = testing::draw(input, random);
    if (!input.classes) x = x.cast(DType::f32);
    x = x.to(devices[device]).detach();
    if (input.differentiable && c.differentiable) x.set_requires_grad();
    inputs.push_back(x);
  }
  Tensor y;
  try {
    y = c.run(inputs);
  } catch (NoKernelError const&) {
    runs.forward[device] = runs.backward[device] = false;
    return;
  }
  if (!y.requires_grad()) return;
  runs.differentiable = true;
  try {
    y.backward(ones(y.shape(), y.like()));
  } catch (NoKernelError const&) {
    runs.backward[device] = false;
  }
}

std::map<std::string, Runs> run_op_list() {
  std::map<std::string, Runs> found;
  for (testing::OpCase const& c : testing::op_list())
    for (int device : {0, 1, 2}) run(c, device, found[c.op()]);
  return found;
}

/// An op's name as cases and benchmarks may say it.
std::string op_of(std::string const& name) {
  static std::map<std::string, std::string> const words{
      {"add", "operator+"}, {"subtract", "operator-"}, {"multiply", "operator*"}, {"divide", "operator/"}};
  auto found = words.find(name);
  return found == words.end() ? name : found->second;
}
/// Lifting and projecting are group convolutions whose one side has no group.
std::string op_of(conform::Case const& c) {
  if (c.op != "group_conv2d") return op_of(c.op);
  if (c.attrs.string("in_repr") == "trivial") return "lift_conv2d";
  return c.attrs.string("out_repr") == "trivial" ? "project_conv2d" : c.op;
}

std::vector<conform::Case> read_cases(char const* folder) {
  std::vector<conform::Case> cases;
  for (auto const& entry : std::filesystem::directory_iterator(folder)) {
    std::string const name = entry.path().filename().string();
    if (name.ends_with(".safetensors") && !name.ends_with(".weights.safetensors"))
      cases.push_back(conform::load_case(entry.path().string()));
  }
  return cases;
}

std::set<std::string> benchmarked_ops(char const* path) {
  std::ifstream in(path);
  if (!in) throw FileError(text(path, ": cannot be read"));
  std::set<std::string> ops;
  for (std::string line; std::getline(in, line);) {
    std::string name = op_of(line.substr(0, line.find_first_of("/<, ")));
    ops.insert(name);
    for (char const* gradient : {"_dx", "_dw", "_db"})
      if (name.ends_with(gradient)) ops.insert(name.substr(0, name.size() - 3));
  }
  return ops;
}

class Table {
 public:
  int failures() const { return failures_; }

  std::string cell(std::string const& op, Column column, std::string const& content) {
    char const* const why = reason_for(op, column);
    if (why && content.empty()) return text("none by design: ", why);
    if (!why && !content.empty()) return content;
    ++failures_;
    std::fprintf(stderr, "%s, column %d: %s\n", op.c_str(), int(column) + 1,
                 why ? "there is a reason for an empty cell, which is not empty" : "empty, without a reason");
    return why ? content : "**missing**";
  }

 private:
  int failures_ = 0;
};

std::string count(std::map<std::string, int> const& cases, std::string const& op) {
  auto found = cases.find(op);
  return found == cases.end() ? "" : std::to_string(found->second);
}

/// "yes" where all three devices go back, else which do not.
std::string backward(Runs const& runs) {
  if (!runs.differentiable) return "";
  std::string without;
  for (int device : {0, 1, 2})
    if (!runs.backward[device]) without += text(without.empty() ? "" : ", ", devices[device]);
  return without.empty() ? "yes" : "";
}

constexpr char const* about = R"(# Ops and what supports them

Made by `scripts/support_table.sh`; `scripts/test.sh --all` makes it again and compares. Every cell was found by running something: *reference*, *cpu*, *cuda_emulated* and
*backward* (on all three) all cases of the op in `tests/op_list`, *golden cases* are the files of `tests/golden` that the op passes ([conformance](conformance.md)), *benchmark* is
a program of `bench/`. The device `cuda` has the kernels of `cuda_emulated`.

)";

void print_ops(Table& table, std::map<std::string, int> const& golden, std::set<std::string> const& benchmarks) {
  std::puts("| op | reference | cpu | cuda_emulated | backward | golden cases | benchmark |");
  std::puts("|---|---|---|---|---|---|---|");
  for (auto const& [op, runs] : run_op_list()) {
    std::printf("| `%s` |", op.c_str());
    for (int device : {0, 1, 2})
      std::printf(" %s |", table.cell(op, Column(device), runs.forward[device] ? "yes" : "").c_str());
    std::printf(" %s | %s | %s |\n", table.cell(op, Column::backward, backward(runs)).c_str(),
                table.cell(op, Column::golden, count(golden, op)).c_str(),
                table.cell(op, Column::benchmark, benchmarks.count(op) ? "yes" : "").c_str());
  }
}

/// Whether all cases of a function run on a device.
bool runs_on(conform::Op const& op, std::vector<conform::Case const*> const& cases, char const* device) {
  try {
    for (conform::Case const* c : cases) {
      conform::Run run(*c, device, kernels::Path::automatic);
      op.run(run);
    }
  } catch (NoKernelError const&) {
    return false;
  }
  return true;
}

/// What has conformance cases and is not in the op list. network_io is whole networks: of these, d16-conform speaks.
void print_functions(Table& table, std::vector<conform::Case> const& cases, std::set<std::string> const& ops) {
  std::map<std::string, std::vector<conform::Case const*>> functions;
  for (conform::Case const& c : cases)
    if (!ops.count(op_of(c)) && c.op != "network_io") functions[c.op].push_back(&c);
  conform::OpTable const runners = conform::op_table();
  std::puts("\n## Steps of optimisers, and functions of images\n");
  std::puts("| function | reference | cpu | cuda_emulated | golden cases |\n|---|---|---|---|---|");
  std::string of_host;
  for (auto const& [name, of_name] : functions) {
    auto runner = runners.find(name);
    if (runner == runners.end()) throw FileError(text("tests/golden: no runner for the op ", name));
    if (!runner->second.on_devices) {
      of_host += text(of_host.empty() ? "`" : ", `", name, "` (", of_name.size(), ")");
      continue;
    }
    std::printf("| `%s` |", name.c_str());
    for (int device : {0, 1, 2})
      std::printf(
          " %s |",
          table.cell(name, Column(device), runs_on(runner->second, of_name, devices[device]) ? "yes" : "").c_str());
    std::printf(" %zu |\n", of_name.size());
  }
  std::printf("\nFunctions of the host, without kernels by design, and their golden cases: %s.\n", of_host.c_str());
}

}  // namespace

int main(int words, char** word) try {
  if (words != 3) return std::fputs("usage: d16-support GOLDEN BENCHMARKS\n", stderr), 2;
  use_cuda_emulated();
  std::vector<conform::Case> const cases = read_cases(word[1]);
  std::set<std::string> const benchmarks = benchmarked_ops(word[2]);
  std::map<std::string, int> golden;
  for (conform::Case const& c : cases) ++golden[op_of(c)];
  std::set<std::string> ops;
  for (testing::OpCase const& c : testing::op_list()) ops.insert(c.op());
  std::fputs(about, stdout);
  Table table;
  print_ops(table, golden, benchmarks);
  print_functions(table, cases, ops);
  return table.failures() > 0;
} catch (std::exception const& error) {
  std::fprintf(stderr, "d16-support: %s\n", error.what());
  return 2;
}
