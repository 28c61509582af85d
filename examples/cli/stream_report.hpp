// SPDX-License-Identifier: Apache-2.0
// What a real-time run has to tell, as JSON, as a table for the terminal and as one page with the histogram as SVG.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "stream_run.hpp"

namespace spinel::cli {

nlohmann::ordered_json stream_report(const StreamRun& run, bool memory_locked);
std::string stream_table(const nlohmann::ordered_json& report);
std::string stream_page(const nlohmann::ordered_json& report, const StreamRun& run);

}  // namespace spinel::cli
