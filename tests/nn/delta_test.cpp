// SPDX-License-Identifier: Apache-2.0
// Computing only what differs from the background: the same bits as the dense int8 engine, and near the float64 network in fp32.
#include <algorithm>
#include <cstdlib>
#include <utility>

#include <gtest/gtest.h>

#include <spinel/nn/forward.hpp>
#include <spinel/simd/native.hpp>

#include "nn/test_networks.hpp"

namespace {

using namespace spinel;

constexpr Network network = plain_network(3, 32);

/// A volume whose first and last rounds are unlike the others without events, with events at a rate.
struct Volume {
  int distance, rounds;
  std::size_t round_values;
  std::vector<double> empty, x;

  Volume(int d, int t, double rate, unsigned seed) : distance(d), rounds(t), round_values(static_cast<std::size_t>(d * d * 4)) {
    std::mt19937 engine{seed};
    std::vector<double> presence(2 * round_values);
    for (std::size_t k = 0; k < presence.size(); ++k) presence[k] = k % 4 < 2 ? 0.0 : 0.5 * static_cast<double>(engine() % 3);
    for (int round = 0; round < t; ++round) {
      const std::size_t kind = round == 0 || round == t - 1 ? 0 : round_values;
      for (std::size_t k = 0; k < round_values; ++k) {
        empty.push_back(presence[kind + k]);
        const bool event = k % 4 < 2 && static_cast<double>(engine() % 100000) < 100000 * rate;
        x.push_back(event ? 1.0 : empty.back());
      }
    }
  }
};

template <class Engine>
struct Runner {
  test::AlignedBytes memory;
  Engine engine;
  explicit Runner(const typename Engine::Weights& weights, int distance) : memory(Engine::memory_bytes(distance)) {
    EXPECT_EQ(engine.set_up(weights, distance, memory.span()), Status::ok);
  }
  void set_background(const Volume& volume) {
    engine.set_background(volume.rounds, [&](int t, float* slice) { fill(volume.empty, volume, t, slice); });
  }
  std::vector<float> logits(const Volume& volume) {
    std::vector<float> found;
    engine.run(
        volume.rounds, [&](int t, float* slice) { fill(volume.x, volume, t, slice); },
        [&](int, const float* slice) { found.insert(found.end(), slice, slice + volume.round_values); });
    return found;
  }
  static void fill(const std::vector<double>& from, const Volume& volume, int t, float* slice) {
    for (std::size_t k = 0; k < volume.round_values; ++k) slice[k] = static_cast<float>(from[static_cast<std::size_t>(t) * volume.round_values + k]);
  }
};

CalibratedWeights<network> calibrated(const WeightsView<network>& view) {
  CalibratedWeights<network> weights{view, {}};
  for (int l = 0; l < 3; ++l) weights.ranges.set(l, -0.17f, l == 0 ? 2.0f : 1.2f);  // narrow enough to saturate now and then
  return weights;
}

template <class A>
void expect_equal_bits(int& delta_passes) {
  const auto loaded = test::random_network(network, 5, 1.8);
  const test::AlignedBytes blob{io::weights_blob(loaded)};
  const auto weights = calibrated(*WeightsView<network>::from_bytes(blob.span()));
  using Engine = Forward<network, A, 0, Precision::int8>;
  for (const int distance : {3, 5, 9, 13})
    for (const int rounds : {1, 2, 3, 6, 7, 9, 13, 30})
      for (const double rate : {0.0, 0.002, 0.02, 0.1}) {
        const Volume volume(distance, rounds, rate, static_cast<unsigned>(distance * rounds));
        Runner<Engine> run(weights, distance);
        const auto expected = run.logits(volume);
        EXPECT_EQ(run.engine.delta_passes(), 0);
        run.set_background(volume);
        EXPECT_EQ(run.logits(volume), expected) << distance << " " << rounds << " " << rate;
        delta_passes += run.engine.delta_passes();
        if (rate == 0.0) {
          EXPECT_EQ(run.engine.delta_passes(), rounds > 24 ? 4 : 2);
        }
        run.engine.allow_delta(false);
        EXPECT_EQ(run.logits(volume), expected) << distance << " " << rounds << " " << rate;
        EXPECT_EQ(run.engine.delta_passes(), 0);
        run.engine.allow_delta(true);
        // Another number of rounds than the background's: as without any.
        const Volume longer(distance, rounds + 1, rate, 3);
        const auto of_longer = run.logits(longer);
        EXPECT_EQ(run.engine.delta_passes(), 0);
        EXPECT_EQ(of_longer, Runner<Engine>(weights, distance).logits(longer));
      }
}

TEST(Delta, IsTheDenseInt8EngineBitForBit) {
  int delta_passes = 0;
  expect_equal_bits<arch::native>(delta_passes);
  EXPECT_GT(delta_passes, 100);
}

TEST(Delta, IsTheDenseInt8EngineBitForBitOnThePortableInstructionSet) {
  const auto loaded = test::random_network(network, 5, 1.8);
  const test::AlignedBytes blob{io::weights_blob(loaded)};
  const auto weights = calibrated(*WeightsView<network>::from_bytes(blob.span()));
  const Volume volume(5, 7, 0.004, 9);
  Runner<Forward<network, arch::native, 0, Precision::int8>> native(weights, 5);
  Runner<Forward<network, arch::scalar, 0, Precision::int8>> portable(weights, 5);
  const auto expected = native.logits(volume);
  EXPECT_EQ(portable.logits(volume), expected);
  native.set_background(volume);
  portable.set_background(volume);
  EXPECT_EQ(portable.logits(volume), expected);
  EXPECT_EQ(native.logits(volume), expected);
  EXPECT_GT(portable.engine.delta_passes(), 0);
}

TEST(Delta, DifferencesOfTwoBytesAreSplitExactly) {
  // One channel group of extreme differences through the row finder: parts add up to the difference.
  constexpr int channels = 32;
  std::vector<std::uint8_t> x(4 * channels), base(4 * channels);
  for (std::size_t k = 0; k < x.size(); ++k) {
    const std::size_t site = k / channels;
    x[k] = static_cast<std::uint8_t>(site == 0 ? 255 : site == 1 ? 0 : k * 37 % 256);
    base[k] = static_cast<std::uint8_t>(site == 0 ? 0 : site == 1 ? 255 : site == 2 ? x[k] : k * 91 % 256);
  }
  detail::RoundBuffer<std::uint8_t> input{x, x.size(), 0, 1};
  const detail::BackgroundRounds<std::uint8_t> background{base, base.size(), 0};
  std::vector<std::byte> memory(1 << 16);
  Arena arena{memory};
  detail::DeltaRows rows;
  rows.take_memory(arena, 16, channels);
  ASSERT_TRUE((rows.find<channels>(input, &background, 0, 1, 1, 2, 1000)));
  EXPECT_EQ(rows.level_end[0], 3);  // site 2 is the background's
  std::vector<int> total(4 * channels);
  for (int k = 0; k < rows.count(); ++k) {
    const detail::DeltaRow& row = rows.rows[static_cast<std::size_t>(k)];
    int sum = 0;
    for (int c = 0; c < channels; ++c) {
      const int value = rows.values[static_cast<std::size_t>(k * channels + c)];
      total[static_cast<std::size_t>((row.h * 2 + row.w) * channels + c)] += value;
      sum += value;
      EXPECT_TRUE(value == 0 || c / 4 < row.extent);
    }
    EXPECT_EQ(row.sum, sum);
  }
  for (std::size_t k = 0; k < x.size(); ++k) EXPECT_EQ(total[k], x[k] - base[k]) << k;
  EXPECT_FALSE((rows.find<channels>(input, &background, 0, 1, 1, 2, 20)));  // more than allowed
}

TEST(RoundByRound, IsTheWholeVolumeAndComesHalfTheReceptiveFieldLater) {
  const auto loaded = test::random_network(network, 5, 1.8);
  const test::AlignedBytes blob{io::weights_blob(loaded)};
  const auto weights = calibrated(*WeightsView<network>::from_bytes(blob.span()));
  for (const int rounds : {1, 3, 4, 11, 60}) {
    const Volume volume(5, rounds, 0.03, 21);
    Runner<Forward<network, arch::native, 5, Precision::int8>> runner(weights, 5);
    const auto expected = runner.logits(volume);
    for (const bool known : {true, false}) {
      std::vector<float> found, slice(volume.round_values);
      int last = -1;
      const auto take = [&](int t, const float* logits) {
        EXPECT_EQ(t, ++last);
        found.insert(found.end(), logits, logits + volume.round_values);
      };
      if (known) runner.engine.begin(rounds);
      else runner.engine.begin();
      for (int t = 0; t < rounds; ++t) {
        runner.fill(volume.x, volume, t, slice.data());
        if (known || t + 1 < rounds) runner.engine.push(slice.data(), take);
        else runner.engine.push_last(slice.data(), take);
        if (t + 1 < rounds) {
          EXPECT_EQ(last, t < 4 ? -1 : t - 4);  // four layers of kernel 3
        }
      }
      runner.engine.push(slice.data(), take);  // one too many is ignored
      EXPECT_EQ(found, expected) << rounds << known;
    }
  }
}

TEST(Background, LeavesTheFloatNetworkNearDoublePrecision) {
  const auto loaded = test::random_network(network, 6);
  const test::AlignedBytes blob{io::weights_blob(loaded)};
  const auto view = *WeightsView<network>::from_bytes(blob.span());
  for (const auto& [distance, rounds] : {std::pair{3, 1}, {5, 2}, {9, 5}, {5, 40}}) {
    const Volume volume(distance, rounds, 0.05, 8);
    const auto expected = test::reference_forward(loaded, volume.x, rounds, distance);
    Runner<Forward<network, arch::native>> run(view, distance);
    run.set_background(volume);
    const auto found = run.logits(volume);
    double worst = 0;
    for (std::size_t k = 0; k < found.size(); ++k) worst = std::max(worst, std::abs(static_cast<double>(found[k]) - expected[k]));
    EXPECT_LT(worst, 1e-4) << distance << " " << rounds;
  }
}

}  // namespace
