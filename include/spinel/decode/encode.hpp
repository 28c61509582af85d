// SPDX-License-Identifier: Apache-2.0
// Detection events to the network's input tensor. Source: arXiv:2604.12841, Eqs. 17 and 18, and the reference pipeline's masks.
//
// The network sees two kinds of checks, "first" (channels 0 events, 2 presence) and "second" (1 and 3). They are the X and the Z
// checks, or with `dual` the Z and the X checks: exchanging X and Z turns orientation O3 into O1 and O2 into O4, so that weights
// trained on O1 serve all four orientations.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <spinel/code/detectors.hpp>
#include <spinel/code/lattice.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>

namespace spinel {

inline constexpr int tensor_channels = 4;

/// Where checks sit in the tensor, for one experiment with distance <= max_distance. Sites are data qubits, row by row.
template <int max_distance>
struct TensorLayout {
  static constexpr int max_sites = max_distance * max_distance;
  static constexpr int max_checks = (max_sites - 1) / 2;

  MemoryExperiment experiment{};
  Basis type_of_kind[2] = {Basis::X, Basis::Z};
  std::int16_t site_of_check[2][max_checks]{};     ///< [kind][check]
  std::int16_t check_at_site[2][max_sites]{};      ///< [kind][site], -1 where none
  std::int16_t checks_of_data[2][max_sites][2]{};  ///< [kind][data qubit], -1 where none
  bool in_logical[max_sites]{};                    ///< support of the logical operator of the memory basis
  /// Presence channels and zero events: [0] first and last round, [1] the rounds between; [site][channel].
  float empty_round[2][max_sites * tensor_channels]{};

  constexpr int n_sites() const noexcept { return experiment.distance * experiment.distance; }
  /// The kind whose type is the memory basis; its checks are shown and present in every round.
  constexpr int basis_kind() const noexcept { return type_of_kind[0] == experiment.basis ? 0 : 1; }
};

/// Fails with bad_argument for an experiment that is not valid or too large. `dual` exchanges X and Z where that turns the
/// orientation into O1 or O4, and changes nothing for O1 and O4.
template <int max_distance>
constexpr Status make_tensor_layout(const MemoryExperiment& experiment, bool dual, TensorLayout<max_distance>& layout) noexcept {
  if (experiment.validate() != Status::ok || experiment.distance > max_distance) return Status::bad_argument;
  const auto code = make_lattice<max_distance>(experiment);
  const int d = experiment.distance;
  layout = {};
  layout.experiment = experiment;
  if (dual && (experiment.orientation == Orientation::O2 || experiment.orientation == Orientation::O3)) {
    layout.type_of_kind[0] = Basis::Z;
    layout.type_of_kind[1] = Basis::X;
  }
  for (int kind = 0; kind < 2; ++kind) {
    const Basis type = layout.type_of_kind[kind];
    const bool shown_at_ends = type == experiment.basis;
    for (int q = 0; q < d * d; ++q) {
      layout.check_at_site[kind][q] = -1;
      for (int n = 0; n < 2; ++n) layout.checks_of_data[kind][q][n] = code.checks_of_data[type == Basis::X ? 0 : 1][q][n];
    }
    for (int k = 0; k < code.n_checks(); ++k) {
      const Check& check = code.check(type, k);
      constexpr Corner order[2][4] = {{Corner::NW, Corner::NE, Corner::SW, Corner::SE}, {Corner::NE, Corner::NW, Corner::SE, Corner::SW}};
      int site = -1;
      for (int n = 3; n >= 0; --n)
        if (const int qubit = check.corner[static_cast<int>(order[kind][n])]; qubit != no_qubit) site = qubit;
      layout.site_of_check[kind][k] = static_cast<std::int16_t>(site);
      layout.check_at_site[kind][site] = static_cast<std::int16_t>(k);
      const float presence = check.weight() == 4 ? 1.0f : 0.5f;
      const int at = site * tensor_channels + 2 + kind;
      layout.empty_round[1][at] = presence;
      if (shown_at_ends) layout.empty_round[0][at] = presence;
    }
  }
  for (int q = 0; q < d * d; ++q) layout.in_logical[q] = code.in_logical(experiment.basis, q);
  return Status::ok;
}

namespace detail {

/// Calls `visit(k)` for every set bit first + k, k in [0, count).
template <class Visit>
void for_each_set_bit_in(Span<const std::uint64_t> words, std::size_t first, std::size_t count, Visit&& visit) noexcept {
  for (std::size_t k = 0; k < count; k += 64) {
    const std::size_t word = (first + k) / 64, shift = (first + k) % 64, left = count - k;
    std::uint64_t bits = words[word] >> shift;
    if (shift != 0 && shift + left > 64 && word + 1 < words.size()) bits |= words[word + 1] << (64 - shift);
    if (left < 64) bits &= (std::uint64_t{1} << left) - 1;
    for (; bits != 0; bits &= bits - 1) visit(k + static_cast<std::size_t>(std::countr_zero(bits)));
  }
}

}  // namespace detail

/// A round of the tensor without any event; `at_end`: the first or the last one.
template <int max_distance>
void encode_empty_slice(const TensorLayout<max_distance>& layout, bool at_end, float* slice) noexcept {
  const float* empty = layout.empty_round[at_end ? 0 : 1];
  for (int k = 0; k < layout.n_sites() * tensor_channels; ++k) slice[k] = empty[k];
}

/// A round of the tensor, [row][column][channel]: the presence values, and 1 at the site of each detection event that the network
/// may see. The type that is not the memory basis is hidden in the first and the last round (`at_end`). Check k of a type is bit
/// first_x + k or first_z + k of `events`.
template <int max_distance>
void encode_slice(const TensorLayout<max_distance>& layout, bool at_end, Span<const std::uint64_t> events, std::int64_t first_x,
                  std::int64_t first_z, float* slice) noexcept {
  encode_empty_slice(layout, at_end, slice);
  const auto n_checks = static_cast<std::size_t>(layout.experiment.n_checks());
  for (int kind = 0; kind < 2; ++kind) {
    const Basis type = layout.type_of_kind[kind];
    if (at_end && type != layout.experiment.basis) continue;
    const auto first = static_cast<std::size_t>(type == Basis::X ? first_x : first_z);
    detail::for_each_set_bit_in(events, first, n_checks, [&](std::size_t k) {
      slice[layout.site_of_check[kind][k] * tensor_channels + kind] = 1.0f;
    });
  }
}

/// Round t of the tensor without any event.
template <int max_distance>
void encode_empty_round(const TensorLayout<max_distance>& layout, int t, float* slice) noexcept {
  encode_empty_slice(layout, t == 0 || t == layout.experiment.rounds - 1, slice);
}

/// Round t of the tensor from the events of a whole experiment, packed in detector order.
template <int max_distance>
void encode_round(const TensorLayout<max_distance>& layout, Span<const std::uint64_t> events, int t, float* slice) noexcept {
  const MemoryExperiment& experiment = layout.experiment;
  encode_slice(layout, t == 0 || t == experiment.rounds - 1, events, detector_index(experiment, Basis::X, 0, t),
               detector_index(experiment, Basis::Z, 0, t), slice);
}

}  // namespace spinel
