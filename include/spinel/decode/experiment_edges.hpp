// SPDX-License-Identifier: Apache-2.0
// The matching graph's edges of a memory experiment, unrolled over its rounds, in memory that the caller hands in: what set-up
// of a matcher needs when neither a file nor a heap is at hand. The same edges as io/ makes from the detector error model.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/code/detectors.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/noise/error_slice.hpp>

namespace spinel {

/// Edges of `experiment` under any circuit noise.
template <MemoryExperiment experiment>
  requires(RequireValid<experiment>::value)
class ExperimentEdges {
  using Slice = ErrorSlice<experiment.distance>;
  static constexpr std::size_t table_size = Slice::table_size(experiment.distance);

 public:
  /// An upper bound that holds for every noise: a slice has at most half as many mechanisms as its table has entries, measured
  /// 31 a check, which come to fewer than 50 edges a check. Checked when the edges are made.
  static constexpr std::size_t max_edges = std::size_t{64} * static_cast<std::size_t>(experiment.n_qubits()) * static_cast<std::size_t>(experiment.rounds);

  /// Bytes that `make` takes from its arena.
  static constexpr std::size_t memory_bytes() noexcept {
    return table_size * sizeof(SliceMechanism) + max_edges * sizeof(GraphEdge) + 3 * Arena::alignment;
  }

  /// Errors: bad_argument or not_finite for the noise, out_of_capacity for an arena with too little memory.
  static Result<Span<const GraphEdge>> make(const CircuitNoise& noise, Arena& arena) noexcept {
    const auto table = arena.take<SliceMechanism>(table_size);
    const auto edges = arena.take<GraphEdge>(max_edges);
    if (arena.overflowed() || table.empty() || edges.empty()) return Status::out_of_capacity;
    std::size_t n = 0;
    for (std::int64_t t = 0; t < experiment.rounds;) {
      const auto slice = Slice::build(lattice<experiment>, experiment, noise, t, table);
      if (!slice) return slice.status;
      const std::int64_t next = t >= 2 && t + 1 < experiment.rounds ? experiment.rounds - 1 : t + 1;
      for (; t < next; ++t)
        for (const SliceMechanism& mechanism : *slice)
          if (!append(mechanism, t, edges, n)) return Status::out_of_capacity;
    }
    return Span<const GraphEdge>(edges.first(n));
  }

 private:
  /// One edge a part; parts that flip observables only have no place in a matching graph.
  static bool append(const SliceMechanism& mechanism, std::int64_t t, Span<GraphEdge> edges, std::size_t& n) noexcept {
    constexpr int slice_detectors = 2 * experiment.n_checks();
    GraphEdge edge{boundary_node, boundary_node, mechanism.probability, 0};
    for (int k = 0; k <= mechanism.parts.count; ++k) {
      const SymptomCode code = k < mechanism.parts.count ? mechanism.parts.codes[k] : separator_code;
      if (code == separator_code) {
        if (edge.a != boundary_node) {
          if (n == edges.size()) return false;
          edges[n++] = edge;
        }
        edge = {boundary_node, boundary_node, mechanism.probability, 0};
      } else if (code == observable_code) {
        edge.observables ^= 1;
      } else {
        const int within = code % slice_detectors;
        const Basis type = within < experiment.n_checks() ? Basis::X : Basis::Z;
        const auto detector =
            static_cast<std::uint32_t>(detector_index(experiment, type, within % experiment.n_checks(), t + code / slice_detectors));
        (edge.a == boundary_node ? edge.a : edge.b) = detector;
      }
    }
    return true;
  }
};

}  // namespace spinel
