// SPDX-License-Identifier: Apache-2.0
// The conditional weights of the lattice matcher's second pass, stored once for all rounds: for every edge of every kind of
// place, which other edges become how likely, as offsets of ids. And the way back from a matched pair to the edges of its
// shortest path, read off the distance tables.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <spinel/core/bits.hpp>
#include <spinel/core/algorithm.hpp>
#include <spinel/core/arena.hpp>
#include <spinel/core/bits.hpp>
#include <spinel/core/config.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/implied_weights.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_search.hpp>
#include <spinel/match/lattice_tables.hpp>

namespace spinel::detail {

/// One end of an edge that another implies: where it leads, as an offset from its check (0: to the boundary), and its weight with
/// the edge's observable flip in the lowest bit.
struct ImpliedEnd {
  std::int32_t along = 0;
  MarkedDistance weight = 0;
  friend bool operator==(const ImpliedEnd&, const ImpliedEnd&) = default;
};
/// The implied ends at one check, as an offset from the lower end of the cause; which ones, in LatticeImplied's list.
struct ImpliedCheck {
  static constexpr int most_ends = 31;
  std::int32_t from;
  std::uint32_t range;
  constexpr std::uint32_t begin() const noexcept { return range >> 5; }
  constexpr std::uint32_t n_ends() const noexcept { return range & 31; }
};

template <class Layout>
class LatticeImplied {
 public:
  using Sizes = LatticeSizes<Layout>;
  using Tables = LatticeTables<Layout>;
  /// Causes are numbered as in `Tables::edges`, from both their ends; this one is the boundary edge.
  static constexpr int boundary_slot = Tables::max_degree;
  static constexpr int n_slots = Tables::max_degree + 1;
  static constexpr std::size_t n_checks_max = std::size_t{Layout::n_edge_rows} * 64, n_ends_max = 2 * n_checks_max;
  static constexpr int longest_list = 255;

  constexpr void lay_out(Arena& arena) noexcept {
    ranges_.lay_out(n_ranges, arena);
    checks_.lay_out(n_checks_max + 8, arena);
    ends_.lay_out(n_ends_max + 8, arena);
  }

  /// Errors: unsupported (rounds imply different edges), out_of_capacity.
  Status build(const Tables& tables, const LatticeSite* sites, const MatchingGraph& graph, Span<const GraphEdge> edges,
               Span<const std::uint32_t> mechanism_of, Span<JointEdges> joints) noexcept {
    for (std::size_t k = 0; k < n_ranges; ++k) ranges_[k] = {};
    n_checks_ = n_ends_ = 0;
    Status status = Status::ok;
    std::uint32_t current = 0;
    int n_list = 0;
    const auto finish_until = [&](std::uint32_t cause) {  // those in between imply nothing
      for (; current < cause && status == Status::ok; ++current, n_list = 0) status = store(tables, sites, graph, current, n_list);
    };
    for_implied_weights(graph, graph, 1, edges, mechanism_of, joints, [&](std::uint32_t cause, EdgeWeight implied) {
      finish_until(cause);
      if (status != Status::ok) return;
      const MergedEdge& effect = graph.edges()[implied.edge];
      const auto marked = static_cast<MarkedDistance>(implied.weight) | static_cast<MarkedDistance>(effect.observables & 1);
      if (implied.weight < 0) status = Status::unsupported;
      const int from = lower_end(tables, sites, effect) - lower_end(tables, sites, graph.edges()[cause]);
      const int along = length_of(tables, sites, effect);
      if (n_list + 2 > longest_list) {
        status = Status::out_of_capacity;
        return;
      }
      list_[n_list++] = {from, {along, marked}};
      if (along != 0) list_[n_list++] = {from + along, {-along, marked}};
    });
    finish_until(static_cast<std::uint32_t>(graph.edges().size()));
    return status;
  }

  /// What the edge in `slot` of `row` implies, check by check.
  Span<const ImpliedCheck> of(int row, int slot) const noexcept {
    const Range range = ranges_[row * n_slots + slot];
    return {&checks_[range.begin], range.size};
  }
  /// The same without the checks of the other type than the memory basis.
  Span<const ImpliedCheck> of_memory_basis(int row, int slot) const noexcept {
    const Range range = ranges_[row * n_slots + slot];
    return {&checks_[range.begin], range.n_of_memory_basis};
  }
  const ImpliedEnd* ends() const noexcept { return ends_; }
  std::size_t bytes() const noexcept {
    return n_checks_ * sizeof(ImpliedCheck) + n_ends_ * sizeof(ImpliedEnd) + n_ranges * sizeof(Range);
  }

 private:
  static constexpr std::size_t n_ranges = std::size_t{Layout::n_edge_rows} * n_slots;
  struct Range {
    std::uint32_t begin = 0;
    std::uint8_t size = 0, n_of_memory_basis = 0;  ///< the latter stand first
    bool is_filled = false;
  };

