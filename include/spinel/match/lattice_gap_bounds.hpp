// SPDX-License-Identifier: Apache-2.0
// Distances for the gap on the lattice (lattice_gap.hpp): from every place to both sides of the boundary; between any two
// places a lower bound by how far apart they are, from one table that a subtraction and a look answer; and the exact distance.
// The bound is the distance on a lattice where every edge weighs the least of its kind, so it is exact where places look alike.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/arena.hpp>
#include <spinel/core/config.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/lattice_search.hpp>
#include <spinel/match/lattice_tables.hpp>

namespace spinel::detail {

template <class Layout_>
class LatticeBounds {
 public:
  using Layout = Layout_;
  using Sizes = LatticeSizes<Layout>;
  using Tables = LatticeTables<Layout>;
  using Search = LatticeSearch<Layout>;
  static constexpr std::int32_t unreached = 1 << 30;

  constexpr void lay_out(const Layout& layout, Arena& arena) noexcept {
    for (auto& side : to_side_) side.lay_out(static_cast<std::size_t>(layout.n_ids()), arena);
    parity_.lay_out(static_cast<std::size_t>(layout.n_ids()), arena);
    queue_.lay_out(static_cast<std::size_t>(layout.n_detectors()), arena);
  }
  /// How many distances of pairs `use_pairs` takes.
  static std::size_t n_pairs(const Layout& layout) noexcept {
    std::int64_t n = 0;
    for (int k = 0; k < n_classes(layout); ++k) n += n_steps(layout, k);
    return static_cast<std::size_t>(n * Layout::n_positions * Layout::n_positions);
  }
  /// After `build`: from now on the distances of nearly all pairs are a look into `memory[n_pairs]`. One Dijkstra search a row.
  void use_pairs(const Tables& tables, Search& search, Span<std::int32_t> memory) noexcept {
    for (auto& pair : memory) pair = unreached;
    pairs_ = memory;
    // No way as short as this leaves the layers in which all places of a class look alike.
    pairs_limit_ = keeps_all(layout_) || per_layer_ >= unreached / few_steps ? unreached : per_layer_ * few_steps;
    for (int layer = 0; layer <= layout_.last_layer(); ++layer) {
      if (layer > 0 && pair_class(layer) == pair_class(layer - 1)) continue;
      for (int position = 0; layout_.exists(type_, layer) && position < Layout::n_positions; ++position) {
        const int from = layout_.id({type_, layer, position});
        const Place source = place(from);
        search.from(tables, from, pairs_limit_, [&](int to, MarkedDistance marked) {
          const Place target = place(to);
          if (target.at >= source.layer_begin && target.at < source.end)
            pairs_[static_cast<std::size_t>(source.row + target.at)] = distance_of(marked);
        });
      }
    }
  }
  /// Where the distances from a place are that lead to its own layer and later ones: `row + at`, for `at` of the other below `end`.
  struct Place {
    std::int32_t at = 0;
    std::int32_t row = 0;
    std::int32_t layer_begin = 0;
    std::int32_t end = 0;
  };
  Place place(int id) const noexcept {
    const LatticeSite site = layout_.site(id);
    const int row = pair_class(site.layer), begin = site.layer * Layout::n_positions;
    const int steps = n_steps(layout_, row);
    // Of the classes before: as many steps as there are layers from each on, or always as few.
    const int before = keeps_all(layout_) ? row * (layout_.last_layer() + 1) - row * (row - 1) / 2 : row * few_steps;
    return {begin + site.position, (before * Layout::n_positions + site.position * steps) * Layout::n_positions - begin, begin,
            begin + steps * Layout::n_positions};
  }
  /// Errors: unsupported if the observable is not the parity of the paths that end on one of two sides of the boundary.
  Status build(const Tables& tables, Search& search) noexcept {
    layout_ = tables.layout;
    type_ = -1;
    for (int type = 0; type < 2; ++type)
      if (flips_any(tables, type)) {
        if (type_ >= 0) return Status::unsupported;
        type_ = type;
      }
    if (type_ < 0 || !find_parities(tables)) return Status::unsupported;
    find_sides(tables, search);
    if (across_ == unreached) return Status::unsupported;
    return find_least(tables);
  }

