// SPDX-License-Identifier: Apache-2.0
// The pre-decoder network against oneDNN on one core: same shapes, random weights, best memory format and fused activation for the
// peer. Samples of the two alternate, so that a busy machine slows both; the table gives medians and the ratio of the medians.
// A second table compares the direct 128 to 128 layers with what the core's multiply instruction gives in a loop of registers.
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

/// One direct layer with its bias and activation against the same multiply instruction on registers alone. Products with padding do
/// not count.
template <class E, int distance, class Epilogue>
void layer_row(const char* arithmetic, const Epilogue& epilogue, int rounds, int samples) {
  using Layer = detail::DirectConv<E, 128, 128, 3, distance>;
  using Output = typename Epilogue::output;
  const auto sites = static_cast<std::size_t>(rounds * distance * distance) * 128;
  const Memory x(sites * sizeof(typename E::input)), w(27 * 128 * 128 * sizeof(typename E::weight)), out(sites * sizeof(Output));
  constexpr int chains = 24, steps = 200'000;
  Sides sides;
  sides.ours = [&] {
    Layer::rounds(reinterpret_cast<const typename E::input*>(x.data.get()), reinterpret_cast<const typename E::weight*>(w.data.get()), epilogue,
                  reinterpret_cast<Output*>(out.data.get()), 0, rounds, rounds);
  };
  sides.peer = [&] {
    const auto value = E::broadcast(reinterpret_cast<const typename E::input*>(x.data.get()));
    const auto weights = E::load_weights(reinterpret_cast<const typename E::weight*>(w.data.get()));
    typename E::accumulator sums[chains];
    for (auto& sum : sums) sum = E::zero();
#pragma GCC unroll 1
    for (int step = 0; step < steps; ++step)
#pragma GCC unroll 32
      for (int k = 0; k < chains; ++k) E::multiply_add(sums[k], value, weights);
    std::memcpy(out.data.get(), sums, sizeof sums);
  };
  const auto [layer, peak] = interleaved(sides, samples);
  const auto along = [](int length) { return 3.0 * length - 2; };
  const double macs = 128.0 * 128 * along(rounds) * along(distance) * along(distance), most = static_cast<double>(chains) * steps * E::arch::width * E::group;
  std::printf("| %s, D = %d, T = %d | %.3f | %.1f | %.1f | %.1f %% |\n", arithmetic, distance, rounds, layer, 1e-6 * macs / layer, 1e-6 * most / peak,
              100 * macs / layer / (most / peak));
  std::fflush(stdout);
}

template <class E, class Epilogue>
void layer_table(const char* arithmetic, const Epilogue& epilogue, int samples) {
  layer_row<E, 5>(arithmetic, epilogue, 5, samples);
  layer_row<E, 9>(arithmetic, epilogue, 9, samples);
  layer_row<E, 13>(arithmetic, epilogue, 13, samples);
  layer_row<E, 17>(arithmetic, epilogue, 17, samples);
  layer_row<E, 21>(arithmetic, epilogue, 21, samples);
}

}  // namespace

int main(int argc, char** argv) {
  const int samples = argc > 1 ? std::max(1, std::atoi(argv[1])) : 9;
  with_one_thread(argv);
  std::printf("Whole network on one core (%s), milliseconds of thread time a shot, medians of alternating samples.\n", arch::native::name);
  std::printf("GMAC/s counts all taps, also those that fall on padding.\n\n");
  std::printf("| network | Spinel | oneDNN | oneDNN / Spinel | GMAC/s |\n|---|---|---|---|---|\n");
  table<Precision::fp32>("fp32", samples);
  if constexpr (has_bf16<arch::native>) table<Precision::bf16>("bf16", samples);
  table<Precision::int8>("int8", samples);

  using A = arch::native;
  constexpr Activation gelu = Activation::gelu_tanh;
  const std::vector<float> zeros(64 * 128), ones(128, 1.0f);
  std::printf("\nDirect 128 to 128 layers: milliseconds, GMAC/s without padding, and those of the multiply instruction on registers.\n\n");
  std::printf("| layer | ms | GMAC/s | instruction peak | share |\n|---|---|---|---|---|\n");
  layer_table<detail::Float32<A>>("fp32", detail::StoreFloat32<A, gelu>{zeros.data()}, samples);
  if constexpr (has_bf16<A>) layer_table<detail::BFloat16<A>>("bf16", detail::StoreBFloat16<A, gelu>{zeros.data()}, samples);
  layer_table<detail::Int8<A>>("int8", detail::Quantize<A, gelu>{ones.data(), zeros.data(), 128, ones.data(), zeros.data()}, samples);
  return 0;
}
