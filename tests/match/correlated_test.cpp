// SPDX-License-Identifier: Apache-2.0
// Correlated matching on run-time graphs: every pass against a matcher built anew for that pass from the mechanisms and the
// edges matched before, and mistakes on samples.
#include <spinel/io/experiment.hpp>
#include <spinel/io/graph.hpp>
#include <spinel/match/correlated.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "model_shots.hpp"

namespace spinel {
namespace {

using Ends = std::pair<std::uint32_t, std::uint32_t>;

double either(double p, double q) { return p * (1 - q) + q * (1 - p); }

io::DetectorErrorModel uneven_model(int distance, std::mt19937_64& random) {
  NoiseParameters noise{};
  for (int k = 0; k < NoiseParameters::n_parameters; ++k) noise[k] = 0.0005 + 0.0015 * std::uniform_real_distribution<>()(random);
  return io::experiment_model(MemoryExperiment{.distance = distance, .rounds = distance, .basis = Basis::X}, noise).value;
}

/// The rule by its definition, in double precision and with maps. One matcher a pass is built from probabilities.
struct ByDefinition {
  std::map<Ends, ObservableFlips> flips;
  std::map<Ends, double> marginal, unseen;
  std::map<Ends, std::map<Ends, double>> joint;
  std::size_t n_detectors;
  CorrelationRule rule;

