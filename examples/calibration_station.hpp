// SPDX-License-Identifier: Apache-2.0
// The simulated device with the settings in force, the three experiments that keep them (0 Ramsey, 1 Rabi, 2 T1) and the engine's decision on
// each: what the campaign and the maintenance walk share.
#pragma once

#include <cmath>
#include <cstdint>
#include <examples/simulated_device.hpp>
#include <spinel/calib/engine.hpp>
#include <string_view>
#include <vector>

namespace spinel::example {

struct Station {
  static constexpr double frequency_tolerance = 5e4, amplitude_tolerance = 0.02;  ///< usable: a gate error of about 1e-3

  explicit Station(std::uint64_t seed) : device(seed), scratch(calib::workspace_doubles(128, 3)) {
    settings[0] = device.f01() + 1.2e5;
    settings[1] = device.pi_amplitude() * 1.08;
  }

  bool usable() const { return std::fabs(settings[0] - device.f01()) < frequency_tolerance && std::fabs(settings[1] / device.pi_amplitude() - 1) < amplitude_tolerance; }

  /// One experiment at the settings in force; `coarse` takes the fewest points that tell in tolerance from out of it.
  Trace sweep(int kind, Fault fault, int shots, bool coarse = false) {
    return kind == 0   ? device.ramsey(settings[0], settings[1], virtual_detuning, window, coarse ? 41 : points, shots, fault)
           : kind == 1 ? device.rabi(settings[0], 0.95, coarse ? 31 : 51, shots, fault)
                       : device.relaxation(settings[1], settings[0], 2e-4, coarse ? 21 : 41, shots, fault);
  }

  /// The engine's decision; `usual_contrast` as in `calib::Meta`.
  calib::Decision decide(int kind, const Trace& trace, double usual_contrast = calib::missing) {
    const char* const axes[] = {"delay_s", "amplitude", "delay_s"};
    const calib::Column columns[] = {{axes[kind], trace.x}, {"population", trace.y}, {"stderr", trace.error}};
    calib::Request request;
    request.family = kind == 0 ? calib::Family::ramsey_freq_cal : kind == 1 ? calib::Family::rabi : calib::Family::t1;
    request.columns = columns;
    if (kind == 0) request.meta.virtual_detuning_Hz = virtual_detuning;
    request.meta.qubit_frequency_Hz = settings[0];
    request.meta.usual_contrast = usual_contrast;
    return calib::RuleEngine{scratch}.decide(request);
  }

  /// Takes over a larger virtual detuning and its sweep, where the decision proposes them: the sign of the shift was open.
  bool follow(const calib::Decision& decision) {
    bool larger = false;
    for (const auto& action : decision.actions)
      larger = larger || (decision.code == calib::Code::SUCCESS && action.type == calib::ActionType::change && std::string_view{action.param} == "virtual_detuning_Hz");
    for (const auto& action : decision.actions) {
      if (larger && action.type == calib::ActionType::change) virtual_detuning = action.new_value;
      if (larger && action.type == calib::ActionType::rerun) window = action.sweep.stop, points = action.sweep.points;
    }
    return larger;
  }
  void usual_sweep() { virtual_detuning = 5e5, window = 1.2e-5, points = 61; }

  /// The value that the decision would set, or that it monitors; NaN: none.
  static double found(int kind, const calib::Decision& decision) {
    const auto* parameter = decision.find(kind == 0 ? "qubit_frequency_Hz" : kind == 1 ? "pi_amplitude" : "T1_s");
    return parameter != nullptr ? parameter->value : calib::missing;
  }
  double truth(int kind) const { return kind == 0 ? device.f01() : device.pi_amplitude(); }

  SimulatedTransmon device;
  std::vector<double> scratch;
  double settings[2]{};
  double virtual_detuning = 5e5, window = 1.2e-5;
  int points = 61;
};

}  // namespace spinel::example
