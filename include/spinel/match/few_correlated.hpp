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
#include <spinel/match/lattice_tables.hpp>

namespace spinel::detail {

template <class BitOps>
class FewCorrelated {
 public:
  using Events = FewEvents<BitOps>;
  static constexpr int n_edges_max = 1024, n_implied_max = 8192;
  /// Lowered edges of one check type, counted as often as they are implied.
  static constexpr int n_lowered_max = 56;
  static constexpr int outside = Events::outside;

  /// `events` with all distances; `type_of(detector)` is 0 or 1. False where the model is too large for the tables, or not all implied
  /// weights are at least 0: then there is no pass.
  template <class TypeOf>
  bool build(const Events& events, const MatchingGraph& graph, Span<const GraphEdge> edges, Span<const std::uint32_t> mechanism_of,
             Span<JointEdges> joints, TypeOf&& type_of) noexcept {
    if (graph.edges().size() > n_edges_max) return false;
    for (std::size_t e = 0; e < graph.edges().size(); ++e) {
      const MergedEdge& edge = graph.edges()[e];
      ends_[e][0] = static_cast<std::uint8_t>(edge.a);
      ends_[e][1] = static_cast<std::uint8_t>(edge.b == boundary_node ? outside : edge.b);
      lists_[e] = {};
    }
    find_steps(events, graph);
    distance_[Pairing::outside][Pairing::outside] = bound_[Pairing::outside][Pairing::outside] = 0;
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
          if (type_of(effect.a) != type) continue;
          weight_[n_implied_] = static_cast<MarkedDistance>(list[k].weight) | static_cast<MarkedDistance>(effect.observables & 1);
          for (int end = 0; end < 2; ++end) end_[end][n_implied_] = ends_[list[k].edge][end];
          ++n_implied_;
          ++lists_[current].size[type];
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
  std::size_t bytes() const noexcept { return sizeof step_ + sizeof ends_ + sizeof lists_ + n_implied_ * (sizeof(MarkedDistance) + 2); }

  /// Calls `visit(a, b)` for the edges of the shortest path that stands for the distance between two detectors or `outside`.
  template <class Visit>
  void for_path(int a, int b, Visit&& visit) const noexcept {
    while (a != b) {
      const std::uint16_t edge = step_[a][b];
      const int next = ends_[edge][0] ^ ends_[edge][1] ^ a;
      visit(edge, a, next);
      a = next;
    }
  }

  /// The second pass after the pairings of both types, or with `both` false of the first alone: adds its weight and its flips. False
  /// where too many edges are lowered.
  bool again(const Events& events, const std::uint64_t (&words)[2][2], const int (&n)[2],
             const typename Events::Pairing (&first)[2], bool both, std::int64_t& weight, MarkedDistance& flips) noexcept {
    for (LoweredOf& lowered : lowered_) lowered.n = 0;
    const bool is_kept[2] = {n[0] > 0, n[1] > 0 && both};
    bool fits = true;
    for (int type = 0; type < 2; ++type)
      first[type].for_pairs(words[type], n[type], [&](int a, int b) {
        for_path(a, b, [&](std::uint16_t edge, int, int) {
          const List list = lists_[edge];
          int from = list.begin;
          for (int effect = 0; effect < 2; ++effect) {
            if (is_kept[effect]) fits &= lower(effect, from, list.size[effect]);
            from += list.size[effect];
          }
        });
      });
    if (SPINEL_UNLIKELY(!fits)) return false;
    for (int type = 0; type < 2; ++type) {
      if (lowered_[type].n == 0) {
        weight += first[type].weight;
        flips ^= first[type].marks;
        continue;
      }
      const Pairing least = pair_again(events, lowered_[type], words[type], n[type]);
      weight += least.weight;
      flips ^= least.marks;
    }
    return true;
  }

 private:
  static constexpr std::uint32_t longest_list = 255;
  static constexpr std::uint16_t none = 0xffff;
  /// Lists are copied that many at a time.
  static constexpr int lanes = 8;
  static constexpr int stride = n_lowered_max + lanes;
  static_assert(stride % 16 == 0);
  /// What has no way that matters; twice this is still a distance.
  static constexpr MarkedDistance far = static_cast<MarkedDistance>(Events::unreachable);
  /// The events of a type are numbered anew, in order; the boundary is last.
  using Pairing = FewPairing<BitOps, 16>;
  struct List {
    std::uint16_t begin = 0;
    std::uint8_t size[2] = {};
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
  using Table = MarkedDistance[Pairing::outside + 1][Pairing::outside + 1];

  /// The first edge of a shortest path for every two detectors: one that flips what the distance says, the edge between them if it does.
  void find_steps(const Events& events, const MatchingGraph& graph) noexcept {
    for (auto& row : step_)
      for (std::uint16_t& step : row) step = none;
    const MarkedDistance* const distances = events.distances();
    const auto distance = [&](int a, int b) { return distances[(outside + 1) * a + b]; };
    for (const bool must_flip_right : {false, true})
      for (std::size_t e = 0; e < graph.edges().size(); ++e) {
        const MergedEdge& edge = graph.edges()[e];
        const auto marked = static_cast<MarkedDistance>(edge.weight) | static_cast<MarkedDistance>(edge.observables & 1);
        for (int end = 0; end < 2; ++end) {
          const int a = ends_[e][end], next = ends_[e][1 - end];
          for (int b = 0; b <= outside; ++b) {
            const MarkedDistance way = sum_of(marked, distance(next, b));
            if (a == b || distance_of(way) != distance_of(distance(a, b)) || (must_flip_right && way != distance(a, b))) continue;
            const std::uint16_t known = step_[a][b];
            const bool is_edge_between = must_flip_right && known != none && (ends_[known][0] ^ ends_[known][1] ^ a) == b;
            if (!is_edge_between) step_[a][b] = static_cast<std::uint16_t>(e);
          }
        }
      }
  }

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

  /// The lightest pairing of the `n` events in `words` with the lowered edges of their type.
  SPINEL_NOINLINE Pairing pair_again(const Events& events, LoweredOf& lowered, const std::uint64_t (&words)[2], int n) noexcept {
    constexpr int last = Pairing::outside;
    int place[last + 1], n_events = 0;
    for (int w = 0; w < 2; ++w)
      for (std::uint64_t word = words[w]; word != 0; word &= word - 1) place[n_events++] = 64 * w + std::countr_zero(word);
    place[last] = outside;
    const int n_ends = n + n % 2;  // of ways: the boundary is one of them where it takes part in every pairing
    const auto number = [n](int k) { return k < n ? k : last; };
    // Filled up with edges that nothing reaches.
    const int n_edges = (lowered.n + 15) / 16 * 16;
    for (int k = lowered.n; k < n_edges; ++k) {
      lowered.weight[k] = far;
      lowered.ends[k] = lowered.ends[stride + k] = outside;
    }
    for (int k = 0; k < n_ends; ++k) {
      Reach& reach = reach_[number(k)];
      const MarkedDistance least = BitOps::reach_edges(row_of(events, place[number(k)]), lowered.ends, lowered.weight, stride, n_edges, reach.ways());
      reach.least_over = distance_of(least < far ? least : far);
    }
    std::uint32_t room = 0;
    for (int j = 1; j < n_ends; ++j)
      for (int i = 0; i < j; ++i) {
        const int a = i, b = number(j);
        const MarkedDistance distance =
            BitOps::least_over_edges(reach_[a].ways(), reach_[b].ways(), stride, n_edges, row_of(events, place[a])[place[b]]);
        // A way over several lowered edges is no shorter than the first and the last of them.
        const std::int32_t over_several = reach_[a].least_over + reach_[b].least_over;
        const MarkedDistance bound = static_cast<MarkedDistance>(over_several < distance_of(distance) ? over_several : distance_of(distance));
        set(distance_, a, b, distance);
        set(bound_, a, b, bound);
        room |= distance - bound;
      }
    if (n_ends == 2) {
      if (room > 1) go_over_several(events, lowered, 0, number(1), n_edges);
      return {distance_of(distance_[0][number(1)]), distance_[0][number(1)] & 1};
    }
    if (n % 2 == 0)
      for (int k = 0; k < n; ++k) {
        set(distance_, k, last, far);
        set(bound_, k, last, far);
      }
    const std::uint64_t numbers[2] = {(std::uint64_t{1} << n) - 1, 0};
    Pairing least = Pairing::of(&distance_[0][0], numbers, n);
    // Ways over several are looked for only where they may change the answer: as long as the bounds allow a lighter one.
    while (room > 1) {
      const Pairing possible = Pairing::of(&bound_[0][0], numbers, n);
      if (possible.weight >= least.weight) break;
      possible.for_pairs(numbers, n, [&](int a, int b) {
        if (bound_[a][b] == (distance_[a][b] & ~1u)) return;
        go_over_several(events, lowered, a, b, n_edges);
        set(bound_, a, b, distance_[a][b] & ~1u);
      });
      least = Pairing::of(&distance_[0][0], numbers, n);
    }
    return least;
  }
  static const MarkedDistance* row_of(const Events& events, int place) noexcept { return events.distances() + (outside + 1) * place; }
  static void set(Table& table, int a, int b, MarkedDistance distance) noexcept { table[a][b] = table[b][a] = distance; }

  /// The shortest way between two over any lowered edges: on from those that leave room for another.
  SPINEL_NOINLINE void go_over_several(const Events& events, const LoweredOf& lowered, int a, int b, int n_edges) noexcept {
    const EdgeWays ways = reach_[a].ways();
    const auto limit = static_cast<MarkedDistance>(distance_of(distance_[a][b]) - reach_[b].least_over);
    std::uint64_t due[2];
    BitOps::due_edges(limit, stride, n_edges, ways, due);
    while ((due[0] | due[1]) != 0) {
      const int end = due[0] == 0, e = std::countr_zero(due[end]);
      due[end] &= due[end] - 1;
      BitOps::extend_over_edges(ways.over[end * stride + e], row_of(events, lowered.ends[(1 - end) * stride + e]), lowered.ends, lowered.weight,
                                stride, n_edges, limit, ways, due);
    }
    set(distance_, a, b, BitOps::least_over_edges(ways, reach_[b].ways(), stride, n_edges, distance_[a][b]));
  }

  // == Permanent: fixed at set-up ==
  std::uint16_t step_[outside + 1][outside + 1];
  std::uint8_t ends_[n_edges_max][2];
  List lists_[n_edges_max];
  MarkedDistance weight_[n_implied_max];
  std::uint8_t end_[2][n_implied_max];
  std::uint32_t n_implied_ = 0;
  // == Per shot ==
  LoweredOf lowered_[2];
  Reach reach_[Pairing::outside + 1];
  alignas(64) Table distance_, bound_;  ///< `bound_`: not more than any way's length, without mark
};

}  // namespace spinel::detail
