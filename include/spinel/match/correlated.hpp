// SPDX-License-Identifier: Apache-2.0
// Correlated matching in passes: match, change the weights of the edges that share a mechanism with others to what they are
// worth given the matched edges, match again. Where X and Z errors come together in Y, this is what plain matching throws away.
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

/// What a matching says about the edges of the next pass.
struct CorrelationRule {
  int passes = 2;          ///< at least 2. Even numbers are better than the odd ones above them: what a basis says comes back to it
  double trust = 1;        ///< in (0, 1]: factor on the conditional probability of an edge, given a matched one
  double unseen = 1;       ///< in (0, 1]: factor on mechanisms of several components of which none was matched; below 1, the passes
                           ///< after the first have a matcher of their own
  bool alternate = false;  ///< passes take turns, the last one matches the events that decide about observables, the one before
                           ///< those of all other connected parts of the graph (of a memory experiment: the other basis), and so on

  /// As PyMatching's `enable_correlations`.
  static constexpr CorrelationRule two_pass() noexcept { return {}; }
  /// 5 to 17 % fewer mistakes than that, for little more time (docs/decisions/0035).
  static constexpr CorrelationRule refined() noexcept { return {4, 0.8, 0.3, true}; }
};

class CorrelatedMatcher {
 public:
  using Options = PathTableOptions;

  /// `mechanism_of[k]` says which mechanism edge k is a component of; components of one mechanism stand together.
  static std::size_t memory_needed(std::size_t n_detectors, Span<const std::uint32_t> mechanism_of,
                                   std::size_t n_observables, const Options& options = {},
                                   const CorrelationRule& rule = {}) noexcept {
    Arena counter;
    CorrelatedMatcher{}.lay_out(n_detectors, mechanism_of, rule, counter);
    return counter.used() + Arena::alignment +
           (rule.unseen < 1 ? 2 : 1) * ExactMatcher::memory_needed(n_detectors, mechanism_of.size(), n_observables, options);
  }

  /// As `ExactMatcher::create`, whose errors it shares; bad_shape too if the two spans differ in size, bad_argument for a rule
  /// out of its ranges.
  static Result<CorrelatedMatcher> create(std::size_t n_detectors, std::size_t n_observables,
                                          Span<const GraphEdge> edges, Span<const std::uint32_t> mechanism_of,
                                          Span<std::byte> memory, const Options& options = {},
                                          const CorrelationRule& rule = {}) noexcept {
    if (edges.size() != mechanism_of.size()) return Status::bad_shape;
    if (rule.passes < 2 || !(rule.trust > 0 && rule.trust <= 1) || !(rule.unseen > 0 && rule.unseen <= 1)) return Status::bad_argument;
    CorrelatedMatcher made;
    made.rule_ = rule;
    Arena arena(memory);
    made.lay_out(n_detectors, mechanism_of, rule, arena);
    if (arena.overflowed() || memory.empty()) return Status::out_of_capacity;
    auto rest = memory.subspan(arena.used());
    auto first = ExactMatcher::create(n_detectors, n_observables, edges, rest, options);
    if (!first) return first.status;
    made.matchers_[0] = first.value;
    if (rule.unseen < 1) {
      const MatchingGraph& graph = first.value.graph();
      detail::unseen_edges(graph, edges, mechanism_of, rule.unseen, made.unseen_.data());
      rest = rest.subspan(ExactMatcher::memory_needed(n_detectors, mechanism_of.size(), n_observables, options));
      auto later = ExactMatcher::create(n_detectors, n_observables, made.unseen_.first(graph.edges().size()), rest, options);
      if (!later) return later.status;
      made.matchers_[1] = later.value;
      made.has_later_ = true;
    }
    made.find_implied(edges, mechanism_of);
    made.divide();
    return made;
  }

  /// All passes over one packed shot. The weight is of conditional weights: the last pass's, or the sum of the last two where
  /// passes take turns.
  MatchResult decode(const std::uint8_t* events) noexcept {
    MatchResult result{}, before{};
    for (auto& n : n_matched_) n = 0;
    for (int pass = 0; pass < rule_.passes; ++pass) {
      ExactMatcher& matcher = pass == 0 || !has_later_ ? matchers_[0] : matchers_[1];
      const std::size_t turn = rule_.alternate ? static_cast<std::size_t>(rule_.passes - 1 - pass) % 2 : 0;
      const std::size_t n = pass == 0 ? 0 : find_weights();
      if (n == 0 && pass == 1 && !has_later_ && !rule_.alternate) break;
      before = result;
      result = matcher.decode(rule_.alternate ? take_turn(events, turn) : events, weights_.first(n));
      if (result.outcome != MatchOutcome::matched) return result;
      if (pass + 1 < rule_.passes) remember(matcher, turn);
    }
    if (rule_.alternate) result.weight += before.weight;
    return result;
  }

  std::size_t n_detectors() const noexcept { return matchers_[0].n_detectors(); }
  /// Of the last pass.
  double nats_per_unit() const noexcept { return matchers_[has_later_ ? 1 : 0].nats_per_unit(); }
  /// The matcher of the last pass: its pairs and edges of the last shot.
  ExactMatcher& exact() noexcept { return matchers_[has_later_ ? 1 : 0]; }

 private:
  static constexpr std::uint32_t no_place = 0xffffffff;

