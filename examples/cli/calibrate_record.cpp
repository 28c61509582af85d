// SPDX-License-Identifier: Apache-2.0
#include "calibrate_record.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <spinel/calib/guardrail.hpp>
#include <spinel/calib/preflight.hpp>
#include <spinel/core/sha256.hpp>

#include "calibrate_audit.hpp"

namespace spinel::cli {

using nlohmann::json;
namespace fs = std::filesystem;

std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  const auto hex = to_hex(hash.finish());
  return {hex.begin(), hex.end()};
}

json read_history(const std::string& path) {
  json entries = json::array();
  const auto lines = lines_of(path);
  for (std::size_t k = 0; k < lines.size(); ++k) {
    if (lines[k].empty()) continue;
    const auto place = std::string{path}.append(":").append(std::to_string(k + 1));
    auto entry = parse_json(place, lines[k]);
    if (!entry.is_object() || !entry.contains("param") || !entry["param"].is_string() || !entry.contains("value") || !entry["value"].is_number() || !entry.contains("time_s") || !entry["time_s"].is_number())
      throw InputError(place + ": expected {\"param\": name, \"value\": number, \"time_s\": number}");
    entries.push_back(std::move(entry));
  }
  return entries;
}

namespace {

double number_at(const json& object, const char* key, double otherwise, const char* place) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return otherwise;
  if (!found->is_number()) throw InputError(std::string{place}.append(": ").append(key).append(" must be a number"));
  return found->get<double>();
}

bool flag_at(const json& object, const char* key, bool otherwise) {
  const auto found = object.find(key);
  if (found == object.end()) return otherwise;
  if (!found->is_boolean()) throw InputError(std::string{"guardrails: "}.append(key).append(" must be true or false"));
  return found->get<bool>();
}

/// A misspelled permission or limit must not pass for an absent one.
void only_known(const json& object, std::initializer_list<std::string_view> known, const std::string& place) {
  if (!object.is_object()) throw InputError(place + ": expected an object");
  for (const auto& [key, value] : object.items())
    if (std::find(known.begin(), known.end(), key) == known.end()) throw InputError(place + ": unknown field '" + key + "'");
}

/// Seconds since 1970 of "YYYY-MM-DDTHH:MM:SS[.fff]Z"; NaN for anything else.
double parse_time(const json& value) {
  if (!value.is_string()) return calib::missing;
  int year = 0, month = 0, day = 0, hour = 0, minute = 0;
  double second = 0;
  char zone = 0;
  const auto& text = value.get_ref<const std::string&>();
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%lf%c", &year, &month, &day, &hour, &minute, &second, &zone) != 7 || zone != 'Z') return calib::missing;
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || !(second >= 0 && second < 61)) return calib::missing;
  // Days since 1970-01-01, counted in years that begin on March 1.
  const int y = month <= 2 ? year - 1 : year, era = y / 400, of_era = y - era * 400;
  const int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
  return 86400.0 * days + 3600.0 * hour + 60.0 * minute + second;
}

struct LimitField {
  const char* name;
  double sign, otherwise;  ///< a larger value times sign is looser; value that stands for an absent field
};
constexpr LimitField limit_fields[] = {{"min", -1, calib::missing}, {"max", 1, calib::missing}, {"max_step", 1, INFINITY}, {"max_step_relative", 1, INFINITY},
                                       {"per_hour", 1, 6}, {"cumulative_24h", 1, INFINITY}, {"resolution", 1, 0}};
constexpr LimitField context_fields[] = {{"max_age_s", 1, 300}, {"min_confidence", -1, 0.8}, {"anomaly_z", 1, 5}, {"cold_start", -1, 8}};

bool looser(const json& now, const json& before, std::span<const LimitField> fields) {
  for (const auto& field : fields) {
    const double a = number_at(now, field.name, field.otherwise, "guardrails"), b = number_at(before, field.name, field.otherwise, "guardrails");
    if (std::isnan(a)) continue;  // no bound: nothing passes, which is tighter
    if (std::isnan(b) || field.sign * a > field.sign * b) return true;
  }
  return false;
}

/// The names in a list of persons, without repeats and without the operator, who cannot approve their own action.
std::set<std::string> persons(const json& list, const json& operator_name) {
  std::set<std::string> names;
  if (list.is_array())
    for (const auto& person : list)
      if (person.is_string() && !person.get<std::string>().empty() && person != operator_name) names.insert(person.get<std::string>());
  return names;
}