  static int lower_end(const Tables& tables, const LatticeSite* sites, const MergedEdge& edge) noexcept {
    const int a = tables.layout.id(sites[edge.a]);
    if (edge.b == boundary_node) return a;
    const int b = tables.layout.id(sites[edge.b]);
    return a < b ? a : b;
  }
  static int length_of(const Tables& tables, const LatticeSite* sites, const MergedEdge& edge) noexcept {
    if (edge.b == boundary_node) return 0;
    const int length = tables.layout.id(sites[edge.b]) - tables.layout.id(sites[edge.a]);
    return length < 0 ? -length : length;
  }

  static int slot_of(const Tables& tables, int id, int offset) noexcept {
    const int row = tables.layout.edge_row(tables.layout.site(id));
    int slot = 0;
    while (slot < tables.degree[row] && tables.edges[row][slot].offset != offset) ++slot;
    return offset == 0 ? boundary_slot : slot;
  }
  Status store(const Tables& tables, const LatticeSite* sites, const MatchingGraph& graph, std::uint32_t cause, int n) noexcept {
    const MergedEdge& edge = graph.edges()[cause];
    const LatticeSite site = tables.layout.site(lower_end(tables, sites, edge));
    const int row = tables.layout.edge_row(site), length = length_of(tables, sites, edge);
    const int slot = slot_of(tables, lower_end(tables, sites, edge), length);
    spinel::sort(list_, list_ + n, [](const End& x, const End& y) {
      return x.from != y.from ? x.from < y.from : x.end.along < y.end.along;
    });
    Range& range = ranges_[row * n_slots + slot];
    if (length != 0) {
      const LatticeSite upper = tables.layout.site(tables.layout.id(site) + length);
      Range& from_above = ranges_[tables.layout.edge_row(upper) * n_slots + slot_of(tables, tables.layout.id(upper), -length)];
      const Status status = store_at(tables, range, site, n);
      if (status != Status::ok || (from_above.is_filled && !same(from_above, n))) return status == Status::ok ? Status::unsupported : status;
      from_above = range;
      return Status::ok;
    }
    return store_at(tables, range, site, n);
  }
  Status store_at(const Tables& tables, Range& range, const LatticeSite& site, int n) noexcept {
    if (range.is_filled) return same(range, n) ? Status::ok : Status::unsupported;
    // Other layers of the same place mostly have the same list.
    for (int of_layer = 0; of_layer < Layout::n_edge_classes; ++of_layer) {
      const int other = (site.type * Layout::n_edge_classes + of_layer) * Layout::n_positions + site.position;
      for (int k = 0; k < n_slots; ++k)
        if (const Range& known = ranges_[other * n_slots + k]; known.is_filled && same(known, n)) {
          range = known;
          return Status::ok;
        }
    }
    if (n_checks_ + static_cast<std::size_t>(n) > n_checks_max || n_ends_ + static_cast<std::size_t>(n) > n_ends_max)
      return Status::out_of_capacity;
    range = {static_cast<std::uint32_t>(n_checks_), 0, 0, true};
    for (int k = 0; k < n; ++k) {
      if (k == 0 || list_[k].from != list_[k - 1].from) {
        checks_[n_checks_++] = {list_[k].from, static_cast<std::uint32_t>(n_ends_) << 5};
        ++range.size;
        range.n_of_memory_basis += static_cast<std::uint8_t>(tables.layout.site(tables.layout.id(site) + list_[k].from).type == 0);
      }
      ++checks_[n_checks_ - 1].range;
      ends_[n_ends_++] = list_[k].end;
    }
    return Status::ok;
  }
  bool same(const Range& range, int n) const noexcept {
    int k = 0;
    for (int c = 0; c < range.size; ++c) {
      const ImpliedCheck& check = checks_[range.begin + static_cast<std::uint32_t>(c)];
      for (std::uint32_t e = 0; e < check.n_ends(); ++e, ++k)
        if (k == n || list_[k].from != check.from || !(list_[k].end == ends_[check.begin() + e])) return false;
    }
    return k == n;
  }

  LatticeArray<Range, Sizes::of(n_ranges)> ranges_;
  LatticeArray<ImpliedCheck, Sizes::of(n_checks_max + 8)> checks_;  ///< these and the ends may be read eight at a time
  LatticeArray<ImpliedEnd, Sizes::of(n_ends_max + 8)> ends_;
  std::size_t n_checks_ = 0, n_ends_ = 0;
  struct End {
    std::int32_t from = 0;
    ImpliedEnd end;
  };
  End list_[longest_list];  // only for set-up
};

/// The edges of shortest paths: `visit(row, slot, id of the lower end)`, with LatticeImplied's rows and slots.
template <class Layout, class BitOps>
class LatticePaths {
 public:
  using Tables = LatticeTables<Layout>;
  using Search = LatticeSearch<Layout>;

