// SPDX-License-Identifier: Apache-2.0
// From a verdict to typed, bounded actions: an update where the fit is reliable, else the computed next sweep, a changed setting,
// or the parent calibration. Every number comes from the facts of the trace, capped at a factor of ten of the present sweep.
#pragma once

#include <spinel/calib/decision.hpp>
#include <spinel/core/algorithm.hpp>
#include <spinel/core/math.hpp>

namespace spinel::calib {

namespace detail {
/// What the update of a family sets: parameter of the fit, name of the controlled setting ("" : monitored only).
struct Target {
  Family family;
  const char* fitted;
  const char* setting;
};
inline constexpr Target targets[] = {
    {Family::rabi, "pi_amplitude", "pi_amplitude"}, {Family::rabi, "pi_length_s", "pi_length_s"}, {Family::rabi_hw, "pi_amplitude", "pi_amplitude"},
    {Family::ramsey_freq_cal, "qubit_frequency_Hz", "f01_Hz"}, {Family::qubit_spectroscopy, "frequency_Hz", "f01_Hz"},
    {Family::res_spec, "frequency_Hz", "readout_frequency_Hz"}, {Family::drag, "beta", "beta"},
    {Family::gmm, "acq_threshold", "acq_threshold"}, {Family::gmm, "acq_rotation_rad", "acq_rotation_rad"},
    {Family::resonator_flux_map, "sweetspot", "flux_bias"}, {Family::qubit_flux_map, "sweetspot", "flux_bias"},
    {Family::t1, "T1_s", "T1_s"}, {Family::t2_echo, "T2_echo_s", "T2_echo_s"}, {Family::ramsey_t2star, "T2_star_s", "T2_star_s"},
    {Family::dispersive_shift, "frequency_Hz", "readout_frequency_Hz"}};

constexpr Family parent_of(Family family) noexcept {
  switch (family) {
    case Family::qubit_spectroscopy: return Family::res_spec;
    case Family::rabi: case Family::rabi_hw: return Family::qubit_spectroscopy;
    case Family::ramsey_freq_cal: case Family::ramsey_t2star: case Family::t1: case Family::gmm: case Family::pingpong: case Family::drag: return Family::rabi;
    case Family::t2_echo: return Family::ramsey_t2star;
    case Family::allxy: return Family::drag;
    case Family::randomized_benchmarking: return Family::allxy;
    default: return Family::unknown;
  }
}
}  // namespace detail

/// Appends the actions that follow from the verdict.
inline void propose(const Request& request, Decision& decision) noexcept {
  const auto& facts = decision.facts;
  const double first = decision.x_first, last = decision.x_last, span = last - first;
  const int n = static_cast<int>(spinel::clamp(facts.n, 2.0, 1e6));
  const auto rerun = [&](double start, double stop, int points, const char* why, double factor = 1.0) {
    if (!spinel::isfinite(start) || !spinel::isfinite(stop)) return;
    Action action;
    action.type = ActionType::rerun;
    action.sweep = {start, stop, spinel::clamp(points, 11, 401), decision.x_unit};
    action.shots = spinel::isfinite(request.meta.shots) ? request.meta.shots * factor : missing;
    action.why = why;
    decision.actions.push_back(action);
  };
  const auto change = [&](const char* param, double old_value, double new_value, const char* why) {
    Action action;
    action.type = ActionType::change;
    action.param = param;
    action.old_value = old_value;
    action.new_value = new_value;
    action.why = why;
    decision.actions.push_back(action);
  };
  const auto parent = [&] {
    const Family family = detail::parent_of(decision.family);
    Action action;
    action.type = family == Family::unknown ? ActionType::abort : ActionType::parent;
    action.family = family;
    action.why = "the cause lies before this experiment";
    decision.actions.push_back(action);
  };
  const auto value = [&](std::string_view name) {
    const auto* parameter = decision.find(name);
    return parameter != nullptr ? parameter->value : missing;
  };

  if (decision.reliability == Reliability::reliable && decision.outcome != Outcome::anomalous)
    for (const auto& target : detail::targets)
      if (target.family == decision.family)
        if (const auto* parameter = decision.find(target.fitted)) {
          Action action;
          action.type = ActionType::update;
          action.param = target.setting;
          action.new_value = parameter->value;
          action.stderr_value = parameter->stderr_value;
          action.why = "reliable fit";
          decision.actions.push_back(action);
        }

  switch (decision.code) {
    case Code::SUCCESS: case Code::STABLE: break;
    case Code::TOO_FEW_OSC: {
      const double f = facts.periods / span;
      rerun(spinel::max(0.0, first), spinel::min(first + 10 * span, first + spinel::max(3 * span, 5.0 / f)), spinel::max(n, 41), "window for at least five fringes at the fitted frequency");
      if (spinel::isfinite(request.meta.virtual_detuning_Hz)) change("virtual_detuning_Hz", request.meta.virtual_detuning_Hz, 5.0 / span, "five fringes over the present window");
      break;
    }
    case Code::NO_DETUNING:
      rerun(spinel::max(0.0, first), last, spinel::max(n, 41), "same window with a virtual detuning of five fringes");
      change("virtual_detuning_Hz", request.meta.virtual_detuning_Hz, 5.0 / span, "five fringes over the window");
      break;
    case Code::SAMPLING_TOO_COARSE: case Code::UNDERSAMPLED: {
      const bool decay = decision.family == Family::t1 || decision.family == Family::t2_echo;
      if (decay) {
        rerun(0.0, spinel::max(spinel::max(5 * facts.points_per_t, 3.0) * facts.step, 0.02 * span), 41, "window of five decay times");
      } else if (decision.family == Family::qubit_spectroscopy) {
        const double f = value("frequency_Hz");
        rerun(f - 10 * facts.step, f + 10 * facts.step, 81, "fine sweep around the candidate");
      } else {
        const double f = facts.nyquist_ratio > 0.8 ? spinel::fabs(request.meta.virtual_detuning_Hz) : facts.periods / span;
        rerun(first, first + spinel::min(span, 10.0 / f), 81, "eight points a fringe at the expected frequency");
      }
      break;
    }
    case Code::TOO_MANY_OSC:
      rerun(first, first + 10.0 * span / facts.periods, 101, "ten fringes");
      break;
    case Code::WINDOW_TOO_SHORT: {
      double stop = first + 3 * span;
      if (decision.family == Family::randomized_benchmarking || decision.family == Family::cz_benchmarking)
        stop = spinel::min(10 * last, 1.5 / spinel::max(facts.error, 1e-12));
      else if (facts.window_over_t > 0)
        stop = spinel::min(10 * last, (decision.family == Family::ramsey_t2star ? 2.5 : 5.0) * last / facts.window_over_t);
      rerun(spinel::max(0.0, first), spinel::max(stop, 1.5 * last), spinel::max(n, 31), "window from the fitted decay");
      break;
    }
    case Code::RANGE_TOO_NARROW:
      if (decision.family == Family::rabi || decision.family == Family::rabi_hw)
        rerun(spinel::min(0.0, first), spinel::min(first + 10 * span, first + 2.2 * span / spinel::max(facts.periods, 0.22)), spinel::max(n, 51), "two periods at the fitted frequency");
      else
        rerun(first - span, last + span, spinel::min(3 * n, 401), "three times the range");
      break;
    case Code::OPTIMAL_NOT_CENTERED: {
      const double at = spinel::clamp(value("beta"), first - 2 * span, last + 2 * span);
      rerun(at - 0.5 * span, at + 0.5 * span, decision.facts.n_distinct > 4 ? static_cast<int>(facts.n_distinct) : 21, "same span centered on the crossing");
      break;
    }
    case Code::PARAM_AT_EDGE: {
      const double f = value("frequency_Hz");
      rerun(f - 0.5 * span, f + 0.5 * span, n, "same span centered on the line");
      break;
    }
    case Code::HIGH_POWER:
      change("power_dBm", missing, -4.5, "relative change in dB: lower readout power");
      break;
    case Code::AMP_TOO_HIGH:
      change("power_dBm", missing, -6.0, "relative change in dB: lower drive power");
      break;
    case Code::NO_SIGNAL:
      if (decision.outcome == Outcome::anomalous && decision.family == Family::qubit_spectroscopy) rerun(first - span, last + span, spinel::min(2 * n, 401), "three times the range");
      parent();
      break;
    case Code::ILL_CONDITIONED: {
      const double factor = spinel::clamp(spinel::ceil(spinel::pow(facts.relative_stderr / 0.1, 2)), 2.0, 8.0);
      rerun(first, last, n, "more averaging for a tenth of relative uncertainty", factor);
      break;
    }
    case Code::BEATING:
      rerun(first, last + span, spinel::min(2 * n, 401), "twice the window resolves the two tones");
      parent();
      break;
    case Code::MODERATE_ERROR:
      rerun(first, spinel::max(10.0, 0.5 * last), 21, "fewer pulses after the amplitude correction");
      break;
    case Code::LARGE_ERROR: case Code::NO_EXCITATION: case Code::DAMPED: case Code::OFF_RESONANCE:
      parent();
      break;
    case Code::BAD_INPUT: {
      Action action;
      action.type = ActionType::abort;
      action.why = "the input could not be used";
      decision.actions.push_back(action);
      break;
    }
    default: {
      parent();
      break;
    }
  }
}

/// Probability that the verdict may be acted on, from margins of the facts: a hand-set logistic, not yet fitted to simulated data.
inline double confidence(const Decision& decision) noexcept {
  if (decision.code == Code::BAD_INPUT) return 0.0;
  const auto& facts = decision.facts;
  double score = 2.0;
  const auto squash = [](double u) { return spinel::isfinite(u) ? spinel::clamp(u, -1.0, 1.0) : 0.0; };
  if (decision.reliability == Reliability::reliable) {
    score += squash((facts.snr - 8.0) / 8.0) + squash((facts.dbic - 30.0) / 30.0);
    if (spinel::isfinite(facts.relative_stderr)) score += squash((0.05 - facts.relative_stderr) / 0.05);
  }
  score -= spinel::isfinite(facts.residual_fraction) ? 2.0 * spinel::clamp(facts.residual_fraction - 0.15, 0.0, 1.0) : 0.0;
  return 1.0 / (1.0 + spinel::exp(-score));
}

/// A sweep that has not run yet, in SI units.
struct Plan {
  double start = 0, stop = 0;
  int points = 0;
};

/// Checks a plan before it runs: points, Nyquist against the virtual detuning, window against the expected time constant (NaN:
/// unknown), power against the limit. The verdict is SUCCESS or the code that the sweep would earn.
inline Decision preflight(const Request& request, const Plan& plan, double expected_time_s, double power, double power_limit) noexcept {
  Decision decision;
  decision.family = request.family;
  decision.model = "pre-flight";
  decision.x_first = plan.start;
  decision.x_last = plan.stop;
  const double span = plan.stop - plan.start, step = plan.points > 1 ? span / (plan.points - 1) : 0;
  decision.facts.n = plan.points;
  decision.facts.span = span;
  decision.facts.step = step;
  const auto verdict = [&](Code code, Outcome outcome, const char* rule, const char* why) {
    decision.code = code;
    decision.outcome = outcome;
    decision.reliability = Reliability::no_fit;
    decision.reason = why;
    decision.rules_fired.push_back(rule);
  };
  const auto rerun = [&](double stop, int points, const char* why) {
    Action action;
    action.type = ActionType::rerun;
    action.sweep = {plan.start, stop, points, "s"};
    action.why = why;
    decision.actions.push_back(action);
  };
  const bool ramsey = request.family == Family::ramsey_freq_cal || request.family == Family::ramsey_t2star || request.family == Family::microwave_ramsey || request.family == Family::rydberg_ramsey;
  const double detuning = spinel::fabs(request.meta.virtual_detuning_Hz);
  decision.confidence = 1.0;
  if (!(span > 0) || plan.points < 5) {
    verdict(Code::BAD_INPUT, Outcome::apparatus, "plan.shape", "the plan needs stop > start and at least five points");
  } else if (spinel::isfinite(power) && spinel::isfinite(power_limit) && power > power_limit) {
    verdict(Code::AMP_TOO_HIGH, Outcome::suboptimal, "plan.power", "the planned power is above its limit");
  } else if (ramsey && detuning > 0.4 / step) {
    verdict(Code::SAMPLING_TOO_COARSE, Outcome::suboptimal, "plan.nyquist", "the virtual detuning is above 0.8 of the Nyquist frequency of the plan");
    rerun(plan.start + spinel::min(span, 10.0 / detuning), 81, "eight points a fringe");
  } else if (ramsey && detuning > 0 && detuning * span < 2) {
    verdict(Code::TOO_FEW_OSC, Outcome::suboptimal, "plan.fringes", "less than two fringes of the virtual detuning fit in the window");
    rerun(plan.start + 5.0 / detuning, spinel::max(plan.points, 41), "five fringes");
  } else if ((request.family == Family::t1 || request.family == Family::t2_echo) && plan.stop < 2 * expected_time_s) {
    verdict(Code::WINDOW_TOO_SHORT, Outcome::suboptimal, "plan.window", "the window is shorter than two expected decay times");
    rerun(5 * expected_time_s, spinel::max(plan.points, 31), "five expected decay times");
  } else if ((request.family == Family::t1 || request.family == Family::t2_echo) && 3 * step > expected_time_s) {
    verdict(Code::SAMPLING_TOO_COARSE, Outcome::suboptimal, "plan.step", "fewer than three points in one expected decay time");
    rerun(5 * expected_time_s, 41, "five expected decay times");
  } else {
    verdict(Code::SUCCESS, Outcome::expected, "plan.ok", "the planned sweep passes every check");
  }
  return decision;
}

}  // namespace spinel::calib
