// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <spinel/calib/audit.hpp>
#include <spinel/calib/guardrail.hpp>

#include "calibration_io.hpp"
#include "commands.hpp"

namespace spinel::cli {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct Options {
  std::string trace, request, history, guardrails, ruleset, audit, batch, out;
  double now_s = calib::missing;
  bool dry_run = false, redact = false;
};

std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  const auto hex = to_hex(hash.finish());
  return {hex.begin(), hex.end()};
}

/// Everything a decision depends on; recorded, so that a replay sees the same.
struct Inputs {
  json request = json::object(), ruleset = json::object(), guardrails;  // guardrails null: none given
  json history = json::array();
  double now_s = 0;
  bool dry_run = true;
};

json read_history(const std::string& path) {
  json entries = json::array();
  const auto text = read_file(path);
  std::size_t line_number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    ++line_number;
    if (end > at) {
      const auto place = std::string{path}.append(":").append(std::to_string(line_number));
      auto entry = parse_json(place, text.substr(at, end - at));
      if (!entry.is_object() || !entry.contains("param") || !entry["param"].is_string() || !entry.contains("value") || !entry["value"].is_number() || !entry.contains("time_s") || !entry["time_s"].is_number())
        throw InputError(place + ": expected {\"param\": name, \"value\": number, \"time_s\": number}");
      entries.push_back(entry);
    }
    at = end + 1;
  }
  return entries;
}

double optional_number(const json& object, const char* key, double otherwise) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return otherwise;
  if (!found->is_number()) throw InputError(std::string{"guardrails: "}.append(key).append(" must be a number"));
  return found->get<double>();
}

