// SPDX-License-Identifier: Apache-2.0
// Makes the engines of predecode_engine.hpp: included by the few sources that compile them.
#pragma once

#include <span>

#include <spinel/decode/predecoder.hpp>
#include <spinel/nn/weights.hpp>

#include "predecode_engine.hpp"

namespace spinel::cli {

namespace detail {

template <class Engine, class Weights>
class EngineOf final : public PredecodeEngine {
 public:
  EngineOf(const Weights& weights, const PredecodeSettings& settings)
      : memory_(RuntimePredecoder<Engine>::memory_bytes(settings.experiment.distance)) {
    const Status status = predecoder_.set_up(weights, settings.experiment, settings.dual, memory_);
    if (status != Status::ok) throw std::runtime_error(std::string("predecode: the engine refused the experiment: ") + to_string(status));
  }
  bool run(std::span<const std::uint64_t> events, std::span<std::uint64_t> residual,
           const std::function<void(int, const float*)>& watch) override {
    const auto see = [&](int t, const float* logits) {
      if (watch) watch(t, logits);
    };
    return (predecoder_.run(events, residual, see) & 1) != 0;
  }

 private:
  std::vector<std::byte> memory_;
  RuntimePredecoder<Engine> predecoder_;
};

template <Network network, class A>
std::unique_ptr<PredecodeEngine> make_engine_of(std::span<const std::byte> blob, const PredecodeSettings& settings) {
  WeightsView<network> weights;
  if (const BlobCheck seen = WeightsView<network>::check(blob, weights); !seen)
    throw std::runtime_error(std::string("--weights: ") + (seen.layer < 0 ? std::string() : std::string("layer ") + std::to_string(seen.layer) + ": ") + seen.what);
  if (settings.precision == "fp32") return std::make_unique<EngineOf<Forward<network, A>, WeightsView<network>>>(weights, settings);
  constexpr bool has_int8 = [] {
    for (int l = 1; l + 1 < network.n_layers; ++l)
      if (network.layers[l].kernel > 3) return false;
    return true;
  }();
  if constexpr (has_int8)
    if (settings.precision == "int8") {
      CalibratedWeights<network> calibrated{weights, {}};
      using Float = Forward<network, A>;
      const int distance = settings.experiment.distance;
      std::vector<std::byte> memory(Float::memory_bytes(distance));
      Float engine;
      const auto owned_layout = std::make_unique<TensorLayout<spinel::detail::largest_distance>>();
      auto& layout = *owned_layout;
      if (engine.set_up(weights, distance, memory) != Status::ok || make_tensor_layout(settings.experiment, settings.dual, layout) != Status::ok)
        throw std::runtime_error("predecode: the engine refused the experiment");
      for (const auto& events : settings.calibration_shots)
        engine.run(
            settings.experiment.rounds, [&](int t, float* slice) { encode_round(layout, events, t, slice); }, [](int, const float*) {},
            [&](int layer, int, const float* values) {
              calibrated.ranges.observe(layer, values, static_cast<std::size_t>(distance * distance * network.layers[layer].filters));
            });
      if (calibrated.ranges.observed == 0) throw std::runtime_error("--precision int8: there are no shots to calibrate on");
      return std::make_unique<EngineOf<Forward<network, A, 0, Precision::int8>, CalibratedWeights<network>>>(calibrated, settings);
    }
  if constexpr (has_bf16<A>)
    if (settings.precision == "bf16") return std::make_unique<EngineOf<Forward<network, A, 0, Precision::bf16>, WeightsView<network>>>(weights, settings);
  throw std::runtime_error("--precision " + settings.precision + ": this network has no such kernels on the instruction set " + A::name + " of this binary");
}

template <class A>
std::unique_ptr<PredecodeEngine> make_engine(std::span<const std::byte> blob, const PredecodeSettings& settings) {
  Network network{};
  if (const BlobCheck seen = network_of_blob(blob, network); !seen) throw std::runtime_error(std::string("--weights: ") + seen.what);
  if (network == model_1) return make_engine_of<model_1, A>(blob, settings);
  if (network == model_4) return make_engine_of<model_4, A>(blob, settings);
  std::string shape;
  for (int l = 0; l < network.n_layers; ++l)
    shape.append(" ").append(std::to_string(network.layers[l].filters)).append("x").append(std::to_string(network.layers[l].kernel)).append("^3");
  throw std::runtime_error("--weights: the network has layers" + shape +
                     "; this program is compiled for model 1 (128 128 128 4) and model 4 (128 five times, 4) with kernels 3^3, on --arch "
                     "native also for model 2 (256 256 256 4), 3 (128 128 128 4, kernels 5^3) and 5 (256 five times, 4), all with GELU");
}

}  // namespace detail

}  // namespace spinel::cli
