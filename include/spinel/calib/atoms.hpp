// SPDX-License-Identifier: Apache-2.0
// Neutral-atom families: controlled-Z benchmarking (retention and polarization over the number of gates), microwave Ramsey fringes over the
// drive frequency, Rydberg spectroscopy with a pulse of fixed length (Rabi line shape). Source: Rabi, Phys. Rev. 51, 652 (1937).
#pragma once

#include <initializer_list>

#include <spinel/calib/oscillation.hpp>
#include <spinel/core/algorithm.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>

namespace spinel::calib {

/// c0 (r^2 / (r^2 + d^2)) sin^2(pi sqrt(r^2 + d^2) t) + c1 with d = x - f; theta = (f, r, t).
struct RabiLine {
  static constexpr int n_theta = 3, n_fixed = 0, n_linear = 2;
  void fill(Span<const double> x, const double* theta, double* const* columns) const noexcept {
    const double r2 = theta[1] * theta[1];
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double rate2 = r2 + (x[i] - theta[0]) * (x[i] - theta[0]);
      const double s = spinel::sin(spinel::pi * spinel::sqrt(rate2) * theta[2]);
      columns[0][i] = rate2 > 0 ? r2 / rate2 * s * s : 0.0;
      columns[1][i] = 1.0;
    }
  }
};

namespace detail {
/// Column whose name begins with `stem` and is not a standard error; -1: none.
inline int value_column(Span<const Column> columns, std::string_view stem) noexcept {
  for (std::size_t k = 1; k < columns.size(); ++k)
    if (starts_with(columns[k].name, stem) && columns[k].name.find("stderr") == std::string_view::npos) return static_cast<int>(k);
  return -1;
}
}  // namespace detail

/// Decay of retention and of polarization per gate, both toward zero: the gate loses atoms, or does not do what it should.
template <class Memory>
void analyze_cz_benchmarking(const Request& request, Decision& decision, Memory& workspace) noexcept {
  auto& facts = decision.facts;
  const int retention = detail::value_column(request.columns, "retention"), polarization = detail::value_column(request.columns, "polarization");
  const char* const names[2] = {"retention_per_cz", "cycle_polarization"};
  const int columns[2] = {retention >= 0 ? retention : polarization >= 0 ? -1 : 1, polarization};
  double value[2] = {1.0, 1.0};
  facts.snr = 1e3;
  for (int k = 0; k < 2; ++k) {
    if (columns[k] < 0) continue;
    ScratchScope scope{workspace};
    Column pair[3] = {request.columns[0], request.columns[static_cast<std::size_t>(columns[k])], {}};
    std::size_t count = 2;
    if (const auto next = static_cast<std::size_t>(columns[k]) + 1; next < request.columns.size() && request.columns[next].name.find("stderr") != std::string_view::npos) pair[count++] = request.columns[next];
    Request part = request;
    part.columns = Span<const Column>{pair, count};
    const auto signal = read_signal(part, 0, 1, Reduction::magnitude, workspace);
    if (!measure(signal, decision, workspace, 3) || facts.constant) return;
    const double reach = spinel::max(spinel::fabs(signal.x[0]), spinel::fabs(signal.x.back()));
    const auto data = normalize(signal.x, signal.y, signal.weight, 0.0, reach, false, workspace);
    if (workspace.overflowed()) return;
    const auto rates = detail::log_grid(1e-3, 12.0 * facts.n_distinct, 48, workspace);
    const Bounds bounds[3] = {{0.0, 40.0 * facts.n_distinct}, {0, 0}, {0, 0}};
    const Fit fit = fit_curve(ExponentialFixedOffset{0.0}, data.data(), rates, {}, bounds, workspace);
    value[k] = spinel::exp(-fit.theta[0] / reach);
    const double error = value[k] * fit.theta_stderr[0] / reach;
    decision.add(names[k], value[k], error, "1");
    if (k == 0) facts.relative_stderr = error / spinel::max(1 - 0.9 * value[k], 1e-3);
    if (!data.weight.empty()) {
      decision.redchi = fit.rss / spinel::max(1.0, facts.n - 2);
      decision.add(k == 0 ? "chi_squared_retention" : "chi_squared_polarization", decision.redchi, missing, "1");
    }
  }
  facts.contrast = value[0];
  facts.error = 1 - value[1];
  facts.dbic = 1e3;
  decision.model = "A p^n for retention and for polarization";
  decision.constraints.push_back("both decay to zero");
  decision.add("max_circuit_depth", decision.x_last, missing, "1");
}

