// SPDX-License-Identifier: Apache-2.0
// The search of the exact matcher: one alternating tree at a time on the graph of detection events, whose edges are
// shortest paths found only as far as the dual variables have grown. Between searches all duals are feasible.
// Source: Edmonds' blossom algorithm with duals as radii (arXiv:2303.15933 gives the picture); candidate lists that grow
// with their leaf, time-shifted duals and one cached next event a leaf are this library's own way to run it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/path_tables.hpp>
#include <spinel/match/shortest_paths.hpp>

namespace spinel::detail {

/// A path between two events: leaf `u`, leaf `v` (or a negative constant below), and where its observables are found.
struct Link {
  std::int32_t u = -1;
  std::int32_t v = -1;
  std::uint32_t path = 0;
};
inline constexpr std::int32_t unmatched = -1;
inline constexpr std::int32_t to_boundary = -2;
/// `Link::path`: an entry of the tables, or this: found by Dijkstra's algorithm and to be found again.
inline constexpr std::uint32_t searched_path = 0xffffffff;

/// A detection event. `radius` is its dual variable, its share of every blossom around it included.
struct Leaf {
  std::int64_t radius = 0;
  std::int64_t explored = 0;  // its candidates are complete below this distance
  std::int64_t boundary_distance = infinite_distance;  // with a shot's own weights: as far as it has been met
  std::int32_t top = 0;
  std::int32_t next_leaf = -1;
  std::uint32_t node = 0;
  std::uint32_t candidates_begin = 0, candidates_count = 0, candidates_capacity = 0;
  std::uint32_t blocks_read = 0;  // of its row in the tables: none, near, all
};

enum class Label : std::uint8_t { outside, plus, minus };

/// A leaf or a blossom as a vertex of the contracted graph. `link` is its matching edge, u inside; `tree` its edge to
/// the tree's parent when minus (u in the parent); `sibling` its edge to the next child of its blossom.
struct Item {
  Link link;
  Link tree;
  Link sibling;
  std::int64_t dual = 0;  // of a blossom
  std::int32_t parent = -1;
  std::int32_t first_leaf = -1, last_leaf = -1;
  std::int32_t n_leaves = 1;
  std::int32_t first_child = -1, next_sibling = -1;
  Label label = Label::outside;
};

class GapSearch;

class AlternatingTree {
 public:
  void lay_out(std::size_t n_detectors, const PathTableOptions& options, Arena& arena) noexcept {
    n_leaves_max_ = n_detectors;
    leaves_ = arena.take<Leaf>(n_detectors);
    items_ = arena.take<Item>(n_detectors + n_detectors / 2 + 1);
    leaf_at_ = arena.take<std::int32_t>(n_detectors);
    candidates_ = arena.take<Candidate>(options.candidates_per_node * n_detectors + 16);
    events_ = arena.take<Event>(n_detectors);
    plus_ = arena.take<std::int32_t>(items_max());
    minus_ = arena.take<std::int32_t>(items_max());
    free_blossoms_ = arena.take<std::int32_t>(n_detectors / 2 + 1);
    climbed_[0] = arena.take<Child>(items_max());
    climbed_[1] = arena.take<Child>(items_max());
    for (auto& leaf : leaf_at_) leaf = -1;
  }

