// SPDX-License-Identifier: Apache-2.0
// How a network's rounds lie in memory: a sliding range per layer, and one volume without events ("background") of which the
// rounds between the ends are all alike and stored once.
#pragma once

#include <cstddef>
#include <cstring>

#include <spinel/core/arena.hpp>
#include <spinel/core/config.hpp>
#include <spinel/core/span.hpp>

namespace spinel::detail {

/// Counts what an Arena would hand out, in constant expressions too.
struct CountingArena {
  std::size_t used = 0;
  template <class T>
  constexpr Span<T> take(std::size_t count) noexcept {
    used += (count * sizeof(T) + Arena::alignment - 1) / Arena::alignment * Arena::alignment;
    return {};
  }
};

/// A sliding range of rounds of one layer's input.
template <class T>
struct RoundBuffer {
  Span<T> memory{};
  std::size_t round_size = 0;
  int first = 0;  ///< round that lies at the start of `memory`
  int end = 0;    ///< rounds below this one are there

  T* at(int round) const noexcept { return memory.data() + static_cast<std::size_t>(round - first) * round_size; }
  void reset() noexcept { first = end = 0; }
  /// Makes room for `incoming` more rounds where there is none by forgetting those below `keep`.
  void make_room(int keep, int incoming) noexcept {
    if (static_cast<std::size_t>(end - first + incoming) * round_size <= memory.size() || keep <= first) return;
    std::memmove(memory.data(), at(keep), static_cast<std::size_t>(end - keep) * round_size * sizeof(T));
    first = keep;
  }
  /// Counts rounds from a later one.
  void renumber(int by) noexcept { first -= by, end -= by; }
};

/// One round for every kind of round: `ends` at the beginning, one for all between, `ends` at the end.
template <class T>
struct BackgroundRounds {
  Span<T> memory{};
  std::size_t round_size = 0;
  int ends = 0;

  static constexpr int stored(int ends) noexcept { return 2 * ends + 1; }
  constexpr int count(int rounds) const noexcept { return rounds < stored(ends) ? rounds : stored(ends); }
  /// Where round t of `rounds` lies.
  T* at(int t, int rounds) const noexcept { return memory.data() + static_cast<std::size_t>(kind(t, rounds)) * round_size; }
  constexpr int kind(int t, int rounds) const noexcept {
    if (rounds <= stored(ends) || t < ends) return t;
    return t >= rounds - ends ? t - (rounds - stored(ends)) : ends;
  }
  /// A round of which `kind` is the kind.
  constexpr int example(int kind, int rounds) const noexcept {
    if (rounds <= stored(ends) || kind <= ends) return kind;
    return rounds - stored(ends) + kind;
  }
};

inline constexpr int smallest_distance = 3, largest_distance = 21;

}  // namespace spinel::detail
