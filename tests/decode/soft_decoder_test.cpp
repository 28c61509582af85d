// SPDX-License-Identifier: Apache-2.0
// Soft decisions from end to end: the decoder is its parts one by one, and sees nothing of the other basis.
#include <gtest/gtest.h>

#include <random>
#include <span>
#include <spinel/decode/soft_decoder.hpp>
#include <spinel/io/experiment.hpp>
#include <spinel/io/graph.hpp>

#include "nn/test_networks.hpp"

namespace {

using namespace spinel;

constexpr MemoryExperiment experiment{.distance = 5, .rounds = 6, .basis = Basis::Z, .orientation = Orientation::O3};
constexpr Network small_network = plain_network(2, 16);

TEST(KeepMemoryBasis, ClearsTheOtherBasisAndNothingElse) {
  for (const int d : {3, 5, 13})
    for (const Basis basis : {Basis::X, Basis::Z}) {
      const MemoryExperiment e{d, 5, basis, Orientation::O1};
      std::vector<std::uint64_t> events(static_cast<std::size_t>(e.n_detectors() + 63) / 64, ~std::uint64_t{0});
      keep_memory_basis(e, events);
      std::vector<bool> kept(static_cast<std::size_t>(e.n_detectors()), true);
      for (int t = 1; t < e.rounds; ++t)
        for (int k = 0; k < e.n_checks(); ++k) kept[static_cast<std::size_t>(detector_index(e, opposite(basis), k, t))] = false;
      for (std::size_t k = 0; k < kept.size(); ++k) EXPECT_EQ((events[k / 64] >> (k % 64) & 1) != 0, kept[k]) << k;
    }
}

TEST(SoftDecoder, IsItsPartsOneByOne) {
  const auto loaded = test::random_network(small_network, 3, 2.0);
  const test::AlignedBytes blob{io::weights_blob(loaded)};
  const auto weights = WeightsView<small_network>::from_bytes(blob.span());
  ASSERT_TRUE(weights);
  auto owned = io::make_matcher(*io::experiment_model(experiment, uniform_depolarizing(0.005)));
  ASSERT_TRUE(owned);
  ExactMatcher& matcher = owned->matcher;
  static TensorLayout<5> layout;
  ASSERT_EQ(make_tensor_layout<5>(experiment, true, layout), Status::ok);
  std::vector<std::byte> memory(SoftDecoder<experiment, small_network>::memory_needed(matcher)), other(memory.size());
  auto soft = SoftEdges::create(matcher.graph(), layout, other);
  ASSERT_TRUE(soft);
  using Engine = Forward<small_network, arch::native>;
  static RuntimePredecoder<Engine, 5> predecoder;
  const test::AlignedBytes engine_memory{Engine::memory_bytes(5)};
  ASSERT_EQ(predecoder.set_up(*weights, experiment, true, engine_memory.span()), Status::ok);

  for (const Decision decision : {Decision::soft_residual, Decision::soft_raw}) {
    const auto decoder = std::make_unique<SoftDecoder<experiment, small_network>>();
    auto given = io::make_matcher(*io::experiment_model(experiment, uniform_depolarizing(0.005)));
    ASSERT_EQ(decoder->set_up(*weights, given->matcher, memory, decision, true), Status::ok);
    std::mt19937 engine{4};
    for (int shot = 0; shot < 60; ++shot) {
      Detectors<experiment> events, residual;
      for (std::size_t k = 0; k < events.size(); ++k)
        if (engine() % 25 == 0) events.set(k);
      ObservableFlips expected = predecoder.run(events.words, residual.words, [&](int t, const float* logits) { soft->take_round(t, logits); });
      if (decision == Decision::soft_raw) expected = 0, residual = events;
      // All events, the other basis too: it must make no difference to the flips.
      std::uint8_t bytes[Detectors<experiment>::n_bytes];
      residual.store_b8(bytes);
      expected ^= matcher.decode(bytes, soft->weights(matcher.graph(), decision)).observables;
      EXPECT_EQ(decoder->decode(events), expected) << shot;
    }
  }
  SoftDecoder<experiment, small_network> refused;
  EXPECT_EQ(refused.set_up(*weights, matcher, memory, Decision::hard), Status::bad_argument);
  EXPECT_EQ(refused.set_up(*weights, matcher, std::span(memory).first(64)), Status::out_of_capacity);
}

}  // namespace
