// SPDX-License-Identifier: Apache-2.0
// The matching engine that a command decodes with, chosen by name for a model read at run time.
#pragma once

#include "commands.hpp"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include <spinel/io/dem.hpp>
#include <spinel/io/graph.hpp>

#include "lattice_engine.hpp"

namespace spinel::cli {

struct EngineChoice {
  std::string engine = "auto";
  bool enable_correlations = false;
};

inline void add_engine_flags(CLI::App& command, EngineChoice& choice) {
  command.add_option("--engine", choice.engine,
                     "lattice: exact, compiled for memory experiments of one distance; general: exact, any graph; auto: lattice where "
                     "the model is a known experiment, else general; union_find: not exact, its work is bounded. Which one runs is "
                     "said on standard error")
      ->check(CLI::IsMember({"auto", "lattice", "general", "union_find"}))
      ->capture_default_str();
  command.add_flag("--enable_correlations", choice.enable_correlations,
                   "Match twice, the second time knowing which errors come together (weights are then conditional)");
}

class Engine {
 public:
  Engine() = default;
  /// The engine asked for, the fastest that fits where the choice is open. `where` names the model in errors.
  Engine(const io::DetectorErrorModel& model, const EngineChoice& choice, const std::string& where) {
    const auto take = [&](auto&& made) {
      if (!made) throw CommandError(where + made.error());
      matcher_ = std::move(*made);
    };
    std::string name = "general", why = "asked for by --engine";
    if (choice.engine == "union_find") {
      if (choice.enable_correlations) throw CommandError("--enable_correlations needs an exact engine, not union_find");
      name = "union_find";
      take(io::make_union_find(model));
    } else if (choice.engine != "general" && find_lattice(model, choice, where, why)) {
      name = "lattice";
    } else if (choice.engine == "lattice") {
      throw CommandError("--engine lattice: " + where + why);
    } else if (choice.enable_correlations) {
      take(io::make_correlated_matcher(model));
    } else {
      take(io::make_matcher(model));
    }
    about_ = "engine: " + name + " (" + why + ")\n";
    std::fputs(about_.c_str(), stderr);
  }

  /// Which engine it is, and why, as a line.
  const std::string& about() const { return about_; }
  MatchResult decode(const std::uint8_t* events) {
    if (lattice_) return lattice_->decode(events);
    return std::visit([&](auto& owned) { return owned.matcher.decode(events); }, matcher_);
  }
  /// The exact matcher of a run-time graph, which takes weights of one shot's own; null where another engine runs.
  ExactMatcher* exact() {
    if (lattice_) return nullptr;
    auto* const owned = std::get_if<io::DemMatcher>(&matcher_);
    return owned == nullptr ? nullptr : &owned->matcher;
  }
  double nats_per_unit() const {
    if (lattice_) return lattice_->nats_per_unit();
    return std::visit([](const auto& owned) { return owned.matcher.nats_per_unit(); }, matcher_);
  }

 private:
  bool find_lattice(const io::DetectorErrorModel& model, const EngineChoice& choice, const std::string& where, std::string& why) {
    if (choice.enable_correlations) {
      why = "the lattice engine does not match twice";
      return false;
    }
    const auto edges = io::graph_edges(model);
    if (!edges) throw CommandError(where + edges.error());
    lattice_ = find_lattice_engine(edges->edges, model.n_detectors, model.n_observables, why);
    return lattice_ != nullptr;
  }

  std::string about_;
  std::unique_ptr<LatticeEngine> lattice_;  // if any; else the other
  std::variant<io::DemMatcher, io::OwnedMatcher<CorrelatedMatcher>, io::OwnedMatcher<UnionFind>> matcher_;
};

}  // namespace spinel::cli
