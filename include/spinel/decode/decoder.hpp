// SPDX-License-Identifier: Apache-2.0
// The whole pipeline as one object: detection events -> pre-decoder network -> residual events and logical frame -> matcher ->
// observable flips. All memory is inside, `sizeof` is all there will ever be; decoding reads tables and writes scratch only.
// Source of the pipeline: arXiv:2604.12841, Sec. IV.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/arena.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/decode/experiment_edges.hpp>
#include <spinel/decode/predecoder.hpp>
#include <spinel/match/lattice_matcher.hpp>
#include <spinel/match/matcher.hpp>
#include <spinel/simd/native.hpp>

namespace spinel {

/// Matching alone.
inline constexpr Network no_network{};

namespace detail {
/// A matcher that holds its own memory and only borrows some at set-up.
template <class M>
concept BuiltFromEdges = requires(M& matcher, Span<const GraphEdge> edges, Span<std::byte> scratch) {
  { matcher.set_up(edges, scratch) } noexcept -> std::same_as<Status>;
  M::scratch_bytes(std::size_t{});
};

template <MemoryExperiment experiment, Network network, Arch A>
struct PredecoderOf {
  using type = Predecoder<experiment, network, A>;
  using Weights = typename type::Weights;
};
template <MemoryExperiment experiment, Arch A>
struct PredecoderOf<experiment, no_network, A> {
  struct type {};
  struct Weights {};
};
}  // namespace detail

/// Decodes one experiment with one network and one matcher. `network` may ask for bf16 or int8 arithmetic (`in_precision`).
/// Default-constructed it knows nothing: call `set_up`, or set up the network and the matcher one by one.
template <MemoryExperiment experiment, Network network = no_network, class M = LatticeMatcher<experiment>, Arch A = arch::native>
  requires(RequireValid<experiment>::value)
class Decoder {
  static_assert(Matcher<M>, "spinel: the third argument of Decoder must be a model of the concept Matcher");
  using Part = detail::PredecoderOf<experiment, network, A>;

 public:
  static constexpr bool has_network = network.n_layers > 0;
  /// WeightsView, for int8 CalibratedWeights, without a network an empty struct.
  using Weights = typename Part::Weights;

  Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  /// Bytes that `set_up` needs, and only during the call.
  static std::size_t scratch_bytes() noexcept
    requires detail::BuiltFromEdges<M>
  {
    return ExperimentEdges<experiment>::memory_bytes() + M::scratch_bytes(ExperimentEdges<experiment>::max_edges) + 2 * Arena::alignment;
  }

  /// Sets up network and matcher. `dual`: see Predecoder. Errors: those of the noise, the weights and the matcher;
  /// out_of_capacity for less scratch memory than `scratch_bytes()`.
  Status set_up(const Weights& weights, const CircuitNoise& noise, Span<std::byte> scratch, bool dual = false) noexcept
    requires detail::BuiltFromEdges<M>
  {
    Arena arena{scratch};
    const auto edges = ExperimentEdges<experiment>::make(noise, arena);
    if (!edges) return edges.status;
    if (const Status status = matcher_.set_up(*edges, scratch.subspan(arena.used())); status != Status::ok) return status;
    return set_up_network(weights, dual);
  }
  /// The network alone; the matcher is set up through `matcher()`.
  Status set_up_network([[maybe_unused]] const Weights& weights, [[maybe_unused]] bool dual = false) noexcept {
    if constexpr (has_network)
      return predecoder_.set_up(weights, dual);
    else
      return Status::ok;
  }

  /// One shot to the flips of its observables. A residual that no matching explains (`last_match()` says so) leaves the flips
  /// of the network's corrections.
  ObservableFlips decode(const Detectors<experiment>& events) noexcept {
    std::uint8_t bytes[Detectors<experiment>::n_bytes];
    ObservableFlips flips = 0;
    if constexpr (has_network) {
      flips = predecoder_.run(events, residual_);
      residual_.store_b8(bytes);
    } else {
      events.store_b8(bytes);
    }
    last_match_ = matcher_.decode(bytes);
    return flips ^ last_match_.observables;
  }

  M& matcher() noexcept { return matcher_; }
  /// What the matcher said of the last shot.
  const MatchResult& last_match() const noexcept { return last_match_; }
  /// The events that the network left to the matcher in the last shot.
  const Detectors<experiment>& residual() const noexcept
    requires has_network
  {
    return residual_;
  }

 private:
  // == Permanent: fixed at set-up (their scratch memory is inside them) ==
  [[no_unique_address]] typename Part::type predecoder_{};
  M matcher_{};
  // == Per shot ==
  Detectors<experiment> residual_{};
  MatchResult last_match_{};
};

}  // namespace spinel
