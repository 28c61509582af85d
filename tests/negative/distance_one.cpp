// SPDX-License-Identifier: Apache-2.0
// expect: spinel: the distance must be between 3 and 31
#include <spinel/code/detectors.hpp>

#ifdef CORRECTED
inline constexpr spinel::MemoryExperiment experiment{.distance = 3, .rounds = 2};
#else
inline constexpr spinel::MemoryExperiment experiment{.distance = 1, .rounds = 2};
#endif

auto events(const spinel::Measurements<experiment>& measurements) {
  return spinel::detection_events<experiment>(measurements);
}
