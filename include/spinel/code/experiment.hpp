// SPDX-License-Identifier: Apache-2.0
// The specification of one memory experiment on the rotated surface code, as a value that templates take as argument.
// Counts and numbering follow the Ising pre-decoder's reference circuits (arXiv 2604.12841), so that shots, tensors
// and detector error models of that pipeline can be exchanged bit for bit.
#pragma once

#include <cstdint>

#include <spinel/core/status.hpp>

namespace spinel {

/// Basis in which the data qubits are prepared and measured; also the type of a check (X or Z stabilizer).
enum class Basis : std::uint8_t { X, Z };

constexpr Basis opposite(Basis basis) noexcept { return basis == Basis::X ? Basis::Z : Basis::X; }

/// The four ways to lay the checkerboard of checks; the names in brackets are the reference's code rotations.
enum class Orientation : std::uint8_t {
  O1,  ///< XV: X check in the upper left corner, X checks on the left and right sides, logical X along row 0
  O2,  ///< XH: X check in the upper left corner, Z checks on the left and right sides, logical X along column 0
  O3,  ///< ZV: O1 with X and Z exchanged
  O4,  ///< ZH: O2 with X and Z exchanged
};

/// `rounds` counts every repetition of the checks: one that prepares the state, rounds - 2 in the bulk, and the noiseless
/// one that closes the experiment with the data read-out. Valid for odd distances 3 to 31 and rounds >= 2.
struct MemoryExperiment {
  int distance = 3;
  int rounds = 3;
  Basis basis = Basis::X;
  Orientation orientation = Orientation::O1;

  static constexpr int max_distance = 31;

  constexpr Status validate() const noexcept {
    if (distance < 3 || distance > max_distance || distance % 2 == 0) return Status::bad_argument;
    return rounds >= 2 ? Status::ok : Status::bad_argument;
  }
  constexpr int n_data() const noexcept { return distance * distance; }
  /// Checks of one type; there are as many X as Z checks.
  constexpr int n_checks() const noexcept { return (distance * distance - 1) / 2; }
  constexpr int n_qubits() const noexcept { return 2 * distance * distance - 1; }
  constexpr std::int64_t n_measurements() const noexcept {
    return std::int64_t{2} * n_checks() * rounds + n_data();
  }
  /// Half of them per check type in the bulk; the first and the last group exist for the memory basis only.
  constexpr std::int64_t n_detectors() const noexcept { return std::int64_t{2} * n_checks() * rounds; }

  friend constexpr bool operator==(const MemoryExperiment&, const MemoryExperiment&) = default;
};

/// Stops compilation with an English sentence where a template is given an experiment that cannot exist.
template <MemoryExperiment experiment>
struct RequireValid {
  static_assert(experiment.distance % 2 == 1, "spinel: the distance of a rotated surface code must be odd");
  static_assert(experiment.distance >= 3 && experiment.distance <= MemoryExperiment::max_distance,
                "spinel: the distance must be between 3 and 31");
  static_assert(experiment.rounds >= 2, "spinel: a memory experiment needs at least 2 rounds (preparation and closing)");
  static constexpr bool value = true;
};

}  // namespace spinel
