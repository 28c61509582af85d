// SPDX-License-Identifier: Apache-2.0
// The compile-time matching engine behind the program: one instantiation a distance, any number of rounds. Which experiment a
// model belongs to is found out from the model itself: the number of its detectors and where its edges lead; no name or
// coordinate is trusted. The sources lattice_engine_*.cpp and correlated_engine_*.cpp share the distances among them, so that they compile side by side.
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
  /// Prepares for `decode_both`; `unsupported` where this engine finds no gaps or the observable has no two sides.
  virtual Status prepare_gap() { return Status::unsupported; }
  /// With the gap of observable 0, or `limit` if that is less.
  virtual ClassCosts decode_both(const std::uint8_t*, std::int64_t) { return {}; }
};

/// A model as its edges, and one guess at what it is.
struct LatticeTrial {
  std::span<const GraphEdge> edges;
  std::span<const std::uint32_t> mechanism_of;  ///< of each edge, for correlated matching
  MemoryExperiment experiment;
  DetectorNumbering numbering = DetectorNumbering::own;
};

/// Null with the reason in `status` where the model is not that experiment's; bad_argument for a distance of another file.
std::unique_ptr<LatticeEngine> lattice_engine_3_9(const LatticeTrial& trial, Status& status);
std::unique_ptr<LatticeEngine> lattice_engine_11_15(const LatticeTrial& trial, Status& status);
std::unique_ptr<LatticeEngine> lattice_engine_17_21(const LatticeTrial& trial, Status& status);
std::unique_ptr<LatticeEngine> lattice_engine_23_31(const LatticeTrial& trial, Status& status);

/// The same engines with a second pass.
std::unique_ptr<LatticeEngine> correlated_engine_3_9(const LatticeTrial& trial, Status& status);
std::unique_ptr<LatticeEngine> correlated_engine_11_15(const LatticeTrial& trial, Status& status);
std::unique_ptr<LatticeEngine> correlated_engine_17_21(const LatticeTrial& trial, Status& status);
std::unique_ptr<LatticeEngine> correlated_engine_23_31(const LatticeTrial& trial, Status& status);

/// The engine that fits, and in `text` what the model is, or null, and in `text` why there is none.
std::unique_ptr<LatticeEngine> find_lattice_engine(std::span<const GraphEdge> edges, std::span<const std::uint32_t> mechanism_of,
                                                   std::size_t n_detectors, std::size_t n_observables, bool correlated,
                                                   std::string& text);

}  // namespace spinel::cli
