// SPDX-License-Identifier: Apache-2.0
// Writes every Pauli of one noise channel as graphlike parts (at most two detectors each), using only what the channel's own
// X and Z faults do. Single detectors are parts by themselves; a pair is a part when single ones do not already cover it.
// Source: the meaning of decompose_errors in Stim's documentation; the order of preference was found by comparison with it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <spinel/noise/fault.hpp>

namespace spinel {

/// Symptom codes of the parts of one mechanism with `separator_code` between them.
struct Decomposition {
  static constexpr int capacity = 20;
  SymptomCode codes[capacity]{};
  int count = 0;

  constexpr bool empty() const noexcept { return count == 0; }
  /// False when full.
  constexpr bool append(const Symptoms& part) noexcept {
    if (count + part.count + 1 > capacity) return false;
    if (count != 0) codes[count++] = separator_code;
    for (int k = 0; k < part.count; ++k) codes[count++] = part.codes[k];
    return true;
  }
  constexpr std::size_t hash() const noexcept {
    std::uint64_t h = 0x9e3779b97f4a7c15u;
    for (int k = 0; k < count; ++k) h = (h ^ codes[k]) * 0xff51afd7ed558ccdu;
    return static_cast<std::size_t>(h ^ (h >> 29));
  }
  friend constexpr bool operator==(const Decomposition& a, const Decomposition& b) noexcept {
    if (a.count != b.count) return false;
    for (int k = 0; k < a.count; ++k)
      if (a.codes[k] != b.codes[k]) return false;
    return true;
  }
  friend constexpr bool operator<(const Decomposition& a, const Decomposition& b) noexcept {
    for (int k = 0; k < a.count && k < b.count; ++k)
      if (a.codes[k] != b.codes[k]) return a.codes[k] < b.codes[k];
    return a.count < b.count;
  }
};

/// All 2^n_basis products of a channel's basis faults, each as graphlike parts. Products are numbered by their bits.
template <int n_basis>
class ChannelDecomposition {
 public:
  static constexpr int n_products = 1 << n_basis;

  constexpr explicit ChannelDecomposition(const Symptoms (&basis)[n_basis]) noexcept {
    for (int k = 1; k < n_products; ++k) {
      const int low = std::countr_zero(static_cast<unsigned>(k));
      const int rest = k & (k - 1);
      symptoms_[k] = basis[low];
      if (rest != 0) symptoms_[k].toggle_all(symptoms_[rest]);
      if (symptoms_[k].overflowed) status_ = Status::out_of_capacity;
    }
    if (status_ == Status::ok) number_detectors(basis);
    if (status_ == Status::ok) decompose();
  }

  /// ok; out_of_capacity or not_graphlike where a product cannot be written in parts.
  constexpr Status status() const noexcept { return status_; }
  constexpr const Decomposition& parts(int product) const noexcept { return parts_[product]; }
  /// The smallest product (0 is the identity) that no detector and no observable can tell from this one.
  constexpr int first_with_symptoms_of(int product) const noexcept {
    int first = 0;
    while (!(symptoms_[first] == symptoms_[product])) ++first;
    return first;
  }

 private:
  /// Gives each detector that appears a bit, so that products become masks.
  constexpr void number_detectors(const Symptoms (&basis)[n_basis]) noexcept {
    SymptomCode seen[64]{};
    int n_seen = 0;
    for (int b = 0; b < n_basis; ++b)
      for (int k = 0; k < basis[b].count; ++k) {
        const SymptomCode code = basis[b].codes[k];
        if (code >= observable_code) continue;
        int at = 0;
        while (at < n_seen && seen[at] != code) ++at;
        if (at == n_seen) seen[n_seen++] = code;
        masks_[1 << b] |= std::uint64_t{1} << at;
      }
    for (int k = 1; k < n_products; ++k)
      if ((k & (k - 1)) != 0) masks_[k] = masks_[k & (k - 1)] ^ masks_[k & -k];
  }

  constexpr void decompose() noexcept {
    std::uint64_t singles = 0;
    for (int k = 1; k < n_products; ++k)
      if (std::popcount(masks_[k]) == 1) singles |= masks_[k];
    int pairs[n_products]{};
    int n_pairs = 0;
    for (int k = 1; k < n_products; ++k)
      if (std::popcount(masks_[k]) == 2 && (masks_[k] & ~singles) != 0) pairs[n_pairs++] = k;

    for (int k = 1; k < n_products; ++k) {
      const std::uint64_t goal = masks_[k];
      const bool is_part = std::popcount(goal) == 1 || (std::popcount(goal) == 2 && (goal & ~singles) != 0);
      if (goal == 0 || is_part) {
        if (!symptoms_[k].empty()) append(k, k);
        continue;
      }
      std::uint64_t left = goal;
      if ((goal & ~singles) != 0) {
        left = take_pairs(k, goal, singles, pairs, n_pairs);
        if (left == goal) {
          status_ = Status::not_graphlike;
          return;
        }
      }
      for (int single = 1; left != 0 && single < n_products; ++single)
        if (std::popcount(masks_[single]) == 1 && (masks_[single] & left) != 0) {
          left &= ~masks_[single];
          append(k, single);
        }
    }
  }

  /// Appends one or two pairs that bring `goal` into the reach of single detectors; returns what is left.
  constexpr std::uint64_t take_pairs(int product, std::uint64_t goal, std::uint64_t singles, const int (&pairs)[n_products],
                                     int n_pairs) noexcept {
    for (int a = 0; a < n_pairs; ++a) {
      const std::uint64_t first = masks_[pairs[a]];
      if ((goal & first) == first && (goal & ~(singles | first)) == 0) {
        append(product, pairs[a]);
        return goal & ~first;
      }
    }
    for (int a = 0; a < n_pairs; ++a)
      for (int b = a + 1; b < n_pairs; ++b) {
        const std::uint64_t first = masks_[pairs[a]];
        const std::uint64_t second = masks_[pairs[b]];
        if ((first & second) == 0 && (goal & (first | second)) == (first | second) &&
            (goal & ~(singles | first | second)) == 0) {
          append(product, pairs[a]);
          append(product, pairs[b]);
          return goal & ~(first | second);
        }
      }
    return goal;
  }

  constexpr void append(int product, int part) noexcept {
    if (!parts_[product].append(symptoms_[part])) status_ = Status::out_of_capacity;
  }

  Symptoms symptoms_[n_products]{};
  std::uint64_t masks_[n_products]{};
  Decomposition parts_[n_products]{};
  Status status_ = Status::ok;
};

}  // namespace spinel