/// Runs the guardrails over the updates of `record`; fills `guard` and `decision`. Without guardrails every decision is advice.
void guard(json& record, const calib::Decision& decision, const Inputs& inputs) {
  record["guard"] = json::array();
  record["decision"] = "advice";
  const bool has_update = std::any_of(decision.actions.begin(), decision.actions.end(), [](const auto& action) { return action.type == calib::ActionType::update; });
  if (!has_update) {
    if (decision.code != calib::Code::SUCCESS) record["decision"] = "rejected";
    return;
  }
  if (inputs.guardrails.is_null()) return;
  const auto& config = inputs.guardrails;
  if (!config.is_object() || !config.contains("limits") || !config["limits"].is_object()) throw InputError("guardrails: expected {\"limits\": {param: {...}}}");
  calib::GuardContext context;
  context.now_s = inputs.now_s;
  context.data_time_s = optional_number(config, "data_time_s", inputs.now_s);
  context.last_decision_s = optional_number(config, "last_decision_s", calib::missing);
  context.max_age_s = optional_number(config, "max_age_s", context.max_age_s);
  context.min_confidence = optional_number(config, "min_confidence", context.min_confidence);
  context.anomaly_z = optional_number(config, "anomaly_z", context.anomaly_z);
  context.cold_start = static_cast<int>(optional_number(config, "cold_start", context.cold_start));
  context.rollbacks_last_hour = static_cast<int>(optional_number(config, "rollbacks_last_hour", 0));
  context.dry_run = inputs.dry_run || config.value("dry_run", true);
  context.kill_switch = config.value("kill_switch", false);
  context.approved = config.contains("approval") && config["approval"].is_object() && config["approval"].contains("by");
  context.bounds_changed = config.value("bounds_changed", false);
  context.bounds_approvals = 0;
  if (config.contains("bounds_approved_by") && config["bounds_approved_by"].is_array()) {
    std::vector<std::string> people;
    for (const auto& person : config["bounds_approved_by"])
      if (person.is_string()) people.push_back(person.get<std::string>());
    std::sort(people.begin(), people.end());
    context.bounds_approvals = static_cast<int>(std::unique(people.begin(), people.end()) - people.begin());
  }
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
      limit.low = optional_number(entry, "min", calib::missing);
      limit.high = optional_number(entry, "max", calib::missing);
      limit.max_step = optional_number(entry, "max_step", calib::missing);
      limit.max_step_relative = optional_number(entry, "max_step_relative", calib::missing);
      limit.per_hour = optional_number(entry, "per_hour", limit.per_hour);
      limit.cumulative_day = optional_number(entry, "cumulative_24h", calib::missing);
      limit.resolution = optional_number(entry, "resolution", 0);
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

/// The record of one decision without its place in the chain and without latency.
json make_record(const Inputs& inputs, const std::string& request_name, const TraceFile* trace, bool redact, std::vector<double>& scratch) {
  const auto request = parse_request(request_name, inputs.request);
  const auto thresholds = parse_ruleset("ruleset", inputs.ruleset);
  const auto current = inputs.request.value("current_params", json::object());
  calib::Decision decision;
  json observations;
  if (trace != nullptr) {
    decision = decide(request, *trace, thresholds, scratch);
    observations = {{"ref", redact ? "redacted" : fs::absolute(trace->path).lexically_normal().string()}, {"sha256", sha256(trace->bytes)}, {"n", trace->rows()}};
  } else {
    const auto found = inputs.request.find("plan");
    if (found == inputs.request.end() || !found->is_object()) throw InputError(request_name + ": neither a trace nor a plan");
    calib::Request view;
    view.family = request.family;
    view.meta = request.meta;
    const auto factor = calib::unit_of(std::string{"x_"}.append(found->value("unit", "s"))).factor;
    const calib::Plan plan{optional_number(*found, "start", 0) * factor, optional_number(*found, "stop", 0) * factor, static_cast<int>(optional_number(*found, "points", 0))};
    double expected = calib::missing;
    for (const char* key : {"T1_s", "T2_echo_s", "T2_star_s"})
      if (current.is_object() && current.contains(key) && current[key].is_number() && !std::isfinite(expected)) expected = current[key].get<double>();
    const double limit = inputs.guardrails.is_object() ? optional_number(inputs.guardrails, "max_power_dBm", calib::missing) : calib::missing;
    decision = calib::preflight(view, plan, expected, optional_number(*found, "power_dBm", calib::missing), limit);
    observations = {{"ref", "plan"}, {"n", 0}};
  }
  json record = to_json(decision, current);
  record["v"] = 1;
  for (const char* key : {"experiment_id", "device_id", "target", "operator", "hardware_rev", "request_ts"})
    record[key] = inputs.request.contains(key) ? inputs.request[key] : json(nullptr);
  record["family"] = std::string{to_string(request.family)};
  record["observations"] = observations;
  record["current_params"] = current;
  record["ruleset"] = {{"id", inputs.ruleset.value("id", "calrules")}, {"version", inputs.ruleset.value("version", "1.0.0")}, {"sha256", sha256(inputs.ruleset.dump())}};
  if (!request.notes.empty()) record["notes"] = request.notes;
  guard(record, decision, inputs);
  record["inputs"] = {{"request", inputs.request}, {"ruleset", inputs.ruleset}, {"guardrails", inputs.guardrails}, {"history", inputs.history}, {"now_s", inputs.now_s}, {"dry_run", inputs.dry_run}};
  return record;
}

/// Appends one line and waits until it is on the medium.
void append_line(const std::string& path, const std::string& line) {
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT, 0644);
  if (file < 0) throw InputError(path + ": cannot be opened for appending");
  const auto written = ::write(file, line.data(), line.size());
  const bool good = written == static_cast<ssize_t>(line.size()) && ::fsync(file) == 0;
  ::close(file);
  if (!good) throw InputError(path + ": the line could not be written in full");
}

