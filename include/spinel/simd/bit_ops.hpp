// SPDX-License-Identifier: Apache-2.0
// The operations of bit_ops_scalar.hpp, which is their definition, on one instruction set each, chosen as a template argument
// (default `NativeBits`).
#pragma once

#include <spinel/simd/bit_ops_scalar.hpp>

#if defined(__BMI2__) && defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <spinel/simd/x86.hpp>

#endif

namespace spinel {

#if defined(__BMI2__) && defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
/// The same on x86-64 with BMI2 and AVX-512 (F, BW, VL, DQ).
struct Avx512Bits : ScalarBits {
  static std::uint64_t extract(std::uint64_t word, std::uint64_t mask) noexcept { return _pext_u64(word, mask); }
#ifdef __AVX512BITALG__
  static std::uint32_t pick(const unsigned char* bytes, int stride, int shift, const std::uint8_t* places, const std::uint16_t* groups) noexcept {
    const __m128i at = _mm_add_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(places)), _mm_set1_epi8(static_cast<char>(shift)));
    const auto picked = [&](int j) {
      const __m128i word = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes + (j - 1) * stride));
      return static_cast<std::uint32_t>(_mm_bitshuffle_epi64_mask(_mm_broadcastq_epi64(word), at) & groups[j]);
    };
    return picked(0) | picked(1) | picked(2);
  }
#endif
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
  static int index_of_pair(const void* pairs, int n, std::uint32_t first, std::uint32_t second) noexcept {
    const __m512i wanted = _mm512_set1_epi64(static_cast<long long>(std::uint64_t{second} << 32 | first));
    const unsigned valid = (1u << n) - 1;
    const auto equal = [&](int from) {
      const auto mask = static_cast<__mmask8>(valid >> from);
      const __m512i values = _mm512_maskz_loadu_epi64(mask, static_cast<const unsigned char*>(pairs) + 8 * from);
      return static_cast<unsigned>(_mm512_mask_cmpeq_epi64_mask(mask, values, wanted)) << from;
    };
    return std::countr_zero(equal(0) | equal(8) | 1u << 16);
  }
  static int positions_below(const std::int32_t* values, int n, std::int32_t limit, std::int32_t* out) noexcept {
    int n_found = 0;
    for (int k = 0; k < n; k += 16) {
      const __mmask16 valid = first_of(n - k);
      const __mmask16 below = _mm512_mask_cmplt_epi32_mask(valid, _mm512_maskz_loadu_epi32(valid, values + k), _mm512_set1_epi32(limit));
      _mm512_storeu_si512(out + n_found, _mm512_maskz_compress_epi32(below, numbers_from(k)));
      n_found += std::popcount(static_cast<unsigned>(below));
    }
    return n_found;
  }
#ifdef __AVX512VBMI2__
  // How often the loop over a word's bits ends is as good as random: here only more than a quarter of them cost a branch. Sixteen at a
  // time, because stores of whole cache lines would mostly cross one.
  static int positions(std::uint64_t word, unsigned first, std::uint16_t* out) noexcept {
    const __m512i set = _mm512_maskz_compress_epi8(word, bit_numbers());
    const int n = std::popcount(word);
    const auto store = [&](int from, __m128i numbers) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + from),
                          _mm256_add_epi16(_mm256_set1_epi16(static_cast<short>(first)), _mm256_cvtepu8_epi16(numbers)));
    };
    store(0, _mm512_castsi512_si128(set));
    if (n > 16) {
      store(16, _mm512_extracti32x4_epi32(set, 1));
      store(32, _mm512_extracti32x4_epi32(set, 2));
      store(48, _mm512_extracti32x4_epi32(set, 3));
    }
    return n;
  }
