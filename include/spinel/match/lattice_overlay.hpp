// SPDX-License-Identifier: Apache-2.0
// Distances for a shot in which some edges weigh less than the tables know (the second pass of correlated matching), exact and
// without touching the tables. Where a lowered edge leads from near an event to another check, the event gets a satellite
// there: a second place with a head start. A pair's distance is then the least over both events' places of head start, table
// distance, head start. Satellites are made from every lowered edge whose near end lies within the event's radius; for any
// tight pair the two radii meet somewhere on the path, so that the half on either side is known to its own event.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <spinel/core/arena.hpp>
#include <spinel/core/config.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_metric.hpp>
#include <spinel/match/lattice_tables.hpp>

namespace spinel::detail {

/// The lowered edges of one shot, by check.
template <class Layout>
class LoweredEdges {
 public:
  using Sizes = LatticeSizes<Layout>;
  static constexpr std::int32_t to_boundary = -1, none = -1;
  struct HalfEdge {
    std::int32_t to = 0;
    MarkedDistance weight = 0;
    std::int32_t next = none;
  };

  constexpr void lay_out(const Layout& layout, Arena& arena) noexcept {
    bits.lay_out(static_cast<std::size_t>(layout.n_words()), arena);
    first_.lay_out(static_cast<std::size_t>(layout.n_ids()), arena);
    half_edges_.lay_out(n_max(static_cast<std::size_t>(layout.n_detectors())), arena);
    from_.lay_out(n_max(static_cast<std::size_t>(layout.n_detectors())), arena);
  }
  void clear(const Layout& layout) noexcept {
    for (int k = 0; k < layout.n_words(); ++k) bits[k] = 0;
    n_ = 0;
  }
  /// Lowers the edge between `a` and `b` (or `to_boundary`) to `weight` unless it is that low already.
  void lower(std::int32_t a, std::int32_t b, MarkedDistance weight) noexcept {
    if (!lower_half(a, b, weight) || b == to_boundary) return;
    lower_half(b, a, weight);
  }
  bool any() const noexcept { return n_ > 0; }
  bool has(int id) const noexcept { return (bits[static_cast<unsigned>(id) / 64] >> (static_cast<unsigned>(id) % 64)) & 1; }
  /// `visit(to, weight)` for every lowered edge at `id`.
  template <class Visit>
  void at(int id, Visit&& visit) const noexcept {
    if (!has(id)) return;
    for (std::int32_t k = first_[id]; k != none; k = half_edges_[k].next) visit(half_edges_[k].to, half_edges_[k].weight);
  }
  /// `visit(a, b, weight)` once an edge.
  template <class Visit>
  void for_all(Visit&& visit) const noexcept {
    for (std::int32_t k = 0; k < n_; ++k)
      if (half_edges_[k].to < from_[k]) visit(from_[k], half_edges_[k].to, half_edges_[k].weight);
  }
  void forget() noexcept {
    for (std::int32_t k = 0; k < n_; ++k) bits[static_cast<unsigned>(from_[k]) / 64] = 0;
    n_ = 0;
  }

  LatticeArray<std::uint64_t, Sizes::words> bits;

 private:
  /// Every edge of the lattice, from both its ends.
  static constexpr std::size_t n_max(std::size_t n_detectors) noexcept { return 17 * n_detectors; }

  bool lower_half(std::int32_t from, std::int32_t to, MarkedDistance weight) noexcept {
    const auto at = static_cast<std::uint32_t>(from);
    std::int32_t next = none;
    if (has(from)) {
      next = first_[from];
      for (std::int32_t k = next; k != none; k = half_edges_[k].next)
        if (half_edges_[k].to == to) {
          if (distance_of(weight) >= distance_of(half_edges_[k].weight)) return false;
          half_edges_[k].weight = weight;
          return true;
        }
    }
    bits[at / 64] |= std::uint64_t{1} << (at % 64);
    half_edges_[n_] = {to, weight, next};
    from_[n_] = from;
    first_[from] = n_++;
    return true;
  }

