// SPDX-License-Identifier: Apache-2.0
// The 25-parameter circuit-level noise model and its named special cases.
// Source: arXiv 2604.12841, Sec. II (25 parameters); SI1000: arXiv 2108.10457, Table 1, as mapped there.
#pragma once

#include <spinel/core/status.hpp>

namespace spinel {

/// Probabilities per fault location. Labels of prep and meas name the basis, not the Pauli: p_prep_X is a Z error after |+>.
struct NoiseParameters {
  double p_prep_X = 0, p_prep_Z = 0;  ///< after preparation and reset, data and ancilla
  double p_meas_X = 0, p_meas_Z = 0;  ///< before measurement; on the data as read-out noise
  double p_idle_cnot[3] = {};         ///< X, Y, Z on a qubit idle during a CNOT layer
  double p_idle_spam[3] = {};         ///< X, Y, Z on a data qubit once a round, while ancillas are measured and reset
  double p_cnot[15] = {};             ///< IX IY IZ XI XX XY XZ YI YX YY YZ ZI ZX ZY ZZ, first letter on the control

  static constexpr int n_parameters = 25;
  static constexpr const char* const names[n_parameters] = {
      "p_prep_X",      "p_prep_Z",      "p_meas_X",      "p_meas_Z",  "p_idle_cnot_X", "p_idle_cnot_Y", "p_idle_cnot_Z",
      "p_idle_spam_X", "p_idle_spam_Y", "p_idle_spam_Z", "p_cnot_IX", "p_cnot_IY",     "p_cnot_IZ",     "p_cnot_XI",
      "p_cnot_XX",     "p_cnot_XY",     "p_cnot_XZ",     "p_cnot_YI", "p_cnot_YX",     "p_cnot_YY",     "p_cnot_YZ",
      "p_cnot_ZI",     "p_cnot_ZX",     "p_cnot_ZY",     "p_cnot_ZZ"};

  /// Parameter by its place in `names`.
  constexpr double& operator[](int index) noexcept {
    switch (index) {
      case 0: return p_prep_X;
      case 1: return p_prep_Z;
      case 2: return p_meas_X;
      case 3: return p_meas_Z;
      default: return index < 7 ? p_idle_cnot[index - 4] : index < 10 ? p_idle_spam[index - 7] : p_cnot[index - 10];
    }
  }
  constexpr double operator[](int index) const noexcept {
    auto copy = *this;
    return copy[index];
  }

  /// ok, not_finite, or bad_argument (a value outside [0, 1] or a channel whose sum exceeds 1).
  constexpr Status validate() const noexcept {
    double sums[3] = {};
    for (int k = 0; k < n_parameters; ++k) {
      const double p = (*this)[k];
      if (!(p - p == 0)) return Status::not_finite;
      if (p < 0 || p > 1) return Status::bad_argument;
      if (k >= 4) sums[k < 7 ? 0 : k < 10 ? 1 : 2] += p;
    }
    constexpr double one_and_rounding = 1 + 1e-12;
    for (const double sum : sums)
      if (sum > one_and_rounding) return Status::bad_argument;
    return Status::ok;
  }
};

namespace detail {
constexpr NoiseParameters depolarizing_like(double prep, double meas, double idle_cnot_each, double step, double cnot_each) {
  NoiseParameters noise;
  noise.p_prep_X = noise.p_prep_Z = prep;
  noise.p_meas_X = noise.p_meas_Z = meas;
  for (auto& p : noise.p_idle_cnot) p = idle_cnot_each;
  // Two depolarizing steps with `step` per Pauli, one for the measurement and one for the reset window.
  for (auto& p : noise.p_idle_spam) p = 2 * step - 4 * step * step;
  for (auto& p : noise.p_cnot) p = cnot_each;
  return noise;
}
}  // namespace detail

/// One physical error rate p for every location: p/15 per CNOT Pauli, p/3 per idle Pauli, 2p/3 for preparation and measurement.
constexpr NoiseParameters uniform_depolarizing(double p) noexcept {
  return detail::depolarizing_like(2 * p / 3, 2 * p / 3, p / 3, p / 3, p / 15);
}

/// Superconducting-inspired noise: preparation 2p, measurement 5p, CNOT p, idling p/10 in a CNOT layer and 2p during read-out.
constexpr NoiseParameters si1000(double p) noexcept {
  return detail::depolarizing_like(2 * p, 5 * p, p / 30, 2 * p / 3, p / 15);
}

}  // namespace spinel
