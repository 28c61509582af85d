// SPDX-License-Identifier: Apache-2.0
// What happens next on the lattice (lattice_gap_flood.hpp): numbered things, each at a time before a known end, in the exact order of
// their times. Buckets are so many that most hold none or one; each is a chain through the things, so memory is fixed.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <spinel/core/arena.hpp>
#include <spinel/match/lattice_layout.hpp>

namespace spinel::detail {

/// For `n` things, numbers [0, n); `fixed` is n where the compiler knows it, else 0.
template <std::size_t fixed>
class LatticeGapQueue {
 public:
  constexpr void lay_out(std::size_t n, Arena& arena) noexcept { links_.lay_out(n, arena); }
  /// After laying out in real memory, before the first time.
  void clear(std::size_t n) noexcept {
    for (std::size_t k = 0; k < n; ++k) links_[k] = Link{};
    for (auto& head : heads_) head = none;
    for (auto& word : used_) word = 0;
  }
  /// Times are in [0, end) from now on.
  void begin(std::int32_t end) noexcept {
    const int bits = static_cast<int>(std::bit_width(static_cast<std::uint32_t>(end)));
    shift_ = bits > log2_buckets ? bits - log2_buckets : 0;
    word_ = 0;
  }
  /// Forgets what is left.
  void end() noexcept {
    for (; word_ < n_words; ++word_)
      for (; used_[word_] != 0; used_[word_] &= used_[word_] - 1) {
        std::int32_t& head = heads_[64 * word_ + std::countr_zero(used_[word_])];
        for (std::int32_t next; head != none; head = next) {
          next = links_[head].next;
          links_[head] = Link{};
        }
      }
  }
  /// Unless it is there at a time no later.
  void push(std::int32_t thing, std::int32_t time) noexcept {
    Link& link = links_[thing];
    if (link.previous != away) {
      if (time >= link.time) return;
      remove(thing);
    }
    const int bucket = time >> shift_;
    link = {time, heads_[bucket], none};
    if (link.next != none) links_[link.next].previous = thing;
    heads_[bucket] = thing;
    used_[bucket / 64] |= std::uint64_t{1} << (bucket % 64);
  }
  /// Takes one out, if it is there.
  void drop(std::int32_t thing) noexcept {
    if (links_[thing].previous != away) remove(thing);
  }
  /// Takes the first one out, or returns -1.
  std::int32_t pop(std::int32_t& time) noexcept {
    while (used_[word_] == 0)
      if (++word_ == n_words) return none;
    std::int32_t first = heads_[64 * word_ + std::countr_zero(used_[word_])];
    for (std::int32_t k = links_[first].next; k != none; k = links_[k].next)
      if (links_[k].time < links_[first].time) first = k;
    time = links_[first].time;
    remove(first);
    return first;
  }

 private:
  static constexpr std::int32_t none = -1, away = -2;
  static constexpr int log2_buckets = 11, n_words = (1 << log2_buckets) / 64;
  struct Link {
    std::int32_t time = 0, next = none, previous = away;
  };
  void remove(std::int32_t thing) noexcept {
    Link& link = links_[thing];
    if (link.next != none) links_[link.next].previous = link.previous;
    if (link.previous != none) {
      links_[link.previous].next = link.next;
    } else {
      const int bucket = link.time >> shift_;
      heads_[bucket] = link.next;
      if (link.next == none) used_[bucket / 64] &= ~(std::uint64_t{1} << (bucket % 64));
    }
    link.previous = away;
  }

  int shift_ = 0, word_ = 0;
  std::uint64_t used_[n_words + 1];
  std::int32_t heads_[1 << log2_buckets];
  LatticeArray<Link, fixed> links_;
};

}  // namespace spinel::detail