  /// The check type whose edges flip the observable.
  int type() const noexcept { return type_; }
  /// From side to side.
  std::int32_t across() const noexcept { return across_; }
  /// Unreached for places of the other type and for those that nothing fires.
  std::int32_t to_side(int side, int id) const noexcept { return to_side_[side][id]; }
  int nearer_side(int id) const noexcept { return to_side_[1][id] < to_side_[0][id]; }
  /// Whether the observable's check type is that of this place.
  bool counts(int id) const noexcept { return layout_.site(id).type == type_; }
  /// Which side a way out ends on that has this flip.
  int side_of(int id, MarkedDistance way_out) const noexcept { return static_cast<int>((parity_[id] ^ way_out) & 1); }

  /// A place as a number: `bound` needs no more.
  std::int32_t key(int id) const noexcept {
    const LatticeSite site = layout_.site(id);
    return site.layer * layer_step + in_layer_[site.position];
  }
  /// No two places with these keys are nearer.
  std::int32_t bound(std::int32_t key_a, std::int32_t key_b) const noexcept {
    const std::int32_t apart = key_a < key_b ? key_b - key_a : key_a - key_b;
    return least_[apart < n_least ? apart : n_least];
  }
  /// `out[k]` becomes the bound from `key`, plus `starts[k] + more`, for all k in [0, n).
  void bounds_from(std::int32_t* SPINEL_RESTRICT out, const std::int32_t* SPINEL_RESTRICT keys,
                   const std::int32_t* SPINEL_RESTRICT starts, int n, std::int32_t key, std::int32_t more) const noexcept {
    for (int k = 0; k < n; ++k) out[k] = starts[k] + more + bound(keys[k], key);
  }
  /// Lowers `values[k]` to the bound from `key`, plus `start - radii[k]`, if that is less, for all k in [0, n).
  void lower(std::int32_t* SPINEL_RESTRICT values, const std::int32_t* SPINEL_RESTRICT keys, const std::int32_t* SPINEL_RESTRICT radii,
             int n, std::int32_t key, std::int32_t start) const noexcept {
    for (int k = 0; k < n; ++k) {
      const std::int32_t value = start - radii[k] + bound(keys[k], key);
      values[k] = value < values[k] ? value : values[k];
    }
  }
  /// `out[k]` becomes how much later than `values[k]` the bound from `key`, plus `start - radii[k]`, is, for all k in [0, n).
  void gains_from(std::int32_t* SPINEL_RESTRICT out, const std::int32_t* SPINEL_RESTRICT values, const std::int32_t* SPINEL_RESTRICT keys,
                  const std::int32_t* SPINEL_RESTRICT radii, int n, std::int32_t key, std::int32_t start) const noexcept {
    for (int k = 0; k < n; ++k) out[k] = start - radii[k] + bound(keys[k], key) - values[k];
  }
  /// The distance between two places of this type as far as tables know it, else a bound on it: better than `bound`, slower.
  struct Known {
    std::int32_t distance = 0;
    bool is_exact = false;
  };
  bool has_pairs() const noexcept { return pairs_.size() > 0; }
  Known look_up(const Place& a, const Place& b, std::int32_t by_key) const noexcept {
    const bool forward = a.at <= b.at;
    const Place &first = forward ? a : b, &last = forward ? b : a;
    if (SPINEL_LIKELY(last.at < first.end)) {
      const std::int32_t known = pairs_[static_cast<std::size_t>(first.row + last.at)];
      if (SPINEL_LIKELY(known != unreached)) return {known, true};
    }
    return {by_key < pairs_limit_ ? pairs_limit_ : by_key, false};
  }
  /// The shortest distance between two places of this type; only where the bound says that the way may lead is the lattice searched.
  SPINEL_NOINLINE std::int32_t search_distance(const Tables& tables, Search& search, int a, int b, std::int32_t least) const noexcept {
    const std::int32_t key_b = key(b);
    for (std::int32_t most = least;;) {
      std::int32_t found = unreached, next = unreached;
      search.from_while(tables, a, [&](int id, MarkedDistance marked) {
        const std::int32_t length = distance_of(marked);
        if (id == b) found = length;
        if (length >= found) return false;
        const std::int32_t on = length + bound(key(id), key_b);
        if (on <= most) return true;
        if (on < next) next = on;
        return false;
      });
      if (found <= most || next == unreached) return found;
      // No fewer than what the nearest way left out needs, and not in steps too small to search again for.
      most = next > most + most / 32 ? next : most + most / 32;
    }
  }

  static constexpr std::int32_t n_layers = 11;

