// Counts the traffic of all ops and prints docs/cuda-traffic.md; scripts/kernel_traffic.sh builds and runs it.
//   d16-traffic --known                       the counter against kernels whose traffic is known
//   d16-traffic REMARKS INSTRUCTIONS          the table; every instruction that is not ideal goes to INSTRUCTIONS
// Exit status 1 when a number is wrong, when REMARKS does not explain a deviation, or an op has no case.
#include <fnmatch.h>

#include <cstdio>
#include <fstream>
#include <set>

#include <d16/cuda/use.hpp>

#include "../../op_draw.hpp"
#include "cases.hpp"
#include "counter.hpp"
#include "known_kernels.hpp"
#include "launchers.hpp"

using namespace d16;
using namespace d16::traffic;

namespace {

constexpr char const* device = "cuda_emulated";

// ---- kernels whose traffic is known ----

bool same(Requests const& a, Requests const& b) {
  return a.count == b.count && a.moved == b.moved && a.ideal == b.ideal;
}
std::string text(Requests const& r) { return d16::text(r.count, "/", r.moved, "/", r.ideal); }

bool is_as_known(Known const& known) {
  Tensor x = zeros({known_count}, {.device = device}), y = zeros({known_count}, {.device = device});
  Requests reads, writes, atomics, shared;
  int64_t floor = 0;
  {
    Count count;
    known.launch(x.data<float>(), y.data<float>());
    for (KernelTraffic const& k : count.result().kernels)
      reads.add(k.reads), writes.add(k.writes), atomics.add(k.atomics), shared.add(k.shared);
    floor = count.result().floor;
  }
  bool const ok = same(reads, known.reads) && same(writes, known.writes) && same(atomics, known.atomics) &&
                  same(shared, known.shared) && floor == known.floor;
  std::printf("%-6s %s\n", ok ? "ok" : "WRONG", known.about.c_str());
  auto line = [&](char const* what, Requests const& got, Requests const& right) {
    if (!same(got, right)) std::printf("       %s: %s, expected %s\n", what, text(got).c_str(), text(right).c_str());
  };
  line("reads", reads, known.reads), line("writes", writes, known.writes);
  line("atomics", atomics, known.atomics), line("shared", shared, known.shared);
  if (floor != known.floor) std::printf("       floor: %ld bytes, expected %ld\n", long(floor), long(known.floor));
  return ok;
}

// ---- ops ----

struct Row {
  std::string op, shape, pass;
  OpTraffic traffic;
};

/// Of bfloat16 the gradient is asked of the float32 tensor behind it: a launch of cast goes back with it.
Tensor draw(Input const& input, DType dtype, uint64_t stream) {
  Random random(1, stream);
  Tensor x = testing::draw(input, random);
  if (!input.classes) x = x.cast(DType::f32);
  x = x.to(device).detach();
  if (input.differentiable) x.set_requires_grad();
  return dtype == DType::f32 ? x : x.cast(dtype);
}

/// Throws NoKernelError where the op has no kernel.
std::vector<Row> count_op(TrafficCase const& c) {
  manual_seed(5);
  Inputs inputs;
  bool differentiable = false;
  for (Input const& input : c.inputs) {
    inputs.push_back(draw(input, inputs.empty() ? c.dtype : DType::f32, inputs.size()));
    differentiable = differentiable || input.differentiable;
  }
  std::vector<Row> rows;
  Tensor y;
  {
    Count count;
    y = c.run(inputs);
    rows.push_back({c.op, c.shape, "forward", count.result()});
  }
  if (!differentiable) return rows;
  Tensor dy = draw(constant(Input(y.shape())), y.dtype(), 99).with_group(y.group());
  Count count;
  y.backward(dy);
  if (count.result().sum(&KernelTraffic::launches)) rows.push_back({c.op, c.shape, "backward", count.result()});
  return rows;
}

// ---- remarks ----

struct Remark {
  std::string op, kernel, text;
  bool used = false;
};

/// Lines "op, shape, pass | kernel | why", both as patterns of the shell; a kernel "-" is the op as a whole.
std::vector<Remark> read_remarks(char const* path) {
  std::ifstream in(path);
  if (!in) throw FileError(d16::text(path, ": cannot be read"));
  std::vector<Remark> remarks;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    size_t const first = line.find(" | "), second = line.find(" | ", first + 1);
    if (second == line.npos) throw FileError(d16::text(path, ": not 'op | kernel | remark': ", line));
    remarks.push_back(
        {line.substr(0, first), line.substr(first + 3, second - first - 3), line.substr(second + 3), false});
  }
  return remarks;
}
std::string remark_for(std::vector<Remark>& remarks, Row const& row, std::string const& kernel) {
  std::string const op = row.op + ", " + row.shape + ", " + row.pass;
  for (Remark& r : remarks)
    if (fnmatch(r.op.c_str(), op.c_str(), 0) == 0 && fnmatch(r.kernel.c_str(), kernel.c_str(), 0) == 0) {
      r.used = true;
      return r.text;
    }
  return {};
}

