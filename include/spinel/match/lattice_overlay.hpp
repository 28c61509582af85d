// SPDX-License-Identifier: Apache-2.0
// Distances for a shot in which some edges weigh less than the tables know (the second pass of correlated matching), exact and
// without touching the tables. Where a lowered edge leads from near an event to another check, the event gets a satellite
// there: a second place with a head start. A pair's distance is then the least over both events' places of head start, table
// distance, head start. Every event has the satellites that its radius covers, one that grows also those beyond the lowered
// edges whose near ends it covers: wherever on a path two radii meet, the growing one knows the way to a place of the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <spinel/core/arena.hpp>
#include <spinel/core/config.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_lowered.hpp>
#include <spinel/match/lattice_metric.hpp>
#include <spinel/match/lattice_places.hpp>
#include <spinel/match/lattice_tables.hpp>

namespace spinel::detail {

/// The metric of the second pass, for LatticeTree::search.
template <class Tree, class BitOps, class Events_>
class LatticeOverlay {
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
    horizon_.lay_out(n, arena);
    covers_.lay_out(n, arena);
    those_.lay_out(n + 1, arena);
    work_.lay_out(Places::n_places_max(n), arena);
  }
  void clear(const Layout& layout) noexcept {
    lowered.clear(layout);
    places_.clear(layout);
  }

  /// Begins the second pass over the events of the first, whose leaves hold feasible radii and mates for the tables' distances,
  /// but for leaves of blossoms, which say so by another `top` than themselves. Lowers radii until they are feasible for the
  /// shot's own; matches that are no longer tight come undone. Returns how many leaves are left in `free`.
  int begin(const Tables& tables, Search& paths, Events& events, Tree& tree, Index* free) noexcept {
    tables_ = &tables;
    paths_ = &paths;
    events_ = &events;
    tree_ = &tree;
    const int n = events.n_events;
    is_full_ = false;
    places_.begin(tables, events);
    for (int k = 0; k < n; ++k) {
      boundary_[k] = tables.boundary[events.ids[k]];
      horizon_[k] = 0;
    }
    for (int k = 0; k < n; ++k) {
      // Who grows later looks for tall ones as far as the window table.
      std::int32_t& radius = tree.dual(static_cast<Index>(k)).radius;
      radius = 2 * radius > tables.radius[1] ? tables.radius[1] / 2 : radius;
      covers_[k] = 0;
    }
    keep_neighbors_apart();
    cover(find_those([&](int k) { return covers_[k] | (tree.dual(static_cast<Index>(k)).radius >= tables.lightest); }));
    const int n_unusual = find_those([&](int k) {
      const auto& dual = tree.dual(static_cast<Index>(k));
      return (dual.top != k) | (2 * dual.radius > tables.radius[0]);
    });
    for (int k = 0; k < n_unusual; ++k) make_feasible(those_[k], tree.dual(those_[k]).top != those_[k]);
    make_satellites_feasible();
    tree.forget_blossoms([&](Index leaf) { events.forget(leaf); });
    events.begin();
    if (SPINEL_UNLIKELY(is_full_)) return start_from_nothing(free);
    // Whose radius was cut is held in place by the one it was cut for; its former mate is often free to make up for it. So those first.
    int n_free = 0, n_cut = 0;
    std::int64_t weight = 0;
    MarkedDistance flips = 0;
    for (int k = 0; k < n; ++k) {
      // Without branches on what the mate is and whether the match is still tight.
      auto& match = tree.match(static_cast<Index>(k));
      const std::int32_t radius = tree.dual(static_cast<Index>(k)).radius;
      const MarkedDistance is_out = 0 - MarkedDistance{match.v == Tree::to_boundary};
      const std::int32_t has_mate = -static_cast<std::int32_t>(match.v >= 0);
      const std::int32_t others = tree.dual(static_cast<Index>(match.v & has_mate)).radius & has_mate;
      match.path = (boundary_[k] & is_out) | (match.path & ~is_out);
      static_assert(Tree::unmatched == -1);
      match.v = static_cast<Index>(match.v | -static_cast<std::int32_t>(radius + others != distance_of(match.path)));
      if (SPINEL_UNLIKELY(2 * radius > tables.radius[0])) places_.mark_all_tall(k);
      const bool is_free = match.v == Tree::unmatched, was_cut = horizon_[k] != 0;
      work_[n_cut] = k;
      n_cut += is_free & was_cut;
      free[n_free] = static_cast<Index>(k);
      n_free += is_free & !was_cut;
      weight += radius;
      flips ^= match.path & static_cast<std::uint32_t>((match.v - k) >> 31);
    }
    tree.weight = weight;
    tree.flips = flips;
    for (int k = 0; k < n_cut; ++k) free[n_free++] = static_cast<Index>(work_[k]);
    return n_free;
  }
  /// Ends the shot: places and lowered edges are forgotten.
  void end() noexcept {
    places_.end();
    lowered.forget();
  }

