// SPDX-License-Identifier: Apache-2.0
// `spinel convert_weights` and `spinel predecode`: from a checkpoint and detection events to residual events and frames.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>
#include <spinel/io/file.hpp>
#include <spinel/io/npy.hpp>
#include <spinel/io/shots.hpp>

#include "experiment_flags.hpp"
#include "predecode_engine.hpp"

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

Activation activation_named(const std::string& name) {
  return name == "relu" ? Activation::relu : name == "leaky_relu" ? Activation::leaky_relu : Activation::gelu_tanh;
}

/// Bytes at a multiple of 64, as the weights blob wants them.
class AlignedBlob {
 public:
  explicit AlignedBlob(std::span<const std::byte> bytes)
      : data_(static_cast<std::byte*>(std::aligned_alloc(64, (bytes.size() + 64) / 64 * 64)), &std::free), size_(bytes.size()) {
    if (data_ == nullptr) throw CommandError("--weights: out of memory");
    std::memcpy(data_.get(), bytes.data(), bytes.size());
  }
  std::span<const std::byte> span() const { return {data_.get(), size_}; }

 private:
  std::unique_ptr<std::byte, decltype(&std::free)> data_;
  std::size_t size_;
};

/// A blob as it is, or a safetensors file converted.
AlignedBlob load_weights(const std::string& path, const std::string& activation) {
  const std::string text = read_or_throw("--weights", path);
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  if (text.starts_with("SPNLWTS1")) return AlignedBlob{bytes};
  std::string error;
  const auto loaded = io::read_network(bytes, activation_named(activation), error);
  if (!loaded) throw CommandError("--weights " + path + ": " + error);
  return AlignedBlob{io::weights_blob(*loaded)};
}

struct PredecodeFlags {
  ExperimentFlags experiment;
  std::string weights, activation = "gelu", in, in_format = "b8", residual_out, frame_out, logits_out, precision = "fp32", arch = "native";
  std::size_t calibration_shots = 64;
  bool dual = false;
};

PredecodeFactory factory_named(const std::string& name) {
  if (name == "avx512") return predecode_factory_avx512();
  if (name == "avx2") return predecode_factory_avx2();
  if (name == "neon") return predecode_factory_neon();
  if (name == "scalar") return predecode_factory_scalar();
  for (const auto factory : {predecode_factory_avx512(), predecode_factory_avx2(), predecode_factory_neon()})
    if (factory != nullptr) return factory;
  return predecode_factory_scalar();
}

void predecode(const PredecodeFlags& flags) {
  const MemoryExperiment experiment = flags.experiment.experiment();
  if (experiment.distance > spinel::detail::largest_distance)
    throw CommandError("--distance: got " + std::to_string(experiment.distance) + ", the pre-decoder serves odd distances from 3 to 21");
  const PredecodeFactory factory = factory_named(flags.arch);
  if (factory == nullptr) throw CommandError("--arch " + flags.arch + ": this binary was compiled without it");
  const auto format = io::shot_format(flags.in_format);
  if (!format) throw CommandError("--in_format: " + format.error());

  const AlignedBlob blob = load_weights(flags.weights, flags.activation);
  const std::string in = read_or_throw("--in", flags.in);
  const auto n_detectors = static_cast<std::size_t>(experiment.n_detectors());
  auto shots = io::parse_shots(in, *format, {.n_measurements = 0, .n_detectors = n_detectors, .n_observables = 0});
  if (!shots) throw CommandError("--in " + flags.in + ": " + shots.error());

  const std::size_t n_words = (n_detectors + 63) / 64, shot_bytes = (n_detectors + 7) / 8;
  const auto sites = static_cast<std::size_t>(experiment.n_data()), rounds = static_cast<std::size_t>(experiment.rounds);
  const std::size_t channels = tensor_channels, shot_logits = channels * rounds * sites;
  PredecodeSettings settings{experiment, flags.dual, flags.precision, {}};
  if (flags.precision == "int8")
    for (std::size_t shot = 0; shot < std::min(shots->n_shots, flags.calibration_shots); ++shot)
      std::memcpy(settings.calibration_shots.emplace_back(n_words).data(), shots->row(shot), shot_bytes);
  const auto engine = factory(blob.span(), settings);

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
  const auto activations = CLI::IsMember({"gelu", "relu", "leaky_relu"});
  auto* convert = app.add_subcommand("convert_weights", "convert a safetensors checkpoint to the flat weights blob");
  const auto convert_flags = std::make_shared<ConvertFlags>();
  convert->add_option("--in", convert_flags->in, "safetensors file (F16, BF16 or F32)")->required();
  convert->add_option("--out", convert_flags->out, "weights blob to write")->required();
  convert->add_option("--activation", convert_flags->activation, "activation, which the file does not store")->check(activations)->capture_default_str();
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
  command->add_option("--weights", flags->weights, "safetensors checkpoint or weights blob")->required();
  command->add_option("--activation", flags->activation, "activation of a safetensors checkpoint")->check(activations)->capture_default_str();
  command->add_option("--in", flags->in, "detection events, without observables")->required();
  command->add_option("--in_format", flags->in_format, "01, b8, r8, hits, dets or ptb64")->capture_default_str();
  command->add_option("--residual_out", flags->residual_out, "residual detection events, b8");
  command->add_option("--frame_out", flags->frame_out, "logical frame, one byte a shot");
  command->add_option("--logits_out", flags->logits_out, "float32 .npy, shape (shots, 4, rounds, distance, distance)");
  command->add_option("--precision", flags->precision, "arithmetic of the network")->check(CLI::IsMember({"fp32", "bf16", "int8"}))->capture_default_str();
  command->add_option("--calibration_shots", flags->calibration_shots, "int8: take the activation ranges from this many first shots")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--arch", flags->arch, "instruction set")->check(CLI::IsMember({"native", "avx512", "avx2", "neon", "scalar"}))->capture_default_str();
  command->add_flag("--dual", flags->dual, "use weights trained on O1 for O2 and O3 by exchanging X and Z");
  command->callback([flags] { predecode(*flags); });
}

}  // namespace spinel::cli
