// SPDX-License-Identifier: Apache-2.0
// Waves over the checks of the lattice, from the sides of the boundary and from whatever else grows in the trees of
// lattice_gap_flood.hpp: which wave passes a check first, whom it meets next, and when. Waves start from where the radii of the finished
// matching end, so what a radius covers is known first, and then left to its event until that grows itself.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/config.hpp>
#include <spinel/match/lattice_gap_bounds.hpp>
#include <spinel/match/lattice_gap_queue.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_tables.hpp>

namespace spinel::detail {

/// No edge of the shot is lighter than in the tables; else LoweredEdges.
struct NoLoweredEdges {
  static constexpr bool has(int) noexcept { return false; }
  template <class Visit, class Out>
  static constexpr void at(int, Visit&&, Out&&) noexcept {}
  template <class Visit>
  static constexpr void for_ends(Visit&&) noexcept {}
};

/// Things in the queue: waves at checks, by id; what those meet, by id after all ids; then items that a side meets or that fall apart.
template <class Tree>
class LatticeGapWaves {
 public:
  using Layout = typename Tree::Layout;
  using Index = typename Tree::Index;
  using Sizes = LatticeSizes<Layout>;
  using Tables = LatticeTables<Layout>;
  using Bounds = LatticeBounds<Layout>;
  using Label = typename Tree::Label;

  constexpr void lay_out(const Layout& layout, Arena& arena) noexcept {
    const auto n = static_cast<std::size_t>(layout.n_detectors()), n_items = static_cast<std::size_t>(layout.n_items());
    n_items_ = layout.n_items();
    n_ids_ = layout.n_ids();
    checks_.lay_out(static_cast<std::size_t>(n_ids_), arena);
    touched_.lay_out(n, arena);
    covered_.lay_out(n, arena);
    next_covered_.lay_out(static_cast<std::size_t>(n_ids_), arena);
    first_covered_.lay_out(n, arena);
    radius_.lay_out(n, arena);
    by_side_time_.lay_out(n, arena);
    by_side_.lay_out(n, arena);
    groups_.lay_out(n_items + 2, arena);
    queue_.lay_out(n_things(), arena);
  }
  /// For `bounds`, which are built.
  void use(const Bounds& bounds) noexcept {
    for (int id = 0; id < n_ids_; ++id) forget(bounds, id);
    queue_.clear(n_things());
  }

 protected:
  static constexpr Index nobody = -3;
  /// In place of a leaf.
  static constexpr Index root_leaf(int side) noexcept { return static_cast<Index>(-1 - side); }
  /// When the first wave passes a check, and whose radius covers it. Before any other wave that is the nearer side's, along edges that
  /// weigh what the tables say, as if it were there already: only what comes sooner is followed from check to check.
  struct Check {
    std::int32_t time = 0;     // of the wave; its source's own place was passed a radius before that one grew
    std::int32_t covered = 0;  // how much of the owner's radius is left here, when that was last outside
    Index source = root_leaf(0);
    Index owner = nobody;
    bool is_outside = false;                      // covered by what is outside the tree
    bool is_reached = false, is_settled = false;  // by a wave that is followed
    bool is_touched = false;
  };
  /// Plus items that were merged form a group, known by one of them or by a root (a side and all that is matched to it).
  struct Group {
    std::int32_t up = 0;    // towards the representative
    std::int32_t base = 0;  // of a representative: the item whose matching edge leads to the root
    std::uint32_t mark = 0;
    std::uint8_t side = 0;  // of every item in a tree
  };
  /// What a wave at a check meets next: an event's leaf by its radius, or another wave by its source.
  struct Seen {
    std::int32_t id, time;
  };
  struct Meeting {
    std::int32_t time = 0;
    Index with = nobody;
    bool is_outside = false;
  };
  std::size_t n_things() const noexcept { return 2 * static_cast<std::size_t>(n_ids_) + static_cast<std::size_t>(n_items_); }
  Group& group(std::int32_t id) noexcept { return groups_[static_cast<std::size_t>(id)]; }
  std::int32_t root(int side) const noexcept { return n_items_ + side; }
  std::int32_t find(std::int32_t id) noexcept {
    while (group(id).up != id) id = group(id).up = group(group(id).up).up;
    return id;
  }
  std::int32_t group_of(Index leaf) noexcept { return find(leaf < 0 ? root(-1 - leaf) : tree_->dual(leaf).top); }
  /// An item in a tree: alone in its group if it is plus.
  void enter(std::int32_t id, int side) noexcept { group(id) = {id, id, 0, static_cast<std::uint8_t>(side)}; }
  /// A way from side to side costs so much.
  void meet_sides(std::int32_t gap) noexcept {
    gap_ = spinel::min(gap_, gap);
    end_ = (gap_ + 1) / 2;
  }
  void push(std::int32_t thing, std::int32_t time) noexcept {
    if (time < end_) queue_.push(thing, spinel::max(time, tree_->now_));
  }
  /// Of a plus leaf: when its wave passes a check that it covered.
  std::int32_t wave_of(Index leaf, const Check& check) const noexcept {
    return radius_[leaf] - check.covered - tree_->dual(leaf).radius;
  }

