// SPDX-License-Identifier: Apache-2.0
// Correlated matching on the lattice: match, lower the edges that share a mechanism with a matched edge, and repair the first
// pass's matching for the lowered weights instead of matching again. The tables stay as they are: lattice_overlay.hpp adds what
// the lowered edges change, and only there does a match come undone. The second pass is exact as well, and proves it.
// Source: as match/correlated.hpp, whose two passes and conditional weights these are.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/arena.hpp>
#include <spinel/core/config.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/match/implied_weights.hpp>
#include <spinel/match/lattice_implied.hpp>
#include <spinel/match/lattice_matcher.hpp>
#include <spinel/match/lattice_overlay.hpp>

namespace spinel {

/// Concept `Matcher`; `AnyRoundsLatticeMatcher` with a second pass. Totals are of conditional weights.
template <int d, class Index_ = std::int32_t, class BitOps = NativeBits, class Layout_ = LatticeLayout<d>>
class AnyRoundsCorrelatedLatticeMatcher : private AnyRoundsLatticeMatcher<d, Index_, BitOps, Layout_> {
  using Base = AnyRoundsLatticeMatcher<d, Index_, BitOps, Layout_>;
  using Layout = Layout_;
  using Index = Index_;
  using Tree = detail::LatticeTree<Layout, Index, BitOps>;
  using Paths = detail::LatticePaths<Layout>;

 public:
  using typename Base::Certified;
  using Base::max_rounds;
  using Base::n_detectors;
  using Base::nats_per_unit;

  /// As AnyRoundsLatticeMatcher.
  static std::size_t memory_bytes(int rounds, const LatticeCapacity& capacity) noexcept {
    if constexpr (Layout::is_fixed) {
      return 0;
    } else {
      Arena counter;
      AnyRoundsCorrelatedLatticeMatcher sized;
      sized.lay_out_more(Layout(rounds), counter);
      return Base::memory_bytes(rounds, capacity) + counter.used() + Arena::alignment;
    }
  }
  static std::size_t scratch_bytes(int rounds, const LatticeCapacity& capacity,
                                   Span<const std::uint32_t> mechanism_of) noexcept {
    return Base::scratch_bytes(rounds, capacity, mechanism_of.size()) + joints_bytes(mechanism_of);
  }
  /// As AnyRoundsLatticeMatcher; `mechanism_of[k]` says which mechanism edge k is a component of, components of one mechanism
  /// stand together. bad_shape too if the two differ in size, unsupported too where rounds differ in what comes together.
  Status set_up(const MemoryExperiment& experiment, Span<const GraphEdge> edges,
                Span<const std::uint32_t> mechanism_of, Span<std::byte> memory, Span<std::byte> scratch_memory,
                DetectorNumbering numbering = DetectorNumbering::own,
                const LatticeCapacity& capacity = LatticeCapacity::uniform(d)) noexcept {
    if (edges.size() != mechanism_of.size()) return Status::bad_shape;
    const std::size_t for_joints = joints_bytes(mechanism_of);
    const std::size_t for_base = Base::memory_bytes(experiment.rounds, capacity);
    if (scratch_memory.size() < for_joints || memory.size() < for_base) return Status::out_of_capacity;
    Arena joints_arena(scratch_memory.first(for_joints));
    const auto joints = joints_arena.template take<detail::JointEdges>(detail::n_joint_edges(mechanism_of));
    const Status status = Base::set_up(
        experiment, edges, memory.first(for_base), scratch_memory.subspan(for_joints), numbering, capacity,
        [&](const MatchingGraph& graph, const LatticeSite* sites) {
          Arena own(memory.subspan(for_base));
          lay_out_more(this->tables_.layout, own);
          if (!Layout::is_fixed && own.overflowed()) return Status::out_of_capacity;
          overlay_.clear(this->tables_.layout);
          return implied_.build(this->tables_, sites, graph, edges, mechanism_of, joints);
        });
    return status;
  }

  /// Two passes over one packed shot.
  MatchResult decode(const std::uint8_t* events) noexcept {
    if (SPINEL_UNLIKELY(!this->is_set_up_)) return {0, 0, MatchOutcome::no_perfect_matching};
    const MatchResult result = match_twice(events);
    end();
    return result;
  }
  /// The proof is of the second pass: its matching weighs what its dual variables say.
  Certified decode_certified(const std::uint8_t* events) noexcept {
    return decode_certified(events, [](std::int32_t, std::int32_t, std::int32_t) {});
  }
  /// `visit(a, b, weight)` for the edges that this shot's second pass took as lighter, as ids of `id_of`; b is -1 for the boundary.
  template <class Visit>
  Certified decode_certified(const std::uint8_t* events, Visit&& visit) noexcept {
    if (!this->is_set_up_) return {{0, 0, MatchOutcome::no_perfect_matching}, 0, 0};
    const MatchResult result = match_twice(events);
    Certified certified{result};
    if (result.outcome == MatchOutcome::matched) certified = this->prove(result);
    overlay_.lowered.for_all(this->tables_, [&](std::int32_t a, std::int32_t b, detail::MarkedDistance weight) {
      visit(a, b, detail::distance_of(weight));
    });
    end();
    return certified;
  }
  std::int32_t id_of(std::size_t detector) const noexcept { return this->id_of_[detector]; }
  /// Bytes of tables that decoding may read.
  std::size_t table_bytes() const noexcept { return Base::table_bytes() + implied_.bytes(); }

