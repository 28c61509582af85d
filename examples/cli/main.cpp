// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"

#include <cstdio>
#include <spinel/core/config.hpp>

int main(int argc, char** argv) {
  CLI::App app{"Spinel: real-time quantum error correction on the host CPU"};
  app.set_version_flag("--version", SPINEL_VERSION_STRING);
  app.require_subcommand(1);
  spinel::cli::add_experiment_commands(app);
  spinel::cli::add_decode_commands(app);
  spinel::cli::add_demo_command(app);
  spinel::cli::add_sample_command(app);
  spinel::cli::add_predecode_commands(app);
  spinel::cli::add_quantize_command(app);
  spinel::cli::add_calibrate_commands(app);
  spinel::cli::add_stream_command(app);
  spinel::cli::add_learn_command(app);
  spinel::cli::add_replay_command(app);
  spinel::cli::add_doctor_command(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "spinel: %s\n", error.what());
    return 1;
  }
  return 0;
}