  // == Checks ==
  void forget(const Bounds& bounds, std::int32_t id) noexcept {
    checks_[id] = Check{};
    const int side = bounds.nearer_side(id);
    checks_[id].time = bounds.to_side(side, id);
    checks_[id].source = root_leaf(side);
  }
  Check& touch(std::int32_t id) noexcept {
    Check& check = checks_[id];
    if (!check.is_touched) {
      check.is_touched = true;
      touched_[n_touched_++] = id;
    }
    return check;
  }
  /// `visit(id, weight)` for all edges at a check, those that are lowered as well; `out(weight)` for lowered ones to the boundary.
  template <class Lowered, class Visit, class Out>
  void for_edges(const Lowered& lowered, std::int32_t id, Visit&& visit, Out&& out) const noexcept {
    const int row = tables_->layout.edge_row(tables_->layout.site(id)), degree = tables_->degree[row];
    const LatticeEdge* const edges = tables_->edges[row];
    for (int e = 0; e < degree; ++e) visit(id + edges[e].offset, distance_of(edges[e].weight));
    lowered.at(
        id, [&](std::int32_t to, MarkedDistance weight) { visit(to, distance_of(weight)); }, out);
  }
  /// What every event's radius covers, by event. An event's own place is its own.
  template <class Lowered>
  void cover(const Lowered& lowered) noexcept {
    const Tree& tree = *tree_;
    for (int k = 0; k < n_members_; ++k) {
      const Index leaf = members_[k];
      Check& check = touch(ids_[leaf]);
      check.owner = leaf;
      check.covered = radius_[leaf] = tree.dual(leaf).radius;
      first_covered_[leaf] = nobody;
      covered_[k] = ids_[leaf];
    }
    n_covered_ = n_members_;
    // Mostly once: few radii cover anything but their event.
    for (bool again = true; again;) {
      again = false;
      for (int k = 0; k < n_covered_; ++k) {
        const Check& own = checks_[covered_[k]];
        if (own.covered <= tables_->lightest && !lowered.has(covered_[k])) continue;
        for_edges(
            lowered, covered_[k],
            [&](std::int32_t to, std::int32_t weight) {
              if (own.covered - weight <= checks_[to].covered) return;
              Check& check = touch(to);
              if (check.owner == nobody) covered_[n_covered_++] = to;
              else again = true;
              check.covered = own.covered - weight;
              check.owner = own.owner;
            },
            [](MarkedDistance) {});
      }
    }
    for (int k = 0; k < n_covered_; ++k) {
      std::int32_t& first = first_covered_[checks_[covered_[k]].owner];
      next_covered_[covered_[k]] = first;
      first = covered_[k];
    }
  }
  /// The wave from `source` passes check `id`, if it is the first one there.
  void reach(std::int32_t id, std::int32_t time, Index source) noexcept {
    Check& check = touch(id);
    check.time = time;
    check.source = source;
    check.is_reached = true;
    push(id, time);
  }

