// SPDX-License-Identifier: Apache-2.0
// The C functions as a C program would call them, against the C++ object they stand for, and their refusals.
#include <spinel/decode/c_api.hpp>

#include <gtest/gtest.h>

#include <examples/cli/stream_source.hpp>
#include <limits>
#include <memory>
#include <vector>

#include "nn/test_networks.hpp"

using TestedDecoder = spinel::StreamDecoder<spinel::StreamExperiment{3, 3, 3, spinel::Basis::Z, spinel::Orientation::O2}>;
SPINEL_DEFINE_C_API(tested, TestedDecoder);

inline constexpr spinel::StreamExperiment with_network{3, 3, 3};
inline constexpr spinel::Network small_network = spinel::plain_network(1, 16);
using NetworkDecoder = spinel::StreamDecoder<with_network, spinel::LatticeWindow<with_network>,
                                             spinel::StreamPredecoder<with_network, in_precision(small_network, spinel::Precision::int8)>>;
SPINEL_DEFINE_C_API(net, NetworkDecoder);
SPINEL_DEFINE_C_NETWORK(net, NetworkDecoder);

namespace spinel {
namespace {

struct CInterface : testing::Test {
  std::vector<std::byte> storage = std::vector<std::byte>(tested_size() + tested_alignment());
  std::vector<std::byte> scratch = std::vector<std::byte>(tested_scratch_size());
  double noise[SPINEL_NOISE_PARAMETERS] = {};
  tested_decoder* decoder = nullptr;
  void* place() {
    const auto address = reinterpret_cast<std::uintptr_t>(storage.data()) + tested_alignment() - 1;
    return reinterpret_cast<void*>(address / tested_alignment() * tested_alignment());
  }
  int init() { return tested_init(place(), tested_size(), noise, scratch.data(), scratch.size(), &decoder); }
};

TEST_F(CInterface, RefusesWhatCannotWork) {
  EXPECT_EQ(tested_uniform_noise(1.5, noise), 1);
  EXPECT_EQ(tested_uniform_noise(0.003, nullptr), 1);
  ASSERT_EQ(tested_uniform_noise(0.003, noise), 0);
  EXPECT_EQ(tested_init(nullptr, tested_size(), noise, scratch.data(), scratch.size(), &decoder), 1);
  EXPECT_EQ(tested_init(static_cast<char*>(place()) + 1, tested_size(), noise, scratch.data(), scratch.size(), &decoder), 1);
  const int out_of_capacity = static_cast<int>(Status::out_of_capacity);
  EXPECT_EQ(tested_init(place(), tested_size() - 1, noise, scratch.data(), scratch.size(), &decoder), out_of_capacity);
  EXPECT_EQ(tested_init(place(), tested_size(), noise, scratch.data(), 100, &decoder), out_of_capacity);
  EXPECT_EQ(decoder, nullptr);
  noise[7] = 2;
  EXPECT_EQ(init(), 1);
  noise[7] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(init(), static_cast<int>(Status::not_finite));
  for (double& p : noise) p = 0;
  EXPECT_EQ(init(), static_cast<int>(Status::unsupported));  // nothing ever happens: no weights
}

TEST_F(CInterface, GivesTheAnswersOfTheObject) {
  ASSERT_EQ(tested_uniform_noise(0.006, noise), 0);
  ASSERT_EQ(init(), 0);
  ASSERT_NE(decoder, nullptr);
  const auto object = std::make_unique<TestedDecoder>();
  const CircuitNoise same(uniform_depolarizing(0.006));
  ASSERT_EQ(cli::set_up_window(object->window(), same), Status::ok);
  cli::StreamSource<TestedDecoder::experiment> source(same, 3);
  constexpr std::uint64_t rounds = 40;
  int n_flipped = 0;
  for (int shot = 0; shot < 400; ++shot) {
    source.begin(rounds);
    tested_reset(decoder, 7, SPINEL_ON_FAULT_ERASE);
    object->reset({.first_round = 7});
    Bits<8 * rounds> events;
    for (std::uint64_t t = 0; t < rounds; ++t) {
      TestedDecoder::Round fired;
      const auto& round = source.next(&fired);
      for (std::size_t k = 0; k < 8; ++k)
        if (fired[k])
          events.set(static_cast<std::size_t>(detector_index({3, rounds, Basis::Z}, k < 4 ? Basis::X : Basis::Z,
                                                             static_cast<int>(k % 4), static_cast<std::int64_t>(t))));
      std::uint8_t bytes[TestedDecoder::round_bytes];
      round.store_b8(bytes);
      spinel_round_report report;
      ASSERT_EQ(tested_push_round(decoder, 7 + t, bytes, tested_round_bytes(), &report), 0);
      const auto wanted = object->push_round(7 + t, round);
      ASSERT_EQ(report.decoded, wanted.decoded ? 1 : 0);
      ASSERT_EQ(report.expected, 7 + t);
    }
    std::uint64_t committed = 0;
    ASSERT_EQ(tested_corrections(decoder, &committed), object->observable_flips());
    ASSERT_EQ(committed, object->committed_rounds());
    std::uint8_t data[TestedDecoder::data_bytes];
    source.read_out().store_b8(data);
    const auto result = tested_finish(decoder, data, tested_data_bytes());
    const auto wanted = object->finish(data);
    ASSERT_EQ(result.status, 0);
    ASSERT_EQ(result.flips, wanted.flips);
    ASSERT_EQ(result.measured != 0, wanted.measured);
    std::vector<std::uint8_t> packed(decltype(events)::n_bytes);
    events.store_b8(packed.data());
    const auto at_once = tested_decode_b8(decoder, packed.data(), packed.size(), rounds);
    ASSERT_EQ(at_once.status, 0);
    ASSERT_EQ(at_once.flips, result.flips);
    n_flipped += static_cast<int>(result.flips);
  }
  EXPECT_GT(n_flipped, 50);
  EXPECT_LT(n_flipped, 350);
  const std::uint8_t few[1] = {};
  EXPECT_EQ(tested_decode_b8(decoder, few, 1, 40).status, static_cast<int>(Status::bad_shape));
  EXPECT_EQ(tested_decode_b8(decoder, few, 1, 1).status, static_cast<int>(Status::bad_argument));
  tested_reset(decoder, 0, SPINEL_ON_FAULT_STOP);
  EXPECT_EQ(tested_push_round(decoder, 3, few, 1, nullptr), SPINEL_ROUND_LOST);
  EXPECT_EQ(tested_push_round(decoder, 0, few, 1, nullptr), SPINEL_ROUND_REFUSED);
}

TEST(CInterfaceWithNetwork, GivesTheAnswersOfTheObject) {
  const CircuitNoise noise(uniform_depolarizing(0.006));
  std::vector<std::byte> storage(net_size() + net_alignment()), scratch(net_scratch_size());
  void* place = storage.data();
  std::size_t room = storage.size();
  ASSERT_NE(std::align(net_alignment(), net_size(), place, room), nullptr);
  double parameters[SPINEL_NOISE_PARAMETERS];
  net_decoder* decoder = nullptr;
  ASSERT_EQ(net_uniform_noise(0.006, parameters), 0);
  ASSERT_EQ(net_init(place, net_size(), parameters, scratch.data(), scratch.size(), &decoder), 0);
  const io::LoadedNetwork loaded = test::random_network(small_network, 3, 2.0);
  const test::AlignedBytes blob(io::weights_blob(loaded));
  const auto bytes = blob.span();
  const float ranges[] = {-0.2f, 2.0f, -4.0f, 4.0f}, upside_down[] = {0.2f, 0.1f, -4.0f, 4.0f};
  EXPECT_EQ(net_set_weights(decoder, nullptr, bytes.size(), ranges), 1);
  EXPECT_EQ(net_set_weights(decoder, bytes.data(), bytes.size(), nullptr), 1);
  EXPECT_EQ(net_set_weights(decoder, bytes.data(), bytes.size(), upside_down), 1);
  EXPECT_NE(net_set_weights(decoder, bytes.data(), bytes.size() - 1, ranges), 0);
  EXPECT_NE(net_set_weights(decoder, bytes.data() + 4, bytes.size() - 4, ranges), 0);
  ASSERT_EQ(net_set_weights(decoder, bytes.data(), bytes.size(), ranges), 0);

  const auto object = std::make_unique<NetworkDecoder>(), plain = std::make_unique<NetworkDecoder>();
  ASSERT_EQ(cli::set_up_window(object->window(), noise), Status::ok);
  ASSERT_EQ(cli::set_up_window(plain->window(), noise), Status::ok);
  CalibratedWeights<small_network> weights{*WeightsView<small_network>::from_bytes(bytes), {}};
  for (int l = 0; l < 2; ++l) weights.ranges.set(l, ranges[2 * l], ranges[2 * l + 1]);
  ASSERT_EQ(object->predecoder().set_up(weights), Status::ok);
  cli::StreamSource<with_network> source(noise, 3);
  int n_by_network = 0;
  for (int shot = 0; shot < 300; ++shot) {
    source.begin(30);
    net_reset(decoder, 0, SPINEL_ON_FAULT_ERASE);
    object->reset();
    plain->reset();
    for (std::uint64_t t = 0; t < 30; ++t) {
      const auto& round = source.next();
      std::uint8_t packed[NetworkDecoder::round_bytes];
      round.store_b8(packed);
      ASSERT_EQ(net_push_round(decoder, t, packed, net_round_bytes(), nullptr), 0);
      object->push_round(t, round);
      plain->push_round(t, round);
      ASSERT_EQ(net_corrections(decoder, nullptr), object->observable_flips());
    }
    std::uint8_t data[NetworkDecoder::data_bytes];
    source.read_out().store_b8(data);
    const auto flips = net_finish(decoder, data, net_data_bytes()).flips;
    ASSERT_EQ(flips, object->finish(data).flips);
    n_by_network += flips != plain->finish(data).flips;
  }
  EXPECT_GT(n_by_network, 5) << "the network has something to say";
}

}  // namespace
}  // namespace spinel
