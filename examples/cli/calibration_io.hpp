// SPDX-License-Identifier: Apache-2.0
// Files of the calibration commands: trace (CSV), request (JSON), rule set (JSON), and a decision as JSON. Errors name the file, the line
// and what was expected; a file that cannot be read throws InputError, which the program turns into exit code 2.
#pragma once

#include <nlohmann/json.hpp>
#include <spinel/calib/engine.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace spinel::cli {

struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A trace in memory; `bytes` is the file as read.
struct TraceFile {
  std::string path, bytes;
  std::vector<std::string> names;
  std::vector<std::vector<double>> values;
  std::size_t rows() const { return values.empty() ? 0 : values[0].size(); }
};

std::string read_file(const std::string& path);
TraceFile parse_trace(const std::string& path, std::string bytes);

/// A request with the strings it points into.
struct RequestFile {
  nlohmann::json json;
  calib::Family family = calib::Family::unknown;
  calib::Meta meta{};
  std::vector<std::string> notes;  ///< fields that were not understood
};
RequestFile parse_request(const std::string& path, const nlohmann::json& json);
nlohmann::json parse_json(const std::string& path, const std::string& bytes);

/// Number under current_params.NAME, given plainly or as {"value": number, ...}; NaN when absent.
double current_value(const nlohmann::json& request, const char* name);

/// Thresholds from a rule set {"id", "version", "thresholds": {name: number}}.
calib::Thresholds parse_ruleset(const std::string& path, const nlohmann::json& json);

/// Decides; `scratch` grows before the decision when the trace needs it.
calib::Decision decide(const RequestFile& request, const TraceFile& trace, const calib::Thresholds& thresholds, std::vector<double>& scratch);

/// facts, fit, verdict, suggested_actions and confidence of a decision; `current` fills the old values of updates.
nlohmann::json to_json(const calib::Decision& decision, const nlohmann::json& current);

}  // namespace spinel::cli
