// SPDX-License-Identifier: Apache-2.0
// What stands between a proposed update and the control system. Checks run in a fixed order: schema, NaN, bounds, step, rate, anomaly,
// approval; the first failure decides, and a check that lacks its input fails. Time is passed in; nothing here reads a clock.
#pragma once

#include <cstdint>

#include <spinel/calib/decision.hpp>
#include <spinel/calib/trace.hpp>
#include <spinel/core/algorithm.hpp>
#include <spinel/core/fixed_vector.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>

namespace spinel::calib {

/// Limits of one parameter. NaN in `low`, `high` or both steps: not configured, and nothing passes.
struct Limit {
  std::string_view param;
  double low = missing, high = missing;      ///< hard bounds, inclusive
  double max_step = missing;                 ///< absolute change in one update
  double max_step_relative = missing;        ///< change over the old magnitude in one update
  double per_hour = 6;                       ///< updates within the last hour
  double cumulative_day = missing;           ///< sum of absolute changes within 24 h; NaN: ten times the step limit
  double resolution = 0;                     ///< floor of the anomaly test's scale
};

/// One accepted value of a parameter.
struct HistoryEntry {
  std::string_view param;
  double value = 0, time_s = 0;
};

/// Everything the guardrails know beside the action.
struct GuardContext {
  double now_s = missing;            ///< the caller's clock
  double data_time_s = missing;      ///< when the data were taken
  double last_decision_s = missing;  ///< previous decision; the clock must not run backwards
  double max_age_s = 300;
  double min_confidence = 0.8;
  double anomaly_z = 5;
  int cold_start = 8;                ///< fewer accepted values than this need an approval
  int rollbacks_last_hour = 0;
  bool dry_run = true, kill_switch = false;
  bool approved = false;             ///< one person has approved this action
  bool bounds_changed = false;       ///< the bounds differ from the last approved ones
  int bounds_approvals = 0;          ///< persons who approved the new bounds
};

struct GuardCheck {
  const char* name = "";
  double limit = missing, value = missing;
  bool pass = false;
};

enum class GuardDecision : std::uint8_t { allowed, advice, held, rejected };
constexpr std::string_view to_string(GuardDecision decision) noexcept {
  constexpr std::string_view names[] = {"applied", "advice", "held", "rejected"};
  return names[static_cast<std::size_t>(decision)];
}

struct GuardReport {
  FixedVector<GuardCheck, 20> checks{};
  GuardDecision decision = GuardDecision::rejected;
};

/// Checks one update. `limit` null: the parameter has no limits and is rejected. `scratch` holds at least as many doubles as `history`.
inline GuardReport allow(const Action& action, double old_value, const Decision& decision, const Limit* limit, Span<const HistoryEntry> history,
                         const GuardContext& context, Span<double> scratch) noexcept {
  GuardReport report;
  report.decision = GuardDecision::allowed;
  const auto check = [&](const char* name, double bound, double value, bool pass, GuardDecision otherwise) {
    report.checks.push_back({name, bound, value, pass});
    if (!pass) report.decision = otherwise;
    return pass;
  };
  using enum GuardDecision;
  const double next = action.new_value;
  if (!check("kill_switch", 0, context.kill_switch ? 1 : 0, !context.kill_switch, rejected)) return report;
  if (!check("schema", 1, limit != nullptr && action.type == ActionType::update ? 1 : 0, limit != nullptr && action.type == ActionType::update && history.size() <= scratch.size(), rejected)) return report;
  if (!check("finite", 1, spinel::isfinite(next) && spinel::isfinite(old_value) ? 1 : 0, spinel::isfinite(next) && spinel::isfinite(old_value), rejected)) return report;
  if (!check("verdict", 1, decision.code == Code::SUCCESS ? 1 : 0, decision.code == Code::SUCCESS && decision.reliability == Reliability::reliable, rejected)) return report;
  if (!check("confidence", context.min_confidence, decision.confidence, decision.confidence >= context.min_confidence, held)) return report;
  if (!check("clock", context.last_decision_s, context.now_s, spinel::isfinite(context.now_s) && !(context.now_s < context.last_decision_s), rejected)) return report;
  const double age = context.now_s - context.data_time_s;
  if (!check("data_age_s", context.max_age_s, age, age >= -1.0 && age <= context.max_age_s, held)) return report;
  if (!check("two_person_bounds", 2, context.bounds_approvals, !context.bounds_changed || context.bounds_approvals >= 2, rejected)) return report;
  if (!check("bound_low", limit->low, next, next >= limit->low, rejected)) return report;
  if (!check("bound_high", limit->high, next, next <= limit->high, rejected)) return report;
  double step_limit = missing;
  if (spinel::isfinite(limit->max_step)) step_limit = limit->max_step;
  const double relative = limit->max_step_relative * spinel::fabs(old_value);
  if (spinel::isfinite(relative)) step_limit = spinel::isfinite(step_limit) ? spinel::min(step_limit, relative) : relative;
  const double step = spinel::fabs(next - old_value);
  if (!check("step", step_limit, step, step <= step_limit, rejected)) return report;

  double within_hour = 0, moved = 0, last = missing;
  std::size_t n = 0;
  bool ordered = true;
  double previous_time = -spinel::infinity;
  for (const auto& entry : history) {
    if (entry.param != limit->param) continue;
    if (!spinel::isfinite(entry.value) || !(entry.time_s >= previous_time) || entry.time_s > context.now_s) ordered = false;
    previous_time = entry.time_s;
    if (context.now_s - entry.time_s < 3600) within_hour += 1;
    if (context.now_s - entry.time_s < 86400 && spinel::isfinite(last)) moved += spinel::fabs(entry.value - last);
    last = entry.value;
    scratch[n++] = entry.value;
  }
  if (!check("history", 1, ordered ? 1 : 0, ordered, rejected)) return report;
  if (!check("rate_hour", limit->per_hour, within_hour, within_hour < limit->per_hour, held)) return report;
  const double day_limit = spinel::isfinite(limit->cumulative_day) ? limit->cumulative_day : 10 * step_limit;
  if (!check("rate_day", day_limit, moved + step, moved + step <= day_limit, held)) return report;
  if (!check("rollbacks", 3, context.rollbacks_last_hour, context.rollbacks_last_hour < 3, held)) return report;
  if (n >= static_cast<std::size_t>(context.cold_start)) {
    const auto recent = scratch.subspan(n > 64 ? n - 64 : 0, spinel::min<std::size_t>(n, 64));
    const double center = median(recent);
    for (double& value : recent) value = spinel::fabs(value - center);
    const double error = spinel::isfinite(action.stderr_value) ? action.stderr_value : 0.0;
    const double scale = spinel::max(spinel::max(1.4826 * median(recent), 2 * error), limit->resolution);
    const double z = scale > 0 ? spinel::fabs(next - center) / scale : (next == center ? 0.0 : spinel::infinity);
    if (!check("anomaly_z", context.anomaly_z, z, z <= context.anomaly_z, held)) return report;
  } else if (!check("cold_start_approval", context.cold_start, static_cast<double>(n), context.approved, held)) {
    return report;
  }
  if (context.dry_run) report.decision = advice;
  return report;
}

enum class WriteOutcome : std::uint8_t { applied, rolled_back };

/// Writes `next`, verifies, and puts `old_value` back when either fails. `write(double)` and `verify()` return bool.
template <class Write, class Verify>
WriteOutcome write_and_verify(double old_value, double next, Write&& write, Verify&& verify) noexcept {
  if (write(next) && verify()) return WriteOutcome::applied;
  write(old_value);
  return WriteOutcome::rolled_back;
}

}  // namespace spinel::calib
