// SPDX-License-Identifier: Apache-2.0
// Correlated matching on the lattice: match, lower the edges that share a mechanism with a matched edge, and repair the first
// pass's matching for the lowered weights instead of matching again. The tables stay as they are: lattice_overlay.hpp adds what
// the lowered edges change, and only there does a match come undone (lattice_repair.hpp). The second pass is exact as well, and proves it. In small
// experiments few events go another way through both passes: few_correlated.hpp.
// Source: as match/correlated.hpp, whose two passes and conditional weights these are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <spinel/core/arena.hpp>
#include <spinel/core/bits.hpp>
#include <spinel/core/config.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/match/few_correlated.hpp>
#include <spinel/match/implied_weights.hpp>
#include <spinel/match/lattice_implied.hpp>
#include <spinel/match/lattice_matcher.hpp>
#include <spinel/match/lattice_overlay.hpp>

namespace spinel {

/// Concept `Matcher`; `AnyRoundsLatticeMatcher` with a second pass. Totals are of conditional weights.
template <int d, class Index_ = std::int32_t, class BitOps = NativeBits, class Layout_ = LatticeLayout<d>, int n_models = 1>
class AnyRoundsCorrelatedLatticeMatcher : private AnyRoundsLatticeMatcher<d, Index_, BitOps, Layout_, n_models, true> {
  using Base = AnyRoundsLatticeMatcher<d, Index_, BitOps, Layout_, n_models, true>;
  using Layout = Layout_;
  using Index = Index_;
  using Sizes = LatticeSizes<Layout>;
  using Tree = detail::LatticeTree<Layout, Index, BitOps>;
  using Paths = detail::LatticePaths<Layout, BitOps>;
  template <class Matcher>
  friend class LatticeGap;
  /// Where all distances within a check type fit a table, up to ten events of either are paired by trying everything.
  static constexpr int few_size = static_cast<int>(Layout::n_positions * (Sizes::layout.last_layer() + 1) + 16) / 16 * 16;
  static constexpr bool has_few_events = Layout::is_fixed && n_models == 1 && few_size <= 256;
  using Few = detail::FewCorrelated<BitOps, has_few_events ? few_size : 16>;

 public:
  static constexpr bool uses_mechanisms = true;
  using typename Base::Certified;
  using typename Base::PlacesMatched;
  using Base::boundary_mate;
  using Base::dual;
  using Base::max_rounds;
  using Base::n_detectors;
  using Base::n_duals;
  using Base::nats_per_unit;
  using Base::tables;
  using Base::unsettled_mate;

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
    return scratch_bytes(rounds, capacity, mechanism_of.size(), detail::n_joint_edges(mechanism_of));
  }
  /// The same for any model with so many edges, and so many ordered pairs of edges that share a mechanism.
  static std::size_t scratch_bytes(int rounds, const LatticeCapacity& capacity, std::size_t n_edges, std::size_t n_joints) noexcept {
    return Base::scratch_bytes(rounds, capacity, n_edges) + joints_bytes(n_joints);
  }
  /// As AnyRoundsLatticeMatcher; `mechanism_of[k]` says which mechanism edge k is a component of, components of one mechanism
  /// stand together. bad_shape too if the two differ in size, unsupported too where rounds differ in what comes together.
  Status set_up(const MemoryExperiment& experiment, Span<const GraphEdge> edges,
                Span<const std::uint32_t> mechanism_of, Span<std::byte> memory, Span<std::byte> scratch_memory,
                DetectorNumbering numbering = DetectorNumbering::own,
                const LatticeCapacity& capacity = LatticeCapacity::uniform(d), int model = 0) noexcept {
    if (edges.size() != mechanism_of.size()) return Status::bad_shape;
    const std::size_t for_joints = joints_bytes(detail::n_joint_edges(mechanism_of));
    const std::size_t for_base = Base::memory_bytes(experiment.rounds, capacity);
    if (scratch_memory.size() < for_joints || memory.size() < for_base) return Status::out_of_capacity;
    Arena joints_arena(scratch_memory.first(for_joints));
    const auto joints = joints_arena.template take<detail::JointEdges>(detail::n_joint_edges(mechanism_of));
    const Status status = Base::set_up(
        experiment, edges, memory.first(for_base), scratch_memory.subspan(for_joints), numbering, capacity, model,
        [&](const MatchingGraph& graph, const LatticeSite* sites) {
          Arena own(memory.subspan(for_base));
          lay_out_more(this->tables_[model].layout, own);
          if (!Layout::is_fixed && own.overflowed()) return Status::out_of_capacity;
          overlay_.clear(this->tables_[model].layout);
          if constexpr (has_few_events)
            has_few_pass_ = few_.build(
                sites, n_detectors(), [&](std::size_t k) { return this->way_out(k); }, [&](auto&& visit) { this->for_distances(visit); }, graph,
                edges, mechanism_of, joints);
          return implied_[model].build(this->tables_[model], sites, graph, edges, mechanism_of, joints);
        });
    return status;
  }

