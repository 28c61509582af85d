// SPDX-License-Identifier: Apache-2.0
// The gap on the lattice, whatever blossoms it takes: from the state that the lattice matcher's trees left, both sides of the
// boundary grow as roots of two alternating trees until these meet, which is when half of the gap has passed. What is matched
// to a side grows with it from the start. Source: as gap_search.hpp, whose trees and groups these are; here an event finds what
// it meets next by lower bounds on distances, and asks for the distance itself only where the bound says sooner than before.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/config.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_tables.hpp>
#include <spinel/match/lattice_tree.hpp>

namespace spinel::detail {

/// `Metric` says of events (by their number): `key(a)`, by keys `bounds` (LatticeBounds), `look_up(a, b)`, `distance(a, b, known)`, `to_side(side, a)`.
template <class Tree>
class LatticeGapTrees {
 public:
  using Layout = typename Tree::Layout;
  using Index = typename Tree::Index;
  using Sizes = LatticeSizes<Layout>;
  using Label = typename Tree::Label;

  constexpr void lay_out(const Layout& layout, Arena& arena) noexcept {
    const auto n = static_cast<std::size_t>(layout.n_detectors()), n_items = static_cast<std::size_t>(layout.n_items());
    n_items_ = layout.n_items();
    groups_.lay_out(n_items + 2, arena);
    queue_.lay_out(2 * n + n_items, arena);
    keys_.lay_out(n, arena);
    bounds_.lay_out(n, arena);
    near_.lay_out(n + 16, arena);
  }

  /// Half the least weight to be added for a solution of the other class, or `end` if that is less. `n` events, those of the type that
  /// has sides, whose duals and blossoms `tree` holds; they are used up. `matched_side(leaf)` says where a way out ends.
  template <class Metric, class MatchedSide>
  std::int32_t run(const Metric& metric, Tree& tree, const Index* events, int n, std::int32_t end, MatchedSide&& matched_side) noexcept {
    end_ = end;
    tree_ = &tree;
    members_ = events;
    n_members_ = n;
    for (int k = 0; k < n; ++k) keys_[k] = metric.key(events[k]);
    begin(metric, matched_side);
    while (n_queued_ > 0) {
      spinel::pop_heap(&queue_[0], &queue_[0] + n_queued_, later);
      const Entry entry = queue_[--n_queued_];
      if (entry.time >= end_) break;
      tree.now_ = entry.time;
      handle(metric, entry);
    }
    return end_;
  }

 private:
  /// What leaf `leaf` meets next; or the leaf met by a side, or the blossom that falls apart.
  struct Entry {
    std::int32_t time = 0;
    Index leaf = 0;
    Index target = 0;           // a leaf, a side or one of the constants
    Label label = Label::plus;  // of the target when it was seen
  };
  static constexpr Index side_0 = -1, met_by_side = -3, falls_apart = -4, nothing = -5;
  static constexpr Index side_target(int side) noexcept { return static_cast<Index>(side_0 - side); }
  /// Plus items that were merged form a group, known by one of them or by a root (a side and all that is matched to it).
  struct Group {
    std::int32_t up = 0;    // towards the representative
    std::int32_t base = 0;  // of a representative: the item whose matching edge leads to the root
    std::uint32_t mark = 0;
    std::uint8_t side = 0;  // of every item in a tree
  };
  static bool later(const Entry& x, const Entry& y) noexcept { return x.time > y.time; }
  Group& group(std::int32_t id) noexcept { return groups_[static_cast<std::size_t>(id)]; }
  std::int32_t root(int side) const noexcept { return n_items_ + side; }
  bool is_root(std::int32_t id) const noexcept { return id >= n_items_; }
  std::int32_t find(std::int32_t id) noexcept {
    while (group(id).up != id) id = group(id).up = group(group(id).up).up;
    return id;
  }
  std::int32_t group_of_target(Index target) noexcept {
    return target >= 0 ? find(tree_->dual(target).top) : root(side_0 - target);
  }
  /// An item in a tree: alone in its group if it is plus.
  void enter(std::int32_t id, int side) noexcept { group(id) = {id, id, 0, static_cast<std::uint8_t>(side)}; }
  void push(const Entry& entry) noexcept {
    if (entry.time >= end_) return;
    queue_[n_queued_++] = entry;
    spinel::push_heap(&queue_[0], &queue_[0] + n_queued_, later);
  }
  void widen(std::int32_t& widest, Index leaf) noexcept { widest = spinel::max(widest, tree_->dual(leaf).radius); }