 private:
  static constexpr int d = Layout::distance;
  // Differences of lines and of columns, both signs.
  static constexpr std::int32_t line_step = 2 * (d + 3) - 1, n_lines = 2 * (d + 1) - 1;
  static constexpr std::int32_t layer_step = n_lines * line_step;
  static constexpr std::int32_t n_least = (n_layers - 1) * layer_step + layer_step / 2 + 1;
  static constexpr int max_kinds = 96;
  /// Layers, from a place's own on, of which distances of pairs are kept: in experiments that are not long all of them, in others
  /// so few that all layers far from the ends look alike.
  static constexpr int few_steps = Layout::max_layers_reached + 1, n_layers_kept = 24;
  static constexpr bool keeps_all(const Layout& layout) noexcept { return layout.last_layer() < n_layers_kept; }
  static constexpr int n_classes(const Layout& layout) noexcept {
    return keeps_all(layout) ? layout.last_layer() + 1 : Layout::n_layer_classes;
  }
  static constexpr int n_steps(const Layout& layout, int row) noexcept {
    return keeps_all(layout) ? layout.last_layer() + 1 - row : few_steps;
  }
  int pair_class(int layer) const noexcept { return keeps_all(layout_) ? layer : layout_.layer_class(layer); }
  struct Kind {
    std::int32_t layers, lines, columns, weight;
  };

  bool flips_any(const Tables& tables, int type) const noexcept {
    for (int layer = 0; layer <= layout_.last_layer(); ++layer)
      for (int position = 0; position < Layout::n_positions; ++position) {
        if (!layout_.exists(type, layer)) continue;
        const int row = layout_.edge_row({type, layer, position});
        if ((tables.boundary_edge[row] & 1) != 0) return true;
        for (int e = 0; e < tables.degree[row]; ++e)
          if ((tables.edges[row][e].weight & 1) != 0) return true;
      }
    return false;
  }
  template <class Visit>
  void for_places(Visit&& visit) const noexcept {
    for (int layer = 0; layer <= layout_.last_layer(); ++layer)
      for (int position = 0; layout_.exists(type_, layer) && position < Layout::n_positions; ++position)
        visit(layout_.id({type_, layer, position}), layout_.edge_row({type_, layer, position}));
  }
  /// Gives every place a parity such that an edge flips the observable where the parities of its ends differ. Parts of the
  /// lattice that no edge joins may be numbered either way; a part with one side only has no second class, and no way across.
  bool find_parities(const Tables& tables) noexcept {
    constexpr std::uint8_t unknown = 2;
    for (int id = 0; id < layout_.n_ids(); ++id) parity_[id] = unknown;
    bool agrees = true;
    for_places([&](int first, int) {
      if (parity_[first] != unknown) return;
      int n = 0;
      parity_[first] = 0;
      queue_[n++] = first;
      for (int k = 0; k < n; ++k) {
        const int id = queue_[k], row = layout_.edge_row(layout_.site(id));
        for (int e = 0; e < tables.degree[row]; ++e) {
          const LatticeEdge& edge = tables.edges[row][e];
          const auto parity = static_cast<std::uint8_t>((parity_[id] ^ edge.weight) & 1);
          std::uint8_t& other = parity_[id + edge.offset];
          if (other == unknown) {
            other = parity;
            queue_[n++] = id + edge.offset;
          }
          agrees &= other == parity;
        }
      }
    });
    return agrees;
  }
  void find_sides(const Tables& tables, Search& search) noexcept {
    across_ = unreached;
    for (int side = 0; side < 2; ++side) {
      auto& to = to_side_[side];
      for (int id = 0; id < layout_.n_ids(); ++id) to[id] = unreached;
      bool any = false;
      const auto seeds = [&](auto&& reach) {
        for_places([&](int id, int row) {
          const MarkedDistance weight = tables.boundary_edge[row];
          if (weight == 0 || side_of(id, weight) != side) return;
          any = true;
          reach(id, weight);
        });
      };
      seeds([](int, MarkedDistance) {});
      if (!any) return;
      search.from_boundary(tables, seeds, [&](int id, MarkedDistance marked) { to[id] = distance_of(marked); });
      for_places([&](int id, int row) {
        const MarkedDistance weight = tables.boundary_edge[row];
        if (weight == 0 || side_of(id, weight) == side || to[id] == unreached) return;
        const std::int32_t both = to[id] + distance_of(weight);
        if (both < across_) across_ = both;
      });
    }
  }

