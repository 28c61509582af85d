// SPDX-License-Identifier: Apache-2.0
// Where a command's report goes: opened before the work, so that a long run does not end with "cannot open for writing".
#pragma once

#include <spinel/io/file.hpp>
#include <string>

#include "command_error.hpp"

namespace spinel::cli {

class ReportFile {
 public:
  /// `path` empty: no report. "-": standard output.
  explicit ReportFile(const std::string& path) : wanted_(!path.empty()) {
    if (!wanted_) return;
    auto file = io::FileWriter::open(path);
    if (!file) throw CommandError(file.error());
    file_ = std::move(*file);
  }
  void write(const std::string& text) {
    if (!wanted_) return;
    if (const auto written = file_.write(text); !written) throw CommandError(written.error());
    if (const auto closed = file_.close(); !closed) throw CommandError(closed.error());
  }

 private:
  bool wanted_;
  io::FileWriter file_;
};

}  // namespace spinel::cli