 private:
  static std::size_t joints_bytes(Span<const std::uint32_t> mechanism_of) noexcept {
    return detail::n_joint_edges(mechanism_of) * sizeof(detail::JointEdges) + 2 * Arena::alignment;
  }
  constexpr void lay_out_more(const Layout& layout, Arena& arena) noexcept {
    implied_.lay_out(arena);
    overlay_.lay_out(layout, arena);
  }

  MatchResult match_twice(const std::uint8_t* events) noexcept {
    is_second_ = false;
    if (!this->match(events)) return {0, 0, MatchOutcome::no_perfect_matching};
    auto& tree = this->tree_;
    if (tree.has_blossoms()) tree.resolve_blossoms();
    lower_implied();
    if (!overlay_.lowered.any()) return this->finish();
    is_second_ = true;
    const int n_free = overlay_.begin(this->tables_, this->search_, this->events_, tree, this->unpaired_);
    this->search_all(overlay_, n_free);
    return sum();
  }
  void end() noexcept {
    if (is_second_) overlay_.end();
    else overlay_.lowered.forget();
    Base::end();
  }

  /// Lowers what the edges of all matched pairs imply. In two steps, so that the lists come from memory while others are read.
  void lower_implied() noexcept {
    constexpr int batch = 64;
    struct Cause {
      Span<const detail::ImpliedEdge> implied;
      int lower_end;
    };
    Cause causes[batch];
    int n = 0;
    const auto lower_all = [&] {
      for (int k = 0; k < n; ++k)
        for (const detail::ImpliedEdge& implied : causes[k].implied) {
          const std::int32_t from = causes[k].lower_end + implied.from;
          overlay_.lowered.lower(from, implied.slots[0], implied.weight);
          if (implied.along != 0) overlay_.lowered.lower(from + implied.along, implied.slots[1], implied.weight);
        }
      n = 0;
    };
    Paths paths(this->tables_, this->search_);
    const auto imply = [&](int row, int slot, int lower_end) {
      causes[n] = {implied_.of(row, slot), lower_end};
      SPINEL_PREFETCH(causes[n].implied.data());
      SPINEL_PREFETCH(causes[n].implied.data() + 4);
      if (++n == batch) lower_all();
    };
    for (int k = 0; k < this->events_.n_events; ++k) {
      const auto& match = this->tree_.item(static_cast<Index>(k)).match;
      if (match.v == Tree::to_boundary) paths.to_boundary(this->events_.ids[k], imply);
      else if (match.v < k) paths.between(this->events_.ids[k], this->events_.ids[match.v], match.path, imply);
    }
    lower_all();
  }
  MatchResult sum() noexcept {
    auto& tree = this->tree_;
    std::int64_t weight = 0;
    detail::MarkedDistance flips = 0;
    if (tree.has_blossoms()) {
      tree.for_blossoms([&](Index id, int n_leaves) { weight -= std::int64_t{tree.item(id).radius} * (n_leaves - 1); });
      tree.resolve_blossoms();
    }
    for (int k = 0; k < this->events_.n_events; ++k) {
      const auto& item = tree.item(static_cast<Index>(k));
      weight += item.radius;
      if (item.match.v < k) flips ^= item.match.path;
    }
    return {flips & 1, weight, MatchOutcome::matched};
  }

  // == Permanent: fixed at set-up ==
  detail::LatticeImplied<Layout> implied_;
  // == Per shot ==
  detail::LatticeOverlay<Tree, BitOps> overlay_;
  bool is_second_ = false;
};

/// The same for one experiment, with its memory inside.
template <MemoryExperiment experiment, class BitOps = NativeBits>
class CorrelatedLatticeMatcher
    : public AnyRoundsCorrelatedLatticeMatcher<experiment.distance, LatticeIndex<experiment>, BitOps,
                                               LatticeLayout<experiment.distance, experiment.rounds>> {
  static_assert(RequireValid<experiment>::value);
  using Layout = LatticeLayout<experiment.distance, experiment.rounds>;
  using Engine = AnyRoundsCorrelatedLatticeMatcher<experiment.distance, LatticeIndex<experiment>, BitOps, Layout>;
  static constexpr LatticeCapacity capacity = LatticeSizes<Layout>::capacity;

 public:
  static std::size_t scratch_bytes(Span<const std::uint32_t> mechanism_of) noexcept {
    return Engine::scratch_bytes(experiment.rounds, capacity, mechanism_of);
  }
  /// As AnyRoundsCorrelatedLatticeMatcher::set_up.
  Status set_up(Span<const GraphEdge> edges, Span<const std::uint32_t> mechanism_of,
                Span<std::byte> scratch_memory, DetectorNumbering numbering = DetectorNumbering::own) noexcept {
    return Engine::set_up(experiment, edges, mechanism_of, {}, scratch_memory, numbering, capacity);
  }
};

}  // namespace spinel
