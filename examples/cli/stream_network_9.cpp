// SPDX-License-Identifier: Apache-2.0
#include "stream_network.hpp"

namespace spinel::cli {
void run_stream_network_9(StreamRun& run) { run_network_stream_at<9>(run); }
}  // namespace spinel::cli
