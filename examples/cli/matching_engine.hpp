// SPDX-License-Identifier: Apache-2.0
// The matching engine that a command decodes with, chosen by name for a model read at run time.
#pragma once

#include "commands.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include <spinel/io/dem.hpp>
#include <spinel/io/graph.hpp>

namespace spinel::cli {

struct EngineChoice {
  std::string engine = "auto";
  bool enable_correlations = false;
};

inline void add_engine_flags(CLI::App& command, EngineChoice& choice) {
  command.add_option("--engine", choice.engine, "auto, general (exact) or union_find (not exact, its work is bounded)")
      ->check(CLI::IsMember({"auto", "general", "union_find"}))
      ->capture_default_str();
  command.add_flag("--enable_correlations", choice.enable_correlations,
                   "Match twice, the second time knowing which errors come together (weights are then conditional)");
}

class Engine {
 public:
  Engine() = default;
  /// `where` names the model in errors.
  Engine(const io::DetectorErrorModel& model, const EngineChoice& choice, const std::string& where) {
    const auto take = [&](auto&& made) {
      if (!made) throw CommandError(where + made.error());
      matcher_ = std::move(*made);
    };
    if (choice.engine == "union_find") {
      if (choice.enable_correlations) throw CommandError("--enable_correlations needs an exact engine, not union_find");
      take(io::make_union_find(model));
    } else if (choice.enable_correlations) {
      take(io::make_correlated_matcher(model));
    } else {
      take(io::make_matcher(model));
    }
  }

  MatchResult decode(const std::uint8_t* events) {
    return std::visit([&](auto& owned) { return owned.matcher.decode(events); }, matcher_);
  }
  /// The exact matcher of a run-time graph, which takes weights of one shot's own; null where another engine runs.
  ExactMatcher* exact() {
    auto* const owned = std::get_if<io::DemMatcher>(&matcher_);
    return owned == nullptr ? nullptr : &owned->matcher;
  }
  double nats_per_unit() const {
    return std::visit([](const auto& owned) { return owned.matcher.nats_per_unit(); }, matcher_);
  }

 private:
  std::variant<io::DemMatcher, io::OwnedMatcher<CorrelatedMatcher>, io::OwnedMatcher<UnionFind>> matcher_;
};

}  // namespace spinel::cli
