// SPDX-License-Identifier: Apache-2.0
// A damaged line: rounds lost, sent twice, late, of the wrong width, and bits flipped in their numbers. Every one is reported for what it
// is, and the answers are those of a decoder that is handed by hand what the documented rules make of such a line.
// SPINEL_FAULT_ROUNDS=1000000 runs as many rounds (40,000 otherwise).
#include <examples/cli/stream_source.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include <spinel/decode/c_api.hpp>
#include <spinel/decode/stream_predecoder.hpp>

#include "nn/test_networks.hpp"

using LineDecoder = spinel::StreamDecoder<spinel::StreamExperiment{5, 5, 5}>;
SPINEL_DEFINE_C_API(line, LineDecoder);

namespace spinel {
namespace {

constexpr StreamExperiment stream{5, 5, 5};
constexpr Network small = plain_network(2, 16);
using Plain = StreamDecoder<stream>;
using WithNetwork = StreamDecoder<stream, LatticeWindow<stream>, StreamPredecoder<stream, in_precision(small, Precision::int8)>>;

/// The C functions in the shape of the object.
struct ThroughC {
  using Round = Plain::Round;
  static constexpr std::size_t round_bytes = Plain::round_bytes;
  std::vector<std::byte> storage = std::vector<std::byte>(line_size() + line_alignment());
  line_decoder* decoder = nullptr;
  std::uint64_t reported[8] = {};

  ThroughC() {
    std::vector<std::byte> scratch(line_scratch_size());
    double noise[SPINEL_NOISE_PARAMETERS];
    void* place = storage.data();
    std::size_t room = storage.size();
    std::align(line_alignment(), line_size(), place, room);
    EXPECT_EQ(line_uniform_noise(0.0005, noise), 0);
    EXPECT_EQ(line_init(place, line_size(), noise, scratch.data(), scratch.size(), &decoder), 0);
  }
  void reset(const StreamOptions& options) {
    line_reset(decoder, options.first_round, static_cast<int>(options.on_fault));
    for (auto& n : reported) n = 0;
  }
  RoundReport push_round(std::uint64_t number, Span<const std::uint8_t> bytes) {
    spinel_round_report report;
    const int fault = line_push_round(decoder, number, bytes.data(), bytes.size(), &report);
    EXPECT_EQ(fault, report.fault);
    ++reported[fault];
    return {static_cast<RoundFault>(fault), report.received, report.expected, report.erased, report.decoded != 0};
  }
  StreamCounters counters() const {
    return {.repeated = reported[SPINEL_ROUND_REPEATED],
            .late = reported[SPINEL_ROUND_LATE],
            .implausible = reported[SPINEL_ROUND_IMPLAUSIBLE],
            .wrong_width = reported[SPINEL_ROUND_WRONG_WIDTH],
            .refused = reported[SPINEL_ROUND_REFUSED]};
  }
  StreamResult finish(const Plain::Data& read_out) {
    std::uint8_t data[Plain::data_bytes];
    read_out.store_b8(data);
    const spinel_result result = line_finish(decoder, data, line_data_bytes());
    return {static_cast<Status>(result.status), result.flips, result.measured != 0};
  }
};

std::uint64_t rounds_to_run() {
  const char* given = std::getenv("SPINEL_FAULT_ROUNDS");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 40000;
}

/// The rules of docs/streaming.md once more: what a message must be reported as, and what it makes of the history.
template <class Decoder>
struct ByHand {
  Decoder& decoder;
  OnFault on_fault;
  std::uint64_t max_lost;
  std::uint64_t next = 0, pushed = 0, reported[8] = {};
  bool ended = false;  ///< a history that began anew: the reference does not follow it

