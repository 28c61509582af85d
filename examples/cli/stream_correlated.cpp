// SPDX-License-Identifier: Apache-2.0
#include "stream_run_impl.hpp"

namespace spinel::cli {
namespace {
template <StreamExperiment stream>
void run_correlated(StreamRun& run) {
  run_lattice_stream<stream, CorrelatedLatticeWindow<stream>>(run);
}
template <Basis basis>
bool run_in(StreamRun& run) {
  switch (run.experiment.distance) {
    case 3: run_correlated<StreamExperiment{3, 3, 3, basis}>(run); return true;
    case 5: run_correlated<StreamExperiment{5, 5, 5, basis}>(run); return true;
    case 7: run_correlated<StreamExperiment{7, 7, 7, basis}>(run); return true;
    case 9: run_correlated<StreamExperiment{9, 9, 9, basis}>(run); return true;
    case 13: run_correlated<StreamExperiment{13, 13, 13, basis}>(run); return true;
    default: return false;
  }
}
}  // namespace

bool run_stream_correlated(StreamRun& run) { return run.experiment.basis == Basis::X ? run_in<Basis::X>(run) : run_in<Basis::Z>(run); }
}  // namespace spinel::cli
