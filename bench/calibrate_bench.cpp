// SPDX-License-Identifier: Apache-2.0
// Processor time of one calibration decision, trace to proposed action, on one core at 101 points a sweep: median and tail over many seeds, and the
// number of heap allocations on the way, counted. Not timed: reading files, the audit record.
// usage: calibrate_bench [repeats]
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string_view>
#include <spinel/calib/engine.hpp>
#include <vector>

#include "examples/cli/heap_count.hpp"

namespace {

using namespace spinel::calib;

struct Case {
  const char* name;
  Family family;
  const char* axis;
  double start, stop;
  double (*model)(double x);
};

/// Processor time of this thread: neighbors on a shared machine do not count.
double cpu_us() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return 1e6 * static_cast<double>(t.tv_sec) + 1e-3 * static_cast<double>(t.tv_nsec);
}

double line(double x, double center, double width) { return 1 / (1 + (x - center) * (x - center) / (width * width)); }

constexpr Case cases[] = {
    {"t1", Family::t1, "delay_us", 0, 100, [](double x) { return std::exp(-x / 22); }},
    {"t2_echo", Family::t2_echo, "delay_us", 0, 100, [](double x) { return 0.5 + 0.5 * std::exp(-x / 25); }},
    {"rabi", Family::rabi, "amplitude", 0, 1, [](double x) { return 0.5 - 0.45 * std::cos(two_pi * 2.3 * x); }},
    {"ramsey_freq_cal", Family::ramsey_freq_cal, "delay_us", 0, 20, [](double x) { return 0.5 + 0.45 * std::exp(-x / 12) * std::cos(two_pi * 0.43 * x); }},
    {"ramsey_t2star", Family::ramsey_t2star, "delay_us", 0, 40, [](double x) { return 0.5 + 0.45 * std::exp(-x / 12) * std::cos(two_pi * 0.43 * x); }},
    {"ramsey, two tones", Family::ramsey_freq_cal, "delay_us", 0, 40, [](double x) { return 0.5 + std::exp(-x / 30) * (0.25 * std::cos(two_pi * 0.286 * x) + 0.2 * std::cos(two_pi * 0.235 * x)); }},
    {"qubit_spectroscopy", Family::qubit_spectroscopy, "frequency_GHz", 5.0, 5.1, [](double x) { return 0.2 + line(x, 5.04, 0.003); }},
    {"res_spec", Family::res_spec, "frequency_GHz", 7.0, 7.02, [](double x) { return 1 - 0.7 * line(x, 7.008, 0.0008); }},
    {"randomized_benchmarking", Family::randomized_benchmarking, "n_cliffords", 1, 500, [](double x) { return 0.5 + 0.5 * std::pow(0.99, x); }},
    {"drag", Family::drag, "beta", -2, 2, [](double x) { return 0.5 - 0.4 * std::cos(two_pi * 0.2 * (x - 0.3)); }},
    {"pingpong", Family::pingpong, "n_pulses", 0, 100, [](double x) { return 0.5 + 0.5 * std::sin(0.003 * x); }},
    {"t1, noise only", Family::t1, "delay_us", 0, 100, [](double) { return 0.5; }},
    {"ramsey, noise only", Family::ramsey_freq_cal, "delay_us", 0, 20, [](double) { return 0.5; }}};

}  // namespace

int main(int argc, char** argv) {
  const int repeats = argc > 1 ? std::max(1, std::atoi(argv[1])) : 201;
  constexpr std::size_t points = 101;
  std::vector<double> x(points), y(points), scratch(workspace_doubles(points, 2)), times;
  times.reserve(static_cast<std::size_t>(repeats));
  const RuleEngine engine{scratch};
  std::printf("| decision (101 points) | verdict | median us | p90 us | p99 us | heap allocations |\n|---|---|---|---|---|---|\n");
  for (const auto& c : cases) {
    times.clear();
    long counted = 0;
    std::string_view verdict;
    for (int k = 0; k < repeats; ++k) {
      std::mt19937_64 generator{static_cast<unsigned>(k)};
      std::normal_distribution<double> noise{0.0, 0.02};
      for (std::size_t i = 0; i < points; ++i) {
        x[i] = c.start + (c.stop - c.start) * static_cast<double>(i) / (points - 1);
        y[i] = c.model(x[i]) + noise(generator);
      }
      const Column columns[] = {{c.axis, x}, {"population", y}};
      Request request;
      request.family = c.family;
      request.columns = columns;
      const long before = spinel::heap_allocations();
      const double start = cpu_us();
      const auto decision = engine.decide(request);
      const double took = cpu_us() - start;
      counted += spinel::heap_allocations() - before;
      times.push_back(took);
      verdict = to_string(decision.code);
    }
    std::sort(times.begin(), times.end());
    const auto at = [&](double q) { return times[std::min(times.size() - 1, static_cast<std::size_t>(q * static_cast<double>(times.size())))]; };
    std::printf("| %s | %.*s | %.0f | %.0f | %.0f | %ld |\n", c.name, static_cast<int>(verdict.size()), verdict.data(), at(0.5), at(0.9), at(0.99), counted);
  }
}
