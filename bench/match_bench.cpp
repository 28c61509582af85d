// SPDX-License-Identifier: Apache-2.0
// Time of the exact matcher on given shots: match_bench MODEL.dem EVENTS.b8 [REPETITIONS] prints set-up time and memory,
// the median over repetitions of us/shot, and single-shot percentiles (per shot the least of the repetitions).
// bench/peers/pymatching_bench.py runs it beside PyMatching on the same shots.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include <spinel/io/dem.hpp>
#include <spinel/io/file.hpp>
#include <spinel/io/graph.hpp>
#include <spinel/io/shots.hpp>

int main(int argc, char** argv) {
  using Clock = std::chrono::steady_clock;
  const auto us_since = [](Clock::time_point start) {
    return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
  };
  if (argc < 3) {
    std::fprintf(stderr, "usage: match_bench MODEL.dem EVENTS.b8 [REPETITIONS]\n");
    return 2;
  }
  const auto text = spinel::io::read_file(argv[1]);
  const auto bytes = spinel::io::read_file(argv[2]);
  if (!text || !bytes) {
    std::fprintf(stderr, "match_bench: %s\n", (!text ? text.error() : bytes.error()).c_str());
    return 1;
  }
  const auto model = spinel::io::parse_dem(*text);
  if (!model) {
    std::fprintf(stderr, "match_bench: %s\n", model.error().c_str());
    return 1;
  }
  const auto shots = spinel::io::parse_shots(*bytes, spinel::io::ShotFormat::b8, model->n_detectors);
  const auto set_up = Clock::now();
  auto made = spinel::io::make_matcher(*model);
  const double set_up_us = us_since(set_up);
  if (!shots || !made || shots->n_shots == 0) {
    std::fprintf(stderr, "match_bench: %s\n", !shots ? shots.error().c_str() : !made ? made.error().c_str() : "no shots");
    return 1;
  }
  const int repetitions = argc > 3 ? std::max(1, std::atoi(argv[3])) : 5;
  const std::size_t n = shots->n_shots;
  std::vector<double> means, least(n, 1e30);
  std::int64_t total_weight = 0;
  for (int r = 0; r < repetitions; ++r) {
    const std::clock_t start = std::clock();  // processor time: the machine may be shared
    for (std::size_t k = 0; k < n; ++k) total_weight += made->matcher.decode(shots->row(k)).weight;
    means.push_back(1e6 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC / static_cast<double>(n));
    for (std::size_t k = 0; k < n; ++k) {
      const auto one = Clock::now();
      total_weight += made->matcher.decode(shots->row(k)).weight;
      least[k] = std::min(least[k], us_since(one));
    }
  }
  std::sort(means.begin(), means.end());
  std::sort(least.begin(), least.end());
  const auto quantile = [&](double q) { return least[std::min(n - 1, static_cast<std::size_t>(q * static_cast<double>(n)))]; };
  std::printf("us_per_shot %.4f min %.4f p50 %.4f p99 %.4f p99.9 %.4f max %.4f setup_ms %.2f memory_kib %zu weight %.6g\n",
              means[means.size() / 2], means[0], quantile(0.5), quantile(0.99), quantile(0.999), least.back(),
              set_up_us / 1e3, made->memory.size() / 1024,
              static_cast<double>(total_weight) / (2.0 * repetitions * static_cast<double>(n)) * made->matcher.nats_per_unit());
  return 0;
}
