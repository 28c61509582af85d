// SPDX-License-Identifier: Apache-2.0
// Where the lattice matcher keeps each detector: two bit lattices (one per check type), layer after layer, the checks of a
// layer in an order that keeps neighbors within a few bits. Empty layers on both ends let windows be read without a test.
// Which numbering of detectors a model has is given by the caller and checked by the table builder against the model.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/code/detectors.hpp>
#include <spinel/code/experiment.hpp>
#include <spinel/code/lattice.hpp>
#include <initializer_list>
#include <type_traits>

#include <spinel/core/arena.hpp>

namespace spinel {

/// Place of one detector. `type`: 0 for the memory basis, 1 for the other. `layer` in [0, rounds]; the other type has
/// layers 1 to rounds - 1 only. `position` in [0, n_checks).
struct LatticeSite {
  std::int32_t type = 0;
  std::int32_t layer = 0;
  std::int32_t position = 0;
};

/// How much room tables have; exceeded means Status::out_of_capacity. Part numbers are 16-bit: far_parts <= 65536.
struct LatticeCapacity {
  std::size_t near = 0, windows = 0, window_slots = 0;
  std::size_t far = 0, far_places = 0, far_parts = 0, far_slots = 0;  ///< lists, parts in them, parts, distances
  std::size_t edge_rows = 0;

  /// Twice what circuit-level noise of uniform rates needs up to p = 0.006; far lists that do not fit reach less far.
  static constexpr LatticeCapacity uniform(int distance) noexcept {
    const auto d = static_cast<std::size_t>(distance);
    const std::size_t windows = 40 * d + 128;
    return {.near = 24 * d + 64, .windows = windows, .window_slots = windows * 56,
            .far = 160 * d + 256, .far_places = 1800 * d + 2048, .far_parts = 320 * d + 768, .far_slots = 6400 * d,
            .edge_rows = 24 * d + 64};
  }
  /// Room for rates that differ from place to place, as long as every round is alike.
  static constexpr LatticeCapacity any(int distance) noexcept {
    const auto n = static_cast<std::size_t>(distance * distance - 1);
    const std::size_t parts = 64 * n + 64;
    return {.near = 5 * n + 64, .windows = 9 * n + 64, .window_slots = (9 * n + 64) * 64,
            .far = 19 * n + 64, .far_places = (19 * n + 64) * 20, .far_parts = parts > 65536 ? 65536 : parts,
            .far_slots = (64 * n + 64) * 16, .edge_rows = 7 * n};
  }
};

/// Sizes and arithmetic of the two bit lattices. The distance is fixed at compile time; `rounds` is too, or is 0 for engines
/// that are told at set-up, so that one of them serves every length of experiment.
template <int d, int rounds = 0>
class LatticeLayout {
 public:
  static constexpr bool is_fixed = rounds > 0;
  static constexpr int fixed_rounds = is_fixed ? rounds : 2;
  static constexpr int distance = d;
  static constexpr int n_positions = (d * d - 1) / 2;
  /// Ids between a check and the same one a layer later: whole bytes, so that windows of several layers are read with one shift.
  static constexpr int layer_stride = (n_positions + 7) / 8 * 8;
  /// No table entry reaches further than this many layers, so reading past the experiment's ends finds empty layers.
  static constexpr int max_layers_reached = 6;
  static constexpr int padding = max_layers_reached + 1;
  static constexpr int slack_bits = 128;

  constexpr LatticeLayout() noexcept : LatticeLayout(fixed_rounds) {}
  explicit constexpr LatticeLayout(int n_rounds) noexcept
      : last_layer_(n_rounds), type_stride_((n_rounds + 1 + 2 * padding) * layer_stride + slack_bits) {}

  constexpr int last_layer() const noexcept { return is_fixed ? rounds : last_layer_; }
  constexpr int type_stride() const noexcept {
    return is_fixed ? (rounds + 1 + 2 * padding) * layer_stride + slack_bits : type_stride_;
  }
  constexpr int n_detectors() const noexcept { return 2 * n_positions * last_layer(); }
  constexpr int n_ids() const noexcept { return (slack_bits + 2 * type_stride() + 511) / 512 * 512; }
  constexpr int n_words() const noexcept { return n_ids() / 64 + 2; }
  /// Events and blossoms.
  constexpr int n_items() const noexcept { return n_detectors() + n_detectors() / 2 + 2; }
  constexpr int n_blossoms() const noexcept { return n_detectors() / 2 + 2; }
  /// The longest experiment for which everything fits 32-bit arithmetic on ids.
  static constexpr int max_rounds = 100'000'000 / (2 * layer_stride);
  /// The longest experiment whose items fit the index type.
  template <class Index>
  static constexpr int max_rounds_of() noexcept {
    return sizeof(Index) > 2 ? max_rounds : 32000 / (3 * n_positions);
  }

  /// Layers near the ends have tables of their own, all others share one set.
  static constexpr int end_layers = 9;
  static constexpr int n_layer_classes = 2 * end_layers + 1;
  constexpr int layer_class(int layer) const noexcept { return classify(layer, end_layers); }
  /// Edges differ from the bulk's in fewer layers.
  static constexpr int edge_end_layers = 3;
  static constexpr int n_edge_classes = 2 * edge_end_layers + 1;
  constexpr int edge_class(int layer) const noexcept { return classify(layer, edge_end_layers); }

