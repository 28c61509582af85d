// SPDX-License-Identifier: Apache-2.0
// The exact matcher against brute force over all pairings on random small graphs, and its own optimality certificate
// on larger ones. Distances for the brute force come from Floyd and Warshall, not from the library.
#include <spinel/match/exact_matcher.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <vector>

namespace spinel {
namespace {

constexpr std::int64_t far = std::numeric_limits<std::int64_t>::max() / 8;

struct Owned {
  std::vector<std::byte> memory;
  ExactMatcher matcher;
};

std::unique_ptr<Owned> make(std::size_t n, const std::vector<GraphEdge>& edges, const PathTableOptions& options = {},
                            std::size_t n_observables = 64) {
  auto owned = std::make_unique<Owned>();
  owned->memory.resize(ExactMatcher::memory_needed(n, edges.size(), n_observables, options));
  auto made = ExactMatcher::create(n, n_observables, edges, owned->memory, options);
  EXPECT_EQ(made.status, Status::ok) << to_string(made.status);
  owned->matcher = made.value;
  return owned;
}

std::vector<std::uint8_t> packed(std::size_t n, const std::vector<std::uint32_t>& events) {
  std::vector<std::uint8_t> bytes((n + 7) / 8);
  for (const auto event : events) bytes[event / 8] ^= static_cast<std::uint8_t>(1u << (event % 8));
  return bytes;
}

/// The least weight over all subsets of the merged edges with the wanted events, by distances and all pairings.
std::optional<std::int64_t> brute_force(const MatchingGraph& graph, std::vector<std::uint32_t> events) {
  const std::size_t n = graph.n_detectors();
  std::vector<std::vector<std::int64_t>> d(n + 1, std::vector<std::int64_t>(n + 1, far));
  for (std::size_t k = 0; k <= n; ++k) d[k][k] = 0;
  std::vector<bool> fired(n);
  for (const auto event : events) fired[event] = !fired[event];
  std::int64_t total = 0;
  for (const MergedEdge& edge : graph.edges()) {
    const std::size_t a = edge.a, b = edge.b == boundary_node ? n : edge.b;
    d[a][b] = d[b][a] = std::min<std::int64_t>(d[a][b], edge.weight);
    if (!edge.negated) continue;
    total -= edge.weight;
    fired[a] = !fired[a];
    if (b < n) fired[b] = !fired[b];
  }
  for (std::size_t k = 0; k < n; ++k)  // not through the boundary n: pairings cover that
    for (std::size_t i = 0; i <= n; ++i)
      for (std::size_t j = 0; j <= n; ++j) d[i][j] = std::min(d[i][j], d[i][k] + d[k][j]);
  std::vector<std::size_t> left;
  for (std::size_t k = 0; k < n; ++k)
    if (fired[k]) left.push_back(k);
  std::function<std::int64_t(std::size_t)> best = [&](std::size_t used) -> std::int64_t {
    std::size_t i = 0;
    while (i < left.size() && (used >> i & 1)) ++i;
    if (i == left.size()) return 0;
    std::int64_t least = far;
    const std::size_t with_i = used | std::size_t{1} << i;
    if (d[left[i]][n] < far) least = d[left[i]][n] + best(with_i);
    for (std::size_t j = i + 1; j < left.size(); ++j)
      if (!(used >> j & 1) && d[left[i]][left[j]] < far)
        least = std::min(least, d[left[i]][left[j]] + best(with_i | std::size_t{1} << j));
    return std::min(least, far);
  };
  const std::int64_t least = best(0);
  if (least >= far) return std::nullopt;
  return total + least;
}

/// Every edge of the answer, applied, must give back the events, the observables and the weight.
void expect_consistent(ExactMatcher& matcher, const std::vector<std::uint32_t>& events, const MatchResult& result) {
  const MatchingGraph& graph = matcher.graph();
  std::vector<int> times(graph.edges().size());
  matcher.for_matched_edges([&](std::uint32_t edge) { ++times[edge]; });
  std::vector<int> fired(graph.n_detectors());
  ObservableFlips flips = 0;
  std::int64_t weight = 0;
  for (std::size_t k = 0; k < times.size(); ++k) {
    const MergedEdge& edge = graph.edges()[k];
    weight += std::int64_t{times[k]} * edge.weight - (edge.negated ? edge.weight : 0);
    if ((times[k] % 2 == 1) == edge.negated) continue;
    flips ^= edge.observables;
    fired[edge.a] ^= 1;
    if (edge.b != boundary_node) fired[edge.b] ^= 1;
  }
  for (const auto event : events) fired[event] ^= 1;
  for (const int bit : fired) EXPECT_EQ(bit, 0);
  EXPECT_EQ(flips, result.observables);
  EXPECT_EQ(weight, result.weight);
}

struct GraphCase {
  bool boundary, negative, zero, parallel, integer_like;
};

std::vector<GraphEdge> random_graph(std::mt19937_64& random, std::size_t n, std::size_t n_edges, const GraphCase& c) {
  const auto below = [&](std::size_t k) { return static_cast<std::uint32_t>(random() % k); };
  std::vector<GraphEdge> edges;
  for (std::size_t k = 0; k < n_edges; ++k) {
    GraphEdge edge{below(n), below(n), 0.0, random()};
    if (c.boundary && below(4) == 0) edge.b = boundary_node;
    if (edge.a == edge.b) continue;
    edge.probability = c.integer_like ? 1 / (1 + std::exp(double(below(4)))) : 0.001 + 0.3 * double(below(1000)) / 1000;
    if (c.negative && below(5) == 0) edge.probability = 1 - edge.probability;
    if (c.zero && below(4) == 0) edge.probability = 0.5;
    edges.push_back(edge);
    if (c.parallel && below(3) == 0) edges.push_back(edge);
  }
  return edges;
}

TEST(ExactMatcher, AgreesWithAllPairingsOnRandomSmallGraphs) {
  std::mt19937_64 random(7);
  int unmatchable = 0, matched = 0;
  for (int round = 0; round < 2500; ++round) {
    const GraphCase c{random() % 2 == 0, random() % 3 == 0, random() % 3 == 0, random() % 2 == 0, random() % 2 == 0};
    const std::size_t n = 2 + random() % 14;
    const auto edges = random_graph(random, n, 1 + random() % (3 * n), c);
    // Short lists, so that every way of looking further is taken; sometimes no list memory to speak of.
    const PathTableOptions options{.max_entries = 1u << 20, .max_per_node = static_cast<std::uint32_t>(1 + random() % 6),
                                   .min_per_node = 1, .near_per_node = static_cast<std::uint32_t>(random() % 4),
                                   .candidates_per_node = random() % 4 == 0 ? 0u : 32u};
    const auto owned = make(n, edges, options);
    ExactMatcher& matcher = owned->matcher;
    for (int shot = 0; shot < 6; ++shot) {
      std::vector<std::uint32_t> events;
      for (std::uint32_t k = 0; k < n; ++k)
        if (random() % 2 == 0 && events.size() < 10) events.push_back(k);
      const auto expected = brute_force(matcher.graph(), events);
      const MatchResult result = matcher.decode(packed(n, events).data());
      ASSERT_EQ(result.outcome == MatchOutcome::matched, expected.has_value()) << "round " << round;
      if (!expected) {
        ++unmatchable;
        EXPECT_EQ(result.weight, 0);
        EXPECT_EQ(result.observables, 0u);
        continue;
      }
      ++matched;
      ASSERT_EQ(result.weight, *expected) << "round " << round << " shot " << shot;
      expect_consistent(matcher, events, result);
      ASSERT_TRUE(matcher.certificate().proves_optimality()) << "round " << round;
    }
  }
  EXPECT_GT(unmatchable, 100);
  EXPECT_GT(matched, 5000);
}

TEST(ExactMatcher, UsesAShotsOwnWeightsAndForgetsThem) {
  std::mt19937_64 random(23);
  int matched = 0;
  for (int round = 0; round < 600; ++round) {
    const GraphCase c{random() % 2 == 0, random() % 3 == 0, random() % 3 == 0, random() % 2 == 0, random() % 2 == 0};
    const std::size_t n = 2 + random() % 12;
    const auto edges = random_graph(random, n, 1 + random() % (3 * n), c);
    const auto owned = make(n, edges, {.candidates_per_node = random() % 4 == 0 ? 0u : 32u});
    ExactMatcher& matcher = owned->matcher;
    const std::size_t n_edges = matcher.graph().edges().size();
    for (int shot = 0; shot < 6; ++shot) {
      std::vector<std::uint32_t> events;
      for (std::uint32_t k = 0; k < n; ++k)
        if (random() % 2 == 0 && events.size() < 9) events.push_back(k);
      std::vector<EdgeWeight> weights;
      for (std::size_t k = 0; shot % 3 != 2 && k < n_edges; ++k)
        if (random() % 3 == 0)
          weights.push_back({static_cast<std::uint32_t>(k), matcher.graph().units(0.1 * double(random() % 60) - 1.5)});
      const MatchResult result = matcher.decode(packed(n, events).data(), weights);
      for (const EdgeWeight& change : weights) ASSERT_EQ(matcher.graph().signed_weight(change.edge), change.weight);
      const auto expected = brute_force(matcher.graph(), events);  // on the graph as it is for this shot
      ASSERT_EQ(result.outcome == MatchOutcome::matched, expected.has_value());
      if (!expected) continue;
      ++matched;
      ASSERT_EQ(result.weight, *expected) << "round " << round << " shot " << shot;
      expect_consistent(matcher, events, result);
      ASSERT_TRUE(matcher.certificate().proves_optimality()) << "round " << round;
    }
    const auto fresh = make(n, edges);
    matcher.decode(packed(n, {}).data());
    for (std::uint32_t k = 0; k < n_edges; ++k)
      ASSERT_EQ(matcher.graph().signed_weight(k), fresh->matcher.graph().signed_weight(k));
    EXPECT_EQ(matcher.graph().assumed_weight(), fresh->matcher.graph().assumed_weight());
    EXPECT_EQ(matcher.graph().assumed_observables(), fresh->matcher.graph().assumed_observables());
  }
  EXPECT_GT(matched, 1500);
}

std::vector<GraphEdge> grid(std::size_t side, bool boundary, std::mt19937_64& random) {
  std::vector<GraphEdge> edges;
  const auto id = [&](std::size_t x, std::size_t y, std::size_t z) {
    return static_cast<std::uint32_t>((z % side * side + y % side) * side + x % side);
  };
  const auto p = [&] { return 0.002 * double(1 + random() % 30); };
  for (std::size_t z = 0; z < side; ++z)
    for (std::size_t y = 0; y < side; ++y)
      for (std::size_t x = 0; x < side; ++x) {
        if (x + 1 < side || !boundary) edges.push_back({id(x, y, z), id(x + 1, y, z), p(), x == 0 ? 1u : 0u});
        if (y + 1 < side || !boundary) edges.push_back({id(x, y, z), id(x, y + 1, z), p(), y == 0 ? 2u : 0u});
        if (z + 1 < side || !boundary) edges.push_back({id(x, y, z), id(x, y, z + 1), p(), 0});
        if (z + 1 < side || !boundary) edges.push_back({id(x, y, z), id(x + 1, y + 1, z + 1), p(), x == 0 ? 1u : 0u});
        if (boundary && (x == 0 || x + 1 == side)) edges.push_back({id(x, y, z), boundary_node, p(), x == 0 ? 1u : 0u});
      }
  return edges;
}

TEST(ExactMatcher, ProvesOptimalityOnCubicLattices) {
  std::mt19937_64 random(11);
  for (const bool boundary : {true, false})
    for (const std::uint32_t per_node : {3u, 24u, 320u}) {  // the first with hardly any memory for lists
      const std::size_t side = 5, n = side * side * side;
      const auto edges = grid(side, boundary, random);
      const auto owned = make(n, edges, {.max_per_node = per_node, .min_per_node = 1, .near_per_node = per_node / 2,
                                         .candidates_per_node = per_node == 3 ? 1u : 32u});
      for (const double density : {0.01, 0.05, 0.2, 0.5, 0.9, 1.0})
        for (int shot = 0; shot < 4; ++shot) {
          std::vector<std::uint32_t> events;
          for (std::uint32_t k = 0; k < n; ++k)
            if (std::uniform_real_distribution<>(0, 1)(random) < density) events.push_back(k);
          if (!boundary && events.size() % 2 == 1) events.pop_back();
          const auto result = owned->matcher.decode(packed(n, events).data());
          ASSERT_EQ(result.outcome, MatchOutcome::matched);
          expect_consistent(owned->matcher, events, result);
          const auto proof = owned->matcher.certificate();
          ASSERT_EQ(proof.primal, proof.dual);
          ASSERT_TRUE(proof.feasible) << "density " << density << " per node " << per_node;
        }
    }
}

TEST(ExactMatcher, ReportsAnOddComponentWithoutBoundaryAndStaysUsable) {
  const std::vector<GraphEdge> edges{{0, 1, 0.1, 1}, {1, 2, 0.1, 2}, {3, boundary_node, 0.2, 4}};
  const auto owned = make(5, edges);
  ExactMatcher& matcher = owned->matcher;
  EXPECT_EQ(matcher.decode(packed(5, {0}).data()).outcome, MatchOutcome::no_perfect_matching);
  EXPECT_EQ(matcher.decode(packed(5, {0, 1, 2, 3}).data()).outcome, MatchOutcome::no_perfect_matching);
  EXPECT_EQ(matcher.n_pairs(), 0u);
  EXPECT_EQ(matcher.decode(packed(5, {4}).data()).outcome, MatchOutcome::no_perfect_matching) << "no edge at detector 4";
  const auto result = matcher.decode(packed(5, {0, 2, 3}).data());
  EXPECT_EQ(result.outcome, MatchOutcome::matched);
  EXPECT_EQ(result.observables, 7u);
  ASSERT_EQ(matcher.n_pairs(), 2u);
  EXPECT_EQ(matcher.pair(0).b, 2u);
  EXPECT_EQ(matcher.pair(1).b, boundary_node);
}

TEST(ExactMatcher, MergesParallelMechanismsAsIndependentAndKeepsTheFirstObservables) {
  const std::vector<GraphEdge> edges{{0, 1, 0.1, 1}, {1, 0, 0.2, 0}, {0, boundary_node, 0.3, 0}};
  const auto owned = make(2, edges);
  ASSERT_EQ(owned->matcher.graph().edges().size(), 2u);
  EXPECT_NEAR(owned->matcher.graph().edges()[0].probability, 0.26, 1e-15);
  const auto result = owned->matcher.decode(packed(2, {0, 1}).data());
  EXPECT_EQ(result.observables, 1u);
  EXPECT_NEAR(double(result.weight) * owned->matcher.nats_per_unit(), std::log(0.74 / 0.26), 1e-6);
}

TEST(ExactMatcher, AssumesMechanismsLikelierThanOneHalf) {
  const std::vector<GraphEdge> edges{{0, boundary_node, 0.9, 1}, {0, 1, 0.3, 2}};
  const auto owned = make(2, edges);
  const auto weight = [&](const std::vector<std::uint32_t>& events) {
    return double(owned->matcher.decode(packed(2, events).data()).weight) * owned->matcher.nats_per_unit();
  };
  EXPECT_NEAR(weight({0}), -std::log(9.0), 1e-6);
  EXPECT_NEAR(weight({}), 0, 1e-6);
  EXPECT_NEAR(weight({0, 1}), std::log(0.7 / 0.3), 1e-6);
  EXPECT_EQ(owned->matcher.decode(packed(2, {0}).data()).observables, 1u);
}

TEST(ExactMatcher, RefusesWhatHasNoWeightOrNoPlace) {
  const auto status = [](std::vector<GraphEdge> edges, std::size_t n_observables = 1, std::size_t n_bytes = 1 << 20) {
    std::vector<std::byte> memory(n_bytes);
    return ExactMatcher::create(2, n_observables, edges, memory).status;
  };
  EXPECT_EQ(status({{0, 1, 0.1, 0}}), Status::ok);
  EXPECT_EQ(status({{0, 1, 0.0, 0}}), Status::ok);
  EXPECT_EQ(status({{0, 1, 1.0, 0}}), Status::bad_argument);
  EXPECT_EQ(status({{0, 1, 1.5, 0}}), Status::bad_argument);
  EXPECT_EQ(status({{0, 1, -0.1, 0}}), Status::bad_argument);
  EXPECT_EQ(status({{0, 1, std::nan(""), 0}}), Status::bad_argument);
  EXPECT_EQ(status({{boundary_node, boundary_node, 0.1, 0}}), Status::bad_argument);
  EXPECT_EQ(status({{0, 2, 0.1, 0}}), Status::bad_shape);
  EXPECT_EQ(status({{0, 1, 0.1, 0}}, 65), Status::bad_argument);
  EXPECT_EQ(status({{0, 1, 0.1, 0}}, 1, 100), Status::out_of_capacity);
}

}  // namespace
}  // namespace spinel
