// SPDX-License-Identifier: Apache-2.0
// The lattice's second pass against the general engine with the same lowered weights (which knows nothing of satellites), and
// its own certificate; and the whole of correlated matching against the general two-pass matcher: as many mistakes.
#include <spinel/decode/window.hpp>
#include <spinel/io/experiment.hpp>
#include <spinel/io/graph.hpp>
#include <spinel/match/correlated.hpp>
#include <spinel/match/exact_matcher.hpp>
#include <spinel/match/lattice_correlated.hpp>

#include <gtest/gtest.h>

#include "model_shots.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

namespace spinel {
namespace {

template <MemoryExperiment experiment, class BitOps = NativeBits>
struct Case {
  static constexpr std::size_t n_detectors = static_cast<std::size_t>(experiment.n_detectors());
  io::GraphEdges edges;
  std::vector<std::byte> memory;
  ExactMatcher exact;
  std::unique_ptr<CorrelatedLatticeMatcher<experiment, BitOps>> matcher =
      std::make_unique<CorrelatedLatticeMatcher<experiment, BitOps>>();
  std::map<std::int32_t, std::uint32_t> detector_of;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> edge_of;
  std::size_t n_lowered = 0, n_changed = 0;

  explicit Case(const CircuitNoise& noise) : Case(*io::graph_edges(io::experiment_model(experiment, noise).value)) {}
  explicit Case(io::GraphEdges with_mechanisms) : edges(std::move(with_mechanisms)) {
    const ExactMatcher::Options options{.max_entries = 1u << 18, .max_per_node = 96};
    memory.resize(ExactMatcher::memory_needed(n_detectors, edges.edges.size(), 1, options));
    exact = ExactMatcher::create(n_detectors, 1, edges.edges, memory, options).value;
    std::vector<std::byte> scratch(matcher->scratch_bytes(edges.mechanism_of));
    const Status status = matcher->set_up(edges.edges, edges.mechanism_of, scratch);
    EXPECT_EQ(status, Status::ok) << to_string(status);
    for (std::uint32_t k = 0; k < n_detectors; ++k) detector_of[matcher->id_of(k)] = k;
    for (std::uint32_t e = 0; e < exact.graph().edges().size(); ++e) {
      const auto& edge = exact.graph().edges()[e];
      edge_of[{edge.a, edge.b}] = e;
    }
  }
  void expect_same(const std::vector<std::uint8_t>& shot) {
    std::vector<EdgeWeight> lowered;
    const auto got = matcher->decode_certified(shot.data(), [&](std::int32_t a, std::int32_t b, std::int32_t weight) {
      const std::uint32_t from = detector_of.at(a), to = b < 0 ? boundary_node : detector_of.at(b);
      lowered.push_back({edge_of.at({std::min(from, to), std::max(from, to)}), weight});
    });
    const auto plain = exact.decode(shot.data());
    const auto wanted = lowered.empty() ? plain : exact.decode(shot.data(), lowered);
    ASSERT_EQ(got.result.outcome, wanted.outcome);
    ASSERT_EQ(got.result.weight, wanted.weight) << lowered.size() << " lowered edges";
    if (wanted.outcome != MatchOutcome::matched) return;
    ASSERT_EQ(got.primal, got.result.weight);
    ASSERT_EQ(got.flips, got.result.observables);
    const auto again = matcher->decode(shot.data());
    ASSERT_EQ(again.weight, got.result.weight);
    ASSERT_EQ(again.observables, got.result.observables);
    n_lowered += lowered.size();
    n_changed += got.result.weight != plain.weight;
  }
  void expect_same_on_samples(int n_shots, double strength = 1) {
    std::mt19937_64 random(3);
    for (int s = 0; s < n_shots && !testing::Test::HasFatalFailure(); ++s) expect_same(sample_shot(edges, n_detectors, random, strength).first);
  }
  void expect_same_on_adversarial() {
    std::mt19937_64 random(4);
    const std::size_t n = n_detectors;
    for (const double density : {1.0, 0.98, 0.9, 0.7, 0.5, 0.33, 0.13, 0.03, 0.005})
      for (int repeat = 0; repeat < (density == 1 ? 1 : 3) && !testing::Test::HasFatalFailure(); ++repeat) {
        std::vector<std::uint8_t> shot((n + 7) / 8);
        for (std::size_t k = 0; k < n; ++k)
          if (std::bernoulli_distribution(density)(random)) shot[k / 8] ^= static_cast<std::uint8_t>(1u << (k % 8));
        expect_same(shot);
      }
  }
};

template <MemoryExperiment experiment, class BitOps = NativeBits>
void check(int n_shots) {
  for (const double p : {0.002, 0.006, 0.015}) {
    Case<experiment, BitOps> uniform{uniform_depolarizing(p)};
    uniform.expect_same_on_samples(n_shots);
    EXPECT_GT(uniform.n_lowered, 0u);
    EXPECT_GT(uniform.n_changed, 0u);
    if (p < 0.003) uniform.expect_same_on_adversarial();
    Case<experiment, BitOps> superconducting{si1000(p)};
    superconducting.expect_same_on_samples(n_shots / 2);
  }
}

TEST(CorrelatedLatticeMatcher, SecondPassIsExactAtDistance3) {
  check<MemoryExperiment{.distance = 3, .rounds = 3, .basis = Basis::X}>(600);
  check<MemoryExperiment{.distance = 3, .rounds = 30, .basis = Basis::Z, .orientation = Orientation::O3}>(60);
}
TEST(CorrelatedLatticeMatcher, SecondPassIsExactAtDistance5) {
  check<MemoryExperiment{.distance = 5, .rounds = 7, .basis = Basis::Z, .orientation = Orientation::O2}>(200);
}
TEST(CorrelatedLatticeMatcher, SecondPassIsExactAtDistance9) {
  check<MemoryExperiment{.distance = 9, .rounds = 9, .basis = Basis::X, .orientation = Orientation::O4}>(50);
}
TEST(CorrelatedLatticeMatcher, SecondPassIsExactWithoutVectorInstructions) {
  check<MemoryExperiment{.distance = 5, .rounds = 4, .basis = Basis::X}, ScalarBits>(150);
}

/// The model with every kind of mechanism (the same wherever and whenever its components look the same) up to five times more or
/// less likely, or not there at all, and one check of the memory basis that never fires.
io::GraphEdges shaken(const MemoryExperiment& experiment, const io::GraphEdges& model, std::mt19937_64& random) {
  std::vector<LatticeSite> sites(static_cast<std::size_t>(experiment.n_detectors()));
  place_own_detectors(experiment, sites.data());
  const auto dead = static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(experiment.n_checks()));
  std::map<std::vector<std::int32_t>, double> factors;
  io::GraphEdges out;
  detail::for_mechanisms(model.mechanism_of, [&](std::size_t begin, std::size_t end) {
    std::vector<std::int32_t> kind;
    bool is_dead = false;
    for (std::size_t k = begin; k < end; ++k)
      for (const std::uint32_t node : {model.edges[k].a, model.edges[k].b}) {
        const LatticeSite site = node == boundary_node ? LatticeSite{2, 0, 0} : sites[node];
        const std::int32_t layers = node == boundary_node ? 0 : site.layer - sites[model.edges[begin].a].layer;
        kind.insert(kind.end(), {site.type, site.position, layers});
        is_dead |= site.type == 0 && site.position == dead;
      }
    const auto [factor, is_new] = factors.insert({kind, 0.0});
    if (is_new && random() % 16 != 0) factor->second = std::exp(std::uniform_real_distribution<>(-1.6, 1.6)(random));
    if (is_dead || factor->second == 0) return;
    for (std::size_t k = begin; k < end; ++k) {
      out.edges.push_back(model.edges[k]);
      out.edges.back().probability *= factor->second;
      out.mechanism_of.push_back(model.mechanism_of[k]);
    }
  });
  return out;
}

/// Experiments so small that few events are paired by trying everything, twice.
template <MemoryExperiment experiment, class BitOps = NativeBits>
void check_shaken(int n_models, int n_shots) {
  std::mt19937_64 random(9);
  for (int repeat = 0; repeat < n_models; ++repeat) {
    const auto model = *io::graph_edges(io::experiment_model(experiment, uniform_depolarizing(0.004)).value);
    Case<experiment, BitOps> few{shaken(experiment, model, random)};
    few.expect_same_on_samples(n_shots);
    few.expect_same_on_samples(n_shots, 3);
    few.expect_same_on_adversarial();
    EXPECT_GT(few.n_changed, 0u);
    few.matcher->repair_both(false);
    few.expect_same_on_samples(n_shots);
  }
}
TEST(CorrelatedLatticeMatcher, SecondPassIsExactOverFewEventsOfAnyNoise) {
  check_shaken<MemoryExperiment{.distance = 3, .rounds = 3, .basis = Basis::X}>(12, 300);
  check_shaken<MemoryExperiment{.distance = 3, .rounds = 14, .basis = Basis::Z, .orientation = Orientation::O2}>(6, 200);
  check_shaken<MemoryExperiment{.distance = 5, .rounds = 2, .basis = Basis::X, .orientation = Orientation::O3}>(6, 200);
  check_shaken<MemoryExperiment{.distance = 5, .rounds = 5, .basis = Basis::Z}>(6, 200);
  check_shaken<MemoryExperiment{.distance = 7, .rounds = 5, .basis = Basis::X, .orientation = Orientation::O4}>(3, 200);
  check_shaken<MemoryExperiment{.distance = 5, .rounds = 5, .basis = Basis::X}, ScalarBits>(3, 150);
}
TEST(CorrelatedLatticeMatcher, SecondPassIsExactOverFewEvents) {
  check<MemoryExperiment{.distance = 5, .rounds = 5, .basis = Basis::X}>(600);
  check<MemoryExperiment{.distance = 3, .rounds = 8, .basis = Basis::Z}>(400);
  check<MemoryExperiment{.distance = 7, .rounds = 7, .basis = Basis::Z}>(200);
}

/// Windows of a stream: their models are open to the future, and those of moving windows begin in the middle of mechanisms.
template <StreamExperiment stream>
void check_windows(int n_shots) {
  using Models = detail::WindowModels<stream>;
  for (const CircuitNoise& noise : {CircuitNoise(uniform_depolarizing(0.004)), CircuitNoise(si1000(0.006)), CircuitNoise::simple(0.02)})
    for (const WindowKind kind : {WindowKind::starting, WindowKind::moving, WindowKind::closing}) {
      const auto [model, mechanism_of] = *io::graph_edges(io::experiment_model(Models::model_experiment, noise).value);
      std::vector<LatticeSite> sites(static_cast<std::size_t>(Models::model_experiment.n_detectors()));
      place_own_detectors(Models::model_experiment, sites.data());
      io::GraphEdges edges;
      Models::for_edges(kind, model, mechanism_of, sites.data(), [&](const GraphEdge& edge, std::uint32_t mechanism) {
        edges.edges.push_back(edge);
        edges.mechanism_of.push_back(mechanism);
      });
      Case<Models::window_experiment> window{edges};
      window.expect_same_on_samples(n_shots);
      EXPECT_GT(window.n_changed, 0u);
      const std::size_t n_lowered = window.n_lowered;
      window.matcher->repair_both(false);
      window.expect_same_on_samples(n_shots);
      EXPECT_LT(window.n_lowered, 2 * n_lowered);
    }
}
TEST(CorrelatedLatticeMatcher, SecondPassIsExactInWindowsOfAStream) {
  check_windows<StreamExperiment{3, 3, 3}>(150);
  check_windows<StreamExperiment{5, 5, 3, Basis::Z, Orientation::O2}>(60);
  check_windows<StreamExperiment{7, 4, 4, Basis::X, Orientation::O3}>(30);
}

TEST(CorrelatedLatticeMatcher, MakesAsManyMistakesAsTheGeneralOne) {
  Case<MemoryExperiment{.distance = 5, .rounds = 5, .basis = Basis::X}> lattice{uniform_depolarizing(0.006)};
  auto general = io::make_correlated_matcher(io::experiment_model(MemoryExperiment{.distance = 5, .rounds = 5, .basis = Basis::X},
                                                                  uniform_depolarizing(0.006)).value);
  ASSERT_TRUE(general);
  std::mt19937_64 random(6);
  int mistakes = 0, general_mistakes = 0, plain_mistakes = 0, differ = 0;
  for (int s = 0; s < 12000; ++s) {
    const auto [shot, flips] = sample_shot(lattice.edges, lattice.n_detectors, random);
    mistakes += lattice.matcher->decode(shot.data()).observables != flips;
    general_mistakes += general->matcher.decode(shot.data()).observables != flips;
    plain_mistakes += lattice.exact.decode(shot.data()).observables != flips;
    const ObservableFlips both = lattice.matcher->decode(shot.data()).observables;
    lattice.matcher->repair_both(false);
    differ += lattice.matcher->decode(shot.data()).observables != both;
    lattice.matcher->repair_both(true);
  }
  EXPECT_LE(differ, 6) << "the other basis has a say only where solutions are equally likely";
  EXPECT_GT(general_mistakes, 50);
  EXPECT_NEAR(mistakes, general_mistakes, 0.04 * general_mistakes);
  EXPECT_LT(mistakes, 0.9 * plain_mistakes);
}

}  // namespace
}  // namespace spinel
