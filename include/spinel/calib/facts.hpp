// SPDX-License-Identifier: Apache-2.0
// Model-free facts of a one-dimensional signal, computed before any fit: span, steps, noise level, saturation of the input.
// Noise is the scaled median absolute second difference, blind to anything smooth. Source: robust statistics, Huber (1981).
#pragma once

#include <spinel/calib/decision.hpp>
#include <spinel/calib/fit.hpp>
#include <spinel/calib/trace.hpp>
#include <spinel/core/algorithm.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>

namespace spinel::calib {

/// Robust noise standard deviation of equally spaced smooth data: 1.4826 median |second difference| / sqrt(6).
inline double noise_level(Span<const double> y, Workspace& workspace) noexcept {
  if (y.size() < 4) return 0.0;
  ScratchScope scope{workspace};
  auto difference = workspace.take(y.size() - 2);
  if (difference.empty()) return 0.0;
  for (std::size_t k = 0; k + 2 < y.size(); ++k) difference[k] = spinel::fabs(y[k] - 2 * y[k + 1] + y[k + 2]);
  return 1.4826 * median(difference) / spinel::sqrt(6.0);
}

/// Fills the model-free facts; false when the signal cannot carry a fit, with `input_error` saying why.
inline bool measure(const Signal& signal, Decision& decision, Workspace& workspace, std::size_t least_points = 5) noexcept {
  auto& facts = decision.facts;
  facts.n = static_cast<double>(signal.x.size());
  facts.n_missing = static_cast<double>(signal.n_missing);
  facts.calibrated = signal.calibrated;
  facts.saturated = signal.saturated;
  if (signal.has_complex) facts.axis_ratio = signal.axis_ratio;
  decision.x_unit = signal.x_unit;
  if (signal.error != nullptr) {
    facts.input_error = signal.error;
    return false;
  }
  if (signal.x.size() < least_points) {
    facts.input_error = "too few finite points for this family's model";
    return false;
  }
  const std::size_t n = signal.x.size();
  decision.x_first = signal.x[0];
  decision.x_last = signal.x[n - 1];
  facts.span = signal.x[n - 1] - signal.x[0];
  if (!(facts.span > 0)) {
    facts.input_error = "all points share one sweep value";
    return false;
  }
  double low = signal.y[0], high = signal.y[0], distinct = 1;
  for (std::size_t k = 1; k < n; ++k) {
    low = spinel::min(low, signal.y[k]);
    high = spinel::max(high, signal.y[k]);
    if (signal.x[k] - signal.x[k - 1] > 1e-9 * facts.span) distinct += 1;
  }
  facts.n_distinct = distinct;
  facts.step = facts.span / spinel::max(1.0, distinct - 1);
  facts.peak_to_peak = high - low;
  facts.constant = !(facts.peak_to_peak > 1e-12 * (spinel::fabs(high) + spinel::fabs(low)));
  facts.noise = noise_level(signal.y, workspace);
  return true;
}

/// Normalised copy of a signal: u = (x - x_shift) / x_scale, v = (y - y_shift) / y_scale.
struct Normalized {
  Span<double> x, y, weight{};
  double x_shift = 0, x_scale = 1, y_shift = 0, y_scale = 1;
  bool uniform = false;
  FitData data() const noexcept { return {x, y, weight}; }
};

inline Normalized normalize(Span<const double> x, Span<const double> y, Span<const double> weight, double x_shift,
                            double x_scale, bool scale_y, Workspace& workspace) noexcept {
  Normalized out;
  out.x = workspace.take(x.size());
  out.y = workspace.take(x.size());
  out.weight = weight.empty() ? Span<double>{} : workspace.take(x.size());
  if (workspace.overflowed()) return {};
  out.x_shift = x_shift;
  out.x_scale = x_scale;
  if (scale_y) {
    double low = y[0], high = y[0], sum = 0;
    for (const double value : y) {
      low = spinel::min(low, value);
      high = spinel::max(high, value);
      sum += value;
    }
    out.y_shift = sum / static_cast<double>(y.size());
    out.y_scale = high > low ? high - low : 1.0;
  }
  for (std::size_t k = 0; k < x.size(); ++k) {
    out.x[k] = (x[k] - x_shift) / x_scale;
    out.y[k] = (y[k] - out.y_shift) / out.y_scale;
    if (!weight.empty()) out.weight[k] = weight[k] * out.y_scale;
  }
  out.uniform = detail::equidistant(out.x);
  return out;
}

/// Peak to peak of the residual after a running mean of `width` points, over `signal`: what the model leaves unexplained. `z` gets the
/// correlation of neighboring residuals in standard errors: under three, the residual is noise, however large.
template <Curve C>
double systematic_residual(Fitter<C>& fitter, const Fit& fit, double signal, double& z, std::size_t width = 5) noexcept {
  double linear[6];
  fitter.project(fit.theta, linear);
  double low = 0, high = 0, sum = 0, square = 0, lag = 0, previous = 0;
  for (std::size_t k = 0; k < fit.n; ++k) {
    const double r = fitter.residual(k, linear);
    square += r * r;
    lag += r * previous;
    previous = r;
    sum += fitter.residual(k, linear);
    if (k >= width) sum -= fitter.residual(k - width, linear);
    if (k + 1 < width) continue;
    low = spinel::min(low, sum / static_cast<double>(width));
    high = spinel::max(high, sum / static_cast<double>(width));
  }
  z = square > 0 ? lag / square * spinel::sqrt(static_cast<double>(fit.n)) : 0.0;
  return signal > 0 ? (high - low) / signal : 0.0;
}

}  // namespace spinel::calib
