// SPDX-License-Identifier: Apache-2.0
// Distances for a shot in which some edges weigh less than the tables know (the second pass of correlated matching), exact and
// without touching the tables. Where a lowered edge leads from near an event to another check, the event gets a satellite
// there: a second place with a head start. A pair's distance is then the least over both events' places of head start, table
// distance, head start. Every event has the satellites that its radius covers, one that grows also those beyond the lowered
// edges whose near ends it covers: wherever on a path two radii meet, the growing one knows the way to a place of the other.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <spinel/core/arena.hpp>
#include <spinel/core/config.hpp>
#include <spinel/core/span.hpp>
#include <spinel/match/lattice_implied.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_metric.hpp>
#include <spinel/match/lattice_tables.hpp>

namespace spinel::detail {

/// The lowered edges of one shot, by check: what the matched edges imply there, as lists in the tables. An edge that several imply is
/// there more than once, the lightest counts.
template <class Layout>
class LoweredEdges {
 public:
  using Sizes = LatticeSizes<Layout>;
  using Tables = LatticeTables<Layout>;

  constexpr void lay_out(const Layout& layout, Arena& arena) noexcept {
    const auto n = static_cast<std::size_t>(layout.n_detectors());
    n_max_ = static_cast<std::int32_t>(n_lists_max(n));
    bits.lay_out(static_cast<std::size_t>(layout.n_words()), arena);
    first_.lay_out(static_cast<std::size_t>(layout.n_ids()), arena);
    lists_.lay_out(n_lists_max(n), arena);
  }
  void clear(const Layout& layout) noexcept {
    for (int k = 0; k < layout.n_words(); ++k) bits[k] = 0;
    for (int id = 0; id < layout.n_ids(); ++id) first_[id] = none;
    n_ = 0;
  }
  /// Lowers what a matched edge whose lower end is `lower_end` implies, all of `implied`, or where there is no room left nothing of it.
  void lower(int lower_end, Span<const ImpliedCheck> implied, const ImpliedEnd* ends) noexcept {
    if (SPINEL_UNLIKELY(static_cast<std::size_t>(n_max_ - n_) < implied.size())) return;
    std::int32_t n = n_;
    for (const ImpliedCheck check : implied) {
      const std::int32_t id = lower_end + check.from;
      const auto at = static_cast<std::uint32_t>(id);
      const ImpliedEnd* const begin = ends + check.begin;
      SPINEL_PREFETCH(begin);
      lists_[n] = {begin, begin + check.n_ends, id, first_[id]};
      first_[id] = n++;
      bits[at / 64] |= std::uint64_t{1} << (at % 64);
    }
    n_ = n;
  }
  bool any() const noexcept { return n_ > 0; }
  bool has(int id) const noexcept { return first_[id] != none; }
  /// `visit(to, weight)` for every lowered edge at `id`, `out(weight)` for its boundary edge.
  template <class Visit, class Out>
  void at(int id, Visit&& visit, Out&& out) const noexcept {
    for (std::int32_t k = first_[id]; k != none; k = lists_[k].next)
      for (const ImpliedEnd* end = lists_[k].begin; end != lists_[k].end; ++end) {
        if (SPINEL_UNLIKELY(end->along == 0)) out(end->weight);
        else visit(id + end->along, end->weight);
      }
  }
  /// `visit(a, b, weight)` once an edge that became lighter, b is -1 for the boundary.
  template <class Visit>
  void for_all(const Tables& tables, Visit&& visit) const noexcept {
    for (std::int32_t k = 0; k < n_; ++k) {
      const int id = lists_[k].id, row = tables.layout.edge_row(tables.layout.site(id));
      if (first_[id] != k) continue;
      for (int e = -1; e < tables.degree[row]; ++e) {
        const int other = e < 0 ? -1 : id + tables.edges[row][e].offset;
        if (other > id) continue;
        const MarkedDistance own = (e < 0 ? tables.boundary_edge[row] : tables.edges[row][e].weight) & ~1u;
        MarkedDistance least = own;
        at(
            id, [&](std::int32_t to, MarkedDistance weight) { least = to == other && weight < least ? weight : least; },
            [&](MarkedDistance weight) { least = e < 0 && weight < least ? weight : least; });
        if (least < own) visit(id, other, least);
      }
    }
  }
  void forget() noexcept {
    for (std::int32_t k = 0; k < n_; ++k) {
      bits[static_cast<unsigned>(lists_[k].id) / 64] = 0;
      first_[lists_[k].id] = none;
    }
    n_ = 0;
  }

