// SPDX-License-Identifier: Apache-2.0
// When the growing leaves of a search meet what: one cached next meeting each, found in what the metric knows of who is near. A leaf may
// grow only to half the radius within which it knows all others; leaves taller than usual share what is left between them.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/config.hpp>
#include <spinel/match/lattice_items.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_tables.hpp>
#include <spinel/simd/bit_ops.hpp>

namespace spinel::detail {

/// The items of one shot, and which of them grow; `lattice_tree.hpp` searches with them.
template <class Layout_, class Index_, class BitOps>
class LatticeGrowth : public LatticeItems<Layout_, Index_> {
  using Items = LatticeItems<Layout_, Index_>;

 public:
  using typename Items::Dual;
  using typename Items::Index;
  using typename Items::Label;
  using typename Items::Layout;
  using typename Items::Link;
  using typename Items::Sizes;
  using Items::dual;
  using Items::item;
  using Items::to_boundary;
  static constexpr Index explore_further = -3;

  /// A leaf of a tier above the usual, and what it was allowed in the search of that number.
  struct Tall {
    std::int32_t allowed = 0;
    std::int32_t search = 0;
    Index leaf = 0;
    LatticeSite site;
  };

  constexpr void lay_out(const Layout& layout, Arena& arena) noexcept {
    const auto n_leaves = static_cast<std::size_t>(layout.n_detectors());
    Items::lay_out(layout, arena);
    time_.lay_out(n_leaves, arena);
    next_.lay_out(n_leaves, arena);
    tall_.lay_out(n_leaves, arena);
  }
  /// Prepares for a shot.
  void begin() noexcept {
    Items::begin();
    n_tall_[0] = n_tall_[1] = n_searches_ = 0;
  }

 protected:
  using Items::duals_;
  using Items::n_leaves_max;

  /// Prepares for a search: nothing grows.
  void begin_growth() noexcept {
    n_growing_ = 0;
    now_ = 0;
    ++n_searches_;
  }
  /// True where a leaf may grow beyond now with what it knows, as usual leaves do.
  template <class Metric>
  bool knows_enough(Metric& metric, Index leaf) noexcept {
    const Dual& own = dual(leaf);
    if (own.tier == 0 && metric.has_lists()) metric.explore(leaf, own.radius + now_);
    return metric.has_lists() && !Metric::is_tall(own.tier) && metric.known_radius(leaf) - own.radius > now_;
  }
  /// What a plus leaf with lists meets next: boundary, event, or the end of what it knows.
  template <class Metric>
  Meeting next_meeting(Metric& metric, Index leaf) noexcept {
    return next_meeting(metric, leaf, metric.known_radius(leaf) - dual(leaf).radius);
  }
  template <class Metric>
  Meeting next_meeting(Metric& metric, Index leaf, std::int32_t limit) noexcept {
    const Dual& own = dual(leaf);
    const MarkedDistance boundary = metric.boundary(leaf);
    const Meeting next = BitOps::earliest({distance_of(boundary) - own.radius, to_boundary, boundary}, metric.lists().known(leaf),
                                          metric.lists().n_known(leaf), &duals_[0], own.radius, own.top);
    const std::int32_t is_known = -static_cast<std::int32_t>(next.time <= limit);  // no branch: as good as random
    return {limit ^ ((limit ^ next.time) & is_known), (next.v & is_known) | (explore_further & ~is_known),
            next.path & static_cast<MarkedDistance>(is_known)};
  }
  void note(int k, const Meeting& next) noexcept {
    time_[k] = next.time;
    next_[k].v = static_cast<Index>(next.v);
    next_[k].path = next.path;
  }

  void grow_leaf(Index leaf) noexcept { next_[n_growing_++].u = leaf; }
  template <class Metric>
  void look_ahead_from(Metric& metric, int begin) noexcept {
    for (int k = begin; k < n_growing_; ++k) look_ahead(metric, k);
  }
  /// Finds when and with what plus leaf `next_[k].u` meets next: boundary, event, or the end of what it knows.
  template <class Metric>
  void look_ahead(Metric& metric, int k) noexcept {
    const Index leaf = next_[k].u;
    const Dual& own = dual(leaf);
    const std::int32_t base = own.radius;
    std::int32_t limit = Metric::no_limit;
    while (metric.has_lists()) {
      if (own.tier > 0) {
        limit = (Metric::is_tall(own.tier) ? allowed_radius(metric, leaf) : metric.known_radius(leaf)) - base;
        if (limit > now_) break;
      }
      metric.explore(leaf, base + now_);
      if (Metric::is_tall(own.tier) && !Metric::is_tall(own.tier - 1)) note_tall(leaf, metric.site(leaf));
    }
    if (SPINEL_LIKELY(metric.has_lists())) return note(k, next_meeting(metric, leaf, limit));
    const MarkedDistance boundary = metric.boundary(leaf);
    Meeting next{distance_of(boundary) - base, to_boundary, boundary};
    metric.for_everyone(leaf, [&](Index other, MarkedDistance distance) {
      const struct { MarkedDistance distance; Index leaf; } one{distance, other};
      next = ScalarBits::earliest(next, &one, 1, &duals_[0], base, own.top);
    });
    note(k, next);
  }

