// SPDX-License-Identifier: Apache-2.0
// The pool of decoders under ThreadSanitizer: every logical qubit's answers are those of a decoder alone, whatever the threads do.
#include <examples/cli/decoder_pool.hpp>
#include <examples/cli/stream_source.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <spinel/decode/stream_predecoder.hpp>
#include <type_traits>
#include <vector>

#include "nn/test_networks.hpp"

namespace spinel {
namespace {

constexpr StreamExperiment d3{3, 3, 3};
constexpr Network network = plain_network(1, 16);
using Exact = StreamDecoder<d3>;
using Correlated = StreamDecoder<d3, CorrelatedLatticeWindow<d3>>;
using WithNetwork = StreamDecoder<d3, LatticeWindow<d3>, StreamPredecoder<d3, in_precision(network, Precision::int8)>>;

/// Every decoder of a kind is set up alike.
template <class Decoder>
void set_up(Decoder& decoder, const CircuitNoise& noise) {
  ASSERT_EQ(cli::set_up_window(decoder.window(), noise), Status::ok);
  if constexpr (std::is_same_v<Decoder, Correlated>) decoder.window().limit_gap(3);
  if constexpr (Decoder::has_predecoder) {
    static const test::AlignedBytes blob(io::weights_blob(test::random_network(network, 3, 2.0)));
    CalibratedWeights<network> weights{*WeightsView<network>::from_bytes(blob.span()), {}};
    for (int l = 0; l < network.n_layers; ++l) weights.ranges.set(l, -1.0f, 4.0f);
    ASSERT_EQ(decoder.predecoder().set_up(weights), Status::ok);
  }
}

TEST(Ring, KeepsOrderAndSaysWhenItIsFullOrEmpty) {
  cli::SpscRing<int, 4> ring;
  int got = 0;
  EXPECT_FALSE(ring.pop(got));
  for (int round = 0; round < 10; ++round) {
    for (int k = 0; k < 4; ++k) EXPECT_TRUE(ring.push(10 * round + k));
    EXPECT_FALSE(ring.push(99));
    for (int k = 0; k < 4; ++k) {
      ASSERT_TRUE(ring.pop(got));
      EXPECT_EQ(got, 10 * round + k);
    }
    EXPECT_FALSE(ring.pop(got));
  }
}
TEST(Ring, PassesEverythingBetweenTwoThreads) {
  cli::SpscRing<std::uint64_t, 64> ring;
  constexpr std::uint64_t n = 200000;
  std::thread producer([&] {
    for (std::uint64_t k = 0; k < n; ++k)
      while (!ring.push(k)) std::this_thread::yield();
  });
  for (std::uint64_t k = 0, got = 0; k < n; ++k) {
    while (!ring.pop(got)) std::this_thread::yield();
    ASSERT_EQ(got, k);
  }
  producer.join();
}

template <class Decoder>
void compare(int n_qubits, int n_threads) {
  using Pool = cli::DecoderPool<Decoder>;
  const CircuitNoise noise(uniform_depolarizing(0.006));
  const auto alone = std::make_unique<Decoder>();
  set_up(*alone, noise);
  constexpr std::uint64_t rounds = 25, shots = 40;
  std::vector<std::vector<typename Decoder::Round>> sent(static_cast<std::size_t>(n_qubits));
  std::vector<std::vector<typename Decoder::Data>> read_outs(static_cast<std::size_t>(n_qubits));
  std::vector<std::vector<ObservableFlips>> expected(static_cast<std::size_t>(n_qubits)), got(static_cast<std::size_t>(n_qubits));
  for (std::size_t q = 0; q < sent.size(); ++q) {
    cli::StreamSource<d3> source(noise, q + 1);
    for (std::uint64_t shot = 0; shot < shots; ++shot) {
      source.begin(rounds);
      alone->reset();
      for (std::uint64_t t = 0; t < rounds; ++t) {
        sent[q].push_back(source.next());
        if (alone->push_round(t, sent[q].back()).decoded) expected[q].push_back(alone->observable_flips());
      }
      read_outs[q].push_back(source.read_out());
      expected[q].push_back(alone->finish(read_outs[q].back()).flips);
    }
  }
  Pool pool(n_qubits, n_threads, 0, [&](Decoder& decoder) { set_up(decoder, noise); });
  const auto drain = [&](int qubit) {
    for (typename Pool::Output output; pool.poll(qubit, output);) {
      EXPECT_EQ(output.fault, RoundFault::none);
      got[static_cast<std::size_t>(qubit)].push_back(output.result.flips);
    }
  };
  for (std::uint64_t shot = 0; shot < shots; ++shot)
    for (std::uint64_t t = 0; t <= rounds; ++t)
      for (int qubit = 0; qubit < n_qubits; ++qubit) {
        const auto q = static_cast<std::size_t>(qubit);
        const auto push = [&] {
          return t < rounds ? pool.push_round(qubit, t, sent[q][shot * rounds + t]) : pool.finish(qubit, read_outs[q][shot]);
        };
        while (!push()) {
          drain(qubit);
          std::this_thread::yield();
        }
      }
  for (int qubit = 0; qubit < n_qubits; ++qubit)
    while (got[static_cast<std::size_t>(qubit)].size() < expected[static_cast<std::size_t>(qubit)].size()) {
      drain(qubit);
      std::this_thread::yield();
    }
  EXPECT_EQ(got, expected);
}

TEST(Pool, AnswersAsDecodersAloneDo) {
  compare<Exact>(1, 1);
  compare<Exact>(5, 2);
  compare<Correlated>(3, 2);
  compare<WithNetwork>(3, 2);
}
TEST(Pool, EndsInTheMiddleOfAnything) {
  const CircuitNoise noise(uniform_depolarizing(0.006));
  using Pool = cli::DecoderPool<Exact>;
  Pool pool(3, 2, -1, [&](Exact& decoder) { set_up(decoder, noise); });
  for (std::uint64_t t = 0; t < 30; ++t)
    for (int qubit = 0; qubit < 3; ++qubit) pool.push_round(qubit, t == 20 ? 4 : t, {});
  Pool::Output output;
  while (!pool.poll(1, output) || output.fault == RoundFault::none) std::this_thread::yield();
  EXPECT_EQ(output.fault, RoundFault::late);
}

}  // namespace
}  // namespace spinel