  LatticePaths(const Tables& tables, Search& search) noexcept : tables_(tables), search_(search) {}

  struct Edge {
    int row, slot, lower_end;
  };
  /// The edge between two checks, or to the boundary where `to` is `from`, if that is the path which is as long as `marked`; else its slot
  /// is negative. (There is no branch in this.)
  Edge direct(int from, int to, MarkedDistance marked) const noexcept {
    const int row = tables_.layout.edge_row(tables_.layout.site(from)), degree = tables_.degree[row];
    const int found = BitOps::index_of_pair(tables_.edges[row], degree, static_cast<std::uint32_t>(to - from), marked);
    const int is_edge = -static_cast<int>(found < degree), is_out = -static_cast<int>((to == from) & (tables_.boundary_edge[row] == marked));
    return {row, (found & is_edge) | (LatticeImplied<Layout>::boundary_slot & is_out) | ~(is_edge | is_out), from < to ? from : to};
  }
  /// Of a path between two checks that is as long as `marked` and flips what it says.
  template <class Visit>
  void between(int from, int to, MarkedDistance marked, Visit&& visit) noexcept {
    while (from != to) {
      const int row = tables_.layout.edge_row(tables_.layout.site(from));
      const LatticeEdge* const edges = tables_.edges[row];
      const int degree = tables_.degree[row];
      int found = BitOps::index_of_pair(edges, degree, static_cast<std::uint32_t>(to - from), marked);
      if (found >= degree) found = -1;
      for (int e = 0; found < 0 && e < degree; ++e) {
        const std::int32_t rest = distance_of(marked) - distance_of(edges[e].weight);
        if (rest <= 0) continue;
        const int next = from + edges[e].offset;
        if (known(next, to - next) == (static_cast<MarkedDistance>(rest) | ((marked ^ edges[e].weight) & 1))) found = e;
      }
      if (SPINEL_UNLIKELY(found < 0)) {
        search_.trace(tables_, from, to, marked, [&](int at, int e) { emit(at, e, visit); });
        return;
      }
      emit(from, row, found, visit);
      from += edges[found].offset;
      marked = (marked & ~1u) - (edges[found].weight & ~1u) + ((marked ^ edges[found].weight) & 1);
    }
  }
  /// The edge between two checks, if there is one.
  template <class Visit>
  void edge_between(int from, int to, Visit&& visit) const noexcept {
    const int row = tables_.layout.edge_row(tables_.layout.site(from));
    for (int e = 0; e < tables_.degree[row]; ++e)
      if (tables_.edges[row][e].offset == to - from) emit(from, row, e, visit);
  }
  /// The edge from a check to the boundary.
  template <class Visit>
  void edge_out(int from, Visit&& visit) const noexcept {
    visit(tables_.layout.edge_row(tables_.layout.site(from)), LatticeImplied<Layout>::boundary_slot, from);
  }
  /// Of the shortest path to the boundary.
  template <class Visit>
  void to_boundary(int from, Visit&& visit) noexcept {
    while (true) {
      const MarkedDistance marked = tables_.boundary[from];
      const int row = tables_.layout.edge_row(tables_.layout.site(from));
      if (tables_.boundary_edge[row] == marked) return visit(row, LatticeImplied<Layout>::boundary_slot, from);
      int found = 0;
      for (int e = 0; e < tables_.degree[row]; ++e) {
        const LatticeEdge& edge = tables_.edges[row][e];
        const MarkedDistance rest = tables_.boundary[from + edge.offset];
        if (distance_of(rest) + distance_of(edge.weight) == distance_of(marked) && ((rest ^ edge.weight ^ marked) & 1) == 0) found = e;
      }
      emit(from, row, found, visit);
      from += tables_.edges[row][found].offset;
    }
  }

 private:
  /// Distance to the place `offset` away where the window table has it.
  MarkedDistance known(int id, int offset) const noexcept {
    const WindowTable& window = tables_.window[tables_.window_of[id]];
    for (int layer = 0; layer < 5; ++layer) {
      const auto bit = static_cast<unsigned>(offset - (layer - 2) * Layout::layer_stride + window_reach);
      if (bit >= 57 || ((window.mask[layer] >> bit) & 1) == 0) continue;
      const int before = count_ones(window.mask[layer] & ((std::uint64_t{1} << bit) - 1));
      return tables_.window_distance[window.begin + window.first_slot[layer] + static_cast<std::uint32_t>(before)];
    }
    return 0;
  }
  template <class Visit>
  void emit(int at, int e, Visit&& visit) const noexcept {
    emit(at, tables_.layout.edge_row(tables_.layout.site(at)), e, visit);
  }
  template <class Visit>
  void emit(int at, int row, int e, Visit&& visit) const noexcept {
    const int offset = tables_.edges[row][e].offset;
    visit(row, e, offset > 0 ? at : at + offset);
  }

  const Tables& tables_;
  Search& search_;
};

}  // namespace spinel::detail
