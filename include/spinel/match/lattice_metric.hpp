// SPDX-License-Identifier: Apache-2.0
// What the lattice matcher's trees know of the neighborhood: the events of a shot as bits on the lattice, a list of known
// others for every leaf, and how these lists grow tier by tier out of the distance tables (window, far, the graph itself).
// A tier's list is complete within its radius; from the far tier on knowing is mutual, so that a pair is known to whichever
// of the two grows. Lists share one pool; where it is used up, leaves outside the tree forget what their window tells them at any time,
// and if that is not enough every look ahead searches the graph: slower, never wrong.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/bits.hpp>
#include <spinel/core/config.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_search.hpp>
#include <spinel/match/lattice_tables.hpp>

namespace spinel::detail {

/// The events of one shot, numbered from 0 in the order of their detectors, and who knows whom: `candidates_per_leaf` others on average.
template <class Layout, class Index, std::size_t candidates_per_leaf = 16>
class LatticeEvents {
 public:
  using Sizes = LatticeSizes<Layout>;
  struct Candidate {
    MarkedDistance distance = 0;
    Index leaf = 0;
  };

  constexpr void lay_out(const Layout& layout, Arena& arena) noexcept {
    const auto n_leaves = static_cast<std::size_t>(layout.n_detectors());
    n_candidates_max_ = static_cast<std::int32_t>(n_candidates_max(n_leaves));
    bits.lay_out(static_cast<std::size_t>(layout.n_words()), arena);
    event_at.lay_out(static_cast<std::size_t>(layout.n_ids()), arena);
    ids.lay_out(n_leaves + 1, arena);
    lists_.lay_out(n_leaves + 1, arena);
    order_.lay_out(n_leaves, arena);
    candidates_.lay_out(n_candidates_max(n_leaves) + 8, arena);
  }
  /// After laying out in real memory, before the first shot.
  void clear(const Layout& layout) noexcept {
    for (int k = 0; k < layout.n_words(); ++k) bits[k] = 0;
    for (int id = 0; id < layout.n_ids(); ++id) event_at[id] = 0;
    event_at[0] = static_cast<Index>(layout.n_detectors());
    for (int k = 0; k < layout.n_detectors(); ++k) forget(static_cast<Index>(k));
    for (std::int32_t k = 0; k < n_candidates_max_ + 8; ++k) candidates_[k] = {};
    n_events = 0;
  }
  /// Prepares for a shot whose events are, or will be, in `bits`, `ids`, `event_at`, `n_events`.
  void begin() noexcept {
    n_candidates_ = 0;
    n_candidates_limit_ = n_candidates_max_ - 256;
    has_lists_ = true;
  }
  void end() noexcept {
    for (int k = 0; k < n_events; ++k) bits[static_cast<std::uint32_t>(ids[k]) / 64] = 0;
  }

  bool has_event(int id) const noexcept { return (bits[static_cast<unsigned>(id) / 64] >> (static_cast<unsigned>(id) % 64)) & 1; }
  /// The windows around a place.
  LayerWindows<Layout> around(int id) const noexcept { return {bits, id - window_reach}; }