  template <class Metric, class MatchedSide>
  void begin(const Metric& metric, MatchedSide&& matched_side) noexcept {
    Tree& tree = *tree_;
    tree.now_ = 0;
    tree.n_growing_ = tree.n_plus_ = tree.n_minus_ = 0;
    n_queued_ = 0;
    widest_outside_ = widest_plus_ = 0;
    n_marks_ = 0;
    for (int side = 0; side < 2; ++side) enter(root(side), side);
    for (int k = 0; k < n_members_; ++k) {
      const Index id = tree.dual(members_[k]).top;
      if (tree.match(id).v != Tree::to_boundary || tree.first_leaf(id) != members_[k]) continue;
      const int side = matched_side(tree.match(id));
      group(id) = {root(side), id, 0, static_cast<std::uint8_t>(side)};
      tree.dual(id).label = Label::plus;
      tree.for_leaves(id, [&](Index leaf) {
        tree.touch(leaf);
        tree.dual(leaf).label = Label::plus;
        tree.grow_leaf(leaf);
        end_ = spinel::min(end_, (metric.to_side(1 - side, leaf) - tree.dual(leaf).radius) / 2);
      });
    }
    for (int k = 0; k < n_members_; ++k)
      if (tree.dual(members_[k]).label == Label::outside) widen(widest_outside_, members_[k]);
    push_waiting(metric);
    look_from(metric, 0);
  }

  /// When a side meets what is still outside.
  template <class Metric>
  void push_waiting(const Metric& metric) noexcept {
    for (int k = 0; k < n_members_; ++k) {
      const auto& leaf = tree_->dual(members_[k]);
      if (leaf.label == Label::outside)
        push({nearest_side(metric, members_[k]) - leaf.radius, members_[k], met_by_side, Label::plus});
    }
  }
  template <class Metric>
  static std::int32_t nearest_side(const Metric& metric, Index leaf) noexcept {
    return spinel::min(metric.to_side(0, leaf), metric.to_side(1, leaf));
  }

  /// The meeting of two plus leaves is never later than its entry says, and if it was sooner, another entry has brought it
  /// about; what was outside may have changed.
  template <class Metric>
  void handle(const Metric& metric, const Entry& entry) noexcept {
    Tree& tree = *tree_;
    const auto& own = tree.dual(entry.leaf);
    if (entry.target == falls_apart) {
      if (tree.item(entry.leaf).parent < 0 && tree.leaf_count_[entry.leaf - tree.n_leaves_max()] > 0 && own.label == Label::minus && own.radius == entry.time)
        expand(metric, entry.leaf);
      return;
    }
    if (entry.target == met_by_side) {
      if (own.label == Label::outside)
        grow(metric, entry.leaf, side_0, metric.to_side(1, entry.leaf) < metric.to_side(0, entry.leaf) ? 1 : 0);
      return;
    }
    const std::int32_t own_group = find(own.top);
    if (entry.label == Label::outside) {
      if (tree.dual(entry.target).label == Label::outside) grow(metric, entry.target, entry.leaf, group(own_group).side);
    } else {
      const std::int32_t other_group = group_of_target(entry.target);
      if (group(other_group).side != group(own_group).side) {
        end_ = entry.time;
        return;
      }
      if (other_group != own_group) merge(metric, own_group, other_group);
    }
    look(metric, entry.leaf);
  }

  /// The outside item of `leaf`, met by leaf `from` or a side itself, becomes minus, its partner plus.
  template <class Metric>
  void grow(const Metric& metric, Index leaf, Index from, int side) noexcept {
    Tree& tree = *tree_;
    const Index minus = tree.dual(leaf).top, partner = tree.match(minus).v;
    const int before = tree.n_growing_;
    enter(minus, side);
    enter(tree.dual(partner).top, side);
    tree.grow(minus, {0, from, leaf});
    if (tree.is_blossom(minus)) push({tree.dual(minus).radius, minus, falls_apart, Label::minus});
    look_from(metric, before);
  }

  /// After this plus leaves may meet what they could not before, so all of them look again.
  template <class Metric>
  void expand(const Metric& metric, Index blossom) noexcept {
    Tree& tree = *tree_;
    const int side = group(blossom).side;
    const int n_plus = tree.n_plus_, n_minus = tree.n_minus_ - 1;
    tree.expand_blossom(blossom);
    for (int k = n_plus; k < tree.n_plus_; ++k) enter(tree.plus_[k], side);
    for (int k = n_minus; k < tree.n_minus_; ++k) enter(tree.minus_[k], side);
    n_queued_ = 0;
    for (int k = 0; k < tree.n_minus_; ++k)
      if (const Index id = tree.minus_[k]; tree.is_blossom(id)) push({tree.dual(id).radius, id, falls_apart, Label::minus});
    widest_outside_ = 0;
    for (int k = 0; k < n_members_; ++k)
      if (tree.dual(members_[k]).label == Label::outside) widen(widest_outside_, members_[k]);
    push_waiting(metric);
    look_from(metric, 0);
  }