  /// The sides' own waves: whom they meet that is outside, and where lowered edges bring them sooner.
  template <class Lowered>
  void spread_root(const Lowered& lowered) noexcept {
    for (int k = 0; k < n_members_; ++k) {
      const Index leaf = members_[k];
      by_side_time_[leaf] = end_;
      if (tree_->dual(leaf).label != Label::outside) continue;
      const int side = bounds_->nearer_side(ids_[leaf]);
      meet_by_side(leaf, bounds_->to_side(side, ids_[leaf]) - radius_[leaf], side);
    }
    const auto come = [&](std::int32_t id, std::int32_t time, int side) {
      meet_sides(time + bounds_->to_side(1 - side, id));
      const Check& check = checks_[id];
      if (check.is_outside) meet_by_side(check.owner, time - check.covered, side);
      if (time < spinel::min(check.time, end_)) reach(id, time, root_leaf(side));
    };
    lowered.for_ends([&](std::int32_t id, std::int32_t along, MarkedDistance weight) {
      if (!bounds_->counts(id)) return;
      if (along == 0) return come(id, distance_of(weight), bounds_->side_of(id, weight));
      const int side = bounds_->nearer_side(id);
      come(id + along, bounds_->to_side(side, id) + distance_of(weight), side);
    });
  }
  void meet_by_side(Index leaf, std::int32_t time, int side) noexcept {
    if (time >= spinel::min(by_side_time_[leaf], end_)) return;
    by_side_time_[leaf] = time;
    by_side_[leaf] = root_leaf(side);
    push(2 * n_ids_ + leaf, time);
  }
  void mark_outside(Index leaf, bool is_outside) noexcept {
    for (std::int32_t id = first_covered_[leaf]; id >= 0; id = next_covered_[id]) checks_[id].is_outside = is_outside & (checks_[id].covered >= 0);
  }
  /// The leaves that began to grow since there were `first`.
  void spread_from(int first) noexcept {
    for (int k = first; k < tree_->n_growing_; ++k) {
      const Index leaf = tree_->next_[k].u;
      for (std::int32_t id = first_covered_[leaf]; id >= 0; id = next_covered_[id]) {
        const Check& check = checks_[id];
        const std::int32_t time = wave_of(leaf, check);
        if (time < check.time || (time == check.time && !check.is_reached)) reach(id, time, leaf);
        else if (check.is_settled) push(n_ids_ + id, tree_->now_);
      }
    }
  }
  template <class Lowered>
  void settle(const Lowered& lowered, std::int32_t id) noexcept {
    checks_[id].is_settled = true;
    if (const Meeting next = look_around<true>(lowered, id); next.with != nobody) push(n_ids_ + id, next.time);
    const Index source = checks_[id].source;
    for (int k = 0; k < n_reached_; ++k)
      if (reached_[k].time < spinel::min(checks_[reached_[k].id].time, end_)) reach(reached_[k].id, reached_[k].time, source);
  }
  /// What the wave at a check meets next; with `spreads` those whom it may reach first across edges of the tables are
  /// listed in `reached_`, those across lowered ones are reached.
  template <bool spreads, class Lowered>
  Meeting look_around(const Lowered& lowered, std::int32_t id) noexcept {
    const Check own = checks_[id];
    const std::int32_t own_group = group_of(own.source);
    const int side = group(own_group).side;
    // The sides' own waves pass all checks.
    meet_sides(own.time + bounds_->to_side(1 - side, id));
    Meeting next{end_, nobody, false};
    if (const std::int32_t time = (own.time + bounds_->to_side(side, id)) >> 1; (own_group != root(side)) & (time < end_))
      next = {time, root_leaf(side), false};
    const auto meet_wave = [&](Index source, std::int32_t both) {
      if (both >> 1 >= next.time) return;
      const std::int32_t other_group = group_of(source);
      if (group(other_group).side != side) meet_sides(both);
      else if (other_group != own_group) next = {both >> 1, source, false};
    };
    if (own.owner != nobody && own.owner != own.source && tree_->dual(own.owner).label == Label::plus)
      meet_wave(own.owner, own.time + wave_of(own.owner, own));

    const int row = tables_->layout.edge_row(tables_->layout.site(id)), degree = tables_->degree[row];
    const LatticeEdge* const edges = tables_->edges[row];
    // Most are of no interest; those that are, are found without branches.
    const std::int32_t limit = next.time, end = end_;
    int n = 0, n_met = 0;
    for (int e = 0; e < degree; ++e) {
      const std::int32_t to = id + edges[e].offset, time = own.time + distance_of(edges[e].weight);
      const Check& other = checks_[to];
      if constexpr (spreads) {
        reached_[n] = {to, time};
        n += (time < other.time) & (time < end);
      }
      met_[n_met] = {to, time};
      const std::int32_t when = other.is_outside ? time - other.covered : (time + other.time) >> 1;
      n_met += (when < limit) & (other.is_outside | (other.is_settled & (other.source != own.source)));
    }
    const auto meet = [&](std::int32_t to, std::int32_t time) {
      const Check& other = checks_[to];
      if (other.is_outside) {
        if (time - other.covered < next.time) next = {time - other.covered, other.owner, true};
      } else if (other.is_settled | !other.is_reached) {
        meet_wave(other.source, time + other.time);
      }
    };
    for (int k = 0; k < n_met; ++k) meet(met_[k].id, met_[k].time);
    lowered.at(
        id,
        [&](std::int32_t to, MarkedDistance weight) {
          const std::int32_t time = own.time + distance_of(weight);
          meet(to, time);
          if (spreads && time < spinel::min(checks_[to].time, end_)) reach(to, time, own.source);
        },
        [&](MarkedDistance weight) { meet_wave(root_leaf(bounds_->side_of(id, weight)), own.time + distance_of(weight)); });
    n_reached_ = n;
    return next;
  }
  // == Permanent: fixed at set-up ==
  std::int32_t n_items_ = 0, n_ids_ = 0;
  LatticeArray<Check, Sizes::ids> checks_;
  // == Per shot ==
  const Tables* tables_ = nullptr;
  const Bounds* bounds_ = nullptr;
  Tree* tree_ = nullptr;
  const std::int32_t* ids_ = nullptr;
  const Index* members_ = nullptr;
  int n_members_ = 0, n_touched_ = 0, n_covered_ = 0;
  std::int32_t gap_ = 0, end_ = 0;  // what a way from side to side is known to cost, and when the trees meet on it
  int n_reached_ = 0;
  Seen reached_[Tables::max_degree + 1], met_[Tables::max_degree + 1];
  LatticeGapQueue<Sizes::of(2 * Sizes::ids + Sizes::items)> queue_;  ///< waves at checks, their meetings, items met by the side or falling apart
  LatticeArray<Group, Sizes::of(Sizes::items + 2)> groups_;
  LatticeArray<std::int32_t, Sizes::detectors> touched_, covered_, first_covered_, radius_, by_side_time_;
  LatticeArray<Index, Sizes::detectors> by_side_;  ///< which one meets an outside leaf first
  LatticeArray<std::int32_t, Sizes::ids> next_covered_;
};

}  // namespace spinel::detail
