// SPDX-License-Identifier: Apache-2.0
// Union-find decoding with a bound on its work that is known at set-up: clusters grow around detection events by edge
// weight until each holds an even number of them or touches the boundary, then their spanning trees are peeled. Not
// exact; for deadlines that exact matching might miss.
// Source: Delfosse and Nickerson, arXiv:1709.06218 (growth, peeling); Huang, Newman and Brown, arXiv:2004.04693
// (weighted growth). Jumps from one meeting to the next with a clock for every cluster are this library's own.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <spinel/core/arena.hpp>
#include <spinel/core/status.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/matcher.hpp>

namespace spinel {

/// How finely weights are seen while clusters grow: the mean weight is this long, the longest 255. In [1, 255].
struct UnionFindOptions {
  std::uint32_t mean_length = 16;
};

class UnionFind {
 public:
  using Options = UnionFindOptions;

  /// Bytes that `create` needs for these sizes, whatever the edges are.
  static std::size_t memory_needed(std::size_t n_detectors, std::size_t n_edges) noexcept {
    Arena counter;
    UnionFind{}.lay_out(n_detectors, n_edges, counter);
    return counter.used() + Arena::alignment;
  }

  /// A decoder that lives in `memory` (which it must not outlive). Set-up takes time in proportion to the graph, but
  /// for the sorting of its edges. Errors: those of `MatchingGraph::build`; out_of_capacity if `memory` is smaller than
  /// `memory_needed`; bad_argument for more than 64 observables or a mean length outside its range.
  static Result<UnionFind> create(std::size_t n_detectors, std::size_t n_observables, std::span<const GraphEdge> edges,
                                  std::span<std::byte> memory, const Options& options = {}) noexcept {
    if (n_observables > 64 || options.mean_length == 0 || options.mean_length > longest) return Status::bad_argument;
    if (n_detectors > MatchingGraph::max_detectors || edges.size() > MatchingGraph::max_detectors) return Status::bad_shape;
    Arena arena(memory);
    UnionFind made;
    made.lay_out(n_detectors, edges.size(), arena);
    if (arena.overflowed() || memory.empty()) return Status::out_of_capacity;
    if (const Status status = made.graph_.build(edges); status != Status::ok) return status;
    made.index(options);
    return made;
  }

  /// A correction with the shot's events, its flips and weight (at least the exact matcher's). At most `step_bound()`
  /// steps, for whatever bits.
  MatchResult decode(const std::uint8_t* events) noexcept {
    begin(events);
    while (const std::uint32_t entry = next_entry()) {
      const std::uint32_t id = entries_[entry - 1].cluster;
      const Cluster& cluster = clusters_[id];
      if (nodes_[id].cluster != id || !is_active(cluster) || cluster.clock != now_) continue;  // overtaken
      if (!grow(id, entry - 1)) return give_up();
    }
    const MatchResult result = peel();
    end();
    return result;
  }

  std::size_t n_detectors() const noexcept { return graph_.n_detectors(); }
  double nats_per_unit() const noexcept { return graph_.nats_per_unit(); }
  const MatchingGraph& graph() const noexcept { return graph_; }

  /// No shot takes more steps: a step is a look at an edge while growing, a node that changes its cluster, a queue entry
  /// taken, or a node or edge peeled. With L(v) the length of v's longest edge, n nodes, and deg counting the boundary
  /// edge: sum over v of (deg(v) + 1) (L(v) + 1), plus n (floor(log2 n) + 3). For: a cluster grows by at least one length
  /// unit whenever it is looked at, and its nodes only until their longest edge is covered (and once to see that);
  /// every entry but an event's first follows such a look; of two clusters the smaller one's nodes change; and peeling
  /// visits every node and every tree edge once.
  std::uint64_t step_bound() const noexcept { return step_bound_; }

  // == About the last shot decoded ==
  std::uint64_t steps() const noexcept { return steps_; }
  /// Calls `visit(edge)` with an index into `graph().edges()` for every edge of the correction, each once: it happened,
  /// or did not if it is negated. Negated edges not visited happened.
  template <class Visit>
  void for_matched_edges(Visit&& visit) const noexcept {
    for (std::size_t k = 0; k < n_correction_; ++k) visit(correction_[k]);
  }

 private:
  static constexpr std::uint32_t none = 0xffffffff;
  static constexpr std::uint32_t longest = 255;  // of an edge, in length units
  static constexpr std::uint32_t n_buckets = longest + 1;

