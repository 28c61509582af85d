// SPDX-License-Identifier: Apache-2.0
// Both classes against all subsets of edges on small graphs, and on larger ones against exact matching with one side of
// the boundary made a detector, whose event forces the class.
#include <spinel/match/gap.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include <spinel/match/correlated.hpp>

#include "match/matching_graphs.hpp"

namespace spinel {
namespace {

struct Owned {
  std::vector<std::byte> memory, gap_memory;
  ExactMatcher matcher;
  ClassGap gap;
  Status status = Status::ok;
};

std::unique_ptr<Owned> make(std::size_t n, const std::vector<GraphEdge>& edges, const PathTableOptions& tables = {},
                            std::uint32_t observable = 0, std::size_t pairs_max = 0) {
  auto owned = std::make_unique<Owned>();
  owned->memory.resize(ExactMatcher::memory_needed(n, edges.size(), 64, tables));
  owned->matcher = ExactMatcher::create(n, 64, edges, owned->memory, tables).value;
  owned->gap_memory.resize(ClassGap::memory_needed(owned->matcher, {pairs_max}));
  auto gap = ClassGap::create(owned->matcher, observable, owned->gap_memory, {pairs_max});
  owned->status = gap.status;
  owned->gap = gap.value;
  return owned;
}

/// Labels that are the parity of side 1 of the boundary, hidden behind random parities of the nodes.
std::vector<GraphEdge> with_two_sides(std::vector<GraphEdge> edges, std::size_t n, std::mt19937_64& random) {
  std::vector<ObservableFlips> parity(n);
  for (auto& bit : parity) bit = random() % 2;
  for (auto& edge : edges) {
    if (edge.b == boundary_node && random() % 2 == 0) std::swap(edge.a, edge.b);
    const ObservableFlips a = edge.a == boundary_node ? random() % 2 : parity[edge.a];
    const ObservableFlips b = edge.b == boundary_node ? random() % 2 : parity[edge.b];
    edge.observables = (edge.observables & ~ObservableFlips{1}) | (a ^ b);
  }
  return edges;
}

constexpr std::int64_t far = std::numeric_limits<std::int64_t>::max() / 4;

/// Least weight of every (events, flip) over all subsets of edges.
std::vector<std::int64_t> all_classes(const MatchingGraph& graph) {
  const std::size_t n = graph.n_detectors();
  std::vector<std::int64_t> best(std::size_t{2} << n, far);
  best[0] = 0;
  for (std::uint32_t k = 0; k < graph.edges().size(); ++k) {
    const MergedEdge& edge = graph.edges()[k];
    std::size_t change = edge.observables & 1;
    if (edge.a != boundary_node) change ^= std::size_t{2} << edge.a;
    if (edge.b != boundary_node) change ^= std::size_t{2} << edge.b;
    const std::vector<std::int64_t> before = best;
    for (std::size_t state = 0; state < best.size(); ++state)
      best[state] = std::min(before[state], before[state ^ change] + graph.signed_weight(k));
  }
  return best;
}

void expect_both(const ClassCosts& costs, const std::vector<std::int64_t>& best, const std::vector<std::uint32_t>& events) {
  std::size_t state = 0;
  for (const auto event : events) state ^= std::size_t{2} << event;
  const std::int64_t without = best[state], with = best[state | 1];
  ASSERT_EQ(costs.best.outcome == MatchOutcome::matched, std::min(without, with) < far / 2);
  if (costs.best.outcome != MatchOutcome::matched) return;
  ASSERT_EQ(costs.best.weight, std::min(without, with));
  const std::int64_t other = std::max(without, with);
  if (other > far / 2) {
    ASSERT_EQ(costs.gap, ClassCosts::infinite);
  } else {
    ASSERT_EQ(costs.gap, other - std::min(without, with));
    ASSERT_EQ(costs.signed_gap(), with - without);
  }
}

TEST(ClassGap, AgreesWithAllSubsetsOnRandomSmallGraphs) {
  std::mt19937_64 random(3);
  int compared = 0, unsupported = 0, flipped = 0;
  for (int round = 0; round < 8000; ++round) {
    const GraphCase c{true, random() % 3 == 0, random() % 3 == 0, random() % 2 == 0, random() % 2 == 0};
    const std::size_t n = 2 + random() % 8;
    const auto edges = with_two_sides(random_graph(random, n, 2 + random() % (3 * n), c), n, random);
    const PathTableOptions options{.max_entries = 1u << 20, .max_per_node = static_cast<std::uint32_t>(1 + random() % 6),
                                   .min_per_node = 1, .near_per_node = static_cast<std::uint32_t>(random() % 4)};
    const auto owned = make(n, edges, options, 0, random() % 12);
    if (owned->status == Status::unsupported) {
      ++unsupported;
      continue;
    }
    ASSERT_EQ(owned->status, Status::ok);
    const auto best = all_classes(owned->matcher.graph());
    for (int shot = 0; shot < 12; ++shot) {
      std::vector<std::uint32_t> events;
      for (std::uint32_t k = 0; k < n; ++k)
        if (random() % 2 == 0) events.push_back(k);
      const ClassCosts costs = owned->gap.decode(owned->matcher, packed(n, events).data());
      expect_both(costs, best, events);
      if (HasFatalFailure()) FAIL() << "round " << round << " shot " << shot;
      ++compared;
      flipped += costs.observable_flips;
      const auto limit = static_cast<std::int64_t>(random() % 60000000);
      const ClassCosts limited = owned->gap.decode(owned->matcher, packed(n, events).data(), {}, limit);
      ASSERT_EQ(limited.gap, std::min(costs.gap, costs.best.outcome == MatchOutcome::matched ? limit : 0));
    }
  }
  EXPECT_GT(compared, 20000);
  EXPECT_GT(flipped, 5000);
  EXPECT_GT(unsupported, 20) << "graphs whose observable has one class only";
}

TEST(ClassGap, KnowsAShotsOwnWeights) {
  std::mt19937_64 random(4);
  int compared = 0;
  for (int round = 0; round < 4000; ++round) {
    const GraphCase c{true, random() % 3 == 0, random() % 3 == 0, random() % 2 == 0, random() % 2 == 0};
    const std::size_t n = 2 + random() % 8;
    const auto owned = make(n, with_two_sides(random_graph(random, n, 2 + random() % (3 * n), c), n, random));
    if (owned->status != Status::ok) continue;
    for (int shot = 0; shot < 5; ++shot) {
      std::vector<std::uint32_t> events;
      for (std::uint32_t k = 0; k < n; ++k)
        if (random() % 2 == 0) events.push_back(k);
      std::vector<EdgeWeight> weights;
      for (std::uint32_t k = 0; k < owned->matcher.graph().edges().size(); ++k)
        if (shot != 2 && random() % 3 == 0) weights.push_back({k, owned->matcher.graph().units(0.1 * double(random() % 60) - 1.5)});
      const ClassCosts costs = owned->gap.decode(owned->matcher, packed(n, events).data(), weights);
      expect_both(costs, all_classes(owned->matcher.graph()), events);
      if (HasFatalFailure()) FAIL() << "round " << round << " shot " << shot;
      ++compared;
    }
  }
  EXPECT_GT(compared, 4000);
}

/// The grid's boundary at high x (where no edge flips observable 0) becomes detector n.
std::vector<GraphEdge> with_far_side_as_detector(std::vector<GraphEdge> edges, std::size_t n) {
  for (auto& edge : edges)
    if (edge.b == boundary_node && (edge.observables & 1) == 0) edge.b = static_cast<std::uint32_t>(n);
  return edges;
}

TEST(ClassGap, AgreesWithMatchingThatIsForcedOnLattices) {
  std::mt19937_64 random(12);
  for (const std::uint32_t per_node : {4u, 320u, 100u}) {
    const std::size_t side = 5, n = side * side * side;
    auto edges = grid(side, true, random);
    for (auto& edge : edges)
      if (edge.b != boundary_node) edge.observables &= ~ObservableFlips{1};  // parity of the boundary at x = 0
    const auto owned = make(n, edges, {.max_per_node = per_node, .min_per_node = 1, .near_per_node = per_node / 2}, 0,
                            per_node == 100 ? n : 0);
    ASSERT_EQ(owned->status, Status::ok);
    const auto forced_edges = with_far_side_as_detector(edges, n);
    std::vector<std::byte> memory(ExactMatcher::memory_needed(n + 1, forced_edges.size(), 64));
    ExactMatcher forced = ExactMatcher::create(n + 1, 64, forced_edges, memory).value;
    for (const double density : {0.0, 0.01, 0.03, 0.1, 0.3, 0.7, 1.0})
      for (int shot = 0; shot < (density > 0 ? 7 : 1); ++shot) {
        std::vector<std::uint32_t> events;
        for (std::uint32_t k = 0; k < n; ++k)
          if (std::uniform_real_distribution<>(0, 1)(random) < density) events.push_back(k);
        const std::int64_t even = forced.decode(packed(n + 1, events).data()).weight;
        auto with_far = events;
        with_far.push_back(static_cast<std::uint32_t>(n));
        const std::int64_t odd = forced.decode(packed(n + 1, with_far).data()).weight;
        const ClassCosts costs = owned->gap.decode(owned->matcher, packed(n, events).data());
        ASSERT_EQ(costs.best.weight, std::min(even, odd));
        ASSERT_EQ(costs.gap, std::max(even, odd) - std::min(even, odd)) << "density " << density << " shot " << shot;
        // An odd number of paths at x = 0 is an even number at the far side if the number of events is odd.
        const bool flips_with_even = events.size() % 2 == 1;
        ASSERT_EQ(costs.signed_gap(), flips_with_even ? even - odd : odd - even);
      }
  }
}

TEST(ClassGap, RefusesWhatIsNoParityOfTheBoundary) {
  const std::vector<GraphEdge> ring{{0, 1, 0.1, 1}, {1, 2, 0.1, 0}, {2, 0, 0.1, 0}, {0, boundary_node, 0.1, 0}};
  EXPECT_EQ(make(3, ring)->status, Status::unsupported) << "an odd cycle";
  const std::vector<GraphEdge> path{{0, 1, 0.1, 1}, {0, boundary_node, 0.1, 0}};
  EXPECT_EQ(make(2, path)->status, Status::unsupported) << "one class only";
  EXPECT_EQ(make(2, path, {}, 64)->status, Status::bad_argument);
  const std::vector<GraphEdge> line{{0, 1, 0.1, 2}, {0, boundary_node, 0.1, 0}, {1, boundary_node, 0.2, 0}};
  EXPECT_EQ(make(2, line)->status, Status::unsupported) << "observable 0 has one class";
  const auto owned = make(2, line, {}, 1);
  ASSERT_EQ(owned->status, Status::ok);
  EXPECT_EQ(owned->gap.observable(), 1u);
  const ClassCosts costs = owned->gap.decode(owned->matcher, packed(2, {}).data());
  EXPECT_NEAR(double(costs.signed_gap()) * owned->matcher.nats_per_unit(), 2 * std::log(9.0) + std::log(4.0), 1e-5);
}

}  // namespace
}  // namespace spinel
