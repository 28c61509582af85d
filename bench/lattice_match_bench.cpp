// SPDX-License-Identifier: Apache-2.0
// Times LatticeMatcher on the shots of a file: lattice_match_bench MODEL.dem EVENTS.b8 DISTANCE ROUNDS x|z. After set-up it
// waits for lines on its input, so that bench/peers/lattice_pymatching.py can interleave it with PyMatching:
// `run` decodes all shots once, `tail` measures single shots (least of five each), `weights F` writes int64 weights and flips.
#include <spinel/io/dem.hpp>
#include <spinel/io/file.hpp>
#include <spinel/io/graph.hpp>
#include <spinel/match/lattice_matcher.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
double us_since(Clock::time_point start) { return std::chrono::duration<double, std::micro>(Clock::now() - start).count(); }

template <spinel::MemoryExperiment experiment>
int serve(const spinel::io::DetectorErrorModel& model, const std::string& bytes) {
  using Matcher = spinel::LatticeMatcher<experiment>;
  const auto matcher = std::make_unique<Matcher>();
  const auto edges = spinel::io::graph_edges(model)->edges;
  std::vector<std::byte> scratch(Matcher::scratch_bytes(edges.size()));
  const char* numbering = "own";
  auto start = Clock::now();
  auto status = matcher->set_up(edges, scratch, spinel::DetectorNumbering::own);
  if (status == spinel::Status::unsupported) {
    start = Clock::now();
    numbering = "stim";
    status = matcher->set_up(edges, scratch, spinel::DetectorNumbering::stim);
  }
  if (status != spinel::Status::ok) {
    std::fprintf(stderr, "lattice_match_bench: set-up: %s\n", spinel::to_string(status));
    return 1;
  }
  const auto& t = matcher->tables();
  std::printf("ready numbering %s setup_ms %.1f tables_kib %zu sizeof_kib %zu near %zu windows %zu far %zu slots %zu nats_per_unit %.17g\n",
              numbering, us_since(start) / 1e3, matcher->table_bytes() / 1024, sizeof(Matcher) / 1024, t.n_near, t.n_windows,
              t.n_far, t.n_far_slots, matcher->nats_per_unit());
  std::fflush(stdout);
  const std::size_t stride = (matcher->n_detectors() + 7) / 8, n = bytes.size() / stride;
  const auto row = [&](std::size_t k) { return reinterpret_cast<const std::uint8_t*>(bytes.data()) + k * stride; };
  char line[4096];
  while (std::fgets(line, sizeof line, stdin) != nullptr) {
    std::uint64_t flips = 0;
    if (std::strncmp(line, "run", 3) == 0) {
      timespec before, after;
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);  // processor time: the machine may be shared
      for (std::size_t k = 0; k < n; ++k) flips += matcher->decode(row(k)).observables;
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
      const double us = 1e6 * static_cast<double>(after.tv_sec - before.tv_sec) + 1e-3 * static_cast<double>(after.tv_nsec - before.tv_nsec);
      std::printf("%.6f %llu\n", us / static_cast<double>(n), static_cast<unsigned long long>(flips));
    } else if (std::strncmp(line, "tail", 4) == 0) {
      std::vector<double> least(n, 1e30);
      for (int r = 0; r < 5; ++r)
        for (std::size_t k = 0; k < n; ++k) {
          const auto one = Clock::now();
          flips += matcher->decode(row(k)).observables;
          least[k] = std::min(least[k], us_since(one));
        }
      std::sort(least.begin(), least.end());
      const auto at = [&](double q) { return least[std::min(n - 1, static_cast<std::size_t>(q * static_cast<double>(n)))]; };
      std::printf("%.3f %.3f %.3f %.3f %llu\n", at(0.5), at(0.99), at(0.999), least.back(), static_cast<unsigned long long>(flips));
    } else if (std::strncmp(line, "weights ", 8) == 0) {
      line[std::strcspn(line, "\n")] = 0;
      std::string out;
      int unproved = 0;
      for (std::size_t k = 0; k < n; ++k) {
        const auto certified = matcher->decode_certified(row(k));
        unproved += !certified.proves_optimality();
        const std::int64_t both[2] = {certified.result.weight, static_cast<std::int64_t>(certified.result.observables)};
        out.append(reinterpret_cast<const char*>(both), sizeof both);
      }
      std::FILE* file = std::fopen(line + 8, "wb");
      const bool written = file != nullptr && std::fwrite(out.data(), 1, out.size(), file) == out.size();
      if (file != nullptr) std::fclose(file);
      std::printf("%s unproved %d\n", written ? "written" : "failed", unproved);
    }
    std::fflush(stdout);
  }
  return 0;
}

template <int distance, int rounds>
int serve_basis(const char* basis, const spinel::io::DetectorErrorModel& model, const std::string& bytes) {
  if (*basis == 'x') return serve<{.distance = distance, .rounds = rounds, .basis = spinel::Basis::X}>(model, bytes);
  return serve<{.distance = distance, .rounds = rounds, .basis = spinel::Basis::Z}>(model, bytes);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: lattice_match_bench MODEL.dem EVENTS.b8 DISTANCE ROUNDS x|z\n");
    return 2;
  }
  const auto text = spinel::io::read_file(argv[1]);
  const auto bytes = spinel::io::read_file(argv[2]);
  if (!text || !bytes) {
    std::fprintf(stderr, "lattice_match_bench: %s\n", (!text ? text.error() : bytes.error()).c_str());
    return 1;
  }
  const auto model = spinel::io::parse_dem(*text);
  if (!model) {
    std::fprintf(stderr, "lattice_match_bench: %s\n", model.error().c_str());
    return 1;
  }
  const std::string size = std::string(argv[3]) + " " + argv[4];
  if (size == "5 5") return serve_basis<5, 5>(argv[5], *model, *bytes);
  if (size == "9 9") return serve_basis<9, 9>(argv[5], *model, *bytes);
  if (size == "13 13") return serve_basis<13, 13>(argv[5], *model, *bytes);
  if (size == "21 21") return serve_basis<21, 21>(argv[5], *model, *bytes);
  if (size == "13 104") return serve_basis<13, 104>(argv[5], *model, *bytes);
  std::fprintf(stderr, "lattice_match_bench: built for 5x5, 9x9, 13x13, 21x21 and 13x104, got %s\n", size.c_str());
  return 1;
}
