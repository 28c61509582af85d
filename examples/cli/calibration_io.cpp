// SPDX-License-Identifier: Apache-2.0
#include "calibration_io.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <string_view>
#include <utility>

namespace spinel::cli {

using nlohmann::json;

std::string read_file(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  if (!file) throw InputError(path + ": cannot be opened");
  // A device or a pipe without an end must not fill the memory.
  constexpr std::size_t most = std::size_t{1} << 29, part = std::size_t{1} << 16;
  std::string text;
  for (std::streamsize got = part; got > 0;) {
    const auto size = text.size();
    if (size > most) throw InputError(path + ": larger than 512 MiB");
    text.resize(size + part);
    file.read(text.data() + size, part);
    got = file.gcount();
    text.resize(size + static_cast<std::size_t>(got));
  }
  return text;
}

TraceFile parse_trace(const std::string& path, std::string bytes) {
  TraceFile trace;
  trace.path = path;
  trace.bytes = std::move(bytes);
  const std::string_view text = trace.bytes;
  std::size_t at = 0, line_number = 0;
  const auto next_line = [&](std::string_view& line) {
    while (at < text.size()) {
      const auto end = std::min(text.find('\n', at), text.size());
      line = text.substr(at, end - at);
      at = end + 1;
      ++line_number;
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      if (!line.empty()) return true;
    }
    return false;
  };
  std::string_view line;
  if (!next_line(line)) throw InputError(path + ": empty; expected a header line with column names");
  if (line.substr(0, 3) == "\xEF\xBB\xBF") line.remove_prefix(3);  // byte order mark
  for (std::size_t start = 0; start <= line.size();) {
    const auto end = std::min(line.find(',', start), line.size());
    auto name = line.substr(start, end - start);
    while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
    while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
    if (std::find(trace.names.begin(), trace.names.end(), name) != trace.names.end()) throw InputError(path + ": two columns named '" + std::string{name} + "'");
    trace.names.emplace_back(name);
    start = end + 1;
  }
  trace.values.resize(trace.names.size());
  while (next_line(line)) {
    std::size_t column = 0;
    for (std::size_t start = 0; start <= line.size(); ++column) {
      const auto end = std::min(line.find(',', start), line.size());
      auto field = line.substr(start, end - start);
      while (!field.empty() && field.front() == ' ') field.remove_prefix(1);
      while (!field.empty() && field.back() == ' ') field.remove_suffix(1);
      if (!field.empty() && field.front() == '+') field.remove_prefix(1);
      if (column >= trace.names.size()) break;
      double value = calib::missing;
      if (!field.empty()) {
        const auto [stop, error] = std::from_chars(field.data(), field.data() + field.size(), value);
        if (error != std::errc{} || stop != field.data() + field.size())
          throw InputError(path + ":" + std::to_string(line_number) + ": '" + std::string{field}.append("' in column ").append(trace.names[column]).append(" is not a number"));
      }
      trace.values[column].push_back(value);
      start = end + 1;
    }
    const auto commas = static_cast<std::size_t>(std::count(line.begin(), line.end(), ','));
    if (commas + 1 != trace.names.size())
      throw InputError(path + ":" + std::to_string(line_number) + ": " + std::to_string(commas + 1) + " fields, expected " + std::to_string(trace.names.size()));
  }
  if (trace.rows() == 0) throw InputError(path + ": no data rows under the header");
  return trace;
}

json parse_json(const std::string& path, const std::string& bytes) {
  try {
    return json::parse(bytes);
  } catch (const json::exception& error) {
    throw InputError(path + ": " + error.what());
  }
}

namespace {

double number(const json& object, const char* key, const std::string& path) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return calib::missing;
  if (!found->is_number()) throw InputError(path + ": meta." + key + " must be a number");
  return found->get<double>();
}

void read_constraints(const json& value, calib::Meta& meta) {
  std::string text;
  if (value.is_string()) text = value.get<std::string>();
  if (value.is_array())
    for (const auto& part : value)
      if (part.is_string()) text += part.get<std::string>() + "; ";
  if (value.is_object())
    for (const auto& [key, part] : value.items()) text += key + (part.is_number() || part == "fixed" ? " fixed " : part == "free" ? " free " : " ") + "; ";
  const auto has = [&](const char* words) { return text.find(words) != std::string::npos; };
  const bool both = has("amplitude/offset fixed") || has("amplitude and offset fixed");
  if (both || has("amplitude fixed") || has("fixed amplitude")) meta.amplitude = calib::Constraint::fixed;
  if (both || has("offset fixed") || has("fixed offset") || has("offset=") || has("offset =")) meta.offset = calib::Constraint::fixed;
  if (has("amplitude free") || has("free amplitude")) meta.amplitude = calib::Constraint::free;
  if (has("offset free") || has("free offset")) meta.offset = calib::Constraint::free;
}

void read_cal_points(const json& value, calib::Meta& meta, const std::string& path) {
  if (value.is_number_integer()) {
    meta.cal_points = value.get<int>();
    if (meta.cal_points < 0 || meta.cal_points % 2 != 0) throw InputError(path + ": meta.cal_points must be an even number >= 0");
  } else if (value.is_string()) {
    // "last 4 rows: 2x|0>, 2x|1>"
    const auto text = value.get<std::string>();
    const auto at = text.find("last ");
    if (at != std::string::npos) meta.cal_points = std::atoi(text.c_str() + at + 5);
    if (meta.cal_points <= 0 || meta.cal_points % 2 != 0) throw InputError(path + ": meta.cal_points: expected a number, or \"last N rows\" with an even N");
  } else if (value.is_object() && value.contains("g") && value.contains("e")) {
    for (int k = 0; k < 2; ++k) {
      meta.cal_zero[k] = value.at("g").at(static_cast<std::size_t>(k)).get<double>();
      meta.cal_one[k] = value.at("e").at(static_cast<std::size_t>(k)).get<double>();
    }
    meta.has_cal_levels = true;
  } else if (!value.is_null() && !(value.is_object() && value.empty())) {
    throw InputError(path + ": meta.cal_points must be a number of rows, or {\"g\": [I, Q], \"e\": [I, Q]}");
  }
}

}  // namespace

