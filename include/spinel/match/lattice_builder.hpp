// SPDX-License-Identifier: Apache-2.0
// Fills the lattice matcher's tables from a matching graph: checks that the graph is the lattice's (periodic in time, one
// observable, a boundary everywhere), finds every kind of place's neighborhood and shares what looks alike.
// A neighborhood list is valid for another layer too where the entries that differ lie outside the experiment.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include <spinel/core/algorithm.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/status.hpp>
#include <spinel/match/graph.hpp>
#include <spinel/match/lattice_layout.hpp>
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
    auto* const window_hash = arena.take_raw<std::uint64_t>(capacity.windows);
    auto* const window_size = arena.take_raw<int>(capacity.windows);
    auto* const far_hash = arena.take_raw<std::uint64_t>(capacity.far);
    if (builder == nullptr) return;
    builder->window_hash_ = window_hash;
    builder->window_size_ = window_size;
    builder->far_hash_ = far_hash;
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
    }
    n_layers_ = 0;
    for (int layer = 0; layer <= layout_.last_layer(); ++layer)
      if (layout_.layer_class(layer) != Layout::end_layers || layer == layout_.last_layer() / 2) layers_[n_layers_++] = layer;
    // From the middle outwards: the middle sees the most layers, so its lists serve the others.
    spinel::sort(layers_, layers_ + n_layers_, [last = layout_.last_layer()](int a, int b) {
      const int off_a = spinel::abs(2 * a - last), off_b = spinel::abs(2 * b - last);
      return off_a != off_b ? off_a < off_b : a < b;
    });
    if (const Status status = take_edges(graph, sites, tables); status != Status::ok) return status;
    if (const Status status = find_boundary(graph, sites, tables, search); status != Status::ok) return status;
    choose_radii(tables, search);
    Status status = fill(tables, search);
    // Far lists that do not fit reach less far: slower, as exact.
    while (status == Status::out_of_capacity && far_is_full_ && tables.radius[2] > tables.radius[1]) {
      set_far_radius(tables.radius[2] / 8 * 7, tables);
      status = fill(tables, search);
    }
    return status;
  }

  /// A detector that no mechanism fires, like those after a noiseless closing round.
  static bool is_isolated(const MatchingGraph& graph, std::size_t node) noexcept {
    const auto id = static_cast<std::uint32_t>(node);
    return graph.neighbors(id).empty() && graph.boundary_edge(id) == MatchingGraph::no_edge;
  }

 private:
  struct Seen {
    std::int16_t layers = 0;
    std::int16_t positions = 0;
    MarkedDistance distance = 0;
    int offset() const noexcept { return layers * Layout::n_positions + positions; }
    friend bool operator==(const Seen&, const Seen&) = default;
  };
  static constexpr int max_seen = 3072;
  struct List {
    int layer = 0;
    int size = 0;
    Seen seen[max_seen];
  };

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
          tables.edges[row][e] = edge;
          continue;
        }
        bool found = false;
        for (std::size_t k = 0; k < neighbors.size(); ++k)
          found |= tables.edges[row][k].offset == edge.offset && tables.edges[row][k].weight == edge.weight;
        if (!found) return Status::unsupported;
      }
      // Whatever order the model has them in, places that look alike number their edges alike. Those to earlier layers are the
      // last, so that where none are the others have the same numbers as elsewhere.
      if (first)
        spinel::sort(tables.edges[row], tables.edges[row] + tables.degree[row],
                     [](const LatticeEdge& x, const LatticeEdge& y) { return x.offset > y.offset; });
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

  /// Everything nearer than `limit`; where that is more than a list holds, `limit` shrinks to what is complete.
  void look_around(int type, int layer, int position, std::int32_t& limit, const Tables& tables, Search& search,
                   List& list) noexcept {
    list.layer = layer;
    list.size = 0;
    search.from(tables, layout_.id({type, layer, position}), limit, [&](int id, MarkedDistance marked) {
      const LatticeSite other = layout_.site(id);
      if (list.size < max_seen)
        list.seen[list.size++] = {static_cast<std::int16_t>(other.layer - layer),
                                  static_cast<std::int16_t>(other.position - position), marked};
      else  // found bucket by bucket
        limit = spinel::min(limit, distance_of(marked) >> tables.bucket_shift << tables.bucket_shift);
    });
  }

  /// The largest radii for which every place's neighbors fit the tiers' slots, windows and layers.
  void choose_radii(Tables& tables, Search& search) noexcept {
    const auto far = static_cast<std::int32_t>(3.2 * heaviest_) & ~1;
    std::int32_t near = far, window = far, list = far;
    for (int type = 0; type < 2; ++type)
      for (int k = 0; k < n_layers_; ++k)
        for (int position = 0; layout_.exists(type, layers_[k]) && position < Layout::n_positions; ++position) {
          List& seen = lists_[0];
          // What the list tier would not reach needs no look further than the list tier's radius.
          look_around(type, layers_[k], position, list, tables, search, seen);
          int n = 0;
          for (int s = 0; s < seen.size; ++s) {
            const auto& one = seen.seen[s];
            const std::int32_t length = distance_of(one.distance);
            const int layers = spinel::abs(one.layers), positions = spinel::abs(one.positions);
            if (layers > 1 || positions > window_reach) near = spinel::min(near, length);
            if (layers > 2 || positions > window_reach) window = spinel::min(window, length);
            if (layers > Layout::max_layers_reached) list = spinel::min(list, length);
            sorted_[n++] = length;
          }
          if (n > 16) {
            spinel::nth_element(sorted_, sorted_ + 16, sorted_ + n);
            near = spinel::min(near, sorted_[16]);
          }
          if (n > 64) {
            spinel::nth_element(sorted_, sorted_ + 64, sorted_ + n);
            window = spinel::min(window, sorted_[64]);
          }
        }
    window = spinel::min(window, list);
    near = spinel::min(near, window);
    tables.radius[0] = near;
    tables.radius[1] = window;
    set_far_radius(list, tables);
  }

  Status fill(Tables& tables, Search& search) noexcept {
    tables.n_near = tables.n_windows = tables.n_window_slots = tables.n_far = tables.n_far_slots = 0;
    far_is_full_ = false;
    Status status = Status::ok;
    for (int type = 0; type < 2; ++type)
      for (int position = 0; position < Layout::n_positions && status == Status::ok; ++position)
        status = fill_position(type, position, tables, search);
    return status;
  }
  void set_far_radius(std::int32_t far, Tables& tables) const noexcept {
    tables.radius[2] = far < tables.radius[1] ? tables.radius[1] : far & ~1;
    for (int tier = 3; tier < Tables::max_tiers; ++tier) {
      const double next = 1.5 * tables.radius[tier - 1];
      tables.radius[tier] = next > 2.0 * furthest_ ? Tables::no_limit : static_cast<std::int32_t>(next) & ~1;
    }
    tables.radius[Tables::max_tiers - 1] = Tables::no_limit;
  }

  Status fill_position(int type, int position, Tables& tables, Search& search) noexcept {
    for (int k = 0; k < n_layers_; ++k) {
      lists_[k].layer = layers_[k];
      lists_[k].size = -1;
      if (!layout_.exists(type, layers_[k])) continue;
      std::int32_t limit = tables.radius[2];
      look_around(type, layers_[k], position, limit, tables, search, lists_[k]);
      if (limit != tables.radius[2]) return Status::out_of_capacity;
      spinel::sort(lists_[k].seen, lists_[k].seen + lists_[k].size, [](const Seen& a, const Seen& b) {
        return a.layers != b.layers ? a.layers < b.layers : a.positions < b.positions;
      });
    }
    const auto fill = [&](std::int32_t from, std::int32_t to, auto&& emit, std::uint16_t SiteRow::*member) {
      int owners[Layout::n_layer_classes], numbers[Layout::n_layer_classes], n_owners = 0;
      for (int k = 0; k < n_layers_; ++k) {
        if (lists_[k].size < 0) continue;
        int at = 0;
        while (at < n_owners && !serves(type, lists_[owners[at]], lists_[k], from, to)) ++at;
        if (at == n_owners) {
          n_part_ = 0;
          for (int s = 0; s < lists_[k].size; ++s)
            if (in_range(lists_[k].seen[s], from, to)) part_[n_part_++] = lists_[k].seen[s];
          owners[n_owners] = k;
          numbers[n_owners] = emit();
          if (numbers[n_owners] < 0) return Status::out_of_capacity;
          ++n_owners;
        }
        tables.rows[layout_.site_row({type, layers_[k], position})].*member = static_cast<std::uint16_t>(numbers[at]);
      }
      return Status::ok;
    };
    Status status = fill(0, tables.radius[0], [&] { return emit_near(tables); }, &SiteRow::near);
    if (status == Status::ok) status = fill(0, tables.radius[1], [&] { return emit_window(tables); }, &SiteRow::window);
    if (status == Status::ok)
      status = fill(tables.radius[1], tables.radius[2], [&] { return emit_far(tables); }, &SiteRow::far);
    return status;
  }
  static bool in_range(const Seen& seen, std::int32_t from, std::int32_t to) noexcept {
    return distance_of(seen.distance) >= from && distance_of(seen.distance) < to;
  }
  /// Whether `owner`'s entries, read at `other`'s layer, are `other`'s entries: what is missing there must not exist there.
  bool serves(int type, const List& owner, const List& other, std::int32_t from, std::int32_t to) const noexcept {
    int b = 0;
    for (int a = 0; a < owner.size; ++a) {
      const Seen& mine = owner.seen[a];
      if (!in_range(mine, from, to)) continue;
      while (b < other.size && !in_range(other.seen[b], from, to)) ++b;
      if (b < other.size && other.seen[b] == mine) {
        ++b;
        continue;
      }
      if (layout_.exists(type, other.layer + mine.layers)) return false;
    }
    while (b < other.size && !in_range(other.seen[b], from, to)) ++b;
    return b == other.size;
  }

  std::uint64_t part_hash() const noexcept {
    std::uint64_t hash = 0xcbf29ce484222325u ^ static_cast<std::uint64_t>(n_part_);
    for (int k = 0; k < n_part_; ++k) {
      const Seen& seen = part_[k];
      for (const std::uint64_t word : {static_cast<std::uint64_t>(static_cast<std::uint32_t>(seen.offset())),
                                       static_cast<std::uint64_t>(seen.distance)}) {
        hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
      }
    }
    return hash;
  }

  int emit_near(Tables& tables) noexcept {
    NearTable table;
    int first[4] = {};
    for (int k = 0; k < n_part_; ++k) {
      const int layer = part_[k].layers + 1;
      table.mask[layer] |= std::uint64_t{1} << (part_[k].positions + window_reach);
      for (int later = layer + 1; later < 4; ++later) ++first[later];
    }
    for (int layer = 0; layer < 3; ++layer) table.first_slot[layer] = static_cast<std::uint8_t>(first[layer]);
    int order[16];
    for (int k = 0; k < n_part_; ++k) order[k] = k;
    spinel::sort(order, order + n_part_, [&](int a, int b) {
      const auto x = distance_of(part_[a].distance), y = distance_of(part_[b].distance);
      return x != y ? x < y : a < b;
    });
    for (auto& rank : table.rank) rank = 16;
    for (auto& unknown : table.distance) unknown = static_cast<MarkedDistance>(tables.radius[0]);
    for (int rank = 0; rank < n_part_; ++rank) {
      table.rank[order[rank]] = static_cast<std::uint8_t>(rank);
      table.offset[rank] = static_cast<std::int16_t>(part_[order[rank]].offset());
      table.distance[rank] = part_[order[rank]].distance;
    }
    for (std::size_t k = 0; k < tables.n_near; ++k) {
      const NearTable& known = tables.near[k];
      if (spinel::equal(known.mask, known.mask + 3, table.mask) && spinel::equal(known.rank, known.rank + 16, table.rank) &&
          spinel::equal(known.offset, known.offset + 17, table.offset) &&
          spinel::equal(known.distance, known.distance + 17, table.distance))
        return static_cast<int>(k);
    }
    if (tables.n_near == tables.capacity.near) return -1;
    tables.near[tables.n_near] = table;
    return static_cast<int>(tables.n_near++);
  }

  int emit_window(Tables& tables) noexcept {
    const std::uint64_t hash = part_hash();
    for (std::size_t k = 0; k < tables.n_windows; ++k)
      if (window_hash_[k] == hash && same(&tables.window_offset[tables.window[k].begin],
                                          &tables.window_distance[tables.window[k].begin], window_size_[k]))
        return static_cast<int>(k);
    const std::size_t n = static_cast<std::size_t>(n_part_);
    if (tables.n_windows == tables.capacity.windows || tables.n_window_slots + n > tables.capacity.window_slots) return -1;
    WindowTable table;
    int first[6] = {};
    for (int k = 0; k < n_part_; ++k) {
      const int layer = part_[k].layers + 2;
      table.mask[layer] |= std::uint64_t{1} << (part_[k].positions + window_reach);
      for (int later = layer + 1; later < 6; ++later) ++first[later];
    }
    for (int layer = 0; layer < 5; ++layer) table.first_slot[layer] = static_cast<std::uint8_t>(first[layer]);
    table.begin = static_cast<std::uint32_t>(tables.n_window_slots);
    append(&tables.window_offset[table.begin], &tables.window_distance[table.begin]);
    tables.n_window_slots += n;
    window_hash_[tables.n_windows] = hash;
    window_size_[tables.n_windows] = n_part_;
    tables.window[tables.n_windows] = table;
    return static_cast<int>(tables.n_windows++);
  }

  int emit_far(Tables& tables) noexcept {
    const std::uint64_t hash = part_hash();
    for (std::size_t k = 0; k < tables.n_far; ++k)
      if (far_hash_[k] == hash && same(&tables.far_offset[tables.far[k].begin], &tables.far_distance[tables.far[k].begin],
                                       static_cast<int>(tables.far[k].end - tables.far[k].begin)))
        return static_cast<int>(k);
    const std::size_t n = static_cast<std::size_t>(n_part_);
    if (tables.n_far == tables.capacity.far || tables.n_far_slots + n > tables.capacity.far_slots) {
      far_is_full_ = true;
      return -1;
    }
    const auto begin = static_cast<std::uint32_t>(tables.n_far_slots);
    append(&tables.far_offset[begin], &tables.far_distance[begin]);
    tables.n_far_slots += n;
    far_hash_[tables.n_far] = hash;
    tables.far[tables.n_far] = {begin, static_cast<std::uint32_t>(tables.n_far_slots)};
    return static_cast<int>(tables.n_far++);
  }

  bool same(const std::int16_t* offsets, const MarkedDistance* distances, int n) const noexcept {
    if (n != n_part_) return false;
    for (int k = 0; k < n; ++k)
      if (offsets[k] != part_[k].offset() || distances[k] != part_[k].distance) return false;
    return true;
  }
  void append(std::int16_t* offsets, MarkedDistance* distances) const noexcept {
    for (int k = 0; k < n_part_; ++k) {
      offsets[k] = static_cast<std::int16_t>(part_[k].offset());
      distances[k] = part_[k].distance;
    }
  }

  std::int32_t lightest_ = 0, heaviest_ = 0, furthest_ = 0;
  Layout layout_;
  bool far_is_full_ = false;
  int layers_[Layout::n_layer_classes];
  int n_layers_ = 0;
  bool row_filled_[Layout::n_edge_rows] = {};
  List lists_[Layout::n_layer_classes];
  Seen part_[max_seen];
  int n_part_ = 0;
  std::int32_t sorted_[max_seen];
  std::uint64_t* window_hash_ = nullptr;
  int* window_size_ = nullptr;
  std::uint64_t* far_hash_ = nullptr;
};

}  // namespace spinel::detail
