// SPDX-License-Identifier: Apache-2.0
// What the benchmarks of the lattice matchers share: MODEL.dem and EVENTS.b8 from the command line, then commands from standard
// input, so that the scripts of bench/peers can interleave them with PyMatching. `run` decodes all shots once (processor time,
// us a shot), `observable` the same with the observable's basis alone, `tail` measures single shots (least of five each: p50, p99,
// p99.9, max), `proof F` decodes with certificates, writes weight and flips of every shot as int64 and says how many were not proved or
// weigh something else when they are decoded without.
#pragma once

#include <spinel/io/dem.hpp>
#include <spinel/io/file.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

namespace lattice_bench {

using Clock = std::chrono::steady_clock;
inline double us_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}
/// Of this thread: the machine may be shared.
inline double processor_us() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e6 * static_cast<double>(now.tv_sec) + 1e-3 * static_cast<double>(now.tv_nsec);
}

template <class Matcher>
std::string proof(Matcher& matcher, const std::uint8_t* shots, std::size_t stride, std::size_t n, int& unproved) {
  std::string out;
  unproved = 0;
  for (std::size_t k = 0; k < n; ++k) {
    const auto certified = matcher.decode_certified(shots + k * stride);
    unproved += !certified.proves_optimality() || matcher.decode(shots + k * stride).weight != certified.result.weight;
    const std::int64_t both[2] = {certified.result.weight, static_cast<std::int64_t>(certified.result.observables)};
    out.append(reinterpret_cast<const char*>(both), sizeof both);
  }
  return out;
}

/// Answers commands until the input ends.
template <class Matcher>
int serve(Matcher& matcher, const std::string& bytes) {
  const std::size_t stride = (matcher.n_detectors() + 7) / 8, n = bytes.size() / stride;
  const auto* const shots = reinterpret_cast<const std::uint8_t*>(bytes.data());
  char line[4096];
  while (std::fgets(line, sizeof line, stdin) != nullptr) {
    unsigned long long flips = 0;
    if (std::strncmp(line, "run", 3) == 0) {
      const double before = processor_us();
      for (std::size_t k = 0; k < n; ++k) flips += matcher.decode(shots + k * stride).observables;
      std::printf("%.6f %llu\n", (processor_us() - before) / static_cast<double>(n), flips);
    } else if (std::strncmp(line, "observable", 10) == 0) {
      if constexpr (requires { matcher.decode_observable(shots); }) {
        const double before = processor_us();
        for (std::size_t k = 0; k < n; ++k) flips += matcher.decode_observable(shots + k * stride).observables;
        std::printf("%.6f %llu\n", (processor_us() - before) / static_cast<double>(n), flips);
      } else {
        std::printf("none\n");
      }
    } else if (std::strncmp(line, "tail", 4) == 0) {
      std::vector<double> least(n, 1e30);
      for (int repetition = 0; repetition < 5; ++repetition)
        for (std::size_t k = 0; k < n; ++k) {
          const auto start = Clock::now();
          flips += matcher.decode(shots + k * stride).observables;
          least[k] = std::min(least[k], us_since(start));
        }
      std::sort(least.begin(), least.end());
      const auto at = [&](double q) { return least[std::min(n - 1, static_cast<std::size_t>(q * static_cast<double>(n)))]; };
      std::printf("%.3f %.3f %.3f %.3f %llu\n", at(0.5), at(0.99), at(0.999), least.back(), flips);
    } else if (std::strncmp(line, "proof ", 6) == 0) {
      line[std::strcspn(line, "\n")] = 0;
      int unproved = 0;
      const std::string out = proof(matcher, shots, stride, n, unproved);
      std::FILE* file = std::fopen(line + 6, "wb");
      const bool written = file != nullptr && std::fwrite(out.data(), 1, out.size(), file) == out.size();
      if (file != nullptr) std::fclose(file);
      std::printf("%s unproved %d\n", written ? "written" : "failed", unproved);
    }
    std::fflush(stdout);
  }
  return 0;
}

/// Reads `arguments[1]` (a model) and `arguments[2]` (packed shots) and calls `go(model, shots)`.
template <class Go>
int with_files(char** arguments, Go&& go) {
  const auto text = spinel::io::read_file(arguments[1]);
  const auto shots = spinel::io::read_file(arguments[2]);
  if (!text || !shots) return std::fprintf(stderr, "%s: %s\n", arguments[0], (!text ? text.error() : shots.error()).c_str()), 1;
  const auto model = spinel::io::parse_dem(*text);
  if (!model) return std::fprintf(stderr, "%s: %s\n", arguments[0], model.error().c_str()), 1;
  return go(*model, *shots);
}

}  // namespace lattice_bench
