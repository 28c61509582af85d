// SPDX-License-Identifier: Apache-2.0
// Exact minimum-weight perfect matching with boundary on any graphlike model, sized at run time in memory handed in.
// A first look pairs events that are each other's nearest and leaves dual variables that are feasible everywhere; the
// rest is matched one alternating tree at a time (alternating_tree.hpp). The weight returned is the dual objective,
// which equals the matching's own weight only if both are optimal: `certificate` compares them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/match/alternating_tree.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/matcher.hpp>
#include <spinel/match/path_tables.hpp>
#include <spinel/match/shortest_paths.hpp>

namespace spinel {

class ExactMatcher {
 public:
  using Options = PathTableOptions;

  /// Bytes that `create` needs for these sizes, whatever the edges are.
  static std::size_t memory_needed(std::size_t n_detectors, std::size_t n_edges, std::size_t n_observables,
                                   const Options& options = {}) noexcept {
    Arena counter;
    ExactMatcher{}.lay_out(n_detectors, n_edges, n_observables, options, counter);
    return counter.used() + Arena::alignment;
  }

  /// A matcher that lives in `memory` (which it must not outlive). Probabilities become weights as `MatchingGraph`
  /// says. Set-up runs one bounded Dijkstra search a detector.
  /// Errors: those of `MatchingGraph::build`; out_of_capacity if `memory` is smaller than `memory_needed`;
  /// bad_argument for more than 64 observables.
  static Result<ExactMatcher> create(std::size_t n_detectors, std::size_t n_observables, Span<const GraphEdge> edges,
                                     Span<std::byte> memory, const Options& options = {}) noexcept {
    if (n_observables > 64) return Status::bad_argument;
    if (n_detectors > MatchingGraph::max_detectors || edges.size() > MatchingGraph::max_detectors) return Status::bad_shape;
    Arena arena(memory);
    ExactMatcher matcher;
    matcher.lay_out(n_detectors, edges.size(), n_observables, options, arena);
    if (arena.overflowed() || memory.empty()) return Status::out_of_capacity;
    if (const Status status = matcher.graph_.build(edges); status != Status::ok) return status;
    matcher.paths_.prepare(matcher.graph_);
    matcher.tables_.build(matcher.graph_, matcher.paths_);
    return matcher;
  }

  /// The minimum-weight explanation of one packed shot. Time grows with the number of events, not of detectors
  /// (but for one read of the bits).
  MatchResult decode(const std::uint8_t* events) noexcept { return decode(events, {}); }

  /// The same with other weights for this shot (erasures, leakage, soft readout, a second pass), which hold until the
  /// next call. Applying and undoing them takes time in proportion to their number, but no table of distances is of use
  /// then: every look at the graph is a search. Of several weights for one edge the last one counts; edges beyond
  /// `graph().edges()` are ignored.
  MatchResult decode(const std::uint8_t* events, Span<const EdgeWeight> weights) noexcept {
    apply(weights);
    read(events);
    const std::size_t n_left = match_mutual(by_search());
    for (std::size_t k = 0; k < n_left; ++k) {
      if (tree_.top_of(unpaired_[k]).link.v != detail::unmatched) continue;
      if (!tree_.search(graph_, tables_, paths_, unpaired_[k])) return give_up();
    }
    MatchResult result{graph_.assumed_observables(), graph_.assumed_weight() + dual_objective(), MatchOutcome::matched};
    resolve_blossoms();
    n_pairs_ = 0;
    for (std::size_t k = 0; k < tree_.n_leaves(); ++k) {
      const auto id = static_cast<std::int32_t>(k);
      if (mates_[k].v != detail::to_boundary && mates_[k].v < id) continue;
      result.observables ^= flips(id, mates_[k]);
      mates_[n_pairs_++] = {id, mates_[k].v, mates_[k].path};
    }
    tree_.end();
    return result;
  }

  std::size_t n_detectors() const noexcept { return graph_.n_detectors(); }
  double nats_per_unit() const noexcept { return graph_.nats_per_unit(); }
  const MatchingGraph& graph() const noexcept { return graph_; }

  // == About the last shot decoded, if it was matched ==
  std::size_t n_pairs() const noexcept { return n_pairs_; }
  /// Pair `k` of the matching, with the weight and observables of its path. Mechanisms assumed to have happened are
  /// accounted for in the events, not here.
  MatchedPair pair(std::size_t k) noexcept;
  /// Calls `visit(edge)` with an index into `graph().edges()` for every edge on the paths of the matching; an edge
  /// visited an odd number of times happened, a negated one an even number of times.
  template <class Visit>
  void for_matched_edges(Visit&& visit) noexcept {
    for (std::size_t k = 0; k < n_pairs_; ++k) walk(mates_[k], visit);
  }
  /// What the two sides of the optimality proof come to: the matching's own weight, the duals' objective, and whether
  /// the duals are feasible for every pair of events (found afresh on the graph). For tests: slow.
  struct Certificate {
    std::int64_t primal = 0;
    std::int64_t dual = 0;
    bool feasible = false;
    bool proves_optimality() const noexcept { return feasible && primal == dual; }
  };
  Certificate certificate() noexcept;

