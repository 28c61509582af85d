// SPDX-License-Identifier: Apache-2.0
// From the best solution to the best one of the other class, where the observable is the parity of the paths that end on
// one of two sides of the boundary: a path is forced from one side to the other. Both sides grow as the roots of
// two alternating trees in what the exact matcher left behind, whose duals stay feasible, until the trees meet.
// Source: Edmonds' blossom algorithm started from an optimum (one augmentation more), this library's own formulation;
// the gap itself: Gidney, Newman, Brooks, Jones, arXiv:2312.04522 ("complementary gap").
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/span.hpp>
#include <spinel/match/alternating_tree.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/path_tables.hpp>
#include <spinel/match/shortest_paths.hpp>

namespace spinel::detail {

/// Every node's distance to both sides of the boundary, infinite where there are not two, and from side to side.
struct SideDistances {
  Span<std::int64_t> to[2];
  std::int64_t across = infinite_distance;

  void lay_out(std::size_t n_detectors, Arena& arena) noexcept {
    for (auto& distances : to) distances = arena.take<std::int64_t>(n_detectors);
  }
  /// `side_of` says of every boundary edge on which side it is; other values than 0 and 1 belong to neither.
  void find(const MatchingGraph& graph, Span<const std::uint8_t> side_of, ShortestPaths& paths) noexcept {
    across = infinite_distance;
    for (std::uint8_t side = 0; side < 2; ++side) {
      for (auto& distance : to[side]) distance = infinite_distance;
      paths.from_boundary(
          graph, [&](std::uint32_t edge) { return side_of[edge] == side; },
          [&](std::uint32_t node, std::int64_t distance) {
            to[side][node] = distance;
            const std::uint32_t edge = graph.boundary_edge(node);
            if (edge != MatchingGraph::no_edge && side_of[edge] == 1 - side)
              across = spinel::min(across, distance + graph.edges()[edge].weight);
            return true;
          });
      paths.clear();
    }
  }
  std::int64_t nearest(std::uint32_t node) const noexcept { return spinel::min(to[0][node], to[1][node]); }
};

class GapSearch {
 public:
  void lay_out(std::size_t n_detectors, Arena& arena) noexcept {
    n_items_ = n_detectors + n_detectors / 2 + 1;
    groups_ = arena.take<Group>(n_items_ + 2);
    queue_ = arena.take<Entry>(2 * n_detectors + n_items_);
  }

  /// The least weight to be added for a solution of the other class; `tree` holds the leaves, blossoms and duals of an
  /// optimal one, which are used up. Times are half of what is added, as both roots grow.
  std::int64_t run(const MatchingGraph& graph, const PathTables& tables, ShortestPaths& paths, bool by_search,
                   const SideDistances& sides, AlternatingTree& tree) noexcept {
    const Context context{graph, tables, paths, sides, tree, by_search};
    end_ = sides.across == infinite_distance ? infinite_distance : sides.across / 2;
    if (end_ == infinite_distance) return infinite_distance;
    begin(context);
    while (n_queued_ > 0) {
      spinel::pop_heap(queue_.data(), queue_.data() + n_queued_, later);
      const Entry entry = queue_[--n_queued_];
      if (entry.time >= end_) break;
      tree.now_ = entry.time;
      if (handle(context, entry)) return 2 * entry.time;
    }
    return 2 * end_;
  }

