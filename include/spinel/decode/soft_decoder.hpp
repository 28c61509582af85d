// SPDX-License-Identifier: Apache-2.0
// The pipeline with soft decisions: detection events -> network -> logits as this shot's edge weights -> exact matcher. About half
// the mistakes of thresholded corrections at distance 9, for the price of matching without tables.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/decode/predecoder.hpp>
#include <spinel/decode/soft_edges.hpp>
#include <spinel/match/exact_matcher.hpp>
#include <spinel/simd/native.hpp>

namespace spinel {

/// Decodes one experiment. The network's memory is inside; the matcher and the ways of its edges live in the caller's.
template <MemoryExperiment experiment, Network network, Arch A = arch::native>
  requires(RequireValid<experiment>::value)
class SoftDecoder {
 public:
  using Weights = typename Predecoder<experiment, network, A>::Weights;

  SoftDecoder() = default;
  SoftDecoder(const SoftDecoder&) = delete;
  SoftDecoder& operator=(const SoftDecoder&) = delete;

  /// Bytes of `memory` that `set_up` needs with this matcher.
  static std::size_t memory_needed(const ExactMatcher& matcher) noexcept {
    TensorLayout<experiment.distance> layout;
    // The ways of an edge differ between the dual and the plain layout only by names of channels.
    return make_tensor_layout(experiment, false, layout) == Status::ok ? SoftEdges::memory_needed(matcher.graph(), layout) : 0;
  }

  /// `matcher` is of this experiment's graph and from now on used by this object only; `decision` is not hard. Errors: those of the weights; bad_argument for `hard`;
  /// bad_shape for a matcher of another experiment; out_of_capacity.
  Status set_up(const Weights& weights, const ExactMatcher& matcher, Span<std::byte> memory, Decision decision = Decision::soft_residual,
                bool dual = false) noexcept {
    if (decision == Decision::hard) return Status::bad_argument;
    if (const Status status = predecoder_.set_up(weights, dual); status != Status::ok) return status;
    const auto soft = SoftEdges::create(matcher.graph(), predecoder_.layout(), memory);
    if (!soft) return soft.status;
    soft_ = *soft;
    matcher_ = matcher;
    decision_ = decision;
    return Status::ok;
  }

  /// One shot to the flips of its observables. Only detectors of the memory basis are matched.
  ObservableFlips decode(const Detectors<experiment>& events) noexcept {
    ObservableFlips flips = predecoder_.run(events, residual_, [&](int t, const float* logits) { soft_.take_round(t, logits); });
    if (decision_ == Decision::soft_raw) {
      residual_ = events;
      flips = 0;
    }
    keep_memory_basis(experiment, residual_.words);
    std::uint8_t bytes[Detectors<experiment>::n_bytes];
    residual_.store_b8(bytes);
    last_match_ = matcher_.decode(bytes, soft_.weights(matcher_.graph(), decision_));
    return flips ^ last_match_.observables;
  }

  /// What the matcher said of the last shot; the weight is in this shot's weights.
  const MatchResult& last_match() const noexcept { return last_match_; }

 private:
  // == Permanent: fixed at set-up (their scratch memory is inside them) ==
  Predecoder<experiment, network, A> predecoder_{};
  ExactMatcher matcher_{};
  SoftEdges soft_{};
  Decision decision_ = Decision::soft_residual;
  // == Per shot ==
  Detectors<experiment> residual_{};
  MatchResult last_match_{};
};

}  // namespace spinel
