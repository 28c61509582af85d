// SPDX-License-Identifier: Apache-2.0
// AVX-512: sixteen lanes, thirty-two registers.
#pragma once

#include <spinel/core/config.hpp>

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace spinel::arch {

struct avx512 {
  static constexpr const char* name = "avx512";
  static constexpr int width = 16;
  static constexpr int accumulators = 26;
  using f32 = __m512;
  using i32 = __m512i;
  // The unmasked forms of some intrinsics read an undefined register on paper, which GCC 12 warns about; a full mask costs nothing.
  static constexpr __mmask16 all = 0xFFFF;

  static SPINEL_ALWAYS_INLINE f32 load(const float* p) noexcept { return _mm512_loadu_ps(p); }
  static SPINEL_ALWAYS_INLINE f32 broadcast(float x) noexcept { return _mm512_set1_ps(x); }
  static SPINEL_ALWAYS_INLINE void store(float* p, f32 v) noexcept { _mm512_storeu_ps(p, v); }
  static SPINEL_ALWAYS_INLINE f32 fma(f32 a, f32 b, f32 c) noexcept { return _mm512_fmadd_ps(a, b, c); }
  static SPINEL_ALWAYS_INLINE f32 add(f32 a, f32 b) noexcept { return _mm512_add_ps(a, b); }
  static SPINEL_ALWAYS_INLINE f32 multiply(f32 a, f32 b) noexcept { return _mm512_mul_ps(a, b); }
  static SPINEL_ALWAYS_INLINE f32 divide(f32 a, f32 b) noexcept { return _mm512_div_ps(a, b); }
  static SPINEL_ALWAYS_INLINE f32 minimum(f32 a, f32 b) noexcept { return _mm512_maskz_min_ps(all, a, b); }
  static SPINEL_ALWAYS_INLINE f32 maximum(f32 a, f32 b) noexcept { return _mm512_maskz_max_ps(all, a, b); }
  static SPINEL_ALWAYS_INLINE f32 round(f32 a) noexcept { return _mm512_maskz_roundscale_ps(all, a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static SPINEL_ALWAYS_INLINE f32 scale_by_power_of_two(f32 a, f32 n) noexcept { return _mm512_maskz_scalef_ps(all, a, n); }
};

}  // namespace spinel::arch
#endif
