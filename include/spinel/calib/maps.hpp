// SPDX-License-Identifier: Apache-2.0
// Two-dimensional sweeps: the ridge of a spectrum over flux or power. Each slice gives its strongest feature with sub-step position;
// the ridge is then fitted by a cosine (resonator) or a parabola (qubit) with Huber weights. Source: Huber (1964).
#pragma once

#include <initializer_list>

#include <spinel/calib/oscillation.hpp>
#include <spinel/core/algorithm.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>

namespace spinel::calib {

/// The ridge of a map: for each slice its bias, feature frequency, height over noise and width in steps.
struct Ridge {
  Span<double> bias, frequency, snr, width, second;  ///< second: height over noise of the next feature away from the first
  double noise = 0, step = 0, frequency_low = 0, frequency_high = 0;
  std::string_view bias_unit = "1";
  const char* error = nullptr;
};

namespace detail {
inline Ridge read_ridge(const Request& request, Workspace& workspace) noexcept {
  Ridge ridge;
  const auto columns = request.columns;
  if (columns.size() < 3) {
    ridge.error = "a map needs two sweep columns and a signal column";
    return ridge;
  }
  const std::size_t f_axis = unit_of(columns[0].name).name == "Hz" ? 0 : 1;
  const std::size_t b_axis = 1 - f_axis;
  if (unit_of(columns[f_axis].name).name != "Hz") {
    ridge.error = "one of the two sweep columns must be a frequency";
    return ridge;
  }
  const std::size_t rows = columns[0].values.size();
  auto f = workspace.take(rows), b = workspace.take(rows), y = workspace.take(rows), order = workspace.take(rows), scratch = workspace.take(rows);
  ridge.bias = workspace.take(rows);
  ridge.frequency = workspace.take(rows);
  ridge.snr = workspace.take(rows);
  ridge.width = workspace.take(rows);
  ridge.second = workspace.take(rows);
  if (workspace.overflowed()) {
    ridge.error = "more points than the workspace holds";
    return ridge;
  }
  const int i_column = find_column(columns, "I", 2), q_column = find_column(columns, "Q", 2), magnitude = find_column(columns, "magnitude", 2);
  const bool iq = i_column >= 0 && q_column >= 0;
  const auto f_unit = unit_of(columns[f_axis].name), b_unit = unit_of(columns[b_axis].name);
  std::size_t n = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    const double value = iq ? spinel::hypot(columns[static_cast<std::size_t>(i_column)].values[row], columns[static_cast<std::size_t>(q_column)].values[row])
                            : columns[magnitude >= 0 ? static_cast<std::size_t>(magnitude) : 2].values[row];
    const double at_f = columns[f_axis].values[row] * f_unit.factor, at_b = columns[b_axis].values[row] * b_unit.factor;
    if (!spinel::isfinite(value) || !spinel::isfinite(at_f) || !spinel::isfinite(at_b)) continue;
    f[n] = at_f;
    b[n] = at_b;
    y[n] = value;
    order[n] = static_cast<double>(n);
    ++n;
  }
  for (auto* part : {&f, &b, &y, &order}) *part = part->first(n);
  if (n < 16) {
    ridge.error = "too few finite points for a map";
    return ridge;
  }
  spinel::sort(order.data(), order.data() + order.size(), [&](double p, double q) {
    const auto i = static_cast<std::size_t>(p), j = static_cast<std::size_t>(q);
    return b[i] < b[j] || (b[i] == b[j] && f[i] < f[j]);
  });
  for (auto* part : {&f, &b, &y}) permute(*part, order, scratch);
  ridge.bias_unit = b_unit.name;
  ridge.frequency_low = *spinel::min_element(f.data(), f.data() + f.size());
  ridge.frequency_high = *spinel::max_element(f.data(), f.data() + f.size());
  // Dip or peak is decided once for the whole map, by the side on which single slices reach farther from their median.
  double reach[2]{};
  std::size_t slices = 0;
  for (int pass = 0; pass < 2; ++pass) {
    const double sign = reach[1] > reach[0] ? -1.0 : 1.0;
    slices = 0;
    for (std::size_t begin = 0; begin < n;) {
      std::size_t end = begin + 1;
      while (end < n && b[end] == b[begin]) ++end;
      const std::size_t count = end - begin;
      if (count >= 6) {
        const auto slice = y.subspan(begin, count);
        auto copy = scratch.first(count);
        for (std::size_t k = 0; k < count; ++k) copy[k] = slice[k];
        const double middle = median(copy);
        const double noise = spinel::max(noise_level(slice, workspace), 1e-300);
        if (pass == 0) {
          double up = 0, down = 0;
          for (const double value : slice) {
            up = spinel::max(up, value - middle);
            down = spinel::max(down, middle - value);
          }
          reach[0] += up / noise;
          reach[1] += down / noise;
        } else {
          // Smooth over three points and take the extreme; its width is what stands above half of its height.
          std::size_t best = 0;
          double height = -1e300;
          for (std::size_t k = 0; k < count; ++k) {
            const double left = slice[k > 0 ? k - 1 : k], right = slice[k + 1 < count ? k + 1 : k];
            const double value = sign * ((left + 2 * slice[k] + right) / 4 - middle);
            if (value > height) {
              height = value;
              best = k;
            }
          }
          double wide = 1;
          const auto excess = [&](std::size_t k) {
            return sign * ((slice[k > 0 ? k - 1 : k] + 2 * slice[k] + slice[k + 1 < count ? k + 1 : k]) / 4 - middle) - 0.5 * height;
          };
          for (std::size_t k = best + 1; k < count && excess(k) > 0; ++k) wide += 1;
          for (std::size_t k = best; k-- > 0 && excess(k) > 0;) wide += 1;
          // A clear feature keeps its own extreme: smoothing moves the minimum of an asymmetric dip.
          if (height > 6 * noise)
            for (std::size_t k = best > 1 ? best - 2 : 0; k < spinel::min(count, best + 3); ++k)
              if (sign * slice[k] > sign * slice[best]) best = k;
          ridge.bias[slices] = b[begin];
          ridge.frequency[slices] = f[begin + best];
          ridge.snr[slices] = height / noise;
          ridge.width[slices] = wide;
          // Next feature: two widths away from the first, and a local extreme of its own, not the first one's flank.
          double next = 0;
          const auto clearance = static_cast<std::size_t>(2 * wide) + 2;
          const auto smooth = [&](std::size_t k) { return sign * ((slice[k - 1] + 2 * slice[k] + slice[k + 1]) / 4 - middle); };
          for (std::size_t k = 2; k + 2 < count; ++k) {
            if (k + clearance > best && k < best + clearance) continue;
            const double value = smooth(k);
            if (value > next && value >= smooth(k - 1) && value >= smooth(k + 1)) next = value;
          }
          ridge.second[slices] = next / noise;
          ridge.noise += noise;
          ridge.step += (f[end - 1] - f[begin]) / static_cast<double>(count - 1);
          ++slices;
        }
      }
      begin = end;
    }
  }
  ridge.noise /= spinel::max<double>(1, static_cast<double>(slices));
  ridge.step /= spinel::max<double>(1, static_cast<double>(slices));
  for (auto* part : {&ridge.bias, &ridge.frequency, &ridge.snr, &ridge.width, &ridge.second}) *part = part->first(slices);
  if (slices < 5) ridge.error = "a map needs at least five slices of six points";
  return ridge;
}

/// The ridge, and the facts that every map has: slices, span and step of the bias. Its error is the decision's.
inline Ridge open_map(const Request& request, Decision& decision, Workspace& workspace) noexcept {
  const auto ridge = read_ridge(request, workspace);
  auto& facts = decision.facts;
  facts.input_error = ridge.error;
  if (ridge.error != nullptr) return ridge;
  const std::size_t n = ridge.bias.size();
  facts.n = static_cast<double>(request.columns[0].values.size());
  facts.n_distinct = static_cast<double>(n);
  facts.span = ridge.bias[n - 1] - ridge.bias[0];
  facts.step = facts.span / static_cast<double>(n - 1);
  decision.x_unit = ridge.bias_unit;
  decision.x_first = ridge.bias[0];
  decision.x_last = ridge.bias[n - 1];
  return ridge;
}

/// Reweighting around `fit_once`, which fits with the current weights and leaves residuals in `rest`: four rounds of Huber weights find
/// the ridge, then slices beyond four scales (never closer than `floor`) count as having found something else.
template <class FitOnce>
void huber(Span<double> weight, Span<double> rest, Span<const double> base, double floor, Workspace& workspace, FitOnce&& fit_once) noexcept {
  for (std::size_t k = 0; k < weight.size(); ++k) weight[k] = base[k];
  for (int pass = 0; pass < 8; ++pass) {
    fit_once();
    ScratchScope scope{workspace};
    auto size = workspace.take(rest.size());
    if (size.empty()) return;
    for (std::size_t k = 0; k < rest.size(); ++k) size[k] = spinel::fabs(rest[k]);
    const double scale = spinel::max(1.4826 * median(size), 1e-9);
    for (std::size_t k = 0; k < weight.size(); ++k) {
      const double u = spinel::fabs(rest[k]) / (1.5 * scale);
      if (pass < 4)
        weight[k] = base[k] * (u <= 1 ? 1.0 : spinel::sqrt(1.0 / u));
      else
        weight[k] = spinel::fabs(rest[k]) < spinel::max(4 * scale, floor) ? base[k] : 1e-4 * base[k];
    }
  }
  fit_once();
}
}  // namespace detail

