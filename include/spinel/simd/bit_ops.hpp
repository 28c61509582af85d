// SPDX-License-Identifier: Apache-2.0
// Operations on packed bits and small integers that the lattice matcher is made of: gather masked bits, find the best
// ranked of sixteen slots, find the earliest of many times, test many bits at once. `ScalarBits` is the definition; the
// other types are the same functions on one instruction set, chosen as a template argument (default `NativeBits`).
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__BMI2__) && defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
#include <spinel/simd/x86.hpp>

#endif

namespace spinel {

/// Portable definition of the operations.
struct ScalarBits {
  /// The bits of `word` under `mask`, moved together at the low end.
  static std::uint64_t extract(std::uint64_t word, std::uint64_t mask) noexcept {
    std::uint64_t bits = 0;
    for (int at = 0; mask != 0; mask &= mask - 1, ++at) bits |= ((word >> std::countr_zero(mask)) & 1) << at;
    return bits;
  }
  /// Least `ranks[k]` over the bits k of `slots`; 16 where `slots` is empty. Ranks are at most 16.
  static unsigned least_rank(std::uint32_t slots, const std::uint8_t* ranks) noexcept {
    unsigned least = 16;
    for (; slots != 0; slots &= slots - 1) {
      const unsigned rank = ranks[std::countr_zero(slots)];
      least = rank < least ? rank : least;
    }
    return least;
  }
  /// Index of a least value of `values[0..n)`, n >= 1.
  static int index_of_least(const std::int32_t* values, int n) noexcept {
    int least = 0;
    for (int k = 1; k < n; ++k) least = values[k] < values[least] ? k : least;
    return least;
  }
  /// Bit k says whether bit `base + offsets[k]` of `bits` is set, for k < n <= 16. `offsets` is readable up to 16 entries.
  static std::uint32_t test_bits(const std::uint64_t* bits, std::int32_t base, const std::int16_t* offsets, int n) noexcept {
    std::uint32_t hits = 0;
    for (int k = 0; k < n; ++k) {
      const auto at = static_cast<std::uint32_t>(base + offsets[k]);
      hits |= static_cast<std::uint32_t>((bits[at / 64] >> (at % 64)) & 1) << k;
    }
    return hits;
  }
};

#if defined(__BMI2__) && defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
/// The same on x86-64 with BMI2 and AVX-512 (F, BW, VL, DQ).
struct Avx512Bits : ScalarBits {
  static std::uint64_t extract(std::uint64_t word, std::uint64_t mask) noexcept { return _pext_u64(word, mask); }
  static unsigned least_rank(std::uint32_t slots, const std::uint8_t* ranks) noexcept {
    __m128i x = _mm_mask_blend_epi8(static_cast<__mmask16>(slots), _mm_set1_epi8(16),
                                    _mm_loadu_si128(reinterpret_cast<const __m128i*>(ranks)));
    x = _mm_min_epu8(_mm_and_si128(x, _mm_set1_epi16(255)), _mm_srli_epi16(x, 8));
    return static_cast<unsigned>(_mm_cvtsi128_si32(_mm_minpos_epu16(x))) & 0xffffu;
  }
  static int index_of_least(const std::int32_t* values, int n) noexcept {
    if (n <= 8) return ScalarBits::index_of_least(values, n);
    __m512i least = _mm512_set1_epi32(INT32_MAX);
    int k = 0;
    for (; k + 16 <= n; k += 16) least = _mm512_min_epi32(least, _mm512_loadu_si512(values + k));
    if (k < n) {
      const auto rest = static_cast<__mmask16>((1u << (n - k)) - 1);
      least = _mm512_min_epi32(least, _mm512_mask_loadu_epi32(_mm512_set1_epi32(INT32_MAX), rest, values + k));
    }
    const __m512i wanted = _mm512_set1_epi32(_mm512_reduce_min_epi32(least));
    for (k = 0; k + 16 <= n; k += 16)
      if (const unsigned hit = _mm512_cmpeq_epi32_mask(wanted, _mm512_loadu_si512(values + k)); hit != 0)
        return k + std::countr_zero(hit);
    const auto rest = static_cast<__mmask16>((1u << (n - k)) - 1);
    const unsigned hit = _mm512_mask_cmpeq_epi32_mask(rest, wanted, _mm512_maskz_loadu_epi32(rest, values + k));
    return k + std::countr_zero(hit);
  }
  static std::uint32_t test_bits(const std::uint64_t* bits, std::int32_t base, const std::int16_t* offsets, int n) noexcept {
    const auto valid = static_cast<__mmask16>((1u << n) - 1);
    const __m512i at = _mm512_add_epi32(
        _mm512_set1_epi32(base), _mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(offsets))));
    const __m512i words =
        _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), valid, _mm512_srli_epi32(at, 5), bits, 4);
    const __m512i bit = _mm512_srlv_epi32(words, _mm512_and_si512(at, _mm512_set1_epi32(31)));
    return _mm512_mask_test_epi32_mask(valid, bit, _mm512_set1_epi32(1));
  }
};
using NativeBits = Avx512Bits;
#else
using NativeBits = ScalarBits;
#endif

}  // namespace spinel