  // == One shot: begin, add every event, search from every unmatched item, read, end ==
  /// With `by_search` the graph has a shot's own weights and the tables are of no use.
  void begin(bool by_search) noexcept {
    by_search_ = by_search;
    n_leaves_ = n_blossoms_ = n_free_blossoms_ = 0;
    n_candidates_ = 0;
    without_lists_ = false;
  }
  void add_leaf(std::uint32_t node) noexcept {
    const auto id = static_cast<std::int32_t>(n_leaves_++);
    leaf_at_[node] = id;
    Leaf& leaf = this->leaf(id);
    leaf.top = id;
    leaf.node = node;
    leaf.explored = 0;
    leaf.boundary_distance = infinite_distance;
    leaf.blocks_read = 0;
    leaf.candidates_count = leaf.candidates_capacity = 0;
    Item& item = this->item(id);
    item.link.v = unmatched;
    item.parent = -1;
    item.first_leaf = item.last_leaf = id;
    item.label = Label::outside;
  }
  void end() noexcept {
    for (std::size_t k = 0; k < n_leaves_; ++k) leaf_at_[leaves_[k].node] = -1;
  }
  /// Takes back `end`.
  void remember_leaves() noexcept {
    for (std::size_t k = 0; k < n_leaves_; ++k) leaf_at_[leaves_[k].node] = static_cast<std::int32_t>(k);
  }
  /// Grows a tree from the unmatched top item of `root` until it is matched. False: nothing is left to match it with.
  bool search(const MatchingGraph& graph, const PathTables& tables, ShortestPaths& paths, std::int32_t root) noexcept;

  /// Takes note of a boundary edge found at `node` while searching from `own`.
  static void meet_way_out(const MatchingGraph& graph, Leaf& own, std::uint32_t node, std::int64_t distance) noexcept {
    const std::uint32_t edge = graph.boundary_edge(node);
    if (edge != MatchingGraph::no_edge)
      own.boundary_distance = spinel::min(own.boundary_distance, distance + graph.edges()[edge].weight);
  }
  std::size_t n_leaves() const noexcept { return n_leaves_; }
  std::size_t n_blossoms() const noexcept { return n_blossoms_; }
  Leaf& leaf(std::int32_t id) noexcept { return leaves_[static_cast<std::size_t>(id)]; }
  const Leaf& leaf(std::int32_t id) const noexcept { return leaves_[static_cast<std::size_t>(id)]; }
  Item& item(std::int32_t id) noexcept { return items_[static_cast<std::size_t>(id)]; }
  const Item& item(std::int32_t id) const noexcept { return items_[static_cast<std::size_t>(id)]; }
  Item& top_of(std::int32_t leaf_id) noexcept { return item(leaf(leaf_id).top); }
  const std::int32_t* leaf_at(std::uint32_t node) const noexcept { return &leaf_at_[node]; }
  bool is_blossom(std::int32_t id) const noexcept { return id >= static_cast<std::int32_t>(n_leaves_max_); }
  /// Calls `visit(id)` for every blossom that exists.
  template <class Visit>
  void for_blossoms(Visit&& visit) const noexcept {
    for (std::size_t k = 0; k < n_blossoms_; ++k) {
      const auto id = static_cast<std::int32_t>(n_leaves_max_ + k);
      if (item(id).n_leaves > 0) visit(id);
    }
  }
  bool contains(std::int32_t blossom, std::int32_t leaf_id) const noexcept {
    std::int32_t around = leaf_id;
    while (around >= 0 && around != blossom) around = item(around).parent;
    return around == blossom;
  }
  std::int32_t child_with(std::int32_t leaf_id, std::int32_t blossom) const noexcept {
    std::int32_t child = leaf_id;
    while (item(child).parent != blossom) child = item(child).parent;
    return child;
  }

 private:
  friend class GapSearch;
  struct Candidate {
    std::int64_t distance = 0;
    std::int32_t leaf = 0;
    std::uint32_t path = 0;
  };
  /// The next thing that a plus leaf meets, at an absolute time of the running search.
  struct Event {
    std::int64_t time = 0;
    std::int64_t distance = 0;
    std::int32_t leaf = 0;
    std::int32_t target = 0;
    std::uint32_t path = 0;
  };
  struct Child {
    std::int32_t item = 0;
    Link link;  // from this one to the next on the way
  };
  static constexpr std::int32_t explore_further = -3, nothing = -4;

