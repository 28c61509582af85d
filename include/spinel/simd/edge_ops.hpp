// SPDX-License-Identifier: Apache-2.0
// Ways over a few edges whose weights are a shot's own, many edges at a time, with distances from a table: what few events need for
// their second pass (match/few_correlated.hpp). The template is the definition, for any type of bit_ops.hpp; `Avx512Bits` has the same
// functions on its instruction set.
#pragma once

#include <cstdint>

#include <spinel/simd/bit_ops.hpp>

namespace spinel {

/// (Marked) lengths of ways to the ends of edges and over them.
struct EdgeWays {
  std::uint32_t *to, *over;
};

/// Portable definition of the operations.
template <class BitOps>
struct EdgeOps {
  /// The ways from one place to the ends of `n` edges and over them, by its row of (marked) distances to `size` places: edge e joins places
  /// `ends[e]` and `ends[stride + e]` and weighs `weights[e]`, which is as `twice` makes it. `ways.to` gets the ways to the ends,
  /// `ways.over` those to an end and on over the edge; both have `2 * stride` entries, twice as long as they are. Returns the least of
  /// `over` that are shorter than `to` the other end. `n` is a multiple of 16.
  template <int size>
  static std::uint32_t reach_edges(const std::uint32_t* row, const std::uint8_t* ends, const std::uint32_t* weights, int stride, int n,
                                   EdgeWays ways) noexcept {
    std::uint32_t least = UINT32_MAX;
    for (int side = 0; side < 2; ++side)
      for (int e = 0; e < n; ++e) {
        const int end = side * stride + e, other = (1 - side) * stride + e;
        ways.to[end] = twice(row[ends[end]]);
        ways.over[end] = without_carry(ways.to[end] + weights[e]);
        if (is_shorter(ways.over[end], twice(row[ends[other]])) && ways.over[end] < least) least = ways.over[end];
      }
    return half(least);
  }
  /// The least of `least` and the ways from one place over an edge of `n` to another, by what `reach_edges` says of both.
  static std::uint32_t least_over_edges(EdgeWays from, EdgeWays to, int stride, int n, std::uint32_t least) noexcept {
    least = twice(least);
    for (int side = 0; side < 2; ++side)
      for (int e = 0; e < n; ++e) {
        const std::uint32_t way = from.over[side * stride + e] + to.to[(1 - side) * stride + e];
        least = way < least ? way : least;
      }
    return half(least);
  }
  /// Which of `ways.over` are shorter than `limit` and than the ways `to` the other end: bit e of due[0] and due[1] for edge e from
  /// its first and from its second end.
  static void due_edges(std::uint32_t limit, int stride, int n, EdgeWays ways, std::uint64_t (&due)[2]) noexcept {
    due[0] = due[1] = 0;
    for (int side = 0; side < 2; ++side)
      for (int e = 0; e < n; ++e) {
        const std::uint32_t over = ways.over[side * stride + e];
        due[side] |= std::uint64_t{is_shorter(over, twice(limit)) && is_shorter(over, ways.to[(1 - side) * stride + e])} << e;
      }
  }
  /// Shortens `ways.over` by ways that begin with `start`, one of `ways.over`, to where a `row` begins (as in `reach_edges`), and adds
  /// those to `due` that became shorter and are due.
  template <int size>
  static void extend_over_edges(std::uint32_t start, const std::uint32_t* row, const std::uint8_t* ends, const std::uint32_t* weights,
                                int stride, int n, std::uint32_t limit, EdgeWays ways, std::uint64_t (&due)[2]) noexcept {
    for (int side = 0; side < 2; ++side)
      for (int e = 0; e < n; ++e) {
        const int end = side * stride + e;
        const std::uint32_t way = without_carry(start + twice(row[ends[end]]) + weights[e]);
        if (!is_shorter(way, ways.over[end])) continue;
        ways.over[end] = way;
        due[side] |= std::uint64_t{is_shorter(way, twice(limit)) && is_shorter(way, ways.to[(1 - side) * stride + e])} << e;
      }
  }
  /// A distance twice as long as it is, with its mark: so the marks of up to three are added without touching the sum of their lengths.
  static constexpr std::uint32_t twice(std::uint32_t marked) noexcept { return marked + (marked & ~1u); }