  std::int32_t n_ = 0;
  LatticeArray<std::int32_t, Sizes::ids> first_;
  LatticeArray<HalfEdge, Sizes::of(n_max(Sizes::detectors))> half_edges_;
  LatticeArray<std::int32_t, Sizes::of(n_max(Sizes::detectors))> from_;
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
    work_.lay_out(n_places_max(n), arena);
  }
  void clear(const Layout& layout) noexcept { lowered.clear(layout); }

  /// Begins the second pass over the events of the first, whose leaves hold feasible radii and mates for the tables' distances
  /// (but for former blossoms). Lowers radii until they are feasible for the shot's own; matches that are no longer tight come
  /// undone. Returns how many leaves are left in `free`.
  int begin(const Tables& tables, Search& paths, Events& events, Tree& tree, Index* free) noexcept {
    tables_ = &tables;
    paths_ = &paths;
    events_ = &events;
    tree_ = &tree;
    const int n = events.n_events;
    n_places_ = n;
    is_full_ = false;
    for (int k = 0; k < n; ++k) {
      places_[k] = {0, events.ids[k], none, none, k};
      first_at_[events.ids[k]] = k;
      first_of_[k] = none;
      boundary_[k] = tables.boundary[events.ids[k]];
    }
    for (int k = 0; k < n; ++k) {
      std::int32_t& radius = tree.item(static_cast<Index>(k)).radius;
      // Nobody has looked yet: who grows later in tier 1 must see everyone that could be tight then.
      if (2 * radius > tables.radius[1]) radius = tables.radius[1] / 2;
      expand(k, radius);
      if (radius > distance_of(boundary_[k])) radius = distance_of(boundary_[k]);
    }
    if (SPINEL_UNLIKELY(is_full_)) return start_from_nothing(free);
    for (int k = 0; k < n; ++k) make_feasible(static_cast<Index>(k));
    int n_free = 0;
    for (int k = 0; k < n; ++k) {
      auto& item = tree.item(static_cast<Index>(k));
      if (item.match.v == Tree::to_boundary) {
        if (item.radius == distance_of(boundary_[k])) item.match.path = boundary_[k];
        else item.match.v = Tree::unmatched;
      } else if (item.match.v > k && item.radius + tree.item(item.match.v).radius != distance_of(item.match.path)) {
        tree.item(item.match.v).match.v = Tree::unmatched;
        item.match.v = Tree::unmatched;
      }
      free[n_free] = static_cast<Index>(k);
      n_free += item.match.v == Tree::unmatched;
    }
    return n_free;
  }
  /// Ends the shot: places and lowered edges are forgotten.
  void end() noexcept {
    for (std::int32_t p = events_->n_events; p < n_places_; ++p) events_->bits[static_cast<unsigned>(places_[p].id) / 64] = 0;
    lowered.forget();
  }

  // == What LatticeTree::search asks ==
  bool has_lists() const noexcept { return events_->has_lists(); }
  std::int32_t known_radius(Index leaf) const noexcept { return radius_of(tree_->item(leaf).tier) >> 1; }
  MarkedDistance boundary(Index leaf) noexcept {
    if (SPINEL_UNLIKELY(!has_lists())) search_from(leaf, no_limit, [](int, MarkedDistance) {});
    return boundary_[leaf];
  }
  template <class Visit>
  void for_known(Index leaf, Visit&& visit) const noexcept {
    events_->for_known(leaf, visit);
  }
  template <class Visit>
  void for_everyone(Index leaf, Visit&& visit) noexcept {
    search_from(leaf, no_limit, [&](int other, MarkedDistance marked) { visit(static_cast<Index>(other), marked); });
  }
  void explore(Index leaf) noexcept {
    const int tier = ++tree_->item(leaf).tier;
    const std::int32_t radius = radius_of(tier);
    if (tier > 1) {
      const std::int32_t from = radius_of(tier - 1);
      return search_from(leaf, radius, [&](int other, MarkedDistance marked) {
        if (distance_of(marked) < from || tree_->item(static_cast<Index>(other)).tier >= tier) return;
        if (events_->push(leaf, {marked, static_cast<Index>(other)})) tell(static_cast<Index>(other), {marked, leaf});
      });
    }
    expand(leaf, radius >> 1);
    if (SPINEL_UNLIKELY(is_full_)) return events_->drop_lists();
    const auto meet = [&](bool is_satellite, MarkedDistance marked, std::int32_t other) {
      const auto met = static_cast<Index>(other);
      if (met == leaf || distance_of(marked) >= radius) return;
      events_->push(leaf, {marked, met});
      // Whoever has looked before did not see a satellite that is new.
      if (is_satellite && tree_->item(met).tier > 0) tell(met, {marked, leaf});
    };
    for (std::int32_t p = leaf; p != none; p = p < events_->n_events ? first_of_[leaf] : places_[p].next_of_owner) {
      const Place place = places_[p];
      const std::int32_t left = radius - distance_of(place.head_start);
      if (left > 0) for_places_near(place, left, [&](MarkedDistance marked, std::int32_t other) { meet(p != leaf, marked, other); });
    }
  }

