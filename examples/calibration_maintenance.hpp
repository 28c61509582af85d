// SPDX-License-Identifier: Apache-2.0
// The maintenance walk (calib/maintain.hpp) on the simulated device: Ramsey <- Rabi <- T1. A check is a short sweep read by the engine against
// the setting in force; bad data, such as a contrast below half of the usual, send the walk to the parents.
#pragma once

#include <examples/calibration_station.hpp>
#include <spinel/calib/maintain.hpp>
#include <string>
#include <vector>

namespace spinel::example {

class Maintenance : public Station {
 public:
  static constexpr const char* names[] = {"ramsey", "rabi", "t1"};

  explicit Maintenance(std::uint64_t seed) : Station(seed), nodes(3) {
    using enum calib::Family;
    const calib::Family families[] = {ramsey_freq_cal, rabi, t1};
    // Horizons: the device's frequency wanders by its tolerance in about an hour, its gain by two per cent in several.
    const double horizons[] = {3600, 6 * 3600.0, 12 * 3600.0};
    for (std::size_t k = 0; k < 3; ++k) {
      nodes[k].family = families[k];
      nodes[k].horizon_s = horizons[k];
      nodes[k].check_cost_s = 2;
      nodes[k].calibrate_cost_s = 9;
      if (k > 0) nodes[k].parents.push_back(static_cast<std::uint8_t>(k - 1));
    }
  }

  /// Brings T1 and all that it rests on in order. The log says what was run.
  bool maintain(double risk = 0.2) { return calib::CalibrationGraph<3, Maintenance>{nodes, *this, risk}.maintain(2, device.now_s()); }

  // == What the walk asks for ==
  calib::CheckResult check_data(std::size_t k) {
    log.push_back(std::string{"check "} + names[k]);
    const int kind = static_cast<int>(k);
    const auto decision = run(kind, 300, true);
    return calib::check_result(decision.code, inside(kind, decision));
  }
  bool calibrate(std::size_t k) {
    log.push_back(std::string{"calibrate "} + names[k]);
    const int kind = static_cast<int>(k);
    // Once more after an update, so that the value rests on a sweep near its place.
    for (int attempt = 0; attempt < 3; ++attempt) {
      const auto decision = run(kind, 1000, false);
      const bool open = kind == 0 && follow(decision);
      if (!open) usual_sweep();
      if (open || decision.code != calib::Code::SUCCESS || !std::isfinite(found(kind, decision))) continue;
      if (kind < 2) settings[kind] = found(kind, decision);
      if (kind == 2) t1 = found(kind, decision);
      usual_contrast[k] = decision.facts.contrast;
      return true;
    }
    return false;
  }

  std::vector<calib::CalibrationNode> nodes;
  std::vector<std::string> log;
  double usual_contrast[3] = {calib::missing, calib::missing, calib::missing};
  double t1 = calib::missing, busy_s = 0;

 private:
  calib::Decision run(int kind, int shots, bool coarse) {
    const double before = device.now_s();
    const auto trace = sweep(kind, Fault::none, shots, coarse);
    busy_s += device.now_s() - before;
    return decide(kind, trace, coarse ? usual_contrast[kind] : calib::missing);
  }
  bool inside(int kind, const calib::Decision& decision) const {
    const double value = found(kind, decision);
    if (kind == 0) return std::fabs(value - settings[0]) < 0.6 * frequency_tolerance;
    if (kind == 1) return std::fabs(value / settings[1] - 1) < 0.6 * amplitude_tolerance;
    return std::fabs(value / t1 - 1) < 0.5;
  }
};

}  // namespace spinel::example
