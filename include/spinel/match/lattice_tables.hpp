// SPDX-License-Identifier: Apache-2.0
// The distance tables of the lattice matcher: who can be near a check, seen from each kind of place in the lattice. Rows are
// shared between layers and between positions that look alike, so their size does not grow with the number of rounds.
// Tiers of growing radius: near (16 slots, 3 layers), window (64 slots, 5 layers), far (parts of a layer); beyond, the graph itself.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <spinel/core/arena.hpp>
#include <spinel/core/bits.hpp>
#include <spinel/core/status.hpp>
#include <spinel/match/lattice_layout.hpp>

namespace spinel::detail {

/// A distance (even, in weight units) with the observable flip of its path in the lowest bit.
using MarkedDistance = std::uint32_t;
constexpr std::int32_t distance_of(MarkedDistance marked) noexcept { return static_cast<std::int32_t>(marked & ~1u); }
/// The length of one path after the other.
constexpr MarkedDistance sum_of(MarkedDistance a, MarkedDistance b) noexcept { return ((a & ~1u) + (b & ~1u)) | ((a ^ b) & 1); }

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

/// Whom the far tier knows is cut into parts of one layer and at most 57 bits, which lists of other layers and positions share.
/// The first bit of `mask` is set; the distances of its bits start at `begin` in the far distances.
struct FarPart {
  std::uint64_t mask = 0;
  std::uint32_t begin = 0;
};
/// A part whose first bit is `offset` from the check's own.
struct FarPlace {
  std::int16_t offset = 0;
  std::uint16_t part = 0;
};
/// Range of the places of parts.
struct FarTable {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

/// 57 bits from bit `from` on.
inline std::uint64_t read_bits(const std::uint64_t* bits, int from) noexcept {
  std::uint64_t word;
  std::memcpy(&word, reinterpret_cast<const unsigned char*>(bits) + (static_cast<unsigned>(from) >> 3), 8);
  return word >> (from & 7);
}

/// The same for windows of several layers around one place: a layer is whole bytes, so one shift serves all.
template <class Layout>
class LayerWindows {
 public:
  LayerWindows(const std::uint64_t* bits, int from) noexcept
      : bytes_(reinterpret_cast<const unsigned char*>(bits) + (from >> 3)), shift_(from & 7) {}
  std::uint64_t operator[](int layers) const noexcept {
    static_assert(Layout::layer_stride % 8 == 0);
    std::uint64_t word;
    std::memcpy(&word, bytes_ + layers * (Layout::layer_stride / 8), 8);
    return word >> shift_;
  }
  /// The bits that a table knows, by slot.
  template <class BitOps>
  std::uint64_t slots(const NearTable& near) const noexcept {
    return BitOps::extract((*this)[-1], near.mask[0]) | BitOps::extract((*this)[0], near.mask[1]) << near.first_slot[1] |
           BitOps::extract((*this)[1], near.mask[2]) << near.first_slot[2];
  }
  template <class BitOps>
  std::uint64_t slots(const WindowTable& window) const noexcept {
    std::uint64_t slots = 0;
    // A layer after the 64th slot has an empty mask.
    for (int layer = 0; layer < 5; ++layer)
      slots |= BitOps::extract((*this)[layer - 2], window.mask[layer]) << (window.first_slot[layer] & 63);
    return slots;
  }

 private:
  const unsigned char* bytes_;
  int shift_;
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
  friend bool operator==(const LatticeEdge&, const LatticeEdge&) = default;
};

/// All tables of one distance, the same whatever the number of rounds; filled by LatticeTableBuilder, then only read.
template <class Layout_>
struct LatticeTables {
  using Layout = Layout_;
  using Sizes = LatticeSizes<Layout>;
  static constexpr int max_degree = 15;
  static constexpr int max_tiers = 24;
  static constexpr std::int32_t no_limit = 0x7ffffff0;

  /// Takes the same amounts for equal arguments, so a counting arena sizes it.
  constexpr void lay_out(const Layout& of, const LatticeCapacity& room, Arena& arena) noexcept {
    layout = of;
    capacity = room;
    const auto n_ids = static_cast<std::size_t>(of.n_ids());
    near.lay_out(room.near, arena);
    rows.lay_out(Layout::n_site_rows, arena);
    boundary.lay_out(n_ids, arena);
    near_of.lay_out(n_ids, arena);
    window_of.lay_out(n_ids, arena);
    window.lay_out(room.windows, arena);
    window_offset.lay_out(room.window_slots + 64, arena);
    window_distance.lay_out(room.window_slots + 64, arena);
    far.lay_out(room.far, arena);
    far_places.lay_out(room.far_places, arena);
    far_parts.lay_out(room.far_parts, arena);
    far_distance.lay_out(room.far_slots, arena);
    edges.kinds.lay_out(room.edge_rows, arena);
    edges.kind_of.lay_out(Layout::n_edge_rows, arena);
    boundary_edge.lay_out(Layout::n_edge_rows, arena);
    degree.lay_out(Layout::n_edge_rows, arena);
  }