  /// How far out a tall leaf may be before it must know more. Who is not in its list is no nearer than twice `known_radius`,
  /// so both may have that much together. Leaves that are not tall keep to `usual_radius`; a tall one that does not grow has
  /// what it has, and comes here before it grows again; one that grows gets half of what is left, be it less than before.
  template <class Metric>
  SPINEL_NOINLINE std::int32_t allowed_radius(const Metric& metric, Index leaf) noexcept {
    const Dual& own = dual(leaf);
    const std::int32_t known = metric.known_radius(leaf), radius = own.radius + now_;
    if (known > (1 << 29)) return known;
    Tall* const mine = &tall_[item(leaf).tall];
    if (mine->search == n_searches_ && mine->allowed > radius) return mine->allowed;
    mine->search = n_searches_;
    mine->allowed = 0;
    std::int32_t allowed = 2 * known - metric.usual_radius();
    const int type = mine->site.type;
    Tall* const all = &tall_[type == 0 ? 0 : n_leaves_max() - n_tall_[1]];
    constexpr int n_at_once = 32;
    Tall* near[n_at_once];
    for (int begin = 0; begin < n_tall_[type]; begin += n_at_once) {
      // Most are too far away to matter; which are not is as good as random, so this loop has no branches.
      int n_near = 0;
      for (int k = begin; k < n_tall_[type] && k < begin + n_at_once; ++k) {
        const Reach reach = reach_of(all[k]);
        const std::int32_t apart = metric.least_distance(mine->site, all[k].site) - reach.taken;
        const std::int32_t enough = allowed + ((allowed - radius) & reach.grows), yields = (2 * (reach.present - reach.taken) + radius) & reach.grows;
        near[n_near] = &all[k];
        n_near += (apart < enough) | (apart < yields);
      }
      for (int k = 0; k < n_near; ++k) {
        Tall& tall = *near[k];
        const auto [taken, present, grows] = reach_of(tall);
        if (dual(tall.leaf).top == own.top) continue;
        const std::int32_t apart = metric.least_distance(mine->site, tall.site) - taken, others = metric.known_radius(tall.leaf);
        const std::int32_t room = spinel::max(2 * spinel::max(known, others) - taken, apart);
        const std::int32_t half = (room - radius) >> 1, limit = grows != 0 ? radius + half : room;
        const bool recalls = grows != 0 && present > taken + half;
        if (limit >= allowed && !recalls) continue;
        bool knows = false;
        metric.lists().for_known(leaf, [&](Index one, MarkedDistance) { knows |= one == tall.leaf; });
        if (knows) continue;
        allowed = spinel::min(allowed, limit);
        if (recalls) {
          tall.allowed = taken + half;
          recall(tall.leaf, now_ + half);
        }
      }
    }
    mine->allowed = allowed;
    return allowed;
  }
  /// What a tall leaf has, what it was allowed in this search, and whether it grows (-1, or 0).
  struct Reach {
    std::int32_t taken, present, grows;
  };
  Reach reach_of(const Tall& tall) const noexcept {
    const Dual& own = dual(tall.leaf);
    const std::int32_t grows = -static_cast<std::int32_t>(own.label == Label::plus);
    const std::int32_t shrinks = -static_cast<std::int32_t>(own.label == Label::minus);
    return {own.radius + (now_ & grows) - (now_ & shrinks), tall.allowed & -static_cast<std::int32_t>(tall.search == n_searches_), grows};
  }
  void note_tall(Index leaf, const LatticeSite& site) noexcept {
    // Those of one check type from the front, those of the other from the back: they never meet.
    const int at = site.type == 0 ? n_tall_[0]++ : n_leaves_max() - ++n_tall_[1];
    item(leaf).tall = static_cast<Index>(at);
    tall_[at] = {0, 0, leaf, site};
  }
  /// Makes a growing leaf look again at `time`, if it would not before.
  void recall(Index leaf, std::int32_t time) noexcept {
    int k = 0;
    while (k < n_growing_ && next_[k].u != leaf) ++k;
    if (k == n_growing_ || time_[k] <= time) return;
    time_[k] = time;
    next_[k].v = explore_further;
  }

  std::int32_t now_ = 0;
  int n_growing_ = 0;
  LatticeArray<std::int32_t, Sizes::detectors> time_;  ///< of a growing leaf: when it meets what `next_` says
  LatticeArray<Link, Sizes::detectors> next_;

 private:
  int n_tall_[2] = {}, n_searches_ = 0;
  LatticeArray<Tall, Sizes::detectors> tall_;
};

}  // namespace spinel::detail