  /// Keeps the edges that happened in the last matching, of one turn.
  void remember(ExactMatcher& matcher, std::size_t turn) noexcept {
    std::size_t n = 0;
    const auto matched = matched_[turn];
    matcher.for_matched_edges([&](std::uint32_t edge) {
      std::uint32_t& place = place_[edge];
      if (place == no_place) {
        place = static_cast<std::uint32_t>(n);
        matched[n++] = edge;
      } else {  // twice is not at all
        place_[matched[--n]] = place;
        matched[place] = matched[n];
        place = no_place;
      }
    });
    for (std::size_t k = 0; k < n; ++k) place_[matched[k]] = no_place;
    n_matched_[turn] = n;
  }
  /// Fills `weights_` with what the remembered edges imply; returns how many.
  std::size_t find_weights() noexcept {
    std::size_t n = 0;
    for (std::size_t turn = 0; turn < 2; ++turn)
      for (const std::uint32_t cause : matched_[turn].first(n_matched_[turn]))
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
    for (std::size_t k = 0; k < n; ++k) place_[weights_[k].edge] = no_place;
    return n;
  }
  /// The events of one turn: 0 those that decide about observables, 1 the others.
  const std::uint8_t* take_turn(const std::uint8_t* events, std::size_t turn) noexcept {
    const std::uint8_t others = turn == 0 ? 0 : 0xff;
    for (std::size_t k = 0; k < (n_detectors() + 7) / 8; ++k)
      events_[k] = events[k] & static_cast<std::uint8_t>(decisive_[k] ^ others);
    return events_.data();
  }
  void lay_out(std::size_t n_detectors, Span<const std::uint32_t> mechanism_of, const CorrelationRule& rule, Arena& arena) noexcept {
    const std::size_t n_pairs = detail::n_joint_edges(mechanism_of), n_edges = mechanism_of.size();
    joints_ = arena.take<detail::JointEdges>(n_pairs);
    implied_ = arena.take<EdgeWeight>(n_pairs);
    implied_begin_ = arena.take<std::uint32_t>(n_edges + 1);
    place_ = arena.take<std::uint32_t>(n_edges);
    weights_ = arena.take<EdgeWeight>(n_edges);
    matched_[0] = arena.take<std::uint32_t>(n_edges);
    if (rule.unseen < 1) unseen_ = arena.take<GraphEdge>(n_edges);
    if (rule.alternate) {
      matched_[1] = arena.take<std::uint32_t>(n_edges);
      decisive_ = arena.take<std::uint8_t>((n_detectors + 7) / 8);
      events_ = arena.take<std::uint8_t>((n_detectors + 7) / 8);
      part_ = arena.take<std::uint32_t>(n_detectors);
    }
    for (auto& place : place_) place = no_place;
  }
  void find_implied(Span<const GraphEdge> edges, Span<const std::uint32_t> mechanism_of) noexcept;
  void divide() noexcept;

  // The two cannot share an edge's weight: their graphs have the same edges, numbered alike, of other weights.
  ExactMatcher matchers_[2];  // of the first pass and of the later ones, if these have one
  bool has_later_ = false;
  CorrelationRule rule_;
  Span<detail::JointEdges> joints_;  // only for set-up, as are unseen_ and part_
  Span<GraphEdge> unseen_;
  Span<std::uint32_t> part_;
  Span<EdgeWeight> implied_;
  Span<std::uint32_t> implied_begin_;
  Span<std::uint8_t> decisive_;  // a bit a detector
  // == Per shot ==
  Span<std::uint32_t> place_;  // of an edge in weights_ or matched_
  Span<EdgeWeight> weights_;
  Span<std::uint32_t> matched_[2];  // by turn
  std::size_t n_matched_[2] = {};
  Span<std::uint8_t> events_;
};

inline void CorrelatedMatcher::find_implied(Span<const GraphEdge> edges, Span<const std::uint32_t> mechanism_of) noexcept {
  std::uint32_t n_implied = 0, next_cause = 0;
  const MatchingGraph& later = exact().graph();
  detail::for_implied_weights(matchers_[0].graph(), later, rule_.trust, edges, mechanism_of, joints_,
                              [&](std::uint32_t cause, EdgeWeight effect) {
                                if (effect.weight >= later.signed_weight(effect.edge)) return;
                                for (; next_cause <= cause; ++next_cause) implied_begin_[next_cause] = n_implied;
                                implied_[n_implied++] = effect;
                              });
  for (; next_cause < implied_begin_.size(); ++next_cause) implied_begin_[next_cause] = n_implied;
}

/// Marks the detectors of every connected part of the graph in which an edge flips an observable. (The boundary joins nothing.)
/// Mechanisms that are assumed to have happened make events in both turns: then every pass matches everything.
inline void CorrelatedMatcher::divide() noexcept {
  for (ExactMatcher& matcher : matchers_)
    for (const MergedEdge& edge : matcher.graph().edges()) rule_.alternate &= !edge.negated;
  if (!rule_.alternate) return;
  const auto root = [&](std::uint32_t k) {
    while (part_[k] != k) k = part_[k] = part_[part_[k]];
    return k;
  };
  for (std::uint32_t k = 0; k < part_.size(); ++k) part_[k] = k;
  for (auto& byte : decisive_) byte = 0;
  const auto graph_edges = matchers_[0].graph().edges();
  for (const MergedEdge& edge : graph_edges)
    if (edge.a != boundary_node && edge.b != boundary_node) part_[root(edge.a)] = root(edge.b);
  const auto mark = [&](std::uint32_t k) { decisive_[k / 8] |= static_cast<std::uint8_t>(1u << (k % 8)); };
  for (const MergedEdge& edge : graph_edges)
    if (edge.observables != 0) mark(root(edge.a != boundary_node ? edge.a : edge.b));
  for (std::uint32_t k = 0; k < part_.size(); ++k) {
    const std::uint32_t top = root(k);
    if (decisive_[top / 8] >> (top % 8) & 1) mark(k);
  }
}

static_assert(Matcher<CorrelatedMatcher>);

}  // namespace spinel