double last_value(const json& history, std::string_view param) {
  double value = calib::missing;
  for (const auto& entry : history)
    if (entry["param"] == param) value = entry["value"].get<double>();
  return value;
}

/// Median of the last 64 values of `field` beside this family's accepted values; NaN with fewer than eight.
double usual(const json& history, std::string_view family, const char* field, std::vector<double>& values) {
  values.clear();
  for (const auto& entry : history)
    if (const auto found = entry.find(field); found != entry.end() && found->is_number() && entry.value("family", "") == family) values.push_back(found->get<double>());
  if (values.size() < 8) return calib::missing;
  return calib::median(std::span{values}.last(std::min<std::size_t>(values.size(), 64)));
}

/// Runs the guardrails over the updates of `record`; fills `guard`, `limits` and `decision`. Without guardrails every decision is advice.
void guard(json& record, const calib::Decision& decision, const Inputs& inputs) {
  record["guard"] = json::array();
  record["decision"] = "advice";
  record["limits"] = inputs.audit.is_object() ? inputs.audit["limits"] : json(nullptr);
  for (auto& action : record["suggested_actions"])
    if (action["type"] == "update" && action["old"].is_null())
      if (const double old = last_value(inputs.history, action["param"].get_ref<const std::string&>()); std::isfinite(old)) action["old"] = old;
  if (!inputs.guardrails.is_null()) {
    only_known(inputs.guardrails, {"limits", "dry_run", "kill_switch", "data_time_s", "max_age_s", "min_confidence", "anomaly_z", "cold_start", "approval", "limits_approved_by", "max_power_dBm", "max_amplitude"}, "guardrails");
    if (!inputs.guardrails.contains("limits") || !inputs.guardrails["limits"].is_object()) throw InputError("guardrails: expected {\"limits\": {param: {...}}}");
  }
  const bool has_update = std::any_of(decision.actions.begin(), decision.actions.end(), [](const auto& action) { return action.type == calib::ActionType::update; });
  if (!has_update) {
    if (decision.code != calib::Code::SUCCESS && decision.outcome != calib::Outcome::expected) record["decision"] = "rejected";
    return;
  }
  if (inputs.guardrails.is_null()) return;
  const auto& config = inputs.guardrails;
  const json operator_name = inputs.request.contains("operator") ? inputs.request["operator"] : json(nullptr);
  calib::GuardContext context;
  context.now_s = inputs.now_s;
  const auto meta = inputs.request.contains("meta") && inputs.request["meta"].is_object() ? inputs.request["meta"] : json::object();
  context.data_time_s = number_at(meta, "data_time_s", number_at(config, "data_time_s", parse_time(inputs.request.value("request_ts", json(nullptr))), "guardrails"), "meta");
  double newest = calib::missing;
  for (const auto& entry : inputs.history) newest = std::isnan(newest) ? entry["time_s"].get<double>() : std::max(newest, entry["time_s"].get<double>());
  if (inputs.audit.is_object()) {
    if (inputs.audit["last_decision_s"].is_number()) newest = std::isnan(newest) ? inputs.audit["last_decision_s"].get<double>() : std::max(newest, inputs.audit["last_decision_s"].get<double>());
    context.rollbacks_last_hour = inputs.audit["rollbacks_last_hour"].get<double>();
  }
  context.last_decision_s = newest;
  context.first_decision = std::isnan(newest);
  context.max_age_s = number_at(config, "max_age_s", context.max_age_s, "guardrails");
  context.min_confidence = number_at(config, "min_confidence", context.min_confidence, "guardrails");
  context.anomaly_z = number_at(config, "anomaly_z", context.anomaly_z, "guardrails");
  context.cold_start = static_cast<int>(std::clamp(number_at(config, "cold_start", context.cold_start, "guardrails"), 0.0, 64.0));
  context.dry_run = inputs.dry_run || flag_at(config, "dry_run", true);
  // Advice needs no armed switch; a write does.
  context.kill_switch = flag_at(config, "kill_switch", !context.dry_run);
  if (const auto approval = config.find("approval"); approval != config.end() && approval->is_object()) {
    context.approved = !persons(json::array({approval->value("by", json(nullptr))}), operator_name).empty();
    record["approval"] = *approval;
  }
  context.limits_approvals = static_cast<int>(persons(config.value("limits_approved_by", json(nullptr)), operator_name).size());
  // Advice without an audit file has no past to look up.
  if (!inputs.audit.is_object() && context.dry_run) context.rollbacks_last_hour = 0;

  json in_force = record["limits"].is_object() ? record["limits"] : json{{"params", json::object()}, {"context", json::object()}};
  json own = json::object();
  for (const auto& field : context_fields)
    if (config.contains(field.name)) own[field.name] = config[field.name];
  context.limits_loosened = looser(own, in_force["context"], context_fields);
  for (const auto& [param, limits] : config["limits"].items()) {
    only_known(limits, {"min", "max", "max_step", "max_step_relative", "per_hour", "cumulative_24h", "resolution"}, "guardrails: limits." + param);
    if (in_force["params"].contains(param) && looser(limits, in_force["params"][param], limit_fields)) context.limits_loosened = true;
  }
  if (!context.limits_loosened || context.limits_approvals >= 2) {
    in_force["context"] = own;
    for (const auto& [param, limits] : config["limits"].items()) in_force["params"][param] = limits;
  }
  record["limits"] = in_force;

  std::vector<calib::HistoryEntry> history;
  for (const auto& entry : inputs.history) history.push_back({entry["param"].get_ref<const std::string&>(), entry["value"].get<double>(), entry["time_s"].get<double>()});
  std::vector<double> scratch(history.size() + 1);
  auto worst = calib::GuardDecision::allowed;
  for (std::size_t k = 0; k < decision.actions.size(); ++k) {
    const auto& action = decision.actions[k];
    if (action.type != calib::ActionType::update) continue;
    calib::Limit limit;
    const bool known = config["limits"].contains(action.param);
    if (known) {
      const auto& entry = config["limits"][action.param];
      limit.param = action.param;
      limit.low = number_at(entry, "min", calib::missing, "guardrails");
      limit.high = number_at(entry, "max", calib::missing, "guardrails");
      limit.max_step = number_at(entry, "max_step", calib::missing, "guardrails");
      limit.max_step_relative = number_at(entry, "max_step_relative", calib::missing, "guardrails");
      limit.per_hour = number_at(entry, "per_hour", limit.per_hour, "guardrails");
      limit.cumulative_day = number_at(entry, "cumulative_24h", calib::missing, "guardrails");
      limit.resolution = number_at(entry, "resolution", 0, "guardrails");
    }
    const auto& old = record["suggested_actions"][k]["old"];
    const auto report = calib::allow(action, old.is_number() ? old.get<double>() : calib::missing, decision, known ? &limit : nullptr, history, context, scratch);
    for (const auto& check : report.checks) {
      json entry = {{"check", check.name}, {"param", action.param}, {"pass", check.pass}, {"limit", nullptr}, {"value", nullptr}};
      if (std::isfinite(check.limit)) entry["limit"] = check.limit;
      if (std::isfinite(check.value)) entry["value"] = check.value;
      record["guard"].push_back(entry);
    }
    worst = std::max(worst, report.decision);
  }
  record["decision"] = std::string{to_string(worst)};
}

}  // namespace