std::vector<std::string> lines_of(const std::string& path) {
  const auto text = read_file(path);
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::string link_of(const json& record) {
  json body = record;
  body.erase("hash");
  const auto hash = calib::audit_link(record.value("prev", ""), body.dump());
  return {hash.begin(), hash.end()};
}

/// Checks the chain; returns the problems, each naming its line. `F.head` beside the file holds the newest link, so that a cut end shows.
std::vector<std::string> verify_chain(const std::string& path) {
  std::vector<std::string> problems;
  const auto lines = lines_of(path);
  std::string previous{calib::view(calib::audit_genesis)};
  for (std::size_t k = 0; k < lines.size(); ++k) {
    const auto place = std::string{path}.append(":").append(std::to_string(k + 1)).append(": ");
    json record;
    try {
      record = json::parse(lines[k]);
    } catch (const json::exception&) {
      problems.push_back(place + "not a JSON record");
      continue;
    }
    if (!record.is_object() || !record.contains("hash") || !record["hash"].is_string() || !record.contains("prev") || !record["prev"].is_string() || !record.contains("seq")) {
      problems.push_back(place + "a field of the chain is missing");
      continue;
    }
    if (record.dump() != lines[k] || link_of(record) != record["hash"]) problems.push_back(place + "the record was edited");
    if (record["prev"] != previous) problems.push_back(place + "does not follow the line before: a record was removed, inserted or moved");
    else if (record["seq"] != k + 1) problems.push_back(place + "sequence number is not the line's");
    previous = record["hash"].get<std::string>();
  }
  const auto head = path + ".head";
  if (!fs::exists(head)) problems.push_back(head + ": absent; a cut end of the file cannot be excluded");
  else if (read_file(head) != previous + "\n") problems.push_back(std::string{path}.append(":").append(std::to_string(lines.size() + 1)).append(": the newest link is not the last line: records were removed from the end"));
  return problems;
}

void append_record(const std::string& path, json& record) {
  std::string previous{calib::view(calib::audit_genesis)};
  std::size_t sequence = 1;
  if (fs::exists(path)) {
    // Fail closed: nothing is added to a chain that does not hold.
    const auto problems = verify_chain(path);
    if (!problems.empty()) throw InputError("audit refused: " + problems.front());
    const auto lines = lines_of(path);
    if (!lines.empty()) previous = json::parse(lines.back())["hash"].get<std::string>();
    sequence = lines.size() + 1;
  }
  record["prev"] = previous;
  record["seq"] = sequence;
  record["hash"] = link_of(record);
  append_line(path, record.dump() + "\n");
  const auto temporary = path + ".head.new";
  fs::remove(temporary);
  append_line(temporary, record["hash"].get<std::string>() + "\n");
  fs::rename(temporary, path + ".head");
}

Inputs read_inputs(const Options& options, const std::string& request_path) {
  Inputs inputs;
  inputs.request = parse_json(request_path, read_file(request_path));
  if (!inputs.request.is_object()) throw InputError(request_path + ": expected a JSON object");
  if (!options.ruleset.empty()) {
    inputs.ruleset = parse_json(options.ruleset, read_file(options.ruleset));
    parse_ruleset(options.ruleset, inputs.ruleset);
  }
  if (!options.guardrails.empty()) inputs.guardrails = parse_json(options.guardrails, read_file(options.guardrails));
  if (!options.history.empty() && fs::exists(options.history)) inputs.history = read_history(options.history);
  inputs.dry_run = options.dry_run;
  inputs.now_s = std::isfinite(options.now_s) ? options.now_s : static_cast<double>(std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count());
  return inputs;
}

/// Writes accepted values to the history file and reads them back; a mismatch removes them again.
void apply(const Options& options, const Inputs& inputs, json& record) {
  if (record["decision"] != "applied") return;
  if (options.history.empty()) {
    record["decision"] = "held";
    record["fallback"] = "no history file to write accepted values to";
    return;
  }
  const auto before = fs::exists(options.history) ? read_file(options.history) : std::string{};
  std::string lines;
  for (const auto& action : record["suggested_actions"])
    if (action["type"] == "update") lines += json({{"param", action["param"]}, {"value", action["new"]}, {"time_s", inputs.now_s}}).dump() + "\n";
  const auto outcome = calib::write_and_verify(
      0.0, 1.0,
      [&](double next) noexcept {
        try {
          if (next > 0) append_line(options.history, lines);
          else fs::resize_file(options.history, before.size());
          return true;
        } catch (const std::exception&) {
          return false;
        }
      },
      [&]() noexcept {
        try {
          return read_file(options.history) == before + lines;
        } catch (const std::exception&) {
          return false;
        }
      });
  if (outcome == calib::WriteOutcome::rolled_back) record["decision"] = "rolled_back";
}

void run_calibrate(const Options& options) {
  std::vector<double> scratch;
  if (!options.batch.empty()) {
    if (!fs::is_directory(options.batch)) throw InputError(options.batch + ": not a folder");
    std::vector<fs::path> traces;
    for (const auto& entry : fs::directory_iterator(options.batch))
      if (entry.path().extension() == ".csv") traces.push_back(entry.path());
    std::sort(traces.begin(), traces.end());
    std::ofstream file;
    if (!options.out.empty()) {
      file.open(options.out, std::ios::binary);
      if (!file) throw InputError(options.out + ": cannot be written");
    }
    for (const auto& path : traces) {
      json record;
      auto request = path;
      request.replace_extension(".request.json");
      try {
        const auto inputs = read_inputs(options, request.string());
        const auto trace = parse_trace(path.string(), read_file(path.string()));
        record = make_record(inputs, request.string(), &trace, options.redact, scratch);
      } catch (const InputError& error) {
        record = {{"verdict", {{"status", "BAD_INPUT"}, {"outcome", "apparatus"}, {"reliable", "no_fit"}, {"reason", error.what()}, {"rules_fired", json::array({"input"})}}},
                  {"fit", {{"model", "none"}, {"params", json::object()}}}, {"suggested_actions", json::array({{{"type", "abort"}}})}, {"confidence", 0.0}, {"guard", json::array()}, {"decision", "rejected"}};
      }
      record.erase("inputs");
      record["id"] = path.stem().string();
      const auto line = record.dump() + "\n";
      if (file.is_open()) file << line;
      else std::fputs(line.c_str(), stdout);
    }
    return;
  }
  if (options.request.empty()) throw InputError("calibrate needs --request, or --batch");
  const auto inputs = read_inputs(options, options.request);
  TraceFile trace;
  if (!options.trace.empty()) trace = parse_trace(options.trace, read_file(options.trace));
  const auto start = std::chrono::steady_clock::now();
  json record = make_record(inputs, options.request, options.trace.empty() ? nullptr : &trace, options.redact, scratch);
  const auto latency = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start).count();
  apply(options, inputs, record);
  record["latency_us"] = latency;
  if (!options.audit.empty()) append_record(options.audit, record);
  else record.erase("inputs");
  std::printf("%s\n", record.dump().c_str());
}

