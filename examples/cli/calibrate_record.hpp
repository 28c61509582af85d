// SPDX-License-Identifier: Apache-2.0
// From the files of one decision to its record: engine, guardrails, and everything a replay needs. The same inputs give the same bytes.
#pragma once

#include <string_view>

#include "calibration_io.hpp"

namespace spinel::cli {

/// Everything a decision depends on; recorded, so that a replay sees the same.
struct Inputs {
  nlohmann::json request = nlohmann::json::object(), ruleset = nlohmann::json::object(), guardrails;  ///< guardrails null: none given
  nlohmann::json history = nlohmann::json::array();
  nlohmann::json audit;  ///< {last_decision_s, rollbacks_last_hour, limits} from the audit file; null: none given
  double now_s = 0;
  bool dry_run = true;
};

std::string sha256(std::string_view bytes);

/// Accepted values, one {"param", "value", "time_s"} a line; errors name the line.
nlohmann::json read_history(const std::string& path);

/// The record of one decision without its place in the chain and without latency. `trace` null: the request's plan is checked.
/// `made` receives the engine's decision when it is not null.
nlohmann::json make_record(const Inputs& inputs, const std::string& request_name, const TraceFile* trace, bool redact, std::vector<double>& scratch,
                           calib::Decision* made = nullptr);

}  // namespace spinel::cli
