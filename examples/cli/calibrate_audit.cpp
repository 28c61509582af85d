// SPDX-License-Identifier: Apache-2.0
#include "calibrate_audit.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <spinel/calib/audit.hpp>

namespace spinel::cli {

using nlohmann::json;
namespace fs = std::filesystem;

std::string to_line(const json& record) { return record.dump(-1, ' ', false, json::error_handler_t::replace); }

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

void append_synced(const std::string& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT, 0644);
  if (file < 0) throw InputError(path + ": cannot be opened for appending");
  const auto written = ::write(file, text.data(), text.size());
  const bool good = written == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
  ::close(file);
  if (!good) throw InputError(path + ": the line could not be written in full");
}

namespace {

std::string segment_name(const std::string& path, std::size_t number) {
  char suffix[24];
  std::snprintf(suffix, sizeof suffix, ".%04zu", number);
  return path + suffix;
}

std::string link_of(const json& record) {
  json body = record;
  body.erase("hash");
  const auto hash = calib::audit_link(record.value("prev", ""), to_line(body));
  return {hash.begin(), hash.end()};
}

std::string head_text(const std::string& hash, std::size_t sequence) { return hash + " " + std::to_string(sequence) + "\n"; }

/// Holds the writers of one audit file apart.
class Lock {
 public:
  explicit Lock(const std::string& path) : file_{::open((path + ".lock").c_str(), O_RDWR | O_CREAT, 0644)} {
    if (file_ < 0 || ::flock(file_, LOCK_EX) != 0) throw InputError(path + ".lock: cannot be locked");
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock() { ::close(file_); }

 private:
  int file_;
};

}  // namespace

std::vector<std::string> audit_segments(const std::string& path) {
  std::vector<std::string> segments;
  std::size_t highest = 0;
  const auto folder = fs::absolute(path).parent_path();
  const auto stem = fs::path{path}.filename().string() + ".";
  if (fs::is_directory(folder))
    for (const auto& entry : fs::directory_iterator(folder)) {
      const auto name = entry.path().filename().string();
      if (name.size() != stem.size() + 4 || name.compare(0, stem.size(), stem) != 0) continue;
      const auto digits = name.substr(stem.size());
      if (std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; })) highest = std::max<std::size_t>(highest, std::stoul(digits));
    }
  for (std::size_t k = 1; k <= highest; ++k) segments.push_back(segment_name(path, k));
  if (highest == 0 || fs::exists(path)) segments.push_back(path);
  return segments;
}

std::vector<std::string> verify_chain(const std::string& path, std::size_t* records) {
  std::vector<std::string> problems;
  std::string previous{calib::view(calib::audit_genesis)};
  std::size_t sequence = 0;
  for (const auto& segment : audit_segments(path)) {
    if (!fs::exists(segment)) {
      if (segment == path) throw InputError(path + ": cannot be opened");
      problems.push_back(segment + ":1: the segment was removed");
      continue;
    }
    const auto lines = lines_of(segment);
    for (std::size_t k = 0; k < lines.size(); ++k) {
      const auto place = std::string{segment}.append(":").append(std::to_string(k + 1)).append(": ");
      const auto record = json::parse(lines[k], nullptr, false);
      if (record.is_discarded()) {
        problems.push_back(place + "not a JSON record: the line was edited or cut");
        ++sequence;
        continue;
      }
      if (!record.is_object() || !record.contains("hash") || !record["hash"].is_string() || !record.contains("prev") || !record["prev"].is_string() || !record.contains("seq") || !record["seq"].is_number_unsigned()) {
        problems.push_back(place + "a field of the chain is missing: the line was edited");
        ++sequence;
        continue;
      }
      const auto hash = record["hash"].get<std::string>();
      const auto number = record["seq"].get<std::size_t>();
      if (to_line(record) != lines[k] || link_of(record) != hash) problems.push_back(place + "the record was edited");
      if (number != sequence + 1 || record["prev"] != previous) {
        const auto expected = std::to_string(sequence + 1), found = std::to_string(number);
        if (number > sequence + 1) problems.push_back(place + "record " + found + " stands where record " + expected + " was: records were removed or moved");
        else if (number <= sequence) problems.push_back(place + "record " + found + " stands where record " + expected + " was: records were moved or repeated");
        else problems.push_back(place + "does not continue the record before it: that one was edited or replaced");
      }
      sequence = number;
      previous = hash;
    }
    const auto text = read_file(segment);
    if (!text.empty() && text.back() != '\n') problems.push_back(std::string{segment}.append(":").append(std::to_string(lines.size())).append(": the last line has no end: the file was cut"));
  }
  const auto head = path + ".head";
  if (sequence > 0 && !fs::exists(head)) {
    problems.push_back(head + ":1: absent; a cut end of the record cannot be excluded");
  } else if (fs::exists(head) && read_file(head) != head_text(previous, sequence)) {
    const auto lines = lines_of(head);
    const auto newest = lines.empty() ? std::string{"?"} : lines[0].substr(std::min(lines[0].size(), lines[0].find(' ') + 1));
    const auto open = fs::exists(path) ? lines_of(path).size() : 0;
    problems.push_back(std::string{path}.append(":").append(std::to_string(open + 1)).append(": the head names record ").append(newest).append(" as the newest, the last one here is ").append(std::to_string(sequence)).append(": records were removed from the end or changed"));
  }
  if (records != nullptr) *records = sequence;
  return problems;
}