  /// An edge as seen from one of its nodes; `node` is `none` for the boundary.
  struct Arm {
    std::uint32_t node = 0;
    std::uint32_t edge = 0;
    std::int32_t length = 0;
  };
  struct Node {
    std::uint32_t cluster = none;  // named after one of its nodes
    std::int32_t radius = 0;       // how much of each of its edges it covers
  };
  struct Tree {  // of the edges over which clusters fused
    std::uint32_t degree = 0;
    std::uint32_t edges_xor = 0;
    bool is_odd = false;  // an event, or the peeled ends of a correction
  };
  struct Cluster {
    std::uint32_t first_member = 0, last_member = 0;
    std::uint32_t first_open = 0, last_open = 0;  // nodes with an edge that is not covered yet
    std::uint32_t size = 0;
    std::uint32_t boundary_at = none;  // the node at which it touches the boundary
    std::int64_t clock = 0;            // up to when it has grown
    bool is_odd = false;
  };
  struct Entry {
    std::uint32_t cluster = 0;
    std::uint32_t next = 0;  // in the same bucket, counted from 1
  };
  /// An edge that the cluster being grown covers next.
  struct Meeting {
    std::uint32_t node = 0;
    std::uint32_t arm = 0;
  };

  void lay_out(std::size_t n_detectors, std::size_t n_edges, Arena& arena) noexcept {
    graph_.lay_out(n_detectors, n_edges, arena);
    row_begin_ = arena.take<std::uint32_t>(n_detectors + 1);
    arms_ = arena.take<Arm>(2 * n_edges);
    nodes_ = arena.take<Node>(n_detectors);
    trees_ = arena.take<Tree>(n_detectors);
    clusters_ = arena.take<Cluster>(n_detectors);
    next_member_ = arena.take<std::uint32_t>(n_detectors);
    next_open_ = arena.take<std::uint32_t>(n_detectors);
    touched_ = arena.take<std::uint32_t>(n_detectors);
    entries_ = arena.take<Entry>(n_detectors);
    meetings_ = arena.take<Meeting>(2 * n_edges);
    correction_ = arena.take<std::uint32_t>(2 * n_detectors);
    buckets_ = arena.take<std::uint32_t>(n_buckets);
  }
  void index(const Options& options) noexcept;

  static bool is_active(const Cluster& cluster) noexcept { return cluster.is_odd && cluster.boundary_at == none; }

  void touch(std::uint32_t node, bool is_odd) noexcept {
    touched_[n_touched_++] = node;
    nodes_[node] = {node, 0};
    trees_[node] = {0, 0, is_odd};
    clusters_[node] = {node, node, node, node, 1, none, 0, is_odd};
    next_member_[node] = next_open_[node] = none;
  }
  void begin(const std::uint8_t* events) noexcept {
    n_touched_ = n_correction_ = 0;
    steps_ = 0;
    now_ = 0;
    graph_.for_each_event(events, [&](std::uint32_t node) {
      const auto entry = static_cast<std::uint32_t>(n_touched_);
      touch(node, true);
      enqueue(entry, node, 0);
    });
  }
  void end() noexcept {
    for (std::size_t k = 0; k < n_touched_; ++k) nodes_[touched_[k]] = Node{};
  }
  MatchResult give_up() noexcept {
    while (next_entry() != 0) {}
    end();
    return {0, 0, MatchOutcome::no_perfect_matching};
  }

  // == Queue of active clusters by clock: a ring of buckets, as no clock is more than `longest` ahead of the first ==
  void enqueue(std::uint32_t entry, std::uint32_t cluster, std::int64_t clock) noexcept {
    const auto bucket = static_cast<std::uint32_t>(clock) % n_buckets;
    entries_[entry] = {cluster, buckets_[bucket]};
    buckets_[bucket] = entry + 1;
    occupied_[bucket / 64] |= std::uint64_t{1} << (bucket % 64);
  }
  /// Takes the first entry, counted from 1, and sets `now_`; 0 if there is none.
  std::uint32_t next_entry() noexcept {
    const auto from = static_cast<std::uint32_t>(now_) % n_buckets;
    for (std::uint32_t k = 0; k <= n_buckets / 64; ++k) {
      const std::uint32_t word = (from / 64 + k) % (n_buckets / 64);
      std::uint64_t set = occupied_[word];
      if (k == 0) set &= ~std::uint64_t{0} << (from % 64);
      if (set == 0) continue;
      const std::uint32_t bucket = 64 * word + static_cast<std::uint32_t>(std::countr_zero(set));
      now_ += (bucket + n_buckets - from) % n_buckets;
      const std::uint32_t entry = buckets_[bucket];
      buckets_[bucket] = entries_[entry - 1].next;
      if (buckets_[bucket] == 0) occupied_[word] &= ~(std::uint64_t{1} << (bucket % 64));
      ++steps_;
      return entry;
    }
    return 0;
  }

