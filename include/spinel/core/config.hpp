// SPDX-License-Identifier: Apache-2.0
// Every macro of the library. No other header defines one (those of the C interface in decode/c_api excepted).
#pragma once

#define SPINEL_VERSION_MAJOR 0
#define SPINEL_VERSION_MINOR 1
#define SPINEL_VERSION_PATCH 0
#define SPINEL_VERSION_STRING "0.1.0"

#if defined(__GNUC__) || defined(__clang__)
#define SPINEL_ALWAYS_INLINE inline __attribute__((always_inline))
#define SPINEL_NOINLINE __attribute__((noinline))
#define SPINEL_COLD __attribute__((noinline, cold))
#define SPINEL_LIKELY(condition) __builtin_expect(static_cast<bool>(condition), 1)
#define SPINEL_UNLIKELY(condition) __builtin_expect(static_cast<bool>(condition), 0)
#define SPINEL_PREFETCH(address) __builtin_prefetch(address)
#define SPINEL_RESTRICT __restrict__
#else
#define SPINEL_ALWAYS_INLINE inline
#define SPINEL_NOINLINE
#define SPINEL_COLD
#define SPINEL_LIKELY(condition) (condition)
#define SPINEL_UNLIKELY(condition) (condition)
#define SPINEL_PREFETCH(address) ((void)0)
#define SPINEL_RESTRICT
#endif
