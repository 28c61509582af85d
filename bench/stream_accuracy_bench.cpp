// SPDX-License-Identifier: Apache-2.0
// What windows cost in logical error rate: stream_accuracy_bench DISTANCE P SHOTS [SEED] decodes the same shots of 20 x DISTANCE rounds in
// windows (commit = buffer = distance, and with half the buffer) and at once, exact and correlated, and counts mistakes and answers that
// differ.
#include <spinel/decode/stream.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <examples/cli/stream_source.hpp>
#include <memory>
#include <vector>

#include "stream_bench.hpp"

namespace {

/// `Window<stream>` is LatticeWindow or CorrelatedLatticeWindow.
template <spinel::StreamExperiment stream, template <spinel::StreamExperiment, class> class Window>
struct Windows {
  using Decoder = spinel::StreamDecoder<stream, Window<stream, spinel::NativeBits>>;
  std::unique_ptr<Decoder> decoder = std::make_unique<Decoder>();
  long mistakes = 0, differ = 0;
  explicit Windows(const spinel::CircuitNoise& noise) {
    if (spinel::cli::set_up_window(decoder->window(), noise) != spinel::Status::ok) std::exit(1);
  }
  template <class Rounds, class Data>
  void decode(const Rounds& sent, const Data& data, bool whole_is_wrong) {
    decoder->reset();
    for (std::size_t t = 0; t < sent.size(); ++t) decoder->push_round(t, sent[t]);
    const bool wrong = decoder->finish(data).corrected();
    mistakes += wrong;
    differ += wrong != whole_is_wrong;
  }
  void print(long whole) const {
    // The shots are the same: only those that differ make the ratio uncertain.
    const auto w = static_cast<double>(whole);
    std::printf("  commit %d buffer %d: %ld mistakes, ratio %.4f +- %.4f, %ld differ", stream.commit, stream.buffer, mistakes,
                static_cast<double>(mistakes) / w, 1.96 * std::sqrt(static_cast<double>(differ)) / w, differ);
  }
};

/// One engine for the whole history and its windows.
template <int d, class Whole, template <spinel::StreamExperiment, class> class Window>
struct Engine {
  static constexpr spinel::StreamExperiment full{d, d, d}, half{d, d, (d + 1) / 2};
  const char* name;
  std::unique_ptr<Whole> whole = std::make_unique<Whole>();
  Windows<full, Window> by_full;
  Windows<half, Window> by_half;
  long mistakes = 0;
  Engine(const char* engine, const spinel::CircuitNoise& noise, const spinel::io::GraphEdges& edges)
      : name(engine), by_full(noise), by_half(noise) {
    spinel::Status status;
    if constexpr (Whole::uses_mechanisms) {
      std::vector<std::byte> scratch(Whole::scratch_bytes(edges.mechanism_of));
      status = whole->set_up(edges.edges, edges.mechanism_of, scratch);
    } else {
      std::vector<std::byte> scratch(Whole::scratch_bytes(edges.edges.size()));
      status = whole->set_up(edges.edges, scratch);
    }
    if (status != spinel::Status::ok) std::exit(1);
  }
  template <class Rounds, class Data>
  void decode(const std::uint8_t* packed, bool flipped, const Rounds& sent, const Data& data) {
    const bool wrong = ((whole->decode(packed).observables & 1) != 0) != flipped;
    mistakes += wrong;
    by_full.decode(sent, data, wrong);
    by_half.decode(sent, data, wrong);
  }
  void print() const {
    std::printf("  %s: whole history %ld mistakes", name, mistakes);
    by_full.print(mistakes);
    by_half.print(mistakes);
    std::printf("\n");
  }
};

template <int d>
int run(double p, int shots, std::uint64_t seed) {
  constexpr spinel::StreamExperiment stream{d, d, d};
  constexpr int rounds = 20 * d;
  constexpr spinel::MemoryExperiment experiment = stream.memory(rounds);
  const spinel::CircuitNoise noise(spinel::uniform_depolarizing(p));
  const auto edges = *spinel::io::graph_edges(*spinel::io::experiment_model(experiment, noise));
  Engine<d, spinel::LatticeMatcher<experiment>, spinel::LatticeWindow> exact("exact", noise, edges);
  Engine<d, spinel::CorrelatedLatticeMatcher<experiment>, spinel::CorrelatedLatticeWindow> correlated("correlated", noise, edges);
  spinel::cli::StreamSource<stream> source(noise, seed);
  using Round = typename spinel::StreamDecoder<stream>::Round;
  std::vector<Round> sent(rounds);
  for (int shot = 0; shot < shots; ++shot) {
    spinel::Detectors<experiment> events;
    source.begin(rounds);
    for (std::size_t t = 0; t < rounds; ++t) {
      Round fired;
      sent[t] = source.next(&fired);
      constexpr auto h = static_cast<std::size_t>(stream.n_checks());
      spinel::for_each_set_bit(fired.words, [&](std::size_t k) {
        events.flip(static_cast<std::size_t>(spinel::detector_index(experiment, k < h ? spinel::Basis::X : spinel::Basis::Z,
                                                                    static_cast<int>(k % h), static_cast<std::int64_t>(t))));
      });
    }
    std::uint8_t packed[spinel::Detectors<experiment>::n_bytes];
    events.store_b8(packed);
    const bool flipped = source.flipped();
    const auto data = source.read_out();
    exact.decode(packed, flipped, sent, data);
    correlated.decode(packed, flipped, sent, data);
  }
  std::printf("d %d p %g rounds %d shots %d\n", d, p, rounds, shots);
  exact.print();
  correlated.print();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: stream_accuracy_bench DISTANCE P SHOTS [SEED]\n");
    return 2;
  }
  const double p = std::atof(argv[2]);
  const int shots = std::atoi(argv[3]);
  const std::uint64_t seed = argc > 4 ? static_cast<std::uint64_t>(std::atoll(argv[4])) : 1;
  if (!(p > 0 && p < 0.1) || shots < 1) {
    std::fprintf(stderr, "stream_accuracy_bench: expected 0 < P < 0.1 and at least 1 shot\n");
    return 2;
  }
  return stream_bench::at_distance(argv, [&]<int distance>() { return run<distance>(p, shots, seed); });
}
