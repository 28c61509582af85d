// SPDX-License-Identifier: Apache-2.0
// What several commands read from files: a detector error model and recorded shots. A file that cannot be read or understood ends
// the command with its name and place.
#pragma once

#include "commands.hpp"

#include <spinel/io/dem.hpp>
#include <spinel/io/error.hpp>
#include <spinel/io/file.hpp>
#include <spinel/io/shots.hpp>
#include <string>
#include <utility>

namespace spinel::cli {

/// The value, or CommandError with `where` before what was wrong.
template <class T>
T value_of(io::Expected<T>&& expected, const std::string& where) {
  if (!expected) throw CommandError(where + expected.error());
  return std::move(*expected);
}

inline io::DetectorErrorModel read_model(const std::string& path) {
  return value_of(io::parse_dem(value_of(io::read_file(path), "")), path + ": ");
}

/// The shots of a file (`-`: standard input) whose format the flag `format_flag` names.
inline io::ShotTable read_shots(const std::string& path, const std::string& format, const std::string& format_flag, io::ShotLayout layout) {
  return value_of(io::parse_shots(value_of(io::read_file(path), ""), value_of(io::shot_format(format), format_flag + ": "), layout),
                  path + ": ");
}

}  // namespace spinel::cli