double current_value(const json& request, const char* name) {
  const auto current = request.find("current_params");
  if (current == request.end() || current->is_null()) return calib::missing;
  if (!current->is_object()) throw InputError("request: current_params must be an object");
  const auto found = current->find(name);
  if (found == current->end() || found->is_null()) return calib::missing;
  const auto& value = found->is_object() && found->contains("value") ? (*found)["value"] : *found;
  if (!value.is_number()) throw InputError(std::string{"request: current_params."}.append(name).append(" must be a number, or {\"value\": number}"));
  return value.get<double>();
}

RequestFile parse_request(const std::string& path, const json& document) {
  RequestFile request;
  request.json = document;
  if (!document.is_object()) throw InputError(path + ": expected a JSON object");
  if (!document.contains("family") || !document["family"].is_string()) throw InputError(path + ": field 'family' (a string) is missing");
  const auto name = document["family"].get<std::string>();
  request.family = calib::parse_family(name);
  if (request.family == calib::Family::unknown) {
    std::string known;
    for (const auto family : calib::family_names) known.append(" ").append(family);
    throw InputError(path + ": unknown family '" + name + "'; known:" + known);
  }
  constexpr std::string_view fields[] = {"experiment_id", "device_id", "target", "operator", "hardware_rev", "request_ts", "family", "columns", "meta", "current_params", "plan", "reason_for_change"};
  for (const auto& [key, value] : document.items())
    if (std::find(std::begin(fields), std::end(fields), key) == std::end(fields)) request.notes.push_back(std::string{"ignored field "}.append(key));
  if (const auto meta = document.find("meta"); meta != document.end() && !meta->is_null()) {
    if (!meta->is_object()) throw InputError(path + ": field 'meta' must be an object");
    auto& out = request.meta;
    constexpr std::string_view keys[] = {"virtual_detuning_Hz", "artificial_detuning_Hz", "detuning_Hz", "shots", "cal_points", "qubit_frequency_Hz", "anharmonicity_Hz", "pulse_amplitude", "readout_states", "constraints", "upstream_constraints", "data_time_s"};
    for (const auto& [key, value] : meta->items())
      if (std::find(std::begin(keys), std::end(keys), key) == std::end(keys)) request.notes.push_back(std::string{"unused field meta."}.append(key));
    try {
      for (const char* key : {"virtual_detuning_Hz", "artificial_detuning_Hz", "detuning_Hz"})
        if (!std::isfinite(out.virtual_detuning_Hz)) out.virtual_detuning_Hz = number(*meta, key, path);
      out.shots = number(*meta, "shots", path);
      if (out.shots <= 0) throw InputError(path + ": meta.shots must be positive");
      out.qubit_frequency_Hz = number(*meta, "qubit_frequency_Hz", path);
      out.anharmonicity_Hz = number(*meta, "anharmonicity_Hz", path);
      out.pulse_amplitude = number(*meta, "pulse_amplitude", path);
      if (meta->contains("cal_points")) read_cal_points((*meta)["cal_points"], out, path);
      for (const char* key : {"upstream_constraints", "constraints"})
        if (meta->contains(key)) read_constraints((*meta)[key], out);
    } catch (const json::exception& error) {
      throw InputError(path + ": meta: " + error.what());
    }
  }
  if (!std::isfinite(request.meta.qubit_frequency_Hz)) request.meta.qubit_frequency_Hz = current_value(document, "f01_Hz");
  request.meta.T1_s = current_value(document, "T1_s");
  request.meta.T2_echo_s = current_value(document, "T2_echo_s");
  return request;
}

