// SPDX-License-Identifier: Apache-2.0
// The audit file of the calibration commands: one JSON record a line, hash-chained, appended with fsync under a lock, rotated by size.
// F.0001, F.0002, ... are the closed segments in order, F the open one, F.head the newest link with its sequence number.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calibration_io.hpp"

namespace spinel::cli {

/// Canonical bytes of a record: sorted keys, shortest numbers, no white space; bytes that are not UTF-8 become U+FFFD.
std::string to_line(const nlohmann::json& record);

/// Lines of a file without their ends; an unfinished last line counts.
std::vector<std::string> lines_of(const std::string& path);

/// Appends `text` and waits until it is on the medium; throws InputError when it cannot.
void append_synced(const std::string& path, const std::string& text);

/// The files of a chain in order, the open one last; throws when a segment is missing in between.
std::vector<std::string> audit_segments(const std::string& path);

/// Every line of every segment that does not belong, each named as file:line with what is wrong; empty: the chain holds.
std::vector<std::string> verify_chain(const std::string& path, std::size_t* records = nullptr);

/// What earlier decisions tell the guardrails; all null when there are none.
struct AuditState {
  std::size_t records = 0;
  nlohmann::json last_decision_s, rollbacks_last_hour = 0, limits;
};
/// Reads the state at time `now_s`; throws when the chain does not hold: nothing may rest on it.
AuditState audit_state(const std::string& path, double now_s);

/// Links `record` (prev, seq, hash) and appends it; when the open file then has more than `rotate_bytes` (0: never) it is closed as the
/// next segment. Throws when the chain does not hold.
void append_record(const std::string& path, nlohmann::json& record, std::uint64_t rotate_bytes);

}  // namespace spinel::cli
