// SPDX-License-Identifier: Apache-2.0
// AVX2 with FMA: eight lanes, sixteen registers.
#pragma once

#include <spinel/core/config.hpp>

#if defined(__AVX2__) && defined(__FMA__)
#include <cstdint>
#include <cstring>

#include <spinel/simd/x86.hpp>

namespace spinel::arch {

struct avx2 {
  static constexpr const char* name = "avx2";
  static constexpr int width = 8;
  static constexpr int accumulators = 12;
  using f32 = __m256;
  using i32 = __m256i;

  static SPINEL_ALWAYS_INLINE f32 load(const float* p) noexcept { return _mm256_loadu_ps(p); }
  static SPINEL_ALWAYS_INLINE f32 broadcast(float x) noexcept { return _mm256_set1_ps(x); }
  static SPINEL_ALWAYS_INLINE void store(float* p, f32 v) noexcept { _mm256_storeu_ps(p, v); }
  static SPINEL_ALWAYS_INLINE f32 fma(f32 a, f32 b, f32 c) noexcept { return _mm256_fmadd_ps(a, b, c); }
  static SPINEL_ALWAYS_INLINE f32 add(f32 a, f32 b) noexcept { return _mm256_add_ps(a, b); }
  static SPINEL_ALWAYS_INLINE f32 multiply(f32 a, f32 b) noexcept { return _mm256_mul_ps(a, b); }
  static SPINEL_ALWAYS_INLINE f32 divide(f32 a, f32 b) noexcept { return _mm256_div_ps(a, b); }
  static SPINEL_ALWAYS_INLINE f32 minimum(f32 a, f32 b) noexcept { return _mm256_min_ps(a, b); }
  static SPINEL_ALWAYS_INLINE f32 maximum(f32 a, f32 b) noexcept { return _mm256_max_ps(a, b); }
  static SPINEL_ALWAYS_INLINE f32 round(f32 a) noexcept { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static SPINEL_ALWAYS_INLINE f32 scale_by_power_of_two(f32 a, f32 n) noexcept {
    const __m256i exponent = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(a, _mm256_castsi256_ps(exponent));
  }

  static SPINEL_ALWAYS_INLINE f32 fused(f32 a, f32 b, f32 c) noexcept { return _mm256_fmadd_ps(a, b, c); }
  static SPINEL_ALWAYS_INLINE i32 zero_i32() noexcept { return _mm256_setzero_si256(); }
  static SPINEL_ALWAYS_INLINE i32 broadcast_i32(std::int32_t x) noexcept { return _mm256_set1_epi32(x); }
  static SPINEL_ALWAYS_INLINE i32 add_i32(i32 a, i32 b) noexcept { return _mm256_add_epi32(a, b); }
  static SPINEL_ALWAYS_INLINE void store_i32(std::int32_t* p, i32 v) noexcept { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
  static SPINEL_ALWAYS_INLINE i32 load_bytes(const void* p) noexcept { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static SPINEL_ALWAYS_INLINE i32 broadcast_four(const void* p) noexcept {
    int four;
    std::memcpy(&four, p, 4);
    return _mm256_set1_epi32(four);
  }
  // Even and odd bytes widened to 16 bits: exact, unlike vpmaddubsw, whose 16-bit sums saturate.
  static SPINEL_ALWAYS_INLINE i32 dot_u8s8(i32 sum, i32 x, i32 w) noexcept {
    const __m256i even = _mm256_madd_epi16(_mm256_and_si256(x, _mm256_set1_epi16(0xFF)), _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8));
    const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(x, 8), _mm256_srai_epi16(w, 8));
    return _mm256_add_epi32(sum, _mm256_add_epi32(even, odd));
  }
  static SPINEL_ALWAYS_INLINE f32 to_float(i32 v) noexcept { return _mm256_cvtepi32_ps(v); }
  static SPINEL_ALWAYS_INLINE void store_u8(std::uint8_t* p, f32 v) noexcept {
    const __m256i n = _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(v, _mm256_setzero_ps()), _mm256_set1_ps(255.0f)));
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(n), _mm256_extracti128_si256(n, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
  }
};

}  // namespace spinel::arch
#endif
