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
/// Frequencies in units of one over the span: fine where less than four periods fit, then two a period, which leaves at most a quarter
/// period of walk-off at either end: inside the basin of the refinement.
inline Span<double> frequency_grid(double nyquist, Workspace& workspace) noexcept {
  const double top = spinel::min(nyquist, 400.0);
  std::size_t count = 0;
  const auto whole = workspace.take(static_cast<std::size_t>(2.0 * top) + 32);
  for (double f = 0.1; f < 2.0 && f < top && count < whole.size(); f += 0.125) whole[count++] = f;
  for (double f = 2.0; f < 4.0 && f < top && count < whole.size(); f += 0.25) whole[count++] = f;
  for (double f = 4.0; f <= top && count < whole.size(); f += 0.5) whole[count++] = f;
  return whole.first(count);
}
}  // namespace detail

namespace detail {
/// A fitted cosine in SI units.
inline Tone tone_of(const Fit& fit, bool damped, const Normalized& data) noexcept {
  Tone tone;
  tone.fit = fit;
  tone.damped = damped;
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
}  // namespace detail

/// Fits one tone to a signal; `allow_damping` also tries the envelope and keeps it when the BIC falls by 6 or `force`.
template <class Memory>
Tone fit_tone(const Normalized& data, double nyquist, bool allow_damping, bool force, Memory& workspace) noexcept {
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
  return detail::tone_of(tone.fit, tone.damped, data);
}

namespace detail {
/// Facts common to every oscillation.
template <class Memory>
void oscillation_facts(const Tone& tone, const Normalized& data, Decision& decision, Memory& workspace) noexcept {
  auto& facts = decision.facts;
  facts.dbic = constant_bic(data.data()) - tone.bic;
  facts.periods = tone.f * facts.span;
  facts.points_per_period = 1.0 / (tone.f * facts.step);
  facts.relative_stderr = tone.f_stderr / tone.f;
  facts.correlation = tone.fit.correlation;
  facts.envelope = tone.damped ? spinel::exp(-facts.span / tone.t) : 1.0;
  facts.contrast = 2 * tone.amplitude;
  decision.keep(tone.fit);
  // What is seen of it: an arc of a slow cosine is lower than the cosine.
  double lowest = spinel::infinity, highest = -spinel::infinity, rss = 0.0;
  for (std::size_t k = 0; k < data.y.size(); ++k) {
    const double envelope = tone.damped ? spinel::exp(-tone.fit.theta[1] * spinel::fabs(data.x[k])) : 1.0;
    const double turn = two_pi * tone.fit.theta[0] * data.x[k];
    const double swing = envelope * (tone.fit.linear[0] * spinel::cos(turn) + tone.fit.linear[1] * spinel::sin(turn));
    lowest = spinel::min(lowest, swing);
    highest = spinel::max(highest, swing);
    const double r = data.y[k] - swing - tone.fit.linear[2];
    rss += r * r;
  }
  const double whole = 2 * tone.amplitude / data.y_scale, visible = facts.periods < 0.5 ? spinel::min(whole, highest - lowest) : whole;
  if (tone.damped) {
    Fitter<DampedCosine> fitter{DampedCosine{data.uniform}, data.data(), workspace};
    if (fitter.ready()) facts.residual_fraction = systematic_residual(fitter, tone.fit, visible, facts.residual_z);
  } else {
    Fitter<Cosine> fitter{Cosine{data.uniform}, data.data(), workspace};
    if (fitter.ready()) facts.residual_fraction = systematic_residual(fitter, tone.fit, visible, facts.residual_z);
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
template <class Memory>
void second_tone(const Tone& tone, const Normalized& data, double nyquist, Facts& facts, Fit& pair, Memory& workspace) noexcept {
  if (data.x.size() < 20) return;
  ScratchScope scope{workspace};
  const auto frequencies = frequency_grid(nyquist, workspace);
  Fitter<TwoTones> fitter{TwoTones{data.uniform}, data.data(), workspace};
  if (!fitter.ready()) return;
  const double rate = tone.damped ? tone.fit.theta[1] : 0.0;
  const std::size_t n = data.x.size();
  {
    // Cheap first look: what one more tone takes from the residual alone. Most traces end here.
    auto rest = workspace.take(n);
    if (rest.empty()) return;
    for (std::size_t k = 0; k < n; ++k) {
      const double envelope = tone.damped ? spinel::exp(-rate * spinel::fabs(data.x[k])) : 1.0, turn = two_pi * tone.fit.theta[0] * data.x[k];
      rest[k] = data.y[k] - envelope * (tone.fit.linear[0] * spinel::cos(turn) + tone.fit.linear[1] * spinel::sin(turn)) - tone.fit.linear[2];
    }
    Fitter<DampedCosine> look{DampedCosine{data.uniform}, {data.x, rest, data.weight}, workspace};
    if (!look.ready()) return;
    double lowest = tone.fit.rss, candidate[3], linear[6];
    for (const double slower : {1.0, 0.4}) {
      const double single[1] = {rate * slower};
      look.search(frequencies, single, 0.0, candidate);
      lowest = spinel::min(lowest, look.project(candidate, linear));
    }
    if (static_cast<double>(n) * spinel::log(tone.fit.rss / spinel::max(lowest, 1e-300)) < 16.0) return;
  }
  const double f1[1] = {tone.fit.theta[0]};
  double start[3], lowest = spinel::infinity;
  const Bounds bounds[3] = {{0.02, nyquist}, {0.02, nyquist}, {0.0, 3.0 * nyquist}};
  const auto attempt = [&](const double* from) {
    const Fit fit = fitter.refine(from, bounds, 12);
    if (fit.rss < lowest) {
      lowest = fit.rss;
      pair = fit;
    }
  };
  // The single tone may have settled between the two: both a kept and a displaced first tone are tried, and a slower decay.
  for (const double slower : {1.0, 0.4}) {
    fitter.search(f1, frequencies, rate * slower, start);
    attempt(start);
  }
  // Tones well apart are found by the search; close ones hide under one line and need a start of their own.
  const bool found = static_cast<double>(n) * spinel::log(tone.fit.rss / spinel::max(lowest, 1e-300)) > 100.0 && spinel::fabs(pair.theta[0] - pair.theta[1]) > 1.5;
  for (const double gap : {0.4, 0.8, 1.6}) {
    if (found) break;
    start[0] = spinel::max(0.1, tone.fit.theta[0] - 0.5 * gap);
    start[1] = tone.fit.theta[0] + 0.5 * gap;
    start[2] = 0.4 * rate;
    attempt(start);
  }
  for (int k = 0; k < 3; ++k) start[k] = pair.theta[k];
  attempt(start);
  const double first = spinel::hypot(pair.linear[0], pair.linear[1]), second = spinel::hypot(pair.linear[2], pair.linear[3]);
  facts.dbic_second = tone.bic - pair.bic();
  facts.second_ratio = spinel::min(first, second) / spinel::max(first, second);
  // Tones closer than half a period over the window are one tone with another envelope.
  if (spinel::fabs(pair.theta[0] - pair.theta[1]) < 0.5 || spinel::min(pair.theta[0], pair.theta[1]) < 0.6) facts.dbic_second = 0.0;
}
}  // namespace detail

/// c0 u^2/(u^2 + d^2) sin^2(pi f sqrt(u^2 + d^2)) + c1: rotation by a drive of amplitude u at a detuning d in units of the amplitude;
/// theta = (f, d).
struct DetunedRabi {
  static constexpr int n_theta = 2, n_fixed = 0, n_linear = 2;
  void fill(Span<const double> x, const double* theta, double* const* columns) const noexcept {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double rate2 = x[i] * x[i] + theta[1] * theta[1], s = spinel::sin(spinel::pi * theta[0] * spinel::sqrt(rate2));
      columns[0][i] = rate2 > 0 ? x[i] * x[i] / rate2 * s * s : 0.0;
      columns[1][i] = 1.0;
    }
  }
};

/// Rabi over amplitude or length. `pi_amplitude` is the extremum nearest to half a period; `half_period` and `period` beside it.
template <class Memory>
void analyze_rabi(const Request& request, Decision& decision, Memory& workspace) noexcept {
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
  {
    double total = 0;
    for (const double y : data.y) total += y * y;
    facts.population = signal.calibrated || find_column(request.columns, "population", 1) >= 0 || find_column(request.columns, "probability", 1) >= 0;
    facts.r_squared = total > 0 && data.weight.empty() ? 1 - tone.fit.rss / total : missing;
  }
  if (request.family == Family::rabi_hw && signal.x[0] >= 0 && signal.x_unit != "s") {
    // Rival: a drive off resonance, whose contrast grows with the amplitude.
    const auto frequencies = detail::linear_grid(0.3, spinel::min(nyquist, 12.0), 40, workspace);
    const double offs[4] = {0.15, 0.4, 0.8, 1.5};
    const Bounds bounds[3] = {{0.05, nyquist}, {0.02, 6.0}, {0, 0}};
    const Fit rival = fit_curve(DetunedRabi{}, data.data(), frequencies, offs, bounds, workspace);
    facts.dbic_other = spinel::min(tone.fit.bic(), tone.bic) - rival.bic();
    facts.second_ratio = rival.theta[1];
    double total = 0;
    for (const double y : data.y) total += y * y;
    facts.r_squared_other = total > 0 && data.weight.empty() ? 1 - rival.rss / total : missing;
  }
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
template <class Memory>
void analyze_ramsey(const Request& request, Decision& decision, Memory& workspace) noexcept {
  auto& facts = decision.facts;
  const auto& meta = request.meta;
  const auto signal = read_signal(request, 0, 1, Reduction::principal_axis, workspace);
  if (!measure(signal, decision, workspace, 7) || facts.constant) return;
  const auto data = normalize(signal.x, signal.y, signal.weight, 0.0, facts.span, !signal.calibrated, workspace);
  if (workspace.overflowed()) return;
  // A sweep in windows resolves what its fine step resolves, not its mean step.
  double fine = facts.step;
  std::size_t windows = 1;
  {
    ScratchScope scope{workspace};
    auto gaps = workspace.take(signal.x.size());
    if (gaps.empty()) return;
    fine = fine_step(signal.x, gaps, 1e-9 * facts.span, windows);
    if (windows < 3 || !(fine > 0)) fine = facts.step;
  }
  const double nyquist = 0.5 * facts.span / fine;
  Tone tone = fit_tone(data, nyquist, true, true, workspace);
  if (!spinel::isfinite(tone.fit.rss)) return;
  if (windows >= 3 && tone.damped) {
    // Equal gaps between windows make a comb of frequencies that fit almost as well: the neighbors on the comb are tried too.
    const Bounds bounds[3] = {{0.02, nyquist}, {0.0, 3.0 * nyquist + 10.0}, {0, 0}};
    Fitter<DampedCosine> fitter{DampedCosine{data.uniform}, data.data(), workspace};
    if (!fitter.ready()) return;
    Fit best = tone.fit;
    for (int k = -4; k <= 4; ++k) {
      const double start[3] = {tone.fit.theta[0] + k * static_cast<double>(windows - 1), tone.fit.theta[1], 0.0};
      if (k == 0 || start[0] < 0.1 || start[0] > nyquist) continue;
      const Fit fit = fitter.refine(start, bounds, 25);
      if (fit.rss < best.rss) best = fit;
    }
    if (best.rss < tone.fit.rss) tone = detail::tone_of(best, true, data);
  }
  facts.step = fine;
  detail::oscillation_facts(tone, data, decision, workspace);
  if (windows >= 3) facts.window_periods = fine * (facts.n_distinct / static_cast<double>(windows) - 1) * tone.f;
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
    const Fit bare = fit_curve(Exponential{}, data.data(), rates, {}, bounds, workspace);
    facts.dbic_other = bare.bic() - tone.bic;
    // A cosine of no turn has no height to speak of; what a bare decay explains counts as signal then.
    if (facts.dbic_other < 6 && data.weight.empty() && bare.rss > 0) {
      double total = 0, mean = 0;
      for (const double y : data.y) mean += y / facts.n;
      for (const double y : data.y) total += (y - mean) * (y - mean);
      facts.snr = spinel::max(facts.snr, 2.8 * spinel::sqrt(spinel::max(0.0, total / bare.rss - 1)));
    }
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
  if (spinel::isfinite(tone.t)) {
    const double allowed = spinel::isfinite(meta.T2_echo_s) ? spinel::min(meta.T2_echo_s, spinel::isfinite(meta.T1_s) ? 2 * meta.T1_s : meta.T2_echo_s) : 2 * meta.T1_s;
    facts.limit_ratio = tone.t / (allowed * (1 + 3 * tone.t_stderr / tone.t));
  }

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
    // A negative virtual detuning turns the other way: fringes faster than it mean a shift up.
    const double delta = requested > 0 ? requested - f : requested + f;
    decision.add("delta_phys_Hz", delta, tone.f_stderr, "Hz");
    facts.sign_known = spinel::fabs(delta) < 0.5 * spinel::fabs(requested) ? 1.0 : 0.0;
    if (spinel::isfinite(meta.qubit_frequency_Hz))
      decision.add("qubit_frequency_Hz", meta.qubit_frequency_Hz + delta, tone.f_stderr, "Hz");
    if (facts.sign_known < 0.5) decision.constraints.push_back("sign of the shift open: the fringes are off the virtual detuning by more than half of it");
    decision.constraints.push_back("delta_phys = virtual detuning - fitted frequency; new qubit frequency = old + delta_phys");
  }
  decision.add("frequency_Hz", f, tone.f_stderr, "Hz");
  if (spinel::isfinite(tone.t)) {
    decision.add("T2_star_s", tone.t, tone.t_stderr, "s");
    decision.add("T2_star_us", tone.t * 1e6, tone.t_stderr * 1e6, "us");
    if (request.family == Family::rydberg_ramsey) {
      decision.add("T2_us", tone.t * 1e6, tone.t_stderr * 1e6, "us");
      // Shot-to-shot spread of the frequency that would dephase in T2.
      const double noise = 1e-3 * spinel::sqrt2 / (two_pi * tone.t);
      decision.add("frequency_noise_kHz", noise, noise * tone.t_stderr / tone.t, "kHz");
      if (spinel::isfinite(decision.redchi)) decision.add("RChi2", decision.redchi, missing, "1");
    }
  }
  if (request.family == Family::rydberg_ramsey) decision.add("frequency_MHz", f * 1e-6, tone.f_stderr * 1e-6, "MHz");
  if (request.family == Family::microwave_ramsey) facts.detuning = spinel::isfinite(requested) ? f - spinel::fabs(requested) : f;
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
