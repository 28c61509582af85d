// SPDX-License-Identifier: Apache-2.0
// Windows over the matchers for any graph, against the lattice matcher's windows and, for the correlated one, against what it is for.
#include <spinel/decode/chain_window.hpp>
#include <spinel/decode/graph_window.hpp>
#include <spinel/match/gap.hpp>

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
using Answer = std::tuple<ObservableFlips, int, Engine, std::vector<std::int32_t>>;
template <class Window, class Until>
Answer ask(Window& window, const std::vector<std::int32_t>& events, const Until& until) {
  std::vector<std::int32_t> toggled;
  const WindowAnswer answer = window.decode(WindowKind::moving, events, [&](std::int32_t id) { toggled.push_back(id); }, until);
  std::sort(toggled.begin(), toggled.end());
  return Answer{answer.flips, answer.n_unsettled, answer.engine, toggled};
}
/// Every place of a window of ten rounds at distance 5, one in sixteen.
template <class Layout, class Random>
std::vector<std::int32_t> random_events(const Layout& layout, Random& random) {
  std::vector<std::int32_t> events;
  for (int layer = 1; layer <= 10; ++layer)
    for (int type = 0; type < 2; ++type)
      for (int k = 0; k < 12; ++k)
        if (random() % 16 == 0) events.push_back(layout.id({type, layer, k}));
  return events;
}
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
  std::mt19937_64 random(5);
  int answers_by[4] = {};
  for (int shot = 0; shot < 300; ++shot) {
    const auto events = random_events(exact->layout, random);
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

// == Sure answers ==
/// The bound of closing windows, which have no future, against the gap that ClassGap finds in the same graph.
template <StreamExperiment stream>
void bounds_the_gap(int one_in, double least_share) {
  const CircuitNoise noise(uniform_depolarizing(0.003));
  const auto window = std::make_unique<LatticeWindow<stream>>();
  ASSERT_EQ(cli::set_up_window(*window, noise), Status::ok);
  using Models = detail::WindowModels<stream>;
  const auto [model, mechanisms] = *io::graph_edges(*io::experiment_model(window->model_experiment, noise));
  std::vector<LatticeSite> sites(static_cast<std::size_t>(window->model_experiment.n_detectors()));
  place_own_detectors(window->model_experiment, sites.data());
  std::vector<GraphEdge> edges;
  Models::for_edges(WindowKind::closing, model, mechanisms, sites.data(), [&](const GraphEdge& edge, std::uint32_t) { edges.push_back(edge); });
  const auto n_detectors = static_cast<std::size_t>(Models::window_experiment.n_detectors());
  std::vector<std::byte> memory(ExactMatcher::memory_needed(n_detectors, edges.size(), 1, {}));
  auto matcher = ExactMatcher::create(n_detectors, 1, edges, memory, {});
  ASSERT_EQ(matcher.status, Status::ok);
  std::vector<std::byte> gap_memory(ClassGap::memory_needed(*matcher, {}));
  auto gap = ClassGap::create(*matcher, 0, gap_memory, {});
  ASSERT_EQ(gap.status, Status::ok) << to_string(gap.status);
  std::mt19937_64 random(8);
  double of_bounds = 0, of_gaps = 0;
  int tight = 0;
  for (int shot = 0; shot < 400; ++shot) {
    std::vector<std::int32_t> events;
    std::vector<std::uint8_t> packed((n_detectors + 7) / 8);
    for (int layer = 1; layer <= stream.window(); ++layer)  // the read-out is without noise
      for (int type = 0; type < 2; ++type)
        for (int k = 0; k < stream.n_checks(); ++k)
          if (random() % static_cast<unsigned>(one_in) == 0) {
            events.push_back(window->layout.id({type, layer, k}));
            const auto detector = Models::detector_of({type, layer, k});
            packed[detector / 8] ^= static_cast<std::uint8_t>(1u << (detector % 8));
          }
    const auto costs = gap->decode(*matcher, packed.data());
    const double truth = static_cast<double>(costs.gap) * matcher->nats_per_unit();
    window->limit_gap(1000);
    const auto nothing = [](std::int32_t) {};
    const WindowAnswer answer = window->decode(WindowKind::closing, events, nothing);
    ASSERT_EQ(answer.engine, Engine::exact);
    ASSERT_EQ(costs.best.outcome, MatchOutcome::matched);
    ASSERT_EQ(answer.n_unexplained, 0);
    if (truth > 1e-3) {
      ASSERT_EQ(costs.best.observables, answer.flips);
    }
    ASSERT_LE(answer.least_gap, truth + 1e-3);
    of_bounds += answer.least_gap;
    of_gaps += truth;
    tight += answer.least_gap > truth - 1e-3;
    window->limit_gap(1);
    ASSERT_NEAR(window->decode(WindowKind::closing, events, nothing).least_gap, std::min(1.0, answer.least_gap), 1e-3);
    window->limit_gap(0);
    ASSERT_EQ(window->decode(WindowKind::closing, events, nothing).least_gap, 0);
  }
  EXPECT_GT(of_bounds, least_share * of_gaps);
  EXPECT_GT(tight, 20);
}
TEST(LeastGap, IsNeverMoreThanTheGap) {
  bounds_the_gap<StreamExperiment{3, 3, 3, Basis::Z, Orientation::O2}>(12, 0.5);
  bounds_the_gap<StreamExperiment{5, 5, 5, Basis::X, Orientation::O1}>(30, 0.5);
  bounds_the_gap<StreamExperiment{5, 5, 5, Basis::Z, Orientation::O3}>(8, 0.2);
  bounds_the_gap<StreamExperiment{7, 4, 4, Basis::X, Orientation::O4}>(20, 0.2);
}
TEST(LeastGap, DecidesWhetherThereIsASecondPass) {
  constexpr StreamExperiment stream{5, 5, 5};
  const CircuitNoise noise(uniform_depolarizing(0.004));
  const auto exact = std::make_unique<LatticeWindow<stream>>();
  const auto correlated = std::make_unique<CorrelatedLatticeWindow<stream>>(), gated = std::make_unique<CorrelatedLatticeWindow<stream>>();
  ASSERT_EQ(cli::set_up_window(*exact, noise), Status::ok);
  ASSERT_EQ(cli::set_up_window(*correlated, noise), Status::ok);
  ASSERT_EQ(cli::set_up_window(*gated, noise), Status::ok);
  exact->limit_gap(5);
  gated->limit_gap(5);
  std::mt19937_64 random(9);
  int n_sure = 0;
  for (int shot = 0; shot < 1000; ++shot) {
    const auto events = random_events(exact->layout, random);
    const bool is_sure = exact->decode(WindowKind::moving, events, [](std::int32_t) {}).least_gap > 5 - 1e-3;
    n_sure += is_sure;
    ASSERT_EQ(ask(*gated, events, NoDeadline{}), is_sure ? ask(*exact, events, NoDeadline{}) : ask(*correlated, events, NoDeadline{}));
  }
  EXPECT_GT(n_sure, 50);
  EXPECT_LT(n_sure, 950);
}

// == The chain, on a clock that tells what time each look finds ==
TEST(ChainWindow, TakesTheBestEngineThatTimeAllowsAndSaysWhich) {
  constexpr StreamExperiment stream{5, 5, 5};
  const CircuitNoise noise(uniform_depolarizing(0.004));
  const auto exact = std::make_unique<LatticeWindow<stream>>();
  const auto correlated = std::make_unique<CorrelatedLatticeWindow<stream>>();
  const auto chain = std::make_unique<ChainWindow<stream>>();
  const GraphDecoder<stream, UnionFind> union_find(noise);
  ASSERT_EQ(cli::set_up_window(*exact, noise), Status::ok);
  ASSERT_EQ(cli::set_up_window(*correlated, noise), Status::ok);
  ASSERT_EQ(cli::set_up_window(chain->best(), noise), Status::ok);
  const auto [edges, mechanisms] = *io::graph_edges(*io::experiment_model(chain->model_experiment, noise));
  std::vector<std::byte> memory(chain->union_find().memory_bytes(edges, mechanisms));
  ASSERT_EQ(chain->union_find().set_up(edges, mechanisms, memory), Status::ok);
  std::mt19937_64 random(6);
  int answers_by[4] = {};
  for (int shot = 0; shot < 300; ++shot) {
    const auto events = random_events(exact->layout, random);
    const Answer best = ask(*correlated, events, NoDeadline{}), first = ask(*exact, events, NoDeadline{});
    const Answer by_union_find = ask(union_find.decoder->window(), events, NoDeadline{});
    const auto n = static_cast<std::int64_t>(events.size()) + 1;
    // The first look and `in_time` more find the beginning, all others `late`. Union-find is expected to take 20 an event.
    const auto after = [&](int in_time, std::int64_t late) {
      const auto clock = [&]() -> std::int64_t { return in_time-- >= 0 ? 0 : late; };
      chain->expect(20);
      const Answer answer = ask(*chain, events, Deadline{clock, 2000});
      ++answers_by[static_cast<int>(std::get<Engine>(answer))];
      return answer;
    };
    chain->expect(20);
    ASSERT_EQ(ask(*chain, events, NoDeadline{}), best);
    ASSERT_EQ(after(1000, 5000), best);
    Engine engine = Engine::local;
    for (int looks = 0; engine != Engine::correlated; ++looks) {
      ASSERT_LT(looks, 1000);
      // When union-find must begin, if anybody.
      const Answer in_time = after(looks, 2000 - 30 * n);
      ASSERT_LE(std::get<Engine>(in_time), engine) << "worse with more time";
      engine = std::get<Engine>(in_time);
      if (engine == Engine::union_find) {
        ASSERT_EQ(std::get<ObservableFlips>(in_time), std::get<ObservableFlips>(by_union_find));
        ASSERT_EQ(std::get<3>(in_time), std::get<3>(by_union_find));
        ASSERT_GT(std::get<int>(in_time), 0);
        // Too late for union-find: what is matched stays, the rest is local, as without it.
        int left = looks;
        ASSERT_EQ(after(looks, 2000 - 20 * n + 1), ask(*correlated, events, AfterLooks{&left}));
      } else {
        ASSERT_EQ(in_time, engine == Engine::exact ? first : best);
      }
    }
    // Union-find that would take more than a third of the time keeps nothing of it from the others.
    chain->expect(20);
    int looks = 3;
    const auto clock = [&]() -> std::int64_t { return looks-- > 0 ? 0 : 60 * n - 2; };
    ASSERT_NE(std::get<Engine>(ask(*chain, events, Deadline{clock, 60 * n - 1})), Engine::union_find);
  }
  for (const int n : answers_by) EXPECT_GT(n, 200);
  // It learns: a slow answer at once, fast ones slowly.
  const auto events = random_events(exact->layout, random);
  const auto n = static_cast<std::int64_t>(events.size()) + 1;
  chain->expect(0);
  std::int64_t time = 0;
  const auto slow = [&] { return time += 100; };
  ASSERT_EQ(std::get<Engine>(ask(*chain, events, Deadline{slow, time + 200})), Engine::union_find);
  EXPECT_GE(chain->expected(n), 99);
  const auto learned = chain->expected(1000);
  int looks = 1;
  const auto fast = [&]() -> std::int64_t { return looks-- > 0 ? 0 : 1000000 - 300; };
  ask(*chain, events, Deadline{fast, 1000000 - 300 + chain->expected(n)});
  EXPECT_LT(chain->expected(1000), learned);
  EXPECT_GT(chain->expected(1000), learned * 9 / 10);
}

}  // namespace
}  // namespace spinel