/// Recomputes a record from its recorded inputs, with `ruleset` in place of its own when given; null when its data were redacted.
json recompute(const json& record, const json* ruleset, std::vector<double>& scratch) {
  const auto& recorded = record.at("inputs");
  Inputs inputs;
  inputs.request = recorded.at("request");
  inputs.ruleset = ruleset != nullptr ? *ruleset : recorded.at("ruleset");
  inputs.guardrails = recorded.at("guardrails");
  inputs.history = recorded.at("history");
  inputs.now_s = recorded.at("now_s").get<double>();
  inputs.dry_run = recorded.at("dry_run").get<bool>();
  const auto ref = record.at("observations").at("ref").get<std::string>();
  if (ref == "redacted") return nullptr;
  if (ref == "plan") return make_record(inputs, "recorded request", nullptr, false, scratch);
  const auto trace = parse_trace(ref, read_file(ref));
  if (sha256(trace.bytes) != record.at("observations").at("sha256")) throw InputError(ref + ": the trace has changed since the decision");
  return make_record(inputs, "recorded request", &trace, false, scratch);
}

int audit_verify(const std::string& path) {
  const auto problems = verify_chain(path);
  for (const auto& problem : problems) std::printf("%s\n", problem.c_str());
  if (problems.empty()) std::printf("%s: %zu records, chain holds\n", path.c_str(), lines_of(path).size());
  return problems.empty() ? 0 : 1;
}

int audit_replay(const std::string& path) {
  std::vector<double> scratch;
  int different = 0, line = 0, skipped = 0;
  for (const auto& text : lines_of(path)) {
    ++line;
    auto record = parse_json(path, text);
    try {
      auto again = recompute(record, nullptr, scratch);
      if (again.is_null()) {
        ++skipped;
        continue;
      }
      // The write happens after the decision: its outcome is part of the record, not of the replay.
      const auto outcome = record.value("decision", "");
      if (again["decision"] == "applied" && (outcome == "rolled_back" || outcome == "held")) {
        again["decision"] = outcome;
        if (record.contains("fallback")) again["fallback"] = record["fallback"];
      }
      for (const char* key : {"prev", "seq", "hash", "latency_us"}) record.erase(key);
      if (again.dump() == record.dump()) continue;
      for (const auto& step : json::diff(record, again)) std::printf("%s:%d: differs at %s\n", path.c_str(), line, step["path"].get<std::string>().c_str());
    } catch (const std::exception& error) {
      std::printf("%s:%d: %s\n", path.c_str(), line, error.what());
    }
    ++different;
  }
  std::printf("%s: %d records, %d differ, %d redacted\n", path.c_str(), line, different, skipped);
  return different == 0 ? 0 : 1;
}

