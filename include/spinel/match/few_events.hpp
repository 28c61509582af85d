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

/// The lightest pairing of at most ten things by a table of `size` x `size` distances; its last row is the boundary's.
template <class BitOps, int size>
struct FewPairing {
  static constexpr int n_events_max = 10;
  static constexpr int outside = size - 1;

  std::int32_t weight = 0;
  MarkedDistance marks = 0;
  std::uint32_t set = 0;  ///< which of AllPairings' pairs of those that are left without the first and its `mate`
  int mate = none;        ///< the first one's, where there are nine or ten

  /// Of the `n` events in `words`: bit k of word w is number 64 w + k.
  static FewPairing of(const MarkedDistance* distances, const std::uint64_t (&words)[2], int n) noexcept {
    if (n <= 2) {
      const MarkedDistance distance = distances[entry_of_two(words, n)];
      return {distance_of(distance), distance & 1};
    }
    if (n > 8) return with_first(distances, words, n);
    const LeastPairing least = n <= 6 ? BitOps::template least_pairing<6, size>(distances, words[0], words[1])
                                      : BitOps::template least_pairing<8, size>(distances, words[0], words[1]);
    return {least.weight, least.marks, least.set};
  }
  /// Calls `visit(a, b)` for the pairs, one of which may be `outside`.
  template <class Visit>
  void for_pairs(const std::uint64_t (&words)[2], int n, Visit&& visit) const noexcept {
    if (n <= 2) {
      const int entry = entry_of_two(words, n);
      if (n > 0) visit(entry / size, entry % size);
      return;
    }
    int left[n_events_max] = {}, n_left = 0;
    for (int w = 0; w < 2; ++w)
      for (std::uint64_t word = words[w]; word != 0; word &= word - 1) left[n_left++] = 64 * w + std::countr_zero(word);
    if (mate != none) {
      visit(left[0], mate);
      int kept = 0;
      for (int k = 1; k < n_left; ++k) {
        left[kept] = left[k];
        kept += left[k] != mate;
      }
      n_left = kept;
    }
    while (n_left < 8) left[n_left++] = outside;
    const auto pair_of = [&](auto&& all) {
      for (std::uint32_t pairs = set; pairs != 0; pairs &= pairs - 1) {
        const int p = std::countr_zero(pairs), a = left[all.first[p]], b = left[all.second[p]];
        if (a != b) visit(a, b);
      }
    };
    if (n <= 6) pair_of(all_pairings<6>);
    else pair_of(all_pairings<8>);
  }
  /// Where in the table up to two events stand.
  static int entry_of_two(const std::uint64_t (&words)[2], int n) noexcept {
    const int lowest = words[0] != 0 ? std::countr_zero(words[0]) : 64 + std::countr_zero(words[1]);
    const int highest = words[1] != 0 ? 127 - std::countl_zero(words[1]) : 63 - std::countl_zero(words[0]);
    return size * (n == 0 ? outside : lowest) + (n == 2 ? highest : outside);
  }

 private:
  static constexpr int none = -1;
  /// Nine or ten events: the first with each other one, or with the boundary, and the rest as above; as long as half the way to the
  /// nearest, for everyone in the rest, leaves room for a lighter one.
  SPINEL_NOINLINE static FewPairing with_first(const MarkedDistance* distances, const std::uint64_t (&words)[2], int n) noexcept {
    int events[n_events_max + 1] = {}, n_listed = 0;
    for (int w = 0; w < 2; ++w)
      for (std::uint64_t word = words[w]; word != 0; word &= word - 1) events[n_listed++] = 64 * w + std::countr_zero(word);
    const auto distance = [&](int i, int j) { return distances[size * events[i] + events[j]]; };
    events[n] = outside;
    std::int32_t half[n_events_max + 1] = {}, all_halves = 0;
    for (int i = 0; i < n; ++i) half[i] = distance_of(distance(i, n));
    for (int j = 1; j < n; ++j)
      for (int i = 0; i < j; ++i) {
        const std::int32_t to_other = distance_of(distance(i, j)) / 2;
        half[i] = to_other < half[i] ? to_other : half[i];
        half[j] = to_other < half[j] ? to_other : half[j];
      }
    for (int i = 1; i < n; ++i) all_halves += half[i];
    const int n_mates = n == 9 ? n : n - 1;
    std::int32_t bound[n_events_max + 1];
    for (int k = 1; k <= n_mates; ++k) bound[k] = distance_of(distance(0, k)) + all_halves - half[k];
    FewPairing least{INT32_MAX};
    while (true) {
      int next = 1;
      for (int k = 2; k <= n_mates; ++k) next = bound[k] < bound[next] ? k : next;
      if (bound[next] >= least.weight) return least;
      bound[next] = INT32_MAX;
      const auto left = [&](int w) {
        const auto bit = [w](int event) { return event / 64 == w ? std::uint64_t{1} << (event % 64) : 0; };
        return words[w] & ~(bit(events[0]) | (next < n ? bit(events[next]) : 0));
      };
      const LeastPairing rest = BitOps::template least_pairing<8, size>(distances, left(0), left(1));
      const std::int32_t weight = rest.weight + distance_of(distance(0, next));
      if (weight < least.weight) least = {weight, (rest.marks ^ distance(0, next)) & 1, rest.set, events[next]};
    }
  }
};

/// Distances between all detectors of an experiment, or of one check type, with fewer than `size` of them.
template <class BitOps, int size = 128>
class FewEvents {
 public:
  static constexpr int n_detectors_max = size - 1;
  using Pairing = FewPairing<BitOps, size>;
  static constexpr int n_events_max = Pairing::n_events_max;
  /// In place of a detector: the boundary.
  static constexpr int outside = n_detectors_max;
  static constexpr std::int32_t unreachable = 1 << 28;

  /// Forgets all distances: every detector is too far away from everything.
  void clear() noexcept {
    for (auto& row : distance_)
      for (MarkedDistance& entry : row) entry = static_cast<MarkedDistance>(unreachable);
    for (int k = 0; k <= outside; ++k) distance_[k][k] = 0;
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
    const Pairing least = Pairing::of(distances(), words, n);
    weight += least.weight;
    flips ^= least.marks;
    return least.weight < unreachable;
  }

  const MarkedDistance* distances() const noexcept { return &distance_[0][0]; }
  /// From one detector, or from `outside`, to all.
  const MarkedDistance* from(int k) const noexcept { return distance_[k]; }

 private:
  void lower(int a, int b, MarkedDistance distance) noexcept {
    if ((distance & ~1u) < (distance_[a][b] & ~1u)) distance_[a][b] = distance_[b][a] = distance;
  }

  alignas(64) MarkedDistance distance_[size][size];
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
      const int entry = Events::Pairing::entry_of_two(words, n);
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