  LatticeArray<std::uint64_t, Sizes::words> bits;

 private:
  static constexpr std::int32_t none = -1;
  static constexpr std::size_t n_lists_max(std::size_t n_checks) noexcept { return 8 * n_checks + 1024; }
  /// What one cause implies at one check, and the list of another one there.
  struct List {
    const ImpliedEnd *begin, *end;
    std::int32_t id, next;
  };
  std::int32_t n_ = 0, n_max_ = 0;
  LatticeArray<std::int32_t, Sizes::ids> first_;
  LatticeArray<List, Sizes::of(n_lists_max(Sizes::detectors))> lists_;
};

/// The metric of the second pass, for LatticeTree::search.
template <class Tree, class BitOps>
class LatticeOverlay {
 public:
  using Layout = typename Tree::Layout;
  using Index = typename Tree::Index;
  using Sizes = LatticeSizes<Layout>;
  using Tables = LatticeTables<Layout>;
  using Search = LatticeSearch<Layout>;
  using Events = LatticeEvents<Layout, Index>;
  using Lowered = LoweredEdges<Layout>;
  static constexpr std::int32_t no_limit = Tables::no_limit;

  constexpr void lay_out(const Layout& layout, Arena& arena) noexcept {
    const auto n = static_cast<std::size_t>(layout.n_detectors());
    n_places_max_ = static_cast<std::int32_t>(n_places_max(n));
    lowered.lay_out(layout, arena);
    first_at_.lay_out(static_cast<std::size_t>(layout.n_ids()), arena);
    places_.lay_out(n_places_max(n), arena);
    first_of_.lay_out(n, arena);
    boundary_.lay_out(n, arena);
    horizon_.lay_out(n, arena);
    satellite_bits_.lay_out(static_cast<std::size_t>(layout.n_words()), arena);
    tall_bits_.lay_out(static_cast<std::size_t>(layout.n_words()), arena);
    work_.lay_out(n_places_max(n), arena);
  }
  void clear(const Layout& layout) noexcept {
    lowered.clear(layout);
    for (int k = 0; k < layout.n_words(); ++k) satellite_bits_[k] = tall_bits_[k] = 0;
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
    n_places_ = n;
    is_full_ = false;
    n_tall_ = 0;
    for (int k = 0; k < n; ++k) {
      places_[k] = {0, events.ids[k], none, none, k};
      first_at_[events.ids[k]] = k;
      first_of_[k] = none;
      boundary_[k] = tables.boundary[events.ids[k]];
      horizon_[k] = 0;
    }
    for (int k = 0; k < n; ++k) {
      std::int32_t& radius = tree.dual(static_cast<Index>(k)).radius;
      // Who grows later looks for tall ones as far as the window table.
      if (2 * radius > tables.radius[1]) radius = tables.radius[1] / 2;
      cover(static_cast<Index>(k));
    }
    for (int k = 0; k < n; ++k) {
      make_feasible(static_cast<Index>(k), tree.dual(static_cast<Index>(k)).top != k);
    }
    tree.forget_blossoms([&](Index leaf) { events.forget(leaf); });
    events.begin();
    if (SPINEL_UNLIKELY(is_full_)) return start_from_nothing(free);
    int n_free = 0;
    std::int64_t weight = 0;
    MarkedDistance flips = 0;
    for (int k = 0; k < n; ++k) {
      auto& match = tree.match(static_cast<Index>(k));
      const std::int32_t radius = tree.dual(static_cast<Index>(k)).radius;
      if (match.v == Tree::to_boundary) {
        if (radius == distance_of(boundary_[k])) match.path = boundary_[k];
        else match.v = Tree::unmatched;
      } else if (match.v > k && radius + tree.dual(match.v).radius != distance_of(match.path)) {
        tree.match(match.v).v = Tree::unmatched;
        match.v = Tree::unmatched;
      }
      if (SPINEL_UNLIKELY(2 * radius > tables.radius[0])) mark_all_tall(static_cast<Index>(k));
      free[n_free] = static_cast<Index>(k);
      n_free += match.v == Tree::unmatched;
      weight += radius;
      flips ^= match.path & static_cast<std::uint32_t>((match.v - k) >> 31);
    }
    tree.weight = weight;
    tree.flips = flips;
    return n_free;
  }
  /// Ends the shot: places and lowered edges are forgotten.
  void end() noexcept {
    if (n_tall_ > 0)
      for (std::int32_t p = 0; p < n_places_; ++p) tall_bits_[static_cast<unsigned>(places_[p].id) / 64] = 0;
    for (std::int32_t p = events_->n_events; p < n_places_; ++p) {
      const unsigned word = static_cast<unsigned>(places_[p].id) / 64;
      events_->bits[word] = 0;
      satellite_bits_[word] = 0;
    }
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
  /// `reached` is the leaf's radius now. Tier 1 looks as far as the near table, and for those who are tall as far as the window
  /// table; tier 2 makes the leaf tall itself.
  void explore(Index leaf, std::int32_t reached) noexcept {
    auto& tier = tree_->dual(leaf).tier;
    if ((tier == 1 || tier == 2) && horizon_[leaf] < radius_of(tier) >> 1) {
      const std::int32_t n_known = expand(leaf, reached, radius_of(tier) >> 1);
      for (std::int32_t w = n_known; w < n_work_; ++w) {
        look_from(leaf, work_[w], tier, true);
        if (tier == 2) mark_tall(work_[w]);
      }
    } else if (++tier <= 2) {
      expand(leaf, reached, radius_of(tier) >> 1);
      look_from(leaf, leaf, tier, tier == 2);
      for (std::int32_t p = first_of_[leaf]; p != none; p = places_[p].next_of_owner) look_from(leaf, p, tier, true);
      if (tier == 2) mark_all_tall(leaf);
    } else {
      // From here on what a leaf knows is complete by itself, so it tells everyone.
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
  static constexpr std::int32_t none = -1;
  static constexpr int n_tall_max = 16, tall_reach = 2 * Layout::layer_stride + window_reach;
  static constexpr std::size_t n_places_max(std::size_t n_leaves) noexcept { return 24 * n_leaves + 1024; }
  /// Where an event's reach begins: at its own check (places [0, n_events)) or at a satellite.
  struct Place {
    MarkedDistance head_start = 0;
    std::int32_t id = 0;
    std::int32_t next_here = none;
    std::int32_t next_of_owner = none;
    std::int32_t owner = 0;
  };

  /// Adds whom place `p` of `leaf` meets within `radius`; with `is_news` those who have looked before did not see it.
  void look_around(const std::uint64_t* bits, Index leaf, std::int32_t p, std::int32_t radius, bool is_news) noexcept {
    const Place place = places_[p];
    const std::int32_t left = radius - distance_of(place.head_start);
    if (left <= 0) return;
    for_places_near(bits, place, left, [&](MarkedDistance marked, std::int32_t other) {
      const auto met = static_cast<Index>(other);
      if (met == leaf || distance_of(marked) >= radius) return;
      events_->push(leaf, {marked, met});
      if (is_news && tree_->dual(met).tier > 0) tell(met, {marked, leaf});
    });
  }
  void look_from(Index leaf, std::int32_t p, int tier, bool is_news) noexcept {
    look_around(events_->bits, leaf, p, radius_of(tier), is_news);
    if (tier == 1 && any_tall_near(places_[p].id)) look_around(tall_bits_, leaf, p, tables_->radius[1], is_news);
  }
  void mark_tall(std::int32_t p) noexcept {
    const auto at = static_cast<std::uint32_t>(places_[p].id);
    tall_bits_[at / 64] |= std::uint64_t{1} << (at % 64);
    if (n_tall_ < n_tall_max) tall_ids_[n_tall_] = places_[p].id;
    ++n_tall_;
  }
  /// Whether a tall place may be within the window: mostly there are few of them, and none.
  bool any_tall_near(int id) const noexcept {
    if (n_tall_ > n_tall_max) return true;
    bool any = false;
    for (std::int32_t k = 0; k < n_tall_; ++k)
      any |= static_cast<unsigned>(tall_ids_[k] - id + tall_reach) <= 2u * tall_reach;
    return any;
  }
  void mark_all_tall(Index leaf) noexcept {
    mark_tall(leaf);
    for (std::int32_t p = first_of_[leaf]; p != none; p = places_[p].next_of_owner) mark_tall(p);
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

  /// `visit(id, marked)` for the bits nearer than `radius`, at most the window table's. `id` itself is not among them.
  template <class Visit>
  void scan(const std::uint64_t* bits, int id, std::int32_t radius, Visit&& visit) const noexcept {
    constexpr int stride = Layout::layer_stride;
    const auto word_at = [&](int from) { return read_bits(bits, from); };
    if (radius <= tables_->radius[0]) {
      const NearTable& near = tables_->near[tables_->near_of[id]];
      const int from = id - window_reach;
      std::uint64_t slots = BitOps::extract(word_at(from - stride), near.mask[0]) |
                            BitOps::extract(word_at(from), near.mask[1]) << near.first_slot[1] |
                            BitOps::extract(word_at(from + stride), near.mask[2]) << near.first_slot[2];
      for (slots &= 0xffff; slots != 0; slots &= slots - 1) {
        const unsigned rank = near.rank[std::countr_zero(slots)];
        if (distance_of(near.distance[rank]) < radius) visit(id + near.offset[rank], near.distance[rank]);
      }
      return;
    }
    const WindowTable& window = tables_->window[tables_->window_of[id]];
    const int from = id - 2 * stride - window_reach;
    std::uint64_t slots = 0;
    for (int layer = 0; layer < 5; ++layer)
      slots |= BitOps::extract(word_at(from + layer * stride), window.mask[layer]) << (window.first_slot[layer] & 63);
    for (; slots != 0; slots &= slots - 1) {
      const std::uint32_t slot = window.begin + static_cast<std::uint32_t>(std::countr_zero(slots));
      if (distance_of(tables_->window_distance[slot]) < radius)
        visit(id + tables_->window_offset[slot], tables_->window_distance[slot]);
    }
  }

  /// `visit(distance with both head starts, owner)` for the places nearer than `radius` to `place`, that check included.
  template <class Visit>
  void for_places_near(const std::uint64_t* bits, const Place& place, std::int32_t radius, Visit&& visit) const noexcept {
    const auto at = [&](int id, MarkedDistance marked) {
      for (std::int32_t p = first_at_[id]; p != none; p = places_[p].next_here)
        visit(sum_of(marked, places_[p].head_start), places_[p].owner);
    };
    at(place.id, place.head_start);
    if (radius > tables_->lightest)
      scan(bits, place.id, radius, [&](int id, MarkedDistance marked) { at(id, sum_of(marked, place.head_start)); });
  }

  /// For a leaf that grows: makes the satellites over all lowered edges whose near ends are at most `radius` away.
  /// `work_` lists the places that were there and, from the returned number on, those that are new or nearer than before.
  /// The horizon becomes the nearest near end beyond `radius`, if it is below `limit`.
  std::int32_t expand(std::int32_t leaf, std::int32_t radius, std::int32_t limit) noexcept {
    n_work_ = 0;
    work_[n_work_++] = leaf;
    for (std::int32_t p = first_of_[leaf]; p != none; p = places_[p].next_of_owner) work_[n_work_++] = p;
    const std::int32_t n_known = n_work_;
    std::int32_t horizon = no_limit;
    for (std::int32_t w = 0; w < n_work_; ++w) {
      const Place place = places_[work_[w]];
      const auto near_end = [&](int id, MarkedDistance marked) {
        if (distance_of(marked) <= radius) cross(leaf, id, marked);
        else if (distance_of(marked) < horizon) horizon = distance_of(marked);
      };
      const std::int32_t left = limit - distance_of(place.head_start);
      if (left < 0) continue;
      if (lowered.has(place.id)) near_end(place.id, place.head_start);
      if (left >= tables_->lightest)
        scan(lowered.bits, place.id, left + 1, [&](int id, MarkedDistance marked) { near_end(id, sum_of(marked, place.head_start)); });
    }
    horizon_[leaf] = horizon;
    return n_known;
  }
  /// Goes over all lowered edges at `id`, which is `marked` away from the event.
  void cross(std::int32_t leaf, int id, MarkedDistance marked) noexcept {
    lowered.at(
        id, [&](std::int32_t to, MarkedDistance weight) { settle_at(leaf, to, sum_of(marked, weight)); },
        [&](MarkedDistance weight) { way_out(leaf, sum_of(marked, weight)); });
  }
  void way_out(std::int32_t leaf, MarkedDistance marked) noexcept {
    if (distance_of(marked) < distance_of(boundary_[leaf])) boundary_[leaf] = marked;
  }
  void settle_at(std::int32_t leaf, std::int32_t id, MarkedDistance head_start) noexcept {
    std::int32_t first = none;
    if (events_->has_event(id)) {
      first = first_at_[id];
      for (std::int32_t p = first; p != none; p = places_[p].next_here)
        if (places_[p].owner == leaf) {
          if (distance_of(head_start) >= distance_of(places_[p].head_start)) return;
          places_[p].head_start = head_start;
          return add_work(leaf, p);
        }
    }
    if (n_places_ == n_places_max_) {
      is_full_ = true;
      return;
    }
    const auto at = static_cast<std::uint32_t>(id);
    events_->bits[at / 64] |= std::uint64_t{1} << (at % 64);
    satellite_bits_[at / 64] |= std::uint64_t{1} << (at % 64);
    places_[n_places_] = {head_start, id, first, first_of_[leaf], leaf};
    first_at_[id] = n_places_;
    first_of_[leaf] = n_places_;
    add_work(leaf, n_places_++);
  }
  void add_work(std::int32_t leaf, std::int32_t p) noexcept {
    way_out(leaf, sum_of(places_[p].head_start, tables_->boundary[places_[p].id]));
    if (n_work_ == n_places_max_) is_full_ = true;
    else work_[n_work_++] = p;
  }

  // == Feasible radii to start from ==
  /// Makes the satellites that the event's radius covers, and keeps the radius out of what others cover.
  void cover(Index leaf) noexcept {
    std::int32_t& radius = tree_->dual(leaf).radius;
    n_work_ = 0;
    work_[n_work_++] = leaf;
    for (std::int32_t w = 0; w < n_work_; ++w) {
      const Place place = places_[work_[w]];
      const std::int32_t left = radius - distance_of(place.head_start);
      if (left < 0) continue;
      const auto near_end = [&](int id, MarkedDistance marked, bool is_place) {
        lowered.at(
            id, [&](std::int32_t to, MarkedDistance weight) { reach_over(leaf, to, sum_of(marked, weight), is_place); },
            [&](MarkedDistance weight) { way_out(leaf, sum_of(marked, weight)); });
      };
      near_end(place.id, place.head_start, true);
      if (SPINEL_UNLIKELY(left >= tables_->lightest))
        scan(lowered.bits, place.id, left + 1, [&](int id, MarkedDistance marked) { near_end(id, sum_of(marked, place.head_start), false); });
    }
    if (radius > distance_of(boundary_[leaf])) radius = distance_of(boundary_[leaf]);
  }
  /// The far end of a lowered edge, which `leaf` reaches after `marked`. A satellite is made where the radius covers it, or where
  /// the near end is no place that others would see.
  void reach_over(Index leaf, std::int32_t to, MarkedDistance marked, bool from_place) noexcept {
    if (events_->has_event(to))
      for (std::int32_t p = first_at_[to]; p != none; p = places_[p].next_here) {
        if (places_[p].owner != leaf) keep_apart(leaf, static_cast<Index>(places_[p].owner), sum_of(marked, places_[p].head_start));
        else if (distance_of(marked) >= distance_of(places_[p].head_start)) return;
      }
    if (!from_place || distance_of(marked) <= tree_->dual(leaf).radius) settle_at(leaf, to, marked);
  }
  /// Events themselves are far enough apart, but for those that shared a blossom. Satellites see all who are not tall, be it that
  /// they are beyond the radius and the others reach them; who is tall sees satellites, and of two satellites the nearer to its event.
  void make_feasible(Index leaf, bool was_in_blossom) noexcept {
    const std::int32_t& radius = tree_->dual(leaf).radius;  // pushing apart changes it
    const auto apart = [&](MarkedDistance marked, std::int32_t other) {
      if (other != leaf) keep_apart(leaf, static_cast<Index>(other), marked);
    };
    if (SPINEL_UNLIKELY(was_in_blossom | (2 * radius > tables_->radius[0])) && 2 * radius > tables_->lightest)
      for_places_near(was_in_blossom ? events_->bits : satellite_bits_, places_[leaf], 2 * radius, apart);
    for (std::int32_t p = first_of_[leaf]; p != none; p = places_[p].next_of_owner) {
      const std::int32_t left = radius - distance_of(places_[p].head_start), usual = left + (tables_->radius[0] >> 1);
      if (usual > 0) for_places_near(events_->bits, places_[p], 2 * left > usual ? 2 * left : usual, apart);
    }
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
          if (!events_->has_event(id)) return;
          std::int32_t p = first_at_[id];
          while (p >= events_->n_events && p != none) p = places_[p].next_here;
          if (p != none && p != leaf) visit(p, marked);
        });
  }

  const Tables* tables_ = nullptr;
  Search* paths_ = nullptr;
  Events* events_ = nullptr;
  Tree* tree_ = nullptr;
  std::int32_t n_places_ = 0, n_places_max_ = 0, n_work_ = 0;
  std::int32_t n_tall_ = 0, tall_ids_[n_tall_max];
  bool is_full_ = false;  ///< no room for another satellite: from then on every look searches the graph
  LatticeArray<std::int32_t, Sizes::ids> first_at_;  ///< by id, where a bit is set: satellites first, the event itself last
  LatticeArray<Place, Sizes::of(n_places_max(Sizes::detectors))> places_;
  LatticeArray<std::int32_t, Sizes::detectors> first_of_;  ///< satellites of a leaf
  LatticeArray<MarkedDistance, Sizes::detectors> boundary_;
  LatticeArray<std::int32_t, Sizes::detectors> horizon_;  ///< of a leaf: where its growth crosses the next lowered edge
  LatticeArray<std::uint64_t, Sizes::words> satellite_bits_;
  LatticeArray<std::uint64_t, Sizes::words> tall_bits_;  ///< places of those whose radius exceeds half the near table's
  LatticeArray<std::int32_t, Sizes::of(n_places_max(Sizes::detectors))> work_;
};

}  // namespace spinel::detail
