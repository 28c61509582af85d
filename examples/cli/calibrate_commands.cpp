// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <spinel/calib/guardrail.hpp>

#include "calibrate_audit.hpp"
#include "calibrate_record.hpp"
#include "calibrate_report.hpp"
#include "commands.hpp"

namespace spinel::cli {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct Options {
  std::string trace, request, history, guardrails, ruleset, audit, batch, out, report;
  double now_s = calib::missing;
  std::uint64_t rotate_bytes = 0;
  bool dry_run = false, redact = false;
};

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
  if (!options.audit.empty()) {
    const auto state = audit_state(options.audit, inputs.now_s);
    inputs.audit = {{"last_decision_s", state.last_decision_s}, {"rollbacks_last_hour", state.rollbacks_last_hour}, {"limits", state.limits}};
  }
  return inputs;
}

/// Writes accepted values to the history file and reads them back; a mismatch removes them again.
void apply(const Options& options, const Inputs& inputs, const calib::Decision& decision, json& record) {
  if (record["decision"] != "applied") return;
  if (options.history.empty() || options.audit.empty()) {
    record["decision"] = "held";
    record["fallback"] = options.history.empty() ? "no history file to write accepted values to" : "no audit file: a write that is not recorded is not made";
    return;
  }
  const auto before = fs::exists(options.history) ? read_file(options.history) : std::string{};
  std::string lines;
  for (const auto& action : record["suggested_actions"])
    if (action["type"] == "update") {
      json entry = {{"param", action["param"]}, {"value", action["new"]}, {"time_s", inputs.now_s}, {"family", record["family"]}};
      // Height and width of the signal: what the next measurement of this family is compared with.
      if (std::isfinite(decision.facts.contrast)) entry["contrast"] = decision.facts.contrast;
      if (std::isfinite(decision.facts.width)) entry["width_Hz"] = decision.facts.width;
      lines += to_line(entry) + "\n";
    }
  const auto outcome = calib::write_and_verify(
      0.0, 1.0,
      [&](double next) noexcept {
        try {
          if (next > 0) append_synced(options.history, lines);
          else if (fs::exists(options.history)) fs::resize_file(options.history, before.size());
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
  if (outcome != calib::WriteOutcome::applied) record["decision"] = outcome == calib::WriteOutcome::rolled_back ? "rolled_back" : "failed";
}

void run_batch(const Options& options) {
  if (!fs::is_directory(options.batch)) throw InputError(options.batch + ": not a folder");
  if (!options.audit.empty()) throw InputError("--batch gives advice and writes no audit file: leave out --audit");
  std::vector<fs::path> traces;
  for (const auto& entry : fs::directory_iterator(options.batch))
    if (entry.path().extension() == ".csv") traces.push_back(entry.path());
  std::sort(traces.begin(), traces.end());
  std::ofstream file;
  if (!options.out.empty()) {
    file.open(options.out, std::ios::binary);
    if (!file) throw InputError(options.out + ": cannot be written");
  }
  std::vector<double> scratch;
  for (const auto& path : traces) {
    json record;
    auto request = path;
    request.replace_extension(".request.json");
    try {
      auto inputs = read_inputs(options, request.string());
      inputs.dry_run = true;
      const auto trace = parse_trace(path.string(), read_file(path.string()));
      record = make_record(inputs, request.string(), &trace, options.redact, scratch);
    } catch (const InputError& error) {
      record = {{"verdict", {{"status", "BAD_INPUT"}, {"outcome", "apparatus"}, {"reliable", "no_fit"}, {"reason", error.what()}, {"rules_fired", json::array({"input"})}}},
                {"fit", {{"model", "none"}, {"params", json::object()}}}, {"suggested_actions", json::array({{{"type", "abort"}}})}, {"confidence", 0.0}, {"guard", json::array()}, {"decision", "rejected"}};
    }
    record.erase("inputs");
    record["id"] = path.stem().string();
    const auto line = to_line(record) + "\n";
    if (file.is_open()) file << line;
    else std::fputs(line.c_str(), stdout);
  }
  if (file.is_open() && !file.flush()) throw InputError(options.out + ": could not be written in full");
}

void run_calibrate(const Options& options) {
  if (!options.batch.empty()) return run_batch(options);
  if (options.request.empty()) throw InputError("calibrate needs --request, or --batch");
  const auto inputs = read_inputs(options, options.request);
  TraceFile trace;
  if (!options.trace.empty()) trace = parse_trace(options.trace, read_file(options.trace));
  std::vector<double> scratch;
  const auto start = std::chrono::steady_clock::now();
  calib::Decision decision;
  json record = make_record(inputs, options.request, options.trace.empty() ? nullptr : &trace, options.redact, scratch, &decision);
  const auto latency = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start).count();
  apply(options, inputs, decision, record);
  record["latency_us"] = latency;
  if (!options.audit.empty()) append_record(options.audit, record, options.rotate_bytes);
  else record.erase("inputs");
  if (!options.report.empty()) {
    std::ofstream file{options.report, std::ios::binary};
    file << report_page(record, parse_request(options.request, inputs.request), options.trace.empty() ? nullptr : &trace, decision);
    if (!file.flush()) throw InputError(options.report + ": cannot be written");
  }
  std::printf("%s\n", to_line(record).c_str());
}

/// Recomputes a record from its recorded inputs, with `ruleset` in place of its own when given; null when its data were redacted.
json recompute(const json& record, const json* ruleset, std::vector<double>& scratch) {
  const auto& recorded = record.at("inputs");
  if (!recorded.contains("request")) return nullptr;
  Inputs inputs;
  inputs.request = recorded.at("request");
  inputs.ruleset = ruleset != nullptr ? *ruleset : recorded.at("ruleset");
  inputs.guardrails = recorded.at("guardrails");
  inputs.history = recorded.at("history");
  inputs.audit = recorded.at("audit");
  inputs.now_s = recorded.at("now_s").get<double>();
  inputs.dry_run = recorded.at("dry_run").get<bool>();
  const auto ref = record.at("observations").at("ref").get<std::string>();
  if (ref == "plan") return make_record(inputs, "recorded request", nullptr, false, scratch);
  const auto trace = parse_trace(ref, read_file(ref));
  if (sha256(trace.bytes) != record.at("observations").at("sha256")) throw InputError(ref + ": the trace has changed since the decision");
  return make_record(inputs, "recorded request", &trace, false, scratch);
}

int audit_verify(const std::string& path) {
  std::size_t records = 0;
  const auto problems = verify_chain(path, &records);
  for (const auto& problem : problems) std::printf("%s\n", problem.c_str());
  if (problems.empty()) std::printf("%s: %zu records, chain holds\n", path.c_str(), records);
  return problems.empty() ? 0 : 1;
}

/// Calls `visit(place, record)` for each line of each segment.
template <class Visit>
void each_record(const std::string& path, Visit&& visit) {
  for (const auto& segment : audit_segments(path)) {
    int line = 0;
    for (const auto& text : lines_of(segment)) {
      ++line;
      visit(std::string{segment}.append(":").append(std::to_string(line)), text);
    }
  }
}

int audit_replay(const std::string& path) {
  std::vector<double> scratch;
  int different = 0, records = 0, skipped = 0;
  each_record(path, [&](const std::string& place, const std::string& text) {
    ++records;
    try {
      auto record = parse_json(place, text);
      auto again = recompute(record, nullptr, scratch);
      if (again.is_null()) {
        ++skipped;
        return;
      }
      // The write happens after the decision: its outcome is part of the record, not of the replay.
      const auto outcome = record.value("decision", "");
      if (again["decision"] == "applied" && (outcome == "rolled_back" || outcome == "failed" || outcome == "held")) {
        again["decision"] = outcome;
        if (record.contains("fallback")) again["fallback"] = record["fallback"];
      }
      for (const char* key : {"prev", "seq", "hash", "latency_us"}) record.erase(key);
      if (to_line(again) == to_line(record)) return;
      for (const auto& step : json::diff(record, again)) std::printf("%s: differs at %s\n", place.c_str(), step["path"].get<std::string>().c_str());
    } catch (const std::exception& error) {
      std::printf("%s: %s\n", place.c_str(), error.what());
    }
    ++different;
  });
  std::printf("%s: %d records, %d differ, %d redacted\n", path.c_str(), records, different, skipped);
  return different == 0 ? 0 : 1;
}

int audit_whatif(const std::string& path, const std::string& ruleset_path) {
  const auto ruleset = parse_json(ruleset_path, read_file(ruleset_path));
  parse_ruleset(ruleset_path, ruleset);
  std::vector<double> scratch;
  int records = 0, changed = 0, skipped = 0;
  each_record(path, [&](const std::string& place, const std::string& text) {
    ++records;
    const auto record = parse_json(place, text);
    const auto again = recompute(record, &ruleset, scratch);
    if (again.is_null()) {
      ++skipped;
      return;
    }
    const auto before = record["verdict"]["status"].get<std::string>(), after = again["verdict"]["status"].get<std::string>();
    if (before == after && record["decision"] == again["decision"]) return;
    ++changed;
    std::printf("%s\n", to_line({{"line", place}, {"experiment_id", record["experiment_id"]}, {"status", {before, after}}, {"decision", {record["decision"], again["decision"]}}}).c_str());
  });
  std::fprintf(stderr, "%d of %d decisions would change, %d redacted\n", changed, records, skipped);
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
  } catch (const fs::filesystem_error& error) {
    std::fprintf(stderr, "spinel: %s\n", error.what());
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
  command->add_option("--rotate-bytes", options->rotate_bytes, "close the audit file as a numbered segment above this size (0: never)");
  command->add_option("--report", options->report, "draw trace, fit, verdict and next sweep on this self-contained page (HTML)");
  command->add_option("--batch", options->batch, "folder of <id>.csv with <id>.request.json; advice only");
  command->add_option("--out", options->out, "decisions of a batch (JSON lines)");
  command->add_option("--now", options->now_s, "time of the decision, seconds since 1970 (default: the clock)");
  command->add_flag("--dry-run", options->dry_run, "advice only, whatever the guardrails say");
  command->add_flag("--redact", options->redact, "record hashes of the trace and of the inputs instead of them");
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
