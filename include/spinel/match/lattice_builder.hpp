// SPDX-License-Identifier: Apache-2.0
// Fills the lattice matcher's tables from a matching graph: checks that the graph is the lattice's (periodic in time, one
// observable, a boundary everywhere), finds every kind of place's neighborhood and shares what looks alike.
// A neighborhood list is valid for another layer too where the entries that differ lie outside the experiment.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/status.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/lattice_far_builder.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_surroundings.hpp>
#include <spinel/match/lattice_search.hpp>
#include <spinel/match/lattice_tables.hpp>

namespace spinel::detail {

/// Working memory of set-up; not needed afterwards.
template <class Layout_>
class LatticeTableBuilder {
 public:
  using Layout = Layout_;
  using Tables = LatticeTables<Layout>;
  using Search = LatticeSearch<Layout>;

  /// What a builder needs beside itself; `builder` is null while sizes are counted.
  static void lay_out(LatticeTableBuilder* builder, const LatticeCapacity& capacity, Arena& arena) noexcept {
    ContentNumbers window_numbers;
    window_numbers.lay_out(capacity.windows, arena);
    if (builder != nullptr) builder->window_numbers_ = window_numbers;
    LatticeFarBuilder<Layout>::lay_out(builder == nullptr ? nullptr : &builder->far_, capacity, arena);
  }

  /// `sites[n_detectors]` says where each detector of `graph` is. Errors: unsupported (not this lattice: edges between types,
  /// not periodic in time, further than a window, zero or negative weights, more than one observable, a part without
  /// boundary, weights that span more than a factor 120), out_of_capacity (more distinct neighborhoods than foreseen).
  Status build(const MatchingGraph& graph, const LatticeSite* sites, Tables& tables, Search& search) noexcept {
    layout_ = tables.layout;
    for (int row = 0; row < Layout::n_site_rows; ++row) tables.rows[row] = SiteRow{};
    for (int row = 0; row < Layout::n_edge_rows; ++row) {
      tables.degree[row] = 0;
      tables.boundary_edge[row] = 0;
      row_filled_[row] = false;
    }
    if (const Status status = take_edges(graph, sites, tables); status != Status::ok) return status;
    if (const Status status = find_boundary(graph, sites, tables, search); status != Status::ok) return status;
    if (const Status status = around_.build(layout_, tables); status != Status::ok) return status;
    // From the middle outwards: the middle sees the most layers, so its lists serve the others.
    const int last = around_.last_lane();
    for (int lane = 0; lane <= last; ++lane) lanes_[lane] = lane;
    spinel::sort(lanes_, lanes_ + last + 1, [last](int a, int b) {
      const int off_a = spinel::abs(2 * a - last), off_b = spinel::abs(2 * b - last);
      return off_a != off_b ? off_a < off_b : a < b;
    });
    around_.rates(tables.per_layer, tables.per_position);
    choose_radii(tables);
    Status status = fill(tables);
    // Far lists that do not fit reach less far: slower, as exact.
    while (status == Status::out_of_capacity && far_.is_full() && tables.radius[Tables::far_tier] > tables.radius[1]) {
      set_far_radius(tables.radius[Tables::far_tier] / 8 * 7, tables);
      status = fill(tables);
    }
    return status;
  }

  /// A detector that no mechanism fires, like those after a noiseless closing round.
  static bool is_isolated(const MatchingGraph& graph, std::size_t node) noexcept {
    const auto id = static_cast<std::uint32_t>(node);
    return graph.neighbors(id).empty() && graph.boundary_edge(id) == MatchingGraph::no_edge;
  }

 private:
  using Around = LatticeSurroundings<Layout>;
  using Place = typename Around::Place;
  struct Seen {
    std::int32_t layers = 0;
    std::int32_t positions = 0;
    MarkedDistance distance = 0;
    int offset() const noexcept { return layers * Layout::layer_stride + positions; }
  };
  static constexpr int longest_list = 64;

