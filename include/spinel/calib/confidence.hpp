// SPDX-License-Identifier: Apache-2.0
// The probability that a decision is right: a logistic function of its facts. The coefficients come from simulated traces under noise from
// half of the usual to eight times as much (bench/calibrate_confidence.py --fit); bench/results/calibrate_confidence.md has the curve.
#pragma once

#include <spinel/calib/decision.hpp>
#include <spinel/core/algorithm.hpp>
#include <spinel/core/math.hpp>

namespace spinel::calib {

namespace detail {
/// log10 of a positive fact within [low, high]; `absent` when the family does not measure it.
inline double decade(double value, double low, double high, double absent) noexcept {
  return spinel::isfinite(value) ? spinel::clamp(0.434294481903251828 * spinel::log(spinel::max(value, 1e-9)), low, high) : absent;
}
}  // namespace detail

/// In [0, 1]; 0 for input that could not be read.
inline double confidence(const Decision& decision) noexcept {
  if (decision.code == Code::BAD_INPUT) return 0.0;
  const auto& facts = decision.facts;
  const double usable = decision.reliability == Reliability::reliable ? 1.0 : 0.0;
  const double snr = detail::decade(facts.snr, 0, 2, 1), dbic = detail::decade(facts.dbic, 0, 3, 2);
  const double precision = -detail::decade(facts.relative_stderr, -3, 0, -1.5);
  const double residual = spinel::isfinite(facts.residual_fraction) ? spinel::clamp(facts.residual_fraction, 0.0, 1.0) : 0.1;
  const double second = spinel::isfinite(facts.dbic_second) ? spinel::clamp(facts.dbic_second / 20, 0.0, 1.0) : 0.0;
  const double rules = spinel::min(static_cast<double>(decision.rules_fired.size()) - 1, 3.0);
  const double score = 0.719 - 2.256 * usable + (2.330 - 1.724 * usable) * snr + (-0.732 + 1.599 * usable) * dbic + (0.334 + 0.803 * usable) * precision -
                       (0.540 + 0.282 * usable) * residual + 1.064 * second * usable + 0.670 * rules;
  return 1.0 / (1.0 + spinel::exp(-score));
}

}  // namespace spinel::calib
