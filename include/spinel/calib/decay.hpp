// SPDX-License-Identifier: Apache-2.0
// Decays: T1, echo, randomized benchmarking, retention per cycle. One exponential with the offset and amplitude free or held by
// calibration points; two exponentials as the rival. Each result names the constraints it was made with.
#pragma once

#include <spinel/calib/facts.hpp>
#include <spinel/core/algorithm.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>

namespace spinel::calib {

namespace detail {
/// `count` values from low to high, equidistant in the logarithm.
inline Span<double> log_grid(double low, double high, std::size_t count, Workspace& workspace) noexcept {
  auto grid = workspace.take(count);
  for (std::size_t k = 0; k < grid.size(); ++k)
    grid[k] = low * spinel::pow(high / low, static_cast<double>(k) / static_cast<double>(count - 1));
  return grid;
}

/// `count` values from low to high, equidistant.
inline Span<double> linear_grid(double low, double high, std::size_t count, Workspace& workspace) noexcept {
  auto grid = workspace.take(count);
  for (std::size_t k = 0; k < grid.size(); ++k)
    grid[k] = low + (high - low) * static_cast<double>(k) / static_cast<double>(count - 1);
  return grid;
}
}  // namespace detail

/// Fits a decay and fills facts and parameters of T1, echo and randomized benchmarking.
template <class Memory>
void analyze_decay(const Request& request, Decision& decision, Memory& workspace) noexcept {
  auto& facts = decision.facts;
  const bool benchmarking = request.family == Family::randomized_benchmarking;
  const bool echo = request.family == Family::t2_echo;
  const auto signal = read_signal(request, 0, 1, Reduction::principal_axis, workspace);
  if (!measure(signal, decision, workspace)) return;
  if (facts.constant) return;
  const std::size_t n = signal.x.size();
  const double reach = spinel::max(spinel::fabs(signal.x[0]), spinel::fabs(signal.x[n - 1]));
  const bool plain_scale = signal.calibrated;
  const auto data = normalize(signal.x, signal.y, benchmarking ? Span<const double>{} : signal.weight, 0.0, reach, !plain_scale, workspace);
  if (workspace.overflowed()) return;
  const Bounds bounds[3] = {{1e-3, 4.0 * facts.n_distinct}, {0.3, 3.0}, {0, 0}};
  const auto rates = detail::log_grid(0.02, 1.5 * facts.n_distinct, 48, workspace);

  Fitter<Exponential> free_fitter{Exponential{}, data.data(), workspace};
  if (!free_fitter.ready()) return;
  double start[3];
  free_fitter.search(rates, {}, 0.0, start);
  const Fit open = free_fitter.refine(start, bounds);
  const double decay_height = spinel::fabs(open.linear[0]) * (spinel::exp(-open.theta[0] * data.x[0]) - spinel::exp(-open.theta[0] * data.x[n - 1]));
  facts.dbic = constant_bic(data.data()) - open.bic();
  facts.residual_fraction = systematic_residual(free_fitter, open, decay_height, facts.residual_z);
  const double sigma = spinel::sqrt(open.rss / spinel::max(1.0, facts.n - 3));
  facts.snr = sigma > 0 && signal.weight.empty() ? decay_height / sigma : (facts.noise > 0 ? decay_height * data.y_scale / facts.noise : 1e9);

  const bool pair = request.meta.cal_points == 2;
  const auto& meta = request.meta;
  bool hold_offset = meta.offset == Constraint::fixed || (meta.offset == Constraint::by_default && signal.calibrated && (echo ? pair : !benchmarking));
  bool hold_amplitude = meta.amplitude == Constraint::fixed || (meta.amplitude == Constraint::by_default && signal.calibrated && pair && !benchmarking);
  if (!signal.calibrated || meta.offset == Constraint::free) hold_offset = hold_amplitude = false;
  if (meta.amplitude == Constraint::free) hold_amplitude = false;

  Fit fit = open;
  const double rest = echo ? 0.5 : 0.0;
  if (hold_offset && hold_amplitude) {
    const double amplitude = echo ? (open.linear[0] < 0 ? -0.5 : 0.5) : 1.0;
    fit = fit_curve(ExponentialFixed{amplitude, rest}, data.data(), rates, {}, bounds, workspace);
    decision.constraints.push_back(echo ? "offset = 0.5, amplitude = 0.5 (calibration points)" : "offset = 0, amplitude = 1 (calibration points)");
  } else if (hold_offset) {
    fit = fit_curve(ExponentialFixedOffset{rest}, data.data(), rates, {}, bounds, workspace);
    decision.constraints.push_back(echo ? "offset = 0.5 (calibration points), amplitude free" : "offset = 0 (calibration points), amplitude free");
  } else {
    decision.constraints.push_back("offset and amplitude free");
  }
  decision.model = benchmarking ? "A p^m + B" : "A exp(-t/T) + B";
  const double rate = fit.theta[0], rate_error = fit.theta_stderr[0];
  const double t = reach / rate, t_error = t * rate_error / rate;
  decision.keep(fit);
  facts.relative_stderr = rate_error / rate;
  facts.correlation = open.correlation;
  facts.window_over_t = signal.x[n - 1] / t;
  facts.points_per_t = t / facts.step;
  facts.contrast = decay_height * data.y_scale;

  if (n >= 12) {
    const auto coarse = detail::log_grid(0.05, facts.n_distinct, 10, workspace);
    const Bounds two[3] = {bounds[0], bounds[0], {0, 0}};
    const Fit second = fit_curve(TwoExponentials{}, data.data(), coarse, coarse, two, workspace);
    facts.dbic_second = open.bic() - second.bic();
    facts.second_ratio = spinel::min(spinel::fabs(second.linear[0]), spinel::fabs(second.linear[1])) / spinel::max(spinel::max(spinel::fabs(second.linear[0]), spinel::fabs(second.linear[1])), 1e-30);
    if (spinel::max(second.theta[0], second.theta[1]) < 3 * spinel::min(second.theta[0], second.theta[1]) || second.linear[0] * second.linear[1] < 0) facts.dbic_second = 0;
  }

  if (benchmarking) {
    const double alpha = spinel::exp(-rate / reach), alpha_error = alpha * rate_error / reach;
    decision.add("alpha", alpha, alpha_error, "1");
    decision.add("epc", 0.5 * (1 - alpha), 0.5 * alpha_error, "1");
    decision.constraints.push_back("error per Clifford (1 - p)/2: one qubit");
    const double floor = open.linear[1] * data.y_scale + data.y_shift;
    decision.add("floor", floor, open.linear_stderr[1] * data.y_scale, "1");
    if (find_column(request.columns, "population", 1) >= 0 || find_column(request.columns, "probability", 1) >= 0)
      decision.features.push_back({"floor", spinel::fabs(floor - 0.5) < 0.1 ? "near one half" : "away from one half: leakage, or preparation and measurement errors"});
    facts.window_over_t = signal.x[n - 1] * (1 - alpha);
    facts.error = 1 - alpha;
  } else if (echo) {
    decision.add("T2_echo_s", t, t_error, "s");
    facts.limit_ratio = t / (2 * meta.T1_s * (1 + 3 * facts.relative_stderr));
    const double one[1] = {fit.theta[0]};
    const double powers[5] = {0.8, 1.0, 1.3, 1.7, 2.0};
    if (n >= 10) {
      const Fit stretched = fit_curve(StretchedExponential{}, data.data(), one, powers, bounds, workspace);
      decision.add("stretch_n", stretched.theta[1], stretched.theta_stderr[1], "1");
    }
  } else {
    decision.add("T1_s", t, t_error, "s");
    decision.add("T1_us", t * 1e6, t_error * 1e6, "us");
  }
}

}  // namespace spinel::calib
