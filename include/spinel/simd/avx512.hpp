// SPDX-License-Identifier: Apache-2.0
// AVX-512: sixteen lanes, thirty-two registers.
#pragma once

#include <spinel/core/config.hpp>

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <cstdint>
#include <cstring>

#include <spinel/simd/x86.hpp>

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

  static SPINEL_ALWAYS_INLINE f32 fused(f32 a, f32 b, f32 c) noexcept { return _mm512_fmadd_ps(a, b, c); }
  static SPINEL_ALWAYS_INLINE i32 zero_i32() noexcept { return _mm512_setzero_si512(); }
  static SPINEL_ALWAYS_INLINE i32 broadcast_i32(std::int32_t x) noexcept { return _mm512_set1_epi32(x); }
  static SPINEL_ALWAYS_INLINE i32 add_i32(i32 a, i32 b) noexcept { return _mm512_add_epi32(a, b); }
  static SPINEL_ALWAYS_INLINE void store_i32(std::int32_t* p, i32 v) noexcept { _mm512_storeu_si512(p, v); }
  static SPINEL_ALWAYS_INLINE i32 load_bytes(const void* p) noexcept { return _mm512_loadu_si512(p); }
  static SPINEL_ALWAYS_INLINE i32 broadcast_four(const void* p) noexcept {
    int four;
    std::memcpy(&four, p, 4);
    return _mm512_set1_epi32(four);
  }
#if defined(__AVX512VNNI__)
  // As one instruction of assembly: GCC 12 copies and spills the accumulators of _mm512_dpbusd_epi32 (69 % of peak instead of 96 %).
  static SPINEL_ALWAYS_INLINE i32 dot_u8s8(i32 sum, i32 x, i32 w) noexcept {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
    return sum;
  }
#else
  static SPINEL_ALWAYS_INLINE i32 dot_u8s8(i32 sum, i32 x, i32 w) noexcept {
    const __m512i even = _mm512_madd_epi16(_mm512_and_si512(x, _mm512_set1_epi16(0xFF)), _mm512_srai_epi16(_mm512_slli_epi16(w, 8), 8));
    const __m512i odd = _mm512_madd_epi16(_mm512_srli_epi16(x, 8), _mm512_srai_epi16(w, 8));
    return _mm512_add_epi32(sum, _mm512_add_epi32(even, odd));
  }
#endif
  static SPINEL_ALWAYS_INLINE f32 to_float(i32 v) noexcept { return _mm512_maskz_cvtepi32_ps(all, v); }
  static SPINEL_ALWAYS_INLINE void store_u8(std::uint8_t* p, f32 v) noexcept {
    const f32 clamped = minimum(maximum(v, _mm512_setzero_ps()), _mm512_set1_ps(255.0f));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_maskz_cvtepi32_epi8(all, _mm512_maskz_cvtps_epi32(all, clamped)));
  }
#if defined(__AVX512BF16__)
  static constexpr bool has_bf16 = true;
  static SPINEL_ALWAYS_INLINE f32 dot_bf16(f32 sum, i32 x, i32 w) noexcept {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
    return sum;
  }
  static SPINEL_ALWAYS_INLINE void store_bf16(std::uint16_t* p, f32 v) noexcept {
    __m256i packed;
    asm("vcvtneps2bf16 %1, %0" : "=v"(packed) : "v"(v));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), packed);
  }
#endif
};

}  // namespace spinel::arch
#endif
