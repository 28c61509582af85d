// SPDX-License-Identifier: Apache-2.0
// Checksums of int8 logits on the compiler's own instruction set and on the portable one, for comparison between machines.
#include <cstdio>
#include <memory>
#include <span>
#include <spinel/core/checksum.hpp>
#include <spinel/nn/forward.hpp>
#include <spinel/simd/native.hpp>
#include <vector>

namespace {

using namespace spinel;

/// Numbers that are the same everywhere.
struct Draw {
  std::uint32_t state;
  std::uint32_t operator()() { return (state = state * 1664525u + 1013904223u) >> 8; }
  float weight(float size) { return size * (static_cast<float>((*this)() % 2001) - 1000.0f) / 1000.0f; }
};

template <Network network, class A, int distance>
std::uint32_t checksum(int rounds, bool from_differences) {
  Draw draw{7};
  std::vector<std::vector<float>> arrays;
  CalibratedWeights<network> weights;
  for (int l = 0; l < network.n_layers; ++l) {
    auto& w = arrays.emplace_back(network.weights(l));
    for (auto& value : w) value = draw.weight(l == 0 ? 0.4f : 0.15f);
    weights.view.weight[l] = w.data();
    auto& b = arrays.emplace_back(static_cast<std::size_t>(network.out_channels(l)));
    for (auto& value : b) value = draw.weight(0.2f);
    weights.view.bias[l] = b.data();
    if (l + 1 < network.n_layers) weights.ranges.set(l, -0.17f, 2.0f);
  }
  using Engine = Forward<network, A, distance, Precision::int8>;
  std::vector<std::byte> memory(Engine::memory_bytes(distance));
  const auto engine = std::make_unique<Engine>();
  if (engine->set_up(weights, distance, memory) != Status::ok) return 0;
  constexpr std::size_t round = static_cast<std::size_t>(distance) * distance * 4;
  const auto empty = [&](int, float* slice) {
    for (std::size_t k = 0; k < round; ++k) slice[k] = k % 4 < 2 ? 0.0f : 0.5f * static_cast<float>(k / 4 % 3);
  };
  if (from_differences) engine->set_background(rounds, empty);
  std::uint32_t crc = 0;
  engine->run(
      rounds,
      [&](int t, float* slice) {
        empty(t, slice);
        for (std::size_t k = 0; k < round; ++k)
          if (k % 4 < 2 && draw() % 40 == 0) slice[k] = 1.0f;
      },
      [&](int, const float* slice) { crc = crc32(std::as_bytes(std::span(slice, round)), crc); });
  return crc;
}

template <Network network, int distance>
void print(const char* name, int rounds) {
  for (const bool from_differences : {false, true})
    std::printf("%s D = %d T = %d %s: native %08x portable %08x\n", name, distance, rounds, from_differences ? "from differences" : "dense",
                checksum<network, arch::native, distance>(rounds, from_differences), checksum<network, arch::scalar, distance>(rounds, from_differences));
}

}  // namespace

int main() {
  print<plain_network(2, 16, 3, Activation::relu), 5>("4-16-16-4 ReLU", 6);
  print<plain_network(3, 32), 7>("4-32-32-32-4 GELU", 27);
  print<plain_network(2, 32, 3, Activation::leaky_relu), 3>("4-32-32-4 leaky ReLU", 2);
  return 0;
}
