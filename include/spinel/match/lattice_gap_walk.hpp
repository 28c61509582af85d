// SPDX-License-Identifier: Apache-2.0
// The gap on the lattice without blossoms of its own: the cheapest alternating walk from one side of the boundary to the other
// through the matching that was found, by Dijkstra's algorithm over events, where a hop costs what its length exceeds both
// radii by. No path is cheaper than the cheapest walk, and most often that is a path: then it is the answer, else
// lattice_gap_flood.hpp finds it. Distances are asked for as late as may be: lower bounds order the events until one is next.
// Source: this library's own; that the walk bounds the path is the duality of Edmonds' algorithm (docs/decisions/0015).
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/arena.hpp>
#include <spinel/core/config.hpp>
#include <spinel/match/lattice_gap_bounds.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_tables.hpp>
#include <spinel/match/lattice_tree.hpp>

namespace spinel::detail {

/// `Metric` says of events (by their number): `key(a)`, by keys `bounds` (LatticeBounds), `look_up(a, b)`, `distance(a, b, known)`, `to_side(side, a)`.
template <class Tree>
class LatticeGapWalk {
 public:
  using Layout = typename Tree::Layout;
  using Index = typename Tree::Index;
  using Sizes = LatticeSizes<Layout>;

  constexpr void lay_out(const Layout& layout, Arena& arena) noexcept {
    const auto n = static_cast<std::size_t>(layout.n_detectors());
    arrival_.lay_out(n, arena);
    keys_.lay_out(n, arena);
    radius_.lay_out(n, arena);
    waiting_.lay_out(n, arena);
    source_start_.lay_out(2 * n, arena);
    source_keys_.lay_out(2 * n, arena);
    sources_.lay_out(2 * n, arena);
    found_.lay_out(2 * n, arena);
    nearer_.lay_out(n + 16, arena);
    leaves_.lay_out(n, arena);
    passed_.lay_out(static_cast<std::size_t>(layout.n_items()), arena);
  }

  struct Walk {
    std::int32_t least = 0;  ///< no path costs less, unless `end` is less
    std::int32_t most = 0;   ///< a path costs this, or it is `end`
    bool is_guess = false;   ///< the walk has hops that were taken as short as their bounds: `ask`, and repeat
  };
  /// The cheapest walk, or `end` if that costs less. `n` events, those of the type that has sides, whose duals and blossoms
  /// `tree` holds. `matched_side(match)` says where a way out ends.
  template <class Metric, class MatchedSide>
  Walk run(const Metric& metric, Tree& tree, const Index* events, int n, std::int32_t end, MatchedSide&& matched_side,
           bool exact) noexcept {
    tree_ = &tree;
    exact_ = exact;
    at_once_ = n <= most_at_once;
    end_ = most_ = end;
    n_sources_ = 0;
    is_guess_ = false;
    for (int k = 0; k < n; ++k) {
      const Index id = events[k];
      const std::int32_t radius = tree.dual(id).radius, way = metric.to_side(0, id);
      keys_[k] = metric.key(id);
      radius_[k] = radius;
      waiting_[k] = id;
      arrival_[k] = way - radius;
      leaves_[id] = {way - radius, from_side, 0, false};
    }
    n_waiting_ = n;
    for (int k = 0; k < n; ++k) {
      const Index top = tree.dual(events[k]).top;
      const auto& match = tree.match(top);
      if (match.v == Tree::to_boundary && matched_side(match) == 0) start_from(metric, events[k], 0, from_side);
    }
    while (n_waiting_ > 0) {
      const int k = Tree::BitOps::index_of_least(&arrival_[0], n_waiting_);
      const std::int32_t time = arrival_[k];
      if (time >= end_) break;
      const Index leaf = waiting_[k];
      if (time < leaves_[leaf].best) {  // by a lower bound only
        resolve(metric, leaf);
        arrival_[k] = leaves_[leaf].best;
        continue;
      }
      enter(metric, k, matched_side);
    }
    return {end_, most_, is_guess_};
  }

