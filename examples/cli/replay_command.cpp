// SPDX-License-Identifier: Apache-2.0
// `spinel replay`: decodes the rounds of a record again and reports every answer that differs; with --compare, two engines side by side
// on the same rounds.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "network_flags.hpp"
#include "stream_record.hpp"
#include "stream_run.hpp"

namespace spinel::cli {
namespace {

/// `engine`: "exact" or "correlated"; with `weights` the network comes first.
StreamRun replayed(const std::string& path, const std::string& engine, std::span<const std::byte> weights, const std::string& precision) {
  const RecordHeader header = RecordReader(path).header();
  StreamRun run;
  run.experiment = {header.distance, header.rounds, header.basis == 0 ? Basis::X : Basis::Z, Orientation::O1};
  if (header.commit != header.distance || header.buffer != header.distance)
    throw CommandError(path + ": recorded with windows of " + std::to_string(header.commit) + " and " + std::to_string(header.buffer) +
                       " rounds; this program commits and buffers as many as the distance");
  NoiseParameters parameters;
  for (int k = 0; k < NoiseParameters::n_parameters; ++k) parameters[k] = header.noise[k];
  const double simple_p = header.noise[25];
  if (parameters.validate() != Status::ok || !(simple_p < 0 || (simple_p >= 0 && simple_p <= 1))) throw CommandError(path + ": the header's noise is no noise");
  run.noise = simple_p >= 0 ? CircuitNoise::simple(simple_p) : CircuitNoise(parameters);
  const std::uintmax_t bytes = std::filesystem::file_size(path) - RecordHeader::bytes;
  if (bytes == 0 || bytes % header.shot_bytes() != 0)
    throw CommandError(path + ": " + std::to_string(bytes) + " bytes after the header are not whole shots of " +
                       std::to_string(header.shot_bytes()) + " bytes");
  run.shots = bytes / header.shot_bytes();
  run.replay = path;
  run.engine = engine;
  run.weights = weights;
  run.precision = precision;
  if (!run_stream(run))
    throw CommandError(path + ": recorded at distance " + std::to_string(header.distance) + ", which the " + (weights.empty() ? engine : "network") +
                       " engine of this program is not built for");
  return run;
}

void print(const char* name, const Histogram& latency, double us_per_round, std::uint64_t mistakes, std::uint64_t shots) {
  const auto us = [&](double q) { return static_cast<double>(latency.quantile(q)) / 1e3; };
  std::printf("%-12s %10.3f %10.3f %10.3f %10.3f %12.4f %12.3g\n", name, us(0.5), us(0.99), us(0.9999),
              static_cast<double>(latency.max()) / 1e3, us_per_round, static_cast<double>(mistakes) / static_cast<double>(shots));
}

void replay(const std::string& path, const std::string& engine, const std::string& compared, const NetworkFlags& network) {
  const auto blob = network.given() ? std::make_unique<AlignedBlob>(network.load()) : nullptr;
  const std::span<const std::byte> weights = blob != nullptr ? blob->span() : std::span<const std::byte>();
  if (!network.given() && network.precision != "fp32") throw CommandError("--precision: goes with --weights only");
  if (network.given() && engine == "correlated") throw CommandError("--weights: streams with a network are matched exactly");
  const StreamRun run = replayed(path, engine, weights, network.precision);
  std::printf("%llu shots of %d rounds, d = %d\n", static_cast<unsigned long long>(run.shots), run.experiment.rounds,
              run.experiment.distance);
  std::printf("%-12s %10s %10s %10s %10s %12s %12s\n", "window (us)", "p50", "p99", "p99.99", "max", "us a round", "LER a shot");
  const auto n = static_cast<double>(run.rounds);
  print("recorded", run.recorded_service, run.recorded_service.mean() * static_cast<double>(run.recorded_service.n()) / 1e3 / n, run.recorded_mistakes,
        run.shots);
  print(engine.c_str(), run.service, run.busy_seconds * 1e6 / n, run.mistakes, run.shots);
  if (!compared.empty()) {
    const StreamRun other = replayed(path, compared, {}, "fp32");
    print(compared.c_str(), other.service, other.busy_seconds * 1e6 / n, other.mistakes, other.shots);
    return;
  }
  if (!run.same_model) throw CommandError(path + ": the model's fingerprint differs: recorded with other noise or another version");
  if (!run.same_weights)
    throw CommandError(path + ": the fingerprint of the network differs: recorded with other weights or another precision, or with none");
  if (run.differences != 0)
    throw CommandError(path + ": " + std::to_string(run.differences) + " answers differ from the record, the first in shot " +
                       std::to_string(run.first_different_shot) + ", window " + std::to_string(run.first_different_window));
  std::printf("all %llu answers are those of the record\n", static_cast<unsigned long long>(run.windows));
}

}  // namespace

void add_replay_command(CLI::App& app) {
  auto* command = app.add_subcommand("replay", "decode a record of `spinel stream --record` again and compare every answer");
  struct Flags {
    std::string path, engine = "exact", compared;
    NetworkFlags network;
  };
  const auto flags = std::make_shared<Flags>();
  command->add_option("file", flags->path, "the record")->required();
  command->add_option("--engine", flags->engine, "the engine that it was recorded with")
      ->check(CLI::IsMember({"exact", "correlated"}))
      ->capture_default_str();
  command->add_option("--compare", flags->compared, "decode with this engine too, and show both instead of checking the answers")
      ->check(CLI::IsMember({"exact", "correlated"}));
  flags->network.add_weights_to(*command);
  command->add_option("--precision", flags->network.precision, "arithmetic of the network")->check(CLI::IsMember({"fp32", "int8"}))->capture_default_str();
  command->callback([flags] { replay(flags->path, flags->engine, flags->compared, flags->network); });
}

}  // namespace spinel::cli
