// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "calibration_io.hpp"
#include "commands.hpp"

namespace spinel::cli {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct Options {
  std::string trace, request, history, guardrails, ruleset, audit, batch, out;
  bool dry_run = false;
};

json decide_files(const std::string& trace_path, const std::string& request_path, const calib::Thresholds& thresholds, std::vector<double>& scratch) {
  const auto request = parse_request(request_path, parse_json(request_path, read_file(request_path)));
  const auto trace = parse_trace(trace_path, read_file(trace_path));
  const auto decision = decide(request, trace, thresholds, scratch);
  json record = to_json(decision, request.json.value("current_params", json::object()));
  record["family"] = std::string{to_string(request.family)};
  return record;
}

void run_calibrate(const Options& options) {
  std::vector<double> scratch;
  calib::Thresholds thresholds;
  if (!options.ruleset.empty()) thresholds = parse_ruleset(options.ruleset, parse_json(options.ruleset, read_file(options.ruleset)));
  if (!options.batch.empty()) {
    std::vector<fs::path> traces;
    for (const auto& entry : fs::directory_iterator(options.batch))
      if (entry.path().extension() == ".csv") traces.push_back(entry.path());
    std::sort(traces.begin(), traces.end());
    std::ofstream file;
    if (!options.out.empty()) file.open(options.out);
    for (const auto& path : traces) {
      json record;
      auto request = path;
      request.replace_extension(".request.json");
      try {
        record = decide_files(path.string(), request.string(), thresholds, scratch);
      } catch (const InputError& error) {
        record = {{"verdict", {{"status", "BAD_INPUT"}, {"outcome", "apparatus"}, {"reliable", "no_fit"}, {"reason", error.what()}, {"rules_fired", json::array({"input"})}}}};
      }
      record["id"] = path.stem().string();
      const auto line = record.dump() + "\n";
      if (file.is_open()) file << line;
      else std::fputs(line.c_str(), stdout);
    }
    return;
  }
  std::printf("%s\n", decide_files(options.trace, options.request, thresholds, scratch).dump().c_str());
}

}  // namespace

void add_calibrate_commands(CLI::App& app) {
  auto* command = app.add_subcommand("calibrate", "Decide on a calibration measurement");
  auto options = std::make_shared<Options>();
  command->add_option("--trace", options->trace, "measurement (CSV)");
  command->add_option("--request", options->request, "what was measured (JSON)");
  command->add_option("--ruleset", options->ruleset, "thresholds (JSON)");
  command->add_option("--batch", options->batch, "folder of <id>.csv with <id>.request.json");
  command->add_option("--out", options->out, "decisions of a batch (JSON lines)");
  command->callback([options] {
    try {
      run_calibrate(*options);
    } catch (const InputError& error) {
      std::fprintf(stderr, "spinel: %s\n", error.what());
      throw CLI::RuntimeError(2);
    }
  });
}

}  // namespace spinel::cli
