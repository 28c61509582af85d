// SPDX-License-Identifier: Apache-2.0
// How a command of the `spinel` program reports failure; main prints it after "spinel: " and exits with 1.
#pragma once

#include <stdexcept>

namespace spinel::cli {

struct CommandError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace spinel::cli
