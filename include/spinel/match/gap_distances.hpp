// SPDX-License-Identifier: Apache-2.0
// What the search for the gap between two classes (gap_search.hpp) knows of distances: from every node to both sides of
// the boundary, and between all nodes where these are few.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/span.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/shortest_paths.hpp>

namespace spinel::detail {

/// Every node's distance to both sides of the boundary, infinite where there are not two, and from side to side.
struct SideDistances {
  Span<std::int64_t> to[2];
  std::int64_t across = infinite_distance;

  void lay_out(std::size_t n_detectors, Arena& arena) noexcept {
    for (auto& distances : to) distances = arena.take<std::int64_t>(n_detectors);
  }
  /// `side_of` says of every boundary edge on which side it is; other values than 0 and 1 belong to neither.
  void find(const MatchingGraph& graph, Span<const std::uint8_t> side_of, ShortestPaths& paths) noexcept {
    across = infinite_distance;
    for (std::uint8_t side = 0; side < 2; ++side) {
      for (auto& distance : to[side]) distance = infinite_distance;
      paths.from_boundary(
          graph, [&](std::uint32_t edge) { return side_of[edge] == side; },
          [&](std::uint32_t node, std::int64_t distance) {
            to[side][node] = distance;
            const std::uint32_t edge = graph.boundary_edge(node);
            if (edge != MatchingGraph::no_edge && side_of[edge] == 1 - side)
              across = spinel::min(across, distance + graph.edges()[edge].weight);
            return true;
          });
      paths.clear();
    }
  }
  std::int64_t nearest(std::uint32_t node) const noexcept { return spinel::min(to[0][node], to[1][node]); }
};

/// The distances between all nodes that have two sides, if they are few enough; saturated.
struct PairDistances {
  static constexpr std::uint32_t none = 0xffffffff;
  std::size_t n_max = 0, n = 0;
  Span<std::uint32_t> index;  // of a node in rows and columns
  Span<std::uint32_t> distances;

  void lay_out(std::size_t n_detectors, std::size_t n_nodes_max, Arena& arena) noexcept {
    n_max = spinel::min(n_detectors, n_nodes_max);
    index = arena.take<std::uint32_t>(n_detectors);
    distances = arena.take<std::uint32_t>(n_max * n_max);
  }
  void find(const MatchingGraph& graph, const SideDistances& sides, ShortestPaths& paths) noexcept {
    n = 0;
    for (std::uint32_t node = 0; node < graph.n_detectors(); ++node) {
      const bool counts = sides.nearest(node) != infinite_distance;
      index[node] = counts ? static_cast<std::uint32_t>(n) : none;
      n += counts ? 1 : 0;
    }
    if (n > n_max) n = 0;
    for (std::uint32_t source = 0; n > 0 && source < graph.n_detectors(); ++source) {
      if (index[source] == none) continue;
      std::uint32_t* row = &distances[index[source] * n];
      for (std::size_t k = 0; k < n; ++k) row[k] = none;
      paths.from_node(graph, source, [&](std::uint32_t node, std::int64_t distance) {
        row[index[node]] = static_cast<std::uint32_t>(spinel::min<std::int64_t>(distance, none));
        return true;
      });
      paths.clear();
    }
  }
};

}  // namespace spinel::detail
