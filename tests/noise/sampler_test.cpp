// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <spinel/noise/sampler.hpp>
#include <vector>

namespace {

using spinel::ErrorMechanismsView;
using spinel::Sampler;
using spinel::Status;

struct Mechanisms {
  std::size_t n_detectors = 0, n_observables = 0;
  std::vector<double> probabilities;
  std::vector<std::uint32_t> begin{0}, detectors;
  std::vector<std::uint64_t> observables;

  void add(double p, std::initializer_list<std::uint32_t> flipped, std::uint64_t mask = 0) {
    probabilities.push_back(p);
    detectors.insert(detectors.end(), flipped);
    begin.push_back(static_cast<std::uint32_t>(detectors.size()));
    observables.push_back(mask);
  }
  ErrorMechanismsView view() const {
    return {n_detectors, n_observables, probabilities, begin, detectors, observables};
  }
};

struct Built {
  std::vector<std::byte> memory;
  Sampler sampler;
};
Built build(const Mechanisms& mechanisms) {
  const auto bytes = Sampler::memory_bytes(mechanisms.view());
  EXPECT_TRUE(bytes);
  Built built{std::vector<std::byte>(*bytes), {}};
  auto sampler = Sampler::make(mechanisms.view(), built.memory);
  EXPECT_TRUE(sampler) << to_string(sampler.status);
  built.sampler = *sampler;
  return built;
}

/// Rows of 64-bit words, one a shot: detectors, then observables.
std::vector<std::uint64_t> shots_of(Sampler& sampler, std::uint64_t seed, std::size_t n_batches) {
  EXPECT_LE(sampler.n_detectors(), 56u);
  std::vector<std::uint64_t> shots;
  std::vector<std::uint64_t> detectors(512), observables(512);
  for (std::size_t batch = 0; batch < n_batches; ++batch) {
    sampler.sample(seed, batch, 512, reinterpret_cast<std::uint8_t*>(detectors.data()), 8,
                   reinterpret_cast<std::uint8_t*>(observables.data()), 8);
    for (std::size_t s = 0; s < 512; ++s) shots.push_back(detectors[s] | observables[s] << sampler.n_detectors());
  }
  return shots;
}

double sigmas(double count, double n, double p) {
  const double deviation = std::sqrt(n * p * (1 - p));
  return deviation == 0 ? (count == n * p ? 0 : 1e9) : std::abs(count - n * p) / deviation;
}

TEST(Sampler, EveryProbabilityOnItsOwnDetector) {
  // Thrown, dense, inverted and certain mechanisms; one detector each, so rates and pair rates are known exactly.
  const std::vector<double> ps = {0,   1e-9, 1e-6, 1e-4,  0.001, 0.0061, 0.01, 0.03, 0.1,  0.19,
                                  0.2, 0.21, 0.3,  0.499, 0.5,   0.51,   0.7,  0.79, 0.81, 0.95, 0.999, 1};
  Mechanisms mechanisms;
  mechanisms.n_detectors = ps.size();
  for (std::size_t k = 0; k < ps.size(); ++k) mechanisms.add(ps[k], {static_cast<std::uint32_t>(k)});
  auto built = build(mechanisms);
  const auto shots = shots_of(built.sampler, 11, 4000);
  const auto n = static_cast<double>(shots.size());
  std::vector<double> single(ps.size());
  std::vector<std::vector<double>> pair(ps.size(), std::vector<double>(ps.size()));
  for (const auto shot : shots)
    for (std::size_t a = 0; a < ps.size(); ++a) {
      if (((shot >> a) & 1) == 0) continue;
      ++single[a];
      for (std::size_t b = a + 1; b < ps.size(); ++b) pair[a][b] += static_cast<double>((shot >> b) & 1);
    }
  for (std::size_t a = 0; a < ps.size(); ++a) {
    if (n * ps[a] > 10 || ps[a] == 0) {
      EXPECT_LT(sigmas(single[a], n, ps[a]), 5) << ps[a];
    }
    for (std::size_t b = a + 1; b < ps.size(); ++b)
      if (n * ps[a] * ps[b] > 30) {
        EXPECT_LT(sigmas(pair[a][b], n, ps[a] * ps[b]), 5) << ps[a] << " " << ps[b];
      }
  }
}

TEST(Sampler, JointDistributionAgainstEnumeration) {
  // Overlapping mechanisms of every number of targets: all 2^8 outcomes against the exact distribution.
  Mechanisms mechanisms;
  mechanisms.n_detectors = 6;
  mechanisms.n_observables = 2;
  mechanisms.add(0.02, {0});
  mechanisms.add(0.03, {0, 1}, 1);
  mechanisms.add(0.05, {1, 2});
  mechanisms.add(0.01, {2, 3, 4}, 2);
  mechanisms.add(0.15, {3, 4, 5, 1});
  mechanisms.add(0.04, {0, 1, 2, 3, 4}, 1);
  mechanisms.add(0.06, {0, 1, 2, 3, 4, 5}, 3);
  mechanisms.add(0.9, {5}, 2);
  mechanisms.add(0.4, {4, 5});
  mechanisms.add(0.07, {}, 1);
  mechanisms.add(0.3, {});
  mechanisms.add(0.11, {0, 0, 5}, 0);  // twice: D0 is not flipped
  std::vector<double> exact(256, 0.0);
  exact[0] = 1;
  for (std::size_t m = 0; m < mechanisms.probabilities.size(); ++m) {
    std::size_t flips = static_cast<std::size_t>(mechanisms.observables[m]) << 6;
    for (auto d = mechanisms.begin[m]; d < mechanisms.begin[m + 1]; ++d) flips ^= std::size_t{1} << mechanisms.detectors[d];
    std::vector<double> next(256);
    const double p = mechanisms.probabilities[m];
    for (std::size_t k = 0; k < 256; ++k) next[k] = (1 - p) * exact[k] + p * exact[k ^ flips];
    exact = next;
  }
  auto built = build(mechanisms);
  const auto shots = shots_of(built.sampler, 5, 4000);
  std::vector<double> counts(256);
  for (const auto shot : shots) {
    ASSERT_LT(shot, 256u);
    ++counts[shot];
  }
  for (std::size_t k = 0; k < 256; ++k)
    EXPECT_LT(sigmas(counts[k], static_cast<double>(shots.size()), exact[k]), 5) << k;
}

TEST(Sampler, ManyBlocksOfUnequalMechanisms) {
  // 40,000 mechanisms of unequal probability fold onto 40 detectors: the rates are products over mechanisms.
  Mechanisms mechanisms;
  mechanisms.n_detectors = 40;
  std::mt19937_64 random(9);
  std::vector<double> mean_sign(40, 1.0);
  for (int m = 0; m < 40000; ++m) {
    const double p = std::ldexp(static_cast<double>(random() >> 11), -53) * 0.0006;
    const auto a = static_cast<std::uint32_t>(random() % 40), b = static_cast<std::uint32_t>((a + 1 + random() % 39) % 40);
    if (m % 3 == 0) mechanisms.add(p, {a});
    else mechanisms.add(p, {a, b});
    mean_sign[a] *= 1 - 2 * p;
    if (m % 3 != 0) mean_sign[b] *= 1 - 2 * p;
  }
  auto built = build(mechanisms);
  const auto shots = shots_of(built.sampler, 2, 1000);
  for (std::size_t k = 0; k < 40; ++k) {
    double count = 0;
    for (const auto shot : shots) count += static_cast<double>((shot >> k) & 1);
    EXPECT_LT(sigmas(count, static_cast<double>(shots.size()), (1 - mean_sign[k]) / 2), 5) << k;
  }
}

TEST(Sampler, ShotsAndBatchesAreIndependent) {
  // One mechanism: equal-lag products of neighboring shots, within and across batches, have the rate p^2.
  for (const double p : {0.01, 0.15, 0.4}) {
    Mechanisms mechanisms;
    mechanisms.n_detectors = 1;
    mechanisms.add(p, {0});
    auto built = build(mechanisms);
    const auto shots = shots_of(built.sampler, 77, 4000);
    for (const std::size_t lag : {1u, 7u, 64u, 512u, 513u}) {
      double both = 0;
      for (std::size_t s = lag; s < shots.size(); ++s) both += static_cast<double>(shots[s] & shots[s - lag] & 1);
      EXPECT_LT(sigmas(both, static_cast<double>(shots.size() - lag), p * p), 5) << p << " lag " << lag;
    }
  }
}

TEST(Sampler, SameSeedSameBitsEverywhere) {
  // The hash pins the bits: another compiler, instruction set or optimization level must give the same.
  Mechanisms mechanisms;
  mechanisms.n_detectors = 203;
  mechanisms.n_observables = 3;
  std::mt19937_64 random(1);
  for (int m = 0; m < 3000; ++m) {
    const double p = m % 500 == 0 ? 0.37 : m % 500 == 1 ? 0.93 : std::ldexp(static_cast<double>(random() >> 11), -53) * 0.02;
    const std::uint64_t mask = random() % 8;
    const auto pick = [&] { return static_cast<std::uint32_t>(random() % 203); };
    switch (m % 7) {
      case 0: mechanisms.add(p, {pick()}); break;
      case 1: mechanisms.add(p, {pick(), pick(), pick()}, mask); break;
      case 2: mechanisms.add(p, {pick(), pick(), pick(), pick(), pick(), pick(), pick(), pick()}, mask); break;
      default: mechanisms.add(p, {pick(), pick()}, mask % 2); break;
    }
  }
  auto built = build(mechanisms);
  std::vector<std::uint8_t> detectors(512 * 26), observables(512);
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const std::uint64_t seed : {0u, 1u, 12345u})
    for (const std::uint64_t batch : {0u, 1u, 1000000u}) {
      built.sampler.sample(seed, batch, 512, detectors.data(), 26, observables.data(), 1);
      for (const auto byte : detectors) hash = (hash ^ byte) * 0x100000001b3u;
      for (const auto byte : observables) hash = (hash ^ byte) * 0x100000001b3u;
    }
  EXPECT_EQ(hash, 11975251969285852604u);
  // A shorter or partial request of the same batch is a prefix of it.
  std::vector<std::uint8_t> few(100 * 30, 0xee);
  built.sampler.sample(12345, 1000000, 100, few.data(), 30, nullptr, 0);
  for (std::size_t s = 0; s < 100; ++s) {
    for (std::size_t b = 0; b < 26; ++b) ASSERT_EQ(few[s * 30 + b], detectors[s * 26 + b]);
    for (std::size_t b = 26; b < 30; ++b) ASSERT_EQ(few[s * 30 + b], 0xee) << "only its own bytes are written";
  }
  for (std::size_t s = 0; s < 512; ++s) EXPECT_EQ(detectors[s * 26 + 25] & 0xf8, 0) << "padding is zero";
}