  Lowered lowered;

 private:
  static constexpr std::int32_t none = -1;
  static constexpr std::size_t n_places_max(std::size_t n_leaves) noexcept { return 24 * n_leaves + 1024; }
  /// Where an event's reach begins: at its own check (places [0, n_events)) or at a satellite.
  struct Place {
    MarkedDistance head_start = 0;
    std::int32_t id = 0;
    std::int32_t next_here = none;
    std::int32_t next_of_owner = none;
    std::int32_t owner = 0;
  };

  void tell(Index leaf, typename Events::Candidate candidate) noexcept {
    tree_->touch(leaf);  // lists of touched leaves are forgotten in the end
    events_->push(leaf, candidate);
  }
  /// Tier 1 is the window table, those beyond search the graph itself.
  std::int32_t radius_of(int tier) const noexcept {
    std::int32_t radius = tables_->radius[1];
    for (int k = 1; k < tier; ++k) radius = radius > no_limit / 2 ? no_limit : radius + radius / 3;
    return radius & ~1;
  }

  /// `visit(id, marked)` for the bits nearer than `radius`, at most the far table's; `id` itself is not among them.
  template <class Visit>
  void scan(const std::uint64_t* bits, int id, std::int32_t radius, Visit&& visit) const noexcept {
    constexpr int stride = Layout::n_positions;
    const auto word_at = [&](int from) {
      std::uint64_t word;
      std::memcpy(&word, reinterpret_cast<const unsigned char*>(bits) + (static_cast<unsigned>(from) >> 3), 8);
      return word >> (from & 7);
    };
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
    const SiteRow& row = tables_->row(id);
    const WindowTable& window = tables_->window[row.window];
    const int from = id - 2 * stride - window_reach;
    std::uint64_t slots = 0;
    for (int layer = 0; layer < 5; ++layer)
      slots |= BitOps::extract(word_at(from + layer * stride), window.mask[layer]) << (window.first_slot[layer] & 63);
    for (; slots != 0; slots &= slots - 1) {
      const std::uint32_t slot = window.begin + static_cast<std::uint32_t>(std::countr_zero(slots));
      if (distance_of(tables_->window_distance[slot]) < radius)
        visit(id + tables_->window_offset[slot], tables_->window_distance[slot]);
    }
    if (radius <= tables_->radius[1]) return;
    const FarTable& far = tables_->far[row.far];
    for (std::uint32_t at = far.begin; at < far.end; at += 16) {
      const auto n = static_cast<int>(far.end - at < 16 ? far.end - at : 16);
      for (std::uint32_t hits = BitOps::test_bits(bits, id, &tables_->far_offset[at], n); hits != 0; hits &= hits - 1) {
        const std::uint32_t k = at + static_cast<std::uint32_t>(std::countr_zero(hits));
        if (distance_of(tables_->far_distance[k]) < radius) visit(id + tables_->far_offset[k], tables_->far_distance[k]);
      }
    }
  }