  void take(const typename Decoder::Round& round) {
    if (!ended) {
      EXPECT_TRUE(decoder.push_round(pushed++, round));
    }
    ++next;
  }
  RoundFault message(std::uint64_t number, bool right_width, const typename Decoder::Round& round) {
    RoundFault fault = RoundFault::none;
    if (!right_width) {
      fault = RoundFault::wrong_width;
      if (on_fault == OnFault::restart) ended = true, ++next;
      else if (number == next) ++next;
    } else if (number < next) {
      fault = number + 1 == next ? RoundFault::repeated : RoundFault::late;
    } else if (number - next > max_lost) {
      fault = RoundFault::implausible;
    } else {
      if (number != next) {
        fault = RoundFault::lost;
        if (on_fault == OnFault::restart) ended = true;
        next = number;
      }
      take(round);
    }
    ++reported[static_cast<int>(fault)];
    return fault;
  }
};

struct Line {
  std::uint64_t messages = 0, kinds[8] = {}, answers = 0, mistakes = 0, clean_answers = 0;
};

template <class Decoder, class Reference>
Line run(Decoder& decoder, Reference& reference, OnFault on_fault, std::uint64_t max_lost, std::uint64_t seed) {
  constexpr std::uint64_t rounds = 400;
  const CircuitNoise noise(uniform_depolarizing(0.0005));
  cli::StreamSource<stream> source(noise, seed);
  std::mt19937_64 random(seed);
  Line line;
  std::vector<std::uint8_t> bytes(Decoder::round_bytes + 16);
  const std::uint64_t shots = rounds_to_run() / rounds;
  for (std::uint64_t shot = 0; shot < shots; ++shot) {
    source.begin(rounds);
    decoder.reset({on_fault, 0, max_lost});
    reference.reset();
    ByHand<Reference> by_hand{reference, on_fault, max_lost};
    const bool is_clean = shot % 4 == 3;  // an undamaged shot after damaged ones
    std::vector<typename Decoder::Round> sent;
    const auto send = [&](std::uint64_t number, const typename Decoder::Round& round, std::size_t width) {
      round.store_b8(bytes.data());
      const std::uint64_t expected_number = by_hand.next;
      const RoundReport report = decoder.push_round(number, Span<const std::uint8_t>(bytes.data(), width));
      const RoundFault expected = by_hand.message(number, width == Decoder::round_bytes, round);
      ASSERT_EQ(report.fault, expected) << "shot " << shot << ", number " << number << " where " << expected_number << " was due";
      EXPECT_EQ(report.received, number);
      EXPECT_EQ(report.expected, expected_number);
      ++line.messages;
      ++line.kinds[static_cast<int>(expected)];
    };
    for (std::uint64_t t = 0; t < rounds; ++t) {
      const auto round = source.next();
      sent.push_back(round);
      const auto die = is_clean || t == 0 ? 99 : random() % 100;
      if (die < 2) continue;                                                                          // lost
      if (die < 4) send(t, round, random() % (Decoder::round_bytes + 16));                            // of any width
      else if (die < 5) send(t ^ (std::uint64_t{1} << (random() % 64)), round, Decoder::round_bytes);  // a bit of its number
      else send(t, round, Decoder::round_bytes);
      if (die == 5) send(t, round, Decoder::round_bytes);                                                            // twice
      if (die == 6 && t > 3) send(t - 2 - random() % 2, sent[static_cast<std::size_t>(t) - 2], Decoder::round_bytes);  // late
    }
    for (int fault = 1; fault < 8; ++fault) {
      const StreamCounters& c = decoder.counters();
      const std::uint64_t counted[8] = {0, 0, c.repeated, c.late, c.implausible, c.wrong_width, c.refused, 0};
      if (fault != static_cast<int>(RoundFault::lost)) {
        EXPECT_EQ(counted[fault], by_hand.reported[fault]) << fault;
      }
    }
    const StreamResult result = decoder.finish(source.read_out());
    if (result.status != Status::ok) continue;  // a history that began anew with the last round
    ++line.answers;
    if (!by_hand.ended) {
      const StreamResult expected = reference.finish(source.read_out());
      EXPECT_EQ(result.flips, expected.flips) << "shot " << shot;
      EXPECT_EQ(result.measured, expected.measured);
    }
    if (is_clean) {
      ++line.clean_answers;
      line.mistakes += result.corrected();
    }
  }
  return line;
}

template <class Decoder, class Reference>
void survives(Decoder& decoder, Reference& reference, std::uint64_t max_lost) {
  for (const OnFault on_fault : {OnFault::erase, OnFault::restart}) {
    const Line line = run(decoder, reference, on_fault, max_lost, 11);
    std::printf("messages %llu: in order %llu, after a loss %llu, repeated %llu, late %llu, implausible %llu, wrong width %llu; answers %llu, undamaged %llu, of them wrong %llu\n",
                static_cast<unsigned long long>(line.messages), static_cast<unsigned long long>(line.kinds[0]), static_cast<unsigned long long>(line.kinds[1]),
                static_cast<unsigned long long>(line.kinds[2]), static_cast<unsigned long long>(line.kinds[3]), static_cast<unsigned long long>(line.kinds[4]),
                static_cast<unsigned long long>(line.kinds[5]), static_cast<unsigned long long>(line.answers), static_cast<unsigned long long>(line.clean_answers),
                static_cast<unsigned long long>(line.mistakes));
    for (int fault = 0; fault < 6; ++fault) EXPECT_GT(line.kinds[fault], 20u) << fault;
    // Whatever came before, an undamaged shot is decoded as well as ever (and as by the reference, which saw no damage in it).
    EXPECT_GT(line.clean_answers, 20u);
    EXPECT_LE(line.mistakes, 2 + line.clean_answers / 100);
  }
}

template <class Decoder>
std::unique_ptr<Decoder> with_windows() {
  auto decoder = std::make_unique<Decoder>();
  EXPECT_EQ(cli::set_up_window(decoder->window(), CircuitNoise(uniform_depolarizing(0.0005))), Status::ok);
  return decoder;
}

TEST(FaultInjection, EveryFaultIsReportedAndTheAnswersAreThoseOfTheRules) {
  survives(*with_windows<Plain>(), *with_windows<Plain>(), 60);
}
TEST(FaultInjection, TheSameThroughTheCInterface) {
  ThroughC line;
  survives(line, *with_windows<Plain>(), StreamOptions{}.max_lost_rounds);
}
TEST(FaultInjection, TheSameWithANetwork) {
  const auto loaded = [] {
    auto network = test::random_network(small, 3, 2.0);
    // Corrects seldom, but does: at random it would be wrong all the time.
    for (float& bias : network.biases.back()) bias -= 6.0f;
    return network;
  }();
  const test::AlignedBytes blob{io::weights_blob(loaded)};
  CalibratedWeights<small> weights{*WeightsView<small>::from_bytes(blob.span()), {}};
  for (int l = 0; l < 2; ++l) weights.ranges.set(l, -0.25f, 6.0f);
  const auto decoder = with_windows<WithNetwork>(), reference = with_windows<WithNetwork>();
  for (WithNetwork* each : {decoder.get(), reference.get()}) ASSERT_EQ(each->predecoder().set_up(weights), Status::ok);
  survives(*decoder, *reference, 60);
}

}  // namespace
}  // namespace spinel
