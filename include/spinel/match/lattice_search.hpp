// SPDX-License-Identifier: Apache-2.0
// Shortest paths on the lattice itself, for what its tables do not reach.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/arena.hpp>
#include <spinel/core/config.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_tables.hpp>

namespace spinel::detail {

/// Dijkstra's algorithm over lattice ids with buckets no wider than the lightest edge, so that a bucket is final when it is
/// reached. Nodes are chained into buckets in place: memory is fixed.
template <class Layout_>
class LatticeSearch {
 public:
  using Layout = Layout_;
  using Tables = LatticeTables<Layout>;
  static constexpr int n_buckets = 256;

  constexpr void lay_out(const Layout& layout, Arena& arena) noexcept {
    nodes_.lay_out(static_cast<std::size_t>(layout.n_ids()), arena);
    touched_.lay_out(static_cast<std::size_t>(layout.n_detectors()), arena);
  }
  /// After laying out in real memory, before the first search.
  void clear(const Layout& layout) noexcept {
    for (int id = 0; id < layout.n_ids(); ++id) nodes_[id] = Node{};
    for (auto& head : heads_) head = none;
  }

  /// Calls `visit(id, marked distance)` once for every id nearer than `limit`, bucket by bucket. Not the source.
  template <class Visit>
  void from(const Tables& tables, int source, std::int32_t limit, Visit&& visit) noexcept {
    reach(tables, source, 0);
    settle(tables, limit, [&](int id, MarkedDistance marked) {
      if (id != source) visit(id, marked);
      return true;
    }, nothing_more);
    reset();
  }
  /// `visit(id, marked distance)`, the source too, says whether to go on from there.
  template <class Visit>
  void from_while(const Tables& tables, int source, Visit&& visit) noexcept {
    reach(tables, source, 0);
    settle(tables, Tables::no_limit, visit, nothing_more);
    reset();
  }
  /// The same without the ids that are no nearer than both ways to the boundary together: events there never need each other,
  /// nor do any whose way leads through there.
  template <class Visit>
  void from_within_boundary(const Tables& tables, int source, std::int32_t limit, Visit&& visit) noexcept {
    const std::int32_t way_out = distance_of(tables.boundary[source]);
    reach(tables, source, 0);
    settle(tables, limit, [&](int id, MarkedDistance marked) {
      if (id == source) return true;
      if (distance_of(marked) - way_out >= distance_of(tables.boundary[id])) return false;
      visit(id, marked);
      return true;
    }, nothing_more);
    reset();
  }
  /// The same from the boundary, where `seeds` calls `reach(id, marked weight)` for every boundary edge.
  template <class Seeds, class Visit>
  void from_boundary(const Tables& tables, Seeds&& seeds, Visit&& visit) noexcept {
    start_ = Tables::no_limit;
    seeds([&](int, MarkedDistance weight) { start_ = distance_of(weight) < start_ ? distance_of(weight) : start_; });
    seeds([&](int id, MarkedDistance weight) { reach(tables, id, weight); });
    settle(tables, Tables::no_limit, [&](int id, MarkedDistance marked) {
      visit(id, marked);
      return true;
    }, nothing_more);
    reset();
  }

  /// The edges of a shortest path from `from` to `to`, which is as long as `marked`: `visit(id, number of the edge there)`.
  template <class Visit>
  void trace(const Tables& tables, int from, int to, MarkedDistance marked, Visit&& visit) noexcept {
    reach(tables, to, 0);
    settle(tables, distance_of(marked) + 2, always, nothing_more);
    while (from != to) {
      const int row = tables.layout.edge_row(tables.layout.site(from));
      int found = 0;
      for (int e = 0; e < tables.degree[row]; ++e) {
        const LatticeEdge& edge = tables.edges[row][e];
        const MarkedDistance rest = nodes_[from + edge.offset].distance;
        if (rest != unreached && distance_of(rest) + distance_of(edge.weight) == distance_of(nodes_[from].distance)) found = e;
      }
      visit(from, found);
      from += tables.edges[row][found].offset;
    }
    reset();
  }
  /// As `from_within_boundary`, with edges of this shot beside the tables': `more(id, marked, reach)` calls `reach(id, marked)`
  /// for the other ends of those at `id`. They may weigh nothing, so an id may be visited again, nearer.
  template <class More, class Visit>
  void from_with_more(const Tables& tables, int source, std::int32_t limit, std::int32_t way_out, More&& more, Visit&& visit) noexcept {
    reach(tables, source, 0);
    settle(tables, limit, [&](int id, MarkedDistance marked) {
      if (id != source && distance_of(marked) - way_out >= distance_of(tables.boundary[id])) return false;
      visit(id, marked);
      return true;
    }, more);
    reset();
  }

