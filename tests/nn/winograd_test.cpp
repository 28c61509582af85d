// SPDX-License-Identifier: Apache-2.0
// Layers wide enough for the Winograd path against the float64 network: both tile edges, volumes that tiles do not divide.
#include <algorithm>
#include <cstdlib>

#include <gtest/gtest.h>

#include <spinel/nn/forward.hpp>
#include <spinel/simd/native.hpp>

#include "nn/test_networks.hpp"

namespace {

using namespace spinel;

constexpr Network network = plain_network(2, 64);

template <int distance>
void expect_matches_reference(int rounds) {
  static_assert(detail::winograd_edges(distance).space != 0);
  const auto loaded = test::random_network(network, 11);
  const auto x = test::random_input(rounds, distance, 4, 12);
  const auto expected = test::reference_forward(loaded, x, rounds, distance);
  const test::AlignedBytes blob{io::weights_blob(loaded)};
  const auto weights = WeightsView<network>::from_bytes(blob.span());
  ASSERT_TRUE(weights);
  using Engine = Forward<network, arch::native, distance>;
  const test::AlignedBytes memory{Engine::memory_bytes(distance)};
  Engine engine;
  ASSERT_EQ(engine.set_up(*weights, distance, memory.span()), Status::ok);
  constexpr std::size_t round = static_cast<std::size_t>(distance) * distance * 4;
  double worst = 0;
  engine.run(
      rounds,
      [&](int t, float* slice) {
        for (std::size_t k = 0; k < round; ++k) slice[k] = static_cast<float>(x[static_cast<std::size_t>(t) * round + k]);
      },
      [&](int t, const float* slice) {
        for (std::size_t k = 0; k < round; ++k) worst = std::max(worst, std::abs(static_cast<double>(slice[k]) - expected[static_cast<std::size_t>(t) * round + k]));
      });
  EXPECT_LT(worst, 1e-4) << distance << " " << rounds;
}

TEST(Winograd, MatchesDoublePrecision) {

  static_assert(detail::winograd_edges(5).space == 3 && detail::winograd_edges(7).space == 4 && detail::winograd_edges(13).space == 5);
  expect_matches_reference<5>(1);
  expect_matches_reference<5>(5);
  expect_matches_reference<5>(30);
  expect_matches_reference<7>(2);
  expect_matches_reference<7>(27);
  expect_matches_reference<13>(6);
  expect_matches_reference<11>(3);
}

}  // namespace