  Layout layout;
  LatticeCapacity capacity;
  // == Read for every event ==
  LatticeArray<NearTable, Sizes::of(Sizes::capacity.near)> near;
  LatticeArray<SiteRow, Sizes::of(Layout::n_site_rows)> rows;
  LatticeArray<MarkedDistance, Sizes::ids> boundary;  ///< by id: time-dependent at the ends, so stored for every layer
  LatticeArray<std::uint16_t, Sizes::ids> near_of;    ///< by id: `rows[...].near` without the arithmetic
  // == Read for events that need a tree ==
  LatticeArray<std::uint16_t, Sizes::ids> window_of;  ///< by id: `rows[...].window`
  LatticeArray<WindowTable, Sizes::of(Sizes::capacity.windows)> window;
  LatticeArray<std::int16_t, Sizes::of(Sizes::capacity.window_slots + 64)> window_offset;
  LatticeArray<MarkedDistance, Sizes::of(Sizes::capacity.window_slots + 64)> window_distance;
  LatticeArray<FarTable, Sizes::of(Sizes::capacity.far)> far;
  LatticeArray<FarPlace, Sizes::of(Sizes::capacity.far_places)> far_places;
  LatticeArray<FarPart, Sizes::of(Sizes::capacity.far_parts)> far_parts;
  LatticeArray<MarkedDistance, Sizes::of(Sizes::capacity.far_slots)> far_distance;
  // == Read beyond the far radius ==
  /// The edges of a row, shared between rows that look alike.
  struct EdgeRows {
    using Row = LatticeEdge[max_degree];
    LatticeArray<Row, Sizes::of(Sizes::capacity.edge_rows)> kinds;
    LatticeArray<std::uint16_t, Sizes::of(Layout::n_edge_rows)> kind_of;
    const Row& operator[](int row) const noexcept { return kinds[kind_of[row]]; }
  };
  EdgeRows edges;
  LatticeArray<MarkedDistance, Sizes::of(Layout::n_edge_rows)> boundary_edge;
  LatticeArray<std::uint8_t, Sizes::of(Layout::n_edge_rows)> degree;
  /// All events nearer than radius[tier] are known to a leaf of that tier; tiers 0, 1 and up to the far tier are the tables.
  static constexpr int far_tier = 3;
  /// Bits of a part, and parts of a list: every layer may need some, the more the longer its rows are.
  static constexpr int far_part_bits = 57;
  static constexpr int most_far_parts = (2 * Layout::max_layers_reached + 1) * (Layout::n_positions / far_part_bits + 2);
  std::int32_t radius[max_tiers] = {};
  std::int32_t bucket_shift = 0;
  std::int32_t per_layer = 0, per_position = 0;  ///< no edge leads that far for less
  std::int32_t lightest = 1;  ///< no two checks are nearer to each other
  std::size_t n_near = 0, n_windows = 0, n_window_slots = 0;
  std::size_t n_far = 0, n_far_places = 0, n_far_parts = 0, n_far_slots = 0, n_edge_kinds = 0;

  const SiteRow& row(int id) const noexcept { return rows[layout.site_row(layout.site(id))]; }
  /// `visit(id, marked distance)` for the bits that the far list of `id` knows.
  template <class Visit>
  void for_far(const std::uint64_t* bits, int id, Visit&& visit) const noexcept {
    const FarTable& list = far[row(id).far];
    struct {
      std::uint64_t hits;
      std::int32_t from;
      std::uint32_t part;
    } found[most_far_parts + 1];
    // Which parts have events in them is as good as random: first all parts without a branch, then the hits of all in one loop.
    int n = 0;
    for (std::uint32_t k = list.begin; k < list.end; ++k) {
      const int from = id + far_places[k].offset;
      const std::uint64_t hits = read_bits(bits, from) & far_parts[far_places[k].part].mask;
      found[n] = {hits, from, far_places[k].part};
      n += hits != 0;
    }
    for (int k = 0; k < n;) {
      const std::uint64_t hits = found[k].hits;
      const FarPart& part = far_parts[found[k].part];
      const int before = count_ones(part.mask & ((hits ^ (hits - 1)) >> 1));
      const int met = found[k].from + std::countr_zero(hits);
      found[k].hits = hits & (hits - 1);
      k += found[k].hits == 0;
      visit(met, far_distance[part.begin + static_cast<std::uint32_t>(before)]);
    }
  }

