// The command-line tool d16: reads the arguments, calls a subcommand, turns errors into one line and an exit code.
#include <cstdio>
#include <new>
#include <stamp.hpp>

#include "options.hpp"

namespace {

using namespace tool;

std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\n' || c == '\r') c = ' ';
  return text;
}

int fail(int code, std::string const& message) {
  std::fflush(stdout);
  std::fprintf(stderr, "d16: error: %s\n", one_line(message).c_str());
  return code;
}

int usage_error(CLI::App const& app, CLI::ParseError const& error) {
  std::string command = "d16";
  for (CLI::App const* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands()[0];
    command += " " + at->get_name();
  }
  return fail(2, std::string(error.what()) + "; see " + command + " --help");
}

int dispatch(std::vector<Command> const& commands) {
  for (Command const& command : commands) {
    if (!command.app->parsed()) continue;
    Json answer = command.call();
    bool json = command.app->get_option("--json")->as<bool>();
    if (json) std::printf("%s\n", answer.dump(2).c_str());
    bool written = std::fflush(stdout) == 0 && !std::ferror(stdout);
    return written ? 0 : fail(1, "standard output: cannot write; free some space or redirect it elsewhere");
  }
  return 0;
}

int guarded_main(int argc, char** argv) {
  CLI::App app("d16: denoises galaxy images and tells disks from ellipticals", "d16");
  app.set_version_flag("--version", std::string("d16 ") + d16::stamp::version + " (" + d16::stamp::commit + ")");
  app.set_help_flag("-h,--help", "print this help");
  app.require_subcommand(1);
  app.footer("d16 COMMAND --help says more and shows examples. The main job: d16 run --input CUTOUTS --out RESULTS");
  std::vector<Command> commands;
  for (auto make_some : {make_images, make_catalog, make_simulate, make_train, make_study})
    for (Command& command : make_some(app)) commands.push_back(command);
  try {
    app.parse(argc, argv);
  } catch (CLI::ParseError const& error) {
    return error.get_exit_code() == 0 ? app.exit(error) : usage_error(app, error);
  }
  return dispatch(commands);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    remember_command_line(argc, argv);
    catch_signals();
    return guarded_main(argc, argv);
  } catch (Interrupted const&) {
    return fail(130, "interrupted; nothing was written");
  } catch (std::bad_alloc const&) {
    return fail(1, "out of memory; use fewer or smaller images");
  } catch (std::exception const& error) {
    return fail(1, error.what());
  } catch (...) {
    return fail(1, "an unknown error; please report it with the command");
  }
}
