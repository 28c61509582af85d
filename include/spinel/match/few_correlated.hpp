// SPDX-License-Identifier: Apache-2.0
// Both passes of correlated matching for a handful of events in a small experiment. The first pairs them by trying everything
// (few_events.hpp) and walks the pairs' shortest paths, edge by edge out of a table, for what they imply. Then the distances of the
// same events are measured anew with the lowered edges: over one of them by a sum of three terms for all of them at once, over several
// only where the ways to the first and from the last leave room for it. The second pass tries everything again, on those.
// Source: as match/correlated.hpp, whose two passes and conditional weights these are.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <spinel/core/config.hpp>
#include <spinel/core/span.hpp>
#include <spinel/match/few_events.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/implied_weights.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_tables.hpp>
#include <spinel/simd/edge_ops.hpp>

namespace spinel::detail {

/// Detectors of each check type are numbered from 0; there must be fewer than `size` of either, which is at most 256.
template <class BitOps, int size>
class FewCorrelated {
 public:
  /// The events of a shot are numbered as well, in order; the boundary is last.
  using Pairing = FewPairing<BitOps, 16>;
  static constexpr int n_events_max = Pairing::n_events_max;
  static constexpr int n_edges_max = 16 * size, n_implied_max = 64 * size;
  /// Lowered edges of one check type, counted as often as they are implied.
  static constexpr int n_lowered_max = 56;
  static constexpr int outside = size - 1;

  /// The events of one shot by check type, and their first pairings.
  struct Shot {
    int n[2];
    std::uint16_t detectors[2][n_events_max + 64];
    int place[2][Pairing::outside + 1];
    Pairing first[2];
  };

  /// `way_out(detector)` to the boundary and `for_distances(visit)` as in AnyRoundsLatticeMatcher. False where the model is too large for
  /// the tables, or not all implied weights are at least 0: then there is no pass.
  template <class WayOut, class ForDistances>
  bool build(const LatticeSite* sites, std::size_t n_detectors, WayOut&& way_out, ForDistances&& for_distances, const MatchingGraph& graph,
             Span<const GraphEdge> edges, Span<const std::uint32_t> mechanism_of, Span<JointEdges> joints) noexcept {
    if (graph.edges().size() > n_edges_max) return false;
    int n_of[2] = {};
    for (std::size_t k = 0; k < n_detectors; ++k) {
      const int type = sites[k].type;
      detector_[type][n_of[type]] = static_cast<std::uint16_t>(k);
      place_[k] = static_cast<std::uint8_t>(n_of[type]++);
    }
    for (Distances& distances : distances_) distances.clear();
    for (std::size_t k = 0; k < n_detectors; ++k) distances_[sites[k].type].add_boundary(place_[k], way_out(k));
    for_distances([&](int a, int b, MarkedDistance distance) { distances_[sites[a].type].add(place_[a], place_[b], distance); });
    for (Distances& distances : distances_) distances.finish();
    for (int k = 0; k < 2; ++k) distance_[k][Pairing::outside][Pairing::outside] = bound_[Pairing::outside][Pairing::outside] = 0;
    if (!find_steps(sites, graph)) return false;
    // By type of the effect, so that a type without events is passed over.
    n_implied_ = 0;
    bool fits = true;
    std::uint32_t current = 0, n_list = 0;
    EdgeWeight list[longest_list];
    const auto store = [&] {
      if (n_list == 0) return;
      fits &= n_implied_ + n_list + lanes <= n_implied_max;
      if (!fits) return;
      lists_[current].begin = static_cast<std::uint16_t>(n_implied_);
      for (int type = 0; type < 2; ++type)
        for (std::uint32_t k = 0; k < n_list; ++k) {
          const MergedEdge& effect = graph.edges()[list[k].edge];
          if (sites[effect.a].type != type) continue;
          weight_[n_implied_] = Edges::twice(static_cast<MarkedDistance>(list[k].weight) | static_cast<MarkedDistance>(effect.observables & 1));
          for (int end = 0; end < 2; ++end) end_[end][n_implied_] = static_cast<std::uint8_t>(end_of(effect, end));
          ++n_implied_;
          ++lists_[current].n_of[type];
        }
    };
    for_implied_weights(graph, graph, 1, edges, mechanism_of, joints, [&](std::uint32_t cause, EdgeWeight implied) {
      if (cause != current) {
        store();
        current = cause;
        n_list = 0;
      }
      if (implied.weight < 0 || n_list == longest_list) fits = false;
      else if (implied.weight < graph.signed_weight(implied.edge)) list[n_list++] = implied;
    });
    store();
    return fits;
  }
  std::size_t bytes() const noexcept {
    return sizeof distances_ + sizeof step_ + sizeof edge_at_ + sizeof lists_ + sizeof place_ + n_implied_ * (sizeof(MarkedDistance) + 2);
  }

