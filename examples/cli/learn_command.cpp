// SPDX-License-Identifier: Apache-2.0
// `spinel learn`: the probabilities of a detector error model's mechanisms from recorded detection events.
#include "model_files.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <spinel/io/mechanisms.hpp>
#include <spinel/noise/prior_estimator.hpp>

namespace spinel::cli {
namespace {

struct LearnFlags {
  std::string dem, in = "-", in_format = "b8", out = "-", errors_out;
  bool appended_observables = false;
  PriorEstimatorOptions options;
};

void explain_refusal(const io::ErrorMechanisms& mechanisms, const std::string& dem) {
  for (std::size_t m = 0; m < mechanisms.probabilities.size(); ++m) {
    const std::string name = dem + ": error mechanism " + std::to_string(m);
    const auto size = mechanisms.detectors_begin[m + 1] - mechanisms.detectors_begin[m];
    if (size > PriorEstimator::max_detectors_each)
      throw CommandError(name + " flips " + std::to_string(size) + " detectors, expected at most " +
                         std::to_string(PriorEstimator::max_detectors_each));
    if (!(mechanisms.probabilities[m] < 0.5))
      throw CommandError(name + " has probability " + std::to_string(mechanisms.probabilities[m]) +
                         ", expected below 1/2: shots cannot tell it from its opposite");
  }
}

void learn(const LearnFlags& flags) {
  auto model = read_model(flags.dem);
  const io::ErrorMechanisms mechanisms = io::joined_mechanisms(model);
  std::vector<std::byte> memory(PriorEstimator::memory_needed(mechanisms.view()));
  auto made = PriorEstimator::create(mechanisms.view(), memory, flags.options);
  if (!made) {
    explain_refusal(mechanisms, flags.dem);
    throw CommandError(flags.dem + ": " + to_string(made.status));
  }
  const io::ShotLayout layout{0, model.n_detectors, flags.appended_observables ? model.n_observables : 0};
  const io::ShotTable shots = read_shots(flags.in, flags.in_format, "--in_format", layout);
  if (shots.n_shots == 0) throw CommandError(flags.in + ": has no shots, expected at least one to learn from");
  PriorEstimator& estimator = made.value;
  for (std::size_t shot = 0; shot < shots.n_shots; ++shot) estimator.add(shots.row(shot));
  std::vector<PriorEstimate> estimates(estimator.n_mechanisms());
  std::uint32_t culprit = 0;
  if (const Status status = estimator.estimate(estimates, &culprit); status != Status::ok)
    throw CommandError(flags.in + ": detector D" + std::to_string(culprit) + " fired in " +
                       std::to_string(estimator.n_fired(culprit)) + " of " + std::to_string(shots.n_shots) +
                       " shots, alone or with others too often for any error probabilities below 1/2: "
                       "do the shots belong to this model, and are they enough?");
  double worst = 0;
  std::string errors;
  for (std::size_t m = 0; m < estimates.size(); ++m) {
    if (model.mechanisms[m].probability > 0)
      worst = std::max(worst, std::abs(std::log(estimates[m].probability / model.mechanisms[m].probability)));
    model.mechanisms[m].probability = estimates[m].probability;
    char line[80];
    std::snprintf(line, sizeof line, "%.9g %.3g\n", estimates[m].probability, estimates[m].error);
    errors += line;
  }
  if (const auto written = io::write_file(flags.out, io::dem_text(model)); !written) throw CommandError(written.error());
  if (!flags.errors_out.empty())
    if (const auto written = io::write_file(flags.errors_out, errors); !written) throw CommandError(written.error());
  std::fprintf(stderr, "learned %zu probabilities from %zu shots; the largest change is by a factor of %.3g\n", estimates.size(),
               shots.n_shots, std::exp(worst));
}

}  // namespace

void add_learn_command(CLI::App& app) {
  static LearnFlags flags;
  auto* command = app.add_subcommand("learn", "Estimate a model's error probabilities from detection events");
  command->add_option("--dem", flags.dem, "Detector error model: its mechanisms, and first guesses of their probabilities")
      ->required();
  command->add_option("--in", flags.in, "Detection events, '-' for standard input")->capture_default_str();
  command->add_option("--in_format", flags.in_format, "01, b8, r8, hits, dets or ptb64")->capture_default_str();
  command->add_flag("--in_includes_appended_observables", flags.appended_observables,
                    "Every shot's observables follow its detection events");
  command->add_option("--out", flags.out, "The model with learned probabilities, '-' for standard output")
      ->capture_default_str();
  command->add_option("--errors_out", flags.errors_out, "Each mechanism's probability and its standard error, one a line");
  command->add_option("--model_error", flags.options.model_error,
                      "Relative error of the first guesses, which fill in where the shots say little; 0: as the shots tell")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->callback([] { learn(flags); });
}

}  // namespace spinel::cli
