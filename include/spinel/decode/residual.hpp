// SPDX-License-Identifier: Apache-2.0
// Thresholded network output to corrections, residual detection events and the logical frame. Source: arXiv:2604.12841, and the
// reference pipeline: a bit is set where the logit is >= 0.
//
// With dx the shown X events, sx the predicted flips of X measurements and zc the Z corrections (per round, not cumulative), the
// residual of X checks is R_X[t] = dx[t] + sx[t] + sx[t - 1] + hx zc[t], and likewise for Z. Corrections are sparse, so each set
// bit flips the few detectors that it appears in.
#pragma once

#include <cstddef>
#include <cstdint>

#include <spinel/core/span.hpp>
#include <spinel/decode/encode.hpp>

namespace spinel {

/// The residual before any correction: the events as the network saw them, so the type that is not the memory basis is cleared in
/// the last round; the boundary detectors pass unchanged.
template <int max_distance>
void begin_residual(const TensorLayout<max_distance>& layout, Span<const std::uint64_t> events, Span<std::uint64_t> residual) noexcept {
  for (std::size_t w = 0; w < residual.size(); ++w) residual[w] = events[w];
  const MemoryExperiment& experiment = layout.experiment;
  const std::int64_t first = detector_index(experiment, opposite(experiment.basis), 0, experiment.rounds - 1);
  for (std::int64_t k = first; k < first + experiment.n_checks(); ++k)
    residual[static_cast<std::size_t>(k / 64)] &= ~(std::uint64_t{1} << (k % 64));
}

/// Clears the detectors that are not of the memory basis: no matching of them can flip the observable.
inline void keep_memory_basis(const MemoryExperiment& experiment, Span<std::uint64_t> events) noexcept {
  for (int t = 1; t < experiment.rounds; ++t)
    for (std::int64_t left = experiment.n_checks(), at = detector_index(experiment, opposite(experiment.basis), 0, t); left > 0;) {
      const std::int64_t bit = at % 64, count = left < 64 - bit ? left : 64 - bit;
      const std::uint64_t ones = count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
      events[static_cast<std::size_t>(at / 64)] &= ~(ones << bit);
      left -= count;
      at += count;
    }
}

/// The corrections in a round's logits [row][column][channel]: `flip(type, check, later)` toggles a detector of that round, or of the
/// next one where `later` is 1. Returns the flips of the memory basis's observable.
template <int max_distance, class Flip>
ObservableFlips for_each_correction(const TensorLayout<max_distance>& layout, const float* logits, Flip&& flip) noexcept {
  const int basis_kind = layout.basis_kind();
  ObservableFlips flips = 0;
  for (int site = 0; site < layout.n_sites(); ++site) {
    const float* logit = logits + site * tensor_channels;
    for (int kind = 0; kind < 2; ++kind) {
      const Basis type = layout.type_of_kind[kind];
      if (logit[kind] >= 0.0f) {  // a data correction that the checks of this kind see
        for (const auto check : layout.checks_of_data[kind][site])
          if (check >= 0) flip(type, check, 0);
        if (kind == basis_kind && layout.in_logical[site]) flips ^= 1;
      }
      if (const int check = layout.check_at_site[kind][site]; check >= 0 && logit[2 + kind] >= 0.0f) {  // a measurement flip
        flip(type, check, 0);
        flip(type, check, 1);
      }
    }
  }
  return flips;
}

/// Applies round t's logits to the residual of a whole experiment, in detector order. Returns the flips of the observable.
template <int max_distance>
ObservableFlips apply_round(const TensorLayout<max_distance>& layout, int t, const float* logits, Span<std::uint64_t> residual) noexcept {
  const MemoryExperiment& experiment = layout.experiment;
  return for_each_correction(layout, logits, [&](Basis type, int check, int later) {
    const std::int64_t detector = t + later < experiment.rounds ? detector_index(experiment, type, check, t + later) : -1;
    if (detector >= 0) residual[static_cast<std::size_t>(detector / 64)] ^= std::uint64_t{1} << (detector % 64);
  });
}

}  // namespace spinel