  /// No two places are nearer to each other, by the layers and the positions that edges lead on.
  std::int32_t least_distance(const LatticeSite& x, const LatticeSite& y) const noexcept {
    if (x.type != y.type) return no_limit;
    const std::int64_t layers = std::int64_t{x.layer < y.layer ? y.layer - x.layer : x.layer - y.layer} * per_layer;
    const std::int64_t positions = std::int64_t{x.position < y.position ? y.position - x.position : x.position - y.position} * per_position;
    const std::int64_t least = layers < positions ? positions : layers;
    return least < no_limit ? static_cast<std::int32_t>(least) : no_limit;
  }

  /// Bytes of tables in use.
  std::size_t bytes() const noexcept {
    const auto n_ids = static_cast<std::size_t>(layout.n_ids());
    return n_near * sizeof(NearTable) + n_ids * (sizeof(MarkedDistance) + 2 * sizeof(std::uint16_t)) +
           n_windows * sizeof(WindowTable) + n_window_slots * (sizeof(std::int16_t) + sizeof(MarkedDistance)) +
           n_far * sizeof(FarTable) + n_far_places * sizeof(FarPlace) + n_far_parts * sizeof(FarPart) +
           n_far_slots * sizeof(MarkedDistance) + Layout::n_site_rows * sizeof(SiteRow) +
           n_edge_kinds * sizeof(typename EdgeRows::Row) + Layout::n_edge_rows * (sizeof(std::uint16_t) + sizeof(MarkedDistance) + 1);
  }
};

/// Dijkstra's algorithm over lattice ids with buckets no wider than the lightest edge, so that a bucket is final when it is
/// reached. Nodes are chained into buckets in place: memory is fixed.
template <class Layout_>
class LatticeSearch {
 public:
  using Layout = Layout_;
  using Tables = LatticeTables<Layout>;
  static constexpr int n_buckets = 256;

  constexpr void lay_out(const Layout& layout, Arena& arena) noexcept {
    nodes_.lay_out(static_cast<std::size_t>(layout.n_ids()), arena);
    touched_.lay_out(static_cast<std::size_t>(layout.n_detectors()), arena);
  }
  /// After laying out in real memory, before the first search.
  void clear(const Layout& layout) noexcept {
    for (int id = 0; id < layout.n_ids(); ++id) nodes_[id] = Node{};
    for (auto& head : heads_) head = none;
  }

  /// Calls `visit(id, marked distance)` once for every id nearer than `limit`, bucket by bucket. Not the source.
  template <class Visit>
  void from(const Tables& tables, int source, std::int32_t limit, Visit&& visit) noexcept {
    reach(tables, source, 0);
    settle(tables, limit, [&](int id, MarkedDistance marked) {
      if (id != source) visit(id, marked);
      return true;
    }, nothing_more);
    reset();
  }
  /// `visit(id, marked distance)`, the source too, says whether to go on from there.
  template <class Visit>
  void from_while(const Tables& tables, int source, Visit&& visit) noexcept {
    reach(tables, source, 0);
    settle(tables, Tables::no_limit, visit, nothing_more);
    reset();
  }
  /// The same without the ids that are no nearer than both ways to the boundary together: events there never need each other,
  /// nor do any whose way leads through there.
  template <class Visit>
  void from_within_boundary(const Tables& tables, int source, std::int32_t limit, Visit&& visit) noexcept {
    const std::int32_t way_out = distance_of(tables.boundary[source]);
    reach(tables, source, 0);
    settle(tables, limit, [&](int id, MarkedDistance marked) {
      if (id == source) return true;
      if (distance_of(marked) - way_out >= distance_of(tables.boundary[id])) return false;
      visit(id, marked);
      return true;
    }, nothing_more);
    reset();
  }
  /// The same from the boundary, where `seeds` calls `reach(id, marked weight)` for every boundary edge.
  template <class Seeds, class Visit>
  void from_boundary(const Tables& tables, Seeds&& seeds, Visit&& visit) noexcept {
    start_ = Tables::no_limit;
    seeds([&](int, MarkedDistance weight) { start_ = distance_of(weight) < start_ ? distance_of(weight) : start_; });
    seeds([&](int id, MarkedDistance weight) { reach(tables, id, weight); });
    settle(tables, Tables::no_limit, [&](int id, MarkedDistance marked) {
      visit(id, marked);
      return true;
    }, nothing_more);
    reset();
  }