TEST(Sampler, NothingHappensWithoutMechanisms) {
  Mechanisms mechanisms;
  mechanisms.n_detectors = 5;
  auto built = build(mechanisms);
  for (const auto shot : shots_of(built.sampler, 1, 1)) EXPECT_EQ(shot, 0u);
  mechanisms.n_detectors = 0;
  auto none = build(mechanisms);
  none.sampler.sample(1, 0, 512, nullptr, 0, nullptr, 0);
}

TEST(Sampler, RefusesBadMechanisms) {
  Mechanisms good;
  good.n_detectors = 3;
  good.n_observables = 1;
  good.add(0.1, {0, 2}, 1);
  const auto bytes = Sampler::memory_bytes(good.view());
  ASSERT_TRUE(bytes);
  std::vector<std::byte> memory(*bytes);
  EXPECT_TRUE(Sampler::make(good.view(), memory));
  EXPECT_EQ(Sampler::make(good.view(), std::span(memory).first(memory.size() / 2)).status, Status::out_of_capacity);
  EXPECT_EQ(Sampler::make(good.view(), {}).status, Status::out_of_capacity);
  const auto status_of = [&](auto&& change) {
    Mechanisms bad = good;
    change(bad);
    EXPECT_EQ(Sampler::make(bad.view(), memory).status, Sampler::memory_bytes(bad.view()).status);
    return Sampler::memory_bytes(bad.view()).status;
  };
  EXPECT_EQ(status_of([](auto& m) { m.probabilities[0] = 1.5; }), Status::bad_argument);
  EXPECT_EQ(status_of([](auto& m) { m.probabilities[0] = -1e-300; }), Status::bad_argument);
  EXPECT_EQ(status_of([](auto& m) { m.probabilities[0] = std::nan(""); }), Status::bad_argument);
  EXPECT_EQ(status_of([](auto& m) { m.n_observables = 65; }), Status::bad_argument);
  EXPECT_EQ(status_of([](auto& m) { m.detectors[1] = 3; }), Status::bad_shape);
  EXPECT_EQ(status_of([](auto& m) { m.observables[0] = 2; }), Status::bad_shape);
  EXPECT_EQ(status_of([](auto& m) { m.begin[1] = 3; }), Status::bad_shape);
  EXPECT_EQ(status_of([](auto& m) { m.begin.pop_back(); }), Status::bad_shape);
  EXPECT_EQ(status_of([](auto& m) { m.begin[0] = 5; }), Status::bad_shape);
}

