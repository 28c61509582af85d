// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <spinel/noise/error_slice.hpp>
#include <vector>

namespace {

using namespace spinel;

constexpr bool close(double a, double b) { return a - b < 1e-15 && b - a < 1e-15; }
static_assert(close(uniform_depolarizing(0.003).p_prep_X, 0.002) && close(uniform_depolarizing(0.003).p_idle_cnot[1], 0.001));
static_assert(close(uniform_depolarizing(0.003).p_idle_spam[2], 0.001996) && close(uniform_depolarizing(0.003).p_cnot[14], 0.0002));
static_assert(close(si1000(0.003).p_meas_Z, 0.015) && close(si1000(0.003).p_prep_X, 0.006));
static_assert(uniform_depolarizing(0.5).validate() == Status::ok);
static_assert(uniform_depolarizing(0.003)[24] == uniform_depolarizing(0.003).p_cnot[14]);
static_assert([] {
  auto noise = uniform_depolarizing(0.01);
  noise.p_cnot[3] = 0.9;
  noise.p_cnot[4] = 0.2;
  return noise.validate() == Status::bad_argument;
}());

TEST(NoiseParameters, RejectsNaNAndNegative) {
  auto noise = uniform_depolarizing(0.01);
  noise.p_meas_X = std::nan("");
  EXPECT_EQ(noise.validate(), Status::not_finite);
  noise.p_meas_X = -1e-9;
  EXPECT_EQ(noise.validate(), Status::bad_argument);
}

TEST(IndependentFlips, HaveTheDistributionOfTheChannel) {
  std::uint64_t state = 7;
  const auto uniform = [&] {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state >> 11) * 0x1p-53;
  };
  for (int trial = 0; trial < 200; ++trial) {
    double disjoint[16] = {}, independent[16], total = 0;
    for (int s = 1; s < 16; ++s) total += disjoint[s] = 1e-4 + 2e-3 * uniform();
    ASSERT_TRUE(independent_flips<4>(disjoint, independent));
    double joint[16] = {1};
    for (int s = 1; s < 16; ++s) {
      double next[16];
      for (int k = 0; k < 16; ++k) next[k] = (1 - independent[s]) * joint[k] + independent[s] * joint[k ^ s];
      for (int k = 0; k < 16; ++k) joint[k] = next[k];
    }
    ASSERT_NEAR(joint[0], 1 - total, 1e-13);
    for (int s = 1; s < 16; ++s) ASSERT_NEAR(joint[s], disjoint[s], 1e-13) << s;
  }
  double too_much[16] = {}, independent[16];
  too_much[3] = 0.6;
  EXPECT_FALSE(independent_flips<4>(too_much, independent));
  double one[16] = {};
  one[5] = 0.01;
  ASSERT_TRUE(independent_flips<4>(one, independent));
  EXPECT_NEAR(independent[5], 0.01, 1e-15);
  for (int s = 1; s < 16; ++s) EXPECT_TRUE(s == 5 || independent[s] < 1e-15) << s;
}

std::vector<SliceMechanism> slice_of(const MemoryExperiment& experiment, const CircuitNoise& noise, std::int64_t t) {
  constexpr int max_distance = MemoryExperiment::max_distance;
  const auto lattice = make_lattice<max_distance>(experiment);
  std::vector<SliceMechanism> table(ErrorSlice<max_distance>::table_size(experiment.distance));
  const auto slice = ErrorSlice<max_distance>::build(lattice, experiment, noise, t, table);
  EXPECT_EQ(slice.status, Status::ok);
  return {slice->begin(), slice->end()};
}

TEST(ErrorSlice, TheBulkRepeatsInTime) {
  const MemoryExperiment experiment{.distance = 5, .rounds = 9, .basis = Basis::Z, .orientation = Orientation::O2};
  const auto bulk = slice_of(experiment, uniform_depolarizing(0.004), 2);
  for (const std::int64_t t : {3, 5, 7}) {
    const auto other = slice_of(experiment, uniform_depolarizing(0.004), t);
    ASSERT_EQ(other.size(), bulk.size());
    for (std::size_t k = 0; k < bulk.size(); ++k) {
      EXPECT_TRUE(other[k].parts == bulk[k].parts);
      EXPECT_EQ(other[k].probability, bulk[k].probability);
    }
  }
}

TEST(ErrorSlice, EveryDistanceFitsItsTableAndIsGraphlike) {
  for (int d = 3; d <= 31; d += 4)
    for (const std::int64_t t : {0, 1, 2, 4}) {
      const auto slice = slice_of({.distance = d, .rounds = 5, .basis = Basis::X}, si1000(0.001), t);
      EXPECT_GT(slice.size(), 0u);
      for (const auto& mechanism : slice) {
        int in_part = 0;
        for (int k = 0; k <= mechanism.parts.count; ++k) {
          if (k == mechanism.parts.count || mechanism.parts.codes[k] == separator_code) {
            EXPECT_TRUE(in_part == 1 || in_part == 2);
            in_part = 0;
          } else if (mechanism.parts.codes[k] != observable_code) {
            ++in_part;
          }
        }
      }
    }
}

TEST(ErrorSlice, RefusesASmallTable) {
  const MemoryExperiment experiment{.distance = 5, .rounds = 5};
  const auto lattice = make_lattice<31>(experiment);
  std::vector<SliceMechanism> table(64);
  EXPECT_EQ(ErrorSlice<31>::build(lattice, experiment, uniform_depolarizing(0.01), 2, table).status,
            Status::out_of_capacity);
}

// A disjoint channel is rebuilt from its independent errors.
TEST(IndependentPaulis, ComposeToTheDisjointChannel) {
  const double disjoint[3] = {0.01, 0.02, 0.03};
  double p[3];
  ASSERT_TRUE(independent_paulis(disjoint, p));
  // Net X: X alone, or Y and Z together; likewise for the others.
  for (int k = 0; k < 3; ++k) {
    const double a = p[k], b = p[(k + 1) % 3], c = p[(k + 2) % 3];
    EXPECT_NEAR(a * (1 - b) * (1 - c) + (1 - a) * b * c, disjoint[k], 1e-15);
  }
  const double impossible[3] = {0.01, 0.02, 0};
  EXPECT_FALSE(independent_paulis(impossible, p));
}

}  // namespace