  /// Asks `metric`, which remembers, for the lengths of the cheapest walk's guessed hops.
  template <class Metric>
  void ask(const Metric& metric) noexcept {
    const auto ask_to = [&](std::int32_t target) {
      const Leaf& leaf = leaves_[target];
      const auto to = static_cast<Index>(target);
      if (leaf.is_guess) metric.distance(sources_[leaf.from].leaf, to, metric.look_up(sources_[leaf.from].leaf, to));
      return leaf.from;
    };
    std::int32_t s = last_target_ >= 0 ? ask_to(last_target_) : last_source_;
    while (s != from_side) s = sources_[s].came == from_side ? from_side : ask_to(sources_[s].came);
  }

 private:
  static constexpr std::int32_t from_side = -1, nothing = -2;
  /// Up to so many events the distances that a bound calls for are asked for at once, beyond only those to the next event.
  static constexpr int most_at_once = 100;
  struct Leaf {
    std::int32_t best = 0;       // the earliest arrival that is certain
    std::int32_t from = 0;       // the source that it comes from, or `from_side`
    std::int32_t n_checked = 0;  // sources that `best` knows
    bool is_guess = false;
  };
  struct Source {
    Index leaf;
    std::int32_t came;  // the leaf over whose match the walk came, or `from_side`
    bool within;        // not over its match, but out of the blossom that it came into
  };
  /// From `leaf` the walk may go on from `time` on.
  template <class Metric>
  void start_from(const Metric& metric, Index leaf, std::int32_t time, std::int32_t came, bool within = false) noexcept {
    const std::int32_t start = time - tree_->dual(leaf).radius, key = metric.key(leaf);
    const int s = n_sources_++;
    sources_[s] = {leaf, came, within};
    source_start_[s] = start;
    source_keys_[s] = key;
    const std::int32_t out = start + metric.to_side(1, leaf);
    if (out < most_) offer(out, s, nothing);
    if (start >= end_) return;
    if (at_once_) lower_waiting(metric, s, start, key);
    else metric.bounds.lower(&arrival_[0], &keys_[0], &radius_[0], n_waiting_, key, start);
  }
  /// What source `s` may meet sooner than others do: their distances are asked for at once, so that nothing waits for one alone.
  template <class Metric>
  void lower_waiting(const Metric& metric, std::int32_t s, std::int32_t start, std::int32_t key) noexcept {
    const Index leaf = sources_[s].leaf, top = tree_->dual(leaf).top;
    metric.bounds.gains_from(&found_[0], &arrival_[0], &keys_[0], &radius_[0], n_waiting_, key, start);
    const int n = Tree::BitOps::positions_below(&found_[0], n_waiting_, 0, &nearer_[0]);
    for (int k = 0; k < n; ++k) {
      const std::int32_t at = nearer_[k];
      const Index met = waiting_[at];
      auto known = metric.look_up(leaf, met);
      if (SPINEL_UNLIKELY(!known.is_exact) && exact_ && start - radius_[at] + known.distance < arrival_[at])
        known = {metric.distance(leaf, met, known), true};
      const std::int32_t time = start - radius_[at] + known.distance;
      if (time >= arrival_[at] || tree_->dual(met).top == top) continue;
      arrival_[at] = time;
      leaves_[met] = {time, s, 0, !known.is_exact};
    }
  }
  template <class Metric>
  void start_from_all(const Metric& metric, Index id, std::int32_t time, std::int32_t came, bool within = false) noexcept {
    tree_->for_leaves(id, [&](Index leaf) { start_from(metric, leaf, time, came, within); });
  }
  /// The item of the `k`th that waits is next: over its match the walk goes on.
  template <class Metric, class MatchedSide>
  void enter(const Metric& metric, int k, MatchedSide&& matched_side) noexcept {
    const Index leaf = waiting_[k], top = tree_->dual(leaf).top;
    const std::int32_t time = arrival_[k];
    --n_waiting_;
    arrival_[k] = arrival_[n_waiting_];
    keys_[k] = keys_[n_waiting_];
    radius_[k] = radius_[n_waiting_];
    waiting_[k] = waiting_[n_waiting_];
    const auto& match = tree_->match(top);
    if (match.v == Tree::to_boundary) {
      if (matched_side(match) == 0) return;
      return offer(time, nothing, leaf);
    }
    start_from_all(metric, tree_->dual(match.v).top, time, leaf);
    // Through a blossom and out by another leaf than its match, it costs twice the blossom's dual.
    if (tree_->is_blossom(top)) start_from_all(metric, top, time + 2 * tree_->dual(top).radius, leaf, true);
  }
  /// Makes certain when `leaf`, which waits, is met.
  template <class Metric>
  SPINEL_NOINLINE void resolve(const Metric& metric, Index leaf) noexcept {
    Leaf& own = leaves_[leaf];
    const std::int32_t key = metric.key(leaf), radius = tree_->dual(leaf).radius;
    const Index top = tree_->dual(leaf).top;
    // Mostly one source is worth asking about, so first all the bounds, then the least.
    std::int32_t* const found = &found_[0];
    const int first = own.n_checked, n = n_sources_ - first;
    metric.bounds.bounds_from(found, &source_keys_[first], &source_start_[first], n, key, -radius);
    while (n > 0) {
      const int k = Tree::BitOps::index_of_least(found, n), s = first + k;
      if (found[k] >= own.best) break;
      found[k] = 0x7fffffff;
      if (tree_->dual(sources_[s].leaf).top == top) continue;
      const std::int32_t start = source_start_[s] - radius;
      auto known = metric.look_up(sources_[s].leaf, leaf);
      if (start + known.distance >= own.best) continue;
      if (exact_ && !known.is_exact) {
        known = {metric.distance(sources_[s].leaf, leaf, known), true};
        if (start + known.distance >= own.best) continue;
      }
      own = {start + known.distance, s, 0, !known.is_exact};
    }
    own.n_checked = n_sources_;
  }
  /// A walk across, the last hop from source `s` to the side itself or to leaf `target`, whose item is matched to that side. It is
  /// a path if it passes no item twice and none but over its match.
  SPINEL_NOINLINE void offer(std::int32_t cost, const std::int32_t s_last, const std::int32_t last_target) noexcept {
    bool is_path = true, is_guess = false;
    int n = 0;
    const auto pass = [&](std::int32_t leaf) {
      const Index top = tree_->dual(static_cast<Index>(leaf)).top;
      for (int k = 0; k < n; ++k) is_path &= passed_[k] != top;
      passed_[n++] = top;
    };
    const auto enter = [&](std::int32_t leaf) {
      pass(leaf);
      is_guess |= leaves_[leaf].is_guess;
      return leaves_[leaf].from;
    };
    std::int32_t s = last_target >= 0 ? enter(last_target) : s_last;
    while (s != from_side) {
      const Source& source = sources_[s];
      pass(source.leaf);
      is_path &= !source.within;
      s = source.came == from_side ? from_side : enter(source.came);
    }
    if (is_path && !is_guess && cost < most_) most_ = cost;
    if (cost >= end_) return;
    end_ = cost;
    is_guess_ = is_guess;
    last_source_ = last_target < 0 ? s_last : from_side;
    last_target_ = last_target;
  }

