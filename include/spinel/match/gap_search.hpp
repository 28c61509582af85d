// SPDX-License-Identifier: Apache-2.0
// From the best solution to the best one of the other class, where the observable is the parity of the paths that end on
// one of two sides of the boundary: a path is forced from one side to the other. Both sides grow as the roots of
// two alternating trees in what the exact matcher left behind, whose duals stay feasible, until the trees meet.
// Whatever grows (a side, a plus leaf) does so to the end, so every node belongs to what reaches it first, and things
// meet where their cells do. A side's cell is known beforehand: only what leaves reach earlier is ever walked.
// Source: Edmonds' blossom algorithm started from an optimum (one augmentation more), cells as in Mehlhorn, Inf. Process.
// Lett. 27 (1988) 125, this library's own combination; the gap: Gidney, Newman, Brooks, Jones, arXiv:2312.04522.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/span.hpp>
#include <spinel/match/alternating_tree.hpp>
#include <spinel/match/gap_distances.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/shortest_paths.hpp>

namespace spinel::detail {

class GapSearch {
 public:
  void lay_out(std::size_t n_detectors, std::size_t n_edges, Arena& arena) noexcept {
    n_items_ = n_detectors + n_detectors / 2 + 1;
    groups_ = arena.take<Group>(n_items_ + 2);
    queue_ = arena.take<Entry>(2 * n_detectors + n_items_);
    members_ = arena.take<std::int32_t>(n_detectors);
    columns_ = arena.take<std::uint32_t>(n_detectors);
    gathered_ = arena.take<std::uint32_t>(n_detectors);
    cells_ = arena.take<Cell>(n_detectors);
    touched_ = arena.take<std::uint32_t>(n_detectors);
    front_ = arena.take<Arrival>(2 * n_edges + n_detectors + 1);
  }
  /// To be called whenever the sides are others than for the last shot.
  void use(const SideDistances& sides) noexcept {
    for (std::uint32_t node = 0; node < cells_.size(); ++node) cells_[node] = cell_of_side(sides, node);
  }

  /// The least weight to be added for a solution of the other class, or `limit` if that is less; `tree` holds the leaves, blossoms and duals of an
  /// optimal one, which are used up. Times are half of what is added, as both roots grow. Without distances between all
  /// pairs (none: `n` is 0) the graph is walked.
  std::int64_t run(const MatchingGraph& graph, Span<const std::uint8_t> side_of, const SideDistances& sides,
                   const PairDistances& pairs, AlternatingTree& tree, std::int64_t limit) noexcept {
    const Context context{graph, side_of, sides, pairs, tree};
    if (sides.across == infinite_distance) return limit;
    end_ = spinel::min(sides.across / 2, limit - limit / 2);
    begin(context);
    while (n_queued_ > 0) {
      spinel::pop_heap(queue_.data(), queue_.data() + n_queued_, later<Entry>);
      const Entry entry = queue_[--n_queued_];
      if (entry.time >= end_) break;
      tree.now_ = entry.time;
      handle(context, entry);
    }
    for (std::size_t k = 0; k < n_touched_; ++k) cells_[touched_[k]] = cell_of_side(sides, touched_[k]);
    return spinel::min(2 * end_, limit);
  }

