// SPDX-License-Identifier: Apache-2.0
// `spinel circuit` and `spinel dem`: what a memory experiment is, in Stim's two languages.
#include "experiment_flags.hpp"

#include <cstdio>
#include <memory>
#include <spinel/io/experiment.hpp>

namespace spinel::cli {

void add_experiment_commands(CLI::App& app) {
  const auto add = [&](const char* name, const char* help, auto text) {
    auto* command = app.add_subcommand(name, help);
    const auto flags = std::make_shared<ExperimentFlags>();
    flags->add_to(*command, true);
    command->callback([flags, text] {
      const std::string printed = text(flags->experiment(), flags->noise());
      if (std::fwrite(printed.data(), 1, printed.size(), stdout) != printed.size() || std::fflush(stdout) != 0)
        throw CommandError("cannot write to standard output");
    });
  };
  add("circuit", "print a memory experiment as a circuit in Stim's language", io::circuit_text);
  add("dem", "print the detector error model of a memory experiment", [](const auto& experiment, const auto& noise) {
    std::string dem;
    if (const Status status = io::experiment_dem_text(experiment, noise, dem); status != Status::ok)
      throw CommandError(std::string("cannot build the detector error model: ") + to_string(status));
    return dem;
  });
}

}  // namespace spinel::cli
