// SPDX-License-Identifier: Apache-2.0
// A campaign of Ramsey, Rabi and T1 experiments on the simulated device under one policy. The score is kept from the device's truth, never
// from what the policy believes. Harmful: a write after which the true error is larger than before and beyond tolerance.
#pragma once

#include <algorithm>
#include <cmath>
#include <string_view>
#include <examples/calibration_station.hpp>
#include <spinel/calib/guardrail.hpp>
#include <string>
#include <vector>

namespace spinel::example {

enum class Policy : std::uint8_t { engine, never, accept_all, chi_squared, oracle };
inline constexpr const char* policy_names[] = {"engine and guardrails", "never recalibrate", "accept every fit", "reduced chi-squared < 3", "oracle"};

struct Score {
  long decisions = 0, faults = 0, writes = 0, harmful = 0, sound = 0, false_rejects = 0, rollbacks = 0, interventions = 0;
  double time_s = 0, usable_s = 0, start_to_usable_s = -1, experiments = 0;
};

class Campaign : Station {
 public:
  static constexpr double frequency_harm = 1e5, amplitude_harm = 0.05;

  Campaign(Policy policy, std::uint64_t seed, double fault_rate) : Station(seed), policy_(policy), fault_rate_(fault_rate) {
    limits_[0] = {"f01_Hz", 4.99e9, 5.01e9, 2e6, calib::missing, 12, 1e7, 5e3};
    limits_[1] = {"pi_amplitude", 0.2, 0.6, calib::missing, 0.25, 12, 0.5, 1e-3};
  }

  /// Runs until `decisions` have been made; every ten simulated minutes one round of the three experiments.
  Score run(long decisions) {
    const double start = device.now_s();
    while (score_.decisions < decisions) {
      round();
      const double rest = std::max(1.0, 600 - std::fmod(device.now_s() - start, 600.0));
      const double before = device.now_s();
      for (double passed = 0; passed < rest; passed += 100) device.wait(std::min(100.0, rest - passed)), account(std::min(100.0, rest - passed));
      (void)before;
      if (score_.start_to_usable_s < 0 && usable()) score_.start_to_usable_s = device.now_s() - start;
    }
    score_.time_s = device.now_s() - start;
    return score_;
  }

 private:
  void account(double seconds) { score_.usable_s += usable() ? seconds : 0.0; }

  Trace sweep(int kind, Fault fault, int shots) {
    score_.experiments += 1;
    const double before = device.now_s();
    Trace trace = Station::sweep(kind, fault, shots);
    account(device.now_s() - before);
    return trace;
  }
  static double harm(int kind, double truth) { return kind == 0 ? frequency_harm : amplitude_harm * truth; }

  void round() {
    if (policy_ == Policy::oracle) settings[0] = device.f01(), settings[1] = device.pi_amplitude();
    for (int kind = 0; kind < 3; ++kind) {
      if (policy_ == Policy::never || policy_ == Policy::oracle) {
        ++score_.decisions;
        continue;
      }
      Fault fault = Fault::none;
      if (device.uniform() < fault_rate_) fault = static_cast<Fault>(1 + static_cast<int>(5 * device.uniform()));
      auto decision = decide(kind, sweep(kind, fault, 1000));
      ++score_.decisions;
      if (policy_ == Policy::engine && kind == 0 && follow(decision)) {
        decision = decide(kind, sweep(kind, fault, 1000));
        ++score_.decisions;
        usual_sweep();
      }
      score_.faults += fault != Fault::none ? 1 : 0;
      if (kind == 2) {
        // Monitored only: nothing is written, but a sound trace should be read.
        if (fault == Fault::none) {
          ++score_.sound;
          score_.false_rejects += decision.code != calib::Code::SUCCESS ? 1 : 0;
        }
        continue;
      }
      const double before = settings[kind], next = found(kind, decision);
      bool written = false;
      if (policy_ == Policy::engine) written = guarded(kind, decision);
      else if (std::isfinite(next) && (policy_ == Policy::accept_all || decision.redchi < 3)) settings[kind] = next, written = true;
      const double real = truth(kind), error = std::fabs(settings[kind] - real);
      if (written) {
        ++score_.writes;
        if (error > harm(kind, real) && error > std::fabs(before - real)) ++score_.harmful;
      }
      if (fault == Fault::none) {
        ++score_.sound;
        score_.false_rejects += written ? 0 : 1;
      }
    }
  }

  bool guarded(int kind, const calib::Decision& decision) {
    const calib::Action* update = nullptr;
    for (const auto& action : decision.actions)
      if (action.type == calib::ActionType::update) update = &action;
    calib::Action none;
    none.type = calib::ActionType::update;
    const auto& action = update != nullptr ? *update : none;
    calib::GuardContext context;
    context.now_s = device.now_s();
    context.data_time_s = context.now_s - 10;
    context.last_decision_s = last_;
    context.first_decision = !std::isfinite(last_);
    last_ = context.now_s;
    while (!failures_.empty() && context.now_s - failures_.front() > 3600) failures_.erase(failures_.begin());
    context.rollbacks_last_hour = static_cast<double>(failures_.size());
    context.dry_run = context.kill_switch = context.limits_loosened = false;
    auto& history = history_[kind];
    // The operator approves the first values, and a new level after three holds in a row.
    context.approved = true;
    if (history.size() < 8) ++score_.interventions;
    std::vector<double> memory(history.size() + 1);
    const auto report = calib::allow(action, settings[kind], decision, &limits_[kind], history, context, memory);
    if (report.decision != calib::GuardDecision::allowed) {
      const bool anomaly = std::string_view{report.checks.back().name} == "anomaly_z";
      holds_[kind] = anomaly ? holds_[kind] + 1 : 0;
      if (holds_[kind] >= 3) {
        ++score_.interventions;
        history.clear();
        holds_[kind] = 0;
      }
      return false;
    }
    holds_[kind] = 0;
    const double old = settings[kind], next = action.new_value;
    const auto outcome = calib::write_and_verify(
        old, next,
        [&](double value) noexcept {
          settings[kind] = value;
          return true;
        },
        [&]() noexcept {
          // Check data with a third of the shots: what is left to correct must be less than what was corrected, within the errors.
          const auto check = decide(kind, sweep(kind, Fault::none, 300));
          const auto* value = check.find(kind == 0 ? "qubit_frequency_Hz" : "pi_amplitude");
          if (value == nullptr || check.code != calib::Code::SUCCESS) return false;
          const double room = kind == 0 ? 2e4 : 0.01 * old;
          return std::fabs(value->value - next) <= std::fabs(next - old) + 4 * value->stderr_value + room;
        });
    if (outcome != calib::WriteOutcome::applied) {
      ++score_.rollbacks;
      failures_.push_back(device.now_s());
      return false;
    }
    history.push_back({limits_[kind].param, next, context.now_s});
    if (history.size() > 128) history.erase(history.begin(), history.begin() + 64);
    return true;
  }

  Policy policy_;
  double fault_rate_;
  double last_ = calib::missing;
  int holds_[2]{};
  calib::Limit limits_[2]{};
  std::vector<calib::HistoryEntry> history_[2];
  std::vector<double> failures_;
  Score score_{};
};

}  // namespace spinel::example