/// Resonator or qubit frequency over flux.
template <class Memory>
void analyze_flux_map(const Request& request, Decision& decision, Memory& workspace) noexcept {
  auto& facts = decision.facts;
  const bool resonator = request.family == Family::resonator_flux_map;
  const auto ridge = detail::open_map(request, decision, workspace);
  if (ridge.error != nullptr) return;
  const std::size_t n = ridge.bias.size();
  auto weight = workspace.take(n), rest = workspace.take(n), base = workspace.take(n);
  if (workspace.overflowed() || !(facts.span > 0)) return;
  double seen = 0;
  for (std::size_t k = 0; k < n; ++k) {
    const bool clear = ridge.snr[k] > 4;
    seen += clear ? 1 : 0;
    base[k] = clear ? 1.0 : 0.05;
  }
  facts.resolved_fraction = seen / static_cast<double>(n);
  {
    auto sorted = workspace.take(n);
    if (sorted.empty()) return;
    for (std::size_t k = 0; k < n; ++k) sorted[k] = ridge.snr[k];
    facts.snr = median(sorted);
  }
  const double middle = 0.5 * (ridge.bias[0] + ridge.bias[n - 1]);
  auto data = normalize(ridge.bias, ridge.frequency, weight, middle, facts.span, true, workspace);
  if (workspace.overflowed()) return;
  for (std::size_t k = 0; k < n; ++k) data.weight[k] = base[k];
  Fit fit;
  decision.constraints.push_back("ridge: strongest feature of each slice, Huber weights");
  if (resonator) {
    const auto frequencies = detail::linear_grid(0.15, spinel::min(8.0, 0.3 * static_cast<double>(n)), 60, workspace);
    const Bounds bounds[3] = {{0.05, 0.5 * static_cast<double>(n)}, {0, 0}, {0, 0}};
    detail::huber(data.weight, rest, base, 3 * ridge.step / data.y_scale, workspace, [&] {
      fit = fit_curve(Cosine{}, data.data(), frequencies, {}, bounds, workspace);
      for (std::size_t k = 0; k < n; ++k) {
        const double turn = two_pi * fit.theta[0] * data.x[k];
        rest[k] = data.y[k] - fit.linear[0] * spinel::cos(turn) - fit.linear[1] * spinel::sin(turn) - fit.linear[2];
      }
    });
    const double amplitude = spinel::hypot(fit.linear[0], fit.linear[1]) * data.y_scale;
    const double frequency = fit.theta[0] / facts.span, frequency_error = fit.theta_stderr[0] / facts.span;
    const double phase = spinel::atan2(fit.linear[1], fit.linear[0]) / two_pi;
    double spot = middle + phase / frequency;
    spot -= spinel::round(spot * frequency) / frequency;
    const double spot_error = fit.linear_stderr[1] / spinel::max(spinel::hypot(fit.linear[0], fit.linear[1]), 1e-12) / two_pi / frequency;
    decision.keep(fit);
    facts.dbic = constant_bic(data.data()) - fit.bic();
    facts.tunability = amplitude / spinel::max(ridge.step, 1e-300);
    facts.periods = fit.theta[0];
    facts.center = (spot - ridge.bias[0]) / facts.span;
    facts.relative_stderr = frequency_error / frequency;
    decision.model = "center + amplitude cos(2 pi f (V - sweet spot))";
    decision.constraints.push_back("sweet spot: the maximum nearest to zero bias");
    decision.add("amplitude_Hz", amplitude, fit.linear_stderr[0] * data.y_scale, "Hz");
    decision.add("center_Hz", fit.linear[2] * data.y_scale + data.y_shift, fit.linear_stderr[2] * data.y_scale, "Hz");
    decision.add("frequency_per_V", frequency, frequency_error, "1/V");
    decision.add("sweetspot_V", spot, spot_error, "V");
    decision.add("sweetspot", spot, spot_error, "1");
  } else {
    detail::huber(data.weight, rest, base, 3 * ridge.step / data.y_scale, workspace, [&] {
      fit = fit_curve(Polynomial<2>{}, data.data(), {}, {}, nullptr, workspace);
      for (std::size_t k = 0; k < n; ++k)
        rest[k] = data.y[k] - fit.linear[0] - data.x[k] * (fit.linear[1] + data.x[k] * fit.linear[2]);
    });
    const Fit flat = fit_curve(Polynomial<1>{}, data.data(), {}, {}, nullptr, workspace);
    decision.keep(fit);
    facts.dbic = constant_bic(data.data()) - fit.bic();
    facts.dbic_other = flat.bic() - fit.bic();
    double low = 1e300, high = -1e300;
    for (std::size_t k = 0; k < n; ++k) {
      const double model = fit.linear[0] + data.x[k] * (fit.linear[1] + data.x[k] * fit.linear[2]);
      low = spinel::min(low, model);
      high = spinel::max(high, model);
    }
    facts.tunability = (high - low) * data.y_scale / spinel::max(ridge.step, 1e-300);
    const double at = spinel::fabs(fit.linear[2]) > 1e-12 ? -0.5 * fit.linear[1] / fit.linear[2] : 0.0;
    const double spot = middle + at * facts.span;
    const double spot_error = facts.span * spinel::hypot(fit.linear_stderr[1], 2 * at * fit.linear_stderr[2]) / spinel::max(2 * spinel::fabs(fit.linear[2]), 1e-12);
    const double top = (fit.linear[0] + at * (fit.linear[1] + at * fit.linear[2])) * data.y_scale + data.y_shift;
    facts.center = at + 0.5;
    facts.relative_stderr = spot_error / facts.span;
    decision.model = "parabola";
    decision.add("sweetspot", spot, spot_error, "1");
    decision.add("sweetspot_frequency_Hz", top, fit.linear_stderr[0] * data.y_scale, "Hz");
    decision.add("resonance_freq_GHz", top * 1e-9, fit.linear_stderr[0] * data.y_scale * 1e-9, "GHz");
    decision.add("curvature", fit.linear[2] * data.y_scale / (facts.span * facts.span), fit.linear_stderr[2] * data.y_scale / (facts.span * facts.span), "Hz");
  }
  double spread = 0;
  for (std::size_t k = 0; k < n; ++k) spread += data.weight[k] * rest[k] * rest[k];
  facts.residual_fraction = spinel::sqrt(spread / static_cast<double>(n)) * data.y_scale / spinel::max(facts.tunability * ridge.step, 1e-300);
}