 private:
  struct Context {
    const MatchingGraph& graph;
    const PathTables& tables;
    ShortestPaths& paths;
    const SideDistances& sides;
    AlternatingTree& tree;
    bool by_search;
  };
  /// What leaf `leaf` meets next, at an absolute time; or the leaf met by a side, or the blossom that falls apart.
  struct Entry {
    std::int64_t time = 0;
    std::int64_t distance = 0;
    std::int32_t leaf = 0;
    std::int32_t target = 0;
  };
  static constexpr std::int32_t own_side = -1, other_side = -2, explore_further = -3, met_by_side = -4, falls_apart = -5;
  /// Plus items that were merged form a group, known by one of them or by a root (a side and all that is matched to it).
  struct Group {
    std::int32_t up = 0;    // towards the representative
    std::int32_t base = 0;  // of a representative: the item whose matching edge leads to the root
    std::uint32_t mark = 0;
    std::uint8_t side = 0;  // of every item in a tree
  };
  static bool later(const Entry& x, const Entry& y) noexcept {
    return x.time != y.time ? x.time > y.time : x.leaf > y.leaf;
  }
  Group& group(std::int32_t id) noexcept { return groups_[static_cast<std::size_t>(id)]; }
  std::int32_t root(std::uint8_t side) const noexcept { return static_cast<std::int32_t>(n_items_) + side; }
  bool is_root(std::int32_t id) const noexcept { return id >= static_cast<std::int32_t>(n_items_); }
  std::int32_t find(std::int32_t id) noexcept {
    while (group(id).up != id) id = group(id).up = group(group(id).up).up;
    return id;
  }
  void push(const Entry& entry) noexcept {
    if (entry.time >= end_) return;
    queue_[n_queued_++] = entry;
    spinel::push_heap(queue_.data(), queue_.data() + n_queued_, later);
  }
  /// An item in a tree: alone in its group if it is plus.
  void enter(std::int32_t id, std::uint8_t side) noexcept { group(id) = {id, id, 0, side}; }

  void begin(const Context& context) noexcept;
  bool handle(const Context& context, const Entry& entry) noexcept;
  void push_waiting(const Context& context) noexcept;
  void grow(const Context& context, std::int32_t leaf_id, std::int32_t from, std::uint8_t side) noexcept;
  void expand(const Context& context, std::int32_t blossom) noexcept;
  void merge(const Context& context, std::int32_t one, std::int32_t two) noexcept;
  void look_ahead_from(const Context& context, std::size_t first_event) noexcept;
  void look_ahead(const Context& context, std::int32_t leaf_id, bool by_search) noexcept;
  bool scan(const Context& context, const Leaf& own, const PathBlock& block, Entry& next) noexcept;
  void search(const Context& context, const Leaf& own, Entry& next) noexcept;
  void consider(const Context& context, const Leaf& own, std::int32_t other_id, std::int64_t distance, Entry& next) noexcept {
    const AlternatingTree& tree = context.tree;
    const Leaf& other = tree.leaf(other_id);
    const Label label = tree.item(other.top).label;
    if (label == Label::minus || other_id == next.leaf) return;
    const std::int64_t slack = distance - own.radius - other.radius;
    const std::int64_t time = label == Label::plus ? slack / 2 : slack;
    if (time >= next.time || (label == Label::plus && find(other.top) == own_group_)) return;
    next.time = time;
    next.target = other_id;
    next.distance = distance;
  }
  /// Beyond this distance nothing can be met before `next.time`.
  std::int64_t reach(const Leaf& own, const Entry& next) const noexcept {
    return own.radius + next.time + spinel::max(widest_outside_, next.time + widest_plus_);
  }