  /// The first pass over `shot.detectors`. False where an event cannot be explained.
  bool pair(Shot& shot) noexcept {
    for (int type = 0; type < 2; ++type) {
      const int n = shot.n[type];
      int(&place)[Pairing::outside + 1] = shot.place[type];
      for (int k = 0; k < n; ++k) place[k] = place_[shot.detectors[type][k]];
      place[Pairing::outside] = outside;
      if (n == 0) {
        shot.first[type] = {};
        continue;
      }
      for_ends(n, [&](int a, int b) { set(distance_[type], a, b, distances_[type].from(place[a])[place[b]]); });
      if (n > 2 && n % 2 == 0)
        for (int k = 0; k < n; ++k) set(distance_[type], k, Pairing::outside, far);
      shot.first[type] = Pairing::of(&distance_[type][0][0], words_of(n).of, n);
      if (SPINEL_UNLIKELY(shot.first[type].weight >= Distances::unreachable)) return false;
    }
    return true;
  }
  /// Calls `visit(edge, type, a, b)` for the edges, between places `a` and `b`, of shortest paths that join the first pass's pairs.
  template <class Visit>
  void for_edges(const Shot& shot, Visit&& visit) const noexcept {
    for (int type = 0; type < 2; ++type)
      shot.first[type].for_pairs(words_of(shot.n[type]).of, shot.n[type], [&](int a, int b) {
        int at = shot.place[type][a], to = shot.place[type][b];
        while (at != to) {
          const Step step = edge_at_[type][at][step_[type][at][to]];
          visit(step.edge, type, at, int{step.next});
          at = step.next;
          if (SPINEL_UNLIKELY(at == outside && to != outside)) {  // the rest from the other side
            at = to;
            to = outside;
          }
        }
      });
  }
  std::size_t detector(int type, int place) const noexcept { return detector_[type][place]; }

  /// The second pass after the first, or with `both` false of the first type alone: adds its weight and its flips. False where too many
  /// edges are lowered.
  bool pair_again(const Shot& shot, bool both, std::int64_t& weight, MarkedDistance& flips) noexcept {
    for (LoweredOf& lowered : lowered_) lowered.n = 0;
    const bool is_kept[2] = {shot.n[0] > 0, shot.n[1] > 0 && both};
    bool fits = true;
    for_edges(shot, [&](std::uint16_t edge, int, int, int) {
      const List list = lists_[edge];
      int from = list.begin;
      for (int effect = 0; effect < 2; ++effect) {
        if (is_kept[effect]) fits &= lower(effect, from, list.n_of[effect]);
        from += list.n_of[effect];
      }
    });
    if (SPINEL_UNLIKELY(!fits)) return false;
    for (int type = 0; type < 2; ++type) {
      const Pairing least = lowered_[type].n == 0 ? shot.first[type] : pair_again(type, shot.place[type], shot.n[type]);
      weight += least.weight;
      flips ^= least.marks;
    }
    return true;
  }