  struct Context {
    const MatchingGraph& graph;
    const PathTables& tables;
    ShortestPaths& paths;
  };
  std::size_t items_max() const noexcept { return n_leaves_max_ + n_leaves_max_ / 2 + 1; }
  static Link reversed(const Link& link) noexcept { return {link.v, link.u, link.path}; }
  template <class Visit>
  void for_leaves(std::int32_t id, Visit&& visit) noexcept {
    for (std::int32_t k = item(id).first_leaf, last = item(id).last_leaf;;) {
      const std::int32_t next = leaf(k).next_leaf;
      visit(k);
      if (k == last) return;
      k = next;
    }
  }
  static void erase(Span<std::int32_t> list, std::size_t& count, std::int32_t id) noexcept {
    for (std::size_t k = 0; k < count; ++k)
      if (list[k] == id) {
        list[k] = list[--count];
        return;
      }
  }

  bool push(Leaf& leaf, const Candidate& candidate) noexcept;
  void explore(const Context& context, std::int32_t id) noexcept;
  void explore_by_search(const Context& context, std::int32_t id) noexcept;
  void look_ahead(const Context& context, Event& event) noexcept;
  void look_ahead_by_search(const Context& context, Event& event) noexcept;
  std::int64_t way_out(const Context& context, const Leaf& own) const noexcept {
    return by_search_ ? own.boundary_distance : context.tables.row(own.node).boundary_distance;
  }
  std::int64_t reach(const Leaf& own, const Event& event) noexcept;
  bool scan_row(const Context& context, const Leaf& own, Event& event) noexcept;
  void meet_boundary(const Context& context, const Leaf& own, Event& event) const noexcept;
  void consider(const Leaf& own, const Candidate& candidate, Event& event) const noexcept;
  void look_ahead_from(const Context& context, std::size_t first_event) noexcept {
    for (std::size_t k = first_event; k < n_events_; ++k) look_ahead(context, events_[k]);
  }
  void add_event(std::int32_t leaf_id) noexcept { events_[n_events_++].leaf = leaf_id; }
  void augment(std::int32_t id, Link link) noexcept;
  void grow(std::int32_t outside_id, const Link& link) noexcept;
  void form_blossom(const Link& link) noexcept;
  void expand_blossom(std::int32_t id) noexcept;
  std::size_t climb(std::int32_t id, Span<Child> way) noexcept;
  void settle() noexcept;