  /// Two passes over one packed shot.
  MatchResult decode(const std::uint8_t* events) noexcept {
    if (SPINEL_UNLIKELY(!this->is_set_up_[0])) return {0, 0, MatchOutcome::no_perfect_matching};
    if (FewPass few; match_few_twice(events, few)) return few.result;
    const MatchResult result = match_twice(events, [&](Paths& paths, auto&& imply) { for_matched_edges(paths, all_count, imply); });
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
    if (!this->is_set_up_[0]) return {{0, 0, MatchOutcome::no_perfect_matching}, 0, 0};
    FewPass few;
    const MatchResult result = match_twice_as_few(events, few);
    Certified certified{result};
    if (result.outcome == MatchOutcome::matched) certified = this->prove(result);
    // What trying everything found is proved by the dual variables of the search, for the edges that its pairs lower.
    if (few.is_done && certified.proves_optimality())
      certified = {{few.result.observables, result.weight, result.outcome}, few.result.weight, few.result.observables};
    overlay_.lowered.for_all(this->tables_[0], [&](std::int32_t a, std::int32_t b, detail::MarkedDistance weight) {
      visit(a, b, detail::distance_of(weight));
    });
    end();
    return certified;
  }

  /// Whether the second pass is for both check types (as from the beginning) or only for that of the memory basis. The observable's
  /// flips, to which the other type's second pass has nothing to say, are the same.
  void repair_both(bool both) noexcept { repairs_both_ = both; }

  /// As AnyRoundsLatticeMatcher. Where `stop` says true during the second pass, the answer is the first pass's, which is exact.
  /// Only pairs with an end for which `counts(id)` lower what they imply. No second pass where `again()` says false.
  template <class Visit, class Stop, class Then, class Counts, class Again>
  PlacesMatched match_places(int model, const std::int32_t* ids, int n, Visit&& visit, Stop&& stop, Then&& then,
                             Counts&& counts, Again&& again) noexcept {
    if (SPINEL_UNLIKELY(!this->is_set_up_[model])) return {n, 0};
    this->read_places(this->tables_[model], ids, n);
    PlacesMatched matched{n - this->events_.n_events, 0, false};
    matched.n_unsettled = this->match_events(this->tables_[model], stop);
    if (this->tree_.has_blossoms()) this->tree_.resolve_blossoms();
    if (matched.n_unsettled == 0 && !stop() && again()) {
      for (int k = 0; k < this->events_.n_events; ++k) first_match_[k] = this->tree_.match(static_cast<Index>(k));
      matched.is_correlated = match_again(model, stop, counts);
      if (!matched.is_correlated)
        for (int k = 0; k < this->events_.n_events; ++k) this->tree_.match(static_cast<Index>(k)) = first_match_[k];
    }
    this->for_given(visit);
    then();
    end();
    return matched;
  }
  /// As AnyRoundsLatticeMatcher, for the weights by which the last shot was matched.
  template <class Visit>
  void for_places_within(int model, std::int32_t id, std::int32_t limit, Visit&& visit) noexcept {
    if (!overlay_.lowered.any()) return Base::for_places_within(model, id, limit, visit);
    overlay_.for_places_within(this->tables_[model], this->search_, id, limit, visit);
  }
  template <class Visit>
  void for_edges_at(int model, std::int32_t id, Visit&& visit) const noexcept {
    // Lowered edges are there twice, the heavier ones on no shortest path.
    Base::for_edges_at(model, id, visit);
    overlay_.lowered.at(id, visit, [&](detail::MarkedDistance weight) { visit(boundary_mate, weight); });
  }
  std::int32_t id_of(std::size_t detector) const noexcept { return this->id_of_[detector]; }
  /// Bytes of tables that decoding may read.
  std::size_t table_bytes(int model = 0) const noexcept {
    std::size_t bytes = Base::table_bytes(model) + implied_[model].bytes();
    if constexpr (has_few_events) bytes += few_.bytes();
    return bytes;
  }

 private:
  static constexpr std::size_t joints_bytes(std::size_t n_joints) noexcept {
    return n_joints * sizeof(detail::JointEdges) + 2 * Arena::alignment;
  }
  constexpr void lay_out_more(const Layout& layout, Arena& arena) noexcept {
    for (auto& implied : implied_) implied.lay_out(arena);
    overlay_.lay_out(layout, arena);
    first_match_.lay_out(static_cast<std::size_t>(layout.n_detectors()), arena);
  }

