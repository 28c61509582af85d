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
      if (target.family == decision.family && !(facts.sign_known < 0.5 && target.family == Family::ramsey_freq_cal))
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
    case Code::SUCCESS:
      if (decision.family == Family::ramsey_freq_cal && facts.sign_known < 0.5) {
        // Large against both readings of the shift, v - f and v + f: one more sweep tells them apart.
        const double v = request.meta.virtual_detuning_Hz, f = facts.periods / span, wider = 2.5 * (spinel::fabs(v) + f);
        rerun(first, first + 12.0 / wider, 101, "twelve fringes of the larger virtual detuning");
        change("virtual_detuning_Hz", v, spinel::copysign(wider, v), "larger than either reading of the shift, so that its sign shows");
      }
      break;
    case Code::STABLE: break;
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

}  // namespace spinel::calib
