// SPDX-License-Identifier: Apache-2.0
// Pinch-off curves (electrons on helium, quantum dots) and Ramsey charge tomography: a logistic step in the order of the sweep, and the phase
// of charge fringes row by row, whose sudden changes are charge jumps.
#pragma once

#include <initializer_list>

#include <spinel/calib/oscillation.hpp>
#include <spinel/core/algorithm.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>

namespace spinel::calib {

/// c0 / (1 + exp((x - m) / w)) + c1; theta = (m, w).
struct Logistic {
  static constexpr int n_theta = 2, n_fixed = 0, n_linear = 2;
  void fill(Span<const double> x, const double* theta, double* const* columns) const noexcept {
    for (std::size_t i = 0; i < x.size(); ++i) {
      columns[0][i] = 1.0 / (1.0 + spinel::exp(spinel::min(60.0, (x[i] - theta[0]) / theta[1])));
      columns[1][i] = 1.0;
    }
  }
};

namespace detail {
/// The same angle within half a turn of zero.
inline double wrap_turn(double angle) noexcept { return angle - two_pi * spinel::round(angle / two_pi); }
}  // namespace detail

/// Pinch-off: the rows are taken in the order of the sweep, from open to closed.
template <class Memory>
void analyze_pinchoff(const Request& request, Decision& decision, Memory& workspace) noexcept {
  auto& facts = decision.facts;
  const std::size_t rows = request.columns[0].values.size();
  int column = find_column(request.columns, "signal", 1);
  if (column < 0) column = find_column(request.columns, "magnitude", 1);
  if (column < 0) column = find_column(request.columns, "I", 1);
  if (column < 0) column = 1;
  const auto values = request.columns[static_cast<std::size_t>(column)].values;
  auto x = workspace.take(rows), y = workspace.take(rows);
  if (workspace.overflowed()) return;
  std::size_t n = 0;
  for (std::size_t k = 0; k < rows; ++k)
    if (spinel::isfinite(values[k])) {
      x[n] = static_cast<double>(k);
      y[n++] = values[k];
    }
  facts.n = static_cast<double>(n);
  facts.n_missing = static_cast<double>(rows - n);
  if (n < 10) {
    facts.input_error = "a pinch-off curve needs at least 10 finite points";
    return;
  }
  x = x.first(n);
  y = y.first(n);
  decision.x_unit = unit_of(request.columns[0].name).name;
  decision.x_first = request.columns[0].values[0] * unit_of(request.columns[0].name).factor;
  decision.x_last = request.columns[0].values[rows - 1] * unit_of(request.columns[0].name).factor;
  facts.span = x[n - 1] - x[0];
  facts.step = 1.0;
  facts.noise = noise_level(y, workspace);
  facts.dbic = facts.snr = 0;
  const auto data = normalize(x, y, {}, 0.0, facts.span, true, workspace);
  if (workspace.overflowed()) return;
  const auto middles = detail::linear_grid(-0.1, 1.3, 43, workspace);
  const auto widths = detail::log_grid(0.3 / facts.n, 0.25, 7, workspace);
  const Bounds bounds[3] = {{-0.3, 1.6}, {0.1 / facts.n, 0.6}, {0, 0}};
  const Fit fit = fit_curve(Logistic{}, data.data(), middles, widths, bounds, workspace);
  if (!spinel::isfinite(fit.rss)) return;
  const auto at = [&](double u) { return fit.linear[0] / (1 + spinel::exp(spinel::min(60.0, (u - fit.theta[0]) / fit.theta[1]))) + fit.linear[1]; };
  const double first = at(0.0) * data.y_scale + data.y_shift, last = at(1.0) * data.y_scale + data.y_shift, swing = first - last;
  facts.dbic = constant_bic(data.data()) - fit.bic();
  const double sigma = spinel::sqrt(fit.rss / spinel::max(1.0, facts.n - 4)) * data.y_scale;
  facts.snr = sigma > 0 ? spinel::fabs(swing) / sigma : 1e9;
  // Share of the step that the sweep has not reached yet at its closed end.
  const double width = fit.theta[1], middle = fit.theta[0];
  decision.keep(fit);
  facts.completeness = 1 - 1 / (1 + spinel::exp(spinel::min(60.0, (1 - middle) / width)));
  // A curve that rises is a sweep run backwards when its low end is the one near zero, else an inverted signal.
  facts.inverted = swing < 0 && spinel::fabs(first) > 0.5 * spinel::fabs(last);
  const double floor = swing >= 0 || facts.inverted ? last : first;
  facts.level = floor / spinel::max(spinel::fabs(swing), 1e-300);
  facts.level_error = sigma / spinel::sqrt(spinel::max(2.0, facts.n * spinel::clamp(1 - middle - 2 * width, 0.0, 1.0))) / spinel::max(spinel::fabs(swing), 1e-300);
  decision.model = "logistic step over the row number";
  decision.constraints.push_back("saturation and cut-off: where 95 % and 5 % of the step are left");
  const double span = facts.span, error = fit.theta_stderr[0] * span, spread = 2.944 * width * span, side = swing >= 0 ? 1.0 : -1.0;
  decision.add("transition_index", middle * span, error, "1");
  decision.add("cut_off_index", middle * span + side * spread, error + 2.944 * fit.theta_stderr[1] * span, "1");
  decision.add("saturation_index", middle * span - side * spread, error + 2.944 * fit.theta_stderr[1] * span, "1");
}

/// Charge tomography: rows in time, charge bias across; one fringe period for all rows, one phase for each.
template <class Memory>
void analyze_charge_tomography(const Request& request, Decision& decision, Memory& workspace) noexcept {
  auto& facts = decision.facts;
  const auto columns = request.columns;
  if (columns.size() < 3) {
    facts.input_error = "charge tomography needs two sweep columns and a signal column";
    return;
  }
  const bool second_is_bias = unit_of(columns[1].name).name == "V" || unit_of(columns[0].name).name == "s" || starts_with(columns[0].name, "index");
  const std::size_t bias_axis = second_is_bias && unit_of(columns[0].name).name != "V" ? 1 : 0, row_axis = 1 - bias_axis;
  const double to_si = unit_of(columns[bias_axis].name).factor;
  const std::size_t total = columns[0].values.size();
  auto b = workspace.take(total), r = workspace.take(total), y = workspace.take(total), order = workspace.take(total), scratch = workspace.take(total);
  if (workspace.overflowed()) return;
  std::size_t n = 0;
  for (std::size_t k = 0; k < total; ++k) {
    if (!spinel::isfinite(columns[2].values[k]) || !spinel::isfinite(columns[0].values[k]) || !spinel::isfinite(columns[1].values[k])) continue;
    b[n] = columns[bias_axis].values[k] * to_si;
    r[n] = columns[row_axis].values[k];
    y[n] = columns[2].values[k];
    order[n] = static_cast<double>(n);
    ++n;
  }
  facts.n = static_cast<double>(n);
  facts.n_missing = static_cast<double>(total - n);
  for (auto* part : {&b, &r, &y, &order}) *part = part->first(n);
  if (n < 30) {
    facts.input_error = "too few finite points for charge tomography";
    return;
  }
  spinel::sort(order.data(), order.data() + order.size(), [&](double p, double q) {
    const auto i = static_cast<std::size_t>(p), j = static_cast<std::size_t>(q);
    return r[i] < r[j] || (r[i] == r[j] && b[i] < b[j]);
  });
  for (auto* part : {&b, &r, &y}) detail::permute(*part, order, scratch);
  double low = b[0], high = b[0], mean = 0, square = 0;
  for (std::size_t k = 0; k < n; ++k) {
    low = spinel::min(low, b[k]);
    high = spinel::max(high, b[k]);
    mean += y[k] / facts.n;
  }
  for (std::size_t k = 0; k < n; ++k) square += (y[k] - mean) * (y[k] - mean);
  facts.span = high - low;
  facts.constant = !(square > 0);
  facts.dbic = facts.snr = 0;
  facts.jumps = 0;
  if (!(facts.span > 0)) {
    facts.input_error = "all points share one charge bias";
    return;
  }
  if (facts.constant) return;
  decision.x_unit = unit_of(columns[bias_axis].name).name;
  decision.x_first = low;
  decision.x_last = high;
  std::size_t rows = 0;
  for (std::size_t k = 0; k < n; ++k) rows += k == 0 || r[k] != r[k - 1] ? 1U : 0U;
  auto phase = workspace.take(rows), size = workspace.take(rows);
  if (workspace.overflowed()) return;
  // Sum over rows of the residual of one cosine with free phase, amplitude and offset; phases on the last call.
  const auto residual = [&](double f, bool keep) {
    double rss = 0;
    std::size_t row = 0;
    for (std::size_t begin = 0; begin < n; ++row) {
      std::size_t end = begin;
      double gram[max_unknowns][max_unknowns]{}, right[max_unknowns]{}, yy = 0;
      for (; end < n && r[end] == r[begin]; ++end) {
        const double turn = two_pi * f * (b[end] - low) / facts.span, c[3] = {spinel::cos(turn), spinel::sin(turn), 1.0};
        const double v = y[end] - mean;
        for (int p = 0; p < 3; ++p) {
          right[p] += c[p] * v;
          for (int q = 0; q <= p; ++q) gram[p][q] += c[p] * c[q];
        }
        yy += v * v;
      }
      double unknown[3] = {right[0], right[1], right[2]};
      Cholesky cholesky;
      cholesky.factor(gram, 3);
      cholesky.solve(unknown);
      rss += spinel::max(0.0, yy - unknown[0] * right[0] - unknown[1] * right[1] - unknown[2] * right[2]);
      if (keep) {
        phase[row] = spinel::atan2(unknown[1], unknown[0]);
        size[row] = spinel::hypot(unknown[0], unknown[1]);
      }
      begin = end;
    }
    return rss;
  };
  const double across = facts.n / static_cast<double>(rows), nyquist = spinel::min(0.45 * across, 20.0);
  double best_f = 0.5, lowest = spinel::infinity;
  const auto look = [&](double f) {
    const double rss = residual(f, false);
    if (rss < lowest) {
      lowest = rss;
      best_f = f;
    }
  };
  for (double f = 0.4; f <= nyquist; f += 0.2) look(f);
  for (double width = 0.1; width > 1e-3; width *= 0.5)
    for (const double side : {-1.0, 1.0}) look(spinel::max(0.2, best_f + side * width));
  const double rss = residual(best_f, true);
  const double freedom = spinel::max(1.0, facts.n - 3 * static_cast<double>(rows) - 1), sigma = spinel::sqrt(rss / freedom);
  // Evidence for fringes against one offset a row, at two unknowns a row.
  double offsets = 0;
  for (std::size_t begin = 0; begin < n;) {
    double sum = 0, squares = 0, count = 0;
    std::size_t end = begin;
    for (; end < n && r[end] == r[begin]; ++end, count += 1) {
      sum += y[end];
      squares += y[end] * y[end];
    }
    offsets += spinel::max(0.0, squares - sum * sum / count);
    begin = end;
  }
  facts.dbic = facts.n * spinel::log(offsets / spinel::max(rss, 1e-300)) - (2 * static_cast<double>(rows) + 1) * spinel::log(facts.n);
  auto work = workspace.take(rows);
  if (work.empty()) return;
  for (std::size_t k = 0; k < rows; ++k) work[k] = size[k];
  const double amplitude = median(work);
  facts.contrast = 2 * amplitude;
  facts.snr = sigma > 0 ? amplitude * spinel::sqrt(0.5 * across) / sigma : 1e9;
  const double phase_error = 1.0 / spinel::max(facts.snr, 1e-9);
  std::size_t steps = 0;
  for (std::size_t k = 1; k < rows; ++k) work[steps++] = spinel::fabs(spinel::remainder(phase[k] - phase[k - 1], two_pi));
  const double typical = median(work.first(steps));
  const double threshold = spinel::max(spinel::max(0.35, 5 * spinel::sqrt(2.0) * phase_error), 5 * 1.4826 * typical);
  double jumps = 0;
  for (std::size_t k = 1; k < rows; ++k) {
    const double turn = spinel::remainder(phase[k] - phase[k - 1], two_pi);
    if (spinel::fabs(turn) <= threshold) continue;
    jumps += 1;
    decision.list("jump_positions", static_cast<double>(k), "1");
    decision.list("jump_sizes_mV", turn / two_pi / best_f * facts.span * 1e3, "mV");
  }
  facts.jumps = jumps;
  decision.model = "one fringe period, one phase a row";
  decision.constraints.push_back("jump: a change of phase from one row to the next beyond five standard errors and a twentieth of a period");
  decision.add("jump_count", jumps, 0.0, "1");
  decision.add("fringe_period_V", facts.span / best_f, missing, "V");
}

}  // namespace spinel::calib
