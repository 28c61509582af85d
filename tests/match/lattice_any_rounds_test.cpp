// SPDX-License-Identifier: Apache-2.0
// The lattice engine whose rounds are known at set-up only: one object of one type for several lengths, and with so little room
// for far lists that they have to reach less far. Exact in every case, by comparison with the general engine.
#include <spinel/io/experiment.hpp>
#include <spinel/io/graph.hpp>
#include <spinel/match/lattice_matcher.hpp>

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace spinel {
namespace {

TEST(AnyRoundsLatticeMatcher, IsExactForEveryLengthAndWithLittleRoom) {
  AnyRoundsLatticeMatcher<5, std::int16_t> matcher;
  std::vector<std::byte> memory, scratch;
  std::int32_t full_radius = 0;
  for (const std::size_t far_slots : {std::size_t{20000}, std::size_t{900}, std::size_t{20000}})
    for (const int rounds : {2, 7, 31}) {
      const MemoryExperiment experiment{.distance = 5, .rounds = rounds, .basis = Basis::Z};
      const auto model = io::experiment_model(experiment, uniform_depolarizing(0.008));
      const auto edges = *io::graph_edges(model.value);
      auto general = io::make_matcher(model.value);
      ASSERT_TRUE(general);
      LatticeCapacity capacity = LatticeCapacity::uniform(5);
      capacity.far_slots = far_slots;
      memory.assign(matcher.memory_bytes(rounds, capacity), std::byte{0xa5});
      scratch.assign(matcher.scratch_bytes(rounds, capacity, edges.edges.size()), std::byte{0x5a});
      ASSERT_EQ(matcher.set_up(experiment, edges.edges, memory, scratch, DetectorNumbering::own, capacity), Status::ok);
      if (rounds == 31 && far_slots == 20000) full_radius = matcher.tables().radius[2];
      if (rounds == 31 && far_slots == 900) {
        EXPECT_LT(matcher.tables().radius[2], full_radius);
      }
      std::mt19937_64 random(static_cast<unsigned>(rounds));
      std::uniform_real_distribution<> uniform(0, 1);
      for (int s = 0; s < 300; ++s) {
        std::vector<std::uint8_t> shot((model.value.n_detectors + 7) / 8);
        for (const auto& edge : edges.edges)
          if (uniform(random) < edge.probability)
            for (const auto node : {edge.a, edge.b})
              if (node != boundary_node) shot[node / 8] ^= static_cast<std::uint8_t>(1u << (node % 8));
        const auto wanted = general->matcher.decode(shot.data());
        const auto got = matcher.decode_certified(shot.data());
        ASSERT_EQ(got.result.weight, wanted.weight);
        ASSERT_TRUE(got.proves_optimality());
      }
    }
}

TEST(AnyRoundsLatticeMatcher, RefusesWhatIsNotItsOwn) {
  AnyRoundsLatticeMatcher<5, std::int16_t> matcher;
  const LatticeCapacity capacity = LatticeCapacity::uniform(5);
  const MemoryExperiment experiment{.distance = 5, .rounds = 4};
  const auto edges = *io::graph_edges(io::experiment_model(experiment, uniform_depolarizing(0.01)).value);
  std::vector<std::byte> memory(matcher.memory_bytes(4, capacity)), scratch(matcher.scratch_bytes(4, capacity, edges.edges.size()));
  EXPECT_EQ(matcher.set_up({.distance = 3, .rounds = 4}, edges.edges, memory, scratch), Status::bad_argument);
  EXPECT_EQ(matcher.set_up({.distance = 5, .rounds = 100000}, edges.edges, memory, scratch), Status::bad_argument);
  EXPECT_EQ(matcher.set_up(experiment, edges.edges, {}, scratch), Status::out_of_capacity);
  EXPECT_EQ(matcher.set_up(experiment, edges.edges, memory, {}), Status::out_of_capacity);
  EXPECT_EQ(matcher.set_up(experiment, edges.edges, memory, scratch, DetectorNumbering::stim), Status::unsupported);
  const std::uint8_t none[12] = {};
  EXPECT_EQ(matcher.decode(none).outcome, MatchOutcome::no_perfect_matching);
  EXPECT_EQ(matcher.set_up(experiment, edges.edges, memory, scratch), Status::ok);
  EXPECT_EQ(matcher.decode(none).outcome, MatchOutcome::matched);
}

}  // namespace
}  // namespace spinel
