// SPDX-License-Identifier: Apache-2.0
// Numbering of detectors and measurements, and the step from measurements to detection events (first arrow of the data flow).
// Source: the order in which the reference circuits emit DETECTOR lines (arXiv 2604.12841 and its published circuits).
#pragma once

#include <cstdint>
#include <initializer_list>

#include <spinel/code/lattice.hpp>
#include <spinel/core/bits.hpp>

namespace spinel {

/// Detector of check k of `type` in round index t in [0, rounds). In round 0 only the memory basis has detectors: -1 otherwise.
constexpr std::int64_t detector_index(const MemoryExperiment& experiment, Basis type, int k, std::int64_t t) noexcept {
  const std::int64_t h = experiment.n_checks();
  if (t == 0) return type == experiment.basis ? k : -1;
  return h * (2 * t - (type == Basis::X ? 1 : 0)) + k;
}

/// Detector that compares check k of the memory basis, as recomputed from the data read-out, with its last measurement.
constexpr std::int64_t boundary_detector_index(const MemoryExperiment& experiment, int k) noexcept {
  return std::int64_t{experiment.n_checks()} * (2 * std::int64_t{experiment.rounds} - 1) + k;
}

/// Record of check k of `type` in round index t; the data qubits follow after all rounds.
constexpr std::int64_t measurement_index(const MemoryExperiment& experiment, Basis type, int k, std::int64_t t) noexcept {
  const std::int64_t h = experiment.n_checks();
  return 2 * h * t + (type == Basis::X ? 0 : h) + k;
}
constexpr std::int64_t data_measurement_index(const MemoryExperiment& experiment, int data) noexcept {
  return std::int64_t{2} * experiment.n_checks() * experiment.rounds + data;
}

template <MemoryExperiment experiment>
using Detectors = Bits<static_cast<std::size_t>(experiment.n_detectors())>;
template <MemoryExperiment experiment>
using Measurements = Bits<static_cast<std::size_t>(experiment.n_measurements())>;

/// Predicted changes of the logical observables, bit k for observable k.
using ObservableFlips = std::uint64_t;
/// The running XOR of observable flips.
using LogicalFrame = std::uint64_t;

/// Detection events of one shot of measurements. Cost O(detectors), no memory beside the result.
template <MemoryExperiment experiment>
constexpr Detectors<experiment> detection_events(const Measurements<experiment>& measurements) noexcept {
  constexpr const auto& code = lattice<experiment>;
  Detectors<experiment> events;
  const auto set = [&](std::int64_t detector, bool bit) {
    if (bit) events.set(static_cast<std::size_t>(detector));
  };
  const auto record = [&](std::int64_t index) { return measurements[static_cast<std::size_t>(index)]; };
  for (int k = 0; k < code.n_checks(); ++k) {
    set(detector_index(experiment, experiment.basis, k, 0), record(measurement_index(experiment, experiment.basis, k, 0)));
    for (std::int64_t t = 1; t < experiment.rounds; ++t)
      for (const Basis type : {Basis::X, Basis::Z})
        set(detector_index(experiment, type, k, t), record(measurement_index(experiment, type, k, t)) !=
                                                        record(measurement_index(experiment, type, k, t - 1)));
    bool parity = record(measurement_index(experiment, experiment.basis, k, experiment.rounds - 1));
    for (const auto q : code.check(experiment.basis, k).corner)
      if (q != no_qubit) parity ^= record(data_measurement_index(experiment, q));
    set(boundary_detector_index(experiment, k), parity);
  }
  return events;
}

/// The logical observable as measured: parity of the data read-out along the logical operator of the memory basis.
template <MemoryExperiment experiment>
constexpr bool measured_observable(const Measurements<experiment>& measurements) noexcept {
  bool parity = false;
  for (int k = 0; k < experiment.distance; ++k)
    parity ^= measurements[static_cast<std::size_t>(
        data_measurement_index(experiment, lattice<experiment>.logical_qubit(experiment.basis, k)))];
  return parity;
}

}  // namespace spinel
