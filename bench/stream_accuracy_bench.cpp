// SPDX-License-Identifier: Apache-2.0
// What windows cost in logical error rate: stream_accuracy_bench DISTANCE P SHOTS [SEED] decodes the same shots of 20 x DISTANCE rounds in
// windows (commit = buffer = distance, and with half the buffer) and at once, and counts mistakes and answers that differ.
#include <spinel/decode/stream.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <examples/cli/stream_source.hpp>
#include <memory>
#include <vector>

namespace {

template <spinel::StreamExperiment stream, int rounds>
struct Windows {
  std::unique_ptr<spinel::StreamDecoder<stream>> decoder = std::make_unique<spinel::StreamDecoder<stream>>();
  long mistakes = 0, differ = 0, worse = 0;
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
    worse += wrong && !whole_is_wrong;
  }
  void print(long whole) const {
    // The shots are the same: only those that differ make the ratio uncertain.
    const auto w = static_cast<double>(whole);
    std::printf("  commit %d buffer %d: %ld mistakes, ratio %.4f +- %.4f, %ld differ", stream.commit, stream.buffer, mistakes,
                static_cast<double>(mistakes) / w, 1.96 * std::sqrt(static_cast<double>(differ)) / w, differ);
  }
};

template <int d>
int run(double p, int shots, std::uint64_t seed) {
  constexpr spinel::StreamExperiment full{d, d, d}, half{d, d, (d + 1) / 2};
  constexpr int rounds = 20 * d;
  constexpr spinel::MemoryExperiment experiment = full.memory(rounds);
  const spinel::CircuitNoise noise(spinel::uniform_depolarizing(p));
  Windows<full, rounds> by_full(noise);
  Windows<half, rounds> by_half(noise);
  const auto whole = std::make_unique<spinel::LatticeMatcher<experiment>>();
  const auto model = spinel::io::experiment_model(experiment, noise);
  const auto edges = spinel::io::graph_edges(*model)->edges;
  {
    std::vector<std::byte> scratch(whole->scratch_bytes(edges.size()));
    if (whole->set_up(edges, scratch) != spinel::Status::ok) return 1;
  }
  spinel::cli::StreamSource<full> source(noise, seed);
  using Round = typename spinel::StreamDecoder<full>::Round;
  std::vector<Round> sent(rounds);
  long mistakes = 0;
  for (int shot = 0; shot < shots; ++shot) {
    spinel::Detectors<experiment> events;
    source.begin(rounds);
    for (std::size_t t = 0; t < rounds; ++t) {
      Round fired;
      sent[t] = source.next(&fired);
      constexpr auto h = static_cast<std::size_t>(full.n_checks());
      spinel::for_each_set_bit(fired.words, [&](std::size_t k) {
        events.flip(static_cast<std::size_t>(spinel::detector_index(experiment, k < h ? spinel::Basis::X : spinel::Basis::Z,
                                                                    static_cast<int>(k % h), static_cast<std::int64_t>(t))));
      });
    }
    std::uint8_t packed[spinel::Detectors<experiment>::n_bytes];
    events.store_b8(packed);
    const bool wrong = (whole->decode(packed).observables & 1) != static_cast<unsigned>(source.flipped());
    mistakes += wrong;
    const auto data = source.read_out();
    by_full.decode(sent, data, wrong);
    by_half.decode(sent, data, wrong);
  }
  std::printf("d %d p %g rounds %d shots %d: whole history %ld mistakes", d, p, rounds, shots, mistakes);
  by_full.print(mistakes);
  by_half.print(mistakes);
  std::printf("\n");
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
  switch (std::atoi(argv[1])) {
    case 5: return run<5>(p, shots, seed);
    case 7: return run<7>(p, shots, seed);
    case 9: return run<9>(p, shots, seed);
    default: std::fprintf(stderr, "stream_accuracy_bench: built for distances 5, 7 and 9, got %s\n", argv[1]); return 2;
  }
}
