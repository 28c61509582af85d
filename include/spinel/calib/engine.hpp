// SPDX-License-Identifier: Apache-2.0
// From a trace to a decision: the family's analysis, the rules, the proposed actions. No heap, no clock, no file: the caller hands
// in columns and scratch memory and gets plain data back.
#pragma once

#include <spinel/calib/atoms.hpp>
#include <spinel/calib/charge.hpp>
#include <spinel/calib/confidence.hpp>
#include <spinel/calib/decay.hpp>
#include <spinel/calib/flux.hpp>
#include <spinel/calib/gates.hpp>
#include <spinel/calib/line.hpp>
#include <spinel/calib/maps.hpp>
#include <spinel/calib/oscillation.hpp>
#include <spinel/calib/propose.hpp>
#include <spinel/calib/readout.hpp>
#include <spinel/calib/rule.hpp>
#include <spinel/calib/series.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>

namespace spinel::calib {

/// True when this engine has an analysis for the family.
constexpr bool is_supported(Family family) noexcept {
  return family != Family::unknown;
}

/// The most rows that a family's analysis looks at: bounds the time and the memory of a decision. Shots and maps have many rows, sweeps few.
constexpr std::size_t max_rows(Family family) noexcept {
  switch (family) {
    case Family::gmm: case Family::single_shot_readout: case Family::resonator_flux_map: case Family::qubit_flux_map:
    case Family::qubit_flux_spectroscopy: case Family::coupler_flux: case Family::qubit_spectroscopy_power_frequency:
    case Family::ramsey_charge_tomography:
      return std::size_t{1} << 18;
    default:
      return std::size_t{1} << 14;
  }
}

/// The engine: a rule set over scratch memory. One decision at a time; nothing is kept between decisions.
class RuleEngine {
 public:
  explicit RuleEngine(Span<double> scratch, const Thresholds& thresholds = {}) noexcept : scratch_(scratch), thresholds_(thresholds) {}

  const Thresholds& thresholds() const noexcept { return thresholds_; }

  /// Decides on one measurement. Total: bad input gives the verdict BAD_INPUT with its reason.
  /// (A template, as are the analyses: a translation unit that decides nothing does not instantiate their fits.)
  template <class Memory = Workspace>
  Decision decide(const Request& request) const noexcept {
    Decision decision;
    decision.family = request.family;
    Memory workspace{scratch_};
    if (!is_supported(request.family)) {
      decision.facts.input_error = "this family has no analysis in this version";
    } else if (request.columns.size() < 2) {
      decision.facts.input_error = "a sweep column and at least one signal column are needed";
    } else if (request.columns[0].values.size() > max_rows(request.family)) {
      decision.facts.input_error = "more rows than this family's analysis takes: 16384 for a sweep, 262144 for shots and maps";
    } else {
      for (const auto& column : request.columns)
        if (column.values.size() != request.columns[0].values.size()) decision.facts.input_error = "columns of unequal length";
      if (!axis_fits(request.family, unit_of(request.columns[0].name).name)) decision.facts.input_error = "the sweep column's unit is not the one of this family's sweep";
      if (decision.facts.input_error == nullptr) analyze(request, decision, workspace);
    }
    if (workspace.overflowed() && decision.facts.input_error == nullptr) decision.facts.input_error = "more points than the workspace holds";
    for (const auto& parameter : decision.params)
      if (!spinel::isfinite(parameter.value) && decision.facts.input_error == nullptr) decision.facts.relative_stderr = 1e9;
    decision.facts.contrast_ratio = decision.facts.contrast / request.meta.usual_contrast;
    decision.facts.width_ratio = decision.facts.width / request.meta.usual_width;
    judge(decision, thresholds_);
    describe(decision);
    decision.confidence = confidence(decision);
    propose(request, decision);
    return decision;
  }

 private:
  template <class Memory>
  static void analyze(const Request& request, Decision& decision, Memory& workspace) noexcept {
    switch (request.family) {
      case Family::t1: case Family::t2_echo: case Family::randomized_benchmarking:
        return analyze_decay(request, decision, workspace);
      case Family::cz_benchmarking:
        return analyze_cz_benchmarking(request, decision, workspace);
      case Family::pinchoff:
        return analyze_pinchoff(request, decision, workspace);
      case Family::ramsey_charge_tomography:
        return analyze_charge_tomography(request, decision, workspace);
      case Family::rydberg_spectroscopy:
        return analyze_rabi_line(request, decision, workspace);
      case Family::microwave_ramsey:
        return unit_of(request.columns[0].name).name == "Hz" ? analyze_fringes(request, decision, workspace) : analyze_ramsey(request, decision, workspace);
      case Family::rabi: case Family::rabi_hw:
        return analyze_rabi(request, decision, workspace);
      case Family::ramsey_freq_cal: case Family::ramsey_t2star: case Family::rydberg_ramsey: case Family::zz:
        return analyze_ramsey(request, decision, workspace);
      case Family::res_spec: case Family::qubit_spectroscopy:
        return analyze_spectrum(request, decision, workspace);
      case Family::dispersive_shift:
        return analyze_dispersive_shift(request, decision, workspace);
      case Family::gmm: case Family::single_shot_readout:
        return analyze_readout(request, decision, workspace);
      case Family::drag:
        return analyze_drag(request, decision, workspace);
      case Family::pingpong:
        return analyze_pingpong(request, decision, workspace);
      case Family::allxy:
        return analyze_allxy(request, decision, workspace);
      case Family::conditional_oscillation_cz:
        return analyze_conditional_oscillation(request, decision, workspace);
      case Family::time_of_flight:
        return analyze_time_of_flight(request, decision, workspace);
      case Family::resonator_flux_map: case Family::qubit_flux_map:
        return analyze_flux_map(request, decision, workspace);
      case Family::qubit_flux_spectroscopy:
        return analyze_flux_spectrum(request, decision, workspace);
      case Family::coupler_flux:
        return analyze_coupler_flux(request, decision, workspace);
      case Family::qubit_spectroscopy_power_frequency:
        return analyze_power_map(request, decision, workspace);
      case Family::t1_fluctuations:
        return analyze_series(request, decision, workspace);
      default:
        return;
    }
  }

  Span<double> scratch_;
  Thresholds thresholds_;
};

}  // namespace spinel::calib
