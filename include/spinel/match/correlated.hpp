// SPDX-License-Identifier: Apache-2.0
// Correlated matching in two passes: match, lower the weights of the edges that share a mechanism with a matched edge
// to what they are worth given that edge, match again. Where X and Z errors come together in Y, this is what plain
// matching throws away.
// Source: Fowler, Optimal complexity correction of correlated errors in the surface code, arXiv:1310.0863; conditional
// probabilities as in PyMatching's two-pass decoder: joint over marginal, at most 1/2.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/match/exact_matcher.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/implied_weights.hpp>
#include <spinel/match/matcher.hpp>

namespace spinel {

class CorrelatedMatcher {
 public:
  using Options = PathTableOptions;

  /// `mechanism_of[k]` says which mechanism edge k is a component of; components of one mechanism stand together.
  static std::size_t memory_needed(std::size_t n_detectors, Span<const std::uint32_t> mechanism_of,
                                   std::size_t n_observables, const Options& options = {}) noexcept {
    Arena counter;
    CorrelatedMatcher{}.lay_out(mechanism_of, counter);
    return counter.used() + Arena::alignment +
           ExactMatcher::memory_needed(n_detectors, mechanism_of.size(), n_observables, options);
  }

  /// As `ExactMatcher::create`, whose errors it shares; bad_shape too if the two spans differ in size.
  static Result<CorrelatedMatcher> create(std::size_t n_detectors, std::size_t n_observables,
                                          Span<const GraphEdge> edges, Span<const std::uint32_t> mechanism_of,
                                          Span<std::byte> memory, const Options& options = {}) noexcept {
    if (edges.size() != mechanism_of.size()) return Status::bad_shape;
    CorrelatedMatcher made;
    Arena arena(memory);
    made.lay_out(mechanism_of, arena);
    if (arena.overflowed() || memory.empty()) return Status::out_of_capacity;
    auto exact = ExactMatcher::create(n_detectors, n_observables, edges, memory.subspan(arena.used()), options);
    if (!exact) return exact.status;
    made.exact_ = exact.value;
    made.find_implied(edges, mechanism_of);
    return made;
  }

  /// Two passes over one packed shot. The weight is the second pass's: of conditional weights.
  MatchResult decode(const std::uint8_t* events) noexcept {
    const MatchResult first = exact_.decode(events);
    if (first.outcome != MatchOutcome::matched) return first;
    std::size_t n = 0;
    exact_.for_matched_edges([&](std::uint32_t cause) {
      for (std::uint32_t k = implied_begin_[cause]; k < implied_begin_[cause + 1]; ++k) {
        const EdgeWeight implied = implied_[k];
        std::uint32_t& place = place_[implied.edge];
        if (place == no_place) {
          place = static_cast<std::uint32_t>(n);
          weights_[n++] = implied;
        } else {
          weights_[place].weight = spinel::min(weights_[place].weight, implied.weight);
        }
      }
    });
    for (std::size_t k = 0; k < n; ++k) place_[weights_[k].edge] = no_place;
    if (n == 0) return first;
    return exact_.decode(events, weights_.first(n));
  }

  std::size_t n_detectors() const noexcept { return exact_.n_detectors(); }
  double nats_per_unit() const noexcept { return exact_.nats_per_unit(); }
  /// The matcher of both passes: pairs and edges of the last shot.
  ExactMatcher& exact() noexcept { return exact_; }

 private:
  static constexpr std::uint32_t no_place = 0xffffffff;

  void lay_out(Span<const std::uint32_t> mechanism_of, Arena& arena) noexcept {
    const std::size_t n_pairs = detail::n_joint_edges(mechanism_of), n_edges = mechanism_of.size();
    joints_ = arena.take<detail::JointEdges>(n_pairs);
    implied_ = arena.take<EdgeWeight>(n_pairs);
    implied_begin_ = arena.take<std::uint32_t>(n_edges + 1);
    place_ = arena.take<std::uint32_t>(n_edges);
    weights_ = arena.take<EdgeWeight>(n_edges);
    for (auto& place : place_) place = no_place;
  }
  void find_implied(Span<const GraphEdge> edges, Span<const std::uint32_t> mechanism_of) noexcept;

  ExactMatcher exact_;
  Span<detail::JointEdges> joints_;  // only for set-up
  Span<EdgeWeight> implied_;
  Span<std::uint32_t> implied_begin_;
  Span<std::uint32_t> place_;  // per shot: of an edge in weights_
  Span<EdgeWeight> weights_;
};

inline void CorrelatedMatcher::find_implied(Span<const GraphEdge> edges,
                                            Span<const std::uint32_t> mechanism_of) noexcept {
  std::uint32_t n_implied = 0, next_cause = 0;
  detail::for_implied_weights(exact_.graph(), edges, mechanism_of, joints_, [&](std::uint32_t cause, EdgeWeight effect) {
    if (effect.weight >= exact_.graph().signed_weight(effect.edge)) return;
    for (; next_cause <= cause; ++next_cause) implied_begin_[next_cause] = n_implied;
    implied_[n_implied++] = effect;
  });
  for (; next_cause < implied_begin_.size(); ++next_cause) implied_begin_[next_cause] = n_implied;
}

static_assert(Matcher<CorrelatedMatcher>);

}  // namespace spinel
