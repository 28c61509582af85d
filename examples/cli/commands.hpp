// SPDX-License-Identifier: Apache-2.0
// The commands of the `spinel` program: each function adds one command with its flags to the application.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "command_error.hpp"

namespace spinel::cli {

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
void add_pool_command(CLI::App& app);

}  // namespace spinel::cli
