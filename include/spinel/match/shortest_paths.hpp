// SPDX-License-Identifier: Apache-2.0
// Dijkstra's algorithm on a matching graph with its memory laid out beforehand. Set-up fills its tables with it, and
// the exact matcher falls back on it wherever those tables end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <spinel/core/arena.hpp>
#include <spinel/match/graph.hpp>

namespace spinel {

/// A distance that no path has.
inline constexpr std::int64_t infinite_distance = std::int64_t{1} << 60;

class ShortestPaths {
 public:
  void lay_out(std::size_t n_detectors, std::size_t n_edges, Arena& arena) noexcept {
    states_ = arena.take<State>(n_detectors);
    touched_ = arena.take<std::uint32_t>(n_detectors);
    queue_ = arena.take<Entry>(2 * n_edges + n_detectors + 1);
    for (State& state : states_) state = State{};
  }

  /// Settles nodes by ascending distance from `source`, calling `visit(node, distance)` once a node, the source
  /// included; stops when `visit` returns false. Paths do not run through the boundary. Results stay until `clear`.
  template <class Visit>
  void from_node(const MatchingGraph& graph, std::uint32_t source, Visit&& visit) noexcept {
    reach(source, 0, MatchingGraph::no_edge);
    settle(graph, visit);
  }
  /// The same from the boundary: every node that has a boundary edge is a source.
  template <class Visit>
  void from_boundary(const MatchingGraph& graph, Visit&& visit) noexcept {
    for (std::uint32_t node = 0; node < graph.n_detectors(); ++node)
      if (const std::uint32_t edge = graph.boundary_edge(node); edge != MatchingGraph::no_edge)
        reach(node, graph.edges()[edge].weight, edge);
    settle(graph, visit);
  }
  /// The edge over which a settled node was reached, `no_edge` at the source.
  std::uint32_t arrival_edge(std::uint32_t node) const noexcept { return states_[node].edge; }
  void clear() noexcept {
    for (std::size_t k = 0; k < n_touched_; ++k) states_[touched_[k]] = State{};
    n_touched_ = 0;
    n_queued_ = 0;
  }

 private:
  struct State {
    std::int64_t distance = infinite_distance;
    std::uint32_t edge = MatchingGraph::no_edge;
    bool settled = false;
  };
  struct Entry {
    std::int64_t distance = 0;
    std::uint32_t node = 0;
  };
  static bool later(const Entry& x, const Entry& y) noexcept { return x.distance > y.distance; }

  void reach(std::uint32_t node, std::int64_t distance, std::uint32_t edge) noexcept {
    State& state = states_[node];
    if (distance >= state.distance) return;
    if (state.distance == infinite_distance) touched_[n_touched_++] = node;
    state.distance = distance;
    state.edge = edge;
    queue_[n_queued_++] = {distance, node};
    std::push_heap(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(n_queued_), later);
  }
  template <class Visit>
  void settle(const MatchingGraph& graph, Visit&& visit) noexcept {
    while (n_queued_ > 0) {
      std::pop_heap(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(n_queued_), later);
      const Entry entry = queue_[--n_queued_];
      State& state = states_[entry.node];
      if (state.settled) continue;
      state.settled = true;
      if (!visit(entry.node, entry.distance)) return;
      for (const Neighbor& neighbor : graph.neighbors(entry.node))
        reach(neighbor.node, entry.distance + neighbor.weight, neighbor.edge);
    }
  }

  std::span<State> states_;
  std::span<std::uint32_t> touched_;
  std::span<Entry> queue_;  // every relaxation may push once: at most two an edge, and the sources
  std::size_t n_touched_ = 0;
  std::size_t n_queued_ = 0;
};

}  // namespace spinel
