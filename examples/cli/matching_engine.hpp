// SPDX-License-Identifier: Apache-2.0
// The matching engine that a command decodes with, chosen by name for a model read at run time.
#pragma once

#include "commands.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <spinel/io/dem.hpp>
#include <spinel/io/graph.hpp>
#include <spinel/match/gap.hpp>

namespace spinel::cli {

struct EngineChoice {
  std::string engine = "auto";
  bool enable_correlations = false;
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
  /// Prepares for `decode_both`.
  void prepare_gap(std::uint32_t observable) {
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
    const MatchResult best = decode(events);
    return gap_.complete(*exact(), best, limit);
  }
  double nats_per_unit() const {
    return std::visit([](const auto& owned) { return owned.matcher.nats_per_unit(); }, matcher_);
  }

 private:
  ExactMatcher* exact() {
    if (auto* plain = std::get_if<io::DemMatcher>(&matcher_)) return &plain->matcher;
    if (auto* both = std::get_if<io::OwnedMatcher<CorrelatedMatcher>>(&matcher_)) return &both->matcher.exact();
    return nullptr;
  }

  std::variant<io::DemMatcher, io::OwnedMatcher<CorrelatedMatcher>, io::OwnedMatcher<UnionFind>> matcher_;
  std::vector<std::byte> gap_memory_;
  ClassGap gap_;
};

}  // namespace spinel::cli
