// SPDX-License-Identifier: Apache-2.0
// The engine on data made here from stated truth: parameters within a few standard errors, verdicts of known defects, bad input, and
// the count of heap allocations on the decide path.
#include <examples/cli/heap_count.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <span>
#include <spinel/calib/engine.hpp>
#include <spinel/calib/preflight.hpp>
#include <vector>

namespace {

using namespace spinel::calib;
using Series = std::vector<double>;

std::vector<double>& scratch() {
  static std::vector<double> memory(workspace_doubles(5000, 8));
  return memory;
}

Decision decide(Family family, std::vector<Column> columns, const Meta& meta = {}) {
  Request request;
  request.family = family;
  request.columns = columns;
  request.meta = meta;
  const RuleEngine engine{scratch()};
  return engine.decide(request);
}

Series sweep(double start, double stop, int n) {
  Series x;
  for (int k = 0; k < n; ++k) x.push_back(start + (stop - start) * k / (n - 1));
  return x;
}

template <class Model>
Series noisy(const Series& x, double sigma, unsigned seed, Model model) {
  std::mt19937_64 generator{seed};
  std::normal_distribution<double> noise{0.0, sigma};
  Series y;
  for (const double value : x) y.push_back(model(value) + noise(generator));
  return y;
}

void expect_near_truth(const Decision& decision, const char* name, double truth, double sigmas = 4.5) {
  const auto* parameter = decision.find(name);
  ASSERT_NE(parameter, nullptr) << name;
  EXPECT_NEAR(parameter->value, truth, sigmas * parameter->stderr_value) << name;
  EXPECT_LT(parameter->stderr_value, 0.2 * std::fabs(truth) + 1e-12) << name;
}

TEST(Engine, DecayTimesWithinTheirErrorsInAnyUnitOfTheSignal) {
  for (unsigned seed = 0; seed < 20; ++seed)
    for (const double scale : {1.0, 1e-3, 1e6}) {
      const auto x = sweep(0, 100, 51);
      const auto y = noisy(x, 0.02 * scale, seed, [&](double t) { return scale * (0.9 * std::exp(-t / 22.0) + 0.05); });
      const auto decision = decide(Family::t1, {{"delay_us", x}, {"signal", y}});
      EXPECT_EQ(decision.code, Code::SUCCESS) << to_string(decision.code);
      expect_near_truth(decision, "T1_s", 22e-6);
    }
}

TEST(Engine, RamseyFrequencyDecayAndQubitFrequency) {
  Meta meta;
  meta.virtual_detuning_Hz = 5e5;
  meta.qubit_frequency_Hz = 5e9;
  for (unsigned seed = 0; seed < 20; ++seed) {
    const auto x = sweep(0, 2e-5, 101);
    const auto y = noisy(x, 0.02, seed, [](double t) { return 0.5 + 0.45 * std::exp(-t / 12e-6) * std::cos(two_pi * 4.3e5 * t); });
    const auto decision = decide(Family::ramsey_freq_cal, {{"delay_s", x}, {"population", y}}, meta);
    EXPECT_EQ(decision.code, Code::SUCCESS) << to_string(decision.code);
    expect_near_truth(decision, "frequency_Hz", 4.3e5);
    expect_near_truth(decision, "T2_star_s", 12e-6);
    EXPECT_NEAR(decision.find("qubit_frequency_Hz")->value, 5e9 + 7e4, 5e3);
  }
}

TEST(Engine, AliasedRamseyIsRefusedAndUnfolded) {
  // True fringe 14.94 MHz at 15 MHz virtual detuning, sampled every 50 ns: shows up at 5.06 MHz.
  Meta meta;
  meta.virtual_detuning_Hz = 15e6;
  const auto x = sweep(0, 2e-6, 41);
  const auto y = noisy(x, 0.01, 3, [](double t) { return 0.5 + 0.4 * std::exp(-t / 2e-6) * std::cos(two_pi * 14.94e6 * t); });
  const auto decision = decide(Family::ramsey_freq_cal, {{"delay_s", x}, {"population", y}}, meta);
  EXPECT_EQ(decision.code, Code::SAMPLING_TOO_COARSE);
  EXPECT_NE(decision.reliability, Reliability::reliable);
  EXPECT_NEAR(decision.find("delta_phys_Hz")->value, 6e4, 1e4);
  ASSERT_FALSE(decision.actions.empty());
  EXPECT_EQ(decision.actions[0].type, ActionType::rerun);
}

TEST(Engine, TwoTonesAreBeating) {
  const auto x = sweep(0, 4e-5, 161);
  const auto y = noisy(x, 0.02, 4, [](double t) { return 0.5 + std::exp(-t / 3e-5) * (0.25 * std::cos(two_pi * 2.86e5 * t) + 0.2 * std::cos(two_pi * 2.35e5 * t)); });
  const auto decision = decide(Family::ramsey_freq_cal, {{"delay_s", x}, {"population", y}});
  EXPECT_EQ(decision.code, Code::BEATING) << to_string(decision.code);
  EXPECT_NEAR(decision.find("frequency1_Hz")->value, 2.86e5, 4e3);
  EXPECT_NEAR(decision.find("frequency2_Hz")->value, 2.35e5, 4e3);
}

TEST(Engine, RabiVerdicts) {
  const auto cosine = [](double f) { return [f](double x) { return 0.5 - 0.45 * std::cos(two_pi * f * x); }; };
  const auto x = sweep(0, 1, 61);
  const auto good = decide(Family::rabi, {{"amplitude", x}, {"population", noisy(x, 0.02, 1, cosine(2.3))}});
  EXPECT_EQ(good.code, Code::SUCCESS) << to_string(good.code);
  EXPECT_NEAR(good.find("pi_amplitude")->value, 0.5 / 2.3, 0.004);
  EXPECT_EQ(decide(Family::rabi, {{"amplitude", x}, {"population", noisy(x, 0.02, 1, cosine(0.4))}}).code, Code::RANGE_TOO_NARROW);
  EXPECT_EQ(decide(Family::rabi, {{"amplitude", x}, {"population", noisy(x, 0.02, 1, cosine(22.0))}}).code, Code::UNDERSAMPLED);
  EXPECT_EQ(decide(Family::rabi, {{"amplitude", x}, {"population", noisy(x, 0.02, 1, [](double a) { return 0.5 - 0.45 * std::exp(-3 * a) * std::cos(two_pi * 5 * a); })}}).code, Code::DAMPED);
}

TEST(Engine, NoiseIsNoSignal) {
  int refused = 0;
  for (unsigned seed = 0; seed < 100; ++seed) {
    const auto x = sweep(0, 1, 51);
    const auto y = noisy(x, 0.1, 1000 + seed, [](double) { return 0.5; });
    const Family families[] = {Family::rabi, Family::t1, Family::ramsey_freq_cal, Family::qubit_spectroscopy};
    const char* names[] = {"amplitude", "delay_us", "delay_us", "frequency_GHz"};
    for (int k = 0; k < 4; ++k) refused += decide(families[k], {{names[k], x}, {"signal", y}}).code == Code::NO_SIGNAL ? 1 : 0;
  }
  EXPECT_GE(refused, 388) << "of 400 traces of noise";
}

TEST(Engine, StrongerLineAtF02HalfDoesNotPassForF01) {
  const auto x = sweep(5.9e9, 6.2e9, 301);
  const auto line = [](double f, double f0, double half) { return 1 / (1 + (f - f0) * (f - f0) / (half * half)); };
  const auto y = noisy(x, 0.02, 5, [&](double f) { return 0.2 + 1.0 * line(f, 5.998e9, 2e6) + 0.6 * line(f, 6.111e9, 2e6); });
  const auto decision = decide(Family::qubit_spectroscopy, {{"frequency_Hz", x}, {"signal", y}});
  EXPECT_EQ(decision.code, Code::SUCCESS) << to_string(decision.code);
  EXPECT_NEAR(decision.find("frequency_Hz")->value, 6.111e9, 5e5);
  EXPECT_NEAR(decision.find("f02_half_Hz")->value, 5.998e9, 5e5);
}

TEST(Engine, BadInputIsAVerdict) {
  const double nan = std::nan("");
  const Series one{1.0}, same(20, 0.3), nans(20, nan), up = sweep(0, 1, 20);
  EXPECT_EQ(decide(Family::t1, {{"delay_s", one}, {"signal", one}}).code, Code::BAD_INPUT);
  EXPECT_EQ(decide(Family::t1, {{"delay_s", up}, {"signal", nans}}).code, Code::BAD_INPUT);
  EXPECT_EQ(decide(Family::t1, {{"delay_s", same}, {"signal", up}}).code, Code::BAD_INPUT);
  EXPECT_EQ(decide(Family::t1, {{"delay_s", up}, {"signal", same}}).code, Code::NO_SIGNAL);
  EXPECT_EQ(decide(Family::t1, {{"frequency_Hz", up}, {"signal", up}}).code, Code::BAD_INPUT);
  EXPECT_EQ(decide(Family::t1, {{"delay_s", up}}).code, Code::BAD_INPUT);
  EXPECT_EQ(decide(Family::t1, {{"delay_s", up}, {"signal", one}}).code, Code::BAD_INPUT);
  const Series many(20000, 0.5);
  EXPECT_EQ(decide(Family::t1, {{"delay_s", many}, {"signal", many}}).code, Code::BAD_INPUT);
  const auto decision = decide(Family::gmm, {{"I", up}, {"Q", up}});
  EXPECT_EQ(decision.code, Code::BAD_INPUT);
  for (std::size_t family = 0; family < n_families; ++family)
    for (const auto* y : {&same, &nans, &up, &one}) {
      const auto any = decide(static_cast<Family>(family), {{"delay_s", up}, {"signal", *y}});
      for (const auto& action : any.actions) EXPECT_FALSE(action.type == ActionType::update && any.reliability != Reliability::reliable);
    }
}

TEST(Engine, ReversedSweepGivesTheSameAnswer) {
  auto x = sweep(0, 100, 51);
  auto y = noisy(x, 0.02, 8, [](double t) { return std::exp(-t / 20); });
  const auto forward = decide(Family::t1, {{"delay_us", x}, {"signal", y}});
  std::reverse(x.begin(), x.end());
  std::reverse(y.begin(), y.end());
  const auto backward = decide(Family::t1, {{"delay_us", x}, {"signal", y}});
  EXPECT_DOUBLE_EQ(forward.find("T1_s")->value, backward.find("T1_s")->value);
}

TEST(Engine, DecidePathDoesNotAllocate) {
  // Every family, once with columns of its kind and once with columns it refuses.
  const auto x = sweep(0, 2e-5, 101);
  const auto y = noisy(x, 0.02, 1, [](double t) { return 0.5 + 0.45 * std::exp(-t / 12e-6) * std::cos(two_pi * 4.3e5 * t); });
  Series state, i, q, bias, frequency, height;
  std::mt19937_64 generator{1};
  std::normal_distribution<double> noise{0.0, 0.1};
  for (int k = 0; k < 1200; ++k) {
    state.push_back(k % 2);
    i.push_back(k % 2 + noise(generator));
    q.push_back(noise(generator));
    bias.push_back((k / 40) * 0.05);
    frequency.push_back(5e9 + 1e6 * (k % 40));
    height.push_back(std::exp(-std::pow((k % 40 - 30.0 + 0.02 * std::pow(k / 40 - 15, 2)) / 3.0, 2)) + 0.3 * noise(generator));
  }
  const Column sweep_columns[] = {{"delay_s", x}, {"population", y}}, bare[] = {{"x", x}, {"population", y}}, line[] = {{"frequency_Hz", x}, {"I", y}, {"Q", x}};
  const Column shots[] = {{"prepared_state", state}, {"I", i}, {"Q", q}}, map[] = {{"bias_V", bias}, {"frequency_Hz", frequency}, {"signal", height}};
  const std::span<const Column> kinds[] = {sweep_columns, bare, line, shots, map};
  const RuleEngine engine{scratch()};
  int decided = 0;
  for (std::size_t family = 0; family < n_families; ++family)
    for (const auto columns : kinds) {
      Request request;
      request.family = static_cast<Family>(family);
      request.columns = columns;
      const long before = spinel::heap_allocations();
      const auto decision = engine.decide(request);
      EXPECT_EQ(spinel::heap_allocations() - before, 0) << to_string(request.family) << " " << to_string(decision.code);
      decided += decision.code != Code::BAD_INPUT ? 1 : 0;
    }
  EXPECT_GT(decided, 60);
}

TEST(Preflight, NyquistWindowAndPower) {
  Request request;
  request.family = Family::ramsey_freq_cal;
  request.meta.virtual_detuning_Hz = 15e6;
  const auto code = [&](Plan plan, PlanLimits limits = {}) {
    // What a refusal proposes passes: the plan is not sent round in circles.
    const auto out = preflight(request, plan, limits);
    for (const auto& action : out.decision.actions) {
      const auto& sweep = action.sweep;
      EXPECT_EQ(preflight(request, {sweep.start, sweep.stop, sweep.points, sweep.unit, plan.power_dBm}, limits).decision.code, Code::SUCCESS) << to_string(out.decision.code);
    }
    return out.decision.code;
  };
  EXPECT_EQ(code({0, 2e-6, 41, "s"}), Code::SAMPLING_TOO_COARSE);
  request.meta.virtual_detuning_Hz = 2e6;
  EXPECT_EQ(code({0, 2e-6, 41, "s"}), Code::SUCCESS);
  PlanLimits limits;
  limits.max_power_dBm = -20;
  EXPECT_EQ(code({0, 2e-6, 41, "s", -10}, limits), Code::AMP_TOO_HIGH);
  EXPECT_EQ(code({0, 2e-6, 41, "s", -20}, limits), Code::SUCCESS);
  EXPECT_EQ(code({0, 6e-7, 41, "s"}), Code::TOO_FEW_OSC);
  EXPECT_EQ(code({0, 2e-6, 41, "Hz"}), Code::BAD_INPUT);
  EXPECT_EQ(code({2e-6, 0, 41, "s"}), Code::BAD_INPUT);
  EXPECT_EQ(code({0, 2e-6, 4, "s"}), Code::BAD_INPUT);
  EXPECT_EQ(code({0, missing, 41, "s"}), Code::BAD_INPUT);
  limits.time_s = 3e-5;
  request.family = Family::ramsey_t2star;
  request.meta.virtual_detuning_Hz = 5e5;
  EXPECT_EQ(code({0, 2e-5, 41, "s"}, limits), Code::WINDOW_TOO_SHORT);
  EXPECT_EQ(code({0, 7e-5, 141, "s"}, limits), Code::SUCCESS);
  request.family = Family::t1;
  EXPECT_EQ(code({0, 2e-5, 41, "s"}, limits), Code::WINDOW_TOO_SHORT);
  EXPECT_EQ(code({0, 1e-3, 41, "s"}, limits), Code::SAMPLING_TOO_COARSE);
  EXPECT_EQ(code({0, 1.5e-4, 41, "s"}, limits), Code::SUCCESS);
  request.family = Family::rabi;
  limits.pi_amplitude = 0.3;
  limits.max_amplitude = 0.8;
  EXPECT_EQ(code({0, 0.9, 51}, limits), Code::AMP_TOO_HIGH);
  limits.max_amplitude = 2;
  EXPECT_EQ(code({0, 0.3, 51}, limits), Code::RANGE_TOO_NARROW);
  EXPECT_EQ(code({0, 1.9, 11}, limits), Code::UNDERSAMPLED);
  request.family = Family::qubit_spectroscopy;
  limits.width_Hz = 1e6;
  EXPECT_EQ(code({5e9, 5.1e9, 51, "Hz"}, limits), Code::SAMPLING_TOO_COARSE);
  EXPECT_EQ(code({5e9, 5.002e9, 51, "Hz"}, limits), Code::RANGE_TOO_NARROW);
  EXPECT_EQ(code({5e9, 5.1e9, 201, "Hz"}, limits), Code::SUCCESS);
  request.family = Family::qubit_spectroscopy_power_frequency;
  EXPECT_EQ(code({-60, 0, 31, "dBm"}, limits), Code::AMP_TOO_HIGH);
  EXPECT_EQ(code({-60, -20, 31, "dBm"}, limits), Code::SUCCESS);
}

}  // namespace
