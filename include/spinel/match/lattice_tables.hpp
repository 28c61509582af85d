// SPDX-License-Identifier: Apache-2.0
// The distance tables of the lattice matcher: who can be near a check, seen from each kind of place in the lattice. Rows are
// shared between layers and between positions that look alike, so their size does not grow with the number of rounds.
// Tiers of growing radius: near (16 slots, 3 layers), window (64 slots, 5 layers), far (a list); beyond, the graph itself.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/status.hpp>
#include <spinel/match/lattice_layout.hpp>

namespace spinel::detail {

/// A distance (even, in weight units) with the observable flip of its path in the lowest bit.
using MarkedDistance = std::uint32_t;
constexpr std::int32_t distance_of(MarkedDistance marked) noexcept { return static_cast<std::int32_t>(marked & ~1u); }

/// Windows start this many bits before a check's own place and are 57 bits wide.
inline constexpr int window_reach = 28;

/// Up to 16 slots in 3 layers, ordered by layer and bit. `rank[k]` is the place of slot k by distance; row 16 stands for none.
struct alignas(64) NearTable {
  std::uint64_t mask[3] = {};
  std::uint8_t first_slot[3] = {};
  std::uint8_t rank[16] = {};
  std::int16_t offset[17] = {};
  MarkedDistance distance[17] = {};
};

/// Up to 64 slots in 5 layers; their offsets and distances start at `begin` in the slot arrays.
struct WindowTable {
  std::uint64_t mask[5] = {};
  std::uint8_t first_slot[5] = {};
  std::uint32_t begin = 0;
};

/// Range of the far arrays.
struct FarTable {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

struct SiteRow {
  std::uint16_t near = 0;
  std::uint16_t window = 0;
  std::uint16_t far = 0;
};

/// One edge between detectors as an offset of ids.
struct LatticeEdge {
  std::int32_t offset = 0;
  MarkedDistance weight = 0;
};

/// Storage of all tables of one experiment; filled by LatticeTableBuilder, then only read.
template <MemoryExperiment experiment>
struct LatticeTables {
  using Layout = LatticeLayout<experiment>;
  static constexpr int d = experiment.distance;
  /// Capacities, about twice what circuit-level noise of uniform rates needs; exceeded means Status::out_of_capacity.
  static constexpr std::size_t max_near = 24u * d + 64;
  static constexpr std::size_t max_windows = 40u * d + 128;
  static constexpr std::size_t max_window_slots = max_windows * 56;
  static constexpr std::size_t max_far = 160u * d + 256;
  static constexpr std::size_t max_far_slots = max_far * (d < 9 ? 96 : 256);
  static constexpr int max_degree = 16;
  static constexpr int max_tiers = 24;
  static constexpr std::int32_t no_limit = 0x7ffffff0;

  // == Read for every event ==
  NearTable near[max_near];
  SiteRow rows[Layout::n_site_rows];
  MarkedDistance boundary[Layout::n_ids];  ///< by id: time-dependent at the ends, so stored for every layer
  std::uint16_t near_of[Layout::n_ids];    ///< by id: `rows[...].near` without the arithmetic
  // == Read for events that need a tree ==
  WindowTable window[max_windows];
  std::int16_t window_offset[max_window_slots + 16];
  MarkedDistance window_distance[max_window_slots + 16];
  FarTable far[max_far];
  std::int16_t far_offset[max_far_slots + 16];
  MarkedDistance far_distance[max_far_slots + 16];
  // == Read beyond the far radius ==
  LatticeEdge edges[Layout::n_edge_rows][max_degree];
  MarkedDistance boundary_edge[Layout::n_edge_rows];
  std::uint8_t degree[Layout::n_edge_rows];
  /// All events nearer than radius[tier] are known to a leaf of that tier; tiers 0, 1, 2 are the tables.
  std::int32_t radius[max_tiers];
  std::int32_t bucket_shift = 0;
  std::size_t n_near = 0, n_windows = 0, n_window_slots = 0, n_far = 0, n_far_slots = 0;

  const SiteRow& row(int id) const noexcept { return rows[Layout::site_row(Layout::site(id))]; }
  /// Bytes of tables in use.
  std::size_t bytes() const noexcept {
    return n_near * sizeof(NearTable) + n_windows * sizeof(WindowTable) + n_window_slots * 6 + n_far * sizeof(FarTable) +
           n_far_slots * 6 + sizeof rows + sizeof edges + sizeof boundary_edge + sizeof degree;
  }
};

/// Dijkstra's algorithm over lattice ids with buckets no wider than the lightest edge, so that a bucket is final when it is
/// reached. Nodes are chained into buckets in place: memory is fixed.
template <MemoryExperiment experiment>
class LatticeSearch {
 public:
  using Layout = LatticeLayout<experiment>;
  static constexpr int n_buckets = 256;

