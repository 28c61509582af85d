// SPDX-License-Identifier: Apache-2.0
#include "stream_run_impl.hpp"

namespace spinel::cli {
bool run_stream_x(StreamRun& run) { return run_stream_in<Basis::X>(run); }
}  // namespace spinel::cli