/// Qubit line over drive power: how the width grows, and whether a sharp line exists at all.
template <class Memory>
void analyze_power_map(const Request& request, Decision& decision, Memory& workspace) noexcept {
  auto& facts = decision.facts;
  const auto ridge = detail::open_map(request, decision, workspace);
  if (ridge.error != nullptr) return;
  const std::size_t n = ridge.bias.size();
  double seen = 0, twice = 0, narrow = 1e300, at = missing, best_snr = 0;
  for (std::size_t k = 0; k < n; ++k) {
    best_snr = spinel::max(best_snr, ridge.snr[k]);
    if (ridge.snr[k] < 5) continue;
    seen += 1;
    twice += ridge.second[k] > 3.5 && ridge.second[k] > 0.2 * ridge.snr[k] ? 1 : 0;
    if (ridge.width[k] < narrow) {
      narrow = ridge.width[k];
      at = ridge.frequency[k];
    }
  }
  // One slice may look narrow by chance: the tenth part of the widths from below decides.
  if (seen >= 2) {
    ScratchScope scope{workspace};
    auto widths = workspace.take(n);
    if (widths.empty()) return;
    std::size_t count = 0;
    for (std::size_t k = 0; k < n; ++k)
      if (ridge.snr[k] >= 5) widths[count++] = ridge.width[k];
    spinel::sort(widths.data(), widths.data() + count);
    narrow = widths[count / 10];
  }
  facts.resolved_fraction = seen / static_cast<double>(n);
  facts.snr = best_snr;
  facts.dbic = seen >= 2 ? 100.0 : 0.0;
  const double steps = (ridge.frequency_high - ridge.frequency_low) / spinel::max(ridge.step, 1e-300);
  facts.span_over_width = steps / spinel::max(narrow, 1.0);
  facts.constant = seen < 2;
  facts.second_fraction = seen > 0 ? twice / seen : 0.0;
  decision.model = "strongest line of each power";
  if (seen >= 2) {
    decision.add("f01_Hz", at, ridge.step, "Hz");
    decision.add("f01_MHz", at * 1e-6, ridge.step * 1e-6, "MHz");
    decision.add("narrowest_width_Hz", narrow * ridge.step, ridge.step, "Hz");
  }
}

}  // namespace spinel::calib