/// Ramsey fringes over the drive frequency: the extremum nearest to zero is the detuning.
template <class Memory>
void analyze_fringes(const Request& request, Decision& decision, Memory& workspace) noexcept {
  auto& facts = decision.facts;
  const auto signal = read_signal(request, 0, 1, Reduction::principal_axis, workspace);
  if (!measure(signal, decision, workspace, 7)) return;
  facts.dbic = facts.snr = 0;
  if (facts.constant) return;
  const auto data = normalize(signal.x, signal.y, signal.weight, 0.0, facts.span, true, workspace);
  if (workspace.overflowed()) return;
  const Tone tone = fit_tone(data, 0.5 * (facts.n_distinct - 1), false, false, workspace);
  detail::oscillation_facts(tone, data, decision, workspace);
  const double half = 0.5 / tone.f, turns = -tone.phase / spinel::pi;
  double nearest = (turns - spinel::round(turns)) * half;
  // Extrema lie at (turns + k) half; with k such that the one nearest to zero is taken.
  if (spinel::fabs(nearest) > 0.5 * half) nearest -= spinel::copysign(half, nearest);
  const double error = half / spinel::pi * tone.fit.linear_stderr[1] / spinel::max(spinel::hypot(tone.fit.linear[0], tone.fit.linear[1]), 1e-12);
  double low = signal.y[0];
  for (const double y : signal.y) low = spinel::min(low, y);
  facts.detuning = nearest;
  facts.relative_stderr = error / (2 * half);
  decision.model = "A cos(2 pi (f - f0) T) + B over the drive frequency";
  decision.constraints.push_back("detuning: the extremum nearest to zero");
  decision.add("detuning_Hz", nearest, error, "Hz");
  decision.add("detuning_MHz", nearest * 1e-6, error * 1e-6, "MHz");
  decision.add("contrast", 2 * tone.amplitude, 2 * tone.fit.linear_stderr[0] * data.y_scale, "1");
  decision.add("retention_min", low, missing, "1");
}

/// Line of a resonance driven by a pulse of fixed length.
template <class Memory>
void analyze_rabi_line(const Request& request, Decision& decision, Memory& workspace) noexcept {
  auto& facts = decision.facts;
  const auto signal = read_signal(request, 0, 1, Reduction::principal_axis, workspace);
  if (!measure(signal, decision, workspace, 8)) return;
  facts.contrast = facts.snr = facts.dbic = 0;
  if (facts.constant) return;
  const std::size_t n = signal.x.size();
  const double middle = 0.5 * (signal.x[0] + signal.x[n - 1]);
  const auto data = normalize(signal.x, signal.y, signal.weight, middle, facts.span, true, workspace);
  if (workspace.overflowed()) return;
  // The line is even about its center: places are tried around the centroid of what leaves the median.
  double sum = 0, moment = 0;
  {
    ScratchScope scope{workspace};
    auto copy = workspace.take(n);
    if (copy.empty()) return;
    for (std::size_t k = 0; k < n; ++k) copy[k] = data.y[k];
    const double base = median(copy);
    for (std::size_t k = 0; k < n; ++k) {
      const double away = (data.y[k] - base) * (data.y[k] - base);
      sum += away;
      moment += away * data.x[k];
    }
  }
  const double centroid = sum > 0 ? moment / sum : 0.0;
  const auto places = detail::linear_grid(spinel::max(-0.5, centroid - 0.12), spinel::min(0.5, centroid + 0.12), 5, workspace);
  const Bounds bounds[3] = {{-0.6, 0.6}, {0.01, 2.0}, {0.05, 400.0}};
  Fitter<RabiLine> fitter{RabiLine{}, data.data(), workspace};
  if (!fitter.ready()) return;
  Fit best;
  for (const double rabi : {0.035, 0.05, 0.07, 0.09, 0.12, 0.16, 0.21, 0.28, 0.38}) {
    const double rates[1] = {rabi};
    double start[3], linear[6], chosen[3]{}, lowest = spinel::infinity;
    for (const double area : {0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5}) {
      fitter.search(places, rates, area / rabi, start);
      const double rss = fitter.project(start, linear);
      if (rss < lowest) {
        lowest = rss;
        for (int k = 0; k < 3; ++k) chosen[k] = start[k];
      }
    }
    const Fit fit = fitter.refine(chosen, bounds, 25);
    if (fit.rss < best.rss) best = fit;
  }
  const double sigma = spinel::sqrt(best.rss / spinel::max(1.0, facts.n - 5)) * (data.weight.empty() ? 1.0 : 0.0);
  facts.dbic = constant_bic(data.data()) - best.bic();
  const double s = spinel::sin(spinel::pi * best.theta[1] * best.theta[2]);
  facts.contrast = spinel::fabs(best.linear[0]) * s * s * data.y_scale;
  facts.snr = sigma > 0 ? facts.contrast / data.y_scale / sigma : facts.contrast / spinel::max(facts.noise, 1e-12);
  facts.center = best.theta[0] + 0.5;
  decision.keep(best);
  facts.relative_stderr = best.theta_stderr[0] / spinel::max(best.theta[1], 1e-9);
  if (!data.weight.empty()) decision.redchi = best.rss / spinel::max(1.0, facts.n - 5);
  const double f0 = best.theta[0] * facts.span + middle, rabi = best.theta[1] * facts.span, t = best.theta[2] / facts.span;
  decision.model = "Rabi line: A r^2/(r^2 + d^2) sin^2(pi sqrt(r^2 + d^2) t) + B";
  decision.constraints.push_back("contrast: depth of the line at its center");
  decision.add("frequency_Hz", f0, best.theta_stderr[0] * facts.span, "Hz");
  decision.add("f0_kHz", f0 * 1e-3, best.theta_stderr[0] * facts.span * 1e-3, "kHz");
  decision.add("t_ns", t * 1e9, best.theta_stderr[2] / facts.span * 1e9, "ns");
  decision.add("f_Rabi_MHz", rabi * 1e-6, best.theta_stderr[1] * facts.span * 1e-6, "MHz");
  decision.add("contrast", facts.contrast, missing, "1");
  if (spinel::isfinite(decision.redchi)) decision.add("chi_squared", decision.redchi, missing, "1");
}

}  // namespace spinel::calib
