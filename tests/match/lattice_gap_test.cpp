// SPDX-License-Identifier: Apache-2.0
// The lattice's gap against the general engine's on the same fixed-point weights, and against matching with one side of the
// boundary made a detector, whose event forces the class: on sampled shots, on adversarial ones, with limits, with and without
// the memory for distances of pairs.
#include <spinel/io/experiment.hpp>
#include <spinel/io/graph.hpp>
#include <spinel/match/gap.hpp>
#include <spinel/match/lattice_correlated.hpp>
#include <spinel/match/lattice_gap.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "match/model_shots.hpp"

namespace spinel {
namespace {

template <MemoryExperiment experiment, class BitOps = NativeBits>
struct Case {
  using Engine = LatticeMatcher<experiment, BitOps>;
  io::DetectorErrorModel model;
  io::GraphEdges edges;
  std::unique_ptr<Engine> matcher = std::make_unique<Engine>();
  std::vector<std::byte> memory[2], general_memory;
  LatticeGap<Engine> gap[2];  // with the distances of pairs and without
  io::DemMatcher general;
  ClassGap wanted;

  explicit Case(const CircuitNoise& noise) {
    const auto made = io::experiment_model(experiment, noise);
    EXPECT_EQ(made.status, Status::ok);
    model = made.value;
    edges = *io::graph_edges(model);
    set_up();
  }
  void set_up() {
    std::vector<std::byte> scratch(matcher->scratch_bytes(edges.edges.size()));
    ASSERT_EQ(matcher->set_up(edges.edges, scratch), Status::ok);
    for (const bool pairs : {true, false}) {
      memory[pairs].resize(LatticeGap<Engine>::memory_bytes(experiment.rounds, pairs));
      ASSERT_EQ(gap[pairs].set_up(*matcher, memory[pairs]), Status::ok);
    }
    general = std::move(*io::make_matcher(model));
    general_memory.resize(ClassGap::memory_needed(general.matcher, {}));
    const auto found = ClassGap::create(general.matcher, 0, general_memory, {});
    ASSERT_EQ(found.status, Status::ok);
    wanted = found.value;
  }

