// SPDX-License-Identifier: Apache-2.0
// What a real-time run measures with: a histogram of latencies with constant relative width that never allocates, and what the
// operating system did to the thread meanwhile.
#pragma once

#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <nlohmann/json.hpp>

namespace spinel::cli {

/// Nanoseconds of a clock that never jumps.
inline std::int64_t now_ns(clockid_t clock = CLOCK_MONOTONIC) noexcept {
  timespec t;
  clock_gettime(clock, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

/// Counts of nanoseconds, 32 buckets an octave: quantiles are exact to 3 % and the maximum is exact.
class Histogram {
 public:
  static constexpr int per_octave = 32;
  static constexpr int n_buckets = 40 * per_octave;

  void add(std::int64_t ns) noexcept {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0));
    ++counts_[static_cast<std::size_t>(bucket(value))];
    ++n_;
    sum_ += static_cast<double>(value);
    max_ = std::max(max_, value);
    min_ = std::min(min_, value);
  }
  std::uint64_t n() const noexcept { return n_; }
  double mean() const noexcept { return n_ == 0 ? 0 : sum_ / static_cast<double>(n_); }
  std::uint64_t max() const noexcept { return max_; }
  std::uint64_t count(int bucket) const noexcept { return counts_[static_cast<std::size_t>(bucket)]; }
  /// Upper end of the bucket in which the quantile lies, at most the maximum.
  std::uint64_t quantile(double q) const noexcept {
    const auto rank = static_cast<std::uint64_t>(q * static_cast<double>(n_));
    std::uint64_t seen = 0;
    for (int b = 0; b < n_buckets; ++b) {
      seen += count(b);
      if (seen > rank) return std::min(max_, upper(b));
    }
    return max_;
  }
  /// How many lie above `ns`, counted by whole buckets.
  std::uint64_t above(std::uint64_t ns) const noexcept {
    std::uint64_t n = 0;
    for (int b = bucket(ns) + 1; b < n_buckets; ++b) n += count(b);
    return n;
  }
  static int bucket(std::uint64_t value) noexcept {
    if (value < per_octave) return static_cast<int>(value);
    const int octave = static_cast<int>(std::bit_width(value)) - 6;  // value >> octave lies in [32, 64)
    return std::min(n_buckets - 1, per_octave * octave + static_cast<int>(value >> octave));
  }
  static std::uint64_t upper(int bucket) noexcept {
    if (bucket < 2 * per_octave) return static_cast<std::uint64_t>(bucket);
    const int octave = bucket / per_octave - 1;
    return ((static_cast<std::uint64_t>(bucket % per_octave + per_octave) + 1) << octave) - 1;
  }

  nlohmann::ordered_json json() const {
    const auto us = [](std::uint64_t ns) { return static_cast<double>(ns) / 1e3; };
    return {{"n", n_},
            {"mean_us", mean() / 1e3},
            {"p50_us", us(quantile(0.5))},
            {"p90_us", us(quantile(0.9))},
            {"p99_us", us(quantile(0.99))},
            {"p99.9_us", us(quantile(0.999))},
            {"p99.99_us", us(quantile(0.9999))},
            {"max_us", us(max_)}};
  }

 private:
  std::array<std::uint64_t, n_buckets> counts_{};
  std::uint64_t n_ = 0, max_ = 0, min_ = ~std::uint64_t{0};
  double sum_ = 0;
};

/// What the operating system did to this thread between two looks.
struct Interference {
  long minor_faults = 0, major_faults = 0, voluntary_switches = 0, involuntary_switches = 0;

  static Interference now() noexcept {
    rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return {usage.ru_minflt, usage.ru_majflt, usage.ru_nvcsw, usage.ru_nivcsw};
  }
  Interference& add_since(const Interference& before) noexcept {
    const Interference after = now();
    minor_faults += after.minor_faults - before.minor_faults;
    major_faults += after.major_faults - before.major_faults;
    voluntary_switches += after.voluntary_switches - before.voluntary_switches;
    involuntary_switches += after.involuntary_switches - before.involuntary_switches;
    return *this;
  }
};

}  // namespace spinel::cli