  Status take_edges(const MatchingGraph& graph, const LatticeSite* sites, Tables& tables) noexcept {
    for (auto& filled : row_filled_) filled = false;
    lightest_ = Tables::no_limit;
    heaviest_ = 0;
    for (const MergedEdge& edge : graph.edges()) {
      if (edge.negated || edge.weight == 0 || edge.observables > 1) return Status::unsupported;
      lightest_ = spinel::min(lightest_, static_cast<std::int32_t>(edge.weight));
      heaviest_ = spinel::max(heaviest_, static_cast<std::int32_t>(edge.weight));
    }
    if (heaviest_ == 0) return Status::unsupported;
    tables.lightest = lightest_;
    tables.bucket_shift = static_cast<std::int32_t>(std::bit_width(static_cast<std::uint32_t>(lightest_))) - 1;
    if ((heaviest_ >> tables.bucket_shift) >= Search::n_buckets - 2) return Status::unsupported;
    for (std::size_t node = 0; node < graph.n_detectors(); ++node) {
      const LatticeSite& site = sites[node];
      const int row = layout_.edge_row(site), id = layout_.id(site);
      const auto neighbors = graph.neighbors(static_cast<std::uint32_t>(node));
      const std::uint32_t boundary = graph.boundary_edge(static_cast<std::uint32_t>(node));
      const MarkedDistance way_out = boundary == MatchingGraph::no_edge ? 0 : marked(graph.edges()[boundary]);
      if (neighbors.size() > Tables::max_degree) return Status::unsupported;
      const bool first = !row_filled_[row];
      if (first) {
        row_filled_[row] = true;
        tables.degree[row] = static_cast<std::uint8_t>(neighbors.size());
        tables.boundary_edge[row] = way_out;
      }
      if (tables.degree[row] != neighbors.size() || tables.boundary_edge[row] != way_out) return Status::unsupported;
      for (std::size_t e = 0; e < neighbors.size(); ++e) {
        const LatticeSite& other = sites[neighbors[e].node];
        if (other.type != site.type) return Status::unsupported;
        const LatticeEdge edge{layout_.id(other) - id, marked(graph.edges()[neighbors[e].edge])};
        if (first) {
          rows_[row][e] = edge;
          continue;
        }
        bool found = false;
        for (std::size_t k = 0; k < neighbors.size(); ++k)
          found |= rows_[row][k].offset == edge.offset && rows_[row][k].weight == edge.weight;
        if (!found) return Status::unsupported;
      }
      // Whatever order the model has them in, places that look alike number their edges alike. Those to earlier layers are the
      // last, so that where none are the others have the same numbers as elsewhere.
      if (first)
        spinel::sort(rows_[row], rows_[row] + tables.degree[row],
                     [](const LatticeEdge& x, const LatticeEdge& y) { return x.offset > y.offset; });
    }
    return share_edges(tables);
  }
  Status share_edges(Tables& tables) noexcept {
    tables.n_edge_kinds = 0;
    for (int row = 0; row < Layout::n_edge_rows; ++row) {
      const int n = row_filled_[row] ? tables.degree[row] : 0;
      for (int e = n; e < Tables::max_degree; ++e) rows_[row][e] = LatticeEdge{};
      std::size_t kind = 0;
      while (kind < tables.n_edge_kinds && !spinel::equal(rows_[row], rows_[row] + Tables::max_degree, tables.edges.kinds[kind])) ++kind;
      if (kind == tables.capacity.edge_rows) return Status::out_of_capacity;
      if (kind == tables.n_edge_kinds) spinel::copy_n(rows_[row], Tables::max_degree, tables.edges.kinds[tables.n_edge_kinds++]);
      tables.edges.kind_of[row] = static_cast<std::uint16_t>(kind);
    }
    return Status::ok;
  }
  static MarkedDistance marked(const MergedEdge& edge) noexcept {
    return edge.weight | static_cast<MarkedDistance>(edge.observables & 1);
  }

  Status find_boundary(const MatchingGraph& graph, const LatticeSite* sites, Tables& tables, Search& search) noexcept {
    for (int id = 0; id < layout_.n_ids(); ++id) tables.boundary[id] = Tables::no_limit;
    search.from_boundary(
        tables,
        [&](auto&& reach) {
          for (std::size_t node = 0; node < graph.n_detectors(); ++node)
            if (const auto weight = tables.boundary_edge[layout_.edge_row(sites[node])]; weight != 0)
              reach(layout_.id(sites[node]), weight);
        },
        [&](int id, MarkedDistance marked) { tables.boundary[id] = marked; });
    furthest_ = 0;
    for (std::size_t node = 0; node < graph.n_detectors(); ++node)
      if (!is_isolated(graph, node)) furthest_ = spinel::max(furthest_, distance_of(tables.boundary[layout_.id(sites[node])]));
    // Twice the largest dual variable must fit 32 bits with room for time offsets.
    return furthest_ < (1 << 29) ? Status::ok : Status::unsupported;
  }