TEST(SamplerTables, AliasColumnsCarryExactWeights) {
  std::mt19937_64 random(4);
  for (const std::size_t n : {1u, 2u, 3u, 100u, 1023u}) {
    std::vector<double> hits(n);
    double sum = 0;
    for (auto& h : hits) sum += h = std::ldexp(static_cast<double>(random() >> 11), -53) * (random() % 10 == 0 ? 10 : 0.1);
    const auto mean = spinel::detail::PoissonMean::at_least(sum);
    EXPECT_GT(mean.value(), sum);
    EXPECT_LT(mean.value(), sum * 1.07 + 1e-5);
    std::vector<std::uint64_t> columns(std::bit_ceil(n + 1));
    spinel::detail::fill_alias_columns(hits, mean.value(), columns);
    std::vector<double> weight(columns.size());
    for (std::size_t c = 0; c < columns.size(); ++c) {
      const double own = std::ldexp(static_cast<double>(columns[c] >> 16), -45);
      weight[c] += own;
      weight[columns[c] & 0xffff] += 1 - own;
    }
    for (std::size_t i = 0; i < n; ++i)
      EXPECT_NEAR(weight[i] / static_cast<double>(columns.size()), hits[i] / mean.value(), 1e-13);
  }
}

TEST(SamplerTables, PoissonNumbersHaveTheirMoments) {
  static spinel::detail::PoissonTables tables;
  tables.fill();
  spinel::detail::SamplerRandom random(1, 2);
  for (const double wanted : {1e-5, 0.01, 0.7, 3.3, 40.0, 700.0, 4000.0}) {
    const auto mean = spinel::detail::PoissonMean::at_least(wanted);
    const double mu = mean.value();
    const double n = 400000;
    double sum = 0, squares = 0;
    for (int k = 0; k < 400000; ++k) {
      const auto x = static_cast<double>(tables.draw(mean, random)) - mu;
      sum += x;
      squares += x * x;
    }
    EXPECT_LT(std::abs(sum), 5 * std::sqrt(n * mu)) << mu;
    EXPECT_LT(std::abs(squares - n * mu), 5 * std::sqrt(n * (2 * mu * mu + mu))) << mu;
  }
}

TEST(SamplerTables, ParityRate) {
  for (const double p : {1e-12, 1e-5, 0.003, 0.1, 0.2})
    EXPECT_NEAR(spinel::detail::poisson_rate_of_parity(p) / (-0.5 * std::log1p(-2 * p)), 1, 1e-14) << p;
}

}  // namespace
