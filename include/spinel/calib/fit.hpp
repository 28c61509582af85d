// SPDX-License-Identifier: Apache-2.0
// The separable fit: a bounded grid over at most two non-linear parameters with a linear solve in each cell, then
// Levenberg-Marquardt in which the linear coefficients are solved again after every step, then the covariance.
// Callers normalise x and y; all tests are relative. Source: Golub and Pereyra (1973); More, MINPACK (1978).
#pragma once

#include <cstddef>
#include <initializer_list>

#include <spinel/calib/curves.hpp>
#include <spinel/calib/linear.hpp>
#include <spinel/calib/workspace.hpp>
#include <spinel/core/algorithm.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>

namespace spinel::calib {

/// Data of a fit: x and y of equal size, `weight` empty or 1/sigma for each point.
struct FitData {
  Span<const double> x, y, weight{};
};

/// Outcome of a fit in the units of its data. `covariance` orders theta before the linear coefficients and is scaled by the
/// residual variance; `correlation` is the largest absolute off-diagonal correlation of theta[0] with any other unknown.
struct Fit {
  double theta[3]{}, linear[6]{};
  double theta_stderr[3]{}, linear_stderr[6]{};
  double covariance[max_unknowns][max_unknowns]{};
  double rss = spinel::infinity;
  double correlation = 0.0;
  std::size_t n = 0;
  int unknowns = 0, iterations = 0;
  bool converged = false, singular = false;

  /// Bayesian information criterion with unknown noise; the floor keeps exact data finite.
  double bic() const noexcept {
    const double m = static_cast<double>(n);
    return m * spinel::log(rss / m + 1e-18) + static_cast<double>(unknowns) * spinel::log(m);
  }
};

/// Interval of a non-linear parameter.
struct Bounds {
  double low = 0.0, high = 0.0;
};

/// One curve on one data set. All memory comes from the workspace; `ready()` is false when it did not suffice.
template <Curve C>
class Fitter {
 public:
  static constexpr int n_theta = C::n_theta, n_fixed = C::n_fixed, n_linear = C::n_linear;
  static constexpr int n_columns = n_fixed + n_linear;
  static constexpr int n_unknowns = n_theta + n_linear;
  static_assert(n_unknowns <= max_unknowns, "a curve has at most nine unknowns");

  Fitter(const C& curve, const FitData& data, Workspace& workspace) noexcept : curve_(curve), data_(data), scope_(workspace) {
    const std::size_t n = data.x.size();
    for (auto* set : {columns_, above_, below_})
      for (int k = 0; k < n_columns; ++k) set[k] = workspace.take(n).data();
    for (int k = 0; k < n_theta; ++k) slopes_[k] = workspace.take(n).data();
    ready_ = !workspace.overflowed() && n >= static_cast<std::size_t>(n_unknowns);
  }
  bool ready() const noexcept { return ready_; }

  /// Residual sum of squares at `theta` with the best linear coefficients, which are left in `linear`.
  double project(const double* theta, double* linear) noexcept {
    curve_.fill(data_.x, theta, columns_);
    double gram[max_unknowns][max_unknowns]{};
    double right[max_unknowns]{};
    const std::size_t n = data_.x.size();
    for (std::size_t i = 0; i < n; ++i) {
      const double w = weight2(i), target = data_.y[i] - (n_fixed > 0 ? columns_[0][i] : 0.0);
      for (int a = 0; a < n_linear; ++a) {
        const double wa = w * columns_[n_fixed + a][i];
        right[a] += wa * target;
        for (int b = 0; b <= a; ++b) gram[a][b] += wa * columns_[n_fixed + b][i];
      }
    }
    if constexpr (n_linear > 0) {
      Cholesky cholesky;
      cholesky.factor(gram, n_linear);
      cholesky.solve(right);
    }
    for (int a = 0; a < n_linear; ++a) linear[a] = right[a];
    double rss = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      const double r = residual(i, linear);
      rss += weight2(i) * r * r;
    }
    return spinel::isfinite(rss) ? rss : spinel::infinity;
  }