  /// The largest radii for which every place's neighbors fit the tiers' slots, windows and layers.
  void choose_radii(Tables& tables) noexcept {
    const auto far = static_cast<std::int32_t>(3.2 * heaviest_) & ~1;
    const std::int32_t list = spinel::min(far, tables.per_layer * (Layout::max_layers_reached + 1) & ~1);
    std::int32_t near = list, window = list;
    // What is beyond the window's radius so far is of no interest any more.
    for (int type = 0; type < 2; ++type)
      for (int position = 0; position < Layout::n_positions; ++position) {
        around_.look_around(type, position, window);
        for (int lane = 0; lane <= around_.last_lane(); ++lane) {
          if (!around_.exists(type, lane)) continue;
          int n = 0, n_near = 0;
          for (const Place& place : around_) {
            const std::int32_t length = place.from[lane] & ~1, layers = spinel::abs(place.layers);
            if (length >= window) continue;
            if (layers > 1 || spinel::abs(place.positions) > window_reach) near = spinel::min(near, length);
            if (layers > 2 || spinel::abs(place.positions) > window_reach) window = spinel::min(window, length);
            n_near += length < near;
            sorted_[n++] = length;
          }
          if (n_near > 16) near = spinel::min(near, nth(16, n));
          if (n > longest_list) window = spinel::min(window, nth(longest_list, n));
        }
      }
    tables.radius[0] = spinel::min(near, window);
    tables.radius[1] = window;
    set_far_radius(list, tables);
  }
  std::int32_t nth(int k, int n) noexcept {
    spinel::nth_element(sorted_, sorted_ + k, sorted_ + n);
    return sorted_[k];
  }
  Status fill(Tables& tables) noexcept {
    tables.n_near = tables.n_windows = tables.n_window_slots = 0;
    window_numbers_.clear();
    far_.clear(tables);
    Status status = Status::ok;
    for (int type = 0; type < 2; ++type)
      for (int position = 0; position < Layout::n_positions && status == Status::ok; ++position)
        status = fill_position(type, position, tables);
    return status;
  }
  void set_far_radius(std::int32_t far, Tables& tables) const noexcept {
    constexpr int far_tier = Tables::far_tier;
    tables.radius[far_tier] = far < tables.radius[1] ? tables.radius[1] : far & ~1;
    // Most who look beyond the window need little more, and what they find they must tell.
    tables.radius[2] = (tables.radius[1] + (tables.radius[far_tier] - tables.radius[1]) / 8 * 3) & ~1;
    for (int tier = far_tier + 1; tier < Tables::max_tiers; ++tier) {
      const double next = 1.25 * tables.radius[tier - 1];
      tables.radius[tier] = next > 2.0 * furthest_ ? Tables::no_limit : static_cast<std::int32_t>(next) & ~1;
    }
    tables.radius[Tables::max_tiers - 1] = Tables::no_limit;
  }

  Status fill_position(int type, int position, Tables& tables) noexcept {
    around_.look_around(type, position, tables.radius[Tables::far_tier]);
    // For each lane the number of a list that serves it: that of an earlier lane, or a new one.
    const auto share = [&](auto&& serves, auto&& emit, std::uint16_t SiteRow::*member) {
      int owners[Around::n_lanes], numbers[Around::n_lanes], n_owners = 0;
      for (int k = 0; k <= around_.last_lane(); ++k) {
        const int lane = lanes_[k];
        if (!around_.exists(type, lane)) continue;
        int at = 0;
        while (at < n_owners && !serves(owners[at], lane)) ++at;
        if (at == n_owners) {
          owners[n_owners] = lane;
          numbers[n_owners] = emit(lane);
          if (numbers[n_owners] < 0) return Status::out_of_capacity;
          ++n_owners;
        }
        tables.rows[layout_.site_row({type, around_.layer(lane), position})].*member = static_cast<std::uint16_t>(numbers[at]);
      }
      return Status::ok;
    };
    const auto serves_within = [&](std::int32_t radius) {
      return [this, radius, type](int owner, int other) { return serves(type, owner, other, radius); };
    };
    Status status = share(serves_within(tables.radius[0]), [&](int lane) { return emit_near(lane, tables); }, &SiteRow::near);
    if (status == Status::ok)
      status = share(serves_within(tables.radius[1]), [&](int lane) { return emit_window(lane, tables); }, &SiteRow::window);
    for (int lane = 0; status == Status::ok && lane <= around_.last_lane(); ++lane)
      if (around_.exists(type, lane)) status = far_.cut(around_, lane, tables);
    if (status != Status::ok) return status;
    const auto serves_far = [&](int owner, int other) { return far_.serves(around_, type, owner, other); };
    return share(serves_far, [&](int lane) { return far_.emit(lane, tables); }, &SiteRow::far);
  }
  /// Whether `owner`'s entries, read at `other`'s layer, are `other`'s entries: what is missing there must not exist there.
  bool serves(int type, int owner, int other, std::int32_t radius) const noexcept {
    for (const Place& place : around_) {
      const std::int32_t mine = place.from[owner], wanted = place.from[other];
      if (mine == wanted || ((mine & ~1) >= radius && (wanted & ~1) >= radius)) continue;
      if ((wanted & ~1) < radius || around_.exists(type, other, place.layers)) return false;
    }
    return true;
  }
  void collect(int lane, std::int32_t radius) noexcept {
    n_list_ = 0;
    for (const Place& place : around_)
      if ((place.from[lane] & ~1) < radius)
        list_[n_list_++] = {place.layers, place.positions, static_cast<MarkedDistance>(place.from[lane])};
  }