  ByDefinition(const io::DetectorErrorModel& model, const CorrelationRule& of) : n_detectors(model.n_detectors), rule(of) {
    for (const auto& mechanism : model.mechanisms) {
      std::vector<Ends> parts;
      for (auto c = mechanism.components_begin; c < mechanism.components_end; ++c) {
        const auto& part = model.components[c];
        const auto* detector = &model.detectors[part.detectors_begin];
        const bool two = part.detectors_end - part.detectors_begin == 2;
        parts.emplace_back(two ? std::min(detector[0], detector[1]) : detector[0], two ? std::max(detector[0], detector[1]) : boundary_node);
        flips.try_emplace(parts.back(), part.observables);
      }
      for (const Ends& part : parts) {
        const double p = mechanism.probability;
        const bool alone = std::all_of(parts.begin(), parts.end(), [&](const Ends& other) { return other == part; });
        marginal[part] = either(marginal[part], p);
        unseen[part] = either(unseen[part], alone ? p : rule.unseen * p);
        for (const Ends& other : parts)
          if (other != part) joint[part][other] = either(joint[part][other], p);
      }
    }
  }
  /// Weight in nats and edges of the best matching for these probabilities.
  std::pair<double, std::set<Ends>> match(const std::map<Ends, double>& probabilities, const std::uint8_t* shot) const {
    std::vector<GraphEdge> edges;
    for (const auto& [ends, p] : probabilities) edges.push_back({ends.first, ends.second, p, flips.at(ends)});
    std::vector<std::byte> memory(ExactMatcher::memory_needed(n_detectors, edges.size(), 1));
    auto matcher = ExactMatcher::create(n_detectors, 1, edges, memory).value;
    const auto result = matcher.decode(shot);
    std::set<Ends> matched;
    matcher.for_matched_edges([&](std::uint32_t e) { matched.insert({matcher.graph().edges()[e].a, matcher.graph().edges()[e].b}); });
    return {static_cast<double>(result.weight) * matcher.nats_per_unit(), matched};
  }
  /// Detectors joined, over any number of edges, to one with an edge that flips an observable.
  std::vector<bool> decisive() const {
    std::vector<bool> reached(n_detectors);
    for (bool more = true; more;) {
      more = false;
      for (const auto& [ends, observables] : flips) {
        const bool to_boundary = ends.second == boundary_node;
        if (observables == 0 && !reached[ends.first] && (to_boundary || !reached[ends.second])) continue;
        more |= !reached[ends.first] || (!to_boundary && !reached[ends.second]);
        reached[ends.first] = true;
        if (!to_boundary) reached[ends.second] = true;
      }
    }
    return reached;
  }
  double weight(const std::vector<std::uint8_t>& shot) const {
    const std::vector<bool> is_decisive = decisive();
    double weight[2] = {};
    std::set<Ends> matched[2];
    for (int pass = 0; pass < rule.passes; ++pass) {
      auto now = pass == 0 ? marginal : unseen;
      for (const auto& some : matched)
        for (const Ends& cause : some)
          if (const auto found = joint.find(cause); found != joint.end())
            for (const auto& [effect, p] : found->second)
              now[effect] = std::max(now[effect], rule.trust * std::min(0.5, p / marginal.at(cause)));
      const int turn = rule.alternate ? (rule.passes - 1 - pass) % 2 : 0;
      auto events = shot;
      for (std::size_t k = 0; k < n_detectors && rule.alternate; ++k)
        if (is_decisive[k] != (turn == 0)) events[k / 8] &= static_cast<std::uint8_t>(~(1u << (k % 8)));
      std::tie(weight[turn], matched[turn]) = match(now, events.data());
    }
    return weight[0] + weight[1];
  }
};

TEST(CorrelatedMatcher, EveryPassIsWhatTheRuleSays) {
  std::mt19937_64 random(11);
  for (const CorrelationRule& rule : {CorrelationRule::two_pass(), CorrelationRule::refined(), CorrelationRule{4, 1, 0.5}, CorrelationRule{3, 0.7, 1},
                                      CorrelationRule{3, 1, 1, true}})
    for (const int distance : {3, 5}) {
      const auto model = uneven_model(distance, random);
      const ByDefinition reference(model, rule);
      auto owned = io::make_correlated_matcher(model, rule);
      ASSERT_TRUE(owned);
      int n_events = 0;
      for (int s = 0; s < (distance == 3 ? 100 : 25); ++s) {
        const auto shot = sample_shot(*io::graph_edges(model), model.n_detectors, random, 2).first;
        const auto result = owned->matcher.decode(shot.data());
        ASSERT_EQ(result.outcome, MatchOutcome::matched);
        const double expected = reference.weight(shot);
        EXPECT_NEAR(static_cast<double>(result.weight) * owned->matcher.nats_per_unit(), expected, 2e-5 + 1e-5 * expected)
            << rule.passes << " passes, shot " << s;
        n_events += result.weight > 0;
      }
      EXPECT_GT(n_events, 10);
    }
}

TEST(CorrelatedMatcher, RefinedMakesFewerMistakes) {
  const auto model = io::experiment_model(MemoryExperiment{.distance = 7, .rounds = 7, .basis = Basis::X}, uniform_depolarizing(0.007)).value;
  auto plain = io::make_matcher(model);
  auto two_pass = io::make_correlated_matcher(model);
  auto refined = io::make_correlated_matcher(model, CorrelationRule::refined());
  ASSERT_TRUE(plain && two_pass && refined);
  const auto edges = *io::graph_edges(model);
  std::mt19937_64 random(12);
  int mistakes[3] = {};
  for (int s = 0; s < 8000; ++s) {
    const auto [shot, flips] = sample_shot(edges, model.n_detectors, random);
    mistakes[0] += plain->matcher.decode(shot.data()).observables != flips;
    mistakes[1] += two_pass->matcher.decode(shot.data()).observables != flips;
    mistakes[2] += refined->matcher.decode(shot.data()).observables != flips;
  }
  EXPECT_GT(mistakes[2], 50);
  EXPECT_LT(mistakes[1], 0.8 * mistakes[0]);
  EXPECT_LT(mistakes[2], 0.97 * mistakes[1]) << mistakes[0] << " " << mistakes[1] << " " << mistakes[2];
}

TEST(CorrelatedMatcher, TakingTurnsChangesNoPredictionOfTheLastPass) {
  const auto model = io::experiment_model(MemoryExperiment{.distance = 5, .rounds = 5, .basis = Basis::Z}, uniform_depolarizing(0.008)).value;
  CorrelationRule all = CorrelationRule::refined();
  all.alternate = false;
  auto turns = io::make_correlated_matcher(model, CorrelationRule::refined()), everything = io::make_correlated_matcher(model, all);
  ASSERT_TRUE(turns && everything);
  const auto edges = *io::graph_edges(model);
  std::mt19937_64 random(13);
  int n_flips = 0, n_differ = 0;
  for (int s = 0; s < 2000; ++s) {
    const auto shot = sample_shot(edges, model.n_detectors, random).first;
    const auto flips = turns->matcher.decode(shot.data()).observables;
    n_flips += flips != 0;
    n_differ += flips != everything->matcher.decode(shot.data()).observables;  // between matchings of equal weight
  }
  EXPECT_GT(n_flips, 100);
  EXPECT_LE(n_differ, 2);
}

TEST(CorrelatedMatcher, RefusesRulesOutOfRangeAndTooLittleMemory) {
  const auto model = io::experiment_model(MemoryExperiment{.distance = 3, .rounds = 3, .basis = Basis::Z}, uniform_depolarizing(0.002)).value;
  const auto edges = *io::graph_edges(model);
  const auto status = [&](const CorrelationRule& rule, double share = 1) {
    const auto needed = static_cast<double>(CorrelatedMatcher::memory_needed(model.n_detectors, edges.mechanism_of, 1, {}, rule));
    std::vector<std::byte> memory(static_cast<std::size_t>(share * needed));
    return CorrelatedMatcher::create(model.n_detectors, 1, edges.edges, edges.mechanism_of, memory, {}, rule).status;
  };
  EXPECT_EQ(status(CorrelationRule::refined()), Status::ok);
  for (const CorrelationRule& bad : {CorrelationRule{1, 1, 1}, CorrelationRule{3, 0, 1}, CorrelationRule{3, 1.5, 1}, CorrelationRule{3, 1, 0},
                                     CorrelationRule{3, 1, std::nan("")}})
    EXPECT_EQ(status(bad), Status::bad_argument);
  EXPECT_EQ(status(CorrelationRule::refined(), 0.6), Status::out_of_capacity);
  EXPECT_EQ(status(CorrelationRule::two_pass(), 0.6), Status::out_of_capacity);
}

}  // namespace
}  // namespace spinel