  /// Best cell of the grid `first` x `second` (the third parameter, if any, stays at `third`).
  void search(Span<const double> first, Span<const double> second, double third, double* best) noexcept {
    double lowest = spinel::infinity;
    const double single[1] = {0.0};
    const Span<const double> inner = second.empty() ? Span<const double>{single} : second;
    for (const double a : first)
      for (const double b : inner) {
        const double theta[3] = {a, b, third};
        double linear[6];
        const double rss = project(theta, linear);
        if (rss < lowest) {
          lowest = rss;
          for (int k = 0; k < 3; ++k) best[k] = theta[k];
        }
      }
  }

  /// Refines `start` inside `bounds` and adds the covariance.
  Fit refine(const double* start, const Bounds* bounds, int max_iterations = 60) noexcept {
    Fit fit;
    fit.n = data_.x.size();
    fit.unknowns = n_unknowns;
    for (int k = 0; k < n_theta; ++k) fit.theta[k] = spinel::clamp(start[k], bounds[k].low, bounds[k].high);
    fit.rss = project(fit.theta, fit.linear);
    double damping = 1e-3;
    fit.converged = n_theta == 0;
    double normal[max_unknowns][max_unknowns]{}, gradient[max_unknowns]{};
    for (; fit.iterations < max_iterations && !fit.converged; ++fit.iterations) {
      jacobian(fit, bounds, normal, gradient);
      bool improved = false;
      for (int attempt = 0; attempt < 12 && !improved && !fit.converged; ++attempt) {
        double damped[max_unknowns][max_unknowns], step[max_unknowns];
        for (int a = 0; a < n_unknowns; ++a) {
          step[a] = gradient[a];
          for (int b = 0; b < n_unknowns; ++b) damped[a][b] = normal[a][b] * (a == b ? 1.0 + damping : 1.0);
        }
        Cholesky cholesky;
        cholesky.factor(damped, n_unknowns);
        cholesky.solve(step);
        double trial[3]{}, linear[6]{}, moved = 0.0;
        for (int k = 0; k < n_theta; ++k) {
          trial[k] = spinel::clamp(fit.theta[k] + step[k], bounds[k].low, bounds[k].high);
          moved = spinel::max(moved, spinel::fabs(trial[k] - fit.theta[k]) / (spinel::fabs(fit.theta[k]) + 1e-9 * (bounds[k].high - bounds[k].low)));
        }
        const double rss = project(trial, linear);
        if (rss < fit.rss) {
          fit.converged = fit.rss - rss < 1e-10 * fit.rss || moved < 1e-9;
          fit.rss = rss;
          for (int k = 0; k < n_theta; ++k) fit.theta[k] = trial[k];
          for (int a = 0; a < n_linear; ++a) fit.linear[a] = linear[a];
          damping = spinel::max(damping * 0.2, 1e-12);
          improved = true;
        } else {
          if (moved < 1e-8) fit.converged = true;
          damping *= 6.0;
        }
      }
      if (!improved) {
        fit.converged = true;
        break;
      }
    }
    covariance(fit, bounds, normal, gradient);
    return fit;
  }

  /// y - model at point `i` for the columns of the last `project`.
  double residual(std::size_t i, const double* linear) const noexcept {
    double model = n_fixed > 0 ? columns_[0][i] : 0.0;
    for (int a = 0; a < n_linear; ++a) model += linear[a] * columns_[n_fixed + a][i];
    return data_.y[i] - model;
  }

 private:
  double weight2(std::size_t i) const noexcept {
    return data_.weight.empty() ? 1.0 : data_.weight[i] * data_.weight[i];
  }

