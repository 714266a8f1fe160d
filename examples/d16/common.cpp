// What all subcommands of the tool share: bodies of common.hpp.
#include "common.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stamp.hpp>

#include <d16/core/device.hpp>
#include <d16/core/parallel.hpp>
#include <d16/core/random.hpp>
#include <d16/core/tensor.hpp>
#include <d16/cuda/use.hpp>

namespace tool {

using d16::FileError;
using d16::require;
using d16::text;
namespace fs = std::filesystem;

namespace {

bool quiet = false;
volatile std::sig_atomic_t stop_asked = 0;
std::string command;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// The second Ctrl-C ends the process at once.
void on_signal(int signal) {
  if (stop_asked) std::_Exit(128 + signal);
  stop_asked = 1;
}

std::string quoted(std::string const& word) {
  static constexpr char const* plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+./,:@%";
  if (!word.empty() && word.find_first_not_of(plain) == word.npos) return word;
  std::string out = "'";
  for (char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace

void apply(Common const& common) {
  quiet = common.json;
  d16::set_threads(common.threads);
  d16::Device const device(common.device);
  d16::use_device(device);
  if (!is_gpu(common.device)) d16::set_default_device(device);
  d16::manual_seed(common.seed);
}

bool is_gpu(std::string const& device) {
  using Kind = d16::Device::Kind;
  Kind const kind = d16::Device(device).kind;
  return kind == Kind::cuda || kind == Kind::cuda_emulated;
}

d16::kernels::Precision precision_of(std::string const& name, std::string const& device) {
  using d16::kernels::Precision;
  for (Precision p : {Precision::float32, Precision::tf32, Precision::bfloat16}) {
    if (name != name_of(p)) continue;
    bool const there = p == Precision::float32 || is_gpu(device) || (p == Precision::bfloat16 && device == "reference");
    d16::require<d16::ValueError>(there, "--precision ", name, ": ", device,
                                  " has no units for it; use float32, or --device cuda");
    return p;
  }
  throw d16::ValueError("--precision " + name + ": it is float32, tf32 or bfloat16");
}

void say(std::string const& line) {
  if (quiet) return;
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGXFSZ, SIG_IGN);
}

void check_interrupted() {
  if (stop_asked) throw Interrupted();
}

double peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return double(usage.ru_maxrss) / 1024;
}

std::string decimals(double value, int places) {
  if (std::isnan(value)) return "-";
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", places, value);
  return buffer;
}

std::string duration(double seconds) {
  char buffer[64];
  int64_t s = std::llround(seconds);
  if (s < 60) std::snprintf(buffer, sizeof buffer, "%lld s", static_cast<long long>(s));
  else if (s < 3600) std::snprintf(buffer, sizeof buffer, "%d min %02d s", int(s / 60), int(s % 60));
  else std::snprintf(buffer, sizeof buffer, "%lld h %02d min", static_cast<long long>(s / 3600), int(s / 60 % 60));
  return buffer;
}

std::string command_line() { return command; }
std::string made_by() { return text("d16 ", d16::stamp::version, " (", d16::stamp::commit, "): ", command_line()); }
void remember_command_line(int argc, char** argv) {
  command = "d16";
  for (int i = 1; i < argc; ++i) command += ' ' + quoted(argv[i]);
}

Stopwatch::Stopwatch() : start_(now()) {}
double Stopwatch::seconds() const { return now() - start_; }

Progress::Progress(std::string what, int64_t total)
    : what_(std::move(what)), total_(total), terminal_(isatty(STDOUT_FILENO)) {}

Progress::~Progress() {
  if (line_open_) std::fputs("\n", stdout);
}

void Progress::step(std::string const& note) {
  ++done_;
  bool last = done_ == total_;
  double pause = terminal_ ? 0.2 : 10;
  if (last || watch_.seconds() - shown_ >= pause) show(note, last);
  check_interrupted();
}

void Progress::show(std::string const& note, bool last) {
  if (quiet) return;
  shown_ = watch_.seconds();
  double left = shown_ / double(done_) * double(total_ - done_);
  std::string line =
      text(what_, ": ", done_, " of ", total_, last ? ", took " : ", left ", duration(last ? shown_ : left),
           ", peak memory ", int64_t(peak_memory()), " MiB", note.empty() ? "" : ", ", note);
  if (terminal_) std::printf("\r\033[K%s", line.c_str());
  else std::printf("%s\n", line.c_str());
  line_open_ = terminal_;
  std::fflush(stdout);
}

OutputFolder::OutputFolder(std::string path) : path_(std::move(path)) {
  while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
  require<FileError>(!path_.empty(), "--out: a folder is needed");
  for (std::string part = path_; !part.empty() && !fs::exists(part); part = fs::path(part).parent_path().string())
    made_.insert(made_.begin(), part);
  std::error_code error;
  fs::create_directories(path_, error);
  if (error || !is_folder(path_)) {
    std::string reason = error ? error.message() : "it is a file";
    for (auto part = made_.rbegin(); part != made_.rend(); ++part) fs::remove(*part, error);
    throw FileError(text(path_, ": cannot make this folder: ", reason, "; choose a folder that you may write to"));
  }
  remove_leftovers();
  stage_ = join(path_, text(".d16-unfinished-", int64_t(getpid())));
  fs::create_directory(stage_, error);
  bool writable = !error;
  fs::remove(stage_, error);
  require<FileError>(writable, path_, ": cannot write into this folder; choose a folder that you may write to");
}

OutputFolder::~OutputFolder() {
  std::error_code ignored;
  fs::remove_all(stage_, ignored);
  for (auto part = made_.rbegin(); part != made_.rend(); ++part) fs::remove(*part, ignored);  // only when empty
}

/// What a process that was killed left here.
void OutputFolder::remove_leftovers() {
  static std::string const prefix = ".d16-unfinished-";
  std::error_code ignored;
  for (auto const& entry : fs::directory_iterator(path_, ignored)) {
    std::string name = entry.path().filename().string();
    if (name.compare(0, prefix.size(), prefix) != 0) continue;
    pid_t owner = pid_t(std::atol(name.c_str() + prefix.size()));
    if (owner > 0 && kill(owner, 0) != 0 && errno == ESRCH) fs::remove_all(entry.path(), ignored);
  }
}

void OutputFolder::write(std::string const& name, std::function<void(std::string const&)> const& writer) {
  std::string staged = join(stage_, name);
  std::error_code error;
  fs::create_directories(fs::path(staged).parent_path(), error);
  require<FileError>(!error, path_, ": cannot write: ", error.message(), "; free some space or choose another folder");
  try {
    writer(staged);
  } catch (FileError const& failure) {  // the user knows the file by its final name
    std::string message = failure.what();
    for (size_t at; (at = message.find(stage_)) != message.npos;) message.replace(at, stage_.size(), path_);
    throw FileError(message);
  }
  names_.push_back(name);
}

void OutputFolder::commit() {
  std::error_code error;
  for (std::string const& name : names_) {
    std::string target = join(path_, name);
    fs::create_directories(fs::path(target).parent_path(), error);
    if (!error) fs::rename(join(stage_, name), target, error);
    require<FileError>(!error, target, ": cannot write: ", error.message(), "; choose another folder");
  }
  fs::remove_all(stage_, error);
  names_.clear();
  made_.clear();
}

uint64_t hash(std::string const& text) {  // FNV-1a
  uint64_t value = 0xcbf29ce484222325ull;
  for (unsigned char c : text) value = (value ^ c) * 0x100000001b3ull;
  return value;
}

std::vector<std::string> list_folder(std::string const& path) {
  std::error_code error;
  std::vector<std::string> names;
  fs::directory_iterator entries(path, error);
  require<FileError>(!error, path, ": cannot read this folder: ", error.message(), "; check the name and your rights");
  for (auto const& entry : entries) {
    std::string name = entry.path().filename().string();
    if (name[0] != '.') names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool is_folder(std::string const& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}
bool is_file(std::string const& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}
std::string base_name(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}
std::string join(std::string const& folder, std::string const& name) {
  return folder.empty() || folder.back() == '/' ? folder + name : folder + "/" + name;
}
std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  return text;
}
bool ends_with(std::string const& text, std::string const& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::string find_weights(std::string const& given, std::string const& name) {
  if (!given.empty()) return given;
  std::vector<std::string> folders;
  std::error_code error;
  fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (char const* set = std::getenv("D16_WEIGHTS")) {
    folders.push_back(set);  // and nowhere else: who names a folder wants its weights or an error
  } else if (!error) {
    fs::path prefix = program.parent_path().parent_path();
    folders.push_back((prefix.parent_path() / "weights").string());
    folders.push_back((prefix / "share/d16/weights").string());
  }
  std::string looked;
  for (std::string const& folder : folders) {
    if (is_file(join(folder, name))) return join(folder, name);
    looked += (looked.empty() ? "" : ", ") + folder;
  }
  throw FileError(text(name, ": no such weights in ", looked, "; give the file, or set D16_WEIGHTS to their folder"));
}

}  // namespace tool