  // == What LatticeTree::search asks ==
  bool has_lists() const noexcept { return events_->has_lists(); }
  std::int32_t known_radius(Index leaf) const noexcept {
    const std::int32_t radius = radius_of(tree_->dual(leaf).tier) >> 1;
    return radius < horizon_[leaf] ? radius : horizon_[leaf];
  }
  MarkedDistance boundary(Index leaf) noexcept {
    if (SPINEL_UNLIKELY(!has_lists())) search_from(leaf, no_limit, [](int, MarkedDistance) {});
    return boundary_[leaf];
  }
  /// Who has searched the graph is known to all whom it found, so only others like it can come nearer than half of that.
  static constexpr bool is_tall(int tier) noexcept { return tier >= 3; }
  std::int32_t usual_radius() const noexcept { return tables_->radius[1] >> 1; }
  LatticeSite site(Index) const noexcept { return {}; }
  std::int32_t least_distance(const LatticeSite&, const LatticeSite&) const noexcept { return 0; }
  const Events& lists() const noexcept { return *events_; }
  template <class Visit>
  void for_everyone(Index leaf, Visit&& visit) noexcept {
    search_from(leaf, no_limit, [&](int other, MarkedDistance marked) { visit(static_cast<Index>(other), marked); });
  }
  /// `reached` is the leaf's radius now. Tier 1 looks as far as the near table, and for those who are tall as far as they may come near;
  /// tier 2 looks as far as the window table and makes the leaf tall itself.
  void explore(Index leaf, std::int32_t reached) noexcept {
    auto& tier = tree_->dual(leaf).tier;
    if ((tier == 1 || tier == 2) && horizon_[leaf] < radius_of(tier) >> 1) {
      const std::int32_t n_known = expand(leaf, reached, radius_of(tier) >> 1, horizon_[leaf]);
      for (std::int32_t w = n_known; w < n_work_; ++w) {
        look_from(leaf, work_[w], tier, true);
        if (tier == 2) places_.mark_tall(work_[w]);
      }
      end_looks(leaf);
    } else if (tier < 2) {
      const std::int32_t crossed = tier == 0 ? 0 : known_radius(leaf);
      tier = 2 * reached >= tables_->radius[0] ? 2 : static_cast<std::int8_t>(tier + 1);
      expand(leaf, reached, radius_of(tier) >> 1, crossed);
      look_from(leaf, leaf, tier, tier == 2);
      for (std::int32_t p = places_.first_of(leaf); p != none; p = places_[p].next_of_owner) look_from(leaf, p, tier, true);
      end_looks(leaf);
      if (tier == 2) places_.mark_all_tall(leaf);
    } else {
      // From here on what a leaf knows is complete by itself, so it tells everyone.
      ++tier;
      const std::int32_t radius = radius_of(tier), from = tier == 3 ? 0 : radius_of(tier - 1);
      horizon_[leaf] = no_limit;
      search_from(leaf, radius, [&](int other, MarkedDistance marked) {
        if (distance_of(marked) < from || tree_->dual(static_cast<Index>(other)).tier >= tier) return;
        if (events_->push(leaf, {marked, static_cast<Index>(other)})) tell(static_cast<Index>(other), {marked, leaf});
      });
    }
    if (SPINEL_UNLIKELY(is_full_)) events_->drop_lists();
  }

