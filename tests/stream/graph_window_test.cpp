// SPDX-License-Identifier: Apache-2.0
// Windows over the matchers for any graph, against the lattice matcher's windows and, for the correlated one, against what it is for.
#include <spinel/decode/graph_window.hpp>

#include <examples/cli/stream_source.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <span>
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
    const auto [edges, mechanisms] = cli::mechanism_edges_of(*model);
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
}

TEST(GraphWindow, IsAsGoodAsTheLatticeWindow) {
  compare<StreamExperiment{3, 3, 3, Basis::Z, Orientation::O2}>(0.004, 3000, 20, 1.02);
  compare<StreamExperiment{5, 5, 5, Basis::X, Orientation::O1}>(0.004, 1200, 40, 0.85);
}

}  // namespace
}  // namespace spinel