// ---- the table ----

// Beyond these a remark is asked for.
constexpr double most_sectors = 1.05, most_wavefronts = 1.02, most_memory = 1.1, most_blocks = 2;

bool exceeds(Requests const& r, double most) { return double(r.moved) > most * double(r.ideal); }
bool is_ideal(KernelTraffic const& k) {
  return !exceeds(k.reads, most_sectors) && !exceeds(k.writes, most_sectors) && !exceeds(k.atomics, most_sectors) &&
         !exceeds(k.shared, most_wavefronts);
}
double per_floor(OpTraffic const& t, int64_t KernelTraffic::*bytes) {
  return t.floor ? double(t.sum(bytes)) / double(t.floor) : 0;
}
bool is_ideal(OpTraffic const& t) {
  return per_floor(t, &KernelTraffic::touched) <= most_memory && per_floor(t, &KernelTraffic::by_blocks) <= most_blocks;
}

std::string cell(Requests const& r) {
  if (!r.count) return "–";
  char text[64];
  std::snprintf(text, sizeof text, "%.2f (%.2f)", r.per_request(), r.ideal_per_request());
  return text;
}
std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

constexpr char const* about =
    R"(# What the CUDA kernels do to memory

Made by `scripts/kernel_traffic.sh` with g++ )" __VERSION__
    R"(, which `scripts/test.sh --all` runs again to compare. Counted on the emulator, access by access; nothing here was measured on a GPU.
[cuda.md](cuda.md#how-to-read-the-traffic-table) says how to read it. Tensors are float32 unless the op says otherwise.

)";

/// Prints a row, with the remark that explains it; without one it is a failure.
class Table {
 public:
  explicit Table(std::vector<Remark>& remarks) : remarks_(remarks) {}
  int failures() const { return failures_; }

  void ops(std::vector<Row> const& rows) {
    std::puts("## Ops\n");
    std::puts("| op | shape | pass | launches | floor, KB | memory | blocks | requests | remark |");
    std::puts("|---|---|---|---|---|---|---|---|---|");
    for (Row const& r : rows) {
      OpTraffic const& t = r.traffic;
      std::printf("| `%s` | %s | %s | %ld | %s | %s | %s | %s | %s |\n", r.op.c_str(), r.shape.c_str(), r.pass.c_str(),
                  long(t.sum(&KernelTraffic::launches)), number(double(t.floor) / 1024).c_str(),
                  number(per_floor(t, &KernelTraffic::touched)).c_str(),
                  number(per_floor(t, &KernelTraffic::by_blocks)).c_str(),
                  number(per_floor(t, &KernelTraffic::requested)).c_str(), explained(r, "-", is_ideal(t)).c_str());
    }
  }
  void kernels(std::vector<Row> const& rows) {
    std::puts("\n## Kernels\n");
    std::puts("| op | shape | pass | kernel | launches | reads | writes | atomics | shared | remark |");
    std::puts("|---|---|---|---|---|---|---|---|---|---|");
    for (Row const& r : rows)
      for (KernelTraffic const& k : r.traffic.kernels)
        std::printf("| `%s` | %s | %s | `%s` | %ld | %s | %s | %s | %s | %s |\n", r.op.c_str(), r.shape.c_str(),
                    r.pass.c_str(), k.kernel.c_str(), long(k.launches), cell(k.reads).c_str(), cell(k.writes).c_str(),
                    cell(k.atomics).c_str(), cell(k.shared).c_str(), explained(r, k.kernel, is_ideal(k)).c_str());
  }

