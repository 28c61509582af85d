// SPDX-License-Identifier: Apache-2.0
// `spinel demo`: the main job at a glance. Samples memory experiments, decodes them exactly, and ends in a table and a plot.
// With --weights, the same shots are decoded once more with the pre-decoder network before the matching.
#include "demo_plot.hpp"
#include "network_flags.hpp"
#include "wilson_interval.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <spinel/io/experiment.hpp>
#include <spinel/io/file.hpp>
#include <spinel/io/graph.hpp>
#include <spinel/io/mechanisms.hpp>
#include <spinel/noise/sampler.hpp>

namespace spinel::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct DemoFlags {
  NetworkFlags network;
  double seconds = 60;
  std::uint64_t seed = 1;
  unsigned threads = 0;
  std::string svg = "spinel_demo.svg";
};

/// One experiment of the table and what came out of it.
struct Point {
  int distance = 0;
  double p = 0;
  std::uint64_t shots = 0, mistakes = 0, network_mistakes = 0;
  std::vector<float> latencies_us;  // one a shot, from a clock around each
  std::string failure;
};

/// Samples and decodes one point until its time is up or its mistakes give the rate to about 3 %.
void run_point(Point& point, double seconds, std::uint64_t seed, const NetworkFlags& network, const AlignedBlob* weights) {
  constexpr std::uint64_t enough_mistakes = 1000;
  const auto start = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  const MemoryExperiment experiment{.distance = point.distance, .rounds = point.distance, .basis = Basis::X};
  const auto model = io::experiment_model(experiment, uniform_depolarizing(point.p));
  if (!model) {
    point.failure = to_string(model.status);
    return;
  }
  auto decoder = io::make_matcher(*model);
  if (!decoder) {
    point.failure = decoder.error();
    return;
  }
  const io::ErrorMechanisms mechanisms = io::joined_mechanisms(*model);
  const auto bytes = Sampler::memory_bytes(mechanisms.view());
  std::vector<std::byte> memory(bytes ? *bytes : 0);
  auto sampler = Sampler::make(mechanisms.view(), memory);
  if (!sampler) {
    point.failure = to_string(sampler.status);
    return;
  }
  const std::size_t row = sampler->detector_bytes();
  std::vector<std::uint8_t> events(row * Sampler::shots_per_batch), flips(Sampler::shots_per_batch);
  std::unique_ptr<PredecodeEngine> engine;
  std::vector<std::uint64_t> words((row + 7) / 8), residual(words.size());
  const auto match_after_network = [&](const std::uint8_t* packed) {
    std::memcpy(words.data(), packed, row);
    const bool frame = engine->run(words, residual, {});
    MatchResult result = decoder->matcher.decode(reinterpret_cast<const std::uint8_t*>(residual.data()));
    result.observables ^= frame ? 1u : 0u;
    return result;
  };
  if (weights != nullptr) {
    // Calibration, where the precision needs it, on shots of another seed than those that are counted.
    sampler->sample(~seed, 0, Sampler::shots_per_batch, events.data(), row, flips.data(), 1);
    PackedShots calibration;
    for (std::size_t shot = 0; shot < std::min(Sampler::shots_per_batch, network.calibration_shots); ++shot)
      std::memcpy(calibration.emplace_back(words.size()).data(), events.data() + shot * row, row);
    engine = network.engine(*weights, experiment, calibration);
  }
  constexpr std::uint64_t fewest_shots = 16;  // however long setting up took
  for (std::uint64_t batch = 0; point.shots < fewest_shots || (point.mistakes < enough_mistakes && elapsed() < seconds); ++batch) {
    sampler->sample(seed, batch, Sampler::shots_per_batch, events.data(), row, flips.data(), 1);
    std::size_t shot = 0;
    // A network takes milliseconds a shot: the time may be up within a batch.
    for (; shot < Sampler::shots_per_batch && (!engine || shot + point.shots < fewest_shots || elapsed() < seconds); ++shot) {
      const auto before = Clock::now();
      const MatchResult result = decoder->matcher.decode(events.data() + shot * row);
      point.latencies_us.push_back(std::chrono::duration<float, std::micro>(Clock::now() - before).count());
      point.mistakes += result.outcome != MatchOutcome::matched || result.observables != flips[shot];
      if (!engine) continue;
      const MatchResult with_network = match_after_network(events.data() + shot * row);
      point.network_mistakes += with_network.outcome != MatchOutcome::matched || with_network.observables != flips[shot];
    }
    point.shots += shot;
  }
  std::sort(point.latencies_us.begin(), point.latencies_us.end());
}

