// SPDX-License-Identifier: Apache-2.0
// What comes out of the engine: the facts of the trace, the fitted parameters, the verdict and the proposed actions, all of
// fixed capacity. Families fill facts and parameters, the rule table fills the verdict, propose() the actions.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/calib/codes.hpp>
#include <spinel/calib/linear.hpp>
#include <spinel/calib/trace.hpp>
#include <spinel/core/fixed_vector.hpp>
#include <spinel/core/math.hpp>

namespace spinel::calib {

/// A fitted quantity in SI units; `name` and `unit` are static strings.
struct Parameter {
  const char* name = "";
  double value = 0.0, stderr_value = 0.0;
  const char* unit = "1";
};

/// A sweep to run next, in SI units.
struct Sweep {
  double start = 0.0, stop = 0.0;
  int points = 0;
  std::string_view unit = "1";
};

enum class ActionType : std::uint8_t { update, rerun, change, parent, abort };
constexpr std::string_view to_string(ActionType type) noexcept {
  constexpr std::string_view names[] = {"update", "rerun", "change", "parent", "abort"};
  return names[static_cast<std::size_t>(type)];
}

/// One proposed step. `update` and `change` use param and values, `rerun` the sweep, `parent` the family.
struct Action {
  ActionType type = ActionType::abort;
  const char* param = "";
  double old_value = missing, new_value = missing, stderr_value = missing;
  Sweep sweep{};
  double shots = missing;
  Family family = Family::unknown;
  const char* why = "";
};

/// Numbers the rules look at. NaN means: not measured by this family, and no rule fires on it.
struct Facts {
  double n = 0, n_missing = 0, n_distinct = 0, saturated = missing, axis_ratio = missing, span = missing, step = missing, noise = missing, peak_to_peak = missing;
  double snr = missing;             ///< fitted peak to peak over noise
  double dbic = missing;            ///< BIC(constant) - BIC(model): evidence that there is a signal
  double relative_stderr = missing, correlation = missing;
  double residual_fraction = missing;  ///< systematic residual (smoothed peak to peak) over signal
  double residual_z = missing;         ///< correlation of neighboring residuals, in standard errors
  double periods = missing, points_per_period = missing, envelope = missing;  ///< envelope: end over start
  double window_over_t = missing, points_per_t = missing;
  double dbic_second = missing;     ///< evidence for a second tone, line or decay
  double second_ratio = missing;    ///< height of the second over the first
  double dbic_other = missing;      ///< BIC(rival without the feature) - BIC(model)
  double nyquist_ratio = missing;   ///< virtual detuning over Nyquist frequency
  double center = missing;          ///< position of the feature in the sweep: 0 start, 1 end
  double width_over_step = missing, span_over_width = missing;
  double separation = missing;      ///< distance of two clouds over their width
  double ellipticity = missing, outside = missing;  ///< outside: share of shots away from both clouds and from the line between them
  double depth = missing;           ///< height of a line over the level it stands on
  double error = missing;           ///< error per gate (pingpong), deviation (AllXY), phase error
  double contrast = missing;
  double tunability = missing;      ///< ridge excursion over linewidth (maps)
  double resolved_fraction = missing;  ///< columns of a map with a resolved feature
  double jumps = missing, lag_one = missing, bimodality = missing;
  double position_one = missing, position_two = missing;
  double sign_known = missing;
  double inlier_fraction = missing;    ///< clear slices of a map that lie on the fitted curve
  double second_fraction = missing;    ///< clear slices with a second line
  double roughness = missing;          ///< how much a ridge jumps from slice to slice, in line widths
  double completeness = missing, level = missing, level_error = missing;  ///< of a step: part reached, floor over height
  double misfit = missing;             ///< residual of a smooth ridge over the scatter between neighboring slices
  double lines = missing;              ///< model-free count of spectral lines
  double window_periods = missing;     ///< periods within one window of a sweep taken in windows
  double detuning = missing, r_squared = missing, r_squared_other = missing, kurtosis = missing;
  double contrast_ratio = missing, width = missing, width_ratio = missing;  ///< over what this family's accepted decisions had
  double limit_ratio = missing;        ///< a coherence time over what others allow it, with three standard errors
  bool constant = false, calibrated = false, population = false, f02_half = false, inverted = false;
  const char* input_error = nullptr;
};

/// One element of a list-valued result, such as the positions of jumps; elements of one list share the name.
struct ListItem {
  const char* name = "";
  double value = 0.0;
  const char* unit = "1";
};

/// A finding in words, such as whether the line is a peak or a dip.
struct Feature {
  const char* name = "";
  const char* value = "";
};

/// One complete decision. Plain data; copies freely.
struct Decision {
  Family family = Family::unknown;
  Facts facts{};
  const char* model = "none";
  FixedVector<const char*, 6> constraints{};
  FixedVector<Parameter, 24> params{};
  FixedVector<ListItem, 32> lists{};
  FixedVector<Feature, 8> features{};
  double redchi = missing;
  int unknowns = 0;                       ///< of the fit: non-linear parameters, then linear ones
  double covariance[max_unknowns][max_unknowns]{};
  Code code = Code::BAD_INPUT;
  Outcome outcome = Outcome::apparatus;
  Reliability reliability = Reliability::no_fit;
  const char* reason = "";
  FixedVector<const char*, 12> rules_fired{};
  FixedVector<Action, 6> actions{};
  double confidence = 0.0;
  std::string_view x_unit = "1";
  double x_first = missing, x_last = missing;

