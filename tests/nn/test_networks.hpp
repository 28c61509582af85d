// SPDX-License-Identifier: Apache-2.0
// Test helpers: random weights, and a float64 network that is written without any of the library's kernels.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <utility>
#include <spinel/io/weights_blob.hpp>
#include <vector>

namespace spinel::test {

inline io::LoadedNetwork random_network(const Network& network, unsigned seed, double gain = 1.2) {
  std::mt19937 engine{seed};
  io::LoadedNetwork loaded;
  loaded.network = network;
  for (int l = 0; l < network.n_layers; ++l) {
    const double spread = gain / std::sqrt(static_cast<double>(network.weights(l)) / static_cast<double>(network.out_channels(l)));
    std::normal_distribution<double> weight{0.0, spread};
    auto& weights = loaded.weights.emplace_back(network.weights(l));
    for (auto& w : weights) w = static_cast<float>(weight(engine));
    auto& biases = loaded.biases.emplace_back(static_cast<std::size_t>(network.out_channels(l)));
    for (auto& b : biases) b = static_cast<float>(0.3 * weight(engine) / spread);
  }
  return loaded;
}

inline double reference_activation(Activation activation, double x) {
  switch (activation) {
    case Activation::gelu_tanh: return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case Activation::relu: return x > 0 ? x : 0.0;
    case Activation::leaky_relu: return x > 0 ? x : 0.01 * x;
    case Activation::none: break;
  }
  return x;
}

/// Input and output [round][row][column][channel]; every tap is tested against the volume, one product at a time.
inline std::vector<double> reference_forward(const io::LoadedNetwork& loaded, std::vector<double> x, int rounds, int distance) {
  for (int l = 0; l < loaded.network.n_layers; ++l) {
    const int in = loaded.network.in_channels(l), out = loaded.network.out_channels(l), k = loaded.network.layers[l].kernel;
    const auto L = static_cast<std::size_t>(l);
    std::vector<double> y(static_cast<std::size_t>(rounds * distance * distance * out));
    for (int t = 0; t < rounds; ++t)
      for (int h = 0; h < distance; ++h)
        for (int w = 0; w < distance; ++w)
          for (int o = 0; o < out; ++o) {
            double sum = loaded.biases[L][static_cast<std::size_t>(o)];
            for (int a = 0; a < k; ++a)
              for (int b = 0; b < k; ++b)
                for (int c = 0; c < k; ++c) {
                  const int tt = t + a - k / 2, hh = h + b - k / 2, ww = w + c - k / 2;
                  if (tt < 0 || tt >= rounds || hh < 0 || hh >= distance || ww < 0 || ww >= distance) continue;
                  for (int i = 0; i < in; ++i)
                    sum += static_cast<double>(loaded.weights[L][static_cast<std::size_t>((((o * in + i) * k + a) * k + b) * k + c)]) *
                           x[static_cast<std::size_t>(((tt * distance + hh) * distance + ww) * in + i)];
                }
            y[static_cast<std::size_t>(((t * distance + h) * distance + w) * out + o)] = reference_activation(loaded.network.layers[l].activation, sum);
          }
    x = std::move(y);
  }
  return x;
}

/// Bytes at a multiple of 64.
class AlignedBytes {
 public:
  explicit AlignedBytes(std::size_t size) : data_(static_cast<std::byte*>(std::aligned_alloc(64, (size + 63) / 64 * 64)), &std::free), size_(size) {}
  explicit AlignedBytes(const std::vector<std::byte>& bytes) : AlignedBytes(bytes.size()) { std::memcpy(data_.get(), bytes.data(), bytes.size()); }
  std::span<std::byte> span() const { return {data_.get(), size_}; }

 private:
  std::unique_ptr<std::byte, decltype(&std::free)> data_;
  std::size_t size_;
};

/// Sparse values like a pre-decoder's input: events, and presence values in {0, 0.5, 1}.
inline std::vector<double> random_input(int rounds, int distance, int channels, unsigned seed) {
  std::mt19937 engine{seed};
  std::vector<double> x(static_cast<std::size_t>(rounds * distance * distance * channels));
  for (std::size_t k = 0; k < x.size(); ++k) {
    const auto draw = engine() % 16;
    x[k] = k % static_cast<std::size_t>(channels) < 2 ? (draw < 3 ? 1.0 : 0.0) : 0.5 * static_cast<double>(draw % 3);
  }
  return x;
}

}  // namespace spinel::test