 private:
  using Distances = FewEvents<BitOps, size>;
  using Edges = EdgeOps<BitOps>;
  using Table = MarkedDistance[Pairing::outside + 1][Pairing::outside + 1];
  /// The numbers below n as bits.
  struct Words {
    std::uint64_t of[2];
  };
  static Words words_of(int n) noexcept { return {{(std::uint64_t{1} << n) - 1, 0}}; }
  /// Calls `visit(a, b)`, a < b, for all that an event can be paired with: the boundary takes part in every pairing of an odd number.
  template <class Visit>
  static void for_ends(int n, Visit&& visit) noexcept {
    for (int b = 1; b < n; ++b)
      for (int a = 0; a < b; ++a) visit(a, b);
    if (n % 2 != 0)
      for (int a = 0; a < n; ++a) visit(a, Pairing::outside);
  }
  static constexpr std::uint32_t longest_list = 255;
  /// Edges at a detector, the one to the boundary too.
  static constexpr int n_edges_at_max = 16;
  /// Lists are copied that many at a time.
  static constexpr int lanes = 8;
  static constexpr int stride = n_lowered_max + lanes;
  static_assert(stride % 16 == 0 && size % 16 == 0 && size <= 256);
  /// What has no way that matters; twice this is still a distance.
  static constexpr MarkedDistance far = static_cast<MarkedDistance>(Distances::unreachable);
  struct Step {
    std::uint16_t edge = 0;
    std::uint8_t next = 0;
  };
  struct List {
    std::uint16_t begin = 0;
    std::uint8_t n_of[2] = {};
  };
  /// From an event or the boundary to the ends of lowered edges, and over them to the other ends.
  struct Reach {
    EdgeWays ways() noexcept { return {to, over}; }
    alignas(64) MarkedDistance to[2 * stride], over[2 * stride];
    std::int32_t least_over;  ///< of those that are shorter than the way to the other end
  };
  /// The lowered edges of one type for one shot.
  struct LoweredOf {
    int n = 0;
    alignas(64) MarkedDistance weight[stride];
    alignas(64) std::uint8_t ends[2 * stride];
  };

  int end_of(const MergedEdge& edge, int end) const noexcept {
    const std::uint32_t detector = end == 0 ? edge.a : edge.b;
    return detector == boundary_node ? outside : place_[detector];
  }
  /// The first edge of a shortest path for every two detectors: one that flips what the distance says, the edge between them if it
  /// does. False where a detector has too many edges.
  bool find_steps(const LatticeSite* sites, const MatchingGraph& graph) noexcept {
    int n_edges_at[2][size] = {};
    for (auto& rows : step_)
      for (auto& row : rows)
        for (std::uint8_t& step : row) step = n_edges_at_max;
    for (std::size_t e = 0; e < graph.edges().size(); ++e) {
      const MergedEdge& edge = graph.edges()[e];
      const int type = sites[edge.a].type;
      for (int end = 0; end < 2; ++end) {
        const int at = end_of(edge, end), next = end_of(edge, 1 - end);
        if (at == outside) continue;
        const int slot = n_edges_at[type][at]++;
        if (slot == n_edges_at_max) return false;
        edge_at_[type][at][slot] = {static_cast<std::uint16_t>(e), static_cast<std::uint8_t>(next)};
        const auto marked = static_cast<MarkedDistance>(edge.weight) | static_cast<MarkedDistance>(edge.observables & 1);
        const MarkedDistance *const whole = distances_[type].from(at), *const rest = distances_[type].from(next);
        for (int to = 0; to < size; ++to) {
          const MarkedDistance way = sum_of(marked, rest[to]);
          std::uint8_t& step = step_[type][at][to];
          if (at == to || distance_of(way) != distance_of(whole[to]) || (way != whole[to] && step != n_edges_at_max)) continue;
          const Step known = step == n_edges_at_max ? Step{} : edge_at_[type][at][step];
          const bool is_edge_between = step != n_edges_at_max && known.next == to && flips_right(graph.edges()[known.edge], whole[to]);
          if (!is_edge_between) step = static_cast<std::uint8_t>(slot);
        }
      }
    }
    return true;
  }
  static bool flips_right(const MergedEdge& edge, MarkedDistance distance) noexcept { return (edge.observables & 1) == (distance & 1); }

  bool lower(int type, int from, int n) noexcept {
    LoweredOf& lowered = lowered_[type];
    int to = lowered.n;
    if (to + n > n_lowered_max) return false;
    lowered.n = to + n;
    // Always a few at a time, so that where it ends is no surprise.
    do {
      std::memcpy(&lowered.weight[to], &weight_[from], lanes * sizeof(MarkedDistance));
      for (int end = 0; end < 2; ++end) std::memcpy(&lowered.ends[end * stride + to], &end_[end][from], lanes);
      to += lanes;
      from += lanes;
    } while (SPINEL_UNLIKELY(to < lowered.n));
    return true;
  }