calib::Thresholds parse_ruleset(const std::string& path, const json& document) {
  calib::Thresholds thresholds;
  if (!document.is_object()) throw InputError(path + ": expected a JSON object with 'thresholds'");
  const auto table = document.find("thresholds");
  if (table == document.end()) return thresholds;
  if (!table->is_object()) throw InputError(path + ": 'thresholds' must be an object of numbers");
  for (const auto& [key, value] : table->items()) {
    bool known = false;
    for (const auto& name : calib::threshold_names)
      if (name.name == key) {
        if (!value.is_number()) throw InputError(path + ": threshold " + key + " must be a number");
        thresholds.*name.field = value.get<double>();
        known = true;
      }
    if (!known) throw InputError(path + ": unknown threshold '" + key + "'");
  }
  return thresholds;
}

calib::Decision decide(const RequestFile& request, const TraceFile& trace, const calib::Thresholds& thresholds, std::vector<double>& scratch) {
  if (const auto columns = request.json.find("columns"); columns != request.json.end()) {
    if (!columns->is_array()) throw InputError("request: columns must be a list of names");
    if (columns->size() != trace.names.size())
      throw InputError(trace.path + ": " + std::to_string(trace.names.size()) + " columns, the request names " + std::to_string(columns->size()));
    for (std::size_t k = 0; k < columns->size(); ++k)
      if ((*columns)[k] != trace.names[k]) throw InputError(trace.path + ": column " + std::to_string(k + 1) + " is '" + trace.names[k] + "', the request says " + (*columns)[k].dump());
  }
  std::vector<calib::Column> columns;
  for (std::size_t k = 0; k < trace.names.size(); ++k) columns.push_back({trace.names[k], trace.values[k]});
  calib::Request view;
  view.family = request.family;
  view.columns = columns;
  view.meta = request.meta;
  const auto need = calib::workspace_doubles(std::min(trace.rows(), calib::max_rows(request.family)), columns.size());
  if (scratch.size() < need) scratch.resize(need);
  const calib::RuleEngine engine{scratch, thresholds};
  calib::Decision decision = engine.decide(view);
  // x_unit may point into the column names; unit_of returns static strings, so it stays valid.
  return decision;
}