 private:
  struct Context {
    const MatchingGraph& graph;
    Span<const std::uint8_t> side_of;
    const SideDistances& sides;
    const PairDistances& pairs;
    AlternatingTree& tree;
  };
  /// What leaf `leaf` meets next, at an absolute time; or the leaf met by a side, or the blossom that falls apart.
  struct Entry {
    std::int64_t time = 0;
    std::int32_t leaf = 0;
    std::int32_t target = 0;    // a leaf, a side or one of the constants
    Label label = Label::plus;  // of the target when it was seen
  };
  static constexpr std::int32_t side_0 = -1, met_by_side = -3, falls_apart = -4, nothing = -5;
  static constexpr std::int32_t side_owner(std::uint8_t side) noexcept { return side_0 - side; }
  /// Who reaches a node first, and when: a plus leaf or a side.
  struct Cell {
    std::int64_t arrival = infinite_distance;
    std::int32_t owner = side_0;
    std::uint32_t walk = 0;  // the last one that came here
  };
  struct Arrival {
    std::int64_t time = 0;
    std::uint32_t node = 0;
  };
  /// Plus items that were merged form a group, known by one of them or by a root (a side and all that is matched to it).
  struct Group {
    std::int32_t up = 0;    // towards the representative
    std::int32_t base = 0;  // of a representative: the item whose matching edge leads to the root
    std::uint32_t mark = 0;
    std::uint8_t side = 0;  // of every item in a tree
  };
  template <class T>
  static bool later(const T& x, const T& y) noexcept {
    return x.time > y.time;
  }
  static Cell cell_of_side(const SideDistances& sides, std::uint32_t node) noexcept {
    const std::uint8_t side = sides.to[1][node] < sides.to[0][node] ? 1 : 0;
    return {sides.to[side][node], side_owner(side), 0};
  }
  Group& group(std::int32_t id) noexcept { return groups_[static_cast<std::size_t>(id)]; }
  std::int32_t root(std::uint8_t side) const noexcept { return static_cast<std::int32_t>(n_items_) + side; }
  bool is_root(std::int32_t id) const noexcept { return id >= static_cast<std::int32_t>(n_items_); }
  std::int32_t find(std::int32_t id) noexcept {
    while (group(id).up != id) id = group(id).up = group(group(id).up).up;
    return id;
  }
  std::int32_t group_of_owner(const Context& context, std::int32_t owner) noexcept {
    return owner >= 0 ? find(context.tree.leaf(owner).top) : root(static_cast<std::uint8_t>(side_0 - owner));
  }
  void push(const Entry& entry) noexcept {
    if (entry.time >= end_) return;
    queue_[n_queued_++] = entry;
    spinel::push_heap(queue_.data(), queue_.data() + n_queued_, later<Entry>);
  }
  /// An item in a tree: alone in its group if it is plus.
  void enter(std::int32_t id, std::uint8_t side) noexcept { group(id) = {id, id, 0, side}; }

  void begin(const Context& context) noexcept;
  void handle(const Context& context, const Entry& entry) noexcept;
  void push_waiting(const Context& context) noexcept;
  void grow(const Context& context, std::int32_t leaf_id, std::int32_t from, std::uint8_t side) noexcept;
  void expand(const Context& context, std::int32_t blossom) noexcept;
  void merge(const Context& context, std::int32_t one, std::int32_t two) noexcept;
  void flood_from(const Context& context, std::size_t first_event) noexcept;
  void flood(const Context& context, std::int32_t leaf_id) noexcept;
  void look_ahead(const Context& context, std::int32_t leaf_id) noexcept;
  void look_at_pairs(const Context& context, std::int32_t leaf_id) noexcept;
  void meet_at(const Context& context, std::uint32_t node, std::int64_t arrival, Entry& next) noexcept;
  void meet_over(const Context& context, const Cell& other, std::int64_t both_arrive, Entry& next) noexcept;
  void push_next(const Context& context, Entry next) noexcept {
    next.time = spinel::max(next.time, context.tree.now_);
    if (next.target != nothing) push(next);
  }

