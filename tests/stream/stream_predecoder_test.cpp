// SPDX-License-Identifier: Apache-2.0
// The pre-decoder in a stream against the one of whole histories: the same residual in every round and the same frame, whatever the
// number of rounds, with rounds lost and histories begun anew; and the windows behind it against windows that get that residual.
#include <examples/cli/stream_source.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

#include <spinel/decode/predecoder.hpp>
#include <spinel/decode/stream_predecoder.hpp>

#include "examples/cli/heap_count.hpp"
#include "nn/test_networks.hpp"

namespace spinel {
namespace {

/// Takes the place of a matcher: writes down what is committed, explains nothing.
template <StreamExperiment stream>
struct RecordingWindow {
  using Exact = LatticeWindow<stream>;
  using Layout = typename Exact::Layout;
  static constexpr MemoryExperiment model_experiment = Exact::model_experiment;
  static constexpr Layout layout{};
  static constexpr int first_layer = Exact::first_layer, last_layer = Exact::last_layer, first_buffer_layer = Exact::first_buffer_layer;
  using Round = Bits<static_cast<std::size_t>(stream.round_bits())>;

  std::vector<Round> residual;
  Round boundary;  ///< the read-out's events, in the bits of the memory basis
  int n_closing = 0;

  template <class Toggle, class Until = NoDeadline>
  WindowAnswer decode(WindowKind kind, Span<const std::int32_t> events, Toggle&&, const Until& = {}) {
    const int n = kind == WindowKind::closing ? n_closing : stream.commit;
    const int first = kind == WindowKind::closing ? last_layer - n : first_layer;
    std::vector<Round> rounds(static_cast<std::size_t>(n));
    for (const auto id : events) {
      const LatticeSite site = layout.site(id);
      const bool is_x = (site.type == 0) == (stream.basis == Basis::X);
      const auto bit = static_cast<std::size_t>(site.position + (is_x ? 0 : stream.n_checks()));
      if (kind == WindowKind::closing && site.layer == last_layer) boundary.flip(bit);
      else if (site.layer - first < n) rounds[static_cast<std::size_t>(site.layer - first)].flip(bit);
    }
    residual.insert(residual.end(), rounds.begin(), rounds.end());
    return {};
  }
};

template <Network network>
struct Trained {
  io::LoadedNetwork loaded;
  test::AlignedBytes blob;
  WeightsView<network> view;
  explicit Trained(unsigned seed) : loaded(test::random_network(network, seed, 2.0)), blob(io::weights_blob(loaded)) {
    view = *WeightsView<network>::from_bytes(blob.span());
  }
  template <Precision precision>
  auto weights() const {
    if constexpr (precision == Precision::int8) {
      CalibratedWeights<network> calibrated{view, {}};
      for (int l = 0; l + 1 < network.n_layers; ++l) calibrated.ranges.set(l, -0.25f, 6.0f);
      return calibrated;
    } else {
      return view;
    }
  }
};

/// What was measured in the rounds of one experiment that came, others may be lost, and the detection events that a decoder should see.
template <StreamExperiment stream>
struct History {
  using Round = Bits<static_cast<std::size_t>(stream.round_bits())>;
  std::vector<Round> measured;
  std::vector<std::uint64_t> numbers;
  std::vector<std::uint64_t> events;
  Bits<static_cast<std::size_t>(stream.n_checks())> boundary;

