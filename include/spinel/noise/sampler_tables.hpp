// SPDX-License-Identifier: Apache-2.0
// What noise/sampler.hpp draws from: random words, Poisson numbers, alias tables, and the bit transpose of its rows.
// Everything is integer arithmetic or single IEEE operations that no compiler fuses (no product feeds a sum unless it is
// exact), so the tables and the draws are the same bits on every machine.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <spinel/core/config.hpp>
#include <spinel/core/span.hpp>

namespace spinel::detail {

/// xoshiro256++ whose state is a hash (SplitMix64) of seed and stream: streams are independent for all purposes.
class SamplerRandom {
 public:
  SamplerRandom(std::uint64_t seed, std::uint64_t stream) noexcept {
    std::uint64_t state = mix(seed) ^ (stream * 0xd1342543de82ef95u);
    for (auto& word : s_) word = mix(state += 0x9e3779b97f4a7c15u);
    if ((s_[0] | s_[1] | s_[2] | s_[3]) == 0) s_[0] = 1;
  }
  SPINEL_ALWAYS_INLINE std::uint64_t operator()() noexcept {
    const std::uint64_t result = std::rotl(s_[0] + s_[3], 23) + s_[0];
    const std::uint64_t shifted = s_[1] << 17;
    s_[2] ^= s_[0];
    s_[3] ^= s_[1];
    s_[1] ^= s_[2];
    s_[0] ^= s_[3];
    s_[2] ^= shifted;
    s_[3] = std::rotl(s_[3], 45);
    return result;
  }

 private:
  static constexpr std::uint64_t mix(std::uint64_t z) noexcept {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  std::uint64_t s_[4];
};

/// The mean of a Poisson number that is odd with probability p <= 1/4: atanh(p / (1 - p)), by its series.
inline double poisson_rate_of_parity(double p) noexcept {
  const double z = p / (1 - p);
  const double z2 = z * z;
  double power = z, sum = z;
  for (int n = 3; n < 48; n += 2) {
    power = power * z2;
    sum += power / n;  // a quotient: nothing to fuse
  }
  return sum;
}

inline constexpr double max_poisson_mean = 4096;

/// A mean that is the sum of up to five consecutive powers of two: draws of 2^12, 2^11, ..., 2^-20 add up to it.
struct PoissonMean {
  static constexpr int top_exponent = 12, bottom_exponent = -20;
  std::uint64_t powers = 0;  ///< bit k: the power 2^(k + bottom_exponent) is part

  constexpr double value() const noexcept {
    return static_cast<double>(powers) * 0x1p-20;
  }
  /// The smallest such mean that is at least 0.1 ppm above `mean` (never below what rounding makes of its parts).
  static PoissonMean at_least(double mean) noexcept {
    const double scaled = mean * 0x1p20;
    const double with_slack = scaled + scaled / 10000000;
    auto units = static_cast<std::uint64_t>(with_slack) + 1;
    const int excess = static_cast<int>(std::bit_width(units)) - 5;
    if (excess > 0) units = (((units - 1) >> excess) + 1) << excess;
    return {units};
  }
};

/// Cumulative distributions of Poisson numbers with mean 2^12 to 2^-20, as 64-bit thresholds.
class PoissonTables {
 public:
  void fill() noexcept {
    std::size_t used = 0;
    for (int k = 0; k < n_tables; ++k) fill_one(k, used);
  }

  template <class Random>
  std::size_t draw(PoissonMean mean, Random& random) const noexcept {
    std::size_t total = 0;
    for (std::uint64_t left = mean.powers; left != 0; left &= left - 1) {
      const Table& table = tables_[std::countr_zero(left)];
      const std::uint64_t bits = random();
      const std::uint64_t* low = thresholds_ + table.begin;
      for (std::size_t half = table.size / 2; half != 0; half /= 2) low += low[half - 1] <= bits ? half : 0;
      total += table.first + static_cast<std::size_t>(low - (thresholds_ + table.begin));
    }
    return total;
  }

 private:
  static constexpr int n_tables = PoissonMean::top_exponent - PoissonMean::bottom_exponent + 1;
  struct Table {
    std::uint32_t begin, size, first;  ///< size is a power of two; entry k: P(number <= first + k) * 2^64
  };