  // == Per shot ==
  Tree* tree_ = nullptr;
  bool exact_ = false, at_once_ = false, is_guess_ = false;
  std::int32_t last_source_ = 0, last_target_ = 0;  // of the cheapest walk, as for `offer`
  std::int32_t end_ = 0, most_ = 0;
  int n_waiting_ = 0, n_sources_ = 0;
  // Of the events that wait, side by side: no later arrival, place, radius, number.
  LatticeArray<std::int32_t, Sizes::detectors> arrival_, keys_, radius_;
  LatticeArray<Index, Sizes::detectors> waiting_;
  LatticeArray<std::int32_t, Sizes::of(2 * Sizes::detectors)> source_start_, source_keys_, found_;
  LatticeArray<std::int32_t, Sizes::of(Sizes::detectors + 16)> nearer_;
  LatticeArray<Source, Sizes::of(2 * Sizes::detectors)> sources_;
  LatticeArray<Leaf, Sizes::detectors> leaves_;  // by number of event
  LatticeArray<Index, Sizes::items> passed_;
};

/// The walk with what distances it asks for: from tables, else by searching the lattice.
template <class Tree>
class LatticeGapEvents {
 public:
  using Layout = typename Tree::Layout;
  using Index = typename Tree::Index;
  using Sizes = LatticeSizes<Layout>;
  using Bounds = LatticeBounds<Layout>;
  using Walk = typename LatticeGapWalk<Tree>::Walk;

