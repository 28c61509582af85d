// SPDX-License-Identifier: Apache-2.0
// Convolutional networks as values: a chain of 3-D convolutions, usable as a template argument.
// Shapes of the surface-code pre-decoders: arXiv:2604.12841, Table II (models 1 to 5).
#pragma once

#include <cstddef>
#include <cstdint>

namespace spinel {

/// What follows a convolution. `gelu_tanh` is 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))); the leaky slope is 0.01.
enum class Activation : std::uint8_t { none, gelu_tanh, relu, leaky_relu };

/// One convolution with stride 1, zero padding `kernel / 2` on all six faces, and a bias.
struct Layer {
  int filters = 0;  ///< output channels
  int kernel = 3;   ///< odd edge length of the cubic kernel
  Activation activation = Activation::none;
  friend constexpr bool operator==(const Layer&, const Layer&) = default;
};

/// Arithmetic of the hidden layers.
enum class Precision : std::uint8_t { fp32, bf16, int8 };

/// A chain of at most eight layers from `input_channels` to the last layer's filters; all public, so structural.
struct Network {
  static constexpr int max_layers = 8;
  int n_layers = 0;
  int input_channels = 4;
  Layer layers[max_layers]{};
  Precision precision = Precision::fp32;  ///< what an engine computes in; weights are float32 in any case

  constexpr int in_channels(int layer) const noexcept { return layer == 0 ? input_channels : layers[layer - 1].filters; }
  constexpr int out_channels(int layer) const noexcept { return layers[layer].filters; }
  constexpr int output_channels() const noexcept { return layers[n_layers - 1].filters; }
  /// Weights of one layer, without its bias: out x in x kernel^3.
  constexpr std::size_t weights(int layer) const noexcept {
    const auto kernel = static_cast<std::size_t>(layers[layer].kernel);
    return static_cast<std::size_t>(out_channels(layer)) * static_cast<std::size_t>(in_channels(layer)) * kernel * kernel * kernel;
  }
  constexpr std::size_t parameters() const noexcept {
    std::size_t total = 0;
    for (int l = 0; l < n_layers; ++l) total += weights(l) + static_cast<std::size_t>(out_channels(l));
    return total;
  }
  /// Edge length of the box of input sites that one output site depends on.
  constexpr int receptive_field() const noexcept {
    int field = 1;
    for (int l = 0; l < n_layers; ++l) field += layers[l].kernel - 1;
    return field;
  }
  constexpr bool valid() const noexcept {
    if (n_layers < 1 || n_layers > max_layers || input_channels < 1) return false;
    for (int l = 0; l < n_layers; ++l)
      if (layers[l].filters < 1 || layers[l].kernel < 1 || layers[l].kernel % 2 == 0) return false;
    return true;
  }
  friend constexpr bool operator==(const Network&, const Network&) = default;
};

/// `hidden_layers` layers of `width` filters with `activation`, then one layer of 4 filters without; all kernels `kernel`^3.
constexpr Network plain_network(int hidden_layers, int width, int kernel = 3, Activation activation = Activation::gelu_tanh) noexcept {
  Network network{};
  network.n_layers = hidden_layers + 1;
  for (int l = 0; l < hidden_layers; ++l) network.layers[l] = {width, kernel, activation};
  network.layers[hidden_layers] = {4, kernel, Activation::none};
  return network;
}

/// The same network, computed in another precision.
constexpr Network in_precision(Network network, Precision precision) noexcept {
  network.precision = precision;
  return network;
}

inline constexpr Network model_1 = plain_network(3, 128);     // the published "Fast" checkpoint's shape
inline constexpr Network model_2 = plain_network(3, 256);
inline constexpr Network model_3 = plain_network(3, 128, 5);
inline constexpr Network model_4 = plain_network(5, 128);     // the "Accurate" checkpoint's shape
inline constexpr Network model_5 = plain_network(5, 256);

namespace detail {
template <int>
inline constexpr bool no_network_has_this_receptive_field = false;
}

/// The smallest of the published shapes with this receptive field.
template <int receptive_field>
consteval Network network_for() noexcept {
  if constexpr (receptive_field == 9)
    return model_1;
  else if constexpr (receptive_field == 13)
    return model_4;
  else if constexpr (receptive_field == 17)
    return model_3;
  else
    static_assert(detail::no_network_has_this_receptive_field<receptive_field>,
                  "the published networks have receptive field 9, 13 or 17; give a Network value for any other");
}

}  // namespace spinel
