// SPDX-License-Identifier: Apache-2.0
#include "stream_run_impl.hpp"

namespace spinel::cli {
bool run_stream_z(StreamRun& run) { return run_stream_in<Basis::Z>(run); }
}  // namespace spinel::cli
