// SPDX-License-Identifier: Apache-2.0
// Where the checks of the rotated surface code are, which data qubits they touch and in which order, and where the logical
// operators run. Everything is constexpr; a check is found by closed form, never by search.
// Source: the reference's lattice (arXiv 2604.12841, Sec. II), coordinates (row, column) from 0 to 2 * distance,
// data qubit (i, j) at (2 i + 1, 2 j + 1), checks at even coordinates.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/code/experiment.hpp>

namespace spinel {

/// Corner of a check, as seen from its center with row 0 on top.
enum class Corner : std::uint8_t { NE, NW, SE, SW };

inline constexpr std::int16_t no_qubit = -1;

/// One stabilizer: weight 4 in the bulk, weight 2 on the boundary.
struct Check {
  std::int16_t row = 0;
  std::int16_t column = 0;
  std::int16_t corner[4] = {no_qubit, no_qubit, no_qubit, no_qubit};  ///< data qubit by Corner, or no_qubit

  constexpr int weight() const noexcept {
    int n = 0;
    for (const auto qubit : corner) n += qubit != no_qubit;
    return n;
  }
};

/// The checks of one experiment. `max_distance` bounds the arrays; `distance` is the code's own.
/// X checks are numbered row by row, Z checks column by column. Qubits: data row by row, then X ancillas, then Z ancillas.
template <int max_distance>
struct Lattice {
  static constexpr int max_checks = (max_distance * max_distance - 1) / 2;
  static constexpr int n_layers = 4;

  int distance = 0;
  Orientation orientation = Orientation::O1;
  Check x_checks[max_checks]{};
  Check z_checks[max_checks]{};
  /// Data qubit -> up to two checks of each type that act on it; -1 where there is none.
  std::int16_t checks_of_data[2][max_distance * max_distance][2]{};

