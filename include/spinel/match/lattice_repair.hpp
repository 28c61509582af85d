// SPDX-License-Identifier: Apache-2.0
// Where the second pass begins: from the radii and mates that the first pass found for the tables' distances to radii that are feasible
// for the shot's own, with as few matches undone as may be. Events get the satellites that their radii cover, radii that reach
// into one another are cut.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/arena.hpp>
#include <spinel/core/config.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_reach.hpp>

namespace spinel::detail {

template <class Tree, class BitOps, class Events_>
class LatticeRepair : public LatticeReach<Tree, BitOps, Events_> {
  using Base = LatticeReach<Tree, BitOps, Events_>;

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

  constexpr void lay_out(const Layout& layout, Arena& arena) noexcept {
    const auto n = static_cast<std::size_t>(layout.n_detectors());
    Base::lay_out(layout, arena);
    covers_.lay_out(n, arena);
    was_cut_.lay_out(n, arena);
    those_.lay_out(n + 1, arena);
  }
  /// Begins the second pass over the events of the first, whose leaves hold feasible radii and mates for the tables' distances,
  /// but for leaves of blossoms, which say so by another `top` than themselves. Lowers radii until they are feasible for the
  /// shot's own; matches that are no longer tight come undone. Returns how many leaves are left in `free`.
  int begin(const Tables& tables, Search& paths, Events& events, Tree& tree, Index* free) noexcept {
    Base::begin(tables, paths, events, tree);
    const int n = events.n_events;
    for (int k = 0; k < n; ++k) {
      // Who grows later looks for tall ones as far as the window table.
      std::int32_t& radius = tree.dual(static_cast<Index>(k)).radius;
      radius = 2 * radius > tables.radius[1] ? tables.radius[1] / 2 : radius;
      covers_[k] = 0;
      was_cut_[k] = 0;
    }
    keep_neighbors_apart();
    cover(find_those([&](int k) { return covers_[k] | (tree.dual(static_cast<Index>(k)).radius >= tables.lightest); }));
    make_feasible(find_those([&](int k) {
      const auto& dual = tree.dual(static_cast<Index>(k));
      return (dual.top != k) | (2 * dual.radius > tables.radius[0]);
    }));
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
      const bool is_free = match.v == Tree::unmatched, was_cut = was_cut_[k] != 0;
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

 protected:
  using Base::add_again;
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

 private:
  /// A far end of a lowered edge. The tag: whose, times two, and whether the near end is a place of that leaf, where others meet it.
  struct FarEnd {
    std::int32_t to, tag;
    MarkedDistance marked;
  };
  static constexpr int n_covered_max = 256;

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
    const std::int32_t end = distance_of(boundary_[leaf]);
    radius = radius > end ? end : radius;
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
          places_.add_look(places_.slots_within(lowered.bits, place.id, left + 1), place.id, place.head_start, radius + 1, 2 * place.owner);
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
  /// Events themselves are far enough apart, but for those of `those_[0..n_those)` that shared a blossom; the others of these are tall and
  /// see satellites. Satellites see all who are not tall, be it that they are beyond the radius and the others reach them; of two
  /// satellites the nearer to its event sees the other.
  void make_feasible(int n_those) noexcept {
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
    const auto look = [&](const std::uint64_t* bits, const Place& place, std::int32_t reach) {
      places_.add_met(place.id, place.head_start, 0, place.owner);
      if (reach > tables_->lightest)
        places_.add_look(places_.slots_within(bits, place.id, reach), place.id, place.head_start, reach + distance_of(place.head_start),
                         place.owner);
      if (!places_.has_room_for_looks()) end_looks();
    };
    for (int k = 0; k < n_those; ++k) {
      const auto& dual = tree_->dual(those_[k]);
      look(dual.top != those_[k] ? events_->bits : places_.satellite_bits(), places_[those_[k]], 2 * dual.radius);
    }
    for (std::int32_t p = events_->n_events; p < places_.n_places(); ++p) {
      const Place& place = places_[p];
      const std::int32_t left = tree_->dual(static_cast<Index>(place.owner)).radius - distance_of(place.head_start);
      const std::int32_t usual = left + (tables_->radius[0] >> 1);
      if (usual > 0) look(events_->bits, place, 2 * left > usual ? 2 * left : usual);
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
    was_cut_[a] |= from_first;
    was_cut_[b] |= excess - from_first;
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

  int n_covered_ = 0;
  FarEnd covered_[n_covered_max + 1];
  LatticeArray<std::uint8_t, Sizes::detectors> covers_;   ///< by leaf: its radius covers a lowered edge that `covered_` had no room for
  LatticeArray<std::int32_t, Sizes::detectors> was_cut_;  ///< by leaf: not 0 if its radius was cut
  LatticeArray<Index, Sizes::of(Sizes::detectors + 1)> those_;
};

}  // namespace spinel::detail