  /// Two groups of one tree met: with all that is between them and their first common ancestor they become one.
  template <class Metric>
  void merge(const Metric& metric, std::int32_t one, std::int32_t two) noexcept {
    Tree& tree = *tree_;
    const auto minus_above = [&](std::int32_t id) -> std::int32_t {
      return tree.dual(tree.match(static_cast<Index>(group(id).base)).v).top;
    };
    const auto plus_above = [&](std::int32_t minus) {
      const Index from = tree.item(static_cast<Index>(minus)).tree.u;
      return from < 0 ? root(group(minus).side) : find(tree.dual(from).top);
    };
    ++n_marks_;
    for (std::int32_t id = one;; id = plus_above(minus_above(id))) {
      group(id).mark = n_marks_;
      if (is_root(id)) break;
    }
    std::int32_t common = two;
    while (group(common).mark != n_marks_) common = plus_above(minus_above(common));
    const int before = tree.n_growing_;
    for (std::int32_t id : {one, two})
      while (id != common) {
        const std::int32_t minus = minus_above(id), above = plus_above(minus);
        group(id).up = common;
        group(minus).up = common;
        tree.dual(static_cast<Index>(minus)).label = Label::plus;
        Tree::erase(tree.minus_, tree.n_minus_, static_cast<Index>(minus));
        tree.for_leaves(static_cast<Index>(minus), [&](Index leaf) {
          tree.dual(leaf).radius -= 2 * tree.now_;
          tree.dual(leaf).label = Label::plus;
          tree.grow_leaf(leaf);
        });
        id = above;
      }
    look_from(metric, before);
  }

  template <class Metric>
  void look_from(const Metric& metric, int first) noexcept {
    const int end = tree_->n_growing_;
    for (int k = first; k < end; ++k) widen(widest_plus_, tree_->next_[k].u);
    for (int k = first; k < end; ++k) look(metric, tree_->next_[k].u);
  }

  /// The next thing that a plus leaf meets.
  template <class Metric>
  void look(const Metric& metric, Index leaf) noexcept {
    const Tree& tree = *tree_;
    const auto& own = tree.dual(leaf);
    const std::int32_t own_group = find(own.top);
    Entry next{end_, leaf, nothing, Label::plus};
    const auto meet_plus = [&](Index target, std::int32_t slack) {
      const std::int32_t time = slack >> 1;
      if (time >= next.time || group_of_target(target) == own_group) return false;
      next.time = time;
      next.target = target;
      next.label = Label::plus;
      return true;
    };
    for (int side = 0; side < 2; ++side) meet_plus(side_target(side), metric.to_side(side, leaf) - own.radius);
    const auto meet = [&](Index met, std::int32_t least) {
      const auto& other = tree.dual(met);
      if (least >= next.time + spinel::max(widest_outside_, next.time + widest_plus_)) return;
      if (other.label == Label::plus) {
        if ((least - other.radius) >> 1 >= next.time || find(other.top) == own_group) return;
        const auto known = metric.look_up(leaf, met);
        if ((known.distance - own.radius - other.radius) >> 1 >= next.time) return;
        meet_plus(met, metric.distance(leaf, met, known) - own.radius - other.radius);
      } else if (other.label == Label::outside) {
        const std::int32_t by_side = nearest_side(metric, met);
        if (least >= by_side || least - other.radius >= next.time) return;
        const auto known = metric.look_up(leaf, met);
        if (known.distance - own.radius >= by_side || known.distance - own.radius - other.radius >= next.time) return;
        const std::int32_t apart = metric.distance(leaf, met, known) - own.radius;
        if (apart >= by_side || apart - other.radius >= next.time) return;  // unless a side meets it first
        next.time = apart - other.radius;
        next.target = met;
        next.label = Label::outside;
      }
    };
    // No one as far away can be met in time; the rest one by one.
    const std::int32_t furthest = next.time + spinel::max(widest_outside_, next.time + widest_plus_) + own.radius;
    metric.bounds.bounds_from(&bounds_[0], &keys_[0], n_members_, metric.key(leaf));
    const int n_near = Tree::BitOps::positions_below(&bounds_[0], n_members_, furthest, &near_[0]);
    int n_in_time = 0;
    for (int k = 0; k < n_near; ++k) {
      const auto& other = tree.dual(members_[near_[k]]);
      const std::int32_t slack = bounds_[near_[k]] - own.radius - other.radius;
      near_[n_in_time] = near_[k];
      n_in_time += ((slack >> static_cast<int>(other.label == Label::plus)) < next.time) & (other.label != Label::minus);
    }
    for (int k = 0; k < n_in_time; ++k)
      if (const std::int32_t at = near_[k]; members_[at] != leaf) meet(members_[at], bounds_[at] - own.radius);
    next.time = spinel::max(next.time, tree.now_);
    if (next.target != nothing) push(next);
  }

  // == Permanent: fixed at set-up ==
  std::int32_t n_items_ = 0;
  LatticeArray<Group, Sizes::of(Sizes::items + 2)> groups_;
  LatticeArray<Entry, Sizes::of(2 * Sizes::detectors + Sizes::items)> queue_;
  // == Per shot ==
  Tree* tree_ = nullptr;
  const Index* members_ = nullptr;
  int n_members_ = 0, n_queued_ = 0;
  std::int32_t end_ = 0;                                 // the earliest that the trees are known to meet
  std::int32_t widest_outside_ = 0, widest_plus_ = 0;  // radii; of plus leaves, minus the time
  LatticeArray<std::int32_t, Sizes::detectors> keys_, bounds_;           // by member: its place, and how near a leaf it may be
  LatticeArray<std::int32_t, Sizes::of(Sizes::detectors + 16)> near_;  // members
  std::uint32_t n_marks_ = 0;
};

}  // namespace spinel::detail