  // == Permanent: fixed at set-up ==
  std::size_t n_leaves_max_ = 0;
  Span<Leaf> leaves_;
  Span<Item> items_;
  Span<std::int32_t> leaf_at_;  // by node, -1: no event there
  Span<Candidate> candidates_;
  Span<Event> events_;
  Span<std::int32_t> plus_, minus_, free_blossoms_;
  Span<Child> climbed_[2];
  // == Per shot ==
  std::size_t n_leaves_ = 0, n_blossoms_ = 0, n_free_blossoms_ = 0, n_candidates_ = 0;
  bool by_search_ = false;
  bool without_lists_ = false;  // the candidate memory is used up: every look ahead searches the graph instead
  // == Per search ==
  std::int64_t now_ = 0;  // while in the tree a plus leaf stores radius - now, a minus leaf radius + now
  std::size_t n_events_ = 0, n_plus_ = 0, n_minus_ = 0;
  std::int64_t widest_ = -1;  // radius at the start (none grows that was less), negative until it is asked for
};

inline bool AlternatingTree::push(Leaf& leaf, const Candidate& candidate) noexcept {
  if (leaf.candidates_count == leaf.candidates_capacity) {
    const std::uint32_t capacity = spinel::max(8u, 2 * leaf.candidates_capacity);
    if (n_candidates_ + capacity > candidates_.size()) return false;
    const Candidate* const old = &candidates_[leaf.candidates_begin];
    copy(old, old + leaf.candidates_count, &candidates_[n_candidates_]);
    leaf.candidates_begin = static_cast<std::uint32_t>(n_candidates_);
    leaf.candidates_capacity = capacity;
    n_candidates_ += capacity;
  }
  candidates_[leaf.candidates_begin + leaf.candidates_count++] = candidate;
  return true;
}

// Completeness: a pair at distance d is in u's list as soon as u or v has explored beyond d, except that a v still to
// read its own near block (or to find u there) is left to do so. So a pair in neither list has radius_u <= explored_u / 2
// and radius_v <= explored_v / 2, hence radius_u + radius_v <= d: lists never hide a violated constraint.
inline void AlternatingTree::explore(const Context& context, std::int32_t id) noexcept {
  Leaf& own = leaf(id);
  const PathRow& row = context.tables.row(own.node);
  if (by_search_ || own.blocks_read == 2) return explore_by_search(context, id);
  const bool near = own.blocks_read++ == 0;
  const PathBlock block = near ? row.near : row.far;
  const std::int32_t* leaf_at_node = &leaf_at_[own.node];
  for (std::uint32_t done = 0; done < block.count; done += FirstLook::width) {
    const std::uint32_t first = block.begin + done, count = block.count - done;
    std::uint32_t events = context.tables.events_among(first, leaf_at_node);
    if (count < FirstLook::width) events &= (1u << count) - 1;
    for (; events != 0; events &= events - 1) {
      const std::uint32_t entry = first + static_cast<std::uint32_t>(std::countr_zero(events));
      const std::int32_t other_id = leaf_at_node[context.tables.offset(entry)];
      const std::int64_t distance = context.tables.distance(entry);
      Leaf& other = leaf(other_id);
      if (!near && other.explored > distance) continue;
      without_lists_ |= !push(own, {distance, other_id, entry});
      if (distance >= spinel::max(other.explored, context.tables.row(other.node).near_radius))
        without_lists_ |= !push(other, {distance, id, entry});
    }
  }
  own.explored = near ? row.near_radius : row.radius;
}

inline void AlternatingTree::explore_by_search(const Context& context, std::int32_t id) noexcept {
  Leaf& own = leaf(id);
  // As far as the search can need before something else happens to it, but not in steps too small to repeat the search for.
  std::int64_t soonest = way_out(context, own) - own.radius;
  for (std::size_t k = 0; k < n_events_; ++k)
    if (events_[k].leaf != id) soonest = spinel::min(soonest, events_[k].time);
  const std::int64_t from = own.explored, step = spinel::max<std::int64_t>(from / 4, MatchingGraph::max_half_weight / 2);
  const std::int64_t until = spinel::clamp(2 * (soonest + own.radius) + 2, from + step, from + 2 * step);
  own.explored = infinite_distance * 2;  // unless the search stops before it has seen the whole component
  context.paths.from_node(context.graph, own.node, [&](std::uint32_t node, std::int64_t distance) {
    if (distance >= until) {
      own.explored = distance;
      return false;
    }
    if (by_search_) meet_way_out(context.graph, own, node, distance);
    const std::int32_t other_id = leaf_at_[node];
    if (distance < from || other_id < 0 || other_id == id) return true;
    Leaf& other = leaf(other_id);
    if (other.explored > distance) return true;
    const std::int64_t near = by_search_ ? 0 : context.tables.row(node).near_radius;
    without_lists_ |= !push(own, {distance, other_id, searched_path});
    if (distance >= near) without_lists_ |= !push(other, {distance, id, searched_path});
    return true;
  });
  context.paths.clear();
}

inline void AlternatingTree::consider(const Leaf& own, const Candidate& candidate, Event& event) const noexcept {
  const Leaf& other = leaf(candidate.leaf);
  const Label label = item(other.top).label;
  const std::int64_t slack = candidate.distance - own.radius - other.radius;
  const std::int64_t time = label == Label::plus ? slack / 2 : slack;
  if (other.top == own.top || label == Label::minus || time >= event.time) return;
  event.time = time;
  event.target = candidate.leaf;
  event.path = candidate.path;
  event.distance = candidate.distance;
}

inline void AlternatingTree::look_ahead(const Context& context, Event& event) noexcept {
  Leaf& own = leaf(event.leaf);
  // No radius exceeds the distance to the boundary, so nothing beyond twice that needs to be known.
  while (!without_lists_ && own.explored < 2 * way_out(context, own) && own.explored / 2 - own.radius <= now_)
    explore(context, event.leaf);
  if (without_lists_) return look_ahead_by_search(context, event);
  event.time = infinite_distance;
  event.target = nothing;
  meet_boundary(context, own, event);
  // Without branches: which of the others is next is as good as random.
  const Candidate* const known = &candidates_[own.candidates_begin];
  const std::int64_t base = own.radius;
  const std::int32_t top = own.top;
  std::int64_t best = event.time, met = -1;
  for (std::int64_t k = 0; k < own.candidates_count; ++k) {
    const Leaf& other = leaf(known[k].leaf);
    const Label label = item(other.top).label;
    const std::int64_t never = -static_cast<std::int64_t>((other.top == top) | (label == Label::minus));
    const std::int64_t slack = (known[k].distance - base - other.radius) >> static_cast<int>(label == Label::plus);
    const std::int64_t better = -static_cast<std::int64_t>(((slack & ~never) | (infinite_distance & never)) < best);
    best ^= (best ^ slack) & better;
    met ^= (met ^ k) & better;
  }
  if (met >= 0) event = {best, known[met].distance, event.leaf, known[met].leaf, known[met].path};
  const std::int64_t limit = own.explored / 2 - own.radius;
  if (own.explored < 2 * way_out(context, own) && limit < event.time) {
    event.time = limit;
    event.target = explore_further;
  }
}

inline void AlternatingTree::meet_boundary(const Context& context, const Leaf& own, Event& event) const noexcept {
  const std::int64_t distance = way_out(context, own);
  if (distance == infinite_distance || distance - own.radius > event.time) return;
  event.time = distance - own.radius;
  event.target = to_boundary;
  event.distance = distance;
}

/// Beyond this distance nothing can be met before `event`.
inline std::int64_t AlternatingTree::reach(const Leaf& own, const Event& event) noexcept {
  if (widest_ < 0)
    for (std::size_t k = 0; k < n_leaves_; ++k) widest_ = spinel::max(widest_, leaves_[k].radius);
  return event.time == infinite_distance ? infinite_distance : own.radius + widest_ + 2 * event.time;
}

/// Considers the events in the leaf's row. False: some that are farther might be met sooner.
inline bool AlternatingTree::scan_row(const Context& context, const Leaf& own, Event& event) noexcept {
  const PathRow& row = context.tables.row(own.node);
  const std::int32_t* leaf_at_node = &leaf_at_[own.node];
  for (const PathBlock& block : {row.near, row.far})
    for (std::uint32_t done = 0; done < block.count; done += FirstLook::width) {
      const std::uint32_t first = block.begin + done, count = block.count - done;
      if (context.tables.distance(first) >= reach(own, event)) return true;
      std::uint32_t events = context.tables.events_among(first, leaf_at_node);
      if (count < FirstLook::width) events &= (1u << count) - 1;
      for (; events != 0; events &= events - 1) {
        const std::uint32_t entry = first + static_cast<std::uint32_t>(std::countr_zero(events));
        consider(own, {context.tables.distance(entry), leaf_at_node[context.tables.offset(entry)], entry}, event);
      }
    }
  return row.radius >= reach(own, event);
}

inline void AlternatingTree::look_ahead_by_search(const Context& context, Event& event) noexcept {
  Leaf& own = leaf(event.leaf);
  event.time = infinite_distance;
  event.target = nothing;
  meet_boundary(context, own, event);
  if (!by_search_ && scan_row(context, own, event)) return;
  // As far as need be: another event's radius may be larger than all that this leaf's own boundary allows it.
  context.paths.from_node(context.graph, own.node, [&](std::uint32_t node, std::int64_t distance) {
    if (distance >= reach(own, event)) return false;
    if (by_search_) meet_way_out(context.graph, own, node, distance);
    const std::int32_t other_id = leaf_at_[node];
    if (other_id >= 0 && other_id != event.leaf) consider(own, {distance, other_id, searched_path}, event);
    return true;
  });
  context.paths.clear();
  meet_boundary(context, own, event);
}

}  // namespace spinel::detail

#include <spinel/match/alternating_tree_search.hpp>

