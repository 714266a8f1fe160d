// The command line: how a subcommand is made of its options, and all of them by what they are about.
#pragma once
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Validators.hpp>
#include <functional>
#include <optional>

#include <d16/core/profile.hpp>

#include "commands.hpp"

namespace tool {

struct PhotometryOptions;

/// A subcommand under construction: its CLI11 half, and what to call when it was named.
struct Command {
  CLI::App* app;
  std::function<Json()> call;
};

/// Where a command can compute: those with networks also on a GPU, or on the emulator of one.
enum class Devices { cpu, all };

void add_common(CLI::App* app, Common& o, Devices devices = Devices::cpu);
void add_input(CLI::App* app, InputOptions& o);
/// What the commands that read a catalogue in any bands share.
void add_photometry(CLI::App* app, PhotometryOptions& o);
/// The examples under a command's help.
std::string examples(std::initializer_list<char const*> lines);

/// The options live as long as the program: CLI11 writes into them when it parses.
template <class Options, class Add> Command make(CLI::App& parent, char const* name, char const* what,
                                                 Json (*call)(Options const&), Add add,
                                                 std::initializer_list<char const*> lines) {
  auto options = std::make_shared<Options>();
  CLI::App* app = parent.add_subcommand(name, what);
  app->footer(examples(lines));
  app->set_help_flag("-h,--help", "print this help");
  add(app, *options);
  return {app, [options, call] {
            apply(*options);
            std::optional<d16::Profile> profile;
            if (options->profile) profile.emplace();
            Json answer = call(*options);
            if (profile) say(profile->table());
            return answer;
          }};
}

std::vector<Command> make_simulate(CLI::App& parent);
std::vector<Command> make_train(CLI::App& parent);
std::vector<Command> make_study(CLI::App& parent);
/// info, evaluate, denoise, classify, measure, run, check.
std::vector<Command> make_images(CLI::App& parent);
/// photoz, separate, cluster.
std::vector<Command> make_catalog(CLI::App& parent);

}  // namespace tool
