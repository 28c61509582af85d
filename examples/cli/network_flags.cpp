// SPDX-License-Identifier: Apache-2.0
// From --weights and its companions to a running engine.
#include <algorithm>
#include <span>

#include "network_flags.hpp"

#include <spinel/io/file.hpp>
#include <spinel/io/weights_blob.hpp>
#include <spinel/nn/round_buffer.hpp>

#include "predecode_engine.hpp"

namespace spinel::cli {

namespace {

PredecodeFactory factory_named(const std::string& name) {
  if (name == "avx512") return predecode_factory_avx512();
  if (name == "avx2") return predecode_factory_avx2();
  if (name == "neon") return predecode_factory_neon();
  if (name == "scalar") return predecode_factory_scalar();
  for (const auto factory : {predecode_factory_avx512(), predecode_factory_avx2(), predecode_factory_neon()})
    if (factory != nullptr) return factory;
  return predecode_factory_scalar();
}

}  // namespace

Activation activation_named(const std::string& name) {
  return name == "relu" ? Activation::relu : name == "leaky_relu" ? Activation::leaky_relu : Activation::gelu_tanh;
}

CLI::Validator activation_names() { return CLI::IsMember({"gelu", "relu", "leaky_relu"}); }

CLI::Option* NetworkFlags::add_weights_to(CLI::App& command) {
  auto* option = command.add_option("--weights", weights, "pre-decoder network: safetensors checkpoint or weights blob");
  command.add_option("--activation", activation, "activation of a safetensors checkpoint")->check(activation_names())->capture_default_str();
  return option;
}

void NetworkFlags::add_to(CLI::App& command, bool required) {
  auto* option = add_weights_to(command);
  if (required) option->required();
  command.add_option("--precision", precision, "arithmetic of the network")->check(CLI::IsMember({"fp32", "bf16", "int8"}))->capture_default_str();
  command.add_option("--calibration_shots", calibration_shots, "int8: take the activation ranges from this many first shots")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--arch", arch, "instruction set of the network")
      ->check(CLI::IsMember({"native", "avx512", "avx2", "neon", "scalar"}))
      ->capture_default_str();
  command.add_flag("--dual", dual, "use weights trained on O1 for O2 and O3 by exchanging X and Z");
}

AlignedBlob NetworkFlags::load() const {
  auto text = io::read_file(weights);
  if (!text) throw CommandError("--weights " + text.error());
  const auto bytes = std::as_bytes(std::span(text->data(), text->size()));
  if (text->starts_with("SPNLWTS1")) return AlignedBlob{bytes};
  std::string error;
  const auto loaded = io::read_network(bytes, activation_named(activation), error);
  if (!loaded) throw CommandError("--weights " + weights + ": " + error);
  return AlignedBlob{io::weights_blob(*loaded)};
}

std::unique_ptr<PredecodeEngine> NetworkFlags::engine(const AlignedBlob& blob, const MemoryExperiment& experiment, const PackedShots& shots) const {
  if (experiment.distance > spinel::detail::largest_distance)
    throw CommandError("--distance: got " + std::to_string(experiment.distance) + ", the pre-decoder serves odd distances from 3 to 21");
  const PredecodeFactory factory = factory_named(arch);
  if (factory == nullptr) throw CommandError("--arch " + arch + ": this binary was compiled without it");
  PredecodeSettings settings{experiment, dual, precision, {}};
  if (precision == "int8")
    settings.calibration_shots.assign(shots.begin(), shots.begin() + static_cast<std::ptrdiff_t>(std::min(shots.size(), calibration_shots)));
  if (arch == "native")
    if (auto wide = make_wide_engine(blob.span(), settings)) return wide;
  return factory(blob.span(), settings);
}

}  // namespace spinel::cli