  /// Weights from the mode outwards until they vanish beside it; their sum normalizes them.
  void fill_one(int k, std::size_t& used) noexcept {
    const double mean = static_cast<double>(std::uint64_t{1} << k) * 0x1p-20;
    const auto mode = static_cast<std::size_t>(mean);
    double weight = 1;
    std::size_t first = mode, last = mode;
    while (first > 0 && weight > negligible) weight = weight * static_cast<double>(first--) / mean;
    double low_weight = weight;
    weight = 1;
    while (weight > negligible) weight = weight * mean / static_cast<double>(++last);
    double sum = 0;
    weight = low_weight;
    for (std::size_t n = first; n <= last; ++n) {
      sum += weight;
      weight = weight * mean / static_cast<double>(n + 1);
    }
    Table& table = tables_[k];
    table.begin = static_cast<std::uint32_t>(used);
    table.first = static_cast<std::uint32_t>(first);
    table.size = static_cast<std::uint32_t>(std::bit_ceil(last - first + 1));
    double cumulative = 0;
    weight = low_weight;
    for (std::size_t n = first; n < first + table.size; ++n) {
      cumulative += weight;
      const double fraction = cumulative / sum;
      const bool is_certain = n >= last || fraction >= 1;
      thresholds_[used++] = is_certain ? ~std::uint64_t{0} : static_cast<std::uint64_t>(fraction * 0x1p64);
      weight = n >= last ? 0.0 : weight * mean / static_cast<double>(n + 1);
    }
  }

  static constexpr double negligible = 0x1p-70;
  Table tables_[n_tables] = {};
  std::uint64_t thresholds_[8192] = {};
};

/// Fills a power of two of columns so that a hit in a random column falls on mechanism i with probability
/// hits[i] / total, and on the mechanism without effect, number hits.size(), with what is left. Vose's method on integers.
inline void fill_alias_columns(Span<const double> hits, double total, Span<std::uint64_t> columns) noexcept {
  constexpr std::uint64_t one = std::uint64_t{1} << 45;
  const std::size_t n = columns.size();  // at most 1024: the weights below stay under 2^55
  std::uint64_t weight[1024];
  std::uint16_t light[1024], heavy[1024];
  std::uint64_t left = one * n;
  const auto scale = static_cast<double>(one * n);
  for (std::size_t i = 0; i < n; ++i) weight[i] = 0;
  for (std::size_t i = 0; i < hits.size(); ++i) {
    weight[i] = static_cast<std::uint64_t>(hits[i] / total * scale);
    left -= weight[i];
  }
  weight[hits.size()] = left;
  std::size_t n_light = 0, n_heavy = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (weight[i] < one) light[n_light++] = static_cast<std::uint16_t>(i);
    else heavy[n_heavy++] = static_cast<std::uint16_t>(i);
  }
  while (n_light > 0) {
    const std::size_t i = light[--n_light];
    const std::size_t from = heavy[n_heavy - 1];  // there is one: the weights sum to exactly one a column
    columns[i] = (weight[i] << 16) | from;
    weight[from] -= one - weight[i];
    if (weight[from] < one) {
      --n_heavy;
      light[n_light++] = static_cast<std::uint16_t>(from);
    }
  }
  while (n_heavy > 0) {
    const std::size_t i = heavy[--n_heavy];
    columns[i] = (one << 16) | i;
  }
}

/// Transposes `lanes` 64 x 64 bit matrices at once: bit s of word [r][lane] becomes bit r of word [s][lane].
template <std::size_t lanes>
inline void transpose_tile(std::uint64_t* SPINEL_RESTRICT tile) noexcept {
  std::uint64_t mask = 0x00000000ffffffffu;
  for (std::size_t distance = 32; distance != 0; distance /= 2, mask ^= mask << distance) {
    for (std::size_t row = 0; row < 64; row = (row + distance + 1) & ~distance) {
      std::uint64_t* upper = tile + row * lanes;
      std::uint64_t* lower = upper + distance * lanes;
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        const std::uint64_t swapped = ((upper[lane] >> distance) ^ lower[lane]) & mask;
        lower[lane] ^= swapped;
        upper[lane] ^= swapped << distance;
      }
    }
  }
}

}  // namespace spinel::detail
