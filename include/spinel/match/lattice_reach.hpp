// SPDX-License-Identifier: Apache-2.0
// How far the events of a shot with lowered edges reach: the places where each can be met (lattice_places.hpp) and its way out, as far as
// they have been followed over lowered edges; and, where that is not far enough, a search of the graph itself.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/arena.hpp>
#include <spinel/core/config.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_lowered.hpp>
#include <spinel/match/lattice_places.hpp>
#include <spinel/match/lattice_search.hpp>
#include <spinel/match/lattice_tables.hpp>

namespace spinel::detail {

/// What the second pass begins with (lattice_repair.hpp) and goes on with (lattice_overlay.hpp).
template <class Tree, class BitOps, class Events_>
class LatticeReach {
 public:
  using Layout = typename Tree::Layout;
  using Index = typename Tree::Index;
  using Sizes = LatticeSizes<Layout>;
  using Tables = LatticeTables<Layout>;
  using Search = LatticeSearch<Layout>;
  using Events = Events_;
  using Lowered = LoweredEdges<Layout>;
  using Places = LatticePlaces<Layout, Events, BitOps>;
  using Place = typename Places::Place;
  static constexpr std::int32_t no_limit = Tables::no_limit;

  constexpr void lay_out(const Layout& layout, Arena& arena) noexcept {
    const auto n = static_cast<std::size_t>(layout.n_detectors());
    n_work_max_ = static_cast<std::int32_t>(Places::n_places_max(n));
    lowered.lay_out(layout, arena);
    places_.lay_out(layout, arena);
    boundary_.lay_out(n, arena);
    work_.lay_out(Places::n_places_max(n), arena);
  }
  void clear(const Layout& layout) noexcept {
    lowered.clear(layout);
    places_.clear(layout);
  }
  /// Ends the shot: places and lowered edges are forgotten.
  void end() noexcept {
    places_.end();
    lowered.forget();
  }

  Lowered lowered;

 protected:
  static constexpr std::int32_t none = Places::none;
  static constexpr int n_far_max = 64;

  /// Begins with the events' own checks.
  void begin(const Tables& tables, Search& paths, Events& events, Tree& tree) noexcept {
    tables_ = &tables;
    paths_ = &paths;
    events_ = &events;
    tree_ = &tree;
    is_full_ = false;
    places_.begin(tables, events);
    for (int k = 0; k < events.n_events; ++k) boundary_[k] = tables.boundary[events.ids[k]];
  }
  /// A way out of `leaf`, if `is_out`. (There is no branch in this.)
  void way_out(std::int32_t leaf, MarkedDistance marked, bool is_out = true) noexcept {
    const MarkedDistance before = boundary_[leaf];
    const MarkedDistance is_nearer = 0 - static_cast<MarkedDistance>(is_out & (distance_of(marked) < distance_of(before)));
    boundary_[leaf] = (marked & is_nearer) | (before & ~is_nearer);
  }
  /// `leaf` reaches the check `id` after `head_start`: a place there, new or nearer, is work.
  void settle_at(std::int32_t leaf, std::int32_t id, MarkedDistance head_start) noexcept {
    for (std::int32_t p = places_.first_at(id); p != none; p = places_[p].next_here)
      if (places_[p].owner == leaf) {
        if (distance_of(head_start) >= distance_of(places_[p].head_start)) return;
        places_[p].head_start = head_start;
        return add_work(leaf, p);
      }
    const std::int32_t added = places_.add_satellite(leaf, id, head_start);
    if (added == none) is_full_ = true;
    else add_work(leaf, added);
  }
  void add_work(std::int32_t leaf, std::int32_t p) noexcept {
    way_out(leaf, sum_of(places_[p].head_start, tables_->boundary[places_[p].id]));
    add_again(p);
  }
  void add_again(std::int32_t p) noexcept {
    if (n_work_ == n_work_max_) is_full_ = true;
    else work_[n_work_++] = p;
  }
  /// Every event nearer than `limit`, on the graph with the lowered edges; learns the way out as well.
  template <class Visit>
  SPINEL_NOINLINE void search_from(Index leaf, std::int32_t limit, Visit&& visit) noexcept {
    paths_->from_with_more(
        *tables_, events_->ids[leaf], limit, distance_of(boundary_[leaf]),
        [&](int id, MarkedDistance marked, auto&& reach) {
          lowered.at(
              id, [&](std::int32_t to, MarkedDistance weight) { reach(to, sum_of(marked, weight)); },
              [&](MarkedDistance weight) { way_out(leaf, sum_of(marked, weight)); });
        },
        [&](int id, MarkedDistance marked) {
          way_out(leaf, sum_of(marked, tables_->boundary[id]));
          std::int32_t p = places_.first_at(id);
          while (p >= events_->n_events && p != none) p = places_[p].next_here;
          if (p != none && p != leaf) visit(p, marked);
        });
  }

  const Tables* tables_ = nullptr;
  Search* paths_ = nullptr;
  Events* events_ = nullptr;
  Tree* tree_ = nullptr;
  bool is_full_ = false;  ///< no room for another satellite: from then on every look searches the graph
  Places places_;
  LatticeArray<MarkedDistance, Sizes::detectors> boundary_;  ///< by leaf: the shortest way out that is known
  std::int32_t n_work_ = 0, n_work_max_ = 0;
  LatticeArray<std::int32_t, Sizes::of(Places::n_places_max(Sizes::detectors))> work_;  ///< places to go on from
};

}  // namespace spinel::detail
