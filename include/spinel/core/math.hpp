// SPDX-License-Identifier: Apache-2.0
// The functions of real numbers that the headers need. They are the mathematics library's, reached without the
// standard header, whose special functions every user would compile (docs/decisions/0008).
#pragma once

namespace spinel {

inline constexpr double pi = 3.141592653589793238462643383279502884;
inline constexpr double sqrt2 = 1.414213562373095048801688724209698079;
inline constexpr double infinity = __builtin_inf();

constexpr bool isfinite(double x) noexcept { return __builtin_isfinite(x); }
constexpr bool isfinite(float x) noexcept { return __builtin_isfinite(x); }

template <class T>
constexpr T abs(T x) noexcept {
  return x < 0 ? -x : x;
}
constexpr double fabs(double x) noexcept { return __builtin_fabs(x); }
constexpr float fabs(float x) noexcept { return __builtin_fabsf(x); }
constexpr double copysign(double x, double sign) noexcept { return __builtin_copysign(x, sign); }

inline double sqrt(double x) noexcept { return __builtin_sqrt(x); }
inline float sqrt(float x) noexcept { return __builtin_sqrtf(x); }
inline double hypot(double x, double y) noexcept { return __builtin_hypot(x, y); }
inline double fma(double x, double y, double z) noexcept { return __builtin_fma(x, y, z); }
inline float fma(float x, float y, float z) noexcept { return __builtin_fmaf(x, y, z); }

inline double floor(double x) noexcept { return __builtin_floor(x); }
inline float floor(float x) noexcept { return __builtin_floorf(x); }
inline double ceil(double x) noexcept { return __builtin_ceil(x); }
inline float ceil(float x) noexcept { return __builtin_ceilf(x); }
inline double round(double x) noexcept { return __builtin_round(x); }
inline float nearbyint(float x) noexcept { return __builtin_nearbyintf(x); }
inline double nearbyint(double x) noexcept { return __builtin_nearbyint(x); }
inline long long llround(double x) noexcept { return __builtin_llround(x); }
inline double fmod(double x, double y) noexcept { return __builtin_fmod(x, y); }

inline double exp(double x) noexcept { return __builtin_exp(x); }
inline float exp(float x) noexcept { return __builtin_expf(x); }
inline double log(double x) noexcept { return __builtin_log(x); }
inline double pow(double x, double y) noexcept { return __builtin_pow(x, y); }
inline double sin(double x) noexcept { return __builtin_sin(x); }
inline double cos(double x) noexcept { return __builtin_cos(x); }
inline double atan2(double y, double x) noexcept { return __builtin_atan2(y, x); }
inline double erfc(double x) noexcept { return __builtin_erfc(x); }

}  // namespace spinel
