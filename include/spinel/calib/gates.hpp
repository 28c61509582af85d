// SPDX-License-Identifier: Apache-2.0
// Gate tune-up: DRAG (two interleaved sequences that cross, or the minimum of a cosine), amplification of pi-pulse errors, AllXY,
// conditional oscillation of a controlled-Z gate, time of flight.
#pragma once

#include <spinel/calib/oscillation.hpp>
#include <spinel/core/algorithm.hpp>
#include <spinel/core/math.hpp>

namespace spinel::calib {

namespace detail {
/// Two series over one sweep as two signals with a common x: two suffixed columns, two plain columns, or rows in turn.
inline bool two_series(const Request& request, Signal& first, Signal& second, Workspace& workspace) noexcept {
  const auto columns = request.columns;
  for (std::size_t k = 1; k < columns.size(); ++k) {
    const auto name = columns[k].name;
    if (starts_with(name, "I_suffix_xy")) {
      // The two series are projected on one axis: that of the calibration levels, or of both together.
      const auto get = [&](std::string_view wanted) {
        for (std::size_t c = 1; c < columns.size(); ++c)
          if (columns[c].name == wanted) return static_cast<int>(c);
        return -1;
      };
      const int ia = get("I_suffix_xy"), qa = get("Q_suffix_xy"), ib = get("I_suffix_xmy"), qb = get("Q_suffix_xmy");
      if (ia < 0 || qa < 0 || ib < 0 || qb < 0) return false;
      const std::size_t n = columns[0].values.size();
      auto re = workspace.take(2 * n), im = workspace.take(2 * n), x = workspace.take(n), y = workspace.take(2 * n);
      auto order = workspace.take(n), scratch = workspace.take(n);
      if (workspace.overflowed() || n == 0) return false;
      for (std::size_t row = 0; row < n; ++row) {
        x[row] = columns[0].values[row] * unit_of(columns[0].name).factor;
        re[row] = columns[static_cast<std::size_t>(ia)].values[row];
        im[row] = columns[static_cast<std::size_t>(qa)].values[row];
        re[n + row] = columns[static_cast<std::size_t>(ib)].values[row];
        im[n + row] = columns[static_cast<std::size_t>(qb)].values[row];
        if (!spinel::isfinite(x[row]) || !spinel::isfinite(re[row] + im[row] + re[n + row] + im[n + row])) return false;
        order[row] = static_cast<double>(row);
      }
      double axis[2], origin[2] = {0, 0};
      if (request.meta.has_cal_levels) {
        const auto& meta = request.meta;
        const double a = meta.cal_one[0] - meta.cal_zero[0], b = meta.cal_one[1] - meta.cal_zero[1], norm2 = spinel::max(a * a + b * b, 1e-300);
        axis[0] = a / norm2;
        axis[1] = b / norm2;
        origin[0] = meta.cal_zero[0];
        origin[1] = meta.cal_zero[1];
      } else {
        double ratio;
        principal_axis(re, im, axis, ratio);
      }
      for (std::size_t row = 0; row < 2 * n; ++row) y[row] = (re[row] - origin[0]) * axis[0] + (im[row] - origin[1]) * axis[1];
      sort_by(order, x);
      permute(x, order, scratch);
      permute(y.first(n), order, scratch);
      permute(y.subspan(n), order, scratch);
      first.x = second.x = x;
      first.y = y.first(n);
      second.y = y.subspan(n);
      return true;
    }
  }
  std::size_t plain = 0;
  for (std::size_t k = 1; k < columns.size(); ++k)
    if (columns[k].name.find("stderr") == std::string_view::npos && !starts_with(columns[k].name, "err")) ++plain;
  if (plain >= 2 && find_column(columns, "I", 1) < 0 && find_column(columns, "phase", 1) < 0) {
    first = read_signal(request, 0, 1, Reduction::principal_axis, workspace);
    second = read_signal(request, 0, 2, Reduction::principal_axis, workspace);
    return first.error == nullptr && second.error == nullptr && first.x.size() == second.x.size();
  }
  // Rows in turn: every sweep value occurs twice, the first row of the first sequence.
  auto both = read_signal(request, 0, 1, Reduction::principal_axis, workspace);
  const std::size_t n = both.x.size() / 2;
  if (both.error != nullptr || both.x.size() % 2 != 0 || n < 3) return false;
  for (std::size_t k = 0; k < n; ++k)
    if (spinel::fabs(both.x[2 * k] - both.x[2 * k + 1]) > 1e-9 * (both.x.back() - both.x[0])) return false;
  auto x = workspace.take(n), a = workspace.take(n), b = workspace.take(n);
  if (workspace.overflowed()) return false;
  for (std::size_t k = 0; k < n; ++k) {
    x[k] = both.x[2 * k];
    a[k] = both.y[2 * k];
    b[k] = both.y[2 * k + 1];
  }
  first.x = second.x = x;
  first.y = a;
  second.y = b;
  return true;
}
}  // namespace detail

/// DRAG coefficient. Two series: zero of their difference, a line or, where the BIC asks for it, a parabola.
/// One series: minimum of a cosine inside the sweep.
template <class Memory>
void analyze_drag(const Request& request, Decision& decision, Memory& workspace) noexcept {
  auto& facts = decision.facts;
  Signal one, two;
  if (detail::two_series(request, one, two, workspace)) {
    one.x_unit = unit_of(request.columns[0].name).name;
    if (!measure(one, decision, workspace) || one.y.size() != two.y.size()) return;
    const std::size_t n = one.x.size();
    auto difference = workspace.take(n);
    if (difference.empty()) return;
    for (std::size_t k = 0; k < n; ++k) difference[k] = one.y[k] - two.y[k];
    const double middle = 0.5 * (one.x[0] + one.x[n - 1]);
    const auto data = normalize(one.x, difference, {}, middle, facts.span, false, workspace);
    if (workspace.overflowed()) return;
    const Fit line = fit_curve(Polynomial<1>{}, data.data(), {}, {}, nullptr, workspace);
    const Fit curve = fit_curve(Polynomial<2>{}, data.data(), {}, {}, nullptr, workspace);
    facts.noise = noise_level(difference, workspace);
    facts.dbic = constant_bic(data.data()) - spinel::min(line.bic(), curve.bic());
    decision.keep(line);
    facts.snr = line.linear_stderr[1] > 0 ? spinel::fabs(line.linear[1]) / line.linear_stderr[1] : 1e9;
    facts.constant = spinel::fabs(line.linear[1]) == 0.0;
    if (facts.constant) return;
    double at = -line.linear[0] / line.linear[1];
    double slope = line.linear[1], error0 = line.linear_stderr[0], error1 = line.linear_stderr[1];
    decision.model = "two lines, crossing";
    if (curve.bic() < line.bic() - 6) {
      const double a = curve.linear[2], b = curve.linear[1], c = curve.linear[0], root2 = b * b - 4 * a * c;
      if (root2 >= 0) {
        // The stable pair of roots; the one nearer to the middle of the sweep is the crossing.
        const double q = -0.5 * (b + spinel::copysign(spinel::sqrt(root2), b));
        const double r1 = q / a, r2 = q != 0 ? c / q : r1;
        at = spinel::fabs(r1) < spinel::fabs(r2) ? r1 : r2;
        slope = b + 2 * a * at;
        error0 = curve.linear_stderr[0];
        error1 = curve.linear_stderr[1];
        decision.model = "two parabolas, crossing";
      }
    }
    const double value = middle + at * facts.span;
    const double error = facts.span * spinel::hypot(error0, error1 * at) / spinel::max(spinel::fabs(slope), 1e-300);
    facts.center = at + 0.5;
    facts.relative_stderr = error / facts.span;
    decision.constraints.push_back("optimum: where the two sequences give the same population");
    decision.add("beta", value, error, "1");
    decision.add("optimal_motzoi", value, error, "1");
    decision.add("optimal_alpha_inv", value, error, "1");
    return;
  }
  const auto signal = read_signal(request, 0, 1, Reduction::principal_axis, workspace);
  if (!measure(signal, decision, workspace) || facts.constant) return;
  const auto data = normalize(signal.x, signal.y, signal.weight, 0.0, facts.span, true, workspace);
  if (workspace.overflowed()) return;
  const Tone tone = fit_tone(data, spinel::min(6.0, 0.5 * (facts.n_distinct - 1)), false, false, workspace);
  detail::oscillation_facts(tone, data, decision, workspace);
  const double period = 1.0 / tone.f;
  // Minimum of A cos(2 pi f x + p), A > 0: at phase pi. Of the minima, the one nearest to zero inside the sweep.
  double best = missing;
  for (int k = -8; k <= 8; ++k) {
    const double at = (0.5 + k - tone.phase / two_pi) * period;
    if (at < signal.x[0] || at > signal.x.back()) continue;
    if (!spinel::isfinite(best) || spinel::fabs(at) < spinel::fabs(best)) best = at;
  }
  if (!spinel::isfinite(best)) best = signal.y[0] < signal.y.back() ? signal.x[0] : signal.x.back();
  facts.periods = facts.points_per_period = facts.envelope = missing;
  facts.center = (best - signal.x[0]) / facts.span;
  decision.model = "A cos(2 pi f x + p) + B, minimum";
  const double error = tone.fit.linear_stderr[1] * data.y_scale / (two_pi * tone.f * spinel::max(tone.amplitude, 1e-300));
  facts.relative_stderr = error / facts.span;
  decision.constraints.push_back("optimum: the minimum nearest to zero inside the sweep");
  decision.add("beta", best, error, "1");
  decision.add("optimal_motzoi", best, error, "1");
  decision.add("optimal_alpha_inv", best, error, "1");
}

/// Pi-pulse error amplification: linear drift for small errors, an oscillation in the pulse number for large ones.
template <class Memory>
void analyze_pingpong(const Request& request, Decision& decision, Memory& workspace) noexcept {
  auto& facts = decision.facts;
  const auto signal = read_signal(request, 0, 1, Reduction::principal_axis, workspace);
  if (!measure(signal, decision, workspace, 6)) return;
  if (facts.constant) return;
  const std::size_t n = signal.x.size();
  const bool population = signal.calibrated || find_column(request.columns, "population", 1) >= 0 || find_column(request.columns, "probability", 1) >= 0;
  const auto data = normalize(signal.x, signal.y, signal.weight, 0.0, facts.span, !population, workspace);
  if (workspace.overflowed()) return;
  const Fit line = fit_curve(Polynomial<1>{}, data.data(), {}, {}, nullptr, workspace);
  const auto frequencies = detail::linear_grid(0.15, spinel::max(1.0, spinel::min(0.48 * facts.n_distinct, 40.0)), 120, workspace);
  const double dampings[3] = {0.0, 0.7, 3.0};
  const Bounds bounds[3] = {{0.12, 0.5 * facts.n_distinct}, {0.0, 30.0}, {0, 0}};
  const Fit wave = fit_curve(DampedCosine{data.uniform}, data.data(), frequencies, dampings, bounds, workspace);
  facts.dbic = constant_bic(data.data()) - spinel::min(line.bic(), wave.bic());
  facts.dbic_other = line.bic() - wave.bic();
  const double amplitude = spinel::hypot(wave.linear[0], wave.linear[1]);
  double error, error_stderr;
  // A population that starts at the equator: amplitude and error are told apart by a sine without free phase.
  Fit sine;
  if (population) sine = fit_curve(SineFromZero{data.uniform}, data.data(), frequencies, dampings, bounds, workspace);
  const bool from_equator = population && spinel::isfinite(sine.rss) && sine.theta[0] > 0.13 && spinel::fabs(sine.linear[0]) < 0.7 && line.bic() - sine.bic() > 6;
  // Less than a fifth of a turn, or more swing than a population has, is a slope, not an oscillation.
  const bool oscillates = facts.dbic_other > 10 && amplitude > 0.02 && wave.theta[0] > 0.2 && (!population || amplitude < 0.75);
  if (from_equator && (!oscillates || sine.bic() < wave.bic() + 6)) {
    error = two_pi * sine.theta[0] / facts.span * (sine.linear[0] < 0 ? -1 : 1);
    error_stderr = two_pi * sine.theta_stderr[0] / facts.span;
    decision.keep(sine);
    decision.model = "exp(-n/N) sin(n e) from the equator: error e rad a pulse";
  } else if (oscillates) {
    // Phase advance a pulse: a pulse that misses pi by e turns the Bloch vector by e more each time.
    error = two_pi * wave.theta[0] / facts.span;
    error_stderr = two_pi * wave.theta_stderr[0] / facts.span;
    decision.keep(wave);
    decision.model = "exp(-n/N) cos(n e + p): error e rad a pulse";
  } else {
    // sin(n e)/2 about the equator: slope e/2.
    error = 2 * line.linear[1] / facts.span;
    error_stderr = 2 * line.linear_stderr[1] / facts.span;
    decision.keep(line);
    decision.model = "linear in n: slope e/2";
  }
  facts.error = population ? spinel::fabs(error) : (oscillates ? spinel::fabs(error) : missing);
  facts.contrast = population ? facts.peak_to_peak : missing;
  facts.level = missing;
  if (population) {
    double sum = 0;
    for (const double y : signal.y) sum += y / facts.n;
    facts.level = sum - 0.5;
  }
  decision.features.push_back({"accumulation_type", oscillates ? "oscillatory" : "linear"});
  facts.periods = oscillates ? wave.theta[0] : 0.0;
  decision.constraints.push_back(population ? "signal read as population" : "signal not calibrated: linear error in signal units");
  decision.add("error_per_gate", error, error_stderr, "rad");
  decision.add("accumulates_linearly", oscillates ? 0.0 : 1.0, 0.0, "1");
  (void)n;
}

/// AllXY: 21 points, or 42 with every pair twice. Normalised by its own zero and one points; deviation: mean absolute distance from
/// the staircase.
template <class Memory>
void analyze_allxy(const Request& request, Decision& decision, Memory& workspace) noexcept {
  auto& facts = decision.facts;
  const auto signal = read_signal(request, 0, 1, find_column(request.columns, "magnitude", 1) >= 0 ? Reduction::magnitude : Reduction::principal_axis, workspace);
  if (!measure(signal, decision, workspace)) return;
  const std::size_t n = signal.x.size();
  if (n != 21 && n != 42) {
    facts.input_error = "AllXY needs 21 points, or 42 with every pair twice";
    return;
  }
  const std::size_t each = n / 21;
  double zero = 0, one = 0;
  for (std::size_t k = 0; k < each; ++k) zero += signal.y[k] / static_cast<double>(each);
  for (std::size_t k = 17 * each; k < 19 * each; ++k) one += signal.y[k] / static_cast<double>(2 * each);
  if (!(spinel::fabs(one - zero) > 0)) {
    facts.constant = true;
    return;
  }
  double deviation = 0, worst = 0;
  const double half[2] = {5.0, 17.0};
  {
    // Evidence for the staircase: y = a + b ideal against a constant.
    const auto data = normalize(signal.x, signal.y, {}, 0.0, 1.0, true, workspace);
    if (workspace.overflowed()) return;
    for (std::size_t k = 0; k < n; ++k) data.x[k] = static_cast<double>(k / each) < half[0] ? 0.0 : static_cast<double>(k / each) < half[1] ? 0.5 : 1.0;
    const Fit stairs = fit_curve(Polynomial<1>{}, data.data(), {}, {}, nullptr, workspace);
    decision.keep(stairs);
    facts.dbic = constant_bic(data.data()) - stairs.bic();
  }
  for (std::size_t k = 0; k < n; ++k) {
    const auto pair = static_cast<double>(k / each);
    const double ideal = pair < half[0] ? 0.0 : pair < half[1] ? 0.5 : 1.0;
    const double off = spinel::fabs((signal.y[k] - zero) / (one - zero) - ideal);
    deviation += off / static_cast<double>(n);
    worst = spinel::max(worst, off);
  }
  facts.error = deviation;
  facts.contrast = spinel::fabs(one - zero);
  facts.snr = facts.noise > 0 ? facts.contrast / facts.noise : 1e9;
  decision.model = "staircase 0, 1/2, 1";
  decision.constraints.push_back("zero: the first pair; one: pairs 18 and 19");
  decision.add("deviation", deviation, facts.contrast > 0 ? facts.noise / facts.contrast / spinel::sqrt(facts.n) : missing, "1");
  decision.add("largest_deviation", worst, missing, "1");
}

/// Conditional oscillation: phase of the low-frequency qubit with the other in 0 (off) and in 1 (on); leakage of the other.
template <class Memory>
void analyze_conditional_oscillation(const Request& request, Decision& decision, Memory& workspace) noexcept {
  auto& facts = decision.facts;
  const auto column = [&](std::string_view stem) { return find_column(request.columns, stem, 1); };
  const int lf_off = column("lf_off"), lf_on = column("lf_on"), hf_off = column("hf_off"), hf_on = column("hf_on");
  if (lf_off < 0 || lf_on < 0) {
    facts.input_error = "conditional oscillation needs columns lf_off and lf_on";
    return;
  }
  double phase[2]{}, phase_error[2]{}, amplitude[2]{};
  for (int k = 0; k < 2; ++k) {
    Request part = request;
    const Column columns[2] = {request.columns[0], request.columns[static_cast<std::size_t>(k == 0 ? lf_off : lf_on)]};
    part.columns = columns;
    const auto signal = read_signal(part, 0, 1, Reduction::magnitude, workspace);
    if (!measure(signal, decision, workspace) || facts.constant) return;
    const auto data = normalize(signal.x, signal.y, {}, 0.0, two_pi, true, workspace);
    if (workspace.overflowed()) return;
    const Fit fit = fit_curve(KnownCosine{1.0}, data.data(), {}, {}, nullptr, workspace);
    phase[k] = spinel::atan2(fit.linear[1], fit.linear[0]);
    amplitude[k] = spinel::hypot(fit.linear[0], fit.linear[1]);
    phase_error[k] = fit.linear_stderr[0] / spinel::max(amplitude[k], 1e-300);
    amplitude[k] *= data.y_scale;
    const double gain = constant_bic(data.data()) - fit.bic();
    facts.dbic = k == 0 ? gain : spinel::min(facts.dbic, gain);
  }
  double turn = spinel::fmod(phase[1] - phase[0], two_pi);
  if (turn < 0) turn += two_pi;
  const double to_deg = 360.0 / two_pi;
  facts.error = spinel::fabs(turn - spinel::pi);
  facts.snr = 1e3;
  facts.contrast = spinel::min(amplitude[0], amplitude[1]);
  facts.relative_stderr = spinel::hypot(phase_error[0], phase_error[1]);
  decision.model = "two cosines of the phase, period 2 pi";
  decision.constraints.push_back("cz_phase: phase of the on curve minus phase of the off curve, in [0, 360)");
  decision.add("cz_phase_deg", turn * to_deg, to_deg * facts.relative_stderr, "deg");
  if (hf_off >= 0 && hf_on >= 0) {
    double mean[2]{}, square[2]{}, n = 0;
    const auto off = request.columns[static_cast<std::size_t>(hf_off)], on = request.columns[static_cast<std::size_t>(hf_on)];
    for (std::size_t row = 0; row < off.values.size(); ++row) {
      if (!spinel::isfinite(off.values[row]) || !spinel::isfinite(on.values[row])) continue;
      const double value[2] = {off.values[row] * unit_of(off.name).factor, on.values[row] * unit_of(on.name).factor};
      for (int k = 0; k < 2; ++k) {
        mean[k] += value[k];
        square[k] += value[k] * value[k];
      }
      n += 1;
    }
    double error = 0;
    for (int k = 0; k < 2; ++k) {
      mean[k] /= spinel::max(1.0, n);
      error += spinel::max(0.0, square[k] / spinel::max(1.0, n) - mean[k] * mean[k]) / spinel::max(1.0, n - 1);
    }
    decision.add("leakage", mean[1] - mean[0], spinel::sqrt(error), "V");
    decision.constraints.push_back("leakage: mean of the on curve minus mean of the off curve of the other qubit, in its signal's unit");
  }
}

/// Time of flight: where the envelope of the raw trace first leaves the noise of its first tenth.
template <class Memory>
void analyze_time_of_flight(const Request& request, Decision& decision, Memory& workspace) noexcept {
  auto& facts = decision.facts;
  if (request.columns.size() < 2) {
    facts.input_error = "time of flight needs a sweep column and a signal column";
    return;
  }
  const int magnitude = find_column(request.columns, "magnitude", 1), i_column = find_column(request.columns, "I", 1), q_column = find_column(request.columns, "Q", 1);
  const auto axis = request.columns[0];
  const std::size_t n = axis.values.size();
  auto level = workspace.take(n);
  if (workspace.overflowed() || n < 40) {
    facts.input_error = "time of flight needs at least 40 samples";
    return;
  }
  for (std::size_t k = 0; k < n; ++k) {
    level[k] = magnitude >= 0 ? request.columns[static_cast<std::size_t>(magnitude)].values[k]
               : i_column >= 0 && q_column >= 0 ? spinel::hypot(request.columns[static_cast<std::size_t>(i_column)].values[k], request.columns[static_cast<std::size_t>(q_column)].values[k])
                                                : spinel::fabs(request.columns[1].values[k]);
    if (!spinel::isfinite(level[k])) level[k] = 0.0;
  }
  facts.n = static_cast<double>(n);
  // Without a usable axis (all values equal) the sample number is the time.
  const bool numbered = !(axis.values[n - 1] > axis.values[0]);
  const double factor = numbered ? 1.0 : unit_of(axis.name).factor;
  const std::size_t head = spinel::max<std::size_t>(10, n / 20);
  double mean = 0, square = 0, top = 0;
  for (std::size_t k = 0; k < head; ++k) {
    mean += level[k] / static_cast<double>(head);
    square += level[k] * level[k] / static_cast<double>(head);
  }
  const double sigma = spinel::sqrt(spinel::max(0.0, square - mean * mean));
  for (std::size_t k = 0; k < n; ++k) top = spinel::max(top, level[k]);
  const double threshold = mean + spinel::max(6 * sigma, 0.1 * (top - mean));
  facts.snr = sigma > 0 ? (top - mean) / sigma : (top > mean ? 1e9 : 0.0);
  std::size_t onset = n;
  for (std::size_t k = head; k + 3 < n; ++k) {
    // Three of the next four samples above the threshold: one spike is not an arrival.
    int above = 0;
    for (std::size_t j = 0; j < 4; ++j) above += level[k + j] > threshold ? 1 : 0;
    if (level[k] > threshold && above >= 3) {
      onset = k;
      break;
    }
  }
  decision.model = "envelope onset";
  facts.dbic = onset < n && facts.snr > 8 ? 100.0 : 0.0;
  facts.constant = onset >= n;
  if (onset >= n) return;
  const double time = numbered ? static_cast<double>(onset) : axis.values[onset] * factor;
  decision.add(numbered || unit_of(axis.name).name != "s" ? "onset_sample" : "time_of_flight_s", time, numbered ? 1.0 : (axis.values[1] - axis.values[0]) * factor,
               numbered || unit_of(axis.name).name != "s" ? "1" : "s");
}

}  // namespace spinel::calib
