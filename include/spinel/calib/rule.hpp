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
  double ramsey_max_periods = 100;
  double decay_min_window = 2, decay_min_points = 3, benchmarking_min_decay = 0.7;
  double line_max_width = 0.33, line_min_steps = 0.5, edge = 0.02;
  double max_relative_stderr = 0.25, max_residual = 0.35, max_correlation = 0.98;
  double drag_low = 0.25, drag_high = 0.75, separation_low = 1.0, ellipticity_high = 2.2;
  double pingpong_moderate = 0.01, pingpong_large = 0.05;
  double detuned_fraction = 0.5, contrast_low = 0.15;
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
    {"max_correlation", &Thresholds::max_correlation}, {"drag_low", &Thresholds::drag_low},
    {"drag_high", &Thresholds::drag_high}, {"separation_low", &Thresholds::separation_low},
    {"ellipticity_high", &Thresholds::ellipticity_high}, {"pingpong_moderate", &Thresholds::pingpong_moderate},
    {"pingpong_large", &Thresholds::pingpong_large}, {"detuned_fraction", &Thresholds::detuned_fraction},
    {"contrast_low", &Thresholds::contrast_low}, {"min_confidence", &Thresholds::min_confidence}};
static_assert(sizeof(threshold_names) / sizeof(threshold_names[0]) == sizeof(Thresholds) / sizeof(double), "every threshold has a name");

using FamilySet = std::uint64_t;
constexpr FamilySet set_of(Family family) noexcept { return FamilySet{1} << static_cast<unsigned>(family); }
template <class... More>
constexpr FamilySet set_of(Family first, More... more) noexcept {
  return set_of(first) | (set_of(more) | ...);
}
inline constexpr FamilySet every_family = ~FamilySet{0};
inline constexpr FamilySet rabi_families = set_of(Family::rabi, Family::rabi_hw);
inline constexpr FamilySet ramsey_families = set_of(Family::ramsey_freq_cal, Family::ramsey_t2star, Family::rydberg_ramsey, Family::microwave_ramsey);
inline constexpr FamilySet decay_families = set_of(Family::t1, Family::t2_echo);
inline constexpr FamilySet line_families = set_of(Family::res_spec, Family::qubit_spectroscopy, Family::dispersive_shift);
inline constexpr FamilySet qubit_line = set_of(Family::qubit_spectroscopy);
inline constexpr FamilySet map_families = set_of(Family::resonator_flux_map, Family::qubit_flux_map, Family::qubit_flux_spectroscopy, Family::coupler_flux);
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
  return f.constant || f.dbic < t.dbic_signal || f.snr < t.snr_signal;
}
}  // namespace detail