 private:
  static constexpr std::int32_t none = -1;
  static constexpr std::int32_t settled = -2;
  static constexpr MarkedDistance unreached = 0xffffffff;
  struct Node {
    MarkedDistance distance = unreached;
    std::int32_t next = none;
    std::int32_t previous = none;
  };
  static constexpr auto always = [](int, MarkedDistance) { return true; };
  static constexpr auto nothing_more = [](int, MarkedDistance, auto&&) {};

  void reach(const Tables& tables, int id, MarkedDistance marked) noexcept {
    Node& node = nodes_[id];
    if (node.distance == unreached) {
      touched_[n_touched_++] = id;
    } else {
      if ((marked & ~1u) >= (node.distance & ~1u)) return;
      if (node.previous != settled) {
        if (node.next != none) nodes_[node.next].previous = node.previous;
        if (node.previous != none) nodes_[node.previous].next = node.next;
        else heads_[bucket(tables, node.distance)] = node.next;
        --n_queued_;
      }
    }
    node.distance = marked;
    const int at = bucket(tables, marked);
    node.previous = none;
    node.next = heads_[at];
    if (node.next != none) nodes_[node.next].previous = id;
    heads_[at] = id;
    ++n_queued_;
  }
  static int bucket(const Tables& tables, MarkedDistance marked) noexcept {
    return static_cast<int>((marked >> tables.bucket_shift) % n_buckets);
  }
  template <class Visit, class More>
  void settle(const Tables& tables, std::int32_t limit, Visit&& visit, More&& more) noexcept {
    for (std::uint32_t b = static_cast<std::uint32_t>(start_) >> tables.bucket_shift; n_queued_ > 0; ++b) {
      std::int32_t& head = heads_[b % n_buckets];
      while (head != none) {
        const int id = head;
        head = nodes_[id].next;
        if (head != none) nodes_[head].previous = none;
        nodes_[id].previous = settled;
        --n_queued_;
        const MarkedDistance marked = nodes_[id].distance;
        if (!visit(id, marked)) continue;
        // Half of a ball is no further from its surface than the lightest edge is long.
        if (distance_of(marked) < limit - tables.lightest) {
          const int row = tables.layout.edge_row(tables.layout.site(id)), degree = tables.degree[row];
          const LatticeEdge* const edges = tables.edges[row];
          // Most lead to where others have been nearer; those that do not are found without branches.
          struct {
            std::int32_t to;
            MarkedDistance sum;
          } found[Tables::max_degree + 1];
          int n = 0;
          for (int e = 0; e < degree; ++e) {
            const std::int32_t to = id + edges[e].offset;
            const MarkedDistance sum = sum_of(marked, edges[e].weight);
            found[n] = {to, sum};
            const bool is_within = distance_of(sum) < limit, is_nearer = (sum & ~1u) < (nodes_[to].distance & ~1u);
            n += is_within & is_nearer;
          }
          for (int k = 0; k < n; ++k) reach(tables, found[k].to, found[k].sum);
        }
        more(id, marked, [&](int to, MarkedDistance sum) {
          if (distance_of(sum) < limit) reach(tables, to, sum);
        });
      }
    }
  }
  void reset() noexcept {
    for (std::size_t k = 0; k < n_touched_; ++k) nodes_[touched_[k]] = Node{};
    n_touched_ = 0;
    start_ = 0;
  }

  LatticeArray<Node, LatticeSizes<Layout>::ids> nodes_;
  LatticeArray<std::int32_t, LatticeSizes<Layout>::detectors> touched_;
  std::int32_t heads_[n_buckets];
  std::size_t n_touched_ = 0;
  std::size_t n_queued_ = 0;
  std::int32_t start_ = 0;
};

}  // namespace spinel::detail
