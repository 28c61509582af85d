// SPDX-License-Identifier: Apache-2.0
// What set-up knows of distances: every node's distance to the boundary and its nearest nodes by ascending distance.
// Pairs at least as far apart as their two ways to the boundary are left out: joining them is never needed. Targets are
// stored as differences of node numbers and equal blocks only once, so that a time-periodic model needs few of them.
// The exact matcher reads a row in two blocks, near and far, and runs Dijkstra's algorithm past their end.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/config.hpp>
#include <spinel/core/span.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/shortest_paths.hpp>

namespace spinel {

/// How much memory the tables may take and how far the matcher looks before it searches the graph.
struct PathTableOptions {
  std::size_t max_entries = std::size_t{1} << 21;  ///< over all nodes, 8 bytes and the observables' bytes each
  std::uint32_t max_per_node = 320;
  std::uint32_t min_per_node = 24;
  std::uint32_t near_per_node = 64;         ///< first block: what a leaf of a growing tree looks at first
  std::uint32_t candidates_per_node = 32;   ///< memory for candidate lists, used up only by very dense shots
};

/// Entries [begin, begin + count) of the tables.
struct PathBlock {
  std::uint32_t begin = 0;
  std::uint32_t count = 0;
};

/// One node's row. A block is complete below its radius: every node nearer than that is in it or in an earlier one.
struct PathRow {
  PathBlock near, far;
  std::uint32_t boundary_edge = MatchingGraph::no_edge;  // the first on the way to the boundary
  std::int64_t near_radius = 0;
  std::int64_t radius = 0;
  std::int64_t boundary_distance = infinite_distance;
  ObservableFlips boundary_observables = 0;
};

/// The part of a row that every detection event reads, saturated to 32 bits.
struct FirstLook {
  static constexpr std::uint32_t width = 16;
  static constexpr std::uint32_t unbounded = 0xffffffff;
  std::uint32_t begin = 0;
  std::uint32_t count = 0;
  std::uint32_t radius = 0;
  std::uint32_t boundary_distance = unbounded;
};

class PathTables {
 public:
  static std::size_t per_node(std::size_t n_detectors, const PathTableOptions& options) noexcept {
    if (n_detectors == 0) return 0;
    const std::size_t fair = spinel::clamp<std::size_t>(options.max_entries / n_detectors, options.min_per_node,
                                                     spinel::max(options.min_per_node, options.max_per_node));
    return spinel::min(fair, n_detectors - 1);
  }
  void lay_out(std::size_t n_detectors, std::size_t n_observables, const PathTableOptions& options, Arena& arena) noexcept {
    per_node_ = per_node(n_detectors, options);
    near_per_node_ = spinel::min<std::size_t>(options.near_per_node, per_node_);
    flip_bytes_ = (n_observables + 7) / 8;
    const std::size_t padded = padded_count(near_per_node_) + padded_count(per_node_ - near_per_node_);
    const std::size_t n_entries = (n_detectors + 1) * padded + FirstLook::width;
    rows_ = arena.take<PathRow>(n_detectors);
    first_looks_ = arena.take<FirstLook>(n_detectors);
    offsets_ = arena.take<std::int32_t>(n_entries);
    distances_ = arena.take<std::uint32_t>(n_entries);
    flips_ = arena.take<std::uint8_t>(n_entries * flip_bytes_);
    path_flips_ = arena.take<ObservableFlips>(n_detectors);
    found_ = arena.take<Found>(per_node_ + 1);
    blocks_ = arena.take<PathBlock>(std::bit_ceil(4 * n_detectors + 4));
  }
  void build(const MatchingGraph& graph, ShortestPaths& paths) noexcept {
    find_boundary(graph, paths);
    n_entries_ = FirstLook::width;  // the empty block reads as many
    for (PathBlock& block : blocks_) block = PathBlock{};
    for (std::uint32_t node = 0; node < graph.n_detectors(); ++node) find_nearest(graph, paths, node);
  }

  const PathRow& row(std::uint32_t node) const noexcept { return rows_[node]; }
  const FirstLook& first_look(std::uint32_t node) const noexcept { return first_looks_[node]; }
  std::int32_t offset(std::uint32_t entry) const noexcept { return offsets_[entry]; }
  std::uint32_t distance(std::uint32_t entry) const noexcept { return distances_[entry]; }
  /// Which of the `FirstLook::width` entries from `entry` lead from a node to a detection event; `leaf_at_node` points to
  /// the node's place in an array that is negative where there is none. Blocks are padded: mask with their count.
  SPINEL_ALWAYS_INLINE std::uint32_t events_among(std::uint32_t entry, const std::int32_t* leaf_at_node) const noexcept {
    const std::int32_t* offsets = &offsets_[entry];
    std::uint32_t events = 0;
    for (std::uint32_t k = 0; k < FirstLook::width; ++k)
      events |= (leaf_at_node[offsets[k]] >= 0 ? std::uint32_t{1} : 0u) << k;
    return events;
  }
  /// Observables on the path of one entry.
  ObservableFlips flips(std::uint32_t entry) const noexcept {
    if (flip_bytes_ == 1) return flips_[entry];
    ObservableFlips flips = 0;
    for (std::size_t byte = 0; byte < flip_bytes_; ++byte)
      flips |= ObservableFlips{flips_[entry * flip_bytes_ + byte]} << (8 * byte);
    return flips;
  }

