// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include <spinel/io/dem.hpp>
#include <spinel/match/matcher.hpp>

namespace spinel {

/// A packed shot and the flips of its observables, mechanism by mechanism; every probability times `strength`.
template <class Random>
std::pair<std::vector<std::uint8_t>, ObservableFlips> sample_shot(const io::DetectorErrorModel& model, Random& random,
                                                                  double strength = 1) {
  std::uniform_real_distribution<> uniform(0, 1);
  std::pair<std::vector<std::uint8_t>, ObservableFlips> shot{std::vector<std::uint8_t>((model.n_detectors + 7) / 8), 0};
  for (const auto& mechanism : model.mechanisms)
    if (uniform(random) < strength * mechanism.probability)
      for (auto c = mechanism.components_begin; c < mechanism.components_end; ++c) {
        const auto& part = model.components[c];
        shot.second ^= part.observables;
        for (auto k = part.detectors_begin; k < part.detectors_end; ++k)
          shot.first[model.detectors[k] / 8] ^= static_cast<std::uint8_t>(1u << (model.detectors[k] % 8));
      }
  return shot;
}

}  // namespace spinel
