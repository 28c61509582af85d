// SPDX-License-Identifier: Apache-2.0
// AArch64 Advanced SIMD: four lanes, thirty-two registers.
#pragma once

#include <spinel/core/config.hpp>

#if defined(__aarch64__)
#include <arm_neon.h>

#include <cstdint>

namespace spinel::arch {

struct neon {
  static constexpr const char* name = "neon";
  static constexpr int width = 4;
  static constexpr int accumulators = 26;
  using f32 = float32x4_t;
  using i32 = int32x4_t;

  static SPINEL_ALWAYS_INLINE f32 load(const float* p) noexcept { return vld1q_f32(p); }
  static SPINEL_ALWAYS_INLINE f32 broadcast(float x) noexcept { return vdupq_n_f32(x); }
  static SPINEL_ALWAYS_INLINE void store(float* p, f32 v) noexcept { vst1q_f32(p, v); }
  static SPINEL_ALWAYS_INLINE f32 fma(f32 a, f32 b, f32 c) noexcept { return vfmaq_f32(c, a, b); }
  static SPINEL_ALWAYS_INLINE f32 add(f32 a, f32 b) noexcept { return vaddq_f32(a, b); }
  static SPINEL_ALWAYS_INLINE f32 multiply(f32 a, f32 b) noexcept { return vmulq_f32(a, b); }
  static SPINEL_ALWAYS_INLINE f32 divide(f32 a, f32 b) noexcept { return vdivq_f32(a, b); }
  static SPINEL_ALWAYS_INLINE f32 minimum(f32 a, f32 b) noexcept { return vminq_f32(a, b); }
  static SPINEL_ALWAYS_INLINE f32 maximum(f32 a, f32 b) noexcept { return vmaxq_f32(a, b); }
  static SPINEL_ALWAYS_INLINE f32 round(f32 a) noexcept { return vrndnq_f32(a); }
  static SPINEL_ALWAYS_INLINE f32 scale_by_power_of_two(f32 a, f32 n) noexcept {
    const int32x4_t exponent = vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127)), 23);
    return vmulq_f32(a, vreinterpretq_f32_s32(exponent));
  }
};

}  // namespace spinel::arch
#endif
