// SPDX-License-Identifier: Apache-2.0
// The compile-time matching engine behind the program: one instantiation a distance, any number of rounds. Which experiment a
// model belongs to is found out from the model itself: the number of its detectors and where its edges lead; no name or
// coordinate is trusted. The sources lattice_engine_*.cpp share the distances among them, so that they compile side by side.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <spinel/code/experiment.hpp>
#include <spinel/match/lattice_layout.hpp>
#include <spinel/match/matcher.hpp>
#include <string>

namespace spinel::cli {

class LatticeEngine {
 public:
  virtual ~LatticeEngine() = default;
  virtual MatchResult decode(const std::uint8_t* events) = 0;
  virtual double nats_per_unit() const = 0;
};

/// A model as its edges, and one guess at what it is.
struct LatticeTrial {
  std::span<const GraphEdge> edges;
  MemoryExperiment experiment;
  DetectorNumbering numbering = DetectorNumbering::own;
};

/// Null with the reason in `status` where the model is not that experiment's; bad_argument for a distance of another file.
std::unique_ptr<LatticeEngine> lattice_engine_3_9(const LatticeTrial& trial, Status& status);
std::unique_ptr<LatticeEngine> lattice_engine_11_15(const LatticeTrial& trial, Status& status);
std::unique_ptr<LatticeEngine> lattice_engine_17_21(const LatticeTrial& trial, Status& status);
std::unique_ptr<LatticeEngine> lattice_engine_23_31(const LatticeTrial& trial, Status& status);

/// The engine that fits, and in `text` what the model is, or null, and in `text` why there is none.
std::unique_ptr<LatticeEngine> find_lattice_engine(std::span<const GraphEdge> edges, std::size_t n_detectors,
                                                   std::size_t n_observables, std::string& text);

}  // namespace spinel::cli
