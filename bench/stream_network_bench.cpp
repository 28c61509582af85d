// SPDX-License-Identifier: Apache-2.0
// Small networks one round per call: a round in, the logits of an earlier one out. Beside it oneDNN, which has no such mode, computing one
// round of every layer from three that are given. Then the whole stream with the network in the loop: events, network, corrections, windows.
// Prints Markdown. Arguments: the minimum number of samples (default 9).
#include <algorithm>
#include <cmath>
#include <examples/cli/stream_source.hpp>
#include <spinel/decode/stream_predecoder.hpp>

#include "network_bench.hpp"

namespace {

using namespace spinel;
using namespace spinel::bench;

template <Network network>
CalibratedWeights<network> calibrated(const RandomWeights<network>& weights) {
  CalibratedWeights<network> given{weights.view, {}};
  for (int l = 0; l + 1 < network.n_layers; ++l) given.ranges.set(l, -0.17f, 4.0f);
  return given;
}
[[noreturn]] void fail(const char* what, Status status) {
  std::fprintf(stderr, "stream_network_bench: %s: %s\n", what, to_string(status));
  std::exit(1);
}

constexpr int rounds_per_run = 64;

template <Network network, int distance>
void network_row(const char* name, int samples) {
  const RandomWeights<network> weights;
  using Engine = Forward<network, arch::native, distance, Precision::int8>;
  const Memory memory(Engine::memory_bytes(distance));
  Engine engine;
  if (const Status status = engine.set_up(calibrated(weights), distance, memory.span()); status != Status::ok) fail("set_up", status);
  std::mt19937 random{5};
  // Presence values on half of the sites, and events at a twentieth of them: about p = 0.003.
  constexpr std::size_t round = static_cast<std::size_t>(distance) * distance * 4;
  std::vector<float> empty(round), input(round * rounds_per_run);
  for (std::size_t k = 0; k < round; ++k) empty[k] = k % 4 >= 2 && k % 2 == k / 4 % 2 ? 1.0f : 0.0f;
  for (std::size_t k = 0; k < input.size(); ++k)
    input[k] = empty[k % round] + (k % 4 < 2 && k % 2 == k / 4 % 2 && random() % 20 == 0 ? 1.0f : 0.0f);
  engine.set_background(Engine::unknown_rounds, [&](int, float* slice) { std::copy_n(empty.data(), round, slice); });
  engine.allow_delta(false);
  engine.begin();
  float kept = 0;
  Sides sides;
  sides.ours = [&] {
    for (int t = 0; t < rounds_per_run; ++t)
      engine.push(input.data() + static_cast<std::size_t>(t) * round, [&](int, const float* logits) { kept += logits[0]; });
  };
#if SPINEL_BENCH_ONEDNN
  OneDnn peer(network, Precision::int8, distance, 0);
  sides.peer = [&] {
    for (int t = 0; t < rounds_per_run; ++t) peer.run();
  };
#endif
  const auto [ours, peer_ms] = interleaved(sides, samples);
  std::printf("| %s, D = %d | %.3f | %.3f | %.2f |\n", name, distance, ours / rounds_per_run * 1e3, peer_ms / rounds_per_run * 1e3, peer_ms / ours);
  std::fflush(stdout);
  if (std::isnan(kept)) std::fprintf(stderr, "stream_network_bench: the logits are not numbers\n");
}

template <Network network, int distance>
void stream_row(const char* name, double p, int samples) {
  constexpr StreamExperiment stream{distance, distance, distance};
  using Plain = StreamDecoder<stream>;
  using Decoder = StreamDecoder<stream, LatticeWindow<stream>, StreamPredecoder<stream, in_precision(network, Precision::int8)>>;
  const auto decoder = std::make_unique<Decoder>();
  const auto plain = std::make_unique<Plain>();
  const CircuitNoise noise(uniform_depolarizing(p));
  // A network that corrects nothing: random weights would put corrections everywhere and give the matcher work that no trained one leaves.
  // What it computes takes as long as for any weights.
  RandomWeights<network> quiet;
  for (float& bias : quiet.biases.back()) bias -= 100.0f;
  if (const Status status = decoder->predecoder().set_up(calibrated(quiet)); status != Status::ok) fail("predecoder", status);
  if (const Status status = cli::set_up_window(decoder->window(), noise); status != Status::ok) fail("window", status);
  if (const Status status = cli::set_up_window(plain->window(), noise); status != Status::ok) fail("window", status);
  cli::StreamSource<stream> source(noise, 1);
  constexpr std::size_t rounds = 1u << 14;
  source.begin(rounds);
  std::vector<typename Decoder::Round> sent;
  for (std::size_t t = 0; t < rounds; ++t) sent.push_back(source.next());
  const auto data = source.read_out();
  const auto decode = [&](auto& any) {
    any.reset();
    for (std::size_t t = 0; t < rounds; ++t) any.push_round(t, sent[t]);
    (void)any.finish(data);
  };
  Sides sides;
  sides.ours = [&] { decode(*decoder); };
  sides.peer = [&] { decode(*plain); };
  const auto [with, without] = interleaved(sides, samples);
  // Single rounds with the clock around them, the least of all runs of the same round.
  std::vector<double> least(rounds, 1e30);
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return 1e6 * static_cast<double>(time.tv_sec) + 1e-3 * static_cast<double>(time.tv_nsec);
  };
  for (int repeat = 0; repeat < std::max(5, samples); ++repeat) {
    decoder->reset();
    for (std::size_t t = 0; t < rounds; ++t) {
      const double start = now();
      decoder->push_round(t, sent[t]);
      least[t] = std::min(least[t], now() - start);
    }
    (void)decoder->finish(data);
  }
  std::sort(least.begin(), least.end());
  const auto at = [&](double q) { return least[static_cast<std::size_t>(q * (rounds - 1))]; };
  std::printf("| %s, D = %d, p = %g | %.3f | %.3f | %.3f | %.2f / %.2f / %.2f / %.2f | %zu |\n", name, distance, p, 1e3 * with / rounds, 1e3 * without / rounds,
              1e3 * (with - without) / rounds, at(0.5), at(0.9), at(0.99), least.back(), sizeof(Decoder) / 1024);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const int samples = argc > 1 ? std::max(1, std::atoi(argv[1])) : 9;
  with_one_thread(argv);
  constexpr Network gelu_16 = plain_network(2, 16), gelu_32 = plain_network(2, 32), relu_16 = plain_network(2, 16, 3, Activation::relu),
                    relu_32 = plain_network(2, 32, 3, Activation::relu);
  std::printf("int8, microseconds of thread time a round (%s), medians of alternating samples\n\n", arch::native::name);
  std::printf("| network | Spinel | oneDNN | oneDNN / Spinel |\n|---|---|---|---|\n");
  network_row<relu_16, 5>("4-16-16-4 ReLU", samples);
  network_row<relu_16, 9>("4-16-16-4 ReLU", samples);
  network_row<relu_16, 13>("4-16-16-4 ReLU", samples);
  network_row<gelu_16, 5>("4-16-16-4 GELU", samples);
  network_row<gelu_16, 9>("4-16-16-4 GELU", samples);
  network_row<gelu_16, 13>("4-16-16-4 GELU", samples);
  network_row<relu_32, 5>("4-32-32-4 ReLU", samples);
  network_row<relu_32, 9>("4-32-32-4 ReLU", samples);
  network_row<relu_32, 13>("4-32-32-4 ReLU", samples);
  network_row<gelu_32, 5>("4-32-32-4 GELU", samples);
  network_row<gelu_32, 9>("4-32-32-4 GELU", samples);
  network_row<gelu_32, 13>("4-32-32-4 GELU", samples);
  std::printf("\n| stream with int8 network | us a round | without network | difference | one round, clock around it: p50 / p90 / p99 / max | sizeof KiB |\n|---|---|---|---|---|---|\n");
  stream_row<relu_16, 5>("4-16-16-4 ReLU", 0.003, samples);
  stream_row<gelu_16, 5>("4-16-16-4 GELU", 0.003, samples);
  stream_row<gelu_32, 5>("4-32-32-4 GELU", 0.003, samples);
  stream_row<gelu_16, 7>("4-16-16-4 GELU", 0.003, samples);
  stream_row<gelu_16, 9>("4-16-16-4 GELU", 0.003, samples);
  stream_row<model_1, 5>("model 1", 0.003, samples);
}
