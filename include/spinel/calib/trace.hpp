// SPDX-License-Identifier: Apache-2.0
// A measurement as the engine sees it: named columns over the caller's memory, the meta data that decide how they are read, and
// the one-dimensional signal made from them (units to SI, calibration points or principal axis, sorted, without missing points).
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>

#include <spinel/calib/codes.hpp>
#include <spinel/calib/workspace.hpp>
#include <spinel/core/algorithm.hpp>
#include <spinel/core/math.hpp>
#include <spinel/core/span.hpp>
#include <string_view>

namespace spinel::calib {

inline constexpr double missing = std::numeric_limits<double>::quiet_NaN();

/// One column of a trace; the name carries the unit as suffix (`delay_ns`).
struct Column {
  std::string_view name;
  Span<const double> values;
};

/// Whether a coefficient is held, free, or left to the family's default.
enum class Constraint : std::uint8_t { by_default, fixed, free };

/// What the request says beside the trace. NaN: not said.
struct Meta {
  double virtual_detuning_Hz = missing, shots = missing, qubit_frequency_Hz = missing, anharmonicity_Hz = missing;
  double pulse_amplitude = missing;
  double T1_s = missing, T2_echo_s = missing;             ///< in force: what a coherence time may not exceed
  double usual_contrast = missing, usual_width = missing;  ///< medians of earlier accepted decisions of this family
  int cal_points = 0;               ///< last rows of the trace; first half prepared in 0, second half in 1
  bool has_cal_levels = false;      ///< levels given apart from the trace, as I and Q of both states
  double cal_zero[2]{}, cal_one[2]{};
  Constraint offset = Constraint::by_default, amplitude = Constraint::by_default;
};

/// What a decision is asked about.
struct Request {
  Family family = Family::unknown;
  Span<const Column> columns;
  Meta meta{};
};

/// Factor to SI units and the SI unit, from the suffix of a column's name; an unknown suffix means a bare number.
struct Unit {
  double factor = 1.0;
  std::string_view name = "1";
};

constexpr Unit unit_of(std::string_view column) noexcept {
  struct Entry {
    std::string_view suffix;
    Unit unit;
  };
  constexpr Entry entries[] = {
      {"_ns", {1e-9, "s"}},   {"_us", {1e-6, "s"}},   {"_ms", {1e-3, "s"}},    {"_s", {1.0, "s"}},
      {"_kHz", {1e3, "Hz"}},  {"_MHz", {1e6, "Hz"}},  {"_GHz", {1e9, "Hz"}},   {"_Hz", {1.0, "Hz"}},
      {"_mV", {1e-3, "V"}},   {"_V", {1.0, "V"}},     {"_A", {1.0, "A"}},      {"_mA", {1e-3, "A"}},
      {"_dBm", {1.0, "dBm"}}, {"_deg", {3.14159265358979323846 / 180.0, "rad"}}, {"_rad", {1.0, "rad"}}};
  for (const auto& entry : entries)
    if (column.size() > entry.suffix.size() && column.substr(column.size() - entry.suffix.size()) == entry.suffix)
      return entry.unit;
  return {};
}

/// Unit that a family's sweep is planned in; empty: any.
constexpr std::string_view axis_unit(Family family) noexcept {
  switch (family) {
    case Family::t1: case Family::t2_echo: case Family::ramsey_freq_cal: case Family::ramsey_t2star: case Family::rydberg_ramsey:
    case Family::zz: case Family::time_of_flight: case Family::t1_fluctuations:
      return "s";
    case Family::res_spec: case Family::rydberg_spectroscopy: case Family::qubit_spectroscopy: case Family::dispersive_shift:
      return "Hz";
    case Family::randomized_benchmarking: case Family::pingpong: case Family::allxy: case Family::cz_benchmarking:
      return "1";
    case Family::conditional_oscillation_cz:
      return "rad";
    default:
      return {};
  }
}

/// Whether a first sweep column in `unit` can be this family's. A bare number is always taken as it is.
constexpr bool axis_fits(Family family, std::string_view unit) noexcept {
  if (unit == "1") return true;
  switch (family) {
    case Family::rabi: case Family::rabi_hw: return unit == "V" || unit == "A" || unit == "s";
    case Family::drag: case Family::pinchoff: return unit == "V" || unit == "A";
    case Family::microwave_ramsey: return unit == "s" || unit == "Hz";
    default: return axis_unit(family).empty() || unit == axis_unit(family);
  }
}

constexpr bool starts_with(std::string_view text, std::string_view start) noexcept {
  return text.substr(0, start.size()) == start;
}

/// Index of the first column at or after `from` whose name is `stem` or begins with `stem` and an underscore; -1: none.
inline int find_column(Span<const Column> columns, std::string_view stem, std::size_t from = 0) noexcept {
  for (std::size_t k = from; k < columns.size(); ++k) {
    const auto name = columns[k].name;
    if (name == stem || (starts_with(name, stem) && name.size() > stem.size() && name[stem.size()] == '_'))
      return static_cast<int>(k);
  }
  return -1;
}

/// A sorted one-dimensional signal in SI units.
struct Signal {
  Span<double> x, y, weight{};
  std::string_view x_unit = "1", y_unit = "1";
  bool calibrated = false;           ///< y is a population: calibration points were used
  bool has_complex = false;          ///< re and im below are filled
  Span<double> re{}, im{};
  double axis_ratio = 1.0;           ///< large over total variance along the principal axis of IQ data
  double saturated = 0.0;            ///< share of the raw values that sit at one end of their range
  std::size_t n_missing = 0;
  const char* error = nullptr;       ///< why there is no signal, a static string
};

/// How complex data become one real number a point.
enum class Reduction : std::uint8_t { principal_axis, magnitude };

namespace detail {
/// Heap sort of `order` by key: no allocation, worst case n log n.
inline void sort_by(Span<double> order, Span<const double> key) noexcept {
  spinel::sort(order.data(), order.data() + order.size(), [&](double a, double b) {
    const auto i = static_cast<std::size_t>(a), j = static_cast<std::size_t>(b);
    return key[i] < key[j] || (key[i] == key[j] && i < j);
  });
}

/// Reorders `values` so that values'[k] = values[order[k]], through `scratch`.
inline void permute(Span<double> values, Span<const double> order, Span<double> scratch) noexcept {
  for (std::size_t k = 0; k < order.size(); ++k) scratch[k] = values[static_cast<std::size_t>(order[k])];
  for (std::size_t k = 0; k < order.size(); ++k) values[k] = scratch[k];
}
}  // namespace detail

/// Median by selection; reorders `values`. NaN when empty.
inline double median(Span<double> values) noexcept {
  if (values.empty()) return missing;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  spinel::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  const double upper = *middle;
  const double lower = *spinel::max_element(values.begin(), middle);
  return 0.5 * (lower + upper);
}

/// Scale of the step within the windows of a sweep: the lower fifth of the gaps between sorted distinct values. `gaps` is scratch of x's size;
/// `windows` counts the stretches between gaps of more than four such steps.
inline double fine_step(Span<const double> x, Span<double> gaps, double least, std::size_t& windows) noexcept {
  std::size_t n = 0;
  for (std::size_t k = 1; k < x.size(); ++k)
    if (x[k] - x[k - 1] > least) gaps[n++] = x[k] - x[k - 1];
  windows = 1;
  if (n == 0) return missing;
  const auto fifth = gaps.begin() + static_cast<std::ptrdiff_t>(n / 5);
  spinel::nth_element(gaps.begin(), fifth, gaps.begin() + static_cast<std::ptrdiff_t>(n));
  const double step = *fifth;
  for (std::size_t k = 1; k < x.size(); ++k) windows += x[k] - x[k - 1] > 4 * step ? 1U : 0U;
  return step;
}

/// Share of `values` that equal their largest or their smallest value, where the others hardly ever repeat: a digitizer at its end. Counts
/// of few shots repeat everywhere and give 0. NaN sorts to the end and takes no part. `scratch` has the size of `values`.
inline double saturation(Span<const double> values, Span<double> scratch) noexcept {
  std::size_t n = 0;
  for (const double value : values)
    if (spinel::isfinite(value)) scratch[n++] = value;
  if (n < 12) return 0.0;
  spinel::sort(scratch.data(), scratch.data() + n);
  std::size_t low = 1, high = 1, repeats = 0;
  while (low < n && scratch[low] == scratch[0]) ++low;
  while (high < n && scratch[n - 1 - high] == scratch[n - 1]) ++high;
  if (low + high >= n) return 0.0;
  for (std::size_t k = low + 1; k + high < n; ++k) repeats += scratch[k] == scratch[k - 1] ? 1U : 0U;
  const std::size_t inside = n - low - high, most = spinel::max(low, high);
  return most >= 4 && inside >= 6 && 20 * repeats <= inside ? static_cast<double>(most) / static_cast<double>(n) : 0.0;
}

/// Unit vector of the principal axis of (re, im); `ratio` is its share of the variance.
inline void principal_axis(Span<const double> re, Span<const double> im, double (&axis)[2], double& ratio) noexcept {
  const double n = static_cast<double>(re.size());
  double mean_re = 0, mean_im = 0, rr = 0, ii = 0, ri = 0;
  for (std::size_t k = 0; k < re.size(); ++k) {
    mean_re += re[k] / n;
    mean_im += im[k] / n;
  }
  for (std::size_t k = 0; k < re.size(); ++k) {
    const double a = re[k] - mean_re, b = im[k] - mean_im;
    rr += a * a;
    ii += b * b;
    ri += a * b;
  }
  const double angle = 0.5 * spinel::atan2(2 * ri, rr - ii);
  axis[0] = spinel::cos(angle);
  axis[1] = spinel::sin(angle);
  const double large = 0.5 * (rr + ii) + spinel::sqrt(0.25 * (rr - ii) * (rr - ii) + ri * ri);
  ratio = rr + ii > 0 ? large / (rr + ii) : 1.0;
}

/// Reads the signal of columns [`first`, ...) against the axis in column `axis_column`. Sets `error` and leaves the spans empty
/// when the columns hold no signal. Cost O(n log n); memory from the workspace.
inline Signal read_signal(const Request& request, std::size_t axis_column, std::size_t first, Reduction reduction,
                          Workspace& workspace) noexcept {
  Signal signal;
  const auto columns = request.columns;
  if (axis_column >= columns.size() || first >= columns.size()) {
    signal.error = "a sweep column and at least one signal column are needed";
    return signal;
  }
  std::size_t n = columns[axis_column].values.size();
  const auto axis = unit_of(columns[axis_column].name);
  signal.x_unit = axis.name;
  const int i_column = find_column(columns, "I", first), q_column = find_column(columns, "Q", first);
  const int magnitude = find_column(columns, "magnitude", first), phase = find_column(columns, "phase", first);
  const int shots = find_column(columns, "shots", first);
  int counts = find_column(columns, "counts", first);
  if (counts < 0) counts = find_column(columns, "survival_counts", first);
  int errors = find_column(columns, "stderr", first);
  for (std::size_t k = first; errors < 0 && k < columns.size(); ++k) {
    const auto name = columns[k].name;
    if (starts_with(name, "err_") || (name.size() > 7 && name.substr(name.size() - 7) == "_stderr")) errors = static_cast<int>(k);
  }
  signal.x = workspace.take(n);
  signal.y = workspace.take(n);
  auto weight = workspace.take(n);
  signal.re = workspace.take(n);
  signal.im = workspace.take(n);
  auto order = workspace.take(n), scratch = workspace.take(n);
  if (workspace.overflowed()) {
    signal.error = "more points than the workspace holds";
    signal.x = signal.y = {};
    return signal;
  }
  const auto at = [&](int column, std::size_t row) { return columns[static_cast<std::size_t>(column)].values[row]; };
  const bool iq = i_column >= 0 && q_column >= 0;
  const bool polar = !iq && magnitude >= 0 && phase >= 0;
  const std::size_t plain = counts >= 0 ? static_cast<std::size_t>(counts) : i_column >= 0 && !iq ? static_cast<std::size_t>(i_column) : magnitude >= 0 ? static_cast<std::size_t>(magnitude) : first;
  signal.y_unit = unit_of(columns[iq ? static_cast<std::size_t>(i_column) : plain].name).name;
  const double y_factor = unit_of(columns[iq ? static_cast<std::size_t>(i_column) : plain].name).factor;
  signal.has_complex = iq || polar;
  for (std::size_t row = 0; row < n; ++row) {
    signal.x[row] = columns[axis_column].values[row] * axis.factor;
    if (iq) {
      signal.re[row] = at(i_column, row) * y_factor;
      signal.im[row] = at(q_column, row) * y_factor;
    } else if (polar) {
      const double angle = at(phase, row) * unit_of(columns[static_cast<std::size_t>(phase)].name).factor;
      signal.re[row] = at(magnitude, row) * y_factor * spinel::cos(angle);
      signal.im[row] = at(magnitude, row) * y_factor * spinel::sin(angle);
    } else {
      signal.re[row] = columns[plain].values[row] * y_factor;
      if (counts >= 0) {
        const double total = shots >= 0 ? at(shots, row) : request.meta.shots;
        if (total > 0) signal.re[row] /= total;
      }
      signal.im[row] = 0.0;
    }
    weight[row] = errors >= 0 ? at(errors, row) : 0.0;
  }
  // A probability may sit at its ends for good reason; a voltage that does was cut.
  if (iq || polar || !(starts_with(columns[plain].name, "p") || counts >= 0 || starts_with(columns[plain].name, "retention"))) {
    signal.saturated = saturation(columns[iq ? static_cast<std::size_t>(i_column) : plain].values, scratch);
    if (iq) signal.saturated = spinel::max(signal.saturated, saturation(columns[static_cast<std::size_t>(q_column)].values, scratch));
  }

  // Calibration levels: given, or the last rows.
  double zero[2] = {request.meta.cal_zero[0], request.meta.cal_zero[1]}, one[2] = {request.meta.cal_one[0], request.meta.cal_one[1]};
  bool levels = request.meta.has_cal_levels;
  const auto cal = static_cast<std::size_t>(spinel::max(0, request.meta.cal_points));
  if (cal + 3 > n && cal > 0) {
    signal.error = "calibration points leave fewer than three rows of the sweep";
    return signal;
  }
  if (cal >= 2) {
    const std::size_t half = cal / 2;
    zero[0] = zero[1] = one[0] = one[1] = 0.0;
    for (std::size_t k = 0; k < half; ++k) {
      zero[0] += signal.re[n - cal + k] / static_cast<double>(half);
      zero[1] += signal.im[n - cal + k] / static_cast<double>(half);
    }
    for (std::size_t k = half; k < cal; ++k) {
      one[0] += signal.re[n - cal + k] / static_cast<double>(cal - half);
      one[1] += signal.im[n - cal + k] / static_cast<double>(cal - half);
    }
    n -= cal;
    levels = true;
  }

  // Drop missing points, then sort.
  std::size_t kept = 0;
  for (std::size_t row = 0; row < n; ++row) {
    if (!spinel::isfinite(signal.x[row]) || !spinel::isfinite(signal.re[row]) || !spinel::isfinite(signal.im[row])) continue;
    signal.x[kept] = signal.x[row];
    signal.re[kept] = signal.re[row];
    signal.im[kept] = signal.im[row];
    weight[kept] = weight[row];
    ++kept;
  }
  signal.n_missing = n - kept;
  for (auto* part : {&signal.x, &signal.y, &weight, &signal.re, &signal.im, &order, &scratch}) *part = part->first(kept);
  for (std::size_t k = 0; k < kept; ++k) order[k] = static_cast<double>(k);
  detail::sort_by(order, signal.x);
  for (auto* part : {&signal.x, &weight, &signal.re, &signal.im}) detail::permute(*part, order, scratch);

  const double gap2 = (one[0] - zero[0]) * (one[0] - zero[0]) + (one[1] - zero[1]) * (one[1] - zero[1]);
  if (levels && gap2 > 0 && reduction == Reduction::principal_axis) {
    signal.calibrated = true;
    signal.y_unit = "1";
    for (std::size_t k = 0; k < kept; ++k)
      signal.y[k] = ((signal.re[k] - zero[0]) * (one[0] - zero[0]) + (signal.im[k] - zero[1]) * (one[1] - zero[1])) / gap2;
  } else if (iq && reduction == Reduction::principal_axis && kept > 0) {
    double direction[2];
    principal_axis(signal.re, signal.im, direction, signal.axis_ratio);
    for (std::size_t k = 0; k < kept; ++k) signal.y[k] = signal.re[k] * direction[0] + signal.im[k] * direction[1];
  } else {
    for (std::size_t k = 0; k < kept; ++k)
      signal.y[k] = signal.has_complex ? spinel::hypot(signal.re[k], signal.im[k]) : signal.re[k];
  }
  if (errors >= 0) {
    // A standard error of zero (all shots equal) would weigh without limit: it is raised to half the median.
    for (std::size_t k = 0; k < kept; ++k) scratch[k] = spinel::isfinite(weight[k]) ? weight[k] : 0.0;
    const double typical = median(scratch);
    if (typical > 0) {
      for (std::size_t k = 0; k < kept; ++k) weight[k] = 1.0 / spinel::max(weight[k], 0.5 * typical);
      signal.weight = weight;
    }
  }
  return signal;
}

}  // namespace spinel::calib
