// SPDX-License-Identifier: Apache-2.0
// `spinel convert_weights` and `spinel predecode`: from a checkpoint and detection events to residual events and frames.
#include <cstring>
#include <span>
#include <string_view>
#include <utility>
#include <spinel/decode/encode.hpp>
#include <spinel/io/file.hpp>
#include <spinel/io/npy.hpp>
#include <spinel/io/shots.hpp>
#include <spinel/io/weights_blob.hpp>

#include "experiment_flags.hpp"
#include "network_flags.hpp"

namespace spinel::cli {

namespace {

std::string read_or_throw(const std::string& flag, const std::string& path) {
  auto bytes = io::read_file(path);
  if (!bytes) throw CommandError(flag + " " + bytes.error());
  return *std::move(bytes);
}

void write_or_throw(const std::string& flag, const std::string& path, std::string_view bytes) {
  if (auto written = io::write_file(path, bytes); !written) throw CommandError(flag + " " + written.error());
}

struct PredecodeFlags {
  ExperimentFlags experiment;
  NetworkFlags network;
  std::string in, in_format = "b8", residual_out, frame_out, logits_out;
};

void predecode(const PredecodeFlags& flags) {
  const MemoryExperiment experiment = flags.experiment.experiment();
  const auto format = io::shot_format(flags.in_format);
  if (!format) throw CommandError("--in_format: " + format.error());

  const AlignedBlob blob = flags.network.load();
  const std::string in = read_or_throw("--in", flags.in);
  const auto n_detectors = static_cast<std::size_t>(experiment.n_detectors());
  auto shots = io::parse_shots(in, *format, {.n_measurements = 0, .n_detectors = n_detectors, .n_observables = 0});
  if (!shots) throw CommandError("--in " + flags.in + ": " + shots.error());

  const std::size_t n_words = (n_detectors + 63) / 64, shot_bytes = (n_detectors + 7) / 8;
  const auto sites = static_cast<std::size_t>(experiment.n_data()), rounds = static_cast<std::size_t>(experiment.rounds);
  const std::size_t channels = tensor_channels, shot_logits = channels * rounds * sites;
  const auto engine = flags.network.engine(blob, experiment, packed_shots(*shots, n_detectors, flags.network.calibration_shots));

  io::FileWriter logits_file;
  std::vector<float> planes;
  std::function<void(int, const float*)> watch;
  const auto check = [](const std::string& flag, const auto& outcome) {
    if (!outcome) throw CommandError(flag + " " + outcome.error());
  };
  if (!flags.logits_out.empty()) {
    auto opened = io::FileWriter::open(flags.logits_out);
    check("--logits_out", opened);
    logits_file = *std::move(opened);
    const auto d = static_cast<std::size_t>(experiment.distance);
    const std::size_t shape[5] = {shots->n_shots, channels, rounds, d, d};
    check("--logits_out", logits_file.write(io::npy_header("<f4", shape)));
    planes.resize(shot_logits);
    watch = [&](int t, const float* logits) {
      for (std::size_t site = 0; site < sites; ++site)
        for (std::size_t c = 0; c < channels; ++c) planes[(c * rounds + static_cast<std::size_t>(t)) * sites + site] = logits[site * channels + c];
    };
  }
  std::string residual_bytes(shots->n_shots * shot_bytes, '\0'), frames(shots->n_shots, '\0');
  std::vector<std::uint64_t> events(n_words), residual(n_words);
  for (std::size_t shot = 0; shot < shots->n_shots; ++shot) {
    std::memcpy(events.data(), shots->row(shot), shot_bytes);
    frames[shot] = static_cast<char>(engine->run(events, residual, watch));
    std::memcpy(residual_bytes.data() + shot * shot_bytes, residual.data(), shot_bytes);
    if (watch) check("--logits_out", logits_file.write({reinterpret_cast<const char*>(planes.data()), planes.size() * sizeof(float)}));
  }
  if (watch) check("--logits_out", logits_file.close());
  if (!flags.residual_out.empty()) write_or_throw("--residual_out", flags.residual_out, residual_bytes);
  if (!flags.frame_out.empty()) write_or_throw("--frame_out", flags.frame_out, frames);
}

}  // namespace

void add_predecode_commands(CLI::App& app) {
  struct ConvertFlags {
    std::string in, out, activation = "gelu";
  };
  auto* convert = app.add_subcommand("convert_weights", "convert a safetensors checkpoint to the flat weights blob");
  const auto convert_flags = std::make_shared<ConvertFlags>();
  convert->add_option("--in", convert_flags->in, "safetensors file (F16, BF16 or F32)")->required();
  convert->add_option("--out", convert_flags->out, "weights blob to write")->required();
  convert->add_option("--activation", convert_flags->activation, "activation, which the file does not store")->check(activation_names())->capture_default_str();
  convert->callback([convert_flags] {
    const std::string text = read_or_throw("--in", convert_flags->in);
    std::string error;
    const auto loaded = io::read_network(std::as_bytes(std::span(text.data(), text.size())), activation_named(convert_flags->activation), error);
    if (!loaded) throw CommandError("--in " + convert_flags->in + ": " + error);
    const auto blob = io::weights_blob(*loaded);
    write_or_throw("--out", convert_flags->out, {reinterpret_cast<const char*>(blob.data()), blob.size()});
  });

  auto* command = app.add_subcommand("predecode", "run a pre-decoder network: detection events to residual events and frames");
  const auto flags = std::make_shared<PredecodeFlags>();
  flags->experiment.add_to(*command, true);
  flags->network.add_to(*command, true);
  command->add_option("--in", flags->in, "detection events, without observables")->required();
  command->add_option("--in_format", flags->in_format, "01, b8, r8, hits, dets or ptb64")->capture_default_str();
  command->add_option("--residual_out", flags->residual_out, "residual detection events, b8");
  command->add_option("--frame_out", flags->frame_out, "logical frame, one byte a shot");
  command->add_option("--logits_out", flags->logits_out, "float32 .npy, shape (shots, 4, rounds, distance, distance)");
  command->callback([flags] { predecode(*flags); });
}

}  // namespace spinel::cli
