// SPDX-License-Identifier: Apache-2.0
// What set-up knows of distances: every node's distance to the boundary and its nearest nodes by ascending distance.
// Pairs at least as far apart as their two ways to the boundary are left out: joining them is never needed.
// The exact matcher reads these lists in three growing blocks and runs Dijkstra's algorithm past their end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <spinel/core/arena.hpp>
#include <spinel/core/config.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/shortest_paths.hpp>

namespace spinel {

/// How much memory the tables may take and how far the matcher looks before it grows trees.
struct PathTableOptions {
  std::size_t max_entries = std::size_t{1} << 21;  ///< over all nodes, 8 bytes and the observables' bytes each
  std::uint32_t max_per_node = 320;
  std::uint32_t min_per_node = 24;
  std::uint32_t near_per_node = 64;  ///< first block: what a leaf of a growing tree looks at first
};

struct PathEntry {
  std::uint32_t node = 0;
  std::uint32_t distance = 0;
};

/// One node's row. A block is complete below its radius: every node nearer than that is in it or in an earlier one.
struct PathRow {
  std::uint32_t begin = 0;
  std::uint32_t near_end = 0;
  std::uint32_t end = 0;
  std::uint32_t boundary_edge = MatchingGraph::no_edge;  // the first on the way to the boundary
  std::int64_t near_radius = 0;
  std::int64_t radius = 0;
  std::int64_t boundary_distance = infinite_distance;
  ObservableFlips boundary_observables = 0;
};

class PathTables {
 public:
  static std::size_t per_node(std::size_t n_detectors, const PathTableOptions& options) noexcept {
    if (n_detectors == 0) return 0;
    const std::size_t fair = std::clamp<std::size_t>(options.max_entries / n_detectors, options.min_per_node,
                                                     std::max(options.min_per_node, options.max_per_node));
    return std::min(fair, n_detectors - 1);
  }
  void lay_out(std::size_t n_detectors, std::size_t n_observables, const PathTableOptions& options, Arena& arena) noexcept {
    per_node_ = per_node(n_detectors, options);
    near_per_node_ = options.near_per_node;
    flip_bytes_ = (n_observables + 7) / 8;
    rows_ = arena.take<PathRow>(n_detectors);
    entries_ = arena.take<PathEntry>(n_detectors * per_node_);
    flips_ = arena.take<std::uint8_t>(n_detectors * per_node_ * flip_bytes_);
    scratch_flips_ = arena.take<ObservableFlips>(n_detectors);
  }
  void build(const MatchingGraph& graph, ShortestPaths& paths) noexcept {
    find_boundary(graph, paths);
    n_entries_ = 0;
    for (std::uint32_t node = 0; node < graph.n_detectors(); ++node) find_nearest(graph, paths, node);
  }

  const PathRow& row(std::uint32_t node) const noexcept { return rows_[node]; }
  std::span<const PathEntry> entries() const noexcept { return entries_.first(n_entries_); }
  /// Observables on the path of one entry.
  ObservableFlips flips(std::uint32_t entry) const noexcept {
    ObservableFlips flips = 0;
    for (std::size_t byte = 0; byte < flip_bytes_; ++byte)
      flips |= ObservableFlips{flips_[entry * flip_bytes_ + byte]} << (8 * byte);
    return flips;
  }

 private:
  ObservableFlips flips_on_arrival(const MatchingGraph& graph, const ShortestPaths& paths, std::uint32_t node) const noexcept {
    const std::uint32_t edge_id = paths.arrival_edge(node);
    if (edge_id == MatchingGraph::no_edge) return 0;
    const MergedEdge& edge = graph.edges()[edge_id];
    if (edge.b == boundary_node) return edge.observables;
    return edge.observables ^ scratch_flips_[edge.a == node ? edge.b : edge.a];
  }
  void find_boundary(const MatchingGraph& graph, ShortestPaths& paths) noexcept {
    for (PathRow& row : rows_) row = PathRow{};
    paths.from_boundary(graph, [&](std::uint32_t node, std::int64_t distance) {
      scratch_flips_[node] = flips_on_arrival(graph, paths, node);
      rows_[node].boundary_distance = distance;
      rows_[node].boundary_edge = paths.arrival_edge(node);
      rows_[node].boundary_observables = scratch_flips_[node];
      return true;
    });
    paths.clear();
  }
  void find_nearest(const MatchingGraph& graph, ShortestPaths& paths, std::uint32_t source) noexcept {
    PathRow& row = rows_[source];
    row.begin = static_cast<std::uint32_t>(n_entries_);
    // No dual variable exceeds the distance to the boundary, so nothing beyond twice that matters.
    const std::int64_t horizon = std::min<std::int64_t>(2 * row.boundary_distance, std::int64_t{1} << 32);
    row.radius = row.boundary_distance == infinite_distance ? 2 * infinite_distance : 2 * row.boundary_distance;
    row.near_radius = 0;
    const std::size_t near_end = n_entries_ + near_per_node_, end = n_entries_ + per_node_;
    bool near_full = false;
    paths.from_node(graph, source, [&](std::uint32_t node, std::int64_t distance) {
      scratch_flips_[node] = flips_on_arrival(graph, paths, node);
      if (node == source) return true;
      if (distance >= horizon) {
        row.radius = std::min(row.radius, distance);
        return false;
      }
      if (distance >= row.boundary_distance + rows_[node].boundary_distance) return true;
      if (n_entries_ == end) {
        row.radius = distance;
        return false;
      }
      if (n_entries_ == near_end) {
        near_full = true;
        row.near_radius = distance;
      }
      for (std::size_t byte = 0; byte < flip_bytes_; ++byte)
        flips_[n_entries_ * flip_bytes_ + byte] = static_cast<std::uint8_t>(scratch_flips_[node] >> (8 * byte));
      entries_[n_entries_++] = {node, static_cast<std::uint32_t>(distance)};
      return true;
    });
    paths.clear();
    row.end = static_cast<std::uint32_t>(n_entries_);
    row.near_end = near_full ? static_cast<std::uint32_t>(near_end) : row.end;
    if (!near_full) row.near_radius = row.radius;
  }

  std::size_t per_node_ = 0;
  std::size_t near_per_node_ = 0;
  std::size_t flip_bytes_ = 0;
  std::size_t n_entries_ = 0;
  std::span<PathRow> rows_;
  std::span<PathEntry> entries_;
  std::span<std::uint8_t> flips_;
  std::span<ObservableFlips> scratch_flips_;
};

}  // namespace spinel