  /// Both passes over few events, and what the first found.
  struct FewPass {
    typename Few::Shot shot;
    MatchResult result{0, 0, MatchOutcome::matched};
    bool is_done = false;
  };
  /// False, and nothing done, where they are many or cannot be explained.
  SPINEL_NOINLINE bool match_few_twice(const std::uint8_t* events, FewPass& pass) noexcept {
    if constexpr (has_few_events) {
      if (!has_few_pass_) return false;
      auto& shot = pass.shot;
      constexpr std::size_t n_words = (Sizes::detectors + 63) / 64;
      std::uint64_t words[2][n_words];
      int n[2] = {};
      for (std::size_t w = 0; w < n_words; ++w) {
        const std::uint64_t word = load_word(events, 64 * w, Sizes::detectors), of_first = this->first_type_[w];
        words[0][w] = word & of_first;
        words[1][w] = word & ~of_first;
        for (int type = 0; type < 2; ++type) n[type] += count_ones(words[type][w]);
      }
      if (n[0] > Few::n_events_max || n[1] > Few::n_events_max) return false;
      for (int type = 0; type < 2; ++type) {
        shot.n[type] = 0;
        for (std::size_t w = 0; w < n_words; ++w)
          shot.n[type] += BitOps::positions(words[type][w], static_cast<unsigned>(64 * w), shot.detectors[type] + shot.n[type]);
      }
      if (SPINEL_UNLIKELY(!few_.pair(shot))) return false;
      detail::MarkedDistance flips = 0;
      pass.is_done = few_.pair_again(shot, repairs_both_, pass.result.weight, flips);
      pass.result.observables = flips;
    }
    return pass.is_done;
  }
  /// `then(result)` finds the state that the second pass left.
  template <class Then>
  MatchResult decode_then(const std::uint8_t* events, Then&& then) noexcept {
    if (SPINEL_UNLIKELY(!this->is_set_up_[0])) return {0, 0, MatchOutcome::no_perfect_matching};
    FewPass few;
    const MatchResult result = match_twice_as_few(events, few);
    if (result.outcome == MatchOutcome::matched) then(result);
    end();
    return result;
  }
  /// With a first pass by trying everything where that can be done, so that the edges that it lowers are the same.
  MatchResult match_twice_as_few(const std::uint8_t* events, FewPass& few) noexcept {
    match_few_twice(events, few);
    return match_twice(events, [&](Paths& paths, auto&& imply) {
      if (few.is_done) for_few_edges(few, paths, imply);
      else for_matched_edges(paths, all_count, imply);
    });
  }
  /// `for_edges` as lower_implied.
  template <class ForEdges>
  MatchResult match_twice(const std::uint8_t* events, ForEdges&& for_edges) noexcept {
    if (!this->match(events)) return {0, 0, MatchOutcome::no_perfect_matching};
    if (this->tree_.has_blossoms()) this->tree_.resolve_blossoms();
    lower_implied(0, for_edges);
    if (overlay_.lowered.any()) repair(0, [] { return false; });
    return this->finish();
  }
  /// The second pass over a first one that was matched to the end; false where `stop` ended it.
  template <class Stop, class Counts>
  bool match_again(int model, Stop&& stop, Counts&& counts) noexcept {
    lower_implied(model, [&](Paths& paths, auto&& imply) { for_matched_edges(paths, counts, imply); });
    if (!overlay_.lowered.any()) return true;
    if (repair(model, stop) != 0) {
      overlay_.end();
      is_second_ = false;
      return false;
    }
    if (this->tree_.has_blossoms()) this->tree_.resolve_blossoms();
    return true;
  }
  /// Returns how many events are unsettled because of `stop`.
  template <class Stop>
  int repair(int model, Stop&& stop) noexcept {
    is_second_ = true;
    const int n_free = overlay_.begin(this->tables_[model], this->search_, this->events_, this->tree_, this->unpaired_);
    return this->search_all(overlay_, n_free, this->tables_[model], stop);
  }
  void end() noexcept {
    if (is_second_) overlay_.end();
    else overlay_.lowered.forget();
    is_second_ = false;
    Base::end();
  }