  int n_compared = 0, n_flipped = 0;
  void expect_same(const std::vector<std::uint8_t>& shot, std::int64_t limit) {
    const ClassCosts expected = wanted.decode(general.matcher, shot.data());
    for (auto& one : gap) {
      const ClassCosts costs = one.decode(*matcher, shot.data());
      ASSERT_EQ(costs.best.outcome, expected.best.outcome);
      ASSERT_EQ(costs.best.weight, expected.best.weight);
      ASSERT_EQ(costs.gap, expected.gap);
      if (expected.gap > 0) {
        ASSERT_EQ(costs.signed_gap(), expected.signed_gap());
      }
      ASSERT_EQ(one.decode(*matcher, shot.data(), limit).gap, std::min(limit, expected.gap));
      if (expected.best.outcome != MatchOutcome::matched) continue;
      const ClassCosts alone = one.decode_observable(*matcher, shot.data());
      ASSERT_EQ(alone.gap, expected.gap);
      ASSERT_EQ(alone.observable_flips, costs.observable_flips);
      // What the gap uses up is of this shot only.
      ASSERT_EQ(matcher->decode(shot.data()).weight, expected.best.weight);
    }
    ++n_compared;
    n_flipped += expected.observable_flips;
  }
  void expect_same_on_samples(int n_shots, std::uint64_t seed, double strength = 1) {
    std::mt19937_64 random(seed);
    for (int k = 0; k < n_shots && !testing::Test::HasFatalFailure(); ++k) {
      const auto shot = sample_shot(edges, matcher->n_detectors(), random, strength).first;
      expect_same(shot, static_cast<std::int64_t>(random() % 200000000));
    }
  }
  void expect_same_on_adversarial() {
    std::mt19937_64 random(5);
    const std::size_t n = matcher->n_detectors();
    for (const unsigned one_in : {1u, 2u, 4u, 11u, 37u})
      for (int repeat = 0; repeat < 4 && !testing::Test::HasFatalFailure(); ++repeat) {
        std::vector<std::uint8_t> shot((n + 7) / 8);
        for (std::size_t k = 0; k < n; ++k)
          if (random() % one_in == 0) shot[k / 8] |= static_cast<std::uint8_t>(1u << (k % 8));
        expect_same(shot, 50000000);
      }
  }
};

template <MemoryExperiment experiment, class BitOps = NativeBits>
void check(int n_shots) {
  for (const double p : {0.001, 0.006, 0.02}) {
    auto uniform = std::make_unique<Case<experiment, BitOps>>(uniform_depolarizing(p));
    uniform->expect_same_on_samples(n_shots, 1);
    if (p < 0.002) uniform->expect_same_on_adversarial();
    if (p > 0.01) {
      EXPECT_GT(uniform->n_flipped, 0);
    }
    auto superconducting = std::make_unique<Case<experiment, BitOps>>(si1000(p));
    superconducting->expect_same_on_samples(n_shots / 2, 2);
    auto simple = std::make_unique<Case<experiment, BitOps>>(CircuitNoise::simple(p));
    simple->expect_same_on_samples(n_shots / 2, 3, 2);
  }
}

TEST(LatticeGap, AgreesWithTheGeneralEngine) {
  check<MemoryExperiment{.distance = 3, .rounds = 3, .basis = Basis::X}>(300);
  check<MemoryExperiment{.distance = 5, .rounds = 5, .basis = Basis::Z}>(200);
  check<MemoryExperiment{.distance = 3, .rounds = 4, .basis = Basis::Z}, ScalarBits>(100);
  check<MemoryExperiment{.distance = 5, .rounds = 30, .basis = Basis::X, .orientation = Orientation::O3}, ScalarBits>(20);
  check<MemoryExperiment{.distance = 9, .rounds = 6, .basis = Basis::X}>(40);
}

/// Against the general engine with the weights that the lattice's second pass took as lighter.
template <MemoryExperiment experiment, class BitOps = NativeBits>
struct CorrelatedCase {
  static constexpr std::size_t n_detectors = static_cast<std::size_t>(experiment.n_detectors());
  using Engine = CorrelatedLatticeMatcher<experiment, BitOps>;
  io::GraphEdges edges;
  std::unique_ptr<Engine> matcher = std::make_unique<Engine>();
  std::unique_ptr<LatticeGap<Engine>> gap = std::make_unique<LatticeGap<Engine>>();
  std::vector<std::byte> memory, general_memory;
  ExactMatcher exact;
  ClassGap wanted;
  std::map<std::int32_t, std::uint32_t> detector_of;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> edge_of;
  int n_other_gaps = 0, n_flipped = 0;

