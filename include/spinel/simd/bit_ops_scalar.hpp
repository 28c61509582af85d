// SPDX-License-Identifier: Apache-2.0
// Operations on packed bits and small integers that the lattice matcher is made of, as their definition: gather masked bits, pick bits by
// their places, find the earliest of many times, list many bits at once. The same on an instruction set: bit_ops.hpp.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace spinel {

/// When a growing leaf meets whom, and the (marked) length of the path between them.
struct Meeting {
  std::int32_t time;
  std::int32_t v;
  std::uint32_t path;
};
enum class Label : std::int8_t { outside, plus, minus };

/// All ways to pair `m` things: pair p is (`first[p]`, `second[p]`), pairing k consists of the pairs `of[0..m / 2)[k]`, which are the
/// bits of `set[k]`. Rows are filled up to a multiple of 16 by repeating the last pairing.
template <int m>
struct AllPairings {
  static constexpr int n_pairs = m * (m - 1) / 2;
  static constexpr int n = m == 2 ? 1 : m == 4 ? 3 : m == 6 ? 15 : 105;
  static constexpr int n_padded = (n + 15) / 16 * 16;
  std::int32_t first[(n_pairs + 15) / 16 * 16] = {}, second[(n_pairs + 15) / 16 * 16] = {};
  std::int32_t of[m / 2][n_padded] = {};
  std::uint32_t set[n_padded] = {};

  constexpr AllPairings() noexcept {
    int p = 0, number[m][m] = {};
    for (int a = 0; a < m; ++a)
      for (int b = a + 1; b < m; ++b) {
        first[p] = a;
        second[p] = b;
        number[a][b] = p++;
      }
    for (int k = 0; k < n_padded; ++k) {
      bool taken[m] = {};
      int code = k < n ? k : n - 1;
      for (int e = 0; e < m / 2; ++e) {
        int a = 0;
        while (taken[a]) ++a;
        taken[a] = true;
        const int choices = m - 1 - 2 * e;
        int skip = code % choices, b = a + 1;
        code /= choices;
        for (; taken[b] || skip > 0; ++b) skip -= !taken[b];
        taken[b] = true;
        of[e][k] = number[a][b];
        set[k] |= 1u << number[a][b];
      }
    }
  }
};
template <int m>
inline constexpr AllPairings<m> all_pairings;

/// The sum over a pairing's distances, the parity of their marks, and which of AllPairings' pairs it consists of.
struct LeastPairing {
  std::int32_t weight;
  std::uint32_t marks;
  std::uint32_t set;
};
/// The least sums with either parity of marks.
struct LeastOfClasses {
  std::int32_t weight[2];
};