  LatticeSearch() noexcept {
    for (auto& node : nodes_) node = Node{};
    for (auto& head : heads_) head = none;
  }

  /// Calls `visit(id, marked distance)` once for every id nearer than `limit`, bucket by bucket. Not the source.
  template <class Visit>
  void from(const LatticeTables<experiment>& tables, int source, std::int32_t limit, Visit&& visit) noexcept {
    reach(tables, source, 0);
    settle(tables, limit, [&](int id, MarkedDistance distance) {
      if (id != source) visit(id, distance);
      return true;
    });
  }
  /// The same without the ids that are no nearer than both ways to the boundary together: events there never need each other,
  /// nor do any whose way leads through there.
  template <class Visit>
  void from_within_boundary(const LatticeTables<experiment>& tables, int source, std::int32_t limit, Visit&& visit) noexcept {
    const std::int32_t way_out = distance_of(tables.boundary[source]);
    reach(tables, source, 0);
    settle(tables, limit, [&](int id, MarkedDistance distance) {
      if (id == source) return true;
      if (distance_of(distance) - way_out >= distance_of(tables.boundary[id])) return false;
      visit(id, distance);
      return true;
    });
  }
  /// The same from the boundary, where `seeds` calls `reach(id, marked weight)` for every boundary edge.
  template <class Seeds, class Visit>
  void from_boundary(const LatticeTables<experiment>& tables, Seeds&& seeds, Visit&& visit) noexcept {
    start_ = LatticeTables<experiment>::no_limit;
    seeds([&](int, MarkedDistance weight) { start_ = distance_of(weight) < start_ ? distance_of(weight) : start_; });
    seeds([&](int id, MarkedDistance weight) { reach(tables, id, weight); });
    settle(tables, LatticeTables<experiment>::no_limit, [&](int id, MarkedDistance distance) {
      visit(id, distance);
      return true;
    });
  }

 private:
  static constexpr std::int32_t none = -1;
  static constexpr MarkedDistance unreached = 0xffffffff;
  struct Node {
    MarkedDistance distance = unreached;
    std::int32_t next = none;
    std::int32_t previous = none;
  };

  void reach(const LatticeTables<experiment>& tables, int id, MarkedDistance marked) noexcept {
    Node& node = nodes_[id];
    if (node.distance == unreached) {
      touched_[n_touched_++] = id;
    } else {
      if ((marked & ~1u) >= (node.distance & ~1u)) return;
      if (node.next != none) nodes_[node.next].previous = node.previous;
      if (node.previous != none) nodes_[node.previous].next = node.next;
      else heads_[bucket(tables, node.distance)] = node.next;
      --n_queued_;
    }
    node.distance = marked;
    const int at = bucket(tables, marked);
    node.previous = none;
    node.next = heads_[at];
    if (node.next != none) nodes_[node.next].previous = id;
    heads_[at] = id;
    ++n_queued_;
  }
  static int bucket(const LatticeTables<experiment>& tables, MarkedDistance marked) noexcept {
    return static_cast<int>((marked >> tables.bucket_shift) % n_buckets);
  }
  template <class Visit>
  void settle(const LatticeTables<experiment>& tables, std::int32_t limit, Visit&& visit) noexcept {
    for (std::uint32_t b = static_cast<std::uint32_t>(start_) >> tables.bucket_shift; n_queued_ > 0; ++b) {
      std::int32_t& head = heads_[b % n_buckets];
      while (head != none) {
        const int id = head;
        head = nodes_[id].next;
        if (head != none) nodes_[head].previous = none;
        --n_queued_;
        const MarkedDistance marked = nodes_[id].distance;
        if (!visit(id, marked)) continue;
        const int row = Layout::edge_row(Layout::site(id));
        for (int e = 0; e < tables.degree[row]; ++e) {
          const LatticeEdge& edge = tables.edges[row][e];
          const MarkedDistance sum = ((marked & ~1u) + (edge.weight & ~1u)) | ((marked ^ edge.weight) & 1);
          if (distance_of(sum) < limit) reach(tables, id + edge.offset, sum);
        }
      }
    }
    for (std::size_t k = 0; k < n_touched_; ++k) nodes_[touched_[k]] = Node{};
    n_touched_ = 0;
    start_ = 0;
  }

  Node nodes_[Layout::n_ids];
  std::int32_t touched_[Layout::n_detectors];
  std::int32_t heads_[n_buckets];
  std::size_t n_touched_ = 0;
  std::size_t n_queued_ = 0;
  std::int32_t start_ = 0;
};

}  // namespace spinel::detail
