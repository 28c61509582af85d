// SPDX-License-Identifier: Apache-2.0
// The simulated device against physics it was not written from, a short campaign with faults, and the dependency graph of calibrations
// against a recursive reference on random graphs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <examples/calibration_campaign.hpp>
#include <examples/calibration_maintenance.hpp>
#include <functional>
#include <random>
#include <spinel/calib/maintain.hpp>
#include <string>

namespace {

using namespace spinel::calib;
using namespace spinel::example;

TEST(SimulatedDevice, ObeysWhatIsKnownOfATransmon) {
  SimulatedTransmon device{3};
  const double f = device.f01(), a = device.pi_amplitude();
  // A pi pulse excites, up to state preparation (1 %), readout (2 to 96 %) and a little leakage.
  const auto rabi = device.rabi(f, 2 * a, 41, 200000, Fault::none);
  EXPECT_NEAR(rabi.y[20], 0.02 + 0.94 * 0.99, 0.01);
  EXPECT_NEAR(rabi.y[0], 0.02 + 0.94 * 0.01, 0.002);
  EXPECT_NEAR(rabi.y[40], 0.03, 0.03);
  // Energy decays with T1 to the ground state, whatever the frame.
  const double t1 = device.t1();
  const auto decay = device.relaxation(device.pi_amplitude(), device.f01(), 2 * t1, 3, 200000, Fault::none);
  EXPECT_NEAR((decay.y[1] - 0.02) / (decay.y[0] - 0.02), std::exp(-1.0), 0.02);
  EXPECT_NEAR((decay.y[2] - 0.02) / (decay.y[0] - 0.02), std::exp(-2.0), 0.02);
  // A drive far off resonance turns little: population (rabi/detuning)^2 of a two-level system, here with detuning 100 MHz.
  const auto off = device.rabi(device.f01() - 1e8, device.pi_amplitude(), 31, 20000, Fault::none);
  for (const double y : off.y) EXPECT_LT(y, 0.02 + 0.94 * (0.01 + std::pow(12.5 / 100, 2)) + 0.02);
  // Faults show.
  const auto dead = device.rabi(device.f01(), 1.0, 21, 20000, Fault::dead_line);
  for (const double y : dead.y) EXPECT_NEAR(y, 0.03, 0.01);
}

TEST(SimulatedDevice, FrequencyAndT1DriftAndComeBack) {
  SimulatedTransmon device{5};
  double sum = 0, square = 0;
  for (int k = 0; k < 3000; ++k) {
    device.wait(3600);
    sum += std::log(device.t1() / 40e-6) / 3000;
    square += std::pow(std::log(device.t1() / 40e-6), 2) / 3000;
  }
  EXPECT_NEAR(sum, 0, 0.03);
  EXPECT_NEAR(std::sqrt(square), 0.18, 0.02);
}

TEST(Campaign, EngineWritesNothingHarmfulAndRejectsLittle) {
  const auto engine = Campaign{Policy::engine, 7, 0.1}.run(1200);
  EXPECT_EQ(engine.harmful, 0);
  EXPECT_GT(engine.faults, 60);
  EXPECT_GT(engine.writes, 600);
  EXPECT_LT(static_cast<double>(engine.false_rejects), 0.05 * static_cast<double>(engine.sound));
  EXPECT_GT(engine.usable_s, 0.95 * engine.time_s);
  // The score can fail: the same faults without rules and guardrails do harm, and a device left alone is not usable.
  const auto all = Campaign{Policy::accept_all, 7, 0.1}.run(300);
  EXPECT_GT(all.harmful, 3);
  const auto never = Campaign{Policy::never, 7, 0.1}.run(300);
  EXPECT_LT(never.usable_s, 0.5 * never.time_s);
}

// == Maintain and diagnose ==

/// What the world looks like to the walk: each node is fine, drifted, or shows bad data because a parent is not fine.
struct World {
  std::vector<CalibrationNode> nodes;
  std::vector<bool> drifted;
  std::vector<std::string> log;
  int fails_at = -1;

