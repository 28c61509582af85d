// SPDX-License-Identifier: Apache-2.0
// Finds out which known experiment a model is: every distance whose number of detectors fits, in both numberings and bases. The
// set-up of the engine then checks each edge of the model against the lattice, so a wrong guess is refused, never decoded.
#include "lattice_engine.hpp"

#include <cstdlib>
#include <span>
#include <vector>

namespace spinel::cli {

namespace {

std::string name_of(const LatticeTrial& trial) {
  return "distance " + std::to_string(trial.experiment.distance) + ", rounds " + std::to_string(trial.experiment.rounds) + ", basis " +
         (trial.experiment.basis == Basis::X ? "X" : "Z") + ", detectors numbered as " +
         (trial.numbering == DetectorNumbering::own ? "`spinel circuit` does" : "stim's surface_code:rotated_memory does");
}

/// The cheap part of the check: all edges join checks of one type, at most two rounds apart.
bool looks_right(const LatticeTrial& trial, std::vector<LatticeSite>& sites) {
  if (trial.numbering == DetectorNumbering::own) place_own_detectors(trial.experiment, sites.data());
  else place_stim_detectors(trial.experiment, sites.data());
  for (const GraphEdge& edge : trial.edges) {
    if (edge.a == boundary_node || edge.b == boundary_node) continue;
    const LatticeSite &a = sites[edge.a], &b = sites[edge.b];
    if (a.type != b.type || std::abs(a.layer - b.layer) > 2) return false;
  }
  return true;
}

std::unique_ptr<LatticeEngine> engine_for(const LatticeTrial& trial, bool correlated, Status& status) {
  const int d = trial.experiment.distance;
  if (correlated)
    return (d <= 9    ? correlated_engine_3_9
            : d <= 15 ? correlated_engine_11_15
            : d <= 21 ? correlated_engine_17_21
                      : correlated_engine_23_31)(trial, status);
  return (d <= 9 ? lattice_engine_3_9 : d <= 15 ? lattice_engine_11_15 : d <= 21 ? lattice_engine_17_21 : lattice_engine_23_31)(trial, status);
}

}  // namespace

std::unique_ptr<LatticeEngine> find_lattice_engine(std::span<const GraphEdge> edges, std::span<const std::uint32_t> mechanism_of,
                                                   std::size_t n_detectors, std::size_t n_observables, bool correlated,
                                                   std::string& text) {
  if (n_observables > 1) {
    text = "the model has " + std::to_string(n_observables) + " observables, a memory experiment has 1";
    return nullptr;
  }
  text.clear();
  bool number_fits = false;
  std::vector<LatticeSite> sites(n_detectors);
  for (int d = 3; d <= MemoryExperiment::max_distance; d += 2) {
    const auto a_round = static_cast<std::size_t>(d * d - 1);
    if (n_detectors % a_round != 0 || n_detectors / a_round < 2 || n_detectors / a_round > 1'000'000) continue;
    number_fits = true;
    for (const DetectorNumbering numbering : {DetectorNumbering::stim, DetectorNumbering::own})
      for (const Basis basis : {Basis::X, Basis::Z}) {
        LatticeTrial trial{edges, mechanism_of, {}, numbering};
        trial.experiment.distance = d;
        trial.experiment.rounds = static_cast<int>(n_detectors / a_round);
        trial.experiment.basis = basis;
        if (!looks_right(trial, sites)) continue;
        Status status = Status::ok;
        if (auto engine = engine_for(trial, correlated, status)) {
          text = name_of(trial);
          return engine;
        }
        text = "the model looks like a memory experiment (" + name_of(trial) + ") but " +
               (status == Status::unsupported ? "its rounds are not alike, or an edge is out of place"
                                              : std::string("does not fit the engine: ") + to_string(status));
      }
  }
  if (text.empty())
    text = number_fits ? "the edges do not join detectors as those of a known memory experiment do"
                       : "no known memory experiment has " + std::to_string(n_detectors) + " detectors";
  return nullptr;
}

}  // namespace spinel::cli
