// SPDX-License-Identifier: Apache-2.0
// The matching engine that a command decodes with, chosen by name for a model read at run time.
#pragma once

#include "commands.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <spinel/io/dem.hpp>
#include <spinel/io/graph.hpp>
#include <spinel/match/gap.hpp>

#include "lattice_engine.hpp"

namespace spinel::cli {

struct EngineChoice {
  std::string engine = "auto";
  bool enable_correlations = false, refine_correlations = false;
  std::string general_because;  // what only the general engine can do, if anything is asked for

  bool correlated() const { return enable_correlations || refine_correlations; }
};

struct GapChoice {
  std::string out;
  std::uint32_t observable = 0;
  double limit = 0, keep = 0;  // in nats, 0: none

  bool wanted() const { return !out.empty() || keep > 0; }
};

inline void add_gap_flags(CLI::App& command, GapChoice& choice) {
  command.add_option("--gap_out", choice.out,
                     "Signed gap of each shot in nats, one a line: cost with the observable flipped minus cost without");
  command.add_option("--gap_observable", choice.observable, "Which observable")->capture_default_str();
  command.add_option("--gap_limit", choice.limit, "Larger gaps are given as this many nats (faster); 0: whole gaps")
      ->check(CLI::NonNegativeNumber);
}

inline void add_engine_flags(CLI::App& command, EngineChoice& choice) {
  command.add_option("--engine", choice.engine,
                     "lattice: exact, compiled for memory experiments of one distance; general: exact, any graph; auto: lattice where "
                     "the model is a known experiment, else general; union_find: not exact, its work is bounded. Which one runs is "
                     "said on standard error")
      ->check(CLI::IsMember({"auto", "lattice", "general", "union_find"}))
      ->capture_default_str();
  command.add_flag("--enable_correlations", choice.enable_correlations,
                   "Match twice, the second time knowing which errors come together (weights are then conditional)");
  command.add_flag("--refine_correlations", choice.refine_correlations,
                   "Match four times, and believe less in errors whose other half was not found: fewer mistakes than "
                   "--enable_correlations, which it includes; on the general engine");
}

class Engine {
 public:
  Engine() = default;
  /// The engine asked for, the fastest that fits where the choice is open. `where` names the model in errors.
  Engine(const io::DetectorErrorModel& model, EngineChoice choice, const std::string& where) {
    if (choice.refine_correlations) choice.general_because = "--refine_correlations";
    const auto take = [&](auto&& made) {
      if (!made) throw CommandError(where + made.error());
      matcher_ = std::move(*made);
    };
    std::string name = "general", why = "asked for by --engine";
    if (choice.engine == "union_find") {
      if (choice.correlated()) throw CommandError("--enable_correlations needs an exact engine, not union_find");
      name = "union_find";
      take(io::make_union_find(model));
    } else if (choice.engine == "auto" && !choice.general_because.empty()) {
      why = choice.general_because;
      take_exact(choice, take, model);
    } else if (choice.engine == "lattice" && !choice.general_because.empty()) {
      throw CommandError("--engine lattice: " + choice.general_because + " needs the general engine");
    } else if (choice.engine != "general" && find_lattice(model, choice, where, why)) {
      name = "lattice";
    } else if (choice.engine == "lattice") {
      throw CommandError("--engine lattice: " + where + why);
    } else {
      take_exact(choice, take, model);
    }
    about_ = "engine: " + name + (choice.refine_correlations ? ", correlated, refined (" : choice.correlated() ? ", correlated (" : " (") + why + ")\n";
    std::fputs(about_.c_str(), stderr);
  }

  /// Which engine it is, and why, as a line.
  const std::string& about() const { return about_; }
  MatchResult decode(const std::uint8_t* events) {
    if (lattice_) return lattice_->decode(events);
    return std::visit([&](auto& owned) { return owned.matcher.decode(events); }, matcher_);
  }
  /// The exact matcher of a run-time graph, which takes weights of one shot's own and completes gaps; null where another runs.
  ExactMatcher* exact() {
    if (lattice_) return nullptr;
    if (auto* plain = std::get_if<io::DemMatcher>(&matcher_)) return &plain->matcher;
    if (auto* both = std::get_if<io::OwnedMatcher<CorrelatedMatcher>>(&matcher_)) return &both->matcher.exact();
    return nullptr;
  }
  /// Prepares for `decode_both`.
  void prepare_gap(std::uint32_t observable) {
    if (lattice_) {
      if (const Status status = lattice_->prepare_gap(); status != Status::ok)
        throw CommandError(std::string("--engine lattice: gaps: ") + to_string(status));
      return;
    }
    ExactMatcher* const matcher = exact();
    if (matcher == nullptr) throw CommandError("gaps need an exact engine, not union_find");
    gap_memory_.resize(ClassGap::memory_needed(*matcher, {}));
    const auto gap = ClassGap::create(*matcher, observable, gap_memory_, {});
    if (gap.status == Status::unsupported)
      throw CommandError("--gap_observable: observable " + std::to_string(observable) +
                         " is not the parity of one of two sides of the boundary, so its gap is not known how to find");
    if (!gap) throw CommandError(std::string("--gap_observable: ") + to_string(gap.status));
    gap_ = gap.value;
  }
  ClassCosts decode_both(const std::uint8_t* events, std::int64_t limit) {
    if (lattice_) return lattice_->decode_both(events, limit);
    const MatchResult best = decode(events);
    return gap_.complete(*exact(), best, limit);
  }
  double nats_per_unit() const {
    if (lattice_) return lattice_->nats_per_unit();
    return std::visit([](const auto& owned) { return owned.matcher.nats_per_unit(); }, matcher_);
  }

 private:
  template <class Take>
  static void take_exact(const EngineChoice& choice, Take&& take, const io::DetectorErrorModel& model) {
    if (choice.correlated())
      take(io::make_correlated_matcher(model, choice.refine_correlations ? CorrelationRule::refined() : CorrelationRule::two_pass()));
    else take(io::make_matcher(model));
  }
  bool find_lattice(const io::DetectorErrorModel& model, const EngineChoice& choice, const std::string& where, std::string& why) {
    const auto edges = io::graph_edges(model);
    if (!edges) throw CommandError(where + edges.error());
    lattice_ = find_lattice_engine(edges->edges, edges->mechanism_of, model.n_detectors, model.n_observables, choice.correlated(), why);
    return lattice_ != nullptr;
  }

  std::string about_;
  std::unique_ptr<LatticeEngine> lattice_;  // if any; else the other
  std::variant<io::DemMatcher, io::OwnedMatcher<CorrelatedMatcher>, io::OwnedMatcher<UnionFind>> matcher_;
  std::vector<std::byte> gap_memory_;
  ClassGap gap_;
};

}  // namespace spinel::cli
