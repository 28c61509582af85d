// SPDX-License-Identifier: Apache-2.0
// Spectroscopy: one line and its rival, two lines; for resonators the complex notch model when the phase was measured. A second
// line 40 to 250 MHz away is read as the two-photon transition f02/2, so that the stronger line does not pass for f01.
#pragma once

#include <initializer_list>

#include <spinel/calib/decay.hpp>
#include <spinel/calib/facts.hpp>
#include <spinel/core/algorithm.hpp>
#include <spinel/core/math.hpp>

namespace spinel::calib {

/// One Lorentzian line in SI units; `width` is the half width at half maximum.
struct Line {
  Fit fit{};
  double f = 0, f_stderr = 0, width = 0, width_stderr = 0, height = 0, dbic = -1e9;
};

namespace detail {
template <Curve C>
Line fit_line(const C& curve, const Normalized& data, double step, Workspace& workspace) noexcept {
  ScratchScope scope{workspace};
  Line line;
  const std::size_t n = data.x.size();
  const std::size_t places = spinel::min<std::size_t>(n, 160);
  auto centers = workspace.take(places);
  for (std::size_t k = 0; k < centers.size(); ++k) centers[k] = data.x[k * (n - 1) / (places - 1)];
  const auto widths = log_grid(0.7 * step, 0.4, 6, workspace);
  const Bounds bounds[3] = {{data.x[0], data.x[n - 1]}, {0.25 * step, 3.0}, {0, 0}};
  line.fit = fit_curve(curve, data.data(), centers, widths, bounds, workspace);
  line.f = line.fit.theta[0] * data.x_scale + data.x_shift;
  line.f_stderr = line.fit.theta_stderr[0] * data.x_scale;
  line.width = line.fit.theta[1] * data.x_scale;
  line.width_stderr = line.fit.theta_stderr[1] * data.x_scale;
  line.height = line.fit.linear[0] * data.y_scale;
  // The rival is a sloping background: a slope alone is no line.
  line.dbic = fit_curve(Polynomial<1>{}, data.data(), {}, {}, nullptr, workspace).bic() - line.fit.bic();
  return line;
}

/// Complex notch fit over (re, im); true when it explains the complex data better than its own background by 20 in the BIC.
template <class Memory>
bool fit_notch(const Signal& signal, const Line& guess, Decision& decision, Memory& workspace) noexcept {
  ScratchScope scope{workspace};
  const std::size_t n = signal.x.size();
  auto x = workspace.take(2 * n), y = workspace.take(2 * n);
  if (workspace.overflowed() || n < 12) return false;
  const double span = decision.facts.span, middle = 0.5 * (signal.x[0] + signal.x[n - 1]);
  double scale = 0;
  for (std::size_t k = 0; k < n; ++k) scale += spinel::hypot(signal.re[k], signal.im[k]) / static_cast<double>(n);
  if (!(scale > 0)) return false;
  // Delay: mean phase advance between neighbors, unaffected by where the phase wraps. The line itself adds no net advance.
  double advance = 0;
  for (std::size_t k = 0; k < n; ++k) {
    x[k] = x[n + k] = (signal.x[k] - middle) / span;
    y[k] = signal.re[k] / scale;
    y[n + k] = signal.im[k] / scale;
    if (k > 0) {
      const double re = y[k] * y[k - 1] + y[n + k] * y[n + k - 1], im = y[n + k] * y[k - 1] - y[k] * y[n + k - 1];
      advance += spinel::atan2(im, re);
    }
  }
  const double step = 1.0 / static_cast<double>(n - 1);
  Fitter<NotchResonator> fitter{NotchResonator{}, {x, y, {}}, workspace};
  if (!fitter.ready()) return false;
  const Bounds bounds[3] = {{-0.5, 0.5}, {0.3 * step, 1.0}, {-0.5 / step, 0.5 / step}};
  const double at = (guess.f - middle) / span, reach = spinel::max(2 * step, 1.5 * guess.width / span);
  const auto centers = linear_grid(spinel::max(-0.5, at - reach), spinel::min(0.5, at + reach), 15, workspace);
  const double wide = spinel::min(0.3, spinel::max(step, guess.width / span));
  const double widths[4] = {0.5 * wide, wide, 1.5 * wide, 2.2 * wide};
  Fit best;
  for (const double winding : {0.0, 1.0, -1.0}) {
    const double delay = -(advance / two_pi + winding);
    double start[3];
    fitter.search(centers, widths, delay, start);
    const Fit fit = fitter.refine(start, bounds);
    if (fit.rss < best.rss) best = fit;
  }
  if (!spinel::isfinite(best.rss)) return false;
  // Rival: the same background without the line.
  double background_rss = 0;
  {
    double theta[3] = {0.0, 50.0, best.theta[2]}, linear[6];
    background_rss = fitter.project(theta, linear);
  }
  const double m = 2.0 * static_cast<double>(n);
  const double gain = m * spinel::log(background_rss / best.rss) - 4 * spinel::log(m);
  const double sigma = spinel::sqrt(best.rss / (m - 7));
  const double depth = spinel::hypot(best.linear[2], best.linear[3]);
  if (gain < 20 || depth < 4 * sigma || best.theta[1] > 0.5 || best.theta_stderr[0] > 0.5 * best.theta[1]) return false;
  const double f = best.theta[0] * span + middle, half = best.theta[1] * span;
  const double f_error = best.theta_stderr[0] * span, half_error = best.theta_stderr[1] * span;
  const double base = spinel::hypot(best.linear[0], best.linear[1]);
  const double loaded = f / (2 * half), loaded_error = loaded * half_error / half;
  decision.keep(best);
  decision.model = "notch resonator, complex: a (1 - (Q/Qe) / (1 + 2 i Q (f - f0)/f0)) exp(-2 pi i f t)";
  decision.constraints.push_back("frequency, Q and delay from the complex signal; flat background");
  decision.add("frequency_Hz", f, f_error, "Hz");
  decision.add("Q_loaded", loaded, loaded_error, "1");
  const double external = loaded * base / depth;
  const double depth_error = spinel::max(best.linear_stderr[2], best.linear_stderr[3]);
  decision.add("Q_external_mag", external, external * spinel::hypot(loaded_error / loaded, depth_error / depth), "1");
  // 1/Qi = 1/Ql - Re(1/Qe): the real part keeps the asymmetry out of the internal losses.
  const double ratio = -(best.linear[2] * best.linear[0] + best.linear[3] * best.linear[1]) / (base * base);
  if (ratio < 1) decision.add("Q_internal", loaded / (1 - ratio), loaded_error / (1 - ratio), "1");
  decision.add("width_Hz", half, half_error, "Hz");
  decision.add("kappa_Hz", half, half_error, "Hz");
  decision.add("contrast", depth / base, depth_error / base, "1");
  auto& facts = decision.facts;
  facts.dbic = spinel::max(facts.dbic, gain);
  facts.snr = spinel::max(facts.snr, depth / sigma);
  facts.center = (f - signal.x[0]) / span;
  facts.relative_stderr = f_error / half;
  facts.width_over_step = half / facts.step;
  facts.span_over_width = span / half;
  facts.residual_fraction = 0.0;
  facts.dbic_second = 0.0;
  return true;
}
}  // namespace detail

/// Resonator and qubit spectroscopy, one-dimensional.
template <class Memory>
void analyze_spectrum(const Request& request, Decision& decision, Memory& workspace) noexcept {
  auto& facts = decision.facts;
  const bool resonator = request.family == Family::res_spec;
  auto signal = read_signal(request, 0, 1, Reduction::magnitude, workspace);
  if (!measure(signal, decision, workspace, 8)) return;
  if (facts.constant) return;
  const std::size_t n = signal.x.size();
  const double middle = 0.5 * (signal.x[0] + signal.x[n - 1]);
  const double step = facts.step / facts.span;
  auto data = normalize(signal.x, signal.y, signal.weight, middle, facts.span, true, workspace);
  if (workspace.overflowed()) return;
  using Plain = Lorentzian<true, false>;
  Line line = detail::fit_line(Plain{}, data, step, workspace);
  if (!resonator && signal.has_complex && find_column(request.columns, "I", 1) >= 0) {
    double axis[2];
    principal_axis(signal.re, signal.im, axis, signal.axis_ratio);
    auto projected = workspace.take(n);
    if (workspace.overflowed()) return;
    for (std::size_t k = 0; k < n; ++k) projected[k] = signal.re[k] * axis[0] + signal.im[k] * axis[1];
    const auto rotated = normalize(signal.x, projected, {}, middle, facts.span, true, workspace);
    if (workspace.overflowed()) return;
    const Line turned = detail::fit_line(Plain{}, rotated, step, workspace);
    if (turned.dbic > line.dbic + 10 && line.dbic < 30) {
      line = turned;
      data = rotated;
      facts.noise = noise_level(projected, workspace);
      decision.constraints.push_back("signal: principal axis of I and Q");
    }
  }
  if (!spinel::isfinite(line.fit.rss)) return;
  decision.model = "Lorentzian + slope + offset";
  facts.dbic = line.dbic;
  const double sigma = spinel::sqrt(line.fit.rss / spinel::max(1.0, facts.n - 5)) * (data.weight.empty() ? data.y_scale : 0.0);
  facts.snr = sigma > 0 ? spinel::fabs(line.height) / sigma : (facts.noise > 0 ? spinel::fabs(line.height) / facts.noise : 1e9);
  facts.contrast = spinel::fabs(line.height);
  facts.center = (line.f - signal.x[0]) / facts.span;
  facts.relative_stderr = line.f_stderr / line.width;
  facts.correlation = line.fit.correlation;
  facts.width_over_step = line.width / facts.step;
  facts.span_over_width = facts.span / line.width;
  facts.width = line.width;
  decision.keep(line.fit);

  // Model-free count of lines: smoothed extremes on the line's side, of at least a third of the highest and six noise levels, with a valley
  // between neighbors. Three lines defeat a search that takes away one at a time.
  {
    const double sign = line.height < 0 ? -1.0 : 1.0;
    ScratchScope scope{workspace};
    auto copy = workspace.take(n);
    if (copy.empty()) return;
    for (std::size_t k = 0; k < n; ++k) copy[k] = data.y[k];
    const double base = median(copy), level = spinel::fabs(base * data.y_scale + data.y_shift), noise = noise_level(data.y, workspace);
    if (signal.has_complex || find_column(request.columns, "magnitude", 1) >= 0) facts.depth = spinel::fabs(line.height) / spinel::max(level, 1e-300);
    double highest = 0;
    const auto smooth = [&](std::size_t k) { return sign * ((data.y[k - 1] + 2 * data.y[k] + data.y[k + 1]) / 4 - base); };
    for (std::size_t k = 1; k + 1 < n; ++k) highest = spinel::max(highest, smooth(k));
    const double enough = spinel::max(highest / 3, 6 * noise);
    double peak = 0, valley = 0, lines = 0;
    for (std::size_t k = 1; k + 1 < n; ++k) {
      const double v = smooth(k);
      if (v > enough && (lines == 0 || valley < 0.4 * spinel::min(peak, v))) {
        lines += 1;
        peak = v;
        valley = v;
      }
      peak = spinel::max(peak, v);
      valley = spinel::min(valley, v);
      if (v > 0.9 * peak) valley = v;
    }
    facts.lines = lines;
  }

  // The second line, in what the first leaves.
  double other_f = missing, other_error = 0;
  {
    ScratchScope scope{workspace};
    auto rest = workspace.take(n);
    if (rest.empty()) return;
    {
      Fitter<Plain> fitter{Plain{}, data.data(), workspace};
      if (!fitter.ready()) return;
      facts.residual_fraction = systematic_residual(fitter, line.fit, spinel::fabs(line.height) / data.y_scale, facts.residual_z);
      double linear[6];
      fitter.project(line.fit.theta, linear);
      for (std::size_t k = 0; k < n; ++k) rest[k] = fitter.residual(k, linear);
    }
    const auto left = normalize(signal.x, rest, {}, middle, facts.span, true, workspace);
    if (workspace.overflowed()) return;
    const Line other = detail::fit_line(Plain{}, left, step, workspace);
    const double ratio = other.height * data.y_scale / line.height;
    facts.second_ratio = ratio;
    facts.dbic_second = other.dbic;
    const double other_sigma = spinel::sqrt(other.fit.rss / spinel::max(1.0, facts.n - 5)) * left.y_scale;
    const bool apart = spinel::fabs(other.f - line.f) > 2.5 * (other.width + line.width) && other.width < 5 * line.width && other.width > 0.5 * facts.step;
    if (!apart || spinel::fabs(other.height) < 5 * other_sigma || ratio < 0.2) facts.dbic_second = 0.0;
    if (facts.dbic_second > 10) {
      other_f = other.f;
      other_error = other.f_stderr;
      Fitter<Plain> fitter{Plain{}, left.data(), workspace};
      if (fitter.ready()) {
        const double height = spinel::fabs(line.height) / data.y_scale;
        facts.residual_fraction = systematic_residual(fitter, other.fit, height / left.y_scale, facts.residual_z);
        facts.snr = spinel::max(facts.snr, height / spinel::max(other_sigma, 1e-300));
      }
      const double gap = spinel::fabs(other.f - line.f);
      facts.f02_half = !resonator && gap > 40e6 && gap < 250e6;
    }
  }
  // A second resonator counts when it is a line of its own and no flank of the first.
  const bool two_resonators = resonator && spinel::isfinite(other_f) && facts.second_ratio > 0.3;
  if (resonator && !two_resonators && signal.has_complex && detail::fit_notch(signal, line, decision, workspace)) {
    decision.add("resonance_freq_GHz", decision.params[0].value * 1e-9, decision.params[0].stderr_value * 1e-9, "GHz");
    return;
  }
  double f = line.f, f_error = line.f_stderr;
  if (facts.f02_half && other_f > line.f) {
    f = other_f;
    f_error = other_error;
  }
  if (facts.f02_half) {
    decision.add("f02_half_Hz", spinel::min(line.f, other_f), spinel::max(f_error, other_error), "Hz");
    decision.constraints.push_back("two lines: the lower is read as f02/2, the upper as f01 (negative anharmonicity)");
  } else if (spinel::isfinite(other_f)) {
    decision.add("frequency2_Hz", other_f, other_error, "Hz");
  }
  decision.constraints.push_back("width_Hz and kappa_Hz: half width at half maximum");
  decision.add("frequency_Hz", f, f_error, "Hz");
  decision.add("width_Hz", line.width, line.width_stderr, "Hz");
  decision.add("kappa_Hz", line.width, line.width_stderr, "Hz");
  decision.add("fwhm_Hz", 2 * line.width, 2 * line.width_stderr, "Hz");
  if (two_resonators) {
    decision.list("resonance_freq_GHz", spinel::min(line.f, other_f) * 1e-9, "GHz");
    decision.list("resonance_freq_GHz", spinel::max(line.f, other_f) * 1e-9, "GHz");
  } else {
    decision.add("resonance_freq_GHz", f * 1e-9, f_error * 1e-9, "GHz");
  }
  decision.features.push_back({"resonance_type", line.height > 0 ? "peak" : "dip"});
  decision.add("num_resonances", spinel::isfinite(other_f) ? 2 : 1, 0, "1");
  if (resonator) {
    decision.add("Q_loaded", line.f / (2 * line.width), line.f / (2 * line.width) * line.width_stderr / line.width, "1");
    // Over the level that the line stands on, where the signal has one.
    const double unit = spinel::isfinite(facts.depth) ? facts.depth / facts.contrast : 1.0;
    if (two_resonators) {
      const double other = facts.second_ratio * facts.contrast * unit, own = facts.contrast * unit;
      decision.list("contrast", line.f < other_f ? own : other, "1");
      decision.list("contrast", line.f < other_f ? other : own, "1");
    } else {
      decision.add("contrast", facts.contrast * unit, line.fit.linear_stderr[0] * data.y_scale * unit, "1");
    }
  }
}

/// Two spectra of one resonator, qubit in 0 and in 1: the shift between the two lines.
template <class Memory>
void analyze_dispersive_shift(const Request& request, Decision& decision, Memory& workspace) noexcept {
  auto& facts = decision.facts;
  // The second series starts at the next signal column: after I and Q, or after magnitude and phase, or the next single one.
  std::size_t next = 2;
  for (std::size_t k = 2; k < request.columns.size(); ++k) {
    const auto name = request.columns[k].name;
    if (starts_with(name, "Q") || starts_with(name, "phase")) continue;
    next = k;
    break;
  }
  Line lines[2];
  for (int state = 0; state < 2; ++state) {
    const auto signal = read_signal(request, 0, state == 0 ? 1 : next, Reduction::magnitude, workspace);
    if (!measure(signal, decision, workspace, 8) || facts.constant) return;
    const double middle = 0.5 * (signal.x[0] + signal.x.back());
    const auto data = normalize(signal.x, signal.y, {}, middle, facts.span, true, workspace);
    if (workspace.overflowed()) return;
    lines[state] = detail::fit_line(Lorentzian<true, true>{}, data, facts.step / facts.span, workspace);
  }
  decision.model = "two Lorentzians with dispersive part";
  facts.dbic = spinel::min(lines[0].dbic, lines[1].dbic);
  facts.snr = 1e3;
  facts.center = (lines[0].f - decision.x_first) / facts.span;
  facts.relative_stderr = spinel::max(lines[0].f_stderr, lines[1].f_stderr) / lines[0].width;
  facts.width_over_step = lines[0].width / facts.step;
  facts.span_over_width = facts.span / lines[0].width;
  const double error = spinel::hypot(lines[0].f_stderr, lines[1].f_stderr);
  decision.add("frequency_state0_Hz", lines[0].f, lines[0].f_stderr, "Hz");
  decision.add("frequency_state1_Hz", lines[1].f, lines[1].f_stderr, "Hz");
  decision.add("chi_Hz", 0.5 * (lines[1].f - lines[0].f), 0.5 * error, "Hz");
  decision.add("frequency_Hz", 0.5 * (lines[0].f + lines[1].f), 0.5 * error, "Hz");
  decision.constraints.push_back("chi: half the shift from state 0 to state 1");
}

}  // namespace spinel::calib
