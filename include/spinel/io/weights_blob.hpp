// SPDX-License-Identifier: Apache-2.0
// Writes the weights blob whose layout nn/weights.hpp describes and reads.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <spinel/io/safetensors.hpp>
#include <spinel/nn/weights.hpp>
#include <vector>

namespace spinel::io {

/// The blob of `loaded`; the caller must place it at a multiple of 64 bytes to view it.
inline std::vector<std::byte> weights_blob(const LoadedNetwork& loaded) {
  namespace blob = spinel::detail::blob;
  const auto layers = static_cast<std::size_t>(loaded.network.n_layers);
  std::vector<std::byte> bytes(blob::header_bytes + layers * blob::record_bytes);
  const auto write = [&bytes](std::size_t offset, std::uint64_t value, std::size_t size) {
    for (std::size_t k = 0; k < size; ++k) bytes[offset + k] = static_cast<std::byte>(value >> (8 * k));
  };
  const auto append = [&](const std::vector<float>& values) {
    const std::size_t offset = bytes.size();
    bytes.resize((offset + 4 * values.size() + blob::alignment - 1) / blob::alignment * blob::alignment);
    for (std::size_t k = 0; k < values.size(); ++k) write(offset + 4 * k, std::bit_cast<std::uint32_t>(values[k]), 4);
    return offset;
  };
  std::memcpy(bytes.data(), blob::magic, 8);
  write(8, layers, 4);
  write(12, static_cast<std::uint64_t>(loaded.network.input_channels), 4);
  for (std::size_t l = 0; l < layers; ++l) {
    const std::size_t at = blob::header_bytes + l * blob::record_bytes;
    const int layer = static_cast<int>(l);
    write(at, static_cast<std::uint64_t>(loaded.network.in_channels(layer)), 4);
    write(at + 4, static_cast<std::uint64_t>(loaded.network.out_channels(layer)), 4);
    write(at + 8, static_cast<std::uint64_t>(loaded.network.layers[l].kernel), 4);
    write(at + 12, static_cast<std::uint64_t>(loaded.network.layers[l].activation), 4);
    write(at + 16, append(loaded.weights[l]), 8);
    write(at + 24, append(loaded.biases[l]), 8);
  }
  write(16, bytes.size(), 8);
  write(60, blob::checksum(bytes), 4);
  return bytes;
}

}  // namespace spinel::io
