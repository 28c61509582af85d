// SPDX-License-Identifier: Apache-2.0
// The pre-decoder: detection events -> tensor -> network -> thresholded corrections -> residual events and logical frame.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/decode/encode.hpp>
#include <spinel/decode/residual.hpp>
#include <spinel/nn/forward.hpp>
#include <spinel/simd/native.hpp>

namespace spinel {

/// A pre-decoder whose experiment is chosen at set-up: any odd distance from 3 to 21 (or only `fixed_distance`), any rounds >= 2,
/// in memory that the caller hands in. `Engine` runs the network.
template <class Engine, int max_distance = detail::largest_distance>
class RuntimePredecoder {
  static_assert(Engine::input_channels == tensor_channels && Engine::output_channels == tensor_channels,
                "a surface-code pre-decoder has four input and four output channels");

 public:
  static constexpr std::size_t memory_bytes(int distance) noexcept { return Engine::memory_bytes(distance); }

  /// `dual`: use weights that were trained on orientation O1 for O2 and O3 as well, by exchanging X and Z.
  template <class Weights>
  Status set_up(const Weights& weights, const MemoryExperiment& experiment, bool dual, Span<std::byte> memory) noexcept {
    if (const Status status = make_tensor_layout(experiment, dual, layout_); status != Status::ok) return status;
    if (const Status status = engine_.set_up(weights, experiment.distance, memory); status != Status::ok) return status;
    engine_.set_background(experiment.rounds, [&](int t, float* slice) { encode_empty_round(layout_, t, slice); });
    return Status::ok;
  }

  /// One shot. `events` and `residual` are packed bits in detector order, at least n_detectors() of them, in different memory.
  /// `watch(t, logits)` sees each round's logits [row][column][channel]. Returns the correction's observable flips.
  template <class Watch>
  ObservableFlips run(Span<const std::uint64_t> events, Span<std::uint64_t> residual, Watch&& watch) noexcept {
    ObservableFlips flips = 0;
    begin_residual(layout_, events, residual);
    engine_.run(
        layout_.experiment.rounds, [&](int t, float* slice) { encode_round(layout_, events, t, slice); },
        [&](int t, const float* logits) {
          watch(t, logits);
          flips ^= apply_round(layout_, t, logits, residual);
        });
    return flips;
  }
  ObservableFlips run(Span<const std::uint64_t> events, Span<std::uint64_t> residual) noexcept {
    return run(events, residual, [](int, const float*) {});
  }

  const MemoryExperiment& experiment() const noexcept { return layout_.experiment; }
  const TensorLayout<max_distance>& layout() const noexcept { return layout_; }
  Engine& engine() noexcept { return engine_; }

 private:
  TensorLayout<max_distance> layout_{};
  Engine engine_{};
};

/// The pre-decoder of one experiment, with all its memory inside: `sizeof` is all there will ever be. `network` may ask for
/// bf16 or int8 arithmetic (`in_precision`); its weights are those of the float32 network.
template <MemoryExperiment experiment, Network network, Arch A = arch::native>
  requires(RequireValid<experiment>::value)
class Predecoder {
  static_assert(experiment.distance <= detail::largest_distance, "spinel: the pre-decoder serves distances up to 21");
  using Engine = Forward<in_precision(network, Precision::fp32), A, experiment.distance, network.precision>;

 public:
  using Weights = typename Engine::Weights;

  Predecoder() = default;
  Predecoder(const Predecoder&) = delete;  // the engine points into memory_
  Predecoder& operator=(const Predecoder&) = delete;

  Status set_up(const Weights& weights, bool dual = false) noexcept {
    return predecoder_.set_up(weights, experiment, dual, memory_);
  }
  /// Corrects one shot: `residual` becomes the events that the matcher must still explain.
  ObservableFlips run(const Detectors<experiment>& events, Detectors<experiment>& residual) noexcept {
    return predecoder_.run(events.words, residual.words);
  }
  /// The same; `watch(t, logits)` sees each round's logits [row][column][channel].
  template <class Watch>
  ObservableFlips run(const Detectors<experiment>& events, Detectors<experiment>& residual, Watch&& watch) noexcept {
    return predecoder_.run(events.words, residual.words, watch);
  }
  const TensorLayout<experiment.distance>& layout() const noexcept { return predecoder_.layout(); }

 private:
  RuntimePredecoder<Engine, experiment.distance> predecoder_{};
  alignas(Arena::alignment) std::byte memory_[Engine::memory_bytes(experiment.distance)];
};

}  // namespace spinel