  /// Distances from a place with the lowered edges: `visit(id, marked)` below `limit`, again where found nearer.
  template <class Visit>
  void for_places_within(const Tables& tables, Search& paths, int from, std::int32_t limit, Visit&& visit) const noexcept {
    paths.from_with_more(
        tables, from, limit, no_limit,
        [&](int id, MarkedDistance marked, auto&& reach) {
          lowered.at(id, [&](std::int32_t to, MarkedDistance weight) { reach(to, sum_of(marked, weight)); }, [](MarkedDistance) {});
        },
        [&](int id, MarkedDistance marked) {
          if (id != from) visit(id, marked);
        });
  }

  Lowered lowered;

 private:
  static constexpr std::int32_t none = Places::none;
  static constexpr int n_far_max = 64, n_covered_max = 256;
  /// Place `p` of `leaf` looks around itself, with all others that do in `end_looks`; with `is_news` those who have looked before
  /// did not see it.
  void look_from(Index leaf, std::int32_t p, int tier, bool is_news) noexcept {
    const Place& place = places_[p];
    const std::int32_t limit = radius_of(tier), left = limit - distance_of(place.head_start);
    const bool meets_tall = tier == 1 && places_.any_tall_near(place.id);
    const std::int32_t tall_limit = meets_tall ? (tables_->radius[0] + tables_->radius[1]) / 2 : limit;
    places_.add_met(place.id, place.head_start, tall_limit, is_news);
    if (left > tables_->lightest)
      places_.add_look(left <= tables_->radius[0] ? places_.near_slots(events_->bits, place.id)
                                                  : places_.window_slots(events_->bits, place.id),
                       place.id, place.head_start, limit, is_news);
    if (meets_tall)
      places_.add_look(places_.window_slots(places_.tall_bits(), place.id), place.id, place.head_start, tall_limit, is_news);
    if (SPINEL_UNLIKELY(!places_.has_room_for_looks())) end_looks(leaf);
  }
  /// Adds whom the places of `leaf` meet that looked.
  void end_looks(Index leaf) noexcept {
    typename Events::Candidate *const met = met_, *const told = told_;
    int n_met = 0, n_told = 0;
    places_.for_looks(
        [&](MarkedDistance marked, std::int32_t other, bool is_nearer, std::int32_t is_news) {
          const auto owner = static_cast<Index>(other);
          met[n_met] = told[n_told] = {marked, owner};
          const bool is_met = is_nearer & (owner != leaf);
          n_met += is_met;
          n_told += is_met & (is_news != 0) & (tree_->dual(owner).tier > 0);
        },
        [&](bool is_last) {
          if (SPINEL_LIKELY(!is_last & (n_met < 64))) return;
          if (events_->reserve(leaf, n_met + 8)) {
            auto* const out = events_->open(leaf);
            int k = 0;  // eight at a time: how many there are is as good as random
            do std::memcpy(out + k, met + k, 8 * sizeof(*out));
            while ((k += 8) < n_met);
            events_->close(leaf, out + n_met);
            for (k = 0; k < n_told; ++k) tell(told[k].leaf, {told[k].distance, leaf});
          }
          n_met = n_told = 0;
        });
  }
  void tell(Index leaf, typename Events::Candidate candidate) noexcept {
    tree_->touch(leaf);  // lists of touched leaves are forgotten in the end
    events_->push(leaf, candidate);
  }
  /// Tiers 1 and 2 are the near and the window table, those beyond search the graph itself.
  std::int32_t radius_of(int tier) const noexcept {
    std::int32_t radius = tables_->radius[tier > 1];
    for (int k = 2; k < tier; ++k) radius = radius > no_limit / 2 ? no_limit : radius + radius / 5;
    return radius & ~1;
  }

