// SPDX-License-Identifier: Apache-2.0
// The gap on the lattice itself, exact with any weights and whatever blossoms it takes: from the state that the lattice matcher's
// trees left, both sides of the boundary grow as roots of two alternating trees until these meet, which is when half of the gap has
// passed. What is matched to a side grows with it from the start. A growing event is a wave that spreads over the checks, which
// keep the wave that came first; so no distances are needed, and a shot's own weights are as good.
// Source: as gap_search.hpp; waves as in flooding decoders (arXiv:2303.15933), but those that the finished matching starts from.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/config.hpp>
#include <spinel/match/lattice_gap_waves.hpp>
#include <spinel/match/lattice_tree.hpp>

namespace spinel::detail {

template <class Tree>
class LatticeGapFlood : private LatticeGapWaves<Tree> {
  using Waves = LatticeGapWaves<Tree>;

 public:
  using typename Waves::Bounds;
  using typename Waves::Index;
  using typename Waves::Label;
  using typename Waves::Tables;
  using Waves::lay_out;
  using Waves::use;

  /// The least weight to be added for a solution of the other class, or `end` if that is less. `n` events, those of the type that
  /// has sides, whose duals and blossoms `tree` holds, at `ids`; they are used up. `matched_side(match)` says where a way out ends.
  template <class Lowered, class MatchedSide>
  std::int32_t run(const Tables& tables, const Bounds& bounds, const Lowered& lowered, Tree& tree, const std::int32_t* ids,
                   const Index* events, int n, std::int32_t end, MatchedSide&& matched_side) noexcept {
    tables_ = &tables;
    bounds_ = &bounds;
    tree_ = &tree;
    ids_ = ids;
    members_ = events;
    n_members_ = n;
    gap_ = end;
    end_ = (end + 1) / 2;
    n_touched_ = n_covered_ = 0;
    queue_.begin(end_);
    begin(lowered, matched_side);
    std::int32_t time = 0;
    for (std::int32_t thing; (thing = queue_.pop(time)) >= 0;) {
      if (time >= end_) break;
      tree.now_ = time;
      if (thing < n_ids_) this->settle(lowered, thing);
      else if (thing < 2 * n_ids_) meet(lowered, thing - n_ids_);
      else if (const auto id = static_cast<Index>(thing - 2 * n_ids_); tree.is_blossom(id)) fall_apart(lowered, id);
      else if (tree.dual(id).label == Label::outside) grow(id, this->by_side_[id]);
    }
    queue_.end();
    for (int k = 0; k < n_touched_; ++k) this->forget(bounds, this->touched_[k]);
    return gap_;
  }

 private:
  using typename Waves::Meeting;
  using Waves::bounds_;
  using Waves::checks_;
  using Waves::covered_;
  using Waves::end_;
  using Waves::enter;
  using Waves::first_covered_;
  using Waves::gap_;
  using Waves::group;
  using Waves::group_of;
  using Waves::ids_;
  using Waves::members_;
  using Waves::n_covered_;
  using Waves::n_ids_;
  using Waves::n_items_;
  using Waves::n_members_;
  using Waves::n_touched_;
  using Waves::next_covered_;
  using Waves::nobody;
  using Waves::push;
  using Waves::queue_;
  using Waves::radius_;
  using Waves::root;
  using Waves::spread_from;
  using Waves::tables_;
  using Waves::tree_;

