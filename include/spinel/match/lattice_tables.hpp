// SPDX-License-Identifier: Apache-2.0
// The distance tables of the lattice matcher: who can be near a check, seen from each kind of place in the lattice. Rows are
// shared between layers and between positions that look alike, so their size does not grow with the number of rounds.
// Tiers of growing radius: near (16 slots, 3 layers), window (64 slots, 5 layers), far (parts of a layer); beyond, the graph itself.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/bits.hpp>
#include <spinel/core/math.hpp>
#include <spinel/match/lattice_layout.hpp>

namespace spinel::detail {

/// A distance (even, in weight units) with the observable flip of its path in the lowest bit.
using MarkedDistance = std::uint32_t;
constexpr std::int32_t distance_of(MarkedDistance marked) noexcept { return static_cast<std::int32_t>(marked & ~1u); }
/// The length of one path after the other.
constexpr MarkedDistance sum_of(MarkedDistance a, MarkedDistance b) noexcept { return ((a & ~1u) + (b & ~1u)) | ((a ^ b) & 1); }

/// Windows start this many bits before a check's own place and are 57 bits wide.
inline constexpr int window_reach = 28;

/// Up to 16 slots in 3 layers, the nearest first; row 16 stands for none. Slot k is bit `place[k]` of the window of layer j where bit k
/// of `in_layer[j]` is set. Two cache lines.
struct alignas(64) NearTable {
  std::uint8_t place[16] = {};
  std::uint16_t in_layer[3] = {};
  std::int16_t offset[17] = {};
  MarkedDistance distance[17] = {};
};
static_assert(sizeof(NearTable) == 128);

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
/// Range of the places of parts, those that the first of the two far tiers adds before those of the second.
struct FarTable {
  std::uint32_t begin = 0;
  std::uint32_t middle = 0;
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
  std::uint32_t slots(const NearTable& near) const noexcept {
    return BitOps::pick(bytes_, Layout::layer_stride / 8, shift_, near.place, near.in_layer);
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
  /// All events nearer than radius[tier] are known to a leaf of that tier; tier 1 is the window, the two up to the far tier have lists.
  static constexpr int far_tier = 3;
  /// Bits of a part, and parts of a list and tier: every layer may need some, the more the longer its rows are.
  static constexpr int far_part_bits = 57;
  static constexpr int most_far_parts = (2 * Layout::max_layers_reached + 1) * (Layout::n_positions / far_part_bits + 2);
  std::int32_t radius[max_tiers] = {};
  std::int32_t bucket_shift = 0;
  std::int32_t per_layer = 0, per_position = 0;  ///< no edge leads that far for less
  std::int32_t lightest = 1;  ///< no two checks are nearer to each other
  std::size_t n_near = 0, n_windows = 0, n_window_slots = 0;
  std::size_t n_far = 0, n_far_places = 0, n_far_parts = 0, n_far_slots = 0, n_edge_kinds = 0;

  const SiteRow& row(int id) const noexcept { return rows[layout.site_row(layout.site(id))]; }
  /// `visit(id, marked distance)` for the bits that the far list of `id` adds in `tier`.
  template <class Visit>
  void for_far(const std::uint64_t* bits, int id, int tier, Visit&& visit) const noexcept {
    const FarTable& list = far[row(id).far];
    const std::uint32_t begin = tier < far_tier ? list.begin : list.middle, end = tier < far_tier ? list.middle : list.end;
    struct {
      std::uint64_t hits;
      std::int32_t from;
      std::uint32_t part;
    } found[most_far_parts + 1];
    // Which parts have events in them is as good as random: first all parts without a branch, then the hits of all in one loop.
    int n = 0;
    for (std::uint32_t k = begin; k < end; ++k) {
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

  /// No two places of one check type are nearer to each other, by the layers and the positions that edges lead on.
  std::int32_t least_distance(const LatticeSite& x, const LatticeSite& y) const noexcept {
    const std::int64_t layers = std::int64_t{spinel::abs(x.layer - y.layer)} * per_layer;
    const std::int64_t positions = std::int64_t{spinel::abs(x.position - y.position)} * per_position;
    return static_cast<std::int32_t>(spinel::min(spinel::max(layers, positions), std::int64_t{no_limit}));
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

}  // namespace spinel::detail
