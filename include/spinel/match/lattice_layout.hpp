// SPDX-License-Identifier: Apache-2.0
// Where the lattice matcher keeps each detector: two bit lattices (one per check type), layer after layer, the checks of a
// layer in an order that keeps neighbors within a few bits. Empty layers on both ends let windows be read without a test.
// Which numbering of detectors a model has is given by the caller and checked by the table builder against the model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include <spinel/code/detectors.hpp>
#include <spinel/code/experiment.hpp>
#include <spinel/code/lattice.hpp>

namespace spinel {

/// Place of one detector. `type`: 0 for the memory basis, 1 for the other. `layer` in [0, rounds]; the other type has
/// layers 1 to rounds - 1 only. `position` in [0, n_checks).
struct LatticeSite {
  std::int32_t type = 0;
  std::int32_t layer = 0;
  std::int32_t position = 0;
};

/// Sizes and arithmetic of the two bit lattices of one experiment.
template <MemoryExperiment experiment>
struct LatticeLayout {
  static_assert(RequireValid<experiment>::value);
  static constexpr int n_positions = experiment.n_checks();
  static constexpr int last_layer = experiment.rounds;
  static constexpr int n_detectors = static_cast<int>(experiment.n_detectors());
  /// No table entry reaches further than this many layers, so reading past the experiment's ends finds empty layers.
  static constexpr int max_layers_reached = 6;
  static constexpr int padding = max_layers_reached + 1;
  static constexpr int slack_bits = 128;
  static constexpr int type_stride = (last_layer + 1 + 2 * padding) * n_positions + slack_bits;
  static constexpr int n_ids = (slack_bits + 2 * type_stride + 511) / 512 * 512;
  static constexpr int n_words = n_ids / 64 + 2;

  /// Layers near the ends have tables of their own, all others share one set.
  static constexpr int end_layers = 9;
  static constexpr int n_layer_classes = 2 * end_layers + 1;
  static constexpr int layer_class(int layer) noexcept { return classify(layer, end_layers); }
  /// Edges differ from the bulk's in fewer layers.
  static constexpr int edge_end_layers = 3;
  static constexpr int n_edge_classes = 2 * edge_end_layers + 1;
  static constexpr int edge_class(int layer) noexcept { return classify(layer, edge_end_layers); }

  static constexpr int id(const LatticeSite& site) noexcept {
    return slack_bits + site.type * type_stride + (site.layer + padding) * n_positions + site.position;
  }
  static constexpr LatticeSite site(int id) noexcept {
    const int type = (id - slack_bits) / type_stride;
    const int within = id - slack_bits - type * type_stride;
    return {type, within / n_positions - padding, within % n_positions};
  }
  static constexpr bool exists(int type, int layer) noexcept {
    return type == 0 ? layer >= 0 && layer <= last_layer : layer >= 1 && layer < last_layer;
  }
  /// Row of per-site tables.
  static constexpr int n_site_rows = 2 * n_layer_classes * n_positions;
  static constexpr int site_row(const LatticeSite& site) noexcept {
    return (site.type * n_layer_classes + layer_class(site.layer)) * n_positions + site.position;
  }
  static constexpr int n_edge_rows = 2 * n_edge_classes * n_positions;
  static constexpr int edge_row(const LatticeSite& site) noexcept {
    return (site.type * n_edge_classes + edge_class(site.layer)) * n_positions + site.position;
  }

  /// Small enough index type for events and blossoms.
  static constexpr int n_items = n_detectors + n_detectors / 2 + 2;
  using Index = std::conditional_t<(n_items < 32000), std::int16_t, std::int32_t>;

 private:
  static constexpr int classify(int layer, int ends) noexcept {
    if (layer < ends) return layer;
    return layer > last_layer - ends ? 2 * ends - (last_layer - layer) : ends;
  }
};

/// Which circuit numbered the detectors.
enum class DetectorNumbering : std::uint8_t {
  own,   ///< code/detectors.hpp: X checks row by row, Z checks column by column, type after type
  stim,  ///< surface_code:rotated_memory_x and _z: all checks of a round row by row, both types mixed
};

/// Fills `sites[n_detectors]` for the library's own numbering.
template <MemoryExperiment experiment>
constexpr void place_own_detectors(LatticeSite* sites) noexcept {
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
template <MemoryExperiment experiment>
constexpr void place_stim_detectors(LatticeSite* sites) noexcept {
  constexpr int d = experiment.distance;
  std::int32_t position[d + 1][d + 1] = {}, type[d + 1][d + 1] = {}, used[2] = {0, 0};
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
