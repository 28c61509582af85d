// SPDX-License-Identifier: Apache-2.0
// `spinel quantize`: calibrates a reduced precision on sampled shots and says how far it agrees with float32 on others: logits,
// thresholded bits, residuals, frames, and the logical error rates on the same shots.
#include "experiment_flags.hpp"
#include "network_flags.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <spinel/io/experiment.hpp>
#include <spinel/io/graph.hpp>
#include <spinel/io/mechanisms.hpp>
#include <spinel/noise/sampler.hpp>

namespace spinel::cli {
namespace {

struct QuantizeFlags {
  ExperimentFlags experiment;
  NetworkFlags network;
  std::uint64_t shots = 20000, seed = 1;
};

/// What two engines do with the same shots.
struct Agreement {
  std::uint64_t shots = 0, bits = 0, flipped_bits = 0, residuals = 0, frames = 0;
  std::uint64_t matching_mistakes = 0, mistakes[2] = {}, only_one_wrong = 0;
  double square_sum = 0, near_square_sum = 0;
  std::uint64_t near_bits = 0;  // of logits below 4 in magnitude
};

void print(const QuantizeFlags& flags, const Agreement& seen) {
  const auto n = static_cast<double>(seen.shots);
  const auto count = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("%s against fp32: %llu shots, calibrated on %zu others\n", flags.network.precision.c_str(), count(seen.shots), flags.network.calibration_shots);
  std::printf("thresholded bits that differ   %llu of %llu (%.2e)\n", count(seen.flipped_bits), count(seen.bits),
              static_cast<double>(seen.flipped_bits) / static_cast<double>(seen.bits));
  std::printf("root mean square of the logits' difference   %.4f, where |logit| < 4: %.4f\n", std::sqrt(seen.square_sum / static_cast<double>(seen.bits)),
              std::sqrt(seen.near_square_sum / static_cast<double>(std::max<std::uint64_t>(1, seen.near_bits))));
  std::printf("shots whose residual differs   %llu (%.2f %%), whose frame differs %llu (%.2f %%)\n", count(seen.residuals),
              100 * static_cast<double>(seen.residuals) / n, count(seen.frames), 100 * static_cast<double>(seen.frames) / n);
  std::printf("mistakes after matching   matching alone %llu, fp32 %llu, %s %llu; only one of the two wrong: %llu\n", count(seen.matching_mistakes),
              count(seen.mistakes[0]), flags.network.precision.c_str(), count(seen.mistakes[1]), count(seen.only_one_wrong));
  if (seen.mistakes[0] == 0 || seen.mistakes[1] == 0) {
    std::printf("LER ratio   no interval: too few mistakes\n");
    return;
  }
  // Ratio of two paired proportions: the variance of its logarithm comes from the discordant shots only.
  const auto a = static_cast<double>(seen.mistakes[0]), b = static_cast<double>(seen.mistakes[1]);
  const double spread = 1.959964 * std::sqrt(static_cast<double>(seen.only_one_wrong) / (a * b));
  std::printf("LER ratio   %.4f, 95 %% interval %.4f .. %.4f\n", b / a, b / a * std::exp(-spread), b / a * std::exp(spread));
}

void quantize(const QuantizeFlags& flags) {
  const MemoryExperiment experiment = flags.experiment.experiment();
  const io::DetectorErrorModel model = experiment_model(experiment, flags.experiment.noise());
  auto matcher = io::make_matcher(model);
  if (!matcher) throw CommandError(matcher.error());
  const io::ErrorMechanisms mechanisms = io::joined_mechanisms(model);
  const auto bytes = Sampler::memory_bytes(mechanisms.view());
  if (!bytes) throw CommandError(std::string("cannot sample this model: ") + to_string(bytes.status));
  std::vector<std::byte> memory(*bytes);
  auto sampler = Sampler::make(mechanisms.view(), memory);
  if (!sampler) throw CommandError(std::string("cannot sample this model: ") + to_string(sampler.status));

  const std::size_t row = sampler->detector_bytes(), words = (row + 7) / 8;
  constexpr std::uint64_t batch_shots = Sampler::shots_per_batch;
  std::vector<std::uint8_t> events(row * batch_shots), flips(batch_shots);
  PackedShots calibration;
  for (std::uint64_t batch = 0; calibration.size() < flags.network.calibration_shots; ++batch) {
    sampler->sample(~flags.seed, batch, batch_shots, events.data(), row, flips.data(), 1);  // another seed than the counted shots'
    for (std::size_t shot = 0; shot < batch_shots && calibration.size() < flags.network.calibration_shots; ++shot)
      std::memcpy(calibration.emplace_back(words).data(), events.data() + shot * row, row);
  }
  const AlignedBlob blob = flags.network.load();
  NetworkFlags exact = flags.network;
  exact.precision = "fp32";
  const auto reference = exact.engine(blob, experiment, calibration), engine = flags.network.engine(blob, experiment, calibration);

  Agreement seen;
  const auto sites = static_cast<std::size_t>(experiment.n_data()), round = 4 * sites;
  std::vector<float> logits(round * static_cast<std::size_t>(experiment.rounds));
  std::vector<std::uint64_t> packed(words), residual[2] = {packed, packed};
  for (std::uint64_t batch = 0; seen.shots < flags.shots; ++batch) {
    sampler->sample(flags.seed, batch, batch_shots, events.data(), row, flips.data(), 1);
    for (std::size_t shot = 0; shot < batch_shots && seen.shots < flags.shots; ++shot, ++seen.shots) {
      std::memcpy(packed.data(), events.data() + shot * row, row);
      const bool first = reference->run(packed, residual[0], [&](int t, const float* slice) {
        std::copy_n(slice, round, logits.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(t) * round));
      });
      const bool second = engine->run(packed, residual[1], [&](int t, const float* slice) {
        const float* expected = logits.data() + static_cast<std::size_t>(t) * round;
        for (std::size_t k = 0; k < round; ++k) {
          const double difference = static_cast<double>(slice[k]) - static_cast<double>(expected[k]);
          seen.square_sum += difference * difference;
          if (std::fabs(expected[k]) < 4.0f) seen.near_square_sum += difference * difference, ++seen.near_bits;
          seen.flipped_bits += (slice[k] >= 0.0f) != (expected[k] >= 0.0f);
        }
        seen.bits += round;
      });
      seen.frames += first != second;
      seen.residuals += residual[0] != residual[1];
      const auto is_wrong = [&](const std::uint8_t* detectors, bool frame) {
        const MatchResult result = matcher->matcher.decode(detectors);
        return result.outcome != MatchOutcome::matched || ((result.observables & 1) != 0) != (frame != (flips[shot] != 0));
      };
      seen.matching_mistakes += is_wrong(events.data() + shot * row, false);
      const bool wrong[2] = {is_wrong(reinterpret_cast<const std::uint8_t*>(residual[0].data()), first),
                             is_wrong(reinterpret_cast<const std::uint8_t*>(residual[1].data()), second)};
      for (int k = 0; k < 2; ++k) seen.mistakes[k] += wrong[k];
      seen.only_one_wrong += wrong[0] != wrong[1];
    }
  }
  print(flags, seen);
}

}  // namespace

void add_quantize_command(CLI::App& app) {
  auto* command = app.add_subcommand("quantize", "calibrate a reduced precision on sampled shots and report its agreement with fp32");
  const auto flags = std::make_shared<QuantizeFlags>();
  flags->network.precision = "int8";
  flags->experiment.add_to(*command, true);
  flags->network.add_to(*command, true);
  command->add_option("--shots", flags->shots, "shots to compare on")->check(CLI::PositiveNumber)->capture_default_str();
  command->add_option("--seed", flags->seed, "seed of the shots; calibration takes another")->capture_default_str();
  command->callback([flags] { quantize(*flags); });
}

}  // namespace spinel::cli
