// SPDX-License-Identifier: Apache-2.0
// Guardrails: each check alone turns an otherwise allowed update away, missing inputs fail closed, and a random campaign never lets a
// value outside its bounds or steps through.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <iterator>
#include <random>
#include <spinel/calib/guardrail.hpp>
#include <vector>

namespace {

using namespace spinel::calib;

struct Case {
  Action action{};
  double old_value = 5.0e9;
  Decision decision{};
  Limit limit{};
  std::vector<HistoryEntry> history;
  GuardContext context{};
  bool has_limit = true;

  Case() {
    action.type = ActionType::update;
    action.param = "f01_Hz";
    action.new_value = 5.0e9 + 2e5;
    action.stderr_value = 1e3;
    decision.code = Code::SUCCESS;
    decision.reliability = Reliability::reliable;
    decision.confidence = 0.95;
    limit.param = "f01_Hz";
    limit.low = 4.9e9;
    limit.high = 5.1e9;
    limit.max_step = 2e6;
    limit.per_hour = 6;
    limit.cumulative_day = 1e7;
    limit.resolution = 1e4;
    context.now_s = 100000;
    context.data_time_s = 99950;
    context.dry_run = context.kill_switch = context.limits_loosened = false;
    context.last_decision_s = 99000;
    context.rollbacks_last_hour = 0;
    for (int k = 0; k < 11; ++k) history.push_back({"f01_Hz", 5.0e9 + 1e5 * ((k % 3) - 1), 7200.0 * k});
  }
  GuardReport run() const {
    std::vector<double> scratch(history.size() + 1);
    return allow(action, old_value, decision, has_limit ? &limit : nullptr, history, context, scratch);
  }
};

TEST(Guardrail, AllowsAnOrdinaryUpdateAndIsAdviceByDefault) {
  Case good;
  EXPECT_EQ(good.run().decision, GuardDecision::allowed);
  good.context.dry_run = GuardContext{}.dry_run;
  EXPECT_EQ(good.run().decision, GuardDecision::advice);
}

TEST(Guardrail, EveryCheckAloneTurnsAnUpdateAway) {
  const double nan = std::nan("");
  const auto last = [](const Case& c) { return std::string{c.run().checks.back().name}; };
  const auto expect = [&](const char* check, GuardDecision decision, auto&& spoil) {
    Case c;
    spoil(c);
    EXPECT_EQ(last(c), check);
    EXPECT_EQ(c.run().decision, decision) << check;
  };
  using enum GuardDecision;
  expect("kill_switch", rejected, [](Case& c) { c.context.kill_switch = true; });
  expect("schema", rejected, [](Case& c) { c.has_limit = false; });
  expect("finite", rejected, [&](Case& c) { c.action.new_value = nan; });
  expect("finite", rejected, [&](Case& c) { c.old_value = nan; });
  expect("verdict", rejected, [](Case& c) { c.decision.code = Code::FIT_POOR; });
  expect("verdict", rejected, [](Case& c) { c.decision.reliability = Reliability::unreliable; });
  expect("confidence", held, [](Case& c) { c.decision.confidence = 0.5; });
  expect("confidence", held, [&](Case& c) { c.decision.confidence = nan; });
  expect("clock", rejected, [](Case& c) { c.context.last_decision_s = c.context.now_s + 1; });
  expect("clock", rejected, [&](Case& c) { c.context.now_s = nan; });
  expect("clock", rejected, [&](Case& c) { c.context.last_decision_s = nan; });
  expect("clock", rejected, [&](Case& c) { c.context.first_decision = true; });
  expect("data_age_s", held, [&](Case& c) { c.context.data_time_s = nan; });
  expect("data_age_s", held, [&](Case& c) { c.context.data_time_s = c.context.now_s + 2; });
  expect("data_age_s", held, [](Case& c) { c.context.data_time_s = c.context.now_s - 301; });
  expect("old_value", rejected, [](Case& c) { c.old_value += 5e4; });
  expect("two_person_limits", rejected, [](Case& c) { c.context.limits_loosened = true, c.context.limits_approvals = 1; });
  expect("schema", rejected, [](Case& c) { c.limit.param = "beta"; });
  expect("rollbacks", held, [&](Case& c) { c.context.rollbacks_last_hour = nan; });
  expect("history", rejected, [](Case& c) { c.history.push_back({"beta", 0.1, 5.0}); });
  expect("history", rejected, [&](Case& c) { c.history[2].value = nan; });
  expect("history", rejected, [](Case& c) { c.history.back().time_s = c.context.now_s + 1; });
  expect("bound_low", rejected, [](Case& c) { c.limit.low = 5.05e9; });
  expect("bound_low", rejected, [&](Case& c) { c.limit.low = nan; });
  expect("bound_high", rejected, [](Case& c) { c.limit.high = 5.0001e9; });
  expect("step", rejected, [](Case& c) { c.limit.max_step = 1e5; });
  expect("step", rejected, [&](Case& c) { c.limit.max_step = nan; });
  expect("history", rejected, [](Case& c) { c.history.back().time_s = 0; });
  expect("rate_hour", held, [](Case& c) { for (auto& entry : c.history) entry.time_s = c.context.now_s - 1000; });
  expect("rate_day", held, [](Case& c) { c.limit.cumulative_day = 3e5; });
  expect("rollbacks", held, [](Case& c) { c.context.rollbacks_last_hour = 3; });
  expect("anomaly_z", held, [](Case& c) { c.action.new_value = 5.0e9 + 1.9e6; });
  const auto young = [](Case& c) { c.history.resize(3), c.old_value = c.history.back().value; };
  expect("cold_start_approval", held, young);
  Case approved;
  young(approved);
  approved.context.approved = true;
  EXPECT_EQ(approved.run().decision, GuardDecision::allowed);
  Case two_people;
  two_people.context.limits_loosened = true;
  two_people.context.limits_approvals = 2;
  EXPECT_EQ(two_people.run().decision, GuardDecision::allowed);
}

TEST(Guardrail, ChecksRunInTheirOrderAndTheDefaultsLetNothingThrough) {
  // Everything is wrong; mending one thing after the other walks through the order.
  Case c;
  const Case good;
  c.context = GuardContext{};
  c.context.first_decision = true;
  c.has_limit = false;
  c.decision = Decision{};
  c.action.new_value = std::nan("");
  c.limit.low = 5.2e9;
  c.limit.high = 4.8e9;
  c.limit.max_step = 1;
  c.limit.per_hour = 0;
  c.limit.cumulative_day = 0;
  c.history.resize(3);
  c.history[1].value = std::nan("");
  const std::function<void()> mend[] = {
      [&] { c.context.kill_switch = false; }, [&] { c.has_limit = true; }, [&] { c.decision.code = Code::SUCCESS, c.decision.reliability = Reliability::reliable; },
      [&] { c.decision.confidence = 0.95; }, [&] { c.action.new_value = 5.0e9 + 5e5; }, [&] { c.context.now_s = good.context.now_s; },
      [&] { c.context.data_time_s = good.context.data_time_s; }, [&] { c.history[1].value = 5.0e9; }, [&] { c.old_value = c.history.back().value; },
      [&] { c.context.limits_loosened = false; }, [&] { c.limit.low = good.limit.low; }, [&] { c.limit.high = good.limit.high; }, [&] { c.limit.max_step = 2e6; },
      [&] { c.limit.per_hour = 6; }, [&] { c.limit.cumulative_day = 1e7; },
      [&] { c.context.rollbacks_last_hour = 0, c.context.cold_start = 3, c.context.anomaly_z = 0.1; }, [&] { c.context.anomaly_z = 5, c.context.cold_start = 8; },
      [&] { c.context.approved = true; }};
  ASSERT_EQ(std::size(mend), std::size(guard_order));
  for (std::size_t k = 0; k < std::size(guard_order); ++k) {
    const auto report = c.run();
    EXPECT_EQ(guard_order[k], report.checks.back().name);
    EXPECT_FALSE(report.checks.back().pass);
    EXPECT_GE(report.decision, GuardDecision::held);
    mend[k]();
  }
  EXPECT_EQ(c.run().decision, GuardDecision::advice);
  c.context.dry_run = false;
  EXPECT_EQ(c.run().decision, GuardDecision::allowed);
}

TEST(Guardrail, RandomCampaignNeverLeavesBoundsOrSteps) {
  std::mt19937_64 generator{1};
  std::normal_distribution<double> jump{0.0, 3e6};
  Case c;
  int allowed = 0;
  for (int k = 0; k < 20000; ++k) {
    c.action.new_value = c.old_value + jump(generator);
    c.context.last_decision_s = c.context.now_s;
    c.context.now_s += 700;
    c.context.data_time_s = c.context.now_s - 1;
    if (c.run().decision != GuardDecision::allowed) continue;
    ++allowed;
    ASSERT_LE(std::fabs(c.action.new_value - c.old_value), c.limit.max_step);
    ASSERT_GE(c.action.new_value, c.limit.low);
    ASSERT_LE(c.action.new_value, c.limit.high);
    c.old_value = c.action.new_value;
    c.history.push_back({"f01_Hz", c.old_value, c.context.now_s});
    if (c.history.size() > 200) c.history.erase(c.history.begin(), c.history.begin() + 100);
  }
  EXPECT_GT(allowed, 50);
}

TEST(Guardrail, FailedVerificationRollsBack) {
  double setting = 1.0;
  const auto write = [&](double value) noexcept { setting = value; return true; };
  EXPECT_EQ(write_and_verify(1.0, 2.0, write, []() noexcept { return false; }), WriteOutcome::rolled_back);
  EXPECT_EQ(setting, 1.0);
  const auto broken = [&](double value) noexcept { return value > 1.5; };
  EXPECT_EQ(write_and_verify(1.0, 2.0, broken, []() noexcept { return false; }), WriteOutcome::failed);
  EXPECT_EQ(write_and_verify(1.0, 2.0, write, []() noexcept { return true; }), WriteOutcome::applied);
  EXPECT_EQ(setting, 2.0);
}

}  // namespace