  explicit CorrelatedCase(const CircuitNoise& noise) { set_up(noise); }
  void set_up(const CircuitNoise& noise) {
    edges = *io::graph_edges(io::experiment_model(experiment, noise).value);
    std::vector<std::byte> scratch(matcher->scratch_bytes(edges.mechanism_of));
    ASSERT_EQ(matcher->set_up(edges.edges, edges.mechanism_of, scratch), Status::ok);
    std::vector<std::byte> gap_memory(LatticeGap<Engine>::memory_bytes(experiment.rounds));
    ASSERT_EQ(gap->set_up(*matcher, gap_memory), Status::ok) << "keeps nothing there";
    const ExactMatcher::Options options{.max_entries = 1u << 18, .max_per_node = 96};
    memory.resize(ExactMatcher::memory_needed(n_detectors, edges.edges.size(), 1, options));
    exact = ExactMatcher::create(n_detectors, 1, edges.edges, memory, options).value;
    general_memory.resize(ClassGap::memory_needed(exact, {}));
    const auto found = ClassGap::create(exact, 0, general_memory, {});
    ASSERT_EQ(found.status, Status::ok);
    wanted = found.value;
    for (std::uint32_t k = 0; k < n_detectors; ++k) detector_of[matcher->id_of(k)] = k;
    for (std::uint32_t e = 0; e < exact.graph().edges().size(); ++e)
      edge_of[{exact.graph().edges()[e].a, exact.graph().edges()[e].b}] = e;
  }
  void expect_same(const std::vector<std::uint8_t>& shot, std::int64_t limit) {
    std::vector<EdgeWeight> lowered;
    matcher->decode_certified(shot.data(), [&](std::int32_t a, std::int32_t b, std::int32_t weight) {
      const std::uint32_t from = detector_of.at(a), to = b < 0 ? boundary_node : detector_of.at(b);
      lowered.push_back({edge_of.at({std::min(from, to), std::max(from, to)}), weight});
    });
    const std::int64_t plain = wanted.decode(exact, shot.data()).gap;
    const ClassCosts expected = lowered.empty() ? wanted.decode(exact, shot.data()) : wanted.decode(exact, shot.data(), lowered);
    const ClassCosts costs = gap->decode(*matcher, shot.data());
    ASSERT_EQ(costs.best.outcome, expected.best.outcome);
    ASSERT_EQ(costs.best.weight, expected.best.weight);
    ASSERT_EQ(costs.gap, expected.gap) << lowered.size() << " lowered edges";
    if (expected.gap > 0) {
      ASSERT_EQ(costs.signed_gap(), expected.signed_gap());
    }
    ASSERT_EQ(gap->decode(*matcher, shot.data(), limit).gap, std::min(limit, expected.gap));
    // What the gap uses up is of this shot only.
    ASSERT_EQ(matcher->decode(shot.data()).weight, expected.best.weight);
    n_other_gaps += expected.gap != plain;
    n_flipped += expected.observable_flips;
  }
  void expect_same_on_samples(int n_shots, std::uint64_t seed, double strength = 1) {
    std::mt19937_64 random(seed);
    for (int k = 0; k < n_shots && !testing::Test::HasFatalFailure(); ++k)
      expect_same(sample_shot(edges, n_detectors, random, strength).first, static_cast<std::int64_t>(random() % 200000000));
  }
  void expect_same_on_dense(int n_repeats) {
    std::mt19937_64 random(5);
    for (const unsigned one_in : {1u, 2u, 4u, 11u, 37u})
      for (int repeat = 0; repeat < n_repeats && !testing::Test::HasFatalFailure(); ++repeat) {
        std::vector<std::uint8_t> shot((n_detectors + 7) / 8);
        for (std::size_t k = 0; k < n_detectors; ++k)
          if (random() % one_in == 0) shot[k / 8] |= static_cast<std::uint8_t>(1u << (k % 8));
        expect_same(shot, 50000000);
      }
  }
};

template <MemoryExperiment experiment, class BitOps = NativeBits>
void check_correlated(int n_shots) {
  for (const double p : {0.001, 0.006, 0.02}) {
    auto uniform = std::make_unique<CorrelatedCase<experiment, BitOps>>(uniform_depolarizing(p));
    uniform->expect_same_on_samples(n_shots, 1);
    if (p < 0.002) uniform->expect_same_on_dense(4);
    if (p > 0.01) {
      EXPECT_GT(uniform->n_flipped, 0);
    }
    EXPECT_GT(uniform->n_other_gaps, 0);
    auto superconducting = std::make_unique<CorrelatedCase<experiment, BitOps>>(si1000(p));
    superconducting->expect_same_on_samples(n_shots / 2, 2);
    auto simple = std::make_unique<CorrelatedCase<experiment, BitOps>>(CircuitNoise::simple(p));
    simple->expect_same_on_samples(n_shots / 2, 3, 2);
  }
}

TEST(LatticeGap, OfCorrelatedMatchingIsTheSecondPass) {
  check_correlated<MemoryExperiment{.distance = 3, .rounds = 3, .basis = Basis::X}>(300);
  check_correlated<MemoryExperiment{.distance = 5, .rounds = 5, .basis = Basis::Z}>(150);
  check_correlated<MemoryExperiment{.distance = 3, .rounds = 4, .basis = Basis::Z}, ScalarBits>(100);
  check_correlated<MemoryExperiment{.distance = 7, .rounds = 12, .basis = Basis::X, .orientation = Orientation::O3}>(20);
  check_correlated<MemoryExperiment{.distance = 9, .rounds = 6, .basis = Basis::X}>(30);
}

TEST(LatticeGap, NeedsAMatcherAndRoom) {
  constexpr MemoryExperiment experiment{.distance = 3, .rounds = 3, .basis = Basis::X};
  using Engine = AnyRoundsLatticeMatcher<3>;
  Engine matcher;
  LatticeGap<Engine> gap;
  std::vector<std::byte> memory(LatticeGap<Engine>::memory_bytes(experiment.rounds, false));
  EXPECT_EQ(gap.set_up(matcher, memory), Status::bad_argument);
  const auto model = io::experiment_model(experiment, uniform_depolarizing(0.01));
  const auto edges = io::graph_edges(model.value)->edges;
  const auto capacity = LatticeCapacity::uniform(3);
  std::vector<std::byte> own(Engine::memory_bytes(3, capacity)), scratch(Engine::scratch_bytes(3, capacity, edges.size()));
  ASSERT_EQ(matcher.set_up(experiment, edges, own, scratch), Status::ok);
  EXPECT_EQ(gap.set_up(matcher, {memory.data(), memory.size() / 2}), Status::out_of_capacity);
  const std::uint8_t nothing[8] = {};
  EXPECT_EQ(gap.decode(matcher, nothing).gap, 0) << "not set up";
  ASSERT_EQ(gap.set_up(matcher, memory), Status::ok);
  auto general = std::move(*io::make_matcher(model.value));
  std::vector<std::byte> general_memory(ClassGap::memory_needed(general.matcher, {}));
  auto wanted = ClassGap::create(general.matcher, 0, general_memory, {});
  EXPECT_EQ(gap.decode(matcher, nothing).gap, wanted.value.decode(general.matcher, nothing).gap);
}

/// The same in memory that was used for something else.
TEST(LatticeGap, OfAnyRoundsEqualsThatOfFixedOnes) {
  constexpr MemoryExperiment experiment{.distance = 5, .rounds = 7, .basis = Basis::X};
  using Engine = AnyRoundsCorrelatedLatticeMatcher<5, std::int16_t>;
  CorrelatedCase<experiment> fixed(uniform_depolarizing(0.01));
  constexpr auto capacity = LatticeCapacity::uniform(5);
  std::vector<std::byte> own(Engine::memory_bytes(7, capacity), std::byte{0xa5});
  std::vector<std::byte> scratch(Engine::scratch_bytes(7, capacity, fixed.edges.mechanism_of), std::byte{0xa5});
  const auto matcher = std::make_unique<Engine>();
  ASSERT_EQ(matcher->set_up(experiment, fixed.edges.edges, fixed.edges.mechanism_of, own, scratch), Status::ok);
  const auto gap = std::make_unique<LatticeGap<Engine>>();
  std::vector<std::byte> memory(LatticeGap<Engine>::memory_bytes(7), std::byte{0xa5});
  EXPECT_EQ(gap->set_up(*matcher, {memory.data(), memory.size() / 2}), Status::out_of_capacity);
  ASSERT_EQ(gap->set_up(*matcher, memory), Status::ok);
  std::mt19937_64 random(4);
  for (int k = 0; k < 200; ++k) {
    const auto shot = sample_shot(fixed.edges, fixed.n_detectors, random, 1 + k % 2).first;
    const ClassCosts costs = gap->decode(*matcher, shot.data()), expected = fixed.gap->decode(*fixed.matcher, shot.data());
    ASSERT_EQ(costs.best.weight, expected.best.weight);
    ASSERT_EQ(costs.gap, expected.gap);
  }
}

/// A way out on the far side leads to detector n instead.
TEST(LatticeGap, AgreesWithMatchingThatIsForced) {
  constexpr MemoryExperiment experiment{.distance = 5, .rounds = 5, .basis = Basis::Z};
  const auto c = std::make_unique<Case<experiment>>(uniform_depolarizing(0.01));
  const std::size_t n = c->matcher->n_detectors();
  auto edges = c->edges.edges;
  // Edges that flip the observable all lead to one side of the boundary here.
  for (auto& edge : edges) {
    if (edge.observables == 0) continue;
    ASSERT_TRUE(edge.a == boundary_node || edge.b == boundary_node);
    (edge.a == boundary_node ? edge.a : edge.b) = static_cast<std::uint32_t>(n);
  }
  std::vector<std::byte> memory(ExactMatcher::memory_needed(n + 1, edges.size(), 1));
  auto forced = ExactMatcher::create(n + 1, 1, edges, memory);
  ASSERT_EQ(forced.status, Status::ok);
  std::mt19937_64 random(9);
  for (int k = 0; k < 500; ++k) {
    auto shot = sample_shot(c->edges, n, random, 1 + k % 3).first;
    const ClassCosts costs = c->gap[k % 2].decode(*c->matcher, shot.data());
    shot.resize((n + 1 + 7) / 8);
    const std::int64_t even = forced.value.decode(shot.data()).weight;
    shot[n / 8] ^= static_cast<std::uint8_t>(1u << (n % 8));
    const std::int64_t odd = forced.value.decode(shot.data()).weight;
    ASSERT_EQ(costs.best.weight, std::min(even, odd));
    ASSERT_EQ(costs.signed_gap(), odd - even);
  }
}

}  // namespace
}  // namespace spinel
