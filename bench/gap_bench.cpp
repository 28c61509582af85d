// SPDX-License-Identifier: Apache-2.0
// What the second class costs: gap_bench MODEL.dem EVENTS.b8 DISTANCE [REPETITIONS] decodes every shot of a memory experiment
// with as many rounds and Stim's detectors by the lattice engine, plain, with its gap (whole, and up to 4 nats, as a gate needs
// it) and with the observable's basis alone, and correlated with its gap; the same with the general engine. All in turn; it prints
// the medians over repetitions of us/shot, and how many gaps of the two engines differ. (Correlated ones may where the first pass
// has several lightest matchings, of which each engine takes its own.)
// bench/peers/gap_table.py makes a table of it.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include <spinel/io/dem.hpp>
#include <spinel/io/file.hpp>
#include <spinel/io/graph.hpp>
#include <spinel/io/shots.hpp>
#include <spinel/match/gap.hpp>
#include <spinel/match/lattice_correlated.hpp>
#include <spinel/match/lattice_gap.hpp>

#include "lattice_bench.hpp"

namespace {

struct Gap {
  std::vector<std::byte> memory;
  spinel::ClassGap finder;
};

Gap make_gap(spinel::ExactMatcher& matcher) {
  Gap made;
  made.memory.resize(spinel::ClassGap::memory_needed(matcher, {}));
  const auto finder = spinel::ClassGap::create(matcher, 0, made.memory, {});
  if (!finder) {
    std::fprintf(stderr, "gap_bench: %s\n", spinel::to_string(finder.status));
    std::exit(1);
  }
  made.finder = finder.value;
  return made;
}

constexpr int n_ways = 15;

template <int distance>
int measure(const spinel::io::DetectorErrorModel& model, const std::string& bytes, int repetitions) {
  constexpr spinel::MemoryExperiment experiment{.distance = distance, .rounds = distance, .basis = spinel::Basis::X};
  using Engine = spinel::LatticeMatcher<experiment>;
  using Correlated = spinel::CorrelatedLatticeMatcher<experiment>;
  const auto with_mechanisms = spinel::io::graph_edges(model);
  const auto& edges = with_mechanisms->edges;
  const auto engine = std::make_unique<Engine>();
  std::vector<std::byte> scratch(Engine::scratch_bytes(edges.size()));
  if (engine->set_up(edges, scratch, spinel::DetectorNumbering::stim) != spinel::Status::ok) {
    std::fprintf(stderr, "gap_bench: not a memory experiment of this distance\n");
    return 1;
  }
  const auto finder = std::make_unique<spinel::LatticeGap<Engine>>();
  std::vector<std::byte> memory(spinel::LatticeGap<Engine>::memory_bytes(distance));
  const double before = lattice_bench::processor_us();
  if (finder->set_up(*engine, memory) != spinel::Status::ok) return 1;
  const double set_up_ms = (lattice_bench::processor_us() - before) / 1e3;

  // Without the distances of pairs: by waves over checks alone.
  const auto without_pairs = std::make_unique<spinel::LatticeGap<Engine>>();
  std::vector<std::byte> less_memory(spinel::LatticeGap<Engine>::memory_bytes(distance, false));
  if (without_pairs->set_up(*engine, less_memory) != spinel::Status::ok) return 1;
  const auto twice = std::make_unique<Correlated>();
  std::vector<std::byte> twice_scratch(Correlated::scratch_bytes(with_mechanisms->mechanism_of));
  const auto twice_finder = std::make_unique<spinel::LatticeGap<Correlated>>();
  std::vector<std::byte> twice_memory(spinel::LatticeGap<Correlated>::memory_bytes(distance));
  if (twice->set_up(edges, with_mechanisms->mechanism_of, twice_scratch, spinel::DetectorNumbering::stim) != spinel::Status::ok ||
      twice_finder->set_up(*twice, twice_memory) != spinel::Status::ok)
    return 1;

  const auto shots = spinel::io::parse_shots(bytes, spinel::io::ShotFormat::b8, model.n_detectors);
  auto plain = spinel::io::make_matcher(model);
  auto correlated = spinel::io::make_correlated_matcher(model);
  if (!shots || !plain || !correlated || shots->n_shots == 0) {
    std::fprintf(stderr, "gap_bench: %s\n", !shots ? shots.error().c_str() : !plain ? plain.error().c_str() : "no shots");
    return 1;
  }
  Gap plain_gap = make_gap(plain->matcher), correlated_gap = make_gap(correlated->matcher.exact());
  const std::size_t n = shots->n_shots;
  int differ = 0, twice_differ = 0;
  for (std::size_t k = 0; k < n; ++k) {
    differ += finder->decode(*engine, shots->row(k)).gap != plain_gap.finder.decode(plain->matcher, shots->row(k)).gap;
    const auto best = correlated->matcher.decode(shots->row(k));
    twice_differ += twice_finder->decode(*twice, shots->row(k)).gap != correlated_gap.finder.complete(correlated->matcher.exact(), best).gap;
  }
  std::vector<double> us[n_ways];
  std::int64_t sum = 0;
  const std::int64_t limit = plain->matcher.graph().units(4.0);
  const auto time = [&](int which, auto&& decode) {
    const double start = lattice_bench::processor_us();
    for (std::size_t k = 0; k < n; ++k) sum += decode(shots->row(k));
    us[which].push_back((lattice_bench::processor_us() - start) / static_cast<double>(n));
  };
  for (int r = 0; r < repetitions; ++r) {
    time(0, [&](const std::uint8_t* events) { return engine->decode(events).weight; });
    time(1, [&](const std::uint8_t* events) { return finder->decode(*engine, events).gap; });
    time(2, [&](const std::uint8_t* events) { return finder->decode(*engine, events, limit).gap; });
    time(3, [&](const std::uint8_t* events) { return engine->decode_observable(events).weight; });
    time(4, [&](const std::uint8_t* events) { return finder->decode_observable(*engine, events).gap; });
    time(5, [&](const std::uint8_t* events) { return plain->matcher.decode(events).weight; });
    time(6, [&](const std::uint8_t* events) { return plain_gap.finder.decode(plain->matcher, events).gap; });
    time(7, [&](const std::uint8_t* events) { return plain_gap.finder.decode(plain->matcher, events, {}, limit).gap; });
    time(8, [&](const std::uint8_t* events) { return correlated->matcher.decode(events).weight; });
    for (const int which : {9, 10})
      time(which, [&](const std::uint8_t* events) {
        const auto best = correlated->matcher.decode(events);
        return correlated_gap.finder
            .complete(correlated->matcher.exact(), best, which == 9 ? spinel::ClassCosts::infinite : limit)
            .gap;
      });
    time(11, [&](const std::uint8_t* events) { return twice->decode(events).weight; });
    time(12, [&](const std::uint8_t* events) { return twice_finder->decode(*twice, events).gap; });
    time(13, [&](const std::uint8_t* events) { return twice_finder->decode(*twice, events, limit).gap; });
    time(14, [&](const std::uint8_t* events) { return without_pairs->decode(*engine, events).gap; });
  }
  std::printf("us");
  for (auto& times : us) {
    std::sort(times.begin(), times.end());
    std::printf(" %.4f", times[times.size() / 2]);
  }
  std::printf(" differ %d twice_differ %d set_up_ms %.1f gap_memory_kib %zu general_gap_memory_kib %zu sum %lld\n", differ, twice_differ, set_up_ms,
              (memory.size() + sizeof *finder) / 1024, plain_gap.memory.size() / 1024, static_cast<long long>(sum));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: gap_bench MODEL.dem EVENTS.b8 DISTANCE [REPETITIONS]\n");
    return 2;
  }
  const int distance = std::atoi(argv[3]), repetitions = argc > 4 ? std::max(1, std::atoi(argv[4])) : 5;
  return lattice_bench::with_files(argv, [&](const auto& model, const auto& bytes) {
    if (distance == 5) return measure<5>(model, bytes, repetitions);
    if (distance == 9) return measure<9>(model, bytes, repetitions);
    if (distance == 13) return measure<13>(model, bytes, repetitions);
    if (distance == 21) return measure<21>(model, bytes, repetitions);
    std::fprintf(stderr, "gap_bench: built for distances 5, 9, 13 and 21, got %s\n", argv[3]);
    return 1;
  });
}
