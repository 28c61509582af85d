// SPDX-License-Identifier: Apache-2.0
// Dijkstra's algorithm on a matching graph with its memory laid out beforehand. Set-up fills its tables with it, and
// the exact matcher falls back on it wherever those tables end. The queue is a ring of buckets (Dial), of
// which the first is kept sorted, or a heap for weights too large for the ring.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/span.hpp>
#include <spinel/match/graph.hpp>

namespace spinel {

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

  /// Chooses the queue for the weights of `graph`; to be called whenever a weight may have grown.
  void prepare(const MatchingGraph& graph) noexcept {
    std::uint32_t largest = 1;
    for (const MergedEdge& edge : graph.edges()) largest = spinel::max(largest, edge.weight);
    bucket_shift_ = static_cast<unsigned>(spinel::max(0, static_cast<int>(std::bit_width(largest)) - buckets_per_largest_log2));
    largest_ = std::uint64_t{n_buckets - 2} << bucket_shift_;
    has_buckets_ = true;
    for (auto& bucket : buckets_) bucket = no_entry;
  }
  /// Weights up to this fit the buckets that `prepare` chose; with a larger one a heap takes their place.
  void expect(std::uint64_t largest_weight) noexcept { has_buckets_ = largest_weight <= largest_; }

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
    from_boundary(graph, [](std::uint32_t) { return true; }, visit);
  }
  /// The same from that part of the boundary for whose edges `belongs(edge)` holds.
  template <class Belongs, class Visit>
  void from_boundary(const MatchingGraph& graph, Belongs&& belongs, Visit&& visit) noexcept {
    for (std::uint32_t node = 0; node < graph.n_detectors(); ++node)
      if (const std::uint32_t edge = graph.boundary_edge(node); edge != MatchingGraph::no_edge && belongs(edge))
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
    current_ = no_bucket;
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
  static constexpr int buckets_per_largest_log2 = 5;
  static constexpr std::int64_t no_bucket = -1;
  static bool later(const Entry& x, const Entry& y) noexcept { return x.distance > y.distance; }

  void reach(std::uint32_t node, std::int64_t distance, std::uint32_t edge) noexcept {
    State& state = states_[node];
    if (distance >= state.distance) return;
    if (state.distance == infinite_distance) touched_[n_touched_++] = node;
    state.distance = distance;
    state.edge = edge;
    if (!has_buckets_) {
      queue_[n_queued_++] = {distance, node, no_entry};
      spinel::push_heap(queue_.data(), queue_.data() + n_queued_, later);
      return;
    }
    const std::int64_t index = distance >> bucket_shift_;
    if (index == current_) return insert_sorted({distance, node, no_entry});
    std::uint32_t& bucket = buckets_[static_cast<std::size_t>(index) % n_buckets];
    queue_[n_queued_] = {distance, node, bucket};
    bucket = static_cast<std::uint32_t>(n_queued_++);
  }
  /// Into the bucket being settled: it stays in order of descending distance, the next at its end.
  void insert_sorted(const Entry& entry) noexcept {
    std::size_t k = n_sorted_++;
    for (; k > 0 && sorted_[k - 1].distance < entry.distance; --k) sorted_[k] = sorted_[k - 1];
    sorted_[k] = entry;
  }
  template <class Visit>
  void settle(const MatchingGraph& graph, Visit&& visit) noexcept {
    if (has_buckets_) return settle_buckets(graph, visit);
    while (n_queued_ > 0) {
      spinel::pop_heap(queue_.data(), queue_.data() + n_queued_, later);
      if (const Entry entry = queue_[--n_queued_]; !settle_entry(graph, entry, visit)) return;
    }
  }
  template <class Visit>
  void settle_buckets(const MatchingGraph& graph, Visit& visit) noexcept {
    current_ = 0;
    if (n_left_out_ < n_queued_) {
      current_ = queue_[0].distance >> bucket_shift_;
      for (std::size_t k = 1; k < n_queued_; ++k) current_ = spinel::min(current_, queue_[k].distance >> bucket_shift_);
    }
    for (; n_left_out_ < n_queued_; ++current_) {
      std::uint32_t& bucket = buckets_[static_cast<std::size_t>(current_) % n_buckets];
      if (bucket == no_entry) continue;
      n_sorted_ = 0;
      for (std::uint32_t k = bucket; k != no_entry; k = queue_[k].next) {
        if (queue_[k].distance == states_[queue_[k].node].distance) insert_sorted(queue_[k]);
        ++n_left_out_;
      }
      bucket = no_entry;
      while (n_sorted_ > 0)
        if (const Entry entry = sorted_[--n_sorted_]; !settle_entry(graph, entry, visit)) return;
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
  bool has_buckets_ = false;
  std::uint64_t largest_ = 0;
  std::int64_t current_ = no_bucket;  // the bucket being settled
  std::size_t n_sorted_ = 0;
  Span<State> states_;
  Span<std::uint32_t> touched_;
  Span<Entry> queue_;  // every relaxation may push once: at most two an edge, and the sources
  Span<Entry> sorted_;
  Span<std::uint32_t> buckets_;  // first entry of each
  std::size_t n_touched_ = 0;
  std::size_t n_queued_ = 0;
  std::size_t n_left_out_ = 0;  // of the entries in buckets, those that left them
};

}  // namespace spinel