inline constexpr Rule rules[] = {
    {"input", every_family, [](const Facts& f, const Thresholds&) noexcept { return f.input_error != nullptr; }, Code::BAD_INPUT, Outcome::apparatus, Reliability::no_fit, "The trace cannot be read as this family's measurement.", "Missing columns, too few finite points, or a sweep that does not move.", "Check the export and the request's columns."},
    {"readout.no_response", readout_families, [](const Facts& f, const Thresholds&) noexcept { return f.constant; }, Code::NO_RES_RESPONSE, Outcome::apparatus, Reliability::no_fit, "All shots are equal: the readout chain returns nothing.", "One point in the IQ plane.", "Check the readout line, then resonator spectroscopy."},
    {"readout.high_power", readout_families, [](const Facts& f, const Thresholds& t) noexcept { return f.ellipticity > t.ellipticity_high; }, Code::HIGH_POWER, Outcome::suboptimal, Reliability::unreliable, "A cloud is stretched: readout drives transitions or saturates.", "Long or split clouds.", "Lower the readout power by 3 to 6 dB."},
    {"readout.no_excitation", readout_families, [](const Facts& f, const Thresholds& t) noexcept { return f.separation < t.separation_low || f.second_ratio < 0.2; }, Code::NO_EXCITATION, Outcome::anomalous, Reliability::unreliable, "Both preparations give the same clouds: the qubit is not excited, or the states are not resolved.", "Clouds on top of each other.", "Repeat Rabi, then readout."},
    {"flight.no_signal", set_of(Family::time_of_flight), detail::flat, Code::NO_SIGNAL, Outcome::apparatus, Reliability::no_fit, "No arrival above the noise.", "A flat envelope.", "Check cabling and trigger delay."},
    {"line.no_signal", line_families, detail::flat, Code::NO_SIGNAL, Outcome::anomalous, Reliability::no_fit, "No line stands above the noise in this range.", "Noise around a smooth background.", "Widen the range; check drive power and the parent calibration."},
    {"map.no_signal", map_families, [](const Facts& f, const Thresholds&) noexcept { return f.constant || f.resolved_fraction < 0.3; }, Code::NO_SIGNAL, Outcome::apparatus, Reliability::no_fit, "Too few slices show a feature.", "A map without a ridge.", "Check power and frequency range."},
    {"power.no_signal", set_of(Family::qubit_spectroscopy_power_frequency), [](const Facts& f, const Thresholds&) noexcept { return f.constant || f.dbic < 10; }, Code::NO_SIGNAL, Outcome::apparatus, Reliability::no_fit, "No power shows a line.", "A map without a ridge.", "Check the frequency range."},
    {"power.too_high", set_of(Family::qubit_spectroscopy_power_frequency), [](const Facts& f, const Thresholds&) noexcept { return f.span_over_width < 12; }, Code::AMP_TOO_HIGH, Outcome::suboptimal, Reliability::unreliable, "Even the narrowest line is power broadened.", "Wide bands instead of lines.", "Lower the drive amplitude."},
    {"ramsey.aliased", ramsey_families | set_of(Family::zz), [](const Facts& f, const Thresholds& t) noexcept { return f.nyquist_ratio > t.ramsey_max_nyquist; }, Code::SAMPLING_TOO_COARSE, Outcome::suboptimal, Reliability::unreliable, "The virtual detuning is at or above the Nyquist frequency of the sweep: the fringes are aliased.", "Fringes at a frequency that is not the detuning.", "Take a smaller step or a smaller virtual detuning."},
    {"series.too_short", set_of(Family::t1_fluctuations), [](const Facts& f, const Thresholds&) noexcept { return f.n < 8; }, Code::BAD_INPUT, Outcome::apparatus, Reliability::no_fit, "Too few values for a statement about fluctuations.", "A handful of points.", "Record at least 30 values."},
    {"series.telegraphic", set_of(Family::t1_fluctuations), [](const Facts& f, const Thresholds&) noexcept { return f.bimodality > 10 && f.jumps < 0.35; }, Code::TELEGRAPHIC, Outcome::anomalous, Reliability::reliable, "The series switches between two levels.", "Two plateaus with sudden jumps.", "Look for a two-level system; retune the frequency."},
    {"series.random_walk", set_of(Family::t1_fluctuations), [](const Facts& f, const Thresholds&) noexcept { return f.lag_one > 0.6; }, Code::RANDOM_WALK, Outcome::anomalous, Reliability::reliable, "The series drifts: neighbors agree, distant values do not.", "A slow wander.", "Shorten the interval between calibrations."},
    {"series.stable", set_of(Family::t1_fluctuations), [](const Facts&, const Thresholds&) noexcept { return true; }, Code::STABLE, Outcome::expected, Reliability::reliable, "The series scatters about one level.", "Noise about a constant.", "None."},
    {"pingpong.no_excitation", set_of(Family::pingpong), [](const Facts& f, const Thresholds& t) noexcept { return f.constant || f.contrast < 0.03 || (f.dbic < t.dbic_signal && f.contrast < 0.1); }, Code::NO_EXCITATION, Outcome::anomalous, Reliability::no_fit, "The population does not move with the number of pulses and stays at one level.", "A flat line away from one half.", "Repeat Rabi."},
    {"pingpong.large", set_of(Family::pingpong), [](const Facts& f, const Thresholds& t) noexcept { return f.error > t.pingpong_large; }, Code::LARGE_ERROR, Outcome::anomalous, Reliability::unreliable, "Each pulse misses pi by a large angle.", "Fast oscillation in the pulse number.", "Repeat Rabi before fine tuning."},
    {"pingpong.moderate", set_of(Family::pingpong), [](const Facts& f, const Thresholds& t) noexcept { return f.error > t.pingpong_moderate; }, Code::MODERATE_ERROR, Outcome::suboptimal, Reliability::unreliable, "Each pulse misses pi by a moderate angle.", "Slow oscillation in the pulse number.", "Correct the amplitude and repeat with fewer pulses."},
    {"driven.no_signal", rabi_families | ramsey_families | decay_families | set_of(Family::drag, Family::zz, Family::randomized_benchmarking, Family::cz_benchmarking, Family::conditional_oscillation_cz), detail::flat, Code::NO_SIGNAL, Outcome::apparatus, Reliability::no_fit, "The trace is not better described by the model than by a constant.", "Noise about one level.", "Check drive, readout and wiring; average more."},
    {"rabi.range", rabi_families, [](const Facts& f, const Thresholds& t) noexcept { return f.periods < (f.calibrated ? t.rabi_min_periods_calibrated : t.rabi_min_periods); }, Code::RANGE_TOO_NARROW, Outcome::suboptimal, Reliability::unreliable, "Less than one period fits in the sweep.", "An arc instead of an oscillation.", "Widen the sweep to two periods."},
    {"rabi.undersampled", rabi_families, [](const Facts& f, const Thresholds& t) noexcept { return f.points_per_period < t.rabi_min_points_per_period; }, Code::UNDERSAMPLED, Outcome::suboptimal, Reliability::unreliable, "Too few points in a period.", "Zigzag between neighbors.", "Take more points or a smaller range."},
    {"rabi.damped", rabi_families, [](const Facts& f, const Thresholds& t) noexcept { return f.envelope < t.rabi_min_envelope; }, Code::DAMPED, Outcome::anomalous, Reliability::unreliable, "The oscillation dies out within the sweep.", "A shrinking envelope.", "Check T1, T2 and the drive's stability."},
    {"ramsey.beating", ramsey_families, [](const Facts& f, const Thresholds& t) noexcept { return f.dbic_second > 2 * t.dbic_second && f.second_ratio > t.second_ratio; }, Code::BEATING, Outcome::anomalous, Reliability::unreliable, "Two frequencies: charge parity, a two-level system or a neighbor.", "An envelope with nodes.", "Measure longer to resolve both tones; change the bias point."},
    {"ramsey.no_detuning", ramsey_families, [](const Facts& f, const Thresholds&) noexcept { return f.periods < 1.0 && f.dbic_other < 6; }, Code::NO_DETUNING, Outcome::suboptimal, Reliability::unreliable, "No fringe: a bare decay describes the trace as well.", "A decay without oscillation.", "Set a virtual detuning of a few periods over the window."},
    {"ramsey.sampling", ramsey_families, [](const Facts& f, const Thresholds& t) noexcept { return f.points_per_period < t.ramsey_min_points_per_period; }, Code::SAMPLING_TOO_COARSE, Outcome::suboptimal, Reliability::unreliable, "The fitted fringe is near the Nyquist frequency: it may be an alias.", "Zigzag between neighbors.", "Take a smaller step."},
    {"ramsey.too_few", ramsey_families, [](const Facts& f, const Thresholds& t) noexcept { return f.periods < t.ramsey_min_periods; }, Code::TOO_FEW_OSC, Outcome::suboptimal, Reliability::unreliable, "Less than two fringes fit in the window: frequency and decay cannot be told apart.", "One slow swing.", "Lengthen the window or raise the virtual detuning."},
    {"ramsey.too_many", ramsey_families, [](const Facts& f, const Thresholds& t) noexcept { return f.periods > t.ramsey_max_periods; }, Code::TOO_MANY_OSC, Outcome::suboptimal, Reliability::unreliable, "So many fringes that a miscount is likely.", "A dense band.", "Shorten the window or lower the virtual detuning."},
    {"ramsey.window", set_of(Family::ramsey_t2star), [](const Facts& f, const Thresholds& t) noexcept { return f.window_over_t < t.ramsey_min_window; }, Code::WINDOW_TOO_SHORT, Outcome::suboptimal, Reliability::unreliable, "The window ends before the fringes have decayed: T2* is extrapolated.", "Fringes of nearly constant height.", "Lengthen the window to 2.5 T2*."},
    {"zz.too_few", set_of(Family::zz), [](const Facts& f, const Thresholds&) noexcept { return f.periods < 0.75; }, Code::TOO_FEW_OSC, Outcome::suboptimal, Reliability::unreliable, "No control state shows a whole fringe.", "One slow swing.", "Lengthen the window."},
    {"benchmarking.window", set_of(Family::randomized_benchmarking, Family::cz_benchmarking), [](const Facts& f, const Thresholds& t) noexcept { return f.window_over_t < t.benchmarking_min_decay; }, Code::WINDOW_TOO_SHORT, Outcome::suboptimal, Reliability::unreliable, "The decay never nears its floor: amplitude, offset and rate are degenerate.", "A straight line.", "Use longer sequences, to about 1.5 / (1 - p)."},
    {"benchmarking.two_rates", set_of(Family::randomized_benchmarking), [](const Facts& f, const Thresholds& t) noexcept { return f.dbic_second > t.dbic_second && f.second_ratio > 0.1; }, Code::NON_EXPONENTIAL, Outcome::anomalous, Reliability::unreliable, "Two decay rates: leakage or drifting errors.", "A bend on the logarithmic scale.", "Measure leakage."},
    {"decay.sampling", decay_families, [](const Facts& f, const Thresholds& t) noexcept { return f.points_per_t < t.decay_min_points; }, Code::SAMPLING_TOO_COARSE, Outcome::suboptimal, Reliability::unreliable, "The decay is over within the first few points.", "One drop, then a flat line.", "Take a step of a tenth of the decay time."},
    {"decay.window", decay_families, [](const Facts& f, const Thresholds& t) noexcept { return f.window_over_t < t.decay_min_window; }, Code::WINDOW_TOO_SHORT, Outcome::suboptimal, Reliability::unreliable, "The window ends before the decay has settled.", "A nearly straight slope.", "Lengthen the window to five decay times."},
    {"decay.two_rates", set_of(Family::t1), [](const Facts& f, const Thresholds& t) noexcept { return f.dbic_second > 2 * t.dbic_second && f.second_ratio > 0.25; }, Code::NON_EXPONENTIAL, Outcome::anomalous, Reliability::unreliable, "Two decay rates: quasiparticles or a coupled two-level system.", "A fast drop before a slow tail.", "Repeat; if it stays, check for quasiparticles."},
    {"drag.off_center", set_of(Family::drag), [](const Facts& f, const Thresholds& t) noexcept { return f.center < t.drag_low || f.center > t.drag_high; }, Code::OPTIMAL_NOT_CENTERED, Outcome::suboptimal, Reliability::reliable, "The optimum lies in an outer quarter of the sweep or outside.", "The crossing at the side of the plot.", "Repeat centered on the crossing."},
    {"line.edge", line_families, [](const Facts& f, const Thresholds& t) noexcept { return f.center < t.edge || f.center > 1 - t.edge; }, Code::PARAM_AT_EDGE, Outcome::suboptimal, Reliability::unreliable, "The line sits at the end of the sweep.", "Half a line.", "Shift the sweep onto the line."},
    {"line.two", qubit_line, [](const Facts& f, const Thresholds& t) noexcept { return f.dbic_second > t.dbic_second && !f.f02_half; }, Code::MULTIPLE_PEAKS, Outcome::anomalous, Reliability::unreliable, "More than one line, not explained by f02/2.", "Two lines.", "Lower the power; look for a neighbor or a two-level system."},
    {"line.wide", line_families, [](const Facts& f, const Thresholds& t) noexcept { return f.span_over_width < 1 / t.line_max_width; }, Code::RANGE_TOO_NARROW, Outcome::suboptimal, Reliability::unreliable, "The line is as wide as the sweep.", "A single broad arch.", "Widen the sweep, or lower the power."},
    {"line.coarse", qubit_line, [](const Facts& f, const Thresholds& t) noexcept { return f.width_over_step < t.line_min_steps; }, Code::SAMPLING_TOO_COARSE, Outcome::suboptimal, Reliability::unreliable, "The line is narrower than the step.", "One point stands out.", "Narrow the sweep around it."},
    {"map.not_tunable", map_families, [](const Facts& f, const Thresholds&) noexcept { return f.tunability < 1.0 || f.dbic < 10; }, Code::NOT_TUNABLE, Outcome::anomalous, Reliability::unreliable, "The ridge does not move with the bias.", "A straight horizontal line.", "Check the flux line."},
    {"map.range", set_of(Family::qubit_flux_map, Family::qubit_flux_spectroscopy), [](const Facts& f, const Thresholds&) noexcept { return f.center < -0.5 || f.center > 1.5; }, Code::RANGE_TOO_NARROW, Outcome::suboptimal, Reliability::unreliable, "The extremum of the arc lies outside the sweep.", "A slope without a turning point.", "Shift the bias range."},
    {"cz.phase", set_of(Family::conditional_oscillation_cz), [](const Facts& f, const Thresholds&) noexcept { return f.error > 0.5; }, Code::MISCALIBRATED, Outcome::suboptimal, Reliability::reliable, "The conditional phase is far from 180 degrees.", "The two curves are not in antiphase.", "Adjust the flux pulse amplitude."},
    {"fit.poor", every_family & ~readout_families & ~map_families, [](const Facts& f, const Thresholds& t) noexcept { return f.residual_fraction > t.max_residual; }, Code::FIT_POOR, Outcome::anomalous, Reliability::unreliable, "The residual is systematic.", "The curve misses parts of the data.", "Inspect the trace; another model may apply."},
    {"fit.uncertain", every_family, [](const Facts& f, const Thresholds& t) noexcept { return f.relative_stderr > t.max_relative_stderr; }, Code::ILL_CONDITIONED, Outcome::suboptimal, Reliability::unreliable, "The data do not pin the parameter down.", "A wide band of curves fits.", "Average more, or widen the sweep."},
    {"success", every_family, [](const Facts&, const Thresholds&) noexcept { return true; }, Code::SUCCESS, Outcome::expected, Reliability::reliable, "The model describes the trace and every check holds.", "Curve and data agree.", "Apply the update."}};

/// Fills the verdict of a decision whose facts are complete.
constexpr void judge(Decision& decision, const Thresholds& thresholds) noexcept {
  bool decided = false;
  decision.rules_fired.clear();
  for (const auto& rule : rules) {
    if ((rule.families & set_of(decision.family)) == 0 || !rule.when(decision.facts, thresholds)) continue;
    const bool closing = rule.code == Code::SUCCESS || rule.code == Code::STABLE;
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
