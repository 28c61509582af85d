// SPDX-License-Identifier: Apache-2.0
// Both classes of one shot with the lattice matcher: beside the best solution, what the best one costs that flips the observable
// the other way, exact. It starts from the duals, mates and blossoms that decoding left and looks at the observable's check
// type only: by a walk over events (lattice_gap_walk.hpp) where these are few, else, and with weights of the shot's own, by waves
// over checks (lattice_gap_flood.hpp). Source: the complementary gap of Gidney, Newman, Brooks and Jones, arXiv:2312.04522.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/match/few_events.hpp>
#include <spinel/match/lattice_gap_bounds.hpp>
#include <spinel/match/lattice_gap_flood.hpp>
#include <spinel/match/lattice_gap_walk.hpp>
#include <spinel/match/lattice_matcher.hpp>
#include <spinel/match/matcher.hpp>

namespace spinel {

/// For a LatticeMatcher or an AnyRoundsLatticeMatcher of a memory experiment, or one of their correlated kinds, which must not be set up
/// again without `set_up` here. The gap of a correlated matcher is that of its second pass: the first decides which edges are lowered,
/// and both classes are weighed with these.
template <class Matcher>
class LatticeGap {
  using Tree = typename Matcher::Tree;
  using Layout = typename Tree::Layout;
  using Index = typename Tree::Index;
  using Sizes = LatticeSizes<Layout>;
  using Bounds = detail::LatticeBounds<Layout>;

 public:
  LatticeGap() noexcept = default;
  LatticeGap(const LatticeGap&) = delete;
  LatticeGap& operator=(const LatticeGap&) = delete;

  /// Bytes beside the object itself; with `pairs` also for distances of pairs, which it does without if it has to: slower where events
  /// are few.
  static std::size_t memory_bytes(int rounds, bool pairs = true) noexcept {
    Arena counter;
    if constexpr (!Layout::is_fixed) {
      LatticeGap sized;
      sized.lay_out(Layout(rounds), counter);
    }
    if (pairs && !is_correlated) counter.take<std::int32_t>(Bounds::n_pairs(Layout(rounds)));
    return counter.used() + Arena::alignment;
  }
  /// For `matcher`, which is set up. Errors: bad_argument (it is not), out_of_capacity, unsupported where the observable is not the
  /// parity of the paths that end on one of two sides of the boundary.
  Status set_up(Matcher& matcher, Span<std::byte> memory) noexcept {
    is_set_up_ = false;
    if (!matcher.is_set_up_[0]) return Status::bad_argument;
    const Layout& layout = matcher.tables_[0].layout;
    Arena arena(memory);
    lay_out(layout, arena);
    if (!Layout::is_fixed && (arena.overflowed() || memory.empty())) return Status::out_of_capacity;
    const Status status = bounds_.build(matcher.tables_[0], matcher.search_);
    is_set_up_ = status == Status::ok;
    if (is_set_up_) flood_.use(bounds_);
    if constexpr (has_few_events)
      if (is_set_up_) add_few(matcher);
    if (!is_correlated && is_set_up_ && memory.size() >= memory_bytes(layout.last_layer()))
      bounds_.use_pairs(matcher.tables_[0], matcher.search_, arena.take<std::int32_t>(Bounds::n_pairs(layout)));
    return status;
  }

  /// Decodes with `matcher` and finds the gap, or `limit` if that is less: a gate that asks only whether the gap is small gives a
  /// small limit, and the search ends there. Before a successful `set_up`: no gap.
  ClassCosts decode(Matcher& matcher, const std::uint8_t* events, std::int64_t limit = ClassCosts::infinite) noexcept {
    if constexpr (has_few_events) {
      ClassCosts costs;
      if (decode_few(matcher, events, [](std::size_t) { return ~std::uint64_t{0}; }, limit, costs)) return costs;
    }
    std::int64_t gap = 0;
    const MatchResult best = matcher.decode_then(events, [&](const MatchResult&) { gap = complete(matcher, limit); });
    return {best, gap, (best.observables & 1) != 0};
  }
  /// The same with `decode_observable`: `best.weight` is of the observable's check type alone.
  ClassCosts decode_observable(Matcher& matcher, const std::uint8_t* events, std::int64_t limit = ClassCosts::infinite) noexcept {
    if constexpr (has_few_events) {
      ClassCosts costs;
      if (decode_few(matcher, events, [&](std::size_t first) { return matcher.decisive_[first / 64]; }, limit, costs)) return costs;
    }
    std::int64_t gap = 0;
    const MatchResult best = matcher.decode_observable_then(events, [&](const MatchResult&) { gap = complete(matcher, limit); });
    return {best, gap, (best.observables & 1) != 0};
  }

