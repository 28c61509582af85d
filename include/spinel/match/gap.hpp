// SPDX-License-Identifier: Apache-2.0
// Both classes of one shot: beside the best solution, what the best one costs that flips an observable the other way.
// The difference is the decoder's confidence, for post-selection and for choosing between decoders.
// Source: the complementary gap of Gidney, Newman, Brooks and Jones, arXiv:2312.04522; how it is found: gap_search.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/arena.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/match/exact_matcher.hpp>
#include <spinel/match/gap_search.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/matcher.hpp>

namespace spinel {

/// Finds the gap of one observable after a decoding. The observable must be the parity of how many paths end on one of
/// two sides of the boundary, as in memory experiments of surface and repetition codes: for other labels of a graph (a
/// torus) no efficient exact method is known.
class ClassGap {
 public:
  /// Up to how many nodes with two sides all distances are kept, 4 bytes each. With more, or with a shot's own
  /// weights, the graph is walked.
  struct Options {
    std::size_t pairs_max = 1280;
  };

  static std::size_t memory_needed(const ExactMatcher& matcher, const Options& options) noexcept {
    Arena counter;
    ClassGap{}.lay_out(matcher.n_detectors(), matcher.graph().edges().size(), options, counter);
    return counter.used() + Arena::alignment;
  }

  /// For the graph of `matcher`, in `memory` (which it must not outlive). Set-up runs one Dijkstra search a node
  /// for the distances, else two.
  /// Errors: bad_argument for an observable above 63; out_of_capacity; unsupported if the observable is not the
  /// parity of a part of the boundary, or if it has no two classes.
  static Result<ClassGap> create(ExactMatcher& matcher, std::uint32_t observable,
                                 Span<std::byte> memory, const Options& options) noexcept {
    if (observable > 63) return Status::bad_argument;
    matcher.apply({});
    ClassGap made;
    Arena arena(memory);
    made.lay_out(matcher.n_detectors(), matcher.graph().edges().size(), options, arena);
    if (arena.overflowed() || memory.empty()) return Status::out_of_capacity;
    made.observable_ = observable;
    if (!made.find_sides(matcher.graph())) return Status::unsupported;
    made.fixed_.find(matcher.graph(), made.side_of_, matcher.paths_);
    if (made.fixed_.across == infinite_distance) return Status::unsupported;
    made.search_.use(made.fixed_);
    made.pairs_.find(matcher.graph(), made.fixed_, matcher.paths_);
    return made;
  }

  /// Decodes with `matcher`, which must be the one given to `create`, and finds the gap, or `limit` if that is less:
  /// a gate that asks only whether the gap is small gives a small limit, and the search ends there.
  ClassCosts decode(ExactMatcher& matcher, const std::uint8_t* events, Span<const EdgeWeight> weights = {},
                    std::int64_t limit = ClassCosts::infinite) noexcept {
    const MatchResult best = matcher.decode(events, weights);
    return complete(matcher, best, limit);
  }

  /// The gap of the shot that `matcher` decoded last, with the weights it had for it: a correlated matcher's second
  /// pass, for example. `best` is what that decoding returned. Uses up the proof that `ExactMatcher::certificate` needs.
  ClassCosts complete(ExactMatcher& matcher, const MatchResult& best,
                      std::int64_t limit = ClassCosts::infinite) noexcept {
    ClassCosts costs{best, 0, (best.observables >> observable_ & 1) != 0};
    if (best.outcome != MatchOutcome::matched) return costs;
    detail::AlternatingTree& tree = matcher.tree_;
    const detail::SideDistances* sides = &fixed_;
    if (matcher.by_search()) {
      own_.find(matcher.graph(), side_of_, matcher.paths_);
      sides = &own_;
    }
    if (matcher.by_search() || uses_own_) search_.use(*sides);
    uses_own_ = matcher.by_search();
    tree.remember_leaves();
    costs.gap = search_.run(matcher.graph(), side_of_, *sides, matcher.by_search() ? detail::PairDistances{} : pairs_, tree,
                            limit > 0 ? limit : 0);
    tree.end();
    return costs;
  }

  std::uint32_t observable() const noexcept { return observable_; }

 private:
  static constexpr std::uint8_t neither = 2;

  void lay_out(std::size_t n_detectors, std::size_t n_edges, const Options& options, Arena& arena) noexcept {
    side_of_ = arena.take<std::uint8_t>(n_edges);
    fixed_.lay_out(n_detectors, arena);
    own_.lay_out(n_detectors, arena);
    search_.lay_out(n_detectors, n_edges, arena);
    pairs_.lay_out(n_detectors, options.pairs_max, arena);
    parity_ = arena.take<std::uint8_t>(n_detectors);
    found_ = arena.take<std::uint32_t>(n_detectors);
  }
  bool find_sides(const MatchingGraph& graph) noexcept;

  // == Permanent: fixed at set-up ==
  std::uint32_t observable_ = 0;
  Span<std::uint8_t> side_of_;  // of every boundary edge
  detail::SideDistances fixed_;
  detail::PairDistances pairs_;
  Span<std::uint8_t> parity_;  // only for set-up, as the next
  Span<std::uint32_t> found_;
  // == Per shot ==
  detail::SideDistances own_;  // with a shot's own weights
  bool uses_own_ = false;      // so the search does
  detail::GapSearch search_;
};

/// Gives every node a parity such that an edge flips the observable where the parities of its ends differ; then a
/// boundary edge is on the side that its own flip and its node's parity make. False: there are no such parities.
inline bool ClassGap::find_sides(const MatchingGraph& graph) noexcept {
  constexpr std::uint8_t unknown = 2;
  const auto flips = [&](std::uint32_t edge) { return static_cast<std::uint8_t>(graph.edges()[edge].observables >> observable_ & 1); };
  for (auto& parity : parity_) parity = unknown;
  for (auto& side : side_of_) side = neither;
  std::size_t n_found = 0;
  for (std::uint32_t first = 0; first < graph.n_detectors(); ++first) {
    if (parity_[first] != unknown) continue;
    const std::size_t begin = n_found;
    bool has_side[2] = {false, false};
    parity_[first] = 0;
    found_[n_found++] = first;
    for (std::size_t k = begin; k < n_found; ++k) {
      const std::uint32_t node = found_[k];
      for (const Neighbor& neighbor : graph.neighbors(node)) {
        const auto parity = static_cast<std::uint8_t>(parity_[node] ^ flips(neighbor.edge));
        if (parity_[neighbor.node] == unknown) {
          parity_[neighbor.node] = parity;
          found_[n_found++] = neighbor.node;
        } else if (parity_[neighbor.node] != parity) {
          return false;
        }
      }
      if (const std::uint32_t edge = graph.boundary_edge(node); edge != MatchingGraph::no_edge) {
        side_of_[edge] = static_cast<std::uint8_t>(parity_[node] ^ flips(edge));
        has_side[side_of_[edge]] = true;
      }
    }
    if (has_side[0] && has_side[1]) continue;
    for (std::size_t k = begin; k < n_found; ++k)
      if (const std::uint32_t edge = graph.boundary_edge(found_[k]); edge != MatchingGraph::no_edge) side_of_[edge] = neither;
  }
  return true;
}

}  // namespace spinel
