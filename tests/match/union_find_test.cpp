// SPDX-License-Identifier: Apache-2.0
// The union-find decoder against the exact matcher and against what its correction must be: the shot's own events.
#include <spinel/match/union_find.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include <spinel/match/exact_matcher.hpp>

#include "match/matching_graphs.hpp"

namespace spinel {
namespace {

template <class M>
struct Owned {
  std::vector<std::byte> memory;
  M matcher;
};

std::unique_ptr<Owned<UnionFind>> make(std::size_t n, const std::vector<GraphEdge>& edges, const UnionFindOptions& options = {}) {
  auto owned = std::make_unique<Owned<UnionFind>>();
  owned->memory.resize(UnionFind::memory_needed(n, edges.size()));
  auto made = UnionFind::create(n, 64, edges, owned->memory, options);
  EXPECT_EQ(made.status, Status::ok) << to_string(made.status);
  owned->matcher = made.value;
  return owned;
}
std::unique_ptr<Owned<ExactMatcher>> make_exact(std::size_t n, const std::vector<GraphEdge>& edges) {
  auto owned = std::make_unique<Owned<ExactMatcher>>();
  owned->memory.resize(ExactMatcher::memory_needed(n, edges.size(), 64));
  owned->matcher = ExactMatcher::create(n, 64, edges, owned->memory).value;
  return owned;
}

/// The edges of the correction give back events, observables and weight, and none is taken twice.
void expect_explains(UnionFind& decoder, const std::vector<std::uint32_t>& events, const MatchResult& result) {
  const MatchingGraph& graph = decoder.graph();
  std::vector<int> times(graph.edges().size()), fired(graph.n_detectors());
  decoder.for_matched_edges([&](std::uint32_t edge) { ++times[edge]; });
  ObservableFlips flips = 0;
  std::int64_t weight = 0;
  for (std::size_t k = 0; k < times.size(); ++k) {
    const MergedEdge& edge = graph.edges()[k];
    ASSERT_LE(times[k], 1);
    weight += std::int64_t{times[k]} * edge.weight - (edge.negated ? edge.weight : 0);
    if ((times[k] == 1) == edge.negated) continue;
    flips ^= edge.observables;
    fired[edge.a] ^= 1;
    if (edge.b != boundary_node) fired[edge.b] ^= 1;
  }
  for (const auto event : events) fired[event] ^= 1;
  for (const int bit : fired) ASSERT_EQ(bit, 0);
  EXPECT_EQ(flips, result.observables);
  EXPECT_EQ(weight, result.weight);
}

TEST(UnionFind, ExplainsEveryShotWithinItsBoundAndNeverBelowTheExactWeight) {
  std::mt19937_64 random(5);
  int matched = 0, unmatchable = 0, optimal = 0;
  for (int round = 0; round < 1500; ++round) {
    const GraphCase c{random() % 2 == 0, random() % 3 == 0, random() % 3 == 0, random() % 2 == 0, random() % 2 == 0};
    const std::size_t n = 1 + random() % 40;
    const auto edges = random_graph(random, n, 1 + random() % (3 * n), c);
    const auto owned = make(n, edges, {2u + static_cast<std::uint32_t>(random() % 253)});
    const auto exact = make_exact(n, edges);
    for (int shot = 0; shot < 8; ++shot) {
      std::vector<std::uint32_t> events;
      for (std::uint32_t k = 0; k < n; ++k)
        if (random() % (2 + random() % 6) == 0) events.push_back(k);
      const auto bytes = packed(n, events);
      const MatchResult result = owned->matcher.decode(bytes.data());
      const MatchResult best = exact->matcher.decode(bytes.data());
      ASSERT_LE(owned->matcher.steps(), owned->matcher.step_bound());
      ASSERT_EQ(result.outcome, best.outcome) << "round " << round;
      if (result.outcome != MatchOutcome::matched) {
        ++unmatchable;
        EXPECT_EQ(result.weight, 0);
        EXPECT_EQ(result.observables, 0u);
        continue;
      }
      ++matched;
      expect_explains(owned->matcher, events, result);
      ASSERT_GE(result.weight, best.weight);
      optimal += result.weight == best.weight;
    }
  }
  EXPECT_GT(unmatchable, 500);
  EXPECT_GT(matched, 3000);
  EXPECT_GT(optimal, matched / 2) << "not worth its name";
}

TEST(UnionFind, StaysWithinItsBoundOnDenseAndDegenerateShots) {
  std::mt19937_64 random(6);
  for (const bool boundary : {true, false}) {
    const std::size_t side = 6, n = side * side * side;
    for (const std::uint32_t mean : {2u, 24u, 254u}) {
      const auto owned = make(n, grid(side, boundary, random), {mean});
      std::uint64_t most = 0;
      for (const double density : {0.005, 0.02, 0.1, 0.3, 0.5, 0.9, 1.0})
        for (int shot = 0; shot < 10; ++shot) {
          std::vector<std::uint32_t> events;
          for (std::uint32_t k = 0; k < n; ++k)
            if (std::uniform_real_distribution<>(0, 1)(random) < density) events.push_back(k);
          if (!boundary && events.size() % 2 == 1) events.pop_back();
          const MatchResult result = owned->matcher.decode(packed(n, events).data());
          ASSERT_EQ(result.outcome, MatchOutcome::matched);
          expect_explains(owned->matcher, events, result);
          ASSERT_LE(owned->matcher.steps(), owned->matcher.step_bound());
          most = std::max(most, owned->matcher.steps());
        }
      EXPECT_GT(20 * most, owned->matcher.step_bound() / mean) << "a bound this far off is none";
    }
  }
}

TEST(UnionFind, IsExactForEverySingleMechanism) {
  std::mt19937_64 random(8);
  for (const bool boundary : {true, false}) {
    const std::size_t side = 5, n = side * side * side;
    auto edges = grid(side, boundary, random);
    for (auto& edge : edges) edge.probability = random() % 2 == 0 ? 0.01 : 0.03;  // a ratio of lengths that is kept: 1.322
    const auto owned = make(n, edges, {100});
    const auto exact = make_exact(n, edges);
    for (const GraphEdge& edge : edges) {
      std::vector<std::uint32_t> events{edge.a};
      if (edge.b != boundary_node) events.push_back(edge.b);
      const auto bytes = packed(n, events);
      const MatchResult result = owned->matcher.decode(bytes.data());
      EXPECT_EQ(result.weight, exact->matcher.decode(bytes.data()).weight);
      expect_explains(owned->matcher, events, result);
    }
  }
}

TEST(UnionFind, GivesTheSameAnswerWhateverItDecodedBefore) {
  std::mt19937_64 random(9);
  const std::size_t side = 5, n = side * side * side;
  const auto edges = grid(side, true, random);
  const auto used = make(n, edges);
  for (int shot = 0; shot < 200; ++shot) {
    std::vector<std::uint32_t> events;
    for (std::uint32_t k = 0; k < n; ++k)
      if (random() % 8 == 0) events.push_back(k);
    const auto bytes = packed(n, events);
    const MatchResult result = used->matcher.decode(bytes.data());
    if (shot % 20 != 0) continue;
    const auto fresh = make(n, edges);
    const MatchResult expected = fresh->matcher.decode(bytes.data());
    EXPECT_EQ(result.weight, expected.weight);
    EXPECT_EQ(result.observables, expected.observables);
    EXPECT_EQ(used->matcher.steps(), fresh->matcher.steps());
  }
}

TEST(UnionFind, ReportsAnOddComponentWithoutBoundaryAndStaysUsable) {
  const std::vector<GraphEdge> edges{{0, 1, 0.1, 1}, {1, 2, 0.1, 2}, {3, boundary_node, 0.2, 4}};
  const auto owned = make(5, edges);
  EXPECT_EQ(owned->matcher.decode(packed(5, {0}).data()).outcome, MatchOutcome::no_perfect_matching);
  EXPECT_EQ(owned->matcher.decode(packed(5, {0, 1, 2, 3}).data()).outcome, MatchOutcome::no_perfect_matching);
  EXPECT_EQ(owned->matcher.decode(packed(5, {4}).data()).outcome, MatchOutcome::no_perfect_matching) << "no edge at detector 4";
  const auto result = owned->matcher.decode(packed(5, {0, 2, 3}).data());
  EXPECT_EQ(result.outcome, MatchOutcome::matched);
  EXPECT_EQ(result.observables, 7u);
}

TEST(UnionFind, RefusesWhatHasNoWeightOrNoPlace) {
  const auto status = [](std::vector<GraphEdge> edges, std::size_t n_observables = 1, std::size_t n_bytes = 1 << 16,
                         std::uint32_t mean_length = 24) {
    std::vector<std::byte> memory(n_bytes);
    return UnionFind::create(2, n_observables, edges, memory, {mean_length}).status;
  };
  EXPECT_EQ(status({{0, 1, 0.1, 0}}), Status::ok);
  EXPECT_EQ(status({{0, 1, 1.0, 0}}), Status::bad_argument);
  EXPECT_EQ(status({{0, 2, 0.1, 0}}), Status::bad_shape);
  EXPECT_EQ(status({{0, 1, 0.1, 0}}, 65), Status::bad_argument);
  EXPECT_EQ(status({{0, 1, 0.1, 0}}, 1, 100), Status::out_of_capacity);
  EXPECT_EQ(status({{0, 1, 0.1, 0}}, 1, 1 << 16, 1), Status::bad_argument);
  EXPECT_EQ(status({{0, 1, 0.1, 0}}, 1, 1 << 16, 255), Status::bad_argument);
}

}  // namespace
}  // namespace spinel
