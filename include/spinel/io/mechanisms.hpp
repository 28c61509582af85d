// SPDX-License-Identifier: Apache-2.0
// From a detector error model to what the sampler takes: components of a mechanism joined, one list of detectors each.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <spinel/io/dem.hpp>
#include <spinel/noise/sampler.hpp>

namespace spinel::io {

/// The arrays behind an ErrorMechanismsView.
struct ErrorMechanisms {
  std::size_t n_detectors = 0, n_observables = 0;
  std::vector<double> probabilities;
  std::vector<std::uint32_t> detectors_begin, detectors;
  std::vector<std::uint64_t> observables;

  ErrorMechanismsView view() const noexcept {
    return {n_detectors, n_observables, probabilities, detectors_begin, detectors, observables};
  }
};

/// Joins the components of each mechanism: a detector in two of them is flipped twice and left out.
inline ErrorMechanisms joined_mechanisms(const DetectorErrorModel& model) {
  ErrorMechanisms joined;
  joined.n_detectors = model.n_detectors;
  joined.n_observables = model.n_observables;
  joined.probabilities.reserve(model.mechanisms.size());
  joined.detectors_begin.reserve(model.mechanisms.size() + 1);
  joined.detectors_begin.push_back(0);
  joined.detectors.reserve(model.detectors.size());
  joined.observables.reserve(model.mechanisms.size());
  for (const auto& mechanism : model.mechanisms) {
    std::uint64_t observables = 0;
    const auto begin = static_cast<std::ptrdiff_t>(joined.detectors.size());
    for (auto c = mechanism.components_begin; c < mechanism.components_end; ++c) {
      const auto& component = model.components[c];
      observables ^= component.observables;
      joined.detectors.insert(joined.detectors.end(), model.detectors.begin() + component.detectors_begin,
                              model.detectors.begin() + component.detectors_end);
    }
    std::sort(joined.detectors.begin() + begin, joined.detectors.end());
    auto out = joined.detectors.begin() + begin;
    for (auto in = out; in != joined.detectors.end();) {
      const auto detector = *in;
      bool odd = false;
      for (; in != joined.detectors.end() && *in == detector; ++in) odd = !odd;
      if (odd) *out++ = detector;
    }
    joined.detectors.erase(out, joined.detectors.end());
    joined.probabilities.push_back(mechanism.probability);
    joined.detectors_begin.push_back(static_cast<std::uint32_t>(joined.detectors.size()));
    joined.observables.push_back(observables);
  }
  return joined;
}

}  // namespace spinel::io
