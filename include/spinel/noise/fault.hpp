// SPDX-License-Identifier: Apache-2.0
// What one Pauli fault does: the detectors it fires and the observable it flips, by propagation through one slice of the
// time-periodic circuit. A fault in round t fires detectors of rounds t and t + 1 only: the ancillas are reset every round
// and what stays on the data is seen as a difference once. Source: the circuit of arXiv 2604.12841, Sec. II.
#pragma once

#include <cstdint>

#include <spinel/code/detectors.hpp>

namespace spinel {

/// A detector or observable of a slice in 16 bits. Detector: dt * 2h + type * h + check with dt = 0 (the fault's round) or 1,
/// type 0 for X and 1 for Z; then the observable and the separator between graphlike parts, which sort last as in Stim.
using SymptomCode = std::uint16_t;
inline constexpr SymptomCode observable_code = 0xfffe;
inline constexpr SymptomCode separator_code = 0xffff;

/// Sorted symptoms of one fault. Detectors appear once or not at all: a pair cancels.
struct Symptoms {
  static constexpr int capacity = 16;
  SymptomCode codes[capacity]{};
  int count = 0;
  bool overflowed = false;

  constexpr void toggle(SymptomCode code) noexcept {
    int at = 0;
    while (at < count && codes[at] < code) ++at;
    if (at < count && codes[at] == code) {
      for (--count; at < count; ++at) codes[at] = codes[at + 1];
      return;
    }
    if (count == capacity) {
      overflowed = true;
      return;
    }
    for (int k = count++; k > at; --k) codes[k] = codes[k - 1];
    codes[at] = code;
  }
  constexpr void toggle_all(const Symptoms& other) noexcept {
    for (int k = 0; k < other.count; ++k) toggle(other.codes[k]);
    overflowed |= other.overflowed;
  }
  constexpr bool empty() const noexcept { return count == 0; }
  friend constexpr bool operator==(const Symptoms& a, const Symptoms& b) noexcept {
    if (a.count != b.count) return false;
    for (int k = 0; k < a.count; ++k)
      if (a.codes[k] != b.codes[k]) return false;
    return true;
  }
};

/// Propagates single X and Z faults through one round of the memory experiment's circuit.
template <int max_distance>
class FaultPropagator {
 public:
  /// `first_round` drops the detectors that do not exist in round 0: those of the type opposite to `memory_basis`.
  constexpr FaultPropagator(const Lattice<max_distance>& lattice, Basis memory_basis, bool first_round) noexcept
      : lattice_(lattice), basis_(memory_basis), first_round_(first_round) {}

  /// Symptoms of a `pauli` (X or Z) on `qubit` just before CNOT layer `time`; 0 follows the reset, 4 precedes the measurement.
  constexpr Symptoms fault(int qubit, Basis pauli, int time) const noexcept {
    Symptoms symptoms;
    if (qubit < lattice_.n_data()) {
      data_fault(qubit, pauli, time, symptoms);
      return symptoms;
    }
    const int ancilla = qubit - lattice_.n_data();
    const Basis type = ancilla < lattice_.n_checks() ? Basis::X : Basis::Z;
    const int k = type == Basis::X ? ancilla : ancilla - lattice_.n_checks();
    if (pauli != type) {
      // Flips the ancilla's own outcome: seen now and, by the next round's comparison, once more.
      toggle_detector(0, type, k, symptoms);
      toggle_detector(1, type, k, symptoms);
    } else {
      // Hook: the remaining CNOTs copy the Pauli to the data qubits still to be coupled.
      for (int layer = time; layer < 4; ++layer)
        if (const int data = lattice_.partner(type, k, layer); data != no_qubit)
          data_fault(data, pauli, layer + 1, symptoms);
    }
    return symptoms;
  }

 private:
  constexpr void toggle_detector(int dt, Basis type, int k, Symptoms& symptoms) const noexcept {
    if (first_round_ && dt == 0 && type != basis_) return;
    const int h = lattice_.n_checks();
    symptoms.toggle(static_cast<SymptomCode>(dt * 2 * h + (type == Basis::X ? 0 : h) + k));
  }
  constexpr void data_fault(int data, Basis pauli, int time, Symptoms& symptoms) const noexcept {
    const Basis detected_by = opposite(pauli);
    for (const int k : lattice_.checks_of_data[detected_by == Basis::X ? 0 : 1][data]) {
      if (k < 0) continue;
      int layer = 0;
      while (lattice_.partner(detected_by, k, layer) != data) ++layer;
      // A check coupled later sees the error in this round, one coupled before sees it in the next.
      toggle_detector(layer >= time ? 0 : 1, detected_by, k, symptoms);
    }
    if (detected_by == basis_ && lattice_.in_logical(basis_, data)) symptoms.toggle(observable_code);
  }

  const Lattice<max_distance>& lattice_;
  Basis basis_;
  bool first_round_;
};

}  // namespace spinel
