// SPDX-License-Identifier: Apache-2.0
// What one matched edge says about others: where a mechanism has several components, the other components' edges become
// likelier once one of them is known to have happened, and less likely once none of them has. Set-up of both correlated matchers.
// Source: Fowler, arXiv:1310.0863; the conditional probability is PyMatching's: joint over marginal, at most 1/2.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>
#include <spinel/match/graph.hpp>

namespace spinel::detail {

/// Two edges that one mechanism flips together, and how likely that mechanism is.
struct JointEdges {
  std::uint32_t cause = 0, effect = 0;
  double probability = 0;
};

/// Calls `visit(begin, end)` for the components of every mechanism; components of one mechanism stand together.
template <class Visit>
void for_mechanisms(Span<const std::uint32_t> mechanism_of, Visit&& visit) noexcept {
  for (std::size_t begin = 0, end = 0; begin < mechanism_of.size(); begin = end) {
    while (end < mechanism_of.size() && mechanism_of[end] == mechanism_of[begin]) ++end;
    visit(begin, end);
  }
}

/// Ordered pairs of components: no more edges than these imply one another.
inline std::size_t n_joint_edges(Span<const std::uint32_t> mechanism_of) noexcept {
  std::size_t n = 0;
  for_mechanisms(mechanism_of, [&](std::size_t begin, std::size_t end) { n += (end - begin) * (end - begin - 1); });
  return n;
}

/// Calls `visit(cause, weight of the effect)` by ascending cause, then effect, in the units of `later`: the graph of the pass that
/// uses it, with the edges of `graph`, maybe of other weights. It is not always below the effect's own weight: then it changes nothing.
/// What a cause implies happens with `trust` times its conditional probability, as the cause is not certain.
/// `joints` is working memory for `n_joint_edges` items.
template <class Visit>
void for_implied_weights(const MatchingGraph& graph, const MatchingGraph& later, double trust, Span<const GraphEdge> edges,
                         Span<const std::uint32_t> mechanism_of, Span<JointEdges> joints, Visit&& visit) noexcept {
  std::size_t n = 0;
  for_mechanisms(mechanism_of, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      for (std::size_t j = begin; j < end; ++j) {
        const std::uint32_t cause = graph.merged_into(i), effect = graph.merged_into(j);
        if (cause == effect || cause == MatchingGraph::no_edge || effect == MatchingGraph::no_edge) continue;
        joints[n++] = {cause, effect, edges[i].probability};
      }
  });
  spinel::sort(joints.data(), joints.data() + n, [](const JointEdges& x, const JointEdges& y) {
    return x.cause != y.cause ? x.cause < y.cause : x.effect != y.effect ? x.effect < y.effect : x.probability < y.probability;
  });
  for (std::size_t k = 0; k < n;) {
    const JointEdges& of = joints[k];
    double joint = 0;
    std::size_t end = k;
    for (; end < n && joints[end].cause == of.cause && joints[end].effect == of.effect; ++end)
      joint = joint * (1 - joints[end].probability) + joints[end].probability * (1 - joint);
    const double conditional = trust * spinel::min(0.5, joint / graph.edges()[of.cause].probability);
    visit(of.cause, EdgeWeight{of.effect, later.units(spinel::log((1 - conditional) / conditional))});
    k = end;
  }
}

/// Writes the graph's edges with the probabilities that they have where no other component of their mechanisms was matched:
/// mechanisms of several components count with `unseen` times their probability.
inline void unseen_edges(const MatchingGraph& graph, Span<const GraphEdge> edges, Span<const std::uint32_t> mechanism_of,
                         double unseen, GraphEdge* out) noexcept {
  for (std::size_t k = 0; k < graph.edges().size(); ++k) {
    const MergedEdge& edge = graph.edges()[k];
    out[k] = {edge.a, edge.b, 0, edge.observables};
  }
  for_mechanisms(mechanism_of, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const std::uint32_t own = graph.merged_into(i);
      if (own == MatchingGraph::no_edge) continue;
      bool alone = true;
      for (std::size_t j = begin; j < end; ++j) {
        const std::uint32_t other = graph.merged_into(j);
        alone &= other == own || other == MatchingGraph::no_edge;
      }
      const double p = alone ? edges[i].probability : unseen * edges[i].probability;
      out[own].probability = out[own].probability * (1 - p) + p * (1 - out[own].probability);
    }
  });
}

}  // namespace spinel::detail
