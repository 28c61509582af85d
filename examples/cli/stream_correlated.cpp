// SPDX-License-Identifier: Apache-2.0
#include "stream_run_impl.hpp"

namespace spinel::cli {
namespace {
template <Basis basis>
bool run_in(StreamRun& run) {
  switch (run.experiment.distance) {
    case 5: run_graph_stream<StreamExperiment{5, 5, 5, basis}>(run); return true;
    case 7: run_graph_stream<StreamExperiment{7, 7, 7, basis}>(run); return true;
    default: return false;
  }
}
}  // namespace

bool run_stream_correlated(StreamRun& run) { return run.experiment.basis == Basis::X ? run_in<Basis::X>(run) : run_in<Basis::Z>(run); }
}  // namespace spinel::cli