  bool fine(std::size_t k) const {
    if (drifted[k]) return false;
    for (const auto parent : nodes[k].parents)
      if (!fine(parent)) return false;
    return true;
  }
  CheckResult check_data(std::size_t k) {
    log.push_back("check " + std::to_string(k));
    for (const auto parent : nodes[k].parents)
      if (!fine(parent)) return CheckResult::bad_data;
    return drifted[k] ? CheckResult::out_of_spec : CheckResult::in_spec;
  }
  bool calibrate(std::size_t k) {
    log.push_back("calibrate " + std::to_string(k));
    if (static_cast<int>(k) == fails_at) return false;
    drifted[k] = false;
    return true;
  }
};

/// The published algorithm as it is written, with recursion, for a check of every node (risk 0, cheap checks).
struct Reference {
  World& world;
  std::vector<bool> visited, settled;
  bool maintain(std::size_t k) {
    if (visited[k]) return true;
    visited[k] = true;
    std::vector<std::size_t> parents(world.nodes[k].parents.items, world.nodes[k].parents.items + world.nodes[k].parents.size());
    for (const auto parent : parents)
      if (!maintain(parent)) return false;
    const auto result = world.check_data(k);
    if (result == CheckResult::in_spec) return true;
    if (result == CheckResult::bad_data) {
      settled.assign(world.nodes.size(), false);
      for (const auto parent : parents)
        if (!diagnose(parent)) return false;
    }
    return world.calibrate(k);
  }
  bool diagnose(std::size_t k) {
    if (settled[k]) return true;
    settled[k] = true;
    const auto result = world.check_data(k);
    if (result == CheckResult::in_spec) return true;
    if (result == CheckResult::bad_data)
      for (const auto parent : world.nodes[k].parents)
        if (!diagnose(parent)) return false;
    return world.calibrate(k);
  }
};

World random_world(std::mt19937_64& generator) {
  World world;
  const std::size_t n = 2 + generator() % 8;
  for (std::size_t k = 0; k < n; ++k) {
    CalibrationNode node;
    for (std::size_t parent = 0; parent < k && node.parents.size() < 3; ++parent)
      if (generator() % 3 == 0) node.parents.push_back(static_cast<std::uint8_t>(parent));
    node.horizon_s = 1e5;
    node.calibrated_at_s = node.checked_at_s = 0;
    node.check_cost_s = 1;
    world.nodes.push_back(node);
    world.drifted.push_back(generator() % 3 == 0);
  }
  return world;
}

TEST(CalibrationGraph, WalksAsTheRecursiveAlgorithmAndEndsInOrder) {
  std::mt19937_64 generator{9};
  for (int trial = 0; trial < 500; ++trial) {
    World world = random_world(generator), other = world;
    const std::size_t target = world.nodes.size() - 1;
    CalibrationGraph<16, World> graph{world.nodes, world, 0.0};
    ASSERT_TRUE(graph.maintain(target, 100));
    EXPECT_TRUE(world.fine(target));
    Reference reference{other, std::vector<bool>(other.nodes.size()), {}};
    ASSERT_TRUE(reference.maintain(target));
    // The same experiments; the reference goes depth first, so the order of unrelated nodes may differ.
    std::sort(world.log.begin(), world.log.end());
    std::sort(other.log.begin(), other.log.end());
    EXPECT_EQ(world.log, other.log) << "trial " << trial;
  }
}

TEST(CalibrationGraph, BadDataSendTheSearchToTheParents) {
  // 0 <- 1 <- 2. Only 0 drifted, though it is thought fresh: the check of 2 shows bad data, and so does that of 1.
  World world;
  world.nodes.resize(3);
  for (std::size_t k = 0; k < 3; ++k) {
    world.nodes[k].horizon_s = 1000;
    world.nodes[k].calibrated_at_s = world.nodes[k].checked_at_s = k == 2 ? 0 : 590;
    if (k > 0) world.nodes[k].parents.push_back(static_cast<std::uint8_t>(k - 1));
  }
  world.nodes[2].calibrated_at_s = 591;
  world.nodes[2].horizon_s = 20;
  world.nodes[2].check_cost_s = 1;
  world.drifted = {true, false, false};
  CalibrationGraph<8, World> graph{world.nodes, world, 0.2};
  ASSERT_TRUE(graph.maintain(2, 600));
  const std::vector<std::string> expected{"check 2", "check 1", "check 0", "calibrate 0", "calibrate 1", "calibrate 2"};
  EXPECT_EQ(world.log, expected);
}

TEST(CalibrationGraph, ChoosesTheCheapestSufficientStep) {
  CalibrationNode node;
  node.horizon_s = 3600;
  node.check_cost_s = 10;
  node.calibrate_cost_s = 60;
  node.calibrated_at_s = 0;
  EXPECT_EQ(cheapest_step(node, 60, 0.2), Step::nothing);
  EXPECT_EQ(cheapest_step(node, 1800, 0.2), Step::check_data);
  // p > 1 - 10/60: the check would cost more than it saves.
  EXPECT_EQ(cheapest_step(node, 3 * 3600, 0.2), Step::calibrate);
  EXPECT_EQ(cheapest_step(CalibrationNode{}, 0, 0.2), Step::calibrate);
  node.check_cost_s = 70;
  EXPECT_EQ(cheapest_step(node, 1800, 0.2), Step::calibrate);
}

TEST(CalibrationGraph, RefusesDisorderAndStopsAtAFailure) {
  World world;
  world.nodes.resize(2);
  world.drifted = {true, true};
  world.nodes[0].parents.push_back(1);
  CalibrationGraph<4, World> looped{world.nodes, world};
  EXPECT_FALSE(looped.maintain(1, 0));
  EXPECT_TRUE(world.log.empty());
  world.nodes[0].parents.clear();
  world.nodes[1].parents.push_back(0);
  world.fails_at = 0;
  EXPECT_FALSE((CalibrationGraph<4, World>{world.nodes, world}.maintain(1, 0)));
  EXPECT_EQ(world.log, std::vector<std::string>{"calibrate 0"});
  EXPECT_FALSE((CalibrationGraph<1, World>{world.nodes, world}.maintain(1, 0)));
}

TEST(CalibrationGraph, KeepsTheSimulatedDeviceAtTheLeastCost) {
  using Log = std::vector<std::string>;
  Maintenance station{11};
  // Nothing is known: everything is calibrated, parents first, and ends in tolerance.
  ASSERT_TRUE(station.maintain());
  EXPECT_EQ(station.log, (Log{"calibrate ramsey", "calibrate rabi", "calibrate t1"}));
  EXPECT_TRUE(station.usable());
  // At once again: nothing is run.
  station.log.clear();
  ASSERT_TRUE(station.maintain());
  EXPECT_TRUE(station.log.empty());
  // Half an hour later only the frequency is at risk: one short check, or a check and its calibration with the children's checks.
  const double cost = station.busy_s;
  station.device.wait(1800);
  ASSERT_TRUE(station.maintain());
  ASSERT_FALSE(station.log.empty());
  EXPECT_EQ(station.log[0], "check ramsey");
  if (station.log.size() == 1) { EXPECT_LT(station.busy_s - cost, cost / 2); }
  EXPECT_TRUE(station.usable());
  // The pulse is lost while its node is thought fresh: the check of T1 finds bad data, the walk goes to the parent and calibrates it first.
  station.log.clear();
  station.settings[1] *= 0.35;
  const double now = station.device.now_s();
  for (auto& node : station.nodes) node.calibrated_at_s = node.checked_at_s = now;
  station.nodes[2].checked_at_s = station.nodes[2].calibrated_at_s = now - 1e-3;
  station.nodes[2].horizon_s = 2e-3;
  for (std::size_t k = 0; k < 2; ++k) station.nodes[k].calibrated_at_s = now - 1;
  ASSERT_TRUE(station.maintain());
  EXPECT_EQ(station.log, (Log{"check t1", "check rabi", "calibrate rabi", "calibrate t1"}));
  EXPECT_TRUE(station.usable());
  // A jump on either side, beyond what the virtual detuning tells the sign of: found by one sweep more.
  for (const double jump : {-3e5, 3e5}) {
    station.settings[0] += jump;
    ASSERT_TRUE(station.calibrate(0));
    EXPECT_TRUE(station.usable()) << jump;
  }
}

TEST(CalibrationGraph, ReadsVerdicts) {
  EXPECT_EQ(check_result(Code::SUCCESS, true), CheckResult::in_spec);
  EXPECT_EQ(check_result(Code::SUCCESS, false), CheckResult::out_of_spec);
  EXPECT_EQ(check_result(Code::TOO_FEW_OSC, true), CheckResult::out_of_spec);
  for (const Code code : {Code::NO_SIGNAL, Code::BEATING, Code::FIT_POOR, Code::NO_EXCITATION, Code::BAD_INPUT}) EXPECT_EQ(check_result(code, true), CheckResult::bad_data);
}

}  // namespace