  // == Permanent: fixed at set-up ==
  std::size_t n_items_ = 0;
  Span<Group> groups_;
  Span<Entry> queue_;
  // == Per shot ==
  std::size_t n_queued_ = 0;
  std::int64_t end_ = 0;                               // when the sides meet, nothing in between
  std::int64_t widest_outside_ = 0, widest_plus_ = 0;  // radii, of plus leaves minus the time
  std::int32_t own_group_ = 0;                         // of the leaf that looks ahead
  std::uint32_t n_marks_ = 0;
};

inline void GapSearch::begin(const Context& context) noexcept {
  AlternatingTree& tree = context.tree;
  tree.now_ = 0;
  tree.n_events_ = tree.n_plus_ = tree.n_minus_ = 0;
  n_queued_ = 0;
  widest_outside_ = widest_plus_ = 0;
  n_marks_ = 0;
  for (std::uint8_t side = 0; side < 2; ++side) enter(root(side), side);
  // What is matched to a side grows with it from the start.
  const auto join_root = [&](std::int32_t id) {
    Item& item = tree.item(id);
    if (item.link.v != to_boundary) return;
    const std::uint32_t node = tree.leaf(item.link.u).node;
    if (context.sides.nearest(node) == infinite_distance) return;  // no two sides there
    const std::uint8_t side = context.sides.to[1][node] < context.sides.to[0][node] ? 1 : 0;
    group(id) = {root(side), id, 0, side};
    item.label = Label::plus;
    tree.for_leaves(id, [&](std::int32_t k) { tree.add_event(k); });
  };
  for (std::size_t k = 0; k < tree.n_leaves_; ++k) {
    const auto id = static_cast<std::int32_t>(k);
    if (tree.leaf(id).top == id) join_root(id);
  }
  tree.for_blossoms([&](std::int32_t id) {
    if (tree.item(id).parent < 0) join_root(id);
  });
  for (std::size_t k = 0; k < tree.n_leaves_; ++k) {
    const Leaf& leaf = tree.leaf(static_cast<std::int32_t>(k));
    std::int64_t& widest = tree.item(leaf.top).label == Label::plus ? widest_plus_ : widest_outside_;
    widest = spinel::max(widest, leaf.radius);
  }
  push_waiting(context);
  look_ahead_from(context, 0);
}

/// When a side meets what is still outside.
inline void GapSearch::push_waiting(const Context& context) noexcept {
  const AlternatingTree& tree = context.tree;
  for (std::size_t k = 0; k < tree.n_leaves_; ++k) {
    const auto id = static_cast<std::int32_t>(k);
    const Leaf& leaf = tree.leaf(id);
    const std::int64_t distance = context.sides.nearest(leaf.node);
    if (tree.item(leaf.top).label == Label::outside && distance != infinite_distance)
      push({distance - leaf.radius, distance, id, met_by_side});
  }
}

/// True: the trees have met.
inline bool GapSearch::handle(const Context& context, const Entry& entry) noexcept {
  AlternatingTree& tree = context.tree;
  if (entry.target == falls_apart) {
    const Item& blossom = tree.item(entry.leaf);
    if (blossom.n_leaves > 0 && blossom.label == Label::minus && blossom.dual == entry.time) expand(context, entry.leaf);
    return false;
  }
  const Leaf& own = tree.leaf(entry.leaf);
  if (entry.target == met_by_side) {
    const auto& to = context.sides.to;
    if (tree.item(own.top).label == Label::outside)
      grow(context, entry.leaf, own_side, to[1][own.node] < to[0][own.node] ? 1 : 0);
    return false;
  }
  if (entry.target == other_side) return true;
  const std::int32_t own_group = find(own.top);
  if (entry.target == own_side) {
    if (!is_root(own_group)) merge(context, own_group, root(group(own_group).side));
  } else if (entry.target >= 0) {
    const Leaf& other = tree.leaf(entry.target);
    const Label label = tree.item(other.top).label;
    const std::int64_t slack = entry.distance - own.radius - other.radius;
    if (label == Label::outside && slack <= entry.time) {
      grow(context, entry.target, entry.leaf, group(own_group).side);
    } else if (label == Label::plus && slack <= 2 * entry.time) {
      const std::int32_t other_group = find(other.top);
      if (group(other_group).side != group(own_group).side) return true;
      if (other_group != own_group) merge(context, own_group, other_group);
    }
  }
  look_ahead(context, entry.leaf, context.by_search || entry.target == explore_further);
  return false;
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
  if (tree.is_blossom(minus)) push({tree.item(minus).dual, 0, minus, falls_apart});
  look_ahead_from(context, n_before);
}

/// After this plus leaves may meet what they could not before, so all of them look ahead again.
inline void GapSearch::expand(const Context& context, std::int32_t blossom) noexcept {
  AlternatingTree& tree = context.tree;
  const std::uint8_t side = group(blossom).side;
  const std::size_t n_plus = tree.n_plus_, n_minus = tree.n_minus_ - 1;
  tree.expand_blossom(blossom);
  for (std::size_t k = n_plus; k < tree.n_plus_; ++k) enter(tree.plus_[k], side);
  for (std::size_t k = n_minus; k < tree.n_minus_; ++k) enter(tree.minus_[k], side);
  n_queued_ = 0;
  for (std::size_t k = 0; k < tree.n_minus_; ++k) {
    const std::int32_t id = tree.minus_[k];
    if (tree.is_blossom(id) && tree.item(id).label == Label::minus) push({tree.item(id).dual, 0, id, falls_apart});
  }
  push_waiting(context);
  look_ahead_from(context, 0);
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
  look_ahead_from(context, n_before);
}

inline void GapSearch::look_ahead_from(const Context& context, std::size_t first_event) noexcept {
  const AlternatingTree& tree = context.tree;
  const std::size_t end = tree.n_events_;
  for (std::size_t k = first_event; k < end; ++k)
    widest_plus_ = spinel::max(widest_plus_, tree.leaf(tree.events_[k].leaf).radius);
  for (std::size_t k = first_event; k < end; ++k) look_ahead(context, tree.events_[k].leaf, context.by_search);
}

inline void GapSearch::look_ahead(const Context& context, std::int32_t leaf_id, bool by_search) noexcept {
  const Leaf& own = context.tree.leaf(leaf_id);
  own_group_ = find(own.top);
  const std::uint8_t side = group(own_group_).side;
  Entry next{end_, 0, leaf_id, other_side};
  const auto meet_side = [&](std::uint8_t met, std::int32_t target) {
    const std::int64_t distance = context.sides.to[met][own.node];
    if (distance == infinite_distance || (distance - own.radius) / 2 >= next.time) return;
    next.time = (distance - own.radius) / 2;
    next.target = target;
  };
  meet_side(static_cast<std::uint8_t>(1 - side), other_side);
  if (!is_root(own_group_)) meet_side(side, own_side);
  if (by_search) {
    search(context, own, next);
  } else {
    const PathRow& row = context.tables.row(own.node);
    if (scan(context, own, row.near, next) && scan(context, own, row.far, next)) {
      // The row has ended: when what is farther might be met, the graph is to be searched.
      const std::int64_t left = row.radius - own.radius;
      const std::int64_t soonest = spinel::min(left - widest_outside_, (left - widest_plus_) / 2);
      if (soonest <= context.tree.now_) {
        search(context, own, next);
      } else if (soonest < next.time) {
        next.time = soonest;
        next.target = explore_further;
      }
    }
  }
  next.time = spinel::max(next.time, context.tree.now_);
  push(next);
}

/// Looks at the events in a block of the leaf's row. False: nothing farther can be met sooner.
inline bool GapSearch::scan(const Context& context, const Leaf& own, const PathBlock& block, Entry& next) noexcept {
  const PathTables& tables = context.tables;
  const std::int32_t* leaf_at_node = context.tree.leaf_at(own.node);
  for (std::uint32_t done = 0; done < block.count; done += FirstLook::width) {
    const std::uint32_t first = block.begin + done, count = block.count - done;
    if (tables.distance(first) >= reach(own, next)) return false;
    std::uint32_t events = tables.events_among(first, leaf_at_node);
    if (count < FirstLook::width) events &= (1u << count) - 1;
    for (; events != 0; events &= events - 1) {
      const std::uint32_t entry = first + static_cast<std::uint32_t>(std::countr_zero(events));
      consider(context, own, leaf_at_node[tables.offset(entry)], tables.distance(entry), next);
    }
  }
  return true;
}

/// The same on the graph itself, but for nodes as far away as both are from one side together: the side meets both first.
inline void GapSearch::search(const Context& context, const Leaf& own, Entry& next) noexcept {
  const auto& to = context.sides.to;
  const std::int64_t own_to[2] = {to[0][own.node], to[1][own.node]};
  context.paths.from_node(context.graph, own.node, [&](std::uint32_t node, std::int64_t distance) {
    if (distance >= reach(own, next)) return Settled::stop;
    if (distance >= own_to[0] + to[0][node] || distance >= own_to[1] + to[1][node]) return Settled::leave;
    if (const std::int32_t other = *context.tree.leaf_at(node); other >= 0) consider(context, own, other, distance, next);
    return Settled::expand;
  });
  context.paths.clear();
}

}  // namespace spinel::detail
