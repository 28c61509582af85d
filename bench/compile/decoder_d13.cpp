// SPDX-License-Identifier: Apache-2.0
// A translation unit of an application: measurements of a d = 13 memory experiment to logical frame, and set-up.
#include <span>

#include <spinel/spinel.hpp>

inline constexpr spinel::MemoryExperiment experiment{.distance = 13, .rounds = 13, .basis = spinel::Basis::X};

spinel::Result<spinel::ExactMatcher> set_up(std::span<const spinel::GraphEdge> edges, std::span<std::byte> memory) {
  return spinel::ExactMatcher::create(spinel::Detectors<experiment>::size(), 1, edges, memory);
}

spinel::LogicalFrame decode(spinel::ExactMatcher& matcher, const spinel::Measurements<experiment>& measurements) noexcept {
  std::uint8_t events[spinel::Detectors<experiment>::n_bytes];
  spinel::detection_events<experiment>(measurements).store_b8(events);
  const spinel::MatchResult found = matcher.decode(events);
  return found.observables ^ (spinel::measured_observable<experiment>(measurements) ? 1u : 0u);
}
