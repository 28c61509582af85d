// SPDX-License-Identifier: Apache-2.0
// int8 and bfloat16 engines: near the float64 network, and int8 the same bits on every instruction set.
#include <cmath>
#include <utility>

#include <gtest/gtest.h>

#include <spinel/nn/forward.hpp>
#include <spinel/simd/native.hpp>

#include "nn/test_networks.hpp"

namespace {

using namespace spinel;

constexpr Network network = plain_network(3, 32);

struct Case {
  io::LoadedNetwork loaded;
  test::AlignedBytes blob;
  WeightsView<network> view;
  std::vector<double> x, expected;
  int distance, rounds;
  CalibratedWeights<network> calibrated;

  Case(int d, int t, unsigned seed)
      : loaded(test::random_network(network, seed)), blob(io::weights_blob(loaded)), view(*WeightsView<network>::from_bytes(blob.span())),
        x(test::random_input(t, d, 4, seed + 1)), expected(test::reference_forward(loaded, x, t, d)), distance(d), rounds(t) {
    calibrated.view = view;
    using Engine = Forward<network, arch::scalar>;
    run<Engine>(view, [&](int layer, int, const float* slice) { calibrated.ranges.observe(layer, slice, static_cast<std::size_t>(d * d * 32)); });
  }

  template <class Engine, class Watch>
  std::vector<float> run(const typename Engine::Weights& weights, Watch&& watch) const {
    const test::AlignedBytes memory{Engine::memory_bytes(distance)};
    Engine engine;
    EXPECT_EQ(engine.set_up(weights, distance, memory.span()), Status::ok);
    std::vector<float> logits;
    const auto round_values = static_cast<std::size_t>(distance * distance * 4);
    engine.run(
        rounds,
        [&](int t, float* slice) {
          for (std::size_t k = 0; k < round_values; ++k) slice[k] = static_cast<float>(x[static_cast<std::size_t>(t) * round_values + k]);
        },
        [&](int, const float* slice) { logits.insert(logits.end(), slice, slice + round_values); }, watch);
    return logits;
  }
  template <class Engine>
  std::vector<float> run(const typename Engine::Weights& weights) const {
    return run<Engine>(weights, [](int, int, const float*) {});
  }
  /// Root mean square error over root mean square logit.
  double relative_error(const std::vector<float>& logits) const {
    double error = 0, size = 0;
    for (std::size_t k = 0; k < logits.size(); ++k) {
      error += (static_cast<double>(logits[k]) - expected[k]) * (static_cast<double>(logits[k]) - expected[k]);
      size += expected[k] * expected[k];
    }
    return std::sqrt(error / size);
  }
};

TEST(Int8, IsNearDoublePrecisionAtAllEdges) {
  for (const auto& [distance, rounds] : {std::pair{3, 1}, {3, 2}, {5, 5}, {9, 3}, {13, 2}, {17, 2}, {5, 40}}) {
    const Case c(distance, rounds, static_cast<unsigned>(distance + rounds));
    EXPECT_LT(c.relative_error(c.run<Forward<network, arch::native, 0, Precision::int8>>(c.calibrated)), 0.04) << distance << " " << rounds;
  }
}

TEST(Int8, IsTheSameBitsOnEveryInstructionSet) {
  for (const int distance : {3, 7, 13}) {
    const Case c(distance, 4, static_cast<unsigned>(distance));
    const auto expected = c.run<Forward<network, arch::scalar, 0, Precision::int8>>(c.calibrated);
#if defined(__AVX2__) && defined(__FMA__)
    EXPECT_EQ((c.run<Forward<network, arch::avx2, 0, Precision::int8>>(c.calibrated)), expected) << distance;
#endif
    EXPECT_EQ((c.run<Forward<network, arch::native, 0, Precision::int8>>(c.calibrated)), expected) << distance;
  }
}

template <class A>
std::vector<float> bytes_gelu(const std::vector<float>& x) {
  std::vector<float> y(x.size());
  for (std::size_t k = 0; k < x.size(); k += A::width) A::store(y.data() + k, activate_for_bytes<Activation::gelu_tanh, A>(A::load(x.data() + k)));
  return y;
}

TEST(Int8, GeluOnTheWayToAByteIsNearTheDefinitionAndTheSameBitsEverywhere) {
  std::vector<float> x;
  for (int k = -6400; k < 6400; ++k) x.push_back(static_cast<float>(k) / 512.0f);
  const auto found = bytes_gelu<arch::scalar>(x);
  for (std::size_t k = 0; k < x.size(); ++k) {
    const double v = static_cast<double>(x[k]);
    EXPECT_NEAR(static_cast<double>(found[k]), 0.5 * v * (1.0 + std::tanh(std::sqrt(2.0 / 3.141592653589793) * (v + 0.044715 * v * v * v))), 1.3e-4) << v;
  }
  EXPECT_EQ(bytes_gelu<arch::native>(x), found);
}

TEST(Int8, RefusesToRunWithoutCalibration) {
  const Case c(3, 2, 1);
  using Engine = Forward<network, arch::scalar, 3, Precision::int8>;
  const test::AlignedBytes memory{Engine::memory_bytes(3)};
  Engine engine;
  EXPECT_EQ(engine.set_up({c.view, {}}, 3, memory.span()), Status::bad_argument);
}

#if defined(__AVX512BF16__)
TEST(BFloat16, IsNearDoublePrecision) {
  for (const auto& [distance, rounds] : {std::pair{3, 1}, {5, 5}, {9, 3}, {13, 20}}) {
    const Case c(distance, rounds, static_cast<unsigned>(distance));
    EXPECT_LT(c.relative_error(c.run<Forward<network, arch::native, 0, Precision::bf16>>(c.view)), 0.02) << distance;
  }
}
#endif

}  // namespace