  History(int rounds, bool loses, std::mt19937_64& random) {
    const MemoryExperiment experiment = stream.memory(rounds);
    events.resize(static_cast<std::size_t>(experiment.n_detectors() + 63) / 64);
    const auto set = [&](std::int64_t detector) {
      if (detector >= 0) events[static_cast<std::size_t>(detector) / 64] |= std::uint64_t{1} << (detector % 64);
    };
    const auto h = static_cast<std::size_t>(stream.n_checks());
    Round now, seen;
    for (int t = 0; t < rounds; ++t) {
      for (std::size_t k = 0; k < 2 * h; ++k)
        if (random() % 12 == 0) now.flip(k);
      measured.push_back(now);
      numbers.push_back((numbers.empty() ? 0 : numbers.back() + 1) + (loses && random() % 8 == 0 ? random() % 3 : 0));
      for (std::size_t k = 0; k < 2 * h; ++k)
        if (now[k] != seen[k]) set(detector_index(experiment, k < h ? Basis::X : Basis::Z, static_cast<int>(k % h), t));
      seen = now;
    }
    for (std::size_t k = 0; k < h; ++k)
      if (random() % 12 == 0) {
        boundary.set(k);
        set(boundary_detector_index(experiment, static_cast<int>(k)));
      }
  }
  template <class Decoder>
  StreamResult push_all(Decoder& decoder, std::uint64_t first = 0) const {
    for (std::size_t t = 0; t < measured.size(); ++t) decoder.push_round(first + numbers[t], measured[t]);
    return decoder.finish(boundary);
  }
};

template <StreamExperiment stream, Network network, Precision precision>
void expect_the_whole_history(std::initializer_list<int> lengths, bool dual = false) {
  constexpr Network computed = in_precision(network, precision);
  using Round = typename History<stream>::Round;
  const Trained<network> trained(7);
  const auto weights = trained.template weights<precision>();
  using Front = StreamPredecoder<stream, computed>;
  const auto recorder = std::make_unique<StreamDecoder<stream, RecordingWindow<stream>, Front>>();
  const auto decoder = std::make_unique<StreamDecoder<stream, LatticeWindow<stream>, Front>>();
  const auto after = std::make_unique<StreamDecoder<stream>>();
  ASSERT_EQ(recorder->predecoder().set_up(weights, dual), Status::ok);
  ASSERT_EQ(decoder->predecoder().set_up(weights, dual), Status::ok);
  const CircuitNoise noise(uniform_depolarizing(0.005));
  ASSERT_EQ(cli::set_up_window(decoder->window(), noise), Status::ok);
  ASSERT_EQ(cli::set_up_window(after->window(), noise), Status::ok);
  using Engine = Forward<network, arch::native, stream.distance, precision>;
  RuntimePredecoder<Engine, stream.distance> predecoder;
  const test::AlignedBytes memory{Engine::memory_bytes(stream.distance)};
  std::mt19937_64 random(1);
  std::size_t corrected = 0, flipped = 0;
  for (const int rounds : lengths) {
    const MemoryExperiment experiment = stream.memory(rounds);
    ASSERT_EQ(predecoder.set_up(weights, experiment, dual, memory.span()), Status::ok);
    for (int repeat = 0; repeat < 4; ++repeat) {
      const History<stream> history(rounds, repeat % 2 == 1, random);
      std::vector<std::uint64_t> residual(history.events.size());
      const ObservableFlips frame = predecoder.run(history.events, residual);
      // The pre-decoder alone.
      auto& window = recorder->window();
      window.residual.clear();
      window.boundary.clear();
      recorder->reset();
      for (std::size_t t = 0; t < history.measured.size(); ++t) recorder->push_round(history.numbers[t], history.measured[t]);
      // What is left for the closing window: every window before it took `commit` rounds.
      int left = rounds;
      while (left > stream.window()) left -= stream.commit;
      window.n_closing = left;
      const StreamResult alone = recorder->finish(history.boundary);
      ASSERT_EQ(window.residual.size(), static_cast<std::size_t>(rounds));
      EXPECT_EQ(alone.flips, frame) << rounds;
      StreamDecoder<stream>& plain = *after;
      plain.reset();
      Round sum;
      const auto h = static_cast<std::size_t>(stream.n_checks());
      for (int t = 0; t < rounds; ++t) {
        Round expected;
        for (std::size_t k = 0; k < 2 * h; ++k) {
          const auto detector = detector_index(experiment, k < h ? Basis::X : Basis::Z, static_cast<int>(k % h), t);
          if (detector >= 0 && ((residual[static_cast<std::size_t>(detector) / 64] >> (detector % 64)) & 1)) expected.set(k);
        }
        EXPECT_EQ(window.residual[static_cast<std::size_t>(t)], expected) << "round " << t << " of " << rounds;
        sum ^= expected;
        plain.push_round(static_cast<std::uint64_t>(t), sum);
      }
      corrected += residual != history.events;
      flipped += (frame & 1) != 0;
      // And with matching.
      const StreamResult matched = plain.finish(history.boundary);
      decoder->reset();
      const StreamResult whole = history.push_all(*decoder);
      EXPECT_EQ(whole.status, Status::ok);
      EXPECT_EQ(whole.flips, matched.flips ^ frame) << rounds;
      EXPECT_EQ(decoder->counters().windows, plain.counters().windows);
    }
  }
  EXPECT_GT(corrected, lengths.size());  // a network that corrects nothing shows nothing
  EXPECT_GT(flipped, 0u);
}

constexpr Network small = plain_network(2, 16);
constexpr Network wider = plain_network(2, 32, 3, Activation::relu);
constexpr std::initializer_list<int> all_lengths = {2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
                                                    17, 18, 19, 20, 21, 22, 23, 24, 25, 31, 37, 48, 60};

TEST(StreamPredecoder, IsThatOfTheWholeHistoryInInt8) {
  expect_the_whole_history<StreamExperiment{5, 5, 5}, small, Precision::int8>(all_lengths);
  expect_the_whole_history<StreamExperiment{5, 5, 5, Basis::Z, Orientation::O3}, wider, Precision::int8>(all_lengths, true);
  expect_the_whole_history<StreamExperiment{3, 3, 3, Basis::Z, Orientation::O2}, plain_network(3, 16), Precision::int8>(all_lengths);
  expect_the_whole_history<StreamExperiment{7, 2, 4, Basis::X, Orientation::O4}, plain_network(1, 16), Precision::int8>(all_lengths);
}
TEST(StreamPredecoder, IsThatOfTheWholeHistoryInFloat32) {
  expect_the_whole_history<StreamExperiment{5, 5, 5, Basis::Z}, small, Precision::fp32>(all_lengths);
  expect_the_whole_history<StreamExperiment{7, 7, 7, Basis::X, Orientation::O3}, wider, Precision::fp32>({2, 5, 9, 10, 33}, true);
}
TEST(StreamPredecoder, IsThatOfTheWholeHistoryWithThePublishedShape) {
  expect_the_whole_history<StreamExperiment{5, 5, 5}, model_1, Precision::int8>({2, 10, 11, 12, 40});
  expect_the_whole_history<StreamExperiment{5, 5, 5, Basis::Z}, model_1, Precision::fp32>({3, 14, 30});
}

TEST(StreamPredecoder, BeginsAnewAfterALostRoundWhereThatIsAsked) {
  constexpr StreamExperiment stream{5, 5, 5, Basis::Z};
  const Trained<small> trained(3);
  using Decoder = StreamDecoder<stream, LatticeWindow<stream>, StreamPredecoder<stream, in_precision(small, Precision::int8)>>;
  const auto one = std::make_unique<Decoder>(), other = std::make_unique<Decoder>();
  for (Decoder* decoder : {one.get(), other.get()}) {
    ASSERT_EQ(decoder->predecoder().set_up(trained.weights<Precision::int8>()), Status::ok);
    ASSERT_EQ(cli::set_up_window(decoder->window(), CircuitNoise(uniform_depolarizing(0.005))), Status::ok);
  }
  std::mt19937_64 random(5);
  for (const int rounds : {3, 8, 9, 30}) {
    const History<stream> before(27, false, random);
    History<stream> history(rounds, false, random);
    one->reset({.on_fault = OnFault::restart});
    for (std::uint64_t t = 0; t < 27; ++t) one->push_round(t, before.measured[t]);
    const StreamResult restarted = history.push_all(*one, 40);
    EXPECT_EQ(one->counters().restarts, 1u);
    // The first round is a reference: a history in which it is all zeros and the others differ from it as they did.
    const auto reference = history.measured[0];
    for (auto& round : history.measured) round ^= reference;
    other->reset();
    EXPECT_EQ(restarted.flips, history.push_all(*other).flips);
  }
}

TEST(StreamPredecoder, GoesOnForMoreRoundsThanItCounts) {
  constexpr StreamExperiment stream{3, 3, 3};
  constexpr Network network = in_precision(plain_network(1, 16, 3, Activation::relu), Precision::int8);
  const Trained<plain_network(1, 16, 3, Activation::relu)> trained(9);
  const auto decoder = std::make_unique<StreamDecoder<stream, RecordingWindow<stream>, StreamPredecoder<stream, network>>>();
  ASSERT_EQ(decoder->predecoder().set_up(trained.weights<Precision::int8>()), Status::ok);
  // Rounds that repeat with period 8: so does the residual, at the place where the network renumbers its rounds too.
  typename History<stream>::Round measured[8];
  std::mt19937_64 random(6);
  for (auto& round : measured)
    for (std::size_t k = 0; k < 8; ++k)
      if (random() % 4 == 0) round.flip(k);
  auto& residual = decoder->window().residual;
  constexpr std::size_t rounds = (1u << 16) + 4000;
  residual.reserve(rounds + 1);
  const long before = heap_allocations();
  for (std::size_t t = 0; t < rounds; ++t) decoder->push_round(t, measured[t % 8]);
  EXPECT_LE(heap_allocations() - before, static_cast<long>(rounds / 3 + 1));  // the recorder's, one a window
  std::size_t differ = 0;
  for (std::size_t t = 24; t < residual.size(); ++t) differ += !(residual[t] == residual[t - 8]);
  EXPECT_EQ(differ, 0u);
  EXPECT_GT(residual.size(), rounds - 16);
}

TEST(StreamPredecoder, WithoutWeightsRoundsPassAsTheyAre) {
  constexpr StreamExperiment stream{5, 5, 5};
  const auto with = std::make_unique<StreamDecoder<stream, LatticeWindow<stream>, StreamPredecoder<stream, small>>>();
  const auto without = std::make_unique<StreamDecoder<stream>>();
  const CircuitNoise noise(uniform_depolarizing(0.005));
  ASSERT_EQ(cli::set_up_window(with->window(), noise), Status::ok);
  ASSERT_EQ(cli::set_up_window(without->window(), noise), Status::ok);
  std::mt19937_64 random(2);
  for (const int rounds : {2, 11, 12, 45}) {
    const History<stream> history(rounds, true, random);
    with->reset();
    without->reset();
    EXPECT_EQ(history.push_all(*with).flips, history.push_all(*without).flips);
  }
}

}  // namespace
}  // namespace spinel
