// SPDX-License-Identifier: Apache-2.0
// The closed vocabularies of the calibration-rule engine: experiment families, status codes, outcomes, reliability.
// First in the flow: every later header speaks these words. Source: QCalEval (arXiv 2604.25884) for the 41 codes, the four
// outcomes and the three fit answers; the last four codes are this engine's own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace spinel::calib {

/// An experiment family: decides the model that is fitted and the rules that apply.
enum class Family : std::uint8_t {
  coupler_flux, cz_benchmarking, drag, gmm, microwave_ramsey, pinchoff, pingpong, qubit_flux_spectroscopy,
  qubit_spectroscopy, qubit_spectroscopy_power_frequency, rabi, rabi_hw, ramsey_charge_tomography, ramsey_freq_cal,
  ramsey_t2star, res_spec, rydberg_ramsey, rydberg_spectroscopy, t1, t1_fluctuations, t2_echo, allxy,
  randomized_benchmarking, dispersive_shift, resonator_flux_map, qubit_flux_map, zz, single_shot_readout,
  time_of_flight, conditional_oscillation_cz, unknown
};

inline constexpr std::size_t n_families = static_cast<std::size_t>(Family::unknown);
inline constexpr std::string_view family_names[n_families] = {
    "coupler_flux", "cz_benchmarking", "drag", "gmm", "microwave_ramsey", "pinchoff", "pingpong",
    "qubit_flux_spectroscopy", "qubit_spectroscopy", "qubit_spectroscopy_power_frequency", "rabi", "rabi_hw",
    "ramsey_charge_tomography", "ramsey_freq_cal", "ramsey_t2star", "res_spec", "rydberg_ramsey",
    "rydberg_spectroscopy", "t1", "t1_fluctuations", "t2_echo", "allxy", "randomized_benchmarking",
    "dispersive_shift", "resonator_flux_map", "qubit_flux_map", "zz", "single_shot_readout", "time_of_flight",
    "conditional_oscillation_cz"};

constexpr std::string_view to_string(Family family) noexcept {
  return family == Family::unknown ? std::string_view{"unknown"} : family_names[static_cast<std::size_t>(family)];
}

/// Finds a family by name or alias; `unknown` when there is none.
constexpr Family parse_family(std::string_view name) noexcept {
  struct Alias {
    std::string_view name;
    Family family;
  };
  constexpr Alias aliases[] = {
      {"rabi_amplitude", Family::rabi},          {"rabi_length", Family::rabi},
      {"ramsey", Family::ramsey_freq_cal},       {"resonator_spectroscopy", Family::res_spec},
      {"pi_pulse_error_amplification", Family::pingpong}, {"zz_jazz", Family::zz}, {"ramsey_zz", Family::zz}};
  for (const auto& alias : aliases)
    if (alias.name == name) return alias.family;
  if (name.substr(0, 19) == "single_shot_readout") return Family::gmm;
  if (name.substr(0, 5) == "drag_") return Family::drag;
  for (std::size_t k = 0; k < n_families; ++k)
    if (family_names[k] == name) return static_cast<Family>(k);
  return Family::unknown;
}

/// A status code: QCalEval's 41, then four of this engine.
enum class Code : std::uint8_t {
  SUCCESS, FIT_POOR, NO_GATE, MISCALIBRATED, NO_SIGNAL, OPTIMAL_NOT_CENTERED, NO_EXCITATION, HIGH_POWER,
  NO_RES_RESPONSE, LOW_CONTRAST, DETUNED, ASYMMETRIC, INVERTED, INCOMPLETE, NO_TRANSITION, NEGATIVE_OFFSET,
  POSITIVE_OFFSET, MODERATE_ERROR, LARGE_ERROR, FIT_FAILED, RANGE_TOO_NARROW, NOT_TUNABLE, MULTIPLE_PEAKS,
  AMP_TOO_HIGH, DAMPED, UNDERSAMPLED, OFF_RESONANCE, NO_EVENT, EVENT, NO_COHERENCE, NO_DETUNING, BEATING,
  TOO_MANY_OSC, TOO_FEW_OSC, WINDOW_TOO_SHORT, SAMPLING_TOO_COARSE, STABLE, TELEGRAPHIC, RANDOM_WALK, CORRECTED,
  ABERRATED, PARAM_AT_EDGE, ILL_CONDITIONED, NON_EXPONENTIAL, BAD_INPUT
};

inline constexpr std::string_view code_names[] = {
    "SUCCESS", "FIT_POOR", "NO_GATE", "MISCALIBRATED", "NO_SIGNAL", "OPTIMAL_NOT_CENTERED", "NO_EXCITATION",
    "HIGH_POWER", "NO_RES_RESPONSE", "LOW_CONTRAST", "DETUNED", "ASYMMETRIC", "INVERTED", "INCOMPLETE",
    "NO_TRANSITION", "NEGATIVE_OFFSET", "POSITIVE_OFFSET", "MODERATE_ERROR", "LARGE_ERROR", "FIT_FAILED",
    "RANGE_TOO_NARROW", "NOT_TUNABLE", "MULTIPLE_PEAKS", "AMP_TOO_HIGH", "DAMPED", "UNDERSAMPLED", "OFF_RESONANCE",
    "NO_EVENT", "EVENT", "NO_COHERENCE", "NO_DETUNING", "BEATING", "TOO_MANY_OSC", "TOO_FEW_OSC",
    "WINDOW_TOO_SHORT", "SAMPLING_TOO_COARSE", "STABLE", "TELEGRAPHIC", "RANDOM_WALK", "CORRECTED", "ABERRATED",
    "PARAM_AT_EDGE", "ILL_CONDITIONED", "NON_EXPONENTIAL", "BAD_INPUT"};
static_assert(sizeof(code_names) / sizeof(code_names[0]) == 45, "QCalEval's 41 codes and four more");

constexpr std::string_view to_string(Code code) noexcept { return code_names[static_cast<std::size_t>(code)]; }

/// What the measurement means for the operator: QCalEval's question 2.
enum class Outcome : std::uint8_t { expected, suboptimal, anomalous, apparatus };
constexpr std::string_view to_string(Outcome outcome) noexcept {
  constexpr std::string_view names[] = {"expected", "suboptimal", "anomalous", "apparatus"};
  return names[static_cast<std::size_t>(outcome)];
}

/// Whether the fitted parameters may be used: QCalEval's question 4.
enum class Reliability : std::uint8_t { reliable, unreliable, no_fit };
constexpr std::string_view to_string(Reliability reliability) noexcept {
  constexpr std::string_view names[] = {"reliable", "unreliable", "no_fit"};
  return names[static_cast<std::size_t>(reliability)];
}

}  // namespace spinel::calib