void demo(const DemoFlags& flags) {
  constexpr int distances[] = {3, 5, 7, 9, 11};
  constexpr double rates[] = {0.002, 0.004, 0.006};
  std::vector<Point> points;
  for (const double p : rates)
    for (const int d : distances) {
      points.emplace_back();
      points.back().distance = d;
      points.back().p = p;
    }
  // A plot that cannot be written is better known before the work than after it.
  if (const auto writable = io::write_file(flags.svg, ""); !writable) throw CommandError("--svg: " + writable.error());
  const unsigned n_threads = std::max(1u, flags.threads != 0 ? flags.threads : std::thread::hardware_concurrency());
  const double seconds_a_point = flags.seconds * n_threads / static_cast<double>(points.size());
  const std::optional<AlignedBlob> weights = flags.network.given() ? std::optional<AlignedBlob>(flags.network.load()) : std::nullopt;

  std::atomic<std::size_t> next{0}, done{0};
  std::vector<std::thread> workers;
  for (unsigned w = 0; w < n_threads; ++w)
    workers.emplace_back([&] {
      // The expensive points come first, so that no thread is left alone with one at the end.
      for (std::size_t k; (k = next++) < points.size(); ++done) {
        Point& point = points[points.size() - 1 - k];
        try {
          run_point(point, seconds_a_point, flags.seed, flags.network, weights ? &*weights : nullptr);
        } catch (const std::exception& error) {
          point.failure = error.what();
        }
      }
    });
  const bool terminal = isatty(STDERR_FILENO) == 1;
  const auto start = Clock::now();
  while (done < points.size()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    if (!terminal) continue;
    constexpr std::size_t width = 40;
    const double share = std::min(1.0, std::chrono::duration<double>(Clock::now() - start).count() / flags.seconds);
    const auto filled = std::max(width * done / points.size(), static_cast<std::size_t>(share * (width - 1)));
    std::fprintf(stderr, "\r[%s%s] %zu / %zu experiments", std::string(filled, '#').c_str(),
                 std::string(width - filled, '.').c_str(), done.load(), points.size());
  }
  if (terminal) std::fprintf(stderr, "\r\033[K");
  for (auto& worker : workers) worker.join();
  for (const auto& point : points)
    if (!point.failure.empty())
      throw CommandError("d = " + std::to_string(point.distance) + ", p = " + std::to_string(point.p) + ": " + point.failure);

  std::printf("Memory experiments in the X basis, rounds = d, 25-parameter uniform depolarizing noise, exact matching\n");
  std::printf("of both bases. LER is per shot with its 95 %% interval (Wilson); times are per round, one clock a shot.\n");
  if (weights)
    std::printf("Last columns: the same shots with the pre-decoder network (%s) before the matching.\n", flags.network.precision.c_str());
  const char* more[2][2] = {{"", ""}, {"   network:       LER   fewer", "  mistakes   per shot   times"}};
  std::printf("\n%6s %4s %10s %9s %10s %-23s %10s %10s%s\n", "p", "d", "shots", "mistakes", "LER", "  95 % interval",
              "us/round", "us/round", more[weights.has_value()][0]);
  std::printf("%6s %4s %10s %9s %10s %-23s %10s %10s%s\n", "", "", "", "", "", "", "median", "p99.9", more[weights.has_value()][1]);
  std::vector<PlotSeries> series;
  for (const int d : distances) series.push_back({"d = " + std::to_string(d), {}});
  for (std::size_t k = 0; k < points.size(); ++k) {
    const Point& point = points[k];
    const auto n = static_cast<double>(point.shots);
    const Interval interval = wilson_interval(static_cast<double>(point.mistakes), n);
    const double ler = static_cast<double>(point.mistakes) / n;
    const auto quantile = [&](double q) {
      const auto at = std::min(point.latencies_us.size() - 1, static_cast<std::size_t>(q * n));
      return static_cast<double>(point.latencies_us[at]) / point.distance;
    };
    char range[40];
    std::snprintf(range, sizeof range, "%.2e .. %.2e", interval.low, interval.high);
    std::printf("%6g %4d %10llu %9llu %10.3e   %-21s %10.3f %10.3f", point.p, point.distance,
                static_cast<unsigned long long>(point.shots), static_cast<unsigned long long>(point.mistakes), ler, range,
                quantile(0.5), quantile(0.999));
    if (weights) {
      std::printf(" %10llu %10.3e ", static_cast<unsigned long long>(point.network_mistakes), static_cast<double>(point.network_mistakes) / n);
      if (point.network_mistakes != 0)
        std::printf("%7.2f", static_cast<double>(point.mistakes) / static_cast<double>(point.network_mistakes));
      else
        std::printf("%7s", "-");
    }
    std::printf("\n");
    series[k % std::size(distances)].points.push_back({point.p, ler, interval.low, interval.high});
  }
  if (const auto written = io::write_file(flags.svg, plot_svg("Exact matching: logical error rate by distance", series));
      !written)
    throw CommandError(written.error());
  std::printf("\nplot: %s\n", flags.svg.c_str());
}

}  // namespace

void add_demo_command(CLI::App& app) {
  static DemoFlags flags;
  auto* command = app.add_subcommand("demo", "sample and decode memory experiments: a table and a plot");
  command->add_option("--seconds", flags.seconds, "time to spend, about")->check(CLI::Range(0.1, 3600.0))->capture_default_str();
  command->add_option("--seed", flags.seed, "seed of the shots")->capture_default_str();
  command->add_option("--threads", flags.threads, "0 takes every core")->check(CLI::Range(0, 1024))->capture_default_str();
  flags.network.add_to(*command, false);
  command->add_option("--svg", flags.svg, "where the plot goes")->take_last()->capture_default_str();
  command->callback([] { demo(flags); });
}

}  // namespace spinel::cli