  constexpr int id(const LatticeSite& site) const noexcept {
    return slack_bits + site.type * type_stride() + (site.layer + padding) * layer_stride + site.position;
  }
  constexpr LatticeSite site(int id) const noexcept {
    const int type = id - slack_bits >= type_stride() ? 1 : 0;
    const auto within = static_cast<unsigned>(id - slack_bits - type * type_stride());
    return {type, static_cast<int>(within / layer_stride) - padding, static_cast<int>(within % layer_stride)};
  }
  constexpr bool exists(int type, int layer) const noexcept {
    return type == 0 ? layer >= 0 && layer <= last_layer() : layer >= 1 && layer < last_layer();
  }
  /// Row of per-site tables.
  static constexpr int n_site_rows = 2 * n_layer_classes * n_positions;
  constexpr int site_row(const LatticeSite& site) const noexcept {
    return (site.type * n_layer_classes + layer_class(site.layer)) * n_positions + site.position;
  }
  static constexpr int n_edge_rows = 2 * n_edge_classes * n_positions;
  constexpr int edge_row(const LatticeSite& site) const noexcept {
    return (site.type * n_edge_classes + edge_class(site.layer)) * n_positions + site.position;
  }

 private:
  constexpr int classify(int layer, int ends) const noexcept {
    if (layer < ends) return layer;
    return layer > last_layer() - ends ? 2 * ends - (last_layer() - layer) : ends;
  }

  int last_layer_;
  int type_stride_;
};

/// An array of an engine: inside the object where its size is known to the compiler, else `n` is 0 and it is cut from an arena.
template <class T, std::size_t n>
class LatticeArray {
 public:
  constexpr void lay_out(std::size_t, Arena&) noexcept {}
  operator T*() noexcept { return items_; }
  operator const T*() const noexcept { return items_; }

 private:
  T items_[n];
};
template <class T>
class LatticeArray<T, 0> {
 public:
  constexpr void lay_out(std::size_t count, Arena& arena) noexcept { items_ = arena.take_raw<T>(count); }
  operator T*() const noexcept { return items_; }

 private:
  T* items_ = nullptr;
};

/// What arrays of a fixed layout hold; zeros for others.
template <class Layout>
struct LatticeSizes {
  static constexpr Layout layout{Layout::fixed_rounds};
  static constexpr LatticeCapacity capacity = LatticeCapacity::uniform(Layout::distance);
  static constexpr std::size_t of(std::size_t n) noexcept { return Layout::is_fixed ? n : 0; }
  static constexpr std::size_t detectors = of(static_cast<std::size_t>(layout.n_detectors()));
  static constexpr std::size_t ids = of(static_cast<std::size_t>(layout.n_ids()));
  static constexpr std::size_t words = of(static_cast<std::size_t>(layout.n_words()));
  static constexpr std::size_t items = of(static_cast<std::size_t>(layout.n_items()));
  static constexpr std::size_t blossoms = of(static_cast<std::size_t>(layout.n_blossoms()));
};

/// Small enough index type for the events and blossoms of one experiment.
template <MemoryExperiment experiment>
using LatticeIndex =
    std::conditional_t<(experiment.rounds <= LatticeLayout<experiment.distance>::template max_rounds_of<std::int16_t>()),
                       std::int16_t, std::int32_t>;

/// Which circuit numbered the detectors.
enum class DetectorNumbering : std::uint8_t {
  own,   ///< code/detectors.hpp: X checks row by row, Z checks column by column, type after type
  stim,  ///< surface_code:rotated_memory_x and _z: all checks of a round row by row, both types mixed
};

/// Fills `sites[n_detectors]` for the library's own numbering.
constexpr void place_own_detectors(const MemoryExperiment& experiment, LatticeSite* sites) noexcept {
  for (int layer = 0; layer <= experiment.rounds; ++layer)
    for (int k = 0; k < experiment.n_checks(); ++k) {
      if (layer == experiment.rounds) {
        sites[boundary_detector_index(experiment, k)] = {0, layer, k};
        continue;
      }
      for (const Basis basis : {Basis::X, Basis::Z})
        if (const auto detector = detector_index(experiment, basis, k, layer); detector >= 0)
          sites[detector] = {basis == experiment.basis ? 0 : 1, layer, k};
    }
}

/// The same for the numbering of Stim's rotated memory circuits: checks at (x, y) on a grid of pitch 1, X checks where x + y
/// is odd and none of them on the left and right sides. Rounds are written row by row with both types mixed, the first and
/// the last layer column by column.
constexpr void place_stim_detectors(const MemoryExperiment& experiment, LatticeSite* sites) noexcept {
  constexpr int side = MemoryExperiment::max_distance + 1;
  const int d = experiment.distance;
  std::int32_t position[side][side] = {}, type[side][side] = {}, used[2] = {0, 0};
  for (int y = 0; y <= d; ++y)
    for (int x = 0; x <= d; ++x) {
      const bool is_x = (x + y) % 2 == 1;
      const bool exists = !((x == 0 || x == d) && is_x) && !((y == 0 || y == d) && !is_x);
      type[y][x] = !exists ? -1 : is_x == (experiment.basis == Basis::X) ? 0 : 1;
      if (exists) position[y][x] = used[type[y][x]]++;
    }
  int detector = 0;
  for (int layer = 0; layer <= experiment.rounds; ++layer) {
    const bool is_end = layer == 0 || layer == experiment.rounds;
    for (int outer = 0; outer <= d; ++outer)
      for (int inner = 0; inner <= d; ++inner) {
        const int x = is_end ? outer : inner, y = is_end ? inner : outer;
        if (type[y][x] == 0 || (type[y][x] == 1 && !is_end)) sites[detector++] = {type[y][x], layer, position[y][x]};
      }
  }
}

}  // namespace spinel