  // == Permanent: fixed at set-up ==
  std::size_t n_items_ = 0;
  Span<Group> groups_;
  Span<Entry> queue_;
  Span<std::int32_t> members_;  // leaves that have two sides
  Span<std::uint32_t> columns_, gathered_;  // of the members: in the distances between pairs, and those to them
  Span<Arrival> front_;         // of the walk that is under way
  // == Per shot; cells of untouched nodes are the sides' ==
  Span<Cell> cells_;
  Span<std::uint32_t> touched_;
  std::size_t n_queued_ = 0, n_members_ = 0, n_touched_ = 0;
  std::int64_t end_ = 0;             // the earliest that the trees are known to meet
  std::int64_t widest_outside_ = 0, widest_plus_ = 0;  // radii; of plus leaves, minus the time
  std::int32_t own_group_ = 0;       // of the leaf that looks ahead
  std::uint32_t n_marks_ = 0, n_walks_ = 0;
};

inline void GapSearch::begin(const Context& context) noexcept {
  AlternatingTree& tree = context.tree;
  tree.now_ = 0;
  tree.n_events_ = tree.n_plus_ = tree.n_minus_ = 0;
  n_queued_ = n_members_ = n_touched_ = 0;
  widest_outside_ = widest_plus_ = 0;
  n_marks_ = n_walks_ = 0;
  for (std::size_t k = 0; k < tree.n_leaves_; ++k) {
    const auto id = static_cast<std::int32_t>(k);
    const std::uint32_t node = tree.leaf(id).node;
    if (cells_[node].arrival == infinite_distance) continue;
    columns_[n_members_] = context.pairs.n > 0 ? context.pairs.index[node] : 0;
    members_[n_members_++] = id;
  }
  if (n_members_ == 0) return;
  for (std::uint8_t side = 0; side < 2; ++side) enter(root(side), side);
  // What is matched to a side grows with it from the start.
  for (std::size_t k = 0; k < n_members_; ++k) {
    const std::int32_t id = tree.leaf(members_[k]).top;
    Item& item = tree.item(id);
    if (item.first_leaf != members_[k] || item.link.v != to_boundary) continue;
    const auto side = static_cast<std::uint8_t>(side_0 - cells_[tree.leaf(item.link.u).node].owner);
    group(id) = {root(side), id, 0, side};
    item.label = Label::plus;
    tree.for_leaves(id, [&](std::int32_t u) {
      tree.add_event(u);
      const Leaf& leaf = tree.leaf(u);
      end_ = spinel::min(end_, (context.sides.to[1 - side][leaf.node] - leaf.radius) / 2);
    });
  }
  for (std::size_t k = 0; k < n_members_; ++k) {
    const Leaf& leaf = tree.leaf(members_[k]);
    if (tree.item(leaf.top).label == Label::outside) widest_outside_ = spinel::max(widest_outside_, leaf.radius);
  }
  push_waiting(context);
  flood_from(context, 0);
}

/// When a side meets what is still outside.
inline void GapSearch::push_waiting(const Context& context) noexcept {
  const AlternatingTree& tree = context.tree;
  for (std::size_t k = 0; k < n_members_; ++k) {
    const Leaf& leaf = tree.leaf(members_[k]);
    const std::int64_t distance = spinel::min(context.sides.to[0][leaf.node], context.sides.to[1][leaf.node]);
    if (tree.item(leaf.top).label == Label::outside) push({distance - leaf.radius, members_[k], met_by_side, Label::plus});
  }
}

/// The meeting of two plus leaves is never later than its entry says, and if it was sooner, another entry has brought it
/// about; what was outside may have changed.
inline void GapSearch::handle(const Context& context, const Entry& entry) noexcept {
  AlternatingTree& tree = context.tree;
  if (entry.target == falls_apart) {
    const Item& blossom = tree.item(entry.leaf);
    if (blossom.n_leaves > 0 && blossom.label == Label::minus && blossom.dual == entry.time) expand(context, entry.leaf);
    return;
  }
  const Leaf& own = tree.leaf(entry.leaf);
  if (entry.target == met_by_side) {
    const auto& to = context.sides.to;
    if (tree.item(own.top).label == Label::outside)
      grow(context, entry.leaf, side_0, to[1][own.node] < to[0][own.node] ? 1 : 0);
    return;
  }
  const std::int32_t own_group = find(own.top);
  if (entry.label == Label::outside) {
    if (tree.item(tree.leaf(entry.target).top).label == Label::outside)
      grow(context, entry.target, entry.leaf, group(own_group).side);
  } else {
    const std::int32_t other_group = group_of_owner(context, entry.target);
    if (group(other_group).side != group(own_group).side) {
      end_ = entry.time;
      return;
    }
    if (other_group != own_group) merge(context, own_group, other_group);
  }
  look_ahead(context, entry.leaf);
}

/// The outside item of `leaf_id`, met by leaf `from` or a side itself, becomes minus, its partner plus.
inline void GapSearch::grow(const Context& context, std::int32_t leaf_id, std::int32_t from, std::uint8_t side) noexcept {
  AlternatingTree& tree = context.tree;
  const std::int32_t minus = tree.leaf(leaf_id).top;
  const std::int32_t partner = tree.item(minus).link.v;
  if (partner < 0) return;
  const std::size_t n_before = tree.n_events_;
  enter(minus, side);
  enter(tree.leaf(partner).top, side);
  tree.grow(minus, {from, leaf_id, searched_path});
  if (tree.is_blossom(minus)) push({tree.item(minus).dual, minus, falls_apart, Label::minus});
  flood_from(context, n_before);
}

/// After this plus leaves may meet what they could not before, so all of them look ahead again.
inline void GapSearch::expand(const Context& context, std::int32_t blossom) noexcept {
  AlternatingTree& tree = context.tree;
  const std::uint8_t side = group(blossom).side;
  const std::size_t n_plus = tree.n_plus_, n_minus = tree.n_minus_ - 1, n_before = tree.n_events_;
  tree.expand_blossom(blossom);
  for (std::size_t k = n_plus; k < tree.n_plus_; ++k) enter(tree.plus_[k], side);
  for (std::size_t k = n_minus; k < tree.n_minus_; ++k) enter(tree.minus_[k], side);
  n_queued_ = 0;
  for (std::size_t k = 0; k < tree.n_minus_; ++k) {
    const std::int32_t id = tree.minus_[k];
    if (tree.is_blossom(id)) push({tree.item(id).dual, id, falls_apart, Label::minus});
  }
  push_waiting(context);
  for (std::size_t k = 0; k < n_before; ++k) look_ahead(context, tree.events_[k].leaf);
  flood_from(context, n_before);
}

/// Two groups of one tree met: with all that is between them and their first common ancestor they become one.
inline void GapSearch::merge(const Context& context, std::int32_t one, std::int32_t two) noexcept {
  AlternatingTree& tree = context.tree;
  const auto minus_above = [&](std::int32_t id) { return tree.leaf(tree.item(group(id).base).link.v).top; };
  const auto plus_above = [&](std::int32_t minus) {
    const std::int32_t from = tree.item(minus).tree.u;
    return from < 0 ? root(group(minus).side) : find(tree.leaf(from).top);
  };
  ++n_marks_;
  for (std::int32_t id = one;; id = plus_above(minus_above(id))) {
    group(id).mark = n_marks_;
    if (is_root(id)) break;
  }
  std::int32_t common = two;
  while (group(common).mark != n_marks_) common = plus_above(minus_above(common));
  const std::size_t n_before = tree.n_events_;
  for (std::int32_t id : {one, two})
    while (id != common) {
      const std::int32_t minus = minus_above(id);
      const std::int32_t above = plus_above(minus);
      group(id).up = common;
      group(minus).up = common;
      tree.item(minus).label = Label::plus;
      AlternatingTree::erase(tree.minus_, tree.n_minus_, minus);
      tree.for_leaves(minus, [&](std::int32_t k) {
        tree.leaf(k).radius -= 2 * tree.now_;
        tree.add_event(k);
      });
      id = above;
    }
  flood_from(context, n_before);
}

inline void GapSearch::flood_from(const Context& context, std::size_t first_event) noexcept {
  const AlternatingTree& tree = context.tree;
  const std::size_t end = tree.n_events_;
  if (context.pairs.n == 0) {
    for (std::size_t k = first_event; k < end; ++k) flood(context, tree.events_[k].leaf);
    return;
  }
  for (std::size_t k = first_event; k < end; ++k)
    widest_plus_ = spinel::max(widest_plus_, tree.leaf(tree.events_[k].leaf).radius);
  for (std::size_t k = first_event; k < end; ++k) look_at_pairs(context, tree.events_[k].leaf);
}

/// The next thing that a plus leaf meets, from its distances to all others.
inline void GapSearch::look_at_pairs(const Context& context, std::int32_t leaf_id) noexcept {
  const AlternatingTree& tree = context.tree;
  const Leaf& own = tree.leaf(leaf_id);
  const auto& to = context.sides.to;
  own_group_ = find(own.top);
  Entry next{end_, leaf_id, nothing, Label::plus};
  for (std::uint8_t side = 0; side < 2; ++side)
    meet_over(context, {0, side_owner(side), 0}, to[side][own.node] - own.radius, next);
  const std::uint32_t* row = &context.pairs.distances[context.pairs.index[own.node] * context.pairs.n];
  for (std::size_t k = 0; k < n_members_; ++k) gathered_[k] = row[columns_[k]];
  for (std::size_t k = 0; k < n_members_; ++k) {
    const std::int64_t apart = std::int64_t{gathered_[k]} - own.radius;
    if (apart >= next.time + spinel::max(widest_outside_, next.time + widest_plus_)) continue;
    const Leaf& other = tree.leaf(members_[k]);
    const Label label = tree.item(other.top).label;
    if (label == Label::plus) {
      if (members_[k] != leaf_id) meet_over(context, {0, members_[k], 0}, apart - other.radius, next);
    } else if (label == Label::outside && apart < cells_[other.node].arrival && apart - other.radius < next.time) {
      next.time = apart - other.radius;  // unless a side meets it first
      next.target = members_[k];
      next.label = Label::outside;
    }
  }
  push_next(context, next);
}

/// A leaf became plus: it takes the nodes that it reaches first, and sees what is around them.
inline void GapSearch::flood(const Context& context, std::int32_t leaf_id) noexcept {
  const Leaf& own = context.tree.leaf(leaf_id);
  own_group_ = find(own.top);
  Entry next{end_, leaf_id, nothing, Label::plus};
  std::size_t n = 0;
  const auto take = [&](std::uint32_t node, std::int64_t arrival) {
    Cell& cell = cells_[node];
    if (cell.walk == 0) touched_[n_touched_++] = node;
    cell = {arrival, leaf_id, spinel::max(1u, cell.walk)};
    front_[n++] = {arrival, node};
    spinel::push_heap(front_.data(), front_.data() + n, later<Arrival>);
  };
  // Radii of leaves are not negative, so nothing has been here before but what shares a blossom with the leaf.
  if (-own.radius <= cells_[own.node].arrival) take(own.node, -own.radius);
  while (n > 0) {
    spinel::pop_heap(front_.data(), front_.data() + n, later<Arrival>);
    const Arrival at = front_[--n];
    if (at.time != cells_[at.node].arrival) continue;
    meet_at(context, at.node, at.time, next);
    for (const Neighbor& neighbor : context.graph.neighbors(at.node)) {
      const Cell& other = cells_[neighbor.node];
      const std::int64_t arrival = at.time + neighbor.weight;
      if (other.owner != leaf_id) meet_over(context, other, arrival + other.arrival, next);
      // From another leaf also what both reach at once (a cell must not be cut in two), but for the leaf's own node.
      const bool takes = arrival < other.arrival || (arrival == other.arrival && other.owner >= 0 && other.owner != leaf_id &&
                                                     context.tree.leaf(other.owner).node != neighbor.node);
      if (takes && arrival < end_ + widest_outside_) take(neighbor.node, arrival);
    }
  }
  push_next(context, next);
}

/// The next thing that a plus leaf meets: at its nodes the events still outside and a side, and whatever owns nodes next
/// to them.
inline void GapSearch::look_ahead(const Context& context, std::int32_t leaf_id) noexcept {
  if (context.pairs.n > 0) return look_at_pairs(context, leaf_id);
  const Leaf& own = context.tree.leaf(leaf_id);
  own_group_ = find(own.top);
  Entry next{end_, leaf_id, nothing, Label::plus};
  std::size_t n = 0;
  ++n_walks_;
  const auto visit = [&](std::uint32_t node) {
    cells_[node].walk = n_walks_ + 1;
    front_[n++].node = node;
  };
  if (cells_[own.node].owner == leaf_id) visit(own.node);
  while (n > 0) {
    const std::uint32_t node = front_[--n].node;
    const std::int64_t arrival = cells_[node].arrival;
    meet_at(context, node, arrival, next);
    for (const Neighbor& neighbor : context.graph.neighbors(node)) {
      const Cell& other = cells_[neighbor.node];
      if (other.owner != leaf_id) meet_over(context, other, arrival + neighbor.weight + other.arrival, next);
      else if (other.walk != n_walks_ + 1) visit(neighbor.node);
    }
  }
  push_next(context, next);
}

inline void GapSearch::meet_at(const Context& context, std::uint32_t node, std::int64_t arrival, Entry& next) noexcept {
  if (const std::uint32_t edge = context.graph.boundary_edge(node); edge != MatchingGraph::no_edge) {
    const Cell side{0, side_owner(context.side_of[edge]), 0};
    meet_over(context, side, arrival + context.graph.edges()[edge].weight, next);
  }
  const std::int32_t other = *context.tree.leaf_at(node);
  if (other < 0 || context.tree.item(context.tree.leaf(other).top).label != Label::outside) return;
  const std::int64_t time = arrival - context.tree.leaf(other).radius;
  if (time >= next.time) return;
  next.time = time;
  next.target = other;
  next.label = Label::outside;
}

inline void GapSearch::meet_over(const Context& context, const Cell& other, std::int64_t both_arrive, Entry& next) noexcept {
  const std::int64_t time = both_arrive / 2;
  if (time >= next.time || group_of_owner(context, other.owner) == own_group_) return;
  next.time = time;
  next.target = other.owner;
  next.label = Label::plus;
}

}  // namespace spinel::detail
