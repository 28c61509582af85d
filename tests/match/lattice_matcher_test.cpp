// SPDX-License-Identifier: Apache-2.0
// The lattice matcher against the exact matcher for any graph on the same fixed-point weights (an engine of another make),
// and its own optimality certificate: on sampled shots, on adversarial ones, with and without vector instructions.
#include <spinel/io/experiment.hpp>
#include <spinel/io/graph.hpp>
#include <spinel/match/exact_matcher.hpp>
#include <spinel/match/lattice_matcher.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

namespace spinel {
namespace {

struct Oracle {
  std::vector<std::byte> memory;
  ExactMatcher matcher;
};
std::unique_ptr<Oracle> oracle(std::size_t n, const std::vector<GraphEdge>& edges) {
  auto made = std::make_unique<Oracle>();
  const ExactMatcher::Options options{.max_entries = 1u << 18, .max_per_node = 96};
  made->memory.resize(ExactMatcher::memory_needed(n, edges.size(), 1, options));
  auto matcher = ExactMatcher::create(n, 1, edges, made->memory, options);
  EXPECT_EQ(matcher.status, Status::ok);
  made->matcher = matcher.value;
  return made;
}

template <MemoryExperiment experiment, class BitOps>
struct Case {
  std::vector<GraphEdge> edges;
  std::unique_ptr<Oracle> expected;
  std::unique_ptr<LatticeMatcher<experiment, BitOps>> matcher = std::make_unique<LatticeMatcher<experiment, BitOps>>();