  /// For a leaf that grows: makes the satellites over all lowered edges whose near ends are at most `radius` away.
  /// `work_` lists the places that were there and, from the returned number on, those that are new or nearer than before.
  /// The horizon becomes the nearest near end beyond `radius`, if it is below `limit`.
  /// Lowered edges whose near ends are less than `crossed` away from a place that was there lead to places by now.
  std::int32_t expand(std::int32_t leaf, std::int32_t radius, std::int32_t limit, std::int32_t crossed) noexcept {
    n_work_ = 0;
    work_[n_work_++] = leaf;
    for (std::int32_t p = places_.first_of(leaf); p != none; p = places_[p].next_of_owner) work_[n_work_++] = p;
    const std::int32_t n_known = n_work_;
    std::int32_t horizon = no_limit;
    // One generation of places after the other, each in loops over all of them.
    typename Lowered::NearEnd near[Places::n_looks_max * (64 + 1)];
    for (std::int32_t w = 0; w < n_work_;) {
      int n = 0;
      const std::int32_t end = w < n_known ? n_known : n_work_, least = w < n_known ? crossed : 0;
      const auto note = [&](bool is_near_end, int id, MarkedDistance marked) {
        const std::int32_t distance = distance_of(marked);
        near[n] = lowered.near_end(id, marked, 0);
        n += is_near_end & (distance <= radius) & (distance >= least);
        const std::int32_t beyond = distance | (no_limit & (static_cast<std::int32_t>(is_near_end & (distance > radius)) - 1));
        horizon = beyond < horizon ? beyond : horizon;
      };
      for (; w < end && places_.has_room_for_looks() && n < Places::n_looks_max; ++w) {
        const Place& place = places_[work_[w]];
        const std::int32_t left = limit - distance_of(place.head_start);
        note((left >= 0) & lowered.has(place.id), place.id, place.head_start);
        if (left >= tables_->lightest)
          places_.add_look(left < tables_->radius[0] ? places_.near_slots(lowered.bits, place.id) : places_.window_slots(lowered.bits, place.id),
                           place.id, place.head_start, limit + 1, false);
      }
      places_.for_hits([&](const typename Places::Look& look, int id, MarkedDistance marked) { note(distance_of(marked) < look.limit, id, marked); });
      // Most far ends have the place already.
      struct {
        std::int32_t to;
        MarkedDistance marked;
      } far[n_far_max + 1];
      int n_far = 0;
      const auto settle = [&] {
        for (int k = 0; k < n_far; ++k) settle_at(leaf, far[k].to, far[k].marked);
        n_far = 0;
      };
      lowered.cross(
          near, n,
          [&](std::int32_t to, MarkedDistance marked, std::int32_t, bool is_out) {
            far[n_far] = {to, marked};
            n_far += (!is_out) & !places_.first_is(leaf, to, marked);
            way_out(leaf, marked, is_out);
            if (SPINEL_UNLIKELY(n_far == n_far_max)) settle();
          });
      settle();
    }
    horizon_[leaf] = horizon;
    return n_known;
  }
  void way_out(std::int32_t leaf, MarkedDistance marked, bool is_out = true) noexcept {
    const MarkedDistance before = boundary_[leaf];
    const MarkedDistance is_nearer = 0 - static_cast<MarkedDistance>(is_out & (distance_of(marked) < distance_of(before)));
    boundary_[leaf] = (marked & is_nearer) | (before & ~is_nearer);
  }
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

