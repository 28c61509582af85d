// SPDX-License-Identifier: Apache-2.0
// What comes out of the engine: the facts of the trace, the fitted parameters, the verdict and the proposed actions, all of
// fixed capacity. Families fill facts and parameters, the rule table fills the verdict, propose() the actions.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/calib/codes.hpp>
#include <spinel/calib/trace.hpp>
#include <spinel/core/fixed_vector.hpp>

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
  double n = 0, n_missing = 0, n_distinct = 0, span = missing, step = missing, noise = missing, peak_to_peak = missing;
  double snr = missing;             ///< fitted peak to peak over noise
  double dbic = missing;            ///< BIC(constant) - BIC(model): evidence that there is a signal
  double relative_stderr = missing, correlation = missing;
  double residual_fraction = missing;  ///< systematic residual (smoothed peak to peak) over signal
  double periods = missing, points_per_period = missing, envelope = missing;  ///< envelope: end over start
  double window_over_t = missing, points_per_t = missing;
  double dbic_second = missing;     ///< evidence for a second tone, line or decay
  double second_ratio = missing;    ///< height of the second over the first
  double dbic_other = missing;      ///< BIC(rival without the feature) - BIC(model)
  double nyquist_ratio = missing;   ///< virtual detuning over Nyquist frequency
  double center = missing;          ///< position of the feature in the sweep: 0 start, 1 end
  double width_over_step = missing, span_over_width = missing;
  double separation = missing;      ///< distance of two clouds over their width
  double ellipticity = missing;
  double error = missing;           ///< error per gate (pingpong), deviation (AllXY), phase error
  double contrast = missing;
  double tunability = missing;      ///< ridge excursion over linewidth (maps)
  double resolved_fraction = missing;  ///< columns of a map with a resolved feature
  double jumps = missing, lag_one = missing, bimodality = missing;
  double position_one = missing, position_two = missing;
  double sign_known = missing;
  bool constant = false, calibrated = false, f02_half = false, inverted = false;
  const char* input_error = nullptr;
};

/// One complete decision. Plain data; copies freely.
struct Decision {
  Family family = Family::unknown;
  Facts facts{};
  const char* model = "none";
  FixedVector<const char*, 6> constraints{};
  FixedVector<Parameter, 24> params{};
  double redchi = missing;
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
  const Parameter* find(std::string_view name) const noexcept {
    for (const auto& parameter : params)
      if (name == parameter.name) return &parameter;
    return nullptr;
  }
};

}  // namespace spinel::calib
