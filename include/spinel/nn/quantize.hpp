// SPDX-License-Identifier: Apache-2.0
// Int8 numbers for a network: activation ranges from sampled volumes, per-channel weight scales, and the corrections for the zero
// point. All set-up arithmetic rounds the same way on every machine, so that int8 results are the same bits everywhere.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/math.hpp>
#include <spinel/nn/weights.hpp>

namespace spinel {

/// Smallest and largest activation of every hidden layer seen in calibration; zero is always included.
template <Network network>
struct ActivationRanges {
  float low[Network::max_layers]{};
  float high[Network::max_layers]{};
  std::int64_t observed = 0;  ///< values seen; int8 engines refuse ranges of nothing

  void observe(int layer, const float* values, std::size_t count) noexcept {
    for (std::size_t k = 0; k < count; ++k) {
      low[layer] = spinel::min(low[layer], values[k]);
      high[layer] = spinel::max(high[layer], values[k]);
    }
    observed += static_cast<std::int64_t>(count);
  }
};

/// What an int8 engine is set up with.
template <Network network>
struct CalibratedWeights {
  WeightsView<network> view{};
  ActivationRanges<network> ranges{};
};

namespace detail {

/// Byte q stands for (q - zero) * scale.
struct ByteScale {
  float scale = 1.0f;
  float zero = 0.0f;
};

/// The range is widened to sixteenths first: calibration in float32 differs in the last bits between machines.
inline ByteScale byte_scale(float low, float high) noexcept {
  const float bottom = spinel::floor(low * 64.0f) / 64.0f, top = spinel::ceil(high * 16.0f) / 16.0f;
  ByteScale found;
  found.scale = (top - bottom) / 255.0f;
  if (!(found.scale > 0.0f)) found.scale = 1.0f;
  found.zero = spinel::nearbyint(-bottom / found.scale);
  return found;
}

/// Largest magnitude of one output channel's weights over 127.
inline float weight_scale(const float* weights, std::size_t count) noexcept {
  float largest = 0.0f;
  for (std::size_t k = 0; k < count; ++k) largest = spinel::max(largest, spinel::fabs(weights[k]));
  return largest > 0.0f ? largest / 127.0f : 1.0f;
}

inline std::int8_t quantized_weight(float weight, float scale) noexcept {
  return static_cast<std::int8_t>(spinel::clamp(spinel::nearbyint(weight / scale), -127.0f, 127.0f));
}

/// float32 to bfloat16, ties to even.
inline std::uint16_t bfloat16_of(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace detail

}  // namespace spinel
