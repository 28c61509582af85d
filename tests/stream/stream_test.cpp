// SPDX-License-Identifier: Apache-2.0
// The stream decoder against what is certain (every single error, every pair of errors at distance 5), against whole-history
// matching on the same shots, and against its own rules: rounds that are lost, repeated, late or of the wrong width.
#include <examples/cli/stream_source.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <span>
#include <vector>

#include "examples/cli/heap_count.hpp"

namespace spinel {
namespace {

using cli::StreamSource;

template <StreamExperiment stream>
std::unique_ptr<StreamDecoder<stream>> decoder_for(const CircuitNoise& noise) {
  auto decoder = std::make_unique<StreamDecoder<stream>>();
  const Status status = cli::set_up_window(decoder->window(), noise);
  EXPECT_EQ(status, Status::ok) << to_string(status);
  return decoder;
}

template <MemoryExperiment experiment>
std::unique_ptr<LatticeMatcher<experiment>> whole_history(const CircuitNoise& noise) {
  auto whole = std::make_unique<LatticeMatcher<experiment>>();
  const auto model = io::experiment_model(experiment, noise);
  const auto edges = io::graph_edges(*model)->edges;
  std::vector<std::byte> scratch(whole->scratch_bytes(edges.size()));
  EXPECT_EQ(whole->set_up(edges, scratch), Status::ok);
  return whole;
}

/// Pushes detection events as if they had been measured, with a read-out that adds none.
template <StreamExperiment stream>
ObservableFlips decode_events(StreamDecoder<stream>& decoder, const std::vector<std::uint8_t>& events, int rounds,
                              const MemoryExperiment& experiment) {
  using Round = typename StreamDecoder<stream>::Round;
  decoder.reset();
  const auto h = static_cast<std::size_t>(stream.n_checks());
  Round measured;
  for (int t = 0; t < rounds; ++t) {
    for (const Basis type : {Basis::X, Basis::Z})
      for (std::size_t k = 0; k < h; ++k) {
        const auto detector = detector_index(experiment, type, static_cast<int>(k), t);
        if (detector >= 0 && ((events[static_cast<std::size_t>(detector) / 8] >> (detector % 8)) & 1))
          measured.flip(k + (type == Basis::X ? 0 : h));
      }
    EXPECT_TRUE(decoder.push_round(static_cast<std::uint64_t>(t), measured));
  }
  static StreamSource<stream> solver{CircuitNoise(uniform_depolarizing(0.001)), 1};
  const auto result = decoder.finish(solver.read_out_for(measured, false));
  EXPECT_EQ(result.status, Status::ok);
  EXPECT_FALSE(result.measured);
  return result.flips;
}

/// Every error mechanism alone; with `pairs` also pairs of them that are near each other, where the whole history is right.
template <StreamExperiment stream, int rounds>
void corrects_every_error(bool pairs) {
  const CircuitNoise noise(uniform_depolarizing(0.003));
  constexpr MemoryExperiment experiment = stream.memory(rounds);
  const auto model = io::experiment_model(experiment, noise);
  ASSERT_EQ(model.status, Status::ok);
  const auto edges = io::graph_edges(*model)->edges;
  const auto decoder = decoder_for<stream>(noise);
  const std::size_t n_bytes = (static_cast<std::size_t>(experiment.n_detectors()) + 7) / 8;
  std::vector<std::uint8_t> events(n_bytes);
  const auto toggle = [&](const GraphEdge& edge) {
    for (const auto node : {edge.a, edge.b})
      if (node != boundary_node) events[node / 8] ^= static_cast<std::uint8_t>(1u << (node % 8));
  };
  int wrong = 0;
  for (const auto& edge : edges) {
    toggle(edge);
    wrong += decode_events<stream>(*decoder, events, rounds, experiment) != edge.observables;
    toggle(edge);
  }
  EXPECT_EQ(wrong, 0) << "of " << edges.size() << " single errors";
  if (!pairs) return;
  std::mt19937_64 random(7);
  wrong = 0;
  const auto whole = whole_history<experiment>(noise);
  int n_right = 0;
  for (int k = 0; k < 40000; ++k) {
    const auto& first = edges[random() % edges.size()];
    // Near each other, so that they share paths and seams.
    const std::size_t near = (static_cast<std::size_t>(&first - edges.data()) + random() % 200) % edges.size();
    toggle(first);
    toggle(edges[near]);
    const ObservableFlips truth = first.observables ^ edges[near].observables;
    if (whole->decode(events.data()).observables == truth) {
      ++n_right;
      wrong += decode_events<stream>(*decoder, events, rounds, experiment) != truth;
    }
    toggle(first);
    toggle(edges[near]);
  }
  EXPECT_GT(n_right, 39950);
  EXPECT_EQ(wrong, 0) << "of " << n_right << " pairs of errors";
  EXPECT_EQ(decoder->counters().unexplained_events, 0u);
}

TEST(Stream, CorrectsEverySingleErrorAtDistance3) {
  corrects_every_error<StreamExperiment{3, 3, 3, Basis::X, Orientation::O1}, 14>(false);
  corrects_every_error<StreamExperiment{3, 1, 3, Basis::Z, Orientation::O2}, 11>(false);
  corrects_every_error<StreamExperiment{3, 2, 5, Basis::Z, Orientation::O3}, 5>(false);
}
TEST(Stream, CorrectsPairsOfErrorsAtDistance5) {
  corrects_every_error<StreamExperiment{5, 5, 5, Basis::X, Orientation::O1}, 24>(true);
  corrects_every_error<StreamExperiment{5, 3, 5, Basis::Z, Orientation::O4}, 20>(true);
}

struct Mistakes {
  long of_stream = 0, of_whole = 0, differ = 0;
};
/// The same shots through the stream and through the matcher of the whole history.
template <StreamExperiment stream, int rounds>
Mistakes compare(double p, int n_shots, std::uint64_t seed) {
  constexpr MemoryExperiment experiment = stream.memory(rounds);
  const CircuitNoise noise(uniform_depolarizing(p));
  const auto decoder = decoder_for<stream>(noise);
  const auto whole = whole_history<experiment>(noise);
  StreamSource<stream> source(noise, seed);
  Mistakes mistakes;
  const auto h = static_cast<std::size_t>(stream.n_checks());
  Detectors<experiment> events;
  std::uint8_t packed[Detectors<experiment>::n_bytes];
  for (int shot = 0; shot < n_shots; ++shot) {
    source.begin(rounds);
    decoder->reset();
    events.clear();
    for (std::uint64_t t = 0; t < rounds; ++t) {
      typename StreamSource<stream>::Round fired;
      EXPECT_TRUE(decoder->push_round(t, source.next(&fired)));
      for_each_set_bit(fired.words, [&](std::size_t k) {
        const auto detector = detector_index(experiment, k < h ? Basis::X : Basis::Z, static_cast<int>(k % h),
                                             static_cast<std::int64_t>(t));
        events.flip(static_cast<std::size_t>(detector));
      });
    }
    const auto result = decoder->finish(source.read_out());
    EXPECT_EQ(result.measured, source.flipped());
    events.store_b8(packed);
    const auto expected = whole->decode(packed);
    mistakes.of_stream += result.corrected();
    mistakes.of_whole += (expected.observables & 1) != static_cast<unsigned>(source.flipped());
    mistakes.differ += expected.observables != result.flips;
  }
  return mistakes;
}

TEST(Stream, IsAsGoodAsTheWholeHistory) {
  const auto far = compare<StreamExperiment{5, 5, 5}, 100>(0.004, 12000, 3);
  EXPECT_GT(far.of_whole, 1000);
  EXPECT_LT(static_cast<double>(far.of_stream), 1.02 * static_cast<double>(far.of_whole));
  // A shorter buffer costs more, so the comparison can tell.
  const auto near = compare<StreamExperiment{5, 5, 1, Basis::Z, Orientation::O3}, 100>(0.004, 6000, 3);
  EXPECT_GT(near.differ, 20 * far.differ);
}

// == Faults ==
constexpr StreamExperiment d5{5, 5, 5};

struct Noiseless : testing::Test {
  std::unique_ptr<StreamDecoder<d5>> decoder = decoder_for<d5>(CircuitNoise(uniform_depolarizing(0.003)));
  // Random first outcomes of the other check type, the same ever after.
  StreamDecoder<d5>::Round round = [] {
    StreamDecoder<d5>::Round bits;
    for (std::size_t k = 12; k < 24; k += 3) bits.set(k);
    return bits;
  }();
  void expect_nothing_flipped() {
    const auto result = decoder->finish(StreamDecoder<d5>::Data{});
    EXPECT_EQ(result.status, Status::ok);
    EXPECT_EQ(result.flips, 0u);
  }
};
using StreamFaults = Noiseless;

TEST_F(StreamFaults, LostRoundsAreReportedAndErased) {
  for (std::uint64_t k = 0; k < 7; ++k) EXPECT_TRUE(decoder->push_round(k, round));
  const auto report = decoder->push_round(10, round);
  EXPECT_EQ(report.fault, RoundFault::lost);
  EXPECT_EQ(report.expected, 7u);
  EXPECT_EQ(report.received, 10u);
  EXPECT_EQ(report.erased, 3u);
  EXPECT_EQ(decoder->next_round(), 11u);
  EXPECT_EQ(decoder->counters().lost, 3u);
  EXPECT_EQ(decoder->counters().rounds, 8u);
  EXPECT_TRUE(decoder->push_round(11, round));
  EXPECT_TRUE(decoder->push_round(12, round));
  EXPECT_TRUE(decoder->push_round(13, round).decoded);  // the eleventh round that came found a full window
  expect_nothing_flipped();
  EXPECT_EQ(decoder->counters().unexplained_events, 0u);
}
TEST_F(StreamFaults, TheFirstRoundsMayBeLost) {
  // The prepared state is known all the same: an error on data qubit 0 in the lost rounds shows, and is corrected.
  auto flipped = round;
  flipped.flip(0);
  EXPECT_EQ(decoder->push_round(2, flipped).erased, 2u);
  for (std::uint64_t k = 3; k < 30; ++k) EXPECT_TRUE(decoder->push_round(k, flipped));
  StreamDecoder<d5>::Data read_out;
  read_out.set(0);
  const auto result = decoder->finish(read_out);
  EXPECT_TRUE(result.measured);
  EXPECT_FALSE(result.corrected());
}
/// As if the rounds that are lost had never been.
TEST_F(StreamFaults, ErasedRoundsAreLeftOut) {
  const auto kept = decoder_for<d5>(CircuitNoise(uniform_depolarizing(0.006)));
  const auto losing = decoder_for<d5>(CircuitNoise(uniform_depolarizing(0.006)));
  StreamSource<d5> source(CircuitNoise(uniform_depolarizing(0.006)), 21);
  std::mt19937_64 random(3);
  int n_flipped = 0;
  for (int shot = 0; shot < 300; ++shot) {
    source.begin(60);
    kept->reset();
    losing->reset();
    std::uint64_t n = 0;
    for (std::uint64_t t = 0; t < 60; ++t) {
      const auto& bits = source.next();
      if (random() % 10 == 0) continue;
      kept->push_round(n++, bits);
      losing->push_round(t, bits);
    }
    const auto flips = losing->finish(source.read_out()).flips;
    EXPECT_EQ(flips, kept->finish(source.read_out()).flips);
    n_flipped += flips != 0;
  }
  EXPECT_GT(n_flipped, 30);
}
TEST_F(StreamFaults, RepeatedLateAndImplausibleRoundsAreDropped) {
  for (std::uint64_t k = 0; k < 4; ++k) EXPECT_TRUE(decoder->push_round(k, round));
  StreamDecoder<d5>::Round garbage;
  garbage.set(1);
  EXPECT_EQ(decoder->push_round(3, garbage).fault, RoundFault::repeated);
  EXPECT_EQ(decoder->push_round(1, garbage).fault, RoundFault::late);
  EXPECT_EQ(decoder->push_round(4 + (1ull << 40), garbage).fault, RoundFault::implausible);
  EXPECT_EQ(decoder->push_round(4 + 1001, garbage).fault, RoundFault::implausible);
  EXPECT_TRUE(decoder->push_round(4, round));
  EXPECT_EQ(decoder->counters().rounds, 5u);
  expect_nothing_flipped();
  EXPECT_EQ(decoder->push_round(5, round).fault, RoundFault::refused);
  EXPECT_EQ(decoder->finish(StreamDecoder<d5>::Data{}).status, Status::bad_argument);
}
TEST_F(StreamFaults, WrongWidthIsReportedAndTheRoundErased) {
  std::vector<std::uint8_t> bytes(3);
  round.store_b8(bytes.data());
  EXPECT_TRUE(decoder->push_round(0, bytes));
  const std::vector<std::uint8_t> wide(4, 0xff), narrow(2, 0xff);
  auto report = decoder->push_round(1, wide);
  EXPECT_EQ(report.fault, RoundFault::wrong_width);
  EXPECT_EQ(report.erased, 1u);
  report = decoder->push_round(77, narrow);
  EXPECT_EQ(report.fault, RoundFault::wrong_width);
  EXPECT_EQ(report.erased, 0u);
  EXPECT_TRUE(decoder->push_round(2, bytes));
  EXPECT_EQ(decoder->counters().wrong_width, 2u);
  EXPECT_EQ(decoder->finish(std::vector<std::uint8_t>(3)).status, Status::bad_shape);
  expect_nothing_flipped();
}
TEST_F(StreamFaults, RestartBeginsANewHistoryWithTheRoundAsReference) {
  decoder->reset({.on_fault = OnFault::restart});
  for (std::uint64_t k = 0; k < 25; ++k) EXPECT_TRUE(decoder->push_round(k, round));
  StreamDecoder<d5>::Round other;
  for (std::size_t k = 0; k < 24; k += 2) other.set(k);
  EXPECT_EQ(decoder->push_round(27, other).fault, RoundFault::lost);
  EXPECT_EQ(decoder->first_round(), 27u);
  EXPECT_EQ(decoder->counters().restarts, 1u);
  for (std::uint64_t k = 28; k < 70; ++k) EXPECT_TRUE(decoder->push_round(k, other));
  StreamSource<d5> solver{CircuitNoise(uniform_depolarizing(0.001)), 1};
  const auto result = decoder->finish(solver.read_out_for(other, true));
  EXPECT_EQ(result.flips, 0u);
  EXPECT_TRUE(result.measured);
}
TEST_F(StreamFaults, StopRefusesEverythingUntilReset) {
  decoder->reset({.on_fault = OnFault::stop, .first_round = 100});
  EXPECT_TRUE(decoder->push_round(100, round));
  EXPECT_EQ(decoder->push_round(102, round).fault, RoundFault::lost);
  EXPECT_TRUE(decoder->stopped());
  EXPECT_EQ(decoder->push_round(101, round).fault, RoundFault::refused);
  EXPECT_EQ(decoder->finish(StreamDecoder<d5>::Data{}).status, Status::bad_argument);
  decoder->reset();
  EXPECT_TRUE(decoder->push_round(0, round));
}

TEST(Stream, SurvivesFaultInjection) {
  const CircuitNoise noise(uniform_depolarizing(0.001));
  const auto decoder = decoder_for<d5>(noise);
  StreamSource<d5> source(noise, 9);
  std::mt19937_64 random(4);
  constexpr std::uint64_t rounds = 200;
  std::uint64_t injected[4] = {}, reported[8] = {};
  long mistakes = 0;
  for (int shot = 0; shot < 2500; ++shot) {
    source.begin(rounds);
    decoder->reset();
    bool lost = false;
    std::uint64_t widths = 0;
    for (std::uint64_t t = 0; t < rounds; ++t) {
      auto bits = source.next();
      const auto die = t < 2 || t + 2 > rounds ? 99 : random() % 100;
      RoundReport report;
      if (die == 0) {  // lost: shows with the next that arrives
        ++injected[0];
        lost = true;
        continue;
      }
      if (die == 1) {  // sent twice
        ++injected[1];
        report = decoder->push_round(t, bits);
        ++reported[static_cast<int>(decoder->push_round(t, bits).fault)];
      } else if (die == 2) {  // a bit of the counter flipped above the plausible: dropped, so lost later
        ++injected[2];
        lost = true;
        report = decoder->push_round(t ^ (1ull << (10 + random() % 54)), bits);
        ++reported[static_cast<int>(report.fault)];
        continue;
      } else if (die == 3) {  // oversized
        ++injected[3];
        const std::vector<std::uint8_t> wide(decoder->round_bytes + 1 + random() % 9, 0x55);
        report = decoder->push_round(t, wide);
        widths += report.erased;
      } else {
        report = decoder->push_round(t, bits);
      }
      if (die != 3) {
        EXPECT_EQ(report.fault, lost ? RoundFault::lost : RoundFault::none);
        lost = false;
      }
      if (report.fault != RoundFault::none) ++reported[static_cast<int>(report.fault)];
    }
    const auto result = decoder->finish(source.read_out());
    ASSERT_EQ(result.status, Status::ok);
    mistakes += result.corrected();
    EXPECT_EQ(decoder->counters().rounds + decoder->counters().lost + widths, rounds);
  }
  EXPECT_EQ(reported[static_cast<int>(RoundFault::repeated)], injected[1]);
  EXPECT_EQ(reported[static_cast<int>(RoundFault::implausible)], injected[2]);
  EXPECT_GE(reported[static_cast<int>(RoundFault::wrong_width)], injected[3]);
  EXPECT_GT(reported[static_cast<int>(RoundFault::lost)], injected[0] / 2);
  EXPECT_LT(mistakes, 60);  // 2500 experiments; without faults about 17
}

TEST(Stream, AllocatesNothingAndAnswersWhileRunning) {
  const CircuitNoise noise(uniform_depolarizing(0.003));
  const auto decoder = decoder_for<d5>(noise);
  StreamSource<d5> source(noise, 5);
  constexpr std::uint64_t rounds = 100000;
  source.begin(rounds);
  std::vector<StreamDecoder<d5>::Round> sampled;
  for (std::uint64_t t = 0; t < rounds; ++t) sampled.push_back(source.next());
  const auto data = source.read_out();
  const long before = heap_allocations();
  for (std::uint64_t t = 0; t < rounds; ++t) decoder->push_round(t, sampled[t]);
  EXPECT_EQ(decoder->committed_rounds(), rounds - 10);
  const auto result = decoder->finish(data);
  EXPECT_EQ(heap_allocations(), before);
  EXPECT_EQ(result.flips, decoder->observable_flips());
  EXPECT_EQ(decoder->counters().windows, rounds / 5 - 2);
  EXPECT_EQ(decoder->counters().unexplained_events, 0u);
  std::vector<int> counted(1);  // the counter counts
  EXPECT_EQ(heap_allocations(), before + 1);
}

// == Deadlines ==
TEST(StreamDeadline, AnswersLocallyWhenThereIsNoTimeAndSaysSo) {
  const CircuitNoise noise(uniform_depolarizing(0.003));
  const auto decoder = decoder_for<d5>(noise);
  StreamSource<d5> source(noise, 21);
  const auto frozen = [] { return std::int64_t{1000}; };
  const Deadline never{frozen, 1001}, always{frozen, 1000};
  const auto mistakes = [&](const auto& deadline, std::uint64_t& local, std::uint64_t& unsettled) {
    long wrong = 0;
    for (int shot = 0; shot < 3000; ++shot) {
      source.begin(50);
      decoder->reset();
      for (std::uint64_t t = 0; t < 50; ++t) decoder->push_round(t, source.next(), deadline);
      wrong += decoder->finish(source.read_out(), deadline).corrected();
      local += decoder->counters().answers_by[static_cast<int>(Engine::local)];
      unsettled += decoder->counters().unsettled_events;
    }
    return wrong;
  };
  std::uint64_t local = 0, unsettled = 0;
  const long exact = mistakes(never, local, unsettled);
  EXPECT_EQ(local, 0u);
  EXPECT_EQ(unsettled, 0u);
  const long hurried = mistakes(always, local, unsettled);
  EXPECT_GT(local, 3000u);
  EXPECT_GT(unsettled, local);
  EXPECT_GT(hurried, exact);
  EXPECT_LT(hurried, 1000) << "an answer for want of time is bad, but no coin";
}
TEST(StreamDeadline, ExplainsEverySingleErrorEvenWithoutTime) {
  const CircuitNoise noise(uniform_depolarizing(0.003));
  constexpr MemoryExperiment experiment = d5.memory(18);
  const auto model = io::experiment_model(experiment, noise);
  const auto edges = io::graph_edges(*model)->edges;
  const auto decoder = decoder_for<d5>(noise);
  const auto now = [] { return std::int64_t{0}; };
  StreamSource<d5> solver{noise, 1};
  int wrong = 0;
  for (const auto& edge : edges) {
    decoder->reset();
    StreamDecoder<d5>::Round measured;
    for (int t = 0; t < 18; ++t) {
      for (int k = 0; k < 24; ++k) {
        const auto detector = detector_index(experiment, k < 12 ? Basis::X : Basis::Z, k % 12, t);
        if (detector >= 0 && (detector == edge.a || detector == edge.b)) measured.flip(static_cast<std::size_t>(k));
      }
      decoder->push_round(static_cast<std::uint64_t>(t), measured, Deadline{now, 0});
    }
    wrong += decoder->finish(solver.read_out_for(measured, false), Deadline{now, 0}).flips != edge.observables;
  }
  EXPECT_EQ(wrong, 0);
}

TEST(Stream, SetUpRejectsWhatIsNoModelOfTheStream) {
  const auto decoder = std::make_unique<StreamDecoder<d5>>();
  auto& window = decoder->window();
  const auto model = io::experiment_model(d5.memory(8), CircuitNoise(uniform_depolarizing(0.003)));
  auto edges = io::graph_edges(*model)->edges;
  std::vector<std::byte> scratch(window.scratch_bytes(edges));
  EXPECT_EQ(window.set_up(edges, {}), Status::out_of_capacity);
  EXPECT_EQ(window.set_up(edges, std::span(scratch).first(1000)), Status::out_of_capacity);
  auto changed = edges;
  changed[changed.size() / 2].probability *= 1.5;
  EXPECT_EQ(window.set_up(changed, scratch), Status::unsupported);
  changed = edges;
  changed[0].a = 100000;
  EXPECT_EQ(window.set_up(changed, scratch), Status::bad_shape);
  changed = edges;
  changed.push_back({0, 100, 0.001, 0});
  EXPECT_EQ(window.set_up(changed, scratch), Status::unsupported);
  EXPECT_EQ(window.set_up(edges, scratch), Status::ok);
}

}  // namespace
}  // namespace spinel
