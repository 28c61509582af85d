// SPDX-License-Identifier: Apache-2.0
// expect: spinel: a memory experiment needs at least 2 rounds
#include <spinel/code/detectors.hpp>

#ifdef CORRECTED
inline constexpr spinel::MemoryExperiment experiment{.distance = 3, .rounds = 2};
#else
inline constexpr spinel::MemoryExperiment experiment{.distance = 3, .rounds = 1};
#endif

auto events(const spinel::Measurements<experiment>& measurements) {
  return spinel::detection_events<experiment>(measurements);
}