  constexpr int n_data() const noexcept { return distance * distance; }
  constexpr int n_checks() const noexcept { return (distance * distance - 1) / 2; }
  constexpr const Check& check(Basis type, int k) const noexcept {
    return type == Basis::X ? x_checks[k] : z_checks[k];
  }
  /// Qubit number of the ancilla that measures check k of `type`.
  constexpr int ancilla(Basis type, int k) const noexcept {
    return n_data() + (type == Basis::X ? 0 : n_checks()) + k;
  }
  /// True where the logical operator of `basis` runs along row 0, false where along column 0.
  constexpr bool logical_is_horizontal(Basis basis) const noexcept {
    const bool x_horizontal = orientation == Orientation::O1 || orientation == Orientation::O4;
    return (basis == Basis::X) == x_horizontal;
  }
  /// Data qubit k of the logical operator of `basis`, k in [0, distance).
  constexpr int logical_qubit(Basis basis, int k) const noexcept {
    return logical_is_horizontal(basis) ? k : k * distance;
  }
  constexpr bool in_logical(Basis basis, int data) const noexcept {
    return logical_is_horizontal(basis) ? data < distance : data % distance == 0;
  }
  /// The corner that a check of `type` couples to in CNOT layer 0..3. The last two corners of a check decide its hook error:
  /// it must run across the logical operator that it could shorten.
  constexpr Corner schedule(Basis type, int layer) const noexcept {
    constexpr Corner vertical_first[4] = {Corner::NE, Corner::SE, Corner::NW, Corner::SW};
    constexpr Corner horizontal_first[4] = {Corner::NE, Corner::NW, Corner::SE, Corner::SW};
    const bool x_vertical = orientation == Orientation::O1 || orientation == Orientation::O4;
    return (type == Basis::X) == x_vertical ? vertical_first[layer] : horizontal_first[layer];
  }
  /// Data qubit that check k of `type` couples to in `layer`, or no_qubit.
  constexpr int partner(Basis type, int k, int layer) const noexcept {
    return check(type, k).corner[static_cast<int>(schedule(type, layer))];
  }
  /// The data qubit at whose place the network sees check k (arXiv 2604.12841, Eqs. 17 and 18): the top-left qubit of the
  /// support for X checks, the top-right one for Z checks. Injective within a type.
  constexpr int tensor_site(Basis type, int k) const noexcept {
    const Check& c = check(type, k);
    constexpr Corner left_first[4] = {Corner::NW, Corner::NE, Corner::SW, Corner::SE};
    constexpr Corner right_first[4] = {Corner::NE, Corner::NW, Corner::SE, Corner::SW};
    for (int n = 0; n < 4; ++n) {
      const int qubit = c.corner[static_cast<int>(type == Basis::X ? left_first[n] : right_first[n])];
      if (qubit != no_qubit) return qubit;
    }
    return no_qubit;
  }
};

namespace detail {

/// Type of the bulk check at plaquette (i, j).
constexpr Basis plaquette_type(Orientation orientation, int i, int j) noexcept {
  const bool x_first = orientation == Orientation::O1 || orientation == Orientation::O2;
  return ((i + j) % 2 == 0) == x_first ? Basis::X : Basis::Z;
}

/// Type of the checks on the top and bottom sides; the left and right sides carry the other type.
constexpr Basis top_type(Orientation orientation) noexcept {
  return orientation == Orientation::O1 || orientation == Orientation::O4 ? Basis::Z : Basis::X;
}

/// Whether a check sits at the even coordinate (row, column), and its type.
struct Site {
  bool exists = false;
  Basis type = Basis::X;
};
constexpr Site check_site(Orientation orientation, int distance, int row, int column) noexcept {
  const int last = 2 * distance;
  const bool on_row_side = row == 0 || row == last;
  const bool on_column_side = column == 0 || column == last;
  if (on_row_side && on_column_side) return {};
  const auto clamp = [&](int coordinate) {
    const int plaquette = coordinate / 2 - 1;
    return plaquette < 0 ? 0 : plaquette > distance - 2 ? distance - 2 : plaquette;
  };
  const Basis neighbor = plaquette_type(orientation, clamp(row), clamp(column));
  if (!on_row_side && !on_column_side) return {true, neighbor};
  const Basis side = on_row_side ? top_type(orientation) : opposite(top_type(orientation));
  return {neighbor != side, side};
}

constexpr Check check_at(int distance, int row, int column) noexcept {
  Check check;
  check.row = static_cast<std::int16_t>(row);
  check.column = static_cast<std::int16_t>(column);
  for (int corner = 0; corner < 4; ++corner) {
    const bool north = corner == static_cast<int>(Corner::NE) || corner == static_cast<int>(Corner::NW);
    const bool east = corner == static_cast<int>(Corner::NE) || corner == static_cast<int>(Corner::SE);
    const int i = row / 2 - (north ? 1 : 0);
    const int j = column / 2 - (east ? 0 : 1);
    if (i >= 0 && i < distance && j >= 0 && j < distance)
      check.corner[corner] = static_cast<std::int16_t>(i * distance + j);
  }
  return check;
}

}  // namespace detail

/// Builds the lattice of a valid experiment with distance <= max_distance.
template <int max_distance>
constexpr Lattice<max_distance> make_lattice(const MemoryExperiment& experiment) noexcept {
  Lattice<max_distance> lattice;
  const int d = experiment.distance;
  lattice.distance = d;
  lattice.orientation = experiment.orientation;
  int n_x = 0;
  int n_z = 0;
  for (int outer = 0; outer <= 2 * d; outer += 2)
    for (int inner = 0; inner <= 2 * d; inner += 2) {
      const auto row_major = detail::check_site(experiment.orientation, d, outer, inner);
      if (row_major.exists && row_major.type == Basis::X) lattice.x_checks[n_x++] = detail::check_at(d, outer, inner);
      const auto column_major = detail::check_site(experiment.orientation, d, inner, outer);
      if (column_major.exists && column_major.type == Basis::Z)
        lattice.z_checks[n_z++] = detail::check_at(d, inner, outer);
    }
  for (int q = 0; q < d * d; ++q)
    for (auto& of_type : lattice.checks_of_data) of_type[q][0] = of_type[q][1] = -1;
  for (int type = 0; type < 2; ++type)
    for (int k = 0; k < lattice.n_checks(); ++k)
      for (const auto q : (type == 0 ? lattice.x_checks : lattice.z_checks)[k].corner)
        if (q != no_qubit) {
          auto* slots = lattice.checks_of_data[type][q];
          slots[slots[0] < 0 ? 0 : 1] = static_cast<std::int16_t>(k);
        }
  return lattice;
}

/// The lattice of a compile-time experiment.
template <MemoryExperiment experiment>
  requires(RequireValid<experiment>::value)
inline constexpr auto lattice = make_lattice<experiment.distance>(experiment);

}  // namespace spinel