  /// `visit(distance with both head starts, owner)` for the places nearer than `radius` to `place`, that check included.
  template <class Visit>
  void for_places_near(const Place& place, std::int32_t radius, Visit&& visit) const noexcept {
    const auto at = [&](int id, MarkedDistance marked) {
      for (std::int32_t p = first_at_[id]; p != none; p = places_[p].next_here)
        visit(sum_of(marked, places_[p].head_start), places_[p].owner);
    };
    at(place.id, place.head_start);
    if (radius > tables_->lightest)
      scan(events_->bits, place.id, radius, [&](int id, MarkedDistance marked) { at(id, sum_of(marked, place.head_start)); });
  }

  /// Makes the satellites over lowered edges whose near ends are at most `radius` from the event, and learns the way out.
  void expand(std::int32_t leaf, std::int32_t radius) noexcept {
    n_work_ = 0;
    work_[n_work_++] = leaf;
    for (std::int32_t p = first_of_[leaf]; p != none; p = places_[p].next_of_owner) work_[n_work_++] = p;
    for (std::int32_t w = 0; w < n_work_; ++w) {
      const Place place = places_[work_[w]];
      const std::int32_t left = radius - distance_of(place.head_start);
      if (left < 0) continue;
      cross(leaf, place.id, place.head_start);
      if (left >= tables_->lightest)
        scan(lowered.bits, place.id, left + 1, [&](int id, MarkedDistance marked) { cross(leaf, id, sum_of(marked, place.head_start)); });
    }
  }
  /// Goes over all lowered edges at `id`, which is `marked` away from the event.
  void cross(std::int32_t leaf, int id, MarkedDistance marked) noexcept {
    lowered.at(id, [&](std::int32_t to, MarkedDistance weight) {
      const MarkedDistance sum = sum_of(marked, weight);
      if (to == Lowered::to_boundary) way_out(leaf, sum);
      else settle_at(leaf, to, sum);
    });
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
  /// Of two places that are too near to each other, the one with more radius left sees the other within twice that.
  void make_feasible(Index leaf) noexcept {
    auto& item = tree_->item(leaf);
    for (std::int32_t p = leaf; p != none; p = p < events_->n_events ? first_of_[leaf] : places_[p].next_of_owner) {
      const Place place = places_[p];
      const std::int32_t left = item.radius - distance_of(place.head_start);
      if (left <= 0) continue;
      for_places_near(place, 2 * left, [&](MarkedDistance marked, std::int32_t other) {
        if (other != leaf) keep_apart(leaf, static_cast<Index>(other), marked);
      });
    }
  }
  bool is_loose(Index leaf) const noexcept {
    const auto& item = tree_->item(leaf);
    if (item.match.v < 0) return item.match.v == Tree::unmatched || item.radius != distance_of(boundary_[leaf]);
    return item.radius + tree_->item(item.match.v).radius != distance_of(item.match.path);
  }
  void keep_apart(Index a, Index b, MarkedDistance marked) noexcept {
    auto &first = tree_->item(a), &second = tree_->item(b);
    const std::int32_t excess = first.radius + second.radius - distance_of(marked);
    if (excess <= 0) return;
    std::int32_t from_first;
    if (first.match.v == b) {  // they stay together, nearer
      first.match.path = second.match.path = marked;
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
    for (int k = 0; k < events_->n_events; ++k) {
      auto& item = tree_->item(static_cast<Index>(k));
      item.radius = 0;
      item.match.v = Tree::unmatched;
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
          lowered.at(id, [&](std::int32_t to, MarkedDistance weight) {
            if (to == Lowered::to_boundary) way_out(leaf, sum_of(marked, weight));
            else reach(to, sum_of(marked, weight));
          });
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
  bool is_full_ = false;  ///< no room for another satellite: from then on every look searches the graph
  LatticeArray<std::int32_t, Sizes::ids> first_at_;  ///< by id, where a bit is set: satellites first, the event itself last
  LatticeArray<Place, Sizes::of(n_places_max(Sizes::detectors))> places_;
  LatticeArray<std::int32_t, Sizes::detectors> first_of_;  ///< satellites of a leaf
  LatticeArray<MarkedDistance, Sizes::detectors> boundary_;
  LatticeArray<std::int32_t, Sizes::of(n_places_max(Sizes::detectors))> work_;
};

}  // namespace spinel::detail
