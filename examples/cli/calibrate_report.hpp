// SPDX-License-Identifier: Apache-2.0
// One decision as one self-contained HTML page: the trace with its fit as SVG, the verdict, the parameters, the next sweep, the guardrails.
#pragma once

#include "calibration_io.hpp"

namespace spinel::cli {

/// The page's text. `trace` null: a checked plan, without a picture. Nothing is fetched when the page is opened.
std::string report_page(const nlohmann::json& record, const RequestFile& request, const TraceFile* trace, const calib::Decision& decision);

}  // namespace spinel::cli