  /// The lightest pairing of the `n` events at `place` with the lowered edges of their type; `distance_` has the distances without.
  SPINEL_NOINLINE Pairing pair_again(int type, const int (&place)[Pairing::outside + 1], int n) noexcept {
    LoweredOf& lowered = lowered_[type];
    Table& distance = distance_[type];
    // Filled up with edges that nothing reaches.
    const int n_edges = (lowered.n + 15) / 16 * 16;
    for (int k = lowered.n; k < n_edges; ++k) {
      lowered.weight[k] = Edges::twice(far);
      lowered.ends[k] = lowered.ends[stride + k] = outside;
    }
    const auto reach = [&](int k) {
      const MarkedDistance least =
          Edges::template reach_edges<size>(distances_[type].from(place[k]), lowered.ends, lowered.weight, stride, n_edges, reach_[k].ways());
      reach_[k].least_over = distance_of(least < far ? least : far);
    };
    for (int k = 0; k < n; ++k) reach(k);
    if (n % 2 != 0) reach(Pairing::outside);
    std::uint32_t room = 0;
    for_ends(n, [&](int a, int b) {
      const MarkedDistance over_one = Edges::least_over_edges(reach_[a].ways(), reach_[b].ways(), stride, n_edges, distance[a][b]);
      // A way over several lowered edges is no shorter than the first and the last of them.
      const std::int32_t over_several = reach_[a].least_over + reach_[b].least_over;
      const auto bound = static_cast<MarkedDistance>(over_several < distance_of(over_one) ? over_several : distance_of(over_one));
      set(distance, a, b, over_one);
      set(bound_, a, b, bound);
      room |= over_one - bound;
    });
    if (n <= 2) {
      const int mate = n == 2 ? 1 : Pairing::outside;
      if (room > 1) go_over_several(type, 0, mate, n_edges);
      return {distance_of(distance[0][mate]), distance[0][mate] & 1};
    }
    if (n % 2 == 0)
      for (int k = 0; k < n; ++k) set(bound_, k, Pairing::outside, far);
    const Words numbers = words_of(n);
    Pairing least = Pairing::of(&distance[0][0], numbers.of, n);
    // Ways over several are looked for only where they may change the answer: as long as the bounds allow a lighter one.
    while (room > 1) {
      const Pairing possible = Pairing::of(&bound_[0][0], numbers.of, n);
      if (possible.weight >= least.weight) break;
      possible.for_pairs(numbers.of, n, [&](int a, int b) {
        if (bound_[a][b] == (distance[a][b] & ~1u)) return;
        go_over_several(type, a, b, n_edges);
        set(bound_, a, b, distance[a][b] & ~1u);
      });
      least = Pairing::of(&distance[0][0], numbers.of, n);
    }
    return least;
  }
  static void set(Table& table, int a, int b, MarkedDistance distance) noexcept { table[a][b] = table[b][a] = distance; }

  /// The shortest way between two over any lowered edges: on from those that leave room for another.
  SPINEL_NOINLINE void go_over_several(int type, int a, int b, int n_edges) noexcept {
    const LoweredOf& lowered = lowered_[type];
    Table& distance = distance_[type];
    const EdgeWays ways = reach_[a].ways();
    const auto limit = static_cast<MarkedDistance>(distance_of(distance[a][b]) - reach_[b].least_over);
    std::uint64_t due[2];
    Edges::due_edges(limit, stride, n_edges, ways, due);
    while ((due[0] | due[1]) != 0) {
      const int end = due[0] == 0, e = std::countr_zero(due[end]);
      due[end] &= due[end] - 1;
      Edges::template extend_over_edges<size>(ways.over[end * stride + e], distances_[type].from(lowered.ends[(1 - end) * stride + e]), lowered.ends,
                                lowered.weight, stride, n_edges, limit, ways, due);
    }
    set(distance, a, b, Edges::least_over_edges(ways, reach_[b].ways(), stride, n_edges, distance[a][b]));
  }

  // == Permanent: fixed at set-up ==
  Distances distances_[2];
  std::uint8_t step_[2][size][size];  ///< number of the edge at the first place towards the second
  Step edge_at_[2][size][n_edges_at_max];
  std::uint8_t place_[2 * size];
  std::uint16_t detector_[2][size];
  List lists_[n_edges_max];
  MarkedDistance weight_[n_implied_max];
  std::uint8_t end_[2][n_implied_max];
  std::uint32_t n_implied_ = 0;
  // == Per shot ==
  LoweredOf lowered_[2];
  Reach reach_[Pairing::outside + 1];
  alignas(64) Table distance_[2], bound_;  ///< `bound_`: not more than any way's length, without mark
};

}  // namespace spinel::detail
