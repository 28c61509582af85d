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
#include <initializer_list>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/matcher.hpp>

namespace spinel {

/// How finely weights are seen while clusters grow: as even lengths of which the mean is this, at most 254. In [2, 254].
struct UnionFindOptions {
  std::uint32_t mean_length = 24;
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
  static Result<UnionFind> create(std::size_t n_detectors, std::size_t n_observables, Span<const GraphEdge> edges,
                                  Span<std::byte> memory, const Options& options = {}) noexcept {
    if (n_observables > 64 || options.mean_length < 2 || options.mean_length > longest) return Status::bad_argument;
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
    pair_nearest();
    while (const std::uint32_t entry = next_entry()) {
      const std::uint32_t id = entries_[entry - 1].cluster;
      const Record& cluster = records_[id];
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
  /// edge: sum over v of (deg(v) + 1) (L(v) + 3), plus n (floor(log2 n) + 3). For: the first look at an event sees each of
  /// its edges once; after that a cluster that is looked at grows by at least one length unit, but for once a node
  /// right after the first look, and its nodes only until their longest edge is covered (and once to see that); every
  /// entry but an event's first follows such a look; of two clusters the smaller one's nodes change; and peeling
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
  static constexpr std::uint32_t longest = 254;  // of an edge, in length units
  static constexpr std::uint32_t n_buckets = 256;  // more than `longest`

  /// An edge as seen from one of its nodes. The boundary stands for a node of its own, which nothing ever covers.
  struct Arm {
    std::uint32_t node = 0;
    std::int32_t length = 0;
  };
  struct Node {
    std::uint32_t cluster = none;  // named after its first member
    std::int32_t radius = 0;       // how much of each of its edges it covers
  };
  /// The rest about a touched node, and about the cluster that has its name.
  struct Record {
    std::uint32_t next_member = none, next_open = none;
    std::uint32_t degree = 0, edges_xor = 0;  // of the edges over which clusters fused
    std::uint32_t last_member = 0;
    std::uint32_t first_open = 0, last_open = 0;  // nodes with an edge that is not covered yet
    std::uint32_t size = 1;
    std::uint32_t boundary_at = none;  // the node at which it touches the boundary
    std::uint32_t nearest = none;      // arm to the nearest event, if that is what is met first
    std::int64_t clock = 0;            // up to when it has grown
    bool is_odd = false;               // the cluster
    bool is_end = false;               // an event, later an odd number of ends of peeled edges
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
    edge_of_ = arena.take<std::uint32_t>(2 * n_edges);
    nodes_ = arena.take<Node>(n_detectors + 1);
    records_ = arena.take<Record>(n_detectors);
    touched_ = arena.take<std::uint32_t>(n_detectors);
    entries_ = arena.take<Entry>(n_detectors);
    meetings_ = arena.take<Meeting>(2 * n_edges);
    correction_ = arena.take<std::uint32_t>(2 * n_detectors);
    buckets_ = arena.take<std::uint32_t>(n_buckets);
  }
  void index(const Options& options) noexcept;

  static bool is_active(const Record& cluster) noexcept { return cluster.is_odd && cluster.boundary_at == none; }

  void touch(std::uint32_t node, bool is_event) noexcept {
    touched_[n_touched_++] = node;
    nodes_[node] = {node, 0};
    Record& record = records_[node];
    record = Record{};
    record.last_member = record.first_open = record.last_open = node;
    record.is_odd = record.is_end = is_event;
  }
  void begin(const std::uint8_t* events) noexcept {
    n_touched_ = n_correction_ = 0;
    steps_ = 0;
    now_ = 0;
    graph_.for_each_event(events, [&](std::uint32_t node) { touch(node, true); });
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

  void pair_nearest() noexcept;
  bool grow(std::uint32_t id, std::uint32_t entry) noexcept;
  void fuse(const Meeting& meeting) noexcept;
  MatchResult peel() noexcept;

  // == Permanent: fixed at set-up ==
  MatchingGraph graph_;
  Span<std::uint32_t> row_begin_;
  Span<Arm> arms_;               // by node, by ascending length
  Span<std::uint32_t> edge_of_;  // each arm's
  std::uint64_t step_bound_ = 0;
  // == Per shot; nodes of untouched clusters are as after set-up ==
  Span<Node> nodes_;  // the last one is the boundary
  Span<Record> records_;
  Span<std::uint32_t> touched_;
  Span<Entry> entries_;
  Span<Meeting> meetings_;
  Span<std::uint32_t> correction_;
  Span<std::uint32_t> buckets_;  // first entry of each, counted from 1
  std::uint64_t occupied_[n_buckets / 64] = {};
  std::size_t n_touched_ = 0, n_correction_ = 0;
  std::int64_t now_ = 0;
  std::uint64_t steps_ = 0;
};

inline void UnionFind::index(const Options& options) noexcept {
  const Span<const MergedEdge> edges = graph_.edges();
  double total = 0;
  for (const MergedEdge& edge : edges) total += edge.weight;
  const double scale = total > 0 ? static_cast<double>(options.mean_length) * static_cast<double>(edges.size()) / total : 1;
  const std::size_t n = n_detectors();
  std::uint32_t next = 0;
  step_bound_ = n * (static_cast<std::uint64_t>(std::bit_width(n)) + 2);
  for (std::uint32_t node = 0; node < n; ++node) {
    const std::uint32_t begin = next;
    row_begin_[node] = begin;
    for (const Neighbor& neighbor : graph_.neighbors(node)) edge_of_[next++] = neighbor.edge;
    if (const std::uint32_t edge = graph_.boundary_edge(node); edge != MatchingGraph::no_edge) edge_of_[next++] = edge;
    spinel::sort(edge_of_.data() + begin, edge_of_.data() + next, [&](std::uint32_t x, std::uint32_t y) {
      return edges[x].weight != edges[y].weight ? edges[x].weight < edges[y].weight : x < y;
    });
    for (std::uint32_t k = begin; k < next; ++k) {
      const MergedEdge& edge = edges[edge_of_[k]];
      const double half = 0.5 * static_cast<double>(edge.weight) * scale + 0.5;
      const auto rounded = static_cast<std::int32_t>(half < longest / 2 ? half : longest / 2);
      arms_[k] = {edge.b == boundary_node ? static_cast<std::uint32_t>(n) : edge.a ^ edge.b ^ node,
                  rounded > 0 ? 2 * rounded : 2};
    }
    const std::int32_t row_longest = next > begin ? arms_[next - 1].length : 0;
    step_bound_ += std::uint64_t{next - begin + 1} * static_cast<std::uint64_t>(row_longest + 3);
  }
  row_begin_[n] = next;
}

/// The first time that every event's cluster grows, for all at once: events that are each other's nearest are joined, and
/// those that meet one that prefers another wait half-way there. Lengths are even, so nothing is covered twice.
inline void UnionFind::pair_nearest() noexcept {
  const std::size_t n_events = n_touched_;
  for (std::size_t k = 0; k < n_events; ++k) {
    const std::uint32_t node = touched_[k], begin = row_begin_[node], end = row_begin_[node + 1];
    std::uint32_t first = end;
    for (std::uint32_t from = begin; from < end && first == end; from += 16) {
      const std::uint32_t count = end - from < 16 ? end - from : 16;
      std::uint32_t events = 0;
      for (std::uint32_t m = 0; m < count; ++m) events |= (nodes_[arms_[from + m].node].cluster != none ? 1u : 0u) << m;
      if (events != 0) first = from + static_cast<std::uint32_t>(std::countr_zero(events));
    }
    if (first < end && arms_[first].length / 2 < arms_[begin].length) records_[node].nearest = first;
    steps_ += end - begin;
  }
  for (std::size_t k = 0; k < n_events; ++k) {
    const std::uint32_t node = touched_[k], arm = records_[node].nearest;
    Record& own = records_[node];
    if (arm == none) {
      enqueue(static_cast<std::uint32_t>(k), node, 0);
      continue;
    }
    nodes_[node].radius = arms_[arm].length / 2;
    own.clock = nodes_[node].radius;
    const std::uint32_t other = arms_[arm].node, back = records_[other].nearest;
    if (back == none || arms_[back].node != node) enqueue(static_cast<std::uint32_t>(k), node, own.clock);
    else if (other < node) fuse({node, arm});
  }
}

/// Grows cluster `id`, whose clock is `now_`, until it covers an edge, and fuses it with what it meets. False: it has
/// nowhere left to grow.
inline bool UnionFind::grow(std::uint32_t id, std::uint32_t entry) noexcept {
  Record& cluster = records_[id];
  std::int32_t soonest = n_buckets;  // from now on
  std::size_t n_meetings = 0;
  for (std::uint32_t node = cluster.first_open, previous = none; node != none; node = records_[node].next_open) {
    bool is_open = false;
    const std::int32_t radius = nodes_[node].radius;
    for (std::uint32_t k = row_begin_[node]; k < row_begin_[node + 1]; ++k) {
      const Arm arm = arms_[k];
      const Node other = nodes_[arm.node];
      if (other.cluster == id) continue;
      is_open = true;
      std::int32_t wait = arm.length - radius - other.radius;
      if (other.cluster != none) {
        // Another active cluster has grown until its clock; from then on both cover the edge.
        const Record& met = records_[other.cluster];
        const auto ahead = static_cast<std::int32_t>(met.clock - now_);
        if (is_active(met) && wait > ahead) wait = (wait + ahead + 1) / 2;
      }
      if (wait > soonest) continue;
      if (wait < soonest) n_meetings = 0;
      soonest = wait;
      meetings_[n_meetings++] = {node, k};
    }
    steps_ += row_begin_[node + 1] - row_begin_[node] + 1;
    if (is_open) {
      previous = node;
    } else {
      (previous == none ? cluster.first_open : records_[previous].next_open) = records_[node].next_open;
      if (cluster.last_open == node) cluster.last_open = previous;
    }
  }
  if (n_meetings == 0) return false;
  for (std::uint32_t node = cluster.first_open; node != none; node = records_[node].next_open)
    nodes_[node].radius += soonest;
  const std::int64_t clock = now_ + soonest;
  cluster.clock = clock;
  for (std::size_t k = 0; k < n_meetings; ++k) fuse(meetings_[k]);
  const std::uint32_t name = nodes_[id].cluster;
  records_[name].clock = clock;
  if (is_active(records_[name])) enqueue(entry, name, clock);
  return true;
}

/// Joins the clusters at the ends of an edge if it is covered and they are still two.
inline void UnionFind::fuse(const Meeting& meeting) noexcept {
  const Arm arm = arms_[meeting.arm];
  const Node own = nodes_[meeting.node], other = nodes_[arm.node];
  if (arm.node == n_detectors()) {
    Record& cluster = records_[own.cluster];
    if (cluster.boundary_at == none) cluster.boundary_at = meeting.node;
    return;
  }
  if (other.cluster == own.cluster || own.radius + other.radius < arm.length) return;
  if (other.cluster == none) touch(arm.node, false);
  for (const std::uint32_t node : {meeting.node, arm.node}) {
    ++records_[node].degree;
    records_[node].edges_xor ^= edge_of_[meeting.arm];
  }
  std::uint32_t kept = own.cluster, lost = nodes_[arm.node].cluster;
  if (records_[kept].size < records_[lost].size) {
    kept ^= lost;
    lost ^= kept;
    kept ^= lost;
  }
  Record& into = records_[kept];
  const Record& from = records_[lost];
  for (std::uint32_t node = lost; node != none; node = records_[node].next_member) nodes_[node].cluster = kept;
  steps_ += from.size;
  records_[into.last_member].next_member = lost;
  into.last_member = from.last_member;
  if (from.first_open != none) {
    (into.first_open == none ? into.first_open : records_[into.last_open].next_open) = from.first_open;
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
    const std::uint32_t root = records_[nodes_[node].cluster].boundary_at;
    ++steps_;
    while (records_[node].degree == 1 && node != root) {
      Record& leaf = records_[node];
      const std::uint32_t id = leaf.edges_xor;
      const MergedEdge& edge = graph_.edges()[id];
      node ^= edge.a ^ edge.b;
      Record& rest = records_[node];
      if (leaf.is_end) take(id);
      rest.is_end = rest.is_end != leaf.is_end;
      rest.edges_xor ^= id;
      --rest.degree;
      leaf.degree = 0;
      leaf.is_end = false;
      ++steps_;
    }
  }
  for (std::size_t k = 0; k < n_touched_; ++k)
    if (records_[touched_[k]].is_end) take(graph_.boundary_edge(touched_[k]));  // roots: no other is left
  return result;
}

static_assert(Matcher<UnionFind>);

}  // namespace spinel
