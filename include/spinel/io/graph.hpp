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
#include <spinel/match/exact_matcher.hpp>
#include <spinel/match/graph.hpp>

namespace spinel::io {

/// One edge a component. Errors name the first mechanism (counted from 0 after unrolling) with more than two detectors
/// in one component.
inline Expected<std::vector<GraphEdge>> graph_edges(const DetectorErrorModel& model) {
  std::vector<GraphEdge> edges;
  edges.reserve(model.components.size());
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
      edges.push_back({model.detectors[component.detectors_begin],
                       n == 2 ? model.detectors[component.detectors_begin + 1] : boundary_node, mechanism.probability,
                       component.observables});
    }
  }
  return edges;
}

/// An exact matcher and the memory that it lives in. Moving it keeps it valid.
struct DemMatcher {
  std::vector<std::byte> memory;
  ExactMatcher matcher;
  std::size_t n_observables = 0;
};

/// Errors: those of `graph_edges`, and mechanisms of probability 1, which have no finite weight.
inline Expected<DemMatcher> make_matcher(const DetectorErrorModel& model, const PathTableOptions& options = {}) {
  auto edges = graph_edges(model);
  if (!edges) return Error{edges.error()};
  DemMatcher made;
  made.n_observables = model.n_observables;
  made.memory.resize(ExactMatcher::memory_needed(model.n_detectors, edges->size(), model.n_observables, options));
  auto matcher = ExactMatcher::create(model.n_detectors, model.n_observables, *edges, made.memory, options);
  if (!matcher) {
    if (matcher.status == Status::bad_argument)
      return Error{"a mechanism (or parallel ones together) has probability 1, expected less: its weight would be infinite"};
    return Error{std::string("the model does not fit the matcher: ") + to_string(matcher.status)};
  }
  made.matcher = matcher.value;
  return made;
}

}  // namespace spinel::io
