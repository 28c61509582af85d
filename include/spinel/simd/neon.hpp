// SPDX-License-Identifier: Apache-2.0
// AArch64 Advanced SIMD: four lanes, thirty-two registers.
#pragma once

#include <spinel/core/config.hpp>

#if defined(__aarch64__)
#include <arm_neon.h>

#include <cstdint>
#include <cstring>

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

  static SPINEL_ALWAYS_INLINE f32 fused(f32 a, f32 b, f32 c) noexcept { return vfmaq_f32(c, a, b); }
  static SPINEL_ALWAYS_INLINE i32 zero_i32() noexcept { return vdupq_n_s32(0); }
  static SPINEL_ALWAYS_INLINE i32 broadcast_i32(std::int32_t x) noexcept { return vdupq_n_s32(x); }
  static SPINEL_ALWAYS_INLINE i32 add_i32(i32 a, i32 b) noexcept { return vaddq_s32(a, b); }
  static SPINEL_ALWAYS_INLINE void store_i32(std::int32_t* p, i32 v) noexcept { vst1q_s32(p, v); }
  static SPINEL_ALWAYS_INLINE i32 load_bytes(const void* p) noexcept { return vreinterpretq_s32_u8(vld1q_u8(static_cast<const std::uint8_t*>(p))); }
  static SPINEL_ALWAYS_INLINE i32 broadcast_four(const void* p) noexcept {
    std::int32_t four;
    std::memcpy(&four, p, 4);
    return vdupq_n_s32(four);
  }
  static SPINEL_ALWAYS_INLINE i32 dot_u8s8(i32 sum, i32 x, i32 w) noexcept {
    const uint8x16_t bytes = vreinterpretq_u8_s32(x);
    const int8x16_t weights = vreinterpretq_s8_s32(w);
    const int16x8_t low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(bytes))), high = vreinterpretq_s16_u16(vmovl_u8(vget_high_u8(bytes)));
    const int16x8_t low_w = vmovl_s8(vget_low_s8(weights)), high_w = vmovl_s8(vget_high_s8(weights));
    const int32x4_t first = vpaddq_s32(vmull_s16(vget_low_s16(low), vget_low_s16(low_w)), vmull_s16(vget_high_s16(low), vget_high_s16(low_w)));
    const int32x4_t second = vpaddq_s32(vmull_s16(vget_low_s16(high), vget_low_s16(high_w)), vmull_s16(vget_high_s16(high), vget_high_s16(high_w)));
    return vaddq_s32(sum, vpaddq_s32(first, second));
  }
  static SPINEL_ALWAYS_INLINE f32 to_float(i32 v) noexcept { return vcvtq_f32_s32(v); }
  static SPINEL_ALWAYS_INLINE void store_u8(std::uint8_t* p, f32 v) noexcept {
    const uint32x4_t n = vcvtnq_u32_f32(vminq_f32(vmaxq_f32(v, vdupq_n_f32(0.0f)), vdupq_n_f32(255.0f)));
    const uint8x8_t bytes = vmovn_u16(vcombine_u16(vmovn_u32(n), vdup_n_u16(0)));
    std::memcpy(p, &bytes, 4);
  }
};

}  // namespace spinel::arch
#endif
