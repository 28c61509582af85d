// SPDX-License-Identifier: Apache-2.0
// The int8 pre-decoder from detection events to residual and frame against oneDNN's int8 network alone, at the error rates where
// most of the volume looks like the background. Samples alternate; medians. Prints Markdown.
// Arguments: the minimum number of samples (default 9), then a weights blob of model 1 (random weights unless given).
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <spinel/decode/predecoder.hpp>
#include <spinel/io/experiment.hpp>
#include <spinel/io/file.hpp>
#include <spinel/io/mechanisms.hpp>
#include <spinel/noise/sampler.hpp>
#include <spinel/simd/native.hpp>

#include "network_bench.hpp"

namespace {

using namespace spinel;
using namespace spinel::bench;

constexpr std::size_t n_shots = 128;

std::vector<std::vector<std::uint64_t>> sampled(const MemoryExperiment& experiment, double p) {
  const auto model = io::experiment_model(experiment, uniform_depolarizing(p));
  const auto mechanisms = io::joined_mechanisms(*model);
  std::vector<std::byte> memory(*Sampler::memory_bytes(mechanisms.view()));
  auto sampler = Sampler::make(mechanisms.view(), memory);
  const std::size_t row = sampler->detector_bytes();
  std::vector<std::uint8_t> events(row * n_shots), flips(n_shots);
  sampler->sample(1, 0, n_shots, events.data(), row, flips.data(), 1);
  std::vector<std::vector<std::uint64_t>> shots(n_shots, std::vector<std::uint64_t>((row + 7) / 8));
  for (std::size_t shot = 0; shot < n_shots; ++shot) std::memcpy(shots[shot].data(), events.data() + shot * row, row);
  return shots;
}

template <int distance>
void rows(const WeightsView<model_1>& view, int samples) {
  const MemoryExperiment experiment{.distance = distance, .rounds = distance};
  for (const double p : {0.0005, 0.001, 0.002, 0.004, 0.008}) {
    const auto shots = sampled(experiment, p);
    CalibratedWeights<model_1> weights{view, {}};
    {
      using Float = Forward<model_1, arch::native, distance>;
      const Memory memory(Float::memory_bytes(distance));
      static Float engine;
      static TensorLayout<distance> layout;
      if (engine.set_up(view, distance, memory.span()) != Status::ok || make_tensor_layout(experiment, false, layout) != Status::ok) std::exit(1);
      for (std::size_t shot = 0; shot < 16; ++shot)
        engine.run(
            distance, [&](int t, float* slice) { encode_round(layout, shots[shot], t, slice); }, [](int, const float*) {},
            [&](int layer, int, const float* values) { weights.ranges.observe(layer, values, static_cast<std::size_t>(distance * distance * 128)); });
    }
    using Engine = Forward<model_1, arch::native, distance, Precision::int8>;
    const Memory memory(Engine::memory_bytes(distance));
    static RuntimePredecoder<Engine, distance> predecoder;
    if (predecoder.set_up(weights, experiment, false, memory.span()) != Status::ok) std::exit(1);
    std::vector<std::uint64_t> residual(shots[0].size());
    std::size_t next = 0;
    ObservableFlips kept = 0;
    const auto all_shots = [&] {
      for (std::size_t shot = 0; shot < 8; ++shot) kept ^= predecoder.run(shots[next++ % n_shots], residual);
    };
    // Every shot both ways: logits, residual and frame must be the same bits.
    double passes = 0;
    std::size_t differing = 0;
    for (std::size_t shot = 0; shot < n_shots; ++shot) {
      std::vector<float> logits[2];
      std::vector<std::uint64_t> residuals[2];
      ObservableFlips flips[2];
      for (const bool dense : {false, true}) {
        predecoder.engine().allow_delta(!dense);
        flips[dense] = predecoder.run(shots[shot], residual, [&](int, const float* slice) { logits[dense].insert(logits[dense].end(), slice, slice + distance * distance * 4); });
        residuals[dense] = residual;
        passes += predecoder.engine().delta_passes();
      }
      differing += std::memcmp(logits[0].data(), logits[1].data(), logits[0].size() * sizeof(float)) != 0 || residuals[0] != residuals[1] || flips[0] != flips[1];
    }
    predecoder.engine().allow_delta(true);
    Sides sides;
#if SPINEL_BENCH_ONEDNN
    OneDnn peer(model_1, Precision::int8, distance, distance);
    sides.peer = [&] {
      for (int shot = 0; shot < 8; ++shot) peer.run();
    };
#endif
    sides.ours = all_shots;
    const auto [delta, peer_ms] = interleaved(sides, samples);
    predecoder.engine().allow_delta(false);
    const auto [dense, again] = interleaved(sides, samples);
    predecoder.engine().allow_delta(true);
    std::printf("| D = T = %d, p = %g | %.3f | %.3f | %.3f | %.2f | %.2f | %.2f | %zu of %zu |\n", distance, p, delta / 8, dense / 8, peer_ms / 8, peer_ms / delta, again / dense,
                passes / (2.0 * n_shots), differing, n_shots);
    std::fflush(stdout);
    if (kept > 1) std::fprintf(stderr, "predecoder_bench: more flips than observables\n");
    if (differing != 0) std::exit(1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int samples = argc > 1 ? std::max(1, std::atoi(argv[1])) : 9;
  with_one_thread(argv);
  RandomWeights<model_1> random;
  WeightsView<model_1> view = random.view;
  std::unique_ptr<Memory> blob;
  if (argc > 2) {
    const auto bytes = io::read_file(argv[2]);
    if (!bytes) return std::fprintf(stderr, "predecoder_bench: %s\n", bytes.error().c_str()), 1;
    blob = std::make_unique<Memory>(bytes->size());
    std::memcpy(blob->span().data(), bytes->data(), bytes->size());
    const auto found = WeightsView<model_1>::from_bytes(blob->span().first(bytes->size()));
    if (!found) return std::fprintf(stderr, "predecoder_bench: %s: %s\n", argv[2], to_string(found.status)), 1;
    view = *found;
  }
  std::printf("int8 model 1 on one core (%s), %s weights, milliseconds of thread time a shot, events to residual; oneDNN: its network alone.\n\n",
              arch::native::name, argc > 2 ? "the given" : "random");
  std::printf("| experiment | from differences | dense | oneDNN | oneDNN / differences | oneDNN / dense | share of layers from differences | shots where the two differ |\n");
  std::printf("|---|---|---|---|---|---|---|---|\n");
  rows<9>(view, samples);
  rows<13>(view, samples);
  return 0;
}
