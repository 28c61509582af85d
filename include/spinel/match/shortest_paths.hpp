// SPDX-License-Identifier: Apache-2.0
// Dijkstra's algorithm on a matching graph with its memory laid out beforehand. Set-up fills its tables with it, and
// the exact matcher falls back on it wherever those tables end. The queue is a ring of buckets no wider than the least
// weight, so that no node of a bucket can bring another nearer (Dial; Dinitz), or a heap where weights spread too far.
#pragma once

#include <algorithm>
#include <bit>
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
    sorted_ = arena.take<Entry>(2 * n_edges + n_detectors + 1);
    buckets_ = arena.take<std::uint32_t>(n_buckets);
    for (State& state : states_) state = State{};
  }

  /// Chooses the queue for the weights of `graph`; to be called once they are known.
  void prepare(const MatchingGraph& graph) noexcept {
    std::uint32_t least = 0xffffffff, largest = 0;
    for (const MergedEdge& edge : graph.edges()) {
      if (edge.b != boundary_node && edge.a == edge.b) continue;
      least = std::min(least, edge.weight);
      largest = std::max(largest, edge.weight);
    }
    bucket_shift_ = least == 0 ? 0 : static_cast<unsigned>(std::bit_width(least)) - 1;
    may_bucket_ = has_buckets_ = least > 0 && largest > 0 && (largest >> bucket_shift_) + 2 <= n_buckets;
    for (auto& bucket : buckets_) bucket = no_entry;
  }

  /// With `any_weights` the weights may differ from those of `prepare`.
  void expect(bool any_weights) noexcept { has_buckets_ = may_bucket_ && !any_weights; }

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
    if (has_buckets_ && n_queued_ != n_left_out_)
      for (auto& bucket : buckets_) bucket = no_entry;
    n_touched_ = 0;
    n_queued_ = n_left_out_ = 0;
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
    std::uint32_t next = 0;  // in the same bucket
  };
  static constexpr std::uint32_t no_entry = 0xffffffff;
  static constexpr std::size_t n_buckets = 256;
  static bool later(const Entry& x, const Entry& y) noexcept { return x.distance > y.distance; }

  void reach(std::uint32_t node, std::int64_t distance, std::uint32_t edge) noexcept {
    State& state = states_[node];
    if (distance >= state.distance) return;
    if (state.distance == infinite_distance) touched_[n_touched_++] = node;
    state.distance = distance;
    state.edge = edge;
    if (has_buckets_) {
      std::uint32_t& bucket = buckets_[static_cast<std::size_t>(distance >> bucket_shift_) % n_buckets];
      queue_[n_queued_] = {distance, node, bucket};
      bucket = static_cast<std::uint32_t>(n_queued_++);
    } else {
      queue_[n_queued_++] = {distance, node, no_entry};
      std::push_heap(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(n_queued_), later);
    }
  }
  template <class Visit>
  void settle(const MatchingGraph& graph, Visit&& visit) noexcept {
    if (has_buckets_) return settle_buckets(graph, visit);
    while (n_queued_ > 0) {
      std::pop_heap(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(n_queued_), later);
      if (const Entry entry = queue_[--n_queued_]; !settle_entry(graph, entry, visit)) return;
    }
  }
  template <class Visit>
  void settle_buckets(const MatchingGraph& graph, Visit& visit) noexcept {
    for (std::size_t index = 0; n_left_out_ < n_queued_; ++index) {
      std::uint32_t& bucket = buckets_[index % n_buckets];
      std::size_t n = 0;
      for (std::uint32_t k = bucket; k != no_entry; k = queue_[k].next)
        if (queue_[k].distance == states_[queue_[k].node].distance) sorted_[n++] = queue_[k];
        else ++n_left_out_;
      bucket = no_entry;
      std::sort(sorted_.begin(), sorted_.begin() + static_cast<std::ptrdiff_t>(n),
                [](const Entry& x, const Entry& y) { return x.distance < y.distance; });
      n_left_out_ += n;
      for (std::size_t k = 0; k < n; ++k)
        if (!settle_entry(graph, sorted_[k], visit)) return;
    }
  }
  template <class Visit>
  bool settle_entry(const MatchingGraph& graph, const Entry& entry, Visit& visit) noexcept {
    State& state = states_[entry.node];
    if (state.settled) return true;
    state.settled = true;
    if (!visit(entry.node, entry.distance)) return false;
    for (const Neighbor& neighbor : graph.neighbors(entry.node))
      reach(neighbor.node, entry.distance + neighbor.weight, neighbor.edge);
    return true;
  }

  unsigned bucket_shift_ = 0;
  bool may_bucket_ = false, has_buckets_ = false;
  std::span<State> states_;
  std::span<std::uint32_t> touched_;
  std::span<Entry> queue_;  // every relaxation may push once: at most two an edge, and the sources
  std::span<Entry> sorted_;
  std::span<std::uint32_t> buckets_;  // first entry of each
  std::size_t n_touched_ = 0;
  std::size_t n_queued_ = 0;
  std::size_t n_left_out_ = 0;  // of the entries in buckets, those that left them
};

}  // namespace spinel