/// Portable definition of the operations.
struct ScalarBits {
  /// The bits of `word` under `mask`, moved together at the low end.
  static std::uint64_t extract(std::uint64_t word, std::uint64_t mask) noexcept {
    std::uint64_t bits = 0;
    for (int at = 0; mask != 0; mask &= mask - 1, ++at) bits |= ((word >> std::countr_zero(mask)) & 1) << at;
    return bits;
  }
  /// Bit k of the result, k < 16, is bit `shift + places[k]`, at most 63, of the 8 bytes at `bytes + (j - 1) stride`, where bit k of
  /// `groups[j]` is set (for at most one j < 3); 0 where none is.
  static std::uint32_t pick(const unsigned char* bytes, int stride, int shift, const std::uint8_t* places, const std::uint16_t* groups) noexcept {
    std::uint32_t picked = 0;
    for (int j = 0; j < 3; ++j) {
      std::uint64_t word;
      std::memcpy(&word, bytes + (j - 1) * stride, 8);
      word >>= shift;
      for (int k = 0; k < 16; ++k) picked |= static_cast<std::uint32_t>(((word >> places[k]) & 1) << k) & groups[j];
    }
    return picked;
  }
  /// Index of a least value of `values[0..n)`, n >= 1.
  static int index_of_least(const std::int32_t* values, int n) noexcept {
    int least = 0;
    for (int k = 1; k < n; ++k) least = values[k] < values[least] ? k : least;
    return least;
  }
  /// Index of the first of `n` at most 16 pairs of 32-bit values (each 8 bytes) that is (`first`, `second`); at least `n` where none is.
  static int index_of_pair(const void* pairs, int n, std::uint32_t first, std::uint32_t second) noexcept {
    int found = n;
    for (int k = n - 1; k >= 0; --k) {
      std::uint32_t pair[2];
      std::memcpy(pair, static_cast<const unsigned char*>(pairs) + 8 * k, 8);
      found = ((pair[0] ^ first) | (pair[1] ^ second)) == 0 ? k : found;
    }
    return found;
  }
  /// Writes the number of every value below `limit`, in order; returns how many. May write up to `out[n + 15)`.
  static int positions_below(const std::int32_t* values, int n, std::int32_t limit, std::int32_t* out) noexcept {
    int n_found = 0;
    for (int k = 0; k < n; ++k) {
      out[n_found] = k;
      n_found += values[k] < limit;
    }
    return n_found;
  }
  /// Writes `first` plus the number of every set bit of `word`, in order; returns how many. May write up to `out[64)`.
  static int positions(std::uint64_t word, unsigned first, std::uint16_t* out) noexcept {
    int n = 0;
    for (; word != 0; word &= word - 1) out[n++] = static_cast<std::uint16_t>(first + static_cast<unsigned>(std::countr_zero(word)));
    return n;
  }
  /// The earlier of `first` and the meetings of a plus leaf with `known[0..n)` (fields `distance`, its lowest bit a mark, and `leaf`);
  /// the leaf is in item `top` and its radius is `base` plus the time. `items` has the fields `radius`, `top`, `label`: items of label
  /// minus and those in the same item are never met, plus items come towards it. `known` is readable up to a multiple of 8.
  template <class Known, class Item, class Index>
  static Meeting earliest(Meeting first, const Known* known, int n, const Item* items, std::int32_t base, Index top) noexcept {
    // Without branches: which of the others is next is as good as random.
    std::int32_t time = first.time, v = first.v;
    std::uint32_t path = first.path;
    for (int k = 0; k < n; ++k) {
      const Item& other = items[known[k].leaf];
      const std::int32_t never = -static_cast<std::int32_t>((other.top == top) | (other.label == Label::minus));
      const std::int32_t slack = static_cast<std::int32_t>(known[k].distance & ~1u) - base - other.radius;
      const std::int32_t then = ((slack >> static_cast<int>(other.label == Label::plus)) & ~never) | (never & INT32_MAX);
      const std::int32_t better = -static_cast<std::int32_t>(then < time);
      time ^= (time ^ then) & better;
      v ^= (v ^ known[k].leaf) & better;
      path ^= (path ^ known[k].distance) & static_cast<std::uint32_t>(better);
    }
    return {time, v, path};
  }
  /// For `n` events with the (marked) distance to the nearest in `path`, that to the boundary in `boundary` and the nearest one's id
  /// in `nearest`: a dual variable of half the way to the nearest, or the way to the boundary if that is no longer. Then `path` is
  /// the way that decided, `boundary` is -1 for the nearest and -2 for the boundary, whose `nearest` becomes 0. All arrays may be
  /// written up to 15 entries further. Returns the sum of the dual variables.
  template <class Dual>
  static std::int64_t take_halves(int n, std::int32_t* path, std::int32_t* boundary, std::int32_t* nearest, Dual* duals) noexcept {
    std::int64_t total = 0;
    for (int k = 0; k < n; ++k) {
      const std::int32_t half = path[k] >> 1, way_out = boundary[k] & ~1;
      const std::int32_t out = -static_cast<std::int32_t>(way_out <= half), radius = half ^ ((half ^ way_out) & out);
      total += radius;
      path[k] ^= (path[k] ^ boundary[k]) & out;
      nearest[k] &= ~out;
      boundary[k] = out - 1;
      duals[k] = {radius, static_cast<decltype(duals[k].top)>(k), Label::outside, 0};
    }
    return total;
  }
  /// Links of `n` events to their mates `mate` (-1: none, -2: boundary) by `path`, and in `unpaired` those that have none. All arrays
  /// may be written up to 15 entries further. Returns how many have none; `flips` gets the marks of all paths, pairs counted once.
  template <class Link, class Index>
  static int link_mates(int n, const std::int32_t* path, const std::int32_t* mate, Link* links, Index* unpaired, std::uint32_t& flips) noexcept {
    int n_unpaired = 0;
    std::int32_t marks = 0;
    for (int k = 0; k < n; ++k) {
      marks ^= path[k] & ((mate[k] - k) >> 31);
      links[k] = {static_cast<std::uint32_t>(path[k]), static_cast<Index>(k), static_cast<Index>(mate[k])};
      unpaired[n_unpaired] = static_cast<Index>(k);
      n_unpaired += mate[k] == -1;
    }
    flips = static_cast<std::uint32_t>(marks) & 1;
    return n_unpaired;
  }
  /// The lightest pairing of the at most `m` set bits of two words, numbered 0 to 127, by a table of 128 x 128 (marked) distances
  /// below 2^28, or for lower numbers by one of fewer. Places left over are filled with the table's last, whose bit is never set.
  template <int m, int size = 128>
  static LeastPairing least_pairing(const std::uint32_t* distances, std::uint64_t low, std::uint64_t high) noexcept {
    constexpr const AllPairings<m>& all = all_pairings<m>;
    int events[m], n = 0;
    for (; low != 0; low &= low - 1) events[n++] = std::countr_zero(low);
    for (; high != 0; high &= high - 1) events[n++] = 64 + std::countr_zero(high);
    while (n < m) events[n++] = size - 1;
    std::uint32_t distance[all.n_pairs], marks = 0;
    for (int p = 0; p < all.n_pairs; ++p) {
      const std::uint32_t marked = distances[size * events[all.first[p]] + events[all.second[p]]];
      distance[p] = marked & ~1u;
      marks |= (marked & 1) << p;
    }
    LeastPairing least{INT32_MAX, 0, 0};
    for (int k = 0; k < all.n; ++k) {
      std::uint32_t sum = 0;
      for (int e = 0; e < m / 2; ++e) sum += distance[all.of[e][k]];
      if (static_cast<std::int32_t>(sum) < least.weight)
        least = {static_cast<std::int32_t>(sum), static_cast<std::uint32_t>(std::popcount(marks & all.set[k])) & 1, all.set[k]};
    }
    return least;
  }
  /// The same for both parities, where a distance of the other mark costs `extra` more.
  template <int m>
  static LeastOfClasses least_of_classes(const std::uint32_t* distances, const std::int32_t* extra, std::uint64_t low,
                                         std::uint64_t high) noexcept {
    constexpr const AllPairings<m>& all = all_pairings<m>;
    int events[m], n = 0;
    for (; low != 0; low &= low - 1) events[n++] = std::countr_zero(low);
    for (; high != 0; high &= high - 1) events[n++] = 64 + std::countr_zero(high);
    while (n < m) events[n++] = 127;
    LeastOfClasses least{{INT32_MAX, INT32_MAX}};
    for (int k = 0; k < all.n; ++k) {
      std::int32_t sum = 0, more = INT32_MAX;
      std::uint32_t marks = 0;
      for (int e = 0; e < m / 2; ++e) {
        const int pair = all.of[e][k], at = 128 * events[all.first[pair]] + events[all.second[pair]];
        sum += static_cast<std::int32_t>(distances[at] & ~1u);
        marks ^= distances[at] & 1;
        more = extra[at] < more ? extra[at] : more;
      }
      least.weight[marks] = sum < least.weight[marks] ? sum : least.weight[marks];
      least.weight[1 - marks] = sum + more < least.weight[1 - marks] ? sum + more : least.weight[1 - marks];
    }
    return least;
  }
};

}  // namespace spinel
