// SPDX-License-Identifier: Apache-2.0
// The matching graph: detectors are nodes, graphlike error mechanisms are edges, a mechanism with one detector is an
// edge to the boundary. Parallel mechanisms are merged, ln((1-p)/p) becomes fixed point, and a mechanism likelier than
// 1/2 becomes one that is assumed to have happened (its end points and observables flipped, its weight negated).
// Source: Higgott and Gidney, Sparse Blossom, arXiv:2303.15933, for the conventions that users know.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/bits.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>

namespace spinel {

using ObservableFlips = std::uint64_t;

/// Stands for the boundary as an edge's end point.
inline constexpr std::uint32_t boundary_node = 0xffffffff;
/// A distance that no path has.
inline constexpr std::int64_t infinite_distance = std::int64_t{1} << 60;

/// One graphlike error mechanism: it flips detectors a and b (or one detector and the boundary) and `observables`.
struct GraphEdge {
  std::uint32_t a = 0;
  std::uint32_t b = boundary_node;
  double probability = 0;
  ObservableFlips observables = 0;
};

/// Mechanisms with the same end points, merged. `weight` is even and not negative; `negated` says that the true one is -weight.
struct MergedEdge {
  std::uint32_t a = 0;
  std::uint32_t b = boundary_node;
  std::uint32_t weight = 0;
  bool negated = false;
  ObservableFlips observables = 0;
  double probability = 0;
};

/// A weight for one shot: an index into `MatchingGraph::edges()` and twice an integer, negative if likelier than not.
struct EdgeWeight {
  std::uint32_t edge = 0;
  std::int32_t weight = 0;
};

/// An edge as seen from one of its end points.
struct Neighbor {
  std::uint32_t node = 0;
  std::uint32_t weight = 0;
  std::uint32_t edge = 0;
};

/// Compressed rows of neighbors. All memory comes from the arena given to `build`, so the graph is a set of views.
class MatchingGraph {
 public:
  /// The largest |ln((1-p)/p)| becomes this many half units; every weight is twice an integer, so halves are exact.
  static constexpr std::uint32_t max_half_weight = (1u << 24) - 1;
  static constexpr std::size_t max_detectors = std::size_t{1} << 30;

  /// Takes the same amounts from `arena` for given sizes, whatever the edges are (so a counting arena sizes it).
  void lay_out(std::size_t n_detectors, std::size_t n_edges, Arena& arena) noexcept {
    n_detectors_ = n_detectors;
    edges_ = arena.take<MergedEdge>(n_edges);
    order_ = arena.take<std::uint32_t>(n_edges);
    row_begin_ = arena.take<std::uint32_t>(n_detectors + 2);
    neighbors_ = arena.take<Neighbor>(2 * n_edges);
    boundary_edge_ = arena.take<std::uint32_t>(n_detectors);
    places_ = arena.take<Places>(n_edges);
    merged_into_ = arena.take<std::uint32_t>(n_edges);
    assumed_events_ = arena.take<std::uint64_t>((n_detectors + 63) / 64 + 1);
  }

  /// Fills what `lay_out` took. Mechanisms with p = 0 are dropped; p is the probability of the merged mechanism, of
  /// which the first's observables are kept (as users of PyMatching expect).
  /// Errors: bad_argument for p outside [0, 1], NaN, a merged p of exactly 1 (infinite weight) or an edge without a
  /// detector; bad_shape for a detector index >= n_detectors or more than `max_detectors`.
  Status build(Span<const GraphEdge> mechanisms) noexcept;