#endif
  // Eight at a time: how many there are is as good as random, too.
  template <class Known, class Item, class Index>
  static Meeting earliest(Meeting first, const Known* known, int n, const Item* items, std::int32_t base, Index top) noexcept {
    if constexpr (sizeof(Index) == 2 && sizeof(Item) == 8) {
      static_assert(offsetof(Item, radius) == 0 && offsetof(Item, top) == 4 && offsetof(Item, label) == 6);
      static_assert(sizeof(Known) == 8 && offsetof(Known, distance) == 0 && offsetof(Known, leaf) == 4);
      const auto head = [&](int k) {
        long long bits;
        std::memcpy(&bits, static_cast<const void*>(&items[known[k].leaf]), 8);
        return bits;
      };
      for (int k = 0; k < n; k += 8) {
        const __m512i heads =
            _mm512_set_epi64(head(k + 7), head(k + 6), head(k + 5), head(k + 4), head(k + 3), head(k + 2), head(k + 1), head(k));
        const __m256i radius = _mm512_cvtepi64_epi32(heads), kind = _mm512_cvtepi64_epi32(_mm512_srli_epi64(heads, 32));
        const __m256i marked = _mm512_cvtepi64_epi32(_mm512_loadu_si512(known + k));
        const __m256i label = _mm256_and_si256(kind, _mm256_set1_epi32(0xff0000));
        const __mmask8 plus = _mm256_cmpeq_epi32_mask(label, _mm256_set1_epi32(static_cast<int>(Label::plus) << 16));
        const __mmask8 minus = _mm256_cmpeq_epi32_mask(label, _mm256_set1_epi32(static_cast<int>(Label::minus) << 16));
        const __mmask8 own = _mm256_cmpeq_epi32_mask(_mm256_and_si256(kind, _mm256_set1_epi32(0xffff)),
                                                     _mm256_set1_epi32(static_cast<std::uint16_t>(top)));
        const auto beyond = static_cast<__mmask8>(n - k < 8 ? 0xff << (n - k) : 0);
        __m256i time = _mm256_sub_epi32(_mm256_sub_epi32(_mm256_and_si256(marked, _mm256_set1_epi32(-2)), radius),
                                        _mm256_set1_epi32(base));
        time = _mm256_mask_srai_epi32(time, plus, time, 1);
        time = _mm256_mask_mov_epi32(time, static_cast<__mmask8>(own | minus | beyond), _mm256_set1_epi32(INT32_MAX));
        __m256i least = _mm256_min_epi32(time, _mm256_shuffle_epi32(time, 0x4e));
        least = _mm256_min_epi32(least, _mm256_shuffle_epi32(least, 0xb1));
        least = _mm256_min_epi32(least, _mm256_permute4x64_epi64(least, 0x4e));
        const std::int32_t soonest = _mm256_cvtsi256_si32(least);
        const Known& met = known[k + std::countr_zero(static_cast<unsigned>(_mm256_cmpeq_epi32_mask(time, least)))];
        const std::int32_t better = -static_cast<std::int32_t>(soonest < first.time);
        first.time ^= (first.time ^ soonest) & better;
        first.v ^= (first.v ^ met.leaf) & better;
        first.path ^= (first.path ^ met.distance) & static_cast<std::uint32_t>(better);
      }
      return first;
    } else {
      return ScalarBits::earliest(first, known, n, items, base, top);
    }
  }
  template <class Dual>
  static std::int64_t take_halves(int n, std::int32_t* path, std::int32_t* boundary, std::int32_t* nearest, Dual* duals) noexcept {
    if constexpr (sizeof(Dual) == 8) {
      static_assert(offsetof(Dual, radius) == 0 && offsetof(Dual, top) == 4 && offsetof(Dual, label) == 6);
      __m512i total = _mm512_setzero_si512();
      for (int k = 0; k < n; k += 16) {
        const __m512i marked = _mm512_loadu_si512(path + k), marked_out = _mm512_loadu_si512(boundary + k);
        const __m512i half = _mm512_srai_epi32(marked, 1), way_out = _mm512_and_si512(marked_out, _mm512_set1_epi32(-2));
        const __mmask16 out = _mm512_cmple_epi32_mask(way_out, half);
        const __m512i radius = _mm512_maskz_min_epi32(first_of(n - k), half, way_out);
        _mm512_storeu_si512(path + k, _mm512_mask_mov_epi32(marked, out, marked_out));
        _mm512_storeu_si512(nearest + k, _mm512_maskz_loadu_epi32(static_cast<__mmask16>(~out), nearest + k));
        _mm512_storeu_si512(boundary + k, _mm512_mask_mov_epi32(_mm512_set1_epi32(-1), out, _mm512_set1_epi32(-2)));
        store_pairs(duals + k, radius, numbers_from(k));
        total = _mm512_add_epi64(total, _mm512_add_epi64(_mm512_cvtepu32_epi64(_mm512_castsi512_si256(radius)),
                                                         _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(radius, 1))));
      }
      return _mm512_reduce_add_epi64(total);
    } else {
      return ScalarBits::take_halves(n, path, boundary, nearest, duals);
    }
  }
  template <class Link, class Index>
  static int link_mates(int n, const std::int32_t* path, const std::int32_t* mate, Link* links, Index* unpaired, std::uint32_t& flips) noexcept {
    if constexpr (sizeof(Index) == 2) {
      static_assert(sizeof(Link) == 8 && offsetof(Link, path) == 0 && offsetof(Link, u) == 4 && offsetof(Link, v) == 6);
      int n_unpaired = 0;
      __m512i marks = _mm512_setzero_si512();
      for (int k = 0; k < n; k += 16) {
        const __m512i paths = _mm512_loadu_si512(path + k), mates = _mm512_loadu_si512(mate + k), own = numbers_from(k);
        const __mmask16 valid = first_of(n - k);
        store_pairs(links + k, paths, _mm512_or_si512(own, _mm512_slli_epi32(mates, 16)));
        marks = _mm512_mask_xor_epi32(marks, _mm512_mask_cmplt_epi32_mask(valid, mates, own), marks, paths);
        const __mmask16 single = _mm512_mask_cmpeq_epi32_mask(valid, mates, _mm512_set1_epi32(-1));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(unpaired + n_unpaired),
                            _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(single, own)));
        n_unpaired += std::popcount(static_cast<unsigned>(single));
      }
      flips = static_cast<std::uint32_t>(std::popcount(static_cast<unsigned>(_mm512_test_epi32_mask(marks, _mm512_set1_epi32(1))))) & 1;
      return n_unpaired;
    } else {
      return ScalarBits::link_mates(n, path, mate, links, unpaired, flips);
    }
  }
