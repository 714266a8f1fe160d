// What all subcommands of the tool share: common options, speech, progress, interruption, output folders.
#pragma once
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <d16/core/error.hpp>
#include <d16/io/json.hpp>
#include <d16/kernels/precision.hpp>

namespace tool {

using d16::io::Json;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();  ///< what is not known

/// Options of every subcommand.
struct Common {
  uint64_t seed = 16;
  int threads = 0;  ///< 0: one for each core
  bool json = false, profile = false;
  std::string device = "cpu";
};

/// Threads, seed and device for this process; with --json only the answer goes to standard output.
void apply(Common const& common);
/// Whether a device is a GPU or the emulator of one: networks go there, pictures and tables stay with the host.
bool is_gpu(std::string const& device);
/// What --precision NAME says. Errors   ValueError for what the device cannot compute in.
d16::kernels::Precision precision_of(std::string const& name, std::string const& device);

/// One line for a person on standard output; nothing with --json.
void say(std::string const& line);

/// Thrown in the main thread after Ctrl-C or SIGTERM, so that destructors take back what is unfinished.
struct Interrupted : d16::Error {
  Interrupted() : Error("interrupted") {}
};
/// Ctrl-C and SIGTERM set a flag; a file larger than `ulimit -f` becomes an error instead of a signal.
void catch_signals();
void check_interrupted();

/// The most memory that this process ever held, in MiB.
double peak_memory();

/// Seconds since it was made.
class Stopwatch {
 public:
  Stopwatch();
  double seconds() const;

 private:
  double start_;
};

/// A long task in `total` steps: share done, time left, peak memory. One line that is rewritten on a terminal;
/// elsewhere a plain line every ten seconds and at the end.
class Progress {
 public:
  Progress(std::string what, int64_t total);
  ~Progress();
  Progress(Progress const&) = delete;
  Progress& operator=(Progress const&) = delete;
  /// One more step is done; throws Interrupted when the user asked to stop.
  void step(std::string const& note = {});

 private:
  void show(std::string const& note, bool last);
  std::string what_, note_;
  int64_t total_, done_ = 0;
  Stopwatch watch_;
  double shown_ = 0;
  bool terminal_, line_open_ = false;
};

/// "12 s", "3 min 05 s", "2 h 10 min".
std::string duration(double seconds);
/// "0.934": a number with that many decimals; "nan" becomes "-".
std::string decimals(double value, int places);
/// The command line as given, quoted for a shell, with this program called "d16".
std::string command_line();
void remember_command_line(int argc, char** argv);
/// "d16 0.1.0 (commit): command line", as files and reports tell what made them.
std::string made_by();

/// A folder whose new files appear all together: they are written to a hidden folder inside it, commit() moves them.
/// Without commit() nothing stays, nor does a folder that was made for them.
class OutputFolder {
 public:
  /// Makes the folder and checks that it can be written. Errors   FileError.
  explicit OutputFolder(std::string path);
  ~OutputFolder();
  OutputFolder(OutputFolder const&) = delete;
  OutputFolder& operator=(OutputFolder const&) = delete;
  std::string const& path() const { return path_; }
  /// Calls writer(path) with the place to write what will be `name` in the folder ("catalog.csv", "clean/a.fits").
  void write(std::string const& name, std::function<void(std::string const&)> const& writer);
  void commit();

 private:
  void remove_leftovers();
  std::string path_, stage_;
  std::vector<std::string> made_;  // folders that were not there before, outermost first
  std::vector<std::string> names_;
};

/// A seeded 64-bit hash of a text, for random streams that depend on an object's name and not on its position.
uint64_t hash(std::string const& text);

/// A folder's entries, sorted by name, hidden ones left out. Errors   FileError.
std::vector<std::string> list_folder(std::string const& path);
bool is_folder(std::string const& path);
bool is_file(std::string const& path);
/// The last part of a path, without a trailing slash.
std::string base_name(std::string path);
std::string join(std::string const& folder, std::string const& name);
std::string lower(std::string text);
bool ends_with(std::string const& text, std::string const& end);

/// The weights given by the user; else `name` in $D16_WEIGHTS; without that, beside the build tree or in the share folder.
/// Errors   FileError that says where was looked.
std::string find_weights(std::string const& given, std::string const& name);

}  // namespace tool