  static constexpr auto all_count = [](std::int32_t) { return true; };
  /// Lowers what edges imply: `for_edges(paths, imply)`. In two steps, so that the lists come from memory while others are read.
  template <class ForEdges>
  void lower_implied(int model, ForEdges&& for_edges) noexcept {
    int n = 0;
    const auto lower_all = [&] {
      overlay_.lowered.lower(causes_, n, implied_[model].ends());
      n = 0;
    };
    const detail::LatticeImplied<Layout>& implied_by = implied_[model];
    Paths paths(this->tables_[model], this->search_);
    const auto imply = [&](int row, int slot, int lower_end, bool is_there = true) {
      causes_[n] = {repairs_both_ ? implied_by.of(row, slot) : implied_by.of_memory_basis(row, slot), lower_end};
      SPINEL_PREFETCH(causes_[n].implied.data());
      n += is_there;
      if (n == n_causes_max) lower_all();
    };
    for_edges(paths, imply);
    lower_all();
  }
  /// The edges of the pairs that trying everything found.
  template <class Imply>
  void for_few_edges(const FewPass& pass, Paths& paths, Imply&& imply) noexcept {
    if constexpr (has_few_events)
      few_.for_edges(pass.shot, [&](std::uint16_t, int type, int from, int to) {
        if (to == Few::outside) paths.edge_out(id_of(few_.detector(type, from)), imply);
        else paths.edge_between(id_of(few_.detector(type, from)), id_of(few_.detector(type, to)), imply);
      });
  }
  /// The edges of all matched pairs of which an end counts.
  template <class Counts, class Imply>
  void for_matched_edges(Paths& paths, Counts&& counts, Imply&& imply) noexcept {
    // One end of every pair, without a branch on which.
    int n_pairs = 0;
    for (int k = 0; k < this->events_.n_events; ++k) {
      this->unpaired_[n_pairs] = static_cast<Index>(k);
      n_pairs += this->tree_.match(static_cast<Index>(k)).v < k;
    }
    // Most are one edge: those first, without a branch on whether they are.
    int n_longer = 0;
    for (int pair = 0; pair < n_pairs; ++pair) {
      const Index k = this->unpaired_[pair];
      const auto& match = this->tree_.match(k);
      const std::int32_t from = this->events_.ids[k], is_out = -static_cast<std::int32_t>(match.v == Tree::to_boundary);
      const std::int32_t to = this->events_.ids[(k & is_out) | (match.v & ~is_out)];
      const bool counted = counts(from) || counts(to);
      const auto edge = paths.direct(from, to, match.path);
      imply(edge.row, edge.slot & ~(edge.slot >> 31), edge.lower_end, counted & (edge.slot >= 0));
      this->unpaired_[n_longer] = k;
      n_longer += counted & (edge.slot < 0);
    }
    for (int pair = 0; pair < n_longer; ++pair) {
      const Index k = this->unpaired_[pair];
      const auto& match = this->tree_.match(k);
      const std::int32_t from = this->events_.ids[k];
      if (match.v == Tree::to_boundary) paths.to_boundary(from, imply);
      else paths.between(from, this->events_.ids[match.v], match.path, imply);
    }
  }

  // == Permanent: fixed at set-up ==
  detail::LatticeImplied<Layout> implied_[n_models];
  [[no_unique_address]] std::conditional_t<has_few_events, Few, typename Base::Nothing> few_;
  bool has_few_pass_ = false;
  // == Per shot ==
  detail::LatticeOverlay<Tree, BitOps, typename Base::Events> overlay_;
  LatticeArray<typename Tree::Link, Sizes::detectors> first_match_;
  bool is_second_ = false;
  bool repairs_both_ = true;
  static constexpr int n_causes_max = 64;
  typename detail::LoweredEdges<Layout>::Cause causes_[n_causes_max];
};

/// The same for one experiment, with its memory inside.
template <MemoryExperiment experiment, class BitOps = NativeBits, int n_models = 1>
class CorrelatedLatticeMatcher
    : public AnyRoundsCorrelatedLatticeMatcher<experiment.distance, LatticeIndex<experiment>, BitOps,
                                               LatticeLayout<experiment.distance, experiment.rounds>, n_models> {
  static_assert(RequireValid<experiment>::value);
  using Layout = LatticeLayout<experiment.distance, experiment.rounds>;
  using Engine = AnyRoundsCorrelatedLatticeMatcher<experiment.distance, LatticeIndex<experiment>, BitOps, Layout, n_models>;
  static constexpr LatticeCapacity capacity = LatticeSizes<Layout>::capacity;

 public:
  static std::size_t scratch_bytes(Span<const std::uint32_t> mechanism_of) noexcept {
    return Engine::scratch_bytes(experiment.rounds, capacity, mechanism_of);
  }
  static std::size_t scratch_bytes(std::size_t n_edges, std::size_t n_joints) noexcept {
    return Engine::scratch_bytes(experiment.rounds, capacity, n_edges, n_joints);
  }
  /// As AnyRoundsCorrelatedLatticeMatcher::set_up.
  Status set_up(Span<const GraphEdge> edges, Span<const std::uint32_t> mechanism_of, Span<std::byte> scratch_memory,
                DetectorNumbering numbering = DetectorNumbering::own, int model = 0) noexcept {
    return Engine::set_up(experiment, edges, mechanism_of, {}, scratch_memory, numbering, capacity, model);
  }
};

}  // namespace spinel