  bool grow(std::uint32_t id, std::uint32_t entry) noexcept;
  void fuse(const Meeting& meeting) noexcept;
  MatchResult peel() noexcept;

  // == Permanent: fixed at set-up ==
  MatchingGraph graph_;
  std::span<std::uint32_t> row_begin_;
  std::span<Arm> arms_;
  std::uint64_t step_bound_ = 0;
  // == Per shot; nodes of untouched clusters are as after set-up ==
  std::span<Node> nodes_;
  std::span<Tree> trees_;
  std::span<Cluster> clusters_;
  std::span<std::uint32_t> next_member_, next_open_;
  std::span<std::uint32_t> touched_;
  std::span<Entry> entries_;
  std::span<Meeting> meetings_;
  std::span<std::uint32_t> correction_;
  std::span<std::uint32_t> buckets_;  // first entry of each, counted from 1
  std::uint64_t occupied_[n_buckets / 64] = {};
  std::size_t n_touched_ = 0, n_correction_ = 0;
  std::int64_t now_ = 0;
  std::uint64_t steps_ = 0;
};

inline void UnionFind::index(const Options& options) noexcept {
  const std::span<const MergedEdge> edges = graph_.edges();
  double total = 0;
  for (const MergedEdge& edge : edges) total += edge.weight;
  const double scale = total > 0 ? static_cast<double>(options.mean_length) * static_cast<double>(edges.size()) / total : 1;
  const std::size_t n = n_detectors();
  std::uint32_t next = 0;
  step_bound_ = n * (static_cast<std::uint64_t>(std::bit_width(n)) + 2);
  for (std::uint32_t node = 0; node < n; ++node) {
    row_begin_[node] = next;
    std::int32_t row_longest = 0;
    const auto add = [&](std::uint32_t other, std::uint32_t edge) {
      const double length = static_cast<double>(edges[edge].weight) * scale + 0.5;
      const auto rounded = static_cast<std::int32_t>(length < longest ? length : longest);
      arms_[next++] = {other, edge, rounded > 0 ? rounded : 1};
      row_longest = arms_[next - 1].length > row_longest ? arms_[next - 1].length : row_longest;
    };
    for (const Neighbor& neighbor : graph_.neighbors(node)) add(neighbor.node, neighbor.edge);
    if (const std::uint32_t edge = graph_.boundary_edge(node); edge != MatchingGraph::no_edge) add(none, edge);
    step_bound_ += std::uint64_t{next - row_begin_[node] + 1} * static_cast<std::uint64_t>(row_longest + 1);
  }
  row_begin_[n] = next;
}

/// Grows cluster `id`, whose clock is `now_`, until it covers an edge, and fuses it with what it meets. False: it has
/// nowhere left to grow.
inline bool UnionFind::grow(std::uint32_t id, std::uint32_t entry) noexcept {
  Cluster& cluster = clusters_[id];
  std::int64_t soonest = n_buckets;  // from now on
  std::size_t n_meetings = 0;
  for (std::uint32_t node = cluster.first_open, previous = none; node != none; node = next_open_[node]) {
    bool is_open = false;
    const std::int64_t radius = nodes_[node].radius;
    for (std::uint32_t k = row_begin_[node]; k < row_begin_[node + 1]; ++k) {
      const Arm& arm = arms_[k];
      std::int64_t wait = arm.length - radius;
      if (arm.node != none) {
        const Node& other = nodes_[arm.node];
        if (other.cluster == id) continue;
        wait -= other.radius;
        if (other.cluster != none) {
          // Another active cluster has grown until its clock; from then on both cover the edge.
          const Cluster& met = clusters_[other.cluster];
          if (const std::int64_t ahead = met.clock - now_; is_active(met) && wait > ahead) wait = (wait + ahead + 1) / 2;
        }
      }
      is_open = true;
      if (wait > soonest) continue;
      if (wait < soonest) n_meetings = 0;
      soonest = wait;
      meetings_[n_meetings++] = {node, k};
    }
    steps_ += row_begin_[node + 1] - row_begin_[node] + 1;
    if (is_open) {
      previous = node;
    } else {
      (previous == none ? cluster.first_open : next_open_[previous]) = next_open_[node];
      if (cluster.last_open == node) cluster.last_open = previous;
    }
  }
  if (n_meetings == 0) return false;
  for (std::uint32_t node = cluster.first_open; node != none; node = next_open_[node])
    nodes_[node].radius += static_cast<std::int32_t>(soonest);
  cluster.clock = now_ + soonest;
  const std::int64_t clock = cluster.clock;
  for (std::size_t k = 0; k < n_meetings; ++k) fuse(meetings_[k]);
  const std::uint32_t name = nodes_[id].cluster;
  clusters_[name].clock = clock;
  if (is_active(clusters_[name])) enqueue(entry, name, clock);
  return true;
}

/// Joins the clusters at the ends of an edge if it is covered and they are still two.
inline void UnionFind::fuse(const Meeting& meeting) noexcept {
  const Arm& arm = arms_[meeting.arm];
  const Node& own = nodes_[meeting.node];
  if (arm.node == none) {
    Cluster& cluster = clusters_[own.cluster];
    if (cluster.boundary_at == none) cluster.boundary_at = meeting.node;
    return;
  }
  if (nodes_[arm.node].cluster == own.cluster || own.radius + nodes_[arm.node].radius < arm.length) return;
  if (nodes_[arm.node].cluster == none) touch(arm.node, false);
  for (const std::uint32_t node : {meeting.node, arm.node}) {
    ++trees_[node].degree;
    trees_[node].edges_xor ^= arm.edge;
  }
  std::uint32_t kept = own.cluster, lost = nodes_[arm.node].cluster;
  if (clusters_[kept].size < clusters_[lost].size) {
    kept ^= lost;
    lost ^= kept;
    kept ^= lost;
  }
  Cluster& into = clusters_[kept];
  const Cluster& from = clusters_[lost];
  for (std::uint32_t node = from.first_member; node != none; node = next_member_[node]) nodes_[node].cluster = kept;
  steps_ += from.size;
  next_member_[into.last_member] = from.first_member;
  into.last_member = from.last_member;
  if (from.first_open != none) {
    (into.first_open == none ? into.first_open : next_open_[into.last_open]) = from.first_open;
    into.last_open = from.last_open;
  }
  into.size += from.size;
  into.is_odd = into.is_odd != from.is_odd;
  if (into.boundary_at == none) into.boundary_at = from.boundary_at;
}

/// Takes leaves off the clusters' trees, an edge into the correction wherever a leaf is odd. Where a cluster touches the
/// boundary is its root, which keeps what is left over.
inline MatchResult UnionFind::peel() noexcept {
  MatchResult result{graph_.assumed_observables(), graph_.assumed_weight(), MatchOutcome::matched};
  const auto take = [&](std::uint32_t id) {
    const MergedEdge& edge = graph_.edges()[id];
    result.observables ^= edge.observables;
    result.weight += edge.weight;
    correction_[n_correction_++] = id;
  };
  for (std::size_t k = 0; k < n_touched_; ++k) {
    std::uint32_t node = touched_[k];
    const std::uint32_t root = clusters_[nodes_[node].cluster].boundary_at;
    ++steps_;
    while (trees_[node].degree == 1 && node != root) {
      Tree& leaf = trees_[node];
      const MergedEdge& edge = graph_.edges()[leaf.edges_xor];
      const std::uint32_t next = edge.a ^ edge.b ^ node;
      Tree& rest = trees_[next];
      if (leaf.is_odd) take(leaf.edges_xor);
      rest.is_odd = rest.is_odd != leaf.is_odd;
      rest.edges_xor ^= leaf.edges_xor;
      --rest.degree;
      leaf = Tree{};
      node = next;
      ++steps_;
    }
  }
  for (std::size_t k = 0; k < n_touched_; ++k) {
    const std::uint32_t node = touched_[k];
    if (!trees_[node].is_odd) continue;  // all that is left odd are roots
    take(graph_.boundary_edge(node));
    trees_[node].is_odd = false;
  }
  return result;
}

static_assert(Matcher<UnionFind>);

}  // namespace spinel