 protected:
  static std::uint32_t without_carry(std::uint32_t sum_of_twice) noexcept { return sum_of_twice & ~2u; }
  static std::uint32_t half(std::uint32_t sum_of_twice) noexcept { return ((sum_of_twice >> 1) & ~1u) | (sum_of_twice & 1); }
  static bool is_shorter(std::uint32_t a, std::uint32_t b) noexcept { return (a | 3) < b; }
};

#if defined(__BMI2__) && defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
/// The same on x86-64 with AVX-512.
template <>
struct EdgeOps<Avx512Bits> : EdgeOps<ScalarBits> {
  template <int size>
  static std::uint32_t reach_edges(const std::uint32_t* row, const std::uint8_t* ends, const std::uint32_t* weights, int stride, int n,
                                   EdgeWays ways) noexcept {
    __m512i least = _mm512_set1_epi32(-1);
    for (int e = 0; e < n; e += 16) {
      const __m512i weight = _mm512_loadu_si512(weights + e);
      const __m512i first = look_up<size>(row, ends + e), second = look_up<size>(row, ends + stride + e);
      const __m512i over_first = without_carry(_mm512_add_epi32(first, weight)), over_second = without_carry(_mm512_add_epi32(second, weight));
      _mm512_storeu_si512(ways.to + e, first);
      _mm512_storeu_si512(ways.to + stride + e, second);
      _mm512_storeu_si512(ways.over + e, over_first);
      _mm512_storeu_si512(ways.over + stride + e, over_second);
      least = _mm512_mask_min_epu32(least, are_shorter(over_first, second), least, over_first);
      least = _mm512_mask_min_epu32(least, are_shorter(over_second, first), least, over_second);
    }
    return half(_mm512_reduce_min_epu32(least));
  }
  static std::uint32_t least_over_edges(EdgeWays from, EdgeWays to, int stride, int n, std::uint32_t least) noexcept {
    __m512i ways = _mm512_set1_epi32(static_cast<int>(twice(least)));
    for (int e = 0; e < n; e += 16) {
      ways = _mm512_min_epu32(ways, _mm512_add_epi32(_mm512_loadu_si512(from.over + e), _mm512_loadu_si512(to.to + stride + e)));
      ways = _mm512_min_epu32(ways, _mm512_add_epi32(_mm512_loadu_si512(from.over + stride + e), _mm512_loadu_si512(to.to + e)));
    }
    return half(_mm512_reduce_min_epu32(ways));
  }
  static void due_edges(std::uint32_t limit, int stride, int n, EdgeWays ways, std::uint64_t (&due)[2]) noexcept {
    const __m512i end = _mm512_set1_epi32(static_cast<int>(twice(limit)));
    due[0] = due[1] = 0;
    for (int e = 0; e < n; e += 16)
      for (int side = 0; side < 2; ++side) {
        const __m512i over = _mm512_loadu_si512(ways.over + side * stride + e);
        const unsigned is_due = are_shorter(over, end) & are_shorter(over, _mm512_loadu_si512(ways.to + (1 - side) * stride + e));
        due[side] |= std::uint64_t{is_due} << e;
      }
  }
  template <int size>
  static void extend_over_edges(std::uint32_t start, const std::uint32_t* row, const std::uint8_t* ends, const std::uint32_t* weights,
                                int stride, int n, std::uint32_t limit, EdgeWays ways, std::uint64_t (&due)[2]) noexcept {
    const __m512i begin = _mm512_set1_epi32(static_cast<int>(start)), end = _mm512_set1_epi32(static_cast<int>(twice(limit)));
    for (int e = 0; e < n; e += 16) {
      const __m512i from = _mm512_add_epi32(begin, _mm512_loadu_si512(weights + e));
      for (int side = 0; side < 2; ++side) {
        const int at = side * stride + e, across = (1 - side) * stride + e;
        const __m512i way = without_carry(_mm512_add_epi32(from, look_up<size>(row, ends + at)));
        const __mmask16 shorter = are_shorter(way, _mm512_loadu_si512(ways.over + at));
        _mm512_mask_storeu_epi32(ways.over + at, shorter, way);
        const unsigned is_due = shorter & are_shorter(way, end) & are_shorter(way, _mm512_loadu_si512(ways.to + across));
        due[side] |= std::uint64_t{is_due} << e;
      }
    }
  }

 private:
  /// `twice` of the entries of a row of `size` at sixteen places. By permutations of the whole row: a gather takes as long as sixteen loads.
  template <int size>
  static __m512i look_up(const std::uint32_t* row, const std::uint8_t* places) noexcept {
    static_assert(size % 16 == 0);
    const __m512i at = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(places))), part = _mm512_srli_epi32(at, 5);
    __m512i marked = _mm512_setzero_si512();
    for (int k = 0; k < size; k += 32) {
      const __m512i low = _mm512_loadu_si512(row + k), high = k + 16 < size ? _mm512_loadu_si512(row + k + 16) : low;
      marked = _mm512_mask_mov_epi32(marked, _mm512_cmpeq_epi32_mask(part, _mm512_set1_epi32(k / 32)), _mm512_permutex2var_epi32(low, at, high));
    }
    return _mm512_add_epi32(marked, _mm512_and_si512(marked, _mm512_set1_epi32(-2)));
  }
  static __m512i without_carry(__m512i sums_of_twice) noexcept { return _mm512_and_si512(sums_of_twice, _mm512_set1_epi32(-3)); }
  static __mmask16 are_shorter(__m512i a, __m512i b) noexcept {
    return _mm512_cmplt_epu32_mask(_mm512_or_si512(a, _mm512_set1_epi32(3)), b);
  }
};
#endif

}  // namespace spinel