  void add(const char* name, double value, double stderr_value, const char* unit) noexcept {
    params.push_back({name, value, stderr_value, unit});
  }
  void list(const char* name, double value, const char* unit) noexcept {
    if (lists.size() < 32) lists.push_back({name, value, unit});
  }
  /// Keeps the covariance of the fit that the parameters come from.
  template <class Fit>
  void keep(const Fit& fit) noexcept {
    unknowns = fit.unknowns;
    for (int a = 0; a < unknowns; ++a)
      for (int b = 0; b < unknowns; ++b) covariance[a][b] = fit.covariance[a][b];
  }
  const Parameter* find(std::string_view name) const noexcept {
    for (const auto& parameter : params)
      if (name == parameter.name) return &parameter;
    return nullptr;
  }
};

/// QCalEval's question 4 for a decision. Five families are judged by features rather than by a curve and always answer "no fit"; where a
/// curve was tried on a trace that shows nothing, or away from the middle of a DRAG sweep, the answer is "unreliable".
constexpr Reliability question_4(const Decision& decision) noexcept {
  switch (decision.family) {
    case Family::pinchoff: case Family::qubit_spectroscopy_power_frequency: case Family::ramsey_charge_tomography: case Family::res_spec: case Family::t1_fluctuations:
      return Reliability::no_fit;
    default: break;
  }
  if (decision.code == Code::BAD_INPUT) return Reliability::no_fit;
  if (decision.reliability == Reliability::no_fit || (decision.family == Family::drag && decision.code == Code::OPTIMAL_NOT_CENTERED)) return Reliability::unreliable;
  return decision.reliability;
}

/// QCalEval's question 5 where it asks for words: what can be said of a trace whether or not a curve fits.
constexpr void describe(Decision& decision) noexcept {
  const auto& facts = decision.facts;
  const auto say = [&](const char* name, const char* value) {
    if (decision.features.size() < 8) decision.features.push_back({name, value});
  };
  const auto yes = [](bool value) { return value ? "true" : "false"; };
  const bool seen = decision.code != Code::NO_SIGNAL && decision.code != Code::BAD_INPUT;
  switch (decision.family) {
    case Family::t1: case Family::t2_echo:
      say("decay_visible", yes(seen));
      break;
    case Family::drag:
      say("intersection_clear", yes(seen && facts.center >= 0 && facts.center <= 1));
      break;
    case Family::rabi: case Family::rabi_hw:
      say("amplitude_decay", decision.code == Code::DAMPED ? "decaying" : "stable");
      say("signal_quality", decision.code == Code::DAMPED ? "distorted" : !seen || decision.code == Code::FIT_POOR || facts.snr < 4 ? "noisy" : "clean");
      break;
    case Family::ramsey_charge_tomography:
      say("event_detected", yes(decision.code == Code::EVENT));
      break;
    case Family::qubit_spectroscopy_power_frequency:
      say("transitions_visible", !seen ? "none" : facts.second_fraction > 0.15 ? "f01_f02half" : "f01_only");
      say("power_regime", !seen ? "low" : decision.code == Code::AMP_TOO_HIGH ? "high" : "optimal");
      say("measurement_usable", yes(decision.code == Code::SUCCESS));
      break;
    default:
      break;
  }
}

}  // namespace spinel::calib
