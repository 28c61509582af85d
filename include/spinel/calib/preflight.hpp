// SPDX-License-Identifier: Apache-2.0
// The check of a sweep before it runs: shape and unit, power and amplitude against their limits, Nyquist against the virtual detuning, window
// and step against what is expected. A plan that fails carries the code that its measurement would have earned, and a sweep that passes.
#pragma once

#include <spinel/calib/decision.hpp>
#include <spinel/calib/guardrail.hpp>
#include <spinel/calib/trace.hpp>
#include <spinel/core/fixed_vector.hpp>
#include <spinel/core/math.hpp>

namespace spinel::calib {

/// A sweep that has not run yet, in SI units.
struct Plan {
  double start = 0, stop = 0;
  int points = 0;
  std::string_view unit = "1";    ///< SI name as in `Unit`
  double power_dBm = missing;     ///< of the pulse; a sweep over power needs none
};

/// What a plan is held against. NaN: unknown, and what rests on it is not checked.
struct PlanLimits {
  double time_s = missing;          ///< decay time of this family (T1, T2 echo, T2*)
  double width_Hz = missing;        ///< half width of the line that is looked for
  double pi_amplitude = missing;    ///< in the unit of the sweep
  double max_power_dBm = missing, max_amplitude = missing;
};

/// The verdict, and every check up to the first that failed: what it asks for, what the plan has. A bound that is a least value is named min_.
struct Preflight {
  Decision decision{};
  FixedVector<GuardCheck, 12> checks{};
};

/// Checks a plan: SUCCESS, or the code that the sweep would earn. Cost: constant.
inline Preflight preflight(const Request& request, const Plan& plan, const PlanLimits& limits) noexcept {
  Preflight out;
  auto& decision = out.decision;
  decision.family = request.family;
  decision.model = "pre-flight";
  decision.x_first = plan.start;
  decision.x_last = plan.stop;
  decision.x_unit = plan.unit;
  decision.confidence = 1.0;
  decision.reliability = Reliability::no_fit;
  const double span = plan.stop - plan.start, step = plan.points > 1 ? span / (plan.points - 1) : 0;
  decision.facts.n = plan.points;
  decision.facts.span = span;
  decision.facts.step = step;
  bool passed = true;
  const auto rerun = [&](double start, double stop, int points, const char* why) {
    Action action;
    action.type = ActionType::rerun;
    action.sweep = {start, stop, points, plan.unit};
    action.why = why;
    decision.actions.push_back(action);
  };
  // The first check that fails decides; after it nothing is checked. An unknown on either side is no check.
  const auto check = [&](const char* name, double limit, double value, bool pass, Code code, const char* why) {
    if (!passed || !spinel::isfinite(limit) || !spinel::isfinite(value)) return true;
    out.checks.push_back({name, limit, value, pass});
    if (pass) return true;
    passed = false;
    decision.code = code;
    decision.outcome = code == Code::BAD_INPUT ? Outcome::apparatus : Outcome::suboptimal;
    decision.reason = why;
    decision.rules_fired.push_back(name);
    return false;
  };
  const auto is = [&](auto... families) { return ((request.family == families) || ...); };
  const bool decay = is(Family::t1, Family::t2_echo), ramsey = is(Family::ramsey_freq_cal, Family::ramsey_t2star, Family::microwave_ramsey, Family::rydberg_ramsey);
  const bool rabi = is(Family::rabi, Family::rabi_hw), line = is(Family::res_spec, Family::qubit_spectroscopy);
  const double n = plan.points, detuning = spinel::fabs(request.meta.virtual_detuning_Hz), t = limits.time_s;

  const bool finite = spinel::isfinite(plan.start) && spinel::isfinite(plan.stop);
  check("plan.finite", 1, finite ? 1 : 0, finite, Code::BAD_INPUT, "start and stop have to be numbers");
  check("plan.min_span", 0, finite ? span : 0, span > 0, Code::BAD_INPUT, "the plan needs stop > start");
  check("plan.min_points", 5, n, n >= 5, Code::BAD_INPUT, "the plan needs at least five points");
  const bool fits = axis_fits(request.family, plan.unit);
  check("plan.unit", 1, fits ? 1 : 0, fits, Code::BAD_INPUT, "the plan's unit is not the one of this family's sweep");
  const double power = plan.unit == "dBm" ? spinel::max(plan.stop, spinel::isfinite(plan.power_dBm) ? plan.power_dBm : plan.stop) : plan.power_dBm;
  if (!check("plan.power_dBm", limits.max_power_dBm, power, power <= limits.max_power_dBm, Code::AMP_TOO_HIGH, "the planned power is above its limit") && plan.unit == "dBm")
    rerun(plan.start, limits.max_power_dBm, plan.points, "up to the limit");
  if (plan.unit == "V" || plan.unit == "1") {
    const double reach = spinel::max(spinel::fabs(plan.start), spinel::fabs(plan.stop));
    if (rabi && !check("plan.amplitude", limits.max_amplitude, reach, reach <= limits.max_amplitude, Code::AMP_TOO_HIGH, "the planned amplitude is above its limit"))
      rerun(spinel::max(plan.start, -limits.max_amplitude), limits.max_amplitude, plan.points, "up to the limit");
  }
  if (ramsey && plan.unit != "Hz") {
    if (!check("plan.nyquist_Hz", 0.4 / step, detuning, detuning <= 0.4 / step, Code::SAMPLING_TOO_COARSE, "the virtual detuning is above 0.8 of the Nyquist frequency of the plan"))
      rerun(plan.start, plan.start + spinel::min(span, 10.0 / detuning), 81, "eight points a fringe");
    if (detuning > 0 && !check("plan.min_fringes", 2, detuning * span, detuning * span >= 2, Code::TOO_FEW_OSC, "less than two fringes of the virtual detuning fit in the window"))
      rerun(plan.start, plan.start + 5.0 / detuning, spinel::max(plan.points, 41), "five fringes");
    if (is(Family::ramsey_t2star) && !check("plan.min_window_s", 1.5 * t, plan.stop, plan.stop >= 1.5 * t, Code::WINDOW_TOO_SHORT, "the window is shorter than one and a half expected T2*"))
      rerun(plan.start, 2.5 * t, spinel::max(plan.points, spinel::isfinite(detuning) ? static_cast<int>(spinel::clamp(20 * t * detuning, 41.0, 401.0)) : 101), "two and a half expected T2*");
  }
  if (decay) {
    if (!check("plan.min_window_s", 2 * t, plan.stop, plan.stop >= 2 * t, Code::WINDOW_TOO_SHORT, "the window is shorter than two expected decay times"))
      rerun(plan.start, 5 * t, spinel::max(plan.points, 31), "five expected decay times");
    if (!check("plan.step_s", t / 3, step, step <= t / 3, Code::SAMPLING_TOO_COARSE, "fewer than three points in one expected decay time"))
      rerun(plan.start, 5 * t, 41, "five expected decay times");
  }
  if (rabi && spinel::isfinite(limits.pi_amplitude)) {
    const double period = 2 * spinel::fabs(limits.pi_amplitude);
    if (!check("plan.min_span_period", 0.75 * period, span, span >= 0.75 * period, Code::RANGE_TOO_NARROW, "less than three quarters of the expected period fit in the sweep"))
      rerun(plan.start, plan.start + 2.2 * period, spinel::max(plan.points, 51), "two expected periods");
    if (!check("plan.step_period", 0.25 * period, step, step <= 0.25 * period, Code::UNDERSAMPLED, "fewer than four points in an expected period"))
      rerun(plan.start, plan.start + spinel::min(span, 2.2 * period), 51, "two expected periods");
  }
  if (line && spinel::isfinite(limits.width_Hz)) {
    const double middle = 0.5 * (plan.start + plan.stop), width = spinel::fabs(limits.width_Hz);
    if (!check("plan.step_Hz", width, step, step <= width, Code::SAMPLING_TOO_COARSE, "the step is wider than half of the expected line"))
      rerun(plan.start, plan.stop, static_cast<int>(spinel::clamp(2 * span / width, 41.0, 4001.0)), "two points in half of the expected line");
    if (!check("plan.min_span_Hz", 3 * width, span, span >= 3 * width, Code::RANGE_TOO_NARROW, "the expected line is as wide as the sweep"))
      rerun(middle - 10 * width, middle + 10 * width, spinel::max(plan.points, 81), "ten half widths on either side");
  }
  if (passed) {
    decision.code = Code::SUCCESS;
    decision.outcome = Outcome::expected;
    decision.reason = "the planned sweep passes every check";
    decision.rules_fired.push_back("plan.ok");
  }
  return out;
}

}  // namespace spinel::calib
