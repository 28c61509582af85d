// SPDX-License-Identifier: Apache-2.0
#include "stream_network.hpp"

namespace spinel::cli {
void run_stream_network_7(StreamRun& run) { run_network_stream_at<7>(run); }
}  // namespace spinel::cli