 private:
  void lay_out(std::size_t n_detectors, std::size_t n_edges, std::size_t n_observables, const Options& options,
               Arena& arena) noexcept {
    graph_.lay_out(n_detectors, n_edges, arena);
    paths_.lay_out(n_detectors, n_edges, arena);
    tables_.lay_out(n_detectors, n_observables, options, arena);
    tree_.lay_out(n_detectors, options, arena);
    nearest_ = arena.take<detail::Link>(n_detectors);
    unpaired_ = arena.take<std::int32_t>(n_detectors);
    mates_ = arena.take<detail::Link>(n_detectors);
    changed_ = arena.take<EdgeWeight>(n_edges);
    is_changed_ = arena.take<std::uint8_t>(n_edges);
    to_resolve_ = arena.take<detail::Link>(n_detectors + n_detectors / 2 + 1);
  }

  bool by_search() const noexcept { return n_changed_ > 0; }
  /// Takes back the last shot's own weights and sets this one's.
  void apply(Span<const EdgeWeight> weights) noexcept {
    for (std::size_t k = 0; k < n_changed_; ++k) {
      graph_.set_weight(changed_[k]);
      is_changed_[changed_[k].edge] = 0;
    }
    n_changed_ = 0;
    std::uint64_t largest = 0;
    for (const EdgeWeight& change : weights) {
      if (change.edge >= graph_.edges().size()) continue;
      if (is_changed_[change.edge] == 0) changed_[n_changed_++] = {change.edge, graph_.signed_weight(change.edge)};
      is_changed_[change.edge] = 1;
      largest = spinel::max<std::uint64_t>(largest, change.weight < 0 ? 0u - static_cast<std::uint32_t>(change.weight)
                                                                   : static_cast<std::uint32_t>(change.weight));
      graph_.set_weight(change);
    }
    paths_.expect(largest);
  }

  void read(const std::uint8_t* events) noexcept {
    tree_.begin(by_search());
    const std::size_t n_bytes = (n_detectors() + 7) / 8;
    const auto assumed = graph_.assumed_events();
    for (std::size_t w = 0; 8 * w < n_bytes; ++w) {
      std::uint64_t word = 0;
      if (std::endian::native == std::endian::little && 8 * w + 8 <= n_bytes) {
        std::memcpy(&word, events + 8 * w, 8);
      } else {
        for (std::size_t b = 0; b < 8 && 8 * w + b < n_bytes; ++b) word |= std::uint64_t{events[8 * w + b]} << (8 * b);
      }
      word ^= assumed[w];
      if (const std::size_t past = n_detectors() - 64 * w; past < 64) word &= (std::uint64_t{1} << past) - 1;
      for (; word != 0; word &= word - 1)
        tree_.add_leaf(static_cast<std::uint32_t>(64 * w) + static_cast<std::uint32_t>(std::countr_zero(word)));
    }
  }

  /// Matches what is tight after the first look; returns how many events are left in `unpaired_`.
  std::size_t match_mutual(bool searching) noexcept {
    if (searching) search_nearest();
    else look_nearest();
    std::size_t n_left = 0;
    for (std::size_t k = 0; k < tree_.n_leaves(); ++k) {
      const auto id = static_cast<std::int32_t>(k);
      const std::int32_t other = nearest_[k].v;
      const bool mutual = other == detail::to_boundary || (other >= 0 && nearest_[static_cast<std::size_t>(other)].v == id);
      if (mutual) tree_.item(id).link = nearest_[k];
      else unpaired_[n_left++] = id;
    }
    return n_left;
  }

