// SPDX-License-Identifier: Apache-2.0
// The exact answer for a handful of events in a small experiment: all ways to pair them, side by side in vectors, with distances
// from one table. Six events have 15 pairings, eight have 105; places left over stand for the boundary. Below a dozen events this is
// several times faster than any search, because nothing in it depends on what the events are.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/config.hpp>
#include <spinel/match/lattice_tables.hpp>
#include <spinel/simd/bit_ops.hpp>

namespace spinel::detail {

/// Distances between all detectors of an experiment with at most 127 of them.
template <class BitOps>
class FewEvents {
 public:
  static constexpr int n_detectors_max = 127;
  static constexpr int n_events_max = 10;
  /// In place of a detector: the boundary.
  static constexpr int outside = n_detectors_max;
  static constexpr MarkedDistance unreachable = 1u << 28;

  /// Forgets all distances: every detector is too far away from everything.
  void clear() noexcept {
    for (auto& row : distance_)
      for (MarkedDistance& entry : row) entry = unreachable;
    distance_[outside][outside] = 0;
  }
  /// The way from detector `k` to the boundary.
  void add_boundary(int k, MarkedDistance way_out) noexcept { lower(k, outside, way_out); }
  /// The distance between two detectors; after all boundaries, because two ways to the boundary may be shorter.
  void add(int a, int b, MarkedDistance distance) noexcept { lower(a, b, distance); }
  /// After all distances.
  void finish() noexcept {
    for (int a = 0; a < outside; ++a)
      for (int b = 0; b < outside; ++b)
        if (a != b) lower(a, b, sum_of(distance_[a][outside], distance_[b][outside]));
  }

  /// The lightest pairing of the `n` events in `words` (bit k of word w: detector 64 w + k), at most `n_events_max`. False where one
  /// cannot be explained.
  bool pair(const std::uint64_t (&words)[2], int n, std::int64_t& weight, MarkedDistance& flips) const noexcept {
    LeastPairing least;
    if (n <= 2) {
      const MarkedDistance distance = (&distance_[0][0])[entry_of_two(words, n)];
      least = {distance_of(distance), distance & 1};
    } else if (n <= 6) {
      least = BitOps::template least_pairing<6>(&distance_[0][0], words[0], words[1]);
    } else if (n <= 8) {
      least = BitOps::template least_pairing<8>(&distance_[0][0], words[0], words[1]);
    } else {
      least = pair_first(words, n);
    }
    weight += least.weight;
    flips ^= least.marks;
    return least.weight < static_cast<std::int32_t>(unreachable);
  }

  const MarkedDistance* distances() const noexcept { return &distance_[0][0]; }
  /// Where in a table of all pairs up to two events stand.
  static int entry_of_two(const std::uint64_t (&words)[2], int n) noexcept {
    const int lowest = words[0] != 0 ? std::countr_zero(words[0]) : 64 + std::countr_zero(words[1]);
    const int highest = words[1] != 0 ? 127 - std::countl_zero(words[1]) : 63 - std::countl_zero(words[0]);
    return (n_detectors_max + 1) * (n == 0 ? outside : lowest) + (n == 2 ? highest : outside);
  }

 private:
  /// Nine or ten events: the first with each other one, or with the boundary, and the rest as above.
  SPINEL_NOINLINE LeastPairing pair_first(const std::uint64_t (&words)[2], int n) const noexcept {
    const int first = words[0] != 0 ? std::countr_zero(words[0]) : 64 + std::countr_zero(words[1]);
    std::uint64_t others[2] = {words[0], words[1]};
    const auto without = [&](int event, int w) {
      return others[w] & ~(event / 64 == w ? std::uint64_t{1} << (event % 64) : 0);
    };
    for (int w = 0; w < 2; ++w) others[w] = without(first, w);
    LeastPairing least{INT32_MAX, 0};
    const auto consider = [&](int mate) {
      const LeastPairing rest = BitOps::template least_pairing<8>(&distance_[0][0], without(mate, 0), without(mate, 1));
      const MarkedDistance distance = distance_[first][mate];
      const std::int32_t weight = rest.weight + distance_of(distance);
      if (weight < least.weight) least = {weight, (rest.marks ^ distance) & 1};
    };
    if (n == 9) consider(outside);
    for (int w = 0; w < 2; ++w)
      for (std::uint64_t left = others[w]; left != 0; left &= left - 1) consider(64 * w + std::countr_zero(left));
    return least;
  }
  void lower(int a, int b, MarkedDistance distance) noexcept {
    if ((distance & ~1u) < (distance_[a][b] & ~1u)) distance_[a][b] = distance_[b][a] = distance;
  }

  alignas(64) MarkedDistance distance_[n_detectors_max + 1][n_detectors_max + 1];
};

/// Both classes in the same way: what each way costs more with the other flip. Where the observable is the parity of the ways that
/// end on one of two sides, a way between two events flips it by going over the boundary from side to side, or not doing so.
template <class BitOps>
class FewEventsGap {
 public:
  static constexpr int n_events_max = 8;
  using Events = FewEvents<BitOps>;

  /// `across`: from side to side.
  void clear(std::int32_t across) noexcept {
    across_ = across;
    for (auto& row : extra_)
      for (std::int32_t& entry : row) entry = across;
  }
  /// For detectors `a` and `b` that are `distance` apart without the boundary, from the two sides as given.
  void add(int a, int b, std::int32_t distance, const std::int32_t (&from_a)[2], const std::int32_t (&from_b)[2]) noexcept {
    const std::int32_t same = spinel::min(distance, spinel::min(from_a[0] + from_b[0], from_a[1] + from_b[1]));
    set(a, b, same, spinel::min(from_a[0] + from_b[1], from_a[1] + from_b[0]));
  }
  void add_boundary(int a, const std::int32_t (&from_a)[2]) noexcept { set(a, Events::outside, from_a[0], from_a[1]); }

  /// Costs of the lightest pairings of the `n` events in `words` in both classes, at most `n_events_max`; `flips` is the lighter one's.
  std::int32_t gap(const Events& events, const std::uint64_t (&words)[2], int n, std::int64_t& weight, MarkedDistance& flips) const noexcept {
    if (n <= 2) {
      const int entry = Events::entry_of_two(words, n);
      weight += distance_of(events.distances()[entry]);
      flips ^= events.distances()[entry] & 1;
      return (&extra_[0][0])[entry];
    }
    const LeastOfClasses costs = n <= 6 ? BitOps::template least_of_classes<6>(events.distances(), &extra_[0][0], words[0], words[1])
                                        : BitOps::template least_of_classes<8>(events.distances(), &extra_[0][0], words[0], words[1]);
    const int lighter = costs.weight[1] < costs.weight[0];
    weight += costs.weight[lighter];
    flips ^= static_cast<MarkedDistance>(lighter);
    return costs.weight[1 - lighter] - costs.weight[lighter];
  }

 private:
  void set(int a, int b, std::int32_t one, std::int32_t other) noexcept {
    const std::int32_t more = one < other ? other - one : one - other;
    extra_[a][b] = extra_[b][a] = spinel::min(more, across_);
  }

  std::int32_t across_ = 0;
  alignas(64) std::int32_t extra_[Events::n_detectors_max + 1][Events::n_detectors_max + 1];
};

}  // namespace spinel::detail