 private:
  std::string explained(Row const& row, std::string const& kernel, bool ideal) {
    if (ideal) return "";
    std::string const remark = remark_for(remarks_, row, kernel);
    if (!remark.empty()) return remark;
    ++failures_;
    std::fprintf(stderr, "not explained: %s, %s, %s | %s\n", row.op.c_str(), row.shape.c_str(), row.pass.c_str(),
                 kernel.c_str());
    return "**not explained**";
  }

  std::vector<Remark>& remarks_;
  int failures_ = 0;
};

char const* name_of(Kind kind) {
  return kind == Kind::read ? "read" : kind == Kind::write ? "write" : kind == Kind::copy ? "copy" : "atomic";
}

/// "address  op  kernel  what bytes requests moved ideal", one line for each instruction that is not ideal.
void write_instructions(char const* path, std::vector<Row> const& rows) {
  std::ofstream out(path);
  for (Row const& r : rows)
    for (KernelTraffic const& k : r.traffic.kernels)
      for (auto const& [key, i] : k.instructions) {
        bool const shared = i.space == Space::shared;
        if (!exceeds(i.sum, shared ? most_wavefronts : most_sectors)) continue;
        out << i.address << '\t' << r.op << ", " << r.shape << ", " << r.pass << '\t' << k.kernel << '\t'
            << (shared ? "shared " : "global ") << name_of(i.kind) << " of " << i.bytes << " bytes\t" << i.sum.count
            << " requests\t" << number(i.sum.per_request()) << (shared ? " wavefronts" : " sectors") << '\t'
            << number(i.sum.ideal_per_request()) << " ideal\n";
      }
}

#define D16_NAME(op, Contract) #op,
/// The slots that have CUDA kernels.
std::set<std::string> slots_with_kernels() { return {"copy", "cast", D16_GPU_OPS(D16_NAME, D16_NAME)}; }

int known() {
  int wrong = 0;
  for (Known const& k : known_kernels()) wrong += !is_as_known(k);
  return wrong > 0;
}

int table(char const* remarks_path, char const* instructions_path) {
  std::vector<Remark> remarks = read_remarks(remarks_path);
  std::vector<Row> rows;
  std::set<std::string> without, unseen = slots_with_kernels();
  {
    Profile profile;
    for (TrafficCase const& c : all_traffic()) try {
        for (Row& row : count_op(c)) rows.push_back(std::move(row));
      } catch (NoKernelError const&) {
        without.insert(c.op);
      }
    for (Profile::Row const& row : profile.rows()) unseen.erase(row.op);
  }
  write_instructions(instructions_path, rows);
  std::fputs(about, stdout);
  Table out(remarks);
  out.ops(rows);
  out.kernels(rows);
  int failures = out.failures();
  if (!without.empty()) std::puts("\nWithout a CUDA kernel, and so not counted:");
  for (std::string const& op : without) std::printf("`%s`\n", op.c_str());
  for (std::string const& op : unseen) {
    std::fprintf(stderr, "no case in tests/cuda/traffic/cases.hpp launches the kernels of %s\n", op.c_str());
    ++failures;
  }
  for (Remark const& r : remarks)
    if (!r.used) {
      std::fprintf(stderr, "a remark that explains nothing: %s | %s\n", r.op.c_str(), r.kernel.c_str());
      ++failures;
    }
  return failures > 0;
}

}  // namespace

int main(int count, char** words) try {
  use_cuda_emulated();
  set_threads(1);  // the counter has no locks, and the order of blocks is the same in every run
  if (count == 2 && std::string(words[1]) == "--known") return known();
  if (count == 3) return table(words[1], words[2]);
  std::fputs("usage: d16-traffic --known | REMARKS INSTRUCTIONS\n", stderr);
  return 2;
} catch (std::exception const& error) {
  std::fprintf(stderr, "d16-traffic: %s\n", error.what());
  return 2;
}
