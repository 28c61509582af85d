// SPDX-License-Identifier: Apache-2.0
// The commands of the `spinel` program: each function adds one command with its flags to the application.
// A command reports failure by throwing CommandError; main prints it after "spinel: " and exits with 1.
#pragma once

#include <CLI/CLI.hpp>
#include <stdexcept>
#include <string>

namespace spinel::cli {

struct CommandError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void add_experiment_commands(CLI::App& app);
void add_decode_commands(CLI::App& app);
void add_demo_command(CLI::App& app);
void add_sample_command(CLI::App& app);
void add_predecode_commands(CLI::App& app);
void add_quantize_command(CLI::App& app);
void add_calibrate_commands(CLI::App& app);
void add_stream_command(CLI::App& app);
void add_learn_command(CLI::App& app);
void add_replay_command(CLI::App& app);
void add_doctor_command(CLI::App& app);

}  // namespace spinel::cli