AuditState audit_state(const std::string& path, double now_s) {
  AuditState state;
  const auto segments = audit_segments(path);
  if (segments.size() == 1 && !fs::exists(path) && !fs::exists(path + ".head")) return state;
  const auto problems = fs::exists(path) || segments[0] != path ? verify_chain(path, &state.records) : std::vector<std::string>{path + ": absent, but its head is there"};
  if (!problems.empty()) throw InputError("audit refused: " + problems.front());
  int rollbacks = 0;
  for (const auto& segment : segments)
    for (const auto& line : lines_of(segment)) {
      const auto record = json::parse(line);
      if (const auto time = record.find("time_s"); time != record.end() && time->is_number()) {
        state.last_decision_s = *time;
        const auto decision = record.value("decision", "");
        if ((decision == "rolled_back" || decision == "failed") && now_s - time->get<double>() < 3600) ++rollbacks;
      }
      if (const auto limits = record.find("limits"); limits != record.end() && !limits->is_null()) state.limits = *limits;
    }
  state.rollbacks_last_hour = rollbacks;
  return state;
}

void append_record(const std::string& path, json& record, std::uint64_t rotate_bytes) {
  const Lock lock{path};
  std::string previous{calib::view(calib::audit_genesis)};
  std::size_t sequence = 0;
  const auto segments = audit_segments(path);
  if (fs::exists(path) || segments[0] != path || fs::exists(path + ".head")) {
    // Fail closed: nothing is added to a chain that does not hold.
    if (!fs::exists(path) && segments[0] == path) throw InputError("audit refused: " + path + ": absent, but its head is there");
    const auto problems = verify_chain(path, &sequence);
    if (!problems.empty()) throw InputError("audit refused: " + problems.front());
    if (sequence > 0) previous = lines_of(path + ".head").at(0).substr(0, 64);
  }
  record["prev"] = previous;
  record["seq"] = sequence + 1;
  record["hash"] = link_of(record);
  append_synced(path, to_line(record) + "\n");
  const auto temporary = path + ".head.new";
  fs::remove(temporary);
  append_synced(temporary, head_text(record["hash"].get<std::string>(), sequence + 1));
  fs::rename(temporary, path + ".head");
  if (rotate_bytes > 0 && fs::file_size(path) > rotate_bytes) {
    const auto closed = segments.back() == path ? segments.size() : segments.size() + 1;
    if (closed > 9999) throw InputError(path + ": 9999 closed segments; archive them");
    fs::rename(path, segment_name(path, closed));
  }
}

}  // namespace spinel::cli
