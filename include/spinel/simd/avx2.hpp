// SPDX-License-Identifier: Apache-2.0
// AVX2 with FMA: eight lanes, sixteen registers.
#pragma once

#include <spinel/core/config.hpp>

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

#include <cstdint>
#include <cstring>

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
};

}  // namespace spinel::arch
#endif
