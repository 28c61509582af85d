// SPDX-License-Identifier: Apache-2.0
// The ordered rule table: facts to verdict. The first rule that holds gives the status; all that hold are recorded. Thresholds are
// data, so that a rule set can be exchanged and replayed. Codes and the outcome of each: QCalEval; texts are this engine's own.
#pragma once

#include <cstdint>

#include <spinel/calib/decision.hpp>

namespace spinel::calib {

/// The numbers in the rules. Every field may be overridden by a rule set; names are the ones used there.
struct Thresholds {
  double dbic_signal = 10, snr_signal = 4, dbic_second = 10, second_ratio = 0.25;
  double rabi_min_periods = 0.75, rabi_min_periods_calibrated = 0.45, rabi_min_points_per_period = 4, rabi_min_envelope = 0.5;
  double ramsey_min_periods = 2, ramsey_max_nyquist = 0.8, ramsey_min_points_per_period = 3, ramsey_min_window = 1.5;
  double ramsey_max_periods = 100, ramsey_dense = 5;
  double decay_min_window = 2, decay_min_points = 3, benchmarking_min_decay = 0.7;
  double line_max_width = 0.33, line_min_steps = 0.5, edge = 0.02;
  double max_relative_stderr = 0.25, max_residual = 0.35, max_correlation = 0.98, residual_z = 3;
  double drag_low = 0.25, drag_high = 0.75, separation_low = 1.0, ellipticity_high = 2.2, outside_high = 0.08;
  double pingpong_moderate = 0.008, pingpong_large = 0.08;
  double detuned_Hz = 1400, fringe_contrast = 0.3;
  double allxy_moderate = 0.1, allxy_large = 0.25;
  double history_contrast = 0.5, history_width = 10;
  double min_confidence = 0.8;
};

struct ThresholdName {
  std::string_view name;
  double Thresholds::*field;
};
inline constexpr ThresholdName threshold_names[] = {
    {"dbic_signal", &Thresholds::dbic_signal}, {"snr_signal", &Thresholds::snr_signal},
    {"dbic_second", &Thresholds::dbic_second}, {"second_ratio", &Thresholds::second_ratio},
    {"rabi_min_periods", &Thresholds::rabi_min_periods},
    {"rabi_min_periods_calibrated", &Thresholds::rabi_min_periods_calibrated},
    {"rabi_min_points_per_period", &Thresholds::rabi_min_points_per_period},
    {"rabi_min_envelope", &Thresholds::rabi_min_envelope}, {"ramsey_min_periods", &Thresholds::ramsey_min_periods},
    {"ramsey_max_nyquist", &Thresholds::ramsey_max_nyquist},
    {"ramsey_min_points_per_period", &Thresholds::ramsey_min_points_per_period},
    {"ramsey_min_window", &Thresholds::ramsey_min_window}, {"ramsey_max_periods", &Thresholds::ramsey_max_periods},
    {"decay_min_window", &Thresholds::decay_min_window}, {"decay_min_points", &Thresholds::decay_min_points},
    {"benchmarking_min_decay", &Thresholds::benchmarking_min_decay}, {"line_max_width", &Thresholds::line_max_width},
    {"line_min_steps", &Thresholds::line_min_steps}, {"edge", &Thresholds::edge},
    {"max_relative_stderr", &Thresholds::max_relative_stderr}, {"max_residual", &Thresholds::max_residual},
    {"max_correlation", &Thresholds::max_correlation}, {"residual_z", &Thresholds::residual_z}, {"drag_low", &Thresholds::drag_low},
    {"drag_high", &Thresholds::drag_high}, {"separation_low", &Thresholds::separation_low},
    {"ellipticity_high", &Thresholds::ellipticity_high}, {"outside_high", &Thresholds::outside_high}, {"pingpong_moderate", &Thresholds::pingpong_moderate},
    {"pingpong_large", &Thresholds::pingpong_large}, {"detuned_Hz", &Thresholds::detuned_Hz},
    {"fringe_contrast", &Thresholds::fringe_contrast}, {"allxy_moderate", &Thresholds::allxy_moderate},
    {"allxy_large", &Thresholds::allxy_large}, {"history_contrast", &Thresholds::history_contrast}, {"history_width", &Thresholds::history_width}, {"ramsey_dense", &Thresholds::ramsey_dense}, {"min_confidence", &Thresholds::min_confidence}};
static_assert(sizeof(threshold_names) / sizeof(threshold_names[0]) == sizeof(Thresholds) / sizeof(double), "every threshold has a name");

using FamilySet = std::uint64_t;
constexpr FamilySet set_of(Family family) noexcept { return FamilySet{1} << static_cast<unsigned>(family); }
template <class... More>
constexpr FamilySet set_of(Family first, More... more) noexcept {
  return set_of(first) | (set_of(more) | ...);
}
inline constexpr FamilySet every_family = ~FamilySet{0};
inline constexpr FamilySet rabi_families = set_of(Family::rabi, Family::rabi_hw);
inline constexpr FamilySet ramsey_families = set_of(Family::ramsey_freq_cal, Family::ramsey_t2star);
inline constexpr FamilySet decay_families = set_of(Family::t1, Family::t2_echo);
inline constexpr FamilySet line_families = set_of(Family::res_spec, Family::qubit_spectroscopy, Family::dispersive_shift);
inline constexpr FamilySet qubit_line = set_of(Family::qubit_spectroscopy);
inline constexpr FamilySet map_families = set_of(Family::resonator_flux_map, Family::qubit_flux_map);
inline constexpr FamilySet readout_families = set_of(Family::gmm, Family::single_shot_readout);

/// One rule. `when` looks at facts only; `cause`, `looks`, `next` are what an operator reads.
struct Rule {
  const char* id;
  FamilySet families;
  bool (*when)(const Facts&, const Thresholds&) noexcept;
  Code code;
  Outcome outcome;
  Reliability reliability;
  const char* cause;
  const char* looks;
  const char* next;
};

namespace detail {
constexpr bool flat(const Facts& f, const Thresholds& t) noexcept {
  // Overwhelming evidence for the model outweighs a height that noise or damping hides.
  // A slope whose rate is unknown, lower than the noise of a point, is a drift.
  return f.constant || f.dbic < t.dbic_signal || (f.snr < t.snr_signal && f.dbic < 4 * t.dbic_signal) || (f.snr < 0.6 * t.snr_signal && f.relative_stderr > 0.5);
}
}  // namespace detail

inline constexpr Rule rules[] = {
    {"input", every_family, [](const Facts& f, const Thresholds&) noexcept { return f.input_error != nullptr; }, Code::BAD_INPUT, Outcome::apparatus, Reliability::no_fit, "The trace cannot be read as this family's measurement.", "Missing columns, too few finite points, or a sweep that does not move.", "Check the export and the request's columns."},
    {"input.saturated", every_family & ~readout_families, [](const Facts& f, const Thresholds&) noexcept { return f.saturated > 0.08; }, Code::BAD_INPUT, Outcome::apparatus, Reliability::unreliable, "The signal is cut at one end of its range: the digitizer saturates.", "A flat top or bottom where values repeat exactly.", "Lower the gain or widen the digitizer's range, then repeat."},
    {"readout.no_signal", readout_families, [](const Facts& f, const Thresholds& t) noexcept { return f.constant || (f.separation < t.separation_low && f.kurtosis < -0.8); }, Code::NO_SIGNAL, Outcome::apparatus, Reliability::no_fit, "The readout chain returns one value, or a scatter that is no cloud.", "One point, or a filled box, in the IQ plane.", "Check digitizer and readout line."},
    {"readout.no_response", readout_families, [](const Facts& f, const Thresholds& t) noexcept { return f.separation < t.separation_low && f.level < 0.25; }, Code::NO_RES_RESPONSE, Outcome::apparatus, Reliability::unreliable, "Noise about the origin for both preparations: the resonator does not answer.", "One round cloud at zero.", "Repeat resonator spectroscopy."},
    {"readout.high_power", readout_families, [](const Facts& f, const Thresholds& t) noexcept { return (f.ellipticity > t.ellipticity_high || f.outside > t.outside_high) && !(f.separation < t.separation_low && f.second_ratio < 0.1); }, Code::HIGH_POWER, Outcome::suboptimal, Reliability::unreliable, "A cloud is stretched, or many shots lie off the line between the clouds: readout drives transitions or saturates.", "Long or split clouds, or a third one.", "Lower the readout power by 3 to 6 dB."},
    {"readout.no_excitation", readout_families, [](const Facts& f, const Thresholds& t) noexcept { return f.separation < t.separation_low || f.second_ratio < 0.2; }, Code::NO_EXCITATION, Outcome::anomalous, Reliability::unreliable, "Both preparations give the same clouds: the qubit is not excited, or the states are not resolved.", "Clouds on top of each other.", "Repeat Rabi, then readout."},
    {"allxy.no_signal", set_of(Family::allxy), [](const Facts& f, const Thresholds& t) noexcept { return f.constant || f.dbic < t.dbic_signal; }, Code::NO_SIGNAL, Outcome::apparatus, Reliability::no_fit, "The 21 pairs show no staircase.", "Noise about one level.", "Check drive and readout; repeat Rabi."},
    {"allxy.large", set_of(Family::allxy), [](const Facts& f, const Thresholds& t) noexcept { return f.error > t.allxy_large; }, Code::LARGE_ERROR, Outcome::anomalous, Reliability::unreliable, "The pairs are far from the staircase.", "Steps that are not flat.", "Repeat Rabi and Ramsey before fine tuning."},
    {"allxy.moderate", set_of(Family::allxy), [](const Facts& f, const Thresholds& t) noexcept { return f.error > t.allxy_moderate; }, Code::MODERATE_ERROR, Outcome::suboptimal, Reliability::reliable, "The pairs leave the staircase by a moderate amount.", "Steps with a pattern.", "Tune what the syndrome names."},
    {"flight.no_signal", set_of(Family::time_of_flight), detail::flat, Code::NO_SIGNAL, Outcome::apparatus, Reliability::no_fit, "No arrival above the noise.", "A flat envelope.", "Check cabling and trigger delay."},
    {"line.no_signal", line_families, detail::flat, Code::NO_SIGNAL, Outcome::anomalous, Reliability::no_fit, "No line stands above the noise in this range.", "Noise around a smooth background.", "Widen the range; check drive power and the parent calibration."},
    {"map.no_signal", map_families, [](const Facts& f, const Thresholds&) noexcept { return f.constant || f.resolved_fraction < 0.3; }, Code::NO_SIGNAL, Outcome::apparatus, Reliability::no_fit, "Too few slices show a feature.", "A map without a ridge.", "Check power and frequency range."},
    {"power.no_signal", set_of(Family::qubit_spectroscopy_power_frequency), [](const Facts& f, const Thresholds&) noexcept { return f.constant || f.dbic < 10; }, Code::NO_SIGNAL, Outcome::apparatus, Reliability::no_fit, "No power shows a line.", "A map without a ridge.", "Check the frequency range."},
    {"power.too_high", set_of(Family::qubit_spectroscopy_power_frequency), [](const Facts& f, const Thresholds&) noexcept { return f.span_over_width < 12; }, Code::AMP_TOO_HIGH, Outcome::suboptimal, Reliability::unreliable, "Even the narrowest line is power broadened.", "Wide bands instead of lines.", "Lower the drive amplitude."},
    {"atoms.undersampled", set_of(Family::rydberg_ramsey), [](const Facts& f, const Thresholds& t) noexcept { return f.points_per_period < 3 || f.window_periods < 1 || f.nyquist_ratio > t.ramsey_max_nyquist; }, Code::UNDERSAMPLED, Outcome::suboptimal, Reliability::unreliable, "Too few points a fringe, or windows shorter than a fringe.", "Points that any of several frequencies fits.", "Let each window cover a whole fringe with at least six points."},
    {"fringes.low_contrast", set_of(Family::microwave_ramsey), [](const Facts& f, const Thresholds& t) noexcept { return f.constant || f.dbic < t.dbic_signal || f.contrast < t.fringe_contrast; }, Code::LOW_CONTRAST, Outcome::anomalous, Reliability::unreliable, "The fringes have hardly any contrast.", "A nearly flat trace.", "Check microwave power, state preparation and detection."},
    {"fringes.detuned", set_of(Family::microwave_ramsey), [](const Facts& f, const Thresholds& t) noexcept { return f.detuning > t.detuned_Hz || f.detuning < -t.detuned_Hz; }, Code::DETUNED, Outcome::anomalous, Reliability::unreliable, "The central fringe is away from zero: the drive is detuned.", "Fringes shifted to one side.", "Retune the drive by the fitted detuning."},
    {"rydberg.low_contrast", set_of(Family::rydberg_spectroscopy), [](const Facts& f, const Thresholds& t) noexcept { return f.constant || f.dbic < t.dbic_signal || f.contrast < 0.4; }, Code::LOW_CONTRAST, Outcome::apparatus, Reliability::unreliable, "The line hardly stands out.", "A shallow dip.", "Improve laser stability, alignment and power."},
    {"cz.no_gate", set_of(Family::cz_benchmarking), [](const Facts& f, const Thresholds&) noexcept { return f.error > 0.07 && f.contrast > 0.99; }, Code::NO_GATE, Outcome::anomalous, Reliability::unreliable, "The polarization is lost at once though no atom is: the gate does not act.", "Polarization near zero from the first cycles, retention flat.", "Check that the gate pulse reaches the atoms."},
    {"cz.miscalibrated", set_of(Family::cz_benchmarking), [](const Facts& f, const Thresholds&) noexcept { return f.error > 0.07 || f.contrast < 0.98; }, Code::MISCALIBRATED, Outcome::anomalous, Reliability::unreliable, "Polarization and atoms are lost gate by gate.", "Both decays steep.", "Recalibrate the gate, with shallower circuits."},
    {"pinchoff.no_transition", set_of(Family::pinchoff), [](const Facts& f, const Thresholds& t) noexcept { return f.dbic < t.dbic_signal || f.snr < t.snr_signal; }, Code::NO_TRANSITION, Outcome::apparatus, Reliability::no_fit, "No step stands above the noise.", "Noise about one level.", "Check gate wiring and detection."},
    {"pinchoff.inverted", set_of(Family::pinchoff), [](const Facts& f, const Thresholds&) noexcept { return f.inverted; }, Code::INVERTED, Outcome::anomalous, Reliability::unreliable, "The signal grows where it should vanish.", "A step upside down.", "Check the sign of the detection chain."},
    {"pinchoff.incomplete", set_of(Family::pinchoff), [](const Facts& f, const Thresholds&) noexcept { return f.completeness < 0.92; }, Code::INCOMPLETE, Outcome::suboptimal, Reliability::unreliable, "The sweep ends before the channel is closed.", "A step cut at its end.", "Sweep 20 to 30 % farther."},
    {"pinchoff.negative", set_of(Family::pinchoff), [](const Facts& f, const Thresholds&) noexcept { return f.level < -0.08 && f.level < -4 * f.level_error; }, Code::NEGATIVE_OFFSET, Outcome::anomalous, Reliability::unreliable, "The closed channel settles below zero.", "A floor under zero.", "Null the offset of the detection chain."},
    {"pinchoff.positive", set_of(Family::pinchoff), [](const Facts& f, const Thresholds&) noexcept { return f.level > 0.08 && f.level > 4 * f.level_error; }, Code::POSITIVE_OFFSET, Outcome::anomalous, Reliability::unreliable, "The closed channel settles above zero.", "A floor above zero.", "Null the offset, or look for a leak."},
    {"charge.no_coherence", set_of(Family::ramsey_charge_tomography), [](const Facts& f, const Thresholds& t) noexcept { return f.constant || f.dbic < t.dbic_signal || f.snr < 3; }, Code::NO_COHERENCE, Outcome::apparatus, Reliability::no_fit, "No charge fringes stand above the noise.", "A map of noise.", "Check coherence and readout."},
    {"charge.event", set_of(Family::ramsey_charge_tomography), [](const Facts& f, const Thresholds&) noexcept { return f.jumps > 0; }, Code::EVENT, Outcome::expected, Reliability::reliable, "The fringes shift suddenly: charge jumps.", "Fringes broken along horizontal lines.", "Record positions and sizes."},
    {"charge.no_event", set_of(Family::ramsey_charge_tomography), [](const Facts& f, const Thresholds&) noexcept { return f.jumps == 0; }, Code::NO_EVENT, Outcome::expected, Reliability::reliable, "The fringes run on without a jump.", "Straight stripes.", "None."},
    {"flux.no_signal", set_of(Family::qubit_flux_spectroscopy), [](const Facts& f, const Thresholds&) noexcept { return f.constant || f.resolved_fraction < 0.12; }, Code::NO_SIGNAL, Outcome::apparatus, Reliability::no_fit, "No slice shows a line.", "A map of noise.", "Check drive power and frequency range."},
    {"flux.failed", set_of(Family::qubit_flux_spectroscopy), [](const Facts& f, const Thresholds&) noexcept { return f.resolved_fraction >= 0.25 && f.inlier_fraction < 0.6 && f.roughness > 1.0; }, Code::FIT_FAILED, Outcome::suboptimal, Reliability::unreliable, "The ridge jumps from slice to slice: no curve follows it.", "Points scattered over the map.", "Repeat with more averaging; look for flux or charge jumps."},
    {"flux.range", set_of(Family::qubit_flux_spectroscopy), [](const Facts& f, const Thresholds&) noexcept { return f.resolved_fraction < 0.35 || (f.resolved_fraction < 0.5 && !(f.inlier_fraction > 0.9 && f.periods > 1)); }, Code::RANGE_TOO_NARROW, Outcome::suboptimal, Reliability::unreliable, "The line is in the window for a few bias values only.", "A piece of an arc.", "Widen the frequency window."},
    {"flux.poor", set_of(Family::qubit_flux_spectroscopy), [](const Facts& f, const Thresholds&) noexcept { return f.second_fraction > 0.1 || f.inlier_fraction < 0.85 || f.misfit > 1.75; }, Code::FIT_POOR, Outcome::suboptimal, Reliability::unreliable, "Two branches, or slices away from the curve: one arc does not describe the map.", "An avoided crossing.", "Narrow the bias range to one branch."},
    {"flux.not_tunable", set_of(Family::qubit_flux_spectroscopy), [](const Facts& f, const Thresholds&) noexcept { return f.tunability < 1.0; }, Code::NOT_TUNABLE, Outcome::anomalous, Reliability::unreliable, "The line does not move with the bias.", "A straight horizontal line.", "Check the flux line."},
    {"coupler.poor", set_of(Family::coupler_flux), [](const Facts& f, const Thresholds&) noexcept { return f.constant || f.resolved_fraction < 0.6 || f.roughness > 0.3 || f.jumps < 1; }, Code::FIT_POOR, Outcome::suboptimal, Reliability::unreliable, "The branches cannot be followed: too little signal, a broken ridge, or no crossing in the range.", "Scattered points.", "Widen the bias range; average more."},
    {"ramsey.aliased", ramsey_families | set_of(Family::zz), [](const Facts& f, const Thresholds& t) noexcept { return f.nyquist_ratio > t.ramsey_max_nyquist; }, Code::SAMPLING_TOO_COARSE, Outcome::suboptimal, Reliability::unreliable, "The virtual detuning is at or above the Nyquist frequency of the sweep: the fringes are aliased.", "Fringes at a frequency that is not the detuning.", "Take a smaller step or a smaller virtual detuning."},
    {"series.too_short", set_of(Family::t1_fluctuations), [](const Facts& f, const Thresholds&) noexcept { return f.n < 8; }, Code::BAD_INPUT, Outcome::apparatus, Reliability::no_fit, "Too few values for a statement about fluctuations.", "A handful of points.", "Record at least 30 values."},
    {"series.telegraphic", set_of(Family::t1_fluctuations), [](const Facts& f, const Thresholds&) noexcept { return f.bimodality > 10 && f.jumps < 0.35; }, Code::TELEGRAPHIC, Outcome::anomalous, Reliability::unreliable, "The series switches between two levels.", "Two plateaus with sudden jumps.", "Look for a two-level system; retune the frequency."},
    {"series.random_walk", set_of(Family::t1_fluctuations), [](const Facts& f, const Thresholds&) noexcept { return f.lag_one > 0.6; }, Code::RANDOM_WALK, Outcome::anomalous, Reliability::unreliable, "The series drifts: neighbors agree, distant values do not.", "A slow wander.", "Shorten the interval between calibrations."},
    {"series.stable", set_of(Family::t1_fluctuations), [](const Facts&, const Thresholds&) noexcept { return true; }, Code::STABLE, Outcome::expected, Reliability::reliable, "The series scatters about one level.", "Noise about a constant.", "None."},
    {"pingpong.no_excitation", set_of(Family::pingpong), [](const Facts& f, const Thresholds& t) noexcept { return f.constant || ((f.level > 0.2 || f.level < -0.2) && (f.dbic < 2 * t.dbic_signal || f.contrast < 0.12)) || (f.dbic < t.dbic_signal && !(f.level <= 0.2)); }, Code::NO_EXCITATION, Outcome::anomalous, Reliability::no_fit, "The population does not move with the number of pulses and stays at one level.", "A flat line away from one half.", "Repeat Rabi."},
    {"pingpong.large", set_of(Family::pingpong), [](const Facts& f, const Thresholds& t) noexcept { return f.error > t.pingpong_large; }, Code::LARGE_ERROR, Outcome::anomalous, Reliability::unreliable, "Each pulse misses pi by a large angle.", "Fast oscillation in the pulse number.", "Repeat Rabi before fine tuning."},
    {"pingpong.moderate", set_of(Family::pingpong), [](const Facts& f, const Thresholds& t) noexcept { return f.error > t.pingpong_moderate; }, Code::MODERATE_ERROR, Outcome::suboptimal, Reliability::unreliable, "Each pulse misses pi by a moderate angle.", "Slow oscillation in the pulse number.", "Correct the amplitude and repeat with fewer pulses."},
    {"driven.no_signal", set_of(Family::rabi) | ramsey_families | decay_families | set_of(Family::drag, Family::zz, Family::randomized_benchmarking, Family::conditional_oscillation_cz, Family::rydberg_ramsey), detail::flat, Code::NO_SIGNAL, Outcome::apparatus, Reliability::no_fit, "The trace is not better described by the model than by a constant.", "Noise about one level.", "Check drive, readout and wiring; average more."},
    {"rabi_hw.no_signal", set_of(Family::rabi_hw), [](const Facts& f, const Thresholds&) noexcept { return f.constant; }, Code::NO_SIGNAL, Outcome::apparatus, Reliability::no_fit, "The trace does not move.", "One level.", "Check drive, readout and wiring."},
    {"rabi_hw.off_resonance", set_of(Family::rabi_hw), [](const Facts& f, const Thresholds&) noexcept { return f.dbic_other > 12 && f.r_squared_other > 0.6 && f.second_ratio > 0.12 && f.second_ratio < 4; }, Code::OFF_RESONANCE, Outcome::anomalous, Reliability::unreliable, "Contrast and rate grow together with the amplitude: the drive is off resonance.", "Oscillations that deepen to the right.", "Repeat qubit spectroscopy."},
    {"rabi_hw.poor", set_of(Family::rabi_hw), [](const Facts& f, const Thresholds& t) noexcept { return f.dbic < t.dbic_signal || f.snr < t.snr_signal || (f.periods >= t.rabi_min_periods && f.r_squared < 0.65); }, Code::FIT_POOR, Outcome::suboptimal, Reliability::unreliable, "The cosine explains little of the trace.", "Points far from the curve.", "Average more; check the linearity of the drive."},
    {"rabi.range", rabi_families, [](const Facts& f, const Thresholds& t) noexcept { return f.periods < (f.calibrated ? t.rabi_min_periods_calibrated : t.rabi_min_periods); }, Code::RANGE_TOO_NARROW, Outcome::suboptimal, Reliability::unreliable, "Less than one period fits in the sweep.", "An arc instead of an oscillation.", "Widen the sweep to two periods."},
    {"rabi.undersampled", rabi_families, [](const Facts& f, const Thresholds& t) noexcept { return f.points_per_period < t.rabi_min_points_per_period; }, Code::UNDERSAMPLED, Outcome::suboptimal, Reliability::unreliable, "Too few points in a period.", "Zigzag between neighbors.", "Take more points or a smaller range."},
    {"rabi.damped", rabi_families, [](const Facts& f, const Thresholds& t) noexcept { return f.envelope < t.rabi_min_envelope; }, Code::DAMPED, Outcome::anomalous, Reliability::unreliable, "The oscillation dies out within the sweep.", "A shrinking envelope.", "Check T1, T2 and the drive's stability."},
    {"ramsey.beating", ramsey_families, [](const Facts& f, const Thresholds& t) noexcept { return f.dbic_second > 2 * t.dbic_second && f.second_ratio > t.second_ratio; }, Code::BEATING, Outcome::anomalous, Reliability::unreliable, "Two frequencies: charge parity, a two-level system or a neighbor.", "An envelope with nodes.", "Measure longer to resolve both tones; change the bias point."},
    {"ramsey.no_detuning", ramsey_families, [](const Facts& f, const Thresholds&) noexcept { return f.periods < 1.0 && f.dbic_other < 6; }, Code::NO_DETUNING, Outcome::suboptimal, Reliability::unreliable, "No fringe: a bare decay describes the trace as well.", "A decay without oscillation.", "Set a virtual detuning of a few periods over the window."},
    {"ramsey.dense", set_of(Family::ramsey_freq_cal), [](const Facts& f, const Thresholds& t) noexcept { return f.points_per_period < t.ramsey_dense; }, Code::TOO_MANY_OSC, Outcome::suboptimal, Reliability::unreliable, "So many fringes that each has only a few points.", "A dense band.", "Shorten the window or lower the virtual detuning."},
    {"ramsey.sampling", ramsey_families, [](const Facts& f, const Thresholds& t) noexcept { return f.points_per_period < t.ramsey_min_points_per_period; }, Code::SAMPLING_TOO_COARSE, Outcome::suboptimal, Reliability::unreliable, "The fitted fringe is near the Nyquist frequency: it may be an alias.", "Zigzag between neighbors.", "Take a smaller step."},
    {"ramsey.too_few", ramsey_families, [](const Facts& f, const Thresholds& t) noexcept { return f.periods < t.ramsey_min_periods; }, Code::TOO_FEW_OSC, Outcome::suboptimal, Reliability::unreliable, "Less than two fringes fit in the window: frequency and decay cannot be told apart.", "One slow swing.", "Lengthen the window or raise the virtual detuning."},
    {"ramsey.too_many", ramsey_families, [](const Facts& f, const Thresholds& t) noexcept { return f.periods > t.ramsey_max_periods; }, Code::TOO_MANY_OSC, Outcome::suboptimal, Reliability::unreliable, "So many fringes that a miscount is likely.", "A dense band.", "Shorten the window or lower the virtual detuning."},
    {"ramsey.window", set_of(Family::ramsey_t2star), [](const Facts& f, const Thresholds& t) noexcept { return f.window_over_t < t.ramsey_min_window; }, Code::WINDOW_TOO_SHORT, Outcome::suboptimal, Reliability::unreliable, "The window ends before the fringes have decayed: T2* is extrapolated.", "Fringes of nearly constant height.", "Lengthen the window to 2.5 T2*."},
    {"zz.too_few", set_of(Family::zz), [](const Facts& f, const Thresholds&) noexcept { return f.periods < 0.75; }, Code::TOO_FEW_OSC, Outcome::suboptimal, Reliability::unreliable, "No control state shows a whole fringe.", "One slow swing.", "Lengthen the window."},
    {"benchmarking.window", set_of(Family::randomized_benchmarking), [](const Facts& f, const Thresholds& t) noexcept { return f.window_over_t < t.benchmarking_min_decay; }, Code::WINDOW_TOO_SHORT, Outcome::suboptimal, Reliability::unreliable, "The decay never nears its floor: amplitude, offset and rate are degenerate.", "A straight line.", "Use longer sequences, to about 1.5 / (1 - p)."},
    {"benchmarking.two_rates", set_of(Family::randomized_benchmarking), [](const Facts& f, const Thresholds& t) noexcept { return f.dbic_second > t.dbic_second && f.second_ratio > 0.1; }, Code::NON_EXPONENTIAL, Outcome::anomalous, Reliability::unreliable, "Two decay rates: leakage or drifting errors.", "A bend on the logarithmic scale.", "Measure leakage."},
    {"decay.sampling", decay_families, [](const Facts& f, const Thresholds& t) noexcept { return f.points_per_t < t.decay_min_points; }, Code::SAMPLING_TOO_COARSE, Outcome::suboptimal, Reliability::unreliable, "The decay is over within the first few points.", "One drop, then a flat line.", "Take a step of a tenth of the decay time."},
    {"decay.window", decay_families, [](const Facts& f, const Thresholds& t) noexcept { return f.window_over_t < t.decay_min_window; }, Code::WINDOW_TOO_SHORT, Outcome::suboptimal, Reliability::unreliable, "The window ends before the decay has settled.", "A nearly straight slope.", "Lengthen the window to five decay times."},
    {"decay.two_rates", set_of(Family::t1), [](const Facts& f, const Thresholds& t) noexcept { return f.dbic_second > 2 * t.dbic_second && f.second_ratio > 0.25; }, Code::NON_EXPONENTIAL, Outcome::anomalous, Reliability::unreliable, "Two decay rates: quasiparticles or a coupled two-level system.", "A fast drop before a slow tail.", "Repeat; if it stays, check for quasiparticles."},
    {"drag.outside", set_of(Family::drag), [](const Facts& f, const Thresholds&) noexcept { return f.center < 0 || f.center > 1; }, Code::OPTIMAL_NOT_CENTERED, Outcome::suboptimal, Reliability::unreliable, "The two sequences do not cross within the sweep.", "Two lines that meet beyond the plot.", "Shift the sweep toward the crossing."},
    {"drag.off_center", set_of(Family::drag), [](const Facts& f, const Thresholds& t) noexcept { return f.center < t.drag_low || f.center > t.drag_high; }, Code::OPTIMAL_NOT_CENTERED, Outcome::suboptimal, Reliability::reliable, "The optimum lies in an outer quarter of the sweep or outside.", "The crossing at the side of the plot.", "Repeat centered on the crossing."},
    {"line.outlier", line_families, [](const Facts& f, const Thresholds& t) noexcept { return f.lines < 1 && (f.width_over_step < t.line_min_steps || f.relative_stderr > 1); }, Code::NO_SIGNAL, Outcome::anomalous, Reliability::no_fit, "One point stands out and its neighbors do not: an outlier, no line.", "A single spike.", "Repeat with finer steps around it; widen the range."},
    {"line.ripple", set_of(Family::res_spec), [](const Facts& f, const Thresholds&) noexcept { return (f.lines < 1 && f.span_over_width < 8) || (f.depth < 0.1 && f.span_over_width < 10); }, Code::NO_SIGNAL, Outcome::anomalous, Reliability::no_fit, "What the model found is a ripple of the background: no line stands above the noise.", "A gentle wave.", "Widen the range; check wiring."},
    {"line.edge", line_families, [](const Facts& f, const Thresholds& t) noexcept { return f.center < t.edge || f.center > 1 - t.edge; }, Code::PARAM_AT_EDGE, Outcome::suboptimal, Reliability::unreliable, "The line sits at the end of the sweep.", "Half a line.", "Shift the sweep onto the line."},
    {"line.two", qubit_line, [](const Facts& f, const Thresholds& t) noexcept { return (f.dbic_second > t.dbic_second && (!f.f02_half || f.residual_fraction > t.max_residual)) || f.lines > 2 || (f.lines > 1 && !f.f02_half); }, Code::MULTIPLE_PEAKS, Outcome::anomalous, Reliability::unreliable, "More than one line, not explained by f02/2.", "Two lines.", "Lower the power; look for a neighbor or a two-level system."},
    {"line.wide", line_families, [](const Facts& f, const Thresholds& t) noexcept { return f.span_over_width < 1 / t.line_max_width; }, Code::RANGE_TOO_NARROW, Outcome::suboptimal, Reliability::unreliable, "The line is as wide as the sweep.", "A single broad arch.", "Widen the sweep, or lower the power."},
    {"line.coarse", qubit_line, [](const Facts& f, const Thresholds& t) noexcept { return f.width_over_step < t.line_min_steps; }, Code::SAMPLING_TOO_COARSE, Outcome::suboptimal, Reliability::unreliable, "The line is narrower than the step.", "One point stands out.", "Narrow the sweep around it."},
    {"map.not_tunable", map_families, [](const Facts& f, const Thresholds&) noexcept { return f.tunability < 1.0 || f.dbic < 10; }, Code::NOT_TUNABLE, Outcome::anomalous, Reliability::unreliable, "The ridge does not move with the bias.", "A straight horizontal line.", "Check the flux line."},
    {"map.range", set_of(Family::qubit_flux_map), [](const Facts& f, const Thresholds&) noexcept { return f.center < -0.5 || f.center > 1.5; }, Code::RANGE_TOO_NARROW, Outcome::suboptimal, Reliability::unreliable, "The extremum of the arc lies outside the sweep.", "A slope without a turning point.", "Shift the bias range."},
    {"cz.phase", set_of(Family::conditional_oscillation_cz), [](const Facts& f, const Thresholds&) noexcept { return f.error > 0.5; }, Code::MISCALIBRATED, Outcome::suboptimal, Reliability::reliable, "The conditional phase is far from 180 degrees.", "The two curves are not in antiphase.", "Adjust the flux pulse amplitude."},
    {"rabi_hw.contrast", set_of(Family::rabi_hw), [](const Facts& f, const Thresholds&) noexcept { return f.population && f.contrast < 0.65; }, Code::OFF_RESONANCE, Outcome::anomalous, Reliability::unreliable, "The population never gets near one: the drive is off resonance.", "Oscillations of half height.", "Repeat qubit spectroscopy."},
    {"rabi_hw.distorted", set_of(Family::rabi_hw), [](const Facts& f, const Thresholds&) noexcept { return f.residual_fraction > 0.3; }, Code::FIT_POOR, Outcome::suboptimal, Reliability::unreliable, "The residual of the cosine is systematic.", "Curve and points drift apart.", "Check the linearity of the drive."},
    {"history.contrast", rabi_families | ramsey_families | decay_families | line_families, [](const Facts& f, const Thresholds& t) noexcept { return f.contrast_ratio < t.history_contrast; }, Code::LOW_CONTRAST, Outcome::anomalous, Reliability::unreliable, "The signal has less than half of the height that it usually has.", "The usual curve, much lower.", "Check readout and state preparation."},
    {"history.width", qubit_line, [](const Facts& f, const Thresholds& t) noexcept { return f.width_ratio > t.history_width; }, Code::AMP_TOO_HIGH, Outcome::suboptimal, Reliability::unreliable, "The line is more than ten times as wide as it usually is: power broadening.", "A broad line.", "Lower the drive power."},
    {"coherence.limit", set_of(Family::t2_echo, Family::ramsey_t2star), [](const Facts& f, const Thresholds&) noexcept { return f.limit_ratio > 1; }, Code::FIT_POOR, Outcome::anomalous, Reliability::unreliable, "The coherence time exceeds what T1 or the echo allow: one of the values is wrong or out of date.", "T2 above 2 T1, or T2* above T2 echo.", "Repeat T1 and the echo."},
    {"fit.poor", every_family & ~readout_families & ~map_families, [](const Facts& f, const Thresholds& t) noexcept { return f.residual_fraction > t.max_residual && !(f.residual_z < t.residual_z); }, Code::FIT_POOR, Outcome::anomalous, Reliability::unreliable, "The residual is systematic.", "The curve misses parts of the data.", "Inspect the trace; another model may apply."},
    {"fit.correlated", ramsey_families | decay_families | line_families, [](const Facts& f, const Thresholds& t) noexcept { return f.correlation > t.max_correlation && f.relative_stderr > 0.5 * t.max_relative_stderr; }, Code::ILL_CONDITIONED, Outcome::suboptimal, Reliability::unreliable, "Two unknowns of the fit move together: the data do not tell them apart.", "Curves of different parameters that look alike.", "Widen the sweep or calibrate the levels."},
    {"fit.uncertain", every_family, [](const Facts& f, const Thresholds& t) noexcept { return f.relative_stderr > t.max_relative_stderr; }, Code::ILL_CONDITIONED, Outcome::suboptimal, Reliability::unreliable, "The data do not pin the parameter down.", "A wide band of curves fits.", "Average more, or widen the sweep."},
    {"ramsey.sign", set_of(Family::ramsey_freq_cal), [](const Facts& f, const Thresholds&) noexcept { return f.sign_known < 0.5; }, Code::SUCCESS, Outcome::expected, Reliability::reliable, "Clear fringes, but off the virtual detuning by more than half of it: the sign of the shift is open, so nothing is written.", "Fringes far faster or slower than planned.", "Repeat with a virtual detuning larger than either reading of the shift."},
    {"success", every_family, [](const Facts&, const Thresholds&) noexcept { return true; }, Code::SUCCESS, Outcome::expected, Reliability::reliable, "The model describes the trace and every check holds.", "Curve and data agree.", "Apply the update."}};

/// Fills the verdict of a decision whose facts are complete.
constexpr void judge(Decision& decision, const Thresholds& thresholds) noexcept {
  bool decided = false;
  decision.rules_fired.clear();
  for (const auto& rule : rules) {
    if ((rule.families & set_of(decision.family)) == 0 || !rule.when(decision.facts, thresholds)) continue;
    const bool closing = rule.outcome == Outcome::expected;
    if (decided && closing) continue;
    decision.rules_fired.push_back(rule.id);
    if (decided) continue;
    decided = true;
    decision.code = rule.code;
    decision.outcome = rule.outcome;
    decision.reliability = rule.reliability;
    decision.reason = rule.code == Code::BAD_INPUT && decision.facts.input_error != nullptr ? decision.facts.input_error : rule.cause;
    if (rule.code == Code::BAD_INPUT || rule.reliability == Reliability::no_fit) break;
  }
}

}  // namespace spinel::calib