  /// The edges of a shortest path from `from` to `to`, which is as long as `marked`: `visit(id, number of the edge there)`.
  template <class Visit>
  void trace(const Tables& tables, int from, int to, MarkedDistance marked, Visit&& visit) noexcept {
    reach(tables, to, 0);
    settle(tables, distance_of(marked) + 2, always, nothing_more);
    while (from != to) {
      const int row = tables.layout.edge_row(tables.layout.site(from));
      int found = 0;
      for (int e = 0; e < tables.degree[row]; ++e) {
        const LatticeEdge& edge = tables.edges[row][e];
        const MarkedDistance rest = nodes_[from + edge.offset].distance;
        if (rest != unreached && distance_of(rest) + distance_of(edge.weight) == distance_of(nodes_[from].distance)) found = e;
      }
      visit(from, found);
      from += tables.edges[row][found].offset;
    }
    reset();
  }
  /// As `from_within_boundary`, with edges of this shot beside the tables': `more(id, marked, reach)` calls `reach(id, marked)`
  /// for the other ends of those at `id`. They may weigh nothing, so an id may be visited again, nearer.
  template <class More, class Visit>
  void from_with_more(const Tables& tables, int source, std::int32_t limit, std::int32_t way_out, More&& more, Visit&& visit) noexcept {
    reach(tables, source, 0);
    settle(tables, limit, [&](int id, MarkedDistance marked) {
      if (id != source && distance_of(marked) - way_out >= distance_of(tables.boundary[id])) return false;
      visit(id, marked);
      return true;
    }, more);
    reset();
  }

 private:
  static constexpr std::int32_t none = -1;
  static constexpr std::int32_t settled = -2;
  static constexpr MarkedDistance unreached = 0xffffffff;
  struct Node {
    MarkedDistance distance = unreached;
    std::int32_t next = none;
    std::int32_t previous = none;
  };
  static constexpr auto always = [](int, MarkedDistance) { return true; };
  static constexpr auto nothing_more = [](int, MarkedDistance, auto&&) {};

  void reach(const Tables& tables, int id, MarkedDistance marked) noexcept {
    Node& node = nodes_[id];
    if (node.distance == unreached) {
      touched_[n_touched_++] = id;
    } else {
      if ((marked & ~1u) >= (node.distance & ~1u)) return;
      if (node.previous != settled) {
        if (node.next != none) nodes_[node.next].previous = node.previous;
        if (node.previous != none) nodes_[node.previous].next = node.next;
        else heads_[bucket(tables, node.distance)] = node.next;
        --n_queued_;
      }
    }
    node.distance = marked;
    const int at = bucket(tables, marked);
    node.previous = none;
    node.next = heads_[at];
    if (node.next != none) nodes_[node.next].previous = id;
    heads_[at] = id;
    ++n_queued_;
  }
  static int bucket(const Tables& tables, MarkedDistance marked) noexcept {
    return static_cast<int>((marked >> tables.bucket_shift) % n_buckets);
  }
  template <class Visit, class More>
  void settle(const Tables& tables, std::int32_t limit, Visit&& visit, More&& more) noexcept {
    for (std::uint32_t b = static_cast<std::uint32_t>(start_) >> tables.bucket_shift; n_queued_ > 0; ++b) {
      std::int32_t& head = heads_[b % n_buckets];
      while (head != none) {
        const int id = head;
        head = nodes_[id].next;
        if (head != none) nodes_[head].previous = none;
        nodes_[id].previous = settled;
        --n_queued_;
        const MarkedDistance marked = nodes_[id].distance;
        if (!visit(id, marked)) continue;
        const int row = tables.layout.edge_row(tables.layout.site(id));
        for (int e = 0; e < tables.degree[row]; ++e) {
          const LatticeEdge& edge = tables.edges[row][e];
          const MarkedDistance sum = sum_of(marked, edge.weight);
          if (distance_of(sum) < limit) reach(tables, id + edge.offset, sum);
        }
        more(id, marked, [&](int to, MarkedDistance sum) {
          if (distance_of(sum) < limit) reach(tables, to, sum);
        });
      }
    }
  }
  void reset() noexcept {
    for (std::size_t k = 0; k < n_touched_; ++k) nodes_[touched_[k]] = Node{};
    n_touched_ = 0;
    start_ = 0;
  }

  LatticeArray<Node, LatticeSizes<Layout>::ids> nodes_;
  LatticeArray<std::int32_t, LatticeSizes<Layout>::detectors> touched_;
  std::int32_t heads_[n_buckets];
  std::size_t n_touched_ = 0;
  std::size_t n_queued_ = 0;
  std::int32_t start_ = 0;
};

}  // namespace spinel::detail