  std::size_t n_detectors() const noexcept { return n_detectors_; }
  Span<const MergedEdge> edges() const noexcept { return edges_.first(n_merged_); }
  Span<const Neighbor> neighbors(std::uint32_t node) const noexcept {
    return neighbors_.subspan(row_begin_[node], row_begin_[node + 1] - row_begin_[node]);
  }
  static constexpr std::uint32_t no_edge = 0xffffffff;
  /// Index of the edge from `node` to the boundary, or `no_edge`.
  std::uint32_t boundary_edge(std::uint32_t node) const noexcept { return boundary_edge_[node]; }
  /// Events, flips and weight of the mechanisms that are assumed to have happened (p > 1/2); 64 detectors a word.
  Span<const std::uint64_t> assumed_events() const noexcept { return assumed_events_; }
  ObservableFlips assumed_observables() const noexcept { return assumed_observables_; }
  std::int64_t assumed_weight() const noexcept { return assumed_weight_; }
  /// Calls `visit(detector)` in ascending order for every detection event of a packed shot ((n_detectors + 7) / 8 bytes,
  /// bits past the end ignored), those of the assumed mechanisms added.
  template <class Visit>
  void for_each_event(const std::uint8_t* events, Visit&& visit) const noexcept {
    for (std::size_t w = 0; 64 * w < n_detectors_; ++w) {
      std::uint64_t word = load_word(events, 64 * w, n_detectors_) ^ assumed_events_[w];
      for (; word != 0; word &= word - 1)
        visit(static_cast<std::uint32_t>(64 * w) + static_cast<std::uint32_t>(std::countr_zero(word)));
    }
  }
  /// Natural logarithms in one weight unit.
  double nats_per_unit() const noexcept { return nats_per_unit_; }
  /// A weight in nats as the even number of units next to it, limited to four times the largest of the graph's own.
  std::int32_t units(double nats) const noexcept {
    constexpr double limit = 4.0 * max_half_weight;
    return 2 * static_cast<std::int32_t>(spinel::llround(spinel::clamp(0.5 * nats / nats_per_unit_, -limit, limit)));
  }
  /// The merged edge that mechanism `k` given to `build` became part of, `no_edge` if it was dropped.
  std::uint32_t merged_into(std::size_t k) const noexcept { return merged_into_[k]; }
  std::int32_t signed_weight(std::uint32_t edge) const noexcept {
    const auto weight = static_cast<std::int32_t>(edges_[edge].weight);
    return edges_[edge].negated ? -weight : weight;
  }
  /// Gives one edge another weight, in constant time. Tables of distances made before know nothing of it.
  void set_weight(EdgeWeight change) noexcept {
    MergedEdge& edge = edges_[change.edge];
    if (edge.negated) assume(edge, 1);
    edge.negated = change.weight < 0;
    edge.weight = static_cast<std::uint32_t>(change.weight < 0 ? -change.weight : change.weight);
    if (edge.negated) assume(edge, -1);
    if (edge.b == boundary_node || edge.a == edge.b) return;
    neighbors_[places_[change.edge].at_a].weight = edge.weight;
    neighbors_[places_[change.edge].at_b].weight = edge.weight;
  }

 private:
  Status merge(Span<const GraphEdge> mechanisms) noexcept;
  void quantize() noexcept;
  void index() noexcept;
  /// Adds a negated edge to what is assumed (sign -1) or takes it out again (+1).
  void assume(const MergedEdge& edge, std::int64_t sign) noexcept {
    for (const std::uint32_t node : {edge.a, edge.b})
      if (node != boundary_node) assumed_events_[node / 64] ^= std::uint64_t{1} << (node % 64);
    assumed_observables_ ^= edge.observables;
    assumed_weight_ += sign * edge.weight;
  }
  struct Places {
    std::uint32_t at_a = 0, at_b = 0;  // of an edge among the neighbors
  };
  static double log_odds(double p) noexcept { return spinel::log((1 - p) / p); }

