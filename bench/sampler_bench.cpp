// SPDX-License-Identifier: Apache-2.0
// Shots per second of the sampler on one core: `sampler_bench MODEL.dem SHOTS SEED` prints set-up ms and us a shot.
// With a fourth argument "serve" it answers each line on standard input with one timing line, so that
// bench/peers/stim_sampler.py can interleave it with Stim's sampler on the same model.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <spinel/io/dem.hpp>
#include <spinel/io/file.hpp>
#include <spinel/io/mechanisms.hpp>
#include <spinel/noise/sampler.hpp>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: sampler_bench MODEL.dem SHOTS SEED [serve]\n");
    return 2;
  }
  const auto text = spinel::io::read_file(argv[1]);
  if (!text) return std::fprintf(stderr, "%s\n", text.error().c_str()), 1;
  const auto model = spinel::io::parse_dem(*text);
  if (!model) return std::fprintf(stderr, "%s: %s\n", argv[1], model.error().c_str()), 1;
  const std::size_t n_shots = std::strtoull(argv[2], nullptr, 10);
  const std::uint64_t seed = std::strtoull(argv[3], nullptr, 10);

  const auto set_up_start = Clock::now();
  const auto mechanisms = spinel::io::joined_mechanisms(*model);
  const auto bytes = spinel::Sampler::memory_bytes(mechanisms.view());
  if (!bytes) return std::fprintf(stderr, "%s\n", to_string(bytes.status)), 1;
  std::vector<std::byte> memory(*bytes);
  auto sampler = spinel::Sampler::make(mechanisms.view(), memory);
  if (!sampler) return std::fprintf(stderr, "%s\n", to_string(sampler.status)), 1;
  const double set_up = seconds_since(set_up_start);

  const std::size_t stride = sampler->detector_bytes();
  const std::size_t observable_stride = sampler->observable_bytes();
  std::uint64_t batch = 0;
  const auto run = [&] {
    // As the peer does, the whole result is allocated and kept.
    const auto start = Clock::now();
    std::vector<std::uint8_t> detectors(n_shots * stride), observables(n_shots * observable_stride);
    for (std::size_t shot = 0; shot < n_shots; shot += spinel::Sampler::shots_per_batch) {
      const std::size_t n = n_shots - shot < 512 ? n_shots - shot : 512;
      sampler->sample(seed, batch++, n, detectors.data() + shot * stride, stride,
                      observables.data() + shot * observable_stride, observable_stride);
    }
    const double seconds = seconds_since(start);
    std::size_t events = 0;
    for (const auto byte : detectors) events += static_cast<std::size_t>(__builtin_popcount(byte));
    std::printf("%.6f us/shot, %.4f events/shot, set-up %.3f ms, memory %.3f MB\n",
                seconds * 1e6 / static_cast<double>(n_shots), static_cast<double>(events) / static_cast<double>(n_shots),
                set_up * 1e3, static_cast<double>(*bytes) * 1e-6);
    std::fflush(stdout);
  };
  if (argc > 4 && std::strcmp(argv[4], "serve") == 0) {
    while (std::getchar() != EOF) run();
  } else {
    for (int repeat = 0; repeat < 5; ++repeat) run();
  }
  return 0;
}