  constexpr void lay_out(const Layout& layout, Arena& arena) noexcept {
    const auto n = static_cast<std::size_t>(layout.n_detectors());
    walk_.lay_out(layout, arena);
    keys_.lay_out(n, arena);
    places_.lay_out(n, arena);
  }
  /// The cheapest walk, all of it certain. `events` are `n` numbers of events at `ids`, all of the type that has sides.
  template <class MatchedSide>
  Walk run(const Bounds& bounds, const LatticeTables<Layout>& tables, LatticeSearch<Layout>& search, Tree& tree, const std::int32_t* ids,
           const Index* events, int n, std::int32_t end, MatchedSide&& matched_side) noexcept {
    for (int k = 0; k < n; ++k) {
      keys_[events[k]] = bounds.key(ids[events[k]]);
      places_[events[k]] = bounds.place(ids[events[k]]);
    }
    const Metric metric{bounds, tables, search, ids, keys_, places_, asked_};
    asked_.n = 0;
    Walk walk = walk_.run(metric, tree, events, n, end, matched_side, false);
    while (walk.least < walk.most && walk.is_guess) {
      walk_.ask(metric);
      walk = walk_.run(metric, tree, events, n, walk.most, matched_side, asked_.n == Asked::n_max);
    }
    return walk;
  }

 private:
  /// Distances of this shot that the lattice was searched for.
  struct Asked {
    static constexpr int n_max = 64;
    int n = 0;
    Index a[n_max], b[n_max];
    std::int32_t distance[n_max];
  };
  /// Distances between events, by their numbers.
  struct Metric {
    const Bounds& bounds;
    const LatticeTables<Layout>& tables;
    LatticeSearch<Layout>& search;
    const std::int32_t* ids;
    const std::int32_t* keys;
    const typename Bounds::Place* places;
    Asked& asked;
    std::int32_t key(Index a) const noexcept { return keys[a]; }
    typename Bounds::Known look_up(Index a, Index b) const noexcept {
      const std::int32_t by_key = bounds.bound(keys[a], keys[b]);
      const auto known = bounds.look_up(places[a], places[b], by_key);
      if (SPINEL_LIKELY(known.is_exact)) return known;
      for (int k = 0; k < asked.n; ++k)
        if ((asked.a[k] == a && asked.b[k] == b) || (asked.a[k] == b && asked.b[k] == a)) return {asked.distance[k], true};
      return known;
    }
    std::int32_t distance(Index a, Index b, const typename Bounds::Known& known) const noexcept {
      if (known.is_exact) return known.distance;
      const std::int32_t distance = bounds.search_distance(tables, search, ids[a], ids[b], known.distance);
      if (asked.n < Asked::n_max) {
        asked.a[asked.n] = a;
        asked.b[asked.n] = b;
        asked.distance[asked.n++] = distance;
      }
      return distance;
    }
    std::int32_t to_side(int side, Index a) const noexcept { return bounds.to_side(side, ids[a]); }
  };

  Asked asked_;
  LatticeGapWalk<Tree> walk_;
  LatticeArray<std::int32_t, Sizes::detectors> keys_;
  LatticeArray<typename Bounds::Place, Sizes::detectors> places_;
};

}  // namespace spinel::detail
