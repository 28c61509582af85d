// SPDX-License-Identifier: Apache-2.0
// Every instruction set of this binary against the float64 network, at all distances, few and many rounds.
#include <algorithm>
#include <cstdlib>

#include <gtest/gtest.h>

#include <spinel/nn/forward.hpp>
#include <spinel/simd/native.hpp>

#include "nn/test_networks.hpp"

namespace {

using namespace spinel;

template <Network network, class A, int fixed_distance>
void expect_matches_reference(int distance, int rounds, unsigned seed, double tolerance = 2e-5) {
  const auto loaded = test::random_network(network, seed);
  const auto x = test::random_input(rounds, distance, network.input_channels, seed + 1);
  const auto expected = test::reference_forward(loaded, x, rounds, distance);
  const test::AlignedBytes blob{io::weights_blob(loaded)};
  const auto weights = WeightsView<network>::from_bytes(blob.span());
  ASSERT_TRUE(weights) << to_string(weights.status);
  using Engine = Forward<network, A, fixed_distance>;
  const test::AlignedBytes memory{Engine::memory_bytes(distance)};
  Engine engine;
  ASSERT_EQ(engine.set_up(*weights, distance, memory.span()), Status::ok);
  for (int repeat = 0; repeat < 2; ++repeat) {  // the second volume must not see the first one's rounds
    int next_in = 0, next_out = 0;
    double worst = 0;
    const auto round_in = static_cast<std::size_t>(distance * distance * network.input_channels);
    const auto round_out = static_cast<std::size_t>(distance * distance * network.output_channels());
    engine.run(
        rounds,
        [&](int t, float* slice) {
          EXPECT_EQ(t, next_in++);
          for (std::size_t k = 0; k < round_in; ++k) slice[k] = static_cast<float>(x[static_cast<std::size_t>(t) * round_in + k]);
        },
        [&](int t, const float* slice) {
          EXPECT_EQ(t, next_out++);
          for (std::size_t k = 0; k < round_out; ++k)
            worst = std::max(worst, std::abs(static_cast<double>(slice[k]) - expected[static_cast<std::size_t>(t) * round_out + k]));
        });
    EXPECT_EQ(next_out, rounds);
    EXPECT_LT(worst, tolerance) << A::name << " D=" << distance << " T=" << rounds;
  }
}

constexpr Network small = plain_network(2, 16);
constexpr Network leaky = plain_network(2, 32, 3, Activation::leaky_relu);
constexpr Network wide_kernel = plain_network(1, 16, 5, Activation::relu);
constexpr Network mixed = [] {
  Network network = plain_network(3, 32);
  network.layers[1] = {64, 5, Activation::relu};
  network.layers[2] = {16, 1, Activation::gelu_tanh};
  return network;
}();

template <class A>
class ForwardOn : public ::testing::Test {};
using Archs = ::testing::Types<arch::scalar
#if defined(__AVX2__) && defined(__FMA__)
                               ,
                               arch::avx2
#endif
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
                               ,
                               arch::avx512
#endif
#if defined(__aarch64__)
                               ,
                               arch::neon
#endif
                               >;
TYPED_TEST_SUITE(ForwardOn, Archs);

TYPED_TEST(ForwardOn, MatchesDoublePrecisionAtEveryDistance) {
  for (int distance = 3; distance <= 21; distance += 2) expect_matches_reference<small, TypeParam, 0>(distance, distance < 9 ? distance : 3, static_cast<unsigned>(distance));
}
TYPED_TEST(ForwardOn, MatchesDoublePrecisionAtAnyNumberOfRounds) {
  for (const int rounds : {1, 2, 3, 4, 15, 16, 17, 18, 32, 33, 104}) expect_matches_reference<small, TypeParam, 3>(3, rounds, static_cast<unsigned>(rounds));
}
TYPED_TEST(ForwardOn, ServesOtherKernelsWidthsAndActivations) {
  expect_matches_reference<leaky, TypeParam, 5>(5, 6, 1);
  expect_matches_reference<wide_kernel, TypeParam, 3>(3, 2, 2);
  expect_matches_reference<wide_kernel, TypeParam, 7>(7, 20, 3);
  expect_matches_reference<mixed, TypeParam, 5>(5, 19, 4);
}

TEST(Forward, SaysWhatItCannotServe) {
  const test::AlignedBytes blob{io::weights_blob(test::random_network(small, 1))};
  const auto weights = WeightsView<small>::from_bytes(blob.span());
  ASSERT_TRUE(weights);
  using Engine = Forward<small, arch::scalar>;
  const test::AlignedBytes memory{Engine::memory_bytes(5)};
  Engine engine;
  EXPECT_EQ(engine.set_up(*weights, 4, memory.span()), Status::bad_argument);
  EXPECT_EQ(engine.set_up(*weights, 23, memory.span()), Status::bad_argument);
  EXPECT_EQ(engine.set_up(*weights, 5, memory.span().first(1000)), Status::out_of_capacity);
  EXPECT_EQ((Forward<small, arch::scalar, 3>{}.set_up(*weights, 5, memory.span())), Status::bad_argument);
}

}  // namespace
