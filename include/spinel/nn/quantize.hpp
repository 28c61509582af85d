// SPDX-License-Identifier: Apache-2.0
// Int8 numbers for a network: activation ranges from sampled volumes, per-channel weight scales, and the corrections for the zero
// point. All set-up arithmetic rounds the same way on every machine, so that int8 results are the same bits everywhere.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/config.hpp>
#include <spinel/core/math.hpp>
#include <spinel/nn/weights.hpp>

namespace spinel {

/// The smallest activation of every hidden layer seen in calibration and the largest of every channel; zero is always included.
template <Network network>
struct ActivationRanges {
  static constexpr int max_filters = [] {
    int most = 1;
    for (int l = 0; l + 1 < network.n_layers; ++l) most = spinel::max(most, network.layers[l].filters);
    return most;
  }();
  float low[Network::max_layers]{};
  float high[Network::max_layers][static_cast<std::size_t>(max_filters)]{};
  double sites[Network::max_layers]{};
  double total[Network::max_layers][static_cast<std::size_t>(max_filters)]{};    ///< sums of a channel's values
  double squares[Network::max_layers][static_cast<std::size_t>(max_filters)]{};  ///< and of their squares
  std::int64_t observed = 0;  ///< values seen; int8 engines refuse ranges of nothing

  /// `values` [site][channel] of one layer, `count` of them.
  void observe(int layer, const float* values, std::size_t count) noexcept {
    const auto filters = static_cast<std::size_t>(network.layers[layer].filters);
    for (std::size_t k = 0; k < count; k += filters)
      for (std::size_t c = 0; c < filters; ++c) {
        low[layer] = spinel::min(low[layer], values[k + c]);
        high[layer][c] = spinel::max(high[layer][c], values[k + c]);
        total[layer][c] += static_cast<double>(values[k + c]);
        squares[layer][c] += static_cast<double>(values[k + c]) * static_cast<double>(values[k + c]);
      }
    sites[layer] += static_cast<double>(count / filters);
    observed += static_cast<std::int64_t>(count);
  }
  /// Channels from the most to the least active: how much they vary, for their range. Decides where a channel lies, and no result.
  void order_by_activity(int layer, std::int32_t* order) const noexcept {
    const int filters = network.layers[layer].filters;
    double activity[static_cast<std::size_t>(max_filters)];
    const double n = spinel::max(1.0, sites[layer]);
    for (int c = 0; c < filters; ++c) {
      const double range = spinel::max(static_cast<double>(high[layer][c]), 1.0 / 16.0), mean = total[layer][c] / n;
      // The scale of a channel's bytes grows with the fourth root of its range.
      activity[c] = (squares[layer][c] / n - mean * mean) / spinel::sqrt(range);
      int at = c;
      for (; at > 0 && activity[order[at - 1]] < activity[c]; --at) order[at] = order[at - 1];
      order[at] = c;
    }
  }
  /// One range for all channels of a layer.
  void set(int layer, float lowest, float highest) noexcept {
    low[layer] = lowest;
    for (auto& value : high[layer]) value = highest;
    observed += 1;
  }
};

/// What an int8 engine is set up with.
template <Network network>
struct CalibratedWeights {
  WeightsView<network> view{};
  ActivationRanges<network> ranges{};
};

namespace detail {

/// Bytes q[c] of a layer (channel order[c] of the ranges) stand for (q - zero[c]) * scale[c]. A channel's scale lies between what its own range needs and what the
/// layer's widest needs, a quarter of the way (geometrically): its own alone would leave the next layer's weights, which take the
/// scales in and share 127 steps, too coarse. Square roots are exact, so every machine finds the same scales.
/// Ranges are widened to sixteenths first: calibration in float32 differs in the last bits between machines.
SPINEL_COLD inline void byte_scales(float low, const float* high, const std::int32_t* order, int channels, float* scale, float* zero) noexcept {
  const float bottom = spinel::floor(low * 64.0f) / 64.0f;
  const auto range = [&](int c) { return spinel::max(spinel::ceil(high[order[c]] * 16.0f) / 16.0f - bottom, 1.0f / 16.0f); };
  float widest = 0;
  for (int c = 0; c < channels; ++c) widest = spinel::max(widest, range(c));
  for (int c = 0; c < channels; ++c) {
    const float half_way = spinel::sqrt(range(c)) * spinel::sqrt(widest);
    scale[c] = spinel::sqrt(half_way) * spinel::sqrt(widest) / 255.0f;
    zero[c] = spinel::nearbyint(-bottom / scale[c]);
  }
}

inline std::int8_t quantized_weight(float weight, float scale) noexcept {
  return static_cast<std::int8_t>(spinel::clamp(spinel::nearbyint(weight / scale), -127.0f, 127.0f));
}

/// The first layer's weights of one output channel, on a grid so coarse that sums of them are exact in float32: inputs are
/// multiples of 1/2 of at most 1 in magnitude, so sums come out the same in any order, on any machine. The grid is 2^-17 or so.
inline float exact_grid(const float* weights, std::size_t count) noexcept {
  float total = 0;
  for (std::size_t k = 0; k < count; ++k) total += spinel::fabs(weights[k]);
  int exponent = 0;
  spinel::frexp(total + 1.0f, &exponent);  // total < 2^exponent; inputs and differences to them: twice, halves: twice
  return spinel::ldexp(1.0f, exponent + 2 - 24);
}

/// A layer as int8_scales sees it: `out_channels` sums over kernel_rounds x kernel x kernel taps.
struct Int8LayerShape {
  int in_channels, out_channels, kernel_rounds, kernel;
  /// In how many ways taps can fall outside the volume.
  constexpr int edges() const noexcept { return kernel_rounds == 1 && kernel == 1 ? 1 : 64; }
};
/// Scales of an int8 layer's sums, and the shares of its input's zero points. `weight(out, in, tap)` and `bias` [out], or null; input bytes
/// with `in_scale`, `in_zero` [in]. Writes `weight_scale` [out] and `offset` [edges][out].
template <class WeightOf>
SPINEL_COLD void int8_scales(const Int8LayerShape& shape, WeightOf&& weight, const float* bias, const float* in_scale, const float* in_zero,
                        float* weight_scale_out, float* offset) noexcept {
  const int kernel = shape.kernel, kernel_rounds = shape.kernel_rounds, taps = kernel_rounds * kernel * kernel;
  for (int o = 0; o < shape.out_channels; ++o) {
    float largest = 0.0f;
    for (int i = 0; i < shape.in_channels; ++i)
      for (int tap = 0; tap < taps; ++tap) largest = spinel::max(largest, spinel::fabs(weight(o, i, tap) * in_scale[i]));
    const float scale = weight_scale_out[o] = largest > 0.0f ? largest / 127.0f : 1.0f;
    std::int64_t share_of_tap[27] = {};
    for (int tap = 0; tap < taps; ++tap)
      for (int i = 0; i < shape.in_channels; ++i)
        share_of_tap[tap] += static_cast<std::int64_t>(in_zero[i]) * quantized_weight(weight(o, i, tap) * in_scale[i], scale);
    for (int edges = 0; edges < shape.edges(); ++edges) {
      // bits from the top: last row, first row, last round, first round of the 16 row patterns, then right and left
      const int w_edges = edges % 4, t_edges = edges / 4 % 4, h_edges = edges / 16;
      const auto inside = [](int k, int length, int side) { return !((side & 1) != 0 && k < length / 2) && !((side & 2) != 0 && k > length / 2); };
      std::int64_t sum = 0;
      for (int kt = 0; kt < kernel_rounds; ++kt)
        for (int kh = 0; kh < kernel; ++kh)
          for (int kw = 0; kw < kernel; ++kw)
            if (inside(kt, kernel_rounds, t_edges) && inside(kh, kernel, h_edges) && inside(kw, kernel, w_edges)) sum += share_of_tap[(kt * kernel + kh) * kernel + kw];
      offset[edges * shape.out_channels + o] =
          static_cast<float>(spinel::fma(-static_cast<double>(scale), static_cast<double>(sum), bias == nullptr ? 0.0 : static_cast<double>(bias[o])));
    }
  }
}

/// float32 to bfloat16, ties to even.
inline std::uint16_t bfloat16_of(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace detail

}  // namespace spinel
