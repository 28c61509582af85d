// SPDX-License-Identifier: Apache-2.0
// The README's first program; tests/static/readme.py keeps the two the same.

#include <cstdio>
#include <spinel/io/experiment.hpp>
#include <spinel/io/graph.hpp>
#include <spinel/spinel.hpp>

constexpr spinel::MemoryExperiment experiment{.distance = 5, .rounds = 5, .basis = spinel::Basis::X};

int main() {
  // Set-up may fail, and says why: noise -> detector error model -> matching graph and matcher.
  std::string text;
  if (spinel::io::experiment_dem_text(experiment, {spinel::uniform_depolarizing(0.003)}, text) != spinel::Status::ok)
    return 1;
  const auto model = spinel::io::parse_dem(text);
  auto decoder = model ? spinel::io::make_matcher(*model) : spinel::io::Error{model.error()};
  if (!decoder) return std::fprintf(stderr, "%s\n", decoder.error().c_str()), 1;

  // One shot with a Z error on data qubit 2 before round 3: from there on its checks and its read-out are flipped.
  spinel::Measurements<experiment> measurements;
  const auto flip = [&](std::int64_t record) { measurements.flip(static_cast<std::size_t>(record)); };
  flip(spinel::data_measurement_index(experiment, 2));
  for (int k = 0; k < experiment.n_checks(); ++k)
    for (const auto qubit : spinel::lattice<experiment>.check(spinel::Basis::X, k).corner)
      for (int t = 3; qubit == 2 && t < experiment.rounds; ++t)
        flip(spinel::measurement_index(experiment, spinel::Basis::X, k, t));

  // The hot path: no heap, no exception, nothing that can fail.
  std::uint8_t events[spinel::Detectors<experiment>::n_bytes];
  spinel::detection_events<experiment>(measurements).store_b8(events);
  const spinel::MatchResult found = decoder->matcher.decode(events);
  const spinel::LogicalFrame measured = spinel::measured_observable<experiment>(measurements);

  std::printf("observable as measured %d, flipped by the decoder %d, corrected %d; weight %.2f nats\n",
              static_cast<int>(measured), static_cast<int>(found.observables),
              static_cast<int>(measured ^ found.observables),
              static_cast<double>(found.weight) * decoder->matcher.nats_per_unit());
  return 0;
}
