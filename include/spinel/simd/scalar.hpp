// SPDX-License-Identifier: Apache-2.0
// The portable instruction set: four lanes in plain arrays, for every machine, and the reference for all others.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include <spinel/core/config.hpp>
#include <spinel/core/math.hpp>

namespace spinel::arch {

struct scalar {
  static constexpr const char* name = "scalar";
  static constexpr int width = 4;
  static constexpr int accumulators = 8;
  typedef float f32 __attribute__((vector_size(16)));  // the compiler's own lanes: SSE2 on x86, plain registers elsewhere
  typedef std::int32_t i32 __attribute__((vector_size(16)));

  static SPINEL_ALWAYS_INLINE f32 load(const float* p) noexcept { return f32{p[0], p[1], p[2], p[3]}; }
  static SPINEL_ALWAYS_INLINE f32 broadcast(float x) noexcept { return f32{x, x, x, x}; }
  static SPINEL_ALWAYS_INLINE void store(float* p, f32 v) noexcept { std::memcpy(p, &v, sizeof v); }
  // Two roundings where the machine has no fused instruction: a software fma would cost a hundred times more.
  static SPINEL_ALWAYS_INLINE f32 fma(f32 a, f32 b, f32 c) noexcept { return a * b + c; }
  /// a * b + c with one rounding on every machine, for results that must be the same bits everywhere.
  static SPINEL_ALWAYS_INLINE f32 fused(f32 a, f32 b, f32 c) noexcept {
    return f32{spinel::fma(a[0], b[0], c[0]), spinel::fma(a[1], b[1], c[1]), spinel::fma(a[2], b[2], c[2]), spinel::fma(a[3], b[3], c[3])};
  }
  static SPINEL_ALWAYS_INLINE f32 add(f32 a, f32 b) noexcept { return a + b; }
  static SPINEL_ALWAYS_INLINE f32 multiply(f32 a, f32 b) noexcept { return a * b; }
  static SPINEL_ALWAYS_INLINE f32 divide(f32 a, f32 b) noexcept { return a / b; }
  static SPINEL_ALWAYS_INLINE f32 minimum(f32 a, f32 b) noexcept { return a < b ? a : b; }
  static SPINEL_ALWAYS_INLINE f32 maximum(f32 a, f32 b) noexcept { return a > b ? a : b; }
  /// To the nearest integer, ties to even, for |a| < 2^22: adding 1.5 * 2^23 leaves no bits for a fraction.
  static SPINEL_ALWAYS_INLINE f32 round(f32 a) noexcept {
    const f32 shift = broadcast(12582912.0f);
    return (a + shift) - shift;
  }
  /// a * 2^n for integral n in [-126, 127].
  static SPINEL_ALWAYS_INLINE f32 scale_by_power_of_two(f32 a, f32 n) noexcept {
    const i32 exponent = (__builtin_convertvector(n, i32) + 127) << 23;
    f32 factor;
    std::memcpy(&factor, &exponent, sizeof factor);
    return a * factor;
  }

  static SPINEL_ALWAYS_INLINE i32 zero_i32() noexcept { return i32{}; }
  static SPINEL_ALWAYS_INLINE i32 broadcast_i32(std::int32_t x) noexcept { return i32{x, x, x, x}; }
  static SPINEL_ALWAYS_INLINE i32 add_i32(i32 a, i32 b) noexcept { return a + b; }
  static SPINEL_ALWAYS_INLINE void store_i32(std::int32_t* p, i32 v) noexcept { std::memcpy(p, &v, sizeof v); }
  static SPINEL_ALWAYS_INLINE i32 load_bytes(const void* p) noexcept {
    i32 v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }
  static SPINEL_ALWAYS_INLINE i32 broadcast_four(const void* p) noexcept {
    std::int32_t four;
    std::memcpy(&four, p, 4);
    return i32{four, four, four, four};
  }
  static SPINEL_ALWAYS_INLINE i32 dot_u8s8(i32 sum, i32 x, i32 w) noexcept {
    for (int shift = 0; shift < 32; shift += 8) sum += ((x >> shift) & 0xFF) * ((w << (24 - shift)) >> 24);
    return sum;
  }
  static SPINEL_ALWAYS_INLINE f32 to_float(i32 v) noexcept { return __builtin_convertvector(v, f32); }
  /// Rounds to the nearest integer, clamps to [0, 255], stores one byte per lane.
  static SPINEL_ALWAYS_INLINE void store_u8(std::uint8_t* p, f32 v) noexcept {
    const f32 rounded = round(minimum(maximum(v, broadcast(0.0f)), broadcast(255.0f)));
    for (int k = 0; k < 4; ++k) p[k] = static_cast<std::uint8_t>(rounded[k]);
  }
};

}  // namespace spinel::arch
