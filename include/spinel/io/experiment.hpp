// SPDX-License-Identifier: Apache-2.0
// The detector error model of a memory experiment: as text in Stim's .dem language (the bulk in one repeat block) and
// flattened, for the sampler and the matching graph.
#pragma once

#include <cstdint>
#include <cstdio>
#include <span>

#include <spinel/core/status.hpp>
#include <spinel/io/dem.hpp>
#include <spinel/noise/error_slice.hpp>
#include <string>
#include <vector>

namespace spinel::io {

/// Calls `visit(t, repetitions, mechanisms)` for the slices of an experiment in time order: rounds 0 and 1, the bulk once with
/// its number of repetitions, the closing round. Codes in the mechanisms are relative to round t.
template <class Visit>
Status for_each_slice(const MemoryExperiment& experiment, const CircuitNoise& noise, Visit&& visit) {
  constexpr int max_distance = MemoryExperiment::max_distance;
  if (const Status status = experiment.validate(); status != Status::ok) return status;
  const auto lattice = make_lattice<max_distance>(experiment);
  std::vector<SliceMechanism> table(ErrorSlice<max_distance>::table_size(experiment.distance));
  for (std::int64_t t = 0; t < experiment.rounds;) {
    const auto slice = ErrorSlice<max_distance>::build(lattice, experiment, noise, t, table);
    if (!slice) return slice.status;
    const std::int64_t repetitions = t >= 2 && t + 1 < experiment.rounds ? experiment.rounds - 1 - t : 1;
    visit(t, repetitions, *slice);
    t += repetitions;
  }
  return Status::ok;
}

/// Absolute detector of a slice code that is neither observable nor separator.
inline std::int64_t detector_of_code(const MemoryExperiment& experiment, std::int64_t t, SymptomCode code) {
  const int h = experiment.n_checks();
  const int dt = code / (2 * h);
  const int within = code % (2 * h);
  return detector_index(experiment, within < h ? Basis::X : Basis::Z, within % h, t + dt);
}

/// Writes the model as text; `text` is left empty where the experiment or the noise is invalid.
inline Status experiment_dem_text(const MemoryExperiment& experiment, const CircuitNoise& noise, std::string& text) {
  text.clear();
  const std::int64_t h = experiment.n_checks();
  const auto append_integer = [&](std::int64_t value) {
    char digits[24];
    int n = 0;
    do {
      digits[n++] = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value != 0);
    while (n > 0) text.push_back(digits[--n]);
  };
  // Most mechanisms share few distinct probabilities: the last text is kept.
  double last_probability = -1;
  bool observable_seen = false;
  char number[48] = "";
  const auto print = [&](std::int64_t t, std::int64_t repetitions, std::span<const SliceMechanism> mechanisms) {
    const char* indent = repetitions > 1 ? "    " : "";
    if (repetitions > 1) text += "repeat " + std::to_string(repetitions) + " {\n";
    for (const auto& mechanism : mechanisms) {
      if (mechanism.probability != last_probability) {
        last_probability = mechanism.probability;
        std::snprintf(number, sizeof number, "error(%.17g)", last_probability);
      }
      text += indent;
      text += number;
      for (int k = 0; k < mechanism.parts.count; ++k) {
        const SymptomCode code = mechanism.parts.codes[k];
        if (code == separator_code) {
          text += " ^";
        } else if (code == observable_code) {
          text += " L0";
          observable_seen = true;
        } else {
          text += " D";
          append_integer(detector_of_code(experiment, t, code));
        }
      }
      text += '\n';
    }
    if (repetitions > 1) text += "    shift_detectors " + std::to_string(2 * h) + "\n}\n";
  };
  std::int64_t shifted = 0;
  const Status status = for_each_slice(experiment, noise, [&](std::int64_t t, std::int64_t repetitions, auto mechanisms) {
    print(t - shifted, repetitions, mechanisms);
    if (repetitions > 1) shifted = repetitions;
  });
  if (status != Status::ok) {
    text.clear();
    return status;
  }
  for (int k = 0; k < h; ++k)
    text += "detector D" + std::to_string(boundary_detector_index(experiment, k) - 2 * h * shifted) + "\n";
  if (!observable_seen) text += "logical_observable L0\n";
  return Status::ok;
}

/// The model flattened. Errors: bad_argument (experiment or noise), out_of_capacity (more than 2^32 detectors).
inline Result<DetectorErrorModel> experiment_model(const MemoryExperiment& experiment, const CircuitNoise& noise) {
  DetectorErrorModel model;
  if (const Status status = experiment.validate(); status != Status::ok) return status;
  if (experiment.n_detectors() > std::int64_t{0xfffffffe}) return Status::out_of_capacity;
  model.n_detectors = static_cast<std::size_t>(experiment.n_detectors());
  model.n_observables = 1;
  const auto end_of = [](const auto& items) { return static_cast<std::uint32_t>(items.size()); };
  const auto append = [&](std::int64_t t, const SliceMechanism& mechanism) {
    DetectorErrorModel::Mechanism added;
    added.probability = mechanism.probability;
    added.components_begin = end_of(model.components);
    DetectorErrorModel::Component part;
    part.detectors_begin = end_of(model.detectors);
    for (int k = 0; k <= mechanism.parts.count; ++k) {
      const SymptomCode code = k < mechanism.parts.count ? mechanism.parts.codes[k] : separator_code;
      if (code == separator_code) {
        part.detectors_end = end_of(model.detectors);
        model.components.push_back(part);
        part = {};
        part.detectors_begin = end_of(model.detectors);
      } else if (code == observable_code) {
        part.observables ^= 1;
      } else {
        model.detectors.push_back(static_cast<std::uint32_t>(detector_of_code(experiment, t, code)));
      }
    }
    added.components_end = end_of(model.components);
    model.mechanisms.push_back(added);
  };
  const Status status = for_each_slice(experiment, noise, [&](std::int64_t t, std::int64_t repetitions, auto mechanisms) {
    for (std::int64_t repeat = 0; repeat < repetitions; ++repeat)
      for (const auto& mechanism : mechanisms) append(t + repeat, mechanism);
  });
  if (status != Status::ok) return status;
  return model;
}

}  // namespace spinel::io
