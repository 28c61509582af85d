// SPDX-License-Identifier: Apache-2.0
// What every matching engine offers, so that one can be replaced by another: from the packed detection events of one
// shot to observable flips. Downstream code (decode/, the program, the benchmarks) names only the concept.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include <spinel/match/graph.hpp>

namespace spinel {

/// Whether the detection events of a shot could be explained at all.
enum class MatchOutcome : std::uint8_t {
  matched,
  no_perfect_matching,  ///< an odd number of events in a component without boundary, or an event without any edge
};

/// The minimum-weight explanation of one shot. `weight` is in the graph's fixed-point units (times `nats_per_unit()` it is in nats);
/// negative totals occur when mechanisms are likelier than 1/2. Flips and weight are zero unless `matched`.
struct MatchResult {
  ObservableFlips observables = 0;
  std::int64_t weight = 0;
  MatchOutcome outcome = MatchOutcome::matched;
};

/// Two detection events, or one and the boundary (`b == boundary_node`), joined by a shortest path.
struct MatchedPair {
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  ObservableFlips observables = 0;
  std::int64_t weight = 0;
};

/// `decode` takes the packed events of one shot: `(n_detectors() + 7) / 8` bytes, least significant bit first (Stim's b8).
/// It is total: no bytes make it fail, throw or allocate.
template <class M>
concept Matcher = requires(M& matcher, const M& constant, const std::uint8_t* events) {
  { matcher.decode(events) } noexcept -> std::same_as<MatchResult>;
  { constant.n_detectors() } noexcept -> std::convertible_to<std::size_t>;
  { constant.nats_per_unit() } noexcept -> std::convertible_to<double>;
};

/// The best solution of a shot, and how much more the best one weighs that flips the observable the other way.
struct ClassCosts {
  /// Of `gap` where there is no solution of the other class.
  static constexpr std::int64_t infinite = infinite_distance;
  MatchResult best;
  std::int64_t gap = 0;          ///< not negative; in the graph's units
  bool observable_flips = false;  ///< the observable in `best`

  /// Cost with the flip minus cost without: positive says no flip.
  std::int64_t signed_gap() const noexcept { return observable_flips ? -gap : gap; }
};

}  // namespace spinel
