// SPDX-License-Identifier: Apache-2.0
// The portable instruction set: four lanes in plain arrays, for every machine, and the reference for all others.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <spinel/core/config.hpp>

namespace spinel::arch {

struct scalar {
  static constexpr const char* name = "scalar";
  static constexpr int width = 4;
  static constexpr int accumulators = 8;
  struct f32 {
    float lane[4];
  };
  struct i32 {
    std::int32_t lane[4];
  };

  static SPINEL_ALWAYS_INLINE f32 load(const float* p) noexcept { return {{p[0], p[1], p[2], p[3]}}; }
  static SPINEL_ALWAYS_INLINE f32 broadcast(float x) noexcept { return {{x, x, x, x}}; }
  static SPINEL_ALWAYS_INLINE void store(float* p, f32 v) noexcept {
    for (int k = 0; k < 4; ++k) p[k] = v.lane[k];
  }
  // Two roundings where the machine has no fused instruction: a software fma would cost a hundred times more.
  static SPINEL_ALWAYS_INLINE f32 fma(f32 a, f32 b, f32 c) noexcept {
    for (int k = 0; k < 4; ++k) c.lane[k] = a.lane[k] * b.lane[k] + c.lane[k];
    return c;
  }
  static SPINEL_ALWAYS_INLINE f32 add(f32 a, f32 b) noexcept {
    for (int k = 0; k < 4; ++k) a.lane[k] += b.lane[k];
    return a;
  }
  static SPINEL_ALWAYS_INLINE f32 multiply(f32 a, f32 b) noexcept {
    for (int k = 0; k < 4; ++k) a.lane[k] *= b.lane[k];
    return a;
  }
  static SPINEL_ALWAYS_INLINE f32 divide(f32 a, f32 b) noexcept {
    for (int k = 0; k < 4; ++k) a.lane[k] /= b.lane[k];
    return a;
  }
  static SPINEL_ALWAYS_INLINE f32 minimum(f32 a, f32 b) noexcept {
    for (int k = 0; k < 4; ++k) a.lane[k] = a.lane[k] < b.lane[k] ? a.lane[k] : b.lane[k];
    return a;
  }
  static SPINEL_ALWAYS_INLINE f32 maximum(f32 a, f32 b) noexcept {
    for (int k = 0; k < 4; ++k) a.lane[k] = a.lane[k] > b.lane[k] ? a.lane[k] : b.lane[k];
    return a;
  }
  /// To the nearest integer, for |a| < 2^22.
  static SPINEL_ALWAYS_INLINE f32 round(f32 a) noexcept {
    for (int k = 0; k < 4; ++k) a.lane[k] = static_cast<float>(static_cast<std::int32_t>(a.lane[k] + (a.lane[k] < 0 ? -0.5f : 0.5f)));
    return a;
  }
  /// a * 2^n for integral n in [-126, 127].
  static SPINEL_ALWAYS_INLINE f32 scale_by_power_of_two(f32 a, f32 n) noexcept {
    for (int k = 0; k < 4; ++k) a.lane[k] *= std::bit_cast<float>((static_cast<std::int32_t>(n.lane[k]) + 127) << 23);
    return a;
  }
};

}  // namespace spinel::arch
