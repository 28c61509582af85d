// SPDX-License-Identifier: Apache-2.0
// The pre-decoder behind the program: the published network shapes on each instruction set of this binary, any distance and
// rounds. One source file an instruction set, so that they compile side by side.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <spinel/code/experiment.hpp>
#include <spinel/decode/predecoder.hpp>
#include <spinel/io/weights_blob.hpp>
#include <string>

#include "commands.hpp"

namespace spinel::cli {

class PredecodeEngine {
 public:
  virtual ~PredecodeEngine() = default;
  /// `watch(t, logits)` sees each round's logits [row][column][channel].
  virtual bool run(std::span<const std::uint64_t> events, std::span<std::uint64_t> residual,
                   const std::function<void(int, const float*)>& watch) = 0;
};

struct PredecodeSettings {
  MemoryExperiment experiment;
  bool dual = false;
  std::string precision;
  std::vector<std::vector<std::uint64_t>> calibration_shots;  ///< int8 takes its activation ranges from these
};

using PredecodeFactory = std::unique_ptr<PredecodeEngine> (*)(std::span<const std::byte> blob, const PredecodeSettings& settings);

/// Null where this binary does not have the instruction set.
PredecodeFactory predecode_factory_avx512();
PredecodeFactory predecode_factory_avx2();
PredecodeFactory predecode_factory_neon();
PredecodeFactory predecode_factory_scalar();

namespace detail {

template <class Engine, class Weights>
class EngineOf final : public PredecodeEngine {
 public:
  EngineOf(const Weights& weights, const PredecodeSettings& settings)
      : memory_(RuntimePredecoder<Engine>::memory_bytes(settings.experiment.distance)) {
    const Status status = predecoder_.set_up(weights, settings.experiment, settings.dual, memory_);
    if (status != Status::ok) throw CommandError(std::string("predecode: the engine refused the experiment: ") + to_string(status));
  }
  bool run(std::span<const std::uint64_t> events, std::span<std::uint64_t> residual,
           const std::function<void(int, const float*)>& watch) override {
    if (!watch) return (predecoder_.run(events, residual) & 1) != 0;
    return (predecoder_.run(events, residual, watch) & 1) != 0;
  }

 private:
  std::vector<std::byte> memory_;
  RuntimePredecoder<Engine> predecoder_;
};

template <Network network, class A>
std::unique_ptr<PredecodeEngine> make_engine_of(std::span<const std::byte> blob, const PredecodeSettings& settings) {
  WeightsView<network> weights;
  if (const BlobCheck seen = WeightsView<network>::check(blob, weights); !seen)
    throw CommandError(std::string("--weights: ") + (seen.layer < 0 ? std::string() : std::string("layer ") + std::to_string(seen.layer) + ": ") + seen.what);
  if (settings.precision == "fp32") return std::make_unique<EngineOf<Forward<network, A>, WeightsView<network>>>(weights, settings);
  if (settings.precision == "int8") {
    CalibratedWeights<network> calibrated{weights, {}};
    using Float = Forward<network, A>;
    const int distance = settings.experiment.distance;
    std::vector<std::byte> memory(Float::memory_bytes(distance));
    Float engine;
    static TensorLayout<spinel::detail::largest_distance> layout;
    if (engine.set_up(weights, distance, memory) != Status::ok || make_tensor_layout(settings.experiment, settings.dual, layout) != Status::ok)
      throw CommandError("predecode: the engine refused the experiment");
    for (const auto& events : settings.calibration_shots)
      engine.run(
          settings.experiment.rounds, [&](int t, float* slice) { encode_round(layout, events, t, slice); }, [](int, const float*) {},
          [&](int layer, int, const float* values) {
            calibrated.ranges.observe(layer, values, static_cast<std::size_t>(distance * distance * network.layers[layer].filters));
          });
    if (calibrated.ranges.observed == 0) throw CommandError("--precision int8: there are no shots to calibrate on");
    return std::make_unique<EngineOf<Forward<network, A, 0, Precision::int8>, CalibratedWeights<network>>>(calibrated, settings);
  }
  if constexpr (has_bf16<A>)
    if (settings.precision == "bf16") return std::make_unique<EngineOf<Forward<network, A, 0, Precision::bf16>, WeightsView<network>>>(weights, settings);
  throw CommandError("--precision " + settings.precision + ": the instruction set " + A::name + " of this binary does not have it");
}

template <class A>
std::unique_ptr<PredecodeEngine> make_engine(std::span<const std::byte> blob, const PredecodeSettings& settings) {
  Network network{};
  if (const BlobCheck seen = network_of_blob(blob, network); !seen) throw CommandError(std::string("--weights: ") + seen.what);
  if (network == model_1) return make_engine_of<model_1, A>(blob, settings);
  if (network == model_4) return make_engine_of<model_4, A>(blob, settings);
  std::string shape;
  for (int l = 0; l < network.n_layers; ++l)
    shape.append(" ").append(std::to_string(network.layers[l].filters)).append("x").append(std::to_string(network.layers[l].kernel)).append("^3");
  throw CommandError("--weights: the network has layers" + shape +
                     "; this program is compiled for model 1 (128 128 128 4) and model 4 (128 five times, 4), kernels 3^3, GELU");
}

}  // namespace detail

}  // namespace spinel::cli