 private:
  static constexpr bool is_correlated = Matcher::uses_mechanisms;
  static constexpr bool has_few_events = !is_correlated && Matcher::has_few_events;
  /// With more events waves over checks are faster than walks over events.
  static constexpr int n_walked_max = 400;
  /// Where the events are few, both classes by trying everything; false where they are not.
  template <class Kept>
  bool decode_few(const Matcher& matcher, const std::uint8_t* events, Kept&& kept, std::int64_t limit, ClassCosts& costs) const noexcept {
    if (!is_set_up_ || limit <= 0) return false;
    const auto few = matcher.few_of(events, kept);
    const int type = matcher.decisive_type_;
    if (few.n[type] > few_gap_.n_events_max || few.n[1 - type] > matcher.few_events_.n_events_max) return false;
    costs.best = {0, 0, MatchOutcome::matched};
    detail::MarkedDistance flips = 0, no_flips = 0;
    if (!matcher.few_events_.pair(few.of_type[1 - type], few.n[1 - type], costs.best.weight, no_flips)) return false;
    costs.gap = few_gap_.gap(matcher.few_events_, few.of_type[type], few.n[type], costs.best.weight, flips);
    if (costs.best.weight >= matcher.few_events_.unreachable) return false;
    if (costs.gap > limit) costs.gap = limit;
    costs.best.observables = flips;
    costs.observable_flips = flips != 0;
    return true;
  }
  void add_few(Matcher& matcher) noexcept {
    // A side that cannot be reached is as far as that table has anything, so that two of them can be added.
    constexpr auto furthest = static_cast<std::int32_t>(detail::FewEvents<typename Tree::BitOps>::unreachable);
    struct Sides {
      std::int32_t from[2];
    };
    const auto sides_of = [&](int k) {
      const int id = matcher.id_of_[k];
      return Sides{{spinel::min(bounds_.to_side(0, id), furthest), spinel::min(bounds_.to_side(1, id), furthest)}};
    };
    const auto decides = [&](int k) { return ((matcher.decisive_[k / 64] >> (k % 64)) & 1) != 0; };
    few_gap_.clear(bounds_.across());
    for (int k = 0; k < static_cast<int>(matcher.n_detectors()); ++k)
      if (decides(k)) few_gap_.add_boundary(k, sides_of(k).from);
    matcher.for_distances([&](int a, int b, detail::MarkedDistance distance) {
      if (decides(a)) few_gap_.add(a, b, detail::distance_of(distance), sides_of(a).from, sides_of(b).from);
    });
  }
  constexpr void lay_out(const Layout& layout, Arena& arena) noexcept {
    bounds_.lay_out(layout, arena);
    if constexpr (!is_correlated) walk_.lay_out(layout, arena);
    flood_.lay_out(layout, arena);
    members_.lay_out(static_cast<std::size_t>(layout.n_detectors()), arena);
  }
  std::int64_t complete(Matcher& matcher, std::int64_t limit) noexcept {
    if (!is_set_up_ || limit <= 0) return 0;
    const auto& ids = matcher.events_.ids;
    int n = 0;
    for (int k = 0; k < matcher.events_.n_events; ++k) {
      members_[n] = static_cast<Index>(k);
      n += bounds_.counts(ids[k]);
    }
    const auto matched_side = [&](const auto& match) { return bounds_.side_of(ids[match.u], match.path); };
    std::int32_t end = static_cast<std::int32_t>(limit < bounds_.across() ? limit : bounds_.across());
    const auto flood = [&](const auto& lowered) {
      return flood_.run(matcher.tables_[0], bounds_, lowered, matcher.tree_, ids, members_, n, end, matched_side);
    };
    if constexpr (is_correlated) {
      if (n == 0 && !matcher.overlay_.lowered.any()) return end;
      return flood(matcher.overlay_.lowered);
    } else {
      if (bounds_.has_pairs() && n <= n_walked_max) {
        const auto walk = walk_.run(bounds_, matcher.tables_[0], matcher.search_, matcher.tree_, ids, members_, n, end, matched_side);
        if (walk.least == walk.most) return walk.most;
        end = walk.most;
      }
      return flood(detail::NoLoweredEdges{});
    }
  }

  bool is_set_up_ = false;
  struct Nothing {};
  [[no_unique_address]] std::conditional_t<has_few_events, detail::FewEventsGap<typename Tree::BitOps>, Nothing> few_gap_;
  Bounds bounds_;
  [[no_unique_address]] std::conditional_t<is_correlated, Nothing, detail::LatticeGapEvents<Tree>> walk_;
  detail::LatticeGapFlood<Tree> flood_;
  LatticeArray<Index, Sizes::detectors> members_;
};

}  // namespace spinel
