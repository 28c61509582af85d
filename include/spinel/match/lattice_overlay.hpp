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
#include <spinel/match/lattice_repair.hpp>
#include <spinel/match/lattice_tables.hpp>

namespace spinel::detail {

/// The metric of the second pass, for LatticeTree::search.
template <class Tree, class BitOps, class Events_>
class LatticeOverlay : public LatticeRepair<Tree, BitOps, Events_> {
  using Base = LatticeRepair<Tree, BitOps, Events_>;

 public:
  using typename Base::Events;
  using typename Base::Index;
  using typename Base::Layout;
  using typename Base::Lowered;
  using typename Base::Place;
  using typename Base::Places;
  using typename Base::Search;
  using typename Base::Sizes;
  using typename Base::Tables;
  using Base::lowered;
  static constexpr std::int32_t no_limit = Tables::no_limit;

  constexpr void lay_out(const Layout& layout, Arena& arena) noexcept {
    Base::lay_out(layout, arena);
    horizon_.lay_out(static_cast<std::size_t>(layout.n_detectors()), arena);
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

 private:
  using Base::boundary_;
  using Base::events_;
  using Base::is_full_;
  using Base::n_far_max;
  using Base::n_work_;
  using Base::none;
  using Base::places_;
  using Base::search_from;
  using Base::settle_at;
  using Base::tables_;
  using Base::tree_;
  using Base::way_out;
  using Base::work_;

  /// Place `p` of `leaf` looks around itself, with all others that do in `end_looks`; with `is_news` those who have looked before
  /// did not see it.
  void look_from(Index leaf, std::int32_t p, int tier, bool is_news) noexcept {
    const Place& place = places_[p];
    const std::int32_t limit = radius_of(tier), left = limit - distance_of(place.head_start);
    const bool meets_tall = tier == 1 && places_.any_tall_near(place.id);
    const std::int32_t tall_limit = meets_tall ? (tables_->radius[0] + tables_->radius[1]) / 2 : limit;
    places_.add_met(place.id, place.head_start, tall_limit, is_news);
    if (left > tables_->lightest)
      places_.add_look(places_.slots_within(events_->bits, place.id, left), place.id, place.head_start, limit, is_news);
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
          places_.add_look(places_.slots_within(lowered.bits, place.id, left + 1), place.id, place.head_start, limit + 1, false);
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

  LatticeArray<std::int32_t, Sizes::detectors> horizon_;  ///< of a leaf that grows: where that crosses the next lowered edge
  typename Events::Candidate met_[Places::n_met_max + 65], told_[Places::n_met_max + 65];
};

}  // namespace spinel::detail