  // == Feasible radii to start from ==
  /// Lists in `those_` the leaves where `which(leaf)` says so, found without a branch for each. Returns how many they are.
  template <class Which>
  int find_those(Which&& which) noexcept {
    int n = 0;
    for (int k = 0; k < events_->n_events; ++k) {
      those_[n] = static_cast<Index>(k);
      n += which(k);
    }
    return n;
  }
  /// Goes over the lowered edges at events: keeps those apart whom one joins, and lists in `covered_` the far ends of those that a radius
  /// covers, or marks in `covers_` whose radius it is where there is no room. Most do nothing, which is found without branches.
  void keep_neighbors_apart() noexcept {
    constexpr int n_max = 128;
    struct {
      MarkedDistance weight;
      Index a, b;
    } joined[n_max + 1];
    std::uint8_t those[n_max + 1];
    int n = 0;
    const auto keep_all_apart = [&] {
      // Mates first: they only come nearer, which may leave room for others.
      for (const bool mates : {true, false}) {
        int n_those = 0;
        for (int k = 0; k < n; ++k) {
          those[n_those] = static_cast<std::uint8_t>(k);
          n_those += (tree_->match(joined[k].a).v == joined[k].b) == mates;
        }
        for (int k = 0; k < n_those; ++k) keep_apart(joined[those[k]].a, joined[those[k]].b, joined[those[k]].weight);
      }
      n = 0;
    };
    typename Lowered::NearEnd near[n_max + 1];
    int n_near = 0;
    n_covered_ = 0;
    const auto cross = [&] {
      lowered.cross(
          near, n_near,
          [&](std::int32_t to, MarkedDistance marked, std::int32_t k, bool is_out) {
            const auto leaf = static_cast<Index>(k);
            const std::int32_t radius = tree_->dual(leaf).radius, weight = distance_of(marked);
            const Index other = events_->event_at[to];
            joined[n] = {marked, leaf, other};
            const bool is_event = events_->has_event(to), is_first = to > events_->ids[k];
            n += is_event & is_first & (tree_->dual(other).radius + radius > weight);
            const bool is_covered = (!is_out) & (weight <= radius), has_room = n_covered_ < n_covered_max;
            covered_[n_covered_] = {to, 2 * k + 1, marked};
            n_covered_ += is_covered & has_room;
            covers_[k] |= is_covered & !has_room;
            way_out(k, marked, is_out);
            if (SPINEL_UNLIKELY(n == n_max)) keep_all_apart();
          });
      n_near = 0;
    };
    for (int k = 0; k < events_->n_events; ++k) {
      near[n_near] = lowered.near_end(events_->ids[k], 0, k);
      n_near += lowered.has(events_->ids[k]);
      if (SPINEL_UNLIKELY(n_near == n_max)) cross();
    }
    cross();
    keep_all_apart();
    for (int k = 0; k < events_->n_events; ++k) keep_inside(k);
  }
  void keep_inside(std::int32_t leaf) noexcept {
    std::int32_t& radius = tree_->dual(static_cast<Index>(leaf)).radius;
    const std::int32_t way_out = distance_of(boundary_[leaf]);
    radius = radius > way_out ? way_out : radius;
  }
  /// Makes the satellites that radii cover: those that `keep_neighbors_apart` found, and then what these and the first `n_those` of
  /// `those_` reach; and keeps radii out of what others cover. One generation of places after the other, of all leaves together.
  void cover(int n_those) noexcept {
    FarEnd far[n_far_max + 1];
    int n_far = 0;
    const auto settle = [&] {
      for (int k = 0; k < n_far; ++k) reach_over(static_cast<Index>(far[k].tag >> 1), far[k].to, far[k].marked, (far[k].tag & 1) != 0);
      n_far = 0;
    };
    n_work_ = 0;
    for (int k = 0; k < n_covered_; ++k) {
      far[n_far] = covered_[k];
      n_far += distance_of(covered_[k].marked) <= tree_->dual(static_cast<Index>(covered_[k].tag >> 1)).radius;
      if (n_far == n_far_max) settle();
    }
    settle();
    for (int k = 0; k < n_those; ++k) add_again(those_[k]);
    typename Lowered::NearEnd near[Places::n_looks_max * (64 + 1)];
    for (std::int32_t w = 0; w < n_work_;) {
      int n = 0;
      const std::int32_t end = n_work_;
      for (; w < end && places_.has_room_for_looks() && n < Places::n_looks_max; ++w) {
        const std::int32_t p = work_[w];
        const Place& place = places_[p];
        const std::int32_t radius = tree_->dual(static_cast<Index>(place.owner)).radius, left = radius - distance_of(place.head_start);
        // Lowered edges at events have been gone over.
        near[n] = lowered.near_end(place.id, place.head_start, 2 * place.owner + 1);
        const bool is_near_end = lowered.has(place.id), is_due = (p >= events_->n_events) | (covers_[place.owner] != 0);
        n += (left >= 0) & is_near_end & is_due;
        if (left >= tables_->lightest)
          places_.add_look(left < tables_->radius[0] ? places_.near_slots(lowered.bits, place.id) : places_.window_slots(lowered.bits, place.id),
                           place.id, place.head_start, radius + 1, 2 * place.owner);
      }
      places_.for_hits([&](const typename Places::Look& look, int id, MarkedDistance marked) {
        near[n] = lowered.near_end(id, marked, look.tag);
        n += distance_of(marked) < look.limit;
      });
      lowered.cross(
          near, n,
          [&](std::int32_t to, MarkedDistance marked, std::int32_t tag, bool is_out) {
            const std::int32_t leaf = tag >> 1, radius = tree_->dual(static_cast<Index>(leaf)).radius;
            const bool is_place = events_->has_event(to);
            const Place& place = places_.first_or_any(to);
            const std::int32_t both = radius + tree_->dual(static_cast<Index>(place.owner)).radius;
            const bool is_own = place.owner == leaf, meets = both > distance_of(sum_of(marked, place.head_start));
            const bool is_known = is_own & (distance_of(place.head_start) <= distance_of(marked));
            const bool is_wanted = ((tag & 1) == 0) | (distance_of(marked) <= radius);
            far[n_far] = {to, tag, marked};
            n_far += (!is_out) & ((is_wanted & !(is_place & is_known)) | (is_place & ((meets & !is_own) | (place.next_here != none))));
            way_out(leaf, marked, is_out);
            if (SPINEL_UNLIKELY(n_far == n_far_max)) settle();
          });
      settle();
    }
    for (std::int32_t w = 0; w < n_work_; ++w) keep_inside(places_[work_[w]].owner);
  }
  /// The far end of a lowered edge, which `leaf` reaches after `marked`. A satellite is made where the radius covers it, or where
  /// the near end is no place that others would see.
  void reach_over(Index leaf, std::int32_t to, MarkedDistance marked, bool from_place) noexcept {
    for (std::int32_t p = places_.first_at(to); p != none; p = places_[p].next_here) {
      if (places_[p].owner != leaf) keep_apart(leaf, static_cast<Index>(places_[p].owner), sum_of(marked, places_[p].head_start));
      else if (distance_of(marked) >= distance_of(places_[p].head_start)) return;
    }
    if (!from_place || distance_of(marked) <= tree_->dual(leaf).radius) settle_at(leaf, to, marked);
  }
  /// Events themselves are far enough apart, but for those that shared a blossom; who is tall sees satellites.
  void make_feasible(Index leaf, bool was_in_blossom) noexcept {
    const std::int32_t& radius = tree_->dual(leaf).radius;  // pushing apart changes it
    if (2 * radius > tables_->lightest)
      places_.for_places_near(was_in_blossom ? events_->bits : places_.satellite_bits(), places_[leaf], 2 * radius,
                              [&](MarkedDistance marked, std::int32_t other) {
                                if (other != leaf) keep_apart(leaf, static_cast<Index>(other), marked);
                              });
  }
  /// Satellites see all who are not tall, be it that they are beyond the radius and the others reach them; of two satellites the nearer
  /// to its event sees the other.
  void make_satellites_feasible() noexcept {
    struct {
      Index a, b;
      MarkedDistance marked;
    } close[Places::n_met_max + 1];
    int n_close = 0;
    const auto end_looks = [&] {
      places_.for_looks(
          [&](MarkedDistance marked, std::int32_t other, bool, std::int32_t leaf) {
            const auto a = static_cast<Index>(leaf), b = static_cast<Index>(other);
            close[n_close] = {a, b, marked};
            n_close += (other != leaf) & (tree_->dual(a).radius + tree_->dual(b).radius > distance_of(marked));
          },
          [&](bool) {
            for (int k = 0; k < n_close; ++k) keep_apart(close[k].a, close[k].b, close[k].marked);
            n_close = 0;
          });
    };
    for (std::int32_t p = events_->n_events; p < places_.n_places(); ++p) {
      const Place& place = places_[p];
      const std::int32_t left = tree_->dual(static_cast<Index>(place.owner)).radius - distance_of(place.head_start);
      const std::int32_t usual = left + (tables_->radius[0] >> 1), reach = 2 * left > usual ? 2 * left : usual;
      if (usual <= 0) continue;
      places_.add_met(place.id, place.head_start, 0, place.owner);
      if (reach > tables_->lightest)
        places_.add_look(reach <= tables_->radius[0] ? places_.near_slots(events_->bits, place.id) : places_.window_slots(events_->bits, place.id),
                         place.id, place.head_start, reach + distance_of(place.head_start), place.owner);
      if (!places_.has_room_for_looks()) end_looks();
    }
    end_looks();
  }
  bool is_loose(Index leaf) const noexcept {
    const auto& match = tree_->match(leaf);
    const std::int32_t radius = tree_->dual(leaf).radius;
    if (match.v < 0) return match.v == Tree::unmatched || radius != distance_of(boundary_[leaf]);
    return radius + tree_->dual(match.v).radius != distance_of(match.path);
  }
  void keep_apart(Index a, Index b, MarkedDistance marked) noexcept {
    auto &first = tree_->dual(a), &second = tree_->dual(b);
    const std::int32_t excess = first.radius + second.radius - distance_of(marked);
    if (excess <= 0) return;
    std::int32_t from_first;
    if (tree_->match(a).v == b) {  // they stay together, nearer
      tree_->match(a).path = tree_->match(b).path = marked;
      from_first = excess / 2;
    } else if (is_loose(a)) {
      from_first = excess;
    } else if (is_loose(b)) {
      from_first = 0;
    } else {
      from_first = first.radius >= second.radius ? excess : 0;
    }
    if (from_first > first.radius) from_first = first.radius;
    if (excess - from_first > second.radius) from_first = excess - second.radius;
    first.radius -= from_first;
    second.radius -= excess - from_first;
    horizon_[a] |= from_first;
    horizon_[b] |= excess - from_first;
  }
  SPINEL_NOINLINE int start_from_nothing(Index* free) noexcept {
    events_->drop_lists();
    tree_->weight = 0;
    tree_->flips = 0;
    for (int k = 0; k < events_->n_events; ++k) {
      tree_->dual(static_cast<Index>(k)).radius = 0;
      tree_->match(static_cast<Index>(k)).v = Tree::unmatched;
      tree_->flips ^= tree_->match(static_cast<Index>(k)).path;
      free[k] = static_cast<Index>(k);
    }
    return events_->n_events;
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
  /// A far end of a lowered edge. The tag: whose, times two, and whether the near end is a place of that leaf, where others meet it.
  struct FarEnd {
    std::int32_t to, tag;
    MarkedDistance marked;
  };
  std::int32_t n_work_ = 0, n_work_max_ = 0, n_covered_ = 0;
  bool is_full_ = false;  ///< no room for another satellite: from then on every look searches the graph
  Places places_;
  typename Events::Candidate met_[Places::n_met_max + 65], told_[Places::n_met_max + 65];
  LatticeArray<MarkedDistance, Sizes::detectors> boundary_;
  LatticeArray<std::int32_t, Sizes::detectors> horizon_;  ///< of a leaf: where its growth crosses the next lowered edge; before, not 0 if cut
  FarEnd covered_[n_covered_max + 1];
  LatticeArray<std::uint8_t, Sizes::detectors> covers_;
  LatticeArray<Index, Sizes::of(Sizes::detectors + 1)> those_;
  LatticeArray<std::int32_t, Sizes::of(Places::n_places_max(Sizes::detectors))> work_;
};

}  // namespace spinel::detail
