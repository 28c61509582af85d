// SPDX-License-Identifier: Apache-2.0
// expect: spinel: the distance of a rotated surface code must be odd
#include <spinel/code/detectors.hpp>

#ifdef CORRECTED
inline constexpr spinel::MemoryExperiment experiment{.distance = 5, .rounds = 4};
#else
inline constexpr spinel::MemoryExperiment experiment{.distance = 4, .rounds = 4};
#endif

auto events(const spinel::Measurements<experiment>& measurements) {
  return spinel::detection_events<experiment>(measurements);
}
