// SPDX-License-Identifier: Apache-2.0
// The closed forms of the rotated surface code: most are checked by the compiler, for every distance and orientation.
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <utility>
#include <spinel/code/detectors.hpp>

namespace {

using namespace spinel;

/// Sites of weight-4 (2) and weight-2 (1) checks on the data grid of a d = 5 lattice, row by row.
template <Orientation orientation>
constexpr bool presence_is(Basis type, const char* expected) {
  constexpr auto code = make_lattice<5>({.distance = 5, .rounds = 2, .basis = Basis::X, .orientation = orientation});
  int map[25] = {};
  for (int k = 0; k < code.n_checks(); ++k) map[code.tensor_site(type, k)] = code.check(type, k).weight() / 2;
  for (int q = 0; q < 25; ++q)
    if (map[q] != expected[q] - '0') return false;
  return true;
}
// The presence maps printed in the specification of the network's input (1 -> '2', 0.5 -> '1').
static_assert(presence_is<Orientation::O1>(Basis::X, "2020112020202011202000000"));
static_assert(presence_is<Orientation::O1>(Basis::Z, "0121202020002020202000101"));
static_assert(presence_is<Orientation::O2>(Basis::X, "2121002020202000202010100"));
static_assert(presence_is<Orientation::O2>(Basis::Z, "1020202021102020202100000"));
static_assert(presence_is<Orientation::O3>(Basis::X, "1212020200020202020001010"));
static_assert(presence_is<Orientation::O3>(Basis::Z, "0202110202020211020200000"));
static_assert(presence_is<Orientation::O4>(Basis::X, "1202020201120202020100000"));
static_assert(presence_is<Orientation::O4>(Basis::Z, "0212100202020200020201010"));

template <int d>
void expect_valid_code(Orientation orientation) {
  const auto code = make_lattice<d>({.distance = d, .rounds = 2, .basis = Basis::X, .orientation = orientation});
  const int h = code.n_checks();
  std::set<std::pair<int, int>> places;
  for (const Basis type : {Basis::X, Basis::Z}) {
    std::set<int> sites;
    int boundary = 0;
    for (int k = 0; k < h; ++k) {
      const auto& check = code.check(type, k);
      ASSERT_TRUE(check.weight() == 4 || check.weight() == 2);
      boundary += check.weight() == 2;
      places.insert({check.row, check.column});
      sites.insert(code.tensor_site(type, k));
      if (k > 0) {
        const auto& before = code.check(type, k - 1);
        EXPECT_TRUE(type == Basis::X ? std::pair(before.row, before.column) < std::pair(check.row, check.column)
                                     : std::pair(before.column, before.row) < std::pair(check.column, check.row));
      }
      std::set<int> coupled;
      for (int layer = 0; layer < 4; ++layer)
        if (code.partner(type, k, layer) != no_qubit) coupled.insert(code.partner(type, k, layer));
      EXPECT_EQ(static_cast<int>(coupled.size()), check.weight());
      int overlap = 0;
      for (const auto q : check.corner) overlap += q != no_qubit && code.in_logical(opposite(type), q);
      EXPECT_EQ(overlap % 2, 0) << "a check must commute with the logical operator of the other type";
    }
    EXPECT_EQ(boundary, d - 1);
    EXPECT_EQ(static_cast<int>(sites.size()), h);
  }
  EXPECT_EQ(static_cast<int>(places.size()), 2 * h);
  for (int x = 0; x < h; ++x)
    for (int z = 0; z < h; ++z) {
      int overlap = 0;
      for (const auto a : code.x_checks[x].corner)
        for (const auto b : code.z_checks[z].corner) overlap += a != no_qubit && a == b;
      ASSERT_EQ(overlap % 2, 0) << "checks " << x << " and " << z << " must commute";
    }
  int overlap = 0;
  for (int q = 0; q < d * d; ++q) {
    overlap += code.in_logical(Basis::X, q) && code.in_logical(Basis::Z, q);
    for (int type = 0; type < 2; ++type) EXPECT_GE(code.checks_of_data[type][q][0], 0);
  }
  EXPECT_EQ(overlap, 1) << "the logical operators must anticommute";
  for (int layer = 0; layer < 4; ++layer) {
    std::set<int> used;
    int couplings = 0;
    for (const Basis type : {Basis::X, Basis::Z})
      for (int k = 0; k < h; ++k)
        if (const int data = code.partner(type, k, layer); data != no_qubit) {
          used.insert(data);
          ++couplings;
        }
    EXPECT_EQ(static_cast<int>(used.size()), couplings) << "a data qubit takes part in one CNOT a layer";
  }
}

TEST(Lattice, EveryDistanceAndOrientationIsACode) {
  for (const auto orientation : {Orientation::O1, Orientation::O2, Orientation::O3, Orientation::O4}) {
    expect_valid_code<3>(orientation);
    expect_valid_code<5>(orientation);
    expect_valid_code<7>(orientation);
    expect_valid_code<13>(orientation);
    expect_valid_code<21>(orientation);
    expect_valid_code<31>(orientation);
  }
}

// The hook errors of a check run across the logical operator that they could shorten.
TEST(Lattice, LastTwoCornersRunAcrossTheLogicalOperator) {
  for (const auto orientation : {Orientation::O1, Orientation::O2, Orientation::O3, Orientation::O4}) {
    const auto code = make_lattice<5>({.distance = 5, .rounds = 2, .basis = Basis::X, .orientation = orientation});
    for (const Basis type : {Basis::X, Basis::Z})
      for (int k = 0; k < code.n_checks(); ++k) {
        if (code.check(type, k).weight() != 4) continue;
        const bool hook_is_horizontal = code.partner(type, k, 2) / 5 == code.partner(type, k, 3) / 5;
        EXPECT_NE(hook_is_horizontal, code.logical_is_horizontal(type));
      }
  }
}

inline constexpr MemoryExperiment small{.distance = 3, .rounds = 4, .basis = Basis::Z, .orientation = Orientation::O3};
static_assert(lattice<small>.n_checks() == 4);
static_assert(small.n_detectors() == 32 && small.n_measurements() == 41);
static_assert(detector_index(small, Basis::X, 0, 0) == -1 && detector_index(small, Basis::Z, 3, 0) == 3);
static_assert(detector_index(small, Basis::X, 0, 1) == 4 && detector_index(small, Basis::Z, 0, 3) == 24);
static_assert(boundary_detector_index(small, 3) == 31);
static_assert(detection_events<small>({}).count() == 0);
static_assert(MemoryExperiment{.distance = 4}.validate() == Status::bad_argument);
static_assert(MemoryExperiment{.distance = 33}.validate() == Status::bad_argument);
static_assert(MemoryExperiment{.distance = 3, .rounds = 1}.validate() == Status::bad_argument);

TEST(Detectors, EachMeasurementFlipFiresItsTwoComparisons) {
  constexpr auto& code = lattice<small>;
  const int h = code.n_checks();
  for (int t = 0; t < small.rounds; ++t)
    for (const Basis type : {Basis::X, Basis::Z})
      for (int k = 0; k < h; ++k) {
        Measurements<small> measurements;
        measurements.set(static_cast<std::size_t>(measurement_index(small, type, k, t)));
        const auto events = detection_events<small>(measurements);
        Detectors<small> expected;
        if (const auto now = detector_index(small, type, k, t); now >= 0) expected.set(static_cast<std::size_t>(now));
        if (t + 1 < small.rounds) expected.set(static_cast<std::size_t>(detector_index(small, type, k, t + 1)));
        else if (type == small.basis) expected.set(static_cast<std::size_t>(boundary_detector_index(small, k)));
        EXPECT_EQ(events, expected);
      }
}

TEST(Detectors, ClosedFormAgreesWithSumOverRecords) {
  std::mt19937_64 random(3);
  for (int repeat = 0; repeat < 50; ++repeat) {
    Measurements<small> a, b;
    for (std::size_t k = 0; k < a.size(); ++k) {
      a.assign(k, random() & 1);
      b.assign(k, random() & 1);
    }
    auto sum = a;
    sum ^= b;
    auto events = detection_events<small>(a);
    events ^= detection_events<small>(b);
    EXPECT_EQ(detection_events<small>(sum), events) << "detection events are linear in the measurements";
    EXPECT_EQ(measured_observable<small>(sum), measured_observable<small>(a) != measured_observable<small>(b));
  }
}

}  // namespace