  int emit_near(int lane, Tables& tables) noexcept {
    collect(lane, tables.radius[0]);
    NearTable table;
    int order[16];
    for (int k = 0; k < n_list_; ++k) order[k] = k;
    spinel::sort(order, order + n_list_, [&](int a, int b) {
      const auto x = distance_of(list_[a].distance), y = distance_of(list_[b].distance);
      return x != y ? x < y : a < b;
    });
    for (auto& unknown : table.distance) unknown = static_cast<MarkedDistance>(tables.radius[0]);
    for (int rank = 0; rank < n_list_; ++rank) {
      const Seen& seen = list_[order[rank]];
      table.place[rank] = static_cast<std::uint8_t>(seen.positions + window_reach);
      table.in_layer[seen.layers + 1] = static_cast<std::uint16_t>(table.in_layer[seen.layers + 1] | 1u << rank);
      table.offset[rank] = static_cast<std::int16_t>(seen.offset());
      table.distance[rank] = seen.distance;
    }
    for (std::size_t k = 0; k < tables.n_near; ++k) {
      const NearTable& known = tables.near[k];
      if (spinel::equal(known.place, known.place + 16, table.place) && spinel::equal(known.in_layer, known.in_layer + 3, table.in_layer) &&
          spinel::equal(known.distance, known.distance + 17, table.distance))
        return static_cast<int>(k);
    }
    if (tables.n_near == tables.capacity.near) return -1;
    tables.near[tables.n_near] = table;
    return static_cast<int>(tables.n_near++);
  }

  int emit_window(int lane, Tables& tables) noexcept {
    collect(lane, tables.radius[1]);
    const auto n = static_cast<std::size_t>(n_list_);
    WindowTable table;
    int first[6] = {};
    std::uint64_t hash = n;
    for (int k = 0; k < n_list_; ++k) {
      const int layer = list_[k].layers + 2;
      table.mask[layer] |= std::uint64_t{1} << (list_[k].positions + window_reach);
      for (int later = layer + 1; later < 6; ++later) ++first[later];
      ContentNumbers::mix(hash, static_cast<std::uint64_t>(list_[k].offset()) << 32 | list_[k].distance);
    }
    for (int layer = 0; layer < 5; ++layer) table.first_slot[layer] = static_cast<std::uint8_t>(first[layer]);
    if (tables.n_windows == tables.capacity.windows || tables.n_window_slots + n > tables.capacity.window_slots) return -1;
    const std::size_t number = window_numbers_.number(hash, tables.n_windows, [&](std::size_t k) {
      const WindowTable& known = tables.window[k];
      return spinel::equal(known.mask, known.mask + 5, table.mask) && same_distances(&tables.window_distance[known.begin]);
    });
    if (number < tables.n_windows) return static_cast<int>(number);
    table.begin = static_cast<std::uint32_t>(tables.n_window_slots);
    for (int k = 0; k < n_list_; ++k) {
      tables.window_offset[tables.n_window_slots] = static_cast<std::int16_t>(list_[k].offset());
      tables.window_distance[tables.n_window_slots++] = list_[k].distance;
    }
    tables.window[tables.n_windows] = table;
    return static_cast<int>(tables.n_windows++);
  }
  bool same_distances(const MarkedDistance* known) const noexcept {
    for (int k = 0; k < n_list_; ++k)
      if (known[k] != list_[k].distance) return false;
    return true;
  }

  std::int32_t lightest_ = 0, heaviest_ = 0, furthest_ = 0;
  Layout layout_;
  Around around_;
  bool row_filled_[Layout::n_edge_rows];
  LatticeEdge rows_[Layout::n_edge_rows][Tables::max_degree];
  int lanes_[Around::n_lanes];
  int n_list_ = 0;
  Seen list_[longest_list];
  std::int32_t sorted_[(2 * Layout::max_layers_reached + 1) * Layout::n_positions + longest_list + 1];
  ContentNumbers window_numbers_;
  LatticeFarBuilder<Layout> far_;
};

}  // namespace spinel::detail