json make_record(const Inputs& inputs, const std::string& request_name, const TraceFile* trace, bool redact, std::vector<double>& scratch, calib::Decision* made) {
  auto request = parse_request(request_name, inputs.request);
  const auto thresholds = parse_ruleset("ruleset", inputs.ruleset);
  const auto current = inputs.request.value("current_params", json::object());
  calib::Decision decision;
  json observations;
  json plan_checks = json::array();
  if (trace != nullptr) {
    const auto family = std::string{to_string(request.family)};
    request.meta.usual_contrast = usual(inputs.history, family, "contrast", scratch);
    request.meta.usual_width = usual(inputs.history, family, "width_Hz", scratch);
    decision = decide(request, *trace, thresholds, scratch);
    observations = {{"ref", redact ? "redacted" : fs::absolute(trace->path).lexically_normal().string()}, {"sha256", sha256(trace->bytes)}, {"n", trace->rows()},
                    {"x_unit", std::string{calib::unit_of(trace->names[0]).name}}, {"y_unit", std::string{calib::unit_of(trace->names[trace->names.size() > 1 ? 1 : 0]).name}}, {"cal_points", request.meta.cal_points}};
    observations["shots"] = std::isfinite(request.meta.shots) ? json(request.meta.shots) : json(nullptr);
    observations["virtual_detuning_Hz"] = std::isfinite(request.meta.virtual_detuning_Hz) ? json(request.meta.virtual_detuning_Hz) : json(nullptr);
  } else {
    const auto found = inputs.request.find("plan");
    if (found == inputs.request.end() || !found->is_object()) throw InputError(request_name + ": neither a trace nor a plan");
    for (const char* key : {"start", "stop", "points"})
      if (!found->contains(key)) throw InputError(request_name + ": plan." + key + " is missing");
    calib::Request view;
    view.family = request.family;
    view.meta = request.meta;
    const auto name = found->value("unit", json(nullptr));
    const auto unit = calib::unit_of(std::string{"x_"}.append(name.is_string() ? name.get<std::string>() : std::string{calib::axis_unit(request.family)}));
    if (name.is_string() && unit.name == "1" && name != "1" && name != "") throw InputError(request_name + ": plan.unit: unknown unit '" + name.get<std::string>() + "'");
    const double points = number_at(*found, "points", 0, "plan");
    const calib::Plan plan{number_at(*found, "start", calib::missing, "plan") * unit.factor, number_at(*found, "stop", calib::missing, "plan") * unit.factor,
                           static_cast<int>(std::isfinite(points) ? std::clamp(points, 0.0, 1e6) : 0.0), unit.name, number_at(*found, "power_dBm", calib::missing, "plan")};
    const auto first_of = [&](std::initializer_list<const char*> names) {
      for (const char* key : names)
        if (const double value = current_value(inputs.request, key); std::isfinite(value)) return value;
      return calib::missing;
    };
    const auto allowed = [&](const char* key) { return inputs.guardrails.is_object() ? number_at(inputs.guardrails, key, calib::missing, "guardrails") : calib::missing; };
    calib::PlanLimits limits;
    limits.time_s = request.family == calib::Family::t1 ? first_of({"T1_s"}) : request.family == calib::Family::t2_echo ? first_of({"T2_echo_s"}) : first_of({"T2_star_s"});
    limits.width_Hz = first_of({"width_Hz", "kappa_Hz"});
    limits.pi_amplitude = unit.name == "s" ? first_of({"pi_length_s"}) : first_of({"pi_amplitude", "pi_amplitude_V"});
    limits.max_power_dBm = allowed("max_power_dBm");
    limits.max_amplitude = allowed("max_amplitude");
    const auto checked = calib::preflight(view, plan, limits);
    decision = checked.decision;
    for (const auto& check : checked.checks) plan_checks.push_back({{"check", check.name}, {"limit", check.limit}, {"value", check.value}, {"pass", check.pass}});
    observations = {{"ref", "plan"}, {"n", 0}};
  }
  json record = to_json(decision, current);
  record["v"] = 1;
  for (const char* key : {"experiment_id", "device_id", "target", "operator", "hardware_rev", "request_ts"})
    record[key] = inputs.request.contains(key) ? inputs.request[key] : json(nullptr);
  record["family"] = std::string{to_string(request.family)};
  record["observations"] = observations;
  record["current_params"] = current;
  record["ruleset"] = {{"id", inputs.ruleset.value("id", "calrules")}, {"version", inputs.ruleset.value("version", "1.0.0")}, {"sha256", sha256(to_line(inputs.ruleset))}};
  record["time_s"] = inputs.now_s;
  if (!request.notes.empty()) record["notes"] = request.notes;
  for (const char* key : {"approval", "fallback", "reason_for_change"}) record[key] = nullptr;
  if (inputs.request.contains("reason_for_change")) record["reason_for_change"] = inputs.request["reason_for_change"];
  json covariance = json::array();
  for (int a = 0; a < decision.unknowns; ++a)
    for (int b = 0; b < decision.unknowns; ++b) covariance.push_back(std::isfinite(decision.covariance[a][b]) ? json(decision.covariance[a][b]) : json(nullptr));
  if (decision.unknowns > 0) record["fit"]["cov_sha"] = sha256(to_line(covariance));
  guard(record, decision, inputs);
  if (!plan_checks.empty()) record["guard"] = plan_checks;
  const json all = {{"request", inputs.request}, {"ruleset", inputs.ruleset}, {"guardrails", inputs.guardrails}, {"history", inputs.history},
                    {"audit", inputs.audit}, {"now_s", inputs.now_s}, {"dry_run", inputs.dry_run}};
  // Redacted: whoever keeps the inputs can show that they are the ones decided on, and the record alone does not give them away.
  record["inputs"] = redact ? json{{"sha256", sha256(to_line(all))}} : all;
  if (made != nullptr) *made = decision;
  return record;
}

}  // namespace spinel::cli
