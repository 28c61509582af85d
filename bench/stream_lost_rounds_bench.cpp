// SPDX-License-Identifier: Apache-2.0
// What lost rounds cost in accuracy, on the same shots of 20 d rounds: with every round, with lost ones erased (left out of the history), and
// with each handed in as the one before it once more ("measured unchanged"), which is what a host without OnFault::erase might do.
// usage: stream_lost_rounds_bench P SHOTS_AT_5 SHOTS_AT_7
#include <examples/cli/stream_source.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>

namespace {

using namespace spinel;

template <int d>
void measure(double p, int shots) {
  constexpr StreamExperiment stream{d, d, d};
  using Decoder = StreamDecoder<stream>;
  const CircuitNoise noise(uniform_depolarizing(p));
  const auto whole = std::make_unique<Decoder>(), erasing = std::make_unique<Decoder>(), unchanged = std::make_unique<Decoder>();
  for (Decoder* decoder : {whole.get(), erasing.get(), unchanged.get()})
    if (cli::set_up_window(decoder->window(), noise) != Status::ok) std::abort();
  for (const int one_in : {1000, 100, 20}) {
    cli::StreamSource<stream> source(noise, 7);
    std::mt19937_64 random(3);
    long mistakes[3] = {}, lost = 0;
    for (int shot = 0; shot < shots; ++shot) {
      source.begin(20 * d);
      for (Decoder* decoder : {whole.get(), erasing.get(), unchanged.get()}) decoder->reset();
      typename Decoder::Round before;
      for (std::uint64_t t = 0; t < 20 * d; ++t) {
        const auto& round = source.next();
        const bool is_lost = t > 0 && random() % static_cast<unsigned>(one_in) == 0;
        lost += is_lost;
        if (!is_lost) before = round;
        whole->push_round(t, round);
        unchanged->push_round(t, before);
        if (!is_lost) erasing->push_round(t, round);
      }
      const auto read_out = source.read_out();
      int which = 0;
      for (Decoder* decoder : {whole.get(), erasing.get(), unchanged.get()}) mistakes[which++] += decoder->finish(read_out).corrected();
    }
    const auto ratio = [&](long n) { return static_cast<double>(n) / static_cast<double>(mistakes[0]); };
    std::printf("d = %d, p = %g, %d shots, 1 in %d lost (%ld): mistakes without loss %ld, erased %ld (%.3f), unchanged %ld (%.3f)\n", d, p, shots,
                one_in, lost, mistakes[0], mistakes[1], ratio(mistakes[1]), mistakes[2], ratio(mistakes[2]));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: stream_lost_rounds_bench P SHOTS_AT_5 SHOTS_AT_7\n");
    return 2;
  }
  measure<5>(std::atof(argv[1]), std::atoi(argv[2]));
  measure<7>(std::atof(argv[1]), std::atoi(argv[3]));
}
