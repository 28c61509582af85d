// SPDX-License-Identifier: Apache-2.0
// The pre-decoder network against oneDNN on one core: same shapes, random weights, best memory format and fused activation for the
// peer. Samples of the two alternate, so that a busy machine slows both; the table gives medians and the ratio of the medians.
// Prints Markdown. Arguments: the minimum number of samples (default 9).
#include <algorithm>
#include <cmath>

#include <spinel/nn/forward.hpp>
#include <spinel/simd/native.hpp>

#include "network_bench.hpp"

namespace {

using namespace spinel;
using namespace spinel::bench;

template <Network network, int distance, Precision precision>
void row(const char* name, const char* arithmetic, int rounds, int samples) {
  const RandomWeights<network> weights;
  using Engine = Forward<network, arch::native, distance, precision>;
  const Memory memory(Engine::memory_bytes(distance));
  Engine engine;
  typename Engine::Weights given;
  if constexpr (precision == Precision::int8) {
    given.view = weights.view;
    for (int l = 0; l < network.n_layers; ++l) given.ranges.set(l, -0.17f, 4.0f);
  } else {
    given = weights.view;
  }
  if (const Status status = engine.set_up(given, distance, memory.span()); status != Status::ok) {
    std::fprintf(stderr, "conv_bench: set_up: %s\n", to_string(status));
    std::exit(1);
  }
  std::mt19937 random{5};
  // Presence values on half of the sites, and events at a tenth of them: about p = 0.006.
  std::vector<float> input(static_cast<std::size_t>(rounds * distance * distance * 4)), empty(input.size());
  for (std::size_t k = 0; k < input.size(); ++k) {
    const std::size_t site = k / 4 % static_cast<std::size_t>(distance * distance);
    const bool has_check = k % 2 == site % 2;
    input[k] = empty[k] = k % 4 >= 2 && has_check ? 1.0f : 0.0f;
    if (k % 4 < 2 && has_check && random() % 10 == 0) input[k] = 1.0f;
  }
  float kept = 0;
  Sides sides;
  constexpr std::size_t round = static_cast<std::size_t>(distance) * distance * 4;
  engine.set_background(rounds, [&](int t, float* slice) { std::copy_n(empty.data() + static_cast<std::size_t>(t) * round, round, slice); });
  engine.allow_delta(false);
  sides.ours = [&] {
    engine.run(
        rounds, [&](int t, float* slice) { std::copy_n(input.data() + static_cast<std::size_t>(t) * round, round, slice); },
        [&](int, const float* slice) { kept += slice[0]; });
  };
#if SPINEL_BENCH_ONEDNN
  OneDnn peer(network, precision, distance, rounds);
  sides.peer = [&] { peer.run(); };
#endif
  const auto [ours, peer_ms] = interleaved(sides, samples);
  const double gmac = 1e-9 * static_cast<double>(network.parameters()) * rounds * distance * distance;
  std::printf("| %s %s, D = %d, T = %d | %.3f | %.3f | %.2f | %.0f |\n", name, arithmetic, distance, rounds, ours, peer_ms, peer_ms / ours, gmac / ours * 1e3);
  std::fflush(stdout);
  if (std::isnan(kept)) std::fprintf(stderr, "conv_bench: the logits are not numbers\n");
}

template <Precision precision>
void table(const char* arithmetic, int samples) {
  row<model_1, 5, precision>("model 1", arithmetic, 5, samples);
  row<model_1, 9, precision>("model 1", arithmetic, 9, samples);
  row<model_1, 13, precision>("model 1", arithmetic, 13, samples);
  row<model_1, 21, precision>("model 1", arithmetic, 21, std::max(3, samples / 2));
  row<model_1, 13, precision>("model 1", arithmetic, 104, std::max(3, samples / 2));
}

}  // namespace

int main(int argc, char** argv) {
  const int samples = argc > 1 ? std::max(1, std::atoi(argv[1])) : 9;
  setenv("OMP_NUM_THREADS", "1", 0);
  std::printf("Whole network on one core (%s), milliseconds of thread time a shot, medians of alternating samples.\n", arch::native::name);
  std::printf("GMAC/s counts all taps, also those that fall on padding.\n\n");
  std::printf("| network | Spinel | oneDNN | oneDNN / Spinel | GMAC/s |\n|---|---|---|---|---|\n");
  table<Precision::fp32>("fp32", samples);
  if constexpr (has_bf16<arch::native>) table<Precision::bf16>("bf16", samples);
  table<Precision::int8>("int8", samples);
  return 0;
}