  template <class Lowered, class MatchedSide>
  void begin(const Lowered& lowered, MatchedSide&& matched_side) noexcept {
    Tree& tree = *tree_;
    tree.now_ = 0;
    tree.n_growing_ = tree.n_plus_ = tree.n_minus_ = 0;
    n_marks_ = 0;
    for (int side = 0; side < 2; ++side) enter(root(side), side);
    this->cover(lowered);
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
      });
    }
    for (int k = 0; k < n_covered_; ++k) checks_[covered_[k]].is_outside = tree.dual(checks_[covered_[k]].owner).label == Label::outside;
    this->spread_root(lowered);
    spread_from(0);
  }
  /// What the wave at a check was to meet may have changed, but is not sooner.
  template <class Lowered>
  void meet(const Lowered& lowered, std::int32_t id) noexcept {
    while (true) {
      const Meeting next = this->template look_around<false>(lowered, id);
      if (next.with == nobody) return;
      if (next.time > tree_->now_) return push(n_ids_ + id, next.time);
      if (next.is_outside) grow(next.with, checks_[id].source);
      else merge(group_of(checks_[id].source), group_of(next.with));
    }
  }

  /// The outside item of `leaf`, met by leaf `from` or a side itself, becomes minus, its partner plus.
  void grow(Index leaf, Index from) noexcept {
    Tree& tree = *tree_;
    const Index minus = tree.dual(leaf).top, partner = tree.match(minus).v;
    const int before = tree.n_growing_, side = group(group_of(from)).side;
    enter(minus, side);
    enter(tree.dual(partner).top, side);
    for (const Index id : {minus, tree.dual(partner).top}) tree.for_leaves(id, [&](Index met) { this->mark_outside(met, false); });
    tree.grow(minus, {0, from, leaf});
    if (tree.is_blossom(minus)) push(2 * n_ids_ + minus, tree.dual(minus).radius);
    spread_from(before);
  }
  /// A minus blossom without a dual of its own: some of what it was is outside again, where waves have been.
  template <class Lowered>
  SPINEL_NOINLINE void fall_apart(const Lowered& lowered, Index blossom) noexcept {
    Tree& tree = *tree_;
    if (tree.item(blossom).parent >= 0 || tree.leaf_count_[blossom - tree.n_leaves_max()] == 0) return;
    if (tree.dual(blossom).label != Label::minus || tree.dual(blossom).radius != tree.now_) return;
    const int before = tree.n_growing_, n_plus = tree.n_plus_, n_minus = tree.n_minus_ - 1, side = group(blossom).side;
    tree.expand_blossom(blossom);
    for (int k = n_plus; k < tree.n_plus_; ++k) enter(tree.plus_[k], side);
    for (int k = n_minus; k < tree.n_minus_; ++k) {
      enter(tree.minus_[k], side);
      if (tree.is_blossom(tree.minus_[k])) push(2 * n_ids_ + tree.minus_[k], tree.dual(tree.minus_[k]).radius);
    }
    // With smaller radii, so the side meets them later than it was to.
    for (int k = 0; k < n_members_; ++k) {
      const Index leaf = members_[k];
      queue_.drop(2 * n_ids_ + leaf);
      if (tree.dual(leaf).label != Label::outside) continue;
      for (std::int32_t id = first_covered_[leaf]; id >= 0; id = next_covered_[id])
        checks_[id].covered += tree.dual(leaf).radius - radius_[leaf];
      radius_[leaf] = tree.dual(leaf).radius;
      this->mark_outside(leaf, true);
    }
    this->spread_root(lowered);
    for (int k = 0; k < n_members_; ++k) {
      const Index leaf = members_[k];
      if (tree.dual(leaf).label != Label::outside) continue;
      for (std::int32_t id = first_covered_[leaf]; id >= 0; id = next_covered_[id])
        this->for_edges(
            lowered, id,
            [&](std::int32_t to, std::int32_t) {
              if (checks_[to].is_settled) push(n_ids_ + to, tree.now_);
            },
            [](MarkedDistance) {});
    }
    spread_from(before);
  }
  /// Two groups of the tree met: with all that is between them and their first common ancestor they become one.
  void merge(std::int32_t one, std::int32_t two) noexcept {
    Tree& tree = *tree_;
    const auto minus_above = [&](std::int32_t id) -> std::int32_t {
      return tree.dual(tree.match(static_cast<Index>(group(id).base)).v).top;
    };
    const auto plus_above = [&](std::int32_t minus) { return group_of(tree.item(static_cast<Index>(minus)).tree.u); };
    ++n_marks_;
    for (std::int32_t id = one;; id = plus_above(minus_above(id))) {
      group(id).mark = n_marks_;
      if (id >= n_items_) break;
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
    spread_from(before);
  }

  std::uint32_t n_marks_ = 0;
};

}  // namespace spinel::detail
