// SPDX-License-Identifier: Apache-2.0
// Windows over the matchers for any graph, against the lattice matcher's windows and, for the correlated one, against what it is for.
#include <spinel/decode/chain_window.hpp>
#include <spinel/decode/graph_window.hpp>

#include <examples/cli/stream_source.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <span>
#include <tuple>
#include <vector>

namespace spinel {
namespace {

template <StreamExperiment stream, class M>
struct GraphDecoder {
  using Decoder = StreamDecoder<stream, GraphWindow<stream, M>>;
  std::vector<std::byte> memory;
  std::unique_ptr<Decoder> decoder = std::make_unique<Decoder>();
  explicit GraphDecoder(const CircuitNoise& noise) {
    const auto model = io::experiment_model(Decoder::WindowType::model_experiment, noise);
    EXPECT_EQ(model.status, Status::ok);
    const auto [edges, mechanisms] = *io::graph_edges(*model);
    memory.resize(Decoder::WindowType::memory_bytes(edges, mechanisms));
    const Status status = decoder->window().set_up(edges, mechanisms, memory);
    EXPECT_EQ(status, Status::ok) << to_string(status);
    EXPECT_EQ(decoder->window().set_up(edges, std::span(mechanisms).first(3), memory), Status::bad_shape);
    EXPECT_EQ(decoder->window().set_up(edges, mechanisms, std::span(memory).first(5000)), Status::out_of_capacity);
    EXPECT_EQ(decoder->window().set_up(edges, mechanisms, memory), Status::ok);
  }
};

template <StreamExperiment stream, class Decoder>
long mistakes_of(Decoder& decoder, const CircuitNoise& noise, int n_shots, std::uint64_t rounds, std::vector<ObservableFlips>& flips) {
  cli::StreamSource<stream> source(noise, 11);
  long wrong = 0;
  flips.clear();
  for (int shot = 0; shot < n_shots; ++shot) {
    source.begin(rounds);
    decoder.reset();
    for (std::uint64_t t = 0; t < rounds; ++t) decoder.push_round(t, source.next());
    const auto result = decoder.finish(source.read_out());
    wrong += result.corrected();
    flips.push_back(result.flips);
  }
  return wrong;
}

template <StreamExperiment stream>
void compare(double p, int n_shots, std::uint64_t rounds, double correlated_gain) {
  const CircuitNoise noise(uniform_depolarizing(p));
  const auto lattice = std::make_unique<StreamDecoder<stream>>();
  ASSERT_EQ(cli::set_up_window(lattice->window(), noise), Status::ok);
  const GraphDecoder<stream, ExactMatcher> exact(noise);
  const GraphDecoder<stream, CorrelatedMatcher> correlated(noise);
  std::vector<ObservableFlips> by_lattice, by_graph;
  const long of_lattice = mistakes_of<stream>(*lattice, noise, n_shots, rounds, by_lattice);
  const long of_exact = mistakes_of<stream>(*exact.decoder, noise, n_shots, rounds, by_graph);
  int differ = 0;
  for (std::size_t k = 0; k < by_graph.size(); ++k) differ += by_graph[k] != by_lattice[k];
  // Both are exact in every window; equally light matchings may be chosen differently.
  EXPECT_LT(differ, 0.02 * n_shots) << of_lattice << " " << of_exact;
  EXPECT_GT(of_exact, 20);
  const long of_correlated = mistakes_of<stream>(*correlated.decoder, noise, n_shots, rounds, by_graph);
  EXPECT_LT(static_cast<double>(of_correlated), correlated_gain * static_cast<double>(of_exact));
  EXPECT_EQ(correlated.decoder->last_answer().engine, Engine::correlated);
  const auto on_lattice = std::make_unique<StreamDecoder<stream, CorrelatedLatticeWindow<stream>>>();
  ASSERT_EQ(cli::set_up_window(on_lattice->window(), noise), Status::ok);
  mistakes_of<stream>(*on_lattice, noise, n_shots, rounds, by_lattice);
  differ = 0;
  for (std::size_t k = 0; k < by_graph.size(); ++k) differ += by_graph[k] != by_lattice[k];
  EXPECT_LT(differ, 0.02 * n_shots);
  EXPECT_EQ(on_lattice->last_answer().engine, Engine::correlated);
  const GraphDecoder<stream, UnionFind> union_find(noise);
  const long of_union_find = mistakes_of<stream>(*union_find.decoder, noise, n_shots, rounds, by_graph);
  EXPECT_GE(of_union_find, of_exact);
  EXPECT_LT(static_cast<double>(of_union_find), 1.3 * static_cast<double>(of_exact));
  EXPECT_EQ(union_find.decoder->last_answer().engine, Engine::union_find);
}

TEST(GraphWindow, IsAsGoodAsTheLatticeWindow) {
  compare<StreamExperiment{3, 3, 3, Basis::Z, Orientation::O2}>(0.004, 3000, 20, 1.02);
  compare<StreamExperiment{5, 5, 5, Basis::X, Orientation::O1}>(0.004, 1200, 40, 0.85);
}

// == Short of time ==
/// Passed from the n-th look on.
struct AfterLooks {
  int* left;
  bool passed() const noexcept { return (*left)-- <= 0; }
};
TEST(CorrelatedLatticeWindow, AnswersWithWhatItsPassesFinishedInTime) {
  constexpr StreamExperiment stream{5, 5, 5};
  const CircuitNoise noise(uniform_depolarizing(0.004));
  const auto exact = std::make_unique<LatticeWindow<stream>>();
  const auto correlated = std::make_unique<CorrelatedLatticeWindow<stream>>();
  ASSERT_EQ(cli::set_up_window(*exact, noise), Status::ok);
  ASSERT_EQ(cli::set_up_window(*correlated, noise), Status::ok);
  using Answer = std::tuple<ObservableFlips, int, Engine, std::vector<std::int32_t>>;
  const auto ask = [&](auto& window, const std::vector<std::int32_t>& events, const auto& until) {
    std::vector<std::int32_t> toggled;
    const WindowAnswer answer = window.decode(WindowKind::moving, events, [&](std::int32_t id) { toggled.push_back(id); }, until);
    std::sort(toggled.begin(), toggled.end());
    return Answer{answer.flips, answer.n_unsettled, answer.engine, toggled};
  };
  std::mt19937_64 random(5);
  int answers_by[4] = {};
  for (int shot = 0; shot < 300; ++shot) {
    std::vector<std::int32_t> events;
    for (int layer = 1; layer <= 10; ++layer)
      for (int type = 0; type < 2; ++type)
        for (int k = 0; k < 12; ++k)
          if (random() % 16 == 0) events.push_back(exact->layout.id({type, layer, k}));
    const Answer best = ask(*correlated, events, NoDeadline{}), first = ask(*exact, events, NoDeadline{});
    ASSERT_EQ(std::get<Engine>(best), Engine::correlated);
    Engine engine = Engine::local;
    for (int looks = 0; engine != Engine::correlated; ++looks) {
      int left = looks;
      const Answer answer = ask(*correlated, events, AfterLooks{&left});
      ++answers_by[static_cast<int>(std::get<Engine>(answer))];
      ASSERT_LE(std::get<Engine>(answer), engine) << "worse with more time";
      engine = std::get<Engine>(answer);
      ASSERT_EQ(std::get<int>(answer) > 0, engine == Engine::local);
      if (engine == Engine::exact) {
        ASSERT_EQ(answer, first);
      } else if (engine == Engine::correlated) {
        ASSERT_EQ(answer, best);
      }
      ASSERT_LT(looks, 1000);
    }
  }
  for (const Engine engine : {Engine::correlated, Engine::exact, Engine::local}) EXPECT_GT(answers_by[static_cast<int>(engine)], 200);
}
TEST(CorrelatedLatticeWindow, RefusesWhatIsNoModel) {
  constexpr StreamExperiment stream{3, 3, 3};
  const auto window = std::make_unique<CorrelatedLatticeWindow<stream>>();
  const auto model = io::experiment_model(window->model_experiment, CircuitNoise(uniform_depolarizing(0.004)));
  const auto [edges, mechanisms] = *io::graph_edges(*model);
  std::vector<std::byte> scratch(window->scratch_bytes(edges, mechanisms));
  EXPECT_EQ(window->set_up(edges, std::span(mechanisms).first(3), scratch), Status::bad_shape);
  EXPECT_EQ(window->set_up(edges, mechanisms, {}), Status::out_of_capacity);
  EXPECT_EQ(window->set_up(edges, mechanisms, std::span(scratch).first(5000)), Status::out_of_capacity);
  EXPECT_EQ(window->decode(WindowKind::moving, std::vector<std::int32_t>{window->layout.id({0, 2, 1})}, [](std::int32_t) {}).n_unexplained, 1);
  EXPECT_EQ(window->set_up(edges, mechanisms, scratch), Status::ok);
}

// == The chain, on a clock that only moves when it is read ==
constexpr StreamExperiment d5{5, 5, 5};
struct Chain {
  using Decoder = StreamDecoder<d5, ChainWindow<d5>>;
  std::unique_ptr<Decoder> decoder = std::make_unique<Decoder>();
  explicit Chain(const CircuitNoise& noise) {
    EXPECT_EQ(cli::set_up_window(decoder->window().better(), noise), Status::ok);
    EXPECT_EQ(cli::set_up_window(decoder->window().exact(), noise), Status::ok);
  }
  /// Mistakes in 600 shots, and how often each engine answered.
  template <class Until>
  long mistakes(const CircuitNoise& noise, const Until& until, std::uint64_t (&by)[4]) {
    cli::StreamSource<d5> source(noise, 17);
    long wrong = 0;
    for (auto& n : by) n = 0;
    for (int shot = 0; shot < 600; ++shot) {
      source.begin(60);
      decoder->reset();
      for (std::uint64_t t = 0; t < 60; ++t) decoder->push_round(t, source.next(), until());
      wrong += decoder->finish(source.read_out(), until()).corrected();
      for (std::size_t engine = 0; engine < 4; ++engine) by[engine] += decoder->counters().answers_by[engine];
    }
    return wrong;
  }
};
TEST(ChainWindow, TakesTheBestEngineThatTimeAllowsAndSaysWhich) {
  const CircuitNoise noise(uniform_depolarizing(0.004));
  Chain chain(noise);
  std::int64_t time = 0;
  const auto clock = [&time] { return time += 10; };  // every look costs 10
  std::uint64_t by[4];
  const long unhurried = chain.mistakes(noise, [] { return NoDeadline{}; }, by);
  EXPECT_EQ(by[static_cast<int>(Engine::correlated)], 600u * 11);
  const long in_time = chain.mistakes(noise, [&] { return Deadline{clock, time + 1000000}; }, by);
  EXPECT_EQ(in_time, unhurried);
  EXPECT_EQ(by[static_cast<int>(Engine::correlated)], 600u * 11);
  // An estimate of 70 an event: windows of many events are too much for 1000, which is plenty for the exact engine's looks.
  const auto hurried = [&] {
    chain.decoder->window().expect(70);  // or it would learn that the better engine takes next to no time on this clock
    return Deadline{clock, time + 1000};
  };
  const long mixed = chain.mistakes(noise, hurried, by);
  EXPECT_GT(by[static_cast<int>(Engine::correlated)], 600u);
  EXPECT_GT(by[static_cast<int>(Engine::exact)], 600u);
  chain.decoder->window().expect(1000000);
  const long exact = chain.mistakes(noise, [&] { return Deadline{clock, time + 1000}; }, by);
  EXPECT_GT(by[static_cast<int>(Engine::exact)], 6000u);
  chain.decoder->window().expect(1000000);
  const long local = chain.mistakes(noise, [&] { return Deadline{clock, time}; }, by);
  EXPECT_EQ(by[static_cast<int>(Engine::correlated)], 0u);
  EXPECT_GT(by[static_cast<int>(Engine::local)], 3000u);
  EXPECT_LT(unhurried, exact);
  EXPECT_LE(unhurried, mixed);
  EXPECT_LT(exact, local);
}

}  // namespace
}  // namespace spinel