 private:
  struct Found {
    std::uint32_t node = 0;
    std::uint32_t distance = 0;
  };
  static constexpr std::size_t padded_count(std::size_t count) noexcept {
    return (count + FirstLook::width - 1) / FirstLook::width * FirstLook::width;
  }
  ObservableFlips flips_on_arrival(const MatchingGraph& graph, const ShortestPaths& paths, std::uint32_t node) const noexcept {
    const std::uint32_t edge_id = paths.arrival_edge(node);
    if (edge_id == MatchingGraph::no_edge) return 0;
    const MergedEdge& edge = graph.edges()[edge_id];
    if (edge.b == boundary_node) return edge.observables;
    return edge.observables ^ path_flips_[edge.a == node ? edge.b : edge.a];
  }
  void find_boundary(const MatchingGraph& graph, ShortestPaths& paths) noexcept {
    for (PathRow& row : rows_) row = PathRow{};
    paths.from_boundary(graph, [&](std::uint32_t node, std::int64_t distance) {
      path_flips_[node] = flips_on_arrival(graph, paths, node);
      rows_[node].boundary_distance = distance;
      rows_[node].boundary_edge = paths.arrival_edge(node);
      rows_[node].boundary_observables = path_flips_[node];
      return true;
    });
    paths.clear();
  }
  void find_nearest(const MatchingGraph& graph, ShortestPaths& paths, std::uint32_t source) noexcept;
  PathBlock store(std::uint32_t source, std::size_t from, std::size_t to) noexcept;

  std::size_t per_node_ = 0;
  std::size_t near_per_node_ = 0;
  std::size_t flip_bytes_ = 0;
  std::size_t n_entries_ = 0;
  Span<PathRow> rows_;
  Span<FirstLook> first_looks_;
  Span<std::int32_t> offsets_;
  Span<std::uint32_t> distances_;
  Span<std::uint8_t> flips_;
  // == Only for set-up ==
  Span<ObservableFlips> path_flips_;
  Span<Found> found_;
  Span<PathBlock> blocks_;  // hash table of what is stored, open addressing, count 0: free
};

inline void PathTables::find_nearest(const MatchingGraph& graph, ShortestPaths& paths, std::uint32_t source) noexcept {
  PathRow& row = rows_[source];
  // No dual variable exceeds the distance to the boundary, so nothing beyond twice that matters.
  const std::int64_t horizon = spinel::min<std::int64_t>(2 * row.boundary_distance, std::int64_t{1} << 31);
  row.radius = 2 * row.boundary_distance;
  std::size_t n = 0;
  paths.from_node(graph, source, [&](std::uint32_t node, std::int64_t distance) {
    path_flips_[node] = flips_on_arrival(graph, paths, node);
    if (node == source) return true;
    const bool useless = distance >= row.boundary_distance + rows_[node].boundary_distance;
    if (distance >= horizon || (!useless && n == per_node_)) {
      row.radius = spinel::min(row.radius, distance);
      return false;
    }
    if (!useless) found_[n++] = {node, static_cast<std::uint32_t>(distance)};
    return true;
  });
  const std::size_t n_near = spinel::min(n, near_per_node_);
  row.near = store(source, 0, n_near);
  row.far = store(source, n_near, n);
  row.near_radius = n_near < n ? found_[n_near].distance : row.radius;
  FirstLook& look = first_looks_[source];
  look.begin = row.near.begin;
  look.count = spinel::min(row.near.count, FirstLook::width);
  const std::int64_t radius = look.count < row.near.count ? distances_[look.begin + look.count] : row.near_radius;
  look.radius = static_cast<std::uint32_t>(spinel::min<std::int64_t>(radius, FirstLook::unbounded));
  look.boundary_distance =
      static_cast<std::uint32_t>(spinel::min<std::int64_t>(row.boundary_distance, FirstLook::unbounded));
  paths.clear();
}

/// Appends found_[from, to) as a block, unless an equal one is stored already.
inline PathBlock PathTables::store(std::uint32_t source, std::size_t from, std::size_t to) noexcept {
  const std::size_t count = to - from, padded = padded_count(count);
  if (count == 0) return {};
  std::uint64_t hash = count;
  const auto mix = [&](std::uint64_t value) { hash = (std::rotl(hash, 23) ^ value) * 0x9e3779b97f4a7c15u; };
  for (std::size_t k = 0; k < padded; ++k) {
    const std::size_t entry = n_entries_ + k;
    const Found found = k < count ? found_[from + k] : Found{source, 0};
    offsets_[entry] = static_cast<std::int32_t>(found.node) - static_cast<std::int32_t>(source);
    distances_[entry] = found.distance;
    const ObservableFlips flips = k < count ? path_flips_[found.node] : 0;
    for (std::size_t byte = 0; byte < flip_bytes_; ++byte)
      flips_[entry * flip_bytes_ + byte] = static_cast<std::uint8_t>(flips >> (8 * byte));
    mix(static_cast<std::uint64_t>(static_cast<std::uint32_t>(offsets_[entry])) << 32 | found.distance);
    mix(flips);
  }
  const std::size_t slots = blocks_.size();
  for (std::size_t slot = (hash ^ hash >> 32) & (slots - 1);; slot = (slot + 1) & (slots - 1)) {
    PathBlock& block = blocks_[slot];
    if (block.count == 0) {
      block = {static_cast<std::uint32_t>(n_entries_), static_cast<std::uint32_t>(count)};
      n_entries_ += padded;
      return block;
    }
    if (block.count == count && spinel::equal(&offsets_[block.begin], &offsets_[block.begin] + padded, &offsets_[n_entries_]) &&
        spinel::equal(&distances_[block.begin], &distances_[block.begin] + padded, &distances_[n_entries_]) &&
        spinel::equal(flips_.data() + block.begin * flip_bytes_, flips_.data() + (block.begin + padded) * flip_bytes_,
                   flips_.data() + n_entries_ * flip_bytes_))
      return block;
  }
}

}  // namespace spinel
