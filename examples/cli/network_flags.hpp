// SPDX-License-Identifier: Apache-2.0
// The flags that name a pre-decoder network and how it is run, shared by every command that takes one, and the way from them
// to a running engine.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <spinel/code/experiment.hpp>
#include <spinel/nn/network.hpp>
#include <string>
#include <vector>

#include "commands.hpp"
#include "predecode_engine.hpp"

namespace spinel::cli {

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

/// The name of a shape's activation as the flags spell it: gelu, relu, leaky_relu.
Activation activation_named(const std::string& name);
CLI::Validator activation_names();

struct NetworkFlags {
  std::string weights, activation = "gelu", precision = "fp32", arch = "native";
  std::size_t calibration_shots = 64;
  bool dual = false;

  void add_to(CLI::App& command, bool required);
  /// --weights and --activation alone.
  CLI::Option* add_weights_to(CLI::App& command);
  bool given() const { return !weights.empty(); }
  /// A blob as it is, or a safetensors file converted.
  AlignedBlob load() const;
  /// int8 takes its activation ranges from the first `calibration_shots` of `shots`.
  std::unique_ptr<PredecodeEngine> engine(const AlignedBlob& blob, const MemoryExperiment& experiment, const PackedShots& shots) const;
};

/// The first `count` rows of a table of packed shots, in whole words.
template <class Table>
PackedShots packed_shots(const Table& table, std::size_t n_detectors, std::size_t count) {
  PackedShots shots;
  for (std::size_t shot = 0; shot < table.n_shots && shot < count; ++shot)
    std::memcpy(shots.emplace_back((n_detectors + 63) / 64).data(), table.row(shot), (n_detectors + 7) / 8);
  return shots;
}

}  // namespace spinel::cli