  // == Lists ==
  bool has_lists() const noexcept { return has_lists_; }
  void drop_lists() noexcept { has_lists_ = false; }
  void forget(Index leaf) noexcept { lists_[leaf] = {}; }
  template <class Visit>
  void for_known(Index leaf, Visit&& visit) const noexcept {
    const CandidateList& list = lists_[leaf];
    const Candidate* candidates = &candidates_[list.begin];
    for (std::int32_t c = 0; c < list.size; ++c) visit(candidates[c].leaf, candidates[c].distance);
  }
  const Candidate* known(Index leaf) const noexcept { return &candidates_[lists_[leaf].begin]; }
  int n_known(Index leaf) const noexcept { return lists_[leaf].size; }
  bool push(Index leaf, Candidate candidate) noexcept {
    CandidateList& list = lists_[leaf];
    if (list.size == list.capacity && !reserve(leaf, list.size < 8 ? 16 - list.size : list.size)) return false;
    candidates_[list.begin + list.size++] = candidate;
    return true;
  }
  /// Whether the pool is nearly used up and there may be something to forget.
  bool wants_room() const noexcept { return n_candidates_ > n_candidates_limit_; }
  /// Of every list keeps what `keep(leaf, distance)` says and moves all of them together.
  template <class Keep>
  SPINEL_NOINLINE void keep_only(Keep&& keep) noexcept {
    int n = 0;
    for (int k = 0; k < n_events; ++k) {
      order_[n] = static_cast<Index>(k);
      n += lists_[k].capacity > 0;
    }
    spinel::sort(&order_[0], &order_[0] + n, [&](Index a, Index b) { return lists_[a].begin < lists_[b].begin; });
    n_candidates_ = 0;
    for (int k = 0; k < n; ++k) {
      const Index leaf = order_[k];
      CandidateList& list = lists_[leaf];
      const std::int32_t begin = n_candidates_;
      for (std::int32_t c = list.begin; c < list.begin + list.size; ++c) {
        candidates_[n_candidates_] = candidates_[c];
        n_candidates_ += keep(leaf, distance_of(candidates_[c].distance));
      }
      list = {begin, n_candidates_ - begin, n_candidates_ - begin};
    }
    // Where little could be forgotten it is not tried again.
    if (n_candidates_ > n_candidates_max_ / 4 * 3) n_candidates_limit_ = n_candidates_max_;
  }
  /// Room for `more` others in a leaf's list; false, and no lists from then on, where the pool is used up.
  bool reserve(Index leaf, std::int32_t more) noexcept {
    CandidateList& list = lists_[leaf];
    const std::int32_t capacity = list.size + more;
    if (list.capacity >= capacity) return true;
    if (SPINEL_UNLIKELY(n_candidates_ + capacity > n_candidates_max_)) {
      has_lists_ = false;
      return false;
    }
    for (std::int32_t k = 0; k < list.size; ++k) candidates_[n_candidates_ + k] = candidates_[list.begin + k];
    list.begin = n_candidates_;
    list.capacity = capacity;
    n_candidates_ += capacity;
    return true;
  }
  /// Where a list ends, for writing what was reserved; `close` says where writing ended.
  Candidate* open(Index leaf) noexcept { return &candidates_[lists_[leaf].begin + lists_[leaf].size]; }
  void close(Index leaf, const Candidate* end) noexcept {
    lists_[leaf].size = static_cast<std::int32_t>(end - &candidates_[lists_[leaf].begin]);
  }

  LatticeArray<std::uint64_t, Sizes::words> bits;
  LatticeArray<Index, Sizes::ids> event_at;  ///< by id, meaningful where a bit is set; entry 0 names an event that is nobody's
  LatticeArray<std::int32_t, Sizes::of(Sizes::detectors + 1)> ids;
  int n_events = 0;

 private:
  struct CandidateList {
    std::int32_t begin = 0;
    std::int32_t size = 0;
    std::int32_t capacity = 0;
  };
  static constexpr std::size_t n_candidates_max(std::size_t n_leaves) noexcept { return candidates_per_leaf * n_leaves + 4096; }

  std::int32_t n_candidates_max_ = 0, n_candidates_limit_ = 0, n_candidates_ = 0;
  bool has_lists_ = true;
  LatticeArray<CandidateList, Sizes::of(Sizes::detectors + 1)> lists_;
  LatticeArray<Index, Sizes::detectors> order_;
  LatticeArray<Candidate, Sizes::of(n_candidates_max(Sizes::detectors) + 8)> candidates_;
};

/// Distances as the tables have them.
template <class Tree, class BitOps, class Events>
class LatticeMetric {
 public:
  using Layout = typename Tree::Layout;
  using Index = typename Tree::Index;
  using Tables = LatticeTables<Layout>;
  using Search = LatticeSearch<Layout>;
  static constexpr std::int32_t no_limit = Tables::no_limit;

  LatticeMetric(const Tables& tables, Search& paths, Events& events, Tree& tree) noexcept
      : tables_(tables), paths_(paths), events_(events), tree_(tree) {}

