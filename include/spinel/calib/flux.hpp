// SPDX-License-Identifier: Apache-2.0
// Spectra over flux: does one line move smoothly with the bias (parabola or periodic arc), do two branches show, does the ridge jump, does it
// leave the window; and the voltages at which a coupler crosses a qubit. Rests on the ridge of maps.hpp.
#pragma once

#include <spinel/calib/maps.hpp>
#include <spinel/core/algorithm.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>

namespace spinel::calib {

/// c0 sqrt|cos(pi (x - s) / p)| + c1, the arc of a split transmon; theta = (p, s). Source: Koch et al., Phys. Rev. A 76, 042319 (2007).
struct FluxArc {
  static constexpr int n_theta = 2, n_fixed = 0, n_linear = 2;
  void fill(Span<const double> x, const double* theta, double* const* columns) const noexcept {
    for (std::size_t i = 0; i < x.size(); ++i) {
      columns[0][i] = spinel::sqrt(spinel::fabs(spinel::cos(spinel::pi * (x[i] - theta[1]) / theta[0])));
      columns[1][i] = 1.0;
    }
  }
};

namespace detail {
/// Residual scale of a ridge fit and the share of clear slices on the curve.
struct RidgeFit {
  Fit fit{};
  double inliers = 0, top = missing, excursion = 0;
};

template <Curve C>
RidgeFit fit_ridge(const C& curve, Normalized& data, Span<const double> base, Span<double> rest, Span<const double> first,
                   Span<const double> second, const Bounds* bounds, double near, Workspace& workspace) noexcept {
  RidgeFit out;
  ScratchScope scope{workspace};
  Fitter<C> fitter{curve, data.data(), workspace};
  if (!fitter.ready()) return out;
  huber(data.weight, rest, base, near, workspace, [&] {
    double start[3] = {0, 0, 0}, linear[6];
    if constexpr (C::n_theta > 0) fitter.search(first, second, 0.0, start);
    out.fit = fitter.refine(start, bounds, 30);
    fitter.project(out.fit.theta, linear);
    for (std::size_t k = 0; k < rest.size(); ++k) rest[k] = fitter.residual(k, linear);
  });
  double on = 0, clear = 0, low = 1e300, high = -1e300;
  for (std::size_t k = 0; k < rest.size(); ++k) {
    const double model = data.y[k] - rest[k];
    low = spinel::min(low, model);
    high = spinel::max(high, model);
    if (base[k] < 0.5) continue;
    clear += 1;
    on += spinel::fabs(rest[k]) < near ? 1 : 0;
  }
  out.inliers = clear > 0 ? on / clear : 0.0;
  out.top = high;
  out.excursion = high - low;
  return out;
}
}  // namespace detail

/// Qubit spectrum over flux: verdict facts first, then the arc.
template <class Memory>
void analyze_flux_spectrum(const Request& request, Decision& decision, Memory& workspace) noexcept {
  auto& facts = decision.facts;
  const auto ridge = detail::open_map(request, decision, workspace);
  if (ridge.error != nullptr) return;
  const std::size_t n = ridge.bias.size();
  auto weight = workspace.take(n), rest = workspace.take(n), base = workspace.take(n), widths = workspace.take(n);
  if (workspace.overflowed() || !(facts.span > 0)) return;
  double seen = 0, twice = 0;
  std::size_t clear = 0;
  facts.snr = 0;
  for (std::size_t k = 0; k < n; ++k) {
    const bool good = ridge.snr[k] > 4.5;
    seen += good ? 1 : 0;
    twice += good && ridge.second[k] > 2.8 && ridge.second[k] > 0.25 * ridge.snr[k] ? 1 : 0;
    base[k] = good ? 1.0 : 0.02;
    facts.snr = spinel::max(facts.snr, ridge.snr[k]);
    if (good) widths[clear++] = ridge.width[k];
  }
  // Arcs seen: runs of three or more clear slices. A line that comes back has left the window only between its periods.
  facts.periods = 0;
  for (std::size_t k = 0, run = 0; k < n; ++k) {
    run = base[k] > 0.5 ? run + 1 : 0;
    facts.periods += run == 3 ? 1 : 0;
  }
  facts.resolved_fraction = seen / static_cast<double>(n);
  facts.second_fraction = seen > 0 ? twice / seen : 0.0;
  facts.dbic = 1e3;
  facts.constant = seen < 2;
  if (seen < 3) return;
  const double width = spinel::max(1.0, median(widths.first(clear))) * ridge.step;
  auto data = normalize(ridge.bias, ridge.frequency, weight, 0.5 * (ridge.bias[0] + ridge.bias[n - 1]), facts.span, true, workspace);
  if (workspace.overflowed()) return;
  const double near = spinel::max(2.5 * ridge.step, 0.75 * width) / data.y_scale;
  // Steps of the clear ridge from slice to slice, beyond a line and what a smooth arc of this excursion makes.
  {
    ScratchScope scope{workspace};
    auto turn = workspace.take(n);
    if (turn.empty()) return;
    std::size_t count = 0;
    for (std::size_t k = 2; k < n; ++k)
      if (base[k] > 0.5 && base[k - 1] > 0.5 && base[k - 2] > 0.5)
        turn[count++] = spinel::fabs(ridge.frequency[k] - 2 * ridge.frequency[k - 1] + ridge.frequency[k - 2]);
    facts.roughness = count > 0 ? median(turn.first(count)) / spinel::max(width, 1e-300) : 0.0;
  }
  const auto arc = detail::fit_ridge(Polynomial<2>{}, data, base, rest, {}, {}, nullptr, near, workspace);
  auto best = arc;
  decision.model = "parabola";
  double spot = spinel::fabs(arc.fit.linear[2]) > 1e-12 ? -0.5 * arc.fit.linear[1] / arc.fit.linear[2] : 0.0;
  if (arc.inliers < 0.9) {
    const auto periods = detail::log_grid(0.3, 3.0, 14, workspace);
    const auto spots = detail::linear_grid(-0.5, 0.5, 21, workspace);
    const Bounds bounds[3] = {{0.15, 6.0}, {-1.5, 1.5}, {0, 0}};
    const auto periodic = detail::fit_ridge(FluxArc{}, data, base, rest, periods, spots, bounds, near, workspace);
    if (periodic.inliers > best.inliers + 0.05) {
      best = periodic;
      spot = periodic.fit.theta[1];
      decision.model = "c0 sqrt|cos(pi (flux - spot)/period)| + c1";
      decision.add("flux_period", periodic.fit.theta[0] * facts.span, periodic.fit.theta_stderr[0] * facts.span, "1");
    }
  }
  {
    // What a quartic through the clear slices leaves, over the scatter between neighbors: an avoided crossing bends the ridge at one place.
    ScratchScope scope{workspace};
    for (std::size_t k = 0; k < n; ++k) data.weight[k] = base[k] > 0.5 ? 1.0 : 1e-3;
    Fitter<Polynomial<4>> fitter{Polynomial<4>{}, data.data(), workspace};
    auto turn = workspace.take(n);
    if (!fitter.ready() || turn.empty()) return;
    double linear[6], sum = 0;
    fitter.project(nullptr, linear);
    for (std::size_t k = 0; k < n; ++k) rest[k] = fitter.residual(k, linear);
    std::size_t count = 0;
    for (std::size_t k = 0; k < n; ++k) {
      if (base[k] < 0.5) continue;
      sum += rest[k] * rest[k] / static_cast<double>(clear);
      if (k >= 2 && base[k - 1] > 0.5 && base[k - 2] > 0.5) turn[count++] = spinel::fabs(rest[k] - 2 * rest[k - 1] + rest[k - 2]);
    }
    const double scatter = count > 0 ? 1.4826 * median(turn.first(count)) / spinel::sqrt(6.0) : 0.0;
    facts.misfit = spinel::sqrt(sum) / spinel::max(scatter, 0.35 * ridge.step / data.y_scale);
    // A periodic arc that every slice lies on is no misfit.
    if (best.inliers > 0.95 && best.inliers > arc.inliers) facts.misfit = missing;
  }
  facts.inlier_fraction = best.inliers;
  facts.tunability = best.excursion * data.y_scale / spinel::max(width, ridge.step);
  facts.center = spot + 0.5;
  facts.residual_fraction = missing;
  const double top = best.top * data.y_scale + data.y_shift;
  decision.add("sweetspot", spot * facts.span + data.x_shift, missing, "1");
  decision.add("sweetspot_frequency_Hz", top, best.fit.linear_stderr[0] * data.y_scale, "Hz");
  decision.add("resonance_freq_GHz", top * 1e-9, best.fit.linear_stderr[0] * data.y_scale * 1e-9, "GHz");
  decision.add("num_resonances", facts.second_fraction > 0.1 ? 2 : 1, 0, "1");
}

/// Coupler over flux: where the ridge changes from the branch above its usual frequency to the one below, or back, the coupler crosses.
template <class Memory>
void analyze_coupler_flux(const Request& request, Decision& decision, Memory& workspace) noexcept {
  auto& facts = decision.facts;
  const auto ridge = detail::open_map(request, decision, workspace);
  if (ridge.error != nullptr) return;
  const std::size_t n = ridge.bias.size();
  auto work = workspace.take(n), bias = workspace.take(n), f = workspace.take(n);
  if (workspace.overflowed()) return;
  std::size_t clear = 0;
  for (std::size_t k = 0; k < n; ++k) {
    facts.snr = spinel::isfinite(facts.snr) ? spinel::max(facts.snr, ridge.snr[k]) : ridge.snr[k];
    if (ridge.snr[k] < 4.5) continue;
    work[clear] = ridge.width[k];
    bias[clear] = ridge.bias[k];
    f[clear++] = ridge.frequency[k];
  }
  facts.resolved_fraction = static_cast<double>(clear) / static_cast<double>(n);
  facts.dbic = 1e3;
  facts.constant = clear < 5;
  facts.jumps = 0;
  facts.roughness = 1.0;
  if (facts.constant) return;
  const double width = spinel::max(1.0, median(work.first(clear))) * ridge.step;
  const double large = spinel::max(3 * ridge.step, 1.5 * width);
  double rough = 0, crossings = 0;
  // Branches pull apart toward a crossing: a jump counts when the ridge comes back to where it was on both sides.
  std::size_t last = 0;
  for (std::size_t k = 1; k < clear; ++k) {
    const double jump = f[k] - f[k - 1], over_two = k + 1 < clear ? f[k + 1] - f[k - 1] : jump;
    rough += spinel::fabs(jump) > 0.5 * large ? 1 : 0;
    if (spinel::max(spinel::fabs(jump), spinel::fabs(over_two)) <= large) continue;
    // Neighboring jumps are one crossing.
    if (last == 0 || k > last + 3) {
      crossings += 1;
      const bool here = spinel::fabs(jump) >= 0.6 * spinel::fabs(over_two);
      decision.list("crossing_voltages_V", here ? 0.5 * (bias[k] + bias[k - 1]) : bias[k], "V");
    }
    last = k;
  }
  for (std::size_t k = 0; k < clear; ++k) work[k] = f[k];
  const double usual = median(work.first(clear));
  facts.jumps = crossings;
  facts.roughness = rough / static_cast<double>(clear - 1);
  decision.model = "branch changes of the strongest line";
  decision.constraints.push_back("crossing: a jump of the ridge by more than 1.5 line widths between neighboring slices");
  decision.add("branch_frequency_Hz", usual, ridge.step, "Hz");
  decision.add("num_crossings", crossings, 0.0, "1");
}

}  // namespace spinel::calib