  explicit Case(const CircuitNoise& noise) {
    const auto model = io::experiment_model(experiment, noise);
    EXPECT_EQ(model.status, Status::ok);
    edges = io::graph_edges(model.value)->edges;
    expected = oracle(matcher->n_detectors(), edges);
    std::vector<std::byte> scratch(matcher->scratch_bytes(edges.size()));
    const Status status = matcher->set_up(edges, scratch);
    EXPECT_EQ(status, Status::ok) << to_string(status);
    find_decisive();
  }
  /// Bits of the detectors that are joined, over any number of edges, to one with an edge that flips the observable.
  std::vector<std::uint8_t> decisive;
  void find_decisive() {
    std::vector<bool> reached(matcher->n_detectors() + 1);
    const auto at = [&](std::uint32_t node) { return reached[std::min<std::size_t>(node, matcher->n_detectors())]; };
    for (bool more = true; more;) {
      more = false;
      for (const auto& edge : edges) {
        if (edge.observables == 0 && !at(edge.a) && (edge.b == boundary_node || !at(edge.b))) continue;
        more |= !at(edge.a) || (edge.b != boundary_node && !at(edge.b));
        at(edge.a) = true;
        if (edge.b != boundary_node) at(edge.b) = true;
      }
    }
    decisive.assign((matcher->n_detectors() + 7) / 8, 0);
    for (std::size_t k = 0; k < matcher->n_detectors(); ++k) decisive[k / 8] |= static_cast<std::uint8_t>(reached[k] << (k % 8));
  }
  int n_matched = 0, n_ties = 0;
  void expect_same(const std::vector<std::uint8_t>& shot) {
    const auto wanted = expected->matcher.decode(shot.data());
    const auto got = matcher->decode(shot.data());
    ASSERT_EQ(got.weight, wanted.weight);
    ASSERT_EQ(got.outcome, wanted.outcome);
    if (got.outcome != MatchOutcome::matched) return;
    ++n_matched;
    const auto certified = matcher->decode_certified(shot.data());
    ASSERT_EQ(certified.result.weight, got.weight);
    ASSERT_EQ(certified.primal, got.weight);
    ASSERT_EQ(certified.flips, certified.result.observables);
    n_ties += certified.flips != got.observables;  // few events are paired by trying everything, which may find the other of two
    auto kept = shot;
    for (std::size_t k = 0; k < kept.size(); ++k) kept[k] &= decisive[k];
    const auto alone = matcher->decode_observable(shot.data());
    ASSERT_EQ(alone.weight, expected->matcher.decode(kept.data()).weight);
    ASSERT_EQ(alone.observables, got.observables);
  }
  void expect_same_on_samples(int n_shots, std::uint64_t seed, double strength = 1) {
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<> uniform(0, 1);
    for (int s = 0; s < n_shots && !testing::Test::HasFatalFailure(); ++s) {
      std::vector<std::uint8_t> shot((matcher->n_detectors() + 7) / 8);
      for (const auto& edge : edges)
        if (uniform(random) < strength * edge.probability)
          for (const auto node : {edge.a, edge.b})
            if (node != boundary_node) shot[node / 8] ^= static_cast<std::uint8_t>(1u << (node % 8));
      expect_same(shot);
    }
    EXPECT_LE(30 * n_ties, n_matched + 30);
  }
  void expect_same_on_adversarial() {
    const std::size_t n = matcher->n_detectors();
    std::vector<bool> can_fire(n);
    for (const auto& edge : edges)
      for (const auto node : {edge.a, edge.b})
        if (node != boundary_node) can_fire[node] = true;
    const auto shot_of = [&](auto&& fires) {
      std::vector<std::uint8_t> shot((n + 7) / 8);
      for (std::size_t k = 0; k < n; ++k)
        if (fires(k) && can_fire[k]) shot[k / 8] ^= static_cast<std::uint8_t>(1u << (k % 8));
      return shot;
    };
    const auto h = static_cast<std::size_t>(experiment.n_checks());
    std::mt19937_64 random(5);
    const int n_before = n_matched;
    expect_same(shot_of([](std::size_t) { return true; }));
    expect_same(shot_of([](std::size_t) { return false; }));
    expect_same(shot_of([&](std::size_t k) { return k / (2 * h) == 1; }));
    expect_same(shot_of([&](std::size_t k) { return k % h == h / 2; }));
    expect_same(shot_of([&](std::size_t k) { return k % h < 4; }));
    for (const unsigned one_in : {2u, 4u, 11u, 37u, 200u})
      for (int repeat = 0; repeat < 6; ++repeat) expect_same(shot_of([&](std::size_t) { return random() % one_in == 0; }));
    for (const unsigned all_but_one_in : {3u, 10u, 50u})  // more know each other than the pool of lists has room for
      for (int repeat = 0; repeat < 2; ++repeat) expect_same(shot_of([&](std::size_t) { return random() % all_but_one_in != 0; }));
    EXPECT_EQ(n_matched, n_before + 41);
    can_fire.assign(n, true);  // from here on some shots cannot be explained
    for (std::size_t k = 0; k < n; k += 7) expect_same(shot_of([&](std::size_t at) { return at == k; }));
    for (int repeat = 0; repeat < 60; ++repeat) {
      const std::size_t a = random() % n, b = random() % n, c = random() % n;
      expect_same(shot_of([&](std::size_t at) { return at == a || at == b || at == c; }));
    }
  }
};

template <MemoryExperiment experiment, class BitOps = NativeBits>
void check(int n_shots) {
  for (const double p : {0.001, 0.004, 0.012}) {
    Case<experiment, BitOps> uniform{uniform_depolarizing(p)};
    uniform.expect_same_on_samples(n_shots, 1);
    if (p < 0.002) uniform.expect_same_on_adversarial();
    Case<experiment, BitOps> superconducting{si1000(p)};
    superconducting.expect_same_on_samples(n_shots / 2, 2);
    Case<experiment, BitOps> simple{CircuitNoise::simple(p)};
    simple.expect_same_on_samples(n_shots / 2, 3, 2);
  }
}

TEST(LatticeMatcher, EqualsTheGeneralEngineAtDistance3) {
  check<MemoryExperiment{.distance = 3, .rounds = 3, .basis = Basis::X}>(400);
  check<MemoryExperiment{.distance = 3, .rounds = 2, .basis = Basis::Z, .orientation = Orientation::O2}>(400);
  check<MemoryExperiment{.distance = 3, .rounds = 40, .basis = Basis::Z, .orientation = Orientation::O3}>(60);
}
TEST(LatticeMatcher, EqualsTheGeneralEngineAtDistance5) {
  check<MemoryExperiment{.distance = 5, .rounds = 30, .basis = Basis::X, .orientation = Orientation::O4}>(120);
  check<MemoryExperiment{.distance = 5, .rounds = 5, .basis = Basis::Z, .orientation = Orientation::O2}>(400);
}
TEST(LatticeMatcher, EqualsTheGeneralEngineAtDistance9) {
  check<MemoryExperiment{.distance = 9, .rounds = 9, .basis = Basis::X, .orientation = Orientation::O2}>(80);
}
TEST(LatticeMatcher, EqualsTheGeneralEngineWithoutVectorInstructions) {
  check<MemoryExperiment{.distance = 5, .rounds = 6, .basis = Basis::X}, ScalarBits>(150);
  check<MemoryExperiment{.distance = 5, .rounds = 4, .basis = Basis::X}, ScalarBits>(150);
}


TEST(BitOps, PicksAndListsBitsOneByOne) {
  std::mt19937_64 random(5);
  const auto check = [&]<class BitOps>(BitOps) {
    for (int repeat = 0; repeat < 3000; ++repeat) {
      constexpr int stride = 11;
      unsigned char bytes[2 * stride + 8];
      for (auto& byte : bytes) byte = static_cast<unsigned char>(random() & random());
      const int shift = static_cast<int>(random() % 8);
      std::uint8_t places[16];
      std::uint16_t groups[3] = {};
      std::uint32_t wanted = 0;
      for (unsigned k = 0; k < 16; ++k) {
        places[k] = static_cast<std::uint8_t>(random() % 57);
        const unsigned layer = random() % 4, at = 8 * stride * layer + places[k] + static_cast<unsigned>(shift);
        if (layer == 3) continue;  // in no group
        groups[layer] = static_cast<std::uint16_t>(groups[layer] | 1u << k);
        wanted |= ((bytes[at / 8] >> (at % 8)) & 1u) << k;
      }
      EXPECT_EQ(BitOps::pick(bytes + stride, stride, shift, places, groups), wanted);
      // From none to all 64.
      std::uint64_t word = random();
      for (int k = 0; k < repeat % 6; ++k) word = repeat % 2 == 0 ? word & random() : word | random();
      std::uint16_t listed[64];
      std::vector<std::uint16_t> set;
      for (unsigned k = 0; k < 64; ++k)
        if ((word >> k) & 1) set.push_back(static_cast<std::uint16_t>(640 + k));
      const int n = BitOps::positions(word, 640, listed);
      EXPECT_EQ(std::vector<std::uint16_t>(listed, listed + n), set);
    }
  };
  check(ScalarBits{});
  check(NativeBits{});
}

}  // namespace
}  // namespace spinel