#ifdef __AVX512VBMI2__
  template <int m, int size = 128>
  static LeastPairing least_pairing(const std::uint32_t* distances, std::uint64_t low, std::uint64_t high) noexcept {
    constexpr const AllPairings<m>& all = all_pairings<m>;
    const __m512i events = up_to_sixteen(low, high, size - 1);
    constexpr int n_vectors = (all.n_pairs + 15) / 16;
    __m512i distance[2] = {};
    std::uint32_t marks = 0;
    for (int v = 0; v < n_vectors; ++v) {
      const __m512i entries = entries_of_pairs<m, size>(v, events);
      const __m512i marked = _mm512_i32gather_epi32(entries, distances, 4);
      marks |= static_cast<std::uint32_t>(_mm512_test_epi32_mask(marked, _mm512_set1_epi32(1))) << (16 * v);
      distance[v] = _mm512_and_si512(marked, _mm512_set1_epi32(-2));
    }
    __m512i least = _mm512_set1_epi32(INT32_MAX), sets = _mm512_setzero_si512();
    for (int k = 0; k < all.n; k += 16) {
      __m512i sum = _mm512_setzero_si512();
      for (int e = 0; e < m / 2; ++e) {
        const __m512i which = _mm512_loadu_si512(all.of[e] + k);
        sum = _mm512_add_epi32(sum, n_vectors == 1 ? _mm512_permutexvar_epi32(which, distance[0])
                                                   : _mm512_permutex2var_epi32(distance[0], which, distance[1]));
      }
      sets = _mm512_mask_loadu_epi32(sets, _mm512_cmplt_epi32_mask(sum, least), all.set + k);
      least = _mm512_min_epi32(least, sum);
    }
    const std::int32_t weight = _mm512_reduce_min_epi32(least);
    const __mmask16 best = _mm512_cmpeq_epi32_mask(least, _mm512_set1_epi32(weight));
    const auto set = static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm512_castsi512_si128(_mm512_maskz_compress_epi32(best, sets))));
    return {weight, static_cast<std::uint32_t>(std::popcount(marks & set)) & 1, set};
  }
  template <int m>
  static LeastOfClasses least_of_classes(const std::uint32_t* distances, const std::int32_t* extra, std::uint64_t low,
                                         std::uint64_t high) noexcept {
    constexpr const AllPairings<m>& all = all_pairings<m>;
    constexpr int n_vectors = (all.n_pairs + 15) / 16;
    const __m512i events = up_to_sixteen(low, high, 127);
    __m512i distance[2] = {}, more[2] = {};
    for (int v = 0; v < n_vectors; ++v) {
      const __m512i entries = entries_of_pairs<m, 128>(v, events);
      distance[v] = _mm512_i32gather_epi32(entries, distances, 4);
      more[v] = _mm512_i32gather_epi32(entries, extra, 4);
    }
    const auto choose = [&](const __m512i (&of)[2], __m512i which) {
      return n_vectors == 1 ? _mm512_permutexvar_epi32(which, of[0]) : _mm512_permutex2var_epi32(of[0], which, of[1]);
    };
    __m512i even = _mm512_set1_epi32(INT32_MAX), odd = even;
    for (int k = 0; k < all.n; k += 16) {
      __m512i sum = _mm512_setzero_si512(), marks = sum, least = _mm512_set1_epi32(INT32_MAX);
      for (int e = 0; e < m / 2; ++e) {
        const __m512i which = _mm512_loadu_si512(all.of[e] + k), marked = choose(distance, which);
        sum = _mm512_add_epi32(sum, _mm512_and_si512(marked, _mm512_set1_epi32(-2)));
        marks = _mm512_xor_si512(marks, marked);
        least = _mm512_min_epi32(least, choose(more, which));
      }
      const __mmask16 is_odd = _mm512_test_epi32_mask(marks, _mm512_set1_epi32(1));
      const __m512i other = _mm512_add_epi32(sum, least);
      even = _mm512_min_epi32(even, _mm512_mask_mov_epi32(sum, is_odd, other));
      odd = _mm512_min_epi32(odd, _mm512_mask_mov_epi32(other, is_odd, sum));
    }
    return {{_mm512_reduce_min_epi32(even), _mm512_reduce_min_epi32(odd)}};
  }
