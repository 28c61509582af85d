// SPDX-License-Identifier: Apache-2.0
// Single-shot readout: linear discriminant of prepared 0 and 1 in the IQ plane (pooled covariance, priors from the shot counts), best
// threshold, and two-Gaussian mixtures along the discriminant by a fixed number of expectation-maximization steps.
// Source: Fisher (1936); Dempster, Laird and Rubin (1977).
#pragma once

#include <spinel/calib/facts.hpp>
#include <spinel/core/algorithm.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>

namespace spinel::calib {

namespace detail {
/// Two Gaussians with shared ends: weight of the second, means, widths.
struct Mixture {
  double weight = 0.5, mean[2]{}, width[2]{};
};

inline double gaussian(double x, double mean, double width) noexcept {
  const double u = (x - mean) / width;
  return spinel::exp(-0.5 * u * u) / width;
}
inline double normal_cdf(double u) noexcept { return 0.5 * spinel::erfc(-u / spinel::sqrt2); }

/// EM on pooled data with both components shared and one weight a prepared state: weights[s] is the share of component 1.
inline Mixture fit_mixture(Span<const double> y, Span<const double> state, Mixture mix, double (&weights)[2]) noexcept {
  const double floor = 1e-6 * (spinel::fabs(mix.mean[1] - mix.mean[0]) + 1e-300);
  for (int pass = 0; pass < 60; ++pass) {
    double total[2]{}, sum[2]{}, square[2]{}, in_state[2]{}, one_in_state[2]{};
    for (std::size_t k = 0; k < y.size(); ++k) {
      const int s = state[k] > 0.5 ? 1 : 0;
      const double p1 = weights[s] * gaussian(y[k], mix.mean[1], mix.width[1]);
      const double p0 = (1 - weights[s]) * gaussian(y[k], mix.mean[0], mix.width[0]);
      const double r = p0 + p1 > 0 ? p1 / (p0 + p1) : 0.5;
      for (int c = 0; c < 2; ++c) {
        const double w = c == 1 ? r : 1 - r;
        total[c] += w;
        sum[c] += w * y[k];
        square[c] += w * (y[k] - mix.mean[c]) * (y[k] - mix.mean[c]);
      }
      in_state[s] += 1;
      one_in_state[s] += r;
    }
    for (int c = 0; c < 2; ++c) {
      if (total[c] < 2) continue;
      mix.width[c] = spinel::max(floor, spinel::sqrt(square[c] / total[c]));
      mix.mean[c] = sum[c] / total[c];
    }
    for (int s = 0; s < 2; ++s)
      if (in_state[s] > 0) weights[s] = spinel::clamp(one_in_state[s] / in_state[s], 1e-4, 1 - 1e-4);
  }
  return mix;
}
}  // namespace detail

/// Readout of two or three prepared states; columns prepared_state and I, Q or one signal.
template <class Memory>
void analyze_readout(const Request& request, Decision& decision, Memory& workspace) noexcept {
  auto& facts = decision.facts;
  const int state_column = find_column(request.columns, "prepared_state");
  if (state_column < 0) {
    facts.input_error = "single-shot readout needs a column prepared_state";
    return;
  }
  const auto states = request.columns[static_cast<std::size_t>(state_column)].values;
  const int i_column = find_column(request.columns, "I"), q_column = find_column(request.columns, "Q");
  int plain = -1;
  for (std::size_t k = 0; k < request.columns.size() && plain < 0; ++k)
    if (static_cast<int>(k) != state_column) plain = static_cast<int>(k);
  if (plain < 0) {
    facts.input_error = "single-shot readout needs I and Q or one signal column";
    return;
  }
  const bool two_d = i_column >= 0 && q_column >= 0;
  const auto& re_column = request.columns[static_cast<std::size_t>(two_d ? i_column : plain)];
  const double factor = unit_of(re_column.name).factor;
  const std::size_t rows = states.size();
  auto re = workspace.take(rows), im = workspace.take(rows), state = workspace.take(rows), y = workspace.take(rows);
  auto order = workspace.take(rows);
  if (workspace.overflowed()) {
    facts.input_error = "more shots than the workspace holds";
    return;
  }
  std::size_t n = 0;
  for (std::size_t k = 0; k < rows; ++k) {
    const double a = re_column.values[k] * factor;
    const double b = two_d ? request.columns[static_cast<std::size_t>(q_column)].values[k] * factor : 0.0;
    if (!spinel::isfinite(a) || !spinel::isfinite(b) || !spinel::isfinite(states[k])) continue;
    re[n] = a;
    im[n] = b;
    state[n++] = states[k];
  }
  facts.n = static_cast<double>(n);
  facts.n_missing = static_cast<double>(rows - n);
  double count[3]{}, mean[3][2]{}, cov[3][3]{};
  for (std::size_t k = 0; k < n; ++k) {
    const int s = state[k] > 1.5 ? 2 : state[k] > 0.5 ? 1 : 0;
    count[s] += 1;
    mean[s][0] += re[k];
    mean[s][1] += im[k];
  }
  if (count[0] < 8 || count[1] < 8) {
    facts.input_error = "single-shot readout needs at least 8 shots of each prepared state";
    return;
  }
  for (int s = 0; s < 3; ++s)
    for (double& part : mean[s]) part /= spinel::max(1.0, count[s]);
  for (std::size_t k = 0; k < n; ++k) {
    const int s = state[k] > 1.5 ? 2 : state[k] > 0.5 ? 1 : 0;
    const double a = re[k] - mean[s][0], b = im[k] - mean[s][1];
    cov[s][0] += a * a / count[s];
    cov[s][1] += a * b / count[s];
    cov[s][2] += b * b / count[s];
  }
  const double both = count[0] + count[1];
  double pooled[3];
  for (int k = 0; k < 3; ++k) pooled[k] = (cov[0][k] * count[0] + cov[1][k] * count[1]) / both;
  double gap[2] = {mean[1][0] - mean[0][0], mean[1][1] - mean[0][1]};
  double direction[2] = {gap[0] < 0 ? -1.0 : 1.0, 0.0};
  facts.constant = !(pooled[0] + pooled[2] > 0) && gap[0] == 0 && gap[1] == 0;
  if (facts.constant) return;
  if (two_d) {
    const double ridge = 1e-12 * (pooled[0] + pooled[2]) + 1e-300;
    const double a = pooled[0] + ridge, d = pooled[2] + ridge, det = a * d - pooled[1] * pooled[1];
    direction[0] = (d * gap[0] - pooled[1] * gap[1]) / det;
    direction[1] = (a * gap[1] - pooled[1] * gap[0]) / det;
    const double norm = spinel::hypot(direction[0], direction[1]);
    for (double& part : direction) part = norm > 0 ? part / norm : 0.0;
  }
  const auto along = [&](double a, double b) { return a * direction[0] + b * direction[1]; };
  const double m0 = along(mean[0][0], mean[0][1]), m1 = along(mean[1][0], mean[1][1]);
  const double variance = direction[0] * direction[0] * pooled[0] + 2 * direction[0] * direction[1] * pooled[1] + direction[1] * direction[1] * pooled[2];
  const double sigma = spinel::sqrt(spinel::max(variance, 0.0));
  const double threshold = 0.5 * (m0 + m1) + (m1 > m0 ? variance / (m1 - m0) * spinel::log(count[0] / count[1]) : 0.0);
  if (two_d && sigma > 0) {
    // Scale of the ground cloud along and across the line, by the median so that leaked shots do not widen it.
    ScratchScope scope{workspace};
    auto away = workspace.take(n);
    if (away.empty()) return;
    const double norm = spinel::max(spinel::hypot(gap[0], gap[1]), 1e-300), line[2][2] = {{gap[0] / norm, gap[1] / norm}, {-gap[1] / norm, gap[0] / norm}};
    double center[2], scale[2], far_end = 0;
    for (int axis = 0; axis < 2; ++axis) {
      const auto place = [&](std::size_t k) { return re[k] * line[axis][0] + im[k] * line[axis][1]; };
      std::size_t used_here = 0;
      for (std::size_t k = 0; k < n; ++k)
        if (state[k] < 0.5) away[used_here++] = place(k);
      center[axis] = median(away.first(used_here));
      for (std::size_t k = 0; k < used_here; ++k) away[k] = spinel::fabs(away[k] - center[axis]);
      scale[axis] = spinel::max(1.4826 * median(away.first(used_here)), 1e-300);
      if (axis == 0) {
        used_here = 0;
        for (std::size_t k = 0; k < n; ++k)
          if (state[k] > 0.5 && state[k] < 1.5) away[used_here++] = place(k);
        far_end = median(away.first(used_here));
      }
    }
    double off = 0, all = 0;
    for (std::size_t k = 0; k < n; ++k) {
      if (state[k] > 1.5) continue;
      const double u = re[k] * line[0][0] + im[k] * line[0][1], v = re[k] * line[1][0] + im[k] * line[1][1];
      all += 1;
      off += spinel::fabs(v - center[1]) > 4 * scale[1] || u < center[0] - 4 * scale[0] || u > spinel::max(far_end, center[0]) + 4 * scale[0] ? 1 : 0;
    }
    facts.outside = off / spinel::max(1.0, all);
  }
  double right[2]{};
  std::size_t used = 0;
  for (std::size_t k = 0; k < n; ++k) {
    if (state[k] > 1.5) continue;
    const double value = along(re[k], im[k]);
    const bool one = state[k] > 0.5;
    right[one ? 1 : 0] += (value >= threshold) == one ? 1 : 0;
    y[used] = value;
    state[used++] = state[k];
  }
  const double fidelity = 0.5 * (right[0] / count[0] + right[1] / count[1]);
  // Best single threshold: one pass over the sorted shots.
  const auto shots = y.first(used), labels = state.first(used);
  order = order.first(used);
  for (std::size_t k = 0; k < used; ++k) order[k] = static_cast<double>(k);
  detail::sort_by(order, shots);
  double below[2]{}, best = 0.5, best_threshold = threshold;
  for (std::size_t k = 0; k < used; ++k) {
    const auto at = static_cast<std::size_t>(order[k]);
    below[labels[at] > 0.5 ? 1 : 0] += 1;
    const double f = 0.5 + 0.5 * (below[0] / count[0] - below[1] / count[1]);
    if (f > best) {
      best = f;
      best_threshold = shots[at];
    }
  }
  double weights[2] = {0.05, 0.95};
  detail::Mixture mix;
  mix.mean[0] = m0;
  mix.mean[1] = m1;
  mix.width[0] = mix.width[1] = sigma > 0 ? sigma : 1e-12;
  mix = detail::fit_mixture(shots, labels, mix, weights);
  double discrimination = 0.5, assignment = 0.5;
  for (int k = 0; k <= 400; ++k) {
    const double t = mix.mean[0] + (mix.mean[1] - mix.mean[0]) * k / 400.0;
    const double left = detail::normal_cdf((t - mix.mean[0]) / mix.width[0]), over = detail::normal_cdf((t - mix.mean[1]) / mix.width[1]);
    discrimination = spinel::max(discrimination, 0.5 * (left + 1 - over));
    const double p0 = (1 - weights[0]) * left + weights[0] * over, p1 = (1 - weights[1]) * left + weights[1] * over;
    assignment = spinel::max(assignment, 0.5 * (p0 + 1 - p1));
  }
  const double mixture_width = 0.5 * (mix.width[0] + mix.width[1]);
  facts.separation = mixture_width > 0 ? spinel::fabs(mix.mean[1] - mix.mean[0]) / mixture_width : 1e3;
  if (spinel::fabs(m1 - m0) < 3 * sigma * spinel::sqrt(1 / count[0] + 1 / count[1])) facts.separation = 0.0;
  facts.second_ratio = weights[1] - weights[0];
  facts.contrast = fidelity;
  if (two_d) {
    // Decay during readout stretches the clouds toward each other; that is in the mixture weights. What is left is compared with
    // the width across the line between the clouds.
    const double norm = spinel::max(spinel::hypot(gap[0], gap[1]), 1e-300), across[2] = {-gap[1] / norm, gap[0] / norm};
    const double wide = spinel::sqrt(spinel::max(across[0] * across[0] * pooled[0] + 2 * across[0] * across[1] * pooled[1] + across[1] * across[1] * pooled[2], 1e-300));
    const double along_width = spinel::max(mix.width[0], mix.width[1]), least = spinel::min(mix.width[0], mix.width[1]);
    facts.ellipticity = spinel::max(along_width / wide, wide / spinel::max(least, 1e-300));
  }
  decision.x_unit = unit_of(re_column.name).name;
  decision.model = two_d ? "linear discriminant, pooled covariance; two Gaussians along it" : "two Gaussians, one threshold";
  // Where both clouds are one: noise about the origin is a readout without carrier; a flat-topped scatter is no cloud at all.
  const double trace = spinel::sqrt(spinel::max(0.5 * (pooled[0] + (two_d ? pooled[2] : pooled[0])), 0.0));
  facts.level = trace > 0 ? spinel::hypot(0.5 * (mean[0][0] + mean[1][0]), two_d ? 0.5 * (mean[0][1] + mean[1][1]) : 0.0) / trace : missing;
  double fourth = 0, second = 0;
  for (std::size_t k = 0; k < n; ++k) {
    const double d = re[k] - 0.5 * (mean[0][0] + mean[1][0]);
    second += d * d / static_cast<double>(n);
    fourth += d * d * d * d / static_cast<double>(n);
  }
  facts.kurtosis = second > 0 ? fourth / (second * second) - 3 : missing;
  decision.features.push_back({"separation", facts.separation > 4 ? "well-separated" : facts.separation > 2 ? "touching" : "overlapping"});
  const double f_error = spinel::sqrt(spinel::max(fidelity * (1 - fidelity), 1e-6) / both);
  const double mean_error = sigma * spinel::sqrt(1 / count[0] + 1 / count[1]);
  const char* unit = decision.x_unit == "V" ? "V" : "1";
  double rotation = spinel::fmod(-spinel::atan2(direction[1], direction[0]), two_pi);
  if (rotation < 0) rotation += two_pi;
  decision.constraints.push_back("rotation: angle that turns the discriminant onto +I, modulo 2 pi; threshold along it");
  decision.add("acq_rotation_rad", rotation, m1 > m0 ? mean_error / (m1 - m0) : missing, "rad");
  decision.add("acq_threshold", threshold, 0.5 * mean_error, unit);
  if (decision.x_unit == "V") decision.add("acq_threshold_V", threshold, 0.5 * mean_error, "V");
  decision.add("assignment_fidelity", fidelity, f_error, "1");
  decision.add("F_assignment", best, f_error, "1");
  decision.add("F_assignment_fit", assignment, f_error, "1");
  decision.add("F_discr", discrimination, f_error, "1");
  decision.add("best_threshold", best_threshold, mean_error, unit);
  decision.add("separation_over_width", facts.separation, missing, "1");
  decision.add("cluster0_I", mean[0][0], sigma / spinel::sqrt(count[0]), unit);
  decision.add("cluster0_Q", mean[0][1], sigma / spinel::sqrt(count[0]), unit);
  decision.add("cluster1_I", mean[1][0], sigma / spinel::sqrt(count[1]), unit);
  decision.add("cluster1_Q", mean[1][1], sigma / spinel::sqrt(count[1]), unit);
  if (count[2] >= 8) {
    // Three states: the same linear discriminant with the covariance pooled over all three.
    double all[3];
    for (int k = 0; k < 3; ++k) all[k] = (cov[0][k] * count[0] + cov[1][k] * count[1] + cov[2][k] * count[2]) / (both + count[2]);
    const double det = spinel::max(all[0] * all[2] - all[1] * all[1], 1e-300);
    double hit[3]{};
    for (std::size_t row = 0; row < rows; ++row) {
      const double a = re_column.values[row] * factor;
      const double b = two_d ? request.columns[static_cast<std::size_t>(q_column)].values[row] * factor : 0.0;
      if (!spinel::isfinite(a) || !spinel::isfinite(b) || !spinel::isfinite(states[row])) continue;
      const int prepared = states[row] > 1.5 ? 2 : states[row] > 0.5 ? 1 : 0;
      int nearest = 0;
      double least = spinel::infinity;
      for (int s = 0; s < 3; ++s) {
        const double da = a - mean[s][0], db = b - mean[s][1];
        const double distance = two_d ? (all[2] * da * da - 2 * all[1] * da * db + all[0] * db * db) / det : da * da;
        if (distance < least) {
          least = distance;
          nearest = s;
        }
      }
      hit[prepared] += nearest == prepared ? 1 : 0;
    }
    const double three = (hit[0] / count[0] + hit[1] / count[1] + hit[2] / count[2]) / 3.0;
    for (auto& parameter : decision.params)
      if (std::string_view{parameter.name} == "assignment_fidelity") parameter.value = three;
    decision.constraints.push_back("assignment_fidelity: mean over three prepared states");
    decision.add("cluster2_I", mean[2][0], sigma / spinel::sqrt(count[2]), unit);
    decision.add("cluster2_Q", mean[2][1], sigma / spinel::sqrt(count[2]), unit);
  }
}

}  // namespace spinel::calib
