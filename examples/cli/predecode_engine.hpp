// SPDX-License-Identifier: Apache-2.0
// A pre-decoder whose network, experiment, precision and instruction set are chosen at run time. The engines are compiled one
// source file an instruction set and group of networks (predecode_make.hpp), side by side and apart from the rest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <spinel/code/experiment.hpp>
#include <span>
#include <stdexcept>

#include <spinel/decode/predecoder.hpp>
#include <spinel/io/weights_blob.hpp>
#include <string>
#include <vector>

namespace spinel::cli {

/// One shot through a network whose experiment, precision and instruction set were chosen at run time.
class PredecodeEngine {
 public:
  virtual ~PredecodeEngine() = default;
  /// Events and residual are packed in detector order. `watch(t, logits)`, if any, sees each round's logits
  /// [row][column][channel]. Returns the flip of the observable by the network's corrections.
  virtual bool run(std::span<const std::uint64_t> events, std::span<std::uint64_t> residual,
                   const std::function<void(int, const float*)>& watch) = 0;
};

using PackedShots = std::vector<std::vector<std::uint64_t>>;

struct PredecodeSettings {
  MemoryExperiment experiment;
  bool dual = false;
  std::string precision;
  PackedShots calibration_shots;  ///< int8 takes its activation ranges from these
};

using PredecodeFactory = std::unique_ptr<PredecodeEngine> (*)(std::span<const std::byte> blob, const PredecodeSettings& settings);

/// Null where this binary does not have the instruction set.
PredecodeFactory predecode_factory_avx512();
PredecodeFactory predecode_factory_avx2();
PredecodeFactory predecode_factory_neon();
PredecodeFactory predecode_factory_scalar();
/// The wider shapes on the binary's own instruction set; null for any other network.
std::unique_ptr<PredecodeEngine> make_wide_engine(std::span<const std::byte> blob, const PredecodeSettings& settings);

}  // namespace spinel::cli