  bool has_lists() const noexcept { return events_.has_lists(); }
  std::int32_t known_radius(Index leaf) const noexcept { return tables_.radius[tree_.dual(leaf).tier] >> 1; }
  /// From the far tier on a look further costs more than to ask who else is out so far.
  static constexpr bool is_tall(int tier) noexcept { return tier >= 2; }
  std::int32_t usual_radius() const noexcept { return tables_.radius[1] >> 1; }
  LatticeSite site(Index leaf) const noexcept { return tables_.layout.site(events_.ids[leaf]); }
  std::int32_t least_distance(const LatticeSite& a, const LatticeSite& b) const noexcept { return tables_.least_distance(a, b); }
  MarkedDistance boundary(Index leaf) const noexcept { return tables_.boundary[events_.ids[leaf]]; }
  const Events& lists() const noexcept { return events_; }
  template <class Visit>
  SPINEL_NOINLINE void for_everyone(Index leaf, Visit&& visit) noexcept {
    paths_.from_within_boundary(tables_, events_.ids[leaf], no_limit, [&](int met, MarkedDistance marked) {
      if (!events_.has_event(met)) return;
      tree_.touch(events_.event_at[met]);
      visit(events_.event_at[met], marked);
    });
  }

  /// Makes all events within the next tier's radius known to `leaf`, and from the far tier on `leaf` known to them.
  void explore(Index leaf, std::int32_t) noexcept {
    const int tier = ++tree_.dual(leaf).tier;
    if (SPINEL_UNLIKELY(events_.wants_room())) make_room(leaf);
    if (SPINEL_LIKELY(tier == 1)) return open_window(leaf, events_.ids[leaf]);
    explore_further(leaf, tier);
  }

 private:
  /// Whom a leaf outside the tree knows by its window it can look up again; whom others told it of is further away than that.
  SPINEL_NOINLINE void make_room(Index exploring) noexcept {
    const std::int32_t radius = tables_.radius[1];
    const auto can_forget = [&](Index leaf) {
      const auto& dual = tree_.dual(leaf);
      return leaf != exploring && dual.tier <= 1 && dual.label == Tree::Label::outside;
    };
    events_.keep_only([&](Index leaf, std::int32_t distance) { return distance >= radius || !can_forget(leaf); });
    for (int k = 0; k < events_.n_events; ++k)
      if (can_forget(static_cast<Index>(k))) tree_.dual(static_cast<Index>(k)).tier = 0;
  }
  /// Rare, and kept out of the way of the registers of what is not.
  SPINEL_NOINLINE void explore_further(Index leaf, int tier) noexcept {
    const int id = events_.ids[leaf];
    const auto meet = [&](Index other, MarkedDistance path) {
      if (tree_.dual(other).tier >= tier) return;
      tree_.touch(other);
      if (events_.push(leaf, {path, other})) events_.push(other, {path, leaf});
    };
    if (tier > Tables::far_tier) {
      const std::int32_t from = tables_.radius[tier - 1];
      return paths_.from_within_boundary(tables_, id, tables_.radius[tier], [&](int met, MarkedDistance path) {
        if (distance_of(path) >= from && events_.has_event(met)) meet(events_.event_at[met], path);
      });
    }
    tables_.for_far(events_.bits, id, tier, [&](int met, MarkedDistance path) { meet(events_.event_at[met], path); });
  }
  void open_window(Index leaf, int id) noexcept {
    tree_.touch(leaf);
    const WindowTable& window = tables_.window[tables_.window_of[id]];
    std::uint64_t slots = events_.around(id).template slots<BitOps>(window);
    const int n = count_ones(slots);
    if (!events_.reserve(leaf, n + 8)) return;
    const std::int16_t* offsets = &tables_.window_offset[window.begin];
    const MarkedDistance* distances = &tables_.window_distance[window.begin];
    auto* out = events_.open(leaf);
    // Four at a time, be they there or not: how many there are is as good as random, and most often fewer.
    for (int k = 0; k < n; k += 4)
      for (int e = 0; e < 4; ++e, slots &= slots - 1) {
        const int slot = std::countr_zero(slots) & 63;
        out[k + e] = {distances[slot], events_.event_at[id + offsets[slot]]};
      }
    events_.close(leaf, out + n);
  }

  const Tables& tables_;
  Search& paths_;
  Events& events_;
  Tree& tree_;
};

}  // namespace spinel::detail
