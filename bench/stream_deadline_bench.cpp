// SPDX-License-Identifier: Apache-2.0
// What a deadline costs in logical errors: stream_deadline_bench DISTANCE P SHOTS. Every window and every reaction must be done within t of its
// last round; past it no search begins. t goes through multiples of the p50 of windows and reactions without a deadline. Every shot runs
// five times and the run that left the fewest events unsettled counts, which takes away most of what others on the machine do.
// Prints Markdown: mistakes by deadline, and by how many events a shot left unsettled (the confidence of a local answer).
#include <spinel/decode/stream.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <examples/cli/stream_source.hpp>
#include <memory>
#include <vector>

#include "stream_bench.hpp"

namespace {

std::int64_t now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return std::int64_t{t.tv_sec} * 1000000000 + t.tv_nsec;
}

template <int d>
int run(double p, int shots) {
  constexpr spinel::StreamExperiment stream{d, d, d};
  constexpr std::uint64_t rounds = 20 * d;
  constexpr int repeats = 5;
  using Decoder = spinel::StreamDecoder<stream>;
  const spinel::CircuitNoise noise(spinel::uniform_depolarizing(p));
  const auto decoder = std::make_unique<Decoder>();
  if (const auto status = spinel::cli::set_up_window(decoder->window(), noise); status != spinel::Status::ok) {
    std::fprintf(stderr, "stream_deadline_bench: set-up: %s\n", spinel::to_string(status));
    return 1;
  }
  spinel::cli::StreamSource<stream> source(noise, 1);
  std::vector<typename Decoder::Round> sent;
  std::vector<typename Decoder::Data> read_outs;
  for (int shot = 0; shot < shots; ++shot) {
    source.begin(rounds);
    for (std::uint64_t t = 0; t < rounds; ++t) sent.push_back(source.next());
    read_outs.push_back(source.read_out());
  }
  std::vector<std::int64_t> latencies;
  struct Outcome {
    std::uint64_t unsettled = 0, windows = 0, local = 0;
    bool wrong = false;
  };
  const auto decode = [&](int shot, std::int64_t limit, bool measure) {
    const auto* next = &sent[static_cast<std::size_t>(shot) * rounds];
    const auto clock = [] { return now_ns(); };
    decoder->reset();
    for (std::uint64_t t = 0; t < rounds; ++t) {
      if (!decoder->next_push_decodes() && t + 1 < rounds) {
        decoder->push_round(t, next[t]);
        continue;
      }
      const std::int64_t start = now_ns();
      const spinel::Deadline deadline{clock, start + limit};
      decoder->push_round(t, next[t], deadline);
      if (t + 1 == rounds) {
        const bool wrong = decoder->finish(read_outs[static_cast<std::size_t>(shot)], deadline).corrected();
        if (measure) latencies.push_back(now_ns() - start);
        const auto& counters = decoder->counters();
        return Outcome{counters.unsettled_events, counters.windows + 1, counters.answers_by[static_cast<int>(spinel::Engine::local)], wrong};
      }
      if (measure) latencies.push_back(now_ns() - start);
    }
    return Outcome{};
  };
  constexpr std::int64_t endless = std::int64_t{1} << 50;
  long without = 0;
  for (int shot = 0; shot < shots; ++shot) without += decode(shot, endless, true).wrong;
  std::sort(latencies.begin(), latencies.end());
  const auto p50 = latencies[latencies.size() / 2];
  std::printf("d = %d, p = %g, %d shots of %llu rounds, p50 %.2f us, %ld mistakes without a deadline\n\n", d, p, shots, static_cast<unsigned long long>(rounds),
              static_cast<double>(p50) / 1e3, without);
  std::printf("| t / p50 | t (us) | local windows | mistakes | ratio | mistakes of shots with 0 / 1-2 / 3-5 / more unsettled |\n|---|---|---|---|---|---|\n");
  for (const double factor : {0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0}) {
    const auto limit = static_cast<std::int64_t>(factor * static_cast<double>(p50));
    std::uint64_t windows = 0, local = 0;
    long wrong = 0, shots_by[4] = {}, wrong_by[4] = {};
    for (int shot = 0; shot < shots; ++shot) {
      Outcome best = decode(shot, limit, false);
      for (int k = 1; k < repeats && best.unsettled > 0; ++k)
        if (const Outcome again = decode(shot, limit, false); again.unsettled < best.unsettled) best = again;
      windows += best.windows;
      local += best.local;
      wrong += best.wrong;
      const int kind = best.unsettled == 0 ? 0 : best.unsettled <= 2 ? 1 : best.unsettled <= 5 ? 2 : 3;
      ++shots_by[kind];
      wrong_by[kind] += best.wrong;
    }
    std::printf("| %g | %.2f | %.4f | %ld | %.3f |", factor, static_cast<double>(limit) / 1e3, static_cast<double>(local) / static_cast<double>(windows), wrong,
                static_cast<double>(wrong) / static_cast<double>(without));
    for (int kind = 0; kind < 4; ++kind) std::printf("%s %ld of %ld", kind == 0 ? "" : " /", wrong_by[kind], shots_by[kind]);
    std::printf(" |\n");
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return stream_bench::with_arguments(argc, argv, []<int distance>(double p, int shots) { return run<distance>(p, shots); });
}