  void jacobian(const Fit& fit, const Bounds* bounds, double (&normal)[max_unknowns][max_unknowns],
                double* gradient) noexcept {
    const std::size_t n = data_.x.size();
    for (int k = 0; k < n_theta; ++k) {
      double up[3], down[3];
      const double h = 1e-6 * (spinel::fabs(fit.theta[k]) + 1e-3 * (bounds[k].high - bounds[k].low)) + 1e-15;
      for (int m = 0; m < 3; ++m) up[m] = down[m] = fit.theta[m];
      up[k] += h;
      down[k] -= h;
      curve_.fill(data_.x, up, above_);
      curve_.fill(data_.x, down, below_);
      for (std::size_t i = 0; i < n; ++i) {
        double sum = n_fixed > 0 ? above_[0][i] - below_[0][i] : 0.0;
        for (int a = 0; a < n_linear; ++a) sum += fit.linear[a] * (above_[n_fixed + a][i] - below_[n_fixed + a][i]);
        slopes_[k][i] = sum / (up[k] - down[k]);
      }
    }
    curve_.fill(data_.x, fit.theta, columns_);
    for (int a = 0; a < n_unknowns; ++a) {
      gradient[a] = 0.0;
      for (int b = 0; b < n_unknowns; ++b) normal[a][b] = 0.0;
    }
    for (std::size_t i = 0; i < n; ++i) {
      const double w = weight2(i), r = residual(i, fit.linear);
      double row[max_unknowns];
      for (int k = 0; k < n_theta; ++k) row[k] = slopes_[k][i];
      for (int a = 0; a < n_linear; ++a) row[n_theta + a] = columns_[n_fixed + a][i];
      for (int a = 0; a < n_unknowns; ++a) {
        gradient[a] += w * row[a] * r;
        for (int b = 0; b <= a; ++b) normal[a][b] += w * row[a] * row[b];
      }
    }
    for (int a = 0; a < n_unknowns; ++a)
      for (int b = 0; b < a; ++b) normal[b][a] = normal[a][b];
  }

  void covariance(Fit& fit, const Bounds* bounds, double (&normal)[max_unknowns][max_unknowns], double* gradient) noexcept {
    jacobian(fit, bounds, normal, gradient);
    Cholesky cholesky;
    cholesky.factor(normal, n_unknowns);
    fit.singular = cholesky.rank_deficient;
    const double freedom = static_cast<double>(fit.n) - static_cast<double>(n_unknowns);
    const double variance = freedom > 0 ? fit.rss / freedom : spinel::infinity;
    for (int a = 0; a < n_unknowns; ++a) {
      double unit[max_unknowns]{};
      unit[a] = 1.0;
      cholesky.solve(unit);
      for (int b = 0; b < n_unknowns; ++b) fit.covariance[b][a] = unit[b] * variance;
    }
    for (int k = 0; k < n_theta; ++k) fit.theta_stderr[k] = spinel::sqrt(spinel::max(0.0, fit.covariance[k][k]));
    for (int a = 0; a < n_linear; ++a)
      fit.linear_stderr[a] = spinel::sqrt(spinel::max(0.0, fit.covariance[n_theta + a][n_theta + a]));
    for (int a = 1; a < n_unknowns && n_theta > 0; ++a) {
      const double norm = spinel::sqrt(fit.covariance[0][0] * fit.covariance[a][a]);
      if (norm > 0) fit.correlation = spinel::max(fit.correlation, spinel::fabs(fit.covariance[0][a]) / norm);
    }
  }

  C curve_;
  FitData data_;
  ScratchScope scope_;
  double* columns_[6 + 1]{};
  double* above_[6 + 1]{};
  double* below_[6 + 1]{};
  double* slopes_[3]{};
  bool ready_ = false;
};

/// Grid, refinement and covariance in one call; an empty `Fit` (infinite rss) when the memory or the points do not suffice.
template <Curve C>
Fit fit_curve(const C& curve, const FitData& data, Span<const double> first, Span<const double> second,
              const Bounds* bounds, Workspace& workspace, double third = 0.0) noexcept {
  Fitter<C> fitter{curve, data, workspace};
  if (!fitter.ready()) return {};
  double start[3] = {0.0, 0.0, third};
  if constexpr (C::n_theta > 0) fitter.search(first, second, third, start);
  return fitter.refine(start, bounds);
}

/// BIC of the constant model, beside which every curve has to pay for its parameters.
inline double constant_bic(const FitData& data) noexcept {
  double sum = 0.0, sum_w = 0.0, rss = 0.0;
  const auto weight2 = [&](std::size_t i) { return data.weight.empty() ? 1.0 : data.weight[i] * data.weight[i]; };
  for (std::size_t i = 0; i < data.y.size(); ++i) {
    sum += weight2(i) * data.y[i];
    sum_w += weight2(i);
  }
  const double mean = sum_w > 0 ? sum / sum_w : 0.0;
  for (std::size_t i = 0; i < data.y.size(); ++i) rss += weight2(i) * (data.y[i] - mean) * (data.y[i] - mean);
  const double m = static_cast<double>(data.y.size());
  return m * spinel::log(rss / m + 1e-18) + spinel::log(m);
}

}  // namespace spinel::calib