  /// Positions in lines, staggered as checks of a rotated code are; which of the four ways it is, the edges tell: that with the
  /// fewest kinds. (With another one the bound would be lower, and as valid.)
  void place_in_lines(int way) noexcept {
    const int length = way < 2 ? (d - 1) / 2 : (d + 1) / 2;
    for (int position = 0; position < Layout::n_positions; ++position) {
      const int line = position / length;
      in_layer_[position] = line * line_step + 2 * (position % length) + ((line + way) & 1);
    }
  }
  int collect_kinds(const Tables& tables) noexcept {
    int n = 0;
    for_places([&](int id, int row) {
      const LatticeSite site = layout_.site(id);
      for (int e = 0; e < tables.degree[row]; ++e) {
        const LatticeSite other = layout_.site(id + tables.edges[row][e].offset);
        const std::int32_t here = in_layer_[site.position], there = in_layer_[other.position];
        const Kind kind{other.layer - site.layer, there / line_step - here / line_step, there % line_step - here % line_step,
                        distance_of(tables.edges[row][e].weight)};
        int k = 0;
        while (k < n && (kinds_[k].layers != kind.layers || kinds_[k].lines != kind.lines || kinds_[k].columns != kind.columns)) ++k;
        if (k == max_kinds) return;
        if (k == n) kinds_[n++] = kind;
        else if (kind.weight < kinds_[k].weight) kinds_[k].weight = kind.weight;
      }
    });
    return n;
  }
  Status find_least(const Tables& tables) noexcept {
    int way = 0, fewest = max_kinds;
    for (int one = 0; one < 4; ++one) {
      place_in_lines(one);
      const int n = collect_kinds(tables);
      if (n >= fewest) continue;
      fewest = n;
      way = one;
    }
    if (fewest == max_kinds) return Status::unsupported;
    place_in_lines(way);
    const int n_kinds = collect_kinds(tables);
    per_layer_ = unreached;
    for (int k = 0; k < n_kinds; ++k) {
      const std::int32_t layers = kinds_[k].layers < 0 ? -kinds_[k].layers : kinds_[k].layers;
      if (layers > 0 && kinds_[k].weight / layers < per_layer_) per_layer_ = kinds_[k].weight / layers;
    }
    if (per_layer_ > (1 << 29)) per_layer_ = 1 << 29;
    for (std::int32_t k = 0; k < n_least; ++k) least_[k] = 1 << 30;
    least_[0] = 0;
    // A difference and its negative are as far, so one half of them is kept.
    constexpr std::int32_t lines = n_lines / 2, columns = line_step / 2;
    for (bool less = true; less;) {
      less = false;
      const auto lower_at = [&](std::int32_t apart) {
        // The nearest (layers, lines, columns) that the number stands for.
        const std::int32_t layers = (apart + layer_step / 2) / layer_step, rest = apart - layers * layer_step + layer_step / 2;
        const std::int32_t line = rest / line_step - lines, column = rest % line_step - columns;
        std::int32_t least = least_[apart];
        for (int k = 0; k < n_kinds; ++k) {
          const Kind& kind = kinds_[k];
          const std::int32_t on = line + kind.lines, across = column + kind.columns;
          if (on < -lines || on > lines || across < -columns || across > columns) continue;
          std::int32_t to = (layers + kind.layers) * layer_step + on * line_step + across;
          if (to < 0) to = -to;
          if (to >= n_least) continue;
          if (least_[to] + kind.weight < least) least = least_[to] + kind.weight;
        }
        less |= least < least_[apart];
        least_[apart] = least;
      };
      for (std::int32_t k = 1; k < n_least; ++k) lower_at(k);
      for (std::int32_t k = n_least - 1; k > 0; --k) lower_at(k);
    }
    // A way through layers that the table does not have.
    for (std::int32_t k = 0; k < n_least; ++k) {
      const std::int32_t layers = (k + layer_step / 2) / layer_step;
      const std::int64_t around = std::int64_t{per_layer_} * (2 * n_layers - layers);
      if (least_[k] > around) least_[k] = static_cast<std::int32_t>(around);
    }
    const std::int64_t further = std::int64_t{per_layer_} * n_layers;
    least_[n_least] = further < (1 << 30) ? static_cast<std::int32_t>(further) : 1 << 30;
    return Status::ok;
  }

  Layout layout_;
  int type_ = -1;
  std::int32_t across_ = 0, per_layer_ = 0, pairs_limit_ = 0;
  std::int32_t in_layer_[Layout::n_positions];
  std::int32_t least_[n_least + 1];  // the last is for all that are further apart
  Kind kinds_[max_kinds];
  Span<std::int32_t> pairs_;
  LatticeArray<std::int32_t, Sizes::ids> to_side_[2];
  LatticeArray<std::uint8_t, Sizes::ids> parity_;
  LatticeArray<std::int32_t, Sizes::detectors> queue_;
};

}  // namespace spinel::detail
