// SPDX-License-Identifier: Apache-2.0
// The stream decoder by itself: stream_bench DISTANCE P ROUNDS_PER_SHOT SHOTS [REPEATS [correlated [NATS]]]. Processor time a round over all shots (the machine may be
// shared), and the tails of the reaction (last round, read-out, answer) and of the windows, each the least of REPEATS runs of the same
// shot, which leaves the decoder's own tail and takes away most of what others on the machine do. Both check types are decoded. With NATS the
// second pass is left out where the first is as sure as that.
#include <spinel/decode/stream.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <examples/cli/stream_source.hpp>
#include <memory>
#include <vector>

namespace {

double ns(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return 1e9 * static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec);
}

void print_quantiles(const char* name, std::vector<double>& values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double q) { return values[std::min(values.size() - 1, static_cast<std::size_t>(q * static_cast<double>(values.size())))] / 1e3; };
  std::printf(" %s %.3f %.3f %.3f %.3f %.3f", name, at(0.5), at(0.9), at(0.99), at(0.999), values.back() / 1e3);
}

template <spinel::StreamExperiment stream, class Window>
struct Measured {
  using Decoder = spinel::StreamDecoder<stream, Window>;
  std::unique_ptr<Decoder> decoder = std::make_unique<Decoder>();
  std::vector<double> per_round, reaction, window;
  long mistakes = 0;

  template <class Shots>
  void decode_all(const Shots& shots) {
    mistakes = 0;
    const double before = ns(CLOCK_THREAD_CPUTIME_ID);
    const auto* next = shots.sent.data();
    for (const auto& data : shots.read_outs) {
      decoder->reset();
      for (std::uint64_t t = 0; t < shots.rounds; ++t) decoder->push_round(t, *next++);
      mistakes += decoder->finish(data).corrected();
    }
    per_round.push_back((ns(CLOCK_THREAD_CPUTIME_ID) - before) / static_cast<double>(shots.sent.size()));
  }
  template <class Shots>
  void time_windows(const Shots& shots, int repeats) {
    const std::uint64_t rounds = shots.rounds;
    for (std::size_t shot = 0; shot < shots.read_outs.size(); ++shot) {
      std::vector<double> least(rounds + 1, 1e30);
      for (int repeat = 0; repeat < repeats; ++repeat) {
        decoder->reset();
        const auto* next = &shots.sent[shot * rounds];
        for (std::uint64_t t = 0; t < rounds; ++t) {
          const bool timed = decoder->next_push_decodes() || t + 1 == rounds;
          const double start = timed ? ns(CLOCK_MONOTONIC) : 0;
          decoder->push_round(t, next[t]);
          if (t + 1 == rounds) (void)decoder->finish(shots.read_outs[shot]);
          if (timed) least[t] = std::min(least[t], ns(CLOCK_MONOTONIC) - start);
        }
      }
      reaction.push_back(least[rounds - 1]);
      for (std::uint64_t t = 0; t + 1 < rounds; ++t)
        if (least[t] < 1e29) window.push_back(least[t]);
    }
  }
  void print() {
    std::sort(per_round.begin(), per_round.end());
    std::printf(" us_per_round %.4f (least %.4f) mistakes %ld", per_round[per_round.size() / 2] / 1e3, per_round[0] / 1e3, mistakes);
    print_quantiles("reaction", reaction);
    if (!window.empty()) print_quantiles("window", window);
    std::printf(" sizeof_kib %zu tables_kib %zu", sizeof(Decoder) / 1024, decoder->window().table_bytes() / 1024);
  }
};

template <int d>
int run(double p, std::uint64_t rounds, int n_shots, int repeats, bool correlated_too, double gap_limit) {
  constexpr spinel::StreamExperiment stream{d, d, d};
  const spinel::CircuitNoise noise(spinel::uniform_depolarizing(p));
  Measured<stream, spinel::LatticeWindow<stream>> exact;
  Measured<stream, spinel::CorrelatedLatticeWindow<stream>> correlated;
  spinel::Status status = spinel::cli::set_up_window(exact.decoder->window(), noise);
  if (status == spinel::Status::ok && correlated_too) status = spinel::cli::set_up_window(correlated.decoder->window(), noise);
  if (status != spinel::Status::ok) {
    std::fprintf(stderr, "stream_bench: set-up: %s\n", spinel::to_string(status));
    return 1;
  }
  correlated.decoder->window().limit_gap(gap_limit);
  spinel::cli::StreamSource<stream> source(noise, 1);
  using Decoder = spinel::StreamDecoder<stream>;
  struct {
    std::uint64_t rounds = 0;
    std::vector<typename Decoder::Round> sent;
    std::vector<typename Decoder::Data> read_outs;
  } shots;
  shots.rounds = rounds;
  for (int shot = 0; shot < n_shots; ++shot) {
    source.begin(rounds);
    for (std::uint64_t t = 0; t < rounds; ++t) shots.sent.push_back(source.next());
    shots.read_outs.push_back(source.read_out());
  }
  for (int repeat = 0; repeat < repeats; ++repeat) {
    exact.decode_all(shots);
    if (correlated_too) correlated.decode_all(shots);
  }
  exact.time_windows(shots, repeats);
  std::printf("d %d p %g rounds %llu shots %d", d, p, static_cast<unsigned long long>(rounds), n_shots);
  exact.print();
  if (correlated_too) {
    correlated.time_windows(shots, repeats);
    std::printf(" correlated");
    correlated.print();
  }
  std::printf("\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: stream_bench DISTANCE P ROUNDS_PER_SHOT SHOTS [REPEATS [correlated [NATS]]]\n");
    return 2;
  }
  const double p = std::atof(argv[2]);
  const auto rounds = static_cast<std::uint64_t>(std::atoll(argv[3]));
  const int shots = std::atoi(argv[4]), repeats = argc > 5 ? std::atoi(argv[5]) : 5;
  const bool correlated = argc > 6 && std::strcmp(argv[6], "correlated") == 0;
  const double gap_limit = argc > 7 ? std::atof(argv[7]) : 0;
  if (!(p > 0 && p < 0.1) || rounds < 3 || shots < 1 || repeats < 1) {
    std::fprintf(stderr, "stream_bench: expected 0 < P < 0.1, at least 3 rounds, 1 shot, 1 repeat\n");
    return 2;
  }
  switch (std::atoi(argv[1])) {
    case 5: return run<5>(p, rounds, shots, repeats, correlated, gap_limit);
    case 7: return run<7>(p, rounds, shots, repeats, correlated, gap_limit);
    case 9: return run<9>(p, rounds, shots, repeats, correlated, gap_limit);
    case 13: return run<13>(p, rounds, shots, repeats, correlated, gap_limit);
    default: std::fprintf(stderr, "stream_bench: built for distances 5, 7, 9 and 13, got %s\n", argv[1]); return 2;
  }
}