namespace {
void put(json& object, const char* key, double value) {
  if (std::isfinite(value)) object[key] = value;
}
}  // namespace

json to_json(const calib::Decision& decision, const json& current) {
  json out;
  const auto& facts = decision.facts;
  json facts_json = json::object();
  const std::pair<const char*, double> numbers[] = {
      {"n", facts.n}, {"n_missing", facts.n_missing}, {"saturated", facts.saturated}, {"axis_ratio", facts.axis_ratio}, {"contrast_ratio", facts.contrast_ratio}, {"width_ratio", facts.width_ratio},
      {"limit_ratio", facts.limit_ratio}, {"outside", facts.outside}, {"depth", facts.depth}, {"r_squared_other", facts.r_squared_other}, {"sign_known", facts.sign_known}, {"span", facts.span}, {"step", facts.step}, {"noise", facts.noise}, {"peak_to_peak", facts.peak_to_peak},
      {"snr", facts.snr}, {"dbic", facts.dbic}, {"relative_stderr", facts.relative_stderr}, {"correlation", facts.correlation}, {"residual_fraction", facts.residual_fraction}, {"residual_z", facts.residual_z},
      {"periods", facts.periods}, {"points_per_period", facts.points_per_period}, {"envelope", facts.envelope}, {"window_over_t", facts.window_over_t},
      {"points_per_t", facts.points_per_t}, {"dbic_second", facts.dbic_second}, {"second_ratio", facts.second_ratio}, {"dbic_other", facts.dbic_other},
      {"nyquist_ratio", facts.nyquist_ratio}, {"center", facts.center}, {"width_over_step", facts.width_over_step}, {"span_over_width", facts.span_over_width},
      {"separation", facts.separation}, {"ellipticity", facts.ellipticity}, {"error", facts.error}, {"contrast", facts.contrast}, {"tunability", facts.tunability},
      {"resolved_fraction", facts.resolved_fraction}, {"jumps", facts.jumps}, {"lag_one", facts.lag_one}, {"bimodality", facts.bimodality},
      {"inlier_fraction", facts.inlier_fraction}, {"second_fraction", facts.second_fraction}, {"roughness", facts.roughness}, {"completeness", facts.completeness},
      {"level", facts.level}, {"lines", facts.lines}, {"misfit", facts.misfit}, {"window_periods", facts.window_periods}, {"detuning", facts.detuning}, {"r_squared", facts.r_squared}, {"kurtosis", facts.kurtosis}};
  for (const auto& [key, value] : numbers) put(facts_json, key, value);
  out["facts"] = facts_json;
  json params = json::object();
  for (const auto& parameter : decision.params) {
    json entry = {{"unit", parameter.unit}};
    put(entry, "value", parameter.value);
    put(entry, "stderr", parameter.stderr_value);
    params[parameter.name] = entry;
  }
  for (const auto& item : decision.lists) {
    auto& entry = params[item.name];
    entry["unit"] = item.unit;
    if (!entry.contains("value")) entry["value"] = json::array();
    entry["value"].push_back(item.value);
  }
  for (int k = 0; k < 2; ++k)
    if (const auto* re = decision.find(k == 0 ? "cluster0_I" : "cluster1_I"), *im = decision.find(k == 0 ? "cluster0_Q" : "cluster1_Q"); re != nullptr && im != nullptr)
      params[k == 0 ? "cluster0_center" : "cluster1_center"] = {{"value", {re->value, im->value}}, {"unit", re->unit}};
  const auto in_words = [](std::string_view value) { return value == "true" || value == "false" ? json(value == "true") : json(value); };
  for (const auto& feature : decision.features) params[feature.name] = {{"value", in_words(feature.value)}, {"unit", "1"}};
  if (decision.family == calib::Family::ramsey_charge_tomography && decision.code == calib::Code::NO_EVENT)
    for (const char* name : {"jump_positions", "jump_sizes_mV"}) params[name] = {{"value", json::array()}, {"unit", name[5] == 'p' ? "1" : "mV"}};
  // The families of neutral atoms name their uncertainties, as QCalEval does.
  using enum calib::Family;
  if (const auto family = decision.family; family == cz_benchmarking || family == microwave_ramsey || family == rydberg_ramsey || family == rydberg_spectroscopy)
    for (const auto& parameter : decision.params)
      if (std::isfinite(parameter.stderr_value)) params[std::string{parameter.name} + "_unc"] = {{"value", parameter.stderr_value}, {"unit", parameter.unit}};
  const bool reliable = decision.reliability == calib::Reliability::reliable;
  json fit = {{"model", decision.model}, {"params", reliable ? params : json::object()}, {"constraints", json::array()}};
  // What an unreliable fit found is kept apart, for the operator's eyes only.
  if (decision.reliability == calib::Reliability::unreliable) fit["estimates"] = params;
  for (const char* constraint : decision.constraints) fit["constraints"].push_back(constraint);
  // What can be said in words holds whether or not a curve fits.
  for (const auto& feature : decision.features) fit["features"][feature.name] = in_words(feature.value);
  // Correlations of the fit's unknowns, non-linear before linear, in the order of the model.
  json correlations = json::array();
  for (int a = 0; a < decision.unknowns; ++a) {
    json row = json::array();
    for (int b = 0; b <= a; ++b) {
      const double norm = std::sqrt(decision.covariance[a][a] * decision.covariance[b][b]);
      row.push_back(norm > 0 && std::isfinite(norm) ? json(decision.covariance[a][b] / norm) : json(nullptr));
    }
    correlations.push_back(row);
  }
  if (decision.unknowns > 0) fit["correlations"] = correlations;
  put(fit, "dbic", facts.dbic);
  put(fit, "redchi", decision.redchi);
  out["fit"] = fit;
  json fired = json::array();
  for (const char* id : decision.rules_fired) fired.push_back(id);
  out["verdict"] = {{"status", std::string{to_string(decision.code)}}, {"outcome", std::string{to_string(decision.outcome)}},
                    {"usable", reliable}, {"reliable", std::string{to_string(question_4(decision))}}, {"rules_fired", fired}, {"reason", decision.reason}};
  json actions = json::array();
  for (const auto& action : decision.actions) {
    json entry = {{"type", std::string{to_string(action.type)}}, {"why", action.why}};
    switch (action.type) {
      case calib::ActionType::update: {
        entry["param"] = action.param;
        put(entry, "new", action.new_value);
        put(entry, "stderr", action.stderr_value);
        entry["old"] = nullptr;
        if (current.is_object() && current.contains(action.param)) {
          const auto& old = current[action.param];
          entry["old"] = old.is_object() && old.contains("value") ? old["value"] : old;
        }
        break;
      }
      case calib::ActionType::rerun:
        entry["sweep"] = {{"start", action.sweep.start}, {"stop", action.sweep.stop}, {"points", action.sweep.points}, {"unit", std::string{action.sweep.unit}}};
        put(entry, "shots", action.shots);
        break;
      case calib::ActionType::change:
        entry["param"] = action.param;
        put(entry, "old", action.old_value);
        put(entry, "new", action.new_value);
        break;
      case calib::ActionType::parent: entry["family"] = std::string{to_string(action.family)}; break;
      case calib::ActionType::abort: break;
    }
    actions.push_back(entry);
  }
  out["suggested_actions"] = actions;
  out["confidence"] = decision.confidence;
  return out;
}

}  // namespace spinel::cli