  std::size_t n_detectors_ = 0;
  std::size_t n_merged_ = 0;
  Span<MergedEdge> edges_;
  Span<std::uint32_t> order_;
  Span<std::uint32_t> row_begin_;
  Span<Neighbor> neighbors_;
  Span<std::uint32_t> boundary_edge_;
  Span<Places> places_;
  Span<std::uint32_t> merged_into_;
  Span<std::uint64_t> assumed_events_;
  ObservableFlips assumed_observables_ = 0;
  std::int64_t assumed_weight_ = 0;
  double nats_per_unit_ = 1;
};

inline Status MatchingGraph::build(Span<const GraphEdge> mechanisms) noexcept {
  if (const Status status = merge(mechanisms); status != Status::ok) return status;
  quantize();
  index();
  return Status::ok;
}

inline Status MatchingGraph::merge(Span<const GraphEdge> mechanisms) noexcept {
  if (n_detectors_ > max_detectors || mechanisms.size() > max_detectors) return Status::bad_shape;
  const auto low = [&](std::size_t k) { return spinel::min(mechanisms[k].a, mechanisms[k].b); };
  const auto high = [&](std::size_t k) { return spinel::max(mechanisms[k].a, mechanisms[k].b); };
  // Counted by the lower detector, then the few of each are sorted.
  for (auto& begin : row_begin_) begin = 0;
  for (std::size_t k = 0; k < mechanisms.size(); ++k) {
    const GraphEdge& edge = mechanisms[k];
    if (!(edge.probability >= 0 && edge.probability <= 1)) return Status::bad_argument;
    if (edge.a == boundary_node && edge.b == boundary_node) return Status::bad_argument;
    if (edge.a != boundary_node && edge.a >= n_detectors_) return Status::bad_shape;
    if (edge.b != boundary_node && edge.b >= n_detectors_) return Status::bad_shape;
    merged_into_[k] = no_edge;
    if (edge.probability > 0) ++row_begin_[low(k) + 1];
  }
  for (std::size_t node = 0; node < n_detectors_; ++node) row_begin_[node + 1] += row_begin_[node];
  const std::size_t n_used = row_begin_[n_detectors_];
  for (std::size_t k = 0; k < mechanisms.size(); ++k)
    if (mechanisms[k].probability > 0) order_[row_begin_[low(k)]++] = static_cast<std::uint32_t>(k);
  for (std::size_t node = 0, begin = 0; node < n_detectors_; begin = row_begin_[node++])
    spinel::sort(order_.data() + begin, order_.data() + row_begin_[node], [&](std::uint32_t x, std::uint32_t y) {
      return high(x) != high(y) ? high(x) < high(y) : x < y;
    });
  n_merged_ = 0;
  for (std::size_t k = 0; k < n_used; ++k) {
    const GraphEdge& edge = mechanisms[order_[k]];
    const std::uint32_t a = low(order_[k]), b = high(order_[k]);
    if (n_merged_ > 0 && edges_[n_merged_ - 1].a == a && edges_[n_merged_ - 1].b == b) {
      double& p = edges_[n_merged_ - 1].probability;
      p = p * (1 - edge.probability) + edge.probability * (1 - p);
    } else {
      edges_[n_merged_++] = {a, b, 0, false, edge.observables, edge.probability};
    }
    merged_into_[order_[k]] = static_cast<std::uint32_t>(n_merged_ - 1);
  }
  for (const MergedEdge& edge : edges())
    if (edge.probability >= 1) return Status::bad_argument;
  return Status::ok;
}

inline void MatchingGraph::quantize() noexcept {
  double largest = 0;
  for (const MergedEdge& edge : edges())
    if (edge.probability > 0) largest = spinel::max(largest, spinel::abs(log_odds(edge.probability)));
  const double half_units_per_nat = largest > 0 ? max_half_weight / largest : 1;
  nats_per_unit_ = 0.5 / half_units_per_nat;
  for (auto& word : assumed_events_) word = 0;
  assumed_observables_ = 0;
  assumed_weight_ = 0;
  for (std::size_t k = 0; k < n_merged_; ++k) {
    MergedEdge& edge = edges_[k];
    const double weight = edge.probability > 0 ? log_odds(edge.probability) : largest;
    edge.weight = 2 * static_cast<std::uint32_t>(spinel::llround(spinel::abs(weight) * half_units_per_nat));
    edge.negated = weight < 0 && edge.weight > 0;
    if (edge.negated) assume(edge, -1);
  }
}

inline void MatchingGraph::index() noexcept {
  for (auto& begin : row_begin_) begin = 0;
  for (auto& edge : boundary_edge_) edge = no_edge;
  const auto joins_detectors = [](const MergedEdge& edge) { return edge.b != boundary_node && edge.a != edge.b; };
  for (const MergedEdge& edge : edges())
    if (joins_detectors(edge)) ++row_begin_[edge.a + 2], ++row_begin_[edge.b + 2];
  for (std::size_t node = 2; node < row_begin_.size(); ++node) row_begin_[node] += row_begin_[node - 1];
  for (std::size_t k = 0; k < n_merged_; ++k) {
    const MergedEdge& edge = edges_[k];
    const auto id = static_cast<std::uint32_t>(k);
    if (joins_detectors(edge)) {
      places_[k] = {row_begin_[edge.a + 1]++, row_begin_[edge.b + 1]++};
      neighbors_[places_[k].at_a] = {edge.b, edge.weight, id};
      neighbors_[places_[k].at_b] = {edge.a, edge.weight, id};
    } else if (edge.b == boundary_node) {
      boundary_edge_[edge.a] = id;
    }
  }
}

}  // namespace spinel
