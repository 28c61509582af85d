// SPDX-License-Identifier: Apache-2.0
// Oscillations: Rabi, Ramsey of every kind, ZZ. A cosine with free phase and optional exponential envelope; the rivals are a second
// tone and a bare decay. Aliased Ramsey fringes are unfolded against the virtual detuning and flagged. The frequency grid runs to
// the Nyquist frequency of the sweep.
#pragma once

#include <initializer_list>

#include <spinel/calib/decay.hpp>
#include <spinel/calib/facts.hpp>
#include <spinel/core/algorithm.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>

namespace spinel::calib {

/// One tone in SI units; `phase` as in cos(2 pi f x + phase).
struct Tone {
  Fit fit{};
  bool damped = false;
  double f = 0, f_stderr = 0, t = 0, t_stderr = 0, phase = 0, amplitude = 0, offset = 0, bic = 0;
};

namespace detail {
/// Frequencies in units of one over the span: fine where less than two periods fit, then four a period.
inline Span<double> frequency_grid(double nyquist, Workspace& workspace) noexcept {
  const double top = spinel::min(nyquist, 400.0);
  std::size_t count = 0;
  const auto whole = workspace.take(static_cast<std::size_t>(4.0 * top) + 24);
  for (double f = 0.1; f < 2.0 && f < top && count < whole.size(); f += 0.125) whole[count++] = f;
  for (double f = 2.0; f <= top && count < whole.size(); f += 0.25) whole[count++] = f;
  return whole.first(count);
}
}  // namespace detail

/// Fits one tone to a signal; `allow_damping` also tries the envelope and keeps it when the BIC falls by 6 or `force`.
inline Tone fit_tone(const Normalized& data, double nyquist, bool allow_damping, bool force, Workspace& workspace) noexcept {
  ScratchScope scope{workspace};
  Tone tone;
  const auto frequencies = detail::frequency_grid(nyquist, workspace);
  if (frequencies.empty()) return tone;
  const Bounds bounds[3] = {{0.02, nyquist}, {0.0, 3.0 * nyquist + 10.0}, {0, 0}};
  Fit plain;
  if (!force || !allow_damping) plain = fit_curve(Cosine{data.uniform}, data.data(), frequencies, {}, bounds, workspace);
  tone.fit = plain;
  if (allow_damping) {
    const double dampings[3] = {0.3, 2.0, 8.0};
    const Fit damped = fit_curve(DampedCosine{data.uniform}, data.data(), frequencies, dampings, bounds, workspace);
    if (force || damped.bic() < plain.bic() - 6.0) {
      tone.fit = damped;
      tone.damped = true;
    }
  }
  const double scale = data.x_scale;
  tone.f = tone.fit.theta[0] / scale;
  tone.f_stderr = tone.fit.theta_stderr[0] / scale;
  const double rate = tone.damped ? tone.fit.theta[1] : 0.0;
  tone.t = rate > 0 ? scale / rate : spinel::infinity;
  tone.t_stderr = rate > 0 ? tone.t * tone.fit.theta_stderr[1] / rate : spinel::infinity;
  tone.phase = spinel::atan2(-tone.fit.linear[1], tone.fit.linear[0]) - two_pi * tone.fit.theta[0] * (data.x_shift / scale);
  tone.amplitude = spinel::hypot(tone.fit.linear[0], tone.fit.linear[1]) * data.y_scale;
  tone.offset = tone.fit.linear[2] * data.y_scale + data.y_shift;
  tone.bic = tone.fit.bic();
  return tone;
}

namespace detail {
/// Facts common to every oscillation.
inline void oscillation_facts(const Tone& tone, const Normalized& data, Decision& decision, Workspace& workspace) noexcept {
  auto& facts = decision.facts;
  facts.dbic = constant_bic(data.data()) - tone.bic;
  facts.periods = tone.f * facts.span;
  facts.points_per_period = 1.0 / (tone.f * facts.step);
  facts.relative_stderr = tone.f_stderr / tone.f;
  facts.correlation = tone.fit.correlation;
  facts.envelope = tone.damped ? spinel::exp(-facts.span / tone.t) : 1.0;
  facts.contrast = 2 * tone.amplitude;
  const double visible = 2 * tone.amplitude / data.y_scale;
  if (tone.damped) {
    Fitter<DampedCosine> fitter{DampedCosine{data.uniform}, data.data(), workspace};
    if (fitter.ready()) facts.residual_fraction = systematic_residual(fitter, tone.fit, visible);
  } else {
    Fitter<Cosine> fitter{Cosine{data.uniform}, data.data(), workspace};
    if (fitter.ready()) facts.residual_fraction = systematic_residual(fitter, tone.fit, visible);
  }
  double rss = 0.0;
  for (std::size_t k = 0; k < data.y.size(); ++k) {
    const double envelope = tone.damped ? spinel::exp(-tone.fit.theta[1] * spinel::fabs(data.x[k])) : 1.0;
    const double turn = two_pi * tone.fit.theta[0] * data.x[k];
    const double r = data.y[k] - envelope * (tone.fit.linear[0] * spinel::cos(turn) + tone.fit.linear[1] * spinel::sin(turn)) - tone.fit.linear[2];
    rss += r * r;
  }
  const double sigma = spinel::sqrt(rss / spinel::max(1.0, facts.n - 5));
  facts.snr = sigma > 0 ? visible * spinel::sqrt(spinel::max(facts.envelope, 0.05)) / sigma : 1e9;
  if (!data.weight.empty()) {
    double chi2 = 0.0;
    chi2 = tone.fit.rss;
    decision.redchi = chi2 / spinel::max(1.0, facts.n - tone.fit.unknowns);
  }
}

/// Evidence for a second tone beside `tone`; the two frequencies in units of one over the scale in `pair`.
inline void second_tone(const Tone& tone, const Normalized& data, double nyquist, Facts& facts, Fit& pair, Workspace& workspace) noexcept {
  if (data.x.size() < 20) return;
  ScratchScope scope{workspace};
  const auto frequencies = frequency_grid(nyquist, workspace);
  Fitter<TwoTones> fitter{TwoTones{data.uniform}, data.data(), workspace};
  if (!fitter.ready()) return;
  const double rate = tone.damped ? tone.fit.theta[1] : 0.0;
  const double f1[1] = {tone.fit.theta[0]};
  double start[3], lowest = spinel::infinity;
  const Bounds bounds[3] = {{0.02, nyquist}, {0.02, nyquist}, {0.0, 3.0 * nyquist}};
  // The single tone may have settled between the two: both a kept and a displaced first tone are tried, and a slower decay.
  for (const double slower : {1.0, 0.4}) {
    double candidate[3];
    fitter.search(f1, frequencies, rate * slower, candidate);
    const Fit fit = fitter.refine(candidate, bounds, 40);
    if (fit.rss < lowest) {
      lowest = fit.rss;
      pair = fit;
    }
    for (int k = 0; k < 3; ++k) start[k] = candidate[k];
  }
  for (const double gap : {0.4, 0.8, 1.6}) {
    start[0] = spinel::max(0.1, tone.fit.theta[0] - 0.5 * gap);
    start[1] = tone.fit.theta[0] + 0.5 * gap;
    start[2] = 0.4 * rate;
    const Fit fit = fitter.refine(start, bounds, 40);
    if (fit.rss < lowest) {
      lowest = fit.rss;
      pair = fit;
    }
  }
  const double first = spinel::hypot(pair.linear[0], pair.linear[1]), second = spinel::hypot(pair.linear[2], pair.linear[3]);
  facts.dbic_second = tone.bic - pair.bic();
  facts.second_ratio = spinel::min(first, second) / spinel::max(first, second);
  // Tones closer than half a period over the window are one tone with another envelope.
  if (spinel::fabs(pair.theta[0] - pair.theta[1]) < 0.5 || spinel::min(pair.theta[0], pair.theta[1]) < 0.6) facts.dbic_second = 0.0;
}
}  // namespace detail

/// Rabi over amplitude or length. `pi_amplitude` is the extremum nearest to half a period; `half_period` and `period` beside it.
inline void analyze_rabi(const Request& request, Decision& decision, Workspace& workspace) noexcept {
  auto& facts = decision.facts;
  const auto signal = read_signal(request, 0, 1, Reduction::principal_axis, workspace);
  if (!measure(signal, decision, workspace, 6) || facts.constant) return;
  const auto data = normalize(signal.x, signal.y, signal.weight, 0.0, facts.span, true, workspace);
  if (workspace.overflowed()) return;
  const double nyquist = 0.5 * (facts.n_distinct - 1);
  const Tone tone = fit_tone(data, nyquist, signal.x[0] >= 0, false, workspace);
  if (!spinel::isfinite(tone.fit.rss)) return;
  detail::oscillation_facts(tone, data, decision, workspace);
  decision.model = tone.damped ? "A exp(-x/T) cos(2 pi f x + p) + B" : "A cos(2 pi f x + p) + B";
  decision.constraints.push_back("phase and offset free");
  decision.constraints.push_back("pi_amplitude: the extremum nearest to half a period; half_period: 1/(2 f)");
  const double half = 0.5 / tone.f, half_error = half * tone.f_stderr / tone.f;
  const double turns = tone.phase / spinel::pi;
  const double extremum = (spinel::round(1.0 + turns) - turns) * half;
  const char* unit = signal.x_unit == "V" ? "V" : signal.x_unit == "s" ? "s" : "1";
  const char* name = signal.x_unit == "s" ? "pi_length_s" : "pi_amplitude";
  decision.add(name, extremum, half_error, unit);
  if (signal.x_unit == "V") decision.add("pi_amplitude_V", extremum, half_error, unit);
  decision.add("half_period", half, half_error, unit);
  decision.add("period", 2 * half, 2 * half_error, unit);
  decision.add("periods_visible", facts.periods, facts.periods * facts.relative_stderr, "1");
}

/// Ramsey families and ZZ (one trace with the echoed control, or one trace for each control state).
inline void analyze_ramsey(const Request& request, Decision& decision, Workspace& workspace) noexcept {
  auto& facts = decision.facts;
  const auto& meta = request.meta;
  const auto signal = read_signal(request, 0, 1, Reduction::principal_axis, workspace);
  if (!measure(signal, decision, workspace, 7) || facts.constant) return;
  const auto data = normalize(signal.x, signal.y, signal.weight, 0.0, facts.span, !signal.calibrated, workspace);
  if (workspace.overflowed()) return;
  const double nyquist = 0.5 * (facts.n_distinct - 1);
  Tone tone = fit_tone(data, nyquist, true, true, workspace);
  if (!spinel::isfinite(tone.fit.rss)) return;
  detail::oscillation_facts(tone, data, decision, workspace);
  decision.model = "A exp(-t/T) cos(2 pi f t + p) + B";
  Fit pair;
  detail::second_tone(tone, data, nyquist, facts, pair, workspace);
  if (facts.dbic_second > 20) {
    // Two tones are a signal even where one tone alone explains little: noise is what both leave.
    const double sigma = spinel::sqrt(pair.rss / spinel::max(1.0, facts.n - 8));
    const double first = spinel::max(spinel::hypot(pair.linear[0], pair.linear[1]), spinel::hypot(pair.linear[2], pair.linear[3]));
    facts.dbic += facts.dbic_second;
    if (sigma > 0 && data.weight.empty()) facts.snr = spinel::max(facts.snr, 2 * first / sigma);
  }
  {
    const Bounds bounds[3] = {{1e-3, 4.0 * facts.n_distinct}, {0, 0}, {0, 0}};
    const auto rates = detail::log_grid(0.02, 1.5 * facts.n_distinct, 32, workspace);
    facts.dbic_other = fit_curve(Exponential{}, data.data(), rates, {}, bounds, workspace).bic() - tone.bic;
  }
  const bool hold = signal.calibrated && meta.offset != Constraint::free && (meta.amplitude == Constraint::fixed || (meta.cal_points == 2 && meta.amplitude == Constraint::by_default));
  if (hold) {
    const Bounds bounds[3] = {{0.02, nyquist}, {0.0, 3.0 * nyquist}, {-20.0, 20.0}};
    const double start[3] = {tone.fit.theta[0], tone.fit.theta[1], tone.phase};
    Fitter<CalibratedCosine> fitter{CalibratedCosine{}, data.data(), workspace};
    if (fitter.ready()) {
      const Fit fit = fitter.refine(start, bounds);
      tone.f = fit.theta[0] / facts.span;
      tone.f_stderr = fit.theta_stderr[0] / facts.span;
      tone.t = facts.span / fit.theta[1];
      tone.t_stderr = tone.t * fit.theta_stderr[1] / fit.theta[1];
      decision.constraints.push_back("offset = 0.5, amplitude = 0.5 (calibration points), phase free");
    }
  } else {
    decision.constraints.push_back("amplitude, offset and phase free");
  }
  facts.window_over_t = facts.span / tone.t;
  facts.points_per_t = tone.t / facts.step;

  double f = tone.f;
  const double nyquist_Hz = 0.5 / facts.step, sample_Hz = 1.0 / facts.step;
  const double requested = meta.virtual_detuning_Hz;
  if (spinel::isfinite(requested) && spinel::fabs(requested) > 0) {
    facts.nyquist_ratio = spinel::fabs(requested) / nyquist_Hz;
    if (facts.nyquist_ratio > 0.8) {
      // Candidates k fs +- f; the one nearest to the virtual detuning is the most economical reading.
      double best = f;
      for (int k = 0; k <= 16; ++k)
        for (const double candidate : {k * sample_Hz + f, k * sample_Hz - f})
          if (spinel::fabs(candidate - spinel::fabs(requested)) < spinel::fabs(best - spinel::fabs(requested))) best = candidate;
      if (best != f) decision.constraints.push_back("frequency unfolded against the virtual detuning: a hypothesis, not a measurement");
      f = best;
    }
    const double delta = spinel::fabs(requested) - f;
    decision.add("delta_phys_Hz", delta, tone.f_stderr, "Hz");
    facts.sign_known = spinel::fabs(delta) < 0.5 * spinel::fabs(requested) ? 1.0 : 0.0;
    if (spinel::isfinite(meta.qubit_frequency_Hz))
      decision.add("qubit_frequency_Hz", meta.qubit_frequency_Hz + delta, tone.f_stderr, "Hz");
    decision.constraints.push_back("delta_phys = virtual detuning - fitted frequency; new qubit frequency = old + delta_phys");
  }
  decision.add("frequency_Hz", f, tone.f_stderr, "Hz");
  if (spinel::isfinite(tone.t)) {
    decision.add("T2_star_s", tone.t, tone.t_stderr, "s");
    decision.add("T2_star_us", tone.t * 1e6, tone.t_stderr * 1e6, "us");
  }
  decision.add("detuning_MHz", f * 1e-6, tone.f_stderr * 1e-6, "MHz");
  decision.add("detuning_Hz", f, tone.f_stderr, "Hz");
  decision.add("fringes_visible", facts.periods, facts.periods * facts.relative_stderr, "1");
  if (request.family == Family::microwave_ramsey) decision.add("contrast", facts.contrast, 2 * tone.fit.linear_stderr[0] * data.y_scale, "1");
  if (facts.dbic_second > 10 && facts.second_ratio > 0.25) {
    const bool swap = spinel::hypot(pair.linear[0], pair.linear[1]) < spinel::hypot(pair.linear[2], pair.linear[3]);
    decision.add("frequency1_Hz", pair.theta[swap ? 1 : 0] / facts.span, pair.theta_stderr[swap ? 1 : 0] / facts.span, "Hz");
    decision.add("frequency2_Hz", pair.theta[swap ? 0 : 1] / facts.span, pair.theta_stderr[swap ? 0 : 1] / facts.span, "Hz");
  }

  if (request.family == Family::zz) {
    double zz = tone.f, zz_error = tone.f_stderr;
    int second = -1;
    for (std::size_t k = 2; k < request.columns.size(); ++k)
      if (starts_with(request.columns[k].name, "prob") || starts_with(request.columns[k].name, "signal") || starts_with(request.columns[k].name, "population")) second = static_cast<int>(k);
    if (second > 1) {
      const auto other = read_signal(request, 0, static_cast<std::size_t>(second), Reduction::principal_axis, workspace);
      if (other.error == nullptr && other.x.size() >= 7) {
        const auto other_data = normalize(other.x, other.y, other.weight, 0.0, facts.span, true, workspace);
        const Tone two = fit_tone(other_data, nyquist, true, true, workspace);
        decision.add("frequency_control_1_Hz", two.f, two.f_stderr, "Hz");
        zz = spinel::fabs(two.f - tone.f);
        zz_error = spinel::hypot(two.f_stderr, tone.f_stderr);
        facts.periods = spinel::max(facts.periods, two.f * facts.span);
        facts.points_per_period = spinel::min(facts.points_per_period, 1.0 / (two.f * facts.step));
        facts.relative_stderr = spinel::min(facts.relative_stderr, two.f_stderr / two.f);
        facts.dbic = spinel::max(facts.dbic, constant_bic(other_data.data()) - two.bic);
        decision.constraints.push_back("zz: difference of the frequencies with the control in 1 and in 0");
      }
    }
    decision.add("zz_abs_Hz", zz, zz_error, "Hz");
  }
}

}  // namespace spinel::calib