int audit_whatif(const std::string& path, const std::string& ruleset_path) {
  const auto ruleset = parse_json(ruleset_path, read_file(ruleset_path));
  parse_ruleset(ruleset_path, ruleset);
  std::vector<double> scratch;
  int line = 0, changed = 0;
  for (const auto& text : lines_of(path)) {
    ++line;
    const auto record = parse_json(path, text);
    const auto again = recompute(record, &ruleset, scratch);
    if (again.is_null()) continue;
    const auto before = record["verdict"]["status"].get<std::string>(), after = again["verdict"]["status"].get<std::string>();
    if (before == after && record["decision"] == again["decision"]) continue;
    ++changed;
    std::printf("%s\n", json({{"line", line}, {"experiment_id", record["experiment_id"]}, {"status", {before, after}}, {"decision", {record["decision"], again["decision"]}}}).dump().c_str());
  }
  std::fprintf(stderr, "%d of %d decisions would change\n", changed, line);
  return 0;
}

template <class Run>
void guarded(Run&& run) {
  int code = 0;
  try {
    code = run();
  } catch (const InputError& error) {
    std::fprintf(stderr, "spinel: %s\n", error.what());
    code = 2;
  } catch (const nlohmann::json::exception& error) {
    std::fprintf(stderr, "spinel: record: %s\n", error.what());
    code = 2;
  }
  if (code != 0) throw CLI::RuntimeError(code);
}

}  // namespace

void add_calibrate_commands(CLI::App& app) {
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand("calibrate", "Decide on a calibration measurement: verdict, parameters, next step");
  command->add_option("--trace", options->trace, "measurement (CSV); without it the request's plan is checked");
  command->add_option("--request", options->request, "what was measured (JSON)");
  command->add_option("--history", options->history, "accepted values (JSON lines); applied updates are appended");
  command->add_option("--guardrails", options->guardrails, "limits and approvals (JSON)");
  command->add_option("--ruleset", options->ruleset, "thresholds (JSON)");
  command->add_option("--audit", options->audit, "append the decision to this hash-chained file");
  command->add_option("--batch", options->batch, "folder of <id>.csv with <id>.request.json");
  command->add_option("--out", options->out, "decisions of a batch (JSON lines)");
  command->add_option("--now", options->now_s, "time of the decision, seconds since 1970 (default: the clock)");
  command->add_flag("--dry-run", options->dry_run, "advice only, whatever the guardrails say");
  command->add_flag("--redact", options->redact, "record the trace's hash, not its place");
  command->callback([options] { guarded([&] { return run_calibrate(*options), 0; }); });

  auto* audit = app.add_subcommand("audit", "Check, replay and question the record of decisions");
  audit->require_subcommand(1);
  auto file = std::make_shared<std::string>(), ruleset = std::make_shared<std::string>();
  auto* verify = audit->add_subcommand("verify", "find edited, removed or reordered records");
  verify->add_option("file", *file)->required();
  verify->callback([file] { guarded([&] { return audit_verify(*file); }); });
  auto* replay = audit->add_subcommand("replay", "decide again and compare byte for byte");
  replay->add_option("file", *file)->required();
  replay->callback([file] { guarded([&] { return audit_replay(*file); }); });
  auto* whatif = audit->add_subcommand("whatif", "list the decisions another rule set would change");
  whatif->add_option("file", *file)->required();
  whatif->add_option("--ruleset", *ruleset)->required();
  whatif->callback([file, ruleset] { guarded([&] { return audit_whatif(*file, *ruleset); }); });
}

}  // namespace spinel::cli
