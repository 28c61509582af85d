// SPDX-License-Identifier: Apache-2.0
// A decoder as an application compiles it into its loop: measurements of a d = 13 experiment to detection events to
// observable flips. Set-up is in set_up_footprint.cpp.
#include <spinel/spinel.hpp>

inline constexpr spinel::MemoryExperiment experiment{.distance = 13, .rounds = 13, .basis = spinel::Basis::X};

spinel::LogicalFrame decoder_footprint(spinel::ExactMatcher& matcher,
                                       const spinel::Measurements<experiment>& measurements) noexcept {
  const auto events = spinel::detection_events<experiment>(measurements);
  std::uint8_t bytes[spinel::Detectors<experiment>::n_bytes];
  events.store_b8(bytes);
  const spinel::MatchResult found = matcher.decode(bytes);
  return found.observables ^ (spinel::measured_observable<experiment>(measurements) ? 1u : 0u);
}

double decoder_footprint_pairs(spinel::ExactMatcher& matcher) noexcept {
  std::int64_t weight = 0;
  for (std::size_t k = 0; k < matcher.n_pairs(); ++k) weight += matcher.pair(k).weight;
  return static_cast<double>(weight) * matcher.nats_per_unit();
}