#endif

 private:
  static __m512i bit_numbers() noexcept {
    return _mm512_set_epi64(0x3f3e3d3c3b3a3938, 0x3736353433323130, 0x2f2e2d2c2b2a2928, 0x2726252423222120, 0x1f1e1d1c1b1a1918,
                            0x1716151413121110, 0x0f0e0d0c0b0a0908, 0x0706050403020100);
  }
#ifdef __AVX512VBMI2__
  /// The numbers of the set bits of both words; `last` after them.
  static __m512i up_to_sixteen(std::uint64_t low, std::uint64_t high, int last) noexcept {
    const int n_low = std::popcount(low);
    const __m512i from_low = _mm512_maskz_compress_epi8(low, bit_numbers());
    const __m512i from_high = _mm512_maskz_compress_epi8(high, _mm512_or_si512(bit_numbers(), _mm512_set1_epi8(64)));
    const __m512i both = _mm512_mask_expand_epi8(from_low, ~std::uint64_t{0} << n_low, from_high);
    return _mm512_mask_mov_epi32(_mm512_set1_epi32(last), first_of(n_low + std::popcount(high)),
                                 _mm512_cvtepu8_epi32(_mm512_castsi512_si128(both)));
  }
  /// Where in a table of `size` x `size` the pairs from 16 v on stand.
  template <int m, int size>
  static __m512i entries_of_pairs(int v, __m512i events) noexcept {
    const __m512i a = _mm512_permutexvar_epi32(_mm512_loadu_si512(all_pairings<m>.first + 16 * v), events);
    const __m512i b = _mm512_permutexvar_epi32(_mm512_loadu_si512(all_pairings<m>.second + 16 * v), events);
    return _mm512_or_si512(_mm512_slli_epi32(a, std::countr_zero(static_cast<unsigned>(size))), b);
  }
#endif
  static __mmask16 first_of(int n) noexcept { return static_cast<__mmask16>(n < 16 ? (1u << n) - 1 : 0xffff); }
  static __m512i numbers_from(int k) noexcept {
    return _mm512_add_epi32(_mm512_set1_epi32(k), _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
  }
  /// Sixteen words of which `first` is the lower half, `second` the upper.
  static void store_pairs(void* out, __m512i first, __m512i second) noexcept {
    const __m512i low = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
    _mm512_storeu_si512(out, _mm512_permutex2var_epi32(first, low, second));
    _mm512_storeu_si512(static_cast<std::byte*>(out) + 64, _mm512_permutex2var_epi32(first, high, second));
  }
};
using NativeBits = Avx512Bits;
#else
using NativeBits = ScalarBits;
#endif

}  // namespace spinel
