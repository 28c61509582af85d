// SPDX-License-Identifier: Apache-2.0
// From a detector error model to the matching graph's edges, and to an exact matcher with memory of its own.
// Every component of a mechanism (between two '^') is an edge by itself, as in PyMatching; components that flip
// observables only have no place in a matching graph and are left out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <spinel/io/dem.hpp>
#include <spinel/io/error.hpp>
#include <spinel/match/correlated.hpp>
#include <spinel/match/exact_matcher.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/union_find.hpp>

namespace spinel::io {

/// Edges, and the mechanism that each is a component of.
struct GraphEdges {
  std::vector<GraphEdge> edges;
  std::vector<std::uint32_t> mechanism_of;
};

/// One edge a component. Errors name the first mechanism (counted from 0 after unrolling) with more than two detectors
/// in one component.
inline Expected<GraphEdges> graph_edges(const DetectorErrorModel& model) {
  GraphEdges made;
  made.edges.reserve(model.components.size());
  made.mechanism_of.reserve(model.components.size());
  for (std::size_t m = 0; m < model.mechanisms.size(); ++m) {
    const auto& mechanism = model.mechanisms[m];
    for (std::uint32_t c = mechanism.components_begin; c < mechanism.components_end; ++c) {
      const auto& component = model.components[c];
      const std::uint32_t n = component.detectors_end - component.detectors_begin;
      if (n == 0) continue;
      if (n > 2) {
        std::string text = "error mechanism " + std::to_string(m) + " flips " + std::to_string(n) + " detectors (";
        for (std::uint32_t k = 0; k < n && k < 4; ++k)
          text += (k == 0 ? "D" : " D") + std::to_string(model.detectors[component.detectors_begin + k]);
        return Error{text + (n > 4 ? " ..." : "") +
                     ") in one component, expected at most 2: decompose the errors of the model"};
      }
      made.mechanism_of.push_back(static_cast<std::uint32_t>(m));
      made.edges.push_back({model.detectors[component.detectors_begin],
                       n == 2 ? model.detectors[component.detectors_begin + 1] : boundary_node, mechanism.probability,
                       component.observables});
    }
  }
  return made;
}

/// A matcher and the memory that it lives in. Moving it keeps it valid.
template <class M>
struct OwnedMatcher {
  std::vector<std::byte> memory;
  M matcher;
  std::size_t n_observables = 0;
};
using DemMatcher = OwnedMatcher<ExactMatcher>;

namespace detail {
inline Error matcher_error(Status status) {
  if (status == Status::bad_argument)
    return Error{"a mechanism (or parallel ones together) has probability 1, expected less: its weight would be infinite"};
  return Error{std::string("the model does not fit the matcher: ") + to_string(status)};
}
}  // namespace detail

/// Errors: those of `graph_edges`, and mechanisms of probability 1, which have no finite weight.
inline Expected<DemMatcher> make_matcher(const DetectorErrorModel& model, const PathTableOptions& options = {}) {
  auto edges = graph_edges(model);
  if (!edges) return Error{edges.error()};
  DemMatcher made;
  made.n_observables = model.n_observables;
  made.memory.resize(ExactMatcher::memory_needed(model.n_detectors, edges->edges.size(), model.n_observables, options));
  auto matcher = ExactMatcher::create(model.n_detectors, model.n_observables, edges->edges, made.memory, options);
  if (!matcher) return detail::matcher_error(matcher.status);
  made.matcher = matcher.value;
  return made;
}

/// The correlated matcher, which knows from the model which components come together. Errors: the same.
inline Expected<OwnedMatcher<CorrelatedMatcher>> make_correlated_matcher(const DetectorErrorModel& model, const CorrelationRule& rule = {},
                                                                         const PathTableOptions& options = {}) {
  auto edges = graph_edges(model);
  if (!edges) return Error{edges.error()};
  OwnedMatcher<CorrelatedMatcher> made;
  made.n_observables = model.n_observables;
  made.memory.resize(CorrelatedMatcher::memory_needed(model.n_detectors, edges->mechanism_of, model.n_observables, options, rule));
  auto matcher = CorrelatedMatcher::create(model.n_detectors, model.n_observables, edges->edges, edges->mechanism_of,
                                           made.memory, options, rule);
  if (!matcher) return detail::matcher_error(matcher.status);
  made.matcher = matcher.value;
  return made;
}

/// The union-find decoder of the same graph. Errors: the same.
inline Expected<OwnedMatcher<UnionFind>> make_union_find(const DetectorErrorModel& model, const UnionFindOptions& options = {}) {
  auto edges = graph_edges(model);
  if (!edges) return Error{edges.error()};
  OwnedMatcher<UnionFind> made;
  made.n_observables = model.n_observables;
  made.memory.resize(UnionFind::memory_needed(model.n_detectors, edges->edges.size()));
  auto matcher = UnionFind::create(model.n_detectors, model.n_observables, edges->edges, made.memory, options);
  if (!matcher) return detail::matcher_error(matcher.status);
  made.matcher = matcher.value;
  return made;
}

}  // namespace spinel::io