  /// Gives every event half the way to its nearest, at most its way to the boundary and half of what its row covers:
  /// feasible for every pair.
  void look_nearest() noexcept {
    for (std::size_t k = 0; k < tree_.n_leaves(); ++k) {
      const auto id = static_cast<std::int32_t>(k);
      detail::Leaf& leaf = tree_.leaf(id);
      const FirstLook& look = tables_.first_look(leaf.node);
      const std::int32_t* leaf_at_node = tree_.leaf_at(leaf.node);
      nearest_[k] = {id, detail::unmatched, 0};
      std::uint32_t radius = look.radius == FirstLook::unbounded ? 0 : look.radius / 2;
      const std::uint32_t events = tables_.events_among(look.begin, leaf_at_node) & ((1u << look.count) - 1);
      if (events != 0) {
        const std::uint32_t entry = look.begin + static_cast<std::uint32_t>(std::countr_zero(events));
        radius = tables_.distance(entry) / 2;
        nearest_[k] = {id, leaf_at_node[tables_.offset(entry)], entry};
      }
      if (look.boundary_distance <= radius) {  // false where there is no boundary
        radius = look.boundary_distance;
        nearest_[k] = {id, detail::to_boundary, 0};
      }
      leaf.radius = radius;
    }
  }
  /// The same on the graph itself: a search from every event to the first other one, or twice the way to the boundary.
  void search_nearest() noexcept {
    for (std::size_t k = 0; k < tree_.n_leaves(); ++k) {
      const auto id = static_cast<std::int32_t>(k);
      detail::Leaf& leaf = tree_.leaf(id);
      nearest_[k] = {id, detail::unmatched, 0};
      leaf.explored = 2 * infinite_distance;
      paths_.from_node(graph_, leaf.node, [&](std::uint32_t node, std::int64_t distance) {
        const std::int32_t other = *tree_.leaf_at(node);
        const bool met = other >= 0 && other != id;
        if (met) nearest_[k] = {id, other, detail::searched_path};
        if (!met && distance < 2 * leaf.boundary_distance) {
          detail::AlternatingTree::meet_way_out(graph_, leaf, node, distance);
          return true;
        }
        leaf.explored = distance;
        return false;
      });
      paths_.clear();
      leaf.radius = leaf.explored >= infinite_distance ? 0 : leaf.explored / 2;
      if (leaf.boundary_distance <= leaf.explored / 2) {
        leaf.radius = leaf.boundary_distance;
        if (leaf.radius < infinite_distance) nearest_[k] = {id, detail::to_boundary, 0};
        else leaf.radius = 0;
      }
    }
  }

  std::int64_t dual_objective() noexcept {
    std::int64_t total = 0;
    for (std::size_t k = 0; k < tree_.n_leaves(); ++k) total += tree_.leaf(static_cast<std::int32_t>(k)).radius;
    tree_.for_blossoms([&](std::int32_t id) { total -= tree_.item(id).dual * (tree_.item(id).n_leaves - 1); });
    return total;
  }

  void resolve_blossoms() noexcept;
  MatchResult give_up() noexcept {
    n_pairs_ = 0;
    tree_.end();
    return {0, 0, MatchOutcome::no_perfect_matching};
  }
  ObservableFlips flips(std::int32_t id, const detail::Link& mate) noexcept {
    if (!by_search() && mate.v == detail::to_boundary) return tables_.row(tree_.leaf(id).node).boundary_observables;
    if (mate.v != detail::to_boundary && mate.path != detail::searched_path) return tables_.flips(mate.path);
    ObservableFlips flips = 0;
    walk(mate, [&](std::uint32_t edge) { flips ^= graph_.edges()[edge].observables; });
    return flips;
  }
  /// Calls `visit(edge)` along a shortest path from node a to node b.
  template <class Visit>
  void walk_path(std::uint32_t a, std::uint32_t b, Visit&& visit) noexcept {
    paths_.from_node(graph_, a, [&](std::uint32_t node, std::int64_t) { return node != b; });
    for (std::uint32_t node = b; node != a;) {
      const std::uint32_t edge = paths_.arrival_edge(node);
      visit(edge);
      node ^= graph_.edges()[edge].a ^ graph_.edges()[edge].b;
    }
    paths_.clear();
  }
  template <class Visit>
  void walk_out(const detail::Leaf& leaf, Visit&& visit) noexcept {
    std::uint32_t last = leaf.node;
    paths_.from_node(graph_, leaf.node, [&](std::uint32_t node, std::int64_t distance) {
      last = node;
      const std::uint32_t edge = graph_.boundary_edge(node);
      return edge == MatchingGraph::no_edge || distance + graph_.edges()[edge].weight != leaf.boundary_distance;
    });
    paths_.clear();
    visit(graph_.boundary_edge(last));
    walk_path(leaf.node, last, visit);
  }
  /// Calls `visit(edge)` along the path of a pair: among equally short ones the same that gave its observables.
  template <class Visit>
  void walk(const detail::Link& mate, Visit&& visit) noexcept {
    if (by_search() && mate.v < 0) return walk_out(tree_.leaf(mate.u), visit);
    std::uint32_t a = tree_.leaf(mate.u).node;
    if (mate.v >= 0) {
      std::uint32_t b = tree_.leaf(mate.v).node;
      const bool from_b = mate.path != detail::searched_path &&
                          a + static_cast<std::uint32_t>(tables_.offset(mate.path)) != b;
      if (from_b) spinel::swap(a, b);
      return walk_path(a, b, visit);
    }
    while (a != boundary_node) {
      const std::uint32_t edge = tables_.row(a).boundary_edge;
      visit(edge);
      const MergedEdge& merged = graph_.edges()[edge];
      a = merged.b == boundary_node ? boundary_node : merged.a ^ merged.b ^ a;
    }
  }

