// SPDX-License-Identifier: Apache-2.0
// What the second class costs: gap_bench MODEL.dem EVENTS.b8 [REPETITIONS] decodes every shot plain, plain with its gap
// (whole, and up to 4 nats, as a gate needs it), and correlated with neither, either and the other, in turn, and prints
// the medians over repetitions of us/shot.
// bench/peers/gap_table.py makes a table of it.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include <spinel/io/dem.hpp>
#include <spinel/io/file.hpp>
#include <spinel/io/graph.hpp>
#include <spinel/io/shots.hpp>
#include <spinel/match/gap.hpp>

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

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: gap_bench MODEL.dem EVENTS.b8 [REPETITIONS]\n");
    return 2;
  }
  const auto text = spinel::io::read_file(argv[1]);
  const auto bytes = spinel::io::read_file(argv[2]);
  if (!text || !bytes) {
    std::fprintf(stderr, "gap_bench: %s\n", (!text ? text.error() : bytes.error()).c_str());
    return 1;
  }
  const auto model = spinel::io::parse_dem(*text);
  if (!model) {
    std::fprintf(stderr, "gap_bench: %s\n", model.error().c_str());
    return 1;
  }
  const auto shots = spinel::io::parse_shots(*bytes, spinel::io::ShotFormat::b8, model->n_detectors);
  auto plain = spinel::io::make_matcher(*model);
  auto correlated = spinel::io::make_correlated_matcher(*model);
  if (!shots || !plain || !correlated || shots->n_shots == 0) {
    std::fprintf(stderr, "gap_bench: %s\n", !shots ? shots.error().c_str() : !plain ? plain.error().c_str() : "no shots");
    return 1;
  }
  Gap plain_gap = make_gap(plain->matcher), correlated_gap = make_gap(correlated->matcher.exact());
  const int repetitions = argc > 3 ? std::max(1, std::atoi(argv[3])) : 5;
  const std::size_t n = shots->n_shots;
  std::vector<double> us[6];
  std::int64_t sum = 0;
  const std::int64_t limit = plain->matcher.graph().units(4.0);
  const auto time = [&](int which, auto&& decode) {
    const std::clock_t start = std::clock();  // processor time: the machine may be shared
    for (std::size_t k = 0; k < n; ++k) sum += decode(shots->row(k));
    us[which].push_back(1e6 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC / static_cast<double>(n));
  };
  for (int r = 0; r < repetitions; ++r) {
    time(0, [&](const std::uint8_t* events) { return plain->matcher.decode(events).weight; });
    time(1, [&](const std::uint8_t* events) { return plain_gap.finder.decode(plain->matcher, events).gap; });
    time(2, [&](const std::uint8_t* events) { return plain_gap.finder.decode(plain->matcher, events, {}, limit).gap; });
    time(3, [&](const std::uint8_t* events) { return correlated->matcher.decode(events).weight; });
    for (const int which : {4, 5})
      time(which, [&](const std::uint8_t* events) {
        const auto best = correlated->matcher.decode(events);
        return correlated_gap.finder
            .complete(correlated->matcher.exact(), best, which == 4 ? spinel::ClassCosts::infinite : limit)
            .gap;
      });
  }
  for (auto& times : us) std::sort(times.begin(), times.end());
  const auto median = [&](int which) { return us[which][us[which].size() / 2]; };
  std::printf("plain %.4f gap %.4f gate %.4f correlated %.4f gap %.4f gate %.4f memory_kib %zu gap_memory_kib %zu sum %lld\n",
              median(0), median(1), median(2), median(3), median(4), median(5), plain->memory.size() / 1024,
              plain_gap.memory.size() / 1024, static_cast<long long>(sum));
  return 0;
}
