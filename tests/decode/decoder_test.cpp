// SPDX-License-Identifier: Apache-2.0
// The whole pipeline in one object: the same edges as from the detector error model, the same answers as its parts one by one.
#include <gtest/gtest.h>

#include <random>
#include <span>
#include <spinel/decode/decoder.hpp>
#include <spinel/io/experiment.hpp>
#include <spinel/io/graph.hpp>

#include "nn/test_networks.hpp"

namespace {

using namespace spinel;

constexpr MemoryExperiment d5{.distance = 5, .rounds = 6, .basis = Basis::Z, .orientation = Orientation::O3};
constexpr MemoryExperiment d3{.distance = 3, .rounds = 2, .basis = Basis::X, .orientation = Orientation::O1};
constexpr Network small_network = plain_network(2, 16);

template <MemoryExperiment experiment>
void expect_edges_of_the_model(const CircuitNoise& noise) {
  const auto model = io::experiment_model(experiment, noise);
  ASSERT_TRUE(model);
  const auto expected = io::graph_edges(*model);
  ASSERT_TRUE(expected);
  std::vector<std::byte> memory(ExperimentEdges<experiment>::memory_bytes());
  Arena arena{memory};
  const auto edges = ExperimentEdges<experiment>::make(noise, arena);
  ASSERT_TRUE(edges) << to_string(edges.status);
  ASSERT_EQ(edges->size(), expected->edges.size());
  for (std::size_t k = 0; k < edges->size(); ++k) {
    EXPECT_EQ((*edges)[k].a, expected->edges[k].a) << k;
    EXPECT_EQ((*edges)[k].b, expected->edges[k].b) << k;
    EXPECT_EQ((*edges)[k].probability, expected->edges[k].probability) << k;
    EXPECT_EQ((*edges)[k].observables, expected->edges[k].observables) << k;
  }
}

TEST(ExperimentEdges, AreThoseOfTheDetectorErrorModel) {
  expect_edges_of_the_model<d5>(uniform_depolarizing(0.004));
  expect_edges_of_the_model<d5>(CircuitNoise::simple(0.004));
  expect_edges_of_the_model<d3>(si1000(0.002));
  expect_edges_of_the_model<MemoryExperiment{.distance = 9, .rounds = 12}>(uniform_depolarizing(0.001));
}

TEST(ExperimentEdges, SayWhatIsMissing) {
  std::vector<std::byte> memory(ExperimentEdges<d3>::memory_bytes());
  Arena small{std::span(memory).first(memory.size() / 2)};
  EXPECT_EQ(ExperimentEdges<d3>::make(uniform_depolarizing(0.001), small).status, Status::out_of_capacity);
  Arena arena{memory};
  EXPECT_EQ(ExperimentEdges<d3>::make(uniform_depolarizing(1.5), arena).status, Status::bad_argument);
}

/// Random events at 5 % of the detectors.
template <MemoryExperiment experiment>
Detectors<experiment> random_events(std::mt19937& engine) {
  Detectors<experiment> events;
  for (std::size_t k = 0; k < events.size(); ++k)
    if (engine() % 20 == 0) events.set(k);
  return events;
}

template <MemoryExperiment experiment>
MatchResult match_exactly(io::DemMatcher& matcher, const Detectors<experiment>& events) {
  std::uint8_t bytes[Detectors<experiment>::n_bytes];
  events.store_b8(bytes);
  return matcher.matcher.decode(bytes);
}

TEST(Decoder, WithoutANetworkIsTheMatcherAlone) {
  using Object = Decoder<d5>;
  const auto decoder = std::make_unique<Object>();
  std::vector<std::byte> scratch(Object::scratch_bytes());
  ASSERT_EQ(decoder->set_up({}, uniform_depolarizing(0.005), scratch), Status::ok);
  auto exact = io::make_matcher(*io::experiment_model(d5, uniform_depolarizing(0.005)));
  ASSERT_TRUE(exact);
  std::mt19937 engine{1};
  for (int shot = 0; shot < 300; ++shot) {
    const auto events = random_events<d5>(engine);
    const MatchResult expected = match_exactly<d5>(*exact, events);
    const ObservableFlips flips = decoder->decode(events);
    EXPECT_EQ(decoder->last_match().weight, expected.weight);
    EXPECT_EQ(decoder->last_match().outcome, expected.outcome);
    EXPECT_EQ(flips, decoder->last_match().observables);
  }
}

template <Precision precision>
void expect_the_parts_one_by_one(bool dual) {
  using Object = Decoder<d5, in_precision(small_network, precision)>;
  const auto loaded = test::random_network(small_network, 3, 2.0);
  const test::AlignedBytes blob{io::weights_blob(loaded)};
  const auto view = WeightsView<small_network>::from_bytes(blob.span());
  ASSERT_TRUE(view);
  typename Object::Weights weights;
  if constexpr (precision == Precision::int8) {
    weights.view = *view;
    for (int l = 0; l < 2; ++l) weights.ranges.set(l, -0.25f, 6.0f);
  } else {
    weights = *view;
  }
  const auto decoder = std::make_unique<Object>();
  std::vector<std::byte> scratch(Object::scratch_bytes());
  ASSERT_EQ(decoder->set_up(weights, uniform_depolarizing(0.005), scratch, dual), Status::ok);

  using Engine = Forward<small_network, arch::native, 0, precision>;
  RuntimePredecoder<Engine> predecoder;
  const test::AlignedBytes memory{Engine::memory_bytes(5)};
  ASSERT_EQ(predecoder.set_up(weights, d5, dual, memory.span()), Status::ok);
  auto exact = io::make_matcher(*io::experiment_model(d5, uniform_depolarizing(0.005)));
  ASSERT_TRUE(exact);
  std::mt19937 engine{2};
  std::size_t corrected = 0;
  for (int shot = 0; shot < 100; ++shot) {
    const auto events = random_events<d5>(engine);
    Detectors<d5> residual;
    const ObservableFlips frame = predecoder.run(events.words, residual.words);
    const MatchResult expected = match_exactly<d5>(*exact, residual);
    const ObservableFlips flips = decoder->decode(events);
    EXPECT_EQ(decoder->residual(), residual);
    EXPECT_EQ(decoder->last_match().weight, expected.weight);
    EXPECT_EQ(flips, frame ^ decoder->last_match().observables);
    corrected += !(residual == events);
  }
  EXPECT_GT(corrected, 50u);  // the random network does correct something, else this test would see nothing
}

TEST(Decoder, IsItsPartsOneByOne) {
  expect_the_parts_one_by_one<Precision::fp32>(false);
  expect_the_parts_one_by_one<Precision::fp32>(true);
  expect_the_parts_one_by_one<Precision::int8>(true);
}

TEST(Decoder, RefusesWhatItCannotUse) {
  using Object = Decoder<d3, in_precision(small_network, Precision::int8)>;
  const auto decoder = std::make_unique<Object>();
  std::vector<std::byte> scratch(Object::scratch_bytes());
  EXPECT_EQ(decoder->set_up({}, uniform_depolarizing(0.005), scratch), Status::bad_argument);  // no calibration
  EXPECT_EQ(decoder->set_up({}, uniform_depolarizing(0.005), std::span(scratch).first(1000)), Status::out_of_capacity);
  EXPECT_EQ(decoder->set_up({}, uniform_depolarizing(-1), scratch), Status::bad_argument);
}

}  // namespace
