// SPDX-License-Identifier: Apache-2.0
// T1 recorded over time: stable, telegraphic (two levels with sudden jumps) or a random walk, from the two-level split of the
// values, the fraction of switches and the lag-one autocorrelation.
#pragma once

#include <spinel/calib/facts.hpp>
#include <spinel/core/algorithm.hpp>
#include <spinel/core/math.hpp>

namespace spinel::calib {

/// A series of T1 values; the last column named T1 is the series, the first column the time.
template <class Memory>
void analyze_series(const Request& request, Decision& decision, Memory& workspace) noexcept {
  auto& facts = decision.facts;
  int column = find_column(request.columns, "T1", 0);
  if (column < 0) column = static_cast<int>(request.columns.size()) - 1;
  const auto series = request.columns[static_cast<std::size_t>(column)];
  const double factor = unit_of(series.name).name == "s" ? unit_of(series.name).factor : 1e-6;
  auto y = workspace.take(series.values.size()), sorted = workspace.take(series.values.size());
  if (workspace.overflowed()) return;
  std::size_t n = 0;
  for (const double value : series.values)
    if (spinel::isfinite(value)) y[n++] = value * factor;
  y = y.first(n);
  sorted = sorted.first(n);
  facts.n = static_cast<double>(n);
  facts.n_missing = static_cast<double>(series.values.size() - n);
  if (n < 8) {
    facts.input_error = "a fluctuation series needs at least 8 finite values";
    return;
  }
  double mean = 0, square = 0, lag = 0;
  for (std::size_t k = 0; k < n; ++k) {
    mean += y[k] / static_cast<double>(n);
    sorted[k] = y[k];
  }
  for (std::size_t k = 0; k < n; ++k) {
    square += (y[k] - mean) * (y[k] - mean);
    if (k > 0) lag += (y[k] - mean) * (y[k - 1] - mean);
  }
  facts.lag_one = square > 0 ? lag / square : 0.0;
  spinel::sort(sorted.data(), sorted.data() + sorted.size());
  // Best split into two levels: least within-group sum of squares (Otsu, 1979).
  double left = 0, total = mean * static_cast<double>(n), best = square, threshold = mean, low = mean, high = mean;
  for (std::size_t k = 0; k + 1 < n; ++k) {
    left += sorted[k];
    const double a = static_cast<double>(k + 1), b = static_cast<double>(n - k - 1);
    if (a < 0.08 * static_cast<double>(n) || b < 0.08 * static_cast<double>(n)) continue;
    const double m0 = left / a, m1 = (total - left) / b;
    const double within = square - a * (m0 - mean) * (m0 - mean) - b * (m1 - mean) * (m1 - mean);
    if (within < best) {
      best = within;
      threshold = 0.5 * (m0 + m1);
      low = m0;
      high = m1;
    }
  }
  double switches = 0, between = 0;
  const double sigma = spinel::sqrt(spinel::max(best, 0.0) / static_cast<double>(n));
  for (std::size_t k = 0; k < n; ++k) {
    if (k > 0 && (y[k] > threshold) != (y[k - 1] > threshold)) switches += 1;
    // Two true levels leave the middle third between them nearly empty; a wander fills it.
    if (y[k] > low + (high - low) / 3 && y[k] < high - (high - low) / 3) between += 1;
  }
  // About two true levels the values scatter independently; about a wander they do not.
  double inside = 0, inside_lag = 0;
  for (std::size_t k = 0; k < n; ++k) {
    const double r = y[k] - (y[k] > threshold ? high : low);
    inside += r * r;
    if (k > 0) inside_lag += r * (y[k - 1] - (y[k - 1] > threshold ? high : low));
  }
  const double correlated = inside > 0 ? inside_lag / inside : 0.0;
  facts.jumps = switches / static_cast<double>(n - 1);
  const double ratio = sigma > 0 ? (high - low) / sigma : 0.0;
  const double empty = between / static_cast<double>(n);
  facts.bimodality = ratio > 3.2 && empty < 0.12 && correlated < 0.35 ? 100.0 : 0.0;
  facts.snr = 1e3;
  decision.model = "two-level split, switches, lag-one autocorrelation";
  decision.features.push_back({"classification", facts.bimodality > 10 && facts.jumps < 0.35 ? "telegraphic" : facts.lag_one > 0.6 ? "random_walk" : "stable"});
  decision.add("mean_t1_s", mean, spinel::sqrt(square / static_cast<double>(n)) / spinel::sqrt(static_cast<double>(n)), "s");
  decision.add("mean_t1_us", mean * 1e6, spinel::sqrt(square / static_cast<double>(n)) / spinel::sqrt(static_cast<double>(n)) * 1e6, "us");
  if (facts.bimodality > 10) {
    decision.add("level_low_s", low, sigma, "s");
    decision.add("level_high_s", high, sigma, "s");
  }
}

}  // namespace spinel::calib
