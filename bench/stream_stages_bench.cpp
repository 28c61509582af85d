// SPDX-License-Identifier: Apache-2.0
// What each stage of the chain correlated -> exact -> union-find -> local costs: stream_stages_bench DISTANCE P SHOTS. The same shots of
// 20 x DISTANCE rounds in windows, every window answered by one stage: two passes; exact matching; exact matching stopped after 0, 2 or
// 4 searches with what is single settled by union-find, or sent to the boundary; union-find from the beginning. Prints Markdown:
// mistakes and processor time a round.
#include <spinel/decode/chain_window.hpp>
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

double thread_us() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return 1e6 * static_cast<double>(t.tv_sec) + 1e-3 * static_cast<double>(t.tv_nsec);
}

/// Passed from the n-th look on.
struct AfterLooks {
  int* left;
  bool passed() const noexcept { return (*left)-- <= 0; }
};
/// Stops its matcher after `looks` searches; without union-find what is single goes to the boundary.
template <spinel::StreamExperiment stream>
struct StoppedWindow {
  using Exact = spinel::LatticeWindow<stream>;
  using Layout = typename Exact::Layout;
  static constexpr spinel::MemoryExperiment model_experiment = Exact::model_experiment;
  static constexpr Layout layout = Exact::layout;
  static constexpr int first_layer = Exact::first_layer, last_layer = Exact::last_layer;
  Exact exact;
  spinel::GraphWindow<stream, spinel::UnionFind> union_find;
  std::vector<std::byte> memory;
  int looks = 0;
  bool has_union_find = false;
  template <class Toggle, class Until = spinel::NoDeadline>
  spinel::WindowAnswer decode(spinel::WindowKind kind, spinel::Span<const std::int32_t> events, Toggle&& toggle, const Until& = {}) noexcept {
    int left = looks;
    return exact.decode(kind, events, toggle, AfterLooks{&left},
                        [&](spinel::WindowAnswer& answer) {
                          if (has_union_find) answer = union_find.decode(kind, events, toggle);
                          return has_union_find;
                        });
  }
};

template <class Decoder>
struct Stage {
  const char* name;
  std::unique_ptr<Decoder> decoder = std::make_unique<Decoder>();
  std::vector<double> us;
  long mistakes = 0;
  std::uint64_t unsettled = 0;
  explicit Stage(const char* stage) : name(stage) {}

  template <class Shots>
  void run(const Shots& shots) {
    mistakes = 0;
    unsettled = 0;
    const double before = thread_us();
    const auto* next = shots.sent.data();
    for (const auto& data : shots.read_outs) {
      decoder->reset();
      for (std::uint64_t t = 0; t < shots.rounds; ++t) decoder->push_round(t, *next++);
      mistakes += decoder->finish(data).corrected();
      unsettled += decoder->counters().unsettled_events;
    }
    us.push_back((thread_us() - before) / static_cast<double>(shots.sent.size()));
  }
  void print(std::size_t n_shots, long exact) {
    std::sort(us.begin(), us.end());
    std::printf("| %s | %ld | %.3f | %.3f | %.2f |\n", name, mistakes, static_cast<double>(mistakes) / static_cast<double>(exact), us[us.size() / 2],
                static_cast<double>(unsettled) / static_cast<double>(n_shots));
  }
};

template <int d>
int run(double p, int n_shots) {
  constexpr spinel::StreamExperiment stream{d, d, d};
  const spinel::CircuitNoise noise(spinel::uniform_depolarizing(p));
  const auto require = [](spinel::Status status) {
    if (status == spinel::Status::ok) return;
    std::fprintf(stderr, "stream_stages_bench: set-up: %s\n", spinel::to_string(status));
    std::exit(1);
  };
  using Exact = spinel::StreamDecoder<stream>;
  using Correlated = spinel::StreamDecoder<stream, spinel::CorrelatedLatticeWindow<stream>>;
  using Stopped = spinel::StreamDecoder<stream, StoppedWindow<stream>>;
  using Whole = spinel::StreamDecoder<stream, spinel::GraphWindow<stream, spinel::UnionFind>>;
  struct {
    std::uint64_t rounds = 20 * d;
    std::vector<typename Exact::Round> sent;
    std::vector<typename Exact::Data> read_outs;
  } shots;
  spinel::cli::StreamSource<stream> source(noise, 1);
  for (int shot = 0; shot < n_shots; ++shot) {
    source.begin(shots.rounds);
    for (std::uint64_t t = 0; t < shots.rounds; ++t) shots.sent.push_back(source.next());
    shots.read_outs.push_back(source.read_out());
  }
  const auto [edges, mechanisms] = *spinel::io::graph_edges(*spinel::io::experiment_model(Exact::WindowType::model_experiment, noise));
  Stage<Correlated> correlated("correlated");
  require(spinel::cli::set_up_window(correlated.decoder->window(), noise));
  Stage<Exact> exact("exact");
  require(spinel::cli::set_up_window(exact.decoder->window(), noise));
  Stage<Whole> whole("union-find alone");
  std::vector<std::byte> memory(Whole::WindowType::memory_bytes(edges, mechanisms));
  require(whole.decoder->window().set_up(edges, mechanisms, memory));
  std::vector<Stage<Stopped>> stopped;
  for (const bool has_union_find : {true, false})
    for (const int looks : {4, 2, 0}) {
      constexpr const char* names[2][3] = {{"0 searches, rest local", "2 searches, rest local", "4 searches, rest local"},
                                           {"0 searches, rest union-find", "2 searches, rest union-find", "4 searches, rest union-find"}};
      stopped.emplace_back(names[has_union_find][looks / 2]);
      auto& window = stopped.back().decoder->window();
      require(spinel::cli::set_up_window(window.exact, noise));
      window.memory.resize(memory.size());
      require(window.union_find.set_up(edges, mechanisms, window.memory));
      window.looks = looks;
      window.has_union_find = has_union_find;
    }
  for (int repeat = 0; repeat < 3; ++repeat) {
    correlated.run(shots);
    exact.run(shots);
    whole.run(shots);
    for (auto& stage : stopped) stage.run(shots);
  }
  std::printf("d = %d, p = %g, %d shots of %d rounds\n\n| stage | mistakes | against exact | us a round | events left single a shot |\n|---|---|---|---|---|\n", d, p,
              n_shots, 20 * d);
  const auto n = static_cast<std::size_t>(n_shots);
  correlated.print(n, exact.mistakes);
  exact.print(n, exact.mistakes);
  for (auto& stage : stopped) stage.print(n, exact.mistakes);
  whole.print(n, exact.mistakes);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return stream_bench::with_arguments(argc, argv, []<int distance>(double p, int shots) { return run<distance>(p, shots); });
}