  // == Permanent: fixed at set-up ==
  MatchingGraph graph_;
  PathTables tables_;
  ShortestPaths paths_;
  // == Per shot ==
  detail::AlternatingTree tree_;
  Span<EdgeWeight> changed_;  // with the weights they had before
  Span<std::uint8_t> is_changed_;
  std::size_t n_changed_ = 0;
  Span<detail::Link> nearest_;
  Span<std::int32_t> unpaired_;
  Span<detail::Link> mates_;       // by leaf while resolving, then one a pair
  Span<detail::Link> to_resolve_;  // u: leaf matched to the outside, v: item
  std::size_t n_pairs_ = 0;
};

/// Turns the matching of blossoms into one of leaves: around its ring, a blossom's children other than the one that is
/// matched outside are matched in pairs.
inline void ExactMatcher::resolve_blossoms() noexcept {
  std::size_t n = 0;
  for (std::size_t k = 0; k < tree_.n_leaves(); ++k) {
    const auto id = static_cast<std::int32_t>(k);
    if (tree_.leaf(id).top == id) mates_[k] = tree_.item(id).link;
  }
  tree_.for_blossoms([&](std::int32_t id) {
    const detail::Item& blossom = tree_.item(id);
    if (blossom.parent >= 0) return;
    mates_[static_cast<std::size_t>(blossom.link.u)] = blossom.link;
    to_resolve_[n++] = {blossom.link.u, id, 0};
  });
  while (n > 0) {
    const detail::Link task = to_resolve_[--n];
    const std::int32_t base = tree_.child_with(task.u, task.v);
    if (tree_.is_blossom(base)) to_resolve_[n++] = {task.u, base, 0};
    for (std::int32_t left = tree_.item(base).next_sibling; left != base;) {
      const detail::Link link = tree_.item(left).sibling;
      const std::int32_t right = tree_.item(left).next_sibling;
      mates_[static_cast<std::size_t>(link.u)] = link;
      mates_[static_cast<std::size_t>(link.v)] = {link.v, link.u, link.path};
      if (tree_.is_blossom(left)) to_resolve_[n++] = {link.u, left, 0};
      if (tree_.is_blossom(right)) to_resolve_[n++] = {link.v, right, 0};
      left = tree_.item(right).next_sibling;
    }
  }
}

inline MatchedPair ExactMatcher::pair(std::size_t k) noexcept {
  const detail::Link& mate = mates_[k];
  MatchedPair pair{tree_.leaf(mate.u).node, mate.v < 0 ? boundary_node : tree_.leaf(mate.v).node, 0, 0};
  walk(mate, [&](std::uint32_t edge) {
    pair.observables ^= graph_.edges()[edge].observables;
    pair.weight += graph_.edges()[edge].weight;
  });
  return pair;
}

inline ExactMatcher::Certificate ExactMatcher::certificate() noexcept {
  Certificate result{graph_.assumed_weight(), graph_.assumed_weight() + dual_objective(), true};
  for (std::size_t k = 0; k < n_pairs_; ++k) result.primal += pair(k).weight;
  tree_.for_blossoms([&](std::int32_t id) { result.feasible &= tree_.item(id).dual >= 0; });
  for (std::size_t k = 0; k < tree_.n_leaves(); ++k) {
    const auto id = static_cast<std::int32_t>(k);
    const detail::Leaf& own = tree_.leaf(id);
    std::int64_t way_out = infinite_distance;
    paths_.from_node(graph_, own.node, [&](std::uint32_t node, std::int64_t distance) {
      if (const std::uint32_t edge = graph_.boundary_edge(node); edge != MatchingGraph::no_edge)
        way_out = spinel::min(way_out, distance + graph_.edges()[edge].weight);
      for (std::size_t m = 0; m < tree_.n_leaves(); ++m) {
        const auto other_id = static_cast<std::int32_t>(m);
        const detail::Leaf& other = tree_.leaf(other_id);
        if (other.node != node || m == k) continue;
        if (!by_search() &&
            distance >= tables_.row(own.node).boundary_distance + tables_.row(node).boundary_distance)
          continue;
        std::int64_t shared = 0;
        tree_.for_blossoms([&](std::int32_t b) {
          if (tree_.contains(b, id) && tree_.contains(b, other_id)) shared += 2 * tree_.item(b).dual;
        });
        result.feasible &= own.radius + other.radius - shared <= distance;
      }
      return true;
    });
    paths_.clear();
    result.feasible &= own.radius <= way_out;
  }
  return result;
}

static_assert(Matcher<ExactMatcher>);

}  // namespace spinel
